/* main.c - skald: one program, a table of commands. */
#include "cli/subcommand.h"
#include "orchestrator/store/mongo/store_mongo.h"

#include <stdio.h>

static const struct subcommand *const list[] = {
	&subcommand_serve,       &subcommand_start,     &subcommand_ls,
	&subcommand_show,        &subcommand_watch,     &subcommand_top,
	&subcommand_explain,     &subcommand_undo_plan, &subcommand_signal,
	&subcommand_cancel,      &subcommand_undo,      &subcommand_pause,
	&subcommand_resume,      &subcommand_retry,     &subcommand_skip,
	&subcommand_kill,        &subcommand_stats,     &subcommand_dead,
	&subcommand_reconcile,   &subcommand_backup,    &subcommand_deploy,
	&subcommand_definitions, &subcommand_diff,      &subcommand_check,
	&subcommand_fmt,         &subcommand_graph,     &subcommand_simulate,
	&subcommand_bench,       &subcommand_help,      &subcommand_man,
};

static const struct subcommand_table commands = {list, sizeof list / sizeof *list};

int main(int argc, char **argv)
{
	static char help[] = "help";
	char *const only_help[] = {help, NULL};
	const struct subcommand *command;

	store_mongo_hide_counters();
	if (argc < 2) {
		fputs("skald: a command is missing; `skald help` lists the commands\n", stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("skald " SKALD_VERSION);
		return (int)output_end("skald", EXIT_DONE);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return (int)subcommand_run(commands, &subcommand_help, 1, only_help);
	command = subcommand_find(commands, slice_of(argv[1]));
	if (!command)
		return (int)complain_unknown(commands, argv[1]);
	return (int)subcommand_run(commands, command, argc - 1, argv + 1);
}

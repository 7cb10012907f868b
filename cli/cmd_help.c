/* skald help, and skald man: both from the tables that the program runs by. */
#include "cli/subcommand.h"

enum { NAME_COLUMNS = 12, PAGE_MAX = 1024 * 1024 };

static const struct {
	enum exit_code code;
	const char *meaning;
} exit_codes[] = {
	{EXIT_DONE, "done"},
	{EXIT_FAILED, "failed: the message says what and what to do"},
	{EXIT_USAGE, "wrong usage"},
	{EXIT_NOT_COMPLETED, "--wait: the saga ended or is parked, but is not completed"},
	{EXIT_NOT_FOUND, "there is no such saga, definition or step"},
	{EXIT_UNREACHABLE, "the server cannot be reached"},
	{EXIT_NOT_ALLOWED, "not allowed"},
	{EXIT_REFUSED, "refused in this state: the message says why"},
	{EXIT_TIMED_OUT, "--wait: the time of --timeout is over"},
};

/* --- help ---------------------------------------------------------------------- */

static void write_list(const struct cli *cli, struct bytes *out)
{
	bytes_text(out, "Usage: skald COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n");
	for (size_t i = 0; i < cli->commands.n; i++) {
		const struct subcommand *command = cli->commands.list[i];

		if (!command->hidden)
			bytes_format(out, "  %-*s%s\n", NAME_COLUMNS, command->name,
				     command->brief);
	}
	bytes_text(out, "\n`skald help COMMAND` tells more of one, `skald --version` the "
			"version.\n\nExit codes:\n");
	for (size_t i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++)
		bytes_format(out, "  %d  %s\n", exit_codes[i].code, exit_codes[i].meaning);
}

static enum exit_code run_help(struct cli *cli)
{
	struct bytes out = BYTES(PAGE_MAX, cli->arena);

	if (cli->options->n_args == 0)
		write_list(cli, &out);
	for (size_t i = 0; i < cli->options->n_args; i++) {
		const char *name = cli->options->args[i];
		const struct subcommand *command =
			subcommand_find(cli->commands, slice_of(name));

		if (!command)
			return complain_unknown(cli->commands, name);
		if (i > 0)
			bytes_add(&out, '\n');
		options_help(&command->usage, &out);
	}
	if (out.err)
		return complain_err(cli, out.err);
	print_bytes(&out);
	return EXIT_DONE;
}

const struct subcommand subcommand_help = {
	.name = "help",
	.brief = "show what there is, or more of a command",
	.usage = {.program = "skald help",
		  .arguments = "[COMMAND...]",
		  .summary = "Shows the list of commands, or what one of them does and its "
			     "options.",
		  .common = {common_options, N_REMOTE_OPTIONS}},
	.run = run_help,
};

/* --- the man page ----------------------------------------------------------------- */

/* Nothing in the text is an escape or a request. */
static void man_line(struct bytes *out, struct slice line)
{
	bytes_text(out, "\\&");
	for (size_t i = 0; i < line.len; i++) {
		if (line.at[i] == '\\')
			bytes_text(out, "\\e");
		else if (line.at[i] == '-')
			bytes_text(out, "\\-");
		else
			bytes_add(out, line.at[i]);
	}
	bytes_add(out, '\n');
}

static void man_summary(struct bytes *out, const char *summary)
{
	struct slice rest = slice_of(summary), line;
	bool literal = false;

	while (slice_line(&rest, &line)) {
		bool example = line.len && line.at[0] == ' ';

		if (literal && !example)
			bytes_text(out, ".Ed\n");
		if (example && !literal)
			bytes_text(out, ".Bd -literal -compact\n");
		literal = example;
		if (line.len)
			man_line(out, line);
		else
			bytes_text(out, ".Pp\n");
	}
	if (literal)
		bytes_text(out, ".Ed\n");
}

static void man_command(struct bytes *out, const struct subcommand *command)
{
	struct usage own = command->usage;

	bytes_format(out, ".Ss skald %s%s%s\n", command->name,
		     command->usage.arguments ? " " : "",
		     command->usage.arguments ? command->usage.arguments : "");
	man_summary(out, command->usage.summary);
	if (own.own.n == 0)
		return;
	own.common = (struct option_table){NULL, 0};
	options_man(&own, out);
}

static void man_page(const struct cli *cli, struct bytes *out)
{
	struct usage common = {.program = "skald",
			       .common = {common_options, N_REMOTE_OPTIONS}};

	bytes_text(out,
		   ".\\\" Made by `skald man` from the tables of options; edit those.\n"
		   ".Dd November 21, 2025\n.Dt SKALD 1\n.Os Skald " SKALD_VERSION "\n"
		   ".Sh NAME\n.Nm skald\n.Nd sagas: check, draw and run them\n"
		   ".Sh SYNOPSIS\n.Nm\n.Ar COMMAND\n.Op Ar OPTIONS\n.Op Ar ARGUMENTS\n"
		   ".Nm\n.Fl \\-version\n"
		   ".Sh DESCRIPTION\n"
		   "A saga is a business transaction that spans several services.\n"
		   "People declare it in a YAML file; if a step fails, those before it are\n"
		   "undone.\n.Nm\nchecks and draws these definitions, runs the sagas"
		   " (serve), starts them,\nlooks at them and helps those that need a person."
		   "\n"
		   ".Sh COMMANDS\n");
	for (size_t i = 0; i < cli->commands.n; i++) {
		if (!cli->commands.list[i]->hidden)
			man_command(out, cli->commands.list[i]);
	}
	bytes_text(out, ".Sh COMMON OPTIONS\n"
			"Every command has these, serve all but\n.Fl \\-server\nand\n"
			".Fl \\-token .\n"
			"Those that ask no server take no notice of the two.\n");
	options_man(&common, out);
	bytes_text(out,
		   ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n"
		   ".It Ev NO_COLOR\nSwitches colours off unless it is empty.\n"
		   ".It Ev COLUMNS\nThe width of pictures; otherwise that of the terminal, or "
		   "80.\n"
		   ".It Ev LC_ALL , LC_CTYPE , LANG\n"
		   "Pictures are drawn in ASCII unless the first that is set names UTF-8.\n"
		   ".El\n.Sh EXIT STATUS\n.Bl -tag -width Ds\n");
	for (size_t i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++)
		bytes_format(out, ".It %d\n%s\n", exit_codes[i].code, exit_codes[i].meaning);
	bytes_text(
		out,
		".El\n.Sh FILES\n.Bl -tag -width Ds\n"
		".It Pa skald.yaml\nSettings of serve, where it is in the current folder.\n"
		".It Pa skald-data\nWhat serve and the example services keep, unless "
		"\\-\\-data says otherwise.\n"
		".It Pa skald-data/bus.sock\nWhere services connect.\n"
		".El\n.Sh SEE ALSO\n"
		".Xr skald-inventory 1 ,\n.Xr skald-notification 1 ,\n.Xr skald-payment 1\n");
}

static enum exit_code run_man(struct cli *cli)
{
	struct bytes out = BYTES(PAGE_MAX, cli->arena);

	man_page(cli, &out);
	if (out.err)
		return complain_err(cli, out.err);
	print_bytes(&out);
	return EXIT_DONE;
}

const struct subcommand subcommand_man = {
	.name = "man",
	.brief = "print the man page",
	.usage = {.program = "skald man",
		  .summary = "Prints the source of the man page skald(1).",
		  .common = {common_options, N_COMMON_OPTIONS}},
	.hidden = true,
	.run = run_man,
};

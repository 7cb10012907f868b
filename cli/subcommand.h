/* subcommand.h - what a subcommand of skald is.
 *
 * One table entry per command: its name, its options, the text that both
 * `skald help` and the man page show, and the function that does it.
 */
#ifndef SKALD_CLI_SUBCOMMAND_H
#define SKALD_CLI_SUBCOMMAND_H

#include "base/options.h"
#include "cli/terminal.h"

/* What skald exits with; scripts rely on it. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,        /* the message says what and what to do */
	EXIT_USAGE = 2,         /* wrong usage */
	EXIT_NOT_COMPLETED = 3, /* --wait: ended or parked, but not completed */
	EXIT_NOT_FOUND = 4,     /* no such saga, definition, step */
	EXIT_UNREACHABLE = 5,   /* the server does not answer */
	EXIT_NOT_ALLOWED = 6,   /* token missing, expired, role too low */
	EXIT_REFUSED = 7,       /* not in this state */
	EXIT_TIMED_OUT = 8,     /* --wait */
};

struct subcommand;

struct subcommand_table {
	const struct subcommand *const *list;
	size_t n;
};

/* What a command works with; the program makes it from the command line. */
struct cli {
	const struct subcommand *subcommand;
	struct subcommand_table commands;
	const struct options *options;
	struct arena *arena;  /* as long as the command runs */
	struct terminal out;  /* standard output */
	struct terminal errs; /* standard error */
	bool json;
	bool quiet;
};

struct subcommand {
	const char *name;
	const char *brief; /* "check definitions": one line of the list */

	/* Its program is "skald NAME". The summary is the manual: paragraphs with
	 * empty lines between them, no line over 79 columns. A line that begins with
	 * blanks is an example and stays as it is. */
	struct usage usage;
	bool hidden; /* not in the list */
	enum exit_code (*run)(struct cli *cli);
};

/* --json, --no-color, --quiet, --help, --server, --token: every command has them, also
 * what asks no server, so that scripts can give them to all, as
 *	.common = {common_options, N_REMOTE_OPTIONS}
 * and only a server, which is none to ask, has the first four alone, as
 *	.common = {common_options, N_COMMON_OPTIONS}
 */
enum { N_COMMON_OPTIONS = 4, N_REMOTE_OPTIONS = 6 };
extern const struct option common_options[N_REMOTE_OPTIONS];

/* NULL: there is none of that name. */
const struct subcommand *subcommand_find(struct subcommand_table commands, struct slice name);

/* Read the options and run the command; argv[0] is its name. */
enum exit_code subcommand_run(struct subcommand_table commands,
			      const struct subcommand *subcommand, int argc, char *const *argv);

/* There is no command of that name: say so, and which one may be meant. */
enum exit_code complain_unknown(struct subcommand_table commands, const char *name);

/* "skald check: ..." on standard error. */
void complain(const struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for a mistake in the command line: also says how to get help, and
 * returns EXIT_USAGE. */
enum exit_code complain_usage(const struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ERR_NOMEM and the like, where nothing better can be said. */
enum exit_code complain_err(const struct cli *cli, enum err err);

/* Print all of it on standard output. A failure to write shows when the command
 * ends: subcommand_run() then complains and fails. */
void print_bytes(const struct bytes *bytes);

/* The end of all output: `code`, or, if not all could be written, a complaint of
 * `who` ("skald check") and EXIT_FAILED. */
enum exit_code output_end(const char *who, enum exit_code code);

/* `skald help [COMMAND]`, and `skald man`, which prints the man page. */
extern const struct subcommand subcommand_help;
extern const struct subcommand subcommand_man;

extern const struct subcommand subcommand_check;
extern const struct subcommand subcommand_fmt;
extern const struct subcommand subcommand_graph;
extern const struct subcommand subcommand_simulate;

extern const struct subcommand subcommand_serve;

extern const struct subcommand subcommand_start;
extern const struct subcommand subcommand_ls;
extern const struct subcommand subcommand_show;
extern const struct subcommand subcommand_watch;
extern const struct subcommand subcommand_top;
extern const struct subcommand subcommand_explain;
extern const struct subcommand subcommand_undo_plan;
extern const struct subcommand subcommand_signal;
extern const struct subcommand subcommand_cancel;
extern const struct subcommand subcommand_undo;
extern const struct subcommand subcommand_pause;
extern const struct subcommand subcommand_resume;
extern const struct subcommand subcommand_retry;
extern const struct subcommand subcommand_skip;
extern const struct subcommand subcommand_kill;
extern const struct subcommand subcommand_stats;
extern const struct subcommand subcommand_reconcile;
extern const struct subcommand subcommand_backup;
extern const struct subcommand subcommand_dead;
extern const struct subcommand subcommand_deploy;
extern const struct subcommand subcommand_definitions;
extern const struct subcommand subcommand_diff;

extern const struct subcommand subcommand_bench;

#endif

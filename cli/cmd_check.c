/* skald check */
#include "base/clock.h"
#include "cli/exploration.h"
#include "cli/report.h"
#include "orchestrator/core/family.h"

#include <inttypes.h>
#include <stdio.h>

static const char manual[] =
	"Finds every mistake in the definitions, each with its place:\n"
	"\n"
	"  order.yaml:12:7: error: what is wrong; what to do [code]\n"
	"\n"
	"The codes are fixed words for scripts. Advice comes as warning: and does\n"
	"not make a file wrong. A FILE of - reads standard input. With --json each\n"
	"mistake is {file,line,column,severity,code,message} on a line of standard\n"
	"output; a line of 0 is the file as a whole. The command fails if there\n"
	"is an error in any of the files.\n"
	"\n"
	"With --exhaustive a file without errors is also explored: from the start\n"
	"of the saga every state is visited that outcomes, timeouts, lost, late\n"
	"and repeated messages, crashes and operators can lead to, up to the\n"
	"bounds, and each is held to the invariants. What is printed is what was\n"
	"explored and no more: states, bounds, invariants, time. For a violation\n"
	"the shortest way to it is told step by step, and the command fails.\n"
	"\n"
	"The bounds: attempts of one command; cancel and operator, how often one\n"
	"cancels, or retries, skips or pauses; signals that come for an await;\n"
	"prune, how many participants forget a step; dup and crash, 0 for none and\n"
	"1 for any number of repeated messages and restarts; states and memory, in\n"
	"MiB, at which to stop.\n"
	"\n"
	"  skald check sagas/*.yaml\n"
	"  skald check --exhaustive --bounds attempts=3,cancel=0 order.yaml";

static const struct option options[] = {
	{.name = "exhaustive",
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "explore everything that can happen to the saga, up to the bounds"},
	{.name = "bounds",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .argument = "NAME=N,...",
	 .help = "with --exhaustive: how far to explore, such as dup=1,crash=1,attempts=2"},
};

/* --- exploring -------------------------------------------------------------------- */

/* One line that is written over and over, for people who watch. */
static bool show_progress(void *context, uint64_t states, uint64_t transitions, uint32_t depth)
{
	fprintf(stderr,
		"\r%" PRIu64 " states, %" PRIu64 " transitions, depth %" PRIu32 "\033[K",
		states, transitions, depth);
	return true;
}

static enum exit_code show(const struct cli *cli, const struct exploration *exploration)
{
	enum exit_code code = exploration_code(exploration->report);
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);
	enum err err = OK;

	if (cli->json)
		err = exploration_json(exploration, &out);
	else if (!cli->quiet || code)
		err = exploration_text(exploration, &out);
	if (err)
		return complain_err(cli, err);
	print_bytes(&out);
	return code;
}

static enum exit_code explore_file(const struct cli *cli, const char *path,
				   const struct definition *definition,
				   const struct explore_bounds *bounds)
{
	bool watched = cli->errs.is_terminal && !cli->quiet;
	struct explore_options how = {.bounds = *bounds,
				      .progress = watched ? show_progress : NULL};
	int64_t begun_ms = clock_monotonic_ms(clock_system());
	struct explore_report report;
	struct exploration exploration = {report_name(path), definition, &report, 0,
					  cli->out.width};
	struct diag diag = {""};
	enum exit_code code;
	enum err err = explore(definition, &how, &report, &diag);

	exploration.took_ms = clock_monotonic_ms(clock_system()) - begun_ms;
	if (watched)
		fputs("\r\033[K", stderr);
	if (err) {
		complain(cli, "%s: %s", report_name(path),
			 diag.text[0] ? diag.text : err_text(err));
		return EXIT_FAILED;
	}
	code = show(cli, &exploration);
	explore_report_release(&report);
	return code;
}

/* --- checking ------------------------------------------------------------------------ */

/* The definitions of the files so far. */
struct checked {
	struct definition **list;
	size_t n;
};

/* What only shows beside the other files: children, and whose child it is. */
static enum exit_code check_family(const struct cli *cli, const char *path,
				   const struct checked *checked,
				   const struct definition *definition)
{
	struct problems problems = {.arena = cli->arena, .file = report_name(path)};
	struct family_fault fault;
	struct diag diag;
	enum err err;

	err = family_check((const struct definition *const *)checked->list, checked->n,
			   definition, cli->arena, &fault, &diag);
	if (err == ERR_INVALID) {
		problem_add(&problems, SEVERITY_ERROR, fault.place, fault.code, "%s",
			    diag.text);
		err = report_problems(cli, cli->json ? REPORT_JSON : REPORT_TEXT, &problems);
		return err ? complain_err(cli, err) : EXIT_FAILED;
	}
	return err ? complain_err(cli, err) : EXIT_DONE;
}

static enum exit_code check_file(const struct cli *cli, const char *path,
				 struct checked *checked, const struct explore_bounds *bounds)
{
	struct definition *definition;
	enum exit_code code =
		report_load(cli, cli->json ? REPORT_JSON : REPORT_TEXT, path, &definition);
	char hash[SHORT_HASH_SIZE];

	if (code)
		return code;
	code = check_family(cli, path, checked, definition);
	checked->list[checked->n++] = definition;
	if (code)
		return code;
	short_hash(definition, hash);
	if (!cli->json && !cli->quiet)
		printf("%s: ok (%" PRIu32 " step%s, hash %s)\n", report_name(path),
		       definition->n_steps, definition->n_steps == 1 ? "" : "s", hash);
	fflush(stdout); /* before what the next file says on standard error */
	if (bounds)
		code = explore_file(cli, path, definition, bounds);
	return code;
}

static enum exit_code run(struct cli *cli)
{
	bool exhaustive = options_bool(cli->options, "exhaustive");
	const char *given = options_text(cli->options, "bounds");
	struct explore_bounds bounds = explore_bounds_default;
	enum exit_code worst = EXIT_DONE;
	struct checked checked = {0};
	struct diag diag;

	if (cli->options->n_args == 0)
		return complain_usage(cli, "give at least one FILE");
	if (given && !exhaustive)
		return complain_usage(cli, "--bounds is for --exhaustive alone");
	if (given && explore_bounds_parse(slice_of(given), &bounds, &diag))
		return complain_usage(cli, "--%s", diag.text);
	checked.list = arena_array(cli->arena, cli->options->n_args, sizeof *checked.list);
	if (!checked.list)
		return complain_err(cli, ERR_NOMEM);
	for (size_t i = 0; i < cli->options->n_args; i++) {
		enum exit_code code = check_file(cli, cli->options->args[i], &checked,
						 exhaustive ? &bounds : NULL);

		worst = code ? code : worst;
	}
	while (checked.n)
		definition_free(checked.list[--checked.n]);
	return worst;
}

const struct subcommand subcommand_check = {
	.name = "check",
	.brief = "find every mistake in definitions; explore what can happen",
	.usage =
		{
			.program = "skald check",
			.arguments = "FILE...",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_REMOTE_OPTIONS},
		},
	.run = run,
};

/* skald cancel, undo, pause, resume, retry, skip and kill: what a person does
 * about a saga. */
#include "base/json_line.h"
#include "cli/filter.h"
#include "cli/given.h"
#include "cli/members.h"
#include "cli/saga_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* --- the operations --------------------------------------------------------------- */

struct operation_kind {
	const struct subcommand *subcommand;
	bool step; /* takes a step behind the id */
	bool step_needed;
	bool reason_needed;
	bool several; /* of several sagas, and by filter */
};

static const struct operation_kind kinds[] = {
	{&subcommand_cancel, .several = true},
	{&subcommand_undo, .several = true},
	{&subcommand_pause, .several = true},
	{&subcommand_resume, .several = true},
	{&subcommand_retry, .step = true},
	{&subcommand_skip, .step = true, .step_needed = true},
	{&subcommand_kill, .reason_needed = true},
};

static const struct operation_kind *find_kind(const struct cli *cli)
{
	const struct operation_kind *kind = kinds;

	while (kind->subcommand != cli->subcommand)
		kind++;
	return kind;
}

struct operating {
	struct remote *remote;
	const struct operation_kind *kind;
	struct slice body; /* of every request */
	uint64_t n_done, n_refused, n_failed;
	enum exit_code code; /* the first failure */
};

static enum exit_code make_body(const struct cli *cli, const char *step, struct bytes *out)
{
	const char *reason = options_text(cli->options, "reason");
	const char *output = step && cli->subcommand == &subcommand_skip
				     ? options_text(cli->options, "output")
				     : NULL;
	struct json json;
	enum exit_code code;

	json_begin(out);
	if (step)
		json_add_text(out, "step", slice_of(step));
	if (reason)
		json_add_text(out, "reason", slice_of(reason));
	if (output) {
		code = given_json(cli, "--output", output, &json);
		if (code)
			return code;
		json_add_json(out, "output", json.text);
	}
	json_end(out);
	return out->err ? complain_err(cli, out->err) : EXIT_DONE;
}

/* --- doing it --------------------------------------------------------------------- */

static void say_done(const struct cli *cli, const char *id, struct json saga,
		     struct arena *arena)
{
	struct slice status = member_text(saga, "status", arena);

	if (cli->json)
		printf("%.*s\n", SLICE_ARG(saga.text));
	else if (!cli->quiet)
		printf("%s %.*s\n", id, SLICE_ARG(status));
}

/* Every saga has its line of JSON, also one that it did not work for. */
static void say_failed(struct operating *operating, const char *id,
		       const struct remote_answer *answer, struct arena *arena)
{
	struct bytes line = BYTES(SIZE_MAX / 2, arena);

	remote_complain(operating->remote, answer, id);
	if (!operating->remote->cli->json || answer->code == EXIT_UNREACHABLE)
		return;
	json_begin(&line);
	json_add_text(&line, "id", slice_of(id));
	json_add_optional(&line, "code", answer->problem);
	json_add_optional(&line, "detail", answer->detail);
	json_end_line(&line);
	print_bytes(&line);
}

static void count(struct operating *operating, enum exit_code code)
{
	if (code == EXIT_DONE)
		operating->n_done++;
	else if (code == EXIT_REFUSED)
		operating->n_refused++;
	else
		operating->n_failed++;
	if (!operating->code)
		operating->code = code;
}

/* A server that has too much to do says so, and takes it a little later. */
static void ask_patiently(struct operating *operating, const struct remote_request *request,
			  struct remote_answer *answer)
{
	enum { TIMES = 10 };
	const struct timespec pause = {1, 0};

	for (int n = 0; n < TIMES; n++) {
		remote_ask(operating->remote, request, answer);
		if (!slice_is(answer->problem, "busy"))
			return;
		if (n + 1 < TIMES)
			nanosleep(&pause, NULL);
	}
}

static void operate(struct operating *operating, const char *id)
{
	const struct cli *cli = operating->remote->cli;
	struct arena arena = {0};
	struct remote_request request = {"POST", NULL, operating->body, &arena};
	struct remote_answer answer;
	char behind[32];

	snprintf(behind, sizeof behind, "/%s", cli->subcommand->name);
	request.path = remote_saga_path(&arena, id, behind);
	if (!request.path) {
		operating->code = complain_err(cli, ERR_NOMEM);
		return;
	}
	ask_patiently(operating, &request, &answer);
	if (answer.code == EXIT_DONE)
		say_done(cli, id, answer.json, &arena);
	else
		say_failed(operating, id, &answer, &arena);
	count(operating, answer.code);
	arena_release(&arena);
}

static enum exit_code operate_on_ids(struct operating *operating)
{
	const struct options *options = operating->remote->cli->options;
	size_t n = operating->kind->several ? options->n_args : 1;

	for (size_t i = 0; i < n; i++) {
		operate(operating, options->args[i]);
		if (operating->code == EXIT_UNREACHABLE)
			break;
	}
	return operating->code;
}

/* --- by filter -------------------------------------------------------------------- */

enum { FOUND_MAX = 1000000 }; /* sagas of one command */

struct found {
	const struct cli *cli;
	const char **ids;
	size_t n, capacity;
	bool nomem;
};

/* The ids are kept: what is done to one saga may change which others fit. */
static bool keep_id(void *context, struct json saga, struct arena *arena)
{
	struct found *found = context;
	struct slice copy;

	if (found->n == found->capacity) {
		size_t capacity = found->capacity ? 2 * found->capacity : 64;
		const char **grown = arena_array(found->cli->arena, capacity, sizeof *grown);

		if (grown && found->n)
			memcpy(grown, found->ids, found->n * sizeof *grown);
		found->ids = grown;
		found->capacity = capacity;
	}
	found->nomem = !found->ids ||
		       !arena_copy(found->cli->arena, member_text(saga, "id", arena), &copy);
	if (!found->nomem)
		found->ids[found->n++] = copy.at;
	return !found->nomem;
}

/* What would be done it to, as `ls` has it. */
static bool tell_row(void *context, struct json saga, struct arena *arena)
{
	struct found *found = context;
	struct slice id = member_text(saga, "id", arena);
	struct slice status = member_text(saga, "status", arena);

	found->n++;
	if (found->cli->json)
		printf("%.*s\n", SLICE_ARG(saga.text));
	else if (!found->cli->quiet)
		printf("%.*s %.*s\n", SLICE_ARG(id), SLICE_ARG(status));
	return true;
}

static uint64_t limit_of(const struct cli *cli)
{
	int64_t limit = options_number(cli->options, "limit");

	return limit ? (uint64_t)limit : FOUND_MAX;
}

static enum exit_code run_dry(struct remote *remote)
{
	struct found found = {.cli = remote->cli};
	const struct filter_walk walk = {
		.row = tell_row, .context = &found, .limit = limit_of(remote->cli)};
	enum exit_code code = filter_each(remote, &walk);

	if (!code && !found.cli->quiet)
		fprintf(stderr, "%zu saga%s %s; nothing was done\n", found.n,
			found.n == 1 ? "" : "s", found.n == 1 ? "fits" : "fit");
	return code;
}

/* What it is about to be done to, before anybody says yes. */
static void show_some(const struct found *found)
{
	enum { SHOWN_MAX = 10 };

	for (size_t i = 0; i < found->n && i < SHOWN_MAX; i++)
		fprintf(stderr, "  %s\n", found->ids[i]);
	if (found->n > SHOWN_MAX)
		fprintf(stderr, "  and %zu more; --dry-run shows them all\n",
			found->n - SHOWN_MAX);
}

/* EXIT_DONE: yes. */
static enum exit_code confirm(const struct cli *cli, const struct found *found)
{
	char answer[16] = "";
	size_t n = found->n;

	if (options_bool(cli->options, "yes"))
		return EXIT_DONE;
	if (!isatty(STDIN_FILENO)) {
		complain(cli,
			 "%zu sagas fit; say --yes to %s them, since nobody can be asked here",
			 n, cli->subcommand->name);
		return EXIT_FAILED;
	}
	show_some(found);
	fprintf(stderr, "%s %zu saga%s? [y/N] ", cli->subcommand->name, n, n == 1 ? "" : "s");
	if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return EXIT_DONE;
	complain(cli, "nothing was done");
	return EXIT_FAILED;
}

/* How it went, of more than what can be seen at a glance. */
static void sum_up(const struct operating *operating, size_t n)
{
	const struct cli *cli = operating->remote->cli;
	uint64_t left = n - operating->n_done - operating->n_refused - operating->n_failed;

	if (cli->quiet)
		return;
	fprintf(stderr, "%s: %" PRIu64 " done, %" PRIu64 " refused, %" PRIu64 " failed",
		cli->subcommand->name, operating->n_done, operating->n_refused,
		operating->n_failed);
	if (left)
		fprintf(stderr, ", %" PRIu64 " not tried; the same command again is safe",
			left);
	fputc('\n', stderr);
}

static enum exit_code operate_on_filter(struct operating *operating)
{
	const struct cli *cli = operating->remote->cli;
	struct found found = {.cli = cli};
	const struct filter_walk walk = {
		.row = keep_id, .context = &found, .limit = limit_of(cli)};
	enum exit_code code = filter_each(operating->remote, &walk);

	if (!code && found.nomem)
		code = complain_err(cli, ERR_NOMEM);
	if (code)
		return code;
	if (found.n == 0) {
		if (!cli->quiet)
			fputs("no sagas fit\n", stderr);
		return EXIT_DONE;
	}
	code = confirm(cli, &found);
	if (code)
		return code;
	for (size_t i = 0; i < found.n && operating->code != EXIT_UNREACHABLE; i++)
		operate(operating, found.ids[i]);
	sum_up(operating, found.n);
	return operating->code;
}

/* --- the command line ------------------------------------------------------------- */

static enum exit_code check_args(const struct cli *cli, const struct operation_kind *kind,
				 bool by_filter)
{
	size_t n = cli->options->n_args;

	if (by_filter && n)
		return complain_usage(cli, "give IDs or a filter, not both");
	if (!by_filter && !kind->step_needed &&
	    (options_given(cli->options, "dry-run") || options_given(cli->options, "limit")))
		return complain_usage(cli, "--dry-run and --limit go with a filter such as "
					   "--status");
	if (!by_filter && !n)
		return complain_usage(cli, "give the ID of a saga%s",
				      kind->step_needed ? ""
							: ", or a filter such as --status");
	if (kind->step_needed && n != 2)
		return complain_usage(cli, "give the ID of a saga and the STEP to skip");
	if (kind->step && n > 2)
		return complain_usage(cli, "give one ID, and at most one STEP");
	if (!kind->step && !kind->several && n > 1)
		return complain_usage(cli, "give one ID");
	if (kind->reason_needed && !options_given(cli->options, "reason"))
		return complain_usage(cli, "say why with --reason: nothing is undone, and "
					   "somebody will ask");
	return EXIT_DONE;
}

static enum exit_code run(struct cli *cli)
{
	const struct operation_kind *kind = find_kind(cli);
	bool by_filter = !kind->step_needed && filter_given(cli->options);
	enum exit_code code = check_args(cli, kind, by_filter);
	struct bytes body = BYTES(SIZE_MAX / 2, cli->arena);
	struct remote remote;
	struct operating operating = {.remote = &remote, .kind = kind};

	if (!code && by_filter)
		code = filter_check(cli);
	if (!code)
		code = make_body(cli,
				 kind->step && cli->options->n_args == 2 ? cli->options->args[1]
									 : NULL,
				 &body);
	if (!code)
		code = remote_open(cli, &remote);
	if (code)
		return code;
	operating.body = bytes_slice(&body);
	if (by_filter && options_bool(cli->options, "dry-run"))
		code = run_dry(&remote);
	else
		code = by_filter ? operate_on_filter(&operating) : operate_on_ids(&operating);
	remote_close(&remote);
	return code;
}

static const struct option options[] = {
	{.name = "reason",
	 .letter = 'r',
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .help = "why; it stands in the timeline"},
	FILTER_OPTIONS,
	{.name = "yes",
	 .letter = 'y',
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "do not ask before doing it to all sagas that fit"},
	{.name = "dry-run",
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "show the sagas that fit, and do nothing"},
	{.name = "limit",
	 .letter = 'n',
	 .type = OPTION_INTEGER,
	 .flag_only = true,
	 .min = 1,
	 .max = FOUND_MAX,
	 .help = "to no more than so many that fit, the newest first; at most and otherwise "
		 "1,000,000"},
};

static const struct option skip_options[] = {
	{.name = "reason",
	 .letter = 'r',
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .help = "why; it stands in the timeline"},
	{.name = "output",
	 .letter = 'o',
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .max = 1024 * 1024,
	 .argument = "JSON",
	 .help = "what the step's output is to be; @FILE for a file, - for standard input"},
};

#define OWN(table)                                     \
	{                                              \
		table, sizeof(table) / sizeof *(table) \
	}
#define COMMON                                   \
	{                                        \
		common_options, N_REMOTE_OPTIONS \
	}

static const char cancel_manual[] =
	"Turns a saga back: what was done is undone, and it ends compensated. Past the\n"
	"point of no return that is refused (exit 7), since nothing turns back there.";

const struct subcommand subcommand_cancel = {
	.name = "cancel",
	.brief = "turn sagas back",
	.usage = {"skald cancel", "[ID...]", cancel_manual, OWN(options), COMMON},
	.run = run,
};

static const char undo_manual[] =
	"Undoes a saga that is completed, where it has no pivot. Others are refused\n"
	"(exit 7).";

const struct subcommand subcommand_undo = {
	.name = "undo",
	.brief = "undo completed sagas",
	.usage = {"skald undo", "[ID...]", undo_manual, OWN(options), COMMON},
	.run = run,
};

static const char pause_manual[] =
	"Keeps a saga from sending anything new until it is resumed. Answers to what was\n"
	"sent are still taken, and its deadline goes on.";

const struct subcommand subcommand_pause = {
	.name = "pause",
	.brief = "keep sagas from sending anything new",
	.usage = {"skald pause", "[ID...]", pause_manual, OWN(options), COMMON},
	.run = run,
};

static const char resume_manual[] = "Lets a saga that was paused go on.";

const struct subcommand subcommand_resume = {
	.name = "resume",
	.brief = "let paused sagas go on",
	.usage = {"skald resume", "[ID...]", resume_manual, OWN(options), COMMON},
	.run = run,
};

static const char retry_manual[] =
	"Tries again what is parked: the STEP, or all of a saga. What was refused is\n"
	"asked anew, so that the service decides again. A step that waits for its next\n"
	"attempt is tried at once. A step of an `each` is named with its element, from\n"
	"0 on, as in reserve#2.";

const struct subcommand subcommand_retry = {
	.name = "retry",
	.brief = "try parked steps again",
	.usage = {"skald retry", "[ID [STEP]]", retry_manual, OWN(options), COMMON},
	.run = run,
};

static const char skip_manual[] =
	"Goes on without a step that is parked, or without its undo. A step that was\n"
	"sent may have happened all the same: should the saga turn back, it is undone.\n"
	"A step of an `each` is named with its element, from 0 on, as in reserve#2.\n"
	"\n"
	"  skald skip order-17 notify --reason 'told by phone'";

const struct subcommand subcommand_skip = {
	.name = "skip",
	.brief = "go on without a parked step",
	.usage = {"skald skip", "ID STEP", skip_manual, OWN(skip_options), COMMON},
	.run = run,
};

static const char kill_manual[] =
	"Ends a saga as it is. Nothing is undone: what was done stays, and whoever kills\n"
	"it has to put things right by hand. The reason is written down.";

const struct subcommand subcommand_kill = {
	.name = "kill",
	.brief = "end a saga as it is, without undoing anything",
	.usage = {"skald kill", "[ID]", kill_manual, OWN(options), COMMON},
	.run = run,
};

/* skald reconcile */
#include "cli/filter.h"
#include "cli/members.h"
#include "cli/remote.h"

#include <inttypes.h>
#include <stdio.h>

static const char manual[] =
	"Holds the orchestrator's record of every saga against what the services that took\n"
	"part remember of it (their barriers), and prints each difference: what is done\n"
	"there for a saga that is not known here, what the record says is done and is not,\n"
	"what is undone here and not there, refused here and done there. Nothing is\n"
	"changed. It can run while sagas do: what moves is looked at again, and only what\n"
	"differs at rest, at three looks, is told.\n"
	"\n"
	"The exit code is 1 where there is a difference, and where a service could not be\n"
	"asked: it is not connected, does not answer, or is older than the question. With\n"
	"--json a line for each difference and each such service, and a summary at the end.\n"
	"\n"
	"What is done for a saga that is not known has no name, and is not looked for with\n"
	"--saga.\n"
	"\n"
	"  skald reconcile\n"
	"  skald reconcile --saga order --since 24h --json";

static const struct option options[] = {
	{.name = "saga",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .argument = "NAME",
	 .help = "sagas of this name alone"},
	{.name = "since",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .argument = "TIME",
	 .help = "sagas started at this time or later; 15m, 24h or 7d is so long ago"},
};

/* What the stream has told so far. */
struct reconciling {
	const struct cli *cli;
	bool ended;
	bool differs; /* or something could not be looked at */
};

static void print_difference(const struct reconciling *reconciling, struct json data,
			     struct arena *arena)
{
	struct slice step = member_text(data, "step", arena);
	struct slice participant = member_text(data, "participant", arena);
	struct slice code = member_text(data, "difference", arena);
	struct slice id = member_text(data, "id", arena);
	struct slice detail = member_text(data, "detail", arena);

	printf("%.*s%s%.*s%s%.*s: %.*s: %.*s\n", SLICE_ARG(id), step.len ? " " : "",
	       SLICE_ARG(step), participant.len ? " at " : "", SLICE_ARG(participant),
	       SLICE_ARG(code), SLICE_ARG(detail));
}

/* "3 commands ..."; nothing where there is none. */
static void print_count(struct json data, const char *name, const char *one, const char *many,
			const char *behind)
{
	int64_t n = member_number(data, name);

	if (n)
		printf("%" PRId64 " %s %s\n", n, n == 1 ? one : many, behind);
}

static void print_summary(struct json data)
{
	int64_t n = member_number(data, "differences");
	int64_t n_asked = member_number(data, "participants") -
			  member_number(data, "participants_unasked");

	if (!n)
		printf("no difference: ");
	else
		printf("%" PRId64 " difference%s: ", n, n == 1 ? "" : "s");
	printf("compared %" PRId64 " commands of %" PRId64 " sagas, and %" PRId64
	       " records of %" PRId64 " services\n",
	       member_number(data, "commands"), member_number(data, "sagas"),
	       member_number(data, "records"), n_asked);
	print_count(data, "participants_unasked", "service", "services",
		    "could not be asked: see above");
	print_count(data, "unasked", "command", "commands",
		    "could not be compared for that reason");
	print_count(data, "forgotten", "command", "commands",
		    "not compared: older than what the service remembers");
	print_count(data, "removed", "effect", "effects",
		    "of sagas that may have been here and were removed since");
	print_count(data, "moving", "command", "commands",
		    "not compared, as the saga moved all the while: run it again");
}

static bool on_event(void *context, struct slice name, struct json data)
{
	struct reconciling *reconciling = context;
	struct arena arena = {0};
	struct slice who = member_text(data, "participant", &arena);
	struct slice detail = member_text(data, "detail", &arena);
	bool last = slice_is(name, "summary") || slice_is(name, "failed");

	reconciling->ended = reconciling->ended || last;
	reconciling->differs = reconciling->differs || !slice_is(name, "summary");
	if (reconciling->cli->json)
		printf("%.*s\n", SLICE_ARG(data.text));
	if (slice_is(name, "failed"))
		complain(reconciling->cli, "it could not go on: %.*s", SLICE_ARG(detail));
	else if (slice_is(name, "unasked"))
		complain(reconciling->cli, "%.*s could not be asked: %.*s", SLICE_ARG(who),
			 SLICE_ARG(detail));
	else if (slice_is(name, "difference") && !reconciling->cli->json)
		print_difference(reconciling, data, &arena);
	else if (last && !reconciling->cli->json && !reconciling->cli->quiet)
		print_summary(data);
	arena_release(&arena);
	return !last;
}

/* NULL: it is too long. */
static const char *make_path(const struct cli *cli)
{
	static const char *const names[] = {"saga", "since"};
	struct bytes path = BYTES(REMOTE_PATH_MAX, cli->arena);

	bytes_text(&path, "/v1/reconcile");
	for (size_t i = 0, n = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = options_text(cli->options, names[i]);

		if (!value)
			continue;
		bytes_text(&path, n++ ? "&" : "?");
		bytes_text(&path, names[i]);
		bytes_text(&path, "=");
		remote_escape(&path, slice_of(value));
	}
	bytes_add(&path, '\0');
	return path.err ? NULL : path.at;
}

static enum exit_code run(struct cli *cli)
{
	struct reconciling reconciling = {.cli = cli};
	struct remote_stream stream = {
		.path = make_path(cli), .event = on_event, .context = &reconciling};
	struct remote_answer answer = {0};
	struct remote remote;
	enum stream_end end;
	enum exit_code code;

	if (!stream.path)
		return complain_err(cli, ERR_TOO_LARGE);
	code = filter_check_time(cli, "since");
	if (code)
		return code;
	code = remote_open(cli, &remote);
	if (code)
		return code;
	end = remote_stream(&remote, &stream, cli->arena, &answer);
	if (end == STREAM_REFUSED || end == STREAM_BROKEN) {
		remote_complain(&remote, &answer, NULL);
		code = answer.code;
	} else if (!reconciling.ended) {
		complain(cli, "the server went away before it was at the end; run it again");
		code = EXIT_FAILED;
	} else if (reconciling.differs) {
		code = EXIT_FAILED;
	}
	remote_close(&remote);
	return code;
}

const struct subcommand subcommand_reconcile = {
	.name = "reconcile",
	.brief = "hold the record against what the services remember",
	.usage =
		{
			.program = "skald reconcile",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_REMOTE_OPTIONS},
		},
	.run = run,
};

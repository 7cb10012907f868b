/* skald show, and skald watch */
#include "base/clock.h"
#include "cli/members.h"
#include "cli/saga_view.h"
#include "cli/spans.h"
#include "orchestrator/core/saga.h"

#include <stdio.h>
#include <time.h>

/* --- show ------------------------------------------------------------------------- */

static const char show_manual[] =
	"Shows a saga: what it is in and why, its steps as a picture with the state of\n"
	"each, what happened since its start, and what a person can do where one is\n"
	"waited for. What its definition masks in the input is not shown.\n"
	"\n"
	"  skald show order-17\n"
	"  skald show order-17 --json | jq '.steps[] | {name, state}'";

static enum exit_code print_saga(struct remote *remote, const char *id, struct arena *arena,
				 struct bytes *out, struct slice *status)
{
	const struct cli *cli = remote->cli;
	const char *path = remote_saga_path(arena, id, "");
	struct definition *definition = NULL;
	struct json saga;
	enum exit_code code;
	enum err err;

	if (!path)
		return complain_err(cli, ERR_NOMEM);
	code = remote_call(remote, "GET", path, (struct slice){0}, arena, &saga);
	if (code)
		return code;
	*status = member_text(saga, "status", arena);
	if (cli->json) {
		bytes_append(out, saga.text);
		bytes_add(out, '\n');
		return out->err ? complain_err(cli, out->err) : EXIT_DONE;
	}
	saga_view_definition(remote, saga, arena, &definition);
	err = saga_view_write(&cli->out, saga, definition, clock_now_ms(clock_system()), arena,
			      out);
	definition_free(definition);
	return err ? complain_err(cli, err) : EXIT_DONE;
}

static enum exit_code run_show(struct cli *cli)
{
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);
	struct remote remote;
	struct slice status;
	enum exit_code code;

	if (cli->options->n_args != 1)
		return complain_usage(cli, "give the ID of one saga");
	code = remote_open(cli, &remote);
	if (code)
		return code;
	code = print_saga(&remote, cli->options->args[0], cli->arena, &out, &status);
	remote_close(&remote);
	if (!code)
		print_bytes(&out);
	return code;
}

const struct subcommand subcommand_show = {
	.name = "show",
	.brief = "show one saga: its steps and what happened",
	.usage = {.program = "skald show",
		  .arguments = "ID",
		  .summary = show_manual,
		  .common = {common_options, N_REMOTE_OPTIONS}},
	.run = run_show,
};

/* --- watch ------------------------------------------------------------------------ */

static const char watch_manual[] =
	"Shows what happens while it happens: of the saga ID until it has ended, or of\n"
	"all sagas until it is interrupted. For one saga on a terminal it is the view\n"
	"of `skald show`, drawn again at every change; elsewhere a line for each entry\n"
	"of the timeline. With --json every change is one object: the saga as `ls` has\n"
	"it, and the new `entries` of its timeline.\n"
	"\n"
	"  skald watch order-17\n"
	"  skald watch --saga order --json";

static const struct option watch_options[] = {
	{.name = "saga",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .argument = "NAME",
	 .help = "sagas of this name; without an ID"},
};

struct watching {
	struct remote *remote;
	struct remote drawer; /* asks for the whole saga while the stream goes on */
	const char *id;       /* NULL: all */
	bool picture;
	char last[32]; /* status of the one saga */
	uint64_t revision;
	uint64_t n_told; /* entries of the one saga's timeline */
	bool failed;
};

/* A stream that was begun again tells everything once more. Where the timeline is
 * long, entries behind the first were dropped: they count as told. */
static bool was_told(struct watching *watching, bool whole, uint64_t index, uint64_t folded)
{
	if (!whole) {
		watching->n_told++;
		return false;
	}
	if (index > 0)
		index += folded;
	if (index < watching->n_told)
		return true;
	watching->n_told = index + 1;
	return false;
}

static void print_entries(struct watching *watching, bool whole, struct json data,
			  struct arena *arena)
{
	uint64_t folded = (uint64_t)member_number(data, "timeline_folded"), index = 0;
	struct json_each each = json_each(member_json(data, "entries"));
	struct bytes out = BYTES(SIZE_MAX / 2, arena);
	struct slice id = member_text(data, "id", arena);

	while (json_next(&each)) {
		char time[TIME_TEXT_SIZE];

		if (watching->id && was_told(watching, whole, index++, folded))
			continue;
		if (watching->id) {
			saga_view_entry(&watching->remote->cli->out, each.value,
					member_time(data, "started_at"), arena, &out);
			continue;
		}
		time_format(member_time(each.value, "at"), time);
		bytes_text(&out, time);
		bytes_add(&out, ' ');
		bytes_append(&out, id);
		bytes_add(&out, ' ');
		bytes_append(&out, member_text(each.value, "text", arena));
		bytes_add(&out, '\n');
	}
	print_bytes(&out);
}

static void draw_picture(struct watching *watching, struct arena *arena)
{
	struct bytes out = BYTES(SIZE_MAX / 2, arena);
	struct slice status;

	if (print_saga(&watching->drawer, watching->id, arena, &out, &status)) {
		watching->failed = true;
		return;
	}
	/* From the top of an empty screen. */
	fputs("\033[H\033[2J", stdout);
	print_bytes(&out);
}

/* What a stream that was begun again tells first was told before. */
static bool is_news(struct watching *watching, struct json data)
{
	uint64_t revision = (uint64_t)member_number(data, "revision");

	if (!watching->id)
		return true;
	if (revision <= watching->revision)
		return false;
	watching->revision = revision;
	return true;
}

static bool on_event(void *context, struct slice name, struct json data)
{
	struct watching *watching = context;
	struct arena arena = {0};
	struct slice status;

	if (!slice_is(name, "saga") && !slice_is(name, "change"))
		return true;
	status = member_text(data, "status", &arena);
	if (watching->id)
		snprintf(watching->last, sizeof watching->last, "%.*s", SLICE_ARG(status));
	if (is_news(watching, data)) {
		if (watching->remote->cli->json)
			printf("%.*s\n", SLICE_ARG(data.text));
		else if (watching->picture)
			draw_picture(watching, &arena);
		else
			print_entries(watching, slice_is(name, "saga"), data, &arena);
		fflush(stdout);
	}
	arena_release(&arena);
	return !watching->failed && !ferror(stdout);
}

static bool is_over(const struct watching *watching)
{
	static const char *const ends[] = {"completed", "compensated", "killed"};

	for (size_t i = 0; watching->id && i < sizeof ends / sizeof *ends; i++) {
		if (strcmp(watching->last, ends[i]) == 0)
			return true;
	}
	return false;
}

/* A server that goes away may come back. */
static bool try_again(const struct remote *remote, int *n_failures)
{
	enum { FAILURES_MAX = 20 };
	const struct timespec pause = {0, 500 * 1000 * 1000};

	if (*n_failures == 0 && !remote->cli->quiet)
		complain(remote->cli, "the stream was cut off; asking again");
	nanosleep(&pause, NULL);
	return ++*n_failures <= FAILURES_MAX;
}

static enum exit_code watch(struct watching *watching, const char *path)
{
	const struct remote_stream stream = {
		.path = path, .event = on_event, .context = watching};
	struct remote *remote = watching->remote;
	struct remote_answer answer = {0};
	int n_failures = 0;
	bool begun = false;

	for (;;) {
		switch (remote_stream(remote, &stream, remote->cli->arena, &answer)) {
		case STREAM_ENOUGH: return watching->failed ? EXIT_FAILED : EXIT_DONE;
		case STREAM_OVER:
			begun = true;
			n_failures = 0;
			break;
		case STREAM_REFUSED:
			if (begun && answer.code == EXIT_FAILED) /* it starts or stops */
				break;
			remote_complain(remote, &answer, NULL);
			return answer.code;
		case STREAM_TIMED_OUT:
		case STREAM_BROKEN:
			if (begun)
				break;
			remote_complain(remote, &answer, NULL);
			return answer.code;
		}
		if (is_over(watching))
			return EXIT_DONE;
		if (!try_again(remote, &n_failures)) {
			remote_complain(remote, &answer, NULL);
			return EXIT_UNREACHABLE;
		}
	}
}

static enum exit_code start_watching(struct cli *cli, struct watching *watching)
{
	struct bytes path = BYTES(REMOTE_PATH_MAX, cli->arena);
	const char *saga = options_text(cli->options, "saga");

	if (watching->id) {
		const char *of_one = remote_saga_path(cli->arena, watching->id, "/events");

		return of_one ? watch(watching, of_one) : complain_err(cli, ERR_NOMEM);
	}
	bytes_text(&path, "/v1/events");
	if (saga) {
		bytes_text(&path, "?saga=");
		remote_escape(&path, slice_of(saga));
	}
	bytes_add(&path, '\0');
	return path.err ? complain_err(cli, path.err) : watch(watching, path.at);
}

static enum exit_code run_watch(struct cli *cli)
{
	struct remote remote;
	struct watching watching = {.remote = &remote};
	enum exit_code code;

	if (cli->options->n_args > 1)
		return complain_usage(cli, "give the ID of one saga, or none for all");
	if (cli->options->n_args == 1)
		watching.id = cli->options->args[0];
	if (watching.id && options_given(cli->options, "saga"))
		return complain_usage(cli, "give an ID or --saga, not both");
	watching.picture = watching.id && cli->out.is_terminal && !cli->json;
	code = remote_open(cli, &remote);
	if (code)
		return code;
	code = remote_open(cli, &watching.drawer);
	if (!code)
		code = start_watching(cli, &watching);
	remote_close(&watching.drawer);
	remote_close(&remote);
	return code;
}

const struct subcommand subcommand_watch = {
	.name = "watch",
	.brief = "watch one saga, or all of them",
	.usage = {.program = "skald watch",
		  .arguments = "[ID]",
		  .summary = watch_manual,
		  .own = {watch_options, sizeof watch_options / sizeof *watch_options},
		  .common = {common_options, N_REMOTE_OPTIONS}},
	.run = run_watch,
};

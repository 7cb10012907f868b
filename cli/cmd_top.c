/* skald top */
#include "base/clock.h"
#include "base/json_line.h"
#include "cli/columns.h"
#include "cli/members.h"
#include "cli/remote.h"
#include "cli/saga_view.h"
#include "cli/spans.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const char manual[] =
	"Shows how the server is doing, again and again until it is interrupted: how\n"
	"many sagas are in which status, how many begin and end in a second, the\n"
	"services, and the sagas that wait for a person and those that began last. On\n"
	"a terminal the view is drawn again; with --json every look is one object.\n"
	"\n"
	"  skald top\n"
	"  skald top --count 1 --json";

enum { LISTED = 10, FAILURES_MAX = 20, INTERVAL_MAX_S = 3600 };

static const struct option options[] = {
	{.name = "interval",
	 .letter = 'i',
	 .type = OPTION_INTEGER,
	 .flag_only = true,
	 .initial = "1",
	 .min = 1,
	 .max = INTERVAL_MAX_S,
	 .argument = "SECONDS",
	 .help = "look so often"},
	{.name = "count",
	 .letter = 'c',
	 .type = OPTION_INTEGER,
	 .flag_only = true,
	 .min = 1,
	 .help = "stop after so many looks"},
};

/* --- a look ------------------------------------------------------------------------- */

/* What the engine had counted, and when. */
struct tally {
	int64_t at_ms;
	int64_t started, ended, events;
};

struct look {
	struct arena *arena; /* as long as it */
	struct json stats, parked, running;
	struct tally tally;
	bool has_rates; /* this is not the first one */
	double rates[3];
};

enum { STARTED, ENDED, EVENTS };
static const char *const rate_names[] = {"started_per_s", "ended_per_s", "events_per_s"};

static enum exit_code ask(struct remote *remote, struct look *look)
{
	char path[128];
	struct slice none = {0};
	enum exit_code code =
		remote_call(remote, "GET", "/v1/stats", none, look->arena, &look->stats);

	snprintf(path, sizeof path, "/v1/sagas?status=parked&limit=%d", LISTED);
	if (!code)
		code = remote_call(remote, "GET", path, none, look->arena, &look->parked);
	snprintf(path, sizeof path, "/v1/sagas?status=running,compensating&limit=%d", LISTED);
	if (!code)
		code = remote_call(remote, "GET", path, none, look->arena, &look->running);
	return code;
}

/* What has begun and is not there any more has ended. */
static void count(struct look *look)
{
	struct json engine = member_json(look->stats, "engine");

	look->tally = (struct tally){
		.at_ms = clock_monotonic_ms(clock_system()),
		.started = member_number(engine, "started"),
		.ended = member_number(engine, "started") - member_number(engine, "live"),
		.events = member_number(engine, "events"),
	};
}

/* Nothing is said of a time in which the server was begun anew. */
static void find_rates(struct look *look, const struct tally *before)
{
	const struct tally *now = &look->tally;
	double seconds = (double)(now->at_ms - before->at_ms) / 1000;

	if (!before->at_ms || now->events < before->events || seconds <= 0)
		return;
	look->has_rates = true;
	look->rates[STARTED] = (double)(now->started - before->started) / seconds;
	look->rates[ENDED] = (double)(now->ended - before->ended) / seconds;
	look->rates[EVENTS] = (double)(now->events - before->events) / seconds;
}

/* --- showing it --------------------------------------------------------------------- */

static void write_json(const struct look *look, struct bytes *out)
{
	json_begin(out);
	json_add_time(out, "at", clock_now_ms(clock_system()));
	json_add_json(out, "sagas", member_json(look->stats, "sagas").text);
	json_add_json(out, "participants", member_json(look->stats, "participants").text);
	for (int i = 0; i <= EVENTS; i++) {
		char text[64];

		snprintf(text, sizeof text, "%.1f", look->rates[i]);
		json_add_json(out, rate_names[i],
			      look->has_rates ? slice_of(text) : (struct slice){0});
	}
	json_add_json(out, "parked", member_json(look->parked, "sagas").text);
	json_add_json(out, "running", member_json(look->running, "sagas").text);
	json_end_line(out);
}

static void write_counts(const struct look *look, struct bytes *out)
{
	struct json_each each = json_each(member_json(look->stats, "sagas"));

	while (json_next(&each)) {
		struct slice name = {0};

		if (json_text(each.name, look->arena, &name))
			bytes_append(out, name);
		bytes_add(out, ' ');
		bytes_append(out, each.value.text);
		bytes_text(out, "  ");
	}
	bytes_add(out, '\n');
	if (look->has_rates)
		bytes_format(out, "a second: %.1f begin, %.1f end, %.1f events\n",
			     look->rates[STARTED], look->rates[ENDED], look->rates[EVENTS]);
}

static enum err write_services(const struct cli *cli, const struct look *look,
			       struct bytes *out)
{
	static const char *const titles[] = {"SERVICE", "CONNECTED", "IN FLIGHT", "HELD"};
	struct columns table = {.arena = look->arena, .titles = titles, .n_columns = 4};
	struct json_each each = json_each(member_json(look->stats, "participants"));

	while (json_next(&each)) {
		struct json connected = member_json(each.value, "connected");
		bool gone = slice_is(connected.text, "0");
		struct cell_text cells[COLUMNS_MAX] = {
			{{0}, gone ? TONE_RED : TONE_BOLD},
			{connected.text, gone ? TONE_RED : TONE_PLAIN},
			{member_json(each.value, "inflight").text, TONE_PLAIN},
			{member_json(each.value, "held").text, TONE_PLAIN}};

		if (!json_text(each.name, look->arena, &cells[0].text))
			return ERR_NOMEM;
		columns_add(&table, cells);
	}
	if (!table.n_rows)
		return OK;
	bytes_add(out, '\n');
	return columns_write(&table, &cli->out, out);
}

static void add_rows(struct columns *table, struct json page, struct arena *arena)
{
	struct json_each each = json_each(member_json(page, "sagas"));
	int64_t now_ms = clock_now_ms(clock_system());

	while (json_next(&each)) {
		struct slice status = member_text(each.value, "status", arena), age = {0};
		char span[SPAN_TEXT_SIZE];

		span_format(now_ms - member_time(each.value, "started_at"), span);
		table->nomem |= !arena_copy(arena, slice_of(span), &age);
		columns_add(table,
			    (struct cell_text[COLUMNS_MAX]){
				    {member_text(each.value, "id", arena), TONE_BOLD},
				    {member_text(each.value, "saga", arena), TONE_PLAIN},
				    {status, status_tone(status)},
				    {member_text(each.value, "step", arena), TONE_PLAIN},
				    {age, TONE_PLAIN},
				    {member_text(each.value, "reason", arena), TONE_DIM}});
	}
}

static enum err write_sagas(const struct cli *cli, const struct look *look, struct bytes *out)
{
	static const char *const titles[] = {"ID", "SAGA", "STATUS", "STEP", "AGE", "REASON"};
	struct columns table = {.arena = look->arena, .titles = titles, .n_columns = 6};

	add_rows(&table, look->parked, look->arena);
	add_rows(&table, look->running, look->arena);
	if (!table.n_rows)
		return OK;
	bytes_add(out, '\n');
	return columns_write(&table, &cli->out, out);
}

static enum exit_code show(const struct cli *cli, const struct look *look)
{
	struct bytes out = BYTES(SIZE_MAX / 2, look->arena);
	enum err err = OK;

	if (cli->json) {
		write_json(look, &out);
	} else {
		write_counts(look, &out);
		err = write_services(cli, look, &out);
		if (!err)
			err = write_sagas(cli, look, &out);
	}
	if (err || out.err)
		return complain_err(cli, err ? err : out.err);
	if (cli->out.is_terminal && !cli->json)
		fputs("\033[H\033[2J", stdout); /* from the top of an empty screen */
	print_bytes(&out);
	fflush(stdout);
	return EXIT_DONE;
}

/* --- the command -------------------------------------------------------------------- */

/* A server that goes away may come back. */
static bool is_worth_waiting(enum exit_code code, int64_t n_looks, int *n_failures)
{
	return code == EXIT_UNREACHABLE && n_looks > 0 && ++*n_failures <= FAILURES_MAX;
}

static enum exit_code keep_looking(struct remote *remote)
{
	const struct cli *cli = remote->cli;
	const struct timespec pause = {options_number(cli->options, "interval"), 0};
	int64_t most = options_number(cli->options, "count"), n = 0;
	struct arena arena = {0};
	struct tally before = {0};
	enum exit_code code = EXIT_DONE;
	int n_failures = 0;

	for (;;) {
		struct look look = {.arena = &arena};

		arena_reset(&arena);
		code = ask(remote, &look);
		if (!code) {
			n_failures = 0;
			count(&look);
			find_rates(&look, &before);
			before = look.tally;
			code = show(cli, &look);
			n++;
		}
		if ((code && !is_worth_waiting(code, n, &n_failures)) || ferror(stdout) ||
		    (most && n >= most))
			break;
		nanosleep(&pause, NULL);
	}
	arena_release(&arena);
	return code;
}

static enum exit_code run(struct cli *cli)
{
	struct remote remote;
	enum exit_code code = remote_open(cli, &remote);

	if (code)
		return code;
	code = keep_looking(&remote);
	remote_close(&remote);
	return code;
}

const struct subcommand subcommand_top = {
	.name = "top",
	.brief = "watch how the server is doing",
	.usage = {.program = "skald top",
		  .summary = manual,
		  .own = {options, sizeof options / sizeof *options},
		  .common = {common_options, N_REMOTE_OPTIONS}},
	.run = run,
};

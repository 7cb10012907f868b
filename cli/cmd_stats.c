/* skald stats */
#include "base/clock.h"
#include "cli/columns.h"
#include "cli/members.h"
#include "cli/remote.h"
#include "cli/saga_view.h"
#include "cli/spans.h"

#include <stdio.h>

static const char manual[] =
	"Shows how many sagas are in which status, how many began and ended in the last\n"
	"minute and how long they took, the services that are known with their processes,\n"
	"the commands under way and how long answers took, and what the server has done\n"
	"since it was started. Commands are held where a service has no process or no\n"
	"room, or where its limits keep them back (see `skald help serve`), as an open\n"
	"breaker does.\n"
	"\n"
	"Sagas are counted in the store. Where several orchestrators share it, they are\n"
	"listed with the shards that each has, and how long it has had all of these;\n"
	"services and work are those of the one that was asked.";

static void add_heading(struct bytes *out, const char *text)
{
	if (out->len)
		bytes_add(out, '\n');
	bytes_text(out, text);
	bytes_add(out, '\n');
}

/* Two columns: the names of an object's members, and their numbers. */
static enum err write_numbers(const struct cli *cli, struct json object, struct bytes *out)
{
	struct columns table = {.arena = cli->arena, .n_columns = 2};
	struct json_each each = json_each(object);

	while (json_next(&each)) {
		struct cell_text cells[COLUMNS_MAX] = {{{0}, TONE_PLAIN},
						       {each.value.text, TONE_PLAIN}};

		if (!json_text(each.name, cli->arena, &cells[0].text))
			return ERR_NOMEM;
		if (!slice_is(each.value.text, "0"))
			cells[0].tone = cells[1].tone = status_tone(cells[0].text);
		columns_add(&table, cells);
	}
	return columns_write(&table, &cli->out, out);
}

static enum tone breaker_tone(struct slice breaker)
{
	if (slice_is(breaker, "open"))
		return TONE_RED;
	return slice_is(breaker, "half-open") ? TONE_YELLOW : TONE_PLAIN;
}

/* "12ms"; "-" where nothing ended. */
static struct slice took(struct arena *arena, struct json of, const char *name)
{
	char span[SPAN_TEXT_SIZE];
	struct slice copy;

	if (json_type(member_json(of, name)) != JSON_NUMBER)
		return SLICE_LITERAL("-");
	span_format(member_number(of, name), span);
	return arena_copy(arena, slice_of(span), &copy) ? copy : SLICE_LITERAL("-");
}

/* "started 0.50/s  ended 0.50/s  p50 12ms  p99 40ms" */
static void write_pace(const struct cli *cli, struct json pace, struct bytes *out)
{
	struct slice p50 = took(cli->arena, pace, "p50_ms");
	struct slice p99 = took(cli->arena, pace, "p99_ms");

	add_heading(out, "sagas in the last minute");
	bytes_format(out, "started %.*s/s  ended %.*s/s  p50 %.*s  p99 %.*s\n",
		     SLICE_ARG(member_json(pace, "started_per_s").text),
		     SLICE_ARG(member_json(pace, "ended_per_s").text), SLICE_ARG(p50),
		     SLICE_ARG(p99));
}

static enum err write_participants(const struct cli *cli, struct json participants,
				   struct bytes *out)
{
	static const char *const titles[] = {"NAME",    "CONNECTED", "INFLIGHT", "HELD",
					     "BREAKER", "SENT/S",    "P50",      "P99"};
	struct columns table = {.arena = cli->arena, .titles = titles, .n_columns = 8};
	struct json_each each = json_each(participants);

	while (json_next(&each)) {
		struct json connected = member_json(each.value, "connected");
		struct slice breaker = member_text(each.value, "breaker", cli->arena);
		struct cell_text cells[COLUMNS_MAX] = {
			{{0}, TONE_BOLD},
			{connected.text, slice_is(connected.text, "0") ? TONE_RED : TONE_GREEN},
			{member_json(each.value, "inflight").text, TONE_PLAIN},
			{member_json(each.value, "held").text, TONE_PLAIN},
			{breaker.len ? breaker : SLICE_LITERAL("-"), breaker_tone(breaker)},
			{member_json(each.value, "sent_per_s").text, TONE_PLAIN},
			{took(cli->arena, each.value, "p50_ms"), TONE_PLAIN},
			{took(cli->arena, each.value, "p99_ms"), TONE_PLAIN},
		};

		if (!json_text(each.name, cli->arena, &cells[0].text))
			return ERR_NOMEM;
		columns_add(&table, cells);
	}
	if (!table.n_rows) {
		bytes_text(out, "no service has connected\n");
		return OK;
	}
	return columns_write(&table, &cli->out, out);
}

/* Nothing where the server is alone. */
static enum err write_orchestrators(const struct cli *cli, struct json orchestrators,
				    struct bytes *out)
{
	static const char *const titles[] = {"URL", "SHARDS", "FOR", ""};
	struct columns table = {.arena = cli->arena, .titles = titles, .n_columns = 4};
	struct json_each each = json_each(orchestrators);
	int64_t now_ms = clock_now_ms(clock_system());

	while (json_next(&each)) {
		bool here = member_bool(each.value, "here");
		char span[SPAN_TEXT_SIZE];
		struct cell_text cells[COLUMNS_MAX] = {
			{member_text(each.value, "url", cli->arena), TONE_BOLD},
			{member_json(each.value, "shards").text, TONE_PLAIN},
			{{0}, TONE_PLAIN},
			{slice_of(here ? "asked here" : ""), TONE_DIM},
		};

		span_format(now_ms - member_time(each.value, "since"), span);
		if (!arena_copy(cli->arena, slice_of(span), &cells[2].text))
			return ERR_NOMEM;
		columns_add(&table, cells);
	}
	if (!table.n_rows)
		return OK;
	add_heading(out, "orchestrators");
	return columns_write(&table, &cli->out, out);
}

static enum exit_code print_stats(const struct cli *cli, struct json stats)
{
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);
	enum err err;

	add_heading(&out, "sagas");
	err = write_numbers(cli, member_json(stats, "sagas"), &out);
	write_pace(cli, member_json(stats, "pace"), &out);
	add_heading(&out, "services");
	if (!err)
		err = write_participants(cli, member_json(stats, "participants"), &out);
	add_heading(&out, "since the server was started");
	if (!err)
		err = write_numbers(cli, member_json(stats, "engine"), &out);
	if (!err)
		err = write_orchestrators(cli, member_json(stats, "orchestrators"), &out);
	if (err || out.err)
		return complain_err(cli, err ? err : out.err);
	print_bytes(&out);
	return EXIT_DONE;
}

static enum exit_code run(struct cli *cli)
{
	struct remote remote;
	struct json stats;
	enum exit_code code = remote_open(cli, &remote);

	if (code)
		return code;
	code = remote_call(&remote, "GET", "/v1/stats", (struct slice){0}, cli->arena, &stats);
	remote_close(&remote);
	if (code)
		return code;
	if (!cli->json)
		return print_stats(cli, stats);
	printf("%.*s\n", SLICE_ARG(stats.text));
	return EXIT_DONE;
}

const struct subcommand subcommand_stats = {
	.name = "stats",
	.brief = "count sagas and look at the services",
	.usage = {.program = "skald stats",
		  .summary = manual,
		  .common = {common_options, N_REMOTE_OPTIONS}},
	.run = run,
};

/* skald stats */
#include "base/clock.h"
#include "cli/columns.h"
#include "cli/members.h"
#include "cli/remote.h"
#include "cli/saga_view.h"
#include "cli/spans.h"

#include <stdio.h>

static const char manual[] =
	"Shows how many sagas are in which status, the services that are known with their\n"
	"processes and the commands under way, and what the server has done since it was\n"
	"started. Commands are held where a service has no process or no room, or where\n"
	"its limits keep them back (see `skald help serve`), as an open breaker does.\n"
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

static enum err write_participants(const struct cli *cli, struct json participants,
				   struct bytes *out)
{
	static const char *const titles[] = {"NAME", "CONNECTED", "INFLIGHT", "HELD",
					     "BREAKER"};
	struct columns table = {.arena = cli->arena, .titles = titles, .n_columns = 5};
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

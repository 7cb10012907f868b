#include "tests/lib/yard.h"

#include "orchestrator/store/record.h"
#include "skald/sqlite.h"
#include "tests/lib/bus_pipe.h"
#include "tests/lib/desk.h"

#include <check.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

enum { BEGIN_S = 1700000000 }; /* when the clock begins, in seconds */

static const char kid_definition[] =
	"saga: kid\n"
	"version: 1.0.0\n"
	"steps:\n"
	"  - hold: { call: shelf.hold, undo: { call: shelf.let-go } }\n";

/* What a row's input may say: which command is refused, which fails for good, and for
 * which elements the shelf is asked. */
static const char line_definition[] =
	"saga: line\n"
	"version: 1.0.0\n"
	"input:\n"
	"  schema:\n"
	"    type: object\n"
	"    properties:\n"
	"      refuse: { type: string }\n"
	"      list: { type: array, items: { type: integer } }\n"
	"    required: [refuse, list]\n"
	"steps:\n"
	"  - sorry: { undo: { call: mail.sorry } }\n"
	"  - take: { call: desk.take, with: { refuse: =input.refuse }, undo: { call: desk.back "
	"} }\n"
	"  - look: { call: desk.look, kind: readonly, with: { refuse: =input.refuse } }\n"
	"  - maybe: { when: =size(input.list) > 99, call: desk.maybe, undo: { call: desk.back "
	"} "
	"}\n"
	"  - every:\n"
	"      each:\n"
	"        in: =input.list\n"
	"        as: it\n"
	"        max: 5\n"
	"        steps:\n"
	"          - pick: { call: shelf.pick, with: { n: =it, refuse: =input.refuse }, undo: {"
	" call: shelf.drop } }\n"
	"  - child: { saga: kid }\n"
	"  - stop: { await: { event: go } }\n"
	"  - pay: { kind: pivot, call: desk.pay, with: { refuse: =input.refuse } }\n"
	"  - thank: { kind: retriable, call: mail.thank, with: { refuse: =input.refuse } }\n";

static const char *const names[PLACES] = {"desk", "shelf", "mail"};

/* --- the participants --------------------------------------------------------------- */

static skald_outcome handle(const skald_command *command, skald_reply *reply, void *context)
{
	char refused[128];

	snprintf(refused, sizeof refused, "\"refuse\":\"%s\"", skald_command_name(command));
	if (strstr(skald_command_args(command), refused))
		return skald_reply_refuse(reply, "no", "not today");
	return skald_reply_ok(reply, "{}");
}

void yard_come(struct yard *yard, enum spot place)
{
	static const char *const commands[PLACES][6] = {
		{"take", "back", "look", "maybe", "pay"},
		{"pick", "drop", "hold", "let-go"},
		{"sorry", "thank"}};

	yard->ports[place] = port_pipe_open(yard->pipe, names[place], 100);
	yard->participants[place] =
		participant_open(yard->ports[place], barrier_of(yard->barriers[place]),
				 &yard->clock.base, 30 * 86400000LL);
	ck_assert(yard->participants[place]);
	for (size_t i = 0; i < 6 && commands[place][i]; i++)
		ck_assert(skald_participant_on(yard->participants[place], commands[place][i],
					       handle, NULL));
}

void yard_leave(struct yard *yard, enum spot place)
{
	skald_participant_free(yard->participants[place]);
	port_close(yard->ports[place]);
	yard->participants[place] = NULL;
}

/* --- the yard ----------------------------------------------------------------------- */

void yard_open(struct yard *yard)
{
	struct engine_parts parts;

	memset(yard, 0, sizeof *yard);
	clock_sim_init(&yard->clock, BEGIN_S * 1000LL);
	yard->wire.calls_left = -1;
	yard->vault = vault_new();
	yard->store = store_memory_open(yard->vault);
	store_tripwire_init(&yard->store_wire, yard->store, &yard->wire);
	yard->pipe = bus_pipe_new(1, (struct pipe_faults){0}, &hub_default_limits);
	yard->bus = bus_pipe_open(yard->pipe);
	parts = (struct engine_parts){.store = &yard->store_wire.base,
				      .bus = yard->bus,
				      .clock = &yard->clock.base,
				      .seed = 1};
	ck_assert_int_eq(desk_open(&parts, &yard->engine, NULL), OK);
	ck_assert_int_eq(desk_deploy_text(yard->engine, kid_definition), OK);
	ck_assert_int_eq(desk_deploy_text(yard->engine, line_definition), OK);
	for (int i = 0; i < PLACES; i++) {
		ck_assert_int_eq(sqlite3_open(":memory:", &yard->dbs[i]), SQLITE_OK);
		yard->barriers[i] = skald_sqlite_barrier(yard->dbs[i], NULL);
		yard_come(yard, (enum spot)i);
	}
}

void yard_close(struct yard *yard)
{
	reconcile_free(yard->reconcile);
	for (int i = 0; i < PLACES; i++) {
		if (yard->participants[i])
			yard_leave(yard, (enum spot)i);
		skald_barrier_free(yard->barriers[i]);
		sqlite3_close(yard->dbs[i]);
	}
	engine_close(yard->engine);
	bus_close(yard->bus);
	bus_pipe_free(yard->pipe);
	store_close(yard->store);
	vault_free(yard->vault);
	arena_release(&yard->arena);
}

/* Everybody's turn once. */
void yard_turn(struct yard *yard)
{
	size_t n;

	bus_pump(yard->bus);
	ck_assert_int_eq(engine_turn(yard->engine, &n), OK);
	bus_pump(yard->bus);
	for (int i = 0; i < PLACES; i++)
		if (yard->participants[i])
			skald_participant_poll(yard->participants[i]);
}

void yard_settle(struct yard *yard)
{
	for (int i = 0; i < 60; i++)
		yard_turn(yard);
}

void yard_start(struct yard *yard, const char *id, const char *input)
{
	struct diag diag = {""};

	ck_assert_msg(desk_start(yard->engine, "line", id, input, &diag) == OK, "%s: %s", id,
		      diag.text);
}

void yard_operate(struct yard *yard, const char *id, enum event_type type)
{
	struct event event = {.type = type,
			      .name = type == EVENT_SIGNAL ? SLICE_LITERAL("go")
							   : (struct slice){0},
			      .reason = SLICE_LITERAL("a test")};
	struct diag diag = {""};

	ck_assert_msg(desk_operate(yard->engine, slice_of(id), (struct slice){0}, &event,
				   &diag) == OK,
		      "%s", diag.text);
}

/* "d" is completed, "u" is undone by a refusal of the last step before the pivot,
 * "r" was refused at once, "w" waits for a signal. */
void yard_play(struct yard *yard)
{
	yard_start(yard, "d", "{\"refuse\":\"\",\"list\":[1,2]}");
	yard_start(yard, "u", "{\"refuse\":\"\",\"list\":[1,2]}");
	yard_start(yard, "r", "{\"refuse\":\"take\",\"list\":[]}");
	yard_start(yard, "w", "{\"refuse\":\"\",\"list\":[7]}");
	yard_settle(yard);
	yard_operate(yard, "d", EVENT_SIGNAL);
	yard_operate(yard, "u", EVENT_CANCEL);
	yard_settle(yard);
	clock_sim_advance(&yard->clock, 60000);
}

/* --- reconciling -------------------------------------------------------------------- */

static void note(struct yard *yard, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void note(struct yard *yard, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(yard->lines + yard->len, YARD_LINES_SIZE - yard->len, format, args);
	va_end(args);
	if (n > 0 && yard->len + (size_t)n < YARD_LINES_SIZE)
		yard->len += (size_t)n;
}

static void on_found(void *context, const struct finding *finding)
{
	note(context, "%.*s %.*s %.*s %s %s/%s\n", SLICE_ARG(finding->saga_id),
	     SLICE_ARG(finding->step), SLICE_ARG(finding->participant),
	     mismatch_code(finding->difference), finding->record, finding->barrier);
}

static void on_unasked(void *context, struct slice participant, const char *why)
{
	note(context, "%.*s: %s\n", SLICE_ARG(participant), why);
}

void yard_begin(struct yard *yard, const char *saga, int64_t since_ms)
{
	const struct reconcile_setup setup = {
		.engine = yard->engine,
		.store = &yard->store_wire.base,
		.bus = yard->bus,
		.clock = &yard->clock.base,
		.saga = slice_of(saga),
		.since_ms = since_ms,
		.found = on_found,
		.unasked = on_unasked,
		.context = yard,
	};

	reconcile_free(yard->reconcile);
	yard->len = 0;
	yard->lines[0] = '\0';
	yard->reconcile = reconcile_new(&setup);
	ck_assert(yard->reconcile);
}

/* Without a turn for the others. */
bool yard_go_on_alone(struct yard *yard)
{
	struct inquired inquired;
	bool more;

	while (bus_inquired(yard->bus, &inquired))
		(void)reconcile_answer(yard->reconcile, &inquired);
	more = reconcile_turn(yard->reconcile);
	if (!more)
		clock_sim_advance(&yard->clock, 10);
	return !reconcile_over(yard->reconcile, &yard->why);
}

bool yard_go_on(struct yard *yard)
{
	yard_turn(yard);
	return yard_go_on_alone(yard);
}

const char *yard_finish(struct yard *yard)
{
	int n = 0;

	while (yard_go_on(yard))
		ck_assert_int_lt(n++, YARD_TURNS_MAX);
	yard->counts = *reconcile_counts(yard->reconcile);
	return yard->lines;
}

const char *yard_reconcile(struct yard *yard)
{
	yard_begin(yard, "", 0);
	return yard_finish(yard);
}

void yard_sql(struct yard *yard, enum spot place, const char *text)
{
	char *error = NULL;

	sqlite3_exec(yard->dbs[place], text, NULL, NULL, &error);
	ck_assert_msg(!error, "%s", error);
	ck_assert_int_ge(sqlite3_changes(yard->dbs[place]), 1);
}

/* The saga's record says something else of a step; the store alone knows. */
void yard_change(struct yard *yard, const char *id, const char *step, enum step_state state)
{
	struct bytes bytes = BYTES(RECORD_BYTES_MAX, &yard->arena);
	const struct definition *definition;
	struct slice record, saga_bytes, timeline;
	const struct store_batch batch = {.number = 1};
	struct saga_write write;
	uint8_t hash[SHA256_SIZE];
	struct saga_row row;
	struct saga saga;
	uint32_t i;

	ck_assert_int_eq(store_get(yard->store, slice_of(id), &yard->arena, &row, &record), OK);
	ck_assert_int_eq(record_split(record, &saga_bytes, &timeline), OK);
	ck_assert_int_eq(saga_decode(saga_bytes, &yard->arena, &saga, hash, NULL), OK);
	definition = engine_definition_by_hash(yard->engine, hash);
	i = saga_find(definition, &saga, slice_of(step));
	ck_assert(i != NO_STEP);
	saga.steps[i].state = (uint8_t)state;
	saga.steps[i].why = state == STEP_REFUSED ? WHY_REFUSED : WHY_NOTHING;
	saga.steps[i].flags = 0;
	saga.revision++;
	record_write(&bytes, &saga, hash, timeline);
	write = (struct saga_write){.row = record_row(definition, &saga, timeline),
				    .record = bytes_slice(&bytes),
				    .before = saga.revision - 1};
	ck_assert_int_eq(store_commit(yard->store, &batch, &write, 1, NULL, 0), OK);
	ck_assert_int_eq(write.result, OK);
}

/* fuzz_stored.c - any bytes as the record of a saga in the store: whoever opens an engine
 * on it gets one that runs; the record is left out or is a saga that can be led on by
 * replies, timers, signals, operators and restarts; and another saga beside it comes to
 * its end in any case.
 *
 * The first byte says of which definition the saga is, the next two how long its bytes
 * are, in which the checksum and the hash of the definition are put right; what stands
 * behind them are moves. */
#include "base/crc32c.h"
#include "bus/bus_memory.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/store/record.h"
#include "orchestrator/store/store_memory.h"
#include "tests/fuzz/moves.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/desk.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHECKSUM_SIZE = 4, TURNS = 2000, STEP_MS = 1000, MOVES_MAX = 40, N_FORMS = 4 };

#define UNDO "undo: { call: desk.back, timeout: 1s }"

static const char *const forms[N_FORMS] = {
	"saga: line\n"
	"version: 1.0.0\n"
	"deadline: { after: 1h, then: compensate }\n"
	"steps:\n"
	"  - a: { call: desk.take, with: { n: 1 }, timeout: 1s, " UNDO " }\n"
	"  - w: { await: { event: go, timeout: 2h, then: compensate } }\n"
	"  - s: { sleep: 1m }\n"
	"  - pay: { kind: pivot, call: desk.pay, timeout: 1s }\n"
	"  - tell: { kind: retriable, call: desk.tell, with: { n: =a.out.n }, "
	"on_failure: ignore }\n",

	"saga: sides\n"
	"version: 1.0.0\n"
	"steps:\n"
	"  - both:\n"
	"      parallel:\n"
	"        one: [ { b: { call: desk.take, timeout: 1s, " UNDO " } } ]\n"
	"        two: [ { c: { call: desk.take, when: =has(input.c), timeout: 1s, " UNDO
	" } } ]\n"
	"  - d: { call: desk.take, with: { b: =b.out }, timeout: 1s, " UNDO " }\n",

	"saga: many\n"
	"version: 1.0.0\n"
	"input:\n"
	"  schema:\n"
	"    type: object\n"
	"    required: [list]\n"
	"    properties: { list: { type: array, items: { type: integer } } }\n"
	"steps:\n"
	"  - all:\n"
	"      each: { in: =input.list, as: item, max: 5, steps: [ { e: { call: desk.take, "
	"with: { n: =item }, timeout: 1s, " UNDO " } } ] }\n",

	"saga: parent\n"
	"version: 1.0.0\n"
	"steps:\n"
	"  - first: { saga: sides, with: {} }\n"
	"  - last: { call: desk.take, timeout: 1s, " UNDO " }\n",
};

static const char *const names[N_FORMS] = {"line", "sides", "many", "parent"};

struct world {
	struct clock_sim clock;
	struct vault *vault;
	struct post *post;
	struct store *store;
	struct bus *bus;
	struct port *desk;
	struct engine *engine;
};

static void open_engine(struct world *world)
{
	struct engine_parts parts = {.clock = &world->clock.base};
	struct diag diag = {{0}};
	enum err err;

	world->store = store_memory_open(world->vault);
	world->bus = bus_memory_open(world->post);
	parts.store = world->store;
	parts.bus = world->bus;
	err = desk_open(&parts, &world->engine, &diag);
	assert(!err);
}

static void close_engine(struct world *world)
{
	engine_close(world->engine);
	bus_close(world->bus);
	store_close(world->store);
}

/* --- the record ---------------------------------------------------------------------- */

/* The saga's bytes with the checksum that they should have. */
static struct slice mended(struct slice bytes, struct arena *arena)
{
	uint32_t checksum;

	if (!arena_copy(arena, bytes, &bytes))
		assert(false);
	if (bytes.len < CHECKSUM_SIZE)
		return bytes;
	checksum = crc32c((struct slice){bytes.at, bytes.len - CHECKSUM_SIZE});
	for (size_t i = 0; i < CHECKSUM_SIZE; i++)
		((char *)bytes.at)[bytes.len - CHECKSUM_SIZE + i] =
			(char)(checksum >> (8 * i) & 255);
	return bytes;
}

static bool is_json(struct slice payload, struct arena *arena)
{
	struct json value;

	return json_parse(payload, PAYLOAD_MAX, arena, &value, NULL) == OK &&
	       slice_equal(value.text, payload);
}

static bool is_optional_json(struct slice payload, struct arena *arena)
{
	return !payload.len || is_json(payload, arena);
}

/* What is JSON in a record was so when it was written, and nobody looks again. */
static bool has_json(const struct saga *saga, struct arena *arena)
{
	bool right = is_json(saga->input, arena) && is_optional_json(saga->output, arena);

	for (uint32_t i = 0; i < saga->n_steps && right; i++)
		right = is_optional_json(saga->steps[i].output, arena);
	for (uint32_t i = 0; i < saga->n_signals && right; i++)
		right = is_optional_json(saga->signals[i].payload, arena);
	for (uint32_t i = 0; i < saga->n_expansions; i++)
		for (uint32_t k = 0; k < saga->expansions[i].n && right; k++)
			right = is_json(saga->expansions[i].items[k], arena);
	return right;
}

/* The record is put into the store as it is, in a row as its writer would have made. */
static void store_record(struct world *world, const struct definition *definition,
			 const struct saga *saga, struct arena *arena)
{
	const struct entry entry = {.type = ENTRY_STARTED, .step = NO_STEP};
	const struct store_batch batch = {.number = 1000, .sent = 1000};
	struct bytes timeline = BYTES(TIMELINE_BYTES_MAX, arena);
	struct bytes record = BYTES(RECORD_BYTES_MAX, arena);
	struct saga_write write = {0};
	enum err err;

	timeline_begin(&timeline, saga->started_ms);
	timeline_append(&timeline, saga->started_ms, &entry);
	record_write(&record, saga, definition->hash, bytes_slice(&timeline));
	assert(!record.err);
	write.record = bytes_slice(&record);
	write.row = (struct saga_row){.id = saga->id,
				      .key = saga->key,
				      .saga = definition->name,
				      .version = definition->version,
				      .status = saga_status(saga),
				      .started_ms = saga->started_ms,
				      .updated_ms = saga->updated_ms,
				      .ended_ms = saga_ended(saga) ? 1 : 0,
				      .revision = saga->revision};
	err = store_commit(world->store, &batch, &write, 1, NULL, 0);
	assert(!err);
}

/* False: there is nothing in it that a store would hold. */
static bool store_bytes(struct world *world, const char *name, struct slice bytes,
			struct slice *id, struct arena *arena)
{
	const struct definition *definition =
		engine_definition(world->engine, slice_of(name), (struct slice){0});
	uint8_t hash[SHA256_SIZE];
	struct saga saga;

	assert(definition);
	if (saga_decode(mended(bytes, arena), arena, &saga, hash, NULL) || !saga.revision ||
	    !saga.key.len || saga.started_ms < 0 || slice_is(saga.id, "other") ||
	    !has_json(&saga, arena))
		return false;
	*id = saga.id;
	store_record(world, definition, &saga, arena);
	return true;
}

/* --- leading it on ------------------------------------------------------------------- */

/* A saga in a state that cannot be may come to what a loader has proved to be impossible;
 * that is told as a want of memory, and tried again. */
static void turn(struct world *world)
{
	size_t n;
	enum err err = engine_turn(world->engine, &n);

	assert(!err || err == ERR_NOMEM);
}

/* The outcome is for the commands of that saga; others go well. */
static void serve(struct world *world, struct slice id, enum message_outcome outcome)
{
	struct command_message command;
	enum err err;

	while (port_poll(world->desk, &command)) {
		const struct reply_message reply = {
			.id = command.id,
			.attempt = command.attempt,
			.outcome = slice_equal(command.saga_id, id) ? outcome : MESSAGE_OK,
			.output = SLICE_LITERAL("{\"n\":1}")};

		err = port_reply(world->desk, &reply);
		assert(!err);
	}
	turn(world);
}

static void ignore(void *context, const struct answer *answer)
{
	assert(!answer->err || (answer->code[0] && answer->text[0]));
}

static void operate(struct world *world, struct slice id, enum event_type type)
{
	const struct operation operation = {.saga_id = id,
					    .type = type,
					    .step = type == EVENT_SKIP ? SLICE_LITERAL("a")
								       : (struct slice){0},
					    .actor = SLICE_LITERAL("somebody"),
					    .reason = SLICE_LITERAL("why not")};

	engine_operate(world->engine, &operation, ignore, NULL);
	turn(world);
}

static void signal_go(struct world *world, struct slice id)
{
	const struct signal_message signal = {
		.saga_id = id, .event = SLICE_LITERAL("go"), .payload = SLICE_LITERAL("null")};

	engine_signal(world->engine, &signal, ignore, NULL);
	turn(world);
}

static void move(struct world *world, struct slice id, uint8_t byte)
{
	static const enum event_type operations[] = {EVENT_CANCEL, EVENT_UNDO,  EVENT_PAUSE,
						     EVENT_RESUME, EVENT_RETRY, EVENT_SKIP,
						     EVENT_KILL};

	switch (byte % 8) {
	case 0: serve(world, id, MESSAGE_OK); break;
	case 1: serve(world, id, MESSAGE_REFUSED); break;
	case 2: serve(world, id, MESSAGE_FAILED); break;
	case 3: serve(world, id, MESSAGE_EXPIRED); break;
	case 4: clock_sim_advance(&world->clock, STEP_MS << (byte >> 3) % 20); break;
	case 5: signal_go(world, id); break;
	case 6: operate(world, id, operations[(byte >> 3) % 7]); break;
	case 7:
		close_engine(world);
		open_engine(world);
		break;
	}
	turn(world);
}

/* --- the target ---------------------------------------------------------------------- */

static void open_world(struct world *world)
{
	enum err err;

	*world = (struct world){.vault = vault_new(), .post = post_new()};
	assert(world->vault && world->post);
	clock_sim_init(&world->clock, 1700000000000);
	world->desk = port_memory_open(world->post, "desk");
	open_engine(world);
	for (int i = 0; i < N_FORMS; i++) {
		err = desk_deploy_text(world->engine, forms[i]);
		assert(!err);
	}
	err = desk_start(world->engine, "sides", "other", "{}", NULL);
	assert(!err);
}

static void close_world(struct world *world)
{
	close_engine(world);
	port_close(world->desk);
	post_free(world->post);
	vault_free(world->vault);
}

static bool has_ended(struct world *world, const char *id)
{
	struct arena arena = {0};
	struct saga_row row;
	struct slice record;
	enum err err = store_get(world->store, slice_of(id), &arena, &row, &record);
	bool ended;

	assert(!err);
	ended = status_ended(row.status);
	arena_release(&arena);
	return ended;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct moves moves = {data, size};
	const char *name = names[moves_next(&moves) % N_FORMS];
	size_t n = (size_t)moves_next(&moves) << 8;
	struct arena arena = {0};
	struct slice bytes, id;
	struct world world;

	n |= moves_next(&moves);
	bytes = (struct slice){(const char *)moves.at, n < moves.left ? n : moves.left};
	moves.at += bytes.len;
	moves.left -= bytes.len;
	open_world(&world);
	if (store_bytes(&world, name, bytes, &id, &arena)) {
		close_engine(&world);
		open_engine(&world);
		for (int i = 0; i < MOVES_MAX && moves.left; i++)
			move(&world, id, moves_next(&moves));
		for (int i = 0; i < TURNS && !has_ended(&world, "other"); i++) {
			clock_sim_advance(&world.clock, STEP_MS);
			serve(&world, id, MESSAGE_OK);
		}
		assert(has_ended(&world, "other"));
	}
	close_world(&world);
	arena_release(&arena);
	return 0;
}

#include "tests/lib/office.h"

#include "orchestrator/core/codec.h"
#include "orchestrator/load/load.h"
#include "orchestrator/store/record.h"
#include "tests/lib/desk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define UNDOABLE(at)                                                           \
	"{ kind: compensatable, call: " at ".take, timeout: 1s, retry: two,\n" \
	"  undo: { call: " at ".back, timeout: 1s, retry: undo } }"

static const char text[] =
	"saga: line\n"
	"version: 1.0.0\n"
	"deadline: { after: 1h, then: compensate }\n"
	"use:\n"
	"  retry:\n"
	"    two: { first: 100ms, factor: 2, max: 1s, jitter: none, attempts: 2 }\n"
	"    undo: { first: 100ms, factor: 2, max: 1s, jitter: none, budget: 1h }\n"
	"input:\n"
	"  schema:\n"
	"    { type: object, additionalProperties: true, properties: { n: { type: integer } } "
	"}\n"
	"steps:\n"
	"  - a: " UNDOABLE(
		"desk") "\n"
			"  - w: { await: { event: go, timeout: 2h, then: compensate } }\n"
			"  - both:\n"
			"      parallel:\n"
			"        one: [ { b: " UNDOABLE("desk") " } ]\n"
								"        two: [ { c: " UNDOABLE(
									"shelf") " } ]\n";

static const char *const places[OFFICE_PLACES] = {"desk", "shelf"};

static struct engine *open_engine(struct office *office, struct store *store, struct bus *bus)
{
	struct engine_parts parts = {.store = store,
				     .bus = bus,
				     .clock = &office->clock.base,
				     .limits = office->limits};
	struct engine *engine = NULL;
	enum err err = desk_open(&parts, &engine, NULL);

	if (!err)
		err = desk_deploy_text(engine, text);
	assert(!err);
	return engine;
}

static void boot(struct office *office)
{
	struct store *store;
	struct bus *bus;

	office->store = store_memory_open(office->vault);
	office->bus = bus_memory_open(office->post);
	store = store_tripwire_init(&office->store_wire, office->store, &office->wire);
	bus = bus_tripwire_init(&office->bus_wire, office->bus, &office->wire);
	office->engine = open_engine(office, store, bus);
}

static void shut(struct office *office)
{
	engine_close(office->engine);
	bus_close(office->bus);
	store_close(office->store);
}

void office_open(struct office *office)
{
	struct problems problems = {.arena = &office->arena};
	enum err err;

	*office = (struct office){.wire.calls_left = -1};
	err = load_text("line.yaml", slice_of(text), NULL, &problems, &office->line);
	assert(!err);
	clock_sim_init(&office->clock, 1700000000000);
	office->vault = vault_new();
	office->post = post_new();
	for (int i = 0; i < OFFICE_PLACES; i++)
		office->ports[i] = port_memory_open(office->post, places[i]);
	boot(office);
}

void office_close(struct office *office)
{
	shut(office);
	for (int i = 0; i < OFFICE_PLACES; i++)
		port_close(office->ports[i]);
	post_free(office->post);
	vault_free(office->vault);
	definition_free(office->line);
	arena_release(&office->arena);
}

void office_restart(struct office *office)
{
	shut(office);
	office->wire = (struct tripwire){.calls_left = -1};
	boot(office);
}

void rival_open(struct rival *rival, struct office *office)
{
	rival->store = store_memory_open(office->vault);
	rival->post = post_new();
	rival->bus = bus_memory_open(rival->post);
	rival->engine = open_engine(office, rival->store, rival->bus);
}

void rival_close(struct rival *rival)
{
	engine_close(rival->engine);
	bus_close(rival->bus);
	post_free(rival->post);
	store_close(rival->store);
}

size_t office_turn(struct office *office)
{
	size_t n;
	enum err err = engine_turn(office->engine, &n);

	assert(!err);
	return n;
}

void office_advance(struct office *office, int64_t ms)
{
	clock_sim_advance(&office->clock, ms);
}

enum err office_start(struct office *office, const char *id)
{
	return desk_start(office->engine, "line", id, "{}", NULL);
}

/* The texts are copies that live no longer than the call. */
static enum err operate(struct office *office, const char *id, struct event event)
{
	struct slice *const texts[] = {&event.name, &event.id, &event.payload, &event.reason};
	char *copies[4];
	enum err err;

	for (int i = 0; i < 4; i++) {
		copies[i] = malloc(texts[i]->len + 1);
		assert(copies[i]);
		if (texts[i]->len)
			memcpy(copies[i], texts[i]->at, texts[i]->len);
		texts[i]->at = copies[i];
	}
	err = desk_operate(office->engine, slice_of(id), (struct slice){0}, &event, NULL);
	for (int i = 0; i < 4; i++) {
		memset(copies[i], '?', texts[i]->len);
		free(copies[i]);
	}
	return err;
}

enum err office_signal(struct office *office, const char *id, const char *signal_id,
		       const char *payload)
{
	return operate(office, id,
		       (struct event){.type = EVENT_SIGNAL,
				      .name = SLICE_LITERAL("go"),
				      .id = slice_of(signal_id),
				      .payload = slice_of(payload)});
}

enum err office_cancel(struct office *office, const char *id, const char *reason)
{
	return operate(office, id,
		       (struct event){.type = EVENT_CANCEL, .reason = slice_of(reason)});
}

enum err office_kill(struct office *office, const char *id)
{
	return operate(office, id,
		       (struct event){.type = EVENT_KILL,
				      .reason = SLICE_LITERAL("the customer called")});
}

const char *office_asked(struct office *office, enum office_place place)
{
	static char asked[COMMAND_ID_MAX + 16];
	struct command_message command;

	if (!port_poll(office->ports[place], &command))
		return "";
	snprintf(asked, sizeof asked, "%.*s#%u", SLICE_ARG(command.id),
		 (unsigned int)command.attempt);
	return asked;
}

void office_answer(struct office *office, enum office_place place, const char *id,
		   uint32_t attempt, enum message_outcome outcome, const char *output)
{
	struct reply_message reply = {.id = slice_of(id),
				      .attempt = attempt,
				      .outcome = outcome,
				      .output = slice_of(output)};
	enum err err = port_reply(office->ports[place], &reply);

	assert(!err);
}

const struct saga *office_stored(struct office *office, const char *id)
{
	struct saga *saga = arena_alloc(&office->arena, sizeof *saga);
	struct slice record, bytes, timeline;
	uint8_t hash[SHA256_SIZE];
	enum err err;

	assert(saga);
	err = store_get(office->store, slice_of(id), &office->arena, NULL, &record);
	if (err)
		return NULL;
	err = record_split(record, &bytes, &timeline);
	if (!err)
		err = saga_decode(bytes, &office->arena, saga, hash, NULL);
	assert(!err);
	return saga;
}

const char *office_step(struct office *office, const char *id, const char *step)
{
	const struct saga *saga = office_stored(office, id);
	uint32_t i = definition_find(office->line, slice_of(step));

	assert(saga && i != NO_STEP);
	return step_state_text((enum step_state)saga->steps[i].state);
}

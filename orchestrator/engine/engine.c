#include "orchestrator/engine/engine.h"

#include "base/fault_point.h"
#include "orchestrator/engine/inside.h"
#include "orchestrator/store/record.h"

#include <stdlib.h>

enum { LIVE_MAX = 1000000 };

/* --- the loop ----------------------------------------------------------------------- */

bool batch_full(const struct engine *engine)
{
	return engine->crowded || publish_full(engine) ||
	       engine->n_changes >= ENGINE_CHANGES_MAX ||
	       engine->batch.used >= ENGINE_BATCH_BYTES_MAX;
}

bool batch_full_for_operations(const struct engine *engine)
{
	return engine->crowded ||
	       engine->n_changes >= ENGINE_CHANGES_MAX + ENGINE_OPERATIONS_MAX ||
	       engine->batch.used >= ENGINE_BATCH_BYTES_MAX + ENGINE_OPERATIONS_BYTES_MAX;
}

static enum err take_message(struct engine *engine, const struct inbox_message *message)
{
	switch (message->type) {
	case INBOX_REPLY: return receive_reply(engine, message);
	case INBOX_START: receive_start(engine, message); return OK;
	case INBOX_SIGNAL: receive_signal(engine, message); return OK;
	case INBOX_DEAD: return keep_dead(engine, &message->dead);
	}
	return OK;
}

/* A message for which there was no memory comes first the next time. */
static enum err take_messages(struct engine *engine, size_t *n)
{
	struct inbox_message *message = &engine->held_message;
	enum err err = OK;

	while (!err && *n < ENGINE_BATCH_MAX && !batch_full(engine) &&
	       (engine->held || bus_poll(engine->parts.bus, message))) {
		err = take_message(engine, message);
		engine->held = err != OK;
		*n += !engine->held;
	}
	return err;
}

static enum err take_timers(struct engine *engine, int64_t now_ms, size_t *n)
{
	enum err err = OK;

	for (size_t woken = 0; woken < ENGINE_BATCH_MAX && !batch_full(engine); woken++) {
		struct live *live = live_first(&engine->table);

		if (!live || live->wake_ms > now_ms)
			break;
		err = wake_saga(engine, live, now_ms);
		if (err)
			break;
		++*n;
	}
	return err;
}

static enum err store_batch(struct engine *engine)
{
	enum err err = commit_batch(engine);

	FAULT_POINT("engine.before-acknowledge");
	if (!err && !engine->held)
		bus_acknowledge(engine->parts.bus);
	FAULT_POINT("engine.acknowledged");
	return err;
}

static enum err turn(struct engine *engine, int64_t now_ms, size_t *n)
{
	enum err stored = OK, taken = take_shards(engine, now_ms);

	if (!taken)
		taken = tell_untold(engine);
	if (taken) {
		engine->retry_ms = now_ms + RETRY_MS;
		return taken;
	}
	if (engine->stalled || batch_full(engine)) /* make room for what has come */
		stored = store_batch(engine);
	if (stored)
		return stored;
	taken = take_children(engine, n);
	if (!taken)
		taken = take_messages(engine, n);
	if (!taken)
		taken = take_timers(engine, now_ms, n);
	stored = store_batch(engine); /* for want of memory, too: it gives some back */
	if (stored)
		return stored;
	if (!taken)
		taken = release_held(engine, now_ms, n);
	engine->retry_ms = taken || publish_full(engine) ? now_ms + RETRY_MS : 0;
	return taken;
}

enum err engine_turn(struct engine *engine, size_t *n)
{
	int64_t began_ms = clock_monotonic_ms(engine->parts.clock);
	int64_t now_ms = clock_now_ms(engine->parts.clock);
	int64_t wait_ms = engine->retry_ms - now_ms;
	enum err err;

	*n = 0;
	if (engine->stalled && wait_ms > 0 && wait_ms <= RETRY_MS) /* the clock may jump */
		return ERR_UNAVAILABLE;
	err = turn(engine, now_ms, n);
	engine->stats.turns++;
	engine->stats.busy_ms += clock_monotonic_ms(engine->parts.clock) - began_ms;
	return err;
}

int64_t engine_wake_ms(const struct engine *engine)
{
	const struct live *live = live_first(&engine->table);
	int64_t wake_ms = live ? live->wake_ms : INT64_MAX, held_ms;

	if (engine->retry_ms)
		return engine->retry_ms;
	if (engine->changes || engine->untold || engine->asking.n)
		return 0;
	if (shards_wake_ms(engine) < wake_ms)
		wake_ms = shards_wake_ms(engine);
	if (!engine->lanes.n_queued)
		return wake_ms;
	held_ms = lanes_wake_ms(&engine->lanes, clock_now_ms(engine->parts.clock));
	return held_ms < wake_ms ? held_ms : wake_ms;
}

/* --- looking ------------------------------------------------------------------------ */

void engine_observe(struct engine *engine, observed *observer, void *context)
{
	engine->observer = observer;
	engine->observer_context = context;
}

void engine_stats(const struct engine *engine, struct engine_stats *out)
{
	*out = engine->stats;
	out->live = engine->table.n;
}

void engine_attempts(const struct engine *engine, struct slice saga_id, int64_t *due_ms,
		     uint32_t n)
{
	const struct live *live = live_find(&engine->table, saga_id);

	memset(due_ms, 0, n * sizeof *due_ms);
	for (uint32_t i = 0; live && i < live->n_handed; i++)
		if (live->handed[i].step < n)
			due_ms[live->handed[i].step] = live->handed[i].due_ms;
}

/* --- opening ------------------------------------------------------------------------ */

enum err engine_open(const struct engine_parts *parts, struct engine **out, struct diag *diag)
{
	static const struct log silent = {0};
	struct engine *engine = calloc(1, sizeof *engine);
	enum err err;

	if (!engine)
		return ERR_NOMEM;
	engine->parts = *parts;
	if (!engine->parts.log)
		engine->parts.log = &silent;
	if (!engine->parts.live_max)
		engine->parts.live_max = LIVE_MAX;
	engine->changes_end = &engine->changes;
	engine->untold_end = &engine->untold;
	engine->dead_end = &engine->dead;
	if (parts->limits)
		engine->lanes.limits = *parts->limits;
	engine->timeline = BYTES(TIMELINE_BYTES_MAX, NULL);
	engine->record = BYTES(RECORD_BYTES_MAX, NULL);
	engine->event = BYTES(EVENT_BYTES_MAX, NULL);
	engine->shards = parts->store->shards;
	err = live_table_init(&engine->table);
	if (!err)
		err = learn_definitions(engine, true);
	if (!err)
		err = store_load(parts->store, NULL, &engine->newest, load_saga, engine);
	engine->sent = engine->newest.number;
	engine->arrived = engine->newest.sent;
	if (!err) {
		*out = engine;
		return OK;
	}
	engine_close(engine);
	return diag_set(diag, err, "the sagas could not be loaded: %s",
			parts->store->trouble.text[0] ? parts->store->trouble.text
						      : err_text(err));
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	drop_batch(engine);
	drop_untold(engine);
	lanes_release(&engine->lanes);
	live_table_release(&engine->table);
	catalog_release(&engine->catalog);
	asking_release(&engine->asking);
	arena_release(&engine->batch);
	arena_release(&engine->scratch);
	bytes_release(&engine->timeline);
	bytes_release(&engine->record);
	bytes_release(&engine->event);
	free(engine->writes);
	free(engine->audit);
	owners_free(engine->owners);
	free(engine);
}

/* Shards come and go: docs/decisions/0011. What the store says is ours is loaded, and
 * what is not any more is dropped; engine->shards is what of it has been done. */
#include "base/fault_point.h"
#include "orchestrator/engine/inside.h"
#include "orchestrator/engine/owners.h"
#include "orchestrator/store/record.h"

#include <stdlib.h>

enum {
	LOOK_MS = 1000,      /* after a gain it is looked for what others wrote too late, */
	LOOKS = 2,           /* so often, */
	LOOK_LAST_MS = 4000, /* the last time so long after the one before */

	CHECK_MS = 60000, /* an engine that has nothing to do looks whose its shards are */
};

/* --- telling ------------------------------------------------------------------------ */

void tell_moved(struct engine *engine, const struct waiting *waiting)
{
	refuse(engine, waiting, ERR_BUSY, "moved",
	       "the saga is another orchestrator's now; try again in a second");
}

bool refuse_moved(struct engine *engine, const struct waiting *waiting, struct slice saga_id)
{
	if (shards_cover(&engine->shards, saga_id) &&
	    (!engine->to_load.n || !shards_cover(&engine->to_load, saga_id)))
		return false;
	tell_moved(engine, waiting);
	return true;
}

static void log_shards(struct engine *engine, enum log_level level, const char *event,
		       const struct shards *shards, size_t n_sagas)
{
	uint32_t first = shards_next(shards, 0);
	struct log_line line;

	log_begin(&line, engine->parts.log, level, event);
	log_number(&line, "n", shards_count(shards));
	log_number(&line, "of", shards->n);
	log_number(&line, "first", first);
	log_number(&line, "sagas", (int64_t)n_sagas);
	log_number(&line, "ours", shards_count(&engine->shards));
	log_end(&line);
}

/* --- losing ------------------------------------------------------------------------- */

/* What the batch at hand made of sagas that go. */
static void drop_changes(struct engine *engine)
{
	struct change **link = &engine->changes;

	while (*link) {
		struct change *change = *link;

		if (shards_cover(&engine->shards, live_id(change->live))) {
			link = &change->next;
			continue;
		}
		for (struct waiting *waiting = change->waiting; waiting;
		     waiting = waiting->next)
			tell_moved(engine, waiting);
		drop_change(change);
		*link = change->next;
		engine->n_changes--;
	}
	engine->changes_end = link;
}

/* Commands of theirs that are under way are answered to whoever has them now. */
static size_t drop_sagas(struct engine *engine)
{
	size_t n = 0;

	for (size_t i = 0; i < engine->table.n_buckets; i++) {
		struct live *next;

		for (struct live *live = engine->table.buckets[i]; live; live = next) {
			next = live->next;
			if (shards_cover(&engine->shards, live_id(live)))
				continue;
			forget_sent(engine, live);
			live_remove(&engine->table, live);
			n++;
		}
	}
	return n;
}

/* Of `from`, in *out, those that are not in `others`. */
static void subtract(const struct shards *from, const struct shards *others, struct shards *out)
{
	*out = *from;
	for (uint32_t i = 0; from->n == others->n && i < from->n; i++)
		if (shards_has(others, i))
			shards_remove(out, i);
}

void drop_lost(struct engine *engine)
{
	const struct shards *ours = &engine->parts.store->shards;
	struct shards lost, staying;

	if (shards_equal(&engine->shards, ours))
		return;
	subtract(&engine->shards, ours, &lost);
	if (!shards_count(&lost))
		return;
	subtract(&engine->shards, &lost, &staying);
	engine->shards = staying;
	engine->shards.n = ours->n;
	subtract(&engine->to_load, &lost, &staying);
	engine->to_load = staying;
	owners_forget(engine->owners, &lost);
	drop_changes(engine);
	log_shards(engine, LOG_LEVEL_WARN, "shards-lost", &lost, drop_sagas(engine));
}

/* --- gaining ------------------------------------------------------------------------ */

/* In the table, and what it waits for is sent. The record is copied. */
static enum err add_saga(struct engine *engine, struct slice record,
			 const struct stored_saga *stored, uint32_t n_news)
{
	char *copy = malloc(record.len);
	struct live *live;

	live = copy ? live_add(&engine->table, stored->definition, stored->saga.id) : NULL;
	if (!live) {
		free(copy);
		return ERR_NOMEM;
	}
	memcpy(copy, record.at, record.len);
	live_keep(live, (struct slice){copy, record.len});
	live_read(live, stored);
	live->n_news = n_news;
	/* What is told again has arrived with what is stored next. */
	live->news_batch = engine->shards.n ? engine->sent + 1 : engine->newest.number;
	send_outstanding(engine, live, &stored->saga, &engine->scratch);
	live_rewake(&engine->table, live, &stored->saga);
	return OK;
}

/* ERR_CORRUPT: it cannot be read, which was said. */
static enum err read_loaded(struct engine *engine, const struct loaded_saga *loaded,
			    struct stored_saga *out)
{
	struct diag diag = {{0}};
	enum err err;

	*out = (struct stored_saga){.n_entries = 0};
	arena_reset(&engine->scratch);
	err = read_record(engine, loaded->record, &engine->scratch, out, &diag);
	if (err && err != ERR_NOMEM) {
		leave_out(engine, out->saga.id, diag.text);
		return ERR_CORRUPT;
	}
	return err;
}

enum err load_saga(void *context, const struct loaded_saga *loaded)
{
	struct engine *engine = context;
	struct stored_saga stored;
	enum err err = read_loaded(engine, loaded, &stored);

	if (err)
		return err == ERR_CORRUPT ? OK : err;
	if (live_find(&engine->table, stored.saga.id)) /* an error came after it */
		return OK;
	if (!loaded->sent)
		err = keep_untold(engine, loaded);
	if (!err && !saga_ended(&stored.saga))
		err = add_saga(engine, loaded->record, &stored, loaded->n_news);
	FAULT_POINT("engine.saga-loaded");
	return err;
}

void take_stray(struct engine *engine, struct slice record)
{
	struct stored_saga stored;
	enum err err;

	if (!engine->shards.n || read_record(engine, record, &engine->scratch, &stored, NULL) ||
	    saga_ended(&stored.saga) || !shards_cover(&engine->shards, stored.saga.id) ||
	    live_find(&engine->table, stored.saga.id))
		return;
	err = keep_others(engine, record, stored.n_entries);
	if (!err)
		err = add_saga(engine, record, &stored, stored.n_entries);
	(void)err; /* without memory whoever loads it next has it */
}

/* What others wrote while we loaded. Where something is decided of it a conflict tells. */
static enum err look_at_saga(void *context, const struct loaded_saga *loaded)
{
	struct engine *engine = context;
	struct stored_saga stored;
	enum err err = read_loaded(engine, loaded, &stored);
	struct live *live;
	char *copy = NULL;

	if (err)
		return err == ERR_CORRUPT ? OK : err;
	live = live_find(&engine->table, stored.saga.id);
	if (!live)
		return load_saga(engine, loaded);
	if (live->change || slice_equal(live->record, loaded->record))
		return OK;
	if (!asking_reserve(&engine->asking, 1))
		return ERR_NOMEM;
	if (!saga_ended(&stored.saga)) {
		copy = malloc(loaded->record.len);
		if (!copy)
			return ERR_NOMEM;
		memcpy(copy, loaded->record.at, loaded->record.len);
	}
	if (!loaded->sent)
		err = keep_untold(engine, loaded);
	if (err) {
		free(copy);
		return err;
	}
	replace_saga(engine, live, (struct slice){copy, copy ? loaded->record.len : 0},
		     &stored);
	return OK;
}

static enum err load_gained(struct engine *engine, int64_t now_ms)
{
	struct store *store = engine->parts.store;
	enum err err = learn_definitions(engine, true);

	if (err)
		return err;
	engine->reading = true;
	err = store_load(store, &engine->to_load, &engine->newest, load_saga, engine);
	engine->reading = false;
	if (err)
		return err;
	log_shards(engine, LOG_LEVEL_INFO, "shards-taken", &engine->to_load, engine->table.n);
	engine->to_load = (struct shards){.n = store->shards.n};
	engine->look_ms = now_ms + LOOK_MS;
	engine->n_looks = LOOKS;
	err = engine_read_owners(engine);
	(void)err; /* whoever asks for others finds those that were there before until it works
		    */
	return OK;
}

static enum err look(struct engine *engine, int64_t now_ms)
{
	enum err err = learn_definitions(engine, true);

	if (err)
		return err;
	engine->reading = true;
	err = store_look(engine->parts.store, look_at_saga, engine);
	engine->reading = false;
	if (err)
		return err;
	engine->n_looks -= engine->n_looks > 0;
	engine->look_ms = engine->n_looks ? now_ms + LOOK_LAST_MS : 0;
	engine->told_batch = engine->sent + 1;
	return OK;
}

/* All that others had not sent was told, and has arrived with a batch of ours: nobody is
 * to tell it once more. */
static enum err settle_told(struct engine *engine)
{
	enum err err;

	if (!engine->told_batch || engine->n_looks || engine->arrived < engine->told_batch)
		return OK;
	err = store_told(engine->parts.store);
	if (!err)
		engine->told_batch = 0;
	return err;
}

/* --- both --------------------------------------------------------------------------- */

/* Those of the store's that are not in the table. */
static void note_gained(struct engine *engine)
{
	const struct shards *ours = &engine->parts.store->shards;

	if (engine->to_load.n != ours->n)
		engine->to_load = (struct shards){.n = ours->n};
	for (uint32_t i = shards_next(ours, 0); i < ours->n; i = shards_next(ours, i + 1))
		if (!shards_has(&engine->shards, i))
			shards_add(&engine->to_load, i);
	engine->shards = *ours;
}

static enum err check(struct engine *engine, int64_t now_ms)
{
	enum err err = store_check(engine->parts.store);

	if (err)
		return err;
	drop_lost(engine);
	engine->check_ms = now_ms + CHECK_MS;
	return learn_definitions(engine, true);
}

enum err engine_own(struct engine *engine, const struct shards *wanted)
{
	struct store *store = engine->parts.store;
	int64_t now_ms = clock_now_ms(engine->parts.clock);
	enum err err = tell_untold(engine);

	/* What is under way is ours still. If it cannot be stored now it goes with the
	 * shards, and those who wait are told so. */
	if (!err && engine->changes)
		err = commit_batch(engine);
	err = check(engine, now_ms);
	if (!err)
		err = store_own(store, wanted, now_ms);
	drop_lost(engine);
	if (err)
		return err;
	note_gained(engine);
	return OK;
}

enum err take_shards(struct engine *engine, int64_t now_ms)
{
	enum err err = OK;

	if (!engine->parts.store->shards.n)
		return OK;
	if (now_ms >= engine->check_ms || now_ms < engine->check_ms - CHECK_MS)
		err = check(engine, now_ms);
	if (!err && shards_next(&engine->to_load, 0) < engine->to_load.n)
		err = load_gained(engine, now_ms);
	if (!err && engine->parts.store->stirred)
		engine->look_ms = now_ms;
	if (!err && engine->look_ms && now_ms >= engine->look_ms)
		err = look(engine, now_ms);
	return err ? err : settle_told(engine);
}

int64_t shards_wake_ms(const struct engine *engine)
{
	if (!engine->parts.store->shards.n)
		return INT64_MAX;
	if (shards_next(&engine->to_load, 0) < engine->to_load.n ||
	    engine->parts.store->stirred)
		return 0;
	return engine->look_ms && engine->look_ms < engine->check_ms ? engine->look_ms
								     : engine->check_ms;
}

#include "base/fault_point.h"
#include "orchestrator/engine/inside.h"
#include "orchestrator/store/record.h"

#include <assert.h>
#include <stdlib.h>

/* --- what is written ---------------------------------------------------------------- */

/* The timeline as it is stored, and what was added, into engine->timeline. The
 * oldest entries go where it has too many. */
static void write_timeline(struct engine *engine, struct change *change)
{
	struct bytes *out = &engine->timeline;
	uint32_t n_entries = change->live->n_entries + change->n_entries;
	struct bytes folded = BYTES(TIMELINE_BYTES_MAX, NULL);
	struct timeline timeline;
	enum err err;

	bytes_clear(out);
	if (change->timeline.len)
		bytes_append(out, change->timeline);
	else
		timeline_begin(out, change->saga.started_ms);
	for (uint32_t i = 0; i < change->n_entries; i++)
		timeline_append(out, change->saga.started_ms, &change->entries[i]);
	change->n_entries_stored = n_entries;
	if (out->err || n_entries <= TIMELINE_MAX)
		return;
	err = timeline_read(bytes_slice(out), &timeline, NULL);
	assert(!err);
	timeline_fold(&timeline, TIMELINE_MAX, &folded);
	bytes_release(out);
	*out = folded;
	change->n_entries_stored = TIMELINE_MAX;
}

/* Once made it stays, so that it is the same bytes when it is tried again, and
 * whoever sees them in the store knows that they are ours. */
static enum err write_record(struct engine *engine, struct change *change)
{
	struct bytes *out = &engine->record;
	char *copy;

	if (change->record.len)
		return OK;
	write_timeline(engine, change);
	bytes_clear(out);
	out->err = engine->timeline.err;
	record_write(out, &change->saga, change->live->definition->hash,
		     bytes_slice(&engine->timeline));
	assert(out->err != ERR_TOO_LARGE); /* SAGA_FULL, CHANGE_ENTRIES_MAX */
	copy = out->err ? NULL : malloc(out->len);
	if (!copy)
		return ERR_NOMEM;
	memcpy(copy, out->at, out->len);
	change->record = (struct slice){copy, out->len};
	return OK;
}

static struct saga_write as_write(const struct engine *engine, const struct change *change)
{
	struct slice saga, timeline;
	enum err err = record_split(change->record, &saga, &timeline);

	assert(!err);
	return (struct saga_write){
		.row = record_row(change->live->definition, &change->saga, timeline),
		.before = change->stored_revision,
		.record = change->record,
		.n_news = news_of(engine, change),
		.definition = change->live->definition,
		.saga = &change->saga,
	};
}

/* Room for so many writes and audit entries, and for what settling a write asks of
 * parents: its own children, and the parent whose child it is. */
static bool make_room(struct engine *engine, size_t n_writes, size_t n_audit)
{
	struct saga_write *writes = engine->writes;
	struct audit_entry *audit = engine->audit;

	if (!asking_reserve(&engine->asking, 2 * n_writes))
		return false;
	if (engine->writes_capacity < n_writes) {
		writes = realloc(writes, n_writes * sizeof *writes);
		if (!writes)
			return false;
		engine->writes = writes;
		engine->writes_capacity = n_writes;
	}
	if (engine->audit_capacity < n_audit) {
		audit = realloc(audit, n_audit * sizeof *audit);
		if (!audit)
			return false;
		engine->audit = audit;
		engine->audit_capacity = n_audit;
	}
	return true;
}

/* A commit failed, and may have taken place: what it wrote is not to be in the audit
 * twice. */
static enum err forget_audited(struct engine *engine, struct change *change)
{
	struct slice record;
	enum err err;

	arena_reset(&engine->scratch);
	err = store_get(engine->parts.store, change->saga.id, &engine->scratch, NULL, &record);
	if (!err && slice_equal(record, change->record))
		change->n_audit = 0;
	return err == ERR_NOT_FOUND || err == ERR_CORRUPT ? OK : err;
}

/* The batch as engine->writes; sagas that were only looked at are not in it. An
 * operation is in the audit also where its write then is a conflict: somebody asked
 * for it. */
static enum err make_writes(struct engine *engine, size_t *n, size_t *n_audit)
{
	enum err err = OK;

	*n = *n_audit = 0;
	for (struct change *change = engine->changes; !err && change; change = change->next) {
		if (!change->decided)
			continue;
		err = write_record(engine, change);
		if (!err && engine->stalled && change->n_audit)
			err = forget_audited(engine, change);
		++*n;
		*n_audit += change->n_audit;
	}
	if (!err && !make_room(engine, *n, *n_audit))
		err = ERR_NOMEM;
	if (err)
		return err;
	*n = *n_audit = 0;
	for (struct change *change = engine->changes; change; change = change->next) {
		if (!change->decided)
			continue;
		engine->writes[(*n)++] = as_write(engine, change);
		for (uint32_t i = 0; i < change->n_audit; i++)
			engine->audit[(*n_audit)++] = change->audit[i];
	}
	return OK;
}

/* --- the commit --------------------------------------------------------------------- */

static void stall(struct engine *engine, enum err err)
{
	struct log_line line;

	engine->stats.commit_failures++;
	engine->retry_ms = clock_now_ms(engine->parts.clock) + RETRY_MS;
	if (engine->stalled)
		return;
	engine->stalled = true;
	log_begin(&line, engine->parts.log, LOG_LEVEL_ERROR, "store-failed");
	log_text(&line, "error", slice_of(err_text(err)));
	if (engine->parts.store->trouble.text[0])
		log_text(&line, "why", slice_of(engine->parts.store->trouble.text));
	log_number(&line, "sagas", (int64_t)engine->n_changes);
	log_text(&line, "what", SLICE_LITERAL("no work is taken until it is stored"));
	log_end(&line);
}

/* Buffers that one large saga made large. */
static void trim(struct bytes *bytes)
{
	enum { KEPT = 256 * 1024 };

	if (bytes->capacity > KEPT)
		bytes_release(bytes);
}

enum err commit_batch(struct engine *engine)
{
	struct store_batch batch = {.number = engine->sent + 1};
	size_t n, n_audit;
	enum err err;

	publish_look(engine);
	batch.sent = engine->arrived;
	err = store_dead(engine);
	if (!err)
		err = make_writes(engine, &n, &n_audit);
	if (!err && n) {
		FAULT_POINT("engine.before-store");
		err = store_commit(engine->parts.store, &batch, engine->writes, n,
				   engine->audit, n_audit);
		FAULT_POINT("engine.stored");
		engine->stats.commits += !err;
	}
	/* What others wrote comes before what was decided of it. */
	if (!err)
		err = tell_untold(engine);
	if (!err)
		err = settle_all(engine);
	if (!err)
		drop_lost(engine);
	if (err) {
		stall(engine, err);
		return err;
	}
	engine->sent += n > 0;
	engine->stalled = false;
	engine->crowded = false;
	arena_reset(&engine->batch);
	trim(&engine->timeline);
	trim(&engine->record);
	/* What others wrote comes before what is decided of it next. */
	return tell_untold(engine);
}

void drop_batch(struct engine *engine)
{
	for (struct change *change = engine->changes; change; change = change->next)
		drop_change(change);
}

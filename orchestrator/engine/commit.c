#include "orchestrator/engine/inside.h"
#include "orchestrator/store/record.h"

#include <assert.h>
#include <stdlib.h>

/* --- what is written -------------------------------------------------------------------- */

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

static struct saga_write as_write(const struct change *change)
{
	struct slice saga, timeline;
	enum err err = record_split(change->record, &saga, &timeline);

	assert(!err);
	return (struct saga_write){
		.row = record_row(change->live->definition, &change->saga, timeline),
		.before = change->stored_revision,
		.record = change->record,
	};
}

/* Room for so many writes and audit entries. */
static bool make_room(struct engine *engine, size_t n_writes, size_t n_audit)
{
	struct saga_write *writes = engine->writes;
	struct audit_entry *audit = engine->audit;

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
		engine->writes[(*n)++] = as_write(change);
		for (uint32_t i = 0; i < change->n_audit; i++)
			engine->audit[(*n_audit)++] = change->audit[i];
	}
	return OK;
}

/* --- what is true once it is written ------------------------------------------------------ */

static void answer_all(struct engine *engine, struct change *change)
{
	for (struct waiting *waiting = change->waiting; waiting; waiting = waiting->next) {
		struct answer text =
			answer_of(change->live->definition, &change->saga, waiting->created);

		answer(engine, waiting, &text);
		if (waiting->watcher)
			live_watch(change->live, waiting->watcher);
		waiting->watcher = NULL;
	}
}

/* What was decided is stored: it is the saga from now on. */
static void adopt(struct engine *engine, struct change *change, const struct saga_row *row)
{
	struct live *live = change->live;
	bool ended = saga_ended(&change->saga);

	live->n_entries = change->n_entries_stored;
	if (change->n_decisions == 1 && !live->retry_ms && !change->visiting)
		hand_over(engine, live, change->commands, change->n_commands);
	else if (!ended)
		send_outstanding(engine, live, &change->saga, &engine->scratch);
	engine->stats.started += change->fresh;
	engine->stats.ended[row->status] += ended;
	answer_all(engine, change);
	if (engine->observer)
		engine->observer(engine->observer_context, live->definition, row, &change->saga,
				 change->entries, change->n_entries);
	tell_watchers(engine, live, row->status);
	live_keep(live, change->record);
	live->change = NULL;
	change->record = (struct slice){0};
	if (ended)
		live_remove(&engine->table, live);
	else
		live_rewake(&engine->table, live, &change->saga);
}

static void refuse_changed(struct engine *engine, const struct waiting *waiting)
{
	refuse(engine, waiting, ERR_BUSY, "changed-meanwhile",
	       "another server changed the saga at the same moment; try again");
}

/* Nothing of it is stored, nor will be. */
static void drop(struct change *change)
{
	for (struct waiting *waiting = change->waiting; waiting; waiting = waiting->next)
		free(waiting->watcher);
	free((char *)change->record.at);
	change->live->change = NULL;
}

/* --- conflicts ------------------------------------------------------------------------------
 */

/* A start whose id or key another saga has, of which this is the record. */
static void yield(struct engine *engine, struct change *change, struct slice record)
{
	for (struct waiting *waiting = change->waiting; waiting; waiting = waiting->next)
		if (waiting->start)
			answer_duplicate(engine, waiting, change, record);
		else
			refuse_changed(engine, waiting);
	drop(change);
	live_remove(&engine->table, change->live);
}

/* `found`, and `record`, are what the store has under the saga's id. */
static enum err settle_fresh(struct engine *engine, struct change *change, enum err found,
			     struct slice record)
{
	struct arena *arena = &engine->scratch;
	struct slice id;
	enum err err = found;

	if (found == ERR_NOT_FOUND) { /* then it is the key that is taken */
		err = store_find(engine->parts.store, change->live->definition->name,
				 change->saga.key, arena, &id);
		if (!err)
			err = store_get(engine->parts.store, id, arena, NULL, &record);
	}
	if (!err)
		yield(engine, change, record);
	/* Gone meanwhile: it is written again. */
	return err == ERR_NOT_FOUND ? ERR_UNAVAILABLE : err;
}

/* Somebody else wrote the saga: go on from there. */
static enum err take_over(struct engine *engine, struct change *change, struct slice record)
{
	struct live *live = change->live;
	struct stored_saga stored;
	struct diag diag = {{0}};
	struct log_line line;
	char *copy = NULL;
	enum err err;

	err = read_record(engine, record, &engine->scratch, &stored, &diag);
	if (!err && !saga_ended(&stored.saga)) {
		copy = malloc(record.len);
		err = copy ? OK : ERR_NOMEM;
	}
	if (err == ERR_NOMEM)
		return err;
	log_begin(&line, engine->parts.log, LOG_LEVEL_WARN, "saga-taken-over");
	log_text(&line, "saga", live_id(live));
	log_end(&line);
	for (struct waiting *waiting = change->waiting; waiting; waiting = waiting->next)
		refuse_changed(engine, waiting);
	drop(change);
	if (err)
		leave_out(engine, live_id(live), diag.text);
	else
		tell_watchers(engine, live, saga_status(&stored.saga));
	if (!copy) {
		live_remove(&engine->table, live);
		return OK;
	}
	memcpy(copy, record.at, record.len);
	live_keep(live, (struct slice){copy, record.len});
	live->definition = stored.definition;
	live->n_entries = stored.n_entries;
	live_forget_all(live);
	send_outstanding(engine, live, &stored.saga, &engine->scratch);
	live_rewake(&engine->table, live, &stored.saga);
	return OK;
}

/* Somebody else wrote the saga, or we did and never heard of it. What it returns
 * is of the store, or ERR_NOMEM: the change is to be settled later. */
static enum err settle_conflict(struct engine *engine, struct change *change,
				const struct saga_row *row)
{
	struct slice record = {0};
	enum err err;

	err = store_get(engine->parts.store, row->id, &engine->scratch, NULL, &record);
	if (err == ERR_CORRUPT) /* damage to one saga concerns no other */
		err = OK;
	if (!err && slice_equal(record, change->record)) {
		adopt(engine, change, row);
		return OK;
	}
	if (change->fresh)
		return settle_fresh(engine, change, err, record);
	if (err == ERR_NOT_FOUND) { /* it had ended, and is pruned */
		for (struct waiting *waiting = change->waiting; waiting;
		     waiting = waiting->next)
			refuse_changed(engine, waiting);
		drop(change);
		live_remove(&engine->table, change->live);
		return OK;
	}
	return err ? err : take_over(engine, change, record);
}

static void settle_undecided(struct engine *engine, struct change *change)
{
	change->live->change = NULL;
	if (change->visiting)
		live_remove(&engine->table, change->live);
}

/* --- the commit ------------------------------------------------------------------------------
 */

/* What cannot be settled stays a change, and is written once more: nothing that was
 * decided is forgotten. */
static enum err settle_all(struct engine *engine)
{
	const struct saga_write *write = engine->writes;
	struct change **link = &engine->changes;
	enum err first = OK;

	engine->settling = true;
	while (*link) {
		struct change *change = *link;
		enum err err = OK;

		arena_reset(&engine->scratch);
		if (!change->decided)
			settle_undecided(engine, change);
		else if (write->result)
			err = settle_conflict(engine, change, &write->row);
		else
			adopt(engine, change, &write->row);
		write += change->decided;
		first = first ? first : err;
		if (err) {
			link = &change->next;
			continue;
		}
		*link = change->next;
		engine->n_changes--;
	}
	engine->changes_end = link;
	engine->settling = false;
	return first;
}

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
	size_t n, n_audit;
	enum err err;

	err = make_writes(engine, &n, &n_audit);
	if (!err && n) {
		err = store_commit(engine->parts.store, engine->writes, n, engine->audit,
				   n_audit);
		engine->stats.commits += !err;
	}
	if (!err)
		err = settle_all(engine);
	if (err) {
		stall(engine, err);
		return err;
	}
	engine->stalled = false;
	engine->crowded = false;
	arena_reset(&engine->batch);
	trim(&engine->timeline);
	trim(&engine->record);
	return OK;
}

void drop_batch(struct engine *engine)
{
	for (struct change *change = engine->changes; change; change = change->next)
		drop(change);
}

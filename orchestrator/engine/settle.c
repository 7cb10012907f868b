#include "base/fault_point.h"
#include "orchestrator/engine/inside.h"

#include <stdlib.h>

/* --- what is true once it is written ------------------------------------------------ */

static void answer_one(struct engine *engine, struct change *change, struct waiting *waiting)
{
	const struct definition *definition = change->live->definition;
	struct answer text = answer_of(definition, &change->saga, waiting->created);

	if (waiting->start && !same_start(waiting, definition, &change->saga)) {
		refuse_taken(engine, waiting, definition, &change->saga);
		free(waiting->watcher);
	} else {
		answer(engine, waiting, &text);
		if (waiting->watcher)
			live_watch(change->live, waiting->watcher);
	}
	waiting->watcher = NULL;
}

static void answer_all(struct engine *engine, struct change *change)
{
	for (struct waiting *waiting = change->waiting; waiting; waiting = waiting->next)
		answer_one(engine, change, waiting);
}

/* What was decided is stored: it is the saga from now on. ERR_NOMEM: nothing was sent. */
static enum err adopt(struct engine *engine, struct change *change, const struct saga_row *row)
{
	struct live *live = change->live;
	bool ended = saga_ended(&change->saga);
	uint64_t first = live->n_told + 1;
	enum err err = publish_entries(engine, live->definition, row, &change->saga,
				       change->entries, change->n_entries, first);

	if (err)
		return err;
	FAULT_POINT("engine.published");
	news_told(engine, change);
	live->n_entries = change->n_entries_stored;
	if (change->n_decisions == 1 && !live->retry_ms && !change->visiting)
		hand_over(engine, live, &change->saga, change->commands, change->n_commands);
	else if (!ended)
		send_outstanding(engine, live, &change->saga, &engine->scratch);
	FAULT_POINT("engine.handed-over");
	engine->stats.started += change->fresh;
	engine->stats.ended[row->status] += ended;
	if (change->fresh)
		pace_begin(&engine->pace, row->started_ms);
	if (ended)
		pace_end(&engine->pace, row->ended_ms, row->ended_ms - row->started_ms);
	answer_all(engine, change);
	tell_observer(engine, live->definition, row, &change->saga, change->entries,
		      change->n_entries, first);
	tell_watchers(engine, live, row->status);
	if (ended && change->saga.parent.len)
		tell_parent(engine, change->saga.parent, change->saga.id);
	FAULT_POINT("engine.told");
	live_keep(live, change->record);
	live->change = NULL;
	change->record = (struct slice){0};
	if (ended)
		live_remove(&engine->table, live);
	else
		live_rewake(&engine->table, live, &change->saga);
	return OK;
}

static void refuse_changed(struct engine *engine, const struct waiting *waiting)
{
	refuse(engine, waiting, ERR_BUSY, "changed-meanwhile",
	       "another server changed the saga at the same moment; try again");
}

void drop_change(struct change *change)
{
	for (struct waiting *waiting = change->waiting; waiting; waiting = waiting->next)
		free(waiting->watcher);
	free((char *)change->record.at);
	change->live->change = NULL;
}

/* --- conflicts ---------------------------------------------------------------------- */

/* A start whose id or key another saga has, of which this is the record. */
static void yield(struct engine *engine, struct change *change, struct slice record)
{
	for (struct waiting *waiting = change->waiting; waiting; waiting = waiting->next)
		if (waiting->start)
			answer_duplicate(engine, waiting, record);
		else
			refuse_changed(engine, waiting);
	if (change->saga.parent.len)
		tell_parent(engine, change->saga.parent, change->saga.id);
	drop_change(change);
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
	if (!err) {
		yield(engine, change, record);
		take_stray(engine, record);
	}
	/* Gone meanwhile: it is written again. */
	return err == ERR_NOT_FOUND ? ERR_UNAVAILABLE : err;
}

void replace_saga(struct engine *engine, struct live *live, struct slice record,
		  const struct stored_saga *stored)
{
	tell_watchers(engine, live, saga_status(&stored->saga));
	forget_sent(engine, live);
	if (!record.len) {
		if (stored->saga.parent.len) /* whoever ended it may be gone */
			tell_parent(engine, stored->saga.parent, stored->saga.id);
		live_remove(&engine->table, live);
		return;
	}
	live_keep(live, record);
	live->definition = stored->definition;
	live_read(live, stored);
	news_unknown(engine, live);
	send_outstanding(engine, live, &stored->saga, &engine->scratch);
	live_rewake(&engine->table, live, &stored->saga);
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
	if (!err)
		err = keep_others(engine, record, stored.n_entries);
	if (err == ERR_NOMEM) {
		free(copy);
		return err;
	}
	log_begin(&line, engine->parts.log, LOG_LEVEL_WARN, "saga-taken-over");
	log_text(&line, "saga", live_id(live));
	log_end(&line);
	for (struct waiting *waiting = change->waiting; waiting; waiting = waiting->next)
		refuse_changed(engine, waiting);
	drop_change(change);
	if (err) {
		leave_out(engine, live_id(live), diag.text);
		forget_sent(engine, live);
		live_remove(&engine->table, live);
		return OK;
	}
	if (copy)
		memcpy(copy, record.at, record.len);
	replace_saga(engine, live, (struct slice){copy, copy ? record.len : 0}, &stored);
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
	if (!err && slice_equal(record, change->record))
		return adopt(engine, change, row);
	if (change->fresh)
		return settle_fresh(engine, change, err, record);
	if (err == ERR_NOT_FOUND) { /* it had ended, and is pruned */
		for (struct waiting *waiting = change->waiting; waiting;
		     waiting = waiting->next)
			refuse_changed(engine, waiting);
		drop_change(change);
		forget_sent(engine, change->live);
		live_remove(&engine->table, change->live);
		return OK;
	}
	return err ? err : take_over(engine, change, record);
}

/* Its shard is not ours: nothing of it counts, and whoever has it now goes on with what
 * is stored. */
static void settle_moved(struct engine *engine, struct change *change)
{
	for (struct waiting *waiting = change->waiting; waiting; waiting = waiting->next)
		tell_moved(engine, waiting);
	drop_change(change);
	forget_sent(engine, change->live);
	live_remove(&engine->table, change->live);
}

static void settle_undecided(struct engine *engine, struct change *change)
{
	change->live->change = NULL;
	if (change->visiting)
		live_remove(&engine->table, change->live);
}

/* --- one by one --------------------------------------------------------------------- */

enum err settle_all(struct engine *engine)
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
		else if (write->result == ERR_BUSY)
			settle_moved(engine, change);
		else if (write->result)
			err = settle_conflict(engine, change, &write->row);
		else
			err = adopt(engine, change, &write->row);
		if (change->decided)
			write++;
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

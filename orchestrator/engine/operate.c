#include "orchestrator/engine/inside.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdlib.h>

/* --- the saga that is meant --------------------------------------------------------- */

/* It has not ended, so that a server which is not the owner any more has brought it back:
 * it is one of ours. What it waits for is sent in the next turn. */
static enum err take_in(struct engine *engine, struct live *live, struct slice record,
			const struct saga *saga)
{
	char *copy = malloc(record.len);

	if (!copy)
		return ERR_NOMEM;
	memcpy(copy, record.at, record.len);
	live_keep(live, (struct slice){copy, record.len});
	live->retry_ms = clock_now_ms(engine->parts.clock);
	live_rewake(&engine->table, live, saga);
	return OK;
}

enum err visit_saga(struct engine *engine, struct slice id, struct change **out,
		    struct diag *diag)
{
	struct stored_saga stored;
	struct slice record;
	struct live *live;
	enum err err;

	if (!saga_id_valid(id))
		return ERR_NOT_FOUND;
	err = store_get(engine->parts.store, id, &engine->batch, NULL, &record);
	if (!err)
		err = read_record(engine, record, &engine->batch, &stored, diag);
	if (err)
		return err;
	live = live_add(&engine->table, stored.definition, id);
	if (live && !saga_ended(&stored.saga)) {
		err = take_in(engine, live, record, &stored.saga);
		if (!err) /* whoever began it lost it before he could tell */
			err = keep_others(engine, record, stored.n_entries);
	}
	*out = live && !err ? change_add(engine, live) : NULL;
	if (!*out) {
		if (live)
			live_remove(&engine->table, live);
		return ERR_NOMEM;
	}
	live_read(live, &stored);
	news_unknown(engine, live);
	(*out)->saga = stored.saga;
	(*out)->stored_revision = stored.saga.revision;
	(*out)->timeline = stored.timeline;
	(*out)->visiting = saga_ended(&stored.saga);
	return OK;
}

/* NULL: it was refused. */
static struct change *find_saga(struct engine *engine, struct slice id,
				const struct waiting *waiting)
{
	struct live *live = live_find(&engine->table, id);
	struct change *change = live ? change_of(engine, live) : NULL;
	struct diag diag = {"the server's log says why"}, sentence;
	enum err err = live && !change ? ERR_NOMEM : OK;

	if (refuse_moved(engine, waiting, id))
		return NULL;
	if (!live)
		err = visit_saga(engine, id, &change, &diag);
	switch (err) {
	case OK: return change;
	case ERR_NOT_FOUND:
		refuse(engine, waiting, err, "unknown-saga", "there is no saga with this id");
		break;
	case ERR_NOMEM: refuse_nomem(engine, waiting); break;
	case ERR_CORRUPT:
		err = diag_set(&sentence, err, "the saga's record cannot be read: %.*s", 400,
			       diag.text);
		refuse(engine, waiting, err, "unreadable", sentence.text);
		break;
	default:
		refuse(engine, waiting, ERR_BUSY, "store-unavailable",
		       "the store cannot be read at the moment; try again in a second");
	}
	return NULL;
}

/* --- deciding ----------------------------------------------------------------------- */

/* What happened, to be kept for good. Signals are in the timeline alone. */
static bool make_room_for_audit(struct engine *engine, struct change *change)
{
	struct audit_entry *grown =
		arena_array(&engine->batch, change->n_audit + 1, sizeof *grown);

	if (grown && change->n_audit)
		memcpy(grown, change->audit, change->n_audit * sizeof *grown);
	if (grown)
		change->audit = grown;
	return grown != NULL;
}

static void keep_audit(struct change *change, const struct event *event)
{
	change->audit[change->n_audit++] =
		(struct audit_entry){.at_ms = event->at_ms,
				     .saga_id = change->saga.id,
				     .operation = slice_of(event_text(event->type)),
				     .actor = event->actor,
				     .reason = event->reason};
}

/* Once it is decided nothing can fail, so that the answer is right. */
static void operate_on(struct engine *engine, struct change *change, const struct event *event,
		       struct waiting *waiting)
{
	const char *refusal = "";
	struct waiting *kept;
	struct answer text;
	bool taken;

	kept = keep_waiting(engine, waiting);
	if (!kept || !make_room_for_audit(engine, change)) {
		refuse_nomem(engine, waiting);
		return;
	}
	switch (decide(engine, change, event, &taken, &refusal)) {
	case OK: break;
	case ERR_CONFLICT: refuse(engine, waiting, ERR_CONFLICT, "refused", refusal); return;
	case ERR_TOO_LARGE:
		refuse(engine, waiting, ERR_TOO_LARGE, "too-large",
		       "the saga has no room for it: a saga holds 4 MiB");
		return;
	default: refuse_nomem(engine, waiting); return;
	}
	if (taken && event->type != EVENT_SIGNAL)
		keep_audit(change, event);
	if (change->decided) { /* also where it was so already: what made it so comes first */
		wait_for(change, kept);
		return;
	}
	text = answer_of(change->live->definition, &change->saga, false);
	answer(engine, waiting, &text);
}

/* The event with texts that last as long as the batch; false: it was refused. */
static bool complete(struct engine *engine, const struct change *change, struct slice step,
		     struct slice payload, struct event *event, const struct waiting *waiting)
{
	struct arena *arena = &engine->batch;
	struct json json = {0};
	struct diag diag;
	enum err err = OK;

	event->at_ms = clock_now_ms(engine->parts.clock);
	event->step =
		step.len ? saga_find(change->live->definition, &change->saga, step) : NO_STEP;
	if (step.len && event->step == NO_STEP) {
		refuse(engine, waiting, ERR_NOT_FOUND, "unknown-step",
		       "the saga has no step of this name; one of an `each` is named with its "
		       "element, as in reserve#0");
		return false;
	}
	if (payload.len)
		err = json_parse(payload, PAYLOAD_MAX, arena, &json, &diag);
	if (err && err != ERR_NOMEM) {
		refuse(engine, waiting, err, "bad-payload", diag.text);
		return false;
	}
	event->payload = json.text;
	if (!err && arena_copy(arena, event->name, &event->name) &&
	    arena_copy(arena, event->id, &event->id) &&
	    arena_copy(arena, event->actor, &event->actor) &&
	    arena_copy(arena, event->reason, &event->reason))
		return true;
	refuse_nomem(engine, waiting);
	return false;
}

static void submit(struct engine *engine, struct slice saga_id, struct slice step,
		   struct slice payload, struct event *event, struct waiting *waiting)
{
	struct change *change = find_saga(engine, saga_id, waiting);

	if (change && complete(engine, change, step, payload, event, waiting))
		operate_on(engine, change, event, waiting);
}

/* --- operations and signals --------------------------------------------------------- */

void engine_operate(struct engine *engine, const struct operation *operation,
		    answered *callback, void *context)
{
	struct waiting waiting = {.answer = callback, .context = context, .operation = true};
	struct event event = {.type = operation->type,
			      .actor = operation->actor,
			      .reason = operation->reason};

	assert(operation->type >= EVENT_CANCEL && operation->type <= EVENT_KILL);
	if (refuse_busy(engine, &waiting))
		return;
	if (operation->reason.len > ENTRY_REASON_MAX || !utf8_valid(operation->reason))
		refuse(engine, &waiting, ERR_INVALID, "bad-reason",
		       "a reason is at most 1,000 bytes of UTF-8");
	else if (operation->actor.len > ENTRY_ACTOR_MAX || !utf8_valid(operation->actor))
		refuse(engine, &waiting, ERR_INVALID, "bad-actor",
		       "who asks is at most 256 bytes of UTF-8");
	else if (operation->type == EVENT_KILL && !operation->reason.len)
		refuse(engine, &waiting, ERR_INVALID, "missing-reason",
		       "kill leaves things done that nobody undoes: say why, with a reason");
	else
		submit(engine, operation->saga_id, operation->step, operation->output, &event,
		       &waiting);
}

static void signal_saga(struct engine *engine, const struct signal_message *signal,
			struct waiting *waiting)
{
	struct event event = {
		.type = EVENT_SIGNAL, .name = signal->event, .actor = signal->actor};
	struct slice payload = signal->payload.len ? signal->payload : SLICE_LITERAL("null");
	char id[26];

	if (refuse_busy(engine, waiting))
		return;
	event.id = signal->id.len ? signal->id : make_id(engine, id);
	if (!name_valid(signal->event))
		refuse(engine, waiting, ERR_INVALID, "bad-event",
		       "the name of an event is a lower-case letter and at most 62 letters, "
		       "digits, '-' or '_'");
	else if (event.id.len > KEY_MAX || !utf8_valid(event.id))
		refuse(engine, waiting, ERR_INVALID, "bad-signal-id",
		       "the id of a signal is at most 256 bytes of UTF-8");
	else if (signal->actor.len > ENTRY_ACTOR_MAX || !utf8_valid(signal->actor))
		refuse(engine, waiting, ERR_INVALID, "bad-actor",
		       "who asks is at most 256 bytes of UTF-8");
	else
		submit(engine, signal->saga_id, (struct slice){0}, payload, &event, waiting);
}

void engine_signal(struct engine *engine, const struct signal_message *signal,
		   answered *callback, void *context)
{
	struct waiting waiting = {.answer = callback, .context = context};

	signal_saga(engine, signal, &waiting);
}

void receive_signal(struct engine *engine, const struct inbox_message *message)
{
	struct waiting waiting = {.origin = message->origin};

	signal_saga(engine, &message->signal, &waiting);
}

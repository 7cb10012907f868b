#include "participants/lib/barrier.h"

#include "base/fault_point.h"

#include <assert.h>

/* One command on its way to its answer. */
struct answering {
	const struct barrier_desk *desk;
	const struct command_message *command;
	struct reply_message *reply;
	bool expired; /* it is older than any record */
	bool later;   /* the handler answers later */
};

static void answer(struct reply_message *reply, const struct barrier_record *record)
{
	switch (record->state) {
	case BARRIER_OK: reply->output = record->output; return;
	case BARRIER_REFUSED:
		reply->outcome = MESSAGE_REFUSED;
		reply->code = record->code;
		reply->text = record->text;
		return;
	case BARRIER_BARRED:
	case BARRIER_UNDONE:
		reply->outcome = MESSAGE_REFUSED;
		reply->code = SLICE_LITERAL("barred");
		reply->text = SLICE_LITERAL("it was undone or revoked before it came");
		return;
	case BARRIER_NONE: break;
	}
	assert(!"a record to answer from");
}

static void answer_expired(struct reply_message *reply)
{
	reply->outcome = MESSAGE_EXPIRED;
	reply->code = SLICE_LITERAL("expired");
	reply->text = SLICE_LITERAL("it is older than this participant's records");
}

static void answer_already_done(struct reply_message *reply, const struct barrier_record *done)
{
	reply->outcome = MESSAGE_REFUSED;
	reply->code = SLICE_LITERAL("already-done");
	reply->text = SLICE_LITERAL("it was done before it could be revoked");
	reply->output = done->output;
}

static enum err find(const struct answering *at, struct slice id, struct barrier_record *out)
{
	struct barrier *barrier = at->desk->barrier;

	return barrier->ops->find(barrier, id, at->desk->arena, out);
}

static enum err keep(const struct answering *at, struct slice id, struct barrier_record record)
{
	struct barrier *barrier = at->desk->barrier;

	record.first_ms = at->command->first_ms;
	return barrier->ops->keep(barrier, id, &record);
}

/* Without marks the transaction holds nothing but this command. */
static enum err take_back(struct barrier *barrier)
{
	if (barrier->ops->back)
		return barrier->ops->back(barrier);
	barrier->ops->rollback(barrier);
	return barrier->ops->begin(barrier);
}

/* A refused undo, a failure, and what answers later leave nothing of what the
 * handler wrote, and no record. */
static bool leaves_record(const struct answering *at)
{
	if (at->later)
		return false;
	return at->reply->outcome == MESSAGE_OK ||
	       (at->reply->outcome == MESSAGE_REFUSED && at->command->verb == MESSAGE_DO);
}

static enum err run_and_keep(struct answering *at, const struct command_message *command)
{
	const struct barrier_desk *desk = at->desk;
	const struct reply_message *reply = at->reply;
	struct barrier_record record;

	FAULT_POINT("barrier.before-handler");
	at->later = !desk->run(desk->context, command, desk->arena, at->reply);
	FAULT_POINT("barrier.after-handler");
	if (!leaves_record(at))
		return take_back(desk->barrier);
	if (reply->outcome == MESSAGE_OK)
		record = (struct barrier_record){.state = BARRIER_OK, .output = reply->output};
	else
		record = (struct barrier_record){
			.state = BARRIER_REFUSED, .code = reply->code, .text = reply->text};
	return keep(at, command->id, record);
}

static enum err undo(struct answering *at, struct barrier_record *done)
{
	struct command_message known = *at->command;
	enum err err;

	/* The participant may know what the saga never heard. */
	if (!known.output.len)
		known.output = done->output;
	FAULT_POINT("barrier.before-undo");
	err = run_and_keep(at, &known);
	FAULT_POINT("barrier.after-undo");
	if (err || !leaves_record(at))
		return err;
	done->state = BARRIER_UNDONE;
	return keep(at, at->command->do_id, *done);
}

/* See to it that a do that has not come never takes effect. The undo or revoke
 * needs no record of its own: the do's answers every repeat alike. */
static enum err bar(struct answering *at, struct barrier_record *done)
{
	if (done->state != BARRIER_NONE)
		return OK;
	if (at->expired) {
		answer_expired(at->reply);
		return OK;
	}
	done->state = BARRIER_BARRED;
	FAULT_POINT("barrier.before-bar");
	return keep(at, at->command->do_id, *done);
}

/* Of an undo or revoke. */
static enum err decide_by_do(struct answering *at)
{
	struct barrier_record done;
	enum err err = find(at, at->command->do_id, &done);

	if (err)
		return err;
	if (done.state != BARRIER_OK)
		return bar(at, &done);
	if (at->command->verb == MESSAGE_UNDO)
		return undo(at, &done);
	answer_already_done(at->reply, &done);
	return OK;
}

static enum err decide(struct answering *at)
{
	const struct command_message *command = at->command;
	struct barrier_record record;
	enum err err;

	if (command->verb == MESSAGE_REVOKE)
		return decide_by_do(at);
	err = find(at, command->id, &record);
	if (err)
		return err;
	if (record.state != BARRIER_NONE) {
		answer(at->reply, &record);
		return OK;
	}
	if (command->verb == MESSAGE_UNDO)
		return decide_by_do(at);
	if (!at->expired)
		return run_and_keep(at, command);
	answer_expired(at->reply);
	return OK;
}

enum err barrier_answer(const struct barrier_desk *desk, const struct command_message *command,
			struct reply_message *reply, enum barrier_answer *answer)
{
	int64_t age_ms = desk->now_ms - command->first_ms;
	struct answering at = {.desk = desk,
			       .command = command,
			       .reply = reply,
			       .expired = desk->horizon_ms && age_ms > desk->horizon_ms};
	enum err err = OK;

	/* Ok is the answer, unless something is said against it. */
	*reply = (struct reply_message){
		.id = command->id, .attempt = command->attempt, .outcome = MESSAGE_OK};
	if (desk->barrier->ops->mark)
		err = desk->barrier->ops->mark(desk->barrier);
	FAULT_POINT("barrier.marked");
	if (!err)
		err = decide(&at);
	*answer = at.later ? BARRIER_LATER : BARRIER_ANSWERED;
	return err;
}

_Static_assert((int)BARRIER_NONE == (int)RECORD_NONE && (int)BARRIER_OK == (int)RECORD_OK &&
		       (int)BARRIER_REFUSED == (int)RECORD_REFUSED &&
		       (int)BARRIER_BARRED == (int)RECORD_BARRED &&
		       (int)BARRIER_UNDONE == (int)RECORD_UNDONE,
	       "states go over the wire");

enum err barrier_page_add(struct barrier_page *page, struct slice id, enum barrier_state state,
			  int64_t first_ms, struct arena *arena)
{
	struct record_message *record = &page->records[page->n];

	if (first_ms < page->since_ms)
		return OK;
	if (page->n == page->max)
		return ERR_TOO_LARGE;
	*record = (struct record_message){.state = (enum record_state)state,
					  .first_ms = first_ms};
	if (!arena_copy(arena, id, &record->id))
		return ERR_NOMEM;
	page->n++;
	return OK;
}

bool barrier_has_marks(const struct barrier *barrier)
{
	return barrier->ops->mark != NULL;
}

void barrier_close(struct barrier *barrier)
{
	if (barrier)
		barrier->ops->close(barrier);
}

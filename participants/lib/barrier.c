#include "participants/lib/barrier.h"

#include <assert.h>

static void answer(struct reply_message *reply, const struct barrier_record *record)
{
	switch (record->state) {
	case BARRIER_OK:
		reply->outcome = MESSAGE_OK;
		reply->output = record->output;
		return;
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

/* Run the handler and keep what it answered, if that is to be kept. */
static enum err run_and_keep(struct barrier *barrier, const struct command_message *command,
			     barrier_run *run, void *context, struct arena *arena,
			     struct reply_message *reply)
{
	struct barrier_record record = {0};

	run(context, command, arena, reply);
	if (reply->outcome == MESSAGE_OK) {
		record.state = BARRIER_OK;
		record.output = reply->output;
	} else if (reply->outcome == MESSAGE_REFUSED && command->verb == MESSAGE_DO) {
		record.state = BARRIER_REFUSED;
		record.code = reply->code;
		record.text = reply->text;
	} else {
		return OK;
	}
	return barrier->ops->keep(barrier, command->id, &record);
}

static enum err answer_undo(struct barrier *barrier, const struct command_message *command,
			    struct barrier_record *done, bool expired, barrier_run *run,
			    void *context, struct arena *arena, struct reply_message *reply)
{
	static const struct barrier_record ok = {.state = BARRIER_OK};
	struct command_message known = *command;
	enum err err;

	switch (done->state) {
	case BARRIER_NONE:
		if (expired) {
			answer_expired(reply);
			return OK;
		}
		done->state = BARRIER_BARRED;
		err = barrier->ops->keep(barrier, command->do_id, done);
		if (err)
			return err;
		break;
	case BARRIER_OK:
		/* The participant may know what the saga never heard. */
		if (!known.output.len)
			known.output = done->output;
		err = run_and_keep(barrier, &known, run, context, arena, reply);
		if (err || reply->outcome != MESSAGE_OK)
			return err;
		done->state = BARRIER_UNDONE;
		return barrier->ops->keep(barrier, command->do_id, done);
	case BARRIER_REFUSED:
	case BARRIER_BARRED:
	case BARRIER_UNDONE: break;
	}
	reply->outcome = MESSAGE_OK;
	return barrier->ops->keep(barrier, command->id, &ok);
}

/* Needs no record of its own: the do's answers every repeat alike. */
static enum err answer_revoke(struct barrier *barrier, const struct command_message *command,
			      struct barrier_record *done, bool expired,
			      struct reply_message *reply)
{
	if (done->state == BARRIER_OK) {
		reply->outcome = MESSAGE_REFUSED;
		reply->code = SLICE_LITERAL("already-done");
		reply->text = SLICE_LITERAL("it was done before it could be revoked");
		reply->output = done->output;
		return OK;
	}
	if (done->state == BARRIER_NONE && expired) {
		answer_expired(reply);
		return OK;
	}
	reply->outcome = MESSAGE_OK;
	if (done->state != BARRIER_NONE)
		return OK;
	done->state = BARRIER_BARRED;
	return barrier->ops->keep(barrier, command->do_id, done);
}

static enum err decide(struct barrier *barrier, const struct command_message *command,
		       bool expired, barrier_run *run, void *context, struct arena *arena,
		       struct reply_message *reply)
{
	struct barrier_record record, done;
	enum err err;

	if (command->verb != MESSAGE_REVOKE) {
		err = barrier->ops->find(barrier, command->id, arena, &record);
		if (err)
			return err;
		if (record.state != BARRIER_NONE) {
			answer(reply, &record);
			return OK;
		}
	}
	if (command->verb == MESSAGE_DO) {
		if (!expired)
			return run_and_keep(barrier, command, run, context, arena, reply);
		answer_expired(reply);
		return OK;
	}
	err = barrier->ops->find(barrier, command->do_id, arena, &done);
	if (err)
		return err;
	if (command->verb == MESSAGE_REVOKE)
		return answer_revoke(barrier, command, &done, expired, reply);
	return answer_undo(barrier, command, &done, expired, run, context, arena, reply);
}

enum err barrier_answer(struct barrier *barrier, const struct command_message *command,
			int64_t now_ms, int64_t horizon_ms, barrier_run *run, void *context,
			struct arena *arena, struct reply_message *reply)
{
	bool expired = horizon_ms && now_ms - command->first_ms > horizon_ms;
	enum err err;

	*reply = (struct reply_message){.id = command->id, .attempt = command->attempt};
	err = barrier->ops->begin(barrier);
	if (err)
		return err;
	err = decide(barrier, command, expired, run, context, arena, reply);
	/* A refused undo and a failure must leave nothing of what the handler wrote. */
	if (err || reply->outcome == MESSAGE_FAILED ||
	    (reply->outcome == MESSAGE_REFUSED && command->verb == MESSAGE_UNDO)) {
		barrier->ops->rollback(barrier);
		return err;
	}
	return barrier->ops->commit(barrier);
}

void barrier_close(struct barrier *barrier)
{
	if (barrier)
		barrier->ops->close(barrier);
}

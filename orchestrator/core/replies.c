/* replies.c - what answers, timeouts and timers mean for a saga. */
#include "orchestrator/core/decide.h"

/* --- replies ---------------------------------------------------------------------- */

static void note_reply(struct decision *d, const struct event *event)
{
	static const enum entry_type types[] = {
		[OUTCOME_OK] = ENTRY_OK,         [OUTCOME_REFUSED] = ENTRY_REFUSED,
		[OUTCOME_FAILED] = ENTRY_FAILED, [OUTCOME_EXPIRED] = ENTRY_EXPIRED,
		[OUTCOME_KILLED] = ENTRY_KILLED,
	};
	struct entry *entry;

	note(d, types[event->outcome], event->step, event->error.code);
	if (d->nomem)
		return;
	entry = &d->effects->entries[d->effects->n_entries - 1];
	entry->verb = event->verb;
	entry->attempt = event->attempt;
}

static void keep_error(struct decision *d, const struct event *event)
{
	static const char *const codes[] = {
		[OUTCOME_REFUSED] = "refused",
		[OUTCOME_FAILED] = "failed",
		[OUTCOME_EXPIRED] = "expired",
		[OUTCOME_KILLED] = "killed",
	};
	struct error error = event->error;

	if (!error.code.len)
		error.code = slice_of(codes[event->outcome]);
	step_of(d, event->step)->error = make_error(d, error.code, error.message);
}

/* Failed and timed out count only for the attempt that is under way. */
static bool is_current(const struct decision *d, const struct event *event)
{
	const struct step *step = step_of(d, event->step);

	return step_in_flight(definition_of(d, event->step), step) &&
	       step->verb == event->verb && step->attempt == event->attempt;
}

static bool forward_command(const struct step *step)
{
	return step->state == STEP_RUNNING || step->state == STEP_BACKOFF ||
	       (step->state == STEP_PARKED && step->verb != VERB_UNDO);
}

bool undo_command(const struct step *step)
{
	return step->state == STEP_UNDOING || step->state == STEP_UNDO_BACKOFF ||
	       (step->state == STEP_PARKED && step->verb == VERB_UNDO);
}

/* The attempt under way came to nothing, with or without an answer. */
static void attempt_failed(struct decision *d, const struct event *event)
{
	uint32_t i = event->step;
	struct step *step = step_of(d, i);

	if (step->verb == VERB_DO && d->saga->phase == PHASE_BACK) {
		step->state = STEP_IN_DOUBT;
		note(d, ENTRY_IN_DOUBT, i, (struct slice){0});
		return;
	}
	if (back_off(d, i, event->sent_ms))
		return;
	switch ((enum verb)step->verb) {
	case VERB_DO: settle_exhausted(d, i); break;
	case VERB_UNDO: settle_undo_failed(d, i, WHY_EXHAUSTED); break;
	case VERB_REVOKE: park(d, i, WHY_EXHAUSTED); break;
	}
}

static void expired(struct decision *d, uint32_t i, enum why why)
{
	struct step *step = step_of(d, i);

	if (step->verb == VERB_DO && d->saga->phase == PHASE_BACK) {
		step->state = STEP_IN_DOUBT;
		note(d, ENTRY_IN_DOUBT, i, (struct slice){0});
		return;
	}
	park(d, i, why);
}

/* An ok after the saga gave the step up: all that is left to do with it is to
 * tell the step's own undo what was done. */
static enum verdict late_ok(struct decision *d, const struct event *event)
{
	struct step *step = step_of(d, event->step);
	bool given_up = step->state == STEP_IN_DOUBT || step->state == STEP_SKIPPED;

	if (!given_up || step->flags & (FLAG_OUTPUT | FLAG_LATE | FLAG_WAIVED) ||
	    !step_needs_undo(definition_of(d, event->step), step))
		return VERDICT_IGNORED;
	step->output = event->payload;
	step->flags |= FLAG_LATE;
	note(d, ENTRY_LATE_OK, event->step, (struct slice){0});
	return VERDICT_TAKEN;
}

/* The attempt under way settles nothing: it failed, or is too old to be known. */
static enum verdict unsettled_reply(struct decision *d, const struct event *event)
{
	if (!is_current(d, event))
		return VERDICT_IGNORED;
	note_reply(d, event);
	keep_error(d, event);
	if (event->outcome == OUTCOME_FAILED)
		attempt_failed(d, event);
	else
		expired(d, event->step,
			event->outcome == OUTCOME_KILLED ? WHY_KILLED : WHY_EXPIRED);
	return VERDICT_TAKEN;
}

static enum verdict do_reply(struct decision *d, const struct event *event)
{
	uint32_t i = event->step;
	struct step *step = step_of(d, i);

	if (event->round != step->do_round)
		return VERDICT_IGNORED;
	switch (event->outcome) {
	case OUTCOME_OK:
		if (!forward_command(step))
			return late_ok(d, event);
		note_reply(d, event);
		settle_done(d, i, event->payload);
		return VERDICT_TAKEN;
	case OUTCOME_REFUSED:
		if (!forward_command(step) || step->why == WHY_REFUSED ||
		    (step->verb == VERB_REVOKE && step->flags & FLAG_UNANSWERED))
			return VERDICT_IGNORED;
		note_reply(d, event);
		keep_error(d, event);
		settle_refused(d, i);
		return VERDICT_TAKEN;
	case OUTCOME_FAILED:
	case OUTCOME_EXPIRED:
	case OUTCOME_KILLED: return unsettled_reply(d, event);
	}
	return VERDICT_IGNORED;
}

static enum verdict undo_reply(struct decision *d, const struct event *event)
{
	uint32_t i = event->step;
	struct step *step = step_of(d, i);

	if (!undo_command(step) || event->round != step->undo_round)
		return VERDICT_IGNORED;
	switch (event->outcome) {
	case OUTCOME_OK:
		note_reply(d, event);
		step->state = STEP_UNDONE;
		step->why = WHY_NOTHING;
		step->due_ms = 0;
		step->ended_ms = d->at_ms;
		return VERDICT_TAKEN;
	case OUTCOME_REFUSED:
		if (step->why == WHY_REFUSED)
			return VERDICT_IGNORED;
		note_reply(d, event);
		keep_error(d, event);
		settle_undo_failed(d, i, WHY_REFUSED);
		return VERDICT_TAKEN;
	case OUTCOME_FAILED:
	case OUTCOME_EXPIRED:
	case OUTCOME_KILLED: return unsettled_reply(d, event);
	}
	return VERDICT_IGNORED;
}

static enum verdict revoke_reply(struct decision *d, const struct event *event)
{
	uint32_t i = event->step;
	struct step *step = step_of(d, i);

	if (!forward_command(step) || step->verb != VERB_REVOKE ||
	    event->round != step->do_round)
		return VERDICT_IGNORED;
	switch (event->outcome) {
	case OUTCOME_OK: /* barred for good */
		note_reply(d, event);
		step->state = STEP_UNDONE;
		step->why = WHY_NOTHING;
		step->flags &= (uint8_t)~FLAG_TOUCHED;
		step->ended_ms = d->at_ms;
		turn_back(d, d->saga->failure_step, d->saga->failure);
		return VERDICT_TAKEN;
	case OUTCOME_REFUSED: /* it was done already; the reply has its output */
		note_reply(d, event);
		settle_done(d, i, event->payload);
		return VERDICT_TAKEN;
	case OUTCOME_FAILED:
	case OUTCOME_EXPIRED:
	case OUTCOME_KILLED: return unsettled_reply(d, event);
	}
	return VERDICT_IGNORED;
}

/* Whether that command can have been sent at all. Nothing that a participant
 * says may settle an await, or a step of which it was never told. */
static bool was_sent(const struct decision *d, const struct event *event)
{
	const struct step *step = step_of(d, event->step);
	enum form form = definition_of(d, event->step)->form;

	if (event->outcome == OUTCOME_KILLED && form != FORM_SAGA)
		return false; /* nobody can say that but the engine, of a child */
	if (!form_commands(form) && !(form == FORM_NOTHING && event->verb == VERB_UNDO))
		return false;
	return event->verb != step->verb ||
	       (event->attempt > 0 && event->attempt <= step->attempt);
}

enum verdict take_reply(struct decision *d, const struct event *event)
{
	if (event->step >= d->saga->n_steps || saga_ended(d->saga) || !was_sent(d, event))
		return VERDICT_IGNORED;
	switch (event->verb) {
	case VERB_DO: return do_reply(d, event);
	case VERB_UNDO: return undo_reply(d, event);
	case VERB_REVOKE: return revoke_reply(d, event);
	}
	return VERDICT_IGNORED;
}

/* --- time --------------------------------------------------------------------------- */

enum verdict take_timeout(struct decision *d, const struct event *event)
{
	struct step *step;

	if (event->step >= d->saga->n_steps || saga_ended(d->saga))
		return VERDICT_IGNORED;
	step = step_of(d, event->step);
	if (!is_current(d, event) || event->round != present_round(step))
		return VERDICT_IGNORED;
	if (step->verb == VERB_DO)
		step->flags |= FLAG_UNANSWERED;
	step->error = make_error(d, SLICE_LITERAL("timeout"),
				 SLICE_LITERAL("no answer within the timeout of the attempt"));
	note(d, ENTRY_TIMEOUT, event->step, (struct slice){0});
	attempt_failed(d, event);
	return VERDICT_TAKEN;
}

enum verdict take_due(struct decision *d, const struct event *event)
{
	struct step *step;

	if (event->step >= d->saga->n_steps || saga_ended(d->saga))
		return VERDICT_IGNORED;
	step = step_of(d, event->step);
	if (!step->due_ms)
		return VERDICT_IGNORED;
	if (step->state == STEP_RUNNING) {
		settle_due(d, event->step);
		return VERDICT_TAKEN;
	}
	if (d->saga->flags & SAGA_PAUSED || step->verb != event->verb ||
	    step->attempt != event->attempt || event->round != present_round(step))
		return VERDICT_IGNORED;
	send_attempt(d, event->step);
	return VERDICT_TAKEN;
}

enum verdict take_deadline(struct decision *d)
{
	struct saga *saga = d->saga;

	if (saga->phase != PHASE_FORWARD || !saga->deadline_ms || saga->flags & SAGA_OVERDUE)
		return VERDICT_IGNORED;
	saga->flags |= SAGA_OVERDUE;
	note(d, ENTRY_DEADLINE, NO_STEP, (struct slice){0});
	if (!saga_passed_pivot(d->definition, saga) && !(saga->flags & SAGA_TURNING))
		want_back(d, NO_STEP,
			  make_error(d, SLICE_LITERAL("deadline"),
				     SLICE_LITERAL("the saga's deadline passed")));
	return VERDICT_TAKEN;
}

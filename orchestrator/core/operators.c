/* operators.c - what signals and operators may do to a saga. */
#include "orchestrator/core/decide.h"

/* --- signals and operators ----------------------------------------------------------- */

static enum verdict refuse(struct decision *d, const char *why)
{
	d->effects->refusal = why;
	return VERDICT_REFUSED;
}

static bool awaits_event(const struct definition *definition, struct slice event)
{
	for (uint32_t i = 0; i < definition->n_steps; i++)
		if (definition->steps[i].form == FORM_AWAIT &&
		    slice_equal(definition->steps[i].event, event))
			return true;
	return false;
}

enum verdict take_signal_event(struct decision *d, const struct event *event)
{
	struct saga *saga = d->saga;
	struct signal *signals;

	for (uint32_t n = 0; n < saga->n_signals; n++)
		if (slice_equal(saga->signals[n].id, event->id))
			return VERDICT_IGNORED;
	if (saga_ended(saga))
		return refuse(d, "the saga has ended: nothing awaits a signal any more");
	if (saga->phase == PHASE_BACK)
		return refuse(d, "the saga is compensating: nothing awaits a signal any more");
	if (!awaits_event(d->definition, event->name))
		return refuse(d, "no step of this saga awaits an event of that name");
	if (saga->n_signals == SIGNALS_MAX)
		return refuse(d, "the saga holds 100 signals, which is the most it takes");
	signals = arena_array(d->arena, saga->n_signals + 1, sizeof *signals);
	if (!signals)
		return VERDICT_NOMEM;
	if (saga->n_signals)
		memcpy(signals, saga->signals, saga->n_signals * sizeof *signals);
	signals[saga->n_signals] =
		(struct signal){event->id, event->name, event->payload, false};
	saga->signals = signals;
	saga->n_signals++;
	note(d, ENTRY_SIGNAL, NO_STEP, event->name);
	deliver_signals(d);
	return VERDICT_TAKEN;
}

static void note_operation(struct decision *d, const struct event *event, uint32_t step)
{
	struct bytes detail = BYTES(PAYLOAD_MAX, d->arena);

	bytes_text(&detail, event_text(event->type));
	if (event->reason.len) {
		bytes_text(&detail, ": ");
		bytes_append(&detail, event->reason);
	}
	d->nomem |= detail.err != OK;
	note(d, ENTRY_OPERATION, step, bytes_slice(&detail));
}

static enum verdict take_cancel(struct decision *d, const struct event *event)
{
	struct saga *saga = d->saga;

	if (saga_ended(saga))
		return refuse(d, "the saga has ended; a completed saga without a pivot can be "
				 "turned back with undo");
	if (saga->phase == PHASE_BACK || saga->flags & SAGA_TURNING)
		return VERDICT_IGNORED;
	if (saga_passed_pivot(d->definition, saga))
		return refuse(d,
			      "the saga has passed its pivot, the point of no return: it can "
			      "only go forward, be helped by retry or skip, or be killed");
	note_operation(d, event, NO_STEP);
	want_back(d, NO_STEP,
		  make_error(d, SLICE_LITERAL("cancelled"),
			     event->reason.len ? event->reason
					       : SLICE_LITERAL("an operator cancelled it")));
	return VERDICT_TAKEN;
}

static enum verdict take_undo(struct decision *d, const struct event *event)
{
	struct saga *saga = d->saga;

	switch ((enum phase)saga->phase) {
	case PHASE_FORWARD: return refuse(d, "the saga is not completed; cancel turns it back");
	case PHASE_BACK: return VERDICT_IGNORED;
	case PHASE_COMPENSATED: return refuse(d, "the saga is compensated already");
	case PHASE_KILLED:
		return refuse(d, "the saga was killed: nothing is done for it any more");
	case PHASE_COMPLETED: break;
	}
	if (saga->parent.len && !event->by_parent)
		return refuse(d,
			      "the saga is the child of another one, which counts on it: undo "
			      "that one, and this one is undone with it");
	if (d->definition->pivot != NO_STEP)
		return refuse(d,
			      "the saga passed its pivot, the point of no return: what it did "
			      "cannot be undone");
	note_operation(d, event, NO_STEP);
	saga->flags |= SAGA_REVERSED;
	saga->ended_ms = 0;
	turn_back(d, NO_STEP,
		  make_error(d, SLICE_LITERAL("undo"),
			     event->reason.len ? event->reason
					       : SLICE_LITERAL("an operator undid it")));
	return VERDICT_TAKEN;
}

static enum verdict take_pause(struct decision *d, const struct event *event)
{
	if (saga_ended(d->saga))
		return refuse(d, "the saga has ended");
	if (!!(d->saga->flags & SAGA_PAUSED) == (event->type == EVENT_PAUSE))
		return VERDICT_IGNORED;
	note_operation(d, event, NO_STEP);
	d->saga->flags ^= SAGA_PAUSED;
	return VERDICT_TAKEN;
}

/* Why the step cannot be retried; NULL: it can. */
static const char *no_retry(const struct step *step)
{
	switch ((enum step_state)step->state) {
	case STEP_BACKOFF:
	case STEP_UNDO_BACKOFF: return NULL;
	case STEP_PARKED:
		if (step->why == WHY_EXPIRED)
			return "the participant no longer knows whether it happened, so that a "
			       "retry could do it twice: find out, then skip the step (with "
			       "--output if it was done) or kill the saga";
		if (step->why == WHY_KILLED)
			return "the child saga was killed, and nobody undoes what it did: "
			       "settle "
			       "that by hand, then skip the step (with --output if it was "
			       "done) "
			       "or kill this saga, too";
		if (step->why == WHY_REFUSED && present_round(step) == ROUNDS_MAX)
			return "the step was retried 65,535 times, which is the most it can be";
		return NULL;
	case STEP_RUNNING:
	case STEP_UNDOING: return "an attempt is under way: wait for its answer or its timeout";
	case STEP_WAITING:
	case STEP_DONE:
	case STEP_REFUSED:
	case STEP_SKIPPED:
	case STEP_IN_DOUBT:
	case STEP_UNDONE:
	case STEP_NEVER: break;
	}
	return "only a step that is parked or waits for its next attempt can be retried";
}

static void retry_step(struct decision *d, uint32_t i)
{
	struct step *step = step_of(d, i);
	bool undo = step->verb == VERB_UNDO;

	if (step->state != STEP_PARKED) { /* the next attempt now */
		send_attempt(d, i);
		return;
	}
	step->base = step->attempt;
	step->budget_ms = 0;
	if (step->why == WHY_EXPRESSION || step->why == WHY_TIMEOUT) {
		/* Nothing was sent: begin it anew, now. */
		step->state = undo ? STEP_DONE : STEP_WAITING;
		step->why = WHY_NOTHING;
		return;
	}
	/* The stored refusal would answer the old command for ever. */
	if (step->why == WHY_REFUSED && undo) {
		step->undo_round++;
	} else if (step->why == WHY_REFUSED) {
		step->do_round++;
		step->flags &= (uint8_t)~FLAG_UNANSWERED;
		step->started_ms = 0;
	}
	send_attempt(d, i);
}

static enum verdict take_retry(struct decision *d, const struct event *event)
{
	struct saga *saga = d->saga;
	const char *why = "no step is parked or waits for its next attempt";
	bool any = false;

	if (saga_ended(saga))
		return refuse(d, "the saga has ended");
	if (saga->flags & SAGA_PAUSED)
		return refuse(d, "the saga is paused: resume it first");
	for (uint32_t i = 0; i < saga->n_steps; i++) {
		const char *not_this;

		if (event->step != NO_STEP && event->step != i)
			continue;
		not_this = no_retry(step_of(d, i));
		if (not_this) {
			if (event->step == i || step_of(d, i)->state == STEP_PARKED)
				why = not_this;
			continue;
		}
		note_operation(d, event, i);
		retry_step(d, i);
		any = true;
	}
	return any ? VERDICT_TAKEN : refuse(d, why);
}

static enum verdict skip_forward(struct decision *d, const struct event *event)
{
	uint32_t i = event->step;
	struct step *step = step_of(d, i);

	if (step->state != STEP_RUNNING && step->state != STEP_BACKOFF &&
	    step->state != STEP_PARKED)
		return refuse(d, step->state == STEP_WAITING
					 ? "the step has not started yet"
					 : "the step has ended: there is nothing to skip");
	if (step->state == STEP_RUNNING && form_is_block(definition_of(d, i)->form))
		return refuse(d,
			      definition_of(d, i)->form == FORM_PARALLEL
				      ? "a parallel step cannot be skipped while it runs; "
					"skip the steps in it"
				      : "an `each` cannot be skipped while it runs; skip the "
					"steps in it");
	note_operation(d, event, i);
	skip_all(d, i, WHY_OPERATOR);
	if (event->payload.len) {
		step->output = event->payload;
		step->flags |= FLAG_OUTPUT;
	}
	if (i == d->definition->pivot && d->saga->flags & SAGA_TURNING)
		go_on(d);
	return VERDICT_TAKEN;
}

static enum verdict take_skip(struct decision *d, const struct event *event)
{
	struct step *step;

	if (saga_ended(d->saga))
		return refuse(d, "the saga has ended");
	if (event->step >= d->saga->n_steps)
		return refuse(d, "the saga has no such step");
	if (d->saga->phase == PHASE_FORWARD)
		return skip_forward(d, event);
	step = step_of(d, event->step);
	if (!undo_command(step) || form_is_block(definition_of(d, event->step)->form))
		return refuse(d, "the saga is compensating: only a step that is being undone, "
				 "or whose undo is parked, can be skipped");
	note_operation(d, event, event->step);
	step->flags |= FLAG_WAIVED;
	skip_all(d, event->step, WHY_OPERATOR);
	return VERDICT_TAKEN;
}

static enum verdict take_kill(struct decision *d, const struct event *event)
{
	if (saga_ended(d->saga))
		return refuse(d, "the saga has ended");
	note_operation(d, event, NO_STEP);
	d->saga->phase = PHASE_KILLED;
	d->saga->ended_ms = d->at_ms;
	note(d, ENTRY_ENDED, NO_STEP, slice_of(phase_text(PHASE_KILLED)));
	return VERDICT_TAKEN;
}

enum verdict take_operation(struct decision *d, const struct event *event)
{
	switch (event->type) {
	case EVENT_CANCEL: return take_cancel(d, event);
	case EVENT_UNDO: return take_undo(d, event);
	case EVENT_PAUSE:
	case EVENT_RESUME: return take_pause(d, event);
	case EVENT_RETRY: return take_retry(d, event);
	case EVENT_SKIP: return take_skip(d, event);
	case EVENT_KILL: return take_kill(d, event);
	case EVENT_REPLY:
	case EVENT_TIMEOUT:
	case EVENT_DUE:
	case EVENT_DEADLINE:
	case EVENT_SIGNAL: break;
	}
	return VERDICT_IGNORED;
}

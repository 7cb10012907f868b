#include "orchestrator/core/saga.h"

#include "orchestrator/core/decide.h"

#include <assert.h>

/* --- what is to be sent --------------------------------------------------------- */

static bool same_attempt(const struct step *a, const struct step *b)
{
	return a->verb == b->verb && a->attempt == b->attempt && a->do_round == b->do_round &&
	       a->undo_round == b->undo_round;
}

static void add_command(struct decision *d, uint32_t i)
{
	const struct step_definition *definition = definition_of(d, i);
	const struct step *step = step_of(d, i);
	bool undo = step->verb == VERB_UNDO;
	struct json args = {d->args ? d->args[i] : (struct slice){0}};
	struct failure_text failure;

	/* What could be evaluated when the command began can be again: the values
	 * that it names have not changed since. */
	if (step->verb == VERB_REVOKE) {
		args = JSON_OF("{}");
	} else if (!args.text.len &&
		   d->evaluator->evaluate(d->evaluator, d->definition, d->saga, i,
					  undo ? PURPOSE_UNDO : PURPOSE_WITH, d->arena, &args,
					  &failure)) {
		d->nomem = true;
		return;
	}
	d->effects->commands[d->effects->n_commands++] = (struct command){
		.step = i,
		.verb = (enum verb)step->verb,
		.round = present_round(step),
		.do_round = step->do_round,
		.alone = undo && definition->form == FORM_NOTHING,
		.attempt = step->attempt,
		.timeout_ms = undo ? definition->undo.timeout_ms : definition->call.timeout_ms,
		.first_ms = step->started_ms,
		.args = args.text,
		.output = undo ? step->output : (struct slice){0},
	};
}

/* The commands in flight that were not in flight before. */
static void collect_commands(struct decision *d)
{
	const struct saga *before = d->before;
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->saga->n_steps; i++)
		n += step_in_flight(definition_of(d, i), step_of(d, i));
	if (!n)
		return;
	d->effects->commands = arena_array(d->arena, n, sizeof *d->effects->commands);
	if (!d->effects->commands) {
		d->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < d->saga->n_steps && !d->nomem; i++) {
		if (!step_in_flight(definition_of(d, i), step_of(d, i)))
			continue;
		if (before && step_in_flight(definition_of(d, i), &before->steps[i]) &&
		    same_attempt(&before->steps[i], step_of(d, i)))
			continue;
		add_command(d, i);
	}
}

/* --- replies ---------------------------------------------------------------------- */

static void note_reply(struct decision *d, const struct event *event)
{
	static const enum entry_type types[] = {
		[OUTCOME_OK] = ENTRY_OK,
		[OUTCOME_REFUSED] = ENTRY_REFUSED,
		[OUTCOME_FAILED] = ENTRY_FAILED,
		[OUTCOME_EXPIRED] = ENTRY_EXPIRED,
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
		[OUTCOME_OK] = "already-done",
		[OUTCOME_REFUSED] = "refused",
		[OUTCOME_FAILED] = "failed",
		[OUTCOME_EXPIRED] = "expired",
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

static bool undo_command(const struct step *step)
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

static void expired(struct decision *d, uint32_t i)
{
	struct step *step = step_of(d, i);

	if (step->verb == VERB_DO && d->saga->phase == PHASE_BACK) {
		step->state = STEP_IN_DOUBT;
		note(d, ENTRY_IN_DOUBT, i, (struct slice){0});
		return;
	}
	park(d, i, WHY_EXPIRED);
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
		if (!is_current(d, event))
			return VERDICT_IGNORED;
		note_reply(d, event);
		keep_error(d, event);
		if (event->outcome == OUTCOME_FAILED)
			attempt_failed(d, event);
		else
			expired(d, i);
		return VERDICT_TAKEN;
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
		if (!is_current(d, event))
			return VERDICT_IGNORED;
		note_reply(d, event);
		keep_error(d, event);
		if (event->outcome == OUTCOME_FAILED)
			attempt_failed(d, event);
		else
			expired(d, i);
		return VERDICT_TAKEN;
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
		step->due_ms = 0;
		step->ended_ms = d->at_ms;
		turn_back(d, d->saga->failure_step, d->saga->failure);
		return VERDICT_TAKEN;
	case OUTCOME_REFUSED: /* it was done already; the reply has its output */
		note_reply(d, event);
		settle_done(d, i, event->payload);
		return VERDICT_TAKEN;
	case OUTCOME_FAILED:
	case OUTCOME_EXPIRED:
		if (!is_current(d, event))
			return VERDICT_IGNORED;
		note_reply(d, event);
		keep_error(d, event);
		if (event->outcome == OUTCOME_FAILED)
			attempt_failed(d, event);
		else
			expired(d, i);
		return VERDICT_TAKEN;
	}
	return VERDICT_IGNORED;
}

/* Whether that command can have been sent at all. Nothing that a participant
 * says may settle an await, or a step of which it was never told. */
static bool was_sent(const struct decision *d, const struct event *event)
{
	const struct step *step = step_of(d, event->step);
	enum form form = definition_of(d, event->step)->form;

	if (form != FORM_CALL && !(form == FORM_NOTHING && event->verb == VERB_UNDO))
		return false;
	return event->verb != step->verb ||
	       (event->attempt > 0 && event->attempt <= step->attempt);
}

static enum verdict take_reply(struct decision *d, const struct event *event)
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

static enum verdict take_timeout(struct decision *d, const struct event *event)
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

static enum verdict take_due(struct decision *d, const struct event *event)
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

static enum verdict take_deadline(struct decision *d)
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

static enum verdict take_signal_event(struct decision *d, const struct event *event)
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
	if (!signals) {
		d->nomem = true;
		return VERDICT_NOMEM;
	}
	if (saga->n_signals)
		memcpy(signals, saga->signals, saga->n_signals * sizeof *signals);
	signals[saga->n_signals] =
		(struct signal){event->id, event->name, event->payload, false};
	saga->signals = signals;
	saga->n_signals++;
	d->signals_copied = true;
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
		/* Nothing was sent: begin it anew. */
		step->state = undo ? (step->flags & FLAG_TOUCHED ? STEP_IN_DOUBT : STEP_DONE)
				   : STEP_WAITING;
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
	if (step->state == STEP_RUNNING && definition_of(d, i)->form == FORM_PARALLEL)
		return refuse(d, "a parallel step cannot be skipped while it runs; skip the "
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
	if (!undo_command(step) || definition_of(d, event->step)->form == FORM_PARALLEL)
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

/* --- deciding -------------------------------------------------------------------------- */

static enum verdict take(struct decision *d, const struct event *event)
{
	switch (event->type) {
	case EVENT_REPLY: return take_reply(d, event);
	case EVENT_TIMEOUT: return take_timeout(d, event);
	case EVENT_DUE: return take_due(d, event);
	case EVENT_DEADLINE: return take_deadline(d);
	case EVENT_SIGNAL: return take_signal_event(d, event);
	case EVENT_CANCEL: return take_cancel(d, event);
	case EVENT_UNDO: return take_undo(d, event);
	case EVENT_PAUSE:
	case EVENT_RESUME: return take_pause(d, event);
	case EVENT_RETRY: return take_retry(d, event);
	case EVENT_SKIP: return take_skip(d, event);
	case EVENT_KILL: return take_kill(d, event);
	}
	return VERDICT_IGNORED;
}

/* Go as far as the new state allows, then read off what is to be sent. */
static enum verdict conclude(struct decision *d)
{
	if (!(d->saga->flags & SAGA_PAUSED) && !d->nomem) {
		if (d->saga->phase == PHASE_FORWARD)
			advance(d);
		if (d->saga->phase == PHASE_BACK && !d->nomem)
			retreat(d);
	}
	if (!d->nomem && !saga_ended(d->saga))
		collect_commands(d);
	return d->nomem ? VERDICT_NOMEM : VERDICT_TAKEN;
}

enum verdict saga_begin(const struct definition *definition, const struct evaluator *evaluator,
			const struct start *start, struct arena *arena, struct saga *after,
			struct effects *effects)
{
	struct decision d = {.definition = definition,
			     .evaluator = evaluator,
			     .arena = arena,
			     .saga = after,
			     .effects = effects,
			     .at_ms = start->at_ms,
			     .actor = start->actor};

	assert(saga_id_valid(start->id));
	*effects = (struct effects){0};
	*after = (struct saga){
		.id = start->id,
		.key = start->key,
		.phase = PHASE_FORWARD,
		.revision = 1,
		.started_ms = start->at_ms,
		.updated_ms = start->at_ms,
		.deadline_ms =
			definition->deadline_ms ? start->at_ms + definition->deadline_ms : 0,
		.input = start->input,
		.failure_step = NO_STEP,
		.n_steps = definition->n_steps,
	};
	after->steps = arena_array(arena, definition->n_steps, sizeof *after->steps);
	if (!after->steps)
		return VERDICT_NOMEM;
	note(&d, ENTRY_STARTED, NO_STEP, (struct slice){0});
	return conclude(&d);
}

enum verdict saga_step(const struct definition *definition, const struct evaluator *evaluator,
		       const struct saga *before, const struct event *event,
		       struct arena *arena, struct saga *after, struct effects *effects)
{
	struct decision d = {.definition = definition,
			     .evaluator = evaluator,
			     .arena = arena,
			     .before = before,
			     .saga = after,
			     .effects = effects,
			     .at_ms = event->at_ms,
			     .actor = event->actor};
	enum verdict verdict;

	assert(before->n_steps == definition->n_steps);
	*effects = (struct effects){0};
	*after = *before;
	after->steps = arena_array(arena, before->n_steps, sizeof *after->steps);
	if (!after->steps)
		return VERDICT_NOMEM;
	memcpy(after->steps, before->steps, before->n_steps * sizeof *after->steps);
	verdict = take(&d, event);
	if (verdict != VERDICT_TAKEN)
		return verdict;
	after->revision++;
	after->updated_ms = event->at_ms;
	return conclude(&d);
}

enum verdict saga_resume(const struct definition *definition, const struct evaluator *evaluator,
			 const struct saga *saga, struct arena *arena, struct effects *effects)
{
	struct saga copy = *saga;
	struct decision d = {.definition = definition,
			     .evaluator = evaluator,
			     .arena = arena,
			     .saga = &copy,
			     .effects = effects,
			     .at_ms = saga->updated_ms};

	assert(saga->n_steps == definition->n_steps);
	*effects = (struct effects){0};
	if (!saga_ended(saga))
		collect_commands(&d);
	return d.nomem ? VERDICT_NOMEM : VERDICT_TAKEN;
}

/* --- timers --------------------------------------------------------------------------------
 */

static bool step_timer(const struct saga *saga, uint32_t i, struct timer *out)
{
	const struct step *step = &saga->steps[i];
	bool backoff = step->state == STEP_BACKOFF || step->state == STEP_UNDO_BACKOFF;

	if (!step->due_ms || (backoff && saga->flags & SAGA_PAUSED) ||
	    (!backoff && step->state != STEP_RUNNING))
		return false;
	*out = (struct timer){
		.type = EVENT_DUE,
		.at_ms = step->due_ms,
		.step = i,
		.verb = (enum verb)step->verb,
		.round = present_round(step),
		.attempt = step->attempt,
	};
	return true;
}

bool saga_timer(const struct definition *definition, const struct saga *saga, uint32_t n,
		struct timer *out)
{
	if (saga_ended(saga))
		return false;
	if (saga->phase == PHASE_FORWARD && saga->deadline_ms &&
	    !(saga->flags & SAGA_OVERDUE)) {
		*out = (struct timer){
			.type = EVENT_DEADLINE, .at_ms = saga->deadline_ms, .step = NO_STEP};
		if (n-- == 0)
			return true;
	}
	for (uint32_t i = 0; i < definition->n_steps; i++)
		if (step_timer(saga, i, out) && n-- == 0)
			return true;
	return false;
}

bool saga_next_timer(const struct definition *definition, const struct saga *saga,
		     struct timer *out)
{
	struct timer timer;
	bool any = false;

	if (saga_ended(saga))
		return false;
	any = saga_timer(definition, saga, 0, out);
	if (!any)
		return false;
	for (uint32_t i = 0; i < definition->n_steps; i++)
		if (step_timer(saga, i, &timer) && timer.at_ms < out->at_ms)
			*out = timer;
	return true;
}

/* --- looking -------------------------------------------------------------------------------
 */

bool saga_ended(const struct saga *saga)
{
	return saga->phase == PHASE_COMPLETED || saga->phase == PHASE_COMPENSATED ||
	       saga->phase == PHASE_KILLED;
}

enum status saga_status(const struct saga *saga)
{
	switch ((enum phase)saga->phase) {
	case PHASE_COMPLETED: return STATUS_COMPLETED;
	case PHASE_COMPENSATED: return STATUS_COMPENSATED;
	case PHASE_KILLED: return STATUS_KILLED;
	case PHASE_FORWARD:
	case PHASE_BACK: break;
	}
	for (uint32_t i = 0; i < saga->n_steps; i++)
		if (saga->steps[i].state == STEP_PARKED)
			return STATUS_PARKED;
	return saga->phase == PHASE_BACK ? STATUS_COMPENSATING : STATUS_RUNNING;
}

bool saga_passed_pivot(const struct definition *definition, const struct saga *saga)
{
	uint32_t pivot = definition->pivot;

	return pivot != NO_STEP && (saga->steps[pivot].state == STEP_DONE ||
				    saga->steps[pivot].state == STEP_SKIPPED);
}

bool step_needs_undo(const struct step_definition *definition, const struct step *step)
{
	if (!definition->has_undo || step->flags & FLAG_WAIVED)
		return false;
	return step->state == STEP_DONE || step->state == STEP_IN_DOUBT ||
	       (step->state == STEP_SKIPPED && step->flags & FLAG_TOUCHED);
}

bool step_in_flight(const struct step_definition *definition, const struct step *step)
{
	if (step->state == STEP_RUNNING)
		return definition->form == FORM_CALL;
	return step->state == STEP_UNDOING && definition->form != FORM_PARALLEL;
}

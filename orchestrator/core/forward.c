#include "orchestrator/core/decide.h"

#include <assert.h>

static bool passed_over(const struct step *step)
{
	return step->state == STEP_DONE || step->state == STEP_SKIPPED;
}

static void finish(struct decision *d, uint32_t i, enum step_state state, enum why why)
{
	struct step *step = step_of(d, i);

	step->state = (uint8_t)state;
	step->why = (uint8_t)why;
	step->due_ms = 0;
	step->ended_ms = d->at_ms;
}

/* --- how a step ends -------------------------------------------------------------- */

void settle_done(struct decision *d, uint32_t i, struct slice output)
{
	struct step *step = step_of(d, i);

	step->output = output;
	step->flags |= FLAG_OUTPUT;
	finish(d, i, STEP_DONE, WHY_NOTHING);
	if (i == d->definition->pivot && d->saga->flags & SAGA_TURNING)
		go_on(d);
}

/* The step came to nothing. What is right then depends only on where it stands. */
static void give_up(struct decision *d, uint32_t i, enum step_state state, enum why why)
{
	const struct step_definition *definition = definition_of(d, i);
	struct step *step = step_of(d, i);

	if (d->saga->phase == PHASE_BACK) {
		finish(d, i, state, why);
		return;
	}
	if (definition->ignore_failure) {
		finish(d, i, STEP_SKIPPED, why);
		note(d, ENTRY_SKIPPED, i, slice_of(why_text(why)));
	} else if (definition->after_pivot) {
		park(d, i, why);
	} else {
		finish(d, i, state, why);
		turn_back(d, i, step->error);
	}
}

void settle_refused(struct decision *d, uint32_t i)
{
	struct step *step = step_of(d, i);
	bool pivot = i == d->definition->pivot;

	/* An earlier attempt without an answer may have happened after all. */
	if (!(step->flags & FLAG_UNANSWERED)) {
		step->flags &= (uint8_t)~FLAG_TOUCHED;
		give_up(d, i, STEP_REFUSED, WHY_REFUSED);
	} else if (pivot && step->verb == VERB_DO) {
		want_back(d, i, step->error);
	} else if (!pivot) {
		give_up(d, i, STEP_IN_DOUBT, WHY_REFUSED);
	}
}

void settle_exhausted(struct decision *d, uint32_t i)
{
	if (i == d->definition->pivot)
		want_back(d, i, step_of(d, i)->error);
	else
		give_up(d, i, STEP_IN_DOUBT, WHY_EXHAUSTED);
}

void settle_due(struct decision *d, uint32_t i)
{
	const struct step_definition *definition = definition_of(d, i);
	struct step *step = step_of(d, i);

	if (definition->form == FORM_SLEEP || definition->await_continue) {
		note(d, ENTRY_LEFT, i, (struct slice){0});
		settle_done(d, i, (struct slice){0});
		return;
	}
	step->error = make_error(d, SLICE_LITERAL("timeout"),
				 SLICE_LITERAL("the awaited event did not come in time"));
	note(d, ENTRY_TIMEOUT, i, definition->event);
	give_up(d, i, STEP_REFUSED, WHY_TIMEOUT);
}

/* --- signals ----------------------------------------------------------------------- */

/* The oldest unused signal of that event becomes the await's output. */
static bool take_signal(struct decision *d, uint32_t i)
{
	struct saga *saga = d->saga;
	struct signal *signals;
	uint32_t n;

	for (n = 0; n < saga->n_signals; n++)
		if (!saga->signals[n].used &&
		    slice_equal(saga->signals[n].event, definition_of(d, i)->event))
			break;
	if (n == saga->n_signals)
		return false;
	signals = arena_array(d->arena, saga->n_signals, sizeof *signals);
	if (!signals) {
		d->nomem = true;
		return false;
	}
	memcpy(signals, saga->signals, saga->n_signals * sizeof *signals);
	saga->signals = signals;
	note(d, ENTRY_LEFT, i, signals[n].event);
	settle_done(d, i, signals[n].payload);
	signals[n].used = true;
	signals[n].payload = (struct slice){0};
	return true;
}

/* An await that parked because its time was over still takes its event. */
static bool awaits(const struct step_definition *definition, const struct step *step)
{
	return definition->form == FORM_AWAIT &&
	       (step->state == STEP_RUNNING ||
		(step->state == STEP_PARKED && step->why == WHY_TIMEOUT));
}

void deliver_signals(struct decision *d)
{
	for (uint32_t i = 0; i < d->saga->n_steps; i++)
		if (awaits(definition_of(d, i), step_of(d, i)))
			take_signal(d, i);
}

/* --- how a step starts -------------------------------------------------------------- */

/* An expression failed before anything was sent. */
static void refuse_unsent(struct decision *d, uint32_t i)
{
	give_up(d, i, STEP_REFUSED, WHY_EXPRESSION);
}

static void start_sleep(struct decision *d, uint32_t i)
{
	const struct step_definition *definition = definition_of(d, i);
	struct step *step = step_of(d, i);
	struct decimal until;
	struct json value;

	step->due_ms = d->at_ms + definition->sleep_ms;
	if (definition->until) {
		if (evaluate(d, i, PURPOSE_UNTIL, &value)) {
			refuse_unsent(d, i);
			return;
		}
		step->due_ms = json_number(value, &until) ? 0 : until.coefficient;
	}
	step->state = STEP_RUNNING;
	step->started_ms = d->at_ms;
	note(d, ENTRY_ENTERED, i, (struct slice){0});
	if (step->due_ms <= d->at_ms)
		settle_due(d, i);
}

static void start_await(struct decision *d, uint32_t i)
{
	const struct step_definition *definition = definition_of(d, i);
	struct step *step = step_of(d, i);

	step->state = STEP_RUNNING;
	step->started_ms = d->at_ms;
	note(d, ENTRY_ENTERED, i, definition->event);
	if (!take_signal(d, i))
		step->due_ms = definition->await_ms ? d->at_ms + definition->await_ms : 0;
}

static void start_each(struct decision *d, uint32_t i)
{
	struct json list;

	if (evaluate(d, i, PURPOSE_IN, &list)) {
		refuse_unsent(d, i);
		return;
	}
	if (!expand(d, i, list)) {
		refuse_unsent(d, i);
		return;
	}
	step_of(d, i)->state = STEP_RUNNING;
	step_of(d, i)->started_ms = d->at_ms;
	note(d, ENTRY_ENTERED, i, (struct slice){0});
}

/* What stands before the step is done. */
static void start(struct decision *d, uint32_t i)
{
	const struct step_definition *definition = definition_of(d, i);
	struct step *step = step_of(d, i);
	struct json value;

	if (definition->when) {
		if (evaluate(d, i, PURPOSE_WHEN, &value)) {
			refuse_unsent(d, i);
			return;
		}
		if (!json_bool(value)) {
			skip_all(d, i, WHY_CONDITION);
			return;
		}
	}
	switch (definition->form) {
	case FORM_CALL:
	case FORM_SAGA:
		if (evaluate_args(d, i, PURPOSE_WITH))
			refuse_unsent(d, i);
		else
			begin_command(d, i, VERB_DO);
		break;
	case FORM_NOTHING: finish(d, i, STEP_DONE, WHY_NOTHING); break;
	case FORM_PARALLEL:
		step->state = STEP_RUNNING;
		step->started_ms = d->at_ms;
		note(d, ENTRY_ENTERED, i, (struct slice){0});
		break;
	case FORM_AWAIT: start_await(d, i); break;
	case FORM_SLEEP: start_sleep(d, i); break;
	case FORM_EACH: start_each(d, i); break;
	}
}

static bool advance_list(struct decision *d, struct block_list list);

/* Run the step as far as it goes. True: go on with the next one. */
static bool advance_step(struct decision *d, uint32_t i)
{
	struct block_list list;
	bool all = true;

	if (step_of(d, i)->state == STEP_WAITING)
		start(d, i);
	if (step_of(d, i)->state == STEP_RUNNING && form_is_block(definition_of(d, i)->form)) {
		for (uint32_t n = 0; block_list(d, i, n, &list); n++)
			if (!advance_list(d, list))
				all = false;
		if (all && d->saga->phase == PHASE_FORWARD) {
			note(d, ENTRY_LEFT, i, (struct slice){0});
			finish(d, i, STEP_DONE, WHY_NOTHING);
			if (definition_of(d, i)->form == FORM_EACH)
				step_of(d, i)->flags |= FLAG_OUTPUT; /* its steps' lists */
		}
	}
	return passed_over(step_of(d, i)) && d->saga->phase == PHASE_FORWARD && !d->nomem;
}

static bool advance_list(struct decision *d, struct block_list list)
{
	for (uint32_t i = list.first; i != NO_STEP; i = d->definition->steps[i].next)
		if (d->saga->phase != PHASE_FORWARD || !advance_step(d, i + list.shift))
			return false;
	return true;
}

void advance(struct decision *d)
{
	struct saga *saga = d->saga;
	struct json output = {0};

	if (!advance_list(d, (struct block_list){d->definition->top.first,
						 d->definition->top.last, 0}))
		return;
	/* Everything is done by now: a result that cannot be told undoes nothing. */
	if (d->definition->output && !evaluate(d, NO_STEP, PURPOSE_OUTPUT, &output))
		saga->output = output.text;
	saga->phase = PHASE_COMPLETED;
	saga->ended_ms = d->at_ms;
	note(d, ENTRY_ENDED, NO_STEP, slice_of(phase_text(PHASE_COMPLETED)));
}

/* --- the pivot ------------------------------------------------------------------------ */

void want_back(struct decision *d, uint32_t cause, const struct error *failure)
{
	struct saga *saga = d->saga;
	uint32_t pivot = d->definition->pivot;
	struct step *step = pivot == NO_STEP ? NULL : step_of(d, pivot);

	if (!step || (step->state != STEP_RUNNING && step->state != STEP_BACKOFF &&
		      step->state != STEP_PARKED)) {
		turn_back(d, cause, failure);
		return;
	}
	saga->flags |= SAGA_TURNING;
	saga->failure = failure;
	saga->failure_step = cause;
	begin_command(d, pivot, VERB_REVOKE);
}

void go_on(struct decision *d)
{
	d->saga->flags &= (uint8_t)~SAGA_TURNING;
	d->saga->failure = NULL;
	d->saga->failure_step = NO_STEP;
	note(d, ENTRY_WENT_ON, d->definition->pivot, (struct slice){0});
}

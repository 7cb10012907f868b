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
	struct json key = {0}, args = {i < d->n_args ? d->args[i] : (struct slice){0}};
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
	if (definition->child_key && step->verb == VERB_DO &&
	    d->evaluator->evaluate(d->evaluator, d->definition, d->saga, i, PURPOSE_KEY,
				   d->arena, &key, &failure)) {
		d->nomem = true;
		return;
	}
	d->effects->commands[d->effects->n_commands++] = (struct command){
		.step = i,
		.at = saga_instance(d->definition, d->saga, i),
		.key = key.text,
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
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->saga->n_steps; i++)
		n += step_in_flight(definition_of(d, i), step_of(d, i));
	d->effects->commands = arena_array(d->arena, n, sizeof *d->effects->commands);
	if (!d->effects->commands) {
		d->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < d->saga->n_steps && !d->nomem; i++) {
		const struct step *before;

		if (!step_in_flight(definition_of(d, i), step_of(d, i)))
			continue;
		before = step_before(d, i);
		if (before && step_in_flight(definition_of(d, i), before) &&
		    same_attempt(before, step_of(d, i)))
			continue;
		add_command(d, i);
	}
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
	case EVENT_CANCEL:
	case EVENT_UNDO:
	case EVENT_PAUSE:
	case EVENT_RESUME:
	case EVENT_RETRY:
	case EVENT_SKIP:
	case EVENT_KILL: return take_operation(d, event);
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
	if (!d->nomem)
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
		.parent = start->parent,
		.phase = PHASE_FORWARD,
		.revision = 1,
		.started_ms = start->at_ms,
		.updated_ms = start->at_ms,
		.deadline_ms =
			definition->deadline_ms ? start->at_ms + definition->deadline_ms : 0,
		.input = start->input,
		.failure_step = NO_STEP,
		.n_steps = definition->n_steps,
		.expansions = start->expansions,
		.n_expansions = start->n_expansions,
	};
	for (uint32_t i = 0; i < start->n_expansions; i++)
		after->n_steps += expansion_added(definition, &start->expansions[i]);
	after->steps = arena_array(arena, after->n_steps, sizeof *after->steps);
	if (!after->steps)
		return VERDICT_NOMEM;
	note(&d, ENTRY_STARTED, NO_STEP, (struct slice){0});
	if (start->barred)
		turn_back(&d, NO_STEP,
			  make_error(&d, SLICE_LITERAL("barred"),
				     SLICE_LITERAL("it was to be undone before it began")));
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

	assert(before->n_steps >= definition->n_steps);
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

	assert(saga->n_steps >= definition->n_steps);
	*effects = (struct effects){0};
	if (!saga_ended(saga))
		collect_commands(&d);
	return d.nomem ? VERDICT_NOMEM : VERDICT_TAKEN;
}

enum verdict saga_resume_step(const struct definition *definition,
			      const struct evaluator *evaluator, const struct saga *saga,
			      uint32_t step, struct arena *arena, struct command *out)
{
	struct effects effects = {.commands = out};
	struct saga copy = *saga;
	struct decision d = {.definition = definition,
			     .evaluator = evaluator,
			     .arena = arena,
			     .saga = &copy,
			     .effects = &effects,
			     .at_ms = saga->updated_ms};

	assert(!saga_ended(saga) && step < saga->n_steps &&
	       step_in_flight(definition_of(&d, step), step_of(&d, step)));
	add_command(&d, step);
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
	for (uint32_t i = 0; i < saga->n_steps; i++)
		if (step_timer(saga, i, out) && n-- == 0)
			return true;
	return false;
}

bool saga_next_timer(const struct definition *definition, const struct saga *saga,
		     struct timer *out)
{
	struct timer timer;

	if (!saga_timer(definition, saga, 0, out))
		return false;
	for (uint32_t i = 0; i < saga->n_steps; i++)
		if (step_timer(saga, i, &timer) && timer.at_ms < out->at_ms)
			*out = timer;
	return true;
}

size_t saga_payload_size(const struct saga *saga)
{
	size_t size = saga->input.len + saga->output.len;

	for (uint32_t i = 0; i < saga->n_expansions; i++)
		for (uint32_t n = 0; n < saga->expansions[i].n; n++)
			size += saga->expansions[i].items[n].len;
	for (uint32_t i = 0; i < saga->n_steps; i++)
		size += saga->steps[i].output.len;
	for (uint32_t i = 0; i < saga->n_signals; i++)
		size += saga->signals[i].payload.len + saga->signals[i].id.len +
			saga->signals[i].event.len;
	return size;
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
		return form_commands(definition->form);
	return step->state == STEP_UNDOING && !form_is_block(definition->form);
}

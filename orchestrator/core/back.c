#include "orchestrator/core/decide.h"

/* The do is in flight because of this very decision: it was not handed over. */
static bool begun_just_now(const struct decision *d, uint32_t i)
{
	const struct step *step = step_of(d, i);
	const struct step *before;

	if (step->state != STEP_RUNNING || !form_commands(definition_of(d, i)->form))
		return false;
	before = step_before(d, i);
	return !before || before->state != STEP_RUNNING;
}

/* The saga turns back before the do is sent, so that it is not sent at all. */
static void take_back(struct decision *d, uint32_t i)
{
	const struct step *before = step_before(d, i);
	struct effects *effects = d->effects;
	uint32_t kept = 0;

	*step_of(d, i) = before ? *before : (struct step){0};
	for (uint32_t n = 0; n < effects->n_entries; n++)
		if (effects->entries[n].type != ENTRY_SENT || effects->entries[n].step != i)
			effects->entries[kept++] = effects->entries[n];
	effects->n_entries = kept;
}

/* A command in flight is waited for until it answers or its attempt times out;
 * everything else is decided at once. */
static void turn_step(struct decision *d, uint32_t i)
{
	const struct step_definition *definition = definition_of(d, i);
	struct step *step = step_of(d, i);

	if (begun_just_now(d, i))
		take_back(d, i);
	switch ((enum step_state)step->state) {
	case STEP_WAITING: step->state = STEP_NEVER; break;
	case STEP_RUNNING:
		if (form_is_block(definition->form))
			step->state = STEP_UNDOING;
		else if (definition->form == FORM_SAGA)
			step->state = STEP_IN_DOUBT; /* a child is turned back at once */
		else if (definition->form != FORM_CALL)
			step->state = STEP_NEVER;
		break;
	case STEP_BACKOFF:
	case STEP_PARKED: /* it was sent: where nothing was, only what cannot turn back parks */
		step->state = STEP_IN_DOUBT;
		note(d, ENTRY_IN_DOUBT, i, (struct slice){0});
		break;
	case STEP_DONE:
		if (form_is_block(definition->form))
			step->state = STEP_UNDOING;
		break;
	case STEP_REFUSED:
	case STEP_SKIPPED:
	case STEP_IN_DOUBT:
	case STEP_NEVER: break;
	case STEP_UNDOING: /* before it turned back nothing was undone, but the pivot */
	case STEP_UNDO_BACKOFF:
	case STEP_UNDONE: break;
	}
	step->due_ms = 0;
}

void turn_back(struct decision *d, uint32_t cause, const struct error *failure)
{
	struct saga *saga = d->saga;

	saga->phase = PHASE_BACK;
	saga->flags &= (uint8_t)~SAGA_TURNING;
	saga->failure_step = cause;
	saga->failure = failure;
	note(d, ENTRY_TURNED, cause, failure ? failure->code : (struct slice){0});
	for (uint32_t i = 0; i < saga->n_steps; i++)
		turn_step(d, i);
}

/* Nothing of the step stands, or nothing that could be undone. */
static bool out_of_the_way(const struct step_definition *definition, const struct step *step)
{
	switch ((enum step_state)step->state) {
	case STEP_REFUSED:
	case STEP_UNDONE:
	case STEP_NEVER: return true;
	case STEP_DONE:
	case STEP_SKIPPED:
	case STEP_IN_DOUBT: return !step_needs_undo(definition, step);
	case STEP_WAITING:
	case STEP_RUNNING:
	case STEP_BACKOFF:
	case STEP_UNDOING:
	case STEP_UNDO_BACKOFF:
	case STEP_PARKED: return false;
	}
	return false;
}

static void start_undo(struct decision *d, uint32_t i)
{
	struct step *step = step_of(d, i);

	if (evaluate_args(d, i, PURPOSE_UNDO)) {
		step->verb = VERB_UNDO;
		step->attempt = 0;
		park(d, i, WHY_EXPRESSION);
		return;
	}
	begin_command(d, i, VERB_UNDO);
}

static bool retreat_list(struct decision *d, struct block_list list, bool clear);

/* `clear`: all that depends on the step is out of the way. Returns whether the
 * step itself is, too. */
static bool retreat_step(struct decision *d, uint32_t i, bool clear)
{
	const struct step_definition *definition = definition_of(d, i);
	struct step *step = step_of(d, i);
	struct block_list list;
	bool all = true;

	if (form_is_block(definition->form) && step->state == STEP_UNDOING) {
		for (uint32_t n = 0; block_list(d, i, n, &list); n++)
			if (!retreat_list(d, list, clear))
				all = false;
		if (all) {
			step->state = STEP_UNDONE;
			step->ended_ms = d->at_ms;
		}
		return all;
	}
	if (clear && step_needs_undo(definition, step))
		start_undo(d, i);
	return out_of_the_way(definition, step);
}

static bool retreat_list(struct decision *d, struct block_list list, bool clear)
{
	for (uint32_t i = list.last; i != NO_STEP; i = d->definition->steps[i].previous)
		if (!retreat_step(d, i + list.shift, clear))
			clear = false;
	return clear;
}

void retreat(struct decision *d)
{
	struct saga *saga = d->saga;

	struct block_list top = {d->definition->top.first, d->definition->top.last, 0};

	if (!retreat_list(d, top, true) || d->nomem)
		return;
	saga->phase = PHASE_COMPENSATED;
	saga->ended_ms = d->at_ms;
	note(d, ENTRY_ENDED, NO_STEP, slice_of(phase_text(PHASE_COMPENSATED)));
}

void settle_undo_failed(struct decision *d, uint32_t i, enum why why)
{
	struct step *step = step_of(d, i);

	if (!definition_of(d, i)->undo_skip) {
		park(d, i, why);
		return;
	}
	step->state = STEP_SKIPPED;
	step->why = (uint8_t)why;
	step->flags |= FLAG_WAIVED;
	step->due_ms = 0;
	step->ended_ms = d->at_ms;
	note(d, ENTRY_SKIPPED, i, slice_of(why_text(why)));
}

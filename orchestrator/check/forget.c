#include "orchestrator/check/forget.h"

#include "orchestrator/check/world.h"

/* Nothing is under way for the step, and nothing waits to be sent again. */
static bool settled(const struct step *step)
{
	switch ((enum step_state)step->state) {
	case STEP_WAITING:
	case STEP_DONE:
	case STEP_REFUSED:
	case STEP_SKIPPED:
	case STEP_IN_DOUBT:
	case STEP_UNDONE:
	case STEP_NEVER: return true;
	case STEP_RUNNING:
	case STEP_BACKOFF:
	case STEP_UNDOING:
	case STEP_UNDO_BACKOFF:
	case STEP_PARKED: break;
	}
	return false;
}

/* The arguments of its undo are known, whatever becomes of it. */
static bool undo_begun(const struct step *step)
{
	if (step->state == STEP_PARKED)
		return step->verb == VERB_UNDO && step->why != WHY_EXPRESSION;
	return step->state == STEP_UNDOING || step->state == STEP_UNDO_BACKOFF ||
	       step->state == STEP_UNDONE;
}

static void forget_attempts(struct step *step)
{
	uint32_t used = step->attempt - step->base;

	step->budget_ms = 0; /* all failures in the model are of the same moment */
	if (settled(step)) {
		step->verb = VERB_DO;
		step->why = WHY_NOTHING;
		step->due_ms = 0;
	}
	if (settled(step) || step->state == STEP_PARKED) {
		step->attempt = step->attempt > 0;
		step->base = 0;
	} else if (step->attempt) {
		step->base = used == 0;
		step->attempt = used ? used : 1;
	}
}

/* Whether an output is there matters to those who count on it, and to the
 * step's own undo until its arguments are known. */
static void forget_output(const struct model *model, uint32_t i, struct step *step,
			  struct books *books)
{
	bool own = model->steps[i].has_undo;
	/* An `each` tells whether its lists are there, also while it is undone. */
	bool begun = undo_begun(step) && !form_is_block(model->steps[i].form);

	if (begun)
		step->flags &= (uint8_t)~FLAG_LATE;
	if (begun || (!own && !step_set_has(&model->read, i))) {
		step->flags &= (uint8_t)~FLAG_OUTPUT;
		books->flags &= (uint8_t)~BOOKS_SKIPPED;
	}
}

/* Nothing that comes for the step makes a difference any more: any answer that
 * can come to an undone step may. */
static void forget_answers(struct step *step, struct books *books)
{
	for (uint32_t round = 0; round < ROUNDS; round++)
		if (books->records[round])
			books->records[round] = RECORD_BIT(RECORD_REFUSED) |
						RECORD_BIT(RECORD_BARRED) |
						RECORD_BIT(RECORD_UNDONE);
	books->undo_of[0] = (uint8_t)step->do_round;
	memset(books->undo_of + 1, 0, ROUNDS - 1);
	books->sent_undo = books->may_refuse = books->sent_undo != 0;
	books->flags = 0;
	step->undo_round = 0;
}

void forget_step(const struct model *model, const struct saga *saga, uint32_t i,
		 struct step *step, struct books *books)
{
	const struct step_definition *definition = &model->steps[i];
	bool past_undo = !definition->has_undo || saga_passed_pivot(&model->definition, saga);

	forget_attempts(step);
	if (settled(step) || step->verb == VERB_UNDO) { /* no refusal can matter */
		step->flags &= (uint8_t)~FLAG_UNANSWERED;
		books->flags &= (uint8_t)~BOOKS_UNANSWERED;
	}
	forget_output(model, i, step, books);
	if (settled(step) && past_undo) {
		step->flags &= (uint8_t)~FLAG_LATE;
		books->flags &= (uint8_t)~BOOKS_OLD;
	}
	if (step->state == STEP_DONE && i == model->definition.pivot)
		books->sent_revoke = books->sent_do; /* its answer is to be ignored */
	if (step->flags & FLAG_WAIVED || (step->state == STEP_UNDONE && world_clear(books))) {
		step->flags &= FLAG_WAIVED;
		forget_answers(step, books);
	}
	if (!form_commands(definition->form) && definition->form != FORM_NOTHING)
		step->started_ms = 0; /* no command will tell it */
}

/* Cancel and deadline have had their effect, or cannot have one any more. */
bool past_cancel(const struct model *model, const struct saga *saga)
{
	return saga->phase != PHASE_FORWARD || saga_passed_pivot(&model->definition, saga);
}

bool past_await(const struct model *model, const struct saga *saga, struct slice event)
{
	for (uint32_t i = 0; i < saga->n_steps; i++)
		if (model->steps[i].form == FORM_AWAIT &&
		    slice_equal(model->steps[i].event, event) &&
		    (!settled(&saga->steps[i]) || saga->steps[i].state == STEP_WAITING))
			return false;
	return true;
}

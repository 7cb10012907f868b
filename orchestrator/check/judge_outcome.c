#include "orchestrator/check/judge.h"

static const struct step *step_before(const struct play *play, uint32_t i)
{
	return &play->before.saga.steps[i];
}

static const struct step *step_after(const struct play *play, uint32_t i)
{
	return &play->after.saga.steps[i];
}

/* --- answers --------------------------------------------------------------------- */

static void judge_failed(struct play *play)
{
	const struct move *move = &play->move;
	const struct step *before = step_before(play, move->step);
	const struct step *after = step_after(play, move->step);
	bool waits = after->verb == before->verb &&
		     (after->state == STEP_BACKOFF || after->state == STEP_UNDO_BACKOFF);
	bool may = !move->spent && !attempts_used(play->model, move->step, before);

	if (play->before.saga.phase == PHASE_BACK && before->verb == VERB_DO)
		may = false;
	if (waits && !may)
		judge_found(play, RETRIES,
			    "the %s of %.*s is tried again without an attempt left",
			    verb_text((enum verb)move->verb),
			    SLICE_ARG(play_name(play, move->step)));
	if (!waits && may)
		judge_found(play, RETRIES, "the %s of %.*s is given up with attempts left",
			    verb_text((enum verb)move->verb),
			    SLICE_ARG(play_name(play, move->step)));
}

/* A step that was given up takes an output for its undo alone. */
static bool right_after_ok(const struct step *before, const struct step *after)
{
	bool late = before->state == STEP_IN_DOUBT || before->state == STEP_SKIPPED;

	return (after->flags & (FLAG_OUTPUT | FLAG_LATE)) == (late ? FLAG_LATE : FLAG_OUTPUT);
}

/* If an attempt before the refusal was not answered it may have happened. */
static bool right_after_refusal(const struct step *after, const struct books *books)
{
	bool dropped = after->state == STEP_REFUSED ||
		       (after->state == STEP_SKIPPED && !(after->flags & FLAG_TOUCHED));

	if (books->flags & BOOKS_UNANSWERED && dropped)
		return false;
	return after->verb != VERB_DO ||
	       (after->state != STEP_RUNNING && after->state != STEP_BACKOFF);
}

static void judge_answered(struct play *play)
{
	const struct move *move = &play->move;
	const struct step *after = step_after(play, move->step);
	bool ok = move->outcome == OUTCOME_OK;
	bool right = true;

	switch ((enum verb)move->verb) {
	case VERB_DO:
		right = ok ? right_after_ok(step_before(play, move->step), after)
			   : right_after_refusal(after, &play->before.world.books[move->step]);
		break;
	case VERB_UNDO:
		right = after->state == (ok ? STEP_UNDONE : STEP_PARKED) ||
			(!ok && after->flags & FLAG_WAIVED);
		break;
	case VERB_REVOKE: right = after->state == (ok ? STEP_UNDONE : STEP_DONE); break;
	}
	if (!right)
		judge_found(play, ANSWERS,
			    "the answer %s leaves %.*s in a state that is wrong then (%s)",
			    outcome_text((enum outcome)move->outcome),
			    SLICE_ARG(play_name(play, move->step)),
			    step_state_text((enum step_state)after->state));
}

/* --- time and operators ---------------------------------------------------------- */

static void judge_due(struct play *play)
{
	uint32_t i = play->move.step;
	const struct step_definition *definition = play_step(play, i);
	bool goes_on = definition->form == FORM_SLEEP || definition->await_continue;

	if (step_before(play, i)->state != STEP_RUNNING)
		return;
	if (goes_on != (step_after(play, i)->state == STEP_DONE))
		judge_found(play, ENDS,
			    "the time of %.*s is over, and it is not what its `then` says (%s)",
			    SLICE_ARG(definition->name),
			    step_state_text((enum step_state)step_after(play, i)->state));
}

/* Cancel and deadline turn the saga back, or have the pivot's revoke decide. */
static void judge_wanted_back(struct play *play)
{
	const struct saga *after = &play->after.saga;
	bool forward = after->phase == PHASE_FORWARD && !(after->flags & SAGA_TURNING);
	bool passed = saga_passed_pivot(&play->model->definition, &play->before.saga);

	if (forward && !passed)
		judge_found(play, ENDS, "%s does not turn the saga back",
			    event_text(play->event.type));
	if (!forward && passed)
		judge_found(play, NO_RETURN, "%s turns the saga back after its pivot",
			    event_text(play->event.type));
}

/* What was refused is tried anew in a round of its own, anything else in the same
 * one, and there are all attempts again. */
static void judge_retried(struct play *play)
{
	for (uint32_t i = 0; i < play->after.saga.n_steps; i++) {
		const struct step *before = step_before(play, i), *after = step_after(play, i);
		uint32_t rounds = present_round(after) - present_round(before);

		if (before->state != STEP_PARKED || before->why == WHY_EXPRESSION ||
		    !command_in_flight(play_step(play, i), after))
			continue;
		if (rounds != (before->why == WHY_REFUSED) || after->attempt - after->base != 1)
			judge_found(
				play, OPERATIONS,
				"the retry of %.*s is attempt %u of round %u after round %u",
				SLICE_ARG(play_name(play, i)), after->attempt - after->base,
				present_round(after) + 1u, present_round(before) + 1u);
	}
}

/* --- steps that are passed over or given up -------------------------------------- */

static bool denied(const struct play *play, uint32_t i)
{
	for (; i != NO_STEP; i = play_step(play, i)->parent)
		if (step_set_has(&play->answers.denied, i))
			return true;
	return false;
}

static bool skipped_by_operator(const struct play *play, uint32_t i)
{
	const struct move *move = &play->move;

	return move->kind == MOVE_SKIP && model_inside(play->model, move->step, i);
}

/* A step that had not begun is skipped because of a condition, an operator or an
 * error that the definition ignores; and a condition that is false skips it. */
static void judge_skipped(struct play *play, uint32_t i)
{
	bool begin = play->move.kind == MOVE_BEGIN;
	bool waited = begin || step_before(play, i)->state == STEP_WAITING;
	bool skipped = step_after(play, i)->state == STEP_SKIPPED;
	bool absent = step_set_has(&play->answers.absent, i);
	bool ignored =
		play_step(play, i)->ignore_failure && step_set_has(&play->answers.failed, i);

	if (denied(play, i) && !skipped)
		judge_found(play, ORDER,
			    "the condition of %.*s is false, and it is not skipped (%s)",
			    SLICE_ARG(play_name(play, i)),
			    step_state_text((enum step_state)step_after(play, i)->state));
	if (absent && !skipped)
		judge_found(play, ORDER, "%.*s is not skipped although its list is shorter",
			    SLICE_ARG(play_name(play, i)));
	if (waited && skipped && !absent && !denied(play, i) && !ignored &&
	    !skipped_by_operator(play, i))
		judge_found(play, ORDER, "%.*s is skipped without a reason",
			    SLICE_ARG(play_name(play, i)));
}

/* An undo is given up by an operator, or where the definition says so. */
static void judge_waived(struct play *play, uint32_t i)
{
	const struct move *move = &play->move;
	uint8_t before = move->kind == MOVE_BEGIN ? 0 : step_before(play, i)->flags;
	bool by_policy = play_step(play, i)->undo_skip && move->step == i &&
			 (move->kind == MOVE_REPLY || move->kind == MOVE_TIMEOUT);
	bool by_operator =
		skipped_by_operator(play, i) && play->before.saga.phase == PHASE_BACK;

	if (~before & step_after(play, i)->flags & FLAG_WAIVED && !by_policy && !by_operator)
		judge_found(play, KEPT, "the undo of %.*s is given up for no reason",
			    SLICE_ARG(play_name(play, i)));
}

/* --- signals --------------------------------------------------------------------- */

static uint32_t count_used(const struct saga *saga)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < saga->n_signals; k++)
		n += saga->signals[k].used;
	return n;
}

/* Each signal is for one await. */
static void judge_signals(struct play *play)
{
	uint32_t n_used = count_used(&play->after.saga), n_done = 0;

	if (play->move.kind != MOVE_BEGIN)
		n_used -= count_used(&play->before.saga);
	for (uint32_t i = 0; i < play->after.saga.n_steps; i++) {
		bool due = play->move.kind == MOVE_DUE && play->move.step == i;
		bool was = play->move.kind != MOVE_BEGIN &&
			   step_before(play, i)->state == STEP_DONE;

		n_done += play_step(play, i)->form == FORM_AWAIT && !due && !was &&
			  step_after(play, i)->state == STEP_DONE;
	}
	if (n_used != n_done)
		judge_found(play, OPERATIONS, "%u awaits are done with %u signals", n_done,
			    n_used);
}

void judge_outcome(struct play *play)
{
	const struct move *move = &play->move;

	for (uint32_t i = 0; i < play->after.saga.n_steps; i++) {
		judge_skipped(play, i);
		judge_waived(play, i);
	}
	if (play->model->n_events)
		judge_signals(play);
	switch ((enum move_kind)move->kind) {
	case MOVE_TIMEOUT: judge_failed(play); break;
	case MOVE_REPLY:
		if (move->outcome == OUTCOME_FAILED)
			judge_failed(play);
		else if (move->outcome != OUTCOME_EXPIRED && move->outcome != OUTCOME_KILLED)
			judge_answered(play);
		break;
	case MOVE_DUE: judge_due(play); break;
	case MOVE_CANCEL:
	case MOVE_DEADLINE: judge_wanted_back(play); break;
	case MOVE_RETRY: judge_retried(play); break;
	default: break;
	}
}

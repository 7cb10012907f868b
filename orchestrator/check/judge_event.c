#include "orchestrator/check/judge.h"

/* --- the event alone ------------------------------------------------------------- */

static void judge_pure(struct play *play)
{
	if (play->move.kind == MOVE_BEGIN)
		return;
	if (memcmp(play->pristine, play->before.saga.steps,
		   play->before.saga.n_steps * sizeof *play->pristine) != 0)
		judge_found(play, PURE, "the steps of the saga before were changed");
	if (play->verdict == VERDICT_TAKEN &&
	    play->after.saga.revision != play->before.saga.revision + 1)
		judge_found(play, PURE, "the revision went from %llu to %llu",
			    (unsigned long long)play->before.saga.revision,
			    (unsigned long long)play->after.saga.revision);
}

static void judge_arguments(struct play *play)
{
	static const char *const purposes[] = {
		[PURPOSE_WHEN] = "the condition",
		[PURPOSE_WITH] = "an argument",
		[PURPOSE_UNDO] = "an argument of the undo",
		[PURPOSE_UNTIL] = "the moment",
		[PURPOSE_OUTPUT] = "the result",
		[PURPOSE_IN] = "the list",
		[PURPOSE_KEY] = "the key",
	};
	const struct missing *missing = &play->answers.missing;
	const struct model *model = play->model;

	if (!missing->found)
		return;
	judge_found(play, ARGUMENTS, "%s of %.*s reads the output of %.*s, which is not there",
		    purposes[missing->purpose],
		    SLICE_ARG(missing->step == NO_STEP ? model->definition.name
						       : model->steps[missing->step].name),
		    SLICE_ARG(model->steps[missing->read].name));
}

static void judge_phase(struct play *play)
{
	enum phase before = (enum phase)play->before.saga.phase;
	enum phase after = (enum phase)play->after.saga.phase;
	bool right = false;

	if (play->move.kind == MOVE_BEGIN || play->verdict != VERDICT_TAKEN)
		return;
	switch (before) {
	case PHASE_FORWARD: right = after != PHASE_KILLED; break;
	case PHASE_BACK: right = after == PHASE_BACK || after == PHASE_COMPENSATED; break;
	case PHASE_COMPLETED:
		right = play->move.kind == MOVE_TURN_BACK &&
			(after == PHASE_BACK || after == PHASE_COMPENSATED);
		break;
	case PHASE_COMPENSATED:
	case PHASE_KILLED: break;
	}
	if (play->move.kind == MOVE_KILL)
		right = after == PHASE_KILLED && !play->effects.n_commands;
	if (!right)
		judge_found(play, ENDS, "the saga went from %s to %s", phase_text(before),
			    phase_text(after));
}

/* --- verdicts: what must be taken, and what must not ----------------------------- */

enum expectation { TAKE, LEAVE, EITHER };

static bool waits_for_do(const struct step *step)
{
	return step->state == STEP_RUNNING || step->state == STEP_BACKOFF ||
	       (step->state == STEP_PARKED && step->verb != VERB_UNDO);
}

static bool waits_for_undo(const struct step *step)
{
	return step->state == STEP_UNDOING || step->state == STEP_UNDO_BACKOFF ||
	       (step->state == STEP_PARKED && step->verb == VERB_UNDO);
}

/* The saga gave the step up and has not undone it yet: what was done there is
 * for the step's own undo to know. */
static bool wants_late_output(const struct step_definition *definition, const struct step *step)
{
	return (step->state == STEP_IN_DOUBT || step->state == STEP_SKIPPED) &&
	       step_needs_undo(definition, step) && !(step->flags & (FLAG_OUTPUT | FLAG_LATE));
}

static enum expectation expect_ok(const struct play *play)
{
	const struct move *move = &play->move;
	const struct step *step = &play->before.saga.steps[move->step];
	bool wanted = false;

	switch ((enum verb)move->verb) {
	case VERB_DO:
		wanted = waits_for_do(step) ||
			 wants_late_output(&play->model->steps[move->step], step);
		break;
	case VERB_UNDO: wanted = waits_for_undo(step); break;
	case VERB_REVOKE: wanted = waits_for_do(step) && step->verb == VERB_REVOKE; break;
	}
	return wanted ? TAKE : LEAVE;
}

/* What was parked by a refusal is not refused once more. */
static enum expectation expect_news(const struct step *step)
{
	return step->state == STEP_PARKED && step->why == WHY_REFUSED ? LEAVE : TAKE;
}

static enum expectation expect_refused(const struct play *play)
{
	const struct move *move = &play->move;
	const struct step *step = &play->before.saga.steps[move->step];

	switch ((enum verb)move->verb) {
	case VERB_DO:
		if (!waits_for_do(step))
			return LEAVE;
		/* A revoke under way says more. */
		return step->verb != VERB_DO ? EITHER : expect_news(step);
	case VERB_UNDO:
		if (!waits_for_undo(step))
			return LEAVE;
		return expect_news(step);
	case VERB_REVOKE: break;
	}
	return waits_for_do(step) && step->verb == VERB_REVOKE ? TAKE : LEAVE;
}

static enum expectation expect_reply(const struct play *play)
{
	const struct move *move = &play->move;
	const struct step *step = &play->before.saga.steps[move->step];
	uint32_t round = move->verb == VERB_UNDO ? step->undo_round : step->do_round;

	if (saga_ended(&play->before.saga) || move->round != round)
		return LEAVE;
	switch ((enum outcome)move->outcome) {
	case OUTCOME_OK: return expect_ok(play);
	case OUTCOME_REFUSED: return expect_refused(play);
	case OUTCOME_FAILED:
	case OUTCOME_EXPIRED:
	case OUTCOME_KILLED: break;
	}
	return TAKE;
}

static enum expectation expect_operation(const struct play *play)
{
	const struct saga *before = &play->before.saga;
	const struct move *move = &play->move;
	bool back = before->phase == PHASE_BACK;
	const struct step *step =
		move->step < before->n_steps ? &before->steps[move->step] : NULL;

	switch ((enum move_kind)move->kind) {
	case MOVE_CANCEL:
		return saga_ended(before) || back || before->flags & SAGA_TURNING ||
				       saga_passed_pivot(&play->model->definition, before)
			       ? LEAVE
			       : TAKE;
	case MOVE_TURN_BACK: return play->model->definition.pivot == NO_STEP ? TAKE : LEAVE;
	case MOVE_RETRY:
		if (before->flags & SAGA_PAUSED)
			return LEAVE;
		if (!step)
			return EITHER;
		return step->state == STEP_PARKED &&
				       (step->why == WHY_EXPIRED || step->why == WHY_KILLED)
			       ? LEAVE
			       : TAKE;
	case MOVE_SKIP:
		if (!back)
			return TAKE;
		return waits_for_undo(step) ? TAKE : LEAVE;
	default: return TAKE;
	}
}

static enum expectation expect(const struct play *play)
{
	const struct move *move = &play->move;

	if (move->stale)
		return LEAVE;
	switch ((enum move_kind)move->kind) {
	case MOVE_REPLY: return expect_reply(play);
	case MOVE_SIGNAL: return play->before.saga.phase == PHASE_FORWARD ? TAKE : LEAVE;
	case MOVE_SIGNAL_AGAIN: return LEAVE;
	case MOVE_BEGIN:
	case MOVE_TIMEOUT:
	case MOVE_DUE:
	case MOVE_DEADLINE: return TAKE;
	default: return expect_operation(play);
	}
}

static void judge_verdict(struct play *play)
{
	bool answer = play->move.kind == MOVE_REPLY || play->move.kind == MOVE_TIMEOUT ||
		      play->move.kind == MOVE_DUE;
	enum expectation expected = expect(play);
	bool taken = play->verdict == VERDICT_TAKEN;

	if (expected == EITHER || taken == (expected == TAKE))
		return;
	judge_found(play, answer ? ANSWERS : OPERATIONS,
		    taken ? "the saga takes a %s that must not count here"
			  : "the saga does not take a %s that must count here",
		    event_text(play->event.type));
}

void judge_event(struct play *play)
{
	judge_pure(play);
	judge_arguments(play);
	judge_phase(play);
	judge_verdict(play);
	if (play->verdict == VERDICT_TAKEN)
		judge_outcome(play);
}

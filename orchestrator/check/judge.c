#include "orchestrator/check/judge.h"

#include "orchestrator/check/world.h"

#include <stdarg.h>
#include <stdio.h>

const struct explore_invariant explore_invariants[] = {
	[ONCE] = {"once", "a do takes effect at most once per step"},
	[KEPT] = {"kept", "a saga that turns back undoes, keeps in hand or gives up on purpose "
			  "everything that took effect or still may"},
	[UNDO_ORDER] = {"undo-order",
			"an undo is sent only when no effect of a step that depends "
			"on it stands or can still come"},
	[NOT_REFUSED] = {"not-refused",
			 "what was never done, or plainly refused, is not undone"},
	[NO_RETURN] = {"no-return", "once the pivot took effect or was passed over, nothing is "
				    "undone"},
	[ORDER] = {"order",
		   "a step is sent only after all steps before it are done or skipped"},
	[ENDS] = {"ends",
		  "cancel and deadline turn the saga back, or the pivot is done; a saga "
		  "changes only the way it may, and once it has ended not at all"},
	[COMPLETED] = {"completed", "in a completed saga every step is skipped, or done and in "
				    "effect"},
	[ALIVE] = {"alive",
		   "a saga that has not ended waits for a timer, an answer or a person"},
	[RESUMABLE] = {"resumable", "what is sent follows from the state, and a restarted "
				    "orchestrator waits for nothing that was never sent"},
	[RETRIES] = {"retries",
		     "a failed command is tried again while attempts and budget last, "
		     "and not longer"},
	[ANSWERS] = {"answers",
		     "an ok or refusal of any attempt counts, a failure or timeout of "
		     "the current one only, and nothing else"},
	[OPERATIONS] = {"operations", "operators and signals get what is possible, and a no "
				      "otherwise"},
	[PAUSED] = {"paused", "a paused saga sends nothing"},
	[ARGUMENTS] = {"arguments", "no expression reads an output that is not there"},
	[PURE] = {"pure", "saga_step decides the same from the same, leaves the saga before as "
			  "it is and counts the revision up by one"},
	[END_REACHABLE] = {"end-reachable",
			   "from every state the saga can be completed or "
			   "compensated, or is parked and a person can help it"},
};
const size_t explore_n_invariants = sizeof explore_invariants / sizeof *explore_invariants;

void judge_found(struct play *play, enum invariant invariant, const char *format, ...)
{
	va_list args;

	if (play->finding.invariant)
		return;
	play->finding.invariant = &explore_invariants[invariant];
	va_start(args, format);
	vsnprintf(play->finding.what, sizeof play->finding.what, format, args);
	va_end(args);
}

void judge_impure(struct play *play)
{
	judge_found(play, PURE,
		    "the same event, decided twice in the same state, came out "
		    "differently");
}

/* --- a new state ----------------------------------------------------------------- */

/* The saga still has to do with the step: it waits for its answer, or will undo
 * it, or has parked it. */
static bool in_hand(const struct step_definition *definition, const struct step *step)
{
	switch ((enum step_state)step->state) {
	case STEP_RUNNING:
	case STEP_BACKOFF:
	case STEP_UNDOING:
	case STEP_UNDO_BACKOFF:
	case STEP_PARKED: return true;
	case STEP_DONE:
	case STEP_SKIPPED:
	case STEP_IN_DOUBT: return step_needs_undo(definition, step);
	case STEP_WAITING:
	case STEP_REFUSED:
	case STEP_UNDONE:
	case STEP_NEVER: break;
	}
	return false;
}

static void judge_turned_back(struct play *play)
{
	const struct saga *saga = &play->after.saga;
	bool ended = saga->phase == PHASE_COMPENSATED;
	uint32_t pivot = play->model->definition.pivot;

	for (uint32_t i = 0; i < saga->n_steps; i++) {
		const struct step_definition *definition = play_step(play, i);
		const struct books *books = &play->after.world.books[i];

		if (!has_effect(definition) || world_clear(books) ||
		    saga->steps[i].flags & FLAG_WAIVED)
			continue;
		if (i == pivot)
			judge_found(play, NO_RETURN,
				    "the saga turned back although the pivot %.*s took effect "
				    "or still may",
				    SLICE_ARG(definition->name));
		else if (ended || !in_hand(definition, &saga->steps[i]))
			judge_found(play, KEPT,
				    "the saga is through with %.*s (%s) although its do %s",
				    SLICE_ARG(definition->name),
				    step_state_text((enum step_state)saga->steps[i].state),
				    world_took_effect(books)
					    ? "took effect and stands"
					    : "may have taken effect, or still "
					      "may");
	}
	if (pivot != NO_STEP &&
	    (saga->steps[pivot].state == STEP_DONE || saga->steps[pivot].state == STEP_SKIPPED))
		judge_found(play, NO_RETURN,
			    "the saga turned back although it is past its pivot");
}

static void judge_completed(struct play *play)
{
	const struct saga *saga = &play->after.saga;

	for (uint32_t i = 0; i < saga->n_steps; i++) {
		const struct step *step = &saga->steps[i];

		if (step->state == STEP_SKIPPED)
			continue;
		if (step->state != STEP_DONE)
			judge_found(play, COMPLETED,
				    "the saga is completed before %.*s is done (%s)",
				    SLICE_ARG(play_name(play, i)),
				    step_state_text((enum step_state)step->state));
		else if (form_commands(play_step(play, i)->form) &&
			 !world_took_effect(&play->after.world.books[i]))
			judge_found(play, COMPLETED,
				    "%.*s counts as done and may never have been",
				    SLICE_ARG(play_name(play, i)));
	}
	if (play->after.world.wanted_back && !saga_passed_pivot(&play->model->definition, saga))
		judge_found(play, ENDS,
			    "the saga is completed although it was cancelled or late in time");
}

static bool has_timer(const struct play *play, uint32_t step)
{
	struct timer timer;

	for (uint32_t n = 0; saga_timer(&play->model->definition, &play->after.saga, n, &timer);
	     n++)
		if (step == NO_STEP || (timer.type == EVENT_DUE && timer.step == step))
			return true;
	return false;
}

static void judge_alive(struct play *play)
{
	const struct saga *saga = &play->after.saga;
	bool waits = has_timer(play, NO_STEP) || saga->flags & SAGA_PAUSED;

	for (uint32_t i = 0; i < saga->n_steps; i++) {
		enum step_state state = (enum step_state)saga->steps[i].state;

		waits = waits || state == STEP_PARKED ||
			command_in_flight(play_step(play, i), &saga->steps[i]) ||
			(state == STEP_RUNNING && play_step(play, i)->form == FORM_AWAIT);
		if ((state == STEP_BACKOFF || state == STEP_UNDO_BACKOFF) &&
		    !(saga->flags & SAGA_PAUSED) && !has_timer(play, i))
			judge_found(play, ALIVE,
				    "%.*s waits for its next attempt (%s), and no timer runs",
				    SLICE_ARG(play_name(play, i)), step_state_text(state));
	}
	if (!waits)
		judge_found(play, ALIVE, "the saga waits for nothing and has not ended");
}

static bool was_sent(const struct books *books, enum verb verb, uint32_t round)
{
	switch (verb) {
	case VERB_DO: return books->sent_do >> round & 1;
	case VERB_UNDO: return books->sent_undo >> round & 1;
	case VERB_REVOKE: break;
	}
	return books->sent_revoke >> round & 1;
}

/* A restarted orchestrator sends what is in flight, and nothing else. */
static enum err judge_resume(struct play *play)
{
	const struct saga *saga = &play->after.saga;
	struct effects effects;
	uint32_t n_expected = 0;

	play->answers.settled = true;
	if (saga_resume(&play->model->definition, &play->answers.evaluator, saga, &play->second,
			&effects) == VERDICT_NOMEM)
		return ERR_NOMEM;
	play->answers.settled = false;
	for (uint32_t i = 0; i < saga->n_steps && !saga_ended(saga); i++)
		n_expected += command_in_flight(play_step(play, i), &saga->steps[i]);
	if (effects.n_commands != n_expected)
		judge_found(play, RESUMABLE,
			    "loaded again the saga sends %u commands and waits for %u answers",
			    effects.n_commands, n_expected);
	for (uint32_t n = 0; n < effects.n_commands; n++) {
		const struct command *command = &effects.commands[n];
		const struct step *step = &saga->steps[command->step];

		if (command->verb != step->verb || command->round != present_round(step) ||
		    command->attempt != step->attempt ||
		    !was_sent(&play->after.world.books[command->step], command->verb,
			      command->round))
			judge_found(
				play, RESUMABLE,
				"loaded again the saga sends a %s of %.*s that it never sent",
				verb_text(command->verb),
				SLICE_ARG(play_name(play, command->step)));
	}
	return OK;
}

static void judge_once(struct play *play)
{
	for (uint32_t i = 0; i < play->after.saga.n_steps; i++)
		if (world_twice(&play->after.world.books[i]))
			judge_found(play, ONCE, "the do of %.*s may have taken effect twice",
				    SLICE_ARG(play_name(play, i)));
}

/* A signal that came early is there when its await begins. */
static void judge_kept_signals(struct play *play)
{
	const struct saga *saga = &play->after.saga;

	for (uint32_t i = 0; i < saga->n_steps; i++) {
		if (play_step(play, i)->form != FORM_AWAIT ||
		    saga->steps[i].state != STEP_RUNNING)
			continue;
		for (uint32_t k = 0; k < saga->n_signals; k++)
			if (!saga->signals[k].used &&
			    slice_equal(saga->signals[k].event, play_step(play, i)->event))
				judge_found(play, OPERATIONS,
					    "%.*s waits for an event that has come",
					    SLICE_ARG(play_name(play, i)));
	}
}

static void judge_pivot(struct play *play)
{
	uint32_t pivot = play->model->definition.pivot;

	if (pivot != NO_STEP && play->after.saga.steps[pivot].state == STEP_DONE &&
	    world_may_be_undone(&play->after.world.books[pivot]))
		judge_found(play, NO_RETURN, "the pivot %.*s is done and may have been undone",
			    SLICE_ARG(play_name(play, pivot)));
}

enum err judge_state(struct play *play)
{
	judge_once(play);
	judge_pivot(play);
	switch ((enum phase)play->after.saga.phase) {
	case PHASE_FORWARD:
		judge_alive(play);
		judge_kept_signals(play);
		break;
	case PHASE_BACK:
		judge_alive(play);
		judge_turned_back(play);
		break;
	case PHASE_COMPENSATED: judge_turned_back(play); break;
	case PHASE_COMPLETED: judge_completed(play); break;
	case PHASE_KILLED: break;
	}
	if (saga_ended(&play->after.saga) && has_timer(play, NO_STEP))
		judge_found(play, ENDS, "the saga has ended and a timer still runs");
	arena_reset(&play->second);
	return play->model->bounds.crash ? judge_resume(play) : OK;
}

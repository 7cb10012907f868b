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

static const struct step_definition *definition_of(const struct play *play, uint32_t i)
{
	return &play->model->definition.steps[i];
}

static struct slice name_of(const struct play *play, uint32_t i)
{
	return definition_of(play, i)->name;
}

void judge_impure(struct play *play)
{
	judge_found(play, PURE,
		    "the same event, decided twice in the same state, came out "
		    "differently");
}

/* --- what is sent -------------------------------------------------------------------- */

static bool same_attempt(const struct step *a, const struct step *b)
{
	return a->verb == b->verb && a->attempt == b->attempt &&
	       present_round(a) == present_round(b);
}

/* In flight now, and was not before. */
static bool newly_sent(const struct play *play, uint32_t i)
{
	const struct step *after = &play->after.saga.steps[i];
	const struct step *before = &play->before.saga.steps[i];

	if (saga_ended(&play->after.saga) || !command_in_flight(definition_of(play, i), after))
		return false;
	return play->move.kind == MOVE_BEGIN ||
	       !command_in_flight(definition_of(play, i), before) ||
	       !same_attempt(before, after);
}

static bool follows_from_state(const struct play *play, const struct command *command)
{
	const struct step *step = &play->after.saga.steps[command->step];

	return newly_sent(play, command->step) && command->verb == step->verb &&
	       command->round == present_round(step) && command->attempt == step->attempt &&
	       command->do_round == step->do_round && command->first_ms != 0;
}

static void judge_do(struct play *play, const struct command *command)
{
	uint32_t i = command->step;
	const struct books *books = &play->after.world.books[i];

	if (play->after.saga.phase != PHASE_FORWARD)
		judge_found(play, KEPT, "a do of %.*s is sent although the saga turned back",
			    SLICE_ARG(name_of(play, i)));
	for (uint32_t before = 0; before < play->after.saga.n_steps; before++) {
		enum step_state state = (enum step_state)play->after.saga.steps[before].state;

		if (step_set_has(&play->model->dependents[before], i) && state != STEP_DONE &&
		    state != STEP_SKIPPED)
			judge_found(play, ORDER, "the do of %.*s is sent while %.*s is %s",
				    SLICE_ARG(name_of(play, i)),
				    SLICE_ARG(name_of(play, before)), step_state_text(state));
	}
	for (uint32_t round = 0; round < command->round; round++)
		if (!world_without_effect(books, round))
			judge_found(play, ONCE,
				    "%.*s is done again under a new id while the old do may "
				    "still take effect",
				    SLICE_ARG(name_of(play, i)));
}

static void judge_undo(struct play *play, const struct command *command)
{
	uint32_t i = command->step, pivot = play->model->definition.pivot;
	const struct books *books = &play->after.world.books[i];

	if (play->after.saga.phase != PHASE_BACK)
		judge_found(play, KEPT,
			    "an undo of %.*s is sent although the saga goes forward",
			    SLICE_ARG(name_of(play, i)));
	if (definition_of(play, i)->form == FORM_CALL && !books->sent_do)
		judge_found(play, NOT_REFUSED, "%.*s is undone although its do was never sent",
			    SLICE_ARG(name_of(play, i)));
	if (books->flags & BOOKS_REFUSED)
		judge_found(play, NOT_REFUSED, "%.*s is undone although it was refused",
			    SLICE_ARG(name_of(play, i)));
	if (pivot != NO_STEP && !world_clear(&play->after.world.books[pivot]))
		judge_found(play, NO_RETURN,
			    "%.*s is undone although the pivot %.*s took effect or still may",
			    SLICE_ARG(name_of(play, i)), SLICE_ARG(name_of(play, pivot)));
	for (uint32_t after = 0; after < play->after.saga.n_steps; after++)
		if (step_set_has(&play->model->dependents[i], after) &&
		    has_effect(definition_of(play, after)) &&
		    !(play->after.saga.steps[after].flags & FLAG_WAIVED) &&
		    !world_clear(&play->after.world.books[after]))
			judge_found(play, UNDO_ORDER,
				    "%.*s is undone while %.*s, which depends on it, is in "
				    "effect or still may be",
				    SLICE_ARG(name_of(play, i)),
				    SLICE_ARG(name_of(play, after)));
}

static void judge_command(struct play *play, const struct command *command)
{
	const struct step *step = &play->after.saga.steps[command->step];
	const struct retry *retry = retry_of(play->model, command->step, command->verb);

	if (!follows_from_state(play, command))
		judge_found(play, RESUMABLE,
			    "a %s of %.*s is sent that does not follow from the state",
			    verb_text(command->verb), SLICE_ARG(name_of(play, command->step)));
	if (retry->attempts && step->attempt - step->base > retry->attempts)
		judge_found(play, RETRIES, "attempt %u of the %s of %.*s is one too many",
			    step->attempt - step->base, verb_text(command->verb),
			    SLICE_ARG(name_of(play, command->step)));
	switch (command->verb) {
	case VERB_DO: judge_do(play, command); break;
	case VERB_UNDO: judge_undo(play, command); break;
	case VERB_REVOKE:
		if (command->step != play->model->definition.pivot)
			judge_found(play, NO_RETURN, "%.*s is revoked and is no pivot",
				    SLICE_ARG(name_of(play, command->step)));
		break;
	}
}

void judge_commands(struct play *play)
{
	uint32_t n_expected = 0;

	for (uint32_t i = 0; i < play->after.saga.n_steps; i++)
		n_expected += newly_sent(play, i);
	if (play->effects.n_commands < n_expected)
		judge_found(play, RESUMABLE,
			    "the saga waits for an answer to a command that is not sent");
	if (play->effects.n_commands && play->after.saga.flags & SAGA_PAUSED)
		judge_found(play, PAUSED, "a command is sent although the saga is paused");
	for (uint32_t n = 0; n < play->effects.n_commands; n++) {
		const struct command *command = &play->effects.commands[n];

		if (command->step >= play->after.saga.n_steps || command->round >= ROUNDS)
			judge_found(play, RESUMABLE,
				    "a command for no step of the saga is sent");
		else
			judge_command(play, command);
	}
}

/* --- a new state ------------------------------------------------------------------------- */

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
		const struct step_definition *definition = definition_of(play, i);
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
			judge_found(play, KEPT, "%.*s is %s although its do %s",
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
			judge_found(play, COMPLETED, "the saga is completed while %.*s is %s",
				    SLICE_ARG(name_of(play, i)),
				    step_state_text((enum step_state)step->state));
		else if (definition_of(play, i)->form == FORM_CALL &&
			 !world_took_effect(&play->after.world.books[i]))
			judge_found(play, COMPLETED,
				    "%.*s counts as done and may never have been",
				    SLICE_ARG(name_of(play, i)));
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
			command_in_flight(definition_of(play, i), &saga->steps[i]) ||
			(state == STEP_RUNNING && definition_of(play, i)->form == FORM_AWAIT);
		if ((state == STEP_BACKOFF || state == STEP_UNDO_BACKOFF) &&
		    !(saga->flags & SAGA_PAUSED) && !has_timer(play, i))
			judge_found(play, ALIVE, "%.*s is in %s and no timer runs for it",
				    SLICE_ARG(name_of(play, i)), step_state_text(state));
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
		n_expected += command_in_flight(definition_of(play, i), &saga->steps[i]);
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
				SLICE_ARG(name_of(play, command->step)));
	}
	return OK;
}

static void judge_once(struct play *play)
{
	for (uint32_t i = 0; i < play->after.saga.n_steps; i++)
		if (world_twice(&play->after.world.books[i]))
			judge_found(play, ONCE, "the do of %.*s may have taken effect twice",
				    SLICE_ARG(name_of(play, i)));
}

enum err judge_state(struct play *play)
{
	judge_once(play);
	switch ((enum phase)play->after.saga.phase) {
	case PHASE_FORWARD: judge_alive(play); break;
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

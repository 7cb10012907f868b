#include "orchestrator/check/judge.h"

#include "orchestrator/check/world.h"

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

	if (saga_ended(&play->after.saga) || !command_in_flight(play_step(play, i), after))
		return false;
	return play->move.kind == MOVE_BEGIN ||
	       !command_in_flight(play_step(play, i), before) || !same_attempt(before, after);
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
			    SLICE_ARG(play_name(play, i)));
	for (uint32_t before = 0; before < play->after.saga.n_steps; before++) {
		enum step_state state = (enum step_state)play->after.saga.steps[before].state;

		if (step_set_has(&play->model->dependents[before], i) && state != STEP_DONE &&
		    state != STEP_SKIPPED)
			judge_found(play, ORDER,
				    "the do of %.*s is sent before %.*s is done (%s)",
				    SLICE_ARG(play_name(play, i)),
				    SLICE_ARG(play_name(play, before)), step_state_text(state));
	}
	for (uint32_t round = 0; round < command->round; round++)
		if (!world_without_effect(books, round))
			judge_found(play, ONCE,
				    "%.*s is done again under a new id while the old do may "
				    "still take effect",
				    SLICE_ARG(play_name(play, i)));
}

static void judge_undo(struct play *play, const struct command *command)
{
	uint32_t i = command->step, pivot = play->model->definition.pivot;
	const struct books *books = &play->after.world.books[i];

	if (play->after.saga.phase != PHASE_BACK)
		judge_found(play, KEPT,
			    "an undo of %.*s is sent although the saga goes forward",
			    SLICE_ARG(play_name(play, i)));
	if (form_commands(play_step(play, i)->form) && !books->sent_do)
		judge_found(play, NOT_REFUSED, "%.*s is undone although its do was never sent",
			    SLICE_ARG(play_name(play, i)));
	if (books->flags & BOOKS_REFUSED)
		judge_found(play, NOT_REFUSED, "%.*s is undone although it was refused",
			    SLICE_ARG(play_name(play, i)));
	if (pivot != NO_STEP && !world_clear(&play->after.world.books[pivot]))
		judge_found(play, NO_RETURN,
			    "%.*s is undone although the pivot %.*s took effect or still may",
			    SLICE_ARG(play_name(play, i)), SLICE_ARG(play_name(play, pivot)));
	for (uint32_t after = 0; after < play->after.saga.n_steps; after++)
		if (step_set_has(&play->model->dependents[i], after) &&
		    has_effect(play_step(play, after)) &&
		    !(play->after.saga.steps[after].flags & FLAG_WAIVED) &&
		    !world_clear(&play->after.world.books[after]))
			judge_found(play, UNDO_ORDER,
				    "%.*s is undone while %.*s, which depends on it, is in "
				    "effect or still may be",
				    SLICE_ARG(play_name(play, i)),
				    SLICE_ARG(play_name(play, after)));
}

/* Within a verb attempts are counted on, so that an answer names one of them. */
static void judge_attempt(struct play *play, const struct command *command)
{
	const struct step *before = &play->before.saga.steps[command->step];
	const struct step *after = &play->after.saga.steps[command->step];
	const struct retry *retry = retry_of(play->model, command->step, command->verb);
	struct slice name = play_name(play, command->step);

	if (retry->attempts && after->attempt - after->base > retry->attempts)
		judge_found(play, RETRIES, "attempt %u of the %s of %.*s is one too many",
			    after->attempt - after->base, verb_text(command->verb),
			    SLICE_ARG(name));
	if (before->state == STEP_BACKOFF || before->state == STEP_UNDO_BACKOFF ||
	    before->state == STEP_PARKED)
		if (before->verb == after->verb && after->attempt <= before->attempt)
			judge_found(play, RETRIES,
				    "the attempts of the %s of %.*s are counted anew",
				    verb_text(command->verb), SLICE_ARG(name));
}

static void judge_command(struct play *play, const struct command *command)
{
	if (!follows_from_state(play, command))
		judge_found(play, RESUMABLE,
			    "a %s of %.*s is sent that does not follow from the state",
			    verb_text(command->verb),
			    SLICE_ARG(play_name(play, command->step)));
	judge_attempt(play, command);
	switch (command->verb) {
	case VERB_DO: judge_do(play, command); break;
	case VERB_UNDO: judge_undo(play, command); break;
	case VERB_REVOKE:
		if (command->step != play->model->definition.pivot)
			judge_found(play, NO_RETURN, "%.*s is revoked and is no pivot",
				    SLICE_ARG(play_name(play, command->step)));
		break;
	}
}

void judge_commands(struct play *play)
{
	uint32_t n_expected = 0;

	for (uint32_t i = 0; i < play->after.saga.n_steps; i++)
		n_expected += newly_sent(play, i);
	for (uint32_t i = 0; i < play->after.saga.n_steps; i++)
		if (step_set_has(&play->answers.failed, i) && newly_sent(play, i))
			judge_found(play, ARGUMENTS,
				    "%.*s is sent although an expression of it failed",
				    SLICE_ARG(play_name(play, i)));
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

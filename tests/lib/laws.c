#include "tests/lib/laws.h"

#include "orchestrator/core/codec.h"
#include "tests/lib/saga_values.h"

#include <assert.h>

/* --- equality ---------------------------------------------------------------------- */

static bool same_command(const struct command *a, const struct command *b)
{
	return a->step == b->step && a->verb == b->verb && a->round == b->round &&
	       a->do_round == b->do_round && a->alone == b->alone && a->attempt == b->attempt &&
	       a->timeout_ms == b->timeout_ms && a->first_ms == b->first_ms &&
	       slice_equal(a->args, b->args) && slice_equal(a->output, b->output);
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
	return a->at_ms == b->at_ms && a->type == b->type && a->step == b->step &&
	       a->verb == b->verb && a->attempt == b->attempt &&
	       slice_equal(a->detail, b->detail) && slice_equal(a->actor, b->actor);
}

static bool same_effects(const struct effects *a, const struct effects *b)
{
	if (a->n_commands != b->n_commands || a->n_entries != b->n_entries ||
	    a->refusal != b->refusal)
		return false;
	for (uint32_t n = 0; n < a->n_commands; n++)
		if (!same_command(&a->commands[n], &b->commands[n]))
			return false;
	for (uint32_t n = 0; n < a->n_entries; n++)
		if (!same_entry(&a->entries[n], &b->entries[n]))
			return false;
	return true;
}

/* --- what is in flight, told from the states alone ----------------------------------- */

static bool in_flight(const struct step_definition *definition, const struct step *step)
{
	bool sends = definition->form == FORM_CALL || definition->form == FORM_SAGA;

	return (step->state == STEP_RUNNING && sends) ||
	       (step->state == STEP_UNDOING && (sends || definition->form == FORM_NOTHING));
}

static bool is_of(const struct command *command, const struct step *step)
{
	return command->verb == step->verb && command->attempt == step->attempt &&
	       command->do_round == step->do_round &&
	       command->round == (step->verb == VERB_UNDO ? step->undo_round : step->do_round);
}

static const struct command *find(const struct effects *effects, uint32_t step)
{
	const struct command *found = NULL;

	for (uint32_t n = 0; n < effects->n_commands; n++) {
		if (effects->commands[n].step != step)
			continue;
		assert(!found && "a step is sent one command at a time");
		found = &effects->commands[n];
	}
	return found;
}

static void check_command(const struct definition *definition, const struct saga *saga,
			  const struct command *command)
{
	const struct step_definition *what =
		saga_step_definition(definition, saga, command->step);
	const struct step *step = &saga->steps[command->step];
	bool undo = command->verb == VERB_UNDO;

	assert(is_of(command, step) && "a command is that of the step's state");
	assert(saga_instance_at(definition, saga, command->at) == command->step);
	assert(command->attempt >= 1 && "attempts count from 1");
	assert(command->timeout_ms == (undo ? what->undo : what->call).timeout_ms);
	assert(command->first_ms == step->started_ms && command->first_ms > 0);
	assert(command->alone == (undo && what->form == FORM_NOTHING));
	assert(command->args.len > 0 && "a command has arguments");
	assert(slice_equal(command->output, undo ? step->output : (struct slice){0}) &&
	       "an undo, and nothing else, is told the output");
}

static void check_sent(const struct definition *definition, const struct saga *before,
		       const struct saga *after, const struct effects *effects)
{
	for (uint32_t i = 0; i < after->n_steps; i++) {
		const struct step_definition *what = saga_step_definition(definition, after, i);
		const struct step *now = &after->steps[i];
		const struct command *command = find(effects, i);
		bool flies = !saga_ended(after) && in_flight(what, now);
		bool flew = before && i < before->n_steps &&
			    in_flight(what, &before->steps[i]) &&
			    before->steps[i].verb == now->verb &&
			    before->steps[i].attempt == now->attempt;

		assert((command != NULL) == (flies && !flew) &&
		       "what came to be in flight is sent, and nothing else");
		if (!command)
			continue;
		assert(!(after->flags & SAGA_PAUSED) && "nothing new is sent while paused");
		check_command(definition, after, command);
	}
}

static void check_resume(const struct definition *definition, const struct evaluator *evaluator,
			 const struct saga *after, const struct effects *effects,
			 struct arena *arena)
{
	struct effects again;
	struct command alone;
	enum verdict verdict = saga_resume(definition, evaluator, after, arena, &again);

	assert(verdict == VERDICT_TAKEN);
	assert(again.n_entries == 0 && "resuming leaves no trace in the timeline");
	for (uint32_t i = 0; i < after->n_steps; i++) {
		const struct command *command = find(&again, i);
		const struct command *sent = find(effects, i);
		bool flies =
			!saga_ended(after) &&
			in_flight(saga_step_definition(definition, after, i), &after->steps[i]);

		assert((command != NULL) == flies && "resuming gives what is in flight");
		if (command) {
			check_command(definition, after, command);
			verdict = saga_resume_step(definition, evaluator, after, i, arena,
						   &alone);
			assert(verdict == VERDICT_TAKEN && same_command(command, &alone) &&
			       "a step alone gives the same");
		}
		assert((!sent || same_command(sent, command)) &&
		       "resuming gives a command as it was sent");
	}
}

/* --- timers ---------------------------------------------------------------------------- */

static bool wants_timer(const struct saga *saga, const struct step *step)
{
	switch ((enum step_state)step->state) {
	case STEP_RUNNING: return step->due_ms != 0;
	case STEP_BACKOFF:
	case STEP_UNDO_BACKOFF:
		assert(step->due_ms && "a back-off ends");
		return !(saga->flags & SAGA_PAUSED);
	case STEP_WAITING:
	case STEP_DONE:
	case STEP_REFUSED:
	case STEP_SKIPPED:
	case STEP_IN_DOUBT:
	case STEP_UNDOING:
	case STEP_UNDONE:
	case STEP_PARKED:
	case STEP_NEVER: break;
	}
	assert((!step->due_ms || saga_ended(saga)) && "nothing else waits for a time");
	return false;
}

static void check_timers(const struct definition *definition, const struct saga *saga)
{
	struct timer timer, first = {0};
	uint32_t n = 0, wanted = 0;
	bool any;

	for (; saga_timer(definition, saga, n, &timer); n++) {
		assert((timer.type == EVENT_DEADLINE) == (timer.step == NO_STEP));
		assert(timer.step == NO_STEP || timer.at_ms == saga->steps[timer.step].due_ms);
		if (!n || timer.at_ms < first.at_ms)
			first = timer;
	}
	for (uint32_t i = 0; i < saga->n_steps && !saga_ended(saga); i++)
		wanted += wants_timer(saga, &saga->steps[i]);
	wanted += saga->phase == PHASE_FORWARD && saga->deadline_ms &&
		  !(saga->flags & SAGA_OVERDUE);
	assert(n == wanted && "there is a timer for all that waits for a time");
	any = saga_next_timer(definition, saga, &timer);
	assert(any == (n > 0));
	assert((!n || timer.at_ms == first.at_ms) && "the next timer is the first to run out");
}

/* --- waiting ------------------------------------------------------------------------------ */

/* Promise P2: no silent saga. */
static bool waits(const struct definition *definition, const struct saga *saga)
{
	struct timer timer;

	if (saga_ended(saga) || saga->flags & SAGA_PAUSED ||
	    saga_next_timer(definition, saga, &timer))
		return true;
	for (uint32_t i = 0; i < saga->n_steps; i++) {
		const struct step *step = &saga->steps[i];
		const struct step_definition *what = saga_step_definition(definition, saga, i);

		if (in_flight(what, step) || step->state == STEP_PARKED ||
		    (step->state == STEP_RUNNING && what->form == FORM_AWAIT))
			return true;
	}
	return false;
}

/* A saga wants to turn back only as long as its pivot's revoke decides. */
static bool turns_rightly(const struct definition *definition, const struct saga *saga)
{
	uint32_t pivot = definition->pivot;
	const struct step *step = pivot == NO_STEP ? NULL : &saga->steps[pivot];
	bool revoked = step && step->verb == VERB_REVOKE &&
		       (step->state == STEP_RUNNING || step->state == STEP_BACKOFF ||
			step->state == STEP_PARKED);

	if (saga->phase == PHASE_FORWARD)
		return !!(saga->flags & SAGA_TURNING) == revoked &&
		       (saga->failure != NULL) == revoked;
	return saga->phase == PHASE_KILLED || !(saga->flags & SAGA_TURNING);
}

static void check_after(const struct definition *definition, const struct evaluator *evaluator,
			const struct saga *before, const struct saga *after,
			const struct effects *effects, int64_t at_ms, struct arena *arena)
{
	assert(after->updated_ms == at_ms);
	assert(saga_ended(after) == (after->ended_ms != 0) && "an end has its time");
	assert(saga_fits(definition, after) && "it has the steps of its elements");
	assert(effects->n_entries > 0 && "what was taken is told in the timeline");
	assert(!effects->refusal);
	assert(turns_rightly(definition, after));
	check_sent(definition, before, after, effects);
	check_resume(definition, evaluator, after, effects, arena);
	check_timers(definition, after);
	assert(waits(definition, after) && "a saga that goes on waits for something");
}

/* --- the watch ------------------------------------------------------------------------------
 */

/* An event that could rightly be taken again: a retry of what parks at once. */
static bool may_repeat(const struct event *event)
{
	return event->type == EVENT_RETRY;
}

static void check_again(const struct definition *definition, const struct evaluator *evaluator,
			const struct saga *before, const struct event *event,
			enum verdict verdict, const struct saga *after,
			const struct effects *effects, struct arena *arena)
{
	struct saga again;
	struct effects effects_again;
	enum verdict second;

	second = saga_step(definition, evaluator, before, event, arena, &again, &effects_again);
	assert(second == verdict && same_effects(effects, &effects_again) &&
	       "the same call gives the same effects");
	if (verdict != VERDICT_TAKEN)
		return;
	assert(!saga_difference(after, &again) && "the same call gives the same saga");
	second = saga_step(definition, evaluator, after, event, arena, &again, &effects_again);
	assert((second != VERDICT_TAKEN || may_repeat(event)) &&
	       "an event that comes again at once is not taken again");
}

enum verdict lawful_step(const struct definition *definition, const struct evaluator *evaluator,
			 const struct saga *before, const struct event *event,
			 struct arena *arena, struct saga *after, struct effects *effects)
{
	const struct saga *copy = saga_copy(before, arena);
	enum verdict verdict;

	assert(copy);
	verdict = saga_step(definition, evaluator, before, event, arena, after, effects);
	assert(verdict != VERDICT_NOMEM);
	if (verdict == VERDICT_TAKEN) {
		assert(after->revision == before->revision + 1);
		check_after(definition, evaluator, before, after, effects, event->at_ms, arena);
	} else {
		assert(effects->n_commands == 0 && effects->n_entries == 0 &&
		       "what is not taken has no effects");
		assert((verdict == VERDICT_REFUSED) == (effects->refusal != NULL));
	}
	check_again(definition, evaluator, before, event, verdict, after, effects, arena);
	assert(!saga_difference(before, copy) && "the saga before is not changed");
	return verdict;
}

enum verdict lawful_begin(const struct definition *definition,
			  const struct evaluator *evaluator, const struct start *start,
			  struct arena *arena, struct saga *after, struct effects *effects)
{
	enum verdict verdict = saga_begin(definition, evaluator, start, arena, after, effects);

	assert(verdict == VERDICT_TAKEN && after->revision == 1);
	check_after(definition, evaluator, NULL, after, effects, start->at_ms, arena);
	return verdict;
}

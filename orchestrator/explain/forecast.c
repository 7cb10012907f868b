#include "orchestrator/explain/forecast.h"

#include "orchestrator/core/describe.h"
#include "orchestrator/explain/walk.h"

enum { ENTRY_TEXT_MAX = 4096 };

struct looking {
	struct walk walk;
	int64_t *due_ms; /* by step: when its attempt times out; INT64_MAX: never */
	int64_t *timeout_ms;
	int64_t now_ms;
	struct arena *arena; /* of the forecast */
	struct forecast *out;
	bool decided; /* something changed its way */
	enum err err;
};

/* --- telling -------------------------------------------------------------------------- */

static void tell(struct looking *looking, const struct entry *entry)
{
	struct bytes text = BYTES(ENTRY_TEXT_MAX, looking->arena);
	struct forecast *out = looking->out;

	if (out->n == FORECAST_PROSPECTS_MAX)
		return;
	describe_entry(looking->walk.definition, &looking->walk.saga, entry, &text);
	if (text.err)
		looking->err = ERR_NOMEM;
	out->list[out->n++] = (struct prospect){entry->at_ms, bytes_slice(&text)};
}

/* Another attempt, or the end of one, is what was to be expected; a revoke that begins
 * is the wish to turn back. */
static bool is_routine(const struct looking *looking, const struct entry *entry)
{
	if (entry->type == ENTRY_SENT)
		return entry->verb != VERB_REVOKE || entry->attempt > 1;
	return entry->type == ENTRY_TIMEOUT && entry->step != NO_STEP &&
	       walk_definition(&looking->walk, entry->step)->form != FORM_AWAIT;
}

static void take_entries(struct looking *looking, const struct effects *effects)
{
	for (uint32_t n = 0; n < effects->n_entries; n++) {
		const struct entry *entry = &effects->entries[n];

		if (!is_routine(looking, entry))
			looking->decided = true;
		else if (looking->out->n >= FORECAST_ATTEMPTS_TOLD) {
			looking->out->n_untold++;
			looking->out->untold_until_ms = entry->at_ms;
			continue;
		}
		tell(looking, entry);
	}
}

/* --- time passes ---------------------------------------------------------------------- */

static void note_commands(struct looking *looking, const struct effects *effects)
{
	for (uint32_t n = 0; n < effects->n_commands; n++) {
		const struct command *command = &effects->commands[n];

		bool is_child =
			looking->walk.definition->steps[command->at.step].form == FORM_SAGA;

		/* A child saga has all the time that it takes. */
		looking->due_ms[command->step] =
			is_child ? INT64_MAX : looking->now_ms + command->timeout_ms;
		looking->timeout_ms[command->step] = command->timeout_ms;
	}
}

/* What time brings next; false: nothing. */
static bool next_event(const struct looking *looking, struct event *out)
{
	const struct saga *saga = &looking->walk.saga;
	struct timer timer;
	bool any = saga_next_timer(looking->walk.definition, saga, &timer);

	if (any)
		*out = (struct event){.type = timer.type,
				      .at_ms = timer.at_ms,
				      .step = timer.step,
				      .verb = timer.verb,
				      .round = timer.round,
				      .attempt = timer.attempt};
	for (uint32_t i = 0; i < saga->n_steps; i++) {
		const struct step *step = &saga->steps[i];

		if (!step_in_flight(walk_definition(&looking->walk, i), step) ||
		    looking->due_ms[i] == INT64_MAX ||
		    (any && out->at_ms <= looking->due_ms[i]))
			continue;
		any = true;
		*out = (struct event){.type = EVENT_TIMEOUT,
				      .at_ms = looking->due_ms[i],
				      .step = i,
				      .verb = (enum verb)step->verb,
				      .round = step->verb == VERB_UNDO ? step->undo_round
								       : step->do_round,
				      .attempt = step->attempt,
				      .sent_ms = looking->due_ms[i] - looking->timeout_ms[i]};
	}
	return any;
}

static void let_pass(struct looking *looking, struct event *event)
{
	struct effects effects;
	enum verdict verdict;

	if (event->at_ms > looking->now_ms)
		looking->now_ms = event->at_ms;
	event->at_ms = looking->now_ms;
	verdict = walk_step(&looking->walk, event, &effects);
	if (verdict != VERDICT_TAKEN) {
		looking->err = verdict == VERDICT_NOMEM ? ERR_NOMEM : looking->err;
		looking->decided = true; /* nothing more comes of it */
		return;
	}
	take_entries(looking, &effects);
	note_commands(looking, &effects);
}

/* The commands under way as they were sent: how long each attempt has. */
static enum err begin(struct looking *looking, const struct attempts *attempts)
{
	struct effects effects;

	/* An `each` that begins on the way brings more steps. */
	looking->due_ms = arena_array(looking->arena, INSTANCES_MAX, sizeof *looking->due_ms);
	looking->timeout_ms =
		arena_array(looking->arena, INSTANCES_MAX, sizeof *looking->timeout_ms);
	if (!looking->due_ms || !looking->timeout_ms ||
	    saga_resume(looking->walk.definition, looking->walk.evaluator, &looking->walk.saga,
			&looking->walk.scratch[0], &effects) != VERDICT_TAKEN)
		return ERR_NOMEM;
	note_commands(looking, &effects);
	for (uint32_t i = 0; i < looking->walk.saga.n_steps; i++)
		if (looking->due_ms[i] == INT64_MAX)
			continue;
		else if (attempts->due_ms[i])
			looking->due_ms[i] = attempts->due_ms[i];
		else if (attempts->begin_ms[i])
			looking->due_ms[i] = attempts->begin_ms[i] + looking->timeout_ms[i];
	return OK;
}

enum err forecast(const struct definition *definition, const struct evaluator *evaluator,
		  const struct saga *saga, const struct attempts *attempts, int64_t now_ms,
		  struct arena *arena, struct forecast *out)
{
	struct looking looking = {.walk = {definition, evaluator, .saga = *saga},
				  .now_ms = now_ms,
				  .arena = arena,
				  .out = out};
	struct event event;
	uint32_t n = 0, n_steps = 0;

	*out = (struct forecast){0};
	looking.err = begin(&looking, attempts);
	while (!looking.err && !looking.decided && !out->goes_on &&
	       next_event(&looking, &event)) {
		n_steps += looking.walk.saga.n_steps;
		out->goes_on = n++ == FORECAST_EVENTS_MAX || n_steps > FORECAST_STEPS_MAX;
		if (!out->goes_on)
			let_pass(&looking, &event);
	}
	walk_end(&looking.walk);
	return looking.err;
}

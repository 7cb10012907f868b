#include "orchestrator/simulate/plan.h"

const struct behaviour behaviour_default = {
	.latency = {SPREAD_QUANTILES, 20, 500},
	.decline_code = {"declined", sizeof "declined" - 1},
};

/* Most people answer within the hour, some the next day, and some never. */
const struct planned_signal signal_default = {
	.after = {SPREAD_QUANTILES, 30 * 60 * 1000, 24 * 60 * 60 * 1000},
	.chance = CHANCE_ALWAYS / 10 * 9,
};

const struct planned_participant *plan_participant(const struct plan *plan, struct slice name)
{
	for (size_t i = 0; plan && i < plan->n_participants; i++)
		if (slice_equal(plan->participants[i].name, name))
			return &plan->participants[i];
	return NULL;
}

const struct behaviour *plan_behaviour(const struct planned_participant *participant,
				       struct slice command)
{
	if (!participant)
		return &behaviour_default;
	for (size_t i = 0; i < participant->n_commands; i++)
		if (slice_equal(participant->commands[i].name, command))
			return &participant->commands[i].behaviour;
	return &participant->behaviour;
}

const struct planned_signal *plan_signal(const struct plan *plan, struct slice event)
{
	for (size_t i = 0; plan && i < plan->n_signals; i++)
		if (slice_equal(plan->signals[i].event, event))
			return &plan->signals[i];
	return &signal_default;
}

void plan_free(struct plan *plan)
{
	struct arena arena;

	if (!plan)
		return;
	arena = plan->arena;
	arena_release(&arena);
}

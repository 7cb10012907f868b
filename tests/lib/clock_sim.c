#include "tests/lib/clock_sim.h"

#include <assert.h>

static int64_t sim_now_ms(const struct clock *clock)
{
	return ((const struct clock_sim *)clock)->now_ms;
}

static int64_t sim_monotonic_ms(const struct clock *clock)
{
	return ((const struct clock_sim *)clock)->monotonic_ms;
}

void clock_sim_init(struct clock_sim *sim, int64_t now_ms)
{
	static const struct clock_ops ops = {sim_now_ms, sim_monotonic_ms};

	*sim = (struct clock_sim){.base = {&ops}, .now_ms = now_ms};
}

void clock_sim_advance(struct clock_sim *sim, int64_t ms)
{
	assert(ms >= 0);
	sim->now_ms += ms;
	sim->monotonic_ms += ms;
}

void clock_sim_set(struct clock_sim *sim, int64_t now_ms)
{
	sim->now_ms = now_ms;
}

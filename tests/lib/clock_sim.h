/* clock_sim.h - a clock that stands still until the test moves it. */
#ifndef SKALD_TESTS_LIB_CLOCK_SIM_H
#define SKALD_TESTS_LIB_CLOCK_SIM_H

#include "base/clock.h"

struct clock_sim {
	struct clock base; /* first, so that the two pointers are one */
	int64_t now_ms;
	int64_t monotonic_ms;
};

/* It is `now_ms`, and the monotonic clock is at 0. */
void clock_sim_init(struct clock_sim *sim, int64_t now_ms);

/* Time passes, on both clocks. */
void clock_sim_advance(struct clock_sim *sim, int64_t ms);

/* Somebody sets the wall clock; no time passes on the monotonic one. */
void clock_sim_set(struct clock_sim *sim, int64_t now_ms);

#endif

/* clock.h - what time it is.
 *
 * Everything that needs a time asks the clock that it was given: clock_system()
 * in the programs, tests/lib/clock_sim.h where a test wants to be the one who
 * says what time it is.
 */
#ifndef SKALD_BASE_CLOCK_H
#define SKALD_BASE_CLOCK_H

#include <stdint.h>

struct clock {
	const struct clock_ops *ops;
};

struct clock_ops {
	/* Wall clock, Unix milliseconds. It may jump, back as well. */
	int64_t (*now_ms)(const struct clock *clock);

	/* Milliseconds since some moment; never goes back. For how long. */
	int64_t (*monotonic_ms)(const struct clock *clock);
};

int64_t clock_now_ms(const struct clock *clock);
int64_t clock_monotonic_ms(const struct clock *clock);

/* The clock of the machine; any thread may use it. */
const struct clock *clock_system(void);

#endif

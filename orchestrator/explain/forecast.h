/* forecast.h - what happens to a saga if nothing comes any more.
 *
 * No answer, no signal, nobody who does something: only time passes. A copy of the
 * saga is led on by saga_step() with the timers that it has and the timeouts of its
 * attempts, up to the first thing that changes its way: it turns back, parks, goes on
 * to another step or ends. The times are exact, jitter included, where the attempts
 * under way were handed over; one that is held back until nobody knows when is taken to
 * be handed over now.
 */
#ifndef SKALD_EXPLAIN_FORECAST_H
#define SKALD_EXPLAIN_FORECAST_H

#include "orchestrator/core/saga.h"

enum {
	FORECAST_EVENTS_MAX = 20000, /* that are looked ahead: a day of undos takes fewer */

	/* Steps that they look at, all together: for a saga of 4,096 about 250 events, since
	 * nobody else is served meanwhile. */
	FORECAST_STEPS_MAX = 1000 * 1000,

	FORECAST_ATTEMPTS_TOLD = 4, /* entries about attempts; more of them are counted */
	FORECAST_PROSPECTS_MAX = 32,
};

struct prospect {
	int64_t at_ms;
	struct slice text; /* as in the timeline */
};

struct forecast {
	struct prospect list[FORECAST_PROSPECTS_MAX];
	uint32_t n;
	uint32_t n_untold;       /* attempts and timeouts that come before the last one of
				  * the list, and are not in it */
	int64_t untold_until_ms; /* the last of them */
	bool goes_on;            /* it would still go on like this */
};

/* Of the attempts under way, by step. */
struct attempts {
	const int64_t *due_ms;   /* when it times out; 0: it was not handed over */
	const int64_t *begin_ms; /* when it will be handed over; 0: now, or nobody knows */
};

/* OK or ERR_NOMEM. */
CHECKED enum err forecast(const struct definition *definition,
			  const struct evaluator *evaluator, const struct saga *saga,
			  const struct attempts *attempts, int64_t now_ms, struct arena *arena,
			  struct forecast *out);

#endif

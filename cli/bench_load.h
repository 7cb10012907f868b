/* bench_load.h - keeps so many sagas of `skald bench` in flight.
 *
 * Two connections: one posts starts in batches, as many as are missing; the other
 * is the stream of sagas that end. A saga takes from the request that starts it to
 * the event that it ended, as whoever asks for it sees it. A stream that is cut off
 * is opened again, and what may have been missed is asked for saga by saga.
 */
#ifndef SKALD_CLI_BENCH_LOAD_H
#define SKALD_CLI_BENCH_LOAD_H

#include "cli/bench_order.h"
#include "cli/remote.h"

#include <signal.h>

struct bench_load {
	uint64_t run;     /* of the ids */
	uint32_t first;   /* the number of the first order */
	uint32_t n_sagas; /* how many, from that one on */
	uint32_t inflight_max;
	uint32_t decline_percent;
	int64_t patience_ms; /* nothing ends for so long: what is left is lost */
	const volatile sig_atomic_t *stop;

	/* Now and then, and at the end; may be NULL. */
	void (*progress)(void *context, uint32_t n_ended, int64_t took_ms);
	void *context;

	struct bench_fate *fates; /* by number: room for first + n_sagas, all zero */
	double seconds;           /* out: from the first start to the last end */
};

/* EXIT_DONE: every saga ended or is lost. Otherwise it was said what is wrong, unless
 * it was told to stop. */
enum exit_code bench_load_run(struct remote *remote, struct bench_load *load);

#endif

/* results.h - what many runs came to. */
#ifndef SKALD_SIMULATE_RESULTS_H
#define SKALD_SIMULATE_RESULTS_H

#include "orchestrator/simulate/run.h"

enum {
	RESULTS_REASONS_MAX = 100,  /* different ones; the others are counted together */
	RESULTS_VIOLATIONS_MAX = 20 /* that are told; the others are counted */
};

/* One of the ends of runs, or all of them. */
enum { RESULTS_ALL = RUN_ENDS };

struct result_reason {
	enum run_end end;
	struct slice text;
	uint64_t runs, seed; /* the first one */
};

struct result_violation {
	uint64_t seed;
	enum invariant invariant;
	struct slice what;
};

/* How long the runs took that ended in one way. */
struct result_times {
	int64_t *list; /* in order once results_finish was called */
	size_t n, capacity;
};

struct result_worst {
	uint64_t seed;
	int64_t value;
	enum run_end end;
};

struct results {
	struct arena arena;
	struct result_times times[RUN_ENDS + 1];
	struct result_reason reasons[RESULTS_REASONS_MAX];
	size_t n_reasons;
	uint64_t other_reasons; /* runs with none of those */
	struct step_count *steps;
	size_t n_steps;
	uint64_t attempts, messages, events, restarts;
	struct result_worst slowest, busiest; /* in milliseconds; in attempts */
	struct result_violation violations[RESULTS_VIOLATIONS_MAX];
	uint64_t n_violations; /* all of them */
};

/* ERR_NOMEM. */
CHECKED enum err results_init(struct results *results, const struct simulation *simulation);
CHECKED enum err results_add(struct results *results, const struct run *run);

/* After the last one. */
void results_finish(struct results *results);
void results_release(struct results *results);

static inline uint64_t results_runs(const struct results *results, int end)
{
	return results->times[end].n;
}

/* The time within which so many of a thousand were over; there is at least one. */
int64_t results_quantile(const struct results *results, int end, uint32_t thousandths);

#endif

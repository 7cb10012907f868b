/* shrink.h - the fewest chances with which a seed still breaks the same promise.
 *
 * By delta debugging: whole kinds are left out first, then ever smaller parts of what is
 * left, as long as the judge still says the same. It ends when no single one can be left
 * out any more, or when it has cost too much. */
#ifndef SKALD_TESTS_SIM_SHRINK_H
#define SKALD_TESTS_SIM_SHRINK_H

#include "tests/sim/world.h"

enum {
	SHRINK_RUNS_MAX = 2000,
	SHRINK_EVENTS_MAX = 20000000, /* of all runs together */
};

struct shrunk {
	struct chance_list list; /* sorted; the caller releases it */
	size_t n_before;         /* chances of the whole run */
	uint32_t n_runs;
	bool is_least; /* none of them can be left out */
};

/* False: the seed breaks nothing. */
bool shrink_seed(const struct catalogue *catalogue, uint64_t seed, enum sabotage sabotage,
		 struct shrunk *out);

/* Whether two faults are the same but for what they are about: whose ids, which numbers. */
bool shrink_same(const char *fault, const char *other);

#endif

/* floor_books.h - whether a run of the floor did all that it was measured for.
 *
 * Every saga must have ended as its order says, with a row and the barrier rows
 * of exactly the commands that it took, in all three files.
 */
#ifndef SKALD_BENCH_FLOOR_BOOKS_H
#define SKALD_BENCH_FLOOR_BOOKS_H

#include "base/err.h"

#include <stdint.h>

struct floor_books {
	const char *orchestrator; /* the files, whose writers have gone */
	const char *inventory;
	const char *payment;
	uint32_t n_sagas;
	uint32_t decline_percent;
};

struct floor_outcomes {
	uint32_t n_completed;
	uint32_t n_compensated;
};

/* ERR_CORRUPT names the first saga that is not as it should be. */
CHECKED enum err floor_books_check(const struct floor_books *books,
				   struct floor_outcomes *outcomes, struct diag *diag);

#endif

/* edges.h - which state leads to which, for the question whether an end can be
 * reached from everywhere; private to the checker.
 *
 * States are closed in the order of their numbers. What leads on is written
 * behind one another and read backwards.
 */
#ifndef SKALD_CHECK_EDGES_H
#define SKALD_CHECK_EDGES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edges {
	uint32_t n_states; /* that are closed */

	/* Private. */
	uint32_t **blocks;
	uint32_t n_blocks;
	uint64_t n;
	uint64_t open; /* where the edges of the state begin that is not closed yet */
};

void edges_release(struct edges *edges);

/* One more edge of the state that is open, unless it has it already. */
CHECKED enum err edges_add(struct edges *edges, uint32_t to);

/* The open state is done; the next one is open. */
CHECKED enum err edges_close(struct edges *edges);

/* good[] holds one byte per state: spread it to all closed states from which a
 * good one can be reached. */
void edges_spread_back(const struct edges *edges, uint8_t *good);

size_t edges_memory(const struct edges *edges);

#endif

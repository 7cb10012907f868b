/* visited.h - the set of states seen so far; private to the checker.
 *
 * Every state is stored once, in the order of its discovery, with the move that
 * led to it first: the way back along those is the shortest. Compared are whole
 * states, never only their hashes.
 */
#ifndef SKALD_CHECK_VISITED_H
#define SKALD_CHECK_VISITED_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define NO_STATE UINT32_MAX

/* The way to a state: which move of which state, and which answers the
 * expressions gave. */
struct origin {
	uint32_t parent; /* NO_STATE: the start */
	uint16_t move;
	uint16_t choice;
};

struct visited {
	size_t record_size;
	uint32_t n;
	uint32_t max; /* states */

	/* Private. */
	uint32_t block_bits; /* states in a block, as a power of two */
	uint8_t **blocks;
	uint32_t n_blocks;
	uint64_t *slots; /* hash above, index + 1 below; 0: free */
	uint32_t n_slots;
};

CHECKED enum err visited_make(struct visited *visited, size_t record_size, uint32_t max);
void visited_release(struct visited *visited);

/* *index is the state's number; *added says whether it is new. ERR_NOMEM,
 * ERR_TOO_LARGE: there are `max` states already and this would be one more. */
CHECKED enum err visited_add(struct visited *visited, const uint8_t *record,
			     struct origin origin, uint32_t *index, bool *added);

const uint8_t *visited_record(const struct visited *visited, uint32_t index);
struct origin visited_origin(const struct visited *visited, uint32_t index);

/* Bytes that it holds, and those that it will hold once it has grown next. */
size_t visited_memory(const struct visited *visited);

#endif

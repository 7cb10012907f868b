/* arena.h - memory that is freed all at once.
 *
 * One arena per lifetime: a definition owns one until it is unloaded, the
 * engine resets one after every batch. Nothing inside an arena is freed alone,
 * and nothing inside it may be kept past its reset. The zero value is an empty
 * arena without a limit.
 */
#ifndef SKALD_BASE_ARENA_H
#define SKALD_BASE_ARENA_H

#include "base/slice.h"

#include <stdint.h>

struct arena_block;

struct arena {
	char *next; /* free space of the newest block */
	char *end;
	struct arena_block *blocks; /* newest first */
	size_t used;                /* bytes of all blocks */
	size_t max;                 /* refuse to hold more than this; 0: no limit */
};

/* Aligned for any type and zeroed; NULL when out of memory or over the limit. */
void *arena_alloc(struct arena *arena, size_t size);

/* Room for n values of one type; NULL also when n * size overflows. */
void *arena_array(struct arena *arena, size_t n, size_t size);

/* Make the newest allocation longer in place; false where it must be copied.
 * What is gained is not zeroed. */
bool arena_extend(struct arena *arena, void *newest, size_t old_size, size_t new_size);

/* A copy with a terminator after it. *out is untouched on failure. */
bool arena_copy(struct arena *arena, struct slice bytes, struct slice *out);

/* Forget everything but keep one block, so that a loop stops allocating. */
void arena_reset(struct arena *arena);

/* Free everything; the arena is empty and usable again. */
void arena_release(struct arena *arena);

#endif

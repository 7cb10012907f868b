/* memory_dead.h - the dead letters of store_memory.c: a list. Private to the store. */
#ifndef SKALD_STORE_MEMORY_DEAD_H
#define SKALD_STORE_MEMORY_DEAD_H

#include "orchestrator/store/store.h"

struct memory_dead {
	struct dead_block *newest;
};

/* As the operations of a store. */
CHECKED enum err memory_dead_put(struct memory_dead *dead, const struct dead_letter *letters,
				 size_t n, size_t *n_dropped);
CHECKED enum err memory_dead_list(
	const struct memory_dead *dead, struct slice after, size_t limit,
	enum err (*visit)(void *context, const struct dead_letter *letter), void *context);
CHECKED enum err memory_dead_get(const struct memory_dead *dead, struct slice id,
				 struct arena *arena, struct dead_letter *out);
CHECKED enum err memory_dead_remove(struct memory_dead *dead, struct slice id);
void memory_dead_release(struct memory_dead *dead);

#endif

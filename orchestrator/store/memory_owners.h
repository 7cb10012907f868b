/* memory_owners.h - whose the shards of store_memory.c are, and whose batches its sagas
 * are of. Private to the store.
 *
 * Each opening of a vault that is shared is a member; member 0 is whoever has it alone. */
#ifndef SKALD_STORE_MEMORY_OWNERS_H
#define SKALD_STORE_MEMORY_OWNERS_H

#include "orchestrator/store/store.h"

enum { MEMORY_URL_MAX = 255 };

struct memory_owners {
	struct store_batch *batches;      /* by member */
	char (*urls)[MEMORY_URL_MAX + 1]; /* likewise; empty: it has left */
	size_t n_members;
	size_t *of;        /* by shard: who has it; 0: nobody */
	int64_t *since_ms; /* likewise; when it was taken */
	uint32_t n;        /* shards */
};

bool memory_owners_init(struct memory_owners *owners); /* false: out of memory */
void memory_owners_release(struct memory_owners *owners);

/* A new member; 0: out of memory. */
size_t memory_owners_join(struct memory_owners *owners, const char *url);
void memory_owners_leave(struct memory_owners *owners, size_t member);

/* *ours: what it had, and what it has then. ERR_NOMEM. */
CHECKED enum err memory_owners_take(struct memory_owners *owners, size_t member,
				    const struct shards *wanted, int64_t now_ms,
				    struct shards *ours);

/* Take out what somebody else has by now. */
void memory_owners_check(const struct memory_owners *owners, size_t member,
			 struct shards *ours);

CHECKED enum err memory_owners_visit(const struct memory_owners *owners,
				     enum err (*visit)(void *context,
						       const struct shard_owner *owner),
				     void *context);

#endif

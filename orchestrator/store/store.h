/* store.h - where sagas live between events.
 *
 * A saga's versioned bytes (core/codec.h) are the truth; what else a store
 * writes is for people and queries and is never read back. store_memory.c
 * keeps them in memory. The comments below are the contract;
 * tests/unit/test_store.c runs it against every store.
 */
#ifndef SKALD_STORE_STORE_H
#define SKALD_STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/core/saga.h"

struct store {
	const struct store_ops *ops;
};

/* One saga to be written. */
struct saga_write {
	struct slice id;
	uint64_t revision;   /* afterwards; what is stored must have one less, */
	enum status status;  /* a new saga (revision 1) must not be there */
	struct slice record; /* core/codec.h */
	enum err result;     /* set by commit: OK or ERR_CONFLICT */
};

struct store_ops {
	/* Write a batch. OK: each write's result says what became of it, and what
	 * is OK is durable; a conflict concerns that saga alone. Any other error:
	 * nothing of the batch may be taken as written. */
	enum err (*commit)(struct store *store, struct saga_write *writes, size_t n);

	/* The saga's record, copied into the arena. ERR_NOT_FOUND, ERR_NOMEM. */
	enum err (*get)(struct store *store, struct slice id, struct arena *arena,
			struct slice *record);

	/* Call for every saga that has not ended, in the order in which they were
	 * begun. The record is valid during the call; an error of `visit` ends
	 * the walk and is returned. */
	enum err (*load)(struct store *store,
			 enum err (*visit)(void *context, struct slice record), void *context);

	void (*close)(struct store *store);
};

CHECKED enum err store_commit(struct store *store, struct saga_write *writes, size_t n);
CHECKED enum err store_get(struct store *store, struct slice id, struct arena *arena,
			   struct slice *record);
CHECKED enum err store_load(struct store *store,
			    enum err (*visit)(void *context, struct slice record),
			    void *context);
void store_close(struct store *store); /* NULL is fine */

#endif

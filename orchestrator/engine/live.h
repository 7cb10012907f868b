/* live.h - the sagas that an engine holds in memory: found by id, woken by time. */
#ifndef SKALD_ENGINE_LIVE_H
#define SKALD_ENGINE_LIVE_H

#include "orchestrator/core/codec.h"
#include "orchestrator/core/timeline.h"

/* An attempt that was handed to the bus; zero: not yet. */
struct handed {
	int64_t sent_ms;
	int64_t due_ms; /* when the attempt times out */
};

struct live {
	struct live *next; /* in its bucket */
	const struct definition *definition;
	struct saga *saga;     /* as it is stored, in one block; NULL: not stored yet */
	struct saga *working;  /* as the present batch has it; NULL: unchanged */
	struct bytes timeline; /* of live_now(), on the heap */
	uint32_t n_entries;    /* in it */
	struct handed *handed; /* by step */
	struct live *next_dirty;
	bool dirty;       /* in the list of the present batch */
	int64_t retry_ms; /* when to offer the bus again what it did not take; 0: nothing */
	int64_t wake_ms;  /* INT64_MAX: no timer */
	size_t heap_at;   /* where it is in the heap */
};

struct live_table {
	struct live **buckets;
	size_t n_buckets;   /* a power of two */
	struct live **heap; /* by wake_ms, nearest first */
	size_t heap_size;
	size_t n;
};

CHECKED enum err live_table_init(struct live_table *table);
void live_table_release(struct live_table *table);

static inline const struct saga *live_now(const struct live *live)
{
	return live->working ? live->working : live->saga;
}

struct live *live_find(const struct live_table *table, struct slice id);

/* Takes the saga (a block of its own, or `working` in the batch's memory where
 * `saga` is NULL); NULL: out of memory, nothing is taken. */
struct live *live_add(struct live_table *table, const struct definition *definition,
		      struct saga *saga, struct saga *working);
void live_remove(struct live_table *table, struct live *live);

/* What happened goes into the timeline, folded where it is full. ERR_NOMEM: the
 * timeline is as it was. */
CHECKED enum err live_note(struct live *live, int64_t origin_ms, const struct entry *entries,
			   uint32_t n);

/* The stored timeline is the saga's from now on. ERR_CORRUPT; ERR_INVALID: of a
 * newer skald; ERR_NOMEM: the timeline is as it was. */
CHECKED enum err live_set_timeline(struct live *live, struct slice bytes, struct diag *diag);

/* Its timers changed. */
void live_rewake(struct live_table *table, struct live *live);

/* The one that wakes first; NULL: there is none. */
struct live *live_first(const struct live_table *table);

#endif

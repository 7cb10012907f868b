/* live.h - the sagas that have not ended: found by id, woken by time.
 *
 * What waits holds its record and nothing more; it is decoded when something
 * happens to it. While a batch is decided, `change` is what has become of it.
 */
#ifndef SKALD_ENGINE_LIVE_H
#define SKALD_ENGINE_LIVE_H

#include "orchestrator/core/saga.h"

/* An attempt that was handed to the bus. */
struct handed {
	uint32_t step;
	uint16_t lane; /* of its participant, lanes.h; 0: a child saga, which has none */
	bool probe;    /* whether its breaker closes hangs on the answer */
	int64_t sent_ms;
	int64_t due_ms; /* when the attempt times out */
};

/* A client that wants to hear of the saga's end. */
struct watcher {
	struct watcher *next;
	uint64_t origin; /* bus/bus.h */
};

/* Of more clients that watch one saga, those that came first are forgotten: they
 * are gone, most likely, and asked again. */
enum { WATCHERS_MAX = 16 };

struct change; /* inside.h */
struct held;   /* lanes.h */

struct live {
	struct live *next; /* in its bucket */
	const struct definition *definition;
	struct slice record;   /* as it is stored, on the heap; empty: not stored yet */
	struct change *change; /* of the present batch; NULL: none */
	struct handed *handed; /* the commands under way; on the heap */
	struct held *held; /* commands that wait until they may be handed over, newest first */
	uint32_t n_handed;
	uint32_t n_entries;       /* of its timeline */
	uint32_t n_news;          /* the newest of them: see news_of() */
	uint64_t n_told;          /* entries that it ever had */
	uint64_t news_batch;      /* in which it was written last */
	struct watcher *watchers; /* newest first */
	int64_t retry_ms;  /* when to offer the bus again what it did not take; 0: nothing */
	int64_t wake_ms;   /* INT64_MAX: no timer */
	uint32_t heap_at;  /* where it is in the heap */
	uint8_t n_retries; /* how often the bus did not take it, one after the other */
	uint8_t id_len;
	char id[];
};

struct live_table {
	struct live **buckets;
	size_t n_buckets;   /* a power of two */
	struct live **heap; /* by wake_ms, nearest first */
	size_t n;
};

CHECKED enum err live_table_init(struct live_table *table);
void live_table_release(struct live_table *table);

static inline struct slice live_id(const struct live *live)
{
	return (struct slice){live->id, live->id_len};
}

struct live *live_find(const struct live_table *table, struct slice id);

/* NULL: out of memory. The id must not be there yet. */
struct live *live_add(struct live_table *table, const struct definition *definition,
		      struct slice id);
/* Nothing of it is handed over or held any more. */
void live_remove(struct live_table *table, struct live *live);

/* The attempt of the step that is under way; NULL: none was handed over. */
struct handed *live_handed(const struct live *live, uint32_t step);
CHECKED enum err live_hand(struct live *live, const struct handed *handed);
void live_forget_handed(struct live *live, uint32_t step);

/* Takes the watcher. */
void live_watch(struct live *live, struct watcher *watcher);

/* Takes the record, which is on the heap, in place of the one that it has. */
void live_keep(struct live *live, struct slice record);

/* Its timers changed: those of the saga as it is now, and those of attempts. One that
 * turns back while a do of it is held is due at once. */
void live_rewake(struct live_table *table, struct live *live, const struct saga *saga);

/* Nothing wakes it any more. */
void live_sleep(struct live_table *table, struct live *live);

/* The one that wakes first; NULL: there is none. */
struct live *live_first(const struct live_table *table);

#endif

#include "orchestrator/engine/live.h"

#include "orchestrator/engine/lanes.h"

#include <assert.h>
#include <stdlib.h>

/* --- by id -------------------------------------------------------------------------- */

static struct live **find_link(const struct live_table *table, struct slice id)
{
	uint64_t hash = 14695981039346656037u;
	struct live **link;

	for (size_t i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.at[i]) * 1099511628211u;
	link = &table->buckets[hash & (table->n_buckets - 1)];
	while (*link && !slice_equal(live_id(*link), id))
		link = &(*link)->next;
	return link;
}

struct live *live_find(const struct live_table *table, struct slice id)
{
	return *find_link(table, id);
}

/* Twice as many buckets, and a heap that has room for as many sagas. */
static bool grow(struct live_table *table)
{
	struct live_table larger = *table;

	if (table->n < table->n_buckets)
		return true;
	larger.n_buckets = table->n_buckets * 2;
	larger.buckets = calloc(larger.n_buckets, sizeof(struct live *));
	larger.heap = malloc(larger.n_buckets * sizeof(struct live *));
	if (!larger.buckets || !larger.heap) {
		free(larger.buckets);
		free(larger.heap);
		return false;
	}
	memcpy(larger.heap, table->heap, table->n * sizeof(struct live *));
	for (size_t i = 0; i < table->n; i++) {
		struct live *live = table->heap[i];
		struct live **link;

		live->next = NULL;
		link = find_link(&larger, live_id(live));
		*link = live;
	}
	free(table->buckets);
	free(table->heap);
	*table = larger;
	return true;
}

/* --- by time ------------------------------------------------------------------------ */

static void put(struct live_table *table, size_t at, struct live *live)
{
	table->heap[at] = live;
	live->heap_at = (uint32_t)at;
}

static void sift(struct live_table *table, struct live *live)
{
	size_t at = live->heap_at;

	while (at > 0 && table->heap[(at - 1) / 2]->wake_ms > live->wake_ms) {
		put(table, at, table->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < table->n &&
		    table->heap[child + 1]->wake_ms < table->heap[child]->wake_ms)
			child++;
		if (child >= table->n || table->heap[child]->wake_ms >= live->wake_ms)
			break;
		put(table, at, table->heap[child]);
		at = child;
	}
	put(table, at, live);
}

static bool held_do(const struct live *live)
{
	const struct held *held = live->held;

	while (held && held->undo)
		held = held->sibling;
	return held != NULL;
}

void live_rewake(struct live_table *table, struct live *live, const struct saga *saga)
{
	struct timer timer;

	live->wake_ms = INT64_MAX;
	if (saga_next_timer(live->definition, saga, &timer))
		live->wake_ms = timer.at_ms;
	if (live->retry_ms && live->retry_ms < live->wake_ms)
		live->wake_ms = live->retry_ms;
	for (uint32_t i = 0; i < live->n_handed; i++)
		if (live->handed[i].due_ms < live->wake_ms)
			live->wake_ms = live->handed[i].due_ms;
	if (saga->phase == PHASE_BACK && held_do(live))
		live->wake_ms = 0;
	sift(table, live);
}

void live_sleep(struct live_table *table, struct live *live)
{
	live->wake_ms = INT64_MAX;
	sift(table, live);
}

struct live *live_first(const struct live_table *table)
{
	return table->n ? table->heap[0] : NULL;
}

/* --- attempts under way ------------------------------------------------------------- */

struct handed *live_handed(const struct live *live, uint32_t step)
{
	for (uint32_t i = 0; i < live->n_handed; i++)
		if (live->handed[i].step == step)
			return &live->handed[i];
	return NULL;
}

enum err live_hand(struct live *live, const struct handed *handed)
{
	struct handed *grown;

	assert(!live_handed(live, handed->step));
	grown = realloc(live->handed, (live->n_handed + 1) * sizeof *grown);
	if (!grown)
		return ERR_NOMEM;
	live->handed = grown;
	grown[live->n_handed++] = *handed;
	return OK;
}

void live_forget_handed(struct live *live, uint32_t step)
{
	struct handed *handed = live_handed(live, step);

	if (!handed)
		return;
	*handed = live->handed[--live->n_handed];
	if (live->n_handed)
		return;
	free(live->handed); /* it waits for something else: a waiting saga is small */
	live->handed = NULL;
}

/* --- what it holds ------------------------------------------------------------------ */

void live_watch(struct live *live, struct watcher *watcher)
{
	struct watcher **link = &live->watchers;

	watcher->next = live->watchers;
	live->watchers = watcher;
	for (int n = 0; n < WATCHERS_MAX && *link; n++)
		link = &(*link)->next;
	free(*link);
	*link = NULL;
}

void live_keep(struct live *live, struct slice record)
{
	free((char *)live->record.at);
	live->record = record;
}

/* --- adding and removing ------------------------------------------------------------ */

struct live *live_add(struct live_table *table, const struct definition *definition,
		      struct slice id)
{
	struct live *live;

	assert(id.len && id.len <= SAGA_ID_MAX);
	if (!grow(table))
		return NULL;
	live = calloc(1, sizeof *live + id.len);
	if (!live)
		return NULL;
	live->definition = definition;
	live->wake_ms = INT64_MAX;
	live->id_len = (uint8_t)id.len;
	memcpy(live->id, id.at, id.len);
	*find_link(table, id) = live;
	put(table, table->n, live);
	table->n++;
	return live;
}

static void live_free(struct live *live)
{
	while (live->watchers) {
		struct watcher *watcher = live->watchers;

		live->watchers = watcher->next;
		free(watcher);
	}
	free((char *)live->record.at);
	free(live->handed);
	free(live);
}

void live_remove(struct live_table *table, struct live *live)
{
	struct live **link = find_link(table, live_id(live));
	struct live *last = table->heap[--table->n];

	assert(*link == live && !live->change && !live->handed && !live->held);
	*link = live->next;
	if (last != live) {
		put(table, live->heap_at, last);
		sift(table, last);
	}
	live_free(live);
}

enum err live_table_init(struct live_table *table)
{
	*table = (struct live_table){.n_buckets = 64};
	table->buckets = calloc(table->n_buckets, sizeof(struct live *));
	table->heap = malloc(table->n_buckets * sizeof(struct live *));
	if (table->buckets && table->heap)
		return OK;
	live_table_release(table);
	return ERR_NOMEM;
}

void live_table_release(struct live_table *table)
{
	for (size_t i = 0; i < table->n; i++)
		live_free(table->heap[i]);
	free(table->buckets);
	free(table->heap);
	*table = (struct live_table){0};
}

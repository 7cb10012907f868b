#include "orchestrator/engine/live.h"

#include <assert.h>
#include <stdlib.h>

/* --- by id ------------------------------------------------------------------------ */

static struct live **find_link(const struct live_table *table, struct slice id)
{
	uint64_t hash = 14695981039346656037u;
	struct live **link;

	for (size_t i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.at[i]) * 1099511628211u;
	link = &table->buckets[hash & (table->n_buckets - 1)];
	while (*link && !slice_equal(live_now(*link)->id, id))
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
	memcpy(larger.heap, table->heap, table->heap_size * sizeof(struct live *));
	for (size_t i = 0; i < table->n_buckets; i++) {
		struct live *next;

		for (struct live *live = table->buckets[i]; live; live = next) {
			next = live->next;
			live->next = NULL;
			*find_link(&larger, live_now(live)->id) = live;
		}
	}
	free(table->buckets);
	free(table->heap);
	*table = larger;
	return true;
}

/* --- by time ------------------------------------------------------------------------- */

static void put(struct live_table *table, size_t at, struct live *live)
{
	table->heap[at] = live;
	live->heap_at = at;
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

		if (child + 1 < table->heap_size &&
		    table->heap[child + 1]->wake_ms < table->heap[child]->wake_ms)
			child++;
		if (child >= table->heap_size || table->heap[child]->wake_ms >= live->wake_ms)
			break;
		put(table, at, table->heap[child]);
		at = child;
	}
	put(table, at, live);
}

void live_rewake(struct live_table *table, struct live *live)
{
	const struct saga *saga = live_now(live);
	struct timer timer;

	live->wake_ms = INT64_MAX;
	if (saga_next_timer(live->definition, saga, &timer))
		live->wake_ms = timer.at_ms;
	if (live->retry_ms && live->retry_ms < live->wake_ms)
		live->wake_ms = live->retry_ms;
	for (uint32_t i = 0; i < saga->n_steps; i++)
		if (live->handed[i].sent_ms && live->handed[i].due_ms < live->wake_ms)
			live->wake_ms = live->handed[i].due_ms;
	sift(table, live);
}

struct live *live_first(const struct live_table *table)
{
	return table->heap_size ? table->heap[0] : NULL;
}

/* --- adding and removing ----------------------------------------------------------------- */

struct live *live_add(struct live_table *table, const struct definition *definition,
		      struct saga *saga, struct saga *working)
{
	size_t handed_size = definition->n_steps * sizeof(struct handed);
	struct live *live;

	if (!grow(table))
		return NULL;
	live = calloc(1, sizeof *live + handed_size);
	if (!live)
		return NULL;
	live->definition = definition;
	live->saga = saga;
	live->working = working;
	live->handed = (struct handed *)(live + 1);
	live->timeline = BYTES(TIMELINE_BYTES_MAX, NULL);
	live->wake_ms = INT64_MAX;
	*find_link(table, live_now(live)->id) = live;
	table->n++;
	put(table, table->heap_size++, live);
	live_rewake(table, live);
	return live;
}

void live_remove(struct live_table *table, struct live *live)
{
	struct live **link = find_link(table, live_now(live)->id);
	struct live *last = table->heap[--table->heap_size];

	assert(*link == live && !live->dirty);
	*link = live->next;
	if (last != live) {
		put(table, live->heap_at, last);
		sift(table, last);
	}
	table->n--;
	bytes_release(&live->timeline);
	free(live->saga);
	free(live);
}

/* --- timelines --------------------------------------------------------------------------- */

static enum err fold(struct live *live)
{
	struct bytes folded = BYTES(TIMELINE_BYTES_MAX, NULL);
	struct timeline timeline;
	enum err err = timeline_read(bytes_slice(&live->timeline), &timeline, NULL);

	assert(!err);
	timeline_fold(&timeline, TIMELINE_MAX, &folded);
	if (folded.err) {
		bytes_release(&folded);
		return ERR_NOMEM;
	}
	bytes_release(&live->timeline);
	live->timeline = folded;
	live->n_entries = TIMELINE_MAX;
	return OK;
}

enum err live_note(struct live *live, int64_t origin_ms, const struct entry *entries,
		   uint32_t n)
{
	struct bytes *timeline = &live->timeline;
	size_t len = timeline->len;

	if (len == 0)
		timeline_begin(timeline, origin_ms);
	for (uint32_t i = 0; i < n; i++)
		timeline_append(timeline, origin_ms, &entries[i]);
	live->n_entries += n;
	if (!timeline->err && (live->n_entries <= TIMELINE_MAX || !fold(live)))
		return OK;
	timeline->len = len;
	timeline->err = OK;
	live->n_entries -= n;
	return ERR_NOMEM;
}

enum err live_set_timeline(struct live *live, struct slice bytes, struct diag *diag)
{
	struct bytes copy = BYTES(TIMELINE_BYTES_MAX, NULL);
	struct timeline timeline;
	enum err err = timeline_read(bytes, &timeline, diag);

	if (err)
		return err;
	bytes_append(&copy, bytes);
	if (copy.err)
		return copy.err;
	bytes_release(&live->timeline);
	live->timeline = copy;
	live->n_entries = timeline.n_entries;
	return OK;
}

enum err live_table_init(struct live_table *table)
{
	*table = (struct live_table){.n_buckets = 64};
	table->buckets = calloc(table->n_buckets, sizeof(struct live *));
	table->heap = malloc(table->n_buckets * sizeof(struct live *));
	if (table->buckets && table->heap)
		return OK;
	live_table_release(table);
	*table = (struct live_table){0};
	return ERR_NOMEM;
}

void live_table_release(struct live_table *table)
{
	for (size_t i = 0; i < table->heap_size; i++) {
		bytes_release(&table->heap[i]->timeline);
		free(table->heap[i]->saga);
		free(table->heap[i]);
	}
	free(table->buckets);
	free(table->heap);
}

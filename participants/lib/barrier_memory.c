#include "participants/lib/barrier_memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* A record and its texts in one block. */
struct kept {
	struct kept *next; /* in its bucket */
	struct slice id;
	struct barrier_record record;
};

/* What a transaction replaced: put back on rollback. */
struct change {
	struct change *next;
	struct kept *added;
	struct kept *replaced; /* NULL: there was none */
};

struct barrier_memory {
	struct barrier base; /* first, so that the two pointers are one */
	struct kept **buckets;
	size_t n_buckets; /* a power of two */
	size_t n_kept;
	struct change *changes; /* of the open transaction, newest first */
	struct change *mark;    /* back() undoes those before it in the list */
	bool open;
	int64_t prune_before_ms; /* at the next commit: a rollback brings back all else */
	size_t prune_limit;
	size_t prune_bucket; /* where to go on */
};

static struct kept **bucket_of(struct kept **buckets, size_t n_buckets, struct slice id)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.at[i]) * 1099511628211u;
	return &buckets[hash & (n_buckets - 1)];
}

static struct kept **find(struct barrier_memory *barrier, struct slice id)
{
	struct kept **link = bucket_of(barrier->buckets, barrier->n_buckets, id);

	while (*link && !slice_equal((*link)->id, id))
		link = &(*link)->next;
	return link;
}

static bool grow(struct barrier_memory *barrier)
{
	size_t n_buckets = barrier->n_buckets * 2;
	struct kept **buckets, *kept;

	if (barrier->n_kept < barrier->n_buckets)
		return true;
	buckets = calloc(n_buckets, sizeof(struct kept *));
	if (!buckets)
		return false;
	for (size_t i = 0; i < barrier->n_buckets; i++)
		while ((kept = barrier->buckets[i])) {
			struct kept **link = bucket_of(buckets, n_buckets, kept->id);

			barrier->buckets[i] = kept->next;
			kept->next = *link;
			*link = kept;
		}
	free(barrier->buckets);
	barrier->buckets = buckets;
	barrier->n_buckets = n_buckets;
	return true;
}

static struct slice put(char **at, struct slice text)
{
	struct slice copy = {*at, text.len};

	if (text.len)
		memcpy(*at, text.at, text.len);
	*at += text.len;
	return copy;
}

static struct kept *make_kept(struct slice id, const struct barrier_record *record)
{
	struct kept *kept = malloc(sizeof *kept + id.len + record->output.len +
				   record->code.len + record->text.len);
	char *at = (char *)(kept + 1);

	if (!kept)
		return NULL;
	kept->next = NULL;
	kept->id = put(&at, id);
	kept->record = (struct barrier_record){record->state, put(&at, record->output),
					       put(&at, record->code), put(&at, record->text),
					       record->first_ms};
	return kept;
}

static enum err memory_begin(struct barrier *base)
{
	struct barrier_memory *barrier = (struct barrier_memory *)base;

	assert(!barrier->open);
	barrier->open = true;
	return OK;
}

/* Every bucket and every record looked at counts. */
static void sweep(struct barrier_memory *barrier)
{
	size_t n_buckets = barrier->n_buckets;

	for (size_t n = 0; barrier->prune_limit && n < n_buckets; n++) {
		struct kept **link =
			&barrier->buckets[barrier->prune_bucket++ & (n_buckets - 1)];

		barrier->prune_limit--;
		while (*link) {
			struct kept *kept = *link;

			barrier->prune_limit -= barrier->prune_limit > 0;
			if (kept->record.first_ms >= barrier->prune_before_ms) {
				link = &kept->next;
				continue;
			}
			*link = kept->next;
			free(kept);
			barrier->n_kept--;
		}
	}
	barrier->prune_limit = 0;
}

static enum err memory_commit(struct barrier *base)
{
	struct barrier_memory *barrier = (struct barrier_memory *)base;

	barrier->open = false;
	barrier->mark = NULL;
	while (barrier->changes) {
		struct change *change = barrier->changes;

		barrier->changes = change->next;
		free(change->replaced);
		free(change);
	}
	sweep(barrier);
	return OK;
}

static void undo_changes(struct barrier_memory *barrier, const struct change *until)
{
	while (barrier->changes != until) {
		struct change *change = barrier->changes;
		struct kept **link = find(barrier, change->added->id);

		if (change->replaced) {
			change->replaced->next = change->added->next;
			*link = change->replaced;
		} else {
			*link = change->added->next;
			barrier->n_kept--;
		}
		barrier->changes = change->next;
		free(change->added);
		free(change);
	}
}

static void memory_rollback(struct barrier *base)
{
	struct barrier_memory *barrier = (struct barrier_memory *)base;

	undo_changes(barrier, NULL);
	barrier->open = false;
	barrier->mark = NULL;
	barrier->prune_limit = 0;
}

static enum err memory_mark(struct barrier *base)
{
	struct barrier_memory *barrier = (struct barrier_memory *)base;

	assert(barrier->open);
	barrier->mark = barrier->changes;
	return OK;
}

static enum err memory_back(struct barrier *base)
{
	struct barrier_memory *barrier = (struct barrier_memory *)base;

	assert(barrier->open);
	undo_changes(barrier, barrier->mark);
	return OK;
}

static enum err memory_prune(struct barrier *base, int64_t before_ms, size_t limit)
{
	struct barrier_memory *barrier = (struct barrier_memory *)base;

	assert(barrier->open);
	barrier->prune_before_ms = before_ms;
	barrier->prune_limit = limit;
	return OK;
}

static enum err memory_find(struct barrier *base, struct slice id, struct arena *arena,
			    struct barrier_record *out)
{
	const struct kept *kept = *find((struct barrier_memory *)base, id);

	*out = (struct barrier_record){0};
	if (!kept)
		return OK;
	out->state = kept->record.state;
	out->first_ms = kept->record.first_ms;
	if (!arena_copy(arena, kept->record.output, &out->output) ||
	    !arena_copy(arena, kept->record.code, &out->code) ||
	    !arena_copy(arena, kept->record.text, &out->text))
		return ERR_NOMEM;
	return OK;
}

static enum err memory_keep(struct barrier *base, struct slice id,
			    const struct barrier_record *record)
{
	struct barrier_memory *barrier = (struct barrier_memory *)base;
	struct change *change = malloc(sizeof *change);
	struct kept *kept = make_kept(id, record), **link;

	assert(barrier->open);
	if (!change || !kept || !grow(barrier)) {
		free(change);
		free(kept);
		return ERR_NOMEM;
	}
	link = find(barrier, id);
	*change = (struct change){barrier->changes, kept, *link};
	kept->next = *link ? (*link)->next : NULL;
	barrier->n_kept += !*link;
	*link = kept;
	barrier->changes = change;
	return OK;
}

/* A page is some buckets, the cursor the number of the next. Where there are twice as
 * many meanwhile, those that were in a bucket behind it still are. */
static enum err memory_list(struct barrier *base, struct slice after, size_t limit,
			    struct barrier_page *page, struct arena *arena, struct slice *next)
{
	struct barrier_memory *barrier = (struct barrier_memory *)base;
	size_t bucket = 0, looked = 0;
	char text[24];

	for (size_t i = 0; i < after.len; i++)
		bucket = bucket * 10 + (size_t)(after.at[i] - '0');
	for (; looked < limit && bucket < barrier->n_buckets; bucket++, looked++) {
		for (const struct kept *kept = barrier->buckets[bucket]; kept;
		     kept = kept->next) {
			enum err err = barrier_page_add(page, kept->id, kept->record.state,
							kept->record.first_ms, arena);

			if (err)
				return err;
			looked++;
		}
	}
	*next = (struct slice){0};
	if (bucket == barrier->n_buckets)
		return OK;
	snprintf(text, sizeof text, "%zu", bucket);
	return arena_copy(arena, slice_of(text), next) ? OK : ERR_NOMEM;
}

static void memory_close(struct barrier *base)
{
	struct barrier_memory *barrier = (struct barrier_memory *)base;

	if (barrier->open)
		memory_rollback(base);
	for (size_t i = 0; i < barrier->n_buckets; i++)
		while (barrier->buckets[i]) {
			struct kept *kept = barrier->buckets[i];

			barrier->buckets[i] = kept->next;
			free(kept);
		}
	free(barrier->buckets);
	free(barrier);
}

struct barrier *barrier_memory_new(void)
{
	static const struct barrier_ops ops = {
		.begin = memory_begin,
		.commit = memory_commit,
		.rollback = memory_rollback,
		.mark = memory_mark,
		.back = memory_back,
		.find = memory_find,
		.keep = memory_keep,
		.prune = memory_prune,
		.list = memory_list,
		.close = memory_close,
	};
	struct barrier_memory *barrier = calloc(1, sizeof *barrier);

	if (!barrier)
		return NULL;
	barrier->base.ops = &ops;
	barrier->n_buckets = 64;
	barrier->buckets = calloc(barrier->n_buckets, sizeof(struct kept *));
	if (!barrier->buckets) {
		free(barrier);
		return NULL;
	}
	return &barrier->base;
}

skald_barrier *skald_barrier_memory(void)
{
	return (skald_barrier *)barrier_memory_new();
}

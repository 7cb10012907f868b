#include "orchestrator/store/store_memory.h"

#include <stdlib.h>

/* One stored saga; id and record follow it in the same block. */
struct row {
	struct row *next; /* in its bucket */
	struct slice id;
	struct slice record;
	uint64_t revision;
	uint64_t order; /* of its insertion */
	enum status status;
};

struct vault {
	struct row **buckets;
	size_t n_buckets; /* a power of two */
	size_t n_rows;
	uint64_t inserted;
};

struct store_memory {
	struct store base; /* first, so that the two pointers are one */
	struct vault *vault;
};

static struct row **find(struct vault *vault, struct slice id)
{
	uint64_t hash = 14695981039346656037u;
	struct row **link;

	for (size_t i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.at[i]) * 1099511628211u;
	link = &vault->buckets[hash & (vault->n_buckets - 1)];
	while (*link && !slice_equal((*link)->id, id))
		link = &(*link)->next;
	return link;
}

static bool grow(struct vault *vault)
{
	struct vault larger = *vault;

	if (vault->n_rows < vault->n_buckets)
		return true;
	larger.n_buckets = vault->n_buckets * 2;
	larger.buckets = calloc(larger.n_buckets, sizeof(struct row *));
	if (!larger.buckets)
		return false;
	for (size_t i = 0; i < vault->n_buckets; i++) {
		struct row *next;

		for (struct row *row = vault->buckets[i]; row; row = next) {
			next = row->next;
			row->next = NULL;
			*find(&larger, row->id) = row;
		}
	}
	free(vault->buckets);
	*vault = larger;
	return true;
}

static struct row *make_row(const struct saga_write *write)
{
	struct row *row = malloc(sizeof *row + write->id.len + write->record.len);
	char *texts = (char *)(row + 1);

	if (!row)
		return NULL;
	memcpy(texts, write->id.at, write->id.len);
	memcpy(texts + write->id.len, write->record.at, write->record.len);
	*row = (struct row){.id = {texts, write->id.len},
			    .record = {texts + write->id.len, write->record.len},
			    .revision = write->revision,
			    .status = write->status};
	return row;
}

static enum err memory_commit(struct store *base, struct saga_write *writes, size_t n)
{
	struct vault *vault = ((struct store_memory *)base)->vault;

	for (size_t i = 0; i < n; i++) {
		struct row **link, *old, *row;

		if (!grow(vault))
			return ERR_NOMEM;
		link = find(vault, writes[i].id);
		old = *link;
		if ((old ? old->revision : 0) + 1 != writes[i].revision) {
			writes[i].result = ERR_CONFLICT;
			continue;
		}
		row = make_row(&writes[i]);
		if (!row)
			return ERR_NOMEM;
		row->order = old ? old->order : vault->inserted++;
		row->next = old ? old->next : NULL;
		vault->n_rows += !old;
		*link = row;
		free(old);
		writes[i].result = OK;
	}
	return OK;
}

static enum err memory_get(struct store *base, struct slice id, struct arena *arena,
			   struct slice *record)
{
	struct row *row = *find(((struct store_memory *)base)->vault, id);

	if (!row)
		return ERR_NOT_FOUND;
	return arena_copy(arena, row->record, record) ? OK : ERR_NOMEM;
}

static int by_order(const void *a, const void *b)
{
	const struct row *first = *(struct row *const *)a, *second = *(struct row *const *)b;

	return (first->order > second->order) - (first->order < second->order);
}

static bool unfinished(const struct row *row)
{
	return row->status == STATUS_RUNNING || row->status == STATUS_COMPENSATING ||
	       row->status == STATUS_PARKED;
}

static enum err memory_load(struct store *base,
			    enum err (*visit)(void *context, struct slice record),
			    void *context)
{
	struct vault *vault = ((struct store_memory *)base)->vault;
	struct row **rows = malloc((vault->n_rows + 1) * sizeof(struct row *));
	enum err err = OK;
	size_t n = 0;

	if (!rows)
		return ERR_NOMEM;
	for (size_t i = 0; i < vault->n_buckets; i++)
		for (struct row *row = vault->buckets[i]; row; row = row->next)
			if (unfinished(row))
				rows[n++] = row;
	qsort(rows, n, sizeof *rows, by_order);
	for (size_t i = 0; i < n && !err; i++)
		err = visit(context, rows[i]->record);
	free(rows);
	return err;
}

static void memory_close(struct store *base)
{
	free(base);
}

struct store *store_memory_open(struct vault *vault)
{
	static const struct store_ops ops = {memory_commit, memory_get, memory_load,
					     memory_close};
	struct store_memory *store = malloc(sizeof *store);

	if (store)
		*store = (struct store_memory){{&ops}, vault};
	return store ? &store->base : NULL;
}

struct vault *vault_new(void)
{
	struct vault *vault = calloc(1, sizeof *vault);

	if (!vault)
		return NULL;
	vault->n_buckets = 64;
	vault->buckets = calloc(vault->n_buckets, sizeof(struct row *));
	if (!vault->buckets) {
		free(vault);
		return NULL;
	}
	return vault;
}

void vault_free(struct vault *vault)
{
	if (!vault)
		return;
	for (size_t i = 0; i < vault->n_buckets; i++)
		while (vault->buckets[i]) {
			struct row *row = vault->buckets[i];

			vault->buckets[i] = row->next;
			free(row);
		}
	free(vault->buckets);
	free(vault);
}

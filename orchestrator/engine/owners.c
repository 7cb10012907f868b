#include "orchestrator/engine/owners.h"

#include "orchestrator/engine/inside.h"

#include <stdlib.h>

/* The URL of every shard's owner; empty: nobody. In the arena each is there once. */
struct owner_table {
	struct arena arena;
	struct slice urls[SHARDS_MAX];
};

void owners_free(struct owner_table *table)
{
	if (table)
		arena_release(&table->arena);
	free(table);
}

void owners_forget(struct owner_table *table, const struct shards *lost)
{
	for (uint32_t i = shards_next(lost, 0); table && i < lost->n;
	     i = shards_next(lost, i + 1))
		table->urls[i] = (struct slice){0};
}

/* Neighbours are of the same owner, as a rule. */
static enum err note_owner(void *context, const struct shard_owner *owner)
{
	uint32_t shard = owner->shard;
	struct owner_table *table = context;
	struct slice before;

	if (shard >= SHARDS_MAX)
		return OK;
	before = shard > 0 ? table->urls[shard - 1] : (struct slice){0};
	if (slice_equal(before, owner->url)) {
		table->urls[shard] = before;
		return OK;
	}
	return arena_copy(&table->arena, owner->url, &table->urls[shard]) ? OK : ERR_NOMEM;
}

enum err engine_read_owners(struct engine *engine)
{
	struct owner_table *table = calloc(1, sizeof *table);
	enum err err = table ? OK : ERR_NOMEM;

	if (!err)
		err = store_owners(engine->parts.store, note_owner, table);
	if (err) {
		owners_free(table);
		return err;
	}
	owners_free(engine->owners);
	engine->owners = table;
	return OK;
}

enum owner engine_owner(const struct engine *engine, struct slice saga_id, struct slice *url)
{
	const struct shards *ours = &engine->shards;
	uint32_t first = 0, end = ours->n;

	*url = (struct slice){0};
	if (!ours->n ||
	    (saga_id.len ? shards_cover(ours, saga_id) : shards_next(ours, 0) < ours->n))
		return OWNER_OURS;
	if (saga_id.len) {
		first = shard_of(saga_id, ours->n);
		end = first + 1;
	}
	for (uint32_t i = first; engine->owners && i < end; i++) {
		*url = engine->owners->urls[i];
		if (url->len)
			return OWNER_OTHER;
	}
	return OWNER_NOBODY;
}

#include "orchestrator/store/store.h"

#include <assert.h>

enum err store_commit(struct store *store, const struct store_batch *batch,
		      struct saga_write *writes, size_t n, const struct audit_entry *audit,
		      size_t n_audit)
{
	assert(batch->number > 0 && batch->sent <= batch->number);
	for (size_t i = 0; i < n; i++) {
		const struct saga_row *row = &writes[i].row;

		assert(row->id.len && row->key.len && row->saga.len && writes[i].record.len);
		assert(row->revision > writes[i].before && row->started_ms >= 0);
		assert(status_ended(row->status) == (row->ended_ms != 0));
	}
	return n || n_audit ? store->ops->commit(store, batch, writes, n, audit, n_audit) : OK;
}

enum err store_get(struct store *store, struct slice id, struct arena *arena,
		   struct saga_row *row, struct slice *record)
{
	return store->ops->get(store, id, arena, row, record);
}

enum err store_find(struct store *store, struct slice saga, struct slice key,
		    struct arena *arena, struct slice *id)
{
	return store->ops->find(store, saga, key, arena, id);
}

enum err store_load(struct store *store, const struct shards *which, struct store_batch *newest,
		    enum err (*visit)(void *context, const struct loaded_saga *saga),
		    void *context)
{
	return store->ops->load(store, which, newest, visit, context);
}

enum err store_list(struct store *store, const struct saga_filter *filter, struct slice after,
		    size_t limit, enum err (*visit)(void *context, const struct saga_row *row),
		    void *context)
{
	return store->ops->list(store, filter, after, limit, visit, context);
}

enum err store_counts(struct store *store, struct store_counts *out)
{
	return store->ops->counts(store, out);
}

enum err store_audit(struct store *store, struct slice saga_id, size_t limit,
		     enum err (*visit)(void *context, const struct audit_entry *entry),
		     void *context)
{
	return store->ops->audit(store, saga_id, limit, visit, context);
}

enum err store_put_definition(struct store *store, const struct stored_definition *definition)
{
	return store->ops->put_definition(store, definition);
}

enum err store_definitions(struct store *store,
			   enum err (*visit)(void *context,
					     const struct stored_definition *definition),
			   void *context)
{
	return store->ops->definitions(store, visit, context);
}

enum err store_put_dead(struct store *store, const struct dead_letter *letters, size_t n,
			size_t *n_dropped)
{
	*n_dropped = 0;
	for (size_t i = 0; i < n; i++)
		assert(dead_id_valid(letters[i].id) && letters[i].reason.len);
	return n ? store->ops->put_dead(store, letters, n, n_dropped) : OK;
}

enum err store_list_dead(struct store *store, struct slice after, size_t limit,
			 enum err (*visit)(void *context, const struct dead_letter *letter),
			 void *context)
{
	return store->ops->list_dead(store, after, limit, visit, context);
}

enum err store_get_dead(struct store *store, struct slice id, struct arena *arena,
			struct dead_letter *out)
{
	return store->ops->get_dead(store, id, arena, out);
}

enum err store_remove_dead(struct store *store, struct slice id)
{
	return store->ops->remove_dead(store, id);
}

enum err store_prune(struct store *store, int64_t ended_before_ms, size_t limit, size_t *n)
{
	*n = 0;
	return store->ops->prune(store, ended_before_ms, limit, n);
}

enum err store_removed(struct store *store, int64_t *ended_ms)
{
	return store->ops->removed(store, ended_ms);
}

enum err store_backup(struct store *store, const char *path, struct diag *diag)
{
	return store->ops->backup(store, path, diag);
}

enum err store_own(struct store *store, const struct shards *wanted, int64_t now_ms)
{
	assert(wanted->n);
	return store->ops->own ? store->ops->own(store, wanted, now_ms) : OK;
}

enum err store_check(struct store *store)
{
	return store->ops->check ? store->ops->check(store) : OK;
}

enum err store_look(struct store *store,
		    enum err (*visit)(void *context, const struct loaded_saga *saga),
		    void *context)
{
	store->stirred = false;
	return store->ops->look ? store->ops->look(store, visit, context) : OK;
}

enum err store_told(struct store *store)
{
	return store->ops->told ? store->ops->told(store) : OK;
}

enum err store_definition_changes(struct store *store, uint64_t *n)
{
	*n = 0;
	return store->ops->definition_changes ? store->ops->definition_changes(store, n) : OK;
}

enum err store_owners(struct store *store,
		      enum err (*visit)(void *context, const struct shard_owner *owner),
		      void *context)
{
	return store->ops->owners ? store->ops->owners(store, visit, context) : OK;
}

void store_close(struct store *store)
{
	if (store)
		store->ops->close(store);
}

static bool fits_text(struct slice wanted, struct slice text)
{
	return wanted.len == 0 || slice_equal(wanted, text);
}

bool saga_filter_fits(const struct saga_filter *filter, const struct saga_row *row)
{
	bool fits = filter->n_statuses == 0;

	for (size_t i = 0; i < filter->n_statuses; i++)
		fits |= filter->statuses[i] == row->status;
	return fits && fits_text(filter->saga, row->saga) && fits_text(filter->key, row->key) &&
	       fits_text(filter->step, row->step) &&
	       (filter->since_ms == 0 || row->started_ms >= filter->since_ms) &&
	       (filter->until_ms == 0 || row->started_ms < filter->until_ms);
}

bool dead_letter_copy(struct arena *arena, const struct dead_letter *from,
		      struct dead_letter *out)
{
	*out = *from;
	return arena_copy(arena, from->id, &out->id) &&
	       arena_copy(arena, from->reason, &out->reason) &&
	       arena_copy(arena, from->text, &out->text) &&
	       arena_copy(arena, from->source, &out->source) &&
	       arena_copy(arena, from->key, &out->key) &&
	       arena_copy(arena, from->headers, &out->headers) &&
	       arena_copy(arena, from->value, &out->value);
}

bool saga_row_copy(struct arena *arena, const struct saga_row *from, struct saga_row *out)
{
	*out = *from;
	return arena_copy(arena, from->id, &out->id) &&
	       arena_copy(arena, from->key, &out->key) &&
	       arena_copy(arena, from->saga, &out->saga) &&
	       arena_copy(arena, from->version, &out->version) &&
	       arena_copy(arena, from->step, &out->step) &&
	       arena_copy(arena, from->reason, &out->reason);
}

#include "orchestrator/store/store.h"

#include <assert.h>

enum err store_commit(struct store *store, struct saga_write *writes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert(writes[i].id.len && writes[i].revision >= 1 && writes[i].record.len);
	return store->ops->commit(store, writes, n);
}

enum err store_get(struct store *store, struct slice id, struct arena *arena,
		   struct slice *record)
{
	return store->ops->get(store, id, arena, record);
}

enum err store_load(struct store *store, enum err (*visit)(void *context, struct slice record),
		    void *context)
{
	return store->ops->load(store, visit, context);
}

void store_close(struct store *store)
{
	if (store)
		store->ops->close(store);
}

#include "tests/lib/asked.h"

#include <assert.h>
#include <check.h>

struct asked asked;

static enum err note(enum ask ask)
{
	assert(!asked.visiting); /* see store.h */
	asked.n[ask]++;
	return asked.fails[ask] ? ERR_UNAVAILABLE : OK;
}

static enum err ask_load(struct store *store, const struct shards *which,
			 struct store_batch *newest,
			 enum err (*visit)(void *context, const struct loaded_saga *saga),
			 void *context)
{
	enum err err = note(ASK_LOAD);

	asked.visiting = true;
	if (!err)
		err = sites.real->load(store, which, newest, visit, context);
	asked.visiting = false;
	return err;
}

static enum err ask_look(struct store *store,
			 enum err (*visit)(void *context, const struct loaded_saga *saga),
			 void *context)
{
	enum err err = note(ASK_LOOK);
	struct store_batch newest;

	if (err || !asked.late)
		return err;
	asked.visiting = true;
	err = sites.real->load(asked.late, &store->shards, &newest, visit, context);
	asked.visiting = false;
	store->stirred = err != OK;
	return err;
}

static enum err ask_check(struct store *store)
{
	enum err err = note(ASK_CHECK);

	return err ? err : sites.real->check(store);
}

static enum err ask_told(struct store *store)
{
	enum err err = note(ASK_TOLD);

	return err ? err : sites.real->told(store);
}

static enum err ask_own(struct store *store, const struct shards *wanted, int64_t now_ms)
{
	enum err err = note(ASK_OWN);

	return err ? err : sites.real->own(store, wanted, now_ms);
}

static enum err ask_owners(struct store *store,
			   enum err (*visit)(void *context, const struct shard_owner *owner),
			   void *context)
{
	enum err err = note(ASK_OWNERS);

	return err ? err : sites.real->owners(store, visit, context);
}

static enum err ask_changes(struct store *store, uint64_t *n)
{
	enum err err = note(ASK_CHANGES);

	return err ? err : sites.real->definition_changes(store, n);
}

static enum err ask_definitions(struct store *store,
				enum err (*visit)(void *context,
						  const struct stored_definition *definition),
				void *context)
{
	enum err err = note(ASK_DEFINITIONS);

	return err ? err : sites.real->definitions(store, visit, context);
}

static enum err ask_commit(struct store *store, const struct store_batch *batch,
			   struct saga_write *writes, size_t n, const struct audit_entry *audit,
			   size_t n_audit)
{
	enum err err = note(ASK_COMMIT);

	return err ? err : sites.real->commit(store, batch, writes, n, audit, n_audit);
}

void ask_all(int i)
{
	struct store_ops *ops = &sites.all[i].store_ops;

	asked.late = NULL;
	for (int ask = 0; ask < ASKS; ask++) {
		asked.n[ask] = 0;
		asked.fails[ask] = false;
	}
	ops->load = ask_load;
	ops->look = ask_look;
	ops->check = ask_check;
	ops->told = ask_told;
	ops->own = ask_own;
	ops->owners = ask_owners;
	ops->definition_changes = ask_changes;
	ops->definitions = ask_definitions;
	ops->commit = ask_commit;
}

static enum err never_check(struct store *store)
{
	return OK;
}

static enum err commit_late(struct store *store, const struct store_batch *batch,
			    struct saga_write *writes, size_t n,
			    const struct audit_entry *audit, size_t n_audit)
{
	return sites.real->commit(asked.late, batch, writes, n, audit, n_audit);
}

void asked_late(void)
{
	asked.late = store_memory_open(sites.vault);
	sites.all[0].store_ops.check = never_check;
	sites.all[0].store_ops.commit = commit_late;
}

void asked_leave(void)
{
	store_close(asked.late);
	asked.late = NULL;
	sites_leave();
}

void check_asked(enum ask ask, int n)
{
	ck_assert_msg(asked.n[ask] == n, "%d: %d instead of %d", (int)ask, asked.n[ask], n);
}

/* flaky.c - the store of a run: the memory store, around whose commits the
 * orchestrator dies, and which takes nothing for a while, as the faults say. */
#include "orchestrator/simulate/world.h"

static struct flaky_store *flaky_of(struct store *base)
{
	return (struct flaky_store *)base;
}

static bool is_stalled(struct world *world)
{
	char text[DIAG_MAX];
	int64_t for_ms;

	if (world->stalled_until_ms > world_now_ms(world))
		return true;
	if (!world_fault(world, FAULT_STALL, SLICE_LITERAL("disk"), world->n_commits, &for_ms))
		return false;
	world->stalled_until_ms = world_now_ms(world) + for_ms;
	tell(world, ACTOR_SKALD, ACTOR_SKALD, "the store takes nothing for %s",
	     time_text(for_ms, text));
	return true;
}

/* It dies before the commit, or behind it and before anything is sent. */
static enum err flaky_commit(struct store *base, const struct store_batch *batch,
			     struct saga_write *writes, size_t n,
			     const struct audit_entry *audit, size_t n_audit)
{
	struct flaky_store *flaky = flaky_of(base);
	struct world *world = flaky->world;
	struct slice who = SLICE_LITERAL("commit");

	if (world->dead)
		return ERR_UNAVAILABLE;
	world->n_commits++;
	if (is_stalled(world))
		return ERR_UNAVAILABLE;
	world->dead = world_fault(world, FAULT_RESTART, who, world->n_commits, NULL);
	world->behind = world_dice(world, "behind", who, world->n_commits).state & 1;
	if (world->dead && !world->behind)
		return ERR_UNAVAILABLE;
	return store_commit(flaky->real, batch, writes, n, audit, n_audit);
}

static enum err flaky_get(struct store *base, struct slice id, struct arena *arena,
			  struct saga_row *row, struct slice *record)
{
	return store_get(flaky_of(base)->real, id, arena, row, record);
}

static enum err flaky_find(struct store *base, struct slice saga, struct slice key,
			   struct arena *arena, struct slice *id)
{
	return store_find(flaky_of(base)->real, saga, key, arena, id);
}

static enum err flaky_load(struct store *base, const struct shards *which,
			   struct store_batch *newest,
			   enum err (*visit)(void *context, const struct loaded_saga *saga),
			   void *context)
{
	return store_load(flaky_of(base)->real, which, newest, visit, context);
}

static enum err flaky_list(struct store *base, const struct saga_filter *filter,
			   struct slice after, size_t limit,
			   enum err (*visit)(void *context, const struct saga_row *row),
			   void *context)
{
	return store_list(flaky_of(base)->real, filter, after, limit, visit, context);
}

static enum err flaky_counts(struct store *base, struct store_counts *out)
{
	return store_counts(flaky_of(base)->real, out);
}

static enum err flaky_audit(struct store *base, struct slice saga_id, size_t limit,
			    enum err (*visit)(void *context, const struct audit_entry *entry),
			    void *context)
{
	return store_audit(flaky_of(base)->real, saga_id, limit, visit, context);
}

static enum err flaky_put_definition(struct store *base,
				     const struct stored_definition *definition)
{
	return store_put_definition(flaky_of(base)->real, definition);
}

static enum err flaky_definitions(struct store *base,
				  enum err (*visit)(void *context,
						    const struct stored_definition *definition),
				  void *context)
{
	return store_definitions(flaky_of(base)->real, visit, context);
}

static enum err flaky_put_dead(struct store *base, const struct dead_letter *letters, size_t n,
			       size_t *n_dropped)
{
	return store_put_dead(flaky_of(base)->real, letters, n, n_dropped);
}

static enum err flaky_list_dead(struct store *base, struct slice after, size_t limit,
				enum err (*visit)(void *context,
						  const struct dead_letter *letter),
				void *context)
{
	return store_list_dead(flaky_of(base)->real, after, limit, visit, context);
}

static enum err flaky_get_dead(struct store *base, struct slice id, struct arena *arena,
			       struct dead_letter *out)
{
	return store_get_dead(flaky_of(base)->real, id, arena, out);
}

static enum err flaky_remove_dead(struct store *base, struct slice id)
{
	return store_remove_dead(flaky_of(base)->real, id);
}

static enum err flaky_prune(struct store *base, int64_t ended_before_ms, size_t limit,
			    size_t *n)
{
	return store_prune(flaky_of(base)->real, ended_before_ms, limit, n);
}

static enum err flaky_removed(struct store *base, int64_t *ended_ms)
{
	return store_removed(flaky_of(base)->real, ended_ms);
}

static enum err flaky_backup(struct store *base, const char *path, struct diag *diag)
{
	return diag_set(diag, ERR_INVALID, "a simulated store has no files");
}

static void flaky_done(struct store *base)
{
}

bool flaky_open(struct world *world)
{
	static const struct store_ops ops = {
		.commit = flaky_commit,
		.get = flaky_get,
		.find = flaky_find,
		.load = flaky_load,
		.list = flaky_list,
		.counts = flaky_counts,
		.audit = flaky_audit,
		.put_definition = flaky_put_definition,
		.definitions = flaky_definitions,
		.put_dead = flaky_put_dead,
		.list_dead = flaky_list_dead,
		.get_dead = flaky_get_dead,
		.remove_dead = flaky_remove_dead,
		.prune = flaky_prune,
		.removed = flaky_removed,
		.backup = flaky_backup,
		.close = flaky_done,
	};
	const struct simulate_seams *seams = &world->simulation->setup.seams;
	struct store *real = seams->store_open ? seams->store_open(world->vault)
					       : store_memory_open(world->vault);

	world->flaky =
		(struct flaky_store){.base = {.ops = &ops}, .world = world, .real = real};
	return real != NULL;
}

void flaky_close(struct world *world)
{
	store_close(world->flaky.real);
	world->flaky.real = NULL;
}

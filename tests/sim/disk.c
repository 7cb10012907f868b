#include "tests/sim/disk.h"

#include "orchestrator/store/record.h"
#include "tests/sim/herald.h"
#include "tests/sim/judge.h"
#include "tests/sim/network.h"
#include "tests/sim/orchestrator.h"

#include <assert.h>
#include <stdlib.h>

/* A write of a store that lies: it says that it is kept. */
struct late_write {
	struct late_write *next;
	struct arena arena;
	struct store_batch batch;
	struct saga_write write;
};

static struct disk *disk_of(struct store *base)
{
	return (struct disk *)base;
}

static void copy_write(struct arena *arena, const struct saga_write *from,
		       struct saga_write *out)
{
	*out = *from;
	if (!saga_row_copy(arena, &from->row, &out->row) ||
	    !arena_copy(arena, from->record, &out->record))
		assert(!"memory");
}

static void put_off(struct disk *disk, const struct store_batch *batch,
		    const struct saga_write *write)
{
	struct late_write *late = calloc(1, sizeof *late), **end = &disk->late;

	assert(late);
	late->batch = *batch;
	copy_write(&late->arena, write, &late->write);
	while (*end)
		end = &(*end)->next;
	*end = late;
}

/* The store says so. What several share has told the judge when it came to be there. */
static void see_stored(const struct disk *disk, const struct saga_write *write)
{
	if (disk->world->network)
		judge_counted(disk->world, write);
	else
		judge_stored(disk->world, write, true);
}

void disk_write_late(struct disk *disk)
{
	while (disk->late) {
		struct late_write *late = disk->late;

		disk->late = late->next;
		if (!store_commit(disk->real, &late->batch, &late->write, 1, NULL, 0) &&
		    !late->write.result)
			see_stored(disk, &late->write);
		arena_release(&late->arena);
		free(late);
	}
}

/* Whether the store lies about this write. */
static bool lies(struct disk *disk, const struct store_batch *batch,
		 const struct saga_write *write)
{
	struct world *world = disk->world;

	switch (world->sabotage) {
	case SABOTAGE_LOSE_SAGA: return !write->before && random_percent(&world->random, 20);
	case SABOTAGE_LOSE_WRITES: return write->before && random_percent(&world->random, 5);
	case SABOTAGE_STORE_LATE: put_off(disk, batch, write); return true;
	default: return false;
	}
}

/* What the store lies about is left out; returns how many are left. */
static size_t leave_out_lies(struct disk *disk, const struct store_batch *batch,
			     struct saga_write *writes, size_t n, struct saga_write *honest,
			     size_t *from)
{
	size_t n_honest = 0;

	for (size_t i = 0; i < n; i++) {
		writes[i].result = OK;
		if (lies(disk, batch, &writes[i]))
			continue;
		from[n_honest] = i;
		honest[n_honest] = writes[i];
		/* What is for people is long, and nobody reads it here. */
		honest[n_honest].definition = NULL;
		honest[n_honest++].saga = NULL;
	}
	return n_honest;
}

/* The case of a child; NULL: it is none. */
static const struct sim_case *child_of(const struct disk *disk, struct slice id)
{
	const struct sim_case *sim_case = world_case_by_id(disk->world, id);

	return sim_case && sim_case->parent ? sim_case : NULL;
}

static void store_twin(struct disk *disk, const struct store_batch *batch,
		       const struct saga_write *write)
{
	struct arena arena = {0};
	struct saga_write twin = *write;
	struct bytes record = BYTES(RECORD_BYTES_MAX, &arena);
	struct slice bytes, timeline;
	uint8_t hash[SHA256_SIZE];
	struct saga saga;

	if (write->before || write->result || !child_of(disk, write->row.id) ||
	    record_split(write->record, &bytes, &timeline) ||
	    saga_decode(bytes, &arena, &saga, hash, NULL))
		return;
	saga.id = twin.row.id = SLICE_LITERAL("twin");
	saga.key = twin.row.key = SLICE_LITERAL("twin");
	record_write(&record, &saga, hash, timeline);
	twin.record = bytes_slice(&record);
	if (!store_commit(disk->real, batch, &twin, 1, NULL, 0) && !twin.result)
		see_stored(disk, &twin);
	arena_release(&arena);
}

bool disk_owns(const struct disk *disk, struct slice id)
{
	return !disk->world->network || network_owns(disk->world->network, disk->url, id);
}

/* It says that what came too late counts all the same. */
static void insist(const struct disk *disk, struct saga_write *writes, size_t n)
{
	struct arena arena = {0};
	struct slice record;

	for (size_t i = 0; i < n; i++)
		if (writes[i].result == ERR_BUSY &&
		    !store_get(disk->world->archive, writes[i].row.id, &arena, NULL, &record) &&
		    slice_equal(record, writes[i].record))
			writes[i].result = OK;
	arena_release(&arena);
}

static void know(struct disk *disk)
{
	disk->base.shards = disk->real->shards;
	disk->base.stirred |= disk->real->stirred;
}

static void tell_early(const struct disk *disk, const struct saga_write *writes, size_t n)
{
	struct herald *herald = orchestrator_herald(disk->world, disk->number);

	for (size_t i = 0; herald && i < n; i++)
		herald_publish_write(herald, &writes[i]);
}

static enum err disk_commit(struct store *base, const struct store_batch *batch,
			    struct saga_write *writes, size_t n,
			    const struct audit_entry *audit, size_t n_audit)
{
	struct disk *disk = disk_of(base);
	struct saga_write *honest = malloc((n + 1) * sizeof *honest);
	size_t *from = malloc((n + 1) * sizeof *from), n_honest;
	enum err err = ERR_IO;

	assert(honest && from);
	if (disk->world->outage)
		goto out;
	n_honest = leave_out_lies(disk, batch, writes, n, honest, from);
	if (disk->world->sabotage == SABOTAGE_TELL_EARLY)
		tell_early(disk, honest, n_honest);
	err = store_commit(disk->real, batch, honest, n_honest, audit, n_audit);
	know(disk);
	if (!err && disk->world->sabotage == SABOTAGE_FORGET_OWNERS)
		insist(disk, honest, n_honest);
	for (size_t i = 0; !err && i < n_honest; i++) {
		writes[from[i]].result = honest[i].result;
		if (honest[i].result)
			diary_write(&disk->world->diary, "%.*s is not stored: %s",
				    SLICE_ARG(honest[i].row.id), err_text(honest[i].result));
		else
			see_stored(disk, &honest[i]);
		if (disk->world->sabotage == SABOTAGE_TWINS)
			store_twin(disk, batch, &honest[i]);
	}
out:
	free(honest);
	free(from);
	return err;
}

/* The damaged saga's bytes are not what was written. */
static bool damage(struct disk *disk, struct slice id, struct arena *arena,
		   struct slice *record)
{
	const struct sim_case *damaged = disk->world->damaged;

	if (!damaged || !*damaged->id || !slice_is(id, damaged->id))
		return true;
	if (!arena_copy(arena, *record, record))
		return false;
	((char *)record->at)[record->len / 2] ^= 0x10;
	return true;
}

/* What the store makes of a child's record. */
static void forge(struct disk *disk, struct slice id, struct arena *arena, struct slice *record)
{
	const struct world *world = disk->world;
	const struct sim_case *child = child_of(disk, id);
	struct bytes forged = BYTES(RECORD_BYTES_MAX, arena);
	struct slice bytes, timeline;
	uint8_t hash[SHA256_SIZE];
	struct saga saga;

	if (!child || child->definition->pivot != NO_STEP ||
	    !((world->sabotage == SABOTAGE_FORGE_CHILDREN &&
	       child->status == STATUS_COMPLETED) ||
	      (world->sabotage == SABOTAGE_LOSE_CHILDREN && !child->ended)) ||
	    record_split(*record, &bytes, &timeline) ||
	    saga_decode(bytes, arena, &saga, hash, NULL))
		return;
	saga.phase = PHASE_COMPENSATED;
	if (!saga.ended_ms)
		saga.ended_ms = saga.updated_ms;
	record_write(&forged, &saga, hash, timeline);
	*record = bytes_slice(&forged);
}

static enum err disk_get(struct store *base, struct slice id, struct arena *arena,
			 struct saga_row *row, struct slice *record)
{
	struct disk *disk = disk_of(base);
	enum err err = store_get(disk->real, id, arena, row, record);

	if (!err)
		forge(disk, id, arena, record);
	return err || damage(disk, id, arena, record) ? err : ERR_NOMEM;
}

static enum err disk_find(struct store *base, struct slice saga, struct slice key,
			  struct arena *arena, struct slice *id)
{
	return store_find(disk_of(base)->real, saga, key, arena, id);
}

/* --- loading, with the damaged one among the others --------------------------------- */

struct loading {
	struct disk *disk;
	struct arena arena;
	enum err (*visit)(void *context, const struct loaded_saga *saga);
	void *context;
};

static bool sends_nothing(const struct definition *definition, const struct saga *saga)
{
	for (uint32_t i = 0; i < saga->n_steps; i++)
		if (step_in_flight(saga_step_definition(definition, saga, i), &saga->steps[i]))
			return false;
	return true;
}

/* A child that the store forgets to load, while it only waits for a while. */
static bool is_left_out(const struct disk *disk, struct slice record)
{
	uint8_t hash[SHA256_SIZE];
	struct slice bytes, timeline;
	struct arena arena = {0};
	struct saga saga;
	const struct sim_case *child;
	bool left_out = false;

	if (disk->world->sabotage != SABOTAGE_LOSE_CHILDREN)
		return false;
	if (!record_split(record, &bytes, &timeline) &&
	    !saga_decode(bytes, &arena, &saga, hash, NULL))
		left_out = saga.parent.len && (child = child_of(disk, saga.id)) &&
			   sends_nothing(child->definition, &saga);
	arena_release(&arena);
	return left_out;
}

static enum err load_one(void *context, const struct loaded_saga *saga)
{
	struct loaded_saga given = *saga;
	struct loading *loading = context;
	const struct sim_case *damaged = loading->disk->world->damaged;
	struct slice row_record;

	if (is_left_out(loading->disk, saga->record))
		return OK;
	if (loading->disk->base.shards.n &&
	    loading->disk->world->sabotage == SABOTAGE_FORGET_OTHERS) {
		given.sent = true;
		given.n_news = 0;
	}
	/* A record does not say whose it is where it can be searched for. */
	arena_reset(&loading->arena);
	if (damaged && *damaged->id &&
	    !store_get(loading->disk->real, slice_of(damaged->id), &loading->arena, NULL,
		       &row_record) &&
	    slice_equal(row_record, saga->record) &&
	    !damage(loading->disk, slice_of(damaged->id), &loading->arena, &given.record))
		return ERR_NOMEM;
	return loading->visit(loading->context, &given);
}

static enum err disk_load(struct store *base, const struct shards *which,
			  struct store_batch *newest,
			  enum err (*visit)(void *context, const struct loaded_saga *saga),
			  void *context)
{
	struct loading loading = {.disk = disk_of(base), .visit = visit, .context = context};
	enum err err = store_load(loading.disk->real, which, newest, load_one, &loading);

	arena_release(&loading.arena);
	return err;
}

static enum err disk_list(struct store *base, const struct saga_filter *filter,
			  struct slice after, size_t limit,
			  enum err (*visit)(void *context, const struct saga_row *row),
			  void *context)
{
	return store_list(disk_of(base)->real, filter, after, limit, visit, context);
}

static enum err disk_counts(struct store *base, struct store_counts *out)
{
	return store_counts(disk_of(base)->real, out);
}

static enum err disk_audit(struct store *base, struct slice saga_id, size_t limit,
			   enum err (*visit)(void *context, const struct audit_entry *entry),
			   void *context)
{
	return store_audit(disk_of(base)->real, saga_id, limit, visit, context);
}

static enum err disk_put_definition(struct store *base,
				    const struct stored_definition *definition)
{
	struct disk *disk = disk_of(base);

	return disk->world->outage ? ERR_IO : store_put_definition(disk->real, definition);
}

static enum err disk_definitions(struct store *base,
				 enum err (*visit)(void *context,
						   const struct stored_definition *definition),
				 void *context)
{
	return store_definitions(disk_of(base)->real, visit, context);
}

static enum err disk_put_dead(struct store *base, const struct dead_letter *letters, size_t n,
			      size_t *n_dropped)
{
	struct disk *disk = disk_of(base);

	return disk->world->outage ? ERR_IO : store_put_dead(disk->real, letters, n, n_dropped);
}

static enum err disk_list_dead(struct store *base, struct slice after, size_t limit,
			       enum err (*visit)(void *context,
						 const struct dead_letter *letter),
			       void *context)
{
	return store_list_dead(disk_of(base)->real, after, limit, visit, context);
}

static enum err disk_get_dead(struct store *base, struct slice id, struct arena *arena,
			      struct dead_letter *out)
{
	return store_get_dead(disk_of(base)->real, id, arena, out);
}

static enum err disk_remove_dead(struct store *base, struct slice id)
{
	struct disk *disk = disk_of(base);

	return disk->world->outage ? ERR_IO : store_remove_dead(disk->real, id);
}

static enum err disk_prune(struct store *base, int64_t ended_before_ms, size_t limit, size_t *n)
{
	return store_prune(disk_of(base)->real, ended_before_ms, limit, n);
}

static enum err disk_backup(struct store *base, const char *path, struct diag *diag)
{
	return store_backup(disk_of(base)->real, path, diag);
}

/* --- owners ------------------------------------------------------------------------- */

static enum err disk_own(struct store *base, const struct shards *wanted, int64_t now_ms)
{
	struct disk *disk = disk_of(base);
	enum err err = disk->world->outage ? ERR_IO : store_own(disk->real, wanted, now_ms);

	know(disk);
	return err;
}

static enum err disk_check(struct store *base)
{
	enum err err = store_check(disk_of(base)->real);

	if (!err)
		know(disk_of(base));
	return err;
}

static enum err disk_look(struct store *base,
			  enum err (*visit)(void *context, const struct loaded_saga *saga),
			  void *context)
{
	struct loading loading = {.disk = disk_of(base), .visit = visit, .context = context};
	enum err err = store_look(loading.disk->real, load_one, &loading);

	arena_release(&loading.arena);
	return err;
}

static enum err disk_told(struct store *base)
{
	return disk_of(base)->world->outage ? ERR_IO : store_told(disk_of(base)->real);
}

static enum err disk_definition_changes(struct store *base, uint64_t *n)
{
	return store_definition_changes(disk_of(base)->real, n);
}

static enum err disk_owners(struct store *base,
			    enum err (*visit)(void *context, const struct shard_owner *owner),
			    void *context)
{
	return store_owners(disk_of(base)->real, visit, context);
}

static void disk_close_base(struct store *base)
{
	disk_close(disk_of(base));
}

struct store *disk_open(struct disk *disk, struct world *world, uint32_t number,
			const char *url)
{
	static const struct store_ops ops = {
		.commit = disk_commit,
		.get = disk_get,
		.find = disk_find,
		.load = disk_load,
		.list = disk_list,
		.counts = disk_counts,
		.audit = disk_audit,
		.put_definition = disk_put_definition,
		.definitions = disk_definitions,
		.put_dead = disk_put_dead,
		.list_dead = disk_list_dead,
		.get_dead = disk_get_dead,
		.remove_dead = disk_remove_dead,
		.prune = disk_prune,
		.backup = disk_backup,
		.own = disk_own,
		.check = disk_check,
		.look = disk_look,
		.told = disk_told,
		.definition_changes = disk_definition_changes,
		.owners = disk_owners,
		.close = disk_close_base,
	};

	*disk = (struct disk){
		.base = {.ops = &ops}, .world = world, .number = number, .url = url};
	disk->real = world->network ? network_open(world->network, number, url)
				    : store_memory_open(world->vault);
	if (!disk->real)
		return NULL;
	disk->base.shards = disk->real->shards;
	return &disk->base;
}

/* What was not written is lost. */
void disk_close(struct disk *disk)
{
	while (disk->late) {
		struct late_write *late = disk->late;

		disk->late = late->next;
		arena_release(&late->arena);
		free(late);
	}
	store_close(disk->real);
}

#include "orchestrator/store/store_memory.h"

#include "orchestrator/store/memory_dead.h"
#include "orchestrator/store/memory_owners.h"

#include <assert.h>
#include <stdlib.h>

/* One stored saga; its texts follow it in the same block. */
struct row {
	struct row *next;        /* in its bucket by id */
	struct row *next_by_key; /* in its bucket by name and key */
	struct saga_row columns;
	struct slice record;
	uint64_t order; /* of its first write */
	uint64_t batch; /* of its newest, */
	size_t member;  /* and whose that was */
	uint32_t n_news;
};

/* Definitions and audit entries are lists of such blocks, oldest first. */
struct definition_block {
	struct definition_block *next;
	struct stored_definition definition;
};
struct audit_block {
	struct audit_block *previous;
	struct audit_entry entry;
};

struct vault {
	struct row **by_id;
	struct row **by_key;
	size_t n_buckets; /* of each; a power of two */
	size_t n_rows;
	uint64_t inserted;
	struct memory_owners owners;
	int64_t removed_ms; /* the latest end of what was pruned */
	struct definition_block *definitions, **definitions_end;
	uint64_t definition_changes;
	struct audit_block *audit; /* newest first */
	struct memory_dead dead;
};

struct store_memory {
	struct store base; /* first, so that the two pointers are one */
	struct vault *vault;
	size_t member; /* 0: nothing is shared */
};

static struct vault *vault_of(struct store *base)
{
	return ((struct store_memory *)base)->vault;
}

static size_t member_of(const struct store *base)
{
	return ((const struct store_memory *)base)->member;
}

/* --- finding -------------------------------------------------------------------------- */

static uint64_t hash_more(uint64_t hash, struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.at[i]) * 1099511628211u;
	return (hash ^ 256) * 1099511628211u;
}

enum { HASH_BEGIN = 0x3ca5 };

static struct row **find_id(struct vault *vault, struct slice id)
{
	uint64_t hash = hash_more(HASH_BEGIN, id);
	struct row **link = &vault->by_id[hash & (vault->n_buckets - 1)];

	while (*link && !slice_equal((*link)->columns.id, id))
		link = &(*link)->next;
	return link;
}

static struct row **find_key(struct vault *vault, struct slice saga, struct slice key)
{
	uint64_t hash = hash_more(hash_more(HASH_BEGIN, saga), key);
	struct row **link = &vault->by_key[hash & (vault->n_buckets - 1)];

	while (*link && !(slice_equal((*link)->columns.key, key) &&
			  slice_equal((*link)->columns.saga, saga)))
		link = &(*link)->next_by_key;
	return link;
}

static void enter(struct vault *vault, struct row *row)
{
	row->next = NULL;
	row->next_by_key = NULL;
	*find_id(vault, row->columns.id) = row;
	*find_key(vault, row->columns.saga, row->columns.key) = row;
	vault->n_rows++;
}

static void leave(struct vault *vault, struct row *row)
{
	*find_id(vault, row->columns.id) = row->next;
	*find_key(vault, row->columns.saga, row->columns.key) = row->next_by_key;
	vault->n_rows--;
}

/* Room for n more rows. */
static bool grow(struct vault *vault, size_t n)
{
	struct vault larger = {.n_buckets = vault->n_buckets};

	if (vault->n_rows + n <= vault->n_buckets)
		return true;
	while (larger.n_buckets < vault->n_rows + n)
		larger.n_buckets *= 2;
	larger.by_id = calloc(larger.n_buckets, sizeof(struct row *));
	larger.by_key = calloc(larger.n_buckets, sizeof(struct row *));
	if (!larger.by_id || !larger.by_key) {
		free(larger.by_id);
		free(larger.by_key);
		return false;
	}
	for (size_t i = 0; i < vault->n_buckets; i++) {
		struct row *next;

		for (struct row *row = vault->by_id[i]; row; row = next) {
			next = row->next;
			enter(&larger, row);
		}
	}
	free(vault->by_id);
	free(vault->by_key);
	vault->by_id = larger.by_id;
	vault->by_key = larger.by_key;
	vault->n_buckets = larger.n_buckets;
	return true;
}

/* --- writing -------------------------------------------------------------------------- */

/* Copy a text to where *texts points, which moves behind it. */
static struct slice keep(char **texts, struct slice text)
{
	struct slice kept = {*texts, text.len};

	if (text.len)
		memcpy(*texts, text.at, text.len);
	*texts += text.len;
	return kept;
}

static struct row *make_row(const struct saga_write *write, uint64_t batch, size_t member)
{
	const struct saga_row *from = &write->row;
	size_t len = from->id.len + from->key.len + from->saga.len + from->version.len +
		     from->step.len + from->reason.len + write->record.len;
	struct row *row = malloc(sizeof *row + len);
	char *texts;

	if (!row)
		return NULL;
	texts = (char *)(row + 1);
	*row = (struct row){
		.columns = *from, .batch = batch, .member = member, .n_news = write->n_news};
	row->columns.id = keep(&texts, from->id);
	row->columns.key = keep(&texts, from->key);
	row->columns.saga = keep(&texts, from->saga);
	row->columns.version = keep(&texts, from->version);
	row->columns.step = keep(&texts, from->step);
	row->columns.reason = keep(&texts, from->reason);
	row->record = keep(&texts, write->record);
	return row;
}

static struct audit_block *make_audit(const struct audit_entry *from)
{
	size_t len =
		from->saga_id.len + from->operation.len + from->actor.len + from->reason.len;
	struct audit_block *block = malloc(sizeof *block + len);
	char *texts;

	if (!block)
		return NULL;
	texts = (char *)(block + 1);
	*block = (struct audit_block){.entry = *from};
	block->entry.saga_id = keep(&texts, from->saga_id);
	block->entry.operation = keep(&texts, from->operation);
	block->entry.actor = keep(&texts, from->actor);
	block->entry.reason = keep(&texts, from->reason);
	return block;
}

static void free_audit(struct audit_block *block)
{
	while (block) {
		struct audit_block *previous = block->previous;

		free(block);
		block = previous;
	}
}

/* Takes the row. */
static enum err put_row(struct vault *vault, struct row *row, uint64_t before)
{
	struct row *old = *find_id(vault, row->columns.id);

	if ((old ? old->columns.revision : 0) != before ||
	    (!old && *find_key(vault, row->columns.saga, row->columns.key))) {
		free(row);
		return ERR_CONFLICT;
	}
	if (old) {
		assert(slice_equal(old->columns.key, row->columns.key) &&
		       slice_equal(old->columns.saga, row->columns.saga) &&
		       old->columns.started_ms == row->columns.started_ms);
		leave(vault, old);
	}
	row->order = old ? old->order : vault->inserted++;
	enter(vault, row);
	free(old);
	return OK;
}

/* The audit entries, linked to what is there already. */
static bool make_audits(struct vault *vault, const struct audit_entry *audit, size_t n,
			struct audit_block **out)
{
	struct audit_block *newest = NULL, **oldest = NULL;

	for (size_t i = n; i > 0; i--) {
		struct audit_block *block = make_audit(&audit[i - 1]);

		if (!block) {
			free_audit(newest);
			return false;
		}
		if (oldest)
			*oldest = block;
		else
			newest = block;
		oldest = &block->previous;
	}
	if (oldest)
		*oldest = vault->audit;
	*out = newest ? newest : vault->audit;
	return true;
}

static enum err memory_commit(struct store *base, const struct store_batch *batch,
			      struct saga_write *writes, size_t n,
			      const struct audit_entry *audit, size_t n_audit)
{
	struct vault *vault = vault_of(base);
	size_t n_made = 0, member = member_of(base);
	struct row **rows = malloc((n + 1) * sizeof(struct row *));

	if (!rows)
		return ERR_NOMEM;
	memory_owners_check(&vault->owners, member, &base->shards);
	while (n_made < n &&
	       (rows[n_made] = make_row(&writes[n_made], batch->number, member)) != NULL)
		n_made++;
	if (n_made < n || !grow(vault, n) ||
	    !make_audits(vault, audit, n_audit, &vault->audit)) {
		while (n_made > 0)
			free(rows[--n_made]);
		free(rows);
		return ERR_NOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		if (shards_cover(&base->shards, writes[i].row.id)) {
			writes[i].result = put_row(vault, rows[i], writes[i].before);
			continue;
		}
		free(rows[i]);
		writes[i].result = ERR_BUSY;
	}
	free(rows);
	store_batch_advance(&vault->owners.batches[member], batch);
	return OK;
}

/* --- reading -------------------------------------------------------------------------- */

static enum err memory_get(struct store *base, struct slice id, struct arena *arena,
			   struct saga_row *row, struct slice *record)
{
	const struct row *found = *find_id(vault_of(base), id);

	if (!found)
		return ERR_NOT_FOUND;
	if (row && !saga_row_copy(arena, &found->columns, row))
		return ERR_NOMEM;
	return arena_copy(arena, found->record, record) ? OK : ERR_NOMEM;
}

static enum err memory_find(struct store *base, struct slice saga, struct slice key,
			    struct arena *arena, struct slice *id)
{
	const struct row *found = *find_key(vault_of(base), saga, key);

	if (!found)
		return ERR_NOT_FOUND;
	return arena_copy(arena, found->columns.id, id) ? OK : ERR_NOMEM;
}

static int by_start(const void *a, const void *b)
{
	const struct row *first = *(struct row *const *)a, *second = *(struct row *const *)b;
	int64_t x = first->columns.started_ms, y = second->columns.started_ms;

	if (x != y)
		return (x > y) - (x < y);
	return (first->order > second->order) - (first->order < second->order);
}

static int by_end(const void *a, const void *b)
{
	int64_t x = (*(struct row *const *)a)->columns.ended_ms;
	int64_t y = (*(struct row *const *)b)->columns.ended_ms;

	return x != y ? (x > y) - (x < y) : by_start(a, b);
}

/* All rows in an order; NULL: out of memory. */
static struct row **sorted(const struct vault *vault, int (*order)(const void *, const void *))
{
	struct row **rows = malloc((vault->n_rows + 1) * sizeof(struct row *));
	size_t n = 0;

	for (size_t i = 0; rows && i < vault->n_buckets; i++)
		for (struct row *row = vault->by_id[i]; row; row = row->next)
			rows[n++] = row;
	if (rows)
		qsort(rows, n, sizeof *rows, order);
	return rows;
}

struct loading {
	const struct vault *vault;
	const struct shards *which;
	enum err (*visit)(void *context, const struct loaded_saga *saga);
	void *context;
};

/* Those that have ended, or those that have not. */
static enum err load_some(const struct loading *loading, struct row **rows, bool ended)
{
	const struct vault *vault = loading->vault;
	enum err err = OK;

	for (size_t i = 0; !err && i < vault->n_rows; i++) {
		const struct row *row = rows[i];
		bool sent = row->batch <= vault->owners.batches[row->member].sent;
		struct loaded_saga saga = {row->record, sent, sent ? 0 : row->n_news};

		if (status_ended(row->columns.status) == ended && !(ended && sent) &&
		    shards_cover(loading->which, row->columns.id))
			err = loading->visit(loading->context, &saga);
	}
	return err;
}

static enum err memory_load(struct store *base, const struct shards *which,
			    struct store_batch *newest,
			    enum err (*visit)(void *context, const struct loaded_saga *saga),
			    void *context)
{
	const struct vault *vault = vault_of(base);
	const struct loading loading = {vault, which ? which : &base->shards, visit, context};
	struct row **rows = sorted(vault, by_start);
	enum err err = rows ? OK : ERR_NOMEM;

	*newest = vault->owners.batches[member_of(base)];
	if (!err)
		err = load_some(&loading, rows, false);
	if (!err)
		err = load_some(&loading, rows, true);
	free(rows);
	return err;
}

static enum err memory_list(struct store *base, const struct saga_filter *filter,
			    struct slice after, size_t limit,
			    enum err (*visit)(void *context, const struct saga_row *row),
			    void *context)
{
	struct vault *vault = vault_of(base);
	const struct row *behind = after.len ? *find_id(vault, after) : NULL;
	enum err err = OK;
	struct row **rows;
	size_t i;

	if (after.len && !behind)
		return ERR_NOT_FOUND;
	rows = sorted(vault, by_start);
	if (!rows)
		return ERR_NOMEM;
	for (i = vault->n_rows; behind && rows[i - 1] != behind; i--)
		;
	for (i -= behind != NULL; !err && limit > 0 && i > 0; i--) {
		if (!saga_filter_fits(filter, &rows[i - 1]->columns))
			continue;
		err = visit(context, &rows[i - 1]->columns);
		limit--;
	}
	free(rows);
	return err;
}

static enum err memory_counts(struct store *base, struct store_counts *out)
{
	const struct vault *vault = vault_of(base);

	*out = (struct store_counts){{0}};
	for (size_t i = 0; i < vault->n_buckets; i++)
		for (const struct row *row = vault->by_id[i]; row; row = row->next)
			out->by_status[row->columns.status]++;
	return OK;
}

static enum err memory_audit(struct store *base, struct slice saga_id, size_t limit,
			     enum err (*visit)(void *context, const struct audit_entry *entry),
			     void *context)
{
	const struct audit_block *block = vault_of(base)->audit;
	enum err err = OK;

	for (; !err && limit > 0 && block; block = block->previous) {
		if (saga_id.len && !slice_equal(block->entry.saga_id, saga_id))
			continue;
		err = visit(context, &block->entry);
		limit--;
	}
	return err;
}

/* --- definitions and the rest --------------------------------------------------------- */

static enum err memory_put_definition(struct store *base, const struct stored_definition *from)
{
	struct vault *vault = vault_of(base);
	struct definition_block *block;
	char *texts;

	for (block = vault->definitions; block; block = block->next) {
		const struct stored_definition *there = &block->definition;

		if (!memcmp(there->hash, from->hash, sizeof from->hash))
			return OK;
		if (slice_equal(there->name, from->name) &&
		    slice_equal(there->version, from->version))
			return ERR_CONFLICT;
	}
	block = malloc(sizeof *block + from->name.len + from->version.len + from->normal.len);
	if (!block)
		return ERR_NOMEM;
	texts = (char *)(block + 1);
	*block = (struct definition_block){.definition = *from};
	block->definition.name = keep(&texts, from->name);
	block->definition.version = keep(&texts, from->version);
	block->definition.normal = keep(&texts, from->normal);
	*vault->definitions_end = block;
	vault->definitions_end = &block->next;
	vault->definition_changes++;
	return OK;
}

static enum err memory_definition_changes(struct store *base, uint64_t *n)
{
	*n = vault_of(base)->definition_changes;
	return OK;
}

static enum err memory_definitions(
	struct store *base,
	enum err (*visit)(void *context, const struct stored_definition *definition),
	void *context)
{
	enum err err = OK;

	for (const struct definition_block *block = vault_of(base)->definitions; !err && block;
	     block = block->next)
		err = visit(context, &block->definition);
	return err;
}

static enum err memory_put_dead(struct store *base, const struct dead_letter *letters, size_t n,
				size_t *n_dropped)
{
	return memory_dead_put(&vault_of(base)->dead, letters, n, n_dropped);
}

static enum err memory_list_dead(struct store *base, struct slice after, size_t limit,
				 enum err (*visit)(void *context,
						   const struct dead_letter *letter),
				 void *context)
{
	return memory_dead_list(&vault_of(base)->dead, after, limit, visit, context);
}

static enum err memory_get_dead(struct store *base, struct slice id, struct arena *arena,
				struct dead_letter *out)
{
	return memory_dead_get(&vault_of(base)->dead, id, arena, out);
}

static enum err memory_remove_dead(struct store *base, struct slice id)
{
	return memory_dead_remove(&vault_of(base)->dead, id);
}

static enum err memory_prune(struct store *base, int64_t ended_before_ms, size_t limit,
			     size_t *n)
{
	struct vault *vault = vault_of(base);
	size_t n_rows = vault->n_rows;
	struct row **rows = sorted(vault, by_end);

	if (!rows)
		return ERR_NOMEM;
	for (size_t i = 0; i < n_rows && *n < limit; i++) {
		struct row *row = rows[i];

		if (!status_ended(row->columns.status) ||
		    row->columns.ended_ms >= ended_before_ms)
			continue;
		if (row->columns.ended_ms > vault->removed_ms)
			vault->removed_ms = row->columns.ended_ms;
		leave(vault, row);
		free(row);
		++*n;
	}
	free(rows);
	return OK;
}

static enum err memory_removed(struct store *base, int64_t *ended_ms)
{
	*ended_ms = vault_of(base)->removed_ms;
	return OK;
}

static enum err memory_backup(struct store *base, const char *path, struct diag *diag)
{
	return diag_set(diag, ERR_INVALID,
			"%s: sagas that are kept in memory cannot be backed up; serve them "
			"with --store sqlite",
			path);
}

/* --- owners --------------------------------------------------------------------------- */

static enum err memory_own(struct store *base, const struct shards *wanted, int64_t now_ms)
{
	return memory_owners_take(&vault_of(base)->owners, member_of(base), wanted, now_ms,
				  &base->shards);
}

static enum err memory_check(struct store *base)
{
	memory_owners_check(&vault_of(base)->owners, member_of(base), &base->shards);
	return OK;
}

/* A commit is done before anybody can take what it writes. */
static enum err memory_look(struct store *base,
			    enum err (*visit)(void *context, const struct loaded_saga *saga),
			    void *context)
{
	return OK;
}

/* Of ours all that others wrote. */
static enum err memory_told(struct store *base)
{
	struct vault *vault = vault_of(base);

	for (size_t i = 0; i < vault->n_buckets; i++)
		for (struct row *row = vault->by_id[i]; row; row = row->next)
			if (row->member != member_of(base) &&
			    shards_cover(&base->shards, row->columns.id))
				row->batch = 0;
	return OK;
}

static enum err memory_owners(struct store *base,
			      enum err (*visit)(void *context, const struct shard_owner *owner),
			      void *context)
{
	return memory_owners_visit(&vault_of(base)->owners, visit, context);
}

/* --- opening -------------------------------------------------------------------------- */

static void memory_close(struct store *base)
{
	memory_owners_leave(&vault_of(base)->owners, member_of(base));
	free(base);
}

static struct store *open_member(struct vault *vault, size_t member)
{
	static const struct store_ops ops = {
		.commit = memory_commit,
		.get = memory_get,
		.find = memory_find,
		.load = memory_load,
		.list = memory_list,
		.counts = memory_counts,
		.audit = memory_audit,
		.put_definition = memory_put_definition,
		.definitions = memory_definitions,
		.put_dead = memory_put_dead,
		.list_dead = memory_list_dead,
		.get_dead = memory_get_dead,
		.remove_dead = memory_remove_dead,
		.prune = memory_prune,
		.removed = memory_removed,
		.backup = memory_backup,
		.own = memory_own,
		.check = memory_check,
		.look = memory_look,
		.told = memory_told,
		.definition_changes = memory_definition_changes,
		.owners = memory_owners,
		.close = memory_close,
	};
	struct store_memory *store = malloc(sizeof *store);

	if (store)
		*store = (struct store_memory){
			{.ops = &ops, .shards = {.n = member > 0}}, vault, member};
	return store ? &store->base : NULL;
}

struct store *store_memory_open(struct vault *vault)
{
	return open_member(vault, 0);
}

struct store *store_memory_share(struct vault *vault, const char *url)
{
	size_t member = memory_owners_join(&vault->owners, url);

	return member ? open_member(vault, member) : NULL;
}

struct vault *vault_new(void)
{
	struct vault *vault = calloc(1, sizeof *vault);

	if (!vault)
		return NULL;
	vault->n_buckets = 64;
	vault->definitions_end = &vault->definitions;
	vault->by_id = calloc(vault->n_buckets, sizeof(struct row *));
	vault->by_key = calloc(vault->n_buckets, sizeof(struct row *));
	if (!vault->by_id || !vault->by_key || !memory_owners_init(&vault->owners)) {
		vault_free(vault);
		return NULL;
	}
	return vault;
}

void vault_free(struct vault *vault)
{
	if (!vault)
		return;
	for (size_t i = 0; vault->by_id && i < vault->n_buckets; i++)
		while (vault->by_id[i]) {
			struct row *row = vault->by_id[i];

			vault->by_id[i] = row->next;
			free(row);
		}
	while (vault->definitions) {
		struct definition_block *block = vault->definitions;

		vault->definitions = block->next;
		free(block);
	}
	free_audit(vault->audit);
	memory_dead_release(&vault->dead);
	memory_owners_release(&vault->owners);
	free(vault->by_id);
	free(vault->by_key);
	free(vault);
}

/* Whose the shards are: docs/decisions/0011. In `owners` there is a document for each
 * shard, and besides
 *
 *	numbers      counters: of openings and epochs; of definitions and their changes
 *	division     into how many shards all sagas are divided, and since which epoch
 *	removed      when the last saga ended that was ever removed
 *
 * Epochs are of one counter, so that whoever comes later has a larger one, whatever the
 * shard.
 */
#include "orchestrator/store/mongo/document.h"
#include "orchestrator/store/mongo/inside.h"

#include <stdlib.h>

/* The member of a store that is not shared. */
enum { ALONE = 0 };

int64_t mongo_next_order(struct store_mongo *store)
{
	return store->opening * (INT64_C(1) << 32) + ++store->serial;
}

/* --- small things ---------------------------------------------------------------------- */

/* Update what fits, and free all. */
static enum err update(struct store_mongo *store, mongoc_collection_t *collection,
		       bson_t *filter, bson_t *change, bool upsert)
{
	bson_t *opts = BCON_NEW("upsert", BCON_BOOL(upsert));
	bson_error_t error = {0};
	enum err err = OK;

	if (!(upsert ? mongoc_collection_update_one : mongoc_collection_update_many)(
		    collection, filter, change, opts, NULL, &error) &&
	    error.code != MONGOC_ERROR_DUPLICATE_KEY) /* two were first */
		err = mongo_trouble(store, &error);
	bson_destroy(opts);
	bson_destroy(change);
	bson_destroy(filter);
	return err;
}

static enum err note_number(struct store_mongo *store, const bson_t *document, void *context)
{
	bson_copy_to(document, context);
	return OK;
}

/* A document of `owners`; an empty one where there is none. */
static enum err read_named(struct store_mongo *store, const char *name, bson_t *out)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(name));
	enum err err;

	bson_init(out);
	err = mongo_walk(store, store->owners, filter, NULL, note_number, out);
	bson_destroy(filter);
	return err;
}

enum err mongo_make_owner(struct store_mongo *store, bson_t *document)
{
	bson_error_t error = {0};
	enum err err = OK;

	if (!mongoc_collection_insert_one(store->owners, document, NULL, NULL, &error) &&
	    error.code != MONGOC_ERROR_DUPLICATE_KEY)
		err = mongo_trouble(store, &error);
	bson_destroy(document);
	return err;
}

static enum err make_named(struct store_mongo *store, const char *name)
{
	return mongo_make_owner(store,
				BCON_NEW("_id", BCON_UTF8(name), "epoch", BCON_INT64(0)));
}

enum err mongo_count(struct store_mongo *store, const char *what, int64_t *out)
{
	bson_t *filter = BCON_NEW("_id", "numbers"), reply, value;
	bson_t *change = BCON_NEW("$inc", "{", what, BCON_INT64(1), "}");
	mongoc_find_and_modify_opts_t *opts = mongoc_find_and_modify_opts_new();
	const uint8_t *bytes = NULL;
	bson_error_t error;
	bson_iter_t iter;
	uint32_t len = 0;
	enum err err = OK;

	mongoc_find_and_modify_opts_set_update(opts, change);
	mongoc_find_and_modify_opts_set_flags(opts, MONGOC_FIND_AND_MODIFY_RETURN_NEW);
	if (!mongoc_collection_find_and_modify_with_opts(store->owners, filter, opts, &reply,
							 &error))
		err = mongo_trouble(store, &error);
	if (!err && bson_iter_init_find(&iter, &reply, "value") &&
	    BSON_ITER_HOLDS_DOCUMENT(&iter))
		bson_iter_document(&iter, &len, &bytes);
	if (!err && (!bytes || !bson_init_static(&value, bytes, len)))
		err = diag_set(&store->base.trouble, ERR_IO,
			       "MongoDB at %s did not give a number; start again",
			       store->link.where);
	if (!err)
		*out = document_number(&value, what);
	bson_destroy(&reply);
	mongoc_find_and_modify_opts_destroy(opts);
	bson_destroy(change);
	bson_destroy(filter);
	return err;
}

enum err mongo_counted(struct store_mongo *store, const char *what, int64_t *out)
{
	bson_t numbers;
	enum err err = read_named(store, "numbers", &numbers);

	*out = document_number(&numbers, what);
	bson_destroy(&numbers);
	return err;
}

/* --- members --------------------------------------------------------------------------- */

static enum err note_batch(struct store_mongo *store, const bson_t *document, void *context)
{
	uint64_t batch = (uint64_t)document_number(document, "batch");

	if (store->us.batch.number < batch)
		store->us.batch.number = batch;
	return OK;
}

/* A crash between a batch and what the record says of it. */
static enum err find_newest_batch(struct store_mongo *store)
{
	bson_t *opts = BCON_NEW("sort", "{", "member", BCON_INT32(-1), "batch", BCON_INT32(-1),
				"}", "limit", BCON_INT64(1), "projection", "{", "batch",
				BCON_INT32(1), "}");
	bson_t *filter = BCON_NEW("member", BCON_INT64(ALONE));
	enum err err = mongo_walk(store, store->sagas, filter, opts, note_batch, NULL);

	bson_destroy(filter);
	bson_destroy(opts);
	return err;
}

static enum err note_us(struct store_mongo *store, const bson_t *document, void *context)
{
	store->us.batch.number = (uint64_t)document_number(document, "number");
	store->us.batch.sent = (uint64_t)document_number(document, "sent");
	return OK;
}

static enum err go_on_alone(struct store_mongo *store)
{
	bson_t *filter = BCON_NEW("_id", BCON_INT64(ALONE));
	struct shards all = {.n = 1};
	enum err err = mongo_walk(store, store->members, filter, NULL, note_us, NULL);

	bson_destroy(filter);
	shards_add(&all, 0);
	if (!err)
		err = mongo_own(&store->base, &all, clock_now_ms(store->clock));
	return err ? err : find_newest_batch(store);
}

enum err mongo_advance(struct store_mongo *store, const struct store_batch *batch)
{
	enum err err = update(
		store, store->members, BCON_NEW("_id", BCON_INT64(store->us.number)),
		BCON_NEW("$max", "{", "number", BCON_INT64((int64_t)batch->number), "sent",
			 BCON_INT64((int64_t)batch->sent), "}", "$set", "{", "instance",
			 BCON_UTF8(store->instance), "url", BCON_UTF8(store->url), "}"),
		true);

	if (!err)
		store_batch_advance(&store->us.batch, batch);
	return err;
}

enum err mongo_renew(struct store_mongo *store)
{
	static const struct store_batch none = {0, 0};
	struct mongo_member before = store->us;
	int64_t number;
	enum err err = mongo_count(store, "epoch", &number);

	if (!err)
		err = update(store, store->owners,
			     BCON_NEW("opening", BCON_INT64(store->opening)),
			     BCON_NEW("$set", "{", "member", BCON_INT64(number), "}"), false);
	if (err)
		return err;
	store->us = (struct mongo_member){.number = number};
	err = mongo_advance(store, &none);
	if (err) {
		store->us = before;
		return err;
	}
	mongo_note_seen(store, before);
	store->writing = 0;
	store->renew = false;
	return OK;
}

enum err mongo_enter(struct store_mongo *store)
{
	static const struct store_batch none = {0, 0};
	enum err err = make_named(store, "numbers");

	if (!err)
		err = make_named(store, "division");
	if (!err)
		err = mongo_count(store, "epoch", &store->opening);
	store->us.number = store->alone ? ALONE : store->opening;
	store->base.shards.n = 1; /* of which we have none */
	if (!err)
		err = mongo_advance(store, &none);
	if (!err && store->alone)
		err = go_on_alone(store);
	return err;
}

/* --- claiming -------------------------------------------------------------------------- */

/* What is ours from now on. */
static void know_shards(struct store_mongo *store, const struct shards *ours)
{
	if (shards_equal(&store->base.shards, ours))
		return;
	store->renew |= store->writing && !store->alone;
	store->base.shards = *ours;
	mongo_owe_ours(store);
}

static bool resize(struct store_mongo *store, uint32_t n)
{
	const struct shards none = {.n = n};

	int64_t *epochs = calloc(n, sizeof *epochs), *stirs = calloc(n, sizeof *stirs);

	if (!epochs || !stirs) {
		free(epochs);
		free(stirs);
		return false;
	}
	free(store->epochs);
	free(store->stirs);
	store->epochs = epochs;
	store->stirs = stirs;
	know_shards(store, &none);
	return true;
}

/* Shards that nobody ever had get a document. */
static enum err make_shards(struct store_mongo *store, const struct shards *shards)
{
	bson_t *opts = BCON_NEW("ordered", BCON_BOOL(false)), reply;
	mongoc_bulk_operation_t *bulk =
		mongoc_collection_create_bulk_operation_with_opts(store->owners, opts);
	bson_error_t error = {0};
	enum err err = OK;

	for (uint32_t i = shards_next(shards, 0); i < shards->n;
	     i = shards_next(shards, i + 1)) {
		bson_t *document =
			BCON_NEW("_id", BCON_INT32((int32_t)i), "epoch", BCON_INT64(0));

		mongoc_bulk_operation_insert(bulk, document);
		bson_destroy(document);
	}
	if (!mongoc_bulk_operation_execute(bulk, &reply, &error) &&
	    error.code != MONGOC_ERROR_DUPLICATE_KEY)
		err = mongo_trouble(store, &error);
	bson_destroy(&reply);
	mongoc_bulk_operation_destroy(bulk);
	bson_destroy(opts);
	return err;
}

/* {_id: {$in: [...]}, epoch: {$lt: ours}} */
static bson_t *before_us(const struct shards *shards, int64_t epoch)
{
	bson_t *filter = BCON_NEW("epoch", "{", "$lt", BCON_INT64(epoch), "}"), in, list;
	uint32_t n = 0;
	const char *key;
	char room[16];

	BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
	for (uint32_t i = shards_next(shards, 0); i < shards->n;
	     i = shards_next(shards, i + 1)) {
		bson_uint32_to_string(n++, &key, room, sizeof room);
		BSON_APPEND_INT32(&list, key, (int32_t)i);
	}
	bson_append_array_end(&in, &list);
	bson_append_document_end(filter, &in);
	return filter;
}

static enum err claim(struct store_mongo *store, const struct shards *fresh, int64_t epoch,
		      int64_t now_ms)
{
	enum err err = make_shards(store, fresh);

	if (err)
		return err;
	return update(store, store->owners, before_us(fresh, epoch),
		      BCON_NEW("$set", "{", "epoch", BCON_INT64(epoch), "member",
			       BCON_INT64(store->us.number), "opening",
			       BCON_INT64(store->opening), "instance",
			       BCON_UTF8(store->instance), "url", BCON_UTF8(store->url),
			       "since", BCON_DATE_TIME(now_ms), "}"),
		      false);
}

/* With another number of shards nothing is whose it was. */
static enum err divide(struct store_mongo *store, uint32_t n, int64_t epoch)
{
	return update(store, store->owners,
		      BCON_NEW("_id", "division", "n", "{", "$ne", BCON_INT32((int32_t)n), "}",
			       "epoch", "{", "$lt", BCON_INT64(epoch), "}"),
		      BCON_NEW("$set", "{", "n", BCON_INT32((int32_t)n), "epoch",
			       BCON_INT64(epoch), "}"),
		      false);
}

enum err mongo_own(struct store *base, const struct shards *wanted, int64_t now_ms)
{
	struct store_mongo *store = mongo_of(base);
	struct shards fresh = {.n = wanted->n}, kept;
	bool again = !store->epochs || wanted->n != base->shards.n;
	int64_t epoch;
	enum err err;

	if (again && !resize(store, wanted->n))
		return ERR_NOMEM;
	for (uint32_t i = shards_next(wanted, 0); i < wanted->n; i = shards_next(wanted, i + 1))
		if (!shards_has(&base->shards, i))
			shards_add(&fresh, i);
	kept = base->shards;
	for (uint32_t i = 0; i < wanted->n; i++)
		if (!shards_has(wanted, i))
			shards_remove(&kept, i);
	know_shards(store, &kept);
	if (!shards_count(&fresh))
		return OK;
	/* Who has no shard may have been forgotten, with all that it wrote until then. */
	err = store->us.batch.number && !shards_count(&kept) && !store->alone
		      ? mongo_renew(store)
		      : OK;
	if (!err)
		err = mongo_count(store, "epoch", &epoch);
	if (!err)
		err = divide(store, wanted->n, epoch);
	if (!err)
		err = claim(store, &fresh, epoch, now_ms);
	if (err)
		return err;
	for (uint32_t i = shards_next(&fresh, 0); i < fresh.n; i = shards_next(&fresh, i + 1)) {
		store->epochs[i] = epoch;
		store->stirs[i] = -1;
		shards_add(&base->shards, i);
	}
	return mongo_check(base);
}

/* --- whether it is so still -------------------------------------------------------------- */

struct checking {
	struct shards *ours; /* those that were found */
	bool divided;        /* as we know it */
};

static enum err compare(struct store_mongo *store, const bson_t *document, void *context)
{
	struct checking *checking = context;
	int64_t stirs = document_number(document, "stirs"), shard;

	if (slice_is(document_text(document, "_id"), "division")) {
		checking->divided = document_number(document, "n") == store->base.shards.n;
		return OK;
	}
	shard = document_number(document, "_id");
	if (!shards_has(&store->base.shards, (uint32_t)shard) ||
	    document_number(document, "epoch") != store->epochs[shard])
		return OK;
	shards_add(checking->ours, (uint32_t)shard);
	if (store->stirs[shard] >= 0 && store->stirs[shard] != stirs)
		store->base.stirred = true;
	store->stirs[shard] = stirs;
	return OK;
}

enum err mongo_check(struct store *base)
{
	struct store_mongo *store = mongo_of(base);
	int64_t now_ms = clock_monotonic_ms(store->clock);
	bson_t *filter = BCON_NEW("$or", "[", "{", "opening", BCON_INT64(store->opening), "}",
				  "{", "_id", "division", "}", "]");
	bson_t *opts = BCON_NEW("projection", "{", "epoch", BCON_INT32(1), "n", BCON_INT32(1),
				"stirs", BCON_INT32(1), "}");
	struct shards ours = {.n = base->shards.n};
	struct checking checking = {.ours = &ours};
	enum err err;

	mongo_ask_again(store);
	err = mongo_walk(store, store->owners, filter, opts, compare, &checking);
	bson_destroy(opts);
	bson_destroy(filter);
	store->checked = !err;
	if (err)
		return err;
	store->checked_ms = now_ms;
	if (!checking.divided)
		ours = (struct shards){.n = base->shards.n};
	know_shards(store, &ours);
	return OK;
}

enum err mongo_stir(struct store_mongo *store, uint32_t shard)
{
	return update(store, store->owners, BCON_NEW("_id", BCON_INT32((int32_t)shard)),
		      BCON_NEW("$inc", "{", "stirs", BCON_INT64(1), "}"), false);
}

void mongo_leave(struct store_mongo *store)
{
	if (!store->opening || !shards_count(&store->base.shards))
		return;
	/* If it cannot be said now it is seen when nobody answers there. */
	if (update(store, store->owners, BCON_NEW("opening", BCON_INT64(store->opening)),
		   BCON_NEW("$set", "{", "url", "", "}"), false))
		return;
}

/* --- who has what ------------------------------------------------------------------------ */

struct telling {
	enum err (*visit)(void *context, const struct shard_owner *owner);
	void *context;
};

static enum err tell_owner(struct store_mongo *store, const bson_t *document, void *context)
{
	const struct telling *telling = context;
	const struct shard_owner owner = {(uint32_t)document_number(document, "_id"),
					  document_text(document, "url"),
					  document_number(document, "since")};

	return owner.url.len ? telling->visit(telling->context, &owner) : OK;
}

enum err mongo_owners(struct store *base,
		      enum err (*visit)(void *context, const struct shard_owner *owner),
		      void *context)
{
	struct store_mongo *store = mongo_of(base);
	struct telling telling = {visit, context};
	bson_t *filter = BCON_NEW("opening", "{", "$gt", BCON_INT64(0), "}");
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
	enum err err = mongo_walk(store, store->owners, filter, opts, tell_owner, &telling);

	bson_destroy(opts);
	bson_destroy(filter);
	return err;
}

/* --- what was removed -------------------------------------------------------------------- */

enum err mongo_mark_removed(struct store_mongo *store, int64_t ended_ms)
{
	return update(store, store->owners, BCON_NEW("_id", "removed"),
		      BCON_NEW("$max", "{", "ended", BCON_INT64(ended_ms), "}"), true);
}

enum err mongo_removed(struct store *base, int64_t *ended_ms)
{
	bson_t removed;
	enum err err = read_named(mongo_of(base), "removed", &removed);

	*ended_ms = err ? 0 : document_number(&removed, "ended");
	bson_destroy(&removed);
	return err;
}

#include "base/clock.h"
#include "orchestrator/store/mongo/document.h"
#include "orchestrator/store/mongo/inside.h"

/* Documents of a new owner's shard are many; how often to go on with them. */
enum { STAMP_TRIES = 10 };

int64_t mongo_next_order(struct store_mongo *store)
{
	return store->epoch * (INT64_C(1) << 32) + ++store->serial;
}

/* --- indexes -------------------------------------------------------------------------- */

static enum err make_indexes(struct store_mongo *store, bson_t *command)
{
	bson_error_t error;
	enum err err = OK;

	if (!mongoc_client_write_command_with_opts(store->link.client, store->link.database,
						   command, NULL, NULL, &error))
		err = mongo_trouble(store, &error);
	bson_destroy(command);
	return err;
}

#define INDEX(name)  "{", "name", BCON_UTF8(name), "key", "{"
#define UNIQUE(name) "{", "name", BCON_UTF8(name), "unique", BCON_BOOL(true), "key", "{"
#define UP           BCON_INT32(1)
#define DOWN         BCON_INT32(-1)

static enum err index_sagas(struct store_mongo *store)
{
	return make_indexes(store, BCON_NEW("createIndexes", "sagas", "indexes", "[",
					    /* a start by key; lists by key */
					    UNIQUE("key"), "key", UP, "saga", UP, "}", "}",
					    /* lists, loading, counts */
					    INDEX("started"), "started_at", DOWN, "order", DOWN,
					    "}", "}", INDEX("status"), "status", UP,
					    "started_at", DOWN, "order", DOWN, "}", "}",
					    /* retention; what was not sent before a crash */
					    INDEX("ended"), "ended_at", UP, "}", "}",
					    INDEX("batch"), "batch", UP, "}", "}", "]"));
}

static enum err index_others(struct store_mongo *store)
{
	enum err err = make_indexes(store, BCON_NEW("createIndexes", "definitions", "indexes",
						    "[", UNIQUE("version"), "name", UP,
						    "version", UP, "}", "}", "]"));

	if (err)
		return err;
	return make_indexes(store, BCON_NEW("createIndexes", "audit", "indexes", "[",
					    INDEX("saga"), "saga", UP, "order", UP, "}", "}",
					    INDEX("order"), "order", UP, "}", "}", "]"));
}

#undef INDEX
#undef UNIQUE
#undef UP
#undef DOWN

enum err mongo_prepare(struct store_mongo *store)
{
	enum err err = index_sagas(store);

	return err ? err : index_others(store);
}

/* --- the owner's record ------------------------------------------------------------------ */

/* What is there of the shard; an empty document where there is nothing. */
static enum err read_owner(struct store_mongo *store, bson_t *out)
{
	bson_t *filter = BCON_NEW("_id", BCON_INT32(SHARD));
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(store->owners, filter, NULL, NULL);
	const bson_t *found;
	bson_error_t error;
	enum err err = OK;

	if (mongoc_cursor_next(cursor, &found))
		bson_copy_to(found, out);
	else
		bson_init(out);
	if (mongoc_cursor_error(cursor, &error))
		err = mongo_trouble(store, &error);
	mongoc_cursor_destroy(cursor);
	bson_destroy(filter);
	return err;
}

static enum err check_layout(struct store_mongo *store)
{
	bson_t owner;
	enum err err = read_owner(store, &owner);

	if (!err && document_number(&owner, "layout") > LAYOUT)
		err = diag_set(&store->base.trouble, ERR_INVALID,
			       "MongoDB at %s, database %s: its sagas are of a newer skald; "
			       "use that one",
			       store->link.where, store->link.database);
	bson_destroy(&owner);
	return err;
}

static enum err take_record(struct store_mongo *store, const char *owner)
{
	bson_t *filter = BCON_NEW("_id", BCON_INT32(SHARD)), reply, value;
	bson_t *update = BCON_NEW("$inc", "{", "epoch", BCON_INT64(1), "}", "$max", "{",
				  "batch", BCON_INT64(0), "sent", BCON_INT64(0), "}", "$set",
				  "{", "owner", BCON_UTF8(owner), "since",
				  BCON_DATE_TIME(clock_now_ms(clock_system())), "layout",
				  BCON_INT32(LAYOUT), "}");
	mongoc_find_and_modify_opts_t *opts = mongoc_find_and_modify_opts_new();
	const uint8_t *bytes = NULL;
	bson_error_t error;
	bson_iter_t iter;
	uint32_t len = 0;
	enum err err = OK;

	mongoc_find_and_modify_opts_set_update(opts, update);
	mongoc_find_and_modify_opts_set_flags(opts, MONGOC_FIND_AND_MODIFY_UPSERT |
							    MONGOC_FIND_AND_MODIFY_RETURN_NEW);
	if (!mongoc_collection_find_and_modify_with_opts(store->owners, filter, opts, &reply,
							 &error))
		err = mongo_trouble(store, &error);
	if (!err && bson_iter_init_find(&iter, &reply, "value") &&
	    BSON_ITER_HOLDS_DOCUMENT(&iter))
		bson_iter_document(&iter, &len, &bytes);
	if (!err && (!bytes || !bson_init_static(&value, bytes, len)))
		err = diag_set(&store->base.trouble, ERR_IO,
			       "MongoDB at %s did not say who owns the store; start again",
			       store->link.where);
	if (!err) {
		store->epoch = document_number(&value, "epoch");
		store->batch.number = (uint64_t)document_number(&value, "batch");
		store->batch.sent = (uint64_t)document_number(&value, "sent");
	}
	bson_destroy(&reply);
	mongoc_find_and_modify_opts_destroy(opts);
	bson_destroy(update);
	bson_destroy(filter);
	return err;
}

/* Every saga that can go on by itself is ours from here on: whoever had it before finds
 * an epoch that is later than his own. It takes a while where they are many. */
static enum err stamp(struct store_mongo *store)
{
	bson_t *update = BCON_NEW("$set", "{", "epoch", BCON_INT64(store->epoch), "}");
	bson_t *filter = BCON_NEW("epoch", "{", "$lt", BCON_INT64(store->epoch), "}");
	enum err err = ERR_UNAVAILABLE;
	bson_error_t error;

	mongo_add_unfinished(filter);
	for (int try = 0; err == ERR_UNAVAILABLE && try < STAMP_TRIES; try++)
		err = mongoc_collection_update_many(store->sagas, filter, update, NULL, NULL,
						    &error)
			      ? OK
			      : mongo_trouble(store, &error);
	bson_destroy(filter);
	bson_destroy(update);
	return err;
}

/* A crash between a batch and what the record says of it. */
static enum err find_newest_batch(struct store_mongo *store)
{
	bson_t *opts = BCON_NEW("sort", "{", "batch", BCON_INT32(-1), "}", "limit",
				BCON_INT64(1), "projection", "{", "batch", BCON_INT32(1), "}");
	bson_t all = BSON_INITIALIZER;
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(store->sagas, &all, opts, NULL);
	const bson_t *found;
	bson_error_t error;
	enum err err = OK;

	if (mongoc_cursor_next(cursor, &found)) {
		uint64_t batch = (uint64_t)document_number(found, "batch");

		if (store->batch.number < batch)
			store->batch.number = batch;
	}
	if (mongoc_cursor_error(cursor, &error))
		err = mongo_trouble(store, &error);
	mongoc_cursor_destroy(cursor);
	bson_destroy(&all);
	bson_destroy(opts);
	return err;
}

enum err mongo_take(struct store_mongo *store, const char *owner)
{
	enum err err = check_layout(store);

	if (!err)
		err = take_record(store, owner);
	if (!err)
		err = stamp(store);
	if (!err)
		err = find_newest_batch(store);
	return err;
}

/* --- the end of a commit -------------------------------------------------------------------
 */

static enum err lose(struct store_mongo *store)
{
	bson_t owner;
	enum err err = read_owner(store, &owner);

	if (!err) {
		struct slice name = document_text(&owner, "owner");

		store->base.lost = true;
		err = diag_set(&store->base.trouble, ERR_UNAVAILABLE,
			       "another orchestrator, %.*s, has taken the store in MongoDB at "
			       "%s, database %s; this one must end",
			       (int)(name.len < 100 ? name.len : 100), name.len ? name.at : "",
			       store->link.where, store->link.database);
	}
	bson_destroy(&owner);
	return err;
}

enum err mongo_advance(struct store_mongo *store, const struct store_batch *batch)
{
	bson_t *filter = BCON_NEW("_id", BCON_INT32(SHARD), "epoch", BCON_INT64(store->epoch));
	bson_t *update = BCON_NEW("$max", "{", "batch", BCON_INT64((int64_t)batch->number),
				  "sent", BCON_INT64((int64_t)batch->sent), "}");
	bson_error_t error;
	bson_t reply;
	enum err err = OK;

	if (!mongoc_collection_update_one(store->owners, filter, update, NULL, &reply, &error))
		err = mongo_trouble(store, &error);
	else if (document_number(&reply, "matchedCount") == 0)
		err = lose(store);
	else
		store_batch_advance(&store->batch, batch);
	bson_destroy(&reply);
	bson_destroy(update);
	bson_destroy(filter);
	return err;
}

/* --- what was removed ----------------------------------------------------------------------
 */

enum err mongo_mark_removed(struct store_mongo *store, int64_t ended_ms)
{
	bson_t *filter = BCON_NEW("_id", BCON_INT32(SHARD));
	bson_t *update = BCON_NEW("$max", "{", "removed", BCON_INT64(ended_ms), "}");
	bson_error_t error;
	enum err err = OK;

	if (!mongoc_collection_update_one(store->owners, filter, update, NULL, NULL, &error))
		err = mongo_trouble(store, &error);
	bson_destroy(update);
	bson_destroy(filter);
	return err;
}

enum err mongo_removed(struct store *base, int64_t *ended_ms)
{
	bson_t owner;
	enum err err = read_owner(mongo_of(base), &owner);

	*ended_ms = err ? 0 : document_number(&owner, "removed");
	bson_destroy(&owner);
	return err;
}

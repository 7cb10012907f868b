/* A commit is: the audit, the new sagas, the changed ones, and then the question whether
 * their shards were ours all the time, without which none of it counts. Each part stands
 * being done again. */
#include "base/sha256.h"
#include "orchestrator/store/mongo/document.h"
#include "orchestrator/store/mongo/inside.h"

/* --- a bulk --------------------------------------------------------------------------- */

static mongoc_bulk_operation_t *bulk_new(mongoc_collection_t *collection)
{
	bson_t *opts = BCON_NEW("ordered", BCON_BOOL(false));
	mongoc_bulk_operation_t *bulk =
		mongoc_collection_create_bulk_operation_with_opts(collection, opts);

	bson_destroy(opts);
	return bulk;
}

/* Run it, and free it. *reply is to be destroyed. What is there already is no error, but
 * in the reply's writeErrors. */
static enum err bulk_run(struct store_mongo *store, mongoc_bulk_operation_t *bulk,
			 bson_t *reply)
{
	bson_iter_t concern, errors;
	bson_error_t error = {0};
	enum err err = OK;

	if (!mongoc_bulk_operation_execute(bulk, reply, &error) &&
	    error.code != MONGOC_ERROR_DUPLICATE_KEY)
		err = mongo_trouble(store, &error);
	/* Not with the majority, or not in time: nobody knows. */
	if (!err && bson_iter_init_find(&concern, reply, "writeConcernErrors") &&
	    bson_iter_recurse(&concern, &errors) && bson_iter_next(&errors))
		err = diag_set(&store->base.trouble, ERR_UNAVAILABLE,
			       "MongoDB at %s has written, but not to the majority of its "
			       "replicas; it is asked again",
			       store->link.where);
	mongoc_bulk_operation_destroy(bulk);
	return err;
}

/* --- audit ---------------------------------------------------------------------------- */

/* The same entry has the same id, however often it is written. */
static void audit_document(bson_t *out, const struct audit_entry *entry, int64_t order)
{
	bson_t fields = BSON_INITIALIZER;
	uint8_t hash[SHA256_SIZE];
	char id[SHA256_HEX_SIZE];

	BSON_APPEND_DATE_TIME(&fields, "at", entry->at_ms);
	document_add_text(&fields, "saga", entry->saga_id);
	document_add_text(&fields, "operation", entry->operation);
	document_add_text(&fields, "actor", entry->actor);
	document_add_text(&fields, "reason", entry->reason);
	sha256((struct slice){(const char *)bson_get_data(&fields), fields.len}, hash);
	sha256_hex(hash, id);
	BSON_APPEND_UTF8(out, "_id", id);
	bson_concat(out, &fields);
	BSON_APPEND_INT64(out, "order", order);
	bson_destroy(&fields);
}

static enum err write_audit(struct store_mongo *store, const struct audit_entry *audit,
			    size_t n)
{
	mongoc_bulk_operation_t *bulk = bulk_new(store->audit);
	enum err err;
	bson_t reply;

	for (size_t i = 0; i < n; i++) {
		bson_t document = BSON_INITIALIZER;

		audit_document(&document, &audit[i], mongo_next_order(store));
		mongoc_bulk_operation_insert(bulk, &document);
		bson_destroy(&document);
	}
	err = bulk_run(store, bulk, &reply);
	bson_destroy(&reply);
	return err;
}

/* --- new sagas -------------------------------------------------------------------------- */

static bool is_new(const struct saga_write *write)
{
	return write->before == 0;
}

/* ERR_BUSY, all the time: it is not ours. */
static bool is_ours(const struct saga_write *write)
{
	return write->result != ERR_BUSY;
}

static uint32_t shard_of_write(const struct store_mongo *store, const struct saga_write *write)
{
	return shard_of(write->row.id, store->base.shards.n);
}

/* *n: how many there are. */
static mongoc_bulk_operation_t *bulk_of_new(struct store_mongo *store,
					    struct document_marks *marks,
					    const struct saga_write *writes, size_t n_writes,
					    size_t *n)
{
	mongoc_bulk_operation_t *bulk = bulk_new(store->sagas);

	*n = 0;
	for (size_t i = 0; i < n_writes; i++) {
		bson_t document = BSON_INITIALIZER;

		if (is_new(&writes[i]) && is_ours(&writes[i])) {
			marks->order = mongo_next_order(store);
			marks->epoch = store->epochs[shard_of_write(store, &writes[i])];
			document_insert(&document, &writes[i], marks);
			mongoc_bulk_operation_insert(bulk, &document);
			++*n;
		}
		bson_destroy(&document);
	}
	return bulk;
}

/* Whether the write of that place in the bulk was refused: its id or key is there. */
static bool was_refused(const bson_t *reply, size_t place)
{
	bson_iter_t errors, each, index;

	if (!bson_iter_init_find(&errors, reply, "writeErrors") ||
	    !bson_iter_recurse(&errors, &each))
		return false;
	while (bson_iter_next(&each))
		if (bson_iter_recurse(&each, &index) && bson_iter_find(&index, "index") &&
		    bson_iter_as_int64(&index) == (int64_t)place)
			return true;
	return false;
}

static enum err write_new(struct store_mongo *store, struct document_marks *marks,
			  struct saga_write *writes, size_t n_writes)
{
	mongoc_bulk_operation_t *bulk;
	size_t n, place = 0;
	bson_t reply;
	enum err err;

	bulk = bulk_of_new(store, marks, writes, n_writes, &n);
	if (!n) {
		mongoc_bulk_operation_destroy(bulk);
		return OK;
	}
	err = bulk_run(store, bulk, &reply);
	for (size_t i = 0; !err && i < n_writes; i++)
		if (is_new(&writes[i]) && is_ours(&writes[i]))
			writes[i].result = was_refused(&reply, place++) ? ERR_CONFLICT : OK;
	bson_destroy(&reply);
	return err;
}

/* --- changed sagas ----------------------------------------------------------------------- */

static void add_change(struct store_mongo *store, mongoc_bulk_operation_t *bulk,
		       const struct saga_write *write, const struct document_marks *marks)
{
	bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER, at_most;

	document_add_text(&selector, "_id", write->row.id);
	BSON_APPEND_INT64(&selector, "revision", (int64_t)write->before);
	BSON_APPEND_DOCUMENT_BEGIN(&selector, "epoch", &at_most);
	BSON_APPEND_INT64(&at_most, "$lte", marks->epoch);
	bson_append_document_end(&selector, &at_most);
	document_update(&update, write, marks);
	mongoc_bulk_operation_update_one(bulk, &selector, &update, false);
	bson_destroy(&update);
	bson_destroy(&selector);
}

/* A bulk says how many fitted, not which: read what is there. */
static enum err settle(struct store_mongo *store, struct saga_write *writes, size_t n,
		       int64_t write)
{
	bson_t *opts = BCON_NEW("projection", "{", "_id", BCON_INT32(1), "}");
	bson_t filter = BSON_INITIALIZER, in, ids;
	mongoc_cursor_t *cursor;
	const bson_t *document;
	bson_error_t error;
	const char *key;
	char room[16];
	enum err err = OK;

	BSON_APPEND_INT64(&filter, "write", write);
	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &ids);
	for (size_t i = 0, at = 0; i < n; i++) {
		if (is_new(&writes[i]) || !is_ours(&writes[i]))
			continue;
		writes[i].result = ERR_CONFLICT;
		bson_uint32_to_string((uint32_t)at++, &key, room, sizeof room);
		document_add_text(&ids, key, writes[i].row.id);
	}
	bson_append_array_end(&in, &ids);
	bson_append_document_end(&filter, &in);
	cursor = mongoc_collection_find_with_opts(store->sagas, &filter, opts, NULL);
	while (mongoc_cursor_next(cursor, &document))
		for (size_t i = 0; i < n; i++)
			if (!is_new(&writes[i]) && is_ours(&writes[i]) &&
			    slice_equal(writes[i].row.id, document_text(document, "_id")))
				writes[i].result = OK;
	if (mongoc_cursor_error(cursor, &error))
		err = mongo_trouble(store, &error);
	mongoc_cursor_destroy(cursor);
	bson_destroy(&filter);
	bson_destroy(opts);
	return err;
}

static enum err write_changed(struct store_mongo *store, struct document_marks *marks,
			      struct saga_write *writes, size_t n_writes)
{
	mongoc_bulk_operation_t *bulk = bulk_new(store->sagas);
	size_t n = 0;
	bson_t reply;
	enum err err;

	for (size_t i = 0; i < n_writes; i++)
		if (!is_new(&writes[i]) && is_ours(&writes[i])) {
			marks->epoch = store->epochs[shard_of_write(store, &writes[i])];
			add_change(store, bulk, &writes[i], marks);
			writes[i].result = OK;
			n++;
		}
	if (!n) {
		mongoc_bulk_operation_destroy(bulk);
		return OK;
	}
	err = bulk_run(store, bulk, &reply);
	if (!err && document_number(&reply, "nMatched") != (int64_t)n)
		err = settle(store, writes, n_writes, marks->write);
	bson_destroy(&reply);
	return err;
}

/* --- the whole ---------------------------------------------------------------------------- */

static enum err check_before(struct store_mongo *store)
{
	int64_t age_ms = clock_monotonic_ms(store->clock) - store->checked_ms;

	return store->checked && age_ms < CHECKED_MS ? OK : mongo_check(&store->base);
}

static void mark_ours(const struct store_mongo *store, struct saga_write *writes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		writes[i].result = shards_cover(&store->base.shards, writes[i].row.id)
					   ? ERR_CONFLICT
					   : ERR_BUSY;
}

/* Where a shard was taken from us meanwhile nobody knows whether its new owner saw what
 * we wrote: it does not count, and he is to look again. */
static enum err check_after(struct store_mongo *store, struct saga_write *writes, size_t n)
{
	struct shards lost = {.n = store->base.shards.n};
	enum err err = mongo_check(&store->base);

	for (size_t i = 0; !err && i < n; i++) {
		if (!is_ours(&writes[i]) || shards_cover(&store->base.shards, writes[i].row.id))
			continue;
		if (writes[i].result == OK)
			shards_add(&lost, shard_of_write(store, &writes[i]));
		writes[i].result = ERR_BUSY;
	}
	for (uint32_t i = shards_next(&lost, 0); !err && i < lost.n;
	     i = shards_next(&lost, i + 1))
		err = mongo_stir(store, i);
	return err;
}

enum err mongo_commit(struct store *base, const struct store_batch *batch,
		      struct saga_write *writes, size_t n, const struct audit_entry *audit,
		      size_t n_audit)
{
	struct store_mongo *store = mongo_of(base);
	struct document_marks marks = {.write = mongo_next_order(store),
				       .batch = batch->number};
	enum err err;

	if (store->writing < batch->number)
		store->writing = 0;
	mongo_ask_again(store);
	err = check_before(store);
	if (!err && store->renew)
		err = mongo_renew(store);
	marks.member = store->us.number;
	if (!err && n_audit)
		err = write_audit(store, audit, n_audit);
	if (!err) {
		mark_ours(store, writes, n);
		store->writing = batch->number;
		err = write_new(store, &marks, writes, n);
	}
	if (!err)
		err = write_changed(store, &marks, writes, n);
	if (!err)
		err = check_after(store, writes, n);
	if (!err)
		err = mongo_advance(store, batch);
	if (err == ERR_UNAVAILABLE)
		store->checked = false;
	return err;
}

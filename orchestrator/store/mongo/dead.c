/* The collection `dead`: one document a letter. They are few, so that their limit is
 * looked after by reading how large each is. */
#include "orchestrator/store/mongo/dead.h"

#include "orchestrator/store/mongo/document.h"

static void add_bytes(bson_t *out, const char *name, struct slice bytes)
{
	if (bytes.len)
		bson_append_binary(out, name, -1, BSON_SUBTYPE_BINARY,
				   (const uint8_t *)bytes.at, (uint32_t)bytes.len);
}

/* {_id: "..."} */
static void filter_id(bson_t *out, struct slice id)
{
	bson_init(out);
	document_add_text(out, "_id", id);
}

/* --- writing -------------------------------------------------------------------------- */

static enum err put(struct store_mongo *store, const struct dead_letter *letter)
{
	bson_t document = BSON_INITIALIZER, filter;
	bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	bson_error_t error;
	enum err err = OK;

	filter_id(&filter, letter->id);
	document_add_text(&document, "_id", letter->id);
	BSON_APPEND_INT64(&document, "order", mongo_next_order(store));
	BSON_APPEND_DATE_TIME(&document, "at", letter->at_ms);
	document_add_text(&document, "reason", letter->reason);
	document_add_text(&document, "text", letter->text);
	document_add_text(&document, "source", letter->source);
	BSON_APPEND_INT64(&document, "partition", letter->partition);
	BSON_APPEND_INT64(&document, "offset", letter->offset);
	BSON_APPEND_INT64(&document, "size", (int64_t)letter->size);
	BSON_APPEND_INT64(&document, "bytes",
			  (int64_t)(letter->key.len + letter->headers.len + letter->value.len));
	add_bytes(&document, "key", letter->key);
	add_bytes(&document, "headers", letter->headers);
	add_bytes(&document, "value", letter->value);
	if (!mongoc_collection_replace_one(store->dead, &filter, &document, opts, NULL, &error))
		err = mongo_trouble(store, &error);
	bson_destroy(&document);
	bson_destroy(&filter);
	bson_destroy(opts);
	return err;
}

struct totals {
	size_t n;
	int64_t bytes;
	int64_t too_old; /* the order of the newest that is too many; 0: none is */
};

static enum err add_up(struct store_mongo *store, const bson_t *document, void *context)
{
	struct totals *totals = context;

	totals->bytes += document_number(document, "bytes");
	if (!totals->too_old &&
	    (++totals->n > STORE_DEAD_MAX || totals->bytes > STORE_DEAD_BYTES_MAX))
		totals->too_old = document_number(document, "order");
	return OK;
}

static enum err drop_oldest(struct store_mongo *store, size_t *n_dropped)
{
	bson_t *opts = BCON_NEW("sort", "{", "order", BCON_INT32(-1), "}", "projection", "{",
				"order", BCON_INT32(1), "bytes", BCON_INT32(1), "}");
	bson_t filter = BSON_INITIALIZER, range, reply;
	struct totals totals = {0};
	bson_error_t error;
	enum err err = mongo_walk(store, store->dead, &filter, opts, add_up, &totals);

	bson_destroy(opts);
	if (err || !totals.too_old) {
		bson_destroy(&filter);
		return err;
	}
	BSON_APPEND_DOCUMENT_BEGIN(&filter, "order", &range);
	BSON_APPEND_INT64(&range, "$lte", totals.too_old);
	bson_append_document_end(&filter, &range);
	if (!mongoc_collection_delete_many(store->dead, &filter, NULL, &reply, &error))
		err = mongo_trouble(store, &error);
	else
		*n_dropped = (size_t)document_number(&reply, "deletedCount");
	bson_destroy(&reply);
	bson_destroy(&filter);
	return err;
}

enum err mongo_put_dead(struct store *base, const struct dead_letter *letters, size_t n,
			size_t *n_dropped)
{
	struct store_mongo *store = mongo_of(base);
	enum err err = OK;

	mongo_ask_again(store);
	for (size_t i = 0; !err && i < n; i++)
		err = put(store, &letters[i]);
	return err ? err : drop_oldest(store, n_dropped);
}

enum err mongo_remove_dead(struct store *base, struct slice id)
{
	struct store_mongo *store = mongo_of(base);
	bson_error_t error;
	bson_t filter, reply;
	enum err err = OK;

	filter_id(&filter, id);
	if (!mongoc_collection_delete_one(store->dead, &filter, NULL, &reply, &error))
		err = mongo_trouble(store, &error);
	else if (!document_number(&reply, "deletedCount"))
		err = ERR_NOT_FOUND;
	bson_destroy(&reply);
	bson_destroy(&filter);
	return err;
}

/* --- reading -------------------------------------------------------------------------- */

static struct dead_letter read_letter(const bson_t *document)
{
	return (struct dead_letter){
		.id = document_text(document, "_id"),
		.at_ms = document_number(document, "at"),
		.reason = document_text(document, "reason"),
		.text = document_text(document, "text"),
		.source = document_text(document, "source"),
		.partition = (int32_t)document_number(document, "partition"),
		.offset = document_number(document, "offset"),
		.key = document_bytes(document, "key"),
		.headers = document_bytes(document, "headers"),
		.value = document_bytes(document, "value"),
		.size = (uint64_t)document_number(document, "size"),
	};
}

struct getting {
	struct arena *arena; /* NULL: the order alone is wanted */
	struct dead_letter *out;
	int64_t order;
	bool found;
};

static enum err take(struct store_mongo *store, const bson_t *document, void *context)
{
	struct getting *getting = context;
	struct dead_letter letter = read_letter(document);

	getting->found = true;
	getting->order = document_number(document, "order");
	return !getting->arena || dead_letter_copy(getting->arena, &letter, getting->out)
		       ? OK
		       : ERR_NOMEM;
}

static enum err get(struct store_mongo *store, struct slice id, struct getting *getting)
{
	bson_t filter;
	enum err err;

	filter_id(&filter, id);
	err = mongo_walk(store, store->dead, &filter, NULL, take, getting);
	bson_destroy(&filter);
	return !err && !getting->found ? ERR_NOT_FOUND : err;
}

enum err mongo_get_dead(struct store *base, struct slice id, struct arena *arena,
			struct dead_letter *out)
{
	struct getting getting = {.arena = arena, .out = out};

	return get(mongo_of(base), id, &getting);
}

struct listing {
	enum err (*visit)(void *context, const struct dead_letter *letter);
	void *context;
};

static enum err visit_letter(struct store_mongo *store, const bson_t *document, void *context)
{
	const struct listing *listing = context;
	struct dead_letter letter = read_letter(document);

	return listing->visit(listing->context, &letter);
}

enum err mongo_list_dead(struct store *base, struct slice after, size_t limit,
			 enum err (*visit)(void *context, const struct dead_letter *letter),
			 void *context)
{
	struct store_mongo *store = mongo_of(base);
	struct getting last = {.order = INT64_MAX};
	struct listing listing = {visit, context};
	enum err err = after.len ? get(store, after, &last) : OK;
	bson_t filter = BSON_INITIALIZER, range;
	bson_t *opts;

	if (err || !limit)
		return err;
	BSON_APPEND_DOCUMENT_BEGIN(&filter, "order", &range);
	BSON_APPEND_INT64(&range, "$lt", last.order);
	bson_append_document_end(&filter, &range);
	opts = BCON_NEW("sort", "{", "order", BCON_INT32(-1), "}", "projection", "{", "key",
			BCON_INT32(0), "headers", BCON_INT32(0), "value", BCON_INT32(0), "}",
			"limit", BCON_INT64((int64_t)limit));
	err = mongo_walk(store, store->dead, &filter, opts, visit_letter, &listing);
	bson_destroy(&filter);
	bson_destroy(opts);
	return err;
}

#include "orchestrator/store/mongo/store_mongo.h"

#include "orchestrator/store/mongo/dead.h"
#include "orchestrator/store/mongo/document.h"
#include "orchestrator/store/mongo/inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* --- small things --------------------------------------------------------------------- */

enum err mongo_trouble(struct store_mongo *store, const bson_error_t *error)
{
	enum err err = link_failed(&store->link, error, &store->base.trouble);

	store->doubtful = err == ERR_UNAVAILABLE;
	return err;
}

static void open_collections(struct store_mongo *store)
{
	store->sagas = link_collection(&store->link, "sagas");
	store->definitions = link_collection(&store->link, "definitions");
	store->audit = link_collection(&store->link, "audit");
	store->owners = link_collection(&store->link, "owners");
	store->members = link_collection(&store->link, "members");
	store->dead = link_collection(&store->link, "dead");
}

static void close_collections(struct store_mongo *store)
{
	mongoc_collection_destroy(store->sagas);
	mongoc_collection_destroy(store->definitions);
	mongoc_collection_destroy(store->audit);
	mongoc_collection_destroy(store->owners);
	mongoc_collection_destroy(store->members);
	mongoc_collection_destroy(store->dead);
}

void mongo_ask_again(struct store_mongo *store)
{
	if (!store->doubtful)
		return;
	close_collections(store);
	link_renew(&store->link);
	open_collections(store);
	store->doubtful = false;
}

static enum err damaged(struct store_mongo *store, const char *how)
{
	return diag_set(&store->base.trouble, ERR_CORRUPT,
			"MongoDB at %s, database %s: %s; restore a backup", store->link.where,
			store->link.database, how);
}

static enum err no_memory(struct store_mongo *store)
{
	return diag_set(&store->base.trouble, ERR_NOMEM,
			"out of memory; give the process more");
}

/* {$or: [{status: "running"}, ...]} would do, too; this one has an index. */
void mongo_add_statuses(bson_t *filter, const enum status *statuses, size_t n)
{
	bson_t in, list;
	const char *key;
	char room[16];

	BSON_APPEND_DOCUMENT_BEGIN(filter, "status", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
	for (size_t i = 0; i < n; i++) {
		bson_uint32_to_string((uint32_t)i, &key, room, sizeof room);
		BSON_APPEND_UTF8(&list, key, status_text(statuses[i]));
	}
	bson_append_array_end(&in, &list);
	bson_append_document_end(filter, &in);
}

static const enum status unfinished[] = {STATUS_RUNNING, STATUS_COMPENSATING, STATUS_PARKED};

void mongo_add_unfinished(bson_t *filter)
{
	mongo_add_statuses(filter, unfinished, sizeof unfinished / sizeof *unfinished);
}

/* {started_at: direction, order: direction} */
void mongo_add_sort(bson_t *opts, int direction)
{
	bson_t sort;

	BSON_APPEND_DOCUMENT_BEGIN(opts, "sort", &sort);
	BSON_APPEND_INT32(&sort, "started_at", direction);
	BSON_APPEND_INT32(&sort, "order", direction);
	bson_append_document_end(opts, &sort);
}

/* --- walking ---------------------------------------------------------------------------- */

/* Call for each document that fits; an error of `visit` ends it and is returned. */
enum err mongo_walk(struct store_mongo *store, mongoc_collection_t *collection,
		    const bson_t *filter, const bson_t *opts, visit_document *visit,
		    void *context)
{
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(collection, filter, opts, NULL);
	const bson_t *document;
	bson_error_t error;
	enum err err = OK;

	while (!err && mongoc_cursor_next(cursor, &document))
		err = visit(store, document, context);
	if (!err && mongoc_cursor_error(cursor, &error))
		err = mongo_trouble(store, &error);
	mongoc_cursor_destroy(cursor);
	return err;
}

/* --- one saga ----------------------------------------------------------------------------- */

struct getting {
	struct arena *arena;
	struct saga_row *row;
	struct slice *record;
	bool found;
};

static enum err take_saga(struct store_mongo *store, const bson_t *document, void *context)
{
	struct getting *getting = context;
	struct slice record = document_bytes(document, "record");
	struct saga_row row;

	if (document_row(document, &row))
		return damaged(store, "a saga's fields are wrong");
	if (!record.len)
		return damaged(store, "a saga's record is missing");
	if ((getting->row && !saga_row_copy(getting->arena, &row, getting->row)) ||
	    !arena_copy(getting->arena, record, getting->record))
		return no_memory(store);
	getting->found = true;
	return OK;
}

static enum err mongo_get(struct store *base, struct slice id, struct arena *arena,
			  struct saga_row *row, struct slice *record)
{
	struct store_mongo *store = mongo_of(base);
	struct getting getting = {arena, row, record, false};
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, projection;
	enum err err;

	document_add_text(&filter, "_id", id);
	BSON_APPEND_DOCUMENT_BEGIN(&opts, "projection", &projection);
	document_row_fields(&projection);
	BSON_APPEND_INT32(&projection, "record", 1);
	bson_append_document_end(&opts, &projection);
	err = mongo_walk(store, store->sagas, &filter, &opts, take_saga, &getting);
	bson_destroy(&opts);
	bson_destroy(&filter);
	return err || getting.found ? err : ERR_NOT_FOUND;
}

struct finding {
	struct arena *arena;
	struct slice *id;
	bool found;
};

static enum err take_id(struct store_mongo *store, const bson_t *document, void *context)
{
	struct finding *finding = context;

	finding->found = true;
	return arena_copy(finding->arena, document_text(document, "_id"), finding->id)
		       ? OK
		       : no_memory(store);
}

static enum err mongo_find(struct store *base, struct slice saga, struct slice key,
			   struct arena *arena, struct slice *id)
{
	struct store_mongo *store = mongo_of(base);
	struct finding finding = {arena, id, false};
	bson_t *opts = BCON_NEW("projection", "{", "_id", BCON_INT32(1), "}");
	bson_t filter = BSON_INITIALIZER;
	enum err err;

	document_add_text(&filter, "key", key);
	document_add_text(&filter, "saga", saga);
	err = mongo_walk(store, store->sagas, &filter, opts, take_id, &finding);
	bson_destroy(&filter);
	bson_destroy(opts);
	return err || finding.found ? err : ERR_NOT_FOUND;
}

/* --- lists ----------------------------------------------------------------------------------
 */

struct listing {
	enum err (*visit)(void *context, const struct saga_row *row);
	void *context;
};

static enum err visit_row(struct store_mongo *store, const bson_t *document, void *context)
{
	const struct listing *listing = context;
	struct saga_row row;

	return document_row(document, &row) ? damaged(store, "a saga's fields are wrong")
					    : listing->visit(listing->context, &row);
}

/* Where a page begins: behind the saga with this start and order. */
struct page_place {
	bool found;
	int64_t started_ms, order;
};

static enum err take_place(struct store_mongo *store, const bson_t *document, void *context)
{
	*(struct page_place *)context =
		(struct page_place){true, document_number(document, "started_at"),
				    document_number(document, "order")};
	return OK;
}

static enum err find_place(struct store_mongo *store, struct slice after,
			   struct page_place *out)
{
	bson_t *opts = BCON_NEW("projection", "{", "started_at", BCON_INT32(1), "order",
				BCON_INT32(1), "}");
	bson_t filter = BSON_INITIALIZER;
	enum err err;

	document_add_text(&filter, "_id", after);
	err = mongo_walk(store, store->sagas, &filter, opts, take_place, out);
	bson_destroy(&filter);
	bson_destroy(opts);
	return err || out->found ? err : ERR_NOT_FOUND;
}

/* What is older than the place. Its start alone is a bound for the index. */
static void add_behind(bson_t *filter, const struct page_place *place)
{
	bson_t either, older, same, less;

	BSON_APPEND_ARRAY_BEGIN(filter, "$or", &either);
	BSON_APPEND_DOCUMENT_BEGIN(&either, "0", &older);
	BSON_APPEND_DOCUMENT_BEGIN(&older, "started_at", &less);
	BSON_APPEND_DATE_TIME(&less, "$lt", place->started_ms);
	bson_append_document_end(&older, &less);
	bson_append_document_end(&either, &older);
	BSON_APPEND_DOCUMENT_BEGIN(&either, "1", &same);
	BSON_APPEND_DATE_TIME(&same, "started_at", place->started_ms);
	BSON_APPEND_DOCUMENT_BEGIN(&same, "order", &less);
	BSON_APPEND_INT64(&less, "$lt", place->order);
	bson_append_document_end(&same, &less);
	bson_append_document_end(&either, &same);
	bson_append_array_end(filter, &either);
}

static void add_times(bson_t *filter, const struct saga_filter *wanted,
		      const struct page_place *place)
{
	bson_t range;

	BSON_APPEND_DOCUMENT_BEGIN(filter, "started_at", &range);
	BSON_APPEND_DATE_TIME(&range, "$gte", wanted->since_ms);
	if (wanted->until_ms)
		BSON_APPEND_DATE_TIME(&range, "$lt", wanted->until_ms);
	if (place->found)
		BSON_APPEND_DATE_TIME(&range, "$lte", place->started_ms);
	bson_append_document_end(filter, &range);
}

static void add_filter(bson_t *filter, const struct saga_filter *wanted,
		       const struct page_place *place)
{
	if (wanted->saga.len)
		document_add_text(filter, "saga", wanted->saga);
	if (wanted->key.len)
		document_add_text(filter, "key", wanted->key);
	if (wanted->step.len)
		document_add_text(filter, "step", wanted->step);
	if (wanted->n_statuses)
		mongo_add_statuses(filter, wanted->statuses, wanted->n_statuses);
	add_times(filter, wanted, place);
	if (place->found)
		add_behind(filter, place);
}

static enum err mongo_list(struct store *base, const struct saga_filter *wanted,
			   struct slice after, size_t limit,
			   enum err (*visit)(void *context, const struct saga_row *row),
			   void *context)
{
	struct store_mongo *store = mongo_of(base);
	struct listing listing = {visit, context};
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, projection;
	struct page_place place = {.found = false};
	enum err err = after.len ? find_place(store, after, &place) : OK;

	if (!err && limit) { /* to MongoDB a limit of 0 is none */
		add_filter(&filter, wanted, &place);
		mongo_add_sort(&opts, -1);
		BSON_APPEND_INT64(&opts, "limit", (int64_t)limit);
		BSON_APPEND_DOCUMENT_BEGIN(&opts, "projection", &projection);
		document_row_fields(&projection);
		bson_append_document_end(&opts, &projection);
		err = mongo_walk(store, store->sagas, &filter, &opts, visit_row, &listing);
	}
	bson_destroy(&opts);
	bson_destroy(&filter);
	return err;
}

/* --- counts ---------------------------------------------------------------------------------
 */

enum { COUNT_MANY = 100000, COUNT_PATIENCE = 50 };

static enum err count_all(struct store_mongo *store)
{
	for (int i = 0; i < STATUSES; i++) {
		bson_t filter = BSON_INITIALIZER;
		bson_error_t error;
		int64_t n;

		BSON_APPEND_UTF8(&filter, "status", status_text((enum status)i));
		n = mongoc_collection_count_documents(store->sagas, &filter, NULL, NULL, NULL,
						      &error);
		bson_destroy(&filter);
		if (n < 0)
			return mongo_trouble(store, &error);
		store->counts.by_status[i] = (uint64_t)n;
	}
	return OK;
}

static bool many(const struct store_counts *counts)
{
	uint64_t n = 0;

	for (int i = 0; i < STATUSES; i++)
		n += counts->by_status[i];
	return n > COUNT_MANY;
}

static enum err mongo_counts(struct store *base, struct store_counts *out)
{
	struct store_mongo *store = mongo_of(base);
	int64_t now_ms = clock_monotonic_ms(store->clock);
	enum err err = OK;

	if (!store->counted_many ||
	    now_ms - store->counted_ms > store->counting_ms * COUNT_PATIENCE) {
		err = count_all(store);
		store->counted_ms = clock_monotonic_ms(store->clock);
		store->counting_ms = store->counted_ms - now_ms;
		store->counted_many = !err && many(&store->counts);
	}
	if (!err)
		*out = store->counts;
	return err;
}

/* --- audit
 * ------------------------------------------------------------------------------------ */

struct auditing {
	enum err (*visit)(void *context, const struct audit_entry *entry);
	void *context;
};

static enum err visit_audit(struct store_mongo *store, const bson_t *document, void *context)
{
	const struct auditing *auditing = context;
	struct audit_entry entry = {
		.at_ms = document_number(document, "at"),
		.saga_id = document_text(document, "saga"),
		.operation = document_text(document, "operation"),
		.actor = document_text(document, "actor"),
		.reason = document_text(document, "reason"),
	};

	return auditing->visit(auditing->context, &entry);
}

static enum err mongo_audit(struct store *base, struct slice saga_id, size_t limit,
			    enum err (*visit)(void *context, const struct audit_entry *entry),
			    void *context)
{
	struct store_mongo *store = mongo_of(base);
	struct auditing auditing = {visit, context};
	bson_t *opts = BCON_NEW("sort", "{", "order", BCON_INT32(-1), "}", "limit",
				BCON_INT64((int64_t)limit));
	bson_t filter = BSON_INITIALIZER;
	enum err err = OK;

	if (saga_id.len)
		document_add_text(&filter, "saga", saga_id);
	if (limit)
		err = mongo_walk(store, store->audit, &filter, opts, visit_audit, &auditing);
	bson_destroy(&filter);
	bson_destroy(opts);
	return err;
}

/* --- definitions
 * ------------------------------------------------------------------------------ */

static enum err same_hash(struct store_mongo *store, const bson_t *document, void *context)
{
	*(bool *)context = true;
	return OK;
}

static enum err mongo_put_definition(struct store *base,
				     const struct stored_definition *definition)
{
	struct store_mongo *store = mongo_of(base);
	bson_t document = BSON_INITIALIZER, filter = BSON_INITIALIZER;
	char hash[SHA256_HEX_SIZE];
	bson_error_t error = {0};
	bool there = false, good;
	int64_t order, changes;
	enum err err = mongo_count(store, "definitions", &order);

	if (err)
		return err;
	sha256_hex(definition->hash, hash);
	BSON_APPEND_UTF8(&filter, "_id", hash);
	BSON_APPEND_UTF8(&document, "_id", hash);
	document_add_text(&document, "name", definition->name);
	document_add_text(&document, "version", definition->version);
	BSON_APPEND_DATE_TIME(&document, "deployed_at", definition->deployed_ms);
	BSON_APPEND_INT64(&document, "order", order);
	document_add_text(&document, "normal", definition->normal);
	good = mongoc_collection_insert_one(store->definitions, &document, NULL, NULL, &error);
	if (!good && error.code == MONGOC_ERROR_DUPLICATE_KEY) {
		err = mongo_walk(store, store->definitions, &filter, NULL, same_hash, &there);
		if (!err && !there)
			err = ERR_CONFLICT;
	} else if (!good) {
		err = mongo_trouble(store, &error);
	}
	/* Also where it is there already: a crash may have kept the others from knowing. */
	if (!err)
		err = mongo_count(store, "changes", &changes);
	bson_destroy(&document);
	bson_destroy(&filter);
	return err;
}

static enum err mongo_definition_changes(struct store *base, uint64_t *n)
{
	int64_t changes;
	enum err err = mongo_counted(mongo_of(base), "changes", &changes);

	*n = (uint64_t)changes;
	return err;
}

struct defining {
	enum err (*visit)(void *context, const struct stored_definition *definition);
	void *context;
};

static enum err visit_definition(struct store_mongo *store, const bson_t *document,
				 void *context)
{
	const struct defining *defining = context;
	struct stored_definition definition = {
		.name = document_text(document, "name"),
		.version = document_text(document, "version"),
		.normal = document_text(document, "normal"),
		.deployed_ms = document_number(document, "deployed_at"),
	};

	if (!sha256_parse(document_text(document, "_id"), definition.hash))
		return damaged(store, "the hash of a definition is wrong");
	return defining->visit(defining->context, &definition);
}

static enum err mongo_definitions(struct store *base,
				  enum err (*visit)(void *context,
						    const struct stored_definition *definition),
				  void *context)
{
	struct store_mongo *store = mongo_of(base);
	struct defining defining = {visit, context};
	bson_t *opts = BCON_NEW("sort", "{", "order", BCON_INT32(1), "}");
	bson_t filter = BSON_INITIALIZER;
	enum err err = mongo_walk(store, store->definitions, &filter, opts, visit_definition,
				  &defining);

	bson_destroy(&filter);
	bson_destroy(opts);
	return err;
}

/* --- retention
 * ---------------------------------------------------------------------------------- */

enum { PRUNE_BATCH = 500 };

struct pruning {
	bson_t ids; /* an array */
	uint32_t n;
	int64_t last_ms; /* when the last of them ended */
};

static enum err note_id(struct store_mongo *store, const bson_t *document, void *context)
{
	struct pruning *pruning = context;
	const char *key;
	char room[16];

	bson_uint32_to_string(pruning->n++, &key, room, sizeof room);
	document_add_text(&pruning->ids, key, document_text(document, "_id"));
	pruning->last_ms = document_number(document, "ended_at"); /* in this order */
	return OK;
}

/* Of those that are named, the ones that still have ended: one may have been undone. */
static enum err remove_named(struct store_mongo *store, const struct pruning *pruning,
			     const bson_t *old, size_t *n)
{
	bson_t filter, in, reply;
	bson_error_t error;
	enum err err = OK;

	bson_copy_to(old, &filter);
	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &in);
	BSON_APPEND_ARRAY(&in, "$in", &pruning->ids);
	bson_append_document_end(&filter, &in);
	if (!mongoc_collection_delete_many(store->sagas, &filter, NULL, &reply, &error))
		err = mongo_trouble(store, &error);
	else
		*n = (size_t)document_number(&reply, "deletedCount");
	bson_destroy(&reply);
	bson_destroy(&filter);
	return err;
}

static enum err prune_some(struct store_mongo *store, int64_t ended_before_ms, size_t limit,
			   size_t *named, size_t *removed)
{
	bson_t *opts = BCON_NEW("projection", "{", "_id", BCON_INT32(1), "ended_at",
				BCON_INT32(1), "}", "sort", "{", "ended_at", BCON_INT32(1), "}",
				"limit", BCON_INT64((int64_t)limit));
	struct pruning pruning = {.ids = BSON_INITIALIZER};
	bson_t old = BSON_INITIALIZER, before;
	enum err err;

	BSON_APPEND_DOCUMENT_BEGIN(&old, "ended_at", &before);
	BSON_APPEND_DATE_TIME(&before, "$lt", ended_before_ms);
	bson_append_document_end(&old, &before);
	err = mongo_walk(store, store->sagas, &old, opts, note_id, &pruning);
	if (!err && pruning.n)
		err = mongo_mark_removed(store, pruning.last_ms);
	if (!err && pruning.n)
		err = remove_named(store, &pruning, &old, removed);
	*named = pruning.n;
	bson_destroy(&pruning.ids);
	bson_destroy(&old);
	bson_destroy(opts);
	return err;
}

static enum err mongo_prune(struct store *base, int64_t ended_before_ms, size_t limit,
			    size_t *n)
{
	struct store_mongo *store = mongo_of(base);

	while (*n < limit) {
		size_t wanted = limit - *n < PRUNE_BATCH ? limit - *n : PRUNE_BATCH;
		size_t named = 0, removed = 0;
		enum err err = prune_some(store, ended_before_ms, wanted, &named, &removed);

		*n += removed;
		if (err || named < wanted)
			return err;
	}
	return OK;
}

static enum err mongo_backup(struct store *base, const char *path, struct diag *diag)
{
	return diag_set(diag, ERR_INVALID,
			"%s: sagas that are kept in MongoDB are copied with mongodump", path);
}

/* --- opening
 * -------------------------------------------------------------------------------------- */

static void mongo_close(struct store *base)
{
	struct store_mongo *store = mongo_of(base);

	mongo_leave(store);
	close_collections(store);
	link_close(&store->link);
	free(store->epochs);
	free(store->stirs);
	free(store->owed);
	arena_release(&store->owed_ids);
	free(store);
}

enum err store_mongo_check(const char *uri, struct diag *diag)
{
	return link_check(uri, diag);
}

enum err store_mongo_open(const struct store_mongo_setup *setup, struct store **out,
			  struct diag *diag)
{
	static const struct store_ops ops = {
		.commit = mongo_commit,
		.get = mongo_get,
		.find = mongo_find,
		.load = mongo_load,
		.list = mongo_list,
		.counts = mongo_counts,
		.audit = mongo_audit,
		.put_definition = mongo_put_definition,
		.definitions = mongo_definitions,
		.put_dead = mongo_put_dead,
		.list_dead = mongo_list_dead,
		.get_dead = mongo_get_dead,
		.remove_dead = mongo_remove_dead,
		.prune = mongo_prune,
		.removed = mongo_removed,
		.backup = mongo_backup,
		.own = mongo_own,
		.check = mongo_check,
		.look = mongo_look,
		.told = mongo_told,
		.definition_changes = mongo_definition_changes,
		.owners = mongo_owners,
		.close = mongo_close,
	};
	struct store_mongo *store = calloc(1, sizeof *store);
	enum err err;

	if (!store)
		return diag_set(diag, ERR_NOMEM, "out of memory; give the process more");
	store->base.ops = &ops;
	store->alone = setup->alone;
	store->clock = setup->clock ? setup->clock : clock_system();
	snprintf(store->url, sizeof store->url, "%s", setup->url);
	snprintf(store->instance, sizeof store->instance, "%s", setup->instance);
	err = link_open(&store->link, setup->uri, diag);
	if (err) {
		free(store);
		return err;
	}
	open_collections(store);
	err = mongo_prepare(store);
	if (!err)
		err = mongo_enter(store);
	if (err) {
		if (diag)
			*diag = store->base.trouble;
		mongo_close(&store->base);
		return err;
	}
	store->link.opening = false;
	*out = &store->base;
	return OK;
}

enum err store_mongo_remove(const char *uri, struct diag *diag)
{
	mongoc_database_t *database;
	bson_error_t error = {0};
	struct link link;
	enum err err = link_open(&link, uri, diag);

	if (err)
		return err;
	database = mongoc_client_get_database(link.client, link.database);
	if (!mongoc_database_drop(database, &error))
		err = link_failed(&link, &error, diag);
	mongoc_database_destroy(database);
	link_close(&link);
	return err;
}

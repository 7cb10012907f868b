/* barrier_mongo.c - the records of a service that keeps its data in MongoDB: each in the
 * document of its do, on the functions that any host may give.
 *
 *	{_id: "order-17/charge#0/0/do", cents: 1999, refunded: true,
 *	 skald: {state: "undone", first_at: ..., output: "{...}", bare: false,
 *	         undo: {id: "order-17/charge#0/0/undo", first_at: ..., output: null}}}
 *
 * A transaction is what is gathered until the commit, which writes all of it in one bulk: a
 * document for a command. Who was faster, a do or what bars it, is decided by the unique
 * _id. Where some were not written the commit fails, although others were; each is then
 * tried by itself, and those find their records. */
#include "skald/mongo.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ID_SIZE = 256,  /* of a command's id, which is shorter */
	ABSENT_MAX = 4, /* ids that one command looks for */
	WRITE_MS = 8000,
	PRUNE_REST = 16, /* commits */
};

struct pending {
	char id[ID_SIZE];
	skald_record_state state;
	int64_t first_ms;
	char *output, *code, *text; /* NULL: none */
};

struct skald_mongo {
	mongoc_collection_t *collection;
	bson_error_t error;
	bool failed; /* the last call did: perhaps nobody answers */

	/* Of this transaction: the records that were kept, in order, and what of them
	 * waits to be written. */
	struct pending *pending;
	size_t n, capacity;
	mongoc_bulk_operation_t *bulk; /* NULL: nothing yet */
	int64_t n_writes;              /* in it */

	/* Of this command: where its records begin, what its handler has set, and which
	 * ids were not there. */
	size_t first;
	bson_t fields;
	char absent[ABSENT_MAX][ID_SIZE];
	int n_absent;

	int64_t prune_before_ms;
	size_t prune_limit; /* 0: not this time */
	int rest;           /* so many commits without looking for old ones */
};

static const char *const states[] = {[SKALD_RECORD_OK] = "ok",
				     [SKALD_RECORD_REFUSED] = "refused",
				     [SKALD_RECORD_BARRED] = "barred",
				     [SKALD_RECORD_UNDONE] = "undone"};

/* --- a transaction ------------------------------------------------------------------ */

static void free_pending(struct pending *pending)
{
	free(pending->output);
	free(pending->code);
	free(pending->text);
}

/* Of the command at hand. */
static void forget_command(struct skald_mongo *mongo)
{
	while (mongo->n > mongo->first)
		free_pending(&mongo->pending[--mongo->n]);
	mongo->n_absent = 0;
	bson_reinit(&mongo->fields);
}

static void forget(struct skald_mongo *mongo)
{
	mongo->first = 0;
	forget_command(mongo);
	mongoc_bulk_operation_destroy(mongo->bulk);
	mongo->bulk = NULL;
	mongo->n_writes = 0;
	mongo->prune_limit = 0;
}

/* While nobody answers no command is begun: it would fail, and nobody knows what became of
 * it before. */
static int mongo_begin(void *context)
{
	struct skald_mongo *mongo = context;
	bson_t *ping = mongo->failed ? BCON_NEW("ping", BCON_INT32(1)) : NULL;

	forget(mongo);
	if (ping)
		mongo->failed = !mongoc_collection_command_simple(mongo->collection, ping, NULL,
								  NULL, &mongo->error);
	bson_destroy(ping);
	return mongo->failed;
}

static void mongo_rollback(void *context)
{
	forget(context);
}

/* What is known of it last. */
static const struct pending *pending_of(const struct skald_mongo *mongo, const char *id)
{
	for (size_t i = mongo->n; i-- > 0;)
		if (strcmp(mongo->pending[i].id, id) == 0)
			return &mongo->pending[i];
	return NULL;
}

/* --- finding ------------------------------------------------------------------------- */

static const char *text_of(const bson_t *record, const char *name)
{
	bson_iter_t iter;

	return bson_iter_init_find(&iter, record, name) && BSON_ITER_HOLDS_UTF8(&iter)
		       ? bson_iter_utf8(&iter, NULL)
		       : NULL;
}

static int64_t time_of(const bson_t *record, const char *name)
{
	bson_iter_t iter;

	return bson_iter_init_find(&iter, record, name) && BSON_ITER_HOLDS_DATE_TIME(&iter)
		       ? bson_iter_date_time(&iter)
		       : 0;
}

static bool part_of(const bson_t *document, const char *name, bson_t *out)
{
	const uint8_t *bytes;
	bson_iter_t iter;
	uint32_t len;

	if (!bson_iter_init_find(&iter, document, name) || !BSON_ITER_HOLDS_DOCUMENT(&iter))
		return false;
	bson_iter_document(&iter, &len, &bytes);
	return bson_init_static(out, bytes, len);
}

static skald_record_state state_of(const bson_t *record)
{
	const char *state = text_of(record, "state");

	for (int i = SKALD_RECORD_OK; state && i <= SKALD_RECORD_UNDONE; i++)
		if (strcmp(states[i], state) == 0)
			return (skald_record_state)i;
	return SKALD_RECORD_OK;
}

/* Of the do whose document it is, or of its undo. */
static bool set_found(const bson_t *document, const char *id, skald_found *found)
{
	bson_t record, undo;
	skald_record out = {.state = SKALD_RECORD_OK};
	const char *own = text_of(document, "_id");

	if (!part_of(document, "skald", &record))
		return false;
	if (!own || strcmp(own, id) != 0) {
		if (!part_of(&record, "undo", &undo))
			return false;
		out.first_ms = time_of(&undo, "first_at");
		out.output = text_of(&undo, "output");
		skald_found_set(found, &out);
		return true;
	}
	out.state = state_of(&record);
	out.first_ms = time_of(&record, "first_at");
	out.output = text_of(&record, "output");
	out.code = text_of(&record, "code");
	out.text = text_of(&record, "text");
	skald_found_set(found, &out);
	return true;
}

/* 1: found; 0: not; -1: it could not be asked. */
static int look(struct skald_mongo *mongo, const char *field, const char *id,
		skald_found *found)
{
	bson_t *filter = BCON_NEW(field, BCON_UTF8(id));
	bson_t *opts = BCON_NEW("projection", "{", "skald", BCON_INT32(1), "}");
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(mongo->collection, filter, opts, NULL);
	const bson_t *document;
	int result = 0;

	if (mongoc_cursor_next(cursor, &document))
		result = set_found(document, id, found);
	if (mongoc_cursor_error(cursor, &mongo->error)) {
		mongo->failed = true;
		result = -1;
	}
	mongoc_cursor_destroy(cursor);
	bson_destroy(opts);
	bson_destroy(filter);
	return result;
}

/* A record of an undo is in its do's document. */
static bool is_undo(const char *id)
{
	const char *verb = strrchr(id, '/');

	return verb && strcmp(verb, "/undo") == 0;
}

static int mongo_find(void *context, const char *id, skald_found *found)
{
	struct skald_mongo *mongo = context;
	const struct pending *pending = pending_of(mongo, id);
	int result;

	if (pending) {
		skald_record record = {pending->state, pending->first_ms, pending->output,
				       pending->code, pending->text};

		skald_found_set(found, &record);
		return 0;
	}
	result = look(mongo, is_undo(id) ? "skald.undo.id" : "_id", id, found);
	if (!result && mongo->n_absent < ABSENT_MAX)
		snprintf(mongo->absent[mongo->n_absent++], ID_SIZE, "%s", id);
	return result < 0;
}

/* Of undos the records of their dos tell. */
static int mongo_list(void *context, const char *after, size_t limit, skald_page *page)
{
	struct skald_mongo *mongo = context;
	bson_t *filter = BCON_NEW("_id", "{", "$gt", BCON_UTF8(after), "}", "skald.state", "{",
				  "$exists", BCON_BOOL(true), "}");
	bson_t *opts =
		BCON_NEW("limit", BCON_INT64((int64_t)limit), "sort", "{", "_id", BCON_INT32(1),
			 "}", "projection", "{", "skald", BCON_INT32(1), "}");
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(mongo->collection, filter, opts, NULL);
	const bson_t *document;
	bson_t record;
	int result;

	while (mongoc_cursor_next(cursor, &document)) {
		const char *id = text_of(document, "_id");

		if (id && part_of(document, "skald", &record))
			skald_page_add(page, id, state_of(&record),
				       time_of(&record, "first_at"));
	}
	result = mongoc_cursor_error(cursor, &mongo->error);
	mongoc_cursor_destroy(cursor);
	bson_destroy(opts);
	bson_destroy(filter);
	return result;
}

/* --- keeping ------------------------------------------------------------------------- */

static bool copy_text(const char *text, char **out)
{
	*out = text ? strdup(text) : NULL;
	return !text || *out;
}

static bool grow(struct skald_mongo *mongo)
{
	size_t capacity = mongo->capacity ? 2 * mongo->capacity : 4;
	struct pending *pending;

	if (mongo->n < mongo->capacity)
		return true;
	pending = realloc(mongo->pending, capacity * sizeof *pending);
	if (!pending)
		return false;
	mongo->pending = pending;
	mongo->capacity = capacity;
	return true;
}

static int mongo_keep(void *context, const char *id, const skald_record *record)
{
	struct skald_mongo *mongo = context;
	struct pending made = {.state = record->state, .first_ms = record->first_ms};

	if (strlen(id) >= ID_SIZE)
		return 1;
	snprintf(made.id, sizeof made.id, "%s", id);
	if (!copy_text(record->output, &made.output) || !copy_text(record->code, &made.code) ||
	    !copy_text(record->text, &made.text) || !grow(mongo)) {
		free_pending(&made);
		bson_set_error(&mongo->error, 0, 0, "out of memory for a record");
		return 1;
	}
	mongo->pending[mongo->n++] = made;
	return 0;
}

static bool is_absent(const struct skald_mongo *mongo, const char *id)
{
	for (int i = 0; i < mongo->n_absent; i++)
		if (strcmp(mongo->absent[i], id) == 0)
			return true;
	return false;
}

static void add_text(bson_t *set, const char *name, const char *text)
{
	if (text)
		BSON_APPEND_UTF8(set, name, text);
	else
		BSON_APPEND_NULL(set, name);
}

/* Write, or replace what is there, where it is as the filter asks. */
static void add_write(struct skald_mongo *mongo, const bson_t *filter, const bson_t *set,
		      bool upsert)
{
	bson_t *change = BCON_NEW("$set", BCON_DOCUMENT(set)), *opts;

	if (!mongo->bulk) {
		/* A do and its undo may be in one. */
		opts = BCON_NEW("ordered", BCON_BOOL(true));
		mongo->bulk = mongoc_collection_create_bulk_operation_with_opts(
			mongo->collection, opts);
		bson_destroy(opts);
	}
	mongoc_bulk_operation_update_one(mongo->bulk, filter, change, upsert);
	mongo->n_writes++;
	bson_destroy(change);
}

/* What was looked for and was not there must still not be: otherwise the _id is taken,
 * and that is an error. */
static void add_record(struct skald_mongo *mongo, const struct pending *pending)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(pending->id)), set = BSON_INITIALIZER;

	if (is_absent(mongo, pending->id))
		BCON_APPEND(filter, "skald.state", "{", "$exists", BCON_BOOL(false), "}");
	BSON_APPEND_UTF8(&set, "skald.state", states[pending->state]);
	BSON_APPEND_DATE_TIME(&set, "skald.first_at", pending->first_ms);
	add_text(&set, "skald.output", pending->output);
	add_text(&set, "skald.code", pending->code);
	add_text(&set, "skald.text", pending->text);
	BSON_APPEND_BOOL(&set, "skald.bare", bson_empty(&mongo->fields));
	bson_concat(&set, &mongo->fields);
	add_write(mongo, filter, &set, true);
	bson_destroy(&set);
	bson_destroy(filter);
}

static void add_undo(struct skald_mongo *mongo, const struct pending *undo,
		     const struct pending *done)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(done->id), "skald.state",
				  BCON_UTF8(states[SKALD_RECORD_OK]));
	bson_t set = BSON_INITIALIZER;

	BSON_APPEND_UTF8(&set, "skald.state", states[SKALD_RECORD_UNDONE]);
	BSON_APPEND_UTF8(&set, "skald.undo.id", undo->id);
	BSON_APPEND_DATE_TIME(&set, "skald.undo.first_at", undo->first_ms);
	add_text(&set, "skald.undo.output", undo->output);
	bson_concat(&set, &mongo->fields);
	add_write(mongo, filter, &set, false);
	bson_destroy(&set);
	bson_destroy(filter);
}

/* The command is done: what it keeps is to be written. */
static int mongo_mark(void *context)
{
	struct skald_mongo *mongo = context;
	const struct pending *of_command = mongo->pending + mongo->first;
	size_t n = mongo->n - mongo->first;

	if (n == 2 && of_command[0].state == SKALD_RECORD_OK &&
	    of_command[1].state == SKALD_RECORD_UNDONE)
		add_undo(mongo, &of_command[0], &of_command[1]);
	else
		for (size_t i = 0; i < n; i++)
			add_record(mongo, &of_command[i]);
	mongo->first = mongo->n;
	forget_command(mongo);
	return 0;
}

static int mongo_back(void *context)
{
	forget_command(context);
	return 0;
}

/* --- pruning -------------------------------------------------------------------------- */

static int mongo_prune(void *context, int64_t before_ms, size_t limit)
{
	struct skald_mongo *mongo = context;

	if (mongo->rest) {
		mongo->rest--;
		return 0;
	}
	mongo->prune_before_ms = before_ms;
	mongo->prune_limit = limit;
	return 0;
}

/* Documents that hold a record and nothing of the service's. Where all are gone there is
 * no such question with every commit. */
static bool remove_old(struct skald_mongo *mongo)
{
	bson_t *filter =
		BCON_NEW("skald.first_at", "{", "$lt", BCON_DATE_TIME(mongo->prune_before_ms),
			 "}", "skald.bare", BCON_BOOL(true));
	bson_t *opts = BCON_NEW("limit", BCON_INT64((int64_t)mongo->prune_limit), "projection",
				"{", "_id", BCON_INT32(1), "}");
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(mongo->collection, filter, opts, NULL);
	bson_t ids = BSON_INITIALIZER, *named;
	const bson_t *document;
	uint32_t n = 0;
	bool good;

	while (mongoc_cursor_next(cursor, &document)) {
		const char *key, *id = text_of(document, "_id");
		char room[16];

		bson_uint32_to_string(n++, &key, room, sizeof room);
		add_text(&ids, key, id);
	}
	good = !mongoc_cursor_error(cursor, &mongo->error);
	mongo->rest = n < mongo->prune_limit ? PRUNE_REST : 0;
	named = BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}");
	if (good && n)
		good = mongoc_collection_delete_many(mongo->collection, named, NULL, NULL,
						     &mongo->error);
	bson_destroy(named);
	bson_destroy(&ids);
	mongoc_cursor_destroy(cursor);
	bson_destroy(opts);
	bson_destroy(filter);
	return good;
}

/* --- the end of a transaction ---------------------------------------------------------- */

static int64_t number_in(const bson_t *reply, const char *name)
{
	bson_iter_t iter;

	return bson_iter_init_find(&iter, reply, name) ? bson_iter_as_int64(&iter) : 0;
}

static bool write_all(struct skald_mongo *mongo)
{
	bson_t reply;
	bool good = mongoc_bulk_operation_execute(mongo->bulk, &reply, &mongo->error);

	if (good &&
	    number_in(&reply, "nMatched") + number_in(&reply, "nUpserted") != mongo->n_writes) {
		bson_set_error(&mongo->error, 0, 0, "another process was faster");
		good = false;
	}
	bson_destroy(&reply);
	return good;
}

static int mongo_commit(void *context)
{
	struct skald_mongo *mongo = context;

	mongo_mark(mongo);
	mongo->failed = (mongo->bulk && !write_all(mongo)) ||
			(mongo->prune_limit && !remove_old(mongo));
	forget(mongo);
	return mongo->failed;
}

static const char *mongo_why(void *context)
{
	const struct skald_mongo *mongo = context;

	return mongo->error.message[0] ? mongo->error.message : NULL;
}

bool skald_mongo_set(skald_mongo *mongo, const bson_t *fields)
{
	bson_iter_t iter;

	if (!bson_iter_init(&iter, fields))
		return false;
	while (bson_iter_next(&iter)) {
		const char *name = bson_iter_key(&iter);

		if (!*name || *name == '$' || strcmp(name, "_id") == 0 ||
		    strcmp(name, "skald") == 0 || strncmp(name, "skald.", 6) == 0)
			return false;
	}
	return bson_concat(&mongo->fields, fields);
}

/* --- making one ------------------------------------------------------------------------ */

static void mongo_close(void *context)
{
	struct skald_mongo *mongo = context;

	forget(mongo);
	bson_destroy(&mongo->fields);
	free(mongo->pending);
	mongoc_collection_destroy(mongo->collection);
	free(mongo);
}

static void set_concerns(mongoc_collection_t *collection)
{
	mongoc_write_concern_t *write = mongoc_write_concern_new();
	mongoc_read_concern_t *read = mongoc_read_concern_new();
	mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);

	mongoc_write_concern_set_wmajority(write, WRITE_MS);
	mongoc_read_concern_set_level(read, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
	mongoc_collection_set_write_concern(collection, write);
	mongoc_collection_set_read_concern(collection, read);
	mongoc_collection_set_read_prefs(collection, primary);
	mongoc_read_prefs_destroy(primary);
	mongoc_read_concern_destroy(read);
	mongoc_write_concern_destroy(write);
}

/* For finding by the undo's id, and for pruning. */
static bool make_indexes(struct skald_mongo *mongo)
{
	const char *name = mongoc_collection_get_name(mongo->collection);
	bson_t *command = BCON_NEW("createIndexes", BCON_UTF8(name), "indexes", "[", "{",
				   "name", "skald_undo", "key", "{", "skald.undo.id",
				   BCON_INT32(1), "}", "sparse", BCON_BOOL(true), "}", "{",
				   "name", "skald_age", "key", "{", "skald.bare", BCON_INT32(1),
				   "skald.first_at", BCON_INT32(1), "}", "}", "]");
	bool good = mongoc_collection_write_command_with_opts(mongo->collection, command, NULL,
							      NULL, &mongo->error);

	bson_destroy(command);
	return good;
}

skald_barrier *skald_mongo_barrier(mongoc_collection_t *collection, skald_mongo **out,
				   skald_error *error)
{
	static const skald_barrier_callbacks callbacks = {
		.begin = mongo_begin,
		.commit = mongo_commit,
		.rollback = mongo_rollback,
		.mark = mongo_mark,
		.back = mongo_back,
		.find = mongo_find,
		.keep = mongo_keep,
		.prune = mongo_prune,
		.list = mongo_list,
		.why = mongo_why,
		.close = mongo_close,
	};
	struct skald_mongo *mongo = calloc(1, sizeof *mongo);
	skald_barrier *made = NULL;

	if (!mongo)
		goto nomem;
	mongo->collection = mongoc_collection_copy(collection);
	bson_init(&mongo->fields);
	set_concerns(mongo->collection);
	if (!make_indexes(mongo)) {
		if (error)
			snprintf(error->text, sizeof error->text,
				 "the collection %.100s of MongoDB cannot be used: %.300s",
				 mongoc_collection_get_name(collection), mongo->error.message);
		mongo_close(mongo);
		return NULL;
	}
	made = skald_barrier_new(&callbacks, mongo);
	if (made) {
		*out = mongo;
		return made;
	}
	mongo_close(mongo);
nomem:
	if (error)
		snprintf(error->text, sizeof error->text, "out of memory for the barrier");
	return NULL;
}

/* driver.c - the calls of libmongoc that the store makes, answered by mongod.c. It takes the
 * place of the library where it is linked; what is only text, such as URIs, is still that
 * one's. */
#include "tests/sim/mongo/documents.h"
#include "tests/sim/mongo/mongod.h"

#include <assert.h>
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct _mongoc_client_t {
	uint32_t number; /* of whom it is */
};

struct _mongoc_collection_t {
	uint32_t client;
	char name[MONGOD_NAME_MAX + 1];
};

struct _mongoc_cursor_t {
	bson_t **list;
	size_t n, at;
	bool answered;
};

struct _mongoc_bulk_operation_t {
	const mongoc_collection_t *collection;
	struct request *list;
	size_t n;
};

static const struct mongod_user *user(void)
{
	return mongod_present()->user;
}

/* A server that does not answer. */
static bool silence(bson_error_t *error)
{
	bson_set_error(error, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, "no answer");
	return false;
}

/* --- clients -------------------------------------------------------------------------- */

void mongoc_init(void)
{
}

/* mongodb://client-7/skald */
mongoc_client_t *mongoc_client_new_from_uri(const mongoc_uri_t *uri)
{
	const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri);
	mongoc_client_t *client = calloc(1, sizeof *client);

	assert(client && !strncmp(host->host, "client-", 7));
	client->number = (uint32_t)strtoul(host->host + 7, NULL, 10);
	return client;
}

void mongoc_client_destroy(mongoc_client_t *client)
{
	free(client);
}

bool mongoc_client_set_appname(mongoc_client_t *client, const char *appname)
{
	return true;
}

bool mongoc_client_set_error_api(mongoc_client_t *client, int32_t version)
{
	return true;
}

void mongoc_client_set_write_concern(mongoc_client_t *client,
				     const mongoc_write_concern_t *concern)
{
}

void mongoc_client_set_read_concern(mongoc_client_t *client,
				    const mongoc_read_concern_t *concern)
{
}

void mongoc_client_set_read_prefs(mongoc_client_t *client, const mongoc_read_prefs_t *prefs)
{
}

static bool ask(uint32_t client)
{
	return user()->ask(user()->context, client);
}

static bool is_answered(uint32_t client)
{
	return user()->answer(user()->context, client);
}

/* Which version it is. */
bool mongoc_client_command_simple(mongoc_client_t *client, const char *database,
				  const bson_t *command, const mongoc_read_prefs_t *prefs,
				  bson_t *reply, bson_error_t *error)
{
	bson_t *answer = BCON_NEW("version", BCON_UTF8("7.0.0"), "versionArray", "[",
				  BCON_INT32(7), "]");

	bson_copy_to(answer, reply);
	bson_destroy(answer);
	return (ask(client->number) && is_answered(client->number)) || silence(error);
}

/* It is one that takes writes. */
mongoc_server_description_t **mongoc_client_get_server_descriptions(
	const mongoc_client_t *client, size_t *n)
{
	*n = 0;
	return NULL;
}

void mongoc_server_descriptions_destroy_all(mongoc_server_description_t **list, size_t n)
{
}

/* The indexes that matter are there. */
bool mongoc_client_write_command_with_opts(mongoc_client_t *client, const char *database,
					   const bson_t *command, const bson_t *opts,
					   bson_t *reply, bson_error_t *error)
{
	return (ask(client->number) && is_answered(client->number)) || silence(error);
}

mongoc_collection_t *mongoc_client_get_collection(mongoc_client_t *client, const char *database,
						  const char *name)
{
	mongoc_collection_t *collection = calloc(1, sizeof *collection);

	assert(collection);
	collection->client = client->number;
	snprintf(collection->name, sizeof collection->name, "%s", name);
	return collection;
}

void mongoc_collection_destroy(mongoc_collection_t *collection)
{
	free(collection);
}

/* --- writing -------------------------------------------------------------------------- */

static struct request make(const mongoc_collection_t *collection, enum request_kind kind,
			   const bson_t *filter, const bson_t *change)
{
	struct request request = {.kind = kind};

	snprintf(request.collection, sizeof request.collection, "%s", collection->name);
	request.filter = filter ? bson_copy(filter) : NULL;
	request.change = change ? bson_copy(change) : NULL;
	return request;
}

static bool is_upsert(const bson_t *opts)
{
	bson_iter_t iter;

	return opts && bson_iter_init_find(&iter, opts, "upsert") && bson_iter_as_bool(&iter);
}

/* All of them; false: nobody knows. */
static bool carry(uint32_t client, struct request *list, size_t n, bson_error_t *error)
{
	return user()->write(user()->context, client, list, n) || silence(error);
}

/* One, which is released. `count` is the reply's name for how many fitted. */
static bool write_one(const mongoc_collection_t *collection, struct request *request,
		      const char *count, bson_t *reply, bson_error_t *error)
{
	bool good = carry(collection->client, request, 1, error);

	if (reply)
		bson_init(reply);
	if (good && reply)
		bson_append_int64(reply, count, -1, request->n);
	if (good && request->is_there) {
		bson_set_error(error, MONGOC_ERROR_SERVER, MONGOC_ERROR_DUPLICATE_KEY,
			       "it is there");
		good = false;
	}
	request_release(request);
	return good;
}

bool mongoc_collection_insert_one(mongoc_collection_t *collection, const bson_t *document,
				  const bson_t *opts, bson_t *reply, bson_error_t *error)
{
	struct request request = make(collection, REQUEST_INSERT, NULL, document);

	return write_one(collection, &request, "insertedCount", reply, error);
}

bool mongoc_collection_update_one(mongoc_collection_t *collection, const bson_t *selector,
				  const bson_t *update, const bson_t *opts, bson_t *reply,
				  bson_error_t *error)
{
	struct request request = make(collection, REQUEST_UPDATE, selector, update);

	request.upsert = is_upsert(opts);
	return write_one(collection, &request, "matchedCount", reply, error);
}

bool mongoc_collection_update_many(mongoc_collection_t *collection, const bson_t *selector,
				   const bson_t *update, const bson_t *opts, bson_t *reply,
				   bson_error_t *error)
{
	struct request request = make(collection, REQUEST_UPDATE, selector, update);

	request.many = true;
	return write_one(collection, &request, "matchedCount", reply, error);
}

bool mongoc_collection_replace_one(mongoc_collection_t *collection, const bson_t *selector,
				   const bson_t *replacement, const bson_t *opts, bson_t *reply,
				   bson_error_t *error)
{
	struct request request = make(collection, REQUEST_REPLACE, selector, replacement);

	request.upsert = is_upsert(opts);
	return write_one(collection, &request, "matchedCount", reply, error);
}

bool mongoc_collection_delete_one(mongoc_collection_t *collection, const bson_t *selector,
				  const bson_t *opts, bson_t *reply, bson_error_t *error)
{
	struct request request = make(collection, REQUEST_DELETE, selector, NULL);

	return write_one(collection, &request, "deletedCount", reply, error);
}

bool mongoc_collection_delete_many(mongoc_collection_t *collection, const bson_t *selector,
				   const bson_t *opts, bson_t *reply, bson_error_t *error)
{
	struct request request = make(collection, REQUEST_DELETE, selector, NULL);

	request.many = true;
	return write_one(collection, &request, "deletedCount", reply, error);
}

/* A counter: what it is then. */
bool mongoc_collection_find_and_modify_with_opts(mongoc_collection_t *collection,
						 const bson_t *query,
						 const mongoc_find_and_modify_opts_t *opts,
						 bson_t *reply, bson_error_t *error)
{
	struct request request;
	bson_t change;
	bool good;

	mongoc_find_and_modify_opts_get_update(opts, &change);
	request = make(collection, REQUEST_UPDATE, query, &change);
	request.returns = true;
	bson_destroy(&change);
	good = carry(collection->client, &request, 1, error);
	bson_init(reply);
	if (good && request.found)
		BSON_APPEND_DOCUMENT(reply, "value", request.found);
	request_release(&request);
	return good;
}

/* --- many at once --------------------------------------------------------------------- */

mongoc_bulk_operation_t *mongoc_collection_create_bulk_operation_with_opts(
	mongoc_collection_t *collection, const bson_t *opts)
{
	mongoc_bulk_operation_t *bulk = calloc(1, sizeof *bulk);

	assert(bulk);
	bulk->collection = collection;
	return bulk;
}

static void add(mongoc_bulk_operation_t *bulk, struct request request)
{
	bulk->list = realloc(bulk->list, (bulk->n + 1) * sizeof *bulk->list);
	assert(bulk->list);
	bulk->list[bulk->n++] = request;
}

void mongoc_bulk_operation_insert(mongoc_bulk_operation_t *bulk, const bson_t *document)
{
	add(bulk, make(bulk->collection, REQUEST_INSERT, NULL, document));
}

void mongoc_bulk_operation_update_one(mongoc_bulk_operation_t *bulk, const bson_t *selector,
				      const bson_t *document, bool upsert)
{
	assert(!upsert);
	add(bulk, make(bulk->collection, REQUEST_UPDATE, selector, document));
}

/* {nMatched: 3, writeErrors: [{index: 2}, ...]}; false: some are there already. */
static bool report(const mongoc_bulk_operation_t *bulk, bson_t *reply)
{
	bson_t errors, one;
	uint32_t n_errors = 0;
	int64_t n_matched = 0;
	const char *key;
	char room[16];

	BSON_APPEND_ARRAY_BEGIN(reply, "writeErrors", &errors);
	for (size_t i = 0; i < bulk->n; i++) {
		if (bulk->list[i].kind == REQUEST_UPDATE)
			n_matched += bulk->list[i].n;
		if (!bulk->list[i].is_there)
			continue;
		bson_uint32_to_string(n_errors++, &key, room, sizeof room);
		bson_append_document_begin(&errors, key, -1, &one);
		BSON_APPEND_INT32(&one, "index", (int32_t)i);
		bson_append_document_end(&errors, &one);
	}
	bson_append_array_end(reply, &errors);
	BSON_APPEND_INT64(reply, "nMatched", n_matched);
	return !n_errors;
}

uint32_t mongoc_bulk_operation_execute(mongoc_bulk_operation_t *bulk, bson_t *reply,
				       bson_error_t *error)
{
	bson_init(reply);
	assert(bulk->n);
	if (!carry(bulk->collection->client, bulk->list, bulk->n, error))
		return 0;
	if (report(bulk, reply))
		return 1;
	bson_set_error(error, MONGOC_ERROR_SERVER, MONGOC_ERROR_DUPLICATE_KEY,
		       "some are there");
	return 0;
}

void mongoc_bulk_operation_destroy(mongoc_bulk_operation_t *bulk)
{
	while (bulk->n)
		request_release(&bulk->list[--bulk->n]);
	free(bulk->list);
	free(bulk);
}

/* --- reading -------------------------------------------------------------------------- */

mongoc_cursor_t *mongoc_collection_find_with_opts(mongoc_collection_t *collection,
						  const bson_t *filter, const bson_t *opts,
						  const mongoc_read_prefs_t *prefs)
{
	mongoc_cursor_t *cursor = calloc(1, sizeof *cursor);

	assert(cursor);
	if (!ask(collection->client))
		return cursor;
	cursor->n =
		mongod_find(mongod_present(), collection->name, filter, opts, &cursor->list);
	cursor->answered = is_answered(collection->client);
	return cursor;
}

bool mongoc_cursor_next(mongoc_cursor_t *cursor, const bson_t **document)
{
	if (!cursor->answered || cursor->at == cursor->n)
		return false;
	*document = cursor->list[cursor->at++];
	return true;
}

bool mongoc_cursor_error(mongoc_cursor_t *cursor, bson_error_t *error)
{
	return !cursor->answered && !silence(error);
}

void mongoc_cursor_destroy(mongoc_cursor_t *cursor)
{
	while (cursor->n)
		bson_destroy(cursor->list[--cursor->n]);
	free(cursor->list);
	free(cursor);
}

int64_t mongoc_collection_count_documents(mongoc_collection_t *collection, const bson_t *filter,
					  const bson_t *opts, const mongoc_read_prefs_t *prefs,
					  bson_t *reply, bson_error_t *error)
{
	bson_t **list;
	size_t n, count;

	if (!ask(collection->client)) {
		silence(error);
		return -1;
	}
	n = count = mongod_find(mongod_present(), collection->name, filter, NULL, &list);
	while (n)
		bson_destroy(list[--n]);
	free(list);
	return (int64_t)count;
}

#include "tests/lib/barriers.h"

#include "participants/lib/barrier_memory.h"
#include "skald/mongo.h"
#include "skald/sqlite.h"
#include "tests/lib/engines.h"
#include "tests/lib/host.h"

#include <check.h>
#include <mongoc/mongoc.h>
#include <sqlite3.h>
#include <stdlib.h>

/* Of the barrier that was opened last. Nothing here asserts with Check, which
 * allocates: opening is done while allocations fail. */
static sqlite3 *db;
static struct host *host;

static struct barrier *open_sqlite(void)
{
	sqlite3_close(db);
	if (sqlite3_open(":memory:", &db) != SQLITE_OK)
		abort();
	return barrier_of(skald_sqlite_barrier(db, NULL));
}

static struct barrier *open_host(bool marks)
{
	if (host)
		host_free(host);
	host = host_new();
	return host ? barrier_of(host_barrier(host, marks)) : NULL;
}

static struct barrier *open_callbacks(void)
{
	return open_host(true);
}

static struct barrier *open_callbacks_without_marks(void)
{
	return open_host(false);
}

static mongoc_client_t *client;
static char database[MONGO_URI_SIZE];

static void drop_database(void)
{
	mongoc_client_destroy(client);
	client = NULL;
	mongo_drop(database);
}

/* A database that no other test has, and that ends with the test. */
static struct barrier *open_mongo(void)
{
	mongoc_collection_t *collection;
	skald_barrier *barrier;
	skald_mongo *mongo;

	if (!database[0])
		atexit(drop_database);
	else
		drop_database();
	mongo_database(database);
	client = mongoc_client_new(database);
	collection =
		mongoc_client_get_collection(client, strrchr(database, '/') + 1, "records");
	barrier = skald_mongo_barrier(collection, &mongo, NULL);
	mongoc_collection_destroy(collection);
	return barrier_of(barrier);
}

int n_barriers = N_BARRIERS;

void barriers_find(void)
{
	if (!mongo_find("mongo-memory"))
		n_barriers = N_BARRIERS - 1;
}

const struct barrier_kind barriers[N_BARRIERS] = {
	{"memory", barrier_memory_new},
	{"SQLite", open_sqlite},
	{"callbacks", open_callbacks},
	{"callbacks without marks", open_callbacks_without_marks},
	{"MongoDB", open_mongo},
};

void keep_record(struct barrier *barrier, const char *id, enum barrier_state state,
		 const char *output, const char *code, const char *text)
{
	struct barrier_record record = {.state = state,
					.output = slice_of(output),
					.code = slice_of(code),
					.text = slice_of(text),
					.first_ms = 17};

	ck_assert_int_eq(barrier->ops->keep(barrier, slice_of(id), &record), OK);
}

void check_record(struct barrier *barrier, const char *id, enum barrier_state state,
		  const char *output, const char *code, const char *text)
{
	struct arena arena = {0};
	struct barrier_record record;

	ck_assert_int_eq(barrier->ops->find(barrier, slice_of(id), &arena, &record), OK);
	ck_assert_msg(record.state == state, "%s is in state %d", id, (int)record.state);
	ck_assert(slice_is(record.output, output) && slice_is(record.code, code) &&
		  slice_is(record.text, text));
	arena_release(&arena);
}

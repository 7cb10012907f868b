/* bench_mongo.c - how many writes a second a MongoDB takes that come as Skald's do: the
 * floor that Skald with its sagas in MongoDB is measured against.
 *
 *	make bench-mongo
 *	build/release/bench/bench_mongo mongodb://HOST:PORT [SAGAS]
 *
 * Documents of the size of a saga, in unordered bulks of 500 that wait for the majority:
 * each is inserted once and changed three times, where its revision is the one that is
 * known, as an order changes; the last field of the change is the whole record. Nobody
 * decides anything, nothing is read, and there are no indexes but that of the id. It is
 * one JSON object that comes out; README.md has figures.
 */
#include <inttypes.h>
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SAGAS = 5000, AT_ONCE = 500, CHANGES = 3, WRITES_EACH = 5, WAIT_MS = 8000 };
enum { RECORD_BYTES = 500, TEXT_BYTES = 1000 }; /* what Skald writes of an order, and beside */

static _Noreturn void fail(const char *what, const bson_error_t *error)
{
	fprintf(stderr, "bench_mongo: cannot %s: %s\n", what, error->message);
	exit(EXIT_FAILURE);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void add_fields(bson_t *out, int64_t revision)
{
	static uint8_t record[RECORD_BYTES];
	static char text[TEXT_BYTES + 1];

	memset(record, (int)revision, sizeof record);
	memset(text, 'a' + (int)revision, sizeof text - 1);
	BSON_APPEND_UTF8(out, "status", "running");
	BSON_APPEND_INT64(out, "revision", revision);
	BSON_APPEND_INT64(out, "epoch", 1);
	BSON_APPEND_UTF8(out, "timeline", text);
	BSON_APPEND_BINARY(out, "record", BSON_SUBTYPE_BINARY, record, sizeof record);
}

static void add_insert(mongoc_bulk_operation_t *bulk, const char *id)
{
	bson_t document = BSON_INITIALIZER;

	BSON_APPEND_UTF8(&document, "_id", id);
	add_fields(&document, 0);
	mongoc_bulk_operation_insert(bulk, &document);
	bson_destroy(&document);
}

static void add_change(mongoc_bulk_operation_t *bulk, const char *id, int64_t revision)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8(id), "revision", BCON_INT64(revision - 1));
	bson_t change = BSON_INITIALIZER, set;

	BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &set);
	add_fields(&set, revision);
	bson_append_document_end(&change, &set);
	mongoc_bulk_operation_update_one(bulk, filter, &change, false);
	bson_destroy(&change);
	bson_destroy(filter);
}

static void run_bulk(mongoc_bulk_operation_t *bulk, const char *counted, int64_t n)
{
	bson_iter_t iter;
	bson_error_t error = {.message = "some were not written"};
	bson_t reply;

	if (!mongoc_bulk_operation_execute(bulk, &reply, &error) ||
	    !bson_iter_init_find(&iter, &reply, counted) || bson_iter_as_int64(&iter) != n)
		fail("write", &error);
	bson_destroy(&reply);
	mongoc_bulk_operation_destroy(bulk);
}

/* Seconds for all documents; revision 0: they are inserted. */
static double write_all(mongoc_collection_t *sagas, uint64_t n, int64_t revision)
{
	bson_t *opts = BCON_NEW("ordered", BCON_BOOL(false));
	double began_s = now_s();
	char id[32];

	for (uint64_t first = 0; first < n; first += AT_ONCE) {
		uint64_t some = n - first < AT_ONCE ? n - first : AT_ONCE;
		mongoc_bulk_operation_t *bulk =
			mongoc_collection_create_bulk_operation_with_opts(sagas, opts);

		for (uint64_t i = first; i < first + some; i++) {
			snprintf(id, sizeof id, "order-%09" PRIu64, i);
			if (revision)
				add_change(bulk, id, revision);
			else
				add_insert(bulk, id);
		}
		run_bulk(bulk, revision ? "nMatched" : "nInserted", (int64_t)some);
	}
	bson_destroy(opts);
	return now_s() - began_s;
}

static mongoc_client_t *connect_to(const char *uri)
{
	mongoc_client_t *client = mongoc_client_new(uri);
	mongoc_write_concern_t *concern = mongoc_write_concern_new();

	if (client) {
		mongoc_write_concern_set_wmajority(concern, WAIT_MS);
		mongoc_client_set_write_concern(client, concern);
	}
	mongoc_write_concern_destroy(concern);
	return client;
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : SAGAS;
	mongoc_client_t *client = NULL;
	mongoc_database_t *database;
	mongoc_collection_t *sagas;
	double insert_s, change_s = 0, writes_per_s;
	bson_error_t error;
	char name[64];

	mongoc_init();
	if (argc >= 2 && argc <= 3 && n)
		client = connect_to(argv[1]);
	if (!client) {
		fputs("usage: bench_mongo mongodb://HOST:PORT [SAGAS]\n", stderr);
		return 2;
	}
	snprintf(name, sizeof name, "bench%ld", (long)getpid());
	database = mongoc_client_get_database(client, name);
	sagas = mongoc_database_get_collection(database, "sagas");
	insert_s = write_all(sagas, n, 0);
	for (int64_t revision = 1; revision <= CHANGES; revision++)
		change_s += write_all(sagas, n, revision);
	writes_per_s = (double)n * CHANGES / change_s;
	printf("{\"sagas\":%" PRIu64 ",\"inserts_per_s\":%.0f,\"writes_per_s\":%.0f,"
	       "\"sagas_per_s\":%.1f}\n",
	       n, (double)n / insert_s, writes_per_s, writes_per_s / WRITES_EACH);
	if (!mongoc_database_drop(database, &error))
		fail("remove the database", &error);
	mongoc_collection_destroy(sagas);
	mongoc_database_destroy(database);
	mongoc_client_destroy(client);
	mongoc_cleanup();
	return EXIT_SUCCESS;
}

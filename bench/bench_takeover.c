/* bench_takeover.c - how long it takes to take over the shards of an orchestrator that is
 * gone, with all its sagas that wait, from MongoDB.
 *
 *	make bench-takeover
 *	build/release/bench/bench_takeover mongodb://HOST:PORT [SAGAS]
 *
 * An engine starts 100,000 sagas that wait for an event, in a database of its own, and is
 * gone. Then another one comes, and takes half of the twelve shards, and then all:
 *
 *	read	a program that knows MongoDB's library alone reads every record
 *	load	the store reads and checks what it needs
 *	take	an engine owns the shards and works on their sagas
 *
 * The figure is the best of three runs, in time on the wall; beside it the time that this
 * program had a core for: the rest is the server's. README.md has figures.
 */
#include "bus/bus_memory.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/load/load.h"
#include "orchestrator/store/mongo/store_mongo.h"

#include <assert.h>
#include <inttypes.h>
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SAGAS = 100000, SHARDS = 12, RUNS = 3, AT_ONCE = 500, URI_SIZE = 512 };

static const char definition_text[] =
	"saga: visit\n"
	"version: 1.0.0\n"
	"steps:\n"
	"  - talk: { await: { event: talked, timeout: 24h, then: compensate } }\n";

static char uri[URI_SIZE], database[64];

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "bench_takeover: cannot %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

/* --- an orchestrator ------------------------------------------------------------------ */

struct member {
	struct post *post;
	struct store *store;
	struct bus *bus;
	struct engine *engine;
	uint64_t answered;
};

static enum err read_definition(struct slice normal, struct definition **out, struct diag *diag)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	enum err err = load_text("definition", normal, NULL, &problems, out);

	arena_release(&arena);
	return err;
}

static struct shards some_shards(uint32_t n)
{
	struct shards shards = {.n = SHARDS};

	for (uint32_t i = 0; i < n; i++)
		shards_add(&shards, i);
	return shards;
}

static struct store *open_store(const char *instance)
{
	const struct store_mongo_setup setup = {
		.uri = uri, .url = "http://127.0.0.1:1", .instance = instance};
	struct diag diag = {""};
	struct store *store;

	if (store_mongo_open(&setup, &store, &diag))
		fail("open the store", diag.text);
	return store;
}

static void member_open(struct member *member, const char *instance)
{
	struct engine_parts parts = {.clock = clock_system(),
				     .read_definition = read_definition};
	struct diag diag = {""};

	*member = (struct member){.post = post_new()};
	parts.store = member->store = open_store(instance);
	parts.bus = member->bus = bus_memory_open(member->post);
	if (engine_open(&parts, &member->engine, &diag))
		fail("open the engine", diag.text);
}

static void member_close(struct member *member)
{
	engine_close(member->engine);
	bus_close(member->bus);
	store_close(member->store);
	post_free(member->post);
}

static void turn(struct member *member)
{
	size_t n;

	if (engine_turn(member->engine, &n))
		fail("take a turn", member->store->trouble.text);
}

static void own(struct member *member, uint32_t n)
{
	const struct shards shards = some_shards(n);

	if (engine_own(member->engine, &shards))
		fail("own the shards", member->store->trouble.text);
}

/* --- sagas that wait ------------------------------------------------------------------ */

static void count_answer(void *context, const struct answer *answer)
{
	struct member *member = context;

	if (answer->err)
		fail("start a saga", answer->text);
	member->answered++;
}

static void deploy(struct engine *engine)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;
	struct diag diag = {""};

	if (load_text("visit.yaml", slice_of(definition_text), NULL, &problems, &definition) ||
	    engine_deploy(engine, &definition, &diag))
		fail("deploy the definition", diag.text);
	arena_release(&arena);
}

/* As many as one batch holds, and then the next. */
static void start_sagas(struct member *member, uint64_t n)
{
	char id[32], input[256];

	for (uint64_t i = 0; i < n; i++) {
		struct start_message start = {.saga = SLICE_LITERAL("visit")};

		snprintf(id, sizeof id, "visit-%09" PRIu64, i);
		snprintf(input, sizeof input,
			 "{\"visitor\":\"%09" PRIu64 "\",\"name\":\"Ada Lovelace\","
			 "\"email\":\"ada@example.org\",\"host\":\"Charles Babbage\","
			 "\"purpose\":\"the engine\",\"floor\":3}",
			 i);
		start.id = slice_of(id);
		start.input = slice_of(input);
		engine_start(member->engine, &start, count_answer, member);
		while ((i + 1 == n || (i + 1) % AT_ONCE == 0) && member->answered <= i)
			turn(member);
	}
}

static void fill(uint64_t n)
{
	struct member first;

	member_open(&first, "first");
	own(&first, SHARDS);
	turn(&first);
	deploy(first.engine);
	start_sagas(&first, n);
	member_close(&first);
}

/* --- what is measured ----------------------------------------------------------------- */

struct figure {
	double wall_s, cpu_s;
};

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct figure now(void)
{
	return (struct figure){seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static uint64_t read_all(uint32_t n_shards)
{
	mongoc_client_t *client = mongoc_client_new(uri);
	mongoc_collection_t *sagas = mongoc_client_get_collection(client, database, "sagas");
	bson_t filter = BSON_INITIALIZER;
	bson_t *opts = BCON_NEW("projection", "{", "record", BCON_INT32(1), "}");
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(sagas, &filter, opts, NULL);
	const bson_t *document;
	bson_error_t error;
	uint64_t n = 0;

	while (mongoc_cursor_next(cursor, &document))
		n++;
	if (mongoc_cursor_error(cursor, &error))
		fail("read", error.message);
	mongoc_cursor_destroy(cursor);
	bson_destroy(opts);
	bson_destroy(&filter);
	mongoc_collection_destroy(sagas);
	mongoc_client_destroy(client);
	return n;
}

static enum err count_saga(void *context, const struct loaded_saga *loaded)
{
	++*(uint64_t *)context;
	return OK;
}

static uint64_t load_all(uint32_t n_shards)
{
	const struct shards shards = some_shards(n_shards);
	struct store *store = open_store("loader");
	struct store_batch newest;
	uint64_t n = 0;

	if (store_own(store, &shards, 1) || store_load(store, NULL, &newest, count_saga, &n))
		fail("load", store->trouble.text);
	store_close(store);
	return n;
}

static uint64_t take_all(uint32_t n_shards)
{
	struct engine_stats stats;
	struct member second;

	member_open(&second, "second");
	own(&second, n_shards);
	turn(&second);
	engine_stats(second.engine, &stats);
	member_close(&second);
	return stats.live;
}

static void measure(const char *what, uint64_t (*run)(uint32_t n_shards), uint32_t n_shards)
{
	struct figure best = {0, 0};
	uint64_t n = 0;

	for (int i = 0; i < RUNS; i++) {
		struct figure began = now(), took;

		n = run(n_shards);
		took = now();
		took.wall_s -= began.wall_s;
		took.cpu_s -= began.cpu_s;
		if (i == 0 || took.wall_s < best.wall_s)
			best = took;
	}
	printf("%-32s %7" PRIu64 " sagas  %6.2f s  %5.2f s of CPU\n", what, n, best.wall_s,
	       best.cpu_s);
	fflush(stdout);
}

static void drop_database(void)
{
	mongoc_client_t *client = mongoc_client_new(uri);
	mongoc_database_t *ours = mongoc_client_get_database(client, database);
	bson_error_t error;

	if (!mongoc_database_drop(ours, &error))
		fail("remove the database", error.message);
	mongoc_database_destroy(ours);
	mongoc_client_destroy(client);
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : SAGAS;
	struct figure began;

	if (argc < 2 || argc > 3 || !n || strncmp(argv[1], "mongodb://", 10) != 0 ||
	    strchr(argv[1] + 10, '/')) {
		fputs("usage: bench_takeover mongodb://HOST:PORT [SAGAS]\n", stderr);
		return 2;
	}
	snprintf(database, sizeof database, "takeover%ld", (long)getpid());
	snprintf(uri, sizeof uri, "%s/%s", argv[1], database);
	began = now();
	fill(n);
	printf("%-32s %7" PRIu64 " sagas  %6.2f s\n", "written by an engine", n,
	       now().wall_s - began.wall_s);
	fflush(stdout);
	measure("read, the library alone", read_all, SHARDS);
	measure("load, six shards of twelve", load_all, SHARDS / 2);
	measure("load, all", load_all, SHARDS);
	measure("take, six shards of twelve", take_all, SHARDS / 2);
	measure("take, all", take_all, SHARDS);
	drop_database();
	return EXIT_SUCCESS;
}

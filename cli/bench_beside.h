/* bench_beside.h - the broker and the database of `skald bench`: those that are named, or that
 * are started in its folder.
 *
 * In one that is somebody else's there are topics and a database whose name nobody else has,
 * and they are removed.
 */
#ifndef SKALD_CLI_BENCH_BESIDE_H
#define SKALD_CLI_BENCH_BESIDE_H

#include "cli/bench_folder.h"

enum {
	BENCH_URL_SIZE = 128,
	BENCH_BUS_SIZE = 512,
	BENCH_STORE_SIZE = 768,
	BENCH_PREFIX_SIZE = 64,
};

struct bench_beside {
	char bus[BENCH_BUS_SIZE];       /* "kafka:HOST:PORT"; empty: it is another one */
	char prefix[BENCH_PREFIX_SIZE]; /* of topics that nobody else has */
	bool own_broker;                /* started in the folder */
	char store[BENCH_STORE_SIZE];   /* "mongo:URI" with the database; empty: likewise */
	bool own_mongo;
};

/* Whether a store is "mongo:URI". */
bool bench_is_mongo(const char *store);

/* What bus and store say, as of struct bench_plant_setup. What is there after a failure is
 * removed as after a success. */
CHECKED enum err bench_beside_find(struct bench_beside *beside,
				   const struct bench_folder *folder, const char *bus,
				   const char *store, struct diag *diag);

/* ERR_UNAVAILABLE: topics or database stay, and the diag says why. */
CHECKED enum err bench_beside_remove(const struct bench_beside *beside,
				     const struct bench_folder *folder, struct diag *diag);

#endif

/* sites.h - two orchestrators that share a store in memory, for tests. The participant
 * "desk" of each is the test.
 *
 * Definitions: "waits" (desk.take, which can be undone, then the event "go"), "family" (a
 * child "waits") and "sleeps" (one minute). There is one such world at a time.
 */
#ifndef SKALD_TESTS_LIB_SITES_H
#define SKALD_TESTS_LIB_SITES_H

#include "bus/bus_memory.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/store/store_memory.h"
#include "tests/lib/clock_sim.h"

enum { SITES = 2, SITE_SHARDS = 4, SITE_TOLD_MAX = 200, SITE_LOG_MAX = 4096 };

struct site {
	struct store *store;
	struct store_ops store_ops; /* of the store, for tests to put others in their place */
	struct bus *bus;
	struct bus_ops bus_ops; /* likewise */
	struct engine *engine;
	char told[SITE_TOLD_MAX][96]; /* "ID REVISION", as observed */
	int n_told;
	uint64_t heard; /* the numbers of events, a bit each */
	struct log log;
	char logged[SITE_LOG_MAX]; /* all lines but those that do not fit */
};

struct sites {
	struct clock_sim clock;
	struct vault *vault;
	const struct store_ops *real; /* of every store */
	const struct limits *limits;
	struct post *posts[SITES];
	struct port *ports[SITES];
	struct site all[SITES];
	struct arena arena;
};

extern struct sites sites;

/* `limits` of participants, at either; NULL: none. */
void sites_enter(const struct limits *limits);
void sites_leave(void);
void sites_advance(int64_t ms);

/* One of them is gone, and comes back: all that it had in memory is lost. */
void site_open(int i);
void site_close(int i);

enum err site_turn(int i);

/* Turns, which all succeed. */
void site_run(int i);

/* "02" of n shards, from now on; and without the turn that loads what is in them. */
void site_own(int i, const char *names, uint32_t n);
CHECKED enum err site_claim(int i, const char *names, uint32_t n);

/* The id of a saga in that shard, of four; another one for another number. Valid until
 * seven more were made. */
const char *sites_id(uint32_t shard, int number);

enum err site_start(int i, const char *saga, const char *id);
enum err site_cancel(int i, const char *id);
size_t site_live(int i);

/* As it is stored. */
enum status sites_status(const char *id);

/* The commands that are there, "ID#ATTEMPT ...", each answered as told; NULL: not. */
const char *site_commands(int i, const char *output);

bool site_was_told(int i, const char *id, int revision);

#endif

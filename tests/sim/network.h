/* network.h - the MongoDB that several orchestrators share, and what lies between.
 *
 * The store is orchestrator/store/mongo/ as it is shipped, mongo/driver.c takes the place of
 * its library. A call gets lost, or its answer; of many writes some arrive, or all of them
 * half a minute later, when their shard is long another one's; an answer takes so long that
 * the others go on without who waits for it. */
#ifndef SKALD_TESTS_SIM_NETWORK_H
#define SKALD_TESTS_SIM_NETWORK_H

#include "tests/sim/world.h"

struct network;

struct network *network_new(struct world *world);
void network_free(struct network *network); /* NULL is fine */

/* A store of the orchestrator with that number, which asks over the network; of 0, that of
 * the judge, whose calls are always answered. NULL: it could not be opened. */
struct store *network_open(struct network *network, uint32_t number, const char *url);

/* Whether the shard of that saga, or of that command's, is that orchestrator's, as the
 * servers have it. */
bool network_owns(const struct network *network, const char *url, struct slice id);

#endif

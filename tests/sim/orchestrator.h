/* orchestrator.h - the processes that run the engine: one after the other, sometimes two
 * that do not know of each other, or several that share the sagas. */
#ifndef SKALD_TESTS_SIM_ORCHESTRATOR_H
#define SKALD_TESTS_SIM_ORCHESTRATOR_H

#include "orchestrator/engine/engine.h"
#include "tests/sim/world.h"

/* Start the one of that place; where it cannot, it is tried again later. */
void orchestrator_start(struct world *world, uint32_t place);

/* Something came over this bus, or was asked for. */
void orchestrator_wake(struct world *world, const struct bus *bus);
void orchestrators_hurry(struct world *world);

/* The one of that place hears which shards are given to it. */
void orchestrator_hear(struct world *world, uint32_t place);

/* It is not there, or hangs. */
bool orchestrator_missing(const struct world *world, uint32_t place);

/* Whether the saga, or the command, is in a shard of that orchestrator's, as it is stored,
 * and it knows that and has loaded it. One that is alone has all. */
bool orchestrator_owns(const struct world *world, uint32_t number, struct slice id);

/* Likewise, whatever it knows. */
bool orchestrator_claims(const struct world *world, uint32_t number, struct slice id);

/* The engine to ask about a saga: mostly that of its owner. NULL: nobody answers now. */
struct engine *orchestrator_engine(struct world *world, struct slice id);

/* That of its owner; NULL: it has none that has loaded it. */
struct engine *orchestrator_owner(const struct world *world, struct slice id);

/* What it publishes; NULL: there is no such orchestrator any more. */
struct herald;
struct herald *orchestrator_herald(struct world *world, uint32_t number);

/* All are there, and what they have to tell is where it is read. */
bool orchestrators_heard(const struct world *world);

/* What becomes of its calls; NULL: there is no such orchestrator any more. */
struct tripwire;
struct tripwire *orchestrator_wire(struct world *world, uint32_t number);

/* It waits for an answer until then, in the middle of its turn, while the others go on. */
void orchestrator_wait(struct world *world, uint32_t number, int64_t until_ms);

/* One does nothing for a while; who is alone is replaced by nobody. */
void orchestrator_hang(struct world *world, uint32_t at_most_ms);

/* It does nothing for a while, somebody takes its place, and then it goes on. */
void orchestrator_rival(struct world *world);

/* They end at once, and come back. */
void orchestrators_restart(struct world *world);

/* No more trouble. */
void orchestrators_calm(struct world *world);

/* Newer versions of all definitions. */
void orchestrators_deploy(struct world *world);

void orchestrators_free(struct world *world);

#endif

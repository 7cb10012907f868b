/* orchestrator.h - the processes that run the engine, one after the other, and
 * sometimes two that do not know of each other. */
#ifndef SKALD_TESTS_SIM_ORCHESTRATOR_H
#define SKALD_TESTS_SIM_ORCHESTRATOR_H

#include "orchestrator/engine/engine.h"
#include "tests/sim/world.h"

/* Start one; where it cannot, it is tried again later. It is world->orchestrator
 * then. */
void orchestrator_start(struct world *world);

/* Something came over this bus, or was asked for. */
void orchestrator_wake(struct world *world, const struct bus *bus);
void orchestrator_hurry(struct world *world);

/* The engine to ask; NULL: nobody answers now. */
struct engine *orchestrator_engine(struct world *world);

/* What it publishes; NULL: there is no such orchestrator any more. */
struct herald;
struct herald *orchestrator_herald(struct world *world, uint32_t number);

/* It is there, and all that it has to tell is where it is read. */
bool orchestrator_heard(const struct world *world);

/* It does nothing for a while; nobody takes its place. */
void orchestrator_hang(struct world *world, uint32_t at_most_ms);

/* It does nothing for a while, somebody takes its place, and then it goes on. */
void orchestrator_rival(struct world *world);

/* It ends at once, and comes back. */
void orchestrator_restart(struct world *world);

/* No more trouble. */
void orchestrator_calm(struct world *world);

/* Newer versions of all definitions. */
void orchestrator_deploy(struct world *world);

void orchestrators_free(struct world *world);

#endif

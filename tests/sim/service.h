/* service.h - the participants: real library, generic handlers, and their books.
 *
 * A service has a database, which outlives its processes: the barrier's records and
 * the effects of its handlers, which a transaction keeps or forgets together. */
#ifndef SKALD_TESTS_SIM_SERVICE_H
#define SKALD_TESTS_SIM_SERVICE_H

#include "tests/sim/world.h"

/* Those that the cases need. */
struct services *services_new(struct world *world);
void services_free(struct services *services);

/* Start all processes. */
void services_begin(struct services *services);

/* Whether a saga of this kind needs the one that never answers. */
bool services_mute(const struct services *services, const struct definition *definition);

/* Something came for the process of that number. */
void services_wake(struct services *services, uint32_t process);

/* One of them, any, does nothing for a while. */
void services_hang(struct services *services, uint32_t at_most_ms);

/* No more trouble, but for the one that never answers; and not for that one, too. */
void services_calm(struct services *services);
void services_mend(struct services *services);

#endif

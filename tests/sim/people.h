/* people.h - those who start sagas, signal them and operate on them.
 *
 * Clients ask again until they know. Operators do what they like while there is
 * trouble; afterwards one of them goes round and helps those who need a person, as
 * docs/language.md says: retry, skip what cannot be retried. */
#ifndef SKALD_TESTS_SIM_PEOPLE_H
#define SKALD_TESTS_SIM_PEOPLE_H

#include "tests/sim/world.h"

/* Decide who asks for what, and put it on the agenda. */
struct people *people_new(struct world *world);
void people_free(struct people *people);

/* A saga has begun a child: some have wishes for that, too. */
void people_meet(struct people *people, struct sim_case *child);

/* Somebody does the same to all sagas at once. */
void people_bulk(struct people *people);

/* What became of a request that went over the bus. */
void people_told(struct world *world, uint32_t request, const struct result_message *result);

/* Somebody begins to go round. */
void people_help(struct people *people);

/* Whether everybody who wants an answer has it. */
bool people_satisfied(const struct people *people);

#endif

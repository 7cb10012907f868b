/* world.h - the participants' barriers and the network; private to the checker.
 *
 * The barrier is that of the participant library: it answers a command it has
 * seen from its records, an undo or a revoke that comes before its do bars the
 * do for good, and a do never runs twice.
 */
#ifndef SKALD_CHECK_WORLD_H
#define SKALD_CHECK_WORLD_H

#include "orchestrator/check/model.h"

/* The saga hands a command to the network: from now on it may arrive. */
void world_send(struct books *books, const struct command *command);

/* A step that only has an undo: from now on there is something to undo. */
void world_begin_alone(struct books *books);

/* Whether such an answer can reach the saga. A command can always fail. */
bool world_answers(const struct books *books, enum verb verb, uint32_t round,
		   enum outcome outcome);

/* It did, and the saga took it. */
void world_answered(struct books *books, enum verb verb, uint32_t round, enum outcome outcome);

/* No effect of the step stands, and none can come any more. */
bool world_clear(const struct books *books);

/* The do of that round has had no effect, and never will have. */
bool world_without_effect(const struct books *books, uint32_t round);

/* A do of the step took effect for certain. */
bool world_took_effect(const struct books *books);

/* What took effect may have been undone since. */
bool world_may_be_undone(const struct books *books);

/* One may have taken effect more than once. */
bool world_twice(const struct books *books);

#endif

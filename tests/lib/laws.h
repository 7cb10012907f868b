/* laws.h - saga_step() under watch: what must hold of every call of it.
 *
 * lawful_step() is saga_step() for tests. It also sees to it that
 *
 *	- the same call again gives the same saga and the same effects,
 *	- the saga before is not changed, nor anything that it points to,
 *	- a taken event raises the revision by one and stamps the time,
 *	- an event that was not taken has no effects,
 *	- commands are sent for what came to be in flight, and for nothing else,
 *	- saga_resume() gives exactly what is in flight, as it was sent,
 *	- a saga that goes on waits for an answer, a timer, an event or a person,
 *	- a saga wants to turn back only while a revoke of its pivot decides,
 *	- the timers are those that the states call for, saga_next_timer() the first,
 *	- an event that comes again at once is not taken again.
 *
 * What does not hold trips an assertion with the law's own words.
 */
#ifndef SKALD_TESTS_LIB_LAWS_H
#define SKALD_TESTS_LIB_LAWS_H

#include "orchestrator/core/saga.h"

enum verdict lawful_step(const struct definition *definition, const struct evaluator *evaluator,
			 const struct saga *before, const struct event *event,
			 struct arena *arena, struct saga *after, struct effects *effects);

/* The same for the beginning of a saga. */
enum verdict lawful_begin(const struct definition *definition,
			  const struct evaluator *evaluator, const struct start *start,
			  struct arena *arena, struct saga *after, struct effects *effects);

#endif

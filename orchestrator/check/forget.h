/* forget.h - what of a state no later decision depends on; private to the checker.
 *
 * The core counts the attempts of a new command from one, reads an output only
 * where the definition says so, takes no cancel after the pivot. So two states
 * that differ in nothing else behave alike from there on, and are visited as one.
 * Where answers are forgotten, all that can come to such a step may come.
 */
#ifndef SKALD_CHECK_FORGET_H
#define SKALD_CHECK_FORGET_H

#include "orchestrator/check/model.h"

/* Change the step and its books to what is left once this is forgotten. */
void forget_step(const struct model *model, const struct saga *saga, uint32_t i,
		 struct step *step, struct books *books);

/* Neither a cancel nor the deadline changes anything any more, nor does it matter
 * that one came. */
bool past_cancel(const struct model *model, const struct saga *saga);

/* Nothing will await that event any more. */
bool past_await(const struct model *model, const struct saga *saga, struct slice event);

#endif

/* answers.h - expressions without values: every answer in turn; private to the
 * checker.
 *
 * The checker has no payloads, so an expression may come out as anything that
 * it can: a condition is true or false, and what can fail at run time does. A
 * decision is repeated until it was given every combination of answers. The
 * same question gets the same answer: arguments that could be evaluated when a
 * command began can be evaluated for its later attempts.
 */
#ifndef SKALD_CHECK_ANSWERS_H
#define SKALD_CHECK_ANSWERS_H

#include "orchestrator/check/model.h"

enum { ANSWERS_MAX = 2 * STEPS_MAX };

/* An argument that reads what is not there. */
struct missing {
	bool found;
	uint32_t step; /* whose argument */
	uint32_t read; /* whose output */
	enum purpose purpose;
};

struct answers {
	struct evaluator evaluator;
	const struct model *model;
	const struct books *books; /* of the world as it is while the event is decided */
	bool settled;              /* no choice: every answer is a value */
	struct missing missing;
	struct step_set denied; /* steps whose condition came out false */
	struct step_set failed; /* of which an expression failed */
	struct step_set absent; /* for which a list had no element */

	uint8_t given[ANSWERS_MAX];
	uint8_t possible[ANSWERS_MAX];
	uint32_t n;      /* choices met in this decision */
	uint32_t n_kept; /* given[] up to here is prescribed */
};

/* Begin with the first combination. */
void answers_begin(struct answers *answers);

/* Decide once more, with the same combination. */
void answers_again(struct answers *answers);

/* The next combination; false: there are no more. */
bool answers_next(struct answers *answers);

#endif

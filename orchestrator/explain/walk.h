/* walk.h - a copy of a saga that is led on, event by event, to see where it would go;
 * private to this folder.
 *
 * However long the way is, it takes the memory of a few steps of it.
 */
#ifndef SKALD_EXPLAIN_WALK_H
#define SKALD_EXPLAIN_WALK_H

#include "orchestrator/core/saga.h"

struct walk {
	const struct definition *definition;
	const struct evaluator *evaluator;
	struct saga saga; /* as it is by now; at first the caller's, then in scratch[at] */
	struct arena scratch[2];
	int at;
};

/* As saga_step(). Taken: the saga is the one afterwards. The effects are valid until the
 * next event. */
enum verdict walk_step(struct walk *walk, const struct event *event, struct effects *effects);

/* Of the step that stands at an index of the saga. */
static inline const struct step_definition *walk_definition(const struct walk *walk, uint32_t i)
{
	return saga_step_definition(walk->definition, &walk->saga, i);
}

void walk_end(struct walk *walk);

#endif

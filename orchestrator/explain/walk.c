#include "orchestrator/explain/walk.h"

#include "orchestrator/core/codec.h"

enum { SCRATCH_MAX = 8 * 1024 * 1024 }; /* bytes that sagas gone by may take */

/* Move the saga, so that what it was before can go. */
static bool tidy(struct walk *walk)
{
	const struct saga *moved;

	if (walk->scratch[walk->at].used <= SCRATCH_MAX)
		return true;
	moved = saga_copy(&walk->saga, &walk->scratch[!walk->at]);
	if (!moved)
		return false;
	walk->saga = *moved;
	arena_release(&walk->scratch[walk->at]);
	walk->at = !walk->at;
	return true;
}

enum verdict walk_step(struct walk *walk, const struct event *event, struct effects *effects)
{
	struct saga after;
	enum verdict verdict = VERDICT_NOMEM;

	if (tidy(walk))
		verdict = saga_step(walk->definition, walk->evaluator, &walk->saga, event,
				    &walk->scratch[walk->at], &after, effects);
	if (verdict == VERDICT_TAKEN)
		walk->saga = after;
	return verdict;
}

void walk_end(struct walk *walk)
{
	arena_release(&walk->scratch[0]);
	arena_release(&walk->scratch[1]);
}

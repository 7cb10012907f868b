/* judge_family.c - whether parents and their child sagas agree. */
#include "tests/sim/judge.h"

#include <stdio.h>

static bool same_instance(struct instance a, struct instance b)
{
	return a.step == b.step && a.element == b.element;
}

/* --- a child begins ----------------------------------------------------------------- */

/* The step of the parent that has this child now; false: none. */
static bool find_place(const struct sim_case *parent, const struct saga *saga, struct slice id,
		       struct instance *at, uint16_t *round)
{
	char room[SAGA_ID_MAX];

	for (uint32_t i = 0; i < saga->n_steps; i++) {
		*at = saga_instance(parent->definition, saga, i);
		if (parent->definition->steps[at->step].form != FORM_SAGA)
			continue;
		*round = saga->steps[i].do_round;
		if (slice_equal(child_id(parent->definition, saga->id, *at, *round, room), id))
			return true;
	}
	return false;
}

/* An earlier one of the same step that has not turned back. */
static const struct sim_case *find_sibling(const struct world *world,
					   const struct sim_case *parent, struct instance at)
{
	for (uint32_t i = world->plan.n_cases; i < world->n_cases; i++) {
		const struct sim_case *child = &world->cases[i];

		if (child->parent == parent && same_instance(child->place, at) &&
		    child->status != STATUS_COMPENSATED)
			return child;
	}
	return NULL;
}

/* Over how many elements its steps go: those of the only list in its input. */
static void count_elements(struct sim_case *child, struct slice input)
{
	struct json_each each = json_each((struct json){input});

	child->n_elements = 1;
	while (json_next(&each))
		if (json_type(each.value) == JSON_LIST)
			child->n_elements = (uint32_t)json_size(each.value);
}

struct sim_case *judge_new_child(struct world *world, const struct saga *child,
				 struct slice name)
{
	struct sim_case *parent = world_case_by_id(world, child->parent), *sim_case;
	const struct definition *definition = catalogue_find(world->catalogue, name);
	const struct sim_case *sibling;
	struct saga saga;
	struct instance at;
	uint16_t round;

	if (!parent || !definition || !judge_read_saga(world, parent, &saga) ||
	    !find_place(parent, &saga, child->id, &at, &round)) {
		diary_fault(&world->diary,
			    "P2: %.*s begins as a child of %.*s, which has not asked for it",
			    SLICE_ARG(child->id), SLICE_ARG(child->parent));
		return NULL;
	}
	if (!slice_equal(parent->definition->steps[at.step].child, name))
		diary_fault(&world->diary,
			    "P2: the child %.*s is another saga than its step says",
			    SLICE_ARG(child->id));
	sibling = find_sibling(world, parent, at);
	if (sibling)
		diary_fault(&world->diary,
			    "P1: %.*s begins, and its step has a child already: %s",
			    SLICE_ARG(child->id), sibling->id);
	sim_case = world_add_child(world, parent, definition);
	if (!sim_case) {
		diary_fault(&world->diary, "P2: so many child sagas begin that it never ends");
		return NULL;
	}
	sim_case->place = at;
	sim_case->round = round;
	count_elements(sim_case, child->input);
	world->tally.children++;
	return sim_case;
}

/* --- while they are under way ------------------------------------------------------- */

const struct sim_case *judge_child(const struct world *world, const struct sim_case *parent,
				   struct instance at)
{
	const struct sim_case *newest = NULL;

	for (uint32_t i = world->plan.n_cases; i < world->n_cases; i++) {
		const struct sim_case *child = &world->cases[i];

		if (child->parent == parent && same_instance(child->place, at))
			newest = child;
	}
	return newest;
}

bool judge_parent_undoes(struct world *world, const struct sim_case *child)
{
	struct saga saga;

	return judge_read_saga(world, child->parent, &saga) &&
	       (saga.phase == PHASE_BACK || saga.phase == PHASE_KILLED);
}

/* Somebody said that the parent need not care. */
static bool is_waived(const struct sim_case *child)
{
	return case_book(child->parent, child->place)->skip_asked;
}

void judge_children_left(struct world *world, const struct sim_case *parent)
{
	if (parent->status == STATUS_KILLED)
		return;
	for (uint32_t i = world->plan.n_cases; i < world->n_cases; i++) {
		const struct sim_case *child = &world->cases[i];

		if (child->parent == parent && !child->ended && !is_waived(child))
			diary_fault(&world->diary, "P2: %s is %s, and its child %s is still %s",
				    parent->id, status_text(parent->status), child->id,
				    status_text(child->status));
	}
}

/* --- in the end --------------------------------------------------------------------- */

static bool same_output(struct world *world, const struct sim_case *child, struct slice output)
{
	struct arena arena = {0};
	struct saga saga;
	bool same = false;

	if (judge_read(world, child, &arena, &saga))
		same = saga.output.len
			       ? json_equal((struct json){saga.output}, (struct json){output})
			       : slice_is(output, "null");
	arena_release(&arena);
	return same;
}

static bool fits_completed(struct world *world, const struct step *step,
			   const struct sim_case *child, bool waived)
{
	if (step->state == STEP_DONE)
		return child && child->status == STATUS_COMPLETED &&
		       child->round == step->do_round &&
		       same_output(world, child, step->output);
	return step->state == STEP_SKIPPED &&
	       (step->why == WHY_CONDITION || step->why == WHY_NO_ELEMENT ? !child : waived);
}

/* One that was refused before it began has no child. */
static bool fits_compensated(const struct step *step, const struct sim_case *child)
{
	switch ((enum step_state)step->state) {
	case STEP_UNDONE: return child && child->status == STATUS_COMPENSATED;
	case STEP_REFUSED: return !child || child->status == STATUS_COMPENSATED;
	case STEP_NEVER: return !child;
	case STEP_SKIPPED: return !child || child->status == STATUS_COMPENSATED;
	default: return false;
	}
}

bool judge_child_fits(struct world *world, const struct sim_case *parent,
		      const struct saga *saga, uint32_t i)
{
	struct instance at = saga_instance(parent->definition, saga, i);
	const struct sim_case *child = judge_child(world, parent, at);
	bool waived = case_book(parent, at)->skip_asked;
	const struct step *step = &saga->steps[i];

	if (parent->status == STATUS_COMPLETED)
		return fits_completed(world, step, child, waived);
	return parent->status != STATUS_COMPENSATED || waived || fits_compensated(step, child);
}

#include "orchestrator/core/family.h"

struct family {
	const struct definition *const *others;
	size_t n;
	const struct definition *definition;
	bool *seen; /* by their place in others */
};

const struct definition *family_find(const struct definition *const *list, size_t n,
				     struct slice name, struct slice version)
{
	for (size_t i = n; i-- > 0;)
		if (slice_equal(list[i]->name, name) &&
		    (!version.len || slice_equal(list[i]->version, version)))
			return list[i];
	return NULL;
}

static bool starts(const struct step_definition *step, const struct definition *child)
{
	return step->form == FORM_SAGA && slice_equal(step->child, child->name) &&
	       (!step->child_version.len || slice_equal(step->child_version, child->version));
}

/* The step by which the saga starts one of the name, itself or through its children;
 * NO_STEP: none does. */
static uint32_t leads_to(struct family *family, const struct definition *from,
			 struct slice name)
{
	for (uint32_t i = 0; i < from->n_steps; i++) {
		const struct step_definition *step = &from->steps[i];

		if (step->form == FORM_SAGA && slice_equal(step->child, name))
			return i;
		for (size_t k = 0; k < family->n && step->form == FORM_SAGA; k++) {
			if (family->seen[k] || !starts(step, family->others[k]))
				continue;
			family->seen[k] = true;
			if (leads_to(family, family->others[k], name) != NO_STEP)
				return i;
		}
	}
	return NO_STEP;
}

static bool is_newest(const struct family *family, size_t at)
{
	for (size_t k = at + 1; k < family->n; k++)
		if (slice_equal(family->others[k]->name, family->others[at]->name))
			return false;
	return true;
}

static enum err say_pivot(const struct definition *parent, const struct step_definition *step,
			  const struct definition *child, struct diag *diag)
{
	return diag_set(
		diag, ERR_INVALID,
		"step %.*s of the saga %.*s can be undone, but its child %.*s %.*s has a "
		"pivot and cannot; write `kind: pivot`, or put the step after the pivot",
		SLICE_ARG(step->name), SLICE_ARG(parent->name), SLICE_ARG(child->name),
		SLICE_ARG(child->version));
}

static enum err check_pivots(const struct family *family, struct family_fault *fault,
			     struct diag *diag)
{
	const struct definition *definition = family->definition;

	for (uint32_t i = 0; i < definition->n_steps; i++) {
		const struct step_definition *step = &definition->steps[i];
		const struct definition *child = family_find(family->others, family->n,
							     step->child, step->child_version);

		*fault = (struct family_fault){"child-with-pivot", step->place};
		if (child && child->pivot != NO_STEP && step->has_undo)
			return say_pivot(definition, step, child, diag);
	}
	if (definition->pivot != NO_STEP)
		fault->place = definition->steps[definition->pivot].place;
	for (size_t k = 0; k < family->n && definition->pivot != NO_STEP; k++) {
		const struct definition *parent = family->others[k];

		for (uint32_t i = 0; i < parent->n_steps && is_newest(family, k); i++)
			if (starts(&parent->steps[i], definition) && parent->steps[i].has_undo)
				return say_pivot(parent, &parent->steps[i], definition, diag);
	}
	return OK;
}

enum err family_check(const struct definition *const *others, size_t n,
		      const struct definition *definition, struct arena *arena,
		      struct family_fault *fault, struct diag *diag)
{
	struct family_fault unwanted;
	uint32_t step;
	struct family family = {others, n, definition, arena_array(arena, n + 1, sizeof(bool))};

	if (!family.seen)
		return ERR_NOMEM;
	fault = fault ? fault : &unwanted;
	step = leads_to(&family, definition, definition->name);
	if (step != NO_STEP) {
		*fault = (struct family_fault){"child-cycle", definition->steps[step].place};
		return diag_set(
			diag, ERR_INVALID,
			"the saga %.*s starts child sagas that start it again, so that it "
			"would never end; take one of them out of the circle",
			SLICE_ARG(definition->name));
	}
	return check_pivots(&family, fault, diag);
}

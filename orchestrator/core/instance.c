/* instance.c - which step an index of a saga's steps is: what an `each` makes. */
#include "orchestrator/core/saga.h"

#include <assert.h>

/* The steps that one element has. */
static uint32_t element_size(const struct definition *definition, uint32_t each)
{
	return definition->steps[each].end - each - 1;
}

uint32_t expansion_added(const struct definition *definition, const struct expansion *expansion)
{
	return (expansion->n - 1) * element_size(definition, expansion->step);
}

struct instance saga_later_instance(const struct definition *definition,
				    const struct saga *saga, uint32_t i)
{
	for (uint32_t n = saga->n_expansions; n-- > 0;) {
		const struct expansion *expansion = &saga->expansions[n];
		uint32_t size = element_size(definition, expansion->step);
		uint32_t at = i - expansion->first;

		if (i >= expansion->first && at < expansion_added(definition, expansion))
			return (struct instance){expansion->step + 1 + at % size,
						 1 + at / size};
	}
	assert(!"an index that the saga does not have");
	return (struct instance){0, 0};
}

const struct expansion *saga_expansion(const struct saga *saga, uint32_t each)
{
	for (uint32_t n = 0; saga && n < saga->n_expansions; n++)
		if (saga->expansions[n].step == each)
			return &saga->expansions[n];
	return NULL;
}

uint32_t expansion_shift(const struct definition *definition, const struct expansion *expansion,
			 uint32_t element)
{
	uint32_t each = expansion->step;

	if (element == 0)
		return 0;
	return expansion->first + (element - 1) * element_size(definition, each) - (each + 1);
}

uint32_t saga_instance_at(const struct definition *definition, const struct saga *saga,
			  struct instance at)
{
	const struct expansion *expansion;

	if (at.element == 0)
		return at.step;
	expansion = saga_expansion(saga, definition->steps[at.step].each);
	if (!expansion || at.element >= expansion->n)
		return NO_STEP;
	return at.step + expansion_shift(definition, expansion, at.element);
}

static bool parse_element(struct slice text, uint32_t *out)
{
	*out = 0;
	if (text.len == 0 || text.len > 4 || (text.at[0] == '0' && text.len > 1))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*out = *out * 10 + (uint32_t)(text.at[i] - '0');
	}
	return true;
}

uint32_t saga_find(const struct definition *definition, const struct saga *saga,
		   struct slice name)
{
	const char *mark = name.len ? memchr(name.at, '#', name.len) : NULL;
	const struct expansion *expansion;
	struct instance at = {0, 0};
	struct slice element = {0};

	if (mark) {
		element = (struct slice){mark + 1, name.len - (size_t)(mark - name.at) - 1};
		name.len = (size_t)(mark - name.at);
		if (!parse_element(element, &at.element))
			return NO_STEP;
	}
	at.step = definition_find(definition, name);
	if (at.step == NO_STEP)
		return NO_STEP;
	expansion = saga_expansion(saga, definition->steps[at.step].each);
	if (!mark && expansion && expansion->n > 1)
		return NO_STEP;
	return saga_instance_at(definition, saga, at);
}

struct slice saga_step_name(const struct definition *definition, const struct saga *saga,
			    uint32_t i, char room[INSTANCE_NAME_MAX])
{
	struct instance at = saga_instance(definition, saga, i);
	const struct step_definition *step = &definition->steps[at.step];
	struct bytes out = {
		.at = room, .capacity = INSTANCE_NAME_MAX, .max = INSTANCE_NAME_MAX};

	if (step->each == NO_STEP || !saga_expansion(saga, step->each))
		return step->name;
	bytes_append(&out, step->name);
	bytes_format(&out, "#%u", (unsigned)at.element);
	assert(!out.err);
	return bytes_slice(&out);
}

/* What is under way is something that the step of the definition has, and has a number.
 * A back-off may come before the first attempt, in a saga that is paused. */
static bool step_fits(const struct step_definition *definition, const struct step *step)
{
	bool undo = step->verb == VERB_UNDO;

	switch ((enum step_state)step->state) {
	case STEP_RUNNING:
		if (!form_commands(definition->form))
			return definition->form != FORM_NOTHING;
		return !undo && step->attempt;
	case STEP_BACKOFF: return form_commands(definition->form) && !undo;
	case STEP_UNDOING:
		if (form_is_block(definition->form))
			return true;
		return definition->has_undo && undo && step->attempt;
	case STEP_UNDO_BACKOFF: return definition->has_undo && undo;
	case STEP_PARKED: return definition->has_undo || !undo;
	case STEP_WAITING:
	case STEP_DONE:
	case STEP_REFUSED:
	case STEP_SKIPPED:
	case STEP_IN_DOUBT:
	case STEP_UNDONE:
	case STEP_NEVER: return true;
	}
	return false;
}

static bool steps_fit(const struct definition *definition, const struct saga *saga)
{
	for (uint32_t i = 0; i < saga->n_steps; i++)
		if (!step_fits(saga_step_definition(definition, saga, i), &saga->steps[i]))
			return false;
	return true;
}

bool saga_fits(const struct definition *definition, const struct saga *saga)
{
	uint64_t n = definition->n_steps;

	for (uint32_t i = 0; i < saga->n_expansions; i++) {
		const struct expansion *expansion = &saga->expansions[i];

		if (expansion->step >= definition->n_steps || expansion->n == 0 ||
		    definition->steps[expansion->step].form != FORM_EACH ||
		    expansion->n > definition->steps[expansion->step].max ||
		    expansion->first != n)
			return false;
		n += expansion_added(definition, expansion);
	}
	return n == saga->n_steps && steps_fit(definition, saga) &&
	       saga_ended(saga) == (saga->ended_ms != 0) && saga->started_ms >= 0 &&
	       saga->revision && saga->key.len;
}

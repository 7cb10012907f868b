#include "orchestrator/core/definition.h"

#include <assert.h>

const struct retry retry_default_do = {
	.first_ms = 200,
	.max_ms = 30 * 1000,
	.factor = {2, 0},
	.full_jitter = true,
	.attempts = 5,
};

const struct retry retry_default_undo = {
	.first_ms = 200,
	.max_ms = 30 * 1000,
	.factor = {2, 0},
	.full_jitter = true,
	.budget_ms = INT64_C(24) * 60 * 60 * 1000,
};

uint32_t definition_find(const struct definition *definition, struct slice name)
{
	for (uint32_t i = 0; i < definition->n_steps; i++) {
		if (slice_equal(definition->steps[i].name, name))
			return i;
	}
	return NO_STEP;
}

bool name_valid(struct slice name)
{
	if (name.len == 0 || name.len > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];
		bool letter = c >= 'a' && c <= 'z';
		bool later = (c >= '0' && c <= '9') || c == '_' || c == '-';

		if (!letter && !(later && i > 0))
			return false;
	}
	return true;
}

void definition_free(struct definition *definition)
{
	struct arena arena;

	if (!definition)
		return;
	arena = definition->arena; /* the definition itself lives in it */
	arena_release(&arena);
}

const char *kind_text(enum kind kind)
{
	switch (kind) {
	case KIND_COMPENSATABLE: return "compensatable";
	case KIND_READONLY: return "readonly";
	case KIND_PIVOT: return "pivot";
	case KIND_RETRIABLE: return "retriable";
	case KIND_NONE: return "none";
	}
	assert(!"a kind that is not in the list");
	return "";
}

const char *form_text(enum form form)
{
	switch (form) {
	case FORM_CALL: return "call";
	case FORM_NOTHING: return "nothing";
	case FORM_PARALLEL: return "parallel";
	case FORM_AWAIT: return "await";
	case FORM_SLEEP: return "sleep";
	case FORM_EACH: return "each";
	case FORM_SAGA: return "saga";
	}
	assert(!"a form that is not in the list");
	return "";
}

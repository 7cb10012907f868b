/* fuzz_definition.c - definitions that anybody may have written.
 *
 * Whatever the bytes are, loading ends, says what is wrong if it fails, and says
 * nothing is wrong if it does not; and what was loaded has a normal form whose
 * own normal form it is, hash included. The opener gives the input as a schema,
 * too, so that JSON files are read. */
#include "orchestrator/load/load.h"
#include "orchestrator/load/normal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* What stands behind the first NUL byte is the schema file. */
static enum err open_rest(void *context, const char *name, size_t max, struct arena *arena,
			  struct slice *out, struct diag *diag)
{
	const struct slice *rest = context;

	if (rest->len == 0)
		return diag_set(diag, ERR_NOT_FOUND, "there is none");
	if (rest->len > max)
		return diag_set(diag, ERR_TOO_LARGE, "it is too large");
	*out = *rest;
	return OK;
}

static void check_problems(const struct problems *problems, enum err err)
{
	require((err == OK) == (problems->n_errors == 0));
	require(err == OK || err == ERR_INVALID);
	for (size_t i = 0; i < problems->n; i++) {
		require(problems->list[i].text[0] != '\0');
		require(!strchr(problems->list[i].text, '\n'));
		require(problems->list[i].code[0] != '\0');
	}
}

static void check_definition(const struct definition *definition)
{
	require(definition->n_steps > 0 && definition->n_steps <= STEPS_MAX);
	for (uint32_t i = 0; i < definition->n_steps; i++) {
		const struct step_definition *step = &definition->steps[i];

		require(name_valid(step->name));
		require(definition_find(definition, step->name) == i);
		require(step->end > i && step->end <= definition->n_steps);
		require(step->form != FORM_CALL || step->call.with);
		require(!step->has_undo || step->undo.with);
		require(step->form != FORM_SAGA || (step->child.len && step->call.with));
		require(step->form != FORM_EACH ||
			(step->in && step->as.len && step->max && step->n_branches == 1));
	}
}

static void check_normal(const struct definition *definition)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *again;

	require(load_text("normal.yaml", definition->normal, NULL, &problems, &again) == OK);
	require(slice_equal(again->normal, definition->normal));
	require(memcmp(again->hash, definition->hash, sizeof again->hash) == 0);
	definition_free(again);
	arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size}, rest = {0};
	const char *nul = size ? memchr(data, '\0', size) : NULL;
	struct file_opener opener = {open_rest, &rest};
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition;
	enum err err;

	if (nul) {
		text.len = (size_t)(nul - text.at);
		rest = (struct slice){nul + 1, size - text.len - 1};
	}
	err = load_text("fuzz.yaml", text, &opener, &problems, &definition);
	check_problems(&problems, err);
	if (!err) {
		check_definition(definition);
		check_normal(definition);
	}
	definition_free(definition);
	arena_release(&arena);
	return 0;
}

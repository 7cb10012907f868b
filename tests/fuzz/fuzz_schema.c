/* fuzz_schema.c - any JSON Schema for the input of a saga, and any input: the schema is
 * complained about in its place or taken; then an input is allowed or not with a sentence
 * that names its path, and the schema's normal form says the same.
 *
 * The schema, a NUL byte, then an input, a NUL byte, another input, and so on. */
#include "orchestrator/core/schema.h"
#include "orchestrator/load/load.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char definition_text[] = "saga: fuzz\n"
				      "version: 1.0.0\n"
				      "input: { schema: input.json }\n"
				      "steps:\n"
				      "  - read: { kind: readonly, call: shop.read }\n";

static enum err open_schema(void *context, const char *name, size_t max, struct arena *arena,
			    struct slice *out, struct diag *diag)
{
	const struct slice *schema = context;

	if (schema->len > max)
		return diag_set(diag, ERR_TOO_LARGE, "it is too large");
	*out = *schema;
	return OK;
}

static struct slice part(struct slice *rest)
{
	const char *nul = rest->len ? memchr(rest->at, '\0', rest->len) : NULL;
	struct slice first = {rest->at, nul ? (size_t)(nul - rest->at) : rest->len};

	rest->at += first.len + (nul != NULL);
	rest->len -= first.len + (nul != NULL);
	return first;
}

/* A schema that is refused is refused in its own file, at a place in it. */
static void check_problems(const struct problems *problems)
{
	assert(problems->n_errors && problems->n);
	for (size_t i = 0; i < problems->n; i++) {
		assert(problems->list[i].text[0] && problems->list[i].code[0]);
		if (problems->list[i].severity == SEVERITY_ERROR)
			assert(problems->list[i].place.line && problems->list[i].place.column);
	}
}

static struct definition *load(struct slice text, const struct file_opener *opener,
			       struct arena *arena)
{
	struct problems problems = {.arena = arena};
	struct definition *definition = NULL;
	enum err err = load_text("fuzz.yaml", text, opener, &problems, &definition);

	assert(!err || err == ERR_INVALID);
	if (err)
		check_problems(&problems);
	return err ? NULL : definition;
}

static void check_input(const struct definition *definition, const struct definition *again,
			struct slice text, struct arena *arena)
{
	struct diag diag = {{0}}, same = {{0}};
	struct json input;
	enum err err;

	if (json_parse(text, PAYLOAD_MAX, arena, &input, NULL))
		return;
	err = schema_validate(definition->input, input, arena, &diag);
	assert(!err || err == ERR_INVALID);
	assert(!err || strncmp(diag.text, "input", 5) == 0);
	assert(schema_validate(again->input, input, arena, &same) == err);
	assert(strcmp(diag.text, same.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size}, schema = part(&rest);
	struct file_opener opener = {open_schema, &schema};
	struct definition *definition, *again;
	struct arena arena = {0};

	definition = load(slice_of(definition_text), &opener, &arena);
	if (definition) {
		again = load(definition->normal, NULL, &arena);
		assert(again && slice_equal(again->normal, definition->normal));
		while (rest.len)
			check_input(definition, again, part(&rest), &arena);
		definition_free(again);
	}
	definition_free(definition);
	arena_release(&arena);
	return 0;
}

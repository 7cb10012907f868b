#include "orchestrator/explain/masked.h"

#include "base/json_line.h"

/* --- the input -------------------------------------------------------------------- */

enum { PATH_MAX_BYTES = 4096 };

struct masking {
	const struct definition *definition;
	struct bytes *out;
	struct arena arena; /* names without their escapes */
	struct bytes path;  /* to the value at hand: "card.number" */
};

enum cover { COVERS_NOTHING, COVERS_PART, COVERS_ALL };

/* What the masks hide of the value that the path leads to. */
static enum cover find_cover(const struct masking *masking)
{
	const struct definition *definition = masking->definition;
	struct slice path = bytes_slice(&masking->path);
	enum cover cover = COVERS_NOTHING;

	if (masking->path.err)
		return COVERS_ALL;
	for (size_t i = 0; i < definition->n_mask; i++) {
		struct slice mask = definition->mask[i];

		if (slice_equal(mask, path))
			return COVERS_ALL;
		if (mask.len > path.len && mask.at[path.len] == '.' &&
		    memcmp(mask.at, path.at, path.len) == 0)
			cover = COVERS_PART;
	}
	return cover;
}

static void write_value(struct masking *masking, struct json value);

static void write_member(struct masking *masking, struct json name, struct json value)
{
	struct bytes *out = masking->out;
	size_t len = masking->path.len;
	struct slice characters;

	if (!json_text(name, &masking->arena, &characters)) {
		out->err = out->err ? out->err : ERR_NOMEM;
		return;
	}
	if (len)
		bytes_add(&masking->path, '.');
	bytes_append(&masking->path, characters);
	bytes_append(out, name.text);
	bytes_add(out, ':');
	switch (find_cover(masking)) {
	case COVERS_NOTHING: bytes_append(out, value.text); break;
	case COVERS_PART: write_value(masking, value); break;
	case COVERS_ALL: bytes_text(out, "\"***\""); break;
	}
	masking->path.len = len;
	if (masking->path.err == ERR_NOMEM && !out->err)
		out->err = ERR_NOMEM;
	masking->path.err = OK; /* a path that is too long leads to nothing that is shown */
}

/* A value in which something is masked; a list on the way stands for its elements. */
static void write_value(struct masking *masking, struct json value)
{
	struct json_each each = json_each(value);
	enum json_type type = json_type(value);
	bool first = true;

	if (type != JSON_OBJECT && type != JSON_LIST) {
		bytes_append(masking->out, value.text);
		return;
	}
	bytes_add(masking->out, type == JSON_OBJECT ? '{' : '[');
	while (json_next(&each)) {
		if (!first)
			bytes_add(masking->out, ',');
		first = false;
		if (type == JSON_OBJECT)
			write_member(masking, each.name, each.value);
		else
			write_value(masking, each.value);
	}
	bytes_add(masking->out, type == JSON_OBJECT ? '}' : ']');
}

void masked_json(struct bytes *out, const struct definition *definition, struct json input)
{
	struct masking masking = {.definition = definition, .out = out};

	if (!definition) {
		bytes_text(out, "null");
		return;
	}
	masking.path = BYTES(PATH_MAX_BYTES, &masking.arena);
	write_value(&masking, input);
	arena_release(&masking.arena);
}

/* --- arguments -------------------------------------------------------------------- */

static const struct template hidden = {.kind = TEMPLATE_LITERAL, .literal = {{"\"***\"", 5}}};

static bool tells(const struct definition *definition, const struct expression *expression)
{
	for (size_t i = 0; i < definition->n_mask; i++)
		if (expression_reads(expression, definition->mask[i]) == READS_IT)
			return true;
	return false;
}

/* NULL: out of memory. */
static const struct template *hide(const struct definition *definition,
				   const struct template *template, struct arena *arena)
{
	struct template_entry *entries;
	struct template *copy;

	if (template->kind == TEMPLATE_EXPRESSION && tells(definition, template->expression))
		return &hidden;
	if (!template->n_entries)
		return template;
	copy = arena_alloc(arena, sizeof *copy);
	entries = arena_array(arena, template->n_entries, sizeof *entries);
	if (!copy || !entries)
		return NULL;
	*copy = *template;
	copy->entries = entries;
	for (size_t i = 0; i < template->n_entries; i++) {
		entries[i].name = template->entries[i].name;
		entries[i].value = hide(definition, template->entries[i].value, arena);
		if (!entries[i].value)
			return NULL;
	}
	return copy;
}

const struct definition *masked_undos(const struct definition *definition, struct arena *arena)
{
	struct step_definition *steps;
	struct definition *copy;

	if (!definition->n_mask)
		return definition;
	copy = arena_alloc(arena, sizeof *copy);
	steps = arena_array(arena, definition->n_steps, sizeof *steps);
	if (!copy || !steps)
		return NULL;
	*copy = *definition;
	copy->steps = steps;
	for (uint32_t i = 0; i < definition->n_steps; i++) {
		steps[i] = definition->steps[i];
		if (!steps[i].has_undo)
			continue;
		steps[i].undo.with = hide(definition, steps[i].undo.with, arena);
		if (!steps[i].undo.with)
			return NULL;
	}
	return copy;
}

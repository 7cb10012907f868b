#include "orchestrator/explain/masked.h"

#include "base/json_line.h"

/* --- the input -------------------------------------------------------------------- */

enum { PATH_MAX_BYTES = 4096 };

/* Paths that are masked. */
struct masks {
	const struct slice *list;
	size_t n;
};

struct masking {
	struct masks masks;
	struct bytes *out;
	struct arena arena; /* names without their escapes */
	struct bytes path;  /* to the value at hand: "card.number" */
};

enum cover { COVERS_NOTHING, COVERS_PART, COVERS_ALL };

/* What the masks hide of the value that the path leads to. */
static enum cover find_cover(const struct masking *masking)
{
	struct slice path = bytes_slice(&masking->path);
	enum cover cover = COVERS_NOTHING;

	if (masking->path.err)
		return COVERS_ALL;
	for (size_t i = 0; i < masking->masks.n; i++) {
		struct slice mask = masking->masks.list[i];

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

static void write_masked(struct bytes *out, struct masks masks, struct json value)
{
	struct masking masking = {.masks = masks, .out = out};

	masking.path = BYTES(PATH_MAX_BYTES, &masking.arena);
	write_value(&masking, value);
	arena_release(&masking.arena);
}

void masked_json(struct bytes *out, const struct definition *definition, struct json input)
{
	if (definition)
		write_masked(out, (struct masks){definition->mask, definition->n_mask}, input);
	else
		bytes_text(out, "null");
}

/* --- elements --------------------------------------------------------------------- */

/* What is masked of the elements of one `each`. */
struct element_masks {
	bool all; /* they come from, or depend on, what is masked */
	struct masks masks;
};

static enum err find_element_masks(const struct definition *definition,
				   const struct step_definition *each, struct arena *arena,
				   struct element_masks *out)
{
	struct slice *list = arena_array(arena, definition->n_mask, sizeof *list);

	*out = (struct element_masks){.masks = {list, 0}};
	if (!list)
		return ERR_NOMEM;
	for (size_t i = 0; i < definition->n_mask; i++) {
		struct slice mask = definition->mask[i];

		switch (expression_reads(each->in, ROOT_INPUT, mask)) {
		case READS_NOTHING: break;
		case READS_AROUND:
			list[out->masks.n++] = expression_rest(each->in, mask);
			break;
		case READS_IT: out->all = true; break;
		}
	}
	return OK;
}

/* Where all of an element is masked no expression shows it. */
static enum err mask_items(struct expansion *expansion, const struct element_masks *of,
			   struct arena *arena)
{
	struct slice *items = arena_array(arena, expansion->n, sizeof *items);

	if (!items)
		return ERR_NOMEM;
	for (uint32_t n = 0; n < expansion->n; n++) {
		struct bytes item = BYTES(SAGA_BYTES_MAX, arena);

		write_masked(&item, of->masks, (struct json){expansion->items[n]});
		if (item.err)
			return ERR_NOMEM;
		items[n] = bytes_slice(&item);
	}
	expansion->items = items;
	return OK;
}

/* --- arguments -------------------------------------------------------------------- */

static const struct template hidden = {.kind = TEMPLATE_LITERAL, .literal = {{"\"***\"", 5}}};

struct hiding {
	const struct definition *definition;
	const struct element_masks *element; /* of the `each` around; NULL: there is none */
	struct arena *arena;
};

static bool tells(const struct hiding *hiding, const struct expression *expression)
{
	const struct definition *definition = hiding->definition;
	const struct element_masks *element = hiding->element;

	for (size_t i = 0; i < definition->n_mask; i++)
		if (expression_reads(expression, ROOT_INPUT, definition->mask[i]) == READS_IT)
			return true;
	for (size_t i = 0; element && i < element->masks.n; i++)
		if (expression_reads(expression, ROOT_ELEMENT, element->masks.list[i]) ==
		    READS_IT)
			return true;
	return element && element->all &&
	       expression_reads(expression, ROOT_ELEMENT, (struct slice){0}) != READS_NOTHING;
}

/* NULL: out of memory. */
static const struct template *hide(const struct hiding *hiding, const struct template *template)
{
	struct template_entry *entries;
	struct template *copy;

	if (template->kind == TEMPLATE_EXPRESSION && tells(hiding, template->expression))
		return &hidden;
	if (!template->n_entries)
		return template;
	copy = arena_alloc(hiding->arena, sizeof *copy);
	entries = arena_array(hiding->arena, template->n_entries, sizeof *entries);
	if (!copy || !entries)
		return NULL;
	*copy = *template;
	copy->entries = entries;
	for (size_t i = 0; i < template->n_entries; i++) {
		entries[i].name = template->entries[i].name;
		entries[i].value = hide(hiding, template->entries[i].value);
		if (!entries[i].value)
			return NULL;
	}
	return copy;
}

/* --- the output ------------------------------------------------------------------- */

/* What an expression gave: what it passes on has masks of its own. */
static void write_given(struct bytes *out, const struct definition *definition,
			const struct expression *expression, struct json value)
{
	const struct hiding hiding = {.definition = definition};
	struct arena arena = {0};
	struct masks masks = {0};
	struct slice *list = arena_array(&arena, definition->n_mask, sizeof *list);

	for (size_t i = 0; list && i < definition->n_mask; i++)
		if (expression_reads(expression, ROOT_INPUT, definition->mask[i]) ==
		    READS_AROUND)
			list[masks.n++] = expression_rest(expression, definition->mask[i]);
	masks.list = list;
	if (!list)
		out->err = out->err ? out->err : ERR_NOMEM;
	else if (tells(&hiding, expression))
		bytes_append(out, hidden.literal.text);
	else
		write_masked(out, masks, value);
	arena_release(&arena);
}

/* The value has the form of the template that it was made of. */
static void write_output(struct bytes *out, const struct definition *definition,
			 const struct template *template, struct json value)
{
	bool object = template->kind == TEMPLATE_OBJECT;
	struct json_each each = json_each(value);

	if (template->kind == TEMPLATE_LITERAL)
		bytes_append(out, value.text);
	if (template->kind == TEMPLATE_EXPRESSION)
		write_given(out, definition, template->expression, value);
	if (template->kind == TEMPLATE_LITERAL || template->kind == TEMPLATE_EXPRESSION)
		return;
	bytes_add(out, object ? '{' : '[');
	for (size_t i = 0; i < template->n_entries && json_next(&each); i++) {
		bytes_text(out, i ? "," : "");
		if (object) {
			bytes_append(out, each.name.text);
			bytes_add(out, ':');
		}
		write_output(out, definition, template->entries[i].value, each.value);
	}
	bytes_add(out, object ? '}' : ']');
}

void masked_output(struct bytes *out, const struct definition *definition, struct json output)
{
	if (!definition || !output.text.len)
		bytes_text(out, "null");
	else if (definition->n_mask && definition->output && json_type(output) == JSON_OBJECT)
		write_output(out, definition, definition->output, output);
	else
		bytes_append(out, output.text);
}

/* --- undos ------------------------------------------------------------------------ */

static enum err hide_undo(struct hiding *hiding, struct step_definition *step)
{
	struct element_masks element;
	enum err err;

	hiding->element = NULL;
	if (!step->has_undo)
		return OK;
	if (step->each != NO_STEP) {
		err = find_element_masks(hiding->definition,
					 &hiding->definition->steps[step->each], hiding->arena,
					 &element);
		if (err)
			return err;
		hiding->element = &element;
	}
	step->undo.with = hide(hiding, step->undo.with);
	return step->undo.with ? OK : ERR_NOMEM;
}

static enum err hide_undos(const struct definition *definition, struct arena *arena,
			   const struct definition **out)
{
	struct definition *copy = arena_alloc(arena, sizeof *copy);
	struct step_definition *steps = arena_array(arena, definition->n_steps, sizeof *steps);
	struct hiding hiding = {.definition = definition, .arena = arena};
	enum err err = copy && steps ? OK : ERR_NOMEM;

	if (err)
		return err;
	*copy = *definition;
	copy->steps = steps;
	for (uint32_t i = 0; i < definition->n_steps && !err; i++) {
		steps[i] = definition->steps[i];
		err = hide_undo(&hiding, &steps[i]);
	}
	*out = copy;
	return err;
}

static enum err mask_elements(const struct definition *definition, const struct saga *saga,
			      struct arena *arena, const struct expansion **out)
{
	struct expansion *expansions =
		arena_array(arena, saga->n_expansions, sizeof *expansions);
	enum err err = expansions ? OK : ERR_NOMEM;

	for (uint32_t n = 0; n < saga->n_expansions && !err; n++) {
		struct element_masks element;

		expansions[n] = saga->expansions[n];
		err = find_element_masks(definition, &definition->steps[expansions[n].step],
					 arena, &element);
		if (!err && element.masks.n)
			err = mask_items(&expansions[n], &element, arena);
	}
	*out = expansions;
	return err;
}

enum err masked_undos(const struct definition *definition, const struct saga *saga,
		      struct arena *arena, struct masked_undos *out)
{
	struct bytes input = BYTES(SAGA_BYTES_MAX, arena);
	enum err err;

	*out = (struct masked_undos){definition, saga->input, saga->expansions};
	if (!definition->n_mask)
		return OK;
	masked_json(&input, definition, (struct json){saga->input});
	if (input.err)
		return ERR_NOMEM;
	out->input = bytes_slice(&input);
	err = hide_undos(definition, arena, &out->definition);
	return err ? err : mask_elements(definition, saga, arena, &out->expansions);
}

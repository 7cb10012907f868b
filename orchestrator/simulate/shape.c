#include "orchestrator/simulate/shape.h"

#include "orchestrator/core/expression_uses.h"
#include "orchestrator/core/family.h"

struct finder {
	const struct definition *definition;
	const struct family *family;
	struct arena *arena;
	struct shapes *shapes;
	bool nomem;

	/* Of the expression that is looked at. */
	uint32_t step;               /* where it stands, or NO_STEP */
	const struct schema *schema; /* of what it becomes; NULL: not known */
	bool is_time;                /* it becomes a point in time */
};

/* --- one place ------------------------------------------------------------------------- */

static void narrow(struct shape *shape, type_set types)
{
	if (shape->types & types)
		shape->types &= types;
}

static struct shape *shape_member(struct finder *finder, struct shape *shape, struct slice name)
{
	struct shape_member **link = &shape->members;

	while (*link && !slice_equal((*link)->name, name))
		link = &(*link)->next;
	if (*link)
		return &(*link)->shape;
	*link = arena_alloc(finder->arena, sizeof **link);
	if (!*link) {
		finder->nomem = true;
		return NULL;
	}
	(*link)->name = name;
	(*link)->shape.types = TYPE_ANY;
	return &(*link)->shape;
}

static struct shape *shape_element(struct finder *finder, struct shape *shape)
{
	if (shape->element)
		return shape->element;
	shape->element = arena_alloc(finder->arena, sizeof *shape->element);
	if (shape->element)
		shape->element->types = TYPE_ANY;
	else
		finder->nomem = true;
	return shape->element;
}

static void add_candidate(struct finder *finder, struct shape *shape, const struct value *value)
{
	struct bytes text = BYTES(EXPRESSION_TEXT_MAX * 2, finder->arena);

	if (shape->n_candidates == CANDIDATES_MAX)
		return;
	value_write(&text, value);
	if (text.err)
		finder->nomem = true;
	else
		shape->candidates[shape->n_candidates++].text = bytes_slice(&text);
}

/* --- one use --------------------------------------------------------------------------- */

static void found(void *context, const struct expression_use *use);

/* The element of an `each` is one of the list that it goes through. */
static void found_element(struct finder *finder, const struct expression_use *use)
{
	uint32_t each = finder->step == NO_STEP ? NO_STEP
						: finder->definition->steps[finder->step].each;
	uint32_t step = finder->step;
	struct expression_use whole;

	if (each == NO_STEP ||
	    !expression_is_path(finder->definition->steps[each].in, &whole) ||
	    whole.n_parts + 1 + use->n_parts > USE_PARTS_MAX)
		return;
	whole.parts[whole.n_parts++] = (struct use_part){.is_index = true};
	memcpy(&whole.parts[whole.n_parts], use->parts, use->n_parts * sizeof *use->parts);
	whole.n_parts += use->n_parts;
	whole.types = use->types;
	whole.beside = use->beside;
	finder->step = each; /* the list is named where the `each` stands */
	found(finder, &whole);
	finder->step = step;
}

static struct shape *root_of(struct finder *finder, const struct expression_use *use,
			     size_t *first)
{
	*first = 0;
	if (use->name.root == ROOT_INPUT)
		return &finder->shapes->input;
	if (use->name.root != ROOT_STEP_OUT)
		return NULL;
	/* Outside of its `each` the output of a step is the list of all of them. */
	if (use->name.all && (!use->n_parts || !use->parts[0].is_index))
		return NULL;
	*first = use->name.all;
	return &finder->shapes->outputs[use->name.step];
}

static void found(void *context, const struct expression_use *use)
{
	struct finder *finder = context;
	struct shape *shape;
	size_t i;

	if (use->name.root == ROOT_ELEMENT) {
		found_element(finder, use);
		return;
	}
	shape = root_of(finder, use, &i);
	for (; shape && i < use->n_parts; i++) {
		const struct use_part *part = &use->parts[i];

		narrow(shape, TYPE_OF(part->is_index ? JSON_LIST : JSON_OBJECT));
		shape = part->is_index ? shape_element(finder, shape)
				       : shape_member(finder, shape, part->name);
	}
	if (!shape)
		return;
	narrow(shape, use->types);
	if (use->beside)
		add_candidate(finder, shape, use->beside);
}

/* What a path becomes as a whole, it has to be itself. */
static void found_whole(void *context, const struct expression_use *use)
{
	struct finder *finder = context;
	struct shape *shape;
	size_t i;

	found(finder, use);
	if (use->name.root == ROOT_ELEMENT)
		return;
	shape = root_of(finder, use, &i);
	for (; shape && i < use->n_parts; i++)
		shape = use->parts[i].is_index
				? shape_element(finder, shape)
				: shape_member(finder, shape, use->parts[i].name);
	if (!shape)
		return;
	shape->is_time |= finder->is_time;
	if (finder->schema && !shape->schema)
		shape->schema = finder->schema;
}

/* --- all expressions ------------------------------------------------------------------- */

static void look(struct finder *finder, const struct expression *expression, type_set wanted)
{
	struct expression_use use;

	if (!expression)
		return;
	if (!expression_is_path(expression, &use)) {
		expression_uses(expression, wanted, found, finder);
		return;
	}
	use.types = wanted;
	use.beside = NULL;
	found_whole(finder, &use);
}

/* Arguments; `schema` is what they have to fit, or NULL. */
static void look_template(struct finder *finder, const struct template *template,
			  const struct schema *schema)
{
	if (!template)
		return;
	switch (template->kind) {
	case TEMPLATE_LITERAL: return;
	case TEMPLATE_EXPRESSION:
		finder->schema = schema;
		look(finder, template->expression, schema ? schema->types : TYPE_ANY);
		finder->schema = NULL;
		return;
	case TEMPLATE_OBJECT:
		for (size_t i = 0; i < template->n_entries; i++)
			look_template(finder, template->entries[i].value,
				      schema ? schema_member(schema, template->entries[i].name)
					     : NULL);
		return;
	case TEMPLATE_LIST:
		for (size_t i = 0; i < template->n_entries; i++)
			look_template(finder, template->entries[i].value,
				      schema ? schema_element(schema) : NULL);
		return;
	}
}

static void look_step(struct finder *finder, const struct step_definition *step)
{
	const struct definition *child =
		step->form == FORM_SAGA ? family_find(finder->family->list, finder->family->n,
						      step->child, step->child_version)
					: NULL;

	look(finder, step->when, TYPE_OF(JSON_BOOL));
	look(finder, step->in, TYPE_OF(JSON_LIST));
	look(finder, step->child_key, TYPE_OF(JSON_TEXT));
	finder->is_time = true;
	look(finder, step->until, TYPE_OF(JSON_TEXT));
	finder->is_time = false;
	if (form_commands(step->form))
		look_template(finder, step->call.with, child ? child->input : NULL);
	if (step->has_undo && step->form != FORM_SAGA)
		look_template(finder, step->undo.with, NULL);
}

enum err shapes_find(const struct definition *definition, const struct family *family,
		     struct arena *arena, struct shapes *out)
{
	struct finder finder = {.definition = definition,
				.family = family,
				.arena = arena,
				.shapes = out,
				.step = NO_STEP};

	*out = (struct shapes){.input.types = TYPE_ANY};
	out->outputs = arena_array(arena, definition->n_steps, sizeof *out->outputs);
	if (!out->outputs)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < definition->n_steps; i++)
		out->outputs[i].types = TYPE_ANY;
	look(&finder, definition->key, TYPE_OF(JSON_TEXT));
	for (finder.step = 0; finder.step < definition->n_steps; finder.step++)
		look_step(&finder, &definition->steps[finder.step]);
	finder.step = NO_STEP;
	look_template(&finder, definition->output, NULL);
	return finder.nomem ? ERR_NOMEM : OK;
}

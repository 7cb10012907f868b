#include "orchestrator/simulate/make.h"

#include "base/rfc3339.h"
#include "orchestrator/simulate/run.h"

enum {
	TRIES = 30,
	LIST_MORE = 3,  /* elements over the least */
	NUMBERS = 1000, /* how far numbers reach, unless something is said of them */
	DAY_MS = 24 * 60 * 60 * 1000,
};

struct maker {
	struct dice dice;
	struct bytes *out;
};

static void make_by_schema(struct maker *maker, const struct schema *schema, struct slice name);
static void make_by_shape(struct maker *maker, const struct shape *shape, struct slice name);

/* --- texts and numbers ----------------------------------------------------------------- */

static void make_text(struct maker *maker, struct slice name)
{
	char text[NAME_MAX_BYTES + 8];
	size_t len = name.len < NAME_MAX_BYTES ? name.len : NAME_MAX_BYTES;
	struct bytes made = BYTES(sizeof text, NULL);

	made.at = text;
	made.capacity = sizeof text;
	bytes_append(&made, utf8_cut(name, len));
	bytes_format(&made, "-%04x", (unsigned)dice_below(&maker->dice, 0x10000));
	json_write_text(maker->out, bytes_slice(&made));
}

static void make_time(struct maker *maker)
{
	char text[RFC3339_TEXT_SIZE];

	rfc3339_format(RUN_BEGINS_MS + dice_between(&maker->dice, 0, DAY_MS), text);
	json_write_text(maker->out, slice_of(text));
}

static void make_number(struct maker *maker, int64_t least, int64_t most)
{
	bytes_format(maker->out, "%lld", (long long)dice_between(&maker->dice, least, most));
}

static void make_bool(struct maker *maker)
{
	bytes_text(maker->out, dice_below(&maker->dice, 2) ? "true" : "false");
}

/* A little less, the same, a little more: so that comparisons come out either way. */
static bool make_near(struct maker *maker, struct json candidate)
{
	char text[DECIMAL_TEXT_MAX];
	struct decimal number;

	if (json_number(candidate, &number) != DECIMAL_OK ||
	    decimal_add(number, (struct decimal){(int64_t)dice_below(&maker->dice, 3) - 1, 0},
			&number) != DECIMAL_OK)
		return false;
	bytes_append(maker->out, (struct slice){text, decimal_format(number, text)});
	return true;
}

/* --- by schema ------------------------------------------------------------------------- */

static uint64_t throw(void *context)
{
	return dice_next(context);
}

/* Letters, as many as are asked for. */
static void make_long_text(struct maker *maker, const struct schema *schema, struct slice name)
{
	size_t len = name.len + 5;

	if (len >= schema->min_length && len <= schema->max_length) {
		make_text(maker, name);
		return;
	}
	if (len > schema->max_length)
		len = schema->max_length;
	if (len < schema->min_length)
		len = schema->min_length;
	bytes_add(maker->out, '"');
	for (size_t i = 0; i < len && !maker->out->err; i++)
		bytes_add(maker->out, (char)('a' + dice_below(&maker->dice, 26)));
	bytes_add(maker->out, '"');
}

static void make_text_by_schema(struct maker *maker, const struct schema *schema,
				struct slice name)
{
	char room[256];
	size_t length = 0;

	if (!schema->pattern) {
		make_long_text(maker, schema, name);
		return;
	}
	for (int i = 0; i < TRIES; i++) {
		struct bytes text = BYTES(sizeof room, NULL);

		text.at = room;
		text.capacity = sizeof room;
		pattern_example(schema->pattern, throw, &maker->dice, &text);
		length = utf8_count(bytes_slice(&text));
		if (!text.err && (i + 1 == TRIES || (length >= schema->min_length &&
						     length <= schema->max_length))) {
			json_write_text(maker->out, bytes_slice(&text));
			return;
		}
	}
	make_long_text(maker, schema, name);
}

static void make_number_by_schema(struct maker *maker, const struct schema *schema)
{
	int64_t least = 1, most;
	char text[DECIMAL_TEXT_MAX];

	if (schema->has_minimum) {
		least = decimal_truncate(schema->minimum);
		least += decimal_compare((struct decimal){least, 0}, schema->minimum) < 0;
	} else if (schema->has_maximum && decimal_truncate(schema->maximum) < least) {
		least = decimal_truncate(schema->maximum) - NUMBERS;
	}
	most = least + NUMBERS;
	if (schema->has_maximum && decimal_truncate(schema->maximum) < most)
		most = decimal_truncate(schema->maximum);
	if (least <= most)
		make_number(maker, least, most);
	else /* no whole number is between the two */
		bytes_append(maker->out,
			     (struct slice){text, decimal_format(schema->minimum, text)});
}

static void make_object_by_schema(struct maker *maker, const struct schema *schema)
{
	bool first = true;

	bytes_add(maker->out, '{');
	for (size_t i = 0; i < schema->n_properties; i++) {
		const struct schema_property *property = &schema->properties[i];

		if (!schema_requires(schema, property->name) && dice_below(&maker->dice, 2))
			continue;
		if (!first)
			bytes_add(maker->out, ',');
		first = false;
		json_write_text(maker->out, property->name);
		bytes_add(maker->out, ':');
		make_by_schema(maker, property->schema, property->name);
	}
	bytes_add(maker->out, '}');
}

static void make_list_by_schema(struct maker *maker, const struct schema *schema,
				struct slice name)
{
	uint32_t n = schema->min_items + dice_below(&maker->dice, LIST_MORE + 1);

	n = n > schema->max_items ? schema->max_items : n;
	bytes_add(maker->out, '[');
	for (uint32_t i = 0; i < n && !maker->out->err; i++) {
		if (i)
			bytes_add(maker->out, ',');
		make_by_schema(maker, schema_element(schema), name);
	}
	bytes_add(maker->out, ']');
}

static void make_by_schema(struct maker *maker, const struct schema *schema, struct slice name)
{
	if (schema->n_choices)
		bytes_append(
			maker->out,
			schema->choices[dice_below(&maker->dice, (uint32_t)schema->n_choices)]
				.text);
	else if (schema->types & TYPE_OF(JSON_OBJECT) && schema->types != TYPE_ANY)
		make_object_by_schema(maker, schema);
	else if (schema->types & TYPE_OF(JSON_TEXT))
		make_text_by_schema(maker, schema, name);
	else if (schema->types & TYPE_OF(JSON_NUMBER))
		make_number_by_schema(maker, schema);
	else if (schema->types & TYPE_OF(JSON_LIST))
		make_list_by_schema(maker, schema, name);
	else if (schema->types & TYPE_OF(JSON_BOOL))
		make_bool(maker);
	else
		bytes_text(maker->out, "null");
}

/* --- by shape -------------------------------------------------------------------------- */

static void make_members(struct maker *maker, const struct shape *shape)
{
	bytes_add(maker->out, '{');
	for (const struct shape_member *at = shape->members; at; at = at->next) {
		if (at != shape->members)
			bytes_add(maker->out, ',');
		json_write_text(maker->out, at->name);
		bytes_add(maker->out, ':');
		make_by_shape(maker, &at->shape, at->name);
	}
	bytes_add(maker->out, '}');
}

static void make_list(struct maker *maker, const struct shape *element, struct slice name)
{
	uint32_t n = 1 + dice_below(&maker->dice, LIST_MORE);

	bytes_add(maker->out, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			bytes_add(maker->out, ',');
		if (element)
			make_by_shape(maker, element, name);
		else
			make_text(maker, name);
	}
	bytes_add(maker->out, ']');
}

/* One of what it is compared with, three times out of four. */
static bool make_candidate(struct maker *maker, const struct shape *shape)
{
	struct json candidate;

	if (!shape->n_candidates || !dice_below(&maker->dice, 4))
		return false;
	candidate = shape->candidates[dice_below(&maker->dice, (uint32_t)shape->n_candidates)];
	if (!(shape->types & TYPE_OF(json_type(candidate))))
		return false;
	if (json_type(candidate) == JSON_NUMBER)
		return make_near(maker, candidate);
	bytes_append(maker->out, candidate.text);
	return true;
}

static void make_by_shape(struct maker *maker, const struct shape *shape, struct slice name)
{
	if (shape->members)
		make_members(maker, shape);
	else if (shape->element)
		make_list(maker, shape->element, name);
	else if (shape->schema && shape->schema->types != TYPE_ANY)
		make_by_schema(maker, shape->schema, name);
	else if (shape->is_time)
		make_time(maker);
	else if (make_candidate(maker, shape))
		return;
	else if (shape->types & TYPE_OF(JSON_TEXT))
		make_text(maker, name);
	else if (shape->types & TYPE_OF(JSON_NUMBER))
		make_number(maker, 1, NUMBERS);
	else if (shape->types & TYPE_OF(JSON_BOOL))
		make_bool(maker);
	else if (shape->types & TYPE_OF(JSON_LIST))
		make_list(maker, NULL, name);
	else
		bytes_text(maker->out, shape->types & TYPE_OF(JSON_OBJECT) ? "{}" : "null");
}

void make_value(struct dice dice, const struct shape *shape, struct slice name,
		struct bytes *out)
{
	struct maker maker = {dice, out};

	make_by_shape(&maker, shape, name);
}

void make_fitting(struct dice dice, const struct schema *schema, struct slice name,
		  struct bytes *out)
{
	struct maker maker = {dice, out};

	make_by_schema(&maker, schema, name);
}

enum err make_input(struct dice dice, const struct definition *definition,
		    const struct shape *shape, struct arena *arena, struct json *out,
		    struct diag *diag)
{
	struct diag why = {""};
	enum err err = ERR_INVALID;

	for (int i = 0; i < TRIES && err == ERR_INVALID; i++) {
		struct bytes text = BYTES(PAYLOAD_MAX, arena);
		struct maker maker = {dice, &text};

		if (definition->input->types == TYPE_ANY && shape->types == TYPE_ANY)
			bytes_text(&text, "{}"); /* nobody asks for anything */
		else if (definition->input->types == TYPE_ANY)
			make_by_shape(&maker, shape, SLICE_LITERAL("input"));
		else
			make_by_schema(&maker, definition->input, SLICE_LITERAL("input"));
		dice = maker.dice;
		if (text.err)
			return text.err;
		out->text = bytes_slice(&text);
		err = schema_validate(definition->input, *out, arena, &why);
	}
	if (err == ERR_INVALID)
		return diag_set(
			diag, err,
			"no input could be made up that the schema allows (%s); give one "
			"with --input",
			why.text);
	return err;
}

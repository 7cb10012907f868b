#include "orchestrator/core/schema.h"

#include "base/problems.h"

const struct schema schema_any = {
	.types = TYPE_ANY,
	.additional = &schema_any,
	.max_length = UINT32_MAX,
	.max_items = UINT32_MAX,
	.text = {{"{}", 2}},
};

/* --- what a schema says -------------------------------------------------------- */

static size_t put(char text[TYPE_SET_TEXT_MAX], size_t at, const char *more)
{
	size_t len = strlen(more);

	memcpy(text + at, more, len + 1);
	return at + len;
}

const char *type_set_text(type_set types, char text[TYPE_SET_TEXT_MAX])
{
	/* null last: "text or null". */
	static const enum json_type order[] = {JSON_BOOL, JSON_NUMBER, JSON_TEXT,
					       JSON_LIST, JSON_OBJECT, JSON_NULL};
	size_t at = 0;

	types &= TYPE_ANY;
	if (types == 0 || types == TYPE_ANY) {
		put(text, 0, types ? "anything" : "nothing");
		return text;
	}
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		if (!(types & TYPE_OF(order[i])))
			continue;
		types &= (type_set)~TYPE_OF(order[i]);
		if (at > 0)
			at = put(text, at, types ? ", " : " or ");
		at = put(text, at, json_type_name(order[i]));
	}
	return text;
}

static const struct schema_property *find_property(const struct schema *schema,
						   struct slice name)
{
	for (size_t i = 0; i < schema->n_properties; i++)
		if (slice_equal(schema->properties[i].name, name))
			return &schema->properties[i];
	return NULL;
}

const struct schema *schema_member(const struct schema *schema, struct slice name)
{
	const struct schema_property *property = find_property(schema, name);

	return property ? property->schema : schema->additional;
}

const struct schema *schema_element(const struct schema *schema)
{
	return schema->items ? schema->items : &schema_any;
}

bool schema_requires(const struct schema *schema, struct slice name)
{
	for (size_t i = 0; i < schema->n_required; i++)
		if (slice_equal(schema->required[i], name))
			return true;
	return false;
}

/* --- validation ----------------------------------------------------------------- */

/* Where the value stands, from the inside out. */
struct where {
	const struct where *outer; /* NULL: the input itself */
	struct json name;          /* of a member; empty for an element */
	size_t index;
};

struct validation {
	struct arena *arena;
	struct diag *diag;
};

static bool is_plain(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' &&
		    (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return name.len > 0;
}

static void write_where(struct bytes *out, const struct where *where)
{
	struct slice name, inside;

	if (!where->outer) {
		bytes_text(out, "input");
		return;
	}
	write_where(out, where->outer);
	name = where->name.text;
	if (name.len == 0) {
		bytes_format(out, "[%zu]", where->index);
		return;
	}
	inside = (struct slice){name.at + 1, name.len - 2};
	if (is_plain(inside))
		bytes_format(out, ".%.*s", SLICE_ARG(inside));
	else
		bytes_format(out, "[%.*s]", SLICE_ARG(name));
}

/* "PATH: SENTENCE". The path is cut before a part that would make it long: the
 * names in it may be the sender's. */
static enum err refuse(const struct validation *validation, const struct where *where,
		       const char *sentence)
{
	enum { WHERE_MAX = 200 };
	struct bytes path = BYTES(WHERE_MAX, validation->arena);

	write_where(&path, where);
	if (path.err == ERR_NOMEM)
		return ERR_NOMEM;
	return diag_set(validation->diag, ERR_INVALID, "%.*s%s: %s", SLICE_ARG(path),
			path.err ? "..." : "", sentence);
}

/* The same with a sentence that was put together. */
static enum err refuse_bytes(const struct validation *validation, const struct where *where,
			     struct bytes *sentence)
{
	bytes_add(sentence, '\0');
	return sentence->err ? ERR_NOMEM : refuse(validation, where, sentence->at);
}

static enum err refuse_count(const struct validation *validation, const struct where *where,
			     const char *limit, uint32_t n, const char *unit)
{
	struct bytes sentence = BYTES(DIAG_MAX, validation->arena);

	bytes_format(&sentence, "must have %s %u %s%s", limit, (unsigned)n, unit,
		     n == 1 ? "" : "s");
	return refuse_bytes(validation, where, &sentence);
}

static enum err refuse_limit(const struct validation *validation, const struct where *where,
			     const char *limit, struct decimal number)
{
	struct bytes sentence = BYTES(DIAG_MAX, validation->arena);
	char text[DECIMAL_TEXT_MAX];
	size_t len = decimal_format(number, text);

	bytes_format(&sentence, "must be %s %.*s", limit, (int)len, text);
	return refuse_bytes(validation, where, &sentence);
}

static enum err validate_type(const struct validation *validation, const struct schema *schema,
			      struct json value, const struct where *where)
{
	struct bytes sentence = BYTES(DIAG_MAX, validation->arena);
	char text[TYPE_SET_TEXT_MAX];
	enum json_type type = json_type(value);

	if (schema->types & TYPE_OF(type))
		return OK;
	bytes_format(&sentence, "must be %s, not %s", type_set_text(schema->types, text),
		     json_type_name(type));
	return refuse_bytes(validation, where, &sentence);
}

/* The values of the schema are its author's: as many are named as fit. */
static enum err validate_choice(const struct validation *validation,
				const struct schema *schema, struct json value,
				const struct where *where)
{
	enum { NAMED_MAX = 160 };
	struct bytes sentence = BYTES(DIAG_MAX, validation->arena);

	for (size_t i = 0; i < schema->n_choices; i++)
		if (json_equal(schema->choices[i], value))
			return OK;
	if (schema->n_choices == 0)
		return OK;
	bytes_text(&sentence, schema->n_choices == 1 ? "must be " : "must be one of ");
	for (size_t i = 0; i < schema->n_choices; i++) {
		struct slice choice = schema->choices[i].text;

		bytes_text(&sentence, i > 0 ? ", " : "");
		if (sentence.len + choice.len > NAMED_MAX) {
			bytes_text(&sentence, "...");
			break;
		}
		bytes_append(&sentence, choice);
	}
	return refuse_bytes(validation, where, &sentence);
}

static enum err validate_number(const struct validation *validation,
				const struct schema *schema, struct json value,
				const struct where *where)
{
	struct decimal number = {0};

	if (!schema->whole_numbers && !schema->has_minimum && !schema->has_maximum)
		return OK;
	if (json_number(value, &number) != DECIMAL_OK)
		return refuse(validation, where,
			      "must fit an exact number: 64 bits, at most 18 digits behind "
			      "the point");
	if (schema->whole_numbers && !decimal_is_whole(number))
		return refuse(validation, where, "must be a whole number");
	if (schema->has_minimum && decimal_compare(number, schema->minimum) < 0)
		return refuse_limit(validation, where, "at least", schema->minimum);
	if (schema->has_maximum && decimal_compare(number, schema->maximum) > 0)
		return refuse_limit(validation, where, "at most", schema->maximum);
	return OK;
}

static enum err validate_text(const struct validation *validation, const struct schema *schema,
			      struct json value, const struct where *where)
{
	bool nomem = false;
	struct slice text;

	if (schema->min_length > 0 || schema->max_length < UINT32_MAX) {
		size_t n = json_size(value);

		if (n < schema->min_length)
			return refuse_count(validation, where, "at least", schema->min_length,
					    "character");
		if (n > schema->max_length)
			return refuse_count(validation, where, "at most", schema->max_length,
					    "character");
	}
	if (!schema->pattern)
		return OK;
	if (!json_text(value, validation->arena, &text))
		return ERR_NOMEM;
	if (pattern_matches(schema->pattern, text, validation->arena, &nomem))
		return OK;
	return nomem ? ERR_NOMEM
		     : refuse(validation, where, "must match the pattern of the schema");
}

static enum err validate(const struct validation *validation, const struct schema *schema,
			 struct json value, const struct where *where);

static enum err validate_list(const struct validation *validation, const struct schema *schema,
			      struct json value, const struct where *where)
{
	struct where inside = {.outer = where};
	struct json_each each = json_each(value);
	size_t n = json_size(value);
	enum err err = OK;

	if (n < schema->min_items)
		return refuse_count(validation, where, "at least", schema->min_items,
				    "element");
	if (n > schema->max_items)
		return refuse_count(validation, where, "at most", schema->max_items, "element");
	if (!schema->items)
		return OK;
	for (; !err && json_next(&each); inside.index++)
		err = validate(validation, schema->items, each.value, &inside);
	return err;
}

static enum err refuse_name(const struct validation *validation, const struct schema *schema,
			    struct slice name, const struct where *where)
{
	const char **known =
		arena_array(validation->arena, schema->n_properties + 1, sizeof *known);
	struct bytes sentence = BYTES(DIAG_MAX, validation->arena);
	const char *meant;
	struct slice copy;

	if (!known)
		return ERR_NOMEM;
	for (size_t i = 0; i < schema->n_properties; i++) {
		if (!arena_copy(validation->arena, schema->properties[i].name, &copy))
			return ERR_NOMEM;
		known[i] = copy.at;
	}
	meant = suggest(name, known, schema->n_properties);
	bytes_text(&sentence, "is not a name that the schema allows");
	if (meant)
		bytes_format(&sentence, "; did you mean %s?", meant);
	return refuse_bytes(validation, where, &sentence);
}

static enum err refuse_missing(const struct validation *validation, const struct schema *schema,
			       struct json value, const struct where *where)
{
	struct where inside = {.outer = where};

	for (size_t i = 0; i < schema->n_required; i++) {
		struct slice name = schema->required[i];
		struct bytes written = BYTES(6 * name.len + 2, validation->arena);
		struct json member;

		if (json_get(value, name, &member))
			continue;
		json_write_text(&written, name);
		if (written.err)
			return ERR_NOMEM;
		inside.name.text = bytes_slice(&written);
		return refuse(validation, &inside, "is missing, but the schema requires it");
	}
	return OK;
}

/* One walk over the members: the required ones are counted on the way, and
 * looked for only where one is missing. */
static enum err validate_object(const struct validation *validation,
				const struct schema *schema, struct json value,
				const struct where *where)
{
	struct json_each each = json_each(value);
	size_t n_found = 0;

	while (json_next(&each)) {
		struct where inside = {.outer = where, .name = each.name};
		const struct schema *member;
		struct slice name;
		enum err err;

		if (!json_text(each.name, validation->arena, &name))
			return ERR_NOMEM;
		member = schema_member(schema, name);
		if (!member)
			return refuse_name(validation, schema, name, &inside);
		err = validate(validation, member, each.value, &inside);
		if (err)
			return err;
		n_found += schema_requires(schema, name);
	}
	if (n_found == schema->n_required)
		return OK;
	return refuse_missing(validation, schema, value, where);
}

/* As deep as the value nests: at most JSON_DEPTH_MAX. */
static enum err validate(const struct validation *validation, const struct schema *schema,
			 struct json value, const struct where *where)
{
	enum err err;

	if (schema == &schema_any)
		return OK;
	err = validate_type(validation, schema, value, where);
	if (!err)
		err = validate_choice(validation, schema, value, where);
	if (err)
		return err;
	switch (json_type(value)) {
	case JSON_NUMBER: return validate_number(validation, schema, value, where);
	case JSON_TEXT: return validate_text(validation, schema, value, where);
	case JSON_LIST: return validate_list(validation, schema, value, where);
	case JSON_OBJECT: return validate_object(validation, schema, value, where);
	case JSON_NULL:
	case JSON_BOOL: return OK;
	}
	return OK;
}

enum err schema_validate(const struct schema *schema, struct json value, struct arena *arena,
			 struct diag *diag)
{
	struct validation validation = {arena, diag};
	struct where input = {0};

	return validate(&validation, schema, value, &input);
}

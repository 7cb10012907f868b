/* load_schema.c - the part of JSON Schema that a saga's input is checked with.
 *
 * A schema is read into struct schema and at the same time written in its normal
 * form: the keywords in a fixed order, and those left out that allow everything.
 * Whatever else JSON Schema has is an error, so that nobody relies on a check
 * that is not made. */
#include "orchestrator/load/loader.h"

enum {
	SCHEMA_DEPTH_MAX = 32,   /* lists and mappings inside each other */
	SCHEMA_NAMES_MAX = 1000, /* properties of one object */
	SCHEMA_PATTERNS_MAX = 64,
};

/* Where in the text of the whole a part of it stands. */
struct span {
	struct schema *schema;
	size_t start;
	size_t len;
	struct span *next;
};

struct schema_reader {
	struct loader *loader;
	struct bytes text;
	bool first_keyword; /* of the schema that is being written */
	unsigned n_patterns;
	struct span *spans;
};

static const char *const keyword_names[] = {
	"type",     "properties", "required",  "additionalProperties",
	"items",    "enum",       "const",     "minimum",
	"maximum",  "minLength",  "maxLength", "pattern",
	"minItems", "maxItems"};

static const struct type_name {
	const char *name;
	type_set types;
} type_names[] = {
	{"null", TYPE_OF(JSON_NULL)},      {"boolean", TYPE_OF(JSON_BOOL)},
	{"integer", TYPE_OF(JSON_NUMBER)}, {"number", TYPE_OF(JSON_NUMBER)},
	{"string", TYPE_OF(JSON_TEXT)},    {"array", TYPE_OF(JSON_LIST)},
	{"object", TYPE_OF(JSON_OBJECT)},
};

enum {
	N_KEYWORDS = sizeof keyword_names / sizeof keyword_names[0],
	N_TYPE_NAMES = sizeof type_names / sizeof type_names[0],
	INTEGER = 2, /* among the names of types */
	NUMBER = 3,
};

static const struct schema *read_schema(struct schema_reader *reader,
					const struct yaml_node *node);

static void report_schema(struct schema_reader *reader, struct place place,
			  const char *sentence)
{
	report(reader->loader->problems, place, CODE_BAD_SCHEMA, "%s", sentence);
}

/* --- the text ------------------------------------------------------------------ */

static void write_keyword(struct schema_reader *reader, const char *keyword)
{
	if (!reader->first_keyword)
		bytes_add(&reader->text, ',');
	reader->first_keyword = false;
	json_write_text(&reader->text, slice_of(keyword));
	bytes_add(&reader->text, ':');
}

static void write_count(struct schema_reader *reader, const char *keyword, uint32_t count)
{
	write_keyword(reader, keyword);
	bytes_format(&reader->text, "%u", (unsigned)count);
}

/* --- type ---------------------------------------------------------------------- */

static int find_type(struct schema_reader *reader, const struct yaml_node *node)
{
	static const char *const words[] = {"null",   "boolean", "integer", "number",
					    "string", "array",   "object",  NULL};
	int index;

	/* The type null is a text, but easily written without quotes. */
	if (node->kind == YAML_SCALAR && node->plain && slice_is(node->text, "null"))
		return 0;
	return read_word(reader->loader, node, "type", words, &index) ? index : -1;
}

static void write_types(struct schema_reader *reader, unsigned given)
{
	bool several = (given & (given - 1)) != 0, first = true;

	write_keyword(reader, "type");
	if (several)
		bytes_add(&reader->text, '[');
	for (unsigned i = 0; i < N_TYPE_NAMES; i++) {
		if (!(given >> i & 1))
			continue;
		if (!first)
			bytes_add(&reader->text, ',');
		first = false;
		json_write_text(&reader->text, slice_of(type_names[i].name));
	}
	if (several)
		bytes_add(&reader->text, ']');
}

static void read_types(struct schema_reader *reader, const struct yaml_node *node,
		       struct schema *schema)
{
	unsigned given = 0; /* a set of indexes into type_names */
	int index;

	if (node->kind == YAML_LIST) {
		for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
			index = find_type(reader, entry->value);
			if (index >= 0)
				given |= 1u << index;
		}
		if (node->n == 0)
			report_schema(reader, node->place,
				      "`type` is an empty list, so that nothing is right; name "
				      "a type");
	} else {
		index = find_type(reader, node);
		if (index >= 0)
			given = 1u << index;
	}
	if (!given)
		return;
	if (given >> NUMBER & 1)
		given &= ~(1u << INTEGER);
	schema->types = 0;
	for (unsigned i = 0; i < N_TYPE_NAMES; i++)
		schema->types |= given >> i & 1 ? type_names[i].types : 0;
	schema->whole_numbers = given >> INTEGER & 1;
	write_types(reader, given);
}

/* --- objects ------------------------------------------------------------------- */

static void read_properties(struct schema_reader *reader, const struct yaml_node *node,
			    struct schema *schema)
{
	struct schema_property *properties;

	if (!mapping_check(reader->loader, node, "`properties` needs a mapping of schemas"))
		return;
	if (node->n > SCHEMA_NAMES_MAX) {
		report(reader->loader->problems, node->place, CODE_BAD_SCHEMA,
		       "`properties` has %zu names; at most %d are allowed, so nest them or "
		       "use "
		       "a list",
		       node->n, SCHEMA_NAMES_MAX);
		return;
	}
	properties = keep_alloc(reader->loader, node->n, sizeof *properties);
	if (!properties || node->n == 0)
		return;
	write_keyword(reader, "properties");
	bytes_add(&reader->text, '{');
	schema->properties = properties;
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		struct schema_property *property = &properties[schema->n_properties];

		if (!keep_text(reader->loader, entry->name, &property->name))
			return;
		if (schema->n_properties++ > 0)
			bytes_add(&reader->text, ',');
		json_write_text(&reader->text, entry->name);
		bytes_add(&reader->text, ':');
		property->schema = read_schema(reader, entry->value);
	}
	bytes_add(&reader->text, '}');
	reader->first_keyword = false;
}

static bool is_required(const struct schema *schema, struct slice name)
{
	for (size_t i = 0; i < schema->n_required; i++) {
		if (slice_equal(schema->required[i], name))
			return true;
	}
	return false;
}

static void add_required(struct schema_reader *reader, const struct yaml_node *node,
			 struct slice *required, struct schema *schema)
{
	struct slice name;

	if (!read_text(reader->loader, node, "`required` needs a list of names", &name))
		return;
	if (is_required(schema, name)) {
		report(reader->loader->problems, node->place, CODE_BAD_SCHEMA,
		       "`%s` is required twice; remove one of them",
		       shown(name, &(struct shown){""}));
		return;
	}
	if (!keep_text(reader->loader, name, &required[schema->n_required]))
		return;
	if (schema->n_required++ > 0)
		bytes_add(&reader->text, ',');
	json_write_text(&reader->text, name);
}

static void read_required(struct schema_reader *reader, const struct yaml_node *node,
			  struct schema *schema)
{
	struct slice *required;

	if (node->kind != YAML_LIST) {
		report_type(reader->loader, node, "`required` needs a list of names");
		return;
	}
	if (node->n > SCHEMA_NAMES_MAX) {
		report(reader->loader->problems, node->place, CODE_BAD_SCHEMA,
		       "`required` has %zu names; at most %d are allowed", node->n,
		       SCHEMA_NAMES_MAX);
		return;
	}
	required = keep_alloc(reader->loader, node->n, sizeof *required);
	if (!required || node->n == 0)
		return;
	write_keyword(reader, "required");
	bytes_add(&reader->text, '[');
	schema->required = required;
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next)
		add_required(reader, entry->value, required, schema);
	bytes_add(&reader->text, ']');
}

static bool is_bool(const struct yaml_node *node, const char *word)
{
	return node->kind == YAML_SCALAR && node->plain && slice_is(node->text, word);
}

/* A schema that allows everything. */
static bool is_anything(const struct yaml_node *node)
{
	return is_bool(node, "true") || (node->kind == YAML_MAPPING && node->n == 0);
}

static void read_additional(struct schema_reader *reader, const struct yaml_node *node,
			    struct schema *schema)
{
	if (is_anything(node))
		return;
	if (is_bool(node, "false")) {
		write_keyword(reader, "additionalProperties");
		bytes_text(&reader->text, "false");
		schema->additional = NULL;
		return;
	}
	if (node->kind != YAML_MAPPING) {
		report_type(reader->loader, node,
			    "`additionalProperties` needs true, false or a schema");
		return;
	}
	write_keyword(reader, "additionalProperties");
	schema->additional = read_schema(reader, node);
	reader->first_keyword = false;
}

static void check_required(struct schema_reader *reader, const struct yaml_node *required,
			   const struct schema *schema)
{
	for (size_t i = 0; i < schema->n_required && !schema->additional; i++) {
		size_t j = 0;

		while (j < schema->n_properties &&
		       !slice_equal(schema->properties[j].name, schema->required[i]))
			j++;
		if (j == schema->n_properties)
			report(reader->loader->problems, required->place, CODE_BAD_SCHEMA,
			       "`%s` is required, but `additionalProperties: false` forbids "
			       "it; "
			       "add it to `properties`",
			       shown(schema->required[i], &(struct shown){""}));
	}
}

/* --- enum and const ------------------------------------------------------------ */

static bool has_type(const struct schema *schema, struct json choice)
{
	struct decimal number;

	if (!(schema->types & TYPE_OF(json_type(choice))))
		return false;
	if (json_type(choice) != JSON_NUMBER || !schema->whole_numbers)
		return true;
	return json_number(choice, &number) == DECIMAL_OK && decimal_is_whole(number);
}

static bool read_choice(struct schema_reader *reader, const struct yaml_node *node,
			const struct schema *schema, struct json *out)
{
	struct bytes json = BYTES(PAYLOAD_MAX, &reader->loader->scratch);

	if (!write_json(reader->loader, &json, node))
		return false;
	if (json.err == ERR_TOO_LARGE)
		report_schema(reader, node->place,
			      "no input can be as large as this value; "
			      "remove it");
	reader->loader->nomem |= json.err == ERR_NOMEM;
	if (json.err || !keep_text(reader->loader, bytes_slice(&json), &out->text))
		return false;
	if (has_type(schema, *out))
		return true;
	report_schema(
		reader, node->place,
		"this value is not of the schema's `type`, so that it can never be right; "
		"correct the type or remove the value");
	return false;
}

static void read_enum(struct schema_reader *reader, const struct yaml_node *node,
		      struct schema *schema)
{
	struct json *choices;

	if (node->kind != YAML_LIST) {
		report_type(reader->loader, node, "`enum` needs a list of values");
		return;
	}
	if (node->n == 0)
		report_schema(reader, node->place,
			      "`enum` is an empty list, so that nothing is right; add a value");
	choices = keep_alloc(reader->loader, node->n, sizeof *choices);
	if (!choices)
		return;
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next)
		schema->n_choices +=
			read_choice(reader, entry->value, schema, &choices[schema->n_choices]);
	schema->choices = choices;
}

static bool is_choice(const struct schema *schema, struct json value)
{
	for (size_t i = 0; i < schema->n_choices; i++) {
		if (json_equal(schema->choices[i], value))
			return true;
	}
	return false;
}

static void read_const(struct schema_reader *reader, const struct yaml_node *node,
		       struct schema *schema)
{
	struct json *choice = keep_alloc(reader->loader, 1, sizeof *choice);

	if (!choice || !read_choice(reader, node, schema, choice))
		return;
	if (schema->n_choices > 0 && !is_choice(schema, *choice)) {
		report_schema(reader, node->place,
			      "`const` is not among the values of `enum`, so that nothing is "
			      "right; remove one of the two");
		return;
	}
	schema->choices = choice;
	schema->n_choices = 1;
}

static void read_choices(struct schema_reader *reader, const struct yaml_node *node,
			 struct schema *schema)
{
	type_set types = 0;

	if (member(node, "enum"))
		read_enum(reader, member(node, "enum"), schema);
	if (member(node, "const"))
		read_const(reader, member(node, "const"), schema);
	if (schema->n_choices == 0)
		return;
	write_keyword(reader, "enum");
	for (size_t i = 0; i < schema->n_choices; i++) {
		bytes_add(&reader->text, i ? ',' : '[');
		bytes_append(&reader->text, schema->choices[i].text);
		types |= TYPE_OF(json_type(schema->choices[i]));
	}
	bytes_add(&reader->text, ']');
	schema->types &= types;
}

/* --- limits -------------------------------------------------------------------- */

static bool read_limit(struct schema_reader *reader, const struct yaml_node *mapping,
		       const char *keyword, struct decimal *out)
{
	const struct yaml_node *node = member(mapping, keyword);

	if (!node)
		return false;
	if (node->kind != YAML_SCALAR || scalar_type(node) != SCALAR_NUMBER) {
		report_type(reader->loader, node, "`minimum` and `maximum` need a number");
		return false;
	}
	if (decimal_parse(node->text, out) != DECIMAL_OK) {
		report(reader->loader->problems, node->place, CODE_BAD_NUMBER,
		       "`%s` needs a number of at most 18 digits; here is %s", keyword,
		       shown(node->text, &(struct shown){""}));
		return false;
	}
	write_keyword(reader, keyword);
	bytes_append(&reader->text, node->text);
	return true;
}

/* A count; `none` stands for no limit and is left out of the text. */
static uint32_t read_count(struct schema_reader *reader, const struct yaml_node *mapping,
			   const char *keyword, uint32_t none)
{
	const struct yaml_node *node = member(mapping, keyword);
	uint32_t count = none;

	if (node)
		(void)read_integer(reader->loader, node, keyword, 0, UINT32_MAX - 1, &count);
	if (count != none)
		write_count(reader, keyword, count);
	return count;
}

static void check_order(struct schema_reader *reader, const struct yaml_node *mapping,
			bool right, const char *keyword, const char *sentence)
{
	if (!right)
		report_schema(reader, member(mapping, keyword)->place, sentence);
}

static void read_pattern(struct schema_reader *reader, const struct yaml_node *node,
			 struct schema *schema)
{
	struct loader *loader = reader->loader;
	struct diag diag = {""};
	struct pattern *pattern = NULL;
	enum err err;

	if (node->broken)
		return;
	if (node->kind != YAML_SCALAR ||
	    (scalar_type(node) != SCALAR_TEXT && scalar_type(node) != SCALAR_EXPRESSION)) {
		report_type(loader, node, "`pattern` needs a text");
		return;
	}
	if (++reader->n_patterns > SCHEMA_PATTERNS_MAX) {
		report(loader->problems, node->place, CODE_BAD_SCHEMA,
		       "there are more than %d patterns; check some of them in a service",
		       SCHEMA_PATTERNS_MAX);
		return;
	}
	err = pattern_compile(node->text, loader->arena, &pattern, &diag);
	loader->nomem |= err == ERR_NOMEM;
	if (err && err != ERR_NOMEM)
		report(loader->problems, node->place, CODE_BAD_SCHEMA,
		       "`pattern` cannot be used: %s", diag.text);
	if (err)
		return;
	schema->pattern = pattern;
	write_keyword(reader, "pattern");
	json_write_text(&reader->text, node->text);
}

static void read_limits(struct schema_reader *reader, const struct yaml_node *node,
			struct schema *schema)
{
	schema->has_minimum = read_limit(reader, node, "minimum", &schema->minimum);
	schema->has_maximum = read_limit(reader, node, "maximum", &schema->maximum);
	schema->min_length = read_count(reader, node, "minLength", 0);
	schema->max_length = read_count(reader, node, "maxLength", UINT32_MAX);
	if (member(node, "pattern"))
		read_pattern(reader, member(node, "pattern"), schema);
	schema->min_items = read_count(reader, node, "minItems", 0);
	schema->max_items = read_count(reader, node, "maxItems", UINT32_MAX);
	check_order(reader, node,
		    !schema->has_minimum || !schema->has_maximum ||
			    decimal_compare(schema->minimum, schema->maximum) <= 0,
		    "maximum", "`maximum` is less than `minimum`; exchange them");
	check_order(reader, node, schema->min_length <= schema->max_length, "maxLength",
		    "`maxLength` is less than `minLength`; exchange them");
	check_order(reader, node, schema->min_items <= schema->max_items, "maxItems",
		    "`maxItems` is less than `minItems`; exchange them");
}

/* --- a schema ------------------------------------------------------------------ */

static void check_keywords(struct schema_reader *reader, const struct yaml_node *node)
{
	struct shown room = {""};

	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		size_t i = 0;
		const char *likely;

		while (i < N_KEYWORDS && !slice_is(entry->name, keyword_names[i]))
			i++;
		if (i < N_KEYWORDS)
			continue;
		likely = suggest(entry->name, keyword_names, N_KEYWORDS);
		shown(entry->name, &room);
		if (likely)
			report(reader->loader->problems, entry->place, CODE_SCHEMA_KEYWORD,
			       "`%s` is not known in a schema; did you mean `%s`?", room.text,
			       likely);
		else
			report(reader->loader->problems, entry->place, CODE_SCHEMA_KEYWORD,
			       "`%s` is not known in a schema and would not be checked; remove "
			       "it. There may be: type, properties, required, "
			       "additionalProperties, items, enum, const, minimum, maximum, "
			       "minLength, maxLength, pattern, minItems, maxItems",
			       room.text);
	}
}

static void add_span(struct schema_reader *reader, struct schema *schema, size_t start)
{
	struct span *span = scratch_alloc(reader->loader, 1, sizeof *span);

	if (!span)
		return;
	*span = (struct span){schema, start, reader->text.len - start, reader->spans};
	reader->spans = span;
}

static void read_keywords(struct schema_reader *reader, const struct yaml_node *node,
			  struct schema *schema)
{
	check_keywords(reader, node);
	if (member(node, "type"))
		read_types(reader, member(node, "type"), schema);
	if (member(node, "properties"))
		read_properties(reader, member(node, "properties"), schema);
	if (member(node, "required"))
		read_required(reader, member(node, "required"), schema);
	if (member(node, "additionalProperties"))
		read_additional(reader, member(node, "additionalProperties"), schema);
	if (member(node, "required"))
		check_required(reader, member(node, "required"), schema);
	if (member(node, "items") && !is_anything(member(node, "items"))) {
		write_keyword(reader, "items");
		schema->items = read_schema(reader, member(node, "items"));
		reader->first_keyword = false;
	}
	read_choices(reader, node, schema);
	read_limits(reader, node, schema);
}

/* Never NULL: what is wrong allows everything, so that nothing follows from it. */
static const struct schema *read_schema(struct schema_reader *reader,
					const struct yaml_node *node)
{
	size_t start = reader->text.len;
	struct schema *schema;

	if (is_anything(node)) {
		bytes_text(&reader->text, "{}");
		return &schema_any;
	}
	if (!mapping_check(reader->loader, node,
			   "a schema is a mapping such as { type: string }, or true"))
		return &schema_any;
	schema = keep_alloc(reader->loader, 1, sizeof *schema);
	if (!schema)
		return &schema_any;
	*schema = schema_any;
	reader->first_keyword = true;
	bytes_add(&reader->text, '{');
	read_keywords(reader, node, schema);
	bytes_add(&reader->text, '}');
	add_span(reader, schema, start);
	return schema;
}

/* Whether size and nesting are within their limits. */
static bool measure(struct loader *loader, const struct yaml_node *node, unsigned depth)
{
	if (!count_value(loader, node->place))
		return false;
	if (node->kind != YAML_SCALAR && depth > SCHEMA_DEPTH_MAX) {
		report(loader->problems, node->place, CODE_TOO_DEEP,
		       "the schema is nested more than %d deep here; flatten it",
		       SCHEMA_DEPTH_MAX);
		return false;
	}
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		if (!measure(loader, entry->value, depth + 1))
			return false;
	}
	return true;
}

const struct schema *load_schema(struct loader *loader, const struct yaml_node *node)
{
	struct schema_reader reader = {.loader = loader,
				       .text = BYTES(DEFINITION_TEXT_MAX, &loader->scratch)};
	const struct schema *schema;
	struct slice text;

	if (!measure(loader, node, 1))
		return &schema_any;
	schema = read_schema(&reader, node);
	loader->nomem |= reader.text.err == ERR_NOMEM;
	if (reader.text.err == ERR_TOO_LARGE)
		report(loader->problems, node->place, CODE_TOO_LARGE,
		       "the schema has more than %d bytes; make it smaller",
		       DEFINITION_TEXT_MAX);
	if (reader.text.err || !keep_text(loader, bytes_slice(&reader.text), &text))
		return &schema_any;
	for (struct span *span = reader.spans; span; span = span->next)
		span->schema->text.text = (struct slice){text.at + span->start, span->len};
	return schema;
}

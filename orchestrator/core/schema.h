/* schema.h - the part of JSON Schema that a saga's input is checked against.
 *
 * A schema is plain data in a definition's arena; the loader fills it in. The
 * same data says what types an expression can count on.
 */
#ifndef SKALD_CORE_SCHEMA_H
#define SKALD_CORE_SCHEMA_H

#include "base/json.h"
#include "base/pattern.h"

/* A set of JSON types: what a value may be. */
typedef uint8_t type_set;

#define TYPE_OF(type) ((type_set)(1u << (type)))
#define TYPE_ANY      ((type_set)0x3f)

/* "text", "number or null", "anything": for messages. */
enum { TYPE_SET_TEXT_MAX = 64 };
const char *type_set_text(type_set types, char text[TYPE_SET_TEXT_MAX]);

struct schema_property {
	struct slice name;
	const struct schema *schema;
};

struct schema {
	type_set types;     /* what the value may be at all */
	bool whole_numbers; /* "integer": a number must be whole */

	const struct schema_property *properties;
	size_t n_properties;
	const struct slice *required;
	size_t n_required;
	const struct schema *additional; /* for names not in properties; NULL: none allowed */

	const struct schema *items; /* NULL: anything */
	const struct json *choices; /* enum and const; n_choices 0: no such limit */
	size_t n_choices;

	bool has_minimum, has_maximum;
	struct decimal minimum, maximum;
	uint32_t min_length, max_length; /* characters; UINT32_MAX: no maximum */
	uint32_t min_items, max_items;
	const struct pattern *pattern; /* NULL: none */

	struct json text; /* the schema itself in normal form */
};

/* The schema that allows everything. */
extern const struct schema schema_any;

/* ERR_INVALID with a sentence that names the path ("input.items[2].sku: ...")
 * and never a value: the value may be masked. ERR_NOMEM. */
CHECKED enum err schema_validate(const struct schema *schema, struct json value,
				 struct arena *arena, struct diag *diag);

/* What is known of a member or element. NULL: there can be none of that name. */
const struct schema *schema_member(const struct schema *schema, struct slice name);
const struct schema *schema_element(const struct schema *schema);
bool schema_requires(const struct schema *schema, struct slice name);

#endif

/* json.h - JSON values that are slices of checked text.
 *
 * json_parse checks a text once and gives its normal form: no white space,
 * strings with as few escapes as possible, numbers letter for letter as they
 * came. A value is then just the slice of that text which it occupies, and
 * reading one member looks at bytes only: no tree is built, a saga that waits
 * holds its payload and nothing more, and 19.99 stays 19.99.
 *
 * Functions that take a struct json trust the text to be in normal form: it came
 * from json_parse, or from bytes that were checked when they were stored. Bytes
 * that were damaged since are read wrongly or trip an assertion, but nothing is
 * read past their end.
 */
#ifndef SKALD_BASE_JSON_H
#define SKALD_BASE_JSON_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/decimal.h"
#include "base/err.h"
#include "base/utf8.h"

enum { JSON_DEPTH_MAX = 64 };

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_LIST, JSON_OBJECT };

struct json {
	struct slice text;
};

/* A value that the source code states, in normal form; also as an initializer. */
#define JSON_OF(literal) ((struct json){{"" literal "", sizeof(literal) - 1}})

/* Check a whole text: RFC 8259, UTF-8, no duplicate names, no lone surrogates,
 * nesting of JSON_DEPTH_MAX. The normal form is copied into the arena, with a
 * terminator after it; at most `max` bytes of it (ERR_TOO_LARGE). In it only the
 * quote, the backslash and control characters are escaped, so that equal texts have
 * equal bytes. The diag begins with "line:column: " and says what is wrong there; it
 * never quotes more than 20 bytes of the text. *out is untouched on failure. */
CHECKED enum err json_parse(struct slice text, size_t max, struct arena *arena,
			    struct json *out, struct diag *diag);

enum json_type json_type(struct json value);
const char *json_type_name(enum json_type type); /* "null", "boolean", "number", ... */

bool json_bool(struct json value);

/* JSON_NUMBER: exact, or why it cannot be. */
enum decimal_result json_number(struct json value, struct decimal *out);

/* JSON_TEXT: the characters without quotes and escapes. Where the text has no
 * escape this is a slice of the value itself, otherwise it is made in the
 * arena; false when out of memory. */
bool json_text(struct json value, struct arena *arena, struct slice *out);

/* The member with this name; names are given as characters, not as JSON. */
bool json_get(struct json object, struct slice name, struct json *out);
bool json_at(struct json list, size_t index, struct json *out);

/* Elements or members; characters (code points) of a text; 0 otherwise. */
size_t json_size(struct json value);

/* for (it = json_each(value); json_next(&it);) ... it.name, it.value
 * Lists and objects in their order; nothing for anything else. */
struct json_each {
	struct slice rest;
	struct json name; /* JSON_TEXT; objects only */
	struct json value;
};
struct json_each json_each(struct json value);
bool json_next(struct json_each *each);

/* Equality of values: members in any order, numbers by value where they are
 * within the exact range, by text otherwise. Objects of many members are sorted
 * in memory that is given back at once. */
bool json_equal(struct json a, struct json b);

/* Append a text as a JSON string, quotes and needed escapes included. The
 * characters must be UTF-8. */
void json_write_text(struct bytes *out, struct slice characters);

/* The value with line breaks and two spaces per level, for people. It begins
 * where the caller is, on a line that is indented by so many levels. */
void json_write_pretty(struct bytes *out, struct json value, int indent);

#endif

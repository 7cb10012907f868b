/* json_line.h - JSON that is written member by member.
 *
 *	json_begin(out);
 *	json_add_text(out, "file", slice_of(path));
 *	json_add_number(out, "line", 12);
 *	json_add_name(out, "steps");
 *	json_begin_list(out);
 *	for (...) {
 *		json_begin(out);
 *		...
 *		json_end(out);
 *	}
 *	json_end_list(out);
 *	json_end_line(out);
 *
 * Texts may be anything, as a file's name may: bytes that are no UTF-8 are
 * written as U+FFFD. Names are ours. Commas come by themselves: where something
 * else is appended, it ends with the value.
 */
#ifndef SKALD_BASE_JSON_LINE_H
#define SKALD_BASE_JSON_LINE_H

#include "base/bytes.h"

#include <stdint.h>

/* An object: the whole text, an element of a list, or the value of a name. */
void json_begin(struct bytes *out);
void json_end(struct bytes *out);
void json_end_line(struct bytes *out); /* with the line break */

void json_begin_list(struct bytes *out);
void json_end_list(struct bytes *out);

/* --- members ---------------------------------------------------------------------- */

void json_add_text(struct bytes *out, const char *name, struct slice text);
void json_add_number(struct bytes *out, const char *name, int64_t number);
void json_add_bool(struct bytes *out, const char *name, bool value);
void json_add_null(struct bytes *out, const char *name);

/* An empty text is null. */
void json_add_optional(struct bytes *out, const char *name, struct slice text);

/* A value that is JSON already; an empty one is null. */
void json_add_json(struct bytes *out, const char *name, struct slice json);

/* RFC 3339, UTC, with milliseconds; 0 is null, as is what no calendar has. */
void json_add_time(struct bytes *out, const char *name, int64_t unix_ms);

/* The name alone: the caller appends the value. */
void json_add_name(struct bytes *out, const char *name);

/* A text that the caller appends between the two, and whose beginning they tell each
 * other. */
size_t json_begin_text(struct bytes *out, const char *name);
void json_end_text(struct bytes *out, size_t at);

/* --- elements of a list ----------------------------------------------------------- */

void json_add_value(struct bytes *out, struct slice text);
void json_add_value_number(struct bytes *out, int64_t number);

#endif

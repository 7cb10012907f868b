/* json_line.h - one JSON object on one line, member by member.
 *
 *	json_begin(out);
 *	json_add_text(out, "file", slice_of(path));
 *	json_add_number(out, "line", 12);
 *	json_end(out);
 *
 * Texts may be anything, as a file's name may: bytes that are no UTF-8 are
 * written as U+FFFD. Names are ours.
 */
#ifndef SKALD_CLI_JSON_LINE_H
#define SKALD_CLI_JSON_LINE_H

#include "base/bytes.h"

#include <stdint.h>

void json_begin(struct bytes *out);
void json_end(struct bytes *out); /* with the line break */

void json_add_text(struct bytes *out, const char *name, struct slice text);
void json_add_number(struct bytes *out, const char *name, int64_t number);
void json_add_bool(struct bytes *out, const char *name, bool value);

/* The name alone: the caller appends the value. */
void json_add_name(struct bytes *out, const char *name);

/* A text as a value, for lists. */
void json_add_value(struct bytes *out, struct slice text);

#endif

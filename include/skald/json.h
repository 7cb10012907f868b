/* json.h - read a command's arguments, write an answer.
 *
 * Arguments are small, so nothing is parsed into a tree: each call looks for one
 * member in the text. A path is a name, or names with dots between them for
 * members of members. The text must be one that the library handed out:
 * skald_command_args, skald_command_output.
 */
#ifndef SKALD_JSON_H
#define SKALD_JSON_H

#include "skald/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
	SKALD_JSON_OK,
	SKALD_JSON_MISSING,    /* no such member; null counts as missing, too */
	SKALD_JSON_OTHER_TYPE, /* it is there and something else */
	SKALD_JSON_NO_FIT,     /* too long for the room, or no such number without rounding */
} skald_json_result;

/* Each leaves *out alone unless it returns SKALD_JSON_OK. A text is terminated;
 * one with a NUL character in it does not fit. */
SKALD_API skald_json_result skald_json_text(const char *json, const char *path, char *out,
					    size_t size);
SKALD_API skald_json_result skald_json_bool(const char *json, const char *path, bool *out);

/* A whole number, also if it is written 3.00 or 3e2. */
SKALD_API skald_json_result skald_json_integer(const char *json, const char *path,
					       int64_t *out);

/* A number in units of its last place: with two places 19.9 is 1990. One that has
 * more places does not fit: nothing is ever rounded. */
SKALD_API skald_json_result skald_json_decimal(const char *json, const char *path,
					       unsigned int places, int64_t *out);

/* A text as JSON, in quotes and escaped, for the output of an answer. False: it
 * does not fit or is no UTF-8, and *out is the empty text. */
SKALD_API bool skald_json_quote(const char *text, char *out, size_t size);

#ifdef __cplusplus
}
#endif

#endif

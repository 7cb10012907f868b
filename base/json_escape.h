/* json_escape.h - how characters are written inside a JSON text.
 *
 * For json*.c alone: what the normal form escapes and how, and the way back.
 */
#ifndef SKALD_BASE_JSON_ESCAPE_H
#define SKALD_BASE_JSON_ESCAPE_H

#include "base/slice.h"

#include <stdint.h>

/* Longest escape that json_escape() writes: \u001f. */
enum { JSON_ESCAPE_MAX = 6 };

/* Whether the normal form cannot hold the byte as it is: quote, backslash and
 * the control characters below the space. */
static inline bool json_must_escape(char c)
{
	return c == '"' || c == '\\' || (unsigned char)c < ' ';
}

/* The escape of a byte that needs one; returns its length. */
size_t json_escape(char c, char out[JSON_ESCAPE_MAX]);

/* Read the escape that the bytes begin with, \u pairs of surrogates included.
 * Returns how many bytes it takes; 0 where it is none or half of a pair. */
size_t json_unescape(struct slice bytes, uint32_t *code_point);

#endif

/* utf8.h - UTF-8 as RFC 3629 has it: nothing overlong, no surrogates, nothing
 * above U+10FFFF.
 */
#ifndef SKALD_BASE_UTF8_H
#define SKALD_BASE_UTF8_H

#include "base/slice.h"

#include <stdint.h>

/* Most bytes that one character takes. */
enum { UTF8_MAX = 4 };

/* The first character of the bytes. Returns how many bytes it takes, 0 where
 * the bytes are empty or do not begin with valid UTF-8; *code_point is then
 * untouched. */
size_t utf8_decode(struct slice bytes, uint32_t *code_point);

/* Write a character that is none of the surrogates and at most U+10FFFF;
 * returns its length. */
size_t utf8_encode(uint32_t code_point, char out[UTF8_MAX]);

/* Whether the bytes are UTF-8 throughout. */
bool utf8_valid(struct slice bytes);

/* As much of the beginning as is UTF-8 and takes at most `max` bytes. */
struct slice utf8_cut(struct slice bytes, size_t max);

/* Characters (code points) of valid UTF-8. */
size_t utf8_count(struct slice bytes);

#endif

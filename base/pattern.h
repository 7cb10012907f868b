/* pattern.h - regular expressions for the `pattern` of an input schema.
 *
 * A subset of what JSON Schema writers use: literals, . , classes [a-z^-],
 * \d \w \s and their capitals, \. and other escaped punctuation, ^ $, groups
 * (...) and (?:...), | and the quantifiers * + ? {m} {m,} {m,n}. Anything else
 * (back references, look-around, lazy quantifiers) is an error, never ignored.
 * Works on UTF-8 characters; ^ and $ are the ends of the whole text, . is
 * anything within a line. Matching time is linear in the text: a hostile text
 * cannot make it slow.
 */
#ifndef SKALD_BASE_PATTERN_H
#define SKALD_BASE_PATTERN_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

/* Longest expression in bytes, and the most instructions that it may compile
 * to. Groups nest 64 deep at most, and a count in { } is at most 1000. */
enum { PATTERN_TEXT_MAX = 1024, PATTERN_CODE_MAX = 4096 };

struct pattern;

/* The diag says what is wrong at which character. */
CHECKED enum err pattern_compile(struct slice text, struct arena *arena, struct pattern **out,
				 struct diag *diag);

/* Whether the text contains a match anywhere, as JSON Schema asks. The arena
 * is for the duration of the call; *nomem is set when it gave none. A byte that
 * is not UTF-8 counts as U+FFFD. */
bool pattern_matches(const struct pattern *pattern, struct slice text, struct arena *arena,
		     bool *nomem);

/* Append a text that the pattern describes, as `number` (any one, again and again)
 * will have it: short, and of ASCII where it can be. ^ and $ inside are not looked at,
 * so the text need not match where they cannot hold. */
void pattern_example(const struct pattern *pattern, uint64_t (*number)(void *context),
		     void *context, struct bytes *out);

#endif

/* pattern_tree.h - what the files of pattern.h share: a regular expression as a
 * tree, and sets of characters.
 */
#ifndef SKALD_BASE_PATTERN_TREE_H
#define SKALD_BASE_PATTERN_TREE_H

#include "base/arena.h"
#include "base/err.h"

#include <stdint.h>

/* Groups inside groups; the most repetitions that a quantifier may count. */
enum { PATTERN_DEPTH_MAX = 64, PATTERN_REPEAT_MAX = 1000 };

struct char_range {
	uint32_t first;
	uint32_t last;
};

/* Any ranges while it is built; in order and apart once it is finished. */
struct char_set {
	struct char_range *ranges;
	size_t n;
	size_t capacity;
};

/* All three are false when out of memory. `kind` is the letter of \d \w \s or
 * of their capitals; '.' is everything within a line. */
bool char_set_add(struct char_set *set, struct arena *arena, uint32_t first, uint32_t last);
bool char_set_add_kind(struct char_set *set, struct arena *arena, char kind);
bool char_set_finish(struct char_set *set, struct arena *arena, bool negate);

/* Whether a finished set has the character. */
bool char_set_has(const struct char_set *set, uint32_t c);

enum node_type {
	NODE_CHAR,
	NODE_SET,
	NODE_BEGIN,
	NODE_END,
	NODE_SEQUENCE, /* children one after the other; none matches the empty text */
	NODE_CHOICE,   /* one of the children */
	NODE_REPEAT    /* the child `min` to `max` times */
};

#define REPEAT_FOREVER UINT32_MAX

struct node {
	enum node_type type;
	uint32_t c;
	const struct char_set *set;
	uint32_t min;
	uint32_t max;
	struct node *child; /* the first */
	struct node *next;  /* sibling */
};

CHECKED enum err pattern_parse(struct slice text, struct arena *arena, struct node **out,
			       struct diag *diag);

#endif

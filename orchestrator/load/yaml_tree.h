/* yaml_tree.h - a YAML or JSON text as a tree of nodes that know their place.
 *
 * Knows nothing of sagas. What YAML has beyond mappings, lists and scalars is
 * refused: anchors, aliases, tags, merge keys, keys that are no texts or stand
 * twice, several documents. Such a mistake is reported and reading goes on, so
 * that whoever reads the tree can find the others, too; a node that one of them
 * has spoilt is `broken` and deserves no further message.
 *
 * Hostile text costs little: its size, nesting and number of values are limited,
 * and the work is n log n at most.
 */
#ifndef SKALD_LOAD_YAML_TREE_H
#define SKALD_LOAD_YAML_TREE_H

#include "base/problems.h"

enum {
	YAML_DEPTH_MAX = 64,
	YAML_NODES_MAX = 100000, /* values of all kinds; keys are not counted */
	YAML_KEY_MAX = 128,      /* bytes of a key */
};

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAPPING };

struct yaml_node {
	enum yaml_kind kind;
	bool broken;          /* a mistake in it was reported */
	bool incomplete;      /* of a mapping: a member was reported and left out */
	bool plain;           /* of a scalar: without quotes */
	struct place place;   /* where it begins */
	struct place content; /* of a scalar: where its first character stands */
	struct slice text;    /* of a scalar */
	struct yaml_entry *first;
	size_t n; /* entries */
};

struct yaml_entry {
	struct slice name; /* of a mapping's member */
	struct place place;
	struct yaml_node *value;
	struct yaml_entry *next;
	struct yaml_entry *sorted; /* for yaml_drop_duplicates alone */
};

/* OK: *out is the tree, in the arena, and the problems may have grown nonetheless.
 * ERR_INVALID: the text is none, and the problems say why. ERR_NOMEM. */
CHECKED enum err yaml_tree(struct slice text, struct arena *arena, struct problems *problems,
			   struct yaml_node **out);

/* The same for JSON, strictly as RFC 8259 has it. */
CHECKED enum err json_tree(struct slice text, struct arena *arena, struct problems *problems,
			   struct yaml_node **out);

/* The member of a mapping; NULL where there is none. */
const struct yaml_entry *yaml_get(const struct yaml_node *mapping, const char *name);

/* --- for yaml_*.c alone -------------------------------------------------------- */

/* Whether the text is UTF-8 and free of characters that YAML forbids; otherwise
 * the first one is reported. */
bool yaml_characters_valid(struct slice text, struct problems *problems);

/* Report where and why libyaml gave up. */
struct yaml_failure {
	const char *problem; /* libyaml's words */
	struct place place;
	struct place context; /* what it was reading began here; line 0: unknown */
};
void yaml_report_failure(struct slice text, const struct yaml_failure *failure,
			 struct problems *problems);

/* Whether a plain scalar is the first part of an expression that YAML took apart,
 * because quotes, parentheses or brackets in it stay open. */
bool yaml_looks_cut(struct slice scalar);

/* Drop every member whose name stood before, and report it. */
void yaml_drop_duplicates(struct yaml_node *mapping, struct problems *problems);

#endif

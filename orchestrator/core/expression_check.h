/* expression_check.h - what the two halves of the check share: operators in
 * expression_check.c, names in expression_names.c.
 */
#ifndef SKALD_CORE_EXPRESSION_CHECK_H
#define SKALD_CORE_EXPRESSION_CHECK_H

#include "orchestrator/core/expression_node.h"

enum {
	TYPES_NULL = TYPE_OF(JSON_NULL),
	TYPES_BOOL = TYPE_OF(JSON_BOOL),
	TYPES_NUMBER = TYPE_OF(JSON_NUMBER),
	TYPES_TEXT = TYPE_OF(JSON_TEXT),
	TYPES_LIST = TYPE_OF(JSON_LIST),
	TYPES_OBJECT = TYPE_OF(JSON_OBJECT),
	TYPES_SCALAR = TYPES_NULL | TYPES_BOOL | TYPES_NUMBER | TYPES_TEXT,
};

struct checker {
	const struct scope *scope;
	struct arena *arena;
	struct problems *problems;
	struct slice text;        /* the normal form */
	const struct fact *facts; /* certain where the check stands */

	struct reference *references;
	size_t n_references;
	size_t capacity;
};

void check_node(struct checker *checker, struct node *node);

/* A path; `asked`: has() asks whether it is there, so it may be missing. */
void check_path(struct checker *checker, struct node *node, bool asked);

#endif

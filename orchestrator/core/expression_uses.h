/* expression_uses.h - which values an expression reads, and what it needs of them.
 *
 * For whoever makes values up: in `quote.out.total * 2 > 100` the member total of the
 * output of quote has to be a number. What is needed is a guess where both sides of an
 * operator are open. */
#ifndef SKALD_CORE_EXPRESSION_USES_H
#define SKALD_CORE_EXPRESSION_USES_H

#include "orchestrator/core/expression.h"

enum { USE_PARTS_MAX = 32 }; /* what a path has more is left out */

struct use_part {
	bool is_index;
	struct slice name; /* otherwise */
};

struct expression_use {
	struct name name;
	struct use_part parts[USE_PARTS_MAX]; /* behind what the name stands for */
	size_t n_parts;
	type_set types;             /* one of these would do; never empty */
	const struct value *beside; /* a literal that it is compared with; NULL: none */
};

typedef void expression_used(void *context, const struct expression_use *use);

/* `wanted`: what the whole expression has to come to. */
void expression_uses(const struct expression *expression, type_set wanted,
		     expression_used *visit, void *context);

/* Whether the expression is nothing but a path from a name. */
bool expression_is_path(const struct expression *expression, struct expression_use *out);

#endif

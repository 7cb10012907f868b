/* expression_world.h - a saga's values and names for tests of expressions.
 *
 * The steps are reserve and check-stock (certainly done), quote and charge
 * (may be missing), ship (cannot have run) and pause (has no output). The input
 * has a schema with a bit of everything. Values come from one JSON object:
 *
 *	{"input": ..., "steps": {"reserve": ...}, "saga": {"id": ..., "failure": {...}}}
 */
#ifndef SKALD_TESTS_LIB_EXPRESSION_WORLD_H
#define SKALD_TESTS_LIB_EXPRESSION_WORLD_H

#include "orchestrator/core/expression.h"

enum {
	WORLD_RESERVE,
	WORLD_CHECK_STOCK,
	WORLD_QUOTE,
	WORLD_CHARGE,
	WORLD_SHIP,
	WORLD_PAUSE,
	WORLD_STEPS,
};

/* sku: text; qty: integer from 1 to 100; total: number; price: number from 0;
 * size: integer; address: { street: text, city: text, zip: text or null } (street
 * and city required, no others); lines: 1 to 5 of { sku: text, price: number },
 * all required; status: one of 'new', 'old'. Required: sku, qty, total, price,
 * lines. Not required, also: vip: boolean; note: text or null; tags: list of
 * text; email: text; any: anything. No other names. */
extern const struct schema world_input;

/* Values in which all that may be there is there, except charge.out. */
extern const char world_values[];

struct expression_world {
	struct environment environment; /* first: a lookup gets a pointer to it */
	struct json values;
	struct scope scope;
};

/* False where the values are not JSON. They live in the arena. */
bool expression_world_init(struct expression_world *world, struct slice values,
			   struct arena *arena);

#endif

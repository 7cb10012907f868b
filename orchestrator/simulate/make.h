/* make.h - values that nobody gave: what fits, and otherwise as the dice will. */
#ifndef SKALD_SIMULATE_MAKE_H
#define SKALD_SIMULATE_MAKE_H

#include "orchestrator/simulate/dice.h"
#include "orchestrator/simulate/shape.h"

/* Append JSON in normal form. `name` is what the value is called, and texts that can be
 * anything begin with it. Failures are in out->err. */
void make_value(struct dice dice, const struct shape *shape, struct slice name,
		struct bytes *out);

/* The same by a schema, as far as it can be fitted. */
void make_fitting(struct dice dice, const struct schema *schema, struct slice name,
		  struct bytes *out);

/* An input of the definition, in the arena. ERR_INVALID: none was found that its schema
 * allows; the diag says why. ERR_NOMEM, ERR_TOO_LARGE. */
CHECKED enum err make_input(struct dice dice, const struct definition *definition,
			    const struct shape *shape, struct arena *arena, struct json *out,
			    struct diag *diag);

#endif

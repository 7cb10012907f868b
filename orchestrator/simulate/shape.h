/* shape.h - what values look like that nobody gives: from what is done with them.
 *
 * An output that is only passed on can be anything. One that is multiplied has to be
 * a number, one whose member `id` is read an object with that member, one that
 * becomes the input of a child saga what the child's schema asks for. */
#ifndef SKALD_SIMULATE_SHAPE_H
#define SKALD_SIMULATE_SHAPE_H

#include "orchestrator/core/definition.h"

enum { CANDIDATES_MAX = 8 };

struct shape {
	type_set types;              /* one of these would do; never empty */
	bool is_time;                /* a text that is a point in time */
	const struct schema *schema; /* NULL: none is known */
	struct shape_member *members;
	struct shape *element;                  /* of a list; NULL: no list that is known */
	struct json candidates[CANDIDATES_MAX]; /* it is compared with these */
	size_t n_candidates;
};

struct shape_member {
	struct shape_member *next;
	struct slice name;
	struct shape shape;
};

/* Of one definition. */
struct shapes {
	struct shape input;
	struct shape *outputs; /* by step: of a command or an event */
};

/* Definitions that a definition may start sagas of, itself among them. */
struct family {
	const struct definition *const *list;
	size_t n;
};

/* In the arena. ERR_NOMEM. */
CHECKED enum err shapes_find(const struct definition *definition, const struct family *family,
			     struct arena *arena, struct shapes *out);

#endif

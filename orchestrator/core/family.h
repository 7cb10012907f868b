/* family.h - which sagas start which: rules over several definitions. */
#ifndef SKALD_CORE_FAMILY_H
#define SKALD_CORE_FAMILY_H

#include "orchestrator/core/definition.h"

/* The newest of that name, or that version where one is given; NULL: there is none. A later
 * one is the newer. */
const struct definition *family_find(const struct definition *const *list, size_t n,
				     struct slice name, struct slice version);

/* What is wrong, for those who show where. */
struct family_fault {
	const char *code;   /* "child-cycle", "child-with-pivot" */
	struct place place; /* in the definition */
};

/* Whether the definition may stand beside the others, of which a later one is the
 * newer: no saga becomes its own descendant, in whatever version, and no child with a
 * pivot stands where it would have to be undone. A child that is not there yet is
 * looked at when it comes. ERR_INVALID: the diag says what is wrong, and *fault (which
 * may be NULL) where. ERR_NOMEM. */
CHECKED enum err family_check(const struct definition *const *others, size_t n,
			      const struct definition *definition, struct arena *arena,
			      struct family_fault *fault, struct diag *diag);

#endif

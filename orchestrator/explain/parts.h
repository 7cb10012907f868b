/* parts.h - a step, part by part, as people write it; private to this folder. */
#ifndef SKALD_EXPLAIN_PARTS_H
#define SKALD_EXPLAIN_PARTS_H

#include "orchestrator/core/definition.h"

/* One thing that is said of a step or of a saga. Nothing is written where nothing is
 * said; failures are in out->err. */
struct step_part {
	const char *name;
	void (*write)(const struct step_definition *step, struct bytes *out);
};
struct saga_part {
	const char *name;
	void (*write)(const struct definition *definition, struct bytes *out);
};

extern const struct step_part step_parts[];
extern const size_t n_step_parts;
extern const struct saga_part saga_parts[];
extern const size_t n_saga_parts;

#endif

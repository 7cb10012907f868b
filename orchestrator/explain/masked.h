/* masked.h - what may be shown of a saga: nothing that its definition masks. */
#ifndef SKALD_EXPLAIN_MASKED_H
#define SKALD_EXPLAIN_MASKED_H

#include "orchestrator/core/saga.h"

/* Append the input with "***" where a mask stands; `null` where there is no
 * definition that could tell. Failures are in out->err. */
void masked_json(struct bytes *out, const struct definition *definition, struct json input);

/* Append the output of a completed saga, with "***" where an expression of it depends on
 * what is masked; one that only passes on what contains it shows the rest. Otherwise as
 * above. */
void masked_output(struct bytes *out, const struct definition *definition, struct json output);

/* What undos may be shown over: a definition whose undos tell nothing that is masked, if
 * they are evaluated over the input and the elements that are here, too. An expression
 * that depends on what is masked is "***", one that only passes on what contains it
 * shows the rest. For evaluating PURPOSE_UNDO and nothing else. */
struct masked_undos {
	const struct definition *definition;
	struct slice input;
	const struct expansion *expansions; /* as many as the saga has */
};

/* The saga's own where nothing is masked. OK or ERR_NOMEM. */
CHECKED enum err masked_undos(const struct definition *definition, const struct saga *saga,
			      struct arena *arena, struct masked_undos *out);

#endif

/* masked.h - what may be shown of a saga: nothing that its definition masks. */
#ifndef SKALD_EXPLAIN_MASKED_H
#define SKALD_EXPLAIN_MASKED_H

#include "orchestrator/core/saga.h"

/* Append the input with "***" where a mask stands; `null` where there is no
 * definition that could tell. Failures are in out->err. */
void masked_json(struct bytes *out, const struct definition *definition, struct json input);

/* The definition with undos whose arguments show nothing that is masked, if they are
 * evaluated over the masked input: an expression that depends on what is masked is
 * "***", one that only passes on what contains it shows the rest. For evaluating
 * PURPOSE_UNDO and nothing else. The definition itself where nothing is masked; NULL:
 * out of memory. */
const struct definition *masked_undos(const struct definition *definition, struct arena *arena);

#endif

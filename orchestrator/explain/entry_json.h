/* entry_json.h - one entry of a timeline as JSON: the same for whoever looks at a saga,
 * watches it, or reads its events. */
#ifndef SKALD_EXPLAIN_ENTRY_JSON_H
#define SKALD_EXPLAIN_ENTRY_JSON_H

#include "base/bytes.h"
#include "orchestrator/core/saga.h"

/* Its members, into an open object. A NULL definition: the one that the saga began with
 * is not there; steps are then told by their number. Failures are in out->err. */
void entry_members(struct bytes *out, const struct definition *definition,
		   const struct saga *saga, const struct entry *entry);

/* As an object. */
void entry_json(struct bytes *out, const struct definition *definition, const struct saga *saga,
		const struct entry *entry);

#endif

/* saga_json.h - a saga as JSON, as people and programs see it; private to the
 * gateway. What a definition masks is not in it. */
#ifndef SKALD_GATEWAY_SAGA_JSON_H
#define SKALD_GATEWAY_SAGA_JSON_H

#include "orchestrator/core/timeline.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/store/store.h"

/* The members of a line of a list, into an open object. */
void row_members(struct bytes *out, const struct saga_row *row);

/* The value of `entries`. */
void timeline_json(struct bytes *out, const struct definition *definition,
		   const struct saga *saga, const struct timeline *timeline);

/* Everything, as one object. */
struct saga_view {
	struct saga_row row;
	struct saga saga;
	struct timeline timeline;
	uint8_t hash[SHA256_SIZE];
	const struct definition *definition; /* may be NULL, as above */
	const struct engine *engine;         /* knows what is held back */
	struct bus *bus;                     /* knows who is connected */
	uint32_t shard;                      /* 0 also where nothing is divided */
	bool incomplete;                     /* another orchestrator would know more */
};
void saga_json(struct bytes *out, const struct saga_view *view);

/* What is not known, into an open object; nothing where all is. */
void incomplete_member(struct bytes *out, const struct saga_view *view);

/* Which one it is, and how it is, into an open object. */
void saga_head_members(struct bytes *out, const struct saga_view *view);

/* What the bus knows of it; all zero but the name: nothing. */
struct bus_participant participant_of(struct bus *bus, struct slice name);

/* The command that tells of a saga, to be pasted: no part of an id needs quotes. */
void look_member(struct bytes *out, const char *name, struct slice id);

#endif

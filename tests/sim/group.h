/* group.h - which orchestrator the bus gives which shard, where several share the sagas.
 *
 * Each of them hears of it when it does: soon, or so late that it has long been replaced
 * and goes on as if nothing were. Whoever stays away for as long as a session lasts has
 * nothing any more. */
#ifndef SKALD_TESTS_SIM_GROUP_H
#define SKALD_TESTS_SIM_GROUP_H

#include "base/shards.h"

enum { MEMBERS_MAX = 3, GROUP_SHARDS_MAX = 12 };

struct group {
	uint32_t n_members;                /* at least one; their places are below that */
	uint32_t n;                        /* shards; 0: the sagas are not divided */
	uint32_t places[GROUP_SHARDS_MAX]; /* whose each of them is */
	uint64_t turn;                     /* another one whenever that has changed */
};

struct world;

/* As it is planned. */
void group_init(struct world *world);

/* What is given to the orchestrator of that place. */
void group_given(const struct group *group, uint32_t place, struct shards *out);

/* Something changes: one shard goes to another one, or all are taken and given anew, or
 * there are more of them. */
void group_move(struct world *world);

/* Nobody has heard of that place since now; it begins; and all is as it should be. */
void group_missing(struct world *world, uint32_t place);
void group_joined(struct world *world, uint32_t place);
void group_calm(struct world *world);

#endif

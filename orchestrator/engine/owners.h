/* owners.h - whose a saga is, where several orchestrators share a store.
 *
 * Each has some of the shards (base/shards.h), and who has which is in the store: see
 * docs/decisions/0011. What is said here of others is as it was read last; it is read
 * when shards come, and when somebody asks for it. What goes is nobody's until then.
 */
#ifndef SKALD_ENGINE_OWNERS_H
#define SKALD_ENGINE_OWNERS_H

#include "orchestrator/engine/engine.h"

enum owner {
	OWNER_OURS,   /* this engine has the saga, or would have it */
	OWNER_OTHER,  /* another orchestrator has: its URL is said */
	OWNER_NOBODY, /* nobody has, at the moment */
};

/* Whose the saga of that id is. An empty id: ours, where we have any shard at all, or
 * else of one that has; whoever it is can begin a new saga. *url, which may be empty
 * where it is ours, is valid until owners are read again. */
enum owner engine_owner(const struct engine *engine, struct slice saga_id, struct slice *url);

/* Read who owns what anew, which is one query. Errors as of the store. */
CHECKED enum err engine_read_owners(struct engine *engine);

#endif

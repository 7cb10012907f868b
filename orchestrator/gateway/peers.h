/* peers.h - the orchestrators that share a store and a bus: a seam.
 *
 * The shards of the sagas are divided among them, and each knows where the others are.
 * The gateway asks for every request that is about one saga, so an answer comes from
 * memory and at once. It may be out of date: whoever is asked and is not the owner
 * says so, and the owners are then read anew.
 *
 * An orchestrator that has its store for itself has no peers, but NULL: all sagas are
 * its own.
 */
#ifndef SKALD_GATEWAY_PEERS_H
#define SKALD_GATEWAY_PEERS_H

#include "base/slice.h"

#include <stdint.h>

enum { PEER_URL_MAX = 300 }; /* bytes */

enum owned {
	OWNED_HERE,
	OWNED_ELSEWHERE,
	OWNED_BY_NOBODY, /* at the moment: the shard is on its way to somebody */
};

struct whose {
	enum owned owned;
	char url[PEER_URL_MAX + 1]; /* elsewhere: "http://10.0.0.7:7420", no slash behind it */
};

/* One that has shards. */
struct orchestrator {
	struct slice url;
	bool here; /* it is this one */
	uint32_t shards;
	int64_t since_ms; /* when it took the last of them */
};

struct peers;

struct peers_ops {
	/* Who has the saga with this id, or would have it. An empty id: the saga is still
	 * to get one, and anybody with shards may begin it, this one if it has any. */
	void (*find)(struct peers *peers, struct slice saga_id, struct whose *out);

	/* Every orchestrator that has shards; what is told is valid during the call. */
	void (*each)(struct peers *peers,
		     void (*visit)(void *context, const struct orchestrator *orchestrator),
		     void *context);

	/* What is known was wrong: read it anew, now or as soon as that can be done
	 * without waiting. Calling it often costs no more than calling it once. */
	void (*refresh)(struct peers *peers);
};

struct peers {
	const struct peers_ops *ops;
};

static inline void peers_find(struct peers *peers, struct slice saga_id, struct whose *out)
{
	peers->ops->find(peers, saga_id, out);
}

static inline void peers_each(struct peers *peers,
			      void (*visit)(void *context,
					    const struct orchestrator *orchestrator),
			      void *context)
{
	peers->ops->each(peers, visit, context);
}

static inline void peers_refresh(struct peers *peers)
{
	peers->ops->refresh(peers);
}

#endif

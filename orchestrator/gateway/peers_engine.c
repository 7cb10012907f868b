#include "orchestrator/gateway/peers_engine.h"

#include "orchestrator/engine/owners.h"

#include <stdio.h>

enum {
	READ_AGAIN_MS = 100, /* reading is a query */
	PEERS_MAX = 100,     /* that are told of; the rest is not */
};

static void engine_find(struct peers *base, struct slice saga_id, struct whose *out)
{
	const struct peers_engine *peers = (const struct peers_engine *)base;
	struct slice url;

	*out = (struct whose){.owned = OWNED_BY_NOBODY};
	switch (engine_owner(peers->engine, saga_id, &url)) {
	case OWNER_OURS: out->owned = OWNED_HERE; break;
	case OWNER_OTHER:
		if (url.len <= PEER_URL_MAX) {
			out->owned = OWNED_ELSEWHERE;
			snprintf(out->url, sizeof out->url, "%.*s", SLICE_ARG(url));
		}
		break;
	case OWNER_NOBODY: break;
	}
}

struct listing {
	const struct store *store;
	struct arena arena; /* of the URLs */
	struct orchestrator list[PEERS_MAX];
	size_t n;
};

static enum err count_shard(void *context, const struct shard_owner *owner)
{
	struct listing *listing = context;
	struct orchestrator *orchestrator;
	size_t i = 0;

	while (i < listing->n && !slice_equal(listing->list[i].url, owner->url))
		i++;
	if (i == PEERS_MAX)
		return OK;
	orchestrator = &listing->list[i];
	if (i == listing->n) {
		*orchestrator = (struct orchestrator){.shards = 0};
		if (!arena_copy(&listing->arena, owner->url, &orchestrator->url))
			return ERR_NOMEM;
		listing->n++;
	}
	orchestrator->shards++;
	orchestrator->here |= shards_has(&listing->store->shards, owner->shard);
	if (orchestrator->since_ms < owner->since_ms)
		orchestrator->since_ms = owner->since_ms;
	return OK;
}

/* As the store has it now: whoever asks wants to know about all of them, and seldom. A
 * store that cannot be read tells of those that it told of before it failed. */
static void engine_each(struct peers *base,
			void (*visit)(void *context, const struct orchestrator *orchestrator),
			void *context)
{
	struct peers_engine *peers = (struct peers_engine *)base;
	struct listing listing = {.store = peers->store};

	(void)!store_owners(peers->store, count_shard, &listing);
	for (size_t i = 0; i < listing.n; i++)
		visit(context, &listing.list[i]);
	arena_release(&listing.arena);
}

/* An error leaves what is known as it is, and it is read again soon. */
static void engine_refresh(struct peers *base)
{
	struct peers_engine *peers = (struct peers_engine *)base;
	int64_t now_ms = clock_monotonic_ms(peers->clock);

	if (now_ms - peers->read_ms < READ_AGAIN_MS)
		return;
	peers->read_ms = now_ms;
	(void)!engine_read_owners(peers->engine);
}

struct peers *peers_engine_init(struct peers_engine *peers, struct engine *engine,
				struct store *store, const struct clock *clock)
{
	static const struct peers_ops ops = {engine_find, engine_each, engine_refresh};

	*peers = (struct peers_engine){
		.base = {&ops},
		.engine = engine,
		.store = store,
		.clock = clock,
		.read_ms = clock_monotonic_ms(clock) - READ_AGAIN_MS,
	};
	return &peers->base;
}

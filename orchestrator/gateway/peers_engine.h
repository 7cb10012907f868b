/* peers_engine.h - the peers that an engine's store knows of. */
#ifndef SKALD_GATEWAY_PEERS_ENGINE_H
#define SKALD_GATEWAY_PEERS_ENGINE_H

#include "orchestrator/engine/engine.h"
#include "orchestrator/gateway/peers.h"

struct peers_engine {
	struct peers base;
	struct engine *engine;
	struct store *store;
	const struct clock *clock;
	int64_t read_ms; /* monotonic: the owners were read last */
};

/* Both outlive it; it needs no end. */
struct peers *peers_engine_init(struct peers_engine *peers, struct engine *engine,
				struct store *store, const struct clock *clock);

#endif

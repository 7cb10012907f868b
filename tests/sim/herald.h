/* herald.h - the topic of events as one orchestrator writes to it: what it publishes is
 * there some time later, in order, and what is still on its way dies with it. */
#ifndef SKALD_TESTS_SIM_HERALD_H
#define SKALD_TESTS_SIM_HERALD_H

#include "tests/sim/world.h"

struct herald {
	struct world *world;
	uint32_t number;     /* of its orchestrator */
	struct posted *away; /* oldest first, from `first` on */
	size_t first, n, capacity;
	uint64_t n_posted;
	uint64_t mark, mark_batch, arrived;
	bool marked;
};

void herald_init(struct herald *herald, struct world *world, uint32_t number);
void herald_release(struct herald *herald);

/* All entries of what is to be stored. */
struct saga_write;
void herald_publish_write(struct herald *herald, const struct saga_write *write);

/* As bus_publish, bus_crowded and bus_arrived. */
void herald_publish(struct herald *herald, const struct event_message *event);
bool herald_crowded(const struct herald *herald);
uint64_t herald_arrived(struct herald *herald, uint64_t batch);

/* What is there by now, the judge sees. */
void herald_arrive(struct herald *herald);

#endif

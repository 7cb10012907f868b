/* bus_kafka.h - the orchestrator's end of a bus over Apache Kafka.
 *
 * Messages for the orchestrator come over PREFIX.inbox, keyed by saga; commands go
 * to PREFIX.cmd.PARTICIPANT. What was acknowledged counts as read once all that was
 * sent before is with the brokers. A message that is misplaced is passed on to the
 * partition of its saga, one that is of no use goes to PREFIX.dead; neither stops
 * those behind it. While the brokers are away nothing is taken and nothing sent,
 * and it goes on by itself when they are back.
 */
#ifndef SKALD_BUS_KAFKA_BUS_KAFKA_H
#define SKALD_BUS_KAFKA_BUS_KAFKA_H

#include "bus/bus.h"
#include "bus/kafka/kafka.h"

struct bus_kafka_setup {
	struct kafka_setup kafka;

	/* What tells this orchestrator from others, also when it comes back after a
	 * crash: then it has its partitions at once. NULL: nothing does. */
	const char *instance;

	/* It is the only one: the sagas are all in its store. Where somebody else has
	 * a part of the inbox it takes nothing, and says so. */
	bool alone;

	/* The brokers are not asked who reads a topic, as librdkafka's mock cannot say: a
	 * participant that is away is then one that does not answer. */
	bool blind;

	int open_ms; /* how long opening may take; 0: 30 s */
};

/* Make the topics, warn of those that differ, and wait until the inbox is ours. The
 * texts, the clock and the log are borrowed. ERR_INVALID: a setting cannot be;
 * ERR_UNAVAILABLE: no broker answers; ERR_NOT_FOUND: there is no inbox, and none can
 * be made; ERR_CONFLICT: it is somebody else's; ERR_NOMEM. The diag says more. */
CHECKED enum err bus_kafka_open(const struct bus_kafka_setup *setup, struct bus **out,
				struct diag *diag);

/* For tests, with one partition a topic: all that was sent is delivered, and what came
 * was read up to this offset, or there is something to be polled. */
bool bus_kafka_idle(struct bus *bus, int64_t end);

/* Its producer or its consumer, so that it can be made to fail. */
rd_kafka_t *bus_kafka_handle(struct bus *bus, rd_kafka_type_t type);

/* The offset behind the last command to a participant. */
int64_t bus_kafka_end(struct bus *bus, struct slice participant);

#endif

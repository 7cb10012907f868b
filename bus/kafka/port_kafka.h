/* port_kafka.h - a participant's end of a bus over Apache Kafka.
 *
 * Commands come over PREFIX.cmd.PARTICIPANT, whose partitions the processes of a
 * participant share; replies go to PREFIX.inbox. A command counts as read once its
 * reply is with the brokers, and so do all before it in its partition: whatever is
 * behind one that is not answered comes again to the next process. All is done by
 * port_pump; there is no thread of ours.
 */
#ifndef SKALD_BUS_KAFKA_PORT_KAFKA_H
#define SKALD_BUS_KAFKA_PORT_KAFKA_H

#include "bus/bus.h"
#include "bus/kafka/kafka.h"

struct port_kafka_setup {
	struct kafka_setup kafka;
	const char *participant;
	uint32_t window; /* most commands that are polled and not answered */
	int wake_fd;     /* readable: port_pump waits no longer; -1: none */
};

/* Texts, clock and log are borrowed. Nothing is connected yet: port_pump does.
 * ERR_INVALID: a setting cannot be; ERR_NOMEM. */
CHECKED enum err port_kafka_open(const struct port_kafka_setup *setup, struct port **out,
				 struct diag *diag);

/* Why nothing comes, one sentence; NULL: all is well. */
const char *port_kafka_trouble(const struct port *port);

/* For tests, with one partition a topic: as bus_kafka_idle. */
bool port_kafka_idle(struct port *port, int64_t end);

/* As bus_kafka_handle. */
rd_kafka_t *port_kafka_handle(const struct port *port, rd_kafka_type_t type);

/* The offset behind the last reply. */
int64_t port_kafka_end(const struct port *port);

#endif

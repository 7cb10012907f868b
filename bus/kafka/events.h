/* events.h - what happened to sagas, on PREFIX.events: CloudEvents in JSON, for anyone.
 *
 * An event is kept until the brokers have it. While they are away those that wait are
 * the bound of what else may happen; one that they refuse is sent again, with all behind
 * it, until they take it. So each is there at least once, and those of a saga are there
 * in their order. They have a producer of their own: it waits a little for more, and
 * what it has to do is in nobody's way.
 */
#ifndef SKALD_BUS_KAFKA_EVENTS_H
#define SKALD_BUS_KAFKA_EVENTS_H

#include "base/bytes.h"
#include "bus/kafka/kafka.h"

enum {
	EVENTS_WAIT_MAX = 20000, /* from there on nothing more is to happen, */
	EVENTS_WAIT_BYTES_MAX = 32 * 1024 * 1024,
	EVENTS_BYTES_MAX = 256 * 1024 * 1024, /* and beyond this none is taken */
	EVENTS_AGAIN_MS = 1000,               /* from a refusal until they are sent again */
};

struct events;

/* The setup is borrowed, and checked; the topic is there. `wake_fd` as for the outbox.
 * ERR_NOMEM, ERR_INVALID. */
CHECKED enum err events_open(const struct kafka_setup *setup, int wake_fd, struct events **out,
			     struct diag *diag);

/* What the brokers do not have by then is given up. NULL is fine. */
void events_close(struct events *events, int flush_ms);

/* As bus_publish, bus_crowded and bus_arrived. */
CHECKED enum err events_put(struct events *events, const struct event_message *event);
bool events_crowded(const struct events *events);
uint64_t events_arrived(struct events *events, uint64_t batch);

/* Hear what was delivered, and send what was not. */
void events_pump(struct events *events);

/* The value of such a message. Failures are in out->err. */
void events_write(const struct kafka_setup *setup, const struct event_message *event,
		  struct bytes *out);

#endif

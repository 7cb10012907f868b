/* rescue.h - what a producer that failed for good did not deliver, until another one
 * takes it.
 *
 * Nothing of it is lost, and each message keeps the partition that it had. Some of it may
 * have arrived all the same, and then does twice, and behind what was sent later.
 */
#ifndef SKALD_BUS_KAFKA_RESCUE_H
#define SKALD_BUS_KAFKA_RESCUE_H

#include "bus/kafka/kafka.h"

struct rescued;

struct rescue {
	struct rescued *first, **end;
	size_t n;
};

void rescue_init(struct rescue *rescue);
void rescue_release(struct rescue *rescue);

/* Keep a copy of the message, with its headers and its opaque. False: out of memory. */
bool rescue_keep(struct rescue *rescue, const rd_kafka_message_t *message);

/* Give the first one to a producer, with its opaque, which is *opaque for the caller, too.
 * ERR_BUSY: it has no room now; ERR_NOT_FOUND: there is none; ERR_INVALID: it takes this
 * one never, and so it was dropped. */
CHECKED enum err rescue_send(struct rescue *rescue, rd_kafka_t *producer, void **opaque);

/* Give the first one up; *opaque is what it had. False: there is none. */
bool rescue_drop(struct rescue *rescue, void **opaque);

/* Have a producer give everything back, through its delivery callback. False: it could not
 * within the time. */
bool rescue_empty(rd_kafka_t *producer, int timeout_ms);

#endif

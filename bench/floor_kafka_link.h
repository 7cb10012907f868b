/* floor_kafka_link.h - one process of the floor over Kafka: what comes on one topic, and
 * what it sends to others.
 *
 * Whatever is there is taken at once, up to FLOOR_KAFKA_BATCH, and that is the batch; it
 * counts as read when all that was sent for it is with the broker.
 */
#ifndef SKALD_BENCH_FLOOR_KAFKA_LINK_H
#define SKALD_BENCH_FLOOR_KAFKA_LINK_H

#include "base/err.h"
#include "bench/floor_frame.h"

#include <librdkafka/rdkafka.h>
#include <stddef.h>

enum {
	FLOOR_KAFKA_BATCH = 20000,
	FLOOR_KAFKA_NAME_SIZE = 128,
	FLOOR_KAFKA_OUTS_MAX = 2,
	FLOOR_KAFKA_EVENT_BYTES = 600, /* as long as a CloudEvent of Skald is */
};

struct floor_kafka_setup {
	const char *brokers;
	const char *in;                         /* the topic that is read, and the group */
	const char *outs[FLOOR_KAFKA_OUTS_MAX]; /* those that are written to; NULL: none */
	const char *events;                     /* where events go; NULL: there are none */
};

struct floor_kafka_link {
	rd_kafka_t *producer, *consumer;
	rd_kafka_t *herald; /* the producer of events: nobody waits for them */
	rd_kafka_topic_t *events;
	rd_kafka_queue_t *queue; /* of the consumer */
	rd_kafka_topic_t *outs[FLOOR_KAFKA_OUTS_MAX];
	rd_kafka_message_t **messages; /* room for a batch */
	size_t n_undelivered;          /* messages that the broker did not take */
};

/* ERR_UNAVAILABLE, ERR_NOMEM. Released in any case. */
CHECKED enum err floor_kafka_link_open(struct floor_kafka_link *link,
				       const struct floor_kafka_setup *setup,
				       struct diag *diag);
void floor_kafka_link_release(struct floor_kafka_link *link);

/* Wait so long for a first frame, and copy those that are there: n of them. */
CHECKED enum err floor_kafka_link_take(struct floor_kafka_link *link, int timeout_ms,
				       struct floor_frame frames[FLOOR_KAFKA_BATCH], size_t *n,
				       struct diag *diag);

/* To the topic of that number; the partition follows from the saga. */
CHECKED enum err floor_kafka_link_send(struct floor_kafka_link *link, int out,
				       const struct floor_frame *frame, struct diag *diag);

/* So many events of a saga. */
CHECKED enum err floor_kafka_link_tell(struct floor_kafka_link *link, uint64_t saga, int n,
				       struct diag *diag);

/* Wait until the broker has all that was sent, but for events, then say that what was
 * taken is read. */
CHECKED enum err floor_kafka_link_settle(struct floor_kafka_link *link, struct diag *diag);

#endif

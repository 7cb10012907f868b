/* topics.h - topics that must be there: made where they are missing.
 *
 * Whoever may not make topics finds those that an administrator made. */
#ifndef SKALD_BUS_KAFKA_TOPICS_H
#define SKALD_BUS_KAFKA_TOPICS_H

#include "bus/kafka/kafka.h"

/* Ask for a topic. What the brokers say comes to the queue as one event, with the
 * opaque, in 10 s at most. */
void kafka_topic_ask(const struct kafka_client *client, const struct kafka_setup *setup,
		     const char *topic, int32_t partitions, rd_kafka_queue_t *queue,
		     void *opaque);

/* What such an event says. OK: the topic was made, which is logged. ERR_CONFLICT: it
 * was there. ERR_UNAVAILABLE: nobody answered, ask again. Otherwise it could not be
 * made, and the diag says why. The event stays the caller's. */
CHECKED enum err kafka_topic_heard(const struct kafka_client *client, rd_kafka_event_t *event,
				   struct diag *diag);

/* The number of its partitions; 0: there is none, or nobody said in so many ms, for
 * which this blocks. */
int32_t kafka_topic_partitions(const struct kafka_client *client, const char *topic,
			       int timeout_ms);

/* Of a topic of inquiries: some more than one, so that who is asked again is somebody
 * else. */
enum { KAFKA_INQUIRY_PARTITIONS = 3 };
int32_t kafka_inquiry_partitions(const struct kafka_setup *setup);

/* A topic that is looked for until it is there, and made where it is missing. */
struct wanted_topic {
	const struct kafka_setup *setup;
	const struct kafka_client *client; /* whom the brokers answer */
	rd_kafka_queue_t *queue;
	int32_t partitions; /* that it is made with; and has, once it is there */
	enum { WANTED_UNKNOWN, WANTED_ASKED, WANTED_THERE } state;
	int64_t look_ms;
	struct diag trouble; /* why it is not there; empty: nobody knows yet */
	char name[KAFKA_TOPIC_SIZE];
};

/* `name`, `setup`, `client` and `partitions` are set; what the brokers say wakes the
 * eventfd. Closed before the client; never opened is fine. */
void wanted_topic_open(struct wanted_topic *topic, int wake_fd);
void wanted_topic_close(struct wanted_topic *topic);

/* Whether it is there; a look blocks up to KAFKA_LOOK_MS. What keeps it from being made
 * is logged once. */
bool wanted_topic_look(struct wanted_topic *topic);

/* Have a topic, and warn of everything in which it differs from what would be made; the
 * rest of that comes to the queue `later`. Blocks up to the timeout. ERR_UNAVAILABLE: no
 * broker answers; ERR_NOT_FOUND: there is no such topic, and none could be made. */
CHECKED enum err kafka_topic_need(const struct kafka_client *client,
				  const struct kafka_setup *setup, const char *topic,
				  int32_t partitions, int timeout_ms, rd_kafka_queue_t *later,
				  struct diag *diag);

/* Remove all topics of the prefix, with what is in them. Blocks up to the timeout.
 * ERR_UNAVAILABLE: no broker answers, or one refuses, says the diag; ERR_NOMEM. */
CHECKED enum err kafka_topics_remove(const struct kafka_client *client,
				     const struct kafka_setup *setup, int timeout_ms,
				     struct diag *diag);

/* What comes to that queue. The event stays the caller's. */
void kafka_topic_config_heard(const struct kafka_client *client,
			      const struct kafka_setup *setup, rd_kafka_event_t *event);

#endif

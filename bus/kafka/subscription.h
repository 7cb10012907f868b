/* subscription.h - a topic whose partitions this process shares with others of its group,
 * which is called as the topic. Where it is missing it is made.
 */
#ifndef SKALD_BUS_KAFKA_SUBSCRIPTION_H
#define SKALD_BUS_KAFKA_SUBSCRIPTION_H

#include "bus/kafka/kafka.h"
#include "bus/kafka/topics.h"

struct subscription {
	struct kafka_client consumer;
	struct wanted_topic topic;
	bool subscribed;
};

/* `user` has `rebalanced`, the topic is made with so many `partitions`, `from_now` is as in
 * struct kafka_reader; the eventfd is written to when there is something to do. All are
 * borrowed, and the producer has to outlive it. What was opened before it fails is closed by
 * subscription_close. ERR_INVALID, ERR_NOMEM. */
CHECKED enum err subscription_open(struct subscription *subscription,
				   const struct kafka_client *producer,
				   const struct kafka_setup *setup, const char *topic,
				   int32_t partitions, bool from_now,
				   const struct kafka_user *user, void *context, int wake_fd,
				   struct diag *diag);
void subscription_close(struct subscription *subscription);

/* From now on the brokers answer another producer; the old one may go. */
void subscription_move(struct subscription *subscription, const struct kafka_client *producer,
		       int wake_fd);

/* Whether the topic is there, and subscribed to. */
bool subscription_pump(struct subscription *subscription);

/* Why not; NULL: it is. */
const char *subscription_trouble(const struct subscription *subscription);

#endif

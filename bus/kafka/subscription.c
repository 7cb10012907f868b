#include "bus/kafka/subscription.h"

#include <stdio.h>

enum err subscription_open(struct subscription *subscription,
			   const struct kafka_client *producer, const struct kafka_setup *setup,
			   const char *topic, int32_t partitions, bool from_now,
			   const struct kafka_user *user, void *context, int wake_fd,
			   struct diag *diag)
{
	const struct kafka_reader reader = {.group = topic, .from_now = from_now};
	enum err err = kafka_consumer_open(&subscription->consumer, setup, &reader, user,
					   context, diag);

	if (err)
		return err;
	subscription->subscribed = false;
	kafka_client_wake(&subscription->consumer, wake_fd);
	subscription->topic = (struct wanted_topic){
		.setup = setup, .client = producer, .partitions = partitions};
	snprintf(subscription->topic.name, sizeof subscription->topic.name, "%s", topic);
	wanted_topic_open(&subscription->topic, wake_fd);
	return OK;
}

void subscription_close(struct subscription *subscription)
{
	kafka_client_close(&subscription->consumer, 0);
	wanted_topic_close(&subscription->topic);
}

void subscription_move(struct subscription *subscription, const struct kafka_client *producer,
		       int wake_fd)
{
	struct wanted_topic *topic = &subscription->topic;

	wanted_topic_close(topic);
	topic->client = producer;
	if (topic->state == WANTED_ASKED) /* nobody will hear the answer */
		topic->state = WANTED_UNKNOWN;
	wanted_topic_open(topic, wake_fd);
}

bool subscription_pump(struct subscription *subscription)
{
	rd_kafka_topic_partition_list_t *topics;

	if (subscription->subscribed || !wanted_topic_look(&subscription->topic))
		return subscription->subscribed;
	topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(topics, subscription->topic.name,
					  RD_KAFKA_PARTITION_UA);
	rd_kafka_subscribe(subscription->consumer.rk, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	subscription->subscribed = true;
	return true;
}

const char *subscription_trouble(const struct subscription *subscription)
{
	const char *why = subscription->topic.trouble.text;

	if (subscription->subscribed)
		return NULL;
	return why[0] ? why : "connecting";
}

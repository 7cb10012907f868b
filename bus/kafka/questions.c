#include "bus/kafka/questions.h"

#include "proto/message_copy.h"
#include "proto/wire.h"

#include <stdlib.h>

static void on_rebalanced(void *context, bool gained,
			  rd_kafka_topic_partition_list_t *partitions)
{
	struct questions *questions = context;

	kafka_client_assign(&questions->subscription.consumer, gained, partitions);
}

enum err questions_open(struct questions *questions, const struct kafka_client *producer,
			const struct kafka_setup *setup, struct slice participant, int wake_fd,
			struct diag *diag)
{
	static const struct kafka_user user = {.rebalanced = on_rebalanced};
	char topic[KAFKA_TOPIC_SIZE];

	kafka_topic_of_inquiries(setup, participant, topic);
	return subscription_open(&questions->subscription, producer, setup, topic,
				 kafka_inquiry_partitions(setup), true, &user, questions,
				 wake_fd, diag);
}

void questions_close(struct questions *questions)
{
	subscription_close(&questions->subscription);
	arena_release(&questions->arena);
	free(questions->next);
	free(questions->polled);
	questions->next = questions->polled = NULL;
}

/* NULL: it is none, or there is no memory for it, which comes to the same. */
static struct inquiry_message *read_inquiry(struct questions *questions,
					    const rd_kafka_message_t *message)
{
	const struct slice value = {message->payload, message->len};
	struct frame frame;

	arena_reset(&questions->arena);
	if (value.len > WIRE_FRAME_MAX || wire_read(value, &questions->arena, &frame, NULL) ||
	    frame.type != FRAME_INQUIRY)
		return NULL;
	return inquiry_message_copy(&frame.inquiry);
}

/* One is read ahead: what librdkafka has left wakes nobody. */
void questions_pump(struct questions *questions)
{
	rd_kafka_message_t *message;

	if (!subscription_pump(&questions->subscription))
		return;
	while (!questions->next &&
	       (message = kafka_client_poll(&questions->subscription.consumer, 0))) {
		questions->next = read_inquiry(questions, message);
		rd_kafka_message_destroy(message);
	}
}

bool questions_wait(const struct questions *questions)
{
	return questions->next != NULL;
}

bool questions_poll(struct questions *questions, struct inquiry_message *out)
{
	free(questions->polled);
	questions->polled = questions->next;
	questions->next = NULL;
	if (questions->polled)
		*out = *questions->polled;
	return questions->polled != NULL;
}

/* questions.h - inquiries that came to this process of a participant over Kafka.
 *
 * They have a topic of their own, of which each process reads some partitions, so that
 * they do not wait behind commands. Whatever came before this process read them was for
 * somebody else, and nothing is committed: who asks asks again. What is no inquiry is
 * passed over.
 */
#ifndef SKALD_BUS_KAFKA_QUESTIONS_H
#define SKALD_BUS_KAFKA_QUESTIONS_H

#include "bus/kafka/subscription.h"

struct questions {
	struct subscription subscription;
	struct inquiry_message *next;   /* read, and not polled */
	struct inquiry_message *polled; /* the last one that was */
	struct arena arena;
};

/* As subscription_open. */
CHECKED enum err questions_open(struct questions *questions,
				const struct kafka_client *producer,
				const struct kafka_setup *setup, struct slice participant,
				int wake_fd, struct diag *diag);
void questions_close(struct questions *questions);

/* Take in what came. */
void questions_pump(struct questions *questions);

/* Whether one waits to be polled. */
bool questions_wait(const struct questions *questions);

/* See port_inquiry. */
bool questions_poll(struct questions *questions, struct inquiry_message *out);

#endif

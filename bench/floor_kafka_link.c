#include "bench/floor_kafka_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLUSH_MS = 30000, KEY_SIZE = 32 };

struct property {
	const char *name, *value;
};

/* The promises are Skald's: nothing is lost, nothing twice, all in order. What is not
 * named here is as librdkafka has it; what is, was the fastest that was found. */
static const struct property producers[] = {
	{"enable.idempotence", "true"},
	{"acks", "all"},
	{"partitioner", "murmur2_random"},
	{"linger.ms", "5"}, /* a flush does not wait for it */
	{"socket.nagle.disable", "true"},
	{"log_level", "2"},
	{NULL, NULL},
};
static const struct property heralds[] = {
	{"enable.idempotence", "true"},
	{"acks", "all"},
	{"partitioner", "murmur2_random"},
	{"linger.ms", "20"},
	{"socket.nagle.disable", "true"},
	{"log_level", "2"},
	{NULL, NULL},
};
static const struct property consumers[] = {
	{"enable.auto.commit", "false"},
	{"auto.offset.reset", "earliest"},
	{"partition.assignment.strategy", "range"},
	{"socket.nagle.disable", "true"},
	{"log_level", "2"},
	{NULL, NULL},
};

static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct floor_kafka_link *link = opaque;

	link->n_undelivered += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static enum err set_all(rd_kafka_conf_t *conf, const struct property *properties,
			struct diag *diag)
{
	char why[256] = "";

	for (const struct property *p = properties; p->name; p++)
		if (rd_kafka_conf_set(conf, p->name, p->value, why, sizeof why))
			return diag_set(diag, ERR_INVALID, "%s: %s", p->name, why);
	return OK;
}

static enum err open_client(const struct property *properties, struct floor_kafka_link *link,
			    const struct floor_kafka_setup *setup, rd_kafka_t **out,
			    struct diag *diag)
{
	bool producer = properties != consumers;
	const struct property own[] = {{"bootstrap.servers", setup->brokers},
				       {producer ? NULL : "group.id", setup->in},
				       {NULL, NULL}};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	enum err err = set_all(conf, properties, diag);
	char why[256] = "";

	err = err ? err : set_all(conf, own, diag);
	rd_kafka_conf_set_opaque(conf, link);
	if (producer)
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
	if (!err)
		*out = rd_kafka_new(producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, why,
				    sizeof why);
	if (*out)
		return OK;
	rd_kafka_conf_destroy(conf);
	return err ? err : diag_set(diag, ERR_UNAVAILABLE, "%s", why);
}

static enum err subscribe(struct floor_kafka_link *link, const char *topic, struct diag *diag)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t err;

	rd_kafka_poll_set_consumer(link->consumer);
	rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
	err = rd_kafka_subscribe(link->consumer, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	link->queue = rd_kafka_queue_get_consumer(link->consumer);
	return err ? diag_set(diag, ERR_UNAVAILABLE, "%s: %s", topic, rd_kafka_err2str(err))
		   : OK;
}

enum err floor_kafka_link_open(struct floor_kafka_link *link,
			       const struct floor_kafka_setup *setup, struct diag *diag)
{
	enum err err;

	link->messages = calloc(FLOOR_KAFKA_BATCH, sizeof(rd_kafka_message_t *));
	if (!link->messages)
		return diag_set(diag, ERR_NOMEM, "out of memory");
	err = open_client(producers, link, setup, &link->producer, diag);
	err = err ? err : open_client(consumers, link, setup, &link->consumer, diag);
	if (!err && setup->events)
		err = open_client(heralds, link, setup, &link->herald, diag);
	if (err)
		return err;
	if (link->herald)
		link->events = rd_kafka_topic_new(link->herald, setup->events, NULL);
	for (int i = 0; i < FLOOR_KAFKA_OUTS_MAX && setup->outs[i]; i++)
		link->outs[i] = rd_kafka_topic_new(link->producer, setup->outs[i], NULL);
	return subscribe(link, setup->in, diag);
}

void floor_kafka_link_release(struct floor_kafka_link *link)
{
	for (int i = 0; i < FLOOR_KAFKA_OUTS_MAX; i++)
		if (link->outs[i])
			rd_kafka_topic_destroy(link->outs[i]);
	if (link->events)
		rd_kafka_topic_destroy(link->events);
	if (link->queue)
		rd_kafka_queue_destroy(link->queue);
	if (link->consumer) {
		rd_kafka_consumer_close(link->consumer);
		rd_kafka_destroy(link->consumer);
	}
	if (link->producer)
		rd_kafka_destroy(link->producer);
	if (link->herald) {
		/* Late events hold nobody up, and nobody waits for them any more. */
		(void)rd_kafka_flush(link->herald, FLUSH_MS);
		rd_kafka_destroy(link->herald);
	}
	free(link->messages);
}

enum err floor_kafka_link_take(struct floor_kafka_link *link, int timeout_ms,
			       struct floor_frame frames[FLOOR_KAFKA_BATCH], size_t *n,
			       struct diag *diag)
{
	rd_kafka_message_t *first = rd_kafka_consumer_poll(link->consumer, timeout_ms);
	enum err err = OK;
	ssize_t more;

	*n = 0;
	if (!first)
		return OK;
	link->messages[0] = first;
	more = rd_kafka_consume_batch_queue(link->queue, 0, link->messages + 1,
					    FLOOR_KAFKA_BATCH - 1);
	for (ssize_t i = 0; i < 1 + more; i++) {
		rd_kafka_message_t *message = link->messages[i];

		if (!message->err && message->len == sizeof *frames)
			memcpy(&frames[(*n)++], message->payload, sizeof *frames);
		else
			err = diag_set(diag, ERR_UNAVAILABLE, "%s",
				       message->err ? rd_kafka_message_errstr(message)
						    : "somebody else writes to the topics");
		rd_kafka_message_destroy(message);
	}
	return err;
}

static enum err produce(rd_kafka_topic_t *topic, uint64_t saga, const void *value, size_t size,
			struct diag *diag)
{
	char key[KEY_SIZE];
	int len = snprintf(key, sizeof key, "%026llu", (unsigned long long)saga);

	if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA,
			     RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK, (void *)value, size,
			     key, (size_t)len, NULL) == 0)
		return OK;
	return diag_set(diag, ERR_UNAVAILABLE, "%s: %s", rd_kafka_topic_name(topic),
			rd_kafka_err2str(rd_kafka_last_error()));
}

enum err floor_kafka_link_send(struct floor_kafka_link *link, int out,
			       const struct floor_frame *frame, struct diag *diag)
{
	return produce(link->outs[out], frame->saga, frame, sizeof *frame, diag);
}

enum err floor_kafka_link_tell(struct floor_kafka_link *link, uint64_t saga, int n,
			       struct diag *diag)
{
	char event[FLOOR_KAFKA_EVENT_BYTES];
	enum err err = OK;

	memset(event, 'e', sizeof event);
	for (int i = 0; i < n && !err; i++)
		err = produce(link->events, saga, event, sizeof event, diag);
	rd_kafka_poll(link->herald, 0);
	return err;
}

enum err floor_kafka_link_settle(struct floor_kafka_link *link, struct diag *diag)
{
	if (rd_kafka_flush(link->producer, FLUSH_MS) || link->n_undelivered)
		return diag_set(diag, ERR_UNAVAILABLE, "the broker does not take what is sent");
	/* What was taken last; where there was nothing yet, that is no harm. */
	(void)rd_kafka_commit(link->consumer, NULL, 1);
	return OK;
}

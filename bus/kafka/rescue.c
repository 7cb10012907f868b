#include "bus/kafka/rescue.h"

#include <stdlib.h>

struct rescued {
	struct rescued *next;
	char topic[KAFKA_TOPIC_SIZE];
	int32_t partition;
	void *opaque;
	rd_kafka_headers_t *headers; /* NULL: none */
	size_t len, key_len;
	char bytes[]; /* the value, then the key */
};

void rescue_init(struct rescue *rescue)
{
	*rescue = (struct rescue){NULL, &rescue->first, 0};
}

static void drop_first(struct rescue *rescue)
{
	struct rescued *first = rescue->first;

	rescue->first = first->next;
	if (!rescue->first)
		rescue->end = &rescue->first;
	rescue->n--;
	if (first->headers)
		rd_kafka_headers_destroy(first->headers);
	free(first);
}

bool rescue_drop(struct rescue *rescue, void **opaque)
{
	if (!rescue->first)
		return false;
	*opaque = rescue->first->opaque;
	drop_first(rescue);
	return true;
}

void rescue_release(struct rescue *rescue)
{
	while (rescue->first)
		drop_first(rescue);
}

bool rescue_keep(struct rescue *rescue, const rd_kafka_message_t *message)
{
	struct rescued *kept = calloc(1, sizeof *kept + message->len + message->key_len);
	rd_kafka_headers_t *headers = NULL;

	if (!kept)
		return false;
	memcpy(kept->topic, rd_kafka_topic_name(message->rkt),
	       strlen(rd_kafka_topic_name(message->rkt)));
	kept->partition = message->partition;
	kept->opaque = message->_private;
	kept->len = message->len;
	kept->key_len = message->key_len;
	if (kept->len)
		memcpy(kept->bytes, message->payload, kept->len);
	if (kept->key_len)
		memcpy(kept->bytes + kept->len, message->key, kept->key_len);
	if (!rd_kafka_message_headers(message, &headers))
		kept->headers = rd_kafka_headers_copy(headers);
	*rescue->end = kept;
	rescue->end = &kept->next;
	rescue->n++;
	return true;
}

enum err rescue_send(struct rescue *rescue, rd_kafka_t *producer, void **opaque)
{
	struct rescued *first = rescue->first;
	rd_kafka_resp_err_t err;

	if (!first)
		return ERR_NOT_FOUND;
	err = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(first->topic),
				RD_KAFKA_V_PARTITION(first->partition),
				RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				RD_KAFKA_V_KEY(&first->bytes[first->len], first->key_len),
				RD_KAFKA_V_VALUE(first->bytes, first->len),
				RD_KAFKA_V_HEADERS(first->headers),
				RD_KAFKA_V_OPAQUE(first->opaque), RD_KAFKA_V_END);
	*opaque = first->opaque;
	if (!err)
		first->headers = NULL; /* the producer's now */
	else if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL || err == RD_KAFKA_RESP_ERR__FATAL)
		return ERR_BUSY;
	drop_first(rescue);
	return err ? ERR_INVALID : OK;
}

bool rescue_empty(rd_kafka_t *producer, int timeout_ms)
{
	rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	return !rd_kafka_flush(producer, timeout_ms);
}

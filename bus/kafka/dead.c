#include "bus/kafka/dead.h"

#include "proto/wire.h"

#include <inttypes.h>
#include <stdio.h>

struct slice dead_value(const rd_kafka_message_t *message)
{
	return (struct slice){message->payload,
			      message->len < WIRE_FRAME_MAX ? message->len : WIRE_FRAME_MAX};
}

static void add(rd_kafka_headers_t *headers, const char *name, struct slice value)
{
	rd_kafka_header_add(headers, name, -1, value.at ? value.at : "", (ssize_t)value.len);
}

static void add_number(rd_kafka_headers_t *headers, const char *name, int64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, number);
	add(headers, name, slice_of(text));
}

/* Those of an earlier death are not kept: the letter was replayed, and died again. */
static void remove_ours(rd_kafka_headers_t *headers)
{
	static const char *const names[] = {"skald-reason",    "skald-text",   "skald-topic",
					    "skald-partition", "skald-offset", "skald-time",
					    "skald-bytes"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		rd_kafka_header_remove(headers, names[i]);
}

rd_kafka_headers_t *dead_headers(const rd_kafka_message_t *message, struct slice code,
				 struct slice text)
{
	rd_kafka_headers_t *original = NULL, *headers;

	rd_kafka_message_headers(message, &original);
	headers = original ? rd_kafka_headers_copy(original) : rd_kafka_headers_new(8);
	remove_ours(headers);
	add(headers, "skald-reason", code);
	add(headers, "skald-text", text);
	add(headers, "skald-topic", slice_of(rd_kafka_topic_name(message->rkt)));
	add_number(headers, "skald-partition", message->partition);
	add_number(headers, "skald-offset", message->offset);
	add_number(headers, "skald-time", rd_kafka_message_timestamp(message, NULL));
	if (message->len > WIRE_FRAME_MAX)
		add_number(headers, "skald-bytes", (int64_t)message->len);
	return headers;
}

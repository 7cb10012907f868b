#include "bus/kafka/dead.h"

#include "base/utf8.h"
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

static const char *const ours[] = {"skald-reason",    "skald-text",   "skald-topic",
				   "skald-partition", "skald-offset", "skald-time",
				   "skald-bytes"};
enum { N_OURS = sizeof ours / sizeof *ours };

static bool is_ours(const char *name)
{
	for (size_t i = 0; i < N_OURS; i++)
		if (strcmp(name, ours[i]) == 0)
			return true;
	return false;
}

/* Those of an earlier death are not kept: the letter was replayed, and died again. */
static void remove_ours(rd_kafka_headers_t *headers)
{
	for (size_t i = 0; i < N_OURS; i++)
		rd_kafka_header_remove(headers, ours[i]);
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

/* --- and back --------------------------------------------------------------------- */

static struct slice header(const rd_kafka_headers_t *headers, const char *name)
{
	const void *value = NULL;
	size_t size = 0;

	if (!headers || rd_kafka_header_get_last(headers, name, &value, &size) || !value)
		return (struct slice){0};
	return (struct slice){value, size};
}

static int64_t number(const rd_kafka_headers_t *headers, const char *name, int64_t otherwise)
{
	struct slice text = header(headers, name);
	int64_t out = 0;

	if (!text.len || text.len > 18)
		return otherwise;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return otherwise;
		out = 10 * out + (text.at[i] - '0');
	}
	return out;
}

static enum err copy_headers(const rd_kafka_headers_t *headers, struct arena *arena,
			     struct slice *out)
{
	struct bytes bytes = BYTES(KAFKA_MESSAGE_MAX, arena);
	const char *name;
	const void *value;
	size_t size;

	for (size_t i = 0; headers && i < DEAD_HEADERS_MAX &&
			   !rd_kafka_header_get_all(headers, i, &name, &value, &size);
	     i++)
		if (!is_ours(name))
			dead_headers_add(&bytes, slice_of(name),
					 (struct slice){value, value ? size : 0});
	*out = bytes_slice(&bytes);
	return bytes.err ? ERR_NOMEM : OK;
}

/* The place where it was found, or, where nobody says, this one. */
static enum err read_place(const rd_kafka_message_t *message, const rd_kafka_headers_t *headers,
			   struct arena *arena, struct dead_letter *out)
{
	struct bytes id = BYTES(DEAD_ID_MAX, arena);

	out->source = header(headers, "skald-topic");
	out->partition = (int32_t)number(headers, "skald-partition", -1);
	out->offset = number(headers, "skald-offset", -1);
	if (!out->source.len || out->source.len >= KAFKA_TOPIC_SIZE || out->partition < 0 ||
	    out->offset < 0 || !dead_id_valid(out->source)) {
		out->source = slice_of(rd_kafka_topic_name(message->rkt));
		out->partition = message->partition;
		out->offset = message->offset;
	}
	bytes_format(&id, "%.*s-%d-%" PRId64, SLICE_ARG(out->source), (int)out->partition,
		     out->offset);
	out->id = bytes_slice(&id);
	return id.err                                         ? ERR_NOMEM
	       : arena_copy(arena, out->source, &out->source) ? OK
							      : ERR_NOMEM;
}

/* Anybody may have written the header. */
static struct slice readable(struct slice text, size_t max)
{
	return utf8_valid(text) ? utf8_cut(text, max) : SLICE_LITERAL("not UTF-8");
}

enum err dead_read(const rd_kafka_message_t *message, struct arena *arena,
		   struct dead_letter *out)
{
	rd_kafka_headers_t *headers = NULL;
	enum err err;

	(void)rd_kafka_message_headers(message, &headers);
	*out = (struct dead_letter){
		.at_ms = rd_kafka_message_timestamp(message, NULL),
		.reason = header(headers, "skald-reason"),
		.text = header(headers, "skald-text"),
		.key = {message->key, message->key_len},
		.value = {message->payload, message->len},
	};
	out->size = (uint64_t)number(headers, "skald-bytes", (int64_t)message->len);
	if (out->at_ms < 0)
		out->at_ms = 0;
	if (!out->reason.len)
		out->reason = SLICE_LITERAL("unknown");
	out->reason = readable(out->reason, WIRE_ID_MAX);
	out->text = readable(out->text, WIRE_TEXT_MAX);
	err = read_place(message, headers, arena, out);
	return err ? err : copy_headers(headers, arena, &out->headers);
}

rd_kafka_headers_t *dead_original_headers(const struct dead_letter *letter)
{
	rd_kafka_headers_t *headers = NULL;
	struct slice name, value;
	size_t at = 0;

	while (dead_headers_next(letter->headers, &at, &name, &value)) {
		if (!headers)
			headers = rd_kafka_headers_new(DEAD_HEADERS_MAX);
		rd_kafka_header_add(headers, name.at, (ssize_t)name.len, value.at,
				    (ssize_t)value.len);
	}
	return headers;
}

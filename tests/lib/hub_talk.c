#include "tests/lib/hub_talk.h"

#include "proto/wire.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT SLICE_LITERAL

enum { TALK_SIZE = 64 * 1024 };

const struct hub_limits hub_small = {
	.connections = 4,
	.participants = 2,
	.window = 3,
	.held = 4,
	.kept_bytes = 100000,
	.inbox = 8,
	.inbox_bytes = 1024 * 1024,
	.output_bytes = 400,
	.output_max = 1000,
	.hello_ms = HELLO_MS,
};

struct hub *open_hub(void)
{
	struct hub *hub = hub_new("test", &hub_small);

	ck_assert(hub);
	return hub;
}

struct hub_connection *connect_to(struct hub *hub)
{
	struct hub_connection *connection = NULL;

	ck_assert_int_eq(hub_accept(hub, 0, &connection), OK);
	return connection;
}

void say_frame(struct hub *hub, struct hub_connection *connection, const struct frame *frame)
{
	static char room[WIRE_PAYLOAD_MAX + 1024]; /* no allocation that may fail */
	struct bytes bytes = {.at = room, .capacity = sizeof room, .max = sizeof room};

	if (wire_write(frame, &bytes, NULL))
		abort();
	hub_receive(hub, connection, bytes_slice(&bytes));
}

void say_hello(struct hub *hub, struct hub_connection *connection, const char *participant,
	       uint32_t window)
{
	const struct frame hello = {
		.type = FRAME_HELLO,
		.hello = {1, slice_of(participant), window, TEXT("x"), WIRE_NEWEST}};

	say_frame(hub, connection, &hello);
}

struct hub_connection *come(struct hub *hub, const char *participant, uint32_t window)
{
	struct hub_connection *connection = connect_to(hub);

	say_hello(hub, connection, participant, window);
	return connection;
}

void say_reply(struct hub *hub, struct hub_connection *connection, const char *id)
{
	const struct frame reply = {.type = FRAME_REPLY,
				    .reply = {.id = slice_of(id), .attempt = 1}};

	say_frame(hub, connection, &reply);
}

void say_start(struct hub *hub, struct hub_connection *connection, uint64_t request)
{
	const struct frame start = {.type = FRAME_START,
				    .request = request,
				    .watch = true,
				    .start = {.saga = TEXT("order")}};

	say_frame(hub, connection, &start);
}

enum err command_stock_with(struct hub *hub, const char *id, struct slice args)
{
	struct command_message command = {.id = slice_of(id),
					  .participant = TEXT("stock"),
					  .command = TEXT("take"),
					  .saga_id = slice_of(id),
					  .saga = TEXT("order"),
					  .attempt = 1,
					  .args = args};

	return hub_send(hub, &command);
}

void command_stock(struct hub *hub, const char *id)
{
	ck_assert_int_eq(command_stock_with(hub, id, (struct slice){0}), OK);
}

static const char *describe(const struct frame *frame)
{
	static char text[DIAG_MAX + 64];

	switch (frame->type) {
	case FRAME_WELCOME: return "welcome";
	case FRAME_COMMAND:
		snprintf(text, sizeof text, "command %.*s", SLICE_ARG(frame->command.id));
		return text;
	case FRAME_SETTLED:
		snprintf(text, sizeof text, "settled %u", (unsigned int)frame->settled);
		return text;
	case FRAME_REFUSE:
		snprintf(text, sizeof text, "refuse %.*s", SLICE_ARG(frame->refuse));
		return text;
	case FRAME_RESULT:
		snprintf(text, sizeof text, "result %u %.*s", (unsigned int)frame->request,
			 SLICE_ARG(frame->result.code));
		return text;
	case FRAME_ENDED:
		snprintf(text, sizeof text, "ended %.*s %.*s", SLICE_ARG(frame->ended.saga_id),
			 SLICE_ARG(frame->ended.status));
		return text;
	case FRAME_INQUIRY:
		snprintf(text, sizeof text, "inquiry %u", (unsigned int)frame->inquiry.request);
		return text;
	case FRAME_HELLO:
	case FRAME_REPLY:
	case FRAME_START:
	case FRAME_SIGNAL:
	case FRAME_RECORDS: break;
	}
	return "what nobody may say";
}

const char *talk(struct hub *hub, struct hub_connection *connection)
{
	static char text[TALK_SIZE];
	struct arena arena = {0};
	struct slice bytes, frame_bytes;
	struct frame frame;
	size_t len = 0;

	text[0] = '\0';
	while ((bytes = hub_output(connection)).len) {
		ck_assert_int_eq(wire_first(bytes, &frame_bytes), OK);
		ck_assert_int_eq(wire_read(frame_bytes, &arena, &frame, NULL), OK);
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len ? ", " : "",
					describe(&frame));
		ck_assert_uint_lt(len, sizeof text);
		hub_sent(hub, connection, WIRE_LENGTH_SIZE + frame_bytes.len);
	}
	arena_release(&arena);
	return text;
}

size_t take_all(struct hub *hub)
{
	struct inbox_message message;
	size_t n = 0;

	while (hub_poll(hub, &message))
		n++;
	hub_acknowledge(hub);
	return n;
}

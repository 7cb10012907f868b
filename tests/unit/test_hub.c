/* test_hub.c - the hub as bytes see it: hello, frames, limits, settling; and a
 * participant's session on the other side, through pipes that break. */
#include "bus/hub.h"
#include "proto/wire.h"
#include "tests/lib/bus_pipe.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT SLICE_LITERAL

enum { HELLO_MS = 1000, TALK_SIZE = 64 * 1024 };

static const struct hub_limits small = {
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

/* --- helpers ----------------------------------------------------------------------- */

static struct hub *open_hub(void)
{
	struct hub *hub = hub_new("test", &small);

	ck_assert(hub);
	return hub;
}

static struct hub_connection *connect_to(struct hub *hub)
{
	struct hub_connection *connection = NULL;

	ck_assert_int_eq(hub_accept(hub, 0, &connection), OK);
	return connection;
}

static void say(struct hub *hub, struct hub_connection *connection, const struct frame *frame)
{
	static char room[WIRE_PAYLOAD_MAX + 1024]; /* no allocation that may fail */
	struct bytes bytes = {.at = room, .capacity = sizeof room, .max = sizeof room};

	if (wire_write(frame, &bytes, NULL))
		abort();
	hub_receive(hub, connection, bytes_slice(&bytes));
}

static void say_hello(struct hub *hub, struct hub_connection *connection,
		      const char *participant, uint32_t window)
{
	const struct frame hello = {
		.type = FRAME_HELLO,
		.hello = {1, slice_of(participant), window, TEXT("x"), WIRE_NEWEST}};

	say(hub, connection, &hello);
}

static struct hub_connection *come(struct hub *hub, const char *participant, uint32_t window)
{
	struct hub_connection *connection = connect_to(hub);

	say_hello(hub, connection, participant, window);
	return connection;
}

static void say_reply(struct hub *hub, struct hub_connection *connection, const char *id)
{
	const struct frame reply = {.type = FRAME_REPLY,
				    .reply = {.id = slice_of(id), .attempt = 1}};

	say(hub, connection, &reply);
}

static void say_start(struct hub *hub, struct hub_connection *connection, uint64_t request)
{
	const struct frame start = {.type = FRAME_START,
				    .request = request,
				    .watch = true,
				    .start = {.saga = TEXT("order")}};

	say(hub, connection, &start);
}

static enum err send_sized(struct hub *hub, const char *id, struct slice args)
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

static void send(struct hub *hub, const char *id)
{
	ck_assert_int_eq(send_sized(hub, id, (struct slice){0}), OK);
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

/* All that the hub has to say to a connection: "welcome, command a, settled 1".
 * It is taken as sent, and valid until the next call. */
static const char *talk(struct hub *hub, struct hub_connection *connection)
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

static size_t take_all(struct hub *hub)
{
	struct inbox_message message;
	size_t n = 0;

	while (hub_poll(hub, &message))
		n++;
	hub_acknowledge(hub);
	return n;
}

/* --- hello ------------------------------------------------------------------------- */

#define HELLO(...)                                                                      \
	{                                                                               \
		.type = FRAME_HELLO, .hello = {.version = 1, .window = 1, __VA_ARGS__ } \
	}

#pragma GCC diagnostic ignored "-Woverride-init"

static const struct hello_row {
	const char *name;
	struct frame first;
	struct frame second; /* no type: there is none */
	const char *answer;
} hello_rows[] = {
	{"a participant is welcome", HELLO(.participant = TEXT("stock")), {0}, "welcome"},
	{"a client is welcome", HELLO(.window = 0), {0}, "welcome"},
	{"any name will do",
	 HELLO(.participant = TEXT("a-0_z"), .name = TEXT("\xc3\xa9")),
	 {0},
	 "welcome"},
	{"a later version is not spoken",
	 HELLO(.version = 2),
	 {0},
	 "refuse this orchestrator speaks version 1 of the protocol, not 2"},
	{"no version is no version",
	 HELLO(.version = 0),
	 {0},
	 "refuse this orchestrator speaks version 1 of the protocol, not 0"},
	{"a name in capitals is none",
	 HELLO(.participant = TEXT("Stock")),
	 {0},
	 "refuse the name of a participant is a-z, then a-z, 0-9, '-' or '_'"},
	{"a name with a space is none",
	 HELLO(.participant = TEXT("s t")),
	 {0},
	 "refuse the name of a participant is a-z, then a-z, 0-9, '-' or '_'"},
	{"a name with a NUL is none",
	 HELLO(.participant = {"s\0t", 3}),
	 {0},
	 "refuse the name of a participant is a-z, then a-z, 0-9, '-' or '_'"},
	{"a participant needs a window",
	 HELLO(.participant = TEXT("stock"), .window = 0),
	 {0},
	 "refuse a participant's window is at least 1"},
	{"a hello comes first",
	 {.type = FRAME_REPLY, .reply = {.id = TEXT("a"), .attempt = 1}},
	 {0},
	 "refuse the first frame must be a hello"},
	{"one hello is enough", HELLO(.participant = TEXT("stock")), HELLO(.version = 1),
	 "welcome, refuse after its hello, a participant sends replies and nothing else"},
	{"a client says hello once", HELLO(.version = 1), HELLO(.version = 1),
	 "welcome, refuse after its hello, a client sends starts and signals and nothing else"},
	{"a participant starts nothing",
	 HELLO(.participant = TEXT("stock")),
	 {.type = FRAME_START, .start = {.saga = TEXT("order")}},
	 "welcome, refuse after its hello, a participant sends replies and nothing else"},
	{"a client replies to nothing",
	 HELLO(.version = 1),
	 {.type = FRAME_REPLY, .reply = {.id = TEXT("a"), .attempt = 1}},
	 "welcome, refuse after its hello, a client sends starts and signals and nothing else"},
	{"nobody but the hub says welcome",
	 HELLO(.version = 1),
	 {.type = FRAME_WELCOME, .welcome = {.version = 1}},
	 "welcome, refuse after its hello, a client sends starts and signals and nothing else"},
	{"a request's number has 32 bits",
	 HELLO(.version = 1),
	 {.type = FRAME_SIGNAL,
	  .request = (uint64_t)1 << 32,
	  .signal = {.saga_id = TEXT("s"), .event = TEXT("go")}},
	 "welcome, refuse the number of a request is at most 4294967295"},
};

START_TEST(test_hello)
{
	const struct hello_row *row = &hello_rows[_i];
	struct hub *hub = open_hub();
	struct hub_connection *connection = connect_to(hub);
	bool refused = strstr(row->answer, "refuse") != NULL;

	say(hub, connection, &row->first);
	if (row->second.type)
		say(hub, connection, &row->second);
	ck_assert_int_eq(hub_closing(connection), refused);
	ck_assert_int_eq(hub_wants(hub, connection), !refused);
	ck_assert_msg(!strcmp(talk(hub, connection), row->answer), "%s: %s", row->name,
		      talk(hub, connection));
	/* Whatever else it says. */
	if (refused) {
		say(hub, connection, &row->first);
		ck_assert_str_eq(talk(hub, connection), "");
	}
	/* What came behind a hello is kept for people. */
	ck_assert_uint_eq(take_all(hub), strstr(row->answer, "after its hello") != NULL);
	hub_free(hub);
}
END_TEST

static const struct garbage_row {
	const char *name;
	struct slice bytes;
	const char *answer;
} garbage_rows[] = {
	{"another protocol", TEXT("GET / HTTP/1.1\r\n\r\n"),
	 "refuse the length of a frame is 1 to 2097152, so these are no frames"},
	{"an empty frame", TEXT("\0\0\0\0"),
	 "refuse the length of a frame is 1 to 2097152, so these are no frames"},
	{"no protobuf", TEXT("\0\0\0\3xyz"), "refuse the bytes are no frame of the protocol"},
	{"a frame of no kind", TEXT("\0\0\0\2\x78\1"),
	 "refuse the frame says nothing that version 2 of the protocol knows"},
	{"a reply without an id", TEXT("\0\0\0\4\x22\2\x10\1"),
	 "refuse the reply's id is missing"},
	{"half a frame", TEXT("\0\0\0\4\x22\2"), ""},
};

START_TEST(test_garbage_ends_its_own_connection)
{
	const struct garbage_row *row = &garbage_rows[_i];
	struct hub *hub = open_hub();
	struct hub_connection *good = come(hub, "stock", 2), *bad = connect_to(hub);

	hub_receive(hub, bad, row->bytes);
	ck_assert_msg(!strcmp(talk(hub, bad), row->answer), "%s", row->name);
	ck_assert_int_eq(hub_closing(bad), *row->answer != '\0');
	hub_drop(hub, bad);
	ck_assert_str_eq(talk(hub, good), "welcome");
	send(hub, "a");
	ck_assert_str_eq(talk(hub, good), "command a");
	hub_free(hub);
}
END_TEST

START_TEST(test_who_says_no_hello_is_sent_away)
{
	struct hub *hub = open_hub();
	struct hub_connection *silent = connect_to(hub), *client = come(hub, "", 0);

	hub_pump(hub, HELLO_MS - 1);
	ck_assert(!hub_closing(silent));
	hub_pump(hub, HELLO_MS);
	ck_assert(hub_closing(silent) && !hub_closing(client));
	ck_assert_str_eq(talk(hub, silent), "refuse no hello came within 1000 ms");
	hub_free(hub);
}
END_TEST

START_TEST(test_connections_have_a_limit)
{
	struct hub_connection *connections[4], *more = NULL;
	struct hub *hub = open_hub();

	for (int i = 0; i < 4; i++)
		connections[i] = connect_to(hub);
	ck_assert_int_eq(hub_accept(hub, 0, &more), ERR_BUSY);
	hub_drop(hub, connections[1]);
	ck_assert_int_eq(hub_accept(hub, 0, &more), OK);
	hub_free(hub);
}
END_TEST

START_TEST(test_participants_have_a_limit)
{
	struct hub *hub = open_hub();
	struct hub_connection *connection;

	come(hub, "stock", 1);
	come(hub, "payment", 1);
	connection = come(hub, "third", 1);
	ck_assert_str_eq(talk(hub, connection),
			 "welcome, refuse no further participant can be served: busy");
	hub_free(hub);
}
END_TEST

/* --- commands and replies ---------------------------------------------------------- */

START_TEST(test_every_byte_may_come_alone)
{
	const struct frame hello = {.type = FRAME_HELLO,
				    .hello = {1, TEXT("stock"), 2, TEXT("x")}};
	const struct frame reply = {.type = FRAME_REPLY,
				    .reply = {.id = TEXT("a"), .attempt = 1}};
	struct bytes bytes = BYTES(1024, NULL);
	struct hub *hub = open_hub();
	struct hub_connection *connection = connect_to(hub);

	send(hub, "a");
	ck_assert_int_eq(wire_write(&hello, &bytes, NULL), OK);
	ck_assert_int_eq(wire_write(&reply, &bytes, NULL), OK);
	ck_assert_int_eq(wire_write(&reply, &bytes, NULL), OK);
	for (size_t i = 0; i < bytes.len; i++)
		hub_receive(hub, connection, (struct slice){bytes.at + i, 1});
	ck_assert_str_eq(talk(hub, connection), "welcome, command a");
	ck_assert_uint_eq(take_all(hub), 2);
	bytes_release(&bytes);
	hub_free(hub);
}
END_TEST

START_TEST(test_a_window_is_at_most_what_the_hub_allows)
{
	struct hub *hub = open_hub();
	struct hub_connection *connection = come(hub, "stock", 1000000);
	static const char *const ids[] = {"a", "b", "c", "d"};

	for (int i = 0; i < 4; i++)
		send(hub, ids[i]);
	ck_assert_str_eq(talk(hub, connection), "welcome, command a, command b, command c");
	say_reply(hub, connection, "b");
	ck_assert_str_eq(talk(hub, connection), "command d");
	hub_free(hub);
}
END_TEST

START_TEST(test_replies_are_settled_when_they_are_acknowledged)
{
	struct hub *hub = open_hub();
	struct hub_connection *a = come(hub, "stock", 3), *b = come(hub, "stock", 3), *c;
	struct inbox_message message;

	talk(hub, a);
	talk(hub, b);
	say_reply(hub, a, "1");
	say_reply(hub, b, "2");
	say_reply(hub, a, "3");
	hub_pump(hub, 0);
	ck_assert_str_eq(talk(hub, a), "");
	ck_assert(hub_poll(hub, &message) && slice_is(message.reply.id, "1"));
	ck_assert(hub_poll(hub, &message) && slice_is(message.reply.id, "2"));
	hub_pump(hub, 0);
	ck_assert_str_eq(talk(hub, a), "");
	ck_assert(hub_acknowledge(hub));
	ck_assert(!hub_acknowledge(hub));
	say_reply(hub, a, "4");
	hub_pump(hub, 0);
	ck_assert_str_eq(talk(hub, a), "settled 1");
	ck_assert_str_eq(talk(hub, b), "settled 1");
	ck_assert_uint_eq(take_all(hub), 2);
	hub_pump(hub, 0);
	hub_pump(hub, 0);
	ck_assert_str_eq(talk(hub, a), "settled 3");
	ck_assert_str_eq(talk(hub, b), "");
	/* A client's start is answered, and not settled. */
	c = come(hub, "", 0);
	talk(hub, c);
	say_start(hub, c, 7);
	ck_assert_uint_eq(take_all(hub), 1);
	hub_pump(hub, 0);
	ck_assert_str_eq(talk(hub, c), "");
	/* Whose connection is gone hears nothing, nor does who came in his place. */
	say_reply(hub, a, "5");
	hub_drop(hub, a);
	a = come(hub, "stock", 3);
	ck_assert_uint_eq(take_all(hub), 1);
	hub_pump(hub, 0);
	ck_assert_str_eq(talk(hub, a), "welcome");
	hub_free(hub);
}
END_TEST

/* What was polled is there until it is acknowledged, whatever comes meanwhile. */
START_TEST(test_what_was_polled_stays)
{
	struct hub *hub = hub_new("test", &hub_default_limits);
	struct hub_connection *connection = come(hub, "stock", 3);
	struct inbox_message messages[100];
	char id[16];

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 100; i++) {
			snprintf(id, sizeof id, "%d", i);
			say_reply(hub, connection, id);
			if (i % 10 == 9)
				hub_pump(hub, 0);
			ck_assert(hub_poll(hub, &messages[i]));
		}
		for (int i = 0; i < 100; i++) {
			snprintf(id, sizeof id, "%d", i);
			ck_assert(slice_is(messages[i].reply.id, id));
		}
		hub_acknowledge(hub);
	}
	hub_free(hub);
}
END_TEST

/* See share.h: whatever is said counts, if it is not an answer. */
START_TEST(test_who_speaks_is_not_absent)
{
	struct command_message command = {.id = TEXT("s/1#0/0/do"),
					  .participant = TEXT("stock"),
					  .command = TEXT("take"),
					  .saga_id = TEXT("s"),
					  .saga = TEXT("order"),
					  .attempt = 1};
	struct hub *hub = open_hub();
	struct hub_connection *a = come(hub, "stock", 3), *b;

	ck_assert_int_eq(hub_send(hub, &command), OK);
	b = come(hub, "stock", 3);
	say_reply(hub, a, "something else");
	command.attempt++;
	ck_assert_int_eq(hub_send(hub, &command), OK);
	ck_assert_str_eq(talk(hub, a), "welcome, command s/1#0/0/do, command s/1#0/0/do");
	ck_assert_str_eq(talk(hub, b), "welcome");
	command.attempt++;
	ck_assert_int_eq(hub_send(hub, &command), OK);
	ck_assert_str_eq(talk(hub, a), "");
	ck_assert_str_eq(talk(hub, b), "command s/1#0/0/do");
	hub_free(hub);
}
END_TEST

START_TEST(test_what_cannot_be_carried_is_not_sent)
{
	static char large[WIRE_PAYLOAD_MAX + 1];
	struct hub *hub = open_hub();

	ck_assert_int_eq(send_sized(hub, "a", (struct slice){large, sizeof large}),
			 ERR_TOO_LARGE);
	ck_assert_int_eq(send_sized(hub, "\xff", (struct slice){0}), ERR_INVALID);
	hub_free(hub);
}
END_TEST

/* --- who does not read, and who says too much -------------------------------------- */

START_TEST(test_who_does_not_read_holds_nobody_up)
{
	static char args[300];
	struct hub *hub = open_hub();
	struct hub_connection *slow = come(hub, "stock", 3), *quick;

	ck_assert_int_eq(send_sized(hub, "a", (struct slice){args, sizeof args}), OK);
	ck_assert_int_eq(send_sized(hub, "b", (struct slice){args, sizeof args}), OK);
	ck_assert_int_eq(send_sized(hub, "c", (struct slice){args, sizeof args}), OK);
	quick = come(hub, "stock", 3);
	send(hub, "d");
	ck_assert_str_eq(talk(hub, quick), "welcome, command c, command d");
	ck_assert(!hub_closing(slow));
	/* It gets more when it has read. */
	send(hub, "e");
	send(hub, "f");
	ck_assert_str_eq(talk(hub, quick), "command e");
	ck_assert_str_eq(talk(hub, slow), "welcome, command a, command b, command f");
	hub_free(hub);
}
END_TEST

START_TEST(test_a_client_that_does_not_read_is_not_listened_to_and_then_closed)
{
	struct result_message result = {.text = TEXT("a text of some length")};
	struct hub *hub = open_hub();
	struct hub_connection *client = come(hub, "", 0);
	struct inbox_message message;
	size_t n;

	say_start(hub, client, 1);
	ck_assert(hub_poll(hub, &message));
	for (n = 0; hub_wants(hub, client); n++)
		hub_answer(hub, message.origin, &result);
	ck_assert(!hub_closing(client));
	ck_assert_uint_gt(hub_output(client).len, small.output_bytes);
	talk(hub, client);
	ck_assert(hub_wants(hub, client));
	for (n = 0; !hub_closing(client) && n < 1000; n++)
		hub_ended(hub, message.origin, TEXT("s"), TEXT("completed"));
	ck_assert(hub_closing(client));
	ck_assert_uint_gt(hub_output(client).len, small.output_max);
	ck_assert_uint_lt(hub_output(client).len, small.output_max + 100);
	hub_free(hub);
}
END_TEST

/* Clients fill half of the inbox; replies still come through, and then nothing
 * does until something was acknowledged. Nothing is lost. */
START_TEST(test_the_inbox_has_a_limit)
{
	struct hub *hub = open_hub();
	struct hub_connection *client = come(hub, "", 0), *stock = come(hub, "stock", 3);
	char id[8];

	for (uint64_t n = 1; n <= 6; n++)
		say_start(hub, client, n);
	ck_assert(!hub_wants(hub, client) && hub_wants(hub, stock));
	for (int n = 0; n < 5; n++) {
		snprintf(id, sizeof id, "%d", n);
		say_reply(hub, stock, id);
	}
	ck_assert(!hub_wants(hub, client) && !hub_wants(hub, stock));
	ck_assert_uint_eq(take_all(hub), 8);
	ck_assert_uint_eq(take_all(hub), 0);
	hub_pump(hub, 0);
	ck_assert(hub_wants(hub, client) && hub_wants(hub, stock));
	ck_assert_uint_eq(take_all(hub), 3);
	hub_free(hub);
}
END_TEST

START_TEST(test_the_inbox_has_a_limit_of_bytes)
{
	static char output[WIRE_PAYLOAD_MAX];
	const struct frame reply = {
		.type = FRAME_REPLY,
		.reply = {.id = TEXT("a"), .attempt = 1, .output = {output, sizeof output}}};
	struct hub *hub = open_hub();
	struct hub_connection *stock = come(hub, "stock", 3);
	int n;

	for (n = 0; hub_wants(hub, stock); n++)
		say(hub, stock, &reply);
	ck_assert_int_ge(n, 3);
	ck_assert_int_le(n, 5);
	ck_assert_uint_eq(take_all(hub), (size_t)n);
	ck_assert(hub_wants(hub, stock));
	for (int round = 0; round < 10; round++) {
		say(hub, stock, &reply);
		ck_assert_uint_eq(take_all(hub), 1);
	}
	hub_free(hub);
}
END_TEST

/* What nobody can use is kept as it came, with the reason. */
START_TEST(test_what_is_refused_is_kept_for_people)
{
	struct hub *hub = open_hub();
	struct hub_connection *connection = come(hub, "stock", 1);
	struct inbox_message message;
	struct dead_letter letter;
	struct diag diag = {""};

	talk(hub, connection);
	hub_receive(hub, connection, (struct slice){"\0\0\0\3xyz", 7});
	ck_assert(hub_poll(hub, &message) && message.type == INBOX_DEAD);
	letter = message.dead;
	ck_assert(slice_is(letter.value, "xyz") && letter.size == 3);
	ck_assert(slice_is(letter.reason, "unreadable"));
	ck_assert(slice_is(letter.text, "the bytes are no frame of the protocol"));
	ck_assert(slice_is(letter.source, "a service") && letter.partition == -1);
	ck_assert_int_eq(hub_replay(hub, &letter, &diag), ERR_INVALID);
	ck_assert_str_eq(diag.text, "the bytes are no frame of the protocol");
	hub_acknowledge(hub);
	/* A stranger's noise is not. */
	hub_receive(hub, connect_to(hub), (struct slice){"\0\0\0\3xyz", 7});
	ck_assert(!hub_poll(hub, &message));
	hub_free(hub);
}
END_TEST

/* Once what it was for is there, it may come again. */
START_TEST(test_a_letter_is_sent_again)
{
	static const struct frame reply = {.type = FRAME_REPLY,
					   .reply = {.id = TEXT("s/a#0/0/do"), .attempt = 2}},
				  command = {.type = FRAME_COMMAND,
					     .command = {.id = TEXT("s/a#0/0/do"),
							 .participant = TEXT("stock"),
							 .command = TEXT("take"),
							 .saga_id = TEXT("s"),
							 .saga = TEXT("order"),
							 .attempt = 1}};
	struct bytes bytes = BYTES(4096, NULL);
	struct hub *hub = open_hub();
	struct inbox_message message;
	struct dead_letter letter = {0};
	struct diag diag = {""};

	ck_assert_int_eq(wire_write(&reply, &bytes, NULL), OK);
	letter.value =
		(struct slice){bytes.at + WIRE_LENGTH_SIZE, bytes.len - WIRE_LENGTH_SIZE};
	ck_assert_int_eq(hub_replay(hub, &letter, &diag), OK);
	ck_assert(hub_poll(hub, &message) && message.type == INBOX_REPLY);
	ck_assert(slice_is(message.reply.id, "s/a#0/0/do") && message.reply.attempt == 2);
	bytes_clear(&bytes);
	ck_assert_int_eq(wire_write(&command, &bytes, NULL), OK);
	letter.value =
		(struct slice){bytes.at + WIRE_LENGTH_SIZE, bytes.len - WIRE_LENGTH_SIZE};
	ck_assert_int_eq(hub_replay(hub, &letter, &diag), ERR_INVALID);
	bytes_release(&bytes);
	hub_free(hub);
}
END_TEST

/* What was read of it and is of no use takes no room for ever. */
START_TEST(test_large_garbage_leaves_nothing_behind)
{
	static char bytes[WIRE_LENGTH_SIZE + 400 * 1024];
	const size_t len = sizeof bytes - WIRE_LENGTH_SIZE;
	struct hub *hub = open_hub();
	struct hub_connection *connection;

	for (size_t i = 0; i < WIRE_LENGTH_SIZE; i++)
		bytes[i] = (char)(len >> (8 * (WIRE_LENGTH_SIZE - 1 - i)));
	/* A reply whose output is over the limit: field 4 of field 4. */
	memcpy(bytes + WIRE_LENGTH_SIZE, "\x22\xfc\xff\x18\x22\xf8\xff\x18", 8);
	for (int i = 0; i < 50; i++) {
		connection = come(hub, "stock", 1);
		talk(hub, connection);
		ck_assert(hub_wants(hub, connection));
		hub_receive(hub, connection, (struct slice){bytes, sizeof bytes});
		ck_assert_str_eq(talk(hub, connection),
				 "refuse the reply's attempt is missing");
		ck_assert_uint_eq(take_all(hub), 1); /* but for the letter, until it is */
		hub_drop(hub, connection);
	}
	hub_free(hub);
}
END_TEST

/* --- clients ----------------------------------------------------------------------- */

START_TEST(test_a_result_goes_to_who_asked)
{
	struct result_message done = {.saga_id = TEXT("s")}, no = {.code = TEXT("refused")};
	struct hub *hub = open_hub();
	struct hub_connection *a = come(hub, "", 0), *b = come(hub, "", 0);
	struct inbox_message first, second;

	talk(hub, a);
	talk(hub, b);
	say_start(hub, a, 7);
	say_start(hub, b, 7);
	ck_assert(hub_poll(hub, &first) && first.type == INBOX_START && first.watch);
	ck_assert(hub_poll(hub, &second));
	ck_assert(first.origin != second.origin);
	hub_answer(hub, second.origin, &no);
	hub_answer(hub, first.origin, &done);
	hub_ended(hub, first.origin, TEXT("s"), TEXT("completed"));
	ck_assert_str_eq(talk(hub, a), "result 7 , ended s completed");
	ck_assert_str_eq(talk(hub, b), "result 7 refused");
	/* Who is gone hears nothing, nor does whoever comes in his place. */
	hub_drop(hub, a);
	for (int i = 0; i < 2000; i++) {
		a = come(hub, "", 0);
		talk(hub, a);
		hub_answer(hub, first.origin, &done);
		hub_ended(hub, first.origin, TEXT("s"), TEXT("completed"));
		ck_assert_str_eq(talk(hub, a), "");
		hub_drop(hub, a);
	}
	hub_free(hub);
}
END_TEST

START_TEST(test_who_gives_no_number_gets_no_result)
{
	struct result_message done = {.saga_id = TEXT("s")};
	struct hub *hub = open_hub();
	struct hub_connection *client = come(hub, "", 0);
	struct inbox_message message;

	say_start(hub, client, 0);
	ck_assert(hub_poll(hub, &message));
	hub_answer(hub, message.origin, &done);
	hub_ended(hub, message.origin, TEXT("s"), TEXT("parked"));
	ck_assert_str_eq(talk(hub, client), "welcome, ended s parked");
	hub_free(hub);
}
END_TEST

/* A sentence is for people, and no reason to fall silent. */
START_TEST(test_a_result_is_cut_to_what_can_be_carried)
{
	static char text[WIRE_TEXT_MAX + 100];
	struct result_message result = {.text = {text, sizeof text}};
	struct hub *hub = hub_new("test", &hub_default_limits);
	struct hub_connection *client = come(hub, "", 0);
	struct inbox_message message;

	memset(text, 'a', sizeof text);
	text[50] = '\xc3'; /* no UTF-8 from here on */
	say_start(hub, client, 1);
	ck_assert(hub_poll(hub, &message));
	hub_answer(hub, message.origin, &result);
	ck_assert_str_eq(talk(hub, client), "welcome, result 1 ");
	hub_free(hub);
}
END_TEST

/* --- without memory ---------------------------------------------------------------- */

START_TEST(test_every_allocation_fails_in_turn)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct hub_connection *connection = NULL;
		struct hub *hub = open_hub();
		enum err accepted, sent = OK;
		size_t replies = 0;

		fail_malloc_at(n);
		accepted = hub_accept(hub, 0, &connection);
		if (!accepted) {
			say_hello(hub, connection, "stock", 3);
			sent = send_sized(hub, "a", (struct slice){0});
			say_reply(hub, connection, "b");
			hub_pump(hub, 0);
			replies = take_all(hub);
		}
		fired = fail_malloc_off();
		/* An error, or the connection is closed: the other side sees. */
		if (fired)
			ck_assert(accepted || sent || hub_closing(connection) || replies == 1);
		else
			ck_assert(!accepted && !sent && replies == 1 &&
				  !hub_closing(connection));
		hub_free(hub);
	}
	for (size_t n = 0; n < 5; n++) {
		struct hub *hub;

		fail_malloc_at(n);
		hub = hub_new("test", &small);
		fail_malloc_off();
		ck_assert(!hub);
	}
	hub_free(NULL);
}
END_TEST

/* --- pipes that break -------------------------------------------------------------- */

enum { SAGAS = 60, STEPS = 4, PORTS = 3, ROUNDS_MAX = 20000, SEEDS = 60, PATIENCE = 200 };

/* An orchestrator that asks for the steps of its sagas one after another, and
 * three processes that answer; what a process has polled and not answered when
 * its pipe breaks it answers all the same. */
struct play {
	struct random random;
	struct bus_pipe *pipe;
	struct bus *bus;
	struct port *ports[PORTS];
	int step[SAGAS];
	uint32_t attempt[SAGAS];
	int waits[SAGAS]; /* rounds since it was asked for; -1: not yet */
	size_t n_done;
	int seen[SAGAS]; /* the last step that a participant has seen */
};

static void ask(struct play *play, int saga)
{
	char id[64], saga_id[16];
	struct command_message command = {.participant = TEXT("stock"),
					  .command = TEXT("take"),
					  .saga = TEXT("order"),
					  .attempt = play->attempt[saga] + 1};

	snprintf(saga_id, sizeof saga_id, "s%d", saga);
	snprintf(id, sizeof id, "%s/%d#0/0/do", saga_id, play->step[saga]);
	command.id = slice_of(id);
	command.saga_id = slice_of(saga_id);
	if (bus_send(play->bus, &command))
		return;
	play->attempt[saga]++;
	play->waits[saga] = 0;
}

static void orchestrate(struct play *play)
{
	struct inbox_message message;
	int saga, step;

	bus_pump(play->bus);
	while (bus_poll(play->bus, &message)) {
		ck_assert_int_eq(message.type, INBOX_REPLY);
		ck_assert_int_eq(sscanf(message.reply.id.at, "s%d/%d#", &saga, &step), 2);
		ck_assert(play->step[saga] >= step);
		if (play->step[saga] != step)
			continue; /* a repetition */
		play->n_done += ++play->step[saga] == STEPS;
		play->attempt[saga] = 0;
		play->waits[saga] = -1;
	}
	if (random_percent(&play->random, 50))
		bus_acknowledge(play->bus);
	for (saga = 0; saga < SAGAS; saga++) {
		if (play->step[saga] == STEPS)
			continue;
		if (play->waits[saga] < 0 || play->waits[saga]++ > PATIENCE)
			ask(play, saga);
	}
}

static void participate(struct play *play, struct port *port)
{
	struct command_message command;

	port_pump(port, 0);
	while (random_percent(&play->random, 70) && port_poll(port, &command)) {
		struct reply_message reply = {.id = command.id, .attempt = command.attempt};
		int saga, step;

		ck_assert_int_eq(sscanf(command.id.at, "s%d/%d#", &saga, &step), 2);
		/* No step is asked for before the one in front of it was answered. */
		ck_assert_int_le(step, play->seen[saga] + 1);
		if (step > play->seen[saga])
			play->seen[saga] = step;
		ck_assert_int_eq(port_reply(port, &reply), OK);
	}
}

static void play_round(struct play *play)
{
	orchestrate(play);
	for (int i = 0; i < PORTS; i++)
		if (random_percent(&play->random, 60))
			participate(play, play->ports[i]);
	if (random_percent(&play->random, 1)) { /* the orchestrator starts anew */
		bus_close(play->bus);
		play->bus = bus_pipe_open(play->pipe);
		for (int saga = 0; saga < SAGAS; saga++)
			play->waits[saga] = -1;
	}
}

/* All is answered in the end, and settled. */
START_TEST(test_pipes_that_break)
{
	struct pipe_faults faults = {.short_percent = 50, .break_percent = (uint32_t)_i % 7};
	struct play play = {.random.state = (uint64_t)_i};
	size_t unsettled = 1;
	int rounds = 0;

	play.pipe = bus_pipe_new((uint64_t)_i, faults, &hub_default_limits);
	play.bus = bus_pipe_open(play.pipe);
	for (int saga = 0; saga < SAGAS; saga++)
		play.waits[saga] = play.seen[saga] = -1;
	for (int i = 0; i < PORTS; i++)
		play.ports[i] = port_pipe_open(play.pipe, "stock", (uint32_t)i * 5 + 1);
	while (play.n_done < SAGAS && rounds++ < ROUNDS_MAX)
		play_round(&play);
	ck_assert_uint_eq(play.n_done, SAGAS);
	bus_pipe_set_faults(play.pipe, (struct pipe_faults){0});
	for (rounds = 0; unsettled && rounds < ROUNDS_MAX; rounds++) {
		orchestrate(&play);
		unsettled = 0;
		for (int i = 0; i < PORTS; i++) {
			participate(&play, play.ports[i]);
			unsettled += port_pipe_unsettled(play.ports[i]);
		}
	}
	ck_assert_uint_eq(unsettled, 0);
	bus_close(play.bus);
	for (int i = 0; i < PORTS; i++)
		port_close(play.ports[i]);
	bus_pipe_free(play.pipe);
}
END_TEST

/* --- inquiries --------------------------------------------------------------------- */

static struct inquiry_message page_of_all(void)
{
	return (struct inquiry_message){.limit = 10};
}

static void say_records(struct hub *hub, struct hub_connection *connection, uint64_t request,
			const char *next)
{
	static const struct record_message list[] = {{TEXT("a"), RECORD_OK, 5},
						     {TEXT("b"), RECORD_BARRED, 6}};
	const struct frame frame = {
		.type = FRAME_RECORDS,
		.records = {
			.request = request, .records = list, .n = 2, .next = slice_of(next)}};

	say(hub, connection, &frame);
}

START_TEST(test_an_inquiry_is_answered_to_whoever_asked)
{
	struct hub *hub = hub_new("test", &hub_default_limits);
	struct hub_connection *stock = come(hub, "stock", 1), *other = come(hub, "cash", 1);
	struct inquiry_message first = page_of_all(), second = page_of_all();
	struct inquired inquired;

	ck_assert_int_eq(hub_inquire(hub, TEXT("stock"), &first), OK);
	ck_assert_int_eq(hub_inquire(hub, TEXT("stock"), &second), OK);
	ck_assert(first.request && second.request && first.request != second.request);
	ck_assert_str_eq(talk(hub, stock), "welcome, inquiry 1, inquiry 2");
	ck_assert_str_eq(talk(hub, other), "welcome");
	ck_assert(!hub_inquired(hub, &inquired));
	say_records(hub, stock, second.request, "b");
	say_records(hub, stock, second.request, "c"); /* once is enough */
	say_records(hub, other, first.request, "b");  /* who was not asked */
	ck_assert(hub_inquired(hub, &inquired));
	ck_assert_uint_eq(inquired.request, second.request);
	ck_assert(!inquired.lost);
	ck_assert_uint_eq(inquired.records.n, 2);
	ck_assert(slice_is(inquired.records.records[1].id, "b"));
	ck_assert_int_eq(inquired.records.records[1].state, RECORD_BARRED);
	ck_assert_int_eq(inquired.records.records[1].first_ms, 6);
	ck_assert(slice_is(inquired.records.next, "b"));
	ck_assert(!hub_inquired(hub, &inquired));
	say_records(hub, stock, first.request, "");
	ck_assert(hub_inquired(hub, &inquired));
	ck_assert_uint_eq(inquired.request, first.request);
	ck_assert_str_eq(talk(hub, stock), ""); /* nothing of that is settled */
	hub_free(hub);
}
END_TEST

START_TEST(test_who_leaves_loses_what_it_was_asked)
{
	struct hub *hub = hub_new("test", &hub_default_limits);
	struct hub_connection *stock = come(hub, "stock", 1);
	struct inquiry_message inquiry = page_of_all(), forgotten = page_of_all();
	struct inquired inquired;

	ck_assert_int_eq(hub_inquire(hub, TEXT("stock"), &inquiry), OK);
	ck_assert_int_eq(hub_inquire(hub, TEXT("stock"), &forgotten), OK);
	hub_forget(hub, forgotten.request);
	hub_drop(hub, stock);
	ck_assert(hub_inquired(hub, &inquired));
	ck_assert_uint_eq(inquired.request, inquiry.request);
	ck_assert(inquired.lost);
	ck_assert(!hub_inquired(hub, &inquired));
	hub_free(hub);
}
END_TEST

START_TEST(test_who_can_be_asked)
{
	struct hub *hub = hub_new("test", &hub_default_limits);
	struct hub_connection *old = connect_to(hub), *one, *two;
	const struct frame hello = {.type = FRAME_HELLO,
				    .hello = {1, TEXT("stock"), 2, TEXT("x"), 0}};
	struct inquiry_message inquiry = page_of_all();

	ck_assert_int_eq(hub_inquire(hub, TEXT("stock"), &inquiry), ERR_NOT_FOUND);
	say(hub, old, &hello);
	ck_assert_int_eq(hub_inquire(hub, TEXT("stock"), &inquiry), ERR_INVALID);
	one = come(hub, "stock", 1);
	two = come(hub, "stock", 1);
	ck_assert_int_eq(hub_inquire(hub, TEXT("stock"), &inquiry), OK);
	ck_assert_int_eq(hub_inquire(hub, TEXT("stock"), &inquiry), OK);
	/* Each has one: they have as much to answer. */
	ck_assert(strstr(talk(hub, one), "inquiry"));
	ck_assert(strstr(talk(hub, two), "inquiry"));
	ck_assert_str_eq(talk(hub, old), "welcome");
	for (int i = 0; i < 14; i++)
		ck_assert_int_eq(hub_inquire(hub, TEXT("stock"), &inquiry), OK);
	ck_assert_int_eq(hub_inquire(hub, TEXT("stock"), &inquiry), ERR_BUSY);
	hub_drop(hub, one);
	say_records(hub, two, 9999, ""); /* forgotten by now, and answered all the same */
	ck_assert_int_eq(hub_inquire(hub, TEXT("stock"), &inquiry), OK);
	hub_free(hub);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_hello, 0, ROWS(hello_rows));
	tcase_add_loop_test(tcase, test_garbage_ends_its_own_connection, 0, ROWS(garbage_rows));
	tcase_add_test(tcase, test_who_says_no_hello_is_sent_away);
	tcase_add_test(tcase, test_connections_have_a_limit);
	tcase_add_test(tcase, test_participants_have_a_limit);
	tcase_add_test(tcase, test_every_byte_may_come_alone);
	tcase_add_test(tcase, test_a_window_is_at_most_what_the_hub_allows);
	tcase_add_test(tcase, test_replies_are_settled_when_they_are_acknowledged);
	tcase_add_test(tcase, test_what_was_polled_stays);
	tcase_add_test(tcase, test_who_speaks_is_not_absent);
	tcase_add_test(tcase, test_what_cannot_be_carried_is_not_sent);
	tcase_add_test(tcase, test_who_does_not_read_holds_nobody_up);
	tcase_add_test(tcase,
		       test_a_client_that_does_not_read_is_not_listened_to_and_then_closed);
	tcase_add_test(tcase, test_the_inbox_has_a_limit);
	tcase_add_test(tcase, test_the_inbox_has_a_limit_of_bytes);
	tcase_add_test(tcase, test_what_is_refused_is_kept_for_people);
	tcase_add_test(tcase, test_a_letter_is_sent_again);
	tcase_add_test(tcase, test_large_garbage_leaves_nothing_behind);
	tcase_add_test(tcase, test_a_result_goes_to_who_asked);
	tcase_add_test(tcase, test_who_gives_no_number_gets_no_result);
	tcase_add_test(tcase, test_a_result_is_cut_to_what_can_be_carried);
	tcase_add_test(tcase, test_an_inquiry_is_answered_to_whoever_asked);
	tcase_add_test(tcase, test_who_leaves_loses_what_it_was_asked);
	tcase_add_test(tcase, test_who_can_be_asked);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_loop_test(tcase, test_pipes_that_break, 0, SEEDS);
}

int main(void)
{
	return suite_run("hub", add);
}

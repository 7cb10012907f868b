/* test_hub.c - the hub as bytes see it: hello, frames, windows, settling, answers and
 * inquiries. */
#include "bus/hub.h"
#include "proto/wire.h"
#include "tests/lib/hub_talk.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT SLICE_LITERAL

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

	say_frame(hub, connection, &row->first);
	if (row->second.type)
		say_frame(hub, connection, &row->second);
	ck_assert_int_eq(hub_closing(connection), refused);
	ck_assert_int_eq(hub_wants(hub, connection), !refused);
	ck_assert_msg(!strcmp(talk(hub, connection), row->answer), "%s: %s", row->name,
		      talk(hub, connection));
	/* Whatever else it says. */
	if (refused) {
		say_frame(hub, connection, &row->first);
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
	command_stock(hub, "a");
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

	command_stock(hub, "a");
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
		command_stock(hub, ids[i]);
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

	ck_assert_int_eq(command_stock_with(hub, "a", (struct slice){large, sizeof large}),
			 ERR_TOO_LARGE);
	ck_assert_int_eq(command_stock_with(hub, "\xff", (struct slice){0}), ERR_INVALID);
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

	say_frame(hub, connection, &frame);
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
	say_frame(hub, old, &hello);
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
	tcase_add_test(tcase, test_a_result_goes_to_who_asked);
	tcase_add_test(tcase, test_who_gives_no_number_gets_no_result);
	tcase_add_test(tcase, test_a_result_is_cut_to_what_can_be_carried);
	tcase_add_test(tcase, test_an_inquiry_is_answered_to_whoever_asked);
	tcase_add_test(tcase, test_who_leaves_loses_what_it_was_asked);
	tcase_add_test(tcase, test_who_can_be_asked);
}

int main(void)
{
	return suite_run("hub", add);
}

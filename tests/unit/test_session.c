/* test_session.c - a participant's end of the local bus, as bytes see it. */
#include "bus/session.h"
#include "proto/wire.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT SLICE_LITERAL

enum { TALK_SIZE = 4096 };

/* --- helpers ----------------------------------------------------------------------- */

static struct session *open_session(void)
{
	static const struct session_setup setup = {"stock", "stock-1", 10};
	struct session *session = session_new(&setup);

	ck_assert(session);
	return session;
}

/* The orchestrator says something. */
static enum err say(struct session *session, const struct frame *frame, struct diag *diag)
{
	static char room[64 * 1024]; /* no allocation that may fail */
	struct bytes bytes = {.at = room, .capacity = sizeof room, .max = sizeof room};

	if (wire_write(frame, &bytes, NULL))
		abort();
	return session_receive(session, bytes_slice(&bytes), diag);
}

static enum err say_welcome(struct session *session)
{
	return say(session,
		   &(struct frame){.type = FRAME_WELCOME, .welcome = {1, TEXT("test")}}, NULL);
}

static enum err say_command(struct session *session, const char *id, uint32_t attempt)
{
	const struct frame frame = {.type = FRAME_COMMAND,
				    .command = {.id = slice_of(id),
						.participant = TEXT("stock"),
						.command = TEXT("take"),
						.saga_id = TEXT("s"),
						.saga = TEXT("order"),
						.attempt = attempt}};

	return say(session, &frame, NULL);
}

static enum err say_settled(struct session *session, uint64_t n)
{
	return say(session, &(struct frame){.type = FRAME_SETTLED, .settled = n}, NULL);
}

static void connect_well(struct session *session)
{
	session_connected(session);
	ck_assert_int_eq(say_welcome(session), OK);
}

static enum err reply(struct session *session, const char *id, uint32_t attempt)
{
	struct reply_message message = {.id = slice_of(id), .attempt = attempt};

	return session_reply(session, &message);
}

/* All that it has to say: "hello, a#1, b#2". Valid until the next call. */
static const char *talk(struct session *session)
{
	static char text[TALK_SIZE];
	struct arena arena = {0};
	struct slice bytes, frame_bytes;
	struct frame frame;
	size_t len = 0;

	text[0] = '\0';
	while ((bytes = session_output(session)).len) {
		ck_assert_int_eq(wire_first(bytes, &frame_bytes), OK);
		ck_assert_int_eq(wire_read(frame_bytes, &arena, &frame, NULL), OK);
		if (frame.type == FRAME_HELLO)
			len += (size_t)snprintf(text + len, sizeof text - len, "hello");
		else if (frame.type == FRAME_RECORDS)
			len += (size_t)snprintf(text + len, sizeof text - len, "%srecords %u",
						len ? ", " : "",
						(unsigned int)frame.records.request);
		else
			len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s#%u",
						len ? ", " : "", SLICE_ARG(frame.reply.id),
						(unsigned int)frame.reply.attempt);
		ck_assert_uint_lt(len, sizeof text);
		session_sent(session, WIRE_LENGTH_SIZE + frame_bytes.len);
	}
	arena_release(&arena);
	return text;
}

/* The commands that are there: "a#1 b#2". */
static const char *commands(struct session *session)
{
	static char text[TALK_SIZE];
	struct command_message command;
	size_t len = 0;

	text[0] = '\0';
	while (session_poll(session, &command))
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s#%u",
					len ? " " : "", SLICE_ARG(command.id),
					(unsigned int)command.attempt);
	return text;
}

/* --- what is kept ------------------------------------------------------------------ */

START_TEST(test_replies_are_sent_again_until_they_are_settled)
{
	struct session *session = open_session();

	ck_assert_int_eq(reply(session, "a", 1), OK);
	ck_assert_str_eq(talk(session), ""); /* there is no connection yet */
	session_connected(session);
	ck_assert_str_eq(talk(session), "hello");
	ck_assert(!session_welcome(session));
	ck_assert_int_eq(say_welcome(session), OK);
	ck_assert(session_welcome(session));
	ck_assert_int_eq(reply(session, "b", 1), OK);
	ck_assert_str_eq(talk(session), "a#1, b#1");
	ck_assert_int_eq(reply(session, "c", 1), OK);
	ck_assert_int_eq(say_settled(session, 1), OK);
	ck_assert_uint_eq(session_kept(session), 2);
	session_lost(session);
	connect_well(session);
	ck_assert_str_eq(talk(session), "hello, b#1, c#1");
	ck_assert_int_eq(say_settled(session, 1), OK);
	ck_assert_int_eq(say_settled(session, 1), OK);
	ck_assert_uint_eq(session_kept(session), 1);
	ck_assert_int_eq(say_settled(session, 2), OK);
	ck_assert_uint_eq(session_kept(session), 0);
	session_lost(session);
	connect_well(session);
	ck_assert_str_eq(talk(session), "hello");
	session_free(session);
}
END_TEST

START_TEST(test_a_command_that_came_again_is_not_polled_again)
{
	struct session *session = open_session();

	connect_well(session);
	ck_assert_int_eq(say_command(session, "a", 1), OK);
	ck_assert_int_eq(say_command(session, "b", 1), OK);
	ck_assert(session_has_command(session));
	ck_assert_str_eq(commands(session), "a#1 b#1");
	ck_assert_int_eq(say_command(session, "c", 1), OK); /* nobody polls it */
	session_lost(session);
	ck_assert(!session_has_command(session));
	connect_well(session);
	ck_assert_int_eq(say_command(session, "a", 1), OK);
	ck_assert_int_eq(say_command(session, "b", 2), OK);
	ck_assert_int_eq(say_command(session, "c", 1), OK);
	ck_assert_str_eq(commands(session), "b#2 c#1");
	ck_assert_int_eq(reply(session, "a", 1), OK);
	ck_assert_int_eq(say_command(session, "a", 1), OK); /* the reply was too late */
	ck_assert_str_eq(commands(session), "a#1");
	ck_assert_int_eq(reply(session, "b", 2), OK); /* settles both attempts */
	ck_assert_int_eq(say_command(session, "b", 1), OK);
	ck_assert_str_eq(commands(session), "b#1");
	session_free(session);
}
END_TEST

/* Whatever comes twice or late: what is polled is there until its own reply. */
START_TEST(test_what_a_polled_attempt_settles_is_not_polled)
{
	struct session *session = open_session();

	connect_well(session);
	ck_assert_int_eq(say_command(session, "a", 1), OK);
	ck_assert_int_eq(say_command(session, "a", 1), OK); /* the first is not polled yet */
	ck_assert_int_eq(say_command(session, "b", 2), OK);
	ck_assert_int_eq(say_command(session, "b", 1), OK);
	ck_assert_str_eq(commands(session), "a#1 b#2");
	ck_assert_int_eq(say_command(session, "b", 1), OK);
	ck_assert_str_eq(commands(session), "");
	session_free(session);
}
END_TEST

START_TEST(test_what_cannot_be_kept_comes_again)
{
	struct session *session = open_session();
	struct command_message command;
	int n = 0;

	connect_well(session);
	ck_assert_int_eq(say_command(session, "a", 1), OK);
	ck_assert_int_eq(say_command(session, "b", 1), OK);
	while (reply(session, "filler", 1) == OK)
		n++;
	ck_assert_int_eq(n, SESSION_KEPT_MAX);
	ck_assert(session_poll(session, &command) && slice_is(command.id, "a"));
	ck_assert_int_eq(reply(session, "a", 1), ERR_BUSY);
	ck_assert(session_poll(session, &command) && slice_is(command.id, "b"));
	ck_assert(!session_poll(session, &command));
	ck_assert(session_poll(session, &command) && slice_is(command.id, "a"));
	ck_assert(!session_poll(session, &command));
	session_output(session);
	ck_assert_int_eq(say_settled(session, 1), OK);
	ck_assert_int_eq(reply(session, "a", 1), OK);
	ck_assert_int_eq(reply(session, "b", 1), ERR_BUSY);
	session_lost(session); /* what is to come again comes from the orchestrator */
	ck_assert(!session_poll(session, &command));
	ck_assert(!session_poll(session, &command));
	session_free(session);
}
END_TEST

START_TEST(test_what_cannot_be_carried_is_not_kept)
{
	static char large[WIRE_PAYLOAD_MAX + 1];
	struct session *session = open_session();
	struct reply_message message = {
		.id = TEXT("a"), .attempt = 1, .output = {large, sizeof large}};

	connect_well(session);
	ck_assert_int_eq(say_command(session, "a", 1), OK);
	ck_assert_str_eq(commands(session), "a#1");
	ck_assert_int_eq(session_reply(session, &message), ERR_TOO_LARGE);
	ck_assert_uint_eq(session_kept(session), 0);
	ck_assert_str_eq(commands(session), "");
	ck_assert_int_eq(reply(session, "a", 1), OK); /* another answer will do */
	ck_assert_str_eq(talk(session), "hello, a#1");
	session_free(session);
}
END_TEST

/* Many replies of the largest size go out bit by bit. */
START_TEST(test_output_is_made_ready_as_it_goes)
{
	static char large[WIRE_PAYLOAD_MAX];
	struct session *session = open_session();
	struct reply_message message = {
		.id = TEXT("a"), .attempt = 1, .output = {large, sizeof large}};
	size_t all = 0;
	struct slice bytes;
	int n = 0;

	connect_well(session);
	while (session_reply(session, &message) == OK)
		n++;
	ck_assert_int_ge(n, SESSION_KEPT_BYTES_MAX / WIRE_PAYLOAD_MAX - 1);
	ck_assert_int_le(n, SESSION_KEPT_BYTES_MAX / WIRE_PAYLOAD_MAX + 1);
	while ((bytes = session_output(session)).len) {
		ck_assert_uint_le(bytes.len, 2 * 1024 * 1024);
		all += bytes.len / 2 + 1;
		session_sent(session, bytes.len / 2 + 1);
	}
	ck_assert_uint_gt(all, (size_t)n * WIRE_PAYLOAD_MAX);
	session_free(session);
}
END_TEST

/* --- an orchestrator that is none -------------------------------------------------- */

static const struct wrong_row {
	const char *name;
	struct frame frame;
	bool welcome; /* comes first */
	enum err err;
	const char *says;
} wrong_rows[] = {
	{"refused",
	 {.type = FRAME_REFUSE, .refuse = TEXT("no room")},
	 false,
	 ERR_UNAVAILABLE,
	 "the orchestrator refuses the connection: no room"},
	{"refused later",
	 {.type = FRAME_REFUSE, .refuse = TEXT("no room")},
	 true,
	 ERR_UNAVAILABLE,
	 "the orchestrator refuses the connection: no room"},
	{"settled before the welcome",
	 {.type = FRAME_SETTLED},
	 false,
	 ERR_INVALID,
	 "no welcome came first"},
	{"settled what was not sent",
	 {.type = FRAME_SETTLED, .settled = 1},
	 true,
	 ERR_INVALID,
	 "the orchestrator settles replies that it was not sent"},
	{"a result",
	 {.type = FRAME_RESULT},
	 true,
	 ERR_INVALID,
	 "a frame came that is not for a participant"},
	{"another welcome",
	 {.type = FRAME_WELCOME},
	 true,
	 ERR_INVALID,
	 "a frame came that is not for a participant"},
};

START_TEST(test_wrong_frames)
{
	const struct wrong_row *row = &wrong_rows[_i];
	struct session *session = open_session();
	struct diag diag = {""};

	session_connected(session);
	if (row->welcome)
		ck_assert_int_eq(say_welcome(session), OK);
	ck_assert_int_eq(say(session, &row->frame, &diag), row->err);
	ck_assert_str_eq(diag.text, row->says);
	connect_well(session); /* it goes on with the next connection */
	ck_assert_int_eq(say_command(session, "a", 1), OK);
	ck_assert_str_eq(commands(session), "a#1");
	session_free(session);
}
END_TEST

START_TEST(test_wrong_bytes)
{
	struct session *session = open_session();
	struct diag diag = {""};

	session_connected(session);
	ck_assert_int_eq(session_receive(session, TEXT("HTTP/1.1 400 Bad Request\r\n"), &diag),
			 ERR_TOO_LARGE);
	ck_assert_str_eq(diag.text, "what came from the orchestrator are no frames");
	session_connected(session);
	ck_assert_int_eq(session_receive(session, TEXT("\0\0\0\3xyz"), &diag), ERR_INVALID);
	ck_assert_str_eq(diag.text, "the bytes are no frame of the protocol");
	session_free(session);
}
END_TEST

/* --- without memory ---------------------------------------------------------------- */

START_TEST(test_every_allocation_fails_in_turn)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct session *session = open_session();
		enum err came, kept = OK;
		bool connected;

		fail_malloc_at(n);
		session_connected(session);
		connected = session_output(session).len > 0;
		came = say_welcome(session);
		if (!came)
			came = say_command(session, "a", 1);
		if (!came) {
			struct command_message command;

			kept = session_poll(session, &command) ? reply(session, "a", 1)
							       : ERR_INVALID;
		}
		(void)session_output(session);
		fired = fail_malloc_off();
		ck_assert(came == OK || came == ERR_NOMEM);
		ck_assert(kept == OK || kept == ERR_NOMEM);
		if (!fired)
			ck_assert(connected && !came && !kept);
		/* Whatever failed, the next connection is as good as any. */
		connect_well(session);
		ck_assert_str_eq(talk(session), came || kept ? "hello" : "hello, a#1");
		session_free(session);
	}
	for (size_t n = 0; n < 2; n++) {
		static const struct session_setup setup = {"stock", "stock-1", 10};
		struct session *session;

		fail_malloc_at(n);
		session = session_new(&setup);
		fail_malloc_off();
		ck_assert(!session);
	}
	session_free(NULL);
}
END_TEST

/* --- inquiries --------------------------------------------------------------------- */

static enum err say_inquiry(struct session *session, uint64_t request)
{
	static const struct slice ids[] = {{"a", 1}, {"bc", 2}};
	const struct frame frame = {.type = FRAME_INQUIRY,
				    .inquiry = {.request = request, .ids = ids, .n_ids = 2}};

	return say(session, &frame, NULL);
}

START_TEST(test_inquiries_are_answered_one_by_one)
{
	struct session *session = open_session();
	struct inquiry_message inquiry;

	connect_well(session);
	ck_assert_str_eq(talk(session), "hello");
	ck_assert(!session_inquiry(session, &inquiry));
	ck_assert_int_eq(say_inquiry(session, 7), OK);
	ck_assert_int_eq(say_inquiry(session, 8), OK);
	ck_assert(session_has_command(session));
	ck_assert(session_inquiry(session, &inquiry));
	ck_assert_uint_eq(inquiry.request, 7);
	ck_assert_uint_eq(inquiry.n_ids, 2);
	ck_assert(slice_is(inquiry.ids[0], "a") && slice_is(inquiry.ids[1], "bc"));
	session_records(session, &(struct records_message){.request = 7});
	ck_assert_int_eq(reply(session, "a", 1), OK);
	ck_assert_str_eq(talk(session), "records 7, a#1");
	ck_assert_uint_eq(session_kept(session), 1); /* of which the records are none */
	ck_assert_int_eq(say_settled(session, 1), OK);
	ck_assert(session_inquiry(session, &inquiry));
	ck_assert(!session_has_command(session));
	/* What was asked on a connection that is gone is nobody's business. */
	ck_assert_int_eq(say_inquiry(session, 9), OK);
	connect_well(session);
	ck_assert(!session_inquiry(session, &inquiry));
	session_records(session, &(struct records_message){.request = 8});
	ck_assert_str_eq(talk(session), "hello");
	session_free(session);
}
END_TEST

START_TEST(test_inquiries_have_a_limit)
{
	struct session *session = open_session();

	connect_well(session);
	for (uint64_t i = 1; i <= SESSION_INQUIRIES_MAX; i++)
		ck_assert_int_eq(say_inquiry(session, i), OK);
	ck_assert_int_eq(say_inquiry(session, 99), ERR_TOO_LARGE);
	session_free(session);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_inquiries_are_answered_one_by_one);
	tcase_add_test(tcase, test_inquiries_have_a_limit);
	tcase_add_test(tcase, test_replies_are_sent_again_until_they_are_settled);
	tcase_add_test(tcase, test_a_command_that_came_again_is_not_polled_again);
	tcase_add_test(tcase, test_what_a_polled_attempt_settles_is_not_polled);
	tcase_add_test(tcase, test_what_cannot_be_kept_comes_again);
	tcase_add_test(tcase, test_what_cannot_be_carried_is_not_kept);
	tcase_add_test(tcase, test_output_is_made_ready_as_it_goes);
	tcase_add_loop_test(tcase, test_wrong_frames, 0, ROWS(wrong_rows));
	tcase_add_test(tcase, test_wrong_bytes);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
}

int main(void)
{
	return suite_run("session", add);
}

/* test_bus.c - the contract of bus/bus.h, over every implementation */
#include "tests/lib/bus_ends.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

static enum err send_to(struct ends *ends, const char *participant, const char *id,
			uint32_t attempt)
{
	struct command_message command = {.id = slice_of(id),
					  .participant = slice_of(participant),
					  .command = SLICE_LITERAL("take"),
					  .verb = MESSAGE_DO,
					  .saga_id = slice_of(id),
					  .saga = SLICE_LITERAL("order"),
					  .attempt = attempt};

	return bus_send(ends->bus, &command);
}

static enum err send_one(struct ends *ends, const char *id)
{
	return send_to(ends, "stock", id, 1);
}

static enum err reply(struct ends *ends, const char *id, uint32_t attempt)
{
	struct reply_message message = {.id = slice_of(id), .attempt = attempt};

	return port_reply(ends->port, &message);
}

static void check_command(struct ends *ends, const char *id)
{
	struct command_message command;

	ends_travel(ends);
	ck_assert_msg(port_poll(ends->port, &command), "%s does not come", id);
	ck_assert_msg(slice_is(command.id, id), "%.*s comes instead of %s",
		      SLICE_ARG(command.id), id);
}

static void check_no_command(struct ends *ends)
{
	struct command_message command;

	ends_travel(ends);
	ck_assert(!port_poll(ends->port, &command));
}

static void check_reply(struct ends *ends, const char *id)
{
	struct inbox_message message;

	ends_travel(ends);
	ck_assert_msg(bus_poll(ends->bus, &message), "%s does not come", id);
	ck_assert_int_eq(message.type, INBOX_REPLY);
	ck_assert_msg(slice_is(message.reply.id, id), "%.*s comes instead of %s",
		      SLICE_ARG(message.reply.id), id);
}

static void check_no_reply(struct ends *ends)
{
	struct inbox_message message;

	ends_travel(ends);
	ck_assert(!bus_poll(ends->bus, &message));
}

/* --- what travels ------------------------------------------------------------------ */

START_TEST(test_a_command_arrives_whole)
{
	char text[] = "s/a#0/2/undo stock put-back s/a#0/1/do s order {\"n\":1} [1]";
	struct command_message sent = {
		.id = {text, 12},
		.participant = {text + 13, 5},
		.command = {text + 19, 8},
		.verb = MESSAGE_UNDO,
		.do_id = {text + 28, 10},
		.saga_id = {text + 39, 1},
		.saga = {text + 41, 5},
		.attempt = 3,
		.first_ms = 1700000000000,
		.timeout_ms = 5000,
		.args = {text + 47, 7},
		.output = {text + 55, 3},
	};
	struct command_message got;
	struct ends ends;

	ends_open(&ends, _i);
	ck_assert_int_eq(bus_send(ends.bus, &sent), OK);
	memset(text, '?', sizeof text - 1); /* the sender's memory is its own again */
	ends_travel(&ends);
	ck_assert(port_poll(ends.port, &got));
	ck_assert(slice_is(got.id, "s/a#0/2/undo") && slice_is(got.participant, "stock") &&
		  slice_is(got.command, "put-back") && slice_is(got.do_id, "s/a#0/1/do") &&
		  slice_is(got.saga_id, "s") && slice_is(got.saga, "order"));
	ck_assert(got.verb == MESSAGE_UNDO && got.attempt == 3 &&
		  got.first_ms == 1700000000000 && got.timeout_ms == 5000);
	ck_assert(slice_is(got.args, "{\"n\":1}") && slice_is(got.output, "[1]"));
	ends_close(&ends);
}
END_TEST

START_TEST(test_a_reply_arrives_whole)
{
	char text[] = "s/a#0/0/do [1] no none left";
	struct reply_message sent = {.id = {text, 10},
				     .attempt = 2,
				     .outcome = MESSAGE_REFUSED,
				     .output = {text + 11, 3},
				     .code = {text + 15, 2},
				     .text = {text + 18, 9}};
	struct inbox_message message;
	struct reply_message got;
	struct ends ends;

	ends_open(&ends, _i);
	ck_assert_int_eq(port_reply(ends.port, &sent), OK);
	memset(text, '?', sizeof text - 1);
	ends_travel(&ends);
	ck_assert(bus_poll(ends.bus, &message) && message.type == INBOX_REPLY);
	got = message.reply;
	ck_assert(slice_is(got.id, "s/a#0/0/do") && got.attempt == 2 &&
		  got.outcome == MESSAGE_REFUSED && slice_is(got.output, "[1]") &&
		  slice_is(got.code, "no") && slice_is(got.text, "none left"));
	ends_close(&ends);
}
END_TEST

/* --- to whom, and in which order --------------------------------------------------- */

START_TEST(test_a_command_goes_to_its_participant_alone)
{
	struct command_message command;
	struct ends ends;

	ends_open(&ends, _i);
	ends.other = ends.implementation->open_port(&ends.between, "stock-2");
	ck_assert_int_eq(send_to(&ends, "stock-2", "b", 1), OK);
	ck_assert_int_eq(send_to(&ends, "stock", "a", 1), OK);
	check_command(&ends, "a");
	check_no_command(&ends);
	ck_assert(port_poll(ends.other, &command) && slice_is(command.id, "b"));
	ck_assert(!port_poll(ends.other, &command));
	ends_close(&ends);
}
END_TEST

START_TEST(test_nothing_is_there_at_first)
{
	struct ends ends;

	ends_open(&ends, _i);
	check_no_command(&ends);
	check_no_reply(&ends);
	bus_acknowledge(ends.bus);
	check_no_reply(&ends);
	ends_close(&ends);
	bus_close(NULL);
	port_close(NULL);
}
END_TEST

START_TEST(test_messages_keep_their_order)
{
	static const char *const ids[] = {"a", "b", "c", "d"};
	struct ends ends;

	ends_open(&ends, _i);
	for (int n = 0; n < ROWS(ids); n++)
		ck_assert_int_eq(send_one(&ends, ids[n]), OK);
	for (int n = 0; n < ROWS(ids) && ends.implementation->in_order; n++)
		check_command(&ends, ids[n]);
	for (int n = 0; n < ROWS(ids); n++)
		ck_assert_int_eq(reply(&ends, ids[n], 1), OK);
	for (int n = 0; n < ROWS(ids) && ends.implementation->in_order; n++)
		check_reply(&ends, ids[n]);
	ends_close(&ends);
}
END_TEST

/* A participant that is not there yet is silence, and its commands wait. */
START_TEST(test_a_command_waits_for_its_participant)
{
	struct command_message command;
	struct ends ends;

	ends_open(&ends, _i);
	ck_assert_int_eq(send_to(&ends, "late", "a", 1), OK);
	ends_travel(&ends);
	ends.other = ends.implementation->open_port(&ends.between, "late");
	ends_travel(&ends);
	ck_assert(port_poll(ends.other, &command) && slice_is(command.id, "a"));
	ends_close(&ends);
}
END_TEST

/* --- settling ---------------------------------------------------------------------- */

START_TEST(test_what_was_not_acknowledged_comes_again)
{
	struct ends ends;

	ends_open(&ends, _i);
	if (ends.implementation->repeats) {
		ck_assert_int_eq(reply(&ends, "a", 1), OK);
		ck_assert_int_eq(reply(&ends, "b", 1), OK);
		ck_assert_int_eq(reply(&ends, "c", 1), OK);
		check_reply(&ends, "a");
		bus_acknowledge(ends.bus);
		check_reply(&ends, "b");
		check_reply(&ends, "c");
		ends_reopen_bus(&ends);
		check_reply(&ends, "b");
		check_reply(&ends, "c");
		check_no_reply(&ends);
		bus_acknowledge(ends.bus);
		ends_travel(&ends);
		ends_reopen_bus(&ends);
		check_no_reply(&ends);
	}
	ends_close(&ends);
}
END_TEST

START_TEST(test_what_was_not_answered_comes_again)
{
	struct ends ends;

	ends_open(&ends, _i);
	if (ends.implementation->repeats) {
		ck_assert_int_eq(send_one(&ends, "a"), OK);
		ck_assert_int_eq(send_one(&ends, "b"), OK);
		check_command(&ends, "a");
		check_command(&ends, "b");
		ck_assert_int_eq(reply(&ends, "b", 1), OK);
		check_reply(&ends, "b");
		ends_reopen_port(&ends);
		check_command(&ends, "a");
		if (ends.implementation->kafka) {
			check_command(&ends, "b");
			ck_assert_int_eq(reply(&ends, "b", 1), OK);
			check_reply(&ends, "b");
		}
		check_no_command(&ends);
		ck_assert_int_eq(reply(&ends, "a", 1), OK);
		check_reply(&ends, "a");
		ends_reopen_port(&ends);
		check_no_command(&ends);
	}
	ends_close(&ends);
}
END_TEST

/* Without anybody dying, too: what could not be answered comes again, once all
 * else was seen. */
START_TEST(test_what_could_not_be_answered_comes_again)
{
	struct ends ends;
	int n = 0;

	ends_open(&ends, 0);
	ck_assert_int_eq(send_one(&ends, "a"), OK);
	ck_assert_int_eq(send_one(&ends, "b"), OK);
	check_command(&ends, "a");
	while (reply(&ends, "filler", 1) == OK)
		n++;
	ck_assert_int_eq(n, BUS_MEMORY_QUEUE_MAX);
	ck_assert_int_eq(reply(&ends, "a", 1), ERR_BUSY);
	check_command(&ends, "b");
	check_no_command(&ends);
	check_command(&ends, "a");
	check_no_command(&ends);
	check_no_command(&ends);
	check_reply(&ends, "filler");
	bus_acknowledge(ends.bus);
	ck_assert_int_eq(reply(&ends, "a", 1), OK);
	ends_reopen_port(&ends);
	check_command(&ends, "b");
	check_no_command(&ends);
	ends_close(&ends);
}
END_TEST

/* An answer settles the attempt that it is for and those before it. */
START_TEST(test_later_attempts_are_not_settled_by_an_earlier_answer)
{
	struct ends ends;

	ends_open(&ends, _i);
	if (ends.implementation->repeats) {
		struct command_message command;

		ck_assert_int_eq(send_to(&ends, "stock", "a", 1), OK);
		check_command(&ends, "a");
		ck_assert_int_eq(send_to(&ends, "stock", "a", 2), OK);
		check_command(&ends, "a");
		ck_assert_int_eq(reply(&ends, "a", 1), OK);
		check_reply(&ends, "a");
		ends_reopen_port(&ends);
		ends_travel(&ends);
		ck_assert(port_poll(ends.port, &command));
		ck_assert_uint_eq(command.attempt, 2);
		check_no_command(&ends);
		ck_assert_int_eq(reply(&ends, "a", 2), OK);
		check_reply(&ends, "a");
		ends_reopen_port(&ends);
		check_no_command(&ends);
	}
	ends_close(&ends);
}
END_TEST

START_TEST(test_earlier_attempts_are_settled_by_a_later_answer)
{
	struct ends ends;

	ends_open(&ends, _i);
	if (ends.implementation->repeats) {
		ck_assert_int_eq(send_to(&ends, "stock", "a", 1), OK);
		check_command(&ends, "a");
		ck_assert_int_eq(send_to(&ends, "stock", "a", 2), OK);
		check_command(&ends, "a");
		ck_assert_int_eq(reply(&ends, "a", 2), OK);
		check_reply(&ends, "a");
		ends_reopen_port(&ends);
		check_no_command(&ends);
	}
	ends_close(&ends);
}
END_TEST

/* A sanitizer sees it where one is answered that is gone. */
START_TEST(test_what_comes_again_is_valid_until_its_own_answer)
{
	static const struct {
		const char *id;
		uint32_t attempt;
	} sent[] = {{"a", 1}, {"a", 1}, {"a", 2}, {"a", 1}, {"b", 2}, {"b", 1}};
	enum { N = sizeof sent / sizeof *sent };
	struct command_message polled[2 * N];
	struct ends ends;
	size_t n = 0;

	ends_open(&ends, _i);
	for (size_t i = 0; i < N; i++)
		(void)send_to(&ends, "stock", sent[i].id, sent[i].attempt);
	ends_travel(&ends);
	while (n < 2 * N && port_poll(ends.port, &polled[n]))
		n++;
	for (size_t i = 0; i < n; i++) {
		struct reply_message reply = {.id = polled[i].id, .attempt = polled[i].attempt};

		ck_assert(slice_is(polled[i].id, "a") || slice_is(polled[i].id, "b"));
		ck_assert_int_eq(port_reply(ends.port, &reply), OK);
	}
	ends_close(&ends);
}
END_TEST

/* An answer to what was never asked is carried all the same: who asked may know. */
START_TEST(test_an_answer_out_of_the_blue)
{
	struct ends ends;

	ends_open(&ends, _i);
	ck_assert_int_eq(send_one(&ends, "a"), OK);
	ck_assert_int_eq(reply(&ends, "b", 1), OK);
	check_reply(&ends, "b");
	check_command(&ends, "a");
	ends_close(&ends);
}
END_TEST

/* --- statistics, and answers to nobody --------------------------------------------- */

static void look_for(void *context, const struct bus_participant *participant)
{
	struct bus_participant *wanted = context;

	if (slice_equal(participant->name, wanted->name))
		*wanted = *participant;
}

static struct bus_participant known(struct ends *ends, const char *name)
{
	struct bus_participant wanted = {.name = slice_of(name), .processes = 99};

	bus_participants(ends->bus, look_for, &wanted);
	return wanted;
}

static void check_known(struct ends *ends, const char *name, uint32_t processes,
			uint32_t inflight, uint32_t held)
{
	struct bus_participant is = known(ends, name);

	ck_assert_msg(is.processes == processes && is.inflight == inflight && is.held == held,
		      "%s: %u processes, %u in flight, %u held", name,
		      (unsigned int)is.processes, (unsigned int)is.inflight,
		      (unsigned int)is.held);
}

START_TEST(test_participants_are_known)
{
	struct ends ends;

	ends_open(&ends, _i);
	if (ends.implementation->repeats && !ends.implementation->kafka) {
		ck_assert_uint_eq(known(&ends, "nobody").processes, 99);
		ck_assert_int_eq(send_one(&ends, "a"), OK);
		ck_assert_int_eq(send_one(&ends, "b"), OK);
		ck_assert_int_eq(send_to(&ends, "away", "c", 1), OK);
		check_command(&ends, "a");
		check_command(&ends, "b");
		check_known(&ends, "stock", 1, 2, 0);
		check_known(&ends, "away", 0, 0, 1);
		ck_assert_int_eq(reply(&ends, "a", 1), OK);
		check_reply(&ends, "a");
		check_known(&ends, "stock", 1, 1, 0);
	}
	ends_close(&ends);
}
END_TEST

START_TEST(test_nobody_asked)
{
	struct result_message result = {.saga_id = SLICE_LITERAL("s")};
	struct ends ends;

	ends_open(&ends, _i);
	ends_travel(&ends);
	bus_answer(ends.bus, 0, &result);
	bus_answer(ends.bus, UINT64_MAX, &result);
	bus_ended(ends.bus, 0, SLICE_LITERAL("s"), SLICE_LITERAL("completed"));
	bus_ended(ends.bus, UINT64_MAX, SLICE_LITERAL("s"), SLICE_LITERAL("completed"));
	ends_travel(&ends);
	ck_assert_int_eq(send_one(&ends, "a"), OK);
	check_command(&ends, "a");
	ends_close(&ends);
}
END_TEST

/* --- limits ------------------------------------------------------------------------ */

START_TEST(test_a_full_queue_is_busy)
{
	struct ends ends;

	ends_open(&ends, 0);
	for (int n = 0; n < BUS_MEMORY_QUEUE_MAX; n++) {
		ck_assert_int_eq(send_one(&ends, "a"), OK);
		ck_assert_int_eq(reply(&ends, "b", 1), OK);
	}
	ck_assert_int_eq(send_one(&ends, "a"), ERR_BUSY);
	ck_assert_int_eq(reply(&ends, "b", 1), ERR_BUSY);
	/* One participant's does not fill another's, and what is taken makes room. */
	ck_assert_int_eq(send_to(&ends, "other", "a", 1), OK);
	check_reply(&ends, "b");
	bus_acknowledge(ends.bus);
	check_command(&ends, "a");
	ck_assert_int_eq(reply(&ends, "a", 1), OK);
	ck_assert_int_eq(send_one(&ends, "a"), OK);
	ck_assert_int_eq(send_one(&ends, "a"), ERR_BUSY);
	ends_close(&ends);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		enum err sent, answered;
		struct ends ends;
		struct bus *bus;
		struct port *port;

		ends_open(&ends, 0);
		fail_malloc_at(n);
		bus = bus_memory_open(ends.between.post);
		port = port_memory_open(ends.between.post, "new");
		sent = send_to(&ends, "newer", "a", 1);
		answered = reply(&ends, "a", 1);
		fired = fail_malloc_off();
		ck_assert_int_eq(!bus + !port + (sent == ERR_NOMEM) + (answered == ERR_NOMEM),
				 fired);
		port_close(port);
		bus_close(bus);
		ends_close(&ends);
	}
	fail_malloc_at(0);
	ck_assert(!post_new());
	fail_malloc_off();
	post_free(NULL);
}
END_TEST

static void add(TCase *tcase)
{
	ends_add_loop(tcase, test_a_command_arrives_whole);
	ends_add_loop(tcase, test_a_reply_arrives_whole);
	ends_add_loop(tcase, test_a_command_goes_to_its_participant_alone);
	ends_add_loop(tcase, test_nothing_is_there_at_first);
	ends_add_loop(tcase, test_messages_keep_their_order);
	ends_add_loop(tcase, test_a_command_waits_for_its_participant);
	ends_add_loop(tcase, test_what_was_not_acknowledged_comes_again);
	ends_add_loop(tcase, test_what_was_not_answered_comes_again);
	tcase_add_test(tcase, test_what_could_not_be_answered_comes_again);
	ends_add_loop(tcase, test_later_attempts_are_not_settled_by_an_earlier_answer);
	ends_add_loop(tcase, test_earlier_attempts_are_settled_by_a_later_answer);
	ends_add_loop(tcase, test_participants_are_known);
	ends_add_loop(tcase, test_nobody_asked);
	ends_add_loop(tcase, test_an_answer_out_of_the_blue);
	ends_add_loop(tcase, test_what_comes_again_is_valid_until_its_own_answer);
	tcase_add_test(tcase, test_a_full_queue_is_busy);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
}

int main(void)
{
	ends_kafka = kafka_broker_find();
	return suite_run("bus", add);
}

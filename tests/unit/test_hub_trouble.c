/* test_hub_trouble.c - the hub and those who do not read or say too much, its limits, a
 * lack of memory; and participants' sessions on the other side of pipes that break. */
#include "bus/hub.h"
#include "proto/wire.h"
#include "tests/lib/bus_pipe.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/hub_talk.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT SLICE_LITERAL

/* --- who does not read, and who says too much -------------------------------------- */

START_TEST(test_who_does_not_read_holds_nobody_up)
{
	static char args[300];
	struct hub *hub = open_hub();
	struct hub_connection *slow = come(hub, "stock", 3), *quick;

	ck_assert_int_eq(command_stock_with(hub, "a", (struct slice){args, sizeof args}), OK);
	ck_assert_int_eq(command_stock_with(hub, "b", (struct slice){args, sizeof args}), OK);
	ck_assert_int_eq(command_stock_with(hub, "c", (struct slice){args, sizeof args}), OK);
	quick = come(hub, "stock", 3);
	command_stock(hub, "d");
	ck_assert_str_eq(talk(hub, quick), "welcome, command c, command d");
	ck_assert(!hub_closing(slow));
	/* It gets more when it has read. */
	command_stock(hub, "e");
	command_stock(hub, "f");
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
	ck_assert_uint_gt(hub_output(client).len, hub_small.output_bytes);
	talk(hub, client);
	ck_assert(hub_wants(hub, client));
	for (n = 0; !hub_closing(client) && n < 1000; n++)
		hub_ended(hub, message.origin, TEXT("s"), TEXT("completed"));
	ck_assert(hub_closing(client));
	ck_assert_uint_gt(hub_output(client).len, hub_small.output_max);
	ck_assert_uint_lt(hub_output(client).len, hub_small.output_max + 100);
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
		say_frame(hub, stock, &reply);
	ck_assert_int_ge(n, 3);
	ck_assert_int_le(n, 5);
	ck_assert_uint_eq(take_all(hub), (size_t)n);
	ck_assert(hub_wants(hub, stock));
	for (int round = 0; round < 10; round++) {
		say_frame(hub, stock, &reply);
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
			sent = command_stock_with(hub, "a", (struct slice){0});
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
		hub = hub_new("test", &hub_small);
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

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_who_does_not_read_holds_nobody_up);
	tcase_add_test(tcase,
		       test_a_client_that_does_not_read_is_not_listened_to_and_then_closed);
	tcase_add_test(tcase, test_the_inbox_has_a_limit);
	tcase_add_test(tcase, test_the_inbox_has_a_limit_of_bytes);
	tcase_add_test(tcase, test_what_is_refused_is_kept_for_people);
	tcase_add_test(tcase, test_a_letter_is_sent_again);
	tcase_add_test(tcase, test_large_garbage_leaves_nothing_behind);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_loop_test(tcase, test_pipes_that_break, 0, SEEDS);
}

int main(void)
{
	return suite_run("hub_trouble", add);
}

/* test_bus.c - the contract of bus/bus.h, over every implementation */
#include "bus/bus_local.h"
#include "bus/bus_memory.h"
#include "bus/kafka/bus_kafka.h"
#include "bus/kafka/port_kafka.h"
#include "bus/port_local.h"
#include "tests/lib/bus_pipe.h"
#include "tests/lib/bus_sim.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 10, TRIPS = 12, PAUSE_MS = 1000, KAFKA_MS = 40000, KAFKA_TURN_MS = 5 };

static const char *kafka; /* HOST:PORT; NULL: there is none */

/* What lies between the ends is the implementation's own. */
struct between {
	struct post *post;
	struct bus_sim *sim;
	struct bus_pipe *pipe;
	struct clock_sim clock;
	size_t io_max;
	struct kafka_mock mock;
	const char *brokers;
	char prefix[KAFKA_PREFIX_SIZE];
	int64_t inbox_end, stock_end; /* of Kafka's topics */
};

static void make_memory(struct between *between)
{
	between->post = post_new();
	ck_assert(between->post);
}

static struct bus *open_memory(struct between *between)
{
	return bus_memory_open(between->post);
}

static struct port *open_memory_port(struct between *between, const char *participant)
{
	return port_memory_open(between->post, participant);
}

/* The tests' own bus must not promise less than a real one. */
static void make_sim(struct between *between)
{
	between->sim = bus_sim_new(1, (struct sim_faults){0});
}

static struct bus *open_sim(struct between *between)
{
	return bus_sim_open(between->sim);
}

static struct port *open_sim_port(struct between *between, const char *participant)
{
	return port_sim_open(between->sim, participant);
}

static void make_pipe(struct between *between)
{
	between->pipe =
		bus_pipe_new(1, (struct pipe_faults){.short_percent = 30}, &hub_default_limits);
}

static struct bus *open_pipe(struct between *between)
{
	return bus_pipe_open(between->pipe);
}

static struct port *open_pipe_port(struct between *between, const char *participant)
{
	return port_pipe_open(between->pipe, participant, WINDOW);
}

static void make_local(struct between *between)
{
	folder_enter();
	clock_sim_init(&between->clock, 1700000000000);
}

/* A socket that takes few bytes at a time gives bugs a chance. */
static void make_narrow(struct between *between)
{
	make_local(between);
	between->io_max = 7;
}

static struct bus *open_local(struct between *between)
{
	const struct bus_local_setup setup = {.path = "bus.sock",
					      .server = "test",
					      .clock = &between->clock.base,
					      .io_max = between->io_max};
	struct bus *bus = NULL;
	struct diag diag = {""};

	ck_assert_msg(bus_local_open(&setup, &bus, &diag) == OK, "%s", diag.text);
	return bus;
}

static struct port *open_local_port(struct between *between, const char *participant)
{
	const struct port_local_setup setup = {
		.link = {.path = "bus.sock",
			 .clock = &between->clock.base,
			 .wake_fd = -1,
			 .io_max = between->io_max},
		.session = {.participant = participant, .name = "test", .window = WINDOW}};
	struct port *port = NULL;
	struct diag diag = {""};

	ck_assert_msg(port_local_open(&setup, &port, &diag) == OK, "%s", diag.text);
	return port;
}

/* One partition, as the tests ask what comes in which order. */
static void make_kafka(struct between *between)
{
	kafka_prefix(between->prefix);
	between->brokers = kafka;
}

static void make_mock(struct between *between)
{
	static const char *const topics[] = {"inbox",       "dead",     "events",   "cmd.stock",
					     "cmd.stock-2", "cmd.late", "cmd.away", NULL};

	kafka_prefix(between->prefix);
	kafka_mock_start(&between->mock, between->prefix, topics, 1);
	between->brokers = between->mock.brokers;
}

static struct kafka_setup kafka_setup(const struct between *between)
{
	return (struct kafka_setup){.brokers = between->brokers,
				    .prefix = between->prefix,
				    .partitions = 1,
				    .clock = clock_system()};
}

static struct bus *open_kafka(struct between *between)
{
	const struct bus_kafka_setup setup = {.kafka = kafka_setup(between)};
	struct bus *bus = NULL;
	struct diag diag = {""};

	ck_assert_msg(bus_kafka_open(&setup, &bus, &diag) == OK, "%s", diag.text);
	return bus;
}

static struct port *open_kafka_port(struct between *between, const char *participant)
{
	const struct port_kafka_setup setup = {.kafka = kafka_setup(between),
					       .participant = participant,
					       .window = WINDOW,
					       .wake_fd = -1};
	struct port *port = NULL;
	struct diag diag = {""};

	ck_assert_msg(port_kafka_open(&setup, &port, &diag) == OK, "%s", diag.text);
	return port;
}

static const struct implementation {
	const char *name;
	void (*make)(struct between *between);
	struct bus *(*open)(struct between *between);
	struct port *(*open_port)(struct between *between, const char *participant);
	bool in_order;
	bool repeats; /* what was not settled comes again */
	bool kafka;   /* and so does what is behind it; participants are not seen */
} implementations[] = {
	{"memory", make_memory, open_memory, open_memory_port, true, true, false},
	{"sim", make_sim, open_sim, open_sim_port, false, false, false},
	{"pipe", make_pipe, open_pipe, open_pipe_port, true, true, false},
	{"local", make_local, open_local, open_local_port, true, true, false},
	{"local, a few bytes at a time", make_narrow, open_local, open_local_port, true, true,
	 false},
	{"kafka", make_kafka, open_kafka, open_kafka_port, true, true, true},
	{"kafka's mock", make_mock, open_kafka, open_kafka_port, true, true, true},
};

struct ends {
	const struct implementation *implementation;
	struct between between;
	struct bus *bus;
	struct port *port;  /* of "stock" */
	struct port *other; /* of somebody else; NULL: there is none */
};

static void advance(int64_t *at, int64_t to)
{
	*at = *at < to ? to : *at;
}

/* Nobody knows how long it takes: until all is there that was sent. */
static bool arrived(struct ends *ends)
{
	struct between *between = &ends->between;
	bool other = true;

	advance(&between->inbox_end, port_kafka_end(ends->port));
	advance(&between->stock_end, bus_kafka_end(ends->bus, SLICE_LITERAL("stock")));
	if (ends->other)
		other = port_kafka_idle(
			ends->other, bus_kafka_end(ends->bus, SLICE_LITERAL("stock-2")) +
					     bus_kafka_end(ends->bus, SLICE_LITERAL("late")));
	return bus_kafka_idle(ends->bus, between->inbox_end) &&
	       port_kafka_idle(ends->port, between->stock_end) && other;
}

static void travel_kafka(struct ends *ends)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + KAFKA_MS;
	bool done = false;

	while (!done && clock_monotonic_ms(clock_system()) < end_ms) {
		bus_pump(ends->bus);
		if (ends->other)
			port_pump(ends->other, 0);
		port_pump(ends->port, KAFKA_TURN_MS);
		done = arrived(ends);
	}
	ck_assert_msg(done, "what was sent does not arrive");
}

/* Let everything arrive that is under way, and whoever lost the other find it
 * again. */
static void travel(struct ends *ends)
{
	if (ends->implementation->kafka) {
		travel_kafka(ends);
		return;
	}
	for (int i = 0; i < TRIPS; i++) {
		clock_sim_advance(&ends->between.clock, PAUSE_MS);
		port_pump(ends->port, 0);
		if (ends->other)
			port_pump(ends->other, 0);
		bus_pump(ends->bus);
	}
}

static void ends_open(struct ends *ends, int i)
{
	*ends = (struct ends){.implementation = &implementations[i]};
	ends->implementation->make(&ends->between);
	if (ends->implementation->kafka) { /* both find their groups at the same time */
		ends->port = ends->implementation->open_port(&ends->between, "stock");
		port_pump(ends->port, 0);
	}
	ends->bus = ends->implementation->open(&ends->between);
	if (!ends->port)
		ends->port = ends->implementation->open_port(&ends->between, "stock");
	ck_assert(ends->bus && ends->port);
}

static void ends_close(struct ends *ends)
{
	bus_close(ends->bus);
	port_close(ends->port);
	port_close(ends->other);
	post_free(ends->between.post);
	if (ends->between.sim)
		bus_sim_free(ends->between.sim);
	if (ends->between.pipe)
		bus_pipe_free(ends->between.pipe);
	if (ends->between.mock.rk)
		kafka_mock_stop(&ends->between.mock);
	if (ends->implementation->make == make_local ||
	    ends->implementation->make == make_narrow)
		folder_leave();
}

static void reopen_bus(struct ends *ends)
{
	bus_close(ends->bus);
	ends->bus = ends->implementation->open(&ends->between);
	ck_assert(ends->bus);
}

static void reopen_port(struct ends *ends)
{
	port_close(ends->port);
	ends->port = ends->implementation->open_port(&ends->between, "stock");
	ck_assert(ends->port);
}

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

	travel(ends);
	ck_assert_msg(port_poll(ends->port, &command), "%s does not come", id);
	ck_assert_msg(slice_is(command.id, id), "%.*s comes instead of %s",
		      SLICE_ARG(command.id), id);
}

static void check_no_command(struct ends *ends)
{
	struct command_message command;

	travel(ends);
	ck_assert(!port_poll(ends->port, &command));
}

static void check_reply(struct ends *ends, const char *id)
{
	struct inbox_message message;

	travel(ends);
	ck_assert_msg(bus_poll(ends->bus, &message), "%s does not come", id);
	ck_assert_int_eq(message.type, INBOX_REPLY);
	ck_assert_msg(slice_is(message.reply.id, id), "%.*s comes instead of %s",
		      SLICE_ARG(message.reply.id), id);
}

static void check_no_reply(struct ends *ends)
{
	struct inbox_message message;

	travel(ends);
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
	travel(&ends);
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
	travel(&ends);
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
	travel(&ends);
	ends.other = ends.implementation->open_port(&ends.between, "late");
	travel(&ends);
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
		reopen_bus(&ends);
		check_reply(&ends, "b");
		check_reply(&ends, "c");
		check_no_reply(&ends);
		bus_acknowledge(ends.bus);
		travel(&ends);
		reopen_bus(&ends);
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
		reopen_port(&ends);
		check_command(&ends, "a");
		if (ends.implementation->kafka) {
			check_command(&ends, "b");
			ck_assert_int_eq(reply(&ends, "b", 1), OK);
			check_reply(&ends, "b");
		}
		check_no_command(&ends);
		ck_assert_int_eq(reply(&ends, "a", 1), OK);
		check_reply(&ends, "a");
		reopen_port(&ends);
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
	reopen_port(&ends);
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
		reopen_port(&ends);
		travel(&ends);
		ck_assert(port_poll(ends.port, &command));
		ck_assert_uint_eq(command.attempt, 2);
		check_no_command(&ends);
		ck_assert_int_eq(reply(&ends, "a", 2), OK);
		check_reply(&ends, "a");
		reopen_port(&ends);
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
		reopen_port(&ends);
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
	travel(&ends);
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
	travel(&ends);
	bus_answer(ends.bus, 0, &result);
	bus_answer(ends.bus, UINT64_MAX, &result);
	bus_ended(ends.bus, 0, SLICE_LITERAL("s"), SLICE_LITERAL("completed"));
	bus_ended(ends.bus, UINT64_MAX, SLICE_LITERAL("s"), SLICE_LITERAL("completed"));
	travel(&ends);
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

/* Add a test for every implementation. The members of a group take 3 s to find each
 * other in the mock, so it is asked where there is no broker. */
static void add_loop(TCase *tcase, const TTest *test)
{
	int mock = ROWS(implementations) - 1;

	tcase_add_loop_test(tcase, test, 0, mock - !kafka);
	if (!kafka)
		tcase_add_loop_test(tcase, test, mock, mock + 1);
}

static void add(TCase *tcase)
{
	add_loop(tcase, test_a_command_arrives_whole);
	add_loop(tcase, test_a_reply_arrives_whole);
	add_loop(tcase, test_a_command_goes_to_its_participant_alone);
	add_loop(tcase, test_nothing_is_there_at_first);
	add_loop(tcase, test_messages_keep_their_order);
	add_loop(tcase, test_a_command_waits_for_its_participant);
	add_loop(tcase, test_what_was_not_acknowledged_comes_again);
	add_loop(tcase, test_what_was_not_answered_comes_again);
	tcase_add_test(tcase, test_what_could_not_be_answered_comes_again);
	add_loop(tcase, test_later_attempts_are_not_settled_by_an_earlier_answer);
	add_loop(tcase, test_earlier_attempts_are_settled_by_a_later_answer);
	add_loop(tcase, test_participants_are_known);
	add_loop(tcase, test_nobody_asked);
	add_loop(tcase, test_an_answer_out_of_the_blue);
	add_loop(tcase, test_what_comes_again_is_valid_until_its_own_answer);
	tcase_add_test(tcase, test_a_full_queue_is_busy);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
}

int main(void)
{
	kafka = kafka_broker_find();
	return suite_run("bus", add);
}

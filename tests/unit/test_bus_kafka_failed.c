/* test_bus_kafka_failed.c - clients that librdkafka gives up for good: another one takes
 * their place, nothing is lost, and nothing counts as read whose consequences are not with
 * the brokers. Against librdkafka's mock, which answers as slowly as it is told. */
#include "bus/kafka/bus_kafka.h"
#include "bus/kafka/port_kafka.h"
#include "proto/wire.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { WAIT_MS = 30000, SLOW_MS = 400, N_COMMANDS = 20, LOOK_MS = 5000, COMMIT_MS = 500 };

static char prefix[KAFKA_PREFIX_SIZE], inbox[KAFKA_PREFIX_SIZE + 16],
	commands[KAFKA_PREFIX_SIZE + 16];
static struct kafka_mock mock;
static rd_kafka_t *stranger; /* a producer of somebody else's */
static char logged[16384];

static void keep_log(void *sink, enum log_level level, struct slice line)
{
	size_t len = strlen(logged);

	if (len + line.len < sizeof logged)
		memcpy(logged + len, line.at, line.len);
}

static const struct log log_kept = {LOG_LEVEL_INFO, keep_log, NULL};

static rd_kafka_t *client(rd_kafka_type_t type)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	rd_kafka_conf_set(conf, "bootstrap.servers", mock.brokers, why, sizeof why);
	if (type == RD_KAFKA_CONSUMER)
		rd_kafka_conf_set(conf, "group.id", "test", why, sizeof why);
	return rd_kafka_new(type, conf, why, sizeof why);
}

static void set_up(void)
{
	static const char *const topics[] = {"inbox",     "dead",          "events",
					     "cmd.stock", "inquiry.stock", NULL};

	logged[0] = '\0';
	kafka_prefix(prefix);
	snprintf(inbox, sizeof inbox, "%s.inbox", prefix);
	snprintf(commands, sizeof commands, "%s.cmd.stock", prefix);
	kafka_mock_start(&mock, prefix, topics, 1);
	stranger = client(RD_KAFKA_PRODUCER);
}

static void tear_down(void)
{
	rd_kafka_destroy(stranger);
	kafka_mock_stop(&mock);
}

/* A member that failed does not leave its group. */
static struct kafka_setup kafka_setup(void)
{
	return (struct kafka_setup){.brokers = mock.brokers,
				    .prefix = prefix,
				    .partitions = 1,
				    .properties = kafka_soon,
				    .n_properties = KAFKA_SOON,
				    .clock = clock_system(),
				    .log = &log_kept};
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static void answer_slowly(bool slowly)
{
	ck_assert(!rd_kafka_mock_broker_set_rtt(mock.cluster, 1, slowly ? SLOW_MS : 0));
}

static void break_client(rd_kafka_t *rk)
{
	ck_assert(!rd_kafka_test_fatal_error(rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
					     "as the test wants it"));
}

static bool has_failed(rd_kafka_t *rk)
{
	char why[256];

	return rd_kafka_fatal_error(rk, why, sizeof why) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void produce(const char *topic, const struct frame *frame)
{
	struct bytes bytes = BYTES(WIRE_FRAME_MAX, NULL);

	ck_assert_int_eq(wire_write(frame, &bytes, NULL), OK);
	ck_assert(!rd_kafka_producev(
		stranger, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY("s", 1),
		RD_KAFKA_V_VALUE(&bytes.at[WIRE_LENGTH_SIZE], bytes.len - WIRE_LENGTH_SIZE),
		RD_KAFKA_V_END));
	ck_assert(!rd_kafka_flush(stranger, WAIT_MS));
	bytes_release(&bytes);
}

/* How many messages are on the only partition. */
static int64_t count(const char *topic)
{
	int64_t low = 0, high = 0;

	ck_assert(!rd_kafka_query_watermark_offsets(stranger, topic, 0, &low, &high, LOOK_MS));
	return high;
}

/* How far the group of this consumer has read; 0: nothing. */
static int64_t committed(rd_kafka_t *consumer, const char *topic)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	int64_t offset = 0;

	rd_kafka_topic_partition_list_add(list, topic, 0);
	if (!rd_kafka_committed(consumer, list, LOOK_MS) && list->elems[0].offset > 0)
		offset = list->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(list);
	return offset;
}

static const struct frame signal_frame = {
	.type = FRAME_SIGNAL,
	.signal = {.saga_id = SLICE_LITERAL("s"), .event = SLICE_LITERAL("paid")}};

static struct command_message command(int number, char id[64])
{
	snprintf(id, 64, "s%d/take#0/0/do", number);
	return (struct command_message){.id = slice_of(id),
					.participant = SLICE_LITERAL("stock"),
					.command = SLICE_LITERAL("take"),
					.saga_id = {id, strcspn(id, "/")},
					.saga = SLICE_LITERAL("order"),
					.attempt = 1};
}

/* --- the orchestrator's end ----------------------------------------------------------- */

static struct bus *open_bus(void)
{
	const struct bus_kafka_setup setup = {.kafka = kafka_setup()};
	struct bus *bus = NULL;
	struct diag diag = {""};

	ck_assert_msg(bus_kafka_open(&setup, &bus, &diag) == OK, "%s", diag.text);
	return bus;
}

static struct inbox_message next(struct bus *bus)
{
	int64_t end_ms = now_ms() + WAIT_MS;
	struct inbox_message message;

	while (!bus_poll(bus, &message)) {
		ck_assert_msg(now_ms() < end_ms, "nothing comes: %s", logged);
		bus_pump(bus);
	}
	return message;
}

static void wait_until_read(struct bus *bus, int64_t n)
{
	int64_t end_ms = now_ms() + WAIT_MS;

	while (committed(bus_kafka_handle(bus, RD_KAFKA_CONSUMER), inbox) < n) {
		ck_assert_msg(now_ms() < end_ms, "%s", logged);
		bus_pump(bus);
	}
}

/* Each command at least once, with what belongs to it. */
static void check_commands(void)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER);
	bool seen[N_COMMANDS] = {false};
	int64_t n = count(commands);

	rd_kafka_topic_partition_list_add(list, commands, 0)->offset =
		RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_assign(consumer, list);
	rd_kafka_topic_partition_list_destroy(list);
	for (int64_t i = 0; i < n; i++) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, WAIT_MS);
		rd_kafka_headers_t *headers = NULL;
		struct arena arena = {0};
		struct frame frame;
		long number;

		ck_assert(message && !message->err);
		ck_assert_int_eq(wire_read((struct slice){message->payload, message->len},
					   &arena, &frame, NULL),
				 OK);
		number = strtol(frame.command.id.at + 1, NULL, 10);
		ck_assert(number >= 0 && number < N_COMMANDS);
		ck_assert(message->key_len == strcspn(frame.command.id.at, "/"));
		ck_assert(!rd_kafka_message_headers(message, &headers) &&
			  rd_kafka_header_cnt(headers) == 2);
		seen[number] = true;
		arena_release(&arena);
		rd_kafka_message_destroy(message);
	}
	for (int i = 0; i < N_COMMANDS; i++)
		ck_assert_msg(seen[i], "command %d is lost", i);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
}

static const struct producer_row {
	const char *name;
	bool pumped; /* the messages are on their way */
	int failures;
} producer_rows[] = {
	{"what was not sent yet", false, 1},
	{"what was sent and not confirmed", true, 1},
	{"one after the other", true, 3},
};

START_TEST(test_commands_of_a_failed_producer_arrive)
{
	const struct producer_row *row = &producer_rows[_i];
	struct bus *bus = open_bus();
	int64_t end_ms;
	char id[64];

	produce(inbox, &signal_frame);
	next(bus);
	answer_slowly(true);
	for (int i = 0; i < N_COMMANDS; i++) {
		const struct command_message sent = command(i, id);

		ck_assert_int_eq(bus_send(bus, &sent), OK);
	}
	bus_acknowledge(bus);
	if (row->pumped)
		bus_pump(bus);
	for (int i = 0; i < row->failures; i++) {
		break_client(bus_kafka_handle(bus, RD_KAFKA_PRODUCER));
		end_ms = now_ms() + WAIT_MS;
		while (has_failed(bus_kafka_handle(bus, RD_KAFKA_PRODUCER))) {
			ck_assert_msg(now_ms() < end_ms, "%s: %s", row->name, logged);
			bus_pump(bus);
		}
	}
	ck_assert_int_eq(committed(bus_kafka_handle(bus, RD_KAFKA_CONSUMER), inbox) == 0 ||
				 count(commands) >= N_COMMANDS,
			 true);
	answer_slowly(false);
	wait_until_read(bus, 1);
	ck_assert_int_ge(count(commands), N_COMMANDS);
	check_commands();
	/* And it goes on from there: what is under way is counted in two turns. */
	for (int64_t n = 2; n < 4; n++) {
		produce(inbox, &signal_frame);
		next(bus);
		bus_acknowledge(bus);
		wait_until_read(bus, n);
	}
	ck_assert_msg(strstr(logged, "event=producer-replaced") != NULL, "%s", logged);
	ck_assert_msg(strstr(logged, "event=not-delivered") == NULL, "%s", logged);
	bus_close(bus);
}
END_TEST

/* The commands wait for the leader of their partition, which the inbox has. */
START_TEST(test_nothing_counts_as_read_before_what_follows_is_there)
{
	struct bus *bus = open_bus();
	char id[64];
	const struct command_message sent = command(0, id);
	int64_t end_ms;

	produce(inbox, &signal_frame);
	next(bus);
	ck_assert(!rd_kafka_mock_partition_set_leader(mock.cluster, commands, 0, -1));
	ck_assert_int_eq(bus_send(bus, &sent), OK);
	bus_acknowledge(bus);
	end_ms = now_ms() + 3 * COMMIT_MS;
	while (now_ms() < end_ms)
		bus_pump(bus);
	ck_assert_int_eq(committed(bus_kafka_handle(bus, RD_KAFKA_CONSUMER), inbox), 0);
	ck_assert(!rd_kafka_mock_partition_set_leader(mock.cluster, commands, 0, 1));
	wait_until_read(bus, 1);
	ck_assert_int_eq(count(commands), 1);
	bus_close(bus);
}
END_TEST

START_TEST(test_a_bus_whose_producer_failed_says_busy_until_it_is_replaced)
{
	struct bus *bus = open_bus();
	char id[64];
	const struct command_message sent = command(0, id);
	int64_t end_ms;

	ck_assert_int_eq(bus_send(bus, &sent), OK);
	end_ms = now_ms() + WAIT_MS;
	while (count(commands) < 1 && now_ms() < end_ms)
		bus_pump(bus);
	break_client(bus_kafka_handle(bus, RD_KAFKA_PRODUCER));
	ck_assert_int_eq(bus_send(bus, &sent), ERR_BUSY);
	bus_pump(bus);
	ck_assert_int_eq(bus_send(bus, &sent), OK);
	while (count(commands) < 2 && now_ms() < end_ms)
		bus_pump(bus);
	ck_assert_int_eq(count(commands), 2);
	bus_close(bus);
}
END_TEST

START_TEST(test_a_bus_that_is_closed_with_a_failed_producer)
{
	struct bus *bus = open_bus();
	char id[64];
	const struct command_message sent = command(0, id);

	answer_slowly(true);
	ck_assert_int_eq(bus_send(bus, &sent), OK);
	break_client(bus_kafka_handle(bus, RD_KAFKA_PRODUCER));
	bus_close(bus);
}
END_TEST

START_TEST(test_a_failed_consumer_of_the_inbox_is_replaced)
{
	struct bus *bus = open_bus();

	produce(inbox, &signal_frame);
	next(bus); /* and it is not acknowledged */
	break_client(bus_kafka_handle(bus, RD_KAFKA_CONSUMER));
	bus_pump(bus);
	bus_acknowledge(bus);
	produce(inbox, &signal_frame);
	next(bus);
	ck_assert(!has_failed(bus_kafka_handle(bus, RD_KAFKA_CONSUMER)));
	next(bus); /* the first one again, and the second one */
	bus_close(bus);
}
END_TEST

/* Brokers that have just come back may not know yet who keeps the offsets of a group;
 * librdkafka says so then, and reads nothing for good. */
static void forget_offsets(int times)
{
	enum { OFFSET_FETCH = 9 };

	for (int i = 0; i < times; i++)
		rd_kafka_mock_push_request_errors(mock.cluster, OFFSET_FETCH, 1,
						  RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
}

START_TEST(test_an_inbox_whose_offsets_nobody_knew_is_read)
{
	struct bus *bus;

	forget_offsets(2);
	bus = open_bus();
	produce(inbox, &signal_frame);
	next(bus);
	bus_close(bus);
}
END_TEST

/* --- a participant's end ---------------------------------------------------------------- */

static struct port *open_port(void)
{
	const struct port_kafka_setup setup = {
		.kafka = kafka_setup(), .participant = "stock", .window = 100, .wake_fd = -1};
	struct port *port = NULL;
	struct diag diag = {""};

	ck_assert_msg(port_kafka_open(&setup, &port, &diag) == OK, "%s", diag.text);
	return port;
}

static struct command_message next_command(struct port *port)
{
	int64_t end_ms = now_ms() + WAIT_MS;
	struct command_message out;

	while (!port_poll(port, &out)) {
		ck_assert_msg(now_ms() < end_ms, "no command comes: %s", logged);
		port_pump(port, 20);
	}
	return out;
}

static void ask(int number)
{
	char id[64];
	const struct frame frame = {.type = FRAME_COMMAND, .command = command(number, id)};

	produce(commands, &frame);
}

static void reply_to(struct port *port, const struct command_message *taken)
{
	char id[64];
	const struct reply_message reply = {
		.id = {id, taken->id.len}, .attempt = taken->attempt, .outcome = MESSAGE_OK};

	memcpy(id, taken->id.at, taken->id.len);
	ck_assert_int_eq(port_reply(port, &reply), OK);
}

/* Commands that are answered count as read, and not before the answers are there. */
static void check_answered(struct port *port, int64_t n)
{
	int64_t end_ms = now_ms() + WAIT_MS;
	int64_t read;

	while ((read = committed(port_kafka_handle(port, RD_KAFKA_CONSUMER), commands)) < n) {
		ck_assert_msg(now_ms() < end_ms, "%s", logged);
		ck_assert_int_le(read, count(inbox));
		port_pump(port, 20);
	}
	ck_assert_int_ge(count(inbox), n);
}

START_TEST(test_replies_of_a_failed_producer_arrive)
{
	const struct producer_row *row = &producer_rows[_i];
	struct port *port = open_port();

	for (int i = 0; i < N_COMMANDS; i++)
		ask(i);
	for (int i = 0; i < N_COMMANDS; i++) {
		const struct command_message taken = next_command(port);

		if (i == 0)
			answer_slowly(true);
		reply_to(port, &taken);
	}
	if (row->pumped)
		port_pump(port, 0);
	for (int i = 0; i < row->failures; i++) {
		int64_t end_ms = now_ms() + WAIT_MS;

		break_client(port_kafka_handle(port, RD_KAFKA_PRODUCER));
		while (has_failed(port_kafka_handle(port, RD_KAFKA_PRODUCER))) {
			ck_assert_msg(now_ms() < end_ms, "%s: %s", row->name, logged);
			port_pump(port, 20);
		}
	}
	answer_slowly(false);
	check_answered(port, N_COMMANDS);
	ck_assert_msg(strstr(logged, "event=client-replaced what=producer") != NULL, "%s",
		      logged);
	ck_assert_msg(strstr(logged, "event=not-delivered") == NULL, "%s", logged);
	port_close(port);
}
END_TEST

START_TEST(test_a_port_that_is_closed_with_a_failed_producer)
{
	struct port *port = open_port();
	struct command_message taken;

	ask(0);
	taken = next_command(port);
	answer_slowly(true);
	reply_to(port, &taken);
	break_client(port_kafka_handle(port, RD_KAFKA_PRODUCER));
	port_close(port);
}
END_TEST

/* What is being worked on is answered all the same, and what comes again with it. */
START_TEST(test_a_failed_consumer_of_commands_is_replaced)
{
	struct port *port = open_port();
	struct command_message taken;
	int64_t end_ms;

	ask(0);
	ask(1);
	taken = next_command(port);
	break_client(port_kafka_handle(port, RD_KAFKA_CONSUMER));
	end_ms = now_ms() + WAIT_MS;
	while (has_failed(port_kafka_handle(port, RD_KAFKA_CONSUMER))) {
		ck_assert_msg(now_ms() < end_ms, "%s", logged);
		port_pump(port, 20);
	}
	reply_to(port, &taken);
	for (int64_t read = 0; read < 2;) {
		struct command_message again;

		port_pump(port, 20);
		if (port_poll(port, &again))
			reply_to(port, &again);
		read = committed(port_kafka_handle(port, RD_KAFKA_CONSUMER), commands);
		ck_assert_msg(now_ms() < end_ms, "%s", logged);
	}
	ck_assert_int_ge(count(inbox), 2);
	ck_assert_msg(strstr(logged, "event=client-replaced what=consumer") != NULL, "%s",
		      logged);
	port_close(port);
}
END_TEST

START_TEST(test_commands_whose_offsets_nobody_knew_are_read)
{
	struct port *port;

	forget_offsets(4); /* those of inquiries are asked for, too */
	port = open_port();
	ask(0);
	next_command(port);
	port_close(port);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 90);
	tcase_add_loop_test(tcase, test_commands_of_a_failed_producer_arrive, 0,
			    ROWS(producer_rows));
	tcase_add_test(tcase, test_nothing_counts_as_read_before_what_follows_is_there);
	tcase_add_test(tcase, test_a_bus_whose_producer_failed_says_busy_until_it_is_replaced);
	tcase_add_test(tcase, test_a_bus_that_is_closed_with_a_failed_producer);
	tcase_add_test(tcase, test_a_failed_consumer_of_the_inbox_is_replaced);
	tcase_add_test(tcase, test_an_inbox_whose_offsets_nobody_knew_is_read);
	tcase_add_loop_test(tcase, test_replies_of_a_failed_producer_arrive, 0,
			    ROWS(producer_rows));
	tcase_add_test(tcase, test_a_port_that_is_closed_with_a_failed_producer);
	tcase_add_test(tcase, test_a_failed_consumer_of_commands_is_replaced);
	tcase_add_test(tcase, test_commands_whose_offsets_nobody_knew_are_read);
}

int main(void)
{
	return suite_run("bus_kafka_failed", add);
}

/* test_port_kafka.c - a participant's end over Kafka while partitions come and go: whatever
 * happens to them, commands are taken and answered. Against librdkafka's mock. */
#include "bus/kafka/port_kafka.h"
#include "proto/wire.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { WAIT_MS = 30000, PARTITIONS = 2, WINDOW = 2, FULL_MS = 1200, STEP_MS = 20 };

static char prefix[KAFKA_PREFIX_SIZE], inbox[KAFKA_PREFIX_SIZE + 16],
	commands[KAFKA_PREFIX_SIZE + 16];
static struct kafka_mock mock;
static rd_kafka_t *stranger; /* a producer of somebody else's */
static int n_asked;

static void set_up(void)
{
	static const char *const topics[] = {"inbox",     "dead",          "records",
					     "cmd.stock", "inquiry.stock", NULL};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	kafka_prefix(prefix);
	snprintf(inbox, sizeof inbox, "%s.inbox", prefix);
	snprintf(commands, sizeof commands, "%s.cmd.stock", prefix);
	kafka_mock_start(&mock, prefix, topics, PARTITIONS);
	rd_kafka_conf_set(conf, "bootstrap.servers", mock.brokers, why, sizeof why);
	stranger = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	ck_assert_ptr_nonnull(stranger);
}

static void tear_down(void)
{
	rd_kafka_destroy(stranger);
	kafka_mock_stop(&mock);
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static struct port *open_port(void)
{
	const struct port_kafka_setup setup = {.kafka = {.brokers = mock.brokers,
							 .prefix = prefix,
							 .partitions = PARTITIONS,
							 .properties = kafka_soon,
							 .n_properties = KAFKA_SOON,
							 .clock = clock_system()},
					       .participant = "stock",
					       .window = WINDOW,
					       .wake_fd = -1};
	struct port *port = NULL;
	struct diag diag = {""};

	ck_assert_msg(port_kafka_open(&setup, &port, &diag) == OK, "%s", diag.text);
	return port;
}

/* A command on that partition, whose reply is to go to that one. */
static void ask(int32_t partition, const char *reply_partition)
{
	struct bytes bytes = BYTES(WIRE_FRAME_MAX, NULL);
	struct frame frame = {.type = FRAME_COMMAND,
			      .command = {.participant = SLICE_LITERAL("stock"),
					  .command = SLICE_LITERAL("take"),
					  .saga_id = SLICE_LITERAL("s"),
					  .saga = SLICE_LITERAL("order"),
					  .attempt = 1}};
	char id[64];

	snprintf(id, sizeof id, "s/take#%d/0/do", n_asked++);
	frame.command.id = slice_of(id);
	ck_assert_int_eq(wire_write(&frame, &bytes, NULL), OK);
	ck_assert(!rd_kafka_producev(
		stranger, RD_KAFKA_V_TOPIC(commands), RD_KAFKA_V_PARTITION(partition),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY("s", 1),
		RD_KAFKA_V_HEADER("skald-reply-partition", reply_partition, -1),
		RD_KAFKA_V_VALUE(&bytes.at[WIRE_LENGTH_SIZE], bytes.len - WIRE_LENGTH_SIZE),
		RD_KAFKA_V_END));
	ck_assert(!rd_kafka_flush(stranger, WAIT_MS));
	bytes_release(&bytes);
}

/* The number of the command. */
static int answer(struct port *port, const struct command_message *taken)
{
	int number = (int)strtol(taken->id.at + strlen("s/take#"), NULL, 10);
	char id[64];
	const struct reply_message reply = {
		.id = {id, taken->id.len}, .attempt = taken->attempt, .outcome = MESSAGE_OK};

	memcpy(id, taken->id.at, taken->id.len);
	ck_assert_int_eq(port_reply(port, &reply), OK);
	return number;
}

static struct command_message next_command(struct port *port)
{
	int64_t end_ms = now_ms() + WAIT_MS;
	struct command_message out;

	while (!port_poll(port, &out)) {
		ck_assert_msg(now_ms() < end_ms, "no command comes");
		port_pump(port, STEP_MS);
	}
	return out;
}

static int64_t n_replies(void)
{
	int64_t low, high, n = 0;

	for (int i = 0; i < PARTITIONS; i++) {
		ck_assert(!rd_kafka_query_watermark_offsets(stranger, inbox, i, &low, &high,
							    WAIT_MS));
		n += high;
	}
	return n;
}

/* As just after the inbox has got more of them. */
START_TEST(test_a_reply_to_a_partition_that_is_not_known_yet_arrives)
{
	enum { N = 2 * WINDOW + 1 };
	struct port *port = open_port();
	int64_t end_ms = now_ms() + WAIT_MS;

	for (int i = 0; i < N; i++)
		ask(0, i ? "7" : "1");
	for (int i = 0; i < N; i++) {
		struct command_message taken = next_command(port);

		answer(port, &taken);
		while (n_replies() <= i) { /* then it knows the topic */
			ck_assert_msg(now_ms() < end_ms, "reply %d does not arrive", i);
			port_pump(port, STEP_MS);
		}
	}
	port_close(port);
}
END_TEST

/* Whoever is there takes what there is, and answers it, until these have been seen. */
static void take_until(struct port *const ports[2], int first, int n)
{
	int64_t end_ms = now_ms() + WAIT_MS;
	bool seen[64] = {false};
	int left = n;

	while (left) {
		ck_assert_msg(now_ms() < end_ms, "%d commands are not taken", left);
		for (int i = 0; i < 2; i++) {
			struct command_message taken;

			port_pump(ports[i], STEP_MS);
			while (port_poll(ports[i], &taken)) {
				int number = answer(ports[i], &taken);

				left -= number >= first && !seen[number];
				seen[number] = true;
			}
		}
	}
}

static int n_partitions_of(struct port *port)
{
	rd_kafka_topic_partition_list_t *list = NULL;
	int n;

	ck_assert(!rd_kafka_assignment(port_kafka_handle(port, RD_KAFKA_CONSUMER), &list));
	n = list->cnt;
	rd_kafka_topic_partition_list_destroy(list);
	return n;
}

static void await_one_each(struct port *const ports[2])
{
	int64_t end_ms = now_ms() + WAIT_MS;

	while (n_partitions_of(ports[0]) != 1 || n_partitions_of(ports[1]) != 1) {
		ck_assert_msg(now_ms() < end_ms, "the partitions are not shared");
		port_pump(ports[0], STEP_MS);
		port_pump(ports[1], STEP_MS);
	}
}

/* It holds its partitions back, and while it does one of them goes and the other one
 * comes back. */
START_TEST(test_a_partition_is_read_again_that_went_while_there_was_no_room)
{
	enum { MANY = 3 * WINDOW };
	struct port *ports[2] = {open_port(), NULL};
	struct command_message taken[WINDOW];
	int64_t full_ms;

	for (int i = 0; i < MANY; i++)
		ask(i % PARTITIONS, "0");
	for (int i = 0; i < WINDOW; i++)
		taken[i] = next_command(ports[0]);
	full_ms = now_ms() + FULL_MS;
	while (now_ms() < full_ms)
		port_pump(ports[0], STEP_MS);
	ports[1] = open_port();
	await_one_each(ports);
	for (int i = 0; i < WINDOW; i++)
		answer(ports[0], &taken[i]);
	take_until(ports, WINDOW, MANY - WINDOW);
	for (int i = 0; i < PARTITIONS; i++)
		ask(i, "0");
	take_until(ports, MANY, PARTITIONS);
	port_close(ports[0]);
	port_close(ports[1]);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_a_reply_to_a_partition_that_is_not_known_yet_arrives);
	tcase_add_test(tcase, test_a_partition_is_read_again_that_went_while_there_was_no_room);
}

int main(void)
{
	return suite_run("port_kafka", add);
}

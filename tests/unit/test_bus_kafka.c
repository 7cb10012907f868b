/* test_bus_kafka.c - what the bus over Kafka promises beyond the contract: names and
 * partitions, settings, what becomes of messages that are of no use or misplaced. Against
 * a real broker, and where there is none against librdkafka's mock, in which the members
 * of a group take 3 s to find each other. */
#include "bus/kafka/bus_kafka.h"
#include "bus/kafka/port_kafka.h"
#include "bus/kafka/topics.h"
#include "proto/wire.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAIT_MS = 30000, PARTITIONS = 4 };

static const char *kafka; /* HOST:PORT; NULL: there is none */

/* Of one test. */
static char prefix[KAFKA_PREFIX_SIZE], inbox[KAFKA_PREFIX_SIZE + 8],
	dead[KAFKA_PREFIX_SIZE + 8];
static const char *brokers;
static struct kafka_mock mock;

/* --- names ------------------------------------------------------------------------- */

/* The first three are of Kafka's own tests of murmur2, the last is in
 * docs/protocol.md. */
static const struct partition_row {
	const char *key;
	int32_t n, partition;
} partition_rows[] = {
	{"21", 1000, (-973932308 & 0x7fffffff) % 1000},
	{"foobar", 1000, (-790332482 & 0x7fffffff) % 1000},
	{"a-little-bit-long-string", 1000, (-985981536 & 0x7fffffff) % 1000},
	{"order-17", 1, 0},
	{"order-17", 12, 9},
};

START_TEST(test_partitions_are_those_of_other_clients)
{
	const struct partition_row *row = &partition_rows[_i];

	ck_assert_int_eq(kafka_partition_of(slice_of(row->key), row->n), row->partition);
	ck_assert_int_eq(rd_kafka_msg_partitioner_murmur2(NULL, row->key, strlen(row->key),
							  row->n, NULL, NULL),
			 row->partition);
}
END_TEST

START_TEST(test_a_saga_is_one_trace)
{
	char a[KAFKA_TRACE_SIZE], b[KAFKA_TRACE_SIZE], c[KAFKA_TRACE_SIZE];

	kafka_traceparent(SLICE_LITERAL("s"), SLICE_LITERAL("s/a#0/0/do"), 1, a);
	kafka_traceparent(SLICE_LITERAL("s"), SLICE_LITERAL("s/a#0/0/do"), 2, b);
	kafka_traceparent(SLICE_LITERAL("t"), SLICE_LITERAL("t/a#0/0/do"), 1, c);
	ck_assert_uint_eq(strlen(a), KAFKA_TRACE_SIZE - 1);
	ck_assert_msg(strncmp(a, "00-", 3) == 0 && strcmp(a + 52, "-01") == 0, "%s", a);
	ck_assert(strncmp(a, b, 35) == 0 && strcmp(a, b) != 0);
	ck_assert(strncmp(a, c, 35) != 0);
}
END_TEST

/* --- settings ---------------------------------------------------------------------- */

static const struct setting_row {
	const char *name;
	struct kafka_setup setup;
	struct kafka_property property;
	const char *text; /* NULL: it is right */
} setting_rows[] = {
	{"a broker is enough", {.brokers = "h:1"}, {NULL, NULL}, NULL},
	{"no broker", {.brokers = ""}, {NULL, NULL}, "names no broker"},
	{"a broker without a port", {.brokers = "h"}, {NULL, NULL}, "names no broker"},
	{"a prefix that is none", {.brokers = "h:1", .prefix = "a b"}, {NULL, NULL}, "prefix"},
	{"too many partitions",
	 {.brokers = "h:1", .partitions = 10001},
	 {NULL, NULL},
	 "10001 partitions: 1 to 10000"},
	{"any property of librdkafka", {.brokers = "h:1"}, {"sasl.username", "shop"}, NULL},
	{"a property that Skald relies on",
	 {.brokers = "h:1"},
	 {"acks", "1"},
	 "kafka.acks cannot be set: a command"},
	{"a property that there is not",
	 {.brokers = "h:1"},
	 {"no.such.thing", "1"},
	 "has no property no.such.thing; its CONFIGURATION.md lists them"},
	{"a property that is nearly one",
	 {.brokers = "h:1"},
	 {"sasl.usrname", "shop"},
	 "has no property sasl.usrname; did you mean sasl.username?"},
	{"a value that is none",
	 {.brokers = "h:1"},
	 {"security.protocol", "tsl"},
	 "kafka.security.protocol: Invalid value"},
	{"passwords without a mechanism",
	 {.brokers = "h:1"},
	 {"security.protocol", "sasl_ssl"},
	 "set it to PLAIN or SCRAM-SHA-512"},
};

START_TEST(test_settings)
{
	const struct setting_row *row = &setting_rows[_i];
	struct port_kafka_setup setup = {
		.kafka = row->setup, .participant = "stock", .window = 1, .wake_fd = -1};
	struct diag diag = {""};
	struct port *port = NULL;
	enum err err;

	setup.kafka.clock = clock_system();
	setup.kafka.properties = &row->property;
	setup.kafka.n_properties = row->property.name != NULL;
	err = port_kafka_open(&setup, &port, &diag);
	ck_assert_msg(err == (row->text ? ERR_INVALID : OK) &&
			      strstr(diag.text, row->text ? row->text : "") != NULL,
		      "%s: %s", row->name, diag.text);
	port_close(port);
}
END_TEST

START_TEST(test_nobody_answers)
{
	const struct bus_kafka_setup setup = {
		.kafka = {.brokers = "127.0.0.1:1", .clock = clock_system()}, .open_ms = 1000};
	struct diag diag = {""};
	struct bus *bus = NULL;

	ck_assert_int_eq(bus_kafka_open(&setup, &bus, &diag), ERR_UNAVAILABLE);
	ck_assert_msg(strstr(diag.text, "kafka:127.0.0.1:1: ") &&
			      strstr(diag.text, "Connection refused; see whether the brokers "
						"run, and whether their HOST:PORT is right"),
		      "%s", diag.text);
}
END_TEST

/* --- messages that somebody else has written ------------------------------------------ */

static struct kafka_setup kafka_setup(void)
{
	return (struct kafka_setup){.brokers = brokers,
				    .prefix = prefix,
				    .partitions = PARTITIONS,
				    .clock = clock_system()};
}

static struct bus *open_bus(void)
{
	const struct bus_kafka_setup setup = {.kafka = kafka_setup(), .blind = mock.rk != NULL};
	struct bus *bus = NULL;
	struct diag diag = {""};

	ck_assert_msg(bus_kafka_open(&setup, &bus, &diag) == OK, "%s", diag.text);
	return bus;
}

static void enter(void)
{
	static const char *const topics[] = {"inbox",     "dead",          "events", "records",
					     "cmd.stock", "inquiry.stock", NULL};

	kafka_prefix(prefix);
	snprintf(inbox, sizeof inbox, "%s.inbox", prefix);
	snprintf(dead, sizeof dead, "%s.dead", prefix);
	brokers = kafka;
	if (kafka)
		return;
	kafka_mock_start(&mock, prefix, topics, PARTITIONS);
	brokers = mock.brokers;
}

static void leave(void)
{
	if (mock.rk)
		kafka_mock_stop(&mock);
	mock = (struct kafka_mock){0};
}

/* Somebody's own client. */
static rd_kafka_t *client(rd_kafka_type_t type)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why);
	rd_kafka_conf_set(conf, "log_level", "2", why, sizeof why);
	rd_kafka_conf_set(conf, "group.id", "test", why, sizeof why);
	rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why, sizeof why);
	rd_kafka_conf_set(conf, "message.max.bytes", "4000000", why, sizeof why);
	return rd_kafka_new(type, conf, why, sizeof why);
}

static void produce(rd_kafka_t *producer, const char *topic, int32_t partition,
		    struct slice value)
{
	ck_assert(!rd_kafka_producev(
		producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY("k", 1),
		RD_KAFKA_V_HEADER("h", "v", 1), RD_KAFKA_V_VALUE((void *)value.at, value.len),
		RD_KAFKA_V_END));
	ck_assert(!rd_kafka_flush(producer, WAIT_MS));
}

static struct bytes frame_bytes(const struct frame *frame)
{
	struct bytes bytes = BYTES(WIRE_FRAME_MAX, NULL);

	ck_assert_int_eq(wire_write(frame, &bytes, NULL), OK);
	return bytes;
}

static void produce_frame(rd_kafka_t *producer, const char *topic, int32_t partition,
			  const struct frame *frame)
{
	struct bytes bytes = frame_bytes(frame);

	produce(producer, topic, partition,
		(struct slice){bytes.at + WIRE_LENGTH_SIZE, bytes.len - WIRE_LENGTH_SIZE});
	bytes_release(&bytes);
}

static struct inbox_message next(struct bus *bus)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + WAIT_MS;
	struct inbox_message message;

	while (!bus_poll(bus, &message)) {
		ck_assert_msg(clock_monotonic_ms(clock_system()) < end_ms, "nothing comes");
		bus_pump(bus);
	}
	return message;
}

static const char *header(const rd_kafka_message_t *message, const char *name)
{
	rd_kafka_headers_t *headers = NULL;
	const void *value = NULL;
	size_t size;

	ck_assert(!rd_kafka_message_headers(message, &headers));
	return rd_kafka_header_get_last(headers, name, &value, &size) ? "none" : value;
}

static rd_kafka_message_t *dead_letter(rd_kafka_t *consumer)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
	rd_kafka_message_t *message;

	for (int i = 0; i < (kafka ? 1 : PARTITIONS); i++)
		rd_kafka_topic_partition_list_add(list, dead, i)->offset =
			RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_assign(consumer, list);
	rd_kafka_topic_partition_list_destroy(list);
	message = rd_kafka_consumer_poll(consumer, WAIT_MS);
	ck_assert(message != NULL && !message->err);
	return message;
}

static const struct frame signal_frame = {
	.type = FRAME_SIGNAL,
	.signal = {.saga_id = SLICE_LITERAL("s"), .event = SLICE_LITERAL("paid")}};
static const struct frame command_frame = {.type = FRAME_COMMAND,
					   .command = {.id = SLICE_LITERAL("s/a#0/0/do"),
						       .participant = SLICE_LITERAL("stock"),
						       .command = SLICE_LITERAL("take"),
						       .saga_id = SLICE_LITERAL("s"),
						       .saga = SLICE_LITERAL("order"),
						       .attempt = 1}};

/* What is in the inbox in front of a signal, and why it is dead. */
static const struct dead_row {
	const char *name;
	const char *value; /* NULL: a command */
	size_t len;        /* of zeros, where it is no text */
	const char *reason;
} dead_rows[] = {
	{"what is no protobuf", "\xff\xff\xff", 0, "unreadable"},
	{"nothing at all", "", 0, "unreadable"},
	{"more than a frame may have", "", WIRE_FRAME_MAX + 1, "too-large"},
	{"a command", NULL, 0, "unexpected"},
};

START_TEST(test_what_is_of_no_use_does_not_block)
{
	const struct dead_row *row = &dead_rows[_i];
	char *zeros = calloc(1, row->len + 1);
	struct inbox_message message;
	rd_kafka_message_t *letter;
	rd_kafka_t *producer, *consumer;
	struct bus *bus;

	enter();
	producer = client(RD_KAFKA_PRODUCER);
	consumer = client(RD_KAFKA_CONSUMER);
	bus = open_bus();
	if (row->value)
		produce(producer, inbox, 0,
			row->len ? (struct slice){zeros, row->len} : slice_of(row->value));
	else
		produce_frame(producer, inbox, 0, &command_frame);
	produce_frame(producer, inbox, 0, &signal_frame);
	message = next(bus);
	ck_assert(message.type == INBOX_SIGNAL && slice_is(message.signal.event, "paid"));
	bus_acknowledge(bus);
	while (!bus_kafka_idle(bus, 0))
		bus_pump(bus);
	letter = dead_letter(consumer);
	ck_assert_str_eq(header(letter, "skald-reason"), row->reason);
	ck_assert_str_eq(header(letter, "skald-topic"), inbox);
	ck_assert_str_eq(header(letter, "skald-offset"), "0");
	ck_assert_str_eq(header(letter, "h"), "v");
	ck_assert(letter->key_len == 1 && letter->len <= WIRE_FRAME_MAX);
	rd_kafka_message_destroy(letter);
	bus_close(bus);
	rd_kafka_destroy(producer);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	leave();
	free(zeros);
}
END_TEST

/* Busy: the same message again. Refused: a dead letter, with the reason. */
START_TEST(test_what_the_orchestrator_says)
{
	const struct result_message busy = {.code = SLICE_LITERAL("busy")};
	const struct result_message refused = {.code = SLICE_LITERAL("not-found"),
					       .text = SLICE_LITERAL("no such saga")};
	struct inbox_message message;
	rd_kafka_message_t *letter;
	rd_kafka_t *producer, *consumer;
	struct bus *bus;

	enter();
	producer = client(RD_KAFKA_PRODUCER);
	consumer = client(RD_KAFKA_CONSUMER);
	bus = open_bus();
	produce_frame(producer, inbox, 1, &signal_frame);
	message = next(bus);
	bus_answer(bus, message.origin, &busy);
	bus_acknowledge(bus);
	message = next(bus);
	ck_assert(slice_is(message.signal.event, "paid"));
	bus_answer(bus, message.origin, &refused);
	bus_acknowledge(bus);
	while (!bus_kafka_idle(bus, 0))
		bus_pump(bus);
	letter = dead_letter(consumer);
	ck_assert_str_eq(header(letter, "skald-reason"), "not-found");
	ck_assert_str_eq(header(letter, "skald-text"), "no such saga");
	rd_kafka_message_destroy(letter);
	bus_close(bus);
	rd_kafka_destroy(producer);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	leave();
}
END_TEST

struct pumping {
	struct bus *bus;
	int done;
};

static void *pump_on(void *context)
{
	struct pumping *pumping = context;

	while (!__atomic_load_n(&pumping->done, __ATOMIC_ACQUIRE))
		bus_pump(pumping->bus);
	return NULL;
}

/* Two share the inbox: whatever partition the messages of a saga come on, one of the
 * two gets them all. */
START_TEST(test_misplaced_messages_find_their_saga)
{
	struct bus *buses[2];
	struct pumping pumping = {0};
	int64_t end_ms;
	int n[2] = {0, 0};
	rd_kafka_t *producer;
	pthread_t thread;

	enter();
	producer = client(RD_KAFKA_PRODUCER);
	pumping.bus = buses[0] = open_bus();
	ck_assert(!pthread_create(&thread, NULL, pump_on, &pumping));
	buses[1] = open_bus();
	__atomic_store_n(&pumping.done, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	for (int i = 0; i < PARTITIONS; i++)
		produce_frame(producer, inbox, i, &signal_frame);
	end_ms = clock_monotonic_ms(clock_system()) + WAIT_MS;
	while (n[0] + n[1] < PARTITIONS) {
		ck_assert(clock_monotonic_ms(clock_system()) < end_ms);
		for (int i = 0; i < 2; i++) {
			struct inbox_message message;

			bus_pump(buses[i]);
			while (bus_poll(buses[i], &message))
				n[i]++;
			bus_acknowledge(buses[i]);
		}
	}
	ck_assert_msg(n[0] == PARTITIONS || n[1] == PARTITIONS, "%d and %d", n[0], n[1]);
	bus_close(buses[0]);
	bus_close(buses[1]);
	rd_kafka_destroy(producer);
	leave();
}
END_TEST

/* --- inquiries ---------------------------------------------------------------------- */

struct ends {
	struct bus *bus;
	struct port *port; /* NULL: nobody is there */
};

static struct ends open_ends(void)
{
	const struct port_kafka_setup setup = {
		.kafka = kafka_setup(), .participant = "stock", .window = 1, .wake_fd = -1};
	struct ends ends = {NULL, NULL};
	struct diag diag = {""};

	ck_assert_msg(port_kafka_open(&setup, &ends.port, &diag) == OK, "%s", diag.text);
	port_pump(ends.port, 0);
	ends.bus = open_bus();
	return ends;
}

static void close_ends(struct ends *ends)
{
	bus_close(ends->bus);
	port_close(ends->port);
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static void turn(struct ends *ends)
{
	bus_pump(ends->bus);
	if (ends->port)
		port_pump(ends->port, 5);
}

/* Ask until it is the answer that is wanted: the text is in it, or "" for OK. */
static enum err ask_until(struct ends *ends, struct inquiry_message *inquiry, enum err wanted,
			  const char *text)
{
	int64_t end_ms = now_ms() + WAIT_MS;
	struct diag diag;
	enum err err;

	do {
		diag.text[0] = '\0';
		turn(ends);
		err = bus_inquire(ends->bus, SLICE_LITERAL("stock"), inquiry, &diag);
		ck_assert_msg(now_ms() < end_ms, "%s: %s", err_text(err), diag.text);
		if (!err && wanted) /* too soon */
			bus_forget(ends->bus, inquiry->request);
	} while (err != wanted || !strstr(diag.text, text));
	return err;
}

static void hear(struct ends *ends, struct inquiry_message *inquiry,
		 struct inquiry_message *heard)
{
	int64_t end_ms = now_ms() + WAIT_MS;

	for (;;) {
		int64_t again_ms = now_ms() + 1000;

		ask_until(ends, inquiry, OK, "");
		while (now_ms() < again_ms) {
			turn(ends);
			if (port_inquiry(ends->port, heard) &&
			    heard->request == inquiry->request)
				return;
		}
		bus_forget(ends->bus, inquiry->request);
		ck_assert_msg(now_ms() < end_ms, "nobody hears it");
	}
}

static struct inquired answered(struct ends *ends)
{
	int64_t end_ms = now_ms() + WAIT_MS;
	struct inquired inquired;

	while (!bus_inquired(ends->bus, &inquired)) {
		ck_assert_msg(now_ms() < end_ms, "no answer comes");
		turn(ends);
	}
	return inquired;
}

/* What was asked by the one before has a number that is never used again. */
START_TEST(test_an_answer_to_the_one_before_is_dropped)
{
	struct inquiry_message before = {.limit = 1}, after = {.limit = 2}, heard;
	struct records_message late = {.next = SLICE_LITERAL("late")}, good = {0};
	struct ends ends;

	enter();
	ends = open_ends();
	hear(&ends, &before, &heard);
	bus_close(ends.bus);
	ends.bus = open_bus();
	hear(&ends, &after, &heard);
	ck_assert_uint_ne(before.request, after.request);
	late.request = before.request;
	port_records(ends.port, &late);
	good.request = after.request;
	port_records(ends.port, &good);
	ck_assert_uint_eq(answered(&ends).request, after.request);
	close_ends(&ends);
	leave();
}
END_TEST

/* On both topics there may be anything: it is passed over, and no dead letter. */
START_TEST(test_what_is_no_inquiry_and_no_answer)
{
	static const struct frame records = {.type = FRAME_RECORDS, .records = {.request = 1}};
	struct inquiry_message inquiry = {.limit = 1}, heard;
	struct records_message good = {0};
	char topic[KAFKA_TOPIC_SIZE];
	struct inbox_message message;
	rd_kafka_t *producer;
	struct ends ends;

	enter();
	producer = client(RD_KAFKA_PRODUCER);
	ends = open_ends();
	hear(&ends, &inquiry, &heard);
	snprintf(topic, sizeof topic, "%s.inquiry.stock", prefix);
	for (int i = 0; i < KAFKA_INQUIRY_PARTITIONS; i++) {
		produce(producer, topic, i, SLICE_LITERAL("\xff"));
		produce_frame(producer, topic, i, &command_frame);
	}
	snprintf(topic, sizeof topic, "%s.records", prefix);
	produce(producer, topic, 0, SLICE_LITERAL("\xff"));
	produce_frame(producer, topic, 0, &signal_frame);
	produce_frame(producer, topic, 0, &records);
	good.request = inquiry.request;
	port_records(ends.port, &good);
	ck_assert_uint_eq(answered(&ends).request, inquiry.request);
	hear(&ends, &inquiry, &heard);
	ck_assert(!bus_poll(ends.bus, &message));
	rd_kafka_destroy(producer);
	close_ends(&ends);
	leave();
}
END_TEST

/* It takes commands, and does not know of inquiries. */
START_TEST(test_one_that_is_too_old_is_told_from_one_that_is_away)
{
	struct inquiry_message inquiry = {.limit = 1};
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	char group[KAFKA_TOPIC_SIZE], why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	struct ends ends = {NULL, NULL};
	rd_kafka_t *old;

	enter();
	ends.bus = open_bus();
	ask_until(&ends, &inquiry, ERR_NOT_FOUND, "");
	snprintf(group, sizeof group, "%s.cmd.stock", prefix);
	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why);
	rd_kafka_conf_set(conf, "group.id", group, why, sizeof why);
	old = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
	rd_kafka_topic_partition_list_add(topics, inbox, -1);
	rd_kafka_subscribe(old, topics);
	ask_until(&ends, &inquiry, ERR_BUSY, "its library is too old");
	ask_until(&ends, &inquiry, ERR_INVALID, "its library is too old");
	rd_kafka_consumer_close(old);
	rd_kafka_destroy(old);
	ask_until(&ends, &inquiry, ERR_NOT_FOUND, "");
	rd_kafka_topic_partition_list_destroy(topics);
	bus_close(ends.bus);
	leave();
}
END_TEST

/* The mock's broker goes and comes. */
START_TEST(test_nobody_can_be_asked_during_an_outage)
{
	struct inquiry_message inquiry = {.limit = 1}, heard;
	struct records_message records = {0};
	const char *real = kafka;
	struct ends ends;

	kafka = NULL;
	enter();
	ends = open_ends();
	hear(&ends, &inquiry, &heard);
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	ask_until(&ends, &inquiry, ERR_BUSY, "no broker answers");
	rd_kafka_mock_broker_set_up(mock.cluster, 1);
	hear(&ends, &inquiry, &heard);
	records.request = heard.request;
	port_records(ends.port, &records);
	ck_assert_uint_eq(answered(&ends).request, inquiry.request);
	close_ends(&ends);
	leave();
	kafka = real;
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_partitions_are_those_of_other_clients, 0,
			    ROWS(partition_rows));
	tcase_add_test(tcase, test_a_saga_is_one_trace);
	tcase_add_loop_test(tcase, test_settings, 0, ROWS(setting_rows));
	tcase_add_test(tcase, test_nobody_answers);
	tcase_add_loop_test(tcase, test_what_is_of_no_use_does_not_block, 0, ROWS(dead_rows));
	tcase_add_test(tcase, test_what_the_orchestrator_says);
	tcase_add_test(tcase, test_misplaced_messages_find_their_saga);
	tcase_add_test(tcase, test_an_answer_to_the_one_before_is_dropped);
	tcase_add_test(tcase, test_what_is_no_inquiry_and_no_answer);
	tcase_add_test(tcase, test_nobody_can_be_asked_during_an_outage);
	if (kafka) /* the mock does not say who is there */
		tcase_add_test(tcase, test_one_that_is_too_old_is_told_from_one_that_is_away);
}

int main(void)
{
	kafka = kafka_broker_find();
	return suite_run("bus_kafka", add);
}

/* test_bus_kafka_events.c - how events come to PREFIX.events: as CloudEvents, once or more,
 * in order, whatever the brokers say. Against librdkafka's mock, whose brokers do as they
 * are told. */
#include "base/json.h"
#include "bus/bus_memory.h"
#include "bus/kafka/bus_kafka.h"
#include "bus/kafka/events.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PARTITIONS = 4, SAGAS = 8, WAIT_MS = 30000, PRODUCE = 0 };

static char prefix[KAFKA_PREFIX_SIZE], topic[KAFKA_PREFIX_SIZE + 8];
static struct kafka_mock mock;
static struct kafka_setup setup;
static struct events *events;
static char logged[4096];

/* --- how it reads ------------------------------------------------------------------- */

static const struct write_row {
	const char *name;
	struct event_message event;
	const char *prefix, *json;
} write_rows[] = {
	{"what was answered",
	 {SLICE_LITERAL("order-17"), 7, 1763715600250, SLICE_LITERAL("refused"),
	  SLICE_LITERAL("{\"saga\":\"order\"}")},
	 "skald",
	 "{\"specversion\":\"1.0\",\"id\":\"order-17/7\",\"source\":\"/skald\",\"type\":\"skald"
	 ".saga.refused\",\"subject\":\"order-17\",\"time\":\"2025-11-21T09:00:00.250Z\","
	 "\"datacontenttype\":\"application/json\",\"traceparent\":\"00-"
	 "72a90ea3da8b5dd01bde2f27314e02e2-17f935182ea573a7-01\",\"data\":{\"saga\":\"order\"}"
	 "}"},
	{"two words are one type, and a prefix is a source",
	 {SLICE_LITERAL("s"), 12345678901, 1, SLICE_LITERAL("turned back"),
	  SLICE_LITERAL("{}")},
	 "shop.test",
	 "{\"specversion\":\"1.0\",\"id\":\"s/12345678901\",\"source\":\"/shop.test\",\"type\":"
	 "\"skald.saga.turned-back\",\"subject\":\"s\",\"time\":\"1970-01-01T00:00:00.001Z\","
	 "\"datacontenttype\":\"application/json\",\"traceparent\":\"00-"
	 "043a718774c572bd8a25adbeb1bfcd5c-0256ae11cecf9f9c-01\",\"data\":{}}"},
};

START_TEST(test_events_are_cloudevents)
{
	const struct write_row *row = &write_rows[_i];
	const struct kafka_setup named = {.prefix = row->prefix};
	struct bytes out = BYTES(4096, NULL);

	events_write(&named, &row->event, &out);
	ck_assert_int_eq(out.err, OK);
	ck_assert_msg(slice_is(bytes_slice(&out), row->json), "%s: %.*s", row->name,
		      (int)out.len, out.at);
	bytes_release(&out);
}
END_TEST

/* --- a bus and a reader ---------------------------------------------------------------- */

static void keep_log(void *sink, enum log_level level, struct slice line)
{
	size_t len = strlen(logged);

	if (len + line.len < sizeof logged)
		memcpy(logged + len, line.at, line.len);
}

static const struct log log_kept = {LOG_LEVEL_INFO, keep_log, NULL};

static void enter(void)
{
	static const char *const topics[] = {"inbox", "dead", "events", NULL};
	struct diag diag = {""};

	kafka_prefix(prefix);
	snprintf(topic, sizeof topic, "%s.events", prefix);
	kafka_mock_start(&mock, prefix, topics, PARTITIONS);
	setup = (struct kafka_setup){.brokers = mock.brokers,
				     .prefix = prefix,
				     .partitions = PARTITIONS,
				     .clock = clock_system(),
				     .log = &log_kept};
	ck_assert_int_eq(kafka_setup_check(&setup, &diag), OK);
	ck_assert_msg(events_open(&setup, -1, &events, &diag) == OK, "%s", diag.text);
}

static void leave(void)
{
	events_close(events, 0);
	kafka_mock_stop(&mock);
}

static void put(int saga, uint64_t number)
{
	char id[16], data[64];
	struct event_message event = {
		.number = number, .at_ms = 1763715600000, .what = SLICE_LITERAL("ok")};

	snprintf(id, sizeof id, "s-%d", saga);
	snprintf(data, sizeof data, "{\"number\":%d}", (int)number);
	event.saga_id = slice_of(id);
	event.data = slice_of(data);
	ck_assert_int_eq(events_put(events, &event), OK);
}

static void put_all(uint64_t first, uint64_t last)
{
	for (uint64_t number = first; number <= last; number++)
		for (int i = 0; i < SAGAS; i++)
			put(i, number);
}

static void rest(void)
{
	const struct timespec ms = {0, 1000000};

	events_pump(events);
	nanosleep(&ms, NULL);
}

static void wait_for(uint64_t batch)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + WAIT_MS;

	while (events_arrived(events, batch) < batch) {
		ck_assert_msg(clock_monotonic_ms(clock_system()) < end_ms, "not there: %s",
			      logged);
		rest();
	}
}

/* Everything that is there, of which each saga's numbers go from 1 to `last`, each behind
 * the one before; how many events there are. */
static long check_read(uint64_t last)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
	uint64_t told[SAGAS] = {0}, n_told = 0;
	rd_kafka_t *reader;
	char why[256];
	long n = 0;
	int n_ends = 0;

	rd_kafka_conf_set(conf, "bootstrap.servers", mock.brokers, why, sizeof why);
	rd_kafka_conf_set(conf, "group.id", "anyone", why, sizeof why);
	rd_kafka_conf_set(conf, "enable.partition.eof", "true", why, sizeof why);
	reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
	for (int i = 0; i < PARTITIONS; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset =
			RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_assign(reader, list);
	rd_kafka_topic_partition_list_destroy(list);
	while (n_ends < PARTITIONS) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, WAIT_MS);
		const char *value, *data;
		struct slice key;
		uint64_t number;
		int saga;

		ck_assert_ptr_nonnull(message);
		if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
			n_ends++;
			rd_kafka_message_destroy(message);
			continue;
		}
		ck_assert(!message->err);
		key = (struct slice){message->key, message->key_len};
		value = message->payload;
		ck_assert_int_eq(message->partition, kafka_partition_of(key, PARTITIONS));
		ck_assert(value[0] == '{' && value[message->len - 1] == '}');
		saga = key.at[2] - '0';
		data = strstr(value, "\"number\":");
		ck_assert(data && data < value + message->len);
		number = strtoul(data + strlen("\"number\":"), NULL, 10);
		ck_assert_msg(number <= told[saga] + 1, "s-%d: %d behind %d", saga, (int)number,
			      (int)told[saga]);
		n_told += number > told[saga];
		told[saga] = number > told[saga] ? number : told[saga];
		n++;
		rd_kafka_message_destroy(message);
	}
	ck_assert_uint_eq(n_told, SAGAS * last);
	rd_kafka_consumer_close(reader);
	rd_kafka_destroy(reader);
	return n;
}

/* --- tests ---------------------------------------------------------------------------- */

START_TEST(test_a_batch_has_arrived_once_the_brokers_have_it)
{
	enter();
	ck_assert_uint_eq(events_arrived(events, 1), 1); /* there was nothing */
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	put_all(1, 3);
	for (int i = 0; i < 200; i++) {
		ck_assert_uint_eq(events_arrived(events, 2), 1);
		rest();
	}
	put_all(4, 5);
	rd_kafka_mock_broker_set_up(mock.cluster, 1);
	wait_for(2);
	wait_for(3);
	ck_assert_uint_eq(events_arrived(events, 2), 3); /* it never goes back */
	ck_assert_int_eq(check_read(5), 5 * SAGAS);
	leave();
}
END_TEST

START_TEST(test_what_waits_has_a_bound)
{
	uint64_t n = 0;

	enter();
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	while (!events_crowded(events)) {
		n++;
		put_all(n, n);
	}
	ck_assert_uint_eq(n, EVENTS_WAIT_MAX / SAGAS);
	rd_kafka_mock_broker_set_up(mock.cluster, 1);
	wait_for(1);
	ck_assert(!events_crowded(events));
	ck_assert_int_eq(check_read(n), (long)(n * SAGAS));
	leave();
}
END_TEST

/* What the brokers say to so many of the next requests, for good. */
static const struct refuse_row {
	const char *name;
	rd_kafka_resp_err_t err;
	int n;
} refuse_rows[] = {
	{"nobody is allowed to write, for once", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
	 1},
	{"nobody is allowed to write for a while", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
	 3 * PARTITIONS},
	{"a message is too large", RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 2},
};

START_TEST(test_what_is_refused_is_sent_again_with_all_behind_it)
{
	const struct refuse_row *row = &refuse_rows[_i];

	enter();
	put_all(1, 2);
	wait_for(1);
	for (int i = 0; i < row->n; i++)
		rd_kafka_mock_push_request_errors(mock.cluster, PRODUCE, 1, row->err);
	for (uint64_t number = 3; number < 60; number++) {
		put_all(number, number);
		rest();
	}
	wait_for(2);
	check_read(59);
	ck_assert_msg(strstr(logged, "event=events-refused") != NULL, "%s", logged);
	ck_assert_ptr_nonnull(strstr(logged, rd_kafka_err2str(row->err)));
	ck_assert_ptr_nonnull(strstr(logged, "event=events-taken"));
	leave();
}
END_TEST

/* One that the brokers cannot place any more is given up, and another takes over. */
START_TEST(test_a_producer_that_failed_is_replaced)
{
	enter();
	put_all(1, 2);
	wait_for(1);
	rd_kafka_mock_push_request_errors(mock.cluster, PRODUCE, 1,
					  RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID);
	rd_kafka_mock_push_request_errors(mock.cluster, PRODUCE, 1,
					  RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	for (uint64_t number = 3; number < 60; number++) {
		put_all(number, number);
		rest();
	}
	wait_for(2);
	check_read(59);
	leave();
}
END_TEST

/* The bus as the engine has it; and one to which nobody listens. */
START_TEST(test_the_bus_publishes)
{
	const struct event_message event = {SLICE_LITERAL("s-1"), 1, 1, SLICE_LITERAL("ok"),
					    SLICE_LITERAL("{\"number\":1}")};
	int64_t end_ms = clock_monotonic_ms(clock_system()) + WAIT_MS;
	struct post *post = post_new();
	struct bus_kafka_setup opened;
	struct diag diag = {""};
	struct bus *bus = NULL;

	enter();
	opened = (struct bus_kafka_setup){.kafka = setup};
	ck_assert_msg(bus_kafka_open(&opened, &bus, &diag) == OK, "%s", diag.text);
	ck_assert(bus_publishes(bus) && !bus_crowded(bus));
	ck_assert_int_eq(bus_publish(bus, &event), OK);
	ck_assert_uint_eq(bus_arrived(bus, 5), 0);
	while (bus_arrived(bus, 5) < 5) {
		ck_assert(clock_monotonic_ms(clock_system()) < end_ms);
		bus_pump(bus);
	}
	bus_close(bus);
	bus = bus_memory_open(post);
	ck_assert(!bus_publishes(bus) && !bus_crowded(bus));
	ck_assert_int_eq(bus_publish(bus, &event), OK);
	ck_assert_uint_eq(bus_arrived(bus, 5), 5);
	bus_close(bus);
	post_free(post);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_events_are_cloudevents, 0, ROWS(write_rows));
	tcase_add_test(tcase, test_a_batch_has_arrived_once_the_brokers_have_it);
	tcase_add_test(tcase, test_what_waits_has_a_bound);
	tcase_add_loop_test(tcase, test_what_is_refused_is_sent_again_with_all_behind_it, 0,
			    ROWS(refuse_rows));
	tcase_add_test(tcase, test_a_producer_that_failed_is_replaced);
	tcase_add_test(tcase, test_the_bus_publishes);
}

int main(void)
{
	return suite_run("bus_kafka_events", add);
}

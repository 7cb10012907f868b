/* test_kafka_events.c - what a plain consumer of PREFIX.events reads is what the timelines
 * say, whenever the server is killed */
#include "base/clock.h"
#include "base/json.h"
#include "cli/members.h"
#include "tests/e2e/orders.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { ORDERS = 60, KILLS = 3, ENTRIES_MAX = 64, SAGAS_MAX = 64, READ_MS = 60000 };

static const char *kafka; /* HOST:PORT; NULL: there is none */

/* --- who reads ---------------------------------------------------------------------- */

/* A saga as its events tell of it. */
struct told {
	struct slice id, entries[ENTRIES_MAX];
	long n;     /* entries, of which each came behind the one before */
	long n_all; /* events, with those that came again */
};

static struct world {
	char bus[160], prefix[KAFKA_PREFIX_SIZE];
	struct works works;
	struct told told[SAGAS_MAX];
	int n_told;
	struct arena arena;
} world;

static struct told *told_of(struct slice id)
{
	for (int i = 0; i < world.n_told; i++)
		if (slice_equal(world.told[i].id, id))
			return &world.told[i];
	ck_assert_int_lt(world.n_told, SAGAS_MAX);
	world.told[world.n_told] = (struct told){.id = id};
	return &world.told[world.n_told++];
}

/* The entry as a timeline has it. */
static struct slice entry_of(struct json event)
{
	struct slice data = member_json(event, "data").text;
	struct bytes out = BYTES(1 << 16, &world.arena);
	const char *at = strstr(data.at, "\"at\":");

	ck_assert(at && at < data.at + data.len);
	bytes_add(&out, '{');
	bytes_append(&out, (struct slice){at, (size_t)(data.at + data.len - at)});
	return bytes_slice(&out);
}

static void take_event(const rd_kafka_message_t *message)
{
	struct slice value = {message->payload, message->len};
	struct json event;
	struct told *told;
	char id[300];
	long number;

	ck_assert_int_eq(json_parse(value, 1 << 20, &world.arena, &event, NULL), OK);
	told = told_of(member_text(event, "subject", &world.arena));
	number = (long)member_number(member_json(event, "data"), "number");
	snprintf(id, sizeof id, "%.*s/%ld", SLICE_ARG(told->id), number);
	ck_assert(slice_is(member_text(event, "id", &world.arena), id));
	ck_assert(slice_is(member_text(event, "specversion", &world.arena), "1.0"));
	ck_assert(slice_equal((struct slice){message->key, message->key_len}, told->id));
	told->n_all++;
	if (number <= told->n) {
		ck_assert(slice_equal(told->entries[number - 1], entry_of(event)));
		return;
	}
	ck_assert_msg(number == told->n + 1, "%s comes behind entry %ld", id, told->n);
	ck_assert_int_lt(told->n, ENTRIES_MAX);
	told->entries[told->n++] = entry_of(event);
}

static bool has_ended(const struct told *told)
{
	return told->n && slice_is(member_text((struct json){told->entries[told->n - 1]},
					       "what", &world.arena),
				   "ended");
}

static bool all_ended(int n)
{
	for (int i = 0; i < world.n_told; i++)
		if (!has_ended(&world.told[i]))
			return false;
	return world.n_told == n;
}

/* What a service does that wants to know: nothing of ours is needed. */
static rd_kafka_t *new_reader(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	char why[256], topic[KAFKA_PREFIX_SIZE + 8];
	rd_kafka_t *reader;

	snprintf(topic, sizeof topic, "%s.events", world.prefix);
	rd_kafka_conf_set(conf, "bootstrap.servers", kafka, why, sizeof why);
	rd_kafka_conf_set(conf, "group.id", world.prefix, why, sizeof why);
	rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why, sizeof why);
	rd_kafka_conf_set(conf, "enable.auto.commit", "false", why, sizeof why);
	reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
	ck_assert_ptr_nonnull(reader);
	rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
	ck_assert(!rd_kafka_subscribe(reader, topics));
	rd_kafka_topic_partition_list_destroy(topics);
	return reader;
}

static void close_reader(rd_kafka_t *reader)
{
	rd_kafka_consumer_close(reader);
	rd_kafka_destroy(reader);
}

static void read_until_all_ended(rd_kafka_t *reader, int n)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + READ_MS;

	while (!all_ended(n)) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 100);

		if (message && !message->err)
			take_event(message);
		if (message)
			rd_kafka_message_destroy(message);
		ck_assert_msg(clock_monotonic_ms(clock_system()) < end_ms,
			      "%d of %d sagas, and some of them to their end", world.n_told, n);
	}
}

/* --- what is true ---------------------------------------------------------------------- */

static void check_saga(const struct told *told)
{
	struct bytes expected = BYTES(1 << 20, &world.arena);
	char id[300];
	struct process_setup show = {.argv = {works_program(SERVER), "show", id, "--json",
					      "--server", world.works.server.url}};
	struct slice shown;

	bytes_text(&expected, "\"timeline\":[");
	for (long i = 0; i < told->n; i++) {
		bytes_text(&expected, i ? "," : "");
		bytes_append(&expected, told->entries[i]);
	}
	bytes_text(&expected, "]");
	bytes_add(&expected, '\0');
	snprintf(id, sizeof id, "%.*s", SLICE_ARG(told->id));
	shown = process_run(&show, &world.arena).out;
	ck_assert_msg(strstr(shown.at, expected.at) != NULL, "%s\nis not in\n%s", expected.at,
		      shown.at);
}

/* The server has this property of librdkafka. */
static void enter(const char *property)
{
	works_enter();
	kafka_prefix(world.prefix);
	snprintf(world.bus, sizeof world.bus, "kafka:%s", kafka);
	for (int i = 0; i < N_WORKS; i++) {
		const char *const args[] = {"--bus",      world.bus, "--kafka-prefix",
					    world.prefix, "--kafka", property};

		memcpy(world.works.args[i], args, sizeof args);
	}
	for (int i = INVENTORY; i < N_WORKS; i++) {
		world.works.args[i][4] = i == INVENTORY ? "--stock" : NULL;
		world.works.args[i][5] = i == INVENTORY ? ORDER_SOLD_OUT : NULL;
	}
}

static void leave(rd_kafka_t *reader)
{
	close_reader(reader);
	works_stop(&world.works);
	folder_leave();
	arena_release(&world.arena);
}

/* Each time some orders are in the middle, and others have just ended: what was told of
 * these waits 300 ms for more, and dies with the server. */
START_TEST(test_events_are_the_timelines_whenever_the_server_is_killed)
{
	struct orders orders;
	rd_kafka_t *reader;
	long n = 0, n_all = 0;

	enter("linger.ms=300");
	works_start(&world.works);
	reader = new_reader();
	orders_init(&orders, 5, ORDERS);
	orders_allow(&orders, 0);
	orders_begin(&orders, world.works.server.url);
	for (int i = 1; i <= KILLS; i++) {
		orders_allow(&orders, ORDERS * i / KILLS);
		while (orders_accepted(&orders) < ORDERS * i / KILLS)
			works_sleep_ms(10);
		works_sleep_ms(100 * i);
		works_kill(&world.works, SERVER);
		works_start_one(&world.works, SERVER);
	}
	orders_await(&orders);
	works_wait_idle(&world.works);
	works_kill(&world.works, SERVER); /* and the last of all are there, too */
	works_start_one(&world.works, SERVER);
	read_until_all_ended(reader, ORDERS);
	for (int i = 0; i < ORDERS; i++) {
		check_saga(&world.told[i]);
		n += world.told[i].n;
		n_all += world.told[i].n_all;
	}
	ck_assert_int_gt(n, 5 * ORDERS);
	ck_assert_int_gt(n_all, n); /* or nothing was told again, and it shows nothing */
	leave(reader);
}
END_TEST

static void remove_topic(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_DeleteTopic_t *topic;
	rd_kafka_event_t *event;
	rd_kafka_queue_t *queue;
	rd_kafka_t *admin;
	char why[256], name[KAFKA_PREFIX_SIZE + 8];

	snprintf(name, sizeof name, "%s.events", world.prefix);
	rd_kafka_conf_set(conf, "bootstrap.servers", kafka, why, sizeof why);
	admin = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	ck_assert_ptr_nonnull(admin);
	queue = rd_kafka_queue_new(admin);
	topic = rd_kafka_DeleteTopic_new(name);
	rd_kafka_DeleteTopics(admin, &topic, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, READ_MS);
	ck_assert(event && !rd_kafka_event_error(event));
	rd_kafka_event_destroy(event);
	rd_kafka_DeleteTopic_destroy(topic);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(admin);
}

/* What was in it is gone; what comes then waits until it is there again. */
START_TEST(test_a_topic_that_was_removed_is_made_again)
{
	enum { BEFORE = 5, AFTER = 5 };
	struct orders orders;
	rd_kafka_t *reader;

	enter("topic.metadata.propagation.max.ms=1000");
	works_start(&world.works);
	orders_init(&orders, 6, BEFORE + AFTER);
	orders_allow(&orders, BEFORE);
	orders_begin(&orders, world.works.server.url);
	while (orders_accepted(&orders) < BEFORE)
		works_sleep_ms(10);
	works_wait_idle(&world.works);
	reader = new_reader();
	read_until_all_ended(reader, BEFORE);
	close_reader(reader);
	world.n_told = 0;
	remove_topic();
	orders_await(&orders);
	works_wait_idle(&world.works);
	background_until(&world.works.server.process, "event=events-refused", &world.arena);
	background_until(&world.works.server.process, "event=events-taken", &world.arena);
	reader = new_reader();
	read_until_all_ended(reader, AFTER);
	for (int i = 0; i < AFTER; i++)
		check_saga(&world.told[i]);
	leave(reader);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 180);
	tcase_add_test(tcase, test_events_are_the_timelines_whenever_the_server_is_killed);
	tcase_add_test(tcase, test_a_topic_that_was_removed_is_made_again);
}

int main(int argc, char **argv)
{
	works_find(argv[0]);
	kafka = kafka_broker_find();
	return kafka ? suite_run("kafka_events", add) : EXIT_SUCCESS;
}

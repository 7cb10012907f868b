/* test_bus_kafka_inbox.c - what comes to an orchestrator over Kafka, what it gives back, and
 * which partitions it has. Against librdkafka's mock, in which a group takes 3 s to settle. */
#include "bus/kafka/bus_kafka.h"
#include "proto/wire.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAIT_MS = 30000, PARTITIONS = 4 };

static char prefix[KAFKA_PREFIX_SIZE], inbox[KAFKA_PREFIX_SIZE + 8],
	dead[KAFKA_PREFIX_SIZE + 8];
static struct kafka_mock mock;
static rd_kafka_t *producer;
static struct arena arena;

static void enter(void)
{
	static const char *const topics[] = {"inbox", "dead", "events", "cmd.stock", NULL};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	kafka_prefix(prefix);
	snprintf(inbox, sizeof inbox, "%s.inbox", prefix);
	snprintf(dead, sizeof dead, "%s.dead", prefix);
	kafka_mock_start(&mock, prefix, topics, PARTITIONS);
	rd_kafka_conf_set(conf, "bootstrap.servers", mock.brokers, why, sizeof why);
	producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
}

static void leave(void)
{
	rd_kafka_destroy(producer);
	kafka_mock_stop(&mock);
	arena_release(&arena);
}

static struct bus *open_bus(bool alone)
{
	const struct bus_kafka_setup setup = {.kafka = {.brokers = mock.brokers,
							.prefix = prefix,
							.partitions = PARTITIONS,
							.properties = kafka_soon,
							.n_properties = KAFKA_SOON,
							.clock = clock_system()},
					      .alone = alone,
					      .blind = true};
	struct bus *bus = NULL;
	struct diag diag = {""};

	ck_assert_msg(bus_kafka_open(&setup, &bus, &diag) == OK, "%s", diag.text);
	return bus;
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

/* Takes the headers. */
static void produce(const char *topic, int32_t partition, const struct frame *frame,
		    rd_kafka_headers_t *headers)
{
	struct bytes bytes = BYTES(WIRE_FRAME_MAX, NULL);

	ck_assert_int_eq(wire_write(frame, &bytes, NULL), OK);
	ck_assert(!rd_kafka_producev(
		producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY("k", 1),
		RD_KAFKA_V_VALUE(&bytes.at[WIRE_LENGTH_SIZE], bytes.len - WIRE_LENGTH_SIZE),
		RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END));
	ck_assert(!rd_kafka_flush(producer, WAIT_MS));
	bytes_release(&bytes);
}

static struct inbox_message next(struct bus *bus)
{
	int64_t end_ms = now_ms() + WAIT_MS;
	struct inbox_message message;

	while (!bus_poll(bus, &message)) {
		ck_assert_msg(now_ms() < end_ms, "nothing comes");
		bus_pump(bus);
	}
	return message;
}

/* The offset behind the last message. */
static int64_t end_of(const char *topic, int32_t partition)
{
	int64_t low = 0, high = 0;

	ck_assert(!rd_kafka_query_watermark_offsets(producer, topic, partition, &low, &high,
						    WAIT_MS));
	return high;
}

/* --- messages ---------------------------------------------------------------------------- */

/* All have the partition of their saga already. */
START_TEST(test_every_kind_of_message_arrives)
{
	static const struct frame frames[] = {
		{.type = FRAME_START,
		 .start = {.saga = SLICE_LITERAL("order"),
			   .id = SLICE_LITERAL("s"),
			   .input = SLICE_LITERAL("{\"a\":1}")}},
		{.type = FRAME_SIGNAL,
		 .signal = {.saga_id = SLICE_LITERAL("s"), .event = SLICE_LITERAL("paid")}},
		{.type = FRAME_REPLY,
		 .reply = {.id = SLICE_LITERAL("s/a#0/0/do"),
			   .attempt = 3,
			   .outcome = MESSAGE_OK,
			   .output = SLICE_LITERAL("{}")}},
	};
	int32_t home = kafka_partition_of(SLICE_LITERAL("s"), PARTITIONS);
	struct inbox_message message;
	struct bus *bus;
	uint64_t first;

	enter();
	bus = open_bus(false);
	for (int i = 0; i < ROWS(frames); i++)
		produce(inbox, home, &frames[i], NULL);
	message = next(bus);
	first = message.origin;
	ck_assert_int_eq(message.type, INBOX_START);
	ck_assert(slice_is(message.start.saga, "order") && slice_is(message.start.id, "s"));
	ck_assert(slice_is(message.start.input, "{\"a\":1}"));
	message = next(bus);
	ck_assert_uint_eq(message.origin, first + 1);
	ck_assert(message.type == INBOX_SIGNAL && slice_is(message.signal.event, "paid"));
	message = next(bus);
	ck_assert_uint_eq(message.origin, first + 2);
	ck_assert(message.type == INBOX_REPLY && slice_is(message.reply.id, "s/a#0/0/do"));
	ck_assert_uint_eq(message.reply.attempt, 3);
	bus_close(bus);
	leave();
}
END_TEST

/* What the engine has no use for comes back as a letter, and can be sent once more. */
START_TEST(test_a_letter_comes_back_and_can_be_replayed)
{
	static const struct frame signal = {
		.type = FRAME_SIGNAL,
		.signal = {.saga_id = SLICE_LITERAL("s"), .event = SLICE_LITERAL("paid")}};
	int32_t home = kafka_partition_of(SLICE_LITERAL("s"), PARTITIONS);
	rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
	struct inbox_message message;
	struct dead_letter letter, cut;
	struct diag diag = {""};
	struct bus *bus;

	enter();
	bus = open_bus(false);
	rd_kafka_header_add(headers, "h", -1, "v", 1);
	produce(inbox, home, &signal, headers);
	message = next(bus);
	ck_assert(!bus_bury(bus, &(struct inbox_message){.origin = message.origin + 1},
			    SLICE_LITERAL("late"), SLICE_LITERAL("too late")));
	ck_assert(bus_bury(bus, &message, SLICE_LITERAL("late"), SLICE_LITERAL("too late")));
	bus_acknowledge(bus);
	message = next(bus);
	ck_assert_int_eq(message.type, INBOX_DEAD);
	letter = message.dead;
	ck_assert(slice_is(letter.reason, "late") && slice_is(letter.text, "too late"));
	ck_assert(slice_is(letter.source, inbox) && slice_is(letter.key, "k"));
	ck_assert_int_eq(letter.partition, home);
	cut = letter;
	cut.size++;
	ck_assert_int_eq(bus_replay(bus, &cut, &diag), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(diag.text, "bytes are here"));
	letter.key = (struct slice){0}; /* then it goes to where it was */
	ck_assert_int_eq(bus_replay(bus, &letter, &diag), OK);
	bus_acknowledge(bus);
	message = next(bus);
	ck_assert(message.type == INBOX_SIGNAL && slice_is(message.signal.event, "paid"));
	ck_assert_int_eq(end_of(inbox, home), 2);
	bus_close(bus);
	leave();
}
END_TEST

/* Whoever is closed waits until it counts as read. */
START_TEST(test_what_was_acknowledged_is_not_read_again)
{
	static const struct frame signals[] = {
		{.type = FRAME_SIGNAL,
		 .signal = {.saga_id = SLICE_LITERAL("s"), .event = SLICE_LITERAL("first")}},
		{.type = FRAME_SIGNAL,
		 .signal = {.saga_id = SLICE_LITERAL("s"), .event = SLICE_LITERAL("second")}},
	};
	static const struct command_message command = {.id = SLICE_LITERAL("s/a#0/0/do"),
						       .participant = SLICE_LITERAL("stock"),
						       .command = SLICE_LITERAL("take"),
						       .saga_id = SLICE_LITERAL("s"),
						       .saga = SLICE_LITERAL("order"),
						       .attempt = 1};
	int32_t home = kafka_partition_of(SLICE_LITERAL("s"), PARTITIONS);
	struct bus *bus;

	enter();
	bus = open_bus(false);
	produce(inbox, home, &signals[0], NULL);
	next(bus);
	ck_assert_int_eq(bus_send(bus, &command), OK);
	bus_acknowledge(bus);
	bus_close(bus);
	bus = open_bus(false);
	produce(inbox, home, &signals[1], NULL);
	ck_assert(slice_is(next(bus).signal.event, "second"));
	bus_close(bus);
	leave();
}
END_TEST

/* --- partitions ----------------------------------------------------------------------------
 */

/* Another one that joins, in a thread of its own, which takes nothing. */
struct other {
	pthread_t thread;
	int done, gone;
};

static void *pump_on(void *context)
{
	struct other *other = context;
	struct bus *bus = open_bus(false);

	while (!__atomic_load_n(&other->done, __ATOMIC_ACQUIRE))
		bus_pump(bus);
	bus_close(bus);
	__atomic_store_n(&other->gone, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void join_other(struct other *other)
{
	*other = (struct other){0, 0, 0};
	ck_assert(!pthread_create(&other->thread, NULL, pump_on, other));
}

/* A group settles only where all that are left take part. */
static void leave_other(struct other *other, struct bus *bus)
{
	__atomic_store_n(&other->done, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&other->gone, __ATOMIC_ACQUIRE))
		bus_pump(bus);
	pthread_join(other->thread, NULL);
}

/* How many it has; *turn is as bus_owned says. */
static uint32_t owned(struct bus *bus, uint64_t *turn)
{
	struct shards shards;
	bool settled = bus_owned(bus, &shards, turn);

	ck_assert_uint_eq(shards.n, PARTITIONS);
	return settled ? shards_count(&shards) : 0;
}

/* Until it has so many, and no longer than that. */
static void wait_for(struct bus *bus, uint32_t n)
{
	int64_t end_ms = now_ms() + WAIT_MS;
	uint64_t turn;

	while (owned(bus, &turn) != n) {
		ck_assert_msg(now_ms() < end_ms, "it does not have %u", (unsigned)n);
		bus_pump(bus);
	}
}

START_TEST(test_partitions_that_are_ours_are_said)
{
	uint64_t before, after;
	struct other other;
	struct bus *bus;

	enter();
	bus = open_bus(false);
	wait_for(bus, PARTITIONS);
	owned(bus, &before);
	join_other(&other);
	wait_for(bus, PARTITIONS / 2);
	owned(bus, &after);
	ck_assert_uint_ne(before, after);
	leave_other(&other, bus);
	wait_for(bus, PARTITIONS);
	bus_close(bus);
	leave();
}
END_TEST

/* One that has all the sagas takes nothing while somebody else has a part of the inbox,
 * and then everything. */
START_TEST(test_an_inbox_that_was_shared_is_read_again)
{
	const struct frame frame = {
		.type = FRAME_SIGNAL,
		.signal = {.saga_id = SLICE_LITERAL("s"), .event = SLICE_LITERAL("paid")}};
	struct inbox_message message;
	struct other other;
	struct bus *bus;

	enter();
	bus = open_bus(true);
	wait_for(bus, PARTITIONS);
	join_other(&other);
	wait_for(bus, 0);
	for (int i = 0; i < PARTITIONS; i++)
		produce(inbox, i, &frame, NULL);
	ck_assert(!bus_poll(bus, &message));
	leave_other(&other, bus);
	wait_for(bus, PARTITIONS);
	for (int i = 0; i < PARTITIONS; i++) {
		message = next(bus);
		ck_assert(message.type == INBOX_SIGNAL);
	}
	bus_close(bus);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 90);
	tcase_add_test(tcase, test_every_kind_of_message_arrives);
	tcase_add_test(tcase, test_a_letter_comes_back_and_can_be_replayed);
	tcase_add_test(tcase, test_what_was_acknowledged_is_not_read_again);
	tcase_add_test(tcase, test_partitions_that_are_ours_are_said);
	tcase_add_test(tcase, test_an_inbox_that_was_shared_is_read_again);
}

int main(void)
{
	return suite_run("bus_kafka_inbox", add);
}

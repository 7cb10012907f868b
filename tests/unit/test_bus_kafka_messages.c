/* test_bus_kafka_messages.c - messages in the hands of the bus: how far those that were taken
 * are done with, what becomes of those that a failed producer had, and dead letters. The
 * messages are real ones, of librdkafka's mock. */
#include "bus/kafka/dead.h"
#include "bus/kafka/progress.h"
#include "bus/kafka/rescue.h"
#include "proto/wire.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { PARTITIONS = 2, PER_PARTITION = 3, WAIT_MS = 30000 };

static char prefix[KAFKA_PREFIX_SIZE], inbox[KAFKA_PREFIX_SIZE + 8],
	dead[KAFKA_PREFIX_SIZE + 8];
static struct kafka_mock mock;
static rd_kafka_t *producer, *consumer;
static struct clock_sim the_clock;

static rd_kafka_t *client(rd_kafka_type_t type)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	rd_kafka_conf_set(conf, "bootstrap.servers", mock.brokers, why, sizeof why);
	rd_kafka_conf_set(conf, "message.max.bytes", "4000000", why, sizeof why);
	if (type == RD_KAFKA_CONSUMER) {
		rd_kafka_conf_set(conf, "group.id", "test", why, sizeof why);
		rd_kafka_conf_set(conf, "fetch.wait.max.ms", "5", why, sizeof why);
		rd_kafka_conf_set(conf, "fetch.error.backoff.ms", "5", why, sizeof why);
	}
	return rd_kafka_new(type, conf, why, sizeof why);
}

/* Or the first message waits a second for it. */
static void learn_topic(const char *topic)
{
	rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, topic, NULL);
	const struct rd_kafka_metadata *metadata;

	ck_assert(!rd_kafka_metadata(producer, 0, handle, &metadata, WAIT_MS));
	rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(handle);
}

static void enter(void)
{
	static const char *const topics[] = {"inbox", "dead", NULL};
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);

	kafka_prefix(prefix);
	snprintf(inbox, sizeof inbox, "%s.inbox", prefix);
	snprintf(dead, sizeof dead, "%s.dead", prefix);
	kafka_mock_start(&mock, prefix, topics, PARTITIONS);
	clock_sim_init(&the_clock, 1700000000000);
	producer = client(RD_KAFKA_PRODUCER);
	learn_topic(inbox);
	learn_topic(dead);
	consumer = client(RD_KAFKA_CONSUMER);
	for (int i = 0; i < PARTITIONS; i++) {
		rd_kafka_topic_partition_list_add(list, inbox, i)->offset = 0;
		rd_kafka_topic_partition_list_add(list, dead, i)->offset = 0;
	}
	rd_kafka_assign(consumer, list);
	rd_kafka_topic_partition_list_destroy(list);
}

static void leave(void)
{
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	rd_kafka_destroy(producer);
	kafka_mock_stop(&mock);
}

/* Takes the headers. */
static void put(const char *topic, int32_t partition, struct slice key, struct slice value,
		rd_kafka_headers_t *headers)
{
	ck_assert(!rd_kafka_producev(
		producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.at, key.len),
		RD_KAFKA_V_VALUE((void *)value.at, value.len), RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_END));
	ck_assert(!rd_kafka_flush(producer, WAIT_MS));
}

static rd_kafka_message_t *get(void)
{
	rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, WAIT_MS);

	ck_assert_ptr_nonnull(message);
	ck_assert(!message->err);
	return message;
}

/* --- progress -------------------------------------------------------------------------- */

static struct progress progress;
static rd_kafka_message_t *messages[PARTITIONS][PER_PARTITION];

static rd_kafka_topic_partition_list_t *both(void)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(3);

	rd_kafka_topic_partition_list_add(list, inbox, 0);
	rd_kafka_topic_partition_list_add(list, inbox, 1);
	rd_kafka_topic_partition_list_add(list, "somebody.else", 0);
	return list;
}

static void gain(void)
{
	rd_kafka_topic_partition_list_t *list = both();

	progress_gain(&progress, list);
	rd_kafka_topic_partition_list_destroy(list);
}

/* Three messages in each of two partitions, none of them taken. */
static void enter_progress(void)
{
	enter();
	progress_init(&progress, &the_clock.base, inbox, dead);
	for (int i = 0; i < PARTITIONS * PER_PARTITION; i++)
		put(inbox, i % PARTITIONS, SLICE_LITERAL("k"), SLICE_LITERAL("value"), NULL);
	for (int i = 0; i < PARTITIONS * PER_PARTITION; i++) {
		rd_kafka_message_t *message = get();

		messages[message->partition][message->offset] = message;
	}
	gain();
}

static void leave_progress(void)
{
	progress_release(&progress);
	for (int i = 0; i < PARTITIONS * PER_PARTITION; i++)
		if (messages[i % PARTITIONS][i / PARTITIONS])
			rd_kafka_message_destroy(messages[i % PARTITIONS][i / PARTITIONS]);
	leave();
}

static struct taken *take(int partition, int offset)
{
	struct taken *taken = progress_take(&progress, messages[partition][offset]);

	ck_assert_ptr_nonnull(taken);
	messages[partition][offset] = NULL;
	return taken;
}

/* How far it may be committed; -1: nothing may. */
static int64_t acked(int32_t partition)
{
	rd_kafka_topic_partition_t *entry =
		rd_kafka_topic_partition_list_find(progress.acked, inbox, partition);

	return entry ? entry->offset : -1;
}

static void check_acked(int64_t first, int64_t second)
{
	ck_assert_msg(acked(0) == first && acked(1) == second, "%lld and %lld",
		      (long long)acked(0), (long long)acked(1));
}

START_TEST(test_partitions_come_and_go)
{
	rd_kafka_topic_partition_list_t *list;

	enter_progress();
	list = both();
	gain(); /* once more, which is the same */
	ck_assert_uint_eq(progress_count(&progress, progress.topics[0]), 2);
	ck_assert_uint_eq(progress_count(&progress, progress.topics[1]), 0);
	ck_assert(progress_has(&progress, progress.topics[0], 1));
	ck_assert(!progress_has(&progress, progress.topics[0], 2));
	ck_assert(!progress_has(&progress, progress.topics[1], 1));
	rd_kafka_topic_partition_list_del(list, inbox, 0);
	progress_lose(&progress, list);
	progress_lose(&progress, list);
	ck_assert_uint_eq(progress.n_shards, 1);
	ck_assert(progress_has(&progress, progress.topics[0], 0));
	gain();
	progress_lose_all(&progress);
	ck_assert_uint_eq(progress.n_shards, 0);
	rd_kafka_topic_partition_list_destroy(list);
	leave_progress();
}
END_TEST

START_TEST(test_what_is_acknowledged_counts)
{
	enter_progress();
	ck_assert(!progress_acknowledge(&progress));
	check_acked(-1, -1);
	take(0, 0);
	take(0, 1);
	take(1, 0);
	check_acked(-1, -1);
	ck_assert(progress_acknowledge(&progress));
	check_acked(2, 1);
	take(0, 2);
	ck_assert(progress_acknowledge(&progress));
	check_acked(3, 1);
	ck_assert(!progress_acknowledge(&progress));
	leave_progress();
}
END_TEST

START_TEST(test_each_is_found_by_its_number)
{
	struct taken *second;
	uint64_t first;

	enter_progress();
	first = progress.first;
	ck_assert_uint_gt(first, 0);
	take(0, 0);
	take(1, 0);
	second = progress_find(&progress, first + 1);
	ck_assert_int_eq(second->message->partition, 1);
	ck_assert_ptr_null(progress_find(&progress, first - 1));
	ck_assert_ptr_null(progress_find(&progress, first + 2));
	ck_assert_ptr_null(progress_find(&progress, 0));
	ck_assert_ptr_null(progress_find(&progress, UINT64_MAX));
	ck_assert_uint_eq(progress.taken_bytes, 10);
	messages[1][0] = second->message;
	progress_untake(&progress);
	ck_assert_uint_eq(progress.taken_bytes, 5);
	ck_assert_ptr_null(progress_find(&progress, first + 1));
	ck_assert(progress_acknowledge(&progress));
	ck_assert_uint_eq(progress.taken_bytes, 0);
	ck_assert_ptr_null(progress_find(&progress, first));
	take(0, 1);
	ck_assert_int_eq(progress_find(&progress, first + 1)->message->offset, 1);
	leave_progress();
}
END_TEST

/* Until it is dealt with its partition counts as done up to it, and no further. */
START_TEST(test_what_comes_again_holds_its_partition_up)
{
	rd_kafka_message_t *again;

	enter_progress();
	take(0, 0);
	take(0, 1)->again = true;
	take(0, 2)->again = true;
	take(1, 0);
	ck_assert(progress_acknowledge(&progress));
	check_acked(1, 1);
	ck_assert_uint_eq(progress.n_again, 2);
	clock_sim_advance(&the_clock, PROGRESS_AGAIN_MS - 1);
	ck_assert_ptr_null(progress_again(&progress));
	clock_sim_advance(&the_clock, 1);
	again = progress_again(&progress);
	ck_assert_int_eq(again->offset, 1);
	ck_assert_ptr_nonnull(progress_take(&progress, again));
	again = progress_again(&progress);
	ck_assert_int_eq(again->offset, 2);
	ck_assert_ptr_nonnull(progress_take(&progress, again));
	progress.taken[1].again = true;
	ck_assert_ptr_null(progress_again(&progress));
	ck_assert(progress_acknowledge(&progress));
	check_acked(2, 1);
	clock_sim_advance(&the_clock, PROGRESS_AGAIN_MS);
	ck_assert_ptr_nonnull(progress_take(&progress, progress_again(&progress)));
	ck_assert_uint_eq(progress.n_again, 0);
	ck_assert(progress_acknowledge(&progress));
	check_acked(3, 1);
	leave_progress();
}
END_TEST

START_TEST(test_what_was_taken_of_a_partition_that_goes_counts_for_nothing)
{
	rd_kafka_topic_partition_list_t *list;

	enter_progress();
	list = both();
	rd_kafka_topic_partition_list_del(list, inbox, 1);
	take(0, 0)->again = true;
	take(1, 0)->again = true;
	take(1, 1);
	ck_assert(progress_acknowledge(&progress));
	check_acked(0, 0);
	take(0, 1);
	take(0, 2)->again = true;
	take(1, 2)->again = true;
	progress_lose(&progress, list);
	ck_assert_uint_eq(progress.n_again, 1);
	check_acked(-1, 0);
	ck_assert(progress_acknowledge(&progress));
	check_acked(-1, 0);
	ck_assert_uint_eq(progress.n_again, 2);
	clock_sim_advance(&the_clock, PROGRESS_AGAIN_MS);
	for (int i = 0; i < 2; i++) {
		rd_kafka_message_t *again = progress_again(&progress);

		ck_assert_int_eq(again->partition, 1);
		ck_assert_int_eq(again->offset, 2 * i);
		ck_assert_ptr_nonnull(progress_take(&progress, again));
	}
	ck_assert_ptr_null(progress_again(&progress));
	ck_assert(progress_acknowledge(&progress));
	check_acked(-1, 3);
	rd_kafka_topic_partition_list_destroy(list);
	leave_progress();
}
END_TEST

/* It goes while it waits, and comes back. */
START_TEST(test_a_partition_that_comes_back_begins_anew)
{
	enter_progress();
	take(0, 0)->again = true;
	take(1, 0);
	ck_assert(progress_acknowledge(&progress));
	progress_lose_all(&progress);
	ck_assert_uint_eq(progress.n_again, 0);
	ck_assert_int_eq(progress.acked->cnt, 0);
	gain();
	take(0, 1);
	take(0, 2)->again = true;
	ck_assert(progress_acknowledge(&progress));
	check_acked(2, -1);
	leave_progress();
}
END_TEST

START_TEST(test_without_memory_it_comes_again_some_time)
{
	enter_progress();
	fail_malloc_at(0);
	ck_assert_ptr_null(progress_take(&progress, messages[0][0]));
	ck_assert(fail_malloc_off());
	ck_assert_uint_eq(progress.n_taken, 0);
	take(0, 0);
	take(0, 1)->again = true;
	fail_malloc_at(0);
	(void)progress_acknowledge(&progress);
	ck_assert(fail_malloc_off());
	ck_assert_uint_eq(progress.n_again, 0);
	progress_lose_all(&progress);
	fail_malloc_at(0);
	gain();
	fail_malloc_off();
	ck_assert_uint_eq(progress.n_shards, 0);
	leave_progress();
}
END_TEST

static const struct full_row {
	const char *name;
	size_t taken, bytes, again;
	bool full;
} full_rows[] = {
	{"nothing is there", 0, 0, 0, false},
	{"a little less of everything", PROGRESS_TAKEN_MAX - 1, PROGRESS_TAKEN_BYTES_MAX - 1,
	 PROGRESS_AGAIN_MAX - 1, false},
	{"messages", PROGRESS_TAKEN_MAX, 0, 0, true},
	{"bytes", 1, PROGRESS_TAKEN_BYTES_MAX, 0, true},
	{"those that come again", 0, 0, PROGRESS_AGAIN_MAX, true},
};

START_TEST(test_there_is_a_bound_of_each)
{
	const struct full_row *row = &full_rows[_i];
	const struct progress some = {
		.n_taken = row->taken, .taken_bytes = row->bytes, .n_again = row->again};

	ck_assert_msg(progress_full(&some) == row->full, "%s", row->name);
}
END_TEST

/* --- what a failed producer had ------------------------------------------------------------
 */

/* Each goes with all that it had, and the first one first; not to where its key says. */
START_TEST(test_what_is_rescued_is_sent_as_it_was)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
	rd_kafka_message_t *original[2];
	int32_t home =
		rd_kafka_msg_partitioner_consistent(NULL, "key", 3, PARTITIONS, NULL, NULL);
	struct rescue rescue;
	void *opaque = NULL;

	enter();
	rd_kafka_header_add(headers, "h", -1, "v", 1);
	put(inbox, 1 - home, SLICE_LITERAL("key"), SLICE_LITERAL("value"), headers);
	put(inbox, 1 - home, (struct slice){0}, (struct slice){0}, NULL);
	rescue_init(&rescue);
	ck_assert_int_eq(rescue_send(&rescue, producer, &opaque), ERR_NOT_FOUND);
	ck_assert(!rescue_drop(&rescue, &opaque));
	for (int i = 0; i < 2; i++) {
		original[i] = get();
		ck_assert_int_eq(original[i]->offset, i);
		ck_assert(rescue_keep(&rescue, original[i]));
		ck_assert_uint_eq(rescue.n, (size_t)i + 1);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(rescue_send(&rescue, producer, &opaque), OK);
		ck_assert_ptr_eq(opaque, original[i]->_private);
	}
	ck_assert_uint_eq(rescue.n, 0);
	ck_assert_int_eq(rescue_send(&rescue, producer, &opaque), ERR_NOT_FOUND);
	ck_assert(!rd_kafka_flush(producer, WAIT_MS));
	for (int i = 0; i < 2; i++) {
		rd_kafka_message_t *again = get();
		rd_kafka_headers_t *found = NULL;

		ck_assert_int_eq(again->partition, 1 - home);
		ck_assert_uint_eq(again->len, i ? 0 : 5);
		ck_assert_uint_eq(again->key_len, i ? 0 : 3);
		if (i == 0) {
			ck_assert(memcmp(again->payload, "value", 5) == 0);
			ck_assert(memcmp(again->key, "key", 3) == 0);
		}
		ck_assert_int_eq(!rd_kafka_message_headers(again, &found), i == 0);
		rd_kafka_message_destroy(again);
		rd_kafka_message_destroy(original[i]);
	}
	rescue_release(&rescue);
	leave();
}
END_TEST

START_TEST(test_what_is_rescued_can_be_given_up)
{
	struct rescue rescue;
	rd_kafka_message_t *message;
	void *opaque = NULL;

	enter();
	put(inbox, 0, SLICE_LITERAL("key"), SLICE_LITERAL("value"), NULL);
	message = get();
	rescue_init(&rescue);
	fail_malloc_at(0);
	ck_assert(!rescue_keep(&rescue, message));
	fail_malloc_off();
	ck_assert_uint_eq(rescue.n, 0);
	for (int i = 0; i < 3; i++)
		ck_assert(rescue_keep(&rescue, message));
	ck_assert(rescue_drop(&rescue, &opaque));
	ck_assert_ptr_eq(opaque, message->_private);
	ck_assert_uint_eq(rescue.n, 2);
	ck_assert(rescue_drop(&rescue, &opaque));
	ck_assert(rescue_drop(&rescue, &opaque));
	ck_assert(!rescue_drop(&rescue, &opaque));
	ck_assert(rescue_keep(&rescue, message)); /* and the list is as good as new */
	ck_assert_uint_eq(rescue.n, 1);
	rescue_release(&rescue);
	rd_kafka_message_destroy(message);
	leave();
}
END_TEST

/* A producer that has no room takes it later; a message that none takes is dropped. */
START_TEST(test_what_a_producer_does_not_take)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_message_t *message;
	struct rescue rescue;
	void *opaque = NULL;
	rd_kafka_t *narrow;
	char why[256];

	enter();
	put(inbox, 0, SLICE_LITERAL("key"), SLICE_LITERAL("value"), NULL);
	message = get();
	rescue_init(&rescue);
	ck_assert(rescue_keep(&rescue, message));
	ck_assert(rescue_keep(&rescue, message));
	rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", why, sizeof why);
	rd_kafka_conf_set(conf, "log_level", "0", why, sizeof why);
	rd_kafka_conf_set(conf, "queue.buffering.max.messages", "1", why, sizeof why);
	narrow = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	ck_assert_int_eq(rescue_send(&rescue, narrow, &opaque), OK);
	opaque = NULL;
	ck_assert_int_eq(rescue_send(&rescue, narrow, &opaque), ERR_BUSY);
	ck_assert_ptr_eq(opaque, message->_private);
	ck_assert_uint_eq(rescue.n, 1);
	ck_assert(rescue_empty(narrow, WAIT_MS));
	ck_assert_int_eq(rd_kafka_outq_len(narrow), 0);
	rd_kafka_destroy(narrow);
	rd_kafka_message_destroy(message);
	rescue_release(&rescue);
	leave();
}
END_TEST

/* --- dead letters
 * ----------------------------------------------------------------------------- */

static void check_letter(const struct dead_letter *letter, const char *reason, const char *text,
			 const char *source, int32_t partition, int64_t offset)
{
	char id[DEAD_ID_MAX];

	snprintf(id, sizeof id, "%s-%d-%lld", source, (int)partition, (long long)offset);
	ck_assert_msg(slice_is(letter->id, id), "%.*s", SLICE_ARG(letter->id));
	ck_assert_msg(slice_is(letter->reason, reason), "%.*s", SLICE_ARG(letter->reason));
	ck_assert_msg(slice_is(letter->text, text), "%.*s", SLICE_ARG(letter->text));
	ck_assert_msg(slice_is(letter->source, source), "%.*s", SLICE_ARG(letter->source));
	ck_assert_int_eq(letter->partition, partition);
	ck_assert_int_eq(letter->offset, offset);
}

/* A message that died, was replayed and died again says how it died last, and has the
 * headers that it always had. */
START_TEST(test_a_letter_is_read_as_it_was_written)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
	struct dead_letter letter;
	rd_kafka_message_t *message, *found;
	struct arena arena = {0};
	struct slice name, value;
	const void *old;
	size_t at = 0, size;

	enter();
	rd_kafka_header_add(headers, "h", -1, "v", 1);
	rd_kafka_header_add(headers, "skald-reason", -1, "old", 3);
	rd_kafka_header_add(headers, "skald-text", -1, "older", 5);
	rd_kafka_header_add(headers, "h", -1, NULL, 0);
	put(inbox, 1, SLICE_LITERAL("k0"), SLICE_LITERAL("v0"), NULL);
	rd_kafka_message_destroy(get());
	put(inbox, 1, SLICE_LITERAL("key"), SLICE_LITERAL("value"), headers);
	message = get();
	put(dead, 0, (struct slice){message->key, message->key_len}, dead_value(message),
	    dead_headers(message, SLICE_LITERAL("not-found"), SLICE_LITERAL("no such saga")));
	found = get();
	ck_assert_int_eq(dead_read(found, &arena, &letter), OK);
	check_letter(&letter, "not-found", "no such saga", inbox, 1, 1);
	ck_assert(!rd_kafka_message_headers(found, &headers));
	ck_assert(rd_kafka_header_get(headers, 1, "skald-reason", &old, &size)); /* one only */
	ck_assert(slice_is(letter.key, "key") && slice_is(letter.value, "value"));
	ck_assert_uint_eq(letter.size, 5);
	ck_assert_int_gt(letter.at_ms, 1600000000000);
	ck_assert(dead_headers_next(letter.headers, &at, &name, &value));
	ck_assert(slice_is(name, "h") && slice_is(value, "v"));
	ck_assert(dead_headers_next(letter.headers, &at, &name, &value));
	ck_assert(slice_is(name, "h") && !value.len);
	ck_assert(!dead_headers_next(letter.headers, &at, &name, &value));
	headers = dead_original_headers(&letter);
	ck_assert_uint_eq(rd_kafka_header_cnt(headers), 2);
	rd_kafka_headers_destroy(headers);
	rd_kafka_message_destroy(message);
	rd_kafka_message_destroy(found);
	arena_release(&arena);
	leave();
}
END_TEST

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* What somebody else put there: the headers, and what is made of them. NULL: it is the place
 * where it lies. */
static const struct strange_row {
	const char *name;
	const char *headers[6][2];
	const char *reason, *text, *source;
	int32_t partition;
	int64_t offset;
	uint64_t size;
} strange_rows[] = {
	{"nothing is said", {{NULL, NULL}}, "unknown", "", NULL, 0, 0, 5},
	{"all is said",
	 {{"skald-reason", "odd"},
	  {"skald-text", "why"},
	  {"skald-topic", "a.b"},
	  {"skald-partition", "7"},
	  {"skald-offset", "123456789012345678"},
	  {"skald-bytes", "900"}},
	 "odd",
	 "why",
	 "a.b",
	 7,
	 123456789012345678,
	 900},
	{"a topic without an offset",
	 {{"skald-topic", "a.b"}, {"skald-partition", "7"}},
	 "unknown",
	 "",
	 NULL,
	 0,
	 0,
	 5},
	{"an offset that is no number",
	 {{"skald-topic", "a.b"}, {"skald-partition", "7"}, {"skald-offset", "1a"}},
	 "unknown",
	 "",
	 NULL,
	 0,
	 0,
	 5},
	{"a number that is too long",
	 {{"skald-topic", "a.b"},
	  {"skald-partition", "7"},
	  {"skald-offset", "1234567890123456789"}},
	 "unknown",
	 "",
	 NULL,
	 0,
	 0,
	 5},
	{"a partition below none",
	 {{"skald-topic", "a.b"}, {"skald-partition", "-7"}, {"skald-offset", "1"}},
	 "unknown",
	 "",
	 NULL,
	 0,
	 0,
	 5},
	{"a topic that has no such name",
	 {{"skald-topic", "a b"}, {"skald-partition", "7"}, {"skald-offset", "1"}},
	 "unknown",
	 "",
	 NULL,
	 0,
	 0,
	 5},
	{"a topic with too long a name",
	 {{"skald-topic", X64 X64 X64 X64}, {"skald-partition", "7"}, {"skald-offset", "1"}},
	 "unknown",
	 "",
	 NULL,
	 0,
	 0,
	 5},
	{"texts that nobody can read",
	 {{"skald-reason", "\xff"}, {"skald-text", "\xc3("}},
	 "not UTF-8",
	 "not UTF-8",
	 NULL,
	 0,
	 0,
	 5},
};

static void check_strange(const struct strange_row *row, int64_t at)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(6);
	struct dead_letter letter;
	rd_kafka_message_t *found;
	struct arena arena = {0};

	for (int i = 0; i < 6 && row->headers[i][0]; i++)
		rd_kafka_header_add(headers, row->headers[i][0], -1, row->headers[i][1], -1);
	put(dead, 0, SLICE_LITERAL("key"), SLICE_LITERAL("value"), headers);
	found = get();
	ck_assert_int_eq(dead_read(found, &arena, &letter), OK);
	ck_assert_msg(letter.size == row->size, "%s", row->name);
	if (row->source)
		check_letter(&letter, row->reason, row->text, row->source, row->partition,
			     row->offset);
	else
		check_letter(&letter, row->reason, row->text, dead, 0, at);
	rd_kafka_message_destroy(found);
	arena_release(&arena);
}

START_TEST(test_what_others_put_there_is_read_as_well)
{
	enter();
	for (int i = 0; i < ROWS(strange_rows); i++)
		check_strange(&strange_rows[i], i);
	leave();
}
END_TEST

/* As much of it as a frame may have, and how much there was. */
START_TEST(test_what_is_too_large_is_cut)
{
	struct slice value = {calloc(1, WIRE_FRAME_MAX + 7), WIRE_FRAME_MAX + 7};
	rd_kafka_message_t *message, *found;
	struct dead_letter letter;
	struct arena arena = {0};

	enter();
	put(inbox, 0, SLICE_LITERAL("k"), value, NULL);
	message = get();
	put(dead, 1, SLICE_LITERAL("k"), dead_value(message),
	    dead_headers(message, SLICE_LITERAL("too-large"), (struct slice){0}));
	found = get();
	ck_assert_int_eq(dead_read(found, &arena, &letter), OK);
	check_letter(&letter, "too-large", "", inbox, 0, 0);
	ck_assert_uint_eq(letter.value.len, WIRE_FRAME_MAX);
	ck_assert_uint_eq(letter.size, WIRE_FRAME_MAX + 7);
	ck_assert_ptr_null(dead_original_headers(&letter));
	rd_kafka_message_destroy(message);
	rd_kafka_message_destroy(found);
	arena_release(&arena);
	free((char *)value.at);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_partitions_come_and_go);
	tcase_add_test(tcase, test_what_is_acknowledged_counts);
	tcase_add_test(tcase, test_each_is_found_by_its_number);
	tcase_add_test(tcase, test_what_comes_again_holds_its_partition_up);
	tcase_add_test(tcase, test_what_was_taken_of_a_partition_that_goes_counts_for_nothing);
	tcase_add_test(tcase, test_a_partition_that_comes_back_begins_anew);
	tcase_add_test(tcase, test_without_memory_it_comes_again_some_time);
	tcase_add_loop_test(tcase, test_there_is_a_bound_of_each, 0, ROWS(full_rows));
	tcase_add_test(tcase, test_what_is_rescued_is_sent_as_it_was);
	tcase_add_test(tcase, test_what_is_rescued_can_be_given_up);
	tcase_add_test(tcase, test_what_a_producer_does_not_take);
	tcase_add_test(tcase, test_a_letter_is_read_as_it_was_written);
	tcase_add_test(tcase, test_what_others_put_there_is_read_as_well);
	tcase_add_test(tcase, test_what_is_too_large_is_cut);
}

int main(void)
{
	return suite_run("bus_kafka_messages", add);
}

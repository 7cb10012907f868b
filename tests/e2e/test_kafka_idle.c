/* test_kafka_idle.c - sagas that wait cost Kafka nothing: while a thousand wait for a signal
 * or for their next attempt, no message of ours comes to any topic, not even an offset. */
#include "tests/e2e/waiting.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOOK_MS = 10000, WAIT_MS = 60000 };
enum { STEP_MS = 500, CALM_STEPS = 4, WATCHED_STEPS = 8 };

static const char *kafka; /* HOST:PORT; NULL: there is none */
static char prefix[KAFKA_PREFIX_SIZE], bus[160];
static rd_kafka_t *watcher;

/* --- what is on the topics ------------------------------------------------------------ */

static void rest(void)
{
	const struct timespec step = {0, STEP_MS * 1000 * 1000};

	nanosleep(&step, NULL);
}

static bool names_us(const rd_kafka_message_t *message)
{
	size_t len = strlen(prefix);

	for (size_t i = 0; i + len <= message->key_len; i++)
		if (memcmp((const char *)message->key + i, prefix, len) == 0)
			return true;
	return false;
}

/* What our groups have committed since the last call, message by message. */
static int64_t count_commits(void)
{
	int64_t n = 0;
	rd_kafka_message_t *message;

	while ((message = rd_kafka_consumer_poll(watcher, STEP_MS))) {
		n += !message->err && names_us(message);
		rd_kafka_message_destroy(message);
	}
	return n;
}

/* All partitions of the topics whose names begin so. */
static rd_kafka_topic_partition_list_t *partitions_of(const char *beginning)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(64);
	const struct rd_kafka_metadata *metadata = NULL;

	ck_assert(!rd_kafka_metadata(watcher, 1, NULL, &metadata, LOOK_MS));
	for (int i = 0; i < metadata->topic_cnt; i++) {
		const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];

		for (int n = 0; n < topic->partition_cnt; n++)
			if (strncmp(topic->topic, beginning, strlen(beginning)) == 0)
				rd_kafka_topic_partition_list_add(list, topic->topic, n)
					->offset = RD_KAFKA_OFFSET_END;
	}
	rd_kafka_metadata_destroy(metadata);
	return list;
}

/* Each with its end, once all of them have a leader: new ones have none for a moment. */
static rd_kafka_topic_partition_list_t *ends_of(const char *beginning)
{
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;

	for (int ms = 0; ms < WAIT_MS; ms += STEP_MS) {
		rd_kafka_topic_partition_list_t *list = partitions_of(beginning);

		err = rd_kafka_offsets_for_times(watcher, list, LOOK_MS);
		if (!err)
			return list;
		rd_kafka_topic_partition_list_destroy(list);
		rest();
	}
	ck_abort_msg("the ends of %s: %s", beginning, rd_kafka_err2str(err));
	return NULL;
}

/* All messages of those topics. */
static int64_t count_messages(const char *beginning)
{
	rd_kafka_topic_partition_list_t *list = ends_of(beginning);
	int64_t n = 0;

	for (int i = 0; i < list->cnt; i++)
		n += list->elems[i].offset > 0 ? list->elems[i].offset : 0;
	rd_kafka_topic_partition_list_destroy(list);
	return n;
}

/* From here on. */
static void watch_commits(void)
{
	rd_kafka_topic_partition_list_t *list = ends_of("__consumer_offsets");

	ck_assert_int_gt(list->cnt, 0);
	for (int i = 0; i < list->cnt; i++) /* one without a message has no end */
		if (list->elems[i].offset < 0)
			list->elems[i].offset = 0;
	ck_assert(!rd_kafka_assign(watcher, list));
	rd_kafka_topic_partition_list_destroy(list);
}

static void open_watcher(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	rd_kafka_conf_set(conf, "bootstrap.servers", kafka, why, sizeof why);
	rd_kafka_conf_set(conf, "group.id", "watcher", why, sizeof why);
	rd_kafka_conf_set(conf, "enable.auto.commit", "false", why, sizeof why);
	watcher = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
	ck_assert_ptr_nonnull(watcher);
}

/* --- the sagas ------------------------------------------------------------------------- */

/* Each of the stubborn was refused once, and so waits an hour. */
static bool all_wait(void)
{
	char inbox[KAFKA_PREFIX_SIZE + 16];

	snprintf(inbox, sizeof inbox, "%s.inbox", prefix);
	return count_messages(inbox) >= N_STUBBORN;
}

/* The number of messages, once it has not changed for a while. */
static int64_t wait_until_calm(void)
{
	int64_t n = -1;
	int calm = 0;

	for (int ms = 0; ms < WAIT_MS && calm < CALM_STEPS; ms += STEP_MS) {
		int64_t now = count_messages(prefix);

		calm = now == n && all_wait() ? calm + 1 : 0;
		n = now;
		rest();
	}
	ck_assert_msg(calm == CALM_STEPS, "it never gets calm");
	return n;
}

START_TEST(test_sagas_that_wait_send_nothing)
{
	const struct waiting_setup setup = {.bus = bus, .prefix = prefix};
	int64_t n;

	folder_enter();
	kafka_prefix(prefix);
	snprintf(bus, sizeof bus, "kafka:%s", kafka);
	open_watcher();
	waiting_enter(&setup);
	waiting_start(N_PATIENT, N_STUBBORN);
	n = wait_until_calm();
	ck_assert_int_ge(n, 2 * N_PATIENT + 2 * N_STUBBORN); /* events, commands, replies */
	watch_commits();
	for (int i = 0; i < WATCHED_STEPS; i++)
		rest();
	ck_assert_int_eq(count_messages(prefix), n);
	ck_assert_int_eq(count_commits(), 0);

	/* And the look would have seen something. */
	waiting_start(0, 1);
	ck_assert_int_gt(wait_until_calm(), n);
	ck_assert_int_gt(count_commits(), 0);
	waiting_leave();
	rd_kafka_consumer_close(watcher);
	rd_kafka_destroy(watcher);
	folder_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_sagas_that_wait_send_nothing);
}

int main(int argc, char **argv)
{
	waiting_find(argv[0]);
	kafka = kafka_broker_find();
	return kafka ? suite_run("kafka_idle", add) : EXIT_SUCCESS;
}

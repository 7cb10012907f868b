/* test_kafka_idle.c - sagas that wait cost Kafka nothing: while a thousand wait for a signal
 * or for their next attempt, no message of ours comes to any topic, not even an offset. */
#include "base/bytes.h"
#include "tests/lib/background.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { N_PATIENT = 1000, N_STUBBORN = 100, LOOK_MS = 10000, WAIT_MS = 60000 };
enum { STEP_MS = 500, CALM_STEPS = 4, WATCHED_STEPS = 8 };

static const char patient[] =
	"saga: patient\nversion: 1.0.0\nsteps:\n"
	"  - approve: { await: { event: approved, timeout: 24h, then: compensate } }\n"
	"  - mail: { kind: readonly, call: notification.send, with: { to: =input.email } }\n";
static const char stubborn[] =
	"saga: stubborn\nversion: 1.0.0\n"
	"use: { retry: { rarely: { first: 1h, factor: 1, max: 1h, jitter: none, attempts: 9 } "
	"} }\n"
	"steps:\n"
	"  - mail: { kind: readonly, call: notification.send, with: { to: =input.email },"
	" retry: rarely }\n";

static const char *kafka; /* HOST:PORT; NULL: there is none */
static char skald[4096], notification[4096], prefix[KAFKA_PREFIX_SIZE], bus[160];
static struct serving server;
static struct background service;
static struct arena arena;
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

static struct process_result ask(const char *const *args)
{
	struct process_setup setup = {.argv = {skald}, .env = {server.env}};
	struct process_result result;

	for (size_t i = 0; args[i]; i++)
		setup.argv[i + 1] = args[i];
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == 0, "skald %s: exit %d: %s", args[0], result.exit_code,
		      result.errs.at);
	return result;
}

#define ASK(...) ask((const char *const[]){__VA_ARGS__, NULL})

static void start(const char *saga, int n)
{
	struct bytes lines = BYTES(1 << 20, &arena);
	char name[] = "lines";

	for (int i = 0; i < n; i++)
		bytes_format(&lines, "{\"email\":\"%d@example.com\"}\n", i);
	bytes_add(&lines, '\0');
	folder_write(name, lines.at);
	ASK("start", saga, "--input-lines", name);
}

static void start_all(void)
{
	const char *const args[] = {"--bus", bus, "--kafka-prefix", prefix, NULL};
	const struct process_setup setup = {.argv = {notification, "--bus", bus,
						     "--kafka-prefix", prefix, "--data", ".",
						     "--faults", "fail=100%"}};

	ck_assert_int_eq(mkdir("sagas", 0700), 0);
	folder_write("sagas/patient.yaml", patient);
	folder_write("sagas/stubborn.yaml", stubborn);
	serving_start(&server, skald, args);
	background_start(&service, &setup, "notification");
	background_until(&service, ": ready: ", &arena);
	start("patient", N_PATIENT);
	start("stubborn", N_STUBBORN);
}

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
	int64_t n;

	folder_enter();
	kafka_prefix(prefix);
	snprintf(bus, sizeof bus, "kafka:%s", kafka);
	open_watcher();
	start_all();
	n = wait_until_calm();
	ck_assert_int_ge(n, 2 * N_PATIENT + 2 * N_STUBBORN); /* events, commands, replies */
	watch_commits();
	for (int i = 0; i < WATCHED_STEPS; i++)
		rest();
	ck_assert_int_eq(count_messages(prefix), n);
	ck_assert_int_eq(count_commits(), 0);

	/* And the look would have seen something. */
	start("stubborn", 1);
	ck_assert_int_gt(wait_until_calm(), n);
	ck_assert_int_gt(count_commits(), 0);
	ck_assert_int_eq(background_stop(&service, SIGTERM), 0);
	ck_assert_int_eq(background_stop(&server.process, SIGTERM), 0);
	rd_kafka_consumer_close(watcher);
	rd_kafka_destroy(watcher);
	folder_leave();
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_sagas_that_wait_send_nothing);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	process_find(argv[0], "skald-notification", notification, sizeof notification);
	kafka = kafka_broker_find();
	return kafka ? suite_run("kafka_idle", add) : EXIT_SUCCESS;
}

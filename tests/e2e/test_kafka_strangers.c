/* test_kafka_strangers.c - somebody whose client of Kafka has another partitioner starts
 * sagas, signals and answers: whatever partition that comes on, it finds its saga */
#include "bus/kafka/kafka.h"
#include "cli/members.h"
#include "proto/wire.h"
#include "tests/e2e/http.h"
#include "tests/lib/background.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/random.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { N_SAGAS = 60, PARTITIONS = 12, WAIT_MS = 60000, POLL_MS = 100, SECONDS = 120 };

static char skald[4096];
static const char *broker; /* HOST:PORT */
static char prefix[KAFKA_PREFIX_SIZE];
static struct serving server;
static struct random chance = {17};
static struct arena arena;
static rd_kafka_t *producer, *consumer;

static rd_kafka_t *new_client(rd_kafka_type_t type, const char *group)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	char why[256];

	rd_kafka_conf_set(conf, "bootstrap.servers", broker, why, sizeof why);
	rd_kafka_conf_set(conf, "group.id", group, why, sizeof why);
	rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why, sizeof why);
	rd_kafka_conf_set(conf, "log_level", "2", why, sizeof why);
	rk = rd_kafka_new(type, conf, why, sizeof why);
	ck_assert_msg(rk != NULL, "%s", why);
	return rk;
}

/* The saga's key, and any partition but that of the key. */
static void put(struct slice saga_id, const struct frame *frame)
{
	int32_t home = kafka_partition_of(saga_id, PARTITIONS),
		away = (home + 1 + (int32_t)random_below(&chance, PARTITIONS - 1)) % PARTITIONS;
	struct bytes bytes = BYTES(WIRE_LENGTH_SIZE + WIRE_FRAME_MAX, NULL);
	char topic[KAFKA_PREFIX_SIZE + 8];

	snprintf(topic, sizeof topic, "%s.inbox", prefix);
	ck_assert_int_eq(wire_write(frame, &bytes, NULL), OK);
	ck_assert(!rd_kafka_producev(
		producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(away),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		RD_KAFKA_V_KEY(saga_id.at, saga_id.len),
		RD_KAFKA_V_VALUE(&bytes.at[WIRE_LENGTH_SIZE], bytes.len - WIRE_LENGTH_SIZE),
		RD_KAFKA_V_END));
	bytes_release(&bytes);
}

static void start_sagas(void)
{
	for (int i = 0; i < N_SAGAS; i++) {
		char id[32];
		struct frame frame = {.type = FRAME_START,
				      .start = {.saga = SLICE_LITERAL("errand"),
						.input = SLICE_LITERAL("{}")}};

		snprintf(id, sizeof id, "errand-%d", i);
		frame.start.id = slice_of(id);
		put(frame.start.id, &frame);
	}
	ck_assert(!rd_kafka_flush(producer, WAIT_MS));
}

static void answer(const struct command_message *command)
{
	const struct frame reply = {.type = FRAME_REPLY,
				    .reply = {.id = command->id,
					      .attempt = command->attempt,
					      .outcome = MESSAGE_OK,
					      .output = SLICE_LITERAL("{}")}};
	const struct frame go = {.type = FRAME_SIGNAL,
				 .signal = {.saga_id = command->saga_id,
					    .event = SLICE_LITERAL("go"),
					    .id = SLICE_LITERAL("go-1")}};

	put(command->saga_id, &reply);
	if (slice_is(command->command, "fetch"))
		put(command->saga_id, &go);
}

static void answer_next(void)
{
	rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, POLL_MS);
	struct arena memory = {0};
	struct frame frame;

	rd_kafka_poll(producer, 0);
	if (!message)
		return;
	if (!message->err) {
		const struct slice value = {message->payload, message->len};

		ck_assert_int_eq(wire_read(value, &memory, &frame, NULL), OK);
		ck_assert_int_eq(frame.type, FRAME_COMMAND);
		answer(&frame.command);
	}
	rd_kafka_message_destroy(message);
	arena_release(&memory);
}

static int64_t n_completed(void)
{
	struct arena memory = {0};
	struct json sagas = member_json(http_get(server.url, "/v1/stats", &memory), "sagas");
	int64_t n = member_number(sagas, "completed");

	arena_release(&memory);
	return n;
}

static void enter(void)
{
	static char bus[160];
	const char *const args[] = {"--bus", bus, "--kafka-prefix", prefix, NULL};
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	char topic[KAFKA_PREFIX_SIZE + 16];

	folder_enter();
	ck_assert_int_eq(mkdir("sagas", 0700), 0);
	folder_write("sagas/errand.yaml",
		     "saga: errand\nversion: 1.0.0\nsteps:\n"
		     "  - fetch: { kind: readonly, call: desk.fetch, timeout: 1h }\n"
		     "  - word: { await: { event: go, timeout: 1h, then: compensate } }\n"
		     "  - bring: { kind: readonly, call: desk.bring, timeout: 1h }\n");
	kafka_prefix(prefix);
	snprintf(bus, sizeof bus, "kafka:%s", broker);
	serving_start(&server, skald, args);
	producer = new_client(RD_KAFKA_PRODUCER, "nobody");
	snprintf(topic, sizeof topic, "%s.cmd.desk", prefix);
	consumer = new_client(RD_KAFKA_CONSUMER, topic);
	start_sagas(); /* and so the topic is made */
	background_until(&server.process, topic, &arena);
	rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
	ck_assert(!rd_kafka_subscribe(consumer, topics));
	rd_kafka_topic_partition_list_destroy(topics);
}

/* Timeouts are long: what is lost once is lost, and nobody asks again. */
START_TEST(test_every_partition_is_the_wrong_one)
{
	struct slice dead;
	int64_t end_ms;

	enter();
	end_ms = clock_monotonic_ms(clock_system()) + WAIT_MS;
	while (n_completed() < N_SAGAS) {
		ck_assert_msg(clock_monotonic_ms(clock_system()) < end_ms,
			      "%d of %d sagas are completed", (int)n_completed(), N_SAGAS);
		for (int i = 0; i < N_SAGAS / 10; i++)
			answer_next();
	}
	dead = http_ask(server.url, "/v1/dead", (struct slice){0}, &arena).text;
	ck_assert_msg(strstr(dead.at, "\"dead\":[]") != NULL, "%s", dead.at);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	rd_kafka_destroy(producer);
	ck_assert_int_eq(background_stop(&server.process, SIGTERM), 0);
	folder_leave();
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, SECONDS);
	tcase_add_test(tcase, test_every_partition_is_the_wrong_one);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	broker = kafka_broker_find();
	return broker ? suite_run("kafka_strangers", add) : EXIT_SUCCESS;
}

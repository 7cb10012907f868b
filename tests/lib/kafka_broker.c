#define _XOPEN_SOURCE 700 /* realpath */

#include "tests/lib/kafka_broker.h"

#include "tests/lib/engines.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MS = 10000 };

const char *kafka_engine(const char *verb, const char *dir)
{
	return engine_ask("kafka", verb, dir);
}

const char *kafka_python(void)
{
	static char path[4096];
	const char *found = engine_ask("python", "up", NULL);

	if (found) {
		snprintf(path, sizeof path, "%s", found);
		return path;
	}
	printf("0 passed, 0 failed, 1 skipped: the Python of the example could not be had\n");
	fflush(stdout);
	return NULL;
}

const char *kafka_broker_find(void)
{
	static char address[128];
	const char *given = getenv("SKALD_TEST_KAFKA"), *own;

	if (!engines_here())
		return NULL;
	if (given && *given)
		return strcmp(given, "none") == 0 ? NULL : given;
	own = kafka_engine("up", "build/engines/kafka");
	if (own) {
		snprintf(address, sizeof address, "%s", own);
		return address;
	}
	printf("0 passed, 0 failed, 1 skipped: Kafka could not be started; see above, or set "
	       "SKALD_TEST_KAFKA=HOST:PORT\n");
	fflush(stdout);
	return NULL;
}

bool kafka_broker_own(char *dir, size_t size)
{
	char root[4096];

	if (engines_here() && getcwd(root, sizeof root)) {
		snprintf(dir, size, "%s/build/engines/kafka-own", root);
		if (kafka_engine("up", dir))
			return true;
	}
	printf("0 passed, 0 failed, 1 skipped: Kafka could not be started; see above\n");
	fflush(stdout);
	return false;
}

static rd_kafka_t *new_producer(const char *brokers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256] = "";
	rd_kafka_t *rk;

	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	ck_assert_msg(rk != NULL, "%s", why);
	return rk;
}

void kafka_grow(const char *brokers, const char *prefix, const char *name, size_t n)
{
	rd_kafka_t *rk = new_producer(brokers);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_NewPartitions_t *wanted;
	const rd_kafka_topic_result_t **topics;
	rd_kafka_event_t *event;
	char topic[KAFKA_PREFIX_SIZE + 32], why[256];

	snprintf(topic, sizeof topic, "%s.%s", prefix, name);
	wanted = rd_kafka_NewPartitions_new(topic, n, why, sizeof why);
	rd_kafka_CreatePartitions(rk, &wanted, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, ANSWER_MS);
	ck_assert(event && !rd_kafka_event_error(event));
	topics = rd_kafka_CreatePartitions_result_topics(
		rd_kafka_event_CreatePartitions_result(event), &n);
	ck_assert_msg(!rd_kafka_topic_result_error(topics[0]), "%s: %s", topic,
		      rd_kafka_topic_result_error_string(topics[0]));
	rd_kafka_event_destroy(event);
	rd_kafka_NewPartitions_destroy(wanted);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
}

static char tls_folder[4096];

const char *kafka_tls_folder(void)
{
	return tls_folder;
}

const char *kafka_tls_find(void)
{
	static const char dir[] = "build/engines/kafka-tls";
	static char address[128];
	const char *own = engines_here() ? engine_ask("kafka-tls", "up", dir) : NULL;

	if (own && realpath(dir, tls_folder)) {
		snprintf(address, sizeof address, "%s", own);
		return address;
	}
	printf("0 passed, 0 failed, 1 skipped: Kafka with TLS could not be started; see "
	       "above\n");
	fflush(stdout);
	return NULL;
}

void kafka_prefix(char out[KAFKA_PREFIX_SIZE])
{
	static int n;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(out, KAFKA_PREFIX_SIZE, "test-%ld-%lld%03ld-%d", (long)getpid(),
		 (long long)now.tv_sec, now.tv_nsec / 1000000, n++);
}

const struct kafka_property kafka_soon[KAFKA_SOON] = {{"session.timeout.ms", "4000"},
						      {"heartbeat.interval.ms", "300"}};

void kafka_mock_start(struct kafka_mock *mock, const char *prefix, const char *const *topics,
		      int n_partitions)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256] = "", topic[256];

	rd_kafka_conf_set(conf, "log_level", "2", why, sizeof why);
	mock->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	ck_assert_msg(mock->rk != NULL, "%s", why);
	mock->cluster = rd_kafka_mock_cluster_new(mock->rk, 1);
	ck_assert(mock->cluster != NULL);
	mock->brokers = rd_kafka_mock_cluster_bootstraps(mock->cluster);
	for (size_t i = 0; topics[i]; i++) {
		snprintf(topic, sizeof topic, "%s.%s", prefix, topics[i]);
		ck_assert(!rd_kafka_mock_topic_create(mock->cluster, topic, n_partitions, 1));
	}
}

void kafka_mock_stop(struct kafka_mock *mock)
{
	rd_kafka_mock_cluster_destroy(mock->cluster);
	rd_kafka_destroy(mock->rk);
}

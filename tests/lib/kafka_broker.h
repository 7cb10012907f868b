/* kafka_broker.h - something that answers as Apache Kafka does.
 *
 * The mock is librdkafka's own, in this process: good for what travels, and for
 * brokers that fail on demand. The real one is at SKALD_TEST_KAFKA ("none": nowhere), or is
 * started by tools/engines, once for all tests; whoever runs the tests stops it.
 */
#ifndef SKALD_TESTS_LIB_KAFKA_BROKER_H
#define SKALD_TESTS_LIB_KAFKA_BROKER_H

#include "bus/kafka/kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>

/* HOST:PORT of a real broker. Asked by main, before Check starts. NULL: there is none,
 * and it was said that its tests are skipped. */
const char *kafka_broker_find(void);

/* A broker of the test's own, always one of tools/engines, that can be killed and held: it
 * is started to see whether there is one, and its folder written. False: it was said that
 * its tests are skipped. Asked by main. */
bool kafka_broker_own(char *dir, size_t size);

/* It by its folder: "up" starts it, again as well, "kill" is a crash, "down" removes all.
 * Its HOST:PORT; NULL: it was said why not. Valid until it is asked again. */
const char *kafka_engine(const char *verb, const char *dir);

/* PREFIX.NAME has so many partitions from now on. */
void kafka_grow(const char *brokers, const char *prefix, const char *name, size_t n);

/* A broker that wants TLS and a password, always one of tools/engines: its HOST:PORT, and
 * the folder with ca.pem, stranger.pem and user.properties, absolute. Asked by main; NULL:
 * it was said that its tests are skipped. */
const char *kafka_tls_find(void);
const char *kafka_tls_folder(void);

/* A Python that can run examples/python, likewise; NULL: it was said that its test is
 * skipped. */
const char *kafka_python(void);

/* A prefix for topics that no other test has. */
enum { KAFKA_PREFIX_SIZE = 64 };
void kafka_prefix(char out[KAFKA_PREFIX_SIZE]);

/* For clients of the mock: there the members of a group wait for one that is gone, and for
 * all when one comes, for nearly as long as a session lasts. */
enum { KAFKA_SOON = 2 };
extern const struct kafka_property kafka_soon[KAFKA_SOON];

struct kafka_mock {
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;
	const char *brokers; /* HOST:PORT */
};

/* The mock makes no topics when it is asked to: those of the prefix that are named,
 * up to a NULL, are there from the beginning, with so many partitions. */
void kafka_mock_start(struct kafka_mock *mock, const char *prefix, const char *const *topics,
		      int n_partitions);
void kafka_mock_stop(struct kafka_mock *mock);

#endif

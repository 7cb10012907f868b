/* kafka.h - be a participant over Apache Kafka.
 *
 * In a library of its own, libskald-kafka, so that only who needs it links librdkafka.
 *
 *     skald_kafka_options kafka = {.brokers = "127.0.0.1:9092"};
 *     skald_transport *transport = skald_kafka_transport(&kafka, &error);
 *     skald_options options = {.transport = transport, .barrier = barrier, ...};
 *
 * All processes of a participant share its commands, those of one saga in order. When
 * a process joins or leaves, commands that were not answered go to another one, also
 * such as it was still working on: the barrier keeps that harmless.
 */
#ifndef SKALD_KAFKA_H
#define SKALD_KAFKA_H

#include "skald/participant.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
	const char *brokers; /* "HOST:PORT", with commas between several */
	const char *prefix;  /* of the topics, as the orchestrator's; NULL: "skald" */

	/* Properties of librdkafka, "sasl.username=shop", up to a NULL; NULL: none. */
	const char *const *properties;

	/* Of the participant's topic, where it has to be made; 0: 12. */
	int partitions;
	int replication; /* 0: as the brokers say */
} skald_kafka_options;

/* All is copied; nothing is connected yet. NULL: *error says why. */
SKALD_API skald_transport *skald_kafka_transport(const skald_kafka_options *options,
						 skald_error *error);

/* After the participants that use it. NULL is fine. */
SKALD_API void skald_kafka_free(skald_transport *transport);

#ifdef __cplusplus
}
#endif

#endif

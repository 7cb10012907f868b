/* kafka.h - what both ends of the Kafka bus share: settings, names, connections.
 *
 * A client is one producer or one consumer of librdkafka. Its callbacks come from
 * kafka_client_serve() or from polling the consumer, never from another thread.
 * docs/protocol.md says what travels.
 */
#ifndef SKALD_BUS_KAFKA_KAFKA_H
#define SKALD_BUS_KAFKA_KAFKA_H

#include "base/clock.h"
#include "base/log.h"
#include "base/shards.h"
#include "proto/message.h"

#include <librdkafka/rdkafka.h>

enum {
	KAFKA_TOPIC_SIZE = 250, /* with its terminator */
	KAFKA_PREFIX_MAX = 100,
	KAFKA_PARTITIONS = 12, /* of a topic that is made here, unless said otherwise */
	KAFKA_PARTITIONS_MAX = 10000,
	KAFKA_MESSAGE_MAX = 2 * 1024 * 1024 + 64 * 1024, /* a frame and its headers */
	KAFKA_TRACE_SIZE = 56,                           /* of a traceparent */
	KAFKA_LOOK_MS = 500, /* how long a look at a topic may block */
};

/* A property of librdkafka, without the "kafka." in front. */
struct kafka_property {
	const char *name;
	const char *value;
};

/* ERR_INVALID: there is no such property, it is ours to set, or librdkafka does not take
 * the value; the diag says which, and no secret. */
CHECKED enum err kafka_property_check(const struct kafka_property *property, struct diag *diag);

/* Whether its value must not be shown. */
bool kafka_property_secret(const char *name);

struct kafka_setup {
	const char *brokers; /* HOST:PORT[,HOST:PORT...] */
	const char *prefix;  /* of all topics; NULL: "skald" */
	int32_t partitions;  /* of topics that are made; 0: KAFKA_PARTITIONS */
	int32_t replication; /* of topics that are made; 0: as the brokers say */
	int32_t message_max; /* bytes that a topic allows; 0: KAFKA_MESSAGE_MAX */
	const struct kafka_property *properties;
	size_t n_properties;
	const struct clock *clock;
	const struct log *log; /* NULL: nobody reads it */
};

/* The setup with its defaults in place. ERR_INVALID: the diag says what cannot be. */
CHECKED enum err kafka_setup_check(struct kafka_setup *setup, struct diag *diag);

/* --- names --------------------------------------------------------------------- */

/* "PREFIX.KIND", "PREFIX.cmd.PARTICIPANT" and "PREFIX.inquiry.PARTICIPANT". */
void kafka_topic(const struct kafka_setup *setup, const char *kind, char out[KAFKA_TOPIC_SIZE]);
void kafka_topic_of(const struct kafka_setup *setup, struct slice participant,
		    char out[KAFKA_TOPIC_SIZE]);
void kafka_topic_of_inquiries(const struct kafka_setup *setup, struct slice participant,
			      char out[KAFKA_TOPIC_SIZE]);

/* The partition of a saga, or of a command of its, as every Kafka client with murmur2
 * has it for the key of the message: see base/shards.h. */
int32_t kafka_partition_of(struct slice id, int32_t n_partitions);

/* W3C trace context of one attempt of a command: the saga is the trace, so that all
 * that is done for it is seen together. */
void kafka_traceparent(struct slice saga_id, struct slice command_id, uint32_t attempt,
		       char out[KAFKA_TRACE_SIZE]);

/* That of the saga itself, as if it were one span of its trace. */
void kafka_traceparent_of_saga(struct slice saga_id, char out[KAFKA_TRACE_SIZE]);

/* --- connections ----------------------------------------------------------------- */

struct kafka_user {
	/* A message that was produced with this opaque is with the brokers, or (err)
	 * never will be. NULL: a consumer. */
	void (*delivered)(void *context, const rd_kafka_message_t *message);

	/* The consumer got partitions, or loses them (gained: false), and has to say so
	 * with kafka_client_assign. NULL: a producer, or a consumer that is in no group. */
	void (*rebalanced)(void *context, bool gained,
			   rd_kafka_topic_partition_list_t *partitions);
};

struct kafka_client {
	rd_kafka_t *rk; /* NULL: not open */
	const struct kafka_user *user;
	void *context;
	const struct log *log;
	bool cooperative; /* partitions come and go one by one, not all at once */
	bool reachable;   /* a broker answers */
	bool refused;     /* and none will, as long as the settings are what they are */
	bool filled;      /* set by whoever produced something that is to leave soon */
	rd_kafka_resp_err_t stuck; /* why a consumer has no place to read from; 0: it has */
	char trouble[DIAG_MAX];    /* the last reason why none does, and what to do about it */
};

/* ERR_INVALID: a property is none, or is ours to set. ERR_NOMEM. The setup is
 * checked. */
CHECKED enum err kafka_producer_open(struct kafka_client *client,
				     const struct kafka_setup *setup,
				     const struct kafka_user *user, void *context,
				     struct diag *diag);

struct kafka_reader {
	const char *group;

	/* Tells this member of the group from others, and a process that comes back from
	 * a new one; NULL: each is new. */
	const char *instance;

	/* What was written before it got its partitions is nothing to it, and it never
	 * commits. */
	bool from_now;
};
CHECKED enum err kafka_consumer_open(struct kafka_client *client,
				     const struct kafka_setup *setup,
				     const struct kafka_reader *reader,
				     const struct kafka_user *user, void *context,
				     struct diag *diag);

/* Tell librdkafka that a consumer reads these partitions from now on, or does not. */
void kafka_client_assign(struct kafka_client *client, bool gained,
			 const rd_kafka_topic_partition_list_t *partitions);

/* Wait until a broker answers. ERR_UNAVAILABLE: none did in the time, or, sooner, they
 * keep refusing us; the diag says why and what to do. */
CHECKED enum err kafka_client_connect(struct kafka_client *client,
				      const struct kafka_setup *setup, int timeout_ms,
				      struct diag *diag);

/* A consumer commits what was stored. Messages that a producer still has are given up
 * after `flush_ms`. Closed, or never opened, is fine. */
void kafka_client_close(struct kafka_client *client, int flush_ms);

/* Make the descriptor, an eventfd, readable when there is something to serve. */
void kafka_client_wake(struct kafka_client *client, int fd);

/* The next message of a consumer, which is to be destroyed; NULL: none. Those that say
 * what went wrong are left out, and what they say is kept in mind. */
rd_kafka_message_t *kafka_client_poll(struct kafka_client *client, int timeout_ms);

/* Whether it is of no use any more: it has to be closed, and opened again. Each time that
 * it is asked, that is logged. */
bool kafka_client_failed(const struct kafka_client *client);

/* The same, and nothing is logged. */
bool kafka_client_useless(const struct kafka_client *client);

/* Call what has to be called. What was produced since goes out together now, for which
 * this waits a millisecond at most. A consumer's is polled instead. */
void kafka_client_serve(struct kafka_client *client);

/* --- for kafka.c alone -------------------------------------------------------------- */

/* Remember an error of librdkafka as the trouble. */
void kafka_client_note(struct kafka_client *client, int error, const char *reason);

/* Whether a broker is there and answers, as the statistics of librdkafka have it. */
bool kafka_client_hears(struct kafka_client *client, const char *statistics);

#endif

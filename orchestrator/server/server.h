/* server.h - the orchestrator as a process: `skald serve`.
 *
 * Opens what the settings name, and turns one loop until it is told to stop:
 * messages and requests come in, the engine has its turn, answers and commands
 * go out. SIGTERM and SIGINT end it after the batch at hand, SIGHUP reads the
 * definitions again, and the limits of participants. */
#ifndef SKALD_SERVER_SERVER_H
#define SKALD_SERVER_SERVER_H

#include "base/log.h"
#include "base/problems.h"
#include "bus/kafka/kafka.h"
#include "orchestrator/engine/limits.h"

/* Of a bus over Kafka; see bus/kafka/kafka.h. */
struct server_kafka {
	const char *prefix;
	const struct kafka_property *properties;
	size_t n_properties;
	int32_t partitions, replication, message_max;
};

struct server_settings {
	const char *data;      /* folder of what has to last; made where it is not there */
	const char *sagas;     /* folder of definitions */
	bool sagas_needed;     /* it has to be there */
	const char *listen;    /* HOST:PORT */
	const char *advertise; /* URL under which others reach it; NULL: what follows from
				* where it listens */
	const char *bus;       /* "local", "local:PATH", "kafka:HOST:PORT,..." */
	struct server_kafka kafka;
	const char *store;    /* "sqlite", "mongo:URI", "memory" */
	int64_t retention_ms; /* of sagas that ended; 0: for ever */
	enum log_level log_level;
	const struct limits *limits; /* of participants */

	/* Read the limits again; false: they cannot be read, which was said, and those
	 * that are in effect stay. */
	bool (*read_limits)(void *context, struct limits *out);

	/* Show what is wrong with a definition. */
	void (*report)(void *context, struct problems *problems);
	void *context;
};

/* Whether what the settings say can be meant, without asking or opening anything.
 * ERR_INVALID: the diag says what is wrong and what to write. */
CHECKED enum err server_check_form(const struct server_settings *settings, struct diag *diag);

/* Of settings of the right form. OK: it was told to stop, and did. ERR_CONFLICT: another server
 * has taken the store. Otherwise it could not begin. The diag says why and what to do. */
CHECKED enum err server_run(const struct server_settings *settings, struct diag *diag);

/* Whether every definition of the folder could be used. */
CHECKED enum err server_check(const struct server_settings *settings, struct diag *diag);

#endif

/* gateway.h - the HTTP side of the orchestrator.
 *
 * People, scripts and services that are no participants come here: to begin
 * sagas, to look at them, to help those that are parked. docs/openapi.json lists
 * the routes; an answer that is not 2xx is a problem (RFC 7807) with a code for
 * programs and a sentence for people.
 *
 * The gateway has no thread. It is pumped by the loop that also turns the
 * engine, and a request that has to wait for a commit is set aside until the
 * engine answers, so that the two share their data without locks.
 */
#ifndef SKALD_GATEWAY_GATEWAY_H
#define SKALD_GATEWAY_GATEWAY_H

#include "orchestrator/engine/engine.h"
#include "orchestrator/gateway/peers.h"

enum {
	GATEWAY_CONNECTIONS_MAX = 1000,
	GATEWAY_HEADERS_MAX = 32 * 1024,      /* bytes of a request's first line and headers */
	GATEWAY_BODY_MAX = 272 * 1024,        /* a payload and what stands around it */
	GATEWAY_BATCH_MAX = 16 * 1024 * 1024, /* bytes of a batch of starts */
	GATEWAY_BATCH_LINES_MAX = 100000,     /* of them */
	GATEWAY_BATCH_WINDOW = 1000,          /* starts of one batch that wait at once */
	GATEWAY_PAGE_MAX = 1000,              /* sagas on one page of a list */
	GATEWAY_WATCHERS_MAX = 100,           /* streams of events */
	GATEWAY_RECONCILES_MAX = 4,           /* at once */

	/* Of events that one of them has not taken: more than one turn of the engine
	 * makes, so that it is the reader who is slow where they are too many. */
	GATEWAY_WATCH_BYTES_MAX = 4 * 1024 * 1024,
	GATEWAY_IDLE_S = 60,          /* a connection without a request is closed */
	GATEWAY_PATIENCE_MS = 30000,  /* how long a request waits for its commit */
	GATEWAY_HEARTBEAT_MS = 15000, /* a stream shows that it is alive */
};

struct gateway;

struct gateway_parts {
	struct engine *engine;
	struct store *store;
	struct bus *bus;
	const struct clock *clock;
	const struct log *log;
	struct peers *peers;    /* NULL: all sagas are this orchestrator's */
	const char *store_file; /* its whole path; NULL: the store is no file */
	int listen_fd;          /* a socket that listens; the gateway closes it */
};

/* The gateway is now the one that observes the engine. */
CHECKED enum err gateway_open(const struct gateway_parts *parts, struct gateway **out,
			      struct diag *diag);

/* Requests that wait are answered that the server stops. NULL is fine. */
void gateway_close(struct gateway *gateway);

/* Readable when gateway_pump() has something to do. */
int gateway_fd(const struct gateway *gateway);

/* Take in what came, push out what is answered; never blocks. True: something was
 * asked of the engine, which should have its turn before anybody sleeps. */
bool gateway_pump(struct gateway *gateway);

/* When to pump although nothing came, by the monotonic clock; INT64_MAX: never. */
int64_t gateway_wake_ms(const struct gateway *gateway);

/* What /readyz says: NULL is "ready", a text is what keeps it from that. */
void gateway_set_trouble(struct gateway *gateway, const char *trouble);

/* Take no more connections, and end the streams; go on pumping until no request
 * is left. */
void gateway_stop(struct gateway *gateway);
size_t gateway_requests(const struct gateway *gateway);

#endif

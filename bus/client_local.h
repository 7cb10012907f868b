/* client_local.h - somebody who starts sagas and signals them over the local bus.
 *
 * Each request has a number that the client chooses; its result comes back with
 * it, in any order. A connection that is lost takes with it all requests without
 * a result, and all watches: whether they had an effect is then not known, and
 * to ask again with the same ids tells. All is done by client_local_pump; there
 * is no thread.
 */
#ifndef SKALD_BUS_CLIENT_LOCAL_H
#define SKALD_BUS_CLIENT_LOCAL_H

#include "bus/link.h"
#include "proto/message.h"

enum {
	CLIENT_OUTPUT_MAX = 4 * 1024 * 1024, /* bytes of requests that wait to go out */
	CLIENT_EVENTS_MAX = 100000,          /* that were not polled */
};

enum client_event_type {
	CLIENT_RESULT,
	CLIENT_ENDED, /* a saga that was watched has ended or is parked */
	CLIENT_LOST,  /* the connection; see above */
};

struct client_event {
	enum client_event_type type;
	uint32_t request; /* result: its number */
	struct result_message result;
	struct slice saga_id, status; /* ended */
};

struct client_local;

/* Nothing is connected yet: client_local_pump does. `name` is for people, at most
 * 63 bytes. */
CHECKED enum err client_local_open(const struct link_setup *link, const char *name,
				   struct client_local **out, struct diag *diag);
void client_local_close(struct client_local *client); /* NULL is fine */

/* Ask; number 0: the result does not matter. OK: it goes out with the next pumps.
 * ERR_UNAVAILABLE: there is no connection; ERR_BUSY: too much waits to go out;
 * ERR_INVALID, ERR_TOO_LARGE: no such request is carried, the diag says why. */
CHECKED enum err client_local_start(struct client_local *client, uint32_t request,
				    const struct start_message *start, bool watch,
				    struct diag *diag);
CHECKED enum err client_local_signal(struct client_local *client, uint32_t request,
				     const struct signal_message *signal, struct diag *diag);

/* The next event; false: none. Valid until the next call of poll or pump. */
bool client_local_poll(struct client_local *client, struct client_event *out);

/* Push out, take in, reconnect; blocks up to `timeout_ms` while nothing comes. */
void client_local_pump(struct client_local *client, int timeout_ms);

/* Why there is no connection; NULL: there is. */
const char *client_local_trouble(const struct client_local *client);

#endif

/* hub.h - the orchestrator's end of the local bus, without the sockets.
 *
 * Connections are bytes that came and bytes that are to go; whoever moves them
 * (bus_local.c over a Unix socket, a simulator over anything) tells the hub. The
 * hub reads frames, greets, shares the commands out (bus/share.h), collects what
 * is for the orchestrator (bus/inbox.h) and says "settled" for what it has
 * acknowledged. A connection that breaks the protocol is told why and closed; no
 * other one notices. It never blocks and asks nobody for the time.
 */
#ifndef SKALD_BUS_HUB_H
#define SKALD_BUS_HUB_H

#include "bus/bus.h"

struct hub;
struct hub_connection;

struct hub_limits {
	uint32_t connections;  /* at most 1,024 */
	uint32_t participants; /* that are known */
	uint32_t window;       /* a larger one is taken for this */
	size_t held;           /* commands that wait, for one participant */
	size_t kept_bytes;     /* of commands not answered yet, likewise */
	size_t inbox;          /* messages that are not acknowledged; clients: half */
	size_t inbox_bytes;    /* their memory; clients: half */
	size_t output_bytes;   /* beyond, a connection gets no more commands */
	size_t output_max;     /* beyond, it is closed: it does not read */
	int64_t hello_ms;      /* how long a connection may be silent at first */
};

extern const struct hub_limits hub_default_limits;

/* `server` is told to whoever connects, at most 63 bytes; NULL: out of memory. */
struct hub *hub_new(const char *server, const struct hub_limits *limits);

/* Connections that were not dropped are, too. */
void hub_free(struct hub *hub); /* NULL is fine */

/* --- connections ------------------------------------------------------------------- */

/* Somebody connected. ERR_BUSY: there are as many as there may be; ERR_NOMEM. */
CHECKED enum err hub_accept(struct hub *hub, int64_t now_ms, struct hub_connection **out);

/* Bytes came. More than hub_wants asked for are taken, too, but a connection that
 * sends on and on must be left alone while it does not want any. */
void hub_receive(struct hub *hub, struct hub_connection *connection, struct slice bytes);
bool hub_wants(const struct hub *hub, const struct hub_connection *connection);

/* Bytes that are to go, and how many of them went. */
struct slice hub_output(const struct hub_connection *connection);
void hub_sent(struct hub *hub, struct hub_connection *connection, size_t n);

/* It is to be closed and dropped; what hub_output says may be tried once more. */
bool hub_closing(const struct hub_connection *connection);

/* It is gone, and freed. */
void hub_drop(struct hub *hub, struct hub_connection *connection);

/* Once per turn: take in what had to wait, say what is settled. `now_ms` is of
 * the same monotonic clock as in hub_accept. */
void hub_pump(struct hub *hub, int64_t now_ms);

/* --- what a bus does: see bus/bus.h ------------------------------------------------ */

CHECKED enum err hub_send(struct hub *hub, const struct command_message *command);
bool hub_poll(struct hub *hub, struct inbox_message *out);
void hub_answer(struct hub *hub, uint64_t origin, const struct result_message *result);
void hub_ended(struct hub *hub, uint64_t origin, struct slice saga_id, struct slice status);
bool hub_acknowledge(struct hub *hub); /* true: there was something */
CHECKED enum err hub_replay(struct hub *hub, const struct dead_letter *letter,
			    struct diag *diag);
void hub_participants(const struct hub *hub,
		      void (*visit)(void *context, const struct bus_participant *participant),
		      void *context);
CHECKED enum err hub_inquire(struct hub *hub, struct slice participant,
			     struct inquiry_message *inquiry);
bool hub_inquired(struct hub *hub, struct inquired *out);
void hub_forget(struct hub *hub, uint64_t request);

#endif

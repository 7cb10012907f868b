/* session.h - a participant's end of the local bus, without the socket.
 *
 * The other side of bus/hub.h. A session outlives its connections: what the
 * participant has answered is kept until the orchestrator says that it is stored,
 * and sent again on the next connection. Commands that nobody has polled when a
 * connection is lost are dropped, as they come again.
 */
#ifndef SKALD_BUS_SESSION_H
#define SKALD_BUS_SESSION_H

#include "bus/bus.h"

enum {
	SESSION_KEPT_MAX = 100000,                 /* replies that are not settled */
	SESSION_KEPT_BYTES_MAX = 64 * 1024 * 1024, /* their bytes */
	SESSION_COMMANDS_MAX = 200000,             /* that are not answered */
	SESSION_INQUIRIES_MAX = 16,                /* likewise */
};

struct session;

struct session_setup {
	const char *participant;
	const char *name; /* of the process, for people; at most 63 bytes */
	uint32_t window;
};

/* The texts are borrowed. NULL: out of memory. */
struct session *session_new(const struct session_setup *setup);
void session_free(struct session *session); /* NULL is fine */

/* --- the connection ---------------------------------------------------------------- */

/* There is a new one; the earlier one was lost. */
void session_connected(struct session *session);
void session_lost(struct session *session);

/* Bytes came. Anything but OK: the connection is of no use and must be closed;
 * the diag says why. ERR_UNAVAILABLE: the orchestrator refused it. */
CHECKED enum err session_receive(struct session *session, struct slice bytes,
				 struct diag *diag);

/* Bytes that are to go, and how many of them went. */
struct slice session_output(struct session *session);
void session_sent(struct session *session, size_t n);

/* The orchestrator has greeted us on this connection. */
bool session_welcome(const struct session *session);

/* --- what a port does: see bus/bus.h ----------------------------------------------- */

bool session_poll(struct session *session, struct command_message *out);
CHECKED enum err session_reply(struct session *session, const struct reply_message *reply);

bool session_inquiry(struct session *session, struct inquiry_message *out);
void session_records(struct session *session, const struct records_message *records);

/* A command or inquiry is there that was not polled. */
bool session_has_command(const struct session *session);

/* Replies that are not settled yet. */
size_t session_kept(const struct session *session);

#endif

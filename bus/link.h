/* link.h - a connection to the orchestrator that comes again by itself.
 *
 * Whoever uses it says what is to go and takes what comes; the link connects,
 * moves the bytes and, after the connection was lost, waits a little before it
 * tries again: 10 ms, then twice as long each time, a second at most.
 */
#ifndef SKALD_BUS_LINK_H
#define SKALD_BUS_LINK_H

#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"
#include "bus/socket.h"

enum { LINK_PAUSE_MIN_MS = 10, LINK_PAUSE_MAX_MS = 1000 };

/* What a link asks its user. */
struct link_user {
	/* There is a new connection; it is lost. */
	void (*connected)(void *context);
	void (*lost)(void *context);

	/* What is to go, and how much of it went. */
	struct slice (*output)(void *context);
	void (*sent)(void *context, size_t n);

	/* Bytes came. Anything but OK closes the connection. */
	enum err (*receive)(void *context, struct slice bytes, struct diag *diag);

	/* The connection is good: a later loss is a new one. */
	bool (*welcome)(void *context);

	/* There is something to do for the caller of link_pump: do not wait. */
	bool (*ready)(void *context);
};

struct link {
	const struct link_user *user;
	void *context;
	const struct clock *clock;
	size_t io_max; /* 0: as much as goes */
	int wake_fd;
	int fd;         /* -1: there is no connection */
	int64_t due_ms; /* when the next one is tried */
	int64_t pause_ms;
	struct diag trouble; /* why there is none; empty: there is */
	char path[SOCKET_PATH_MAX];
};

struct link_setup {
	const char *path;
	const struct clock *clock;

	/* Readable when another thread wants link_pump to wait no longer; -1: none
	 * does. */
	int wake_fd;

	/* For tests: read and write no more than this at a time; 0: as much as
	 * goes. */
	size_t io_max;
};

/* ERR_INVALID: the path cannot be one of a socket. */
CHECKED enum err link_init(struct link *link, const struct link_setup *setup,
			   const struct link_user *user, void *context, struct diag *diag);
void link_release(struct link *link);

/* Connect, write, wait up to `timeout_ms` for something to come, read. */
void link_pump(struct link *link, int timeout_ms);

/* One sentence; NULL: there is a connection, and it is good. */
const char *link_trouble(const struct link *link);

#endif

/* bus_local.h - the orchestrator's end of the local bus: a Unix socket.
 *
 * Participants and clients on this machine connect to it (port_local.h,
 * client_local.h, or anybody who speaks docs/protocol.md). The file of the socket
 * is for its owner alone, and is removed when the bus is closed. What the bus
 * keeps is in memory: commands that were not answered are in the orchestrator's
 * store, and replies that were not settled with whoever sent them.
 */
#ifndef SKALD_BUS_BUS_LOCAL_H
#define SKALD_BUS_BUS_LOCAL_H

#include "base/clock.h"
#include "bus/bus.h"
#include "bus/hub.h"

struct bus_local_setup {
	const char *path;
	const char *server; /* told to whoever connects, at most 63 bytes */
	const struct clock *clock;
	const struct hub_limits *limits; /* NULL: hub_default_limits */
	size_t io_max; /* for tests: read and write no more at a time; 0: all */
};

/* The path is copied, the rest is borrowed. ERR_INVALID: the path cannot be that
 * of a socket; ERR_CONFLICT: another process listens there; ERR_IO; ERR_NOMEM. */
CHECKED enum err bus_local_open(const struct bus_local_setup *setup, struct bus **out,
				struct diag *diag);

#endif

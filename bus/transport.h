/* transport.h - where a participant's port comes from, when it is not the local bus.
 *
 * The library for services knows the local bus alone; another library hands it one of
 * these. Both have to be of the same version, as what is inside is no interface.
 */
#ifndef SKALD_BUS_TRANSPORT_H
#define SKALD_BUS_TRANSPORT_H

#include "base/clock.h"
#include "base/log.h"
#include "bus/bus.h"

struct transport_request {
	const char *participant;
	uint32_t window;
	int wake_fd; /* readable: port_pump waits no longer; -1: none */
	const struct clock *clock;
	const struct log *log;
};

struct transport_port {
	struct port *port;

	/* Why nothing comes; NULL: all is well. */
	const char *(*trouble)(const struct port *port);
};

struct skald_transport {
	const char *version; /* of the library that made it */

	/* What the request points at outlives the port. ERR_INVALID, ERR_NOMEM. */
	enum err (*open)(const struct skald_transport *transport,
			 const struct transport_request *request, struct transport_port *out,
			 struct diag *diag);
};

#endif

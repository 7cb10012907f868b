/* port_local.h - a participant's end of the local bus.
 *
 * Connects to the Unix socket of an orchestrator on this machine, and again by
 * itself when the connection is lost. Replies are kept until the orchestrator has
 * stored what follows from them. All is done by port_pump; there is no thread.
 */
#ifndef SKALD_BUS_PORT_LOCAL_H
#define SKALD_BUS_PORT_LOCAL_H

#include "bus/bus.h"
#include "bus/link.h"
#include "bus/session.h"

struct port_local_setup {
	struct link_setup link;
	struct session_setup session;
};

/* Nothing is connected yet: port_pump does. ERR_INVALID: the path or a name is no
 * good; ERR_NOMEM. */
CHECKED enum err port_local_open(const struct port_local_setup *setup, struct port **out,
				 struct diag *diag);

/* Why nothing comes: the orchestrator is not there, or refuses us. NULL: all is
 * well. */
const char *port_local_trouble(const struct port *port);

/* Replies that the orchestrator has not stored yet. */
size_t port_local_unsettled(const struct port *port);

#endif

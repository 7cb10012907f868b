/* bus.h - how messages travel between the orchestrator and its participants.
 *
 * Two ends, each a seam: a bus is the orchestrator's, a port a participant's.
 * Delivery is at least once: a message may come twice, late, after others that
 * were sent later, or (when a process dies) again. Both ends settle what they
 * polled: the orchestrator acknowledges once the outcome is stored, a
 * participant by its reply once its own commit is durable.
 *
 * bus_memory.c keeps both ends in one process. The comments below are the
 * contract; tests/unit/test_bus.c runs it against every implementation.
 */
#ifndef SKALD_BUS_BUS_H
#define SKALD_BUS_BUS_H

#include "base/err.h"
#include "proto/message.h"

struct bus {
	const struct bus_ops *ops;
};

struct bus_ops {
	/* Hand a command over towards its participant. ERR_BUSY: its queue is
	 * full, try again later; ERR_NOMEM. */
	enum err (*send)(struct bus *bus, const struct command_message *command);

	/* The next reply; false: none is there now. Valid until acknowledge. */
	bool (*poll)(struct bus *bus, struct reply_message *out);

	/* The outcome of everything polled so far is stored. */
	void (*acknowledge)(struct bus *bus);

	void (*close)(struct bus *bus);
};

CHECKED enum err bus_send(struct bus *bus, const struct command_message *command);
bool bus_poll(struct bus *bus, struct reply_message *out);
void bus_acknowledge(struct bus *bus);
void bus_close(struct bus *bus); /* NULL is fine */

struct port {
	const struct port_ops *ops;
};

struct port_ops {
	/* The next command; false: none is there now. Valid until its reply. What
	 * was polled and not answered comes again, not before it returned false. */
	bool (*poll)(struct port *port, struct command_message *out);

	/* Answer a command; it need not come again. ERR_BUSY, ERR_NOMEM: it will
	 * come again. */
	enum err (*reply)(struct port *port, const struct reply_message *reply);

	void (*close)(struct port *port);
};

bool port_poll(struct port *port, struct command_message *out);
CHECKED enum err port_reply(struct port *port, const struct reply_message *reply);
void port_close(struct port *port); /* NULL is fine */

#endif

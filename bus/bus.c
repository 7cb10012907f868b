#include "bus/bus.h"

#include <assert.h>

enum err bus_send(struct bus *bus, const struct command_message *command)
{
	assert(command->id.len && command->participant.len && command->attempt >= 1);
	assert(command->verb == MESSAGE_DO || command->do_id.len);
	return bus->ops->send(bus, command);
}

bool bus_poll(struct bus *bus, struct reply_message *out)
{
	return bus->ops->poll(bus, out);
}

void bus_acknowledge(struct bus *bus)
{
	bus->ops->acknowledge(bus);
}

void bus_close(struct bus *bus)
{
	if (bus)
		bus->ops->close(bus);
}

bool port_poll(struct port *port, struct command_message *out)
{
	return port->ops->poll(port, out);
}

enum err port_reply(struct port *port, const struct reply_message *reply)
{
	assert(reply->id.len && reply->attempt >= 1);
	return port->ops->reply(port, reply);
}

void port_close(struct port *port)
{
	if (port)
		port->ops->close(port);
}

#include "bus/bus.h"

#include <assert.h>

enum err bus_send(struct bus *bus, const struct command_message *command)
{
	assert(command->id.len && command->participant.len && command->attempt >= 1);
	assert(command->verb == MESSAGE_DO || command->do_id.len);
	return bus->ops->send(bus, command);
}

bool bus_poll(struct bus *bus, struct inbox_message *out)
{
	return bus->ops->poll(bus, out);
}

void bus_answer(struct bus *bus, uint64_t origin, const struct result_message *result)
{
	if (origin)
		bus->ops->answer(bus, origin, result);
}

void bus_ended(struct bus *bus, uint64_t origin, struct slice saga_id, struct slice status)
{
	if (origin)
		bus->ops->ended(bus, origin, saga_id, status);
}

void bus_acknowledge(struct bus *bus)
{
	bus->ops->acknowledge(bus);
}

void bus_pump(struct bus *bus)
{
	bus->ops->pump(bus);
}

int bus_fd(struct bus *bus)
{
	return bus->ops->fd(bus);
}

void bus_participants(struct bus *bus,
		      void (*visit)(void *context, const struct bus_participant *participant),
		      void *context)
{
	bus->ops->participants(bus, visit, context);
}

enum err bus_inquire(struct bus *bus, struct slice participant, struct inquiry_message *inquiry,
		     struct diag *diag)
{
	assert(participant.len && (inquiry->n_ids || inquiry->limit));
	return bus->ops->inquire ? bus->ops->inquire(bus, participant, inquiry, diag)
				 : ERR_UNAVAILABLE;
}

bool bus_inquired(struct bus *bus, struct inquired *out)
{
	return bus->ops->inquired && bus->ops->inquired(bus, out);
}

void bus_forget(struct bus *bus, uint64_t request)
{
	if (bus->ops->forget)
		bus->ops->forget(bus, request);
}

bool bus_bury(struct bus *bus, const struct inbox_message *message, struct slice reason,
	      struct slice text)
{
	return bus->ops->bury && bus->ops->bury(bus, message, reason, text);
}

enum err bus_replay(struct bus *bus, const struct dead_letter *letter, struct diag *diag)
{
	if (!bus->ops->replay)
		return diag_set(diag, ERR_INVALID, "this bus has no place to send it to");
	return bus->ops->replay(bus, letter, diag);
}

bool bus_publishes(const struct bus *bus)
{
	return bus->ops->publish != NULL;
}

enum err bus_publish(struct bus *bus, const struct event_message *event)
{
	assert(event->saga_id.len && event->number && event->what.len && event->data.len);
	return bus->ops->publish ? bus->ops->publish(bus, event) : OK;
}

bool bus_crowded(const struct bus *bus)
{
	return bus->ops->crowded && bus->ops->crowded(bus);
}

uint64_t bus_arrived(struct bus *bus, uint64_t batch)
{
	return bus->ops->arrived ? bus->ops->arrived(bus, batch) : batch;
}

bool bus_owned(struct bus *bus, struct shards *out, uint64_t *turn)
{
	return bus->ops->owned && bus->ops->owned(bus, out, turn);
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

void port_pump(struct port *port, int timeout_ms)
{
	port->ops->pump(port, timeout_ms);
}

bool port_inquiry(struct port *port, struct inquiry_message *out)
{
	return port->ops->inquiry && port->ops->inquiry(port, out);
}

void port_records(struct port *port, const struct records_message *records)
{
	port->ops->records(port, records);
}

void port_close(struct port *port)
{
	if (port)
		port->ops->close(port);
}

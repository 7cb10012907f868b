#include "tests/lib/bus_pipe.h"

#include "bus/session.h"

#include <assert.h>
#include <stdlib.h>

struct bus_pipe {
	struct random random;
	struct pipe_faults faults;
	struct hub_limits limits;
	struct hub *hub; /* NULL: nobody has opened the orchestrator's end */
	struct port_pipe *ports;
};

struct bus_end {
	struct bus base; /* first, so that the two pointers are one */
	struct bus_pipe *pipe;
};

struct port_pipe {
	struct port base; /* first, so that the two pointers are one */
	struct bus_pipe *pipe;
	struct port_pipe *next;
	struct session *session;
	struct hub_connection *connection; /* NULL: the pipe is broken */
};

/* --- moving bytes ------------------------------------------------------------------ */

static void break_pipe(struct port_pipe *port)
{
	if (!port->connection)
		return;
	hub_drop(port->pipe->hub, port->connection);
	port->connection = NULL;
	session_lost(port->session);
}

static void mend(struct port_pipe *port)
{
	enum err err;

	if (port->connection || !port->pipe->hub)
		return;
	err = hub_accept(port->pipe->hub, 0, &port->connection);
	if (err)
		port->connection = NULL;
	else
		session_connected(port->session);
}

/* What a move takes of so many bytes. */
static size_t some(struct bus_pipe *pipe, size_t n)
{
	if (n && random_percent(&pipe->random, pipe->faults.short_percent))
		return random_below(&pipe->random, (uint32_t)n) + 1;
	return n;
}

static bool breaks(struct bus_pipe *pipe)
{
	return random_percent(&pipe->random, pipe->faults.break_percent);
}

/* In a block of its own, so that what is kept of it is seen. */
static struct slice cut(struct slice bytes, size_t n)
{
	char *copy = malloc(n + 1);

	assert(copy);
	if (n)
		memcpy(copy, bytes.at, n);
	return (struct slice){copy, n};
}

static void move_in(struct port_pipe *port)
{
	struct bus_pipe *pipe = port->pipe;
	struct slice bytes;
	size_t n;

	if (!port->connection || !hub_wants(pipe->hub, port->connection))
		return;
	bytes = session_output(port->session);
	n = some(pipe, bytes.len);
	bytes = cut(bytes, n);
	session_sent(port->session, n);
	if (breaks(pipe))
		break_pipe(port);
	else
		hub_receive(pipe->hub, port->connection, bytes);
	free((void *)bytes.at);
}

static void move_out(struct port_pipe *port)
{
	struct bus_pipe *pipe = port->pipe;
	struct slice bytes;
	enum err err;
	bool closing;
	size_t n;

	if (!port->connection)
		return;
	closing = hub_closing(port->connection);
	bytes = hub_output(port->connection);
	n = some(pipe, bytes.len);
	bytes = cut(bytes, n);
	hub_sent(pipe->hub, port->connection, n);
	err = session_receive(port->session, bytes, NULL);
	free((void *)bytes.at);
	if (err || closing || breaks(pipe))
		break_pipe(port);
}

static void move_all(struct bus_pipe *pipe)
{
	for (struct port_pipe *port = pipe->ports; port; port = port->next)
		move_in(port);
	if (pipe->hub)
		hub_pump(pipe->hub, 0);
	for (struct port_pipe *port = pipe->ports; port; port = port->next)
		move_out(port);
}

/* --- the orchestrator's end -------------------------------------------------------- */

static enum err pipe_send(struct bus *base, const struct command_message *command)
{
	return hub_send(((struct bus_end *)base)->pipe->hub, command);
}

static bool pipe_poll(struct bus *base, struct inbox_message *out)
{
	return hub_poll(((struct bus_end *)base)->pipe->hub, out);
}

static void pipe_answer(struct bus *base, uint64_t origin, const struct result_message *result)
{
	hub_answer(((struct bus_end *)base)->pipe->hub, origin, result);
}

static void pipe_ended(struct bus *base, uint64_t origin, struct slice saga_id,
		       struct slice status)
{
	hub_ended(((struct bus_end *)base)->pipe->hub, origin, saga_id, status);
}

static void pipe_acknowledge(struct bus *base)
{
	hub_acknowledge(((struct bus_end *)base)->pipe->hub);
}

static void pipe_pump(struct bus *base)
{
	move_all(((struct bus_end *)base)->pipe);
}

static int pipe_fd(struct bus *base)
{
	return -1;
}

static void pipe_participants(struct bus *base,
			      void (*visit)(void *context,
					    const struct bus_participant *participant),
			      void *context)
{
	hub_participants(((struct bus_end *)base)->pipe->hub, visit, context);
}

static enum err pipe_inquire(struct bus *base, struct slice participant,
			     struct inquiry_message *inquiry, struct diag *diag)
{
	return hub_inquire(((struct bus_end *)base)->pipe->hub, participant, inquiry);
}

static bool pipe_inquired(struct bus *base, struct inquired *out)
{
	return hub_inquired(((struct bus_end *)base)->pipe->hub, out);
}

static void pipe_forget(struct bus *base, uint64_t request)
{
	hub_forget(((struct bus_end *)base)->pipe->hub, request);
}

static void pipe_close(struct bus *base)
{
	struct bus_pipe *pipe = ((struct bus_end *)base)->pipe;

	for (struct port_pipe *port = pipe->ports; port; port = port->next)
		break_pipe(port);
	hub_free(pipe->hub);
	pipe->hub = NULL;
	free(base);
}

struct bus *bus_pipe_open(struct bus_pipe *pipe)
{
	static const struct bus_ops ops = {
		.send = pipe_send,
		.poll = pipe_poll,
		.answer = pipe_answer,
		.ended = pipe_ended,
		.acknowledge = pipe_acknowledge,
		.pump = pipe_pump,
		.fd = pipe_fd,
		.participants = pipe_participants,
		.inquire = pipe_inquire,
		.inquired = pipe_inquired,
		.forget = pipe_forget,
		.close = pipe_close,
	};
	struct bus_end *end = malloc(sizeof *end);

	assert(!pipe->hub);
	pipe->hub = hub_new("pipe", &pipe->limits);
	assert(end && pipe->hub);
	*end = (struct bus_end){{&ops}, pipe};
	return &end->base;
}

/* --- a participant's end ----------------------------------------------------------- */

static bool pipe_poll_command(struct port *base, struct command_message *out)
{
	return session_poll(((struct port_pipe *)base)->session, out);
}

static enum err pipe_reply(struct port *base, const struct reply_message *reply)
{
	return session_reply(((struct port_pipe *)base)->session, reply);
}

static bool pipe_inquiry(struct port *base, struct inquiry_message *out)
{
	return session_inquiry(((struct port_pipe *)base)->session, out);
}

static void pipe_records(struct port *base, const struct records_message *records)
{
	session_records(((struct port_pipe *)base)->session, records);
}

static void pipe_pump_port(struct port *base, int timeout_ms)
{
	struct port_pipe *port = (struct port_pipe *)base;

	mend(port);
	move_in(port);
	if (port->pipe->hub)
		hub_pump(port->pipe->hub, 0);
	move_out(port);
}

static void pipe_close_port(struct port *base)
{
	struct port_pipe *port = (struct port_pipe *)base;
	struct port_pipe **link = &port->pipe->ports;

	break_pipe(port);
	while (*link != port)
		link = &(*link)->next;
	*link = port->next;
	session_free(port->session);
	free(port);
}

struct port *port_pipe_open(struct bus_pipe *pipe, const char *participant, uint32_t window)
{
	static const struct port_ops ops = {
		.poll = pipe_poll_command,
		.reply = pipe_reply,
		.pump = pipe_pump_port,
		.inquiry = pipe_inquiry,
		.records = pipe_records,
		.close = pipe_close_port,
	};
	const struct session_setup setup = {participant, "pipe", window};
	struct port_pipe *port = malloc(sizeof *port);

	assert(port);
	*port = (struct port_pipe){{&ops}, pipe, pipe->ports, session_new(&setup), NULL};
	assert(port->session);
	pipe->ports = port;
	return &port->base;
}

void port_pipe_break(struct port *port)
{
	break_pipe((struct port_pipe *)port);
}

size_t port_pipe_unsettled(const struct port *port)
{
	return session_kept(((const struct port_pipe *)port)->session);
}

struct bus_pipe *bus_pipe_new(uint64_t seed, struct pipe_faults faults,
			      const struct hub_limits *limits)
{
	struct bus_pipe *pipe = calloc(1, sizeof *pipe);

	assert(pipe);
	pipe->random.state = seed;
	pipe->faults = faults;
	pipe->limits = *limits;
	return pipe;
}

void bus_pipe_free(struct bus_pipe *pipe)
{
	assert(!pipe->hub && !pipe->ports);
	free(pipe);
}

void bus_pipe_set_faults(struct bus_pipe *pipe, struct pipe_faults faults)
{
	pipe->faults = faults;
}

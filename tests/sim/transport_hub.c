#include "tests/sim/transport.h"

#include "bus/session.h"
#include "proto/wire.h"
#include "tests/sim/line.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { RETRY_MS = 500, RETRY_DOUBLINGS = 7, STREAM_BYTES = 8 * 1024 * 1024 };

struct hub_bus {
	struct bus base; /* first, so that the two pointers are one */
	struct hub_transport *transport;
	struct hub *hub;
};

/* Whoever is at the other end of a line. */
enum peer_kind { PEER_PORT, PEER_CLIENT, PEER_VANDAL };

struct peer {
	enum peer_kind kind;
	struct hub_transport *transport;
	struct line *line; /* NULL: there is none */
};

struct hub_port {
	struct port base; /* first, so that the two pointers are one */
	struct peer peer;
	struct session *session;
	uint32_t process;
	uint32_t n_retries; /* since it was greeted */
	int64_t retry_ms;
};

struct hub_transport {
	struct transport base; /* first, so that the two pointers are one */
	struct hub_bus *bus;   /* the newest; NULL: nobody listens */
	struct line *lines;
	struct {
		struct peer peer;
		struct stream in, out;
		struct arena arena;
		bool welcome;
	} client;
	struct peer vandal; /* the newest one */
};

static void pump_client(struct hub_transport *transport);

static struct hub_port *port_of(struct peer *peer)
{
	return (struct hub_port *)((char *)peer - offsetof(struct hub_port, peer));
}

/* --- lines -------------------------------------------------------------------------- */

static void woken(struct line *line, enum line_end end)
{
	const struct transport_user *user = &line->transport->setup.user;
	struct peer *peer = line->owners[LINE_PEER];

	if (end == LINE_HUB) {
		user->orchestrator_woken(user->context, line->owners[LINE_HUB]);
		return;
	}
	switch (peer->kind) {
	case PEER_PORT: user->process_woken(user->context, port_of(peer)->process); return;
	case PEER_CLIENT: pump_client(peer->transport); return;
	case PEER_VANDAL: return;
	}
}

static void hang_up(struct peer *peer)
{
	if (peer->line)
		line_leave(peer->line, LINE_PEER);
	peer->line = NULL;
}

/* False: nobody listens. */
static bool connect_peer(struct peer *peer)
{
	struct hub_transport *transport = peer->transport;

	if (!transport->bus)
		return false;
	peer->line = line_new(&transport->base, transport->lines);
	peer->line->woken = woken;
	peer->line->owners[LINE_HUB] = transport->bus;
	peer->line->owners[LINE_PEER] = peer;
	transport->lines = peer->line;
	return true;
}

/* --- the orchestrator's end --------------------------------------------------------- */

static void drop(struct hub_bus *bus, struct line *line)
{
	if (line->connection)
		hub_drop(bus->hub, line->connection);
	line->connection = NULL;
	line_leave(line, LINE_HUB);
}

static void read_line(struct hub_bus *bus, struct line *line)
{
	struct random *random = bus->transport->base.setup.random;
	int64_t now_ms = bus->transport->base.setup.clock->monotonic_ms;
	struct slice bytes;

	if (!line->connection && hub_accept(bus->hub, now_ms, &line->connection)) {
		drop(bus, line);
		return;
	}
	while ((bytes = line_arrived(line, LINE_HUB)).len &&
	       hub_wants(bus->hub, line->connection)) {
		if (random_percent(random, 10))
			bytes.len = 1 + random_below(random, (uint32_t)bytes.len);
		hub_receive(bus->hub, line->connection, bytes);
		line_taken(line, LINE_HUB, bytes.len);
	}
	if (line->ways[LINE_HUB].over && !bytes.len)
		drop(bus, line);
}

static void write_line(struct hub_bus *bus, struct line *line)
{
	struct slice bytes = hub_output(line->connection);
	size_t n = bytes.len ? line_send(line, LINE_PEER, bytes) : 0;

	if (n)
		hub_sent(bus->hub, line->connection, n);
	if (hub_closing(line->connection))
		drop(bus, line);
}

static void clear_away(struct hub_transport *transport)
{
	struct line **link = &transport->lines;

	while (*link) {
		struct line *line = *link;

		if (!line_is_gone(line)) {
			link = &line->next;
			continue;
		}
		*link = line->next;
		line_free(line);
	}
}

static void hub_bus_pump(struct bus *base)
{
	struct hub_bus *bus = (struct hub_bus *)base;
	struct line *line;

	clear_away(bus->transport);
	for (line = bus->transport->lines; line; line = line->next)
		if (line->owners[LINE_HUB] == bus)
			read_line(bus, line);
	hub_pump(bus->hub, bus->transport->base.setup.clock->monotonic_ms);
	for (line = bus->transport->lines; line; line = line->next)
		if (line->owners[LINE_HUB] == bus && line->connection)
			write_line(bus, line);
}

static enum err hub_bus_send(struct bus *base, const struct command_message *command)
{
	return hub_send(((struct hub_bus *)base)->hub, command);
}

static bool hub_bus_poll(struct bus *base, struct inbox_message *out)
{
	return hub_poll(((struct hub_bus *)base)->hub, out);
}

static void hub_bus_answer(struct bus *base, uint64_t origin,
			   const struct result_message *result)
{
	hub_answer(((struct hub_bus *)base)->hub, origin, result);
}

static void hub_bus_ended(struct bus *base, uint64_t origin, struct slice saga_id,
			  struct slice status)
{
	hub_ended(((struct hub_bus *)base)->hub, origin, saga_id, status);
}

static void hub_bus_acknowledge(struct bus *base)
{
	(void)hub_acknowledge(((struct hub_bus *)base)->hub);
}

static int hub_bus_fd(struct bus *base)
{
	return -1;
}

static void hub_bus_participants(struct bus *base,
				 void (*visit)(void *context,
					       const struct bus_participant *participant),
				 void *context)
{
	hub_participants(((struct hub_bus *)base)->hub, visit, context);
}

static void leave_all(struct hub_bus *bus)
{
	for (struct line *line = bus->transport->lines; line; line = line->next)
		if (line->owners[LINE_HUB] == bus)
			drop(bus, line);
}

static void hub_bus_close(struct bus *base)
{
	struct hub_bus *bus = (struct hub_bus *)base;

	leave_all(bus);
	hub_free(bus->hub);
	if (bus->transport->bus == bus)
		bus->transport->bus = NULL;
	free(bus);
}

static struct bus *hub_open_bus(struct transport *base)
{
	static const struct bus_ops ops = {
		.send = hub_bus_send,
		.poll = hub_bus_poll,
		.answer = hub_bus_answer,
		.ended = hub_bus_ended,
		.acknowledge = hub_bus_acknowledge,
		.pump = hub_bus_pump,
		.fd = hub_bus_fd,
		.participants = hub_bus_participants,
		.close = hub_bus_close,
	};
	struct hub_transport *transport = (struct hub_transport *)base;
	struct hub_bus *bus = calloc(1, sizeof *bus);

	assert(bus);
	if (transport->bus) /* it is frozen: whoever was connected looks for another */
		leave_all(transport->bus);
	bus->base.ops = &ops;
	bus->transport = transport;
	bus->hub = hub_new("sim", base->setup.limits);
	assert(bus->hub);
	transport->bus = bus;
	return &bus->base;
}

/* --- a participant's end ------------------------------------------------------------ */

static bool hub_port_poll(struct port *base, struct command_message *out)
{
	return session_poll(((struct hub_port *)base)->session, out);
}

static enum err hub_port_reply(struct port *base, const struct reply_message *reply)
{
	return session_reply(((struct hub_port *)base)->session, reply);
}

static void wake_port(void *context, uint64_t argument)
{
	const struct transport_user *user = &((struct transport *)context)->setup.user;

	user->process_woken(user->context, (uint32_t)argument);
}

static void try_later(struct hub_port *port)
{
	const struct transport_setup *setup = &port->peer.transport->base.setup;
	int64_t now_ms = setup->clock->monotonic_ms;

	port->retry_ms = now_ms + 1 + random_below(setup->random, RETRY_MS << port->n_retries);
	port->n_retries += port->n_retries < RETRY_DOUBLINGS;
	agenda_add(setup->agenda, port->retry_ms, wake_port, port->peer.transport,
		   port->process);
}

static void lose_line(struct hub_port *port, const char *why)
{
	struct diary *diary = port->peer.transport->base.setup.diary;

	diary_write(diary, "process %u has lost its line%s%s", (unsigned)port->process,
		    *why ? ": " : "", why);
	session_lost(port->session);
	hang_up(&port->peer);
	try_later(port);
}

static void read_session(struct hub_port *port)
{
	struct line *line = port->peer.line;
	struct slice bytes = line_arrived(line, LINE_PEER);
	struct diag diag = {{0}};
	enum err err = OK;

	if (bytes.len) {
		err = session_receive(port->session, bytes, &diag);
		line_taken(line, LINE_PEER, bytes.len);
	}
	if (session_welcome(port->session))
		port->n_retries = 0;
	if (err || line->ways[LINE_PEER].over)
		lose_line(port, diag.text);
}

static void hub_port_pump(struct port *base, int timeout_ms)
{
	struct hub_port *port = (struct hub_port *)base;
	struct slice bytes;
	size_t n;

	if (port->peer.line)
		read_session(port);
	if (!port->peer.line) {
		if (port->peer.transport->base.setup.clock->monotonic_ms < port->retry_ms)
			return;
		if (!connect_peer(&port->peer)) {
			try_later(port);
			return;
		}
		session_connected(port->session);
	}
	while ((bytes = session_output(port->session)).len) {
		n = line_send(port->peer.line, LINE_HUB, bytes);
		session_sent(port->session, n);
		if (n < bytes.len)
			break;
	}
}

static void hub_port_close(struct port *base)
{
	struct hub_port *port = (struct hub_port *)base;

	hang_up(&port->peer);
	session_free(port->session);
	free(port);
}

static struct port *hub_open_port(struct transport *transport, const char *participant,
				  uint32_t process)
{
	static const struct port_ops ops = {
		.poll = hub_port_poll,
		.reply = hub_port_reply,
		.pump = hub_port_pump,
		.close = hub_port_close,
	};
	const struct session_setup setup = {participant, "sim", transport->setup.window};
	struct hub_port *port = calloc(1, sizeof *port);

	assert(port);
	port->base.ops = &ops;
	port->peer = (struct peer){PEER_PORT, (struct hub_transport *)transport, NULL};
	port->session = session_new(&setup);
	port->process = process;
	assert(port->session);
	return &port->base;
}

/* --- the client --------------------------------------------------------------------- */

static void take_frame(struct hub_transport *transport, const struct frame *frame)
{
	const struct transport_user *user = &transport->base.setup.user;

	switch (frame->type) {
	case FRAME_WELCOME: transport->client.welcome = true; return;
	case FRAME_RESULT:
		user->result(user->context, (uint32_t)frame->request, &frame->result);
		return;
	case FRAME_ENDED:
		user->ended(user->context, frame->ended.saga_id, frame->ended.status);
		return;
	default:
		if (frame->type != FRAME_REFUSE)
			diary_fault(transport->base.setup.diary,
				    "the hub sends a client a frame of type %d", frame->type);
	}
}

static void read_frames(struct hub_transport *transport)
{
	struct stream *in = &transport->client.in;
	struct slice bytes;
	struct frame frame;

	while (!wire_first(stream_slice(in), &bytes)) {
		arena_reset(&transport->client.arena);
		if (wire_read(bytes, &transport->client.arena, &frame, NULL))
			diary_fault(transport->base.setup.diary,
				    "the hub sends a client a frame that cannot be read");
		else
			take_frame(transport, &frame);
		stream_take(in, WIRE_LENGTH_SIZE + bytes.len);
	}
}

static void write_client(struct hub_transport *transport)
{
	struct stream *out = &transport->client.out;
	struct slice bytes = stream_slice(out);

	if (bytes.len)
		stream_take(out, line_send(transport->client.peer.line, LINE_HUB, bytes));
}

static void lose_client(struct hub_transport *transport)
{
	hang_up(&transport->client.peer);
	stream_clear(&transport->client.in);
	stream_clear(&transport->client.out);
	transport->client.welcome = false;
}

static void pump_client(struct hub_transport *transport)
{
	struct line *line = transport->client.peer.line;
	struct slice bytes = line_arrived(line, LINE_PEER);

	stream_tidy(&transport->client.in);
	bytes_append(&transport->client.in.bytes, bytes);
	line_taken(line, LINE_PEER, bytes.len);
	read_frames(transport);
	if (line->ways[LINE_PEER].over)
		lose_client(transport);
	else
		write_client(transport);
}

/* Ready to ask; otherwise it makes itself ready. */
static bool client_ready(struct hub_transport *transport)
{
	const struct frame hello = {.type = FRAME_HELLO,
				    .hello = {WIRE_VERSION, {0}, 0, SLICE_LITERAL("client")}};

	if (!transport->client.peer.line && connect_peer(&transport->client.peer)) {
		stream_tidy(&transport->client.out);
		if (wire_write(&hello, &transport->client.out.bytes, NULL))
			assert(!"a hello");
		write_client(transport);
	}
	return transport->client.welcome;
}

static bool ask(struct hub_transport *transport, const struct frame *frame)
{
	enum err err;

	if (!client_ready(transport))
		return false;
	stream_tidy(&transport->client.out);
	err = wire_write(frame, &transport->client.out.bytes, NULL);
	assert(!err);
	write_client(transport);
	return true;
}

static bool hub_start(struct transport *transport, uint32_t request,
		      const struct start_message *start)
{
	return ask((struct hub_transport *)transport, &(struct frame){.type = FRAME_START,
								      .request = request,
								      .watch = true,
								      .start = *start});
}

static bool hub_signal(struct transport *transport, uint32_t request,
		       const struct signal_message *signal)
{
	return ask(
		(struct hub_transport *)transport,
		&(struct frame){.type = FRAME_SIGNAL, .request = request, .signal = *signal});
}

/* --- what breaks -------------------------------------------------------------------- */

/* Any line that is whole, each as likely. */
static void hub_cut(struct transport *base)
{
	struct hub_transport *transport = (struct hub_transport *)base;
	struct line *chosen = NULL;
	uint32_t n = 0;

	for (struct line *line = transport->lines; line; line = line->next)
		if (!line->cut && !random_below(base->setup.random, ++n))
			chosen = line;
	if (!chosen)
		return;
	diary_write(base->setup.diary, "a line breaks");
	line_break(chosen);
}

static void write_frame(struct bytes *out, const struct frame *frame)
{
	if (wire_write(frame, out, NULL))
		assert(!"a frame");
}

/* A participant whom nobody knows, with answers that nobody asked for; a client
 * with bytes that are none of ours; or nothing at all. */
static void hub_vandalize(struct transport *base, struct slice saga_id)
{
	struct hub_transport *transport = (struct hub_transport *)base;
	struct bytes out = BYTES(STREAM_BYTES, NULL);
	struct frame hello = {.type = FRAME_HELLO,
			      .hello = {WIRE_VERSION, SLICE_LITERAL("vandal"), 1, {0}}};
	struct reply_message reply = {
		.attempt = 1, .outcome = MESSAGE_OK, .output = SLICE_LITERAL("{]")};
	char id[WIRE_ID_MAX];

	hang_up(&transport->vandal);
	if (!connect_peer(&transport->vandal))
		return;
	snprintf(id, sizeof id, "%.*s/nothing#0/0/do", SLICE_ARG(saga_id));
	reply.id = slice_of(id);
	switch (random_below(base->setup.random, 4)) {
	case 0:
		write_frame(&out, &hello);
		write_frame(&out, &(struct frame){.type = FRAME_REPLY, .reply = reply});
		reply.id = SLICE_LITERAL("nobody/x#0/0/do");
		write_frame(&out, &(struct frame){.type = FRAME_REPLY, .reply = reply});
		bytes_text(&out, "and now for something completely different");
		break;
	case 1:
		hello.hello.participant = (struct slice){0};
		write_frame(&out, &hello);
		write_frame(&out, &(struct frame){.type = FRAME_REPLY, .reply = reply});
		break;
	case 2: bytes_text(&out, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); break;
	default: bytes_text(&out, ""); break;
	}
	line_send(transport->vandal.line, LINE_HUB, bytes_slice(&out));
	bytes_release(&out);
}

static void hub_transport_free(struct transport *base)
{
	struct hub_transport *transport = (struct hub_transport *)base;

	lose_client(transport);
	hang_up(&transport->vandal);
	while (transport->lines) {
		struct line *line = transport->lines;

		transport->lines = line->next;
		line_free(line);
	}
	bytes_release(&transport->client.in.bytes);
	bytes_release(&transport->client.out.bytes);
	arena_release(&transport->client.arena);
	free(transport);
}

struct transport *transport_hub_new(const struct transport_setup *setup)
{
	static const struct transport_ops ops = {
		.open_bus = hub_open_bus,
		.open_port = hub_open_port,
		.start = hub_start,
		.signal = hub_signal,
		.cut = hub_cut,
		.vandalize = hub_vandalize,
		.free = hub_transport_free,
	};
	struct hub_transport *transport = calloc(1, sizeof *transport);

	assert(transport);
	transport->base = (struct transport){&ops, *setup};
	transport->client.peer = (struct peer){PEER_CLIENT, transport, NULL};
	transport->client.in = transport->client.out = STREAM(STREAM_BYTES);
	transport->vandal = (struct peer){PEER_VANDAL, transport, NULL};
	return &transport->base;
}

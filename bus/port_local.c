#include "bus/port_local.h"

#include "proto/wire.h"

#include <stdlib.h>

struct port_local {
	struct port base; /* first, so that the two pointers are one */
	struct link link;
	struct session *session;
};

/* --- what the link asks ------------------------------------------------------------ */

static void on_connected(void *context)
{
	session_connected(context);
}

static void on_lost(void *context)
{
	session_lost(context);
}

static struct slice on_output(void *context)
{
	return session_output(context);
}

static void on_sent(void *context, size_t n)
{
	session_sent(context, n);
}

static enum err on_receive(void *context, struct slice bytes, struct diag *diag)
{
	return session_receive(context, bytes, diag);
}

static bool is_welcome(void *context)
{
	return session_welcome(context);
}

static bool is_ready(void *context)
{
	return session_has_command(context);
}

/* --- the port ---------------------------------------------------------------------- */

static bool local_poll(struct port *base, struct command_message *out)
{
	return session_poll(((struct port_local *)base)->session, out);
}

static enum err local_reply(struct port *base, const struct reply_message *reply)
{
	return session_reply(((struct port_local *)base)->session, reply);
}

static void local_pump(struct port *base, int timeout_ms)
{
	link_pump(&((struct port_local *)base)->link, timeout_ms);
}

static bool local_inquiry(struct port *base, struct inquiry_message *out)
{
	return session_inquiry(((struct port_local *)base)->session, out);
}

static void local_records(struct port *base, const struct records_message *records)
{
	session_records(((struct port_local *)base)->session, records);
}

static void local_close(struct port *base)
{
	struct port_local *port = (struct port_local *)base;

	link_release(&port->link);
	session_free(port->session);
	free(port);
}

const char *port_local_trouble(const struct port *port)
{
	return link_trouble(&((const struct port_local *)port)->link);
}

size_t port_local_unsettled(const struct port *port)
{
	return session_kept(((const struct port_local *)port)->session);
}

static enum err check(const struct session_setup *setup, struct diag *diag)
{
	const struct frame hello = {.type = FRAME_HELLO,
				    .hello = {WIRE_VERSION, slice_of(setup->participant),
					      setup->window, slice_of(setup->name),
					      WIRE_NEWEST}};

	if (!*setup->participant || !setup->window)
		return diag_set(diag, ERR_INVALID,
				"a participant has a name, and a window of at least 1");
	return wire_check(&hello, diag);
}

enum err port_local_open(const struct port_local_setup *setup, struct port **out,
			 struct diag *diag)
{
	static const struct port_ops ops = {
		.poll = local_poll,
		.reply = local_reply,
		.pump = local_pump,
		.inquiry = local_inquiry,
		.records = local_records,
		.close = local_close,
	};
	static const struct link_user user = {
		.connected = on_connected,
		.lost = on_lost,
		.output = on_output,
		.sent = on_sent,
		.receive = on_receive,
		.welcome = is_welcome,
		.ready = is_ready,
	};
	struct port_local *port;
	enum err err = check(&setup->session, diag);

	if (err)
		return err;
	port = calloc(1, sizeof *port);
	if (!port)
		return ERR_NOMEM;
	port->base.ops = &ops;
	port->link.fd = -1;
	port->session = session_new(&setup->session);
	err = port->session ? link_init(&port->link, &setup->link, &user, port->session, diag)
			    : ERR_NOMEM;
	if (err) {
		local_close(&port->base);
		return err;
	}
	*out = &port->base;
	return OK;
}

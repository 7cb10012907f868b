#include "tests/lib/tripwire.h"

static bool dead(struct tripwire *wire)
{
	if (!wire->fired && wire->calls_left == 0)
		wire->fired = true;
	else if (wire->calls_left > 0)
		wire->calls_left--;
	return wire->fired;
}

/* --- store ----------------------------------------------------------------------- */

static enum err tripwire_commit(struct store *base, struct saga_write *writes, size_t n)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return dead(wrapper->wire) ? ERR_UNAVAILABLE : store_commit(wrapper->real, writes, n);
}

static enum err tripwire_get(struct store *base, struct slice id, struct arena *arena,
			     struct slice *record)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return dead(wrapper->wire) ? ERR_UNAVAILABLE
				   : store_get(wrapper->real, id, arena, record);
}

static enum err tripwire_load(struct store *base,
			      enum err (*visit)(void *context, struct slice record),
			      void *context)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return dead(wrapper->wire) ? ERR_UNAVAILABLE
				   : store_load(wrapper->real, visit, context);
}

static void tripwire_close_store(struct store *base)
{
}

struct store *store_tripwire_init(struct store_tripwire *wrapper, struct store *real,
				  struct tripwire *wire)
{
	static const struct store_ops ops = {tripwire_commit, tripwire_get, tripwire_load,
					     tripwire_close_store};

	*wrapper = (struct store_tripwire){{&ops}, real, wire};
	return &wrapper->base;
}

/* --- bus ---------------------------------------------------------------------------- */

static enum err tripwire_send(struct bus *base, const struct command_message *command)
{
	struct bus_tripwire *wrapper = (struct bus_tripwire *)base;

	return dead(wrapper->wire) ? ERR_UNAVAILABLE : bus_send(wrapper->real, command);
}

static bool tripwire_poll(struct bus *base, struct reply_message *out)
{
	struct bus_tripwire *wrapper = (struct bus_tripwire *)base;

	return !dead(wrapper->wire) && bus_poll(wrapper->real, out);
}

static void tripwire_acknowledge(struct bus *base)
{
	struct bus_tripwire *wrapper = (struct bus_tripwire *)base;

	if (!dead(wrapper->wire))
		bus_acknowledge(wrapper->real);
}

static void tripwire_close_bus(struct bus *base)
{
}

struct bus *bus_tripwire_init(struct bus_tripwire *wrapper, struct bus *real,
			      struct tripwire *wire)
{
	static const struct bus_ops ops = {tripwire_send, tripwire_poll, tripwire_acknowledge,
					   tripwire_close_bus};

	*wrapper = (struct bus_tripwire){{&ops}, real, wire};
	return &wrapper->base;
}

/* --- port ------------------------------------------------------------------------------ */

static bool tripwire_poll_command(struct port *base, struct command_message *out)
{
	struct port_tripwire *wrapper = (struct port_tripwire *)base;

	return !dead(wrapper->wire) && port_poll(wrapper->real, out);
}

static enum err tripwire_reply(struct port *base, const struct reply_message *reply)
{
	struct port_tripwire *wrapper = (struct port_tripwire *)base;

	return dead(wrapper->wire) ? ERR_UNAVAILABLE : port_reply(wrapper->real, reply);
}

static void tripwire_close_port(struct port *base)
{
}

struct port *port_tripwire_init(struct port_tripwire *wrapper, struct port *real,
				struct tripwire *wire)
{
	static const struct port_ops ops = {tripwire_poll_command, tripwire_reply,
					    tripwire_close_port};

	*wrapper = (struct port_tripwire){{&ops}, real, wire};
	return &wrapper->base;
}

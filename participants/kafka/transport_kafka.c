/* transport_kafka.c - skald/kafka.h: options as a host has them, to a port. */
#include "base/arena.h"
#include "bus/kafka/port_kafka.h"
#include "bus/transport.h"
#include "skald/kafka.h"

#include <stdio.h>
#include <stdlib.h>

struct transport_kafka {
	struct skald_transport base; /* first, so that the two pointers are one */
	struct kafka_setup setup;
	struct arena arena; /* of all texts */
};

static enum err open_port(const struct skald_transport *base,
			  const struct transport_request *request, struct transport_port *out,
			  struct diag *diag)
{
	const struct transport_kafka *transport = (const struct transport_kafka *)base;
	struct port_kafka_setup setup = {.kafka = transport->setup,
					 .participant = request->participant,
					 .window = request->window,
					 .wake_fd = request->wake_fd};

	setup.kafka.clock = request->clock;
	setup.kafka.log = request->log;
	out->trouble = port_kafka_trouble;
	return port_kafka_open(&setup, &out->port, diag);
}

static enum err copy(struct transport_kafka *transport, const char *text, const char **out)
{
	struct slice copied = {0};

	if (!text)
		return OK;
	if (!arena_copy(&transport->arena, slice_of(text), &copied))
		return ERR_NOMEM;
	*out = copied.at;
	return OK;
}

/* "NAME=VALUE" */
static enum err copy_property(struct transport_kafka *transport, const char *text,
			      struct kafka_property *out, struct diag *diag)
{
	const char *equals = strchr(text, '=');
	struct slice name;

	if (!equals || equals == text)
		return diag_set(diag, ERR_INVALID,
				"a property of librdkafka has no name, or no value; write "
				"NAME=VALUE");
	if (!arena_copy(&transport->arena, (struct slice){text, (size_t)(equals - text)},
			&name))
		return ERR_NOMEM;
	out->name = name.at;
	return copy(transport, equals + 1, &out->value);
}

static enum err copy_properties(struct transport_kafka *transport, const char *const *texts,
				struct diag *diag)
{
	struct kafka_property *properties;
	size_t n = 0;
	enum err err = OK;

	while (texts && texts[n])
		n++;
	properties = arena_array(&transport->arena, n ? n : 1, sizeof *properties);
	if (!properties)
		return ERR_NOMEM;
	for (size_t i = 0; i < n && !err; i++)
		err = copy_property(transport, texts[i], &properties[i], diag);
	transport->setup.properties = properties;
	transport->setup.n_properties = n;
	return err;
}

static enum err copy_options(struct transport_kafka *transport,
			     const skald_kafka_options *options, struct diag *diag)
{
	enum err err = copy(transport, options->brokers, &transport->setup.brokers);

	transport->setup.partitions = options->partitions;
	transport->setup.replication = options->replication;
	if (!err)
		err = copy(transport, options->prefix, &transport->setup.prefix);
	if (!err)
		err = copy_properties(transport, options->properties, diag);
	if (!err)
		err = kafka_setup_check(&transport->setup, diag);
	return err;
}

skald_transport *skald_kafka_transport(const skald_kafka_options *options, skald_error *error)
{
	struct diag diag = {"out of memory for the transport"};
	struct transport_kafka *transport = calloc(1, sizeof *transport);

	if (transport && !copy_options(transport, options, &diag)) {
		transport->base = (struct skald_transport){SKALD_VERSION, open_port};
		return &transport->base;
	}
	if (transport)
		arena_release(&transport->arena);
	free(transport);
	if (error)
		snprintf(error->text, sizeof error->text, "%s", diag.text);
	return NULL;
}

void skald_kafka_free(skald_transport *base)
{
	struct transport_kafka *transport = (struct transport_kafka *)base;

	if (!transport)
		return;
	arena_release(&transport->arena);
	free(transport);
}

#include "tests/lib/local_ends.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

const char local_path[sizeof "bus.sock"] = "bus.sock";

struct bus *local_bus_with(const struct hub_limits *limits, const struct clock *clock)
{
	const struct bus_local_setup setup = {
		.path = local_path, .server = "test", .clock = clock, .limits = limits};
	struct bus *bus = NULL;
	struct diag diag = {""};

	ck_assert_msg(bus_local_open(&setup, &bus, &diag) == OK, "%s", diag.text);
	return bus;
}

struct bus *local_bus(void)
{
	return local_bus_with(NULL, clock_system());
}

struct port *local_port(uint32_t window, const struct clock *clock, int wake_fd)
{
	const struct port_local_setup setup = {
		.link = {.path = local_path, .clock = clock, .wake_fd = wake_fd},
		.session = {.participant = "stock", .name = "test", .window = window}};
	struct port *port = NULL;
	struct diag diag = {""};

	if (port_local_open(&setup, &port, &diag))
		abort();
	return port;
}

enum err local_ask(struct bus *bus, int n, uint32_t attempt)
{
	char id[32], saga_id[16];
	struct command_message command = {.participant = SLICE_LITERAL("stock"),
					  .command = SLICE_LITERAL("take"),
					  .saga = SLICE_LITERAL("order"),
					  .attempt = attempt,
					  .args = SLICE_LITERAL("{\"qty\":2}")};

	snprintf(saga_id, sizeof saga_id, "s%d", n);
	snprintf(id, sizeof id, "s%d/a#0/0/do", n);
	command.id = slice_of(id);
	command.saga_id = slice_of(saga_id);
	return bus_send(bus, &command);
}

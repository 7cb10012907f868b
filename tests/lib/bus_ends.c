#include "tests/lib/bus_ends.h"

#include "bus/bus_local.h"
#include "bus/kafka/bus_kafka.h"
#include "bus/kafka/port_kafka.h"
#include "bus/port_local.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { TRIPS = 12, PAUSE_MS = 1000 };

const char *ends_kafka;

static void make_memory(struct between *between)
{
	between->post = post_new();
	ck_assert(between->post);
}

static struct bus *open_memory(struct between *between)
{
	return bus_memory_open(between->post);
}

static struct port *open_memory_port(struct between *between, const char *participant)
{
	return port_memory_open(between->post, participant);
}

/* The tests' own bus must not promise less than a real one. */
static void make_sim(struct between *between)
{
	between->sim = bus_sim_new(1, (struct sim_faults){0});
}

static struct bus *open_sim(struct between *between)
{
	return bus_sim_open(between->sim);
}

static struct port *open_sim_port(struct between *between, const char *participant)
{
	return port_sim_open(between->sim, participant);
}

static void make_pipe(struct between *between)
{
	between->pipe =
		bus_pipe_new(1, (struct pipe_faults){.short_percent = 30}, &hub_default_limits);
}

static struct bus *open_pipe(struct between *between)
{
	return bus_pipe_open(between->pipe);
}

static struct port *open_pipe_port(struct between *between, const char *participant)
{
	return port_pipe_open(between->pipe, participant, WINDOW);
}

static void make_local(struct between *between)
{
	folder_enter();
	clock_sim_init(&between->clock, 1700000000000);
}

/* A socket that takes few bytes at a time gives bugs a chance. */
static void make_narrow(struct between *between)
{
	make_local(between);
	between->io_max = 7;
}

static struct bus *open_local(struct between *between)
{
	const struct bus_local_setup setup = {.path = "bus.sock",
					      .server = "test",
					      .clock = &between->clock.base,
					      .io_max = between->io_max};
	struct bus *bus = NULL;
	struct diag diag = {""};

	ck_assert_msg(bus_local_open(&setup, &bus, &diag) == OK, "%s", diag.text);
	return bus;
}

static struct port *open_local_port(struct between *between, const char *participant)
{
	const struct port_local_setup setup = {
		.link = {.path = "bus.sock",
			 .clock = &between->clock.base,
			 .wake_fd = -1,
			 .io_max = between->io_max},
		.session = {.participant = participant, .name = "test", .window = WINDOW}};
	struct port *port = NULL;
	struct diag diag = {""};

	ck_assert_msg(port_local_open(&setup, &port, &diag) == OK, "%s", diag.text);
	return port;
}

/* One partition, as the tests ask what comes in which order. */
static void make_kafka(struct between *between)
{
	kafka_prefix(between->prefix);
	between->brokers = ends_kafka;
}

static void make_mock(struct between *between)
{
	static const char *const topics[] = {
		"inbox",       "dead",     "events",   "records",       "cmd.stock",
		"cmd.stock-2", "cmd.late", "cmd.away", "inquiry.stock", NULL};

	kafka_prefix(between->prefix);
	kafka_mock_start(&between->mock, between->prefix, topics, 1);
	between->brokers = between->mock.brokers;
}

static struct kafka_setup kafka_setup(const struct between *between)
{
	return (struct kafka_setup){.brokers = between->brokers,
				    .prefix = between->prefix,
				    .partitions = 1,
				    .clock = clock_system()};
}

static struct bus *open_kafka(struct between *between)
{
	const struct bus_kafka_setup setup = {.kafka = kafka_setup(between),
					      .blind = between->mock.rk != NULL};
	struct bus *bus = NULL;
	struct diag diag = {""};

	ck_assert_msg(bus_kafka_open(&setup, &bus, &diag) == OK, "%s", diag.text);
	return bus;
}

static struct port *open_kafka_port(struct between *between, const char *participant)
{
	const struct port_kafka_setup setup = {.kafka = kafka_setup(between),
					       .participant = participant,
					       .window = WINDOW,
					       .wake_fd = -1};
	struct port *port = NULL;
	struct diag diag = {""};

	ck_assert_msg(port_kafka_open(&setup, &port, &diag) == OK, "%s", diag.text);
	return port;
}

static const struct implementation implementations[] = {
	{"memory", make_memory, open_memory, open_memory_port, true, true, false},
	{"sim", make_sim, open_sim, open_sim_port, false, false, false},
	{"pipe", make_pipe, open_pipe, open_pipe_port, true, true, false},
	{"local", make_local, open_local, open_local_port, true, true, false},
	{"local, a few bytes at a time", make_narrow, open_local, open_local_port, true, true,
	 false},
	{"kafka", make_kafka, open_kafka, open_kafka_port, true, true, true},
	{"kafka's mock", make_mock, open_kafka, open_kafka_port, true, true, true},
};

static void advance(int64_t *at, int64_t to)
{
	*at = *at < to ? to : *at;
}

/* Nobody knows how long it takes: until all is there that was sent. */
static bool arrived(struct ends *ends)
{
	struct between *between = &ends->between;
	bool other = true;

	advance(&between->inbox_end, port_kafka_end(ends->port));
	advance(&between->stock_end, bus_kafka_end(ends->bus, SLICE_LITERAL("stock")));
	if (ends->other)
		other = port_kafka_idle(
			ends->other, bus_kafka_end(ends->bus, SLICE_LITERAL("stock-2")) +
					     bus_kafka_end(ends->bus, SLICE_LITERAL("late")));
	return bus_kafka_idle(ends->bus, between->inbox_end) &&
	       port_kafka_idle(ends->port, between->stock_end) && other;
}

static void travel_kafka(struct ends *ends)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + KAFKA_MS;
	bool done = false;

	while (!done && clock_monotonic_ms(clock_system()) < end_ms) {
		bus_pump(ends->bus);
		if (ends->other)
			port_pump(ends->other, 0);
		port_pump(ends->port, KAFKA_TURN_MS);
		done = arrived(ends);
	}
	ck_assert_msg(done, "what was sent does not arrive");
}

void ends_travel(struct ends *ends)
{
	if (ends->implementation->kafka) {
		travel_kafka(ends);
		return;
	}
	for (int i = 0; i < TRIPS; i++) {
		clock_sim_advance(&ends->between.clock, PAUSE_MS);
		port_pump(ends->port, 0);
		if (ends->other)
			port_pump(ends->other, 0);
		bus_pump(ends->bus);
	}
}

void ends_open(struct ends *ends, int i)
{
	*ends = (struct ends){.implementation = &implementations[i]};
	ends->implementation->make(&ends->between);
	if (ends->implementation->kafka) { /* both find their groups at the same time */
		ends->port = ends->implementation->open_port(&ends->between, "stock");
		port_pump(ends->port, 0);
	}
	ends->bus = ends->implementation->open(&ends->between);
	if (!ends->port)
		ends->port = ends->implementation->open_port(&ends->between, "stock");
	ck_assert(ends->bus && ends->port);
}

void ends_close(struct ends *ends)
{
	bus_close(ends->bus);
	port_close(ends->port);
	port_close(ends->other);
	post_free(ends->between.post);
	if (ends->between.sim)
		bus_sim_free(ends->between.sim);
	if (ends->between.pipe)
		bus_pipe_free(ends->between.pipe);
	if (ends->between.mock.rk)
		kafka_mock_stop(&ends->between.mock);
	if (ends->implementation->make == make_local ||
	    ends->implementation->make == make_narrow)
		folder_leave();
}

void ends_reopen_bus(struct ends *ends)
{
	bus_close(ends->bus);
	ends->bus = ends->implementation->open(&ends->between);
	ck_assert(ends->bus);
}

void ends_reopen_port(struct ends *ends)
{
	port_close(ends->port);
	ends->port = ends->implementation->open_port(&ends->between, "stock");
	ck_assert(ends->port);
}

void ends_add_loop(TCase *tcase, const TTest *test)
{
	int mock = ROWS(implementations) - 1;

	tcase_add_loop_test(tcase, test, 0, mock - !ends_kafka);
	if (!ends_kafka)
		tcase_add_loop_test(tcase, test, mock, mock + 1);
}

/* bench_bus.c - how many commands a second go over the local bus and back.
 *
 *	make bench-bus
 *	build/release/bench/bench_bus [COMMANDS [INFLIGHT [PROCESSES]]]
 *
 * The hub runs in this process, and so many processes of one participant answer
 * at once whatever they are asked. There is no engine and no store: what is
 * measured is framing, sharing out, sockets and the participant's session.
 */
#include "bus/bus_local.h"
#include "bus/port_local.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_MAX = 16, WINDOW = 1000 };

static const char args[] = "{\"order_id\":\"order-000017\",\"sku\":\"WINE-BX-6\",\"qty\":2,"
			   "\"total\":119.80,\"email\":\"ada@example.org\"}";

static void fail(const char *what)
{
	fprintf(stderr, "bench_bus: %s\n", what);
	exit(EXIT_FAILURE);
}

static double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double cpu_s(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

static double now_s(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- the participant --------------------------------------------------------------- */

/* Until the orchestrator, which it had found, is gone. */
static void answer_all(const char *path)
{
	const struct port_local_setup setup = {
		.link = {.path = path, .clock = clock_system(), .wake_fd = -1},
		.session = {.participant = "echo", .name = "bench", .window = WINDOW}};
	struct command_message command;
	struct port *port;
	bool found = false;

	if (port_local_open(&setup, &port, NULL))
		_exit(EXIT_FAILURE);
	while (!found || !port_local_trouble(port)) {
		port_pump(port, 1000);
		found |= !port_local_trouble(port);
		while (port_poll(port, &command)) {
			struct reply_message reply = {
				.id = command.id,
				.attempt = command.attempt,
				.output = SLICE_LITERAL("{\"id\":\"r-20251121-000017\"}")};

			if (port_reply(port, &reply))
				_exit(EXIT_FAILURE);
		}
	}
	port_close(port);
	_exit(EXIT_SUCCESS);
}

/* --- the orchestrator -------------------------------------------------------------- */

static bool send_one(struct bus *bus, size_t n)
{
	char id[64], saga[32];
	int saga_len = snprintf(saga, sizeof saga, "order-%06zu", n);
	int id_len = snprintf(id, sizeof id, "%s/reserve#0/0/do", saga);
	struct command_message command = {
		.id = {id, (size_t)id_len},
		.participant = SLICE_LITERAL("echo"),
		.command = SLICE_LITERAL("reserve"),
		.saga_id = {saga, (size_t)saga_len},
		.saga = SLICE_LITERAL("order"),
		.attempt = 1,
		.first_ms = 1700000000000,
		.timeout_ms = 5000,
		.args = slice_of(args),
	};

	return bus_send(bus, &command) == OK;
}

static void run(struct bus *bus, size_t n_commands, size_t inflight)
{
	struct pollfd fd = {.fd = bus_fd(bus), .events = POLLIN};
	struct inbox_message message;
	size_t sent = 0, answered = 0;

	while (answered < n_commands) {
		size_t before = answered;

		bus_pump(bus);
		while (bus_poll(bus, &message))
			answered++;
		bus_acknowledge(bus);
		while (sent < n_commands && sent - answered < inflight)
			if (!send_one(bus, sent++))
				fail("a command was not taken");
		if (answered == before && poll(&fd, 1, 10000) == 0)
			fail("no answer for 10 s");
	}
}

int main(int argc, char **argv)
{
	size_t commands = argc > 1 ? strtoul(argv[1], NULL, 10) : 500000;
	size_t inflight = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
	size_t processes = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
	char folder[] = "/tmp/bench-bus-XXXXXX", path[64];
	struct bus_local_setup setup = {
		.path = path, .server = "bench", .clock = clock_system()};
	double started, cpu;
	struct diag diag;
	struct bus *bus;

	if (!commands || !inflight || !processes || processes > PROCESSES_MAX)
		fail("usage: bench_bus [COMMANDS [INFLIGHT [PROCESSES, at most 16]]]");
	if (!mkdtemp(folder))
		fail("cannot make a folder in /tmp");
	snprintf(path, sizeof path, "%s/bus.sock", folder);
	if (bus_local_open(&setup, &bus, &diag))
		fail(diag.text);
	for (size_t n = 0; n < processes; n++)
		if (fork() == 0)
			answer_all(path);
	run(bus, 1, 1); /* everything is connected and warm */
	started = now_s();
	cpu = cpu_s(RUSAGE_SELF);
	run(bus, commands, inflight);
	started = now_s() - started;
	cpu = cpu_s(RUSAGE_SELF) - cpu;
	bus_close(bus);
	while (wait(NULL) > 0)
		;
	rmdir(folder);
	printf("%zu commands, %zu in flight, %zu process%s: %.0f commands/s, each %.2f us of "
	       "the "
	       "hub's CPU and %.2f us of the participant's\n",
	       commands, inflight, processes, processes == 1 ? "" : "es",
	       (double)commands / started, cpu * 1e6 / (double)commands,
	       cpu_s(RUSAGE_CHILDREN) * 1e6 / (double)commands);
	return EXIT_SUCCESS;
}

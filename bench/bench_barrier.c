/* bench_barrier.c - how many commands a second a service answers, each durably once.
 *
 *	make bench-barrier
 *	build/release/bench/bench_barrier [COMMANDS [INFLIGHT]]
 *
 * The hub runs in this process, and each of the example services in turn is started
 * as users start it, in a folder of its own: SQLite, WAL, synchronous=FULL, one
 * transaction for all commands that are there. There is no engine and no store.
 * What is counted is the time on the clock, and the service's CPU time for a command
 * from the socket back to the socket: reading, the barrier, the business rows, the
 * commit, the answer. At the end the service's own audit checks its books.
 */
#include "bus/bus_local.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 256, CONNECT_MS = 10000 };

static const struct work {
	const char *participant;
	const char *command;
	const char *step;
	const char *args; /* %zu is the number of the saga */
} works[] = {
	{"inventory", "reserve", "reserve", "{\"sku\":\"WINE-BX-6\",\"qty\":2}"},
	{"inventory", "confirm", "confirm", "{\"reservation\":%zu}"},
	{"payment", "charge", "charge", "{\"amount\":119.80,\"decline\":false}"},
	{"notification", "send", "notify",
	 "{\"to\":\"ada@example.org\",\"template\":\"order-confirmed\",\"receipt\":%zu}"},
};

static char programs[PATH_SIZE]; /* the folder they are in */

static void fail(const char *what)
{
	fprintf(stderr, "bench_barrier: %s\n", what);
	exit(EXIT_FAILURE);
}

static double now_s(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- the service ------------------------------------------------------------------- */

static pid_t start(const char *service, const char *folder, const char *mode)
{
	char program[PATH_SIZE * 2], bus[PATH_SIZE], data[PATH_SIZE];
	const char *run[] = {program, "--bus", bus, "--data", data, NULL};
	const char *audit[] = {program, "audit", "--data", data, NULL};
	const char **argv = strcmp(mode, "audit") ? run : audit;
	char *environment[] = {NULL};
	pid_t pid;

	snprintf(program, sizeof program, "%s/skald-%s", programs, service);
	snprintf(bus, sizeof bus, "local:%s/bus.sock", folder);
	snprintf(data, sizeof data, "%s", folder);
	if (posix_spawn(&pid, program, NULL, NULL, (char *const *)argv, environment))
		fail("cannot start a service; build it with `make`");
	return pid;
}

/* CPU seconds that a process has had so far. */
static double cpu_of(pid_t pid)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time))
		return 0;
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- the orchestrator ---------------------------------------------------------------- */

static bool send_one(struct bus *bus, const struct work *work, size_t n)
{
	char id[80], saga[48], args[160];
	int saga_len = snprintf(saga, sizeof saga, "0198d7b2-%04zx-7%03zx-9a3e-52d1b1a0c9ff",
				n >> 12, n & 0xfff);
	int id_len = snprintf(id, sizeof id, "%s/%s#0/0/do", saga, work->step);
	struct timespec time;
	struct command_message command = {
		.id = {id, (size_t)id_len},
		.participant = slice_of(work->participant),
		.command = slice_of(work->command),
		.saga_id = {saga, (size_t)saga_len},
		.saga = SLICE_LITERAL("order-bench"),
		.attempt = 1,
		.timeout_ms = 10000,
		.args = {args, 0},
	};
	const char *number = strstr(work->args, "%zu");
	int head = number ? (int)(number - work->args) : (int)strlen(work->args);
	int len = number ? snprintf(args, sizeof args, "%.*s%zu%s", head, work->args, n + 1,
				    number + 3)
			 : snprintf(args, sizeof args, "%s", work->args);

	clock_gettime(CLOCK_REALTIME, &time);
	command.first_ms = time.tv_sec * 1000 + time.tv_nsec / 1000000;
	command.args.len = (size_t)len;
	return bus_send(bus, &command) == OK;
}

static void run(struct bus *bus, const struct work *work, size_t from, size_t to,
		size_t inflight)
{
	struct pollfd fd = {.fd = bus_fd(bus), .events = POLLIN};
	struct inbox_message message;
	size_t sent = from, answered = from;

	while (answered < to) {
		size_t before = answered;

		bus_pump(bus);
		while (bus_poll(bus, &message)) {
			if (message.reply.outcome != MESSAGE_OK)
				fail("a command was not answered ok");
			answered++;
		}
		bus_acknowledge(bus);
		while (sent < to && sent - answered < inflight)
			if (!send_one(bus, work, sent++))
				fail("a command was not taken");
		if (answered == before && poll(&fd, 1, CONNECT_MS) == 0)
			fail("no answer for 10 s");
	}
}

static void measure(struct bus *bus, pid_t pid, const struct work *work, size_t commands,
		    size_t inflight)
{
	double started, cpu;

	run(bus, work, 0, 1, 1); /* everything is connected and warm */
	started = now_s();
	cpu = cpu_of(pid);
	run(bus, work, 1, commands, inflight);
	started = now_s() - started;
	cpu = cpu_of(pid) - cpu;
	printf("%-12s %-8s %7.0f commands/s, each %5.2f us of the service's CPU\n",
	       work->participant, work->command, (double)commands / started,
	       cpu * 1e6 / (double)commands);
}

static void end(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		fail("a service did not end well");
}

/* All works of one service, which follow each other. Returns how many they were. */
static size_t measure_service(const struct work *work, size_t n_works, size_t commands,
			      size_t inflight)
{
	char folder[] = "/tmp/bench-barrier-XXXXXX", path[PATH_SIZE], sweep[PATH_SIZE + 16];
	struct bus_local_setup setup = {
		.path = path, .server = "bench", .clock = clock_system()};
	const char *participant = work->participant;
	struct diag diag;
	struct bus *bus;
	size_t n = 0;
	pid_t pid;

	if (!mkdtemp(folder))
		fail("cannot make a folder in /tmp");
	snprintf(path, sizeof path, "%s/bus.sock", folder);
	if (bus_local_open(&setup, &bus, &diag))
		fail(diag.text);
	pid = start(participant, folder, "run");
	for (; n < n_works && !strcmp(work[n].participant, participant); n++)
		measure(bus, pid, &work[n], commands, inflight);
	kill(pid, SIGTERM);
	end(pid);
	bus_close(bus);
	fflush(stdout);
	end(start(participant, folder, "audit"));
	snprintf(sweep, sizeof sweep, "%s/%s.db", folder, participant);
	unlink(sweep);
	snprintf(sweep, sizeof sweep, "%s/%s.guard", folder, participant);
	unlink(sweep);
	rmdir(folder);
	return n;
}

int main(int argc, char **argv)
{
	size_t commands = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	size_t inflight = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
	const char *slash = strrchr(argv[0], '/');
	size_t n = sizeof works / sizeof *works;

	if (commands < 2 || !inflight)
		fail("usage: bench_barrier [COMMANDS [INFLIGHT]]");
	snprintf(programs, sizeof programs, "%.*s/..", slash ? (int)(slash - argv[0]) : 1,
		 slash ? argv[0] : ".");
	printf("%zu commands, %zu in flight\n", commands, inflight);
	fflush(stdout);
	for (size_t i = 0; i < n;)
		i += measure_service(&works[i], n - i, commands, inflight);
	return EXIT_SUCCESS;
}

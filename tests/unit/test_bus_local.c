/* test_bus_local.c - the local bus over real sockets, with several processes. */
#include "bus/client_local.h"
#include "proto/wire.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/folder.h"
#include "tests/lib/local_ends.h"
#include "tests/lib/random.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT SLICE_LITERAL

enum { PATIENCE_MS = 20000 };

/* --- helpers ----------------------------------------------------------------------- */

static enum err try_bus(const char *at, struct diag *diag)
{
	const struct bus_local_setup setup = {
		.path = at, .server = "test", .clock = clock_system()};
	struct bus *bus = NULL;
	enum err err = bus_local_open(&setup, &bus, diag);

	bus_close(bus);
	return err;
}

static struct client_local *open_client(void)
{
	const struct link_setup link = {
		.path = local_path, .clock = clock_system(), .wake_fd = -1};
	struct client_local *client = NULL;

	ck_assert_int_eq(client_local_open(&link, "test", &client, NULL), OK);
	return client;
}

/* A connection without any of our code on this side. */
static int connect_raw(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, local_path, sizeof local_path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience),
			 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void say_raw(int fd, const struct frame *frame)
{
	struct bytes bytes = BYTES(4 * WIRE_FRAME_MAX, NULL);

	ck_assert_int_eq(wire_write(frame, &bytes, NULL), OK);
	ck_assert_int_eq(write(fd, bytes.at, bytes.len), (ssize_t)bytes.len);
	bytes_release(&bytes);
}

/* Everything up to the end, as text; the bus is pumped meanwhile. */
static const char *hear_raw(struct bus *bus, int fd)
{
	static char bytes[4096];
	size_t len = 0;
	ssize_t n = 1;

	for (int i = 0; i < 1000 && len < sizeof bytes - 1 && n; i++) {
		bus_pump(bus);
		n = recv(fd, bytes + len, sizeof bytes - 1 - len, MSG_DONTWAIT);
		if (n < 0 && errno == ECONNRESET)
			n = 0;
		len += n > 0 ? (size_t)n : 0;
	}
	ck_assert_msg(n == 0, "the connection is still open");
	for (size_t i = 0; i < len; i++)
		if (!bytes[i])
			bytes[i] = '.';
	bytes[len] = '\0';
	return bytes;
}

/* Wait as the orchestrator's loop does. */
static bool wait_for(struct bus *bus)
{
	struct pollfd fd = {.fd = bus_fd(bus), .events = POLLIN};

	return poll(&fd, 1, PATIENCE_MS) == 1;
}

static bool is_readable(struct bus *bus)
{
	struct pollfd fd = {.fd = bus_fd(bus), .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static struct bus_participant stock;

static void look_for_stock(void *context, const struct bus_participant *participant)
{
	if (slice_is(participant->name, "stock"))
		stock = *participant;
}

static const struct bus_participant *look(struct bus *bus)
{
	stock = (struct bus_participant){0};
	bus_participants(bus, look_for_stock, NULL);
	return &stock;
}

/* --- the socket's file ------------------------------------------------------------- */

START_TEST(test_the_file_is_for_its_owner_and_goes_with_the_bus)
{
	struct stat status;
	struct bus *bus;

	folder_enter();
	bus = local_bus();
	ck_assert_int_eq(stat(local_path, &status), 0);
	ck_assert(S_ISSOCK(status.st_mode));
	ck_assert_uint_eq(status.st_mode & 0777, 0600);
	bus_close(bus);
	ck_assert_int_eq(stat(local_path, &status), -1);
	folder_leave();
}
END_TEST

START_TEST(test_a_file_that_somebody_else_put_there_stays)
{
	struct stat status;
	struct bus *bus, *other;

	folder_enter();
	bus = local_bus();
	ck_assert_int_eq(unlink(local_path), 0);
	other = local_bus();
	bus_close(bus);
	ck_assert_int_eq(stat(local_path, &status), 0);
	bus_close(other);
	ck_assert_int_eq(stat(local_path, &status), -1);
	folder_leave();
}
END_TEST

START_TEST(test_a_file_that_a_crash_left_is_replaced)
{
	struct port *port;
	struct bus *bus;
	pid_t pid;

	folder_enter();
	pid = fork();
	if (pid == 0) {
		bus = local_bus();
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(access(local_path, F_OK), 0);
	bus = local_bus();
	port = local_port(1, clock_system(), -1);
	port_pump(port, 0);
	bus_pump(bus);
	port_pump(port, 0);
	ck_assert(!port_local_trouble(port));
	port_close(port);
	bus_close(bus);
	folder_leave();
}
END_TEST

START_TEST(test_paths_that_are_no_good)
{
	char text[256], longest[200] = "";
	struct diag diag = {""};
	struct bus *bus;

	folder_enter();
	bus = local_bus();
	ck_assert_int_eq(try_bus(local_path, &diag), ERR_CONFLICT);
	ck_assert_str_eq(diag.text, "another process listens at bus.sock: stop it, or choose "
				    "another path");
	bus_close(bus);
	folder_write("file", "text");
	ck_assert_int_eq(try_bus("file", &diag), ERR_INVALID);
	ck_assert_str_eq(diag.text,
			 "file is there and no socket: remove it, or choose another path");
	ck_assert_int_eq(try_bus("none/bus.sock", &diag), ERR_IO);
	ck_assert_str_eq(diag.text,
			 "cannot listen at none/bus.sock: No such file or directory");
	memset(longest, 'a', 108);
	ck_assert_int_eq(try_bus(longest, &diag), ERR_INVALID);
	snprintf(text, sizeof text,
		 "%s: the path of a socket has 1 to 107 bytes, this has 108: choose a shorter "
		 "one",
		 longest);
	ck_assert_str_eq(diag.text, text);
	longest[107] = '\0';
	ck_assert_int_eq(try_bus(longest, &diag), OK);
	ck_assert_int_eq(try_bus("", &diag), ERR_INVALID);
	folder_leave();
}
END_TEST

/* --- waiting ----------------------------------------------------------------------- */

START_TEST(test_the_descriptor_says_when_there_is_something_to_do)
{
	struct inbox_message message;
	struct reply_message reply = {.id = TEXT("a"), .attempt = 1};
	struct port *port;
	struct bus *bus;

	folder_enter();
	bus = local_bus();
	bus_pump(bus);
	ck_assert(!is_readable(bus));
	port = local_port(1, clock_system(), -1);
	port_pump(port, 0);
	ck_assert(is_readable(bus)); /* somebody knocks, and says hello */
	bus_pump(bus);
	bus_pump(bus);
	ck_assert(!is_readable(bus));
	port_pump(port, 0);
	ck_assert(!is_readable(bus));
	ck_assert_int_eq(local_ask(bus, 1, 1), OK);
	ck_assert(is_readable(bus)); /* there is something to push out */
	bus_pump(bus);
	ck_assert(!is_readable(bus));
	ck_assert_int_eq(port_reply(port, &reply), OK);
	port_pump(port, 0);
	ck_assert(is_readable(bus));
	bus_pump(bus);
	ck_assert(bus_poll(bus, &message));
	ck_assert(!is_readable(bus));
	bus_acknowledge(bus);
	ck_assert(is_readable(bus)); /* "settled" is to go out */
	bus_pump(bus);
	port_pump(port, 0);
	ck_assert_uint_eq(port_local_unsettled(port), 0);
	ck_assert(!is_readable(bus));
	port_close(port);
	ck_assert(is_readable(bus)); /* it has gone */
	bus_pump(bus);
	ck_assert(!is_readable(bus));
	ck_assert_uint_eq(look(bus)->processes, 0);
	bus_close(bus);
	folder_leave();
}
END_TEST

/* The same pump gives what a process leaves to another, and pushes it out. */
START_TEST(test_what_somebody_leaves_goes_on_at_once)
{
	struct command_message command;
	struct port *a, *b;
	struct bus *bus;

	folder_enter();
	bus = local_bus();
	a = local_port(5, clock_system(), -1);
	port_pump(a, 0);
	bus_pump(bus);
	ck_assert_int_eq(local_ask(bus, 1, 1), OK);
	bus_pump(bus);
	b = local_port(5, clock_system(), -1);
	port_pump(b, 0);
	bus_pump(bus);
	bus_pump(bus);
	ck_assert_uint_eq(look(bus)->processes, 2);
	port_close(a);
	bus_pump(bus);
	port_pump(b, 0);
	ck_assert(port_poll(b, &command) && slice_is(command.id, "s1/a#0/0/do"));
	port_close(b);
	bus_close(bus);
	folder_leave();
}
END_TEST

/* --- who breaks the rules ---------------------------------------------------------- */

START_TEST(test_garbage_ends_its_own_connection)
{
	struct command_message command;
	struct port *port;
	struct bus *bus;
	int fd;

	folder_enter();
	bus = local_bus();
	port = local_port(1, clock_system(), -1);
	port_pump(port, 0);
	fd = connect_raw();
	ck_assert_int_eq(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	ck_assert_ptr_nonnull(strstr(hear_raw(bus, fd), "so these are no frames"));
	close(fd);
	ck_assert_int_eq(local_ask(bus, 1, 1), OK);
	bus_pump(bus);
	port_pump(port, 0);
	ck_assert(port_poll(port, &command));
	port_close(port);
	bus_close(bus);
	folder_leave();
}
END_TEST

/* Whatever part of a frame somebody leaves behind. */
START_TEST(test_leaving_in_the_middle_of_a_frame)
{
	const struct frame hello = {.type = FRAME_HELLO,
				    .hello = {1, TEXT("stock"), 5, TEXT("x")}};
	const struct frame reply = {.type = FRAME_REPLY,
				    .reply = {.id = TEXT("s1/a#0/0/do"), .attempt = 1}};
	struct bytes bytes = BYTES(1024, NULL);
	struct inbox_message message;
	struct bus *bus;
	size_t whole;

	folder_enter();
	bus = local_bus();
	ck_assert_int_eq(local_ask(bus, 1, 1), OK);
	ck_assert_int_eq(wire_write(&hello, &bytes, NULL), OK);
	whole = bytes.len;
	ck_assert_int_eq(wire_write(&reply, &bytes, NULL), OK);
	for (size_t len = 0; len < bytes.len; len++) {
		int fd = connect_raw();

		ck_assert_int_eq(write(fd, bytes.at, len), (ssize_t)len);
		bus_pump(bus);
		ck_assert_uint_eq(look(bus)->inflight, len >= whole);
		close(fd);
		bus_pump(bus);
		ck_assert(!bus_poll(bus, &message));
		ck_assert_uint_eq(look(bus)->held, 1);
		ck_assert_uint_eq(look(bus)->processes, 0);
	}
	bytes_release(&bytes);
	bus_close(bus);
	folder_leave();
}
END_TEST

/* What somebody says before he leaves counts. */
START_TEST(test_the_last_words_count)
{
	const struct frame hello = {.type = FRAME_HELLO,
				    .hello = {1, TEXT("stock"), 5, TEXT("x")}};
	const struct frame reply = {.type = FRAME_REPLY,
				    .reply = {.id = TEXT("s1/a#0/0/do"), .attempt = 1}};
	struct inbox_message message;
	struct bus *bus;
	int fd;

	folder_enter();
	bus = local_bus();
	ck_assert_int_eq(local_ask(bus, 1, 1), OK);
	fd = connect_raw();
	say_raw(fd, &hello);
	say_raw(fd, &reply);
	close(fd);
	bus_pump(bus);
	ck_assert(bus_poll(bus, &message));
	ck_assert_uint_eq(look(bus)->inflight + look(bus)->held, 0);
	bus_close(bus);
	folder_leave();
}
END_TEST

START_TEST(test_who_says_no_hello_is_sent_away)
{
	struct clock_sim clock;
	struct bus *bus;
	int fd;

	folder_enter();
	clock_sim_init(&clock, 0);
	bus = local_bus_with(NULL, &clock.base);
	fd = connect_raw();
	bus_pump(bus);
	clock_sim_advance(&clock, hub_default_limits.hello_ms);
	ck_assert_ptr_nonnull(strstr(hear_raw(bus, fd), "no hello came within 10000 ms"));
	close(fd);
	bus_close(bus);
	folder_leave();
}
END_TEST

/* Ten thousand attempts, of which three may be there at once. */
START_TEST(test_too_many_connections_are_turned_away)
{
	struct hub_limits limits = hub_default_limits;
	int guests[3], fd;
	struct bus *bus;

	limits.connections = 3;
	folder_enter();
	bus = local_bus_with(&limits, clock_system());
	for (int i = 0; i < 3; i++) {
		guests[i] = connect_raw();
		bus_pump(bus);
	}
	for (int i = 0; i < 10000; i++) {
		fd = connect_raw();
		bus_pump(bus);
		if (i % 1000 == 0)
			ck_assert_ptr_nonnull(
				strstr(hear_raw(bus, fd),
				       "there are as many connections as there may be"));
		close(fd);
	}
	close(guests[1]);
	bus_pump(bus);
	guests[1] = connect_raw();
	bus_pump(bus);
	say_raw(guests[1], &(struct frame){.type = FRAME_HELLO, .hello = {.version = 9}});
	ck_assert_ptr_nonnull(strstr(hear_raw(bus, guests[1]), "speaks version 1"));
	for (int i = 0; i < 3; i++)
		close(guests[i]);
	bus_close(bus);
	folder_leave();
}
END_TEST

/* A process without descriptors says so, instead of turning in circles. */
START_TEST(test_no_descriptor_is_left)
{
	struct rlimit limit, tight;
	int guest, fds[64], n = 0, fd;
	struct bus *bus;
	bool quiet;

	folder_enter();
	bus = local_bus();
	guest = connect_raw();
	getrlimit(RLIMIT_NOFILE, &limit);
	tight = (struct rlimit){.rlim_cur = (rlim_t)guest + 4, .rlim_max = limit.rlim_max};
	setrlimit(RLIMIT_NOFILE, &tight);
	while (n < 64 && (fd = open("/dev/null", O_RDONLY)) >= 0)
		fds[n++] = fd;
	bus_pump(bus);
	quiet = !is_readable(bus);
	while (n)
		close(fds[--n]);
	setrlimit(RLIMIT_NOFILE, &limit);
	ck_assert(quiet);
	ck_assert_ptr_nonnull(
		strstr(hear_raw(bus, guest), "the orchestrator has no file descriptor left"));
	close(guest);
	bus_close(bus);
	folder_leave();
}
END_TEST

/* --- who does not read ------------------------------------------------------------- */

/* It has more commands than its socket holds; its colleague gets the next ones. */
START_TEST(test_who_does_not_read_holds_nobody_up)
{
	static char args[200 * 1024];
	const struct frame hello = {.type = FRAME_HELLO,
				    .hello = {1, TEXT("stock"), 10000, TEXT("slow")}};
	struct command_message command = {.participant = TEXT("stock"),
					  .command = TEXT("take"),
					  .saga = TEXT("order"),
					  .attempt = 1,
					  .args = {args, sizeof args}};
	struct bus *bus;
	struct port *port;
	int fd, got = 0;

	folder_enter();
	bus = local_bus();
	fd = connect_raw();
	say_raw(fd, &hello);
	bus_pump(bus);
	for (int i = 0; i < 40; i++) {
		char id[16];

		snprintf(id, sizeof id, "s%d", i);
		command.id = command.saga_id = slice_of(id);
		ck_assert_int_eq(bus_send(bus, &command), OK);
		bus_pump(bus);
	}
	ck_assert_uint_gt(look(bus)->held, 10);
	ck_assert_uint_gt(look(bus)->inflight, 2);
	port = local_port(1000, clock_system(), -1);
	for (int i = 0; i < 1000 && look(bus)->held; i++) {
		struct reply_message reply = {.attempt = 1};

		port_pump(port, 0);
		bus_pump(bus);
		while (port_poll(port, &command)) {
			reply.id = command.id;
			ck_assert_int_eq(port_reply(port, &reply), OK);
			got++;
		}
	}
	ck_assert_int_gt(got, 10);
	ck_assert_uint_eq(look(bus)->held, 0);
	ck_assert_uint_eq(look(bus)->processes, 2);
	close(fd);
	port_close(port);
	bus_close(bus);
	folder_leave();
}
END_TEST

/* --- several processes ------------------------------------------------------------- */

enum { PROCESSES = 3, COMMANDS = 3000, INFLIGHT = 300 };

/* A process that answers until the orchestrator is gone, or somebody kills it. */
static pid_t start_process(void)
{
	pid_t pid = fork();
	struct command_message command;
	struct port *port;

	if (pid)
		return pid;
	port = local_port(50, clock_system(), -1);
	for (;;) {
		port_pump(port, 1000);
		while (port_poll(port, &command)) {
			struct reply_message reply = {.id = command.id,
						      .attempt = command.attempt};

			if (port_reply(port, &reply))
				_exit(EXIT_FAILURE);
		}
	}
}

struct run {
	struct bus *bus;
	bool done[COMMANDS];
	int n_done, n_sent;
};

static void take_answers(struct run *run)
{
	struct inbox_message message;
	int n;

	while (bus_poll(run->bus, &message)) {
		ck_assert_int_eq(sscanf(message.reply.id.at, "s%d/", &n), 1);
		ck_assert(n >= 0 && n < run->n_sent);
		run->n_done += !run->done[n];
		run->done[n] = true;
	}
	bus_acknowledge(run->bus);
}

static void ask(struct run *run)
{
	while (run->n_sent < COMMANDS && run->n_sent - run->n_done < INFLIGHT)
		ck_assert_int_eq(local_ask(run->bus, run->n_sent++, 1), OK);
}

START_TEST(test_processes_that_are_killed_lose_nothing)
{
	static struct run run;
	struct random random = {.state = 17};
	pid_t pids[PROCESSES];
	int kills = 0;

	folder_enter();
	run.bus = local_bus();
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = start_process();
	while (run.n_done < COMMANDS) {
		bus_pump(run.bus);
		take_answers(&run);
		ask(&run);
		if (run.n_done > (kills + 1) * COMMANDS / 10) {
			pid_t *pid = &pids[random_below(&random, PROCESSES)];

			kill(*pid, SIGKILL);
			ck_assert_int_eq(waitpid(*pid, NULL, 0), *pid);
			*pid = start_process();
			kills++;
		}
		bus_pump(run.bus);
		take_answers(&run);
		if (run.n_done < COMMANDS)
			ck_assert(wait_for(run.bus));
	}
	ck_assert_int_ge(kills, 8);
	for (int i = 0; i < PROCESSES; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	bus_close(run.bus);
	folder_leave();
}
END_TEST

/* --- opening ----------------------------------------------------------------------- */

START_TEST(test_every_allocation_fails_in_turn)
{
	bool fired = true;

	folder_enter();
	for (size_t n = 0; fired; n++) {
		const struct bus_local_setup bus_setup = {
			.path = local_path, .server = "test", .clock = clock_system()};
		const struct port_local_setup port_setup = {
			.link = {.path = local_path, .clock = clock_system(), .wake_fd = -1},
			.session = {.participant = "stock", .name = "test", .window = 1}};
		struct client_local *client = NULL;
		struct port *port = NULL;
		struct bus *bus = NULL;
		enum err errs[3];

		fail_malloc_at(n);
		errs[0] = bus_local_open(&bus_setup, &bus, NULL);
		errs[1] = port_local_open(&port_setup, &port, NULL);
		errs[2] = client_local_open(&port_setup.link, "test", &client, NULL);
		fired = fail_malloc_off();
		ck_assert_int_eq((errs[0] == ERR_NOMEM) + (errs[1] == ERR_NOMEM) +
					 (errs[2] == ERR_NOMEM),
				 fired);
		ck_assert(!errs[0] == !!bus && !errs[1] == !!port && !errs[2] == !!client);
		port_close(port);
		client_local_close(client);
		bus_close(bus);
		ck_assert_int_eq(access(local_path, F_OK), -1);
	}
	folder_leave();
}
END_TEST

/* While it is at work, too: a turn without memory loses nothing that does not come
 * again. */
START_TEST(test_every_allocation_at_work_fails_in_turn)
{
	bool fired = true;

	folder_enter();
	for (size_t n = 0; fired; n++) {
		const struct start_message start = {.saga = TEXT("order")};
		struct reply_message reply = {.id = TEXT("s1/a#0/0/do"), .attempt = 1};
		struct command_message command;
		struct client_local *client = open_client();
		struct inbox_message message;
		struct clock_sim clock;
		struct port *port;
		bool answered = false;
		struct bus *bus;

		clock_sim_init(&clock, 0);
		port = local_port(1, &clock.base, -1);
		bus = local_bus_with(NULL, &clock.base);
		fail_malloc_at(n);
		for (int i = 0; i < 3; i++) {
			port_pump(port, 0);
			client_local_pump(client, 0);
			bus_pump(bus);
		}
		(void)!client_local_start(client, 1, &start, false, NULL);
		(void)!local_ask(bus, 1, 1);
		bus_pump(bus);
		port_pump(port, 0);
		if (port_poll(port, &command))
			(void)!port_reply(port, &reply);
		fired = fail_malloc_off();
		for (uint32_t attempt = 2; !answered && attempt < 100; attempt++) {
			clock_sim_advance(&clock, LINK_PAUSE_MAX_MS);
			ck_assert_int_eq(local_ask(bus, 1, attempt), OK);
			bus_pump(bus);
			port_pump(port, 0);
			while (port_poll(port, &command)) {
				reply.attempt = command.attempt;
				ck_assert_int_eq(port_reply(port, &reply), OK);
			}
			port_pump(port, 0);
			bus_pump(bus);
			while (bus_poll(bus, &message))
				answered |= message.type == INBOX_REPLY;
		}
		ck_assert(answered);
		port_close(port);
		client_local_close(client);
		bus_close(bus);
	}
	folder_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_the_file_is_for_its_owner_and_goes_with_the_bus);
	tcase_add_test(tcase, test_a_file_that_somebody_else_put_there_stays);
	tcase_add_test(tcase, test_a_file_that_a_crash_left_is_replaced);
	tcase_add_test(tcase, test_paths_that_are_no_good);
	tcase_add_test(tcase, test_the_descriptor_says_when_there_is_something_to_do);
	tcase_add_test(tcase, test_what_somebody_leaves_goes_on_at_once);
	tcase_add_test(tcase, test_garbage_ends_its_own_connection);
	tcase_add_test(tcase, test_leaving_in_the_middle_of_a_frame);
	tcase_add_test(tcase, test_the_last_words_count);
	tcase_add_test(tcase, test_who_says_no_hello_is_sent_away);
	tcase_add_test(tcase, test_too_many_connections_are_turned_away);
	tcase_add_test(tcase, test_no_descriptor_is_left);
	tcase_add_test(tcase, test_who_does_not_read_holds_nobody_up);
	tcase_add_test(tcase, test_processes_that_are_killed_lose_nothing);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_test(tcase, test_every_allocation_at_work_fails_in_turn);
}

int main(void)
{
	return suite_run("bus_local", add);
}

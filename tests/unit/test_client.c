/* test_client.c - what include/skald/client.h promises, over a real socket */
#include "skald/client.h"

#include "bus/bus_local.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- an orchestrator that only talks --------------------------------------------------- */

static struct bus *bus;

static void open_bus(void)
{
	struct bus_local_setup setup = {
		.path = "bus.sock", .server = "test", .clock = clock_system()};

	if (bus_local_open(&setup, &bus, NULL))
		_exit(1);
}

static void hang_up(void)
{
	bus_acknowledge(bus);
	bus_pump(bus);
	bus_close(bus);
	open_bus();
}

/* The name of the saga says what happens:
 *
 *	quick      it is begun, and completed
 *	there      it was there, and is completed
 *	unknown    there is no such saga
 *	silent     nothing is answered
 *	slow       it is begun and does not end
 *	cut        it is begun, then the connection is lost; the second time it ends
 *	deaf       the first time the connection is lost before the answer
 */
static void take_start(const struct inbox_message *message)
{
	static int n_cut, n_deaf;
	const struct start_message *start = &message->start;
	struct result_message result = {.saga_id = start->id.len    ? start->id
						   : start->key.len ? start->key
								    : SLICE_LITERAL("made-1"),
					.status = SLICE_LITERAL("running"),
					.created = true};

	if (slice_is(start->saga, "silent"))
		return;
	if (slice_is(start->saga, "deaf") && n_deaf++ == 0) {
		hang_up();
		return;
	}
	if (slice_is(start->saga, "unknown")) {
		result = (struct result_message){.code = SLICE_LITERAL("unknown-definition"),
						 .text = SLICE_LITERAL("there is none")};
	} else if (slice_is(start->saga, "there")) {
		result.status = SLICE_LITERAL("completed");
		result.created = false;
	}
	result.created = result.created && n_cut == 0;
	bus_answer(bus, message->origin, &result);
	if (message->watch && slice_is(start->saga, "quick"))
		bus_ended(bus, message->origin, result.saga_id, SLICE_LITERAL("completed"));
	if (message->watch && slice_is(start->saga, "deaf"))
		bus_ended(bus, message->origin, result.saga_id, SLICE_LITERAL("completed"));
	if (slice_is(start->saga, "cut")) {
		if (n_cut++ == 0)
			hang_up();
		else
			bus_ended(bus, message->origin, result.saga_id,
				  SLICE_LITERAL("compensated"));
	}
}

static void take_signal(const struct inbox_message *message)
{
	const struct signal_message *signal = &message->signal;
	struct result_message result = {.saga_id = signal->saga_id,
					.status = SLICE_LITERAL("running")};

	if (!slice_is(signal->event, "approved") || !slice_is(signal->payload, "null") ||
	    !slice_is(signal->id, "s-1"))
		result = (struct result_message){.code = SLICE_LITERAL("unknown-saga")};
	bus_answer(bus, message->origin, &result);
}

/* In a process of its own. */
static pid_t orchestrate(void)
{
	struct inbox_message message;
	pid_t pid = fork();

	ck_assert(pid >= 0);
	if (pid)
		return pid;
	open_bus();
	for (;;) {
		struct pollfd fd = {.fd = bus_fd(bus), .events = POLLIN};
		bool idle = true;

		bus_pump(bus);
		while (bus_poll(bus, &message)) {
			idle = false;
			if (message.type == INBOX_START)
				take_start(&message);
			else if (message.type == INBOX_SIGNAL)
				take_signal(&message);
		}
		bus_acknowledge(bus);
		if (idle)
			poll(&fd, 1, 1000);
	}
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- starting ----------------------------------------------------------------------------- */

static const char *const results[] = {"ok", "refused", "unreachable", "unknown", "running"};

static const struct row {
	const char *name;
	skald_start start;
	bool run; /* skald_client_run */
	int timeout_ms;
	const char *expected; /* result, id, status, created, code */
} rows[] = {
	{"a saga is started", {.saga = "quick"}, false, 20000, "ok made-1 running 1 "},
	{"with its id",
	 {.saga = "quick", .id = "order-17"},
	 false,
	 20000,
	 "ok order-17 running 1 "},
	{"with its key", {.saga = "quick", .key = "17"}, false, 20000, "ok 17 running 1 "},
	{"it is there already",
	 {.saga = "there", .id = "a"},
	 false,
	 20000,
	 "ok a completed 0 "},
	{"there is no such saga",
	 {.saga = "unknown"},
	 false,
	 20000,
	 "refused   0 unknown-definition"},
	{"no answer comes", {.saga = "silent"}, false, 50, "unknown   0 "},
	{"the connection is lost before the answer",
	 {.saga = "deaf", .id = "a"},
	 false,
	 20000,
	 "unknown   0 "},
	{"it runs to its end", {.saga = "quick"}, true, 20000, "ok made-1 completed 1 "},
	{"it had ended before", {.saga = "there", .id = "a"}, true, 20000, "ok a completed 0 "},
	{"nothing runs that does not exist",
	 {.saga = "unknown"},
	 true,
	 20000,
	 "refused   0 unknown-definition"},
	{"it does not end in time",
	 {.saga = "slow", .id = "a"},
	 true,
	 700,
	 "running a running 1 "},
	{"the connection is lost while it runs",
	 {.saga = "cut"},
	 true,
	 20000,
	 "ok made-1 compensated 1 "},
	{"the connection is lost before the answer, and there is an id",
	 {.saga = "deaf", .id = "a"},
	 true,
	 20000,
	 "ok a completed 1 "},
	{"the connection is lost before the answer, and there is no id",
	 {.saga = "deaf"},
	 true,
	 20000,
	 "unknown   0 "},
	{"a name that cannot be one", {.saga = ""}, false, 20000, "refused   0 bad-request"},
};

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	skald_client_result result;
	skald_client *client;
	skald_error error;
	skald_saga saga;
	char got[800];
	pid_t pid;

	folder_enter();
	pid = orchestrate();
	client = skald_client_new("local:bus.sock", &error);
	ck_assert_msg(client != NULL, "%s", error.text);
	result = row->run ? skald_client_run(client, &row->start, row->timeout_ms, &saga)
			  : skald_client_start(client, &row->start, row->timeout_ms, &saga);
	snprintf(got, sizeof got, "%s %s %s %d %s", results[result], saga.id, saga.status,
		 saga.created, saga.code);
	ck_assert_msg(!strcmp(got, row->expected), "%s: %s (%s)", row->name, got, saga.text);
	/* The next question is another one. */
	if (result != SKALD_CLIENT_UNKNOWN) {
		skald_start again = {.saga = "quick", .id = "b"};

		ck_assert_int_eq(skald_client_run(client, &again, 20000, &saga),
				 SKALD_CLIENT_OK);
		ck_assert_str_eq(saga.id, "b");
	}
	skald_client_free(client);
	end(pid);
	folder_leave();
}
END_TEST

START_TEST(test_signal)
{
	skald_signal signal = {.saga_id = "a", .event = "approved", .id = "s-1"};
	skald_client *client;
	skald_saga saga;
	pid_t pid;

	folder_enter();
	pid = orchestrate();
	client = skald_client_new("local:bus.sock", NULL);
	ck_assert_int_eq(skald_client_signal(client, &signal, 20000, &saga), SKALD_CLIENT_OK);
	ck_assert_str_eq(saga.id, "a");
	ck_assert_str_eq(saga.status, "running");
	signal.event = "other";
	ck_assert_int_eq(skald_client_signal(client, &signal, 20000, &saga),
			 SKALD_CLIENT_REFUSED);
	ck_assert_str_eq(saga.code, "unknown-saga");
	skald_client_free(client);
	end(pid);
	folder_leave();
}
END_TEST

START_TEST(test_nobody_is_there)
{
	skald_start start = {.saga = "quick"};
	skald_client *client;
	skald_error error;
	skald_saga saga;

	folder_enter();
	ck_assert_ptr_null(skald_client_new("bus.sock", NULL));
	ck_assert_ptr_null(skald_client_new("bus.sock", &error));
	ck_assert_str_eq(error.text,
			 "bus: \"bus.sock\" is none; give local:PATH, with the path "
			 "of the orchestrator's socket");
	client = skald_client_new("local:bus.sock", &error);
	ck_assert_int_eq(skald_client_start(client, &start, 30, &saga),
			 SKALD_CLIENT_UNREACHABLE);
	ck_assert_msg(strstr(saga.text, "bus.sock"), "%s", saga.text);
	skald_client_free(client);
	skald_client_free(NULL);
	folder_leave();
}
END_TEST

START_TEST(test_no_memory)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		skald_error error = {""};
		skald_client *client;

		fail_malloc_at(n);
		client = skald_client_new("local:bus.sock", &error);
		fired = fail_malloc_off();
		ck_assert(fired == !client);
		ck_assert_str_eq(error.text, fired ? "out of memory for the client" : "");
		skald_client_free(client);
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_signal);
	tcase_add_test(tcase, test_nobody_is_there);
	tcase_add_test(tcase, test_no_memory);
}

int main(void)
{
	return suite_run("client", add);
}

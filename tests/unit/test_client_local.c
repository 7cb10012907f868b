/* test_client_local.c - starting and signalling sagas over the local bus. */
#include "bus/bus_local.h"
#include "bus/client_local.h"
#include "proto/wire.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

#define TEXT SLICE_LITERAL

enum { PATIENCE_MS = 20000 };

static const char path[] = "bus.sock";

/* --- helpers ----------------------------------------------------------------------- */

static struct bus *open_bus(void)
{
	const struct bus_local_setup setup = {
		.path = path, .server = "test", .clock = clock_system()};
	struct bus *bus = NULL;
	struct diag diag = {""};

	ck_assert_msg(bus_local_open(&setup, &bus, &diag) == OK, "%s", diag.text);
	return bus;
}

static struct client_local *open_client(void)
{
	const struct link_setup link = {.path = path, .clock = clock_system(), .wake_fd = -1};
	struct client_local *client = NULL;

	ck_assert_int_eq(client_local_open(&link, "test", &client, NULL), OK);
	return client;
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static void go_on(struct bus *bus, struct client_local *client)
{
	for (int i = 0; i < 3; i++) {
		client_local_pump(client, 0);
		bus_pump(bus);
	}
	client_local_pump(client, 0);
}

START_TEST(test_a_client_starts_signals_and_watches)
{
	const struct start_message start = {.saga = TEXT("order"), .id = TEXT("o-1")};
	const struct signal_message signal = {
		.saga_id = TEXT("o-1"), .event = TEXT("go"), .id = TEXT("1")};
	const struct result_message done = {
		.saga_id = TEXT("o-1"), .status = TEXT("running"), .created = true};
	const struct result_message no = {.code = TEXT("not-found"), .text = TEXT("no such")};
	struct inbox_message first, second, message;
	struct client_local *client;
	struct client_event event;
	struct diag diag = {""};
	struct bus *bus;

	folder_enter();
	client = open_client();
	ck_assert_int_eq(client_local_start(client, 7, &start, true, &diag), ERR_UNAVAILABLE);
	ck_assert_str_eq(diag.text, "no connection was tried yet");
	bus = open_bus();
	go_on(bus, client);
	ck_assert_ptr_null(client_local_trouble(client));
	ck_assert_int_eq(client_local_start(client, 7, &start, true, &diag), OK);
	ck_assert_int_eq(client_local_signal(client, 8, &signal, &diag), OK);
	ck_assert_int_eq(client_local_signal(client, 9, &(struct signal_message){0}, &diag),
			 ERR_INVALID);
	ck_assert_str_eq(diag.text, "the signal's saga_id is missing");
	go_on(bus, client);
	ck_assert(bus_poll(bus, &first) && bus_poll(bus, &second) && !bus_poll(bus, &message));
	ck_assert(first.type == INBOX_START && first.watch && first.origin &&
		  slice_is(first.start.saga, "order") && slice_is(first.start.id, "o-1"));
	ck_assert(second.type == INBOX_SIGNAL && slice_is(second.signal.event, "go"));
	bus_answer(bus, second.origin, &no);
	bus_answer(bus, first.origin, &done);
	bus_ended(bus, first.origin, TEXT("o-1"), TEXT("completed"));
	bus_acknowledge(bus);
	go_on(bus, client);
	ck_assert(client_local_poll(client, &event) && event.type == CLIENT_RESULT &&
		  event.request == 8 && slice_is(event.result.code, "not-found") &&
		  slice_is(event.result.text, "no such"));
	ck_assert(client_local_poll(client, &event) && event.type == CLIENT_RESULT &&
		  event.request == 7 && event.result.created && !event.result.code.len &&
		  slice_is(event.result.saga_id, "o-1") &&
		  slice_is(event.result.status, "running"));
	ck_assert(client_local_poll(client, &event) && event.type == CLIENT_ENDED &&
		  slice_is(event.saga_id, "o-1") && slice_is(event.status, "completed"));
	ck_assert(!client_local_poll(client, &event));
	client_local_close(client);
	client_local_close(NULL);
	bus_close(bus);
	folder_leave();
}
END_TEST

START_TEST(test_a_client_is_told_that_its_connection_is_lost)
{
	const struct start_message start = {.saga = TEXT("order")};
	const struct result_message done = {.saga_id = TEXT("o-1")};
	struct inbox_message message;
	struct client_local *client;
	struct client_event event;
	struct bus *bus;

	folder_enter();
	client = open_client();
	bus = open_bus();
	go_on(bus, client);
	ck_assert_int_eq(client_local_start(client, 1, &start, true, NULL), OK);
	ck_assert_int_eq(client_local_start(client, 2, &start, true, NULL), OK);
	go_on(bus, client);
	ck_assert(bus_poll(bus, &message));
	bus_answer(bus, message.origin, &done);
	bus_pump(bus);
	bus_close(bus);
	client_local_pump(client, 0); /* what was said before, and then that it is over */
	client_local_pump(client, 0);
	ck_assert_int_eq(client_local_start(client, 3, &start, true, NULL), ERR_UNAVAILABLE);
	ck_assert(client_local_poll(client, &event) && event.type == CLIENT_RESULT &&
		  event.request == 1);
	ck_assert(client_local_poll(client, &event) && event.type == CLIENT_LOST);
	ck_assert(!client_local_poll(client, &event));
	bus = open_bus();
	for (int64_t end_ms = now_ms() + PATIENCE_MS;
	     client_local_trouble(client) && now_ms() < end_ms;) {
		client_local_pump(client, 10);
		bus_pump(bus);
	}
	ck_assert_int_eq(client_local_start(client, 4, &start, true, NULL), OK);
	go_on(bus, client);
	ck_assert(bus_poll(bus, &message) && message.type == INBOX_START);
	ck_assert(!client_local_poll(client, &event));
	client_local_close(client);
	bus_close(bus);
	folder_leave();
}
END_TEST

/* Requests that the orchestrator does not take in are not piled up for ever. */
START_TEST(test_a_client_is_told_that_the_orchestrator_is_busy)
{
	static char input[WIRE_PAYLOAD_MAX];
	const struct start_message start = {.saga = TEXT("order"),
					    .input = {input, sizeof input}};
	struct client_local *client;
	struct diag diag = {""};
	struct bus *bus;
	enum err err = OK;
	int n;

	folder_enter();
	client = open_client();
	bus = open_bus();
	go_on(bus, client);
	for (n = 0; !err; n++)
		err = client_local_start(client, 1, &start, false, &diag);
	ck_assert_int_eq(err, ERR_BUSY);
	ck_assert_int_le(n, CLIENT_OUTPUT_MAX / WIRE_PAYLOAD_MAX + 2);
	ck_assert_str_eq(diag.text,
			 "the orchestrator is busy: it has not taken 4 MiB of requests");
	client_local_close(client);
	bus_close(bus);
	folder_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_client_starts_signals_and_watches);
	tcase_add_test(tcase, test_a_client_is_told_that_its_connection_is_lost);
	tcase_add_test(tcase, test_a_client_is_told_that_the_orchestrator_is_busy);
}

int main(void)
{
	return suite_run("client_local", add);
}

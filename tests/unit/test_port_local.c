/* test_port_local.c - a participant that loses its orchestrator, and finds it. */
#include "bus/client_local.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/folder.h"
#include "tests/lib/local_ends.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT SLICE_LITERAL

enum { PATIENCE_MS = 20000 };

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

START_TEST(test_a_participant_waits_until_it_is_woken)
{
	int64_t started_ms = now_ms();
	struct port *port;
	struct bus *bus;
	int wake[2];
	char byte;

	folder_enter();
	ck_assert_int_eq(pipe(wake), 0);
	port = local_port(1, clock_system(), wake[0]);
	port_pump(port, 1);
	ck_assert_str_eq(port_local_trouble(port),
			 "no orchestrator answers at bus.sock: No such file or directory");
	bus = local_bus();
	while (port_local_trouble(port) && now_ms() < started_ms + PATIENCE_MS) {
		port_pump(port, 1);
		bus_pump(bus);
	}
	ck_assert_ptr_null(port_local_trouble(port));
	started_ms = now_ms();
	ck_assert_int_eq(write(wake[1], "x", 1), 1);
	port_pump(port, PATIENCE_MS);
	ck_assert_int_eq(read(wake[0], &byte, 1), 1);
	ck_assert_int_eq(local_ask(bus, 1, 1), OK);
	bus_pump(bus);
	port_pump(port, PATIENCE_MS);
	port_pump(port, PATIENCE_MS); /* a command is there: no reason to wait */
	ck_assert_int_lt(now_ms() - started_ms, PATIENCE_MS);
	port_close(port);
	bus_close(bus);
	close(wake[0]);
	close(wake[1]);
	folder_leave();
}
END_TEST

/* 10, 20, 40, ... 1,000 ms; after a good connection from the beginning. */
START_TEST(test_connecting_again_takes_its_time)
{
	static const int pauses_ms[] = {10, 20, 40, 80, 160, 320, 640, 1000, 1000};
	struct clock_sim clock;
	struct port *port;
	struct bus *bus;

	folder_enter();
	clock_sim_init(&clock, 0);
	port = local_port(1, &clock.base, -1);
	for (int i = 0; i < ROWS(pauses_ms); i++) {
		port_pump(port, 0);
		clock_sim_advance(&clock, pauses_ms[i] - 1);
		bus = local_bus_with(NULL, &clock.base);
		port_pump(port, 0);
		bus_pump(bus);
		port_pump(port, 0);
		ck_assert_msg(port_local_trouble(port) != NULL, "too early: pause %d", i);
		bus_close(bus);
		clock_sim_advance(&clock, 1);
	}
	for (int i = 0; i < 3; i++) {
		bus = local_bus_with(NULL, &clock.base);
		port_pump(port, 0);
		bus_pump(bus);
		port_pump(port, 0);
		ck_assert_ptr_null(port_local_trouble(port));
		bus_close(bus);
		port_pump(port, 0);
		ck_assert_str_eq(port_local_trouble(port),
				 "the orchestrator at bus.sock has hung up");
		clock_sim_advance(&clock, 10);
	}
	port_close(port);
	folder_leave();
}
END_TEST

/* The orchestrator is started again and again; no reply that it has not
 * acknowledged is lost, and in the end all are settled. */
START_TEST(test_an_orchestrator_that_is_started_again_gets_the_replies_again)
{
	struct reply_message reply = {.attempt = 1};
	struct inbox_message message;
	bool stored[100] = {false};
	struct clock_sim clock;
	struct port *port;
	struct bus *bus = NULL;
	char id[16];
	int n;

	folder_enter();
	clock_sim_init(&clock, 0);
	port = local_port(10, &clock.base, -1);
	for (n = 0; n < 100; n++) {
		snprintf(id, sizeof id, "r%d", n);
		reply.id = slice_of(id);
		ck_assert_int_eq(port_reply(port, &reply), OK);
	}
	for (int life = 0; port_local_unsettled(port) && life < 1000; life++) {
		bus = local_bus_with(NULL, &clock.base);
		for (int i = 0; i < 5; i++) {
			clock_sim_advance(&clock, LINK_PAUSE_MAX_MS);
			port_pump(port, 0);
			bus_pump(bus);
		}
		for (int i = 0; i < 3 && bus_poll(bus, &message); i++) {
			ck_assert_int_eq(sscanf(message.reply.id.at, "r%d", &n), 1);
			stored[n] = true;
		}
		if (life % 2) { /* it dies before it has acknowledged them, or after */
			bus_acknowledge(bus);
			bus_pump(bus);
			port_pump(port, 0);
		}
		bus_close(bus);
	}
	ck_assert_uint_eq(port_local_unsettled(port), 0);
	for (n = 0; n < 100; n++)
		ck_assert_msg(stored[n], "reply %d is lost", n);
	port_close(port);
	folder_leave();
}
END_TEST

START_TEST(test_what_a_port_is_not_opened_with)
{
	struct port_local_setup setup = {
		.link = {.path = local_path, .clock = clock_system(), .wake_fd = -1},
		.session = {.participant = "stock", .name = "test", .window = 1}};
	struct client_local *client = NULL;
	struct port *port = NULL;
	struct diag diag = {""};
	char longest[120];

	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	setup.session.participant = longest;
	ck_assert_int_eq(port_local_open(&setup, &port, &diag), ERR_TOO_LARGE);
	setup.session.participant = "";
	ck_assert_int_eq(port_local_open(&setup, &port, &diag), ERR_INVALID);
	setup.session.participant = "stock";
	setup.session.window = 0;
	ck_assert_int_eq(port_local_open(&setup, &port, &diag), ERR_INVALID);
	ck_assert_str_eq(diag.text, "a participant has a name, and a window of at least 1");
	setup.session.window = 1;
	setup.link.path = longest;
	ck_assert_int_eq(port_local_open(&setup, &port, &diag), ERR_INVALID);
	ck_assert_int_eq(client_local_open(&setup.link, "test", &client, &diag), ERR_INVALID);
	ck_assert_int_eq(client_local_open(&setup.link, longest, &client, &diag),
			 ERR_TOO_LARGE);
	ck_assert(!port && !client);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_participant_waits_until_it_is_woken);
	tcase_add_test(tcase, test_connecting_again_takes_its_time);
	tcase_add_test(tcase,
		       test_an_orchestrator_that_is_started_again_gets_the_replies_again);
	tcase_add_test(tcase, test_what_a_port_is_not_opened_with);
}

int main(void)
{
	return suite_run("port_local", add);
}

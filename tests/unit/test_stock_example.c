/* test_stock_example.c - the service that docs/participants.md begins with, as it is
 * printed there, does what the page says */
#include "bus/bus_local.h"
#include "tests/lib/background.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>

static char program[4096];
static struct bus *bus;

static const char *ask(const char *saga, const char *command, enum message_verb verb,
		       const char *args)
{
	static const char *const outcomes[] = {"ok", "refused", "failed", "expired"};
	static char text[200];
	char id[64], do_id[64];
	struct command_message message = {.participant = SLICE_LITERAL("stock"),
					  .command = slice_of(command),
					  .verb = verb,
					  .saga_id = slice_of(saga),
					  .saga = SLICE_LITERAL("order"),
					  .attempt = 1,
					  .first_ms = clock_now_ms(clock_system()),
					  .timeout_ms = 10000,
					  .args = slice_of(args)};
	struct pollfd fd = {.fd = bus_fd(bus), .events = POLLIN};
	struct inbox_message inbox;

	snprintf(do_id, sizeof do_id, "%s/take#0/0/do", saga);
	snprintf(id, sizeof id, "%s/take#0/0/%s", saga, verb == MESSAGE_DO ? "do" : "undo");
	message.id = slice_of(id);
	if (verb != MESSAGE_DO)
		message.do_id = slice_of(do_id);
	ck_assert_int_eq(bus_send(bus, &message), OK);
	for (bus_pump(bus); !bus_poll(bus, &inbox); bus_pump(bus))
		ck_assert_int_eq(poll(&fd, 1, 20000), 1);
	snprintf(text, sizeof text, "%s %.*s%.*s", outcomes[inbox.reply.outcome],
		 SLICE_ARG(inbox.reply.output), SLICE_ARG(inbox.reply.code));
	bus_acknowledge(bus);
	return text;
}

START_TEST(test_the_example)
{
	struct bus_local_setup bus_setup = {
		.path = "bus.sock", .server = "test", .clock = clock_system()};
	struct process_setup setup = {.argv = {program, "local:bus.sock"}};
	struct background stock;

	folder_enter();
	ck_assert_int_eq(bus_local_open(&bus_setup, &bus, NULL), OK);
	background_start(&stock, &setup, "stock.log");
	ck_assert_str_eq(ask("1", "take", MESSAGE_DO, "{\"qty\":7}"), "ok {}");
	ck_assert_str_eq(ask("2", "take", MESSAGE_DO, "{\"qty\":7}"), "refused out_of_stock");
	ck_assert_str_eq(ask("3", "take", MESSAGE_DO, "{\"qty\":0}"), "refused bad_argument");
	ck_assert_str_eq(ask("1", "take", MESSAGE_DO, "{\"qty\":7}"), "ok {}");
	ck_assert_int_eq(background_stop(&stock, SIGKILL), 128 + SIGKILL);
	background_start(&stock, &setup, "stock.log");
	ck_assert_str_eq(ask("1", "put-back", MESSAGE_UNDO, "{\"qty\":7}"), "ok {}");
	ck_assert_str_eq(ask("1", "put-back", MESSAGE_UNDO, "{\"qty\":7}"), "ok {}");
	ck_assert_str_eq(ask("4", "put-back", MESSAGE_UNDO, "{\"qty\":7}"), "ok ");
	ck_assert_str_eq(ask("5", "take", MESSAGE_DO, "{\"qty\":10}"), "ok {}");
	ck_assert_str_eq(ask("6", "take", MESSAGE_DO, "{\"qty\":1}"), "refused out_of_stock");
	ck_assert_int_eq(background_stop(&stock, SIGTERM), 0);
	bus_close(bus);
	folder_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_the_example);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "docs/stock", program, sizeof program);
	return suite_run("stock_example", add);
}

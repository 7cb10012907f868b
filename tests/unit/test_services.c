/* test_services.c - the example services as processes: their business, their books,
 * their faults, and kill -9 in the middle of it all */
#include "bus/bus_local.h"
#include "tests/lib/background.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INVENTORY, PAYMENT, NOTIFICATION, N_SERVICES };

static const char *const names[N_SERVICES] = {"inventory", "payment", "notification"};
static char programs[N_SERVICES][4096];

static struct arena arena; /* of one test */

/* --- an orchestrator by hand --------------------------------------------------------- */

static struct bus *bus;

static void open_bus(void)
{
	struct bus_local_setup setup = {
		.path = "bus.sock", .server = "test", .clock = clock_system()};
	struct diag diag;

	ck_assert_msg(!bus_local_open(&setup, &bus, &diag), "%s", diag.text);
}

/* "reserve" of saga 17, its undo "reserve/undo": the ids of their commands. */
static void send(int service, const char *saga, const char *command, enum message_verb verb,
		 const char *args, uint32_t attempt)
{
	char id[96], do_id[96];
	struct command_message message = {.participant = slice_of(names[service]),
					  .command = slice_of(command),
					  .verb = verb,
					  .saga_id = slice_of(saga),
					  .saga = SLICE_LITERAL("order"),
					  .attempt = attempt,
					  .first_ms = clock_now_ms(clock_system()),
					  .timeout_ms = 10000,
					  .args = slice_of(args)};

	snprintf(do_id, sizeof do_id, "%s/step#0/0/do", saga);
	snprintf(id, sizeof id, verb == MESSAGE_UNDO ? "%s/step#0/0/undo" : "%s/step#0/0/do",
		 saga);
	message.id = slice_of(id);
	if (verb != MESSAGE_DO)
		message.do_id = slice_of(do_id);
	ck_assert_int_eq(bus_send(bus, &message), OK);
}

/* The next reply; valid until the next call. False: none within the time. */
static bool next_reply(struct reply_message *out, int timeout_ms)
{
	struct pollfd fd = {.fd = bus_fd(bus), .events = POLLIN};
	struct inbox_message message;
	int64_t end_ms = clock_monotonic_ms(clock_system()) + timeout_ms;

	bus_acknowledge(bus);
	for (;;) {
		int64_t left_ms = end_ms - clock_monotonic_ms(clock_system());

		bus_pump(bus);
		if (bus_poll(bus, &message)) {
			*out = message.reply;
			return true;
		}
		if (left_ms <= 0)
			return false;
		poll(&fd, 1, (int)left_ms);
	}
}

/* "ok {...}", "refused code"; valid until the next call. */
static const char *answer(void)
{
	static const char *const outcomes[] = {"ok", "refused", "failed", "expired"};
	static char text[300];
	struct reply_message reply;

	ck_assert_msg(next_reply(&reply, 20000), "no answer");
	snprintf(text, sizeof text, "%s%s%.*s%s%.*s", outcomes[reply.outcome],
		 reply.output.len ? " " : "", SLICE_ARG(reply.output),
		 reply.code.len ? " " : "", SLICE_ARG(reply.code));
	return text;
}

/* --- the services ----------------------------------------------------------------------- */

static struct background start(int service, const char *more[4])
{
	struct process_setup setup = {
		.argv = {programs[service], "--bus", "local:bus.sock", "--data", "."}};
	struct background background;

	for (int n = 0; more && n < 4 && more[n]; n++)
		setup.argv[5 + n] = more[n];
	background_start(&background, &setup, names[service]);
	background_until(&background, ": ready: data in ./", &arena);
	return background;
}

static struct process_result audit(int service, const char *a, const char *b)
{
	struct process_setup setup = {
		.argv = {programs[service], "audit", "--data", ".", a, b}};

	return process_run(&setup, &arena);
}

static void check_audit(int service, const char *expected)
{
	struct process_result result = audit(service, "--json", NULL);

	ck_assert_msg(result.exit_code == 0 && slice_is(result.out, expected), "%s%s",
		      result.out.at, result.errs.at);
}

static void set_up(void)
{
	folder_enter();
	open_bus();
}

static void tear_down(void)
{
	bus_close(bus);
	arena_release(&arena);
	folder_leave();
}

/* --- the business ---------------------------------------------------------------------------
 */

/* Commands to one service, each with its answer. A step of "undo" undoes what the
 * saga's do has done. */
struct step {
	const char *saga;
	const char *command;
	const char *args;
	const char *answer;
};

static const struct business {
	const char *name;
	int service;
	const char *option[2];
	struct step steps[8];
	const char *books;
} businesses[] = {
	{"a reservation is confirmed",
	 INVENTORY,
	 {0},
	 {{"1", "reserve", "{\"sku\":\"book\",\"qty\":2}", "ok {\"id\":1}"},
	  {"2", "reserve", "{\"sku\":\"book\",\"qty\":3}", "ok {\"id\":2}"},
	  {"3", "confirm", "{\"reservation\":2}", "ok {}"},
	  {"4", "confirm", "{\"reservation\":2}", "refused confirmed"},
	  {"5", "confirm", "{\"reservation\":7}", "refused no_such_reservation"}},
	 "{\"participant\":\"inventory\",\"commands\":5,\"done\":3,\"undone\":0,\"refused\":2,"
	 "\"reservations\":2,\"held\":2,\"confirmed\":3,\"released\":0,\"problems\":[],"
	 "\"consistent\":true}\n"},
	{"a reservation is released, as an undo and by its number",
	 INVENTORY,
	 {0},
	 {{"1", "reserve", "{\"sku\":\"book\",\"qty\":2}", "ok {\"id\":1}"},
	  {"1", "undo release", "{}", "ok {}"},
	  {"2", "reserve", "{\"sku\":\"book\",\"qty\":3}", "ok {\"id\":2}"},
	  {"3", "release", "{\"reservation\":2}", "ok {}"},
	  {"4", "confirm", "{\"reservation\":2}", "refused released"},
	  {"5", "undo release", "{}", "ok"},
	  {"5", "reserve", "{\"sku\":\"book\",\"qty\":1}", "refused barred"}},
	 "{\"participant\":\"inventory\",\"commands\":5,\"done\":2,\"undone\":2,\"refused\":1,"
	 "\"reservations\":2,\"held\":0,\"confirmed\":0,\"released\":5,\"problems\":[],"
	 "\"consistent\":true}\n"},
	{"what is not there cannot be reserved",
	 INVENTORY,
	 {"--stock", "book=3"},
	 {{"1", "reserve", "{\"sku\":\"book\",\"qty\":4}", "refused out_of_stock"},
	  {"2", "reserve", "{\"sku\":\"book\",\"qty\":3}", "ok {\"id\":1}"},
	  {"3", "reserve", "{\"sku\":\"book\",\"qty\":1}", "refused out_of_stock"},
	  {"2", "undo release", "{}", "ok {}"},
	  {"4", "reserve", "{\"sku\":\"book\",\"qty\":1}", "ok {\"id\":2}"},
	  {"5", "reserve", "{\"sku\":\"pen\",\"qty\":1000}", "ok {\"id\":3}"}},
	 "{\"participant\":\"inventory\",\"commands\":6,\"done\":3,\"undone\":1,\"refused\":2,"
	 "\"reservations\":3,\"held\":1001,\"confirmed\":0,\"released\":3,\"problems\":[],"
	 "\"consistent\":true}\n"},
	{"arguments that are no good",
	 INVENTORY,
	 {0},
	 {{"1", "reserve", "{\"qty\":4}", "refused bad_argument"},
	  {"2", "reserve", "{\"sku\":\"book\",\"qty\":0}", "refused bad_argument"},
	  {"3", "reserve", "{\"sku\":\"book\",\"qty\":1.5}", "refused bad_argument"},
	  {"4", "reserve", "{\"sku\":\"book\",\"qty\":\"2\"}", "refused bad_argument"},
	  {"5", "confirm", "{}", "refused bad_argument"},
	  {"6", "lend", "{}", "failed unknown-command"}},
	 "{\"participant\":\"inventory\",\"commands\":5,\"done\":0,\"undone\":0,\"refused\":5,"
	 "\"reservations\":0,\"held\":0,\"confirmed\":0,\"released\":0,\"problems\":[],"
	 "\"consistent\":true}\n"},
	{"cents are exact",
	 PAYMENT,
	 {0},
	 {{"1", "charge", "{\"amount\":19.99,\"card\":\"4111\"}", "ok {\"receipt\":1}"},
	  {"2", "charge", "{\"amount\":0.01}", "ok {\"receipt\":2}"},
	  {"3", "charge", "{\"amount\":100}", "ok {\"receipt\":3}"},
	  {"4", "charge", "{\"amount\":1e2}", "ok {\"receipt\":4}"},
	  {"5", "charge", "{\"amount\":19.999}", "refused bad_argument"},
	  {"6", "charge", "{\"amount\":-1}", "refused bad_argument"},
	  {"7", "charge", "{\"amount\":10000000000.01}", "refused bad_argument"},
	  {"8", "charge", "{}", "refused bad_argument"}},
	 "{\"participant\":\"payment\",\"commands\":8,\"done\":4,\"undone\":0,\"refused\":4,"
	 "\"charged_cents\":22000,\"refunded_cents\":0,\"balance_cents\":0,\"problems\":[],"
	 "\"consistent\":true}\n"},
	{"a card is declined, a charge refunded",
	 PAYMENT,
	 {0},
	 {{"1", "charge", "{\"amount\":19.99,\"decline\":true}", "refused card_declined"},
	  {"2", "charge", "{\"amount\":19.99,\"decline\":false}", "ok {\"receipt\":1}"},
	  {"2", "undo refund", "{\"amount\":5}", "ok {\"receipt\":1}"},
	  {"3", "charge", "{\"amount\":50}", "ok {\"receipt\":2}"},
	  {"4", "refund", "{\"receipt\":2,\"amount\":20.5}", "ok {\"receipt\":2}"},
	  {"5", "refund", "{\"receipt\":2,\"amount\":29.51}", "refused over_refunded"},
	  {"6", "refund", "{\"receipt\":7}", "refused no_such_receipt"},
	  {"7", "charge", "{\"amount\":1,\"decline\":1}", "refused bad_argument"}},
	 "{\"participant\":\"payment\",\"commands\":8,\"done\":2,\"undone\":2,\"refused\":4,"
	 "\"charged_cents\":6999,\"refunded_cents\":4049,\"balance_cents\":0,\"problems\":[],"
	 "\"consistent\":true}\n"},
	{"messages go to the outbox",
	 NOTIFICATION,
	 {0},
	 {{"1", "send", "{\"to\":\"ann@example.org\",\"template\":\"order-confirmed\"}",
	   "ok {\"message\":1}"},
	  {"2", "send", "{\"to\":\"ann@example.org\",\"order\":17}", "ok {\"message\":2}"},
	  {"3", "send", "{\"template\":\"order-confirmed\"}", "refused bad_argument"},
	  {"4", "send", "{\"to\":\"ann@example.org\",\"template\":17}",
	   "refused bad_argument"}},
	 "{\"participant\":\"notification\",\"commands\":4,\"done\":2,\"undone\":0,"
	 "\"refused\":2,\"sent\":2,\"problems\":[],\"consistent\":true}\n"},
};

START_TEST(test_business)
{
	const struct business *business = &businesses[_i];
	const char *more[4] = {business->option[0], business->option[1]};
	struct background service;

	set_up();
	service = start(business->service, more);
	/* Twice: the second time every answer comes from its record. */
	for (uint32_t attempt = 1; attempt <= 2; attempt++) {
		for (int n = 0; n < 8 && business->steps[n].saga; n++) {
			const struct step *step = &business->steps[n];
			bool undo = !strncmp(step->command, "undo ", 5);
			const char *got;

			/* A do whose undo came later is barred by then. */
			if (attempt == 2 && strcmp(step->saga, "1") != 0)
				continue;
			send(business->service, step->saga, step->command + (undo ? 5 : 0),
			     undo ? MESSAGE_UNDO : MESSAGE_DO, step->args, attempt);
			got = answer();
			ck_assert_msg(!strcmp(got, step->answer) ||
					      (attempt == 2 && !strcmp(got, "refused barred")),
				      "%s: %s of saga %s was answered \"%s\"", business->name,
				      step->command, step->saga, got);
		}
	}
	check_audit(business->service, business->books);
	ck_assert_int_eq(background_stop(&service, SIGTERM), 0);
	check_audit(business->service, business->books);
	tear_down();
}
END_TEST

/* --- faults --------------------------------------------------------------------------------
 */

static const struct fault {
	const char *spec;
	int service;
	const char *command;
	const char *args;
	const char *answer;
} faults[] = {
	{"decline=100%", INVENTORY, "reserve", "{\"sku\":\"book\",\"qty\":2}",
	 "refused out_of_stock"},
	{"decline=100%", INVENTORY, "confirm", "{\"reservation\":1}",
	 "refused no_such_reservation"},
	{"decline=100%,slow=5ms", PAYMENT, "charge", "{\"amount\":1}", "refused card_declined"},
	{"fail=100%", NOTIFICATION, "send", "{\"to\":\"a\"}", "failed unlucky"},
	{"slow=0.01s,fail=0%,crash=0%", NOTIFICATION, "send", "{\"to\":\"a\"}",
	 "ok {\"message\":1}"},
};

START_TEST(test_fault)
{
	const struct fault *fault = &faults[_i];
	const char *more[4] = {"--faults", fault->spec};
	struct background service;

	set_up();
	service = start(fault->service, more);
	send(fault->service, "1", fault->command, MESSAGE_DO, fault->args, 1);
	ck_assert_str_eq(answer(), fault->answer);
	ck_assert_int_eq(background_stop(&service, SIGTERM), 0);
	ck_assert_int_eq(audit(fault->service, NULL, NULL).exit_code, 0);
	tear_down();
}
END_TEST

/* About as many as the share says, and the same ones again. */
START_TEST(test_declines_have_their_share)
{
	const char *more[4] = {"--faults", "decline=10%"};
	struct background service;
	int declined[2] = {0};

	set_up();
	service = start(PAYMENT, more);
	for (int round = 0; round < 2; round++) {
		for (int n = 0; n < 1000; n++) {
			char saga[16];

			snprintf(saga, sizeof saga, "%d", n);
			send(PAYMENT, saga, "charge", MESSAGE_DO, "{\"amount\":1}",
			     (uint32_t)round + 1);
		}
		for (int n = 0; n < 1000; n++)
			declined[round] += !strcmp(answer(), "refused card_declined");
	}
	ck_assert_int_ge(declined[0], 60);
	ck_assert_int_le(declined[0], 140);
	ck_assert_int_eq(declined[0], declined[1]);
	ck_assert_int_eq(background_stop(&service, SIGTERM), 0);
	tear_down();
}
END_TEST

/* --- processes that die
 * ------------------------------------------------------------------------ */

enum { ORDERS = 2000 };

/* What was answered, by number of the saga. */
static int answered[ORDERS];

static void take_answer(const struct reply_message *reply)
{
	char text[96];
	long n;

	snprintf(text, sizeof text, "%.*s", SLICE_ARG(reply->id));
	n = strtol(text, NULL, 10);
	ck_assert(n >= 0 && n < ORDERS);
	ck_assert_int_eq(reply->outcome, MESSAGE_OK);
	answered[n]++;
}

/* Everything is asked at once; now and then the service is killed in the middle of a
 * batch. Whatever was answered took effect once, and nothing else did. */
START_TEST(test_kill_9_in_the_middle)
{
	struct background service;
	struct reply_message reply;
	int n_answered = 0, kills = 0;

	set_up();
	service = start(INVENTORY, NULL);
	for (int n = 0; n < ORDERS; n++) {
		char saga[16];

		snprintf(saga, sizeof saga, "%d", n);
		send(INVENTORY, saga, "reserve", MESSAGE_DO, "{\"sku\":\"book\",\"qty\":2}", 1);
	}
	while (n_answered < ORDERS) {
		ck_assert(next_reply(&reply, 20000));
		take_answer(&reply);
		n_answered++;
		if (n_answered % (ORDERS / 8) == 1 && kills < 6) {
			kills++;
			ck_assert_int_eq(background_stop(&service, SIGKILL), 128 + SIGKILL);
			service = start(INVENTORY, NULL);
		}
	}
	for (int n = 0; n < ORDERS; n++)
		ck_assert_int_ge(answered[n], 1);
	check_audit(
		INVENTORY,
		"{\"participant\":\"inventory\",\"commands\":2000,\"done\":2000,\"undone\":0,"
		"\"refused\":0,\"reservations\":2000,\"held\":4000,\"confirmed\":0,"
		"\"released\":0,\"problems\":[],\"consistent\":true}\n");
	ck_assert_int_eq(background_stop(&service, SIGTERM), 0);
	tear_down();
}
END_TEST

/* How often it died until all were answered. */
static int charge_all(struct background *service, const char *more[4], int first, int n)
{
	struct reply_message reply;
	int n_answered = 0, deaths = 0;

	for (int i = first; i < first + n; i++) {
		char saga[16];

		snprintf(saga, sizeof saga, "%d", i);
		send(PAYMENT, saga, "charge", MESSAGE_DO, "{\"amount\":0.1}", 1);
	}
	while (n_answered < n) {
		if (next_reply(&reply, 200)) {
			take_answer(&reply);
			n_answered++;
		} else if (waitpid(service->pid, NULL, WNOHANG) == service->pid) {
			deaths++;
			*service = start(PAYMENT, more);
		}
	}
	return deaths;
}

/* It kills itself while it answers, and is started again each time. Rarely enough that
 * no command does so three times: so it may take more than one round. */
START_TEST(test_crashes_in_handlers)
{
	enum { CHARGES = 200 };
	const char *more[4] = {"--faults", "crash=0.5%"};
	struct background service;
	char books[256];
	int n = 0;

	set_up();
	service = start(PAYMENT, more);
	do {
		ck_assert_int_le(n + CHARGES, ORDERS);
		n += CHARGES;
	} while (charge_all(&service, more, n - CHARGES, CHARGES) == 0);
	snprintf(books, sizeof books,
		 "{\"participant\":\"payment\",\"commands\":%d,\"done\":%d,\"undone\":0,"
		 "\"refused\":0,\"charged_cents\":%d,\"refunded_cents\":0,"
		 "\"balance_cents\":0,\"problems\":[],\"consistent\":true}\n",
		 n, n, 10 * n);
	check_audit(PAYMENT, books);
	ck_assert_int_eq(background_stop(&service, SIGTERM), 0);
	tear_down();
}
END_TEST

/* Two processes, one file: they share the commands, and the books are right. */
START_TEST(test_two_processes_share_the_work)
{
	struct background one, two;
	struct reply_message reply;

	set_up();
	one = start(INVENTORY, NULL);
	two = start(INVENTORY, NULL);
	for (int n = 0; n < ORDERS; n++) {
		char saga[16];

		snprintf(saga, sizeof saga, "%d", n);
		send(INVENTORY, saga, "reserve", MESSAGE_DO, "{\"sku\":\"book\",\"qty\":1}", 1);
	}
	for (int n = 0; n < ORDERS; n++) {
		ck_assert(next_reply(&reply, 20000));
		take_answer(&reply);
	}
	ck_assert_int_eq(background_stop(&one, SIGTERM), 0);
	ck_assert_int_eq(background_stop(&two, SIGTERM), 0);
	check_audit(
		INVENTORY,
		"{\"participant\":\"inventory\",\"commands\":2000,\"done\":2000,\"undone\":0,"
		"\"refused\":0,\"reservations\":2000,\"held\":2000,\"confirmed\":0,"
		"\"released\":0,\"problems\":[],\"consistent\":true}\n");
	tear_down();
}
END_TEST

/* --- the audit -------------------------------------------------------------------------------
 */

static void run_sql(int service, const char *sql)
{
	char path[32];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s.db", names[service]);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(!sqlite3_exec(db, sql, NULL, NULL, NULL), "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* A reservation, a charge and a message, and somebody who tampers with the books. */
static const struct tampering {
	int service;
	const char *sql;
	const char *problem;
} tamperings[] = {
	{INVENTORY, "UPDATE stock SET held = held + 1",
	 "article book: 3 held and 0 confirmed, but the reservations say 2 and 0"},
	{INVENTORY, "UPDATE stock SET initial = 1", "article book: less than nothing is left"},
	{INVENTORY, "DELETE FROM stock", "reservation 1: its article book is unknown"},
	{INVENTORY,
	 "INSERT INTO reservation (command, sku, qty, released)"
	 " SELECT command, sku, qty, 1 FROM reservation",
	 "command 1/step#0/0/do took effect 2 times"},
	{INVENTORY, "UPDATE skald_barrier SET state = 4",
	 "reservation 1 is not what the record of 1/step#0/0/do says"},
	{PAYMENT, "UPDATE entry SET cents = cents + 1 WHERE account = 'bank'",
	 "the ledger sums to 1 cents instead of 0"},
	{PAYMENT, "DELETE FROM entry",
	 "receipt 1: 1999 cents were paid, but the ledger says 0 and 0"},
	{PAYMENT, "DELETE FROM charge", "entry 1 is of no charge"},
	{PAYMENT, "UPDATE charge SET refunded_cents = 1999; DELETE FROM entry",
	 "receipt 1: refunds of 1999 cents, but 0 are in the list"},
	{PAYMENT, "UPDATE skald_barrier SET state = 3",
	 "receipt 1 is not what the record of 1/step#0/0/do says"},
	{NOTIFICATION,
	 "INSERT INTO message (command, recipient, template, arguments)"
	 " SELECT command, recipient, template, arguments FROM message",
	 "command 1/step#0/0/do took effect 2 times"},
	{NOTIFICATION, "UPDATE skald_barrier SET state = 2",
	 "message 1 is not what the record of 1/step#0/0/do says"},
};

static void do_one(int service)
{
	static const char *const commands[] = {"reserve", "charge", "send"};
	static const char *const args[] = {"{\"sku\":\"book\",\"qty\":2}", "{\"amount\":19.99}",
					   "{\"to\":\"ann\"}"};
	struct background process = start(service, NULL);

	send(service, "1", commands[service], MESSAGE_DO, args[service], 1);
	ck_assert_ptr_nonnull(strstr(answer(), "ok"));
	ck_assert_int_eq(background_stop(&process, SIGTERM), 0);
}

START_TEST(test_books_that_do_not_agree)
{
	const struct tampering *tampering = &tamperings[_i];
	struct process_result result;

	set_up();
	do_one(tampering->service);
	ck_assert_int_eq(audit(tampering->service, NULL, NULL).exit_code, 0);
	run_sql(tampering->service, tampering->sql);
	result = audit(tampering->service, "--json", NULL);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_msg(strstr(result.out.at, tampering->problem) &&
			      strstr(result.out.at, "\"consistent\":false}\n"),
		      "%s", result.out.at);
	ck_assert_uint_eq(result.errs.len, 0);
	result = audit(tampering->service, NULL, NULL);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_msg(strstr(result.out.at, tampering->problem) &&
			      strstr(result.out.at, "  the books do NOT agree: "),
		      "%s", result.out.at);
	tear_down();
}
END_TEST

START_TEST(test_a_line_for_every_saga)
{
	struct background service;
	struct process_result result;

	set_up();
	service = start(INVENTORY, NULL);
	send(INVENTORY, "order-17", "reserve", MESSAGE_DO, "{\"sku\":\"book\",\"qty\":2}", 1);
	answer();
	send(INVENTORY, "order-17", "release", MESSAGE_UNDO, "{}", 1);
	answer();
	send(INVENTORY, "order-170", "reserve", MESSAGE_DO, "{\"sku\":\"book\",\"qty\":3}", 1);
	answer();
	send(INVENTORY, "order-1", "reserve", MESSAGE_DO, "{\"qty\":3}", 1);
	answer();
	result = audit(INVENTORY, "--json", "--sagas");
	ck_assert_str_eq(
		strchr(result.out.at, '\n') + 1,
		"{\"saga\":\"order-1\",\"commands\":1,\"done\":0,\"undone\":0,\"refused\":1,"
		"\"held\":0,\"confirmed\":0,\"released\":0}\n"
		"{\"saga\":\"order-17\",\"commands\":2,\"done\":1,\"undone\":1,\"refused\":0,"
		"\"held\":0,\"confirmed\":0,\"released\":2}\n"
		"{\"saga\":\"order-170\",\"commands\":1,\"done\":1,\"undone\":0,\"refused\":0,"
		"\"held\":3,\"confirmed\":0,\"released\":0}\n");
	result = audit(INVENTORY, "--sagas", NULL);
	ck_assert_str_eq(result.out.at,
			 "inventory: commands 4  done 2  undone 1  refused 1  reservations 2  "
			 "held 3  confirmed 0  released 2\n"
			 "  the books agree\n"
			 "  saga order-1  commands 1  done 0  undone 0  refused 1  held 0  "
			 "confirmed 0  released 0\n"
			 "  saga order-17  commands 2  done 1  undone 1  refused 0  held 0  "
			 "confirmed 0  released 2\n"
			 "  saga order-170  commands 1  done 1  undone 0  refused 0  held 3  "
			 "confirmed 0  released 0\n");
	ck_assert_int_eq(background_stop(&service, SIGTERM), 0);
	tear_down();
}
END_TEST

/* --- the command line
 * ----------------------------------------------------------------------------- */

static const struct usage_row {
	const char *args[4];
	int exit_code;
	const char *says; /* a part of it, on either stream */
} usages[] = {
	{{"--help"}, 0, "usage: skald-inventory [OPTION...]\n"},
	{{"-h"}, 0, "inventory.reserve\n      {sku, qty} -> {id}"},
	{{"audit", "--help"}, 0, "--sagas "},
	{{"--version"}, 0, "skald-inventory 0."},
	{{"--faults"},
	 2,
	 "skald-inventory: --faults needs a value; see skald-inventory --help\n"},
	{{"--faults", "often"}, 2, "skald-inventory: \"often\" is no fault; write decline=10%"},
	{{"--faults", "fail=1%,decline=101%"}, 2, "\"decline=101%\" is no fault"},
	{{"--faults", "fail=0.00001%"}, 2, "\"fail=0.00001%\" is no fault"},
	{{"--faults", "slow=61s"}, 2, "\"slow=61s\" is no fault"},
	{{"--faults", "slow=1h"}, 2, "\"slow=1h\" is no fault"},
	{{"--faults", "deadly="}, 2, "\"deadly=\" is no fault"},
	{{"--faults", "deadly=order-17/pay"}, 2, "\"deadly=order-17/pay\" is no fault"},
	{{"--faults", "slow=.5."}, 2, "\"slow=.5.\" is no fault"},
	{{"--verbose"}, 2, "skald-inventory: --verbose is no option here; see"},
	{{"--json"}, 2, "skald-inventory: --json is no option here; see"},
	{{"--bus", "x.sock"}, 2, "skald-inventory: --bus: \"x.sock\" is none; give local:PATH"},
	{{"--bus", "x:1"}, 2, "or kafka:HOST:PORT; see skald-inventory --help"},
	{{"audit", "--bus", "local:x"}, 2, "skald-inventory: --bus is no option here; see"},
	{{"audit", "--stock", "a=1"}, 2, "skald-inventory: --stock is no option here; see"},
	{{"--help=yes"}, 2, "skald-inventory: --help takes no value; see"},
	{{"start"},
	 2,
	 "\"start\" is neither an option nor `audit`; see skald-inventory --help"},
	{{"--"}, 2, "\"--\" is neither an option nor `audit`"},
	{{"--window", "0"}, 2, "--window: \"0\" is no number from 1 to 10000"},
	{{"--window=many"}, 2, "--window: \"many\" is no number from 1 to 10000"},
	{{"--horizon", "1 day"},
	 2,
	 "--horizon: \"1 day\" is no duration; write 90m, 24h or 30d"},
	{{"--horizon=99999999999999d"}, 2, "is no duration"},
	{{"--data", "no/such/folder"},
	 1,
	 "no/such/folder: cannot make it: No such file or directory"},
	{{"--bus", "tcp:here", "--data=."}, 2, "--bus: \"tcp:here\" is none"},
	{{"--stock", "book", "--data=."}, 1, "--stock: \"book\" is no stock; write SKU=N"},
	{{"--stock", "book=-1", "--data=."}, 1, "--stock: \"book=-1\" is no stock"},
	{{"--default-stock=x", "--data=."}, 1, "--default-stock: \"x\" is no number"},
	{{"audit", "--data", "."},
	 1,
	 "./inventory.db: unable to open database file; --data has to be the folder that"},
};

START_TEST(test_usage)
{
	const struct usage_row *row = &usages[_i];
	struct process_setup setup = {.argv = {programs[INVENTORY], row->args[0], row->args[1],
					       row->args[2], row->args[3]}};
	struct process_result result;

	folder_enter();
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == row->exit_code, "exit %d: %s", result.exit_code,
		      result.errs.at);
	ck_assert_msg(strstr(result.exit_code ? result.errs.at : result.out.at, row->says),
		      "%s%s", result.out.at, result.errs.at);
	arena_release(&arena);
	folder_leave();
}
END_TEST

START_TEST(test_stock_that_is_promised_already)
{
	struct process_setup setup = {
		.argv = {programs[INVENTORY], "--data", ".", "--stock", "book=1"}};
	struct process_result result;

	set_up();
	do_one(INVENTORY);
	result = process_run(&setup, &arena);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_str_eq(
		result.errs.at,
		"skald-inventory: --stock book=1: more than that is reserved already\n");
	tear_down();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_business, 0, ROWS(businesses));
	tcase_add_loop_test(tcase, test_fault, 0, ROWS(faults));
	tcase_add_test(tcase, test_declines_have_their_share);
	tcase_add_test(tcase, test_kill_9_in_the_middle);
	tcase_add_test(tcase, test_crashes_in_handlers);
	tcase_add_test(tcase, test_two_processes_share_the_work);
	tcase_add_loop_test(tcase, test_books_that_do_not_agree, 0, ROWS(tamperings));
	tcase_add_test(tcase, test_a_line_for_every_saga);
	tcase_add_loop_test(tcase, test_usage, 0, ROWS(usages));
	tcase_add_test(tcase, test_stock_that_is_promised_already);
}

int main(int argc, char **argv)
{
	for (int n = 0; n < N_SERVICES; n++) {
		char name[32];

		snprintf(name, sizeof name, "skald-%s", names[n]);
		process_find(argv[0], name, programs[n], sizeof programs[n]);
	}
	return suite_run("services", add);
}

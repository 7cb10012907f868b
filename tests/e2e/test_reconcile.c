/* test_reconcile.c - the record against the barriers, with everybody at work: no alarm
 * while orders come in and processes are killed, nothing at rest, and what was changed
 * by hand is found. Over the local bus and over Kafka. */
#include "tests/e2e/orders.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/random.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 600, ORDERS_MAX = 600, BLOWS = 8, COMPARISONS_MIN = 6, TRIES_MAX = 10 };

enum { LOCAL, KAFKA, N_BUSES };
enum { SERVICE_ARGS = 6 }; /* that say which bus it is; a test's own are behind them */

static const char *kafka; /* HOST:PORT; NULL: there is none */
static char bus[128 + sizeof "kafka:"], prefix[KAFKA_PREFIX_SIZE];
static struct works works;
static struct orders orders;

/* Over Kafka somebody who died is missed, and his work taken over, after 6 s. */
static void enter(int where)
{
	const char *const over_kafka[SERVICE_ARGS] = {
		"--bus", bus, "--kafka-prefix", prefix, "--kafka", "session.timeout.ms=6000"};
	const char *const local[SERVICE_ARGS] = {
		"--bus", "local:data/bus.sock", "--data", ".", "--window", "100"};

	works_enter();
	works = (struct works){0};
	for (enum work work = INVENTORY; work < N_WORKS; work++)
		memcpy(works.args[work], where == KAFKA ? over_kafka : local, sizeof local);
	if (where != KAFKA)
		return;
	kafka_prefix(prefix);
	snprintf(bus, sizeof bus, "kafka:%s", kafka);
	memcpy(works.args[SERVER], over_kafka, 4 * sizeof *over_kafka);
}

static void add_args(enum work work, const char *name, const char *value)
{
	const char **at = works.args[work];

	while (*at)
		at++;
	at[0] = name;
	at[1] = value;
}

static bool says(struct slice out, const char *text)
{
	return strstr(out.at, text) != NULL;
}

/* --- at work ------------------------------------------------------------------------ */

/* Compare again and again until the file is there; how often it came to its end, is the
 * exit code. Whoever is killed meanwhile may not be there to be asked. */
static void compare_until(const char *file)
{
	struct arena arena = {0};
	int n = 0;

	while (access(file, F_OK) != 0) {
		struct process_result result = works_reconcile(&works, &arena);

		if (says(result.out, "\"type\":\"difference\"")) {
			fprintf(stderr, "a false alarm: %s\n", result.out.at);
			_exit(200);
		}
		n += says(result.out, "\"type\":\"summary\"") && n < 100;
		arena_reset(&arena);
	}
	arena_release(&arena);
	_exit(n);
}

static pid_t begin_comparing(const char *file)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		compare_until(file);
	return pid;
}

static int comparisons(pid_t pid, const char *file)
{
	int status = 0;

	folder_write(file, "");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Whoever has died is back, and took over what was his: one comparison comes to its end,
 * in the middle of it all. */
static void compare_once(void)
{
	struct arena arena = {0};
	struct process_result result = {0};
	int n = 0;

	do {
		arena_reset(&arena);
		result = works_reconcile(&works, &arena);
		ck_assert_msg(!says(result.out, "\"type\":\"difference\""), "a false alarm: %s",
			      result.out.at);
	} while (result.exit_code && ++n < TRIES_MAX);
	ck_assert_msg(!result.exit_code, "it cannot compare: %s%s", result.out.at,
		      result.errs.at);
	arena_release(&arena);
}

static int wanted_orders(void)
{
	const char *text = getenv("TORTURE_ORDERS");
	long n = text && *text ? strtol(text, NULL, 10) : ORDERS_MAX;

	return n < ORDERS_MAX ? (int)n : ORDERS_MAX;
}

START_TEST(test_no_alarm_while_everybody_works_and_dies)
{
	struct random chance = {17};
	pid_t comparing[2];
	int n = 0;

	orders_init(&orders, 17, wanted_orders());
	enter(_i);
	add_args(INVENTORY, "--stock", ORDER_SOLD_OUT);
	add_args(INVENTORY, "--faults", "slow=5ms");
	add_args(PAYMENT, "--faults", "slow=5ms");
	works_start(&works);
	comparing[0] = begin_comparing("stop-0");
	comparing[1] = begin_comparing("stop-1");
	orders_allow(&orders, 0);
	orders_begin(&orders, works.server.url);
	for (int blow = 1; blow <= BLOWS; blow++) {
		enum work victim = (enum work)random_below(&chance, N_WORKS);

		orders_allow(&orders, orders.n * blow / BLOWS);
		while (orders_accepted(&orders) < orders.n * (blow - 1) / BLOWS + 5)
			works_sleep_ms(5);
		works_sleep_ms((int)random_below(&chance, 200));
		works_kill(&works, victim);
		works_sleep_ms((int)random_below(&chance, 300));
		works_start_one(&works, victim);
		if (_i == KAFKA)
			compare_once();
	}
	orders_await(&orders);
	works_wait_idle(&works);
	for (int i = 0; i < 2; i++) {
		int of_one = comparisons(comparing[i], i ? "stop-1" : "stop-0");

		ck_assert_msg(of_one <= 100, "there was a false alarm: see above");
		n += of_one;
	}
	ck_assert_msg(_i == KAFKA || n >= COMPARISONS_MIN,
		      "only %d comparisons came to their end", n);
	works_check_reconciled(&works);
	orders_check(&orders, &works, _i == KAFKA ? ORDER_MAY_BE_GIVEN_UP : ORDER_AS_IT_IS);
	works_stop(&works);
	folder_leave();
}
END_TEST

/* --- at rest ------------------------------------------------------------------------ */

static void change(const char *file, const char *sql)
{
	sqlite3 *db = NULL;
	char *error = NULL;

	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	sqlite3_exec(db, sql, NULL, NULL, &error);
	ck_assert_msg(!error, "%s: %s", file, error);
	ck_assert_int_ge(sqlite3_changes(db), 1);
	sqlite3_close(db);
}

static void expect(int exit_code, const char *text)
{
	struct arena arena = {0};
	struct process_result result = works_reconcile(&works, &arena);

	ck_assert_msg(result.exit_code == exit_code, "it exits %d: %s%s", result.exit_code,
		      result.out.at, result.errs.at);
	ck_assert_msg(says(result.out, text) || says(result.errs, text),
		      "it does not say %s: %s%s", text, result.out.at, result.errs.at);
	arena_release(&arena);
}

/* As docs/operations.md shows it: one is missing, and the other one without a saga. */
static void expect_for_people(void)
{
	struct process_setup setup = {
		.argv = {works_program(SERVER), "reconcile", "--server", works.server.url}};
	struct arena arena = {0};
	struct process_result result = process_run(&setup, &arena);

	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_msg(
		says(result.out, " reserve at inventory: effect-missing: the saga's record "
				 "says done, the participant knows nothing of it\n") &&
			says(result.out, " reserve at inventory: effect-without-saga: the "
					 "participant has done it for a saga") &&
			says(result.out, "\n2 differences: compared 100 commands of 20 "
					 "sagas, and "),
		"it says: %s", result.out.at);
	arena_release(&arena);
}

START_TEST(test_what_was_changed_by_hand_is_found)
{
	orders_init(&orders, 5, 20);
	enter(_i);
	add_args(INVENTORY, "--stock", ORDER_SOLD_OUT);
	works_start(&works);
	orders_begin(&orders, works.server.url);
	orders_await(&orders);
	works_wait_idle(&works);
	expect(0, "\"differences\":0,\"sagas\":20,");
	change("inventory.db", "UPDATE skald_barrier SET id = replace(id, 'order-', 'ghost-') "
			       "WHERE id IN (SELECT"
			       " id FROM skald_barrier WHERE id LIKE '%/reserve#0/0/do' AND "
			       "state = 1 LIMIT 1)");
	expect(1, "\"difference\":\"effect-missing\",\"id\":\"order-");
	expect(1, "\"difference\":\"effect-without-saga\",\"id\":\"ghost-");
	expect_for_people();
	change("inventory.db", "UPDATE skald_barrier SET id = replace(id, 'ghost-', 'order-')"
			       " WHERE id LIKE 'ghost-%'");
	expect(0, "\"differences\":0,");
	/* The server starts again in between: what it compares is what is stored. */
	works_kill(&works, SERVER);
	works_start_one(&works, SERVER);
	change("payment.db", "UPDATE skald_barrier SET state = 2 WHERE id IN (SELECT id FROM"
			     " skald_barrier WHERE state = 1 LIMIT 1)");
	expect(1, "\"difference\":\"done-but-refused\"");
	change("payment.db", "UPDATE skald_barrier SET state = 1 WHERE id IN (SELECT id FROM"
			     " skald_barrier WHERE state = 2 AND code IS NULL LIMIT 1)");
	works_kill(&works, NOTIFICATION);
	expect(1, "notification could not be asked: it is not connected (waited 10 s)");
	works_start_one(&works, NOTIFICATION);
	works_check_reconciled(&works);
	works_stop(&works);
	folder_leave();
}
END_TEST

/* --- behind ------------------------------------------------------------------------- */

/* Inventory has much more in its topic than it can do, in two processes with one
 * database: what is asked does not wait behind that, and what is under way is no
 * difference. */
START_TEST(test_one_that_lags_is_compared_all_the_same)
{
	struct background second;
	struct process_setup setup = {.argv = {works_program(INVENTORY), "--data", "."}};
	struct process_result result;
	struct arena arena = {0};
	int64_t n;

	orders_init(&orders, 3, 100);
	enter(KAFKA);
	add_args(INVENTORY, "--window", "1");
	add_args(INVENTORY, "--faults", "slow=1s");
	works_start(&works);
	for (int i = 0; works.args[INVENTORY][i]; i++)
		setup.argv[3 + i] = works.args[INVENTORY][i];
	background_start(&second, &setup, "inventory-2");
	background_until(&second, "event=connected", &arena);
	orders_begin(&orders, works.server.url);
	orders_await(&orders);
	for (int i = 0; i < 3; i++) {
		result = works_reconcile(&works, &arena);
		ck_assert_msg(result.exit_code == 0 && says(result.out, "\"moving\":0"), "%s%s",
			      result.out.at, result.errs.at);
	}
	n = works_under_way(&works);
	ck_assert_msg(n > orders.n / 4, "nobody lags: %lld sagas are under way", (long long)n);
	/* Somebody who is quick does the rest. */
	ck_assert_int_eq(background_stop(&second, SIGTERM), 0);
	ck_assert_int_eq(background_stop(&works.services[INVENTORY], SIGTERM), 0);
	works.args[INVENTORY][SERVICE_ARGS] = NULL;
	works_start_one(&works, INVENTORY);
	works_wait_idle(&works);
	works_check_reconciled(&works);
	works_stop(&works);
	arena_release(&arena);
	folder_leave();
}
END_TEST

static void add(TCase *tcase)
{
	int n = kafka ? N_BUSES : LOCAL + 1;

	tcase_set_timeout(tcase, SECONDS);
	tcase_add_loop_test(tcase, test_no_alarm_while_everybody_works_and_dies, 0, n);
	tcase_add_loop_test(tcase, test_what_was_changed_by_hand_is_found, 0, n);
	if (kafka)
		tcase_add_test(tcase, test_one_that_lags_is_compared_all_the_same);
}

int main(int argc, char **argv)
{
	works_find(argv[0]);
	kafka = kafka_broker_find();
	return suite_run("reconcile", add);
}

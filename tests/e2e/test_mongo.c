/* test_mongo.c - orders whose sagas are in MongoDB, while the server is killed and the
 * database is killed or held; in the end everybody's books say what the sagas say. */
#define _XOPEN_SOURCE 700 /* realpath */

#include "tests/e2e/http.h"
#include "tests/e2e/orders.h"
#include "tests/lib/engines.h"
#include "tests/lib/folder.h"
#include "tests/lib/random.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { ORDERS = 200, BLOWS = 6, SECONDS = 300, STEP_MS = 5 };

/* Of a database that does not answer. */
#define PATIENCE "?connectTimeoutMS=1000&socketTimeoutMS=1000"

static struct works works;
static struct orders orders;
static struct arena arena;
static struct random chance = {17};

static bool found;
static char engine[4096]; /* the folder of the stand-in; empty: it is not ours to kill */
static char database[MONGO_URI_SIZE], store[MONGO_URI_SIZE + 64];

/* Whatever a test started ends with it. */
static void have_database(void)
{
	if (engine[0])
		ck_assert_ptr_nonnull(engine_ask("mongo", "up", engine));
	mongo_database(database);
}

static void begin(int n)
{
	have_database();
	snprintf(store, sizeof store, "mongo:%s%s", database,
		 strchr(database, '?') ? "" : PATIENCE);
	folder_enter();
	works_copy_definition("schemas/order.json");
	works_copy_definition("order.yaml");
	works = (struct works){.args = {
				       [SERVER] = {"--store", store},
				       [INVENTORY] = {"--stock", ORDER_SOLD_OUT},
			       }};
	works_start(&works);
	orders_init(&orders, 17, n);
	orders_allow(&orders, 0);
	orders_begin(&orders, works.server.url);
}

static void end(void)
{
	struct order_ends ends;

	orders_allow(&orders, orders.n);
	orders_await(&orders);
	works_wait_idle(&works);
	ends = orders_check(&orders, &works, ORDER_AS_IT_IS);
	ck_assert_int_eq(ends.completed + ends.compensated, orders.n);
	works_stop(&works);
	arena_release(&arena);
	folder_leave();
	mongo_drop(database);
}

static void kill_server(void)
{
	works_kill(&works, SERVER);
	works_start_one(&works, SERVER);
}

static void kill_database(void)
{
	ck_assert_ptr_nonnull(engine_ask("mongo", "kill", engine));
	works_sleep_ms((int)random_below(&chance, 300));
	ck_assert_ptr_nonnull(engine_ask("mongo", "up", engine));
}

static void kill_both(void)
{
	works_kill(&works, SERVER);
	kill_database();
	works_start_one(&works, SERVER);
}

/* For longer than anybody waits. */
static void hold_database(void)
{
	char path[4200];
	pid_t pid;

	snprintf(path, sizeof path, "%s/pid", engine);
	pid = (pid_t)strtol(folder_read(path, &arena).at, NULL, 10);
	ck_assert_int_gt(pid, 1);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	works_sleep_ms(1500 + (int)random_below(&chance, 1000));
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
}

/* The orders come in as many portions as there are blows, and each falls while one is
 * under way. */
static void torture(void (*const *strikes)(void), int n_strikes)
{
	for (int blow = 0; blow < BLOWS; blow++) {
		int goal = orders.n * (blow + 1) / BLOWS, before = orders.n * blow / BLOWS;

		orders_allow(&orders, goal);
		while (orders_accepted(&orders) < before + (goal - before) / 2)
			works_sleep_ms(STEP_MS);
		works_sleep_ms((int)random_below(&chance, 60));
		strikes[blow % n_strikes]();
	}
}

START_TEST(test_every_order_ends_although_server_and_database_are_killed)
{
	static void (*const strikes[])(void) = {kill_server, kill_database, kill_both};

	begin(ORDERS);
	torture(strikes, engine[0] ? 3 : 1);
	end();
}
END_TEST

START_TEST(test_every_order_ends_although_the_database_is_held)
{
	static void (*const strikes[])(void) = {hold_database};

	begin(ORDERS);
	torture(strikes, 1);
	end();
}
END_TEST

/* An outage is seen, and passes. */
START_TEST(test_an_outage_of_the_database_is_told)
{
	struct http_answer ready;

	begin(1);
	ck_assert_ptr_nonnull(engine_ask("mongo", "kill", engine));
	orders_allow(&orders, 1);
	background_until(&works.server.process, "event=store-fails", &arena);
	ready = http_ask(works.server.url, "/readyz", (struct slice){0}, &arena);
	ck_assert_int_eq(ready.status, 503);
	ck_assert_msg(strstr(ready.text.at, "does not answer") != NULL, "%s", ready.text.at);
	ck_assert_ptr_nonnull(engine_ask("mongo", "up", engine));
	background_until(&works.server.process, "event=store-back", &arena);
	end();
}
END_TEST

static int start_at(const struct serving *server, const char *id)
{
	char input[256];
	struct process_setup setup = {
		.argv = {works_program(SERVER), "start", "order", "-i", input},
		.env = {server->env}};

	snprintf(input, sizeof input,
		 "{\"order_id\":\"%s\",\"sku\":\"book\",\"qty\":1,\"total\":1,"
		 "\"email\":\"a@b\",\"card\":\"1\"}",
		 id);
	return process_run(&setup, &arena).exit_code;
}

/* A standby: it goes on with what the first one began, and the first one ends. */
START_TEST(test_another_server_takes_the_store)
{
	const char *const args[] = {"--store", store, "--data", "second", NULL};
	struct serving first = {.url = ""}, second = {.url = ""};
	const char *const first_args[] = {"--store", store, NULL};

	have_database();
	snprintf(store, sizeof store, "mongo:%s", database);
	folder_enter();
	works_copy_definition("schemas/order.json");
	works_copy_definition("order.yaml");
	serving_start(&first, works_program(SERVER), first_args);
	ck_assert_int_eq(start_at(&first, "1"), 0);
	ck_assert_int_eq(rename("server.log", "first.log"), 0);
	serving_start(&second, works_program(SERVER), args);
	ck_assert_ptr_nonnull(strstr(folder_read("server.log", &arena).at, "sagas=1"));
	ck_assert_int_ne(start_at(&first, "2"), 0);
	ck_assert_int_eq(background_wait(&first.process), 1);
	ck_assert_ptr_nonnull(
		strstr(folder_read("first.log", &arena).at, "has taken the store in MongoDB"));
	ck_assert_int_eq(start_at(&second, "2"), 0);
	ck_assert_int_eq(start_at(&second, "1"), 0);
	ck_assert_int_eq(background_stop(&second.process, SIGTERM), 0);
	arena_release(&arena);
	folder_leave();
	mongo_drop(database);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, SECONDS);
	if (!found)
		return;
	tcase_add_test(tcase, test_another_server_takes_the_store);
	tcase_add_test(tcase, test_every_order_ends_although_server_and_database_are_killed);
	if (!engine[0])
		return;
	tcase_add_test(tcase, test_every_order_ends_although_the_database_is_held);
	tcase_add_test(tcase, test_an_outage_of_the_database_is_told);
}

int main(int argc, char **argv)
{
	works_find(argv[0]);
	found = mongo_find("mongo");
	if (found && !getenv("SKALD_TEST_MONGO") && !realpath("build/engines/mongo", engine))
		engine[0] = '\0';
	return suite_run("mongo", add);
}

/* test_mongo.c - orders whose sagas, or whose charges, are in MongoDB, while the server is
 * killed and the database is killed or held; in the end everybody's books say what the sagas
 * say. */
#define _XOPEN_SOURCE 700 /* realpath */

#include "tests/e2e/http.h"
#include "tests/e2e/orders.h"
#include "tests/lib/engines.h"
#include "tests/lib/folder.h"
#include "tests/lib/random.h"
#include "tests/lib/suite.h"

#include <mongoc/mongoc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { ORDERS = 200, BLOWS = 6, SECONDS = 300 };

/* Of a database that does not answer. */
#define PATIENCE "?connectTimeoutMS=1000&socketTimeoutMS=1000"

static struct works works;
static struct orders orders;
static struct arena arena;
static struct random chance = {17};

static char engine[4096]; /* the folder of the stand-in; empty: it is not ours to kill */
static char database[MONGO_URI_SIZE], store[MONGO_URI_SIZE + 64];

/* Whatever a test started ends with it. */
static void have_database(void)
{
	if (engine[0])
		ck_assert_ptr_nonnull(engine_ask("mongo", "up", engine));
	mongo_database(database);
}

/* This one has its data in MongoDB. */
static void begin(enum work work, uint32_t seed, int n)
{
	have_database();
	snprintf(store, sizeof store, "mongo:%s%s", database,
		 strchr(database, '?') ? "" : PATIENCE);
	works_enter();
	works = (struct works){.args = {[INVENTORY] = {"--stock", ORDER_SOLD_OUT}}};
	works.args[work][0] = "--store";
	works.args[work][1] = store;
	works_start(&works);
	orders_init(&orders, seed, n);
	orders_allow(&orders, 0);
	orders_begin(&orders, works.server.url);
}

static void await_orders(void)
{
	orders_await(&orders);
	works_wait_idle(&works);
}

static void leave(void)
{
	arena_release(&arena);
	folder_leave();
	mongo_drop(database);
}

static void end(void)
{
	struct order_ends ends;

	await_orders();
	ends = orders_check(&orders, &works, ORDER_AS_IT_IS);
	ck_assert_int_eq(ends.completed + ends.compensated, orders.n);
	works_stop(&works);
	leave();
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
		orders_send_part(&orders, blow, BLOWS);
		works_sleep_ms((int)random_below(&chance, 60));
		strikes[blow % n_strikes]();
	}
}

START_TEST(test_every_order_ends_although_server_and_database_are_killed)
{
	static void (*const strikes[])(void) = {kill_server, kill_database, kill_both};

	begin(SERVER, 17, ORDERS);
	torture(strikes, engine[0] ? 3 : 1);
	end();
}
END_TEST

START_TEST(test_every_order_ends_although_the_database_is_held)
{
	static void (*const strikes[])(void) = {hold_database};

	begin(SERVER, 17, ORDERS);
	torture(strikes, 1);
	end();
}
END_TEST

/* An outage is seen, and passes. */
START_TEST(test_an_outage_of_the_database_is_told)
{
	struct http_answer ready;

	begin(SERVER, 17, 1);
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

static void check_stats(const struct serving *server, const char *option, const char *text)
{
	const struct process_setup setup = {.argv = {works_program(SERVER), "stats", option},
					    .env = {server->env}};
	struct process_result result = process_run(&setup, &arena);

	ck_assert_msg(result.exit_code == 0 && strstr(result.out.at, text), "%s",
		      result.out.at);
}

/* A standby: it goes on with what the first one began, and the first one ends. */
START_TEST(test_another_server_takes_the_store)
{
	const char *const args[] = {"--store", store, "--data", "second", NULL};
	struct serving first = {.url = ""}, second = {.url = ""};
	const char *const first_args[] = {"--store", store, NULL};

	have_database();
	snprintf(store, sizeof store, "mongo:%s", database);
	works_enter();
	serving_start(&first, works_program(SERVER), first_args);
	ck_assert_int_eq(start_at(&first, "1"), 0);
	ck_assert_int_eq(rename("server.log", "first.log"), 0);
	serving_start(&second, works_program(SERVER), args);
	ck_assert_ptr_nonnull(strstr(folder_read("server.log", &arena).at, "sagas=1"));
	ck_assert_int_ne(start_at(&first, "2"), 0);
	ck_assert_int_eq(background_wait(&first.process), 1);
	ck_assert_ptr_nonnull(
		strstr(folder_read("first.log", &arena).at, "has taken the store in MongoDB"));
	check_stats(&second, "--json", "\"shards\":1,\"since\":\"20");
	check_stats(&second, NULL, "SHARDS  FOR");
	ck_assert_int_eq(start_at(&second, "2"), 0);
	ck_assert_int_eq(start_at(&second, "1"), 0);
	ck_assert_int_eq(background_stop(&second.process, SIGTERM), 0);
	leave();
}
END_TEST

/* --- payment's charges in MongoDB ------------------------------------------------------ */

static void kill_payment(void)
{
	works_kill(&works, PAYMENT);
	works_start_one(&works, PAYMENT);
}

static void kill_payment_and_database(void)
{
	works_kill(&works, PAYMENT);
	kill_database();
	works_start_one(&works, PAYMENT);
}

static mongoc_collection_t *charges(mongoc_client_t **client)
{
	mongoc_uri_t *uri = mongoc_uri_new(database);
	mongoc_collection_t *collection;

	*client = mongoc_client_new_from_uri(uri);
	collection =
		mongoc_client_get_collection(*client, mongoc_uri_get_database(uri), "payment");
	mongoc_uri_destroy(uri);
	return collection;
}

/* Somebody changes one charge by hand. */
static void forge(const char *state)
{
	bson_t *which = BCON_NEW("skald.state", "ok", "cents", "{", "$gt", BCON_INT64(0), "}");
	bson_t *change = BCON_NEW("$set", "{", "skald.state", BCON_UTF8(state), "}");
	mongoc_client_t *client;
	mongoc_collection_t *collection = charges(&client);
	bson_error_t error;

	ck_assert_msg(
		mongoc_collection_update_one(collection, which, change, NULL, NULL, &error),
		"%s", error.message);
	mongoc_collection_destroy(collection);
	mongoc_client_destroy(client);
	bson_destroy(change);
	bson_destroy(which);
}

static void expect_difference(const char *difference)
{
	struct process_result result = works_reconcile(&works, &arena);

	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_msg(strstr(result.out.at, "\"differences\":1,") != NULL, "%s", result.out.at);
	ck_assert_msg(strstr(result.out.at, difference) != NULL, "%s", result.out.at);
}

START_TEST(test_books_are_exact_with_the_charges_in_mongodb)
{
	static void (*const strikes[])(void) = {kill_payment, kill_database,
						kill_payment_and_database};
	struct order_ends ends;

	begin(PAYMENT, 23, ORDERS);
	torture(strikes, engine[0] ? 3 : 1);
	await_orders();
	ends = orders_check(&orders, &works, ORDER_AS_IT_IS);
	ck_assert_int_gt(ends.completed, 0);
	ck_assert_int_gt(ends.compensated, 0);
	works_check_reconciled(&works);
	forge("refused");
	expect_difference("\"difference\":\"done-but-refused\"");
	works_stop(&works);
	leave();
}
END_TEST

START_TEST(test_a_charge_in_mongodb_is_given_back)
{
	static const char back[] = "saga: back\nversion: 1.0.0\nsteps:\n"
				   "  - charge: { call: payment.charge, with: { amount: 5 },"
				   " undo: { call: payment.refund } }\n"
				   "  - second: { kind: pivot, call: payment.charge,"
				   " with: { amount: 7, decline: true } }\n";
	struct process_setup setup = {
		.argv = {works_program(SERVER), "start", "back", "-i", "{}", "--wait"}};
	struct slice books;

	begin(PAYMENT, 23, 1);
	folder_write("sagas/back.yaml", back);
	setup.env[0] = works.server.env;
	works_kill(&works, SERVER);
	works_start_one(&works, SERVER);
	process_run(&setup, &arena);
	await_orders();
	books = works_audit(&works, PAYMENT, &arena);
	ck_assert_msg(strstr(books.at, "\"undone\":1,\"refused\":1,") != NULL &&
			      strstr(books.at, "\"refunded_cents\":500,") != NULL &&
			      strstr(books.at, "\"balance_cents\":0,") != NULL,
		      "%s", books.at);
	works_check_reconciled(&works);
	forge("undone");
	expect_difference("\"difference\":\"done-but-undone\"");
	works_stop(&works);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, SECONDS);
	tcase_add_test(tcase, test_a_charge_in_mongodb_is_given_back);
	tcase_add_test(tcase, test_books_are_exact_with_the_charges_in_mongodb);
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
	if (!mongo_find("mongo"))
		return EXIT_SUCCESS;
	if (!getenv("SKALD_TEST_MONGO") && !realpath("build/engines/mongo", engine))
		engine[0] = '\0';
	return suite_run("mongo", add);
}

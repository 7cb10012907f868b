/* test_mongo_bench.c - skald bench with its sagas in MongoDB: it ends with exact books, and
 * leaves nothing behind, neither files nor a database. */
#include "tests/e2e/bench_run.h"
#include "tests/lib/engines.h"
#include "tests/lib/suite.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>

static char database[MONGO_URI_SIZE], place[MONGO_URI_SIZE + 16];
static const struct bench_engine mongo = {"--store", "mongo", "SKALD_STORE", place};

static void enter(void)
{
	mongo_database(database);
	snprintf(place, sizeof place, "mongo:%s", database);
	bench_enter();
}

/* Databases of the server whose names begin so, or are so. */
static int count_databases(const char *prefix)
{
	mongoc_client_t *client = mongoc_client_new(database);
	bson_error_t error;
	char **names = mongoc_client_get_database_names_with_opts(client, NULL, &error);
	int n = 0;

	ck_assert_msg(names != NULL, "%s", error.message);
	for (char **name = names; *name; name++)
		n += strncmp(*name, prefix, strlen(prefix)) == 0;
	bson_strfreev(names);
	mongoc_client_destroy(client);
	return n;
}

/* Nor was anything written to the database that the URI names. */
static void leave(void)
{
	ck_assert_int_eq(count_databases("skald-bench-"), 0);
	ck_assert_int_eq(count_databases(strrchr(database, '/') + 1), 0);
	bench_leave();
}

static const struct bench_row rows[] = {
	{"all complete", {"--sagas", "200", "--inflight", "100"}, true, 200, false},
	{"some are declined", {"--sagas", "100", "--decline", "30%"}, true, 100, true},
	{"a server that the environment names", {"--sagas", "20"}, false, 20, false},
};

START_TEST(test_bench)
{
	enter();
	bench_check_row(&mongo, &rows[_i]);
	leave();
}
END_TEST

static const struct wrong {
	const char *name;
	const char *args[4];
	int exit_code;
	const char *errs;
} wrongs[] = {
	{"nobody answers",
	 {"--store", "mongo:mongodb://127.0.0.1:1/?connectTimeoutMS=300"},
	 1,
	 "127.0.0.1:1"},
};

START_TEST(test_what_cannot_be_done)
{
	const struct wrong *wrong = &wrongs[_i];
	struct process_setup setup = {.argv = {bench_program(), "bench"},
				      .env = {"TMPDIR=tmp"}};
	struct process_result result;

	enter();
	for (size_t i = 0; wrong->args[i]; i++)
		setup.argv[2 + i] = wrong->args[i];
	result = process_run(&setup, &bench_arena);
	ck_assert_msg(result.exit_code == wrong->exit_code, "exit %d: %s", result.exit_code,
		      result.errs.at);
	ck_assert_msg(strstr(result.errs.at, wrong->errs) != NULL, "%s", result.errs.at);
	leave();
}
END_TEST

START_TEST(test_no_server_is_known)
{
	struct process_result result;

	enter();
	result = bench_elsewhere(&mongo);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_msg(strstr(result.errs.at, "which MongoDB? write --store "
					     "mongo:mongodb://HOST:PORT") != NULL,
		      "%s", result.errs.at);
	leave();
}
END_TEST

START_TEST(test_a_server_is_started)
{
	enter();
	bench_check_in_tree(&mongo);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, test_bench, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_what_cannot_be_done, 0, ROWS(wrongs));
	tcase_add_test(tcase, test_no_server_is_known);
	if (!getenv("SKALD_TEST_MONGO")) /* or there may be nothing to start one with */
		tcase_add_test(tcase, test_a_server_is_started);
}

int main(int argc, char **argv)
{
	bench_find(argv[0]);
	return mongo_find("mongo") ? suite_run("mongo_bench", add) : EXIT_SUCCESS;
}

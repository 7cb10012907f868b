/* test_mongo_bench.c - skald bench with its sagas in MongoDB: it ends with exact books, and
 * leaves nothing behind, neither files nor a database. */
#include "base/json.h"
#include "tests/lib/engines.h"
#include "tests/lib/folder.h"
#include "tests/lib/process.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_PROGRAMS = 3 };

static const char *const programs[N_PROGRAMS] = {"skald", "skald-inventory", "skald-payment"};
static char paths[N_PROGRAMS][4096];
static char database[MONGO_URI_SIZE];
static char store[MONGO_URI_SIZE + 16], variable[MONGO_URI_SIZE + 32];
static struct arena arena;

static void enter(void)
{
	mongo_database(database);
	folder_enter();
	snprintf(store, sizeof store, "mongo:%s", database);
	snprintf(variable, sizeof variable, "SKALD_STORE=%s", store);
	ck_assert_int_eq(mkdir("tmp", 0700), 0);
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

/* Nothing stays where the temporary folder was: it can be removed. Nor was anything
 * written to the database that the URI names. */
static void leave(void)
{
	ck_assert_msg(rmdir("tmp") == 0, "something was left behind: %s", strerror(errno));
	ck_assert_int_eq(count_databases("skald-bench-"), 0);
	ck_assert_int_eq(count_databases(strrchr(database, '/') + 1), 0);
	folder_leave();
	arena_release(&arena);
}

static struct json figures_of(const struct process_result *result)
{
	struct json figures = {{0}};

	ck_assert_msg(result->exit_code == 0, "exit %d: %s", result->exit_code,
		      result->errs.at);
	ck_assert_int_eq(json_parse(result->out, 65536, &arena, &figures, NULL), OK);
	return figures;
}

static int64_t number(struct json figures, const char *name)
{
	struct json value;

	ck_assert_msg(json_get(figures, slice_of(name), &value), "no %s", name);
	return strtoll(value.text.at, NULL, 10);
}

static const struct row {
	const char *name;
	const char *args[6]; /* --store comes with them */
	bool uri;            /* in the flag; else in SKALD_STORE */
	int64_t sagas;
	bool compensated; /* some are */
} rows[] = {
	{"all complete", {"--sagas", "200", "--inflight", "100"}, true, 200, false},
	{"some are declined", {"--sagas", "100", "--decline", "30%"}, true, 100, true},
	{"a server that the environment names", {"--sagas", "20"}, false, 20, false},
};

START_TEST(test_bench)
{
	const struct row *row = &rows[_i];
	struct process_setup setup = {.argv = {paths[0], "bench", "--json", "--store"},
				      .env = {"TMPDIR=tmp", variable}};
	struct process_result result;
	struct json figures, books;

	enter();
	setup.argv[4] = row->uri ? store : "mongo";
	for (size_t i = 0; row->args[i]; i++)
		setup.argv[5 + i] = row->args[i];
	result = process_run(&setup, &arena);
	figures = figures_of(&result);
	ck_assert_int_eq(number(figures, "completed") + number(figures, "compensated"),
			 row->sagas);
	ck_assert((number(figures, "compensated") > 0) == row->compensated);
	ck_assert_int_eq(number(figures, "events"), 4 * row->sagas);
	ck_assert_int_eq(number(figures, "lost"), 0);
	ck_assert(json_get(figures, SLICE_LITERAL("books"), &books));
	ck_assert_msg(slice_is(books.text, "\"agree\""), "%.*s", SLICE_ARG(books.text));
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
	struct process_setup setup = {.argv = {paths[0], "bench"}, .env = {"TMPDIR=tmp"}};
	struct process_result result;

	enter();
	for (size_t i = 0; wrong->args[i]; i++)
		setup.argv[2 + i] = wrong->args[i];
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == wrong->exit_code, "exit %d: %s", result.exit_code,
		      result.errs.at);
	ck_assert_msg(strstr(result.errs.at, wrong->errs) != NULL, "%s", result.errs.at);
	leave();
}
END_TEST

/* Programs that lie elsewhere, as those that were installed do. */
START_TEST(test_no_server_is_known)
{
	char path[sizeof paths[0] + 16];
	struct process_setup setup = {.argv = {path, "bench", "--store", "mongo"},
				      .env = {"TMPDIR=tmp"}};
	struct process_result result;

	enter();
	for (int i = 0; i < N_PROGRAMS; i++) {
		const struct process_setup copy = {.argv = {"/bin/cp", paths[i], programs[i]}};

		ck_assert_int_eq(process_run(&copy, &arena).exit_code, 0);
	}
	ck_assert(getcwd(path, sizeof paths[0]) != NULL);
	memcpy(path + strlen(path), "/skald", sizeof "/skald");
	result = process_run(&setup, &arena);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_msg(strstr(result.errs.at, "which MongoDB? write --store "
					     "mongo:mongodb://HOST:PORT") != NULL,
		      "%s", result.errs.at);
	leave();
}
END_TEST

/* In the tree of the source. */
START_TEST(test_a_server_is_started)
{
	const char *home = getenv("HOME"), *engines = getenv("SKALD_ENGINES");
	char where[4096], cache[4096];
	const struct process_setup setup = {
		.argv = {paths[0], "bench", "--store", "mongo", "--sagas", "20", "--json"},
		.env = {"TMPDIR=tmp", where, engines ? cache : NULL}};
	struct process_result result;

	enter();
	snprintf(where, sizeof where, "HOME=%s", home ? home : "/");
	snprintf(cache, sizeof cache, "SKALD_ENGINES=%s", engines ? engines : "");
	result = process_run(&setup, &arena);
	ck_assert_int_eq(number(figures_of(&result), "completed"), 20);
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
	for (int i = 0; i < N_PROGRAMS; i++)
		process_find(argv[0], programs[i], paths[i], sizeof paths[i]);
	return mongo_find("mongo") ? suite_run("mongo_bench", add) : EXIT_SUCCESS;
}

/* test_bench.c - skald bench with real processes: its figures, its books, what it
 * leaves behind. */
#include "base/json.h"
#include "tests/lib/background.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char skald[4096], inventory[4096], payment[4096];
static struct arena arena;

static struct process_result run(const char *const *args)
{
	struct process_setup setup = {.argv = {skald, "bench"}, .env = {"TMPDIR=tmp"}};

	for (size_t i = 0; args[i]; i++)
		setup.argv[i + 2] = args[i];
	return process_run(&setup, &arena);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void enter(void)
{
	folder_enter();
	ck_assert_int_eq(mkdir("tmp", 0700), 0);
}

/* Nothing stays where the temporary folder was: it can be removed. */
static void leave(void)
{
	ck_assert_msg(rmdir("tmp") == 0, "something was left behind: %s", strerror(errno));
	folder_leave();
	arena_release(&arena);
}

/* --- figures ---------------------------------------------------------------------- */

static int64_t number(struct json figures, const char *name)
{
	struct json value;

	ck_assert_msg(json_get(figures, slice_of(name), &value), "no %s", name);
	ck_assert_msg(json_type(value) == JSON_NUMBER, "%s is no number", name);
	return strtoll(value.text.at, NULL, 10);
}

static struct json figures_of(const struct process_result *result)
{
	struct json figures = {{0}};

	ck_assert_msg(result->exit_code == 0, "exit %d: %s", result->exit_code,
		      result->errs.at);
	ck_assert_int_eq(json_parse(result->out, 65536, &arena, &figures, NULL), OK);
	return figures;
}

static void check_outcomes(struct json figures, int64_t sagas)
{
	struct json books;

	ck_assert_int_eq(number(figures, "sagas"), sagas);
	ck_assert_int_eq(number(figures, "completed") + number(figures, "compensated"), sagas);
	ck_assert_int_eq(number(figures, "parked"), 0);
	ck_assert_int_eq(number(figures, "killed"), 0);
	ck_assert_int_eq(number(figures, "lost"), 0);
	ck_assert_int_eq(number(figures, "wrong"), 0);
	ck_assert_int_gt(number(figures, "sagas_per_s"), 0);
	ck_assert(number(figures, "p99_ms") >= number(figures, "p50_ms"));
	/* None waited for the stream's heartbeat or for a timeout. */
	ck_assert_int_lt(number(figures, "p99_ms"), 8000);
	ck_assert(json_get(figures, SLICE_LITERAL("books"), &books));
	ck_assert_msg(slice_is(books.text, "\"agree\"") ||
			      slice_is(books.text, "\"unchecked\""),
		      "books: %.*s", SLICE_ARG(books.text));
}

static const struct {
	const char *name;
	const char *args[10];
	int64_t sagas;
	int64_t compensated_min, compensated_max;
} runs[] = {
	{"all complete", {"--json", "--sagas", "500", "--inflight", "50"}, 500, 0, 0},
	{"some are declined",
	 {"--json", "--sagas", "500", "--inflight", "200", "--decline", "20%"},
	 500,
	 50,
	 150},
	{"all are declined", {"--json", "-n", "40", "--decline", "100"}, 40, 40, 40},
	{"one at a time", {"--json", "--sagas", "100", "--inflight", "1"}, 100, 0, 0},
	{"one", {"--json", "--sagas", "1"}, 1, 0, 0},
	{"more than a request takes",
	 {"--json", "--sagas", "2500", "--inflight", "2500"},
	 2500,
	 0,
	 0},
	{"a store in memory", {"--json", "--sagas", "100", "--store", "memory"}, 100, 0, 0},
};

START_TEST(test_run)
{
	struct process_result result;
	struct json figures;
	int64_t compensated;

	enter();
	result = run(runs[_i].args);
	figures = figures_of(&result);
	check_outcomes(figures, runs[_i].sagas);
	compensated = number(figures, "compensated");
	ck_assert(compensated >= runs[_i].compensated_min &&
		  compensated <= runs[_i].compensated_max);
	ck_assert_int_gt(number(figures, "server_rss_kb"), 0);
	ck_assert_int_ge(number(figures, "disk_bytes_per_saga"), 0);
	ck_assert_int_eq(number(figures, "events"), 4 * runs[_i].sagas);
	leave();
}
END_TEST

START_TEST(test_people_get_a_page)
{
	struct process_result result;

	enter();
	result = RUN("--sagas", "100");
	ck_assert_int_eq(result.exit_code, 0);
	ck_assert_ptr_nonnull(strstr(result.out.at, "skald bench: 100 sagas, 1000 in flight"));
	ck_assert_ptr_nonnull(strstr(result.out.at, "100 completed, 0 compensated"));
	ck_assert_ptr_nonnull(strstr(result.out.at, "agree with every saga"));
	ck_assert_str_eq(result.errs.at, "");
	leave();
}
END_TEST

START_TEST(test_a_terminal_shows_a_bar)
{
	struct process_setup setup = {.argv = {skald, "bench", "--sagas", "100"},
				      .env = {"TMPDIR=tmp", "TERM=xterm"},
				      .terminal = true};
	struct process_result result;

	enter();
	result = process_run(&setup, &arena);
	ck_assert_int_eq(result.exit_code, 0);
	ck_assert_ptr_nonnull(strstr(result.out.at, "100 %  100 sagas"));
	leave();
}
END_TEST

/* --- another server --------------------------------------------------------------- */

START_TEST(test_another_server_runs_them)
{
	struct process_setup services[] = {
		{.argv = {inventory, "--data", "data", "--bus", "local:data/bus.sock"}},
		{.argv = {payment, "--data", "data", "--bus", "local:data/bus.sock"}}};
	struct background running[2];
	struct serving serving;
	struct process_result result;

	enter();
	serving_start(&serving, skald, NULL);
	background_start(&running[0], &services[0], "inventory.log");
	background_start(&running[1], &services[1], "payment.log");
	for (int i = 0; i < 2; i++) { /* it can be asked again */
		struct json figures, rss;

		result = RUN("--json", "--server", serving.url, "--sagas", "100", "--decline",
			     "10%");
		figures = figures_of(&result);
		check_outcomes(figures, 100);
		ck_assert(json_get(figures, SLICE_LITERAL("server_rss_kb"), &rss));
		ck_assert_int_eq(json_type(rss), JSON_NULL);
	}
	ck_assert_int_eq(background_stop(&serving.process, SIGTERM), 0);
	background_stop(&running[0], SIGTERM);
	background_stop(&running[1], SIGTERM);
	leave();
}
END_TEST

START_TEST(test_a_server_that_is_not_there)
{
	struct process_result result;

	enter();
	result = RUN("--server", "http://127.0.0.1:1", "--sagas", "1");
	ck_assert_int_eq(result.exit_code, 5);
	ck_assert_ptr_nonnull(strstr(result.errs.at, "cannot be reached"));
	leave();
}
END_TEST

/* Payments that are declined although their orders do not say so. */
START_TEST(test_an_outcome_that_nobody_ordered_fails)
{
	struct process_setup services[] = {
		{.argv = {inventory, "--data", "data", "--bus", "local:data/bus.sock"}},
		{.argv = {payment, "--data", "data", "--bus", "local:data/bus.sock", "--faults",
			  "decline=100%"}}};
	struct background running[2];
	struct serving serving;
	struct process_result result;

	enter();
	serving_start(&serving, skald, NULL);
	background_start(&running[0], &services[0], "inventory.log");
	background_start(&running[1], &services[1], "payment.log");
	result = RUN("--json", "--server", serving.url, "--sagas", "10");
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_ptr_nonnull(strstr(result.out.at, "\"wrong\":10"));
	ck_assert_ptr_nonnull(strstr(result.errs.at, "10 ended otherwise"));
	ck_assert_int_eq(background_stop(&running[0], SIGTERM), 0);
	result = RUN("--json", "--server", serving.url, "--sagas", "1", "--patience", "300ms");
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_ptr_nonnull(strstr(result.errs.at, "no service inventory is connected"));
	ck_assert_int_eq(background_stop(&serving.process, SIGTERM), 0);
	background_stop(&running[1], SIGTERM);
	leave();
}
END_TEST

/* A service that takes longer for each answer than anybody waits. */
START_TEST(test_what_does_not_end_is_lost)
{
	struct process_setup services[] = {
		{.argv = {inventory, "--data", "data", "--bus", "local:data/bus.sock"}},
		{.argv = {payment, "--data", "data", "--bus", "local:data/bus.sock", "--faults",
			  "slow=60s"}}};
	struct background running[2];
	struct serving serving;
	struct process_result result;

	enter();
	serving_start(&serving, skald, NULL);
	background_start(&running[0], &services[0], "inventory.log");
	background_start(&running[1], &services[1], "payment.log");
	result = RUN("--json", "--server", serving.url, "--sagas", "3", "--patience", "1s");
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_ptr_nonnull(strstr(result.out.at, "\"lost\":3"));
	ck_assert_ptr_nonnull(strstr(result.errs.at, "3 sagas were lost"));
	background_stop(&serving.process, SIGTERM);
	background_stop(&running[0], SIGKILL);
	background_stop(&running[1], SIGKILL);
	leave();
}
END_TEST

/* --- what is wrong ---------------------------------------------------------------- */

#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X500 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50

static const struct {
	const char *name;
	const char *args[6];
	int exit_code;
	const char *said;
} wrongs[] = {
	{"a share that is none", {"--decline", "half"}, 2, "\"half\" is no share"},
	{"no sagas", {"--sagas", "0"}, 2, "--sagas"},
	{"more sagas than fit", {"--sagas", "1000001"}, 2, "--sagas"},
	{"nothing in flight", {"--inflight", "0"}, 2, "--inflight"},
	{"an argument too many", {"fast"}, 2, "\"fast\" is none"},
	{"a store of another server",
	 {"--server", "http://127.0.0.1:1", "--store", "memory"},
	 2,
	 "--store is about a server of its own"},
	{"a bus of another server",
	 {"--server", "http://127.0.0.1:1", "--bus", "local"},
	 2,
	 "--bus is about a server of its own"},
	{"a folder for another server",
	 {"--server", "http://127.0.0.1:1", "--dir", "."},
	 2,
	 "--dir is about a server of its own"},
	{"no patience", {"--patience", "99ms"}, 2, "--patience"},
	{"more brokers than have room",
	 {"--bus", "kafka:" X500 X50},
	 1,
	 "a few of them are enough"},
	{"a URI that is too long",
	 {"--store", "mongo:mongodb://" X500 X500 X500},
	 1,
	 "the URI of the store is over"},
	{"a folder with too long a name", {"--dir", X500}, 1, "give a shorter --dir"},
	{"a store that is not there", {"--store", "paper"}, 1, "there is no such store"},
	{"a bus that is not there", {"--bus", "pigeons"}, 1, "pigeons"},
	{"a folder that is not there",
	 {"--dir", "nowhere"},
	 1,
	 "cannot make a folder in nowhere"},
};

START_TEST(test_wrong)
{
	struct process_result result;

	enter();
	result = run(wrongs[_i].args);
	ck_assert_msg(result.exit_code == wrongs[_i].exit_code, "%s: exit %d: %s",
		      wrongs[_i].name, result.exit_code, result.errs.at);
	ck_assert_msg(strstr(result.errs.at, wrongs[_i].said), "%s: %s", wrongs[_i].name,
		      result.errs.at);
	ck_assert_uint_eq(result.out.len, 0);
	leave();
}
END_TEST

static void wait_for_folder(void)
{
	const struct timespec step = {0, 5 * 1000 * 1000};
	struct stat folder;

	/* A folder in it is a link more. */
	while (stat("tmp", &folder) == 0 && folder.st_nlink < 3)
		nanosleep(&step, NULL);
}

START_TEST(test_a_signal_ends_it_and_leaves_nothing)
{
	static const int signals[] = {SIGINT, SIGTERM};
	struct process_setup setup = {.argv = {skald, "bench", "--sagas", "1000000"},
				      .env = {"TMPDIR=tmp"}};
	struct background bench;

	enter();
	background_start(&bench, &setup, "bench.log");
	wait_for_folder();
	ck_assert_int_eq(background_stop(&bench, signals[_i]), 128 + signals[_i]);
	ck_assert_uint_eq(folder_read("bench.log", &arena).len, 0);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_run, 0, sizeof runs / sizeof *runs);
	tcase_add_test(tcase, test_people_get_a_page);
	tcase_add_test(tcase, test_a_terminal_shows_a_bar);
	tcase_add_test(tcase, test_another_server_runs_them);
	tcase_add_test(tcase, test_a_server_that_is_not_there);
	tcase_add_test(tcase, test_an_outcome_that_nobody_ordered_fails);
	tcase_add_test(tcase, test_what_does_not_end_is_lost);
	tcase_add_loop_test(tcase, test_wrong, 0, sizeof wrongs / sizeof *wrongs);
	tcase_add_loop_test(tcase, test_a_signal_ends_it_and_leaves_nothing, 0, 2);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	process_find(argv[0], "skald-inventory", inventory, sizeof inventory);
	process_find(argv[0], "skald-payment", payment, sizeof payment);
	return suite_run("bench", add);
}

/* test_floor.c - the program of the floor ends every saga, finds its own books in
 * order, says so in its figures, and leaves nothing behind. */
#include "base/json.h"
#include "tests/lib/folder.h"
#include "tests/lib/process.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static char floor_program[4096];

static struct arena arena;

static void set_up(void)
{
	folder_enter();
}

static void tear_down(void)
{
	folder_leave();
	arena_release(&arena);
}

/* --- figures ----------------------------------------------------------------------- */

static const struct row {
	const char *name;
	const char *sagas;
	const char *inflight;
	const char *decline;
	int64_t compensated_min;
	int64_t compensated_max;
} rows[] = {
	{"all of them are completed", "2000", "1000", "0%", 0, 0},
	{"some are declined and compensated", "2000", "1000", "10%", 120, 280},
	{"all of them are compensated", "500", "200", "100", 500, 500},
	{"one at a time", "20", "1", "50%", 1, 19},
	{"fewer than may be in flight", "3", "100000", "0%", 0, 0},
	{"more at a time than a socket holds", "12000", "12000", "10%", 900, 1500},
	{"a single one", "1", "1", "0%", 0, 0},
};

static int64_t number_of(struct json figures, const char *name)
{
	struct decimal number;
	struct json value;

	ck_assert_msg(json_get(figures, slice_of(name), &value), "%s is missing", name);
	ck_assert_int_eq(json_number(value, &number), DECIMAL_OK);
	return decimal_truncate(number);
}

START_TEST(test_run)
{
	const struct row *row = &rows[_i];
	struct process_setup setup = {.argv = {floor_program, "--json", "--dir", ".", "--sagas",
					       row->sagas, "--inflight", row->inflight,
					       "--decline", row->decline}};
	struct process_result result = process_run(&setup, &arena);
	int64_t sagas = strtoll(row->sagas, NULL, 10), compensated;
	struct diag diag = {""};
	struct json figures;

	ck_assert_msg(result.exit_code == 0 && result.errs.len == 0, "%s: exit %d: %s",
		      row->name, result.exit_code, result.errs.at);
	ck_assert_msg(json_parse(result.out, 4096, &arena, &figures, &diag) == OK, "%s: %s",
		      diag.text, result.out.at);
	compensated = number_of(figures, "compensated");
	ck_assert_int_eq(number_of(figures, "sagas"), sagas);
	ck_assert_int_eq(number_of(figures, "completed"), sagas - compensated);
	ck_assert_int_ge(compensated, row->compensated_min);
	ck_assert_int_le(compensated, row->compensated_max);
	ck_assert_int_ge(number_of(figures, "disk_bytes_per_saga"), 400);
	ck_assert_uint_eq(folder_count(), 0);
}
END_TEST

/* --- wrong usage ---------------------------------------------------------------------- */

static const struct wrong {
	const char *name;
	struct process_setup setup; /* without argv[0] */
	int exit_code;
	const char *errs; /* what standard error holds */
} wrongs[] = {
	{"an unknown flag", {.argv = {NULL, "--saga"}}, 2, "did you mean --sagas?"},
	{"a share above all", {.argv = {NULL, "--decline", "101%"}}, 2, "from 0% to 100%"},
	{"a share that is no number", {.argv = {NULL, "--decline=-1"}}, 2, "from 0% to 100%"},
	{"none in flight", {.argv = {NULL, "--inflight", "0"}}, 2, "--inflight"},
	{"a folder that is not there", {.argv = {NULL, "--dir", "nowhere"}}, 1, "with --dir"},
};

START_TEST(test_wrong)
{
	const struct wrong *wrong = &wrongs[_i];
	struct process_setup setup = wrong->setup;
	struct process_result result;

	setup.argv[0] = floor_program;
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == wrong->exit_code, "%s: exit %d: %s", wrong->name,
		      result.exit_code, result.errs.at);
	ck_assert_msg(strstr(result.errs.at, wrong->errs) != NULL, "%s: %s", wrong->name,
		      result.errs.at);
	ck_assert_uint_eq(result.out.len, 0);
	ck_assert_uint_eq(folder_count(), 0);
}
END_TEST

/* --- a signal --------------------------------------------------------------------------- */

START_TEST(test_a_signal_ends_it_and_leaves_nothing_behind)
{
	const char *const args[] = {floor_program, "--dir", ".", "--sagas", "10000000", NULL};
	const struct timespec pause = {.tv_nsec = 1000 * 1000};
	char *const no_environment[] = {NULL};
	int status;
	pid_t pid;

	ck_assert_int_eq(posix_spawn(&pid, floor_program, NULL, NULL, (char *const *)args,
				     no_environment),
			 0);
	while (folder_count() == 0)
		nanosleep(&pause, NULL);
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	while (waitpid(pid, &status, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	ck_assert_uint_eq(folder_count(), 0);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, test_run, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_wrong, 0, ROWS(wrongs));
	tcase_add_test(tcase, test_a_signal_ends_it_and_leaves_nothing_behind);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "bench/floor", floor_program, sizeof floor_program);
	return suite_run("floor", add);
}

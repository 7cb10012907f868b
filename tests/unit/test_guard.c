/* test_guard.c - a command that its process dies of: noted, counted, given up */
#include "bus/bus_memory.h"
#include "participants/lib/guard.h"
#include "participants/lib/participant.h"
#include "skald/sqlite.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct guard *guard_at(const char *path, const char *fatal)
{
	struct guard *guard = NULL;
	struct diag diag = {{0}};
	struct slice got;

	ck_assert_msg(!guard_open(path, &guard, &got, &diag), "%s", diag.text);
	ck_assert_msg(slice_is(got, fatal), "it died of \"%.*s\"", SLICE_ARG(got));
	return guard;
}

/* A process takes the guard and dies; NULL: not while a command runs. */
static void die_of(const char *id)
{
	struct guard *guard;
	struct slice fatal;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (guard_open("guard", &guard, &fatal, NULL))
			_exit(1);
		guard_enter(guard, SLICE_LITERAL("another"));
		guard_leave(guard);
		if (id)
			guard_enter(guard, slice_of(id));
		raise(SIGKILL);
	}
	ck_assert(pid > 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}

START_TEST(test_deaths_are_counted)
{
	struct guard *guard;

	folder_enter();
	for (uint32_t n = 1; n <= 4; n++) {
		die_of("a/do");
		guard = guard_at("guard", "a/do");
		ck_assert_uint_eq(guard_deaths(guard, SLICE_LITERAL("a/do")), n);
		ck_assert_uint_eq(guard_deaths(guard, SLICE_LITERAL("a/d")), 0);
		ck_assert_uint_eq(guard_deaths(guard, SLICE_LITERAL("another")), 0);
		guard_close(guard);
	}
	guard = guard_at("guard", "");
	ck_assert_uint_eq(guard_deaths(guard, SLICE_LITERAL("a/do")), 4);
	guard_clear(guard, SLICE_LITERAL("b/do"));
	ck_assert_uint_eq(guard_deaths(guard, SLICE_LITERAL("a/do")), 4);
	guard_clear(guard, SLICE_LITERAL("a/do"));
	ck_assert_uint_eq(guard_deaths(guard, SLICE_LITERAL("a/do")), 0);
	guard_close(guard);
	guard_close(NULL);
	folder_leave();
}
END_TEST

START_TEST(test_no_command_no_death)
{
	struct guard *guard;

	folder_enter();
	die_of(NULL);
	guard = guard_at("guard", "");
	guard_enter(guard, SLICE_LITERAL("a/do"));
	guard_close(guard); /* it lives on, so the command is not to blame */
	guard_close(guard_at("guard", ""));
	folder_leave();
}
END_TEST

/* An id is known by its first 500 bytes and its length. */
START_TEST(test_long_ids)
{
	char id[1000];
	struct guard *guard;

	memset(id, 'x', sizeof id - 1);
	id[sizeof id - 1] = '\0';
	folder_enter();
	die_of(id);
	id[500] = '\0';
	guard = guard_at("guard", id);
	ck_assert_uint_eq(guard_deaths(guard, slice_of(id)), 0);
	id[500] = 'x';
	ck_assert_uint_eq(guard_deaths(guard, slice_of(id)), 1);
	guard_close(guard);
	folder_leave();
}
END_TEST

START_TEST(test_the_least_suspicious_makes_room)
{
	struct guard *guard;
	char id[32];

	folder_enter();
	die_of("old");
	die_of("old");
	for (int n = 0; n < GUARD_SUSPECTS_MAX; n++) {
		snprintf(id, sizeof id, "id-%d", n);
		die_of(id);
	}
	guard = guard_at("guard", id);
	ck_assert_uint_eq(guard_deaths(guard, SLICE_LITERAL("old")), 2);
	ck_assert_uint_eq(guard_deaths(guard, slice_of(id)), 1);
	ck_assert_uint_eq(guard_deaths(guard, SLICE_LITERAL("id-0")), 0);
	ck_assert_uint_eq(guard_deaths(guard, SLICE_LITERAL("id-1")), 1);
	guard_close(guard);
	folder_leave();
}
END_TEST

/* --- the file ------------------------------------------------------------------------- */

/* Another process, which holds the guard until its pipe is closed. */
static pid_t hold(int *release)
{
	int ready[2], end[2];
	struct guard *guard;
	struct slice fatal;
	pid_t pid;
	char byte;

	ck_assert(pipe(ready) == 0 && pipe(end) == 0);
	pid = fork();
	if (pid == 0) {
		close(end[1]);
		if (guard_open("guard", &guard, &fatal, NULL) || write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(read(end[0], &byte, 1) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(end[0]);
	*release = end[1];
	return pid;
}

START_TEST(test_each_process_has_its_own)
{
	int releases[GUARD_PROCESSES_MAX], status;
	struct guard *guard = NULL;
	struct diag diag;
	struct stat file;
	struct slice fatal;

	folder_enter();
	hold(&releases[0]);
	guard = guard_at("guard", "");
	guard_enter(guard, SLICE_LITERAL("a/do"));
	guard_leave(guard);
	ck_assert_int_eq(stat("guard.2", &file), 0);
	ck_assert_int_ne(stat("guard.3", &file), 0);
	guard_close(guard);
	for (int n = 1; n < GUARD_PROCESSES_MAX; n++)
		hold(&releases[n]);
	ck_assert_int_eq(guard_open("guard", &guard, &fatal, &diag), ERR_BUSY);
	ck_assert_str_eq(
		diag.text,
		"guard: 16 processes have it; give each participant a file of its own");
	for (int n = 0; n < GUARD_PROCESSES_MAX; n++)
		close(releases[n]);
	while (wait(&status) > 0)
		ck_assert_int_eq(status, 0);
	guard_close(guard_at("guard", ""));
	folder_leave();
}
END_TEST

START_TEST(test_another_file_is_left_alone)
{
	struct arena arena = {0};
	struct guard *guard;
	struct slice fatal;
	struct diag diag;

	folder_enter();
	folder_write("guard", "my diary");
	ck_assert_int_eq(guard_open("guard", &guard, &fatal, &diag), ERR_CORRUPT);
	ck_assert_str_eq(diag.text, "guard: is no file of a crash guard; name another one");
	ck_assert(slice_is(folder_read("guard", &arena), "my diary"));
	ck_assert_int_eq(guard_open("nowhere/guard", &guard, &fatal, &diag), ERR_IO);
	ck_assert_str_eq(diag.text, "nowhere/guard: No such file or directory");
	arena_release(&arena);
	folder_leave();
}
END_TEST

/* The disk was full when it was made. */
START_TEST(test_a_file_that_is_half_made_is_made_whole)
{
	struct guard *guard;

	folder_enter();
	folder_write("guard", "");
	ck_assert_int_eq(truncate("guard", 100), 0);
	guard = guard_at("guard", "");
	guard_close(guard);
	die_of("a/do");
	guard_close(guard_at("guard", "a/do"));
	folder_leave();
}
END_TEST

START_TEST(test_a_path_that_is_too_long)
{
	char path[5000];
	struct guard *guard;
	struct slice fatal;
	struct diag diag;

	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	ck_assert_int_eq(guard_open(path, &guard, &fatal, &diag), ERR_TOO_LARGE);
}
END_TEST

START_TEST(test_no_memory)
{
	bool fired = true;

	folder_enter();
	for (size_t n = 0; fired; n++) {
		struct guard *guard = NULL;
		struct slice fatal;
		enum err err;

		fail_malloc_at(n);
		err = guard_open("guard", &guard, &fatal, NULL);
		fired = fail_malloc_off();
		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
		guard_close(guard);
	}
	folder_leave();
}
END_TEST

/* --- a participant --------------------------------------------------------------------------
 */

static sqlite3 *db;

static skald_outcome count(const skald_command *command, skald_reply *reply, void *context)
{
	if (sqlite3_exec(db, "UPDATE book SET n = n + 1", NULL, NULL, NULL))
		return skald_reply_fail(reply, "db", sqlite3_errmsg(db));
	if (!strcmp(skald_command_id(command), "killer/do"))
		raise(SIGKILL);
	return skald_reply_ok(reply, NULL);
}

static void send(struct bus *bus, const char *id)
{
	struct command_message message = {.id = slice_of(id),
					  .participant = SLICE_LITERAL("stock"),
					  .command = SLICE_LITERAL("count"),
					  .saga_id = SLICE_LITERAL("s"),
					  .attempt = 1,
					  .first_ms = clock_now_ms(clock_system()),
					  .args = SLICE_LITERAL("{}")};

	if (bus_send(bus, &message))
		abort();
}

/* A process of a service: it is sent all that was not answered, and exits with the
 * number of ok answers, plus 100 where the killer was answered failed. */
static int serve(void)
{
	struct post *post = post_new();
	struct bus *bus = bus_memory_open(post);
	struct port *port = port_memory_open(post, "stock");
	struct inbox_message message;
	skald_participant *stock;
	struct guard *guard;
	struct slice fatal;
	int exit_code = 0;

	if (sqlite3_open("stock.db", &db) || guard_open("guard", &guard, &fatal, NULL))
		return 255;
	stock = participant_open(port, barrier_of(skald_sqlite_barrier(db, NULL)),
				 clock_system(), 0);
	participant_set_guard(stock, guard);
	if (!skald_participant_on(stock, "count", count, NULL))
		return 255;
	send(bus, "a/do");
	send(bus, "b/do");
	send(bus, "killer/do");
	send(bus, "c/do");
	skald_participant_poll(stock);
	while (bus_poll(bus, &message)) {
		exit_code += message.reply.outcome == MESSAGE_OK;
		if (message.reply.outcome == MESSAGE_FAILED &&
		    slice_is(message.reply.code, "crash-loop"))
			exit_code += 100;
	}
	return exit_code;
}

static int book(void)
{
	sqlite3_stmt *row;
	sqlite3 *handle;
	int n;

	ck_assert_int_eq(sqlite3_open("stock.db", &handle), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(handle, "SELECT n FROM book", -1, &row, NULL), 0);
	ck_assert_int_eq(sqlite3_step(row), SQLITE_ROW);
	n = sqlite3_column_int(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(handle);
	return n;
}

static int run_service(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(serve());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* The first death takes the whole batch with it. From then on the killer is alone,
 * and after three of them it does not run any more. */
START_TEST(test_a_crash_loop_ends)
{
	static const int books[] = {0, 2, 2};
	int status;

	folder_enter();
	ck_assert_int_eq(sqlite3_open("stock.db", &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE book (n); INSERT INTO book VALUES (0)",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	for (int n = 0; n < GUARD_DEATHS_MAX; n++) {
		status = run_service();
		ck_assert_msg(WIFSIGNALED(status), "process %d lives", n);
		ck_assert_int_eq(book(), books[n]);
	}
	status = run_service();
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 103, "status %d", status);
	ck_assert_int_eq(book(), 3);
	/* And so it stays. */
	status = run_service();
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 103, "status %d", status);
	ck_assert_int_eq(book(), 3);
	folder_leave();
}
END_TEST

/* It ran through once: it was not to blame. */
START_TEST(test_who_runs_through_is_cleared)
{
	struct post *post = post_new();
	struct bus *bus = bus_memory_open(post);
	struct port *port = port_memory_open(post, "stock");
	skald_barrier *barrier = skald_barrier_memory();
	skald_participant *stock =
		participant_open(port, barrier_of(barrier), clock_system(), 0);
	struct guard *guard;

	folder_enter();
	ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE book (n)", NULL, NULL, NULL), 0);
	die_of("a/do");
	die_of("b/do");
	guard = guard_at("guard", "b/do");
	participant_set_guard(stock, guard);
	ck_assert(skald_participant_on(stock, "count", count, NULL));
	send(bus, "a/do");
	ck_assert_uint_eq(skald_participant_poll(stock), 1);
	ck_assert_uint_eq(guard_deaths(guard, SLICE_LITERAL("a/do")), 0);
	ck_assert_uint_eq(guard_deaths(guard, SLICE_LITERAL("b/do")), 1);
	skald_participant_free(stock);
	guard_close(guard);
	skald_barrier_free(barrier);
	port_close(port);
	bus_close(bus);
	post_free(post);
	sqlite3_close(db);
	folder_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_deaths_are_counted);
	tcase_add_test(tcase, test_no_command_no_death);
	tcase_add_test(tcase, test_long_ids);
	tcase_add_test(tcase, test_the_least_suspicious_makes_room);
	tcase_add_test(tcase, test_each_process_has_its_own);
	tcase_add_test(tcase, test_another_file_is_left_alone);
	tcase_add_test(tcase, test_a_file_that_is_half_made_is_made_whole);
	tcase_add_test(tcase, test_a_path_that_is_too_long);
	tcase_add_test(tcase, test_no_memory);
	tcase_add_test(tcase, test_a_crash_loop_ends);
	tcase_add_test(tcase, test_who_runs_through_is_cleared);
}

int main(void)
{
	return suite_run("guard", add);
}

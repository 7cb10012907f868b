/* test_barrier_sqlite.c - the barrier in a file: what survives, and who shares it */
#include "participants/lib/barrier.h"
#include "skald/sqlite.h"
#include "tests/lib/barriers.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct barrier *open_at(const char *path, sqlite3 **db)
{
	skald_error error = {""};
	skald_barrier *barrier;

	ck_assert_int_eq(sqlite3_open(path, db), SQLITE_OK);
	barrier = skald_sqlite_barrier(*db, &error);
	ck_assert_msg(barrier != NULL, "%s", error.text);
	return barrier_of(barrier);
}

static void close_both(struct barrier *barrier, sqlite3 *db)
{
	barrier_close(barrier);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK); /* nothing was left open in it */
}

static const char *ask(sqlite3 *db, const char *sql)
{
	static char answer[100];
	sqlite3_stmt *row;

	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK, "%s: %s", sql,
		      sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_step(row), SQLITE_ROW);
	snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(row, 0));
	sqlite3_finalize(row);
	return answer;
}

static void run(sqlite3 *db, const char *sql)
{
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
		      sqlite3_errmsg(db));
}

START_TEST(test_it_is_durable_and_can_be_read)
{
	struct barrier *barrier;
	sqlite3 *db;

	folder_enter();
	barrier = open_at("stock.db", &db);
	ck_assert_str_eq(ask(db, "PRAGMA journal_mode"), "wal");
	ck_assert_str_eq(ask(db, "PRAGMA synchronous"), "2");
	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	keep_record(barrier, "a", BARRIER_OK, "[1]", "", "");
	keep_record(barrier, "b", BARRIER_REFUSED, "", "no", "never");
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	close_both(barrier, db);

	barrier = open_at("stock.db", &db);
	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	check_record(barrier, "a", BARRIER_OK, "[1]", "", "");
	check_record(barrier, "b", BARRIER_REFUSED, "", "no", "never");
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	ck_assert_str_eq(ask(db,
			     "SELECT group_concat(id || state || first_ms ||"
			     " ifnull(output, '-') || ifnull(code, '-')) FROM skald_barrier"),
			 "a117[1]-,b217-no");
	close_both(barrier, db);
	folder_leave();
}
END_TEST

/* A process that is killed leaves what it committed and nothing else. */
START_TEST(test_a_killed_process_leaves_what_it_committed)
{
	struct barrier *barrier;
	sqlite3 *db;
	int status;
	pid_t pid;

	folder_enter();
	pid = fork();
	if (pid == 0) {
		barrier = open_at("stock.db", &db);
		run(db, "CREATE TABLE book (n)");
		for (int n = 0; n < 2; n++) {
			ck_assert_int_eq(barrier->ops->begin(barrier), OK);
			ck_assert_int_eq(barrier->ops->mark(barrier), OK);
			run(db, "INSERT INTO book VALUES (1)");
			keep_record(barrier, n ? "b" : "a", BARRIER_OK, "", "", "");
			if (n == 0)
				ck_assert_int_eq(barrier->ops->commit(barrier), OK);
		}
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	barrier = open_at("stock.db", &db);
	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	check_record(barrier, "a", BARRIER_OK, "", "", "");
	check_record(barrier, "b", BARRIER_NONE, "", "", "");
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	ck_assert_str_eq(ask(db, "SELECT count(*) FROM book"), "1");
	close_both(barrier, db);
	folder_leave();
}
END_TEST

/* The host's own writes share the fate of the records. */
START_TEST(test_the_hosts_writes_belong_to_it)
{
	struct barrier *barrier;
	sqlite3 *db;

	folder_enter();
	barrier = open_at("stock.db", &db);
	run(db, "CREATE TABLE book (n)");
	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	ck_assert_int_eq(barrier->ops->mark(barrier), OK);
	run(db, "INSERT INTO book VALUES (1)");
	keep_record(barrier, "a", BARRIER_OK, "", "", "");
	ck_assert_int_eq(barrier->ops->mark(barrier), OK);
	run(db, "INSERT INTO book VALUES (2)");
	run(db, "CREATE TABLE another (n)");
	ck_assert_int_eq(barrier->ops->back(barrier), OK);
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	ck_assert_str_eq(ask(db, "SELECT group_concat(n) FROM book"), "1");
	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	run(db, "INSERT INTO book VALUES (3)");
	barrier->ops->rollback(barrier);
	ck_assert_str_eq(ask(db, "SELECT group_concat(n) FROM book"), "1");
	close_both(barrier, db);
	folder_leave();
}
END_TEST

/* --- handlers that end the transaction ------------------------------------------------- */

static const struct intrusion {
	const char *name;
	const char *sql;
	bool kept; /* it was noticed too late to take the intruder's own writes back */
} intrusions[] = {
	{"a handler rolls back", "ROLLBACK", false},
	{"a handler commits", "INSERT INTO book VALUES (1); COMMIT", true},
	{"a handler commits and begins anew",
	 "INSERT INTO book VALUES (1); COMMIT; BEGIN; INSERT INTO book VALUES (2)", true},
	{"a handler releases the mark", "RELEASE skald_mark", false},
};

static const char *intruder;

static bool intrude(void *context, const struct command_message *command, struct arena *arena,
		    struct reply_message *reply)
{
	run(context, intruder);
	reply->outcome = MESSAGE_OK;
	return true;
}

/* No record is kept in another transaction than the handler's. */
START_TEST(test_a_handler_that_ends_the_transaction)
{
	const struct intrusion *intrusion = &intrusions[_i];
	struct command_message command = {.id = SLICE_LITERAL("a/do"), .attempt = 1};
	struct arena arena = {0};
	struct barrier_desk desk = {.run = intrude, .arena = &arena};
	struct reply_message reply;
	enum barrier_answer answer;
	enum err err;
	sqlite3 *db;

	folder_enter();
	desk.barrier = open_at("stock.db", &db);
	desk.context = db;
	run(db, "CREATE TABLE book (n)");
	intruder = intrusion->sql;
	ck_assert_int_eq(desk.barrier->ops->begin(desk.barrier), OK);
	err = barrier_answer(&desk, &command, &reply, &answer);
	if (!err)
		err = desk.barrier->ops->commit(desk.barrier);
	ck_assert_msg(err == ERR_UNAVAILABLE, "%s: it was not noticed", intrusion->name);
	desk.barrier->ops->rollback(desk.barrier);
	ck_assert_int_eq(desk.barrier->ops->begin(desk.barrier), OK);
	check_record(desk.barrier, "a/do", BARRIER_NONE, "", "", "");
	ck_assert_int_eq(desk.barrier->ops->commit(desk.barrier), OK);
	ck_assert_str_eq(ask(db, "SELECT count(*) FROM book"), intrusion->kept ? "1" : "0");
	close_both(desk.barrier, db);
	arena_release(&arena);
	folder_leave();
}
END_TEST

START_TEST(test_it_says_that_a_handler_did)
{
	struct barrier *barrier;
	sqlite3 *db;

	folder_enter();
	barrier = open_at("stock.db", &db);
	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	ck_assert_int_eq(barrier->ops->mark(barrier), OK);
	run(db, "COMMIT");
	ck_assert_int_eq(barrier->ops->keep(barrier, SLICE_LITERAL("a"),
					    &(struct barrier_record){.state = BARRIER_OK}),
			 ERR_UNAVAILABLE);
	ck_assert_str_eq(barrier->ops->why(barrier),
			 "a handler has ended the transaction that it was called in");
	barrier->ops->rollback(barrier);
	close_both(barrier, db);
	folder_leave();
}
END_TEST

/* --- others ------------------------------------------------------------------------------ */

START_TEST(test_two_processes_share_a_file)
{
	struct barrier *one, *two;
	sqlite3 *db_one, *db_two;

	folder_enter();
	one = open_at("stock.db", &db_one);
	two = open_at("stock.db", &db_two);
	sqlite3_busy_timeout(db_two, 1);
	ck_assert_int_eq(one->ops->begin(one), OK);
	keep_record(one, "a", BARRIER_OK, "", "", "");
	ck_assert_int_eq(two->ops->begin(two), ERR_UNAVAILABLE);
	ck_assert_str_eq(two->ops->why(two), "database is locked");
	ck_assert_int_eq(one->ops->commit(one), OK);
	ck_assert_int_eq(two->ops->begin(two), OK);
	check_record(two, "a", BARRIER_OK, "", "", "");
	ck_assert_int_eq(two->ops->commit(two), OK);
	close_both(one, db_one);
	close_both(two, db_two);
	folder_leave();
}
END_TEST

START_TEST(test_a_busy_timeout_of_the_host_stays)
{
	struct barrier *barrier;
	sqlite3 *db;

	folder_enter();
	barrier = open_at("stock.db", &db);
	ck_assert_str_eq(ask(db, "PRAGMA busy_timeout"), "5000");
	sqlite3_busy_timeout(db, 17);
	barrier_close(barrier);
	barrier = barrier_of(skald_sqlite_barrier(db, NULL));
	ck_assert_str_eq(ask(db, "PRAGMA busy_timeout"), "17");
	close_both(barrier, db);
	folder_leave();
}
END_TEST

static const struct refusal {
	const char *name;
	const char *sql; /* of the host, before */
	const char *error;
} refusals[] = {
	{"a table of another version", "CREATE TABLE skald_barrier (id, answer)",
	 "stock.db: cannot use its table skald_barrier: no such column: state"},
	{"a transaction was begun", "BEGIN; CREATE TABLE a (n)",
	 "stock.db: its journal stays \"delete\" and must be WAL; put it on a local file "
	 "system, and begin no transaction before"},
	{"it may only be read", "PRAGMA query_only = 1",
	 "stock.db: cannot make the table skald_barrier: attempt to write a readonly database"},
};

START_TEST(test_what_cannot_be_a_barrier)
{
	skald_error error;
	const char *end;
	sqlite3 *db;

	folder_enter();
	ck_assert_int_eq(sqlite3_open("stock.db", &db), SQLITE_OK);
	run(db, refusals[_i].sql);
	ck_assert_ptr_null(skald_sqlite_barrier(db, NULL));
	ck_assert_ptr_null(skald_sqlite_barrier(db, &error));
	end = strstr(error.text, "stock.db: ");
	ck_assert_msg(end && !strcmp(end, refusals[_i].error), "%s: %s", refusals[_i].name,
		      error.text);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	folder_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_it_is_durable_and_can_be_read);
	tcase_add_test(tcase, test_a_killed_process_leaves_what_it_committed);
	tcase_add_test(tcase, test_the_hosts_writes_belong_to_it);
	tcase_add_loop_test(tcase, test_a_handler_that_ends_the_transaction, 0,
			    ROWS(intrusions));
	tcase_add_test(tcase, test_it_says_that_a_handler_did);
	tcase_add_test(tcase, test_two_processes_share_a_file);
	tcase_add_test(tcase, test_a_busy_timeout_of_the_host_stays);
	tcase_add_loop_test(tcase, test_what_cannot_be_a_barrier, 0, ROWS(refusals));
}

int main(void)
{
	return suite_run("barrier_sqlite", add);
}

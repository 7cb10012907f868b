/* test_store_sqlite.c - what only a store on a disk can run into: processes that are
 * killed, a full disk, files of others, a second process, copies */
#include "orchestrator/store/sqlite_file.h"
#include "orchestrator/store/store_sqlite.h"
#include "tests/lib/random.h"
#include "tests/lib/shelf_file.h"
#include "tests/lib/suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- killed ------------------------------------------------------------------------------- */

enum { KILLS = 25, ROUNDS = 40 };

/* Write batch after batch, and say so when one is written. */
static void write_until_killed(const char *folder, int acknowledge, int first)
{
	struct store *store;
	struct diag diag;

	if (store_sqlite_open(folder, &store, &diag))
		_exit(1);
	for (int batch = first;; batch++) {
		if (commit_numbered(store, batch * BATCH, 1) ||
		    write(acknowledge, &batch, sizeof batch) != sizeof batch)
			_exit(1);
		if (batch % 3 == 0 && commit_numbered(store, batch * BATCH, 2))
			_exit(1);
	}
}

/* Let a child write for a while, kill it; the last batch that it told of. */
static int kill_a_writer(const struct shelf *shelf, struct random *random, int first)
{
	int pipe_ends[2], last = first - 1, batch, status;
	uint32_t wanted = random_below(random, ROUNDS);
	pid_t child;

	ck_assert_int_eq(pipe(pipe_ends), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		close(pipe_ends[0]);
		write_until_killed(shelf->folder, pipe_ends[1], first);
	}
	close(pipe_ends[1]);
	for (uint32_t i = 0; i < wanted; i++) {
		ck_assert_int_eq(read(pipe_ends[0], &batch, sizeof batch), sizeof batch);
		last = batch;
	}
	for (volatile uint32_t spin = random_below(random, 300000); spin > 0; spin--)
		;
	kill(child, SIGKILL);
	/* What it told of before it died counts, too. */
	while (read(pipe_ends[0], &batch, sizeof batch) == sizeof batch)
		last = batch;
	close(pipe_ends[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	return last;
}

START_TEST(test_what_was_acknowledged_survives_a_kill)
{
	struct random random = {17};
	struct shelf shelf;
	int next = 0;

	ck_assert(shelf_init(&shelf, SHELF_SQLITE));
	for (int i = 0; i < KILLS; i++) {
		int last = kill_a_writer(&shelf, &random, next);

		ck_assert_int_eq(shelf_open_store(&shelf), OK);
		for (int n = next * BATCH; n < (last + 1) * BATCH; n++)
			ck_assert_msg(stored_revision(&shelf, n), "saga %d is lost", n);
		/* Of a batch that it did not tell of there is all or nothing. */
		for (next = last + 1; stored_revision(&shelf, next * BATCH); next++)
			;
		for (int n = (last + 1) * BATCH; n < (next + 2) * BATCH; n++)
			ck_assert_uint_eq(stored_revision(&shelf, n) != 0, n < next * BATCH);
		for (int n = 1; n < next * BATCH; n++)
			ck_assert_msg(n % BATCH == 0 || stored_revision(&shelf, n) ==
								stored_revision(&shelf, n - 1),
				      "half a batch is there, at saga %d", n);
		arena_reset(&shelf.arena);
		close_shelf_store(&shelf);
	}
	ck_assert_int_gt(next, KILLS);
	shelf_close(&shelf);
}
END_TEST

/* --- a full disk ----------------------------------------------------------------------------
 */

/* Commit until nothing more fits; how many sagas are there then. */
static int fill_up(struct shelf *shelf, int *first)
{
	enum err err = OK;
	int n = *first;

	for (; n < 1000000; n += BATCH) {
		err = commit_numbered(shelf->store, n, 1);
		if (err)
			break;
	}
	ck_assert_int_eq(err, ERR_IO);
	check_said(
		shelf, shelf->store->trouble.text,
		"DIR/skald.db: the disk is full; nothing was written; make room, and it goes "
		"on");
	*first = n;
	return n;
}

static void check_all_there(struct shelf *shelf, int n)
{
	for (int i = 0; i < n; i++)
		ck_assert_msg(stored_revision(shelf, i) == 1, "saga %d is lost", i);
	for (int i = n; i < n + 2 * BATCH; i++)
		ck_assert_msg(stored_revision(shelf, i) == 0, "saga %d is there", i);
	arena_reset(&shelf->arena);
}

/* Full, more room, full again, more room: nothing is lost, and it goes on. */
static void fill_and_go_on(struct shelf *shelf, void (*make_room)(struct shelf *shelf))
{
	int n = 0;

	for (int i = 0; i < 2; i++) {
		check_all_there(shelf, fill_up(shelf, &n));
		ck_assert_int_eq(commit_numbered(shelf->store, n, 1), ERR_IO);
		make_room(shelf);
		ck_assert_int_eq(commit_numbered(shelf->store, n, 1), OK);
		n += BATCH;
	}
	shelf_reopen(shelf);
	check_all_there(shelf, n);
}

static void set_file_limit(rlim_t bytes)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void raise_file_limit(struct shelf *shelf)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	set_file_limit(limit.rlim_cur * 2);
}

START_TEST(test_files_at_their_limit)
{
	struct shelf shelf;

	signal(SIGXFSZ, SIG_IGN);
	shelf_open(&shelf, SHELF_SQLITE);
	set_file_limit(1024 * 1024);
	fill_and_go_on(&shelf, raise_file_limit);
	shelf_close(&shelf);
}
END_TEST

/* A small file system, mounted before the tests run and unmounted after them, by
 * the process that runs them: a test that fails leaves nothing behind. */
static char small_disk[] = "/tmp/skald-test-XXXXXX";
static bool is_mounted;

static void mount_small_disk(void)
{
	ck_assert_ptr_nonnull(mkdtemp(small_disk));
	is_mounted = mount("tmpfs", small_disk, "tmpfs", 0, "size=6m") == 0;
	if (!is_mounted)
		printf("no small file system can be mounted here; that files cannot grow has "
		       "to do\n");
}

static void unmount_small_disk(void)
{
	if (is_mounted)
		umount(small_disk);
	rmdir(small_disk);
}

static void ballast_path(char path[PATH_SIZE], int n)
{
	snprintf(path, PATH_SIZE, "%s/ballast-%d", small_disk, n);
}

static void throw_off_ballast(struct shelf *shelf)
{
	char path[PATH_SIZE];

	for (int n = 0; n < 2; n++) {
		ballast_path(path, n);
		if (unlink(path) == 0)
			return;
	}
	ck_abort_msg("there is no ballast left");
}

START_TEST(test_a_full_disk)
{
	static const char block[1024 * 1024];
	struct shelf shelf = {.kind = SHELF_SQLITE};
	char path[PATH_SIZE];

	if (!is_mounted)
		return;
	for (int n = 0; n < 2; n++) {
		int fd;

		ballast_path(path, n);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(write(fd, block, sizeof block), sizeof block);
		close(fd);
	}
	snprintf(shelf.folder, sizeof shelf.folder, "%s/data", small_disk);
	ck_assert_int_eq(shelf_open_store(&shelf), OK);
	fill_and_go_on(&shelf, throw_off_ballast);
	shelf_close(&shelf);
}
END_TEST

/* --- other files and other processes
 * ----------------------------------------------------------- */

START_TEST(test_a_newer_file)
{
	struct shelf shelf;

	open_filled(&shelf);
	run_sql(&shelf, "PRAGMA user_version = 99");
	check_open_fails(&shelf, ERR_INVALID,
			 "DIR/skald.db is in version 99, of a newer skald; this one knows "
			 "versions up to 5: run the newer one");
	shelf_close(&shelf);
}
END_TEST

/* Made before there were batches: all of it counts as sent. */
START_TEST(test_a_file_of_the_first_version)
{
	struct store_batch newest;
	int64_t removed_ms = 0;
	struct shelf shelf;

	open_filled(&shelf);
	run_sql(&shelf, "DROP INDEX saga_done; DROP INDEX saga_step; DROP TABLE batch; DROP "
			"TABLE removed; "
			"DROP INDEX saga_status; CREATE INDEX saga_status ON saga (status); "
			"DROP VIEW dead_letters; DROP TABLE dead; PRAGMA user_version = 1");
	ck_assert_int_eq(shelf_open_store(&shelf), OK);
	/* Any of those that ended until now may have been removed. */
	ck_assert_int_eq(store_removed(shelf.store, &removed_ms), OK);
	ck_assert(removed_ms > 1700000000000);
	ck_assert_int_eq(store_load(shelf.store, NULL, &newest, ignore_record, NULL), OK);
	ck_assert_uint_eq(newest.number, 0);
	ck_assert_uint_eq(newest.sent, 0);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "new"}), OK);
	shelf_reopen(&shelf);
	ck_assert_int_eq(store_load(shelf.store, NULL, &newest, ignore_record, NULL), OK);
	ck_assert_uint_eq(newest.number, shelf_batch.number);
	shelf_close(&shelf);
}
END_TEST

/* What is said of batches is looked at before anything is done with it. */
static const char *const wrong_batches[] = {
	"UPDATE batch SET unsent = x''",
	"UPDATE batch SET unsent = x'01'",
	"UPDATE batch SET unsent = x'010201'",
	"UPDATE batch SET unsent = x'01010101'",
	"UPDATE batch SET unsent = x'0001'",
	"UPDATE batch SET unsent = x'ffffffffff01'",
	"UPDATE batch SET sent = number + 1",
	"UPDATE batch SET sent = -1",
	"UPDATE batch SET number = 9223372036854775807",
};

START_TEST(test_batches_that_are_missing)
{
	struct shelf shelf;

	open_filled(&shelf);
	run_sql(&shelf, "DELETE FROM batch");
	check_open_fails(&shelf, ERR_CORRUPT,
			 "DIR/skald.db is damaged (what it says of batches is missing); stop "
			 "the server, then put a backup in its place, or save what can be "
			 "saved: sqlite3 skald.db .recover");
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_batches_that_are_wrong)
{
	struct shelf shelf;

	open_filled(&shelf);
	run_sql(&shelf, wrong_batches[_i]);
	check_open_fails(&shelf, ERR_CORRUPT,
			 "DIR/skald.db is damaged (what it says of batches is wrong); stop the "
			 "server, then put a backup in its place, or save what can be saved: "
			 "sqlite3 skald.db .recover");
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_a_file_of_another_program)
{
	struct shelf shelf;

	ck_assert(shelf_init(&shelf, SHELF_SQLITE));
	run_sql(&shelf, "CREATE TABLE song (title TEXT)");
	check_open_fails(&shelf, ERR_INVALID,
			 "DIR/skald.db belongs to another program; use another --data");
	run_sql(&shelf, "DROP TABLE song; PRAGMA application_id = 7");
	check_open_fails(&shelf, ERR_INVALID,
			 "DIR/skald.db belongs to another program; use another --data");
	run_sql(&shelf, "PRAGMA application_id = 0");
	ck_assert_int_eq(shelf_open_store(&shelf), OK);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_a_second_process)
{
	struct shelf shelf;
	char said[DIAG_MAX];
	int status;
	pid_t child;

	shelf_open(&shelf, SHELF_SQLITE);
	snprintf(said, sizeof said,
		 "DIR is in use by process %ld; stop it or use another --data", (long)getpid());
	child = fork();
	if (child == 0) {
		check_open_fails(&shelf, ERR_BUSY, said);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	check_open_fails(&shelf, ERR_BUSY, said); /* nor this process, once more */
	ck_assert_int_eq(commit_numbered(shelf.store, 0, 1), OK);
	shelf_reopen(&shelf);
	ck_assert_uint_eq(stored_revision(&shelf, 0), 1);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_a_program_that_has_the_file_locked)
{
	char path[PATH_SIZE];
	struct shelf shelf;
	sqlite3 *other;

	shelf_open(&shelf, SHELF_SQLITE);
	shelf_path(&shelf, "skald.db", path);
	ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(commit_numbered(shelf.store, 0, 1), ERR_UNAVAILABLE);
	check_said(&shelf, shelf.store->trouble.text,
		   "DIR/skald.db: another program has it locked, perhaps an open sqlite3; "
		   "nothing was written; close that, and it goes on");
	ck_assert_uint_eq(stored_revision(&shelf, 0), 0);
	sqlite3_close(other);
	ck_assert_int_eq(commit_numbered(shelf.store, 0, 1), OK);
	shelf_close(&shelf);
}
END_TEST

/* Root may write everywhere; nobody may not. */
static void become_nobody(void)
{
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
}

START_TEST(test_what_may_not_be_written)
{
	char path[PATH_SIZE];
	struct shelf shelf;

	open_filled(&shelf);
	shelf_path(&shelf, "skald.db", path);
	ck_assert_int_eq(chmod(path, 0444), 0);
	shelf_path(&shelf, "lock", path);
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(chmod(shelf.folder, 0777), 0);
	become_nobody();
	check_open_fails(&shelf, ERR_IO,
			 "DIR/skald.db cannot be written to; whoever serves the folder must be "
			 "able to write to all that is in it");
	if (geteuid() != getuid())
		ck_assert_int_eq(seteuid(getuid()), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(chmod(shelf.folder, 0555), 0);
	become_nobody();
	check_open_fails(&shelf, ERR_IO,
			 "DIR/lock cannot be opened: Permission denied; whoever serves the "
			 "folder must be able to write to it");
	if (geteuid() != getuid())
		ck_assert_int_eq(seteuid(getuid()), 0);
	ck_assert_int_eq(chmod(shelf.folder, 0755), 0);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_folders)
{
	struct shelf shelf, inner = {.kind = SHELF_SQLITE};
	char long_name[5000];
	struct diag diag;
	struct store *store;

	ck_assert(shelf_init(&shelf, SHELF_SQLITE));
	ck_assert_int_eq(chdir(shelf.folder), 0);
	snprintf(inner.folder, sizeof inner.folder, "new");
	ck_assert_int_eq(shelf_open_store(&inner), OK); /* it is made */
	shelf_close(&inner);
	snprintf(inner.folder, sizeof inner.folder, "a/b");
	check_open_fails(
		&inner, ERR_IO,
		"the data folder DIR cannot be made: No such file or directory; make it "
		"yourself, or use another --data");
	check_open_fails(&(struct shelf){.folder = "/dev/null"}, ERR_IO,
			 "DIR is not a folder; use another --data");
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	ck_assert_int_eq(store_sqlite_open(long_name, &store, &diag), ERR_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(diag.text, "use a shorter --data"));
	shelf_close(&shelf);
}
END_TEST

/* --- for people, and copies
 * ---------------------------------------------------------------------- */

static int compare_status(void *context, int n, char **values, char **names)
{
	int *next = context;

	ck_assert_str_eq(values[0], status_text((enum status) * next));
	++*next;
	return 0;
}

START_TEST(test_the_view_says_what_skald_says)
{
	char path[PATH_SIZE], id[16];
	struct shelf shelf;
	sqlite3 *handle;
	int next = 0;

	shelf_open(&shelf, SHELF_SQLITE);
	for (int status = 0; status < STATUSES; status++) {
		struct saga_write write = numbered_write(id, status, 1);

		write.row.status = (enum status)status;
		write.row.ended_ms = status_ended(write.row.status) ? 1 : 0;
		ck_assert_int_eq(store_commit(shelf.store, &shelf_batch, &write, 1, NULL, 0),
				 OK);
	}
	shelf_path(&shelf, "skald.db", path);
	ck_assert_int_eq(sqlite3_open(path, &handle), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(handle, "SELECT status FROM sagas ORDER BY id",
				      compare_status, &next, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(next, STATUSES);
	next = 0;
	ck_assert_int_eq(sqlite3_exec(handle,
				      "SELECT 'running' FROM sagas WHERE id = 's-000000' AND "
				      "key = id AND (SELECT max(key) FROM saga) IS NULL AND "
				      "started_at = '1970-01-01T00:00:01.000Z' AND "
				      "ended_at IS NULL",
				      compare_status, &next, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(next, 1);
	sqlite3_close(handle);
	shelf_close(&shelf);
}
END_TEST

struct copying {
	struct store *store;
	char path[PATH_SIZE];
	enum err err;
	struct diag diag;
};

static void *copy(void *context)
{
	struct copying *copying = context;

	copying->err = store_backup(copying->store, copying->path, &copying->diag);
	return NULL;
}

/* While it is written to: the copy is some moment in between. */
START_TEST(test_backup_while_running)
{
	struct copying copying = {.diag = {""}};
	struct shelf shelf, copied;
	pthread_t thread;
	uint64_t oldest, newest;

	shelf_open(&shelf, SHELF_SQLITE);
	ck_assert(shelf_init(&copied, SHELF_SQLITE));
	fill_shelf(shelf.store);
	copying.store = shelf.store;
	shelf_path(&copied, "skald.db", copying.path);
	ck_assert_int_eq(pthread_create(&thread, NULL, copy, &copying), 0);
	for (uint64_t revision = 2; revision <= 10; revision++)
		for (int n = 0; n < SAGAS; n += BATCH)
			ck_assert_int_eq(commit_numbered(shelf.store, n, revision), OK);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_msg(!copying.err, "%s", copying.diag.text);
	ck_assert_int_eq(shelf_open_store(&copied), OK);
	newest = stored_revision(&copied, 0);
	oldest = stored_revision(&copied, SAGAS - 1);
	ck_assert(oldest >= 1 && newest - oldest <= 1);
	for (int n = 0; n < SAGAS; n++) {
		uint64_t revision = stored_revision(&copied, n);

		ck_assert(revision == newest || revision == oldest);
		ck_assert(n % BATCH == 0 || revision == stored_revision(&copied, n - 1));
	}
	shelf_close(&copied);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_backups_that_are_not_made)
{
	char path[PATH_SIZE], part[PATH_SIZE], long_name[5000], said[DIAG_MAX];
	struct shelf shelf;
	struct diag diag;

	shelf_open(&shelf, SHELF_SQLITE);
	fill_shelf(shelf.store);
	shelf_path(&shelf, "copy", path);
	shelf_path(&shelf, "copy.part", part);
	ck_assert_int_eq(mkdir(part, 0700), 0); /* somebody is in the way */
	ck_assert_int_eq(store_backup(shelf.store, path, &diag), ERR_IO);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(rmdir(part), 0);
	ck_assert_int_eq(store_backup(shelf.store, path, &diag), OK);
	ck_assert_int_eq(access(part, F_OK), -1);
	ck_assert_int_eq(store_backup(shelf.store, path, &diag), ERR_CONFLICT);
	snprintf(said, sizeof said, "%s is there already; use another name", path);
	ck_assert_str_eq(diag.text, said);
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	ck_assert_int_eq(store_backup(shelf.store, long_name, &diag), ERR_TOO_LARGE);
	ck_assert_int_eq(store_backup(shelf.store, "/nowhere/at/all", &diag), ERR_IO);
	ck_assert_str_eq(diag.text,
			 "/nowhere/at/all.part cannot be made: unable to open database file; "
			 "name a file in a folder that is there and may be written to");
	shelf_close(&shelf);
	shelf_open(&shelf, SHELF_MEMORY);
	ck_assert_int_eq(store_backup(shelf.store, path, &diag), ERR_INVALID);
	shelf_close(&shelf);
}
END_TEST

/* --- room
 * -------------------------------------------------------------------------------------- */

enum { FINISHED = 5000, FINISHED_BYTES_MAX = 1024 };

/* What is removed makes room for what comes. */
START_TEST(test_the_file_does_not_grow_for_ever)
{
	struct saga_write writes[BATCH];
	char ids[BATCH][16];
	struct shelf shelf;
	off_t once = 0;
	size_t n;

	shelf_open(&shelf, SHELF_SQLITE);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < FINISHED; i += BATCH) {
			for (int k = 0; k < BATCH; k++) {
				writes[k] = numbered_write(ids[k], round * FINISHED + i + k, 1);
				writes[k].row.status = STATUS_COMPLETED;
				writes[k].row.ended_ms = 1 + round;
			}
			ck_assert_int_eq(
				store_commit(shelf.store, &shelf_batch, writes, BATCH, NULL, 0),
				OK);
		}
		shelf_reopen(&shelf);
		once = once ? once : file_size(&shelf);
		ck_assert_int_eq(store_prune(shelf.store, round + 2, SIZE_MAX, &n), OK);
		ck_assert_uint_eq(n, FINISHED);
	}
	ck_assert_int_lt(once / FINISHED, FINISHED_BYTES_MAX);
	ck_assert_int_lt(file_size(&shelf), once * 11 / 10);
	shelf_close(&shelf);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_unchecked_fixture(tcase, mount_small_disk, unmount_small_disk);
	tcase_add_test(tcase, test_what_was_acknowledged_survives_a_kill);
	tcase_add_test(tcase, test_files_at_their_limit);
	tcase_add_test(tcase, test_a_full_disk);
	tcase_add_test(tcase, test_a_newer_file);
	tcase_add_test(tcase, test_a_file_of_the_first_version);
	tcase_add_loop_test(tcase, test_batches_that_are_wrong, 0,
			    sizeof wrong_batches / sizeof *wrong_batches);
	tcase_add_test(tcase, test_batches_that_are_missing);
	tcase_add_test(tcase, test_a_file_of_another_program);
	tcase_add_test(tcase, test_a_second_process);
	tcase_add_test(tcase, test_a_program_that_has_the_file_locked);
	tcase_add_test(tcase, test_what_may_not_be_written);
	tcase_add_test(tcase, test_folders);
	tcase_add_test(tcase, test_the_view_says_what_skald_says);
	tcase_add_test(tcase, test_backup_while_running);
	tcase_add_test(tcase, test_backups_that_are_not_made);
	tcase_add_test(tcase, test_the_file_does_not_grow_for_ever);
}

int main(void)
{
	return suite_run("store_sqlite", add);
}

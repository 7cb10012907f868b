/* test_store_damage.c - files of SQLite that are damaged: it is seen and said, and what is
 * whole can be read */
#include "orchestrator/store/sqlite_file.h"
#include "orchestrator/store/store_sqlite.h"
#include "tests/lib/random.h"
#include "tests/lib/shelf_file.h"
#include "tests/lib/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- damaged --------------------------------------------------------------------------------
 */

static void overwrite(const struct shelf *shelf, off_t at, const void *bytes, size_t len)
{
	char path[PATH_SIZE];
	int fd;

	shelf_path(shelf, "skald.db", path);
	fd = open(path, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, at), (ssize_t)len);
	close(fd);
}

static enum err ignore_row(void *context, const struct saga_row *row)
{
	return OK;
}

static enum err ignore_definition(void *context, const struct stored_definition *definition)
{
	return OK;
}

static enum err ignore_audit(void *context, const struct audit_entry *entry)
{
	return OK;
}

/* Use all of the store, and note every error but those that are answers. */
static void use_all(struct shelf *shelf, bool seen[ERR_CORRUPT + 1])
{
	static const enum status statuses[] = {STATUS_RUNNING, STATUS_COMPLETED};
	struct saga_filter all = {.n_statuses = 0};
	struct saga_filter some = {.statuses = statuses, .n_statuses = 2};
	struct slice none = {0}, record;
	struct store *store = shelf->store;
	struct store_batch newest;
	struct store_counts counts;
	struct saga_write write;
	int64_t last_ms;
	size_t n;
	char id[16];

	seen[store_load(store, NULL, &newest, ignore_record, NULL)] = true;
	seen[store_list(store, &all, none, 1000, ignore_row, NULL)] = true;
	seen[store_list(store, &some, none, 1000, ignore_row, NULL)] = true;
	seen[store_counts(store, &counts)] = true;
	seen[store_definitions(store, ignore_definition, NULL)] = true;
	seen[store_audit(store, none, 10, ignore_audit, NULL)] = true;
	for (int i = 0; i < SAGAS; i += 7) {
		write = numbered_write(id, i, 2);
		seen[store_get(store, write.row.id, &shelf->arena, NULL, &record)] = true;
		seen[store_find(store, write.row.saga, write.row.key, &shelf->arena, &record)] =
			true;
		seen[store_commit(store, &shelf_batch, &write, 1, NULL, 0)] = true;
	}
	seen[store_prune(store, INT64_MAX, 10, &n)] = true;
	seen[store_removed(store, &last_ms)] = true;
	arena_reset(&shelf->arena);
}

static void check_damage_is_seen(struct shelf *shelf)
{
	bool seen[ERR_CORRUPT + 1] = {false};

	ck_assert_int_eq(shelf_open_store(shelf), OK);
	use_all(shelf, seen);
	ck_assert(seen[ERR_CORRUPT]);
	check_said(
		shelf, shelf->store->trouble.text,
		"DIR/skald.db is damaged (database disk image is malformed); stop the server, "
		"then put a backup in its place, or save what can be saved: sqlite3 skald.db "
		".recover");
}

START_TEST(test_pages_of_noise)
{
	static char noise[SQLITE_FILE_PAGE_BYTES];
	struct shelf shelf;
	off_t size;

	open_filled(&shelf);
	size = file_size(&shelf) / 4 / (off_t)sizeof noise * 4 * (off_t)sizeof noise;
	memset(noise, 0xa5, sizeof noise);
	/* Not where opening it looks: where tables begin, and at the newest saga. */
	for (off_t at = size / 2; at < size * 3 / 4; at += (off_t)sizeof noise)
		overwrite(&shelf, at, noise, sizeof noise);
	check_damage_is_seen(&shelf);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_a_header_of_noise)
{
	struct shelf shelf;

	open_filled(&shelf);
	overwrite(&shelf, 0, "no database at all", 18);
	check_open_fails(&shelf, ERR_CORRUPT,
			 "DIR/skald.db is damaged (file is not a database); stop the server, "
			 "then put a backup in its place, or save what can be saved: sqlite3 "
			 "skald.db .recover");
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_a_file_that_lost_its_end)
{
	char path[PATH_SIZE];
	struct shelf shelf;

	open_filled(&shelf);
	shelf_path(&shelf, "skald.db", path);
	ck_assert_int_eq(truncate(path, file_size(&shelf) / 2), 0);
	check_open_fails(&shelf, ERR_CORRUPT,
			 "DIR/skald.db is damaged (database disk image is malformed); stop the "
			 "server, then put "
			 "a backup in its place, or save what can be saved: sqlite3 skald.db "
			 ".recover");
	shelf_close(&shelf);
}
END_TEST

/* Columns that are damaged in a way that SQLite does not see. */
START_TEST(test_rows_that_cannot_be)
{
	static const char *const damages[] = {
		"UPDATE saga SET status = 99",
		"UPDATE saga SET status = 'running'; UPDATE saga SET id = '' WHERE id = "
		"'s-000007'",
		"UPDATE saga SET record = x''",
		"INSERT INTO definition VALUES (1, x'00', 'n', 'v', 'x', 0)",
	};
	bool seen[ERR_CORRUPT + 1] = {false};
	struct shelf shelf;

	open_filled(&shelf);
	run_sql(&shelf, damages[_i]);
	ck_assert_int_eq(shelf_open_store(&shelf), OK);
	use_all(&shelf, seen);
	ck_assert(seen[ERR_CORRUPT]);
	ck_assert_ptr_nonnull(strstr(shelf.store->trouble.text, "put a backup in its place"));
	shelf_close(&shelf);
}
END_TEST

/* One saga that cannot be: its batch is not written, and others are. */
START_TEST(test_damage_that_concerns_one_saga)
{
	struct shelf shelf;

	open_filled(&shelf);
	run_sql(&shelf, "UPDATE saga SET status = 99 WHERE id = 's-000007'");
	ck_assert_int_eq(shelf_open_store(&shelf), OK);
	ck_assert_int_eq(commit_numbered(shelf.store, 0, 2), ERR_CORRUPT);
	ck_assert_uint_eq(stored_revision(&shelf, 0), 1);
	ck_assert_int_eq(commit_numbered(shelf.store, BATCH, 2), OK);
	ck_assert_uint_eq(stored_revision(&shelf, BATCH), 2);
	shelf_close(&shelf);
}
END_TEST

enum { DAMAGES = 150, DAMAGE_BYTES = 40 };

/* Whatever is damaged: an error that says so, or none, and never a crash. */
START_TEST(test_random_damage)
{
	bool seen[ERR_CORRUPT + 1] = {false};
	struct random random = {4711};
	struct shelf shelf;

	for (int i = 0; i < DAMAGES; i++) {
		unsigned char bytes[DAMAGE_BYTES];
		struct diag diag;
		enum err err;

		if (i % 10 == 0)
			open_filled(&shelf);
		for (int n = 0; n < DAMAGE_BYTES; n++)
			bytes[n] = (unsigned char)random_next(&random);
		overwrite(&shelf,
			  random_below(&random, (uint32_t)file_size(&shelf) - DAMAGE_BYTES),
			  bytes, DAMAGE_BYTES);
		err = store_sqlite_open(shelf.folder, &shelf.store, &diag);
		seen[err] = true;
		if (!err)
			use_all(&shelf, seen);
		close_shelf_store(&shelf);
		if (i % 10 == 9)
			shelf_close(&shelf);
	}
	ck_assert(seen[ERR_CORRUPT]);
	ck_assert(!seen[ERR_BUSY] && !seen[ERR_NOMEM] && !seen[ERR_UNAVAILABLE]);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_pages_of_noise);
	tcase_add_test(tcase, test_a_header_of_noise);
	tcase_add_test(tcase, test_a_file_that_lost_its_end);
	tcase_add_loop_test(tcase, test_rows_that_cannot_be, 0, 4);
	tcase_add_test(tcase, test_damage_that_concerns_one_saga);
	tcase_add_test(tcase, test_random_damage);
}

int main(void)
{
	return suite_run("store_damage", add);
}

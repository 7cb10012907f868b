#include "tests/lib/shelf_file.h"

#include "orchestrator/store/store_sqlite.h"
#include "tests/lib/suite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

struct saga_write numbered_write(char id[16], int n, uint64_t revision)
{
	static char record[RECORD_SIZE];

	snprintf(id, 16, "s-%06d", n);
	memset(record, 'r', sizeof record);
	return (struct saga_write){.row = {.id = slice_of(id),
					   .key = slice_of(id),
					   .saga = SLICE_LITERAL("order"),
					   .version = SLICE_LITERAL("1.0.0"),
					   .step = SLICE_LITERAL("charge"),
					   .started_ms = 1000 + n,
					   .revision = revision},
				   .record = {record, sizeof record},
				   .before = revision - 1};
}

enum err commit_numbered(struct store *store, int first, uint64_t revision)
{
	struct saga_write writes[BATCH];
	char ids[BATCH][16];
	enum err err;

	for (int i = 0; i < BATCH; i++)
		writes[i] = numbered_write(ids[i], first + i, revision);
	err = store_commit(store, &shelf_batch, writes, BATCH, NULL, 0);
	for (int i = 0; !err && i < BATCH; i++)
		err = writes[i].result;
	return err;
}

void fill_shelf(struct store *store)
{
	for (int n = 0; n < SAGAS; n += BATCH)
		ck_assert_int_eq(commit_numbered(store, n, 1), OK);
}

uint64_t stored_revision(struct shelf *shelf, int n)
{
	struct slice record;
	struct saga_row row = {.revision = 0};
	enum err err;
	char id[16];

	snprintf(id, sizeof id, "s-%06d", n);
	err = store_get(shelf->store, slice_of(id), &shelf->arena, &row, &record);
	ck_assert_msg(!err || err == ERR_NOT_FOUND, "%s", shelf->store->trouble.text);
	ck_assert(err || record.len == RECORD_SIZE);
	return row.revision;
}

void shelf_path(const struct shelf *shelf, const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s", shelf->folder, name);
}

void check_said(const struct shelf *shelf, const char *text, const char *said)
{
	const char *folder = strstr(said, "DIR");
	char expected[DIAG_MAX];

	ck_assert_ptr_nonnull(folder);
	snprintf(expected, sizeof expected, "%.*s%s%s", (int)(folder - said), said,
		 shelf->folder, folder + 3);
	ck_assert_str_eq(text, expected);
}

void check_open_fails(const struct shelf *shelf, enum err expected, const char *said)
{
	struct diag diag = {""};
	struct store *store;

	ck_assert_int_eq(store_sqlite_open(shelf->folder, &store, &diag), expected);
	check_said(shelf, diag.text, said);
}

void close_shelf_store(struct shelf *shelf)
{
	store_close(shelf->store);
	shelf->store = NULL;
}

void run_sql(const struct shelf *shelf, const char *sql)
{
	char path[PATH_SIZE], *message = NULL;
	sqlite3 *handle;

	shelf_path(shelf, "skald.db", path);
	ck_assert_int_eq(sqlite3_open(path, &handle), SQLITE_OK);
	sqlite3_exec(handle, sql, NULL, NULL, &message);
	ck_assert_msg(!message, "%s", message);
	sqlite3_close(handle);
}

off_t file_size(const struct shelf *shelf)
{
	char path[PATH_SIZE];
	struct stat info;

	shelf_path(shelf, "skald.db", path);
	ck_assert_int_eq(stat(path, &info), 0);
	return info.st_size;
}

enum err ignore_record(void *context, const struct loaded_saga *saga)
{
	return OK;
}

void open_filled(struct shelf *shelf)
{
	shelf_open(shelf, SHELF_SQLITE);
	fill_shelf(shelf->store);
	close_shelf_store(shelf);
}

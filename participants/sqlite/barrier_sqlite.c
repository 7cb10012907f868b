/* barrier_sqlite.c - the records of a service that keeps its data in SQLite: one
 * table beside the service's own, on the functions that any host may give. */
#include "skald/sqlite.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_TIMEOUT_MS = 5000 };

/* The ids of one orchestrator rise with time, so that records are added at the end
 * of the one tree that holds them. What is to be pruned is found by walking along
 * that tree, a little in every transaction: an index on time would cost a third of
 * every write. */
static const char schema[] =
	"CREATE TABLE IF NOT EXISTS skald_barrier ("
	" id TEXT PRIMARY KEY,"       /* of the command */
	" state INTEGER NOT NULL,"    /* 1 ok, 2 refused, 3 barred, 4 undone */
	" first_ms INTEGER NOT NULL," /* when the do was first sent */
	" output TEXT, code TEXT, text TEXT) WITHOUT ROWID";

enum {
	BEGIN,
	COMMIT,
	ROLLBACK,
	MARK,
	FORGET_MARK,
	BACK,
	FIND,
	KEEP,
	LOOK,
	PRUNE,
	LIST,
	N_STATEMENTS,
};

static const char *const statements[N_STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[MARK] = "SAVEPOINT skald_mark",
	[FORGET_MARK] = "RELEASE skald_mark",
	[BACK] = "ROLLBACK TO skald_mark",
	[FIND] = "SELECT state, first_ms, output, code, text FROM skald_barrier WHERE id = ?1",
	[KEEP] = "INSERT INTO skald_barrier (id, state, first_ms, output, code, text)"
		 " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
		 " ON CONFLICT (id) DO UPDATE SET state = ?2, first_ms = ?3, output = ?4,"
		 " code = ?5, text = ?6",
	[LOOK] = "SELECT count(*), min(first_ms), max(id) FROM (SELECT first_ms, id"
		 " FROM skald_barrier WHERE id > ?1 ORDER BY id LIMIT ?2)",
	[PRUNE] = "DELETE FROM skald_barrier WHERE id > ?1 AND id <= ?2 AND first_ms < ?3",
	[LIST] = "SELECT id, state, first_ms FROM skald_barrier WHERE id > ?1"
		 " ORDER BY id LIMIT ?2",
};

struct barrier_sqlite {
	sqlite3 *db;
	sqlite3_stmt *statements[N_STATEMENTS];
	bool marked; /* in this transaction */

	/* Pruning: the id up to which this walk has come, the oldest first_ms since
	 * it began (walked past or written), and that of all records, as the last
	 * walk left them: before that there is nothing to prune. */
	char *walked_to;
	int64_t walk_oldest_ms;
	int64_t oldest_ms;
};

static int run(struct barrier_sqlite *barrier, int statement)
{
	int result = sqlite3_step(barrier->statements[statement]);

	sqlite3_reset(barrier->statements[statement]);
	return result == SQLITE_DONE ? 0 : result;
}

/* --- transactions ------------------------------------------------------------------- */

static int sqlite_begin(void *context)
{
	struct barrier_sqlite *barrier = context;

	barrier->marked = false;
	return run(barrier, BEGIN);
}

static void walk_again(struct barrier_sqlite *barrier)
{
	free(barrier->walked_to);
	barrier->walked_to = NULL;
	barrier->walk_oldest_ms = INT64_MAX;
}

static void sqlite_rollback(void *context)
{
	struct barrier_sqlite *barrier = context;

	/* Some errors have ended it already, and so may have a handler. */
	if (!sqlite3_get_autocommit(barrier->db))
		run(barrier, ROLLBACK);
	walk_again(barrier);
	barrier->oldest_ms = INT64_MIN;
}

/* Where a handler has ended our transaction there is no such mark any more. */
static int forget_mark(struct barrier_sqlite *barrier)
{
	int result = barrier->marked ? run(barrier, FORGET_MARK) : 0;

	barrier->marked = false;
	return result;
}

static int sqlite_commit(void *context)
{
	struct barrier_sqlite *barrier = context;
	int result = forget_mark(barrier);

	if (!result)
		result = run(barrier, COMMIT);
	if (result)
		sqlite_rollback(barrier);
	return result;
}

static int sqlite_mark(void *context)
{
	struct barrier_sqlite *barrier = context;
	int result = forget_mark(barrier);

	if (result)
		return result;
	barrier->marked = true;
	return run(barrier, MARK);
}

static int sqlite_back(void *context)
{
	return run(context, BACK);
}

/* --- records ------------------------------------------------------------------------- */

static const char *text_of(sqlite3_stmt *row, int column)
{
	return (const char *)sqlite3_column_text(row, column);
}

static int sqlite_find(void *context, const char *id, skald_found *found)
{
	struct barrier_sqlite *barrier = context;
	sqlite3_stmt *find = barrier->statements[FIND];
	int result;

	sqlite3_bind_text(find, 1, id, -1, SQLITE_STATIC);
	result = sqlite3_step(find);
	if (result == SQLITE_ROW) {
		skald_record record = {.state = (skald_record_state)sqlite3_column_int(find, 0),
				       .first_ms = sqlite3_column_int64(find, 1),
				       .output = text_of(find, 2),
				       .code = text_of(find, 3),
				       .text = text_of(find, 4)};

		skald_found_set(found, &record);
	}
	sqlite3_reset(find);
	return result == SQLITE_ROW || result == SQLITE_DONE ? 0 : result;
}

static int sqlite_keep(void *context, const char *id, const skald_record *record)
{
	struct barrier_sqlite *barrier = context;
	sqlite3_stmt *keep = barrier->statements[KEEP];

	/* The handler has ended our transaction: what it wrote cannot be taken back,
	 * but this would be a transaction of its own. */
	if (sqlite3_get_autocommit(barrier->db))
		return SQLITE_MISUSE;
	sqlite3_bind_text(keep, 1, id, -1, SQLITE_STATIC);
	sqlite3_bind_int(keep, 2, record->state);
	sqlite3_bind_int64(keep, 3, record->first_ms);
	sqlite3_bind_text(keep, 4, record->output, -1, SQLITE_STATIC);
	sqlite3_bind_text(keep, 5, record->code, -1, SQLITE_STATIC);
	sqlite3_bind_text(keep, 6, record->text, -1, SQLITE_STATIC);
	if (record->first_ms < barrier->walk_oldest_ms)
		barrier->walk_oldest_ms = record->first_ms;
	if (record->first_ms < barrier->oldest_ms)
		barrier->oldest_ms = record->first_ms;
	return run(barrier, KEEP);
}

/* --- pruning -------------------------------------------------------------------------- */

static int prune_range(struct barrier_sqlite *barrier, const char *from, const char *to,
		       int64_t before_ms)
{
	sqlite3_stmt *prune = barrier->statements[PRUNE];

	sqlite3_bind_text(prune, 1, from, -1, SQLITE_STATIC);
	sqlite3_bind_text(prune, 2, to, -1, SQLITE_STATIC);
	sqlite3_bind_int64(prune, 3, before_ms);
	return run(barrier, PRUNE);
}

/* The walk is at its end: it starts again when something may have grown old. */
static void rest(struct barrier_sqlite *barrier)
{
	barrier->oldest_ms = barrier->walk_oldest_ms;
	walk_again(barrier);
}

static int sqlite_prune(void *context, int64_t before_ms, size_t limit)
{
	struct barrier_sqlite *barrier = context;
	sqlite3_stmt *look = barrier->statements[LOOK];
	const char *from = barrier->walked_to ? barrier->walked_to : "";
	int64_t n, oldest_ms;
	char *to = NULL;
	int result;

	if (!barrier->walked_to && before_ms <= barrier->oldest_ms)
		return 0;
	sqlite3_bind_text(look, 1, from, -1, SQLITE_STATIC);
	sqlite3_bind_int64(look, 2, (sqlite3_int64)limit);
	result = sqlite3_step(look);
	n = sqlite3_column_int64(look, 0);
	oldest_ms = sqlite3_column_int64(look, 1);
	if (result == SQLITE_ROW && n > 0) {
		to = strdup(text_of(look, 2) ? text_of(look, 2) : "");
		if (!to)
			result = SQLITE_NOMEM;
	}
	sqlite3_reset(look);
	if (result != SQLITE_ROW)
		return result;
	result = 0;
	if (to && oldest_ms < before_ms) {
		result = prune_range(barrier, from, to, before_ms);
		oldest_ms = before_ms; /* what is left is not older */
	}
	if (to && oldest_ms < barrier->walk_oldest_ms)
		barrier->walk_oldest_ms = oldest_ms;
	free(barrier->walked_to);
	barrier->walked_to = to;
	if (n < (int64_t)limit)
		rest(barrier);
	return result;
}

/* --- looking ------------------------------------------------------------------------------ */

static int sqlite_list(void *context, const char *after, size_t limit, skald_page *page)
{
	struct barrier_sqlite *barrier = context;
	sqlite3_stmt *list = barrier->statements[LIST];
	int result;

	sqlite3_bind_text(list, 1, after, -1, SQLITE_STATIC);
	sqlite3_bind_int64(list, 2, (sqlite3_int64)limit);
	while ((result = sqlite3_step(list)) == SQLITE_ROW) {
		const char *id = text_of(list, 0);

		skald_page_add(page, id ? id : "",
			       (skald_record_state)sqlite3_column_int(list, 1),
			       sqlite3_column_int64(list, 2));
	}
	sqlite3_reset(list);
	return result == SQLITE_DONE ? 0 : result;
}

/* --- making one ------------------------------------------------------------------------- */

/* A disk without room, or a file that may not grow, which SQLite tells as any other
 * failure of the disk. */
static bool is_full(sqlite3 *db)
{
	int code = sqlite3_errcode(db) & 0xff, number = sqlite3_system_errno(db);

	if (!number)
		number = errno; /* a failed commit leaves it only there */
	return code == SQLITE_FULL ||
	       (code == SQLITE_IOERR &&
		(number == ENOSPC || number == EDQUOT || number == EFBIG));
}

static const char *sqlite_why(void *context)
{
	const struct barrier_sqlite *barrier = context;

	if (is_full(barrier->db))
		return "the disk is full; make room, and it goes on";
	if (sqlite3_get_autocommit(barrier->db) && barrier->marked)
		return "a handler has ended the transaction that it was called in";
	return sqlite3_errmsg(barrier->db);
}

static void sqlite_close(void *context)
{
	struct barrier_sqlite *barrier = context;

	for (int i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(barrier->statements[i]);
	free(barrier->walked_to);
	free(barrier);
}

static const char *file_of(sqlite3 *db)
{
	const char *file = sqlite3_db_filename(db, "main");

	return file && *file ? file : "the database in memory";
}

static bool fail(sqlite3 *db, const char *what, skald_error *error)
{
	if (error)
		snprintf(error->text, sizeof error->text, "%s: cannot %s: %s", file_of(db),
			 what, sqlite3_errmsg(db));
	return false;
}

/* The number or word that a pragma answers. */
static bool ask(sqlite3 *db, const char *pragma, char *out, size_t size)
{
	sqlite3_stmt *row = NULL;
	bool ok = sqlite3_prepare_v2(db, pragma, -1, &row, NULL) == SQLITE_OK &&
		  sqlite3_step(row) == SQLITE_ROW && sqlite3_column_text(row, 0);

	if (ok)
		snprintf(out, size, "%s", text_of(row, 0));
	sqlite3_finalize(row);
	return ok;
}

/* A database in memory has no log and needs none. */
static bool make_durable(sqlite3 *db, skald_error *error)
{
	char mode[16];

	if (ask(db, "PRAGMA busy_timeout", mode, sizeof mode) && strcmp(mode, "0") == 0)
		sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	if (!ask(db, "PRAGMA journal_mode = WAL", mode, sizeof mode))
		return fail(db, "set its journal to WAL", error);
	if (strcmp(mode, "wal") != 0 && strcmp(mode, "memory") != 0) {
		if (error)
			snprintf(error->text, sizeof error->text,
				 "%s: its journal stays \"%s\" and must be WAL; put it on a "
				 "local"
				 " file system, and begin no transaction before",
				 file_of(db), mode);
		return false;
	}
	if (sqlite3_exec(db, "PRAGMA synchronous = FULL", NULL, NULL, NULL))
		return fail(db, "set synchronous to FULL", error);
	return true;
}

static bool prepare(struct barrier_sqlite *barrier, skald_error *error)
{
	if (!make_durable(barrier->db, error))
		return false;
	if (sqlite3_exec(barrier->db, schema, NULL, NULL, NULL))
		return fail(barrier->db, "make the table skald_barrier", error);
	for (int i = 0; i < N_STATEMENTS; i++)
		if (sqlite3_prepare_v3(barrier->db, statements[i], -1,
				       SQLITE_PREPARE_PERSISTENT, &barrier->statements[i],
				       NULL))
			return fail(barrier->db, "use its table skald_barrier", error);
	return true;
}

skald_barrier *skald_sqlite_barrier(struct sqlite3 *db, skald_error *error)
{
	static const skald_barrier_callbacks callbacks = {
		.begin = sqlite_begin,
		.commit = sqlite_commit,
		.rollback = sqlite_rollback,
		.mark = sqlite_mark,
		.back = sqlite_back,
		.find = sqlite_find,
		.keep = sqlite_keep,
		.prune = sqlite_prune,
		.list = sqlite_list,
		.why = sqlite_why,
		.close = sqlite_close,
	};
	struct barrier_sqlite *barrier = calloc(1, sizeof *barrier);
	skald_barrier *made = NULL;

	if (!barrier)
		goto nomem;
	barrier->db = db;
	barrier->walk_oldest_ms = INT64_MAX;
	barrier->oldest_ms = INT64_MIN;
	if (!prepare(barrier, error)) {
		sqlite_close(barrier);
		return NULL;
	}
	made = skald_barrier_new(&callbacks, barrier);
	if (made)
		return made;
	sqlite_close(barrier);
nomem:
	if (error)
		snprintf(error->text, sizeof error->text, "out of memory for the barrier");
	return NULL;
}

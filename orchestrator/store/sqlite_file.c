#include "orchestrator/store/sqlite_file.h"

#include "orchestrator/store/folder_lock.h"
#include "orchestrator/store/store_sqlite.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the schema ----------------------------------------------------------------------- */

/* One row per saga. `record` is the saga; everything else is made from it, for
 * queries and for people. A row's number gives the order of the starts, so that
 * new rows are appended and pages of a list need no index of their own. Texts
 * that would be empty are NULL, and so is a key that equals the id.
 *
 * The status is enum status: the numbers of the sagas that have not ended are
 * 0, 1 and 4. */
static const char version_1[] =
	"CREATE TABLE saga ("
	" number INTEGER PRIMARY KEY, id TEXT NOT NULL, key TEXT, saga TEXT NOT NULL,"
	" version TEXT, status INTEGER NOT NULL, paused INTEGER NOT NULL,"
	" revision INTEGER NOT NULL, updated_ms INTEGER NOT NULL, ended_ms INTEGER,"
	" step TEXT, reason TEXT, record BLOB NOT NULL);"
	"CREATE UNIQUE INDEX saga_id ON saga (id);"
	"CREATE UNIQUE INDEX saga_key ON saga (key, saga) WHERE key IS NOT NULL;"
	"CREATE INDEX saga_status ON saga (status);"
	"CREATE INDEX saga_ended ON saga (ended_ms) WHERE ended_ms IS NOT NULL;"

	"CREATE TABLE definition ("
	" number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL,"
	" version TEXT NOT NULL, normal TEXT NOT NULL, deployed_ms INTEGER NOT NULL,"
	" UNIQUE (name, version));"

	"CREATE TABLE audit ("
	" number INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, saga_id TEXT NOT NULL,"
	" operation TEXT NOT NULL, actor TEXT, reason TEXT);"
	"CREATE INDEX audit_saga ON audit (saga_id);"

	/* For whoever looks with sqlite3. */
	"CREATE VIEW sagas AS SELECT id, ifnull(key, id) AS key, saga, version,"
	" CASE status WHEN 0 THEN 'running' WHEN 1 THEN 'compensating'"
	" WHEN 2 THEN 'completed' WHEN 3 THEN 'compensated' WHEN 4 THEN 'parked'"
	" WHEN 5 THEN 'killed' END AS status,"
	" paused, step, reason, revision,"
	" strftime('%Y-%m-%dT%H:%M:%fZ', (number >> 20) / 1000.0, 'unixepoch') AS started_at,"
	" strftime('%Y-%m-%dT%H:%M:%fZ', updated_ms / 1000.0, 'unixepoch') AS updated_at,"
	" strftime('%Y-%m-%dT%H:%M:%fZ', ended_ms / 1000.0, 'unixepoch') AS ended_at"
	" FROM saga;";

/* The newest batch of each shard, and up to which batch all that follows was sent;
 * `unsent` is the list of the sagas of those behind it (unsent.h). One row that
 * every commit writes anew costs less than a column with an index in each saga's. */
static const char version_2[] =
	"CREATE TABLE batch ("
	" shard INTEGER PRIMARY KEY, number INTEGER NOT NULL, sent INTEGER NOT NULL,"
	" unsent BLOB NOT NULL);"
	"INSERT INTO batch VALUES (0, 0, 0, x'00');";

/* When the last saga ended that was removed. Nobody knows that of an older file: it
 * may be any that ended until now. */
static const char version_3[] =
	"CREATE TABLE removed (shard INTEGER PRIMARY KEY, ended_ms INTEGER NOT NULL);"
	"INSERT INTO removed SELECT 0, CASE WHEN EXISTS (SELECT 1 FROM saga)"
	" THEN CAST(strftime('%s', 'now') AS INTEGER) * 1000 ELSE 0 END;";

/* To list by name or step without passing over all others. Those that have not ended are
 * few, and change often: the index of the status tells their name, too, in the order of
 * the number. For those that have ended there is one more entry, which is written once;
 * the step is where one was killed, and else NULL. */
static const char version_4[] =
	"DROP INDEX saga_status;"
	"CREATE INDEX saga_status ON saga (status, number, saga);"
	"CREATE INDEX saga_done ON saga (saga, status) WHERE ended_ms IS NOT NULL;"
	"CREATE INDEX saga_step ON saga (step) WHERE ended_ms IS NOT NULL AND step IS NOT "
	"NULL;";

/* Dead letters. `bytes` is what counts for their limit. The view is for whoever looks
 * with sqlite3. */
static const char version_5[] =
	"CREATE TABLE dead ("
	" number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL,"
	" reason TEXT NOT NULL, text TEXT, source TEXT, partition INTEGER NOT NULL,"
	" offset INTEGER NOT NULL, size INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	" key BLOB, headers BLOB, value BLOB);"
	"CREATE VIEW dead_letters AS SELECT id,"
	" strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,"
	" reason, text, source, partition, offset, size FROM dead;";

/* migrations[n] makes version n + 1 out of version n. */
static const char *const migrations[] = {version_1, version_2, version_3, version_4, version_5};

_Static_assert(sizeof migrations / sizeof *migrations == SQLITE_FILE_VERSION,
	       "every version has a migration");
_Static_assert(SQLITE_FILE_NUMBER_BITS == 20, "the view shifts by 20");

/* --- errors --------------------------------------------------------------------------- */

static enum err set(struct diag *diag, enum err err, const char *path, const char *what,
		    bool writing, const char *to_do)
{
	return diag_set(diag, err, "%s: %s; %s%s", path, what,
			writing ? "nothing was written; " : "", to_do);
}

static enum err io_failed(const struct sqlite_file *file, bool writing, struct diag *diag)
{
	int number = sqlite3_system_errno(file->handle);

	if (!number)
		number = errno; /* a failed commit leaves it only there */
	if (number == ENOSPC || number == EDQUOT || number == EFBIG)
		return set(diag, ERR_IO, file->path, "the disk is full", writing,
			   "make room, and it goes on");
	return set(diag, ERR_IO, file->path,
		   number ? strerror(number) : sqlite3_errmsg(file->handle), writing,
		   "look after the disk");
}

enum err sqlite_file_damaged(const struct sqlite_file *file, const char *how, struct diag *diag)
{
	return diag_set(
		diag, ERR_CORRUPT,
		"%s is damaged (%s); stop the server, then put a backup in its place, or "
		"save what can be saved: sqlite3 skald.db .recover",
		file->path, how);
}

enum err sqlite_file_failed(const struct sqlite_file *file, bool writing, struct diag *diag)
{
	int code = file->handle ? sqlite3_extended_errcode(file->handle) : SQLITE_NOMEM;

	if (code == SQLITE_IOERR_NOMEM)
		code = SQLITE_NOMEM;
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return set(diag, ERR_NOMEM, file->path, "out of memory", writing,
			   "give the process more");
	case SQLITE_FULL:
		return set(diag, ERR_IO, file->path, "the disk is full", writing,
			   "make room, and it goes on");
	case SQLITE_IOERR: return io_failed(file, writing, diag);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return set(diag, ERR_UNAVAILABLE, file->path,
			   "another program has it locked, perhaps an open sqlite3", writing,
			   "close that, and it goes on");
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return set(diag, ERR_IO, file->path, sqlite3_errmsg(file->handle), writing,
			   "whoever serves the folder must be able to write to it and to all "
			   "that is in it");
	default: return sqlite_file_damaged(file, sqlite3_errmsg(file->handle), diag);
	}
}

enum err sqlite_file_prepare(struct sqlite_file *file, const char *sql, sqlite3_stmt **out,
			     struct diag *diag)
{
	if (sqlite3_prepare_v3(file->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL))
		return sqlite_file_failed(file, false, diag);
	return OK;
}

/* --- opening -------------------------------------------------------------------------- */

static enum err run_script(struct sqlite_file *file, const char *sql, struct diag *diag)
{
	if (sqlite3_exec(file->handle, sql, NULL, NULL, NULL))
		return sqlite_file_failed(file, false, diag);
	return OK;
}

/* The number that a query gives. */
static enum err ask(struct sqlite_file *file, const char *sql, int64_t *out, struct diag *diag)
{
	sqlite3_stmt *statement = NULL;
	enum err err = sqlite_file_prepare(file, sql, &statement, diag);

	if (!err && sqlite3_step(statement) == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	else if (!err)
		err = sqlite_file_failed(file, false, diag);
	sqlite3_finalize(statement);
	return err;
}

/* Whose file it is, before anything is written to it. */
static enum err identify(struct sqlite_file *file, int64_t *version, struct diag *diag)
{
	int64_t application = 0, n_tables = 0;
	enum err err = ask(file, "PRAGMA user_version", version, diag);

	if (!err)
		err = ask(file, "PRAGMA application_id", &application, diag);
	if (!err)
		err = ask(file, "SELECT count(*) FROM sqlite_master", &n_tables, diag);
	if (err)
		return err;
	if (application != SQLITE_FILE_ID && (application || *version || n_tables))
		return diag_set(diag, ERR_INVALID,
				"%s belongs to another program; use another --data",
				file->path);
	if (*version > SQLITE_FILE_VERSION)
		return diag_set(diag, ERR_INVALID,
				"%s is in version %lld, of a newer skald; this one knows "
				"versions up to %d: run the newer one",
				file->path, (long long)*version, SQLITE_FILE_VERSION);
	if (sqlite3_db_readonly(file->handle, "main"))
		return diag_set(diag, ERR_IO,
				"%s cannot be written to; whoever serves the folder must be "
				"able to write to all that is in it",
				file->path);
	return OK;
}

static enum err set_up(struct sqlite_file *file, struct diag *diag)
{
	sqlite3_stmt *statement = NULL;
	char script[256];
	enum err err;
	bool right;

	sqlite3_db_config(file->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	snprintf(script, sizeof script,
		 "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
		 "PRAGMA synchronous = FULL; PRAGMA cache_size = -%d;"
		 "PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d",
		 SQLITE_FILE_CACHE_KIB, SQLITE_FILE_LOG_PAGES,
		 2 * SQLITE_FILE_LOG_PAGES * SQLITE_FILE_PAGE_BYTES);
	err = run_script(file, script, diag);
	if (!err)
		err = sqlite_file_prepare(file, "PRAGMA journal_mode = WAL", &statement, diag);
	if (err)
		return err;
	if (sqlite3_step(statement) != SQLITE_ROW) {
		err = sqlite_file_failed(file, false, diag);
		sqlite3_finalize(statement);
		return err;
	}
	right = !strcmp((const char *)sqlite3_column_text(statement, 0), "wal");
	sqlite3_finalize(statement);
	return right ? OK
		     : diag_set(diag, ERR_IO,
				"%s cannot keep a write-ahead log; the data must be on a disk "
				"of this machine",
				file->path);
}

static enum err migrate(struct sqlite_file *file, int64_t version, struct diag *diag)
{
	char script[128];
	enum err err;

	if (version == SQLITE_FILE_VERSION)
		return OK;
	err = run_script(file, "BEGIN IMMEDIATE", diag);
	for (int64_t i = version; !err && i < SQLITE_FILE_VERSION; i++)
		err = run_script(file, migrations[i], diag);
	snprintf(script, sizeof script,
		 "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", SQLITE_FILE_ID,
		 SQLITE_FILE_VERSION);
	return err ? err : run_script(file, script, diag);
}

enum err sqlite_file_open(struct sqlite_file *file, const char *folder, struct diag *diag)
{
	size_t size = strlen(folder) + sizeof "/" STORE_SQLITE_FILE;
	char script[64];
	int64_t version = 0;
	enum err err = OK;

	*file = (struct sqlite_file){.path = malloc(size)};
	if (!file->path)
		return ERR_NOMEM;
	snprintf(file->path, size, "%s/" STORE_SQLITE_FILE, folder);
	/* Counting memory would take a lock for every allocation. Where SQLite runs
	 * already it stays as it is. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (sqlite3_open_v2(file->path, &file->handle,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL))
		err = sqlite_file_failed(file, false, diag);
	snprintf(script, sizeof script, "PRAGMA page_size = %d", SQLITE_FILE_PAGE_BYTES);
	if (!err) {
		sqlite3_extended_result_codes(file->handle, 1);
		sqlite3_busy_timeout(file->handle, SQLITE_FILE_BUSY_MS);
		err = run_script(file, script, diag);
	}
	if (!err)
		err = identify(file, &version, diag);
	if (!err)
		err = set_up(file, diag);
	if (!err)
		err = migrate(file, version, diag);
	if (err)
		sqlite_file_close(file);
	return err;
}

void sqlite_file_close(struct sqlite_file *file)
{
	sqlite3_close(file->handle);
	free(file->path);
	*file = (struct sqlite_file){0};
}

/* --- copying -------------------------------------------------------------------------- */

static void remove_parts(const char *path)
{
	static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
	char name[PATH_MAX];

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if ((size_t)snprintf(name, sizeof name, "%s%s", path, endings[i]) < sizeof name)
			unlink(name);
}

/* Both are open. */
static enum err copy_pages(struct sqlite_file *from, struct sqlite_file *to, struct diag *diag)
{
	sqlite3_backup *backup = sqlite3_backup_init(to->handle, "main", from->handle, "main");
	int result;

	if (!backup)
		return sqlite_file_failed(to, false, diag);
	/* All in one go: it then sees one moment, whoever writes meanwhile. */
	result = sqlite3_backup_step(backup, -1);
	if (sqlite3_backup_finish(backup))
		return sqlite_file_failed(to, false, diag);
	if (result != SQLITE_DONE)
		return sqlite_file_failed(from, false, diag);
	/* A copy is one file, without a log beside it. */
	return run_script(to, "PRAGMA journal_mode = DELETE", diag);
}

static enum err copy_to(struct sqlite_file *from, struct sqlite_file *to, struct diag *diag)
{
	int64_t version;
	enum err err = OK;

	if (sqlite3_open_v2(from->path, &from->handle, SQLITE_OPEN_READWRITE, NULL))
		err = sqlite_file_failed(from, false, diag);
	else
		sqlite3_busy_timeout(from->handle, SQLITE_FILE_BUSY_MS);
	if (!err)
		err = identify(from, &version, diag);
	if (!err && sqlite3_open_v2(to->path, &to->handle,
				    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL))
		err = diag_set(diag, ERR_IO,
			       "%s cannot be made: %s; name a file in a folder that is there "
			       "and may be written to",
			       to->path, sqlite3_errmsg(to->handle));
	if (!err)
		err = copy_pages(from, to, diag);
	sqlite3_close(from->handle);
	sqlite3_close(to->handle);
	return err;
}

enum err store_sqlite_copy(const char *file, const char *to, struct diag *diag)
{
	char path[PATH_MAX], part[PATH_MAX];
	struct sqlite_file from = {.path = path}, copy = {.path = part};
	enum err err;

	if ((size_t)snprintf(path, sizeof path, "%s", file) >= sizeof path ||
	    access(path, F_OK) < 0)
		return diag_set(diag, ERR_NOT_FOUND, "there is no file %s", file);
	if ((size_t)snprintf(part, sizeof part, "%s.part", to) >= sizeof part)
		return diag_set(
			diag, ERR_TOO_LARGE,
			"the name of the copy is longer than %d bytes; use a shorter one",
			PATH_MAX - 6);
	if (access(to, F_OK) == 0)
		return diag_set(diag, ERR_CONFLICT, "%s is there already; use another name",
				to);
	remove_parts(part);
	err = copy_to(&from, &copy, diag);
	if (!err && rename(part, to) < 0)
		err = diag_set(diag, ERR_IO, "%s cannot be made: %s; use another name", to,
			       strerror(errno));
	if (err)
		remove_parts(part);
	else
		folder_sync_entry(to);
	return err;
}

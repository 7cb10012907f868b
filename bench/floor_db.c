#include "bench/floor_db.h"

#include <stddef.h>

enum err floor_db_configure(struct diag *diag)
{
	if (sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) != SQLITE_OK ||
	    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
		return diag_set(diag, ERR_UNAVAILABLE,
				"this SQLite (%s) cannot be set up for one thread",
				sqlite3_libversion());
	return OK;
}

enum err floor_db_failed(const struct floor_db *db, const char *what, struct diag *diag)
{
	return diag_set(diag, ERR_IO, "%s: cannot %s: %s", db->path, what,
			db->handle ? sqlite3_errmsg(db->handle) : "out of memory");
}

enum err floor_db_script(struct floor_db *db, const char *sql, struct diag *diag)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return floor_db_failed(db, "run a statement", diag);
	return OK;
}

static enum err prepare(struct floor_db *db, const char *sql, sqlite3_stmt **out,
			struct diag *diag)
{
	if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL))
		return floor_db_failed(db, "prepare a statement", diag);
	return OK;
}

enum err floor_db_open(struct floor_db *db, const char *path, struct diag *diag)
{
	*db = (struct floor_db){.path = path};
	if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return floor_db_failed(db, "open it", diag);
	return OK;
}

enum err floor_db_create(struct floor_db *db, const char *path, const char *schema,
			 const char *const *statements, struct diag *diag)
{
	enum err err;

	*db = (struct floor_db){.path = path};
	if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
			    NULL))
		return floor_db_failed(db, "create it", diag);
	err = floor_db_script(
		db,
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536",
		diag);
	err = err ? err : floor_db_script(db, schema, diag);
	err = err ? err : prepare(db, "BEGIN IMMEDIATE", &db->begin, diag);
	err = err ? err : prepare(db, "COMMIT", &db->commit, diag);
	for (size_t i = 0; !err && statements[i]; i++)
		err = prepare(db, statements[i], &db->statements[i], diag);
	return err;
}

void floor_db_release(struct floor_db *db)
{
	sqlite3_finalize(db->begin);
	sqlite3_finalize(db->commit);
	for (size_t i = 0; i < FLOOR_STATEMENTS_MAX; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->handle);
	*db = (struct floor_db){0};
}

static enum err run(struct floor_db *db, sqlite3_stmt *statement, struct diag *diag)
{
	int result = sqlite3_step(statement);
	enum err err = OK;

	if (result != SQLITE_DONE)
		err = floor_db_failed(db, sqlite3_sql(statement), diag);
	sqlite3_reset(statement);
	return err;
}

enum err floor_db_begin(struct floor_db *db, struct diag *diag)
{
	return run(db, db->begin, diag);
}

enum err floor_db_commit(struct floor_db *db, struct diag *diag)
{
	return run(db, db->commit, diag);
}

enum err floor_db_write(struct floor_db *db, sqlite3_stmt *statement, struct diag *diag)
{
	enum err err = run(db, statement, diag);

	if (!err && sqlite3_changes(db->handle) != 1)
		err = diag_set(diag, ERR_CORRUPT, "%s: a row is missing for: %s", db->path,
			       sqlite3_sql(statement));
	return err;
}

/* floor_db.h - a durable SQLite file: WAL, synchronous=FULL, prepared statements.
 *
 * A commit that returned OK is on the disk. Everything between db_begin and
 * db_commit shares that one wait for the disk.
 */
#ifndef SKALD_BENCH_FLOOR_DB_H
#define SKALD_BENCH_FLOOR_DB_H

#include "base/err.h"

#include <sqlite3.h>

enum { FLOOR_STATEMENTS_MAX = 4 };

struct floor_db {
	const char *path;
	sqlite3 *handle;
	sqlite3_stmt *begin;
	sqlite3_stmt *commit;
	sqlite3_stmt *statements[FLOOR_STATEMENTS_MAX];
};

/* Before anything else, and before a fork: a process of the floor has one thread,
 * so SQLite need neither lock nor count. */
CHECKED enum err floor_db_configure(struct diag *diag);

/* Make the file, run the schema, prepare the statements; NULL ends their list.
 * The path is borrowed. Release it also after a failure. */
CHECKED enum err floor_db_create(struct floor_db *db, const char *path, const char *schema,
				 const char *const *statements, struct diag *diag);

/* Open a file to read it, once its writer has gone. */
CHECKED enum err floor_db_open(struct floor_db *db, const char *path, struct diag *diag);
void floor_db_release(struct floor_db *db);

/* Several statements without results. */
CHECKED enum err floor_db_script(struct floor_db *db, const char *sql, struct diag *diag);

CHECKED enum err floor_db_begin(struct floor_db *db, struct diag *diag);
CHECKED enum err floor_db_commit(struct floor_db *db, struct diag *diag);

/* Run a statement that gives no rows, with what was bound to it, and that must
 * change exactly one row. */
CHECKED enum err floor_db_write(struct floor_db *db, sqlite3_stmt *statement,
				struct diag *diag);

/* ERR_IO with what SQLite says. */
CHECKED enum err floor_db_failed(const struct floor_db *db, const char *what,
				 struct diag *diag);

#endif

/* sqlite_file.h - the database file of store_sqlite.c: how it is opened and set
 * up, what its errors mean, and how it is copied. Private to the store. */
#ifndef SKALD_STORE_SQLITE_FILE_H
#define SKALD_STORE_SQLITE_FILE_H

#include "base/err.h"

#include <sqlite3.h>

enum {
	SQLITE_FILE_ID = 0x736b616c, /* its application_id: "skal" */
	SQLITE_FILE_VERSION = 5,     /* of the schema, its user_version */

	/* A saga's number is its start in milliseconds and, below, what tells sagas
	 * apart that started in the same one; see the schema. */
	SQLITE_FILE_NUMBER_BITS = 20,

	/* Chosen by measurement, see bench/README.md. */
	SQLITE_FILE_PAGE_BYTES = 8192,
	SQLITE_FILE_CACHE_KIB = 8192, /* the most that the cache holds */
	SQLITE_FILE_LOG_PAGES = 1000, /* the log is copied into the file at this length */

	/* How long to wait for another program that has the file locked. */
	SQLITE_FILE_BUSY_MS = 1000,
};

struct sqlite_file {
	sqlite3 *handle;
	char *path;
};

/* Open FOLDER/skald.db, make it where there is none, and bring an older schema up
 * to date. ERR_CORRUPT; ERR_INVALID: of a newer skald, or of another program;
 * ERR_IO, ERR_UNAVAILABLE, ERR_NOMEM, ERR_TOO_LARGE (the name). The diag says what
 * to do. */
CHECKED enum err sqlite_file_open(struct sqlite_file *file, const char *folder,
				  struct diag *diag);
void sqlite_file_close(struct sqlite_file *file);

/* A statement that is kept. Errors as when opening. */
CHECKED enum err sqlite_file_prepare(struct sqlite_file *file, const char *sql,
				     sqlite3_stmt **out, struct diag *diag);

/* What the newest error of the library means, as an err and as a sentence.
 * `writing`: the sentence says that nothing was written. Never OK. */
CHECKED enum err sqlite_file_failed(const struct sqlite_file *file, bool writing,
				    struct diag *diag);

/* The same for what could be read and is wrong. */
CHECKED enum err sqlite_file_damaged(const struct sqlite_file *file, const char *how,
				     struct diag *diag);

#endif

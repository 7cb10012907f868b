/* sqlite_dead.h - the dead letters of store_sqlite.c. Private to the store.
 *
 * They are few and seldom looked at, so that nothing is kept of them in memory. The
 * statements are those of sqlite_statements.h, prepared. What is returned where the
 * file fails is ERR_IO: its newest error says more (sqlite_file_failed). */
#ifndef SKALD_STORE_SQLITE_DEAD_H
#define SKALD_STORE_SQLITE_DEAD_H

#include "orchestrator/store/store.h"

#include <sqlite3.h>

/* Within a transaction of the caller's. */
CHECKED enum err sqlite_dead_put(sqlite3_stmt *const *statements,
				 const struct dead_letter *letters, size_t n,
				 size_t *n_dropped);

CHECKED enum err sqlite_dead_list(
	sqlite3_stmt *const *statements, struct slice after, size_t limit,
	enum err (*visit)(void *context, const struct dead_letter *letter), void *context);
CHECKED enum err sqlite_dead_get(sqlite3_stmt *const *statements, struct slice id,
				 struct arena *arena, struct dead_letter *out);
CHECKED enum err sqlite_dead_remove(sqlite3_stmt *const *statements, sqlite3 *file,
				    struct slice id);

#endif

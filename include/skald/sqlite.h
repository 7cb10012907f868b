/* sqlite.h - the barrier of a service whose data lie in SQLite.
 *
 *     sqlite3_open("stock.db", &db);
 *     options.barrier = skald_sqlite_barrier(db, &error);
 *
 * The handlers write with the same sqlite3 *, without BEGIN or COMMIT: they are
 * called inside a transaction that holds many commands and is committed before
 * they are answered. A handler that fails is taken back alone, by a savepoint. A
 * handler that ends the transaction itself makes its command fail.
 *
 * Link with -lskald-sqlite -lskald -lsqlite3 (pkg-config skald-sqlite).
 */
#ifndef SKALD_SQLITE_H
#define SKALD_SQLITE_H

#include "skald/barrier.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;

/* The records are in the table skald_barrier, which is made where it is missing.
 * The file is set to WAL and synchronous=FULL: what was answered survives the
 * machine. Several processes may share a file; a busy timeout of 5 s is set where
 * there is none. The handle is borrowed, must outlive the barrier, and is used in
 * the thread that polls the participant. NULL: *error says why. */
SKALD_API skald_barrier *skald_sqlite_barrier(struct sqlite3 *db, skald_error *error);

#ifdef __cplusplus
}
#endif

#endif

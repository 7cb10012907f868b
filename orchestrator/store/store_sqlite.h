/* store_sqlite.h - sagas in one SQLite file: the store for one machine.
 *
 *	DIR/skald.db   everything; `sqlite3 DIR/skald.db 'SELECT * FROM sagas'` shows it
 *	DIR/lock       held while the store is open: one process at a time
 *
 * What a commit answered OK is on the disk, also if the machine stops (write-ahead
 * log, synchronous=FULL). After ERR_IO or ERR_UNAVAILABLE the store goes on as
 * soon as what was wrong is mended. Rows that are removed leave room that is used
 * again; the file itself does not shrink.
 *
 * Listing by key, by status, by time or by name, of sagas that have ended, looks at
 * what fits only. By name of those that have not ended, and by step, it passes over
 * those that have not ended and do not fit. The first counts() reads an index of all
 * sagas, later ones cost nothing. backup() may be called by any
 * thread.
 */
#ifndef SKALD_STORE_STORE_SQLITE_H
#define SKALD_STORE_STORE_SQLITE_H

#include "orchestrator/store/store.h"

#define STORE_SQLITE_FILE "skald.db" /* in the folder */

/* Open the folder, make folder and file where there are none. ERR_BUSY: another
 * process has it open; ERR_CORRUPT; ERR_INVALID: the file is of a newer skald or of
 * another program; ERR_IO, ERR_UNAVAILABLE, ERR_TOO_LARGE (the name), ERR_NOMEM. The
 * diag says what to do. */
CHECKED enum err store_sqlite_open(const char *folder, struct store **out, struct diag *diag);

/* Copy the file of a store, which this process or another one may have open and write
 * to, into the new file `to`: as it is at one moment. Until that is whole it is called
 * TO.part; an older file of that name is replaced. ERR_CONFLICT: `to` is there;
 * ERR_NOT_FOUND: there is no `file`; otherwise as of opening. */
CHECKED enum err store_sqlite_copy(const char *file, const char *to, struct diag *diag);

#endif

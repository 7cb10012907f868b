/* folder_lock.h - one process at a time works in a data folder.
 *
 * The lock is on the file "lock" in the folder, which holds the process id of
 * whoever has it. The system drops it when that process ends, however it does;
 * the file stays. */
#ifndef SKALD_STORE_FOLDER_LOCK_H
#define SKALD_STORE_FOLDER_LOCK_H

#include "base/err.h"

struct folder_lock {
	int fd;
};

/* Make the folder where there is none, and take its lock. ERR_BUSY: somebody has
 * it, and the diag says who; ERR_IO, ERR_TOO_LARGE (the name). */
CHECKED enum err folder_lock_take(struct folder_lock *lock, const char *folder,
				  struct diag *diag);
void folder_lock_drop(struct folder_lock *lock);

/* A new name is durable once the folder that it is in has been written: do that,
 * where the file system can. */
void folder_sync_entry(const char *path);

#endif

/* floor_folder.h - the folder of a run, with one file of SQLite per process. */
#ifndef SKALD_BENCH_FLOOR_FOLDER_H
#define SKALD_BENCH_FLOOR_FOLDER_H

#include "base/err.h"
#include "bench/floor_service.h"

enum { FLOOR_PATH_SIZE = 1024 };

struct floor_folder {
	char path[FLOOR_PATH_SIZE];
	char orchestrator[FLOOR_PATH_SIZE + 32];
	char services[N_FLOOR_SERVICES][FLOOR_PATH_SIZE + 32];
};

/* A new folder in this one, or in $TMPDIR or /tmp where it is NULL. */
CHECKED enum err floor_folder_make(struct floor_folder *folder, const char *parent,
				   struct diag *diag);

/* With everything that the run put there. */
void floor_folder_remove(const struct floor_folder *folder);

/* How long the disk below this folder takes to keep 4 KiB: the median of many
 * fdatasync, in microseconds. */
CHECKED enum err floor_folder_measure(const struct floor_folder *folder, double *sync_us,
				      struct diag *diag);

#endif

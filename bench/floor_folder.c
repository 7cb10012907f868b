#include "bench/floor_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SYNCS = 101, BLOCK_BYTES = 4096 };

enum err floor_folder_make(struct floor_folder *folder, const char *parent, struct diag *diag)
{
	const char *tmpdir = getenv("TMPDIR");
	int len;

	if (!parent)
		parent = tmpdir && *tmpdir ? tmpdir : "/tmp";
	len = snprintf(folder->path, sizeof folder->path, "%s/skald-floor-XXXXXX", parent);
	if (len < 0 || (size_t)len >= sizeof folder->path)
		return diag_set(
			diag, ERR_TOO_LARGE,
			"the name of the folder is longer than %d bytes; give a shorter one "
			"with --dir",
			FLOOR_PATH_SIZE - 32);
	if (!mkdtemp(folder->path))
		return diag_set(diag, ERR_IO,
				"cannot make a folder in %s: %s; give another one with --dir",
				parent, strerror(errno));
	snprintf(folder->orchestrator, sizeof folder->orchestrator, "%s/orchestrator.db",
		 folder->path);
	for (size_t i = 0; i < N_FLOOR_SERVICES; i++)
		snprintf(folder->services[i], sizeof folder->services[i], "%s/%s.db",
			 folder->path, floor_service_name((enum floor_service)i));
	return OK;
}

static void remove_file(const char *path)
{
	static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
	char name[FLOOR_PATH_SIZE + 64];

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		snprintf(name, sizeof name, "%s%s", path, endings[i]);
		unlink(name);
	}
}

void floor_folder_remove(const struct floor_folder *folder)
{
	remove_file(folder->orchestrator);
	for (size_t i = 0; i < N_FLOOR_SERVICES; i++)
		remove_file(folder->services[i]);
	if (rmdir(folder->path) < 0)
		fprintf(stderr, "floor: cannot remove %s: %s\n", folder->path, strerror(errno));
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare_times(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

enum err floor_folder_measure(const struct floor_folder *folder, double *sync_us,
			      struct diag *diag)
{
	static const char block[BLOCK_BYTES];
	char path[FLOOR_PATH_SIZE + 32];
	double times_us[SYNCS];
	enum err err = OK;
	int fd;

	snprintf(path, sizeof path, "%s/sync", folder->path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	for (size_t i = 0; !err && i < SYNCS; i++) {
		double began_us = now_us();

		/* In place after the first: as a log that is written again. */
		if (fd < 0 || pwrite(fd, block, sizeof block, 0) != sizeof block ||
		    fdatasync(fd) < 0)
			err = diag_set(diag, ERR_IO, "%s: cannot write to it: %s", path,
				       strerror(errno));
		times_us[i] = now_us() - began_us;
	}
	if (fd >= 0)
		close(fd);
	unlink(path);
	if (err)
		return err;
	qsort(times_us, SYNCS, sizeof *times_us, compare_times);
	*sync_us = times_us[SYNCS / 2];
	return OK;
}

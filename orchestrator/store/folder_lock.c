#include "orchestrator/store/folder_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PID_SIZE = 32 };

void folder_sync_entry(const char *path)
{
	char parent[PATH_MAX];
	size_t len = strlen(path);
	int fd;

	while (len > 0 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	if (len + 2 > sizeof parent)
		return;
	memcpy(parent, path, len);
	memcpy(parent + len, ".", 2);
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static enum err make_folder(const char *folder, struct diag *diag)
{
	struct stat info;

	if (mkdir(folder, 0700) == 0) {
		folder_sync_entry(folder);
		return OK;
	}
	if (errno != EEXIST)
		return diag_set(
			diag, ERR_IO,
			"the data folder %s cannot be made: %s; make it yourself, or use "
			"another --data",
			folder, strerror(errno));
	if (stat(folder, &info) < 0)
		return diag_set(diag, ERR_IO,
				"the data folder %s cannot be used: %s; use another --data",
				folder, strerror(errno));
	if (!S_ISDIR(info.st_mode))
		return diag_set(diag, ERR_IO, "%s is not a folder; use another --data", folder);
	return OK;
}

static enum err in_use(int fd, const char *folder, struct diag *diag)
{
	char text[PID_SIZE] = "";
	ssize_t len = pread(fd, text, sizeof text - 1, 0);
	long pid = len > 0 ? strtol(text, NULL, 10) : 0;

	if (pid <= 0)
		return diag_set(
			diag, ERR_BUSY,
			"%s is in use by another process; stop it or use another --data",
			folder);
	return diag_set(diag, ERR_BUSY,
			"%s is in use by process %ld; stop it or use another --data", folder,
			pid);
}

/* For whoever comes second. That it could not be written is no reason to stop. */
static void tell_holder(int fd)
{
	char text[PID_SIZE];
	int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) < len)
		ftruncate(fd, 0);
}

enum err folder_lock_take(struct folder_lock *lock, const char *folder, struct diag *diag)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof path, "%s/lock", folder);
	enum err err;
	int fd;

	if (len < 0 || (size_t)len >= sizeof path)
		return diag_set(diag, ERR_TOO_LARGE,
				"the name of the data folder is longer than %d bytes; use a "
				"shorter --data",
				PATH_MAX - 6);
	err = make_folder(folder, diag);
	if (err)
		return err;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return diag_set(
			diag, ERR_IO,
			"%s cannot be opened: %s; whoever serves the folder must be able "
			"to write to it",
			path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err = errno == EWOULDBLOCK ? in_use(fd, folder, diag)
					   : diag_set(diag, ERR_IO,
						      "%s cannot be locked: %s; the data must "
						      "be on a disk of "
						      "this machine",
						      path, strerror(errno));
		close(fd);
		return err;
	}
	tell_holder(fd);
	lock->fd = fd;
	return OK;
}

void folder_lock_drop(struct folder_lock *lock)
{
	close(lock->fd);
	lock->fd = -1;
}

#include "cli/file.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err fail(struct diag *diag, const char *path, const char *what)
{
	int reason = errno;

	return diag_set(diag, reason == ENOENT ? ERR_NOT_FOUND : ERR_IO,
			"%.200s: cannot %s: %s", path, what, strerror(reason));
}

static enum err read_all(const char *path, int fd, struct bytes *out, struct diag *diag)
{
	for (;;) {
		char part[16 * 1024];
		ssize_t n = read(fd, part, sizeof part);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(diag, path, "read it");
		if (n == 0)
			return OK;
		bytes_append(out, (struct slice){part, (size_t)n});
		if (out->err)
			return diag_set(diag, out->err, "%.200s: %s", path, err_text(out->err));
	}
}

enum err file_read(const char *path, size_t max, struct arena *arena, struct slice *out,
		   struct diag *diag)
{
	struct bytes bytes = BYTES(max, arena);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum err err;

	if (fd < 0)
		return fail(diag, path, "open it");
	err = read_all(path, fd, &bytes, diag);
	close(fd);
	if (!err)
		*out = bytes_slice(&bytes);
	return err;
}

/* --- replacing ---------------------------------------------------------------------- */

static bool write_all(int fd, struct slice content)
{
	while (content.len) {
		ssize_t n = write(fd, content.at, content.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		content.at += n;
		content.len -= (size_t)n;
	}
	return true;
}

/* The folder, with the slash; empty for the current one. */
static struct slice folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return (struct slice){path, slash ? (size_t)(slash - path) + 1 : 0};
}

static char *draft_path(const char *target, struct arena *arena)
{
	struct slice folder = folder_of(target);
	struct bytes path = BYTES(SIZE_MAX / 2, arena);

	bytes_append(&path, folder);
	bytes_add(&path, '.');
	bytes_text(&path, target + folder.len);
	bytes_text(&path, ".XXXXXX");
	bytes_add(&path, '\0');
	return path.err ? NULL : path.at;
}

enum err file_draft(const char *target, struct slice content, struct arena *arena,
		    struct file_draft *out, struct diag *diag)
{
	struct stat state;
	bool written;
	int fd;

	if (lstat(target, &state) != 0)
		return fail(diag, target, "look at it");
	if (S_ISLNK(state.st_mode))
		return diag_set(
			diag, ERR_INVALID,
			"%.200s: this is a symbolic link; give the file that it points to",
			target);
	if (!S_ISREG(state.st_mode))
		return diag_set(diag, ERR_INVALID,
				"%.200s: this is no file that can be replaced", target);
	*out = (struct file_draft){draft_path(target, arena), target};
	if (!out->path)
		return diag_set(diag, ERR_NOMEM, "out of memory");
	fd = mkstemp(out->path);
	if (fd < 0)
		return fail(diag, target, "write a new file beside it");
	written = write_all(fd, content) && fchmod(fd, state.st_mode & 07777) == 0 &&
		  fsync(fd) == 0;
	if (close(fd) != 0 || !written) {
		enum err err = fail(diag, target, "write a new file beside it");

		file_draft_drop(out);
		return err;
	}
	return OK;
}

/* A new name is durable once its folder is. */
static bool sync_folder(const char *path)
{
	struct slice folder = folder_of(path);
	char *name = folder.len ? strndup(folder.at, folder.len) : NULL;
	int fd = open(name ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	free(name);
	return synced;
}

enum err file_draft_accept(struct file_draft *draft, struct diag *diag)
{
	if (rename(draft->path, draft->target) != 0) {
		enum err err = fail(diag, draft->target, "replace it");

		file_draft_drop(draft);
		return err;
	}
	draft->path = NULL;
	return sync_folder(draft->target)
		       ? OK
		       : fail(diag, draft->target, "make sure that its folder is on the disk");
}

void file_draft_drop(struct file_draft *draft)
{
	if (draft->path)
		unlink(draft->path);
	draft->path = NULL;
}

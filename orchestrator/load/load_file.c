/* load_file.c - definitions and their schemas on disk. */
#include "orchestrator/load/codes.h"
#include "orchestrator/load/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Everything up to the end; ERR_TOO_LARGE when that is more than max bytes. */
static enum err read_all(int fd, size_t max, struct bytes *out, struct diag *diag)
{
	char piece[16 * 1024];

	for (;;) {
		ssize_t n = read(fd, piece, sizeof piece);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return diag_set(diag, ERR_IO, "%s", strerror(errno));
		if (n == 0)
			return out->err;
		if ((size_t)n > max - out->len)
			return diag_set(diag, ERR_TOO_LARGE, "it has more than %zu bytes", max);
		bytes_append(out, (struct slice){piece, (size_t)n});
		if (out->err)
			return out->err;
	}
}

static enum err read_file(const char *path, size_t max, struct bytes *out, struct diag *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum err err;

	if (fd < 0)
		return diag_set(diag,
				errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO,
				"%s", strerror(errno));
	err = read_all(fd, max, out, diag);
	close(fd);
	return err;
}

/* Schemas lie beside the definition. */
static enum err open_beside(void *context, const char *name, size_t max, struct arena *arena,
			    struct slice *out, struct diag *diag)
{
	const char *file = context;
	const char *slash = strrchr(file, '/');
	struct bytes path = BYTES(4096, arena);
	struct bytes content = BYTES(max, arena);
	enum err err;

	if (slash && name[0] != '/')
		bytes_append(&path, (struct slice){file, (size_t)(slash - file) + 1});
	bytes_text(&path, name);
	bytes_add(&path, '\0');
	if (path.err == ERR_NOMEM)
		return path.err;
	if (path.err)
		return diag_set(diag, ERR_IO, "its path is too long");
	err = read_file(path.at, max, &content, diag);
	if (!err)
		*out = bytes_slice(&content);
	return err;
}

static const char *advice(const char *path)
{
	struct stat status;
	bool is_folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);

	return is_folder ? "name the files in this folder" : "check its name and its rights";
}

static enum err report_file(enum err err, const char *path, const struct diag *diag,
			    struct problems *problems)
{
	static const struct place whole = {0};

	if (err == ERR_NOT_FOUND)
		report(problems, whole, CODE_FILE_NOT_FOUND,
		       "there is no such file; check its name");
	else if (err == ERR_TOO_LARGE)
		report(problems, whole, CODE_TOO_LARGE,
		       "the file has more than %d bytes; a definition has at most that, so "
		       "make "
		       "it smaller",
		       DEFINITION_TEXT_MAX);
	else if (err == ERR_IO)
		report(problems, whole, CODE_FILE_UNREADABLE,
		       "the file cannot be read (%s); %s", diag->text, advice(path));
	return problems->nomem ? ERR_NOMEM : err;
}

enum err load_file(const char *path, struct problems *problems, struct definition **out)
{
	bool standard_input = strcmp(path, "-") == 0;
	const char *file = standard_input ? "<stdin>" : path;
	struct file_opener opener = {open_beside, (void *)(standard_input ? "" : path)};
	struct bytes content = BYTES(DEFINITION_TEXT_MAX, NULL);
	struct diag diag = {""};
	enum err err;

	*out = NULL;
	problems->file = file;
	err = standard_input ? read_all(STDIN_FILENO, DEFINITION_TEXT_MAX, &content, &diag)
			     : read_file(path, DEFINITION_TEXT_MAX, &content, &diag);
	if (err)
		err = report_file(err, path, &diag, problems);
	else
		err = load_text(file, bytes_slice(&content), &opener, problems, out);
	bytes_release(&content);
	return err;
}

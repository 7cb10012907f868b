#include "orchestrator/server/folder.h"

#include "orchestrator/load/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FOLDER_PATH_SIZE = 4096 };

static bool is_definition(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct names {
	struct arena arena;
	const char **list;
	size_t n;
};

static const char *join(struct arena *arena, const char *folder, const char *name)
{
	struct bytes path = BYTES(SIZE_MAX / 2, arena);

	bytes_text(&path, folder);
	if (path.len && path.at[path.len - 1] != '/')
		bytes_add(&path, '/');
	bytes_text(&path, name);
	bytes_add(&path, '\0');
	return path.err ? NULL : path.at;
}

static enum err list_files(const char *path, struct names *names, struct diag *diag)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	enum err err = OK;

	if (!folder)
		return diag_set(diag, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
				"cannot read the folder of definitions %.200s: %s; make it, or "
				"name another one with --sagas",
				path, strerror(errno));
	names->list = arena_array(&names->arena, FOLDER_FILES_MAX, sizeof *names->list);
	if (!names->list)
		err = diag_set(diag, ERR_NOMEM, "out of memory");
	while (!err && (entry = readdir(folder)) != NULL) {
		if (!is_definition(entry->d_name))
			continue;
		if (names->n == FOLDER_FILES_MAX) {
			err = diag_set(diag, ERR_TOO_LARGE,
				       "the folder of definitions %.200s has over %d of them; "
				       "move those that nobody starts any more",
				       path, FOLDER_FILES_MAX);
			break;
		}
		names->list[names->n] = join(&names->arena, path, entry->d_name);
		if (!names->list[names->n++])
			err = diag_set(diag, ERR_NOMEM, "out of memory");
	}
	closedir(folder);
	return err;
}

static enum err read_file(const char *path, const struct folder_reader *reader, size_t *n_bad,
			  struct diag *diag)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;
	enum err err = load_file(path, &problems, &definition);

	if (err)
		++*n_bad;
	if (problems.n)
		reader->report(reader->context, &problems);
	arena_release(&arena);
	if (err == ERR_NOMEM)
		return diag_set(diag, ERR_NOMEM, "out of memory");
	if (definition)
		reader->loaded(reader->context, path, definition);
	return OK;
}

enum err folder_read_definitions(const char *path, const struct folder_reader *reader,
				 size_t *n_bad, struct diag *diag)
{
	struct names names = {0};
	enum err err = list_files(path, &names, diag);

	*n_bad = 0;
	if (!err && names.n)
		qsort(names.list, names.n, sizeof *names.list, compare_names);
	for (size_t i = 0; !err && i < names.n; i++)
		err = read_file(names.list[i], reader, n_bad, diag);
	arena_release(&names.arena);
	return err;
}

/* --- which folder of data it is ------------------------------------------------------ */

/* Random, and written under another name first: the file is whole or not there. */
static enum err make_instance(const char *data, const char *path, struct diag *diag)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t random[(FOLDER_INSTANCE_SIZE - 1) / 2];
	char text[FOLDER_INSTANCE_SIZE + 1], temporary[FOLDER_PATH_SIZE];
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	bool good = fd >= 0 && read(fd, random, sizeof random) == (ssize_t)sizeof random;

	if (fd >= 0)
		close(fd);
	for (size_t i = 0; good && i < sizeof random; i++) {
		text[2 * i] = digits[random[i] / 16];
		text[2 * i + 1] = digits[random[i] % 16];
	}
	text[FOLDER_INSTANCE_SIZE - 1] = '\n';
	snprintf(temporary, sizeof temporary, "%.4000s/instance.new", data);
	fd = good ? open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	good = fd >= 0 && write(fd, text, FOLDER_INSTANCE_SIZE) == FOLDER_INSTANCE_SIZE &&
	       fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	if (good && rename(temporary, path) == 0)
		return OK;
	return diag_set(diag, ERR_IO, "cannot write %.300s: %s", path, strerror(errno));
}

enum err folder_instance(const char *data, char out[FOLDER_INSTANCE_SIZE], struct diag *diag)
{
	char path[FOLDER_PATH_SIZE];
	ssize_t n;
	enum err err;
	int fd;

	snprintf(path, sizeof path, "%.4000s/instance", data);
	if (access(path, F_OK) != 0) {
		err = make_instance(data, path, diag);
		if (err)
			return err;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return diag_set(diag, ERR_IO, "cannot read %.300s: %s", path, strerror(errno));
	n = read(fd, out, FOLDER_INSTANCE_SIZE);
	close(fd);
	if (n != FOLDER_INSTANCE_SIZE || out[FOLDER_INSTANCE_SIZE - 1] != '\n' ||
	    strspn(out, "0123456789abcdef") != FOLDER_INSTANCE_SIZE - 1)
		return diag_set(diag, ERR_CORRUPT,
				"%.300s is damaged: remove it, and another one is made", path);
	out[FOLDER_INSTANCE_SIZE - 1] = '\0';
	return OK;
}

#include "tests/lib/folder.h"

#include "base/bytes.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MAX = 64 * 1024 * 1024 };

static char path[64];
static int former = -1;

void folder_enter(void)
{
	snprintf(path, sizeof path, "/tmp/skald-test-XXXXXX");
	former = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert(former >= 0);
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(chdir(path), 0);
}

static bool is_file(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* With all that is in it; the folders in it are few and not deep. */
static void empty(int fd)
{
	DIR *folder = fdopendir(fd);
	struct dirent *entry;

	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder)) != NULL) {
		int inner;

		if (!is_file(entry) || unlinkat(fd, entry->d_name, 0) == 0)
			continue;
		inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ck_assert(inner >= 0);
		empty(inner);
		ck_assert_int_eq(unlinkat(fd, entry->d_name, AT_REMOVEDIR), 0);
	}
	closedir(folder);
}

void folder_leave(void)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert(fd >= 0);
	empty(fd);
	ck_assert_int_eq(fchdir(former), 0);
	close(former);
	ck_assert_int_eq(rmdir(path), 0);
}

size_t folder_count(void)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder)) != NULL)
		n += is_file(entry);
	closedir(folder);
	return n;
}

void folder_write(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert(fputs(text, file) >= 0);
	ck_assert_int_eq(fclose(file), 0);
}

struct slice folder_read(const char *name, struct arena *arena)
{
	struct bytes bytes = BYTES(FILE_MAX, arena);
	FILE *file = fopen(name, "r");
	int c;

	ck_assert_msg(file != NULL, "%s cannot be read", name);
	while ((c = getc(file)) != EOF)
		bytes_add(&bytes, (char)c);
	fclose(file);
	bytes_add(&bytes, '\0');
	ck_assert_int_eq(bytes.err, OK);
	return (struct slice){bytes.at, bytes.len - 1};
}

/* replay.c - runs a fuzz target over files, without libFuzzer.
 *
 *	replay FILE-OR-FOLDER...
 *
 * Every input lies in a block of exactly its size, so that AddressSanitizer
 * sees a read beyond its end. A target that does not like an input aborts. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_TEXT_MAX = 4096, INPUT_MAX = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int n_run;

static void fail(const char *path, const char *why)
{
	fprintf(stderr, "%s: %s\n", path, why);
	exit(EXIT_FAILURE);
}

static void replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);

	if (!file || !data)
		fail(path, strerror(errno));
	if (fread(data, 1, size, file) != size)
		fail(path, "cannot be read");
	fclose(file);
	/* Printed first: it is the last line if the target aborts. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	n_run++;
}

static void replay(const char *path)
{
	char inside[PATH_TEXT_MAX];
	struct dirent *entry;
	struct stat status;
	DIR *folder;

	if (stat(path, &status) != 0)
		fail(path, strerror(errno));
	if (!S_ISDIR(status.st_mode)) {
		if (status.st_size > INPUT_MAX)
			fail(path, "is over 16 MiB");
		replay_file(path, (size_t)status.st_size);
		return;
	}
	folder = opendir(path);
	if (!folder)
		fail(path, strerror(errno));
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name) >=
		    (int)sizeof inside)
			fail(path, "path is too long");
		replay(inside);
	}
	closedir(folder);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%d passed, 0 failed, 0 skipped\n", n_run);
	return EXIT_SUCCESS;
}

/* replay.c - runs a fuzz target over files, and over changes of them, without libFuzzer.
 *
 *	fuzz_NAME [--mutants N] FILE-OR-FOLDER...
 *	fuzz_NAME --mutant I FILE-OR-FOLDER... >FILE
 *
 * First every file as it is, then N mutants: each is one of the files with some bytes
 * changed, and follows from the files and its number alone, so that what a run finds is
 * found by the next one, too. --mutant prints one instead of running it.
 *
 * Every input lies in a block of exactly its size, so that AddressSanitizer sees a read
 * beyond its end. What a target needs for one input is limited (budget.h). A target that
 * does not like an input aborts. */
#include "tests/fuzz/budget.h"
#include "tests/fuzz/mutant.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_TEXT_MAX = 4096, INPUT_MAX = 16 << 20, INPUTS_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct corpus corpus;

static void fail(const char *path, const char *why)
{
	fprintf(stderr, "%s: %s\n", path, why);
	exit(EXIT_FAILURE);
}

/* Named first: it is the last line if the target aborts. */
static void run(const char *name, const uint8_t *data, size_t size)
{
	printf("%s\n", name);
	fflush(stdout);
	budget_begin();
	LLVMFuzzerTestOneInput(data, size);
	budget_end();
}

static void add_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);
	char *name = strdup(path);

	if (!file || !data || !name)
		fail(path, strerror(errno));
	if (fread(data, 1, size, file) != size)
		fail(path, "cannot be read");
	fclose(file);
	if (corpus.n == INPUTS_MAX)
		fail(path, "is one file too many");
	corpus.inputs = realloc(corpus.inputs, (corpus.n + 1) * sizeof *corpus.inputs);
	if (!corpus.inputs)
		fail(path, "out of memory");
	corpus.inputs[corpus.n++] = (struct input){name, data, size};
}

static void add(const char *path)
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
		add_file(path, (size_t)status.st_size);
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
		add(inside);
	}
	closedir(folder);
}

/* A folder names its files in any order. */
static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct input *)a)->name, ((const struct input *)b)->name);
}

static void run_mutant(uint32_t number)
{
	struct input mutant;
	char name[32];

	mutant_make(&corpus, number, &mutant);
	snprintf(name, sizeof name, "mutant %u", (unsigned)number);
	run(name, mutant.data, mutant.size);
	free(mutant.data);
}

static void print_mutant(uint32_t number)
{
	struct input mutant;

	mutant_make(&corpus, number, &mutant);
	fwrite(mutant.data, 1, mutant.size, stdout);
	free(mutant.data);
}

static uint32_t number_of(const char *text)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = text ? strtoul(text, &end, 10) : 0;
	if (!text || *text < '0' || *text > '9' || *end || errno || number > UINT32_MAX)
		fail(text ? text : "--mutants, --mutant", "is no number");
	return (uint32_t)number;
}

static void release(void)
{
	for (size_t i = 0; i < corpus.n; i++) {
		free(corpus.inputs[i].name);
		free(corpus.inputs[i].data);
	}
	free(corpus.inputs);
}

int main(int argc, char **argv)
{
	uint32_t n_mutants = 0, printed = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--mutants") == 0)
			n_mutants = number_of(argv[++i]);
		else if (strcmp(argv[i], "--mutant") == 0)
			printed = number_of(argv[++i]);
		else
			add(argv[i]);
	}
	if (corpus.n)
		qsort(corpus.inputs, corpus.n, sizeof *corpus.inputs, compare_names);
	if (printed) {
		print_mutant(printed);
		release();
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < corpus.n; i++)
		run(corpus.inputs[i].name, corpus.inputs[i].data, corpus.inputs[i].size);
	for (uint32_t i = 1; i <= n_mutants; i++)
		run_mutant(i);
	/* All mutants are one test. */
	printf("%zu passed, 0 failed, 0 skipped\n", corpus.n + (n_mutants > 0));
	release();
	return EXIT_SUCCESS;
}

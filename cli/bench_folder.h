/* bench_folder.h - the temporary folder of `skald bench`, and programs that run in it.
 *
 * They lie where this program lies. What NAME prints is in the folder's NAME.out, what it
 * logs in NAME.log. None outlives this process.
 */
#ifndef SKALD_CLI_BENCH_FOLDER_H
#define SKALD_CLI_BENCH_FOLDER_H

#include "base/arena.h"
#include "base/err.h"

#include <sys/types.h>

enum bench_process { BENCH_SERVER, BENCH_INVENTORY, BENCH_PAYMENT, N_BENCH_PROCESSES };
enum {
	BENCH_PATH_SIZE = 512,
	BENCH_FILE_SIZE = 2 * BENCH_PATH_SIZE,
	BENCH_WORDS_MAX = 300, /* of the end of a log, in messages */
};

struct bench_folder {
	char path[BENCH_PATH_SIZE];
	char programs[BENCH_PATH_SIZE]; /* the folder that they are in */
};

extern const char *const bench_programs[N_BENCH_PROCESSES];

/* The program that starts servers of others, in the tree of the source; and whether this
 * program lies there. */
extern const char bench_engines[];
bool bench_folder_has_engines(const struct bench_folder *folder);

/* In `parent`, or in $TMPDIR or /tmp where that is NULL. ERR_NOT_FOUND: a program is not
 * there. */
CHECKED enum err bench_folder_make(struct bench_folder *folder, const char *parent,
				   struct diag *diag);

/* With all that is in it; nothing, where none was made. */
void bench_folder_remove(const struct bench_folder *folder);

/* The path of a file in it. */
void bench_folder_file(const struct bench_folder *folder, const char *name, const char *ending,
		       char path[BENCH_FILE_SIZE]);

/* Start one of the programs; *pid is 0 where it could not be. */
CHECKED enum err bench_folder_spawn(const struct bench_folder *folder, const char *const *args,
				    pid_t *pid, struct diag *diag);

/* Wait for one that was spawned, and read what it printed. */
CHECKED enum err bench_folder_read_output(const struct bench_folder *folder,
					  const char *program, pid_t pid, struct arena *arena,
					  struct slice *out, struct diag *diag);

/* ERR_UNAVAILABLE: how it ended, as waitpid has it, and its last words. */
CHECKED enum err bench_folder_say_ended(const struct bench_folder *folder, const char *program,
					int status, struct diag *diag);

/* The end of what a program logged, in a line. */
void bench_folder_last_words(const struct bench_folder *folder, const char *program,
			     char words[BENCH_WORDS_MAX + 1]);

#endif

#include "cli/bench_folder.h"

#include "base/bytes.h"
#include "cli/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
	LOG_MAX = 16 * 1024 * 1024,
	OUTPUT_MAX = 1024 * 1024 * 1024,
	EXIT_NO_PROGRAM = 127,
};

const char *const bench_programs[N_BENCH_PROCESSES] = {
	[BENCH_SERVER] = "skald",
	[BENCH_INVENTORY] = "skald-inventory",
	[BENCH_PAYMENT] = "skald-payment",
};

const char bench_engines[] = "engines";

/* In the tree of the source; seen from its programs. */
static const char engines_folder[] = "../../tools/";

/* --- the folder ------------------------------------------------------------------- */

void bench_folder_file(const struct bench_folder *folder, const char *name, const char *ending,
		       char path[BENCH_FILE_SIZE])
{
	snprintf(path, BENCH_FILE_SIZE, "%s/%s%s", folder->path, name, ending);
}

static enum err make(struct bench_folder *folder, const char *parent, struct diag *diag)
{
	const char *tmpdir = getenv("TMPDIR");
	char path[BENCH_PATH_SIZE];
	int len;

	if (!parent)
		parent = tmpdir && *tmpdir ? tmpdir : "/tmp";
	len = snprintf(path, sizeof path, "%s/skald-bench-XXXXXX", parent);
	if (len < 0 || (size_t)len >= sizeof path)
		return diag_set(diag, ERR_TOO_LARGE,
				"the name of the folder is over %d bytes; give a shorter --dir",
				BENCH_PATH_SIZE - 32);
	if (!mkdtemp(path))
		return diag_set(diag, ERR_IO,
				"cannot make a folder in %s: %s; give another one with --dir",
				parent, strerror(errno));
	memcpy(folder->path, path, sizeof path);
	return OK;
}

/* The folder and those in it, which have no folders in them. */
static void remove_all(const char *path, bool deeper)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char name[BENCH_FILE_SIZE];

	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof name, "%s/%.*s", path, BENCH_PATH_SIZE - 2,
			 entry->d_name);
		if (unlink(name) != 0 && deeper)
			remove_all(name, false);
	}
	if (dir)
		closedir(dir);
	/* What cannot be removed stays; there is nothing else to do about it. */
	(void)rmdir(path);
}

/* --- programs -------------------------------------------------------------------- */

/* Where this program lies, the others do, too. */
static enum err find_programs(struct bench_folder *folder, struct diag *diag)
{
	char path[BENCH_FILE_SIZE], *slash;
	ssize_t len = readlink("/proc/self/exe", folder->programs, sizeof folder->programs - 1);

	slash = len > 0 ? strrchr(folder->programs, '/') : NULL;
	if (!slash)
		return diag_set(diag, ERR_IO, "cannot find the folder of this program: %s",
				strerror(errno));
	*slash = '\0';
	for (int i = 0; i < N_BENCH_PROCESSES; i++) {
		snprintf(path, sizeof path, "%s/%s", folder->programs, bench_programs[i]);
		if (access(path, X_OK) != 0)
			return diag_set(diag, ERR_NOT_FOUND,
					"%.300s: %s; the example services have to lie beside "
					"skald, where `make` and `make install` put them",
					path, strerror(errno));
	}
	return OK;
}

/* What is set for other servers is not meant for this one, but where to find engines. */
static char **own_environment(void)
{
	static const char cache[] = "SKALD_ENGINES=";
	size_t n = 0, kept = 0;
	char **environment;

	while (environ[n])
		n++;
	environment = calloc(n + 1, sizeof *environment);
	for (size_t i = 0; environment && i < n; i++) {
		if (strncmp(environ[i], "SKALD_", 6) != 0 ||
		    strncmp(environ[i], cache, sizeof cache - 1) == 0)
			environment[kept++] = environ[i];
	}
	return environment;
}

/* Between fork and exec. In a group of its own, so that Ctrl-C ends this program
 * alone, which then ends the rest in order. */
static _Noreturn void become(const struct bench_folder *folder, const char *const *args,
			     char **environment, int out, int errs)
{
	char path[BENCH_FILE_SIZE];
	int in = open("/dev/null", O_RDONLY);

	snprintf(path, sizeof path, "%s/%s%s", folder->programs,
		 strcmp(args[0], bench_engines) == 0 ? engines_folder : "", args[0]);
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && in >= 0 && dup2(in, STDIN_FILENO) >= 0 &&
	    dup2(out, STDOUT_FILENO) >= 0 && dup2(errs, STDERR_FILENO) >= 0 &&
	    chdir(folder->path) == 0)
		execve(path, (char *const *)args, environment);
	_exit(EXIT_NO_PROGRAM);
}

enum err bench_folder_spawn(const struct bench_folder *folder, const char *const *args,
			    pid_t *pid, struct diag *diag)
{
	char **environment = own_environment();
	char out_path[BENCH_FILE_SIZE], log_path[BENCH_FILE_SIZE];
	int out, errs;

	bench_folder_file(folder, args[0], ".out", out_path);
	bench_folder_file(folder, args[0], ".log", log_path);
	out = open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	errs = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	*pid = environment && out >= 0 && errs >= 0 ? fork() : -1;
	if (*pid == 0)
		become(folder, args, environment, out, errs);
	free(environment);
	if (out >= 0)
		close(out);
	if (errs >= 0)
		close(errs);
	if (*pid > 0)
		return OK;
	*pid = 0;
	return diag_set(diag, ERR_UNAVAILABLE, "cannot start %s: %s", args[0], strerror(errno));
}

void bench_folder_last_words(const struct bench_folder *folder, const char *program,
			     char words[BENCH_WORDS_MAX + 1])
{
	struct arena arena = {0};
	char path[BENCH_FILE_SIZE];
	struct slice log;

	words[0] = '\0';
	bench_folder_file(folder, program, ".log", path);
	if (!file_read(path, LOG_MAX, &arena, &log, NULL)) {
		while (log.len && log.at[log.len - 1] == '\n')
			log.len--;
		if (log.len > BENCH_WORDS_MAX)
			log = (struct slice){log.at + log.len - BENCH_WORDS_MAX,
					     BENCH_WORDS_MAX};
		snprintf(words, BENCH_WORDS_MAX + 1, "%.*s", SLICE_ARG(log));
	}
	arena_release(&arena);
}

enum err bench_folder_say_ended(const struct bench_folder *folder, const char *program,
				int status, struct diag *diag)
{
	bool by_signal = WIFSIGNALED(status);
	char words[BENCH_WORDS_MAX + 1];

	bench_folder_last_words(folder, program, words);
	return diag_set(diag, ERR_UNAVAILABLE, "%s ended with %s %d%s%s", program,
			by_signal ? "signal" : "exit status",
			by_signal ? WTERMSIG(status) : WEXITSTATUS(status),
			words[0] ? ": " : "", words);
}

/* Exit 1 is also what a service says of books that do not agree; what is wrong is printed. */
enum err bench_folder_read_output(const struct bench_folder *folder, const char *program,
				  pid_t pid, struct arena *arena, struct slice *out,
				  struct diag *diag)
{
	char path[BENCH_FILE_SIZE];
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return diag_set(diag, ERR_IO, "cannot wait for %s", program);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return bench_folder_say_ended(folder, program, status, diag);
	bench_folder_file(folder, program, ".out", path);
	return file_read(path, OUTPUT_MAX, arena, out, diag);
}

/* --- the whole of it --------------------------------------------------------------- */

enum err bench_folder_make(struct bench_folder *folder, const char *parent, struct diag *diag)
{
	enum err err = find_programs(folder, diag);

	return err ? err : make(folder, parent, diag);
}

bool bench_folder_has_engines(const struct bench_folder *folder)
{
	char path[BENCH_FILE_SIZE];

	snprintf(path, sizeof path, "%s/%s%s", folder->programs, engines_folder, bench_engines);
	return access(path, X_OK) == 0;
}

void bench_folder_remove(const struct bench_folder *folder)
{
	if (folder->path[0])
		remove_all(folder->path, true);
}

#define _XOPEN_SOURCE 700 /* posix_openpt */

#include "tests/lib/process.h"

#include "base/bytes.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 64 * 1024 * 1024 };

/* A file without a name. */
static int open_nameless(void)
{
	char path[] = "/tmp/skald-test-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_msg(fd >= 0, "cannot make a temporary file: %s", strerror(errno));
	unlink(path);
	return fd;
}

static int open_input(const char *text)
{
	int fd = open_nameless();
	size_t len = text ? strlen(text) : 0;

	ck_assert(len == 0 || write(fd, text, len) == (ssize_t)len);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void open_terminal(int *master, int *slave)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};

	*master = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_msg(*master >= 0 && grantpt(*master) == 0 && unlockpt(*master) == 0,
		      "cannot make a terminal: %s", strerror(errno));
	*slave = open(ptsname(*master), O_RDWR | O_NOCTTY);
	ck_assert_msg(*slave >= 0 && ioctl(*slave, TIOCSWINSZ, &size) == 0,
		      "cannot open the terminal: %s", strerror(errno));
}

/* A terminal ends with an error once nobody writes to it any more. */
static struct slice read_all(int fd, bool terminal, struct arena *arena)
{
	struct bytes bytes = BYTES(OUTPUT_MAX, arena);

	for (;;) {
		char part[4096];
		ssize_t n = read(fd, part, sizeof part);

		if (n == 0 || (n < 0 && terminal && errno == EIO))
			break;
		ck_assert_msg(n > 0, "cannot read the output: %s", strerror(errno));
		for (ssize_t i = 0; i < n; i++) {
			if (!terminal || part[i] != '\r' || i + 1 == n || part[i + 1] != '\n')
				bytes_add(&bytes, part[i]);
		}
	}
	bytes_add(&bytes, '\0');
	ck_assert_int_eq(bytes.err, OK);
	return (struct slice){bytes.at, bytes.len - 1};
}

static void make_environment(const struct process_setup *setup, struct arena *arena,
			     char *out[2 * PROCESS_ARGS_MAX])
{
	static const char *const kept[] = {"PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS",
					   "TSAN_OPTIONS"};
	size_t n = 0;

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		const char *value = getenv(kept[i]);
		struct bytes entry = BYTES(OUTPUT_MAX, arena);

		if (!value)
			continue;
		bytes_text(&entry, kept[i]);
		bytes_add(&entry, '=');
		bytes_text(&entry, value);
		bytes_add(&entry, '\0');
		ck_assert_int_eq(entry.err, OK);
		out[n++] = entry.at;
	}
	for (size_t i = 0; i < PROCESS_ARGS_MAX && setup->env[i]; i++)
		out[n++] = (char *)setup->env[i];
	out[n] = NULL;
}

static pid_t start(const struct process_setup *setup, struct arena *arena, const int fds[3])
{
	posix_spawn_file_actions_t actions;
	char *environment[2 * PROCESS_ARGS_MAX];
	pid_t pid = -1;
	int failure;

	make_environment(setup, arena, environment);
	ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, fds[i], i), 0);
	failure = posix_spawn(&pid, setup->argv[0], &actions, NULL, (char *const *)setup->argv,
			      environment);
	ck_assert_msg(failure == 0, "cannot run %s: %s", setup->argv[0], strerror(failure));
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static int wait_for_end(pid_t pid, const char *name)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	ck_assert_msg(WIFEXITED(status), "%s was ended by signal %d", name, WTERMSIG(status));
	return WEXITSTATUS(status);
}

static void run_on_terminal(const struct process_setup *setup, struct arena *arena,
			    struct process_result *result)
{
	int master, slave, input = open_input(setup->input);
	pid_t pid;

	open_terminal(&master, &slave);
	if (setup->typed)
		ck_assert_int_eq(write(master, setup->typed, strlen(setup->typed)),
				 (ssize_t)strlen(setup->typed));
	pid = start(setup, arena, (int[]){setup->typed ? slave : input, slave, slave});
	close(slave);
	close(input);
	result->out = read_all(master, true, arena);
	close(master);
	result->exit_code = wait_for_end(pid, setup->argv[0]);
}

struct process_result process_run(const struct process_setup *setup, struct arena *arena)
{
	struct process_result result = {0};
	int input, out, errs;

	if (setup->terminal) {
		run_on_terminal(setup, arena, &result);
		return result;
	}
	input = open_input(setup->input);
	out = setup->out ? open(setup->out, O_WRONLY) : open_nameless();
	errs = open_nameless();
	ck_assert(out >= 0);
	result.exit_code =
		wait_for_end(start(setup, arena, (int[]){input, out, errs}), setup->argv[0]);
	if (!setup->out) {
		ck_assert_int_eq(lseek(out, 0, SEEK_SET), 0);
		result.out = read_all(out, false, arena);
	}
	ck_assert_int_eq(lseek(errs, 0, SEEK_SET), 0);
	result.errs = read_all(errs, false, arena);
	close(input);
	close(out);
	close(errs);
	return result;
}

void process_find(const char *argv0, const char *name, char *path, size_t size)
{
	const char *given = strcmp(name, "skald") == 0 ? getenv("SKALD_BIN") : NULL;
	const char *slash = strrchr(argv0, '/');
	char folder[4096] = "";
	int len;

	if (!given && !slash) {
		fprintf(stderr, "%s: run this test by its path, or set SKALD_BIN\n", argv0);
		exit(EXIT_FAILURE);
	}
	if ((given ? given : argv0)[0] != '/' && !getcwd(folder, sizeof folder)) {
		perror("getcwd");
		exit(EXIT_FAILURE);
	}
	if (given)
		len = snprintf(path, size, "%s/%s", folder, given);
	else
		len = snprintf(path, size, "%s/%.*s../../%s", folder, (int)(slash - argv0) + 1,
			       argv0, name);
	if (len < 0 || (size_t)len >= size || access(path, X_OK) != 0) {
		fprintf(stderr, "%s: cannot run %s; build it, or set SKALD_BIN\n", argv0, path);
		exit(EXIT_FAILURE);
	}
}

/* test_demo.c - what `./run demo` runs after the build: it does what it says, also
 * twice at the same time, and leaves neither a process nor a folder behind. */
#include "base/bytes.h"
#include "tests/lib/engines.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"
#include "tests/lib/typed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char tree[4096], build[4096], script[4200];
static struct arena arena;

/* What tools/engines keeps is in the home, and what it starts in the path. */
static char home_env[4200], path_env[8200];
static int n_ways; /* for which there are engines */

/* "TMPDIR=", and where demos are to have their folders. */
static char tmp[512];

/* --- one that runs ------------------------------------------------------------------ */

/* When one is interrupted. */
static const struct interruption {
	const char *after; /* it has printed this */
	int signal;
	bool group; /* as the keys of a terminal do */
} interruptions[] = {
	{"", SIGINT, true},
	{"Skald runs sagas", SIGINT, true},
	{"Skald runs sagas", SIGTERM, false},
	{"kill -9 skald-payment", SIGINT, true},
	{"kill -9 skald-payment", SIGINT, false},
	{"is started again", SIGQUIT, true},
	{"kill -9 skald serve", SIGINT, true},
	{"kill -9 skald serve", SIGHUP, true},
	{"kill -9 skald serve", SIGTERM, true},
};

/* A group of processes, of which this test gets those, too, whose parent is gone. */
struct demo {
	pid_t pid;
	const char *out; /* file of all that it prints */
};

static void set_up(void)
{
	char here[256];

	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	folder_enter();
	ck_assert_int_eq(mkdir("tmp", 0700), 0);
	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	snprintf(tmp, sizeof tmp, "TMPDIR=%s/tmp", here);
	ck_assert_int_eq(mkdir("bin", 0700), 0);
	folder_write("bin/skald", "#!/bin/sh\necho another skald\nexit 1\n");
	ck_assert_int_eq(chmod("bin/skald", 0700), 0);
}

static void tear_down(void)
{
	ck_assert_msg(rmdir("tmp") == 0, "there is something left: %s", strerror(errno));
	folder_leave();
	arena_release(&arena);
}

/* Started by somebody who has settings of their own, and another skald. */
static struct demo demo_start(const char *out)
{
	struct demo demo = {fork(), out};
	char here[256], path[5000];
	int fd;

	ck_assert_int_ge(demo.pid, 0);
	if (demo.pid > 0)
		return demo;
	/* Whoever runs the tests may catch or ignore these, and so would their children. */
	for (int i = 0; i < ROWS(interruptions); i++)
		signal(interruptions[i].signal, SIG_DFL);
	fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	if (fd < 0 || !getcwd(here, sizeof here) || setpgid(0, 0) || chdir("/"))
		_exit(127);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	snprintf(path, sizeof path, "%s/bin:%s", here, getenv("PATH"));
	setenv("PATH", path, 1);
	setenv("TMPDIR", tmp + strlen("TMPDIR="), 1);
	setenv("SKALD_SERVER", "http://127.0.0.1:1", 1);
	setenv("SKALD_LOG_LEVEL", "error", 1);
	execl("/bin/sh", "sh", script, build, (char *)NULL);
	_exit(127);
}

static struct slice output(const struct demo *demo)
{
	return access(demo->out, R_OK) == 0 ? folder_read(demo->out, &arena)
					    : SLICE_LITERAL("");
}

static void await_output(const struct demo *demo, const char *text)
{
	const struct timespec step = {0, 5 * 1000 * 1000};

	while (!strstr(output(demo).at, text)) {
		ck_assert_msg(waitpid(demo->pid, NULL, WNOHANG) == 0,
			      "it ended without `%s`: %s", text, output(demo).at);
		nanosleep(&step, NULL);
	}
}

/* Its exit code, once the last process of the group is gone. */
static int demo_wait(const struct demo *demo)
{
	int status, code = -1;
	pid_t pid;

	while ((pid = waitpid(-demo->pid, &status, 0)) > 0) {
		if (pid == demo->pid)
			code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	ck_assert_int_eq(errno, ECHILD);
	return code;
}

/* --- what it shows ------------------------------------------------------------------ */

static const char *const shown[] = {
	"skald-payment is started again",
	"200 of 200 have ended",
	"    185 completed\n",
	"     10 compensated  (the bank said no)\n",
	"      5 compensated  (there are not so many left)\n",
	"reservations 195  held 0  confirmed 185  released 10\n  the books agree\n",
	"charged_cents 369815  refunded_cents 0  balance_cents 0\n  the books agree\n",
	"refused 0  sent 200\n  the books agree\n",
	"So 185 orders were completed",
	"compensated after ",
	"the saga turns back because of charge: card_declined",
	"undo answered ok",
	"go on yourself",
};

/* `killed`: whom else it kills. */
static void check_shown(struct slice out, const char *killed)
{
	ck_assert_msg(strstr(out.at, killed) != NULL, "no `%s` in: %.6000s", killed, out.at);
	for (int i = 0; i < ROWS(shown); i++)
		ck_assert_msg(strstr(out.at, shown[i]), "no `%s` in: %.6000s", shown[i],
			      out.at);
}

/* What is to be typed next stands there with two spaces before it. */
static struct slice commands_at_the_end(struct slice out)
{
	struct bytes commands = BYTES(out.len, &arena);
	const char *end = strstr(out.at, "go on yourself");
	struct slice line;

	ck_assert_ptr_nonnull(end);
	out = slice_of(end);
	while (slice_line(&out, &line)) {
		if (line.len < 3 || memcmp(line.at, "  ", 2) != 0 ||
		    memcmp(line.at, "  cd ", 5) == 0)
			continue;
		bytes_append(&commands, line);
		bytes_add(&commands, '\n');
	}
	ck_assert_int_eq(commands.err, OK);
	ck_assert_uint_gt(commands.len, 0);
	return bytes_slice(&commands);
}

START_TEST(test_twice_at_the_same_time)
{
	struct process_setup terminal = {.argv = {"/bin/sh", script, build},
					 .env = {tmp, "LANG=C.UTF-8"},
					 .terminal = true};
	struct process_result result;
	struct demo demo;
	struct slice out;

	set_up();
	demo = demo_start("out");
	result = process_run(&terminal, &arena);
	ck_assert_msg(result.exit_code == 0, "exit %d: %.6000s", result.exit_code,
		      result.out.at);
	check_shown(result.out, "kill -9 skald serve, and start it again");
	ck_assert_ptr_nonnull(strstr(result.out.at, "\r"));

	ck_assert_msg(demo_wait(&demo) == 0, "%.6000s", output(&demo).at);
	out = output(&demo);
	check_shown(out, "kill -9 skald serve, and start it again");
	ck_assert_msg(!strstr(out.at, "\r"), "%.6000s", out.at);
	out = typed_run(build, tree, commands_at_the_end(out), &arena);
	ck_assert_msg(strstr(out.at, "mine: completed after "), "%.6000s", out.at);
	tear_down();
}
END_TEST

static const struct way {
	const char *name, *killed;
} ways[] = {
	{"kafka", "kill -9 skald serve, and start it again"},
	{"cluster", "kill -9 one skald serve of three: its orders go on at the others"},
};

START_TEST(test_other_ways)
{
	struct process_setup setup = {.argv = {"/bin/sh", script, build, ways[_i].name},
				      .env = {tmp, home_env, path_env}};
	struct process_result result;

	set_up();
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == 0, "exit %d: %.6000s%.2000s", result.exit_code,
		      result.out.at, result.errs.at);
	check_shown(result.out, ways[_i].killed);
	while (waitpid(-1, NULL, 0) > 0)
		;
	tear_down();
}
END_TEST

/* --- when it is interrupted --------------------------------------------------------- */

START_TEST(test_interruption)
{
	const struct interruption *row = &interruptions[_i];
	struct demo demo;
	int code;

	set_up();
	demo = demo_start("out");
	await_output(&demo, row->after);
	/* Before its first line the group may not be there yet, nor the traps. */
	while (kill(row->group ? -demo.pid : demo.pid, row->signal))
		ck_assert_int_eq(errno, ESRCH);
	code = demo_wait(&demo);
	ck_assert_msg(code == 128 + row->signal, "after `%s` and signal %d: exit %d: %s",
		      row->after, row->signal, code, output(&demo).at);
	tear_down();
}
END_TEST

/* Whoever reads the output has seen enough. */
START_TEST(test_closed_pipe)
{
	struct process_setup setup = {.argv = {"/bin/sh", "-c"}, .env = {tmp}};
	char command[9000];
	struct process_result result;

	set_up();
	snprintf(command, sizeof command, "sh '%s' '%s' | head -n 1", script, build);
	setup.argv[2] = command;
	result = process_run(&setup, &arena);
	ck_assert_int_eq(result.exit_code, 0);
	ck_assert_ptr_nonnull(strstr(result.out.at, "Skald runs sagas"));
	while (waitpid(-1, NULL, 0) > 0)
		;
	tear_down();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 180);
	tcase_add_test(tcase, test_twice_at_the_same_time);
	tcase_add_loop_test(tcase, test_other_ways, 0, n_ways);
	tcase_add_loop_test(tcase, test_interruption, 0, ROWS(interruptions));
	tcase_add_test(tcase, test_closed_pipe);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", build, sizeof build);
	*strrchr(build, '/') = '\0';
	if (!getcwd(tree, sizeof tree))
		return EXIT_FAILURE;
	snprintf(script, sizeof script, "%s/tools/demo.sh", tree);
	snprintf(home_env, sizeof home_env, "HOME=%s", getenv("HOME") ? getenv("HOME") : "");
	snprintf(path_env, sizeof path_env, "PATH=%s", getenv("PATH"));
	if (kafka_broker_find())
		n_ways = mongo_find("mongo") ? 2 : 1;
	return suite_run("demo", add);
}

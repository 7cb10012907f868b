/* test_faults.c - every process dies at every place where a crash is interesting, while
 * sagas of every form are under way; each ends as it must, and the books are exact.
 *
 *	FAULTS_AT	at which times that it comes there, "1,2,4"
 *	FAULTS_ALONE	not empty: once more for every form by itself
 *
 * The places are those that the programs list (base/fault_point.h). A build without them
 * has none: then that is what is tested. */
#include "base/clock.h"
#include "cli/file.h"
#include "tests/e2e/errands.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef SKALD_FAULT_POINTS

enum {
	SECONDS = 3600,
	STEP_MS = 5,
	PATIENCE_MS = 60000,
	POINTS_MAX = 64,
	POINT_SIZE = 64,
	RETENTION_SIZE = 16,
	RETENTION_PATIENCE_MS = 5000
};

static struct works works; /* for its books */
static struct background processes[N_WORKS];
static char address[SERVER_URL_SIZE], url[SERVER_URL_SIZE];
static char retention[RETENTION_SIZE] = "0s";
static int n_sets, n_deaths;

/* --- processes -------------------------------------------------------------------- */

static bool is_dead(enum work work)
{
	int status;

	if (!processes[work].pid)
		return true;
	if (waitpid(processes[work].pid, &status, WNOHANG) == 0)
		return false;
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		      "%s did not die of its fault: %s", work_names[work],
		      folder_read(processes[work].log, &(struct arena){0}).at);
	processes[work].pid = 0;
	n_deaths++;
	return true;
}

/* False: it died before it was ready. */
static bool wait_until_ready(enum work work)
{
	const char *text = work == SERVER ? " sagas=" : ": ready: data in ";
	struct arena arena = {0};

	for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		bool ready = strstr(folder_read(processes[work].log, &arena).at, text);

		arena_release(&arena);
		if (ready || is_dead(work))
			return ready;
		works_sleep_ms(STEP_MS);
	}
	ck_abort_msg("%s does not come up", work_names[work]);
	return false;
}

/* With a fault, or with none (NULL). */
static bool launch(enum work work, const char *fault)
{
	struct process_setup server = {.argv = {works_program(SERVER), "serve", "--data",
						"data", "--listen", address, "--retention",
						retention}};
	struct process_setup service = {
		.argv = {works_program(work), "--bus", "local:data/bus.sock", "--data", "."}};
	struct process_setup *setup = work == SERVER ? &server : &service;

	setup->env[0] = fault;
	background_start(&processes[work], setup, work_names[work]);
	return wait_until_ready(work);
}

static void stop(enum work work)
{
	if (processes[work].pid)
		background_stop(&processes[work], SIGKILL);
}

/* The port that it was given is the one that it gets again. */
static void begin(void)
{
	struct arena arena = {0};
	const char *text;

	folder_enter();
	errands_write_definitions();
	snprintf(address, sizeof address, "127.0.0.1:0");
	ck_assert(launch(SERVER, NULL));
	text = strstr(folder_read(processes[SERVER].log, &arena).at, "event=ready url=");
	ck_assert_ptr_nonnull(text);
	text += strlen("event=ready url=");
	snprintf(url, sizeof url, "%.*s", (int)strcspn(text, " "), text);
	snprintf(address, sizeof address, "%s", url + strlen("http://"));
	arena_release(&arena);
	for (enum work work = INVENTORY; work < N_WORKS; work++)
		ck_assert(launch(work, NULL));
}

static void end(void)
{
	errands_check_books(&works);
	for (enum work work = SERVER; work < N_WORKS; work++)
		ck_assert_int_eq(background_stop(&processes[work], SIGTERM), 0);
	folder_leave();
}

/* --- points ----------------------------------------------------------------------- */

struct points {
	char names[POINTS_MAX][POINT_SIZE];
	int n;
};

/* Each name once, however often the compiler has made it. */
static void add_point(struct points *points, const char *name, size_t len)
{
	for (int i = 0; i < points->n; i++)
		if (strlen(points->names[i]) == len && !memcmp(points->names[i], name, len))
			return;
	ck_assert_int_lt(points->n, POINTS_MAX);
	snprintf(points->names[points->n++], POINT_SIZE, "%.*s", (int)len, name);
}

static void list_points(enum work work, struct points *points)
{
	struct process_setup setup = {.argv = {works_program(work)},
				      .env = {"SKALD_FAULT=list"}};
	struct arena arena = {0};
	struct process_result result = process_run(&setup, &arena);
	const char *line = result.out.at;

	ck_assert_int_eq(result.exit_code, 0);
	points->n = 0;
	for (; *line; line += strcspn(line, "\n") + 1)
		add_point(points, line, strcspn(line, "\n"));
	ck_assert_int_gt(points->n, 0);
	arena_release(&arena);
}

/* --- a round ---------------------------------------------------------------------- */

/* Whoever dies comes back, without a fault. */
static void revive(enum work work)
{
	if (is_dead(work))
		ck_assert(launch(work, NULL));
}

/* One without a fault from now on. True: it had died of the one that it had. */
static bool disarm(enum work victim, int n_deaths_before)
{
	if (!is_dead(victim) && n_deaths == n_deaths_before)
		stop(victim);
	revive(victim);
	return n_deaths > n_deaths_before;
}

static void go_on_until_they_end(struct errands *errands, enum work victim)
{
	int64_t until_ms = clock_monotonic_ms(clock_system()) + PATIENCE_MS;
	struct arena arena = {0};

	while (!errands_go_on(errands, url)) {
		revive(victim);
		if (clock_monotonic_ms(clock_system()) > until_ms)
			ck_abort_msg("set %d does not come to its end: %.*s", errands->set,
				     SLICE_ARG(errands_under_way(url, &arena)));
		works_sleep_ms(STEP_MS);
	}
}

/* True: the victim died since. It may do so at the very end, when it is asked whether
 * there is one. */
static bool finish(struct errands *errands, enum work victim, int n_deaths_before)
{
	bool died;

	go_on_until_they_end(errands, victim);
	died = disarm(victim, n_deaths_before);
	go_on_until_they_end(errands, victim);
	errands_check_ends(errands, url);
	errands_end(errands);
	return died;
}

static void launch_with(enum work victim, const char *point, int at)
{
	char fault[POINT_SIZE + 32];

	snprintf(fault, sizeof fault, "SKALD_FAULT=%s:%d", point, at);
	stop(victim);
	if (!launch(victim, fault))
		ck_assert(launch(victim, NULL));
}

/* True: it came to the fault, and died. */
static bool round_of(enum work victim, const char *point, int at, int form)
{
	int before = n_deaths;
	struct errands errands;

	launch_with(victim, point, at);
	errands_begin(&errands, n_sets++, form);
	return finish(&errands, victim, before);
}

/* The server that comes to it is one that finds them under way. */
static bool round_of_start(const char *point, int at)
{
	int before = n_deaths;
	struct errands errands;

	errands_begin(&errands, n_sets++, ERRAND_ALL);
	while (!errands_start(&errands, url))
		works_sleep_ms(STEP_MS);
	launch_with(SERVER, point, at);
	return finish(&errands, SERVER, before);
}

/* What is removed once it is old enough: sagas that have ended, soon after the start. */
static bool round_of_retention(const char *point, int at)
{
	int before = n_deaths;

	round_of(SERVER, "none", 1, ERRAND_ALL);
	snprintf(retention, sizeof retention, "1ms");
	launch_with(SERVER, point, at);
	for (int waited = 0; waited < RETENTION_PATIENCE_MS && n_deaths == before;
	     waited += STEP_MS) {
		works_sleep_ms(STEP_MS);
		revive(SERVER);
	}
	snprintf(retention, sizeof retention, "0s");
	round_of(SERVER, "none", 1, ERRAND_ALL);
	return n_deaths > before;
}

/* The first of them has to be reached. */
static int times[8], n_times;

static void read_times(void)
{
	const char *text = getenv("FAULTS_AT");

	text = text && *text ? text : "1,3";
	for (n_times = 0; n_times < 8 && *text; n_times++) {
		times[n_times] = (int)strtol(text, NULL, 10);
		ck_assert_int_gt(times[n_times], 0);
		text += strcspn(text, ",");
		text += *text == ',';
	}
}

/* In how many of the rounds it died there. */
static int try_point(enum work victim, const char *point)
{
	const char *alone = getenv("FAULTS_ALONE");
	int n = 0;

	for (int i = 0; i < n_times; i++) {
		n += round_of(victim, point, times[i], ERRAND_ALL);
		for (int form = 0; alone && *alone && form < ERRAND_FORMS; form++)
			n += round_of(victim, point, times[i], form);
	}
	if (!n && victim == SERVER)
		n = round_of_start(point, 1);
	if (!n && victim == SERVER)
		n = round_of_retention(point, 1);
	printf("%s at %s: died %d times\n", work_names[victim], point, n);
	fflush(stdout);
	return n;
}

/* `skald simulate` has the library for services, too, which is theirs to die in. */
START_TEST(test_the_server_dies_at_every_point)
{
	struct points points, of_services;
	int n_own;

	read_times();
	list_points(SERVER, &points);
	list_points(PAYMENT, &of_services);
	n_own = of_services.n;
	begin();
	for (int i = 0; i < points.n; i++) {
		const char *name = points.names[i];

		add_point(&of_services, name, strlen(name));
		if (of_services.n == n_own)
			continue;
		n_own = of_services.n;
		ck_assert_msg(try_point(SERVER, name), "no saga brings the server to %s", name);
	}
	end();
}
END_TEST

/* All services have the same library, and each its own part of the sagas. */
START_TEST(test_the_services_die_at_every_point)
{
	struct points points;

	read_times();
	list_points(PAYMENT, &points);
	begin();
	for (int i = 0; i < points.n; i++) {
		int n = 0;

		for (enum work work = INVENTORY; work < NOTIFICATION; work++)
			n += try_point(work, points.names[i]);
		ck_assert_msg(n, "no saga brings a service to %s", points.names[i]);
	}
	end();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, SECONDS);
	tcase_add_test(tcase, test_the_server_dies_at_every_point);
	tcase_add_test(tcase, test_the_services_die_at_every_point);
}

#else

static bool holds(const char *path, const char *text)
{
	struct arena arena = {0};
	struct slice program = {0};
	size_t len = strlen(text);
	bool found = false;

	ck_assert_int_eq(file_read(path, 256 << 20, &arena, &program, NULL), OK);
	for (size_t i = 0; i + len <= program.len && !found; i++)
		found = memcmp(program.at + i, text, len) == 0;
	arena_release(&arena);
	return found;
}

START_TEST(test_a_program_for_people_has_none)
{
	const char *program = works_program((enum work)_i);

	ck_assert(holds(program, "skald")); /* it looks where it should */
	ck_assert_msg(!holds(program, "SKALD_FAULT"), "%s", program);
	ck_assert_msg(!holds(program, "fault_point"), "%s", program);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_a_program_for_people_has_none, SERVER, N_WORKS);
}

#endif

int main(int argc, char **argv)
{
	works_find(argv[0]);
	return suite_run("faults", add);
}

/* test_participant_local.c - a participant as its host makes it, over a real socket */
#include "bus/bus_local.h"
#include "skald/participant.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- options ------------------------------------------------------------------------- */

static const struct row {
	const char *name; /* of the participant */
	skald_options options;
	bool without_barrier;
	const char *error;
} rows[] = {
	{"stock",
	 {0},
	 false,
	 "stock: bus: \"\" is none; give local:PATH, with the path of the orchestrator's "
	 "socket"},
	{"stock",
	 {.bus = "kafka:here"},
	 false,
	 "stock: bus: \"kafka:here\" is none; give local:PATH, with the path of the "
	 "orchestrator's socket"},
	{"stock",
	 {.bus = "local:"},
	 false,
	 "stock: : the path of a socket has 1 to 107 bytes, this has 0"},
	{"stock",
	 {.bus = "local:bus.sock"},
	 true,
	 "stock: barrier: there has to be one; see skald/barrier.h"},
	{"stock",
	 {.bus = "local:bus.sock", .window = 10001},
	 false,
	 "stock: window: 10001 is over 10000"},
	{"stock",
	 {.bus = "local:bus.sock", .batch = 10001},
	 false,
	 "stock: batch: 10001 is over 10000"},
	{"stock",
	 {.bus = "local:bus.sock", .horizon_ms = -1},
	 false,
	 "stock: horizon_ms: -1 is less than 0"},
	{"stock",
	 {.bus = "local:bus.sock", .guard = "nowhere/guard"},
	 false,
	 "stock: nowhere/guard: No such file or directory"},
	{"stockstockstockstockstockstockstockstockstockstockstockstockstock",
	 {.bus = "local:bus.sock"},
	 false,
	 "stockstockstockstockstockstockstockstockstockstockstockstockstock: the name "
	 "stockstockstockstockstockstockstockstockstockstockstockstockstock... has over 63 "
	 "bytes"},
	{"",
	 {.bus = "local:bus.sock"},
	 false,
	 ": a participant has a name, and a window of at least 1"},
};

START_TEST(test_options_that_are_no_good)
{
	skald_error error = {""};
	skald_options options = rows[_i].options;

	options.barrier = rows[_i].without_barrier ? NULL : skald_barrier_memory();
	ck_assert_ptr_null(skald_participant_new(rows[_i].name, &options));
	options.error = &error;
	ck_assert_ptr_null(skald_participant_new(rows[_i].name, &options));
	ck_assert_str_eq(error.text, rows[_i].error);
	skald_barrier_free(options.barrier);
}
END_TEST

START_TEST(test_no_memory)
{
	bool fired = true;

	folder_enter();
	for (size_t n = 0; fired; n++) {
		skald_error error = {""};
		skald_options options = {.bus = "local:bus.sock",
					 .barrier = skald_barrier_memory(),
					 .guard = "guard",
					 .batch = 10,
					 .horizon_ms = SKALD_FOR_EVER,
					 .error = &error};
		skald_participant *participant;

		fail_malloc_at(n);
		participant = skald_participant_new("stock", &options);
		fired = fail_malloc_off();
		ck_assert(fired == !participant);
		ck_assert(fired == !!strstr(error.text, "out of memory"));
		skald_participant_free(participant);
		skald_barrier_free(options.barrier);
	}
	folder_leave();
}
END_TEST

/* --- an orchestrator of few words ----------------------------------------------------------
 */

/* In a process of its own: it sends that many commands, one after the other, and ends
 * well when each was answered ok. */
static pid_t orchestrate(int n_commands)
{
	struct bus_local_setup setup = {
		.path = "bus.sock", .server = "test", .clock = clock_system()};
	struct inbox_message message;
	struct pollfd fd = {.events = POLLIN};
	struct bus *bus;
	pid_t pid = fork();

	ck_assert(pid >= 0);
	if (pid)
		return pid;
	if (bus_local_open(&setup, &bus, NULL))
		_exit(1);
	fd.fd = bus_fd(bus);
	for (int n = 0; n < n_commands; n++) {
		char id[32];
		struct command_message command = {
			.id = {id, (size_t)snprintf(id, sizeof id, "s/%d#0/0/do", n)},
			.participant = SLICE_LITERAL("stock"),
			.command = SLICE_LITERAL("take"),
			.saga_id = SLICE_LITERAL("s"),
			.saga = SLICE_LITERAL("saga"),
			.attempt = 1,
			.first_ms = clock_now_ms(clock_system()),
			.timeout_ms = 10000,
			.args = SLICE_LITERAL("{\"n\":1}")};

		if (bus_send(bus, &command))
			_exit(2);
		for (bus_pump(bus); !bus_poll(bus, &message); bus_pump(bus))
			poll(&fd, 1, 1000);
		if (message.reply.outcome != MESSAGE_OK ||
		    !slice_equal(message.reply.id, command.id))
			_exit(3);
		bus_acknowledge(bus);
		bus_pump(bus);
	}
	bus_close(bus);
	_exit(0);
}

/* Stops the participant when the orchestrator has ended. */
struct watch {
	pid_t pid;
	skald_participant *participant;
	int status;
};

static void *watch(void *context)
{
	struct watch *watch = context;

	waitpid(watch->pid, &watch->status, 0);
	skald_participant_stop(watch->participant);
	return NULL;
}

static char lines[4096];

static void keep_line(void *context, skald_log_level level, const char *line)
{
	size_t used = strlen(lines);

	snprintf(lines + used, sizeof lines - used, "%d %s\n", (int)level, line);
}

/* Run until all was answered. */
static void run_all(skald_participant *participant, int n_commands)
{
	struct watch watching = {orchestrate(n_commands), participant, -1};
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, watch, &watching), 0);
	skald_participant_run(participant);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(watching.status, 0);
}

static skald_participant *stock_on(skald_barrier *barrier)
{
	skald_error error = {""};
	skald_options options = {.bus = "local:bus.sock",
				 .barrier = barrier,
				 .log = keep_line,
				 .guard = "stock.guard",
				 .error = &error};
	skald_participant *participant = skald_participant_new("stock", &options);

	ck_assert_msg(participant != NULL, "%s", error.text);
	return participant;
}

static skald_outcome take(const skald_command *command, skald_reply *reply, void *context)
{
	++*(int *)context;
	return skald_reply_ok(reply, "{}");
}

START_TEST(test_it_says_once_that_nobody_is_there)
{
	static const char line[] = "1 level=warn event=waiting participant=stock why=\"no "
				   "orchestrator answers at ";
	skald_barrier *barrier = skald_barrier_memory();
	skald_participant *participant;
	const char *found;

	folder_enter();
	participant = stock_on(barrier);
	for (int turn = 0; turn < 3; turn++) {
		skald_participant_wait(participant, 1);
		skald_participant_poll(participant);
	}
	found = strstr(lines, line);
	ck_assert_msg(found && !strstr(found + 1, line), "%s", lines);
	skald_participant_free(participant);
	skald_barrier_free(barrier);
	folder_leave();
}
END_TEST

START_TEST(test_it_runs_until_it_is_stopped)
{
	skald_barrier *barrier = skald_barrier_memory();
	skald_participant *participant;
	int n = 0;

	folder_enter();
	participant = stock_on(barrier);
	ck_assert(skald_participant_on(participant, "take", take, &n));
	ck_assert_str_eq(skald_participant_trouble(participant), "no connection was tried yet");
	run_all(participant, 20);
	ck_assert_int_eq(n, 20);
	/* The next orchestrator is found by itself; the records are still there. */
	run_all(participant, 30);
	ck_assert_int_eq(n, 30);
	ck_assert_ptr_nonnull(
		strstr(lines, "2 level=info event=connected participant=stock\n"));
	ck_assert_ptr_nonnull(
		strstr(lines, "1 level=warn event=disconnected participant=stock why="));
	skald_participant_free(participant);
	skald_barrier_free(barrier);
	folder_leave();
}
END_TEST

/* --- answers from another thread
 * --------------------------------------------------------------
 */

struct clerk {
	pthread_mutex_t lock;
	pthread_cond_t work;
	skald_deferred *deferred;
	bool closing;
};

static void *answer_later(void *context)
{
	struct clerk *clerk = context;

	pthread_mutex_lock(&clerk->lock);
	while (!clerk->closing) {
		skald_deferred *deferred = clerk->deferred;

		clerk->deferred = NULL;
		if (deferred) {
			pthread_mutex_unlock(&clerk->lock);
			skald_deferred_ok(deferred, "{\"id\":17}");
			pthread_mutex_lock(&clerk->lock);
		} else {
			pthread_cond_wait(&clerk->work, &clerk->lock);
		}
	}
	pthread_mutex_unlock(&clerk->lock);
	return NULL;
}

static skald_outcome hand_over(const skald_command *command, skald_reply *reply, void *context)
{
	struct clerk *clerk = context;

	pthread_mutex_lock(&clerk->lock);
	clerk->deferred = skald_command_defer(command);
	pthread_cond_signal(&clerk->work);
	pthread_mutex_unlock(&clerk->lock);
	return SKALD_LATER;
}

/* Three hundred in a row: an answer that does not wake the loop takes it a second,
 * and Check ends a test after a minute. */
START_TEST(test_an_answer_from_a_thread_wakes_the_loop)
{
	struct clerk clerk = {.lock = PTHREAD_MUTEX_INITIALIZER,
			      .work = PTHREAD_COND_INITIALIZER};
	skald_barrier *barrier = skald_barrier_memory();
	skald_participant *participant;
	pthread_t thread;

	folder_enter();
	participant = stock_on(barrier);
	ck_assert(skald_participant_on(participant, "take", hand_over, &clerk));
	ck_assert_int_eq(pthread_create(&thread, NULL, answer_later, &clerk), 0);
	run_all(participant, 300);
	pthread_mutex_lock(&clerk.lock);
	clerk.closing = true;
	pthread_cond_signal(&clerk.work);
	pthread_mutex_unlock(&clerk.lock);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	skald_participant_free(participant);
	skald_barrier_free(barrier);
	folder_leave();
}
END_TEST

/* --- stopping -------------------------------------------------------------------------------
 */

static skald_participant *running;

static void on_signal(int signal)
{
	skald_participant_stop(running);
}

START_TEST(test_a_signal_stops_it)
{
	skald_barrier *barrier = skald_barrier_memory();
	struct sigaction action = {.sa_handler = on_signal};

	folder_enter();
	running = stock_on(barrier);
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	skald_participant_run(running);
	/* Before it runs: it comes back at once, and then runs again. */
	skald_participant_stop(running);
	skald_participant_wait(running, 100000);
	skald_participant_run(running);
	alarm(1);
	skald_participant_run(running);
	skald_participant_free(running);
	skald_participant_free(NULL);
	skald_barrier_free(barrier);
	skald_barrier_free(NULL);
	folder_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_options_that_are_no_good, 0, ROWS(rows));
	tcase_add_test(tcase, test_no_memory);
	tcase_add_test(tcase, test_it_says_once_that_nobody_is_there);
	tcase_add_test(tcase, test_it_runs_until_it_is_stopped);
	tcase_add_test(tcase, test_an_answer_from_a_thread_wakes_the_loop);
	tcase_add_test(tcase, test_a_signal_stops_it);
}

int main(void)
{
	return suite_run("participant_local", add);
}

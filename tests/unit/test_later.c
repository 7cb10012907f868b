/* test_later.c - handlers that answer later, from any thread */
#include "tests/lib/fail_malloc.h"
#include "tests/lib/stall.h"
#include "tests/lib/suite.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DEFERRED_MAX = 128 };

/* What the handlers have deferred, in order. */
struct desk {
	struct host *host;
	skald_deferred *deferred[DEFERRED_MAX];
	int n;
	skald_outcome outcome; /* what they return afterwards */
};

static skald_outcome defer(const skald_command *command, skald_reply *reply, void *context)
{
	struct desk *desk = context;

	++*host_book(desk->host); /* it should not, and it will be taken back */
	desk->deferred[desk->n] = skald_command_defer(command);
	if (!desk->deferred[desk->n])
		return skald_reply_fail(reply, "no-memory", NULL);
	desk->n++;
	return desk->outcome;
}

static skald_outcome at_once(const skald_command *command, skald_reply *reply, void *context)
{
	return skald_reply_ok(reply, "[0]");
}

static void open_with(struct stall *stall, struct desk *desk)
{
	stall_open(stall, true);
	*desk = (struct desk){.host = stall->host, .outcome = SKALD_LATER};
	stall_on(stall, "do", defer, desk);
	stall_on(stall, "undo", at_once, desk);
}

/* --- in one thread ---------------------------------------------------------------------- */

START_TEST(test_it_is_answered_when_it_is)
{
	struct stall stall;
	struct desk desk;

	open_with(&stall, &desk);
	stall_send(&stall, "do a");
	stall_send(&stall, "do b");
	stall_send(&stall, "do c");
	stall_send(&stall, "do d");
	ck_assert_str_eq(stall_poll(&stall), "");
	ck_assert_int_eq(desk.n, 4);
	ck_assert_uint_eq(host_records(stall.host), 0);
	ck_assert_int_eq(host_committed(stall.host), 0);
	skald_deferred_refuse(desk.deferred[1], "no", "never");
	skald_deferred_ok(desk.deferred[0], " [ 1 ]");
	ck_assert_str_eq(stall_poll(&stall), "do b#1 refused no, do a#1 ok [1]");
	skald_deferred_fail(desk.deferred[2], "busy", NULL);
	skald_deferred_ok(desk.deferred[3], "{");
	ck_assert_str_eq(stall_poll(&stall), "do c#1 failed busy, do d#1 failed bad-output");
	/* a and b have their records; c and d run again. */
	stall_send(&stall, "do a#2");
	stall_send(&stall, "do b#2");
	stall_send(&stall, "do c#2");
	ck_assert_str_eq(stall_poll(&stall), "do a#2 ok [1], do b#2 refused no");
	ck_assert_int_eq(desk.n, 5);
	skald_deferred_ok(desk.deferred[4], NULL);
	ck_assert_str_eq(stall_poll(&stall), "do c#2 ok");
	stall_close(&stall);
}
END_TEST

/* Between handler and answer the saga may lose patience. */
static const struct row {
	const char *name;
	const char *sent[4]; /* while it is deferred */
	char answer;         /* 'o'k, 'r'efused, 'f'ailed */
	const char *replies;
	int n_deferred;
} rows[] = {
	{"another attempt does not run, and gets the same answer",
	 {"do a#2", "do a#3"},
	 'o',
	 "do a#1 ok [1], do a#2 ok [1], do a#3 ok [1]",
	 1},
	{"the same attempt again is no other one", {"do a", "do a"}, 'o', "do a#1 ok [1]", 1},
	{"after a failure the other attempt runs", {"do a#2"}, 'f', "do a#1 failed no", 2},
	{"an undo waits, and then has something to undo",
	 {"undo a"},
	 'o',
	 "do a#1 ok [1], undo a#1 ok [0]",
	 1},
	{"an undo waits, and then has nothing to undo",
	 {"undo a"},
	 'r',
	 "do a#1 refused no, undo a#1 ok",
	 1},
	{"an undo waits, and bars what has failed",
	 {"undo a", "do a#2"},
	 'f',
	 "do a#1 failed no, undo a#1 ok, do a#2 refused barred",
	 1},
	{"a revoke waits, and is too late",
	 {"revoke a"},
	 'o',
	 "do a#1 ok [1], revoke a#1 refused [1] already-done",
	 1},
	{"a revoke waits, and bars what has failed",
	 {"revoke a", "do a#2"},
	 'f',
	 "do a#1 failed no, revoke a#1 ok, do a#2 refused barred",
	 1},
};

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	struct stall stall;
	struct desk desk;

	open_with(&stall, &desk);
	stall_send(&stall, "do a");
	/* Once in the same batch, once in later ones. */
	for (int n = 0; n < 4 && row->sent[n]; n++) {
		stall_send(&stall, row->sent[n]);
		if (n > 0)
			ck_assert_str_eq(stall_poll(&stall), "");
	}
	ck_assert_str_eq(stall_poll(&stall), "");
	ck_assert_int_eq(desk.n, 1);
	if (row->answer == 'o')
		skald_deferred_ok(desk.deferred[0], "[1]");
	else if (row->answer == 'r')
		skald_deferred_refuse(desk.deferred[0], "no", NULL);
	else
		skald_deferred_fail(desk.deferred[0], "no", NULL);
	ck_assert_msg(!strcmp(stall_poll(&stall), row->replies), "%s: %s", row->name,
		      stall.replies);
	ck_assert_int_eq(desk.n, row->n_deferred);
	if (desk.n > 1)
		skald_deferred_ok(desk.deferred[1], NULL);
	stall_close(&stall);
}
END_TEST

/* Others are not held up, an undo of something else neither. */
/* The bus forgets it with the answer to the later one. */
START_TEST(test_an_earlier_attempt_is_settled_with_it)
{
	struct stall stall;
	struct desk desk;

	open_with(&stall, &desk);
	stall_send(&stall, "do a#2");
	ck_assert_str_eq(stall_poll(&stall), "");
	stall_send(&stall, "do a#1");
	stall_send(&stall, "do a#3");
	ck_assert_str_eq(stall_poll(&stall), "");
	skald_deferred_ok(desk.deferred[0], "[1]");
	ck_assert_str_eq(stall_poll(&stall), "do a#2 ok [1], do a#3 ok [1]");
	stall_close(&stall);
}
END_TEST

START_TEST(test_others_go_on)
{
	struct stall stall;
	struct desk desk;

	open_with(&stall, &desk);
	stall_send(&stall, "do a");
	stall_send(&stall, "undo b");
	stall_send(&stall, "revoke c");
	ck_assert_str_eq(stall_poll(&stall), "undo b#1 ok, revoke c#1 ok");
	skald_deferred_ok(desk.deferred[0], NULL);
	ck_assert_str_eq(stall_poll(&stall), "do a#1 ok");
	stall_close(&stall);
}
END_TEST

/* The answer is kept until it could be recorded. */
START_TEST(test_an_answer_waits_for_the_store)
{
	struct stall stall;
	struct desk desk;

	open_with(&stall, &desk);
	host_poison(stall.host, "a/do");
	stall_send(&stall, "do a");
	ck_assert_str_eq(stall_poll(&stall), "");
	skald_deferred_ok(desk.deferred[0], "[1]");
	ck_assert_str_eq(stall_poll(&stall), "");
	ck_assert_str_eq(stall_poll(&stall), "");
	host_poison(stall.host, "");
	ck_assert_str_eq(stall_poll(&stall), "do a#1 ok [1]");
	ck_assert_int_eq(desk.n, 1);
	stall_close(&stall);
}
END_TEST

/* A transaction that came to nothing does not defer twice. */
START_TEST(test_a_lost_transaction_does_not_defer_again)
{
	struct stall stall;
	struct desk desk;

	open_with(&stall, &desk);
	host_poison(stall.host, "b/do");
	stall_send(&stall, "do a");
	stall_send(&stall, "undo b"); /* writes the record of its do */
	stall_send(&stall, "undo c");
	ck_assert_str_eq(stall_poll(&stall), "undo c#1 ok, undo b#1 failed not-kept");
	ck_assert_int_eq(desk.n, 1);
	skald_deferred_ok(desk.deferred[0], "[1]");
	ck_assert_str_eq(stall_poll(&stall), "do a#1 ok [1]");
	stall_close(&stall);
}
END_TEST

/* More attempts wait for the do than one poll gets done: the undo that was deferred meanwhile
 * has its answer when the last of them are at last looked at. */
START_TEST(test_an_answer_comes_before_attempts_that_are_ready)
{
	enum { ATTEMPTS = 20 };
	struct stall stall;
	struct desk desk;
	char line[16];

	open_with(&stall, &desk);
	stall_on(&stall, "again", defer, &desk);
	ck_assert_int_eq(participant_set_batch(stall.participant, 1), OK);
	stall_send(&stall, "do a");
	ck_assert_str_eq(stall_poll(&stall), "");
	for (int i = 1; i <= ATTEMPTS; i++) {
		snprintf(line, sizeof line, "again a#%d", i);
		stall_send(&stall, line);
		stall_poll(&stall);
	}
	skald_deferred_ok(desk.deferred[0], NULL);
	ck_assert_str_eq(stall_poll(&stall), "do a#1 ok");
	ck_assert_int_eq(desk.n, 2);
	skald_deferred_ok(desk.deferred[1], NULL);
	ck_assert(!strncmp(stall_poll(&stall), "again a#1 ok", 12));
	while (*stall_poll(&stall))
		;
	ck_assert_int_eq(desk.n, 2);
	stall_close(&stall);
}
END_TEST

START_TEST(test_who_defers_returns_later)
{
	struct stall stall;
	struct desk desk;

	open_with(&stall, &desk);
	desk.outcome = SKALD_FAILED;
	stall_send(&stall, "do a");
	ck_assert_str_eq(stall_poll(&stall), "do a#1 failed");
	skald_deferred_ok(desk.deferred[0], "[1]"); /* nobody is interested */
	ck_assert_str_eq(stall_poll(&stall), "");
	stall_close(&stall);
}
END_TEST

static skald_outcome later_without(const skald_command *command, skald_reply *reply,
				   void *context)
{
	return SKALD_LATER;
}

static skald_outcome twice(const skald_command *command, skald_reply *reply, void *context)
{
	struct desk *desk = context;

	desk->deferred[0] = skald_command_defer(command);
	ck_assert_ptr_null(skald_command_defer(command));
	return SKALD_LATER;
}

START_TEST(test_defer_once)
{
	struct stall stall;
	struct desk desk = {0};

	stall_open(&stall, true);
	stall_on(&stall, "do", twice, &desk);
	stall_on(&stall, "undo", later_without, &desk);
	stall_send(&stall, "do a");
	ck_assert_str_eq(stall_poll(&stall), "");
	skald_deferred_ok(desk.deferred[0], NULL);
	stall_send(&stall, "undo a");
	ck_assert_str_eq(stall_poll(&stall), "do a#1 ok, undo a#1 failed bad-outcome");
	stall_close(&stall);
}
END_TEST

/* The process ends: the command comes to the next one, and runs again. */
START_TEST(test_what_was_not_answered_comes_again)
{
	struct stall stall;
	struct desk desk;

	open_with(&stall, &desk);
	stall_send(&stall, "do a");
	stall_send(&stall, "undo a");
	stall_send(&stall, "do b");
	ck_assert_str_eq(stall_poll(&stall), "");
	skald_deferred_ok(desk.deferred[0], "[1]"); /* it was not taken yet */
	stall_restart(&stall);
	stall_on(&stall, "do", at_once, NULL);
	stall_on(&stall, "undo", at_once, NULL);
	ck_assert_str_eq(stall_poll(&stall), "do a#1 ok [0], undo a#1 ok [0], do b#1 ok [0]");
	skald_deferred_ok(desk.deferred[1], "[1]"); /* after its participant is gone */
	stall_close(&stall);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct stall stall;
		struct desk desk;
		int answered = 0;

		open_with(&stall, &desk);
		stall_send(&stall, "do a");
		stall_send(&stall, "do a#2");
		stall_send(&stall, "undo b");
		fail_malloc_at(n);
		skald_participant_poll(stall.participant);
		while (answered < desk.n)
			skald_deferred_ok(desk.deferred[answered++], "{\"id\":17}");
		skald_participant_poll(stall.participant);
		fired = fail_malloc_off();
		/* Whatever happened, the next attempt gets an answer. */
		stall_send(&stall, "do a#3");
		for (int polls = 0; polls < 3 && !strstr(stall.replies, "a#3 ok"); polls++) {
			stall_poll(&stall);
			while (answered < desk.n)
				skald_deferred_ok(desk.deferred[answered++], "{\"id\":17}");
		}
		ck_assert_msg(strstr(stall.replies, "do a#3 ok {\"id\":17}"), "%zu: %s", n,
			      stall.replies);
		stall_close(&stall);
	}
}
END_TEST

/* --- with threads ------------------------------------------------------------------------ */

enum { THREADS = 4, COMMANDS = 100 };

struct worker {
	skald_deferred **deferred;
	int n;
};

static void *answer_all(void *context)
{
	struct worker *worker = context;

	for (int n = 0; n < worker->n; n++) {
		char output[16];

		snprintf(output, sizeof output, "[%d]", n);
		if (n % 3 == 0)
			skald_deferred_refuse(worker->deferred[n], "no", "never");
		else
			skald_deferred_ok(worker->deferred[n], output);
	}
	return NULL;
}

START_TEST(test_threads_answer_while_it_polls)
{
	pthread_t threads[THREADS];
	struct worker workers[THREADS];
	struct stall stall;
	struct desk desk;
	int n_replies = 0, wake[2];

	open_with(&stall, &desk);
	ck_assert_int_eq(pipe(wake), 0);
	participant_set_wake(stall.participant, wake);
	for (int n = 0; n < COMMANDS; n++) {
		char line[16];

		snprintf(line, sizeof line, "do a-%d", n);
		stall_send(&stall, line);
	}
	ck_assert_str_eq(stall_poll(&stall), "");
	ck_assert_int_eq(desk.n, COMMANDS);
	for (int n = 0; n < THREADS; n++) {
		workers[n] = (struct worker){desk.deferred + n * COMMANDS / THREADS,
					     COMMANDS / THREADS};
		ck_assert_int_eq(pthread_create(&threads[n], NULL, answer_all, &workers[n]), 0);
	}
	while (n_replies < COMMANDS) {
		struct pollfd fd = {.fd = wake[0], .events = POLLIN};
		char byte;

		ck_assert_int_eq(poll(&fd, 1, 10000), 1);
		ck_assert_int_eq(read(wake[0], &byte, 1), 1);
		for (const char *at = stall_poll(&stall); (at = strstr(at, "#1 ")); at++)
			n_replies++;
	}
	for (int n = 0; n < THREADS; n++)
		ck_assert_int_eq(pthread_join(threads[n], NULL), 0);
	ck_assert_uint_eq(host_records(stall.host), COMMANDS);
	close(wake[0]);
	close(wake[1]);
	stall_close(&stall);
}
END_TEST

/* The participant is freed while threads still answer. */
START_TEST(test_threads_answer_while_it_ends)
{
	pthread_t thread;
	struct worker worker;
	struct stall stall;
	struct desk desk;

	for (int round = 0; round < 20; round++) {
		open_with(&stall, &desk);
		for (int n = 0; n < 20; n++) {
			char line[16];

			snprintf(line, sizeof line, "do a-%d", n);
			stall_send(&stall, line);
		}
		ck_assert_str_eq(stall_poll(&stall), "");
		worker = (struct worker){desk.deferred, desk.n};
		ck_assert_int_eq(pthread_create(&thread, NULL, answer_all, &worker), 0);
		stall_poll(&stall);
		stall_close(&stall);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_it_is_answered_when_it_is);
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_an_earlier_attempt_is_settled_with_it);
	tcase_add_test(tcase, test_others_go_on);
	tcase_add_test(tcase, test_an_answer_waits_for_the_store);
	tcase_add_test(tcase, test_a_lost_transaction_does_not_defer_again);
	tcase_add_test(tcase, test_an_answer_comes_before_attempts_that_are_ready);
	tcase_add_test(tcase, test_who_defers_returns_later);
	tcase_add_test(tcase, test_defer_once);
	tcase_add_test(tcase, test_what_was_not_answered_comes_again);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_test(tcase, test_threads_answer_while_it_polls);
	tcase_add_test(tcase, test_threads_answer_while_it_ends);
}

int main(void)
{
	return suite_run("later", add);
}

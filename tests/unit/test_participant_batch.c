/* test_participant_batch.c - many commands in a transaction, and what becomes of each
 * when something goes wrong with one of them or with all. */
#include "participants/lib/command.h"
#include "tests/lib/stall.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

/* What the handlers are to do, by the name of what they are about: "bad-1" fails,
 * "no-1" is refused. Each do adds one to the host's book before, each undo takes one
 * away. */
struct job_log {
	struct host *host;
	int runs;
	char seen[4096];
};

static skald_outcome work(const skald_command *command, skald_reply *reply, void *context)
{
	const char *id = skald_command_id(command);
	struct job_log *log = context;
	bool undo = !strcmp(skald_command_name(command), "undo");
	size_t used = strlen(log->seen);

	log->runs++;
	*host_book(log->host) += undo ? -1 : 1;
	snprintf(log->seen + used, sizeof log->seen - used, "%s%s", used ? " " : "", id);
	if (!strncmp(id, "bad-", 4))
		return skald_reply_fail(reply, "busy", "later");
	if (!strncmp(id, "no-", 3))
		return skald_reply_refuse(reply, "no", "never");
	return skald_reply_ok(reply, undo ? NULL : "[1]");
}

static void open_with(struct stall *stall, struct job_log *log, bool marks)
{
	stall_open(stall, marks);
	*log = (struct job_log){.host = stall->host};
	stall_on(stall, "do", work, log);
	stall_on(stall, "undo", work, log);
}

START_TEST(test_a_batch_is_one_transaction)
{
	struct job_log log;
	struct stall stall;

	open_with(&stall, &log, true);
	for (int n = 0; n < 100; n++) {
		char line[16];

		snprintf(line, sizeof line, "do a-%d", n);
		stall_send(&stall, line);
	}
	stall_send(&stall, "undo a-0");
	stall_send(&stall, "undo a-1");
	ck_assert_ptr_nonnull(strstr(stall_poll(&stall), "do a-99#1 ok [1], undo a-0#1 ok"));
	ck_assert_uint_eq(host_commits(stall.host), 1);
	ck_assert_int_eq(host_committed(stall.host), 98);
	ck_assert_int_eq(log.runs, 102);
	stall_close(&stall);
}
END_TEST

START_TEST(test_without_marks_each_has_its_own)
{
	struct job_log log;
	struct stall stall;

	open_with(&stall, &log, false);
	stall_send(&stall, "do a");
	stall_send(&stall, "do bad-1");
	stall_send(&stall, "do b");
	ck_assert_str_eq(stall_poll(&stall),
			 "do a#1 ok [1], do bad-1#1 failed busy, do b#1 ok [1]");
	ck_assert_uint_eq(host_commits(stall.host), 3);
	ck_assert_int_eq(host_committed(stall.host), 2);
	stall_close(&stall);
}
END_TEST

START_TEST(test_one_fails_alone)
{
	struct job_log log;
	struct stall stall;

	open_with(&stall, &log, true);
	stall_send(&stall, "do a");
	stall_send(&stall, "do bad-1");
	stall_send(&stall, "do no-1");
	stall_send(&stall, "undo a");
	stall_send(&stall, "do b");
	stall_send(&stall, "do b#2");
	stall_send(&stall, "revoke b");
	stall_send(&stall, "revoke c");
	ck_assert_str_eq(stall_poll(&stall),
			 "do a#1 ok [1], do bad-1#1 failed busy, do no-1#1 refused no, "
			 "undo a#1 ok, do b#1 ok [1], do b#2 ok [1], "
			 "revoke b#1 refused [1] already-done, revoke c#1 ok");
	ck_assert_uint_eq(host_commits(stall.host), 1);
	/* A refused do keeps what it wrote, as it may want to tell of it. */
	ck_assert_int_eq(host_committed(stall.host), 2);
	stall_close(&stall);
}
END_TEST

START_TEST(test_a_batch_has_a_limit)
{
	struct job_log log;
	struct stall stall;

	open_with(&stall, &log, true);
	ck_assert_int_eq(participant_set_batch(stall.participant, 10), OK);
	for (int n = 0; n < 35; n++) {
		char line[16];

		snprintf(line, sizeof line, "do a-%d", n);
		stall_send(&stall, line);
	}
	ck_assert_ptr_nonnull(strstr(stall_poll(&stall), "a-34#1 ok [1]"));
	ck_assert_uint_eq(host_commits(stall.host), 4);
	stall_close(&stall);
}
END_TEST

/* The nth call of the store fails; the participant is asked again and again. */
START_TEST(test_every_call_of_the_store_fails_in_turn)
{
	bool marks = _i == 0, failed = true;

	for (int n = 0; failed; n++) {
		struct job_log log;
		struct stall stall;
		char all[4096] = "";

		open_with(&stall, &log, marks);
		stall_send(&stall, "do a");
		stall_send(&stall, "do b");
		stall_send(&stall, "undo a");
		stall_send(&stall, "revoke c");
		host_fail_at(stall.host, n);
		for (int polls = 0; polls < 3; polls++) {
			size_t used = strlen(all);

			snprintf(all + used, sizeof all - used, " %s", stall_poll(&stall));
		}
		failed = host_has_failed(stall.host);
		host_fail_at(stall.host, -1);
		/* What could not be kept may fail, and comes again with another
		 * attempt; then all is as it should be. */
		stall_send(&stall, "do a#2");
		stall_send(&stall, "do b#2");
		stall_send(&stall, "undo a#2");
		stall_send(&stall, "revoke c#2");
		stall_send(&stall, "do c");
		stall_poll(&stall);
		ck_assert_msg(strstr(all, "do a#1 ") && strstr(all, "do b#1 ") &&
				      strstr(all, "undo a#1 ") && strstr(all, "revoke c#1 "),
			      "call %d failed: %s", n, all);
		ck_assert_msg(strstr(stall.replies, "do b#2 ok [1]") &&
				      strstr(stall.replies, "undo a#2 ok") &&
				      strstr(stall.replies, "do c#1 refused barred"),
			      "call %d failed: %s", n, stall.replies);
		ck_assert_msg(host_committed(stall.host) == 1,
			      "call %d failed: the book says %d", n,
			      host_committed(stall.host));
		stall_close(&stall);
	}
}
END_TEST

/* A transaction that cannot be committed because of one command. */
START_TEST(test_one_that_cannot_be_committed_fails_alone)
{
	struct job_log log;
	struct stall stall;

	open_with(&stall, &log, true);
	host_poison(stall.host, "b/do");
	stall_send(&stall, "do a");
	stall_send(&stall, "do b");
	stall_send(&stall, "do c");
	ck_assert_str_eq(stall_poll(&stall),
			 "do a#1 ok [1], do c#1 ok [1], do b#1 failed not-kept");
	ck_assert_int_eq(host_committed(stall.host), 2);
	/* Alone it cannot be told from a store that is away: silence, until others
	 * are there to compare it with. */
	stall_send(&stall, "do b#2");
	ck_assert_str_eq(stall_poll(&stall), "");
	ck_assert_str_eq(stall_poll(&stall), "");
	stall_close(&stall);
}
END_TEST

/* Nothing is taken while the store is away, and nothing is lost. */
START_TEST(test_a_store_that_comes_back)
{
	struct job_log log;
	struct stall stall;

	open_with(&stall, &log, true);
	host_poison(stall.host, "a/do");
	stall_send(&stall, "do a");
	for (int n = 0; n < 10; n++)
		ck_assert_str_eq(stall_poll(&stall), "");
	stall_send(&stall, "do b");
	ck_assert_str_eq(stall_poll(&stall), "");
	ck_assert_ptr_null(strstr(log.seen, "b/do"));
	host_poison(stall.host, "");
	ck_assert_str_eq(stall_poll(&stall), "do a#1 ok [1], do b#1 ok [1]");
	ck_assert_int_eq(host_committed(stall.host), 2);
	stall_close(&stall);
}
END_TEST

START_TEST(test_old_records_go_with_the_batches)
{
	struct job_log log;
	struct stall stall;

	open_with(&stall, &log, true);
	stall_send(&stall, "do a");
	stall_send(&stall, "do b");
	stall_poll(&stall);
	ck_assert_uint_eq(host_records(stall.host), 2);
	/* Older than the horizon they do not count, but a clock may be set back. */
	clock_sim_advance(&stall.clock, STALL_HORIZON_MS + PARTICIPANT_PRUNE_MARGIN_MS);
	stall_send(&stall, "revoke a");
	ck_assert_str_eq(stall_poll(&stall), "revoke a#1 refused [1] already-done");
	ck_assert_uint_eq(host_records(stall.host), 2);
	clock_sim_advance(&stall.clock, 1);
	stall_send(&stall, "revoke a#2");
	ck_assert_str_eq(stall_poll(&stall), "revoke a#2 refused [1] already-done");
	ck_assert_uint_eq(host_records(stall.host), 0);
	stall_send(&stall, "revoke a#3");
	ck_assert_str_eq(stall_poll(&stall), "revoke a#3 expired expired");
	stall_close(&stall);
}
END_TEST

/* Arguments that are no JSON reach no handler. */
START_TEST(test_bad_arguments_fail)
{
	struct command_message message = {.id = SLICE_LITERAL("a/do"),
					  .participant = SLICE_LITERAL("stall"),
					  .command = SLICE_LITERAL("do"),
					  .saga_id = SLICE_LITERAL("s"),
					  .attempt = 1,
					  .first_ms = STALL_NOW_MS,
					  .args = SLICE_LITERAL("{\"a\":")};
	struct job_log log;
	struct stall stall;

	open_with(&stall, &log, true);
	ck_assert_int_eq(bus_send(stall.bus, &message), OK);
	ck_assert_str_eq(stall_poll(&stall), "do a#1 failed bad-arguments");
	message.args = SLICE_LITERAL("");
	message.attempt = 2;
	ck_assert_int_eq(bus_send(stall.bus, &message), OK);
	ck_assert_str_eq(stall_poll(&stall), "do a#2 ok [1]");
	ck_assert_int_eq(log.runs, 1);
	stall_close(&stall);
}
END_TEST

/* --- the log ----------------------------------------------------------------------------- */

static void keep_line(void *sink, enum log_level level, struct slice line)
{
	char *all = sink;
	size_t used = strlen(all);

	snprintf(all + used, 4096 - used, "%.*s\n", SLICE_ARG(line));
}

START_TEST(test_the_log_says_why_the_store_failed)
{
	char lines[4096] = "";
	struct log log = {LOG_LEVEL_INFO, keep_line, lines};
	struct job_log jobs;
	struct stall stall;

	open_with(&stall, &jobs, true);
	participant_set_log(stall.participant, &log);
	host_fail_at(stall.host, 0);
	stall_send(&stall, "do a");
	ck_assert_str_eq(stall_poll(&stall), "");
	ck_assert_str_eq(lines,
			 "level=error event=begin-failed error=\"the host is out of order\"\n");
	stall_close(&stall);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_batch_is_one_transaction);
	tcase_add_test(tcase, test_without_marks_each_has_its_own);
	tcase_add_test(tcase, test_one_fails_alone);
	tcase_add_test(tcase, test_a_batch_has_a_limit);
	tcase_add_loop_test(tcase, test_every_call_of_the_store_fails_in_turn, 0, 2);
	tcase_add_test(tcase, test_one_that_cannot_be_committed_fails_alone);
	tcase_add_test(tcase, test_a_store_that_comes_back);
	tcase_add_test(tcase, test_old_records_go_with_the_batches);
	tcase_add_test(tcase, test_bad_arguments_fail);
	tcase_add_test(tcase, test_the_log_says_why_the_store_failed);
}

int main(void)
{
	return suite_run("participant_batch", add);
}

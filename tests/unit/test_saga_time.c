/* test_saga_time.c - back-off, budgets, timers: everything that is a matter of
 * time (rule 14 and the retry policies). */
#include "orchestrator/core/decide.h"
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

/* --- how long to wait ---------------------------------------------------------------- */

static const struct row {
	const char *name;
	int64_t first_ms, max_ms;
	struct decimal factor;
	uint32_t failures;
	int64_t delay_ms;
} rows[] = {
	{"the first wait is the first of the policy", 200, 30000, {2, 0}, 1, 200},
	{"each later one is longer by the factor", 200, 30000, {2, 0}, 2, 400},
	{"and so on", 200, 30000, {2, 0}, 8, 25600},
	{"but never longer than the maximum", 200, 30000, {2, 0}, 9, 30000},
	{"nor by a part of the factor", 100, 250, {29, 1}, 2, 250},
	{"however many attempts there were", 200, 30000, {2, 0}, ATTEMPTS_MAX, 30000},
	{"a factor of one waits the same time every time", 200, 30000, {1, 0}, 1000, 200},
	{"a factor may have places", 200, 30000, {15, 1}, 4, 675},
	{"a factor with many places", 200, 30000, {1500000000000000000, 18}, 4, 675},
	{"a factor just over one grows slowly", 1000, 30000, {1001, 3}, 1001, 2716},
	{"a factor that is huge", 200, 30000, {INT64_MAX, 0}, 2, 30000},
	{"a maximum that is huge", 1, INT64_MAX, {2, 0}, 31, 1073741824},
	{"a first wait over the maximum is the maximum", 500, 300, {2, 0}, 1, 300},
	{"a first wait of nothing is a millisecond", 0, 30000, {2, 0}, 1, 1},
	{"and grows from there", 0, 30000, {2, 0}, 3, 4},
	{"a maximum of nothing is a millisecond", 0, 0, {2, 0}, 3, 1},
};

START_TEST(test_delay)
{
	const struct row *row = &rows[_i];
	struct retry retry = {
		.first_ms = row->first_ms, .max_ms = row->max_ms, .factor = row->factor};
	int64_t delay_ms = retry_delay_ms(&retry, row->failures, 1);

	ck_assert_msg(delay_ms == row->delay_ms, "%s: %lld", row->name, (long long)delay_ms);
}
END_TEST

START_TEST(test_delays_never_shrink)
{
	static const struct decimal factors[] = {{1, 0}, {11, 1}, {15, 1}, {2, 0}, {10, 0}};

	for (int n = 0; n < ROWS(factors); n++) {
		struct retry retry = {.first_ms = 7, .max_ms = 3600000, .factor = factors[n]};
		int64_t last_ms = 0;

		for (uint32_t failures = 1; failures < 500; failures++) {
			int64_t delay_ms = retry_delay_ms(&retry, failures, 1);

			ck_assert(delay_ms >= last_ms && delay_ms <= retry.max_ms);
			last_ms = delay_ms;
		}
	}
}
END_TEST

START_TEST(test_full_jitter_is_anything_up_to_the_delay)
{
	struct retry retry = {
		.first_ms = 100, .max_ms = 100, .factor = {1, 0}, .full_jitter = true};
	unsigned quarters[4] = {0};

	for (uint64_t seed = 0; seed < 4000; seed++) {
		int64_t delay_ms = retry_delay_ms(&retry, 1, seed);

		ck_assert(delay_ms >= 1 && delay_ms <= 100);
		ck_assert_int_eq(delay_ms, retry_delay_ms(&retry, 1, seed));
		quarters[(delay_ms - 1) / 25]++;
	}
	for (int n = 0; n < 4; n++)
		ck_assert(quarters[n] > 800 && quarters[n] < 1200);
}
END_TEST

/* --- jitter and budget in a saga ------------------------------------------------------ */

static void reply_failed(struct transcript *t, uint32_t attempt, int64_t sent_ms, int64_t at_ms)
{
	struct event event = {.type = EVENT_REPLY,
			      .at_ms = at_ms,
			      .attempt = attempt,
			      .sent_ms = sent_ms,
			      .outcome = OUTCOME_FAILED};
	struct saga before = t->saga;

	t->verdict = saga_step(t->definition, &t->script.base, &before, &event, &t->arena,
			       &t->saga, &t->effects);
	ck_assert_int_eq(t->verdict, VERDICT_TAKEN);
}

START_TEST(test_every_command_has_a_jitter_of_its_own)
{
	struct transcript t;

	transcript_begin(&t, "x{a:attempts=9|b:attempts=9|c:attempts=9|d:attempts=9}", NULL, 0);
	for (uint32_t i = 1; i < 5; i++) {
		struct retry *retry = (struct retry *)&t.definition->steps[i].call.retry;

		retry->full_jitter = true;
		retry->first_ms = retry->max_ms = 60000;
	}
	transcript_play(&t, "start");
	transcript_play(&t, "a do failed");
	transcript_play(&t, "b do failed");
	transcript_play(&t, "c do failed");
	transcript_play(&t, "d do failed");
	for (uint32_t i = 1; i < 5; i++)
		for (uint32_t other = i + 1; other < 5; other++)
			ck_assert_int_ne(t.saga.steps[i].due_ms, t.saga.steps[other].due_ms);
	transcript_end(&t);
}
END_TEST

/* Held back for most of the budget: the time counts from the hand-over. */
START_TEST(test_rule_14_the_budget_counts_from_the_hand_over)
{
	const int64_t hour_ms = 3600000;
	struct transcript t;
	int64_t start_ms, sent_ms;

	transcript_begin(&t, "a:attempts=0", NULL, 0);
	start_ms = t.now_ms;
	sent_ms = start_ms + hour_ms - 1;
	transcript_play(&t, "start");
	reply_failed(&t, 1, sent_ms, sent_ms + 1000);
	ck_assert_int_eq(t.saga.steps[0].state, STEP_BACKOFF);
	ck_assert_int_eq(t.saga.steps[0].budget_ms, sent_ms);
	t.now_ms = sent_ms + 1100;
	transcript_play(&t, "a due");

	/* Later attempts do not move the beginning. */
	reply_failed(&t, 2, sent_ms + 30000, sent_ms + 40000);
	ck_assert_int_eq(t.saga.steps[0].state, STEP_BACKOFF);
	ck_assert_int_eq(t.saga.steps[0].budget_ms, sent_ms);
	t.now_ms = sent_ms + hour_ms;
	transcript_play(&t, "a due");
	reply_failed(&t, 3, sent_ms + hour_ms, sent_ms + hour_ms);
	ck_assert_int_eq(t.saga.steps[0].state, STEP_UNDOING);
	transcript_end(&t);
}
END_TEST

START_TEST(test_a_retry_by_an_operator_has_a_budget_of_its_own)
{
	struct transcript t;

	transcript_begin(&t, "p:pivot r:retriable,attempts=0", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "p do ok");
	transcript_play(&t, "r do failed");
	transcript_play(&t, "+3600000 r due");
	ck_assert(transcript_expect(&t, "r do failed => r parked do exhausted"));
	ck_assert(transcript_expect(&t, "retry r => r running, send r do#3"));
	ck_assert(transcript_expect(&t, "r do failed => r backoff for 100"));
	transcript_end(&t);
}
END_TEST

/* What the do used up is not missing to the undo. */
START_TEST(test_an_undo_has_attempts_and_a_budget_of_its_own)
{
	struct transcript t;

	transcript_begin(&t, "a b", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "a do failed");
	transcript_play(&t, "+3600000 a due");
	transcript_play(&t, "a do ok");
	t.saga.steps[0].base = 1; /* as if an operator had retried it */
	transcript_play(&t, "b do refused");
	ck_assert(transcript_expect(&t, "a undo failed => a undo-backoff for 100"));
	ck_assert(transcript_expect(&t, "a due => a undoing, send a undo#2"));
	transcript_end(&t);
}
END_TEST

START_TEST(test_attempts_have_a_limit_of_their_own)
{
	struct transcript t;

	transcript_begin(&t, "p:pivot r:retriable,attempts=0", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "p do ok");
	t.saga.steps[1].attempt = ATTEMPTS_MAX - 1;
	ck_assert(transcript_expect(&t, "r do failed => r backoff for 60000"));
	ck_assert(transcript_expect(&t, "r due => r running, send r do#1000000"));
	ck_assert(transcript_expect(&t, "r do failed => r parked do exhausted"));
	transcript_end(&t);
}
END_TEST

/* --- timers ---------------------------------------------------------------------------- */

static void expect_timer(const struct transcript *t, uint32_t n, enum event_type type,
			 uint32_t step, int64_t at_ms)
{
	struct timer timer = {0};

	ck_assert(saga_timer(t->definition, &t->saga, n, &timer));
	ck_assert_int_eq(timer.type, type);
	ck_assert_uint_eq(timer.step, step);
	ck_assert_int_eq(timer.at_ms, at_ms);
}

START_TEST(test_timers_are_all_that_waits_for_a_time)
{
	struct transcript t;
	struct timer timer;
	int64_t start_ms;

	transcript_begin(&t, "x{a|b|s:sleep,for=5000|w:await,for=7000|v:await}", NULL, 0);
	t.definition->deadline_ms = 50;
	start_ms = t.now_ms;
	transcript_play(&t, "start");
	transcript_play(&t, "a do failed");
	expect_timer(&t, 0, EVENT_DEADLINE, NO_STEP, start_ms + 50);
	expect_timer(&t, 1, EVENT_DUE, 1, start_ms + 100);
	expect_timer(&t, 2, EVENT_DUE, 3, start_ms + 5000);
	expect_timer(&t, 3, EVENT_DUE, 4, start_ms + 7000);
	ck_assert(!saga_timer(t.definition, &t.saga, 4, &timer));
	ck_assert(saga_next_timer(t.definition, &t.saga, &timer));
	ck_assert_int_eq(timer.type, EVENT_DEADLINE);

	/* Paused: nothing new would be sent, so that no back-off needs to end. */
	transcript_play(&t, "pause");
	expect_timer(&t, 1, EVENT_DUE, 3, start_ms + 5000);
	transcript_play(&t, "resume");
	transcript_play(&t, "deadline");
	ck_assert(!saga_next_timer(t.definition, &t.saga, &timer));
	transcript_end(&t);
}
END_TEST

START_TEST(test_the_timer_of_a_back_off_names_its_command)
{
	struct transcript t;
	struct timer timer;

	transcript_begin(&t, "a b", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "a do ok");
	transcript_play(&t, "b do refused");
	transcript_play(&t, "a undo refused");
	transcript_play(&t, "retry a");
	transcript_play(&t, "a undo failed");
	ck_assert(saga_next_timer(t.definition, &t.saga, &timer));
	ck_assert_int_eq(timer.type, EVENT_DUE);
	ck_assert_int_eq(timer.verb, VERB_UNDO);
	ck_assert_uint_eq(timer.round, 1);
	ck_assert_uint_eq(timer.attempt, 2);
	ck_assert_uint_eq(timer.step, 0);
	transcript_end(&t);
}
END_TEST

START_TEST(test_a_saga_without_a_deadline_has_none)
{
	struct transcript t;
	struct timer timer;

	transcript_begin(&t, "a", NULL, 0);
	transcript_play(&t, "start");
	ck_assert(!saga_next_timer(t.definition, &t.saga, &timer));
	ck_assert(transcript_expect(&t, "deadline => ignored"));
	transcript_end(&t);
}
END_TEST

/* When things happened is kept where people and participants ask for it. */
START_TEST(test_times_of_a_step)
{
	struct transcript t;
	int64_t start_ms;

	transcript_begin(&t, "a b n:nothing c", NULL, 0);
	start_ms = t.now_ms;
	transcript_play(&t, "start");
	transcript_play(&t, "+10 a do failed");
	transcript_play(&t, "a due");
	transcript_play(&t, "+10 a do ok");
	ck_assert_int_eq(t.saga.steps[0].started_ms, start_ms);
	ck_assert_int_eq(t.saga.steps[0].ended_ms, start_ms + 120);
	ck_assert_int_eq(t.saga.steps[1].started_ms, start_ms + 120);
	ck_assert_int_eq(t.saga.steps[1].ended_ms, 0);
	transcript_play(&t, "+5 b do ok");
	transcript_play(&t, "+5 c do refused");
	ck_assert_int_eq(t.saga.steps[2].started_ms, start_ms + 130); /* of its undo */
	ck_assert_int_eq(t.saga.steps[3].ended_ms, start_ms + 130);
	transcript_play(&t, "+5 n undo ok");
	ck_assert_int_eq(t.saga.steps[2].ended_ms, start_ms + 135);
	transcript_play(&t, "b undo ok");
	transcript_play(&t, "+1 a undo ok");
	ck_assert_int_eq(t.saga.ended_ms, start_ms + 136);
	ck_assert_int_eq(t.saga.updated_ms, start_ms + 136);
	ck_assert_int_eq(t.saga.started_ms, start_ms);
	transcript_end(&t);
}
END_TEST

START_TEST(test_times_of_what_sends_nothing)
{
	struct transcript t;
	int64_t start_ms;

	transcript_begin(&t, "x{w:await|s:sleep,for=5|a:skip} b", NULL, 0);
	start_ms = t.now_ms;
	transcript_play(&t, "start");
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(t.saga.steps[i].started_ms, start_ms);
	transcript_play(&t, "+1 a do ok");
	transcript_play(&t, "+1 signal w one [1]");
	ck_assert_uint_gt(t.saga.steps[1].output.len, 0);
	ck_assert_uint_eq(t.saga.signals[0].payload.len, 0);
	transcript_play(&t, "s due");
	transcript_play(&t, "+1 b do refused");
	transcript_play(&t, "a undo failed");
	ck_assert_int_ne(t.saga.steps[3].due_ms, 0);
	transcript_play(&t, "+1 a undo refused");
	ck_assert_int_eq(t.saga.steps[3].state, STEP_SKIPPED);
	ck_assert_int_eq(t.saga.steps[3].due_ms, 0);
	ck_assert_int_eq(t.saga.steps[3].ended_ms, t.now_ms);
	ck_assert_int_eq(t.saga.steps[0].state, STEP_UNDONE);
	ck_assert_int_eq(t.saga.steps[0].ended_ms, t.now_ms);
	transcript_end(&t);
}
END_TEST

START_TEST(test_a_pivot_ends_with_its_revoke)
{
	struct transcript t;
	int64_t start_ms;

	transcript_begin(&t, "p:pivot", NULL, 0);
	start_ms = t.now_ms;
	transcript_play(&t, "start");
	transcript_play(&t, "cancel");
	transcript_play(&t, "p revoke failed");
	transcript_play(&t, "p due");
	transcript_play(&t, "p revoke failed");
	transcript_play(&t, "+7 p revoke ok");
	ck_assert_int_eq(t.saga.steps[0].state, STEP_UNDONE);
	ck_assert_int_eq(t.saga.steps[0].ended_ms, t.now_ms);
	ck_assert_int_gt(t.saga.steps[0].ended_ms, start_ms);
	ck_assert_int_eq(t.saga.steps[0].due_ms, 0);
	transcript_end(&t);
}
END_TEST

START_TEST(test_of_timers_at_the_same_time_the_first_is_next)
{
	struct transcript t;
	struct timer timer;

	transcript_begin(&t, "x{a|b|c}", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "b do failed");
	transcript_play(&t, "c do failed");
	ck_assert(saga_next_timer(t.definition, &t.saga, &timer));
	ck_assert_uint_eq(timer.step, 2);
	transcript_play(&t, "+1 a do failed");
	ck_assert(saga_next_timer(t.definition, &t.saga, &timer));
	ck_assert_uint_eq(timer.step, 2);
	transcript_end(&t);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_delay, 0, ROWS(rows));
	tcase_add_test(tcase, test_delays_never_shrink);
	tcase_add_test(tcase, test_full_jitter_is_anything_up_to_the_delay);
	tcase_add_test(tcase, test_every_command_has_a_jitter_of_its_own);
	tcase_add_test(tcase, test_rule_14_the_budget_counts_from_the_hand_over);
	tcase_add_test(tcase, test_a_retry_by_an_operator_has_a_budget_of_its_own);
	tcase_add_test(tcase, test_an_undo_has_attempts_and_a_budget_of_its_own);
	tcase_add_test(tcase, test_attempts_have_a_limit_of_their_own);
	tcase_add_test(tcase, test_timers_are_all_that_waits_for_a_time);
	tcase_add_test(tcase, test_the_timer_of_a_back_off_names_its_command);
	tcase_add_test(tcase, test_a_saga_without_a_deadline_has_none);
	tcase_add_test(tcase, test_times_of_a_step);
	tcase_add_test(tcase, test_times_of_what_sends_nothing);
	tcase_add_test(tcase, test_a_pivot_ends_with_its_revoke);
	tcase_add_test(tcase, test_of_timers_at_the_same_time_the_first_is_next);
}

int main(void)
{
	return suite_run("saga_time", add);
}

/* test_engine_lanes.c - what the limits hold back, seen from the bus, the store and the log */
#include "tests/lib/stage.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

/* What the limits are is looked at once for each that goes: a turn has an end. */
START_TEST(test_a_turn_lets_so_many_go)
{
	enum { SAGAS = ENGINE_BATCH_MAX + 100 };
	struct stage stage;
	struct limits limits = {.others = {.window = 1}};
	struct engine_stats stats;
	char id[32];

	stage_open(&stage);
	stage.deaf = true;
	engine_set_limits(stage.engine, &limits);
	for (int i = 0; i < SAGAS; i++) {
		snprintf(id, sizeof id, "o-%05d", i);
		stage_start(&stage, 1, stage_errand(id, "{}"));
	}
	ck_assert_int_eq(stage_turn(&stage), OK);
	limits = (struct limits){0};
	engine_set_limits(stage.engine, &limits);
	ck_assert_int_eq(stage_turn(&stage), OK);
	engine_stats(stage.engine, &stats);
	ck_assert_uint_eq(stats.commands, ENGINE_BATCH_MAX + 1);
	ck_assert_int_eq(engine_wake_ms(stage.engine), 0);
	ck_assert_int_eq(stage_turn(&stage), OK);
	engine_stats(stage.engine, &stats);
	ck_assert_uint_eq(stats.commands, SAGAS);
	stage_close(&stage);
}
END_TEST

/* The bus takes nothing: it is offered one command again, not one of every saga, which
 * keeps its place and does not count. */
START_TEST(test_a_bus_that_is_busy)
{
	struct engine_participant participant;
	struct stage stage;

	stage_open(&stage);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	stage_said(&stage);
	stage.busy = 3; /* now, after 0.1 s and after 0.3 s */
	stage_start(&stage, 2, stage_errand("o-2", "{}"));
	stage_start(&stage, 3, stage_errand("o-3", "{}"));
	stage_turns(&stage);
	stage_start(&stage, 4, stage_errand("o-4", "{}"));
	stage_turns(&stage);
	ck_assert_uint_eq(stage.busy, 2);
	ck_assert_int_eq(engine_wake_ms(stage.engine), stage.clock.now_ms + 100);
	stage_advance(&stage, 100);
	stage_turns(&stage);
	stage_advance(&stage, 200);
	stage_turns(&stage);
	ck_assert_uint_eq(stage.busy, 0);
	ck_assert_ptr_null(strstr(stage_said(&stage), "send"));
	ck_assert(engine_participant(stage.engine, SLICE_LITERAL("shop"), &participant));
	ck_assert_uint_eq(participant.held, 3);
	ck_assert_uint_eq(participant.inflight, 1);
	stage_advance(&stage, 400);
	stage_turns(&stage);
	ck_assert_str_eq(stage_said(&stage), "send o-2/fetch#0/0/do 1; send o-3/fetch#0/0/do "
					     "1; send o-4/fetch#0/0/do 1");
	stage_close(&stage);
}
END_TEST

/* What is answered makes room: then it is offered more at once. */
START_TEST(test_a_bus_that_has_room_again)
{
	struct stage stage;

	stage_open(&stage);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	stage.busy = 1;
	stage_start(&stage, 2, stage_errand("o-2", "{}"));
	stage_turns(&stage);
	stage_said(&stage);
	stage_mail_reply(&stage, "o-1/fetch#0/0/do", MESSAGE_OK, "{}");
	stage_turns(&stage);
	ck_assert_str_eq(stage_said(&stage), "commit 1; ack; send o-2/fetch#0/0/do 1");
	stage_close(&stage);
}
END_TEST

/* Nothing goes before what made room for it is stored. */
START_TEST(test_a_store_that_fails)
{
	struct limits limits = {.others = {.window = 1}};
	struct stage stage;

	stage_open(&stage);
	engine_set_limits(stage.engine, &limits);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_start(&stage, 2, stage_errand("o-2", "{}"));
	stage_turns(&stage);
	stage_said(&stage);
	stage_trip(&stage, TRIPWIRE_FAILS, 0);
	stage_mail_reply(&stage, "o-1/fetch#0/0/do", MESSAGE_OK, "{}");
	ck_assert_int_eq(stage_turn(&stage), ERR_UNAVAILABLE);
	ck_assert_ptr_null(strstr(stage_said(&stage), "send"));
	stage_advance(&stage, 100);
	stage_turns(&stage);
	ck_assert_str_eq(stage_said(&stage), "commit 1; ack; send o-2/fetch#0/0/do 1");
	stage_close(&stage);
}
END_TEST

static void check_logged(const struct stage *stage, const char *part)
{
	ck_assert_msg(strstr(stage->logged, part) != NULL, "no `%s` in: %s", part,
		      stage->logged);
}

START_TEST(test_the_log_tells_of_the_breaker)
{
	struct limits limits = {.others = {.failures = 1, .pause_ms = 1000}};
	struct stage stage;

	stage_open(&stage);
	engine_set_limits(stage.engine, &limits);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	stage_mail_reply(&stage, "o-1/fetch#0/0/do", MESSAGE_FAILED, "");
	stage_turns(&stage);
	check_logged(&stage, "level=warn event=breaker-open participant=");
	check_logged(&stage, " pause_ms=1000 why=\"as many failures in a row");
	stage_advance(&stage, 1000);
	stage_turns(&stage);
	check_logged(&stage, "level=info event=breaker-half-open participant=");
	stage_operate(&stage, 2,
		      (struct operation){.saga_id = SLICE_LITERAL("o-1"),
					 .type = EVENT_KILL,
					 .reason = SLICE_LITERAL("by hand")});
	stage_turns(&stage);
	check_logged(&stage, "event=breaker-open");
	check_logged(&stage, "why=\"nobody waits for the probe any more");
	stage_start(&stage, 3, stage_errand("o-2", "{}"));
	stage_turns(&stage);
	stage_mail_reply(&stage, "o-2/fetch#0/0/do", MESSAGE_FAILED, "");
	stage_turns(&stage);
	check_logged(&stage, "why=\"the probe failed\"");
	limits.others.failures = 0;
	engine_set_limits(stage.engine, &limits);
	check_logged(&stage, "event=breaker-closed");
	stage_close(&stage);
}
END_TEST

/* Everybody has tried and got no answer: then they try one after the other, and as soon
 * as one is answered all at once. */
START_TEST(test_a_participant_that_says_nothing)
{
	enum { SAGAS = LIMIT_SILENT_AFTER + 50 };
	struct engine_stats before, after;
	struct stage stage;
	char id[32];

	stage_open(&stage);
	for (int i = 0; i < SAGAS; i++) {
		snprintf(id, sizeof id, "o-%05d", i);
		stage_start(&stage, 1, stage_errand(id, "{}"));
	}
	stage.deaf = true;
	stage_turns(&stage);
	stage_advance(&stage, 1000); /* all of them time out */
	stage_turns(&stage);
	check_logged(&stage, "level=warn event=participant-silent participant=shop "
			     "unanswered=200 held=0");
	engine_stats(stage.engine, &before);
	stage_advance(&stage, 400); /* they want their second attempt */
	stage_turns(&stage);
	engine_stats(stage.engine, &after);
	ck_assert_uint_eq(after.commands, before.commands + 1);
	ck_assert_int_eq(engine_wake_ms(stage.engine), stage.clock.now_ms + LIMIT_SILENT_MS);
	stage_mail_reply(&stage, "o-00000/fetch#0/0/do", MESSAGE_OK, "{}");
	stage_turns(&stage);
	engine_stats(stage.engine, &after);
	ck_assert_uint_eq(after.commands, before.commands + SAGAS);
	check_logged(&stage, "level=info event=participant-answers participant=shop held=249");
	stage_close(&stage);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_turn_lets_so_many_go);
	tcase_add_test(tcase, test_a_bus_that_is_busy);
	tcase_add_test(tcase, test_a_bus_that_has_room_again);
	tcase_add_test(tcase, test_a_store_that_fails);
	tcase_add_test(tcase, test_a_participant_that_says_nothing);
	tcase_add_test(tcase, test_the_log_tells_of_the_breaker);
}

int main(void)
{
	return suite_run("engine_lanes", add);
}

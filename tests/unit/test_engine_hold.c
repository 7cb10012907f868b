/* test_engine_hold.c - commands that the limits of their participant hold back */
#include "orchestrator/core/timeline.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/office.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

static const struct limit_settings one_at_once = {.window = 1}, two_at_once = {.window = 2};
static const struct limit_settings two_an_hour = {.rate = 2, .rate_ms = HOUR_MS, .burst = 1};
static const struct limit_settings fragile = {.failures = 1, .pause_ms = MINUTE_MS};
static const struct limit_settings broken_for_long = {.failures = 1, .pause_ms = 2 * HOUR_MS};

static void set(struct office *office, const char *name, struct limit_settings settings)
{
	struct limits limits = {.n = 1};

	snprintf(limits.named[0].name, sizeof limits.named[0].name, "%s", name);
	limits.named[0].settings = settings;
	engine_set_limits(office->engine, &limits);
}

/* Until there is nothing more to do at this moment. */
static void turns(struct office *office)
{
	int left = 200;

	while (office_turn(office) || !engine_wake_ms(office->engine))
		ck_assert_int_gt(left--, 0);
}

static void advance(struct office *office, int64_t ms)
{
	office_advance(office, ms);
	turns(office);
}

static void start(struct office *office, const char *id)
{
	ck_assert_int_eq(office_start(office, id), OK);
	turns(office);
}

static void start_three(struct office *office)
{
	start(office, "l-1");
	start(office, "l-2");
	start(office, "l-3");
}

static void expect_at(struct office *office, enum office_place place, const char *asked)
{
	ck_assert_str_eq(office_asked(office, place), asked);
}

static void expect(struct office *office, const char *asked)
{
	expect_at(office, DESK, asked);
}

static void answer(struct office *office, const char *id, enum message_outcome outcome)
{
	office_answer(office, DESK, id, 1, outcome, outcome == MESSAGE_OK ? "{}" : "");
	turns(office);
}

static const struct step *step_of(struct office *office, const char *id, const char *name)
{
	const struct saga *saga = office_stored(office, id);
	uint32_t i = definition_find(office->line, slice_of(name));

	ck_assert(saga && i != NO_STEP);
	return &saga->steps[i];
}

static enum phase phase_of(struct office *office, const char *id)
{
	return (enum phase)office_stored(office, id)->phase;
}

/* What is said of step a, "" where it is not held back. */
static const char *hold_of(struct office *office, const char *id)
{
	static struct engine_hold hold;
	uint32_t i = definition_find(office->line, SLICE_LITERAL("a"));

	if (!engine_hold(office->engine, slice_of(id), i, &hold))
		return "";
	return hold.text;
}

static struct engine_participant desk_of(struct office *office)
{
	struct engine_participant out;

	ck_assert(engine_participant(office->engine, SLICE_LITERAL("desk"), &out));
	return out;
}

static int64_t wake_in_ms(struct office *office)
{
	return engine_wake_ms(office->engine) - office->clock.now_ms;
}

/* The desk says "failed", so that its breaker opens; the saga retries in 100 ms. */
static void break_desk(struct office *office, const char *id)
{
	char command[64];

	snprintf(command, sizeof command, "%s/a#0/0/do", id);
	start(office, id);
	snprintf(command + strlen(command), 8, "#1");
	expect(office, command);
	command[strlen(command) - 2] = '\0';
	answer(office, command, MESSAGE_FAILED);
	ck_assert_int_eq(desk_of(office).breaker, BREAKER_OPEN);
}

/* --- in order ----------------------------------------------------------------------- */

START_TEST(test_what_is_held_back_goes_in_order_when_there_is_room)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", one_at_once);
	start_three(&office);
	expect(&office, "l-1/a#0/0/do#1");
	expect(&office, "");
	ck_assert_str_eq(hold_of(&office, "l-1"), "");
	ck_assert_str_eq(hold_of(&office, "l-2"), "window of 1 full");
	ck_assert_uint_eq(desk_of(&office).held, 2);
	ck_assert_uint_eq(desk_of(&office).inflight, 1);
	answer(&office, "l-1/a#0/0/do", MESSAGE_OK);
	expect(&office, "l-2/a#0/0/do#1");
	expect(&office, "");
	answer(&office, "l-2/a#0/0/do", MESSAGE_OK);
	expect(&office, "l-3/a#0/0/do#1");
	answer(&office, "l-3/a#0/0/do", MESSAGE_OK);
	expect(&office, "");
	ck_assert_uint_eq(desk_of(&office).held + desk_of(&office).inflight, 0);
	office_close(&office);
}
END_TEST

/* A saga's next command stands behind those who came before it. */
START_TEST(test_nobody_overtakes)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", two_at_once);
	start_three(&office);
	ck_assert_int_eq(office_signal(&office, "l-1", "s", "{}"), OK);
	expect(&office, "l-1/a#0/0/do#1");
	expect(&office, "l-2/a#0/0/do#1");
	answer(&office, "l-1/a#0/0/do", MESSAGE_OK); /* then b, also at the desk */
	expect(&office, "l-3/a#0/0/do#1");
	expect(&office, "");
	answer(&office, "l-2/a#0/0/do", MESSAGE_OK);
	expect(&office, "l-1/b#0/0/do#1");
	office_close(&office);
}
END_TEST

/* Each goes with what its own saga says. */
START_TEST(test_several_that_go_at_once)
{
	struct office office;

	office_open(&office);
	start(&office, "l-1");
	expect(&office, "l-1/a#0/0/do#1");
	set(&office, "desk", one_at_once);
	start(&office, "l-2");
	start(&office, "l-3");
	ck_assert_int_eq(office_signal(&office, "l-1", "s", "{}"), OK);
	answer(&office, "l-1/a#0/0/do", MESSAGE_OK); /* then b, also at the desk */
	expect(&office, "l-2/a#0/0/do#1");
	ck_assert_uint_eq(desk_of(&office).held, 2);
	set(&office, "shelf", one_at_once);
	turns(&office);
	expect(&office, "l-3/a#0/0/do#1");
	expect(&office, "l-1/b#0/0/do#1");
	expect(&office, "");
	office_close(&office);
}
END_TEST

START_TEST(test_undos_go_first)
{
	struct office office;

	office_open(&office);
	start(&office, "l-1");
	expect(&office, "l-1/a#0/0/do#1");
	answer(&office, "l-1/a#0/0/do", MESSAGE_OK);
	set(&office, "desk", one_at_once);
	start(&office, "l-2");
	start(&office, "l-3");
	expect(&office, "l-2/a#0/0/do#1");
	ck_assert_int_eq(office_cancel(&office, "l-1", "no more"), OK);
	turns(&office);
	expect(&office, "");
	answer(&office, "l-2/a#0/0/do", MESSAGE_OK);
	expect(&office, "l-1/a#0/0/undo#1");
	answer(&office, "l-1/a#0/0/undo", MESSAGE_OK);
	expect(&office, "l-3/a#0/0/do#1");
	ck_assert_int_eq(phase_of(&office, "l-1"), PHASE_COMPENSATED);
	office_close(&office);
}
END_TEST

START_TEST(test_other_limits_count_at_once)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", one_at_once);
	start_three(&office);
	expect(&office, "l-1/a#0/0/do#1");
	ck_assert_int_eq(wake_in_ms(&office), 1000);
	set(&office, "desk", two_at_once);
	ck_assert_int_eq(engine_wake_ms(office.engine), 0);
	turns(&office);
	expect(&office, "l-2/a#0/0/do#1");
	expect(&office, "");
	set(&office, "shelf", one_at_once); /* and no more of the desk's */
	turns(&office);
	expect(&office, "l-3/a#0/0/do#1");
	office_close(&office);
}
END_TEST

/* --- attempts and time -------------------------------------------------------------- */

START_TEST(test_waiting_uses_no_attempts_and_no_time_of_them)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", two_an_hour);
	start(&office, "l-1");
	expect(&office, "l-1/a#0/0/do#1");
	answer(&office, "l-1/a#0/0/do", MESSAGE_OK);
	start(&office, "l-2");
	ck_assert_str_eq(hold_of(&office, "l-2"), "rate of 2/h, next one in 30m");
	ck_assert_int_eq(wake_in_ms(&office), 30 * MINUTE_MS);
	advance(&office, 30 * MINUTE_MS - 1);
	expect(&office, "");
	ck_assert_uint_eq(step_of(&office, "l-2", "a")->attempt, 1);
	ck_assert_str_eq(office_step(&office, "l-2", "a"), "running");
	office_advance(&office, 1);
	ck_assert_uint_eq(office_turn(&office), 1);
	expect(&office, "l-2/a#0/0/do#1");
	advance(&office, 999);
	ck_assert_str_eq(office_step(&office, "l-2", "a"), "running");
	advance(&office, 1);
	ck_assert_str_eq(office_step(&office, "l-2", "a"), "backoff");
	advance(&office, 100); /* the second attempt waits for its token, too */
	ck_assert_uint_eq(step_of(&office, "l-2", "a")->attempt, 2);
	expect(&office, "");
	ck_assert_int_eq(phase_of(&office, "l-2"), PHASE_FORWARD);
	office_close(&office);
}
END_TEST

/* What was not handed over is taken back; since nobody can know after a restart, it is
 * undone all the same. */
START_TEST(test_a_deadline_that_passes_while_it_is_held)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", broken_for_long);
	break_desk(&office, "l-1");
	start(&office, "l-2");
	advance(&office, HOUR_MS);
	ck_assert_int_eq(phase_of(&office, "l-1"), PHASE_BACK);
	ck_assert_int_eq(phase_of(&office, "l-2"), PHASE_BACK);
	ck_assert_str_eq(office_step(&office, "l-2", "a"), "undoing");
	ck_assert_uint_eq(desk_of(&office).held, 2);
	advance(&office, HOUR_MS - 1);
	expect(&office, "");
	advance(&office, 1);
	expect(&office, "l-1/a#0/0/undo#1");
	expect(&office, "");
	answer(&office, "l-1/a#0/0/undo", MESSAGE_OK);
	expect(&office, "l-2/a#0/0/undo#1");
	answer(&office, "l-2/a#0/0/undo", MESSAGE_OK);
	ck_assert_int_eq(phase_of(&office, "l-2"), PHASE_COMPENSATED);
	expect(&office, "");
	office_close(&office);
}
END_TEST

/* --- operators ---------------------------------------------------------------------- */

START_TEST(test_cancelling_one_that_is_held)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", one_at_once);
	start_three(&office);
	expect(&office, "l-1/a#0/0/do#1");
	ck_assert_int_eq(office_cancel(&office, "l-3", "changed my mind"), OK);
	turns(&office);
	ck_assert_str_eq(office_step(&office, "l-3", "a"), "undoing");
	answer(&office, "l-1/a#0/0/do", MESSAGE_OK);
	expect(&office, "l-3/a#0/0/undo#1");
	answer(&office, "l-3/a#0/0/undo", MESSAGE_OK);
	expect(&office, "l-2/a#0/0/do#1");
	ck_assert_int_eq(phase_of(&office, "l-3"), PHASE_COMPENSATED);
	office_close(&office);
}
END_TEST

START_TEST(test_killing_one_that_is_held)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", one_at_once);
	start_three(&office);
	expect(&office, "l-1/a#0/0/do#1");
	ck_assert_int_eq(office_kill(&office, "l-2"), OK);
	turns(&office);
	ck_assert_uint_eq(desk_of(&office).held, 1);
	answer(&office, "l-1/a#0/0/do", MESSAGE_OK);
	expect(&office, "l-3/a#0/0/do#1");
	/* One that is under way makes room. */
	start(&office, "l-4");
	ck_assert_int_eq(office_kill(&office, "l-3"), OK);
	turns(&office);
	expect(&office, "l-4/a#0/0/do#1");
	office_close(&office);
}
END_TEST

static void operate(struct office *office, const char *id, enum event_type type)
{
	struct operation operation = {.saga_id = slice_of(id), .type = type};

	engine_operate(office->engine, &operation, NULL, NULL);
	turns(office);
}

/* Nothing new is sent of one that is paused, and nobody waits behind it. */
START_TEST(test_pausing_one_that_is_held)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", one_at_once);
	start_three(&office);
	expect(&office, "l-1/a#0/0/do#1");
	operate(&office, "l-2", EVENT_PAUSE);
	answer(&office, "l-1/a#0/0/do", MESSAGE_OK);
	expect(&office, "l-3/a#0/0/do#1");
	ck_assert_str_eq(hold_of(&office, "l-2"), "the saga is paused");
	answer(&office, "l-3/a#0/0/do", MESSAGE_OK);
	expect(&office, "");
	ck_assert_uint_eq(desk_of(&office).held, 1);
	operate(&office, "l-2", EVENT_RESUME);
	expect(&office, "l-2/a#0/0/do#1");
	ck_assert_uint_eq(desk_of(&office).held, 0);
	office_close(&office);
}
END_TEST

/* Nobody knows whether it was ever handed over: it waits until the saga goes on. The same
 * where it is paused before anything of it could be sent. */
START_TEST(test_a_restart_while_one_is_paused)
{
	static const struct start_message message = {.saga = SLICE_LITERAL("line"),
						     .id = SLICE_LITERAL("l-2"),
						     .input = SLICE_LITERAL("{}")};
	struct office office;

	office_open(&office);
	start(&office, "l-1");
	expect(&office, "l-1/a#0/0/do#1");
	operate(&office, "l-1", EVENT_PAUSE);
	ck_assert_str_eq(hold_of(&office, "l-1"), "");
	engine_start(office.engine, &message, NULL, NULL);
	operate(&office, "l-2", EVENT_PAUSE);
	ck_assert_str_eq(hold_of(&office, "l-2"), "the saga is paused");
	office_restart(&office);
	turns(&office);
	advance(&office, MINUTE_MS);
	expect(&office, "");
	ck_assert_uint_eq(desk_of(&office).held, 2);
	operate(&office, "l-1", EVENT_RESUME);
	expect(&office, "l-1/a#0/0/do#1");
	operate(&office, "l-2", EVENT_RESUME);
	expect(&office, "l-2/a#0/0/do#1");
	expect(&office, "");
	office_close(&office);
}
END_TEST

/* It turns back while it is paused: then nothing of it goes forward any more. */
START_TEST(test_cancelling_one_that_is_held_and_paused)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", one_at_once);
	start_three(&office);
	expect(&office, "l-1/a#0/0/do#1");
	operate(&office, "l-2", EVENT_PAUSE);
	ck_assert_int_eq(office_cancel(&office, "l-2", "changed my mind"), OK);
	turns(&office);
	ck_assert_str_eq(hold_of(&office, "l-2"), "");
	operate(&office, "l-2", EVENT_RESUME);
	answer(&office, "l-1/a#0/0/do", MESSAGE_OK);
	expect(&office, "l-2/a#0/0/undo#1");
	answer(&office, "l-2/a#0/0/undo", MESSAGE_OK);
	expect(&office, "l-3/a#0/0/do#1");
	office_close(&office);
}
END_TEST

START_TEST(test_a_restart_while_some_are_held)
{
	struct limits limits = {.others = one_at_once};
	struct office office;

	office_open(&office);
	set(&office, "desk", one_at_once);
	start_three(&office);
	expect(&office, "l-1/a#0/0/do#1");
	office.limits = &limits;
	office_restart(&office);
	turns(&office);
	expect(&office, "l-1/a#0/0/do#1");
	expect(&office, "");
	answer(&office, "l-1/a#0/0/do", MESSAGE_OK);
	expect(&office, "l-2/a#0/0/do#1");
	answer(&office, "l-2/a#0/0/do", MESSAGE_OK);
	expect(&office, "l-3/a#0/0/do#1");
	office_close(&office);
}
END_TEST

/* Another server has changed it meanwhile. */
START_TEST(test_one_that_is_held_and_taken_over)
{
	struct operation cancel = {.saga_id = SLICE_LITERAL("l-2"), .type = EVENT_CANCEL};
	struct rival rival;
	struct office office;
	size_t n;
	enum err err;

	office_open(&office);
	set(&office, "desk", one_at_once);
	start_three(&office);
	expect(&office, "l-1/a#0/0/do#1");
	rival_open(&rival, &office);
	engine_operate(rival.engine, &cancel, NULL, NULL);
	err = engine_turn(rival.engine, &n);
	ck_assert_int_eq(err, OK);
	operate(&office, "l-2", EVENT_PAUSE); /* a conflict: then it is as the rival has it */
	turns(&office);
	ck_assert_int_eq(phase_of(&office, "l-2"), PHASE_BACK);
	answer(&office, "l-1/a#0/0/do", MESSAGE_OK);
	expect(&office, "l-2/a#0/0/undo#1");
	rival_close(&rival);
	office_close(&office);
}
END_TEST

/* ... has ended it and forgotten it; the one under way, too. */
START_TEST(test_one_that_is_gone_from_the_store)
{
	static const char *const ids[] = {"l-1", "l-2"};
	struct rival rival;
	struct office office;
	size_t n;

	office_open(&office);
	set(&office, "desk", one_at_once);
	start_three(&office);
	rival_open(&rival, &office);
	for (int i = 0; i < 2; i++) {
		struct operation kill = {.saga_id = slice_of(ids[i]),
					 .type = EVENT_KILL,
					 .reason = SLICE_LITERAL("elsewhere")};

		engine_operate(rival.engine, &kill, NULL, NULL);
	}
	ck_assert_int_eq(engine_turn(rival.engine, &n), OK);
	if (_i)
		ck_assert_int_eq(store_prune(rival.store, INT64_MAX, 10, &n), OK);
	operate(&office, "l-2", EVENT_PAUSE);
	operate(&office, "l-1", EVENT_PAUSE);
	expect(&office, "l-1/a#0/0/do#1");
	expect(&office, "l-3/a#0/0/do#1");
	ck_assert_uint_eq(desk_of(&office).held, 0);
	ck_assert_uint_eq(desk_of(&office).inflight, 1);
	rival_close(&rival);
	office_close(&office);
}
END_TEST

/* --- the breaker -------------------------------------------------------------------- */

START_TEST(test_an_open_breaker_holds_back_until_its_probe_works)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", fragile);
	break_desk(&office, "l-1");
	start(&office, "l-2");
	advance(&office, 48 * 1000 + 500);
	expect(&office, "");
	ck_assert_str_eq(hold_of(&office, "l-2"), "breaker open, next probe in 12s");
	ck_assert_int_eq(wake_in_ms(&office), 11500);
	advance(&office, 11500);
	expect(&office, "l-2/a#0/0/do#1"); /* l-1 came back behind it */
	expect(&office, "");
	ck_assert_str_eq(hold_of(&office, "l-1"), "breaker half-open, its probe is on its way");
	answer(&office, "l-2/a#0/0/do", MESSAGE_REFUSED);
	ck_assert_int_eq(desk_of(&office).breaker, BREAKER_CLOSED);
	expect(&office, "l-1/a#0/0/do#2");
	office_close(&office);
}
END_TEST

START_TEST(test_a_probe_that_gets_no_answer)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", fragile);
	break_desk(&office, "l-1");
	start(&office, "l-2");
	advance(&office, MINUTE_MS);
	expect(&office, "l-2/a#0/0/do#1");
	advance(&office, 1000); /* its attempt has timed out */
	ck_assert_int_eq(desk_of(&office).breaker, BREAKER_OPEN);
	ck_assert_uint_eq(desk_of(&office).breaker_opened, 2);
	advance(&office, MINUTE_MS - 1);
	expect(&office, "");
	advance(&office, 1);
	expect(&office, "l-1/a#0/0/do#2");
	office_close(&office);
}
END_TEST

START_TEST(test_a_probe_whose_saga_is_killed)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", fragile);
	break_desk(&office, "l-1");
	start(&office, "l-2");
	advance(&office, MINUTE_MS);
	expect(&office, "l-2/a#0/0/do#1");
	ck_assert_int_eq(office_kill(&office, "l-2"), OK);
	turns(&office);
	expect(&office, "l-1/a#0/0/do#2");
	ck_assert_int_eq(desk_of(&office).breaker, BREAKER_HALF_OPEN);
	office_answer(&office, DESK, "l-1/a#0/0/do", 2, MESSAGE_OK, "{}");
	turns(&office);
	ck_assert_int_eq(desk_of(&office).breaker, BREAKER_CLOSED);
	office_close(&office);
}
END_TEST

START_TEST(test_attempts_without_an_answer_open_it)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", (struct limit_settings){.failures = 3, .pause_ms = MINUTE_MS});
	start_three(&office);
	advance(&office, 999);
	ck_assert_int_eq(desk_of(&office).breaker, BREAKER_CLOSED);
	advance(&office, 1);
	ck_assert_int_eq(desk_of(&office).breaker, BREAKER_OPEN);
	office_close(&office);
}
END_TEST

START_TEST(test_refusals_do_not_open_it)
{
	struct office office;

	office_open(&office);
	set(&office, "desk", fragile);
	start(&office, "l-1");
	answer(&office, "l-1/a#0/0/do", MESSAGE_REFUSED);
	ck_assert_int_eq(desk_of(&office).breaker, BREAKER_CLOSED);
	office_close(&office);
}
END_TEST

/* The desk is shut: at the shelf everything goes on. */
START_TEST(test_others_do_not_notice)
{
	enum { SAGAS = 50 };
	struct office office;
	char id[32], command[64];

	office_open(&office);
	for (int i = 0; i < SAGAS; i++) {
		snprintf(id, sizeof id, "l-%d", i);
		start(&office, id);
		snprintf(command, sizeof command, "%s/a#0/0/do", id);
		answer(&office, command, MESSAGE_OK);
		while (office_asked(&office, DESK)[0])
			continue;
	}
	set(&office, "desk", broken_for_long);
	break_desk(&office, "m-1");
	for (int i = 0; i < SAGAS; i++) {
		snprintf(id, sizeof id, "l-%d", i);
		ck_assert_int_eq(office_signal(&office, id, "s", "{}"), OK);
		turns(&office);
		snprintf(command, sizeof command, "%s/c#0/0/do#1", id);
		expect_at(&office, SHELF, command);
		expect(&office, "");
	}
	ck_assert_uint_eq(desk_of(&office).held, SAGAS);
	office_close(&office);
}
END_TEST

/* --- many --------------------------------------------------------------------------- */

/* Everybody has a turn, in order, however many go at once. */
START_TEST(test_many_that_wait)
{
	enum { SAGAS = 5000, WINDOW = 50 };
	static struct start_message message = {.saga = SLICE_LITERAL("line"),
					       .input = SLICE_LITERAL("{}")};
	struct office office;
	char id[32], command[64];

	office_open(&office);
	set(&office, "desk", (struct limit_settings){.window = WINDOW});
	for (int i = 0; i < SAGAS; i++) {
		message.id = (struct slice){id, (size_t)snprintf(id, sizeof id, "l-%05d", i)};
		engine_start(office.engine, &message, NULL, NULL);
	}
	turns(&office);
	ck_assert_uint_eq(desk_of(&office).inflight, WINDOW);
	ck_assert_uint_eq(desk_of(&office).held, SAGAS - WINDOW);
	for (int i = 0; i < SAGAS; i++) {
		snprintf(command, sizeof command, "l-%05d/a#0/0/do#1", i);
		expect(&office, command);
		command[strlen(command) - 2] = '\0';
		office_answer(&office, DESK, command, 1, MESSAGE_OK, "{}");
		office_turn(&office);
	}
	ck_assert_uint_eq(desk_of(&office).inflight + desk_of(&office).held, 0);
	office_close(&office);
}
END_TEST

/* --- what goes wrong ---------------------------------------------------------------- */

/* One more turn for every failure, and in the end everything has gone. */
static bool lack_memory(struct office *office, size_t n, bool while_released)
{
	static const struct start_message message = {.saga = SLICE_LITERAL("line"),
						     .id = SLICE_LITERAL("l-2"),
						     .input = SLICE_LITERAL("{}")};
	enum err err = OK;
	size_t taken;
	bool fired;

	set(office, "desk", one_at_once);
	start(office, "l-1");
	expect(office, "l-1/a#0/0/do#1");
	engine_start(office->engine, &message, NULL, NULL);
	if (while_released) {
		turns(office);
		office_answer(office, DESK, "l-1/a#0/0/do", 1, MESSAGE_OK, "{}");
	}
	fail_malloc_at(n);
	for (int i = 0; i < 3; i++)
		err = err ? err : engine_turn(office->engine, &taken);
	fired = fail_malloc_off();
	ck_assert(!err || (fired && err == ERR_NOMEM));
	if (!while_released)
		office_answer(office, DESK, "l-1/a#0/0/do", 1, MESSAGE_OK, "{}");
	advance(office, 100);
	advance(office, 100);
	return fired;
}

START_TEST(test_a_lack_of_memory)
{
	struct office office;
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		office_open(&office);
		fired = lack_memory(&office, n, _i);
		expect(&office, "l-2/a#0/0/do#1");
		ck_assert_uint_eq(desk_of(&office).held, 0);
		ck_assert_uint_eq(desk_of(&office).inflight, 1);
		office_close(&office);
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_what_is_held_back_goes_in_order_when_there_is_room);
	tcase_add_test(tcase, test_nobody_overtakes);
	tcase_add_test(tcase, test_several_that_go_at_once);
	tcase_add_test(tcase, test_undos_go_first);
	tcase_add_test(tcase, test_other_limits_count_at_once);
	tcase_add_test(tcase, test_waiting_uses_no_attempts_and_no_time_of_them);
	tcase_add_test(tcase, test_a_deadline_that_passes_while_it_is_held);
	tcase_add_test(tcase, test_cancelling_one_that_is_held);
	tcase_add_test(tcase, test_killing_one_that_is_held);
	tcase_add_test(tcase, test_pausing_one_that_is_held);
	tcase_add_test(tcase, test_a_restart_while_one_is_paused);
	tcase_add_test(tcase, test_cancelling_one_that_is_held_and_paused);
	tcase_add_test(tcase, test_a_restart_while_some_are_held);
	tcase_add_test(tcase, test_one_that_is_held_and_taken_over);
	tcase_add_loop_test(tcase, test_one_that_is_gone_from_the_store, 0, 2);
	tcase_add_test(tcase, test_an_open_breaker_holds_back_until_its_probe_works);
	tcase_add_test(tcase, test_a_probe_that_gets_no_answer);
	tcase_add_test(tcase, test_a_probe_whose_saga_is_killed);
	tcase_add_test(tcase, test_attempts_without_an_answer_open_it);
	tcase_add_test(tcase, test_refusals_do_not_open_it);
	tcase_add_test(tcase, test_others_do_not_notice);
	tcase_add_test(tcase, test_many_that_wait);
	tcase_add_loop_test(tcase, test_a_lack_of_memory, 0, 2);
}

int main(void)
{
	return suite_run("engine_hold", add);
}

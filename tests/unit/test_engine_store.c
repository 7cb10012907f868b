/* test_engine_store.c - the engine and a store that fails, says nothing, or was written
 * to by somebody else; and an engine without memory */
#include "orchestrator/store/record.h"
#include "tests/lib/desk.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/office.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define A_DO   "line-1/a#0/0/do"
#define A_UNDO "line-1/a#0/0/undo"

/* From now on: the nth call goes wrong in this way. */
static void trip(struct office *office, enum tripwire_effect effect, long n)
{
	office->wire = (struct tripwire){.effect = effect, .calls_left = n};
}

static enum err turn(struct office *office)
{
	size_t n;

	return engine_turn(office->engine, &n);
}

static void open_started(struct office *office)
{
	office_open(office);
	ck_assert_int_eq(office_start(office, "line-1"), OK);
	ck_assert_str_eq(office_asked(office, DESK), A_DO "#1");
}

/* --- a store that fails ------------------------------------------------------------- */

/* Whether it did nothing or did it and gave no answer: it is kept, tried again and
 * there once. Whoever asks meanwhile is told to come again. */
START_TEST(test_a_start_that_was_not_stored)
{
	static const enum tripwire_effect effects[] = {TRIPWIRE_FAILS, TRIPWIRE_NO_ANSWER};
	struct diag diag = {{0}};
	struct office office;

	office_open(&office);
	trip(&office, effects[_i], 1); /* after a poll */
	ck_assert_int_eq(office_start(&office, "line-1"), ERR_UNAVAILABLE);
	ck_assert_str_eq(office_asked(&office, DESK), "");
	ck_assert_int_eq(desk_start(office.engine, "line", "line-1", "{}", &diag), ERR_BUSY);
	ck_assert_str_eq(diag.text, "the store does not take anything at the moment; try "
				    "again in a second");
	ck_assert_int_eq(turn(&office), ERR_UNAVAILABLE); /* it is too early */
	office_advance(&office, 100);
	trip(&office, effects[_i], 0); /* once more */
	ck_assert_int_eq(turn(&office), ERR_UNAVAILABLE);
	ck_assert_int_eq(office_start(&office, "line-1"), ERR_BUSY);
	office_advance(&office, 100);
	office_turn(&office);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	ck_assert_uint_eq(office_stored(&office, "line-1")->revision, 1);
	ck_assert_str_eq(office_asked(&office, DESK), A_DO "#1");
	ck_assert_str_eq(office_asked(&office, DESK), "");
	office_close(&office);
}
END_TEST

/* The id was taken in the store; the start that comes next must not be told so. */
START_TEST(test_a_start_that_fails_does_not_harm_the_next)
{
	struct office office;
	struct rival rival;

	office_open(&office);
	rival_open(&rival, &office);
	ck_assert_int_eq(desk_start(rival.engine, "line", "line-1", "{\"n\":1}", NULL), OK);
	trip(&office, TRIPWIRE_FAILS, 1);
	ck_assert_int_eq(office_start(&office, "line-1"), ERR_UNAVAILABLE);
	office_advance(&office, 100);
	office_turn(&office);
	ck_assert_int_eq(office_start(&office, "line-2"), OK);
	ck_assert_int_eq(office_start(&office, "line-1"), ERR_CONFLICT);
	ck_assert_uint_eq(desk_live(office.engine), 1);
	ck_assert(slice_is(office_stored(&office, "line-1")->input, "{\"n\":1}"));
	rival_close(&rival);
	office_close(&office);
}
END_TEST

/* What was said is kept until it is stored. */
START_TEST(test_an_operation_that_was_not_stored)
{
	struct office office;

	open_started(&office);
	trip(&office, TRIPWIRE_FAILS, 1);
	ck_assert_int_eq(office_cancel(&office, "line-1", "no longer wanted"), ERR_UNAVAILABLE);
	ck_assert_int_eq(office_stored(&office, "line-1")->phase, PHASE_FORWARD);
	ck_assert_int_eq(office_cancel(&office, "line-1", "no longer wanted"), ERR_BUSY);
	office_advance(&office, 100);
	office_turn(&office);
	ck_assert_int_eq(office_stored(&office, "line-1")->phase, PHASE_BACK);
	ck_assert_int_eq(office_cancel(&office, "line-1", "no longer wanted"), OK);
	ck_assert_uint_eq(office_stored(&office, "line-1")->revision, 2);
	ck_assert(slice_is(office_stored(&office, "line-1")->failure->message,
			   "no longer wanted"));
	office_close(&office);
}
END_TEST

START_TEST(test_a_signal_that_was_not_stored)
{
	struct office office;

	open_started(&office);
	trip(&office, TRIPWIRE_FAILS, 1);
	ck_assert_int_eq(office_signal(&office, "line-1", "s-1", "[\"payload\"]"),
			 ERR_UNAVAILABLE);
	office_advance(&office, 100);
	office_turn(&office);
	ck_assert_uint_eq(office_stored(&office, "line-1")->n_signals, 1);
	ck_assert(slice_is(office_stored(&office, "line-1")->signals[0].id, "s-1"));
	ck_assert(slice_is(office_stored(&office, "line-1")->signals[0].payload,
			   "[\"payload\"]"));
	ck_assert_int_eq(office_signal(&office, "line-1", "s-1", "[\"payload\"]"), OK);
	ck_assert_uint_eq(office_stored(&office, "line-1")->n_signals, 1);
	office_close(&office);
}
END_TEST

/* Nothing is acknowledged, nothing new is taken, and it is tried again soon. */
START_TEST(test_a_store_that_is_away)
{
	struct office office;
	size_t n = 0;

	open_started(&office);
	office_answer(&office, DESK, A_DO, 1, MESSAGE_OK, "[1]");
	trip(&office, TRIPWIRE_FAILS, 2); /* after two polls */
	ck_assert_int_eq(turn(&office), ERR_UNAVAILABLE);
	ck_assert_int_eq(engine_wake_ms(office.engine), office.clock.now_ms + 100);
	office_answer(&office, DESK, A_DO, 1, MESSAGE_OK, "[1]");
	for (int i = 0; i < 3; i++) {
		trip(&office, TRIPWIRE_FAILS, 0); /* before any poll */
		office_advance(&office, 100);
		ck_assert_int_eq(engine_turn(office.engine, &n), ERR_UNAVAILABLE);
		ck_assert_uint_eq(n, 0);
	}
	ck_assert_str_eq(office_step(&office, "line-1", "a"), "running");
	trip(&office, TRIPWIRE_FAILS, -1);
	office_advance(&office, 100);
	office_turn(&office);
	ck_assert_str_eq(office_step(&office, "line-1", "w"), "running");
	ck_assert_uint_eq(office_stored(&office, "line-1")->revision, 2);
	office_turn(&office); /* what came meanwhile is old */
	office_restart(&office);
	ck_assert_uint_eq(office_turn(&office), 0);
	office_close(&office);
}
END_TEST

START_TEST(test_what_was_not_acknowledged_comes_again_after_a_crash)
{
	struct office office;

	open_started(&office);
	office_answer(&office, DESK, A_DO, 1, MESSAGE_OK, "[1]");
	trip(&office, TRIPWIRE_DIES, 2);
	ck_assert_int_eq(turn(&office), ERR_UNAVAILABLE);
	office_restart(&office);
	ck_assert_uint_eq(office_turn(&office), 1);
	ck_assert_str_eq(office_step(&office, "line-1", "w"), "running");
	office_close(&office);
}
END_TEST

/* The commit took place and nobody said so: it is found there, and goes on. */
START_TEST(test_a_commit_whose_answer_is_lost)
{
	struct office office;

	open_started(&office);
	office_answer(&office, DESK, A_DO, 1, MESSAGE_REFUSED, NULL);
	trip(&office, TRIPWIRE_NO_ANSWER, 2);
	ck_assert_int_eq(turn(&office), ERR_UNAVAILABLE);
	office_advance(&office, 100);
	trip(&office, TRIPWIRE_FAILS, 1); /* and to look what is there fails, too */
	ck_assert_int_eq(turn(&office), ERR_UNAVAILABLE);
	ck_assert_uint_eq(desk_live(office.engine), 1);
	office_advance(&office, 100);
	office_turn(&office);
	ck_assert_uint_eq(desk_live(office.engine), 0);
	ck_assert_uint_eq(office_stored(&office, "line-1")->revision, 2);
	ck_assert_int_eq(saga_status(office_stored(&office, "line-1")), STATUS_COMPENSATED);
	office_close(&office);
}
END_TEST

/* --- somebody else wrote ------------------------------------------------------------ */

START_TEST(test_a_conflict_takes_over_what_is_stored)
{
	struct event cancel = {.type = EVENT_CANCEL};
	struct office office;
	struct rival rival;

	open_started(&office);
	ck_assert_int_eq(office_start(&office, "line-2"), OK);
	ck_assert_str_eq(office_asked(&office, DESK), "line-2/a#0/0/do#1");
	rival_open(&rival, &office);
	ck_assert_int_eq(desk_operate(rival.engine, SLICE_LITERAL("line-1"), (struct slice){0},
				      &cancel, NULL),
			 OK);
	/* What it decides without knowing that is dropped, for this saga alone. */
	office_answer(&office, DESK, A_DO, 1, MESSAGE_REFUSED, NULL);
	office_answer(&office, DESK, "line-2/a#0/0/do", 1, MESSAGE_OK, "[2]");
	office_turn(&office);
	ck_assert_uint_eq(office_stored(&office, "line-1")->revision, 2);
	ck_assert_str_eq(office_step(&office, "line-2", "w"), "running");
	/* It waits for what the stored saga waits for. */
	ck_assert_str_eq(office_asked(&office, DESK), A_DO "#1");
	office_answer(&office, DESK, A_DO, 1, MESSAGE_OK, "[1]");
	office_turn(&office);
	ck_assert_str_eq(office_asked(&office, DESK), A_UNDO "#1");
	office_answer(&office, DESK, A_UNDO, 1, MESSAGE_OK, NULL);
	office_turn(&office);
	ck_assert_int_eq(saga_status(office_stored(&office, "line-1")), STATUS_COMPENSATED);
	ck_assert_uint_eq(desk_live(office.engine), 1);
	rival_close(&rival);
	office_close(&office);
}
END_TEST

START_TEST(test_a_conflict_with_a_saga_that_has_ended)
{
	struct event kill = {.type = EVENT_KILL,
			     .reason = SLICE_LITERAL("the customer called")};
	struct office office;
	struct rival rival;

	open_started(&office);
	rival_open(&rival, &office);
	ck_assert_int_eq(desk_operate(rival.engine, SLICE_LITERAL("line-1"), (struct slice){0},
				      &kill, NULL),
			 OK);
	office_answer(&office, DESK, A_DO, 1, MESSAGE_OK, "[1]");
	office_turn(&office);
	ck_assert_uint_eq(desk_live(office.engine), 0);
	ck_assert_int_eq(saga_status(office_stored(&office, "line-1")), STATUS_KILLED);
	rival_close(&rival);
	office_close(&office);
}
END_TEST

/* Somebody writes this over the stored saga line-1. */
static void overwrite(struct office *office, struct slice record)
{
	const struct store_batch sent = {.number = 1, .sent = 1};
	struct saga_write write = {.record = record};
	struct slice old;

	ck_assert_int_eq(store_get(office->store, SLICE_LITERAL("line-1"), &office->arena,
				   &write.row, &old),
			 OK);
	write.before = write.row.revision++;
	ck_assert_int_eq(store_commit(office->store, &sent, &write, 1, NULL, 0), OK);
	ck_assert_int_eq(write.result, OK);
}

/* Promise P6: one bad saga never blocks another. */
START_TEST(test_a_record_that_cannot_be_read_is_given_away)
{
	struct office office;

	open_started(&office);
	ck_assert_int_eq(office_start(&office, "line-2"), OK);
	overwrite(&office, SLICE_LITERAL("garbage"));
	office_answer(&office, DESK, A_DO, 1, MESSAGE_OK, "[1]");
	office_answer(&office, DESK, "line-2/a#0/0/do", 1, MESSAGE_OK, "[2]");
	office_turn(&office);
	ck_assert_uint_eq(desk_live(office.engine), 1);
	ck_assert_str_eq(office_step(&office, "line-2", "w"), "running");
	office_close(&office);
}
END_TEST

/* Write the stored saga line-1 so that it runs on a definition that nobody has, or
 * has a step less than its own. */
static void spoil(struct office *office, uint8_t hash_byte, uint32_t n_steps_less)
{
	struct bytes record = BYTES(RECORD_BYTES_MAX, NULL);
	uint8_t hash[SHA256_SIZE];
	struct slice stored, bytes, timeline;
	struct saga saga;

	ck_assert_int_eq(store_get(office->store, SLICE_LITERAL("line-1"), &office->arena, NULL,
				   &stored),
			 OK);
	ck_assert_int_eq(record_split(stored, &bytes, &timeline), OK);
	ck_assert_int_eq(saga_decode(bytes, &office->arena, &saga, hash, NULL), OK);
	hash[0] ^= hash_byte;
	saga.n_steps -= n_steps_less;
	record_write(&record, &saga, hash, timeline);
	ck_assert_int_eq(record.err, OK);
	overwrite(office, bytes_slice(&record));
	bytes_release(&record);
}

START_TEST(test_a_record_of_another_definition_is_given_away)
{
	struct office office;

	open_started(&office);
	spoil(&office, 1, 0);
	office_answer(&office, DESK, A_DO, 1, MESSAGE_OK, "[1]");
	office_turn(&office);
	ck_assert_uint_eq(desk_live(office.engine), 0);
	office_close(&office);
}
END_TEST

/* --- opening ------------------------------------------------------------------------ */

START_TEST(test_what_cannot_be_read_is_left_out)
{
	struct engine_stats stats;
	struct office office;

	open_started(&office);
	ck_assert_int_eq(office_start(&office, "line-2"), OK);
	if (_i == 0)
		overwrite(&office, SLICE_LITERAL("garbage"));
	else
		spoil(&office, _i == 1, _i == 2);
	office_restart(&office);
	engine_stats(office.engine, &stats);
	ck_assert_uint_eq(stats.live, 1);
	ck_assert_uint_eq(stats.unreadable, 1);
	office_answer(&office, DESK, "line-2/a#0/0/do", 1, MESSAGE_OK, "[2]");
	office_turn(&office);
	ck_assert_str_eq(office_step(&office, "line-2", "w"), "running");
	office_close(&office);
	engine_close(NULL);
}
END_TEST

/* What it waited for is sent again, and its clock begins anew. */
START_TEST(test_a_loaded_saga_sends_again)
{
	struct office office;

	open_started(&office);
	office_advance(&office, 700);
	office_restart(&office);
	ck_assert_str_eq(office_asked(&office, DESK), A_DO "#1");
	ck_assert_int_eq(engine_wake_ms(office.engine), 0); /* to tell whoever observes */
	office_turn(&office);
	ck_assert_int_eq(engine_wake_ms(office.engine), office.clock.now_ms + 1000);
	office_close(&office);
}
END_TEST

START_TEST(test_many_sagas)
{
	enum { MANY = 300 };
	struct office office;
	char id[32];

	office_open(&office);
	for (int n = 0; n < MANY; n++) {
		snprintf(id, sizeof id, "line-%d", n);
		office_advance(&office, n % 7);
		ck_assert_int_eq(office_start(&office, id), OK);
	}
	office_restart(&office);
	ck_assert_uint_eq(desk_live(office.engine), MANY);
	for (int n = 0; n < MANY; n += 2) {
		snprintf(id, sizeof id, "line-%d/a#0/0/do", n);
		office_answer(&office, DESK, id, 1, MESSAGE_REFUSED, NULL);
	}
	ck_assert_uint_eq(office_turn(&office), MANY / 2);
	ck_assert_uint_eq(desk_live(office.engine), MANY / 2);
	office_advance(&office, 1000);
	ck_assert_uint_eq(office_turn(&office), MANY / 2);
	office_advance(&office, 100);
	ck_assert_uint_eq(office_turn(&office), MANY / 2);
	office_advance(&office, 1000);
	ck_assert_uint_eq(office_turn(&office), MANY / 2);
	for (int n = 1; n < MANY; n += 2) {
		snprintf(id, sizeof id, "line-%d", n);
		ck_assert_str_eq(office_step(&office, id, "a"), "undoing");
	}
	office_close(&office);
}
END_TEST

/* --- without memory ----------------------------------------------------------------- */

/* Larger than what an arena has at hand. */
static const char *large_output(struct office *office)
{
	enum { SIZE = 200000 };
	char *text = arena_alloc(&office->arena, SIZE + 1);

	ck_assert(text);
	memset(text, '1', SIZE);
	text[0] = text[SIZE - 1] = '"';
	return text;
}

/* The participants do what they are asked, whatever it is. */
static void serve(struct office *office, const char *output)
{
	for (int place = 0; place < OFFICE_PLACES; place++) {
		char asked[COMMAND_ID_MAX + 16];

		for (;;) {
			char *attempt;

			snprintf(asked, sizeof asked, "%s",
				 office_asked(office, (enum office_place)place));
			if (!*asked)
				break;
			attempt = strrchr(asked, '#');
			*attempt++ = '\0';
			office_answer(office, (enum office_place)place, asked,
				      (uint32_t)strtoul(attempt, NULL, 10), MESSAGE_OK, output);
		}
	}
}

/* What somebody is told, or a turn says, when there was no memory for a moment. */
static bool short_of_memory(enum err err)
{
	return err == OK || err == ERR_NOMEM || err == ERR_BUSY || err == ERR_UNAVAILABLE;
}

/* A turn that is good, or is to be tried again soon. */
static bool turn_or_soon(struct office *office)
{
	enum err err = turn(office);
	int64_t wait_ms = engine_wake_ms(office->engine) - office->clock.now_ms;

	return short_of_memory(err) && (!err || (wait_ms > 0 && wait_ms <= 100));
}

/* A saga from its start to its end, in which one allocation of the orchestrator fails. */
static bool run_without_memory(size_t n)
{
	const struct event go = {
		.type = EVENT_SIGNAL, .name = SLICE_LITERAL("go"), .id = SLICE_LITERAL("s-1")};
	bool fired = false, signalled = false, good = true;
	struct office office;
	const char *output;

	office_open(&office);
	output = large_output(&office);
	for (int turns = 0; turns < 100; turns++) {
		fail_malloc_at(n);
		good &= short_of_memory(office_start(&office, "line-1"));
		if (!signalled)
			signalled = desk_operate(office.engine, SLICE_LITERAL("line-1"),
						 (struct slice){0}, &go, NULL) == OK;
		good &= turn_or_soon(&office);
		n -= n < fail_malloc_count() ? n : fail_malloc_count();
		if (fail_malloc_off())
			fired = true;
		if (fired)
			n = SIZE_MAX;
		ck_assert(good);
		ck_assert(!desk_live(office.engine) ||
			  engine_wake_ms(office.engine) < INT64_MAX);
		if (office_stored(&office, "line-1") && !desk_live(office.engine))
			break;
		serve(&office, output);
		office_advance(&office, 100);
	}
	ck_assert_int_eq(saga_status(office_stored(&office, "line-1")), STATUS_COMPLETED);
	/* Nothing that was said was lost: no attempt had to be made twice. */
	ck_assert_uint_eq(office_stored(&office, "line-1")->steps[0].attempt, 1);
	office_close(&office);
	return fired;
}

START_TEST(test_every_allocation_fails_in_turn)
{
	size_t n = 0;

	while (run_without_memory(n))
		n++;
	ck_assert_uint_gt(n, 10);
}
END_TEST

/* So many at once that the batch needs more memory half-way. */
static bool wake_without_memory(size_t n)
{
	enum { SAGAS = 60 };
	struct office office;
	bool fired, good = true;
	char id[32];

	office_open(&office);
	for (int i = 0; i < SAGAS; i++) {
		snprintf(id, sizeof id, "line-%d", i);
		ck_assert_int_eq(office_start(&office, id), OK);
	}
	office_advance(&office, 1000); /* all attempts time out */
	fail_malloc_at(n);
	for (int turns = 0; turns < 5; turns++) {
		good &= short_of_memory(turn(&office));
		good &= engine_wake_ms(office.engine) < INT64_MAX;
		office_advance(&office, 20);
	}
	for (int turns = 0; turns < 5; turns++) { /* and all are made again */
		good &= short_of_memory(turn(&office));
		office_advance(&office, 40);
	}
	fired = fail_malloc_off();
	ck_assert(good);
	office_advance(&office, 200); /* what was not sent for want of memory */
	office_turn(&office);
	for (int i = 0; i < 2 * SAGAS; i++)
		ck_assert_str_ne(office_asked(&office, DESK), "");
	for (int i = 0; i < SAGAS; i++) {
		snprintf(id, sizeof id, "line-%d", i);
		ck_assert_str_eq(office_step(&office, id, "a"), "running");
		ck_assert_uint_eq(office_stored(&office, id)->steps[0].attempt, 2);
	}
	office_close(&office);
	return fired;
}

START_TEST(test_no_memory_for_many_timers)
{
	size_t n = 0;

	while (wake_without_memory(n))
		n++;
	ck_assert_uint_gt(n, 60);
}
END_TEST

START_TEST(test_no_memory_to_open)
{
	bool fired = true;
	struct office office;

	open_started(&office);
	for (size_t n = 0; fired; n++) {
		struct engine_parts parts = {
			.store = office.store, .bus = office.bus, .clock = &office.clock.base};
		struct engine *engine = NULL;
		enum err err;

		fail_malloc_at(n);
		err = desk_open(&parts, &engine, NULL);
		fired = fail_malloc_off();
		ck_assert_int_eq(!engine, err != OK);
		ck_assert(!err || (fired && err == ERR_NOMEM));
		/* What could not be sent for want of memory is sent soon. */
		ck_assert(!engine || engine_wake_ms(engine) < INT64_MAX);
		engine_close(engine);
	}
	office_close(&office);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_a_start_that_was_not_stored, 0, 2);
	tcase_add_test(tcase, test_a_start_that_fails_does_not_harm_the_next);
	tcase_add_test(tcase, test_an_operation_that_was_not_stored);
	tcase_add_test(tcase, test_a_signal_that_was_not_stored);
	tcase_add_test(tcase, test_a_store_that_is_away);
	tcase_add_test(tcase, test_what_was_not_acknowledged_comes_again_after_a_crash);
	tcase_add_test(tcase, test_a_commit_whose_answer_is_lost);
	tcase_add_test(tcase, test_a_conflict_takes_over_what_is_stored);
	tcase_add_test(tcase, test_a_conflict_with_a_saga_that_has_ended);
	tcase_add_test(tcase, test_a_record_that_cannot_be_read_is_given_away);
	tcase_add_test(tcase, test_a_record_of_another_definition_is_given_away);
	tcase_add_loop_test(tcase, test_what_cannot_be_read_is_left_out, 0, 3);
	tcase_add_test(tcase, test_a_loaded_saga_sends_again);
	tcase_add_test(tcase, test_many_sagas);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_test(tcase, test_no_memory_for_many_timers);
	tcase_add_test(tcase, test_no_memory_to_open);
}

int main(void)
{
	return suite_run("engine_store", add);
}

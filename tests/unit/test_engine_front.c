/* test_engine_front.c - who asks an engine for something, what is done in which
 * order, and who hears of it when: starts, signals and answers */
#include "tests/lib/desk.h"
#include "tests/lib/stage.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define FETCH "o-1/fetch#0/0/do"

static void expect(struct stage *stage, const char *said)
{
	ck_assert_str_eq(stage_said(stage), said);
}

/* o-1 is there, and its command was sent. */
static void open_started(struct stage *stage)
{
	stage_open(stage);
	stage_start(stage, 1, stage_errand("o-1", "{}"));
	stage_turns(stage);
	expect(stage, "commit 1; send " FETCH " 1; told 1 created o-1 running");
}

static void finish(struct stage *stage)
{
	stage_mail_reply(stage, FETCH, MESSAGE_OK, "[1]");
	stage_mail_signal(stage, 0, stage_go("o-1", "s-1"));
	stage_turns(stage);
	stage_said(stage);
	ck_assert_uint_eq(desk_live(stage->engine), 0);
}

/* --- the order of things ------------------------------------------------------------ */

START_TEST(test_stored_then_sent_then_answered_then_acknowledged)
{
	struct stage stage;

	stage_open(&stage);
	stage_mail_start(&stage, 7, true, stage_errand("o-1", "{}"));
	stage_start(&stage, 1, stage_errand("o-2", "{}"));
	stage_mail_start(&stage, 8, false, stage_errand("o-3", "{}"));
	expect(&stage, "");
	ck_assert_int_eq(engine_wake_ms(stage.engine), 0);
	ck_assert_int_eq(stage_turn(&stage), OK);
	expect(&stage, "commit 3; send o-2/fetch#0/0/do 1; told 1 created o-2 running; "
		       "send " FETCH " 1; answer 7 created o-1 running; "
		       "send o-3/fetch#0/0/do 1; answer 8 created o-3 running; ack");
	stage_mail_reply(&stage, FETCH, MESSAGE_OK, "[1]");
	stage_mail_signal(&stage, 9, stage_go("o-1", "s-1"));
	ck_assert_int_eq(stage_turn(&stage), OK);
	expect(&stage, "commit 1; answer 9 ok o-1 completed; ended 7 o-1 completed; ack");
	stage_turns(&stage);
	expect(&stage, "");
	stage_close(&stage);
}
END_TEST

/* Nothing is sent that is not stored, also where the bus is offered again what it did
 * not take. */
START_TEST(test_a_bus_that_was_busy)
{
	struct stage stage;

	stage_open(&stage);
	stage.busy = 2;
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	expect(&stage, "commit 1; told 1 created o-1 running");
	stage_advance(&stage, 100);
	stage_turns(&stage);
	expect(&stage, "");
	stage_advance(&stage, 200);
	stage_signal(&stage, 1, stage_go("o-1", "s-1"));
	stage_turns(&stage);
	expect(&stage, "commit 1; told 1 ok o-1 running; send " FETCH " 1");
	ck_assert_int_eq(engine_wake_ms(stage.engine), stage.clock.now_ms + 1000);
	stage_close(&stage);
}
END_TEST

/* What was decided for several askers is one write, and each of them hears of it. */
START_TEST(test_a_saga_is_written_once_in_a_batch)
{
	struct saga_row row;
	struct timeline timeline;
	struct stage stage;

	stage_open(&stage);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_signal(&stage, 2, stage_go("o-1", "s-1"));
	stage_signal(&stage, 3, stage_go("o-1", "s-1"));
	stage_operate(&stage, 4,
		      (struct operation){.saga_id = SLICE_LITERAL("o-1"),
					 .type = EVENT_CANCEL,
					 .actor = SLICE_LITERAL("ada")});
	stage_turns(&stage);
	expect(&stage, "commit 1; send " FETCH " 1; told 1 created o-1 compensating; "
		       "told 2 ok o-1 compensating; told 3 ok o-1 compensating; "
		       "told 4 ok o-1 compensating");
	ck_assert(stage_stored(&stage, "o-1", &row, &timeline));
	ck_assert_uint_eq(stage.n_entries, timeline.n_entries);
	stage_close(&stage);
}
END_TEST

/* --- the same start again ----------------------------------------------------------- */

static const struct again_row {
	const char *name;
	bool ended, restarted;
	const char *id, *input;
	const char *told;
} again_rows[] = {
	{"the same", false, false, "o-1", "{}", "told 2 ok o-1 running"},
	{"the same, written in another way", false, false, "o-1", " { } ",
	 "told 2 ok o-1 running"},
	{"another input", false, false, "o-1", "{\"n\":1}", "told 2 key-taken o-1"},
	{"the same once it has ended", true, false, "o-1", "{}",
	 "commit 1; told 2 ok o-1 completed"},
	{"another input once it has ended", true, false, "o-1", "[]",
	 "commit 1; told 2 key-taken o-1"},
	{"the same after a crash", false, true, "o-1", "{}", "told 2 ok o-1 running"},
	{"another input after a crash", false, true, "o-1", "[]", "told 2 key-taken o-1"},
	{"the same after the end and a crash", true, true, "o-1", "{}",
	 "commit 1; told 2 ok o-1 completed"},
};

START_TEST(test_a_start_again)
{
	const struct again_row *row = &again_rows[_i];
	struct engine_stats stats;
	struct stage stage;

	open_started(&stage);
	if (row->ended)
		finish(&stage);
	if (row->restarted)
		stage_restart(&stage);
	stage_said(&stage);
	stage_start(&stage, 2, stage_errand(row->id, row->input));
	stage_turns(&stage);
	ck_assert_str_eq(stage_said(&stage), row->told);
	ck_assert_int_eq(stage.callers[2].n_answers, 1);
	engine_stats(stage.engine, &stats);
	ck_assert_uint_eq(stats.live, !row->ended);
	stage_close(&stage);
}
END_TEST

/* Which saga it is takes the name, too. */
START_TEST(test_an_id_of_another_definition)
{
	struct stage stage;

	stage_open(&stage);
	stage_start(&stage, 1, stage_errand("o-1", "{\"order_id\":\"k\"}"));
	stage_start(&stage, 2, stage_order("o-1", "{\"order_id\":\"k\"}"));
	stage_turns(&stage);
	expect(&stage, "commit 1; send " FETCH " 1; told 1 created o-1 running; "
		       "told 2 key-taken o-1");
	stage_start(&stage, 2, stage_order("o-1", "{\"order_id\":\"k\"}"));
	expect(&stage, "told 2 key-taken o-1");
	stage_close(&stage);
}
END_TEST

START_TEST(test_the_same_start_twice_in_a_batch)
{
	struct stage stage;

	stage_open(&stage);
	stage_mail_start(&stage, 7, true, stage_errand("o-1", "{\"n\":1}"));
	stage_mail_start(&stage, 8, true, stage_errand("o-1", "{\"n\":1.0}"));
	stage_mail_start(&stage, 9, true, stage_errand("o-1", "{\"n\":2}"));
	stage_turns(&stage);
	expect(&stage, "commit 1; send " FETCH " 1; "
		       "answer 7 created o-1 running; answer 8 ok o-1 running; "
		       "answer 9 key-taken o-1; ack");
	stage_mail_signal(&stage, 0, stage_go("o-1", "s-1"));
	stage_mail_reply(&stage, FETCH, MESSAGE_OK, "[1]");
	stage_turns(&stage);
	expect(&stage, "commit 1; ended 8 o-1 completed; ended 7 o-1 completed; ack");
	stage_close(&stage);
}
END_TEST

/* Which of them is right is what the store says, not who comes first. */
START_TEST(test_a_wrong_start_in_front_of_the_right_one)
{
	struct stage stage;

	open_started(&stage);
	finish(&stage);
	stage_said(&stage);
	stage_mail_start(&stage, 7, true, stage_errand("o-1", "{\"n\":1}"));
	stage_mail_start(&stage, 8, true, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	expect(&stage, "commit 1; answer 7 key-taken o-1; answer 8 ok o-1 completed; "
		       "ended 8 o-1 completed; ack");
	stage_close(&stage);
}
END_TEST

/* --- keys --------------------------------------------------------------------------- */

static const struct key_row {
	const char *name;
	const char *id, *key, *input;
	const char *told; /* of the saga o-1, whose key is k-1 */
} key_rows[] = {
	{"the same key and input under a new id", "o-2", "", "{\"order_id\":\"k-1\"}",
	 "commit 1; told 2 ok o-1 running"},
	{"the same key and input, and no id", "", "", "{\"order_id\":\"k-1\"}",
	 "commit 1; told 2 ok o-1 running"},
	{"the same key with another input", "o-2", "k-1", "{\"order_id\":\"k-2\"}",
	 "commit 1; told 2 key-taken o-1"},
	{"another key that is given", "o-2", "k-2", "{\"order_id\":\"k-1\"}",
	 "commit 1; send o-2/pay#0/0/do 1; told 2 created o-2 running"},
	{"another key in the input", "o-2", "", "{\"order_id\":\"k-2\"}",
	 "commit 1; send o-2/pay#0/0/do 1; told 2 created o-2 running"},
	{"a key that is a number", "o-2", "", "{\"order_id\":17}",
	 "commit 1; send o-2/pay#0/0/do 1; told 2 created o-2 running"},
	{"no key in the input", "o-2", "", "{}", "told 2 bad-key"},
	{"a key that is no text", "o-2", "", "{\"order_id\":[]}", "told 2 bad-key"},
	{"a key that is no UTF-8", "o-2", "\xff", "{\"order_id\":\"k-2\"}", "told 2 bad-key"},
};

START_TEST(test_a_key)
{
	const struct key_row *row = &key_rows[_i];
	struct start_message start = stage_order(row->id, row->input);
	struct stage stage;

	stage_open(&stage);
	stage_start(&stage, 1, stage_order("o-1", "{\"order_id\":\"k-1\"}"));
	stage_turns(&stage);
	stage_said(&stage);
	start.key = slice_of(row->key);
	stage_start(&stage, 2, start);
	stage_turns(&stage);
	ck_assert_str_eq(stage_said(&stage), row->told);
	ck_assert_int_eq(stage.callers[2].n_answers, 1);
	stage_close(&stage);
}
END_TEST

START_TEST(test_the_same_key_twice_in_a_batch)
{
	struct stage stage;

	stage_open(&stage);
	stage_mail_start(&stage, 7, false, stage_order("o-1", "{\"order_id\":\"k\"}"));
	stage_mail_start(&stage, 8, true, stage_order("o-2", "{\"order_id\":\"k\"}"));
	stage_mail_start(&stage, 9, false,
			 stage_order("o-3", "{\"order_id\":\"k\",\"more\":1}"));
	/* Of one that is not begun after all nobody can know. */
	stage_mail_signal(&stage, 10, stage_go("o-2", "s"));
	stage_turns(&stage);
	expect(&stage, "answer 10 refused; commit 3; send o-1/pay#0/0/do 1; "
		       "answer 7 created o-1 running; answer 8 ok o-1 running; "
		       "answer 9 key-taken o-1; ack");
	ck_assert_uint_eq(desk_live(stage.engine), 1);
	stage_mail_reply(&stage, "o-1/pay#0/0/do", MESSAGE_OK, "[1]");
	stage_turns(&stage);
	expect(&stage, "commit 1; ended 8 o-1 completed; ack");
	stage_close(&stage);
}
END_TEST

/* An operation on a saga whose key then turns out to be taken. */
START_TEST(test_an_operation_on_a_saga_that_is_not_begun_after_all)
{
	struct stage stage;

	stage_open(&stage);
	stage_start(&stage, 1, stage_order("o-1", "{\"order_id\":\"k\"}"));
	stage_turns(&stage);
	stage_said(&stage);
	stage_start(&stage, 2, stage_order("o-2", "{\"order_id\":\"k\"}"));
	stage_operate(&stage, 3,
		      (struct operation){.saga_id = SLICE_LITERAL("o-2"), .type = EVENT_PAUSE});
	stage_turns(&stage);
	expect(&stage, "commit 1; told 2 ok o-1 running; told 3 changed-meanwhile");
	stage_operate(&stage, 3,
		      (struct operation){.saga_id = SLICE_LITERAL("o-2"), .type = EVENT_PAUSE});
	expect(&stage, "told 3 unknown-saga");
	stage_close(&stage);
}
END_TEST

/* --- what is refused ---------------------------------------------------------------- */

static const char long_text[] =
	"0123456789012345678901234567890123456789012345678901234567890123456789"
	"0123456789012345678901234567890123456789012345678901234567890123456789"
	"0123456789012345678901234567890123456789012345678901234567890123456789"
	"0123456789012345678901234567890123456789012345678901234567890123456789";

static const struct refused_row {
	const char *name;
	struct start_message start;
	const char *told;
	enum err err;
} refused_rows[] = {
	{"no such saga",
	 {.saga = SLICE_LITERAL("x")},
	 "told 1 unknown-definition",
	 ERR_NOT_FOUND},
	{"no saga", {.input = SLICE_LITERAL("{}")}, "told 1 unknown-definition", ERR_NOT_FOUND},
	{"no such version",
	 {.saga = SLICE_LITERAL("errand"), .version = SLICE_LITERAL("2.0.0")},
	 "told 1 unknown-definition",
	 ERR_NOT_FOUND},
	{"an id that is none",
	 {.saga = SLICE_LITERAL("errand"), .id = SLICE_LITERAL("a/b")},
	 "told 1 bad-id",
	 ERR_INVALID},
	{"a key that is too long",
	 {.saga = SLICE_LITERAL("errand"), .key = {long_text, sizeof long_text - 1}},
	 "told 1 bad-key",
	 ERR_INVALID},
	{"no input", {.saga = SLICE_LITERAL("errand")}, "told 1 bad-input", ERR_INVALID},
	{"somebody whose name is too long",
	 {.saga = SLICE_LITERAL("errand"),
	  .input = SLICE_LITERAL("{}"),
	  .actor = {long_text, sizeof long_text - 1}},
	 "told 1 bad-actor",
	 ERR_INVALID},
};

START_TEST(test_a_start_that_is_refused)
{
	const struct refused_row *row = &refused_rows[_i];
	struct stage stage;

	stage_open(&stage);
	stage_start(&stage, 1, row->start);
	ck_assert_str_eq(stage_said(&stage), row->told);
	ck_assert_int_eq(stage.callers[1].last.err, row->err);
	stage_mail_start(&stage, 1, true, row->start);
	stage_turns(&stage);
	ck_assert_ptr_nonnull(strstr(stage_said(&stage), "; ack"));
	ck_assert_int_eq(stage.callers[1].n_answers, 2);
	ck_assert_uint_eq(desk_live(stage.engine), 0);
	stage_close(&stage);
}
END_TEST

/* --- ids that the engine makes ------------------------------------------------------ */

START_TEST(test_ids_that_are_made)
{
	struct stage stage;
	char ids[3][SAGA_ID_MAX + 1];

	stage_open(&stage);
	for (int i = 0; i < 3; i++) {
		struct saga_row row;
		struct timeline timeline;
		const char *said;

		stage_start(&stage, 1, stage_errand("", "{}"));
		stage_turns(&stage);
		said = strstr(stage_said(&stage), "created ");
		ck_assert_ptr_nonnull(said);
		ck_assert_int_eq(sscanf(said, "created %64s", ids[i]), 1);
		ck_assert_uint_eq(strlen(ids[i]), 26);
		ck_assert(stage_stored(&stage, ids[i], &row, &timeline));
		ck_assert(slice_is(row.key, ids[i]));
		stage_advance(&stage, 1);
	}
	ck_assert_str_lt(ids[0], ids[1]);
	ck_assert_str_lt(ids[1], ids[2]);
	/* The same moment, but other chance. */
	stage_start(&stage, 1, stage_errand("", "{}"));
	stage_start(&stage, 1, stage_errand("", "{}"));
	stage_turns(&stage);
	ck_assert_uint_eq(desk_live(stage.engine), 5);
	stage_close(&stage);
}
END_TEST

/* --- watching ----------------------------------------------------------------------- */

static const struct watch_row {
	const char *name;
	bool ended, restarted;
	const char *answered, *then;
} watch_rows[] = {
	{"one that runs", false, false, "answer 2 ok o-1 running; ack",
	 "commit 1; ended 2 o-1 completed; ended 1 o-1 completed; ack"},
	{"one that has ended", true, false,
	 "commit 1; answer 2 ok o-1 completed; ended 2 o-1 completed; ack", "ack"},
	{"one that runs since a crash", false, true, "answer 2 ok o-1 running; ack",
	 "commit 1; ended 2 o-1 completed; ack"},
};

START_TEST(test_watching_a_saga_that_is_there)
{
	const struct watch_row *row = &watch_rows[_i];
	struct stage stage;

	stage_open(&stage);
	stage_mail_start(&stage, 1, true, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	if (row->ended)
		finish(&stage);
	if (row->restarted)
		stage_restart(&stage);
	stage_said(&stage);
	stage_mail_start(&stage, 2, true, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	ck_assert_str_eq(stage_said(&stage), row->answered);
	stage_mail_reply(&stage, FETCH, MESSAGE_OK, "[1]");
	stage_mail_signal(&stage, 0, stage_go("o-1", "s-1"));
	stage_turns(&stage);
	ck_assert_str_eq(stage_said(&stage), row->then);
	stage_close(&stage);
}
END_TEST

/* One that needs a person: they are told, once. */
START_TEST(test_watchers_of_a_saga_that_is_parked)
{
	struct stage stage;

	stage_open(&stage);
	stage_mail_start(&stage, 1, true, stage_order("o-1", "{\"order_id\":\"k\"}"));
	stage_turns(&stage);
	stage_said(&stage);
	stage_mail_reply(&stage, "o-1/pay#0/0/do", MESSAGE_EXPIRED, "");
	stage_turns(&stage);
	expect(&stage, "commit 1; ended 1 o-1 parked; ack");
	stage_mail_start(&stage, 2, true, stage_order("o-1", "{\"order_id\":\"k\"}"));
	stage_turns(&stage);
	expect(&stage, "answer 2 ok o-1 parked; ended 2 o-1 parked; ack");
	stage_operate(&stage, 3,
		      (struct operation){.saga_id = SLICE_LITERAL("o-1"),
					 .type = EVENT_KILL,
					 .reason = SLICE_LITERAL("done by hand")});
	stage_turns(&stage);
	expect(&stage, "commit 1; told 3 ok o-1 killed");
	stage_close(&stage);
}
END_TEST

START_TEST(test_of_many_watchers_the_newest_are_told)
{
	struct stage stage;
	int n = 0;

	stage_open(&stage);
	for (uint64_t origin = 1; origin <= 20; origin++)
		stage_mail_start(&stage, origin, true, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	stage_said(&stage);
	stage_mail_reply(&stage, FETCH, MESSAGE_OK, "[1]");
	stage_mail_signal(&stage, 0, stage_go("o-1", "s-1"));
	stage_turns(&stage);
	for (const char *said = strstr(stage_said(&stage), "ended"); said;
	     said = strstr(said + 1, "ended"))
		n++;
	ck_assert_int_eq(n, 16);
	stage_close(&stage);
}
END_TEST

/* --- signals ------------------------------------------------------------------------ */

START_TEST(test_a_signal_counts_once_by_its_id)
{
	struct saga_row row;
	struct timeline timeline;
	struct stage stage;
	uint64_t revision;

	open_started(&stage);
	stage_mail_signal(&stage, 7, stage_go("o-1", "s-1"));
	stage_mail_signal(&stage, 8, stage_go("o-1", "s-1"));
	stage_turns(&stage);
	expect(&stage, "commit 1; answer 7 ok o-1 running; answer 8 ok o-1 running; ack");
	ck_assert(stage_stored(&stage, "o-1", &row, &timeline));
	revision = row.revision;
	stage_mail_signal(&stage, 9, stage_go("o-1", "s-1"));
	stage_turns(&stage);
	expect(&stage, "answer 9 ok o-1 running; ack");
	stage_restart(&stage);
	stage_said(&stage);
	stage_signal(&stage, 1, stage_go("o-1", "s-1"));
	expect(&stage, "told 1 ok o-1 running");
	ck_assert(stage_stored(&stage, "o-1", &row, &timeline));
	ck_assert_uint_eq(row.revision, revision);
	/* Without an id it is another one each time. */
	stage_signal(&stage, 1, stage_go("o-1", ""));
	stage_signal(&stage, 1, stage_go("o-1", ""));
	stage_turns(&stage);
	ck_assert(stage_stored(&stage, "o-1", &row, &timeline));
	ck_assert_uint_eq(row.revision, revision + 2);
	stage_close(&stage);
}
END_TEST

static const struct signal_row {
	const char *name;
	const char *saga_id, *event, *id, *payload;
	const char *told;
} signal_rows[] = {
	{"no such saga", "o-2", "go", "s", "", "told 1 unknown-saga"},
	{"no id of a saga", "", "go", "s", "", "told 1 unknown-saga"},
	{"an id that is none", "o/1", "go", "s", "", "told 1 unknown-saga"},
	{"an event that nobody awaits", "o-1", "stop", "s", "", "told 1 refused"},
	{"a name that is none", "o-1", "Go", "s", "", "told 1 bad-event"},
	{"no name", "o-1", "", "s", "", "told 1 bad-event"},
	{"an id that is too long", "o-1", "go", long_text, "", "told 1 bad-signal-id"},
	{"an id that is no UTF-8", "o-1", "go", "\xff", "", "told 1 bad-signal-id"},
	{"a payload that is no JSON", "o-1", "go", "s", "{", "told 1 bad-payload"},
};

START_TEST(test_a_signal_that_is_refused)
{
	const struct signal_row *row = &signal_rows[_i];
	struct signal_message signal = {slice_of(row->saga_id),
					slice_of(row->event),
					slice_of(row->id),
					slice_of(row->payload),
					{0}};
	struct stage stage;

	open_started(&stage);
	stage_signal(&stage, 1, signal);
	ck_assert_str_eq(stage_said(&stage), row->told);
	ck_assert_int_ne(stage.callers[1].last.err, OK);
	stage_turns(&stage);
	expect(&stage, "");
	stage_close(&stage);
}
END_TEST

START_TEST(test_a_signal_to_a_saga_that_has_ended)
{
	struct stage stage;

	open_started(&stage);
	finish(&stage);
	stage_signal(&stage, 1, stage_go("o-1", "s-2"));
	expect(&stage, "told 1 refused");
	stage_signal(&stage, 1, stage_go("o-1", "s-1")); /* it came before */
	expect(&stage, "told 1 ok o-1 completed");
	stage_turns(&stage);
	ck_assert_uint_eq(desk_live(stage.engine), 0);
	stage_close(&stage);
}
END_TEST

/* --- going away --------------------------------------------------------------------- */

START_TEST(test_who_is_forgotten_hears_nothing)
{
	struct stage stage;

	stage_open(&stage);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_start(&stage, 2, stage_errand("o-1", "{}"));
	engine_forget(stage.engine, &stage.callers[1]);
	engine_forget(stage.engine, &stage.callers[3]);
	stage_turns(&stage);
	expect(&stage, "commit 1; send " FETCH " 1; told 2 ok o-1 running");
	engine_forget(stage.engine, &stage.callers[1]);
	stage_close(&stage);
}
END_TEST

/* What was decided and is not stored is gone, with those who wait for it. */
START_TEST(test_closing_in_the_middle)
{
	struct stage stage;

	stage_open(&stage);
	stage_mail_start(&stage, 7, true, stage_errand("o-1", "{}"));
	stage_start(&stage, 1, stage_errand("o-2", "{}"));
	stage_trip(&stage, TRIPWIRE_FAILS, 0);
	ck_assert_int_eq(stage_turn(&stage), ERR_UNAVAILABLE);
	stage_restart(&stage);
	expect(&stage, "commit fails");
	stage_turns(&stage);
	expect(&stage, "commit 1; send " FETCH " 1; answer 7 created o-1 running; ack");
	stage_close(&stage);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_stored_then_sent_then_answered_then_acknowledged);
	tcase_add_test(tcase, test_a_bus_that_was_busy);
	tcase_add_test(tcase, test_a_saga_is_written_once_in_a_batch);
	tcase_add_loop_test(tcase, test_a_start_again, 0, ROWS(again_rows));
	tcase_add_test(tcase, test_an_id_of_another_definition);
	tcase_add_test(tcase, test_the_same_start_twice_in_a_batch);
	tcase_add_test(tcase, test_a_wrong_start_in_front_of_the_right_one);
	tcase_add_loop_test(tcase, test_a_key, 0, ROWS(key_rows));
	tcase_add_test(tcase, test_the_same_key_twice_in_a_batch);
	tcase_add_test(tcase, test_an_operation_on_a_saga_that_is_not_begun_after_all);
	tcase_add_loop_test(tcase, test_a_start_that_is_refused, 0, ROWS(refused_rows));
	tcase_add_test(tcase, test_ids_that_are_made);
	tcase_add_loop_test(tcase, test_watching_a_saga_that_is_there, 0, ROWS(watch_rows));
	tcase_add_test(tcase, test_watchers_of_a_saga_that_is_parked);
	tcase_add_test(tcase, test_of_many_watchers_the_newest_are_told);
	tcase_add_test(tcase, test_a_signal_counts_once_by_its_id);
	tcase_add_loop_test(tcase, test_a_signal_that_is_refused, 0, ROWS(signal_rows));
	tcase_add_test(tcase, test_a_signal_to_a_saga_that_has_ended);
	tcase_add_test(tcase, test_who_is_forgotten_hears_nothing);
	tcase_add_test(tcase, test_closing_in_the_middle);
}

int main(void)
{
	return suite_run("engine_front", add);
}

/* test_saga_each.c - the steps of many elements. */
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

#define LIST(text)                        \
	{                                 \
		"lines", PURPOSE_IN, text \
	}

static const struct transcript_row rows[] = {
	{
		"all elements begin at once, and what follows waits for all of them",
		"lines:each{pick} pay",
		.lines =
			{
				"start => lines running, pick#0 running, pick#1 running, send "
				"pick#0 do#1, send pick#1 do#1",
				"pick#1 do ok [7] => pick#1 done [7]",
				"pick#0 do ok => lines done, pick#0 done, pay running, send "
				"pay "
				"do#1",
				"pay do ok => pay done, completed",
			},
	},
	{
		"the steps of one element run one after the other",
		"lines:each{pick pack}",
		.lines =
			{
				"start => lines running, pick#0 running, pick#1 running, send "
				"pick#0 do#1, send pick#1 do#1",
				"pick#1 do ok => pick#1 done, pack#1 running, send pack#1 do#1",
				"pack#1 do ok => pack#1 done",
				"pick#0 do ok => pick#0 done, pack#0 running, send pack#0 do#1",
				"pack#0 do ok => lines done, pack#0 done, completed",
			},
	},
	{
		"an empty list is done at once",
		"lines:each{pick} pay",
		.answers = {LIST("[]")},
		.lines = {"start => lines done, pick skipped no element, pay running, send pay "
			  "do#1"},
	},
	{
		"a single element needs no more steps than the definition has",
		"lines:each{pick} pay",
		.answers = {LIST("[1]")},
		.lines =
			{
				"start => lines running, pick#0 running, send pick#0 do#1",
				"pick#0 do ok => lines done, pick#0 done, pay running, send "
				"pay "
				"do#1",
			},
	},
	{
		"more elements than max refuse the step",
		"a lines:each,max=2{pick}",
		.answers = {LIST("[1,2,3]")},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a undoing +output, lines refused expression, pick "
				"never, "
				"turns back (lines too-many-elements), send a undo#1",
			},
	},
	{
		"after the pivot a list that is too long parks, and a retry looks again",
		"a:pivot lines:each,max=2{pick:retriable}",
		.answers = {LIST("[1,2,3]")},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, lines parked do expression",
				"retry lines => nothing",
				"skip lines => lines skipped operator, pick skipped operator, "
				"completed",
			},
	},
	{
		"a list that cannot be evaluated refuses the step",
		"a lines:each{pick}",
		.answers = {LIST(NULL)},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a undoing +output, lines refused expression, pick "
				"never, "
				"turns back (lines expression), send a undo#1",
			},
	},
	{
		"a condition that is false skips it with all its steps",
		"lines:each,when{pick} pay",
		.answers = {{"lines", PURPOSE_WHEN, "false"}},
		.lines = {"start => lines skipped condition, pick skipped condition, pay "
			  "running, send pay do#1"},
	},
	{
		"a condition inside holds for one element alone",
		"lines:each{pick:when}",
		.answers = {{"pick#1", PURPOSE_WHEN, "false"}},
		.lines =
			{
				"start => lines running, pick#0 running, pick#1 skipped "
				"condition, send pick#0 do#1",
				"pick#0 do ok => lines done, pick#0 done, completed",
			},
	},
	{
		"an element that is refused turns the others back, each in its own order",
		"a lines:each{pick pack} pay",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, lines running, pick#0 running, pick#1 "
				"running, send pick#0 do#1, send pick#1 do#1",
				"pick#0 do ok => pick#0 done, pack#0 running, send pack#0 do#1",
				"pick#1 do ok => pick#1 done, pack#1 running, send pack#1 do#1",
				"pack#0 do ok => pack#0 done",
				"pack#1 do refused => lines undoing, pack#0 undoing, pay "
				"never, "
				"pick#1 undoing, pack#1 refused -touched, turns back (pack#1 "
				"refused), send pack#0 undo#1, send pick#1 undo#1",
				"pick#1 undo ok => pick#1 undone",
				"pack#0 undo ok => pick#0 undoing, pack#0 undone, send pick#0 "
				"undo#1",
				"pick#0 undo ok => a undoing, lines undone, pick#0 undone, "
				"send "
				"a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"what comes later is undone before any element",
		"lines:each{pick} pay ship",
		.lines =
			{
				"start => lines running, pick#0 running, pick#1 running, send "
				"pick#0 do#1, send pick#1 do#1",
				"pick#0 do ok => pick#0 done",
				"pick#1 do ok => lines done, pay running, pick#1 done, send "
				"pay "
				"do#1",
				"pay do ok => pay done, ship running, send ship do#1",
				"ship do refused => lines undoing, pay undoing, ship refused "
				"-touched, turns back (ship refused), send pay undo#1",
				"pay undo ok => pick#0 undoing, pay undone, pick#1 undoing, "
				"send "
				"pick#0 undo#1, send pick#1 undo#1",
				"pick#1 undo ok => pick#1 undone",
				"pick#0 undo ok => lines undone, pick#0 undone, compensated",
			},
	},
	{
		"turned back before it begins it never has elements",
		"a lines:each{pick}",
		.lines =
			{
				"start => a running, send a do#1",
				"cancel => lines never, pick never, turns back (- cancelled)",
				"a do ok => a undoing +output, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"a first element that is refused at once keeps the others from being sent",
		"lines:each{pick}",
		.answers = {{"pick#1", PURPOSE_WITH, NULL}},
		.lines = {"start => lines undone, pick#0 never, pick#1 refused expression, "
			  "turns back (pick#1 expression), compensated"},
	},
	{
		"a parked element holds back what it depends on, and nothing else",
		"a lines:each{pick:undos=1}",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, lines running, pick#0 running, pick#1 "
				"running, send pick#0 do#1, send pick#1 do#1",
				"pick#0 do ok => pick#0 done",
				"pick#1 do ok => lines done, pick#1 done, completed",
				"undo => lines undoing, pick#0 undoing, pick#1 undoing, "
				"reversed, "
				"turns back (- undo), send pick#0 undo#1, send pick#1 undo#1",
				"pick#0 undo refused => pick#0 parked undo refused",
				"pick#1 undo ok => pick#1 undone",
				"retry pick#0 => pick#0 undoing, send pick#0 undo#2/1",
				"pick#0 undo ok => a undoing, lines undone, pick#0 undone, "
				"send a "
				"undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"operators retry and skip one element by its name",
		"a:pivot lines:each{pick:retriable}",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, lines running, pick#0 running, pick#1 "
				"running, send pick#0 do#1, send pick#1 do#1",
				"pick#1 do refused sold_out => pick#1 parked do refused "
				"-touched",
				"pick#0 do refused sold_out => pick#0 parked do refused "
				"-touched",
				"retry pick#1 => pick#1 running, send pick#1 do#2/1",
				"skip pick#0 [9] => pick#0 skipped operator [9] +output",
				"pick#1 do ok => lines done, pick#1 done, completed",
			},
	},
	{
		"retry without a step helps every element that can be",
		"a:pivot lines:each{pick:retriable}",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, lines running, pick#0 running, pick#1 "
				"running, send pick#0 do#1, send pick#1 do#1",
				"pick#1 do refused => pick#1 parked do refused -touched",
				"pick#0 do refused => pick#0 parked do refused -touched",
				"retry => pick#0 running, pick#1 running, send pick#0 do#2/1, "
				"send pick#1 do#2/1",
			},
	},
	{
		"a block cannot be skipped while its elements run",
		"lines:each{pick}",
		.lines =
			{
				"start => lines running, pick#0 running, pick#1 running, send "
				"pick#0 do#1, send pick#1 do#1",
				"skip lines => refused (skip the steps in it)",
			},
	},
	{
		"blocks inside an element are the element's own",
		"lines:each{both{tax | fraud}}",
		.lines =
			{
				"start => lines running, both#0 running, tax#0 running, "
				"fraud#0 "
				"running, both#1 running, tax#1 running, fraud#1 running, send "
				"tax#0 do#1, send fraud#0 do#1, send tax#1 do#1, send fraud#1 "
				"do#1",
				"tax#1 do ok => tax#1 done",
				"fraud#1 do ok => both#1 done, fraud#1 done",
				"fraud#0 do ok => fraud#0 done",
				"tax#0 do refused => lines undoing, both#0 undoing, tax#0 "
				"refused "
				"-touched, fraud#0 undoing, both#1 undoing, tax#1 undoing, "
				"fraud#1 undoing, turns back (tax#0 refused), send fraud#0 "
				"undo#1, send tax#1 undo#1, send fraud#1 undo#1",
				"fraud#0 undo ok => both#0 undone, fraud#0 undone",
				"tax#1 undo ok => tax#1 undone",
				"fraud#1 undo ok => lines undone, both#1 undone, fraud#1 "
				"undone, "
				"compensated",
			},
	},
	{
		"two lists side by side, whichever begins first",
		"both{a more:each{x} | rest:each{y}}",
		.lines =
			{
				"start => both running, a running, rest running, y#0 running, "
				"y#1 running, send a do#1, send y#0 do#1, send y#1 do#1",
				"a do ok => a done, more running, x#0 running, x#1 running, "
				"send "
				"x#0 do#1, send x#1 do#1",
				"y#1 do ok => y#1 done",
				"x#1 do ok => x#1 done",
				"x#0 do ok => more done, x#0 done",
				"y#0 do ok => both done, rest done, y#0 done, completed",
			},
	},
	{
		"signals go to the elements that await them, the first one first",
		"lines:each{sign:await}",
		.lines =
			{
				"start => lines running, sign#0 running, sign#1 running",
				"signal sign s1 [1] => sign#0 done [1]",
				"signal sign s2 [2] => lines done, sign#1 done [2], completed",
			},
	},
};

START_TEST(test_row)
{
	const char *wrong = transcript_run(&rows[_i]);

	ck_assert_msg(!wrong, "%s", wrong);
}
END_TEST

/* The exhaustive checker begins with room for the elements. */
START_TEST(test_what_is_skipped_is_so_for_all_elements_that_there_is_room_for)
{
	enum { X, ONE, A, LINES, PICK, PACK, OTHER, LOAD, MORE, N = 3, LAST = MORE + 7 };
	static const struct script_answer no[] = {{"x", PURPOSE_WHEN, "false"}};
	struct slice items[N] = {SLICE_LITERAL("1"), SLICE_LITERAL("2"), SLICE_LITERAL("3")};
	const struct expansion expansions[] = {{ONE, MORE, N, items},
					       {LINES, MORE + 2, N, items},
					       {OTHER, MORE + 6, N, items}};
	const struct start start = {.id = SLICE_LITERAL("s"),
				    .input = SLICE_LITERAL("{}"),
				    .expansions = expansions,
				    .n_expansions = 3,
				    .at_ms = 1000};
	struct transcript t;
	struct arena arena = {0};
	struct saga saga;
	struct effects effects;

	transcript_begin(&t, "x:when{one:each{a}|lines:each{pick pack}} other:each{load}", no,
			 1);
	ck_assert_int_eq(
		saga_begin(t.definition, &t.script.base, &start, &arena, &saga, &effects),
		VERDICT_TAKEN);
	ck_assert_uint_eq(saga.n_steps, LAST + 1);
	for (uint32_t i = 0; i < saga.n_steps; i++) {
		bool other = i == OTHER || i == LOAD || i == LAST - 1;
		bool beyond = i == LAST; /* the list has two elements */

		ck_assert_int_eq(saga.steps[i].state, other ? STEP_RUNNING : STEP_SKIPPED);
		ck_assert_int_eq(saga.steps[i].started_ms, other ? start.at_ms : 0);
		ck_assert_int_eq(saga.steps[i].ended_ms, other ? 0 : start.at_ms);
		ck_assert_int_eq(saga.steps[i].why, other    ? WHY_NOTHING
						    : beyond ? WHY_NO_ELEMENT
							     : WHY_CONDITION);
	}
	arena_release(&arena);
	transcript_end(&t);
}
END_TEST

/* A list of one text that makes the saga's payloads `size` bytes, with the others. */
static void write_list(char list[SAGA_PAYLOADS_MAX_EACH + 2], size_t others, size_t size)
{
	memset(list, 'x', size - others);
	memcpy(list, "[\"", 2);
	memcpy(list + size - others - 2, "\"]", 3);
}

START_TEST(test_a_list_may_be_as_large_as_a_saga_may)
{
	static char list[SAGA_PAYLOADS_MAX_EACH + 2];
	const struct script_answer answers[] = {{"lines", PURPOSE_IN, list}};
	struct transcript t;
	size_t others;

	transcript_begin(&t, "a lines:each{pick}", answers, 1);
	transcript_play(&t, "start");
	others = t.saga.input.len + strlen("[1,2]");
	write_list(list, others, SAGA_PAYLOADS_MAX_EACH);
	transcript_play(&t, "a do ok [1,2]");
	ck_assert_int_eq(t.saga.phase, PHASE_FORWARD);
	ck_assert_uint_eq(saga_payload_size(&t.saga), SAGA_PAYLOADS_MAX_EACH - strlen("[]"));
	transcript_end(&t);

	transcript_begin(&t, "a lines:each{pick}", answers, 1);
	transcript_play(&t, "start");
	write_list(list, others, SAGA_PAYLOADS_MAX_EACH + 1);
	transcript_play(&t, "a do ok [1,2]");
	ck_assert_int_eq(t.saga.phase, PHASE_BACK);
	ck_assert(slice_is(t.saga.steps[1].error->code, "too-large"));
	transcript_end(&t);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_a_list_may_be_as_large_as_a_saga_may);
	tcase_add_test(tcase,
		       test_what_is_skipped_is_so_for_all_elements_that_there_is_room_for);
}

int main(void)
{
	return suite_run("saga_each", add);
}

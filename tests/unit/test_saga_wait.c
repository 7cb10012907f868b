/* test_saga_wait.c - events from outside and time: await and sleep (rule 5). */
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

static const struct transcript_row rows[] = {
	{
		"rule 5: a signal that comes before its await is kept, the same one only once",
		"a w:await",
		.lines =
			{
				"start => a running, send a do#1",
				"signal w one [1] => keeps w",
				"signal w one [1] => ignored",
				"a do ok => a done, w done [1], completed",
			},
	},
	{
		"rule 5: of several kept signals an await takes the oldest",
		"a w:await b",
		.lines =
			{
				"start => a running, send a do#1",
				"signal w one [1] => keeps w",
				"signal w two [2] => keeps w",
				"a do ok => a done, w done [1], b running, send b do#1",
			},
	},
	{
		"rule 5: a signal for another await is kept",
		"v:await w:await",
		.lines =
			{
				"start => v running",
				"signal w one => keeps w",
				"signal v two => v done, w done, completed",
			},
	},
	{
		"an await takes its event, and the payload is its output",
		"w:await,for=5000 a",
		.lines =
			{
				"start => w running for 5000",
				"signal w one [1] => w done [1], a running, send a do#1",
				"w due => ignored",
			},
	},
	{
		"an await that finds its event waits for nothing",
		"a w:await,for=5000 b",
		.lines =
			{
				"start => a running, send a do#1",
				"signal w one [1] => keeps w",
				"a do ok => a done, w done [1], b running, send b do#1",
			},
	},
	{
		"an await that was given up takes no event any more",
		"w:await,ignore,for=5000 a",
		.lines =
			{
				"start => w running for 5000",
				"w due => w skipped timeout, a running, send a do#1",
				"signal w one [1] => keeps w",
			},
	},
	{
		"an await that an expression parked takes no event",
		"p:pivot w:await,when",
		.answers = {{"w", PURPOSE_WHEN, NULL}},
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, w parked do expression",
				"signal w one [1] => keeps w",
			},
	},
	{
		"an await whose event does not come in time turns the saga back",
		"a w:await,for=5000 b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, w running for 5000",
				"w due => a undoing, w refused timeout, b never, turns back (w "
				"timeout), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"an await may go on when its time is over",
		"w:await,for=5000,continue a",
		.lines =
			{
				"start => w running for 5000",
				"w due => w done, a running, send a do#1",
				"signal w late => keeps w",
			},
	},
	{
		"two awaits side by side each take their own event",
		"x{v:await|w:await} a",
		.lines =
			{
				"start => x running, v running, w running",
				"signal w one => w done",
				"signal v two => x done, v done, a running, send a do#1",
			},
	},
	{
		"a signal that nothing awaits is refused",
		"w:await",
		.lines =
			{
				"start => w running",
				"signal v one => refused (no step of this saga awaits an event "
				"of)",
			},
	},
	{
		"a sleep ends when its time is over",
		"s:sleep,for=3000 a",
		.lines =
			{
				"start => s running for 3000",
				"s due => s done, a running, send a do#1",
				"s due => ignored",
			},
	},
	{
		"a sleep of no time at all is over at once",
		"s:sleep a",
		.lines =
			{
				"start => s done, a running, send a do#1",
			},
	},
	{
		"a sleep until a time",
		"s:until a",
		.answers = {{"s", PURPOSE_UNTIL, "1002000"}},
		.lines =
			{
				"start => s running for 2000",
				"s due => s done, a running, send a do#1",
			},
	},
	{
		"a sleep until a time that has passed is over at once",
		"s:until a",
		.answers = {{"s", PURPOSE_UNTIL, "5"}},
		.lines =
			{
				"start => s done, a running, send a do#1",
			},
	},
	{
		"a sleep until a time that cannot be evaluated is refused",
		"a s:until",
		.answers = {{"s", PURPOSE_UNTIL, NULL}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a undoing +output, s refused expression, turns "
				"back (s expression), send a undo#1",
			},
	},
};

START_TEST(test_row)
{
	const char *wrong = transcript_run(&rows[_i]);

	ck_assert_msg(!wrong, "%s", wrong);
}
END_TEST

START_TEST(test_a_signal_is_used_once)
{
	struct transcript t;

	transcript_begin(&t, "v:await w:await a", NULL, 0);
	build_step(t.definition, "w")->event = SLICE_LITERAL("v");
	transcript_play(&t, "start");
	ck_assert(transcript_expect(&t, "signal v one [1] => v done [1], w running"));
	ck_assert(transcript_expect(&t, "signal v one [1] => ignored"));
	ck_assert(transcript_expect(&t, "signal v two [2] => w done [2], a running, "
					"send a do#1"));
	transcript_end(&t);
}
END_TEST

START_TEST(test_kept_signals_are_used_one_by_one)
{
	struct transcript t;

	transcript_begin(&t, "a v:await w:await", NULL, 0);
	build_step(t.definition, "w")->event = SLICE_LITERAL("v");
	transcript_play(&t, "start");
	transcript_play(&t, "signal v one [1]");
	transcript_play(&t, "signal v two [2]");
	ck_assert(transcript_expect(&t, "a do ok => a done, v done [1], w done [2], "
					"completed"));
	transcript_end(&t);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_signal_is_used_once);
	tcase_add_test(tcase, test_kept_signals_are_used_one_by_one);
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
}

int main(void)
{
	return suite_run("saga_wait", add);
}

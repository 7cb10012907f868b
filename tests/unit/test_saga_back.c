/* test_saga_back.c - what happens while a saga turns back: rules 6 to 8. */
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

static const struct transcript_row rows[] = {
	{
		"rule 6: steps that wait are never started, and what is done is undone",
		"a b c d",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do ok => b done, c running, send c do#1",
				"c do refused => b undoing, c refused -touched, d never, turns "
				"back (c refused), send b undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 6: a step in back-off is in doubt and undone, whatever its attempt came "
		"to",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do failed => b backoff for 100",
				"cancel => b undoing, turns back (- cancelled), send b undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 6: a command in flight is waited for, and undone when it was done",
		"a b c",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"cancel => c never, turns back (- cancelled)",
				"b do ok [1] => b undoing [1] +output, send b undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 6: a command in flight is waited for, and not undone when it was refused",
		"a b c",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"cancel => c never, turns back (- cancelled)",
				"b do refused => a undoing, b refused -touched, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 6: a command in flight is not waited for beyond its attempt",
		"a b:attempts=9 c",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"cancel => c never, turns back (- cancelled)",
				"b do timeout => b undoing +unanswered, send b undo#1",
				"b do ok [1] => ignored",
				"b undo ok => a undoing, b undone, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 6: a failure of the command in flight is the end of its attempts",
		"a b:attempts=9 c",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"cancel => c never, turns back (- cancelled)",
				"b do failed => b undoing, send b undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
			},
	},
	{
		"rule 6: a refusal in flight after an attempt without an answer is in doubt",
		"a b:attempts=9",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do timeout => b backoff +unanswered for 100",
				"b due => b running, send b do#2",
				"cancel => turns back (- cancelled)",
				"b do refused => b undoing, send b undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
			},
	},
	{
		"rule 6: a command in flight that turns out too old is in doubt",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"cancel => turns back (- cancelled)",
				"b do expired => b undoing, send b undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
			},
	},
	{
		"rule 6: a late ok only tells the undo what was done",
		"x{a b:attempts=1 c|d}",
		.lines =
			{
				"start => x running, a running, d running, send a do#1, send d "
				"do#1",
				"a do ok => a done, b running, send b do#1",
				"d do ok => d done",
				"b do timeout => x undoing, b undoing +unanswered, c never, d "
				"undoing, turns back (b timeout), send b undo#1, send d undo#1",
				"b do ok => ignored",
			},
	},
	{
		"rule 6: a late ok of a step whose undo has to wait tells the undo what was "
		"done",
		"x{a:ignore,attempts=1 b|d} e",
		.lines =
			{
				"start => x running, a running, d running, send a do#1, send d "
				"do#1",
				"a do timeout => a skipped exhausted +unanswered, b running, "
				"send b do#1",
				"cancel => x undoing, e never, turns back (- cancelled)",
				"a do ok [5] => a [5] +late",
				"a do ok [6] => ignored",
				"b do ok => b undoing +output, send b undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
			},
	},
	{
		"rule 6: a late ok of a readonly step is of no use",
		"x{a:readonly,attempts=1 b|d}",
		.lines =
			{
				"start => x running, a running, d running, send a do#1, send d "
				"do#1",
				"a do timeout => x undoing, a in doubt exhausted +unanswered, "
				"b never, turns back (a timeout)",
				"a do ok => ignored",
				"d do ok => d undoing +output, send d undo#1",
			},
	},
	{
		"rule 6: sleeps and awaits that are under way end at once",
		"x{s:sleep,for=5000 a|w:await,for=5000 b|c}",
		.lines =
			{
				"start => x running, s running for 5000, w running for 5000, c "
				"running, send c do#1",
				"cancel => x undoing, s never, a never, w never, b never, "
				"turns back (- cancelled)",
				"s due => ignored",
				"w due => ignored",
				"signal w one => refused (the saga is compensating: nothing "
				"awaits a signal any)",
				"c do ok => c undoing +output, send c undo#1",
			},
	},
	{
		"rule 6: a step parked before the pivot is in doubt and undone",
		"x{a|b}",
		.lines =
			{
				"start => x running, a running, b running, send a do#1, send b "
				"do#1",
				"a do expired => a parked do expired",
				"b do refused => x undoing, a undoing, b refused -touched, "
				"turns back (b refused), send a undo#1",
				"a undo ok => x undone, a undone, compensated",
			},
	},
	{
		"rule 6: what was begun side by side and not yet sent is not sent after all",
		"x{a|b|c}",
		.answers = {{"b", PURPOSE_WITH, NULL}},
		.lines =
			{
				"start => x undone, a never, b refused expression, c never, "
				"turns back (b expression), compensated",
			},
	},
	{
		"rule 6: what was begun and not yet sent is not undone, what was sent before "
		"is",
		"a x{b|y{c|d}|e}",
		.answers = {{"e", PURPOSE_WITH, NULL}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a undoing +output, x undone, b never, y undone, c "
				"never, d never, e refused expression, turns back (e "
				"expression), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 6: a condition that fails takes back what was begun beside it",
		"a x{b|y{c|d:when}|w:await|s:sleep}",
		.answers = {{"d", PURPOSE_WHEN, NULL}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a undoing +output, x undone, b never, y undone, c "
				"never, d refused expression, w never, s never, turns back (d "
				"expression), send a undo#1",
				"b do ok => ignored",
				"c due => ignored",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 6: the deadline turns back",
		"a b",
		.deadline_ms = 5000,
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"deadline => overdue, turns back (- deadline)",
				"deadline => ignored",
				"b do ok => b undoing +output, send b undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
				"a undo ok => a undone, compensated",
				"deadline => ignored",
			},
	},
	{
		"rule 7: an undo waits until all that depends on it is undone",
		"a x{b|c}",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, x running, b running, c running, send b "
				"do#1, send c do#1",
				"b do ok => b done",
				"c do refused => x undoing, b undoing, c refused -touched, "
				"turns back (c refused), send b undo#1",
				"b undo ok => a undoing, x undone, b undone, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 7: steps that do not depend on one another are undone at the same time",
		"x{a b|c d} e",
		.lines =
			{
				"start => x running, a running, c running, send a do#1, send c "
				"do#1",
				"a do ok => a done, b running, send b do#1",
				"c do ok => c done, d running, send d do#1",
				"b do ok => b done",
				"d do ok => x done, d done, e running, send e do#1",
				"e do refused => x undoing, b undoing, d undoing, e refused "
				"-touched, turns back (e refused), send b undo#1, send d "
				"undo#1",
				"d undo ok => c undoing, d undone, send c undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
				"a undo ok => a undone",
				"c undo ok => x undone, c undone, compensated",
			},
	},
	{
		"rule 7: parked is not enough: what it depends on is held back, nothing else",
		"a x{b c|d}",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, x running, b running, d running, send b "
				"do#1, send d do#1",
				"b do ok => b done, c running, send c do#1",
				"d do ok => d done",
				"c do refused => x undoing, b undoing, c refused -touched, d "
				"undoing, turns back (c refused), send b undo#1, send d undo#1",
				"b undo refused => b parked undo refused",
				"d undo ok => d undone",
				"retry b => b undoing, send b undo#2/1",
				"b undo ok => a undoing, x undone, b undone, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 7: a command in flight holds back what it depends on, nothing else",
		"x{a b|c} d",
		.lines =
			{
				"start => x running, a running, c running, send a do#1, send c "
				"do#1",
				"a do ok => a done, b running, send b do#1",
				"c do ok => c done",
				"cancel => x undoing, c undoing, d never, turns back (- "
				"cancelled), send c undo#1",
				"c undo ok => c undone",
				"b do ok => b undoing +output, send b undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
				"a undo ok => x undone, a undone, compensated",
			},
	},
	{
		"rule 7: readonly steps and steps without an effect hold nothing back",
		"a b:readonly c:ignore d:when e:sleep f",
		.answers = {{"d", PURPOSE_WHEN, "false"}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do ok => b done, c running, send c do#1",
				"c do refused => c skipped refused -touched, d skipped "
				"condition, e done, f running, send f do#1",
				"f do refused => a undoing, f refused -touched, turns back (f "
				"refused), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 7: a step that only has an undo is undone in its turn",
		"a n:nothing b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, n done, b running, send b do#1",
				"b do refused => n undoing, b refused -touched, turns back (b "
				"refused), send n undo#1",
				"n undo ok => a undoing, n undone, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"what is in a parallel step that was not reached never starts",
		"a b x{c|d}",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, x never, c "
				"never, d never, turns back (b refused), send a undo#1",
			},
	},
	{
		"rule 7: nested parallel steps are undone from the inside",
		"a x{y{b|c}|d} e",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, x running, y running, b running, c "
				"running, d running, send b do#1, send c do#1, send d do#1",
				"b do ok => b done",
				"c do ok => y done, c done",
				"d do ok => x done, d done, e running, send e do#1",
				"e do refused => x undoing, y undoing, b undoing, c undoing, d "
				"undoing, e refused -touched, turns back (e refused), send b "
				"undo#1, send c undo#1, send d undo#1",
				"x undo ok => ignored",
				"c undo ok => c undone",
				"d undo ok => d undone",
				"b undo ok => a undoing, x undone, y undone, b undone, send a "
				"undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 8: an undo that fails is tried again",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo failed => a undo-backoff for 100",
				"a due => a undoing, send a undo#2",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 8: silence of an undo is tried again, and any ok counts",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo timeout => a undo-backoff for 100",
				"a due => a undoing, send a undo#2",
				"a undo#1 ok => a undone, compensated",
			},
	},
	{
		"rule 8: an ok settles an undo in back-off",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo failed => a undo-backoff for 100",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 8: when the attempts are used up the undo parks, and an ok still counts",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo failed => a undo-backoff for 100",
				"a due => a undoing, send a undo#2",
				"a undo timeout => a parked undo exhausted",
				"a undo timeout => ignored",
				"a undo#1 ok => a undone, compensated",
			},
	},
	{
		"rule 8: a refused undo parks, and the same refusal again is old",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo refused => a parked undo refused",
				"a undo refused => ignored",
				"a undo failed => ignored",
			},
	},
	{
		"rule 8: the late refusal of an undo that is in back-off parks it",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo failed => a undo-backoff for 100",
				"a undo refused => a parked undo refused",
			},
	},
	{
		"rule 8: an undo that is too old for its participant parks",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo expired => a parked undo expired",
				"retry a => refused (the participant no longer knows whether "
				"it happened, so)",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 8: a retry of a refused undo opens a new round, and the old one is old",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo refused => a parked undo refused",
				"retry a => a undoing, send a undo#2/1",
				"a undo/0 ok => ignored",
				"a undo/0 refused => ignored",
				"a undo#1/0 timeout => ignored",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 8: a retry of an exhausted undo goes on in the same round with new "
		"attempts",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo failed => a undo-backoff for 100",
				"a due => a undoing, send a undo#2",
				"a undo failed => a parked undo exhausted",
				"retry a => a undoing, send a undo#3",
				"a undo failed => a undo-backoff for 100",
				"a due => a undoing, send a undo#4",
				"a undo failed => a parked undo exhausted",
			},
	},
	{
		"rule 8: an exhausted undo may be skipped by its definition",
		"a b:skip c",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do ok => b done, c running, send c do#1",
				"c do refused => b undoing, c refused -touched, turns back (c "
				"refused), send b undo#1",
				"b undo failed => b undo-backoff for 100",
				"b due => b undoing, send b undo#2",
				"b undo failed => a undoing, b skipped exhausted +waived, send "
				"a undo#1",
				"b undo ok => ignored",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 8: a refused undo may be skipped by its definition",
		"a:skip b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo refused => a skipped refused +waived, compensated",
			},
	},
	{
		"rule 8: an undo that is too old parks even where its definition would skip it",
		"a:skip b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo expired => a parked undo expired",
			},
	},
	{
		"rule 8: undo arguments that cannot be evaluated park the undo, and nothing is "
		"sent",
		"a b",
		.answers = {{"a", PURPOSE_UNDO, NULL}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a parked undo expression, b refused -touched, "
				"turns back (b refused)",
				"a undo ok => ignored",
				"retry a => nothing",
				"skip a => a skipped operator +waived, compensated",
			},
	},
	{
		"rule 8: what only depends on a skipped undo is undone",
		"a b c",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do ok => b done, c running, send c do#1",
				"c do refused => b undoing, c refused -touched, turns back (c "
				"refused), send b undo#1",
				"b undo refused => b parked undo refused",
				"skip b => a undoing, b skipped operator +waived, send a "
				"undo#1",
				"b undo ok => ignored",
				"a undo ok => a undone, compensated",
			},
	},
};

START_TEST(test_row)
{
	const char *wrong = transcript_run(&rows[_i]);

	ck_assert_msg(!wrong, "%s", wrong);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
}

int main(void)
{
	return suite_run("saga_back", add);
}

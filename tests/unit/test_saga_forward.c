/* test_saga_forward.c - what happens while a saga is being done: rules 1 to 5. */
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

static const struct transcript_row rows[] = {
	{
		"rule 1: a step runs when the one before it is done",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok [1] => a done [1], b running, send b do#1",
				"b do ok => b done, completed",
			},
	},
	{
		"rule 1: a step runs when the one before it was skipped by its condition",
		"a b:when c",
		.answers = {{"b", PURPOSE_WHEN, "false"}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b skipped condition, c running, send c "
				"do#1",
			},
	},
	{
		"rule 1: the steps of a branch run one after the other, the branches side by "
		"side",
		"x{a b|c} d",
		.lines =
			{
				"start => x running, a running, c running, send a do#1, send c "
				"do#1",
				"c do ok => c done",
				"a do ok => a done, b running, send b do#1",
				"b do ok => x done, b done, d running, send d do#1",
				"d do ok => d done, completed",
			},
	},
	{
		"rule 1: a parallel step in a branch of another is done when all in it is done",
		"x{y{a|b}|c} d",
		.lines =
			{
				"start => x running, y running, a running, b running, c "
				"running, send a do#1, send b do#1, send c do#1",
				"a do ok => a done",
				"b do ok => y done, b done",
				"c do ok => x done, c done, d running, send d do#1",
			},
	},
	{
		"rule 1: a condition that is false passes over all that the step contains",
		"x:when{a|b} c",
		.answers = {{"x", PURPOSE_WHEN, "false"}},
		.lines =
			{
				"start => x skipped condition, a skipped condition, b skipped "
				"condition, c running, send c do#1",
			},
	},
	{
		"rule 1: arguments that cannot be evaluated refuse the step, and nothing is "
		"sent",
		"a b c",
		.answers = {{"b", PURPOSE_WITH, NULL}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a undoing +output, b refused expression, c never, "
				"turns back (b expression), send a undo#1",
			},
	},
	{
		"rule 1: a condition that cannot be evaluated refuses the step",
		"a b:when",
		.answers = {{"b", PURPOSE_WHEN, NULL}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a undoing +output, b refused expression, turns "
				"back (b expression), send a undo#1",
			},
	},
	{
		"rule 1: a condition of a parallel step that cannot be evaluated turns the "
		"saga back",
		"a x:when{b|c}",
		.answers = {{"x", PURPOSE_WHEN, NULL}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a undoing +output, x refused expression, b never, "
				"c never, turns back (x expression), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 1: what starts together with a step that cannot be sent is not sent "
		"either",
		"x{a|b}",
		.answers = {{"b", PURPOSE_WITH, NULL}},
		.lines =
			{
				"start => x undone, a never, b refused expression, turns back "
				"(b expression), compensated",
			},
	},
	{
		"rule 1: an expression that fails in one branch turns the other back, too",
		"x{a|c b}",
		.answers = {{"b", PURPOSE_WITH, NULL}},
		.lines =
			{
				"start => x running, a running, c running, send a do#1, send c "
				"do#1",
				"c do ok => x undoing, c undoing +output, b refused "
				"expression, turns back (b expression), send c undo#1",
				"a do ok => a undoing +output, send a undo#1",
				"c undo ok => c undone",
				"a undo ok => x undone, a undone, compensated",
			},
	},
	{
		"rule 1: an expression that fails may be ignored like any refusal",
		"a:ignore b",
		.answers = {{"a", PURPOSE_WITH, NULL}},
		.lines =
			{
				"start => a skipped expression, b running, send b do#1",
			},
	},
	{
		"rule 1: a step that only has an undo is done at once",
		"n:nothing a",
		.lines =
			{
				"start => n done, a running, send a do#1",
				"a do refused => n undoing, a refused -touched, turns back (a "
				"refused), send n undo#1",
				"n undo ok => n undone, compensated",
			},
	},
	{
		"rule 2: ok is done",
		"a",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, completed",
			},
	},
	{
		"rule 2: refused turns back, and the refused step is not undone",
		"a b c",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused no => a undoing, b refused -touched, c never, "
				"turns back (b no), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 2: a failure waits, and then comes the next attempt of the same command",
		"a",
		.lines =
			{
				"start => a running, send a do#1",
				"a do failed busy => a backoff for 100",
				"a due => a running, send a do#2",
				"a do ok => a done, completed",
			},
	},
	{
		"rule 2: silence is tried again, too",
		"a",
		.lines =
			{
				"start => a running, send a do#1",
				"a do timeout => a backoff +unanswered for 100",
				"a due => a running, send a do#2",
				"a do ok => a done, completed",
			},
	},
	{
		"rule 2: when the attempts are used up the step is in doubt and undone first",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do failed => b backoff for 100",
				"b due => b running, send b do#2",
				"b do failed => b undoing, turns back (b failed), send b "
				"undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 2: a readonly step in doubt has nothing to undo",
		"a:readonly b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do timeout => a backoff +unanswered for 100",
				"a due => a running, send a do#2",
				"a do timeout => a in doubt exhausted, b never, turns back (a "
				"timeout), compensated",
			},
	},
	{
		"rule 2: when the budget is used up the step is in doubt, however many "
		"attempts it may have",
		"a:attempts=0",
		.lines =
			{
				"start => a running, send a do#1",
				"a do failed => a backoff for 100",
				"a due => a running, send a do#2",
				"a do failed => a backoff for 200",
				"a due => a running, send a do#3",
				"+3600000 a do failed => a undoing, turns back (a failed), "
				"send a undo#1",
			},
	},
	{
		"rule 2: an attempt that would come before the budget ends is made",
		"a:attempts=0",
		.lines =
			{
				"start => a running, send a do#1",
				"a do failed => a backoff for 100",
				"+3599799 a due => a running, send a do#2",
				"a do failed => a backoff for 200",
			},
	},
	{
		"rule 2: an attempt that would come when the budget ends is not made",
		"a:attempts=0",
		.lines =
			{
				"start => a running, send a do#1",
				"a do failed => a backoff for 100",
				"+3599800 a due => a running, send a do#2",
				"a do failed => a undoing, turns back (a failed), send a "
				"undo#1",
			},
	},
	{
		"rule 3: the ok of an earlier attempt settles a step that runs",
		"a:attempts=3",
		.lines =
			{
				"start => a running, send a do#1",
				"a do timeout => a backoff +unanswered for 100",
				"a due => a running, send a do#2",
				"a do#1 ok => a done, completed",
			},
	},
	{
		"rule 3: the ok of an earlier attempt settles a step in back-off",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do timeout => a backoff +unanswered for 100",
				"a do ok => a done, b running, send b do#1",
			},
	},
	{
		"rule 3: the refusal of an earlier attempt settles a step that runs",
		"a:attempts=3",
		.lines =
			{
				"start => a running, send a do#1",
				"a do failed => a backoff for 100",
				"a due => a running, send a do#2",
				"a do#1 refused => a refused -touched, turns back (a refused), "
				"compensated",
			},
	},
	{
		"rule 3: the refusal of an earlier attempt settles a step in back-off",
		"a:attempts=3",
		.lines =
			{
				"start => a running, send a do#1",
				"a do failed => a backoff for 100",
				"a do refused => a refused -touched, turns back (a refused), "
				"compensated",
			},
	},
	{
		"rule 3: failures and timeouts count only for the attempt that is under way",
		"a:attempts=4",
		.lines =
			{
				"start => a running, send a do#1",
				"a do failed => a backoff for 100",
				"a do failed => ignored",
				"a do timeout => ignored",
				"a due => a running, send a do#2",
				"a do#1 failed => ignored",
				"a do#1 timeout => ignored",
				"a do#1 expired => ignored",
			},
	},
	{
		"rule 3: the timer of an earlier back-off is old",
		"a:attempts=3",
		.lines =
			{
				"start => a running, send a do#1",
				"a do failed => a backoff for 100",
				"a due => a running, send a do#2",
				"a do failed => a backoff for 200",
				"a due#1 => ignored",
				"a due/1 => ignored",
				"a due => a running, send a do#3",
			},
	},
	{
		"rule 3: an ok settles a step that is parked because its command was too old",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do expired => a parked do expired",
				"a do ok => a done, b running, send b do#1",
			},
	},
	{
		"rule 3: a refusal settles a step that is parked because its command was too "
		"old",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do expired => a parked do expired",
				"a do refused => a refused -touched, b never, turns back (a "
				"refused), compensated",
			},
	},
	{
		"rule 3: what is said of another round is old",
		"a",
		.lines =
			{
				"start => a running, send a do#1",
				"a do/1 ok => ignored",
				"a do/1 refused => ignored",
				"a do/1 failed => ignored",
				"a do/1 timeout => ignored",
			},
	},
	{
		"rule 3: what is said of an attempt that was never sent is not believed",
		"a",
		.lines =
			{
				"start => a running, send a do#1",
				"a do#2 ok => ignored",
				"a do#2 refused => ignored",
				"a do#0 ok => ignored",
				"a undo#1 ok => ignored",
				"a revoke#1 ok => ignored",
			},
	},
	{
		"rule 3: a reply never settles a step that sends nothing",
		"w:await x{a|b}",
		.lines =
			{
				"start => w running",
				"w do#1 ok => ignored",
				"signal w one => w done, x running, a running, b running, send "
				"a do#1, send b do#1",
				"x do#1 ok => ignored",
				"x undo#1 ok => ignored",
			},
	},
	{
		"rule 4: a refusal after an attempt without an answer is in doubt: undone, too",
		"a:attempts=3 b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do timeout => a backoff +unanswered for 100",
				"a due => a running, send a do#2",
				"a do refused => a undoing, b never, turns back (a refused), "
				"send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 4: a late refusal of the attempt that got no answer is no better",
		"a:attempts=3",
		.lines =
			{
				"start => a running, send a do#1",
				"a do timeout => a backoff +unanswered for 100",
				"a do#1 refused => a undoing, turns back (a refused), send a "
				"undo#1",
			},
	},
	{
		"rule 4: an attempt that failed with an answer leaves no doubt",
		"a:attempts=3",
		.lines =
			{
				"start => a running, send a do#1",
				"a do failed => a backoff for 100",
				"a due => a running, send a do#2",
				"a do refused => a refused -touched, turns back (a refused), "
				"compensated",
			},
	},
	{
		"rule 5: a step that was dispatched and then skipped by an operator is undone",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"skip a => a skipped operator, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 5: what an operator gives as the output of a skipped step can be read",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"skip a [7] => a skipped operator [7] +output, b running, send "
				"b do#1",
				"a do ok [8] => ignored",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 5: a step whose failure is ignored stays in the undo set",
		"a:ignore,attempts=1 b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do timeout => a skipped exhausted +unanswered, b running, "
				"send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 5: a step whose refusal is ignored has nothing to undo",
		"a:ignore b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do refused => a skipped refused -touched, b running, send b "
				"do#1",
				"b do refused => b refused -touched, turns back (b refused), "
				"compensated",
			},
	},
	{
		"rule 5: a refusal in doubt that is ignored stays in the undo set",
		"a:ignore b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do timeout => a backoff +unanswered for 100",
				"a do refused => a skipped refused, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
			},
	},
	{
		"rule 5: the late ok of a skipped step tells its undo what was done",
		"a:ignore,attempts=1 b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do timeout => a skipped exhausted +unanswered, b running, "
				"send b do#1",
				"a do ok [9] => a [9] +late",
				"a do ok [9] => ignored",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"an output that cannot be evaluated undoes nothing",
		"a",
		.answers = {{NULL, PURPOSE_OUTPUT, NULL}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, completed",
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
	return suite_run("saga_forward", add);
}

/* test_saga_operator.c - how sagas end and what operators can do: rules 11 and 12. */
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

static const struct transcript_row rows[] = {
	{
		"rule 11: a saga whose steps are all done or skipped is completed",
		"a b:when c",
		.answers = {{"b", PURPOSE_WHEN, "false"}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b skipped condition, c running, send c "
				"do#1",
				"skip c => c skipped operator, completed",
			},
	},
	{
		"rule 11: a saga is compensated when everything touched is undone",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"a undo ok => a undone, compensated",
				"a undo ok => ignored",
				"b do ok => ignored",
			},
	},
	{
		"rule 11: a completed saga without a pivot can be turned back",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do ok => b done, completed",
				"undo => b undoing, reversed, turns back (- undo), send b "
				"undo#1",
				"undo => ignored",
				"b undo ok => a undoing, b undone, send a undo#1",
				"a undo ok => a undone, compensated",
				"undo => refused (the saga is compensated already)",
			},
	},
	{
		"rule 11: a completed saga that changed nothing is compensated at once",
		"a:readonly",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, completed",
				"undo => reversed, turns back (- undo), compensated",
			},
	},
	{
		"rule 11: in a completed saga also what was ignored or skipped in doubt is "
		"undone",
		"n:nothing a:ignore,attempts=1 b",
		.lines =
			{
				"start => n done, a running, send a do#1",
				"a do timeout => a skipped exhausted +unanswered, b running, "
				"send b do#1",
				"skip b => b skipped operator, completed",
				"undo => b undoing, reversed, turns back (- undo), send b "
				"undo#1",
				"b undo ok => a undoing, b undone, send a undo#1",
				"a undo ok => n undoing, a undone, send n undo#1",
				"n undo ok => n undone, compensated",
			},
	},
	{
		"rule 11: the deadline of a saga that ended means nothing",
		"a",
		.deadline_ms = 60000,
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, completed",
				"deadline => ignored",
				"undo => a undoing, reversed, turns back (- undo), send a "
				"undo#1",
				"deadline => ignored",
			},
	},
	{
		"rule 12: a paused saga takes replies but sends nothing",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"pause => paused",
				"pause => ignored",
				"a do ok => a done",
				"resume => b running, resumed, send b do#1",
				"resume => ignored",
				"b do ok => b done, completed",
			},
	},
	{
		"rule 12: a back-off that ends while the saga is paused waits for the end of "
		"the pause",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"pause => paused",
				"a do failed => a backoff for 100",
				"a due => ignored",
				"resume => resumed",
				"a due => a running, send a do#2",
			},
	},
	{
		"rule 12: a saga that turns back while it is paused undoes when it goes on",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"pause => paused",
				"a do ok => a done",
				"cancel => b never, turns back (- cancelled)",
				"resume => a undoing, resumed, send a undo#1",
			},
	},
	{
		"rule 12: a saga that is undoing can be paused",
		"a b c",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do ok => b done, c running, send c do#1",
				"c do refused => b undoing, c refused -touched, turns back (c "
				"refused), send b undo#1",
				"pause => paused",
				"b undo failed => b undo-backoff for 100",
				"b due => ignored",
				"b undo ok => b undone",
				"resume => a undoing, resumed, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 12: a refusal is taken while the saga is paused",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"pause => paused",
				"b do refused => b refused -touched, turns back (b refused)",
				"resume => a undoing, resumed, send a undo#1",
			},
	},
	{
		"rule 12: deadline and time go on while the saga is paused",
		"x{s:sleep,for=5000 a|w:await,for=7000,continue b}",
		.deadline_ms = 60000,
		.lines =
			{
				"start => x running, s running for 5000, w running for 7000",
				"pause => paused",
				"s due => s done",
				"w due => w done",
				"deadline => x undoing, a never, b never, overdue, turns back "
				"(- deadline)",
				"resume => x undone, resumed, compensated",
			},
	},
	{
		"rule 12: a signal is taken while the saga is paused",
		"w:await a",
		.lines =
			{
				"start => w running",
				"pause => paused",
				"signal w one => w done",
				"resume => a running, resumed, send a do#1",
			},
	},
	{
		"rule 12: retry means the next attempt now",
		"a",
		.lines =
			{
				"start => a running, send a do#1",
				"retry a => refused (an attempt is under way: wait for its "
				"answer)",
				"a do failed => a backoff for 100",
				"retry a => a running, send a do#2",
				"retry a => refused (an attempt is under way: wait for its "
				"answer)",
				"a do ok => a done, completed",
			},
	},
	{
		"rule 12: retry of a saga is retry of all that waits for its next attempt",
		"x{a|b|c}",
		.lines =
			{
				"start => x running, a running, b running, c running, send a "
				"do#1, send b do#1, send c do#1",
				"a do failed => a backoff for 100",
				"b do timeout => b backoff +unanswered for 100",
				"retry => a running, b running, send a do#2, send b do#2",
				"retry => refused (no step is parked or waits for its next)",
			},
	},
	{
		"rule 12: only a step that is parked or in back-off can be retried",
		"a b c",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"retry a => refused (only a step that is parked or waits for)",
				"retry c => refused (only a step that is parked or waits for)",
				"retry b => refused (an attempt is under way: wait for its "
				"answer)",
				"pause => paused",
				"retry b => refused (the saga is paused: resume it first)",
			},
	},
	{
		"rule 12: a step that is too old for its participant cannot be retried",
		"a",
		.lines =
			{
				"start => a running, send a do#1",
				"a do expired => a parked do expired",
				"retry => refused (the participant no longer knows whether it "
				"happened, so)",
				"retry a => refused (the participant no longer knows whether "
				"it happened, so)",
				"skip a => a skipped operator, completed",
			},
	},
	{
		"rule 12: a step that waits or has ended cannot be skipped",
		"a b:when c d",
		.answers = {{"b", PURPOSE_WHEN, "false"}},
		.lines =
			{
				"start => a running, send a do#1",
				"skip d => refused (the step has not started yet)",
				"a do ok => a done, b skipped condition, c running, send c "
				"do#1",
				"skip a => refused (the step has ended: there is nothing to "
				"skip)",
				"skip b => refused (the step has ended: there is nothing to "
				"skip)",
				"skip c => c skipped operator, d running, send d do#1",
			},
	},
	{
		"rule 12: a parallel step cannot be skipped, what is in it can",
		"x{a|b} c",
		.lines =
			{
				"start => x running, a running, b running, send a do#1, send b "
				"do#1",
				"skip x => refused (a parallel step cannot be skipped while it "
				"runs)",
				"skip a => a skipped operator",
				"skip b => x done, b skipped operator, c running, send c do#1",
			},
	},
	{
		"rule 12: awaits and sleeps can be skipped",
		"w:await s:sleep,for=5000 a",
		.lines =
			{
				"start => w running",
				"skip w [1] => w skipped operator [1] +output, s running for "
				"5000",
				"skip s => s skipped operator, a running, send a do#1",
			},
	},
	{
		"rule 12: a step in back-off can be skipped",
		"a:readonly b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do failed => a backoff for 100",
				"skip a => a skipped operator, b running, send b do#1",
				"b do ok => b done, completed",
			},
	},
	{
		"rule 12: while it compensates only what is being undone can be skipped",
		"a b c d",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do ok => b done, c running, send c do#1",
				"c do ok => c done, d running, send d do#1",
				"cancel => turns back (- cancelled)",
				"skip b => refused (the saga is compensating: only a step that "
				"is)",
				"skip d => refused (the saga is compensating: only a step that "
				"is)",
				"d do refused => c undoing, d refused -touched, send c undo#1",
				"skip b => refused (the saga is compensating: only a step that "
				"is)",
				"skip c => b undoing, c skipped operator +waived, send b "
				"undo#1",
				"b undo failed => b undo-backoff for 100",
				"skip b => a undoing, b skipped operator +waived, send a "
				"undo#1",
				"a undo refused => a parked undo refused",
				"skip a => a skipped operator +waived, compensated",
			},
	},
	{
		"rule 12: a saga that does not run any more cannot be helped",
		"a",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, completed",
				"cancel => refused (the saga has ended; a completed saga "
				"without a)",
				"retry => refused (the saga has ended)",
				"skip a => refused (the saga has ended)",
				"pause => refused (the saga has ended)",
				"resume => refused (the saga has ended)",
				"kill => refused (the saga has ended)",
				"signal a one => refused (the saga has ended: nothing awaits a "
				"signal any)",
			},
	},
	{
		"rule 12: kill ends a saga as it is",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do failed => b backoff for 100",
				"kill => killed",
				"b due => ignored",
				"b do ok => ignored",
				"kill => refused (the saga has ended)",
				"cancel => refused (the saga has ended; a completed saga "
				"without a)",
				"undo => refused (the saga was killed: nothing is done for it)",
				"deadline => ignored",
			},
	},
	{
		"rule 12: cancel is refused once the saga is compensated",
		"a",
		.lines =
			{
				"start => a running, send a do#1",
				"a do refused => a refused -touched, turns back (a refused), "
				"compensated",
				"cancel => refused (the saga has ended; a completed saga "
				"without a)",
				"undo => refused (the saga is compensated already)",
			},
	},
	{
		"rule 12: undo is for completed sagas",
		"a",
		.lines =
			{
				"start => a running, send a do#1",
				"undo => refused (the saga is not completed; cancel turns it "
				"back)",
			},
	},
	{
		"rule 12: cancel of a saga that compensates changes nothing",
		"a b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, b running, send b do#1",
				"b do refused => a undoing, b refused -touched, turns back (b "
				"refused), send a undo#1",
				"cancel => ignored",
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
	return suite_run("saga_operator", add);
}

/* test_saga_pivot.c - what happens at and after the point of no return: rules 9 and 10. */
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

static const struct transcript_row rows[] = {
	{
		"rule 9: a pivot that is refused turns back",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"p do refused => a undoing, p refused -touched, r never, turns "
				"back (p refused), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 9: cancel while the pivot is dispatched revokes it, and what was not "
		"done is barred",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"cancel => ignored",
				"p revoke ok => a undoing, p undone -touched, r never, turns "
				"back (- cancelled), send a undo#1",
				"p do ok => ignored",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 9: a revoke that comes too late goes forward",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"p revoke refused [1] => p done [1], r running, wants back no "
				"more, send r do#1",
				"r do ok => r done, completed",
			},
	},
	{
		"rule 9: cancel revokes a pivot in back-off",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"p do failed => p backoff for 100",
				"cancel => p running, wants back (- cancelled), send p "
				"revoke#1",
				"p due => ignored",
				"p revoke ok => a undoing, p undone -touched, r never, turns "
				"back (- cancelled), send a undo#1",
			},
	},
	{
		"rule 9: the deadline revokes a pivot that is dispatched",
		"a p:pivot r:retriable",
		.deadline_ms = 60000,
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"deadline => wants back (- deadline), overdue, send p revoke#1",
				"cancel => ignored",
				"p revoke refused => p done, r running, wants back no more, "
				"send r do#1",
				"deadline => ignored",
				"r do ok => r done, completed",
			},
	},
	{
		"rule 9: the deadline does nothing more where cancel has revoked",
		"a p:pivot r:retriable",
		.deadline_ms = 60000,
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"deadline => overdue",
				"p revoke ok => a undoing, p undone -touched, r never, turns "
				"back (- cancelled), send a undo#1",
			},
	},
	{
		"rule 9: a pivot whose attempts are exhausted is revoked",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"p do timeout => p backoff +unanswered for 100",
				"p due => p running, send p do#2",
				"p do timeout => wants back (p timeout), send p revoke#1",
				"p revoke ok => a undoing, p undone -touched, r never, turns "
				"back (p timeout), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 9: a pivot that was done after all when its attempts were exhausted goes "
		"forward",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"p do failed => p backoff for 100",
				"p due => p running, send p do#2",
				"p do failed => wants back (p failed), send p revoke#1",
				"p revoke refused [1] => p done [1], r running, wants back no "
				"more, send r do#1",
				"r do ok => r done, completed",
			},
	},
	{
		"rule 9: the ok of the do settles a pivot that is being revoked",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"p do ok [2] => p done [2], r running, wants back no more, "
				"send r do#1",
				"p revoke ok => ignored",
				"cancel => refused (the saga has passed its pivot, the point "
				"of)",
			},
	},
	{
		"rule 9: the refusal of the do settles a pivot that is being revoked",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"p do refused => a undoing, p refused -touched, r never, turns "
				"back (p refused), send a undo#1",
				"p revoke ok => ignored",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 9: a refusal of the do after an attempt without an answer leaves it to "
		"the revoke",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"p do timeout => p backoff +unanswered for 100",
				"cancel => p running, wants back (- cancelled), send p "
				"revoke#1",
				"p do refused => ignored",
				"p revoke refused => p done, r running, wants back no more, "
				"send r do#1",
			},
	},
	{
		"rule 9: a refusal of the pivot in doubt is settled by a revoke",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"p do timeout => p backoff +unanswered for 100",
				"p due => p running, send p do#2",
				"p do refused => wants back (p refused), send p revoke#1",
				"p revoke ok => a undoing, p undone -touched, r never, turns "
				"back (p refused), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"rule 9: failures and timeouts of the do do not count while it is revoked",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"p do failed => ignored",
				"p do timeout => ignored",
				"p do expired => ignored",
				"p revoke#2 failed => ignored",
				"p revoke#2 ok => ignored",
				"p revoke/1 ok => ignored",
			},
	},
	{
		"rule 9: a revoke without an answer is tried again",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"p revoke failed => p backoff for 177",
				"p revoke failed => ignored",
				"p due => p running, send p revoke#2",
				"p revoke timeout => p backoff for 19",
				"p due => p running, send p revoke#3",
				"p revoke#1 ok => a undoing, p undone -touched, r never, turns "
				"back (- cancelled), send a undo#1",
			},
	},
	{
		"rule 9: a revoke whose budget is used up parks, and a retry goes on with it",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"p revoke failed => p backoff for 177",
				"p due => p running, send p revoke#2",
				"+86400000 p revoke failed => p parked revoke exhausted",
				"cancel => ignored",
				"retry p => p running, send p revoke#3",
				"p revoke ok => a undoing, p undone -touched, r never, turns "
				"back (- cancelled), send a undo#1",
			},
	},
	{
		"rule 9: a parked revoke is settled by the do's ok, too",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"p revoke failed => p backoff for 177",
				"p due => p running, send p revoke#2",
				"+86400000 p revoke timeout => p parked revoke exhausted",
				"p do ok => p done, r running, wants back no more, send r do#1",
			},
	},
	{
		"rule 9: a parked revoke is settled by its own late answer",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"p revoke failed => p backoff for 177",
				"p due => p running, send p revoke#2",
				"+86400000 p revoke timeout => p parked revoke exhausted",
				"p revoke#1 ok => a undoing, p undone -touched, r never, turns "
				"back (- cancelled), send a undo#1",
			},
	},
	{
		"rule 9: a revoke that is too old for its participant parks",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"p revoke expired => p parked revoke expired",
				"p revoke expired => ignored",
				"retry p => refused (the participant no longer knows whether "
				"it happened, so)",
			},
	},
	{
		"rule 9: cancel revokes a pivot that is parked because its command was too old",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"p do expired => p parked do expired",
				"cancel => p running, wants back (- cancelled), send p "
				"revoke#1",
				"p revoke refused => p done, r running, wants back no more, "
				"send r do#1",
			},
	},
	{
		"rule 9: a revoke that begins while the saga is paused is sent when it goes on",
		"a p:pivot",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"pause => paused",
				"cancel => p backoff for 1, wants back (- cancelled)",
				"p due => ignored",
				"resume => resumed",
				"p due => p running, send p revoke#1",
				"p revoke ok => a undoing, p undone -touched, turns back (- "
				"cancelled), send a undo#1",
			},
	},
	{
		"rule 9: the do's ok is taken while the revoke waits for the pause to end",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"pause => paused",
				"cancel => p backoff for 1, wants back (- cancelled)",
				"p do ok => p done, wants back no more",
				"resume => r running, resumed, send r do#1",
				"p due => ignored",
			},
	},
	{
		"rule 10: after the pivot a cancel is refused and a deadline only recorded",
		"a p:pivot r:retriable",
		.deadline_ms = 60000,
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"p do ok => p done, r running, send r do#1",
				"cancel => refused (the saga has passed its pivot, the point "
				"of)",
				"deadline => overdue",
				"deadline => ignored",
				"r do ok => r done, completed",
				"undo => refused (the saga passed its pivot, the point of no)",
			},
	},
	{
		"rule 10: a pivot that its condition skips is passed",
		"a p:pivot,when r:retriable",
		.answers = {{"p", PURPOSE_WHEN, "false"}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p skipped condition, r running, send r "
				"do#1",
				"cancel => refused (the saga has passed its pivot, the point "
				"of)",
				"r do refused => r parked do refused -touched",
			},
	},
	{
		"rule 10: a pivot whose condition cannot be evaluated is not passed",
		"a p:pivot,when r:retriable",
		.answers = {{"p", PURPOSE_WHEN, NULL}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a undoing +output, p refused expression, r never, "
				"turns back (p expression), send a undo#1",
			},
	},
	{
		"rule 10: a refusal after the pivot parks, and only a new round can help",
		"p:pivot r:retriable",
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, r running, send r do#1",
				"r do refused => r parked do refused -touched",
				"r do refused => ignored",
				"cancel => refused (the saga has passed its pivot, the point "
				"of)",
				"retry r => r running, send r do#2/1",
				"r do#1/0 ok => ignored",
				"r do#1/0 refused => ignored",
				"r do ok => r done, completed",
			},
	},
	{
		"rule 10: a refusal in doubt after the pivot parks, and a new round begins "
		"without doubt",
		"p:pivot r:retriable",
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, r running, send r do#1",
				"r do timeout => r backoff +unanswered for 100",
				"r do refused => r parked do refused",
				"retry r => r running -unanswered, send r do#2/1",
				"r do refused => r parked do refused -touched",
			},
	},
	{
		"rule 10: an exhausted retry after the pivot parks, and an ok still counts",
		"p:pivot r:retriable",
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, r running, send r do#1",
				"r do failed => r backoff for 100",
				"r due => r running, send r do#2",
				"r do failed => r parked do exhausted",
				"r do failed => ignored",
				"r do#1 ok => r done, completed",
			},
	},
	{
		"rule 10: a retry of an exhausted step goes on in the same round with new "
		"attempts",
		"p:pivot r:retriable",
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, r running, send r do#1",
				"r do failed => r backoff for 100",
				"r due => r running, send r do#2",
				"r do failed => r parked do exhausted",
				"retry r => r running, send r do#3",
				"r do failed => r backoff for 100",
				"r due => r running, send r do#4",
				"r do failed => r parked do exhausted",
			},
	},
	{
		"rule 10: a late refusal of a parked step says that a new round is needed",
		"p:pivot r:retriable",
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, r running, send r do#1",
				"r do failed => r backoff for 100",
				"r due => r running, send r do#2",
				"r do failed => r parked do exhausted",
				"r do refused => r parked do refused -touched",
				"retry => r running, send r do#3/1",
			},
	},
	{
		"rule 10: an expression that fails after the pivot parks, and nothing is sent",
		"p:pivot r:retriable",
		.answers = {{"r", PURPOSE_WITH, NULL}},
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, r parked do expression",
				"r do ok => ignored",
				"retry r => nothing",
				"skip r [1] => r skipped operator [1] +output, completed",
			},
	},
	{
		"rule 10: a condition that fails after the pivot parks the whole parallel step",
		"p:pivot x:when{r:retriable|s:retriable} t:retriable",
		.answers = {{"x", PURPOSE_WHEN, NULL}},
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, x parked do expression",
				"retry x => nothing",
				"skip x => x skipped operator, r skipped operator, s skipped "
				"operator, t running, send t do#1",
				"t do ok => t done, completed",
			},
	},
	{
		"rule 10: a sleep whose end cannot be evaluated after the pivot parks",
		"p:pivot s:until r:retriable",
		.answers = {{"s", PURPOSE_UNTIL, NULL}},
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, s parked do expression",
				"retry => nothing",
				"skip s => s skipped operator, r running, send r do#1",
			},
	},
	{
		"rule 10: a failure after the pivot may be ignored",
		"p:pivot r:retriable,ignore s:retriable,ignore t:retriable",
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, r running, send r do#1",
				"r do refused => r skipped refused -touched, s running, send s "
				"do#1",
				"s do failed => s backoff for 100",
				"s due => s running, send s do#2",
				"s do failed => s skipped exhausted, t running, send t do#1",
				"t do ok => t done, completed",
			},
	},
	{
		"rule 10: a parked step after the pivot does not hold back another branch",
		"p:pivot x{r:retriable s:retriable|q:readonly} t:retriable",
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, x running, r running, q running, send r "
				"do#1, send q do#1",
				"r do refused => r parked do refused -touched",
				"q do ok => q done",
				"skip r => r skipped operator, s running, send s do#1",
				"s do ok => x done, s done, t running, send t do#1",
				"t do ok => t done, completed",
			},
	},
	{
		"rule 10: an await whose time is over after the pivot parks, and still takes "
		"its event",
		"p:pivot w:await,for=5000 r:retriable",
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, w running for 5000",
				"w due => w parked do timeout",
				"signal w one [1] => w done [1], r running, send r do#1",
			},
	},
	{
		"rule 10: a retry of an await that parked waits once more",
		"p:pivot w:await,for=5000 r:retriable",
		.lines =
			{
				"start => p running, send p do#1",
				"p do ok => p done, w running for 5000",
				"w due => w parked do timeout",
				"retry w => w running for 5000",
				"w due => w parked do timeout",
				"skip w [2] => w skipped operator [2] +output, r running, send "
				"r do#1",
				"signal w one => keeps w",
			},
	},
	{
		"rule 10: an operator who skips the pivot passes it",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"skip p [1] => p skipped operator [1] +output, r running, send "
				"r do#1",
				"cancel => refused (the saga has passed its pivot, the point "
				"of)",
				"r do ok => r done, completed",
			},
	},
	{
		"rule 10: an operator who skips a pivot that is being revoked passes it",
		"a p:pivot r:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, p running, send p do#1",
				"cancel => wants back (- cancelled), send p revoke#1",
				"skip p => p skipped operator, r running, wants back no more, "
				"send r do#1",
				"p revoke ok => ignored",
				"r do ok => r done, completed",
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
	return suite_run("saga_pivot", add);
}

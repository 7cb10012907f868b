/* test_saga.c - every cell of the core: each state that a step can be in, met by
 * each event that there is.
 *
 * A row brings the step b into a state. Every event is then tried there; what the
 * row does not answer is answered as in `usual`, and anything else is ignored.
 */
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

#include <stdio.h>

static const char *const events[] = {
	"b do ok [1]",
	"b do refused no",
	"b do failed busy",
	"b do expired",
	"b do timeout",
	"b undo ok [1]",
	"b undo refused no",
	"b undo failed busy",
	"b undo expired",
	"b undo timeout",
	"b revoke ok [1]",
	"b revoke refused no",
	"b revoke failed busy",
	"b revoke expired",
	"b revoke timeout",
	"b do#1 ok [1]",
	"b do#1 refused no",
	"b do#1 failed busy",
	"b do#1 timeout",
	"b undo#1 ok",
	"b undo#1 refused no",
	"b undo#1 failed busy",
	"b undo#1 timeout",
	"b due",
	"deadline",
	"signal b one [1]",
	"cancel",
	"undo",
	"pause",
	"resume",
	"retry b",
	"retry",
	"skip b",
	"skip b [5]",
	"kill",
};

/* What is old, or was never sent: ignored, whatever the state. */
static const char *const strangers[] = {
	"#0 ok", "#99 ok",     "#99 refused", "#99 failed", "#99 expired", "#99 timeout",
	"/9 ok", "/9 refused", "/9 failed",   "/9 expired", "/9 timeout",
};

enum { PAUSED = PHASE_KILLED + 1 };

static const struct {
	int phase;
	const char *cell;
} usual[] = {
	{PAUSED, "pause => ignored"},
	{PAUSED, "resume => resumed"},
	{PAUSED, "retry => refused (the saga is paused: resume it first)"},
	{PAUSED, "retry b => refused (the saga is paused: resume it first)"},
	{PHASE_FORWARD, "signal b one [1] => refused (no step of this saga awaits)"},
	{PHASE_FORWARD, "undo => refused (the saga is not completed; cancel turns it back)"},
	{PHASE_FORWARD, "pause => paused"},
	{PHASE_FORWARD, "retry => refused (no step is parked or waits)"},
	{PHASE_FORWARD, "retry b => refused (only a step that is parked)"},
	{PHASE_FORWARD, "skip b => refused (the step has ended)"},
	{PHASE_FORWARD, "skip b [5] => refused (the step has ended)"},
	{PHASE_FORWARD, "kill => killed"},
	{PHASE_BACK, "signal b one [1] => refused (the saga is compensating)"},
	{PHASE_BACK, "pause => paused"},
	{PHASE_BACK, "retry => refused (no step is parked or waits)"},
	{PHASE_BACK, "retry b => refused (only a step that is parked)"},
	{PHASE_BACK, "skip b => refused (the saga is compensating)"},
	{PHASE_BACK, "skip b [5] => refused (the saga is compensating)"},
	{PHASE_BACK, "kill => killed"},
	{PHASE_COMPLETED, "signal b one [1] => refused (the saga has ended)"},
	{PHASE_COMPLETED, "cancel => refused (the saga has ended)"},
	{PHASE_COMPLETED, "pause => refused (the saga has ended)"},
	{PHASE_COMPLETED, "resume => refused (the saga has ended)"},
	{PHASE_COMPLETED, "retry => refused (the saga has ended)"},
	{PHASE_COMPLETED, "retry b => refused (the saga has ended)"},
	{PHASE_COMPLETED, "skip b => refused (the saga has ended)"},
	{PHASE_COMPLETED, "skip b [5] => refused (the saga has ended)"},
	{PHASE_COMPLETED, "kill => refused (the saga has ended)"},
	{PHASE_COMPENSATED, "signal b one [1] => refused (the saga has ended)"},
	{PHASE_COMPENSATED, "cancel => refused (the saga has ended)"},
	{PHASE_COMPENSATED, "pause => refused (the saga has ended)"},
	{PHASE_COMPENSATED, "resume => refused (the saga has ended)"},
	{PHASE_COMPENSATED, "retry => refused (the saga has ended)"},
	{PHASE_COMPENSATED, "retry b => refused (the saga has ended)"},
	{PHASE_COMPENSATED, "skip b => refused (the saga has ended)"},
	{PHASE_COMPENSATED, "skip b [5] => refused (the saga has ended)"},
	{PHASE_COMPENSATED, "kill => refused (the saga has ended)"},
	{PHASE_KILLED, "signal b one [1] => refused (the saga has ended)"},
	{PHASE_KILLED, "cancel => refused (the saga has ended)"},
	{PHASE_KILLED, "pause => refused (the saga has ended)"},
	{PHASE_KILLED, "resume => refused (the saga has ended)"},
	{PHASE_KILLED, "retry => refused (the saga has ended)"},
	{PHASE_KILLED, "retry b => refused (the saga has ended)"},
	{PHASE_KILLED, "skip b => refused (the saga has ended)"},
	{PHASE_KILLED, "skip b [5] => refused (the saga has ended)"},
	{PHASE_KILLED, "kill => refused (the saga has ended)"},
};

static const struct row {
	const char *name;
	const char *definition;
	struct script_answer answer;
	const char *before[8];
	const char *cells[20];
} rows[] = {
	{"a step that waits", "a b c", .before = {"start"},
	 .cells = {"deadline => b never, c never, overdue, turns back (- deadline)",
		   "cancel => b never, c never, turns back (- cancelled)",
		   "skip b => refused (the step has not started yet)",
		   "skip b [5] => refused (the step has not started yet)"}},
	{"a step that runs", "a b:attempts=3 c", .before = {"start", "a do ok"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => a undoing, b refused -touched, c never, turns back (b "
		   "no), send a undo#1",
		   "b do failed busy => b backoff for 100",
		   "b do expired => b parked do expired",
		   "b do timeout => b backoff +unanswered for 100",
		   "deadline => c never, overdue, turns back (- deadline)",
		   "cancel => c never, turns back (- cancelled)",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a step that runs again after silence", "a b:attempts=3 c",
	 .before = {"start", "a do ok", "b do timeout", "b due"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => b undoing, c never, turns back (b no), send b undo#1",
		   "b do failed busy => b backoff for 200",
		   "b do expired => b parked do expired", "b do timeout => b backoff for 200",
		   "b do#1 ok [1] => b done [1], c running, send c do#1",
		   "b do#1 refused no => b undoing, c never, turns back (b no), send b undo#1",
		   "deadline => c never, overdue, turns back (- deadline)",
		   "cancel => c never, turns back (- cancelled)",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a step that runs its last attempt", "a b:attempts=1 c",
	 .before = {"start", "a do ok"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => a undoing, b refused -touched, c never, turns back (b "
		   "no), send a undo#1",
		   "b do failed busy => b undoing, c never, turns back (b busy), send b undo#1",
		   "b do expired => b parked do expired",
		   "b do timeout => b undoing +unanswered, c never, turns back (b timeout), "
		   "send b undo#1",
		   "deadline => c never, overdue, turns back (- deadline)",
		   "cancel => c never, turns back (- cancelled)",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a step in back-off", "a b:attempts=3 c",
	 .before = {"start", "a do ok", "b do failed"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => a undoing, b refused -touched, c never, turns back (b "
		   "no), send a undo#1",
		   "b due => b running, send b do#2",
		   "deadline => b undoing, c never, overdue, turns back (- deadline), send b "
		   "undo#1",
		   "cancel => b undoing, c never, turns back (- cancelled), send b undo#1",
		   "retry b => b running, send b do#2", "retry => b running, send b do#2",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a step in back-off after silence", "a b:attempts=3 c",
	 .before = {"start", "a do ok", "b do timeout"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => b undoing, c never, turns back (b no), send b undo#1",
		   "b due => b running, send b do#2",
		   "deadline => b undoing, c never, overdue, turns back (- deadline), send b "
		   "undo#1",
		   "cancel => b undoing, c never, turns back (- cancelled), send b undo#1",
		   "retry b => b running, send b do#2", "retry => b running, send b do#2",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a step that is done", "a b c", .before = {"start", "a do ok", "b do ok [0]"},
	 .cells = {"deadline => overdue, turns back (- deadline)",
		   "cancel => turns back (- cancelled)"}},
	{"a step that its condition skipped", "a b:when c",
	 .answer = {"b", PURPOSE_WHEN, "false"}, .before = {"start", "a do ok"},
	 .cells = {"deadline => overdue, turns back (- deadline)",
		   "cancel => turns back (- cancelled)"}},
	{"a step that an operator skipped", "a b c", .before = {"start", "a do ok", "skip b"},
	 .cells = {"b do ok [1] => b [1] +late", "deadline => overdue, turns back (- deadline)",
		   "cancel => turns back (- cancelled)"}},
	{"a step whose refusal is ignored", "a b:ignore c",
	 .before = {"start", "a do ok", "b do refused"},
	 .cells = {"deadline => overdue, turns back (- deadline)",
		   "cancel => turns back (- cancelled)"}},
	{"a step that runs, whose failure would be ignored", "a b:ignore,attempts=1 c",
	 .before = {"start", "a do ok"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => b skipped refused -touched, c running, send c do#1",
		   "b do failed busy => b skipped exhausted, c running, send c do#1",
		   "b do expired => b parked do expired",
		   "b do timeout => b skipped exhausted +unanswered, c running, send c do#1",
		   "deadline => c never, overdue, turns back (- deadline)",
		   "cancel => c never, turns back (- cancelled)",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a step that is parked because it is too old", "a b c",
	 .before = {"start", "a do ok", "b do expired"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => a undoing, b refused -touched, c never, turns back (b "
		   "no), send a undo#1",
		   "deadline => b undoing, c never, overdue, turns back (- deadline), send b "
		   "undo#1",
		   "cancel => b undoing, c never, turns back (- cancelled), send b undo#1",
		   "retry b => refused (the participant no longer knows whether it)",
		   "retry => refused (the participant no longer knows whether it)",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a step that runs while the saga is paused", "a b:attempts=3 c",
	 .before = {"start", "a do ok", "pause"},
	 .cells = {"b do ok [1] => b done [1]",
		   "b do refused no => b refused -touched, c never, turns back (b no)",
		   "b do failed busy => b backoff for 100",
		   "b do expired => b parked do expired",
		   "b do timeout => b backoff +unanswered for 100",
		   "deadline => c never, overdue, turns back (- deadline)",
		   "cancel => c never, turns back (- cancelled)",
		   "skip b => b skipped operator",
		   "skip b [5] => b skipped operator [5] +output"}},
	{"a step in back-off while the saga is paused", "a b:attempts=3 c",
	 .before = {"start", "a do ok", "pause", "b do failed"},
	 .cells = {"b do ok [1] => b done [1]",
		   "b do refused no => b refused -touched, c never, turns back (b no)",
		   "deadline => b in doubt, c never, overdue, turns back (- deadline)",
		   "cancel => b in doubt, c never, turns back (- cancelled)",
		   "skip b => b skipped operator",
		   "skip b [5] => b skipped operator [5] +output"}},
	{"a step in doubt while the saga is paused", "a b:attempts=1 c",
	 .before = {"start", "a do ok", "pause", "b do timeout"},
	 .cells = {"b do ok [1] => b [1] +late",
		   "resume => b undoing, resumed, send b undo#1"}},
	{
		"a readonly step in doubt",
		"a b:readonly,attempts=1 c",
		.before = {"start", "a do ok", "b do timeout"},
	},
	{
		"a step that was refused",
		"a b c",
		.before = {"start", "a do ok", "b do refused"},
	},
	{
		"a step that was never started",
		"a b c",
		.before = {"start", "cancel", "a do ok"},
	},
	{"a step in flight while the saga turns back", "a b:attempts=3 c",
	 .before = {"start", "a do ok", "cancel"},
	 .cells = {"b do ok [1] => b undoing [1] +output, send b undo#1",
		   "b do refused no => a undoing, b refused -touched, send a undo#1",
		   "b do failed busy => b undoing, send b undo#1",
		   "b do expired => b undoing, send b undo#1",
		   "b do timeout => b undoing +unanswered, send b undo#1",
		   "retry b => refused (an attempt is under way: wait for)"}},
	{"a step that is being undone", "a b:undos=3 c",
	 .before = {"start", "a do ok", "b do ok", "c do refused"},
	 .cells = {"b undo ok [1] => a undoing, b undone, send a undo#1",
		   "b undo refused no => b parked undo refused",
		   "b undo failed busy => b undo-backoff for 100",
		   "b undo expired => b parked undo expired",
		   "b undo timeout => b undo-backoff for 100",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => a undoing, b skipped operator +waived, send a undo#1",
		   "skip b [5] => a undoing, b skipped operator +waived, send a undo#1"}},
	{"a step that is being undone again", "a b:undos=3 c",
	 .before = {"start", "a do ok", "b do ok", "c do refused", "b undo timeout", "b due"},
	 .cells = {"b undo ok [1] => a undoing, b undone, send a undo#1",
		   "b undo refused no => b parked undo refused",
		   "b undo failed busy => b undo-backoff for 200",
		   "b undo expired => b parked undo expired",
		   "b undo timeout => b undo-backoff for 200",
		   "b undo#1 ok => a undoing, b undone, send a undo#1",
		   "b undo#1 refused no => b parked undo refused",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => a undoing, b skipped operator +waived, send a undo#1",
		   "skip b [5] => a undoing, b skipped operator +waived, send a undo#1"}},
	{"a step in undo-backoff", "a b:undos=3 c",
	 .before = {"start", "a do ok", "b do ok", "c do refused", "b undo failed"},
	 .cells = {"b undo ok [1] => a undoing, b undone, send a undo#1",
		   "b undo refused no => b parked undo refused",
		   "b due => b undoing, send b undo#2", "retry b => b undoing, send b undo#2",
		   "retry => b undoing, send b undo#2",
		   "skip b => a undoing, b skipped operator +waived, send a undo#1",
		   "skip b [5] => a undoing, b skipped operator +waived, send a undo#1"}},
	{"a step in undo-backoff while the saga is paused", "a b:undos=3 c",
	 .before = {"start", "a do ok", "b do ok", "c do refused", "pause", "b undo failed"},
	 .cells = {"b undo ok [1] => b undone", "b undo refused no => b parked undo refused",
		   "skip b => b skipped operator +waived",
		   "skip b [5] => b skipped operator +waived"}},
	{"a step that runs its last undo, which may be skipped", "a b:undos=1,skip c",
	 .before = {"start", "a do ok", "b do ok", "c do refused"},
	 .cells =
		 {"b undo ok [1] => a undoing, b undone, send a undo#1",
		  "b undo refused no => a undoing, b skipped refused +waived, send a undo#1",
		  "b undo failed busy => a undoing, b skipped exhausted +waived, send a undo#1",
		  "b undo expired => b parked undo expired",
		  "b undo timeout => a undoing, b skipped exhausted +waived, send a undo#1",
		  "retry b => refused (an attempt is under way: wait for)",
		  "skip b => a undoing, b skipped operator +waived, send a undo#1",
		  "skip b [5] => a undoing, b skipped operator +waived, send a undo#1"}},
	{
		"a step that is undone",
		"a b c",
		.before = {"start", "a do ok", "b do ok", "c do refused", "b undo ok"},
	},
	{"a step whose exhausted undo is parked", "a b:undos=1 c",
	 .before = {"start", "a do ok", "b do ok", "c do refused", "b undo failed"},
	 .cells = {"b undo ok [1] => a undoing, b undone, send a undo#1",
		   "b undo refused no => b parked undo refused",
		   "retry b => b undoing, send b undo#2", "retry => b undoing, send b undo#2",
		   "skip b => a undoing, b skipped operator +waived, send a undo#1",
		   "skip b [5] => a undoing, b skipped operator +waived, send a undo#1"}},
	{"a step whose refused undo is parked", "a b c",
	 .before = {"start", "a do ok", "b do ok", "c do refused", "b undo refused"},
	 .cells = {"b undo ok [1] => a undoing, b undone, send a undo#1",
		   "retry b => b undoing, send b undo#2/1",
		   "retry => b undoing, send b undo#2/1",
		   "skip b => a undoing, b skipped operator +waived, send a undo#1",
		   "skip b [5] => a undoing, b skipped operator +waived, send a undo#1"}},
	{"a step whose undo is parked because it is too old", "a b c",
	 .before = {"start", "a do ok", "b do ok", "c do refused", "b undo expired"},
	 .cells = {"b undo ok [1] => a undoing, b undone, send a undo#1",
		   "b undo refused no => b parked undo refused",
		   "retry b => refused (the participant no longer knows whether it)",
		   "retry => refused (the participant no longer knows whether it)",
		   "skip b => a undoing, b skipped operator +waived, send a undo#1",
		   "skip b [5] => a undoing, b skipped operator +waived, send a undo#1"}},
	{"a step whose undo arguments failed", "a b c", .answer = {"b", PURPOSE_UNDO, NULL},
	 .before = {"start", "a do ok", "b do ok", "c do refused"},
	 .cells = {"retry b => nothing", "retry => nothing",
		   "skip b => a undoing, b skipped operator +waived, send a undo#1",
		   "skip b [5] => a undoing, b skipped operator +waived, send a undo#1"}},
	{
		"a step whose undo waits for another",
		"a b c d",
		.before = {"start", "a do ok", "b do ok", "c do ok", "d do refused"},
	},
	{"a step that only has an undo, being undone", "a b:nothing,undos=3 c",
	 .before = {"start", "a do ok", "c do refused"},
	 .cells = {"b undo ok [1] => a undoing, b undone, send a undo#1",
		   "b undo refused no => b parked undo refused",
		   "b undo failed busy => b undo-backoff for 100",
		   "b undo expired => b parked undo expired",
		   "b undo timeout => b undo-backoff for 100",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => a undoing, b skipped operator +waived, send a undo#1",
		   "skip b [5] => a undoing, b skipped operator +waived, send a undo#1"}},
	{"a pivot that runs", "a b:pivot c:retriable", .before = {"start", "a do ok"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => a undoing, b refused -touched, c never, turns back (b "
		   "no), send a undo#1",
		   "b do failed busy => b backoff for 100",
		   "b do expired => b parked do expired",
		   "b do timeout => b backoff +unanswered for 100",
		   "deadline => wants back (- deadline), overdue, send b revoke#1",
		   "cancel => wants back (- cancelled), send b revoke#1",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a pivot in back-off after silence", "a b:pivot c:retriable",
	 .before = {"start", "a do ok", "b do timeout"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => b running, wants back (b no), send b revoke#1",
		   "b due => b running, send b do#2",
		   "deadline => b running, wants back (- deadline), overdue, send b revoke#1",
		   "cancel => b running, wants back (- cancelled), send b revoke#1",
		   "retry b => b running, send b do#2", "retry => b running, send b do#2",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a pivot that is parked because it is too old", "a b:pivot c:retriable",
	 .before = {"start", "a do ok", "b do expired"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => a undoing, b refused -touched, c never, turns back (b "
		   "no), send a undo#1",
		   "deadline => b running, wants back (- deadline), overdue, send b revoke#1",
		   "cancel => b running, wants back (- cancelled), send b revoke#1",
		   "retry b => refused (the participant no longer knows whether it)",
		   "retry => refused (the participant no longer knows whether it)",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a pivot that is being revoked", "a b:pivot c:retriable",
	 .before = {"start", "a do ok", "cancel"},
	 .cells = {"b do ok [1] => b done [1], c running, wants back no more, send c do#1",
		   "b do refused no => a undoing, b refused -touched, c never, turns back (b "
		   "no), send a undo#1",
		   "b revoke ok [1] => a undoing, b undone -touched, c never, turns back (- "
		   "cancelled), send a undo#1",
		   "b revoke refused no => b done, c running, wants back no more, send c do#1",
		   "b revoke failed busy => b backoff for 51",
		   "b revoke expired => b parked revoke expired",
		   "b revoke timeout => b backoff for 51", "deadline => overdue",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => b skipped operator, c running, wants back no more, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, wants back no "
		   "more, send c do#1"}},
	{"a pivot that is being revoked after silence", "a b:pivot c:retriable",
	 .before = {"start", "a do ok", "b do timeout", "cancel"},
	 .cells = {"b do ok [1] => b done [1], c running, wants back no more, send c do#1",
		   "b revoke ok [1] => a undoing, b undone -touched, c never, turns back (- "
		   "cancelled), send a undo#1",
		   "b revoke refused no => b done, c running, wants back no more, send c do#1",
		   "b revoke failed busy => b backoff for 51",
		   "b revoke expired => b parked revoke expired",
		   "b revoke timeout => b backoff for 51", "deadline => overdue",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => b skipped operator, c running, wants back no more, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, wants back no "
		   "more, send c do#1"}},
	{"a pivot whose revoke is in back-off", "a b:pivot c:retriable",
	 .before = {"start", "a do ok", "cancel", "b revoke failed"},
	 .cells = {"b do ok [1] => b done [1], c running, wants back no more, send c do#1",
		   "b do refused no => a undoing, b refused -touched, c never, turns back (b "
		   "no), send a undo#1",
		   "b revoke ok [1] => a undoing, b undone -touched, c never, turns back (- "
		   "cancelled), send a undo#1",
		   "b revoke refused no => b done, c running, wants back no more, send c do#1",
		   "b due => b running, send b revoke#2", "deadline => overdue",
		   "retry b => b running, send b revoke#2",
		   "retry => b running, send b revoke#2",
		   "skip b => b skipped operator, c running, wants back no more, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, wants back no "
		   "more, send c do#1"}},
	{"a pivot whose revoke is parked", "a b:pivot c:retriable",
	 .before = {"start", "a do ok", "cancel", "b revoke failed", "b due",
		    "+86400000 b revoke failed"},
	 .cells = {"b do ok [1] => b done [1], c running, wants back no more, send c do#1",
		   "b do refused no => a undoing, b refused -touched, c never, turns back (b "
		   "no), send a undo#1",
		   "b revoke ok [1] => a undoing, b undone -touched, c never, turns back (- "
		   "cancelled), send a undo#1",
		   "b revoke refused no => b done, c running, wants back no more, send c do#1",
		   "deadline => overdue", "retry b => b running, send b revoke#3",
		   "retry => b running, send b revoke#3",
		   "skip b => b skipped operator, c running, wants back no more, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, wants back no "
		   "more, send c do#1"}},
	{"a pivot whose revoke is parked because it is too old", "a b:pivot c:retriable",
	 .before = {"start", "a do ok", "cancel", "b revoke expired"},
	 .cells = {"b do ok [1] => b done [1], c running, wants back no more, send c do#1",
		   "b do refused no => a undoing, b refused -touched, c never, turns back (b "
		   "no), send a undo#1",
		   "b revoke ok [1] => a undoing, b undone -touched, c never, turns back (- "
		   "cancelled), send a undo#1",
		   "b revoke refused no => b done, c running, wants back no more, send c do#1",
		   "deadline => overdue",
		   "retry b => refused (the participant no longer knows whether it)",
		   "retry => refused (the participant no longer knows whether it)",
		   "skip b => b skipped operator, c running, wants back no more, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, wants back no "
		   "more, send c do#1"}},
	{"a pivot that is done", "a b:pivot c:retriable",
	 .before = {"start", "a do ok", "b do ok"},
	 .cells = {"deadline => overdue",
		   "cancel => refused (the saga has passed its pivot, the)"}},
	{
		"a pivot that was revoked",
		"a b:pivot c:retriable",
		.before = {"start", "a do ok", "cancel", "b revoke ok"},
	},
	{"a retriable step that runs its last attempt",
	 "a:pivot b:retriable,attempts=1 c:retriable", .before = {"start", "a do ok"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => b parked do refused -touched",
		   "b do failed busy => b parked do exhausted",
		   "b do expired => b parked do expired",
		   "b do timeout => b parked do exhausted +unanswered", "deadline => overdue",
		   "cancel => refused (the saga has passed its pivot, the)",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a retriable step in back-off", "a:pivot b:retriable c:retriable",
	 .before = {"start", "a do ok", "b do failed"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => b parked do refused -touched",
		   "b due => b running, send b do#2", "deadline => overdue",
		   "cancel => refused (the saga has passed its pivot, the)",
		   "retry b => b running, send b do#2", "retry => b running, send b do#2",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a retriable step that is parked, refused", "a:pivot b:retriable c:retriable",
	 .before = {"start", "a do ok", "b do refused"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1", "deadline => overdue",
		   "cancel => refused (the saga has passed its pivot, the)",
		   "retry b => b running, send b do#2/1", "retry => b running, send b do#2/1",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a retriable step that is parked, exhausted",
	 "a:pivot b:retriable,attempts=1 c:retriable",
	 .before = {"start", "a do ok", "b do failed"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => b parked do refused -touched", "deadline => overdue",
		   "cancel => refused (the saga has passed its pivot, the)",
		   "retry b => b running, send b do#2", "retry => b running, send b do#2",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a retriable step that is parked, exhausted in silence",
	 "a:pivot b:retriable,attempts=1 c:retriable",
	 .before = {"start", "a do ok", "b do timeout"},
	 .cells = {"b do ok [1] => b done [1], c running, send c do#1",
		   "b do refused no => b parked do refused", "deadline => overdue",
		   "cancel => refused (the saga has passed its pivot, the)",
		   "retry b => b running, send b do#2", "retry => b running, send b do#2",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a retriable step whose arguments failed", "a:pivot b:retriable c:retriable",
	 .answer = {"b", PURPOSE_WITH, NULL}, .before = {"start", "a do ok"},
	 .cells = {"deadline => overdue",
		   "cancel => refused (the saga has passed its pivot, the)",
		   "retry b => nothing", "retry => nothing",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"an await", "a b:await,for=5000 c", .before = {"start", "a do ok"},
	 .cells = {"b due => a undoing, b refused timeout, c never, turns back (b timeout), "
		   "send a undo#1",
		   "deadline => a undoing, b never, c never, overdue, turns back (- deadline), "
		   "send a undo#1",
		   "signal b one [1] => b done [1], c running, send c do#1",
		   "cancel => a undoing, b never, c never, turns back (- cancelled), send a "
		   "undo#1",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"an await that goes on without its event", "a b:await,for=5000,continue c",
	 .before = {"start", "a do ok"},
	 .cells = {"b due => b done, c running, send c do#1",
		   "deadline => a undoing, b never, c never, overdue, turns back (- deadline), "
		   "send a undo#1",
		   "signal b one [1] => b done [1], c running, send c do#1",
		   "cancel => a undoing, b never, c never, turns back (- cancelled), send a "
		   "undo#1",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"an await after the pivot that is parked", "a:pivot b:await,for=5000 c:retriable",
	 .before = {"start", "a do ok", "b due"},
	 .cells = {"deadline => overdue",
		   "signal b one [1] => b done [1], c running, send c do#1",
		   "cancel => refused (the saga has passed its pivot, the)",
		   "retry b => b running for 5000", "retry => b running for 5000",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a sleep", "a b:sleep,for=5000 c", .before = {"start", "a do ok"},
	 .cells = {"b due => b done, c running, send c do#1",
		   "deadline => a undoing, b never, c never, overdue, turns back (- deadline), "
		   "send a undo#1",
		   "cancel => a undoing, b never, c never, turns back (- cancelled), send a "
		   "undo#1",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => b skipped operator, c running, send c do#1",
		   "skip b [5] => b skipped operator [5] +output, c running, send c do#1"}},
	{"a parallel step that runs", "a b{c|d} e", .before = {"start", "a do ok"},
	 .cells = {"deadline => b undoing, e never, overdue, turns back (- deadline)",
		   "cancel => b undoing, e never, turns back (- cancelled)",
		   "retry b => refused (an attempt is under way: wait for)",
		   "skip b => refused (a parallel step cannot be skipped while)",
		   "skip b [5] => refused (a parallel step cannot be skipped while)"}},
	{"a parallel step that is being undone", "a b{c|d} e",
	 .before = {"start", "a do ok", "c do ok", "d do ok", "e do refused"},
	 .cells = {"retry b => refused (an attempt is under way: wait for)"}},
	{"a parallel step that is done", "a b{c|d} e",
	 .before = {"start", "a do ok", "c do ok", "d do ok"},
	 .cells = {"deadline => b undoing, overdue, turns back (- deadline)",
		   "cancel => b undoing, turns back (- cancelled)"}},
	{"a step of a completed saga", "a b", .before = {"start", "a do ok", "b do ok"},
	 .cells = {"undo => b undoing, reversed, turns back (- undo), send b undo#1"}},
	{"a step of a completed saga with a pivot", "a:pivot b:retriable",
	 .before = {"start", "a do ok", "b do ok"},
	 .cells = {"undo => refused (the saga passed its pivot, the point)"}},
	{"a step of a compensated saga", "a b c",
	 .before = {"start", "a do ok", "b do ok", "c do refused", "b undo ok", "a undo ok"},
	 .cells = {"undo => refused (the saga is compensated already)"}},
	{"a step of a killed saga", "a b c", .before = {"start", "a do ok", "kill"},
	 .cells = {"undo => refused (the saga was killed: nothing is done)"}},
};

enum { DEADLINE_MS = 60000 };

static bool is_about(const char *cell, const char *event)
{
	size_t len = strlen(event);

	return strncmp(cell, event, len) == 0 && strncmp(cell + len, " => ", 4) == 0;
}

static const char *usual_cell(int phase, const char *event)
{
	for (int n = 0; n < ROWS(usual); n++)
		if (usual[n].phase == phase && is_about(usual[n].cell, event))
			return usual[n].cell;
	return NULL;
}

/* "event => answer", or NULL: to be ignored. */
static const char *find_cell(const struct row *row, const struct saga *saga, const char *event)
{
	const char *cell = NULL;

	for (int n = 0; n < ROWS(row->cells) && row->cells[n]; n++)
		if (is_about(row->cells[n], event))
			return row->cells[n];
	if (saga->flags & SAGA_PAUSED)
		cell = usual_cell(PAUSED, event);
	return cell ? cell : usual_cell(saga->phase, event);
}

static void bring_about(struct transcript *t, const struct row *row)
{
	transcript_begin(t, row->definition, &row->answer, row->answer.step != NULL);
	t->definition->deadline_ms = DEADLINE_MS;
	for (int n = 0; n < ROWS(row->before) && row->before[n]; n++) {
		transcript_play(t, row->before[n]);
		ck_assert_msg(t->verdict == VERDICT_TAKEN, "%s: %s: %s", row->name,
			      row->before[n], t->answer);
	}
}

/* The event alone, from the state that the row brought about. */
static void try(const struct transcript *t, const struct row *row, const char *line)
{
	struct transcript copy = *t;

	copy.arena = (struct arena){0};
	ck_assert_msg(transcript_expect(&copy, line), "%s: \"%s\" was answered: %s", row->name,
		      line, copy.answer);
	arena_release(&copy.arena);
}

static void try_ignored(const struct transcript *t, const struct row *row, const char *event)
{
	char line[100];

	snprintf(line, sizeof line, "%s => ignored", event);
	try(t, row, line);
}

/* The first attempt is told apart only where there was a second. */
static bool applies(const struct transcript *t, const char *event)
{
	const struct step *step = &t->saga.steps[1];
	bool undo = strncmp(event, "b undo#1", 8) == 0;

	if (!undo && strncmp(event, "b do#1", 6) != 0)
		return true;
	return step->attempt == 2 && step->verb == (undo ? VERB_UNDO : VERB_DO);
}

START_TEST(test_cells_of_a_state)
{
	const struct row *row = &rows[_i];
	struct transcript t;

	bring_about(&t, row);
	for (int n = 0; n < ROWS(events); n++) {
		const char *cell = find_cell(row, &t.saga, events[n]);

		if (!applies(&t, events[n]))
			continue;
		if (cell)
			try(&t, row, cell);
		else
			try_ignored(&t, row, events[n]);
	}
	transcript_end(&t);
}
END_TEST

START_TEST(test_strangers_are_ignored)
{
	const struct row *row = &rows[_i];
	struct transcript t;
	char event[64];

	bring_about(&t, row);
	for (int n = 0; n < ROWS(strangers); n++) {
		snprintf(event, sizeof event, "b %s%s",
			 verb_text((enum verb)t.saga.steps[1].verb), strangers[n]);
		try_ignored(&t, row, event);
	}
	if (t.saga.steps[1].state != STEP_RUNNING) /* sleeps and awaits have no attempts */
		try_ignored(&t, row, "b due#99");
	transcript_end(&t);
}
END_TEST

/* Events that name a step that there is not, and times that nothing waits for. */
START_TEST(test_unknown_steps)
{
	static const uint32_t unknown[] = {STEPS_MAX, NO_STEP};
	const struct row *row = &rows[_i];
	struct transcript t;
	struct saga after;

	bring_about(&t, row);
	for (int n = 0; n < ROWS(unknown); n++) {
		for (int type = 0; type < EVENT_TYPES; type++) {
			struct event event = {.type = (enum event_type)type,
					      .at_ms = t.now_ms,
					      .step = unknown[n],
					      .attempt = 1};
			bool told = type == EVENT_SKIP ||
				    (type == EVENT_RETRY && unknown[n] != NO_STEP);
			bool silent = type == EVENT_REPLY || type == EVENT_TIMEOUT ||
				      type == EVENT_DUE;
			enum verdict verdict = saga_step(t.definition, &t.script.base, &t.saga,
							 &event, &t.arena, &after, &t.effects);

			if (told)
				ck_assert_int_eq(verdict, VERDICT_REFUSED);
			if (silent)
				ck_assert_int_eq(verdict, VERDICT_IGNORED);
		}
	}
	transcript_end(&t);
}
END_TEST

/* --- nothing is left out ------------------------------------------------------------- */

/* States in which there can be more than one command. */
static const struct {
	enum step_state state;
	enum verb verb;
} commands[] = {{STEP_RUNNING, VERB_DO},    {STEP_RUNNING, VERB_REVOKE},
		{STEP_BACKOFF, VERB_DO},    {STEP_BACKOFF, VERB_REVOKE},
		{STEP_UNDOING, VERB_UNDO},  {STEP_UNDO_BACKOFF, VERB_UNDO},
		{STEP_PARKED, VERB_DO},     {STEP_PARKED, VERB_UNDO},
		{STEP_PARKED, VERB_REVOKE}, {STEP_UNDONE, VERB_UNDO},
		{STEP_UNDONE, VERB_REVOKE}};

START_TEST(test_every_state_has_a_row)
{
	bool seen[STEP_STATES][VERB_REVOKE + 1] = {{false}};
	bool phases[PHASE_KILLED + 1] = {false};

	for (int n = 0; n < ROWS(rows); n++) {
		struct transcript t;

		bring_about(&t, &rows[n]);
		seen[t.saga.steps[1].state][t.saga.steps[1].verb] = true;
		phases[t.saga.phase] = true;
		transcript_end(&t);
	}
	for (int state = 0; state < STEP_STATES; state++)
		ck_assert_msg(seen[state][VERB_DO] || seen[state][VERB_UNDO] ||
				      seen[state][VERB_REVOKE],
			      "no row has a step that is %s",
			      step_state_text((enum step_state)state));
	for (int n = 0; n < ROWS(commands); n++)
		ck_assert_msg(seen[commands[n].state][commands[n].verb],
			      "no row has a step whose %s is %s", verb_text(commands[n].verb),
			      step_state_text(commands[n].state));
	for (int phase = 0; phase <= PHASE_KILLED; phase++)
		ck_assert_msg(phases[phase], "no row has a saga that is %s",
			      phase_text((enum phase)phase));
}
END_TEST

/* Every kind of event, and every outcome of every verb, is in the list. */
START_TEST(test_every_event_is_tried)
{
	char event[64];

	for (int type = 0; type < EVENT_TYPES; type++) {
		bool found = type == EVENT_REPLY;

		for (int n = 0; n < ROWS(events); n++)
			if (strstr(events[n], event_text((enum event_type)type)))
				found = true;
		ck_assert_msg(found, "%s is not tried", event_text((enum event_type)type));
	}
	for (int verb = 0; verb <= VERB_REVOKE; verb++) {
		for (int outcome = 0; outcome <= OUTCOME_EXPIRED; outcome++) {
			bool found = false;

			snprintf(event, sizeof event, "b %s %s", verb_text((enum verb)verb),
				 outcome_text((enum outcome)outcome));
			for (int n = 0; n < ROWS(events); n++)
				if (strncmp(events[n], event, strlen(event)) == 0)
					found = true;
			ck_assert_msg(found, "%s is not tried", event);
		}
	}
}
END_TEST

/* A cell that no event asks for tests nothing. */
START_TEST(test_every_cell_is_asked_for)
{
	const struct row *row = &rows[_i];
	struct transcript t;

	bring_about(&t, row);
	for (int n = 0; n < ROWS(row->cells) && row->cells[n]; n++) {
		bool asked = false;

		for (int e = 0; e < ROWS(events); e++)
			if (is_about(row->cells[n], events[e]) && applies(&t, events[e]))
				asked = true;
		ck_assert_msg(asked, "%s: %s", row->name, row->cells[n]);
	}
	transcript_end(&t);
}
END_TEST

/* Each part has a length of its own, so that none stands for another. */
START_TEST(test_the_size_of_payloads)
{
	static const char text[1024] = {0};
	struct slice first[] = {{text, 1}, {text, 2}}, second[] = {{text, 4}, {text, 8}};
	struct expansion expansions[] = {{.n = 2, .items = first}, {.n = 2, .items = second}};
	struct step steps[] = {{.output = {text, 16}}, {.output = {text, 32}}};
	struct signal signals[] = {
		{.event = {text, 1}, .id = {text, 64}, .payload = {text, 3}},
		{.event = {text, 5}, .id = {text, 7}, .payload = {text, 128}}};
	struct saga saga = {.input = {text, 256},
			    .output = {text, 512},
			    .n_steps = 2,
			    .steps = steps,
			    .n_expansions = 2,
			    .expansions = expansions,
			    .n_signals = 2,
			    .signals = signals};

	ck_assert_uint_eq(saga_payload_size(&saga), 1023 + 1 + 3 + 5 + 7);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_cells_of_a_state, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_strangers_are_ignored, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_unknown_steps, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_every_cell_is_asked_for, 0, ROWS(rows));
	tcase_add_test(tcase, test_every_state_has_a_row);
	tcase_add_test(tcase, test_every_event_is_tried);
	tcase_add_test(tcase, test_the_size_of_payloads);
}

int main(void)
{
	return suite_run("saga", add);
}

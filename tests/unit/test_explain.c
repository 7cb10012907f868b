/* test_explain.c - what is said of a saga: its cause, its waits, what time brings, and
 * the operations that it takes. */
#include "orchestrator/explain/explain.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

#include <inttypes.h>
#include <stdio.h>

enum { TEXT_MAX = 8192 };

/* Waits, prospects and actions with | between them. */
static const struct row {
	const char *name;
	const char *definition;
	const char *before[10];
	const char *cause;
	const char *waits;
	const char *silence;
	const char *actions;
	struct script_answer answer;
	int64_t deadline_ms;
} rows[] = {
	{"a do under way", "a b", .before = {"start"}, .cause = "it goes forward",
	 .waits = "the answer of service to the do of `a`, attempt 1 of 2 => `b` +1000",
	 .silence = "+1000 a: do got no answer in time (attempt 1) | +1100 a: do sent (attempt "
		    "2) | +2100 a: do got no answer in time (attempt 2) | +2100 the saga turns "
		    "back because of a: timeout",
	 .actions = "skip a | cancel | pause | kill"},
	{"the last attempt", "a b", .before = {"start", "a do ok", "b do failed busy", "b due"},
	 .cause = "it goes forward",
	 .waits = "the answer of service to the do of `b`, attempt 2 of 2 => the saga is "
		  "completed +1000",
	 .silence = "+1000 b: do got no answer in time (attempt 2) | +1000 the saga turns back "
		    "because of b: timeout | +1000 b: undo sent (attempt 1)",
	 .actions = "skip b | cancel | pause | kill"},
	{"a back-off", "a b", .before = {"start", "a do failed busy"},
	 .cause = "it goes forward",
	 .waits = "attempt 2 of 2 of the do of `a`, after a back-off (busy) => it is sent "
		  "again +100",
	 .silence = "+100 a: do sent (attempt 2) | +1100 a: do got no answer in time (attempt "
		    "2) | +1100 the saga turns back because of a: timeout | +1100 a: undo sent "
		    "(attempt 1)",
	 .actions = "retry a | skip a | cancel | pause | kill"},
	{"a deadline that comes first", "a b", .before = {"start"}, .deadline_ms = 1500,
	 .cause = "it goes forward",
	 .waits = "the answer of service to the do of `a`, attempt 1 of 2 => `b` +1000",
	 .silence =
		 "+1000 a: do got no answer in time (attempt 1) | +1100 a: do sent (attempt 2) "
		 "| +1500 the saga's deadline passed | +1500 the saga turns back: deadline",
	 .actions = "skip a | cancel | pause | kill"},
	{"an await", "a:await,for=5000 b", .before = {"start"}, .cause = "it goes forward",
	 .waits = "the event `a`, for `a` => `b` +5000",
	 .silence = "+5000 a: a did not come in time | +5000 the saga turns back because of a: "
		    "timeout | +5000 the saga ended: compensated",
	 .actions = "signal a | skip a | cancel | pause | kill"},
	{"an await for ever", "a:await,for=0", .before = {"start"}, .cause = "it goes forward",
	 .waits = "the event `a`, for `a` => the saga is completed",
	 .actions = "signal a | skip a | cancel | pause | kill"},
	{"a sleep", "a:sleep,for=5000 b:when", .before = {"start"}, .cause = "it goes forward",
	 .waits = "the end of `a` => `b`, if its condition holds +5000",
	 .silence = "+5000 a: the sleep is over | +5000 b: do sent (attempt 1)",
	 .actions = "skip a | cancel | pause | kill"},
	{"side by side", "x{a|b c} d", .before = {"start"}, .cause = "it goes forward",
	 .waits = "the answer of service to the do of `a`, attempt 1 of 2 => once all branches "
		  "of `x` are through, `d` +1000 | the answer of service to the do of `b`, "
		  "attempt 1 of 2 => `c` +1000",
	 .silence = "+1000 a: do got no answer in time (attempt 1) | +1000 b: do got no answer "
		    "in time (attempt 1) | +1100 a: do sent (attempt 2) | +1100 b: do sent "
		    "(attempt 2) | 2 more | +2100 the saga turns back because of a: timeout",
	 .actions = "skip a | skip b | cancel | pause | kill"},
	{"a pivot under way", "a p:pivot b:retriable", .before = {"start", "a do ok"},
	 .cause = "it goes forward",
	 .waits = "the answer of service to the do of `p`, attempt 1 of 2 => `b` +1000",
	 .silence = "+1000 p: do got no answer in time (attempt 1) | +1100 p: do sent (attempt "
		    "2) | +2100 p: do got no answer in time (attempt 2) | +2100 p: revoke sent "
		    "(attempt 1)",
	 .actions = "skip p | cancel | pause | kill"},
	{"a revoke", "a p:pivot b:retriable", .before = {"start", "a do ok", "cancel"},
	 .cause = "it is to turn back (cancelled: an operator cancelled it), but its pivot `p` "
		  "may have happened: a revoke decides that",
	 .waits = "the answer of service to the revoke of `p`, attempt 1 => ok bars the pivot "
		  "for good, and the saga turns back; refused means that it was done, and the "
		  "saga goes forward +1000",
	 .silence = "+1000 p: revoke got no answer in time (attempt 1) | +1177 p: revoke sent "
		    "(attempt 2) | +2177 p: revoke got no answer in time (attempt 2) | +2196 "
		    "p: revoke sent (attempt 3) | 10767 more | +86390330 p: revoke parked "
		    "(exhausted)",
	 .actions = "skip p | pause | kill"},
	{"an undo under way", "a b", .before = {"start", "a do ok", "b do refused no"},
	 .cause = "it turns back because of `b` (no)",
	 .waits = "the answer of service to the undo of `a`, attempt 1 of 2 => once all that "
		  "is under way is undone, the saga is compensated +1000",
	 .silence = "+1000 a: undo got no answer in time (attempt 1) | +1100 a: undo sent "
		    "(attempt 2) | +2100 a: undo got no answer in time (attempt 2) | +2100 a: "
		    "undo parked (exhausted)",
	 .actions = "skip a | pause | kill"},
	{"a do whose answer decides what is undone", "a b",
	 .before = {"start", "a do ok", "cancel"},
	 .cause = "it turns back (cancelled: an operator cancelled it)",
	 .waits = "the answer of service to the do of `b`, attempt 1 of 2 => unless it is "
		  "refused, it is undone +1000",
	 .silence = "+1000 b: do got no answer in time (attempt 1) | +1000 b: in doubt, it may "
		    "have happened | +1000 b: undo sent (attempt 1)",
	 .actions = "pause | kill"},
	{"a refusal behind the pivot", "p:pivot b:retriable",
	 .before = {"start", "p do ok", "b do refused no"},
	 .cause = "it goes forward, and has passed its pivot `p`: nothing turns back any more",
	 .waits = "the do of `b` was refused by service (no), and behind the pivot nothing "
		  "turns back; asked again in the same round it would answer the same, so that "
		  "only a retry in a new round (which is what `retry` does), a skip or a kill "
		  "helps",
	 .actions =
		 "retry b | skip b | pause | kill (the saga has passed its pivot, the point)"},
	{"the same in a later round", "p:pivot b:retriable",
	 .before = {"start", "p do ok", "b do refused no", "retry b"},
	 .cause = "it goes forward, and has passed its pivot `p`: nothing turns back any more",
	 .waits = "the answer of service to the do of `b`, attempt 2 of 3 => the saga is "
		  "completed +1000",
	 .silence = "+1000 b: do got no answer in time (attempt 2) | +1100 b: do sent (attempt "
		    "3) | +2100 b: do got no answer in time (attempt 3) | +2100 b: do parked "
		    "(exhausted)",
	 .actions = "skip b | pause | kill (the saga has passed its pivot, the point)"},
	{"exhausted behind the pivot", "p:pivot b:retriable,attempts=1",
	 .before = {"start", "p do ok", "b do failed busy"},
	 .cause = "it goes forward, and has passed its pivot `p`: nothing turns back any more",
	 .waits = "the do of `b` failed 1 time (busy), and its attempts are used up",
	 .actions =
		 "retry b | skip b | pause | kill (the saga has passed its pivot, the point)"},
	{"expired", "a b", .before = {"start", "a do expired"}, .cause = "it goes forward",
	 .waits = "service no longer knows whether the do of `a` happened, so that a retry "
		  "could do it twice: find out, and then skip it, with --output if it was done",
	 .actions = "skip a | cancel | pause | kill"},
	{"an expression behind the pivot", "p:pivot b:retriable",
	 .before = {"start", "p do ok"}, .answer = {"b", PURPOSE_WITH, NULL},
	 .cause = "it goes forward, and has passed its pivot `p`: nothing turns back any more",
	 .waits = "the do of `b` was not sent: an expression failed (expression: 1:1: as the "
		  "test says); a retry evaluates it again, over the same values",
	 .actions =
		 "retry b | skip b | pause | kill (the saga has passed its pivot, the point)"},
	{"an await behind the pivot that is over", "p:pivot w:await,for=5",
	 .before = {"start", "p do ok", "w due"},
	 .cause = "it goes forward, and has passed its pivot `p`: nothing turns back any more",
	 .waits = "the event `w` did not come in time; it is still taken",
	 .actions = "signal w | retry w | skip w | pause | kill (the saga has passed its "
		    "pivot, the point)"},
	{"a refused undo", "a b",
	 .before = {"start", "a do ok", "b do refused no", "a undo refused gone"},
	 .cause = "it turns back because of `b` (no)",
	 .waits = "the undo of `a` was refused by service (gone); asked again in the same "
		  "round it would answer the same, so that only a retry in a new round (which "
		  "is what `retry` does), a skip or a kill helps",
	 .actions = "retry a | skip a | pause | kill"},
	{"an exhausted undo", "a:undos=1 b",
	 .before = {"start", "a do ok", "b do refused no", "a undo failed busy"},
	 .cause = "it turns back because of `b` (no)",
	 .waits = "the undo of `a` failed 1 time (busy), and its attempts are used up",
	 .actions = "retry a | skip a | pause | kill"},
	{"a revoke that nobody answered", "p:pivot b:retriable",
	 .before = {"start", "cancel", "p revoke expired"},
	 .cause = "it is to turn back (cancelled: an operator cancelled it), but its pivot `p` "
		  "may have happened: a revoke decides that",
	 .waits = "service no longer knows whether the revoke of `p` happened, so that a retry "
		  "could do it twice: find out, and then skip it, which goes forward, or kill "
		  "the saga",
	 .actions = "skip p | pause | kill"},
	{"paused", "a b", .before = {"start", "a do failed busy", "pause"},
	 .cause = "it goes forward",
	 .waits =
		 "attempt 2 of 2 of the do of `a`, once the saga is resumed (busy) => it is "
		 "sent again | somebody to resume it: it is paused, and nothing new is sent => "
		 "what was held back is sent",
	 .actions = "skip a | resume | cancel | kill"},
	{"behind its deadline", "p:pivot b:retriable",
	 .before = {"start", "p do ok", "deadline"}, .deadline_ms = 1500,
	 .cause = "it goes forward, and has passed its pivot `p`: nothing turns back any more; "
		  "its deadline has passed, which is noted and no more",
	 .waits = "the answer of service to the do of `b`, attempt 1 of 2 => the saga is "
		  "completed +-500",
	 .silence = "+0 b: do got no answer in time (attempt 1) | +100 b: do sent (attempt 2) "
		    "| +1100 b: do got no answer in time (attempt 2) | +1100 b: do parked "
		    "(exhausted)",
	 .actions = "skip b | pause | kill (the saga has passed its pivot, the point)"},
	{"completed", "a", .before = {"start", "a do ok"},
	 .cause = "it has ended: every step is done or skipped", .actions = "undo"},
	{"completed with a pivot", "a:pivot", .before = {"start", "a do ok"},
	 .cause = "it has ended: every step is done or skipped",
	 .actions = " (the saga passed its pivot, the point of )"},
	{"compensated", "a", .before = {"start", "a do refused no"},
	 .cause = "it has ended: what it did is undone; it turned back because of `a` (no)",
	 .actions = " (the saga has ended; a completed saga wit)"},
	{"elements that wait alike are one wait", "lines:each{pick pack} pay",
	 .before = {"start", "pick#1 do ok"}, .answer = {"lines", PURPOSE_IN, "[1,2,3,4]"},
	 .cause = "it goes forward",
	 .waits = "the answer of service to the do of `pick` #0, #2-#3, attempt 1 of 2 => "
		  "`pack#0`, and so on for each of them +1000 | the answer of service to the "
		  "do of `pack#1`, attempt 1 of 2 => once all elements of `lines` are through, "
		  "`pay` +1000",
	 .silence = "+1000 pick#0: do got no answer in time (attempt 1) | +1000 pack#1: do got "
		    "no answer in time (attempt 1) | +1000 pick#2: do got no answer in time "
		    "(attempt 1) | +1000 pick#3: do got no answer in time (attempt 1) | 6 more "
		    "| +2100 the saga turns back because of pick#0: timeout",
	 .actions = "skip pick#0 | skip pack#1 | cancel | pause | kill"},
	{"elements that wait for other things are not", "lines:each{pick} pay",
	 .before = {"start", "pick#1 do failed busy", "pick#3 do expired", "pick#0 do ok"},
	 .answer = {"lines", PURPOSE_IN, "[1,2,3,4]"}, .cause = "it goes forward",
	 .waits = "attempt 2 of 2 of the do of `pick#1`, after a back-off (busy) => it is sent "
		  "again +100 | the answer of service to the do of `pick#2`, attempt 1 of 2 => "
		  "once all elements of `lines` are through, `pay` +1000 | service no longer "
		  "knows whether the do of `pick#3` happened, so that a retry could do it "
		  "twice: find out, and then skip it, with --output if it was done",
	 .silence = "+100 pick#1: do sent (attempt 2) | +1000 pick#2: do got no answer in time "
		    "(attempt 1) | +1100 pick#2: do sent (attempt 2) | +1100 pick#1: do got no "
		    "answer in time (attempt 2) | 3 more | +1100 the saga turns back because "
		    "of pick#1: timeout | +1100 pick#3: in doubt, it may have happened",
	 .actions = "retry pick#1 | skip pick#1 | skip pick#2 | skip pick#3 | cancel | pause | "
		    "kill"},
	{"the undos of elements", "lines:each{pick} pay",
	 .before = {"start", "pick#0 do ok", "pick#1 do ok", "pay do refused no",
		    "pick#0 undo refused gone"},
	 .cause = "it turns back because of `pay` (no)",
	 .waits = "the undo of `pick#0` was refused by service (gone); asked again in the same "
		  "round it would answer the same, so that only a retry in a new round (which "
		  "is what `retry` does), a skip or a kill helps | the answer of service to "
		  "the undo of `pick#1`, attempt 1 of 2 => once all that is under way is "
		  "undone, the saga is compensated +1000",
	 .silence = "+1000 pick#1: undo got no answer in time (attempt 1) | +1100 pick#1: undo "
		    "sent (attempt 2) | +2100 pick#1: undo got no answer in time (attempt 2) | "
		    "+2100 pick#1: undo parked (exhausted)",
	 .actions = "retry pick#0 | skip pick#0 | skip pick#1 | pause | kill"},
	{"an event for elements", "lines:each{w:await,for=5000} pay", .before = {"start"},
	 .cause = "it goes forward",
	 .waits = "the event `w`, for `w` #0-#1 => once all elements of `lines` are through, "
		  "`pay` +5000",
	 .silence = "+5000 w#0: w did not come in time | +5000 the saga turns back because of "
		    "w#0: timeout | +5000 the saga ended: compensated",
	 .actions = "signal w#0 | skip w#0 | cancel | pause | kill"},
	{"the only element", "lines:each{pick} pay", .before = {"start"},
	 .answer = {"lines", PURPOSE_IN, "[1]"}, .cause = "it goes forward",
	 .waits = "the answer of service to the do of `pick#0`, attempt 1 of 2 => once all "
		  "elements of `lines` are through, `pay` +1000",
	 .silence = "+1000 pick#0: do got no answer in time (attempt 1) | +1100 pick#0: do "
		    "sent (attempt 2) | +2100 pick#0: do got no answer in time (attempt 2) | "
		    "+2100 the saga turns back because of pick#0: timeout",
	 .actions = "skip pick#0 | cancel | pause | kill"},
	{"an `each` that is still to come", "a:sleep,for=70 lines:each{pick}",
	 .before = {"start"}, .cause = "it goes forward",
	 .waits = "the end of `a` => `lines` +70",
	 .silence = "+70 a: the sleep is over | +70 lines: its elements begin | +70 pick#0: do "
		    "sent (attempt 1) | +70 pick#1: do sent (attempt 1)",
	 .actions = "skip a | cancel | pause | kill"},
	{"a child saga", "a ship:child b", .before = {"start", "a do ok"},
	 .cause = "it goes forward",
	 .waits = "the end of its child saga saga-1:ship.f22fdc149a6e4d5a (part), for `ship`, "
		  "which is running => `b`",
	 .actions = "skip ship | cancel | pause | kill"},
	{"a child saga that is turned back", "a ship:child b",
	 .before = {"start", "a do ok", "cancel"},
	 .cause = "it turns back (cancelled: an operator cancelled it)",
	 .waits = "the undoing of its child saga saga-1:ship.f22fdc149a6e4d5a (part), for "
		  "`ship`, which is running => what it depended on is undone",
	 .actions = "skip ship | pause | kill"},
	{"a child saga with a pivot that is asked whether it can turn back",
	 "a ship:child,pivot b:retriable", .before = {"start", "a do ok", "cancel"},
	 .cause = "it is to turn back (cancelled: an operator cancelled it), but its pivot "
		  "`ship` may have happened: a revoke decides that",
	 .waits = "an answer whether it can turn back from its child saga "
		  "saga-1:ship.f22fdc149a6e4d5a (part), for `ship`, which is running => if the "
		  "child saga turns back, so does this one; if it is past its own pivot, both "
		  "go forward",
	 .actions = "skip ship | pause | kill"},
	{"a child saga that was killed", "a ship:child",
	 .before = {"start", "a do ok", "ship do killed"}, .cause = "it goes forward",
	 .waits = "its child saga saga-1:ship.f22fdc149a6e4d5a was killed: what it did stands, "
		  "and nobody undoes it; settle that by hand, and then skip `ship`, with "
		  "--output if it was done",
	 .actions = "skip ship | cancel | pause | kill"},
	{"a child saga whose arguments cannot be made behind the pivot",
	 "p:pivot ship:child,retriable", .before = {"start", "p do ok"},
	 .answer = {"ship", PURPOSE_WITH, NULL},
	 .cause = "it goes forward, and has passed its pivot `p`: nothing turns back any more",
	 .waits = "the do of `ship` was not sent: an expression failed (expression: 1:1: as "
		  "the test says); a retry evaluates it again, over the same values",
	 .actions = "retry ship | skip ship | pause | kill (the saga has passed its pivot, the "
		    "point)"},
	{"a child saga that turned back behind the pivot", "p:pivot ship:child,retriable",
	 .before = {"start", "p do ok", "ship do refused no"},
	 .cause = "it goes forward, and has passed its pivot `p`: nothing turns back any more",
	 .waits = "the do of `ship` was refused by its child saga saga-1:ship.f22fdc149a6e4d5a "
		  "(no), and behind the pivot nothing turns back; asked again in the same "
		  "round it would answer the same, so that only a retry in a new round (which "
		  "is what `retry` does), a skip or a kill helps",
	 .actions = "retry ship | skip ship | pause | kill (the saga has passed its pivot, the "
		    "point)"},
	{"a child saga that is not in the store any more", "a ship:child b",
	 .before = {"start", "a do ok", "ship do ok", "b do refused no", "ship undo expired"},
	 .cause = "it turns back because of `b` (no)",
	 .waits =
		 "its child saga saga-1:ship.f22fdc149a6e4d5a cannot answer the undo of `ship` "
		 "(expired), so that a retry could do it twice: find out, and then skip it",
	 .actions = "skip ship | pause | kill"},
	{"a child saga of each element", "lines:each{ship:child} pay", .before = {"start"},
	 .cause = "it goes forward",
	 .waits = "the end of the child sagas (part), for `ship` #0-#1, which are running; the "
		  "first of them is saga-1:ship.f22fdc149a6e4d5a => once all elements of "
		  "`lines` are through, `pay`",
	 .actions = "skip ship#0 | cancel | pause | kill"},
	{"a child saga that is held back", "a ship:child",
	 .before = {"start", "pause", "a do ok"}, .cause = "it goes forward",
	 .waits = "somebody to resume it: it is paused, and nothing new is sent => what was "
		  "held back is sent",
	 .actions = "resume | cancel | kill"},
	{"killed", "a", .before = {"start", "kill"},
	 .cause = "somebody ended it, and nothing was undone (kill)",
	 .actions = " (the saga has ended; a completed saga wit)"},
};

static struct presence find(void *context, struct slice participant)
{
	(void)context;
	return (struct presence){.processes = slice_is(participant, "service")};
}

static struct hold find_hold(void *context, uint32_t step)
{
	(void)context;
	(void)step;
	return (struct hold){0};
}

static struct kinship find_child(void *context, struct slice id)
{
	(void)context;
	return (struct kinship){.known = saga_id_valid(id), .status = STATUS_RUNNING};
}

/* --- one saga --------------------------------------------------------------------- */

struct scene {
	struct transcript t;
	struct bytes bytes; /* of the timeline */
	struct timeline timeline;
	int64_t due_ms[INSTANCES_MAX];
	struct explanation explanation;
};

static void keep_entries(struct scene *scene)
{
	const struct effects *effects = &scene->t.effects;

	if (scene->t.verdict != VERDICT_TAKEN)
		return;
	for (uint32_t n = 0; n < effects->n_entries; n++)
		timeline_append(&scene->bytes, scene->t.saga.started_ms, &effects->entries[n]);
	for (uint32_t n = 0; n < effects->n_commands; n++)
		scene->due_ms[effects->commands[n].step] =
			scene->t.now_ms + effects->commands[n].timeout_ms;
}

static void open_scene(struct scene *scene, const struct row *row,
		       struct circumstances circumstances)
{
	*scene = (struct scene){.bytes = BYTES(TIMELINE_BYTES_MAX, NULL)};
	transcript_begin(&scene->t, row->definition, &row->answer, row->answer.step != NULL);
	scene->t.definition->deadline_ms = row->deadline_ms;
	for (size_t n = 0; row->before[n]; n++) {
		transcript_play(&scene->t, row->before[n]);
		if (n == 0)
			timeline_begin(&scene->bytes, scene->t.saga.started_ms);
		keep_entries(scene);
	}
	ck_assert_int_eq(timeline_read(bytes_slice(&scene->bytes), &scene->timeline, NULL), OK);
	circumstances.now_ms = scene->t.now_ms;
	circumstances.timeline = &scene->timeline;
	circumstances.due_ms = scene->due_ms;
	ck_assert_int_eq(explain(scene->t.definition, &scene->t.script.base, &scene->t.saga,
				 &circumstances, &scene->t.arena, &scene->explanation),
			 OK);
}

static void close_scene(struct scene *scene)
{
	bytes_release(&scene->bytes);
	transcript_end(&scene->t);
}

/* --- as text ---------------------------------------------------------------------- */

static void put(struct bytes *out, uint32_t n, struct slice text)
{
	bytes_text(out, n ? " | " : "");
	bytes_append(out, text);
}

static void put_waits(const struct scene *scene, struct bytes *out)
{
	for (uint32_t n = 0; n < scene->explanation.n_waits; n++) {
		const struct wait *wait = &scene->explanation.waits[n];

		put(out, n, wait->text);
		if (wait->next.len)
			bytes_text(out, " => ");
		bytes_append(out, wait->next);
		if (wait->until_ms)
			bytes_format(out, " +%" PRId64, wait->until_ms - scene->t.now_ms);
	}
}

static void put_silence(const struct scene *scene, struct bytes *out)
{
	const struct forecast *silence = &scene->explanation.silence;

	for (uint32_t n = 0; n < silence->n; n++) {
		if (n == FORECAST_ATTEMPTS_TOLD && silence->n_untold)
			bytes_format(out, " | %u more", silence->n_untold);
		put(out, n, (struct slice){0});
		bytes_format(out, "+%" PRId64 " ", silence->list[n].at_ms - scene->t.now_ms);
		bytes_append(out, silence->list[n].text);
	}
	if (silence->goes_on)
		bytes_text(out, " and so on");
}

static void put_actions(const struct scene *scene, struct bytes *out)
{
	const struct explanation *explanation = &scene->explanation;

	for (uint32_t n = 0; n < explanation->n_actions; n++) {
		const struct action *action = &explanation->actions[n];
		char room[INSTANCE_NAME_MAX];

		put(out, n, slice_of(event_text(action->type)));
		if (action->step == NO_STEP)
			continue;
		bytes_add(out, ' ');
		bytes_append(out, saga_step_name(scene->t.definition, &scene->t.saga,
						 action->step, room));
	}
	if (explanation->no_cancel)
		bytes_format(out, " (%.40s)", explanation->no_cancel);
}

static void expect(const char *name, const char *what, struct bytes *text, const char *expected)
{
	bytes_add(text, '\0');
	ck_assert_msg(strcmp(text->at, expected ? expected : "") == 0, "%s: %s: %s", name, what,
		      text->at);
	bytes_release(text);
}

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	struct bytes cause = BYTES(TEXT_MAX, NULL), waits = cause, silence = cause,
		     actions = cause;
	struct scene scene;

	open_scene(&scene, row,
		   (struct circumstances){
			   .find = find, .find_hold = find_hold, .find_child = find_child});
	bytes_append(&cause, scene.explanation.cause);
	put_waits(&scene, &waits);
	put_silence(&scene, &silence);
	put_actions(&scene, &actions);
	expect(row->name, "cause", &cause, row->cause);
	expect(row->name, "waits", &waits, row->waits);
	expect(row->name, "silence", &silence, row->silence);
	expect(row->name, "actions", &actions, row->actions);
	close_scene(&scene);
}
END_TEST

/* --- who is there ------------------------------------------------------------------ */

static const struct presence_row {
	const char *name;
	struct presence presence;
	const char *says;
} presence_rows[] = {
	{"connected", {2, 0}, "attempt 1 of 2"},
	{"gone",
	 {0, 1},
	 "attempt 1 of 2; nothing of service is connected: start it, or look why it stopped"},
	{"full", {1, 1}, "attempt 1 of 2; 1 command waits for room at service"},
	{"slow", {1, 7}, "attempt 1 of 2; 7 commands wait for room at service"},
};

static struct presence find_this(void *context, struct slice participant)
{
	const struct presence *presence = context;

	ck_assert(slice_is(participant, "service"));
	return *presence;
}

START_TEST(test_presence)
{
	const struct presence_row *row = &presence_rows[_i];
	static const struct row saga = {.definition = "a", .before = {"start"}};
	struct presence presence = row->presence;
	struct slice text;
	struct scene scene;

	open_scene(&scene, &saga,
		   (struct circumstances){.find = find_this,
					  .find_hold = find_hold,
					  .find_child = find_child,
					  .context = &presence});
	text = scene.explanation.waits[0].text;
	ck_assert_msg(text.len >= strlen(row->says) &&
			      memcmp(text.at + text.len - strlen(row->says), row->says,
				     strlen(row->says)) == 0,
		      "%s: %.*s", row->name, SLICE_ARG(text));
	close_scene(&scene);
}
END_TEST

/* --- what is held ------------------------------------------------------------------ */

enum { HELD_FOR_MS = 7000 };

static const struct hold_row {
	const char *name;
	const char *by;
	bool for_a_while;
	const char *advice; /* begins so */
} hold_rows[] = {
	{"until something is answered", "window", false, "it goes once one of the commands"},
	{"by a rate", "rate", true, "it goes by itself in its turn"},
	{"by a breaker", "breaker", true, "the service failed several times in a row: look"},
	{"by its probe", "probe", false, "the service failed several times in a row; if"},
	{"by a long silence", "silence", true, "the service has not answered for long"},
	{"by a full bus", "bus", true, "the service has not taken what it was sent before"},
	{"while the saga is paused", "pause", false, "it goes once the saga is resumed"},
	{"until it is its turn", "", false, "it goes by itself"},
};

struct holding {
	const struct hold_row *row;
	int64_t now_ms;
};

static struct hold find_this_hold(void *context, uint32_t step)
{
	const struct holding *holding = context;
	const struct hold_row *row = holding->row;
	struct hold hold = {.by = row->by, .text = SLICE_LITERAL("as the engine says")};

	(void)step;
	if (row->for_a_while)
		hold.until_ms = holding->now_ms + HELD_FOR_MS;
	return hold;
}

/* What is held has all the time of its attempt before it, from when it goes. */
START_TEST(test_hold)
{
	static const struct row saga = {.definition = "a", .before = {"start"}};
	const struct hold_row *row = &hold_rows[_i];
	struct holding holding = {.row = row};
	struct circumstances circumstances = {
		.find = find, .find_hold = find_hold, .find_child = find_child};
	const struct explanation *explanation;
	struct scene scene;

	open_scene(&scene, &saga, circumstances);
	holding.now_ms = scene.t.now_ms;
	circumstances.find_hold = find_this_hold;
	circumstances.context = &holding;
	circumstances.now_ms = scene.t.now_ms;
	circumstances.timeline = &scene.timeline;
	circumstances.due_ms = (int64_t[]){0};
	ck_assert_int_eq(explain(scene.t.definition, &scene.t.script.base, &scene.t.saga,
				 &circumstances, &scene.t.arena, &scene.explanation),
			 OK);
	explanation = &scene.explanation;
	ck_assert_str_eq(explanation->waits[0].hold.by, row->by);
	ck_assert_msg(strncmp(explanation->waits[0].advice, row->advice, strlen(row->advice)) ==
			      0,
		      "%s: %s", row->name, explanation->waits[0].advice);
	ck_assert_msg(
		slice_is(explanation->waits[0].text,
			 "the answer of service to the do of `a`, attempt 1 of 2, which is "
			 "held: as the engine says"),
		"%s: %.*s", row->name, SLICE_ARG(explanation->waits[0].text));
	ck_assert_int_eq(explanation->silence.list[0].at_ms,
			 scene.t.now_ms + (row->for_a_while ? HELD_FOR_MS : 0) + 1000);
	close_scene(&scene);
}
END_TEST

/* --- times ------------------------------------------------------------------------- */

START_TEST(test_since)
{
	static const struct row saga = {
		.definition = "x{a|b|w:await}",
		.before = {"start", "+100 a do failed", "+20 pause", "+3 b do failed"}};
	const struct explanation *explanation;
	struct scene scene;
	int64_t start_ms;

	open_scene(&scene, &saga,
		   (struct circumstances){
			   .find = find, .find_hold = find_hold, .find_child = find_child});
	explanation = &scene.explanation;
	start_ms = scene.t.saga.started_ms;
	ck_assert_uint_eq(explanation->n_waits, 4);
	ck_assert_int_eq(explanation->waits[0].since_ms, start_ms + 100);
	ck_assert_int_eq(explanation->waits[1].since_ms, start_ms + 123);
	ck_assert_int_eq(explanation->waits[2].since_ms, start_ms);
	ck_assert_int_eq(explanation->waits[3].since_ms, start_ms + 120);
	close_scene(&scene);
}
END_TEST

/* An attempt that was not handed over has all its time before it. */
START_TEST(test_an_attempt_that_was_not_handed_over)
{
	struct transcript t;
	int64_t due_ms[1] = {0}, begin_ms[1] = {0};
	struct forecast silence;

	transcript_begin(&t, "a", NULL, 0);
	transcript_play(&t, "start");
	ck_assert_int_eq(forecast(t.definition, &t.script.base, &t.saga,
				  &(struct attempts){due_ms, begin_ms}, t.now_ms + 70, &t.arena,
				  &silence),
			 OK);
	ck_assert_int_eq(silence.list[0].at_ms, t.now_ms + 70 + 1000);
	transcript_end(&t);
}
END_TEST

/* The time that a retry may take counts from when its first attempt was handed over:
 * one of 1,000 ms and one after 100 ms more, but none after 200 ms more. */
START_TEST(test_a_budget)
{
	struct transcript t;
	int64_t due_ms[1], begin_ms[1] = {0};
	struct forecast silence;
	struct retry *retry;

	transcript_begin(&t, "a:attempts=0", NULL, 0);
	retry = &build_step(t.definition, "a")->call.retry;
	retry->budget_ms = 1500;
	transcript_play(&t, "start");
	due_ms[0] = t.now_ms + 1000;
	ck_assert_int_eq(forecast(t.definition, &t.script.base, &t.saga,
				  &(struct attempts){due_ms, begin_ms}, t.now_ms, &t.arena,
				  &silence),
			 OK);
	ck_assert_uint_eq(silence.n, 4);
	ck_assert_int_eq(silence.list[3].at_ms, t.now_ms + 2100);
	transcript_end(&t);
}
END_TEST

/* More attempts than are looked at. */
START_TEST(test_a_forecast_has_an_end)
{
	struct transcript t;
	int64_t due_ms[1] = {0}, begin_ms[1] = {0};
	struct forecast silence;

	transcript_begin(&t, "a:attempts=100000", NULL, 0);
	build_step(t.definition, "a")->call.retry.budget_ms = 0;
	transcript_play(&t, "start");
	ck_assert_int_eq(forecast(t.definition, &t.script.base, &t.saga,
				  &(struct attempts){due_ms, begin_ms}, t.now_ms, &t.arena,
				  &silence),
			 OK);
	ck_assert(silence.goes_on);
	ck_assert_uint_eq(silence.n, FORECAST_ATTEMPTS_TOLD);
	ck_assert_uint_eq(silence.n_untold, FORECAST_EVENTS_MAX - FORECAST_ATTEMPTS_TOLD);
	transcript_end(&t);
}
END_TEST

/* --- the operations are those that would be taken ---------------------------------- */

/* Whether that operation of one element is one of this, too. */
static bool is_alike(const struct scene *scene, const struct action *action, uint32_t step)
{
	const struct definition *definition = scene->t.definition;
	const struct wait *wait = &scene->explanation.waits[action->wait];
	struct instance at;

	if (action->step == step || action->wait == NO_WAIT)
		return action->step == step;
	at = saga_instance(definition, &scene->t.saga, step);
	for (uint32_t n = 0; n < wait->n_elements; n++)
		if (wait->elements[n] == at.element)
			return saga_instance(definition, &scene->t.saga, wait->step).step ==
			       at.step;
	return false;
}

static bool is_offered(const struct scene *scene, enum event_type type, uint32_t step)
{
	for (uint32_t n = 0; n < scene->explanation.n_actions; n++)
		if (scene->explanation.actions[n].type == type &&
		    is_alike(scene, &scene->explanation.actions[n], step))
			return true;
	return false;
}

static void compare(struct scene *scene, enum event_type type, uint32_t step, const char *name)
{
	struct event event = {.type = type,
			      .at_ms = scene->t.now_ms,
			      .step = step,
			      .reason = SLICE_LITERAL("why")};
	struct effects effects;
	struct saga after;
	enum verdict verdict =
		saga_step(scene->t.definition, &scene->t.script.base, &scene->t.saga, &event,
			  &scene->t.arena, &after, &effects);

	ck_assert_msg((verdict == VERDICT_TAKEN) == is_offered(scene, type, step), "%s: %s %d",
		      name, event_text(type), (int)step);
}

START_TEST(test_actions)
{
	static const enum event_type of_saga[] = {EVENT_CANCEL, EVENT_UNDO, EVENT_PAUSE,
						  EVENT_RESUME, EVENT_KILL};
	struct scene scene;

	open_scene(&scene, &rows[_i],
		   (struct circumstances){
			   .find = find, .find_hold = find_hold, .find_child = find_child});
	for (size_t n = 0; n < sizeof of_saga / sizeof *of_saga; n++)
		compare(&scene, of_saga[n], NO_STEP, rows[_i].name);
	for (uint32_t i = 0; i < scene.t.saga.n_steps; i++) {
		compare(&scene, EVENT_RETRY, i, rows[_i].name);
		compare(&scene, EVENT_SKIP, i, rows[_i].name);
	}
	close_scene(&scene);
}
END_TEST

/* --- no memory ---------------------------------------------------------------------- */

START_TEST(test_no_memory)
{
	struct scene scene;
	struct circumstances circumstances = {
		.find = find, .find_hold = find_hold, .find_child = find_child};
	struct explanation explanation;
	bool fired = true;

	open_scene(&scene, &rows[_i], circumstances);
	circumstances.now_ms = scene.t.now_ms;
	circumstances.timeline = &scene.timeline;
	circumstances.due_ms = scene.due_ms;
	for (size_t n = 0; fired; n++) {
		struct arena arena = {0};
		enum err err;

		fail_malloc_at(n);
		err = explain(scene.t.definition, &scene.t.script.base, &scene.t.saga,
			      &circumstances, &arena, &explanation);
		fired = fail_malloc_off();
		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
		arena_release(&arena);
	}
	close_scene(&scene);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_presence, 0, ROWS(presence_rows));
	tcase_add_loop_test(tcase, test_hold, 0, ROWS(hold_rows));
	tcase_add_test(tcase, test_since);
	tcase_add_test(tcase, test_an_attempt_that_was_not_handed_over);
	tcase_add_test(tcase, test_a_budget);
	tcase_add_test(tcase, test_a_forecast_has_an_end);
	tcase_add_loop_test(tcase, test_actions, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_no_memory, 0, ROWS(rows));
}

int main(void)
{
	return suite_run("explain", add);
}

/* test_saga_effects.c - what follows from an event: the commands word for word, the
 * lines of the timeline, what is kept of failures, and the limits of a saga. */
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

#include <stdio.h>

/* --- the timeline ---------------------------------------------------------------------- */

static const struct row {
	const char *name;
	const char *definition;
	struct script_answer answer;
	const char *before[8];
	const char *happening;
	const char *entries;
} rows[] = {
	{"a saga starts", "a b", .happening = "start", .entries = "started; sent a do#1"},
	{"a reply is taken, and the next step sent", "a b", .before = {"start"},
	 .happening = "a do ok", .entries = "ok a do#1; sent b do#1"},
	{"the last reply ends it", "a", .before = {"start"}, .happening = "a do ok",
	 .entries = "ok a do#1; ended \"completed\""},
	{"a reply tells of its own attempt, not of the newest", "a:attempts=3 b",
	 .before = {"start", "a do timeout", "a due"}, .happening = "a do#1 ok",
	 .entries = "ok a do#1; sent b do#1"},
	{"a failure has its code", "a", .before = {"start"}, .happening = "a do failed busy",
	 .entries = "failed a do#1 \"busy\""},
	{"silence is told", "a", .before = {"start"}, .happening = "a do timeout",
	 .entries = "timeout a do#1"},
	{"the next attempt is told", "a", .before = {"start", "a do failed"},
	 .happening = "a due", .entries = "sent a do#2"},
	{"a refusal turns the saga back", "a b c", .before = {"start", "a do ok"},
	 .happening = "b do refused no",
	 .entries = "refused b do#1 \"no\"; turned back b do#1 \"no\"; sent a undo#1"},
	{"a command that is too old parks", "a", .before = {"start"},
	 .happening = "a do expired", .entries = "expired a do#1; parked a do#1 \"expired\""},
	{"a step in back-off is in doubt when the saga turns back", "a b",
	 .before = {"start", "a do failed"}, .happening = "cancel",
	 .entries = "operation \"cancel\" by ann; turned back \"cancelled\" by ann; "
		    "in doubt a do#1 by ann; sent a undo#1 by ann"},
	{"the command in flight is in doubt when its attempt is over", "a b",
	 .before = {"start", "cancel"}, .happening = "a do timeout",
	 .entries = "timeout a do#1; in doubt a do#1; sent a undo#1"},
	{"an answer that is too old leaves what turns back in doubt", "a b",
	 .before = {"start", "cancel"}, .happening = "a do expired",
	 .entries = "expired a do#1; in doubt a do#1; sent a undo#1"},
	{"a late ok is told", "a:ignore,attempts=1 b", .before = {"start", "a do timeout"},
	 .happening = "a do ok [1]", .entries = "late ok a do#1"},
	{"an ignored failure is told", "a:ignore b", .before = {"start"},
	 .happening = "a do refused no",
	 .entries = "refused a do#1 \"no\"; skipped a do#1 \"refused\"; sent b do#1"},
	{"a condition that is false is told once for all in it",
	 "a x:when{b|c}",
	 {"x", PURPOSE_WHEN, "false"},
	 .before = {"start"},
	 .happening = "a do ok",
	 .entries = "ok a do#1; skipped x do#0 \"condition\"; ended \"completed\""},
	{"what is taken back before it was sent is not told",
	 "c x{a|b}",
	 {"b", PURPOSE_WITH, NULL},
	 .before = {"start"},
	 .happening = "c do ok",
	 .entries = "ok c do#1; entered x do#0; error b do#0 \"1:1: as the test says\"; "
		    "turned back b do#0 \"expression\"; sent c undo#1"},
	{"what turns back as it starts sends nothing",
	 "x{a|b}",
	 {"b", PURPOSE_WITH, NULL},
	 .happening = "start",
	 .entries = "started; entered x do#0; error b do#0 \"1:1: as the test says\"; "
		    "turned back b do#0 \"expression\"; ended \"compensated\""},
	{"an expression that fails is told with its text",
	 "a b",
	 {"b", PURPOSE_WITH, NULL},
	 .before = {"start"},
	 .happening = "a do ok",
	 .entries = "ok a do#1; error b do#0 \"1:1: as the test says\"; "
		    "turned back b do#0 \"expression\"; sent a undo#1"},
	{"an output that cannot be told is an error of the saga",
	 "a",
	 {NULL, PURPOSE_OUTPUT, NULL},
	 .before = {"start"},
	 .happening = "a do ok",
	 .entries = "ok a do#1; error \"1:1: as the test says\"; ended \"completed\""},
	{"a parallel step is entered", "x{a|b}", .happening = "start",
	 .entries = "started; entered x do#0; sent a do#1; sent b do#1"},
	{"a parallel step is left", "x{a|b}", .before = {"start", "a do ok"},
	 .happening = "b do ok", .entries = "ok b do#1; left x do#0; ended \"completed\""},
	{"many at once are all told, in order",
	 "w{x{a|b|c|d|e|f}|y{g|h|i|j|k|l}|z{m|n|o|p|q|r}}", .happening = "start",
	 .entries = "started; entered w do#0; entered x do#0; sent a do#1; sent b do#1; sent c "
		    "do#1; sent d do#1; sent e do#1; sent f do#1; entered y do#0; sent g do#1; "
		    "sent h do#1; sent i do#1; sent j do#1; sent k do#1; sent l do#1; entered "
		    "z do#0; sent m do#1; sent n do#1; sent o do#1; sent p do#1; sent q do#1; "
		    "sent r do#1"},
	{"an each is entered", "lines:each{a}", .happening = "start",
	 .entries = "started; entered lines do#0; sent a#0 do#1; sent a#1 do#1"},
	{"an each is left", "lines:each{a}", .before = {"start", "a#1 do ok"},
	 .happening = "a#0 do ok",
	 .entries = "ok a#0 do#1; left lines do#0; ended \"completed\""},
	{"a list that is too long is an error of its each", "lines:each,max=1{a}",
	 .happening = "start",
	 .entries = "started; error lines do#0 \"the list has 2 elements, more than 1\"; "
		    "turned back lines do#0 \"too-many-elements\"; ended \"compensated\""},
	{"an each that is skipped is told as one",
	 "lines:each,when{a}",
	 {"lines", PURPOSE_WHEN, "false"},
	 .happening = "start",
	 .entries = "started; skipped lines do#0 \"condition\"; ended \"completed\""},
	{"an await is entered", "w:await", .happening = "start",
	 .entries = "started; entered w do#0 \"w\""},
	{"an await is left", "w:await", .before = {"start"}, .happening = "signal w one",
	 .entries = "signal \"w\" by ann; left w do#0 \"w\" by ann; "
		    "ended \"completed\" by ann"},
	{"an await gives up", "w:await,for=5", .before = {"start"}, .happening = "w due",
	 .entries = "timeout w do#0 \"w\"; turned back w do#0 \"timeout\"; "
		    "ended \"compensated\""},
	{"a sleep is entered", "s:sleep,for=5", .happening = "start",
	 .entries = "started; entered s do#0"},
	{"a sleep is left", "s:sleep,for=5", .before = {"start"}, .happening = "s due",
	 .entries = "left s do#0; ended \"completed\""},
	{"the deadline is told", "a b", .before = {"start"}, .happening = "deadline",
	 .entries = "deadline by ann; turned back \"deadline\" by ann"},
	{"going on after all is told", "p:pivot r:retriable", .before = {"start", "cancel"},
	 .happening = "p revoke refused",
	 .entries = "refused p revoke#1; went on p revoke#1; sent r do#1"},
	{"an undo is told", "a b", .before = {"start", "a do ok", "b do refused"},
	 .happening = "a undo ok", .entries = "ok a undo#1; ended \"compensated\""},
	{"a pivot is nothing special while nobody wants back", "p:pivot r:retriable",
	 .before = {"start"}, .happening = "p do ok", .entries = "ok p do#1; sent r do#1"},
	{"nor where it is skipped", "p:pivot r:retriable", .before = {"start"},
	 .happening = "skip p",
	 .entries = "operation p do#1 \"skip\" by ann; skipped p do#1 \"operator\" by ann; "
		    "sent r do#1 by ann"},
	{"an undo that is skipped is told", "a b",
	 .before = {"start", "a do ok", "b do refused"}, .happening = "skip a",
	 .entries = "operation a undo#1 \"skip\" by ann; "
		    "skipped a undo#1 \"operator\" by ann; ended \"compensated\" by ann"},
	{"an undo that is given up is told", "a:skip b",
	 .before = {"start", "a do ok", "b do refused"}, .happening = "a undo refused no",
	 .entries = "refused a undo#1 \"no\"; skipped a undo#1 \"refused\"; "
		    "ended \"compensated\""},
	{"a parked step is in doubt when the saga turns back", "a b",
	 .before = {"start", "a do expired"}, .happening = "cancel",
	 .entries = "operation \"cancel\" by ann; turned back \"cancelled\" by ann; "
		    "in doubt a do#1 by ann; sent a undo#1 by ann"},
	{"a refused undo is told", "a b", .before = {"start", "a do ok", "b do refused"},
	 .happening = "a undo refused no",
	 .entries = "refused a undo#1 \"no\"; parked a undo#1 \"refused\""},
	{"an operator's undo is told", "a", .before = {"start", "a do ok"}, .happening = "undo",
	 .entries = "operation \"undo\" by ann; turned back \"undo\" by ann; "
		    "sent a undo#1 by ann"},
	{"a revoke is told", "a p:pivot", .before = {"start", "a do ok", "cancel"},
	 .happening = "p revoke ok",
	 .entries = "ok p revoke#1; turned back \"cancelled\"; sent a undo#1"},
	{"the do's answer is told as the do's, whatever came after it", "p:pivot r:retriable",
	 .before = {"start", "cancel"}, .happening = "p do ok",
	 .entries = "ok p do#1; went on p revoke#1; sent r do#1"},
	{"an operator's retry is told of its step", "a", .before = {"start", "a do failed"},
	 .happening = "retry",
	 .entries = "operation a do#1 \"retry\" by ann; "
		    "sent a do#2 by ann"},
	{"a kill ends the saga", "a", .before = {"start"}, .happening = "kill",
	 .entries = "operation \"kill\" by ann; ended \"killed\" by ann"},
	{"a pause is told, and that is all", "a", .before = {"start"}, .happening = "pause",
	 .entries = "operation \"pause\" by ann"},
	{"skipping is told", "a", .before = {"start"}, .happening = "skip a",
	 .entries = "operation a do#1 \"skip\" by ann; skipped a do#1 \"operator\" by ann; "
		    "ended \"completed\" by ann"},
};

static void write_entries(const struct transcript *t, char text[], size_t size)
{
	char name[INSTANCE_NAME_MAX];
	size_t len = 0;

	for (uint32_t n = 0; n < t->effects.n_entries; n++) {
		const struct entry *entry = &t->effects.entries[n];

		ck_assert_int_eq(entry->at_ms, t->now_ms);
		len += (size_t)snprintf(text + len, size - len, "%s%s", n ? "; " : "",
					entry_text(entry->type));
		if (entry->step == NO_STEP)
			ck_assert(entry->verb == VERB_DO && entry->attempt == 0);
		else
			len += (size_t)snprintf(
				text + len, size - len, " %.*s %s#%u",
				SLICE_ARG(saga_step_name(t->definition, &t->saga, entry->step,
							 name)),
				verb_text(entry->verb), (unsigned)entry->attempt);
		if (entry->detail.len)
			len += (size_t)snprintf(text + len, size - len, " \"%.*s\"",
						SLICE_ARG(entry->detail));
		if (entry->actor.len && entry->type != ENTRY_STARTED && t->saga.revision > 1)
			len += (size_t)snprintf(text + len, size - len, " by %.*s",
						SLICE_ARG(entry->actor));
		ck_assert(len < size);
	}
}

START_TEST(test_entries)
{
	const struct row *row = &rows[_i];
	struct transcript t;
	char text[TRANSCRIPT_LINE_MAX];

	transcript_begin(&t, row->definition, &row->answer,
			 row->answer.step || row->answer.purpose);
	t.definition->deadline_ms = 60000;
	if (row->answer.purpose == PURPOSE_OUTPUT)
		t.definition->output = build_step(t.definition, "a")->call.with;
	for (int n = 0; row->before[n]; n++)
		transcript_play(&t, row->before[n]);
	transcript_play(&t, row->happening);
	ck_assert_int_eq(t.verdict, VERDICT_TAKEN);
	write_entries(&t, text, sizeof text);
	ck_assert_msg(strcmp(text, row->entries) == 0, "%s: %s", row->name, text);
	transcript_end(&t);
}
END_TEST

static void expect_error(const struct error *error, const char *code, const char *message)
{
	ck_assert_ptr_nonnull(error);
	ck_assert(slice_is(error->code, code));
	ck_assert(slice_is(error->message, message));
}

START_TEST(test_an_operation_tells_who_and_why)
{
	struct event event = {.type = EVENT_CANCEL,
			      .step = NO_STEP,
			      .at_ms = 1000007,
			      .actor = SLICE_LITERAL("bob"),
			      .reason = SLICE_LITERAL("customer asked")};
	struct transcript t;
	struct saga after;

	transcript_begin(&t, "a b", NULL, 0);
	transcript_play(&t, "start");
	ck_assert_int_eq(saga_step(t.definition, &t.script.base, &t.saga, &event, &t.arena,
				   &after, &t.effects),
			 VERDICT_TAKEN);
	ck_assert_uint_eq(t.effects.n_entries, 2);
	ck_assert(slice_is(t.effects.entries[0].detail, "cancel: customer asked"));
	for (uint32_t n = 0; n < t.effects.n_entries; n++)
		ck_assert(slice_is(t.effects.entries[n].actor, "bob"));
	ck_assert(slice_is(after.failure->code, "cancelled"));
	ck_assert(slice_is(after.failure->message, "customer asked"));
	ck_assert_uint_eq(after.failure_step, NO_STEP);
	transcript_end(&t);

	transcript_begin(&t, "a", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "a do ok");
	event.type = EVENT_UNDO;
	ck_assert_int_eq(saga_step(t.definition, &t.script.base, &t.saga, &event, &t.arena,
				   &after, &t.effects),
			 VERDICT_TAKEN);
	ck_assert(slice_is(t.effects.entries[0].detail, "undo: customer asked"));
	expect_error(after.failure, "undo", "customer asked");
	event.reason = (struct slice){0};
	ck_assert_int_eq(saga_step(t.definition, &t.script.base, &t.saga, &event, &t.arena,
				   &after, &t.effects),
			 VERDICT_TAKEN);
	ck_assert(slice_is(t.effects.entries[0].detail, "undo"));
	expect_error(after.failure, "undo", "an operator undid it");
	transcript_end(&t);
}
END_TEST

/* --- commands ----------------------------------------------------------------------------- */

static void expect_command(const struct command *command, struct command expected)
{
	ck_assert_uint_eq(command->step, expected.step);
	ck_assert_int_eq(command->verb, expected.verb);
	ck_assert_uint_eq(command->round, expected.round);
	ck_assert_uint_eq(command->do_round, expected.do_round);
	ck_assert_int_eq(command->alone, expected.alone);
	ck_assert_uint_eq(command->attempt, expected.attempt);
	ck_assert_int_eq(command->timeout_ms, expected.timeout_ms);
	ck_assert_int_eq(command->first_ms, expected.first_ms);
	ck_assert(slice_equal(command->args, expected.args));
	ck_assert(slice_equal(command->output, expected.output));
}

START_TEST(test_commands_of_do_and_undo)
{
	struct transcript t;
	int64_t start_ms;

	transcript_begin(&t, "n:nothing,timeout=300 a:timeout=400 b:timeout=500", NULL, 0);
	build_step(t.definition, "a")->undo.timeout_ms = 600;
	start_ms = t.now_ms;
	transcript_play(&t, "start");
	ck_assert_uint_eq(t.effects.n_commands, 1);
	expect_command(&t.effects.commands[0],
		       (struct command){.step = 1,
					.verb = VERB_DO,
					.attempt = 1,
					.timeout_ms = 400,
					.first_ms = start_ms,
					.args = SLICE_LITERAL("{\"do\":\"a\"}")});
	transcript_play(&t, "+50 a do ok [1]");
	transcript_play(&t, "+50 b do refused");
	expect_command(&t.effects.commands[0],
		       (struct command){.step = 1,
					.verb = VERB_UNDO,
					.attempt = 1,
					.timeout_ms = 600,
					.first_ms = start_ms,
					.args = SLICE_LITERAL("{\"undo\":\"a\"}"),
					.output = SLICE_LITERAL("[1]")});
	transcript_play(&t, "+50 a undo refused");
	transcript_play(&t, "+50 retry a");
	expect_command(&t.effects.commands[0],
		       (struct command){.step = 1,
					.verb = VERB_UNDO,
					.round = 1,
					.attempt = 2,
					.timeout_ms = 600,
					.first_ms = start_ms,
					.args = SLICE_LITERAL("{\"undo\":\"a\"}"),
					.output = SLICE_LITERAL("[1]")});
	transcript_play(&t, "a undo ok");
	expect_command(&t.effects.commands[0],
		       (struct command){.step = 0,
					.verb = VERB_UNDO,
					.alone = true,
					.attempt = 1,
					.timeout_ms = 300,
					.first_ms = start_ms + 200,
					.args = SLICE_LITERAL("{\"undo\":\"n\"}")});
	transcript_end(&t);
}
END_TEST

START_TEST(test_commands_of_the_pivot)
{
	struct transcript t;
	int64_t start_ms;

	transcript_begin(&t, "p:pivot,timeout=400 r:retriable", NULL, 0);
	start_ms = t.now_ms;
	transcript_play(&t, "start");
	transcript_play(&t, "+50 cancel");
	expect_command(&t.effects.commands[0], (struct command){.step = 0,
								.verb = VERB_REVOKE,
								.attempt = 1,
								.timeout_ms = 400,
								.first_ms = start_ms,
								.args = SLICE_LITERAL("{}")});
	transcript_play(&t, "p do ok");
	transcript_play(&t, "+50 r do refused");
	transcript_play(&t, "+50 retry");

	/* A new round is a new command: the participant has never seen it. */
	expect_command(&t.effects.commands[0],
		       (struct command){.step = 1,
					.verb = VERB_DO,
					.round = 1,
					.do_round = 1,
					.attempt = 2,
					.timeout_ms = 1000,
					.first_ms = start_ms + 150,
					.args = SLICE_LITERAL("{\"do\":\"r\"}")});
	transcript_end(&t);
}
END_TEST

START_TEST(test_command_ids)
{
	struct definition *definition = build("reserve charge:pivot");
	struct slice id = SLICE_LITERAL("order-17");
	char text[COMMAND_ID_MAX];
	size_t len = command_id(definition, id, (struct instance){0, 0}, 0, VERB_DO, text);

	ck_assert(slice_is((struct slice){text, len}, "order-17/reserve#0/0/do"));
	len = command_id(definition, id, (struct instance){0, 0}, ROUNDS_MAX, VERB_UNDO, text);
	ck_assert(slice_is((struct slice){text, len}, "order-17/reserve#0/65535/undo"));
	len = command_id(definition, id, (struct instance){1, 0}, 10, VERB_REVOKE, text);
	ck_assert(slice_is((struct slice){text, len}, "order-17/charge#0/10/revoke"));
	definition_free(definition);
}
END_TEST

START_TEST(test_saga_ids)
{
	char longest[SAGA_ID_MAX + 2];

	memset(longest, 'x', sizeof longest);
	ck_assert(saga_id_valid(SLICE_LITERAL("Order_17.a-Z9")));
	ck_assert(saga_id_valid((struct slice){longest, SAGA_NAME_MAX}));
	ck_assert(saga_name_valid((struct slice){longest, SAGA_NAME_MAX}));
	ck_assert(!saga_id_valid((struct slice){longest, SAGA_NAME_MAX + 1}));
	longest[SAGA_NAME_MAX] = ':';
	ck_assert(saga_id_valid((struct slice){longest, SAGA_ID_MAX}));
	ck_assert(!saga_name_valid((struct slice){longest, SAGA_ID_MAX}));
	ck_assert(!saga_id_valid((struct slice){longest, SAGA_ID_MAX + 1}));
	ck_assert(!saga_id_valid((struct slice){longest, SAGA_NAME_MAX + 1}));
	ck_assert(saga_id_valid(SLICE_LITERAL("order-17:ship.5f")));
	ck_assert(!saga_id_valid(SLICE_LITERAL("order-17:ship:5f")));
	ck_assert(!saga_id_valid(SLICE_LITERAL(":ship.5f")));
	ck_assert(!saga_id_valid(SLICE_LITERAL("")));
	ck_assert(!saga_id_valid(SLICE_LITERAL("a/b")));
	ck_assert(!saga_id_valid(SLICE_LITERAL("a#b")));
	ck_assert(!saga_id_valid(SLICE_LITERAL("a b")));
	ck_assert(!saga_id_valid(SLICE_LITERAL("\303\244")));
}
END_TEST

/* --- what is kept ----------------------------------------------------------------------------
 */

START_TEST(test_errors_and_the_failure_are_kept)
{
	struct transcript t;

	transcript_begin(&t, "a:attempts=4 b", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "a do timeout");
	expect_error(t.saga.steps[0].error, "timeout",
		     "no answer within the timeout of the attempt");
	transcript_play(&t, "a due");
	transcript_play(&t, "a do failed");
	expect_error(t.saga.steps[0].error, "failed", "");
	transcript_play(&t, "a do ok");
	ck_assert_ptr_null(t.saga.failure);
	transcript_play(&t, "b do refused sold-out");
	expect_error(t.saga.steps[1].error, "sold-out", "");
	expect_error(t.saga.failure, "sold-out", "");
	ck_assert_uint_eq(t.saga.failure_step, 1);

	/* What happens while it is undone does not change why it is. */
	transcript_play(&t, "a undo refused never");
	expect_error(t.saga.steps[0].error, "never", "");
	expect_error(t.saga.failure, "sold-out", "");
	transcript_end(&t);
}
END_TEST

START_TEST(test_a_wish_that_came_too_late_leaves_no_failure)
{
	struct transcript t;

	transcript_begin(&t, "p:pivot r:retriable", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "cancel");
	expect_error(t.saga.failure, "cancelled", "an operator cancelled it");
	transcript_play(&t, "p revoke refused [1]");
	ck_assert_ptr_null(t.saga.failure);
	ck_assert_uint_eq(t.saga.failure_step, NO_STEP);
	transcript_end(&t);

	transcript_begin(&t, "p:pivot,attempts=1 r:retriable", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "p do timeout");
	ck_assert_uint_eq(t.saga.failure_step, 0);
	transcript_play(&t, "p revoke refused [1]");
	ck_assert_ptr_null(t.saga.failure);
	ck_assert_uint_eq(t.saga.failure_step, NO_STEP);
	transcript_end(&t);
}
END_TEST

START_TEST(test_the_output_of_a_completed_saga)
{
	static const struct script_answer answer = {NULL, PURPOSE_OUTPUT, "{\"x\":1}"};
	struct transcript t;

	transcript_begin(&t, "a", &answer, 1);
	t.definition->output = build_step(t.definition, "a")->call.with;
	transcript_play(&t, "start");
	ck_assert_uint_eq(t.saga.output.len, 0);
	transcript_play(&t, "a do ok");
	ck_assert(slice_is(t.saga.output, "{\"x\":1}"));
	transcript_end(&t);
}
END_TEST

START_TEST(test_status)
{
	struct transcript t;

	transcript_begin(&t, "a b", NULL, 0);
	transcript_play(&t, "start");
	ck_assert_int_eq(saga_status(&t.saga), STATUS_RUNNING);
	transcript_play(&t, "a do expired");
	ck_assert_int_eq(saga_status(&t.saga), STATUS_PARKED);
	transcript_play(&t, "a do ok");
	transcript_play(&t, "cancel");
	ck_assert_int_eq(saga_status(&t.saga), STATUS_COMPENSATING);
	transcript_play(&t, "b do refused");
	transcript_play(&t, "a undo refused");
	ck_assert_int_eq(saga_status(&t.saga), STATUS_PARKED);
	transcript_play(&t, "skip a");
	ck_assert_int_eq(saga_status(&t.saga), STATUS_COMPENSATED);
	transcript_end(&t);

	transcript_begin(&t, "a", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "a do ok");
	ck_assert_int_eq(saga_status(&t.saga), STATUS_COMPLETED);
	transcript_end(&t);

	transcript_begin(&t, "x{a|b}", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "b do expired");
	ck_assert_int_eq(saga_status(&t.saga), STATUS_PARKED);
	transcript_end(&t);

	/* Killed is killed, even with a step that was parked. */
	transcript_begin(&t, "a", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "a do expired");
	transcript_play(&t, "kill");
	ck_assert_int_eq(saga_status(&t.saga), STATUS_KILLED);
	transcript_end(&t);
}
END_TEST

/* --- what is none of a saga's business
 * ---------------------------------------------------------- */

static enum verdict step_with(struct transcript *t, struct event event)
{
	struct effects effects;
	struct saga after;

	event.at_ms = t->now_ms;
	return saga_step(t->definition, &t->script.base, &t->saga, &event, &t->arena, &after,
			 &effects);
}

START_TEST(test_what_has_no_name_is_ignored)
{
	const enum outcome no_outcome = (enum outcome)(OUTCOME_KILLED + 1);
	struct transcript t;

	transcript_begin(&t, "a p:pivot", NULL, 0);
	transcript_play(&t, "start");
	ck_assert_int_eq(step_with(&t, (struct event){.type = (enum event_type)EVENT_TYPES}),
			 VERDICT_IGNORED);
	ck_assert_int_eq(step_with(&t, (struct event){.type = EVENT_REPLY,
						      .verb = (enum verb)(VERB_REVOKE + 1),
						      .attempt = 1}),
			 VERDICT_IGNORED);
	ck_assert_int_eq(step_with(&t, (struct event){.type = EVENT_REPLY,
						      .attempt = 1,
						      .outcome = no_outcome}),
			 VERDICT_IGNORED);
	/* No participant can say that: a is no child. */
	ck_assert_int_eq(step_with(&t, (struct event){.type = EVENT_REPLY,
						      .attempt = 1,
						      .outcome = OUTCOME_KILLED}),
			 VERDICT_IGNORED);
	transcript_play(&t, "a do ok");
	transcript_play(&t, "cancel");
	ck_assert_int_eq(step_with(&t, (struct event){.type = EVENT_REPLY,
						      .step = 1,
						      .verb = VERB_REVOKE,
						      .attempt = 1,
						      .outcome = no_outcome}),
			 VERDICT_IGNORED);
	transcript_play(&t, "p revoke ok");
	ck_assert_int_eq(step_with(&t, (struct event){.type = EVENT_REPLY,
						      .verb = VERB_UNDO,
						      .attempt = 1,
						      .outcome = no_outcome}),
			 VERDICT_IGNORED);
	transcript_end(&t);
}
END_TEST

/* As step_with(), of a step behind the last one: where it would stand in the saga
 * afterwards stands what one of the saga before does. */
static enum verdict step_behind(struct transcript *t, struct event event)
{
	struct arena arena = t->arena;
	struct step *steps;
	enum verdict verdict;

	t->arena = (struct arena){0};
	steps = arena_array(&t->arena, t->saga.n_steps + 1, sizeof *steps);
	memcpy(steps, t->saga.steps, (t->saga.n_steps + 1) * sizeof *steps);
	arena_reset(&t->arena);
	event.step = t->saga.n_steps;
	verdict = step_with(t, event);
	arena_release(&t->arena);
	t->arena = arena;
	return verdict;
}

/* Of five steps the definition knows four. (An arena leaves a gap behind most other
 * numbers.) */
START_TEST(test_what_stands_behind_the_last_step_is_none)
{
	struct transcript t;
	struct step_definition *behind;
	struct effects effects;
	struct timer timer;

	transcript_begin(&t, "x{a|b|c|d}", NULL, 0);
	behind = build_step(t.definition, "d");
	t.definition->deadline_ms = 60000;
	transcript_play(&t, "start");
	transcript_play(&t, "d do failed");
	t.definition->n_steps = t.saga.n_steps = 4;
	ck_assert(!saga_timer(t.definition, &t.saga, 1, &timer));
	t.saga.steps[4].due_ms = 1;
	ck_assert(saga_next_timer(t.definition, &t.saga, &timer));
	ck_assert_int_eq(timer.type, EVENT_DEADLINE);
	t.saga.steps[4].state = STEP_PARKED;
	ck_assert_int_eq(saga_status(&t.saga), STATUS_RUNNING);
	t.saga.steps[4].state = STEP_RUNNING;
	ck_assert_int_eq(saga_resume(t.definition, &t.script.base, &t.saga, &t.arena, &effects),
			 VERDICT_TAKEN);
	ck_assert_uint_eq(effects.n_commands, 3);
	ck_assert_int_eq(step_behind(&t, (struct event){.type = EVENT_REPLY, .attempt = 1}),
			 VERDICT_IGNORED);
	ck_assert_int_eq(step_behind(&t, (struct event){.type = EVENT_TIMEOUT, .attempt = 1}),
			 VERDICT_IGNORED);
	ck_assert_int_eq(step_behind(&t, (struct event){.type = EVENT_DUE}), VERDICT_IGNORED);
	ck_assert_int_eq(step_behind(&t, (struct event){.type = EVENT_SKIP}), VERDICT_REFUSED);
	t.saga.steps[4].state = STEP_BACKOFF;
	ck_assert_int_eq(step_behind(&t, (struct event){.type = EVENT_RETRY}), VERDICT_REFUSED);
	behind->form = FORM_AWAIT;
	behind->event = SLICE_LITERAL("d");
	ck_assert_int_eq(
		step_with(&t, (struct event){.type = EVENT_SIGNAL, .name = SLICE_LITERAL("d")}),
		VERDICT_REFUSED);
	transcript_end(&t);
}
END_TEST

/* --- limits
 * ------------------------------------------------------------------------------------ */

START_TEST(test_a_saga_takes_a_hundred_signals)
{
	struct transcript t;
	char line[64];

	transcript_begin(&t, "a w:await", NULL, 0);
	transcript_play(&t, "start");
	for (int n = 0; n < SIGNALS_MAX; n++) {
		snprintf(line, sizeof line, "signal w number-%d => keeps w", n);
		ck_assert(transcript_expect(&t, line));
	}
	ck_assert(transcript_expect(&t, "signal w more => refused (the saga holds 100)"));
	ck_assert(transcript_expect(&t, "signal w number-7 => ignored"));

	/* A used one still counts: it must be known when it comes again. */
	ck_assert(transcript_expect(&t, "a do ok => a done, w done, completed"));
	ck_assert(transcript_expect(&t, "signal w number-0 => ignored"));
	transcript_end(&t);
}
END_TEST

START_TEST(test_rounds_have_an_end)
{
	struct transcript t;

	transcript_begin(&t, "p:pivot r:retriable", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "p do ok");
	t.saga.steps[1].do_round = ROUNDS_MAX - 1;
	transcript_play(&t, "r do refused");
	ck_assert(transcript_expect(&t, "retry r => r running, send r do#2/65535"));
	transcript_play(&t, "r do refused");
	ck_assert(transcript_expect(&t, "retry r => refused (65,535 times)"));
	ck_assert(transcript_expect(&t, "retry => refused (65,535 times)"));
	transcript_end(&t);
}
END_TEST

START_TEST(test_as_many_steps_as_there_can_be)
{
	struct transcript t;
	char line[STEPS_MAX * 6];
	size_t len = 0;

	for (unsigned i = 0; i < STEPS_MAX; i++)
		len += (size_t)snprintf(line + len, sizeof line - len, "s%u ", i);
	transcript_begin(&t, line, NULL, 0);
	ck_assert_uint_eq(t.definition->n_steps, STEPS_MAX);
	transcript_play(&t, "start");
	for (uint32_t i = 0; i < STEPS_MAX; i++) {
		char reply[32];

		snprintf(reply, sizeof reply, "s%u do ok", (unsigned)i);
		transcript_play(&t, reply);
		ck_assert_int_eq(t.verdict, VERDICT_TAKEN);
	}
	ck_assert_int_eq(t.saga.phase, PHASE_COMPLETED);
	transcript_end(&t);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_entries, 0, ROWS(rows));
	tcase_add_test(tcase, test_an_operation_tells_who_and_why);
	tcase_add_test(tcase, test_commands_of_do_and_undo);
	tcase_add_test(tcase, test_commands_of_the_pivot);
	tcase_add_test(tcase, test_command_ids);
	tcase_add_test(tcase, test_saga_ids);
	tcase_add_test(tcase, test_errors_and_the_failure_are_kept);
	tcase_add_test(tcase, test_a_wish_that_came_too_late_leaves_no_failure);
	tcase_add_test(tcase, test_the_output_of_a_completed_saga);
	tcase_add_test(tcase, test_status);
	tcase_add_test(tcase, test_what_has_no_name_is_ignored);
	tcase_add_test(tcase, test_what_stands_behind_the_last_step_is_none);
	tcase_add_test(tcase, test_a_saga_takes_a_hundred_signals);
	tcase_add_test(tcase, test_rounds_have_an_end);
	tcase_add_test(tcase, test_as_many_steps_as_there_can_be);
}

int main(void)
{
	return suite_run("saga_effects", add);
}

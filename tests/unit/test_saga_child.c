/* test_saga_child.c - child sagas as their parent sees them: rule 13. */
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

static const struct transcript_row rows[] = {
	{
		"its end is the reply, and it is waited for without a timer",
		"a ship:child b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, ship running, send ship do#1",
				"ship do ok [7] => ship done [7], b running, send b do#1",
				"b do ok => b done, completed",
			},
	},
	{
		"compensated is refused: it did nothing that stands",
		"a ship:child",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, ship running, send ship do#1",
				"ship do refused => a undoing, ship refused -touched, turns "
				"back "
				"(ship refused), send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"a completed child is undone where its place in the order is",
		"a ship:child b",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, ship running, send ship do#1",
				"ship do ok => ship done, b running, send b do#1",
				"b do refused => ship undoing, b refused -touched, turns back "
				"(b "
				"refused), send ship undo#1",
				"ship undo ok => a undoing, ship undone, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"a child that runs when the saga turns back is turned back at once",
		"a ship:child",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, ship running, send ship do#1",
				"cancel => ship undoing, turns back (- cancelled), send ship "
				"undo#1",
				"ship do ok => ignored",
				"ship undo ok => a undoing, ship undone, send a undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"the deadline turns a running child back, too",
		"a ship:child",
		.deadline_ms = 5000,
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, ship running, send ship do#1",
				"deadline => ship undoing, overdue, turns back (- deadline), "
				"send ship undo#1",
			},
	},
	{
		"a killed child parks the step, and there is nothing to retry",
		"a ship:child",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, ship running, send ship do#1",
				"ship do killed => ship parked do killed",
				"retry ship => refused (the child saga was killed)",
				"skip ship [1] => ship skipped operator [1] +output, completed",
			},
	},
	{
		"a child that was killed before its undo parks the undo",
		"a ship:child",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, ship running, send ship do#1",
				"ship do ok => ship done, completed",
				"undo => ship undoing, reversed, turns back (- undo), send "
				"ship "
				"undo#1",
				"ship undo killed => ship parked undo killed",
				"retry => refused (the child saga was killed)",
				"skip ship => a undoing, ship skipped operator +waived, send a "
				"undo#1",
				"a undo ok => a undone, compensated",
			},
	},
	{
		"a completed child that the store has forgotten cannot be undone",
		"ship:child b",
		.lines =
			{
				"start => ship running, send ship do#1",
				"ship do ok => ship done, b running, send b do#1",
				"b do refused => ship undoing, b refused -touched, turns back "
				"(b "
				"refused), send ship undo#1",
				"ship undo expired => ship parked undo expired",
			},
	},
	{
		"after the pivot a refusal parks, and a retry starts another child",
		"a:pivot ship:child,retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, ship running, send ship do#1",
				"ship do refused => ship parked do refused -touched",
				"retry ship => ship running, send ship do#2/1",
				"ship do#1/0 ok => ignored",
				"ship do ok => ship done, completed",
			},
	},
	{
		"a child with a pivot is revoked, and its end decides",
		"a pay:child,pivot b:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, pay running, send pay do#1",
				"cancel => wants back (- cancelled), send pay revoke#1",
				"pay revoke refused => pay done, b running, wants back no "
				"more, "
				"send b do#1",
			},
	},
	{
		"a child that was compensated before its pivot turns the saga back",
		"a pay:child,pivot b:retriable",
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a done, pay running, send pay do#1",
				"cancel => wants back (- cancelled), send pay revoke#1",
				"pay revoke ok => a undoing, pay undone -touched, b never, "
				"turns "
				"back (- cancelled), send a undo#1",
			},
	},
	{
		"a pivot that was killed waits for a person",
		"pay:child,pivot b:retriable",
		.lines =
			{
				"start => pay running, send pay do#1",
				"cancel => wants back (- cancelled), send pay revoke#1",
				"pay revoke killed => pay parked revoke killed",
				"skip pay => pay skipped operator, b running, wants back no "
				"more, "
				"send b do#1",
			},
	},
	{
		"arguments or a key that cannot be evaluated start nothing",
		"a ship:child,key",
		.answers = {{"ship", PURPOSE_KEY, NULL}},
		.lines =
			{
				"start => a running, send a do#1",
				"a do ok => a undoing +output, ship refused expression, turns "
				"back (ship "
				"expression), send a undo#1",
			},
	},
	{
		"a child that is skipped while it runs stays in the undo set",
		"ship:child b",
		.lines =
			{
				"start => ship running, send ship do#1",
				"skip ship => ship skipped operator, b running, send b do#1",
				"b do refused => ship undoing, b refused -touched, turns back "
				"(b "
				"refused), send ship undo#1",
				"ship undo ok => ship undone, compensated",
			},
	},
	{
		"a paused saga starts its child when it goes on",
		"a ship:child",
		.lines =
			{
				"start => a running, send a do#1",
				"pause => paused",
				"a do ok => a done",
				"resume => ship running, resumed, send ship do#1",
			},
	},
	{
		"one child for every element",
		"lines:each{ship:child}",
		.lines =
			{
				"start => lines running, ship#0 running, ship#1 running, send "
				"ship#0 do#1, send ship#1 do#1",
				"ship#0 do ok => ship#0 done",
				"ship#1 do refused => lines undoing, ship#0 undoing, ship#1 "
				"refused -touched, turns back (ship#1 refused), send ship#0 "
				"undo#1",
				"ship#0 undo ok => lines undone, ship#0 undone, compensated",
			},
	},
};

START_TEST(test_row)
{
	const char *wrong = transcript_run(&rows[_i]);

	ck_assert_msg(!wrong, "%s", wrong);
}
END_TEST

/* --- a saga that is a child -------------------------------------------------------- */

struct child {
	struct definition *definition;
	struct script script;
	struct arena arena;
	struct saga saga;
	struct effects effects;
};

static void begin(struct child *child, const char *line, bool barred)
{
	struct start start = {.id = SLICE_LITERAL("saga-1.ship.00"),
			      .key = SLICE_LITERAL("k"),
			      .input = SLICE_LITERAL("{}"),
			      .parent = SLICE_LITERAL("saga-1"),
			      .barred = barred,
			      .at_ms = 5};

	*child = (struct child){.definition = build(line)};
	script_init(&child->script, NULL, 0);
	ck_assert_int_eq(saga_begin(child->definition, &child->script.base, &start,
				    &child->arena, &child->saga, &child->effects),
			 VERDICT_TAKEN);
}

static enum verdict happen(struct child *child, struct event event)
{
	struct saga after;
	enum verdict verdict;

	event.at_ms = 9;
	verdict = saga_step(child->definition, &child->script.base, &child->saga, &event,
			    &child->arena, &after, &child->effects);
	if (verdict == VERDICT_TAKEN)
		child->saga = after;
	return verdict;
}

static void end(struct child *child)
{
	arena_release(&child->arena);
	definition_free(child->definition);
}

/* Whoever counts on it would not know. */
START_TEST(test_only_the_parent_undoes_a_completed_child)
{
	struct child child;

	begin(&child, "a", false);
	ck_assert_int_eq(happen(&child, (struct event){.type = EVENT_REPLY, .attempt = 1}),
			 VERDICT_TAKEN);
	ck_assert_int_eq(child.saga.phase, PHASE_COMPLETED);
	ck_assert_int_eq(happen(&child, (struct event){.type = EVENT_UNDO}), VERDICT_REFUSED);
	ck_assert_ptr_nonnull(strstr(child.effects.refusal, "child of another"));
	ck_assert_int_eq(happen(&child, (struct event){.type = EVENT_UNDO, .by_parent = true}),
			 VERDICT_TAKEN);
	ck_assert_int_eq(child.saga.phase, PHASE_BACK);
	ck_assert(slice_is(child.saga.parent, "saga-1"));
	end(&child);
}
END_TEST

START_TEST(test_a_child_that_is_barred_does_nothing)
{
	struct child child;

	begin(&child, "tell:nothing a lines:each{b}", true);
	ck_assert_int_eq(child.saga.phase, PHASE_COMPENSATED);
	ck_assert_uint_eq(child.effects.n_commands, 0);
	for (uint32_t i = 0; i < child.saga.n_steps; i++)
		ck_assert_int_eq(child.saga.steps[i].state, STEP_NEVER);
	end(&child);
}
END_TEST

START_TEST(test_the_id_of_a_child_is_always_the_same)
{
	static const char long_id[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	struct definition *definition = build("a lines:each{a-step-with-a-long-name:child}");
	char one[SAGA_ID_MAX], other[SAGA_ID_MAX], third[SAGA_ID_MAX];
	struct slice id = {long_id, SAGA_NAME_MAX}, second;
	struct slice first = child_id(definition, id, (struct instance){2, 0}, 0, one);

	ck_assert(saga_id_valid(first) && first.len == SAGA_ID_MAX);
	ck_assert(slice_equal(first,
			      child_id(definition, id, (struct instance){2, 0}, 0, other)));
	ck_assert(!slice_equal(first,
			       child_id(definition, id, (struct instance){2, 1}, 0, other)));
	ck_assert(!slice_equal(first,
			       child_id(definition, id, (struct instance){2, 0}, 1, other)));
	first = child_id(definition, SLICE_LITERAL("order-17"), (struct instance){0, 0}, 0,
			 one);
	ck_assert_uint_eq(first.len, strlen("order-17:a.") + 16);
	ck_assert(!memcmp(first.at, "order-17:a.", strlen("order-17:a.")));
	second = child_id(definition, first, (struct instance){0, 0}, 0, third);
	ck_assert(saga_id_valid(second) && !slice_equal(first, second));
	ck_assert(!memcmp(second.at, "order-17:a.", strlen("order-17:a.")));
	ck_assert_uint_eq(shard_of(second, 1000), shard_of(SLICE_LITERAL("order-17"), 1000));
	definition_free(definition);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_only_the_parent_undoes_a_completed_child);
	tcase_add_test(tcase, test_a_child_that_is_barred_does_nothing);
	tcase_add_test(tcase, test_the_id_of_a_child_is_always_the_same);
}

int main(void)
{
	return suite_run("saga_child", add);
}

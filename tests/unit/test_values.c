/* test_values.c - a saga's real values in the expressions of its definition. */
#include "orchestrator/load/load.h"
#include "tests/lib/laws.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

enum { START_MS = 1763712000 }; /* 1970-01-21T09:55:12Z, in milliseconds */

/* A saga of a definition that is written as people write it. */
struct run {
	struct definition *definition;
	struct arena arena;
	struct saga saga;
	struct effects effects;
};

static void begin(struct run *run, const char *yaml, const char *input)
{
	struct start start = {.id = SLICE_LITERAL("order-17"),
			      .key = SLICE_LITERAL("a \"key\""),
			      .input = slice_of(input),
			      .at_ms = START_MS};
	struct problems problems = {.arena = &run->arena};
	enum err err;

	memset(run, 0, sizeof *run);
	err = load_text("test.yaml", slice_of(yaml), NULL, &problems, &run->definition);
	ck_assert_msg(err == OK, "%s", problems.n ? problems.list[0].text : err_text(err));
	lawful_begin(run->definition, &evaluator_values, &start, &run->arena, &run->saga,
		     &run->effects);
}

static void end(struct run *run)
{
	definition_free(run->definition);
	arena_release(&run->arena);
}

static void happen(struct run *run, struct event event)
{
	struct saga after;

	event.at_ms = START_MS + 1000;
	ck_assert_int_eq(lawful_step(run->definition, &evaluator_values, &run->saga, &event,
				     &run->arena, &after, &run->effects),
			 VERDICT_TAKEN);
	run->saga = after;
}

static uint32_t index_of(const struct run *run, const char *step)
{
	uint32_t i = saga_find(run->definition, &run->saga, slice_of(step));

	ck_assert_uint_ne(i, NO_STEP);
	return i;
}

static void reply(struct run *run, const char *step, enum outcome outcome, const char *output)
{
	uint32_t i = index_of(run, step);
	const struct step *at = &run->saga.steps[i];

	happen(run, (struct event){.type = EVENT_REPLY,
				   .step = i,
				   .verb = (enum verb)at->verb,
				   .round = at->do_round,
				   .attempt = at->attempt,
				   .outcome = outcome,
				   .payload = slice_of(output),
				   .error = {SLICE_LITERAL("sold-out"),
					     SLICE_LITERAL("no \"wine\" left")}});
}

static void expect_sent(const struct run *run, const char *step, enum verb verb,
			const char *args)
{
	uint32_t i = index_of(run, step);

	for (uint32_t n = 0; n < run->effects.n_commands; n++) {
		const struct command *command = &run->effects.commands[n];

		if (command->step != i || command->verb != verb)
			continue;
		ck_assert_msg(slice_is(command->args, args), "%s was sent %.*s", step,
			      SLICE_ARG(command->args));
		return;
	}
	ck_abort_msg("%s was not sent", step);
}

static void expect_state(const struct run *run, const char *step, enum step_state state,
			 enum why why)
{
	const struct step *at = &run->saga.steps[index_of(run, step)];

	ck_assert_msg(at->state == state && at->why == why, "%s is %s %s", step,
		      step_state_text((enum step_state)at->state), why_text((enum why)at->why));
}

static void expect_error(const struct run *run, const char *step, const char *message)
{
	const struct error *error = run->saga.steps[index_of(run, step)].error;

	ck_assert_ptr_nonnull(error);
	ck_assert(slice_is(error->code, "expression"));
	ck_assert_msg(slice_is(error->message, message), "%.*s", SLICE_ARG(error->message));
}

/* --- arguments -------------------------------------------------------------------------- */

static const char arguments[] =
	"saga: test\n"
	"version: 1.0.0\n"
	"steps:\n"
	"  - a:\n"
	"      kind: readonly\n"
	"      call: p.a\n"
	"      with: { n: =input.n, all: =input, list: [1, =input.n] }\n"
	"  - b:\n"
	"      kind: readonly\n"
	"      call: p.b\n"
	"      with:\n"
	"        second: '=a.out.list[1]'\n"
	"        id: =saga.id + '/' + saga.name\n"
	"        key: =saga.key\n"
	"        at: =saga.started_at\n"
	"output: { whole: =a.out, twice: '=a.out.list[1] * 2' }\n";

START_TEST(test_arguments_are_made_of_input_outputs_and_the_saga)
{
	struct run run;

	begin(&run, arguments, "{\"n\":19.90}");
	expect_sent(&run, "a", VERB_DO,
		    "{\"n\":19.90,\"all\":{\"n\":19.90},\"list\":[1,19.90]}");
	reply(&run, "a", OUTCOME_OK, "{\"list\":[\"x\",2.50]}");
	expect_sent(&run, "b", VERB_DO,
		    "{\"second\":2.50,\"id\":\"order-17/test\",\"key\":\"a \\\"key\\\"\","
		    "\"at\":\"1970-01-21T09:55:12.000Z\"}");
	reply(&run, "b", OUTCOME_OK, "null");
	ck_assert_int_eq(run.saga.phase, PHASE_COMPLETED);
	ck_assert(slice_is(run.saga.output,
			   "{\"whole\":{\"list\":[\"x\",2.50]},\"twice\":5.00}"));
	end(&run);
}
END_TEST

START_TEST(test_a_missing_value_refuses_the_step_and_is_not_quoted)
{
	struct run run;

	begin(&run, arguments, "{\"n\":1}");
	reply(&run, "a", OUTCOME_OK, "{\"list\":[\"secret\"]}");
	expect_state(&run, "b", STEP_REFUSED, WHY_EXPRESSION);
	expect_error(&run, "b", "12:30: a.out.list[1] is missing");
	ck_assert_int_eq(run.saga.phase, PHASE_COMPENSATED);
	end(&run);
}
END_TEST

START_TEST(test_an_output_that_cannot_be_told_undoes_nothing)
{
	struct run run;

	begin(&run, arguments, "{\"n\":1}");
	reply(&run, "a", OUTCOME_OK, "{\"list\":[1,\"not a number\"]}");
	reply(&run, "b", OUTCOME_OK, "{}");
	ck_assert_int_eq(run.saga.phase, PHASE_COMPLETED);
	ck_assert_uint_eq(run.saga.output.len, 0);
	end(&run);
}
END_TEST

/* --- undo --------------------------------------------------------------------------------- */

static const char undoing[] =
	"saga: test\n"
	"version: 1.0.0\n"
	"steps:\n"
	"  - first: { undo: { call: p.tell, with: { step: =saga.failure.step,\n"
	"      code: =saga.failure.code, message: =saga.failure.message } } }\n"
	"  - a:\n"
	"      call: p.a\n"
	"      with: { n: =input.n }\n"
	"      undo: { call: p.b }\n"
	"  - b:\n"
	"      call: p.a\n"
	"      on_failure: ignore\n"
	"      retry: { attempts: 1 }\n"
	"      undo: { call: p.b, with: { id: '=if(has(b.out), b.out, 0)',\n"
	"          a: =a.out } }\n"
	"  - c:\n"
	"      kind: readonly\n"
	"      call: p.a\n"
	"      with: { id: '=if(has(b.out), b.out, 0)' }\n";

START_TEST(test_an_undo_knows_the_failure_and_what_the_step_was_sent)
{
	struct run run;

	begin(&run, undoing, "{\"n\":7}");
	reply(&run, "a", OUTCOME_OK, "{}");
	reply(&run, "b", OUTCOME_OK, "42");
	expect_sent(&run, "c", VERB_DO, "{\"id\":42}");
	reply(&run, "c", OUTCOME_REFUSED, "");
	expect_sent(&run, "b", VERB_UNDO, "{\"id\":42,\"a\":{}}");
	reply(&run, "b", OUTCOME_OK, "");
	expect_sent(&run, "a", VERB_UNDO, "{\"n\":7}");
	reply(&run, "a", OUTCOME_OK, "");
	expect_sent(
		&run, "first", VERB_UNDO,
		"{\"step\":\"c\",\"code\":\"sold-out\",\"message\":\"no \\\"wine\\\" left\"}");
	end(&run);
}
END_TEST

START_TEST(test_a_late_output_is_for_the_own_undo_alone)
{
	struct event late = {
		.type = EVENT_REPLY, .step = 2, .attempt = 1, .payload = SLICE_LITERAL("43")};
	struct run run;

	begin(&run, undoing, "{\"n\":7}");
	reply(&run, "a", OUTCOME_OK, "{}");
	happen(&run, (struct event){.type = EVENT_TIMEOUT, .step = 2, .attempt = 1});
	expect_state(&run, "b", STEP_SKIPPED, WHY_EXHAUSTED);
	expect_sent(&run, "c", VERB_DO, "{\"id\":0}");
	happen(&run, late);
	happen(&run, (struct event){.type = EVENT_TIMEOUT, .step = 3, .attempt = 1});
	happen(&run, (struct event){.type = EVENT_DUE, .step = 3, .attempt = 1});
	expect_sent(&run, "c", VERB_DO, "{\"id\":0}");
	reply(&run, "c", OUTCOME_REFUSED, "");
	expect_sent(&run, "b", VERB_UNDO, "{\"id\":43,\"a\":{}}");
	end(&run);
}
END_TEST

START_TEST(test_cancel_has_a_code_and_no_step)
{
	struct run run;

	begin(&run, undoing, "{\"n\":7}");
	happen(&run, (struct event){.type = EVENT_CANCEL, .step = NO_STEP});
	happen(&run, (struct event){.type = EVENT_TIMEOUT, .step = 1, .attempt = 1});
	reply(&run, "a", OUTCOME_OK, "");
	expect_sent(&run, "first", VERB_UNDO,
		    "{\"step\":null,\"code\":\"cancelled\",\"message\":\"an operator "
		    "cancelled it\"}");
	end(&run);
}
END_TEST

/* --- conditions and times --------------------------------------------------------------------
 */

static const char conditions[] = "saga: test\n"
				 "version: 1.0.0\n"
				 "steps:\n"
				 "  - a:\n"
				 "      when: =input.total > 10000\n"
				 "      await: { event: approved }\n"
				 "  - b:\n"
				 "      when: =input.rest / input.parts == 5\n"
				 "      kind: pivot\n"
				 "      call: p.b\n"
				 "  - c:\n"
				 "      when: =10 / input.parts > 1\n"
				 "      sleep: { until: =input.until }\n"
				 "  - d: { kind: retriable, call: p.d }\n";

static const struct row {
	const char *name;
	const char *input;
	enum step_state a, b, c, d;
} rows[] = {
	{"a condition that is true lets the step run",
	 "{\"total\":10000.01,\"rest\":1,\"parts\":1,\"until\":\"\"}", STEP_RUNNING,
	 STEP_WAITING, STEP_WAITING, STEP_WAITING},
	{"a condition that is false skips it",
	 "{\"total\":10000,\"rest\":10,\"parts\":2,\"until\":\"\"}", STEP_SKIPPED, STEP_RUNNING,
	 STEP_WAITING, STEP_WAITING},
	{"a condition that fails before the pivot turns back",
	 "{\"total\":0,\"rest\":1,\"parts\":0,\"until\":\"\"}", STEP_SKIPPED, STEP_REFUSED,
	 STEP_NEVER, STEP_NEVER},
	{"a condition that is no truth value turns back",
	 "{\"total\":\"much\",\"rest\":1,\"parts\":1,\"until\":\"\"}", STEP_REFUSED, STEP_NEVER,
	 STEP_NEVER, STEP_NEVER},
	{"after the pivot, here skipped, a sleep lasts until its time",
	 "{\"total\":0,\"rest\":1,\"parts\":1,\"until\":\"1970-01-22T00:00:00Z\"}",
	 STEP_SKIPPED, STEP_SKIPPED, STEP_RUNNING, STEP_WAITING},
	{"a time that has passed is no sleep",
	 "{\"total\":0,\"rest\":1,\"parts\":1,\"until\":\"1970-01-01T00:00:00Z\"}",
	 STEP_SKIPPED, STEP_SKIPPED, STEP_DONE, STEP_RUNNING},
	{"a text that is no time parks the sleep",
	 "{\"total\":0,\"rest\":1,\"parts\":1,\"until\":\"tomorrow\"}", STEP_SKIPPED,
	 STEP_SKIPPED, STEP_PARKED, STEP_WAITING},
	{"a number is no time", "{\"total\":0,\"rest\":1,\"parts\":1,\"until\":17}",
	 STEP_SKIPPED, STEP_SKIPPED, STEP_PARKED, STEP_WAITING},
	{"a quotient without an end is no number",
	 "{\"total\":0,\"rest\":1,\"parts\":3,\"until\":\"\"}", STEP_SKIPPED, STEP_REFUSED,
	 STEP_NEVER, STEP_NEVER},
};

START_TEST(test_conditions_and_times)
{
	const struct row *row = &rows[_i];
	const enum step_state states[] = {row->a, row->b, row->c, row->d};
	struct run run;

	begin(&run, conditions, row->input);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_msg(run.saga.steps[i].state == states[i], "%s: %.*s is %s", row->name,
			      SLICE_ARG(run.definition->steps[i].name),
			      step_state_text((enum step_state)run.saga.steps[i].state));
	end(&run);
}
END_TEST

START_TEST(test_a_sleep_ends_at_its_time)
{
	struct timer timer;
	struct run run;

	begin(&run, conditions, rows[4].input);
	ck_assert(saga_next_timer(run.definition, &run.saga, &timer));
	ck_assert_int_eq(timer.at_ms, INT64_C(21) * 24 * 60 * 60 * 1000);
	end(&run);
}
END_TEST

/* --- no memory
 * ----------------------------------------------------------------------------------- */

START_TEST(test_every_allocation_fails_in_turn)
{
	enum { BLOCK = 16 * 1024, ENOUGH = 12 * 1024 };
	struct event event = {.type = EVENT_REPLY,
			      .at_ms = START_MS,
			      .attempt = 1,
			      .payload = SLICE_LITERAL("{\"list\":[1,2]}")};
	enum verdict verdict = VERDICT_NOMEM;
	struct effects effects;
	struct saga after;
	struct run run;
	size_t left;

	begin(&run, arguments, "{\"n\":1}");
	for (left = 0; verdict == VERDICT_NOMEM; left += 16) {
		struct arena arena = {0};

		ck_assert_uint_lt(left, ENOUGH);
		if (!arena_alloc(&arena, BLOCK - left))
			abort();
		arena.max = arena.used;
		verdict = saga_step(run.definition, &evaluator_values, &run.saga, &event,
				    &arena, &after, &effects);
		ck_assert(verdict != VERDICT_TAKEN || effects.n_commands == 1);
		arena_release(&arena);
	}
	ck_assert_int_eq(verdict, VERDICT_TAKEN);
	end(&run);
}
END_TEST

/* --- elements --------------------------------------------------------------------------- */

static const char elements[] =
	"saga: test\n"
	"version: 1.0.0\n"
	"steps:\n"
	"  - lines:\n"
	"      each:\n"
	"        in: =input.lines\n"
	"        as: line\n"
	"        max: 5\n"
	"        steps:\n"
	"          - pick:\n"
	"              when: =line.n > 0\n"
	"              call: p.pick\n"
	"              with: { n: =line.n, line: =line }\n"
	"              undo: { call: p.put, with: { was: '=if(has(pick.out), pick.out, 0)', n: "
	"=line.n } }\n"
	"          - pack: { kind: readonly, call: p.pack, with: { id: '=if(has(pick.out), "
	"pick.out, null)' } }\n"
	"  - after: { kind: readonly, call: p.after, with: { picks: =pick.out, packs: "
	"=lines.out, n: =size(pack.out) } }\n"
	"output: { last: '=pack.out[1]' }\n";

START_TEST(test_an_element_has_its_own_values_and_the_rest_sees_lists)
{
	struct run run;

	begin(&run, elements, "{\"lines\":[{\"n\":7},{\"n\":0},{\"n\":9}]}");
	expect_sent(&run, "pick#0", VERB_DO, "{\"n\":7,\"line\":{\"n\":7}}");
	expect_sent(&run, "pick#2", VERB_DO, "{\"n\":9,\"line\":{\"n\":9}}");
	expect_state(&run, "pick#1", STEP_SKIPPED, WHY_CONDITION);
	expect_sent(&run, "pack#1", VERB_DO, "{\"id\":null}");
	reply(&run, "pick#2", OUTCOME_OK, "\"c\"");
	expect_sent(&run, "pack#2", VERB_DO, "{\"id\":\"c\"}");
	reply(&run, "pick#0", OUTCOME_OK, "\"a\"");
	expect_sent(&run, "pack#0", VERB_DO, "{\"id\":\"a\"}");
	reply(&run, "pack#2", OUTCOME_OK, "3");
	reply(&run, "pack#1", OUTCOME_OK, "2");
	reply(&run, "pack#0", OUTCOME_OK, "1");
	expect_sent(&run, "after", VERB_DO,
		    "{\"picks\":[\"a\",null,\"c\"],\"packs\":[1,2,3],\"n\":3}");
	reply(&run, "after", OUTCOME_OK, "0");
	ck_assert(slice_is(run.saga.output, "{\"last\":2}"));
	end(&run);
}
END_TEST

START_TEST(test_an_undo_of_an_element_knows_its_own_values)
{
	struct run run;

	begin(&run, elements, "{\"lines\":[{\"n\":7},{\"n\":8}]}");
	reply(&run, "pick#1", OUTCOME_OK, "\"b\"");
	reply(&run, "pick#0", OUTCOME_OK, "\"a\"");
	reply(&run, "pack#1", OUTCOME_REFUSED, "");
	reply(&run, "pack#0", OUTCOME_OK, "1");
	expect_sent(&run, "pick#0", VERB_UNDO, "{\"was\":\"a\",\"n\":7}");
	ck_assert_uint_eq(run.saga.failure_step, index_of(&run, "pack#1"));
	end(&run);
}
END_TEST

START_TEST(test_a_list_without_elements_gives_empty_lists)
{
	struct run run;

	begin(&run, elements, "{\"lines\":[]}");
	expect_sent(&run, "after", VERB_DO, "{\"picks\":[],\"packs\":[],\"n\":0}");
	end(&run);
}
END_TEST

static char large[200 * 1024];

START_TEST(test_lists_of_outputs_have_a_limit)
{
	struct run run;

	memset(large, '1', sizeof large - 1);
	large[0] = '"';
	large[sizeof large - 2] = '"';
	begin(&run, elements, "{\"lines\":[{\"n\":7},{\"n\":8}]}");
	reply(&run, "pick#1", OUTCOME_OK, large);
	reply(&run, "pack#1", OUTCOME_OK, "1");
	reply(&run, "pick#0", OUTCOME_OK, large);
	reply(&run, "pack#0", OUTCOME_OK, "1");
	expect_state(&run, "after", STEP_REFUSED, WHY_EXPRESSION);
	expect_error(&run, "after",
		     "the outputs of all elements together are larger than 256 KiB; let the "
		     "steps answer less");
	end(&run);
}
END_TEST

START_TEST(test_what_is_no_list_refuses_the_each)
{
	struct run run;

	begin(&run, elements, "{\"lines\":{}}");
	expect_state(&run, "lines", STEP_REFUSED, WHY_EXPRESSION);
	expect_error(&run, "lines", "6:14: what `in` gives is not a list, in =input.lines");
	end(&run);
}
END_TEST

static const char children[] =
	"saga: test\n"
	"version: 1.0.0\n"
	"steps:\n"
	"  - ship: { saga: shipment, with: { to: =input.to }, key: =input.no }\n"
	"output: { ship: =ship.out }\n";

START_TEST(test_a_child_is_given_its_input_and_its_key)
{
	struct run run;

	begin(&run, children, "{\"to\":\"Berne\",\"no\":17}");
	expect_sent(&run, "ship", VERB_DO, "{\"to\":\"Berne\"}");
	ck_assert(slice_is(run.effects.commands[0].key, "17"));
	reply(&run, "ship", OUTCOME_OK, "[1]");
	ck_assert(slice_is(run.saga.output, "{\"ship\":[1]}"));
	end(&run);
	begin(&run, children, "{\"to\":\"Berne\",\"no\":true}");
	expect_error(&run, "ship",
		     "4:60: the key is neither a text nor a number, in =input.no");
	end(&run);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_an_element_has_its_own_values_and_the_rest_sees_lists);
	tcase_add_test(tcase, test_an_undo_of_an_element_knows_its_own_values);
	tcase_add_test(tcase, test_a_list_without_elements_gives_empty_lists);
	tcase_add_test(tcase, test_lists_of_outputs_have_a_limit);
	tcase_add_test(tcase, test_what_is_no_list_refuses_the_each);
	tcase_add_test(tcase, test_a_child_is_given_its_input_and_its_key);
	tcase_add_test(tcase, test_arguments_are_made_of_input_outputs_and_the_saga);
	tcase_add_test(tcase, test_a_missing_value_refuses_the_step_and_is_not_quoted);
	tcase_add_test(tcase, test_an_output_that_cannot_be_told_undoes_nothing);
	tcase_add_test(tcase, test_an_undo_knows_the_failure_and_what_the_step_was_sent);
	tcase_add_test(tcase, test_a_late_output_is_for_the_own_undo_alone);
	tcase_add_test(tcase, test_cancel_has_a_code_and_no_step);
	tcase_add_loop_test(tcase, test_conditions_and_times, 0, ROWS(rows));
	tcase_add_test(tcase, test_a_sleep_ends_at_its_time);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
}

int main(void)
{
	return suite_run("values", add);
}

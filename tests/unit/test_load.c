/* test_load.c - what becomes of a definition's text, and what the loader promises
 * its callers. The sentences that it prints are in tests/golden. */
#include "orchestrator/load/codes.h"
#include "orchestrator/load/load.h"
#include "orchestrator/load/normal.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HEAD  "saga: order\nversion: 1.0.0\n"
#define STEPS "steps:\n  - a: { kind: readonly, call: p.c }\n"

static struct arena arena;
static struct problems problems;

static void begin(void)
{
	problems = (struct problems){.arena = &arena};
}

static void end(void)
{
	arena_release(&arena);
}

static struct definition *load(const char *text)
{
	struct definition *definition;
	enum err err = load_text("order.yaml", slice_of(text), NULL, &problems, &definition);

	ck_assert_msg(!err, "%s: %u:%u: %s", err_text(err),
		      problems.n ? (unsigned)problems.list[0].place.line : 0,
		      problems.n ? (unsigned)problems.list[0].place.column : 0,
		      problems.n ? problems.list[0].text : "");
	return definition;
}

static const struct step_definition *step(const struct definition *definition, const char *name)
{
	uint32_t index = definition_find(definition, slice_of(name));

	ck_assert_msg(index != NO_STEP, "no step %s", name);
	return &definition->steps[index];
}

static void check_text(struct slice got, const char *want)
{
	ck_assert_msg(slice_is(got, want), "'%.*s', not '%s'", SLICE_ARG(got), want);
}

/* --- the top level -------------------------------------------------------------- */

START_TEST(test_top)
{
	struct definition *d = load("saga: order\nversion: 1.2.3\ndescription: text\n"
				    "key: =input.id\ndeadline: { after: 1h }\n"
				    "input: { schema: { type: object }, mask: [a, b.c] }\n"
				    "use: { retry: { std: { attempts: 3 }, slow: {} } }\n"
				    "steps:\n"
				    "  - a: { kind: readonly, call: p.c, retry: std }\n"
				    "  - b: { kind: readonly, call: p.c, retry: slow }\n"
				    "output: { x: =a.out }\n");

	check_text(d->name, "order");
	check_text(d->version, "1.2.3");
	check_text(d->description, "text");
	check_text(d->key->text, "input.id");
	ck_assert_int_eq(d->deadline_ms, 3600 * 1000);
	ck_assert(d->has_input_schema);
	check_text(d->input->text.text, "{\"type\":\"object\"}");
	ck_assert_uint_eq(d->n_mask, 2);
	check_text(d->mask[1], "b.c");
	ck_assert_uint_eq(d->n_retries, 2);
	check_text(d->retries[0].name, "std");
	ck_assert_uint_eq(d->n_steps, 2);
	ck_assert_uint_eq(d->pivot, NO_STEP);
	ck_assert_int_eq(d->output->kind, TEMPLATE_OBJECT);
	ck_assert_uint_eq(problems.n, 0);
	definition_free(d);
}
END_TEST

START_TEST(test_top_defaults)
{
	struct definition *d = load(HEAD STEPS);

	ck_assert_uint_eq(d->description.len, 0);
	ck_assert_ptr_null(d->key);
	ck_assert_int_eq(d->deadline_ms, 0);
	ck_assert_ptr_eq(d->input, &schema_any);
	ck_assert(!d->has_input_schema);
	ck_assert_uint_eq(d->n_mask, 0);
	ck_assert_uint_eq(d->n_retries, 0);
	ck_assert_ptr_null(d->output);
	definition_free(d);
}
END_TEST

/* --- the tree of steps ---------------------------------------------------------- */

static const char tree_text[] =
	HEAD "steps:\n"
	     "  - a: { kind: readonly, call: p.c }\n"
	     "  - block:\n"
	     "      parallel:\n"
	     "        left:\n"
	     "          - l1: { kind: readonly, call: p.c }\n"
	     "          - inner: { parallel: { x: [ { i: { sleep: 1s } } ] } }\n"
	     "          - l2: { kind: readonly, call: p.c }\n"
	     "        right: [ { r: { kind: readonly, call: p.c } } ]\n"
	     "  - charge: { kind: pivot, call: p.c }\n"
	     "  - after: { parallel: { y: [ { f: { kind: readonly, call: p.c } } ] } }\n";

static const struct tree_row {
	const char *name;
	uint32_t parent, previous, next, end;
	bool after_pivot;
} tree_rows[] = {
	{"a", NO_STEP, NO_STEP, 1, 1, false},     {"block", NO_STEP, 0, 7, 7, false},
	{"l1", 1, NO_STEP, 3, 3, false},          {"inner", 1, 2, 5, 5, false},
	{"i", 3, NO_STEP, NO_STEP, 5, false},     {"l2", 1, 3, NO_STEP, 6, false},
	{"r", 1, NO_STEP, NO_STEP, 7, false},     {"charge", NO_STEP, 1, 8, 8, false},
	{"after", NO_STEP, 7, NO_STEP, 10, true}, {"f", 8, NO_STEP, NO_STEP, 10, true},
};

START_TEST(test_tree)
{
	struct definition *d = load(tree_text);

	ck_assert_uint_eq(d->n_steps, ROWS(tree_rows));
	for (uint32_t i = 0; i < d->n_steps; i++) {
		const struct tree_row *row = &tree_rows[i];
		const struct step_definition *s = &d->steps[i];

		check_text(s->name, row->name);
		ck_assert_msg(s->parent == row->parent && s->previous == row->previous &&
				      s->next == row->next && s->end == row->end &&
				      s->after_pivot == row->after_pivot,
			      "%s: %u %u %u %u %d", row->name, s->parent, s->previous, s->next,
			      s->end, s->after_pivot);
	}
	ck_assert_uint_eq(d->top.first, 0);
	ck_assert_uint_eq(d->top.last, 8);
	ck_assert_uint_eq(d->pivot, 7);
	ck_assert_uint_eq(d->steps[1].n_branches, 2);
	check_text(d->steps[1].branches[0].name, "left");
	ck_assert_uint_eq(d->steps[1].branches[0].first, 2);
	ck_assert_uint_eq(d->steps[1].branches[0].last, 5);
	ck_assert_uint_eq(d->steps[1].branches[1].first, 6);
	ck_assert_uint_eq(d->steps[1].branches[1].last, 6);
	ck_assert_uint_eq(d->steps[5].place.line, 10);
	ck_assert_uint_eq(d->steps[5].place.column, 13);
	definition_free(d);
}
END_TEST

/* --- steps ---------------------------------------------------------------------- */

START_TEST(test_call)
{
	struct definition *d = load(
		HEAD
		"steps:\n  - s:\n      description: d\n      when: =input.x\n"
		"      call: p-1.c_2\n      with: { a: =input.a, b: 1 }\n"
		"      timeout: 5s\n      retry: { attempts: 2 }\n      on_failure: ignore\n"
		"      undo: { call: p.u, timeout: 6s, retry: { budget: 1m }, exhausted: "
		"skip }\n");
	const struct step_definition *s = step(d, "s");

	check_text(s->description, "d");
	check_text(s->when->text, "input.x");
	ck_assert_int_eq(s->form, FORM_CALL);
	ck_assert_int_eq(s->kind, KIND_COMPENSATABLE);
	check_text(s->call.participant, "p-1");
	check_text(s->call.command, "c_2");
	ck_assert_int_eq(s->call.with->kind, TEMPLATE_OBJECT);
	ck_assert_int_eq(s->call.with->entries[0].value->kind, TEMPLATE_EXPRESSION);
	check_text(s->call.with->entries[1].value->literal.text, "1");
	ck_assert_int_eq(s->call.timeout_ms, 5000);
	ck_assert_uint_eq(s->call.retry.attempts, 2);
	ck_assert_int_eq(s->call.retry.budget_ms, 0);
	ck_assert(s->ignore_failure);
	ck_assert(s->has_undo);
	check_text(s->undo.command, "u");
	ck_assert_ptr_eq(s->undo.with, s->call.with);
	ck_assert(!s->undo_with_given);
	ck_assert_int_eq(s->undo.timeout_ms, 6000);
	ck_assert_uint_eq(s->undo.retry.attempts, 0);
	ck_assert_int_eq(s->undo.retry.budget_ms, 60 * 1000);
	ck_assert(s->undo_skip);
	definition_free(d);
}
END_TEST

START_TEST(test_other_forms)
{
	struct definition *d =
		load(HEAD "steps:\n"
			  "  - only: { undo: { call: p.u } }\n"
			  "  - own: { call: p.c, undo: { call: p.u, with: { x: =input.x } } }\n"
			  "  - wait: { await: { event: e, timeout: 1h, then: continue } }\n"
			  "  - back: { await: { event: e, timeout: 2h } }\n"
			  "  - pause: { sleep: 3s }\n"
			  "  - until: { sleep: { until: =input.at } }\n");
	const struct step_definition *s = step(d, "only");

	ck_assert_int_eq(s->form, FORM_NOTHING);
	ck_assert_int_eq(s->kind, KIND_COMPENSATABLE);
	ck_assert(s->has_undo);
	check_text(s->undo.with->literal.text, "{}");
	s = step(d, "own");
	ck_assert(s->undo_with_given);
	ck_assert_int_eq(s->undo.with->kind, TEMPLATE_OBJECT);
	s = step(d, "wait");
	ck_assert_int_eq(s->form, FORM_AWAIT);
	ck_assert_int_eq(s->kind, KIND_NONE);
	check_text(s->event, "e");
	ck_assert_int_eq(s->await_ms, 3600 * 1000);
	ck_assert(s->await_continue);
	ck_assert(!step(d, "back")->await_continue);
	s = step(d, "pause");
	ck_assert_int_eq(s->form, FORM_SLEEP);
	ck_assert_int_eq(s->sleep_ms, 3000);
	ck_assert_ptr_null(s->until);
	check_text(step(d, "until")->until->text, "input.at");
	definition_free(d);
}
END_TEST

/* --- retries -------------------------------------------------------------------- */

static const struct retry_row {
	const char *name;
	const char *step; /* its settings */
	bool undo;        /* look at the undo's */
	int64_t first_ms, max_ms;
	const char *factor;
	bool full;
	uint32_t attempts;
	int64_t budget_ms;
} retry_rows[] = {
	{"a do", "kind: readonly, call: p.c", false, 200, 30000, "2", true, 5, 0},
	{"an undo", "call: p.c, undo: { call: p.u }", true, 200, 30000, "2", true, 0, 86400000},
	{"the do of a pivot", "kind: pivot, call: p.c", false, 200, 30000, "2", true, 5, 0},
	{"only attempts", "kind: readonly, call: p.c, retry: { attempts: 9 }", false, 200,
	 30000, "2", true, 9, 0},
	{"only a budget", "kind: readonly, call: p.c, retry: { budget: 1h }", false, 200, 30000,
	 "2", true, 0, 3600000},
	{"both", "kind: readonly, call: p.c, retry: { budget: 1h, attempts: 3 }", false, 200,
	 30000, "2", true, 3, 3600000},
	{"only attempts of an undo", "call: p.c, undo: { call: p.u, retry: { attempts: 3 } }",
	 true, 200, 30000, "2", true, 3, 0},
	{"neither, of an undo", "call: p.c, undo: { call: p.u, retry: { factor: 1.50 } }", true,
	 200, 30000, "1.5", true, 0, 86400000},
	{"jitter", "kind: readonly, call: p.c, retry: { jitter: none }", false, 200, 30000, "2",
	 false, 5, 0},
	{"a first above the default max", "kind: readonly, call: p.c, retry: { first: 1m }",
	 false, 60000, 60000, "2", true, 5, 0},
	{"a named one", "kind: readonly, call: p.c, retry: named", false, 1, 30000, "2", true,
	 5, 0},
	{"a named one of an undo", "call: p.c, undo: { call: p.u, retry: named }", true, 1,
	 30000, "2", true, 5, 0},
	{"a retriable step", "kind: retriable, call: p.c", false, 200, 30000, "2", true, 0,
	 86400000},
	{"attempts of a retriable step", "kind: retriable, call: p.c, retry: { attempts: 7 }",
	 false, 200, 30000, "2", true, 7, 0},
};

START_TEST(test_retry)
{
	const struct retry_row *row = &retry_rows[_i];
	bool retriable = strstr(row->step, "retriable") != NULL;
	char text[1024], factor[DECIMAL_TEXT_MAX];
	const struct step_definition *s;
	const struct retry *retry;
	struct definition *d;

	snprintf(text, sizeof text,
		 HEAD "use: { retry: { named: { first: 1ms } } }\nsteps:\n%s  - s: { %s }\n",
		 retriable ? "  - charge: { kind: pivot, call: p.c }\n" : "", row->step);
	d = load(text);
	s = step(d, "s");
	retry = row->undo ? &s->undo.retry : &s->call.retry;
	decimal_format(retry->factor, factor);
	ck_assert_msg(
		retry->first_ms == row->first_ms && retry->max_ms == row->max_ms &&
			strcmp(factor, row->factor) == 0 && retry->full_jitter == row->full &&
			retry->attempts == row->attempts && retry->budget_ms == row->budget_ms,
		"%s: %lld %lld %s %d %u %lld", row->name, (long long)retry->first_ms,
		(long long)retry->max_ms, factor, retry->full_jitter, retry->attempts,
		(long long)retry->budget_ms);
	ck_assert_uint_eq(retry->name.len, strstr(row->step, "named") ? strlen("named") : 0);
	definition_free(d);
}
END_TEST

/* --- what is there where ---------------------------------------------------------- */

/* One step or output refers to another one; the code is that of the only error. */
static const struct reference_row {
	const char *name;
	const char *steps;
	const char *code; /* NULL: right */
} reference_rows[] = {
	{"a step before",
	 "  - a: { kind: readonly, call: p.c }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 NULL},
	{"a step after",
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n"
	 "  - a: { kind: readonly, call: p.c }\n",
	 "step-not-run"},
	{"itself", "  - a: { kind: readonly, call: p.c, with: =a.out }\n", "step-not-run"},
	{"itself in its when", "  - a: { when: =a.out.x, kind: readonly, call: p.c }\n",
	 "step-not-run"},
	{"itself in its undo", "  - a: { call: p.c, undo: { call: p.u, with: =a.out } }\n",
	 "step-maybe-missing"},
	{"itself in its undo, guarded",
	 "  - a: { call: p.c, undo: { call: p.u, with: \"=if(has(a.out), a.out, null)\" } }\n",
	 NULL},
	{"one before in the undo",
	 "  - b: { kind: readonly, call: p.c }\n"
	 "  - a: { call: p.c, undo: { call: p.u, with: =b.out } }\n",
	 NULL},
	{"one after in the undo",
	 "  - a: { call: p.c, undo: { call: p.u, with: =b.out } }\n"
	 "  - b: { kind: readonly, call: p.c }\n",
	 "step-not-run"},
	{"one that may be skipped",
	 "  - a: { when: =input.x, kind: readonly, call: p.c }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 "step-maybe-missing"},
	{"one that may be ignored",
	 "  - a: { kind: readonly, call: p.c, on_failure: ignore }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 "step-maybe-missing"},
	{"an event that may not come",
	 "  - a: { await: { event: e, timeout: 1h, then: continue } }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 "step-maybe-missing"},
	{"an event that must come",
	 "  - a: { await: { event: e, timeout: 1h } }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 NULL},
	{"a sleep",
	 "  - a: { sleep: 1s }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 "no-output"},
	{"a parallel block",
	 "  - a: { parallel: { x: [ { c: { kind: readonly, call: p.c } } ] } }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 "no-output"},
	{"the block around",
	 "  - a: { parallel: { x: [ { c: { kind: readonly, call: p.c, with: =a.out } } ] } }\n",
	 "no-output"},
	{"only an undo",
	 "  - a: { undo: { call: p.u } }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 "no-output"},
	{"a branch of a block before",
	 "  - p: { parallel: { x: [ { a: { kind: readonly, call: p.c } } ] } }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 NULL},
	{"a branch of a block with a condition",
	 "  - p: { when: =input.x, parallel: { x: [ { a: { kind: readonly, call: p.c } } ] } "
	 "}\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 "step-maybe-missing"},
	{"a conditional branch of a block",
	 "  - p: { parallel: { x: [ { a: { when: =input.x, kind: readonly, call: p.c } } ] } "
	 "}\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 "step-maybe-missing"},
	{"a block in a conditional block",
	 "  - p: { when: =input.x, parallel: { x: [ { q: { parallel: { y: [ { a: { kind: "
	 "readonly, call: p.c } } ] } } } ] } }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 "step-maybe-missing"},
	{"before in the same branch of a conditional block",
	 "  - p: { when: =input.x, parallel: { x: [ { a: { kind: readonly, call: p.c } }, { b: "
	 "{ "
	 "kind: readonly, call: p.c, with: =a.out } } ] } }\n",
	 NULL},
	{"a block before in the same branch",
	 "  - p: { parallel: { x: [ { q: { parallel: { y: [ { a: { kind: readonly, call: p.c } "
	 "} "
	 "] } } }, { b: { kind: readonly, call: p.c, with: =a.out } } ] } }\n",
	 NULL},
	{"another branch",
	 "  - p: { parallel: { x: [ { a: { kind: readonly, call: p.c } } ], y: [ { b: { kind: "
	 "readonly, call: p.c, with: =a.out } } ] } }\n",
	 "step-not-run"},
	{"deep in another branch",
	 "  - p: { parallel: { x: [ { q: { parallel: { z: [ { a: { kind: readonly, call: p.c } "
	 "} "
	 "] } } } ], y: [ { c: { sleep: 1s } }, { b: { kind: readonly, call: p.c, with: =a.out "
	 "} "
	 "} ] } }\n",
	 "step-not-run"},
	{"a branch further on",
	 "  - p: { parallel: { y: [ { b: { kind: readonly, call: p.c, with: =a.out } } ], x: [ "
	 "{ "
	 "a: { kind: readonly, call: p.c } } ] } }\n",
	 "step-not-run"},
	{"before the block around",
	 "  - a: { kind: readonly, call: p.c }\n"
	 "  - p: { parallel: { y: [ { b: { kind: readonly, call: p.c, with: =a.out } } ] } }\n",
	 NULL},
	{"guarded by the step's own when",
	 "  - a: { when: =input.x, kind: readonly, call: p.c }\n"
	 "  - b: { when: =has(a.out), call: p.c, with: =a.out, undo: { call: p.u, with: =a.out "
	 "} "
	 "}\n",
	 NULL},
	{"guarded by the when of the block around",
	 "  - a: { when: =input.x, kind: readonly, call: p.c }\n"
	 "  - p: { when: =has(a.out), parallel: { y: [ { b: { when: =a.out.y, kind: readonly, "
	 "call: p.c, with: =a.out } } ] } }\n",
	 NULL},
	{"guarded in an earlier step only",
	 "  - a: { when: =input.x, kind: readonly, call: p.c }\n"
	 "  - c: { when: =has(a.out), kind: readonly, call: p.c }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 "step-maybe-missing"},
	{"until when",
	 "  - a: { kind: readonly, call: p.c }\n"
	 "  - b: { sleep: { until: =a.out.at } }\n",
	 NULL},
	{"in the output", "  - a: { kind: readonly, call: p.c }\noutput: { x: =a.out }\n",
	 NULL},
	{"a conditional step in the output",
	 "  - a: { when: =input.x, kind: readonly, call: p.c }\noutput: { x: =a.out }\n",
	 "step-maybe-missing"},
	{"a branch in the output",
	 "  - p: { parallel: { x: [ { a: { kind: readonly, call: p.c } } ] } }\n"
	 "output: { x: =a.out }\n",
	 NULL},
	{"any step in the key", "  - a: { kind: readonly, call: p.c }\nkey: =a.out.id\n",
	 "unknown-step"},
	{"the failure in an undo",
	 "  - a: { call: p.c, undo: { call: p.u, with: =saga.failure.code } }\n", NULL},
	{"the failure in a do",
	 "  - a: { kind: readonly, call: p.c, with: =saga.failure.code }\n", "unknown-name"},
	{"a step that has a mistake itself",
	 "  - a: { when: =input.x, kind: readonly, cal: p.c }\n"
	 "  - b: { kind: readonly, call: p.c, with: =a.out }\n",
	 "unknown-key"},
	{"arguments below a wrong condition",
	 "  - a: { when: =input.x, kind: readonly, call: p.c }\n"
	 "  - b: { when: =has(a.out) && 1, kind: readonly, call: p.c, with: =a.out }\n",
	 "expression-type"},
};

START_TEST(test_reference)
{
	const struct reference_row *row = &reference_rows[_i];
	struct definition *definition;
	char text[1024];
	enum err err;

	snprintf(text, sizeof text, HEAD "steps:\n%s", row->steps);
	err = load_text("order.yaml", slice_of(text), NULL, &problems, &definition);
	if (row->code) {
		ck_assert_msg(err == ERR_INVALID && problems.n == 1, "%s: %s, %zu problems: %s",
			      row->name, err_text(err), problems.n,
			      problems.n ? problems.list[0].text : "");
		ck_assert_msg(strcmp(problems.list[0].code, row->code) == 0, "%s: %s",
			      row->name, problems.list[0].code);
	} else {
		ck_assert_msg(!err && problems.n == 0, "%s: %s", row->name,
			      problems.n ? problems.list[0].text : err_text(err));
	}
	definition_free(definition);
}
END_TEST

/* --- the hash ------------------------------------------------------------------- */

/* Other spellings of the same saga. */
static const char *const spellings[] = {
	HEAD
	"steps:\n  - a: { call: p.c, with: { x: 1, y: =input.a+1 }, undo: { call: p.u } }\n",
	"# another\nsteps: [ { a: { undo: { call: \"p.u\", exhausted: park, timeout: 30000ms "
	"},\n"
	"  timeout: 30s, kind: compensatable, call: p.c, with: { x: 1, \"y\": '=( input.a + 1 "
	")' "
	"},\n"
	"  retry: { attempts: 5 }, on_failure: compensate } } ]\nversion: '1.0.0'\nsaga: "
	"order\n",
};

START_TEST(test_spellings)
{
	struct definition *first = load(spellings[0]);

	for (int i = 1; i < ROWS(spellings); i++) {
		struct definition *other = load(spellings[i]);

		ck_assert_msg(slice_equal(first->normal, other->normal), "%.*s",
			      SLICE_ARG(other->normal));
		ck_assert_mem_eq(first->hash, other->hash, sizeof first->hash);
		definition_free(other);
	}
	definition_free(first);
}
END_TEST

/* What makes a saga another one. */
static const char *const others[] = {
	HEAD STEPS,
	"saga: order\nversion: 1.0.1\n" STEPS,
	HEAD "description: x\n" STEPS,
	HEAD "deadline: { after: 1h }\n" STEPS,
	HEAD "input: { schema: {} }\n" STEPS,
	HEAD "input: { mask: [a] }\n" STEPS,
	HEAD "steps:\n  - a: { kind: readonly, call: p.c, with: { x: 1 } }\n",
	HEAD "steps:\n  - a: { kind: readonly, call: p.c, with: { x: \"1\" } }\n",
	HEAD "steps:\n  - a: { kind: readonly, call: p.c, with: { x: 1.0 } }\n",
	HEAD "steps:\n  - a: { kind: readonly, call: p.c, timeout: 31s }\n",
	HEAD "steps:\n  - a: { kind: pivot, call: p.c }\n",
	HEAD "steps:\n  - a: { call: p.c, undo: { call: p.u } }\n",
	HEAD "steps:\n  - a: { call: p.c, undo: { call: p.u, with: {} } }\n",
	HEAD "steps:\n  - a: { kind: readonly, call: p.c, on_failure: ignore }\n",
	HEAD STEPS "output: {}\n",
};

START_TEST(test_others)
{
	struct definition *definitions[ROWS(others)];

	for (int i = 0; i < ROWS(others); i++) {
		definitions[i] = load(others[i]);
		for (int j = 0; j < i; j++)
			ck_assert_msg(memcmp(definitions[i]->hash, definitions[j]->hash,
					     SHA256_SIZE) != 0,
				      "%s has the hash of %s", others[i], others[j]);
	}
	for (int i = 0; i < ROWS(others); i++)
		definition_free(definitions[i]);
}
END_TEST

/* The writer has no limit of its own but the buffer's. */
START_TEST(test_normal_limit)
{
	struct definition *d = load(HEAD STEPS);
	struct bytes small = BYTES(d->normal.len - 1, NULL);
	struct bytes exact = BYTES(d->normal.len, NULL);

	normal_write(&small, d);
	ck_assert_int_eq(small.err, ERR_TOO_LARGE);
	normal_write(&exact, d);
	ck_assert_int_eq(exact.err, OK);
	ck_assert(slice_equal(bytes_slice(&exact), d->normal));
	bytes_release(&small);
	bytes_release(&exact);
	definition_free(d);
}
END_TEST

/* --- schema files --------------------------------------------------------------- */

struct opened {
	enum err err;
	const char *content;
	char name[64];
	size_t max;
};

static enum err open_given(void *context, const char *name, size_t max, struct arena *in,
			   struct slice *out, struct diag *diag)
{
	struct opened *opened = context;

	snprintf(opened->name, sizeof opened->name, "%s", name);
	opened->max = max;
	if (opened->err)
		return diag_set(diag, opened->err, "the reason");
	return arena_copy(in, slice_of(opened->content), out) ? OK : ERR_NOMEM;
}

static const struct opener_row {
	const char *name;
	enum err opened;
	enum err err;
	const char *code;
} opener_rows[] = {
	{"it is there", OK, OK, NULL},
	{"it is not there", ERR_NOT_FOUND, ERR_INVALID, "file-not-found"},
	{"it cannot be read", ERR_IO, ERR_INVALID, "file-unreadable"},
	{"it is too large", ERR_TOO_LARGE, ERR_INVALID, "too-large"},
	{"there is no memory for it", ERR_NOMEM, ERR_NOMEM, NULL},
};

START_TEST(test_opener)
{
	const struct opener_row *row = &opener_rows[_i];
	struct opened opened = {.err = row->opened, .content = "{\"type\": \"object\"}"};
	struct file_opener opener = {open_given, &opened};
	struct definition *definition;
	enum err err = load_text("dir/order.yaml",
				 slice_of(HEAD "input: { schema: s/order.json }\n" STEPS),
				 &opener, &problems, &definition);

	ck_assert_msg(err == row->err, "%s: %s", row->name, err_text(err));
	ck_assert_str_eq(opened.name, "s/order.json");
	ck_assert_uint_eq(opened.max, DEFINITION_TEXT_MAX);
	ck_assert_uint_eq(problems.n, row->code != NULL);
	if (row->code)
		ck_assert_str_eq(problems.list[0].code, row->code);
	if (!err)
		check_text(definition->input->text.text, "{\"type\":\"object\"}");
	definition_free(definition);
}
END_TEST

START_TEST(test_place_in_schema_file)
{
	struct opened opened = {.content = "{\n  \"type\": 5\n}"};
	struct file_opener opener = {open_given, &opened};
	struct definition *definition;

	ck_assert_int_eq(load_text("dir/order.yaml",
				   slice_of(HEAD "nope: 1\ninput: { schema: s.json }\n" STEPS),
				   &opener, &problems, &definition),
			 ERR_INVALID);
	ck_assert_uint_eq(problems.n, 2);
	ck_assert_str_eq(problems.list[0].file, "dir/order.yaml");
	ck_assert_str_eq(problems.list[1].file, "dir/s.json");
	ck_assert_uint_eq(problems.list[1].place.line, 2);
	ck_assert_uint_eq(problems.list[1].place.column, 11);
	ck_assert_ptr_null(definition);
}
END_TEST

START_TEST(test_no_opener)
{
	struct definition *definition;

	ck_assert_int_eq(load_text("order.yaml",
				   slice_of(HEAD "input: { schema: s.json }\n" STEPS), NULL,
				   &problems, &definition),
			 ERR_INVALID);
	ck_assert_uint_eq(problems.n, 1);
	ck_assert_str_eq(problems.list[0].code, "file-unreadable");
}
END_TEST

/* --- files ---------------------------------------------------------------------- */

static char folder[] = "/tmp/skald-load-XXXXXX";

static const char *write_file(const char *name, const char *text)
{
	static char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "wb");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

static void remove_file(const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	ck_assert_int_eq(remove(path), 0);
}

static void check_file_problem(const char *path, enum err want, const char *code)
{
	struct definition *definition;
	enum err err = load_file(path, &problems, &definition);

	ck_assert_msg(err == want, "%s: %s", path, err_text(err));
	ck_assert_ptr_null(definition);
	ck_assert_uint_eq(problems.n, 1);
	ck_assert_str_eq(problems.list[0].code, code);
	ck_assert_str_eq(problems.list[0].file, path);
	ck_assert_uint_eq(problems.list[0].place.line, 0);
	begin();
}

START_TEST(test_file)
{
	struct definition *definition;
	const char *path;
	FILE *large;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	write_file("s.json", "{\"type\": \"object\"}");
	path = write_file("order.yaml", HEAD "input: { schema: s.json }\n" STEPS);
	ck_assert_int_eq(load_file(path, &problems, &definition), OK);
	ck_assert(definition->has_input_schema);
	definition_free(definition);
	remove_file("s.json");
	remove_file("order.yaml");

	check_file_problem("nowhere/order.yaml", ERR_NOT_FOUND, "file-not-found");
	check_file_problem(folder, ERR_IO, "file-unreadable");
	path = write_file("large.yaml", "");
	large = fopen(path, "wb");
	ck_assert_ptr_nonnull(large);
	ck_assert_int_eq(fseek(large, DEFINITION_TEXT_MAX, SEEK_SET), 0);
	ck_assert_int_eq(fputc('\n', large), '\n');
	ck_assert_int_eq(fclose(large), 0);
	check_file_problem(path, ERR_TOO_LARGE, "too-large");
	remove_file("large.yaml");
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(test_standard_input)
{
	struct definition *definition;
	const char text[] = HEAD STEPS "nope: 1\n";
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], text, sizeof text - 1), (int)sizeof text - 1);
	close(ends[1]);
	ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	ck_assert_int_eq(load_file("-", &problems, &definition), ERR_INVALID);
	ck_assert_str_eq(problems.list[0].file, "<stdin>");
	ck_assert_uint_eq(problems.list[0].place.line, 5);
}
END_TEST

/* --- all at once ---------------------------------------------------------------- */

/* The mistakes of several files can be collected; only this file's decide. */
START_TEST(test_second_file)
{
	struct definition *definition;

	ck_assert_int_eq(
		load_text("b.yaml", slice_of("saga: 1\n"), NULL, &problems, &definition),
		ERR_INVALID);
	ck_assert_int_eq(
		load_text("a.yaml", slice_of(HEAD STEPS), NULL, &problems, &definition), OK);
	definition_free(definition);
	ck_assert_int_eq(load_text("a.yaml", slice_of("- x\n"), NULL, &problems, &definition),
			 ERR_INVALID);
	ck_assert_str_eq(problems.list[0].file, "a.yaml");
	ck_assert_str_eq(problems.list[1].file, "b.yaml");
}
END_TEST

/* Something of everything, with warnings and with a schema file. */
static const char rich_text[] = HEAD
	"description: \"a \\n b\"\nkey: =input.id + 'x'\n"
	"input: { schema: s.json, mask: [a.b, c] }\ndeadline: { after: 1h }\n"
	"use: { retry: { std: { factor: 1.5 }, unused: {} } }\nsteps:\n"
	"  - sorry: { undo: { call: p.u, with: { why: =saga.failure.code } } }\n"
	"  - a: { when: =has(input.id), call: p.c, retry: std, with: { l: [1, { x: 'y z' }, "
	"=input.id], \"k k\": {}, \"t\\u0001\": \"\\u2028\" }, undo: { call: p.u, with: "
	"\"=if(has(a.out), a.out, null)\" } }\n"
	"  - b: { parallel: { x: [ { c: { kind: readonly, call: p.c, on_failure: ignore } } "
	"], y: [ { d: { sleep: 1s } }, { e: { sleep: { until: =input.at } } } ] } }\n"
	"  - f: { await: { event: e, then: continue } }\n"
	"  - g: { kind: pivot, call: p.c, with: =input }\n"
	"  - h: { kind: retriable, call: p.c, with: { a: =g.out } }\n"
	"output: { x: =g.out.x, y: [=f.out] }\n";

static const char rich_schema[] =
	"{\"type\": \"object\", \"required\": [\"id\"], \"properties\": {"
	"\"id\": {\"type\": \"string\", \"pattern\": \"^[a-z]+$\", \"minLength\": 1},"
	"\"a\": {\"properties\": {\"b\": {\"enum\": [1, \"x\", null]}}},"
	"\"c\": {\"type\": \"array\", \"items\": {\"const\": 5}, \"maxItems\": 3}}}";

/* And everything wrong. */
static const char wrong_text[] =
	"saga: Order\nversion: 1\nnope: 1\nkey: x\ninput: { schema: { type: 5, properties: { "
	"a: { "
	"pattern: \"(\" } } }, mask: [b] }\nuse: { retry: { std: { first: 1 } } }\nsteps:\n"
	"  - a: { kind: pivt, call: p, retry: sdt, with: [1] }\n"
	"  - a: { kind: pivot, call: p.c, undo: {}, with: { x: =c.out, y: 0x1, y: &a *b } }\n"
	"  - [ =f(x, y) ]\n"
	"  - c: { kind: readonly, call: p.c, when: =false, timeout: 0s }\n";

static enum err load_rich(const char *text, struct slice *normal)
{
	struct opened opened = {.content = rich_schema};
	struct file_opener opener = {open_given, &opened};
	struct arena own = {0};
	struct problems said = {.arena = &own};
	struct definition *definition;
	enum err err = load_text("order.yaml", slice_of(text), &opener, &said, &definition);

	if (!err)
		normal->len = definition->normal.len;
	definition_free(definition);
	arena_release(&own);
	return err;
}

static void fail_in_turn(const char *text, enum err want)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct slice normal = {0};
		enum err err;

		fail_malloc_at(n);
		err = load_rich(text, &normal);
		fired = fail_malloc_off();
		ck_assert_msg(err == (fired ? ERR_NOMEM : want), "allocation %zu: %s", n,
			      err_text(err));
		ck_assert_uint_eq(normal.len > 0, err == OK);
	}
}

START_TEST(test_no_memory)
{
	fail_in_turn(rich_text, OK);
	fail_in_turn(wrong_text, ERR_INVALID);
}
END_TEST

START_TEST(test_no_memory_for_a_file)
{
	bool fired = true;
	const char *path;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	write_file("s.json", rich_schema);
	path = write_file("order.yaml", rich_text);
	for (size_t n = 0; fired; n++) {
		struct arena own = {0};
		struct problems said = {.arena = &own};
		struct definition *definition;
		enum err err;

		fail_malloc_at(n);
		err = load_file(path, &said, &definition);
		fired = fail_malloc_off();
		definition_free(definition);
		arena_release(&own);
		ck_assert_msg(err == (fired ? ERR_NOMEM : OK), "allocation %zu: %s", n,
			      err_text(err));
	}
	remove_file("s.json");
	remove_file("order.yaml");
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* As many steps as there may be, and nearly as much text. */
START_TEST(test_large)
{
	enum { GENEROUS_MS = 2000 };
	struct bytes text = BYTES(DEFINITION_TEXT_MAX, NULL);
	struct definition *definition;
	clock_t start, took;

	bytes_text(&text, HEAD "steps:\n");
	for (int i = 0; i < STEPS_MAX; i++) {
		bytes_format(&text, "  - s%d: { kind: readonly, call: p.c, description: \"", i);
		for (int word = 0; word < 250; word++)
			bytes_text(&text, "word, ");
		bytes_text(&text, "\", with: { x: =input.x");
		if (i > 0)
			bytes_format(&text, ", y: =s%d.out.y", i - 1);
		for (int j = 0; j < 60; j++)
			bytes_format(&text, ", text%d: some more text", j);
		bytes_text(&text, " } }\n");
	}
	ck_assert_int_eq(text.err, OK);
	start = clock();
	ck_assert_int_eq(
		load_text("large.yaml", bytes_slice(&text), NULL, &problems, &definition), OK);
	took = (clock() - start) / (CLOCKS_PER_SEC / 1000);
	ck_assert_msg(took < GENEROUS_MS, "%ld ms", (long)took);
	ck_assert_uint_eq(definition->n_steps, STEPS_MAX);
	definition_free(definition);
	bytes_release(&text);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, test_top);
	tcase_add_test(tcase, test_top_defaults);
	tcase_add_test(tcase, test_tree);
	tcase_add_test(tcase, test_call);
	tcase_add_test(tcase, test_other_forms);
	tcase_add_loop_test(tcase, test_retry, 0, ROWS(retry_rows));
	tcase_add_loop_test(tcase, test_reference, 0, ROWS(reference_rows));
	tcase_add_test(tcase, test_spellings);
	tcase_add_test(tcase, test_others);
	tcase_add_test(tcase, test_normal_limit);
	tcase_add_loop_test(tcase, test_opener, 0, ROWS(opener_rows));
	tcase_add_test(tcase, test_place_in_schema_file);
	tcase_add_test(tcase, test_no_opener);
	tcase_add_test(tcase, test_file);
	tcase_add_test(tcase, test_standard_input);
	tcase_add_test(tcase, test_second_file);
	tcase_add_test(tcase, test_no_memory);
	tcase_add_test(tcase, test_no_memory_for_a_file);
	tcase_add_test(tcase, test_large);
}

int main(void)
{
	return suite_run("load", add);
}

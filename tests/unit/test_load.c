/* test_load.c - what becomes of a definition's text. What the loader says to wrong
 * ones is in tests/golden, what it promises its callers in test_load_file.c. */
#include "orchestrator/load/load.h"
#include "orchestrator/load/normal.h"
#include "tests/lib/suite.h"

#include <stdio.h>

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

/* --- the input's schema --------------------------------------------------------- */

START_TEST(test_schema)
{
	struct definition *d = load(
		HEAD "input:\n  schema:\n    type: object\n    required: [e, f]\n"
		     "    additionalProperties: false\n    properties:\n"
		     "      e: { enum: [x, null, \"1\"] }\n"
		     "      f: { type: [integer, \"null\"], minimum: -1.50, maximum: 7 }\n"
		     "      g: { type: string, minLength: 2, maxLength: 3, pattern: ^a }\n"
		     "      h: { type: array, items: { const: 5 }, minItems: 1, maxItems: 4 }\n"
		     "      i: true\n" STEPS);
	const struct schema *s = d->input, *e, *f, *g, *h;

	ck_assert_uint_eq(s->types, TYPE_OF(JSON_OBJECT));
	ck_assert_uint_eq(s->n_properties, 5);
	ck_assert_uint_eq(s->n_required, 2);
	check_text(s->required[1], "f");
	ck_assert_ptr_null(s->additional);
	e = schema_member(s, slice_of("e"));
	ck_assert_uint_eq(e->types, TYPE_OF(JSON_TEXT) | TYPE_OF(JSON_NULL));
	ck_assert_uint_eq(e->n_choices, 3);
	check_text(e->choices[2].text, "\"1\"");
	check_text(e->text.text, "{\"enum\":[\"x\",null,\"1\"]}");
	ck_assert_ptr_eq(e->additional, &schema_any);
	f = schema_member(s, slice_of("f"));
	ck_assert_uint_eq(f->types, TYPE_OF(JSON_NUMBER) | TYPE_OF(JSON_NULL));
	ck_assert(f->whole_numbers && f->has_minimum && f->has_maximum);
	ck_assert_int_eq(f->minimum.coefficient, -150);
	ck_assert_uint_eq(f->max_length, UINT32_MAX);
	g = schema_member(s, slice_of("g"));
	ck_assert_uint_eq(g->min_length, 2);
	ck_assert_uint_eq(g->max_length, 3);
	ck_assert_ptr_nonnull(g->pattern);
	h = schema_member(s, slice_of("h"));
	ck_assert_uint_eq(h->min_items, 1);
	ck_assert_uint_eq(h->max_items, 4);
	ck_assert_uint_eq(h->items->types, TYPE_OF(JSON_NUMBER));
	check_text(h->items->text.text, "{\"enum\":[5]}");
	ck_assert_ptr_eq(schema_member(s, slice_of("i")), &schema_any);
	definition_free(d);
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
	tcase_add_test(tcase, test_spellings);
	tcase_add_test(tcase, test_others);
	tcase_add_test(tcase, test_normal_limit);
	tcase_add_test(tcase, test_schema);
}

int main(void)
{
	return suite_run("load", add);
}

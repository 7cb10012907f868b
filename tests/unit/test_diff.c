/* test_diff.c - what differs between two definitions, and for a saga on its way. */
#include "orchestrator/explain/diff.h"
#include "orchestrator/load/load.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

enum { TEXT_MAX = 16384 };

#define A           "  - a: { call: s.a, timeout: 10s, undo: { call: s.na } }\n"
#define B           "  - b: { call: s.b, timeout: 10s, undo: { call: s.nb } }\n"
#define P           "  - p: { kind: pivot, call: s.p }\n"
#define R           "  - r: { kind: retriable, call: s.r }\n"
#define W(x)        "  - w: { await: { event: go, " x " } }\n"
#define BOTH(x, y)  "  - x:\n      parallel:\n        one:\n    " x "        two:\n    " y
#define EACH(x, y)  "  - x:\n      each: { in: =input.l, " x ", steps: [ " y " ] }\n"
#define EACH_A      "a: { call: s.a, undo: { call: s.na } }"
#define INNER(name) "      - " name ": { call: s." name ", undo: { call: s.n" name " } }\n"

static const struct row {
	const char *name;
	const char *head_a, *steps_a;
	const char *head_b, *steps_b;
	const char *changes; /* with ; between them */
	const char *states;  /* those that differ */
} rows[] = {
	{"equal", "", A P, "", A P, "", ""},
	{"a comment and another form of the same", "", A, "",
	 "  # done first\n  - a:\n      call: s.a\n      timeout: 10000ms\n      undo: { call: "
	 "s.na, with: {} }\n",
	 "", ""},
	{"names of policies do not count",
	 "use: { retry: { x: { first: 1s, attempts: 3 } } }\n",
	 "  - a: { kind: readonly, call: s.a, retry: x }\n", "",
	 "  - a: { kind: readonly, call: s.a, retry: { first: 1s, attempts: 3 } }\n", "", ""},
	{"a timeout", "", A, "", "  - a: { call: s.a, timeout: 20s, undo: { call: s.na } }\n",
	 "a timeout: 10s -> 20s", ""},
	{"a command", "", A, "", "  - a: { call: t.a, timeout: 10s, undo: { call: s.na } }\n",
	 "a call: s.a -> t.a", ""},
	{"an undo that is gone", "", A, "",
	 "  - a: { kind: readonly, call: s.a, timeout: 10s }\n",
	 "a kind: compensatable -> readonly; a undo.call: s.na -> ; a undo.with: {} -> ; "
	 "a undo.timeout: 30s -> ; a undo.retry: first 200ms, factor 2, max 30s, jitter full, "
	 "budget 1d -> ; a undo.exhausted: park -> ",
	 "after a: a [] undo [a], b [] undo []"},
	{"a retry", "",
	 "  - a: { kind: readonly, call: s.a, retry: { first: 1s, attempts: 3 } }\n", "",
	 "  - a: { kind: readonly, call: s.a, retry: { first: 1s, attempts: 4 } }\n",
	 "a retry: first 1s, factor 2, max 30s, jitter full, attempts 3 -> first 1s, factor 2, "
	 "max 30s, jitter full, attempts 4",
	 ""},
	{"a condition and arguments", "",
	 "  - a: { kind: readonly, call: s.a, with: { n: 1 } }\n", "",
	 "  - a: { kind: readonly, call: s.a, when: =has(input.n), with: { n: =input.n, l: [1, "
	 "x] "
	 "} }\n",
	 "a when:  -> =has(input.n); a with: {\"n\":1} -> {n: =input.n, l: [1,\"x\"]}", ""},
	{"an await", "", W("timeout: 1h, then: compensate"), "",
	 W("timeout: 2h, then: continue"),
	 "w await.timeout: 1h -> 2h; w await.then: compensate -> continue", ""},
	{"another form", "", "  - a: { sleep: 1h }\n", "", "  - a: { await: { event: go } }\n",
	 "a form: sleep -> await; a await.event:  -> go; a sleep: 1h -> ", ""},
	{"on_failure", "", P R, "",
	 P "  - r: { kind: retriable, call: s.r, on_failure: ignore }\n",
	 "r on_failure:  -> ignore", ""},
	{"the saga as a whole", "key: =input.a\ndeadline: { after: 1h, then: compensate }\n", A,
	 "output: { x: 1 }\n", A, "key: =input.a -> ; deadline: 1h -> ; output:  -> {\"x\":1}",
	 ""},
	{"a step more in front", "", B, "", A B, "a added:  -> first",
	 "after b: a [] undo [b], b [] undo [b a], only b [a]"},
	{"a step more behind", "", A, "", A B, "b added:  -> behind a",
	 "after a: a [] undo [a], b [b] undo [a]"},
	{"a step less", "", A B, "", A, "b removed: behind a -> ",
	 "after a: a [b] undo [a], b [] undo [a]; after b: gone"},
	{"the other way round", "", A B, "", B A,
	 "a moved: first -> behind b; "
	 "b moved: behind a -> first",
	 "after a: a [b] undo [a], b [] undo [a b], only b [b]; "
	 "after b: a [] undo [b a], b [a] undo [b], only a [a]"},
	{"into a block", "", A B, "", BOTH(INNER("a"), INNER("b")),
	 "a moved: first -> first in x.one; a timeout: 10s -> 30s; "
	 "b moved: behind a -> first in x.two; b timeout: 10s -> 30s; x added:  -> first",
	 "after a: gone; after b: gone"},
	{"into another branch", "", BOTH(INNER("a"), INNER("b")), "",
	 BOTH(INNER("b"), INNER("a")),
	 "a moved: first in x.one -> first in x.two; b moved: first in x.two -> first in x.one",
	 "after x: a [] undo [b a], b [] undo [a b]"},
	{"the elements of an each", "", EACH("as: i, max: 9", EACH_A), "",
	 EACH("as: j, max: 8", EACH_A), "x each.as: i -> j; x each.max: 9 -> 8", ""},
	{"into an each", "", "  - " EACH_A "\n", "", EACH("as: i, max: 9", EACH_A),
	 "a moved: first -> first in x; x added:  -> first", "after a: gone"},
	{"a step less in an each", "",
	 EACH("as: i, max: 9", EACH_A ", b: { kind: readonly, call: s.b }"), "",
	 EACH("as: i, max: 9", EACH_A), "b removed: behind a in x -> ",
	 "after x: a [] undo [a], b [] undo [a], only a [b]"},
	{"a child saga", "", "  - a: { saga: t, with: { n: 1 } }\n", "",
	 "  - a: { saga: u@2.0.0, key: =saga.id, with: { n: 2 } }\n",
	 "a saga: t -> u@2.0.0; a with: {\"n\":1} -> {\"n\":2}; a key:  -> =saga.id", ""},
	{"a child saga in place of a call", "", A, "", "  - a: { saga: t }\n",
	 "a form: call -> saga; a call: s.a -> ; a saga:  -> t; a timeout: 10s -> ; a retry: "
	 "first 200ms, factor 2, max 30s, jitter full, attempts 5 -> ; a undo.call: s.na -> ; "
	 "a undo.with: {} -> ; a undo.timeout: 30s -> ; a undo.retry: first 200ms, factor 2, "
	 "max 30s, jitter full, budget 1d -> ; a undo.exhausted: park -> ",
	 ""},
	{"a pivot that comes later", "", A P R, "",
	 A "  - r: { kind: readonly, call: s.r }\n" P,
	 "p moved: behind a -> behind r; r moved: behind p -> behind a; "
	 "r kind: retriable -> readonly; r retry: first 200ms, factor 2, max 30s, jitter full, "
	 "budget 1d -> first 200ms, factor 2, max 30s, jitter full, attempts 5",
	 "after a: a [p r] undo [a], b [r p] undo [a]; "
	 "after p: a [r] passed, b [] passed, only b [r]; "
	 "after r: a [] passed, b [p] undo [a], only a [p]"},
};

static struct definition *load(const struct row *row, const char *head, const char *steps)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;
	char text[4096];
	enum err err;

	snprintf(text, sizeof text,
		 "saga: s\nversion: 1.0.0\ninput: { schema: { type: object, properties: { l: { "
		 "type: array }, a: { type: string }, n: { type: number } } } }\n%ssteps:\n%s",
		 head, steps);
	err = load_text("test", slice_of(text), NULL, &problems, &definition);
	ck_assert_msg(!err, "%s: %s", row->name, problems.n ? problems.list[0].text : "?");
	arena_release(&arena);
	return definition;
}

static void put_changes(const struct diff *diff, struct bytes *out)
{
	for (uint32_t n = 0; n < diff->n; n++) {
		const struct difference *difference = &diff->list[n];

		bytes_text(out, n ? "; " : "");
		bytes_append(out, difference->step);
		bytes_text(out, difference->step.len ? " " : "");
		bytes_text(out, difference->part ? difference->part
						 : difference_text(difference->kind));
		bytes_text(out, ": ");
		bytes_append(out, difference->from);
		bytes_text(out, " -> ");
		bytes_append(out, difference->to);
	}
}

static void put_names(struct bytes *out, struct names names)
{
	bytes_add(out, '[');
	for (uint32_t n = 0; n < names.n; n++) {
		bytes_text(out, n ? " " : "");
		bytes_append(out, names.list[n]);
	}
	bytes_add(out, ']');
}

static void put_outlook(struct bytes *out, const char *name, const struct outlook *outlook)
{
	bytes_format(out, "%s ", name);
	put_names(out, outlook->then);
	bytes_text(out, outlook->passed_pivot ? " passed" : " undo ");
	if (!outlook->passed_pivot)
		put_names(out, outlook->undo);
	else
		ck_assert_uint_eq(outlook->undo.n, 0);
}

static void put_only(struct bytes *out, const char *name, struct names names)
{
	if (!names.n)
		return;
	bytes_format(out, ", only %s ", name);
	put_names(out, names);
}

static void put_states(const struct diff *diff, struct bytes *out)
{
	for (uint32_t n = 0; n < diff->n_crossings; n++) {
		const struct crossing *crossing = &diff->crossings[n];

		if (!crossing->differs)
			continue;
		bytes_text(out, out->len ? "; after " : "after ");
		bytes_append(out, crossing->after);
		bytes_text(out, ": ");
		if (!crossing->there) {
			bytes_text(out, "gone");
			continue;
		}
		put_outlook(out, "a", &crossing->a);
		put_outlook(out, ", b", &crossing->b);
		put_only(out, "a", crossing->only_a);
		put_only(out, "b", crossing->only_b);
	}
}

static void expect(const char *name, struct bytes *text, const char *expected)
{
	bytes_add(text, '\0');
	ck_assert_msg(strcmp(text->at, expected) == 0, "%s: %s", name, text->at);
	bytes_release(text);
}

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	struct definition *a = load(row, row->head_a, row->steps_a);
	struct definition *b = load(row, row->head_b, row->steps_b);
	struct bytes changes = BYTES(TEXT_MAX, NULL), states = BYTES(TEXT_MAX, NULL);
	struct arena arena = {0};
	struct diff out;

	ck_assert_int_eq(diff(a, b, &arena, &out), OK);
	put_changes(&out, &changes);
	put_states(&out, &states);
	expect(row->name, &changes, row->changes);
	expect(row->name, &states, row->states);
	definition_free(a);
	definition_free(b);
	arena_release(&arena);
}
END_TEST

START_TEST(test_an_input)
{
	static const struct row row = {.name = "input"};
	struct definition *a = load(&row, "", A);
	struct problems problems = {0};
	struct definition *b = NULL;
	struct arena arena = {0};
	struct diff out;

	problems.arena = &arena;
	ck_assert_int_eq(load_text("test", SLICE_LITERAL("saga: t\nversion: 1.0.0\nsteps:\n" A),
				   NULL, &problems, &b),
			 OK);
	ck_assert_int_eq(diff(a, b, &arena, &out), OK);
	ck_assert_uint_eq(out.n, 2);
	ck_assert_str_eq(out.list[0].part, "saga");
	ck_assert_str_eq(out.list[1].part, "input");
	definition_free(a);
	definition_free(b);
	arena_release(&arena);
}
END_TEST

START_TEST(test_no_memory)
{
	const struct row *row = &rows[_i];
	struct definition *a = load(row, row->head_a, row->steps_a);
	struct definition *b = load(row, row->head_b, row->steps_b);
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct arena arena = {0};
		struct diff out;
		enum err err;

		fail_malloc_at(n);
		err = diff(a, b, &arena, &out);
		fired = fail_malloc_off();
		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
		arena_release(&arena);
	}
	definition_free(a);
	definition_free(b);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_an_input);
	tcase_add_loop_test(tcase, test_no_memory, 0, ROWS(rows));
}

int main(void)
{
	return suite_run("diff", add);
}

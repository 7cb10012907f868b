/* test_load_reference.c - which outputs an expression may rely on where. */
#include "orchestrator/load/load.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define HEAD "saga: order\nversion: 1.0.0\n"

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

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_loop_test(tcase, test_reference, 0, ROWS(reference_rows));
}

int main(void)
{
	return suite_run("load_reference", add);
}

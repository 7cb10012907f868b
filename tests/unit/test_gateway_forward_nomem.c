/* test_gateway_forward_nomem.c - requests for another orchestrator, for which each
 * allocation fails in turn, at either: they are answered or broken off, and both are as
 * well as before. */
#include "tests/lib/fail_malloc.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define START(id) "{\"saga\":\"visit\",\"id\":\"" id "\",\"input\":{\"no\":\"" id "\"}}"

static const struct row {
	const char *name;
	struct lobby_request request;
	long status;
	const char *until; /* of a stream; NULL: its end */
} rows[] = {
	{"a start",
	 {"POST", "/v1/sagas", SLICE_LITERAL(START("b7")), {"Authorization: x"}},
	 201,
	 NULL},
	{"a batch",
	 {"POST", "/v1/sagas:batch", SLICE_LITERAL(START("b7") "\n" START("a7")), {NULL}},
	 200,
	 NULL},
	{"a cancel", {"POST", "/v1/sagas/b1/cancel", SLICE_LITERAL("{}"), {NULL}}, 200, NULL},
	{"a saga", {"GET", "/v1/sagas/b1", {0}, {NULL}}, 200, NULL},
	{"a plan", {"GET", "/v1/sagas/b1/undo-plan?reason=a%20b", {0}, {NULL}}, 200, NULL},
	{"a definition",
	 {"POST",
	  "/v1/definitions",
	  SLICE_LITERAL("saga: other\nversion: 1.0.0\nsteps:\n  - book: { call: desk.book, "
			"undo: { call: desk.unbook } }\n"),
	  {NULL}},
	 201,
	 NULL},
	{"the events of a saga", {"GET", "/v1/sagas/b1/events", {0}, {NULL}}, 200, "book"},
	{"the events of all", {"GET", "/v1/events", {0}, {NULL}}, 200, ": watching"},
};

/* Time passes, too: whoever found no memory tries again. */
static void finish(struct visitor *visitor, const char *until)
{
	while (!visitor->done) {
		if (until && visitor_has(visitor, until))
			return;
		lobby_pass(visitor->lobby, 20);
	}
}

/* With the nth allocation failing; whether it was asked for. */
static bool run(const struct row *row, size_t n)
{
	struct visitor visitor;
	struct pair pair;
	bool fired;

	pair_open(&pair);
	lobby_start(&pair.lobbies[1], "b1", "1");
	fail_malloc_at(n);
	visitor_begin(&visitor, &pair.lobbies[0], &row->request);
	finish(&visitor, row->until);
	fired = fail_malloc_off();
	ck_assert_msg(fired || !visitor.done || visitor.status == row->status, "%s: %ld",
		      row->name, visitor.status);
	ck_assert_msg(visitor.failed || !visitor.done || visitor.status == row->status ||
			      visitor.status == 500 || visitor.status == 503 ||
			      visitor.status == 504 || visitor.status == 200,
		      "%s: %ld without allocation %zu", row->name, visitor.status, n);
	visitor_end(&visitor);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(lobby_ask(&pair.lobbies[i], "GET", "/healthz", NULL).status,
				 200);
	pair_close(&pair);
	return fired;
}

START_TEST(test_every_allocation_fails_in_turn)
{
	for (size_t n = 0; run(&rows[_i], n); n++)
		;
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_every_allocation_fails_in_turn, 0,
			    sizeof rows / sizeof *rows);
}

int main(void)
{
	return suite_run("gateway_forward_nomem", add);
}

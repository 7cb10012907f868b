/* test_gateway_nomem.c - requests for which each allocation fails in turn: they are
 * answered or broken off, and the server is as well as before. */
#include "tests/lib/fail_malloc.h"
#include "tests/lib/lobby.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define INPUT "{\"no\":\"7\",\"card\":{\"number\":\"1\"}}"

static const struct row {
	const char *name;
	struct lobby_request request;
	long status;
} rows[] = {
	{"a start",
	 {"POST",
	  "/v1/sagas",
	  SLICE_LITERAL("{\"saga\":\"visit\",\"id\":\"v7\",\"input\":" INPUT "}"),
	  {NULL}},
	 201},
	{"a batch",
	 {"POST",
	  "/v1/sagas:batch",
	  SLICE_LITERAL("{\"saga\":\"visit\",\"id\":\"v7\",\"input\":" INPUT "}\n{}\n{\n"),
	  {NULL}},
	 200},
	{"a list", {"GET", "/v1/sagas?status=running&since=1h", {0}, {NULL}}, 200},
	{"a saga", {"GET", "/v1/sagas/v1", {0}, {NULL}}, 200},
	{"a cancel",
	 {"POST", "/v1/sagas/v1/cancel", SLICE_LITERAL("{\"reason\":\"no\"}"), {NULL}},
	 200},
	{"a signal",
	 {"POST", "/v1/sagas/v1/signals/talked", SLICE_LITERAL("{\"payload\":{}}"), {NULL}},
	 200},
	{"a stream of what has ended", {"GET", "/v1/sagas/v0/events", {0}, {NULL}}, 200},
	{"the definitions", {"GET", "/v1/definitions", {0}, {NULL}}, 200},
	{"the counts", {"GET", "/v1/stats", {0}, {NULL}}, 200},
	{"the metrics", {"GET", "/metrics", {0}, {NULL}}, 200},
	{"nothing there", {"GET", "/v1/nothing", {0}, {NULL}}, 404},
};

/* Time passes, too: a store that found no memory is asked again. */
static void finish(struct visitor *visitor)
{
	for (int i = 0; i < 100000 && !visitor->done; i++) {
		if (i > 100)
			clock_sim_advance(&visitor->lobby->clock, 100);
		lobby_turn(visitor->lobby);
	}
}

/* With the nth allocation failing; whether it was asked for. */
static bool run(const struct row *row, size_t n)
{
	struct visitor visitor;
	struct lobby lobby;
	bool fired;

	lobby_open(&lobby);
	lobby_start(&lobby, "v0", "0");
	lobby_complete(&lobby, "v0");
	lobby_start(&lobby, "v1", "1");
	fail_malloc_at(n);
	visitor_begin(&visitor, &lobby, &row->request);
	finish(&visitor);
	fired = fail_malloc_off();
	ck_assert_msg(visitor.done, "%s hangs without allocation %zu", row->name, n);
	ck_assert_msg(fired || visitor.status == row->status, "%s: %ld", row->name,
		      visitor.status);
	ck_assert_msg(visitor.failed || visitor.status == row->status ||
			      visitor.status == 500 || visitor.status == 503 ||
			      visitor.status == 200,
		      "%s: %ld without allocation %zu", row->name, visitor.status, n);
	visitor_end(&visitor);
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/healthz", NULL).status, 200);
	lobby_close(&lobby);
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
	tcase_add_loop_test(tcase, test_every_allocation_fails_in_turn, 0, ROWS(rows));
}

int main(void)
{
	return suite_run("gateway_nomem", add);
}

/* test_gateway_reconcile.c - a comparison as a stream: whole, bounded, and nobody's
 * trouble but its reader's. What it finds is the business of test_reconcile.c; the bus
 * of the lobby has nobody who could be asked. */
#include "tests/lib/lobby.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static const struct lobby_request all = {"GET", "/v1/reconcile", {0}, {NULL}};

static void check_says(struct visitor *visitor, const char *text)
{
	ck_assert_msg(visitor_has(visitor, text), "it does not say %s:\n%.*s", text,
		      (int)visitor->body.len, visitor->body.at);
}

START_TEST(test_a_stream_with_a_summary_at_its_end)
{
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v1", "1");
	lobby_complete(&lobby, "v1");
	visitor_begin(&visitor, &lobby, &all);
	visitor_finish(&visitor);
	ck_assert_int_eq(visitor.status, 200);
	ck_assert_ptr_nonnull(strstr(visitor.head.at, "Content-Type: text/event-stream"));
	check_says(&visitor,
		   "event: unasked\ndata: {\"type\":\"unasked\",\"participant\":"
		   "\"desk\",\"detail\":\"the bus that it is on does not carry the question");
	check_says(&visitor, "event: summary\ndata: {\"type\":\"summary\",\"differences\":0,"
			     "\"sagas\":1,\"commands\":3,\"records\":0,\"participants\":1,"
			     "\"participants_unasked\":1,\"unasked\":3,\"forgotten\":0,"
			     "\"removed\":0,\"moving\":0}\n\n");
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

static const struct refusal {
	const char *path;
	const char *says;
} refusals[] = {
	{"/v1/reconcile?saga=No!", "the name of a saga is a small letter"},
	{"/v1/reconcile?since=soon", "since=soon is neither a time span"},
	{"/v1/reconcile?sagas=visit", "did you mean `saga`?"},
};

START_TEST(test_what_is_no_question)
{
	const struct refusal *row = &refusals[_i];
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	answer = lobby_ask(&lobby, "GET", row->path, NULL);
	ck_assert_int_eq(answer.status, 400);
	ck_assert_msg(strstr(answer.body.at, row->says), "%s: %s", row->path, answer.body.at);
	lobby_close(&lobby);
}
END_TEST

/* One whose bus is asked, and never answers. */
static enum err ask_nobody(struct bus *bus, struct slice participant,
			   struct inquiry_message *inquiry, struct diag *diag)
{
	static uint64_t last;

	inquiry->request = ++last;
	return OK;
}

static const struct bus_ops *make_silent(struct lobby *lobby, struct bus_ops *ops)
{
	const struct bus_ops *real = lobby->bus->ops;

	*ops = *real;
	ops->inquire = ask_nobody;
	lobby->bus->ops = ops;
	return real;
}

START_TEST(test_there_may_be_some_at_once)
{
	struct visitor visitors[GATEWAY_RECONCILES_MAX];
	const struct bus_ops *real;
	struct bus_ops silent;
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v1", "1");
	lobby_complete(&lobby, "v1");
	real = make_silent(&lobby, &silent);
	for (int i = 0; i < GATEWAY_RECONCILES_MAX; i++) {
		visitor_begin(&visitors[i], &lobby, &all);
		visitor_until(&visitors[i], ": reconciling\n\n");
	}
	answer = lobby_ask(&lobby, "GET", "/v1/reconcile", NULL);
	ck_assert_int_eq(answer.status, 503);
	ck_assert_ptr_nonnull(strstr(answer.body.at, "too-many-reconciles"));
	/* Whoever hangs up is noticed when it is shown that the stream is alive. */
	visitor_end(&visitors[0]);
	lobby_advance(&lobby, GATEWAY_HEARTBEAT_MS);
	for (int i = 1; i < GATEWAY_RECONCILES_MAX; i++) {
		visitor_finish(&visitors[i]);
		check_says(&visitors[i], "it has not answered (waited 10 s)");
		check_says(&visitors[i], "event: summary\n");
		visitor_end(&visitors[i]);
	}
	for (int i = 0; i < GATEWAY_RECONCILES_MAX; i++) {
		visitor_begin(&visitors[i], &lobby, &all);
		visitor_until(&visitors[i], ": reconciling\n\n");
	}
	for (int i = 0; i < GATEWAY_RECONCILES_MAX; i++)
		visitor_end(&visitors[i]);
	lobby.bus->ops = real;
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_server_that_stops)
{
	const struct bus_ops *real;
	struct bus_ops silent;
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v1", "1");
	lobby_complete(&lobby, "v1");
	real = make_silent(&lobby, &silent);
	visitor_begin(&visitor, &lobby, &all);
	visitor_until(&visitor, ": reconciling\n\n");
	gateway_stop(lobby.gateway);
	visitor_finish(&visitor);
	check_says(&visitor,
		   "event: failed\ndata: {\"type\":\"failed\",\"detail\":\"the server "
		   "stops; run it again when it is back\"");
	visitor_end(&visitor);
	lobby.bus->ops = real;
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_store_that_fails)
{
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby.frozen = true;
	lobby.wire.effect = TRIPWIRE_FAILS;
	lobby.wire.calls_left = 1;
	visitor_begin(&visitor, &lobby, &all);
	visitor_finish(&visitor);
	check_says(&visitor, "event: failed\n");
	check_says(&visitor, "\"detail\":\"service unavailable\"");
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_stream_with_a_summary_at_its_end);
	tcase_add_loop_test(tcase, test_what_is_no_question, 0, ROWS(refusals));
	tcase_add_test(tcase, test_there_may_be_some_at_once);
	tcase_add_test(tcase, test_a_server_that_stops);
	tcase_add_test(tcase, test_a_store_that_fails);
}

int main(void)
{
	return suite_run("gateway_reconcile", add);
}

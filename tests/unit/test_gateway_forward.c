/* test_gateway_forward.c - two orchestrators that each have some of the sagas: either
 * answers everything. */
#include "orchestrator/gateway/forward.h"
#include "orchestrator/gateway/parts.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

#include <poll.h>
#include <stdio.h>

#define HAS(answer, text)                                                                 \
	ck_assert_msg(strstr((answer).body.at, text) != NULL, "no `%s` in %ld: %s", text, \
		      (answer).status, (answer).body.at)

/* The second one has "b1", which waits at the desk, "bt", which waits for its signal, and
 * "be", which has ended; the first one is asked. */
static void open_world(struct pair *pair)
{
	pair_open(pair);
	lobby_start(&pair->lobbies[1], "be", "3");
	lobby_complete(&pair->lobbies[1], "be");
	lobby_start(&pair->lobbies[1], "bt", "2");
	lobby_serve(&pair->lobbies[1], MESSAGE_OK);
	lobby_start(&pair->lobbies[1], "b1", "1");
}

static struct lobby_answer ask_first(struct pair *pair, const char *method, const char *path,
				     const char *body)
{
	return lobby_ask(&pair->lobbies[0], method, path, body);
}

/* A figure of GET /metrics. */
static unsigned long metric(struct lobby *lobby, const char *name)
{
	struct lobby_answer answer = lobby_ask(lobby, "GET", "/metrics", NULL);
	char line[128];
	unsigned long value = 0;
	const char *at;

	snprintf(line, sizeof line, "\n%s ", name);
	at = strstr(answer.body.at, line);
	ck_assert_msg(at && sscanf(at + strlen(line), "%lu", &value) == 1, "no %s", name);
	return value;
}

/* --- every route ------------------------------------------------------------------ */

#define VISIT(id, no) "{\"saga\":\"visit\",\"id\":\"" id "\",\"input\":{\"no\":\"" no "\"}}"

static const struct row {
	const char *name;
	const char *method;
	const char *path;
	const char *body;
	long status;
	const char *has;
	unsigned long forwarded;
} rows[] = {
	{"a start goes to the owner of its id", "POST", "/v1/sagas", VISIT("b2", "7"), 201,
	 "{\"id\":\"b2\",\"saga\":\"visit\",\"version\":\"1.0.0\",\"key\":\"7\","
	 "\"status\":\"running\",\"created\":true}\n",
	 1},
	{"the same start again finds the first", "POST", "/v1/sagas", VISIT("b1", "1"), 200,
	 "\"created\":false", 1},
	{"a refusal of the owner is the answer", "POST", "/v1/sagas", VISIT("b1", "other"), 409,
	 "\"code\":\"key-taken\"", 1},
	{"a start of our own stays here", "POST", "/v1/sagas", VISIT("a2", "7"), 201,
	 "\"id\":\"a2\"", 0},
	{"a start without an id stays here", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\",\"input\":{\"no\":\"8\"}}", 201, "\"created\":true", 0},
	{"a start by a key that is there finds the other's saga", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\",\"input\":{\"no\":\"1\"}}", 200, "\"id\":\"b1\"", 0},
	{"a body that is wrong is refused here", "POST", "/v1/sagas", "{\"id\":\"b2\"}", 400,
	 "`saga` is missing", 0},
	{"a bad id is refused here", "POST", "/v1/sagas", VISIT("b/2", "7"), 400, "bad-id", 0},
	{"a signal goes to the owner", "POST", "/v1/sagas/bt/signals/talked",
	 "{\"id\":\"s1\",\"payload\":{\"a\":1}}", 200, "\"id\":\"bt\"", 1},
	{"a signal that is none is the owner's to refuse", "POST",
	 "/v1/sagas/bt/signals/t%20%25%3Fx", "{}", 400, "bad-event", 1},
	{"cancel goes to the owner", "POST", "/v1/sagas/b1/cancel", "{\"reason\":\"why\"}", 200,
	 "\"status\":\"compensating\"", 1},
	{"undo goes to the owner, who refuses it", "POST", "/v1/sagas/b1/undo", "", 409,
	 "refused", 1},
	{"pause goes to the owner", "POST", "/v1/sagas/b1/pause", "", 200, "\"id\":\"b1\"", 1},
	{"resume goes to the owner", "POST", "/v1/sagas/b1/resume", "", 200, "\"id\":\"b1\"",
	 1},
	{"retry goes to the owner", "POST", "/v1/sagas/b1/retry", "", 409, "refused", 1},
	{"skip goes to the owner", "POST", "/v1/sagas/b1/skip", "{\"step\":\"book\"}", 200,
	 "\"id\":\"b1\"", 1},
	{"kill goes to the owner", "POST", "/v1/sagas/b1/kill", "{\"reason\":\"x\"}", 200,
	 "\"status\":\"killed\"", 1},
	{"an operation that is wrong is refused here", "POST", "/v1/sagas/b1/kill", "{}", 400,
	 "needs a `reason`", 0},
	{"an operation on a saga that is not there is the owner's to refuse", "POST",
	 "/v1/sagas/bx/cancel", "", 404, "unknown-saga", 1},
	{"a saga is shown by its owner", "GET", "/v1/sagas/b1", NULL, 200, "\"timeline\":", 1},
	{"one that has ended needs no owner", "GET", "/v1/sagas/be", NULL, 200,
	 "\"status\":\"completed\"", 0},
	{"a saga that is not there needs no owner", "GET", "/v1/sagas/bx", NULL, 404,
	 "unknown-saga", 0},
	{"the owner explains", "GET", "/v1/sagas/b1/explain", NULL, 200, "\"waits\":[{", 1},
	{"the owner plans the undo, and gets the query", "GET",
	 "/v1/sagas/bt/undo-plan?reason=a%26b%3D%20c", NULL, 200, "\"plan\":[{", 1},
	{"a list comes from the store", "GET", "/v1/sagas", NULL, 200, "\"id\":\"b1\"", 0},
	{"counts come from the store, and all orchestrators are named", "GET", "/v1/stats",
	 NULL, 200,
	 "\"shards\":1,\"since\":\"2023-11-14T22:13:20.000Z\",\"here\":true},"
	 "{\"url\":\"http://127.0.0.1:",
	 0},
	{"definitions come from the store", "GET", "/v1/definitions", NULL, 200, "visit", 0},
	{"dead letters come from the store", "GET", "/v1/dead", NULL, 200, "[]", 0},
	{"it is ready", "GET", "/readyz", NULL, 200, "ready", 0},
	{"the page of the description is here", "GET", "/openapi.json", NULL, 200, "openapi",
	 0},
};

START_TEST(test_either_answers_everything)
{
	const struct row *row = &rows[_i];
	struct lobby_answer answer;
	struct pair pair;

	open_world(&pair);
	answer = ask_first(&pair, row->method, row->path, row->body);
	ck_assert_msg(answer.status == row->status, "%s: %ld: %s", row->name, answer.status,
		      answer.body.at);
	HAS(answer, row->has);
	ck_assert_ptr_null(strstr(answer.body.at, "\"incomplete\":\""));
	ck_assert_uint_eq(metric(&pair.lobbies[0], "skald_forwarded_total"), row->forwarded);
	ck_assert_uint_eq(metric(&pair.lobbies[0], "skald_forwards"), 0);
	ck_assert_uint_eq(metric(&pair.lobbies[1], "skald_forwarded_total"), 0);
	pair_close(&pair);
}
END_TEST

/* The loop of a server sleeps until it is woken. */
START_TEST(test_a_loop_that_sleeps_is_woken)
{
	const struct lobby_request request = {
		"POST", "/v1/sagas", SLICE_LITERAL(VISIT("b1", "1")), {NULL}};
	struct gateway *sleeper;
	struct visitor visitor;
	struct pair pair;

	pair_open(&pair);
	sleeper = pair.lobbies[0].gateway;
	visitor_begin(&visitor, &pair.lobbies[0], &request);
	pair.lobbies[0].gateway = NULL;
	while (!visitor.done) {
		struct pollfd ready = {gateway_fd(sleeper), POLLIN, 0};
		int64_t now_ms = clock_monotonic_ms(&pair.lobbies[0].clock.base);

		if (poll(&ready, 1, 0) == 1 || gateway_wake_ms(sleeper) <= now_ms)
			gateway_pump(sleeper);
		lobby_turn(&pair.lobbies[0]);
	}
	pair.lobbies[0].gateway = sleeper;
	ck_assert_int_eq(visitor.status, 201);
	visitor_end(&visitor);
	pair_close(&pair);
}
END_TEST

START_TEST(test_a_saga_says_in_which_shard_it_is)
{
	struct shards *shards;
	struct pair pair;
	char text[32];

	pair_open(&pair);
	lobby_start(&pair.lobbies[0], "a1", "1");
	HAS(ask_first(&pair, "GET", "/v1/sagas/a1", NULL), "\"shard\":0,");
	shards = &pair.lobbies[0].store_wire.base.shards;
	shards->n = 1000;
	snprintf(text, sizeof text, "\"shard\":%u,", shard_of(SLICE_LITERAL("a1"), 1000));
	ck_assert_str_ne(text, "\"shard\":0,");
	HAS(ask_first(&pair, "GET", "/v1/sagas/a1", NULL), text);
	*shards = (struct shards){0};
	pair_close(&pair);
}
END_TEST

/* --- batches ---------------------------------------------------------------------- */

START_TEST(test_every_line_of_a_batch_goes_to_its_owner)
{
	struct lobby_answer answer;
	struct pair pair;

	open_world(&pair);
	answer = ask_first(&pair, "POST", "/v1/sagas:batch",
			   VISIT("a2", "11") "\n" VISIT("b2", "12") "\n\n" VISIT(
				   "b1", "x") "\n"
					      "nonsense\n" VISIT("a3", "13") "\n");
	ck_assert_int_eq(answer.status, 200);
	ck_assert_ptr_eq(strstr(answer.body.at, "{\"id\":\"a2\""), answer.body.at);
	HAS(answer, "\n{\"id\":\"b2\",\"saga\":\"visit\"");
	HAS(answer, "\n{\"line\":4,\"code\":\"key-taken\"");
	HAS(answer, "\n{\"line\":5,\"code\":\"bad-json\"");
	HAS(answer, "\n{\"id\":\"a3\"");
	ck_assert_uint_eq(metric(&pair.lobbies[0], "skald_forwarded_total"), 2);
	ck_assert_uint_eq(metric(&pair.lobbies[1], "skald_live_sagas"), 3);
	pair_close(&pair);
}
END_TEST

/* More than may be under way at once. */
START_TEST(test_a_batch_of_many)
{
	enum { LINES = 1000 };
	struct bytes lines = BYTES(1024 * 1024, NULL);
	struct lobby_request request = {"POST", "/v1/sagas:batch", {0}, {NULL}};
	size_t n = 0, most = 0;
	struct visitor visitor;
	struct pair pair;

	for (unsigned i = 0; i < LINES; i++)
		bytes_format(&lines,
			     "{\"saga\":\"visit\",\"id\":\"b-%u\",\"input\":{\"no\":\"%u\"}}\n",
			     i, i);
	pair_open(&pair);
	request.body = bytes_slice(&lines);
	visitor_begin(&visitor, &pair.lobbies[0], &request);
	while (!visitor.done) {
		size_t now = pair.lobbies[0].gateway->n_calls;

		most = now > most ? now : most;
		lobby_turn(&pair.lobbies[0]);
	}
	bytes_add(&visitor.body, '\0');
	ck_assert_int_eq(visitor.status, 200);
	ck_assert_uint_eq(most, FORWARDS_AT_ONCE);
	for (const char *at = visitor.body.at; (at = strstr(at, "\"created\":true")); at++)
		n++;
	ck_assert_uint_eq(n, LINES);
	visitor_end(&visitor);
	ck_assert_uint_eq(metric(&pair.lobbies[1], "skald_live_sagas"), LINES);
	bytes_release(&lines);
	pair_close(&pair);
}
END_TEST

/* Of a shard that nobody has, until there is one who has it. */
START_TEST(test_what_waits_for_an_owner_has_a_bound)
{
	enum { BATCHES = FORWARDS_MAX / GATEWAY_BATCH_WINDOW };
	struct visitor batches[BATCHES], single, line;
	struct lobby_request request = {"POST", "/v1/sagas:batch", {0}, {NULL}};
	struct gateway *gateway;
	struct pair pair;

	pair_open(&pair);
	gateway = pair.lobbies[0].gateway;
	for (unsigned n = 0; n < BATCHES; n++) {
		struct bytes lines = BYTES(1024 * 1024, NULL);

		for (unsigned i = 0; i < GATEWAY_BATCH_WINDOW; i++)
			bytes_format(&lines,
				     "{\"saga\":\"visit\",\"id\":\"c-%u-%u\","
				     "\"input\":{\"no\":\"%u-%u\"}}\n",
				     n, i, n, i);
		request.body = bytes_slice(&lines);
		visitor_begin(&batches[n], &pair.lobbies[0], &request);
		bytes_release(&lines);
	}
	while (gateway->n_forwards < FORWARDS_MAX)
		lobby_turn(&pair.lobbies[0]);
	request.body = SLICE_LITERAL(VISIT("c1", "1"));
	visitor_begin(&line, &pair.lobbies[0], &request);
	visitor_finish(&line);
	ck_assert(visitor_has(&line, "{\"line\":1,\"code\":\"busy\""));
	request.path = "/v1/sagas";
	visitor_begin(&single, &pair.lobbies[0], &request);
	visitor_finish(&single);
	ck_assert_int_eq(single.status, 503);
	ck_assert(visitor_has(&single, "\"code\":\"busy\""));
	pair_give(&pair, 'c', 0, true);
	for (unsigned n = 0; n < BATCHES; n++) {
		while (!batches[n].done)
			lobby_pass(&pair.lobbies[0], 20);
		ck_assert_int_eq(batches[n].status, 200);
		ck_assert(!visitor_has(&batches[n], "\"code\":"));
		visitor_end(&batches[n]);
	}
	visitor_end(&line);
	visitor_end(&single);
	ck_assert_uint_eq(gateway->n_forwards, 0);
	ck_assert_uint_eq(metric(&pair.lobbies[0], "skald_live_sagas"), FORWARDS_MAX);
	pair_close(&pair);
}
END_TEST

START_TEST(test_who_has_no_shard_starts_elsewhere)
{
	struct lobby_answer answer;
	struct pair pair;

	pair_open(&pair);
	pair_give(&pair, 'a', 1, true);
	answer = ask_first(&pair, "POST", "/v1/sagas",
			   "{\"saga\":\"visit\",\"input\":{\"no\":\"1\"}}");
	ck_assert_int_eq(answer.status, 201);
	ck_assert_uint_eq(metric(&pair.lobbies[1], "skald_live_sagas"), 1);
	/* The same key at the other one: one saga. */
	answer = lobby_ask(&pair.lobbies[1], "POST", "/v1/sagas",
			   "{\"saga\":\"visit\",\"input\":{\"no\":\"1\"}}");
	ck_assert_int_eq(answer.status, 200);
	pair_close(&pair);
}
END_TEST

START_TEST(test_the_same_key_at_both_at_once_is_one_saga)
{
	static const char start[] = "{\"saga\":\"visit\",\"input\":{\"no\":\"1\"}}";
	const struct lobby_request request = {
		"POST", "/v1/sagas", {start, sizeof start - 1}, {NULL}};
	struct visitor visitors[2];
	struct pair pair;
	char *ids[2];

	pair_open(&pair);
	for (size_t i = 0; i < 2; i++)
		visitor_begin(&visitors[i], &pair.lobbies[i], &request);
	for (size_t i = 0; i < 2; i++)
		visitor_finish(&visitors[i]);
	ck_assert_int_eq(visitors[0].status + visitors[1].status, 201 + 200);
	for (size_t i = 0; i < 2; i++) {
		bytes_add(&visitors[i].body, '\0');
		ids[i] = strstr(visitors[i].body.at, "\"id\":");
	}
	ck_assert_int_eq(memcmp(ids[0], ids[1], 5 + 28), 0);
	for (size_t i = 0; i < 2; i++)
		visitor_end(&visitors[i]);
	ck_assert_uint_eq(metric(&pair.lobbies[0], "skald_live_sagas") +
				  metric(&pair.lobbies[1], "skald_live_sagas"),
			  1);
	pair_close(&pair);
}
END_TEST

/* --- owners change ---------------------------------------------------------------- */

START_TEST(test_what_came_to_the_wrong_one_is_sent_back)
{
	struct lobby_answer answer;
	struct pair pair;

	pair_open(&pair);
	pair_give(&pair, 'c', 0, true);
	answer = lobby_ask_with(&pair.lobbies[1],
				&(struct lobby_request){"POST",
							"/v1/sagas",
							SLICE_LITERAL(VISIT("c1", "1")),
							{"Skald-Forwarded: 1"}});
	ck_assert_int_eq(answer.status, 421);
	HAS(answer, "\"code\":\"not-owner\"");
	ck_assert_uint_ge(pair.peers[1].refreshed, 1);
	pair_close(&pair);
}
END_TEST

static void finish(struct visitor *visitor)
{
	while (!visitor->done)
		lobby_pass(visitor->lobby, 20);
	bytes_add(&visitor->body, '\0');
	bytes_add(&visitor->head, '\0');
}

/* Who is asked of a shard, and what becomes true after a while. */
static const struct change {
	const char *name;
	unsigned believed; /* by the first one, of whom it is asked */
	unsigned before, after;
	long status;
	const char *has;
	unsigned live; /* sagas at the second one */
} changes[] = {
	{"it went from the other one to here", 1, 0, 0, 201, "c1", 0},
	{"nobody has it, then the other one", PAIR_NOBODY, PAIR_NOBODY, 1, 201, "c1", 1},
	{"nobody has it, then we have", PAIR_NOBODY, PAIR_NOBODY, 0, 201, "c1", 0},
	{"nobody has it, and nobody will", PAIR_NOBODY, PAIR_NOBODY, PAIR_NOBODY, 503,
	 "\"code\":\"no-owner\"", 0},
	{"the other one lost it to nobody", 1, PAIR_NOBODY, PAIR_NOBODY, 503,
	 "\"code\":\"no-owner\"", 0},
	{"the other one lost it, and has it again", 1, PAIR_NOBODY, 1, 201, "c1", 1},
};

START_TEST(test_an_owner_is_waited_for)
{
	const struct change *change = &changes[_i];
	const struct lobby_request request = {
		"POST", "/v1/sagas", SLICE_LITERAL(VISIT("c1", "1")), {NULL}};
	struct visitor visitor;
	struct pair pair;

	pair_open(&pair);
	pair_give(&pair, 'c', change->before, true);
	pair.peers[0].believed[2] = (unsigned char)change->believed;
	visitor_begin(&visitor, &pair.lobbies[0], &request);
	/* Until it was found to be wrong: */
	while (!pair.peers[0].refreshed)
		lobby_turn(&pair.lobbies[0]);
	pair_advance(&pair, 300);
	pair_give(&pair, 'c', change->after, false);
	pair.peers[1].believed[2] = (unsigned char)change->after;
	finish(&visitor);
	ck_assert_msg(visitor.status == change->status, "%s: %ld: %s", change->name,
		      visitor.status, visitor.body.at);
	ck_assert_ptr_nonnull(strstr(visitor.body.at, change->has));
	ck_assert_int_eq(strstr(visitor.head.at, "Retry-After: 1\r\n") != NULL,
			 change->status == 503);
	visitor_end(&visitor);
	ck_assert_uint_eq(metric(&pair.lobbies[1], "skald_live_sagas"), change->live);
	pair_close(&pair);
}
END_TEST

/* A line of a batch that waited for its owner, and is refused by whoever that is. */
START_TEST(test_a_line_that_comes_back_is_refused_here)
{
	const struct lobby_request request = {
		"POST",
		"/v1/sagas:batch",
		SLICE_LITERAL("{\"saga\":\"none\",\"id\":\"c1\"}\n"),
		{NULL}};
	struct visitor visitor;
	struct pair pair;

	pair_open(&pair);
	visitor_begin(&visitor, &pair.lobbies[0], &request);
	while (!pair.peers[0].refreshed)
		lobby_turn(&pair.lobbies[0]);
	pair_give(&pair, 'c', 0, true);
	finish(&visitor);
	ck_assert_int_eq(visitor.status, 200);
	ck_assert_ptr_nonnull(
		strstr(visitor.body.at, "{\"line\":1,\"code\":\"unknown-definition\""));
	visitor_end(&visitor);
	pair_close(&pair);
}
END_TEST

static const struct lobby_request under_way[] = {
	{"POST", "/v1/sagas/c1/cancel", {0}, {NULL}},
	{"POST", "/v1/sagas:batch", SLICE_LITERAL(VISIT("c1", "1") "\n"), {NULL}},
	{"GET", "/v1/sagas/c1/events", {0}, {NULL}},
};

START_TEST(test_a_gateway_that_closes_forgets_what_is_under_way)
{
	struct visitor visitor;
	struct pair pair;

	pair_open(&pair);
	visitor_begin(&visitor, &pair.lobbies[0], &under_way[_i]);
	while (!pair.peers[0].refreshed)
		lobby_turn(&pair.lobbies[0]);
	gateway_close(pair.lobbies[0].gateway);
	pair.lobbies[0].gateway = NULL;
	visitor_finish(&visitor);
	ck_assert_int_eq(visitor.status, 503);
	ck_assert(visitor_has(&visitor, "\"code\":\"stopping\""));
	visitor_end(&visitor);
	pair_close(&pair);
}
END_TEST

static void stay(struct peers *peers)
{
}

START_TEST(test_two_that_point_at_each_other_end)
{
	const struct lobby_request request = {
		"POST", "/v1/sagas/c1/cancel", SLICE_LITERAL(""), {NULL}};
	struct visitor visitor;
	struct pair pair;

	pair_open(&pair);
	pair.owners[2] = 1;
	pair.peers[0].believed[2] = 1;
	pair.peers[1].believed[2] = 0;
	pair.peers[1].base.ops = &(const struct peers_ops){pair.peers[1].base.ops->find,
							   pair.peers[1].base.ops->each, stay};
	visitor_begin(&visitor, &pair.lobbies[0], &request);
	finish(&visitor);
	ck_assert_int_eq(visitor.status, 503);
	ck_assert_ptr_nonnull(strstr(visitor.body.at, "does not have its shard any more"));
	visitor_end(&visitor);
	/* The second one sent nothing back. */
	ck_assert_uint_eq(metric(&pair.lobbies[1], "skald_forwarded_total"), 0);
	pair_close(&pair);
}
END_TEST

/* Over the connection that is there already. */
START_TEST(test_who_stops_sends_back_what_is_asked_of_it)
{
	struct lobby_answer answer;
	struct visitor visitor;
	struct pair pair;
	const struct lobby_request request = {
		"POST", "/v1/sagas", SLICE_LITERAL(VISIT("b2", "2")), {NULL}};

	pair_open(&pair);
	answer = ask_first(&pair, "POST", "/v1/sagas", VISIT("b1", "1"));
	ck_assert_int_eq(answer.status, 201);
	gateway_stop(pair.lobbies[1].gateway);
	pair_give(&pair, 'b', 0, false);
	visitor_begin(&visitor, &pair.lobbies[0], &request);
	finish(&visitor);
	ck_assert_int_eq(visitor.status, 201);
	ck_assert_ptr_nonnull(strstr(visitor.body.at, "\"id\":\"b2\""));
	visitor_end(&visitor);
	ck_assert_uint_eq(metric(&pair.lobbies[0], "skald_forwarded_total"), 2);
	ck_assert_uint_eq(metric(&pair.lobbies[0], "skald_live_sagas"), 1);
	pair_close(&pair);
}
END_TEST

/* --- definitions ------------------------------------------------------------------ */

static const char other[] = "saga: other\nversion: 1.0.0\nsteps:\n"
			    "  - book: { call: desk.book, undo: { call: desk.unbook } }\n";

START_TEST(test_what_is_deployed_at_one_is_known_at_the_other)
{
	struct lobby_answer answer;
	struct pair pair;

	pair_open(&pair);
	answer = ask_first(&pair, "POST", "/v1/definitions", other);
	ck_assert_int_eq(answer.status, 201);
	HAS(answer, "\"created\":true,\"untold\":[]}\n");
	answer = lobby_ask(&pair.lobbies[1], "POST", "/v1/sagas", "{\"saga\":\"other\"}");
	ck_assert_int_eq(answer.status, 201);
	/* Once is enough. */
	ck_assert_uint_eq(metric(&pair.lobbies[0], "skald_http_answers_total{class=\"2xx\"}"),
			  1);
	pair_close(&pair);
}
END_TEST

START_TEST(test_who_cannot_be_told_is_named)
{
	struct lobby_answer answer;
	struct pair pair;

	pair_open(&pair);
	snprintf(pair.urls[1], sizeof pair.urls[1], "http://127.0.0.1:1");
	answer = ask_first(&pair, "POST", "/v1/definitions", other);
	ck_assert_int_eq(answer.status, 201);
	HAS(answer, "\"untold\":[\"http://127.0.0.1:1\"]}\n");
	pair_close(&pair);
}
END_TEST

/* --- streams ---------------------------------------------------------------------- */

static const struct lobby_request watch_b1 = {"GET", "/v1/sagas/b1/events", {0}, {NULL}};

START_TEST(test_a_saga_of_the_other_is_followed_to_its_end)
{
	struct visitor visitor;
	struct pair pair;

	pair_open(&pair);
	lobby_start(&pair.lobbies[1], "b1", "1");
	visitor_begin(&visitor, &pair.lobbies[0], &watch_b1);
	visitor_until(&visitor, "\n\n");
	ck_assert_int_eq(memcmp(visitor.body.at, "event: saga\ndata: {\"id\":\"b1\",", 29), 0);
	/* It is the other one's heart that is heard. */
	lobby_advance(&pair.lobbies[0], GATEWAY_HEARTBEAT_MS);
	ck_assert(!visitor_has(&visitor, ": still here"));
	lobby_advance(&pair.lobbies[1], GATEWAY_HEARTBEAT_MS);
	visitor_until(&visitor, ": still here");
	lobby_complete(&pair.lobbies[1], "b1");
	visitor_finish(&visitor);
	ck_assert(!visitor.failed);
	ck_assert_ptr_nonnull(strstr(visitor.head.at, "Content-Type: text/event-stream"));
	ck_assert(visitor_has(&visitor, "the saga ended: completed"));
	visitor_end(&visitor);
	ck_assert_uint_eq(metric(&pair.lobbies[0], "skald_watchers"), 0);
	pair_close(&pair);
}
END_TEST

START_TEST(test_who_goes_ends_the_stream_of_the_other)
{
	struct visitor visitor;
	struct pair pair;

	pair_open(&pair);
	lobby_start(&pair.lobbies[1], "b1", "1");
	visitor_begin(&visitor, &pair.lobbies[0], &watch_b1);
	visitor_until(&visitor, "\n\n");
	ck_assert_uint_eq(metric(&pair.lobbies[1], "skald_watchers"), 1);
	visitor_end(&visitor);
	while (metric(&pair.lobbies[1], "skald_watchers"))
		pair_advance(&pair, 1000);
	pair_close(&pair);
}
END_TEST

START_TEST(test_a_stream_of_a_saga_that_is_not_there)
{
	struct pair pair;

	pair_open(&pair);
	ck_assert_int_eq(ask_first(&pair, "GET", "/v1/sagas/b1/events", NULL).status, 404);
	pair_close(&pair);
}
END_TEST

START_TEST(test_a_stream_ends_when_its_saga_moves)
{
	struct visitor visitor;
	struct pair pair;

	pair_open(&pair);
	lobby_start(&pair.lobbies[1], "b1", "1");
	visitor_begin(&visitor, &pair.lobbies[0], &watch_b1);
	visitor_until(&visitor, "\n\n");
	pair_give(&pair, 'b', 0, true);
	finish(&visitor);
	ck_assert(!visitor.failed);
	ck_assert(visitor_has(&visitor, "event: moved\ndata: {}\n\n"));
	visitor_end(&visitor);
	pair_close(&pair);
}
END_TEST

/* Who watches all sagas hears of those of the other one, too. */
static void open_watched(struct pair *pair, struct visitor *visitor, const char *path)
{
	const struct lobby_request request = {"GET", path, {0}, {NULL}};

	pair_open(pair);
	visitor_begin(visitor, &pair->lobbies[0], &request);
	visitor_until(visitor, ": watching\n\n");
	while (!metric(&pair->lobbies[1], "skald_watchers"))
		lobby_turn(&pair->lobbies[0]);
}

START_TEST(test_all_sagas_of_both_are_followed)
{
	struct visitor visitor;
	struct pair pair;

	open_watched(&pair, &visitor, "/v1/events?saga=visit");
	lobby_start(&pair.lobbies[1], "b1", "1");
	visitor_until(&visitor, "\"id\":\"b1\"");
	lobby_start(&pair.lobbies[0], "a1", "2");
	visitor_until(&visitor, "\"id\":\"a1\"");
	/* Each is told once, whole, and nothing of how the other's stream is. */
	bytes_add(&visitor.body, '\0');
	ck_assert_ptr_nonnull(
		strstr(visitor.body.at, "\n\nevent: change\ndata: {\"id\":\"b1\""));
	ck_assert_ptr_null(
		strstr(strstr(visitor.body.at, "\"id\":\"b1\"") + 1, "\"id\":\"b1\""));
	ck_assert_ptr_null(strstr(visitor.body.at + 12, ": watching"));
	/* Nobody listens to itself. */
	ck_assert_uint_eq(metric(&pair.lobbies[0], "skald_watchers"), 1);
	visitor_end(&visitor);
	/* Nobody listens to the other one any more. */
	while (metric(&pair.lobbies[1], "skald_watchers"))
		pair_advance(&pair, 1000);
	pair_close(&pair);
}
END_TEST

static const char *const not_wanted[] = {"/v1/events?saga=else", "/v1/events?status=parked"};

START_TEST(test_of_the_other_only_what_is_wanted_is_told)
{
	struct visitor visitor, all;
	struct pair pair;

	open_watched(&pair, &visitor, not_wanted[_i]);
	visitor_begin(&all, &pair.lobbies[0],
		      &(struct lobby_request){"GET", "/v1/events", {0}, {NULL}});
	visitor_until(&all, ": watching\n\n");
	lobby_start(&pair.lobbies[1], "b1", "1");
	visitor_until(&all, "\"id\":\"b1\"");
	ck_assert(!visitor_has(&visitor, "event: "));
	/* Both hear by one stream. */
	ck_assert_uint_eq(metric(&pair.lobbies[1], "skald_watchers"), 1);
	visitor_end(&visitor);
	visitor_end(&all);
	pair_close(&pair);
}
END_TEST

START_TEST(test_an_other_that_cannot_be_heard_is_a_gap)
{
	struct visitor visitor;
	struct pair pair;

	open_watched(&pair, &visitor, "/v1/events");
	gateway_stop(pair.lobbies[1].gateway);
	visitor_until(&visitor, "event: gap\ndata: {\"url\":\"http://127.0.0.1:");
	ck_assert(!visitor_has(&visitor, "stopping"));
	bytes_clear(&visitor.body);
	lobby_close(&pair.lobbies[1]);
	pair.lobbies[0].beside = NULL;
	for (int i = 0; i < 5; i++)
		lobby_advance(&pair.lobbies[0], 1000);
	/* It is tried again, which is no other gap; the one that came in its place is heard. */
	lobby_open_beside(&pair.lobbies[1], pair.lobbies[0].vault, &pair.peers[1].base);
	pair.lobbies[0].beside = &pair.lobbies[1];
	pair.lobbies[1].beside = &pair.lobbies[0];
	snprintf(pair.urls[1], sizeof pair.urls[1], "%s", pair.lobbies[1].url);
	while (!metric(&pair.lobbies[1], "skald_watchers"))
		pair_advance(&pair, 1000);
	lobby_start(&pair.lobbies[1], "b1", "1");
	visitor_until(&visitor, "\"id\":\"b1\"");
	ck_assert(!visitor_has(&visitor, "event: gap"));
	visitor_end(&visitor);
	pair_close(&pair);
}
END_TEST

static void add(TCase *tests)
{
	tcase_add_loop_test(tests, test_either_answers_everything, 0,
			    sizeof rows / sizeof *rows);
	tcase_add_test(tests, test_a_loop_that_sleeps_is_woken);
	tcase_add_test(tests, test_a_saga_says_in_which_shard_it_is);
	tcase_add_test(tests, test_every_line_of_a_batch_goes_to_its_owner);
	tcase_add_test(tests, test_a_batch_of_many);
	tcase_add_test(tests, test_what_waits_for_an_owner_has_a_bound);
	tcase_add_test(tests, test_who_has_no_shard_starts_elsewhere);
	tcase_add_test(tests, test_the_same_key_at_both_at_once_is_one_saga);
	tcase_add_test(tests, test_what_came_to_the_wrong_one_is_sent_back);
	tcase_add_loop_test(tests, test_an_owner_is_waited_for, 0,
			    sizeof changes / sizeof *changes);
	tcase_add_test(tests, test_a_line_that_comes_back_is_refused_here);
	tcase_add_loop_test(tests, test_a_gateway_that_closes_forgets_what_is_under_way, 0,
			    sizeof under_way / sizeof *under_way);
	tcase_add_test(tests, test_two_that_point_at_each_other_end);
	tcase_add_test(tests, test_who_stops_sends_back_what_is_asked_of_it);
	tcase_add_test(tests, test_what_is_deployed_at_one_is_known_at_the_other);
	tcase_add_test(tests, test_who_cannot_be_told_is_named);
	tcase_add_test(tests, test_a_saga_of_the_other_is_followed_to_its_end);
	tcase_add_test(tests, test_who_goes_ends_the_stream_of_the_other);
	tcase_add_test(tests, test_a_stream_of_a_saga_that_is_not_there);
	tcase_add_test(tests, test_a_stream_ends_when_its_saga_moves);
	tcase_add_test(tests, test_all_sagas_of_both_are_followed);
	tcase_add_loop_test(tests, test_of_the_other_only_what_is_wanted_is_told, 0, 2);
	tcase_add_test(tests, test_an_other_that_cannot_be_heard_is_a_gap);
}

int main(void)
{
	return suite_run("gateway-forward", add);
}

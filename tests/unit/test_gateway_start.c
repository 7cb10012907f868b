/* test_gateway_start.c - starting sagas over HTTP, one and many: once, stored before
 * it is said, and within limits. */
#include "tests/lib/lobby.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define HAS(answer, text)                                                                 \
	ck_assert_msg(strstr((answer).body.at, text) != NULL, "no `%s` in %ld: %s", text, \
		      (answer).status, (answer).body.at)

#define INPUT "\"input\":{\"no\":\"9\"}"

/* --- starting --------------------------------------------------------------------- */

START_TEST(test_start_by_key_happens_once)
{
	static const char body[] = "{\"saga\":\"visit\",\"input\":{\"no\":\"1\"}}";
	struct lobby_answer first, second, other;
	struct lobby lobby;

	lobby_open(&lobby);
	first = lobby_ask(&lobby, "POST", "/v1/sagas", body);
	second = lobby_ask(&lobby, "POST", "/v1/sagas", body);
	other = lobby_ask(&lobby, "POST", "/v1/sagas",
			  "{\"saga\":\"visit\",\"input\":{\"no\":\"1\",\"card\":{}}}");
	ck_assert_int_eq(first.status, 201);
	ck_assert_int_eq(second.status, 200);
	HAS(second, "\"created\":false");
	ck_assert_int_eq(memcmp(first.body.at, second.body.at, 33), 0); /* the id */
	ck_assert_int_eq(other.status, 409);
	HAS(other, "\"code\":\"key-taken\"");
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_nobody_is_told_before_it_is_stored)
{
	const struct lobby_request request = {
		"POST",
		"/v1/sagas",
		SLICE_LITERAL("{\"saga\":\"visit\",\"id\":\"v1\"," INPUT "}"),
		{NULL}};
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby.frozen = true;
	visitor_begin(&visitor, &lobby, &request);
	for (int i = 0; i < 200; i++)
		lobby_turn(&lobby);
	ck_assert(!visitor.done);
	ck_assert_uint_eq(gateway_requests(lobby.gateway), 1);
	/* Others are answered meanwhile, and do not see it. */
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/v1/sagas/v1", NULL).status, 404);
	lobby.frozen = false;
	visitor_finish(&visitor);
	ck_assert_int_eq(visitor.status, 201);
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_store_that_fails_is_said)
{
	static const char body[] = "{\"saga\":\"visit\",\"id\":\"v1\"," INPUT "}";
	struct lobby_answer answer;
	struct visitor visitor;
	struct lobby lobby;
	const struct lobby_request request = {"POST", "/v1/sagas", slice_of(body), {NULL}};

	lobby_open(&lobby);
	lobby.wire = (struct tripwire){.calls_left = 0, .effect = TRIPWIRE_DIES};
	visitor_begin(&visitor, &lobby, &request);
	for (int i = 0; i < 200; i++)
		lobby_turn(&lobby);
	ck_assert(!visitor.done); /* nobody knows yet */
	answer = lobby_ask(&lobby, "POST", "/v1/sagas",
			   "{\"saga\":\"visit\",\"id\":\"v2\",\"input\":{\"no\":\"2\"}}");
	ck_assert_int_eq(answer.status, 503);
	ck_assert_ptr_nonnull(strstr(answer.head.at, "Retry-After: 1"));
	answer = lobby_ask(&lobby, "GET", "/v1/sagas", NULL);
	ck_assert_int_eq(answer.status, 503);
	HAS(answer, "\"code\":\"store-unavailable\"");
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/v1/stats", NULL).status, 503);
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/metrics", NULL).status, 503);
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/v1/definitions", NULL).status, 503);
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/healthz", NULL).status, 200);

	lobby.wire = (struct tripwire){.calls_left = -1};
	lobby_advance(&lobby, 1000);
	visitor_finish(&visitor);
	ck_assert_int_eq(visitor.status, 201);
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_commit_that_does_not_come_has_an_end)
{
	const struct lobby_request request = {
		"POST", "/v1/sagas", SLICE_LITERAL("{\"saga\":\"visit\"," INPUT "}"), {NULL}};
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby.frozen = true;
	visitor_begin(&visitor, &lobby, &request);
	for (int i = 0; i < 200; i++)
		lobby_turn(&lobby);
	ck_assert(gateway_wake_ms(lobby.gateway) <= GATEWAY_PATIENCE_MS);
	lobby_advance(&lobby, GATEWAY_PATIENCE_MS);
	visitor_finish(&visitor);
	ck_assert_int_eq(visitor.status, 503);
	ck_assert(visitor_has(&visitor, "\"code\":\"not-stored\""));
	lobby.frozen = false;
	lobby_turn(&lobby); /* nobody is answered twice */
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_closing_answers_who_waits)
{
	const struct lobby_request request = {
		"POST", "/v1/sagas", SLICE_LITERAL("{\"saga\":\"visit\"," INPUT "}"), {NULL}};
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby.frozen = true;
	visitor_begin(&visitor, &lobby, &request);
	for (int i = 0; i < 200; i++)
		lobby_turn(&lobby);
	gateway_close(lobby.gateway);
	lobby.gateway = NULL;
	visitor_finish(&visitor);
	ck_assert_int_eq(visitor.status, 503);
	ck_assert(visitor_has(&visitor, "\"code\":\"stopping\""));
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

/* --- many at once ----------------------------------------------------------------- */

static struct slice line_of(struct slice text, size_t number)
{
	struct slice rest = text;

	for (;;) {
		const char *end = memchr(rest.at, '\n', rest.len);
		struct slice line = {rest.at, end ? (size_t)(end - rest.at) : rest.len};

		if (number-- == 0)
			return line;
		ck_assert_ptr_nonnull(end);
		rest.len -= line.len + 1;
		rest.at = end + 1;
	}
}

static bool begins(struct slice text, const char *beginning)
{
	return text.len >= strlen(beginning) &&
	       memcmp(text.at, beginning, strlen(beginning)) == 0;
}

START_TEST(test_a_batch_is_answered_line_by_line)
{
	static const char body[] =
		"{\"saga\":\"visit\",\"id\":\"a\",\"input\":{\"no\":\"1\"}}\n"
		"\n"
		"{\"saga\":\"visit\",\"id\":}\n"
		"{\"saga\":\"visit\",\"id\":\"b\",\"input\":{}}\r\n"
		"{\"saga\":\"visit\",\"input\":{\"no\":\"1\"}}\n"
		"  \t\n"
		"{\"sag\":\"visit\"}\n"
		"{\"saga\":\"visit\",\"id\":\"c\",\"input\":{\"no\":\"3\"}}";
	static const char *const beginnings[] = {
		"{\"id\":\"a\",\"saga\":\"visit\",\"version\":\"1.0.0\",\"key\":\"1\","
		"\"status\":\"running\",\"created\":true}",
		"{\"line\":3,\"code\":\"bad-json\",\"title\":\"Bad Request\",\"detail\":\"this "
		"line is no JSON: at column 22: ",
		"{\"line\":4,\"code\":\"bad-input\"",
		"{\"id\":\"a\",\"saga\":\"visit\",\"version\":\"1.0.0\",\"key\":\"1\","
		"\"status\":\"running\",\"created\":false}",
		"{\"line\":7,\"code\":\"bad-request\"",
		"{\"id\":\"c\"",
		"",
	};
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	answer = lobby_ask(&lobby, "POST", "/v1/sagas:batch", body);
	ck_assert_int_eq(answer.status, 200);
	for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
		struct slice line = line_of(answer.body, i);

		ck_assert_msg(begins(line, beginnings[i]), "%zu: %s\nnot %s", i, answer.body.at,
			      beginnings[i]);
	}
	lobby_close(&lobby);
}
END_TEST

static size_t count_of(struct slice text, const char *part)
{
	size_t n = 0;

	for (const char *at = text.at; (at = strstr(at, part)) != NULL; at++)
		n++;
	return n;
}

START_TEST(test_a_batch_may_be_larger_than_its_window)
{
	enum { N = 3 * GATEWAY_BATCH_WINDOW + 7 };
	struct bytes body = BYTES(SIZE_MAX / 2, NULL);
	struct lobby_request request = {"POST", "/v1/sagas:batch", {0}, {NULL}};
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	for (int i = 0; i < N; i++)
		bytes_format(&body,
			     "{\"saga\":\"visit\",\"id\":\"v-%d\",\"input\":{\"no\":\"%d\"}}\n",
			     i, i);
	ck_assert_int_eq(body.err, OK);
	request.body = bytes_slice(&body);
	answer = lobby_ask_with(&lobby, &request);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_uint_eq(count_of(answer.body, "\"created\":true"), N);
	for (size_t i = 0; i < N; i += 500) {
		char beginning[64];

		snprintf(beginning, sizeof beginning, "{\"id\":\"v-%zu\"", i);
		ck_assert(begins(line_of(answer.body, i), beginning));
	}
	bytes_release(&body);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_batch_that_waits_when_the_gateway_closes)
{
	const struct lobby_request request = {"POST",
					      "/v1/sagas:batch",
					      SLICE_LITERAL("{\"saga\":\"visit\"," INPUT "}\n"),
					      {NULL}};
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby.frozen = true;
	visitor_begin(&visitor, &lobby, &request);
	for (int i = 0; i < 200; i++)
		lobby_turn(&lobby);
	gateway_close(lobby.gateway);
	lobby.gateway = NULL;
	visitor_finish(&visitor);
	ck_assert_int_eq(visitor.status, 503);
	lobby.frozen = false;
	lobby_turn(&lobby);
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_an_empty_batch_has_no_lines)
{
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	answer = lobby_ask(&lobby, "POST", "/v1/sagas:batch", "\n\n");
	ck_assert_int_eq(answer.status, 200);
	ck_assert_uint_eq(answer.body.len, 0);
	lobby_close(&lobby);
}
END_TEST

/* --- limits ----------------------------------------------------------------------- */

static const struct limit_row {
	const char *name;
	const char *path;
	size_t size;
	char fill;
	long status;
	const char *has;
} limit_rows[] = {
	{"a start that is too large", "/v1/sagas", GATEWAY_BODY_MAX + 1, ' ', 413,
	 "the body is over 272 KiB"},
	{"a start that is just not too large", "/v1/sagas", GATEWAY_BODY_MAX, ' ', 400,
	 "bad-json"},
	{"a definition that is too large", "/v1/definitions", DEFINITION_TEXT_MAX + 1, '#', 413,
	 "the body is over 1024 KiB"},
	{"a batch that is too large", "/v1/sagas:batch", GATEWAY_BATCH_MAX + 1, ' ', 413,
	 "the body is over 16384 KiB"},
	{"a batch of too many lines", "/v1/sagas:batch", GATEWAY_BATCH_LINES_MAX + 1, '\n', 413,
	 "over 100000 lines"},
	{"a batch of just not too many", "/v1/sagas:batch", GATEWAY_BATCH_LINES_MAX, '\n', 200,
	 ""},
};

START_TEST(test_limit)
{
	const struct limit_row *row = &limit_rows[_i];
	char *body = malloc(row->size);
	struct lobby_request request = {"POST", row->path, {body, row->size}, {NULL}};
	struct lobby_answer answer;
	struct lobby lobby;

	ck_assert_ptr_nonnull(body);
	memset(body, row->fill, row->size);
	lobby_open(&lobby);
	answer = lobby_ask_with(&lobby, &request);
	ck_assert_msg(answer.status == row->status && strstr(answer.body.at, row->has),
		      "%s: %ld: %s", row->name, answer.status, answer.body.at);
	/* The server is as well as before. */
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/healthz", NULL).status, 200);
	free(body);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_length_that_nobody_may_send_is_refused_before_it_comes)
{
	const struct lobby_request request = {
		"POST", "/v1/sagas", SLICE_LITERAL("{}"), {"Content-Length: 99999999999"}};
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	visitor_begin(&visitor, &lobby, &request);
	visitor_until(&visitor, "\"code\":\"too-large\"");
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_headers_that_are_too_large)
{
	struct lobby_request request = {"GET", "/healthz", {0}, {NULL}};
	char *header = malloc(2 * GATEWAY_HEADERS_MAX);
	struct lobby_answer answer;
	struct lobby lobby;

	ck_assert_ptr_nonnull(header);
	memset(header, 'x', 2 * GATEWAY_HEADERS_MAX);
	memcpy(header, "X-A: ", 5);
	header[2 * GATEWAY_HEADERS_MAX - 1] = '\0';
	request.headers[0] = header;
	lobby_open(&lobby);
	answer = lobby_ask_with(&lobby, &request);
	ck_assert_msg(answer.status == 431 || answer.status == 413, "%ld", answer.status);
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/healthz", NULL).status, 200);
	free(header);
	lobby_close(&lobby);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_start_by_key_happens_once);
	tcase_add_test(tcase, test_nobody_is_told_before_it_is_stored);
	tcase_add_test(tcase, test_a_store_that_fails_is_said);
	tcase_add_test(tcase, test_a_commit_that_does_not_come_has_an_end);
	tcase_add_test(tcase, test_closing_answers_who_waits);
	tcase_add_test(tcase, test_a_batch_is_answered_line_by_line);
	tcase_add_test(tcase, test_a_batch_may_be_larger_than_its_window);
	tcase_add_test(tcase, test_a_batch_that_waits_when_the_gateway_closes);
	tcase_add_test(tcase, test_an_empty_batch_has_no_lines);
	tcase_add_loop_test(tcase, test_limit, 0, ROWS(limit_rows));
	tcase_add_test(tcase, test_a_length_that_nobody_may_send_is_refused_before_it_comes);
	tcase_add_test(tcase, test_headers_that_are_too_large);
}

int main(void)
{
	return suite_run("gateway_start", add);
}

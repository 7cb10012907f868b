/* test_calls.c - requests to a server that does as it likes: it is silent, breaks off,
 * says too much. And what a gateway makes of an owner like that. */
#include "orchestrator/gateway/calls.h"
#include "orchestrator/gateway/forward.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/tell.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a server that does as it likes ----------------------------------------------- */

enum { HEARD_MAX = 64 * 1024, SEEN_MAX = 8 };

struct rude {
	int listen_fd;
	char url[64];
	char heard[HEARD_MAX]; /* everything that anybody sent */
	size_t n_heard;
	int fds[SEEN_MAX]; /* of those that came, in their order */
	size_t n_seen;
};

static void rude_open(struct rude *rude)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;

	*rude = (struct rude){.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
	ck_assert_int_ge(rude->listen_fd, 0);
	ck_assert_int_eq(
		bind(rude->listen_fd, (struct sockaddr *)(void *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(rude->listen_fd, SEEN_MAX), 0);
	getsockname(rude->listen_fd, (struct sockaddr *)(void *)&address, &len);
	snprintf(rude->url, sizeof rude->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
}

static void rude_close(struct rude *rude)
{
	for (size_t i = 0; i < rude->n_seen; i++)
		if (rude->fds[i] >= 0)
			close(rude->fds[i]);
	close(rude->listen_fd);
}

/* Take in whoever comes and what they say; true: a whole head came from the newest. */
static bool rude_listen(struct rude *rude)
{
	int fd = accept(rude->listen_fd, NULL, NULL);
	ssize_t n;

	if (fd >= 0) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		ck_assert_uint_lt(rude->n_seen, SEEN_MAX);
		rude->fds[rude->n_seen++] = fd;
	}
	for (size_t i = 0; i < rude->n_seen; i++) {
		n = rude->fds[i] < 0 ? -1
				     : read(rude->fds[i], rude->heard + rude->n_heard,
					    HEARD_MAX - 1 - rude->n_heard);
		if (n > 0)
			rude->n_heard += (size_t)n;
	}
	rude->heard[rude->n_heard] = '\0';
	return strstr(rude->heard, "\r\n\r\n") != NULL;
}

static void rude_say(struct rude *rude, const char *text)
{
	ssize_t n = write(rude->fds[rude->n_seen - 1], text, strlen(text));

	ck_assert_int_eq(n, (ssize_t)strlen(text));
}

static void rude_hang_up(struct rude *rude)
{
	close(rude->fds[rude->n_seen - 1]);
	rude->fds[rude->n_seen - 1] = -1;
}

/* --- calls ------------------------------------------------------------------------ */

struct ending {
	bool over, answered, sent;
	unsigned status;
	int64_t retry_after_s;
	char body[256];
	char type[64];
	char why[256];
};

static void note_end(void *context, const struct call_end *end)
{
	struct ending *ending = context;

	ck_assert(!ending->over);
	*ending = (struct ending){.over = true,
				  .answered = end->answered,
				  .sent = end->sent,
				  .status = end->status,
				  .retry_after_s = end->retry_after_s};
	snprintf(ending->body, sizeof ending->body, "%.*s", SLICE_ARG(bytes_slice(end->body)));
	snprintf(ending->type, sizeof ending->type, "%s", end->type ? end->type : "");
	snprintf(ending->why, sizeof ending->why, "%s", end->why ? end->why : "");
}

static const struct call_events note_events = {note_end, NULL};

enum manner { ANSWERS, IS_SILENT, HANGS_UP, IS_AWAY };

static const struct row {
	const char *name;
	const char *method, *body;
	enum manner manner;
	const char *says;
	bool answered, sent;
	unsigned status;
	const char *has; /* of the body, or the reason */
} rows[] = {
	{"an answer is told as it is", "GET", "", ANSWERS,
	 "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello", true, true,
	 200, "hello"},
	{"a body goes along", "POST", "{\"a\":1}", ANSWERS,
	 "HTTP/1.1 201 Created\r\nContent-Type: a/b\r\nContent-Length: 0\r\n\r\n", true, true,
	 201, ""},
	{"what is refused is an answer", "DELETE", "", ANSWERS,
	 "HTTP/1.1 503 No\r\nContent-Type: a/b\r\nRetry-After: 7\r\nContent-Length: "
	 "2\r\n\r\nno",
	 true, true, 503, "no"},
	{"nobody is sent elsewhere", "GET", "", ANSWERS,
	 "HTTP/1.1 302 Go\r\nContent-Type: a/b\r\nLocation: http://127.0.0.1:1/\r\n"
	 "Content-Length: 0\r\n\r\n",
	 true, true, 302, ""},
	{"an answer that is too large is none", "GET", "", ANSWERS,
	 "HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\n"
	 "01234567890123456789012345678901234567890123456789012345678901234567890123456789",
	 false, true, 200, "too large"},
	{"one that breaks off is none", "POST", "{}", HANGS_UP,
	 "HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\nabc", false, true, 200, ""},
	{"no word before the end is none", "POST", "{}", HANGS_UP, "", false, true, 0, ""},
	{"what is no HTTP is none", "GET", "", HANGS_UP, "what?\r\n\r\n", false, true, 0, ""},
	{"silence is none", "GET", "", IS_SILENT, "", false, true, 0, "does not answer"},
	{"where nobody is, nothing was sent", "POST", "{}", IS_AWAY, "", false, false, 0, ""},
};

START_TEST(test_a_call)
{
	const struct row *row = &rows[_i];
	const struct call_header headers[] = {{"X-One", "1"}, {"X-None", NULL}};
	struct ending ending = {0};
	struct clock_sim clock;
	struct call_setup setup = {.method = row->method,
				   .headers = headers,
				   .n_headers = 2,
				   .body = slice_of(row->body),
				   .answer_max = 64,
				   .quiet_ms = 1000,
				   .once = true,
				   .events = &note_events,
				   .context = &ending};
	struct calls *calls;
	struct rude rude;
	bool said = false;

	clock_sim_init(&clock, 1700000000000);
	calls = calls_new(&clock.base);
	rude_open(&rude);
	if (row->manner == IS_AWAY)
		close(rude.listen_fd);
	setup.url = rude.url;
	ck_assert_ptr_nonnull(call_begin(calls, &setup));
	while (!ending.over) {
		calls_pump(calls);
		if (!said && row->manner != IS_AWAY && rude_listen(&rude)) {
			said = true;
			rude_say(&rude, row->says);
			if (row->manner == HANGS_UP)
				rude_hang_up(&rude);
		}
		if (said && row->manner == IS_SILENT)
			clock_sim_advance(&clock, 100);
	}
	ck_assert_msg(ending.answered == row->answered, "%s: %s", row->name, ending.why);
	ck_assert_int_eq(ending.sent, row->sent);
	ck_assert_uint_eq(ending.status, row->status);
	ck_assert_ptr_nonnull(strstr(row->answered ? ending.body : ending.why, row->has));
	if (row->answered)
		ck_assert_str_eq(ending.type, "a/b");
	ck_assert_int_eq(ending.retry_after_s, row->status == 503 ? 7 : 0);
	if (said) {
		ck_assert_int_eq(memcmp(rude.heard, row->method, strlen(row->method)), 0);
		ck_assert_ptr_nonnull(strstr(rude.heard, "\r\nX-One: 1\r\n"));
		ck_assert_ptr_null(strstr(rude.heard, "X-None"));
	}
	ck_assert_int_eq(calls_wake_ms(calls) == INT64_MAX, true);
	calls_free(calls);
	if (row->manner == IS_AWAY)
		rude.listen_fd = -1;
	rude_close(&rude);
}
END_TEST

/* On a connection that was kept, libcurl sends it again by itself. */
START_TEST(test_what_must_not_arrive_twice_does_not)
{
	struct ending first = {0}, second = {0};
	struct call_setup setup = {.method = "POST",
				   .answer_max = 64,
				   .quiet_ms = 1000,
				   .once = true,
				   .events = &note_events};
	struct clock_sim clock;
	struct calls *calls;
	struct rude rude;

	clock_sim_init(&clock, 1700000000000);
	calls = calls_new(&clock.base);
	rude_open(&rude);
	setup.url = rude.url;
	setup.context = &first;
	call_begin(calls, &setup);
	while (!rude_listen(&rude))
		calls_pump(calls);
	rude_say(&rude, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	while (!first.over)
		calls_pump(calls);
	rude.n_heard = 0;
	setup.context = &second;
	call_begin(calls, &setup);
	do
		calls_pump(calls);
	while (!rude_listen(&rude));
	rude_hang_up(&rude);
	while (!second.over) {
		calls_pump(calls);
		rude_listen(&rude);
	}
	ck_assert(first.answered && !second.answered && second.sent);
	ck_assert_ptr_null(strstr(rude.heard + 1, "POST "));
	calls_free(calls);
	rude_close(&rude);
}
END_TEST

/* A stream that is read slowly. */
struct sip {
	struct ending ending;
	size_t room;
	unsigned refused; /* parts for which there was none */
	struct bytes got;
};

static enum call_part sip_part(void *context, struct slice part)
{
	struct sip *sip = context;

	if (sip->room < part.len) {
		sip->refused++;
		return CALL_FULL;
	}
	sip->room -= part.len;
	bytes_append(&sip->got, part);
	return CALL_TAKEN;
}

static void note_sip_end(void *context, const struct call_end *end)
{
	note_end(&((struct sip *)context)->ending, end);
}

START_TEST(test_a_stream_waits_for_room)
{
	static const struct call_events events = {note_sip_end, sip_part};
	struct sip sip = {.got = BYTES(1024, NULL)};
	struct call_setup setup = {.method = "GET",
				   .answer_max = 64,
				   .quiet_ms = 1000,
				   .events = &events,
				   .context = &sip};
	struct clock_sim clock;
	struct calls *calls;
	struct call *call;
	struct rude rude;

	clock_sim_init(&clock, 1700000000000);
	calls = calls_new(&clock.base);
	rude_open(&rude);
	setup.url = rude.url;
	call = call_begin(calls, &setup);
	while (!rude_listen(&rude))
		calls_pump(calls);
	rude_say(&rude, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	while (!sip.refused)
		calls_pump(calls);
	/* Whoever has no room is not waiting for an answer. */
	clock_sim_advance(&clock, 10000);
	calls_pump(calls);
	ck_assert(!sip.ending.over && !sip.got.len);
	ck_assert_uint_eq(sip.refused, 1);
	sip.room = 100;
	call_resume(call);
	while (!sip.ending.over)
		calls_pump(calls);
	ck_assert(sip.ending.answered);
	ck_assert(slice_is(bytes_slice(&sip.got), "hello"));
	bytes_release(&sip.got);
	calls_free(calls);
	rude_close(&rude);
}
END_TEST

/* --- an owner like that ----------------------------------------------------------- */

#define VISIT "{\"saga\":\"visit\",\"id\":\"b1\",\"input\":{\"no\":\"1\"}}"

/* It takes what it is asked and hangs up; then the real one is there. */
static const struct broken {
	const char *name;
	const char *method, *path, *body;
	enum manner manner;
	long status;
	const char *has;
} broken[] = {
	{"a start with an id is sent again", "POST", "/v1/sagas", VISIT, HANGS_UP, 201,
	 "\"created\":true"},
	{"a start with an id is sent again, to one that is there", "POST", "/v1/sagas", VISIT,
	 IS_AWAY, 201, "\"created\":true"},
	{"a start with an id is not waited for for ever", "POST", "/v1/sagas", VISIT, IS_SILENT,
	 503, "\"code\":\"no-owner\""},
	{"a signal with an id is sent again", "POST", "/v1/sagas/b0/signals/talked",
	 "{\"id\":\"s1\"}", HANGS_UP, 200, "b0"},
	{"a signal without one is not", "POST", "/v1/sagas/b0/signals/talked", "{}", HANGS_UP,
	 504, "\"code\":\"not-known\""},
	{"a signal without one that never arrived is", "POST", "/v1/sagas/b0/signals/talked",
	 "{}", IS_AWAY, 200, "b0"},
	{"an operation is not sent again", "POST", "/v1/sagas/b0/cancel", "", HANGS_UP, 504,
	 "look at the saga before you ask again"},
	{"an operation is not sent again after a silence", "POST", "/v1/sagas/b0/cancel", "",
	 IS_SILENT, 504, "does not answer"},
	{"an operation that never arrived is", "POST", "/v1/sagas/b0/cancel", "", IS_AWAY, 200,
	 "compensating"},
	{"what is shown is asked for again", "GET", "/v1/sagas/b0", NULL, HANGS_UP, 200, "b0"},
	{"what is shown comes from the store, too", "GET", "/v1/sagas/b0", NULL, IS_SILENT, 200,
	 "\"incomplete\":\"the orchestrator that has this saga could not be asked"},
	{"so does what is explained", "GET", "/v1/sagas/b0/explain", NULL, IS_SILENT, 200,
	 "\"incomplete\":"},
	{"and the plan of an undo", "GET", "/v1/sagas/b0/undo-plan", NULL, IS_SILENT, 200,
	 "\"incomplete\":"},
};

START_TEST(test_an_owner_that_does_as_it_likes)
{
	const struct broken *row = &broken[_i];
	const struct lobby_request request = {
		row->method,
		row->path,
		slice_of(row->body),
		{"Authorization: Bearer abc", "traceparent: 00-1-2-01", "Skald-Actor: ann"}};
	struct visitor visitor;
	struct rude rude;
	struct pair pair;
	bool heard = false;

	rude_open(&rude);
	pair_open(&pair);
	lobby_start(&pair.lobbies[1], "b0", "0");
	lobby_serve(&pair.lobbies[1], MESSAGE_OK);
	snprintf(pair.urls[1], sizeof pair.urls[1], "%s", rude.url);
	if (row->manner == IS_AWAY)
		close(rude.listen_fd);
	visitor_begin(&visitor, &pair.lobbies[0], &request);
	while (!visitor.done) {
		lobby_turn(&pair.lobbies[0]);
		if (!heard && row->manner == IS_AWAY && pair.peers[0].refreshed) {
			heard = true;
			rude.listen_fd = -1;
		} else if (!heard && row->manner != IS_AWAY && rude_listen(&rude)) {
			heard = true;
			if (row->manner == HANGS_UP)
				rude_hang_up(&rude);
		}
		if (!heard)
			continue;
		snprintf(pair.urls[1], sizeof pair.urls[1], "%s", pair.lobbies[1].url);
		lobby_pass(&pair.lobbies[0], 20);
	}
	bytes_add(&visitor.body, '\0');
	ck_assert_msg(visitor.status == row->status, "%s: %ld: %s", row->name, visitor.status,
		      visitor.body.at);
	ck_assert_msg(strstr(visitor.body.at, row->has) != NULL, "%s: %s", row->name,
		      visitor.body.at);
	if (row->manner != IS_AWAY) {
		ck_assert_ptr_nonnull(strstr(rude.heard, "\r\nAuthorization: Bearer abc\r\n"));
		ck_assert_ptr_nonnull(strstr(rude.heard, "\r\ntraceparent: 00-1-2-01\r\n"));
		ck_assert_ptr_nonnull(strstr(rude.heard, "\r\nSkald-Actor: ann\r\n"));
		ck_assert_ptr_nonnull(strstr(rude.heard, "\r\nSkald-Forwarded: 1\r\n"));
		ck_assert_uint_eq(rude.n_seen, 1);
	}
	visitor_end(&visitor);
	pair_close(&pair);
	rude_close(&rude);
}
END_TEST

START_TEST(test_a_refusal_comes_back_as_it_is)
{
	const struct lobby_request request = {
		"POST", "/v1/sagas", SLICE_LITERAL(VISIT), {NULL}};
	struct visitor visitor;
	struct rude rude;
	struct pair pair;

	rude_open(&rude);
	pair_open(&pair);
	snprintf(pair.urls[1], sizeof pair.urls[1], "%s", rude.url);
	visitor_begin(&visitor, &pair.lobbies[0], &request);
	while (!rude_listen(&rude))
		lobby_turn(&pair.lobbies[0]);
	rude_say(&rude, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n"
			"Content-Type: application/problem+json\r\nContent-Length: 15\r\n\r\n"
			"{\"code\":\"busy\"}");
	visitor_finish(&visitor);
	bytes_add(&visitor.head, '\0');
	ck_assert_int_eq(visitor.status, 503);
	ck_assert(slice_is(bytes_slice(&visitor.body), "{\"code\":\"busy\"}"));
	ck_assert_ptr_nonnull(strstr(visitor.head.at, "\r\nRetry-After: 7\r\n"));
	ck_assert_ptr_nonnull(
		strstr(visitor.head.at, "\r\nContent-Type: application/problem+json\r\n"));
	visitor_end(&visitor);
	pair_close(&pair);
	rude_close(&rude);
}
END_TEST

/* As many as may be asked at once say nothing: whoever comes then waits for his turn as long
 * as for an owner, and no longer. */
START_TEST(test_what_has_no_turn_is_refused_in_time)
{
	struct bytes lines = BYTES(1024 * 1024, NULL);
	struct lobby_request request = {"POST", "/v1/sagas:batch", {0}, {NULL}};
	struct visitor batch, single;
	struct gateway *gateway;
	struct rude rude;
	struct pair pair;
	int64_t now_ms;

	rude_open(&rude);
	pair_open(&pair);
	gateway = pair.lobbies[0].gateway;
	snprintf(pair.urls[1], sizeof pair.urls[1], "%s", rude.url);
	for (unsigned i = 0; i < FORWARDS_AT_ONCE; i++)
		bytes_format(&lines,
			     "{\"saga\":\"visit\",\"id\":\"b-%u\",\"input\":{\"no\":\"%u\"}}\n",
			     i, i);
	request.body = bytes_slice(&lines);
	visitor_begin(&batch, &pair.lobbies[0], &request);
	while (gateway->n_calls < FORWARDS_AT_ONCE)
		lobby_turn(&pair.lobbies[0]);
	pair_advance(&pair, 1000);
	request = (struct lobby_request){"POST", "/v1/sagas", SLICE_LITERAL(VISIT), {NULL}};
	visitor_begin(&single, &pair.lobbies[0], &request);
	while (gateway->n_forwards == FORWARDS_AT_ONCE)
		lobby_turn(&pair.lobbies[0]);
	now_ms = clock_monotonic_ms(gateway->parts.clock);
	ck_assert_int_le(forwards_wake_ms(gateway), now_ms + FORWARD_TRY_MS);
	pair_advance(&pair, FORWARD_TRY_MS - 1);
	ck_assert(!single.done);
	ck_assert_uint_eq(gateway->n_calls, FORWARDS_AT_ONCE);
	ck_assert_int_eq(forwards_wake_ms(gateway), now_ms + FORWARD_TRY_MS);
	pair_advance(&pair, 1);
	visitor_finish(&single);
	ck_assert_int_eq(single.status, 503);
	ck_assert(visitor_has(&single, "\"code\":\"busy\""));
	ck_assert(!batch.done);
	visitor_end(&single);
	visitor_end(&batch);
	pair_close(&pair);
	rude_close(&rude);
	bytes_release(&lines);
}
END_TEST

/* See test_what_must_not_arrive_twice_does_not. */
START_TEST(test_an_operation_has_a_connection_of_its_own)
{
	static const char done[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
	static const char *const paths[] = {"/v1/sagas", "/v1/sagas", "/v1/sagas/b1/cancel"};
	struct visitor visitor;
	struct rude rude;
	struct pair pair;

	rude_open(&rude);
	pair_open(&pair);
	snprintf(pair.urls[1], sizeof pair.urls[1], "%s", rude.url);
	for (size_t i = 0; i < 3; i++) {
		rude.n_heard = 0;
		rude.heard[0] = '\0';
		visitor_begin(
			&visitor, &pair.lobbies[0],
			&(struct lobby_request){
				"POST", paths[i], slice_of(i < 2 ? VISIT : "{}"), {NULL}});
		while (!rude_listen(&rude))
			lobby_turn(&pair.lobbies[0]);
		rude_say(&rude, done);
		visitor_finish(&visitor);
		ck_assert_int_eq(visitor.status, 200);
		ck_assert_uint_eq(rude.n_seen, i < 2 ? 1 : 2);
		visitor_end(&visitor);
	}
	pair_close(&pair);
	rude_close(&rude);
}
END_TEST

/* --- another one that is told, and heard -------------------------------------------- */

static const char other[] = "saga: other\nversion: 1.0.0\nsteps:\n"
			    "  - book: { call: desk.book, undo: { call: desk.unbook } }\n";

/* Somebody deploys, and the other one says nothing: the answer comes when its time is over,
 * or the gateway closes before, or whoever asked has gone. */
enum { WAITS, CLOSES, GOES, REFUSES };
static const char *const endings[] = {"it waits", "it closes", "the visitor goes",
				      "the other one refuses"};

START_TEST(test_who_says_nothing_is_not_waited_for)
{
	const struct lobby_request request = {
		"POST", "/v1/definitions", {other, sizeof other - 1}, {NULL}};
	struct visitor visitor;
	struct rude rude;
	struct pair pair;

	rude_open(&rude);
	pair_open(&pair);
	snprintf(pair.urls[1], sizeof pair.urls[1], "%s", rude.url);
	visitor_begin(&visitor, &pair.lobbies[0], &request);
	while (!rude_listen(&rude))
		lobby_turn(&pair.lobbies[0]);
	ck_assert_ptr_nonnull(strstr(rude.heard, "\r\nSkald-Forwarded: 1\r\n"));
	if (_i == WAITS) {
		pair_advance(&pair, TELL_MS - 1);
		ck_assert(!visitor.done);
		pair_advance(&pair, 1);
		visitor_finish(&visitor);
		ck_assert_int_eq(visitor.status, 201);
		ck_assert(visitor_has(&visitor, "\"untold\":[\"http://127.0.0.1:"));
	} else if (_i == REFUSES) {
		rude_say(&rude, "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n");
		visitor_finish(&visitor);
		ck_assert_int_eq(visitor.status, 201);
		ck_assert(visitor_has(&visitor, "\"untold\":[\"http://127.0.0.1:"));
	} else if (_i == CLOSES) {
		gateway_close(pair.lobbies[0].gateway);
		pair.lobbies[0].gateway = NULL;
		visitor_finish(&visitor);
		ck_assert_msg(visitor.status == 503, "%s: %ld", endings[_i], visitor.status);
	}
	visitor_end(&visitor);
	pair_close(&pair);
	rude_close(&rude);
}
END_TEST

/* It says things in pieces, and some that nobody can read. */
START_TEST(test_of_what_is_heard_only_events_are_told)
{
	static const struct lobby_request request = {"GET", "/v1/events", {0}, {NULL}};
	static const char *const pieces[] = {
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: watching\n\n",
		"event: change\ndata: nonsense\n\n",
		"event: change\ndata: {\"id\":\"b1\"}\n\n",
		"event: change\ndata: {\"saga\":\"visit\",\"status\":\"odd\"}\n\n",
		"event: other\ndata: {\"saga\":\"visit\",\"status\":\"running\"}\n\n",
		"event: change\ndata: {\"id\":\"b2\",\"saga\":\"visit\",",
		"\"status\":\"running\"}\n",
		"\nevent: change\ndata: {\"id\":\"b3\",\"saga\":\"visit\",\"status\":",
		"\"running\"}\n\nevent: change\ndata: {\"id\":\"b4\""};
	static const char heard[] =
		": watching\n\n"
		"event: change\ndata: "
		"{\"id\":\"b2\",\"saga\":\"visit\",\"status\":\"running\"}\n\n"
		"event: change\ndata: "
		"{\"id\":\"b3\",\"saga\":\"visit\",\"status\":\"running\"}\n\n"
		"event: gap\ndata: {\"url\":\"http://127.0.0.1:";
	struct visitor visitor;
	struct rude rude;
	struct pair pair;

	rude_open(&rude);
	pair_open(&pair);
	snprintf(pair.urls[1], sizeof pair.urls[1], "%s", rude.url);
	visitor_begin(&visitor, &pair.lobbies[0], &request);
	while (!rude_listen(&rude))
		lobby_turn(&pair.lobbies[0]);
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		rude_say(&rude, pieces[i]);
		for (int n = 0; n < 20; n++)
			lobby_turn(&pair.lobbies[0]);
	}
	visitor_until(&visitor, "\"b3\"");
	rude_hang_up(&rude);
	visitor_until(&visitor, "event: gap\ndata: {\"url\":\"http://127.0.0.1:");
	ck_assert_msg(memcmp(visitor.body.at, heard, sizeof heard - 1) == 0, "%.*s",
		      (int)visitor.body.len, visitor.body.at);
	visitor_end(&visitor);
	pair_close(&pair);
	rude_close(&rude);
}
END_TEST

/* Say it as far as it is taken; how much was. */
static size_t rude_push(struct rude *rude, const char *bytes, size_t n)
{
	ssize_t taken = write(rude->fds[rude->n_seen - 1], bytes, n);

	return taken > 0 ? (size_t)taken : 0;
}

START_TEST(test_a_stream_comes_no_faster_than_it_is_read)
{
	enum { BLOCK = 64 * 1024, MOST = 64 * 1024 * 1024, QUIET = 200 };
	static const struct lobby_request request = {"GET", "/v1/sagas/b1/events", {0}, {NULL}};
	static char block[BLOCK];
	struct visitor visitor;
	struct rude rude;
	struct pair pair;
	size_t said = 0;

	memset(block, ' ', sizeof block);
	rude_open(&rude);
	pair_open(&pair);
	snprintf(pair.urls[1], sizeof pair.urls[1], "%s", rude.url);
	visitor_begin(&visitor, &pair.lobbies[0], &request);
	while (!rude_listen(&rude))
		lobby_turn(&pair.lobbies[0]);
	rude_say(&rude, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nbegin");
	visitor_until(&visitor, "begin");
	curl_easy_pause(visitor.curl, CURLPAUSE_RECV);
	for (int quiet = 0; quiet < QUIET && said < MOST; quiet++) {
		size_t n = rude_push(&rude, block, sizeof block);

		said += n;
		quiet = n ? 0 : quiet;
		lobby_turn(&pair.lobbies[0]);
	}
	/* What is between the two is bounded, and nothing of it is lost. */
	ck_assert_uint_lt(said, MOST);
	ck_assert_uint_gt(said, GATEWAY_WATCH_BYTES_MAX / 2);
	curl_easy_pause(visitor.curl, CURLPAUSE_CONT);
	while (visitor.body.len < strlen("begin") + said)
		lobby_turn(&pair.lobbies[0]);
	rude_say(&rude, "end");
	rude_hang_up(&rude);
	visitor_finish(&visitor);
	ck_assert_uint_eq(visitor.body.len, strlen("begin") + said + strlen("end"));
	visitor_end(&visitor);
	pair_close(&pair);
	rude_close(&rude);
}
END_TEST

static void add(TCase *tests)
{
	tcase_add_loop_test(tests, test_a_call, 0, sizeof rows / sizeof *rows);
	tcase_add_test(tests, test_what_must_not_arrive_twice_does_not);
	tcase_add_test(tests, test_a_stream_waits_for_room);
	tcase_add_loop_test(tests, test_an_owner_that_does_as_it_likes, 0,
			    sizeof broken / sizeof *broken);
	tcase_add_test(tests, test_what_has_no_turn_is_refused_in_time);
	tcase_add_test(tests, test_an_operation_has_a_connection_of_its_own);
	tcase_add_test(tests, test_a_refusal_comes_back_as_it_is);
	tcase_add_loop_test(tests, test_who_says_nothing_is_not_waited_for, 0,
			    sizeof endings / sizeof *endings);
	tcase_add_test(tests, test_of_what_is_heard_only_events_are_told);
	tcase_add_test(tests, test_a_stream_comes_no_faster_than_it_is_read);
}

int main(void)
{
	return suite_run("calls", add);
}

/* test_gateway_watch.c - streams of events: whole, bounded, and nobody's trouble
 * but their reader's. */
#include "tests/lib/lobby.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct lobby_request watch_v1 = {"GET", "/v1/sagas/v1/events", {0}, {NULL}};
static const struct lobby_request watch_all = {"GET", "/v1/events", {0}, {NULL}};

static size_t count_of(const struct visitor *visitor, const char *part)
{
	size_t n = 0, len = strlen(part);

	for (size_t i = 0; i + len <= visitor->body.len; i++)
		n += memcmp(visitor->body.at + i, part, len) == 0;
	return n;
}

START_TEST(test_a_saga_is_followed_to_its_end)
{
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v1", "1");
	visitor_begin(&visitor, &lobby, &watch_v1);
	visitor_until(&visitor, "\n\n");
	ck_assert_int_eq(memcmp(visitor.body.at, "event: saga\ndata: {\"id\":\"v1\",", 29), 0);
	ck_assert_uint_eq(count_of(&visitor, "book: do sent (attempt 1)"), 1);
	lobby_complete(&lobby, "v1");
	visitor_finish(&visitor);
	ck_assert(!visitor.failed);
	ck_assert_ptr_nonnull(strstr(visitor.head.at, "Content-Type: text/event-stream"));
	/* Every entry once, and the end is there. */
	ck_assert_uint_eq(count_of(&visitor, "the saga starts"), 1);
	ck_assert_uint_eq(count_of(&visitor, "book: do answered ok (attempt 1)"), 1);
	ck_assert_uint_eq(count_of(&visitor, "pay: do answered ok (attempt 1)"), 1);
	ck_assert_uint_eq(count_of(&visitor, "the saga ended: completed"), 1);
	ck_assert_uint_eq(count_of(&visitor, "event: saga\n"), 1);
	ck_assert(count_of(&visitor, "event: change\n") >= 3);
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_one_that_has_ended_is_told_and_that_is_all)
{
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v1", "1");
	lobby_complete(&lobby, "v1");
	visitor_begin(&visitor, &lobby, &watch_v1);
	visitor_finish(&visitor);
	ck_assert_int_eq(visitor.status, 200);
	ck_assert(visitor_has(&visitor, "\"status\":\"completed\""));
	ck_assert_uint_eq(count_of(&visitor, "event: "), 1);
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_one_that_is_not_there)
{
	struct lobby lobby;

	lobby_open(&lobby);
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/v1/sagas/v1/events", NULL).status, 404);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_all_sagas_are_followed_by_name)
{
	static const struct lobby_request others = {
		"GET", "/v1/events?saga=other", {0}, {NULL}};
	static const struct lobby_request visits = {
		"GET", "/v1/events?saga=visit", {0}, {NULL}};
	struct visitor all, visit, other;
	struct lobby lobby;

	lobby_open(&lobby);
	visitor_begin(&all, &lobby, &watch_all);
	visitor_begin(&visit, &lobby, &visits);
	visitor_begin(&other, &lobby, &others);
	visitor_until(&all, ": watching\n\n");
	visitor_until(&visit, ": watching\n\n");
	visitor_until(&other, ": watching\n\n");
	lobby_start(&lobby, "v1", "1");
	lobby_start(&lobby, "v2", "2");
	visitor_until(&all, "\"id\":\"v2\"");
	visitor_until(&visit, "\"id\":\"v2\"");
	ck_assert(visitor_has(&all, "\"id\":\"v1\""));
	ck_assert(!visitor_has(&other, "event: "));
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/v1/events?saga=No!", NULL).status, 400);
	visitor_end(&all);
	visitor_end(&visit);
	visitor_end(&other);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_all_sagas_are_followed_by_status)
{
	static const struct lobby_request ends = {
		"GET", "/v1/events?saga=visit&status=completed,compensated", {0}, {NULL}};
	static const struct lobby_request parked = {
		"GET", "/v1/events?status=parked", {0}, {NULL}};
	struct visitor ended, stuck;
	struct lobby lobby;

	lobby_open(&lobby);
	visitor_begin(&ended, &lobby, &ends);
	visitor_begin(&stuck, &lobby, &parked);
	visitor_until(&ended, ": watching\n\n");
	visitor_until(&stuck, ": watching\n\n");
	lobby_start(&lobby, "v1", "1");
	lobby_start(&lobby, "v2", "2");
	lobby_complete(&lobby, "v1");
	visitor_until(&ended, "\"status\":\"completed\"");
	ck_assert_uint_eq(count_of(&ended, "event: "), 1);
	ck_assert(!visitor_has(&ended, "\"id\":\"v2\""));
	ck_assert(!visitor_has(&stuck, "event: "));
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/v1/events?status=done", NULL).status, 400);
	visitor_end(&ended);
	visitor_end(&stuck);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_stream_shows_that_it_is_alive)
{
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v1", "1");
	visitor_begin(&visitor, &lobby, &watch_v1);
	visitor_until(&visitor, "\n\n");
	ck_assert(gateway_wake_ms(lobby.gateway) <= GATEWAY_HEARTBEAT_MS);
	lobby_advance(&lobby, GATEWAY_HEARTBEAT_MS);
	visitor_until(&visitor, ": still here\n\n");
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

/* How many streams there are, as /metrics has it. */
static bool has_watchers(struct lobby *lobby, unsigned n)
{
	struct lobby_answer answer = lobby_ask(lobby, "GET", "/metrics", NULL);
	char line[64];

	snprintf(line, sizeof line, "\nskald_watchers %u\n", n);
	return strstr(answer.body.at, line) != NULL;
}

START_TEST(test_a_reader_that_is_gone_is_forgotten)
{
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v1", "1");
	visitor_begin(&visitor, &lobby, &watch_v1);
	visitor_until(&visitor, "\n\n");
	ck_assert(has_watchers(&lobby, 1));
	visitor_end(&visitor);
	while (!has_watchers(&lobby, 0))
		lobby_advance(&lobby, GATEWAY_HEARTBEAT_MS);
	lobby_close(&lobby);
}
END_TEST

/* A lot happens: so many sagas are started at once. */
static void start_many(struct lobby *lobby, unsigned *next, unsigned n)
{
	struct bytes body = BYTES(1024 * 1024, NULL);
	struct lobby_request request = {"POST", "/v1/sagas:batch", {0}, {NULL}};

	for (unsigned i = 0; i < n; i++, ++*next)
		bytes_format(
			&body,
			"{\"saga\":\"visit\",\"id\":\"many-%u\",\"input\":{\"no\":\"%u\"}}\n",
			*next, *next);
	request.body = bytes_slice(&body);
	ck_assert_int_eq(lobby_ask_with(lobby, &request).status, 200);
	bytes_release(&body);
}

/* How many events of the many there are: each one's is there once, in order. */
static unsigned count_many(struct slice events)
{
	static const char data[] = "data: {\"id\":\"many-";
	const char *end = events.at + events.len, *line = events.at, *next;
	char wanted[64];
	unsigned n = 0;

	for (; (next = memchr(line, '\n', (size_t)(end - line))) != NULL; line = next + 1) {
		if ((size_t)(next - line) < sizeof wanted ||
		    memcmp(line, data, sizeof data - 1))
			continue;
		snprintf(wanted, sizeof wanted, "%s%u\"", data, n++);
		ck_assert_int_eq(strncmp(line, wanted, strlen(wanted)), 0);
	}
	return n;
}

START_TEST(test_a_reader_that_reads_is_not_dropped_however_much_happens)
{
	enum { MANY = 9000 };
	struct visitor quick;
	struct lobby lobby;
	unsigned next = 0;

	lobby_open(&lobby);
	visitor_begin(&quick, &lobby, &watch_all);
	visitor_until(&quick, ": watching\n\n");
	start_many(&lobby, &next, MANY);
	for (int i = 0; i < 3; i++)
		lobby_turn(&lobby);
	ck_assert(!quick.done);
	ck_assert_uint_eq(count_many(bytes_slice(&quick.body)), MANY);
	ck_assert(quick.body.len > GATEWAY_WATCH_BYTES_MAX);
	visitor_end(&quick);
	lobby_close(&lobby);
}
END_TEST

/* Until it has read what the newest start made. */
static void keep_up(struct visitor *quick, unsigned next)
{
	char last[64];

	snprintf(last, sizeof last, "\"id\":\"many-%u\"", next - 1);
	visitor_until(quick, last);
	bytes_clear(&quick->body);
}

static bool has_dropped_one(struct lobby *lobby)
{
	return strstr(lobby_ask(lobby, "GET", "/metrics", NULL).body.at,
		      "skald_watchers_dropped_total 1") != NULL;
}

/* A client that asks, and then does not look at what comes: no chunks, up to the
 * end of the connection. */
static int ask_and_wait(const struct lobby *lobby)
{
	static const char request[] = "GET /v1/events HTTP/1.0\r\n\r\n";
	const char *port = strrchr(lobby->url, ':') + 1;
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)strtol(port, NULL, 10))};
	int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

	ck_assert(fd >= 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(write(fd, request, sizeof request - 1), sizeof request - 1);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* What comes, until there is so much of it or its end. */
static void read_up_to(struct lobby *lobby, int fd, struct bytes *out, size_t len)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + 10000;
	char part[64 * 1024];
	ssize_t n;

	while (out->len < len && (n = read(fd, part, sizeof part)) != 0) {
		ck_assert(n > 0 || errno == EAGAIN);
		ck_assert_int_lt(clock_monotonic_ms(clock_system()), end_ms);
		if (n > 0)
			bytes_append(out, (struct slice){part, (size_t)n});
		lobby_turn(lobby);
	}
	ck_assert_int_eq(out->err, OK);
}

START_TEST(test_a_reader_that_does_not_read_is_dropped_and_told)
{
	enum { MANY_MAX = 20000 };
	struct bytes told = BYTES(SIZE_MAX / 2, NULL);
	struct visitor quick;
	struct lobby lobby;
	unsigned next = 0;
	int slow;

	lobby_open_narrow(&lobby);
	slow = ask_and_wait(&lobby);
	visitor_begin(&quick, &lobby, &watch_all);
	visitor_until(&quick, ": watching\n\n");
	while (!has_dropped_one(&lobby) && next < MANY_MAX) {
		start_many(&lobby, &next, 500);
		keep_up(&quick, next);
		arena_reset(&lobby.arena);
		if (next == 4000) /* it looks for a moment */
			read_up_to(&lobby, slow, &told, GATEWAY_WATCH_BYTES_MAX / 3);
	}
	ck_assert_uint_lt(next, MANY_MAX);
	/* Now it reads: everything up to the end, which says what happened. */
	read_up_to(&lobby, slow, &told, SIZE_MAX);
	bytes_add(&told, '\0');
	ck_assert(count_many(bytes_slice(&told)) > 0);
	ck_assert_ptr_nonnull(strstr(told.at, "event: dropped\ndata: {\"code\":\"too-slow\""));
	close(slow);
	/* More than the buffer, and what it read before. */
	ck_assert_uint_gt(told.len, GATEWAY_WATCH_BYTES_MAX / 3 + GATEWAY_WATCH_BYTES_MAX / 2);
	/* The other one read all the time, and goes on. */
	ck_assert(!quick.done);
	bytes_clear(&quick.body);
	lobby_start(&lobby, "v2", "two");
	visitor_until(&quick, "\"id\":\"v2\"");
	visitor_end(&quick);
	bytes_release(&told);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_streams_have_a_maximum)
{
	static struct visitor visitors[GATEWAY_WATCHERS_MAX];
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	for (int i = 0; i < GATEWAY_WATCHERS_MAX; i++)
		visitor_begin(&visitors[i], &lobby, &watch_all);
	for (int i = 0; i < GATEWAY_WATCHERS_MAX; i++)
		visitor_until(&visitors[i], ": watching\n\n");
	answer = lobby_ask(&lobby, "GET", "/v1/events", NULL);
	ck_assert_int_eq(answer.status, 503);
	ck_assert_ptr_nonnull(strstr(answer.body.at, "\"code\":\"too-many-streams\""));
	for (int i = 0; i < GATEWAY_WATCHERS_MAX; i++)
		visitor_end(&visitors[i]);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_server_that_stops_says_so)
{
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v1", "1");
	visitor_begin(&visitor, &lobby, &watch_v1);
	visitor_until(&visitor, "\n\n");
	gateway_stop(lobby.gateway);
	visitor_finish(&visitor);
	ck_assert(!visitor.failed);
	ck_assert(visitor_has(&visitor, "event: stopping\n"));
	ck_assert_uint_eq(gateway_requests(lobby.gateway), 0);
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_closing_with_a_stream_that_sleeps)
{
	struct visitor visitor;
	struct lobby lobby;

	lobby_open(&lobby);
	visitor_begin(&visitor, &lobby, &watch_all);
	visitor_until(&visitor, ": watching\n\n");
	lobby_turn(&lobby);
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_saga_is_followed_to_its_end);
	tcase_add_test(tcase, test_one_that_has_ended_is_told_and_that_is_all);
	tcase_add_test(tcase, test_one_that_is_not_there);
	tcase_add_test(tcase, test_all_sagas_are_followed_by_name);
	tcase_add_test(tcase, test_all_sagas_are_followed_by_status);
	tcase_add_test(tcase, test_a_stream_shows_that_it_is_alive);
	tcase_add_test(tcase, test_a_reader_that_is_gone_is_forgotten);
	tcase_add_test(tcase, test_a_reader_that_reads_is_not_dropped_however_much_happens);
	tcase_add_test(tcase, test_a_reader_that_does_not_read_is_dropped_and_told);
	tcase_add_test(tcase, test_streams_have_a_maximum);
	tcase_add_test(tcase, test_a_server_that_stops_says_so);
	tcase_add_test(tcase, test_closing_with_a_stream_that_sleeps);
}

int main(void)
{
	return suite_run("gateway_watch", add);
}

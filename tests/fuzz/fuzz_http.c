/* fuzz_http.c - any requests to the HTTP side: each is answered, never with an internal
 * error; what is said is the JSON that it claims to be, and a refusal says why.
 *
 * The real gateway in front of a real engine, over a real socket (tests/lib/lobby.h); two
 * visits are there already. The input is one request or several, with a record separator
 * (1e) between them: the first line without its HTTP/1.1, headers, an empty line, the
 * body. Its length is said for it; what begins with a NUL byte is sent as it stands. */
#include "base/json.h"
#include "tests/lib/lobby.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS_MAX = 200, READ_BYTES = 64 * 1024, TALK_MAX = 64 << 20, REQUESTS_MAX = 16 };

/* Closed at once, so that no port stays taken. */
static int connect_to(const struct lobby *lobby)
{
	const struct linger at_once = {.l_onoff = 1};
	struct sockaddr_in address = {.sin_family = AF_INET};
	const char *port = strrchr(lobby->url, ':');
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert(port && fd >= 0);
	address.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		abort();
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		abort();
	return fd;
}

static struct slice until(struct slice *rest, char end)
{
	const char *at = rest->len ? memchr(rest->at, end, rest->len) : NULL;
	struct slice part = {rest->at, at ? (size_t)(at - rest->at) : rest->len};

	rest->at += part.len + (at != NULL);
	rest->len -= part.len + (at != NULL);
	return part;
}

/* A request as it goes over the wire. */
static void write_request(struct slice text, struct bytes *out)
{
	struct slice line = until(&text, '\n');

	bytes_append(out, line);
	bytes_text(out, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
	while (text.len && (line = until(&text, '\n')).len) {
		bytes_append(out, line);
		bytes_text(out, "\r\n");
	}
	bytes_format(out, "Content-Length: %zu\r\n\r\n", text.len);
	bytes_append(out, text);
}

/* True: the other side has said all that it will. */
static bool listen_to(int fd, struct bytes *heard)
{
	char bytes[READ_BYTES];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
		bytes_append(heard, (struct slice){bytes, (size_t)n});
	assert(!heard->err);
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Say it, and listen until the answer has ended; false: it did not. */
static bool talk(struct lobby *lobby, struct slice said, struct bytes *heard)
{
	int fd = connect_to(lobby);
	bool ended = false, hung_up = false;
	size_t sent = 0;

	for (int i = 0; i < TURNS_MAX && !ended; i++) {
		ssize_t n = sent < said.len
				    ? send(fd, said.at + sent, said.len - sent, MSG_NOSIGNAL)
				    : 0;

		if (n > 0)
			sent += (size_t)n;
		if (sent == said.len && !hung_up)
			hung_up = shutdown(fd, SHUT_WR) == 0;
		lobby_turn(lobby);
		ended = listen_to(fd, heard);
	}
	close(fd);
	lobby_turn(lobby);
	return ended;
}

static bool contains(struct slice text, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= text.len; i++)
		if (memcmp(text.at + i, part, len) == 0)
			return true;
	return false;
}

static void check_problem(struct json problem)
{
	struct json member;

	assert(json_type(problem) == JSON_OBJECT);
	assert(json_get(problem, SLICE_LITERAL("code"), &member));
	assert(json_get(problem, SLICE_LITERAL("detail"), &member));
	assert(json_get(problem, SLICE_LITERAL("status"), &member));
}

/* What the gateway itself says claims to be JSON; what the library below it says of
 * bytes that are no HTTP does not. */
static void check_answer(struct slice heard)
{
	struct arena arena = {0};
	struct json body;
	struct slice head;
	size_t at = 0;
	int status = 0;
	enum err err;

	if (!heard.len)
		return;
	if (!arena_copy(&arena, heard, &heard))
		assert(false);
	if (sscanf(heard.at, "HTTP/1.%*1[01] %3d ", &status) != 1)
		assert(!"an answer that is none");
	assert(status >= 100 && status < 600 && status != 500 && status != 501);
	while (at + 4 <= heard.len && memcmp(heard.at + at, "\r\n\r\n", 4) != 0)
		at++;
	head = (struct slice){heard.at, at};
	if (at + 4 < heard.len && contains(head, "Content-Length: ") &&
	    (contains(head, "application/json") ||
	     contains(head, "application/problem+json"))) {
		err = json_parse((struct slice){heard.at + at + 4, heard.len - at - 4},
				 TALK_MAX, &arena, &body, NULL);
		assert(!err);
		if (status >= 400)
			check_problem(body);
	}
	arena_release(&arena);
}

/* Whether its end can be told from its length: no line ends in the middle of one, and it
 * does not come in chunks. Otherwise the library below the gateway may wait for more. */
static bool is_plain(struct slice text)
{
	struct slice line;

	do {
		line = until(&text, '\n');
		for (size_t i = 0; i < line.len; i++)
			if ((unsigned char)line.at[i] < ' ')
				return false;
		if (line.len >= 8 && strncasecmp(line.at, "transfer", 8) == 0)
			return false;
	} while (line.len && text.len);
	return true;
}

static void ask(struct lobby *lobby, struct slice text)
{
	struct bytes said = BYTES(1 << 20, NULL), heard = BYTES(TALK_MAX, NULL);
	bool raw = text.len && text.at[0] == '\0', ended;

	if (raw)
		bytes_append(&said, (struct slice){text.at + 1, text.len - 1});
	else
		write_request(text, &said);
	assert(!said.err);
	ended = talk(lobby, bytes_slice(&said), &heard);
	/* A stream of events goes on, and so may a connection that was answered. */
	assert(ended || heard.len || raw || !is_plain(text));
	if (!raw)
		check_answer(bytes_slice(&heard));
	bytes_release(&said);
	bytes_release(&heard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size};
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v-1", "1");
	lobby_start(&lobby, "v-2", "2");
	lobby_serve(&lobby, MESSAGE_OK);
	for (int i = 0; i < REQUESTS_MAX && rest.len; i++)
		ask(&lobby, until(&rest, '\x1e'));
	lobby_serve(&lobby, MESSAGE_OK);
	lobby_turn(&lobby);
	lobby_close(&lobby);
	return 0;
}

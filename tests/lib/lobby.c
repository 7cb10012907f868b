#include "tests/lib/lobby.h"

#include "orchestrator/gateway/listen.h"
#include "tests/lib/desk.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { PATIENCE_MS = 10000, URL_MAX = 4096 };

const char lobby_definition[] =
	"saga: visit\n"
	"version: 1.0.0\n"
	"description: Somebody comes, talks and pays.\n"
	"key: =input.no\n"
	"input:\n"
	"  schema:\n"
	"    type: object\n"
	"    required: [no]\n"
	"    additionalProperties: false\n"
	"    properties:\n"
	"      no: { type: string }\n"
	"      card:\n"
	"        type: object\n"
	"        properties: { number: { type: string }, name: { type: string } }\n"
	"      guests:\n"
	"        type: array\n"
	"        items:\n"
	"          type: object\n"
	"          properties: { name: { type: string }, pin: { type: string } }\n"
	"  mask: [card.number, guests.pin]\n"
	"steps:\n"
	"  - book: { call: desk.book, with: { no: =input.no }, timeout: 5s,\n"
	"            undo: { call: desk.unbook, timeout: 5s } }\n"
	"  - talk: { await: { event: talked, timeout: 1h, then: compensate } }\n"
	"  - pay: { kind: pivot, call: desk.pay, timeout: 5s }\n"
	"  - thank: { kind: retriable, call: desk.thank, on_failure: ignore }\n"
	"output: { seat: =book.out.seat }\n";

/* --- opening ---------------------------------------------------------------------- */

/* How a lobby is not as they are as a rule. */
struct oddity {
	int send_bytes;
	struct vault *vault;
	struct peers *peers;
	bool shared;
};

/* Where others find it is known before it is open. */
static int start_to_listen(struct lobby *lobby, int send_bytes)
{
	char address[LISTEN_TEXT_MAX];
	int fd = -1;
	enum err err = listen_open("127.0.0.1:0", &fd, address, NULL);

	assert(!err);
	/* What it accepts takes after it. */
	if (send_bytes)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
	snprintf(lobby->url, sizeof lobby->url, "http://%.50s", address);
	return fd;
}

static void open_gateway(struct lobby *lobby, struct store *store, struct peers *peers,
			 int listen_fd)
{
	static const struct log silent = {0};
	const struct gateway_parts parts = {
		.peers = peers,
		.engine = lobby->engine,
		.store = store,
		.bus = lobby->bus,
		.clock = &lobby->clock.base,
		.log = &silent,
		.listen_fd = listen_fd,
	};
	enum err err = gateway_open(&parts, &lobby->gateway, NULL);

	assert(!err);
}

static struct store *open_store(struct lobby *lobby, const struct oddity *oddity)
{
	lobby->vault_lent = oddity->vault != NULL;
	lobby->vault = oddity->vault ? oddity->vault : vault_new();
	lobby->store = oddity->shared ? store_memory_share(lobby->vault, lobby->url)
				      : store_memory_open(lobby->vault);
	assert(lobby->store);
	return oddity->shared
		       ? lobby->store
		       : store_tripwire_init(&lobby->store_wire, lobby->store, &lobby->wire);
}

static void open_lobby(struct lobby *lobby, const struct oddity *oddity)
{
	static const struct log silent = {0};
	struct engine_parts parts = {.log = &silent};
	struct peers *peers = oddity->peers;
	int listen_fd;
	enum err err;

	*lobby = (struct lobby){.wire.calls_left = -1, .wire.effect = TRIPWIRE_FAILS};
	listen_fd = start_to_listen(lobby, oddity->send_bytes);
	clock_sim_init(&lobby->clock, LOBBY_NOW_MS);
	parts.store = open_store(lobby, oddity);
	lobby->post = post_new();
	lobby->desk = port_memory_open(lobby->post, "desk");
	lobby->bus = bus_memory_open(lobby->post);
	parts.bus = lobby->bus;
	parts.clock = &lobby->clock.base;
	parts.seed = lobby->vault_lent; /* ids of their own */
	err = desk_open(&parts, &lobby->engine, NULL);
	assert(!err);
	err = desk_deploy_text(lobby->engine, lobby_definition);
	assert(!err);
	if (oddity->shared)
		peers = peers_engine_init(&lobby->peers, lobby->engine, lobby->store,
					  &lobby->clock.base);
	open_gateway(lobby, parts.store, peers, listen_fd);
	lobby->curl = curl_multi_init();
	assert(lobby->curl);
}

void lobby_open(struct lobby *lobby)
{
	const struct oddity none = {0};

	open_lobby(lobby, &none);
}

void lobby_open_beside(struct lobby *lobby, struct vault *vault, struct peers *peers)
{
	const struct oddity oddity = {.vault = vault, .peers = peers};

	open_lobby(lobby, &oddity);
}

void lobby_open_shared(struct lobby *lobby, struct vault *vault)
{
	const struct oddity oddity = {.vault = vault, .shared = true};

	open_lobby(lobby, &oddity);
}

void lobby_own(struct lobby *lobby, uint32_t n, uint32_t first, uint32_t count)
{
	struct shards wanted = {.n = n};
	enum err err;

	for (uint32_t i = 0; i < count; i++)
		shards_add(&wanted, first + i);
	err = engine_own(lobby->engine, &wanted);
	assert(!err);
	lobby_turn(lobby);
}

void lobby_open_narrow(struct lobby *lobby)
{
	const struct oddity narrow = {.send_bytes = 64 * 1024};

	open_lobby(lobby, &narrow);
}

void lobby_close(struct lobby *lobby)
{
	gateway_close(lobby->gateway);
	curl_multi_cleanup(lobby->curl);
	engine_close(lobby->engine);
	bus_close(lobby->bus);
	store_close(lobby->store);
	port_close(lobby->desk);
	post_free(lobby->post);
	if (!lobby->vault_lent)
		vault_free(lobby->vault);
	arena_release(&lobby->arena);
}

/* --- the loop --------------------------------------------------------------------- */

static void note_done(struct lobby *lobby)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(lobby->curl, &left)) != NULL) {
		struct visitor *visitor;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &visitor);
		visitor->done = true;
		visitor->failed = message->data.result != CURLE_OK;
		curl_easy_getinfo(visitor->curl, CURLINFO_RESPONSE_CODE, &visitor->status);
	}
}

static void turn_alone(struct lobby *lobby)
{
	int running;
	size_t n;

	curl_multi_perform(lobby->curl, &running);
	if (lobby->gateway)
		gateway_pump(lobby->gateway);
	/* What the store says is the test's business. */
	if (!lobby->frozen)
		(void)!engine_turn(lobby->engine, &n);
	if (lobby->gateway)
		gateway_pump(lobby->gateway);
	curl_multi_perform(lobby->curl, &running);
	note_done(lobby);
}

void lobby_turn(struct lobby *lobby)
{
	turn_alone(lobby);
	if (lobby->beside)
		turn_alone(lobby->beside);
}

void lobby_advance(struct lobby *lobby, int64_t ms)
{
	clock_sim_advance(&lobby->clock, ms);
	for (int i = 0; i < 3; i++)
		lobby_turn(lobby);
}

static int64_t real_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

void lobby_pass(struct lobby *lobby, unsigned speed)
{
	enum { AT_ONCE_MS = 100 }; /* whoever was not scheduled does not pay for it */
	int64_t now_ms = real_ms(), ms = (now_ms - lobby->passed_ms) * speed;

	lobby->passed_ms = now_ms;
	clock_sim_advance(&lobby->clock, ms < AT_ONCE_MS ? ms : AT_ONCE_MS);
	if (lobby->beside)
		clock_sim_advance(&lobby->beside->clock, ms < AT_ONCE_MS ? ms : AT_ONCE_MS);
	lobby_turn(lobby);
}

/* --- visitors --------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t n, void *context)
{
	struct visitor *visitor = context;

	bytes_append(&visitor->body, (struct slice){data, size * n});
	return visitor->body.err ? 0 : size * n;
}

static size_t take_head(char *data, size_t size, size_t n, void *context)
{
	struct visitor *visitor = context;

	bytes_append(&visitor->head, (struct slice){data, size * n});
	return visitor->head.err ? 0 : size * n;
}

static void set_body(struct visitor *visitor, const struct lobby_request *request)
{
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(visitor->curl, CURLOPT_NOBODY, 1L);
	else if (strcmp(request->method, "GET") != 0)
		curl_easy_setopt(visitor->curl, CURLOPT_CUSTOMREQUEST, request->method);
	if (strcmp(request->method, "POST") != 0 && !request->body.len)
		return;
	curl_easy_setopt(visitor->curl, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)request->body.len);
	curl_easy_setopt(visitor->curl, CURLOPT_COPYPOSTFIELDS,
			 request->body.len ? request->body.at : "");
	curl_easy_setopt(visitor->curl, CURLOPT_CUSTOMREQUEST, request->method);
}

void visitor_begin(struct visitor *visitor, struct lobby *lobby,
		   const struct lobby_request *request)
{
	char url[URL_MAX];

	*visitor = (struct visitor){.lobby = lobby,
				    .curl = curl_easy_init(),
				    .head = BYTES(SIZE_MAX / 2, NULL),
				    .body = BYTES(SIZE_MAX / 2, NULL)};
	assert(visitor->curl);
	snprintf(url, sizeof url, "%s%s", lobby->url, request->path);
	visitor->headers = curl_slist_append(NULL, "Expect:");
	for (size_t i = 0; i < LOBBY_HEADERS_MAX && request->headers[i]; i++)
		visitor->headers = curl_slist_append(visitor->headers, request->headers[i]);
	curl_easy_setopt(visitor->curl, CURLOPT_URL, url);
	curl_easy_setopt(visitor->curl, CURLOPT_HTTPHEADER, visitor->headers);
	curl_easy_setopt(visitor->curl, CURLOPT_PRIVATE, visitor);
	curl_easy_setopt(visitor->curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(visitor->curl, CURLOPT_WRITEDATA, visitor);
	curl_easy_setopt(visitor->curl, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(visitor->curl, CURLOPT_HEADERDATA, visitor);
	curl_easy_setopt(visitor->curl, CURLOPT_PROXY, "");
	set_body(visitor, request);
	curl_multi_add_handle(lobby->curl, visitor->curl);
}

/* From *at on, which moves to where it is or may begin yet. */
static bool find(const struct visitor *visitor, const char *text, size_t *at)
{
	size_t len = strlen(text);

	for (; *at + len <= visitor->body.len; ++*at) {
		const char *found = visitor->body.at + *at;

		if (*found == *text && memcmp(found, text, len) == 0)
			return true;
	}
	return false;
}

bool visitor_has(const struct visitor *visitor, const char *text)
{
	size_t at = 0;

	return find(visitor, text, &at);
}

void visitor_finish(struct visitor *visitor)
{
	int64_t end_ms = real_ms() + PATIENCE_MS;

	while (!visitor->done) {
		lobby_turn(visitor->lobby);
		assert(real_ms() < end_ms);
	}
}

void visitor_until(struct visitor *visitor, const char *text)
{
	int64_t end_ms = real_ms() + PATIENCE_MS;
	size_t at = 0;

	while (!find(visitor, text, &at)) {
		lobby_turn(visitor->lobby);
		assert(real_ms() < end_ms);
	}
}

void visitor_end(struct visitor *visitor)
{
	curl_multi_remove_handle(visitor->lobby->curl, visitor->curl);
	curl_easy_cleanup(visitor->curl);
	curl_slist_free_all(visitor->headers);
	bytes_release(&visitor->head);
	bytes_release(&visitor->body);
}

static struct slice keep(struct lobby *lobby, const struct bytes *text)
{
	struct slice copy = SLICE_LITERAL("");
	bool copied = arena_copy(&lobby->arena, bytes_slice(text), &copy);

	assert(copied);
	return copy;
}

struct lobby_answer lobby_ask_with(struct lobby *lobby, const struct lobby_request *request)
{
	struct visitor visitor;
	struct lobby_answer answer;

	visitor_begin(&visitor, lobby, request);
	visitor_finish(&visitor);
	answer = (struct lobby_answer){visitor.status, keep(lobby, &visitor.head),
				       keep(lobby, &visitor.body)};
	visitor_end(&visitor);
	return answer;
}

struct lobby_answer lobby_ask(struct lobby *lobby, const char *method, const char *path,
			      const char *body)
{
	const struct lobby_request request = {method, path, slice_of(body), {NULL}};

	return lobby_ask_with(lobby, &request);
}

/* --- the desk --------------------------------------------------------------------- */

void lobby_start(struct lobby *lobby, const char *id, const char *no)
{
	char body[512];
	struct lobby_answer answer;

	snprintf(body, sizeof body,
		 "{\"saga\":\"visit\",\"id\":\"%s\",\"input\":{\"no\":\"%s\"}}", id, no);
	answer = lobby_ask(lobby, "POST", "/v1/sagas", body);
	assert(answer.status == 201);
}

void lobby_serve(struct lobby *lobby, enum message_outcome outcome)
{
	struct command_message command;

	lobby_turn(lobby);
	while (port_poll(lobby->desk, &command)) {
		char output[128];
		struct reply_message reply = {
			.id = command.id, .attempt = command.attempt, .outcome = outcome};
		enum err err;

		snprintf(output, sizeof output, "{\"seat\":\"%.*s\"}",
			 SLICE_ARG(command.saga_id));
		if (outcome == MESSAGE_OK)
			reply.output = slice_of(output);
		else
			reply.code = SLICE_LITERAL("no");
		err = port_reply(lobby->desk, &reply);
		assert(!err);
	}
	lobby_turn(lobby);
}

void lobby_complete(struct lobby *lobby, const char *id)
{
	char path[128];

	snprintf(path, sizeof path, "/v1/sagas/%s/signals/talked", id);
	lobby_serve(lobby, MESSAGE_OK);
	lobby_ask(lobby, "POST", path, "");
	for (int i = 0; i < 3; i++)
		lobby_serve(lobby, MESSAGE_OK);
}

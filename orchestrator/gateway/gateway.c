/* gateway.c - between libmicrohttpd and the handlers of the routes. */
#include "orchestrator/gateway/gateway.h"

#include "base/fault_point.h"
#include "base/problems.h"
#include "orchestrator/gateway/forward.h"
#include "orchestrator/gateway/hear.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"
#include "orchestrator/gateway/tell.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Of a body that is too large this much is read and dropped, so that whoever sends
 * it gets to read why it was refused. */
enum { DROPPED_MAX = 4 * GATEWAY_BATCH_MAX };

/* --- who may ---------------------------------------------------------------------- */

static struct slice header(const struct request *request, const char *name)
{
	return slice_of(request_header(request, name));
}

/* "http://host:port" is the place itself where the host is the one that was asked. */
static bool same_origin(struct slice origin, struct slice host)
{
	const char *names[] = {"http://", "https://"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t len = strlen(names[i]);

		if (origin.len == len + host.len && memcmp(origin.at, names[i], len) == 0 &&
		    memcmp(origin.at + len, host.at, host.len) == 0)
			return true;
	}
	return false;
}

/* The one place that decides who asks and whether they may. Whoever reaches the
 * socket may do everything: who it is, is what they say. A page of another place
 * in somebody's browser is turned away. False: the request was answered. */
static bool admit(struct request *request)
{
	enum { ACTOR_MAX = 64 };
	struct slice origin = header(request, "Origin");

	if (origin.len && !same_origin(origin, header(request, "Host"))) {
		request_fail(request, MHD_HTTP_FORBIDDEN, "other-origin",
			     "pages of another place may not ask this server");
		return false;
	}
	request->actor = utf8_cut(header(request, "Skald-Actor"), ACTOR_MAX);
	if (!request->actor.len)
		request->actor = SLICE_LITERAL("anonymous");
	request->forwarded = header(request, FORWARDED_HEADER).len != 0;
	return true;
}

/* --- what is asked ---------------------------------------------------------------- */

struct query_check {
	const struct route *route;
	const char *unknown; /* borrowed from MHD */
	const char *meant;
};

static enum MHD_Result check_parameter(void *context, enum MHD_ValueKind kind, const char *name,
				       const char *value)
{
	struct query_check *check = context;
	size_t n = 0;

	for (; check->route->query[n]; n++) {
		if (strcmp(name, check->route->query[n]) == 0)
			return MHD_YES;
	}
	check->unknown = name;
	check->meant = suggest(slice_of(name), check->route->query, n);
	return MHD_NO;
}

static bool check_query(struct request *request)
{
	struct query_check check = {.route = request->route};

	MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, check_parameter,
				  &check);
	if (!check.unknown)
		return true;
	if (check.meant)
		request_fail(request, MHD_HTTP_BAD_REQUEST, "bad-request",
			     "unknown parameter `%.63s`; did you mean `%s`?", check.unknown,
			     check.meant);
	else
		request_fail(request, MHD_HTTP_BAD_REQUEST, "bad-request",
			     "unknown parameter `%.63s`; leave it out", check.unknown);
	return false;
}

static bool find_route(struct request *request, const char *method, const char *path)
{
	struct slice copy;

	if (!arena_copy(&request->arena, slice_of(path), &copy)) {
		request_fail_err(request, ERR_NOMEM);
		return false;
	}
	request->path = copy;
	request->route =
		route_find(method, copy, &request->arena, request->parameters, &request->allow);
	if (request->route)
		return true;
	copy = utf8_cut(copy, 200);
	if (request->allow)
		request_fail(request, MHD_HTTP_METHOD_NOT_ALLOWED, "method-not-allowed",
			     "%.*s knows no %.20s; it has %s", SLICE_ARG(copy), method,
			     request->allow);
	else
		request_fail(request, MHD_HTTP_NOT_FOUND, "unknown-route",
			     "there is nothing at %.*s; /openapi.json lists what there is",
			     SLICE_ARG(copy));
	return false;
}

/* --- the life of a request -------------------------------------------------------- */

static struct request *request_new(struct gateway *gateway, struct MHD_Connection *connection,
				   const char *method, const char *path)
{
	struct request *request = calloc(1, sizeof *request);

	if (!request)
		return NULL;
	*request = (struct request){
		.gateway = gateway,
		.connection = connection,
		.since_ms = clock_monotonic_ms(gateway->parts.clock),
		.out = BYTES(ANSWER_MAX, NULL),
	};
	gateway->n_requests++;
	if (admit(request) && find_route(request, method, path))
		check_query(request);
	request->body = BYTES(request->route ? request->route->body_max : 0, NULL);
	return request;
}

static void take_body(struct request *request, struct slice part)
{
	size_t max = request->body.max;

	if (request->status)
		return;
	bytes_append(&request->body, part);
	if (!request->body.err)
		return;
	if (request->body.err == ERR_NOMEM)
		request_fail_err(request, ERR_NOMEM);
	else if (max == 0)
		request_fail(request, MHD_HTTP_BAD_REQUEST, "bad-request",
			     "this request takes no body");
	else
		request_fail(request, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
			     "the body is over %zu KiB; send less, or in several requests",
			     max / 1024);
	bytes_release(&request->body);
}

/* The engine and whoever looks after time know that the request waits. */
static void wait_for_answer(struct request *request)
{
	struct gateway *gateway = request->gateway;

	if (gateway->waiting_last)
		gateway->waiting_last->next = request;
	else
		gateway->waiting = request;
	gateway->waiting_last = request;
	request->suspended = true;
	MHD_suspend_connection(request->connection);
}

static void stop_waiting(struct request *request)
{
	struct gateway *gateway = request->gateway;
	struct request **at = &gateway->waiting, *before = NULL;

	while (*at != request) {
		before = *at;
		at = &before->next;
	}
	*at = request->next;
	if (gateway->waiting_last == request)
		gateway->waiting_last = before;
	request->next = NULL;
}

void gateway_resume(struct request *request)
{
	assert(request->suspended);
	stop_waiting(request);
	request->suspended = false;
	MHD_resume_connection(request->connection);
}

static void add_headers(struct MHD_Response *response, const struct request *request)
{
	char seconds[24];

	/* A failure leaves one out, which nobody has to know. */
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, request->type);
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (request->allow)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, request->allow);
	if (request->status != MHD_HTTP_SERVICE_UNAVAILABLE)
		return;
	snprintf(seconds, sizeof seconds, "%" PRId64,
		 request->retry_after_s > 0 ? request->retry_after_s : 1);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
}

static enum MHD_Result send_answer(struct request *request)
{
	struct bytes *out = &request->out;
	struct MHD_Response *response = MHD_create_response_from_buffer(
		out->len, out->at, out->len ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	if (out->len) /* it is the response's now */
		*out = BYTES(ANSWER_MAX, NULL);
	FAULT_POINT("gateway.before-answer");
	request->gateway->answered[request->status / 100]++;
	add_headers(response, request);
	result = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response);
	return result;
}

static void handle(struct request *request)
{
	FAULT_POINT("gateway.asked");
	request->begun = true;
	if (request->gateway->stopping && request->forwarded)
		forward_refuse(request);
	else if (request->gateway->stopping)
		request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping",
			     "the server stops; ask again when it is back");
	else
		request->route->handle(request);
}

/* --- what libmicrohttpd calls ----------------------------------------------------- */

/* More than anybody may send: answer before it comes. */
static bool announces_too_much(const struct request *request)
{
	const char *length = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);

	return length && strtoull(length, NULL, 10) > DROPPED_MAX;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
				  const char *path, const char *method, const char *version,
				  const char *upload, size_t *upload_size, void **state)
{
	struct request *request = *state;

	if (!request) {
		request = request_new(context, connection, method, path);
		if (!request)
			return MHD_NO;
		*state = request;
		if (!announces_too_much(request))
			return MHD_YES;
		if (!request->status)
			request_fail(request, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
				     "the body is over %zu KiB; send less, or in several "
				     "requests",
				     request->body.max / 1024);
		return send_answer(request);
	}
	if (*upload_size) {
		take_body(request, (struct slice){upload, *upload_size});
		*upload_size = 0;
		return MHD_YES;
	}
	if (!request->status && !request->begun)
		handle(request);
	if (request->status)
		return request->type ? send_answer(request) : MHD_YES;
	wait_for_answer(request);
	return MHD_YES;
}

static void forget(struct request *request)
{
	struct gateway *gateway = request->gateway;

	if (request->asked)
		engine_forget(gateway->parts.engine, request);
	request->asked = false;
	if (request->forward)
		forward_forget(request->forward);
	request->forward = NULL;
	if (request->relay)
		watch_forget(request->relay);
	request->relay = NULL;
	if (request->telling)
		tell_forget(request);
	if (request->batch)
		batch_forget(request);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct request *request = *state;

	if (!request)
		return;
	FAULT_POINT("gateway.answered");
	if (request->suspended)
		stop_waiting(request);
	forget(request);
	request->gateway->n_requests--;
	bytes_release(&request->body);
	bytes_release(&request->out);
	arena_release(&request->arena);
	free(request);
	*state = NULL;
}

static void on_log(void *context, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void on_log(void *context, const char *format, va_list args)
{
	const struct gateway *gateway = context;
	struct log_line line;
	char text[DIAG_MAX];
	int len = vsnprintf(text, sizeof text, format, args);

	/* What it says ends a line by itself. */
	while (len > 0 && len < (int)sizeof text && text[len - 1] == '\n')
		text[--len] = '\0';
	log_begin(&line, gateway->parts.log, LOG_LEVEL_DEBUG, "http");
	log_text(&line, "text", slice_of(text));
	log_end(&line);
}

/* --- opening and closing ---------------------------------------------------------- */

static enum err watch_fd(struct gateway *gateway, int fd, struct diag *diag)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (epoll_ctl(gateway->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return OK;
	return diag_set(diag, ERR_IO, "cannot wait for requests: %s", strerror(errno));
}

static enum err start_daemon(struct gateway *gateway, struct diag *diag)
{
	const union MHD_DaemonInfo *info;

	gateway->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_request, gateway, MHD_OPTION_EXTERNAL_LOGGER, on_log, gateway,
		MHD_OPTION_LISTEN_SOCKET, gateway->parts.listen_fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)GATEWAY_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)GATEWAY_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)GATEWAY_HEADERS_MAX, MHD_OPTION_NOTIFY_COMPLETED, on_completed, gateway,
		MHD_OPTION_END);
	if (!gateway->daemon)
		return diag_set(diag, ERR_UNAVAILABLE, "the HTTP side cannot be started");
	info = MHD_get_daemon_info(gateway->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return diag_set(diag, ERR_UNAVAILABLE,
				"libmicrohttpd was built without epoll, which is needed");
	return watch_fd(gateway, info->epoll_fd, diag);
}

static enum err start_calls(struct gateway *gateway, struct diag *diag)
{
	if (!gateway->parts.peers)
		return OK;
	gateway->calls = calls_new(gateway->parts.clock);
	if (!gateway->calls)
		return diag_set(diag, ERR_NOMEM, "out of memory");
	return watch_fd(gateway, calls_fd(gateway->calls), diag);
}

enum err gateway_open(const struct gateway_parts *parts, struct gateway **out,
		      struct diag *diag)
{
	struct gateway *gateway = calloc(1, sizeof *gateway);
	enum err err;

	if (!gateway) {
		close(parts->listen_fd);
		return diag_set(diag, ERR_NOMEM, "out of memory");
	}
	gateway->parts = *parts;
	gateway->forwards_end = &gateway->forwards;
	gateway->heartbeat_ms = clock_monotonic_ms(parts->clock);
	gateway->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	err = gateway->epoll_fd < 0
		      ? diag_set(diag, ERR_IO, "cannot wait for requests: %s", strerror(errno))
		      : start_daemon(gateway, diag);
	if (!err)
		err = start_calls(gateway, diag);
	if (err) {
		if (!gateway->daemon)
			close(parts->listen_fd);
		gateway_close(gateway);
		return err;
	}
	engine_observe(parts->engine, watch_observed, gateway);
	*out = gateway;
	return OK;
}

void gateway_stop(struct gateway *gateway)
{
	int fd;

	if (gateway->stopping)
		return;
	gateway->stopping = true;
	gateway->trouble = "the server stops";
	fd = MHD_quiesce_daemon(gateway->daemon);
	if (fd >= 0)
		close(fd);
	watch_stop(gateway);
	hear_stop(gateway);
	inspections_stop(gateway);
}

void gateway_close(struct gateway *gateway)
{
	if (!gateway)
		return;
	if (gateway->daemon) {
		gateway_stop(gateway);
		while (gateway->waiting) {
			struct request *request = gateway->waiting;

			forget(request);
			request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping",
				     "the server stops, and it is not known whether this was "
				     "stored; ask again with the same key or id");
		}
		gateway_pump(gateway);
		MHD_stop_daemon(gateway->daemon);
	}
	hear_stop(gateway);
	calls_free(gateway->calls);
	if (gateway->epoll_fd >= 0)
		close(gateway->epoll_fd);
	engine_observe(gateway->parts.engine, NULL, NULL);
	free(gateway);
}

/* --- the loop --------------------------------------------------------------------- */

int gateway_fd(const struct gateway *gateway)
{
	return gateway->epoll_fd;
}

/* A commit that does not come: better an answer than none. */
static void give_up_waiting(struct gateway *gateway, int64_t now_ms)
{
	while (gateway->waiting && now_ms - gateway->waiting->since_ms >= GATEWAY_PATIENCE_MS) {
		struct request *request = gateway->waiting;

		forget(request);
		request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "not-stored",
			     "the store did not take this within %d s; it may still do so: ask "
			     "again with the same key or id",
			     GATEWAY_PATIENCE_MS / 1000);
	}
}

static void continue_batches(struct gateway *gateway)
{
	struct request *next;

	for (struct request *request = gateway->waiting; request; request = next) {
		next = request->next;
		if (request->batch)
			batch_continue(request);
	}
}

/* One run moves one block of each stream, and a turn of the engine makes many: who
 * reads is not to fall behind. A stream that does not move costs no run. */
static void run_daemon(struct gateway *gateway)
{
	enum { RUNS_MAX = 100 };
	uint64_t before;
	int n = 0;

	do {
		before = gateway->watched_bytes;
		MHD_run(gateway->daemon);
	} while (gateway->watched_bytes != before && ++n < RUNS_MAX);
}

bool gateway_pump(struct gateway *gateway)
{
	int64_t now_ms = clock_monotonic_ms(gateway->parts.clock);

	gateway->submitted = false;
	give_up_waiting(gateway, now_ms);
	if (now_ms - gateway->heartbeat_ms >= GATEWAY_HEARTBEAT_MS) {
		gateway->heartbeat_ms = now_ms;
		watch_heartbeat(gateway);
		inspections_heartbeat(gateway);
	}
	if (gateway->calls && now_ms - gateway->owners_ms >= HEAR_AGAIN_MS) {
		gateway->owners_ms = now_ms;
		watch_owners(gateway);
		hear_look(gateway);
	}
	continue_batches(gateway);
	inspections_pump(gateway);
	forwards_pump(gateway);
	run_daemon(gateway);
	return gateway->submitted || gateway->inspected;
}

int64_t gateway_wake_ms(const struct gateway *gateway)
{
	int64_t now_ms = clock_monotonic_ms(gateway->parts.clock);
	int64_t wake_ms = INT64_MAX;
	MHD_UNSIGNED_LONG_LONG timeout;

	if (MHD_get_timeout(gateway->daemon, &timeout) == MHD_YES)
		wake_ms = now_ms + (int64_t)timeout;
	if (gateway->waiting && gateway->waiting->since_ms + GATEWAY_PATIENCE_MS < wake_ms)
		wake_ms = gateway->waiting->since_ms + GATEWAY_PATIENCE_MS;
	if (inspections_wake_ms(gateway) < wake_ms)
		wake_ms = inspections_wake_ms(gateway);
	if (forwards_wake_ms(gateway) < wake_ms)
		wake_ms = forwards_wake_ms(gateway);
	if ((gateway->ears || (gateway->calls && gateway->watchers)) &&
	    gateway->owners_ms + HEAR_AGAIN_MS < wake_ms)
		wake_ms = gateway->owners_ms + HEAR_AGAIN_MS;
	if ((gateway->watchers || gateway->inspections) &&
	    gateway->heartbeat_ms + GATEWAY_HEARTBEAT_MS < wake_ms)
		wake_ms = gateway->heartbeat_ms + GATEWAY_HEARTBEAT_MS;
	return wake_ms;
}

void gateway_set_trouble(struct gateway *gateway, const char *trouble)
{
	gateway->trouble = gateway->stopping ? gateway->trouble : trouble;
}

size_t gateway_requests(const struct gateway *gateway)
{
	return gateway->n_requests;
}

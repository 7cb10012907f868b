#include "orchestrator/gateway/calls.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	CONNECT_MS = 3000,
	CONNECTIONS_KEPT = 16, /* open and idle, to all of them */
};

struct calls {
	const struct clock *clock;
	CURLM *multi;
	int epoll_fd;
	struct call *first;
};

struct call {
	struct calls *calls;
	struct call *next;
	CURL *curl;
	struct curl_slist *headers;
	struct bytes body;
	int64_t heard_ms; /* monotonic: something came, or it began */
	int64_t quiet_ms;
	bool paused;
	const struct call_events *events;
	void *context;
	char why[CURL_ERROR_SIZE];
};

/* --- what libcurl calls ----------------------------------------------------------- */

/* libcurl keeps `known` with the socket: not NULL once it is watched. */
static int watch_socket(CURL *curl, curl_socket_t fd, int what, void *context, void *known)
{
	struct calls *calls = context;
	struct epoll_event event = {.data.fd = fd};

	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(calls->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) |
		       (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
	if (epoll_ctl(calls->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
		return -1;
	curl_multi_assign(calls->multi, fd, calls);
	return 0;
}

static bool is_stream(const struct call *call)
{
	long status = 0;

	curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
	return call->events->take && status == 200;
}

static size_t take_part(char *data, size_t size, size_t n, void *context)
{
	struct call *call = context;
	struct slice part = {data, size * n};

	call->heard_ms = clock_monotonic_ms(call->calls->clock);
	if (!is_stream(call)) {
		bytes_append(&call->body, part);
		return call->body.err ? 0 : part.len;
	}
	call->paused = false;
	switch (call->events->take(call->context, part)) {
	case CALL_TAKEN: return part.len;
	case CALL_ENOUGH: return 0;
	case CALL_FULL: break;
	}
	call->paused = true;
	return CURL_WRITEFUNC_PAUSE;
}

/* --- one call --------------------------------------------------------------------- */

static bool add_header(struct call *call, const char *name, const char *value)
{
	struct bytes line = BYTES(64 * 1024, NULL);
	struct curl_slist *longer = NULL;

	bytes_text(&line, name);
	bytes_text(&line, ": ");
	bytes_text(&line, value);
	bytes_add(&line, '\0');
	if (!line.err)
		longer = curl_slist_append(call->headers, line.at);
	bytes_release(&line);
	if (longer)
		call->headers = longer;
	return longer != NULL;
}

static bool set_headers(struct call *call, const struct call_setup *setup)
{
	struct curl_slist *first = curl_slist_append(NULL, "Expect:");

	call->headers = first;
	if (!first)
		return false;
	for (size_t i = 0; i < setup->n_headers; i++) {
		const struct call_header *header = &setup->headers[i];

		if (header->value && !add_header(call, header->name, header->value))
			return false;
	}
	return curl_easy_setopt(call->curl, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK;
}

static bool set_body(struct call *call, const struct call_setup *setup)
{
	bool posts = strcmp(setup->method, "POST") == 0;

	if ((posts || setup->body.len) &&
	    (curl_easy_setopt(call->curl, CURLOPT_POSTFIELDSIZE_LARGE,
			      (curl_off_t)setup->body.len) != CURLE_OK ||
	     curl_easy_setopt(call->curl, CURLOPT_POSTFIELDS,
			      setup->body.len ? setup->body.at : "") != CURLE_OK))
		return false;
	return curl_easy_setopt(call->curl, CURLOPT_CUSTOMREQUEST, setup->method) == CURLE_OK;
}

/* On a connection that was kept libcurl sends a request again where no byte of the
 * answer came, although the other one may have acted on it: what must not arrive
 * twice gets a connection of its own. */
static bool set_manners(struct call *call, bool once)
{
	CURL *curl = call->curl;

	return curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) ==
		       CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, once ? 1L : 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->why) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PRIVATE, call) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_part) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, call) == CURLE_OK;
}

static void free_call(struct call *call)
{
	curl_easy_cleanup(call->curl);
	curl_slist_free_all(call->headers);
	bytes_release(&call->body);
	free(call);
}

struct call *call_begin(struct calls *calls, const struct call_setup *setup)
{
	struct call *call = calloc(1, sizeof *call);

	if (!call)
		return NULL;
	*call = (struct call){.calls = calls,
			      .curl = curl_easy_init(),
			      .body = BYTES(setup->answer_max, NULL),
			      .heard_ms = clock_monotonic_ms(calls->clock),
			      .quiet_ms = setup->quiet_ms,
			      .events = setup->events,
			      .context = setup->context};
	if (!call->curl || curl_easy_setopt(call->curl, CURLOPT_URL, setup->url) != CURLE_OK ||
	    !set_manners(call, setup->once) || !set_headers(call, setup) ||
	    !set_body(call, setup) ||
	    curl_multi_add_handle(calls->multi, call->curl) != CURLM_OK) {
		free_call(call);
		return NULL;
	}
	call->next = calls->first;
	calls->first = call;
	return call;
}

static void unlink_call(struct call *call)
{
	struct call **at = &call->calls->first;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	curl_multi_remove_handle(call->calls->multi, call->curl);
}

void call_forget(struct call *call)
{
	unlink_call(call);
	free_call(call);
}

void call_hand_over(struct call *call, int64_t quiet_ms, const struct call_events *events,
		    void *context)
{
	call->quiet_ms = quiet_ms;
	call->events = events;
	call->context = context;
}

void call_resume(struct call *call)
{
	if (!call->paused)
		return;
	call->paused = false;
	call->heard_ms = clock_monotonic_ms(call->calls->clock);
	curl_easy_pause(call->curl, CURLPAUSE_CONT);
}

/* --- the end of a call ------------------------------------------------------------ */

static void end_call(struct call *call, bool answered, const char *why)
{
	struct call_end end = {.answered = answered, .body = &call->body, .why = why};
	curl_off_t retry_after_s = 0;
	long status = 0, sent = 0;

	curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(call->curl, CURLINFO_REQUEST_SIZE, &sent);
	curl_easy_getinfo(call->curl, CURLINFO_RETRY_AFTER, &retry_after_s);
	curl_easy_getinfo(call->curl, CURLINFO_CONTENT_TYPE, &end.type);
	end.status = (unsigned)status;
	end.sent = sent > 0;
	end.retry_after_s = retry_after_s;
	unlink_call(call);
	call->events->ended(call->context, &end);
	free_call(call);
}

static void end_with(struct call *call, CURLcode result)
{
	const char *why = call->why[0] ? call->why : curl_easy_strerror(result);

	if (call->body.err == ERR_TOO_LARGE)
		why = "its answer is too large";
	end_call(call, result == CURLE_OK, result == CURLE_OK ? NULL : why);
}

static void end_finished(struct calls *calls)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(calls->multi, &left)) != NULL) {
		CURLcode result = message->data.result;
		char *call;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		end_with((struct call *)(void *)call, result);
	}
}

static int64_t end_ms(const struct call *call)
{
	return call->paused ? INT64_MAX : call->heard_ms + call->quiet_ms;
}

/* An end may begin or forget others: look from the front each time. */
static void end_quiet(struct calls *calls)
{
	int64_t now_ms = clock_monotonic_ms(calls->clock);
	struct call *call = calls->first;

	while (call) {
		if (now_ms < end_ms(call)) {
			call = call->next;
			continue;
		}
		end_call(call, false, "it does not answer");
		call = calls->first;
	}
}

/* --- all of them ------------------------------------------------------------------ */

struct calls *calls_new(const struct clock *clock)
{
	struct calls *calls = calloc(1, sizeof *calls);

	if (!calls)
		return NULL;
	*calls = (struct calls){.clock = clock,
				.multi = curl_multi_init(),
				.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	if (!calls->multi || calls->epoll_fd < 0 ||
	    curl_multi_setopt(calls->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) !=
		    CURLM_OK ||
	    curl_multi_setopt(calls->multi, CURLMOPT_SOCKETDATA, calls) != CURLM_OK ||
	    curl_multi_setopt(calls->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT) !=
		    CURLM_OK) {
		calls_free(calls);
		return NULL;
	}
	return calls;
}

void calls_free(struct calls *calls)
{
	if (!calls)
		return;
	while (calls->first)
		call_forget(calls->first);
	curl_multi_cleanup(calls->multi);
	if (calls->epoll_fd >= 0)
		close(calls->epoll_fd);
	free(calls);
}

int calls_fd(const struct calls *calls)
{
	return calls->epoll_fd;
}

void calls_pump(struct calls *calls)
{
	enum { EVENTS = 64 };
	struct epoll_event events[EVENTS];
	int running, n;

	if (!calls->first)
		return;
	n = epoll_wait(calls->epoll_fd, events, EVENTS, 0);
	for (int i = 0; i < n; i++) {
		int ready = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
			    (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			    (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

		curl_multi_socket_action(calls->multi, events[i].data.fd, ready, &running);
	}
	curl_multi_socket_action(calls->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	end_finished(calls);
	end_quiet(calls);
}

int64_t calls_wake_ms(const struct calls *calls)
{
	int64_t wake_ms = INT64_MAX;
	long timeout_ms = -1;

	if (!calls->first)
		return INT64_MAX;
	for (const struct call *call = calls->first; call; call = call->next)
		if (end_ms(call) < wake_ms)
			wake_ms = end_ms(call);
	curl_multi_timeout(calls->multi, &timeout_ms);
	if (timeout_ms >= 0 && clock_monotonic_ms(calls->clock) + timeout_ms < wake_ms)
		wake_ms = clock_monotonic_ms(calls->clock) + timeout_ms;
	return wake_ms;
}

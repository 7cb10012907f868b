#include "orchestrator/gateway/forward.h"

#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct forward {
	struct gateway *gateway;
	struct forward *next;
	struct forward_setup setup;
	char saga_id[SAGA_ID_MAX + 1];
	char url[PEER_URL_MAX + 1]; /* of the one that was tried last */
	struct call *call;          /* NULL: it waits for its next try */
	int64_t try_ms;             /* monotonic: when */
	int64_t end_ms;             /* monotonic: it is not tried again from then on */
	char why[2 * DIAG_MAX];     /* the last try failed */
};

/* --- where to --------------------------------------------------------------------- */

static void find_owner(const struct gateway *gateway, struct slice saga_id, struct whose *out)
{
	*out = (struct whose){.owned = OWNED_HERE};
	if (gateway->parts.peers)
		peers_find(gateway->parts.peers, saga_id, out);
}

/* What is no id is refused here. */
bool forward_is_due(const struct gateway *gateway, struct slice saga_id)
{
	struct whose owner;

	if (saga_id.len && !saga_id_valid(saga_id))
		return false;
	find_owner(gateway, saga_id, &owner);
	return owner.owned != OWNED_HERE;
}

size_t forward_headers(const struct request *request, const char *type,
		       struct call_header headers[FORWARD_HEADERS])
{
	static const char *const passed[] = {"Content-Type", "Authorization", "Skald-Actor",
					     "traceparent", "tracestate"};
	size_t n = 0;

	for (; n < sizeof passed / sizeof *passed; n++)
		headers[n] =
			(struct call_header){passed[n], request_header(request, passed[n])};
	if (type)
		headers[0].value = type;
	headers[n++] = (struct call_header){FORWARDED_HEADER, "1"};
	assert(n == FORWARD_HEADERS);
	return n;
}

/* --- its life --------------------------------------------------------------------- */

static void unlink_forward(struct forward *forward)
{
	struct forward **at = &forward->gateway->forwards;

	while (*at != forward)
		at = &(*at)->next;
	*at = forward->next;
	if (forward->gateway->forwards_end == &forward->next)
		forward->gateway->forwards_end = at;
	forward->gateway->n_forwards--;
}

void forward_forget(struct forward *forward)
{
	unlink_forward(forward);
	if (forward->call) {
		call_forget(forward->call);
		forward->gateway->n_calls--;
	}
	free(forward);
}

static void fail(struct forward *forward, unsigned status, const char *code)
{
	unlink_forward(forward);
	forward->gateway->forwards_failed++;
	forward->setup.events->failed(forward->setup.context, status, code, forward->why);
	free(forward);
}

/* Not now: again soon, with owners that are read anew, as long as that is wanted. */
static void try_later(struct forward *forward)
{
	struct gateway *gateway = forward->gateway;
	int64_t now_ms = clock_monotonic_ms(gateway->parts.clock);

	gateway->stale = true;
	forward->try_ms = now_ms + FORWARD_AGAIN_MS;
	if (forward->try_ms > forward->end_ms)
		fail(forward, MHD_HTTP_SERVICE_UNAVAILABLE, "no-owner");
}

static void on_ended(void *context, const struct call_end *end)
{
	struct forward *forward = context;

	forward->call = NULL;
	forward->gateway->n_calls--;
	if (end->answered && end->status != MHD_HTTP_MISDIRECTED_REQUEST) {
		unlink_forward(forward);
		forward->setup.events->answered(forward->setup.context, end);
		free(forward);
		return;
	}
	if (end->answered) {
		snprintf(forward->why, sizeof forward->why,
			 "the orchestrator at %s does not have its shard any more; ask again "
			 "in a second",
			 forward->url);
	} else if (end->sent && forward->setup.repeat == REPEAT_NEVER) {
		snprintf(forward->why, sizeof forward->why,
			 "this was forwarded to the orchestrator at %s, which did not answer "
			 "(%s); it may have done it: look at the saga before you ask again",
			 forward->url, end->why);
		fail(forward, MHD_HTTP_GATEWAY_TIMEOUT, "not-known");
		return;
	} else {
		snprintf(forward->why, sizeof forward->why,
			 "the orchestrator at %s, which has its shard, cannot be asked (%s); "
			 "ask again in a second",
			 forward->url, end->why);
	}
	try_later(forward);
}

static const struct call_events forward_call = {on_ended, NULL};

static void ignore_end(void *context, const struct call_end *end)
{
}

static enum call_part on_part(void *context, struct slice part)
{
	static const struct call_events ignored = {ignore_end, NULL};
	struct forward *forward = context;
	struct call *call = forward->call;
	bool begun = forward->setup.events->begun(forward->setup.context, call, part);

	if (!begun)
		call_hand_over(call, 0, &ignored, NULL);
	unlink_forward(forward);
	forward->gateway->n_calls--;
	free(forward);
	return begun ? CALL_TAKEN : CALL_ENOUGH;
}

static const struct call_events forward_stream_call = {on_ended, on_part};

static void begin_call(struct forward *forward)
{
	struct gateway *gateway = forward->gateway;
	const struct forward_setup *setup = &forward->setup;
	struct call_header headers[FORWARD_HEADERS];
	struct bytes url = BYTES(128 * 1024, NULL);
	struct call_setup call = {
		.method = setup->method,
		.headers = headers,
		.n_headers = forward_headers(setup->request, setup->type, headers),
		.body = setup->body,
		.answer_max = ANSWER_MAX,
		.quiet_ms = setup->answer_ms,
		.once = setup->repeat == REPEAT_NEVER,
		.events = setup->events->begun ? &forward_stream_call : &forward_call,
		.context = forward,
	};

	bytes_text(&url, forward->url);
	bytes_text(&url, setup->target);
	bytes_add(&url, '\0');
	call.url = url.at;
	forward->call = url.err ? NULL : call_begin(gateway->calls, &call);
	bytes_release(&url);
	if (forward->call) {
		gateway->n_calls++;
		gateway->forwarded++;
		return;
	}
	snprintf(forward->why, sizeof forward->why, "the server is out of memory; ask again");
	try_later(forward);
}

static void try_now(struct forward *forward)
{
	struct whose owner;

	find_owner(forward->gateway, slice_of(forward->saga_id), &owner);
	switch (owner.owned) {
	case OWNED_HERE:
		unlink_forward(forward);
		forward->setup.events->ours(forward->setup.context);
		free(forward);
		return;
	case OWNED_BY_NOBODY:
		snprintf(forward->why, sizeof forward->why,
			 "no orchestrator has the shard of this saga at the moment; ask again "
			 "in a second");
		try_later(forward);
		return;
	case OWNED_ELSEWHERE: break;
	}
	snprintf(forward->url, sizeof forward->url, "%s", owner.url);
	begin_call(forward);
}

struct forward *forward_begin(struct gateway *gateway, const struct forward_setup *setup)
{
	int64_t now_ms = clock_monotonic_ms(gateway->parts.clock);
	struct forward *forward;

	if (gateway->n_forwards >= FORWARDS_MAX)
		return NULL;
	forward = calloc(1, sizeof *forward);
	if (!forward)
		return NULL;
	*forward = (struct forward){.gateway = gateway,
				    .setup = *setup,
				    .try_ms = now_ms,
				    .end_ms = now_ms + setup->try_ms};
	memcpy(forward->saga_id, setup->saga_id.len ? setup->saga_id.at : "",
	       setup->saga_id.len);
	*gateway->forwards_end = forward;
	gateway->forwards_end = &forward->next;
	gateway->n_forwards++;
	return forward;
}

/* --- whole requests --------------------------------------------------------------- */

void forward_refuse(struct request *request)
{
	request->gateway->stale = true;
	request_fail(request, MHD_HTTP_MISDIRECTED_REQUEST, "not-owner",
		     "this was forwarded to here, and this orchestrator does not have the "
		     "saga's shard either; ask again in a second");
}

static void on_answered(void *context, const struct call_end *end)
{
	struct request *request = context;
	struct slice type = SLICE_LITERAL("application/octet-stream");

	request->forward = NULL;
	if (!arena_copy(&request->arena, end->type ? slice_of(end->type) : type, &type)) {
		request_fail_err(request, ERR_NOMEM);
		return;
	}
	bytes_release(&request->out);
	request->out = *end->body;
	*end->body = BYTES(0, NULL);
	request->retry_after_s = end->retry_after_s;
	request_answer(request, end->status, type.at);
}

static void on_failed(void *context, unsigned status, const char *code, const char *text)
{
	struct request *request = context;

	request->forward = NULL;
	request_fail(request, status, code, "%s", text);
}

/* Its handler is called once more. */
static void handle_again(struct request *request)
{
	request->forward = NULL;
	request->begun = false;
	gateway_resume(request);
}

static void on_ours(void *context)
{
	handle_again(context);
}

static void on_no_owner(void *context, unsigned status, const char *code, const char *text)
{
	struct request *request = context;

	request->incomplete = true;
	handle_again(request);
}

static bool on_begun(void *context, struct call *call, struct slice part)
{
	struct request *request = context;

	if (!watch_relay(request, call, part)) {
		request->forward = NULL;
		return false;
	}
	handle_again(request);
	return true;
}

static const struct forward_events request_events = {on_answered, on_failed, on_ours, NULL};
static const struct forward_events read_events = {on_answered, on_no_owner, on_ours, NULL};
static const struct forward_events stream_events = {on_answered, on_failed, on_ours, on_begun};

static void begin(struct request *request, struct forward_setup *setup)
{
	setup->request = request;
	setup->method = request->route->method;
	setup->target = request_target(request);
	setup->body = bytes_slice(&request->body);
	setup->context = request;
	if (setup->target)
		request->forward = forward_begin(request->gateway, setup);
	if (!request->forward)
		request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "busy",
			     "too many requests are for other orchestrators; ask again in a "
			     "second");
}

/* False: it is not for somebody else. */
static bool begin_if_due(struct request *request, struct forward_setup *setup)
{
	if (!forward_is_due(request->gateway, setup->saga_id))
		return false;
	if (request->forwarded)
		forward_refuse(request);
	else
		begin(request, setup);
	return true;
}

static struct forward_setup request_setup(const struct request *request)
{
	return (struct forward_setup){
		.saga_id = request->saga_id,
		.repeat = request->freely ? REPEAT_FREELY : REPEAT_NEVER,
		.try_ms = FORWARD_TRY_MS,
		.answer_ms = FORWARD_ANSWER_MS,
		.events = &request_events,
	};
}

bool forward_request(struct request *request, struct slice saga_id)
{
	struct forward_setup setup;

	request->saga_id = saga_id;
	setup = request_setup(request);
	return begin_if_due(request, &setup);
}

bool forward_read(struct request *request, struct slice saga_id)
{
	struct forward_setup setup = {.saga_id = saga_id,
				      .repeat = REPEAT_FREELY,
				      .try_ms = 2 * FORWARD_AGAIN_MS,
				      .answer_ms = FORWARD_LOOK_MS,
				      .events = &read_events};

	return !request->incomplete && begin_if_due(request, &setup);
}

bool forward_stream(struct request *request, struct slice saga_id)
{
	struct forward_setup setup = {.saga_id = saga_id,
				      .repeat = REPEAT_FREELY,
				      .try_ms = FORWARD_TRY_MS,
				      .answer_ms = FORWARD_ANSWER_MS,
				      .events = &stream_events};

	return begin_if_due(request, &setup);
}

bool answer_moved(const struct answer *answer)
{
	return answer->err && strcmp(answer->code, "moved") == 0;
}

bool forward_moved(struct request *request, const struct answer *answer)
{
	struct gateway *gateway = request->gateway;
	int64_t ago_ms = clock_monotonic_ms(gateway->parts.clock) - request->since_ms;
	bool is_refusal = !request->suspended; /* the handler has not returned */
	struct forward_setup setup = request_setup(request);

	if (!gateway->parts.peers || !answer_moved(answer) || ago_ms > FORWARD_TRY_MS ||
	    (!request->freely && !is_refusal))
		return false;
	gateway->stale = true;
	if (request->forwarded)
		forward_refuse(request);
	else
		begin(request, &setup);
	if (request->forward) /* it may be here again, and not ready */
		request->forward->try_ms += FORWARD_AGAIN_MS;
	return true;
}

/* --- all of them ------------------------------------------------------------------ */

void forwards_pump(struct gateway *gateway)
{
	int64_t now_ms = clock_monotonic_ms(gateway->parts.clock);
	struct forward *next;

	if (!gateway->calls)
		return;
	if (gateway->stale)
		peers_refresh(gateway->parts.peers);
	gateway->stale = false;
	calls_pump(gateway->calls);
	for (struct forward *forward = gateway->forwards; forward; forward = next) {
		next = forward->next;
		if (forward->call || forward->try_ms > now_ms)
			continue;
		if (gateway->n_calls < FORWARDS_AT_ONCE) {
			try_now(forward);
		} else if (forward->end_ms <= now_ms) {
			snprintf(forward->why, sizeof forward->why,
				 "too many requests are for other orchestrators; ask again in "
				 "a second");
			fail(forward, MHD_HTTP_SERVICE_UNAVAILABLE, "busy");
		}
	}
	calls_pump(gateway->calls);
}

int64_t forwards_wake_ms(const struct gateway *gateway)
{
	bool full = gateway->n_calls >= FORWARDS_AT_ONCE;
	int64_t wake_ms = gateway->calls ? calls_wake_ms(gateway->calls) : INT64_MAX;

	for (struct forward *forward = gateway->forwards; forward; forward = forward->next) {
		int64_t due_ms = full ? forward->end_ms : forward->try_ms;

		if (!forward->call && due_ms < wake_ms)
			wake_ms = due_ms;
	}
	return wake_ms;
}

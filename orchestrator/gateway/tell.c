#include "orchestrator/gateway/tell.h"

#include "base/json_line.h"
#include "orchestrator/gateway/forward.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"

#include <stdio.h>

struct told {
	struct telling *telling;
	struct told *next;
	char url[PEER_URL_MAX + 1];
	struct call *call; /* NULL: it is over */
	bool taken;
};

/* Lives as long as the request. */
struct telling {
	struct request *request;
	unsigned status;
	struct told *first;
	size_t n_waiting;
};

static void answer(struct telling *telling)
{
	struct request *request = telling->request;

	request->telling = NULL;
	if (request->gateway->parts.peers) {
		json_add_name(&request->out, "untold");
		json_begin_list(&request->out);
		for (struct told *told = telling->first; told; told = told->next)
			if (!told->taken)
				json_add_value(&request->out, slice_of(told->url));
		json_end_list(&request->out);
	}
	json_end_line(&request->out);
	request_answer_json(request, telling->status);
}

static void on_told(void *context, const struct call_end *end)
{
	struct told *told = context;

	told->call = NULL;
	told->taken = end->answered && end->status / 100 == 2;
	if (--told->telling->n_waiting == 0)
		answer(told->telling);
}

static void tell(struct told *told)
{
	static const struct call_events events = {on_told, NULL};
	struct request *request = told->telling->request;
	struct call_header headers[FORWARD_HEADERS];
	char url[PEER_URL_MAX + 64];
	const struct call_setup setup = {
		.method = "POST",
		.url = url,
		.headers = headers,
		.n_headers = forward_headers(request, NULL, headers),
		.body = bytes_slice(&request->body),
		.answer_max = GATEWAY_BODY_MAX,
		.quiet_ms = TELL_MS,
		.events = &events,
		.context = told,
	};

	snprintf(url, sizeof url, "%s/v1/definitions", told->url);
	told->call = call_begin(request->gateway->calls, &setup);
	told->telling->n_waiting += told->call != NULL;
}

static void add_other(void *context, const struct orchestrator *orchestrator)
{
	struct telling *telling = context;
	struct told *told;

	if (orchestrator->here || orchestrator->url.len > PEER_URL_MAX)
		return;
	told = arena_alloc(&telling->request->arena, sizeof *told);
	if (!told)
		return; /* it finds the definition in the store */
	*told = (struct told){.telling = telling, .next = telling->first};
	memcpy(told->url, orchestrator->url.at, orchestrator->url.len);
	telling->first = told;
}

void tell_others(struct request *request, unsigned status)
{
	struct gateway *gateway = request->gateway;
	struct telling alone = {.request = request, .status = status}, *telling = &alone;

	if (gateway->parts.peers && !request->forwarded) {
		telling = arena_alloc(&request->arena, sizeof *telling);
		if (!telling) {
			request_fail_err(request, ERR_NOMEM);
			return;
		}
		*telling = alone;
		request->telling = telling;
		peers_each(gateway->parts.peers, add_other, telling);
	}
	for (struct told *told = telling->first; told; told = told->next)
		tell(told);
	if (!telling->n_waiting)
		answer(telling);
}

void tell_forget(struct request *request)
{
	for (struct told *told = request->telling->first; told; told = told->next)
		if (told->call)
			call_forget(told->call);
	request->telling = NULL;
}

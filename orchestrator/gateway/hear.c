#include "orchestrator/gateway/hear.h"

#include "base/json_line.h"
#include "orchestrator/gateway/forward.h"
#include "orchestrator/gateway/parts.h"

#include <stdio.h>
#include <stdlib.h>

/* One orchestrator that is listened to. */
struct ear {
	struct gateway *gateway;
	struct ear *next;
	char url[PEER_URL_MAX + 1];
	struct call *call;  /* NULL: it could not be heard, and is tried again */
	struct bytes event; /* that has not come to its end */
	bool heard;         /* something came since the last gap */
	bool there;         /* it still is one, as hear_look() finds */
};

/* --- events ----------------------------------------------------------------------- */

/* Only what happened to sagas: how the other's stream is, is nobody's business. */
static void pass_on(struct ear *ear, struct slice event)
{
	static const char begin[] = "event: change\ndata: ";
	const size_t len = sizeof begin - 1;
	struct arena arena = {0};
	struct json data;

	if (event.len < len || memcmp(event.at, begin, len) != 0)
		return;
	if (!json_parse((struct slice){event.at + len, event.len - len}, WATCH_EVENT_MAX,
			&arena, &data, NULL))
		watch_heard(ear->gateway, data, event, &arena);
	arena_release(&arena);
}

static enum call_part on_part(void *context, struct slice part)
{
	struct ear *ear = context;

	ear->heard = true;
	for (size_t i = 0; i < part.len; i++) {
		struct bytes *event = &ear->event;

		bytes_add(event, part.at[i]);
		if (event->err)
			return CALL_ENOUGH; /* which is a gap */
		if (event->len < 2 || part.at[i] != '\n' || event->at[event->len - 2] != '\n')
			continue;
		pass_on(ear, bytes_slice(event));
		bytes_clear(event);
	}
	return CALL_TAKEN;
}

static void on_ended(void *context, const struct call_end *end)
{
	struct ear *ear = context;
	struct bytes gap = BYTES(1024, NULL);

	ear->call = NULL;
	bytes_clear(&ear->event);
	if (!ear->heard)
		return;
	ear->heard = false;
	bytes_text(&gap, "event: gap\ndata: ");
	json_begin(&gap);
	json_add_text(&gap, "url", slice_of(ear->url));
	json_end(&gap);
	bytes_text(&gap, "\n\n");
	watch_tell(ear->gateway, bytes_slice(&gap));
	bytes_release(&gap);
}

/* --- who is listened to ----------------------------------------------------------- */

static void listen_to(struct ear *ear)
{
	static const struct call_events events = {on_ended, on_part};
	const struct call_header header = {FORWARDED_HEADER, "1"};
	char url[PEER_URL_MAX + 32];
	const struct call_setup setup = {
		.method = "GET",
		.url = url,
		.headers = &header,
		.n_headers = 1,
		.answer_max = GATEWAY_BODY_MAX,
		.quiet_ms = FORWARD_STREAM_MS,
		.events = &events,
		.context = ear,
	};

	snprintf(url, sizeof url, "%s/v1/events", ear->url);
	ear->call = call_begin(ear->gateway->calls, &setup);
}

static struct ear *find_ear(struct gateway *gateway, struct slice url)
{
	struct ear *ear = gateway->ears;

	while (ear && !slice_is(url, ear->url))
		ear = ear->next;
	return ear;
}

static void note_other(void *context, const struct orchestrator *orchestrator)
{
	struct gateway *gateway = context;
	struct ear *ear = find_ear(gateway, orchestrator->url);

	if (orchestrator->here || orchestrator->url.len > PEER_URL_MAX)
		return;
	if (!ear) {
		ear = calloc(1, sizeof *ear);
		if (!ear)
			return; /* again in a second */
		*ear = (struct ear){.gateway = gateway,
				    .next = gateway->ears,
				    .event = BYTES(WATCH_EVENT_MAX, NULL)};
		memcpy(ear->url, orchestrator->url.at, orchestrator->url.len);
		gateway->ears = ear;
	}
	ear->there = true;
	if (!ear->call)
		listen_to(ear);
}

static void free_ear(struct ear *ear)
{
	if (ear->call)
		call_forget(ear->call);
	bytes_release(&ear->event);
	free(ear);
}

void hear_look(struct gateway *gateway)
{
	struct ear **at = &gateway->ears;

	for (struct ear *ear = gateway->ears; ear; ear = ear->next)
		ear->there = false;
	if (gateway->calls && watch_wants_others(gateway))
		peers_each(gateway->parts.peers, note_other, gateway);
	while (*at) {
		struct ear *ear = *at;

		if (ear->there) {
			at = &ear->next;
			continue;
		}
		*at = ear->next;
		free_ear(ear);
	}
}

void hear_stop(struct gateway *gateway)
{
	while (gateway->ears) {
		struct ear *ear = gateway->ears;

		gateway->ears = ear->next;
		free_ear(ear);
	}
}

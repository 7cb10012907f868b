#include "bus/client_local.h"

#include "bus/stream.h"
#include "proto/wire.h"

#include <stdlib.h>

/* A frame that is not whole yet and what was read with its end, twice. */
enum { IN_BYTES_MAX = 4 * (WIRE_LENGTH_SIZE + WIRE_FRAME_MAX) };

/* An event that was not polled, with its texts. */
struct notice {
	struct notice *next;
	struct client_event event;
	char texts[];
};

struct client_local {
	struct link link;
	const char *name;
	struct stream in, out;
	struct arena arena; /* of one frame */
	bool welcome;
	struct notice *first, **end;
	size_t n;
	struct notice *polled;
	struct notice *loss; /* of this connection, ready to be told */
};

/* --- events ------------------------------------------------------------------------ */

static void add(struct client_local *client, struct notice *notice)
{
	notice->next = NULL;
	*client->end = notice;
	client->end = &notice->next;
	client->n++;
}

static void take(char **at, struct slice *text)
{
	if (text->len)
		memcpy(*at, text->at, text->len);
	text->at = *at;
	*at += text->len;
}

static enum err tell(struct client_local *client, const struct client_event *event)
{
	const struct result_message *result = &event->result;
	struct notice *notice;
	char *at;

	notice = malloc(sizeof *notice + result->code.len + result->text.len +
			result->saga_id.len + result->status.len + event->saga_id.len +
			event->status.len);
	if (!notice)
		return ERR_NOMEM;
	notice->event = *event;
	at = notice->texts;
	take(&at, &notice->event.result.code);
	take(&at, &notice->event.result.text);
	take(&at, &notice->event.result.saga_id);
	take(&at, &notice->event.result.status);
	take(&at, &notice->event.saga_id);
	take(&at, &notice->event.status);
	add(client, notice);
	return OK;
}

bool client_local_poll(struct client_local *client, struct client_event *out)
{
	struct notice *notice = client->first;

	free(client->polled);
	client->polled = notice;
	if (!notice)
		return false;
	client->first = notice->next;
	if (!client->first)
		client->end = &client->first;
	client->n--;
	*out = notice->event;
	return true;
}

/* --- what the link asks ------------------------------------------------------------ */

/* A hello that there is no memory for is missed by the other side. */
static void on_connected(void *context)
{
	struct client_local *client = context;
	const struct frame hello = {
		.type = FRAME_HELLO,
		.hello = {.version = WIRE_VERSION, .name = slice_of(client->name)}};

	if (!client->loss)
		client->loss = calloc(1, sizeof *client->loss);
	if (!client->loss || wire_write(&hello, &client->out.bytes, NULL))
		stream_clear(&client->out);
}

static void on_lost(void *context)
{
	struct client_local *client = context;

	stream_clear(&client->in);
	stream_clear(&client->out);
	if (client->welcome) {
		client->loss->event.type = CLIENT_LOST;
		add(client, client->loss);
		client->loss = NULL;
	}
	client->welcome = false;
}

static struct slice on_output(void *context)
{
	return stream_slice(&((struct client_local *)context)->out);
}

static void on_sent(void *context, size_t n)
{
	stream_take(&((struct client_local *)context)->out, n);
}

static enum err take_frame(struct client_local *client, const struct frame *frame,
			   struct diag *diag)
{
	struct client_event event = {.request = (uint32_t)frame->request};

	if (frame->type == FRAME_REFUSE)
		return diag_set(diag, ERR_UNAVAILABLE,
				"the orchestrator refuses the connection: %.*s",
				SLICE_ARG(frame->refuse));
	if (!client->welcome) {
		client->welcome = frame->type == FRAME_WELCOME;
		return client->welcome ? OK
				       : diag_set(diag, ERR_INVALID, "no welcome came first");
	}
	if (frame->type == FRAME_RESULT) {
		event.type = CLIENT_RESULT;
		event.result = frame->result;
		return tell(client, &event);
	}
	if (frame->type == FRAME_ENDED) {
		event.type = CLIENT_ENDED;
		event.saga_id = frame->ended.saga_id;
		event.status = frame->ended.status;
		return tell(client, &event);
	}
	return diag_set(diag, ERR_INVALID, "a frame came that is not for a client");
}

static enum err on_receive(void *context, struct slice bytes, struct diag *diag)
{
	struct client_local *client = context;
	struct slice frame_bytes;
	struct frame frame;
	enum err err;

	stream_tidy(&client->in);
	bytes_append(&client->in.bytes, bytes);
	err = client->in.bytes.err;
	while (!err && !(err = wire_first(stream_slice(&client->in), &frame_bytes))) {
		arena_reset(&client->arena);
		err = wire_read(frame_bytes, &client->arena, &frame, diag);
		if (!err)
			err = take_frame(client, &frame, diag);
		if (!err)
			stream_take(&client->in, WIRE_LENGTH_SIZE + frame_bytes.len);
	}
	return err == ERR_NOT_FOUND ? OK : err;
}

static bool is_welcome(void *context)
{
	return ((const struct client_local *)context)->welcome;
}

static bool is_ready(void *context)
{
	return ((const struct client_local *)context)->first != NULL;
}

/* --- asking ------------------------------------------------------------------------ */

static enum err ask(struct client_local *client, const struct frame *frame, struct diag *diag)
{
	if (!client->welcome)
		return diag_set(diag, ERR_UNAVAILABLE, "%s", link_trouble(&client->link));
	if (stream_slice(&client->out).len >= CLIENT_OUTPUT_MAX)
		return diag_set(diag, ERR_BUSY,
				"the orchestrator is busy: it has not taken %d MiB of requests",
				CLIENT_OUTPUT_MAX / 1024 / 1024);
	stream_tidy(&client->out);
	return wire_write(frame, &client->out.bytes, diag);
}

enum err client_local_start(struct client_local *client, uint32_t request,
			    const struct start_message *start, bool watch, struct diag *diag)
{
	const struct frame frame = {
		.type = FRAME_START, .request = request, .watch = watch, .start = *start};

	return ask(client, &frame, diag);
}

enum err client_local_signal(struct client_local *client, uint32_t request,
			     const struct signal_message *signal, struct diag *diag)
{
	const struct frame frame = {
		.type = FRAME_SIGNAL, .request = request, .signal = *signal};

	return ask(client, &frame, diag);
}

void client_local_pump(struct client_local *client, int timeout_ms)
{
	if (client->n < CLIENT_EVENTS_MAX)
		link_pump(&client->link, timeout_ms);
}

const char *client_local_trouble(const struct client_local *client)
{
	return link_trouble(&client->link);
}

/* --- all of it --------------------------------------------------------------------- */

enum err client_local_open(const struct link_setup *link, const char *name,
			   struct client_local **out, struct diag *diag)
{
	static const struct link_user user = {
		.connected = on_connected,
		.lost = on_lost,
		.output = on_output,
		.sent = on_sent,
		.receive = on_receive,
		.welcome = is_welcome,
		.ready = is_ready,
	};
	const struct frame hello = {.type = FRAME_HELLO, .hello = {.name = slice_of(name)}};
	struct client_local *client;
	enum err err = wire_check(&hello, diag);

	if (err)
		return err;
	client = calloc(1, sizeof *client);
	if (!client)
		return ERR_NOMEM;
	client->name = name;
	client->end = &client->first;
	client->in = STREAM(IN_BYTES_MAX);
	client->out = STREAM(2 * (CLIENT_OUTPUT_MAX + WIRE_FRAME_MAX));
	err = link_init(&client->link, link, &user, client, diag);
	if (err) {
		free(client);
		return err;
	}
	*out = client;
	return OK;
}

void client_local_close(struct client_local *client)
{
	if (!client)
		return;
	link_release(&client->link);
	while (client->first) {
		struct notice *next = client->first->next;

		free(client->first);
		client->first = next;
	}
	free(client->polled);
	free(client->loss);
	arena_release(&client->arena);
	bytes_release(&client->in.bytes);
	bytes_release(&client->out.bytes);
	free(client);
}

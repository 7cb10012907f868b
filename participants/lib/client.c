/* client.c - skald/client.h: one question at a time over the local bus. */
#include "skald/client.h"

#include "base/utf8.h"
#include "bus/client_local.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAME_SIZE = 32, TURN_MS = 1000 };

struct skald_client {
	struct client_local *local;
	char name[NAME_SIZE];
	uint32_t request; /* of the last question */
};

/* A question, and how long it may take. */
struct asking {
	skald_client *client;
	int64_t end_ms;
	const skald_start *start; /* one of the two */
	const skald_signal *signal;
	bool watch;
	skald_saga *saga;
};

/* --- what comes back --------------------------------------------------------------- */

static void put_text(char *out, size_t size, struct slice text)
{
	text = utf8_cut(text, size - 1);
	if (text.len)
		memcpy(out, text.at, text.len);
	out[text.len] = '\0';
}

static skald_client_result take_result(skald_saga *saga, const struct result_message *result)
{
	put_text(saga->code, sizeof saga->code, result->code);
	put_text(saga->text, sizeof saga->text, result->text);
	if (result->code.len)
		return SKALD_CLIENT_REFUSED;
	put_text(saga->id, sizeof saga->id, result->saga_id);
	put_text(saga->status, sizeof saga->status, result->status);
	saga->created = saga->created || result->created;
	return SKALD_CLIENT_OK;
}

static bool has_ended(const skald_saga *saga)
{
	static const char *const ends[] = {"completed", "compensated", "parked", "killed"};

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (strcmp(saga->status, ends[i]) == 0)
			return true;
	return false;
}

/* --- asking --------------------------------------------------------------------------- */

static int64_t left_ms(const struct asking *asking)
{
	return asking->end_ms - clock_monotonic_ms(clock_system());
}

static void pump(const struct asking *asking)
{
	int64_t ms = left_ms(asking);

	client_local_pump(asking->client->local, (int)(ms < 0         ? 0
						       : ms < TURN_MS ? ms
								      : TURN_MS));
}

static enum err post(const struct asking *asking, struct diag *diag)
{
	skald_client *client = asking->client;
	const skald_start *start = asking->start;
	const skald_signal *signal = asking->signal;
	const char *known = asking->saga->id; /* of an earlier connection */
	struct start_message starting;
	struct signal_message signalling;

	client->request++;
	if (start) {
		starting = (struct start_message){
			.saga = slice_of(start->saga),
			.version = slice_of(start->version),
			.id = slice_of(*known ? known : start->id),
			.key = slice_of(start->key),
			.input = slice_of(start->input ? start->input : "{}"),
			.actor = slice_of(start->actor)};
		return client_local_start(client->local, client->request, &starting,
					  asking->watch, diag);
	}
	signalling = (struct signal_message){
		.saga_id = slice_of(signal->saga_id),
		.event = slice_of(signal->event),
		.id = slice_of(signal->id),
		.payload = slice_of(signal->payload ? signal->payload : "null"),
		.actor = slice_of(signal->actor)};
	return client_local_signal(client->local, client->request, &signalling, diag);
}

/* Until the question is on its way. */
static skald_client_result send(const struct asking *asking)
{
	struct client_local *local = asking->client->local;
	struct diag diag = {"the question could not be asked"};
	struct client_event stale;
	enum err err;

	while (client_local_poll(local, &stale))
		; /* of an earlier question */
	while ((err = post(asking, &diag)) && err_retriable(err) && left_ms(asking) > 0)
		pump(asking);
	if (!err)
		return SKALD_CLIENT_OK;
	put_text(asking->saga->text, sizeof asking->saga->text, slice_of(diag.text));
	if (err_retriable(err))
		return SKALD_CLIENT_UNREACHABLE;
	put_text(asking->saga->code, sizeof asking->saga->code, SLICE_LITERAL("bad-request"));
	return SKALD_CLIENT_REFUSED;
}

/* Until the result is there, and the end where that is waited for. *lost: so is the
 * connection. */
static skald_client_result receive(const struct asking *asking, bool *lost)
{
	struct client_local *local = asking->client->local;
	skald_client_result result = SKALD_CLIENT_UNKNOWN;
	skald_saga *saga = asking->saga;
	struct client_event event;

	*lost = false;
	for (;;) {
		while (!client_local_poll(local, &event)) {
			if (left_ms(asking) <= 0)
				return result;
			pump(asking);
		}
		switch (event.type) {
		case CLIENT_LOST: *lost = true; return result;
		case CLIENT_RESULT:
			if (event.request != asking->client->request)
				break;
			result = take_result(saga, &event.result);
			if (result || !asking->watch || has_ended(saga))
				return result;
			result = SKALD_CLIENT_RUNNING;
			break;
		case CLIENT_ENDED:
			if (result != SKALD_CLIENT_RUNNING ||
			    !slice_is(event.saga_id, saga->id))
				break;
			put_text(saga->status, sizeof saga->status, event.status);
			return SKALD_CLIENT_OK;
		}
	}
}

/* Asking again is harmless where the saga is known by something. */
static bool can_repeat(const struct asking *asking)
{
	const skald_start *start = asking->start;

	return asking->watch && (*asking->saga->id || start->id || start->key) &&
	       left_ms(asking) > 0;
}

static skald_client_result ask(skald_client *client, struct asking asking, int timeout_ms,
			       skald_saga *saga)
{
	skald_client_result result, heard = SKALD_CLIENT_UNREACHABLE;
	bool lost;

	*saga = (skald_saga){.id = ""};
	asking.client = client;
	asking.saga = saga;
	asking.end_ms = clock_monotonic_ms(clock_system()) + timeout_ms;
	do {
		result = send(&asking);
		if (result == SKALD_CLIENT_UNREACHABLE)
			return heard;
		if (result)
			return result;
		result = heard = receive(&asking, &lost);
	} while (lost && can_repeat(&asking));
	if (result == SKALD_CLIENT_UNKNOWN)
		put_text(saga->text, sizeof saga->text,
			 SLICE_LITERAL("no answer came; ask again to find out"));
	return result;
}

skald_client_result skald_client_start(skald_client *client, const skald_start *start,
				       int timeout_ms, skald_saga *saga)
{
	return ask(client, (struct asking){.start = start}, timeout_ms, saga);
}

skald_client_result skald_client_run(skald_client *client, const skald_start *start,
				     int timeout_ms, skald_saga *saga)
{
	return ask(client, (struct asking){.start = start, .watch = true}, timeout_ms, saga);
}

skald_client_result skald_client_signal(skald_client *client, const skald_signal *signal,
					int timeout_ms, skald_saga *saga)
{
	return ask(client, (struct asking){.signal = signal}, timeout_ms, saga);
}

/* --- the client --------------------------------------------------------------------------- */

static enum err open_client(skald_client *client, const char *bus, struct diag *diag)
{
	struct link_setup link = {.clock = clock_system(), .wake_fd = -1};

	if (strncmp(bus, "local:", 6) != 0)
		return diag_set(
			diag, ERR_INVALID,
			"bus: \"%.100s\" is none; give local:PATH, with the path of the "
			"orchestrator's socket",
			bus);
	link.path = bus + 6;
	snprintf(client->name, sizeof client->name, "client %ld", (long)getpid());
	return client_local_open(&link, client->name, &client->local, diag);
}

skald_client *skald_client_new(const char *bus, skald_error *error)
{
	struct diag diag = {"out of memory for the client"};
	skald_client *client = calloc(1, sizeof *client);

	if (client && open_client(client, bus, &diag) == OK)
		return client;
	free(client);
	if (error)
		snprintf(error->text, sizeof error->text, "%s", diag.text);
	return NULL;
}

void skald_client_free(skald_client *client)
{
	if (!client)
		return;
	client_local_close(client->local);
	free(client);
}

/* watch.c - what happens, as it happens: streams of server-sent events.
 *
 * Each stream has a buffer of its own, and whoever does not read gets to its end:
 * the last event says so, and the stream is over. Nobody else notices.
 *
 * The stream of a saga that another orchestrator has is relayed: its bytes come from
 * there, at the pace at which they are read here. Streams of all sagas have the events
 * of the others, too (hear.c).
 */
#include "base/json_line.h"
#include "orchestrator/explain/entry_json.h"
#include "orchestrator/gateway/forward.h"
#include "orchestrator/gateway/hear.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"

#include <stdlib.h>

enum {
	TAKEN_MAX = 1024 * 1024, /* bytes that were taken and are still in a buffer */
	KEPT = 256 * 1024,       /* of a buffer in which nothing is */
	LAST_EVENT_ROOM = 512,
};

struct watcher {
	struct gateway *gateway;
	struct MHD_Connection *connection;
	struct watcher *next;
	char id[SAGA_ID_MAX + 1];      /* of the one saga; empty: of any */
	char saga[NAME_MAX_BYTES + 1]; /* its name; empty: any */
	bool statuses[STATUSES];       /* that are told; of one saga all are */
	struct bytes events;           /* not taken yet, from `sent` on */
	size_t sent;
	size_t max; /* bytes that may be there and not taken */
	bool suspended;
	bool ours_only;    /* another orchestrator watches: it hears of others by itself */
	bool over;         /* what is in the buffer is the end */
	bool relays;       /* another orchestrator's stream; */
	struct call *call; /* NULL once that is over */
};

/* --- the buffer ------------------------------------------------------------------- */

static void wake(struct watcher *watcher)
{
	if (!watcher->suspended)
		return;
	watcher->suspended = false;
	MHD_resume_connection(watcher->connection);
}

/* What was taken makes room; seldom, so that events are not moved again and again
 * for a reader that takes little at a time. */
static void drop_taken(struct watcher *watcher)
{
	struct bytes *events = &watcher->events;

	if (watcher->sent < events->len && watcher->sent < TAKEN_MAX)
		return;
	memmove(events->at, events->at + watcher->sent, events->len - watcher->sent);
	events->len -= watcher->sent;
	watcher->sent = 0;
	if (!events->len && events->capacity > KEPT)
		bytes_release(events);
}

static void give(struct watcher *watcher, struct slice event)
{
	struct bytes *events = &watcher->events;
	size_t before;

	if (watcher->over)
		return;
	if (watcher->sent)
		drop_taken(watcher);
	before = events->len;
	if (before - watcher->sent + event.len + LAST_EVENT_ROOM <= watcher->max)
		bytes_append(events, event);
	if (events->len == before) {
		events->err = OK;
		bytes_text(
			events,
			"event: dropped\n"
			"data: {\"code\":\"too-slow\",\"detail\":\"this stream was not read "
			"fast enough and ends here; look again, and go on from there\"}\n\n");
		watcher->over = true;
		watcher->gateway->watchers_dropped++;
	}
	wake(watcher);
}

static ssize_t read_events(void *context, uint64_t position, char *buffer, size_t max)
{
	struct watcher *watcher = context;
	size_t n = watcher->events.len - watcher->sent;

	if (n > max)
		n = max;
	if (n) {
		memcpy(buffer, watcher->events.at + watcher->sent, n);
		watcher->sent += n;
		watcher->gateway->watched_bytes += n;
		if (watcher->call)
			call_resume(watcher->call);
		return (ssize_t)n;
	}
	if (watcher->over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	watcher->suspended = true;
	MHD_suspend_connection(watcher->connection);
	return 0;
}

static void free_watcher(void *context)
{
	struct watcher *watcher = context;
	struct watcher **at = &watcher->gateway->watchers;

	while (*at != watcher)
		at = &(*at)->next;
	*at = watcher->next;
	watcher->gateway->n_watchers--;
	if (watcher->call)
		call_forget(watcher->call);
	bytes_release(&watcher->events);
	free(watcher);
}

void watch_forget(struct watcher *watcher)
{
	free_watcher(watcher);
}

/* --- events ----------------------------------------------------------------------- */

/* "event: change", and the saga's row with what is new in its timeline. */
static void begin_event(struct bytes *out, const char *name, const struct saga_row *row)
{
	bytes_text(out, "event: ");
	bytes_text(out, name);
	bytes_text(out, "\ndata: ");
	json_begin(out);
	row_members(out, row);
	json_add_name(out, "entries");
}

static void end_event(struct bytes *out)
{
	json_end(out);
	bytes_text(out, "\n\n");
}

static bool wants(const struct watcher *watcher, const struct saga_row *row)
{
	return !watcher->over && !watcher->relays &&
	       (!watcher->id[0] || slice_is(row->id, watcher->id)) &&
	       (!watcher->saga[0] || slice_is(row->saga, watcher->saga)) &&
	       (watcher->id[0] || watcher->statuses[row->status]);
}

void watch_observed(void *context, const struct definition *definition,
		    const struct saga_row *row, const struct saga *saga,
		    const struct entry *entries, size_t n_entries, uint64_t first)
{
	struct gateway *gateway = context;
	struct bytes event = BYTES(WATCH_EVENT_MAX, NULL);

	for (struct watcher *watcher = gateway->watchers; watcher; watcher = watcher->next) {
		if (!wants(watcher, row))
			continue;
		if (!event.len) {
			begin_event(&event, "change", row);
			json_begin_list(&event);
			for (size_t i = 0; i < n_entries; i++)
				entry_json(&event, definition, saga, &entries[i]);
			json_end_list(&event);
			end_event(&event);
		}
		/* One that cannot be written counts as one that has no room. */
		give(watcher,
		     event.err ? (struct slice){NULL, SIZE_MAX / 2} : bytes_slice(&event));
		if (watcher->id[0] && status_ended(row->status))
			watcher->over = true;
	}
	bytes_release(&event);
}

/* --- events of other orchestrators --------------------------------------------------- */

/* It watches all sagas, wherever they are. */
static bool wants_others(const struct watcher *watcher)
{
	return !watcher->over && !watcher->id[0] && !watcher->relays && !watcher->ours_only;
}

bool watch_wants_others(const struct gateway *gateway)
{
	for (struct watcher *watcher = gateway->watchers; watcher; watcher = watcher->next)
		if (wants_others(watcher))
			return true;
	return false;
}

void watch_heard(struct gateway *gateway, struct json data, struct slice event,
		 struct arena *arena)
{
	struct json saga = {0}, status = {0};
	struct saga_row row = {0};
	struct slice text;
	int i = 0;

	if (!json_get(data, SLICE_LITERAL("saga"), &saga) ||
	    !json_get(data, SLICE_LITERAL("status"), &status) ||
	    !json_text(saga, arena, &row.saga) || !json_text(status, arena, &text))
		return;
	while (i < STATUSES && !slice_is(text, status_text((enum status)i)))
		i++;
	if (i == STATUSES)
		return; /* of a later version */
	row.status = (enum status)i;
	for (struct watcher *watcher = gateway->watchers; watcher; watcher = watcher->next)
		if (wants_others(watcher) && wants(watcher, &row))
			give(watcher, event);
}

void watch_tell(struct gateway *gateway, struct slice event)
{
	for (struct watcher *watcher = gateway->watchers; watcher; watcher = watcher->next)
		if (wants_others(watcher))
			give(watcher, event);
}

/* --- time, and the end -------------------------------------------------------------- */

void watch_heartbeat(struct gateway *gateway)
{
	for (struct watcher *watcher = gateway->watchers; watcher; watcher = watcher->next) {
		if (!watcher->relays) /* the other one says so, between two events */
			give(watcher, SLICE_LITERAL(": still here\n\n"));
	}
}

/* One that went to another orchestrator would be silent for ever. */
void watch_owners(struct gateway *gateway)
{
	for (struct watcher *watcher = gateway->watchers; watcher; watcher = watcher->next) {
		if (watcher->over || watcher->relays || !watcher->id[0] ||
		    !forward_is_due(gateway, slice_of(watcher->id)))
			continue;
		give(watcher, SLICE_LITERAL("event: moved\ndata: {}\n\n"));
		watcher->over = true;
	}
}

void watch_stop(struct gateway *gateway)
{
	for (struct watcher *watcher = gateway->watchers; watcher; watcher = watcher->next) {
		if (!watcher->relays)
			give(watcher, SLICE_LITERAL("event: stopping\ndata: {}\n\n"));
		watcher->over = true;
		wake(watcher);
	}
}

/* --- opening ---------------------------------------------------------------------- */

static void set_room(struct watcher *watcher, size_t max)
{
	watcher->max = max;
	watcher->events = BYTES(max + TAKEN_MAX, NULL);
}

/* NULL: the request was answered that there are too many. */
static struct watcher *new_watcher(struct request *request)
{
	struct gateway *gateway = request->gateway;
	struct watcher *watcher;

	if (gateway->n_watchers >= GATEWAY_WATCHERS_MAX) {
		request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "too-many-streams",
			     "%d streams of events are open; end one, or ask again later",
			     GATEWAY_WATCHERS_MAX);
		return NULL;
	}
	watcher = calloc(1, sizeof *watcher);
	if (!watcher) {
		request_fail_err(request, ERR_NOMEM);
		return NULL;
	}
	watcher->gateway = gateway;
	watcher->connection = request->connection;
	set_room(watcher, GATEWAY_WATCH_BYTES_MAX);
	watcher->next = gateway->watchers;
	gateway->watchers = watcher;
	gateway->n_watchers++;
	return watcher;
}

/* --- relays ----------------------------------------------------------------------- */

static void on_relay_ended(void *context, const struct call_end *end)
{
	struct watcher *watcher = context;

	watcher->call = NULL;
	watcher->over = true;
	wake(watcher);
}

static enum call_part on_relayed(void *context, struct slice part)
{
	struct watcher *watcher = context;
	size_t waiting = watcher->events.len - watcher->sent;

	if (waiting && waiting + part.len + LAST_EVENT_ROOM > watcher->max)
		return CALL_FULL;
	give(watcher, part);
	return CALL_TAKEN;
}

bool watch_relay(struct request *request, struct call *call, struct slice part)
{
	static const struct call_events events = {on_relay_ended, on_relayed};
	struct watcher *watcher = new_watcher(request);

	if (!watcher)
		return false;
	watcher->relays = true;
	watcher->call = call;
	request->relay = watcher;
	call_hand_over(call, FORWARD_STREAM_MS, &events, watcher);
	give(watcher, part);
	return true;
}

/* --- routes ----------------------------------------------------------------------- */

void route_watch(struct request *request)
{
	struct saga_view view;
	struct watcher *watcher;
	struct bytes first = BYTES(WATCH_EVENT_MAX, &request->arena);

	if (request->relay) {
		watcher = request->relay;
		request->relay = NULL;
		request_stream(request, read_events, watcher, free_watcher);
		return;
	}
	if (forward_stream(request, request->parameters[0]))
		return;
	if (!request_saga(request, request->parameters[0], &view))
		return;
	begin_event(&first, "saga", &view.row);
	timeline_json(&first, view.definition, &view.saga, &view.timeline);
	json_add_number(&first, "timeline_folded", (int64_t)view.timeline.n_folded);
	end_event(&first);
	if (first.err) {
		request_fail_err(request, first.err);
		return;
	}
	watcher = new_watcher(request);
	if (!watcher)
		return;
	memcpy(watcher->id, view.row.id.at, view.row.id.len);
	/* However long its timeline is, there is room for more behind it. */
	set_room(watcher, GATEWAY_WATCH_BYTES_MAX + first.len);
	give(watcher, bytes_slice(&first));
	watcher->over = watcher->over || status_ended(view.row.status);
	request_stream(request, read_events, watcher, free_watcher);
}

void route_watch_all(struct request *request)
{
	struct slice saga = request_query(request, "saga");
	enum status statuses[STATUSES];
	struct watcher *watcher;
	size_t n;

	if (saga.len && !name_valid(saga)) {
		request_fail(
			request, MHD_HTTP_BAD_REQUEST, "bad-request",
			"the name of a saga is a small letter, and up to 62 small letters, "
			"digits, - and _");
		return;
	}
	if (!request_statuses(request, statuses, &n))
		return;
	watcher = new_watcher(request);
	if (!watcher)
		return;
	memcpy(watcher->saga, saga.at ? saga.at : "", saga.len);
	for (size_t i = 0; i < STATUSES; i++)
		watcher->statuses[i] = !n;
	for (size_t i = 0; i < n; i++)
		watcher->statuses[statuses[i]] = true;
	/* Something at once, so that the answer's head is sent. */
	give(watcher, SLICE_LITERAL(": watching\n\n"));
	watcher->ours_only = request->forwarded;
	hear_look(request->gateway);
	request_stream(request, read_events, watcher, free_watcher);
}

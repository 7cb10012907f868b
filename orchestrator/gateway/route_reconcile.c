/* route_reconcile.c - GET /v1/reconcile: a reconciliation as a stream of server-sent
 * events. It has its turns with the gateway, and goes on only as fast as it is read. */
#include "base/json_line.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"
#include "orchestrator/reconcile/reconcile.h"

#include <stdlib.h>

enum {
	EVENTS_MAX = 1024 * 1024,      /* that were not taken: beyond, it waits */
	EVENTS_ROOM = 8 * 1024 * 1024, /* what one turn may add comes on top */
};

struct inspection {
	struct gateway *gateway;
	struct MHD_Connection *connection;
	struct inspection *next;
	struct reconcile *reconcile;
	struct bytes events; /* not taken yet, from `sent` on */
	size_t sent;
	bool suspended;
	bool over; /* what is in the buffer is the end */
};

/* --- the stream ------------------------------------------------------------------- */

static void wake(struct inspection *inspection)
{
	if (!inspection->suspended)
		return;
	inspection->suspended = false;
	MHD_resume_connection(inspection->connection);
}

static ssize_t read_events(void *context, uint64_t position, char *buffer, size_t max)
{
	struct inspection *inspection = context;
	size_t n = inspection->events.len - inspection->sent;

	if (n > max)
		n = max;
	if (n) {
		memcpy(buffer, inspection->events.at + inspection->sent, n);
		inspection->sent += n;
		inspection->gateway->watched_bytes += n;
		return (ssize_t)n;
	}
	bytes_clear(&inspection->events);
	inspection->sent = 0;
	if (inspection->over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	inspection->suspended = true;
	MHD_suspend_connection(inspection->connection);
	return 0;
}

static void free_inspection(void *context)
{
	struct inspection *inspection = context;
	struct inspection **at = &inspection->gateway->inspections;

	while (*at != inspection)
		at = &(*at)->next;
	*at = inspection->next;
	inspection->gateway->n_inspections--;
	reconcile_free(inspection->reconcile);
	bytes_release(&inspection->events);
	free(inspection);
}

/* Where there is no memory for an event, that is the end: nothing may be missing. */
static void check_room(struct inspection *inspection)
{
	if (!inspection->events.err)
		return;
	inspection->events.err = OK;
	inspection->over = true;
}

/* --- events ----------------------------------------------------------------------- */

static void begin_event(struct bytes *out, const char *name)
{
	bytes_text(out, "event: ");
	bytes_text(out, name);
	bytes_text(out, "\ndata: ");
	json_begin(out);
	json_add_text(out, "type", slice_of(name));
}

static void end_event(struct inspection *inspection)
{
	json_end(&inspection->events);
	bytes_text(&inspection->events, "\n\n");
	check_room(inspection);
	wake(inspection);
}

static void on_found(void *context, const struct finding *finding)
{
	struct inspection *inspection = context;
	struct bytes *out = &inspection->events;

	begin_event(out, "difference");
	json_add_text(out, "difference", slice_of(mismatch_code(finding->difference)));
	json_add_text(out, "id", finding->saga_id);
	json_add_optional(out, "saga", finding->saga);
	json_add_optional(out, "step", finding->step);
	json_add_optional(out, "participant", finding->participant);
	json_add_optional(out, "command", finding->command);
	json_add_optional(out, "record", slice_of(finding->record));
	json_add_optional(out, "barrier", slice_of(finding->barrier));
	json_add_text(out, "detail", slice_of(mismatch_text(finding->difference)));
	end_event(inspection);
}

static void on_unasked(void *context, struct slice participant, const char *why)
{
	struct inspection *inspection = context;

	begin_event(&inspection->events, "unasked");
	json_add_text(&inspection->events, "participant", participant);
	json_add_text(&inspection->events, "detail", slice_of(why));
	end_event(inspection);
}

static void tell_end(struct inspection *inspection, const char *why)
{
	const struct reconcile_counts *counts = reconcile_counts(inspection->reconcile);
	struct bytes *out = &inspection->events;

	begin_event(out, why ? "failed" : "summary");
	if (why)
		json_add_text(out, "detail", slice_of(why));
	json_add_number(out, "differences", (int64_t)counts->differences);
	json_add_number(out, "sagas", (int64_t)counts->sagas);
	json_add_number(out, "commands", (int64_t)counts->commands);
	json_add_number(out, "records", (int64_t)counts->records);
	json_add_number(out, "participants", (int64_t)counts->participants);
	json_add_number(out, "participants_unasked", (int64_t)counts->participants_unasked);
	json_add_number(out, "unasked", (int64_t)counts->unasked);
	json_add_number(out, "forgotten", (int64_t)counts->forgotten);
	json_add_number(out, "removed", (int64_t)counts->removed);
	json_add_number(out, "moving", (int64_t)counts->moving);
	inspection->over = true;
	end_event(inspection);
}

/* --- the loop --------------------------------------------------------------------- */

/* One that nobody waits for any more is dropped. */
static void take_answers(struct gateway *gateway)
{
	struct inquired inquired;

	while (bus_inquired(gateway->parts.bus, &inquired)) {
		struct inspection *inspection = gateway->inspections;

		while (inspection && !reconcile_answer(inspection->reconcile, &inquired))
			inspection = inspection->next;
	}
}

static bool may_turn(const struct inspection *inspection)
{
	return !inspection->over && inspection->events.len - inspection->sent < EVENTS_MAX;
}

void inspections_pump(struct gateway *gateway)
{
	const char *why;

	gateway->inspected = false;
	take_answers(gateway);
	for (struct inspection *inspection = gateway->inspections; inspection;
	     inspection = inspection->next) {
		if (!may_turn(inspection))
			continue;
		if (reconcile_turn(inspection->reconcile))
			gateway->inspected = true;
		if (!inspection->over && reconcile_over(inspection->reconcile, &why))
			tell_end(inspection, why);
	}
}

int64_t inspections_wake_ms(const struct gateway *gateway)
{
	int64_t wake_ms = INT64_MAX;

	for (const struct inspection *inspection = gateway->inspections; inspection;
	     inspection = inspection->next)
		if (may_turn(inspection) && reconcile_wake_ms(inspection->reconcile) < wake_ms)
			wake_ms = reconcile_wake_ms(inspection->reconcile);
	return wake_ms;
}

void inspections_heartbeat(struct gateway *gateway)
{
	for (struct inspection *inspection = gateway->inspections; inspection;
	     inspection = inspection->next) {
		if (!may_turn(inspection))
			continue;
		bytes_text(&inspection->events, ": still here\n\n");
		check_room(inspection);
		wake(inspection);
	}
}

void inspections_stop(struct gateway *gateway)
{
	for (struct inspection *inspection = gateway->inspections; inspection;
	     inspection = inspection->next) {
		if (!inspection->over)
			tell_end(inspection, "the server stops; run it again when it is back");
		wake(inspection);
	}
}

/* --- the route -------------------------------------------------------------------- */

static struct inspection *inspection_new(struct request *request, struct slice saga,
					 int64_t since_ms)
{
	struct gateway *gateway = request->gateway;
	struct inspection *inspection = calloc(1, sizeof *inspection);
	const struct reconcile_setup setup = {
		.engine = gateway->parts.engine,
		.store = gateway->parts.store,
		.bus = gateway->parts.bus,
		.clock = gateway->parts.clock,
		.saga = saga,
		.since_ms = since_ms,
		.found = on_found,
		.unasked = on_unasked,
		.context = inspection,
	};

	if (!inspection)
		return NULL;
	inspection->gateway = gateway;
	inspection->connection = request->connection;
	inspection->events = BYTES(EVENTS_MAX + EVENTS_ROOM, NULL);
	inspection->reconcile = reconcile_new(&setup);
	if (!inspection->reconcile) {
		free(inspection);
		return NULL;
	}
	inspection->next = gateway->inspections;
	gateway->inspections = inspection;
	gateway->n_inspections++;
	gateway->inspected = true; /* it begins at once */
	return inspection;
}

void route_reconcile(struct request *request)
{
	struct slice saga = request_query(request, "saga");
	struct inspection *inspection;
	int64_t since_ms;

	if (saga.len && !name_valid(saga)) {
		request_fail(
			request, MHD_HTTP_BAD_REQUEST, "bad-request",
			"the name of a saga is a small letter, and up to 62 small letters, "
			"digits, - and _");
		return;
	}
	if (!request_time(request, "since", &since_ms))
		return;
	if (request->gateway->n_inspections >= GATEWAY_RECONCILES_MAX) {
		request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "too-many-reconciles",
			     "%d reconciliations are under way; wait for one to end",
			     GATEWAY_RECONCILES_MAX);
		return;
	}
	inspection = inspection_new(request, saga, since_ms);
	if (!inspection) {
		request_fail_err(request, ERR_NOMEM);
		return;
	}
	/* Something at once, so that the answer's head is sent. */
	bytes_text(&inspection->events, ": reconciling\n\n");
	check_room(inspection);
	request_stream(request, read_events, inspection, free_inspection);
}

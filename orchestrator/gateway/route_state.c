/* route_state.c - how the server is: for people, for probes, for Prometheus. */
#include "base/json_line.h"
#include "orchestrator/gateway/openapi.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"

#include <inttypes.h>

/* --- /v1/stats -------------------------------------------------------------------- */

static void add_participant(void *context, const struct bus_participant *participant)
{
	struct bytes *out = context;
	char name[NAME_MAX_BYTES + 1];
	size_t len =
		participant->name.len < NAME_MAX_BYTES ? participant->name.len : NAME_MAX_BYTES;

	memcpy(name, participant->name.at, len);
	name[len] = '\0';
	json_add_name(out, name);
	json_begin(out);
	json_add_number(out, "connected", participant->processes);
	json_add_number(out, "inflight", participant->inflight);
	json_add_number(out, "held", participant->held);
	json_add_null(out, "breaker"); /* none holds commands back */
	json_end(out);
}

static void engine_members(struct bytes *out, const struct engine_stats *stats)
{
	json_add_number(out, "live", (int64_t)stats->live);
	json_add_number(out, "started", (int64_t)stats->started);
	json_add_number(out, "turns", (int64_t)stats->turns);
	json_add_number(out, "events", (int64_t)stats->events);
	json_add_number(out, "commands", (int64_t)stats->commands);
	json_add_number(out, "commits", (int64_t)stats->commits);
	json_add_number(out, "commit_failures", (int64_t)stats->commit_failures);
	json_add_number(out, "unreadable", (int64_t)stats->unreadable);
	json_add_number(out, "busy_ms", stats->busy_ms);
}

void route_stats(struct request *request)
{
	const struct gateway_parts *parts = &request->gateway->parts;
	struct bytes *out = &request->out;
	struct engine_stats stats;
	struct store_counts counts;
	enum err err = store_counts(parts->store, &counts);

	if (err) {
		request_fail_err(request, err);
		return;
	}
	engine_stats(parts->engine, &stats);
	json_begin(out);
	json_add_name(out, "sagas");
	json_begin(out);
	for (int i = 0; i < STATUSES; i++)
		json_add_number(out, status_text((enum status)i), (int64_t)counts.by_status[i]);
	json_end(out);
	json_add_name(out, "participants");
	json_begin(out);
	bus_participants(parts->bus, add_participant, out);
	json_end(out);
	json_add_name(out, "engine");
	json_begin(out);
	engine_members(out, &stats);
	json_end(out);
	json_end_line(out);
	request_answer_json(request, MHD_HTTP_OK);
}

/* --- probes ----------------------------------------------------------------------- */

void route_health(struct request *request)
{
	bytes_text(&request->out, "{\"status\":\"ok\"}\n");
	request_answer_json(request, MHD_HTTP_OK);
}

void route_ready(struct request *request)
{
	const char *trouble = request->gateway->trouble;

	if (trouble) {
		request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE, "not-ready", "%s", trouble);
		return;
	}
	bytes_text(&request->out, "{\"status\":\"ready\"}\n");
	request_answer_json(request, MHD_HTTP_OK);
}

/* --- /metrics --------------------------------------------------------------------- */

static void metric(struct bytes *out, const char *name, const char *type, const char *help)
{
	bytes_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void counter(struct bytes *out, const char *name, const char *help, uint64_t value)
{
	metric(out, name, "counter", help);
	bytes_format(out, "%s %" PRIu64 "\n", name, value);
}

static void gauge(struct bytes *out, const char *name, const char *help, uint64_t value)
{
	metric(out, name, "gauge", help);
	bytes_format(out, "%s %" PRIu64 "\n", name, value);
}

static void by_status(struct bytes *out, const char *name, const char *type, const char *help,
		      const uint64_t values[STATUSES], int first, int last)
{
	metric(out, name, type, help);
	for (int i = first; i <= last; i++)
		bytes_format(out, "%s{status=\"%s\"} %" PRIu64 "\n", name,
			     status_text((enum status)i), values[i]);
}

static void engine_metrics(struct bytes *out, const struct engine_stats *stats)
{
	metric(out, "skald_ends_total", "counter",
	       "Sagas that ended since the server started.");
	for (int i = 0; i < STATUSES; i++) {
		if (status_ended((enum status)i))
			bytes_format(out, "skald_ends_total{status=\"%s\"} %" PRIu64 "\n",
				     status_text((enum status)i), stats->ended[i]);
	}
	gauge(out, "skald_live_sagas", "Sagas that have not ended, in memory.", stats->live);
	gauge(out, "skald_unreadable_sagas", "Stored sagas that cannot be read.",
	      stats->unreadable);
	counter(out, "skald_starts_total", "Sagas begun since the server started.",
		stats->started);
	counter(out, "skald_turns_total", "Turns of the loop.", stats->turns);
	counter(out, "skald_events_total", "Replies, starts, signals, operations and timers.",
		stats->events);
	counter(out, "skald_commands_total", "Commands handed to the bus.", stats->commands);
	counter(out, "skald_commits_total",
		"Batches stored; events by commits is the size of a batch.", stats->commits);
	counter(out, "skald_commit_failures_total", "Batches that could not be stored.",
		stats->commit_failures);
	metric(out, "skald_busy_seconds_total", "counter", "Time spent in turns.");
	bytes_format(out, "skald_busy_seconds_total %" PRId64 ".%03" PRId64 "\n",
		     stats->busy_ms / 1000, stats->busy_ms % 1000);
}

/* One line for each participant; the names are of the alphabet of names. */
struct participant_metric {
	struct bytes *out;
	const char *name;
	size_t offset; /* of the number in struct bus_participant */
};

static void add_participant_line(void *context, const struct bus_participant *participant)
{
	const struct participant_metric *of = context;
	uint32_t value;

	memcpy(&value, (const char *)participant + of->offset, sizeof value);
	bytes_format(of->out, "%s{participant=\"%.*s\"} %" PRIu32 "\n", of->name,
		     SLICE_ARG(participant->name), value);
}

static void participant_metrics(struct bytes *out, struct bus *bus)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} metrics[] = {
		{"skald_participant_processes", "Processes of the participant, connected.",
		 offsetof(struct bus_participant, processes)},
		{"skald_participant_inflight", "Commands pushed and not answered.",
		 offsetof(struct bus_participant, inflight)},
		{"skald_participant_held",
		 "Commands that wait for a process or room in its window.",
		 offsetof(struct bus_participant, held)},
	};

	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
		struct participant_metric of = {out, metrics[i].name, metrics[i].offset};

		metric(out, metrics[i].name, "gauge", metrics[i].help);
		bus_participants(bus, add_participant_line, &of);
	}
}

static void http_metrics(struct bytes *out, const struct gateway *gateway)
{
	metric(out, "skald_http_answers_total", "counter", "Requests answered, by status.");
	for (unsigned i = 2; i < sizeof gateway->answered / sizeof *gateway->answered; i++)
		bytes_format(out, "skald_http_answers_total{class=\"%uxx\"} %" PRIu64 "\n", i,
			     gateway->answered[i]);
	gauge(out, "skald_http_requests", "Requests under way.", gateway->n_requests);
	gauge(out, "skald_watchers", "Streams of events.", gateway->n_watchers);
	counter(out, "skald_watchers_dropped_total", "Streams that were not read fast enough.",
		gateway->watchers_dropped);
}

void route_metrics(struct request *request)
{
	const struct gateway *gateway = request->gateway;
	struct bytes *out = &request->out;
	struct engine_stats stats;
	struct store_counts counts;
	enum err err = store_counts(gateway->parts.store, &counts);

	if (err) {
		request_fail_err(request, err);
		return;
	}
	engine_stats(gateway->parts.engine, &stats);
	by_status(out, "skald_sagas", "gauge", "Sagas in the store.", counts.by_status, 0,
		  STATUSES - 1);
	engine_metrics(out, &stats);
	participant_metrics(out, gateway->parts.bus);
	http_metrics(out, gateway);
	request_answer(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8");
}

/* --- /openapi.json ---------------------------------------------------------------- */

void route_openapi(struct request *request)
{
	bytes_append(&request->out, (struct slice){openapi_json, openapi_json_size});
	request_answer_json(request, MHD_HTTP_OK);
}

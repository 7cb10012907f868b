/* route_state.c - how the server is: for people, for probes, for Prometheus. */
#include "base/json_line.h"
#include "orchestrator/gateway/openapi.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"

#include <inttypes.h>
#include <sys/stat.h>

/* --- /v1/stats -------------------------------------------------------------------- */

struct listing {
	struct bytes *out;
	const struct gateway_parts *parts;
	struct slice name; /* that is looked for */
	bool found;
};

static void add_milliseconds(struct bytes *out, const char *name, int64_t ms)
{
	if (ms < 0)
		json_add_null(out, name);
	else
		json_add_number(out, name, ms);
}

/* "0.25" */
static void add_rate(struct bytes *out, const char *name, uint64_t n, int64_t span_ms)
{
	uint64_t hundredths = n * 100 * 1000 / (uint64_t)span_ms;

	json_add_name(out, name);
	bytes_format(out, "%" PRIu64 ".%02" PRIu64, hundredths / 100, hundredths % 100);
}

static void pace_members(struct bytes *out, const struct pace_report *pace, const char *begun,
			 const char *ended)
{
	add_rate(out, begun, pace->begun, pace->span_ms);
	add_rate(out, ended, pace->ended, pace->span_ms);
	add_milliseconds(out, "p50_ms", pace->p50_ms);
	add_milliseconds(out, "p99_ms", pace->p99_ms);
}

static void limits_member(struct bytes *out, const struct limit_settings *settings)
{
	char rate[LIMIT_RATE_TEXT];

	json_add_name(out, "limits");
	json_begin(out);
	if (settings->window)
		json_add_number(out, "window", settings->window);
	if (settings->rate) {
		limit_rate_format(settings, rate);
		json_add_text(out, "rate", slice_of(rate));
		json_add_number(out, "burst", settings->burst);
	}
	if (settings->failures) {
		json_add_number(out, "failures", settings->failures);
		json_add_number(out, "pause_ms", settings->pause_ms);
	}
	json_end(out);
}

/* What waits at the bus, and what the limits hold back. */
static void participant_members(struct bytes *out, const struct bus_participant *at_bus,
				const struct engine_participant *limited)
{
	char name[NAME_MAX_BYTES + 1];
	size_t len = at_bus->name.len < NAME_MAX_BYTES ? at_bus->name.len : NAME_MAX_BYTES;

	memcpy(name, at_bus->name.at, len);
	name[len] = '\0';
	json_add_name(out, name);
	json_begin(out);
	json_add_number(out, "connected", at_bus->processes);
	json_add_number(out, "inflight", at_bus->inflight);
	json_add_number(out, "held", (int64_t)(at_bus->held + limited->held));
	json_add_number(out, "limited", (int64_t)limited->held);
	if (limited->settings.failures)
		json_add_text(out, "breaker", slice_of(breaker_text(limited->breaker)));
	else
		json_add_null(out, "breaker");
	limits_member(out, &limited->settings);
	pace_members(out, &limited->pace, "sent_per_s", "answered_per_s");
	json_end(out);
}

static void add_participant(void *context, const struct bus_participant *participant)
{
	const struct listing *listing = context;
	struct engine_participant limited;

	if (!engine_participant(listing->parts->engine, participant->name, &limited))
		limited = (struct engine_participant){.pace = {1000, 0, 0, -1, -1}};
	participant_members(listing->out, participant, &limited);
}

static void look_for(void *context, const struct bus_participant *participant)
{
	struct listing *listing = context;

	listing->found |= slice_equal(participant->name, listing->name);
}

/* One that something waits for, and that the bus has forgotten. */
static void add_forgotten(void *context, const struct engine_participant *limited)
{
	struct listing *listing = context;
	const struct bus_participant nobody = {.name = limited->name};

	if (!limited->held && limited->breaker == BREAKER_CLOSED)
		return;
	listing->name = limited->name;
	listing->found = false;
	bus_participants(listing->parts->bus, look_for, listing);
	if (!listing->found)
		participant_members(listing->out, &nobody, limited);
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

static void add_orchestrator(void *context, const struct orchestrator *orchestrator)
{
	struct bytes *out = context;

	json_begin(out);
	json_add_text(out, "url", orchestrator->url);
	json_add_number(out, "shards", orchestrator->shards);
	json_add_time(out, "since", orchestrator->since_ms);
	json_add_bool(out, "here", orchestrator->here);
	json_end(out);
}

/* One that is alone has nothing to tell. */
static void orchestrators_member(struct bytes *out, struct peers *peers)
{
	json_add_name(out, "orchestrators");
	json_begin_list(out);
	if (peers)
		peers_each(peers, add_orchestrator, out);
	json_end_list(out);
}

/* Where `skald backup` finds it; the inode tells it from one of that name elsewhere. */
static void store_member(struct bytes *out, const char *file)
{
	struct stat stat_of;

	if (!file || stat(file, &stat_of) < 0) {
		json_add_null(out, "store_file");
		return;
	}
	json_add_name(out, "store_file");
	json_begin(out);
	json_add_text(out, "path", slice_of(file));
	json_add_number(out, "inode", (int64_t)stat_of.st_ino);
	json_end(out);
}

void route_stats(struct request *request)
{
	const struct gateway_parts *parts = &request->gateway->parts;
	struct bytes *out = &request->out;
	struct listing listing = {.out = out, .parts = parts};
	struct pace_report pace = engine_pace(parts->engine);
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
	bus_participants(parts->bus, add_participant, &listing);
	engine_each_participant(parts->engine, add_forgotten, &listing);
	json_end(out);
	json_add_name(out, "pace");
	json_begin(out);
	json_add_number(out, "span_ms", pace.span_ms);
	pace_members(out, &pace, "started_per_s", "ended_per_s");
	json_end(out);
	json_add_name(out, "engine");
	json_begin(out);
	engine_members(out, &stats);
	json_end(out);
	orchestrators_member(out, parts->peers);
	store_member(out, parts->store_file);
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
	counter(out, "skald_dead_letters_total",
		"Messages that nobody could use, since the server started.", stats->dead);
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

static void add_limited_line(void *context, const struct engine_participant *participant)
{
	bytes_format(context, "skald_participant_limited{participant=\"%.*s\"} %" PRIu64 "\n",
		     SLICE_ARG(participant->name), participant->held);
}

static void add_breaker_line(void *context, const struct engine_participant *participant)
{
	static const int values[] = {0, 2, 1}; /* closed, open, half-open */

	if (participant->settings.failures)
		bytes_format(context, "skald_participant_breaker{participant=\"%.*s\"} %d\n",
			     SLICE_ARG(participant->name), values[participant->breaker]);
}

static void add_opened_line(void *context, const struct engine_participant *participant)
{
	if (participant->settings.failures)
		bytes_format(context,
			     "skald_participant_breaker_opened_total{participant=\"%.*s\"} "
			     "%" PRIu64 "\n",
			     SLICE_ARG(participant->name), participant->breaker_opened);
}

static void limit_metrics(struct bytes *out, const struct engine *engine)
{
	metric(out, "skald_participant_limited", "gauge",
	       "Commands that the participant's limits hold back.");
	engine_each_participant(engine, add_limited_line, out);
	metric(out, "skald_participant_breaker", "gauge",
	       "The participant's breaker: 0 closed, 1 half-open, 2 open.");
	engine_each_participant(engine, add_breaker_line, out);
	metric(out, "skald_participant_breaker_opened_total", "counter",
	       "How often the participant's breaker opened since the server started.");
	engine_each_participant(engine, add_opened_line, out);
}

static void http_metrics(struct bytes *out, const struct gateway *gateway)
{
	metric(out, "skald_http_answers_total", "counter", "Requests answered, by status.");
	for (unsigned i = 2; i < sizeof gateway->answered / sizeof *gateway->answered; i++)
		bytes_format(out, "skald_http_answers_total{class=\"%uxx\"} %" PRIu64 "\n", i,
			     gateway->answered[i]);
	gauge(out, "skald_http_requests", "Requests under way.", gateway->n_requests);
	gauge(out, "skald_forwards", "Requests that other orchestrators are asked now.",
	      gateway->n_forwards);
	counter(out, "skald_forwarded_total", "Times that another orchestrator was asked.",
		gateway->forwarded);
	counter(out, "skald_forward_failures_total",
		"Requests that no owner answered, after all tries.", gateway->forwards_failed);
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
	limit_metrics(out, gateway->parts.engine);
	http_metrics(out, gateway);
	request_answer(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8");
}

/* --- /openapi.json ---------------------------------------------------------------- */

void route_openapi(struct request *request)
{
	bytes_append(&request->out, (struct slice){openapi_json, openapi_json_size});
	request_answer_json(request, MHD_HTTP_OK);
}

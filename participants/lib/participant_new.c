/* participant_new.c - a participant as its host wants it: options to parts. */
#include "bus/port_local.h"
#include "bus/transport.h"
#include "participants/lib/participant.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WINDOW = 1000, WINDOW_MAX = 10000, PROCESS_NAME_SIZE = 64 };

static const int64_t default_horizon_ms = INT64_C(30) * 24 * 60 * 60 * 1000;

/* What the participant of a host owns. */
struct parts {
	char name[PROCESS_NAME_SIZE];    /* of the participant */
	char process[PROCESS_NAME_SIZE]; /* of this process, for people */
	int wake[2];
	struct transport_port port;
	struct guard *guard;
	struct log log;
	skald_log *sink;
	void *sink_context;
	bool has_told, was_connected; /* when it was told last */
};

const char *skald_version(void)
{
	return SKALD_VERSION;
}

/* --- the log of the host ------------------------------------------------------------- */

static void write_line(void *sink, enum log_level level, struct slice line)
{
	const struct parts *parts = sink;
	skald_log_level told = level == LOG_LEVEL_ERROR  ? SKALD_LOG_ERROR
			       : level == LOG_LEVEL_WARN ? SKALD_LOG_WARN
							 : SKALD_LOG_INFO;
	char text[LOG_LINE_MAX + 1];

	assert(line.len <= LOG_LINE_MAX);
	memcpy(text, line.at, line.len);
	text[line.len] = '\0';
	parts->sink(parts->sink_context, told, text);
}

static void init_log(struct parts *parts, const skald_options *options)
{
	if (!options->log)
		return;
	parts->sink = options->log;
	parts->sink_context = options->log_context;
	parts->log = (struct log){LOG_LEVEL_INFO, write_line, parts};
}

static const char *trouble(const void *context)
{
	const struct transport_port *port = &((const struct parts *)context)->port;

	return port->trouble(port->port);
}

/* Once per turn of the loop: tell when the connection came or went, and in the first
 * one when there is none: the path may be a wrong one. */
static void tell(void *context)
{
	struct parts *parts = context;
	const char *reason = trouble(parts);
	const char *event = !reason           ? "connected"
			    : parts->has_told ? "disconnected"
					      : "waiting";
	struct log_line line;

	if (parts->has_told && parts->was_connected == !reason)
		return;
	parts->has_told = true;
	parts->was_connected = !reason;
	log_begin(&line, &parts->log, reason ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, event);
	log_text(&line, "participant", slice_of(parts->name));
	if (reason)
		log_text(&line, "why", slice_of(reason));
	log_end(&line);
}

/* --- the parts -------------------------------------------------------------------------- */

static void close_parts(void *context)
{
	struct parts *parts = context;

	guard_close(parts->guard);
	port_close(parts->port.port);
	for (int i = 0; i < 2; i++)
		if (parts->wake[i] >= 0)
			close(parts->wake[i]);
	free(parts);
}

static enum err check(const skald_options *options, struct diag *diag)
{
	const skald_transport *transport = options->transport;

	if (transport && strcmp(transport->version, SKALD_VERSION) != 0)
		return diag_set(
			diag, ERR_INVALID,
			"transport: it is of version %.20s of its library, and libskald of "
			"%s; both have to be the same",
			transport->version, SKALD_VERSION);
	if (!transport && (!options->bus || strncmp(options->bus, "local:", 6) != 0))
		return diag_set(
			diag, ERR_INVALID,
			"bus: \"%.100s\" is none; give local:PATH, with the path of the "
			"orchestrator's socket",
			options->bus ? options->bus : "");
	if (!options->barrier)
		return diag_set(diag, ERR_INVALID,
				"barrier: there has to be one; see skald/barrier.h");
	if (options->window > WINDOW_MAX)
		return diag_set(diag, ERR_INVALID, "window: %u is over %d", options->window,
				WINDOW_MAX);
	if (options->batch > PARTICIPANT_BATCH_MAX)
		return diag_set(diag, ERR_INVALID, "batch: %u is over %d", options->batch,
				PARTICIPANT_BATCH_MAX);
	if (options->horizon_ms < 0)
		return diag_set(diag, ERR_INVALID, "horizon_ms: %lld is less than 0",
				(long long)options->horizon_ms);
	return OK;
}

static enum err make_wake(struct parts *parts, struct diag *diag)
{
	if (pipe(parts->wake) != 0) {
		parts->wake[0] = parts->wake[1] = -1;
		return diag_set(diag, ERR_IO, "cannot make a pipe: %s", strerror(errno));
	}
	for (int i = 0; i < 2; i++)
		if (fcntl(parts->wake[i], F_SETFD, FD_CLOEXEC) != 0 ||
		    fcntl(parts->wake[i], F_SETFL, O_NONBLOCK) != 0)
			return diag_set(diag, ERR_IO, "cannot set up a pipe: %s",
					strerror(errno));
	return OK;
}

static enum err open_local(struct parts *parts, const char *path, uint32_t window,
			   struct diag *diag)
{
	struct port_local_setup setup = {
		.link = {.path = path, .clock = clock_system(), .wake_fd = parts->wake[0]},
		.session = {.participant = parts->name,
			    .name = parts->process,
			    .window = window},
	};

	parts->port.trouble = port_local_trouble;
	return port_local_open(&setup, &parts->port.port, diag);
}

static enum err open_port(struct parts *parts, const skald_options *options, struct diag *diag)
{
	const skald_transport *transport = options->transport;
	const struct transport_request request = {
		.participant = parts->name,
		.window = options->window ? options->window : WINDOW,
		.wake_fd = parts->wake[0],
		.clock = clock_system(),
		.log = &parts->log,
	};

	if (transport)
		return transport->open(transport, &request, &parts->port, diag);
	return open_local(parts, options->bus + strlen("local:"), request.window, diag);
}

static enum err open_guard(struct parts *parts, const char *path, struct diag *diag)
{
	struct slice fatal;
	struct log_line line;
	enum err err;

	if (!path)
		return OK;
	err = guard_open(path, &parts->guard, &fatal, diag);
	if (err || !fatal.len)
		return err;
	log_begin(&line, &parts->log, LOG_LEVEL_WARN, "died-of-a-command");
	log_text(&line, "command", fatal);
	log_number(&line, "deaths", guard_deaths(parts->guard, fatal));
	log_end(&line);
	return OK;
}

static enum err open_parts(struct parts *parts, const char *name, const skald_options *options,
			   struct diag *diag)
{
	int len = snprintf(parts->name, sizeof parts->name, "%s", name);
	enum err err;

	if (len < 0 || (size_t)len >= sizeof parts->name)
		return diag_set(diag, ERR_TOO_LARGE, "the name %.100s... has over %d bytes",
				name, PROCESS_NAME_SIZE - 1);
	snprintf(parts->process, sizeof parts->process, "%.40s %ld", name, (long)getpid());
	init_log(parts, options);
	err = make_wake(parts, diag);
	err = err ? err : open_port(parts, options, diag);
	return err ? err : open_guard(parts, options->guard, diag);
}

/* --- the participant -----------------------------------------------------------------------
 */

static enum err make(struct parts *parts, const skald_options *options, skald_participant **out,
		     struct diag *diag)
{
	struct participant_host host = {tell, trouble, close_parts, parts};
	int64_t horizon_ms = options->horizon_ms ? options->horizon_ms : default_horizon_ms;
	skald_participant *participant =
		participant_open(parts->port.port, barrier_of(options->barrier), clock_system(),
				 horizon_ms == SKALD_FOR_EVER ? 0 : horizon_ms);
	enum err err = participant ? OK : ERR_NOMEM;

	if (!err && options->batch)
		err = participant_set_batch(participant, options->batch);
	if (err) {
		skald_participant_free(participant);
		return diag_set(diag, err, "out of memory for the participant");
	}
	participant_set_guard(participant, parts->guard);
	participant_set_log(participant, &parts->log);
	participant_set_wake(participant, parts->wake);
	participant_set_host(participant, &host);
	*out = participant;
	return OK;
}

skald_participant *skald_participant_new(const char *name, const skald_options *options)
{
	struct diag diag = {"out of memory for the participant"};
	skald_participant *participant = NULL;
	struct parts *parts = NULL;
	enum err err = check(options, &diag);

	if (!err) {
		parts = calloc(1, sizeof *parts);
		err = parts ? OK : ERR_NOMEM;
	}
	if (!err) {
		parts->wake[0] = parts->wake[1] = -1;
		err = open_parts(parts, name, options, &diag);
	}
	if (!err)
		err = make(parts, options, &participant, &diag);
	if (!err)
		return participant;
	if (parts)
		close_parts(parts);
	if (options->error)
		snprintf(options->error->text, sizeof options->error->text, "%.100s: %.400s",
			 name, diag.text);
	return NULL;
}

#include "participants/lib/participant.h"

#include "base/fault_point.h"
#include "base/utf8.h"
#include "participants/lib/command.h"
#include "participants/lib/deferral.h"
#include "participants/lib/inquiry.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { WAIT_MS = 1000, TROUBLE_FIRST_MS = 50, TROUBLE_MAX_MS = 2000 };

/* A poll comes back after so many batches, though there may be more to do. */
enum { POLL_BATCHES_MAX = 16 };

struct registration {
	struct registration *next;
	char *command;
	skald_handler *handler;
	void *context;
};

struct skald_participant {
	struct port *port;
	struct barrier *barrier;
	const struct clock *clock;
	int64_t horizon_ms;
	struct guard *guard; /* NULL: none */
	struct log log;
	struct registration *handlers;

	/* The batch: what was taken and is not answered yet, in order. It is kept
	 * until it could be committed; meanwhile nothing else is taken. */
	struct job *jobs;
	struct reply_message *replies; /* of the jobs, by number */
	size_t n_jobs;
	size_t jobs_max;
	struct arena arena;

	struct deferrals deferrals;
	struct later_box *box;
	int wake[2]; /* a pipe, borrowed; -1: none */
	struct participant_host host;
	int stopping;
	int trouble_ms; /* how long to wait after the store failed; 0: it did not */
};

/* Why a transaction came to nothing. */
enum failure {
	NONE,
	OF_COMMAND, /* one of its commands cannot be answered */
	OF_STORE,   /* it could not be begun or committed */
};

/* --- running one command ------------------------------------------------------------ */

struct running {
	skald_participant *participant;
	struct job *job;
	skald_deferred *deferred; /* the handler answers later */
};

static const struct registration *find_handler(const skald_participant *participant,
					       struct slice command)
{
	const struct registration *handler = participant->handlers;

	while (handler && !slice_is(command, handler->command))
		handler = handler->next;
	return handler;
}

static uint32_t deaths(const skald_participant *participant, const struct job *job)
{
	return participant->guard && !job->answered
		       ? guard_deaths(participant->guard, job->command.id)
		       : 0;
}

static bool run(void *context, const struct command_message *message, struct arena *arena,
		struct reply_message *reply)
{
	struct running *running = context;
	skald_participant *participant = running->participant;
	const struct registration *handler;

	if (running->job->answered) {
		if (later_read(running->job->answered, arena, reply))
			command_fail(reply, (struct slice){0}, (struct slice){0});
		return true;
	}
	handler = find_handler(participant, message->command);
	if (!handler) {
		command_fail(reply, SLICE_LITERAL("unknown-command"),
			     SLICE_LITERAL("this participant has no handler for the command"));
		return true;
	}
	if (deaths(participant, running->job) >= GUARD_DEATHS_MAX) {
		command_fail(reply, SLICE_LITERAL("crash-loop"),
			     SLICE_LITERAL("three processes of this participant died of it, so "
					   "it runs no more; mend its handler, then retry the "
					   "step"));
		return true;
	}
	if (participant->guard)
		guard_enter(participant->guard, message->id);
	running->deferred = command_run(message, handler->handler, handler->context,
					participant->box, arena, reply);
	if (participant->guard)
		guard_leave(participant->guard);
	return !running->deferred;
}

/* --- a batch -------------------------------------------------------------------------- */

/* A job that another one has taken over: a held or deferred command. */
static void leave(struct job *job)
{
	job->command.id = (struct slice){0};
}

static bool has_left(const struct job *job)
{
	return !job->command.id.len;
}

/* From here on it is up to whoever answers. Where that cannot be remembered the
 * command fails, and what is done for it elsewhere is done in vain. */
static void keep_deferred(skald_participant *participant, struct running *running,
			  struct reply_message *reply)
{
	if (deferrals_add(&participant->deferrals, &running->job->command, running->deferred)) {
		leave(running->job);
		return;
	}
	later_abandon(running->deferred);
	command_fail(reply, SLICE_LITERAL("out-of-memory"), (struct slice){0});
}

static enum err answer(struct barrier_desk *desk, skald_participant *participant,
		       struct job *job, struct reply_message *reply)
{
	struct running running = {.participant = participant, .job = job};
	enum barrier_answer answer = BARRIER_ANSWERED;
	bool held = false;
	enum err err = OK;

	if (has_left(job))
		return OK;
	if (!job->answered)
		err = deferrals_hold(&participant->deferrals, &job->command, &held);
	if (held && !err)
		leave(job);
	if (held || err)
		return err;
	desk->context = &running;
	err = barrier_answer(desk, &job->command, reply, &answer);
	if (answer == BARRIER_LATER)
		keep_deferred(participant, &running, reply);
	return err;
}

static enum err prune(skald_participant *participant, int64_t now_ms, size_t n)
{
	struct barrier *barrier = participant->barrier;
	int64_t before_ms = now_ms - participant->horizon_ms - PARTICIPANT_PRUNE_MARGIN_MS;

	if (!participant->horizon_ms || !barrier->ops->prune)
		return OK;
	return barrier->ops->prune(barrier, before_ms, 2 * n + 16);
}

static const char *why(const skald_participant *participant)
{
	struct barrier *barrier = participant->barrier;

	return barrier->ops->why ? barrier->ops->why(barrier) : NULL;
}

static void log_failure(const skald_participant *participant, const char *event, enum err err)
{
	const char *reason = why(participant);
	struct log_line line;

	log_begin(&line, &participant->log, LOG_LEVEL_ERROR, event);
	log_text(&line, "error", slice_of(reason ? reason : err_text(err)));
	log_end(&line);
}

/* One transaction around n jobs, whose replies may be sent if it is OK. */
static enum failure transact(skald_participant *participant, struct job *jobs,
			     struct reply_message *replies, size_t n)
{
	struct barrier *barrier = participant->barrier;
	struct barrier_desk desk = {.barrier = barrier,
				    .now_ms = clock_now_ms(participant->clock),
				    .horizon_ms = participant->horizon_ms,
				    .run = run,
				    .arena = &participant->arena};
	enum err err = barrier->ops->begin(barrier);

	if (err) {
		log_failure(participant, "begin-failed", err);
		return OF_STORE;
	}
	FAULT_POINT("participant.begun");
	for (size_t i = 0; i < n && !err; i++)
		err = answer(&desk, participant, &jobs[i], &replies[i]);
	if (err) {
		log_failure(participant, "transaction-failed", err);
		barrier->ops->rollback(barrier);
		return OF_COMMAND;
	}
	err = prune(participant, desk.now_ms, n);
	FAULT_POINT("participant.before-commit");
	if (!err)
		err = barrier->ops->commit(barrier);
	FAULT_POINT("participant.committed");
	if (!err)
		return NONE;
	log_failure(participant, "commit-failed", err);
	barrier->ops->rollback(barrier);
	return OF_STORE;
}

/* --- what came of it -----------------------------------------------------------------------
 */

/* True: it was answered. A bus that is busy brings the command back. */
static bool send_reply(skald_participant *participant, struct job *job,
		       const struct reply_message *reply)
{
	struct reply_message bare = {.id = reply->id, .attempt = reply->attempt};
	struct log_line line;
	enum err err = port_reply(participant->port, reply);

	if (!err || err_retriable(err))
		return !err;
	log_begin(&line, &participant->log, LOG_LEVEL_ERROR, "bad-reply");
	log_text(&line, "command", job->command.id);
	log_text(&line, "error", slice_of(err_text(err)));
	log_end(&line);
	command_fail(&bare, SLICE_LITERAL("bad-reply"),
		     SLICE_LITERAL("its answer is none that can be sent"));
	return port_reply(participant->port, &bare) == OK;
}

/* The job is committed, or has failed for good: answer it. */
static size_t settle(skald_participant *participant, struct job *job,
		     const struct reply_message *reply)
{
	struct skald_deferred *answered = job->answered;
	bool sent;

	if (has_left(job))
		return 0;
	if (deaths(participant, job) && deaths(participant, job) < GUARD_DEATHS_MAX)
		guard_clear(participant->guard, job->command.id);
	sent = send_reply(participant, job, reply);
	FAULT_POINT("participant.replied");
	if (answered)
		later_free(answered);
	leave(job);
	return sent;
}

static void drop_jobs_that_left(skald_participant *participant)
{
	size_t n = 0;

	for (size_t i = 0; i < participant->n_jobs; i++)
		if (!has_left(&participant->jobs[i]))
			participant->jobs[n++] = participant->jobs[i];
	participant->n_jobs = n;
}

/* It could not be kept, and so it has failed. */
static size_t fail(skald_participant *participant, struct job *job)
{
	struct reply_message reply = {.id = job->command.id, .attempt = job->command.attempt};
	const char *reason = why(participant);

	command_fail(&reply, SLICE_LITERAL("not-kept"),
		     utf8_cut(slice_of(reason), COMMAND_TEXT_MAX));
	return settle(participant, job, &reply);
}

/* Nothing is taken until the store works again. */
static void make_pause(skald_participant *participant)
{
	int ms = participant->trouble_ms ? participant->trouble_ms * 2 : TROUBLE_FIRST_MS;

	participant->trouble_ms = ms < TROUBLE_MAX_MS ? ms : TROUBLE_MAX_MS;
}

/* Together they came to nothing, so each has a transaction of its own. What cannot
 * be committed even so, while others can, has failed. */
static size_t work_singly(skald_participant *participant, size_t n)
{
	size_t n_sent = 0, n_kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct job *job = &participant->jobs[i];
		struct reply_message reply;
		enum failure failure;

		arena_reset(&participant->arena);
		failure = has_left(job) ? OF_STORE : transact(participant, job, &reply, 1);
		if (failure == NONE)
			n_sent += settle(participant, job, &reply);
		else if (failure == OF_COMMAND)
			n_sent += fail(participant, job);
		n_kept += failure != OF_STORE;
	}
	if (!n_kept)
		make_pause(participant);
	for (size_t i = 0; n_kept && i < n; i++)
		n_sent += fail(participant, &participant->jobs[i]);
	return n_sent;
}

/* How many jobs the next transaction may hold. One that a process has died of, and
 * may die of again, is alone with that. */
static size_t next_part(const skald_participant *participant)
{
	size_t n = participant->n_jobs;

	if (!barrier_has_marks(participant->barrier))
		return 1;
	if (participant->guard)
		for (size_t i = 0; i < n; i++) {
			uint32_t n_deaths = deaths(participant, &participant->jobs[i]);

			if (n_deaths && n_deaths < GUARD_DEATHS_MAX)
				return i ? i : 1;
		}
	return n;
}

/* Returns how many were answered; what is left is tried again later. */
static size_t work(skald_participant *participant)
{
	size_t n = next_part(participant), n_sent = 0;
	enum failure failure;

	arena_reset(&participant->arena);
	failure = transact(participant, participant->jobs, participant->replies, n);
	if (failure == NONE) {
		participant->trouble_ms = 0;
		for (size_t i = 0; i < n; i++)
			n_sent += settle(participant, &participant->jobs[i],
					 &participant->replies[i]);
	} else if (n > 1) {
		n_sent = work_singly(participant, n);
	} else if (failure == OF_COMMAND) {
		n_sent = fail(participant, participant->jobs);
	} else {
		make_pause(participant);
	}
	drop_jobs_that_left(participant);
	return n_sent;
}

/* --- polling --------------------------------------------------------------------------------
 */

static size_t size_of(const struct command_message *command)
{
	return 2 * (command->args.len + command->output.len) + 512;
}

/* Fill the batch with what is there. */
static void take(skald_participant *participant)
{
	skald_deferred *answered;
	size_t size = 0;

	while ((answered = later_take(participant->box)))
		deferrals_answered(&participant->deferrals, answered);
	while (participant->n_jobs < participant->jobs_max && size < PARTICIPANT_BATCH_BYTES) {
		struct job *job = &participant->jobs[participant->n_jobs];

		*job = (struct job){0};
		if (!deferrals_take(&participant->deferrals, job) &&
		    !port_poll(participant->port, &job->command))
			return;
		size += size_of(&job->command);
		participant->n_jobs++;
	}
}

/* One, so that the commands behind it need not wait for all that may be asked. */
static void answer_inquiry(skald_participant *participant)
{
	int64_t horizon_ms = participant->horizon_ms;
	struct inquiry_message inquiry;
	struct records_message records;

	if (participant->n_jobs || !port_inquiry(participant->port, &inquiry))
		return;
	arena_reset(&participant->arena);
	inquiry_answer(participant->barrier, &inquiry,
		       horizon_ms ? clock_now_ms(participant->clock) - horizon_ms : 0,
		       &participant->arena, &records);
	port_records(participant->port, &records);
	port_pump(participant->port, 0);
}

static bool is_stopping(const skald_participant *participant)
{
	return __atomic_load_n(&participant->stopping, __ATOMIC_RELAXED);
}

size_t skald_participant_poll(skald_participant *participant)
{
	size_t n_sent = 0;

	port_pump(participant->port, 0);
	for (int n = 0; n < POLL_BATCHES_MAX && !is_stopping(participant); n++) {
		answer_inquiry(participant);
		if (!participant->n_jobs)
			take(participant);
		if (!participant->n_jobs)
			break;
		while (participant->n_jobs) {
			n_sent += work(participant);
			port_pump(participant->port, 0);
			FAULT_POINT("participant.pumped");
			if (participant->trouble_ms)
				return n_sent;
		}
	}
	return n_sent;
}

/* --- waiting --------------------------------------------------------------------------------
 */

static void empty_pipe(const skald_participant *participant)
{
	char bytes[64];

	while (read(participant->wake[0], bytes, sizeof bytes) == sizeof bytes)
		;
}

static void sleep_or_wake(const skald_participant *participant, int timeout_ms)
{
	struct pollfd wake = {.fd = participant->wake[0], .events = POLLIN};

	poll(&wake, 1, timeout_ms);
}

void skald_participant_wait(skald_participant *participant, int timeout_ms)
{
	int trouble_ms = participant->trouble_ms;

	if (is_stopping(participant))
		return;
	if (trouble_ms)
		sleep_or_wake(participant, timeout_ms < trouble_ms ? timeout_ms : trouble_ms);
	else
		port_pump(participant->port, timeout_ms);
	if (participant->wake[0] >= 0)
		empty_pipe(participant);
	if (participant->host.turn)
		participant->host.turn(participant->host.context);
}

const char *skald_participant_trouble(const skald_participant *participant)
{
	const struct participant_host *host = &participant->host;

	return host->trouble ? host->trouble(host->context) : NULL;
}

void skald_participant_run(skald_participant *participant)
{
	while (!is_stopping(participant)) {
		skald_participant_wait(participant, WAIT_MS);
		skald_participant_poll(participant);
	}
	__atomic_store_n(&participant->stopping, 0, __ATOMIC_RELAXED);
}

void skald_participant_stop(skald_participant *participant)
{
	int saved = errno;
	ssize_t n;

	__atomic_store_n(&participant->stopping, 1, __ATOMIC_RELAXED);
	if (participant->wake[1] >= 0) {
		n = write(participant->wake[1], "", 1);
		(void)n; /* a full pipe wakes as well */
	}
	errno = saved;
}

/* --- putting it together --------------------------------------------------------------------
 */

bool skald_participant_on(skald_participant *participant, const char *command,
			  skald_handler *handler, void *context)
{
	struct registration *registration;

	if (find_handler(participant, slice_of(command)))
		return false;
	registration = malloc(sizeof *registration);
	if (!registration)
		return false;
	*registration =
		(struct registration){participant->handlers, strdup(command), handler, context};
	if (!registration->command) {
		free(registration);
		return false;
	}
	participant->handlers = registration;
	return true;
}

void participant_set_guard(skald_participant *participant, struct guard *guard)
{
	participant->guard = guard;
}

void participant_set_log(skald_participant *participant, const struct log *log)
{
	participant->log = *log;
}

void participant_set_wake(skald_participant *participant, const int wake[2])
{
	participant->wake[0] = wake[0];
	participant->wake[1] = wake[1];
	later_box_set_wake(participant->box, wake[1]);
}

void participant_set_host(skald_participant *participant, const struct participant_host *host)
{
	participant->host = *host;
}

enum err participant_set_batch(skald_participant *participant, size_t batch)
{
	struct job *jobs = calloc(batch, sizeof *jobs);
	struct reply_message *replies = calloc(batch, sizeof *replies);

	assert(batch >= 1 && batch <= PARTICIPANT_BATCH_MAX && !participant->n_jobs);
	if (!jobs || !replies) {
		free(jobs);
		free(replies);
		return ERR_NOMEM;
	}
	free(participant->jobs);
	free(participant->replies);
	participant->jobs = jobs;
	participant->replies = replies;
	participant->jobs_max = batch;
	return OK;
}

skald_participant *participant_open(struct port *port, struct barrier *barrier,
				    const struct clock *clock, int64_t horizon_ms)
{
	skald_participant *participant = calloc(1, sizeof *participant);

	if (!participant)
		return NULL;
	participant->port = port;
	participant->barrier = barrier;
	participant->clock = clock;
	participant->horizon_ms = horizon_ms;
	participant->wake[0] = participant->wake[1] = -1;
	FAULT_POINT("participant.opened");
	deferrals_init(&participant->deferrals);
	participant->box = later_box_new();
	if (!participant->box || participant_set_batch(participant, PARTICIPANT_BATCH)) {
		skald_participant_free(participant);
		return NULL;
	}
	return participant;
}

void skald_participant_free(skald_participant *participant)
{
	if (!participant)
		return;
	for (size_t i = 0; i < participant->n_jobs; i++)
		if (participant->jobs[i].answered)
			later_free(participant->jobs[i].answered);
	deferrals_release(&participant->deferrals);
	if (participant->box)
		later_box_close(participant->box);
	while (participant->handlers) {
		struct registration *registration = participant->handlers;

		participant->handlers = registration->next;
		free(registration->command);
		free(registration);
	}
	arena_release(&participant->arena);
	free(participant->jobs);
	free(participant->replies);
	if (participant->host.close)
		participant->host.close(participant->host.context);
	free(participant);
}

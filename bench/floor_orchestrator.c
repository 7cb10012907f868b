#include "bench/floor_orchestrator.h"
#include "bench/floor_db.h"
#include "bench/floor_link.h"
#include "bench/floor_program.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* The index is of the unfinished sagas alone: what a restart would load. */
static const char schema[] =
	"CREATE TABLE saga (id INTEGER PRIMARY KEY, status INTEGER NOT NULL,"
	" started_us INTEGER NOT NULL, ended_us INTEGER, data BLOB NOT NULL);"
	"CREATE INDEX unfinished ON saga (started_us) WHERE ended_us IS NULL";

enum { ADD_SAGA, SET_SAGA, END_SAGA };
static const char *const statements[] = {
	[ADD_SAGA] = "INSERT INTO saga VALUES (?1, ?2, ?3, NULL, ?4)",
	[SET_SAGA] = "UPDATE saga SET status = ?2, data = ?4 WHERE id = ?1",
	[END_SAGA] = "UPDATE saga SET status = ?2, ended_us = ?3, data = ?4 WHERE id = ?1",
	NULL,
};

struct orchestrator {
	const struct floor_plan *plan;
	struct floor_db db;
	struct floor_link links[N_FLOOR_SERVICES];
	struct floor_saga *sagas; /* those in flight, inflight_max of them */
	uint32_t *free_slots;
	uint32_t n_free;
	uint32_t n_started;
	uint32_t n_ended;
	int64_t now_us;     /* the time of this turn */
	int64_t *ending_us; /* when those that end in this turn had started */
	uint32_t n_ending;
	bool in_transaction;
	struct floor_figures *figures;
};

/* --- one saga -------------------------------------------------------------------- */

static bool has_ended(const struct floor_saga *saga)
{
	return saga->status == FLOOR_COMPLETED || saga->status == FLOOR_COMPENSATED;
}

/* What a reply means. False: nothing that this saga waits for. */
static bool advance(struct floor_saga *saga, const struct floor_frame *reply)
{
	bool ok = reply->outcome == FLOOR_OK;

	if (reply->saga != saga->id || has_ended(saga) || reply->step != saga->step ||
	    reply->verb != saga->verb)
		return false;
	saga->revision++;
	memcpy(saga->output, reply->payload, sizeof saga->output);
	if (saga->verb == FLOOR_UNDO) {
		saga->status = FLOOR_COMPENSATED;
		return ok;
	}
	switch ((enum floor_step)saga->step) {
	case FLOOR_RESERVE: saga->step = FLOOR_CHARGE; return ok;
	case FLOOR_CHARGE:
		saga->step = ok ? FLOOR_CONFIRM : FLOOR_RESERVE;
		saga->verb = ok ? FLOOR_DO : FLOOR_UNDO;
		saga->status = ok ? FLOOR_RUNNING : FLOOR_COMPENSATING;
		return ok || reply->outcome == FLOOR_REFUSED;
	case FLOOR_CONFIRM: saga->status = FLOOR_COMPLETED; return ok;
	}
	return false;
}

static enum err write_saga(struct orchestrator *o, int statement, const struct floor_saga *saga,
			   struct diag *diag)
{
	sqlite3_stmt *write = o->db.statements[statement];

	sqlite3_bind_int64(write, 1, (sqlite3_int64)saga->id);
	sqlite3_bind_int(write, 2, saga->status);
	if (statement != SET_SAGA)
		sqlite3_bind_int64(write, 3, o->now_us);
	sqlite3_bind_blob(write, 4, saga, sizeof *saga, SQLITE_STATIC);
	return floor_db_write(&o->db, write, diag);
}

static void queue_command(struct orchestrator *o, uint32_t slot)
{
	const struct floor_saga *saga = &o->sagas[slot];
	struct floor_frame frame = {.saga = saga->id,
				    .slot = slot,
				    .step = saga->step,
				    .verb = saga->verb,
				    .order = saga->order};

	memcpy(frame.payload, saga->input, sizeof frame.payload);
	floor_link_queue(
		&o->links[saga->step == FLOOR_CHARGE ? FLOOR_PAYMENT : FLOOR_INVENTORY],
		&frame);
}

/* --- one turn: replies and starts, one commit, then the commands ------------------- */

static enum err begin(struct orchestrator *o, struct diag *diag)
{
	if (o->in_transaction)
		return OK;
	o->in_transaction = true;
	return floor_db_begin(&o->db, diag);
}

static enum err take_reply(struct orchestrator *o, const struct floor_frame *reply,
			   struct diag *diag)
{
	bool known = reply->slot < o->plan->inflight_max;
	struct floor_saga *saga = known ? &o->sagas[reply->slot] : NULL;

	if (!known || !advance(saga, reply))
		return diag_set(diag, ERR_CORRUPT, "saga %llu got a reply it does not wait for",
				(unsigned long long)reply->saga);
	if (!has_ended(saga)) {
		queue_command(o, reply->slot);
		return write_saga(o, SET_SAGA, saga, diag);
	}
	o->ending_us[o->n_ending++] = saga->started_us;
	o->free_slots[o->n_free++] = reply->slot;
	return write_saga(o, END_SAGA, saga, diag);
}

static enum err take_replies(struct orchestrator *o, struct floor_link *link, struct diag *diag)
{
	size_t n;
	enum err err = floor_link_receive(link, &n, diag);

	if (!err && n == 0)
		err = diag_set(diag, ERR_IO, "%s ended before the sagas did", link->peer);
	err = err ? err : begin(o, diag);
	for (size_t i = 0; !err && i < n; i++) {
		struct floor_frame frame = floor_link_frame(link, i);

		err = take_reply(o, &frame, diag);
	}
	floor_link_consume(link, n);
	return err;
}

static enum err start_sagas(struct orchestrator *o, struct diag *diag)
{
	enum err err = OK;

	while (!err && o->n_free > 0 && o->n_started < o->plan->n_sagas) {
		uint32_t slot = o->free_slots[--o->n_free];
		struct floor_saga *saga = &o->sagas[slot];

		*saga = (struct floor_saga){
			.id = ++o->n_started, .started_us = o->now_us, .revision = 1};
		saga->order = floor_order_of(saga->id, o->plan->decline_percent);
		memset(saga->input, 'i', sizeof saga->input);
		err = begin(o, diag);
		err = err ? err : write_saga(o, ADD_SAGA, saga, diag);
		queue_command(o, slot);
	}
	return err;
}

/* Nothing is sent that is not stored, and no saga has ended before that. */
static enum err commit_and_send(struct orchestrator *o, struct diag *diag)
{
	enum err err = OK;

	if (o->in_transaction) {
		err = floor_db_commit(&o->db, diag);
		o->in_transaction = false;
		o->figures->n_commits++;
	}
	if (!err && o->n_ending > 0) {
		int64_t now_us = floor_now_us();

		for (uint32_t i = 0; i < o->n_ending; i++)
			o->figures->latencies_us[o->n_ended++] =
				(uint32_t)(now_us - o->ending_us[i]);
		o->n_ending = 0;
	}
	for (size_t i = 0; !err && i < N_FLOOR_SERVICES; i++)
		err = floor_link_flush(&o->links[i], false, diag);
	return err;
}

static enum err turn(struct orchestrator *o, struct diag *diag)
{
	struct pollfd fds[N_FLOOR_SERVICES];
	bool can_start = o->n_free > 0 && o->n_started < o->plan->n_sagas;
	enum err err = OK;

	for (size_t i = 0; i < N_FLOOR_SERVICES; i++)
		fds[i] = (struct pollfd){
			.fd = o->links[i].fd,
			.events = (short)(POLLIN | (o->links[i].out_bytes ? POLLOUT : 0))};
	if (poll(fds, N_FLOOR_SERVICES, can_start ? 0 : -1) < 0 && errno != EINTR)
		return diag_set(diag, ERR_IO, "cannot wait for replies: %s", strerror(errno));
	if (*o->plan->stop)
		return diag_set(diag, ERR_UNAVAILABLE, "a signal asked to end");
	o->now_us = floor_now_us();
	for (size_t i = 0; !err && i < N_FLOOR_SERVICES; i++) {
		if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
			err = take_replies(o, &o->links[i], diag);
	}
	err = err ? err : start_sagas(o, diag);
	return err ? err : commit_and_send(o, diag);
}

/* --- the whole run ------------------------------------------------------------------- */

static enum err set_up(struct orchestrator *o, struct diag *diag)
{
	const struct floor_plan *plan = o->plan;
	enum err err = OK;

	for (size_t i = 0; i < N_FLOOR_SERVICES; i++)
		o->links[i].fd = plan->fds[i];
	for (size_t i = 0; !err && i < N_FLOOR_SERVICES; i++)
		err = floor_link_init(&o->links[i], plan->fds[i],
				      floor_service_name((enum floor_service)i),
				      plan->inflight_max, diag);
	err = err ? err : floor_db_create(&o->db, plan->path, schema, statements, diag);
	if (err)
		return err;
	o->sagas = calloc(plan->inflight_max, sizeof *o->sagas);
	o->free_slots = malloc(plan->inflight_max * sizeof *o->free_slots);
	o->ending_us = malloc(plan->inflight_max * sizeof *o->ending_us);
	o->figures->latencies_us = malloc(plan->n_sagas * sizeof *o->figures->latencies_us);
	if (!o->sagas || !o->free_slots || !o->ending_us || !o->figures->latencies_us)
		return diag_set(diag, ERR_NOMEM, "out of memory for %u sagas, %u in flight",
				plan->n_sagas, plan->inflight_max);
	while (o->n_free < plan->inflight_max) {
		o->free_slots[o->n_free] = plan->inflight_max - 1 - o->n_free;
		o->n_free++;
	}
	return OK;
}

/* The frame that a service sends when its file is there. */
static enum err wait_until_ready(struct floor_link *link, struct diag *diag)
{
	size_t n;
	enum err err = floor_link_receive(link, &n, diag);

	if (!err && n == 0)
		err = diag_set(diag, ERR_IO, "%s did not start", link->peer);
	floor_link_consume(link, n);
	return err;
}

static enum err run(struct orchestrator *o, struct diag *diag)
{
	int64_t began_us = floor_now_us();
	double cpu_began_s = floor_cpu_s();
	enum err err = OK;

	while (!err && o->n_ended < o->plan->n_sagas)
		err = turn(o, diag);
	o->figures->seconds = (double)(floor_now_us() - began_us) / 1e6;
	o->figures->cpu_s = floor_cpu_s() - cpu_began_s;
	return err;
}

enum err floor_orchestrate(const struct floor_plan *plan, struct floor_figures *figures,
			   struct diag *diag)
{
	struct orchestrator o = {.plan = plan, .figures = figures};
	enum err err = set_up(&o, diag);

	for (size_t i = 0; !err && i < N_FLOOR_SERVICES; i++)
		err = wait_until_ready(&o.links[i], diag);
	err = err ? err : run(&o, diag);
	if (!err)
		floor_sort_latencies(figures->latencies_us, plan->n_sagas);
	for (size_t i = 0; i < N_FLOOR_SERVICES; i++)
		floor_link_release(&o.links[i]);
	floor_db_release(&o.db);
	free(o.sagas);
	free(o.free_slots);
	free(o.ending_us);
	return err;
}

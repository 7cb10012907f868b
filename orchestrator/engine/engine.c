#include "orchestrator/engine/engine.h"

#include "orchestrator/engine/address.h"
#include "orchestrator/engine/live.h"
#include "orchestrator/store/record.h"

#include "base/utf8.h"

#include <stdlib.h>

/* How long until a full queue, or a store that failed, is tried again. */
enum { RETRY_SEND_MS = 100, RETRY_STORE_MS = 100 };

/* Payloads fill a saga up to here; the rest of SAGA_BYTES_MAX is for what it has
 * to take whatever comes: errors, and its own output. */
enum { SAGA_FULL = SAGA_BYTES_MAX - 1024 * 1024 };

/* Of what a participant says about a refusal or failure; more is cut off. */
enum { CODE_MAX = 64, TEXT_MAX = 1024 };

struct engine {
	struct engine_parts parts;
	struct live_table table;
	struct arena batch;   /* all that is decided and not stored yet */
	struct arena records; /* the bytes that are being stored */
	struct live *dirty;   /* the sagas that the batch changed */
	size_t n_dirty;
	struct audit_entry audit; /* of the operation in the batch */
	bool has_audit;
	struct live *starting;        /* by engine_start; NULL once its id was found taken */
	struct inbox_message message; /* the newest one that was polled */
	bool holds_message;           /* it could not be taken yet */
};

/* Numbers go over the wire: both sides must mean the same. */
_Static_assert((int)MESSAGE_DO == VERB_DO && (int)MESSAGE_REVOKE == VERB_REVOKE, "verbs");
_Static_assert((int)MESSAGE_OK == OUTCOME_OK && (int)MESSAGE_EXPIRED == OUTCOME_EXPIRED,
	       "outcomes");

/* --- definitions -------------------------------------------------------------------- */

static const struct definition *find_by_name(const struct engine *engine, struct slice name)
{
	for (size_t i = 0; i < engine->parts.n_definitions; i++)
		if (slice_equal(engine->parts.definitions[i]->name, name))
			return engine->parts.definitions[i];
	return NULL;
}

static const struct definition *find_by_hash(const struct engine *engine,
					     const uint8_t hash[SHA256_SIZE])
{
	for (size_t i = 0; i < engine->parts.n_definitions; i++)
		if (!memcmp(engine->parts.definitions[i]->hash, hash, SHA256_SIZE))
			return engine->parts.definitions[i];
	return NULL;
}

/* --- deciding ------------------------------------------------------------------------- */

static void mark_dirty(struct engine *engine, struct live *live)
{
	if (live->dirty)
		return;
	live->dirty = true;
	live->next_dirty = engine->dirty;
	engine->dirty = live;
	engine->n_dirty++;
}

/* An attempt that is over, or is another one now, was not handed over. */
static void forget_handed(struct live *live, const struct saga *was, const struct saga *is)
{
	for (uint32_t i = 0; i < is->n_steps; i++)
		if (!step_in_flight(&live->definition->steps[i], &is->steps[i]) ||
		    was->steps[i].attempt != is->steps[i].attempt ||
		    was->steps[i].verb != is->steps[i].verb ||
		    was->steps[i].do_round != is->steps[i].do_round ||
		    was->steps[i].undo_round != is->steps[i].undo_round)
			live->handed[i] = (struct handed){0};
}

static bool brings_payload(const struct event *event)
{
	return event->payload.len || event->reason.len || event->type == EVENT_SIGNAL;
}

/* OK: taken, or of no account. ERR_CONFLICT: refused, effects->refusal says why.
 * ERR_TOO_LARGE: the saga has no room for what the event brings. ERR_NOMEM. */
static enum err decide(struct engine *engine, struct live *live, const struct event *event,
		       struct effects *effects)
{
	struct saga *after = arena_alloc(&engine->batch, sizeof *after);

	if (!after)
		return ERR_NOMEM;
	switch (saga_step(live->definition, &evaluator_values, live_now(live), event,
			  &engine->batch, after, effects)) {
	case VERDICT_TAKEN: break;
	case VERDICT_IGNORED: return OK;
	case VERDICT_REFUSED: return ERR_CONFLICT;
	case VERDICT_NOMEM: return ERR_NOMEM;
	}
	if (brings_payload(event) && saga_size(after) > SAGA_FULL)
		return ERR_TOO_LARGE;
	if (live_note(live, after->started_ms, effects->entries, effects->n_entries))
		return ERR_NOMEM;
	forget_handed(live, live_now(live), after);
	live->working = after;
	mark_dirty(engine, live);
	return OK;
}

/* The answer is of no use: as good as a failure. */
static void reject_output(struct event *event, struct slice text)
{
	event->outcome = OUTCOME_FAILED;
	event->payload = (struct slice){0};
	event->error = (struct error){SLICE_LITERAL("bad-output"), text};
}

static enum err take_output(struct engine *engine, const struct reply_message *reply,
			    struct event *event)
{
	struct json output;
	enum err err;

	if (!reply->output.len)
		return OK;
	err = json_parse(reply->output, PAYLOAD_MAX, &engine->batch, &output, NULL);
	if (err == ERR_NOMEM)
		return err;
	if (err)
		reject_output(event, SLICE_LITERAL("the output of the reply is no JSON or is "
						   "larger than 256 KiB"));
	else
		event->payload = output.text;
	return OK;
}

/* OK, also where the reply means nothing; ERR_NOMEM: it is to be taken again. */
static enum err take_reply(struct engine *engine, const struct reply_message *reply)
{
	struct event event = {
		.type = EVENT_REPLY,
		.at_ms = clock_now_ms(engine->parts.clock),
		.attempt = reply->attempt,
		.outcome = (enum outcome)reply->outcome,
		.error = {utf8_cut(reply->code, CODE_MAX), utf8_cut(reply->text, TEXT_MAX)}};
	struct address address;
	struct effects effects;
	struct live *live;
	enum err err;

	/* Of a saga that has ended, or of none: nobody waits for it. */
	if (!address_parse(reply->id, &address))
		return OK;
	live = live_find(&engine->table, address.saga_id);
	if (!live)
		return OK;
	event.step = definition_find(live->definition, address.step);
	if (event.step == NO_STEP)
		return OK;
	event.verb = address.verb;
	event.round = address.round;
	event.sent_ms = live->handed[event.step].sent_ms;
	err = take_output(engine, reply, &event);
	if (!err)
		err = decide(engine, live, &event, &effects);
	if (err == ERR_TOO_LARGE) {
		reject_output(&event, SLICE_LITERAL("the saga has no room for the output: the "
						    "payloads of a saga are 3 MiB at most"));
		err = decide(engine, live, &event, &effects);
	}
	return err;
}

/* --- time --------------------------------------------------------------------------------- */

/* The saga's attempts that got no answer in time, and its timers. */
static enum err wake(struct engine *engine, struct live *live, int64_t now_ms, size_t *n)
{
	struct effects effects;
	struct timer timer;
	enum err err;

	for (uint32_t i = 0; i < live_now(live)->n_steps; i++) {
		const struct step *step = &live_now(live)->steps[i];
		struct handed handed = live->handed[i];
		struct event event = {.type = EVENT_TIMEOUT,
				      .at_ms = now_ms,
				      .step = i,
				      .verb = (enum verb)step->verb,
				      .round = step->verb == VERB_UNDO ? step->undo_round
								       : step->do_round,
				      .attempt = step->attempt,
				      .sent_ms = handed.sent_ms};

		if (!handed.sent_ms || handed.due_ms > now_ms)
			continue;
		err = decide(engine, live, &event, &effects);
		if (err)
			return err;
		live->handed[i] = (struct handed){0};
		++*n;
	}
	while (saga_next_timer(live->definition, live_now(live), &timer) &&
	       timer.at_ms <= now_ms) {
		struct event event = {.type = timer.type,
				      .at_ms = now_ms,
				      .step = timer.step,
				      .verb = timer.verb,
				      .round = timer.round,
				      .attempt = timer.attempt};

		err = decide(engine, live, &event, &effects);
		if (err)
			return err;
		++*n;
	}
	return OK;
}

/* --- sending ---------------------------------------------------------------------------------
 */

static enum err send_command(struct engine *engine, struct live *live,
			     const struct command *command)
{
	const struct step_definition *step = &live->definition->steps[command->step];
	const struct call *call = command->verb == VERB_UNDO ? &step->undo : &step->call;
	char id[COMMAND_ID_MAX], do_id[COMMAND_ID_MAX];
	struct slice saga_id = live->saga->id;
	struct command_message message = {
		.id = {id, command_id(live->definition, saga_id, command->step, command->round,
				      command->verb, id)},
		.participant = call->participant,
		.command = command->verb == VERB_REVOKE ? (struct slice){0} : call->command,
		.verb = command->alone ? MESSAGE_DO : (enum message_verb)command->verb,
		.saga_id = saga_id,
		.saga = live->definition->name,
		.attempt = command->attempt,
		.first_ms = command->first_ms,
		.timeout_ms = command->timeout_ms,
		.args = command->args,
		.output = command->output,
	};

	if (message.verb != MESSAGE_DO)
		message.do_id = (struct slice){
			do_id, command_id(live->definition, saga_id, command->step,
					  command->do_round, VERB_DO, do_id)};
	return bus_send(engine->parts.bus, &message);
}

/* Send what the stored saga waits for and the bus does not have yet, soon again
 * where that fails. The clock of an attempt starts here. */
static void send_outstanding(struct engine *engine, struct live *live)
{
	int64_t now_ms = clock_now_ms(engine->parts.clock);
	struct effects effects;

	live->retry_ms = now_ms + RETRY_SEND_MS;
	if (saga_resume(live->definition, &evaluator_values, live->saga, &engine->batch,
			&effects) != VERDICT_TAKEN)
		return;
	live->retry_ms = 0;
	for (uint32_t n = 0; n < effects.n_commands; n++) {
		const struct command *command = &effects.commands[n];
		struct handed *handed = &live->handed[command->step];

		if (handed->sent_ms)
			continue;
		if (send_command(engine, live, command)) {
			live->retry_ms = now_ms + RETRY_SEND_MS;
			continue;
		}
		*handed = (struct handed){now_ms, now_ms + command->timeout_ms};
	}
}

/* --- storing
 * ---------------------------------------------------------------------------------- */

/* What is stored is the saga from now on. ERR_NOMEM: nothing changed. */
static enum err adopt(struct engine *engine, struct live *live, const struct saga *stored)
{
	struct saga *block = malloc(saga_size(stored));

	if (!block)
		return ERR_NOMEM;
	saga_place(stored, block);
	free(live->saga);
	live->saga = block;
	live->working = NULL;
	if (saga_ended(live->saga)) {
		live_remove(&engine->table, live);
		return OK;
	}
	send_outstanding(engine, live);
	live_rewake(&engine->table, live);
	return OK;
}

/* The stored saga is not the one that we hold, or cannot be read: whoever wrote
 * it looks after it. */
static void give_away(struct engine *engine, struct live *live)
{
	if (live == engine->starting)
		engine->starting = NULL;
	live_remove(&engine->table, live);
}

/* Somebody else wrote the saga, or we did and never heard of it. */
static enum err settle_conflict(struct engine *engine, struct live *live,
				const struct saga_write *write)
{
	const struct definition *definition = live->definition;
	struct slice record, bytes, timeline;
	uint8_t hash[SHA256_SIZE];
	struct saga stored;
	enum err err;

	err = store_get(engine->parts.store, write->row.id, &engine->records, NULL, &record);
	if (!err && slice_equal(record, write->record))
		return adopt(engine, live, live->working);
	if (!err && live->saga)
		err = record_split(record, &bytes, &timeline);
	if (!err && live->saga)
		err = saga_decode(bytes, &engine->records, &stored, hash, NULL);
	if (!err && live->saga)
		err = live_set_timeline(live, timeline, NULL);
	if (err && err_retriable(err))
		return err;
	if (err || !live->saga || memcmp(hash, definition->hash, sizeof hash) ||
	    stored.n_steps != definition->n_steps) {
		give_away(engine, live);
		return OK;
	}
	memset(live->handed, 0, definition->n_steps * sizeof *live->handed);
	return adopt(engine, live, &stored);
}

/* What the batch changed, as it is to be stored. */
static enum err make_writes(struct engine *engine, struct saga_write **out)
{
	struct saga_write *writes;
	size_t n = 0;

	arena_reset(&engine->records);
	writes = arena_array(&engine->records, engine->n_dirty, sizeof *writes);
	if (!writes)
		return ERR_NOMEM;
	for (struct live *live = engine->dirty; live; live = live->next_dirty) {
		struct bytes record = BYTES(RECORD_BYTES_MAX, &engine->records);
		struct slice timeline = bytes_slice(&live->timeline);

		record_write(&record, live->working, live->definition->hash, timeline);
		if (record.err)
			return record.err;
		writes[n++] = (struct saga_write){
			.row = record_row(live->definition, live->working, timeline),
			.record = bytes_slice(&record),
			.before = live->saga ? live->saga->revision : 0};
	}
	*out = writes;
	return OK;
}

/* After an error the batch is as it was, but for the sagas that were settled:
 * the next commit finds what this one stored. */
static enum err commit_batch(struct engine *engine)
{
	struct saga_write *writes = NULL;
	enum err err = OK;

	if (engine->dirty)
		err = make_writes(engine, &writes);
	if (!err && engine->dirty)
		err = store_commit(engine->parts.store, writes, engine->n_dirty, &engine->audit,
				   engine->has_audit);
	if (err)
		return err;
	engine->has_audit = false;
	for (size_t n = 0; engine->dirty; n++) {
		struct live *live = engine->dirty, *next = live->next_dirty;

		live->dirty = false;
		err = writes[n].result == OK ? adopt(engine, live, live->working)
					     : settle_conflict(engine, live, &writes[n]);
		if (err) {
			live->dirty = true;
			return err;
		}
		engine->dirty = next;
		engine->n_dirty--;
	}
	arena_reset(&engine->batch);
	return OK;
}

/* --- starting and operating ---------------------------------------------------------- */

/* Begin the saga in the present batch. All of it lives in the batch's memory. */
static enum err begin(struct engine *engine, const struct definition *definition,
		      struct start *start)
{
	struct saga *working = arena_alloc(&engine->batch, sizeof *working);
	struct effects effects;
	struct live *live;

	if (!working || !arena_copy(&engine->batch, start->id, &start->id) ||
	    saga_begin(definition, &evaluator_values, start, &engine->batch, working,
		       &effects) != VERDICT_TAKEN)
		return ERR_NOMEM;
	live = live_add(&engine->table, definition, NULL, working);
	if (!live)
		return ERR_NOMEM;
	if (live_note(live, working->started_ms, effects.entries, effects.n_entries)) {
		live_remove(&engine->table, live);
		return ERR_NOMEM;
	}
	engine->starting = live;
	mark_dirty(engine, live);
	return OK;
}

static enum err cannot_store(enum err err, struct diag *diag)
{
	return diag_set(diag, err, "it could not be stored (%s); try again", err_text(err));
}

enum err engine_start(struct engine *engine, struct slice saga, struct slice id,
		      struct slice input, struct diag *diag)
{
	const struct definition *definition = find_by_name(engine, saga);
	struct start start = {.id = id, .key = id, .at_ms = clock_now_ms(engine->parts.clock)};
	struct json json;
	bool taken;
	enum err err;

	if (!definition)
		return diag_set(diag, ERR_NOT_FOUND, "no saga is called %.*s", SLICE_ARG(saga));
	if (!saga_id_valid(id))
		return diag_set(diag, ERR_INVALID,
				"a saga's id is 1 to %d letters, digits, '-', '_' or '.'",
				SAGA_ID_MAX);
	/* What an earlier call could not store is not there until it is stored. */
	err = commit_batch(engine);
	if (err)
		return cannot_store(err, diag);
	err = json_parse(input, PAYLOAD_MAX, &engine->batch, &json, diag);
	if (!err)
		err = schema_validate(definition->input, json, &engine->batch, diag);
	if (err)
		return err;
	start.input = json.text;
	taken = live_find(&engine->table, id);
	if (!taken) {
		err = begin(engine, definition, &start);
		if (!err)
			err = commit_batch(engine);
		taken = !err && !engine->starting;
		engine->starting = NULL;
	}
	if (err)
		return cannot_store(err, diag);
	if (taken)
		return diag_set(diag, ERR_CONFLICT, "a saga with the id %.*s is there already",
				SLICE_ARG(id));
	return OK;
}

/* The saga keeps what the event says. */
static enum err keep_texts(struct engine *engine, struct event *event, struct diag *diag)
{
	struct json payload;
	enum err err;

	if (event->id.len > KEY_MAX || event->reason.len > TEXT_MAX)
		return diag_set(diag, ERR_TOO_LARGE,
				"the id of a signal is at most %d bytes, a reason %d", KEY_MAX,
				TEXT_MAX);
	if (event->payload.len) {
		err = json_parse(event->payload, PAYLOAD_MAX, &engine->batch, &payload, diag);
		if (err)
			return err;
		event->payload = payload.text;
	}
	if (!arena_copy(&engine->batch, event->name, &event->name) ||
	    !arena_copy(&engine->batch, event->id, &event->id) ||
	    !arena_copy(&engine->batch, event->actor, &event->actor) ||
	    !arena_copy(&engine->batch, event->reason, &event->reason))
		return ERR_NOMEM;
	return OK;
}

enum err engine_operate(struct engine *engine, struct slice id, struct slice step,
			const struct event *operation, struct diag *diag)
{
	struct event event = *operation;
	struct effects effects;
	struct live *live;
	enum err err;

	/* As for a start: an operation is on what is stored. */
	err = commit_batch(engine);
	if (err)
		return cannot_store(err, diag);
	live = live_find(&engine->table, id);
	if (!live)
		return diag_set(diag, ERR_NOT_FOUND, "no saga with the id %.*s is under way",
				SLICE_ARG(id));
	event.at_ms = clock_now_ms(engine->parts.clock);
	event.step = step.len ? definition_find(live->definition, step) : NO_STEP;
	if (step.len && event.step == NO_STEP)
		return diag_set(diag, ERR_NOT_FOUND, "the saga %.*s has no step called %.*s",
				SLICE_ARG(live->definition->name), SLICE_ARG(step));
	err = keep_texts(engine, &event, diag);
	if (err)
		return err;
	err = decide(engine, live, &event, &effects);
	if (err == ERR_CONFLICT)
		return diag_set(diag, err, "%s", effects.refusal);
	if (err == ERR_TOO_LARGE)
		return diag_set(diag, err,
				"the saga has no room for it: the payloads of a saga are 3 MiB "
				"at most");
	if (!err) {
		engine->has_audit = live->dirty && event.type != EVENT_SIGNAL;
		engine->audit = (struct audit_entry){event.at_ms, live_now(live)->id,
						     slice_of(event_text(event.type)),
						     event.actor, event.reason};
		err = commit_batch(engine);
	}
	return err ? cannot_store(err, diag) : OK;
}

/* --- the loop
 * ------------------------------------------------------------------------------------ */

static const char *result_code(enum err err)
{
	switch (err) {
	case OK: return "";
	case ERR_NOT_FOUND: return "not-found";
	case ERR_CONFLICT: return "refused";
	case ERR_TOO_LARGE: return "too-large";
	default: return "invalid";
	}
}

static enum err take_start(struct engine *engine, uint64_t origin,
			   const struct start_message *start)
{
	struct result_message result = {.saga_id = start->id};
	struct diag diag = {{0}};
	enum err err = engine_start(engine, start->saga, start->id, start->input, &diag);

	if (err_retriable(err) && err != ERR_CONFLICT)
		return err;
	result.created = err == OK;
	if (err && err != ERR_CONFLICT) {
		result.code = slice_of(result_code(err));
		result.text = slice_of(diag.text);
	}
	bus_answer(engine->parts.bus, origin, &result);
	return OK;
}

static enum err take_signal(struct engine *engine, uint64_t origin,
			    const struct signal_message *signal)
{
	struct event event = {.type = EVENT_SIGNAL,
			      .name = signal->event,
			      .id = signal->id,
			      .payload = signal->payload,
			      .actor = signal->actor};
	struct result_message result = {.saga_id = signal->saga_id};
	struct diag diag = {{0}};
	enum err err;

	err = engine_operate(engine, signal->saga_id, (struct slice){0}, &event, &diag);
	if (err_retriable(err) && err != ERR_CONFLICT)
		return err;
	result.code = slice_of(result_code(err));
	result.text = slice_of(diag.text);
	bus_answer(engine->parts.bus, origin, &result);
	return OK;
}

static enum err take_message(struct engine *engine, const struct inbox_message *message)
{
	switch (message->type) {
	case INBOX_REPLY: return take_reply(engine, &message->reply);
	case INBOX_START: return take_start(engine, message->origin, &message->start);
	case INBOX_SIGNAL: return take_signal(engine, message->origin, &message->signal);
	}
	return OK;
}

static enum err take_messages(struct engine *engine, size_t *n)
{
	enum err err = OK;

	while (!err && *n < ENGINE_BATCH_MAX &&
	       (engine->holds_message || bus_poll(engine->parts.bus, &engine->message))) {
		err = take_message(engine, &engine->message);
		engine->holds_message = err != OK;
		*n += !err;
	}
	return err;
}

static enum err take_timers(struct engine *engine, size_t *n)
{
	int64_t now_ms = clock_now_ms(engine->parts.clock);
	struct live *live;
	enum err err = OK;

	while (!err && (live = live_first(&engine->table)) && live->wake_ms <= now_ms) {
		bool resend = live->retry_ms && live->retry_ms <= now_ms;

		err = wake(engine, live, now_ms, n);
		if (resend)
			live->retry_ms = 0;
		if (resend && !live->dirty) /* otherwise it is sent when it is stored */
			send_outstanding(engine, live);
		live_rewake(&engine->table, live);
	}
	return err;
}

enum err engine_turn(struct engine *engine, size_t *n)
{
	enum err err;

	*n = 0;
	/* What an earlier turn could not store comes before anything new. */
	err = commit_batch(engine);
	if (!err)
		err = take_messages(engine, n);
	if (!err)
		err = take_timers(engine, n);
	if (!err)
		err = commit_batch(engine);
	if (!err)
		bus_acknowledge(engine->parts.bus);
	return err;
}

int64_t engine_wake_ms(const struct engine *engine)
{
	const struct live *live = live_first(&engine->table);
	int64_t wake_ms = live ? live->wake_ms : INT64_MAX;
	int64_t retry_ms = clock_now_ms(engine->parts.clock) + RETRY_STORE_MS;

	if ((engine->dirty || engine->holds_message) && retry_ms < wake_ms)
		wake_ms = retry_ms;
	return wake_ms;
}

size_t engine_live(const struct engine *engine)
{
	return engine->table.n;
}

/* --- opening
 * ----------------------------------------------------------------------------------- */

struct loading {
	struct engine *engine;
	struct diag *diag;
};

static enum err load_saga(void *context, struct slice record)
{
	struct loading *loading = context;
	struct engine *engine = loading->engine;
	const struct definition *definition;
	struct slice bytes, timeline;
	uint8_t hash[SHA256_SIZE];
	struct saga saga, *block;
	struct live *live;
	enum err err;

	err = record_split(record, &bytes, &timeline);
	if (err)
		return diag_set(loading->diag, err,
				"a stored saga is damaged (its parts do not fit); restore it "
				"from a backup");
	err = saga_decode(bytes, &engine->batch, &saga, hash, loading->diag);
	if (err)
		return err;
	definition = find_by_hash(engine, hash);
	if (!definition || definition->n_steps != saga.n_steps)
		return diag_set(loading->diag, ERR_NOT_FOUND,
				"the saga %.*s runs on a definition that is not loaded",
				SLICE_ARG(saga.id));
	block = malloc(saga_size(&saga));
	if (!block)
		return ERR_NOMEM;
	live = live_add(&engine->table, definition, saga_place(&saga, block), NULL);
	if (!live) {
		free(block);
		return ERR_NOMEM;
	}
	err = live_set_timeline(live, timeline, loading->diag);
	if (err)
		return err;
	send_outstanding(engine, live);
	live_rewake(&engine->table, live);
	arena_reset(&engine->batch);
	return OK;
}

enum err engine_open(const struct engine_parts *parts, struct engine **out, struct diag *diag)
{
	struct engine *engine = calloc(1, sizeof *engine);
	struct loading loading = {engine, diag};
	enum err err;

	if (!engine)
		return ERR_NOMEM;
	engine->parts = *parts;
	err = live_table_init(&engine->table);
	if (!err)
		err = store_load(parts->store, load_saga, &loading);
	if (err)
		engine_close(engine);
	else
		*out = engine;
	return err;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	live_table_release(&engine->table);
	arena_release(&engine->records);
	arena_release(&engine->batch);
	free(engine);
}

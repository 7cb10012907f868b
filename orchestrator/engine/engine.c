#include "orchestrator/engine/engine.h"

#include "orchestrator/engine/address.h"
#include "orchestrator/engine/live.h"

#include <assert.h>
#include <stdlib.h>

/* How long until a full queue is tried again. */
enum { RETRY_SEND_MS = 100 };

struct engine {
	struct engine_parts parts;
	struct live_table table;
	struct arena batch; /* all that is decided and not stored yet */
	struct live *dirty; /* the sagas that the batch changed */
	size_t n_dirty;
	size_t n_taken_ids; /* starts that found their id in the store */
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

static enum verdict decide(struct engine *engine, struct live *live, const struct event *event,
			   struct effects *effects)
{
	struct saga *after = arena_alloc(&engine->batch, sizeof *after);
	enum verdict verdict;

	if (!after)
		return VERDICT_NOMEM;
	verdict = saga_step(live->definition, &evaluator_values, live_now(live), event,
			    &engine->batch, after, effects);
	if (verdict == VERDICT_TAKEN) {
		forget_handed(live, live_now(live), after);
		live->working = after;
		mark_dirty(engine, live);
	}
	return verdict;
}

/* An answer that is no JSON tells nothing: as good as none. */
static void take_output(struct engine *engine, const struct reply_message *reply,
			struct event *event)
{
	struct json output;

	if (!reply->output.len)
		return;
	if (!json_parse(reply->output, PAYLOAD_MAX, &engine->batch, &output, NULL)) {
		event->payload = output.text;
		return;
	}
	event->outcome = OUTCOME_FAILED;
	event->error = (struct error){SLICE_LITERAL("bad-output"),
				      SLICE_LITERAL("the output of the reply is no JSON or is "
						    "larger than 256 KiB")};
}

static enum err take_reply(struct engine *engine, const struct reply_message *reply)
{
	struct event event = {.type = EVENT_REPLY,
			      .at_ms = clock_now_ms(engine->parts.clock),
			      .attempt = reply->attempt,
			      .outcome = (enum outcome)reply->outcome,
			      .error = {reply->code, reply->text}};
	struct address address;
	struct effects effects;
	struct live *live;

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
	take_output(engine, reply, &event);
	return decide(engine, live, &event, &effects) == VERDICT_NOMEM ? ERR_NOMEM : OK;
}

/* --- time --------------------------------------------------------------------------------- */

/* The saga's attempts that got no answer in time, and its timers. */
static enum err wake(struct engine *engine, struct live *live, int64_t now_ms, size_t *n)
{
	struct effects effects;
	struct timer timer;

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
		live->handed[i] = (struct handed){0};
		++*n;
		if (decide(engine, live, &event, &effects) == VERDICT_NOMEM)
			return ERR_NOMEM;
	}
	while (saga_next_timer(live->definition, live_now(live), &timer) &&
	       timer.at_ms <= now_ms) {
		struct event event = {.type = timer.type,
				      .at_ms = now_ms,
				      .step = timer.step,
				      .verb = timer.verb,
				      .round = timer.round,
				      .attempt = timer.attempt};

		++*n;
		if (decide(engine, live, &event, &effects) == VERDICT_NOMEM)
			return ERR_NOMEM;
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

/* Send what the stored saga waits for and the bus does not have yet. The clock
 * of an attempt starts here. */
static enum err send_outstanding(struct engine *engine, struct live *live)
{
	int64_t now_ms = clock_now_ms(engine->parts.clock);
	struct effects effects;

	live->retry_ms = 0;
	if (saga_resume(live->definition, &evaluator_values, live->saga, &engine->batch,
			&effects) != VERDICT_TAKEN)
		return ERR_NOMEM;
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
	return OK;
}

/* --- storing
 * ---------------------------------------------------------------------------------- */

/* What was decided is stored: it is the saga from now on. */
static enum err adopt(struct engine *engine, struct live *live)
{
	struct saga *block = malloc(saga_size(live->working));
	enum err err;

	if (!block)
		return ERR_NOMEM;
	saga_place(live->working, block);
	free(live->saga);
	live->saga = block;
	live->working = NULL;
	if (saga_ended(live->saga)) {
		live_remove(&engine->table, live);
		return OK;
	}
	err = send_outstanding(engine, live);
	live_rewake(&engine->table, live);
	return err;
}

/* Somebody else wrote the saga, or we did and never heard of it. */
static enum err settle_conflict(struct engine *engine, struct live *live,
				const struct saga_write *write)
{
	uint8_t hash[SHA256_SIZE];
	struct saga stored;
	struct slice record;
	enum err err;

	err = store_get(engine->parts.store, write->id, &engine->batch, &record);
	if (!err && slice_equal(record, write->record))
		return adopt(engine, live);
	if (!err && live->saga)
		err = saga_decode(record, &engine->batch, &stored, hash, NULL);
	if (err)
		return err;
	if (!live->saga) {
		engine->n_taken_ids++;
		live_remove(&engine->table, live);
		return OK;
	}
	memset(live->handed, 0, live->definition->n_steps * sizeof *live->handed);
	live->working = &stored;
	return adopt(engine, live);
}

static enum err commit_batch(struct engine *engine)
{
	struct saga_write *writes =
		arena_array(&engine->batch, engine->n_dirty + 1, sizeof *writes);
	enum err err;
	size_t n = 0;

	if (!writes)
		return ERR_NOMEM;
	for (struct live *live = engine->dirty; live; live = live->next_dirty) {
		struct bytes record = BYTES(SAGA_BYTES_MAX, &engine->batch);

		err = saga_encode(live->working, live->definition->hash, &record);
		if (err)
			return err;
		writes[n++] = (struct saga_write){.id = live->working->id,
						  .revision = live->working->revision,
						  .status = saga_status(live->working),
						  .record = bytes_slice(&record)};
	}
	if (n)
		err = store_commit(engine->parts.store, writes, n);
	else
		err = OK;
	if (err)
		return err;
	for (n = 0; engine->dirty; n++) {
		struct live *live = engine->dirty;

		engine->dirty = live->next_dirty;
		engine->n_dirty--;
		live->dirty = false;
		err = writes[n].result == OK ? adopt(engine, live)
					     : settle_conflict(engine, live, &writes[n]);
		if (err)
			return err;
	}
	arena_reset(&engine->batch);
	return OK;
}

/* --- the loop
 * ------------------------------------------------------------------------------------ */

enum err engine_turn(struct engine *engine, size_t *n)
{
	int64_t now_ms = clock_now_ms(engine->parts.clock);
	struct reply_message reply;
	struct live *live;
	enum err err = OK;

	*n = 0;
	while (!err && *n < ENGINE_BATCH_MAX && bus_poll(engine->parts.bus, &reply)) {
		err = take_reply(engine, &reply);
		++*n;
	}
	while (!err && (live = live_first(&engine->table)) && live->wake_ms <= now_ms) {
		bool resend = live->retry_ms && live->retry_ms <= now_ms;

		err = wake(engine, live, now_ms, n);
		if (!err && resend && !live->dirty)
			err = send_outstanding(engine, live);
		live_rewake(&engine->table, live);
	}
	if (!err)
		err = commit_batch(engine);
	if (!err)
		bus_acknowledge(engine->parts.bus);
	return err;
}

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
	mark_dirty(engine, live);
	return OK;
}

enum err engine_start(struct engine *engine, struct slice saga, struct slice id,
		      struct slice input, struct diag *diag)
{
	const struct definition *definition = find_by_name(engine, saga);
	struct start start = {.id = id, .key = id, .at_ms = clock_now_ms(engine->parts.clock)};
	size_t n_taken_ids = engine->n_taken_ids;
	struct json json;
	enum err err;

	if (!definition)
		return diag_set(diag, ERR_NOT_FOUND, "no saga is called %.*s", SLICE_ARG(saga));
	if (!saga_id_valid(id))
		return diag_set(diag, ERR_INVALID,
				"a saga's id is 1 to %d letters, digits, '-', '_' or '.'",
				SAGA_ID_MAX);
	err = json_parse(input, PAYLOAD_MAX, &engine->batch, &json, diag);
	if (!err)
		err = schema_validate(definition->input, json, &engine->batch, diag);
	if (err)
		return err;
	start.input = json.text;
	if (!live_find(&engine->table, id)) {
		err = begin(engine, definition, &start);
		if (!err)
			err = commit_batch(engine);
		if (err || n_taken_ids == engine->n_taken_ids)
			return err;
	}
	return diag_set(diag, ERR_CONFLICT, "a saga with the id %.*s is there already",
			SLICE_ARG(id));
}

enum err engine_operate(struct engine *engine, struct slice id, struct slice step,
			struct event *event, struct diag *diag)
{
	struct live *live = live_find(&engine->table, id);
	struct effects effects;

	if (!live)
		return diag_set(diag, ERR_NOT_FOUND, "no saga with the id %.*s is under way",
				SLICE_ARG(id));
	event->at_ms = clock_now_ms(engine->parts.clock);
	event->step = step.len ? definition_find(live->definition, step) : NO_STEP;
	if (step.len && event->step == NO_STEP)
		return diag_set(diag, ERR_NOT_FOUND, "the saga %.*s has no step called %.*s",
				SLICE_ARG(live->definition->name), SLICE_ARG(step));
	switch (decide(engine, live, event, &effects)) {
	case VERDICT_TAKEN: return commit_batch(engine);
	case VERDICT_IGNORED: return OK;
	case VERDICT_REFUSED: return diag_set(diag, ERR_CONFLICT, "%s", effects.refusal);
	case VERDICT_NOMEM: break;
	}
	return ERR_NOMEM;
}

int64_t engine_wake_ms(const struct engine *engine)
{
	const struct live *live = live_first(&engine->table);

	return live ? live->wake_ms : INT64_MAX;
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
	uint8_t hash[SHA256_SIZE];
	struct saga saga, *block;
	struct live *live;
	enum err err;

	err = saga_decode(record, &engine->batch, &saga, hash, loading->diag);
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
	err = send_outstanding(engine, live);
	live_rewake(&engine->table, live);
	arena_reset(&engine->batch);
	return err;
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
	arena_release(&engine->batch);
	free(engine);
}

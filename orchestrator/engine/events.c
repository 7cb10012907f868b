#include "orchestrator/engine/inside.h"

#include "base/utf8.h"
#include "orchestrator/core/codec.h"
#include "orchestrator/engine/address.h"
#include "orchestrator/store/record.h"

#include <assert.h>

/* Numbers go over the wire: both sides must mean the same. */
_Static_assert((int)MESSAGE_DO == VERB_DO && (int)MESSAGE_REVOKE == VERB_REVOKE, "verbs");
_Static_assert((int)MESSAGE_OK == OUTCOME_OK && (int)MESSAGE_EXPIRED == OUTCOME_EXPIRED,
	       "outcomes");

/* A saga's own output, and an error and some numbers for every step. */
enum { NUMBERS_MAX = 120 };
_Static_assert(SAGA_PAYLOADS_MAX + PAYLOAD_MAX +
			       (STEPS_MAX + 2) * (CODE_MAX + TEXT_MAX + NUMBERS_MAX) <
		       SAGA_BYTES_MAX,
	       "a full saga can be stored");
_Static_assert(SAGA_PAYLOADS_MAX_EACH + PAYLOAD_MAX + STEPS_MAX * TEXT_MAX +
			       (INSTANCES_MAX + 2) * (CODE_MAX + TEXT_MAX_EACH + NUMBERS_MAX) <
		       SAGA_BYTES_MAX,
	       "so can one with as many steps as there may be");
_Static_assert(ENTRY_REASON_MAX <= TEXT_MAX, "a reason becomes an error");

/* --- changes ------------------------------------------------------------------------ */

struct change *change_add(struct engine *engine, struct live *live)
{
	struct change *change = arena_alloc(&engine->batch, sizeof *change);

	if (!change)
		return NULL;
	change->live = live;
	change->waiting_end = &change->waiting;
	*engine->changes_end = change;
	engine->changes_end = &change->next;
	engine->n_changes++;
	live->change = change;
	return change;
}

struct change *change_of(struct engine *engine, struct live *live)
{
	uint8_t hash[SHA256_SIZE];
	struct slice bytes, timeline;
	struct change *change;
	struct saga saga;
	enum err err;

	if (live->change)
		return live->change;
	err = record_split(live->record, &bytes, &timeline);
	if (!err)
		err = saga_decode(bytes, &engine->batch, &saga, hash, NULL);
	/* It was read once, when it was loaded, or written here. */
	assert(!err || err == ERR_NOMEM);
	change = err ? NULL : change_add(engine, live);
	if (!change)
		return NULL;
	change->saga = saga;
	change->stored_revision = saga.revision;
	change->timeline = timeline;
	return change;
}

/* The entries of the first decision are taken as they are. */
static bool keep_entries(struct arena *arena, struct change *change,
			 const struct effects *effects)
{
	uint32_t n = change->n_entries + effects->n_entries, capacity;
	struct entry *grown;

	if (!change->n_entries) {
		change->entries = effects->entries;
		change->entries_capacity = n;
	} else if (n > change->entries_capacity) {
		capacity = n < 64 ? 64 : 2 * n;
		grown = arena_array(arena, capacity, sizeof *grown);
		if (!grown)
			return false;
		memcpy(grown, change->entries, change->n_entries * sizeof *grown);
		change->entries = grown;
		change->entries_capacity = capacity;
	}
	if (change->n_entries && effects->n_entries)
		memcpy(change->entries + change->n_entries, effects->entries,
		       effects->n_entries * sizeof *grown);
	change->n_entries = n;
	return true;
}

enum err keep_effects(struct engine *engine, struct change *change,
		      const struct effects *effects)
{
	if (!keep_entries(&engine->batch, change, effects))
		return ERR_NOMEM;
	engine->crowded |= change->n_entries >= CHANGE_ENTRIES_MAX;
	change->commands = effects->commands;
	change->n_commands = effects->n_commands;
	change->n_decisions++;
	change->decided = true;
	engine->stats.events++;
	return OK;
}

/* --- deciding ----------------------------------------------------------------------- */

/* Whether the command that the step waited for is not the one it waits for now; and
 * nothing is waited for once the saga was killed. */
static bool is_over(const struct live *live, const struct saga *was, const struct saga *is,
		    uint32_t i)
{
	return saga_ended(is) ||
	       !step_in_flight(saga_step_definition(live->definition, is, i), &is->steps[i]) ||
	       was->steps[i].attempt != is->steps[i].attempt ||
	       was->steps[i].verb != is->steps[i].verb ||
	       was->steps[i].do_round != is->steps[i].do_round ||
	       was->steps[i].undo_round != is->steps[i].undo_round;
}

/* What the event says of the participant that the step's command went to. */
static enum limit_end end_of(const struct event *event, uint32_t step)
{
	if (event->step != step)
		return LIMIT_UNKNOWN;
	if (event->type == EVENT_REPLY)
		return event->outcome == OUTCOME_FAILED ? LIMIT_FAILS : LIMIT_WORKS;
	return event->type == EVENT_TIMEOUT ? LIMIT_SILENT : LIMIT_UNKNOWN;
}

/* An attempt that is over, or is another one now, was not handed over or held back. */
static void forget_over(struct engine *engine, struct live *live, const struct saga *was,
			const struct saga *is, const struct event *event)
{
	struct held *next;

	for (uint32_t n = live->n_handed; n-- > 0;) {
		uint32_t i = live->handed[n].step;

		if (is_over(live, was, is, i))
			settle_handed(engine, live, i, end_of(event, i));
	}
	for (struct held *held = live->held; held; held = next) {
		next = held->sibling;
		if (is_over(live, was, is, held->step))
			lanes_drop(&engine->lanes, held);
	}
}

static bool brings_payload(const struct event *event)
{
	return event->payload.len || event->type == EVENT_SIGNAL;
}

enum err decide(struct engine *engine, struct change *change, const struct event *event,
		bool *taken, const char **refusal)
{
	struct effects effects;
	struct saga after;
	enum err err;

	*taken = false;
	switch (saga_step(change->live->definition, &evaluator_values, &change->saga, event,
			  &engine->batch, &after, &effects)) {
	case VERDICT_TAKEN: break;
	case VERDICT_IGNORED: return OK;
	case VERDICT_REFUSED: *refusal = effects.refusal; return ERR_CONFLICT;
	case VERDICT_NOMEM: return ERR_NOMEM;
	}
	if (brings_payload(event) && saga_payload_size(&after) > saga_payload_max(&after))
		return ERR_TOO_LARGE;
	err = keep_effects(engine, change, &effects);
	if (err)
		return err;
	forget_over(engine, change->live, &change->saga, &after, event);
	change->saga = after;
	*taken = true;
	return OK;
}

/* --- replies ------------------------------------------------------------------------ */

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

/* A late answer to a saga that has ended is nothing special; one to a saga that never
 * was is for people. Where the store does not say, nobody waits for it. */
static enum err bury_stranger(struct engine *engine, const struct inbox_message *message,
			      struct slice saga_id)
{
	struct slice record;
	enum err err;

	arena_reset(&engine->scratch);
	err = store_get(engine->parts.store, saga_id, &engine->scratch, NULL, &record);
	return err == ERR_NOT_FOUND ? bury_reply(engine, message, "unknown-saga",
						 "the reply is for a saga that is not there")
				    : OK;
}

static enum err bury_unknown_step(struct engine *engine, const struct inbox_message *message)
{
	return bury_reply(engine, message, "unknown-step",
			  "the reply is for a step that its saga does not have");
}

enum err receive_reply(struct engine *engine, const struct inbox_message *message)
{
	const struct reply_message *reply = &message->reply;
	struct event event = {
		.type = EVENT_REPLY,
		.at_ms = clock_now_ms(engine->parts.clock),
		.attempt = reply->attempt,
		.outcome = (enum outcome)reply->outcome,
		.error = {utf8_cut(reply->code, CODE_MAX), utf8_cut(reply->text, TEXT_MAX)}};
	const struct handed *handed;
	const char *refusal;
	struct address address;
	struct instance at;
	struct change *change;
	struct live *live;
	enum err err;
	bool taken;

	if (!address_parse(reply->id, &address))
		return bury_reply(engine, message, "unknown-command",
				  "the reply is for a command whose id is none");
	if (refuse_moved(engine, &(struct waiting){.origin = message->origin}, address.saga_id))
		return OK;
	live = live_find(&engine->table, address.saga_id);
	if (!live)
		return bury_stranger(engine, message, address.saga_id);
	at.step = definition_find(live->definition, address.step);
	at.element = address.element;
	if (at.step == NO_STEP || live->definition->steps[at.step].form == FORM_SAGA)
		return bury_unknown_step(engine, message);
	change = change_of(engine, live);
	if (!change)
		return ERR_NOMEM;
	if (change->saga.n_steps > STEPS_MAX)
		event.error.message = utf8_cut(event.error.message, TEXT_MAX_EACH);
	event.step = saga_instance_at(live->definition, &change->saga, at);
	if (event.step == NO_STEP)
		return bury_unknown_step(engine, message);
	event.verb = address.verb;
	event.round = address.round;
	handed = live_handed(live, event.step);
	event.sent_ms = handed ? handed->sent_ms : 0;
	err = take_output(engine, reply, &event);
	if (err)
		return err;
	err = decide(engine, change, &event, &taken, &refusal);
	if (err == ERR_TOO_LARGE) {
		reject_output(&event,
			      SLICE_LITERAL("the saga has no room for the output of the "
					    "reply: a saga holds 4 MiB"));
		err = decide(engine, change, &event, &taken, &refusal);
	}
	return err == ERR_NOMEM ? err : OK;
}

/* --- time --------------------------------------------------------------------------- */

/* Backwards, since a decision takes those out that are over: the last one then
 * takes the place of one of them, and was looked at before. */
static enum err take_timeouts(struct engine *engine, struct change *change, int64_t now_ms)
{
	struct live *live = change->live;
	const char *refusal;
	bool taken;
	enum err err;

	for (uint32_t n = live->n_handed; n-- > 0;) {
		struct handed handed = live->handed[n];
		const struct step *step = &change->saga.steps[handed.step];
		struct event event = {.type = EVENT_TIMEOUT,
				      .at_ms = now_ms,
				      .step = handed.step,
				      .verb = (enum verb)step->verb,
				      .round = step->verb == VERB_UNDO ? step->undo_round
								       : step->do_round,
				      .attempt = step->attempt,
				      .sent_ms = handed.sent_ms};

		if (handed.due_ms > now_ms)
			continue;
		err = decide(engine, change, &event, &taken, &refusal);
		if (err)
			return err;
		assert(taken && !live_handed(live, handed.step));
		if (n > live->n_handed)
			n = live->n_handed;
	}
	return OK;
}

/* The saga turns back: what was not handed over need not be any more. As an attempt
 * before, or before a restart, may have been, the step is undone like one that did not
 * answer. */
static enum err withdraw_held(struct engine *engine, struct change *change, int64_t now_ms)
{
	const struct held *held = change->live->held;
	const char *refusal;
	bool taken;
	enum err err;

	while (held && change->saga.phase == PHASE_BACK) {
		const struct step *step = &change->saga.steps[held->step];
		struct event event = {.type = EVENT_TIMEOUT,
				      .at_ms = now_ms,
				      .step = held->step,
				      .verb = VERB_DO,
				      .round = step->do_round,
				      .attempt = step->attempt};

		if (held->undo) {
			held = held->sibling;
			continue;
		}
		err = decide(engine, change, &event, &taken, &refusal);
		if (err)
			return err;
		assert(taken && !live_held(change->live, event.step));
		held = change->live->held;
	}
	return OK;
}

static enum err take_timers(struct engine *engine, struct change *change, int64_t now_ms)
{
	const char *refusal;
	struct timer timer;
	bool taken;
	enum err err;

	while (saga_next_timer(change->live->definition, &change->saga, &timer) &&
	       timer.at_ms <= now_ms) {
		struct event event = {.type = timer.type,
				      .at_ms = now_ms,
				      .step = timer.step,
				      .verb = timer.verb,
				      .round = timer.round,
				      .attempt = timer.attempt};

		err = decide(engine, change, &event, &taken, &refusal);
		if (err)
			return err;
		assert(taken); /* or it would run out for ever */
	}
	return OK;
}

enum err wake_saga(struct engine *engine, struct live *live, int64_t now_ms)
{
	struct change *change = change_of(engine, live);
	enum err err;

	if (!change)
		return ERR_NOMEM;
	err = withdraw_held(engine, change, now_ms);
	if (!err)
		err = take_timeouts(engine, change, now_ms);
	if (!err)
		err = take_timers(engine, change, now_ms);
	if (err)
		return err;
	if (change->decided) { /* first it is stored; then it sends, and wakes again */
		live_sleep(&engine->table, live);
		return OK;
	}
	if (live->retry_ms && live->retry_ms <= now_ms)
		send_outstanding(engine, live, &change->saga, &engine->batch);
	live_rewake(&engine->table, live, &change->saga);
	return OK;
}

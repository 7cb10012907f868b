#include "orchestrator/engine/children.h"

#include "orchestrator/engine/inside.h"

#include <assert.h>
#include <stdlib.h>

struct asked {
	char parent[SAGA_ID_MAX], child[SAGA_ID_MAX];
	uint8_t parent_len, child_len; /* no child: all that were not asked for yet */
};

bool asking_reserve(struct asking *asking, size_t n)
{
	size_t capacity = asking->capacity ? asking->capacity : 64;
	struct asked *list;

	if (asking->capacity - asking->n >= n)
		return true;
	while (capacity - asking->n < n)
		capacity *= 2;
	list = realloc(asking->list, capacity * sizeof *list);
	if (!list)
		return false;
	asking->list = list;
	asking->capacity = capacity;
	return true;
}

void asking_release(struct asking *asking)
{
	free(asking->list);
	*asking = (struct asking){0};
}

void tell_parent(struct engine *engine, struct slice parent, struct slice child)
{
	struct asking *asking = &engine->asking;
	struct asked *asked = &asking->list[asking->n];

	assert(asking->n < asking->capacity);
	*asked = (struct asked){.parent_len = (uint8_t)parent.len,
				.child_len = (uint8_t)child.len};
	memcpy(asked->parent, parent.at, parent.len);
	if (child.len)
		memcpy(asked->child, child.at, child.len);
	asking->n++;
}

bool ask_children(struct engine *engine, const struct live *parent)
{
	if (!asking_reserve(&engine->asking, 1))
		return false;
	tell_parent(engine, live_id(parent), (struct slice){0});
	return true;
}

/* --- one command ---------------------------------------------------------------------- */

/* A parent, a command of its to a child, and the child; NULL: there is none. */
struct errand {
	struct engine *engine;
	struct change *parent;
	const struct command *command;
	struct slice id; /* of the child */
	struct change *child;
	bool later; /* something of it is not stored yet: look again then */
};

static const struct step_definition *step_of(const struct errand *errand)
{
	return &errand->parent->live->definition->steps[errand->command->at.step];
}

/* Tell the parent. */
static enum err reply(struct errand *errand, enum outcome outcome, struct slice payload,
		      struct error error)
{
	const struct command *command = errand->command;
	struct event event = {.type = EVENT_REPLY,
			      .at_ms = clock_now_ms(errand->engine->parts.clock),
			      .step = command->step,
			      .verb = command->verb,
			      .round = command->round,
			      .attempt = command->attempt,
			      .outcome = outcome,
			      .payload = payload,
			      .error = error};
	const char *refusal;
	bool taken;
	enum err err = decide(errand->engine, errand->parent, &event, &taken, &refusal);

	if (err != ERR_TOO_LARGE)
		return err;
	event.outcome = OUTCOME_EXPIRED; /* it is done, so that only a person can help */
	event.payload = (struct slice){0};
	event.error = (struct error){SLICE_LITERAL("too-large"),
				     SLICE_LITERAL("the saga has no room for the output of its "
						   "child: a saga holds 4 MiB")};
	return decide(errand->engine, errand->parent, &event, &taken, &refusal);
}

static enum err reply_error(struct errand *errand, enum outcome outcome, const char *code,
			    const char *text)
{
	struct error error = {slice_of(code), {0}};

	if (!arena_copy(&errand->engine->batch, slice_of(text), &error.message))
		return ERR_NOMEM;
	return reply(errand, outcome, (struct slice){0}, error);
}

static enum err reply_done(struct errand *errand, enum outcome outcome)
{
	struct slice output = errand->child->saga.output;

	return reply(errand, outcome, output.len ? output : SLICE_LITERAL("null"),
		     (struct error){0});
}

/* Nothing more is to be done until the child ends. */
static enum err wait_for_end(struct errand *errand)
{
	const struct handed handed = {.step = errand->command->step,
				      .sent_ms = clock_now_ms(errand->engine->parts.clock),
				      .due_ms = INT64_MAX};

	return live_hand(errand->parent->live, &handed);
}

/* --- beginning ------------------------------------------------------------------------ */

/* "saga order-17": who wants something of the child. */
static bool make_actor(const struct errand *errand, struct slice *out)
{
	struct bytes actor = BYTES(SAGA_ID_MAX + 8, &errand->engine->batch);

	bytes_text(&actor, "saga ");
	bytes_append(&actor, errand->parent->saga.id);
	*out = bytes_slice(&actor);
	return !actor.err;
}

static enum err begin_child(struct errand *errand, const struct definition *definition,
			    struct start *start)
{
	start->parent = errand->parent->saga.id;
	start->at_ms = clock_now_ms(errand->engine->parts.clock);
	if (!arena_copy(&errand->engine->batch, errand->id, &start->id) ||
	    !make_actor(errand, &start->actor))
		return ERR_NOMEM;
	if (!start->key.len)
		start->key = start->id;
	return begin_saga(errand->engine, definition, start, NULL);
}

/* Its undo, or revoke, came first. When it is stored the parent is told. */
static enum err begin_barred(struct errand *errand, const struct definition *definition)
{
	struct start start = {.input = SLICE_LITERAL("{}"), .barred = true};

	return begin_child(errand, definition, &start);
}

/* Another saga of the name may have the key. */
static enum err key_taken(struct errand *errand, const struct definition *definition,
			  struct slice key, bool *taken)
{
	struct slice id;
	enum err err = store_find(errand->engine->parts.store, definition->name, key,
				  &errand->engine->batch, &id);

	*taken = !err && !slice_equal(id, errand->id);
	return err == ERR_NOT_FOUND ? OK : err;
}

static enum err start_child(struct errand *errand, const struct definition *definition)
{
	struct arena *arena = &errand->engine->batch;
	struct start start = {.input = errand->command->args, .key = errand->command->key};
	struct failure_text failure = {.text = ""};
	struct diag diag = {{0}};
	struct slice text;
	bool taken;
	enum err err;

	if (definition->pivot != NO_STEP && step_of(errand)->kind == KIND_COMPENSATABLE)
		return reply_error(
			errand, OUTCOME_REFUSED, "child-with-pivot",
			"the child saga has a pivot, so that it could not be undone; "
			"write `kind: pivot`, or put the step after the pivot");
	err = schema_validate(definition->input, (struct json){start.input}, arena, &diag);
	if (err)
		return err == ERR_NOMEM
			       ? err
			       : reply_error(errand, OUTCOME_REFUSED, "bad-input", diag.text);
	if (!start.key.len) {
		err = saga_key(definition, errand->id, start.input, arena, &start.key,
			       &failure);
		if (err == ERR_NOMEM || (err && !failure_tell(&failure, arena, &text)))
			return ERR_NOMEM;
		if (err)
			return reply_error(errand, OUTCOME_REFUSED, "bad-key", text.at);
	}
	err = key_taken(errand, definition, start.key, &taken);
	if (err)
		return err;
	if (taken)
		return reply_error(errand, OUTCOME_REFUSED, "key-taken",
				   "another saga of this name has the key; give the child one "
				   "of its own");
	err = begin_child(errand, definition, &start);
	return err ? err : wait_for_end(errand);
}

/* There is no child of this id. */
static enum err unknown_child(struct errand *errand)
{
	const struct step_definition *step = step_of(errand);
	const struct definition *definition =
		catalog_find(&errand->engine->catalog, step->child, step->child_version);

	switch (errand->command->verb) {
	case VERB_DO:
		if (definition)
			return start_child(errand, definition);
		return reply_error(errand, OUTCOME_REFUSED, "unknown-definition",
				   "the child saga is not deployed in this version");
	case VERB_UNDO: /* it was completed: so it is forgotten, and not undone */
		if (errand->command->output.len)
			return reply_error(errand, OUTCOME_EXPIRED, "expired",
					   "the child saga is not in the store any more");
		break;
	case VERB_REVOKE: break;
	}
	if (!definition) /* nothing of this name can ever begin */
		return reply(errand, OUTCOME_OK, (struct slice){0}, (struct error){0});
	return begin_barred(errand, definition);
}

/* --- turning back --------------------------------------------------------------------- */

static enum err turn_back(struct errand *errand, enum event_type type, const char **refusal)
{
	struct event event = {.type = type,
			      .at_ms = clock_now_ms(errand->engine->parts.clock),
			      .step = NO_STEP,
			      .reason = SLICE_LITERAL("its parent turns back"),
			      .by_parent = true};
	bool taken;

	*refusal = NULL;
	if (!make_actor(errand, &event.actor))
		return ERR_NOMEM;
	return decide(errand->engine, errand->child, &event, &taken, refusal);
}

/* The child goes on, or it is completed and is to be undone. */
static enum err undo_child(struct errand *errand)
{
	bool completed = errand->child->saga.phase == PHASE_COMPLETED;
	const char *refusal;
	enum err err = turn_back(errand, completed ? EVENT_UNDO : EVENT_CANCEL, &refusal);

	if (err == ERR_CONFLICT)
		return reply_error(errand, OUTCOME_REFUSED, "refused", refusal);
	if (err)
		return err;
	return wait_for_end(errand);
}

/* Where the child is past its own pivot it goes on, and its end is the answer. */
static enum err revoke_child(struct errand *errand)
{
	const char *refusal;
	enum err err = turn_back(errand, EVENT_CANCEL, &refusal);

	if (err && err != ERR_CONFLICT)
		return err;
	return wait_for_end(errand);
}

/* --- the child as it is stored -------------------------------------------------------- */

static enum err reply_compensated(struct errand *errand)
{
	static const struct error unknown = {SLICE_LITERAL("compensated"),
					     SLICE_LITERAL("the child saga turned back")};
	const struct error *failure = errand->child->saga.failure;

	if (errand->command->verb != VERB_DO)
		return reply(errand, OUTCOME_OK, (struct slice){0}, (struct error){0});
	return reply(errand, OUTCOME_REFUSED, (struct slice){0}, failure ? *failure : unknown);
}

static enum err known_child(struct errand *errand)
{
	enum verb verb = errand->command->verb;

	switch ((enum phase)errand->child->saga.phase) {
	case PHASE_KILLED:
		return reply_error(errand, OUTCOME_KILLED, "killed",
				   "the child saga was killed: what it did stands");
	case PHASE_COMPENSATED: return reply_compensated(errand);
	case PHASE_COMPLETED:
		if (verb == VERB_UNDO)
			return undo_child(errand);
		return reply_done(errand, verb == VERB_DO ? OUTCOME_OK : OUTCOME_REFUSED);
	case PHASE_FORWARD:
		if (verb == VERB_DO || errand->child->saga.flags & SAGA_TURNING)
			break;
		return verb == VERB_UNDO ? undo_child(errand) : revoke_child(errand);
	case PHASE_BACK: break;
	}
	return wait_for_end(errand);
}

static enum err carry_out(struct errand *errand)
{
	struct diag diag = {{0}};
	struct live *live = live_find(&errand->engine->table, errand->id);
	enum err err = OK;

	if (live) {
		errand->child = change_of(errand->engine, live);
		err = errand->child ? OK : ERR_NOMEM;
	} else {
		err = visit_saga(errand->engine, errand->id, &errand->child, &diag);
	}
	if (err == ERR_NOT_FOUND)
		return unknown_child(errand);
	if (err == ERR_CORRUPT)
		return reply_error(errand, OUTCOME_EXPIRED, "unreadable",
				   "the child saga's record cannot be read; the server's log "
				   "says why");
	if (err)
		return err;
	if (!slice_equal(errand->child->saga.parent, errand->parent->saga.id))
		return reply_error(errand, OUTCOME_REFUSED, "id-taken",
				   "a saga that is not its child has the child's id");
	if (errand->child->decided) {
		errand->later = true;
		return OK;
	}
	return known_child(errand);
}

/* --- all of them ---------------------------------------------------------------------- */

static bool is_asked(const struct asked *list, size_t n, struct slice parent,
		     struct slice child)
{
	for (size_t i = 0; i < n; i++)
		if (slice_equal((struct slice){list[i].child, list[i].child_len}, child) &&
		    slice_equal((struct slice){list[i].parent, list[i].parent_len}, parent))
			return true;
	return false;
}

/* What one answer made of the parent may have ended what the others were to. */
static bool still_waits(const struct change *change, const struct command *command)
{
	const struct step *step = &change->saga.steps[command->step];

	return step_in_flight(&change->live->definition->steps[command->at.step], step) &&
	       step->verb == command->verb && step->attempt == command->attempt &&
	       step->do_round == command->do_round;
}

/* Every command to a child that was not carried out yet, and those whose child has
 * ended. What they are follows from the parent as it is stored. */
static enum err carry_out_all(struct engine *engine, struct change *change,
			      const struct asked *list, size_t n, bool *later)
{
	struct live *parent = change->live;
	struct effects effects;
	char id[SAGA_ID_MAX];
	enum err err = OK;

	if (saga_resume(parent->definition, &evaluator_values, &change->saga, &engine->batch,
			&effects) != VERDICT_TAKEN)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < effects.n_commands && !err; i++) {
		const struct command *command = &effects.commands[i];
		struct errand errand = {.engine = engine, .parent = change, .command = command};

		if (parent->definition->steps[command->at.step].form != FORM_SAGA)
			continue;
		errand.id = child_id(parent->definition, change->saga.id, command->at,
				     command->do_round, id);
		if (is_asked(list, n, live_id(parent), errand.id))
			live_forget_handed(parent, command->step);
		if (live_handed(parent, command->step) || !still_waits(change, command))
			continue;
		if (!arena_copy(&engine->batch, errand.id, &errand.id))
			err = ERR_NOMEM;
		else if (!batch_full(engine))
			err = carry_out(&errand);
		*later |= errand.later || batch_full(engine);
	}
	return err;
}

/* They are all asked for at once, on the first one's turn. */
static void drop_asked(struct asked *list, size_t n, struct slice parent)
{
	for (size_t i = 0; i < n; i++)
		if (slice_equal((struct slice){list[i].parent, list[i].parent_len}, parent))
			list[i].parent_len = 0;
}

static enum err take_asked(struct engine *engine, size_t i)
{
	struct asking *asking = &engine->asking;
	struct asked asked = asking->list[i];
	struct slice id = {asked.parent, asked.parent_len};
	struct live *parent = id.len ? live_find(&engine->table, id) : NULL;
	struct change *change = parent ? change_of(engine, parent) : NULL;
	bool later = false;
	enum err err = parent && !change ? ERR_NOMEM : OK;

	if (change && change->decided) /* nothing is done for what is not stored */
		return ERR_BUSY;
	if (change)
		err = carry_out_all(engine, change, &asking->list[i], asking->n - i, &later);
	if (err)
		return err;
	if (parent)
		drop_asked(&asking->list[i], asking->n - i, id);
	if (later) {
		asked.child_len = 0;
		asking->list[i] = asked;
	}
	return later ? ERR_BUSY : OK;
}

enum err take_children(struct engine *engine, size_t *n)
{
	struct asking *asking = &engine->asking;
	size_t kept = 0, i = 0;
	enum err err = OK;

	for (; i < asking->n && !err && !batch_full(engine); i++) {
		err = take_asked(engine, i);
		*n += err == OK;
		if (!err)
			continue;
		asking->list[kept++] = asking->list[i];
		err = err == ERR_BUSY ? OK : err;
	}
	if (asking->n > i)
		memmove(&asking->list[kept], &asking->list[i],
			(asking->n - i) * sizeof *asking->list);
	asking->n -= i - kept;
	return err;
}

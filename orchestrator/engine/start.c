#include "orchestrator/engine/inside.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* --- a start that was made before --------------------------------------------------- */

bool same_start(const struct waiting *waiting, const struct definition *definition,
		const struct saga *saga)
{
	struct json theirs = {saga->input}, ours = {waiting->input};

	return slice_equal(definition->name, waiting->saga_name) && json_equal(theirs, ours);
}

void refuse_taken(struct engine *engine, const struct waiting *waiting,
		  const struct definition *definition, const struct saga *saga)
{
	struct answer text = answer_of(definition, saga, false);

	text.err = ERR_CONFLICT;
	text.code = "key-taken";
	text.text = "a saga with this id or key is there already, with another input; give "
		    "the new one an id and key of its own";
	answer(engine, waiting, &text);
}

/* Whoever asked for the saga's end, too, hears of it now or later. */
static void answer_there(struct engine *engine, struct waiting *waiting,
			 const struct definition *definition, const struct saga *saga)
{
	struct answer text = answer_of(definition, saga, false);
	struct live *live = live_find(&engine->table, saga->id);

	answer(engine, waiting, &text);
	if (!waiting->watcher)
		return;
	if (status_final(text.status)) {
		bus_ended(engine->parts.bus, waiting->origin, saga->id,
			  slice_of(status_text(text.status)));
	} else if (live) {
		live_watch(live, waiting->watcher);
		waiting->watcher = NULL;
	}
}

void answer_duplicate(struct engine *engine, struct waiting *waiting, struct slice record)
{
	struct answer unreadable = {
		.err = ERR_CONFLICT,
		.code = "key-taken",
		.text = "a saga with this id or key is there already, and cannot be read; the "
			"server's log says why"};
	struct stored_saga other;
	struct diag diag = {{0}};
	enum err err;

	err = read_record(engine, record, &engine->scratch, &other, &diag);
	if (err == ERR_NOMEM)
		refuse_nomem(engine, waiting);
	else if (err)
		answer(engine, waiting, &unreadable);
	else if (same_start(waiting, other.definition, &other.saga))
		answer_there(engine, waiting, other.definition, &other.saga);
	else
		refuse_taken(engine, waiting, other.definition, &other.saga);
}

/* The saga with this id is in memory: it is the one that is meant, or not. What is
 * not stored yet says nothing: another one may be there. */
static void start_again(struct engine *engine, struct live *live, struct waiting *waiting)
{
	struct change *change = change_of(engine, live);
	struct waiting *kept;
	bool same;

	if (!change) {
		refuse_nomem(engine, waiting);
		return;
	}
	same = same_start(waiting, live->definition, &change->saga);
	if (!same && !change->fresh) {
		refuse_taken(engine, waiting, live->definition, &change->saga);
		return;
	}
	if (!change->decided) {
		answer_there(engine, waiting, live->definition, &change->saga);
		return;
	}
	waiting->created = false; /* what they are told must be stored first */
	kept = keep_waiting(engine, waiting);
	if (kept)
		wait_for(change, kept);
	else
		refuse_nomem(engine, waiting);
}

/* --- a new saga --------------------------------------------------------------------- */

/* Ids sort by the time at which they were made: 50 bits of milliseconds, then 80
 * of chance, in an alphabet without letters that look alike. */
struct slice make_id(struct engine *engine, char out[26])
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint64_t ms = (uint64_t)clock_now_ms(engine->parts.clock), chance = 0;

	for (int i = 9; i >= 0; i--, ms >>= 5)
		out[i] = digits[ms & 31];
	for (int i = 10; i < 26; i++) {
		if ((i - 10) % 8 == 0) { /* splitmix64 */
			chance = engine->parts.seed + ++engine->ids * 0x9e3779b97f4a7c15u;
			chance = (chance ^ chance >> 30) * 0xbf58476d1ce4e5b9u;
			chance = (chance ^ chance >> 27) * 0x94d049bb133111ebu;
			chance ^= chance >> 31;
		}
		out[i] = digits[chance & 31];
		chance >>= 5;
	}
	return (struct slice){out, 26};
}

/* One that is in a shard of ours. */
static struct slice make_saga_id(struct engine *engine, char out[26])
{
	struct slice id;

	do
		id = make_id(engine, out);
	while (!shards_cover(&engine->shards, id));
	return id;
}

enum err begin_saga(struct engine *engine, const struct definition *definition,
		    const struct start *start, struct waiting *waiting)
{
	struct effects effects;
	struct waiting *kept = NULL;
	struct change *change;
	struct live *live;
	struct saga saga;
	enum err err;

	if (saga_begin(definition, &evaluator_values, start, &engine->batch, &saga, &effects) !=
	    VERDICT_TAKEN)
		return ERR_NOMEM;
	live = live_add(&engine->table, definition, start->id);
	if (!live)
		return ERR_NOMEM;
	if (waiting)
		kept = keep_waiting(engine, waiting);
	change = kept || !waiting ? change_add(engine, live) : NULL;
	if (!change) {
		if (kept)
			waiting->watcher = kept->watcher;
		live_remove(&engine->table, live);
		return ERR_NOMEM;
	}
	change->fresh = true;
	change->saga = saga;
	err = keep_effects(engine, change, &effects);
	assert(!err);
	if (kept)
		wait_for(change, kept);
	return OK;
}

/* Everything that the start needs, in the memory of the batch; false: it was
 * refused. */
static bool prepare(struct engine *engine, const struct definition *definition,
		    const struct start_message *message, const struct waiting *waiting,
		    struct start *start)
{
	struct arena *arena = &engine->batch;
	struct failure_text failure = {.text = ""};
	struct slice text;
	struct json input;
	struct diag diag;
	char id[26];
	enum err err;

	err = json_parse(message->input, PAYLOAD_MAX, arena, &input, &diag);
	if (!err)
		err = schema_validate(definition->input, input, arena, &diag);
	if (err && err != ERR_NOMEM) {
		refuse(engine, waiting, err, "bad-input", diag.text);
		return false;
	}
	start->at_ms = clock_now_ms(engine->parts.clock);
	start->id = message->id.len ? message->id : make_saga_id(engine, id);
	if (err || !arena_copy(arena, start->id, &start->id) ||
	    !arena_copy(arena, message->key, &start->key) ||
	    !arena_copy(arena, message->actor, &start->actor)) {
		refuse_nomem(engine, waiting);
		return false;
	}
	start->input = input.text;
	if (start->key.len)
		return true;
	err = saga_key(definition, start->id, start->input, arena, &start->key, &failure);
	if (err == ERR_NOMEM || (err && !failure_tell(&failure, arena, &text)))
		refuse_nomem(engine, waiting);
	else if (err)
		refuse(engine, waiting, err, "bad-key", text.at);
	return !err;
}

static void start_with(struct engine *engine, const struct definition *definition,
		       const struct start_message *message, struct waiting *waiting)
{
	struct start start = {0};
	struct live *live;

	if (!prepare(engine, definition, message, waiting, &start))
		return;
	waiting->saga_name = definition->name;
	waiting->input = start.input;
	live = live_find(&engine->table, start.id);
	if (live)
		start_again(engine, live, waiting);
	else if (begin_saga(engine, definition, &start, waiting))
		refuse_nomem(engine, waiting);
}

static void refuse_unknown(struct engine *engine, const struct start_message *message,
			   const struct waiting *waiting)
{
	struct diag diag;
	enum err err;

	err = diag_set(&diag, ERR_NOT_FOUND,
		       "no saga is called %.*s%s%.*s; `skald definitions` lists those that are "
		       "deployed",
		       SLICE_ARG(utf8_cut(message->saga, NAME_MAX_BYTES)),
		       message->version.len ? " in version " : "",
		       SLICE_ARG(utf8_cut(message->version, NAME_MAX_BYTES)));
	refuse(engine, waiting, err, "unknown-definition", diag.text);
}

/* No shard of ours is one for it. */
static bool refuse_homeless(struct engine *engine, const struct start_message *message,
			    const struct waiting *waiting)
{
	if (message->id.len)
		return refuse_moved(engine, waiting, message->id);
	if (!engine->shards.n || shards_next(&engine->shards, 0) < engine->shards.n)
		return false;
	tell_moved(engine, waiting);
	return true;
}

static void start(struct engine *engine, const struct start_message *message,
		  struct waiting *waiting)
{
	const struct definition *definition;

	if (refuse_busy(engine, waiting) || refuse_homeless(engine, message, waiting))
		return;
	engine_learn(engine);
	definition = catalog_find(&engine->catalog, message->saga, message->version);
	if (!definition)
		refuse_unknown(engine, message, waiting);
	else if (message->id.len && !saga_name_valid(message->id))
		refuse(engine, waiting, ERR_INVALID, "bad-id",
		       "an id is 1 to 64 letters, digits, '-', '_' or '.'");
	else if (message->key.len > KEY_MAX || !utf8_valid(message->key))
		refuse(engine, waiting, ERR_INVALID, "bad-key",
		       "a key is at most 256 bytes of UTF-8");
	else if (message->actor.len > ENTRY_ACTOR_MAX || !utf8_valid(message->actor))
		refuse(engine, waiting, ERR_INVALID, "bad-actor",
		       "who asks is at most 256 bytes of UTF-8");
	else
		start_with(engine, definition, message, waiting);
}

void engine_start(struct engine *engine, const struct start_message *message,
		  answered *callback, void *context)
{
	struct waiting waiting = {
		.answer = callback, .context = context, .start = true, .created = true};

	start(engine, message, &waiting);
}

void receive_start(struct engine *engine, const struct inbox_message *message)
{
	struct waiting waiting = {.origin = message->origin, .start = true, .created = true};

	if (message->watch && message->origin) {
		waiting.watcher = malloc(sizeof *waiting.watcher);
		if (!waiting.watcher) {
			refuse_nomem(engine, &waiting);
			return;
		}
		*waiting.watcher = (struct watcher){.origin = message->origin};
	}
	start(engine, &message->start, &waiting);
	free(waiting.watcher);
}

#include "tests/lib/desk.h"

#include "orchestrator/load/load.h"

#include <assert.h>

enum err desk_open(const struct engine_parts *parts, struct engine **out, struct diag *diag)
{
	struct engine_parts own = *parts;

	own.read_definition = load_stored;
	return engine_open(&own, out, diag);
}

enum err desk_deploy_file(struct engine *engine, const char *path)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition;
	enum err err = load_file(path, &problems, &definition);

	assert(!err);
	arena_release(&arena);
	return engine_deploy(engine, &definition, NULL);
}

enum err desk_deploy_text(struct engine *engine, const char *text)
{
	struct definition *definition;
	enum err err = load_stored(slice_of(text), &definition, NULL);

	assert(!err);
	return engine_deploy(engine, &definition, NULL);
}

struct reply {
	bool came;
	enum err err;
	struct diag *diag;
};

static void keep(void *context, const struct answer *answer)
{
	struct reply *reply = context;

	reply->came = true;
	reply->err = answer->err ? diag_set(reply->diag, answer->err, "%s", answer->text) : OK;
}

static enum err wait_for(struct engine *engine, struct reply *reply)
{
	enum err err = OK;
	size_t n;

	while (!err && !reply->came)
		err = engine_turn(engine, &n);
	if (err)
		engine_forget(engine, reply);
	return err ? err : reply->err;
}

enum err desk_start(struct engine *engine, const char *saga, const char *id, const char *input,
		    struct diag *diag)
{
	struct start_message start = {
		.saga = slice_of(saga), .id = slice_of(id), .input = slice_of(input)};
	struct reply reply = {.diag = diag};

	engine_start(engine, &start, keep, &reply);
	return wait_for(engine, &reply);
}

enum err desk_operate(struct engine *engine, struct slice id, struct slice step,
		      const struct event *event, struct diag *diag)
{
	struct signal_message signal = {id, event->name, event->id, event->payload,
					event->actor};
	struct operation operation = {.saga_id = id,
				      .type = event->type,
				      .step = step,
				      .output = event->payload,
				      .actor = event->actor,
				      .reason = event->reason};
	struct reply reply = {.diag = diag};

	if (event->type == EVENT_SIGNAL)
		engine_signal(engine, &signal, keep, &reply);
	else
		engine_operate(engine, &operation, keep, &reply);
	return wait_for(engine, &reply);
}

size_t desk_live(const struct engine *engine)
{
	struct engine_stats stats;

	engine_stats(engine, &stats);
	return stats.live;
}

#include "orchestrator/engine/inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void answer(struct engine *engine, const struct waiting *waiting, const struct answer *text)
{
	struct result_message result = {
		.code = slice_of(text->err ? text->code : ""),
		.text = slice_of(text->text),
		.saga_id = text->saga_id,
		.created = text->created,
		.status = text->err ? (struct slice){0} : slice_of(status_text(text->status)),
	};

	if (waiting->answer)
		waiting->answer(waiting->context, text);
	else if (waiting->origin)
		bus_answer(engine->parts.bus, waiting->origin, &result);
}

struct answer answer_of(const struct definition *definition, const struct saga *saga,
			bool created)
{
	return (struct answer){.code = "",
			       .text = "",
			       .saga_id = saga->id,
			       .saga = definition->name,
			       .version = definition->version,
			       .key = saga->key,
			       .created = created,
			       .status = saga_status(saga)};
}

void refuse(struct engine *engine, const struct waiting *waiting, enum err err,
	    const char *code, const char *text)
{
	struct answer refusal = {.err = err, .code = code, .text = text};

	answer(engine, waiting, &refusal);
}

void refuse_nomem(struct engine *engine, const struct waiting *waiting)
{
	refuse(engine, waiting, ERR_NOMEM, "out-of-memory",
	       "the server is out of memory; try again later");
}

static void refuse_stalled(struct engine *engine, const struct waiting *waiting)
{
	const char *why = engine->parts.store->trouble.text;
	char text[DIAG_MAX + 96];

	snprintf(text, sizeof text,
		 "the store does not take anything at the moment%s%s; try again in a second",
		 why[0] ? ": " : "", why);
	refuse(engine, waiting, ERR_BUSY, "store-unavailable", text);
}

bool refuse_busy(struct engine *engine, const struct waiting *waiting)
{
	assert(!engine->settling);
	if (engine->stalled)
		refuse_stalled(engine, waiting);
	else if ((waiting->operation ? batch_full_for_operations(engine)
				     : batch_full(engine)) ||
		 (waiting->start && engine->table.n >= engine->parts.live_max))
		refuse(engine, waiting, ERR_BUSY, "busy",
		       "too much is under way at the moment; try again in a second");
	else
		return false;
	return true;
}

struct waiting *keep_waiting(struct engine *engine, struct waiting *waiting)
{
	struct waiting *kept = arena_alloc(&engine->batch, sizeof *kept);

	if (!kept)
		return NULL;
	*kept = *waiting;
	waiting->watcher = NULL;
	return kept;
}

void wait_for(struct change *change, struct waiting *kept)
{
	*change->waiting_end = kept;
	change->waiting_end = &kept->next;
}

void engine_forget(struct engine *engine, void *context)
{
	for (struct change *change = engine->changes; change; change = change->next)
		for (struct waiting *waiting = change->waiting; waiting;
		     waiting = waiting->next)
			if (waiting->answer && waiting->context == context)
				waiting->answer = NULL;
}

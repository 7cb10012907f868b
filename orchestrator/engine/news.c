#include "orchestrator/engine/inside.h"
#include "orchestrator/store/record.h"

#include <assert.h>
#include <stdlib.h>

/* A saga that was written in a batch of which it is not known whether all was sent. */
struct untold {
	struct untold *next;
	uint32_t n_news;
	struct slice record; /* behind it, in the same block */
};

void tell_observer(struct engine *engine, const struct definition *definition,
		   const struct saga_row *row, const struct saga *saga,
		   const struct entry *entries, size_t n_entries, uint64_t first)
{
	if (engine->observer)
		engine->observer(engine->observer_context, definition, row, saga, entries,
				 n_entries, first);
}

enum err keep_untold(struct engine *engine, const struct loaded_saga *saga)
{
	struct untold *untold = malloc(sizeof *untold + saga->record.len);
	char *record;

	if (!untold)
		return ERR_NOMEM;
	record = (char *)(untold + 1);
	memcpy(record, saga->record.at, saga->record.len);
	*untold = (struct untold){.n_news = saga->n_news, .record = {record, saga->record.len}};
	*engine->untold_end = untold;
	engine->untold_end = &untold->next;
	return OK;
}

enum err keep_others(struct engine *engine, struct slice record, uint32_t n_entries)
{
	const struct loaded_saga saga = {.record = record, .n_news = n_entries};

	return engine->shards.n ? keep_untold(engine, &saga) : OK;
}

/* The newest entries, n at most; NULL: out of memory. */
static struct entry *newest_entries(struct arena *arena, struct slice bytes, uint32_t *n)
{
	struct timeline timeline;
	struct entry *entries;
	uint32_t skip, i = 0;
	enum err err = timeline_read(bytes, &timeline, NULL);

	assert(!err);
	if (*n > timeline.n_entries)
		*n = timeline.n_entries;
	skip = timeline.n_entries - *n;
	entries = arena_array(arena, *n + 1, sizeof *entries);
	if (!entries)
		return NULL;
	for (struct timeline_each each = timeline_each(&timeline); timeline_next(&each); i++)
		if (i >= skip)
			entries[i - skip] = each.entry;
	return entries;
}

static enum err tell_again(struct engine *engine, const struct untold *untold)
{
	struct arena *arena = &engine->scratch;
	uint32_t n = untold->n_news;
	struct stored_saga stored;
	struct entry *entries;
	struct saga_row row;
	enum err err;

	arena_reset(arena);
	err = read_record(engine, untold->record, arena, &stored, NULL);
	assert(!err || err == ERR_NOMEM); /* it was read when it was loaded */
	if (err)
		return err;
	entries = newest_entries(arena, stored.timeline, &n);
	if (!entries)
		return ERR_NOMEM;
	row = record_row(stored.definition, &stored.saga, stored.timeline);
	err = publish_entries(engine, stored.definition, &row, &stored.saga, entries, n,
			      stored.n_told - n + 1);
	if (!err)
		tell_observer(engine, stored.definition, &row, &stored.saga, entries, n,
			      stored.n_told - n + 1);
	return err;
}

enum err tell_untold(struct engine *engine)
{
	while (engine->untold) {
		struct untold *untold = engine->untold;
		enum err err = tell_again(engine, untold);

		if (err)
			return err;
		engine->untold = untold->next;
		free(untold);
	}
	engine->untold_end = &engine->untold;
	return OK;
}

void drop_untold(struct engine *engine)
{
	while (engine->untold) {
		struct untold *untold = engine->untold;

		engine->untold = untold->next;
		free(untold);
	}
}

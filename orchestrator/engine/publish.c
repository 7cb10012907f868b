#include "base/json_line.h"
#include "orchestrator/engine/inside.h"
#include "orchestrator/explain/entry_json.h"

#include <assert.h>

static enum err publish_entry(struct engine *engine, const struct definition *definition,
			      const struct saga_row *row, const struct saga *saga,
			      const struct entry *entry, uint64_t number)
{
	struct bytes *out = &engine->event;
	struct event_message event = {
		.saga_id = row->id,
		.number = number,
		.at_ms = entry->at_ms,
		.what = slice_of(entry_text(entry->type)),
	};

	bytes_clear(out);
	json_begin(out);
	json_add_text(out, "saga", row->saga);
	json_add_text(out, "version", row->version);
	json_add_optional(out, "key", row->key);
	json_add_text(out, "status", slice_of(status_text(row->status)));
	json_add_number(out, "number", (int64_t)number);
	entry_members(out, definition, saga, entry);
	json_end(out);
	event.data = bytes_slice(out);
	assert(out->err != ERR_TOO_LARGE);
	return out->err ? out->err : bus_publish(engine->parts.bus, &event);
}

enum err publish_entries(struct engine *engine, const struct definition *definition,
			 const struct saga_row *row, const struct saga *saga,
			 const struct entry *entries, size_t n_entries, uint64_t first)
{
	enum err err = OK;

	if (!bus_publishes(engine->parts.bus))
		return OK;
	for (size_t i = 0; !err && i < n_entries; i++)
		err = publish_entry(engine, definition, row, saga, &entries[i], first + i);
	return err;
}

bool publish_full(const struct engine *engine)
{
	return engine->arrived < engine->awaited || bus_crowded(engine->parts.bus);
}

void publish_look(struct engine *engine)
{
	uint64_t arrived = bus_arrived(engine->parts.bus, engine->sent);

	if (engine->arrived < arrived)
		engine->arrived = arrived;
}

uint32_t news_of(const struct engine *engine, const struct change *change)
{
	const struct live *live = change->live;

	return change->n_entries + (live->news_batch > engine->arrived ? live->n_news : 0);
}

/* A timeline folds what is old, and what has not arrived must not be folded. */
void news_told(struct engine *engine, const struct change *change)
{
	struct live *live = change->live;

	live->n_news = news_of(engine, change);
	live->n_told += change->n_entries;
	live->news_batch = engine->sent + 1;
	if (live->n_news >= CHANGE_ENTRIES_MAX && bus_publishes(engine->parts.bus))
		engine->awaited = live->news_batch;
}

void news_unknown(struct engine *engine, struct live *live)
{
	live->n_news = live->n_entries;
	live->news_batch = engine->sent + 1;
}

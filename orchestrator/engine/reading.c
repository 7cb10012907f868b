#include "orchestrator/engine/inside.h"
#include "orchestrator/store/record.h"

/* Another orchestrator may have deployed it just now. */
static const struct definition *find_definition(struct engine *engine,
						const uint8_t hash[SHA256_SIZE])
{
	const struct definition *found = catalog_find_hash(&engine->catalog, hash);

	if (found || engine->reading || !engine->shards.n || learn_definitions(engine, true))
		return found;
	return catalog_find_hash(&engine->catalog, hash);
}

enum err read_record(struct engine *engine, struct slice record, struct arena *arena,
		     struct stored_saga *out, struct diag *diag)
{
	uint8_t hash[SHA256_SIZE];
	struct timeline timeline;
	struct slice bytes;
	enum err err;

	err = record_split(record, &bytes, &out->timeline);
	if (err)
		return diag_set(diag, ERR_CORRUPT, "its record is damaged");
	err = saga_decode(bytes, arena, &out->saga, hash, diag);
	if (!err)
		err = timeline_read(out->timeline, &timeline, diag);
	if (err)
		return err == ERR_NOMEM ? err : ERR_CORRUPT;
	out->n_entries = timeline.n_entries;
	out->n_told = timeline.n_folded + timeline.n_entries;
	out->definition = find_definition(engine, hash);
	if (!out->definition)
		return diag_set(diag, ERR_CORRUPT, "its definition is not in the store");
	if (!saga_fits(out->definition, &out->saga))
		return diag_set(diag, ERR_CORRUPT,
				"its %u steps are not what its definition of %u steps and its "
				"lists come to",
				(unsigned int)out->saga.n_steps,
				(unsigned int)out->definition->n_steps);
	return OK;
}

void live_read(struct live *live, const struct stored_saga *stored)
{
	live->n_entries = stored->n_entries;
	live->n_told = stored->n_told;
}

void leave_out(struct engine *engine, struct slice id, const char *why)
{
	struct log_line line;

	engine->stats.unreadable++;
	log_begin(&line, engine->parts.log, LOG_LEVEL_ERROR, "saga-left-out");
	if (id.len)
		log_text(&line, "saga", id);
	log_text(&line, "why", slice_of(why));
	log_end(&line);
}

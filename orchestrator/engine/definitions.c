/* The definitions that the engine knows: those of the store, of which others may deploy
 * more. */
#include "base/fault_point.h"
#include "orchestrator/engine/inside.h"

enum { LEARN_MS = 1000 };

/* Sagas of a definition that cannot be read are left out one by one, later. */
static enum err load_definition(void *context, const struct stored_definition *stored)
{
	struct engine *engine = context;
	struct definition *definition = NULL;
	struct diag diag = {{0}};
	struct log_line line;
	enum err err;

	if (catalog_renew(&engine->catalog, stored->hash))
		return OK;
	err = engine->parts.read_definition(stored->normal, &definition, &diag);
	if (!err)
		err = catalog_add(&engine->catalog, &definition, &diag);
	if (!err || err == ERR_NOMEM)
		return err;
	log_begin(&line, engine->parts.log, LOG_LEVEL_ERROR, "definition-left-out");
	log_text(&line, "saga", stored->name);
	log_text(&line, "version", stored->version);
	log_text(&line, "why", slice_of(diag.text));
	log_end(&line);
	return OK;
}

enum err learn_definitions(struct engine *engine, bool at_once)
{
	int64_t now_ms = clock_now_ms(engine->parts.clock),
		ago_ms = now_ms - engine->learned_ms;
	struct store *store = engine->parts.store;
	uint64_t changes = 0;
	enum err err;

	if (!at_once && (!store->shards.n || (ago_ms >= 0 && ago_ms < LEARN_MS)))
		return OK;
	err = store_definition_changes(store, &changes);
	if (!err && (!changes || changes != engine->definition_changes))
		err = store_definitions(store, load_definition, engine);
	if (err)
		return err;
	engine->definition_changes = changes;
	engine->learned_ms = now_ms;
	return OK;
}

const struct definition *engine_definition(const struct engine *engine, struct slice name,
					   struct slice version)
{
	return catalog_find(&engine->catalog, name, version);
}

const struct definition *engine_definition_by_hash(const struct engine *engine,
						   const uint8_t hash[SHA256_SIZE])
{
	return catalog_find_hash(&engine->catalog, hash);
}

void engine_each_definition(const struct engine *engine,
			    void (*visit)(void *context, const struct definition *definition),
			    void *context)
{
	for (size_t i = 0; i < engine->catalog.n; i++)
		visit(context, engine->catalog.definitions[i]);
}

void engine_learn(struct engine *engine)
{
	/* What cannot be read now is asked for again by whoever needs it. */
	if (learn_definitions(engine, false))
		return;
}

enum err engine_deploy(struct engine *engine, struct definition **definition, struct diag *diag)
{
	struct stored_definition stored = {
		.name = (*definition)->name,
		.version = (*definition)->version,
		.normal = (*definition)->normal,
		.deployed_ms = clock_now_ms(engine->parts.clock),
	};
	enum err err = OK;

	err = catalog_family(&engine->catalog, *definition, diag);
	if (err) {
		definition_free(*definition);
		*definition = NULL;
		return err;
	}
	/* Where the catalog has it, it says whether it is the same. */
	memcpy(stored.hash, (*definition)->hash, SHA256_SIZE);
	if (!catalog_find(&engine->catalog, stored.name, stored.version))
		FAULT_POINT("engine.before-definition");
	err = store_put_definition(engine->parts.store, &stored);
	FAULT_POINT("engine.definition-stored");
	if (!err)
		return catalog_add(&engine->catalog, definition, diag);
	if (err == ERR_CONFLICT)
		err = catalog_conflict(*definition, diag);
	else
		err = diag_set(diag, err, "the definition could not be stored (%s); try again",
			       err_text(err));
	definition_free(*definition);
	*definition = NULL;
	return err;
}

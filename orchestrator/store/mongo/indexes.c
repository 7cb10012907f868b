#include "orchestrator/store/mongo/document.h"
#include "orchestrator/store/mongo/inside.h"

/* --- the layout ----------------------------------------------------------------------- */

static enum err note_layout(struct store_mongo *store, const bson_t *document, void *context)
{
	*(int64_t *)context = document_number(document, "layout");
	return OK;
}

/* Before the second one it stood with the only shard that there was. */
static enum err read_layout(struct store_mongo *store, int64_t *out)
{
	bson_t *filter = BCON_NEW("layout", "{", "$exists", BCON_BOOL(true), "}");
	enum err err = mongo_walk(store, store->owners, filter, NULL, note_layout, out);

	bson_destroy(filter);
	return err;
}

static enum err write_layout(struct store_mongo *store)
{
	return mongo_make_owner(store, BCON_NEW("_id", "layout", "layout", BCON_INT32(LAYOUT)));
}

static enum err check_layout(struct store_mongo *store)
{
	int64_t layout = 0;
	enum err err = read_layout(store, &layout);

	if (err)
		return err;
	if (!layout)
		return write_layout(store);
	if (layout == LAYOUT)
		return OK;
	return diag_set(&store->base.trouble, ERR_INVALID,
			"MongoDB at %s, database %s: its sagas are of %s skald; %s",
			store->link.where, store->link.database,
			layout > LAYOUT ? "a newer" : "an older",
			layout > LAYOUT ? "use that one"
					: "let that one finish them, or name another database");
}

/* --- indexes -------------------------------------------------------------------------- */

static enum err make_indexes(struct store_mongo *store, bson_t *command)
{
	bson_error_t error;
	enum err err = OK;

	if (!mongoc_client_write_command_with_opts(store->link.client, store->link.database,
						   command, NULL, NULL, &error))
		err = mongo_trouble(store, &error);
	bson_destroy(command);
	return err;
}

#define INDEX(name)  "{", "name", BCON_UTF8(name), "key", "{"
#define UNIQUE(name) "{", "name", BCON_UTF8(name), "unique", BCON_BOOL(true), "key", "{"
#define UP           BCON_INT32(1)
#define DOWN         BCON_INT32(-1)

static enum err index_sagas(struct store_mongo *store)
{
	return make_indexes(store,
			    BCON_NEW("createIndexes", "sagas", "indexes", "[",
				     /* a start by key; lists by key */
				     UNIQUE("key"), "key", UP, "saga", UP, "}", "}",
				     /* lists, loading, counts */
				     INDEX("started"), "started_at", DOWN, "order", DOWN, "}",
				     "}", INDEX("status"), "status", UP, "started_at", DOWN,
				     "order", DOWN, "}", "}",
				     /* retention; what was not sent before a crash */
				     INDEX("ended"), "ended_at", UP, "}", "}", INDEX("batch"),
				     "member", UP, "batch", UP, "}", "}", "]"));
}

static enum err index_others(struct store_mongo *store)
{
	enum err err = make_indexes(store, BCON_NEW("createIndexes", "definitions", "indexes",
						    "[", UNIQUE("version"), "name", UP,
						    "version", UP, "}", "}", "]"));

	if (err)
		return err;
	return make_indexes(store, BCON_NEW("createIndexes", "audit", "indexes", "[",
					    INDEX("saga"), "saga", UP, "order", UP, "}", "}",
					    INDEX("order"), "order", UP, "}", "}", "]"));
}

#undef INDEX
#undef UNIQUE
#undef UP
#undef DOWN

enum err mongo_prepare(struct store_mongo *store)
{
	enum err err = check_layout(store);

	if (!err)
		err = index_sagas(store);
	return err ? err : index_others(store);
}

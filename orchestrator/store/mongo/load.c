#include "orchestrator/store/mongo/document.h"
#include "orchestrator/store/mongo/inside.h"

#include <stdlib.h>

enum { TOLD_AT_ONCE = 1000 };

/* --- members -------------------------------------------------------------------------- */

static struct mongo_member *find_member(struct mongo_members *members, int64_t number)
{
	for (size_t i = 0; i < members->n; i++)
		if (members->list[i].number == number)
			return &members->list[i];
	return NULL;
}

static void keep_member(struct mongo_members *members, struct mongo_member member)
{
	if (members->n < MEMBERS_MAX && !find_member(members, member.number))
		members->list[members->n++] = member;
}

void mongo_note_seen(struct store_mongo *store, struct mongo_member member)
{
	keep_member(&store->seen, member);
}

static enum err note_member(struct store_mongo *store, const bson_t *document, void *context)
{
	keep_member(context, (struct mongo_member){
				     .number = document_number(document, "_id"),
				     .batch = {(uint64_t)document_number(document, "number"),
					       (uint64_t)document_number(document, "sent")}});
	return OK;
}

/* The newest ones, where they are many. */
static enum err read_members(struct store_mongo *store, struct mongo_members *out)
{
	bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(-1), "}", "limit",
				BCON_INT64(MEMBERS_MAX));
	bson_t all = BSON_INITIALIZER;
	enum err err;

	out->n = 0;
	err = mongo_walk(store, store->members, &all, opts, note_member, out);
	bson_destroy(&all);
	bson_destroy(opts);
	return err;
}

/* --- filters -------------------------------------------------------------------------- */

/* Opens one more element of a list. */
static void begin_one(bson_t *list, uint32_t *n, bson_t *one)
{
	const char *key;
	char room[16];

	bson_uint32_to_string((*n)++, &key, room, sizeof room);
	bson_append_document_begin(list, key, -1, one);
}

/* {$or: [{hash: {$mod: [12, 3]}}, ...]}; nothing where they are all, or too many to name. */
static void add_shards(bson_t *filter, const struct shards *shards)
{
	uint32_t count = shards_count(shards), n = 0;
	bson_t either, one, mod, pair;

	if (count == shards->n || count > SHARDS_ASKED)
		return;
	BSON_APPEND_ARRAY_BEGIN(filter, "$or", &either);
	for (uint32_t i = shards_next(shards, 0); i < shards->n;
	     i = shards_next(shards, i + 1)) {
		begin_one(&either, &n, &one);
		BSON_APPEND_DOCUMENT_BEGIN(&one, "hash", &mod);
		BSON_APPEND_ARRAY_BEGIN(&mod, "$mod", &pair);
		BSON_APPEND_INT32(&pair, "0", (int32_t)shards->n);
		BSON_APPEND_INT32(&pair, "1", (int32_t)i);
		bson_append_array_end(&mod, &pair);
		bson_append_document_end(&one, &mod);
		bson_append_document_end(&either, &one);
	}
	bson_append_array_end(filter, &either);
}

/* {member: 5, batch: {$gt: 7}} */
static void add_behind(bson_t *out, int64_t member, uint64_t batch)
{
	bson_t behind;

	BSON_APPEND_INT64(out, "member", member);
	BSON_APPEND_DOCUMENT_BEGIN(out, "batch", &behind);
	BSON_APPEND_INT64(&behind, "$gt", (int64_t)batch);
	bson_append_document_end(out, &behind);
}

/* Without memory it is told once more some time. */
static void owe(struct store_mongo *store, struct mongo_owed given)
{
	size_t capacity = store->owed_capacity ? 2 * store->owed_capacity : 64;
	struct mongo_owed *owed = store->owed;

	if (store->n_owed == store->owed_capacity) {
		owed = realloc(owed, capacity * sizeof *owed);
		if (!owed)
			return;
		store->owed = owed;
		store->owed_capacity = capacity;
	}
	if (arena_copy(&store->owed_ids, given.id, &given.id))
		owed[store->n_owed++] = given;
}

void mongo_owe_ours(struct store_mongo *store)
{
	size_t n = 0;

	for (size_t i = 0; i < store->n_owed; i++)
		if (shards_cover(&store->base.shards, store->owed[i].id))
			store->owed[n++] = store->owed[i];
	store->n_owed = n;
	if (!n)
		arena_reset(&store->owed_ids);
}

/* --- walking -------------------------------------------------------------------------- */

struct loading {
	const struct shards *which;
	struct mongo_members members;
	bool all; /* also those that have ended and of which all was sent */
	enum err (*visit)(void *context, const struct loaded_saga *saga);
	void *context;
};

static enum err visit_saga(struct store_mongo *store, const bson_t *document, void *context)
{
	struct loading *loading = context;
	struct mongo_member *member =
		find_member(&loading->members, document_number(document, "member"));
	uint64_t batch = (uint64_t)document_number(document, "batch");
	bool sent = !member || batch <= member->batch.sent;
	struct loaded_saga saga = {.record = document_bytes(document, "record"), .sent = sent};

	if (!shards_has(loading->which,
			(uint32_t)(document_number(document, "hash") % loading->which->n)))
		return OK;
	if (!saga.record.len)
		return diag_set(
			&store->base.trouble, ERR_CORRUPT,
			"MongoDB at %s, database %s: a saga's record is missing; restore "
			"a backup",
			store->link.where, store->link.database);
	if (!sent) {
		saga.n_news = (uint32_t)document_number(document, "news");
		if (member->number != store->us.number)
			owe(store, (struct mongo_owed){.id = document_text(document, "_id"),
						       .member = member->number,
						       .batch = (int64_t)batch});
	}
	return loading->visit(loading->context, &saga);
}

/* Takes the filter. */
static enum err walk(struct store_mongo *store, bson_t *filter, bool sorted,
		     struct loading *loading)
{
	bson_t *opts = BCON_NEW("projection", "{", "record", BCON_INT32(1), "member",
				BCON_INT32(1), "batch", BCON_INT32(1), "news", BCON_INT32(1),
				"hash", BCON_INT32(1), "}");
	enum err err;

	if (sorted)
		mongo_add_sort(opts, 1);
	err = mongo_walk(store, store->sagas, filter, opts, visit_saga, loading);
	bson_destroy(opts);
	bson_destroy(filter);
	return err;
}

/* {member: 5, batch: {$gt: 7}}, ..., behind the n that the list has. */
static void add_unsent(bson_t *either, uint32_t *n, const struct mongo_members *members)
{
	bson_t one;

	for (size_t i = 0; i < members->n; i++) {
		begin_one(either, n, &one);
		add_behind(&one, members->list[i].number, members->list[i].batch.sent);
		bson_append_document_end(either, &one);
	}
}

/* {$and: [{$or: [...]}, {...}]}: what `either` lists, of these shards. */
struct both {
	bson_t list, one, either;
};

static void both_begin(bson_t *filter, struct both *both)
{
	BSON_APPEND_ARRAY_BEGIN(filter, "$and", &both->list);
	BSON_APPEND_DOCUMENT_BEGIN(&both->list, "0", &both->one);
	BSON_APPEND_ARRAY_BEGIN(&both->one, "$or", &both->either);
}

static void both_end(bson_t *filter, struct both *both, const struct shards *which)
{
	bson_t shards;

	bson_append_array_end(&both->one, &both->either);
	bson_append_document_end(&both->list, &both->one);
	BSON_APPEND_DOCUMENT_BEGIN(&both->list, "1", &shards);
	add_shards(&shards, which);
	bson_append_document_end(&both->list, &shards);
	bson_append_array_end(filter, &both->list);
}

/* Whoever takes a shard from somebody else is in a hurry: one question, unsorted. */
static enum err load_at_once(struct store_mongo *store, struct loading *loading)
{
	bson_t *filter = bson_new();
	struct both both;
	uint32_t n = 0;
	bson_t one;

	both_begin(filter, &both);
	begin_one(&both.either, &n, &one);
	mongo_add_unfinished(&one);
	bson_append_document_end(&both.either, &one);
	add_unsent(&both.either, &n, &loading->members);
	both_end(filter, &both, loading->which);
	return walk(store, filter, false, loading);
}

/* Both at once could not be sorted by an index. */
static enum err load_in_order(struct store_mongo *store, struct loading *loading)
{
	static const enum status ended[] = {STATUS_COMPLETED, STATUS_COMPENSATED,
					    STATUS_KILLED};
	bson_t *unfinished = bson_new(), *filter;
	struct both both;
	uint32_t n = 0;
	enum err err;

	mongo_add_unfinished(unfinished);
	err = walk(store, unfinished, true, loading);
	if (err || !loading->members.n)
		return err;
	filter = bson_new();
	mongo_add_statuses(filter, ended, sizeof ended / sizeof *ended);
	both_begin(filter, &both);
	add_unsent(&both.either, &n, &loading->members);
	both_end(filter, &both, loading->which);
	return walk(store, filter, true, loading);
}

enum err mongo_load(struct store *base, const struct shards *which, struct store_batch *newest,
		    enum err (*visit)(void *context, const struct loaded_saga *saga),
		    void *context)
{
	struct store_mongo *store = mongo_of(base);
	struct loading loading = {
		.which = which ? which : &base->shards, .visit = visit, .context = context};
	enum err err;

	*newest = store->us.batch;
	if (!shards_count(loading.which))
		return OK;
	err = read_members(store, &loading.members);
	if (err)
		return err;
	for (size_t i = 0; i < loading.members.n; i++) /* the oldest that was seen counts */
		keep_member(&store->seen, loading.members.list[i]);
	return store->alone ? load_in_order(store, &loading) : load_at_once(store, &loading);
}

/* --- what others wrote too late --------------------------------------------------------- */

/* Of all members but us, in one question. */
static enum err look_at_others(struct store_mongo *store, struct loading *loading)
{
	bson_t *filter = bson_new();
	struct both both;
	uint32_t n = 0;
	bson_t one;

	both_begin(filter, &both);
	for (size_t i = 0; i < loading->members.n; i++) {
		const struct mongo_member *member = &loading->members.list[i], *seen;

		if (member->number == store->us.number)
			continue;
		seen = find_member(&store->seen, member->number);
		begin_one(&both.either, &n, &one);
		add_behind(&one, member->number, seen ? seen->batch.number : 0);
		bson_append_document_end(&both.either, &one);
	}
	both_end(filter, &both, loading->which);
	if (n)
		return walk(store, filter, true, loading);
	bson_destroy(filter);
	return OK;
}

enum err mongo_look(struct store *base,
		    enum err (*visit)(void *context, const struct loaded_saga *saga),
		    void *context)
{
	struct store_mongo *store = mongo_of(base);
	struct loading loading = {.which = &base->shards, .visit = visit, .context = context};
	enum err err = read_members(store, &loading.members);

	if (!err)
		err = look_at_others(store, &loading);
	if (!err)
		store->seen = loading.members;
	return err;
}

/* --- what was told ------------------------------------------------------------------------ */

static void add_told(mongoc_bulk_operation_t *bulk, const struct mongo_owed *owed)
{
	bson_t filter = BSON_INITIALIZER;
	bson_t *change = BCON_NEW("$set", "{", "batch", BCON_INT64(0), "}");

	document_add_text(&filter, "_id", owed->id);
	BSON_APPEND_INT64(&filter, "member", owed->member);
	BSON_APPEND_INT64(&filter, "batch", owed->batch);
	mongoc_bulk_operation_update_one(bulk, &filter, change, false);
	bson_destroy(change);
	bson_destroy(&filter);
}

/* Only what was given, and is as it was: what has landed since was told by nobody. */
static enum err mark_told(struct store_mongo *store, const struct mongo_owed *owed, size_t n)
{
	bson_t *opts = BCON_NEW("ordered", BCON_BOOL(false)), reply;
	mongoc_bulk_operation_t *bulk =
		mongoc_collection_create_bulk_operation_with_opts(store->sagas, opts);
	bson_error_t error;
	enum err err = OK;

	for (size_t i = 0; i < n; i++)
		add_told(bulk, &owed[i]);
	if (!mongoc_bulk_operation_execute(bulk, &reply, &error))
		err = mongo_trouble(store, &error);
	bson_destroy(&reply);
	mongoc_bulk_operation_destroy(bulk);
	bson_destroy(opts);
	return err;
}

static enum err count_document(struct store_mongo *store, const bson_t *document, void *context)
{
	++*(int *)context;
	return OK;
}

/* Who has no shard any more, and of whom all was told, is forgotten. */
static enum err forget_member(struct store_mongo *store, const struct mongo_member *member)
{
	bson_t *owned = BCON_NEW("member", BCON_INT64(member->number));
	bson_t *opts =
		BCON_NEW("limit", BCON_INT64(1), "projection", "{", "_id", BCON_INT32(1), "}");
	bson_t *record = BCON_NEW("_id", BCON_INT64(member->number));
	bson_t unsent = BSON_INITIALIZER;
	bson_error_t error;
	enum err err;
	int n = 0;

	add_behind(&unsent, member->number, member->batch.sent);
	err = mongo_walk(store, store->owners, owned, opts, count_document, &n);
	if (!err && !n)
		err = mongo_walk(store, store->sagas, &unsent, opts, count_document, &n);
	if (!err && !n &&
	    !mongoc_collection_delete_one(store->members, record, NULL, NULL, &error))
		err = mongo_trouble(store, &error);
	bson_destroy(&unsent);
	bson_destroy(record);
	bson_destroy(opts);
	bson_destroy(owned);
	return err;
}

/* The newest stay: what they wrote may be on its way, and nobody would know that it was not
 * sent. */
static enum err forget_old(struct store_mongo *store)
{
	struct mongo_members members;
	enum err err = read_members(store, &members);

	for (size_t i = MEMBERS_KEPT; !err && i < members.n; i++)
		err = forget_member(store, &members.list[i]);
	return err;
}

enum err mongo_told(struct store *base)
{
	struct store_mongo *store = mongo_of(base);
	enum err err = OK;

	if (!store->n_owed)
		return OK;
	while (!err && store->n_owed) {
		size_t n = store->n_owed < TOLD_AT_ONCE ? store->n_owed : TOLD_AT_ONCE;

		err = mark_told(store, &store->owed[store->n_owed - n], n);
		store->n_owed -= err ? 0 : n;
	}
	if (!err)
		arena_reset(&store->owed_ids);
	return err ? err : forget_old(store);
}

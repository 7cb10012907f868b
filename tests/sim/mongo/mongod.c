#include "tests/sim/mongo/mongod.h"

#include "tests/sim/mongo/documents.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct mongod *present;

struct mongod *mongod_new(const struct mongod_user *user)
{
	assert(!present);
	present = calloc(1, sizeof *present);
	assert(present);
	present->user = user;
	return present;
}

void mongod_free(struct mongod *mongod)
{
	if (!mongod)
		return;
	for (int i = 0; i < MONGOD_COLLECTIONS; i++) {
		struct collection *collection = &mongod->collections[i];

		while (collection->n)
			bson_destroy(collection->list[--collection->n]);
		free(collection->list);
	}
	free(mongod);
	present = NULL;
}

struct mongod *mongod_present(void)
{
	assert(present);
	return present;
}

/* --- requests ------------------------------------------------------------------------- */

void request_copy(const struct request *from, struct request *out)
{
	*out = *from;
	out->filter = from->filter ? bson_copy(from->filter) : NULL;
	out->change = from->change ? bson_copy(from->change) : NULL;
	out->found = NULL;
}

void request_release(struct request *request)
{
	if (request->filter)
		bson_destroy(request->filter);
	if (request->change)
		bson_destroy(request->change);
	if (request->found)
		bson_destroy(request->found);
	*request = (struct request){.n = 0};
}

/* --- documents ------------------------------------------------------------------------ */

static struct collection *find_collection(struct mongod *mongod, const char *name)
{
	struct collection *collection = mongod->collections;

	while (*collection->name && strcmp(collection->name, name) != 0)
		collection++;
	assert(collection < mongod->collections + MONGOD_COLLECTIONS);
	assert(strlen(name) <= MONGOD_NAME_MAX);
	memcpy(collection->name, name, strlen(name));
	return collection;
}

/* Of its unique indexes. */
static bool collides(const struct collection *collection, const bson_t *document)
{
	static const char *const id[] = {"_id"}, *const key[] = {"key", "saga"},
				 *const version[] = {"name", "version"};
	bool sagas = !strcmp(collection->name, "sagas");
	bool definitions = !strcmp(collection->name, "definitions");

	for (size_t i = 0; i < collection->n; i++)
		if (documents_agree(collection->list[i], document, id, 1) ||
		    (sagas && documents_agree(collection->list[i], document, key, 2)) ||
		    (definitions && documents_agree(collection->list[i], document, version, 2)))
			return true;
	return false;
}

static void tell(struct mongod *mongod, const struct collection *collection,
		 const bson_t *before, const bson_t *after)
{
	mongod->user->written(mongod->user->context, collection->name, before, after);
}

/* Takes the document. */
static bool put(struct mongod *mongod, struct collection *collection, bson_t *document)
{
	if (collides(collection, document)) {
		bson_destroy(document);
		return false;
	}
	if (collection->n == collection->capacity) {
		collection->capacity = collection->capacity ? 2 * collection->capacity : 16;
		collection->list = realloc(collection->list,
					   collection->capacity * sizeof *collection->list);
		assert(collection->list);
	}
	collection->list[collection->n++] = document;
	tell(mongod, collection, NULL, document);
	return true;
}

/* Takes the document. */
static void replace(struct mongod *mongod, struct collection *collection, size_t at,
		    bson_t *document)
{
	bson_t *before = collection->list[at];

	collection->list[at] = document;
	tell(mongod, collection, before, document);
	bson_destroy(before);
}

static void drop(struct mongod *mongod, struct collection *collection, size_t at)
{
	bson_t *before = collection->list[at];

	memmove(collection->list + at, collection->list + at + 1,
		(--collection->n - at) * sizeof *collection->list);
	tell(mongod, collection, before, NULL);
	bson_destroy(before);
}

/* --- writing -------------------------------------------------------------------------- */

static void upsert(struct mongod *mongod, struct collection *collection,
		   struct request *request)
{
	bson_t *begun;

	if (request->kind == REQUEST_REPLACE) {
		request->is_there = !put(mongod, collection, bson_copy(request->change));
		return;
	}
	begun = document_begin(request->filter);
	request->is_there = !put(mongod, collection, document_change(begun, request->change));
	bson_destroy(begun);
}

/* What it makes of the document at that place; false: that is gone. */
static bool change_one(struct mongod *mongod, struct collection *collection, size_t at,
		       struct request *request)
{
	switch (request->kind) {
	case REQUEST_INSERT: break;
	case REQUEST_UPDATE:
		replace(mongod, collection, at,
			document_change(collection->list[at], request->change));
		if (request->returns)
			request->found = bson_copy(collection->list[at]);
		break;
	case REQUEST_REPLACE:
		replace(mongod, collection, at, bson_copy(request->change));
		break;
	case REQUEST_DELETE: drop(mongod, collection, at); return false;
	}
	return true;
}

void mongod_perform(struct mongod *mongod, struct request *request)
{
	struct collection *collection = find_collection(mongod, request->collection);

	request->n = 0;
	request->is_there = false;
	if (request->kind == REQUEST_INSERT) {
		request->is_there = !put(mongod, collection, bson_copy(request->change));
		request->n = !request->is_there;
		return;
	}
	for (size_t at = 0; at < collection->n && (request->many || !request->n);) {
		if (!document_fits(collection->list[at], request->filter)) {
			at++;
			continue;
		}
		at += change_one(mongod, collection, at, request);
		request->n++;
	}
	if (!request->n && request->upsert)
		upsert(mongod, collection, request);
}

/* --- reading -------------------------------------------------------------------------- */

static size_t cut(bson_t **list, size_t n, const bson_t *opts)
{
	const uint8_t *bytes;
	bson_iter_t iter;
	int64_t limit;
	uint32_t len;
	bson_t by;

	if (opts && bson_iter_init_find(&iter, opts, "sort")) {
		bson_iter_document(&iter, &len, &bytes);
		if (bson_init_static(&by, bytes, len))
			documents_sort(list, n, &by);
	}
	limit = opts && bson_iter_init_find(&iter, opts, "limit") ? bson_iter_as_int64(&iter)
								  : 0;
	while (limit && n > (size_t)limit)
		bson_destroy(list[--n]);
	return n;
}

size_t mongod_find(struct mongod *mongod, const char *name, const bson_t *filter,
		   const bson_t *opts, bson_t ***out)
{
	const struct collection *collection = find_collection(mongod, name);
	size_t n = 0;

	*out = malloc((collection->n + 1) * sizeof **out);
	assert(*out);
	for (size_t i = 0; i < collection->n; i++)
		if (document_fits(collection->list[i], filter))
			(*out)[n++] = bson_copy(collection->list[i]);
	return cut(*out, n, opts);
}

static const bson_t *get(struct mongod *mongod, const char *name, const bson_t *filter)
{
	const struct collection *collection = find_collection(mongod, name);

	for (size_t i = 0; i < collection->n; i++)
		if (document_fits(collection->list[i], filter))
			return collection->list[i];
	return NULL;
}

const bson_t *mongod_get(struct mongod *mongod, const char *name, struct slice id)
{
	bson_t filter = BSON_INITIALIZER;
	const bson_t *found;

	bson_append_utf8(&filter, "_id", -1, id.at, (int)id.len);
	found = get(mongod, name, &filter);
	bson_destroy(&filter);
	return found;
}

const bson_t *mongod_get_number(struct mongod *mongod, const char *name, int64_t id)
{
	bson_t filter = BSON_INITIALIZER;
	const bson_t *found;

	BSON_APPEND_INT64(&filter, "_id", id);
	found = get(mongod, name, &filter);
	bson_destroy(&filter);
	return found;
}

/* mongod.h - the MongoDB of a run: its documents, and what a client asks of it.
 *
 * driver.c takes the place of the library, so that orchestrator/store/mongo/ is the one that
 * is shipped. That library has no way to say which server is meant: there is one at a time.
 * Each write of one document is all there or not at all, as is all that a server can
 * promise; what becomes of a call on its way is its user's, who may carry out some of it,
 * or later. */
#ifndef SKALD_TESTS_SIM_MONGO_MONGOD_H
#define SKALD_TESTS_SIM_MONGO_MONGOD_H

#include "base/slice.h"

#include <bson/bson.h>

enum {
	MONGOD_COLLECTIONS = 8,
	MONGOD_NAME_MAX = 15,
};

enum request_kind { REQUEST_INSERT, REQUEST_UPDATE, REQUEST_REPLACE, REQUEST_DELETE };

/* A write. Released, it has nothing. */
struct request {
	enum request_kind kind;
	char collection[MONGOD_NAME_MAX + 1];
	bson_t *filter; /* NULL: of an insert */
	bson_t *change; /* or the whole document; NULL: of a delete */
	bool upsert;
	bool many;    /* all that fit, or the first one */
	bool returns; /* what is there then is wanted */

	int64_t n;     /* what came of it: so many fitted, or were put there */
	bool is_there; /* it was not, as there is another one with that id or key */
	bson_t *found; /* of an update that returns it; NULL: nothing fitted */
};
void request_copy(const struct request *from, struct request *out);
void request_release(struct request *request);

struct mongod_user {
	void *context;

	/* A client's writes are on their way: carry out what is to be. False: it gets no
	 * answer. */
	bool (*write)(void *context, uint32_t client, struct request *requests, size_t n);

	/* It asks something; and the answer is on its way. False: there is none. */
	bool (*ask)(void *context, uint32_t client);
	bool (*answer)(void *context, uint32_t client);

	/* A document is another one. NULL, each: there was, or is, none. */
	void (*written)(void *context, const char *collection, const bson_t *before,
			const bson_t *after);
};

struct mongod {
	const struct mongod_user *user;
	struct collection {
		char name[MONGOD_NAME_MAX + 1];
		bson_t **list; /* as they were put there */
		size_t n, capacity;
	} collections[MONGOD_COLLECTIONS];
};

/* The user is borrowed. */
struct mongod *mongod_new(const struct mongod_user *user);
void mongod_free(struct mongod *mongod);

/* The one that there is. */
struct mongod *mongod_present(void);

/* Carry it out. */
void mongod_perform(struct mongod *mongod, struct request *request);

/* Copies of those that fit, which are the caller's with their list; as `opts` says with sort
 * and limit, NULL: all. */
size_t mongod_find(struct mongod *mongod, const char *collection, const bson_t *filter,
		   const bson_t *opts, bson_t ***out);

/* The one with that id, which stays the server's; NULL: there is none. */
const bson_t *mongod_get(struct mongod *mongod, const char *collection, struct slice id);
const bson_t *mongod_get_number(struct mongod *mongod, const char *collection, int64_t id);

#endif

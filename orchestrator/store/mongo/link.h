/* link.h - the connection of store_mongo.c to MongoDB: what its URI says, what a
 * server must be, and what its errors mean. Private to the store.
 *
 * Whatever the URI says, writes wait for the majority of the replicas, and reads are
 * of the primary, of what the majority has. */
#ifndef SKALD_STORE_MONGO_LINK_H
#define SKALD_STORE_MONGO_LINK_H

#include "base/err.h"

#include <mongoc/mongoc.h>

enum {
	/* Unless the URI says otherwise. A server that does not answer holds up the
	 * whole orchestrator for that long, so they are short. */
	LINK_CONNECT_MS = 3000,
	LINK_SOCKET_MS = 10000,

	LINK_WRITE_MS = 8000, /* for the majority to have what was written */
	LINK_VERSION_MIN = 5, /* of the server */
	LINK_NAME_MAX = 64,   /* of the database */
};

struct link {
	mongoc_uri_t *uri;
	mongoc_client_t *client;
	char database[LINK_NAME_MAX]; /* the URI's, or "skald" */
	char where[256];              /* its servers, for messages */
	bool opening;                 /* what fails is not tried again */
};

/* Connect, and see that the server is one that can be used. The diag says what to
 * do: ERR_INVALID (the URI, the server's version), ERR_UNAVAILABLE (nobody answers, or a
 * secondary alone), ERR_IO (credentials). Whoever has all that is needed then is no longer
 * `opening`. */
CHECKED enum err link_open(struct link *link, const char *uri, struct diag *diag);
void link_close(struct link *link);

/* Forget what is known of the servers: the library asks one that was not there only
 * again after 5 s. Collections that were given before are of no use any more. */
void link_renew(struct link *link);

/* Only look at the URI. ERR_INVALID. */
CHECKED enum err link_check(const char *uri, struct diag *diag);

/* What an error of the library means, as an err and as a sentence. Never OK. */
CHECKED enum err link_failed(const struct link *link, const bson_error_t *error,
			     struct diag *diag);

mongoc_collection_t *link_collection(const struct link *link, const char *name);

#endif

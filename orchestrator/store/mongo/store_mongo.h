/* store_mongo.h - sagas in MongoDB 5.0 or later: the store of orchestrators on many
 * machines.
 *
 *	sagas         one document a saga; docs/decisions names its fields
 *	definitions   one a version
 *	audit         one an operation
 *	dead          one a dead letter
 *	owners        one a shard: who has it, and the epoch, which rises with every
 *	              owner; and numbers that all share
 *	members       one for each opening of the store: its batches
 *
 * What a commit answered OK is with the majority of the replicas. There are no
 * transactions: a batch is written saga by saga, each at the revision that it was
 * decided on, and then it is asked whose the shards are. A commit of which nobody knows
 * what became of it is ERR_UNAVAILABLE; tried again, what was written is a conflict
 * whose stored record is the very same.
 *
 * Listing and counting ask indexes. Counts are exact up to 100,000 sagas; those of more
 * may be as old as counting takes, times fifty.
 */
#ifndef SKALD_STORE_MONGO_STORE_MONGO_H
#define SKALD_STORE_MONGO_STORE_MONGO_H

#include "base/clock.h"
#include "orchestrator/store/store.h"

struct store_mongo_setup {
	const char *uri;
	const char *url;      /* where others reach this orchestrator */
	const char *instance; /* what tells it from others, also after a restart */

	/* It is to have all sagas, as one shard, from now on: nothing is shared, and its
	 * batches are those that whoever had the store before went on with. */
	bool alone;

	const struct clock *clock; /* NULL: the machine's */
};

/* It waits for the server for some seconds at the most. ERR_INVALID: the URI, an older
 * server, an older or newer skald's data; ERR_UNAVAILABLE, ERR_IO (credentials),
 * ERR_NOMEM. The diag says what to do, and never says the password. */
CHECKED enum err store_mongo_open(const struct store_mongo_setup *setup, struct store **out,
				  struct diag *diag);

/* Only look at the URI. ERR_INVALID. */
CHECKED enum err store_mongo_check(const char *uri, struct diag *diag);

/* Remove the URI's database, with all that is in it. Errors as of opening. */
CHECKED enum err store_mongo_remove(const char *uri, struct diag *diag);

/* libmongoc, as it is loaded, gives its counters a name in /dev/shm, which it takes away
 * at exit: whoever is killed would leave it there, also where no store is opened. This
 * takes it away at once, and is the first call of a program that may be killed. */
void store_mongo_hide_counters(void);

#endif

/* inside.h - what the files of the MongoDB store share. Private to the store. */
#ifndef SKALD_STORE_MONGO_INSIDE_H
#define SKALD_STORE_MONGO_INSIDE_H

#include "orchestrator/store/mongo/link.h"
#include "orchestrator/store/mongo/store_mongo.h"
#include "orchestrator/store/store.h"

enum { MONGO_URL_MAX = 255, MONGO_INSTANCE_MAX = 63 };

enum {
	LAYOUT = 2, /* of the documents; another one is not touched */

	/* For so long after ownership was looked at a commit begins without doing so
	 * again: it does at its end, anyway. */
	CHECKED_MS = 1000,

	MEMBERS_MAX = 1000, /* whose batches are told apart */
	MEMBERS_KEPT = 20,  /* at least: the newest */
	SHARDS_ASKED = 64,  /* at once; of more, all are read, and most passed over */
};

/* An opening of the store, ours or another one, and its batches. */
struct mongo_member {
	int64_t number;
	struct store_batch batch;
};

struct mongo_members {
	struct mongo_member list[MEMBERS_MAX];
	size_t n;
};

/* A document that was given as not sent, as it was then. */
struct mongo_owed {
	struct slice id;
	int64_t member, batch;
};

struct store_mongo {
	struct store base; /* first, so that the two pointers are one */
	struct link link;
	const struct clock *clock;
	mongoc_collection_t *sagas, *definitions, *audit, *owners, *members, *dead;

	bool doubtful; /* the last that was heard of the servers is that they do not answer */

	char url[MONGO_URL_MAX + 1], instance[MONGO_INSTANCE_MAX + 1];
	bool alone;
	int64_t opening; /* another number for each, larger than all before */
	int64_t serial;  /* of what we wrote, commits and new things alike */
	struct mongo_member us;
	uint64_t writing; /* the batch that was written last, of which nobody has said yet that
			   * all is settled; 0: none */
	bool renew;       /* and shards were lost then: see mongo_renew() */
	int64_t *epochs;  /* of our shards, by shard */
	int64_t *stirs;   /* of our shards: how often others came too late */

	bool checked; /* at checked_ms, by the monotonic clock, what is ours was so still */
	int64_t checked_ms;
	struct mongo_members seen; /* when what is ours was loaded */
	struct mongo_owed *owed;   /* until they are told */
	size_t n_owed, owed_capacity;
	struct arena owed_ids;

	struct store_counts counts;
	bool counted_many;               /* so many that they may be a while old */
	int64_t counted_ms, counting_ms; /* by the monotonic clock; how long it took */
};

static inline struct store_mongo *mongo_of(struct store *base)
{
	return (struct store_mongo *)base;
}

/* A number that is larger than all before, of owners before, too. */
int64_t mongo_next_order(struct store_mongo *store);

/* An error of the library, with its sentence in `trouble`. Never OK. */
CHECKED enum err mongo_trouble(struct store_mongo *store, const bson_error_t *error);

/* A document of the owners, where it is not there yet; it is destroyed. */
CHECKED enum err mongo_make_owner(struct store_mongo *store, bson_t *document);

/* For a commit: it may be that they do again. */
void mongo_ask_again(struct store_mongo *store);

/* Call for every document that fits; an error of `visit` ends the walk. */
typedef enum err visit_document(struct store_mongo *store, const bson_t *document,
				void *context);
CHECKED enum err mongo_walk(struct store_mongo *store, mongoc_collection_t *collection,
			    const bson_t *filter, const bson_t *opts, visit_document *visit,
			    void *context);

void mongo_add_statuses(bson_t *filter, const enum status *statuses, size_t n);
void mongo_add_unfinished(bson_t *filter);

/* By their start, as lists have them. */
void mongo_add_sort(bson_t *opts, int direction);

/* commit.c */
CHECKED enum err mongo_commit(struct store *store, const struct store_batch *batch,
			      struct saga_write *writes, size_t n,
			      const struct audit_entry *audit, size_t n_audit);

/* load.c */
CHECKED enum err mongo_load(struct store *store, const struct shards *which,
			    struct store_batch *newest,
			    enum err (*visit)(void *context, const struct loaded_saga *saga),
			    void *context);
CHECKED enum err mongo_look(struct store *store,
			    enum err (*visit)(void *context, const struct loaded_saga *saga),
			    void *context);
CHECKED enum err mongo_told(struct store *store);

/* indexes.c: what makes a database one of ours. */
CHECKED enum err mongo_prepare(struct store_mongo *store);

/* owner.c: become a member. Why not is in `trouble`. */
CHECKED enum err mongo_enter(struct store_mongo *store);

CHECKED enum err mongo_own(struct store *store, const struct shards *wanted, int64_t now_ms);
CHECKED enum err mongo_check(struct store *store);
CHECKED enum err mongo_owners(struct store *store,
			      enum err (*visit)(void *context, const struct shard_owner *owner),
			      void *context);

/* Nobody has what was ours. */
void mongo_leave(struct store_mongo *store);

/* What is written of a shard after somebody else took it is for him to look at. */
CHECKED enum err mongo_stir(struct store_mongo *store, uint32_t shard);

/* What a batch has written of shards that were lost before it counted is told by nobody but
 * who has them now, and we never say that this batch was sent: we go on as another member,
 * whose batches are others, though they have the same numbers. */
CHECKED enum err mongo_renew(struct store_mongo *store);

/* load.c: what it wrote until now need not be looked for. */
void mongo_note_seen(struct store_mongo *store, struct mongo_member member);

/* load.c: what was given of shards that went is for who has them to tell, though they may
 * come back: whoever lost them has dropped it. */
void mongo_owe_ours(struct store_mongo *store);

/* The end of a commit: what is known of our batches. */
CHECKED enum err mongo_advance(struct store_mongo *store, const struct store_batch *batch);

/* A number that all share, one more than before. */
CHECKED enum err mongo_count(struct store_mongo *store, const char *what, int64_t *out);
CHECKED enum err mongo_counted(struct store_mongo *store, const char *what, int64_t *out);

/* Before sagas are removed of which the last ended then; and see store_removed. */
CHECKED enum err mongo_mark_removed(struct store_mongo *store, int64_t ended_ms);
CHECKED enum err mongo_removed(struct store *store, int64_t *ended_ms);

#endif

/* inside.h - what the files of the MongoDB store share. Private to the store. */
#ifndef SKALD_STORE_MONGO_INSIDE_H
#define SKALD_STORE_MONGO_INSIDE_H

#include "orchestrator/store/mongo/link.h"
#include "orchestrator/store/store.h"

enum {
	SHARD = 0,  /* one orchestrator has all sagas */
	LAYOUT = 1, /* of the documents; a newer one is not touched */
};

struct store_mongo {
	struct store base; /* first, so that the two pointers are one */
	struct link link;
	mongoc_collection_t *sagas, *definitions, *audit, *owners, *dead;

	bool doubtful; /* the last that was heard of the servers is that they do not answer */

	int64_t epoch;            /* ours; it is another for every opening */
	int64_t serial;           /* of what we wrote, commits and new things alike */
	struct store_batch batch; /* the newest */

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

/* commit.c */
CHECKED enum err mongo_commit(struct store *store, const struct store_batch *batch,
			      struct saga_write *writes, size_t n,
			      const struct audit_entry *audit, size_t n_audit);

/* owner.c: make the indexes; and take the shard, after which nobody who had it before
 * can write. Why not is in `trouble`. */
CHECKED enum err mongo_prepare(struct store_mongo *store);
CHECKED enum err mongo_take(struct store_mongo *store, const char *owner);

/* The end of a commit: what is known of batches, if the shard is still ours.
 * ERR_UNAVAILABLE, and base.lost, where it is not. */
CHECKED enum err mongo_advance(struct store_mongo *store, const struct store_batch *batch);

/* Before sagas are removed of which the last ended then; and see store_removed. */
CHECKED enum err mongo_mark_removed(struct store_mongo *store, int64_t ended_ms);
CHECKED enum err mongo_removed(struct store *store, int64_t *ended_ms);

#endif

/* mongo.h - the barrier of a service whose data lie in MongoDB.
 *
 *     skald_mongo *charges;
 *     options.barrier = skald_mongo_barrier(collection, &charges, &error);
 *
 * It needs no transaction over documents: what a command does is one document, which
 * holds the command's record as well. A do's handler says what is to be in it,
 *
 *     bson_t *fields = BCON_NEW("cents", BCON_INT64(1999));
 *     skald_mongo_set(charges, fields);
 *
 * and its undo's handler what changes:
 *
 *     bson_t *fields = BCON_NEW("refunded", BCON_BOOL(true));
 *
 * Handlers do not write by themselves. After the handler, fields and record are written
 * at once, and only then is the command answered. The _id of the document is the id of
 * the do. So this is for what stands for itself, such as a charge or a booking; what is
 * shared by many commands, such as a stock that must not go below zero, is for SQLite or
 * for a database with transactions.
 *
 * In libskald-mongo; link with -lskald-mongo -lskald -lmongoc-1.0 -lbson-1.0 (pkg-config
 * skald-mongo).
 */
#ifndef SKALD_MONGO_H
#define SKALD_MONGO_H

#include "skald/barrier.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct _mongoc_collection_t; /* mongoc_collection_t */
struct _bson_t;              /* bson_t */

typedef struct skald_mongo skald_mongo;

/* Its records are the field `skald` of the documents of this collection, which is
 * copied; its client is borrowed, must outlive the barrier, and is used in the thread
 * that polls the participant. Writes wait for the majority of the replicas, whatever the
 * collection says. *out ends with the barrier. NULL: *error says why. */
SKALD_API skald_barrier *skald_mongo_barrier(struct _mongoc_collection_t *collection,
					     skald_mongo **out, skald_error *error);

/* For a handler, during its call: set these fields of the document, as $set does. Not _id
 * or skald. Called again it adds to them. What a handler that fails has set, and a
 * refused undo, is forgotten. False: the fields are no good. */
SKALD_API bool skald_mongo_set(skald_mongo *mongo, const struct _bson_t *fields);

#ifdef __cplusplus
}
#endif

#endif

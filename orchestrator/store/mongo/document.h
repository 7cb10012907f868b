/* document.h - a saga as a document that people can read, and back. Private to the
 * store; docs/decisions names its fields.
 *
 * The record is the truth; what else is in the document is for queries and for
 * people. */
#ifndef SKALD_STORE_MONGO_DOCUMENT_H
#define SKALD_STORE_MONGO_DOCUMENT_H

#include "orchestrator/store/store.h"

#include <bson/bson.h>

enum {
	DOCUMENT_TIMELINE_MAX = 100, /* entries; the newest */
	DOCUMENT_STEPS_MAX = 1000,
	DOCUMENT_TEXT_MAX = 200, /* bytes of what services wrote */
};

/* What a writer puts beside the saga. */
struct document_marks {
	int64_t epoch;  /* of the shard's owner */
	int64_t member; /* which he is */
	int64_t write;  /* unique for the commit */
	int64_t order;  /* of a new saga: it rises with every one */
	uint64_t batch;
};

/* A new document; and what a later write changes, as {$set: ...}. */
void document_insert(bson_t *out, const struct saga_write *write,
		     const struct document_marks *marks);
void document_update(bson_t *out, const struct saga_write *write,
		     const struct document_marks *marks);

/* The fields of a row, for a projection: all names with a 1. */
void document_row_fields(bson_t *projection);

/* Its texts are parts of the document. ERR_CORRUPT. */
CHECKED enum err document_row(const bson_t *document, struct saga_row *out);

/* Parts of a document; empty or 0 where they are not there. */
struct slice document_text(const bson_t *document, const char *name);
struct slice document_bytes(const bson_t *document, const char *name);
int64_t document_number(const bson_t *document, const char *name); /* of a time, too */

/* Append a text that may be empty and is not terminated. */
void document_add_text(bson_t *out, const char *name, struct slice text);

#endif

/* documents.h - documents as MongoDB has them, as far as Skald asks anything of one: they
 * are matched, changed and sorted. What it does not know ends the process. */
#ifndef SKALD_TESTS_SIM_MONGO_DOCUMENTS_H
#define SKALD_TESTS_SIM_MONGO_DOCUMENTS_H

#include <bson/bson.h>

/* Whether it fits a filter: values that are equal, $lt, $lte, $gt, $gte, $ne, $in, $mod and
 * $exists, $and and $or. */
bool document_fits(const bson_t *document, const bson_t *filter);

/* What $set, $inc and $max make of it. */
bson_t *document_change(const bson_t *document, const bson_t *change);

/* What an upsert begins with: the values that the filter says. */
bson_t *document_begin(const bson_t *filter);

/* By {started_at: -1, order: -1} and the like, where one that has no such field is the
 * first. */
void documents_sort(bson_t **list, size_t n, const bson_t *by);

/* Whether these fields are the same in both. */
bool documents_agree(const bson_t *one, const bson_t *other, const char *const *fields,
		     size_t n);

#endif

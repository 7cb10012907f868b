/* json_names.h - the names of one JSON object in order.
 *
 * For json*.c alone: whoever sends an object with a hundred thousand names
 * must not get a hundred thousand times as much work out of us.
 */
#ifndef SKALD_BASE_JSON_NAMES_H
#define SKALD_BASE_JSON_NAMES_H

#include "base/slice.h"

struct json_name {
	struct slice text;
	const char *place; /* what belongs to it, in the text where all of them are */
};

/* By text, equal ones by place. In place, and n log n comparisons at most
 * whatever the names are, which qsort() does not promise. */
void json_sort_names(struct json_name *names, size_t n);

#endif

/* timeline.h - what happened to one saga, as compact bytes.
 *
 * A timeline is for people: nothing is decided by it. It begins with a header;
 * entries follow, each of which stands for itself, so that new entries are
 * appended without reading the old ones, by a store that can concatenate as
 * well. Times are kept as distances from the origin, the saga's start.
 *
 * At most TIMELINE_MAX entries are kept. Whoever appends calls timeline_fold
 * where there are more: the oldest behind the first one (the start) are dropped,
 * and the header counts them.
 *
 * Every timeline has exactly one form. The numbers of enum entry_type and enum
 * verb are part of it: put new values at their end, never move one.
 */
#ifndef SKALD_CORE_TIMELINE_H
#define SKALD_CORE_TIMELINE_H

#include "orchestrator/core/saga.h"

enum {
	TIMELINE_FORMAT = 1,
	TIMELINE_MAX = 2000,
	ENTRY_DETAIL_MAX = 1024, /* bytes; longer ones are cut at a character */
	ENTRY_ACTOR_MAX = 256,   /* likewise */
	ENTRY_BYTES_MAX = ENTRY_DETAIL_MAX + ENTRY_ACTOR_MAX + 32,
	TIMELINE_BYTES_MAX = (TIMELINE_MAX + 2000) * ENTRY_BYTES_MAX, /* before folding */
};

/* A timeline that was read. Its texts are parts of the bytes. */
struct timeline {
	int64_t origin_ms;
	uint64_t n_folded;    /* entries that were dropped behind the first */
	uint32_t n_entries;   /* that are there */
	struct slice entries; /* their bytes */
};

/* Append the header of a new timeline. Failures are in out->err. */
void timeline_begin(struct bytes *out, int64_t origin_ms);

/* Append one entry. The origin is that of the header. */
void timeline_append(struct bytes *out, int64_t origin_ms, const struct entry *entry);

/* Check the bytes throughout; they may be anything, and nothing is read outside
 * of them. OK, ERR_CORRUPT, or ERR_INVALID: of a newer skald. */
CHECKED enum err timeline_read(struct slice bytes, struct timeline *out, struct diag *diag);

/* for (each = timeline_each(&timeline); timeline_next(&each);) ... each.entry */
struct timeline_each {
	struct slice rest;
	int64_t origin_ms;
	struct entry entry;
};
struct timeline_each timeline_each(const struct timeline *timeline);
bool timeline_next(struct timeline_each *each);

/* Append the timeline with its first entry and the newest keep - 1 others; with
 * all where there are no more than that. keep is at least 1. Failures are in
 * out->err. */
void timeline_fold(const struct timeline *timeline, uint32_t keep, struct bytes *out);

#endif

/* record.h - what a store keeps of a saga: its state, its timeline and its row.
 *
 * A record is one text: the saga's bytes (core/codec.h) with their length in
 * front, then the timeline's (core/timeline.h). */
#ifndef SKALD_STORE_RECORD_H
#define SKALD_STORE_RECORD_H

#include "orchestrator/core/codec.h"
#include "orchestrator/core/timeline.h"
#include "orchestrator/store/store.h"

enum { RECORD_BYTES_MAX = SAGA_BYTES_MAX + TIMELINE_BYTES_MAX + 16 };

/* Append. Failures are in out->err. */
void record_write(struct bytes *out, const struct saga *saga, const uint8_t hash[SHA256_SIZE],
		  struct slice timeline);

/* The parts, within the record. OK, ERR_CORRUPT. */
CHECKED enum err record_split(struct slice record, struct slice *saga, struct slice *timeline);

/* What can be searched of the saga. Its texts are parts of the definition, the
 * saga and the timeline. */
struct saga_row record_row(const struct definition *definition, const struct saga *saga,
			   struct slice timeline);

#endif

/* inquiry.h - what a participant remembers, told to the orchestrator.
 *
 * No handler takes part. Each inquiry is a transaction of its own that writes nothing,
 * and looks at no more than RECORDS_MAX records, so that commands do not wait long.
 */
#ifndef SKALD_PARTICIPANTS_INQUIRY_H
#define SKALD_PARTICIPANTS_INQUIRY_H

#include "participants/lib/barrier.h"

/* Where nothing can be told, `trouble` says why. `kept_ms`: what was first sent before
 * may be forgotten; 0: nothing is. All is in the arena. */
void inquiry_answer(struct barrier *barrier, const struct inquiry_message *inquiry,
		    int64_t kept_ms, struct arena *arena, struct records_message *out);

#endif

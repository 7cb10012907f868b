/* participant.h - puts a participant together from its parts. */
#ifndef SKALD_PARTICIPANTS_PARTICIPANT_H
#define SKALD_PARTICIPANTS_PARTICIPANT_H

#include "base/clock.h"
#include "bus/bus.h"
#include "participants/lib/barrier.h"
#include "skald/participant.h"

/* The participant borrows its parts; they outlive it. `horizon_ms` is how long
 * the barrier keeps its records, 0: for ever. NULL: out of memory. */
skald_participant *participant_open(struct port *port, struct barrier *barrier,
				    const struct clock *clock, int64_t horizon_ms);

#endif

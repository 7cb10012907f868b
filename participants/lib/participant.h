/* participant.h - puts a participant together from its parts.
 *
 * What services see is include/skald/participant.h. Nothing here asks for the time,
 * opens a file or starts a thread: tests and simulators give it what they like.
 */
#ifndef SKALD_PARTICIPANTS_PARTICIPANT_H
#define SKALD_PARTICIPANTS_PARTICIPANT_H

#include "base/clock.h"
#include "base/log.h"
#include "bus/bus.h"
#include "participants/lib/barrier.h"
#include "participants/lib/guard.h"
#include "skald/participant.h"

enum {
	PARTICIPANT_BATCH = 1000, /* commands in a transaction, unless said otherwise */
	PARTICIPANT_BATCH_MAX = 10000,

	/* A batch that needs more memory than this takes no more commands. */
	PARTICIPANT_BATCH_BYTES = 4 * 1024 * 1024,

	/* Records are kept a little longer than they count, as a clock may be set
	 * back. */
	PARTICIPANT_PRUNE_MARGIN_MS = 60 * 60 * 1000,
};

/* The parts are borrowed; they outlive the participant. `horizon_ms` is how long
 * the barrier keeps its records, 0: for ever. NULL: out of memory. */
skald_participant *participant_open(struct port *port, struct barrier *barrier,
				    const struct clock *clock, int64_t horizon_ms);

/* What is not needed; before the first poll. The guard and the log are borrowed. */
void participant_set_guard(skald_participant *participant, struct guard *guard);
void participant_set_log(skald_participant *participant, const struct log *log);
CHECKED enum err participant_set_batch(skald_participant *participant, size_t batch);

/* A pipe, borrowed: what is written to its second end ends a wait of the port, and
 * a stop and an answer from another thread write there. Without one a wait ends with
 * its time. */
void participant_set_wake(skald_participant *participant, const int wake[2]);

/* Who has put the participant together, and what else belongs to it. */
struct participant_host {
	void (*turn)(void *context);                 /* after every wait */
	const char *(*trouble)(const void *context); /* see skald_participant_trouble */
	void (*close)(void *context);                /* last of all */
	void *context;
};

void participant_set_host(skald_participant *participant, const struct participant_host *host);

#endif

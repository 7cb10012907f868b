/* faults.h - what goes wrong in a simulated run, by name.
 *
 *     drop=1%,dup=5%,delay=1%:30s,crash=0.1%,restart=0.5%,decline=10%
 *
 * A chance is a percentage with up to four decimals. Behind a colon stands how long
 * it lasts at most, where that means something. slow=50ms has no chance: participants take
 * so much longer for everything. What is not named does not happen. So whatever the
 * example services are given as faults is understood here, but for deadly.
 */
#ifndef SKALD_SIMULATE_FAULTS_H
#define SKALD_SIMULATE_FAULTS_H

#include "base/bytes.h"

#include <stdint.h>

enum fault {
	FAULT_DROP,    /* a command or reply gets lost */
	FAULT_DUP,     /* ... arrives twice */
	FAULT_DELAY,   /* ... arrives late, up to so much */
	FAULT_DECLINE, /* a do up to the pivot is refused */
	FAULT_FAIL,    /* an attempt fails */
	FAULT_TIMEOUT, /* an attempt is answered when its time is over */
	FAULT_CRASH,   /* a participant dies of an attempt, and is away for up to so long */
	FAULT_RESTART, /* the orchestrator dies around a commit, likewise */
	FAULT_STALL,   /* from a commit on the store takes nothing, likewise */
	FAULT_CLOCK,   /* at a turn the clock is set wrong, by up to so much */
	FAULT_CANCEL,  /* somebody cancels the saga */
};
enum { FAULTS = FAULT_CANCEL + 1 };

struct faults {
	uint32_t chance[FAULTS]; /* in millionths */
	int64_t most_ms[FAULTS]; /* of those that last */
	int64_t slow_ms;         /* that an attempt takes longer */
};

extern const struct faults faults_default;

/* "none" and names as above. ERR_INVALID: the diag names what is wrong and lists what
 * there is; *out is then untouched. */
CHECKED enum err faults_parse(struct slice text, struct faults *out, struct diag *diag);

/* What faults_parse reads; "none" where nothing goes wrong. */
void faults_write(struct bytes *out, const struct faults *faults);

/* "1%", "0.25%": digits with up to four decimals, up to 100. False: it is none. */
bool chance_parse(struct slice text, uint32_t *out);

#endif

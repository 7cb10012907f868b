/* compare.h - what a saga's record says of a command, held against what the
 * participant's barrier says of it.
 *
 * The record is the orchestrator's, and its last word is what it has heard: done,
 * refused, undone. Where it has heard nothing yet (a command is in flight, an attempt
 * is to come, a step is in doubt, a person is to decide) everything is right, as the
 * orchestrator sends on until it knows. Pure: no I/O, no memory of its own.
 */
#ifndef SKALD_RECONCILE_COMPARE_H
#define SKALD_RECONCILE_COMPARE_H

#include "orchestrator/core/saga.h"
#include "orchestrator/engine/address.h"
#include "proto/message.h"

enum said {
	SAID_ANYTHING, /* not settled: whatever the barrier says is right */
	SAID_NOTHING,  /* never sent, or plainly nothing came of it */
	SAID_DONE,
	SAID_UNDONE,
	SAID_REFUSED,
};

/* What the record says of one command. */
struct expected {
	enum said said;
	bool asked;               /* it is the newest round of a step that the saga has */
	const char *state;        /* of the step, for people; "" where there is none */
	int64_t first_ms;         /* when its do was first sent, or the saga begun */
	struct slice participant; /* whose barrier has to know it; may be empty */
};

enum mismatch {
	MISMATCH_NONE,
	MISMATCH_FORGOTTEN, /* it is older than what the barrier keeps: no difference */
	MISMATCH_NO_SAGA,   /* done, of a saga that was never here */
	MISMATCH_NO_STEP,   /* done, and the record has not sent it */
	MISMATCH_NO_EFFECT, /* the record says done, the barrier knows nothing */
	MISMATCH_NO_RECORD, /* it says refused or undone, the barrier knows nothing */
	MISMATCH_DONE_BUT_UNDONE,
	MISMATCH_DONE_BUT_REFUSED,
	MISMATCH_UNDONE_BUT_DONE,
	MISMATCH_REFUSED_BUT_DONE,
	MISMATCH_UNREADABLE, /* the saga's own record cannot be read */
};

/* What the record says of the command that the address means, as the barrier of this
 * participant knows it. */
struct expected expected_of(const struct definition *definition, const struct saga *saga,
			    const struct address *address, struct slice participant);

/* The command of a step that is worth asking for: its do, or the undo of a step that has
 * nothing else. False: nobody is asked for that step. */
bool expected_command(const struct definition *definition, const struct saga *saga,
		      uint32_t step, enum verb *verb, uint16_t *round,
		      struct slice *participant);

/* `kept_ms`: what the barrier was sent before may be forgotten; 0: nothing is. */
enum mismatch compare(const struct expected *expected, enum record_state state,
		      int64_t kept_ms);

/* For programs ("effect-missing"), and a sentence for people. */
const char *mismatch_code(enum mismatch difference);
const char *mismatch_text(enum mismatch difference);
const char *record_state_text(enum record_state state); /* "ok", "nothing", ... */

#endif

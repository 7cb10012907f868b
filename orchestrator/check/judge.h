/* judge.h - holds moves and states to the invariants; private to the checker.
 *
 * Each function looks at one side of the move that was just made and notes the
 * first thing that is wrong in play->finding. What is right is said here once
 * more, in terms of the participants' records wherever that is possible: if the
 * core's own notes are wrong, the records are not.
 */
#ifndef SKALD_CHECK_JUDGE_H
#define SKALD_CHECK_JUDGE_H

#include "orchestrator/check/play.h"

enum invariant {
	ONCE,
	KEPT,
	UNDO_ORDER,
	NOT_REFUSED,
	NO_RETURN,
	ORDER,
	ENDS,
	COMPLETED,
	ALIVE,
	RESUMABLE,
	RETRIES,
	ANSWERS,
	OPERATIONS,
	PAUSED,
	ARGUMENTS,
	PURE,
	END_REACHABLE,
};

/* Note that the invariant does not hold, unless something was noted before. */
void judge_found(struct play *play, enum invariant invariant, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* After an event: what is to be sent, before it is; then all else about it. */
void judge_commands(struct play *play);
void judge_event(struct play *play);

/* What the event had to bring about; part of judge_event(). */
void judge_outcome(struct play *play);

/* The same decision came out differently. */
void judge_impure(struct play *play);

/* play->after, once for every new state. */
CHECKED enum err judge_state(struct play *play);

#endif

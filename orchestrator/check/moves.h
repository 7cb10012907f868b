/* moves.h - what can happen next in a state; private to the checker. */
#ifndef SKALD_CHECK_MOVES_H
#define SKALD_CHECK_MOVES_H

#include "orchestrator/check/model.h"

enum move_kind {
	MOVE_BEGIN, /* the saga starts */
	MOVE_REPLY,
	MOVE_TIMEOUT,
	MOVE_DUE,
	MOVE_DEADLINE,
	MOVE_SIGNAL,
	MOVE_SIGNAL_AGAIN, /* one that came before */
	MOVE_CANCEL,
	MOVE_TURN_BACK, /* undo of the saga */
	MOVE_PAUSE,
	MOVE_RESUME,
	MOVE_RETRY,
	MOVE_SKIP,
	MOVE_KILL,
};

struct move {
	uint8_t kind; /* enum move_kind */
	uint8_t verb;
	uint8_t round;
	uint8_t outcome;
	bool stale;    /* about an attempt that is not under way: must be ignored */
	bool spent;    /* the retry budget is spent by now */
	bool output;   /* skip: with an output */
	uint32_t step; /* signal: the event's number */
	uint32_t attempt;
};

struct moves {
	struct move *list;
	uint32_t n;
	uint32_t capacity;
	bool nomem;
};

/* Everything that can happen, always in the same order. The list's memory is
 * kept and used again; moves_release() frees it. */
void moves_list(struct moves *moves, const struct model *model, const struct state *state);
void moves_release(struct moves *moves);

#endif

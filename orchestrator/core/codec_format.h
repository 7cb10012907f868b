/* codec_format.h - how a saga's bytes are laid out; for codec_*.c alone.
 *
 * Format 1. n: a number, s: a signed number, t: a text (see base/pack.h).
 *
 *	saga    = version (1 byte) hash (32 bytes) t:id n:head t:key n:revision
 *	          s:started_ms time:updated_ms [time:ended_ms] [time:deadline_ms]
 *	          t:input t:output n:n_steps step* [n:failure_step] [error]
 *	          n:n_signals signal* checksum
 *	step    = n:head [time:started_ms] [time:ended_ms] [n:attempt] [t:output]
 *	          [time:due_ms] [time:budget_ms] [error] [n:do_round] [n:undo_round]
 *	          [n:base]
 *	signal  = t:id t:event n:head [t:payload]
 *	error   = t:code t:message
 *	time    = s: milliseconds after the saga's started_ms
 * Format 2 has more behind the signals, and up to INSTANCES_MAX steps:
 *
 *	saga    = ... n:n_signals signal* t:parent n:n_expansions expansion* checksum
 *	expansion = n:step n:first n:n t:item*
 *
 *	checksum = CRC-32C of all before it, 4 bytes, lowest first
 *
 * A head holds the enums and flags, and one bit for each part in brackets that
 * is there: a part that is zero, empty or NULL must not be. What nearly every
 * step has stands in the low bits, so that most heads take two or three bytes.
 */
#ifndef SKALD_CORE_CODEC_FORMAT_H
#define SKALD_CORE_CODEC_FORMAT_H

#include "orchestrator/core/saga.h"

enum saga_head {
	SAGA_HEAD_PHASE = 0,
	SAGA_HEAD_PHASE_BITS = 3,
	SAGA_HEAD_FLAGS = 3,
	SAGA_HEAD_FLAGS_BITS = 5,
	SAGA_HEAD_ENDED = 1 << 8,
	SAGA_HEAD_DEADLINE = 1 << 9,
	SAGA_HEAD_FAILURE_STEP = 1 << 10,
	SAGA_HEAD_FAILURE = 1 << 11,
	SAGA_HEAD_MAX = (1 << 12) - 1,
};

enum step_head {
	STEP_HEAD_STATE = 0,
	STEP_HEAD_STATE_BITS = 4,
	STEP_HEAD_FLAGS = 4,
	STEP_HEAD_FLAGS_BITS = 6,
	STEP_HEAD_STARTED = 1 << 10,
	STEP_HEAD_ENDED = 1 << 11,
	STEP_HEAD_ATTEMPT = 1 << 12,
	STEP_HEAD_OUTPUT = 1 << 13,
	STEP_HEAD_DUE = 1 << 14,
	STEP_HEAD_BUDGET = 1 << 15,
	STEP_HEAD_VERB = 16,
	STEP_HEAD_VERB_BITS = 2,
	STEP_HEAD_WHY = 18,
	STEP_HEAD_WHY_BITS = 4,
	STEP_HEAD_ERROR = 1 << 22,
	STEP_HEAD_DO_ROUND = 1 << 23,
	STEP_HEAD_UNDO_ROUND = 1 << 24,
	STEP_HEAD_BASE = 1 << 25,
	STEP_HEAD_MAX = (1 << 26) - 1,
};

enum signal_head {
	SIGNAL_HEAD_USED = 1 << 0,
	SIGNAL_HEAD_PAYLOAD = 1 << 1,
	SIGNAL_HEAD_MAX = (1 << 2) - 1,
};

enum {
	SAGA_FLAGS = SAGA_PAUSED | SAGA_TURNING | SAGA_OVERDUE | SAGA_REVERSED,
	STEP_FLAGS = FLAG_TOUCHED | FLAG_UNANSWERED | FLAG_OUTPUT | FLAG_LATE | FLAG_WAIVED,
	CHECKSUM_SIZE = 4,
	TEXT_LIMIT = PAYLOAD_MAX, /* of every text without a limit of its own */
};

/* The oldest format that has room for all of the saga. */
static inline int saga_format(const struct saga *saga)
{
	if (saga->parent.len || saga->n_expansions)
		return 2;
	for (uint32_t i = 0; i < saga->n_steps; i++)
		if (saga->steps[i].why > WHY_TIMEOUT)
			return 2;
	return 1;
}

_Static_assert(PHASE_KILLED < 1 << SAGA_HEAD_PHASE_BITS, "phases have 3 bits");
_Static_assert(SAGA_FLAGS < 1 << SAGA_HEAD_FLAGS_BITS, "flags of a saga have 5 bits");
_Static_assert(STEP_STATES <= 1 << STEP_HEAD_STATE_BITS, "states have 4 bits");
_Static_assert(STEP_FLAGS < 1 << STEP_HEAD_FLAGS_BITS, "flags of a step have 6 bits");
_Static_assert(VERB_REVOKE < 1 << STEP_HEAD_VERB_BITS, "verbs have 2 bits");
_Static_assert(WHY_KILLED < 1 << STEP_HEAD_WHY_BITS, "whys have 4 bits");

#endif

/* undo_plan.h - what a cancel would undo now, and in which order.
 *
 * Nothing here decides: a copy of the saga is cancelled by saga_step() and led to
 * its end with answers of ok, and the plan is what was sent on the way. So it says
 * what a cancel at this moment does, as long as every undo succeeds.
 *
 * What stands in one wave is under way at the same time; what stands in the next
 * one waits for something of this one. A saga that turns back already has the rest
 * of its way as a plan, and a completed saga without a pivot what `undo` does.
 *
 * The undo of a step that started a child saga turns that one back: what it undoes is
 * the child's own plan, made with `by_parent`.
 */
#ifndef SKALD_EXPLAIN_UNDO_PLAN_H
#define SKALD_EXPLAIN_UNDO_PLAN_H

#include "orchestrator/core/saga.h"

enum { UNDO_PLAN_ARGS_MAX = 16 * 1024 * 1024 }; /* bytes of arguments; others are left out */

enum planned_kind {
	PLANNED_ANSWER, /* its do is under way: the answer is waited for, no longer than the
			 * attempt has */
	PLANNED_REVOKE, /* the pivot, which may have happened: its answer decides */
	PLANNED_UNDO,
	PLANNED_PERSON, /* its undo is parked, or its arguments cannot be made */
	PLANNED_HELD,   /* its undo waits for such a one */
};

struct planned {
	enum planned_kind kind;
	uint32_t wave; /* from 1 */
	uint32_t step;
	uint16_t round;    /* of the command */
	bool sent;         /* it was sent before */
	bool args_open;    /* undo: some depend on what the do will answer */
	struct slice args; /* undo: JSON, masked; open: as they are without the answer; empty:
			    * of a child saga, or left out */
};

/* A step that is left as it is. */
struct left {
	uint32_t step;
	const char *why; /* "it was not started" */
};

struct undo_plan {
	enum event_type operation; /* EVENT_CANCEL, or EVENT_UNDO */
	const char *refusal;       /* it would be refused: why; otherwise NULL */
	bool turning;              /* it turns back already */
	bool paused;               /* nothing is sent before somebody resumes it */
	bool parks;                /* it stops where a person is needed */
	struct planned *list;      /* by wave, then in the order of the saga's steps */
	uint32_t n;
	struct left *left; /* in the order of the saga's steps, without those around others */
	uint32_t n_left;
};

/* Who asks for it. */
struct undo_wish {
	struct slice reason; /* of the operation: an undo may be told it */
	bool by_parent;      /* the saga whose child it is */
	int64_t at_ms;

	/* Whether the command of a step was not handed over yet: a do that is so is taken
	 * back at once. NULL: they all were. */
	bool (*is_held)(const void *context, uint32_t step);
	const void *context;
};

/* OK or ERR_NOMEM. */
CHECKED enum err undo_plan(const struct definition *definition,
			   const struct evaluator *evaluator, const struct saga *saga,
			   const struct undo_wish *wish, struct arena *arena,
			   struct undo_plan *out);

const char *planned_text(enum planned_kind kind); /* "answer", "revoke", "undo", ... */

#endif

/* model.h - the saga together with the world around it; private to the checker.
 *
 * A state is a saga and, for each of its steps, what lies in the network and
 * what the participant's barrier has written down. The network loses, repeats,
 * delays and reorders without bound: what was sent once can arrive at any later
 * time, or never. So a message is no more than the fact that it was sent.
 *
 * The saga does not see when a command arrives, only what it is answered. So the
 * world is not played move by move: for each do the model holds the set of all
 * records that the barrier may have by now, given everything that was sent and
 * answered. An answer can come if one of these records gives it, and leaves
 * those that do. Invariants must hold whichever record is the true one. That
 * loses nothing and adds nothing: each record in the set is one to which some
 * order of deliveries leads, and no saga could tell it from the others.
 */
#ifndef SKALD_CHECK_MODEL_H
#define SKALD_CHECK_MODEL_H

#include "orchestrator/check/explore.h"

enum {
	ROUNDS = 4, /* of one command: the first one and what operators add */
	OPERATIONS_MAX = ROUNDS - 1,
	ELEMENTS_MAX = 8,
	COUNT_MAX = 15, /* of anything that is packed into four bits */
	ATTEMPTS_BOUND_MAX = 100,
};

/* Time is what the model chooses: an event comes while budgets last, or after
 * they are spent. Budgets lie between the two. */
enum { NOW_MS = 1 };
#define BUDGET_MS ((int64_t)1 << 40)
#define LATER_MS  ((int64_t)1 << 50)

/* What a barrier can have written down of one do. */
enum record {
	RECORD_NONE,
	RECORD_OK,      /* it took effect, and the effect stands */
	RECORD_REFUSED, /* stored: nothing was done, nothing will be */
	RECORD_BARRED,  /* an undo or revoke came first */
	RECORD_UNDONE,  /* it took effect and was undone */
	RECORD_TWICE,   /* it took effect a second time: no barrier does that */
};
enum { RECORDS = RECORD_TWICE + 1 };

/* Several of them, as bits. */
typedef uint8_t record_set;
#define RECORD_BIT(record) ((record_set)(1u << (record)))

enum books_flag {
	BOOKS_UNANSWERED = 1 << 0, /* an attempt of the do timed out */
	BOOKS_REFUSED = 1 << 1,    /* the saga was told of a refusal and nothing else */
	BOOKS_SKIPPED = 1 << 2,    /* an operator skipped it and gave no output */
	BOOKS_OLD = 1 << 3,        /* past the horizon: without a record it is expired */
};

/* Network and participant of one step. Sets of rounds are bits. */
struct books {
	uint8_t sent_do;
	uint8_t sent_revoke;
	uint8_t sent_undo;
	uint8_t may_refuse;         /* undos that the handler may have answered refused */
	uint8_t undo_of[ROUNDS];    /* by undo round: the do's round */
	record_set records[ROUNDS]; /* by do round: what the barrier may hold by now */
	uint8_t flags;              /* enum books_flag */
};

struct world {
	struct books *books;
	uint8_t cancels; /* how many are left of each bound */
	uint8_t operations;
	uint8_t prunes;
	bool wanted_back; /* cancel or deadline was accepted before the pivot */
};

struct state {
	struct saga saga;
	struct world world;
};

/* What stays the same throughout one exploration. */
struct model {
	struct definition definition; /* retry policies cut down to the bounds */

	/* Its steps with those of the elements that are looked at, by their index in the
	 * saga. They name each other by that index, too. */
	struct step_definition *steps;
	uint32_t n_steps;
	struct expansion *expansions; /* the elements' room, in which every saga begins */
	uint32_t n_expansions;
	struct explore_bounds bounds;
	explore_step *step;
	struct step_set *dependents;    /* by step: those that run only after it */
	struct step_set read;           /* steps whose output some expression counts on */
	struct slice *events;           /* that are awaited, each once */
	uint32_t *event_limits;         /* signals of each that come */
	struct slice (*ids)[COUNT_MAX]; /* their ids */
	uint32_t n_events;
	size_t record_size; /* bytes of a packed state */
	struct arena arena;
};

/* ERR_NOMEM. model_release() in any case. */
/* ERR_TOO_LARGE: with its elements it has more steps than a set holds. */
CHECKED enum err model_make(struct model *model, const struct definition *definition,
			    const struct explore_options *options);
void model_release(struct model *model);

/* Whether the step is the other one or contains it. */
bool model_inside(const struct model *model, uint32_t outer, uint32_t inner);

/* Whose output is read where `step` reads that of a step of the definition: the one of
 * the same element, or the `each` whose list it is. */
uint32_t model_read(const struct model *model, uint32_t step, struct reference reference);

/* The saga waits for an answer of this step's participant. */
bool command_in_flight(const struct step_definition *definition, const struct step *step);

/* The round of the step's present command. */
static inline uint32_t present_round(const struct step *step)
{
	return step->verb == VERB_UNDO ? step->undo_round : step->do_round;
}

/* By which the step's present command is retried. */
const struct retry *retry_of(const struct model *model, uint32_t step, enum verb verb);

/* No more attempts are left after this one. */
bool attempts_used(const struct model *model, uint32_t step, const struct step *state);

/* The step does something at a participant that a saga has to undo. */
static inline bool has_effect(const struct step_definition *definition)
{
	return (form_commands(definition->form) && definition->kind != KIND_READONLY) ||
	       (definition->form == FORM_NOTHING && definition->has_undo);
}

#endif

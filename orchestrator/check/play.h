/* play.h - one move made: the saga and the world afterwards; private to the
 * checker. */
#ifndef SKALD_CHECK_PLAY_H
#define SKALD_CHECK_PLAY_H

#include "orchestrator/check/answers.h"
#include "orchestrator/check/moves.h"

/* An invariant that does not hold. */
struct finding {
	const struct explore_invariant *invariant; /* NULL: none */
	char what[DIAG_MAX];
};

struct play {
	const struct model *model;
	struct state before;
	struct state after; /* the saga's parts live until the next move */
	struct move move;
	struct event event;
	enum verdict verdict;
	struct effects effects;
	struct answers answers;
	struct finding finding;

	/* Private. */
	struct arena own;
	struct arena scratch;
	struct arena second;
	struct step *pristine;
	uint8_t *packed[2];
	uint64_t n_decisions;
};

CHECKED enum err play_make(struct play *play, const struct model *model);
void play_release(struct play *play);

/* The state to move from; NULL: before the saga starts. */
void play_load(struct play *play, const uint8_t *packed);

/* Make the move; the answers of expressions are those that play->answers has
 * next. *changed: there is a state afterwards that may be a new one. What is
 * wrong with the move, if anything, stands in play->finding. */
CHECKED enum err play_move(struct play *play, const struct move *move, bool *changed);

static inline const struct step_definition *play_step(const struct play *play, uint32_t i)
{
	return &play->model->steps[i];
}

static inline struct slice play_name(const struct play *play, uint32_t i)
{
	return play->model->steps[i].name;
}

/* The loaded state has a parked step that an operator could retry or skip. */
CHECKED enum err play_can_be_helped(struct play *play, bool *can);

#endif

#include "orchestrator/check/moves.h"

#include "orchestrator/check/world.h"

#include <stdlib.h>

struct lister {
	struct moves *moves;
	const struct model *model;
	const struct saga *saga;
	const struct world *world;
};

static void add(struct lister *l, struct move move)
{
	struct moves *moves = l->moves;
	struct move *list;

	if (moves->n == moves->capacity) {
		uint32_t capacity = moves->capacity ? moves->capacity * 2 : 64;

		list = realloc(moves->list, capacity * sizeof *list);
		if (!list) {
			moves->nomem = true;
			return;
		}
		moves->list = list;
		moves->capacity = capacity;
	}
	moves->list[moves->n++] = move;
}

static bool in_flight(const struct lister *l, uint32_t i)
{
	return command_in_flight(&l->model->steps[i], &l->saga->steps[i]);
}

/* The saga waits for an answer to this very command. */
static bool awaited(const struct lister *l, uint32_t i, enum verb verb, uint32_t round)
{
	const struct step *step = &l->saga->steps[i];

	return in_flight(l, i) && step->verb == verb && present_round(step) == round;
}

/* --- answers --------------------------------------------------------------------- */

static void list_stored_answers(struct lister *l, uint32_t i, enum verb verb, uint8_t round)
{
	static const enum outcome outcomes[] = {OUTCOME_OK, OUTCOME_REFUSED};
	const struct step *step = &l->saga->steps[i];
	bool present = step->verb == verb && step->attempt;

	for (size_t n = 0; n < sizeof outcomes / sizeof *outcomes; n++) {
		struct move move = {.kind = MOVE_REPLY,
				    .verb = (uint8_t)verb,
				    .round = round,
				    .outcome = (uint8_t)outcomes[n],
				    .step = i,
				    .attempt = present ? step->attempt : 1};

		if (!world_answers(&l->world->books[i], verb, round, outcomes[n]) ||
		    !(l->model->bounds.dup || awaited(l, i, verb, round)))
			continue;
		add(l, move);
		if (l->model->bounds.dup && awaited(l, i, verb, round) && step->attempt > 1) {
			move.attempt--; /* of an earlier attempt: it counts as well */
			add(l, move);
		}
	}
}

/* An attempt that comes to nothing does so while the budget lasts, or after. */
static void list_failure(struct lister *l, struct move move)
{
	const struct step *step = &l->saga->steps[move.step];
	const struct retry *retry = retry_of(l->model, move.step, (enum verb)step->verb);
	bool counts = l->saga->phase != PHASE_BACK || step->verb != VERB_DO;
	bool bounded =
		retry->attempts || step->attempt - step->base < l->model->bounds.attempts;

	if (bounded)
		add(l, move);
	move.spent = true;
	if (retry->budget_ms && counts && !attempts_used(l->model, move.step, step))
		add(l, move);
}

/* A child is waited for as long as it takes. Somebody can kill it, or the store can
 * have forgotten it when it is to be undone. */
static void list_lost_child(struct lister *l, uint32_t i, struct move move)
{
	if (!l->world->prunes && !(l->world->books[i].flags & BOOKS_OLD))
		return;
	move.kind = MOVE_REPLY;
	move.outcome = OUTCOME_KILLED;
	add(l, move);
	move.outcome = OUTCOME_EXPIRED;
	if (move.verb == VERB_UNDO)
		add(l, move);
}

static void list_failures(struct lister *l, uint32_t i)
{
	const struct step *step = &l->saga->steps[i];
	struct move move = {.verb = step->verb,
			    .round = (uint8_t)present_round(step),
			    .step = i,
			    .attempt = step->attempt};

	if (!in_flight(l, i))
		return;
	if (l->model->steps[i].form == FORM_SAGA) {
		list_lost_child(l, i, move);
		return;
	}
	move.kind = MOVE_TIMEOUT;
	list_failure(l, move);
	move.kind = MOVE_REPLY;
	move.outcome = OUTCOME_FAILED;
	list_failure(l, move);
	move.outcome = OUTCOME_EXPIRED;
	if (l->world->prunes || l->world->books[i].flags & BOOKS_OLD)
		add(l, move);
}

/* A timer that ran out just before the saga was paused. */
static void list_paused_timer(struct lister *l, uint32_t i)
{
	const struct step *step = &l->saga->steps[i];
	bool waits = step->state == STEP_BACKOFF || step->state == STEP_UNDO_BACKOFF;

	if (waits && l->saga->flags & SAGA_PAUSED)
		add(l, (struct move){.kind = MOVE_DUE,
				     .verb = step->verb,
				     .round = (uint8_t)present_round(step),
				     .stale = true,
				     .step = i,
				     .attempt = step->attempt});
}

/* What an earlier attempt came to, told late. */
static void list_stale_failures(struct lister *l, uint32_t i)
{
	const struct step *step = &l->saga->steps[i];
	bool waits = step->state == STEP_BACKOFF || step->state == STEP_UNDO_BACKOFF;
	struct move move = {.verb = step->verb,
			    .round = (uint8_t)present_round(step),
			    .outcome = OUTCOME_FAILED,
			    .stale = true,
			    .step = i,
			    .attempt = step->attempt - !waits};

	if (!l->model->bounds.dup || !move.attempt || !(waits || in_flight(l, i)))
		return;
	move.kind = MOVE_TIMEOUT;
	add(l, move);
	move.kind = MOVE_REPLY;
	add(l, move);
}

static void list_answers(struct lister *l, uint32_t i)
{
	static const enum verb verbs[] = {VERB_DO, VERB_UNDO, VERB_REVOKE};

	for (size_t n = 0; n < sizeof verbs / sizeof *verbs; n++)
		for (uint8_t round = 0; round < ROUNDS; round++)
			list_stored_answers(l, i, verbs[n], round);
	list_failures(l, i);
	list_stale_failures(l, i);
	list_paused_timer(l, i);
}

/* --- time, signals, operators ---------------------------------------------------- */

static void list_timers(struct lister *l)
{
	struct timer timer;

	for (uint32_t n = 0; saga_timer(&l->model->definition, l->saga, n, &timer); n++)
		add(l, (struct move){.kind = timer.type == EVENT_DEADLINE ? MOVE_DEADLINE
									  : MOVE_DUE,
				     .verb = (uint8_t)timer.verb,
				     .round = (uint8_t)timer.round,
				     .step = timer.step,
				     .attempt = timer.attempt});
}

static void list_signals(struct lister *l)
{
	for (uint32_t n = 0; n < l->model->n_events; n++) {
		uint32_t came = 0;

		for (uint32_t k = 0; k < l->saga->n_signals; k++)
			came += slice_equal(l->saga->signals[k].event, l->model->events[n]);
		if (came < l->model->event_limits[n])
			add(l, (struct move){.kind = MOVE_SIGNAL, .step = n, .attempt = came});
		if (came && l->model->bounds.dup)
			add(l, (struct move){.kind = MOVE_SIGNAL_AGAIN, .step = n});
	}
}

static void list_skip(struct lister *l, uint32_t i)
{
	enum form form = l->model->steps[i].form;
	bool parked = l->saga->steps[i].state == STEP_PARKED;
	struct move move = {.kind = MOVE_SKIP, .step = i};

	if (form_is_block(form) && !parked)
		return;
	add(l, move);
	move.output = true;
	if (l->saga->phase == PHASE_FORWARD && (form_commands(form) || form == FORM_AWAIT))
		add(l, move);
}

static void list_operations(struct lister *l)
{
	uint32_t n_retries = 0;

	if (!(l->saga->flags & SAGA_PAUSED))
		add(l, (struct move){.kind = MOVE_PAUSE});
	for (uint32_t i = 0; i < l->saga->n_steps; i++) {
		enum step_state state = (enum step_state)l->saga->steps[i].state;
		bool waits = state == STEP_PARKED || state == STEP_BACKOFF ||
			     state == STEP_UNDO_BACKOFF;

		if (waits) {
			add(l, (struct move){.kind = MOVE_RETRY, .step = i});
			n_retries++;
		}
		if (waits || state == STEP_RUNNING || state == STEP_UNDOING)
			list_skip(l, i);
	}
	if (n_retries > 1)
		add(l, (struct move){.kind = MOVE_RETRY, .step = NO_STEP});
}

/* --- all of it ------------------------------------------------------------------- */

void moves_list(struct moves *moves, const struct model *model, const struct state *state)
{
	struct lister l = {moves, model, &state->saga, &state->world};
	bool ended = saga_ended(l.saga);

	moves->n = 0;
	for (uint32_t i = 0; i < l.saga->n_steps; i++)
		list_answers(&l, i);
	list_timers(&l);
	list_signals(&l);
	if (l.world->cancels)
		add(&l, (struct move){.kind = MOVE_CANCEL});
	if (l.saga->phase == PHASE_COMPLETED)
		add(&l, (struct move){.kind = MOVE_TURN_BACK});
	if (l.saga->flags & SAGA_PAUSED && !ended)
		add(&l, (struct move){.kind = MOVE_RESUME});
	if (l.world->operations && !ended)
		list_operations(&l);
	if (!ended)
		add(&l, (struct move){.kind = MOVE_KILL});
}

void moves_release(struct moves *moves)
{
	free(moves->list);
	*moves = (struct moves){0};
}

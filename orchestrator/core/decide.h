/* decide.h - what the parts of saga_step() share; private to the core.
 *
 * A decision works on its own copy of the saga. The functions below change that
 * copy and note what happened in the timeline; none sends anything. What is to
 * be sent is read off at the end, from how the saga differs from before.
 */
#ifndef SKALD_CORE_DECIDE_H
#define SKALD_CORE_DECIDE_H

#include "orchestrator/core/saga.h"

struct decision {
	const struct definition *definition;
	const struct evaluator *evaluator;
	struct arena *arena;
	const struct saga *before; /* NULL: the saga begins */
	struct saga *saga;         /* afterwards */
	struct effects *effects;
	int64_t at_ms;
	struct slice actor;
	struct slice *args; /* by step: arguments evaluated on the way; NULL: none yet */
	uint32_t n_args;
	uint32_t entries_capacity;
	bool nomem; /* the decision as a whole failed */
};

static inline const struct step_definition *definition_of(const struct decision *d, uint32_t i)
{
	return saga_step_definition(d->definition, d->saga, i);
}

static inline struct step *step_of(const struct decision *d, uint32_t i)
{
	return &d->saga->steps[i];
}

/* The step before the decision; NULL: it was not there. */
static inline const struct step *step_before(const struct decision *d, uint32_t i)
{
	return d->before && i < d->before->n_steps ? &d->before->steps[i] : NULL;
}

/* From the index of a step of the definition to its instance beside `i`: for the
 * same element. */
static inline uint32_t shift_of(const struct decision *d, uint32_t i)
{
	return i < d->definition->n_steps ? 0
					  : i - saga_instance(d->definition, d->saga, i).step;
}

/* The round of the step's present command. */
static inline uint16_t present_round(const struct step *step)
{
	return step->verb == VERB_UNDO ? step->undo_round : step->do_round;
}

/* --- decide.c: notes, errors, sending ----------------------------------------- */

void note(struct decision *d, enum entry_type type, uint32_t step, struct slice detail);

/* A code and a sentence in the arena; NULL and nomem where there is no room. */
const struct error *make_error(struct decision *d, struct slice code, struct slice message);

/* The policy that the step's present command is retried by. */
const struct retry *retry_policy(const struct step_definition *definition, enum verb verb);

/* How long to wait after `failures` failed attempts, 1 or more; at least 1 ms. `seed`
 * makes the jitter. */
int64_t retry_delay_ms(const struct retry *retry, uint32_t failures, uint64_t seed);

/* Begin a command from its first attempt. */
void begin_command(struct decision *d, uint32_t i, enum verb verb);

/* Hand over the next attempt of the step's present command; while the saga is
 * paused the step waits in back-off instead. */
void send_attempt(struct decision *d, uint32_t i);

/* An attempt came to nothing: wait for the next one. False: attempts or budget
 * are used up. */
bool back_off(struct decision *d, uint32_t i, int64_t sent_ms);

/* Park the step's present command. */
void park(struct decision *d, uint32_t i, enum why why);

/* Evaluate, noting an error in the step. ERR_INVALID: it failed. */
CHECKED enum err evaluate(struct decision *d, uint32_t i, enum purpose purpose,
			  struct json *out);

/* Evaluate a command's arguments and keep them for the effects. */
CHECKED enum err evaluate_args(struct decision *d, uint32_t i, enum purpose purpose);

/* --- forward.c: doing ----------------------------------------------------------- */

/* Start what can be started; complete the saga when all is done. */
void advance(struct decision *d);

/* --- each.c: the steps of many elements ------------------------------------------ */

/* Begin an `each` with its list. Every pointer to a step is void afterwards. False:
 * it is too long or too large, and the step has an error that says so. */
bool expand(struct decision *d, uint32_t i, struct json list);

/* The lists of steps inside a block, of all branches or all elements:
 * for (n = 0; block_list(d, i, n, &list); n++). */
struct block_list {
	uint32_t first, last; /* of the definition */
	uint32_t shift;       /* to the instances */
};
bool block_list(const struct decision *d, uint32_t i, uint32_t n, struct block_list *out);

/* The step and all in it are passed over. */
void skip_all(struct decision *d, uint32_t i, enum why why);

/* The do took effect. */
void settle_done(struct decision *d, uint32_t i, struct slice output);

/* The do did not take effect: the participant refused. */
void settle_refused(struct decision *d, uint32_t i);

/* No more attempts, and no answer. */
void settle_exhausted(struct decision *d, uint32_t i);

/* The timer of an await or a sleep ran out. */
void settle_due(struct decision *d, uint32_t i);

/* Hand kept signals to the awaits that wait for them. */
void deliver_signals(struct decision *d);

/* The wish to turn back, because of a step or (NO_STEP) of cancel or deadline.
 * Where the pivot is on its way, its revoke decides. */
void want_back(struct decision *d, uint32_t cause, const struct error *failure);

/* The pivot was done or skipped although the saga wanted to turn back. */
void go_on(struct decision *d);

/* --- back.c: undoing ------------------------------------------------------------- */

/* From here on everything that was touched is undone. */
void turn_back(struct decision *d, uint32_t cause, const struct error *failure);

/* Start the undos that nothing holds back; end the saga when all is undone. */
void retreat(struct decision *d);

/* The undo's attempts are used up, or it was refused. */
void settle_undo_failed(struct decision *d, uint32_t i, enum why why);

/* --- replies.c: answers and time ----------------------------------------------------- */

/* The step's present command is an undo that was begun and has not ended. */
bool undo_command(const struct step *step);

enum verdict take_reply(struct decision *d, const struct event *event);
enum verdict take_timeout(struct decision *d, const struct event *event);
enum verdict take_due(struct decision *d, const struct event *event);
enum verdict take_deadline(struct decision *d);

/* --- operators.c: people and events from outside ------------------------------------- */

enum verdict take_signal_event(struct decision *d, const struct event *event);
enum verdict take_operation(struct decision *d, const struct event *event);

#endif

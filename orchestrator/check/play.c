#include "orchestrator/check/play.h"

#include "orchestrator/check/judge.h"
#include "orchestrator/check/state.h"
#include "orchestrator/check/world.h"

#include <assert.h>

/* Every so many decisions one is made twice and compared. */
enum { DECIDE_TWICE = 16 };

enum err play_make(struct play *play, const struct model *model)
{
	*play = (struct play){.model = model, .answers = {.model = model}};
	play->pristine = arena_array(&play->own, model->n_steps, sizeof *play->pristine);
	play->after.world.books =
		arena_array(&play->own, model->n_steps, sizeof *play->after.world.books);
	for (size_t n = 0; n < 2; n++)
		play->packed[n] = arena_alloc(&play->own, model->record_size);
	return play->pristine && play->after.world.books && play->packed[0] &&
			       play->packed[1] && state_make(model, &play->own, &play->before)
		       ? OK
		       : ERR_NOMEM;
}

void play_release(struct play *play)
{
	arena_release(&play->own);
	arena_release(&play->scratch);
	arena_release(&play->second);
}

/* Before the saga starts there is none, and every bound is unused. */
static void load_nothing(struct play *play)
{
	const struct explore_bounds *bounds = &play->model->bounds;
	uint32_t n_steps = play->model->n_steps;
	struct world *world = &play->before.world;

	memset(play->before.saga.steps, 0, n_steps * sizeof *play->before.saga.steps);
	memset(world->books, 0, n_steps * sizeof *world->books);
	play->before.saga.phase = PHASE_FORWARD;
	play->before.saga.flags = 0;
	world->cancels = (uint8_t)bounds->cancel;
	world->operations = (uint8_t)bounds->operations;
	world->prunes = (uint8_t)bounds->prune;
	world->wanted_back = false;
}

void play_load(struct play *play, const uint8_t *packed)
{
	if (!packed) {
		load_nothing(play);
		return;
	}
	state_unpack(play->model, packed, &play->before);
	memcpy(play->pristine, play->before.saga.steps,
	       play->before.saga.n_steps * sizeof *play->pristine);
}

/* --- the event that a move is ---------------------------------------------------- */

static enum event_type event_type_of(const struct move *move)
{
	switch ((enum move_kind)move->kind) {
	case MOVE_REPLY: return EVENT_REPLY;
	case MOVE_TIMEOUT: return EVENT_TIMEOUT;
	case MOVE_DUE: return EVENT_DUE;
	case MOVE_DEADLINE: return EVENT_DEADLINE;
	case MOVE_SIGNAL:
	case MOVE_SIGNAL_AGAIN: return EVENT_SIGNAL;
	case MOVE_CANCEL: return EVENT_CANCEL;
	case MOVE_TURN_BACK: return EVENT_UNDO;
	case MOVE_PAUSE: return EVENT_PAUSE;
	case MOVE_RESUME: return EVENT_RESUME;
	case MOVE_RETRY: return EVENT_RETRY;
	case MOVE_SKIP: return EVENT_SKIP;
	case MOVE_KILL: return EVENT_KILL;
	case MOVE_BEGIN: break;
	}
	assert(!"an event");
	return EVENT_REPLY;
}

static struct event event_of(const struct model *model, const struct move *move)
{
	bool signal = move->kind == MOVE_SIGNAL || move->kind == MOVE_SIGNAL_AGAIN;
	bool already_done = move->verb == VERB_REVOKE && move->outcome == OUTCOME_REFUSED;
	struct event event = {
		.type = event_type_of(move),
		.at_ms = move->spent ? LATER_MS : NOW_MS,
		.step = signal ? NO_STEP : move->step,
		.verb = (enum verb)move->verb,
		.round = move->round,
		.attempt = move->attempt,
		.sent_ms = NOW_MS,
		.outcome = (enum outcome)move->outcome,
		.actor = SLICE_LITERAL("operator"),
		.reason = SLICE_LITERAL("checking"),
	};

	if (move->kind == MOVE_REPLY && (move->outcome == OUTCOME_OK || already_done))
		event.payload = SLICE_LITERAL("{}");
	if (signal || move->output)
		event.payload = SLICE_LITERAL("{}");
	if (signal) {
		event.name = model->events[move->step];
		event.id =
			model->ids[move->step][move->kind == MOVE_SIGNAL ? move->attempt : 0];
	}
	return event;
}

/* --- the world's part ------------------------------------------------------------ */

static void copy_world(struct play *play)
{
	struct books *books = play->after.world.books;

	memcpy(books, play->before.world.books, play->before.saga.n_steps * sizeof *books);
	play->after.world = play->before.world;
	play->after.world.books = books;
}

/* What an operator leaves out has no output, and neither has what is in it. */
static void note_skip(struct play *play)
{
	const struct move *move = &play->move;

	if (move->kind != MOVE_SKIP || play->before.saga.phase != PHASE_FORWARD)
		return;
	for (uint32_t i = 0; i < play->model->n_steps; i++)
		if (model_inside(play->model, move->step, i) &&
		    !(i == move->step && move->output))
			play->after.world.books[i].flags |= BOOKS_SKIPPED;
}

/* A step that only has an undo is done without a command. */
static bool done_alone(const struct play *play, uint32_t i)
{
	const struct step *after = &play->after.saga.steps[i];

	if (play->model->steps[i].form != FORM_NOTHING ||
	    play->before.saga.steps[i].state != STEP_WAITING)
		return false;
	return after->state == STEP_DONE || after->state == STEP_UNDOING ||
	       (after->state == STEP_PARKED && after->verb == VERB_UNDO);
}

/* What the saga was told says something of the participant's records. */
static void note_reply(struct play *play)
{
	const struct move *move = &play->move;
	const struct step *step = &play->before.saga.steps[move->step];
	struct books *books = &play->after.world.books[move->step];

	switch ((enum outcome)move->outcome) {
	case OUTCOME_REFUSED:
		if (move->verb == VERB_DO && move->round == step->do_round &&
		    !(books->flags & BOOKS_UNANSWERED))
			books->flags |= BOOKS_REFUSED;
		world_answered(books, (enum verb)move->verb, move->round, OUTCOME_REFUSED);
		break;
	case OUTCOME_OK:
		world_answered(books, (enum verb)move->verb, move->round, OUTCOME_OK);
		break;
	case OUTCOME_EXPIRED:
	case OUTCOME_KILLED:
		play->after.world.prunes -= !(books->flags & BOOKS_OLD);
		books->flags |= BOOKS_OLD;
		break;
	case OUTCOME_FAILED: break;
	}
}

static void note_taken(struct play *play)
{
	const struct move *move = &play->move;
	struct world *world = &play->after.world;

	switch ((enum move_kind)move->kind) {
	case MOVE_CANCEL: world->cancels--; break;
	case MOVE_PAUSE:
	case MOVE_RETRY:
	case MOVE_SKIP: world->operations--; break;
	case MOVE_TIMEOUT:
		if (move->verb == VERB_DO)
			world->books[move->step].flags |= BOOKS_UNANSWERED;
		break;
	case MOVE_REPLY: note_reply(play); break;
	default: break;
	}
	if ((move->kind == MOVE_CANCEL || move->kind == MOVE_DEADLINE) &&
	    !saga_passed_pivot(&play->model->definition, &play->before.saga))
		world->wanted_back = true;
}

static void note_done_alone(struct play *play)
{
	for (uint32_t i = 0; i < play->after.saga.n_steps; i++)
		if (done_alone(play, i))
			world_begin_alone(&play->after.world.books[i]);
}

static void send_all(struct play *play)
{
	for (uint32_t n = 0; n < play->effects.n_commands; n++) {
		const struct command *command = &play->effects.commands[n];

		if (command->step < play->after.saga.n_steps && command->round < ROUNDS)
			world_send(&play->after.world.books[command->step], command);
	}
}

/* --- deciding -------------------------------------------------------------------- */

static enum verdict decide(struct play *play, struct arena *arena)
{
	const struct start start = {.id = {"saga", 4},
				    .key = {"saga", 4},
				    .input = {"{}", 2},
				    .at_ms = NOW_MS,
				    .expansions = play->model->expansions,
				    .n_expansions = play->model->n_expansions};
	const struct definition *definition = &play->model->definition;

	arena_reset(arena);
	play->answers.books = play->after.world.books;
	if (play->move.kind == MOVE_BEGIN)
		return saga_begin(definition, &play->answers.evaluator, &start, arena,
				  &play->after.saga, &play->effects);
	return play->model->step(definition, &play->answers.evaluator, &play->before.saga,
				 &play->event, arena, &play->after.saga, &play->effects);
}

/* Once more, in memory that holds other things: it must come out the same. */
static void decide_again(struct play *play)
{
	struct saga saga = play->after.saga;
	struct effects effects = play->effects;
	enum verdict verdict;
	bool same = state_pack(play->model, &play->after, play->packed[0]);

	answers_again(&play->answers);
	verdict = decide(play, &play->second);
	same = same && verdict == play->verdict &&
	       play->effects.n_commands == effects.n_commands &&
	       state_pack(play->model, &play->after, play->packed[1]) &&
	       memcmp(play->packed[0], play->packed[1], play->model->record_size) == 0;
	play->after.saga = saga;
	play->effects = effects;
	if (!same)
		judge_impure(play);
}

enum err play_move(struct play *play, const struct move *move, bool *changed)
{
	play->move = *move;
	play->finding.invariant = NULL;
	copy_world(play);
	if (move->kind != MOVE_BEGIN)
		play->event = event_of(play->model, move);
	note_skip(play);
	play->verdict = decide(play, &play->scratch);
	if (play->verdict == VERDICT_NOMEM)
		return ERR_NOMEM;
	*changed = play->verdict == VERDICT_TAKEN;
	if (*changed && ++play->n_decisions % DECIDE_TWICE == 0)
		decide_again(play);
	if (*changed) {
		note_taken(play);
		note_done_alone(play);
		judge_commands(play);
		send_all(play);
	}
	judge_event(play);
	return OK;
}

static enum err is_possible(struct play *play, const struct move *move, bool *possible)
{
	play->move = *move;
	play->event = event_of(play->model, move);
	copy_world(play);
	note_skip(play);
	answers_begin(&play->answers);
	play->verdict = decide(play, &play->scratch);
	*possible = play->verdict == VERDICT_TAKEN;
	return play->verdict == VERDICT_NOMEM ? ERR_NOMEM : OK;
}

enum err play_can_be_helped(struct play *play, bool *can)
{
	enum err err = OK;

	*can = false;
	for (uint32_t i = 0; i < play->before.saga.n_steps && !*can && !err; i++) {
		if (play->before.saga.steps[i].state != STEP_PARKED)
			continue;
		err = is_possible(play, &(struct move){.kind = MOVE_RETRY, .step = i}, can);
		if (!err && !*can)
			err = is_possible(play, &(struct move){.kind = MOVE_SKIP, .step = i},
					  can);
	}
	return err;
}

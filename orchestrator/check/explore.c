#include "orchestrator/check/explore.h"

#include "orchestrator/check/edges.h"
#include "orchestrator/check/judge.h"
#include "orchestrator/check/state.h"
#include "orchestrator/check/transcript.h"

#include <assert.h>
#include <stdlib.h>

enum { PROGRESS_STATES = 1 << 14 };

struct search {
	const struct explore_options *options;
	struct explore_report *report;
	struct model model;
	struct play play;
	struct visited visited;
	struct moves moves;
	struct edges edges;
	uint8_t *good;     /* by state: an end, or it can be helped */
	uint32_t capacity; /* of good */
	uint8_t *packed;
	bool over; /* report->end says why */
};

static enum err finish(struct search *search, enum explore_end end)
{
	search->over = true;
	search->report->end = end;
	return OK;
}

/* --- one state more -------------------------------------------------------------- */

static size_t memory_of(const struct search *search)
{
	return visited_memory(&search->visited) + edges_memory(&search->edges) +
	       search->capacity;
}

static enum err keep_place(struct search *search)
{
	uint32_t capacity = search->capacity ? search->capacity * 2 : 1 << 12;
	uint8_t *good;

	if (search->visited.n <= search->capacity)
		return OK;
	good = realloc(search->good, capacity);
	if (!good)
		return ERR_NOMEM;
	memset(good + search->capacity, 0, capacity - search->capacity);
	search->good = good;
	search->capacity = capacity;
	return OK;
}

static enum err violation(struct search *search, uint32_t at, const struct origin *last)
{
	struct explore_report *report = search->report;
	struct bytes what = BYTES(DIAG_MAX, &report->arena);

	report->invariant = search->play.finding.invariant;
	bytes_text(&what, search->play.finding.what);
	bytes_add(&what, '\0');
	if (what.err)
		return what.err;
	report->what = what.at;
	finish(search, EXPLORE_VIOLATION);
	return transcript_write(&search->play, &search->visited, at, last, report);
}

/* Whether the saga can count on the move, so that it leads to an end. An answer
 * that is not awaited may have been lost, and a participant that has forgotten
 * has none. */
static bool sure(const struct play *play)
{
	const struct move *move = &play->move;
	const struct step *step;

	if (move->kind != MOVE_REPLY || move->outcome == OUTCOME_EXPIRED ||
	    move->outcome == OUTCOME_KILLED)
		return true;
	step = &play->before.saga.steps[move->step];
	return command_in_flight(play_step(play, move->step), step) &&
	       step->verb == move->verb && present_round(step) == move->round &&
	       !(play->before.world.books[move->step].flags & BOOKS_OLD);
}

/* The move led somewhere: remember it, and judge it if it is new. */
static enum err arrive(struct search *search, struct origin origin)
{
	struct play *play = &search->play;
	uint32_t index;
	bool added;
	enum err err;

	if (!state_pack(&search->model, &play->after, search->packed)) {
		judge_found(play, RETRIES, "an attempt or round is counted beyond all bounds");
		return OK;
	}
	err = visited_add(&search->visited, search->packed, origin, &index, &added);
	if (err == ERR_TOO_LARGE)
		return finish(search, EXPLORE_STATES);
	if (!err && origin.parent != NO_STATE && index != origin.parent && sure(play))
		err = edges_add(&search->edges, index);
	if (err || !added)
		return err;
	err = keep_place(search);
	if (!err && memory_of(search) > (size_t)search->model.bounds.memory_mib << 20)
		return finish(search, EXPLORE_MEMORY);
	return err ? err : judge_state(play);
}

/* --- one move, with every answer of the expressions ------------------------------ */

static enum err try_move(struct search *search, const struct move *move, struct origin origin)
{
	struct play *play = &search->play;
	bool changed, more = true;
	enum err err;

	answers_begin(&play->answers);
	for (origin.choice = 0; more; origin.choice++) {
		search->report->transitions++;
		err = play_move(play, move, &changed);
		/* A killed saga is of no further interest. */
		if (!err && changed && move->kind != MOVE_KILL && !play->finding.invariant)
			err = arrive(search, origin);
		if (err || search->over)
			return err;
		if (play->finding.invariant)
			return violation(search, origin.parent, &origin);
		more = answers_next(&play->answers);
		if (more && origin.choice == UINT16_MAX)
			return finish(search, EXPLORE_CHOICES);
	}
	return OK;
}

static bool at_goal(const struct saga *saga)
{
	return saga->phase == PHASE_COMPLETED || saga->phase == PHASE_COMPENSATED;
}

static enum err expand(struct search *search, uint32_t index)
{
	struct play *play = &search->play;
	struct origin origin = {.parent = index};
	bool good;
	enum err err = OK;

	play_load(play, visited_record(&search->visited, index));
	good = at_goal(&play->before.saga);
	if (!good && !play->before.world.operations) {
		err = play_can_be_helped(play, &good);
		if (err)
			return err;
	}
	search->good[index] = good;
	moves_list(&search->moves, &search->model, &play->before);
	if (search->moves.nomem)
		return ERR_NOMEM;
	assert(search->moves.n <= UINT16_MAX);
	for (uint32_t n = 0; n < search->moves.n && !err && !search->over; n++) {
		origin.move = (uint16_t)n;
		err = try_move(search, &search->moves.list[n], origin);
	}
	return err || search->over ? err : edges_close(&search->edges);
}

/* --- all of them ----------------------------------------------------------------- */

/* States that were seen but not gone on from may lead anywhere. */
static enum err judge_ends(struct search *search)
{
	uint32_t n_states = search->visited.n, stuck = NO_STATE;

	for (uint32_t n = search->edges.n_states; n < n_states; n++)
		search->good[n] = 1;
	edges_spread_back(&search->edges, search->good);
	for (uint32_t n = 0; n < n_states && stuck == NO_STATE; n++)
		if (!search->good[n])
			stuck = n;
	if (stuck == NO_STATE)
		return OK;
	search->play.finding.invariant = NULL;
	judge_found(&search->play, END_REACHABLE,
		    "from here on nothing that can happen leads to an end of the saga");
	return violation(search, stuck, NULL);
}

static bool go_on(struct search *search, uint32_t index)
{
	const struct explore_options *options = search->options;

	if (!options->progress || index % PROGRESS_STATES != 0)
		return true;
	return options->progress(options->context, search->visited.n,
				 search->report->transitions, search->report->depth);
}

static enum err search_all(struct search *search)
{
	static const struct move begin = {.kind = MOVE_BEGIN};
	struct explore_report *report = search->report;
	uint32_t level_end;
	enum err err;

	play_load(&search->play, NULL);
	err = try_move(search, &begin, (struct origin){.parent = NO_STATE});
	report->end = search->over ? report->end : EXPLORE_WHOLE;
	level_end = search->visited.n;
	for (uint32_t n = 0; n < search->visited.n && !err && !search->over; n++) {
		if (n == level_end) {
			report->depth++;
			level_end = search->visited.n;
		}
		if (go_on(search, n))
			err = expand(search, n);
		else
			finish(search, EXPLORE_STOPPED);
	}
	if (!err && report->end != EXPLORE_VIOLATION)
		err = judge_ends(search);
	report->states = search->visited.n;
	report->memory = memory_of(search);
	return err;
}

static enum err check_bounds(const struct explore_bounds *bounds, struct diag *diag)
{
	if (bounds->attempts < 1 || bounds->attempts > ATTEMPTS_BOUND_MAX ||
	    bounds->cancel > COUNT_MAX || bounds->operations > OPERATIONS_MAX ||
	    bounds->signals > COUNT_MAX || bounds->prune > COUNT_MAX || !bounds->states ||
	    bounds->elements < 1 || bounds->elements > ELEMENTS_MAX || !bounds->memory_mib)
		return diag_set(diag, ERR_TOO_LARGE,
				"the bounds are beyond what the checker can count; use those "
				"that explore_bounds_parse accepts");
	return OK;
}

enum err explore(const struct definition *definition, const struct explore_options *options,
		 struct explore_report *report, struct diag *diag)
{
	struct search search = {.options = options, .report = report};
	enum err err = check_bounds(&options->bounds, diag);

	if (err)
		return err;
	*report = (struct explore_report){.bounds = options->bounds};
	err = model_make(&search.model, definition, options);
	if (err == ERR_TOO_LARGE)
		err = diag_set(diag, err,
			       "with %u elements of each list the saga has more than %d steps; "
			       "look at fewer of them, with --bounds elements=1",
			       (unsigned)options->bounds.elements, STEPS_MAX);
	if (!err)
		err = play_make(&search.play, &search.model);
	if (!err)
		err = visited_make(&search.visited, search.model.record_size,
				   options->bounds.states);
	if (!err)
		search.packed = malloc(search.model.record_size);
	if (!err)
		err = search.packed ? search_all(&search) : ERR_NOMEM;
	free(search.packed);
	free(search.good);
	moves_release(&search.moves);
	edges_release(&search.edges);
	visited_release(&search.visited);
	play_release(&search.play);
	model_release(&search.model);
	if (err)
		explore_report_release(report);
	return err;
}

void explore_report_release(struct explore_report *report)
{
	arena_release(&report->arena);
	*report = (struct explore_report){0};
}

const char *explore_end_text(enum explore_end end)
{
	switch (end) {
	case EXPLORE_WHOLE: return "explored to the end";
	case EXPLORE_STATES: return "stopped by the bound on states";
	case EXPLORE_MEMORY: return "stopped by the bound on memory";
	case EXPLORE_CHOICES: return "stopped: one event has too many outcomes";
	case EXPLORE_STOPPED: return "stopped by the caller";
	case EXPLORE_VIOLATION: break;
	}
	return "stopped at a violation";
}

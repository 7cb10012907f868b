#include "tests/sim/judge.h"

#include "orchestrator/store/record.h"

enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS };

/* --- how long it may take ----------------------------------------------------------- */

/* What a definition waits for at most when everybody answers: sleeps, events that do
 * not come, pauses between attempts that have begun, a person for every command. */
static int64_t longest_ms(const struct world *world, const struct definition *definition)
{
	int64_t sum_ms = 0;

	for (uint32_t i = 0; i < definition->n_steps; i++) {
		const struct step_definition *step = &definition->steps[i];

		sum_ms += step->sleep_ms + step->await_ms + 2 * HOUR_MS;
		if (step->form == FORM_CALL)
			sum_ms += 4 * (step->call.retry.max_ms + step->call.timeout_ms);
		if (step->has_undo)
			sum_ms += 4 * (step->undo.retry.max_ms + step->undo.timeout_ms);
		if (step->form == FORM_SAGA)
			sum_ms += 2 * longest_ms(world,
						 catalogue_find(world->catalogue, step->child));
	}
	return sum_ms;
}

int64_t judge_patience_ms(const struct world *world)
{
	int64_t longest = 0, sum = 0;

	for (uint32_t i = 0; i < world->plan.n_cases; i++) {
		int64_t ms = longest_ms(world, world->cases[i].definition);

		longest = ms > longest ? ms : longest;
		sum += ms;
	}
	/* Where there is room for few at once, each waits for others. What was put off
	 * while the clock was wrong is as late as that. */
	return (world->plan.live_max ? sum : longest) + 4 * HOUR_MS +
	       2 * (int64_t)world->plan.jump_ms;
}

/* The one whose record is damaged, or a relation of it. */
static bool is_affected(const struct world *world, const struct sim_case *sim_case)
{
	const struct sim_case *above = world->damaged;

	for (; above; above = above->parent)
		if (above == sim_case)
			return true;
	for (above = sim_case; above; above = above->parent)
		if (above == world->damaged)
			return true;
	return false;
}

/* As long as not all is mended, some cannot end. */
static bool is_excused(const struct world *world, const struct sim_case *sim_case)
{
	return world->part != PART_MENDED && (sim_case->mute || is_affected(world, sim_case));
}

static bool is_due(const struct world *world, const struct sim_case *sim_case)
{
	return (*sim_case->id || sim_case->acknowledged) && !sim_case->ended &&
	       !is_excused(world, sim_case);
}

bool judge_all_ended(struct world *world)
{
	for (uint32_t i = 0; i < world->n_cases; i++)
		if (is_due(world, &world->cases[i]))
			return false;
	return true;
}

void judge_impatient(struct world *world)
{
	for (uint32_t i = 0; i < world->n_cases; i++)
		if (is_due(world, &world->cases[i]))
			diary_fault(
				&world->diary,
				"%s: %s is still %s, %lld h after everything went well again",
				world->part == PART_CALM ? "P6" : "P2", world->cases[i].id,
				status_text(world->cases[i].status),
				(long long)((world_now_ms(world) - world->part_ms) / HOUR_MS));
	diary_fault(&world->diary,
		    "P2: a client is still not answered, %lld h after everything "
		    "went well again",
		    (long long)((world_now_ms(world) - world->part_ms) / HOUR_MS));
}

/* --- books against sagas ------------------------------------------------------------ */

static void wrong(struct world *world, const struct sim_case *sim_case, struct instance at,
		  const struct step *step)
{
	const struct step_book *book = case_book(sim_case, at);
	const struct step_definition *definition = &sim_case->definition->steps[at.step];
	const struct sim_case *child = judge_child(world, sim_case, at);
	const char *state = step_state_text((enum step_state)step->state);

	if (definition->form == FORM_SAGA)
		diary_fault(&world->diary,
			    "P3: %s is %s and its step %.*s#%u %s, but its child is %s",
			    sim_case->id, status_text(sim_case->status),
			    SLICE_ARG(definition->name), (unsigned)at.element, state,
			    child ? status_text(child->status) : "not there");
	else
		diary_fault(&world->diary,
			    "P3: %s is %s and its step %.*s#%u %s, but the books say: done %u, "
			    "undone %u",
			    sim_case->id, status_text(sim_case->status),
			    SLICE_ARG(definition->name), (unsigned)at.element, state,
			    (unsigned)book->done, (unsigned)book->undone);
}

/* A step of a saga that is completed. */
static bool fits_completed(const struct step_definition *definition, const struct step *step,
			   const struct step_book *book)
{
	if (book->undone)
		return false;
	if (definition->form != FORM_CALL)
		return !book->done;
	if (step->state == STEP_DONE)
		return book->done == 1 && book->done_round == step->do_round;
	return step->state == STEP_SKIPPED && book->done <= (step->why != WHY_CONDITION);
}

/* One of a saga that is compensated: all that can be undone is, or a person or the
 * definition said that it need not be. */
static bool fits_compensated(const struct step_definition *definition, const struct step *step,
			     const struct step_book *book)
{
	bool waived = book->skip_asked || definition->undo_skip;

	if (definition->kind == KIND_PIVOT || definition->kind == KIND_RETRIABLE)
		return !book->done;
	if (definition->form == FORM_NOTHING)
		return book->undone == (step->state == STEP_UNDONE) ||
		       (waived && step->state == STEP_SKIPPED);
	if (definition->form != FORM_CALL)
		return !book->done && !book->undone;
	switch ((enum step_state)step->state) {
	case STEP_UNDONE: return book->done == book->undone;
	case STEP_NEVER:
	case STEP_REFUSED: return !book->done;
	case STEP_DONE: return book->done == 1 && !definition->has_undo;
	case STEP_SKIPPED:
		return step->why == WHY_CONDITION
			       ? !book->done
			       : waived || !definition->has_undo || book->done == book->undone;
	case STEP_IN_DOUBT: return !definition->has_undo;
	case STEP_WAITING:
	case STEP_RUNNING:
	case STEP_BACKOFF:
	case STEP_UNDOING:
	case STEP_UNDO_BACKOFF:
	case STEP_PARKED: return false;
	}
	return false;
}

static void check_steps(struct world *world, const struct sim_case *sim_case,
			const struct saga *saga)
{
	for (uint32_t i = 0; i < saga->n_steps; i++) {
		struct instance at = saga_instance(sim_case->definition, saga, i);
		const struct step_definition *definition =
			&sim_case->definition->steps[at.step];
		const struct step_book *book = case_book(sim_case, at);
		bool fits = true;

		if (definition->form == FORM_SAGA)
			fits = judge_child_fits(world, sim_case, saga, i);
		else if (sim_case->status == STATUS_COMPLETED)
			fits = fits_completed(definition, &saga->steps[i], book);
		else if (sim_case->status == STATUS_COMPENSATED)
			fits = fits_compensated(definition, &saga->steps[i], book);
		if (!fits)
			wrong(world, sim_case, at, &saga->steps[i]);
	}
}

/* --- what people wanted ------------------------------------------------------------- */

/* P4: a saga that somebody turned back completes only where its pivot was first. */
static void check_wishes(struct world *world, const struct sim_case *sim_case)
{
	uint32_t pivot = sim_case->definition->pivot;
	bool passed = pivot != NO_STEP &&
		      (judge_pivot_done(world, sim_case) || sim_case->steps[pivot].skip_asked);

	if (sim_case->cancelled && sim_case->status == STATUS_COMPLETED && !passed)
		diary_fault(&world->diary,
			    "P4: %s was cancelled, its pivot did not take effect, and it is "
			    "completed",
			    sim_case->id);
	if (sim_case->killed && sim_case->status != STATUS_KILLED)
		diary_fault(&world->diary, "P4: %s was killed, and is %s", sim_case->id,
			    status_text(sim_case->status));
}

static enum err see_kill(void *context, const struct audit_entry *entry)
{
	*(bool *)context |= slice_is(entry->operation, "kill") && entry->reason.len;
	return OK;
}

static void check_audit(struct world *world, const struct sim_case *sim_case)
{
	bool seen = false;

	if (store_audit(world->archive, slice_of(sim_case->id), SIZE_MAX, see_kill, &seen) ||
	    !seen)
		diary_fault(&world->diary, "P4: %s was killed, and the audit does not say so",
			    sim_case->id);
}

static void check_case(struct world *world, const struct sim_case *sim_case)
{
	struct slice record, bytes, timeline_bytes;
	struct timeline timeline;
	uint8_t hash[SHA256_SIZE];
	struct saga_row row;
	struct saga saga;
	enum err err;

	arena_reset(&world->scratch);
	err = store_get(world->archive, slice_of(sim_case->id), &world->scratch, &row, &record);
	if (!err)
		err = record_split(record, &bytes, &timeline_bytes);
	if (!err)
		err = saga_decode(bytes, &world->scratch, &saga, hash, NULL);
	if (!err)
		err = timeline_read(timeline_bytes, &timeline, NULL);
	if (err) {
		diary_fault(&world->diary, "P2: %s is lost: %s", sim_case->id, err_text(err));
		return;
	}
	if (row.status != sim_case->status || row.status != saga_status(&saga))
		diary_fault(&world->diary, "P2: %s was %s and is %s", sim_case->id,
			    status_text(sim_case->status), status_text(row.status));
	if (memcmp(hash, sim_case->hash, sizeof hash) != 0)
		diary_fault(&world->diary, "P5: %s has another definition than it began with",
			    sim_case->id);
	check_steps(world, sim_case, &saga);
	check_wishes(world, sim_case);
	judge_news_end(world, sim_case, &timeline);
	if (row.status == STATUS_KILLED)
		check_audit(world, sim_case);
}

static enum err count_row(void *context, const struct saga_row *row)
{
	++*(uint32_t *)context;
	return OK;
}

void judge_end(struct world *world)
{
	static const struct saga_filter any = {.n_statuses = 0};
	uint32_t n_rows = 0, n_known = 0;

	for (uint32_t i = 0; i < world->n_cases; i++) {
		const struct sim_case *sim_case = &world->cases[i];

		if (!*sim_case->id)
			continue;
		n_known++;
		check_case(world, sim_case);
		world->tally.completed += sim_case->status == STATUS_COMPLETED;
		world->tally.compensated += sim_case->status == STATUS_COMPENSATED;
		world->tally.killed += sim_case->status == STATUS_KILLED;
	}
	if (store_list(world->archive, &any, (struct slice){0}, SIZE_MAX, count_row, &n_rows) ||
	    n_rows != n_known)
		diary_fault(&world->diary, "P2: %u sagas were stored, and %u are there",
			    (unsigned)n_known, (unsigned)n_rows);
}

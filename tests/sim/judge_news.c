/* judge_news.c - whether the observer is told of every change, and nothing grows without
 * an end. */
#include "tests/sim/judge.h"

#include "orchestrator/engine/inside.h"
#include "orchestrator/store/record.h"

/* --- what the observer is told ------------------------------------------------------ */

/* One that has a rival, or comes after one that had, may tell of an older truth, or what
 * another one has told; and nobody tells of what cannot be read. */
static bool is_excused(const struct world *world, const struct sim_case *sim_case)
{
	return world->tally.rivals || sim_case->was_damaged;
}

void judge_will_tell(struct world *world, struct sim_case *sim_case, uint64_t revision)
{
	if (is_excused(world, sim_case))
		return;
	if (sim_case->n_untold == UNTOLD_MAX) {
		diary_fault(&world->diary, "news: %u changes of %s, and nobody is told of them",
			    (unsigned)UNTOLD_MAX, sim_case->id);
		return;
	}
	sim_case->untold[sim_case->n_untold++] = revision;
}

void judge_told(struct world *world, const struct saga_row *row, size_t n_entries,
		uint64_t first)
{
	struct sim_case *sim_case = world_case_by_id(world, row->id);

	world->tally.news++;
	if (!sim_case) {
		diary_fault(&world->diary,
			    "news: the observer is told of %.*s, which is not stored",
			    SLICE_ARG(row->id));
		return;
	}
	/* One that has lost its shard may come last with what the next one has told. */
	if (is_excused(world, sim_case) || row->revision == sim_case->told ||
	    (world->group.n && row->revision < sim_case->told))
		return;
	if (!sim_case->n_untold || row->revision != sim_case->untold[0]) {
		diary_fault(
			&world->diary,
			"news: the observer is told of revision %llu of %s, and its turn is "
			"%llu's",
			(unsigned long long)row->revision, sim_case->id,
			sim_case->n_untold ? (unsigned long long)sim_case->untold[0] : 0);
		return;
	}
	sim_case->n_untold--;
	memmove(sim_case->untold, sim_case->untold + 1,
		sim_case->n_untold * sizeof *sim_case->untold);
	sim_case->told = row->revision;
	if (first > sim_case->entries_told + 1)
		diary_fault(&world->diary,
			    "news: the observer is told of entry %llu of %s, and before it of "
			    "%llu",
			    (unsigned long long)first, sim_case->id,
			    (unsigned long long)sim_case->entries_told);
	sim_case->entries_told = first + n_entries - 1;
}

void judge_published(struct world *world, struct slice saga_id, uint64_t number)
{
	struct sim_case *sim_case = world_case_by_id(world, saga_id);

	world->tally.published++;
	if (!sim_case) {
		diary_fault(&world->diary, "events: %.*s is published, which is not stored",
			    SLICE_ARG(saga_id));
		return;
	}
	if (is_excused(world, sim_case))
		return;
	if (number > sim_case->published + 1)
		diary_fault(&world->diary,
			    "events: entry %llu of %s is there, and before it %llu",
			    (unsigned long long)number, sim_case->id,
			    (unsigned long long)sim_case->published);
	if (number > sim_case->published)
		sim_case->published = number;
}

void judge_news_end(struct world *world, const struct sim_case *sim_case,
		    const struct timeline *timeline)
{
	if (is_excused(world, sim_case))
		return;
	if (sim_case->n_untold)
		diary_fault(&world->diary,
			    "news: the observer was never told of revision %llu of %s",
			    (unsigned long long)sim_case->untold[0], sim_case->id);
	if (sim_case->entries_told != timeline->n_entries + timeline->n_folded)
		diary_fault(
			&world->diary,
			"news: the timeline of %s has %llu entries, and the observer was told "
			"of %llu",
			sim_case->id,
			(unsigned long long)(timeline->n_entries + timeline->n_folded),
			(unsigned long long)sim_case->entries_told);
	if (sim_case->published != timeline->n_entries + timeline->n_folded)
		diary_fault(
			&world->diary,
			"events: the timeline of %s has %llu entries, and %llu were published",
			sim_case->id,
			(unsigned long long)(timeline->n_entries + timeline->n_folded),
			(unsigned long long)sim_case->published);
}

/* --- what may not grow -------------------------------------------------------------- */

static void too_many(struct world *world, const char *what, uint64_t n, uint64_t max)
{
	diary_fault(&world->diary, "bounds: %llu %s, and %llu is the most there may be",
		    (unsigned long long)n, what, (unsigned long long)max);
}

static void check(struct world *world, const char *what, uint64_t n, uint64_t max)
{
	if (n > max)
		too_many(world, what, n, max);
}

static void check_live(struct world *world, const struct live *live)
{
	uint32_t n_steps = live->definition->n_steps * ELEMENTS_MAX;
	uint64_t n_watchers = 0, n_held = 0;

	for (const struct watcher *watcher = live->watchers; watcher; watcher = watcher->next)
		n_watchers++;
	for (const struct held *held = live->held; held; held = held->sibling)
		n_held++;
	check(world, "watchers of one saga", n_watchers, WATCHERS_MAX);
	check(world, "commands of one saga under way", live->n_handed, n_steps);
	check(world, "commands of one saga held back", n_held, n_steps);
	check(world, "bytes of one record", live->record.len, RECORD_BYTES_MAX);
	check(world, "entries of one timeline", live->n_entries, TIMELINE_MAX);
}

void judge_bounds(struct world *world, const struct engine *engine, bool settled)
{
	uint64_t n_sagas = world->n_cases;

	for (size_t i = 0; i < engine->table.n; i++)
		check_live(world, engine->table.heap[i]);
	check(world, "sagas in memory", engine->table.n, n_sagas + engine->n_changes);
	check(world, "sagas changed and not stored", engine->n_changes,
	      settled ? 0 : ENGINE_CHANGES_MAX);
	check(world, "bytes of changes that are not stored", engine->batch.used,
	      ENGINE_BATCH_BYTES_MAX);
	check(world, "questions for child sagas", engine->asking.n, 4 * n_sagas);
	check(world, "participants with limits", engine->lanes.n, world->n_participants + 1);
	if (settled && engine->untold)
		diary_fault(&world->diary, "news: a turn was taken, and something is untold");
}

/* Everybody who has begun and has not ended, but children, which nobody can put off, what
 * an operator has taken out of its end again, and what cannot be read. */
void judge_room(struct world *world, const struct sim_case *fresh)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < world->plan.n_cases; i++)
		n += *world->cases[i].id && !world->cases[i].ended &&
		     !world->cases[i].undo_asked && &world->cases[i] != world->damaged;
	if (world->plan.live_max && !fresh->parent && !world->tally.rivals)
		check(world, "sagas that have not ended", n, world->plan.live_max);
}

/* What a process had that is lost is held beside what may be; and while nobody has noticed
 * that a line is cut a process may have two. */
static void see_participant(void *context, const struct bus_participant *participant)
{
	struct world *world = context;
	uint64_t had = 2 * (uint64_t)world->plan.processes * world->plan.window;

	check(world, "commands that wait at the bus for one participant", participant->held,
	      world->plan.limits.held + had);
	check(world, "commands at one participant", participant->inflight,
	      (uint64_t)participant->processes * world->plan.window);
}

void judge_bus(struct world *world, struct bus *bus)
{
	bus_participants(bus, see_participant, world);
}

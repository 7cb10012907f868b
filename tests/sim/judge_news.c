/* judge_news.c - whether the observer is told of every change, and nothing grows without
 * an end. */
#include "tests/sim/judge.h"

#include "orchestrator/engine/inside.h"
#include "orchestrator/store/record.h"
#include "tests/sim/orchestrator.h"

#include <assert.h>
#include <stdlib.h>

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

/* Whoever comes upon what others wrote tells all of it at once. */
static void pass_over(struct sim_case *sim_case, uint64_t revision)
{
	uint32_t n = 0;

	while (n < sim_case->n_untold && sim_case->untold[n] < revision)
		n++;
	sim_case->n_untold -= n;
	memmove(sim_case->untold, sim_case->untold + n,
		sim_case->n_untold * sizeof *sim_case->untold);
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
	if (world->group.n)
		pass_over(sim_case, row->revision);
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
	if (sim_case->entries_told > sim_case->n_entries)
		diary_fault(&world->diary,
			    "news: the observer is told of entry %llu of %s, which is not "
			    "stored",
			    (unsigned long long)sim_case->entries_told, sim_case->id);
}

enum { COMPARED_MAX = 100 }; /* of more entries only those that are new are read */

/* --- entries ------------------------------------------------------------------------ */

static void note_entry(struct sim_case *sim_case, const struct entry *entry)
{
	if (sim_case->n_entries == sim_case->entries_capacity) {
		sim_case->entries_capacity =
			sim_case->entries_capacity ? 2 * sim_case->entries_capacity : 32;
		sim_case->entries =
			realloc(sim_case->entries,
				sim_case->entries_capacity * sizeof(struct noted_entry));
		assert(sim_case->entries);
	}
	sim_case->entries[sim_case->n_entries++] =
		(struct noted_entry){entry->at_ms, entry->type};
}

/* What was there stays as it was, but for what is dropped behind the first one. */
static void compare_entries(struct world *world, struct sim_case *sim_case,
			    const struct timeline *timeline)
{
	uint64_t number = 0;

	for (struct timeline_each each = timeline_each(timeline); timeline_next(&each);) {
		const struct noted_entry *noted;

		number += number == 1 ? 1 + timeline->n_folded : 1;
		while (sim_case->n_entries < number)
			note_entry(sim_case, &each.entry);
		noted = &sim_case->entries[number - 1];
		if (noted->at_ms != each.entry.at_ms || noted->type != each.entry.type)
			diary_fault(&world->diary,
				    "P2: entry %llu of %s is another one than it was",
				    (unsigned long long)number, sim_case->id);
	}
}

/* What stands behind the end of the others, whatever was dropped at their front: all of it
 * would take too long where they are thousands. False: they do not end so. */
static bool find_more(const struct bytes *known, struct slice bytes, struct slice *more)
{
	enum { END = 64 };
	const char *end = known->at + known->len - END;

	if (known->len <= END)
		return false;
	for (size_t at = bytes.len; at >= END; at--)
		if (memcmp(bytes.at + at - END, end, END) == 0) {
			*more = (struct slice){bytes.at + at, bytes.len - at};
			return true;
		}
	return false;
}

static void add_entries(struct sim_case *sim_case, struct slice more)
{
	struct timeline_each each = {.rest = more, .origin_ms = sim_case->origin_ms};

	while (timeline_next(&each))
		note_entry(sim_case, &each.entry);
}

void judge_entries(struct world *world, struct sim_case *sim_case, struct slice record)
{
	struct bytes *known = &sim_case->timeline;
	struct slice saga, bytes, more;
	struct timeline timeline;

	if (sim_case->was_damaged) /* so may its entries be */
		return;
	if (record_split(record, &saga, &bytes))
		return; /* which is said where it is read */
	if (sim_case->n_entries > COMPARED_MAX && find_more(known, bytes, &more)) {
		add_entries(sim_case, more);
	} else if (!timeline_read(bytes, &timeline, NULL)) {
		sim_case->origin_ms = timeline.origin_ms;
		compare_entries(world, sim_case, &timeline);
	}
	bytes_clear(known);
	bytes_append(known, bytes);
	assert(!known->err);
}

/* As it is stored, before it is anywhere else. */
static void check_entry(struct world *world, const struct sim_case *sim_case,
			const struct event_message *event)
{
	const struct noted_entry *noted;

	if (!event->number || event->number > sim_case->n_entries) {
		diary_fault(&world->diary,
			    "events: entry %llu of %s is published, and not stored",
			    (unsigned long long)event->number, sim_case->id);
		return;
	}
	noted = &sim_case->entries[event->number - 1];
	if (noted->at_ms != event->at_ms || !slice_is(event->what, entry_text(noted->type)))
		diary_fault(&world->diary,
			    "events: entry %llu of %s is published as %.*s, and stored as %s",
			    (unsigned long long)event->number, sim_case->id,
			    SLICE_ARG(event->what), entry_text(noted->type));
}

void judge_published(struct world *world, const struct event_message *event)
{
	struct sim_case *sim_case = world_case_by_id(world, event->saga_id);
	uint64_t number = event->number;

	world->tally.published++;
	if (!sim_case) {
		diary_fault(&world->diary, "events: %.*s is published, which is not stored",
			    SLICE_ARG(event->saga_id));
		return;
	}
	if (is_excused(world, sim_case))
		return;
	check_entry(world, sim_case, event);
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

/* --- what is in memory --------------------------------------------------------------- */

/* As its owner has it. One of which nothing is heard is nobody's. */
static void check_memory(struct world *world, const struct sim_case *sim_case)
{
	struct slice record, id = slice_of(sim_case->id);
	const struct engine *engine = orchestrator_owner(world, id);
	const struct live *live = engine ? live_find(&engine->table, id) : NULL;

	arena_reset(&world->scratch);
	if (!live)
		diary_fault(&world->diary, "owners: %s is %s, and nobody has it", sim_case->id,
			    status_text(sim_case->status));
	else if (store_get(world->archive, id, &world->scratch, NULL, &record) ||
		 !slice_equal(record, live->record))
		diary_fault(&world->diary,
			    "owners: revision %llu of %s is stored, and its owner does not "
			    "know it",
			    (unsigned long long)sim_case->revision, sim_case->id);
}

bool judge_memory(struct world *world)
{
	if (!orchestrators_heard(world))
		return false;
	for (uint32_t i = 0; i < world->n_cases; i++)
		if (*world->cases[i].id && !world->cases[i].ended &&
		    &world->cases[i] != world->damaged)
			check_memory(world, &world->cases[i]);
	return true;
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

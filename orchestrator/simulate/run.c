#include "orchestrator/simulate/run.h"

#include "orchestrator/load/load.h"
#include "orchestrator/simulate/make.h"
#include "orchestrator/simulate/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { AGAIN_MS = 100, HOUR_MS = 60 * 60 * 1000 };

const char *run_end_text(enum run_end end)
{
	switch (end) {
	case RUN_COMPLETED: return "completed";
	case RUN_COMPENSATED: return "compensated";
	case RUN_PARKED: return "parked";
	case RUN_KILLED: return "killed";
	case RUN_WAITS: return "waits";
	case RUN_ENDLESS: return "does not end";
	case RUN_REFUSED: return "not started";
	}
	return "";
}

void run_release(struct run *run)
{
	arena_release(&run->arena);
}

/* --- a simulation ---------------------------------------------------------------------- */

enum err simulation_open(const struct simulation_setup *setup, struct simulation **out)
{
	struct simulation *simulation = calloc(1, sizeof *simulation);
	const struct family *family = &setup->family;
	enum err err = OK;

	if (!simulation)
		return ERR_NOMEM;
	simulation->setup = *setup;
	if (!setup->events_max)
		simulation->setup.events_max = RUN_EVENTS_MAX;
	if (!setup->time_max_ms)
		simulation->setup.time_max_ms = RUN_TIME_MAX_MS;
	simulation->shapes =
		arena_array(&simulation->arena, family->n, sizeof *simulation->shapes);
	simulation->first_count =
		arena_array(&simulation->arena, family->n, sizeof *simulation->first_count);
	if (!simulation->shapes || !simulation->first_count)
		err = ERR_NOMEM;
	for (size_t i = 0; i < family->n && !err; i++) {
		simulation->first_count[i] = simulation->n_counts;
		simulation->n_counts += family->list[i]->n_steps;
		err = shapes_find(family->list[i], family, &simulation->arena,
				  &simulation->shapes[i]);
	}
	if (err) {
		simulation_close(simulation);
		return err;
	}
	*out = simulation;
	return OK;
}

void simulation_close(struct simulation *simulation)
{
	if (!simulation)
		return;
	arena_release(&simulation->arena);
	free(simulation);
}

bool simulation_step(const struct simulation *simulation, size_t n,
		     const struct definition **definition, uint32_t *step)
{
	const struct family *family = &simulation->setup.family;

	for (size_t i = 0; i < family->n; i++) {
		if (n < family->list[i]->n_steps) {
			*definition = family->list[i];
			*step = (uint32_t)n;
			return true;
		}
		n -= family->list[i]->n_steps;
	}
	return false;
}

/* --- for all parts --------------------------------------------------------------------- */

void world_fail(struct world *world, enum err err)
{
	if (!world->err)
		world->err = err;
}

bool world_fault(const struct world *world, enum fault fault, struct slice who, uint64_t number,
		 int64_t *for_ms)
{
	static const char *const purposes[FAULTS] = {
		[FAULT_DROP] = "drop",     [FAULT_DUP] = "dup",
		[FAULT_DELAY] = "delay",   [FAULT_DECLINE] = "decline",
		[FAULT_FAIL] = "fail",     [FAULT_TIMEOUT] = "timeout",
		[FAULT_CRASH] = "crash",   [FAULT_RESTART] = "restart",
		[FAULT_STALL] = "stall",   [FAULT_CLOCK] = "clock",
		[FAULT_CANCEL] = "cancel",
	};
	const struct faults *faults = &world->simulation->setup.faults;
	struct dice dice;

	if (!faults->chance[fault])
		return false;
	dice = world_dice(world, purposes[fault], who, number);
	if (!dice_chance(&dice, faults->chance[fault]))
		return false;
	if (for_ms)
		*for_ms = dice_between(&dice, 1, faults->most_ms[fault]);
	return true;
}

/* --- the clock ------------------------------------------------------------------------- */

static int64_t now_ms(const struct clock *base)
{
	const struct sim_clock *clock = (const struct sim_clock *)base;

	return RUN_BEGINS_MS + clock->passed_ms + clock->wrong_ms;
}

static int64_t monotonic_ms(const struct clock *base)
{
	return ((const struct sim_clock *)base)->passed_ms;
}

static void set_right(void *context, uint64_t argument)
{
	struct world *world = context;

	world->clock.wrong_ms = 0;
	tell(world, ACTOR_SKALD, ACTOR_SKALD, "the clock is set right");
}

/* Too late or too early, for up to an hour. */
static void set_clock(struct world *world)
{
	struct dice dice = world_dice(world, "clock-set", world->run->id, world->n_turns);
	char text[DIAG_MAX];
	int64_t wrong_ms;

	if (!world_fault(world, FAULT_CLOCK, world->run->id, world->n_turns, &wrong_ms))
		return;
	world->clock.wrong_ms = dice_below(&dice, 2) ? wrong_ms : -wrong_ms;
	tell(world, ACTOR_SKALD, ACTOR_SKALD, "the clock is set %s %s",
	     time_text(wrong_ms, text), world->clock.wrong_ms > 0 ? "fast" : "slow");
	agenda_add(&world->agenda, world_now_ms(world) + dice_between(&dice, 1, HOUR_MS),
		   set_right, world, 0);
}

/* --- the orchestrator ------------------------------------------------------------------ */

static enum err deploy(struct world *world)
{
	const struct family *family = &world->simulation->setup.family;
	enum err err = OK;

	for (size_t i = 0; i < family->n && !err; i++) {
		struct definition *copy = NULL;

		if (engine_definition(world->engine, family->list[i]->name,
				      family->list[i]->version))
			continue;
		err = load_stored(family->list[i]->normal, &copy, world->diag);
		if (!err)
			err = engine_deploy(world->engine, &copy, world->diag);
	}
	return err;
}

static void begin(void *context, uint64_t argument)
{
	static const struct log silent = {.write = NULL};
	struct world *world = context;
	struct engine_parts parts = {
		.bus = letters_bus(world),
		.clock = &world->clock.base,
		.log = &silent,
		.seed = world->seed * 1000003 + world->lives,
		.read_definition = load_stored,
	};
	enum err err = flaky_open(world) ? OK : ERR_NOMEM;

	parts.store = &world->flaky.base;
	if (!err)
		err = engine_open(&parts, &world->engine, world->diag);
	if (!err)
		engine_observe(world->engine, watch_stored, world);
	if (!err)
		err = deploy(world);
	if (err)
		world_fail(world, err);
}

static void end(struct world *world)
{
	engine_close(world->engine);
	world->engine = NULL;
	flaky_close(world);
	letters_return(world);
}

static void die(struct world *world)
{
	int64_t away_ms = AGAIN_MS;
	char text[DIAG_MAX];

	(void)world_fault(world, FAULT_RESTART, SLICE_LITERAL("commit"), world->n_commits,
			  &away_ms);
	end(world);
	world->dead = false;
	world->lives++;
	world->run->restarts++;
	tell(world, ACTOR_SKALD, ACTOR_SKALD, "dies %s a commit, and is away for %s",
	     world->behind ? "behind" : "before", time_text(away_ms, text));
	agenda_add(&world->agenda, world_now_ms(world) + away_ms, begin, world, 0);
}

/* Whether there was anything to do. */
static bool take_turn(struct world *world)
{
	size_t n = 0;
	enum err err;

	world->n_turns++;
	set_clock(world);
	err = engine_turn(world->engine, &n);
	if (world->dead)
		die(world);
	else if (err == ERR_NOMEM || err == ERR_CORRUPT)
		world_fail(world, err);
	return !err && n > 0;
}

/* --- time ------------------------------------------------------------------------------ */

/* When the engine wants to be called, on the clock that never jumps. */
static int64_t wake_ms(const struct world *world)
{
	int64_t wake = world->engine ? engine_wake_ms(world->engine) : INT64_MAX;

	if (wake == INT64_MAX)
		return INT64_MAX;
	if (wake)
		wake -= RUN_BEGINS_MS + world->clock.wrong_ms;
	return wake > world_now_ms(world) ? wake : world_now_ms(world);
}

/* All that was started has ended, and nothing of it is under way any more. */
static bool is_over(const struct world *world)
{
	struct engine_stats stats;

	if (world->letters || !world->engine)
		return false;
	if (!world->books)
		return world->run->reason.len > 0;
	engine_stats(world->engine, &stats);
	return !stats.live && world->books->ended && engine_wake_ms(world->engine) == INT64_MAX;
}

/* Whether the run goes on; otherwise *ended says whether one of the bounds ended it. */
static bool go_on(struct world *world, bool *bounded)
{
	const struct simulation_setup *setup = &world->simulation->setup;

	*bounded = ++world->run->events > setup->events_max ||
		   world_now_ms(world) > setup->time_max_ms;
	return !*bounded && !world->err && !world->agenda.nomem && !world->run->broken &&
	       !is_over(world);
}

/* Returns whether a bound ended it. */
static bool let_happen(struct world *world)
{
	bool busy = true, bounded;
	struct agenda_item item;

	while (go_on(world, &bounded)) {
		int64_t wake = wake_ms(world), next = INT64_MAX;

		if (world->agenda.n)
			next = world->agenda.items[0].at_ms;
		if (world->engine && busy) {
			busy = take_turn(world);
		} else if (wake < next) {
			/* A turn that was due and had nothing to do is not due again at once.
			 */
			world->clock.passed_ms = wake > world_now_ms(world) ? wake : wake + 1;
			busy = true;
		} else if (agenda_next(&world->agenda, &item)) {
			if (item.at_ms > world_now_ms(world))
				world->clock.passed_ms = item.at_ms;
			item.happen(item.context, item.argument);
			busy = world->inbox.first || item.happen == begin;
		} else {
			break;
		}
	}
	return bounded;
}

/* --- all of it ------------------------------------------------------------------------- */

static enum err prepare(struct world *world)
{
	const struct simulation *simulation = world->simulation;
	struct run *run = world->run;
	char id[32];
	enum err err = OK;

	(void)snprintf(id, sizeof id, "sim-%llu", (unsigned long long)world->seed);
	run->steps = arena_array(&run->arena, simulation->n_counts + 1, sizeof *run->steps);
	world->vault = vault_new();
	world->archive = world->vault ? store_memory_open(world->vault) : NULL;
	if (!run->steps || !world->archive || !arena_copy(&run->arena, slice_of(id), &run->id))
		return ERR_NOMEM;
	world->input = simulation->setup.input;
	if (!world->input.text.len)
		err = make_input(world_dice(world, "input", run->id, 0),
				 simulation->setup.family.list[0], &simulation->shapes[0].input,
				 &run->arena, &world->input, world->diag);
	run->input = world->input.text;
	return err;
}

static enum err name_actors(struct world *world)
{
	struct run *run = world->run;
	struct slice *actors;

	if (!world->transcript)
		return OK;
	run->n_actors = ACTORS_FIXED + world->n_services;
	actors = arena_array(&run->arena, run->n_actors, sizeof *actors);
	if (!actors)
		return ERR_NOMEM;
	actors[ACTOR_PEOPLE] = SLICE_LITERAL("people");
	actors[ACTOR_SKALD] = SLICE_LITERAL("skald");
	for (const struct service *service = world->services; service; service = service->next)
		actors[service->actor] = service->name;
	run->actors = actors;
	return OK;
}

static void world_release(struct world *world)
{
	if (world->engine)
		end(world);
	flaky_close(world);
	letters_release(world);
	services_release(world);
	agenda_release(&world->agenda);
	store_close(world->archive);
	vault_free(world->vault);
}

enum err simulation_run(struct simulation *simulation, uint64_t seed, bool transcript,
			struct run *out, struct diag *diag)
{
	static const struct clock_ops clock_ops = {now_ms, monotonic_ms};
	struct world world = {
		.simulation = simulation,
		.run = out,
		.seed = seed,
		.transcript = transcript,
		.diag = diag,
		.clock = {.base = {&clock_ops}},
		.books_end = &world.books,
	};
	bool bounded;

	*out = (struct run){.seed = seed};
	world.err = prepare(&world);
	if (!world.err) {
		begin(&world, 0);
		crowd_start(&world);
		bounded = let_happen(&world);
		conclude(&world, bounded);
	}
	if (!world.err)
		world.err = world.agenda.nomem ? ERR_NOMEM : name_actors(&world);
	world_release(&world);
	if (world.err)
		run_release(out);
	return world.err;
}

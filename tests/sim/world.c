#include "tests/sim/world.h"

#include "tests/lib/tripwire.h"
#include "tests/sim/judge.h"
#include "tests/sim/network.h"
#include "tests/sim/orchestrator.h"
#include "tests/sim/people.h"
#include "tests/sim/service.h"

#include <assert.h>

enum {
	MINUTE_MS = 60000,
	SETTLED_MS = 5 * MINUTE_MS, /* until all is as it should be */
	FAULTS_MAX = 100,           /* of calls, in a run */
	EVENTS_MAX = 3000000,       /* of one run: more is a loop without an end */
	START_S = 1700000000,       /* since 1970: when each run begins */
};

/* --- what happened ------------------------------------------------------------------ */

enum { COUNTS = sizeof(struct tally) / sizeof(uint64_t) };

void tally_add(struct tally *sum, const struct tally *more)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)more;

	for (size_t i = 0; i < COUNTS; i++)
		to[i] += from[i];
}

uint64_t tally_least(const struct tally *tally)
{
	const uint64_t *counts = (const uint64_t *)tally;
	uint64_t least = counts[0];

	for (size_t i = 1; i < COUNTS; i++)
		least = counts[i] < least ? counts[i] : least;
	return least;
}

/* --- for the parts of the world ----------------------------------------------------- */

int64_t world_soon_ms(struct world *world, uint32_t at_most_ms)
{
	return world_now_ms(world) + random_below(&world->random, at_most_ms + 1);
}

struct sim_case *world_case_by_id(struct world *world, struct slice id)
{
	for (uint32_t i = 0; i < world->n_cases; i++)
		if (*world->cases[i].id && slice_is(id, world->cases[i].id))
			return &world->cases[i];
	return NULL;
}

struct sim_case *world_add_child(struct world *world, struct sim_case *parent,
				 const struct definition *definition)
{
	struct sim_case *child = &world->cases[world->n_cases];

	if (world->n_cases == CASES_MAX)
		return NULL;
	case_make_child(child, world->n_cases++, &world->plan, definition, &world->chance);
	child->parent = parent;
	child->acknowledged = child->wanted = true;
	child->asked_ms = world_now_ms(world);
	child->mute = services_mute(world->services, definition);
	/* Either of the two may be the one whose record is damaged. */
	if (world->damaged == parent && random_percent(&world->random, 50)) {
		world->damaged = child;
		child->was_damaged = true;
	}
	return child;
}

bool world_needs(const struct world *world, const struct definition *definition,
		 const char *participant)
{
	for (uint32_t i = 0; i < definition->n_steps; i++) {
		const struct step_definition *step = &definition->steps[i];

		if (slice_is(step->call.participant, participant) ||
		    slice_is(step->undo.participant, participant) ||
		    (step->form == FORM_SAGA &&
		     world_needs(world, catalogue_find(world->catalogue, step->child),
				 participant)))
			return true;
	}
	return false;
}

/* It, and those that it starts. */
static void need(struct world *world, const struct definition *definition)
{
	for (size_t i = 0; i < world->n_needed; i++)
		if (world->needed[i] == definition)
			return;
	world->needed[world->n_needed++] = definition;
	for (uint32_t i = 0; i < definition->n_steps; i++)
		if (definition->steps[i].form == FORM_SAGA)
			need(world,
			     catalogue_find(world->catalogue, definition->steps[i].child));
}

/* --- calls that go wrong ------------------------------------------------------------ */

void world_arm(struct world *world, struct tripwire *wire, const struct fuse *fuse)
{
	const struct tally *tally = &world->tally;
	uint64_t n_faults = tally->deaths + tally->failed_calls + tally->lost_answers;

	*wire = (struct tripwire){.calls_left = -1};
	if (!fuse->calls || world->part != PART_TROUBLE || n_faults > FAULTS_MAX ||
	    !chance_take(&world->chance, CHANCE_CALL, 100))
		return;
	wire->calls_left = random_below(&world->random, 2 * fuse->calls);
	if (random_percent(&world->random, fuse->dies_percent))
		wire->effect = TRIPWIRE_DIES;
	else if (random_percent(&world->random, fuse->unanswered_percent))
		wire->effect = TRIPWIRE_NO_ANSWER;
	else
		wire->effect = TRIPWIRE_FAILS;
}

bool world_looks_dead(struct world *world, const struct tripwire *wire, const char *who)
{
	if (!wire->fired)
		return false;
	switch (wire->effect) {
	case TRIPWIRE_DIES:
		diary_write(&world->diary, "%s dies", who);
		world->tally.deaths++;
		return true;
	case TRIPWIRE_FAILS:
		diary_write(&world->diary, "a call of %s failed", who);
		world->tally.failed_calls++;
		return false;
	case TRIPWIRE_NO_ANSWER:
		diary_write(&world->diary, "the answer to a call of %s was lost", who);
		world->tally.lost_answers++;
		return false;
	}
	return false;
}

/* --- trouble ------------------------------------------------------------------------ */

static bool happens(struct world *world, enum chance_kind kind)
{
	return world->part == PART_TROUBLE && chance_take(&world->chance, kind, 100);
}

static void cut(void *context, uint64_t argument)
{
	struct world *world = context;

	if (!happens(world, CHANCE_CUT))
		return;
	world->transport->ops->cut(world->transport);
}

static void hang(void *context, uint64_t argument)
{
	struct world *world = context;

	if (!happens(world, CHANCE_HANG))
		return;
	if (random_percent(&world->random, 40))
		orchestrator_hang(world, MINUTE_MS);
	else
		services_hang(world->services, 5 * MINUTE_MS);
}

static void end_outage(void *context, uint64_t argument)
{
	struct world *world = context;

	if (world->outage)
		diary_write(&world->diary, "the disk works again");
	world->outage = false;
}

static void outage(void *context, uint64_t argument)
{
	struct world *world = context;

	if (!happens(world, CHANCE_OUTAGE))
		return;
	diary_write(&world->diary, "the disk takes nothing any more");
	world->outage = true;
	world->n_outages++;
	agenda_add(&world->agenda, world_soon_ms(world, 2 * MINUTE_MS), end_outage, world, 0);
}

static void rival(void *context, uint64_t argument)
{
	struct world *world = context;

	if (happens(world, CHANCE_RIVAL))
		orchestrator_rival(world);
}

static void move(void *context, uint64_t argument)
{
	struct world *world = context;

	if (happens(world, CHANCE_MOVE))
		group_move(world);
}

/* Somebody sets the clock, and sets it right again the next time. */
static void jump(void *context, uint64_t argument)
{
	struct world *world = context;
	int64_t right_ms = START_S * INT64_C(1000) + world_now_ms(world);
	uint32_t most_ms = world->plan.jump_ms;
	int64_t wrong_ms = (int64_t)random_below(&world->random, 2 * most_ms) - most_ms;
	bool is_right = world->clock.now_ms == right_ms;

	if (!happens(world, CHANCE_JUMP))
		return;
	clock_sim_set(&world->clock, is_right ? right_ms + wrong_ms : right_ms);
	diary_write(&world->diary, "the clock is set %s", is_right ? "wrong" : "right");
	orchestrators_hurry(world);
}

static void bulk(void *context, uint64_t argument)
{
	struct world *world = context;

	if (happens(world, CHANCE_BULK))
		people_bulk(world->people);
}

static void deploy(void *context, uint64_t argument)
{
	struct world *world = context;

	if (chance_take(&world->chance, CHANCE_DEPLOY, 100))
		orchestrators_deploy(world);
}

static void vandalize(void *context, uint64_t argument)
{
	struct world *world = context;
	const struct sim_case *victim =
		&world->cases[random_below(&world->random, world->plan.n_cases)];

	if (!happens(world, CHANCE_VANDAL))
		return;
	diary_write(&world->diary, "a vandal comes");
	world->transport->ops->vandalize(world->transport,
					 slice_of(*victim->id ? victim->id : "nobody"));
}

/* At any time, or soon after a saga has begun: most are under way for seconds, and the
 * trouble may last for days. */
static int64_t pick_moment_ms(struct world *world)
{
	const struct sim_case *sim_case =
		&world->cases[random_below(&world->random, world->plan.n_cases)];

	if (random_percent(&world->random, 40))
		return world_soon_ms(world, (uint32_t)world->plan.trouble_ms);
	return sim_case->asked_ms + random_below(&world->random, MINUTE_MS);
}

static void plan_trouble(struct world *world, uint32_t n, happening *happen)
{
	while (n-- > 0)
		agenda_add(&world->agenda, pick_moment_ms(world), happen, world, 0);
}

/* --- the parts of a run ------------------------------------------------------------- */

/* By then all that was on its way is there, and everybody has looked. */
static void look_at_memory(void *context, uint64_t argument)
{
	enum { AGAIN_MS = 10000 };
	struct world *world = context;

	if (!judge_memory(world))
		agenda_add(&world->agenda, world_now_ms(world) + AGAIN_MS, look_at_memory,
			   world, 0);
}

static void begin_calm(struct world *world)
{
	diary_write(&world->diary, "--- the trouble is over");
	world->part = PART_CALM;
	world->part_ms = world_now_ms(world);
	world->transport->setup.weather = (struct weather){.latency_ms = 2};
	world->plan.sluggish_ms = 0;
	clock_sim_set(&world->clock, START_S * INT64_C(1000) + world_now_ms(world));
	end_outage(world, 0);
	orchestrators_calm(world);
	services_calm(world->services);
	people_help(world->people);
	agenda_add(&world->agenda, world_now_ms(world) + SETTLED_MS, look_at_memory, world, 0);
}

static void begin_mended(struct world *world)
{
	diary_write(&world->diary, "--- all is mended");
	world->part = PART_MENDED;
	world->part_ms = world_now_ms(world);
	if (world->damaged) {
		world->damaged = NULL;
		orchestrators_restart(world);
	}
	services_mend(world->services);
}

/* Whether the part is over. */
static bool go_on(struct world *world)
{
	bool ended;

	if (world->part == PART_TROUBLE) {
		if (world_now_ms(world) >= world->plan.trouble_ms)
			begin_calm(world);
		return true;
	}
	ended = judge_all_ended(world) && people_satisfied(world->people) &&
		orchestrators_heard(world);
	if (!ended && world_now_ms(world) > world->part_ms + world->patience_ms)
		judge_impatient(world);
	if (!ended)
		return true;
	if (world->part == PART_CALM)
		begin_mended(world);
	else
		world->finished = true;
	return !world->finished;
}

static void end_trouble(void *context, uint64_t argument)
{
}

static void happen(struct world *world)
{
	struct agenda_item item;

	if (!agenda_next(&world->agenda, &item)) {
		diary_fault(&world->diary, "P2: nothing happens any more");
		return;
	}
	if (++world->tally.events > EVENTS_MAX) {
		diary_fault(&world->diary, "P2: so much happens that it never ends");
		return;
	}
	if (item.at_ms > world_now_ms(world))
		clock_sim_advance(&world->clock, item.at_ms - world_now_ms(world));
	chance_turn(&world->chance);
	item.happen(item.context, item.argument);
}

void world_pass(struct world *world, int64_t until_ms)
{
	const struct agenda *agenda = &world->agenda;

	if (until_ms > world->plan.trouble_ms)
		until_ms = world->plan.trouble_ms;
	while (!world->diary.faulty && agenda->n && agenda->items[0].at_ms <= until_ms)
		happen(world);
	if (until_ms > world_now_ms(world))
		clock_sim_advance(&world->clock, until_ms - world_now_ms(world));
	chance_turn(&world->chance);
}

static void run(struct world *world)
{
	while (go_on(world) && !world->diary.faulty)
		happen(world);
}

/* --- all of it ---------------------------------------------------------------------- */

static void orchestrator_woken(void *context, struct bus *bus)
{
	orchestrator_wake(context, bus);
}

static void process_woken(void *context, uint32_t process)
{
	struct world *world = context;

	services_wake(world->services, process);
}

static void told(void *context, uint32_t request, const struct result_message *result)
{
	people_told(context, request, result);
}

static void ended(void *context, struct slice saga_id, struct slice status)
{
	struct world *world = context;

	diary_write(&world->diary, "a client is told that %.*s is %.*s", SLICE_ARG(saga_id),
		    SLICE_ARG(status));
}

static struct transport *make_transport(struct world *world)
{
	const struct transport_setup setup = {
		.user = {world, orchestrator_woken, process_woken, told, ended},
		.weather = world->plan.weather,
		.agenda = &world->agenda,
		.clock = &world->clock,
		.random = &world->random,
		.chance = &world->chance,
		.diary = &world->diary,
		.limits = &world->plan.limits,
		.window = world->sabotage == SABOTAGE_WIDE_WINDOWS ? 1000 : world->plan.window,
		.line_bytes = world->plan.line_bytes,
		.queue = world->plan.queue,
		.n_shards = world->plan.n_shards,
	};

	return world->plan.hub ? transport_hub_new(&setup) : transport_post_new(&setup);
}

static void world_init(struct world *world, const struct catalogue *catalogue, uint64_t seed,
		       enum sabotage sabotage, const struct chance_list *keep, FILE *transcript)
{
	*world = (struct world){.sabotage = sabotage, .catalogue = catalogue};
	plan_make(&world->plan, seed);
	clock_sim_init(&world->clock, START_S * INT64_C(1000));
	chance_init(&world->chance, seed, &world->clock, &world->random, keep);
	diary_init(&world->diary, &world->clock, transcript);
	world->vault = vault_new();
	world->network = world->plan.members ? network_new(world) : NULL;
	world->archive = world->network ? network_open(world->network, 0, "judge")
					: store_memory_open(world->vault);
	assert(world->vault && world->archive);
	for (; world->n_cases < world->plan.n_cases; world->n_cases++) {
		struct sim_case *sim_case = &world->cases[world->n_cases];

		chance_reseed(&world->chance, world->n_cases, 1);
		case_make(sim_case, world->n_cases, &world->plan, catalogue, &world->chance);
		need(world, sim_case->definition);
	}
	if (world->plan.damaged && chance_take(&world->chance, CHANCE_DAMAGE, 100)) {
		world->damaged =
			&world->cases[random_below(&world->random, world->plan.n_cases)];
		world->damaged->was_damaged = true;
	}
	world->transport = make_transport(world);
	world->services = services_new(world);
	world->people = people_new(world);
	world->patience_ms = judge_patience_ms(world);
	chance_reseed(&world->chance, 0, 3);
	plan_trouble(world, world->plan.cuts, cut);
	plan_trouble(world, world->plan.hangs, hang);
	plan_trouble(world, world->plan.outages, outage);
	plan_trouble(world, world->plan.rivals, rival);
	plan_trouble(world, world->plan.moves, move);
	plan_trouble(world, world->plan.jumps, jump);
	plan_trouble(world, world->plan.deploys, deploy);
	plan_trouble(world, world->plan.vandals, vandalize);
	plan_trouble(world, world->plan.bulks, bulk);
	agenda_add(&world->agenda, world->plan.trouble_ms, end_trouble, world, 0);
	group_init(world);
	for (uint32_t i = 0; i < world->group.n_members; i++)
		orchestrator_start(world, i);
	services_begin(world->services);
}

static void world_release(struct world *world)
{
	orchestrators_free(world);
	services_free(world->services);
	people_free(world->people);
	world->transport->ops->free(world->transport);
	agenda_release(&world->agenda);
	for (uint32_t i = 0; i < world->n_cases; i++)
		case_release(&world->cases[i]);
	store_close(world->archive);
	network_free(world->network);
	vault_free(world->vault);
	arena_release(&world->scratch);
}

void world_replay(const struct catalogue *catalogue, uint64_t seed, enum sabotage sabotage,
		  const struct chance_list *keep, FILE *transcript, struct run_result *out,
		  struct chance_list *taken)
{
	struct world world;

	world_init(&world, catalogue, seed, sabotage, keep, transcript);
	run(&world);
	if (!world.diary.faulty)
		judge_end(&world);
	world.tally.simulated_ms = (uint64_t)world_now_ms(&world);
	memcpy(world.tally.chances, world.chance.taken, sizeof world.tally.chances);
	*out = (struct run_result){
		.ok = !world.diary.faulty, .hash = world.diary.hash, .tally = world.tally};
	memcpy(out->fault, world.diary.fault, sizeof out->fault);
	world_release(&world); /* which may take some more */
	if (taken)
		*taken = world.chance.list;
	else
		chance_list_release(&world.chance.list);
}

void world_run(const struct catalogue *catalogue, uint64_t seed, enum sabotage sabotage,
	       FILE *transcript, struct run_result *out)
{
	world_replay(catalogue, seed, sabotage, NULL, transcript, out, NULL);
}

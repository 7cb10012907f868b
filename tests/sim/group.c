#include "tests/sim/group.h"

#include "tests/sim/orchestrator.h"

enum {
	SOON_MS = 1000,
	LATE_MS = 60000,    /* of a few that hear late, at most */
	SESSION_MS = 10000, /* who is away for so long has nothing any more */
};

void group_init(struct world *world)
{
	const struct plan *plan = &world->plan;
	struct group *group = &world->group;

	*group = (struct group){
		.n_members = plan->members ? plan->members : 1, .n = plan->n_shards, .turn = 1};
	for (uint32_t i = 0; i < group->n; i++)
		group->places[i] = i % group->n_members;
}

void group_given(const struct group *group, uint32_t place, struct shards *out)
{
	*out = (struct shards){.n = group->n};
	for (uint32_t i = 0; i < group->n; i++)
		if (group->places[i] == place)
			shards_add(out, i);
}

/* --- hearing of it ------------------------------------------------------------------ */

static void hear(void *context, uint64_t argument)
{
	orchestrator_hear(context, (uint32_t)argument);
}

static void tell(struct world *world, uint32_t place)
{
	bool late = world->part == PART_TROUBLE && random_percent(&world->random, 30);

	agenda_add(&world->agenda, world_soon_ms(world, late ? LATE_MS : SOON_MS), hear, world,
		   place);
}

static void tell_all(struct world *world)
{
	world->group.turn++;
	world->tally.moves++;
	for (uint32_t place = 0; place < world->group.n_members; place++)
		tell(world, place);
}

/* --- moving ------------------------------------------------------------------------- */

static uint32_t any_place(struct world *world)
{
	return random_below(&world->random, world->group.n_members);
}

static void give_all(struct world *world)
{
	struct group *group = &world->group;
	bool to_one = random_percent(&world->random, 25);
	uint32_t one = any_place(world);

	for (uint32_t i = 0; i < group->n; i++)
		group->places[i] = to_one ? one : any_place(world);
}

static void add_shards(struct world *world)
{
	struct group *group = &world->group;

	group->n += 1 + random_below(&world->random, 3);
	if (group->n > GROUP_SHARDS_MAX)
		group->n = GROUP_SHARDS_MAX;
	diary_write(&world->diary, "there are %u shards", (unsigned)group->n);
	give_all(world);
}

void group_move(struct world *world)
{
	struct group *group = &world->group;
	uint32_t kind = random_below(&world->random, 100);

	if (kind < 50)
		group->places[random_below(&world->random, group->n)] = any_place(world);
	else if (kind < 90)
		give_all(world);
	else
		add_shards(world);
	diary_write(&world->diary, "shards are moved");
	tell_all(world);
}

static void end_session(void *context, uint64_t argument)
{
	struct world *world = context;
	uint32_t place = (uint32_t)argument;

	if (world->part != PART_TROUBLE || !orchestrator_missing(world, place))
		return;
	diary_write(&world->diary, "shards of who is missing are moved");
	for (uint32_t i = 0; i < world->group.n; i++)
		if (world->group.places[i] == place)
			world->group.places[i] = any_place(world);
	tell_all(world);
}

void group_missing(struct world *world, uint32_t place)
{
	if (world->group.n)
		agenda_add(&world->agenda, world_now_ms(world) + SESSION_MS, end_session, world,
			   place);
}

void group_joined(struct world *world, uint32_t place)
{
	if (world->group.n)
		tell(world, place);
}

void group_calm(struct world *world)
{
	if (world->group.n)
		tell_all(world);
}

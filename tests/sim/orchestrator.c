#include "tests/sim/orchestrator.h"

#include "orchestrator/engine/inside.h"
#include "orchestrator/load/load.h"
#include "tests/lib/tripwire.h"
#include "tests/sim/disk.h"
#include "tests/sim/herald.h"
#include "tests/sim/judge.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_SIZE = 32, HOUR_MS = 3600000, WAIT_MS = 100 };

struct orchestrator {
	struct world *world;
	uint32_t place; /* among the members */
	uint32_t number;
	char name[NAME_SIZE];
	struct tripwire wire;
	struct disk disk;
	struct store_tripwire store_wire;
	struct bus *real_bus;
	struct bus_tripwire bus_wire;
	struct bus *bus; /* both of the two, so that the judge sees what was tried */
	struct watched_bus {
		struct bus base; /* first, so that the two pointers are one */
		struct orchestrator *orchestrator;
	} watched;
	struct herald herald;
	struct log log;
	struct engine *engine;
	bool has_turned; /* the observer is there for all that comes now */
	int64_t hangs_until_ms;
	bool waits;                  /* for an answer, in the middle of something */
	bool began_behind;           /* sagas that whoever took its place has not loaded */
	int64_t turn_ms;             /* the next one; INT64_MAX: not known yet */
	struct polled_reply *polled; /* and not acknowledged */
	size_t n_polled, polled_capacity;
	struct shards given; /* as it has heard; of none: it has not */
	uint64_t given_turn, owned_turn;
	int64_t owned_ms;
	struct shards loads; /* what came, with the next turn that succeeds; of none: nothing */
};

/* --- all of them -------------------------------------------------------------------- */

static bool is_member(const struct orchestrator *self)
{
	return self->world->members[self->place] == self;
}

static struct orchestrator *find_number(const struct world *world, uint32_t number)
{
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		if (world->members[i] && world->members[i]->number == number)
			return world->members[i];
	return world->rival && world->rival->number == number ? world->rival : NULL;
}

static struct orchestrator *find_bus(const struct world *world, const struct bus *bus)
{
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		if (world->members[i] && world->members[i]->real_bus == bus)
			return world->members[i];
	return world->rival && world->rival->real_bus == bus ? world->rival : NULL;
}

static bool hangs(const struct orchestrator *self)
{
	return self->waits || self->hangs_until_ms > world_now_ms(self->world);
}

bool orchestrator_missing(const struct world *world, uint32_t place)
{
	const struct orchestrator *self = world->members[place];

	return !self || hangs(self);
}

bool orchestrator_claims(const struct world *world, uint32_t number, struct slice id)
{
	const struct orchestrator *self = find_number(world, number);

	return self && disk_owns(&self->disk, id);
}

bool orchestrator_owns(const struct world *world, uint32_t number, struct slice id)
{
	const struct orchestrator *self = find_number(world, number);

	return self && self->engine && disk_owns(&self->disk, id) &&
	       shards_cover(&self->engine->shards, id) &&
	       (!self->engine->to_load.n || !shards_cover(&self->engine->to_load, id));
}

/* --- what the bus says -------------------------------------------------------------- */

static struct orchestrator *owner(struct bus *base)
{
	return ((struct watched_bus *)base)->orchestrator;
}

/* What it does now it does not do. */
static bool is_dead(const struct orchestrator *self)
{
	return self->wire.fired && self->wire.effect == TRIPWIRE_DIES;
}

/* Undo what stands in front of the step, too, while the step itself is not undone. */
static void undo_ahead(struct orchestrator *self, const struct command_message *command)
{
	char id[COMMAND_ID_MAX + 1], do_id[COMMAND_ID_MAX + 1];
	struct command_message ahead = *command;
	const struct definition *definition;
	struct command_place place;

	if (command->verb != MESSAGE_UNDO || !judge_place(self->world, command->id, &place))
		return;
	definition = place.sim_case->definition;
	for (uint32_t i = 0; i < definition->n_steps; i++) {
		const struct step_definition *step = &definition->steps[i];
		struct instance at = {i, step->each == NO_STEP ? 0 : place.at.element};
		const struct step_book *book = case_book(place.sim_case, at);

		if (step->form != FORM_CALL || !step->has_undo || !book->done ||
		    !case_depends(definition, at, place.at))
			continue;
		snprintf(id, sizeof id, "%s/%.*s#%u/0/undo", place.sim_case->id,
			 SLICE_ARG(step->name), (unsigned)at.element);
		snprintf(do_id, sizeof do_id, "%s/%.*s#%u/%u/do", place.sim_case->id,
			 SLICE_ARG(step->name), (unsigned)at.element,
			 (unsigned)book->done_round);
		ahead.id = slice_of(id);
		ahead.do_id = slice_of(do_id);
		ahead.participant = step->undo.participant;
		ahead.command = step->undo.command;
		ahead.output = (struct slice){0};
		if (bus_send(self->bus, &ahead))
			return;
	}
}

/* Whether the command is not sent at all. */
static bool sabotage_send(struct orchestrator *self, const struct command_message *command)
{
	switch (self->world->sabotage) {
	case SABOTAGE_KEEP_SENDS: return random_percent(&self->world->random, 5);
	case SABOTAGE_FORGET_AT_LOAD: return !self->engine;
	case SABOTAGE_ACKNOWLEDGE_EARLY: bus_acknowledge(&self->watched.base); return false;
	case SABOTAGE_UNDO_AHEAD: undo_ahead(self, command); return false;
	default: return false;
	}
}

static enum err watched_send(struct bus *base, const struct command_message *command)
{
	struct orchestrator *self = owner(base);
	enum err err;

	if (is_dead(self))
		return ERR_UNAVAILABLE;
	if (sabotage_send(self, command))
		return OK;
	err = bus_send(self->bus, command);
	diary_write(&self->world->diary, "%s sends attempt %u of %.*s%s", self->name,
		    (unsigned)command->attempt, SLICE_ARG(command->id),
		    err ? ": the bus is busy" : "");
	judge_sent(self->world, self->number, command, !err);
	return err;
}

/* What comes before its shard is taken is dropped, and what it answers is sent again once
 * that is: it needs no judge. */
static void keep_polled(struct orchestrator *self, const struct reply_message *reply)
{
	struct polled_reply *polled;

	if (!shards_cover(&self->store_wire.base.shards, reply->id))
		return;
	if (self->n_polled == self->polled_capacity) {
		self->polled_capacity = self->polled_capacity ? self->polled_capacity * 2 : 16;
		self->polled = realloc(self->polled, self->polled_capacity * sizeof *polled);
		assert(self->polled);
	}
	polled = &self->polled[self->n_polled];
	snprintf(polled->id, sizeof polled->id, "%.*s", SLICE_ARG(reply->id));
	polled->attempt = reply->attempt;
	/* What nobody can read is as good as a failure. */
	polled->outcome = slice_is(reply->output, "{]") ? MESSAGE_FAILED : reply->outcome;
	self->n_polled++;
}

static bool watched_poll(struct bus *base, struct inbox_message *out)
{
	struct orchestrator *self = owner(base);

	if (!bus_poll(self->bus, out))
		return false;
	if (out->type == INBOX_REPLY)
		keep_polled(self, &out->reply);
	return true;
}

static void watched_answer(struct bus *base, uint64_t origin,
			   const struct result_message *result)
{
	bus_answer(owner(base)->bus, origin, result);
}

static void watched_ended(struct bus *base, uint64_t origin, struct slice saga_id,
			  struct slice status)
{
	bus_ended(owner(base)->bus, origin, saga_id, status);
}

static void watched_acknowledge(struct bus *base)
{
	struct orchestrator *self = owner(base);

	if (is_dead(self))
		return;
	if (self->n_polled)
		judge_acknowledged(self->world, self->number, self->engine, self->polled,
				   self->n_polled);
	self->n_polled = 0;
	disk_write_late(&self->disk);
	bus_acknowledge(self->bus);
}

static enum err watched_publish(struct bus *base, const struct event_message *event)
{
	struct orchestrator *self = owner(base);

	if (!is_dead(self))
		herald_publish(&self->herald, event);
	return OK;
}

static bool watched_crowded(const struct bus *base)
{
	return herald_crowded(&((const struct watched_bus *)base)->orchestrator->herald);
}

static uint64_t watched_arrived(struct bus *base, uint64_t batch)
{
	return herald_arrived(&owner(base)->herald, batch);
}

static void watched_pump(struct bus *base)
{
	bus_pump(owner(base)->bus);
}

static int watched_fd(struct bus *base)
{
	return bus_fd(owner(base)->bus);
}

static void watched_participants(struct bus *base,
				 void (*visit)(void *context,
					       const struct bus_participant *participant),
				 void *context)
{
	bus_participants(owner(base)->bus, visit, context);
}

static void watched_close(struct bus *base)
{
}

static struct bus *watch_bus(struct orchestrator *self)
{
	static const struct bus_ops ops = {
		.send = watched_send,
		.poll = watched_poll,
		.answer = watched_answer,
		.ended = watched_ended,
		.acknowledge = watched_acknowledge,
		.pump = watched_pump,
		.fd = watched_fd,
		.participants = watched_participants,
		.publish = watched_publish,
		.crowded = watched_crowded,
		.arrived = watched_arrived,
		.close = watched_close,
	};

	self->bus = bus_tripwire_init(&self->bus_wire, self->real_bus, &self->wire);
	self->watched = (struct watched_bus){{&ops}, self};
	return &self->watched.base;
}

/* --- definitions -------------------------------------------------------------------- */

/* The same saga under a later version. */
static struct definition *newer(const struct definition *from)
{
	static const char before[] = "version: 1.0.0", after[] = "version: 1.1.0";
	struct definition *definition = NULL;
	struct arena arena = {0};
	struct slice text;
	char *at;

	if (!arena_copy(&arena, from->normal, &text))
		assert(!"memory");
	at = strstr(text.at, before);
	assert(at);
	memcpy(at, after, sizeof after - 1);
	if (load_stored(text, &definition, NULL))
		assert(!"a definition");
	arena_release(&arena);
	return definition;
}

static enum err deploy_one(struct orchestrator *self, const struct definition *definition,
			   bool newest)
{
	struct slice version = newest ? SLICE_LITERAL("1.1.0") : definition->version;
	struct definition *mine = NULL;

	if (engine_definition(self->engine, definition->name, version))
		return OK;
	if (newest)
		mine = newer(definition);
	else if (load_stored(definition->normal, &mine, NULL))
		assert(!"a definition");
	return engine_deploy(self->engine, &mine, NULL);
}

/* All that the cases need. */
static enum err deploy(struct orchestrator *self)
{
	enum err err = OK;

	for (size_t i = 0; !err && i < self->world->n_needed; i++) {
		const struct definition *definition = self->world->needed[i];

		err = deploy_one(self, definition, false);
		if (!err && self->world->deployed)
			err = deploy_one(self, definition, true);
	}
	return err;
}

/* --- turns -------------------------------------------------------------------------- */

static void plan_turn(struct orchestrator *self, int64_t at_ms);

static void begin_again(void *context, uint64_t argument)
{
	struct world *world = context;

	if (!world->members[argument])
		orchestrator_start(world, (uint32_t)argument);
}

/* Everything that was only in memory is gone. */
static void end(struct orchestrator *self)
{
	struct world *world = self->world;

	engine_close(self->engine);
	bus_close(self->real_bus);
	disk_close(&self->disk);
	if (is_member(self))
		world->members[self->place] = NULL;
	if (world->rival == self)
		world->rival = NULL;
	herald_release(&self->herald);
	free(self->polled);
	free(self);
}

static void die(struct orchestrator *self)
{
	struct world *world = self->world;
	bool last = is_member(self), began_behind = self->began_behind;
	uint32_t place = self->place;

	end(self);
	if (began_behind)
		orchestrators_restart(world);
	if (!last)
		return;
	group_missing(world, place);
	agenda_add(
		&world->agenda,
		world_soon_ms(world, world->part == PART_TROUBLE ? world->plan.away_ms : 100),
		begin_again, world, place);
}

/* The moment at which it wants to be called, on the clock that never jumps. */
static void plan_next(struct orchestrator *self, size_t n)
{
	int64_t now_ms = world_now_ms(self->world), wake_ms = engine_wake_ms(self->engine);

	if (n)
		plan_turn(self, now_ms);
	if (wake_ms == INT64_MAX || self->world->sabotage == SABOTAGE_SLEEP)
		return;
	wake_ms -= self->world->clock.now_ms;
	plan_turn(self, now_ms + (wake_ms > 0 ? wake_ms : 1));
}

/* What came before its shard is taken anew. */
static void forget_polled(struct orchestrator *self, const struct shards *taken)
{
	size_t n = 0;

	for (size_t i = 0; i < self->n_polled; i++)
		if (!taken->n || !shards_cover(taken, slice_of(self->polled[i].id)))
			self->polled[n++] = self->polled[i];
	self->n_polled = n;
}

/* As a server does it: what the bus gives is its own, and nothing else. It is tried again
 * where it fails, and where somebody else has claimed it by mistake. */
static enum err own_shards(struct orchestrator *self)
{
	enum { CLAIM_AGAIN_MS = 60000, TRY_AGAIN_MS = 1000 };
	const struct shards *ours = &self->store_wire.base.shards;
	int64_t now_ms = world_now_ms(self->world);
	enum err err;

	if (!self->given.n ||
	    (self->given_turn == self->owned_turn &&
	     (shards_equal(&self->given, ours) || now_ms - self->owned_ms < CLAIM_AGAIN_MS)))
		return OK;
	self->owned_turn = 0;
	err = engine_own(self->engine, &self->given);
	diary_write(&self->world->diary, "%s owns %u of %u shards: %s", self->name,
		    (unsigned)shards_count(ours), (unsigned)ours->n, err_text(err));
	if (err) {
		plan_turn(self, now_ms + TRY_AGAIN_MS);
		return err;
	}
	forget_polled(self, &self->engine->to_load);
	self->owned_turn = self->given_turn;
	self->owned_ms = now_ms;
	self->loads = self->engine->to_load;
	return OK;
}

static void take_turn(struct orchestrator *self)
{
	struct world *world = self->world;
	uint32_t n_begun = world->n_begun;
	uint32_t n_outages = world->n_outages - world->outage;
	size_t n = 0;
	enum err err, owned;

	bus_pump(self->bus);
	owned = own_shards(self);
	err = engine_turn(self->engine, &n);
	err = err ? err : owned;
	bus_pump(self->bus);
	self->has_turned = true;
	self->began_behind |= self == world->rival && world->n_begun > n_begun;
	if (world_looks_dead(world, &self->wire, self->name)) {
		die(self);
		return;
	}
	if (err && n_outages == world->n_outages && !self->wire.fired && err != ERR_UNAVAILABLE)
		diary_fault(&world->diary, "P2: a turn failed: %s", err_text(err));
	if (self->wire.fired)
		world_arm(world, &self->wire, &world->plan.orchestrator);
	if (!err && self->loads.n) {
		judge_opened(world, self->number, self->engine, &self->loads);
		self->loads = (struct shards){.n = 0};
	}
	judge_bounds(world, self->engine, !err);
	judge_bus(world, self->real_bus);
	plan_next(self, n);
}

static void do_turn(void *context, uint64_t argument)
{
	struct world *world = context;
	struct orchestrator *self = find_number(world, (uint32_t)argument);

	if (!self || self->turn_ms != world_now_ms(world))
		return;
	self->turn_ms = INT64_MAX;
	if (hangs(self) && self->hangs_until_ms > world_now_ms(world))
		plan_turn(self, self->hangs_until_ms);
	else if (hangs(self)) /* its answer is there, and somebody else still waits */
		plan_turn(self, world_now_ms(world) + WAIT_MS);
	else
		take_turn(self);
}

static void plan_turn(struct orchestrator *self, int64_t at_ms)
{
	/* Whoever waited for an answer may come with a time that has passed. */
	if (at_ms < world_now_ms(self->world))
		at_ms = world_now_ms(self->world);
	if (at_ms >= self->turn_ms)
		return;
	self->turn_ms = at_ms;
	agenda_add(&self->world->agenda, at_ms, do_turn, self->world, self->number);
}

void orchestrator_wake(struct world *world, const struct bus *bus)
{
	struct orchestrator *self = find_bus(world, bus);

	if (self)
		plan_turn(self, world_soon_ms(world, world->plan.weather.latency_ms +
							     world->plan.sluggish_ms));
}

void orchestrator_hear(struct world *world, uint32_t place)
{
	struct orchestrator *self = world->members[place];

	if (!self)
		return;
	if (hangs(self)) {
		group_joined(world, place);
		return;
	}
	group_given(&world->group, place, &self->given);
	self->given_turn = world->group.turn;
	world->transport->ops->assign(world->transport, self->real_bus, &self->given);
	diary_write(&world->diary, "%s is given %u of %u shards", self->name,
		    (unsigned)shards_count(&self->given), (unsigned)self->given.n);
	plan_turn(self, world_now_ms(world));
}

void orchestrators_hurry(struct world *world)
{
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		if (world->members[i])
			plan_turn(world->members[i], world_now_ms(world));
}

/* --- beginning ---------------------------------------------------------------------- */

static void write_log(void *sink, enum log_level level, struct slice line)
{
	struct orchestrator *self = sink;

	diary_write(&self->world->diary, "%s logs %.*s", self->name, SLICE_ARG(line));
}

static void observe(void *context, const struct definition *definition,
		    const struct saga_row *row, const struct saga *saga,
		    const struct entry *entries, size_t n_entries, uint64_t first)
{
	struct orchestrator *self = context;
	struct world *world = self->world;

	if (is_dead(self) ||
	    (world->sabotage == SABOTAGE_FORGET_NEWS && random_percent(&world->random, 2)) ||
	    (world->sabotage == SABOTAGE_FORGET_OLD_NEWS && !self->has_turned))
		return;
	judge_told(world, row, n_entries, first);
}

void orchestrator_start(struct world *world, uint32_t place)
{
	struct orchestrator *self = calloc(1, sizeof *self);
	struct engine_parts parts = {.clock = &world->clock.base,
				     .read_definition = load_stored,
				     .limits = &world->plan.participants,
				     .live_max = world->plan.live_max};
	struct store *store;
	enum err err = ERR_UNAVAILABLE;

	assert(self);
	self->world = world;
	self->place = place;
	self->number = ++world->n_orchestrators;
	snprintf(self->name, sizeof self->name, "orchestrator %u", (unsigned)self->number);
	self->turn_ms = INT64_MAX;
	herald_init(&self->herald, world, self->number);
	self->real_bus = world->transport->ops->open_bus(world->transport);
	self->log = (struct log){LOG_LEVEL_DEBUG, write_log, self};
	world->members[place] = self;
	world_arm(world, &self->wire, &world->plan.orchestrator);
	store = disk_open(&self->disk, world, self->number, self->name);
	if (store)
		parts.store = store_tripwire_init(&self->store_wire, store, &self->wire);
	parts.bus = watch_bus(self);
	parts.log = &self->log;
	parts.seed = random_next(&world->random);
	diary_write(&world->diary, "%s begins", self->name);
	if (store)
		err = engine_open(&parts, &self->engine, NULL);
	if (!err)
		err = deploy(self);
	if (world_looks_dead(world, &self->wire, self->name) || err) {
		diary_write(&world->diary, "%s cannot begin: %s", self->name, err_text(err));
		die(self);
		return;
	}
	if (world->sabotage == SABOTAGE_NO_ROOM)
		world->plan.live_max = 1;
	engine_observe(self->engine, observe, self);
	judge_opened(world, self->number, self->engine, NULL);
	plan_turn(self, world_now_ms(world));
	group_joined(world, place);
}

struct engine *orchestrator_engine(struct world *world, struct slice id)
{
	uint32_t n = world->group.n_members,
		 first = n > 1 ? random_below(&world->random, n) : 0;
	struct orchestrator *asked = NULL;

	for (uint32_t i = 0; i < n; i++) {
		struct orchestrator *self = world->members[(first + i) % n];

		if (!self || hangs(self))
			continue;
		if (!asked ||
		    (disk_owns(&self->disk, id) && random_percent(&world->random, 80)))
			asked = self;
	}
	return asked ? asked->engine : NULL;
}

struct engine *orchestrator_owner(const struct world *world, struct slice id)
{
	for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
		const struct orchestrator *self = world->members[i];

		if (self && orchestrator_owns(world, self->number, id))
			return self->engine;
	}
	return NULL;
}

struct herald *orchestrator_herald(struct world *world, uint32_t number)
{
	struct orchestrator *self = find_number(world, number);

	return self && !is_dead(self) ? &self->herald : NULL;
}

bool orchestrators_heard(const struct world *world)
{
	for (uint32_t i = 0; i < world->group.n_members; i++) {
		const struct orchestrator *self = world->members[i];

		if (!self || !self->has_turned || self->herald.n)
			return false;
	}
	return true;
}

/* --- trouble ------------------------------------------------------------------------ */

struct tripwire *orchestrator_wire(struct world *world, uint32_t number)
{
	struct orchestrator *self = find_number(world, number);

	return self ? &self->wire : NULL;
}

void orchestrator_wait(struct world *world, uint32_t number, int64_t until_ms)
{
	struct orchestrator *self = find_number(world, number);

	diary_write(&world->diary, "%s waits", self->name);
	if (self->hangs_until_ms < until_ms)
		self->hangs_until_ms = until_ms;
	self->waits = true;
	group_missing(world, self->place);
	world_pass(world, until_ms);
	self->waits = false;
	diary_write(&world->diary, "%s goes on", self->name);
}

void orchestrator_hang(struct world *world, uint32_t at_most_ms)
{
	struct orchestrator *self =
		world->members[random_below(&world->random, world->group.n_members)];

	if (!self || self->waits)
		return;
	diary_write(&world->diary, "%s hangs", self->name);
	self->hangs_until_ms = world_soon_ms(world, at_most_ms);
	group_missing(world, self->place);
}

/* No store refuses a new saga to an orchestrator that another one has replaced: it is
 * loaded by the next one. */
static void end_rival(void *context, uint64_t argument)
{
	struct world *world = context;
	bool began_behind;

	if (!world->rival || world->rival->number != (uint32_t)argument)
		return;
	diary_write(&world->diary, "%s ends", world->rival->name);
	began_behind = world->rival->began_behind;
	end(world->rival);
	if (began_behind)
		orchestrators_restart(world);
}

void orchestrator_rival(struct world *world)
{
	struct orchestrator *self = world->members[0];
	/* Often it is gone before the other one has got over what it did. */
	uint32_t lasts_ms = random_percent(&world->random, 50) ? 20000 : HOUR_MS;

	if (!self || world->rival)
		return;
	diary_write(&world->diary, "%s is taken for dead", self->name);
	world->tally.rivals++;
	self->hangs_until_ms = world_soon_ms(world, 60000);
	agenda_add(&world->agenda,
		   self->hangs_until_ms + random_below(&world->random, lasts_ms), end_rival,
		   world, self->number);
	world->rival = self;
	world->members[0] = NULL;
	orchestrator_start(world, 0);
}

void orchestrators_restart(struct world *world)
{
	for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
		if (!world->members[i])
			continue;
		diary_write(&world->diary, "%s is stopped", world->members[i]->name);
		die(world->members[i]);
	}
}

void orchestrators_calm(struct world *world)
{
	if (world->rival)
		end_rival(world, world->rival->number);
	for (uint32_t i = 0; i < world->group.n_members; i++) {
		struct orchestrator *self = world->members[i];

		if (!self) {
			orchestrator_start(world, i);
			continue;
		}
		self->hangs_until_ms = 0;
		world_arm(world, &self->wire, &world->plan.orchestrator);
		plan_turn(self, world_now_ms(world));
	}
	group_calm(world);
}

void orchestrators_deploy(struct world *world)
{
	diary_write(&world->diary, "newer definitions are deployed");
	world->deployed = true;
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		if (world->members[i] && !hangs(world->members[i]) && deploy(world->members[i]))
			diary_write(&world->diary, "not all of them, for now");
}

void orchestrators_free(struct world *world)
{
	if (world->rival)
		end(world->rival);
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		if (world->members[i])
			end(world->members[i]);
}

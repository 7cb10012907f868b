#include "tests/sim/service.h"

#include "base/json.h"
#include "participants/lib/barrier_memory.h"
#include "participants/lib/participant.h"
#include "tests/lib/tripwire.h"
#include "tests/sim/judge.h"
#include "tests/sim/talk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SERVICES_MAX = 24,
	PROCESSES_MAX = 3,
	NAMES_MAX = 64,
	RETRY_MS = 100,
	OUTPUT_SIZE = 200
};

struct process {
	struct service *service;
	char name[NAMES_MAX];
	uint32_t number;
	bool alive;
	uint32_t life; /* how often it was started */
	int64_t hangs_until_ms;
	int64_t work_ms; /* when it looks next; INT64_MAX: not yet known */
	struct tripwire wire;
	struct talk talk;
	struct port_tripwire port_wire;
	struct barrier_tripwire barrier_wire;
	skald_participant *participant;
};

/* The effects that a transaction has written. */
struct effects_list {
	struct command_place *list;
	size_t n, n_marked, capacity;
};

struct service {
	struct barrier database; /* first, so that the two pointers are one */
	struct services *services;
	struct barrier *records;
	char name[NAMES_MAX];
	struct effects_list effects;
	bool open; /* a transaction is */
	bool late; /* SABOTAGE_COMMIT_LATE: one is to be committed */
	struct process *at_work;
	bool mute;
	struct process processes[PROCESSES_MAX];
	uint32_t n_processes;
};

/* An answer that comes later. */
struct promise {
	struct promise *next;
	struct services *services;
	struct process *process;
	struct command_place place;
	uint32_t life; /* of the process */
	skald_deferred *deferred;
	bool refuse;
	bool kept; /* it was answered ok */
};

struct services {
	struct world *world;
	struct service list[SERVICES_MAX];
	uint32_t n;
	const struct service *mute; /* NULL: all of them answer */
	struct promise *promises;
};

static struct world *world_of(const struct service *service)
{
	return service->services->world;
}

/* --- the database ------------------------------------------------------------------- */

static enum err commit(struct service *service)
{
	struct world *world = world_of(service);

	for (size_t i = 0; i < service->effects.n; i++)
		if (world->sabotage != SABOTAGE_LOSE_EFFECTS ||
		    !random_percent(&world->random, 5))
			judge_effect(world, &service->effects.list[i]);
	service->effects.n = 0;
	return service->records->ops->commit(service->records);
}

static void commit_late(struct service *service)
{
	enum err err = service->late ? commit(service) : OK;

	assert(!err);
	service->late = false;
}

static enum err db_commit(struct barrier *base)
{
	struct service *service = (struct service *)base;

	service->open = false;
	service->late = world_of(service)->sabotage == SABOTAGE_COMMIT_LATE;
	return service->late ? OK : commit(service);
}

static enum err db_begin(struct barrier *base)
{
	struct service *service = (struct service *)base;

	assert(!service->open);
	commit_late(service);
	service->open = true;
	service->effects.n = service->effects.n_marked = 0;
	return service->records->ops->begin(service->records);
}

/* Only the first n of them are still to be committed. */
static void leave_effects(struct service *service, size_t n)
{
	for (size_t i = n; i < service->effects.n; i++)
		if (world_of(service)->sabotage == SABOTAGE_KEEP_EFFECTS)
			judge_effect(world_of(service), &service->effects.list[i]);
	service->effects.n = n;
}

static void db_rollback(struct barrier *base)
{
	struct service *service = (struct service *)base;

	service->open = false;
	leave_effects(service, 0);
	service->records->ops->rollback(service->records);
}

static enum err db_mark(struct barrier *base)
{
	struct service *service = (struct service *)base;

	service->effects.n_marked = service->effects.n;
	return service->records->ops->mark(service->records);
}

static enum err db_back(struct barrier *base)
{
	struct service *service = (struct service *)base;

	leave_effects(service, service->effects.n_marked);
	return service->records->ops->back(service->records);
}

static enum err db_find(struct barrier *base, struct slice id, struct arena *arena,
			struct barrier_record *out)
{
	struct service *service = (struct service *)base;
	struct world *world = world_of(service);
	enum err err = service->records->ops->find(service->records, id, arena, out);

	if (world->sabotage == SABOTAGE_FORGET_RECORDS && random_percent(&world->random, 10))
		*out = (struct barrier_record){0};
	return err;
}

static void add_effect(struct service *service, const struct command_place *place)
{
	struct effects_list *effects = &service->effects;

	if (effects->n == effects->capacity) {
		effects->capacity = effects->capacity ? effects->capacity * 2 : 16;
		effects->list = realloc(effects->list, effects->capacity * sizeof *place);
		assert(effects->list);
	}
	effects->list[effects->n++] = *place;
}

/* The answer that came later, to the process at work; NULL: it came at once. */
static struct promise *find_kept(const struct service *service,
				 const struct command_place *place)
{
	struct promise *promise = service->services->promises;

	for (; promise; promise = promise->next)
		if (promise->kept && promise->process == service->at_work &&
		    promise->life == promise->process->life &&
		    promise->place.sim_case == place->sim_case &&
		    promise->place.at.step == place->at.step &&
		    promise->place.at.element == place->at.element &&
		    promise->place.verb == place->verb && promise->place.round == place->round)
			break;
	return promise;
}

/* It could not be kept in the books, or the handler would not run again. */
static void forget_promise(const struct service *service, const struct command_place *place)
{
	struct promise *promise = find_kept(service, place);

	if (promise)
		promise->kept = false;
}

/* An effect that was promised is one as soon as its record is. */
static enum err db_keep(struct barrier *base, struct slice id,
			const struct barrier_record *record)
{
	struct service *service = (struct service *)base;
	struct command_place place;

	if (world_of(service)->sabotage == SABOTAGE_FORGET_BARS &&
	    record->state == BARRIER_BARRED)
		return OK;
	if (record->state == BARRIER_OK && judge_place(world_of(service), id, &place) &&
	    find_kept(service, &place))
		add_effect(service, &place);
	return service->records->ops->keep(service->records, id, record);
}

static enum err db_prune(struct barrier *base, int64_t before_ms, size_t limit)
{
	struct barrier *records = ((struct service *)base)->records;

	return records->ops->prune(records, before_ms, limit);
}

static void db_close(struct barrier *base)
{
}

/* --- handlers ----------------------------------------------------------------------- */

static void plan_work(struct process *process, int64_t at_ms);

/* Something for everybody who reads the outputs of steps. */
static const char *output_of(const struct command_place *place, char out[OUTPUT_SIZE])
{
	snprintf(out, OUTPUT_SIZE,
		 "{\"id\":\"%u-%u-%u-%u\",\"receipt\":\"r-%u\",\"price\":100.50,\"total\":301."
		 "50,"
		 "\"booking\":\"b\",\"entry\":%u}",
		 (unsigned)place->sim_case->number, (unsigned)place->at.step,
		 (unsigned)place->at.element, (unsigned)place->round,
		 (unsigned)place->sim_case->number, (unsigned)place->at.step);
	return out;
}

static bool wants_too_much(const skald_command *command)
{
	struct json args = {slice_of(skald_command_args(command))}, value;
	struct decimal number;

	if (json_get(args, SLICE_LITERAL("decline"), &value) && json_type(value) == JSON_BOOL &&
	    json_bool(value))
		return true;
	return json_get(args, SLICE_LITERAL("qty"), &value) &&
	       json_type(value) == JSON_NUMBER && !json_number(value, &number) &&
	       decimal_truncate(number) > 1000;
}

/* What the do answered comes with its undo, unless somebody said otherwise. */
static void check_output(struct world *world, const skald_command *command,
			 const struct command_place *place)
{
	const struct step_book *book = case_book(place->sim_case, place->at);
	struct command_place of_do = *place;
	const char *output = skald_command_output(command);
	char expected[OUTPUT_SIZE];

	if (place->verb != VERB_UNDO || book->fates[0].kind == FATE_THOUGHTLESS ||
	    !book->done || book->skip_asked)
		return;
	of_do.verb = VERB_DO;
	of_do.round = (uint16_t)book->done_round;
	output_of(&of_do, expected);
	if (!output || strcmp(output, expected) != 0)
		diary_fault(&world->diary,
			    "P3: %s is not told what the do has answered, but %s",
			    skald_command_id(command), output ? output : "nothing");
}

static skald_outcome promise_answer(struct process *process, const skald_command *command,
				    const struct command_place *place, bool refuse);

static skald_outcome run(struct process *process, const skald_command *command,
			 skald_reply *reply, const struct command_place *place)
{
	struct world *world = world_of(process->service);
	struct step_book *book = case_book(place->sim_case, place->at);
	bool undo = place->verb == VERB_UNDO;
	const struct fate *fate = &book->fates[undo];
	uint32_t runs = book->runs[undo]++;
	char output[OUTPUT_SIZE];
	bool refuse = fate->kind == FATE_REFUSED && !place->round;

	forget_promise(process->service, place);
	if (fate->kind == FATE_DEADLY && runs < fate->times && world->part == PART_TROUBLE) {
		process->wire = (struct tripwire){.fired = true, .effect = TRIPWIRE_DIES};
		return skald_reply_fail(reply, "dying", "");
	}
	if ((fate->kind == FATE_FAILED && runs < fate->times) ||
	    (fate->kind == FATE_FAILING && world->part == PART_TROUBLE)) {
		add_effect(process->service, place); /* to be rolled back */
		return skald_reply_fail(reply, "unlucky", "try again");
	}
	refuse |= !undo && wants_too_much(command) && !place->round;
	check_output(world, command, place);
	if (world->part == PART_TROUBLE &&
	    chance_take(&world->chance, CHANCE_LATER, world->plan.later_percent))
		return promise_answer(process, command, place, refuse);
	if (refuse) {
		if (undo)
			add_effect(process->service, place); /* likewise */
		return skald_reply_refuse(reply, "no", "not today");
	}
	add_effect(process->service, place);
	return skald_reply_ok(reply,
			      fate->kind == FATE_THOUGHTLESS ? NULL : output_of(place, output));
}

static skald_outcome handle(const skald_command *command, skald_reply *reply, void *context)
{
	struct process *process = context;
	struct world *world = world_of(process->service);
	struct command_place place;

	if (!judge_place(world, slice_of(skald_command_id(command)), &place)) {
		diary_fault(&world->diary, "order: %s is asked for, and its saga is not stored",
			    skald_command_id(command));
		return skald_reply_fail(reply, "unknown", "");
	}
	diary_write(&world->diary, "%s runs %s", process->name, skald_command_id(command));
	return run(process, command, reply, &place);
}

/* --- answers that come later -------------------------------------------------------- */

static void end_promise(struct promise *promise, bool lost)
{
	char output[OUTPUT_SIZE];

	if (lost) {
		skald_deferred_fail(promise->deferred, "lost", "");
	} else if (promise->refuse) {
		skald_deferred_refuse(promise->deferred, "no", "not today");
	} else {
		promise->kept = true;
		skald_deferred_ok(promise->deferred, output_of(&promise->place, output));
	}
	promise->deferred = NULL;
}

static void keep_promise(void *context, uint64_t argument)
{
	struct promise *promise = context;

	end_promise(promise, false);
	plan_work(promise->process, world_now_ms(promise->services->world));
}

static skald_outcome promise_answer(struct process *process, const skald_command *command,
				    const struct command_place *place, bool refuse)
{
	struct services *services = process->service->services;
	struct world *world = services->world;
	struct promise *promise = calloc(1, sizeof *promise);

	assert(promise);
	*promise = (struct promise){.next = services->promises,
				    .services = services,
				    .process = process,
				    .life = process->life,
				    .place = *place,
				    .deferred = skald_command_defer(command),
				    .refuse = refuse};
	assert(promise->deferred);
	services->promises = promise;
	add_effect(process->service, place); /* to be rolled back */
	agenda_add(&world->agenda, world_soon_ms(world, 20000), keep_promise, promise, 0);
	return SKALD_LATER;
}

/* --- processes ---------------------------------------------------------------------- */

static void register_handlers(struct process *process)
{
	const struct world *world = world_of(process->service);
	char command[NAMES_MAX];

	for (size_t i = 0; i < world->catalogue->n; i++) {
		const struct definition *definition = world->catalogue->list[i];

		for (uint32_t n = 0; n < 2 * definition->n_steps; n++) {
			const struct step_definition *step = &definition->steps[n / 2];
			const struct call *call = n % 2 ? &step->undo : &step->call;

			if ((n % 2 ? !step->has_undo : step->form != FORM_CALL) ||
			    !slice_is(call->participant, process->service->name))
				continue;
			/* Several sagas use the same commands. */
			snprintf(command, sizeof command, "%.*s", SLICE_ARG(call->command));
			(void)skald_participant_on(process->participant, command, handle,
						   process);
		}
	}
}

static void start_process(struct process *process)
{
	struct service *service = process->service;
	struct world *world = world_of(service);
	struct port *port;
	enum err err;

	process->alive = true;
	process->life++;
	process->work_ms = INT64_MAX;
	world_arm(world, &process->wire, &world->plan.service);
	port = world->transport->ops->open_port(world->transport, service->name,
						process->number);
	port = talk_open(&process->talk, world, port, process->name);
	process->participant =
		participant_open(port_tripwire_init(&process->port_wire, port, &process->wire),
				 barrier_tripwire_init(&process->barrier_wire,
						       &service->database, &process->wire),
				 &world->clock.base, world->plan.horizon_ms);
	assert(process->participant);
	err = participant_set_batch(process->participant, world->plan.batch);
	assert(!err);
	register_handlers(process);
	plan_work(process, world_now_ms(world));
}

static void begin_again(void *context, uint64_t argument)
{
	struct process *process = context;

	if (process->alive)
		return;
	diary_write(&world_of(process->service)->diary, "%s is back", process->name);
	start_process(process);
}

/* What was only in memory is gone, and what was not committed. */
static void end_process(struct process *process)
{
	skald_participant_free(process->participant);
	talk_close(&process->talk);
	if (process->service->open)
		db_rollback(&process->service->database);
	process->alive = false;
}

static void die(struct process *process)
{
	struct world *world = world_of(process->service);

	end_process(process);
	agenda_add(
		&world->agenda,
		world_soon_ms(world, world->part == PART_TROUBLE ? world->plan.away_ms : 100),
		begin_again, process, 0);
}

static bool is_idle(const struct process *process)
{
	const struct world *world = world_of(process->service);

	return !process->alive || process->hangs_until_ms > world_now_ms(world) ||
	       (process->service->mute && world->part != PART_MENDED);
}

static void do_work(void *context, uint64_t argument)
{
	struct process *process = context;
	struct world *world = world_of(process->service);
	size_t n;

	if (process->work_ms != (int64_t)argument || is_idle(process))
		return;
	process->work_ms = INT64_MAX;
	process->service->at_work = process;
	n = skald_participant_poll(process->participant);
	if (world_looks_dead(world, &process->wire, process->name)) {
		die(process);
		return;
	}
	if (process->wire.fired)
		world_arm(world, &process->wire, &world->plan.service);
	else if (!n)
		return;
	plan_work(process, world_now_ms(world) + RETRY_MS);
}

static void plan_work(struct process *process, int64_t at_ms)
{
	struct world *world = world_of(process->service);

	if (at_ms >= process->work_ms)
		return;
	process->work_ms = at_ms;
	agenda_add(&world->agenda, at_ms, do_work, process, (uint64_t)at_ms);
}

static struct process *find_process(struct services *services, uint32_t number)
{
	return &services->list[number / PROCESSES_MAX].processes[number % PROCESSES_MAX];
}

void services_wake(struct services *services, uint32_t number)
{
	struct process *process = find_process(services, number);
	struct world *world = services->world;
	uint32_t think_ms = world->part == PART_TROUBLE ? world->plan.think_ms : 5;

	plan_work(process, world_soon_ms(world, think_ms));
}

/* --- all of them -------------------------------------------------------------------- */

static void wake_up(void *context, uint64_t argument)
{
	struct process *process = context;

	process->work_ms = INT64_MAX;
	plan_work(process, world_now_ms(world_of(process->service)));
}

void services_hang(struct services *services, uint32_t at_most_ms)
{
	struct world *world = services->world;
	struct service *service = &services->list[random_below(&world->random, services->n)];
	struct process *process =
		&service->processes[random_below(&world->random, service->n_processes)];

	process->hangs_until_ms = world_soon_ms(world, at_most_ms);
	diary_write(&world->diary, "%s hangs", process->name);
	agenda_add(&world->agenda, process->hangs_until_ms, wake_up, process, 0);
}

static void wake_all(struct services *services)
{
	for (uint32_t i = 0; i < services->n; i++)
		for (uint32_t n = 0; n < services->list[i].n_processes; n++) {
			struct process *process = &services->list[i].processes[n];

			process->hangs_until_ms = 0;
			if (process->alive)
				world_arm(services->world, &process->wire,
					  &services->world->plan.service);
			begin_again(process, 0);
			wake_up(process, 0);
		}
}

void services_calm(struct services *services)
{
	wake_all(services);
}

void services_mend(struct services *services)
{
	wake_all(services);
}

void services_begin(struct services *services)
{
	for (uint32_t i = 0; i < services->n; i++)
		for (uint32_t n = 0; n < services->list[i].n_processes; n++)
			start_process(&services->list[i].processes[n]);
}

static struct service *add_service(struct services *services, struct slice name)
{
	static const struct barrier_ops ops = {
		.begin = db_begin,
		.commit = db_commit,
		.rollback = db_rollback,
		.mark = db_mark,
		.back = db_back,
		.find = db_find,
		.keep = db_keep,
		.prune = db_prune,
		.close = db_close,
	};
	struct service *service = services->list;

	while (service < services->list + services->n && !slice_is(name, service->name))
		service++;
	if (service < services->list + services->n)
		return service;
	assert(services->n < SERVICES_MAX);
	*service = (struct service){.database = {&ops},
				    .services = services,
				    .records = barrier_memory_new(),
				    .n_processes = services->world->plan.processes};
	assert(service->records);
	snprintf(service->name, sizeof service->name, "%.*s", SLICE_ARG(name));
	for (uint32_t n = 0; n < service->n_processes; n++) {
		struct process *process = &service->processes[n];

		process->service = service;
		process->number = services->n * PROCESSES_MAX + n;
		snprintf(process->name, sizeof process->name, "%.40s %u", service->name,
			 (unsigned)n + 1);
	}
	services->n++;
	return service;
}

/* One of them falls silent, and whoever needs it has to wait. */
static void silence_one(struct services *services)
{
	struct world *world = services->world;
	struct service *mute = &services->list[random_below(&world->random, services->n)];

	mute->mute = true;
	services->mute = mute;
	diary_write(&world->diary, "%s never answers", mute->name);
	for (uint32_t n = 0; n < world->plan.n_cases; n++)
		world->cases[n].mute = services_mute(services, world->cases[n].definition);
}

bool services_mute(const struct services *services, const struct definition *definition)
{
	return services->mute && world_needs(services->world, definition, services->mute->name);
}

struct services *services_new(struct world *world)
{
	struct services *services = calloc(1, sizeof *services);

	assert(services);
	services->world = world;
	for (size_t n = 0; n < world->n_needed; n++) {
		const struct definition *definition = world->needed[n];

		for (uint32_t i = 0; i < definition->n_steps; i++) {
			if (definition->steps[i].form == FORM_CALL)
				add_service(services, definition->steps[i].call.participant);
			if (definition->steps[i].has_undo)
				add_service(services, definition->steps[i].undo.participant);
		}
	}
	world->n_participants = services->n;
	if (world->plan.mute && chance_take(&world->chance, CHANCE_MUTE, 100))
		silence_one(services);
	return services;
}

void services_free(struct services *services)
{
	for (struct promise *promise = services->promises; promise; promise = promise->next)
		if (promise->deferred)
			end_promise(promise, true);
	for (uint32_t i = 0; i < services->n; i++) {
		struct service *service = &services->list[i];

		for (uint32_t n = 0; n < service->n_processes; n++) {
			if (service->processes[n].alive)
				end_process(&service->processes[n]);
			talk_release(&service->processes[n].talk);
		}
		barrier_close(service->records);
		free(service->effects.list);
	}
	while (services->promises) {
		struct promise *promise = services->promises;

		services->promises = promise->next;
		free(promise);
	}
	free(services);
}

/* services.c - the participants of a run. Their barriers follow the rules of the library
 * for services, with their records in memory that outlives a participant's death. */
#include "orchestrator/simulate/world.h"

#include "orchestrator/simulate/make.h"
#include "participants/lib/barrier_memory.h"

#include <assert.h>
#include <stdlib.h>

/* --- which ones ------------------------------------------------------------------------ */

static struct service *service_new(struct world *world, struct slice name)
{
	const struct simulate_seams *seams = &world->simulation->setup.seams;
	struct service *service = arena_alloc(&world->run->arena, sizeof *service);

	if (!service || !arena_copy(&world->run->arena, name, &service->name))
		return NULL;
	service->barrier = seams->barrier_new ? seams->barrier_new() : barrier_memory_new();
	if (!service->barrier)
		return NULL;
	service->world = world;
	service->actor = ACTORS_FIXED + world->n_services++;
	service->plan = plan_participant(world->simulation->setup.plan, name);
	service->next = world->services;
	world->services = service;
	return service;
}

struct service *service_find(struct world *world, struct slice name)
{
	struct service *service = world->services;

	while (service && !slice_equal(service->name, name))
		service = service->next;
	return service ? service : service_new(world, name);
}

void services_release(struct world *world)
{
	for (struct service *service = world->services; service; service = service->next)
		barrier_close(service->barrier);
	world->services = NULL;
}

/* --- being there ----------------------------------------------------------------------- */

/* When it can be reached again; now, or earlier: it can be. */
static int64_t back_ms(const struct service *service)
{
	int64_t now_ms = world_now_ms(service->world), back = service->away_until_ms;
	size_t n = service->plan ? service->plan->n_outages : 0;

	for (size_t i = 0; i < n; i++) {
		const struct outage *outage = &service->plan->outages[i];

		if (outage->from_ms <= now_ms && now_ms < outage->to_ms && outage->to_ms > back)
			back = outage->to_ms;
	}
	return back;
}

static void die(struct service *service, const struct letter *letter, int64_t for_ms)
{
	struct world *world = service->world;
	char text[DIAG_MAX];

	service->life++;
	service->away_until_ms = service->began_ms = world_now_ms(world) + for_ms;
	tell(world, service->actor, service->actor, "dies of %.*s, and is away for %s",
	     SLICE_ARG(letter->command->id), time_text(for_ms, text));
}

/* --- answering ------------------------------------------------------------------------- */

/* What decides about an attempt, and about all attempts of a command. */
static uint64_t attempt_of(const struct letter *letter)
{
	return letter->command->attempt + ((uint64_t)letter->copy << 32);
}

static bool has_chance(const struct world *world, const char *what, struct slice id,
		       uint64_t number, uint32_t chance)
{
	struct dice dice = world_dice(world, what, id, number);

	return dice_chance(&dice, chance);
}

/* Which step of which saga it is for; NULL: none that the books know. */
static const struct definition *definition_of(const struct world *world,
					      const struct command_message *command,
					      uint32_t *step)
{
	const struct book *book = book_find(world, command->saga_id);
	struct address at;

	if (!book || !address_parse(command->id, &at))
		return NULL;
	*step = definition_find(world_definition(world, book), at.step);
	return *step == NO_STEP ? NULL : world_definition(world, book);
}

/* --faults declines what turns a saga back. A plan declines what it names. */
static bool declines(const struct service *service, const struct command_message *command)
{
	const struct world *world = service->world;
	const struct definition *definition;
	uint32_t step;

	if (service->behaviour->decline_given)
		return has_chance(world, "planned-decline", command->id, 0,
				  service->behaviour->decline);
	if (command->verb != MESSAGE_DO ||
	    !world_fault(world, FAULT_DECLINE, command->id, 0, NULL))
		return false;
	definition = definition_of(world, command, &step);
	return definition && definition->steps[step].form == FORM_CALL &&
	       definition->steps[step].kind != KIND_RETRIABLE &&
	       !definition->steps[step].after_pivot;
}

static bool fails(const struct service *service, const struct command_message *command)
{
	if (service->behaviour->fail_given)
		return has_chance(service->world, "planned-fail", command->id, command->attempt,
				  service->behaviour->fail);
	return world_fault(service->world, FAULT_FAIL, command->id, command->attempt, NULL);
}

/* What the plan's templates can name. */
struct plan_environment {
	struct environment base; /* first, so that the two pointers are one */
	const struct command_message *command;
	struct arena *arena;
};

static bool json_of_text(struct arena *arena, struct slice text, struct json *out)
{
	struct bytes json = BYTES(PAYLOAD_MAX, arena);

	json_write_text(&json, text);
	out->text = bytes_slice(&json);
	return !json.err;
}

static bool look_up(const struct environment *base, struct name name, struct json *out)
{
	const struct plan_environment *environment = (const struct plan_environment *)base;

	switch (name.root) {
	case ROOT_INPUT: out->text = environment->command->args; return true;
	case ROOT_SAGA_ID:
		return json_of_text(environment->arena, environment->command->saga_id, out);
	case ROOT_SAGA_NAME:
		return json_of_text(environment->arena, environment->command->saga, out);
	default: return false;
	}
}

static struct slice make_planned(struct service *service, const struct command_message *command,
				 struct arena *arena)
{
	const struct plan_environment environment = {{look_up}, command, arena};
	struct failure_text failure = {.text = ""};
	struct json output = {{0}};
	enum err err = template_evaluate(service->behaviour->output, &environment.base, arena,
					 &output, &failure);

	if (err == ERR_INVALID)
		err = diag_set(service->world->diag, err,
			       "the plan's output of %.*s.%.*s cannot be evaluated: %s",
			       SLICE_ARG(service->name), SLICE_ARG(command->command),
			       failure.text);
	if (err)
		world_fail(service->world, err);
	return output.text;
}

static struct slice make_output(struct service *service, const struct command_message *command,
				struct arena *arena)
{
	struct world *world = service->world;
	struct bytes out = BYTES(PAYLOAD_MAX, arena);
	const struct definition *definition;
	const struct book *book = book_find(world, command->saga_id);
	struct dice dice = world_dice(world, "output", command->id, 0);
	uint32_t step;

	if (service->behaviour->output)
		return make_planned(service, command, arena);
	definition = definition_of(world, command, &step);
	if (!definition || command->verb == MESSAGE_UNDO)
		return (struct slice){0};
	if (service->behaviour->schema)
		make_fitting(dice, service->behaviour->schema, definition->steps[step].name,
			     &out);
	else
		make_value(dice, &world->simulation->shapes[book->definition].outputs[step],
			   definition->steps[step].name, &out);
	if (out.err)
		world_fail(world, out.err);
	return bytes_slice(&out);
}

/* The handler, within the barrier's transaction. */
static bool handle(void *context, const struct command_message *command, struct arena *arena,
		   struct reply_message *reply)
{
	struct service *service = context;

	service->ran = false;
	if (declines(service, command)) {
		reply->outcome = MESSAGE_REFUSED;
		reply->code = service->behaviour->decline_code;
		reply->text = SLICE_LITERAL("declined by the simulation");
	} else if (fails(service, command)) {
		reply->outcome = MESSAGE_FAILED;
		reply->code = SLICE_LITERAL("failed");
		reply->text = SLICE_LITERAL("failed by the simulation");
	} else {
		service->ran = true;
		reply->output = make_output(service, command, arena);
	}
	return true;
}

/* Whether the participant has an answer: in a transaction of its own, which is
 * committed, or is not since the process dies before. */
static enum err answer(struct service *service, const struct letter *letter, bool keep,
		       struct arena *arena, struct reply_message *reply)
{
	const struct barrier_desk desk = {.barrier = service->barrier,
					  .now_ms = clock_now_ms(&service->world->clock.base),
					  .run = handle,
					  .context = service,
					  .arena = arena};
	enum barrier_answer kind;
	enum err err = service->barrier->ops->begin(service->barrier);

	service->ran = false;
	if (!err)
		err = barrier_answer(&desk, letter->command, reply, &kind);
	if (!err && keep)
		err = service->barrier->ops->commit(service->barrier);
	else
		service->barrier->ops->rollback(service->barrier);
	return err;
}

static void write_book(struct service *service, const struct letter *letter,
		       const struct reply_message *reply)
{
	if (reply->outcome != MESSAGE_OK)
		return;
	if (service->ran)
		law_effect(service->world, letter->command);
	else if (letter->command->verb != MESSAGE_DO)
		law_barred(service->world, letter->command);
}

/* --- the way of a command -------------------------------------------------------------- */

static void finish(void *context, uint64_t argument);

static void come_again(struct letter *letter, int64_t at_ms)
{
	agenda_add(&letter->world->agenda, at_ms, service_arrive, letter, 0);
}

/* It is dead, or nobody can reach it: the bus offers the command again later. */
static bool is_gone(struct letter *letter)
{
	struct service *service = letter->service;
	int64_t back = back_ms(service);

	if (back <= world_now_ms(letter->world) && letter->life == service->life)
		return false;
	come_again(letter, back);
	return true;
}

/* Longer than an attempt has time, where the fault is that. */
static int64_t latency_ms(const struct letter *letter)
{
	const struct world *world = letter->world;
	const struct service *service = letter->service;
	const struct command_message *command = letter->command;
	const struct behaviour *behaviour = plan_behaviour(service->plan, command->command);
	bool slow = world_now_ms(world) - service->began_ms < behaviour->slow_ms;
	struct dice dice = world_dice(world, "latency", command->id, attempt_of(letter));
	int64_t ms = dice_spread(&dice, slow ? &behaviour->slow : &behaviour->latency);

	if (world_fault(world, FAULT_TIMEOUT, command->id, command->attempt, NULL))
		ms += command->timeout_ms;
	return ms + world->simulation->setup.faults.slow_ms;
}

void service_arrive(void *context, uint64_t argument)
{
	struct letter *letter = context;

	letter->life = letter->service->life;
	if (is_gone(letter))
		return;
	agenda_add(&letter->world->agenda, world_now_ms(letter->world) + latency_ms(letter),
		   finish, letter, 0);
}

/* Nobody hears of what became of it. */
static void leave_unknown(struct service *service, struct letter *letter, bool done)
{
	tell_lost(service->world, service->actor, ACTOR_SKALD, "no answer to %.*s, which %s",
		  SLICE_ARG(letter->command->id), done ? "took effect" : "did not take effect");
	letter_free(letter);
}

static void finish(void *context, uint64_t argument)
{
	struct letter *letter = context;
	struct service *service = letter->service;
	struct world *world = letter->world;
	struct slice id = letter->command->id;
	uint64_t number = attempt_of(letter) + ((uint64_t)service->life << 40);
	struct reply_message reply;
	struct arena arena = {0};
	bool dies, unknown, kept;
	int64_t away_ms;
	enum err err;

	if (is_gone(letter))
		return;
	service->behaviour = plan_behaviour(service->plan, letter->command->command);
	dies = world_fault(world, FAULT_CRASH, id, number, &away_ms);
	unknown = has_chance(world, "unknown", id, number, service->behaviour->unknown);
	kept = (!dies && !unknown) || has_chance(world, "kept", id, number, CHANCE_ALWAYS / 2);
	err = answer(service, letter, kept, &arena, &reply);
	if (err)
		world_fail(world, err);
	if (!err && kept)
		write_book(service, letter, &reply);
	if (dies) {
		die(service, letter, away_ms);
		letter->life = service->life;
		come_again(letter, service->away_until_ms);
	} else if (unknown) {
		leave_unknown(service, letter, kept && service->ran);
	} else {
		letters_reply(letter, &reply);
	}
	arena_release(&arena);
}

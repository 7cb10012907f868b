/* crowd.c - those who start the saga, cancel it, and send it the events that it
 * waits for. */
#include "orchestrator/simulate/world.h"

#include "orchestrator/simulate/make.h"

#include <stdio.h>

enum { SECOND_MS = 1000, HOUR_MS = 60 * 60 * 1000, ORIGIN = 1, SIGNAL_ID_MAX = 64 };

/* --- starting -------------------------------------------------------------------------- */

static void cancel(void *context, uint64_t argument);

/* Most sagas are over within seconds. */
static void plan_cancel(struct world *world)
{
	static const struct spread after = {SPREAD_QUANTILES, SECOND_MS / 5, HOUR_MS};
	struct dice dice = world_dice(world, "cancel-after", world->run->id, 0);

	if (world_fault(world, FAULT_CANCEL, world->run->id, 0, NULL))
		agenda_add(&world->agenda, dice_spread(&dice, &after), cancel, world, 0);
}

void crowd_start(struct world *world)
{
	const struct definition *definition = world->simulation->setup.family.list[0];
	struct inbox_message message = {
		.type = INBOX_START,
		.origin = ORIGIN,
		.start = {.saga = definition->name,
			  .version = definition->version,
			  .id = world->run->id,
			  .input = world->input.text,
			  .actor = SLICE_LITERAL("simulate")},
	};

	tell(world, ACTOR_PEOPLE, ACTOR_SKALD, "start %.*s, which is %.*s",
	     SLICE_ARG(definition->name), SLICE_ARG(world->run->id));
	letters_submit(world, &message);
	plan_cancel(world);
}

void crowd_told(struct world *world, const struct result_message *result)
{
	char text[DIAG_MAX];

	world->acknowledged |= !result->code.len;
	if (!result->code.len)
		return;
	(void)snprintf(text, sizeof text, "%.*s: %.*s", SLICE_ARG(result->code),
		       SLICE_ARG(result->text));
	tell(world, ACTOR_SKALD, ACTOR_PEOPLE, "the start is refused: %s", text);
	if (!arena_copy(&world->run->arena, slice_of(text), &world->run->reason))
		world_fail(world, ERR_NOMEM);
}

/* --- cancelling ------------------------------------------------------------------------ */

static void cancelled(void *context, const struct answer *answer)
{
	struct world *world = context;

	if (world->dead)
		return;
	tell(world, ACTOR_SKALD, ACTOR_PEOPLE, "%s%s",
	     answer->err ? "it is not cancelled: " : "it is being cancelled",
	     answer->err ? answer->text : "");
	if (!answer->err && world->books)
		world->books->cancelled = true;
	if (answer->err == ERR_BUSY)
		agenda_add(&world->agenda, world_now_ms(world) + SECOND_MS, cancel, world, 0);
}

static void cancel(void *context, uint64_t argument)
{
	struct world *world = context;
	const struct operation operation = {.saga_id = world->run->id,
					    .type = EVENT_CANCEL,
					    .actor = SLICE_LITERAL("simulate")};

	if (world->books && world->books->ended)
		return;
	if (!world->engine || !world->acknowledged) {
		if (!world->run->reason.len)
			agenda_add(&world->agenda, world_now_ms(world) + SECOND_MS, cancel,
				   world, 0);
		return;
	}
	tell(world, ACTOR_PEOPLE, ACTOR_SKALD, "cancel");
	engine_operate(world->engine, &operation, cancelled, world);
}

/* --- signals --------------------------------------------------------------------------- */

struct planned {
	struct world *world;
	struct book *book;
	struct inbox_message message;
};

static void send_signal(void *context, uint64_t argument)
{
	struct planned *planned = context;
	const struct signal_message *signal = &planned->message.signal;

	if (planned->book->ended)
		return;
	tell(planned->world, ACTOR_PEOPLE, ACTOR_SKALD, "signal %.*s to %.*s",
	     SLICE_ARG(signal->event), SLICE_ARG(signal->saga_id));
	letters_submit(planned->world, &planned->message);
}

struct payload_environment {
	struct environment base; /* first, so that the two pointers are one */
	const struct saga *saga;
};

static bool look_up(const struct environment *base, struct name name, struct json *out)
{
	const struct payload_environment *environment =
		(const struct payload_environment *)base;

	if (name.root == ROOT_INPUT)
		out->text = environment->saga->input;
	return name.root == ROOT_INPUT;
}

static struct slice make_payload(struct world *world, const struct book *book,
				 const struct saga *saga, const struct planned_signal *plan,
				 uint32_t step, struct slice id)
{
	const struct payload_environment environment = {{look_up}, saga};
	struct arena *arena = &world->run->arena;
	struct bytes made = BYTES(PAYLOAD_MAX, arena);
	struct failure_text failure = {.text = ""};
	struct json payload = {{0}};
	enum err err;

	if (plan->payload) {
		err = template_evaluate(plan->payload, &environment.base, arena, &payload,
					&failure);
		if (err == ERR_INVALID)
			err = diag_set(
				world->diag, err,
				"the plan's payload of the signal %.*s cannot be evaluated: %s",
				SLICE_ARG(plan->event), failure.text);
	} else {
		struct dice dice = world_dice(world, "payload", id, 0);
		uint32_t n = (uint32_t)book->definition;

		if (plan->schema)
			make_fitting(dice, plan->schema, plan->event, &made);
		else
			make_value(dice, &world->simulation->shapes[n].outputs[step],
				   world_definition(world, book)->steps[step].event, &made);
		payload.text = bytes_slice(&made);
		err = made.err;
	}
	if (err)
		world_fail(world, err);
	return payload.text;
}

void crowd_signal(struct world *world, struct book *book, const struct saga *saga,
		  uint32_t instance)
{
	const struct definition *definition = world_definition(world, book);
	uint32_t step = saga_instance(definition, saga, instance).step;
	struct slice event = definition->steps[step].event;
	const struct planned_signal *plan = plan_signal(world->simulation->setup.plan, event);
	struct dice dice = world_dice(world, "signal", book->id, instance);
	int64_t after_ms = dice_spread(&dice, &plan->after);
	struct planned *planned;
	char id[SIGNAL_ID_MAX];

	if (!dice_chance(&dice, plan->chance))
		return;
	planned = arena_alloc(&world->run->arena, sizeof *planned);
	(void)snprintf(id, sizeof id, "signal-%u", (unsigned)instance);
	if (!planned ||
	    !arena_copy(&world->run->arena, slice_of(id), &planned->message.signal.id)) {
		world_fail(world, ERR_NOMEM);
		return;
	}
	planned->world = world;
	planned->book = book;
	planned->message.type = INBOX_SIGNAL;
	planned->message.signal.saga_id = book->id;
	planned->message.signal.event = event;
	planned->message.signal.actor = SLICE_LITERAL("simulate");
	planned->message.signal.payload =
		make_payload(world, book, saga, plan, step, planned->message.signal.id);
	agenda_add(&world->agenda, world_now_ms(world) + after_ms, send_signal, planned, 0);
}

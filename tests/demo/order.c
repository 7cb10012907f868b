/* order.c - sagas/order.yaml runs in memory, to look at: the engine, a bus, the
 * participant library and real handlers (tests/lib/shop.c) in one process, under
 * a clock that only moves when everybody waits. Once to its end, once declined. */
#include "bus/bus_memory.h"
#include "orchestrator/core/codec.h"
#include "orchestrator/core/describe.h"
#include "orchestrator/engine/address.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/load/load.h"
#include "orchestrator/store/record.h"
#include "orchestrator/store/store_memory.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/desk.h"
#include "tests/lib/shop.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_SIZE = 1024, TURNS_MAX = 1000, ANSWER_MS = 20, FAIL_EVERY = 3 };

static const int64_t start_ms = 1700000000000;

static const struct example {
	const char *title;
	const char *id;
	const char *input;
	enum status end;
} examples[] = {
	{"An order that goes through. Every third call of a handler fails and is tried again.",
	 "order-17",
	 "{\"order_id\":\"17\",\"sku\":\"book\",\"qty\":2,\"total\":19.99,"
	 "\"email\":\"ann@example.com\",\"card\":\"4111111111111111\"}",
	 STATUS_COMPLETED},
	{"An order whose card is declined: what was done is undone, the first step last.",
	 "order-18",
	 "{\"order_id\":\"18\",\"sku\":\"book\",\"qty\":2,\"total\":19.99,"
	 "\"email\":\"bob@example.com\",\"card\":\"4000000000000002\",\"decline\":true}",
	 STATUS_COMPENSATED},
};

/* --- a bus that tells what passes ------------------------------------------------- */

struct told_bus {
	struct bus base; /* first, so that the two pointers are one */
	struct bus *real;
	const struct definition *definition;
	const struct clock_sim *clock;
};

static void tell(const struct clock_sim *clock, struct bytes *line)
{
	assert(!line->err);
	printf("  %8.3f s  %.*s\n", (double)clock->monotonic_ms / 1000,
	       SLICE_ARG(bytes_slice(line)));
}

static struct address address_of(struct slice id)
{
	struct address address;
	bool right = address_parse(id, &address);

	assert(right);
	return address;
}

static enum err told_send(struct bus *base, const struct command_message *message)
{
	const struct told_bus *told = (const struct told_bus *)base;
	struct address address = address_of(message->id);
	struct command command = {.step = definition_find(told->definition, address.step),
				  .verb = address.verb,
				  .round = address.round,
				  .attempt = message->attempt};
	char room[LINE_SIZE];
	struct bytes line = {.at = room, .capacity = sizeof room, .max = sizeof room};

	describe_command(told->definition, &command, &line);
	tell(told->clock, &line);
	return bus_send(told->real, message);
}

static bool told_poll(struct bus *base, struct inbox_message *out)
{
	const struct told_bus *told = (const struct told_bus *)base;
	char room[LINE_SIZE];
	struct bytes line = {.at = room, .capacity = sizeof room, .max = sizeof room};
	struct address address;
	struct event event;

	if (!bus_poll(told->real, out))
		return false;
	assert(out->type == INBOX_REPLY);
	address = address_of(out->reply.id);
	event = (struct event){.type = EVENT_REPLY,
			       .step = definition_find(told->definition, address.step),
			       .verb = address.verb,
			       .round = address.round,
			       .attempt = out->reply.attempt,
			       .outcome = (enum outcome)out->reply.outcome,
			       .error = {out->reply.code, out->reply.text}};
	describe_event(told->definition, &event, &line);
	tell(told->clock, &line);
	return true;
}

static void told_acknowledge(struct bus *base)
{
	bus_acknowledge(((const struct told_bus *)base)->real);
}

static void told_answer(struct bus *base, uint64_t origin, const struct result_message *result)
{
	bus_answer(((const struct told_bus *)base)->real, origin, result);
}

static void told_ended(struct bus *base, uint64_t origin, struct slice saga_id,
		       struct slice status)
{
	bus_ended(((const struct told_bus *)base)->real, origin, saga_id, status);
}

static void told_pump(struct bus *base)
{
	bus_pump(((const struct told_bus *)base)->real);
}

static int told_fd(struct bus *base)
{
	return bus_fd(((const struct told_bus *)base)->real);
}

static void told_participants(struct bus *base,
			      void (*visit)(void *context,
					    const struct bus_participant *participant),
			      void *context)
{
	bus_participants(((const struct told_bus *)base)->real, visit, context);
}

static void told_close(struct bus *base)
{
	bus_close(((const struct told_bus *)base)->real);
}

static const struct bus_ops told_ops = {
	.send = told_send,
	.poll = told_poll,
	.answer = told_answer,
	.ended = told_ended,
	.acknowledge = told_acknowledge,
	.pump = told_pump,
	.fd = told_fd,
	.participants = told_participants,
	.close = told_close,
};

/* --- everything in one process ------------------------------------------------------ */

struct world {
	const struct definition *definition;
	struct clock_sim clock;
	struct vault *vault;
	struct post *post;
	struct shop *shop;
	struct store *store;
	struct told_bus bus;
	struct port *ports[SHOP_SERVICES];
	struct engine *engine;
	uint64_t revision; /* of the saga, when it was last told */
};

static void world_open(struct world *world, const struct definition *definition)
{
	struct engine_parts parts = {.clock = &world->clock.base};
	enum err err;

	*world = (struct world){.definition = definition,
				.vault = vault_new(),
				.post = post_new(),
				.shop = shop_new()};
	assert(world->vault && world->post && world->shop);
	clock_sim_init(&world->clock, start_ms);
	shop_fail_every(world->shop, FAIL_EVERY);
	world->store = store_memory_open(world->vault);
	world->bus = (struct told_bus){
		{&told_ops}, bus_memory_open(world->post), definition, &world->clock};
	for (int i = 0; i < SHOP_SERVICES; i++)
		world->ports[i] = port_memory_open(world->post, shop_services[i]);
	shop_open(world->shop, world->ports, &world->clock.base);
	parts.store = world->store;
	parts.bus = &world->bus.base;
	err = desk_open(&parts, &world->engine, NULL);
	if (!err)
		err = desk_deploy_file(world->engine, "sagas/order.yaml");
	assert(!err);
}

static void world_close(struct world *world)
{
	engine_close(world->engine);
	shop_close(world->shop);
	bus_close(&world->bus.base);
	store_close(world->store);
	for (int i = 0; i < SHOP_SERVICES; i++)
		port_close(world->ports[i]);
	shop_free(world->shop);
	post_free(world->post);
	vault_free(world->vault);
}

/* The saga as the store has it, where it changed since it was last told. */
static enum status tell_saga(struct world *world, const char *id)
{
	struct arena arena = {0};
	struct bytes line = BYTES(LINE_SIZE, &arena);
	uint8_t hash[SHA256_SIZE];
	struct slice record, bytes, timeline;
	struct saga saga;
	enum status status;
	enum err err = store_get(world->store, slice_of(id), &arena, NULL, &record);

	if (!err)
		err = record_split(record, &bytes, &timeline);
	if (!err)
		err = saga_decode(bytes, &arena, &saga, hash, NULL);
	assert(!err);
	if (saga.revision != world->revision) {
		describe_saga(world->definition, &saga, &line);
		printf("%14s= %.*s\n", "", SLICE_ARG(bytes_slice(&line)));
	}
	world->revision = saga.revision;
	status = saga_status(&saga);
	arena_release(&arena);
	return status;
}

/* Handlers take their time; where nobody has anything to do, it passes until the
 * next timer. */
static enum status run(struct world *world, const char *id)
{
	enum status status = tell_saga(world, id);

	for (int turns = 0; desk_live(world->engine) && turns < TURNS_MAX; turns++) {
		size_t n = 0, n_answered = 0;
		int64_t wake_ms;
		enum err err = engine_turn(world->engine, &n);

		assert(!err);
		status = tell_saga(world, id);
		n_answered = shop_poll(world->shop);
		wake_ms = engine_wake_ms(world->engine);
		if (n_answered)
			clock_sim_advance(&world->clock, ANSWER_MS);
		else if (!n && wake_ms > world->clock.now_ms && wake_ms < INT64_MAX)
			clock_sim_advance(&world->clock, wake_ms - world->clock.now_ms);
	}
	return status;
}

static bool show(const struct definition *definition, const struct example *example)
{
	struct shop_order books;
	struct world world;
	struct diag diag = {""};
	enum status status;

	printf("%s\n", example->title);
	world_open(&world, definition);
	if (desk_start(world.engine, "order", example->id, example->input, &diag)) {
		fprintf(stderr, "demo-order: %s does not start: %s\n", example->id, diag.text);
		world_close(&world);
		return false;
	}
	status = run(&world, example->id);
	books = shop_order(world.shop, example->id);
	printf("  The books of the services: reserved %d, released %d, charged %d, confirmed "
	       "%d, "
	       "mails %d.\n\n",
	       books.reserved, books.released, books.charged, books.confirmed, books.sent);
	world_close(&world);
	if (status != example->end)
		fprintf(stderr, "demo-order: %s should have ended %s, but is %s\n", example->id,
			status_text(example->end), status_text(status));
	return status == example->end;
}

int main(void)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;
	bool right = !load_file("sagas/order.yaml", &problems, &definition);

	if (!right)
		fprintf(stderr, "demo-order: sagas/order.yaml: %s\n",
			problems.n ? problems.list[0].text : "cannot be loaded");
	for (size_t i = 0; right && i < sizeof examples / sizeof examples[0]; i++)
		right = show(definition, &examples[i]);
	definition_free(definition);
	arena_release(&arena);
	return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

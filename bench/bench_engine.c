/* bench_engine.c - what the engine itself costs, without disk and without sockets.
 *
 *	make bench-engine
 *	build/release/bench/bench_engine [SAGAS [INFLIGHT]]
 *
 * Sagas of sagas/order-bench.yaml are begun as fast as the engine takes them, a
 * thousand at a time; whoever is asked to do something answers at once. At first
 * the store says "stored" and keeps nothing, and the bus turns every command into
 * its answer: what is left is the engine with core and codec. Then the same with
 * the memory store and the memory bus. The figure is the best of five runs, in
 * time that the program had a core for. README.md has figures.
 */
#include "bus/bus_memory.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/load/load.h"
#include "orchestrator/store/store_memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 5, PLACES = 2 };

static const char *const places[PLACES] = {"inventory", "payment"};

/* What a participant says. The one charge in so many is refused. */
struct answers {
	unsigned int decline_every; /* 0: none is */
	unsigned int n_charges;
};

static struct reply_message make_reply(struct answers *answers,
				       const struct command_message *command)
{
	struct reply_message reply = {.id = command->id, .attempt = command->attempt};

	if (slice_is(command->command, "charge") && answers->decline_every &&
	    ++answers->n_charges % answers->decline_every == 0) {
		reply.outcome = MESSAGE_REFUSED;
		reply.code = SLICE_LITERAL("declined");
		reply.text = SLICE_LITERAL("the card was declined");
	} else if (slice_is(command->command, "reserve")) {
		reply.output = SLICE_LITERAL("{\"id\":\"r-20251121-000017\"}");
	} else if (slice_is(command->command, "charge")) {
		reply.output = SLICE_LITERAL("{\"receipt\":\"c-9f86d081884c7d65\"}");
	}
	return reply;
}

/* --- a store that keeps nothing ----------------------------------------------------- */

static enum err blind_commit(struct store *store, const struct store_batch *batch,
			     struct saga_write *writes, size_t n,
			     const struct audit_entry *audit, size_t n_audit)
{
	for (size_t i = 0; i < n; i++)
		writes[i].result = OK;
	return OK;
}

static enum err blind_load(struct store *store, const struct shards *which,
			   struct store_batch *newest,
			   enum err (*visit)(void *context, const struct loaded_saga *saga),
			   void *context)
{
	return OK;
}

static enum err blind_put_definition(struct store *store,
				     const struct stored_definition *definition)
{
	return OK;
}

static enum err blind_definitions(struct store *store,
				  enum err (*visit)(void *context,
						    const struct stored_definition *definition),
				  void *context)
{
	return OK;
}

static const struct store_ops blind_ops = {
	.commit = blind_commit,
	.load = blind_load,
	.put_definition = blind_put_definition,
	.definitions = blind_definitions,
};

/* --- a bus that answers ------------------------------------------------------------- */

struct echo {
	struct bus base; /* first, so that the two pointers are one */
	struct answers *answers;
	struct echoed {
		struct reply_message reply;
		char id[160];
	} * replies; /* a ring */
	size_t capacity, first, n;
};

static enum err echo_send(struct bus *base, const struct command_message *command)
{
	struct echo *echo = (struct echo *)base;
	struct echoed *echoed = &echo->replies[(echo->first + echo->n) % echo->capacity];

	assert(echo->n < echo->capacity && command->id.len <= sizeof echoed->id);
	echo->n++;
	echoed->reply = make_reply(echo->answers, command);
	memcpy(echoed->id, command->id.at, command->id.len);
	echoed->reply.id.at = echoed->id;
	return OK;
}

static bool echo_poll(struct bus *base, struct inbox_message *out)
{
	struct echo *echo = (struct echo *)base;

	if (!echo->n)
		return false;
	out->type = INBOX_REPLY;
	out->reply = echo->replies[echo->first].reply;
	echo->first = (echo->first + 1) % echo->capacity;
	echo->n--;
	return true;
}

static void echo_acknowledge(struct bus *base)
{
}

static const struct bus_ops echo_ops = {
	.send = echo_send, .poll = echo_poll, .acknowledge = echo_acknowledge};

/* --- one run ------------------------------------------------------------------------ */

struct plan {
	const char *name;
	bool memory;                /* store and bus in memory, and not those above */
	unsigned int decline_every; /* see above */
	uint64_t sagas, inflight;
};

struct world {
	struct answers answers;
	struct engine *engine;
	struct vault *vault; /* the memory store and bus */
	struct post *post;
	struct port *ports[PLACES];
	uint64_t started, answered;
};

static void count(void *context, const struct answer *answer)
{
	struct world *world = context;

	if (answer->err) {
		fprintf(stderr, "a start was refused: %s\n", answer->text);
		exit(EXIT_FAILURE);
	}
	world->answered++;
}

static void start_some(struct world *world, const struct plan *plan)
{
	const struct slice input =
		SLICE_LITERAL("{\"sku\":\"WINE-BX-6\",\"qty\":2,\"total\":119.80}");
	struct engine_stats stats;

	engine_stats(world->engine, &stats);
	for (; world->started < plan->sagas && stats.live < plan->inflight; stats.live++) {
		char id[32];
		int len = snprintf(id, sizeof id, "order-%09llu",
				   (unsigned long long)world->started++);
		struct start_message start = {.saga = SLICE_LITERAL("order-bench"),
					      .id = {id, (size_t)len},
					      .input = input};

		engine_start(world->engine, &start, count, world);
	}
}

static void serve(struct world *world)
{
	struct command_message command;

	for (int i = 0; i < PLACES && world->post; i++)
		while (port_poll(world->ports[i], &command)) {
			struct reply_message reply = make_reply(&world->answers, &command);
			enum err err = port_reply(world->ports[i], &reply);

			assert(!err);
		}
}

/* The store has none when it is opened. */
static enum err read_definition(struct slice normal, struct definition **out, struct diag *diag)
{
	return diag_set(diag, ERR_INVALID, "nothing is loaded here");
}

static void deploy(struct engine *engine)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;

	if (load_file("sagas/order-bench.yaml", &problems, &definition) ||
	    engine_deploy(engine, &definition, NULL)) {
		fputs("run this where sagas/order-bench.yaml is\n", stderr);
		exit(EXIT_FAILURE);
	}
	arena_release(&arena);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Microseconds that all of them took. */
static double run_sagas(struct world *world, const struct plan *plan)
{
	double begin = now_us();
	struct engine_stats stats;

	do {
		size_t n;
		enum err err;

		start_some(world, plan);
		err = engine_turn(world->engine, &n);
		assert(!err);
		serve(world);
		engine_stats(world->engine, &stats);
	} while (stats.live || world->started < plan->sagas);
	assert(world->answered == plan->sagas);
	assert(stats.ended[STATUS_COMPLETED] + stats.ended[STATUS_COMPENSATED] == plan->sagas);
	return now_us() - begin;
}

static double run(const struct plan *plan)
{
	struct world world = {.answers.decline_every = plan->decline_every};
	struct echo echo = {.base.ops = &echo_ops, .answers = &world.answers};
	struct store blind = {.ops = &blind_ops};
	struct engine_parts parts = {.store = &blind,
				     .bus = &echo.base,
				     .clock = clock_system(),
				     .read_definition = read_definition};
	enum err err;
	double us;

	echo.capacity = plan->inflight * 2;
	echo.replies = calloc(echo.capacity, sizeof *echo.replies);
	if (plan->memory) {
		world.vault = vault_new();
		world.post = post_new();
		parts.store = store_memory_open(world.vault);
		parts.bus = bus_memory_open(world.post);
		for (int i = 0; i < PLACES; i++)
			world.ports[i] = port_memory_open(world.post, places[i]);
	}
	err = engine_open(&parts, &world.engine, NULL);
	assert(echo.replies && !err);
	deploy(world.engine);
	us = run_sagas(&world, plan);
	engine_close(world.engine);
	if (plan->memory) {
		for (int i = 0; i < PLACES; i++)
			port_close(world.ports[i]);
		bus_close(parts.bus);
		store_close(parts.store);
	}
	post_free(world.post);
	vault_free(world.vault);
	free(echo.replies);
	return us;
}

int main(int argc, char **argv)
{
	const struct plan plans[] = {
		{.name = "the engine alone"},
		{.name = "the engine alone, one in ten declined", .decline_every = 10},
		{.name = "with store and bus in memory", .memory = true},
	};

	for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
		struct plan plan = plans[i];
		double best = 0;

		plan.sagas = argc > 1 ? strtoull(argv[1], NULL, 10) : 50000;
		plan.inflight = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
		if (!plan.sagas || !plan.inflight || plan.inflight > BUS_MEMORY_QUEUE_MAX) {
			fputs("usage: bench_engine [SAGAS [INFLIGHT]]\n", stderr);
			return 2;
		}
		for (int n = 0; n < RUNS; n++) {
			double us = run(&plan);

			best = n == 0 || us < best ? us : best;
		}
		printf("%-38s %6.2f us a saga  %9.0f sagas/s\n", plan.name,
		       best / (double)plan.sagas, (double)plan.sagas / best * 1e6);
	}
	return EXIT_SUCCESS;
}

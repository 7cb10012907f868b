/* bench_core.c - how many events a core decides in a second.
 *
 *	make bench-core
 *	build/release/bench/bench_core [SAGA.yaml]
 *
 * An order is taken through its life twice, once to its end and once back. Every
 * call of saga_step() on the way is then repeated with the same saga and the same
 * event, as the engine makes it: real values and expressions, an arena that is
 * reset before each call. Nothing else is in the measured loop. README.md has
 * figures.
 */
#include "orchestrator/core/codec.h"
#include "orchestrator/load/load.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	CALLS_MAX = 32,
	ROUNDS = 40000, /* of all calls of one life, in one run */
	RUNS = 7,
	START_MS = 1000000,
};

/* What the participants answer, by command. */
static const struct answer {
	const char *command;
	const char *output;
} answers[] = {
	{"reserve", "{\"id\":\"r-20251121-000017\"}"},
	{"charge", "{\"receipt\":\"c-9f86d081884c7d65\"}"},
	{"confirm", "{}"},
	{"send", "{\"message\":\"m-4711\"}"},
	{"release", "{}"},
};

static const char input[] = "{\"order_id\":\"order-000017\",\"sku\":\"WINE-BX-6\",\"qty\":2,"
			    "\"total\":119.80,\"email\":\"ada@example.org\","
			    "\"card\":\"tok_4242424242\"}";

/* One call of saga_step() that is repeated. */
struct decided {
	struct saga *before;
	struct event event;
};

struct life {
	const char *name;
	bool refuse; /* the pivot is refused: the order turns back */
	struct decided calls[CALLS_MAX];
	size_t n_calls;
	size_t bytes; /* of the largest state on the way, without payloads */
	double ns;    /* per call, the median of all runs */
};

/* --- living it once ----------------------------------------------------------------- */

static size_t payloads(const struct saga *saga)
{
	size_t size = saga->input.len + saga->output.len;

	for (uint32_t i = 0; i < saga->n_steps; i++)
		size += saga->steps[i].output.len;
	return size;
}

static struct event answer(const struct definition *definition, const struct life *life,
			   const struct command *command)
{
	const struct step_definition *step = &definition->steps[command->step];
	const struct call *call = command->verb == VERB_UNDO ? &step->undo : &step->call;
	struct event event = {.type = EVENT_REPLY,
			      .at_ms = START_MS,
			      .step = command->step,
			      .verb = command->verb,
			      .round = command->round,
			      .attempt = command->attempt};

	if (life->refuse && step->kind == KIND_PIVOT) {
		event.outcome = OUTCOME_REFUSED;
		event.error.code = SLICE_LITERAL("declined");
		return event;
	}
	for (size_t n = 0; n < sizeof answers / sizeof *answers; n++)
		if (slice_is(call->command, answers[n].command))
			event.payload = slice_of(answers[n].output);
	return event;
}

/* Take the saga through its life and keep every call on the way. */
static void live(const struct definition *definition, struct life *life, struct arena *keep)
{
	struct start start = {.id = SLICE_LITERAL("0198d7b2-3c1f-7a54-9a3e-52d1b1a0c9ff"),
			      .key = SLICE_LITERAL("order-000017"),
			      .input = slice_of(input),
			      .at_ms = START_MS};
	struct effects effects;
	struct saga after;

	if (saga_begin(definition, &evaluator_values, &start, keep, &after, &effects) !=
	    VERDICT_TAKEN)
		abort();
	while (!saga_ended(&after)) {
		struct decided *call = &life->calls[life->n_calls++];

		assert(life->n_calls <= CALLS_MAX && effects.n_commands > 0);
		call->before = saga_copy(&after, keep);
		assert(call->before);
		call->event = answer(definition, life, &effects.commands[0]);
		if (saga_size(&after) - payloads(&after) > life->bytes)
			life->bytes = saga_size(&after) - payloads(&after);
		if (saga_step(definition, &evaluator_values, call->before, &call->event, keep,
			      &after, &effects) != VERDICT_TAKEN)
			abort();
	}
}

/* --- measuring ------------------------------------------------------------------------ */

/* Time that this program had a core for: others may be busy, too. */
static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds per call. */
static double run(const struct definition *definition, const struct life *life,
		  struct arena *arena)
{
	struct effects effects;
	struct saga after;
	double start = now_ns();

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t n = 0; n < life->n_calls; n++) {
			arena_reset(arena);
			if (saga_step(definition, &evaluator_values, life->calls[n].before,
				      &life->calls[n].event, arena, &after,
				      &effects) != VERDICT_TAKEN)
				abort();
		}
	}
	return (now_ns() - start) / ((double)ROUNDS * (double)life->n_calls);
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void measure(const struct definition *definition, struct life *life)
{
	struct arena arena = {0};
	double runs[RUNS];
	size_t held;

	run(definition, life, &arena); /* warm */
	held = arena.used;
	for (int n = 0; n < RUNS; n++)
		runs[n] = run(definition, life, &arena);
	if (arena.used != held || held > 16 * 1024) {
		fputs("saga_step() took more memory than the arena's first block\n", stderr);
		exit(EXIT_FAILURE);
	}
	qsort(runs, RUNS, sizeof *runs, compare);
	life->ns = runs[RUNS / 2];
	printf("%-12s %2zu calls  %6.0f ns a call  %9.0f calls/s  (best run %9.0f)\n",
	       life->name, life->n_calls, life->ns, 1e9 / life->ns, 1e9 / runs[0]);
	arena_release(&arena);
}

static struct definition *load(const char *path)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;

	if (load_file(path, &problems, &definition)) {
		fprintf(stderr, "%s is no saga; skald check says why\n", path);
		exit(EXIT_FAILURE);
	}
	arena_release(&arena);
	return definition;
}

int main(int argc, char **argv)
{
	struct life lives[] = {{.name = "completes"}, {.name = "turns back", .refuse = true}};
	struct definition *definition = load(argc > 1 ? argv[1] : "sagas/order.yaml");
	struct arena keep = {0};

	for (size_t n = 0; n < sizeof lives / sizeof *lives; n++) {
		live(definition, &lives[n], &keep);
		measure(definition, &lives[n]);
		printf("             %zu bytes a running saga at the most, without payloads\n",
		       lives[n].bytes);
	}
	arena_release(&keep);
	definition_free(definition);
	return EXIT_SUCCESS;
}

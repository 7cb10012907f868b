/* test_simulate_world.c - the world of a simulation and its laws: every fault shows,
 * every law is kept by somebody, and sagas that nobody thought of get through. */
#include "base/duration.h"
#include "orchestrator/simulate/world.h"
#include "orchestrator/store/record.h"
#include "tests/lib/definition_random.h"
#include "tests/lib/rehearsal.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

/* --- faults ------------------------------------------------------------------------------- */

static const struct fault_row {
	const char *faults;
	const char *told;
	size_t at_least; /* of 40 runs */
} fault_rows[] = {
	{"drop=20%", "(lost)", 30},
	{"dup=20%", "(twice, 1ms apart)", 30},
	{"delay=20%:1h", " late)", 30},
	{"dup=50%,delay=50%:1h", "(twice, ", 30},
	{"decline=20%", "refused reserve: declined", 4},
	{"fail=30%", "failed charge: failed", 5},
	{"timeout=30%", "got no answer in time", 30},
	{"crash=20%:1m", "dies of sim-", 20},
	{"restart=20%:1m", "dies before a commit, and is away for ", 10},
	{"restart=20%:1m", "dies behind a commit, and is away for ", 10},
	{"stall=20%:1m", "the store takes nothing for ", 15},
	{"clock=20%:1h", "the clock is set ", 30},
	{"clock=20%:1h", " fast", 10},
	{"clock=20%:1h", " slow", 10},
	{"clock=20%:1h,delay=50%:1h", "the clock is set right", 5},
	{"cancel=100%", "cancel", 10},
	{"cancel=50%", "it is being cancelled", 2},
};

START_TEST(test_fault)
{
	const struct fault_row *row = &fault_rows[_i];
	struct rehearsal rehearsal = {.plan = NULL};
	size_t n_told = 0;

	rehearsal_file(&rehearsal, "sagas/order.yaml");
	rehearsal_faults(&rehearsal, row->faults);
	rehearsal_open(&rehearsal);
	for (uint64_t seed = 1; seed <= 40; seed++) {
		const struct run *run = rehearsal_run(&rehearsal, seed);

		ck_assert_msg(!run->broken, "%s: %s", row->faults, run->what);
		n_told += rehearsal_tells(run, row->told);
	}
	ck_assert_msg(n_told >= row->at_least, "%s: %zu say %s", row->faults, n_told,
		      row->told);
	rehearsal_close(&rehearsal);
}
END_TEST

/* Without any of them nothing of the kind is told. */
START_TEST(test_no_faults)
{
	struct rehearsal rehearsal = {.plan = NULL};

	rehearsal_file(&rehearsal, "sagas/order.yaml");
	rehearsal_faults(&rehearsal, "none");
	rehearsal_open(&rehearsal);
	for (uint64_t seed = 1; seed <= 40; seed++) {
		const struct run *run = rehearsal_run(&rehearsal, seed);

		ck_assert_int_eq(run->end, RUN_COMPLETED);
		ck_assert_uint_eq(run->attempts, 4);
		ck_assert_uint_eq(run->messages, 8);
		ck_assert_uint_eq(run->restarts, 0);
		for (int i = 0; i < ROWS(fault_rows); i++)
			ck_assert(!rehearsal_tells(run, fault_rows[i].told));
	}
	rehearsal_close(&rehearsal);
}
END_TEST

/* Of the commits around which it dies one half is stored: it gets on. */
START_TEST(test_dying_all_the_time)
{
	struct rehearsal rehearsal = {.plan = NULL};

	rehearsal_file(&rehearsal, "sagas/order-bench.yaml");
	rehearsal_faults(&rehearsal, "restart=100%:1s");
	rehearsal_open(&rehearsal);
	for (uint64_t seed = 1; seed <= 20; seed++)
		ck_assert_int_eq(rehearsal_run(&rehearsal, seed)->end, RUN_COMPLETED);
	rehearsal_close(&rehearsal);
}
END_TEST

static int64_t told_ms(const struct run *run, const char *words)
{
	for (size_t i = 0; i < run->n_notes; i++)
		if (strstr(run->notes[i].text.at, words))
			return run->notes[i].at_ms;
	return -1;
}

/* What a participant is working on begins anew when it died of something else. */
START_TEST(test_work_is_lost)
{
	struct rehearsal rehearsal = {.plan = NULL};
	size_t n_deaths = 0;

	rehearsal_text(
		&rehearsal,
		"saga: test\nversion: 1.0.0\nsteps:\n  - both:\n      parallel:\n"
		"        left: [ { slow: { kind: readonly, call: x.slow, timeout: 1h } } ]\n"
		"        right: [ { quick: { kind: readonly, call: x.quick } } ]\n");
	rehearsal_plan(&rehearsal, "participants: { x: { commands: { slow: { latency: 1m }, "
				   "quick: { latency: 1s } } } }");
	rehearsal_faults(&rehearsal, "crash=40%:1s");
	rehearsal_open(&rehearsal);
	for (uint64_t seed = 1; seed <= 40; seed++) {
		const struct run *run = rehearsal_run(&rehearsal, seed);
		int64_t death_ms = told_ms(run, "/quick#0/0/do, and is away");

		n_deaths += death_ms >= 0;
		ck_assert_int_ge(told_ms(run, "ok slow"), 60000);
		if (death_ms >= 0)
			ck_assert_int_gt(told_ms(run, "ok slow"), death_ms + 60000);
	}
	ck_assert_uint_gt(n_deaths, 5);
	rehearsal_close(&rehearsal);
}
END_TEST

/* Whoever is restarted tells again what may not have been told: it is noted once. */
START_TEST(test_told_once)
{
	struct rehearsal rehearsal = {.plan = NULL};

	rehearsal_file(&rehearsal, "sagas/order.yaml");
	rehearsal_faults(&rehearsal, "restart=30%:1s");
	rehearsal_open(&rehearsal);
	for (uint64_t seed = 1; seed <= 40; seed++) {
		const struct run *run = rehearsal_run(&rehearsal, seed);
		size_t n_ends = 0;

		for (size_t i = 0; i < run->n_notes; i++)
			n_ends += strstr(run->notes[i].text.at, "the saga ended") != NULL;
		ck_assert_uint_eq(n_ends, 1);
		ck_assert_uint_eq(run->attempts, 4);
	}
	rehearsal_close(&rehearsal);
}
END_TEST

/* --- laws --------------------------------------------------------------------------------- */

#define STEPS                                                                                  \
	"saga: test\nversion: 1.0.0\nsteps:\n"                                                 \
	"  - tell: { undo: { call: x.tell } }\n"                                               \
	"  - a: { call: x.a, undo: { call: x.ua } }\n"                                         \
	"  - both:\n      parallel:\n"                                                         \
	"        left: [ { l: { call: x.l, undo: { call: x.ul } } } ]\n"                       \
	"        right: [ { r: { call: x.r, undo: { call: x.ur } } } ]\n"                      \
	"  - lines:\n      each:\n        in: =input.list\n        as: line\n        max: 9\n" \
	"        steps:\n"                                                                     \
	"          - e: { call: x.e, undo: { call: x.ue } }\n"                                 \
	"          - f: { call: x.f, undo: { call: x.uf } }\n"                                 \
	"  - look: { kind: readonly, call: x.look }\n"                                         \
	"  - g: { call: x.g, undo: { call: x.ug, exhausted: skip } }\n"                        \
	"  - pay: { kind: pivot, call: x.pay }\n"

static const struct law_row {
	const char *effects; /* "bar": an undo or revoke that found nothing done */
	enum invariant broken;
} law_rows[] = {
	{"do a#0", INVARIANT_NONE},
	{"do a#0, do a#0", INVARIANT_EFFECTS_ONCE},
	{"do a#0, undo a#0", INVARIANT_NONE},
	{"undo a#0", INVARIANT_UNDO_ONCE},
	{"do a#0, undo a#0, undo a#0", INVARIANT_UNDO_ONCE},
	{"undo tell#0", INVARIANT_NONE},
	{"undo tell#0, undo tell#0", INVARIANT_UNDO_ONCE},
	{"do a#0, undo a#0, do a#0", INVARIANT_NO_LATE_EFFECT},
	{"bar a#0, do a#0", INVARIANT_NO_LATE_EFFECT},
	{"bar a#0, do l#0", INVARIANT_NONE},
	{"do a#0, do l#0, undo a#0", INVARIANT_UNDO_ORDER},
	{"do a#0, do l#0, undo l#0, undo a#0", INVARIANT_NONE},
	{"do a#0, undo tell#0", INVARIANT_UNDO_ORDER},
	{"do l#0, do r#0, undo l#0, undo r#0", INVARIANT_NONE},
	{"do l#0, do e#1, undo l#0", INVARIANT_UNDO_ORDER},
	{"do e#0, do e#1, undo e#0, undo e#1", INVARIANT_NONE},
	{"do e#0, do f#0, undo e#0", INVARIANT_UNDO_ORDER},
	{"do e#0, do f#1, undo e#0", INVARIANT_NONE},
	{"do e#8, do e#8", INVARIANT_EFFECTS_ONCE},
	{"do a#0, do look#0, undo a#0", INVARIANT_NONE},
	{"do a#0, do g#0, undo a#0", INVARIANT_NONE}, /* its undo may be given up */
	{"do a#0, do pay#0, undo a#0", INVARIANT_PIVOT_IS_FINAL},
	{"do pay#0, undo tell#0", INVARIANT_PIVOT_IS_FINAL},
};

static void happen(struct world *world, const char *verb, const char *step)
{
	char id[64], do_id[64];
	struct command_message command = {.saga_id = SLICE_LITERAL("s")};
	bool is_undo = strcmp(verb, "do") != 0;

	(void)snprintf(id, sizeof id, "s/%s/0/%s", step, is_undo ? "undo" : "do");
	(void)snprintf(do_id, sizeof do_id, "s/%s/0/do", step);
	command.id = slice_of(id);
	command.do_id = slice_of(is_undo ? do_id : "");
	if (strcmp(verb, "bar") == 0)
		law_barred(world, &command);
	else
		law_effect(world, &command);
}

START_TEST(test_law)
{
	const struct law_row *row = &law_rows[_i];
	struct rehearsal rehearsal = {.plan = NULL};
	struct book book = {.id = SLICE_LITERAL("s")};
	struct run run = {.seed = 1};
	struct world world = {.run = &run, .books = &book};
	char verb[8], step[16];
	int n = 0;

	rehearsal_text(&rehearsal, STEPS);
	rehearsal_open(&rehearsal);
	world.simulation = rehearsal.simulation;
	for (const char *at = row->effects; sscanf(at, "%7s %15[^,]%n", verb, step, &n) == 2;) {
		ck_assert_msg(!run.broken, "%s: %s", row->effects, run.what);
		happen(&world, verb, step);
		at += n + (at[n] == ',');
	}
	ck_assert_msg(run.broken == row->broken, "%s: %s: %s", row->effects,
		      simulate_invariants[run.broken].name, run.what);
	run_release(&run);
	rehearsal_close(&rehearsal);
}
END_TEST

/* --- the end of a saga ----------------------------------------------------------------------
 */

/* What is stored of a saga of one step that sleeps, and has ended. */
static void store_ended(struct world *world, const struct definition *definition)
{
	struct arena arena = {0};
	const struct start start = {.id = SLICE_LITERAL("s"),
				    .key = SLICE_LITERAL("s"),
				    .input = SLICE_LITERAL("{}"),
				    .at_ms = RUN_BEGINS_MS};
	struct event event = {.type = EVENT_DUE, .at_ms = RUN_BEGINS_MS + 5000, .step = 0};
	struct bytes record = BYTES(4096, &arena), timeline = BYTES(4096, &arena);
	struct saga begun, saga;
	struct effects effects;
	struct saga_write write = {.before = 0};

	ck_assert_int_eq(
		saga_begin(definition, &evaluator_values, &start, &arena, &begun, &effects),
		VERDICT_TAKEN);
	ck_assert_int_eq(saga_step(definition, &evaluator_values, &begun, &event, &arena, &saga,
				   &effects),
			 VERDICT_TAKEN);
	ck_assert_int_eq(saga.phase, PHASE_COMPLETED);
	timeline_begin(&timeline, RUN_BEGINS_MS);
	record_write(&record, &saga, definition->hash, bytes_slice(&timeline));
	write.record = bytes_slice(&record);
	write.row = record_row(definition, &saga, bytes_slice(&timeline));
	ck_assert_int_eq(
		store_commit(world->archive, &(struct store_batch){1, 0}, &write, 1, NULL, 0),
		OK);
	arena_release(&arena);
}

static const struct end_row {
	const char *name;
	bool stored, cancelled, done;
	enum invariant broken;
} end_rows[] = {
	{"a saga that is completed", true, false, false, INVARIANT_NONE},
	{"one that was cancelled", true, true, false, INVARIANT_CANCEL_TURNS_BACK},
	{"one whose step left an effect that it cannot have", true, false, true,
	 INVARIANT_OUTCOME_AGREES},
	{"one that is not stored", false, false, false, INVARIANT_NEVER_LOST},
};

START_TEST(test_end)
{
	const struct end_row *row = &end_rows[_i];
	struct rehearsal rehearsal = {.plan = NULL};
	struct book book = {.id = SLICE_LITERAL("s"), .cancelled = row->cancelled};
	struct run run = {.seed = 1};
	struct vault *vault = vault_new();
	struct world world = {.run = &run, .books = &book};

	rehearsal_text(&rehearsal,
		       "saga: test\nversion: 1.0.0\nsteps:\n  - nap: { sleep: 5s }\n");
	rehearsal_open(&rehearsal);
	world.simulation = rehearsal.simulation;
	world.archive = store_memory_open(vault);
	if (row->stored)
		store_ended(&world, rehearsal.definitions[0]);
	if (row->done)
		happen(&world, "do", "nap#0");
	law_books(&world);
	ck_assert_msg(run.broken == row->broken, "%s: %s", row->name, run.what);
	store_close(world.archive);
	vault_free(vault);
	run_release(&run);
	rehearsal_close(&rehearsal);
}
END_TEST

/* --- hanging
 * ---------------------------------------------------------------------------------- */

/* A store that does not tell a new orchestrator of the sagas that it has. */
struct silent_store {
	struct store base; /* first, so that the two pointers are one */
	struct store *real;
};

static enum err silent_commit(struct store *base, const struct store_batch *batch,
			      struct saga_write *writes, size_t n,
			      const struct audit_entry *audit, size_t n_audit)
{
	return store_commit(((struct silent_store *)base)->real, batch, writes, n, audit,
			    n_audit);
}

static enum err silent_get(struct store *base, struct slice id, struct arena *arena,
			   struct saga_row *row, struct slice *record)
{
	return store_get(((struct silent_store *)base)->real, id, arena, row, record);
}

static enum err silent_find(struct store *base, struct slice saga, struct slice key,
			    struct arena *arena, struct slice *id)
{
	return store_find(((struct silent_store *)base)->real, saga, key, arena, id);
}

static enum err silent_load(struct store *base, const struct shards *which,
			    struct store_batch *newest,
			    enum err (*visit)(void *context, const struct loaded_saga *saga),
			    void *context)
{
	*newest = (struct store_batch){100, 100};
	return OK;
}

static enum err silent_put(struct store *base, const struct stored_definition *definition)
{
	return store_put_definition(((struct silent_store *)base)->real, definition);
}

static enum err silent_definitions(
	struct store *base,
	enum err (*visit)(void *context, const struct stored_definition *definition),
	void *context)
{
	return store_definitions(((struct silent_store *)base)->real, visit, context);
}

static void silent_close(struct store *base)
{
	store_close(((struct silent_store *)base)->real);
	free(base);
}

static struct store *silent_open(struct vault *vault)
{
	static const struct store_ops ops = {
		.commit = silent_commit,
		.get = silent_get,
		.find = silent_find,
		.load = silent_load,
		.put_definition = silent_put,
		.definitions = silent_definitions,
		.close = silent_close,
	};
	struct silent_store *store = calloc(1, sizeof *store);

	ck_assert(store);
	*store = (struct silent_store){{.ops = &ops}, store_memory_open(vault)};
	return &store->base;
}

START_TEST(test_hanging)
{
	struct rehearsal rehearsal = {.setup.seams.store_open = silent_open};
	uint64_t seed = 1;

	rehearsal_file(&rehearsal, "sagas/order.yaml");
	rehearsal_faults(&rehearsal, "restart=20%");
	rehearsal_open(&rehearsal);
	while (seed < 100 && rehearsal_run(&rehearsal, seed)->broken != INVARIANT_NOTHING_HANGS)
		seed++;
	ck_assert_int_eq(rehearsal.run.broken, INVARIANT_NOTHING_HANGS);
	ck_assert_int_eq(rehearsal.run.end, RUN_ENDLESS);
	ck_assert_uint_gt(rehearsal.run.reason.len, 0);
	rehearsal_close(&rehearsal);
}
END_TEST

/* --- sagas that nobody thought of
 * ---------------------------------------------------------------- */

START_TEST(test_random_definition)
{
	/* Some sleep for a hundred years, again and again. */
	struct rehearsal rehearsal = {.setup.time_max_ms = 20 * DURATION_MAX_MS};
	struct bytes text = BYTES(65536, NULL);

	definition_random((uint64_t)_i, &text);
	bytes_add(&text, '\0');
	ck_assert_int_eq(text.err, OK);
	/* Nobody has the children that it may want: they are refused. */
	rehearsal_text(&rehearsal, text.at);
	rehearsal_faults(&rehearsal,
			 "drop=5%,dup=10%,delay=10%:1h,decline=3%,fail=10%,timeout=5%,crash=2%,"
			 "restart=3%,stall=1%,clock=1%,cancel=20%");
	rehearsal_open(&rehearsal);
	for (uint64_t seed = 1; seed <= 5; seed++) {
		const struct run *run = rehearsal_run(&rehearsal, seed);

		ck_assert_msg(!run->broken && run->end != RUN_ENDLESS,
			      "%s\ndefinition %d, seed %u %s: %s %.*s", text.at, _i,
			      (unsigned)seed, run_end_text(run->end), run->what,
			      SLICE_ARG(run->reason));
	}
	rehearsal_close(&rehearsal);
	bytes_release(&text);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_fault, 0, ROWS(fault_rows));
	tcase_add_test(tcase, test_no_faults);
	tcase_add_test(tcase, test_dying_all_the_time);
	tcase_add_test(tcase, test_work_is_lost);
	tcase_add_test(tcase, test_told_once);
	tcase_add_loop_test(tcase, test_law, 0, ROWS(law_rows));
	tcase_add_loop_test(tcase, test_end, 0, ROWS(end_rows));
	tcase_add_test(tcase, test_hanging);
	tcase_add_loop_test(tcase, test_random_definition, 0, 300);
}

int main(void)
{
	return suite_run("simulate_world", add);
}

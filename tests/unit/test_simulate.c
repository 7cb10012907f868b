/* test_simulate.c - sagas in a simulated world: what is shipped goes right in it, every
 * end occurs, a seed is always the same run, and what is broken on purpose is seen. */
#include "orchestrator/simulate/results.h"
#include "participants/lib/barrier_memory.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/rehearsal.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

/* --- what is shipped ------------------------------------------------------------------- */

static const struct shipped_row {
	const char *path, *child;
	const char *faults; /* NULL: the default */
} shipped_rows[] = {
	{"sagas/order.yaml", NULL, NULL},
	{"sagas/order-bench.yaml", NULL, NULL},
	{"sagas/travel.yaml", NULL, NULL},
	{"sagas/transfer.yaml", NULL, NULL},
	{"sagas/trial.yaml", NULL, NULL},
	{"sagas/fulfilment.yaml", NULL, NULL},
	{"sagas/subscription.yaml", "sagas/order.yaml", NULL},
	{"tests/sim/rollback.yaml", NULL, NULL},
	{"tests/sim/brisk.yaml", NULL, NULL},
	{"sagas/order.yaml", NULL,
	 "drop=20%,dup=20%,delay=20%:5m,decline=10%,fail=20%,timeout=10%,crash=5%:1m,"
	 "restart=10%:1m,stall=5%:1m,clock=5%:1h,cancel=30%"},
	{"sagas/travel.yaml", NULL,
	 "drop=20%,dup=20%,delay=20%:5m,decline=10%,fail=20%,timeout=10%,crash=5%:1m,"
	 "restart=10%:1m,stall=5%:1m,clock=5%:1h,cancel=30%"},
	{"sagas/fulfilment.yaml", NULL, "dup=50%,delay=50%:1h,restart=20%,cancel=100%"},
	{"sagas/subscription.yaml", "sagas/order.yaml", "restart=20%,drop=10%,cancel=100%"},
};

START_TEST(test_shipped)
{
	const struct shipped_row *row = &shipped_rows[_i];
	struct rehearsal stage = {.setup.faults = faults_default};

	rehearsal_file(&stage, row->path);
	if (row->child)
		rehearsal_file(&stage, row->child);
	if (row->faults)
		rehearsal_faults(&stage, row->faults);
	rehearsal_open(&stage);
	for (uint64_t seed = 1; seed <= 150; seed++) {
		const struct run *run = rehearsal_run(&stage, seed);

		ck_assert_msg(!run->broken, "%s, seed %u: %s", row->path, (unsigned)seed,
			      run->what);
		ck_assert_msg(run->end != RUN_ENDLESS && run->end != RUN_REFUSED,
			      "%s, seed %u %s: %.*s", row->path, (unsigned)seed,
			      run_end_text(run->end), SLICE_ARG(run->reason));
	}
	rehearsal_close(&stage);
}
END_TEST

static const struct {
	const char *saga, *plan;
} plan_rows[] = {{"sagas/order.yaml", "sagas/plans/order.yaml"},
		 {"sagas/travel.yaml", "sagas/plans/travel.yaml"}};

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 65536);

	ck_assert(file && text);
	ck_assert_uint_lt(fread(text, 1, 65535, file), 65535);
	fclose(file);
	return text;
}

START_TEST(test_shipped_plans)
{
	struct rehearsal stage = {.setup.faults = faults_default};
	char *plan = read_text(plan_rows[_i].plan);
	size_t ends[RUN_ENDS] = {0};

	rehearsal_file(&stage, plan_rows[_i].saga);
	rehearsal_plan(&stage, plan);
	rehearsal_open(&stage);
	for (uint64_t seed = 1; seed <= 150; seed++) {
		const struct run *run = rehearsal_run(&stage, seed);

		ck_assert_msg(!run->broken, "seed %u: %s", (unsigned)seed, run->what);
		ends[run->end]++;
	}
	ck_assert_uint_gt(ends[RUN_COMPLETED], 90);
	ck_assert_uint_gt(ends[RUN_COMPENSATED], 5);
	rehearsal_close(&stage);
	free(plan);
}
END_TEST

/* --- ends ------------------------------------------------------------------------------ */

#define HEAD  "saga: test\nversion: 1.0.0\nsteps:\n"
#define HOLD  "  - hold: { call: rooms.hold, undo: { call: rooms.free } }\n"
#define PAY   "  - pay: { kind: pivot, call: bank.pay }\n"
#define MAIL  "  - mail: { kind: retriable, call: post.mail, with: =hold.out.id }\n"
#define AWAIT "  - word: { await: { event: word } }\n"

static const struct end_row {
	const char *name;
	const char *saga;
	const char *plan; /* NULL: none */
	const char *faults;
	enum run_end end;
	const char *reason; /* NULL: none */
	int64_t took_ms;    /* 0: any */
	const char *told;   /* NULL: anything */
} end_rows[] = {
	{"fixed latencies add up, with a millisecond for every message", HEAD HOLD PAY MAIL,
	 "participants: { rooms: { latency: 100ms }, bank: { latency: 1s }, post: { latency: "
	 "10ms } }",
	 "none", RUN_COMPLETED, NULL, 1 + 102 + 1002 + 12, "ok hold {\"id\":\"id-"},
	{"so much longer where all are slow", HEAD HOLD PAY MAIL,
	 "participants: { rooms: { latency: 100ms }, bank: { latency: 1s }, post: { latency: "
	 "10ms } }",
	 "slow=50ms", RUN_COMPLETED, NULL, 1 + 152 + 1052 + 62, NULL},
	{"a command that is always declined", HEAD HOLD PAY MAIL,
	 "participants: { bank: { commands: { pay: { decline: { chance: 100%, code: poor } } } "
	 "} }",
	 "none", RUN_COMPENSATED, "pay: poor", 0, "undo hold: free"},
	{"a participant that declines everything", HEAD HOLD PAY,
	 "participants: { rooms: { decline: 100% } }", "none", RUN_COMPENSATED,
	 "hold: declined", 0, NULL},
	{"declines of faults", HEAD HOLD PAY, NULL, "decline=100%", RUN_COMPENSATED,
	 "hold: declined", 0, NULL},
	{"faults do not decline what is behind the pivot",
	 HEAD PAY "  - mail: { kind: retriable, call: post.mail }\n",
	 "participants: { bank: { decline: 0% } }", "decline=100%", RUN_COMPLETED, NULL, 0,
	 NULL},
	{"a plan may", HEAD HOLD PAY MAIL, "participants: { post: { decline: 100% } }", "none",
	 RUN_PARKED, "mail: do refused (declined)", 0, NULL},
	{"an undo that is declined", HEAD HOLD PAY,
	 "participants: { bank: { decline: 100% }, rooms: { commands: { free: { decline: 100% "
	 "} "
	 "} } }",
	 "none", RUN_PARKED, "hold: undo refused (declined)", 0, NULL},
	{"a participant that always fails", HEAD HOLD PAY,
	 "participants: { rooms: { commands: { hold: { fail: 100% } } } }", "none",
	 RUN_COMPENSATED, "hold: failed", 0, "failed hold"},
	{"one that never answers", HEAD HOLD PAY,
	 "participants: { rooms: { commands: { hold: { unknown: 100% } } } }", "none",
	 RUN_COMPENSATED, "hold: timeout", 0, "no answer to sim-"},
	{"an outage is waited for", HEAD HOLD PAY,
	 "participants: { rooms: { outage: { from: 1ms, to: 20s }, latency: 10ms } }", "none",
	 RUN_COMPLETED, NULL, 0, NULL},
	{"a slow start", HEAD PAY,
	 "participants: { bank: { latency: 5ms, slow_start: { for: 10s, latency: 2s } } }",
	 "none", RUN_COMPLETED, NULL, 2003, NULL},
	{"after it the usual", HEAD HOLD PAY,
	 "participants: { rooms: { latency: 20s }, bank: { latency: 5ms, slow_start: { for: "
	 "10s, latency: 2s } } }",
	 "none", RUN_COMPLETED, NULL, 1 + 20002 + 7, NULL},
	{"outputs that a plan gives", HEAD HOLD PAY MAIL,
	 "participants: { rooms: { commands: { hold: { output: { id: \"=saga.id + '!'\" } } } "
	 "} "
	 "}",
	 "none", RUN_COMPLETED, NULL, 0, "ok hold {\"id\":\"sim-"},
	{"outputs that fit a schema of the plan", HEAD HOLD PAY MAIL,
	 "participants: { rooms: { commands: { hold: { schema: { type: object, required: [id], "
	 "properties: { id: { const: seven } } } } } } }",
	 "none", RUN_COMPLETED, NULL, 0, "ok hold {\"id\":\"seven\"}"},
	{"a payload that fits one",
	 HEAD "  - word: { await: { event: word } }\n"
	      "  - say: { kind: readonly, call: post.say, with: { n: =word.out + 1 } }\n",
	 "signals: { word: { after: 3h, schema: { type: integer, minimum: 5, maximum: 7 } } }",
	 "none", RUN_COMPLETED, NULL, 0, "signal word"},
	{"an event that comes", HEAD AWAIT,
	 "signals: { word: { after: 3h, payload: { by: ann } } }", "none", RUN_COMPLETED, NULL,
	 1 + 3 * 3600000 + 1, "signal word"},
	{"an event that does not", HEAD AWAIT, "signals: { word: { chance: 0% } }", "none",
	 RUN_WAITS, "word: the event word, which nobody sends", 0, NULL},
	{"a saga that is cancelled while it waits", HEAD HOLD AWAIT,
	 "signals: { word: { chance: 0% } }", "cancel=100%", RUN_COMPENSATED, "cancelled", 0,
	 "it is being cancelled"},
	{"a sleep that is longer than the bound", HEAD "  - nap: { sleep: 1000d }\n", NULL,
	 "none", RUN_ENDLESS, "nap running", 0, NULL},
	{"a key that cannot be made",
	 "saga: test\nversion: 1.0.0\nkey: \"=string(1 / (size(saga.id) - size(saga.id)))\"\n"
	 "steps:\n" HOLD,
	 NULL, "none", RUN_REFUSED, "bad-key", 0, "the start is refused"},
};

START_TEST(test_end)
{
	const struct end_row *row = &end_rows[_i];
	struct rehearsal stage = {.plan = NULL};

	rehearsal_text(&stage, row->saga);
	rehearsal_faults(&stage, row->faults);
	if (row->plan)
		rehearsal_plan(&stage, row->plan);
	rehearsal_open(&stage);
	for (uint64_t seed = 1; seed <= 20; seed++) {
		const struct run *run = rehearsal_run(&stage, seed);

		ck_assert_msg(!run->broken, "%s: %s", row->name, run->what);
		ck_assert_msg(run->end == row->end, "%s: %s: %.*s", row->name,
			      run_end_text(run->end), SLICE_ARG(run->reason));
		ck_assert_msg(!row->reason == !run->reason.len &&
				      (!row->reason || strstr(run->reason.at, row->reason)),
			      "%s: because %.*s", row->name, SLICE_ARG(run->reason));
		if (row->took_ms)
			ck_assert_msg(run->took_ms == row->took_ms, "%s: it took %lld",
				      row->name, (long long)run->took_ms);
		ck_assert_msg(!row->told || rehearsal_tells(run, row->told),
			      "%s: nobody says %s", row->name, row->told);
	}
	rehearsal_close(&stage);
}
END_TEST

/* A plan whose template fails ends the simulation with its reason. */
START_TEST(test_plan_fails)
{
	struct rehearsal stage = {.plan = NULL};
	struct diag diag = {""};

	rehearsal_text(&stage, HEAD HOLD);
	rehearsal_plan(&stage, "participants: { rooms: { commands: { hold: { output: { x: "
			       "=input.nothing } } } } }");
	rehearsal_open(&stage);
	ck_assert_int_eq(simulation_run(stage.simulation, 1, false, &stage.run, &diag),
			 ERR_INVALID);
	ck_assert_msg(strstr(diag.text, "rooms.hold"), "%s", diag.text);
	stage.run = (struct run){.seed = 0};
	rehearsal_close(&stage);
}
END_TEST

START_TEST(test_bound_on_events)
{
	struct rehearsal stage = {.setup.events_max = 5};

	rehearsal_text(&stage, HEAD HOLD PAY);
	rehearsal_open(&stage);
	ck_assert_int_eq(rehearsal_run(&stage, 1)->end, RUN_ENDLESS);
	ck_assert(!stage.run.broken);
	ck_assert_msg(strstr(stage.run.reason.at, "hold running"), "%.*s",
		      SLICE_ARG(stage.run.reason));
	rehearsal_close(&stage);
}
END_TEST

/* --- values ---------------------------------------------------------------------------- */

/* Each of these outputs fits only if it was made up as it has to be: or the saga would
 * park or turn back. */
static const struct {
	const char *name, *steps;
} value_rows[] = {
	{"numbers",
	 "  - a: { kind: readonly, call: x.a }\n"
	 "  - b: { kind: readonly, call: x.b, with: { n: =a.out.x * 2 - a.out.y } }\n"},
	{"texts", "  - a: { kind: readonly, call: x.a }\n"
		  "  - b: { kind: readonly, call: x.b, with: { t: =lower(a.out.x) + '!' } }\n"},
	{"conditions", "  - a: { kind: readonly, call: x.a }\n"
		       "  - b: { when: =a.out.ok, kind: readonly, call: x.b }\n"},
	{"comparisons", "  - a: { kind: readonly, call: x.a }\n"
			"  - b: { when: =a.out.n > 7, kind: readonly, call: x.b }\n"},
	{"times", "  - a: { kind: readonly, call: x.a }\n"
		  "  - b: { sleep: { until: =a.out.then } }\n"},
	{"lists", "  - a: { kind: readonly, call: x.a }\n"
		  "  - b: { each: { in: =a.out.list, as: i, max: 9, steps: [ { c: { kind: "
		  "readonly, call: x.c, with: { n: =i.n + 1 } } } ] } }\n"
		  "  - d: { each: { in: =c.out, as: o, max: 9, steps: [ { e: { kind: readonly, "
		  "call: x.e, with: { n: =o.m + 1 } } } ] } }\n"},
	{"an input that has no schema",
	 "  - a: { kind: readonly, call: x.a, with: { n: \"=input.a.b[1] * 3\" } }\n"},
};

START_TEST(test_values)
{
	struct rehearsal stage = {.plan = NULL};
	char text[1024];

	(void)snprintf(text, sizeof text, "%s%s", HEAD, value_rows[_i].steps);
	rehearsal_text(&stage, text);
	rehearsal_open(&stage);
	for (uint64_t seed = 1; seed <= 50; seed++) {
		const struct run *run = rehearsal_run(&stage, seed);

		/* A list that is made up may be shorter than an index. */
		if (strstr(text, "[1]") && run->end == RUN_COMPENSATED)
			continue;
		ck_assert_msg(run->end == RUN_COMPLETED, "%s, seed %u: %.*s",
			      value_rows[_i].name, (unsigned)seed, SLICE_ARG(run->reason));
	}
	rehearsal_close(&stage);
}
END_TEST

/* A condition on what is made up comes out either way. */
START_TEST(test_both_ways)
{
	static const char *const conditions[] = {"=a.out.ok", "=a.out.n > 7",
						 "=a.out.word == 'yes'", "=input.n == 3"};
	struct rehearsal stage = {.plan = NULL};
	size_t n_done = 0;
	char text[512];

	(void)snprintf(text, sizeof text,
		       HEAD "  - a: { kind: readonly, call: x.a }\n"
			    "  - b: { when: \"%s\", kind: readonly, call: x.b }\n",
		       conditions[_i]);
	rehearsal_text(&stage, text);
	rehearsal_open(&stage);
	for (uint64_t seed = 1; seed <= 50; seed++)
		n_done += rehearsal_run(&stage, seed)->steps[1].attempts;
	ck_assert_uint_gt(n_done, 3);
	ck_assert_uint_lt(n_done, 47);
	rehearsal_close(&stage);
}
END_TEST

/* What a child's schema asks for is what its parent's services answer. */
START_TEST(test_child_schema)
{
	struct rehearsal stage = {.plan = NULL};

	rehearsal_text(&stage,
		       "saga: parent\nversion: 1.0.0\nsteps:\n"
		       "  - a: { kind: readonly, call: x.a }\n"
		       "  - b: { saga: child, with: { word: =a.out.word, n: =a.out.n } }\n");
	rehearsal_text(
		&stage,
		"saga: child\nversion: 1.0.0\ninput: { schema: { type: object, required: "
		"[word, n], properties: { word: { enum: [left, right] }, n: { type: integer, "
		"minimum: 500, maximum: 502 } } } }\nsteps:\n"
		"  - c: { kind: readonly, call: x.c }\n");
	rehearsal_open(&stage);
	for (uint64_t seed = 1; seed <= 20; seed++)
		ck_assert_msg(rehearsal_run(&stage, seed)->end == RUN_COMPLETED, "%.*s",
			      SLICE_ARG(stage.run.reason));
	rehearsal_close(&stage);
}
END_TEST

START_TEST(test_impossible_input)
{
	struct rehearsal stage = {.plan = NULL};
	struct diag diag = {""};

	rehearsal_text(&stage,
		       "saga: test\nversion: 1.0.0\ninput: { schema: { type: string, pattern: "
		       "'a^b' } }\nsteps:\n" HOLD);
	rehearsal_open(&stage);
	ck_assert_int_eq(simulation_run(stage.simulation, 1, false, &stage.run, &diag),
			 ERR_INVALID);
	ck_assert_msg(strstr(diag.text, "--input"), "%s", diag.text);
	stage.run = (struct run){.seed = 0};
	rehearsal_close(&stage);
}
END_TEST

/* --- the same again -------------------------------------------------------------------- */

static void check_same(const struct run *a, const struct run *b)
{
	ck_assert_int_eq(a->end, b->end);
	ck_assert_int_eq(a->took_ms, b->took_ms);
	ck_assert_uint_eq(a->messages, b->messages);
	ck_assert_uint_eq(a->events, b->events);
	ck_assert(slice_equal(a->input, b->input));
	ck_assert_uint_eq(a->n_notes, b->n_notes);
	for (size_t i = 0; i < a->n_notes; i++) {
		ck_assert_int_eq(a->notes[i].at_ms, b->notes[i].at_ms);
		ck_assert(slice_equal(a->notes[i].text, b->notes[i].text));
	}
}

START_TEST(test_same_again)
{
	struct rehearsal stage = {.plan = NULL}, other = {.plan = NULL};
	size_t n_different = 0;

	rehearsal_file(&stage, "sagas/travel.yaml");
	rehearsal_file(&other, "sagas/travel.yaml");
	rehearsal_faults(&stage,
			 "drop=10%,dup=10%,delay=10%,restart=5%,crash=5%,clock=5%,stall=5%");
	other.setup.faults = stage.setup.faults;
	rehearsal_open(&stage);
	rehearsal_open(&other);
	for (uint64_t seed = 1; seed <= 30; seed++) {
		int64_t before_ms = stage.run.took_ms;

		check_same(rehearsal_run(&stage, seed), rehearsal_run(&other, seed));
		n_different += stage.run.took_ms != before_ms;
	}
	ck_assert_uint_gt(n_different, 25);
	rehearsal_close(&stage);
	rehearsal_close(&other);
}
END_TEST

/* Nobody sees by the run that it is watched. */
START_TEST(test_transcript_changes_nothing)
{
	struct rehearsal stage = {.setup.faults = faults_default};
	struct run silent;
	struct diag diag;

	rehearsal_file(&stage, "sagas/order.yaml");
	rehearsal_open(&stage);
	for (uint64_t seed = 1; seed <= 30; seed++) {
		const struct run *run = rehearsal_run(&stage, seed);

		ck_assert_int_eq(simulation_run(stage.simulation, seed, false, &silent, &diag),
				 OK);
		ck_assert_int_eq(run->took_ms, silent.took_ms);
		ck_assert_uint_eq(run->events, silent.events);
		ck_assert_uint_eq(silent.n_notes, 0);
		run_release(&silent);
	}
	rehearsal_close(&stage);
}
END_TEST

/* --- what is broken on purpose --------------------------------------------------------- */

/* A memory barrier that does not do as it should. */
struct bad_barrier {
	struct barrier base; /* first, so that the two pointers are one */
	struct barrier *real;
};

enum flaw {
	FLAW_FORGETS,
	FLAW_FORGETS_BARS,
	FLAW_SAYS_BARRED,
	FLAW_DENIES_PIVOT,
	FLAW_FORGETS_UNDOS
};
static enum flaw flaw;

static struct barrier *real_of(struct barrier *base)
{
	return ((struct bad_barrier *)base)->real;
}

static enum err bad_begin(struct barrier *base)
{
	return real_of(base)->ops->begin(real_of(base));
}

static enum err bad_commit(struct barrier *base)
{
	return real_of(base)->ops->commit(real_of(base));
}

static void bad_rollback(struct barrier *base)
{
	real_of(base)->ops->rollback(real_of(base));
}

static bool ends_in(struct slice id, const char *end)
{
	size_t len = strlen(end);

	return id.len >= len && memcmp(id.at + id.len - len, end, len) == 0;
}

static bool is_pivot(struct slice id)
{
	char text[COMMAND_ID_MAX + 1];

	(void)snprintf(text, sizeof text, "%.*s", SLICE_ARG(id));
	return strstr(text, "/pay#");
}

static enum err bad_find(struct barrier *base, struct slice id, struct arena *arena,
			 struct barrier_record *out)
{
	enum err err = real_of(base)->ops->find(real_of(base), id, arena, out);
	bool is_do = ends_in(id, "/do");

	if (flaw == FLAW_FORGETS || (flaw == FLAW_DENIES_PIVOT && is_pivot(id)))
		*out = (struct barrier_record){.state = BARRIER_NONE};
	if (flaw == FLAW_SAYS_BARRED && is_do && out->state == BARRIER_OK)
		out->state = BARRIER_BARRED;
	if (flaw == FLAW_FORGETS_UNDOS && !is_do)
		*out = (struct barrier_record){.state = BARRIER_NONE};
	if (flaw == FLAW_FORGETS_UNDOS && is_do && out->state == BARRIER_UNDONE)
		out->state = BARRIER_OK;
	return err;
}

static enum err bad_keep(struct barrier *base, struct slice id,
			 const struct barrier_record *record)
{
	if (flaw == FLAW_FORGETS_BARS && record->state == BARRIER_BARRED)
		return OK;
	return real_of(base)->ops->keep(real_of(base), id, record);
}

static void bad_close(struct barrier *base)
{
	barrier_close(real_of(base));
	free(base);
}

static struct barrier *bad_barrier_new(void)
{
	static const struct barrier_ops ops = {.begin = bad_begin,
					       .commit = bad_commit,
					       .rollback = bad_rollback,
					       .find = bad_find,
					       .keep = bad_keep,
					       .close = bad_close};
	struct bad_barrier *barrier = calloc(1, sizeof *barrier);

	ck_assert(barrier);
	*barrier = (struct bad_barrier){{&ops}, barrier_memory_new()};
	ck_assert(barrier->real);
	return &barrier->base;
}

static const struct flaw_row {
	const char *name;
	enum flaw flaw;
	const char *faults;
	enum invariant broken;
} flaw_rows[] = {
	{"a barrier that forgets everything", FLAW_FORGETS, "dup=20%", INVARIANT_EFFECTS_ONCE},
	{"one that forgets what was undone before it came", FLAW_FORGETS_BARS,
	 "dup=50%,delay=50%:20m,drop=30%", INVARIANT_NO_LATE_EFFECT},
	{"one that says of all that it was undone", FLAW_SAYS_BARRED, "decline=20%",
	 INVARIANT_OUTCOME_AGREES},
	{"one that knows nothing of the pivot", FLAW_DENIES_PIVOT, "drop=30%,cancel=100%",
	 INVARIANT_PIVOT_IS_FINAL},
	{"one that undoes again and again", FLAW_FORGETS_UNDOS, "decline=50%,dup=50%",
	 INVARIANT_UNDO_ONCE},
};

START_TEST(test_flaw)
{
	const struct flaw_row *row = &flaw_rows[_i];
	struct rehearsal stage = {.setup.seams.barrier_new = bad_barrier_new};
	uint64_t seed = 1;

	flaw = row->flaw;
	rehearsal_text(&stage, HEAD HOLD
		       "  - look: { call: rooms.look, undo: { call: rooms.drop } }\n" PAY);
	rehearsal_faults(&stage, row->faults);
	rehearsal_open(&stage);
	while (seed <= 300 && rehearsal_run(&stage, seed)->broken != row->broken)
		seed++;
	ck_assert_msg(stage.run.broken == row->broken, "%s: nobody noticed", row->name);
	ck_assert_uint_gt(strlen(stage.run.what), 10);
	ck_assert(rehearsal_tells(&stage.run, "violation of "));
	rehearsal_close(&stage);
}
END_TEST

/* A store that says that a new saga is kept, and forgets it. */
struct bad_store {
	struct store base; /* first, so that the two pointers are one */
	struct store *real;
};

static struct store *store_of(struct store *base)
{
	return ((struct bad_store *)base)->real;
}

static enum err lose(struct store *base, const struct store_batch *batch,
		     struct saga_write *writes, size_t n, const struct audit_entry *audit,
		     size_t n_audit)
{
	for (size_t i = 0; i < n; i++)
		writes[i].result = OK;
	return OK;
}

static enum err lose_get(struct store *base, struct slice id, struct arena *arena,
			 struct saga_row *row, struct slice *record)
{
	return store_get(store_of(base), id, arena, row, record);
}

static enum err lose_find(struct store *base, struct slice saga, struct slice key,
			  struct arena *arena, struct slice *id)
{
	return store_find(store_of(base), saga, key, arena, id);
}

static enum err lose_load(struct store *base, const struct shards *which,
			  struct store_batch *newest,
			  enum err (*visit)(void *context, const struct loaded_saga *saga),
			  void *context)
{
	return store_load(store_of(base), which, newest, visit, context);
}

static enum err lose_put(struct store *base, const struct stored_definition *definition)
{
	return store_put_definition(store_of(base), definition);
}

static enum err lose_definitions(struct store *base,
				 enum err (*visit)(void *context,
						   const struct stored_definition *definition),
				 void *context)
{
	return store_definitions(store_of(base), visit, context);
}

static void lose_close(struct store *base)
{
	store_close(store_of(base));
	free(base);
}

static struct store *bad_store_open(struct vault *vault)
{
	static const struct store_ops ops = {
		.commit = lose,
		.get = lose_get,
		.find = lose_find,
		.load = lose_load,
		.put_definition = lose_put,
		.definitions = lose_definitions,
		.close = lose_close,
	};
	struct bad_store *store = calloc(1, sizeof *store);

	ck_assert(store);
	*store = (struct bad_store){{.ops = &ops}, store_memory_open(vault)};
	return &store->base;
}

START_TEST(test_lost)
{
	struct rehearsal stage = {.setup.seams.store_open = bad_store_open};

	rehearsal_text(&stage, HEAD HOLD PAY);
	rehearsal_open(&stage);
	ck_assert_int_eq(rehearsal_run(&stage, 1)->broken, INVARIANT_NEVER_LOST);
	rehearsal_close(&stage);
}
END_TEST

/* --- memory ---------------------------------------------------------------------------- */

START_TEST(test_no_memory)
{
	struct rehearsal stage = {.setup.faults = faults_default};
	bool fired = true;

	rehearsal_text(&stage, HEAD HOLD AWAIT PAY);
	rehearsal_faults(&stage, "dup=30%,restart=10%,cancel=50%");
	for (size_t n = 0; fired; n++) {
		struct diag diag = {""};
		struct simulation *simulation = NULL;
		struct run run;
		enum err err;

		fail_malloc_at(n);
		err = simulation_open(&stage.setup, &simulation);
		if (!err)
			err = simulation_run(simulation, 3, true, &run, &diag);
		fired = fail_malloc_off();
		if (!err)
			run_release(&run);
		simulation_close(simulation);
		ck_assert_msg(err == (fired ? ERR_NOMEM : OK) || (fired && !err),
			      "allocation %zu: %s", n, err_text(err));
	}
	rehearsal_close(&stage);
}
END_TEST

/* --- many runs ------------------------------------------------------------------------- */

START_TEST(test_tally)
{
	static const int64_t times[] = {50, 10, 40, 20, 30};
	struct rehearsal stage = {.plan = NULL};
	struct step_count steps[3] = {{.attempts = 1}, {.attempts = 2, .undos = 1}};
	struct results results;

	rehearsal_text(&stage, HEAD HOLD PAY);
	rehearsal_open(&stage);
	ck_assert_int_eq(results_init(&results, stage.simulation), OK);
	ck_assert_uint_eq(results.n_steps, 2);
	for (size_t i = 0; i < 5; i++) {
		struct run run = {.seed = i + 1,
				  .end = i == 3 ? RUN_PARKED : RUN_COMPLETED,
				  .took_ms = times[i],
				  .attempts = i,
				  .steps = steps,
				  .broken = i == 4 ? INVARIANT_UNDO_ONCE : INVARIANT_NONE,
				  .reason = slice_of(i == 3 ? "why" : "")};

		ck_assert_int_eq(results_add(&results, &run), OK);
	}
	results_finish(&results);
	ck_assert_uint_eq(results_runs(&results, RUN_COMPLETED), 4);
	ck_assert_uint_eq(results_runs(&results, RUN_PARKED), 1);
	ck_assert_uint_eq(results_runs(&results, RESULTS_ALL), 5);
	ck_assert_int_eq(results_quantile(&results, RESULTS_ALL, 0), 10);
	ck_assert_int_eq(results_quantile(&results, RESULTS_ALL, 500), 30);
	ck_assert_int_eq(results_quantile(&results, RESULTS_ALL, 900), 50);
	ck_assert_int_eq(results_quantile(&results, RUN_COMPLETED, 500), 30);
	ck_assert_int_eq(results_quantile(&results, RUN_PARKED, 1000), 20);
	ck_assert_uint_eq(results.slowest.seed, 1);
	ck_assert_uint_eq(results.busiest.seed, 5);
	ck_assert_uint_eq(results.n_violations, 1);
	ck_assert_uint_eq(results.violations[0].seed, 5);
	ck_assert_uint_eq(results.n_reasons, 1);
	ck_assert_uint_eq(results.reasons[0].seed, 4);
	ck_assert_uint_eq(results.steps[1].attempts, 10);
	results_release(&results);
	rehearsal_close(&stage);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_shipped, 0, ROWS(shipped_rows));
	tcase_add_loop_test(tcase, test_shipped_plans, 0, ROWS(plan_rows));
	tcase_add_loop_test(tcase, test_end, 0, ROWS(end_rows));
	tcase_add_test(tcase, test_plan_fails);
	tcase_add_test(tcase, test_bound_on_events);
	tcase_add_loop_test(tcase, test_values, 0, ROWS(value_rows));
	tcase_add_loop_test(tcase, test_both_ways, 0, 4);
	tcase_add_test(tcase, test_child_schema);
	tcase_add_test(tcase, test_impossible_input);
	tcase_add_test(tcase, test_same_again);
	tcase_add_test(tcase, test_transcript_changes_nothing);
	tcase_add_loop_test(tcase, test_flaw, 0, ROWS(flaw_rows));
	tcase_add_test(tcase, test_lost);
	tcase_add_test(tcase, test_no_memory);
	tcase_add_test(tcase, test_tally);
}

int main(void)
{
	return suite_run("simulate", add_tests);
}

/* test_simulate_plan.c - what a simulation is told: faults, plans, chances and times;
 * and what it makes up where nobody says anything. */
#include "base/pattern.h"
#include "orchestrator/core/expression_uses.h"
#include "orchestrator/load/load.h"
#include "orchestrator/simulate/faults.h"
#include "orchestrator/simulate/plan.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

/* --- faults ---------------------------------------------------------------------------- */

static const struct fault_row {
	const char *name, *text;
	const char *written; /* NULL: it is refused */
	const char *why;     /* of what is refused: a part of it */
} fault_rows[] = {
	{"none", "none", "none", NULL},
	{"one", "drop=1%", "drop=1%", NULL},
	{"with decimals", "drop=0.0001%,dup=12.5%", "drop=0.0001%,dup=12.5%", NULL},
	{"always", "decline=100%", "decline=100%", NULL},
	{"in another order", "cancel=2%,drop=1%", "drop=1%,cancel=2%", NULL},
	{"how long at most", "crash=1%:2m,clock=1%:1h", "crash=1%:2m,clock=1%:1h", NULL},
	{"as long as usual", "delay=1%,restart=1%", "delay=1%:1m,restart=1%:10s", NULL},
	{"the last one counts", "drop=1%,drop=3%", "drop=3%", NULL},
	{"a chance of zero", "drop=0%", "none", NULL},
	{"slow participants", "slow=50ms", "slow=50ms", NULL},
	{"what the services are given, too", "decline=10%,fail=1%,slow=50ms,crash=0.1%",
	 "decline=10%,fail=1%,crash=0.1%:10s,slow=50ms", NULL},
	{"slow by a chance", "slow=1%", NULL, "\"slow=1%\" is no fault"},
	{"a word that is like slow", "slov=1s", NULL, "did you mean slow?"},
	{"a word that is like one", "dorp=1%", NULL, "did you mean drop?"},
	{"a word like no other", "sharks=1%", NULL,
	 "\"sharks=1%\" is no fault; there are drop, dup"},
	{"no chance", "drop", NULL, "drop=1%"},
	{"a number without %", "drop=1", NULL, "is no fault"},
	{"too many decimals", "drop=0.00001%", NULL, "is no fault"},
	{"more than always", "drop=100.1%", NULL, "is no fault"},
	{"a huge number", "drop=99999999999999999999%", NULL, "is no fault"},
	{"a negative number", "drop=-1%", NULL, "is no fault"},
	{"a point and nothing", "drop=1.%", NULL, "is no fault"},
	{"what does not last", "drop=1%:5s", NULL, "is no fault"},
	{"a time that is none", "crash=1%:soon", NULL, "is no fault"},
	{"no time at all", "crash=1%:0s", NULL, "is no fault"},
	{"nothing", "", NULL, "is no fault"},
	{"nothing behind a comma", "drop=1%,", NULL, "\"\" is no fault"},
};

START_TEST(test_faults)
{
	const struct fault_row *row = &fault_rows[_i];
	struct bytes written = BYTES(1024, NULL);
	struct faults faults = {.chance = {7}}, again;
	struct diag diag = {""};
	enum err err = faults_parse(slice_of(row->text), &faults, &diag);

	ck_assert_int_eq(err, row->written ? OK : ERR_INVALID);
	if (err) {
		ck_assert_msg(strstr(diag.text, row->why), "%s: %s", row->name, diag.text);
		ck_assert_uint_eq(faults.chance[0], 7);
		return;
	}
	faults_write(&written, &faults);
	ck_assert_msg(slice_is(bytes_slice(&written), row->written), "%s: %.*s", row->name,
		      SLICE_ARG(bytes_slice(&written)));
	ck_assert_int_eq(faults_parse(bytes_slice(&written), &again, NULL), OK);
	ck_assert_int_eq(faults.slow_ms, again.slow_ms);
	for (int i = 0; i < FAULTS; i++) {
		ck_assert_uint_eq(faults.chance[i], again.chance[i]);
		ck_assert(!faults.chance[i] || faults.most_ms[i] == again.most_ms[i]);
	}
	bytes_release(&written);
}
END_TEST

/* What stands in the manual is what happens without the option. */
START_TEST(test_default_faults)
{
	struct bytes written = BYTES(1024, NULL);
	struct faults again;

	faults_write(&written, &faults_default);
	ck_assert(slice_is(bytes_slice(&written),
			   "drop=1%,dup=2%,delay=1%:1m,decline=2%,fail=1%,timeout=0.5%,"
			   "crash=0.1%:10s,restart=0.5%:10s,stall=0.1%:10s,clock=0.1%:5m,"
			   "cancel=1%"));
	ck_assert_int_eq(faults_parse(bytes_slice(&written), &again, NULL), OK);
	bytes_release(&written);
}
END_TEST

/* --- dice ------------------------------------------------------------------------------ */

/* The same on every machine and in every build: or a seed would mean nothing. */
START_TEST(test_dice_are_fixed)
{
	struct dice dice = dice_for(17, "drop", SLICE_LITERAL("sim-17/pay#0/0/do"), 3);
	const struct spread quantiles = {SPREAD_QUANTILES, 20, 500};

	ck_assert_uint_eq(dice_next(&dice), UINT64_C(4281312115941198791));
	ck_assert_uint_eq(dice_below(&dice, 1000), 7);
	ck_assert_int_eq(dice_spread(&dice, &quantiles), 316);
}
END_TEST

START_TEST(test_dice_depend_on_what_they_are_for)
{
	struct dice a = dice_for(1, "drop", SLICE_LITERAL("x"), 1);
	struct dice others[] = {dice_for(2, "drop", SLICE_LITERAL("x"), 1),
				dice_for(1, "dup", SLICE_LITERAL("x"), 1),
				dice_for(1, "drop", SLICE_LITERAL("y"), 1),
				dice_for(1, "drop", SLICE_LITERAL("x"), 2)};

	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_ne(a.state, others[i].state);
	ck_assert_uint_eq(a.state, dice_for(1, "drop", SLICE_LITERAL("x"), 1).state);
}
END_TEST

START_TEST(test_chance)
{
	size_t n = 0;

	for (uint64_t i = 0; i < 100000; i++) {
		struct dice dice = dice_for(i, "chance", SLICE_LITERAL("x"), 0);

		ck_assert(!dice_chance(&dice, 0));
		n += dice_chance(&dice, 10000);
		ck_assert(dice_chance(&dice, CHANCE_ALWAYS));
	}
	ck_assert_uint_gt(n, 850);
	ck_assert_uint_lt(n, 1150);
}
END_TEST

static const struct spread_row {
	const char *name;
	struct spread spread;
	int64_t least, half, most_99, most;
} spread_rows[] = {
	{"always the same", {SPREAD_FIXED, 40, 0}, 40, 40, 40, 40},
	{"anything between", {SPREAD_RANGE, 100, 299}, 100, 199, 297, 299},
	{"quantiles", {SPREAD_QUANTILES, 200, 5000}, 100, 200, 5000, 10000},
	{"equal quantiles", {SPREAD_QUANTILES, 200, 200}, 100, 200, 200, 400},
	{"long ones",
	 {SPREAD_QUANTILES, 1800000, 86400000},
	 900000,
	 1800000,
	 86400000,
	 172800000},
};

START_TEST(test_spread)
{
	const struct spread_row *row = &spread_rows[_i];
	struct dice dice = dice_for(1, "spread", SLICE_LITERAL("x"), 0);
	size_t n_half = 0, n_99 = 0;

	for (int i = 0; i < 20000; i++) {
		int64_t ms = dice_spread(&dice, &row->spread);

		ck_assert_int_ge(ms, row->least);
		ck_assert_int_le(ms, row->most);
		n_half += ms <= row->half;
		n_99 += ms <= row->most_99;
	}
	ck_assert_uint_ge(n_half, 9700);
	ck_assert_uint_ge(n_99, 19740);
	if (row->spread.kind != SPREAD_FIXED)
		ck_assert_uint_le(n_half, 10500 + (row->half == row->most_99) * 10000);
}
END_TEST

/* --- plans ----------------------------------------------------------------------------- */

#define SAGA                                                                            \
	"saga: order\nversion: 1.0.0\nsteps:\n"                                         \
	"  - reserve: { call: inventory.reserve, undo: { call: inventory.release } }\n" \
	"  - word: { await: { event: approved, timeout: 1h, then: compensate } }\n"     \
	"  - pay: { kind: pivot, call: payment.charge }\n"

static struct arena arena;

static struct definition *load(const char *text)
{
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;

	ck_assert_int_eq(load_text("saga.yaml", slice_of(text), NULL, &problems, &definition),
			 OK);
	return definition;
}

static enum err load_plan(const char *text, struct problems *problems, struct plan **out)
{
	struct definition *definition = load(SAGA);
	const struct definition *list[] = {definition};
	const struct family family = {list, 1};
	enum err err = plan_load("plan.yaml", slice_of(text), &family, problems, out);

	definition_free(definition);
	return err;
}

static const struct wrong_row {
	const char *name, *text;
	unsigned int line, column;
	const char *code, *words;
} wrong_rows[] = {
	{"no mapping", "[]", 1, 1, "wrong-type", "begins with `participants:`"},
	{"a key that is misspelt", "participant: {}\n", 1, 1, "unknown-key",
	 "did you mean `participants`?"},
	{"a participant that no saga calls", "participants:\n  inventry: {}\n", 2, 3,
	 "unknown-key",
	 "`inventry` is not known among the participants of these sagas; did you mean "
	 "`inventory`? There may be: inventory, payment"},
	{"a command that no saga calls",
	 "participants:\n  inventory:\n    commands: { reverse: {} }\n", 3, 17, "unknown-key",
	 "There may be: reserve, release"},
	{"a command of another participant",
	 "participants:\n  payment:\n    commands:\n      reserve: {}\n", 4, 7, "unknown-key",
	 "There may be: charge"},
	{"an event that no saga awaits", "signals: { denied: {} }\n", 1, 12, "unknown-key",
	 "There may be: approved"},
	{"a latency that is no duration", "participants: { payment: { latency: fast } }\n", 1,
	 37, "bad-duration", "250ms"},
	{"half a range", "participants: { payment: { latency: { from: 1s } } }\n", 1, 37,
	 "missing-key", "`to` is missing"},
	{"half of the quantiles", "participants: { payment: { latency: { p99: 1s } } }\n", 1,
	 37, "missing-key", "`p50` is missing"},
	{"a range that ends before it begins",
	 "participants: { payment: { latency: { from: 2s, to: 1s } } }\n", 1, 37,
	 "bad-duration", "`to` is shorter than `from`"},
	{"an unknown quantile",
	 "participants: { payment: { latency: { p50: 1s, p90: 2s, p99: 3s } } }\n", 1, 48,
	 "unknown-key", "p90"},
	{"a chance without %", "participants: { payment: { fail: 0.1 } }\n", 1, 34,
	 "bad-number", "such as 5% or 0.25%"},
	{"a chance over 100%", "participants: { payment: { unknown: 101% } }\n", 1, 37,
	 "bad-number", "here is 101%"},
	{"a decline without a chance",
	 "participants: { payment: { decline: { code: poor } } }\n", 1, 37, "missing-key",
	 "`chance` is missing"},
	{"an outage that is no mapping", "participants: { payment: { outage: 5m } }\n", 1, 36,
	 "wrong-type", "{ from: 2m, to: 5m }"},
	{"a slow start without a latency",
	 "participants: { payment: { slow_start: { for: 1s } } }\n", 1, 40, "missing-key",
	 "`latency` is missing"},
	{"an output for a participant", "participants: { payment: { output: {} } }\n", 1, 28,
	 "unknown-key", "`output` is not known in a participant's plan"},
	{"an output with a broken expression",
	 "participants:\n  payment:\n    commands:\n      charge: { output: { x: =1 + } }\n", 4,
	 34, "expression-syntax", ""},
	{"an output that names a step",
	 "participants:\n  payment:\n    commands:\n      charge: { output: { x: "
	 "=reserve.out.id "
	 "} }\n",
	 4, 31, "unknown-step", ""},
	{"an output that is a text",
	 "participants:\n  payment:\n    commands: { charge: { output: yes } }\n", 3, 35,
	 "wrong-type", ""},
	{"an output twice",
	 "participants:\n  payment:\n    commands:\n      charge: { output: {}, schema: {} }\n",
	 4, 37, "two-forms", "leave one of them out"},
	{"a schema with a keyword that is not known",
	 "signals: { approved: { schema: { typ: string } } }\n", 1, 34, "schema-keyword", ""},
	{"a schema in a file", "signals: { approved: { schema: word.json } }\n", 1, 32,
	 "wrong-type", "needs a JSON Schema"},
	{"a signal without a mapping", "signals: { approved: 1h }\n", 1, 22, "wrong-type",
	 "{ after: 1h, chance: 95% }"},
	{"something twice", "signals: {}\nsignals: {}\n", 2, 1, "duplicate-key", ""},
};

START_TEST(test_wrong_plan)
{
	const struct wrong_row *row = &wrong_rows[_i];
	struct problems problems = {.arena = &arena};
	struct plan *plan = NULL;

	ck_assert_int_eq(load_plan(row->text, &problems, &plan), ERR_INVALID);
	ck_assert_ptr_null(plan);
	ck_assert_uint_ge(problems.n, 1);
	ck_assert_msg(problems.list[0].place.line == row->line &&
			      problems.list[0].place.column == row->column &&
			      strcmp(problems.list[0].code, row->code) == 0 &&
			      strstr(problems.list[0].text, row->words),
		      "%s: %u:%u: %s [%s]", row->name, problems.list[0].place.line,
		      problems.list[0].place.column, problems.list[0].text,
		      problems.list[0].code);
	ck_assert_str_eq(problems.list[0].file, "plan.yaml");
	arena_release(&arena);
}
END_TEST

#define WHOLE                                                          \
	"participants:\n"                                              \
	"  inventory:\n"                                               \
	"    latency: 30ms\n"                                          \
	"    fail: 2%\n"                                               \
	"    outage: [ { from: 1s, to: 2s }, { from: 1h, to: 2h } ]\n" \
	"    slow_start: { for: 9s, latency: { from: 1s, to: 2s } }\n" \
	"    commands:\n"                                              \
	"      reserve:\n"                                             \
	"        latency: { p50: 1s, p99: 4s }\n"                      \
	"        decline: { chance: 3%, code: out_of_stock }\n"        \
	"        unknown: 1%\n"                                        \
	"        output: { id: 7 }\n"                                  \
	"      release: { decline: 1% }\n"                             \
	"signals:\n"                                                   \
	"  approved: { after: 5m, chance: 50%, payload: { by: ann } }\n"

START_TEST(test_plan)
{
	struct problems problems = {.arena = &arena};
	const struct planned_participant *inventory;
	const struct behaviour *reserve, *release;
	struct plan *plan = NULL;

	ck_assert_int_eq(load_plan(WHOLE, &problems, &plan), OK);
	inventory = plan_participant(plan, SLICE_LITERAL("inventory"));
	ck_assert_ptr_nonnull(inventory);
	ck_assert_ptr_null(plan_participant(plan, SLICE_LITERAL("payment")));
	ck_assert_ptr_null(plan_participant(NULL, SLICE_LITERAL("inventory")));
	ck_assert_uint_eq(inventory->n_outages, 2);
	ck_assert_int_eq(inventory->outages[1].to_ms, 2 * 3600000);
	reserve = plan_behaviour(inventory, SLICE_LITERAL("reserve"));
	release = plan_behaviour(inventory, SLICE_LITERAL("release"));
	ck_assert_int_eq(reserve->latency.kind, SPREAD_QUANTILES);
	ck_assert_int_eq(reserve->latency.high_ms, 4000);
	ck_assert_uint_eq(reserve->decline, 30000);
	ck_assert(slice_is(reserve->decline_code, "out_of_stock"));
	ck_assert_uint_eq(reserve->unknown, 10000);
	ck_assert_ptr_nonnull(reserve->output);
	/* What a command does not say is said by its participant, */
	ck_assert_uint_eq(reserve->fail, 20000);
	ck_assert_int_eq(reserve->slow_ms, 9000);
	ck_assert_int_eq(release->latency.low_ms, 30);
	ck_assert(slice_is(release->decline_code, "declined"));
	/* and what that does not say, by nobody. */
	ck_assert_ptr_eq(plan_behaviour(NULL, SLICE_LITERAL("charge")), &behaviour_default);
	ck_assert_int_eq(plan_signal(plan, SLICE_LITERAL("approved"))->after.low_ms, 300000);
	ck_assert_uint_eq(plan_signal(plan, SLICE_LITERAL("approved"))->chance, 500000);
	ck_assert_ptr_eq(plan_signal(plan, SLICE_LITERAL("x")), &signal_default);
	plan_free(plan);
	plan_free(NULL);
	arena_release(&arena);
}
END_TEST

START_TEST(test_plan_no_memory)
{
	struct definition *definition = load(SAGA);
	const struct definition *list[] = {definition};
	const struct family family = {list, 1};
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct arena own = {0};
		struct problems problems = {.arena = &own};
		struct plan *plan = NULL;
		enum err err;

		fail_malloc_at(n);
		err = plan_load("plan.yaml", slice_of(WHOLE), &family, &problems, &plan);
		fired = fail_malloc_off();
		plan_free(plan);
		arena_release(&own);
		ck_assert_msg(err == (fired ? ERR_NOMEM : OK), "allocation %zu: %s", n,
			      err_text(err));
	}
	definition_free(definition);
	arena_release(&arena);
}
END_TEST

/* --- what an expression needs ---------------------------------------------------------- */

struct seen {
	char text[512];
};

static void see(void *context, const struct expression_use *use)
{
	struct seen *seen = context;
	char types[TYPE_SET_TEXT_MAX];
	size_t at = strlen(seen->text);

	at += (size_t)snprintf(seen->text + at, sizeof seen->text - at, "%sinput",
			       at ? "; " : "");
	for (size_t i = 0; i < use->n_parts; i++)
		at += (size_t)snprintf(seen->text + at, sizeof seen->text - at, ".%.*s",
				       use->parts[i].is_index ? 1 : (int)use->parts[i].name.len,
				       use->parts[i].is_index ? "#" : use->parts[i].name.at);
	(void)snprintf(seen->text + at, sizeof seen->text - at, ": %s%s",
		       type_set_text(use->types, types), use->beside ? ", compared" : "");
}

static const struct use_row {
	const char *expression, *seen;
} use_rows[] = {
	{"1 + 2", ""},
	{"input.a", "input.a: anything"},
	{"input.a.b[3].c", "input.a.b.#.c: anything"},
	{"input.a * 2 - input.b", "input.a: number; input.b: number"},
	{"input.a + 'x'", "input.a: text"},
	{"input.a + 1", "input.a: number"},
	{"-input.a > 3", "input.a: number"},
	{"input.a > 3", "input.a: number, compared"},
	{"input.a < 'x'", "input.a: text, compared"},
	{"input.a == true", "input.a: boolean, compared"},
	{"input.a == input.b", "input.a: anything; input.b: anything"},
	{"input.a && !input.b", "input.a: boolean; input.b: boolean"},
	{"if(input.a, input.b, 3)", "input.a: boolean; input.b: anything"},
	{"has(input.a.b)", "input.a.b: anything"},
	{"size(input.a)", "input.a: list"},
	{"lower(input.a)", "input.a: text"},
	{"join(input.a, input.b)", "input.a: list; input.b: text"},
	{"int(input.a)", "input.a: number"},
};

START_TEST(test_uses)
{
	const struct use_row *row = &use_rows[_i];
	const struct scope scope = {.input = &schema_any};
	struct problems problems = {.arena = &arena};
	struct seen seen = {""};
	struct expression_use whole;
	const struct expression *expression = expression_parse(
		slice_of(row->expression), (struct place){1, 1}, &scope, &arena, &problems);

	ck_assert_ptr_nonnull(expression);
	expression_uses(expression, TYPE_ANY, see, &seen);
	ck_assert_msg(strcmp(seen.text, row->seen) == 0, "%s: %s", row->expression, seen.text);
	ck_assert_int_eq(expression_is_path(expression, &whole),
			 strstr("input.a.b[3].c", row->expression) != NULL);
	arena_release(&arena);
}
END_TEST

/* --- examples of patterns -------------------------------------------------------------- */

static uint64_t throw(void *dice)
{
	return dice_next(dice);
}

static const char *const patterns[] = {
	"^abc$",
	"^[a-z]+@[a-z]+\\.(ch|com)$",
	"^[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}$",
	"^(a|b|cd)*$",
	"^[^@]+@[^@]+$",
	"^\\d{4}-\\d\\d-\\d\\d$",
	"^(x(y|z)+)*w$",
	"[^a-z]?e",
	"^.{3,5}$",
	"",
	"^\\S+ \\w+$",
};

START_TEST(test_pattern_example)
{
	struct dice dice = dice_for(1, "pattern", SLICE_LITERAL("x"), (uint64_t)_i);
	struct pattern *pattern;
	struct diag diag;
	bool nomem = false;

	ck_assert_int_eq(pattern_compile(slice_of(patterns[_i]), &arena, &pattern, &diag), OK);
	for (int i = 0; i < 200; i++) {
		struct bytes text = BYTES(4096, NULL);

		pattern_example(pattern, throw, &dice, &text);
		ck_assert_int_eq(text.err, OK);
		ck_assert_msg(pattern_matches(pattern, bytes_slice(&text), &arena, &nomem),
			      "%s: %.*s", patterns[_i], SLICE_ARG(bytes_slice(&text)));
		bytes_release(&text);
	}
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_faults, 0, ROWS(fault_rows));
	tcase_add_test(tcase, test_default_faults);
	tcase_add_test(tcase, test_dice_are_fixed);
	tcase_add_test(tcase, test_dice_depend_on_what_they_are_for);
	tcase_add_test(tcase, test_chance);
	tcase_add_loop_test(tcase, test_spread, 0, ROWS(spread_rows));
	tcase_add_loop_test(tcase, test_wrong_plan, 0, ROWS(wrong_rows));
	tcase_add_test(tcase, test_plan);
	tcase_add_test(tcase, test_plan_no_memory);
	tcase_add_loop_test(tcase, test_uses, 0, ROWS(use_rows));
	tcase_add_loop_test(tcase, test_pattern_example, 0, ROWS(patterns));
}

int main(void)
{
	return suite_run("simulate_plan", add);
}

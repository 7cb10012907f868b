#include "tests/lib/definition_random.h"

#include "tests/lib/definition_plan.h"

#include <assert.h>

/* Definitions that are tried until one has a place for the fault. */
enum { TRIES_MAX = 10000 };

/* --- who refers to whom ---------------------------------------------------------- */

static bool value_reads(const struct plan_value *value, uint32_t step, bool guarded)
{
	if (value->sort == VALUE_TEXT || value->sort == VALUE_ELEMENT || value->step != step)
		return false;
	return guarded || value->sort == VALUE_OUTPUT || value->sort == VALUE_IF_OUTPUT;
}

static bool arguments_read(const struct plan_arguments *arguments, uint32_t step, bool guarded)
{
	for (uint32_t n = 0; n < arguments->n; n++)
		if (value_reads(&arguments->values[n], step, guarded))
			return true;
	return false;
}

/* Whether anything refers to the step's output; or, if not `guarded`, relies on
 * nothing but the structure that it is there. */
static bool is_read(const struct plan *plan, uint32_t step, bool guarded)
{
	for (uint32_t i = 0; i < plan->n_steps; i++) {
		const struct plan_step *reader = &plan->steps[i];

		if (value_reads(&reader->when, step, guarded) ||
		    value_reads(&reader->until, step, guarded) ||
		    value_reads(&reader->in, step, guarded) ||
		    arguments_read(&reader->call.with, step, guarded) ||
		    arguments_read(&reader->undo.with, step, guarded))
			return true;
	}
	return arguments_read(&plan->output, step, guarded);
}

static bool is_any_read(const struct plan *plan, uint32_t i)
{
	for (uint32_t inner = i; inner < plan->steps[i].end; inner++)
		if (is_read(plan, inner, false))
			return true;
	return false;
}

static void drop_undo(struct plan_step *step)
{
	step->has_undo = false;
	step->undo = (struct plan_call){0};
	step->exhausted = NULL;
}

static void set_kind(struct plan_step *step, enum kind kind)
{
	step->kind = kind;
	step->kind_given = true;
}

static bool ignores(const struct plan_step *step)
{
	return step->on_failure && !strcmp(step->on_failure, "ignore");
}

/* --- undos ------------------------------------------------------------------------ */

/* Each of these breaks one rule at the step, or says that the step is not the
 * one for it. */
typedef bool break_step(struct plan *plan, uint32_t i);

static bool forget_undo(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_CALL || !step->has_undo || !step->kind_given)
		return false;
	drop_undo(step);
	return true;
}

static bool forget_kind(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_CALL || step->kind_given)
		return false;
	drop_undo(step);
	return true;
}

static bool undo_kind(struct plan *plan, uint32_t i, enum kind kind)
{
	if (plan->steps[i].kind != kind || plan->steps[i].form != FORM_CALL)
		return false;
	plan_give_undo(plan, i);
	return true;
}

static bool undo_pivot(struct plan *plan, uint32_t i)
{
	return undo_kind(plan, i, KIND_PIVOT);
}

static bool undo_readonly(struct plan *plan, uint32_t i)
{
	return undo_kind(plan, i, KIND_READONLY);
}

static bool undo_retriable(struct plan *plan, uint32_t i)
{
	return undo_kind(plan, i, KIND_RETRIABLE);
}

static bool only_undo_late(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_SLEEP || !step->after_pivot)
		return false;
	step->form = FORM_NOTHING;
	plan_give_undo(plan, i);
	return true;
}

static bool compensate_late(struct plan *plan, uint32_t i)
{
	if (!undo_kind(plan, i, KIND_RETRIABLE))
		return false;
	set_kind(&plan->steps[i], KIND_COMPENSATABLE);
	return true;
}

/* --- the pivot --------------------------------------------------------------------- */

static bool retry_early(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_CALL || step->kind != KIND_COMPENSATABLE)
		return false;
	drop_undo(step);
	set_kind(step, KIND_RETRIABLE);
	return true;
}

static bool second_pivot(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_CALL || !step->after_pivot || ignores(step) ||
	    step->parent != NO_STEP)
		return false;
	set_kind(step, KIND_PIVOT);
	return true;
}

/* Nothing comes after the block, so that nothing there is wrong, too. */
static bool pivot_inside(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];
	uint32_t outer = i;

	while (plan->steps[outer].parent != NO_STEP)
		outer = plan->steps[outer].parent;
	if (plan->pivot != NO_STEP || step->form != FORM_CALL || ignores(step) || outer == i ||
	    plan->steps[outer].end != plan->n_steps)
		return false;
	drop_undo(step);
	set_kind(step, KIND_PIVOT);
	return true;
}

static bool call_compensates_late(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_CALL || !step->after_pivot)
		return false;
	step->on_failure = "compensate";
	return true;
}

static bool await_compensates_late(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (!step->after_pivot || !step->then)
		return false;
	step->then = "compensate";
	return true;
}

static bool ignore_pivot(struct plan *plan, uint32_t i)
{
	if (i != plan->pivot || plan->steps[i].form != FORM_CALL || is_read(plan, i, false))
		return false;
	plan->steps[i].on_failure = "ignore";
	return true;
}

static bool park_early(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_CALL || step->after_pivot)
		return false;
	step->on_failure = "park";
	return true;
}

static bool forget_then(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (!step->after_pivot || !step->then)
		return false;
	step->then = NULL;
	return true;
}

/* --- references --------------------------------------------------------------------- */

/* Another step whose output is of that sort where the step begins. */
static uint32_t find_output(struct plan *plan, uint32_t i, enum plan_output wanted)
{
	uint32_t begin = plan_below(plan, plan->n_steps);

	for (uint32_t n = 0; n < plan->n_steps; n++) {
		uint32_t step = (begin + n) % plan->n_steps;

		if (plan_output_of(plan, step, i) == wanted && !plan_is_vouched(plan, step, i))
			return step;
	}
	return NO_STEP;
}

static void read_plainly(struct plan_arguments *arguments, uint32_t step)
{
	*arguments = (struct plan_arguments){
		.given = true, .n = 1, .values[0] = {VALUE_OUTPUT, NULL, step}};
}

static bool read_output(struct plan *plan, uint32_t i, enum plan_output wanted)
{
	struct plan_step *step = &plan->steps[i];
	uint32_t read = find_output(plan, i, wanted);

	if (step->form != FORM_CALL || read == NO_STEP)
		return false;
	read_plainly(&step->call.with, read);
	return true;
}

static bool read_maybe(struct plan *plan, uint32_t i)
{
	return read_output(plan, i, OUTPUT_MAYBE);
}

static bool read_never(struct plan *plan, uint32_t i)
{
	return read_output(plan, i, OUTPUT_NEVER);
}

static bool read_none(struct plan *plan, uint32_t i)
{
	return read_output(plan, i, OUTPUT_NONE);
}

static bool undo_reads_own(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_CALL || !step->has_undo)
		return false;
	read_plainly(&step->undo.with, i);
	return true;
}

static bool result_reads_maybe(struct plan *plan, uint32_t i)
{
	if (plan_output_of(plan, i, plan->n_steps) != OUTPUT_MAYBE)
		return false;
	read_plainly(&plan->output, i);
	return true;
}

static bool read_nobody(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_CALL)
		return false;
	step->call.with = (struct plan_arguments){
		.given = true, .n = 1, .values[0] = {.text = "=nobody.out.v"}};
	return true;
}

/* --- steps as such ------------------------------------------------------------------- */

static bool same_name(struct plan *plan, uint32_t i)
{
	if (i == 0 || is_read(plan, i, true))
		return false;
	plan->steps[i].name = plan->steps[plan_below(plan, i)].name;
	return true;
}

/* The step's condition may be what vouches for an output, so one without is taken. */
static bool never_run(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->when.sort != VALUE_TEXT || step->when.text || is_any_read(plan, i))
		return false;
	step->when.text = "=1 > 2 && input.n > 3";
	return true;
}

static bool set_extra(struct plan *plan, uint32_t i, const char *key, const char *text)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_CALL || i == plan->pivot)
		return false;
	step->extra_key = key;
	step->extra = text;
	return true;
}

/* Of a step whose form is wrong nothing else is looked at, nor what it uses. */
static bool other_form(struct plan *plan, uint32_t i, const char *key, const char *text)
{
	struct plan_step *step = &plan->steps[i];

	if (!set_extra(plan, i, key, text))
		return false;
	step->call.retry = NULL;
	step->undo.retry = NULL;
	return true;
}

static bool two_forms(struct plan *plan, uint32_t i)
{
	return other_form(plan, i, "sleep", "1s");
}

static bool each_in_each(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_SLEEP || plan_each_of(plan, i) == NO_STEP)
		return false;
	step->no_form = true;
	step->extra_key = "each";
	step->extra = "{ in: =input.names, as: deep, max: 2, steps: [ { deep-step: { kind: "
		      "readonly, call: a.b } } ] }";
	return true;
}

static bool own_child(struct plan *plan, uint32_t i)
{
	plan->steps[i].child = "random";
	return plan->steps[i].form == FORM_SAGA;
}

static bool unknown_key(struct plan *plan, uint32_t i)
{
	return set_extra(plan, i, "colour", "red");
}

static bool no_form(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_SLEEP)
		return false;
	step->no_form = true;
	step->described = true;
	return true;
}

static bool unknown_retry(struct plan *plan, uint32_t i)
{
	static const struct plan_retry nobody = {"nobodys", NULL};
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_CALL)
		return false;
	step->call.retry = &nobody;
	return true;
}

/* --- what earns a warning ------------------------------------------------------------- */

static bool unused_retry(struct plan *plan, uint32_t i)
{
	plan->spare_retry = true;
	return true;
}

static bool wait_for_ever(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_AWAIT || (plan->deadline && !step->after_pivot))
		return false;
	step->timeout = NULL;
	step->then = NULL;
	return true;
}

static bool unused_then(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	if (step->form != FORM_AWAIT || step->timeout || step->after_pivot || !plan->deadline)
		return false;
	step->then = "continue";
	return true;
}

/* --- the table -------------------------------------------------------------------------- */

static const struct {
	struct definition_fault fault;
	break_step *how;
} faults[] = {
	{{"a compensatable step without an undo", "missing-undo"}, forget_undo},
	{{"a call that has neither a kind nor an undo", "missing-kind"}, forget_kind},
	{{"an undo of the pivot", "undo-on-pivot"}, undo_pivot},
	{{"an undo of a readonly step", "undo-on-readonly"}, undo_readonly},
	{{"an undo of a retriable step", "undo-after-pivot"}, undo_retriable},
	{{"a step after the pivot that only has an undo", "undo-after-pivot"}, only_undo_late},
	{{"a compensatable step after the pivot", "compensatable-after-pivot"},
	 compensate_late},
	{{"a retriable step before the pivot, or without one", "retriable-before-pivot"},
	 retry_early},
	{{"a second pivot", "second-pivot"}, second_pivot},
	{{"a pivot in a block", "pivot-in-parallel"}, pivot_inside},
	{{"a call after the pivot that turns back", "compensate-after-pivot"},
	 call_compensates_late},
	{{"an await after the pivot that turns back", "compensate-after-pivot"},
	 await_compensates_late},
	{{"a pivot that may fail", "ignore-on-pivot"}, ignore_pivot},
	{{"a step before the pivot that parks", "park-before-pivot"}, park_early},
	{{"an await after the pivot that does not say what follows", "missing-key"},
	 forget_then},
	{{"an output that may be missing, without a guard", "step-maybe-missing"}, read_maybe},
	{{"an output of a step that cannot have run", "step-not-run"}, read_never},
	{{"an output of a step that has none", "no-output"}, read_none},
	{{"an undo that takes its do's output for granted", "step-maybe-missing"},
	 undo_reads_own},
	{{"a result from an output that may be missing", "step-maybe-missing"},
	 result_reads_maybe},
	{{"an output of a step that there is not", "unknown-step"}, read_nobody},
	{{"two steps of one name", "duplicate-step"}, same_name},
	{{"a step that can never run", "unreachable-step"}, never_run},
	{{"a step of two forms", "two-forms"}, two_forms},
	{{"an each in an each", "each-in-each"}, each_in_each},
	{{"a saga that is its own child", "child-cycle"}, own_child},
	{{"a key that there is not", "unknown-key"}, unknown_key},
	{{"a step that does nothing", "missing-form"}, no_form},
	{{"a retry that there is not", "unknown-retry"}, unknown_retry},
	{{"a retry that nobody uses", "unused-retry"}, unused_retry},
	{{"an await without an end", "await-without-timeout"}, wait_for_ever},
	{{"a `then` of a timeout that there is not", "unused-then"}, unused_then},
};
const size_t definition_n_faults = sizeof faults / sizeof *faults;

static bool is_warned_of(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n_steps; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (step->form == FORM_AWAIT && !step->timeout &&
		    (step->after_pivot || !plan->deadline))
			return true;
	}
	return false;
}

/* At the first of the steps, from a random one on, where it can be. */
static bool break_plan(struct plan *plan, break_step *how)
{
	uint32_t begin = plan_below(plan, plan->n_steps);

	for (uint32_t n = 0; n < plan->n_steps; n++)
		if (how(plan, (begin + n) % plan->n_steps))
			return true;
	return false;
}

struct definition_fault definition_broken(uint64_t seed, size_t fault, struct bytes *out)
{
	struct random random = {seed};
	struct plan plan;
	unsigned tries = 0;

	do {
		assert(tries < TRIES_MAX);
		tries++;
		plan_make(&plan, random_next(&random));
	} while (is_warned_of(&plan) || !break_plan(&plan, faults[fault].how));
	plan_write(&plan, out);
	return faults[fault].fault;
}

void definition_random(uint64_t seed, struct bytes *out)
{
	struct plan plan;

	plan_make(&plan, seed);
	plan_write(&plan, out);
}

#include "tests/lib/definition_plan.h"

#include <assert.h>

#define COUNT(table)      ((uint32_t)(sizeof(table) / sizeof *(table)))
#define PICK(plan, table) (table)[plan_below(plan, COUNT(table))]

const struct plan_retry plan_retries[] = {
	{"std", "{ first: 100ms, factor: 2, max: 5s, jitter: full, attempts: 3 }"},
	{"on", "{ budget: 1h }"},
	{"no-pause", "{ first: 1ms, factor: 1, max: 1ms, jitter: none, attempts: 1 }"},
	{NULL, "{ attempts: 2 }"},
	{NULL, "{ attempts: 1, budget: 10m }"},
	{NULL, "{ budget: 1d, jitter: none }"},
	{NULL, "{ first: 1m, factor: 1.50 }"},
	{NULL, "{ first: 2s, max: 60000ms }"},
};
const size_t plan_n_retries = COUNT(plan_retries);

/* Names that a reader of YAML or of expressions could take for something else. */
static const char *const names[PLAN_STEPS] = {
	"a",    "two-words", "if",   "has",    "out", "on", "no", "n0",  "x_y",  "string",
	"when", "then",      "each", "each-1", "in",  "as", "m",  "max", "join", "z9",
};

bool plan_chance(struct plan *plan, uint32_t percent)
{
	return random_percent(&plan->random, percent);
}

uint32_t plan_below(struct plan *plan, uint32_t n)
{
	return random_below(&plan->random, n);
}

/* --- what there is when --------------------------------------------------------- */

static bool lacks_output(const struct plan_step *step)
{
	return step->when.sort != VALUE_TEXT || step->when.text ||
	       (step->on_failure && !strcmp(step->on_failure, "ignore")) ||
	       (step->then && !strcmp(step->then, "continue"));
}

/* Whether the reader stands in the list, or in a step of it. */
static bool stands_in(const struct plan *plan, uint32_t reader, uint32_t list)
{
	if (reader == plan->n_steps)
		return list == 0;
	for (; reader != NO_STEP; reader = plan->steps[reader].parent)
		if (plan->steps[reader].list == list)
			return true;
	return false;
}

/* What is done by then is in the reader's list or one around it, or inside a
 * block that is; what else stands before it in the file is beside it. */
enum plan_output plan_output_of(const struct plan *plan, uint32_t step, uint32_t reader)
{
	const struct plan_step *at = &plan->steps[step];
	bool lacks = lacks_output(at);

	if (at->form == FORM_EACH)
		return OUTPUT_OTHER;
	if (!form_commands(at->form) && at->form != FORM_AWAIT)
		return OUTPUT_NONE;
	if (step >= reader)
		return OUTPUT_NEVER;
	while (!stands_in(plan, reader, at->list)) {
		at = &plan->steps[at->parent];
		if (reader < at->end)
			return OUTPUT_NEVER;
		if (at->form == FORM_EACH) /* then it is a list, and what lacks is null */
			lacks = false;
		lacks |= lacks_output(at);
	}
	return lacks ? OUTPUT_MAYBE : OUTPUT_THERE;
}

uint32_t plan_each_of(const struct plan *plan, uint32_t step)
{
	do
		step = plan->steps[step].parent;
	while (step != NO_STEP && plan->steps[step].form != FORM_EACH);
	return step;
}

bool plan_is_list(const struct plan *plan, uint32_t step, uint32_t reader)
{
	uint32_t each = plan_each_of(plan, step);

	return each != NO_STEP && (reader < each || reader >= plan->steps[each].end);
}

static bool vouches(const struct plan_value *when, uint32_t step)
{
	return (when->sort == VALUE_WHETHER || when->sort == VALUE_IF_BOTH) &&
	       when->step == step;
}

bool plan_is_vouched(const struct plan *plan, uint32_t step, uint32_t reader)
{
	if (reader == plan->n_steps)
		return false;
	for (; reader != NO_STEP; reader = plan->steps[reader].parent)
		if (vouches(&plan->steps[reader].when, step))
			return true;
	return false;
}

/* --- values --------------------------------------------------------------------- */

/* A random step whose output the reader may ask for, or NO_STEP. */
static uint32_t readable(struct plan *plan, uint32_t reader)
{
	uint32_t step = reader ? plan_below(plan, reader) : 0;

	if (!reader || plan_output_of(plan, step, reader) < OUTPUT_MAYBE)
		return NO_STEP;
	return step;
}

static bool is_sure(const struct plan *plan, uint32_t step, uint32_t reader)
{
	return plan_output_of(plan, step, reader) == OUTPUT_THERE ||
	       plan_is_vouched(plan, step, reader);
}

static struct plan_value make_value(struct plan *plan, uint32_t reader)
{
	static const char *const texts[] = {
		"=input.n",
		"=saga.id",
		"\"=saga.key + saga.name\"",
		"=string(saga.started_at)",
		"=input.n * 2 + 1",
		"\"=if(input.flag, 'yes', lower(input.at))\"",
		"\"=join(input.names, ', ')\"",
		"\"=input.names[0]\"",
		"='=literal'",
		"=='=literal'",
		"plain text",
		"\"0x1F\"",
		"12",
		"true",
		"~",
		"{ deep: [1, =size(input.names), { deeper: [] }], none: {} }",
	};
	uint32_t step = plan_chance(plan, 60) ? readable(plan, reader) : NO_STEP;
	uint32_t each = reader < plan->n_steps ? plan_each_of(plan, reader) : NO_STEP;

	if (each != NO_STEP && plan_chance(plan, 20))
		return (struct plan_value){VALUE_ELEMENT, NULL, each};
	if (step == NO_STEP)
		return (struct plan_value){.text = PICK(plan, texts)};
	if (is_sure(plan, step, reader) && plan_chance(plan, 80))
		return (struct plan_value){VALUE_OUTPUT, NULL, step};
	if (plan_chance(plan, 70))
		return (struct plan_value){VALUE_GUARDED, NULL, step};
	return (struct plan_value){VALUE_WHETHER, NULL, step};
}

/* Of an undo: its own output may be there or not, and why the saga turns back is
 * known. */
static struct plan_value make_undo_value(struct plan *plan, uint32_t i)
{
	static const char *const texts[] = {"=saga.failure.code", "=saga.failure.message",
					    "=string(saga.failure.step)"};

	if (plan_chance(plan, 20))
		return (struct plan_value){.text = PICK(plan, texts)};
	if (plan->steps[i].form == FORM_NOTHING || plan_chance(plan, 40))
		return make_value(plan, i);
	return (struct plan_value){plan_chance(plan, 70) ? VALUE_GUARDED : VALUE_WHETHER, NULL,
				   i};
}

static struct plan_arguments make_arguments(struct plan *plan, uint32_t reader, bool undo)
{
	struct plan_arguments made = {.given = true};

	made.whole = reader < plan->n_steps && plan_chance(plan, 15);
	made.n = made.whole ? 1 : plan_below(plan, PLAN_VALUES + 1);
	for (uint32_t n = 0; n < made.n; n++)
		made.values[n] =
			undo ? make_undo_value(plan, reader) : make_value(plan, reader);
	/* A whole must be an expression. */
	if (made.whole && made.values[0].sort == VALUE_TEXT && made.values[0].text[0] != '=')
		made.values[0].text = "=input";
	return made;
}

static struct plan_value make_condition(struct plan *plan, uint32_t reader)
{
	static const char *const texts[] = {
		"=input.n > 3",
		"=has(input.flag) && input.flag",
		"=!input.flag || input.n % 2 == 0",
		"=true",
	};
	uint32_t step = plan_chance(plan, 75) ? readable(plan, reader) : NO_STEP;

	if (step == NO_STEP)
		return (struct plan_value){.text = PICK(plan, texts)};
	if (is_sure(plan, step, reader) && plan_chance(plan, 40))
		return (struct plan_value){VALUE_IF_OUTPUT, NULL, step};
	if (plan_chance(plan, 40))
		return (struct plan_value){VALUE_WHETHER, NULL, step};
	if (plan_chance(plan, 50))
		return (struct plan_value){VALUE_IF_BOTH, NULL, step};
	return (struct plan_value){VALUE_IF_NOT, NULL, step};
}

/* --- forms ---------------------------------------------------------------------- */

static void make_command(struct plan *plan, struct plan_call *out)
{
	static const char *const timeouts[] = {"1ms", "250ms", "10s", "90s", "1h"};

	if (plan_chance(plan, 40))
		out->timeout = PICK(plan, timeouts);
	if (plan_chance(plan, 50))
		out->retry = &plan_retries[plan_below(plan, COUNT(plan_retries))];
}

void plan_give_undo(struct plan *plan, uint32_t i)
{
	static const char *const exhausted[] = {"park", "skip"};
	struct plan_step *step = &plan->steps[i];

	step->has_undo = true;
	make_command(plan, &step->undo);
	if (plan_chance(plan, 40))
		step->exhausted = PICK(plan, exhausted);
	if (plan_chance(plan, 60))
		step->undo.with = make_arguments(plan, i, true);
}

/* What may be written where nothing or the default is meant, and `ignore`. */
static const char *make_on_failure(struct plan *plan, uint32_t i)
{
	if (plan_chance(plan, 50))
		return NULL;
	if (i != plan->pivot && plan_chance(plan, 60))
		return "ignore";
	return plan->steps[i].after_pivot ? "park" : "compensate";
}

static void make_call(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	step->kind = KIND_COMPENSATABLE;
	if (i == plan->pivot)
		step->kind = KIND_PIVOT;
	else if (plan_chance(plan, step->after_pivot ? 40 : 25))
		step->kind = KIND_READONLY;
	else if (step->after_pivot)
		step->kind = KIND_RETRIABLE;
	step->kind_given = step->kind != KIND_COMPENSATABLE || plan_chance(plan, 40);
	if (plan_chance(plan, 70))
		step->call.with = make_arguments(plan, i, false);
	make_command(plan, &step->call);
	step->on_failure = make_on_failure(plan, i);
	if (step->kind == KIND_COMPENSATABLE)
		plan_give_undo(plan, i);
}

static void make_child(struct plan *plan, uint32_t i)
{
	static const char *const children[] = {"part", "part@1.2.3", "part@1.0.0-rc.1"};
	static const char *const keys[] = {"=saga.id", "=input.id", "\"=saga.id + '-part'\""};
	struct plan_step *step = &plan->steps[i];

	step->child = PICK(plan, children);
	step->kind = i == plan->pivot    ? KIND_PIVOT
		     : step->after_pivot ? KIND_RETRIABLE
					 : KIND_COMPENSATABLE;
	step->kind_given = i == plan->pivot || plan_chance(plan, 40);
	if (plan_chance(plan, 70))
		step->call.with = make_arguments(plan, i, false);
	if (plan_chance(plan, 40))
		step->child_key = PICK(plan, keys);
}

static void make_each(struct plan *plan, uint32_t i)
{
	static const char *const lists[] = {"=input.names",
					    "\"=if(input.n > 1, input.names, input.names)\""};
	static const char *const elements[] = {"it", "item-2"};
	static const char *const most[] = {"1", "3", "250"};
	struct plan_step *step = &plan->steps[i];
	uint32_t read = plan_chance(plan, 50) ? readable(plan, i) : NO_STEP;

	step->as = PICK(plan, elements);
	step->max = PICK(plan, most);
	if (read != NO_STEP && is_sure(plan, read, i))
		step->in = (struct plan_value){VALUE_OUTPUT, NULL, read};
	else
		step->in = (struct plan_value){.text = PICK(plan, lists)};
}

static void make_await(struct plan *plan, struct plan_step *step)
{
	static const char *const events[] = {"approved", "no"};
	static const char *const timeouts[] = {"1s", "24h", "7d"};

	step->event = PICK(plan, events);
	if (plan_chance(plan, 40))
		return;
	step->timeout = PICK(plan, timeouts);
	if (step->after_pivot || plan_chance(plan, 40))
		step->then = "continue";
	else if (plan_chance(plan, 50))
		step->then = "compensate";
}

static void make_sleep(struct plan *plan, uint32_t i)
{
	static const char *const sleeps[] = {"1ms", "1000ms", "24h", "36500d"};
	static const char *const moments[] = {"=input.at", "\"='2030-01-31T08:00:00Z'\""};
	struct plan_step *step = &plan->steps[i];
	uint32_t read = plan_chance(plan, 50) ? readable(plan, i) : NO_STEP;

	if (plan_chance(plan, 40))
		step->sleep = PICK(plan, sleeps);
	else if (read != NO_STEP && is_sure(plan, read, i))
		step->until = (struct plan_value){VALUE_OUTPUT, NULL, read};
	else
		step->until = (struct plan_value){.text = PICK(plan, moments)};
}

static void make_step(struct plan *plan, uint32_t i)
{
	struct plan_step *step = &plan->steps[i];

	step->flow = !form_is_block(step->form) && plan_chance(plan, 40);
	step->described = plan_chance(plan, 15);
	if (plan_chance(plan, 30))
		step->when = make_condition(plan, i);
	if (form_is_block(step->form)) {
		if (step->form == FORM_EACH)
			make_each(plan, i);
		return;
	}
	if (plan_chance(plan, 10))
		step->form = FORM_SAGA;
	else if (i == plan->pivot || plan_chance(plan, 65))
		step->form = FORM_CALL;
	else if (!step->after_pivot && plan_chance(plan, 25))
		step->form = FORM_NOTHING;
	else
		step->form = plan_chance(plan, 50) ? FORM_AWAIT : FORM_SLEEP;
	switch (step->form) {
	case FORM_CALL: make_call(plan, i); break;
	case FORM_NOTHING: plan_give_undo(plan, i); break;
	case FORM_AWAIT: make_await(plan, step); break;
	case FORM_SLEEP: make_sleep(plan, i); break;
	case FORM_SAGA: make_child(plan, i); break;
	case FORM_PARALLEL:
	case FORM_EACH: break;
	}
}

/* --- structure ------------------------------------------------------------------ */

static uint32_t add_step(struct plan *plan, uint32_t parent, uint32_t list)
{
	uint32_t i = plan->n_steps++;

	assert(i < PLAN_STEPS);
	plan->steps[i] = (struct plan_step){
		.name = names[(plan->first_name + i) % PLAN_STEPS],
		.parent = parent,
		.list = list,
		.end = i + 1,
		.kind = KIND_NONE,
	};
	return i;
}

static void make_list(struct plan *plan, uint32_t parent, uint32_t n_leaves, uint32_t depth);

/* Every branch gets a leaf, the last one all that are left. */
static void make_block(struct plan *plan, uint32_t i, uint32_t n_leaves, uint32_t depth)
{
	uint32_t n_branches = n_leaves > 2 && plan_chance(plan, 40) ? 3 : 2;

	plan->steps[i].form = FORM_PARALLEL;
	for (; n_branches > 1; n_branches--) {
		uint32_t share = 1 + plan_below(plan, n_leaves - n_branches + 1);

		make_list(plan, i, share, depth + 1);
		n_leaves -= share;
	}
	make_list(plan, i, n_leaves, depth + 1);
	plan->steps[i].end = plan->n_steps;
}

static void make_list(struct plan *plan, uint32_t parent, uint32_t n_leaves, uint32_t depth)
{
	uint32_t list = plan->n_lists++;

	while (n_leaves > 0) {
		uint32_t i = add_step(plan, parent, list);
		uint32_t share = 1;
		bool inside = plan_each_of(plan, i) != NO_STEP;

		if (depth < PLAN_DEPTH && !inside && plan_chance(plan, 10)) {
			plan->steps[i].form = FORM_EACH;
			share = 1 + plan_below(plan, n_leaves);
			make_list(plan, i, share, depth + 1);
			plan->steps[i].end = plan->n_steps;
		} else if (n_leaves > 1 && depth < PLAN_DEPTH && plan_chance(plan, 30)) {
			share = 2 + plan_below(plan, n_leaves - 1);
			make_block(plan, i, share, depth);
		}
		n_leaves -= share;
	}
}

static void choose_pivot(struct plan *plan)
{
	uint32_t i = plan_below(plan, plan->n_steps);

	plan->pivot = NO_STEP;
	if (plan->steps[i].parent != NO_STEP || form_is_block(plan->steps[i].form))
		return;
	plan->pivot = i;
	for (i++; i < plan->n_steps; i++)
		plan->steps[i].after_pivot = true;
}

static void make_top(struct plan *plan)
{
	static const char *const descriptions[] = {"plain words", "\"what: it is for\"",
						   "'# no comment'"};
	static const char *const keys[] = {"=input.id", "\"=string(input.n) + '/' + input.id\"",
					   "=input.n"};
	static const char *const deadlines[] = {"{ after: 1h }",
						"{ after: 30d, then: compensate }"};
	static const char *const inputs[] = {
		"{ mask: [names, card.number] }",
		"{ schema: { type: object, required: [id, n], properties: { id: { type: string "
		"}, n: { type: integer }, flag: { type: boolean }, at: { type: string }, "
		"names: { type: array, items: { type: string } } } } }",
	};

	if (plan_chance(plan, 20))
		plan->description = PICK(plan, descriptions);
	if (plan_chance(plan, 40))
		plan->key = PICK(plan, keys);
	if (plan_chance(plan, 40))
		plan->deadline = PICK(plan, deadlines);
	if (plan_chance(plan, 50))
		plan->input = PICK(plan, inputs);
	if (plan_chance(plan, 60))
		plan->output = make_arguments(plan, plan->n_steps, false);
}

void plan_make(struct plan *plan, uint64_t seed)
{
	*plan = (struct plan){.random = {seed}};
	plan->first_name = plan_below(plan, PLAN_STEPS);
	make_list(plan, NO_STEP, 1 + plan_below(plan, PLAN_LEAVES), 0);
	choose_pivot(plan);
	for (uint32_t i = 0; i < plan->n_steps; i++)
		make_step(plan, i);
	make_top(plan);
}

#include "tests/lib/build.h"

#include <assert.h>
#include <stdlib.h>

enum { UNDO_ATTEMPTS = 2, DO_ATTEMPTS = 2, TIMEOUT_MS = 1000 };

static const struct template no_arguments = {.kind = TEMPLATE_LITERAL,
					     .literal = JSON_OF("{}")};
static const struct expression some_expression = {.types = TYPE_ANY, .can_fail = true};

static const struct retry retry_default = {
	.first_ms = 100,
	.max_ms = 60 * 1000,
	.factor = {2, 0},
	.attempts = DO_ATTEMPTS,
	.budget_ms = 60 * 60 * 1000,
};

struct builder {
	struct arena arena;
	const char *at;
	struct step_definition *steps;
	uint32_t n_steps;
	uint32_t pivot;
};

static void *give(void *memory)
{
	assert(memory);
	return memory;
}

/* --- words ------------------------------------------------------------------------- */

static void skip_blanks(struct builder *b)
{
	while (*b->at == ' ')
		b->at++;
}

static struct slice read_word(struct builder *b)
{
	struct slice word = {b->at, strcspn(b->at, " :,={|}")};

	assert(word.len > 0);
	b->at += word.len;
	return word;
}

static uint32_t read_number(struct builder *b)
{
	char *end;
	unsigned long number;

	assert(*b->at == '=');
	number = strtoul(b->at + 1, &end, 10);
	assert(end > b->at + 1 && number <= INT32_MAX);
	b->at = end;
	return (uint32_t)number;
}

/* --- what a step is ------------------------------------------------------------------ */

static bool set_kind(struct step_definition *step, struct slice word)
{
	if (slice_is(word, "undo"))
		step->kind = KIND_COMPENSATABLE;
	else if (slice_is(word, "readonly"))
		step->kind = KIND_READONLY;
	else if (slice_is(word, "pivot"))
		step->kind = KIND_PIVOT;
	else if (slice_is(word, "retriable"))
		step->kind = KIND_RETRIABLE;
	else
		return false;
	return true;
}

static bool set_form(struct step_definition *step, struct slice word)
{
	if (slice_is(word, "nothing")) {
		step->form = FORM_NOTHING;
		step->kind = KIND_COMPENSATABLE;
		return true;
	}
	if (slice_is(word, "child")) {
		step->form = FORM_SAGA;
		step->child = SLICE_LITERAL("part");
		return true;
	}
	if (slice_is(word, "await"))
		step->form = FORM_AWAIT;
	else if (slice_is(word, "sleep") || slice_is(word, "until"))
		step->form = FORM_SLEEP;
	else if (slice_is(word, "each"))
		step->form = FORM_EACH;
	else
		return false;
	if (slice_is(word, "until"))
		step->until = &some_expression;
	step->kind = KIND_NONE;
	return true;
}

static void set_word(struct builder *b, struct step_definition *step, struct slice word)
{
	if (set_kind(step, word) || set_form(step, word))
		return;
	if (slice_is(word, "when"))
		step->when = &some_expression;
	else if (slice_is(word, "ignore"))
		step->ignore_failure = true;
	else if (slice_is(word, "continue"))
		step->await_continue = true;
	else if (slice_is(word, "skip"))
		step->undo_skip = true;
	else if (slice_is(word, "max"))
		step->max = read_number(b);
	else if (slice_is(word, "key"))
		step->child_key = &some_expression;
	else if (slice_is(word, "attempts"))
		step->call.retry.attempts = read_number(b);
	else if (slice_is(word, "undos"))
		step->undo.retry.attempts = read_number(b);
	else if (slice_is(word, "timeout"))
		step->call.timeout_ms = step->undo.timeout_ms = read_number(b);
	else if (slice_is(word, "for"))
		step->await_ms = step->sleep_ms = read_number(b);
	else
		assert(!"a word that build.h does not know");
}

/* Fields that another form or kind would have are empty, as the loader leaves them. */
static void finish_step(struct builder *b, uint32_t i)
{
	struct step_definition *step = &b->steps[i];
	struct call undo = step->undo;

	step->after_pivot = b->pivot != NO_STEP;
	if (step->kind == KIND_PIVOT) {
		assert(b->pivot == NO_STEP && step->parent == NO_STEP);
		b->pivot = i;
	}
	assert(step->kind != KIND_COMPENSATABLE || !step->after_pivot);
	assert(step->kind != KIND_RETRIABLE || step->after_pivot);
	step->undo = (struct call){0};
	step->event = step->form == FORM_AWAIT ? step->name : (struct slice){0};
	if (step->form != FORM_AWAIT)
		step->await_ms = 0;
	if (step->form != FORM_SLEEP || step->until)
		step->sleep_ms = 0;
	if (step->form == FORM_SAGA) {
		step->call = (struct call){.with = &no_arguments, .retry = retry_default};
		undo = step->call;
	} else if (step->form != FORM_CALL) {
		step->call = (struct call){0};
	}
	if (step->form == FORM_EACH) {
		assert(step->each == NO_STEP);
		step->in = &some_expression;
		step->as = SLICE_LITERAL("item");
		step->max = step->max ? step->max : 10;
	}
	if (step->kind == KIND_COMPENSATABLE) {
		step->has_undo = true;
		step->undo = undo;
	}
}

/* --- lists and branches --------------------------------------------------------------- */

static struct branch read_list(struct builder *b, uint32_t parent);

static void read_branches(struct builder *b, uint32_t i)
{
	static const char names[] = "abcdefgh";
	enum { MANY = sizeof names - 1 };
	struct branch *branches = give(arena_array(&b->arena, MANY, sizeof *branches));
	uint32_t n = 0;

	do {
		assert(n < MANY);
		b->at++;
		branches[n] = read_list(b, i);
		branches[n].name = (struct slice){&names[n], 1};
		n++;
	} while (*b->at == '|');
	assert(*b->at == '}');
	b->at++;
	b->steps[i].branches = branches;
	b->steps[i].n_branches = n;
}

static uint32_t read_step(struct builder *b, uint32_t parent, uint32_t previous)
{
	const struct step_definition *outer = parent == NO_STEP ? NULL : &b->steps[parent];
	uint32_t i = b->n_steps++;
	struct step_definition *step = &b->steps[i];

	assert(i < STEPS_MAX);
	*step = (struct step_definition){
		.name = read_word(b),
		.place = {1, 1},
		.kind = KIND_COMPENSATABLE,
		.parent = parent,
		.previous = previous,
		.next = NO_STEP,
		.each = !outer                     ? NO_STEP
			: outer->form == FORM_EACH ? parent
						   : outer->each,
		.call = {SLICE_LITERAL("service"), SLICE_LITERAL("do"), &no_arguments,
			 TIMEOUT_MS, retry_default},
		.undo = {SLICE_LITERAL("service"), SLICE_LITERAL("undo"), &no_arguments,
			 TIMEOUT_MS, retry_default},
	};
	assert(name_valid(step->name));
	step->undo.retry.attempts = UNDO_ATTEMPTS;
	if (*b->at == ':') {
		do {
			b->at++;
			set_word(b, step, read_word(b));
		} while (*b->at == ',');
	}
	if (*b->at == '{' && step->form != FORM_EACH) {
		step->form = FORM_PARALLEL;
		step->kind = KIND_NONE;
	}
	finish_step(b, i);
	if (*b->at == '{')
		read_branches(b, i);
	step->end = b->n_steps;
	return i;
}

static struct branch read_list(struct builder *b, uint32_t parent)
{
	struct branch list = {.first = NO_STEP, .last = NO_STEP};

	for (skip_blanks(b); *b->at && *b->at != '|' && *b->at != '}'; skip_blanks(b)) {
		uint32_t i = read_step(b, parent, list.last);

		if (list.last == NO_STEP)
			list.first = i;
		else
			b->steps[list.last].next = i;
		list.last = i;
	}
	assert(list.first != NO_STEP);
	return list;
}

struct definition *build(const char *line)
{
	struct builder b = {.pivot = NO_STEP};
	struct definition *definition = give(arena_alloc(&b.arena, sizeof *definition));
	struct slice text;

	if (!arena_copy(&b.arena, slice_of(line), &text))
		abort();
	b.at = text.at;
	b.steps = give(arena_array(&b.arena, STEPS_MAX, sizeof *b.steps));
	*definition = (struct definition){
		.name = SLICE_LITERAL("test"),
		.version = SLICE_LITERAL("1.0.0"),
		.normal = text,
		.input = &schema_any,
		.top = read_list(&b, NO_STEP),
		.steps = b.steps,
	};
	assert(*b.at == '\0');
	sha256(text, definition->hash);
	definition->n_steps = b.n_steps;
	definition->pivot = b.pivot;
	for (uint32_t i = 0; i < b.n_steps; i++)
		assert(definition_find(definition, b.steps[i].name) == i);
	definition->arena = b.arena;
	return definition;
}

struct step_definition *build_step(struct definition *definition, const char *name)
{
	uint32_t i = definition_find(definition, slice_of(name));

	assert(i != NO_STEP);
	return (struct step_definition *)&definition->steps[i];
}

/* --- the scripted evaluator ------------------------------------------------------------- */

static enum err write_default(struct slice name, enum purpose purpose, struct arena *arena,
			      struct json *out)
{
	struct bytes text = BYTES(256, arena);

	switch (purpose) {
	case PURPOSE_WHEN: *out = JSON_OF("true"); return OK;
	case PURPOSE_UNTIL: *out = JSON_OF("0"); return OK;
	case PURPOSE_OUTPUT: *out = JSON_OF("{}"); return OK;
	case PURPOSE_IN: *out = JSON_OF("[1,2]"); return OK;
	case PURPOSE_KEY: *out = JSON_OF("k"); return OK;
	case PURPOSE_WITH: bytes_text(&text, "{\"do\":\""); break;
	case PURPOSE_UNDO: bytes_text(&text, "{\"undo\":\""); break;
	}
	bytes_append(&text, name);
	bytes_text(&text, "\"}");
	out->text = bytes_slice(&text);
	return text.err ? ERR_NOMEM : OK;
}

static enum err evaluate_script(const struct evaluator *evaluator,
				const struct definition *definition, const struct saga *saga,
				uint32_t step, enum purpose purpose, struct arena *arena,
				struct json *out, struct failure_text *failure)
{
	const struct script *script = (const struct script *)evaluator;
	struct slice all = {0}, name = {0};
	char room[INSTANCE_NAME_MAX];

	if (step != NO_STEP) {
		all = saga_step_definition(definition, saga, step)->name;
		name = saga_step_name(definition, saga, step, room);
	}
	for (size_t i = 0; i < script->n_answers; i++) {
		const struct script_answer *answer = &script->answers[i];

		if (answer->purpose != purpose || (!slice_equal(slice_of(answer->step), name) &&
						   !slice_equal(slice_of(answer->step), all)))
			continue;
		if (!answer->json) {
			memcpy(failure->text, "1:1: as the test says",
			       sizeof "1:1: as the test says");
			return ERR_INVALID;
		}
		out->text = slice_of(answer->json);
		return OK;
	}
	return write_default(name, purpose, arena, out);
}

void script_init(struct script *script, const struct script_answer *answers, size_t n_answers)
{
	*script = (struct script){{evaluate_script}, answers, n_answers};
}

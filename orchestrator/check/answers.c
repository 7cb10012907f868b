#include "orchestrator/check/answers.h"

#include <assert.h>

/* --- what is read ---------------------------------------------------------------- */

struct reader {
	const struct saga *saga;
	struct answers *answers;
	uint32_t step;
	enum purpose purpose;
	bool skipped; /* it reads the output of a step that an operator skipped */
};

static bool readable(const struct reader *reader, uint32_t read)
{
	uint8_t flags = reader->saga->steps[read].flags;

	if (reader->purpose == PURPOSE_UNDO && read == reader->step)
		return flags & (FLAG_OUTPUT | FLAG_LATE);
	return flags & FLAG_OUTPUT;
}

/* Operators can leave out what nobody may leave out otherwise. Reading it is an
 * error that the saga must live with. */
static bool skipped_by_operator(const struct reader *reader, uint32_t read)
{
	for (; read != NO_STEP; read = reader->answers->model->steps[read].parent)
		if (reader->answers->books[read].flags & BOOKS_SKIPPED)
			return true;
	return false;
}

static void read_expression(void *context, const struct expression *expression)
{
	struct reader *reader = context;

	for (size_t n = 0; n < expression->n_references; n++) {
		struct reference reference = expression->references[n];
		uint32_t read = model_read(reader->answers->model, reader->step, reference);

		if (reference.guarded || readable(reader, read))
			continue;
		if (skipped_by_operator(reader, read)) {
			reader->skipped = true;
			continue;
		}
		reader->answers->missing = (struct missing){
			.found = true,
			.step = reader->step,
			.read = read,
			.purpose = reader->purpose,
		};
	}
}

/* --- what is answered ------------------------------------------------------------ */

static uint8_t choose(struct answers *answers, uint8_t possible)
{
	uint32_t n = answers->n;

	if (possible < 2 || answers->settled)
		return 0;
	assert(n < ANSWERS_MAX);
	if (n >= answers->n_kept)
		answers->given[n] = 0;
	answers->possible[n] = possible;
	answers->n++;
	return answers->given[n];
}

static enum err fail(struct reader *reader, struct failure_text *failure)
{
	static const char text[] = "an expression fails";

	step_set_add(&reader->answers->failed, reader->step);
	memcpy(failure->text, text, sizeof text);
	failure->in = (struct slice){0};
	return ERR_INVALID;
}

/* The command was sent before: its arguments could be evaluated then. */
static bool sent_before(const struct saga *saga, uint32_t step, enum purpose purpose)
{
	enum step_state state = (enum step_state)saga->steps[step].state;

	return (purpose == PURPOSE_WITH && state == STEP_RUNNING) ||
	       (purpose == PURPOSE_UNDO && state == STEP_UNDOING);
}

/* A template's value or its failure. */
static enum err answer_template(struct reader *reader, const struct template *template,
				struct json *out, struct failure_text *failure)
{
	bool can_fail = template_can_fail(template);

	*out = JSON_OF("{}");
	if (sent_before(reader->saga, reader->step, reader->purpose))
		return OK;
	template_each(template, read_expression, reader);
	if (reader->skipped)
		return fail(reader, failure);
	return choose(reader->answers, can_fail ? 2 : 1) ? fail(reader, failure) : OK;
}

/* One of two values, or a failure. */
static enum err answer_expression(struct reader *reader, const struct expression *expression,
				  bool can_fail, const struct json values[2], struct json *out,
				  struct failure_text *failure)
{
	uint8_t answer;

	read_expression(reader, expression);
	if (reader->skipped)
		return fail(reader, failure);
	answer = choose(reader->answers, can_fail ? 3 : 2);
	if (answer == 2)
		return fail(reader, failure);
	if (answer && reader->purpose == PURPOSE_WHEN)
		step_set_add(&reader->answers->denied, reader->step);
	*out = values[answer];
	return OK;
}

/* A key is asked for once more whenever the command is sent again. */
static enum err answer_key(struct reader *reader, const struct expression *key,
			   struct json *out, struct failure_text *failure)
{
	*out = JSON_OF("key");
	if (sent_before(reader->saga, reader->step, PURPOSE_WITH))
		return OK;
	read_expression(reader, key);
	if (reader->skipped || choose(reader->answers, 2))
		return fail(reader, failure);
	return OK;
}

/* A list of none, one, ... elements, or a failure: it can always have too many. */
static enum err answer_list(struct reader *reader, const struct expression *in,
			    struct json *out, struct failure_text *failure)
{
	static const struct json lists[ELEMENTS_MAX + 1] = {
		{SLICE_LITERAL("[]")},
		{SLICE_LITERAL("[0]")},
		{SLICE_LITERAL("[0,0]")},
		{SLICE_LITERAL("[0,0,0]")},
		{SLICE_LITERAL("[0,0,0,0]")},
		{SLICE_LITERAL("[0,0,0,0,0]")},
		{SLICE_LITERAL("[0,0,0,0,0,0]")},
		{SLICE_LITERAL("[0,0,0,0,0,0,0]")},
		{SLICE_LITERAL("[0,0,0,0,0,0,0,0]")},
	};
	const struct model *model = reader->answers->model;
	uint32_t most = 0, n;

	for (uint32_t e = 0; e < model->n_expansions; e++)
		if (model->expansions[e].step == reader->step)
			most = model->expansions[e].n;
	read_expression(reader, in);
	if (reader->skipped)
		return fail(reader, failure);
	n = choose(reader->answers, (uint8_t)(most + 2));
	if (n > most)
		return fail(reader, failure);
	for (uint32_t i = 0; i < model->n_steps; i++)
		if (i != reader->step && model_inside(model, reader->step, i) &&
		    saga_instance(&model->definition, reader->saga, i).element >= n)
			step_set_add(&reader->answers->absent, i);
	*out = lists[n];
	return OK;
}

static enum err evaluate(const struct evaluator *evaluator, const struct definition *definition,
			 const struct saga *saga, uint32_t step, enum purpose purpose,
			 struct arena *arena, struct json *out, struct failure_text *failure)
{
	static const struct json conditions[] = {{SLICE_LITERAL("true")},
						 {SLICE_LITERAL("false")}};
	/* 2^49: later than any time in the model but "the budget is spent". */
	static const struct json moments[] = {{SLICE_LITERAL("562949953421312")},
					      {SLICE_LITERAL("0")}};
	struct reader reader = {
		.saga = saga,
		.answers = (struct answers *)evaluator,
		.step = step,
		.purpose = purpose,
	};
	const struct step_definition *of =
		step == NO_STEP ? NULL : &reader.answers->model->steps[step];

	switch (purpose) {
	case PURPOSE_WHEN:
		return answer_expression(&reader, of->when, of->when->can_fail, conditions, out,
					 failure);
	case PURPOSE_UNTIL: /* a text need not be a moment */
		return answer_expression(&reader, of->until, true, moments, out, failure);
	case PURPOSE_IN: return answer_list(&reader, of->in, out, failure);
	case PURPOSE_KEY: return answer_key(&reader, of->child_key, out, failure);
	case PURPOSE_WITH: return answer_template(&reader, of->call.with, out, failure);
	case PURPOSE_UNDO: return answer_template(&reader, of->undo.with, out, failure);
	case PURPOSE_OUTPUT: break;
	}
	/* A completed saga stays completed, whether or not its result can be told. */
	template_each(definition->output, read_expression, &reader);
	*out = JSON_OF("{}");
	return OK;
}

/* --- every combination ----------------------------------------------------------- */

static void keep(struct answers *answers, uint32_t n_kept)
{
	answers->n_kept = n_kept;
	answers->n = 0;
	answers->missing = (struct missing){0};
	answers->denied = answers->failed = answers->absent = (struct step_set){0};
}

void answers_begin(struct answers *answers)
{
	answers->evaluator.evaluate = evaluate;
	answers->settled = false;
	keep(answers, 0);
}

void answers_again(struct answers *answers)
{
	keep(answers, answers->n);
}

bool answers_next(struct answers *answers)
{
	uint32_t n = answers->n;

	while (n && answers->given[n - 1] + 1 == answers->possible[n - 1])
		n--;
	if (!n)
		return false;
	answers->given[n - 1]++;
	keep(answers, n);
	return true;
}

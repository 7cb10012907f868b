/* values.c - evaluates a definition's expressions over the real values of a saga. */
#include "base/rfc3339.h"
#include "orchestrator/core/saga.h"

struct saga_environment {
	struct environment base; /* first, so that the two pointers are one */
	const struct definition *definition;
	const struct saga *saga;
	struct arena *arena;
	uint32_t step; /* where the expression stands; NO_STEP: behind all of them */
	uint32_t own;  /* the step whose undo is meant: its late output is visible */
	bool *nomem;
	bool *too_large; /* a list of outputs is */
};

static bool as_text(const struct saga_environment *environment, struct slice characters,
		    struct json *out)
{
	struct bytes text = BYTES(PAYLOAD_MAX, environment->arena);

	json_write_text(&text, characters);
	if (text.err) {
		*environment->nomem = true;
		return false;
	}
	out->text = bytes_slice(&text);
	return true;
}

/* The outputs of all elements; of those that have none, null. */
static bool all_outputs(const struct saga_environment *environment, uint32_t of,
			struct json *out)
{
	const struct saga *saga = environment->saga;
	uint32_t each = environment->definition->steps[of].each;
	const struct expansion *expansion = saga_expansion(saga, each);
	struct bytes list = BYTES(PAYLOAD_MAX, environment->arena);

	if (!(saga->steps[each].flags & FLAG_OUTPUT))
		return false;
	bytes_add(&list, '[');
	for (uint32_t n = 0; expansion && n < expansion->n; n++) {
		uint32_t i = of + expansion_shift(environment->definition, expansion, n);
		const struct step *step = &saga->steps[i];
		bool there = step->flags & FLAG_OUTPUT && step->output.len;

		if (n)
			bytes_add(&list, ',');
		bytes_append(&list, there ? step->output : SLICE_LITERAL("null"));
	}
	bytes_add(&list, ']');
	*environment->nomem |= list.err == ERR_NOMEM;
	*environment->too_large |= list.err == ERR_TOO_LARGE;
	out->text = bytes_slice(&list);
	return !list.err;
}

static bool element(const struct saga_environment *environment, struct json *out)
{
	struct instance at =
		saga_instance(environment->definition, environment->saga, environment->step);
	const struct expansion *expansion =
		saga_expansion(environment->saga, environment->definition->steps[at.step].each);

	if (!expansion)
		return false;
	out->text = expansion->items[at.element];
	return true;
}

static bool step_output(const struct saga_environment *environment, struct name name,
			struct json *out)
{
	const struct definition *definition = environment->definition;
	uint32_t i = name.step;
	const struct step *step;

	if (name.all)
		return all_outputs(environment, i, out);
	if (definition->steps[i].each != NO_STEP) { /* the same element's */
		struct instance at =
			saga_instance(definition, environment->saga, environment->step);

		i = saga_instance_at(definition, environment->saga,
				     (struct instance){i, at.element});
	}
	step = &environment->saga->steps[i];

	if (!(step->flags & FLAG_OUTPUT) && !(i == environment->own && step->flags & FLAG_LATE))
		return false;
	out->text = step->output.len ? step->output : SLICE_LITERAL("null");
	return true;
}

static bool started_at(const struct saga_environment *environment, struct json *out)
{
	char text[RFC3339_TEXT_SIZE];

	rfc3339_format(environment->saga->started_ms, text);
	return as_text(environment, slice_of(text), out);
}

/* Null where the saga turned back without a step that failed: cancelled, say. */
static bool failed_step(const struct saga_environment *environment, struct json *out)
{
	uint32_t i = environment->saga->failure_step;

	if (i != NO_STEP)
		return as_text(
			environment,
			saga_step_definition(environment->definition, environment->saga, i)
				->name,
			out);
	*out = JSON_OF("null");
	return true;
}

static bool lookup(const struct environment *base, struct name name, struct json *out)
{
	const struct saga_environment *environment = (const struct saga_environment *)base;
	const struct saga *saga = environment->saga;
	const struct definition *definition = environment->definition;

	switch (name.root) {
	case ROOT_INPUT: out->text = saga->input; return saga->input.len > 0;
	case ROOT_STEP_OUT: return step_output(environment, name, out);
	case ROOT_ELEMENT: return element(environment, out);
	case ROOT_SAGA_ID: return as_text(environment, saga->id, out);
	case ROOT_SAGA_KEY: return as_text(environment, saga->key, out);
	case ROOT_SAGA_NAME: return as_text(environment, definition->name, out);
	case ROOT_SAGA_STARTED_AT: return started_at(environment, out);
	case ROOT_FAILURE_STEP: return failed_step(environment, out);
	case ROOT_FAILURE_CODE:
		return saga->failure && as_text(environment, saga->failure->code, out);
	case ROOT_FAILURE_MESSAGE:
		return saga->failure && as_text(environment, saga->failure->message, out);
	}
	return false;
}

static enum err fail(const struct expression *expression, struct failure_text *failure,
		     const char *what)
{
	struct bytes text = {.at = failure->text,
			     .capacity = sizeof failure->text - 1,
			     .max = sizeof failure->text - 1};

	bytes_format(&text, "%u:%u: %s", expression->place.line, expression->place.column,
		     what);
	failure->text[text.len] = '\0';
	failure->in = expression->text;
	return ERR_INVALID;
}

static enum err evaluate_when(const struct expression *when,
			      const struct environment *environment, struct arena *arena,
			      struct json *out, struct failure_text *failure)
{
	struct value value;
	enum err err;

	err = expression_evaluate(when, environment, arena, &value, failure);
	if (err)
		return err;
	if (value.type != JSON_BOOL)
		return fail(when, failure, "the condition is neither true nor false");
	*out = value.boolean ? JSON_OF("true") : JSON_OF("false");
	return OK;
}

static enum err evaluate_until(const struct expression *until,
			       const struct environment *environment, struct arena *arena,
			       struct json *out, struct failure_text *failure)
{
	char digits[DECIMAL_TEXT_MAX];
	struct value value;
	struct slice text;
	int64_t until_ms;
	enum err err;

	err = expression_evaluate(until, environment, arena, &value, failure);
	if (err)
		return err;
	if (value.type != JSON_TEXT)
		return fail(until, failure, "the time to sleep until is not a text");
	if (!value_text(&value, arena, &text))
		return ERR_NOMEM;
	if (rfc3339_parse(text, &until_ms, NULL))
		return fail(until, failure,
			    "the time to sleep until is not an RFC 3339 time such as "
			    "2030-01-31T09:00:00Z");
	text = (struct slice){digits, decimal_format((struct decimal){until_ms, 0}, digits)};
	return arena_copy(arena, text, &out->text) ? OK : ERR_NOMEM;
}

/* A key as text; it is no JSON. */
static enum err evaluate_key(const struct expression *key,
			     const struct environment *environment, struct arena *arena,
			     struct slice *out, struct failure_text *failure)
{
	struct decimal number;
	struct value value;
	enum err err;

	err = expression_evaluate(key, environment, arena, &value, failure);
	if (err)
		return err;
	if (value.type == JSON_NUMBER) {
		char text[DECIMAL_TEXT_MAX];

		if (value_number(&value, &number) || !decimal_is_whole(number))
			return fail(key, failure, "the key is a number, but not a whole one");
		number = (struct decimal){decimal_truncate(number), 0};
		return arena_copy(arena, (struct slice){text, decimal_format(number, text)},
				  out)
			       ? OK
			       : ERR_NOMEM;
	}
	if (value.type != JSON_TEXT)
		return fail(key, failure, "the key is neither a text nor a number");
	if (!value_text(&value, arena, out))
		return ERR_NOMEM;
	if (!out->len || out->len > KEY_MAX)
		return fail(key, failure, "the key is empty or longer than 256 bytes");
	return OK;
}

/* `key` may name the input and the saga's id and name, nothing else. */
enum err saga_key(const struct definition *definition, struct slice id, struct slice input,
		  struct arena *arena, struct slice *out, struct failure_text *failure)
{
	struct saga saga = {.id = id, .input = input};
	bool nomem = false, too_large = false;
	struct saga_environment environment = {.base = {.lookup = lookup},
					       .definition = definition,
					       .saga = &saga,
					       .arena = arena,
					       .step = NO_STEP,
					       .own = NO_STEP,
					       .nomem = &nomem,
					       .too_large = &too_large};
	enum err err;

	*out = id;
	if (!definition->key)
		return OK;
	err = evaluate_key(definition->key, &environment.base, arena, out, failure);
	return nomem ? ERR_NOMEM : err;
}

static enum err evaluate_in(const struct expression *in, const struct environment *environment,
			    struct arena *arena, struct json *out, struct failure_text *failure)
{
	struct value value;
	enum err err;

	err = expression_evaluate(in, environment, arena, &value, failure);
	if (err)
		return err;
	if (value.type != JSON_LIST)
		return fail(in, failure, "what `in` gives is not a list");
	*out = value.source;
	return OK;
}

static enum err evaluate_values(const struct evaluator *evaluator,
				const struct definition *definition, const struct saga *saga,
				uint32_t step, enum purpose purpose, struct arena *arena,
				struct json *out, struct failure_text *failure)
{
	const struct step_definition *s =
		step == NO_STEP ? NULL : saga_step_definition(definition, saga, step);
	bool nomem = false, too_large = false;
	struct saga_environment environment = {
		.base = {.lookup = lookup},
		.definition = definition,
		.saga = saga,
		.arena = arena,
		.step = step,
		.own = purpose == PURPOSE_UNDO ? step : NO_STEP,
		.nomem = &nomem,
		.too_large = &too_large,
	};
	enum err err = ERR_INVALID;

	switch (purpose) {
	case PURPOSE_WHEN:
		err = evaluate_when(s->when, &environment.base, arena, out, failure);
		break;
	case PURPOSE_UNTIL:
		err = evaluate_until(s->until, &environment.base, arena, out, failure);
		break;
	case PURPOSE_IN:
		err = evaluate_in(s->in, &environment.base, arena, out, failure);
		break;
	case PURPOSE_KEY:
		err = evaluate_key(s->child_key, &environment.base, arena, &out->text, failure);
		break;
	case PURPOSE_WITH:
		err = template_evaluate(s->call.with, &environment.base, arena, out, failure);
		break;
	case PURPOSE_UNDO:
		err = template_evaluate(s->undo.with, &environment.base, arena, out, failure);
		break;
	case PURPOSE_OUTPUT:
		err = template_evaluate(definition->output, &environment.base, arena, out,
					failure);
		break;
	}
	if (too_large && failure) {
		static const char text[] =
			"the outputs of all elements together are larger than 256 KiB; "
			"let the steps answer less";

		memcpy(failure->text, text, sizeof text);
		failure->in = (struct slice){0};
	}
	if (too_large && err != ERR_NOMEM)
		err = ERR_INVALID;
	return nomem ? ERR_NOMEM : err;
}

const struct evaluator evaluator_values = {evaluate_values};

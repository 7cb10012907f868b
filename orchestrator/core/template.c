#include "orchestrator/core/template.h"

#include "orchestrator/core/evaluate.h"

struct build {
	struct evaluation evaluation;
	struct bytes out;
};

static enum err fail_limit(struct build *build, const char *sentence)
{
	const struct expression *last = build->evaluation.expression;
	struct place place = last ? last->place : (struct place){0};

	return evaluation_fail(&build->evaluation, place, (struct slice){0}, sentence);
}

/* How deep lists and objects nest in a value. */
static size_t count_levels(struct slice json)
{
	size_t depth = 0, deepest = 0;
	bool in_text = false;

	for (size_t i = 0; i < json.len; i++) {
		char c = json.at[i];

		if (c == '\\' && in_text)
			i++;
		else if (c == '"')
			in_text = !in_text;
		else if (!in_text && (c == '[' || c == '{'))
			depth++;
		else if (!in_text && (c == ']' || c == '}'))
			depth--;
		if (depth > deepest)
			deepest = depth;
	}
	return deepest;
}

/* What was nested within the limit can go beyond it inside other things. A
 * value has two bytes a level, so that most need not be looked through. */
static enum err check_levels(struct build *build, struct slice json, size_t depth)
{
	size_t left = JSON_DEPTH_MAX - depth;

	if (json.len / 2 <= left || (json.at[0] != '[' && json.at[0] != '{') ||
	    count_levels(json) <= left)
		return OK;
	return fail_limit(build, "result too large: lists and objects nest more than 64 deep");
}

static enum err write_value(struct build *build, const struct expression *expression,
			    size_t depth)
{
	struct value value;
	enum err err = evaluation_run(&build->evaluation, expression, &value);

	if (!err && (value.type == JSON_LIST || value.type == JSON_OBJECT))
		err = check_levels(build, value.source.text, depth);
	if (!err)
		value_write(&build->out, &value);
	return err;
}

static enum err write_template(struct build *build, const struct template *template,
			       size_t depth);

static enum err write_entries(struct build *build, const struct template *template,
			      size_t depth)
{
	bool object = template->kind == TEMPLATE_OBJECT;
	enum err err = OK;

	if (depth == JSON_DEPTH_MAX)
		return fail_limit(build,
				  "result too large: lists and objects nest more than 64 deep");
	bytes_add(&build->out, object ? '{' : '[');
	for (size_t i = 0; i < template->n_entries && !err; i++) {
		if (i > 0)
			bytes_add(&build->out, ',');
		if (object) {
			json_write_text(&build->out, template->entries[i].name);
			bytes_add(&build->out, ':');
		}
		err = write_template(build, template->entries[i].value, depth + 1);
	}
	bytes_add(&build->out, object ? '}' : ']');
	return err;
}

static enum err write_template(struct build *build, const struct template *template,
			       size_t depth)
{
	enum err err = OK;

	switch (template->kind) {
	case TEMPLATE_LITERAL:
		err = check_levels(build, template->literal.text, depth);
		bytes_append(&build->out, template->literal.text);
		break;
	case TEMPLATE_EXPRESSION: err = write_value(build, template->expression, depth); break;
	case TEMPLATE_OBJECT:
	case TEMPLATE_LIST: err = write_entries(build, template, depth); break;
	}
	if (err)
		return err;
	if (build->out.err == ERR_TOO_LARGE)
		return fail_limit(build, "result too large: it is at most 256 KiB");
	return build->out.err;
}

enum err template_evaluate(const struct template *template,
			   const struct environment *environment, struct arena *arena,
			   struct json *out, struct failure_text *failure)
{
	struct build build = {.evaluation = {.environment = environment,
					     .arena = arena,
					     .failure = failure,
					     .room = EVALUATION_TEXT_MAX},
			      .out = BYTES(PAYLOAD_MAX, arena)};
	enum err err = write_template(&build, template, 0);

	if (!err)
		out->text = bytes_slice(&build.out);
	return err;
}

bool template_can_fail(const struct template *template)
{
	if (template->kind == TEMPLATE_EXPRESSION)
		return template->expression->can_fail;
	for (size_t i = 0; i < template->n_entries; i++)
		if (template_can_fail(template->entries[i].value))
			return true;
	return false;
}

void template_each(const struct template *template,
		   void (*visit)(void *context, const struct expression *expression),
		   void *context)
{
	if (template->kind == TEMPLATE_EXPRESSION)
		visit(context, template->expression);
	for (size_t i = 0; i < template->n_entries; i++)
		template_each(template->entries[i].value, visit, context);
}

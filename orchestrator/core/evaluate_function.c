/* evaluate_function.c - the functions that compute. */
#include "base/utf8.h"
#include "orchestrator/core/evaluate.h"

#include <assert.h>

static struct value value_of_whole(int64_t number)
{
	return (struct value){
		.type = JSON_NUMBER, .decoded = true, .number = {.coefficient = number}};
}

static enum err call_size(struct evaluation *evaluation, struct place place,
			  const struct value *of, struct value *out)
{
	bool counts = of->type == JSON_TEXT || of->type == JSON_LIST || of->type == JSON_OBJECT;

	if (!counts)
		return evaluation_fail_type(evaluation, place, "size()",
					    "a list, an object or a text", of->type);
	if (of->source.text.len)
		*out = value_of_whole((int64_t)json_size(of->source));
	else
		*out = value_of_whole((int64_t)utf8_count(of->text));
	return OK;
}

/* What string() makes of a scalar. A number keeps its spelling. */
static enum err scalar_text(struct evaluation *evaluation, struct place place, const char *who,
			    const struct value *of, struct slice *out)
{
	char text[DECIMAL_TEXT_MAX];

	switch (of->type) {
	case JSON_TEXT: return evaluation_text(evaluation, place, of, out);
	case JSON_NULL: *out = SLICE_LITERAL("null"); return OK;
	case JSON_BOOL: *out = slice_of(of->boolean ? "true" : "false"); return OK;
	case JSON_NUMBER:
		*out = of->source.text;
		if (out->len)
			return OK;
		*out = (struct slice){text, decimal_format(of->number, text)};
		return arena_copy(evaluation->arena, *out, out) ? OK : ERR_NOMEM;
	case JSON_LIST:
	case JSON_OBJECT: break;
	}
	return evaluation_fail_type(evaluation, place, who,
				    "a text, a number, a boolean or null", of->type);
}

static enum err call_string(struct evaluation *evaluation, struct place place,
			    const struct value *of, struct value *out)
{
	struct slice text = {0};
	enum err err = scalar_text(evaluation, place, "string()", of, &text);

	*out = value_of_text(text);
	return err;
}

static bool is_whole_text(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.at[i] < '0' || text.at[i] > '9') && (i > 0 || text.at[i] != '-'))
			return false;
	return true;
}

static enum err call_int(struct evaluation *evaluation, struct place place,
			 const struct value *of, struct value *out)
{
	struct decimal number = {0};
	enum decimal_result result;
	struct slice text;
	enum err err;

	if (of->type == JSON_TEXT) {
		err = evaluation_text(evaluation, place, of, &text);
		if (err)
			return err;
		result = is_whole_text(text) ? decimal_parse(text, &number)
					     : DECIMAL_NOT_A_NUMBER;
	} else if (of->type == JSON_NUMBER) {
		result = value_number(of, &number);
	} else {
		return evaluation_fail_type(evaluation, place, "int()", "a number or a text",
					    of->type);
	}
	if (result == DECIMAL_NOT_A_NUMBER)
		return evaluation_fail(evaluation, place, SLICE_LITERAL("int()"),
				       "needs a text that is a whole number, such as '42'");
	if (result != DECIMAL_OK)
		return evaluation_fail_number(evaluation, place, result);
	*out = value_of_whole(decimal_truncate(number));
	return OK;
}

static char change_case(char c, char first, char last)
{
	return c >= first && c <= last ? (char)(c ^ ('a' ^ 'A')) : c;
}

/* The letters A to Z only: what case other letters have depends on a language. */
static enum err call_case(struct evaluation *evaluation, struct place place, bool lower,
			  const struct value *of, struct value *out)
{
	struct slice text;
	char *changed;
	enum err err;

	if (of->type != JSON_TEXT)
		return evaluation_fail_type(evaluation, place, lower ? "lower()" : "upper()",
					    "a text", of->type);
	err = evaluation_text(evaluation, place, of, &text);
	if (!err)
		err = evaluation_take(evaluation, place, text.len);
	if (err)
		return err;
	changed = arena_alloc(evaluation->arena, text.len);
	if (!changed)
		return ERR_NOMEM;
	for (size_t i = 0; i < text.len; i++)
		changed[i] = lower ? change_case(text.at[i], 'A', 'Z')
				   : change_case(text.at[i], 'a', 'z');
	*out = value_of_text((struct slice){changed, text.len});
	return OK;
}

static enum err call_join(struct evaluation *evaluation, const struct node *call,
			  const struct value *list, const struct value *separator,
			  struct value *out)
{
	struct bytes joined = BYTES(PAYLOAD_MAX, evaluation->arena);
	struct place place = call->arguments->node->place;
	struct json_each each;
	struct slice between, text = {0};
	enum err err;

	if (list->type != JSON_LIST)
		return evaluation_fail_type(evaluation, place, "join()", "a list", list->type);
	if (separator->type != JSON_TEXT)
		return evaluation_fail_type(evaluation, call->arguments->next->node->place,
					    "join()", "a text between the elements",
					    separator->type);
	err = evaluation_text(evaluation, place, separator, &between);
	each = json_each(list->source);
	for (bool first = true; !err && json_next(&each); first = false) {
		struct value element;

		value_set(&element, each.value);
		if (!first)
			err = evaluation_append(evaluation, place, &joined, between);
		if (!err)
			err = scalar_text(evaluation, place, "every element that join() joins",
					  &element, &text);
		if (!err)
			err = evaluation_append(evaluation, place, &joined, text);
	}
	*out = value_of_text(bytes_slice(&joined));
	return err;
}

enum err function_call(struct evaluation *evaluation, const struct node *call,
		       const struct value *arguments, struct value *out)
{
	struct place place = call->arguments->node->place;

	switch (call->function) {
	case FUNCTION_SIZE: return call_size(evaluation, place, &arguments[0], out);
	case FUNCTION_STRING: return call_string(evaluation, place, &arguments[0], out);
	case FUNCTION_INT: return call_int(evaluation, place, &arguments[0], out);
	case FUNCTION_LOWER: return call_case(evaluation, place, true, &arguments[0], out);
	case FUNCTION_UPPER: return call_case(evaluation, place, false, &arguments[0], out);
	case FUNCTION_JOIN:
		return call_join(evaluation, call, &arguments[0], &arguments[1], out);
	case FUNCTION_IF:
	case FUNCTION_HAS:
	case FUNCTION_UNKNOWN: break;
	}
	assert(!"a function of values");
	return ERR_INVALID;
}

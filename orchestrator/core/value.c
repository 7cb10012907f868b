/* value.c - values on their way through an expression. */
#include "orchestrator/core/expression_node.h"

#include <assert.h>

void value_set(struct value *value, struct json json)
{
	value->type = json_type(json);
	value->source = json;
	value->decoded = value->type == JSON_BOOL;
	if (value->decoded)
		value->boolean = json_bool(json);
}

bool value_text(const struct value *value, struct arena *arena, struct slice *out)
{
	if (!value->decoded)
		return json_text(value->source, arena, out);
	*out = value->text;
	return true;
}

enum decimal_result value_number(const struct value *value, struct decimal *out)
{
	if (!value->decoded)
		return json_number(value->source, out);
	*out = value->number;
	return DECIMAL_OK;
}

/* Beyond the exact range numbers are equal where they are spelled alike. */
static bool equal_numbers(const struct value *a, const struct value *b)
{
	struct decimal x, y;

	if (value_number(a, &x) == DECIMAL_OK && value_number(b, &y) == DECIMAL_OK)
		return decimal_compare(x, y) == 0;
	return value_has_source(a) && value_has_source(b) && json_equal(a->source, b->source);
}

bool value_equal(const struct value *a, const struct value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case JSON_NULL: return true;
	case JSON_BOOL: return a->boolean == b->boolean;
	case JSON_NUMBER: return equal_numbers(a, b);
	case JSON_TEXT: assert(!"texts are decoded first"); return false;
	case JSON_LIST:
	case JSON_OBJECT: return json_equal(a->source, b->source);
	}
	return false;
}

void value_write(struct bytes *out, const struct value *value)
{
	char text[DECIMAL_TEXT_MAX];

	if (value_has_source(value)) {
		bytes_append(out, value->source.text);
		return;
	}
	switch (value->type) {
	case JSON_BOOL: bytes_text(out, value->boolean ? "true" : "false"); return;
	case JSON_NUMBER:
		bytes_append(out, (struct slice){text, decimal_format(value->number, text)});
		return;
	case JSON_TEXT: json_write_text(out, value->text); return;
	case JSON_NULL:
	case JSON_LIST:
	case JSON_OBJECT: assert(!"no operator makes these"); return;
	}
}

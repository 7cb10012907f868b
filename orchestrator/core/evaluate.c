/* evaluate.c - what an expression comes to.
 *
 * A path costs no more than finding its bytes. The recursion goes as deep as
 * the source nests (expression_node.h) and along a chain in a loop.
 */
#include "orchestrator/core/evaluate.h"

#include <assert.h>

static struct value value_of_bool(bool boolean)
{
	return (struct value){.type = JSON_BOOL, .decoded = true, .boolean = boolean};
}

static struct value value_of_number(struct decimal number)
{
	return (struct value){.type = JSON_NUMBER, .decoded = true, .number = number};
}

/* --- paths -------------------------------------------------------------------- */

enum found { FOUND, FOUND_NOTHING, FOUND_NO_OBJECT, FOUND_NO_LIST };

/* Go as far as the path leads; *at is then the segment that led nowhere. */
static enum found follow(struct json *json, const struct segment **at)
{
	for (; *at; *at = (*at)->next) {
		enum json_type type = json_type(*json);

		if ((*at)->is_index) {
			if (type != JSON_LIST)
				return FOUND_NO_LIST;
			if (!json_at(*json, (*at)->index, json))
				return FOUND_NOTHING;
		} else {
			if (type != JSON_OBJECT)
				return FOUND_NO_OBJECT;
			if (!json_get(*json, (*at)->name, json))
				return FOUND_NOTHING;
		}
	}
	return FOUND;
}

static enum err fail_path(struct evaluation *evaluation, const struct node *node,
			  const struct segment *at, enum found found)
{
	struct slice normal = evaluation->expression->text;
	struct place place = at ? at->place : node->place;

	switch (found) {
	case FOUND: break;
	case FOUND_NOTHING:
		return evaluation_fail(evaluation, place,
				       path_text(normal, &node->path, at ? at->next : NULL),
				       "is missing");
	case FOUND_NO_OBJECT:
		return evaluation_fail(evaluation, place, path_text(normal, &node->path, at),
				       "is not an object, so it has no members");
	case FOUND_NO_LIST:
		return evaluation_fail(evaluation, place, path_text(normal, &node->path, at),
				       "is not a list, so it has no elements");
	}
	assert(!"a path that was found has not failed");
	return ERR_INVALID;
}

static enum err evaluate(struct evaluation *evaluation, const struct node *node,
			 struct value *out);

static enum err evaluate_path(struct evaluation *evaluation, const struct node *node,
			      struct value *out)
{
	const struct segment *at = node->path.rest;
	struct json json = {{0}};
	enum found found = FOUND;
	enum err err;

	if (node->path.base) {
		err = evaluate(evaluation, node->path.base, out);
		if (err)
			return err;
		if (out->type != JSON_OBJECT && out->type != JSON_LIST)
			return fail_path(evaluation, node, at,
					 at->is_index ? FOUND_NO_LIST : FOUND_NO_OBJECT);
		json = out->source;
	} else if (!evaluation->environment->lookup(evaluation->environment, node->path.name,
						    &json)) {
		return evaluation_fail(evaluation, node->place,
				       path_text(evaluation->expression->text, &node->path, at),
				       "is missing");
	}
	found = follow(&json, &at);
	if (found != FOUND)
		return fail_path(evaluation, node, at, found);
	value_set(out, json);
	return OK;
}

static bool is_there(const struct evaluation *evaluation, const struct path *path)
{
	const struct segment *at = path->rest;
	struct json json = {{0}};

	return evaluation->environment->lookup(evaluation->environment, path->name, &json) &&
	       follow(&json, &at) == FOUND && json_type(json) != JSON_NULL;
}

/* --- chains ------------------------------------------------------------------- */

static enum err evaluate_bool(struct evaluation *evaluation, const struct node *node,
			      const char *who, bool *out)
{
	struct value value;
	enum err err = evaluate(evaluation, node, &value);

	if (err)
		return err;
	if (value.type != JSON_BOOL)
		return evaluation_fail_type(evaluation, node->place, who, "a boolean",
					    value.type);
	*out = value.boolean;
	return OK;
}

static enum err evaluate_logic(struct evaluation *evaluation, const struct node *chain,
			       struct value *out)
{
	bool ends = chain->level == LEVEL_OR;
	bool value = !ends;

	for (const struct operand *at = chain->operands; at && value != ends; at = at->next) {
		enum err err = evaluate_bool(evaluation, at->node, ends ? "||" : "&&", &value);

		if (err)
			return err;
	}
	*out = value_of_bool(value);
	return OK;
}

static enum err compare(struct evaluation *evaluation, const struct operand *right,
			const struct value *a, const struct value *b, int *order)
{
	struct place place = right->node->place;
	struct decimal x = {0}, y = {0};
	struct slice s, t;
	enum decimal_result result;
	enum err err;

	if (a->type == JSON_TEXT && b->type == JSON_TEXT) {
		err = evaluation_text(evaluation, place, a, &s);
		if (!err)
			err = evaluation_text(evaluation, place, b, &t);
		if (!err)
			*order = slice_compare(s, t);
		return err;
	}
	if (a->type != JSON_NUMBER || b->type != JSON_NUMBER)
		return evaluation_fail_pair(evaluation, place, "compare", a->type, b->type);
	result = value_number(a, &x);
	if (result == DECIMAL_OK)
		result = value_number(b, &y);
	if (result != DECIMAL_OK)
		return evaluation_fail_number(evaluation, place, result);
	*order = decimal_compare(x, y);
	return OK;
}

/* Texts that came as JSON are compared as such: nothing has to be decoded. */
static enum err equal_texts(struct evaluation *evaluation, struct place place,
			    const struct value *a, const struct value *b, bool *out)
{
	struct slice x, y;
	enum err err;

	if (value_has_source(a) && value_has_source(b)) {
		*out = json_equal(a->source, b->source);
		return OK;
	}
	err = evaluation_text(evaluation, place, a, &x);
	if (!err)
		err = evaluation_text(evaluation, place, b, &y);
	if (!err)
		*out = slice_equal(x, y);
	return err;
}

static enum err equal(struct evaluation *evaluation, struct place place, const struct value *a,
		      const struct value *b, bool *out)
{
	if (a->type == JSON_TEXT && b->type == JSON_TEXT)
		return equal_texts(evaluation, place, a, b, out);
	*out = value_equal(a, b);
	return OK;
}

static enum err relate(struct evaluation *evaluation, const struct operand *right,
		       const struct value *a, const struct value *b, bool *out)
{
	int order = 0;
	enum err err;

	if (right->op == OP_EQUAL || right->op == OP_NOT_EQUAL) {
		err = equal(evaluation, right->node->place, a, b, out);
		*out = *out == (right->op == OP_EQUAL);
		return err;
	}
	err = compare(evaluation, right, a, b, &order);
	if (err)
		return err;
	if (right->op == OP_LESS)
		*out = order < 0;
	else if (right->op == OP_LESS_EQUAL)
		*out = order <= 0;
	else if (right->op == OP_GREATER)
		*out = order > 0;
	else
		*out = order >= 0;
	return OK;
}

static enum err evaluate_relation(struct evaluation *evaluation, const struct node *chain,
				  struct value *out)
{
	const struct operand *at = chain->operands;
	enum err err = evaluate(evaluation, at->node, out);

	for (at = at->next; at && !err; at = at->next) {
		struct value right;
		bool result = false;

		err = evaluate(evaluation, at->node, &right);
		if (!err)
			err = relate(evaluation, at, out, &right, &result);
		*out = value_of_bool(result);
	}
	return err;
}

static enum decimal_result compute(enum operation op, struct decimal a, struct decimal b,
				   struct decimal *out)
{
	switch (op) {
	case OP_ADD: return decimal_add(a, b, out);
	case OP_SUBTRACT: return decimal_subtract(a, b, out);
	case OP_MULTIPLY: return decimal_multiply(a, b, out);
	case OP_DIVIDE: return decimal_divide(a, b, out);
	case OP_REMAINDER: return decimal_remainder(a, b, out);
	case OP_OR:
	case OP_AND:
	case OP_EQUAL:
	case OP_NOT_EQUAL:
	case OP_LESS:
	case OP_LESS_EQUAL:
	case OP_GREATER:
	case OP_GREATER_EQUAL: break;
	}
	assert(!"an operator on numbers");
	return DECIMAL_NOT_A_NUMBER;
}

/* *left becomes the result. */
static enum err calculate(struct evaluation *evaluation, const struct operand *right,
			  const struct node *first, struct value *left, const struct value *b)
{
	const char *op = operation_texts[right->op].text;
	struct place place = right->node->place;
	struct decimal x = {0}, y = {0}, result = {0};
	enum decimal_result outcome;

	if (right->op == OP_ADD && (left->type != JSON_NUMBER || b->type != JSON_NUMBER))
		return evaluation_fail_pair(evaluation, place, "add", left->type, b->type);
	if (left->type != JSON_NUMBER)
		return evaluation_fail_type(evaluation, first->place, op, "numbers",
					    left->type);
	if (b->type != JSON_NUMBER)
		return evaluation_fail_type(evaluation, place, op, "numbers", b->type);
	outcome = value_number(left, &x);
	if (outcome == DECIMAL_OK)
		outcome = value_number(b, &y);
	if (outcome != DECIMAL_OK)
		return evaluation_fail_number(evaluation, place, outcome);
	if (right->op == OP_REMAINDER && (!decimal_is_whole(x) || !decimal_is_whole(y)))
		return evaluation_fail(evaluation, right->place, SLICE_LITERAL("%"),
				       "needs whole numbers");
	outcome = compute(right->op, x, y, &result);
	if (outcome != DECIMAL_OK)
		return evaluation_fail_number(evaluation, right->place, outcome);
	*left = value_of_number(result);
	return OK;
}

/* A chain of texts grows in one buffer, so that it costs what it is long. */
static enum err join_texts(struct evaluation *evaluation, struct place place,
			   struct bytes *buffer, const struct value *left,
			   const struct value *right)
{
	struct slice text;
	enum err err = OK;

	if (!buffer->at) {
		err = evaluation_text(evaluation, place, left, &text);
		if (!err)
			err = evaluation_append(evaluation, place, buffer, text);
	}
	if (!err)
		err = evaluation_text(evaluation, place, right, &text);
	if (!err)
		err = evaluation_append(evaluation, place, buffer, text);
	return err;
}

static enum err evaluate_arithmetic(struct evaluation *evaluation, const struct node *chain,
				    struct value *out)
{
	struct bytes buffer = BYTES(PAYLOAD_MAX, evaluation->arena);
	const struct operand *at = chain->operands;
	const struct node *first = at->node;
	enum err err = evaluate(evaluation, first, out);

	for (at = at->next; at && !err; at = at->next) {
		struct value right;

		err = evaluate(evaluation, at->node, &right);
		if (err)
			return err;
		if (at->op != OP_ADD || out->type != JSON_TEXT || right.type != JSON_TEXT) {
			err = calculate(evaluation, at, first, out, &right);
			continue;
		}
		err = join_texts(evaluation, at->place, &buffer, out, &right);
		*out = value_of_text(bytes_slice(&buffer));
	}
	return err;
}

static enum err evaluate_chain(struct evaluation *evaluation, const struct node *chain,
			       struct value *out)
{
	switch (chain->level) {
	case LEVEL_OR:
	case LEVEL_AND: return evaluate_logic(evaluation, chain, out);
	case LEVEL_EQUALITY:
	case LEVEL_ORDER: return evaluate_relation(evaluation, chain, out);
	case LEVEL_SUM:
	case LEVEL_PRODUCT: return evaluate_arithmetic(evaluation, chain, out);
	case LEVEL_UNARY:
	case LEVEL_POSTFIX: break;
	}
	assert(!"a chain is of operators with two sides");
	return ERR_INVALID;
}

/* --- the rest ----------------------------------------------------------------- */

static enum err evaluate_not(struct evaluation *evaluation, const struct node *node,
			     struct value *out)
{
	bool value = false;
	enum err err = evaluate_bool(evaluation, node->operand, "!", &value);

	*out = value_of_bool(!value);
	return err;
}

static enum err evaluate_negate(struct evaluation *evaluation, const struct node *node,
				struct value *out)
{
	struct place place = node->operand->place;
	enum err err = evaluate(evaluation, node->operand, out);
	struct decimal number = {0};
	enum decimal_result result;

	if (err)
		return err;
	if (out->type != JSON_NUMBER)
		return evaluation_fail_type(evaluation, place, "-", "a number", out->type);
	result = value_number(out, &number);
	if (result == DECIMAL_OK)
		result = decimal_negate(number, &number);
	if (result != DECIMAL_OK)
		return evaluation_fail_number(evaluation, place, result);
	*out = value_of_number(number);
	return OK;
}

static enum err evaluate_call(struct evaluation *evaluation, const struct node *call,
			      struct value *out)
{
	const struct operand *argument = call->arguments;
	struct value values[2] = {0};
	bool condition = false;
	enum err err;
	size_t n = 0;

	if (call->function == FUNCTION_HAS) {
		*out = value_of_bool(is_there(evaluation, &argument->node->path));
		return OK;
	}
	if (call->function == FUNCTION_IF) {
		err = evaluate_bool(evaluation, argument->node, "the condition of if()",
				    &condition);
		if (err)
			return err;
		argument = condition ? argument->next : argument->next->next;
		return evaluate(evaluation, argument->node, out);
	}
	for (; argument; argument = argument->next) {
		err = evaluate(evaluation, argument->node, &values[n++]);
		if (err)
			return err;
	}
	return function_call(evaluation, call, values, out);
}

static enum err evaluate(struct evaluation *evaluation, const struct node *node,
			 struct value *out)
{
	switch (node->kind) {
	case NODE_LITERAL: *out = node->literal; return OK;
	case NODE_PATH: return evaluate_path(evaluation, node, out);
	case NODE_NOT: return evaluate_not(evaluation, node, out);
	case NODE_NEGATE: return evaluate_negate(evaluation, node, out);
	case NODE_CALL: return evaluate_call(evaluation, node, out);
	case NODE_CHAIN: return evaluate_chain(evaluation, node, out);
	}
	assert(!"a node of a kind");
	return ERR_INVALID;
}

enum err evaluation_run(struct evaluation *evaluation, const struct expression *expression,
			struct value *out)
{
	evaluation->expression = expression;
	return evaluate(evaluation, expression->root, out);
}

enum err expression_evaluate(const struct expression *expression,
			     const struct environment *environment, struct arena *arena,
			     struct value *out, struct failure_text *failure)
{
	struct evaluation evaluation = {.environment = environment,
					.arena = arena,
					.failure = failure,
					.room = EVALUATION_TEXT_MAX};

	return evaluation_run(&evaluation, expression, out);
}

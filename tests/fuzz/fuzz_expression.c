/* fuzz_expression.c - any bytes as an expression: parsed, checked, and where it
 * is right evaluated; its normal form is its own normal form, with the same
 * types, and a failure is one that the check said there can be.
 */
#include "tests/lib/expression_world.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct expression *parse(struct slice text, const struct expression_world *world,
				      struct arena *arena)
{
	struct problems problems = {.arena = arena};
	struct place place = {1, 1};
	const struct expression *expression =
		expression_parse(text, place, &world->scope, arena, &problems);

	/* There is a reason or an expression, never both, never none. */
	if (problems.nomem || !expression != (problems.n_errors > 0))
		abort();
	return expression;
}

static void check_value(const struct expression *expression, const struct value *value,
			struct arena *arena)
{
	struct bytes text = BYTES(8 * PAYLOAD_MAX, arena);
	struct json again;

	value_write(&text, value);
	if (text.err || !(expression->types & TYPE_OF(value->type)))
		abort();
	if (json_parse(bytes_slice(&text), 8 * PAYLOAD_MAX, arena, &again, NULL) != OK ||
	    !slice_equal(again.text, bytes_slice(&text)))
		abort();
}

static void check(const struct expression *expression, const struct expression_world *world,
		  struct arena *arena)
{
	const struct expression *again = parse(expression->text, world, arena);
	struct failure_text failure;
	struct value value;
	enum err err;

	if (!again || !slice_equal(expression->text, again->text) ||
	    expression->types != again->types || expression->can_fail != again->can_fail)
		abort();
	err = expression_evaluate(expression, &world->environment, arena, &value, &failure);
	if (err && (err != ERR_INVALID || !expression->can_fail))
		abort();
	if (!err)
		check_value(expression, &value, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	const struct expression *expression;
	struct expression_world world;
	struct arena arena = {0};

	if (!expression_world_init(&world, slice_of(world_values), &arena))
		abort();
	expression = parse(text, &world, &arena);
	if (expression)
		check(expression, &world, &arena);
	/* The same with nothing known of the input. */
	world.scope.input = &schema_any;
	expression = parse(text, &world, &arena);
	if (expression)
		check(expression, &world, &arena);
	arena_release(&arena);
	return 0;
}

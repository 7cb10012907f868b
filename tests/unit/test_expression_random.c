/* test_expression_random.c - random expressions over random values.
 *
 * For each that the check takes: it comes out as one of the types that the check
 * promised, fails only where the check said that it can, and its normal form is
 * its own normal form and comes to the same. A failure prints the seed, the
 * expression and the values.
 */
#include "tests/lib/expression_world.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

enum { ROUNDS = 12000, TAKEN_MIN = ROUNDS / 3 };

struct random {
	uint64_t state;
};

static uint32_t next(struct random *random, uint32_t n)
{
	random->state ^= random->state << 13;
	random->state ^= random->state >> 7;
	random->state ^= random->state << 17;
	return (uint32_t)(random->state >> 33) % n;
}

static const char *pick(struct random *random, const char *const *texts, int n)
{
	return texts[next(random, (uint32_t)n)];
}

#define PICK(random, ...)                                \
	pick(random, (const char *const[]){__VA_ARGS__}, \
	     ROWS(((const char *const[]){__VA_ARGS__})))

/* --- expressions ------------------------------------------------------------------ */

static void put_expression(struct random *random, struct bytes *out, int depth);

static void put_space(struct random *random, struct bytes *out)
{
	bytes_text(out, PICK(random, "", "", " ", "  ", "\n"));
}

static void put_path(struct random *random, struct bytes *out)
{
	bytes_text(out, PICK(random, "input.sku", "input.qty", "input.total", "input.price",
			     "input.size", "input.vip", "input.note", "input.tags",
			     "input.email", "input.address", "input.lines", "input.status",
			     "input.any", "reserve.out", "check-stock.out", "quote.out",
			     "charge.out", "saga.id", "saga.failure.code"));
	while (next(random, 3) == 0)
		bytes_text(out, PICK(random, ".id", ".zip", ".city", "[0]", "[1]", "[4]",
				     ".sku", ".price", "[\"a b\"]", ".x"));
}

static void put_literal(struct random *random, struct bytes *out)
{
	bytes_text(out, PICK(random, "0", "1", "2.50", "-3", "-0", "100", "9223372036854775807",
			     "-9223372036854775808", "0.000001", "'a'", "''", "'it''s'",
			     "'\u20ac \"q\"\\'", "'42'", "'A-1'", "true", "false", "null"));
}

static void put_call(struct random *random, struct bytes *out, int depth)
{
	const char *name = PICK(random, "if", "if", "has", "size", "string", "int", "lower",
				"upper", "join");
	int n = name[0] == 'i' && name[1] == 'f' ? 3 : name[0] == 'j' ? 2 : 1;

	bytes_text(out, name);
	bytes_add(out, '(');
	for (int i = 0; i < n; i++) {
		if (i > 0)
			bytes_add(out, ',');
		put_space(random, out);
		if (name[0] == 'h' || (name[0] == 'j' && i == 0))
			put_path(random, out);
		else
			put_expression(random, out, depth - 1);
	}
	bytes_add(out, ')');
}

/* A guard of what is then used: chance alone would seldom make one. */
static void put_guard(struct random *random, struct bytes *out, int depth)
{
	struct bytes path = BYTES(1024, NULL);
	uint32_t form = next(random, 3);

	put_path(random, &path);
	bytes_text(out, form == 0 ? "has(" : form == 1 ? "!has(" : "if(has(");
	bytes_append(out, bytes_slice(&path));
	bytes_text(out, form == 0 ? ") && " : form == 1 ? ") || " : "), ");
	bytes_append(out, bytes_slice(&path));
	if (form == 2) {
		bytes_text(out, ", ");
		put_expression(random, out, depth - 1);
		bytes_add(out, ')');
	}
	bytes_release(&path);
}

static void put_expression(struct random *random, struct bytes *out, int depth)
{
	uint32_t kind = next(random, depth > 0 ? 13 : 5);

	put_space(random, out);
	if (kind < 3) {
		put_path(random, out);
	} else if (kind < 5) {
		put_literal(random, out);
	} else if (kind < 7) {
		put_call(random, out, depth);
	} else if (kind == 7) {
		bytes_text(out, PICK(random, "!", "-"));
		put_expression(random, out, depth - 1);
	} else if (kind == 8) {
		bytes_add(out, '(');
		put_expression(random, out, depth - 1);
		bytes_add(out, ')');
	} else if (kind < 11) {
		put_guard(random, out, depth);
	} else {
		put_expression(random, out, depth - 1);
		for (uint32_t n = next(random, 3); n < 3; n++) {
			put_space(random, out);
			bytes_text(out, PICK(random, "||", "&&", "==", "!=", "<", "<=", ">",
					     ">=", "+", "-", "*", "/", "%", "+", "&&"));
			put_expression(random, out, depth - 1);
		}
	}
	put_space(random, out);
}

/* --- values: right by the schema of the input ---------------------------------------- */

static const char *any_value(struct random *random)
{
	return PICK(random, "null", "true", "false", "0", "-1", "3", "2.50", "1e3", "1e400",
		    "123456789012345678901234567890", "\"\"", "\"A-1\"", "\"42\"",
		    "\"say \\\"hi\\\"\\u0000\"", "\"Z\u00fcrich \u20ac\"", "[]",
		    "[1,\"a\",null]", "[[1],{}]", "{}", "{\"id\":1,\"x\":{\"id\":null}}",
		    "{\"a b\":\"z\",\"sku\":2}", "[{\"price\":1},{\"x\":true}]",
		    "{\"x\":[true,\"b\"],\"zip\":\"1\"}");
}

static const char *text_value(struct random *random)
{
	return PICK(random, "\"\"", "\"A-1\"", "\"42\"", "\"Z\u00fcrich\"", "\"\\\\ \\\"\"");
}

static const char *number_value(struct random *random)
{
	return PICK(random, "0", "-1", "129.90", "1e3", "1e400", "0.0000000000000000001",
		    "9223372036854775807", "-9223372036854775808");
}

/* A member that need not be there. */
static void put_member(struct random *random, struct bytes *out, const char *name,
		       const char *value)
{
	if (next(random, 2))
		bytes_format(out, ",\"%s\":%s", name, value);
}

static void put_lines(struct random *random, struct bytes *out)
{
	uint32_t n = 1 + next(random, 5);

	bytes_text(out, ",\"lines\":[");
	for (uint32_t i = 0; i < n; i++)
		bytes_format(out, "%s{\"sku\":%s,\"price\":%s}", i ? "," : "",
			     text_value(random), number_value(random));
	bytes_add(out, ']');
}

static void put_values(struct random *random, struct bytes *out)
{
	bytes_format(out, "{\"input\":{\"sku\":%s,\"qty\":%s,\"total\":%s,\"price\":%s",
		     text_value(random), PICK(random, "1", "7", "100", "5.0"),
		     number_value(random), PICK(random, "0", "1.5", "9223372036854775807"));
	put_lines(random, out);
	put_member(random, out, "vip", PICK(random, "true", "false"));
	put_member(random, out, "note", PICK(random, "null", "\"n\""));
	put_member(random, out, "tags", PICK(random, "[]", "[\"new\"]", "[\"a\",\"b\",\"c\"]"));
	put_member(random, out, "email", text_value(random));
	put_member(random, out, "size", PICK(random, "0", "-5", "12"));
	put_member(random, out, "status", PICK(random, "\"new\"", "\"old\""));
	put_member(random, out, "any", any_value(random));
	put_member(random, out, "address",
		   PICK(random, "{\"street\":\"s\",\"city\":\"c\"}",
			"{\"street\":\"\",\"city\":\"c\",\"zip\":null}",
			"{\"zip\":\"8001\",\"street\":\"\",\"city\":\"c\"}"));
	bytes_format(out, "},\"steps\":{\"reserve\":%s", any_value(random));
	bytes_format(out, ",\"check-stock\":%s", any_value(random));
	put_member(random, out, "quote", any_value(random));
	put_member(random, out, "charge", any_value(random));
	bytes_text(out, "},\"saga\":{\"id\":\"s-1\"");
	put_member(random, out, "failure", "{\"code\":\"declined\"}");
	bytes_text(out, "}}");
}

/* --- the properties ------------------------------------------------------------------ */

struct outcome {
	enum err err;
	struct value value;
	struct slice text; /* the value as JSON or the failure without its place */
};

static struct outcome evaluate(const struct expression *expression,
			       const struct expression_world *world, struct arena *arena)
{
	struct bytes text = BYTES(8 * PAYLOAD_MAX, arena);
	struct failure_text *failure = arena_alloc(arena, sizeof *failure);
	struct outcome outcome = {0};

	outcome.err = expression_evaluate(expression, &world->environment, arena,
					  &outcome.value, failure);
	if (outcome.err) {
		outcome.text = slice_of(strstr(failure->text, ": "));
		return outcome;
	}
	value_write(&text, &outcome.value);
	outcome.text = bytes_slice(&text);
	return outcome;
}

static const char *check_outcome(const struct expression *expression,
				 const struct outcome *outcome, struct arena *arena)
{
	struct json again;

	if (outcome->err)
		return outcome->err != ERR_INVALID ? "it ran out of memory"
		       : expression->can_fail      ? NULL
						   : "it failed though it cannot";
	if (!(expression->types & TYPE_OF(outcome->value.type)))
		return "its type is not one that it can have";
	if (json_parse(outcome->text, 8 * PAYLOAD_MAX, arena, &again, NULL) != OK ||
	    !slice_equal(again.text, outcome->text))
		return "its value is not JSON in normal form";
	return NULL;
}

static const char *check_expression(const struct expression *expression,
				    const struct expression_world *world, struct arena *arena)
{
	struct problems problems = {.arena = arena};
	struct place place = {1, 1};
	struct outcome outcome = evaluate(expression, world, arena);
	const char *wrong = check_outcome(expression, &outcome, arena);
	const struct expression *again;
	struct outcome outcome_again;

	if (wrong)
		return wrong;
	again = expression_parse(expression->text, place, &world->scope, arena, &problems);
	if (!again)
		return "its normal form is wrong";
	if (!slice_equal(expression->text, again->text))
		return "its normal form has another normal form";
	if (expression->types != again->types || expression->can_fail != again->can_fail)
		return "its normal form is checked differently";
	outcome_again = evaluate(again, world, arena);
	if (outcome.err != outcome_again.err || !slice_equal(outcome.text, outcome_again.text))
		return "its normal form comes to something else";
	return NULL;
}

/* What is certain by the facts is certainly there. */
static const char *check_facts(const struct expression *expression,
			       const struct expression_world *world, struct arena *arena)
{
	struct outcome outcome = evaluate(expression, world, arena);
	struct step_set facts;
	struct json output;

	if (outcome.err || outcome.value.type != JSON_BOOL)
		return NULL;
	expression_facts(expression, outcome.value.boolean, &facts);
	for (uint32_t step = 0; step < WORLD_STEPS; step++)
		if (step_set_has(&facts, step) &&
		    !world->environment.lookup(
			    &world->environment,
			    (struct name){.root = ROOT_STEP_OUT, .step = step}, &output))
			return "it makes sure of a step that has no output";
	return NULL;
}

/* Whether the expression was taken. */
static bool play(struct arena *arena, uint64_t seed, bool with_schema)
{
	struct random random = {seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
	struct bytes text = BYTES(EXPRESSION_TEXT_MAX * 16, arena);
	struct bytes values = BYTES(64 * 1024, arena);
	struct problems problems = {.arena = arena};
	const struct expression *expression;
	struct expression_world world;
	struct place place = {1, 1};
	const char *wrong;

	put_values(&random, &values);
	put_expression(&random, &text, 4);
	ck_assert_msg(!text.err && !values.err, "seed %llu: out of memory",
		      (unsigned long long)seed);
	ck_assert_msg(expression_world_init(&world, bytes_slice(&values), arena), "%.*s",
		      SLICE_ARG(values));
	if (!with_schema)
		world.scope.input = &schema_any;
	expression =
		expression_parse(bytes_slice(&text), place, &world.scope, arena, &problems);
	ck_assert_msg(!problems.nomem && (expression || problems.n_errors > 0),
		      "seed %llu: refused without a reason", (unsigned long long)seed);
	if (!expression)
		return false;
	wrong = check_expression(expression, &world, arena);
	if (!wrong)
		wrong = check_facts(expression, &world, arena);
	ck_assert_msg(!wrong, "seed %llu: %s:\n%.*s\nvalues: %.*s", (unsigned long long)seed,
		      wrong, SLICE_ARG(expression->text), SLICE_ARG(values));
	return true;
}

START_TEST(test_random)
{
	struct arena arena = {0};
	int n_taken = 0;

	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		n_taken += play(&arena, seed, _i);
		arena_reset(&arena);
	}
	ck_assert_int_ge(n_taken, TAKEN_MIN);
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_random, 0, 2);
}

int main(void)
{
	return suite_run("expression_random", add);
}

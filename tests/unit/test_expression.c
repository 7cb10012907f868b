/* test_expression.c - what expressions come to, how they fail, and that each has
 * one normal form. The examples of docs/expressions.md run here, too.
 */
#include "tests/lib/expression_world.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

/* In the place of the first character behind the `=`. */
static const struct place start = {1, 1};

struct run {
	struct arena arena;
	struct problems problems;
	struct expression_world world;
	struct failure_text failure;
	struct json result;
};

static const struct expression *parse(struct run *run, struct slice text)
{
	run->problems = (struct problems){.arena = &run->arena};
	return expression_parse(text, start, &run->world.scope, &run->arena, &run->problems);
}

static enum err evaluate(struct run *run, const struct expression *expression)
{
	struct value value;
	enum err err = expression_evaluate(expression, &run->world.environment, &run->arena,
					   &value, &run->failure);
	struct bytes text = BYTES(2 * PAYLOAD_MAX, &run->arena);

	if (err)
		return err;
	value_write(&text, &value);
	ck_assert_int_eq(text.err, OK);
	ck_assert_msg(expression->types & TYPE_OF(value.type),
		      "%.*s: came out as a type that the check excluded",
		      SLICE_ARG(expression->text));
	return json_parse(bytes_slice(&text), 2 * PAYLOAD_MAX, &run->arena, &run->result, NULL);
}

static void begin(struct run *run)
{
	*run = (struct run){0};
	ck_assert(expression_world_init(&run->world, slice_of(world_values), &run->arena));
}

static const char *first_problem(const struct run *run)
{
	return run->problems.n ? run->problems.list[0].text : "no problem";
}

/* --- values --------------------------------------------------------------------- */

static const struct value_row {
	const char *name;
	const char *text;
	const char *result; /* JSON, letter for letter */
} value_rows[] = {
	{"an integer", "42", "42"},
	{"a decimal keeps its zeros", "2.50", "2.50"},
	{"the smallest integer", "-9223372036854775808", "-9223372036854775808"},
	{"minus zero is zero", "-0", "0"},
	{"a text", "'abc'", "\"abc\""},
	{"the empty text", "''", "\"\""},
	{"a doubled quote is one", "'it''s'", "\"it's\""},
	{"double quotes in a text", "'say \"hi\"'", "\"say \\\"hi\\\"\""},
	{"a backslash is only that", "'a\\n'", "\"a\\\\n\""},
	{"a text with a line break", "'a\nb'", "\"a\\nb\""},
	{"characters of several bytes", "'Z\u00fcrich \u20ac'", "\"Z\u00fcrich \u20ac\""},
	{"a text that begins with =", "='=1+1'", "\"=1+1\""},
	{"a text that begins with = without repeating it", "='1+1'", "\"=1+1\""},
	{"the text =", "=''", "\"=\""},
	{"true", "true", "true"},
	{"false", "false", "false"},
	{"null", "null", "null"},

	{"a member", "input.sku", "\"A-1\""},
	{"a number passes as it came", "input.total", "129.90"},
	{"a number beyond the exact range passes", "input.any.big",
	 "123456789012345678901234567890"},
	{"a number with an exponent passes", "input.any.e", "1e3"},
	{"a member of a member", "input.address.city", "\"Z\u00fcrich\""},
	{"a name in brackets", "input.any[\"a b\"]", "1"},
	{"a plain name in brackets", "input[\"sku\"]", "\"A-1\""},
	{"an element", "input.tags[1]", "\"red\""},
	{"a member of an element", "input.lines[0].price", "100"},
	{"an element of an element", "input.any.deep[0][0]", "1"},
	{"a whole list", "input.tags", "[\"new\",\"red\"]"},
	{"a whole object", "input.lines[1]", "{\"sku\":\"B-2\",\"price\":29.90}"},
	{"null passes", "input.note", "null"},
	{"a step's output", "reserve.out.id", "\"R-7\""},
	{"a step's whole output", "check-stock.out", "{\"left\":5}"},
	{"a step with a hyphen", "check-stock.out.left", "5"},
	{"a minus behind a point", "check-stock.out.left-1", "4"},
	{"the saga's id", "saga.id", "\"s-1\""},
	{"the saga's key", "saga.key", "\"k-1\""},
	{"the saga's name", "saga.name", "\"order\""},
	{"when it started", "saga.started_at", "\"2024-05-01T10:00:00Z\""},
	{"the step that failed", "saga.failure.step", "\"charge\""},
	{"the failure's code", "saga.failure.code", "\"declined\""},
	{"the failure's message", "saga.failure.message", "\"no money\""},
	{"a path of a choice", "if(true, input.address, null).city", "\"Z\u00fcrich\""},
	{"a path in parentheses", "(input.address).city", "\"Z\u00fcrich\""},

	{"a sum", "1 + 2", "3"},
	{"a sum of decimals", "0.1 + 0.2", "0.3"},
	{"a sum with the larger scale", "1.50 + 1", "2.50"},
	{"a difference", "input.qty - 5", "-2"},
	{"sums from left to right", "10 - 3 - 2", "5"},
	{"parentheses on the right", "10 - (3 - 2)", "9"},
	{"a product binds tighter", "2 + 3 * 4", "14"},
	{"parentheses bind tightest", "(2 + 3) * 4", "20"},
	{"a product of decimals", "input.price * input.qty", "129.9"},
	{"a quotient", "7 / 2", "3.5"},
	{"a whole quotient", "6 / 2", "3"},
	{"a remainder", "7 % 3", "1"},
	{"a remainder has the sign of the dividend", "-7 % 3", "-1"},
	{"a remainder of whole decimals", "7.00 % 2 == 1", "true"},
	{"an opposite", "-input.qty", "-3"},
	{"an opposite of an opposite", "--input.qty", "3"},
	{"minus a negative number", "1 - -1", "2"},
	{"two texts", "'a' + 'b'", "\"ab\""},
	{"many texts", "'a' + input.sku + 'b' + ''", "\"aA-1b\""},
	{"only empty texts", "'' + '' + ''", "\"\""},
	{"a text with escapes", "input.any.quote + '!'", "\"say \\\"hi\\\"!\""},

	{"equal numbers", "1 == 1.00", "true"},
	{"numbers that differ", "1 == 2", "false"},
	{"a number with an exponent", "input.any.e == 1000", "true"},
	{"a number beyond the exact range is equal to itself", "input.any.big == input.any.big",
	 "true"},
	{"a number beyond the exact range is no other", "input.any.big == 1", "false"},
	{"a number beyond the exact range is no result", "input.any.big == 1 + 1", "false"},
	{"equal texts", "input.sku == 'A-1'", "true"},
	{"texts that differ in case", "input.sku == 'a-1'", "false"},
	{"a text with escapes is equal", "input.any.quote == 'say \"hi\"'", "true"},
	{"a text that was made is equal", "'A' + '-1' == input.sku", "true"},
	{"texts never become numbers", "'1' == 1", "false"},
	{"null is null", "input.note == null", "true"},
	{"null is nothing else", "null == false", "false"},
	{"equal booleans", "true == input.vip", "true"},
	{"equal lists", "input.tags == input.tags", "true"},
	{"an object is equal to itself", "input.address == input.address", "true"},
	{"lists that differ", "input.tags == input.lines", "false"},
	{"unequal", "1 != 2", "true"},
	{"not unequal", "'a' != 'a'", "false"},
	{"equality from left to right", "1 == 1 == true", "true"},
	{"less", "1 < 2", "true"},
	{"not less", "2 < 2", "false"},
	{"less or equal", "2 <= 2.0", "true"},
	{"greater", "input.total > 100", "true"},
	{"greater or equal", "1 >= 2", "false"},
	{"texts have an order", "'a' < 'b'", "true"},
	{"a prefix comes first", "'ab' > 'a'", "true"},
	{"texts are in the order of code points", "'\uffee' < '\U0001f600'", "true"},
	{"order binds tighter than equality", "1 < 2 == 3 < 4", "true"},

	{"and", "true && true", "true"},
	{"and with a false", "true && false", "false"},
	{"or", "false || true", "true"},
	{"or without a true", "false || false", "false"},
	{"and binds tighter than or", "true || true && false", "true"},
	{"not", "!input.vip", "false"},
	{"not not", "!!input.vip", "true"},
	{"and stops at a false", "false && input.any.missing > 1", "false"},
	{"or stops at a true", "true || input.any.missing > 1", "true"},
	{"if takes the first", "if(input.vip, 'gold', 'plain')", "\"gold\""},
	{"if takes the second", "if(1 > 2, 'gold', 'plain')", "\"plain\""},
	{"if leaves the other alone", "if(true, 1, 1 / 0)", "1"},
	{"if in if", "if(false, 1, if(true, 2, 3))", "2"},
	{"if passes a list", "if(true, input.tags, null)", "[\"new\",\"red\"]"},

	{"has what is there", "has(input.sku)", "true"},
	{"has not what is missing", "has(input.any.nothing)", "false"},
	{"has not what is null", "has(input.note)", "false"},
	{"has not behind what is missing", "has(input.any.nothing.more)", "false"},
	{"has not in what is no object", "has(input.any.list.more)", "false"},
	{"has an element", "has(input.tags[1])", "true"},
	{"has no such element", "has(input.tags[2])", "false"},
	{"has the output of a step that is done", "has(quote.out)", "true"},
	{"has not the output of a step that is not", "has(charge.out)", "false"},
	{"has a failure", "has(saga.failure.code)", "true"},

	{"the size of a text is its characters", "size('Z\u00fcrich')", "6"},
	{"the size of a text with escapes", "size(input.any.quote)", "8"},
	{"the size of a text that was made", "size('Z\u00fc' + '\u20ac')", "3"},
	{"the size of a list", "size(input.tags)", "2"},
	{"the size of an object", "size(input.address)", "3"},
	{"the text of a number keeps its spelling", "string(input.total)", "\"129.90\""},
	{"the text of a result", "string(1.5 + 1)", "\"2.5\""},
	{"the text of a boolean", "string(input.vip) + string(1 > 2)", "\"truefalse\""},
	{"the text of null", "string(null)", "\"null\""},
	{"the text of a text", "string(input.sku)", "\"A-1\""},
	{"the integer of a decimal", "int(3.99)", "3"},
	{"the integer of a negative decimal", "int(-3.99)", "-3"},
	{"the integer of an integer", "int(input.qty)", "3"},
	{"the integer of a text", "int('42')", "42"},
	{"the integer of a negative text", "int('-42')", "-42"},
	{"the integer of a member", "int(input.address.zip) + 1", "8002"},
	{"lower", "lower('ABC z\u00dc')", "\"abc z\u00dc\""},
	{"upper", "upper('abc Z\u00fc')", "\"ABC Z\u00fc\""},
	{"lower of nothing", "lower('')", "\"\""},
	{"join", "join(input.tags, ', ')", "\"new, red\""},
	{"join with an empty text", "join(input.tags, '')", "\"newred\""},
	{"join takes what string takes", "join(input.any.list, '-')", "\"1-x-null-true\""},

	{"a guard", "if(has(quote.out), quote.out.total, input.total) > 99", "true"},
	{"a guard by and", "has(charge.out) && charge.out.amount > 1", "false"},
	{"a guard by or", "!has(charge.out) || charge.out.amount > 1", "true"},
	{"white space of all kinds", " \t1\n+\r2 ", "3"},
	{"no white space", "1+2*3-4", "3"},
};

static void check_value(struct run *run, const char *name, struct slice text,
			const char *result)
{
	const struct expression *expression = parse(run, text);
	enum err err;

	ck_assert_msg(expression, "%s: %s", name, first_problem(run));
	err = evaluate(run, expression);
	ck_assert_msg(!err, "%s: %s: %s", name, err_text(err), run->failure.text);
	ck_assert_msg(slice_is(run->result.text, result), "%s: came out as %.*s, not %s", name,
		      SLICE_ARG(run->result.text), result);
}

/* The normal form means the same, and is its own normal form. */
static void check_formatted(struct run *run, const char *name, struct slice text,
			    const char *result)
{
	const struct expression *expression = parse(run, text);
	const struct expression *again;

	ck_assert_msg(expression, "%s: %s", name, first_problem(run));
	again = parse(run, expression->text);
	ck_assert_msg(again, "%s: %.*s: %s", name, SLICE_ARG(expression->text),
		      first_problem(run));
	ck_assert_msg(slice_equal(again->text, expression->text), "%s: %.*s became %.*s", name,
		      SLICE_ARG(expression->text), SLICE_ARG(again->text));
	check_value(run, name, expression->text, result);
}

START_TEST(test_value)
{
	const struct value_row *row = &value_rows[_i];
	struct run run;

	begin(&run);
	check_value(&run, row->name, slice_of(row->text), row->result);
	check_formatted(&run, row->name, slice_of(row->text), row->result);
	arena_release(&run.arena);
}
END_TEST

/* --- failures at run time ---------------------------------------------------------- */

#define EUROS                                                                      \
	"\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac" \
	"\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac"

static const struct failure_row {
	const char *name;
	const char *text;
	const char *failure;
} failure_rows[] = {
	{"a missing member", "input.any.nothing", "1:11: input.any.nothing is missing"},
	{"a missing name in brackets", "input.any[\"no thing\"]",
	 "1:11: input.any[\"no thing\"] is missing"},
	{"a missing element", "input.lines[4].sku", "1:13: input.lines[4] is missing"},
	{"a member of a text", "1 + reserve.out.id.x",
	 "1:20: reserve.out.id is not an object, so it has no members"},
	{"an element of an object", "reserve.out[0]",
	 "1:13: reserve.out is not a list, so it has no elements"},
	{"a member of what a choice gives", "if(true, reserve.out.id, null).x",
	 "1:32: if(true, reserve.out.id, null) is not an object, so it has no members"},
	{"a text and a number", "input.sku + input.any.e",
	 "1:13: cannot add a text and a number"},
	{"a text, a text and a number", "'a' + input.sku + reserve.out.count",
	 "1:19: cannot add a text and a number"},
	{"a list and a list", "reserve.out + input.any",
	 "1:15: cannot add an object and an object"},
	{"a number minus a text", "1 - reserve.out.id", "1:5: - needs numbers, not a text"},
	{"a text minus a number", "reserve.out.id - 1", "1:1: - needs numbers, not a text"},
	{"a product with null", "2 * input.any.list[2]", "1:5: * needs numbers, not null"},
	{"the opposite of a text", "-reserve.out.id", "1:2: - needs a number, not a text"},
	{"comparing a number and a boolean", "reserve.out.count < reserve.out.ok",
	 "1:21: cannot compare a number and a boolean"},
	{"and of a text", "true && reserve.out.id", "1:9: && needs a boolean, not a text"},
	{"or of a number", "reserve.out.count || true",
	 "1:1: || needs a boolean, not a number"},
	{"not of null", "!input.any.list[2]", "1:2: ! needs a boolean, not null"},
	{"a condition of a list", "if(input.any.list, 1, 2)",
	 "1:4: the condition of if() needs a boolean, not a list"},
	{"division by zero", "1 / (input.qty - 3)", "1:3: division by zero"},
	{"remainder of zero", "1 % (input.qty - 3)", "1:3: division by zero"},
	{"remainder of a fraction", "input.total % 2", "1:13: % needs whole numbers"},
	{"a quotient without an end", "1 / 3",
	 "1:3: the quotient has no end, and numbers are never rounded"},
	{"a sum that overflows", "9223372036854775807 + 1",
	 "1:21: overflow: a number has 64 bits and at most 18 digits behind the point"},
	{"an opposite that overflows", "-(-9223372036854775808)",
	 "1:3: overflow: a number has 64 bits and at most 18 digits behind the point"},
	{"a number that does not fit", "input.any.big + 1",
	 "1:17: overflow: a number has 64 bits and at most 18 digits behind the point"},
	{"comparing a number that does not fit", "input.any.big > 1",
	 "1:17: overflow: a number has 64 bits and at most 18 digits behind the point"},
	{"the size of a number", "size(reserve.out.count)",
	 "1:6: size() needs a list, an object or a text, not a number"},
	{"the text of a list", "string(input.any.list)",
	 "1:8: string() needs a text, a number, a boolean or null, not a list"},
	{"the integer of a word", "int(input.sku)",
	 "1:5: int() needs a text that is a whole number, such as '42'"},
	{"the integer of a decimal text", "int('1.5')",
	 "1:5: int() needs a text that is a whole number, such as '42'"},
	{"the integer of the empty text", "int('')",
	 "1:5: int() needs a text that is a whole number, such as '42'"},
	{"the integer of a text with a minus inside", "int('1-2')",
	 "1:5: int() needs a text that is a whole number, such as '42'"},
	{"the integer of a long text", "int('99999999999999999999')",
	 "1:5: overflow: a number has 64 bits and at most 18 digits behind the point"},
	{"the integer of a boolean", "int(reserve.out.ok)",
	 "1:5: int() needs a number or a text, not a boolean"},
	{"lower of a number", "lower(reserve.out.count)",
	 "1:7: lower() needs a text, not a number"},
	{"upper of null", "upper(input.note)", "1:7: upper() needs a text, not null"},
	{"join of a text", "join(reserve.out.id, '-')", "1:6: join() needs a list, not a text"},
	{"join by a number", "join(input.tags, reserve.out.count)",
	 "1:18: join() needs a text between the elements, not a number"},
	{"join of lists", "join(input.any.deep, '-')",
	 "1:6: every element that join() joins needs a text, a number, a boolean or null, "
	 "not a list"},
	{"the place counts characters", "'\u20ac\u20ac' + input.any.e",
	 "1:8: cannot add a text and a number"},
	{"a long path is cut between characters", "input.any[\"" EUROS EUROS "\"]",
	 "1:11: input.any[\"" EUROS "\u20ac\u20ac\u20ac\u20ac\u20ac... is missing"},
	{"a long path is cut",
	 "input.any."
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaa",
	 "1:11: "
	 "input.any.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaa... is missing"},
};

START_TEST(test_failure)
{
	const struct failure_row *row = &failure_rows[_i];
	const struct expression *expression;
	struct value value;
	struct run run;
	enum err err;

	begin(&run);
	expression = parse(&run, slice_of(row->text));
	ck_assert_msg(expression, "%s: %s", row->name, first_problem(&run));
	err = evaluate(&run, expression);
	ck_assert_msg(err == ERR_INVALID, "%s: %s: %.*s", row->name, err_text(err),
		      SLICE_ARG(run.result.text));
	ck_assert_msg(strcmp(run.failure.text, row->failure) == 0, "%s: %s", row->name,
		      run.failure.text);
	ck_assert_msg(expression->can_fail, "%s: was said to be unable to fail", row->name);

	/* The text of the failure is optional. */
	err = expression_evaluate(expression, &run.world.environment, &run.arena, &value, NULL);
	ck_assert_int_eq(err, ERR_INVALID);
	arena_release(&run.arena);
}
END_TEST

/* --- limits ------------------------------------------------------------------------ */

static struct slice repeat(struct arena *arena, const char *first, const char *more, size_t n,
			   const char *last)
{
	struct bytes text = BYTES(2 * 1024 * 1024, arena);

	bytes_text(&text, first);
	for (size_t i = 0; i < n; i++)
		bytes_text(&text, more);
	bytes_text(&text, last);
	ck_assert_int_eq(text.err, OK);
	return bytes_slice(&text);
}

/* People are told the expression, too: the place may be that of a form that they do not
 * have before them. */
START_TEST(test_failure_as_it_is_told)
{
	static const struct {
		const char *text, *told;
	} rows[] = {
		{"1 / (input.qty - 3)", "1:3: division by zero, in =1 / (input.qty - 3)"},
		{"1/(input.qty-3)", "1:2: division by zero, in =1 / (input.qty - 3)"},
		{"input.any.nothing", "1:11: input.any.nothing is missing"},
		{"input.any.nothing + 1",
		 "1:11: input.any.nothing is missing, in =input.any.nothing + 1"},
	};

	for (int i = 0; i < ROWS(rows); i++) {
		struct slice told;
		struct run run;

		begin(&run);
		ck_assert_int_eq(evaluate(&run, parse(&run, slice_of(rows[i].text))),
				 ERR_INVALID);
		ck_assert(failure_tell(&run.failure, &run.arena, &told));
		ck_assert_str_eq(told.at, rows[i].told);
		arena_release(&run.arena);
	}
}
END_TEST

/* However long it is. */
START_TEST(test_a_long_expression_is_cut)
{
	struct bytes text = BYTES(EXPRESSION_TEXT_MAX, NULL);
	struct slice told;
	struct run run;

	begin(&run);
	bytes_text(&text, "1 / (input.qty - 3)");
	while (text.len < 400)
		bytes_text(&text, " + 1");
	ck_assert_int_eq(evaluate(&run, parse(&run, bytes_slice(&text))), ERR_INVALID);
	ck_assert(failure_tell(&run.failure, &run.arena, &told));
	ck_assert_ptr_nonnull(
		strstr(told.at, "1:3: division by zero, in =1 / (input.qty - 3) + "));
	ck_assert_uint_lt(told.len, 300);
	ck_assert_str_eq(told.at + told.len - 3, "...");
	bytes_release(&text);
	arena_release(&run.arena);
}
END_TEST

START_TEST(test_long_chain)
{
	static const struct {
		const char *first, *more, *result;
		size_t n;
	} rows[] = {
		{"1", " + 1", "1023", 1022},       {"1", " - 1", "-1021", 1022},
		{"1", " * 1", "1", 1022},          {"0", " == 0", "false", 682},
		{"true", " && true", "true", 454}, {"false", " || false", "false", 408},
		{"''", " + ''", "\"\"", 817},
	};
	struct run run;

	begin(&run);
	for (int i = 0; i < ROWS(rows); i++)
		check_formatted(&run, rows[i].more,
				repeat(&run.arena, rows[i].first, rows[i].more, rows[i].n, ""),
				rows[i].result);
	arena_release(&run.arena);
}
END_TEST

static void check_code(struct run *run, struct slice text, const char *code)
{
	ck_assert_msg(!parse(run, text), "%s: was taken", code);
	ck_assert_uint_eq(run->problems.n, 1);
	ck_assert_str_eq(run->problems.list[0].code, code);
}

START_TEST(test_too_long)
{
	struct run run;

	begin(&run);
	ck_assert(parse(&run, repeat(&run.arena, "'", "x", EXPRESSION_TEXT_MAX - 2, "'")));
	check_code(&run, repeat(&run.arena, "'", "x", EXPRESSION_TEXT_MAX - 1, "'"),
		   "expression-too-long");
	/* The normal form has spaces and must not be longer, either. */
	check_code(&run, repeat(&run.arena, "1", "+1", EXPRESSION_TEXT_MAX / 2 - 1, ""),
		   "expression-too-long");
	arena_release(&run.arena);
}
END_TEST

START_TEST(test_too_deep)
{
	static const char *const nests[][3] = {{"(", "1", ")"},
					       {"!", "true", ""},
					       {"-", "input.qty", ""},
					       {"if(true, ", "1", ", 2)"}};
	struct run run;

	begin(&run);
	for (int i = 0; i < ROWS(nests); i++) {
		for (size_t n = EXPRESSION_DEPTH_MAX; n <= EXPRESSION_DEPTH_MAX + 1; n++) {
			struct slice open = repeat(&run.arena, "", nests[i][0], n, nests[i][1]);
			struct slice close = repeat(&run.arena, "", nests[i][2], n, "");
			struct bytes text = BYTES(EXPRESSION_TEXT_MAX, &run.arena);

			bytes_append(&text, open);
			bytes_append(&text, close);
			if (n > EXPRESSION_DEPTH_MAX)
				check_code(&run, bytes_slice(&text), "expression-too-deep");
			else
				ck_assert_msg(parse(&run, bytes_slice(&text)), "%s",
					      first_problem(&run));
		}
	}
	arena_release(&run.arena);
}
END_TEST

/* Texts of 200 KiB: one fits, two do not, and only so many may be made. */
START_TEST(test_too_large)
{
	static const struct {
		const char *name, *text, *failure;
	} rows[] = {
		{"one fits", "size(upper(input.any))", NULL},
		{"joining texts", "input.any + input.any",
		 "1:11: result too large: a text is at most 256 KiB"},
		{"joining a list", "join(input.tags, '')",
		 "1:6: result too large: a text is at most 256 KiB"},
		{"a text with escapes made again and again",
		 "'z' < input.email || 'z' < input.email || 'z' < input.email || "
		 "'z' < input.email || 'z' < input.email || 'z' < input.email",
		 "1:112: result too large: a text is at most 256 KiB"},
		{"many texts on the way",
		 "upper(input.any) == upper(input.any) == upper(input.any) == "
		 "upper(input.any) == upper(input.any) == upper(input.any)",
		 "1:107: result too large: a text is at most 256 KiB"},
	};
	struct bytes values = BYTES(2 * 1024 * 1024, NULL);
	struct run run;

	begin(&run);
	bytes_append(&values,
		     repeat(&run.arena, "{\"input\":{\"any\":\"", "x", 200 * 1024, "\""));
	bytes_append(&values,
		     repeat(&run.arena, ",\"email\":\"", "\\\"", 200 * 1024, "\",\"tags\":["));
	bytes_append(&values,
		     repeat(&run.arena, "", "\"1234567890123456\",", 20000, "\"\"]}}"));
	ck_assert(expression_world_init(&run.world, bytes_slice(&values), &run.arena));
	bytes_release(&values);
	for (int i = 0; i < ROWS(rows); i++) {
		const struct expression *expression = parse(&run, slice_of(rows[i].text));
		enum err err;

		ck_assert_msg(expression, "%s: %s", rows[i].name, first_problem(&run));
		err = evaluate(&run, expression);
		ck_assert_msg(err == (rows[i].failure ? ERR_INVALID : OK), "%s: %s",
			      rows[i].name, err_text(err));
		if (rows[i].failure)
			ck_assert_str_eq(run.failure.text, rows[i].failure);
	}
	arena_release(&run.arena);
}
END_TEST

/* --- normal forms ------------------------------------------------------------------ */

static const struct format_row {
	const char *name;
	const char *text;
	const char *normal;
} format_rows[] = {
	{"spaces around operators", "1+2*3", "1 + 2 * 3"},
	{"no spaces elsewhere", " ( 1 ) ", "1"},
	{"parentheses that change nothing go", "((1 * 2) + (3))", "1 * 2 + 3"},
	{"those that matter stay", "(1 + 2) * 3", "(1 + 2) * 3"},
	{"the left of a chain", "((1 - 2) - 3) - 4", "1 - 2 - 3 - 4"},
	{"the right of a chain", "1 - (2 - (3 - 4))", "1 - (2 - (3 - 4))"},
	{"a sum on the right might overflow elsewhere", "1 + (2 + 3)", "1 + (2 + 3)"},
	{"and is associative", "true && (false && true)", "true && false && true"},
	{"or is associative", "(true || (false || true)) || true",
	 "true || false || true || true"},
	{"or inside and", "(true || false) && true", "(true || false) && true"},
	{"and inside or", "(true && false) || true", "true && false || true"},
	{"not of a comparison", "!(1 == 2)", "!(1 == 2)"},
	{"not of a path", "!(input.vip)", "!input.vip"},
	{"a negative number", "-(5)", "-5"},
	{"a negative number in a sum", "1-(-5)", "1 - -5"},
	{"signs in a row", "- - - 5", "---5"},
	{"the opposite of a sum", "-(1+2)", "-(1 + 2)"},
	{"a call", "if( true ,1, 2 )", "if(true, 1, 2)"},
	{"parentheses in a call go", "size((input.tags))", "size(input.tags)"},
	{"a path", "input . lines [ 0 ] . sku", "input.lines[0].sku"},
	{"a name in brackets that need not be", "input[\"any\"][\"a\"]", "input.any.a"},
	{"a name in brackets that must be", "input.any[\"a-b\"]", "input.any[\"a-b\"]"},
	{"a quote in a name", "input.any[\"a\"\"b\"]", "input.any[\"a\"\"b\"]"},
	{"an empty name", "input.any[\"\"]", "input.any[\"\"]"},
	{"an index with zeros is wrong, one without stays", "input.tags[10]", "input.tags[10]"},
	{"a quote in a text", "'it''s'", "'it''s'"},
	{"a text that begins with =", "='=a'", "'=a'"},
	{"the zeros of a decimal", "2.500", "2.500"},
	{"minus zero", "-0.0", "0.0"},
	{"a step in brackets", "reserve[\"out\"].id", "reserve.out.id"},
	{"a choice and a path", "(if(true, input.any, null)).x", "if(true, input.any, null).x"},
	{"a path in parentheses", "((input.any).a).b[0]", "input.any.a.b[0]"},
	{"a hyphen behind a point", "input.qty-input.size", "input.qty - input.size"},
};

START_TEST(test_format)
{
	const struct format_row *row = &format_rows[_i];
	const struct expression *expression, *again;
	struct run run;

	begin(&run);
	expression = parse(&run, slice_of(row->text));
	ck_assert_msg(expression, "%s: %s", row->name, first_problem(&run));
	ck_assert_msg(slice_is(expression->text, row->normal), "%s: %.*s", row->name,
		      SLICE_ARG(expression->text));
	again = parse(&run, expression->text);
	ck_assert_msg(again && slice_is(again->text, row->normal), "%s: is not its own",
		      row->name);
	arena_release(&run.arena);
}
END_TEST

/* Nothing of the source is kept: it may be overwritten. */
START_TEST(test_source_is_not_kept)
{
	static const char text[] = "input.sku + 'x' + string(1.50) + saga.id";
	const struct expression *expression;
	char copy[sizeof text];
	struct run run;

	begin(&run);
	memcpy(copy, text, sizeof text);
	expression = parse(&run, (struct slice){copy, sizeof text - 1});
	memset(copy, '#', sizeof copy);
	ck_assert(expression);
	ck_assert_int_eq(evaluate(&run, expression), OK);
	ck_assert(slice_is(run.result.text, "\"A-1x1.50s-1\""));
	ck_assert(slice_is(expression->text, text));
	arena_release(&run.arena);
}
END_TEST

/* --- memory ------------------------------------------------------------------------ */

/* An arena that holds so many bytes and takes no more from the heap. */
static struct arena small_arena(char *memory, size_t size)
{
	return (struct arena){.next = memory, .end = memory + size, .max = 1};
}

static const char *const memory_rows[] = {
	"if(has(quote.out) && has(quote.out.total), quote.out.total, input.total) > 10000",
	"'it''s ' + upper(input.any.quote) + join(input.tags, ', ') + string(1 + 1)",
	"-(1 + 2) * input.lines[0].price == 5 || !has(charge.out) || lower(input.sku) == ''",
	"inptu.sku + input.skuu",
	"='abc'",
};

/* Every allocation fails in turn: first those of the parser and the check, then
 * those of the evaluation. */
START_TEST(test_no_memory)
{
	static _Alignas(max_align_t) char memory[64 * 1024];
	struct slice text = slice_of(memory_rows[_i]);
	bool short_of_memory = true;
	struct run run;

	begin(&run);
	for (size_t size = 0; short_of_memory; size += sizeof(max_align_t)) {
		struct arena arena = small_arena(memory, size);
		struct problems problems = {.arena = &arena};
		const struct expression *expression =
			expression_parse(text, start, &run.world.scope, &arena, &problems);
		struct failure_text failure;
		struct value value;
		enum err err = OK;

		ck_assert_uint_le(size, sizeof memory);
		ck_assert_ptr_null(arena.blocks);
		ck_assert(expression || problems.nomem || problems.n_errors);
		ck_assert(!expression || !problems.nomem);
		short_of_memory = problems.nomem;
		if (!expression)
			continue;
		err = expression_evaluate(expression, &run.world.environment, &arena, &value,
					  &failure);
		ck_assert_ptr_null(arena.blocks);
		ck_assert(err == OK || err == ERR_NOMEM);
		short_of_memory = err == ERR_NOMEM;
	}
	arena_release(&run.arena);
}
END_TEST

/* --- the page for authors ----------------------------------------------------------- */

/* Lines of the page:
 *	- `=expression` → `JSON`
 *	- `=expression` fails: `text of the failure`
 *	- `=expression` is refused: `text of the problem`
 */
static bool cut(struct slice *line, const char *open, const char *close, struct slice *out)
{
	const size_t n_open = strlen(open), n_close = strlen(close);

	if (line->len < n_open || memcmp(line->at, open, n_open) != 0)
		return false;
	for (size_t i = n_open; i + n_close <= line->len; i++) {
		if (memcmp(line->at + i, close, n_close) != 0)
			continue;
		*out = (struct slice){line->at + n_open, i - n_open};
		*line = (struct slice){line->at + i + n_close, line->len - i - n_close};
		return true;
	}
	return false;
}

static bool check_example(struct run *run, struct slice line)
{
	const struct expression *expression;
	struct slice text, wanted, came = {0};

	if (!cut(&line, "- `=", "`", &text))
		return false;
	expression = parse(run, text);
	if (cut(&line, " is refused: `", "`", &wanted)) {
		ck_assert_msg(!expression, "%.*s: was taken", SLICE_ARG(text));
		came = slice_of(first_problem(run));
	} else if (cut(&line, " fails: `", "`", &wanted)) {
		ck_assert_msg(expression, "%.*s: %s", SLICE_ARG(text), first_problem(run));
		ck_assert_int_eq(evaluate(run, expression), ERR_INVALID);
		came = slice_of(run->failure.text);
	} else if (cut(&line, " \u2192 `", "`", &wanted)) {
		ck_assert_msg(expression, "%.*s: %s", SLICE_ARG(text), first_problem(run));
		ck_assert_msg(evaluate(run, expression) == OK, "%.*s: %s", SLICE_ARG(text),
			      run->failure.text);
		came = run->result.text;
	} else {
		ck_abort_msg("%.*s: an example without a result", SLICE_ARG(text));
	}
	ck_assert_msg(slice_equal(came, wanted), "%.*s: %.*s", SLICE_ARG(text),
		      SLICE_ARG(came));
	return true;
}

static struct slice read_page(struct arena *arena)
{
	static const char path[] = "docs/expressions.md";
	FILE *file = fopen(path, "r");
	struct bytes text = BYTES(1024 * 1024, arena);
	char block[4096];
	size_t n;

	ck_assert_msg(file, "%s: cannot be read; run the test from the root", path);
	while ((n = fread(block, 1, sizeof block, file)) > 0)
		bytes_append(&text, (struct slice){block, n});
	fclose(file);
	ck_assert_int_eq(text.err, OK);
	return bytes_slice(&text);
}

START_TEST(test_page)
{
	struct slice page, values, line;
	struct diag diag;
	struct json input;
	int n_examples = 0;
	struct run run;

	begin(&run);
	page = read_page(&run.arena);
	while (!cut(&page, "```json\n", "\n```\n", &values))
		ck_assert_msg(cut(&page, "", "\n", &line), "the page has no values");
	ck_assert(expression_world_init(&run.world, values, &run.arena));
	ck_assert(json_get(run.world.values, SLICE_LITERAL("input"), &input));
	ck_assert_msg(schema_validate(&world_input, input, &run.arena, &diag) == OK, "%s",
		      diag.text);
	while (cut(&page, "", "\n", &line))
		n_examples += check_example(&run, line);
	ck_assert_int_gt(n_examples, 60);
	arena_release(&run.arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_value, 0, ROWS(value_rows));
	tcase_add_loop_test(tcase, test_failure, 0, ROWS(failure_rows));
	tcase_add_test(tcase, test_failure_as_it_is_told);
	tcase_add_test(tcase, test_a_long_expression_is_cut);
	tcase_add_test(tcase, test_long_chain);
	tcase_add_test(tcase, test_too_long);
	tcase_add_test(tcase, test_too_deep);
	tcase_add_test(tcase, test_too_large);
	tcase_add_loop_test(tcase, test_format, 0, ROWS(format_rows));
	tcase_add_test(tcase, test_source_is_not_kept);
	tcase_add_loop_test(tcase, test_no_memory, 0, ROWS(memory_rows));
	tcase_add_test(tcase, test_page);
}

int main(void)
{
	return suite_run("expression", add);
}

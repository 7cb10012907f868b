/* test_expression_check.c - what the check finds in an expression, what it knows
 * about the value, and what a guard makes certain.
 */
#include "tests/lib/expression_world.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

struct fixture {
	struct arena arena;
	struct problems problems;
	struct expression_world world;
};

static void begin(struct fixture *fixture)
{
	*fixture = (struct fixture){.problems.arena = &fixture->arena};
	ck_assert(expression_world_init(&fixture->world, slice_of(world_values),
					&fixture->arena));
}

static const struct expression *parse(struct fixture *fixture, const char *text)
{
	struct place place = {7, 10};

	return expression_parse(slice_of(text), place, &fixture->world.scope, &fixture->arena,
				&fixture->problems);
}

/* --- mistakes ------------------------------------------------------------------- */

static const struct mistake_row {
	const char *name;
	const char *text;
	const char *code;
	unsigned column;  /* counted from 1 in the expression */
	const char *part; /* of the sentence */
} mistake_rows[] = {
	{"nothing", "", "expression-syntax", 1, "ends too early; a value is missing"},
	{"only spaces", "  ", "expression-syntax", 3, "ends too early"},
	{"an operator without its right side", "1 +", "expression-syntax", 4,
	 "a value is missing"},
	{"an operator without its left side", "* 1", "expression-syntax", 1,
	 "unexpected * where a value should stand"},
	{"two values", "1 2", "expression-syntax", 3,
	 "unexpected 2 where an operator or the end should stand"},
	{"a parenthesis that is not closed", "(1 + 2", "expression-syntax", 7,
	 "an operator or ) is missing"},
	{"a parenthesis too much", "1 + 2)", "expression-syntax", 6, "unexpected )"},
	{"empty parentheses", "()", "expression-syntax", 2, "unexpected )"},
	{"a call that is not closed", "size(input.tags", "expression-syntax", 16,
	 "a comma or ) is missing"},
	{"a comma at the end of a call", "size(input.tags,)", "expression-syntax", 17,
	 "unexpected )"},
	{"a quote that is not closed", "'abc", "expression-syntax", 1,
	 "this quote is not closed"},
	{"a text in double quotes", "\"abc\"", "expression-syntax", 1,
	 "write a text in single quotes"},
	{"a name in single quotes", "input['sku']", "expression-syntax", 7,
	 "a name in brackets stands in double quotes"},
	{"a bracket that is not closed", "input.tags[0", "expression-syntax", 13,
	 "] is missing"},
	{"an empty bracket", "input.tags[]", "expression-syntax", 12,
	 "an index or a name in double quotes should stand"},
	{"a computed index", "input.tags[input.qty]", "expression-syntax", 12,
	 "unexpected input where an index"},
	{"a negative index", "input.tags[-1]", "expression-syntax", 12, "unexpected -"},
	{"a decimal index", "input.tags[1.0]", "expression-syntax", 12,
	 "an index is a whole number"},
	{"a huge index", "input.tags[1234567890]", "expression-syntax", 12,
	 "of at most 9 digits"},
	{"a point without a name", "input.", "expression-syntax", 7, "a name is missing"},
	{"a number as a name", "input.5", "expression-syntax", 7,
	 "unexpected 5 where a name should stand"},
	{"a lone =", "input.qty = 3", "expression-syntax", 11,
	 "should stand; write == to compare"},
	{"a lone &", "true & true", "expression-syntax", 6, "write && for `and`"},
	{"a lone |", "true | true", "expression-syntax", 6, "write || for `or`"},
	{"the word and", "true and true", "expression-syntax", 6, "write && for `and`"},
	{"the word or", "true or true", "expression-syntax", 6, "write || for `or`"},
	{"a template of another language", "${input.sku}", "expression-syntax", 1,
	 "write the bare name"},
	{"a strange character", "1 + \u20ac", "expression-syntax", 5,
	 "this character means nothing here"},
	{"a place behind characters of several bytes", "'\u20ac\u20ac' 1", "expression-syntax",
	 6, "unexpected 1"},
	{"bytes that are no characters", "'\xff'", "expression-syntax", 1, "not UTF-8"},
	{"a number that begins with 0", "007", "expression-syntax", 1, "does not begin with 0"},
	{"a number that ends with a point", "1. + 2", "expression-syntax", 1,
	 "digits behind its point"},
	{"a number with letters", "10kg", "expression-syntax", 1, "put an operator between"},
	{"a number that does not fit", "9223372036854775808", "expression-syntax", 1,
	 "this number does not fit"},
	{"too many digits behind the point", "0.1234567890123456789", "expression-syntax", 1,
	 "at most 18 digits"},
	{"more than a text behind =", "='a' + 'b'", "expression-syntax", 6, "unexpected +"},
	{"no text behind =", "=1", "expression-syntax", 2, "a text in quotes"},

	{"a name that the schema does not have", "input.skuu", "unknown-name", 7,
	 "input.skuu is not in the schema, which allows no other names; did you mean sku?"},
	{"a name like none", "input.customer", "unknown-name", 7,
	 "which allows no other names; correct the name or the schema"},
	{"a name in a member", "input.address.town", "unknown-name", 15,
	 "input.address.town is not in the schema"},
	{"a name in an element", "input.lines[0].skus", "unknown-name", 16,
	 "input.lines[0].skus is not in the schema, which allows no other names; did you mean "
	 "sku?"},
	{"has does not excuse a slip", "has(input.vpi)", "unknown-name", 11,
	 "did you mean vip?"},
	{"an element that the schema does not allow", "input.lines[5]", "unknown-name", 13,
	 "the schema allows fewer elements; correct the index"},
	{"a property without input", "1 + total", "unknown-name", 5, "write input.total"},
	{"saga alone", "saga", "unknown-name", 1, "write .id, .key, .name or .started_at"},
	{"an element of saga", "saga[0]", "unknown-name", 6, "saga is not a value"},
	{"an unknown name of saga", "saga.started", "unknown-name", 6,
	 "saga.started is not known; did you mean started_at?"},
	{"a name of saga like none", "saga.total", "unknown-name", 6,
	 "saga.total is not known; there are id, key, name and started_at"},
	{"a name of the failure like none", "saga.failure.total", "unknown-name", 14,
	 "saga.failure.total is not known; there are step, code and message"},
	{"a slip in a name of saga", "saga.nmae", "unknown-name", 6, "did you mean name?"},
	{"saga.failure alone", "saga.failure", "unknown-name", 1,
	 "saga.failure is not a value; write .step, .code or .message"},
	{"an unknown name of the failure", "saga.failure.cod", "unknown-name", 14,
	 "did you mean code?"},
	{"a step without out", "reserve", "unknown-name", 1,
	 "reserve is a step, not a value; its output is reserve.out"},
	{"a member of a step", "reserve.id", "unknown-name", 1, "its output is reserve.out"},
	{"an element of a step", "reserve[0]", "unknown-name", 1, "its output is reserve.out"},
	{"an unknown step", "reserved.out.id", "unknown-step", 1,
	 "reserved is not a step; did you mean reserve?"},
	{"a slip in input", "inptu.sku", "unknown-step", 1, "did you mean input?"},
	{"a name like nothing", "x.out", "unknown-step", 1,
	 "x is not a step; begin with input, saga or the name of a step"},
	{"a minus read as a hyphen", "input-1", "unknown-step", 1,
	 "write spaces around a minus"},
	{"a word where a value should be", "yes", "unknown-step", 1,
	 "write a text in single quotes"},

	{"an unknown function", "len(input.tags)", "unknown-function", 1,
	 "there is no function len(); there are if, has,"},
	{"a slip in a function", "uper('a')", "unknown-function", 1, "did you mean upper()?"},
	{"too few arguments", "if(true, 1)", "wrong-arguments", 1,
	 "if() has 2 arguments; write if(condition, value, otherwise)"},
	{"too many arguments", "size(input.tags, 1)", "wrong-arguments", 1,
	 "size() has 2 arguments; write size(value)"},
	{"no arguments", "has()", "wrong-arguments", 1, "has() has 0 arguments"},
	{"has of a value", "has(1)", "wrong-arguments", 5, "has() asks for a path"},
	{"has of a call", "has(if(true, input.any, null).x)", "wrong-arguments", 5,
	 "has() asks for a path"},

	{"a text and a number", "input.sku + 1", "expression-type", 13,
	 "+ needs two numbers or two texts, but here are text and number"},
	{"a number and a text", "1 + input.sku", "expression-type", 5,
	 "here are number and text"},
	{"a boolean in a sum", "1 + input.vip", "expression-type", 5,
	 "+ needs number or text, but this is boolean"},
	{"a boolean first in a sum", "input.vip + 1", "expression-type", 1,
	 "+ needs number or text, but this is boolean"},
	{"a text in a difference", "1 - input.sku", "expression-type", 5,
	 "- needs number, but this is text; int() makes a whole number of a text"},
	{"a text first in a difference", "input.sku - 1", "expression-type", 1,
	 "- needs number, but this is text"},
	{"a list in a product", "input.tags * 2", "expression-type", 1,
	 "* needs number, but this is list"},
	{"the third of a sum", "1 + 2 + 'a'", "expression-type", 9, "number and text"},
	{"a text or null in a product", "2 * input.note", "expression-type", 5,
	 "* needs number, but this is text or null"},
	{"the opposite of a text", "-'a'", "expression-type", 2, "- needs number"},
	{"not of a number", "!1", "expression-type", 2, "! needs boolean, but this is number"},
	{"and of a text", "input.vip && input.sku", "expression-type", 14,
	 "&& needs boolean, but this is text; compare it with something"},
	{"or of a number", "input.total || input.vip", "expression-type", 1,
	 "|| needs boolean, but this is number"},
	{"a condition of a text", "if(input.sku, 1, 2)", "expression-type", 4,
	 "the condition of if() needs boolean, but this is text"},
	{"comparing a text and a number", "input.sku < 1", "expression-type", 13,
	 "< needs two numbers or two texts, but here are text and number"},
	{"comparing booleans", "input.vip < true", "expression-type", 1,
	 "< needs number or text, but this is boolean"},
	{"comparing a comparison", "1 < 2 < 3", "expression-type", 1,
	 "< needs number or text, but this is boolean"},
	{"the size of a number", "size(input.total)", "expression-type", 6,
	 "size() needs text, list or object, but this is number"},
	{"the text of a list", "string(input.tags)", "expression-type", 8,
	 "string() needs boolean, number, text or null, but this is list"},
	{"the integer of a boolean", "int(input.vip)", "expression-type", 5,
	 "int() needs number or text, but this is boolean"},
	{"upper of a number", "upper(input.qty)", "expression-type", 7,
	 "upper() needs text, but this is number; string() makes a text of it"},
	{"join of a text", "join(input.sku, ',')", "expression-type", 6,
	 "join() needs list, but this is text"},
	{"join by a number", "join(input.tags, 1)", "expression-type", 18,
	 "join() needs text, but this is number"},
	{"a member of a text", "input.sku.length", "expression-type", 11,
	 "input.sku is text, but only an object has members"},
	{"an element of an object", "input.address[0]", "expression-type", 15,
	 "input.address is object, but only a list has elements"},
	{"a member of a list", "input.tags.first", "expression-type", 12,
	 "input.tags is list, but only an object has members"},
	{"a member of the saga's id", "saga.id.x", "expression-type", 9, "saga.id is text"},
	{"a member of a literal", "'a'.x", "expression-type", 5, "'a' is text"},
	{"a member of a sum", "(1 + 2)[0]", "expression-type", 9, "(1 + 2) is number"},
	{"a member of a choice of numbers", "if(input.vip, 1, 2).x", "expression-type", 21,
	 "is number, but only an object has members"},
	{"the type of a choice", "if(input.vip, 1, 2) + 'a'", "expression-type", 23,
	 "here are number and text"},
	{"the type of an enum", "input.status + 1", "expression-type", 16,
	 "here are text and number"},

	{"a step that cannot have run", "ship.out.id", "step-not-run", 1,
	 "ship cannot have run where this is evaluated"},
	{"has of a step that cannot have run", "has(ship.out)", "step-not-run", 5,
	 "refer to a step that is done before it"},
	{"a step without an output", "pause.out", "no-output", 1,
	 "pause is a step without an output"},
	{"a step that may be missing", "1 + charge.out.amount", "step-maybe-missing", 5,
	 "charge.out may be missing here"},
	{"a guard of another step", "has(quote.out) && charge.out.x", "step-maybe-missing", 19,
	 "guard it, as in if(has(charge.out), ..., null)"},
	{"a guard on the wrong side", "has(charge.out) || charge.out.x", "step-maybe-missing",
	 20, "charge.out"},
	{"a guard after the use", "charge.out.x && has(charge.out)", "step-maybe-missing", 1,
	 "charge.out"},
	{"a guard in the wrong branch", "if(has(charge.out), 1, charge.out.x)",
	 "step-maybe-missing", 24, "charge.out"},
	{"a guard that is turned round", "if(!has(charge.out), charge.out.x, 1)",
	 "step-maybe-missing", 22, "charge.out"},
	{"a guard that is one of two", "(has(charge.out) || input.vip) && charge.out.x",
	 "step-maybe-missing", 35, "charge.out"},
	{"a guard that is compared", "has(charge.out) == true && charge.out.x",
	 "step-maybe-missing", 28, "charge.out"},
	{"a guard does not leave its if", "if(has(charge.out), 1, 2) + charge.out.x",
	 "step-maybe-missing", 29, "charge.out"},
	{"a guard does not leave its and", "(has(charge.out) && true) == charge.out.x",
	 "step-maybe-missing", 30, "charge.out"},
};

START_TEST(test_mistake)
{
	const struct mistake_row *row = &mistake_rows[_i];
	const struct problem *problem;
	struct fixture fixture;

	begin(&fixture);
	ck_assert_msg(!parse(&fixture, row->text), "%s: was taken", row->name);
	ck_assert_msg(fixture.problems.n == 1, "%s: %zu problems", row->name,
		      fixture.problems.n);
	problem = &fixture.problems.list[0];
	ck_assert_msg(strcmp(problem->code, row->code) == 0, "%s: %s: %s", row->name,
		      problem->code, problem->text);
	ck_assert_msg(strstr(problem->text, row->part), "%s: %s", row->name, problem->text);
	ck_assert_msg(problem->place.line == 7 && problem->place.column == 9 + row->column,
		      "%s: column %u: %s", row->name, (unsigned)problem->place.column - 9,
		      problem->text);
	ck_assert_int_eq(problem->severity, SEVERITY_ERROR);
	arena_release(&fixture.arena);
}
END_TEST

/* Every mistake is reported, and none of them brings forth another. */
START_TEST(test_all_mistakes)
{
	static const char *const codes[] = {"unknown-name",     "expression-type",
					    "unknown-function", "unknown-step",
					    "wrong-arguments",  "step-not-run"};
	struct fixture fixture;

	begin(&fixture);
	ck_assert(!parse(&fixture, "input.nothing + 1 == !1 || nothing(x.out) - size() < 2 && "
				   "ship.out + 'a' == 'b'"));
	problems_sort(&fixture.problems);
	ck_assert_uint_eq(fixture.problems.n, ROWS(codes));
	for (int i = 0; i < ROWS(codes); i++)
		ck_assert_str_eq(fixture.problems.list[i].code, codes[i]);
	arena_release(&fixture.arena);
}
END_TEST

START_TEST(test_scope)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{"saga.key", "is not known where the key itself is made"},
		{"saga.failure.code", "only in the arguments of an undo; take it there"},
		{"has(saga.failure.code)", "only in the arguments of an undo"},
		{"reserve.out.id", "reserve is not a step; begin with input or saga: no step"},
	};
	struct fixture fixture;

	begin(&fixture);
	fixture.world.scope = (struct scope){.input = &schema_any};
	for (int i = 0; i < ROWS(rows); i++) {
		fixture.problems = (struct problems){.arena = &fixture.arena};
		ck_assert(!parse(&fixture, rows[i].text));
		ck_assert_msg(strstr(fixture.problems.list[0].text, rows[i].part), "%s",
			      fixture.problems.list[0].text);
	}
	ck_assert(parse(&fixture, "saga.id + input.anything"));
	arena_release(&fixture.arena);
}
END_TEST

/* --- what is known ------------------------------------------------------------------- */

enum { B = TYPE_OF(JSON_BOOL), N = TYPE_OF(JSON_NUMBER), T = TYPE_OF(JSON_TEXT) };
enum { Z = TYPE_OF(JSON_NULL), L = TYPE_OF(JSON_LIST), O = TYPE_OF(JSON_OBJECT) };

static const struct known_row {
	const char *name;
	const char *text;
	int types;
	bool can_fail;
} known_rows[] = {
	{"a literal", "1", N, false},
	{"a required member", "input.sku", T, false},
	{"a member that is not required", "input.email", T, true},
	{"one that is guarded", "if(has(input.email), input.email, '')", T, false},
	{"one that another guard is for", "if(has(input.note), input.email, '')", T, true},
	{"one that is guarded deeper", "if(has(input.address.zip), input.address.city, '')", T,
	 false},
	{"a guard is not for what is behind it",
	 "if(has(input.address), input.address.zip, null)", T | Z, true},
	{"a guard takes null away", "if(has(input.note), input.note, '-')", T, false},
	{"in another way", "!has(input.note) || input.note == ''", B, false},
	{"a guard of a member says object", "if(has(input.any.x), input.any, input.address)", O,
	 true},
	{"a guard of an element says list", "if(has(input.any[0]), input.any, input.tags)", L,
	 true},
	{"a guard of one or the other",
	 "if(input.qty > 1, has(input.any.x), if(input.qty > 2, has(input.any.x), "
	 "has(input.any.y))) && input.any.x == 1",
	 B, true},
	{"what anything may be", "input.any", TYPE_ANY, true},
	{"a step's output", "reserve.out", TYPE_ANY, false},
	{"a member of a step's output", "reserve.out.id", TYPE_ANY, true},
	{"a guarded member of it", "has(reserve.out.id) && reserve.out.id == 1", B, false},
	{"the first element", "input.lines[0].price", N, false},
	{"the second element", "input.lines[1].price", N, true},
	{"the saga's id", "saga.id", T, false},
	{"the failure", "saga.failure.code", T | Z, true},
	{"a guarded failure", "if(has(saga.failure.code), saga.failure.code, '')", T, false},
	{"has never fails", "has(input.any.x.y[3])", B, false},
	{"a choice", "if(input.qty > 1, 1, 'a')", N | T, false},
	{"a choice by an uncertain condition", "if(reserve.out, 1, 2)", N, true},
	{"a sum of numbers", "input.qty + 1", N, true},
	{"a sum of texts", "input.sku + 'a'", T, false},
	{"a sum of anything", "reserve.out + check-stock.out", N | T, true},
	{"a quotient", "1 / 2", N, true},
	{"an opposite", "-input.qty", N, true},
	{"a negative literal", "-1", N, false},
	{"comparing whole numbers", "input.qty > 1", B, false},
	{"comparing numbers with a minimum", "input.price >= 1.5", B, false},
	{"comparing numbers that may be beyond the exact range", "input.total > 1", B, true},
	{"comparing such a one on the right", "1 < input.total", B, true},
	{"comparing texts", "input.sku < 'B'", B, false},
	{"comparing what may be null", "input.note < 'B'", B, true},
	{"comparing a text and anything", "input.sku < reserve.out", B, true},
	{"comparing guarded whole numbers", "has(input.size) && input.size > 1", B, false},
	{"comparing a choice of numbers", "if(input.qty > 1, input.qty, input.total) > 1", B,
	 true},
	{"comparing a choice of bounded numbers", "if(input.qty > 1, input.qty, 2.5) > 1", B,
	 false},
	{"equality never fails", "input.total == 1 == input.sku", B, false},
	{"and of booleans", "input.qty > 1 && input.sku == ''", B, false},
	{"and of anything", "input.qty > 1 && reserve.out", B, true},
	{"not of anything", "!reserve.out", B, true},
	{"the size of a list", "size(input.lines)", N, false},
	{"the size of anything", "size(reserve.out)", N, true},
	{"comparing a size", "size(input.lines) > 1", B, false},
	{"the text of a number", "string(input.total)", T, false},
	{"the text of anything", "string(reserve.out)", T, true},
	{"the integer of a whole number", "int(input.qty)", N, false},
	{"the integer of any number", "int(input.total)", N, true},
	{"the integer of a text", "int(input.sku)", N, true},
	{"upper of a text", "upper(input.sku)", T, false},
	{"upper of anything", "upper(reserve.out)", T, true},
	{"join", "if(has(input.tags), join(input.tags, ''), '')", T, true},
	{"join of anything", "join(reserve.out, '')", T, true},
	{"an enum", "has(input.status) && input.status < 'o'", B, false},
};

START_TEST(test_known)
{
	const struct known_row *row = &known_rows[_i];
	const struct expression *expression;
	struct fixture fixture;

	begin(&fixture);
	expression = parse(&fixture, row->text);
	ck_assert_msg(expression, "%s: %s", row->name, fixture.problems.list[0].text);
	ck_assert_msg(expression->types == row->types, "%s: types %x", row->name,
		      (unsigned)expression->types);
	ck_assert_msg(expression->can_fail == row->can_fail, "%s: can_fail %d", row->name,
		      expression->can_fail);
	ck_assert_uint_eq(expression->place.column, 10);
	arena_release(&fixture.arena);
}
END_TEST

/* A member that is required of an object fails where there may be no object. */
START_TEST(test_known_of_optional_object)
{
	static const struct schema_property member = {{"x", 1}, &schema_any};
	static const struct schema schema = {
		.types = TYPE_OF(JSON_OBJECT) | TYPE_OF(JSON_NULL),
		.properties = &member,
		.n_properties = 1,
		.required = &member.name,
		.n_required = 1,
	};
	struct fixture fixture;

	begin(&fixture);
	fixture.world.scope.input = &schema;
	ck_assert(parse(&fixture, "input.x")->can_fail);
	ck_assert(!parse(&fixture, "if(has(input), input.x, null)")->can_fail);
	arena_release(&fixture.arena);
}
END_TEST

/* --- guards -------------------------------------------------------------------------- */

static const struct guard_row {
	const char *name;
	const char *text; /* right, since quote and charge are guarded in it */
} guard_rows[] = {
	{"in an if", "if(has(charge.out), charge.out.x, 0)"},
	{"in the other branch", "if(!has(charge.out), 0, charge.out.x)"},
	{"behind and", "has(charge.out) && charge.out.x > 1"},
	{"behind or", "!has(charge.out) || charge.out.x"},
	{"of a member", "has(charge.out.x.y) && charge.out.z"},
	{"two of them", "has(charge.out) && has(quote.out) && charge.out.x == quote.out.x"},
	{"two of them in an if",
	 "if(has(charge.out) && has(quote.out), charge.out.x + quote.out.x, 0)"},
	{"neither of them missing",
	 "if(!has(charge.out) || !has(quote.out), 0, charge.out.x + quote.out.x)"},
	{"twice negated", "!!has(charge.out) && charge.out.x"},
	{"negated as a whole", "!(has(charge.out) && input.qty > 1) || charge.out.x"},
	{"through a choice with a literal", "if(has(charge.out), true, false) && charge.out.x"},
	{"through a choice with more",
	 "if(has(charge.out), charge.out.x, false) && charge.out.y"},
	{"in both branches of a choice",
	 "if(input.qty > 1, has(charge.out.x), has(charge.out.y)) && charge.out.z"},
	{"either of two members", "(has(charge.out.a) || has(charge.out.b)) && charge.out.c"},
	{"nested", "if(has(charge.out), if(has(quote.out), quote.out.x, charge.out.x), 0)"},
	{"kept inside", "has(charge.out) && (input.qty > 1 || charge.out.x)"},
	{"kept in a call", "has(charge.out) && size(string(charge.out.x)) > 1"},
	{"in the condition itself", "if(has(charge.out) && charge.out.x, charge.out.y, 0)"},
	{"chains flattened", "(input.qty > 1 && (has(charge.out) && true)) && charge.out.x"},
};

START_TEST(test_guard)
{
	const struct guard_row *row = &guard_rows[_i];
	const struct expression *expression;
	struct fixture fixture;

	begin(&fixture);
	expression = parse(&fixture, row->text);
	ck_assert_msg(expression, "%s: %s", row->name, fixture.problems.list[0].text);
	ck_assert_uint_gt(expression->n_references, 1);
	for (size_t i = 0; i < expression->n_references; i++)
		ck_assert_msg(expression->references[i].guarded, "%s: reference %zu", row->name,
			      i);
	arena_release(&fixture.arena);
}
END_TEST

START_TEST(test_guard_from_outside)
{
	const struct expression *expression;
	struct fixture fixture;

	begin(&fixture);
	step_set_add(&fixture.world.scope.present, WORLD_CHARGE);
	expression = parse(&fixture, "charge.out.x + reserve.out.y");
	ck_assert(expression);
	ck_assert_uint_eq(expression->n_references, 2);
	ck_assert_uint_eq(expression->references[0].step, WORLD_CHARGE);
	ck_assert(expression->references[0].guarded);
	ck_assert_uint_eq(expression->references[1].step, WORLD_RESERVE);
	ck_assert(!expression->references[1].guarded);
	ck_assert(!parse(&fixture, "quote.out.x"));
	arena_release(&fixture.arena);
}
END_TEST

enum { QUOTE = 1 << WORLD_QUOTE, CHARGE = 1 << WORLD_CHARGE, RESERVE = 1 << WORLD_RESERVE };

static const struct facts_row {
	const char *name;
	const char *text;
	int if_true;
	int if_false;
} facts_rows[] = {
	{"has", "has(charge.out)", CHARGE, 0},
	{"has of a member", "has(charge.out.x)", CHARGE, 0},
	{"not has", "!has(charge.out)", 0, CHARGE},
	{"has of something else", "has(input.vip)", 0, 0},
	{"and", "has(charge.out) && has(quote.out)", CHARGE | QUOTE, 0},
	{"and of negations", "!has(charge.out) && !has(quote.out)", 0, 0},
	{"or", "has(charge.out) || has(quote.out)", 0, 0},
	{"or of negations", "!has(charge.out) || !has(quote.out)", 0, CHARGE | QUOTE},
	{"or of the same", "has(charge.out.a) || has(charge.out.b)", CHARGE, 0},
	{"or of more and the same", "has(charge.out) && has(quote.out) || has(charge.out)",
	 CHARGE, 0},
	{"and where either side ends it",
	 "!has(charge.out) && (!has(charge.out.x) || input.vip)", 0, CHARGE},
	{"and with something else", "input.qty > 1 && has(charge.out)", CHARGE, 0},
	{"a choice with literals", "if(has(charge.out), true, false)", CHARGE, 0},
	{"a choice turned round", "if(has(charge.out), false, true)", 0, CHARGE},
	{"a choice that goes on", "if(has(charge.out), has(quote.out), false)", CHARGE | QUOTE,
	 0},
	{"a comparison", "reserve.out.x == 1", 0, 0},
	{"not a boolean", "reserve.out", 0, 0},
};

START_TEST(test_facts)
{
	const struct facts_row *row = &facts_rows[_i];
	const struct expression *expression;
	struct fixture fixture;

	begin(&fixture);
	expression = parse(&fixture, row->text);
	ck_assert_msg(expression, "%s: %s", row->name, fixture.problems.list[0].text);
	for (int value = 0; value < 2; value++) {
		struct step_set facts;

		memset(&facts, 0xff, sizeof facts);
		expression_facts(expression, value, &facts);
		for (uint32_t step = 0; step < STEPS_MAX; step++) {
			int wanted = value ? row->if_true : row->if_false;
			bool in = step < WORLD_STEPS && (wanted >> step & 1);

			ck_assert_msg(step_set_has(&facts, step) == in, "%s: if %d: step %u",
				      row->name, value, (unsigned)step);
		}
	}
	arena_release(&fixture.arena);
}
END_TEST

/* As many guards as fit: the check stays fast. */
START_TEST(test_many_guards)
{
	struct bytes text = BYTES(EXPRESSION_TEXT_MAX, NULL);
	struct fixture fixture;

	begin(&fixture);
	bytes_text(&text, "has(charge.out.a0)");
	for (int i = 1; text.len < EXPRESSION_TEXT_MAX - 80; i++)
		bytes_format(&text, "%s has(charge.out.a%d)", i % 7 ? " &&" : " ||", i);
	bytes_text(&text, " && charge.out.a0");
	ck_assert_int_eq(text.err, OK);
	bytes_add(&text, '\0');
	ck_assert(parse(&fixture, text.at));
	bytes_release(&text);
	arena_release(&fixture.arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_mistake, 0, ROWS(mistake_rows));
	tcase_add_test(tcase, test_all_mistakes);
	tcase_add_test(tcase, test_scope);
	tcase_add_loop_test(tcase, test_known, 0, ROWS(known_rows));
	tcase_add_test(tcase, test_known_of_optional_object);
	tcase_add_loop_test(tcase, test_guard, 0, ROWS(guard_rows));
	tcase_add_test(tcase, test_guard_from_outside);
	tcase_add_loop_test(tcase, test_facts, 0, ROWS(facts_rows));
	tcase_add_test(tcase, test_many_guards);
}

int main(void)
{
	return suite_run("expression_check", add);
}

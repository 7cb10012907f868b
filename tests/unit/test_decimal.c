/* test_decimal.c - exact or an error, never almost right. */
#include "base/decimal.h"
#include "tests/lib/suite.h"

#include <inttypes.h>
#include <stdint.h>

static struct decimal number(const char *text)
{
	struct decimal value;
	enum decimal_result result = decimal_parse(slice_of(text), &value);

	ck_assert_msg(result == DECIMAL_OK, "%s: result %d", text, (int)result);
	return value;
}

static const struct parse_row {
	const char *text;
	enum decimal_result result;
	const char *formatted;
} parse_rows[] = {
	{"0", DECIMAL_OK, "0"},
	{"-0", DECIMAL_OK, "0"},
	{"0.00", DECIMAL_OK, "0.00"},
	{"19.99", DECIMAL_OK, "19.99"},
	{"2.50", DECIMAL_OK, "2.50"},
	{"-0.05", DECIMAL_OK, "-0.05"},
	{"100", DECIMAL_OK, "100"},
	{"10.010", DECIMAL_OK, "10.010"},
	{"1e3", DECIMAL_OK, "1000"},
	{"1E+3", DECIMAL_OK, "1000"},
	{"1.5e-3", DECIMAL_OK, "0.0015"},
	{"1.50e1", DECIMAL_OK, "15.0"},
	{"150e-1", DECIMAL_OK, "15.0"},
	{"1e-18", DECIMAL_OK, "0.000000000000000001"},
	{"-1e-18", DECIMAL_OK, "-0.000000000000000001"},
	{"1e-19", DECIMAL_OVERFLOW, NULL},
	{"10e-19", DECIMAL_OK, "0.000000000000000001"},
	{"9223372036854775807", DECIMAL_OK, "9223372036854775807"},
	{"-9223372036854775808", DECIMAL_OK, "-9223372036854775808"},
	{"9223372036854775808", DECIMAL_OVERFLOW, NULL},
	{"-9223372036854775809", DECIMAL_OVERFLOW, NULL},
	{"9.223372036854775807", DECIMAL_OK, "9.223372036854775807"},
	{"-9.223372036854775808", DECIMAL_OK, "-9.223372036854775808"},
	{"-9.223372036854775809", DECIMAL_OVERFLOW, NULL},
	{"92233720368547758.070", DECIMAL_OK, "92233720368547758.07"},
	{"9223372036854775807.000", DECIMAL_OK, "9223372036854775807"},
	{"1000000000000000000.00", DECIMAL_OK, "1000000000000000000"},
	{"100000000000000000.000", DECIMAL_OK, "100000000000000000.0"},
	{"1.0000000000000000000000000", DECIMAL_OK, "1.000000000000000000"},
	{"0.0000000000000000000000000", DECIMAL_OK, "0.000000000000000000"},
	{"0.0000000000000000000000001", DECIMAL_OVERFLOW, NULL},
	{"100000000000000000000000000e-20", DECIMAL_OK, "1000000.000000000000"},
	{"0.00000000000000000000000001e20", DECIMAL_OK, "0.000001"},
	{"1e18", DECIMAL_OK, "1000000000000000000"},
	{"1e19", DECIMAL_OVERFLOW, NULL},
	{"123456789012345678901234567890", DECIMAL_OVERFLOW, NULL},
	{"0e99999999999999999999999999", DECIMAL_OK, "0"},
	{"0e-99999999999999999999999999", DECIMAL_OK, "0.000000000000000000"},
	{"1e99999999999999999999999999", DECIMAL_OVERFLOW, NULL},
	{"1e-99999999999999999999999999", DECIMAL_OVERFLOW, NULL},
	{"", DECIMAL_NOT_A_NUMBER, NULL},
	{"-", DECIMAL_NOT_A_NUMBER, NULL},
	{"+1", DECIMAL_NOT_A_NUMBER, NULL},
	{"01", DECIMAL_NOT_A_NUMBER, NULL},
	{"-01", DECIMAL_NOT_A_NUMBER, NULL},
	{".5", DECIMAL_NOT_A_NUMBER, NULL},
	{"5.", DECIMAL_NOT_A_NUMBER, NULL},
	{"1.e1", DECIMAL_NOT_A_NUMBER, NULL},
	{"1e", DECIMAL_NOT_A_NUMBER, NULL},
	{"1e+", DECIMAL_NOT_A_NUMBER, NULL},
	{"1e1.5", DECIMAL_NOT_A_NUMBER, NULL},
	{" 1", DECIMAL_NOT_A_NUMBER, NULL},
	{"1 ", DECIMAL_NOT_A_NUMBER, NULL},
	{"1_000", DECIMAL_NOT_A_NUMBER, NULL},
	{"0x10", DECIMAL_NOT_A_NUMBER, NULL},
	{"NaN", DECIMAL_NOT_A_NUMBER, NULL},
	{"99999999999999999999x", DECIMAL_NOT_A_NUMBER, NULL},
};

START_TEST(test_parse_and_format)
{
	const struct parse_row *row = &parse_rows[_i];
	struct decimal value = {.coefficient = 77, .scale = 7};
	char text[DECIMAL_TEXT_MAX];
	enum decimal_result result = decimal_parse(slice_of(row->text), &value);

	ck_assert_msg(result == row->result, "%s: result %d", row->text, (int)result);
	if (result != DECIMAL_OK) {
		ck_assert_int_eq(value.coefficient, 77);
		ck_assert_int_eq(value.scale, 7);
		return;
	}
	ck_assert_uint_eq(decimal_format(value, text), strlen(row->formatted));
	ck_assert_msg(strcmp(text, row->formatted) == 0, "%s became %s", row->text, text);
}
END_TEST

static const struct operation_row {
	const char *a;
	char operation;
	const char *b;
	enum decimal_result result;
	const char *formatted;
} operation_rows[] = {
	{"1", '+', "2", DECIMAL_OK, "3"},
	{"0.1", '+', "0.2", DECIMAL_OK, "0.3"},
	{"19.99", '+', "0.01", DECIMAL_OK, "20.00"},
	{"1", '+', "0.125", DECIMAL_OK, "1.125"},
	{"9223372036854775807", '+', "1", DECIMAL_OVERFLOW, NULL},
	{"9223372036854775807", '+', "0.5", DECIMAL_OVERFLOW, NULL},
	{"9223372036854775806", '+', "1.00", DECIMAL_OK, "9223372036854775807"},
	{"-9223372036854775808", '+', "-1", DECIMAL_OVERFLOW, NULL},
	{"-9223372036854775808", '+', "0.000000000000000000", DECIMAL_OK,
	 "-9223372036854775808"},
	{"9.223372036854775807", '+', "0.000000000000000001", DECIMAL_OVERFLOW, NULL},
	{"9.223372036854775807", '+', "0.000000000000000003", DECIMAL_OK,
	 "9.22337203685477581"},
	{"1", '-', "2", DECIMAL_OK, "-1"},
	{"0.30", '-', "0.1", DECIMAL_OK, "0.20"},
	{"-9223372036854775808", '-', "1", DECIMAL_OVERFLOW, NULL},
	{"0", '-', "-9223372036854775808", DECIMAL_OVERFLOW, NULL},
	{"-1", '-', "-9223372036854775808", DECIMAL_OK, "9223372036854775807"},
	{"2.50", '*', "4", DECIMAL_OK, "10.00"},
	{"1.1", '*', "1.1", DECIMAL_OK, "1.21"},
	{"-3", '*', "0.5", DECIMAL_OK, "-1.5"},
	{"0.0000000001", '*', "0.000000001", DECIMAL_OVERFLOW, NULL},
	{"0.0000000005", '*', "0.000000002", DECIMAL_OK, "0.000000000000000001"},
	{"0.000000000000", '*', "0.000000000000", DECIMAL_OK, "0.000000000000000000"},
	{"3037000500", '*', "3037000500", DECIMAL_OVERFLOW, NULL},
	{"4294967296", '*', "-2147483648", DECIMAL_OK, "-9223372036854775808"},
	{"-9223372036854775808", '*', "-1", DECIMAL_OVERFLOW, NULL},
	{"-9223372036854775808", '*', "-9223372036854775808", DECIMAL_OVERFLOW, NULL},
	{"92233720368547758.05", '*', "2.0", DECIMAL_OK, "184467440737095516.1"},
	{"6", '/', "2", DECIMAL_OK, "3"},
	{"6.00", '/', "2", DECIMAL_OK, "3"},
	{"1", '/', "8", DECIMAL_OK, "0.125"},
	{"-1", '/', "8", DECIMAL_OK, "-0.125"},
	{"1", '/', "-8", DECIMAL_OK, "-0.125"},
	{"-10", '/', "-4", DECIMAL_OK, "2.5"},
	{"5", '/', "0.5", DECIMAL_OK, "10"},
	{"0", '/', "-7", DECIMAL_OK, "0"},
	{"0.00", '/', "3", DECIMAL_OK, "0"},
	{"1", '/', "3", DECIMAL_INEXACT, NULL},
	{"10", '/', "-30", DECIMAL_INEXACT, NULL},
	{"3", '/', "30", DECIMAL_OK, "0.1"},
	{"1", '/', "0", DECIMAL_BY_ZERO, NULL},
	{"0", '/', "0.00", DECIMAL_BY_ZERO, NULL},
	{"-9223372036854775808", '/', "-1", DECIMAL_OVERFLOW, NULL},
	{"-9223372036854775808", '/', "1", DECIMAL_OK, "-9223372036854775808"},
	{"-9223372036854775808", '/', "-9223372036854775808", DECIMAL_OK, "1"},
	{"9223372036854775807", '/', "0.1", DECIMAL_OVERFLOW, NULL},
	{"1", '/', "262144", DECIMAL_OK, "0.000003814697265625"},
	{"1", '/', "524288", DECIMAL_OVERFLOW, NULL},
	{"9223372036854775807", '/', "2", DECIMAL_OVERFLOW, NULL},
	{"1", '/', "0.000000000000000001", DECIMAL_OK, "1000000000000000000"},
	{"0.000000000000000001", '/', "9223372036854775807", DECIMAL_INEXACT, NULL},
	{"7", '%', "3", DECIMAL_OK, "1"},
	{"-7", '%', "3", DECIMAL_OK, "-1"},
	{"7", '%', "-3", DECIMAL_OK, "1"},
	{"7.5", '%', "2", DECIMAL_OK, "1.5"},
	{"1", '%', "0.3", DECIMAL_OK, "0.1"},
	{"6", '%', "1.50", DECIMAL_OK, "0.00"},
	{"1", '%', "0", DECIMAL_BY_ZERO, NULL},
	{"-9223372036854775808", '%', "-1", DECIMAL_OK, "0"},
	{"9223372036854775807", '%', "0.000000000000000002", DECIMAL_OK,
	 "0.000000000000000000"},
};

static enum decimal_result operate(struct decimal a, char operation, struct decimal b,
				   struct decimal *out)
{
	switch (operation) {
	case '+': return decimal_add(a, b, out);
	case '-': return decimal_subtract(a, b, out);
	case '*': return decimal_multiply(a, b, out);
	case '/': return decimal_divide(a, b, out);
	default: return decimal_remainder(a, b, out);
	}
}

START_TEST(test_operation)
{
	const struct operation_row *row = &operation_rows[_i];
	struct decimal value = {.coefficient = 77, .scale = 7};
	char text[DECIMAL_TEXT_MAX];
	enum decimal_result result =
		operate(number(row->a), row->operation, number(row->b), &value);

	ck_assert_msg(result == row->result, "%s %c %s: result %d", row->a, row->operation,
		      row->b, (int)result);
	if (result != DECIMAL_OK) {
		ck_assert_int_eq(value.coefficient, 77);
		ck_assert_int_eq(value.scale, 7);
		return;
	}
	decimal_format(value, text);
	ck_assert_msg(strcmp(text, row->formatted) == 0, "%s %c %s is %s", row->a,
		      row->operation, row->b, text);
}
END_TEST

static const struct look_row {
	const char *text;
	int64_t truncated;
	bool whole;
} look_rows[] = {
	{"0", 0, true},
	{"3", 3, true},
	{"3.00", 3, true},
	{"3.01", 3, false},
	{"-3.99", -3, false},
	{"-0.5", 0, false},
	{"-9223372036854775808", INT64_MIN, true},
	{"9.223372036854775807", 9, false},
	{"-9.000000000000000000", -9, true},
};

START_TEST(test_truncate_and_whole)
{
	const struct look_row *row = &look_rows[_i];

	ck_assert_msg(decimal_truncate(number(row->text)) == row->truncated, "%s", row->text);
	ck_assert_msg(decimal_is_whole(number(row->text)) == row->whole, "%s", row->text);
}
END_TEST

START_TEST(test_negate)
{
	struct decimal value = number("1.50");

	ck_assert_int_eq(decimal_negate(value, &value), DECIMAL_OK);
	ck_assert_int_eq(value.coefficient, -150);
	ck_assert_int_eq(value.scale, 2);
	ck_assert_int_eq(decimal_negate(number("-9223372036854775808"), &value),
			 DECIMAL_OVERFLOW);
	ck_assert_int_eq(value.coefficient, -150);
}
END_TEST

/* In ascending order; those of one row are equal. */
static const char *const ordered[][3] = {
	{"-9223372036854775808", "-9223372036854775808", "-9223372036854775808.0"},
	{"-9223372036854775807", "-9223372036854775807", "-9223372036854775807.00"},
	{"-9.223372036854775808", "-9.223372036854775808", "-9.223372036854775808"},
	{"-2.5", "-2.50", "-25e-1"},
	{"-1e-18", "-0.000000000000000001", "-10e-19"},
	{"0", "-0", "0.000000000000000000"},
	{"0.000000000000000001", "1e-18", "1e-18"},
	{"0.1", "0.10", "0.100000000000000000"},
	{"2.5", "2.50", "2.5000"},
	{"9.223372036854775807", "9.223372036854775807", "9.2233720368547758070"},
	{"10", "1e1", "10.00"},
	{"9223372036854775806", "9223372036854775806", "9223372036854775806.0"},
	{"9223372036854775807", "9223372036854775807", "9223372036854775807.0"},
};

START_TEST(test_compare)
{
	for (int i = 0; i < 3 * ROWS(ordered); i++) {
		const char *left = ordered[_i][i % 3];
		const char *right = ordered[i / 3][(i + 1) % 3];
		int expected = (_i > i / 3) - (_i < i / 3);

		ck_assert_msg(decimal_compare(number(left), number(right)) == expected,
			      "%s and %s", left, right);
	}
}
END_TEST

/* A generator of its own, so that a failure can be repeated. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct decimal any_decimal(uint64_t *state)
{
	uint64_t bits = next_random(state);
	unsigned int shift = (unsigned int)(next_random(state) % 64);
	int64_t coefficient = (int64_t)(bits >> shift);

	if (next_random(state) % 2)
		coefficient = -coefficient;
	return (struct decimal){coefficient,
				(uint8_t)(next_random(state) % (DECIMAL_SCALE_MAX + 1))};
}

/* What must hold of any two numbers for which it can be said. */
static void check_laws(struct decimal a, struct decimal b)
{
	struct decimal sum, back, product, quotient, rest;

	if (decimal_add(a, b, &sum) == DECIMAL_OK &&
	    decimal_subtract(sum, b, &back) == DECIMAL_OK)
		ck_assert_int_eq(decimal_compare(back, a), 0);
	if (decimal_subtract(a, b, &sum) == DECIMAL_OK)
		ck_assert_int_eq(decimal_compare(a, b),
				 (sum.coefficient > 0) - (sum.coefficient < 0));
	if (b.coefficient == 0)
		return;
	if (decimal_multiply(a, b, &product) == DECIMAL_OK) {
		ck_assert_int_eq(decimal_divide(product, b, &back), DECIMAL_OK);
		ck_assert_int_eq(decimal_compare(back, a), 0);
		ck_assert_int_eq(decimal_remainder(product, a.coefficient ? a : b, &rest),
				 DECIMAL_OK);
	}
	if (decimal_divide(a, b, &quotient) == DECIMAL_OK) {
		ck_assert(quotient.scale == 0 || quotient.coefficient % 10 != 0);
		if (decimal_multiply(quotient, b, &back) == DECIMAL_OK)
			ck_assert_int_eq(decimal_compare(back, a), 0);
	}
	ck_assert_int_eq(decimal_remainder(a, b, &rest), DECIMAL_OK);
	ck_assert(rest.coefficient == 0 || (rest.coefficient < 0) == (a.coefficient < 0));
	if (decimal_subtract(a, rest, &back) == DECIMAL_OK) {
		enum decimal_result result = decimal_divide(back, b, &quotient);

		ck_assert(result == DECIMAL_OVERFLOW ||
			  (result == DECIMAL_OK && decimal_is_whole(quotient)));
	}
}

START_TEST(test_laws_hold_for_random_numbers)
{
	uint64_t state = 0x9e3779b97f4a7c15;

	for (int i = 0; i < 20000; i++) {
		struct decimal a = any_decimal(&state), b = any_decimal(&state), again;
		char text[DECIMAL_TEXT_MAX];
		size_t len = decimal_format(a, text);

		ck_assert_uint_lt(len, DECIMAL_TEXT_MAX);
		ck_assert_int_eq(decimal_parse((struct slice){text, len}, &again), DECIMAL_OK);
		ck_assert_msg(again.coefficient == a.coefficient && again.scale == a.scale,
			      "%s became %" PRId64, text, again.coefficient);
		check_laws(a, b);
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_parse_and_format, 0, ROWS(parse_rows));
	tcase_add_loop_test(tcase, test_operation, 0, ROWS(operation_rows));
	tcase_add_loop_test(tcase, test_truncate_and_whole, 0, ROWS(look_rows));
	tcase_add_test(tcase, test_negate);
	tcase_add_loop_test(tcase, test_compare, 0, ROWS(ordered));
	tcase_add_test(tcase, test_laws_hold_for_random_numbers);
}

int main(void)
{
	return suite_run("decimal", add);
}

/* test_json_reader.c - what include/skald/json.h promises to a service */
#include "skald/json.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

/* In normal form, as the library hands it out. */
static const char text[] =
	"{\"sku\":\"book\",\"qty\":2,\"total\":19.99,\"neg\":-0.05,\"whole\":3.00,\"exp\":3e2,"
	"\"big\":9223372036854775807,\"bigger\":9223372036854775808,\"third\":0.333,"
	"\"yes\":true,\"no\":false,\"none\":null,\"quoted\":\"a \\\"b\\\"\",\"\":\"empty\","
	"\"nul\":\"a\\u0000b\",\"long\":\"123456789\",\"umlaut\":\"\xc3\xa4\",\"list\":[1],"
	"\"card\":{\"number\":\"4111\",\"owner\":{\"age\":41}}}";

static const char *const names[] = {"ok", "missing", "other type", "no fit"};

static const struct row {
	const char *name;
	char kind; /* 't'ext in 10 bytes, 'i'nteger, 'b'ool, '0' to '9' places */
	const char *path;
	const char *expected;
} rows[] = {
	{"a text", 't', "sku", "ok book"},
	{"a text with escapes", 't', "quoted", "ok a \"b\""},
	{"a text that fits just so", 't', "long", "ok 123456789"},
	{"a text of other characters", 't', "umlaut", "ok \xc3\xa4"},
	{"a text with a NUL cannot be terminated", 't', "nul", "no fit"},
	{"a member of a member", 't', "card.number", "ok 4111"},
	{"deeper", 'i', "card.owner.age", "ok 41"},
	{"a member that is missing", 't', "skus", "missing"},
	{"a member whose name begins so", 't', "sk", "missing"},
	{"a member of a text", 't', "sku.a", "missing"},
	{"a member of a list", 't', "list.0", "missing"},
	{"a member of a member that is missing", 't', "a.b", "missing"},
	{"a path that ends in a dot", 't', "card.", "missing"},
	{"an empty path is an empty name", 't', "", "ok empty"},
	{"null counts as missing", 't', "none", "missing"},
	{"a number is no text", 't', "qty", "other type"},
	{"an integer", 'i', "qty", "ok 2"},
	{"a whole number with decimals", 'i', "whole", "ok 3"},
	{"a whole number with an exponent", 'i', "exp", "ok 300"},
	{"the largest", 'i', "big", "ok 9223372036854775807"},
	{"larger than that", 'i', "bigger", "no fit"},
	{"a number that is not whole", 'i', "total", "no fit"},
	{"a text is no number", 'i', "sku", "other type"},
	{"a list is no number", 'i', "list", "other type"},
	{"cents", '2', "total", "ok 1999"},
	{"cents of a whole number", '2', "qty", "ok 200"},
	{"negative cents", '2', "neg", "ok -5"},
	{"fewer places than it has", '1', "total", "no fit"},
	{"more places than it has", '3', "total", "ok 19990"},
	{"as many as it has", '3', "third", "ok 333"},
	{"never rounded", '2', "third", "no fit"},
	{"too large for its places", '2', "big", "no fit"},
	{"true", 'b', "yes", "ok 1"},
	{"false", 'b', "no", "ok 0"},
	{"a number is no boolean", 'b', "qty", "other type"},
	{"a boolean that is missing", 'b', "maybe", "missing"},
};

static void read_one(const struct row *row, char *out, size_t size)
{
	char got_text[10] = "untouched";
	int64_t number = 77;
	bool truth = true;
	skald_json_result result;

	if (row->kind == 't')
		result = skald_json_text(text, row->path, got_text, sizeof got_text);
	else if (row->kind == 'i')
		result = skald_json_integer(text, row->path, &number);
	else if (row->kind == 'b')
		result = skald_json_bool(text, row->path, &truth);
	else
		result = skald_json_decimal(text, row->path, (unsigned int)(row->kind - '0'),
					    &number);
	if (result) {
		ck_assert_str_eq(got_text, "untouched");
		ck_assert_int_eq(number, 77);
		ck_assert(truth);
		snprintf(out, size, "%s", names[result]);
	} else if (row->kind == 't') {
		snprintf(out, size, "ok %s", got_text);
	} else {
		snprintf(out, size, "ok %lld", row->kind == 'b' ? truth : (long long)number);
	}
}

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	char got[64];

	read_one(row, got, sizeof got);
	ck_assert_msg(!strcmp(got, row->expected), "%s: %s", row->name, got);
}
END_TEST

START_TEST(test_no_object)
{
	int64_t number;

	ck_assert_int_eq(skald_json_integer("", "a", &number), SKALD_JSON_MISSING);
	ck_assert_int_eq(skald_json_integer("17", "a", &number), SKALD_JSON_MISSING);
	ck_assert_int_eq(skald_json_integer("{}", "a", &number), SKALD_JSON_MISSING);
	ck_assert_int_eq(skald_json_decimal("{\"a\":1}", "a", 18, &number), SKALD_JSON_OK);
	ck_assert_int_eq(number, INT64_C(1000000000000000000));
	ck_assert_int_eq(skald_json_decimal("{\"a\":1}", "a", 19, &number), SKALD_JSON_NO_FIT);
}
END_TEST

/* Escapes need room. */
START_TEST(test_no_memory)
{
	char out[16];

	fail_malloc_at(0);
	ck_assert_int_eq(skald_json_text(text, "quoted", out, sizeof out), SKALD_JSON_NO_FIT);
	ck_assert(fail_malloc_off());
}
END_TEST

START_TEST(test_quote)
{
	char out[12];

	ck_assert(skald_json_quote("a \"b\"\n", out, sizeof out));
	ck_assert_str_eq(out, "\"a \\\"b\\\"\\n\"");
	ck_assert(!skald_json_quote("a \"b\"\nc", out, sizeof out));
	ck_assert_str_eq(out, "");
	ck_assert(!skald_json_quote("\xff", out, sizeof out));
	ck_assert_str_eq(out, "");
	ck_assert(skald_json_quote("", out, 3));
	ck_assert_str_eq(out, "\"\"");
	ck_assert(!skald_json_quote("", out, 2));
	ck_assert(!skald_json_quote("", out, 0));
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_no_object);
	tcase_add_test(tcase, test_no_memory);
	tcase_add_test(tcase, test_quote);
}

int main(void)
{
	return suite_run("json_reader", add);
}

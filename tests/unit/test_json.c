/* test_json.c - reading, comparing and writing values in normal form. */
#include "base/json.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

enum { NO_LIMIT = 64 * 1024 * 1024 };

static const struct type_row {
	struct json value;
	enum json_type type;
	const char *name;
	size_t size;
} type_rows[] = {
	{JSON_OF("null"), JSON_NULL, "null", 0},
	{JSON_OF("true"), JSON_BOOL, "boolean", 0},
	{JSON_OF("false"), JSON_BOOL, "boolean", 0},
	{JSON_OF("0"), JSON_NUMBER, "number", 0},
	{JSON_OF("-1.5e3"), JSON_NUMBER, "number", 0},
	{JSON_OF("\"\""), JSON_TEXT, "text", 0},
	{JSON_OF("\"a,b]\""), JSON_TEXT, "text", 4},
	{JSON_OF("\"na\xc3\xafve \xf0\x9f\x98\x80\""), JSON_TEXT, "text", 7},
	{JSON_OF("\"\\n\xc3\xa9\\u0000\\\\\""), JSON_TEXT, "text", 4},
	{JSON_OF("[]"), JSON_LIST, "list", 0},
	{JSON_OF("[1]"), JSON_LIST, "list", 1},
	{JSON_OF("[[1,2],{\"a\":3,\"b\":4},\"5,6\",\"]\"]"), JSON_LIST, "list", 4},
	{JSON_OF("{}"), JSON_OBJECT, "object", 0},
	{JSON_OF("{\"a\":{\"b\":1,\"c\":2},\"}\":[3,4]}"), JSON_OBJECT, "object", 2},
};

START_TEST(test_type_and_size)
{
	const struct type_row *row = &type_rows[_i];

	ck_assert_msg(json_type(row->value) == row->type, "%s", row->value.text.at);
	ck_assert_str_eq(json_type_name(row->type), row->name);
	ck_assert_msg(json_size(row->value) == row->size, "%s: %zu", row->value.text.at,
		      json_size(row->value));
}
END_TEST

START_TEST(test_scalars)
{
	struct decimal value;

	ck_assert(json_bool(JSON_OF("true")));
	ck_assert(!json_bool(JSON_OF("false")));
	ck_assert_int_eq(json_number(JSON_OF("19.99"), &value), DECIMAL_OK);
	ck_assert_int_eq(value.coefficient, 1999);
	ck_assert_int_eq(value.scale, 2);
	ck_assert_int_eq(json_number(JSON_OF("1e400"), &value), DECIMAL_OVERFLOW);
	ck_assert_int_eq(value.coefficient, 1999);
}
END_TEST

static const struct text_row {
	const char *name;
	struct json value;
	struct slice characters;
} text_rows[] = {
	{"nothing", JSON_OF("\"\""), SLICE_LITERAL("")},
	{"plain", JSON_OF("\"plain \xc3\xa9 text\""), SLICE_LITERAL("plain \xc3\xa9 text")},
	{"quotes and backslashes", JSON_OF("\"\\\"a\\\\\""), SLICE_LITERAL("\"a\\")},
	{"short escapes", JSON_OF("\"\\b\\f\\n\\r\\t\""), SLICE_LITERAL("\b\f\n\r\t")},
	{"control characters", JSON_OF("\"a\\u0000b\\u001f\""), SLICE_LITERAL("a\0b\x1f")},
	{"a slash needs none", JSON_OF("\"a/b\x7f\""), SLICE_LITERAL("a/b\x7f")},
};

START_TEST(test_text_there_and_back)
{
	const struct text_row *row = &text_rows[_i];
	struct bytes written = BYTES(NO_LIMIT, NULL);
	struct arena arena = {0};
	struct slice characters;

	ck_assert(json_text(row->value, &arena, &characters));
	ck_assert_msg(slice_equal(characters, row->characters), "%s: %.*s", row->name,
		      SLICE_ARG(characters));
	json_write_text(&written, row->characters);
	ck_assert_int_eq(written.err, OK);
	ck_assert_msg(slice_equal(bytes_slice(&written), row->value.text), "%s: %.*s",
		      row->name, (int)written.len, written.at);
	bytes_release(&written);
	arena_release(&arena);
}
END_TEST

START_TEST(test_text_without_escapes_is_not_copied)
{
	struct json value = JSON_OF("\"plain\"");
	struct json escaped = JSON_OF("\"a\\nb\"");
	struct slice characters = SLICE_LITERAL("untouched");
	struct arena arena = {0};
	bool plain, made;

	fail_malloc_at(0);
	made = json_text(escaped, &arena, &characters);
	fail_malloc_off();
	ck_assert(!made);
	ck_assert(slice_is(characters, "untouched"));

	fail_malloc_at(0);
	plain = json_text(value, &arena, &characters);
	fail_malloc_off();
	ck_assert(plain);
	ck_assert_ptr_eq(characters.at, value.text.at + 1);
	arena_release(&arena);
}
END_TEST

#define ORDER                                                                                 \
	"{\"id\":\"o-1\",\"customer\":{\"id\":7,\"name\":\"}{\\\"\",\"tags\":[\"a\",\"]\"]}," \
	"\"n\":null,\"\":0,\"a\\\"b\":1,\"a\\\\\":2,\"line\\nbreak\":3,\"\\u0000\":4,"        \
	"\"caf\xc3\xa9\":5,\"idx\":6,\"last\":[{}]}"

static const struct get_row {
	const char *name;
	struct slice member;
	const char *value; /* NULL: there is none */
} get_rows[] = {
	{"the first", SLICE_LITERAL("id"), "\"o-1\""},
	{"an object", SLICE_LITERAL("customer"),
	 "{\"id\":7,\"name\":\"}{\\\"\",\"tags\":[\"a\",\"]\"]}"},
	{"null", SLICE_LITERAL("n"), "null"},
	{"the empty name", SLICE_LITERAL(""), "0"},
	{"the zero slice", {NULL, 0}, "0"},
	{"a name with a quote", SLICE_LITERAL("a\"b"), "1"},
	{"a name with a backslash", SLICE_LITERAL("a\\"), "2"},
	{"a name with a line break", SLICE_LITERAL("line\nbreak"), "3"},
	{"a name that is a NUL", SLICE_LITERAL("\0"), "4"},
	{"a name in UTF-8", SLICE_LITERAL("caf\xc3\xa9"), "5"},
	{"a name that begins like another", SLICE_LITERAL("idx"), "6"},
	{"the last", SLICE_LITERAL("last"), "[{}]"},
	{"a name of an inner object only", SLICE_LITERAL("tags"), NULL},
	{"a text that is no name", SLICE_LITERAL("o-1"), NULL},
	{"the beginning of a name", SLICE_LITERAL("la"), NULL},
	{"a name and more", SLICE_LITERAL("lastly"), NULL},
	{"a name as JSON writes it", SLICE_LITERAL("a\\\"b"), NULL},
	{"bytes that go on behind a name", SLICE_LITERAL("id\":\"o-1\",\"customer"), NULL},
	{"a name that is longer than the object",
	 SLICE_LITERAL("012345678901234567890123456789012345678901234567890123456789"
		       "012345678901234567890123456789012345678901234567890123456789"
		       "012345678901234567890123456789012345678901234567890123456789"
		       "012345678901234567890123456789012345678901234567890123456789"),
	 NULL},
};

START_TEST(test_get)
{
	const struct get_row *row = &get_rows[_i];
	struct json value = JSON_OF("untouched");
	bool found = json_get(JSON_OF(ORDER), row->member, &value);

	ck_assert_msg(found == (row->value != NULL), "%s: found %d", row->name, found);
	ck_assert_msg(slice_is(value.text, found ? row->value : "untouched"), "%s: %.*s",
		      row->name, SLICE_ARG(value.text));
}
END_TEST

START_TEST(test_get_and_at_where_there_is_nothing)
{
	for (int i = 0; i < ROWS(type_rows); i++) {
		struct json value = type_rows[i].value, out = JSON_OF("untouched");

		ck_assert(!json_get(value, SLICE_LITERAL("b"), &out));
		ck_assert(!json_get(value, SLICE_LITERAL("\n"), &out));
		if (type_rows[i].type != JSON_LIST)
			ck_assert(!json_at(value, 0, &out));
		ck_assert(!json_at(value, type_rows[i].size, &out));
		ck_assert(slice_is(out.text, "untouched"));
	}
}
END_TEST

START_TEST(test_at)
{
	struct json list = JSON_OF("[\"a,\\\"b\",[1,[2]],{\"c\":[3,4]},-5.5,null]");
	const char *expected[] = {"\"a,\\\"b\"", "[1,[2]]", "{\"c\":[3,4]}", "-5.5", "null"};
	struct json value;

	for (size_t i = 0; i < 5; i++) {
		ck_assert(json_at(list, i, &value));
		ck_assert_msg(slice_is(value.text, expected[i]), "%zu: %.*s", i,
			      SLICE_ARG(value.text));
	}
	ck_assert(!json_at(list, 5, &value));
	ck_assert(!json_at(list, SIZE_MAX, &value));
}
END_TEST

START_TEST(test_each)
{
	struct json object = JSON_OF("{\"\":[],\"b\\\"\":\"x\",\"c\":{\"d\":1}}");
	const char *names[] = {"\"\"", "\"b\\\"\"", "\"c\""};
	const char *values[] = {"[]", "\"x\"", "{\"d\":1}"};
	struct json_each each = json_each(object);
	size_t n = 0;

	for (; json_next(&each); n++) {
		ck_assert_uint_lt(n, 3);
		ck_assert(slice_is(each.name.text, names[n]));
		ck_assert(slice_is(each.value.text, values[n]));
	}
	ck_assert_uint_eq(n, 3);
	ck_assert(!json_next(&each));

	/* Texts in a list are no names. */
	each = json_each(JSON_OF("[\"a\",\"b:\"]"));
	ck_assert(json_next(&each));
	ck_assert_uint_eq(each.name.text.len, 0);
	ck_assert(slice_is(each.value.text, "\"a\""));
	ck_assert(json_next(&each));
	ck_assert(slice_is(each.value.text, "\"b:\""));
	ck_assert(!json_next(&each));

	each = json_each(JSON_OF("\"abc\""));
	ck_assert(!json_next(&each));
}
END_TEST

static const struct equal_row {
	struct json a;
	struct json b;
	bool equal;
} equal_rows[] = {
	{JSON_OF("null"), JSON_OF("null"), true},
	{JSON_OF("null"), JSON_OF("false"), false},
	{JSON_OF("true"), JSON_OF("true"), true},
	{JSON_OF("true"), JSON_OF("false"), false},
	{JSON_OF("1"), JSON_OF("\"1\""), false},
	{JSON_OF("2.5"), JSON_OF("2.50"), true},
	{JSON_OF("1e3"), JSON_OF("1000"), true},
	{JSON_OF("0"), JSON_OF("-0.00"), true},
	{JSON_OF("1"), JSON_OF("-1"), false},
	{JSON_OF("0.1"), JSON_OF("0.10000000000000001"), false},
	{JSON_OF("9007199254740993"), JSON_OF("9007199254740992"), false},
	{JSON_OF("1e400"), JSON_OF("1e400"), true},
	{JSON_OF("1e400"), JSON_OF("10e399"), false},
	{JSON_OF("1e400"), JSON_OF("1"), false},
	{JSON_OF("\"a\""), JSON_OF("\"a\""), true},
	{JSON_OF("\"a\""), JSON_OF("\"A\""), false},
	{JSON_OF("[]"), JSON_OF("{}"), false},
	{JSON_OF("[1,2]"), JSON_OF("[1.0,2]"), true},
	{JSON_OF("[1,2]"), JSON_OF("[2,1]"), false},
	{JSON_OF("[1,2]"), JSON_OF("[1.0]"), false},
	{JSON_OF("[1]"), JSON_OF("[1.0,2]"), false},
	{JSON_OF("{\"a\":1,\"b\":[2]}"), JSON_OF("{\"b\":[2.0],\"a\":1}"), true},
	{JSON_OF("{\"a\":1,\"b\":2}"), JSON_OF("{\"a\":2,\"b\":1}"), false},
	{JSON_OF("{\"a\":1}"), JSON_OF("{\"a\":1,\"b\":2}"), false},
	{JSON_OF("{\"a\":1,\"b\":2}"), JSON_OF("{\"a\":1}"), false},
	{JSON_OF("{\"a\":null}"), JSON_OF("{\"b\":null}"), false},
	{JSON_OF("{\"a\":{\"x\":1,\"y\":[{\"p\":0,\"q\":1}]}}"),
	 JSON_OF("{\"a\":{\"y\":[{\"q\":1,\"p\":0}],\"x\":1}}"), true},
};

START_TEST(test_equal)
{
	const struct equal_row *row = &equal_rows[_i];

	ck_assert_msg(json_equal(row->a, row->b) == row->equal, "%s and %s", row->a.text.at,
		      row->b.text.at);
	ck_assert_msg(json_equal(row->b, row->a) == row->equal, "%s and %s", row->b.text.at,
		      row->a.text.at);
	ck_assert(json_equal(row->a, row->a));
	ck_assert(json_equal(row->b, row->b));
}
END_TEST

/* An object of n members from the first on or from the last; one may differ. */
static struct json many_members(struct bytes *text, int n, bool backwards, int different)
{
	bytes_clear(text);
	bytes_add(text, '{');
	for (int i = 0; i < n; i++) {
		int member = backwards ? n - 1 - i : i;

		bytes_format(text, "%s\"name%d\":[%d%s]", i ? "," : "", member,
			     member == different ? -1 : member, backwards ? ".0" : "");
	}
	bytes_add(text, '}');
	ck_assert_int_eq(text->err, OK);
	return (struct json){bytes_slice(text)};
}

static const struct {
	int members;
	bool memory;
} many_rows[] = {{2, true}, {32, true}, {33, true}, {1000, false}, {200000, true}};

START_TEST(test_equal_in_any_order)
{
	int n = many_rows[_i].members;
	struct bytes left = BYTES(NO_LIMIT, NULL), right = BYTES(NO_LIMIT, NULL);
	struct json a = many_members(&left, n, false, -1);
	int different[] = {-1, 0, n / 2, n - 1};

	for (size_t i = 0; i < 4; i++) {
		struct json b = many_members(&right, n, true, different[i]);
		bool equal, same_again;

		if (!many_rows[_i].memory)
			fail_malloc_at(0);
		equal = json_equal(a, b);
		if (!many_rows[_i].memory)
			fail_malloc_at(1);
		same_again = json_equal(b, a) == equal;
		fail_malloc_off();
		/* The value 0 differs from -1, and so does every other. */
		ck_assert_msg(equal == (different[i] < 0), "%d members, number %d differs", n,
			      different[i]);
		ck_assert(same_again);
	}
	/* As many members, but one of another name. */
	right.at[right.len - strlen("0\":[0.0]}")] = 'X';
	ck_assert(!json_equal(a, (struct json){bytes_slice(&right)}));
	ck_assert(!json_equal(a, many_members(&right, n + 1, true, -1)));
	bytes_release(&left);
	bytes_release(&right);
}
END_TEST

static const struct pretty_row {
	struct json value;
	int indent;
	const char *text;
} pretty_rows[] = {
	{JSON_OF("1.50"), 0, "1.50"},
	{JSON_OF("[]"), 3, "[]"},
	{JSON_OF("{}"), 0, "{}"},
	{JSON_OF("[1,\"a,b\"]"), 0, "[\n  1,\n  \"a,b\"\n]"},
	{JSON_OF("{\"a\":{\"\":[]},\"b\":[{\"c\":null}]}"), 0,
	 "{\n  \"a\": {\n    \"\": []\n  },\n  \"b\": [\n    {\n      \"c\": null\n    }\n  "
	 "]\n}"},
	{JSON_OF("{\"a\":[1]}"), 2, "{\n      \"a\": [\n        1\n      ]\n    }"},
};

START_TEST(test_pretty)
{
	const struct pretty_row *row = &pretty_rows[_i];
	struct bytes text = BYTES(NO_LIMIT, NULL);

	json_write_pretty(&text, row->value, row->indent);
	ck_assert_int_eq(text.err, OK);
	ck_assert_msg(slice_is(bytes_slice(&text), row->text), "%.*s", (int)text.len, text.at);
	bytes_release(&text);
}
END_TEST

START_TEST(test_writers_keep_to_the_limit)
{
	struct bytes text = BYTES(10, NULL);

	json_write_text(&text, SLICE_LITERAL("12345678"));
	ck_assert_int_eq(text.err, OK);
	ck_assert_uint_eq(text.len, 10);
	bytes_clear(&text);
	json_write_text(&text, SLICE_LITERAL("1234567\n"));
	ck_assert_int_eq(text.err, ERR_TOO_LARGE);
	bytes_clear(&text);
	json_write_pretty(&text, JSON_OF("[1,2,3,4]"), 0);
	ck_assert_int_eq(text.err, ERR_TOO_LARGE);
	bytes_release(&text);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_type_and_size, 0, ROWS(type_rows));
	tcase_add_test(tcase, test_scalars);
	tcase_add_loop_test(tcase, test_text_there_and_back, 0, ROWS(text_rows));
	tcase_add_test(tcase, test_text_without_escapes_is_not_copied);
	tcase_add_loop_test(tcase, test_get, 0, ROWS(get_rows));
	tcase_add_test(tcase, test_get_and_at_where_there_is_nothing);
	tcase_add_test(tcase, test_at);
	tcase_add_test(tcase, test_each);
	tcase_add_loop_test(tcase, test_equal, 0, ROWS(equal_rows));
	tcase_add_loop_test(tcase, test_equal_in_any_order, 0, ROWS(many_rows));
	tcase_add_loop_test(tcase, test_pretty, 0, ROWS(pretty_rows));
	tcase_add_test(tcase, test_writers_keep_to_the_limit);
}

int main(void)
{
	return suite_run("json", add);
}

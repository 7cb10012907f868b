/* test_json_parse.c - what is JSON, what is not, and where it stops being it. */
#include "base/json.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

enum { NO_LIMIT = 64 * 1024 * 1024 };

/* Literals with NUL bytes in them are longer than strlen() says. */
#define TEXT(literal) literal, sizeof(literal) - 1

static const struct normal_row {
	const char *name;
	const char *text;
	size_t len;
	const char *normal;
} normal_rows[] = {
	{"null", TEXT("null"), "null"},
	{"white space around a value", TEXT(" \t\r\n true \n"), "true"},
	{"white space everywhere",
	 TEXT("{ \"a\" : [ 1 , 2 ] ,\r\n\t\"b\" : { } , \"c\" : [ ] }"),
	 "{\"a\":[1,2],\"b\":{},\"c\":[]}"},
	{"white space in texts stays", TEXT("\" a  b \""), "\" a  b \""},
	{"numbers stay letter for letter",
	 TEXT("[19.99, 2.50, -0, 1E+3, 1e400, 0.10, 12345678901234567890]"),
	 "[19.99,2.50,-0,1E+3,1e400,0.10,12345678901234567890]"},
	{"the empty text", TEXT("\"\""), "\"\""},
	{"the empty name", TEXT("{\"\":1}"), "{\"\":1}"},
	{"escapes that must stay", TEXT("\"\\\"\\\\\\b\\f\\n\\r\\t\""),
	 "\"\\\"\\\\\\b\\f\\n\\r\\t\""},
	{"an escaped slash", TEXT("\"a\\/b\""), "\"a/b\""},
	{"control characters become short escapes",
	 TEXT("\"\\u0008\\u000c\\u000a\\u000D\\u0009\\u0022\\u005C\""),
	 "\"\\b\\f\\n\\r\\t\\\"\\\\\""},
	{"the others have lower-case digits", TEXT("\"\\u001F\\u0000\\u000B\""),
	 "\"\\u001f\\u0000\\u000b\""},
	{"characters that need no escape",
	 TEXT("\"\\u0041\\u007f\\u00E9\\u20ac\\ud7ff\\ue000\\uFFFF\""),
	 "\"A\x7f\xc3\xa9\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""},
	{"surrogate pairs", TEXT("\"\\ud83d\\uDE00\\uD800\\udc00\\udbff\\udfff\""),
	 "\"\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""},
	{"UTF-8 stays", TEXT("\"na\xc3\xafve \xf0\x9f\x98\x80\""),
	 "\"na\xc3\xafve \xf0\x9f\x98\x80\""},
	{"names lose their escapes, too", TEXT("{\"\\u0061\\u000a\":\"\\u0062\"}"),
	 "{\"a\\n\":\"b\"}"},
	{"the same name in different objects",
	 TEXT("{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":1}]}"),
	 "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":1}]}"},
	{"names that begin alike", TEXT("{\"a\":1,\"ab\":2,\"\":3,\"A\":4}"),
	 "{\"a\":1,\"ab\":2,\"\":3,\"A\":4}"},
};

START_TEST(test_normal_form)
{
	const struct normal_row *row = &normal_rows[_i];
	struct diag diag = {"untouched"};
	struct arena arena = {0};
	struct json value, again;
	enum err err = json_parse((struct slice){row->text, row->len}, NO_LIMIT, &arena, &value,
				  &diag);

	ck_assert_msg(err == OK, "%s: %s", row->name, diag.text);
	ck_assert_str_eq(diag.text, "untouched");
	ck_assert_msg(slice_is(value.text, row->normal), "%s: became %.*s", row->name,
		      SLICE_ARG(value.text));
	ck_assert_int_eq(json_parse(value.text, value.text.len, &arena, &again, NULL), OK);
	ck_assert_msg(slice_equal(again.text, value.text), "%s: not stable", row->name);
	arena_release(&arena);
}
END_TEST

#define NAMES_17                                                                           \
	"\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"j\":0," \
	"\"k\":0,\"l\":0,\"m\":0,\"n\":0,\"o\":0,\"p\":0,\"q\":0"

static const struct error_row {
	const char *name;
	const char *text;
	size_t len;
	const char *diag;
} error_rows[] = {
	{"no text", TEXT(""), "1:1: a value is expected, found the end; write null, "},
	{"only white space", TEXT(" \n  "), "2:3: a value is expected, found the end"},
	{"two values", TEXT("1 2"), "1:3: the end is expected after the value, found '2'"},
	{"a NUL behind the value", TEXT("1\0"),
	 "1:2: the end is expected after the value, found U+0000"},
	{"a byte order mark", TEXT("\xef\xbb\xbf{}"), "1:1: a value is expected, found U+FEFF"},
	{"a comment", TEXT("[1, // one\n2]"), "1:5: a value is expected, found '/'"},
	{"a capital", TEXT("[\n  True]"),
	 "2:3: 'True' is not a value; write null, true, false"},
	{"a word that goes on", TEXT("nullify"), "1:1: 'nullify' is not a value"},
	{"a long word is cut", TEXT("abcdefghijklmnopqrstuvwxyz"),
	 "1:1: 'abcdefghijklmnopqrst' is"},
	{"NaN", TEXT("NaN"), "1:1: 'NaN' is not a value"},
	{"minus infinity", TEXT("-Infinity"), "1:2: a digit is expected after '-', found 'I'"},
	{"single quotes", TEXT("'a'"), "1:1: a value is expected, found '''"},
	{"a plus", TEXT("+1"), "1:1: a value is expected, found '+'"},
	{"leading zeros", TEXT("[1,-01]"), "1:4: a number does not begin with 0; remove"},
	{"a hexadecimal number", TEXT("0x10"),
	 "1:2: the end is expected after the value, found 'x'"},
	{"nothing before the point", TEXT(".5"), "1:1: a value is expected, found '.'"},
	{"nothing after the point", TEXT("[5.]"),
	 "1:4: a digit is expected after the point, found ']'"},
	{"no exponent", TEXT("1e"), "1:3: a digit is expected in the exponent, found the end"},
	{"only the sign of an exponent", TEXT("1e+x"),
	 "1:4: a digit is expected in the exponent, found 'x'"},
	{"two points", TEXT("[1.2.3]"), "1:5: ',' or ']' is expected, found '.'"},
	{"a list that does not end", TEXT("[1,2"),
	 "1:5: ',' or ']' is expected, found the end"},
	{"a list that is closed by a brace", TEXT("[1}"),
	 "1:3: ',' or ']' is expected, found '}'"},
	{"a comma before the bracket", TEXT("[1,]"),
	 "1:3: nothing follows the comma; remove it"},
	{"a comma before the brace", TEXT("{\"a\":1 , \n}"),
	 "1:8: nothing follows the comma; remove it"},
	{"only a comma", TEXT("[,]"), "1:2: a value is expected, found ','"},
	{"two commas", TEXT("[1,,2]"), "1:4: a value is expected, found ','"},
	{"no comma", TEXT("{\"a\":1 \"b\":2}"), "1:8: ',' or '}' is expected, found '\"'"},
	{"a name without quotes", TEXT("{a:1}"),
	 "1:2: a name in double quotes is expected, found 'a'"},
	{"a number as a name", TEXT("{1:1}"),
	 "1:2: a name in double quotes is expected, found '1'"},
	{"no colon", TEXT("{\"a\" 1}"), "1:6: ':' is expected after a name, found '1'"},
	{"no member value", TEXT("{\"a\":}"), "1:6: a value is expected, found '}'"},
	{"closed without being opened", TEXT("]"), "1:1: a value is expected, found ']'"},
	{"a text that does not end", TEXT("[\"abc]"),
	 "1:2: the text that begins here has no end"},
	{"a text that ends in a backslash", TEXT("\"abc\\"),
	 "1:5: '\\' is followed by the end"},
	{"a quote that is escaped away", TEXT("\"abc\\\""),
	 "1:1: the text that begins here has no end"},
	{"a line break in a text", TEXT("\"a\nb\""),
	 "1:3: a control character inside a text; write it as \\u000a"},
	{"a NUL in a text", TEXT("\"a\0b\""),
	 "1:3: a control character inside a text; write it as \\u0000"},
	{"an unknown escape", TEXT("\"\\x41\""),
	 "1:2: '\\' is followed by 'x'; write \\\\ for"},
	{"an escaped NUL", TEXT("\"\\\0\""), "1:2: '\\' is followed by U+0000"},
	{"too few digits", TEXT("\"\\u12\""),
	 "1:2: \\u needs four hexadecimal digits, found '\"'"},
	{"a bad digit", TEXT("\"\\u12g4\""),
	 "1:2: \\u needs four hexadecimal digits, found 'g'"},
	{"a NUL for a digit", TEXT("\"\\u12\0\x34\""),
	 "1:2: \\u needs four hexadecimal digits, found U+0000"},
	{"no digits at the end", TEXT("\"\\u"),
	 "1:2: \\u needs four hexadecimal digits, found the end"},
	{"a high surrogate alone", TEXT("\"\\ud83d\""), "1:2: half of a surrogate pair"},
	{"a high surrogate before a letter", TEXT("\"\\ud83d\\u0041\""),
	 "1:2: half of a surrogate pair"},
	{"two high surrogates", TEXT("\"\\ud83d\\ud83d\""), "1:2: half of a surrogate pair"},
	{"a low surrogate first", TEXT("\"\\ude00\\ud83d\""), "1:2: half of a surrogate pair"},
	{"two low surrogates", TEXT("\"\\ude00\\ude00\""), "1:2: half of a surrogate pair"},
	{"a surrogate in UTF-8", TEXT("\"a\xed\xa0\x80\""), "1:3: byte 0xed is not UTF-8"},
	{"an overlong character", TEXT("\"\xc0\xaf\""), "1:2: byte 0xc0 is not UTF-8"},
	{"half a character", TEXT("\"\xe2\x82\""), "1:2: byte 0xe2 is not UTF-8"},
	{"Latin-1", TEXT("\"caf\xe9\""), "1:5: byte 0xe9 is not UTF-8; save the text as UTF-8"},
	{"a bad byte between values", TEXT("[\xff]"),
	 "1:2: a value is expected, found byte 0xff"},
	{"columns count characters", TEXT("{\"\xc3\xa9\xf0\x9f\x98\x80\": x}"),
	 "1:8: 'x' is not a value"},
	{"a name twice", TEXT("{\"a\":1,\n \"b\":2, \"a\":3}"),
	 "2:9: the name \"a\" was given before in this object; remove one"},
	{"a name twice, escaped", TEXT("{\"ab\":1,\"\\u0061b\":3}"),
	 "1:9: the name \"ab\" was given before"},
	{"a name twice further in", TEXT("[{\"x\":{\"a\":1,\"a\":1}}]"),
	 "1:14: the name \"a\" was given before"},
	{"the empty name twice", TEXT("{\"\":1,\"\":1}"),
	 "1:7: the name \"\" was given before"},
	{"a name twice among many", TEXT("{\n" NAMES_17 ",\n\"c\":1,\"b\":1}"),
	 "3:1: the name \"c\" was given before"},
	{"a name twice behind an inner object", TEXT("{\"a\":{\"b\":1},\"c\":1,\"a\":2}"),
	 "1:20: the name \"a\" was given before"},
	{"a long name is cut between characters",
	 TEXT("{\"0123456789012345678\xc3\xa9x\":1,\"0123456789012345678\xc3\xa9x\":1}"),
	 "1:28: the name \"0123456789012345678\" was given before"},
};

START_TEST(test_errors_say_where)
{
	const struct error_row *row = &error_rows[_i];
	struct json value = JSON_OF("untouched");
	struct diag diag = {""};
	struct arena arena = {0};
	enum err err = json_parse((struct slice){row->text, row->len}, NO_LIMIT, &arena, &value,
				  &diag);

	ck_assert_msg(err == ERR_INVALID, "%s: %s", row->name, err_text(err));
	ck_assert_msg(strncmp(diag.text, row->diag, strlen(row->diag)) == 0, "%s: %s",
		      row->name, diag.text);
	ck_assert_msg(slice_is(value.text, "untouched"), "%s: wrote a value", row->name);
	ck_assert_int_eq(
		json_parse((struct slice){row->text, row->len}, NO_LIMIT, &arena, &value, NULL),
		ERR_INVALID);
	arena_release(&arena);
}
END_TEST

START_TEST(test_zero_slice_is_no_value)
{
	struct arena arena = {0};
	struct json value;

	ck_assert_int_eq(json_parse((struct slice){0}, NO_LIMIT, &arena, &value, NULL),
			 ERR_INVALID);
	arena_release(&arena);
}
END_TEST

START_TEST(test_limit_is_of_the_normal_form)
{
	struct slice text =
		SLICE_LITERAL(" { \"a\" : \"\\u0041\" ,  \"b\" : [ true , 1.25 ] } ");
	size_t len = strlen("{\"a\":\"A\",\"b\":[true,1.25]}");
	struct arena arena = {0};
	struct diag diag;
	struct json value;

	ck_assert_int_eq(json_parse(text, len, &arena, &value, NULL), OK);
	ck_assert_uint_eq(value.text.len, len);
	for (size_t max = 0; max < len; max++) {
		diag.text[0] = '\0';
		ck_assert_int_eq(json_parse(text, max, &arena, &value, &diag), ERR_TOO_LARGE);
		ck_assert_ptr_nonnull(strstr(diag.text, "the value is longer than "));
	}
	ck_assert_str_eq(diag.text, "1:44: the value is longer than 24 bytes; make it shorter");
	arena_release(&arena);
}
END_TEST

/* So many levels around a 1, lists and objects in turn. */
static struct slice nest(struct bytes *text, int levels)
{
	bytes_clear(text);
	for (int i = 0; i < levels; i++)
		bytes_text(text, i % 2 ? "{\"a\":" : "[");
	bytes_add(text, '1');
	for (int i = levels; i > 0; i--)
		bytes_add(text, i % 2 ? ']' : '}');
	return bytes_slice(text);
}

/* What comes next in the arena does not run into it. */
START_TEST(test_a_terminator_follows)
{
	for (size_t len = 2; len <= 64; len++) {
		struct arena arena = {0};
		struct json value;
		char text[64], *next;

		memset(text, 'a', sizeof text);
		text[0] = text[len - 1] = '"';
		ck_assert_int_eq(
			json_parse((struct slice){text, len}, NO_LIMIT, &arena, &value, NULL),
			OK);
		next = arena_alloc(&arena, 1);
		ck_assert(next);
		*next = '!';
		ck_assert_uint_eq(value.text.len, len);
		ck_assert_uint_eq(strlen(value.text.at), len);
		arena_release(&arena);
	}
}
END_TEST

START_TEST(test_depth_has_a_limit)
{
	struct arena arena = {0};
	struct bytes text = BYTES(NO_LIMIT, NULL);
	struct diag diag;
	struct json value;

	ck_assert_int_eq(
		json_parse(nest(&text, JSON_DEPTH_MAX), NO_LIMIT, &arena, &value, NULL), OK);
	ck_assert_uint_eq(value.text.len, text.len);
	ck_assert_int_eq(
		json_parse(nest(&text, JSON_DEPTH_MAX + 1), NO_LIMIT, &arena, &value, &diag),
		ERR_INVALID);
	ck_assert_str_eq(diag.text, "1:193: more than 64 lists and objects inside each other; "
				    "make it flatter");
	ck_assert_int_eq(json_parse(nest(&text, 1000000), NO_LIMIT, &arena, &value, NULL),
			 ERR_INVALID);

	/* What is closed does not count. */
	bytes_clear(&text);
	bytes_add(&text, '[');
	for (int i = 0; i < 1000; i++)
		bytes_text(&text, "{},[],");
	bytes_text(&text, "0]");
	ck_assert_int_eq(json_parse(bytes_slice(&text), NO_LIMIT, &arena, &value, NULL), OK);
	bytes_release(&text);
	arena_release(&arena);
}
END_TEST

/* An object of n members, named by numbers with a prefix. */
static void write_members(struct bytes *text, int n, int step, const char *prefix)
{
	bytes_add(text, '{');
	for (int i = 0; i < n; i++)
		bytes_format(text, "%s\"%s%d\":%d", i ? "," : "", prefix,
			     (int)((long long)i * step % n), i);
	bytes_add(text, '}');
}

static const struct {
	const char *name;
	int step; /* n is prime to it, so that every number comes once */
	const char *prefix;
} orders[] = {
	{"ascending names", 1, ""},
	{"descending names", 199998, ""},
	{"scattered names", 77777, ""},
	{"long names that begin alike", 77777, "0123456789012345678901234567890123456789"},
};

/* The time limit of the suite stands between this and comparing each with each. */
START_TEST(test_many_names_take_little_time)
{
	const int n = 199999;
	struct bytes text = BYTES(NO_LIMIT, NULL);
	struct arena arena = {0};
	struct json value, member;
	struct diag diag;

	write_members(&text, n, orders[_i].step, orders[_i].prefix);
	ck_assert_int_eq(text.err, OK);
	ck_assert_int_eq(json_parse(bytes_slice(&text), NO_LIMIT, &arena, &value, NULL), OK);
	ck_assert_uint_eq(json_size(value), (size_t)n);
	ck_assert(slice_equal(value.text, bytes_slice(&text)));

	/* Once more the first of them, and then the last. */
	text.len--;
	bytes_format(&text, ",\n\"%s0\":0,\"new\":1,\"%s1\":0}", orders[_i].prefix,
		     orders[_i].prefix);
	ck_assert_int_eq(json_parse(bytes_slice(&text), NO_LIMIT, &arena, &value, &diag),
			 ERR_INVALID);
	ck_assert_msg(strncmp(diag.text, "2:1: the name \"", 15) == 0, "%s: %s",
		      orders[_i].name, diag.text);
	ck_assert(json_get(value, SLICE_LITERAL("new"), &member) == false);
	bytes_release(&text);
	arena_release(&arena);
}
END_TEST

START_TEST(test_memory_may_run_out)
{
	struct bytes text = BYTES(NO_LIMIT, NULL);
	struct json value = JSON_OF("untouched");
	bool fired = true;
	size_t n = 0;

	write_members(&text, 5000, 1, "");
	for (; fired; n++) {
		struct arena arena = {0};
		struct diag diag = {""};
		enum err err;

		fail_malloc_at(n);
		err = json_parse(bytes_slice(&text), NO_LIMIT, &arena, &value, &diag);
		fired = fail_malloc_off();
		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
		ck_assert_str_eq(diag.text, fired ? "out of memory while reading JSON" : "");
		ck_assert(slice_is(value.text, "untouched") == fired);
		arena_release(&arena);
	}
	ck_assert_uint_gt(n, 3);
	bytes_release(&text);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_normal_form, 0, ROWS(normal_rows));
	tcase_add_loop_test(tcase, test_errors_say_where, 0, ROWS(error_rows));
	tcase_add_test(tcase, test_zero_slice_is_no_value);
	tcase_add_test(tcase, test_limit_is_of_the_normal_form);
	tcase_add_test(tcase, test_a_terminator_follows);
	tcase_add_test(tcase, test_depth_has_a_limit);
	tcase_add_loop_test(tcase, test_many_names_take_little_time, 0, ROWS(orders));
	tcase_add_test(tcase, test_memory_may_run_out);
}

int main(void)
{
	return suite_run("json_parse", add);
}

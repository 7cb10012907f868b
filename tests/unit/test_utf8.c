/* test_utf8.c - every character there is, and every way not to be one. */
#include "base/utf8.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

static const struct row {
	const char *name;
	const char *bytes;
	size_t consumed; /* by the first character; 0: invalid */
	uint32_t code_point;
} rows[] = {
	{"a letter", "ab", 1, 'a'},
	{"the least of two bytes", "\xc2\x80", 2, 0x80},
	{"the largest of two bytes", "\xdf\xbf", 2, 0x7ff},
	{"the least of three bytes", "\xe0\xa0\x80", 3, 0x800},
	{"the last before the surrogates", "\xed\x9f\xbf", 3, 0xd7ff},
	{"the first behind the surrogates", "\xee\x80\x80", 3, 0xe000},
	{"the largest of three bytes", "\xef\xbf\xbf", 3, 0xffff},
	{"the least of four bytes", "\xf0\x90\x80\x80", 4, 0x10000},
	{"the largest of all", "\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	{"nothing at all", "", 0, 0},
	{"a byte from the middle", "\x80", 0, 0},
	{"two bytes for a NUL", "\xc0\x80", 0, 0},
	{"two bytes where one does", "\xc1\xbf", 0, 0},
	{"three bytes where two do", "\xe0\x9f\xbf", 0, 0},
	{"four bytes where three do", "\xf0\x8f\xbf\xbf", 0, 0},
	{"the first surrogate", "\xed\xa0\x80", 0, 0},
	{"the last surrogate", "\xed\xbf\xbf", 0, 0},
	{"above the largest", "\xf4\x90\x80\x80", 0, 0},
	{"a byte that begins nothing", "\xf5\x80\x80\x80", 0, 0},
	{"the byte 0xff", "\xff", 0, 0},
	{"a byte for five bytes", "\xf8\x90\x80\x80", 0, 0},
	{"the second byte is missing", "\xc3", 0, 0},
	{"the third byte is missing", "\xe2\x82", 0, 0},
	{"the fourth byte is missing", "\xf0\x9f\x98", 0, 0},
	{"the second byte is a letter", "\xc3z", 0, 0},
	{"the third byte begins a character", "\xe2\x82\xc3", 0, 0},
};

START_TEST(test_decode)
{
	const struct row *row = &rows[_i];
	struct slice text = slice_of(row->bytes);
	uint32_t code_point = 12345;
	char *bytes = malloc(text.len + 1);
	size_t consumed;

	/* Just so many bytes: reading one more is seen by the sanitizer. */
	ck_assert_ptr_nonnull(bytes);
	bytes = realloc(bytes, text.len ? text.len : 1);
	memcpy(bytes, text.at, text.len);
	consumed = utf8_decode((struct slice){bytes, text.len}, &code_point);
	ck_assert_msg(consumed == row->consumed, "%s: %zu bytes", row->name, consumed);
	ck_assert_msg(code_point == (row->consumed ? row->code_point : 12345), "%s: U+%04X",
		      row->name, (unsigned int)code_point);
	ck_assert_msg(utf8_valid((struct slice){bytes, text.len}) ==
			      (row->consumed > 0 || text.len == 0),
		      "%s: utf8_valid", row->name);
	free(bytes);
}
END_TEST

START_TEST(test_every_character_there_and_back)
{
	uint32_t expected_length_from[] = {0, 0x80, 0x800, 0x10000};

	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		uint32_t decoded = 0;
		char bytes[UTF8_MAX];
		size_t len;

		if (code == 0xd800)
			code = 0xe000;
		len = utf8_encode(code, bytes);
		if (utf8_decode((struct slice){bytes, len}, &decoded) != len ||
		    decoded != code || code < expected_length_from[len - 1] ||
		    utf8_count((struct slice){bytes, len}) != 1)
			ck_abort_msg("U+%04X became U+%04X in %zu bytes", (unsigned int)code,
				     (unsigned int)decoded, len);
	}
}
END_TEST

START_TEST(test_whole_texts)
{
	ck_assert(utf8_valid((struct slice){0}));
	ck_assert(utf8_valid(SLICE_LITERAL("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80")));
	ck_assert(!utf8_valid(SLICE_LITERAL("ends badly \xe2\x82")));
	ck_assert(!utf8_valid(SLICE_LITERAL("bad \xff in the middle")));
	ck_assert(utf8_valid((struct slice){"a\0b", 3}));
	ck_assert_uint_eq(
		utf8_count(SLICE_LITERAL("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80")), 9);
	ck_assert_uint_eq(utf8_count((struct slice){0}), 0);
}
END_TEST

START_TEST(test_cut)
{
	struct slice text = SLICE_LITERAL("a\xe2\x82\xac"
					  "b");

	ck_assert(slice_equal(utf8_cut(text, 100), text));
	ck_assert(slice_equal(utf8_cut(text, 5), text));
	ck_assert(slice_is(utf8_cut(text, 4), "a\xe2\x82\xac"));
	ck_assert(slice_is(utf8_cut(text, 3), "a"));
	ck_assert(slice_is(utf8_cut(text, 0), ""));
	ck_assert(slice_is(utf8_cut(SLICE_LITERAL("ab\xff"
						  "cd"),
				    100),
			   "ab"));
	ck_assert(slice_is(utf8_cut(SLICE_LITERAL("ends badly \xe2\x82"), 100), "ends badly "));
	ck_assert(slice_is(utf8_cut((struct slice){0}, 100), ""));
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_decode, 0, ROWS(rows));
	tcase_add_test(tcase, test_every_character_there_and_back);
	tcase_add_test(tcase, test_whole_texts);
	tcase_add_test(tcase, test_cut);
}

int main(void)
{
	return suite_run("utf8", add);
}

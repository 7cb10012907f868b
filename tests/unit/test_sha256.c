/* test_sha256.c - the examples of FIPS 180-4 and every way of padding. */
#include "base/sha256.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

static const struct row {
	const char *name;
	const char *text; /* so many times in a row */
	size_t times;
	const char *hex;
} rows[] = {
	{"nothing", "a", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"one block", "abc", 1,
	 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{"two blocks and more",
	 "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
	 "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
	 1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
	{"a million letters", "a", 1000000,
	 "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
	{"the length just fits into the block", "a", 55,
	 "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
	{"the length needs another block", "a", 56,
	 "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
	{"one byte short of a block", "a", 63,
	 "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
	{"exactly a block", "a", 64,
	 "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
	{"one byte more than a block", "a", 65,
	 "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
	{"bytes above 127", "\xff\x80", 60,
	 "539224e95f3e3fb2df66db27710b703f700f8ba26283c1998c9b10cd9350c2d5"},
};

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	size_t len = strlen(row->text);
	char *text = malloc(len * row->times + 1);
	uint8_t hash[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < row->times; i++)
		memcpy(text + i * len, row->text, len);
	sha256((struct slice){text, len * row->times}, hash);
	sha256_hex(hash, hex);
	ck_assert_msg(strcmp(hex, row->hex) == 0, "%s: %s", row->name, hex);
	free(text);
}
END_TEST

START_TEST(test_zero_slice_is_the_empty_text)
{
	uint8_t hash[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	sha256((struct slice){0}, hash);
	sha256_hex(hash, hex);
	ck_assert_str_eq(hex, rows[0].hex);
}
END_TEST

#define DIGITS_60 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852"

static const struct hex_row {
	const char *name, *hex;
	bool good;
} hex_rows[] = {
	{"all digits", DIGITS_60 "09af", true},        {"one too few", DIGITS_60 "09a", false},
	{"one too many", DIGITS_60 "09af0", false},    {"none", "", false},
	{"a letter too far", DIGITS_60 "09ag", false}, {"upper case", DIGITS_60 "09aF", false},
	{"a sign", DIGITS_60 "0-af", false},
};

START_TEST(test_digits)
{
	const struct hex_row *row = &hex_rows[_i];
	uint8_t hash[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	ck_assert_msg(sha256_parse(slice_of(row->hex), hash) == row->good, "%s", row->name);
	if (!row->good)
		return;
	sha256_hex(hash, hex);
	ck_assert_str_eq(hex, row->hex);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_digits, 0, ROWS(hex_rows));
	tcase_add_test(tcase, test_zero_slice_is_the_empty_text);
}

int main(void)
{
	return suite_run("sha256", add);
}

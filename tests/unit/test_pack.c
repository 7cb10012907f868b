#include "base/pack.h"
#include "tests/lib/suite.h"

static const struct number_row {
	const char *name;
	uint64_t number;
	struct slice packed;
} number_rows[] = {
	{"zero is one byte", 0, SLICE_LITERAL("\x00")},
	{"the largest of one byte", 127, SLICE_LITERAL("\x7f")},
	{"the smallest of two bytes", 128, SLICE_LITERAL("\x80\x01")},
	{"the largest of two bytes", 16383, SLICE_LITERAL("\xff\x7f")},
	{"the smallest of three bytes", 16384, SLICE_LITERAL("\x80\x80\x01")},
	{"2 to the 63rd", (uint64_t)1 << 63,
	 SLICE_LITERAL("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")},
	{"the largest of all", UINT64_MAX,
	 SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
};

START_TEST(test_number)
{
	const struct number_row *row = &number_rows[_i];
	struct bytes bytes = BYTES(100, NULL);
	struct unpack unpack;
	struct pack pack;

	pack_begin(&pack, &bytes);
	pack_number(&pack, row->number);
	pack_end(&pack);
	ck_assert_msg(slice_equal(bytes_slice(&bytes), row->packed), "%s: %zu bytes", row->name,
		      bytes.len);
	unpack = unpack_begin(row->packed);
	ck_assert_msg(unpack_number(&unpack, row->number, "it") == row->number, "%s",
		      row->name);
	ck_assert(unpack_done(&unpack) && !unpack.what);
	for (size_t len = 0; len < row->packed.len; len++) {
		unpack = unpack_begin((struct slice){row->packed.at, len});
		ck_assert_uint_eq(unpack_number(&unpack, UINT64_MAX, "it"), 0);
		ck_assert_str_eq(unpack.how, "is cut off");
	}
	if (row->number > 0) {
		unpack = unpack_begin(row->packed);
		ck_assert_uint_eq(unpack_number(&unpack, row->number - 1, "it"), 0);
		ck_assert_str_eq(unpack.how, "is out of range");
	}
	bytes_release(&bytes);
}
END_TEST

static const struct signed_row {
	const char *name;
	int64_t number;
	struct slice packed;
} signed_rows[] = {
	{"zero", 0, SLICE_LITERAL("\x00")},
	{"minus one", -1, SLICE_LITERAL("\x01")},
	{"one", 1, SLICE_LITERAL("\x02")},
	{"the smallest of one byte", -64, SLICE_LITERAL("\x7f")},
	{"the first of two bytes", 64, SLICE_LITERAL("\x80\x01")},
	{"the largest", INT64_MAX, SLICE_LITERAL("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
	{"the smallest", INT64_MIN, SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
};

START_TEST(test_signed)
{
	const struct signed_row *row = &signed_rows[_i];
	struct bytes bytes = BYTES(100, NULL);
	struct unpack unpack;
	struct pack pack;

	pack_begin(&pack, &bytes);
	pack_signed(&pack, row->number);
	pack_end(&pack);
	ck_assert_msg(slice_equal(bytes_slice(&bytes), row->packed), "%s", row->name);
	unpack = unpack_begin(row->packed);
	ck_assert_msg(unpack_signed(&unpack, "it") == row->number, "%s", row->name);
	bytes_release(&bytes);
}
END_TEST

START_TEST(test_any_time_has_a_distance_from_any_other)
{
	static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1,       0, 1,
					1000,      INT64_MAX - 1, INT64_MAX};

	for (int i = 0; i < ROWS(times); i++) {
		for (int j = 0; j < ROWS(times); j++) {
			struct bytes bytes = BYTES(100, NULL);
			struct unpack unpack;
			struct pack pack;

			pack_begin(&pack, &bytes);
			pack_time(&pack, times[i], times[j]);
			pack_end(&pack);
			unpack = unpack_begin(bytes_slice(&bytes));
			ck_assert_int_eq(unpack_time(&unpack, times[j], "it"), times[i]);
			ck_assert(unpack_done(&unpack) && !unpack.what);
			bytes_release(&bytes);
		}
	}
}
END_TEST

static const struct bad_row {
	const char *name;
	struct slice packed;
	const char *how;
} bad_rows[] = {
	{"no bytes", {NULL, 0}, "is cut off"},
	{"a last byte of zero", SLICE_LITERAL("\x80\x00"), "is longer than it needs to be"},
	{"a number in ten bytes that needs one",
	 SLICE_LITERAL("\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00"),
	 "is longer than it needs to be"},
	{"a bit too many", SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
	 "is out of range"},
	{"a byte too many", SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01"),
	 "is out of range"},
};

START_TEST(test_bad)
{
	const struct bad_row *row = &bad_rows[_i];
	struct unpack unpack = unpack_begin(row->packed);

	ck_assert_uint_eq(unpack_number(&unpack, UINT64_MAX, "it"), 0);
	ck_assert_msg(unpack.how && strcmp(unpack.how, row->how) == 0, "%s: %s", row->name,
		      unpack.how ? unpack.how : "nothing");
	ck_assert_uint_eq(unpack.where, 0);
	ck_assert(unpack_done(&unpack));
}
END_TEST

/* More than is gathered at a time, in every mixture of short and long. */
START_TEST(test_texts_and_numbers_come_back_in_order)
{
	static char long_text[1000];
	struct bytes bytes = BYTES(1 << 20, NULL);
	struct unpack unpack;
	struct pack pack;

	memset(long_text, 'x', sizeof long_text);
	pack_begin(&pack, &bytes);
	for (size_t n = 0; n < 600; n++) {
		pack_slice(&pack, (struct slice){long_text, n});
		pack_number(&pack, n * n * n);
		pack_raw(&pack, (struct slice){long_text, n % 7});
	}
	pack_end(&pack);
	ck_assert_int_eq(bytes.err, OK);
	unpack = unpack_begin(bytes_slice(&bytes));
	for (size_t n = 0; n < 600; n++) {
		ck_assert_uint_eq(unpack_slice(&unpack, n, "a text").len, n);
		ck_assert_uint_eq(unpack_number(&unpack, UINT64_MAX, "a number"), n * n * n);
		ck_assert_uint_eq(unpack_raw(&unpack, n % 7, "bytes").len, n % 7);
	}
	ck_assert(unpack_done(&unpack) && !unpack.what);
	bytes_release(&bytes);
}
END_TEST

START_TEST(test_what_does_not_fit_is_said_at_the_end)
{
	struct bytes bytes = BYTES(3, NULL);
	struct pack pack;

	pack_begin(&pack, &bytes);
	pack_slice(&pack, SLICE_LITERAL("abc"));
	pack_end(&pack);
	ck_assert_int_eq(bytes.err, ERR_TOO_LARGE);
	bytes_release(&bytes);
}
END_TEST

START_TEST(test_the_first_complaint_stays)
{
	struct unpack unpack = unpack_begin(SLICE_LITERAL("\x05\x09"
							  "abc"));

	ck_assert_uint_eq(unpack_number(&unpack, 9, "the first"), 5);
	ck_assert_uint_eq(unpack_slice(&unpack, 100, "the second").len, 0);
	ck_assert_uint_eq(unpack_number(&unpack, 9, "the third"), 0);
	ck_assert_uint_eq(unpack_slice(&unpack, 9, "the fourth").len, 0);
	ck_assert_int_eq(unpack_signed(&unpack, "the fifth"), 0);
	ck_assert_str_eq(unpack.what, "the second");
	ck_assert_str_eq(unpack.how, "is cut off");
	ck_assert_uint_eq(unpack.where, 2);
	ck_assert(unpack_done(&unpack));
}
END_TEST

START_TEST(test_a_text_over_its_limit)
{
	struct unpack unpack = unpack_begin(SLICE_LITERAL("\x03"
							  "abc"));

	ck_assert_uint_eq(unpack_slice(&unpack, 2, "a text").len, 0);
	ck_assert_str_eq(unpack.how, "is out of range");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_number, 0, ROWS(number_rows));
	tcase_add_loop_test(tcase, test_signed, 0, ROWS(signed_rows));
	tcase_add_test(tcase, test_any_time_has_a_distance_from_any_other);
	tcase_add_loop_test(tcase, test_bad, 0, ROWS(bad_rows));
	tcase_add_test(tcase, test_texts_and_numbers_come_back_in_order);
	tcase_add_test(tcase, test_what_does_not_fit_is_said_at_the_end);
	tcase_add_test(tcase, test_the_first_complaint_stays);
	tcase_add_test(tcase, test_a_text_over_its_limit);
}

int main(void)
{
	return suite_run("pack", add);
}

/* test_json_line.c - JSON that is written member by member. */
#include "base/json_line.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

static const struct number_row {
	int64_t number;
	const char *json;
} number_rows[] = {
	{0, "{\"n\":0}"},
	{-1, "{\"n\":-1}"},
	{10, "{\"n\":10}"},
	{1763715600250, "{\"n\":1763715600250}"},
	{INT64_MAX, "{\"n\":9223372036854775807}"},
	{INT64_MIN, "{\"n\":-9223372036854775808}"},
};

START_TEST(test_numbers)
{
	const struct number_row *row = &number_rows[_i];
	struct bytes out = BYTES(100, NULL);

	json_begin(&out);
	json_add_number(&out, "n", row->number);
	json_end(&out);
	ck_assert_msg(slice_is(bytes_slice(&out), row->json), "%s", row->json);
	bytes_release(&out);
}
END_TEST

/* Written whole, or appended by somebody: the same. */
static const struct text_row {
	const char *name, *text, *json;
} text_rows[] = {
	{"nothing", "", "{\"a\":\"\",\"b\":true}"},
	{"plain", "charge: do sent", "{\"a\":\"charge: do sent\",\"b\":true}"},
	{"quotes", "the \"one\"", "{\"a\":\"the \\\"one\\\"\",\"b\":true}"},
	{"a control character", "a\nb", "{\"a\":\"a\\nb\",\"b\":true}"},
	{"more than ASCII",
	 "Stra\xc3\x9f"
	 "e",
	 "{\"a\":\"Stra\xc3\x9f"
	 "e\",\"b\":true}"},
	{"no UTF-8", "a\xff", "{\"a\":\"a\xef\xbf\xbd\",\"b\":true}"},
};

START_TEST(test_texts)
{
	const struct text_row *row = &text_rows[_i];

	for (int i = 0; i < 2; i++) {
		struct bytes out = BYTES(100, NULL);
		size_t at;

		json_begin(&out);
		if (i == 0) {
			json_add_text(&out, "a", slice_of(row->text));
		} else {
			at = json_begin_text(&out, "a");
			bytes_text(&out, row->text);
			json_end_text(&out, at);
		}
		json_add_bool(&out, "b", true);
		json_end(&out);
		ck_assert_msg(slice_is(bytes_slice(&out), row->json), "%s: %.*s", row->name,
			      (int)out.len, out.at);
		bytes_release(&out);
	}
}
END_TEST

START_TEST(test_no_room)
{
	for (size_t max = 0; max < 20; max++) {
		struct bytes out = BYTES(max, NULL);
		size_t at;

		json_begin(&out);
		at = json_begin_text(&out, "a");
		bytes_text(&out, "a \"b\" c");
		json_end_text(&out, at);
		json_end(&out);
		ck_assert_int_eq(out.err, max < 17 ? ERR_TOO_LARGE : OK);
		bytes_release(&out);
	}
}
END_TEST

START_TEST(test_no_memory)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct bytes out = BYTES(1000, NULL);
		size_t at;

		fail_malloc_at(n);
		json_begin(&out);
		at = json_begin_text(&out, "a");
		bytes_text(&out, "a \"b\" c");
		json_end_text(&out, at);
		json_end(&out);
		fired = fail_malloc_off();
		ck_assert_int_eq(out.err, fired ? ERR_NOMEM : OK);
		bytes_release(&out);
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_numbers, 0, ROWS(number_rows));
	tcase_add_loop_test(tcase, test_texts, 0, ROWS(text_rows));
	tcase_add_test(tcase, test_no_room);
	tcase_add_test(tcase, test_no_memory);
}

int main(void)
{
	return suite_run("json_line", add);
}

/* test_duration.c - durations as text, both ways. */
#include "base/duration.h"
#include "tests/lib/suite.h"

static const struct parse_row {
	const char *name;
	const char *text;
	enum err err;
	int64_t ms;
} parse_rows[] = {
	{"milliseconds", "250ms", OK, 250},
	{"seconds", "10s", OK, 10000},
	{"minutes", "15m", OK, 900000},
	{"hours", "24h", OK, 86400000},
	{"days", "7d", OK, 604800000},
	{"nothing at all", "0s", OK, 0},
	{"leading zeros", "007s", OK, 7000},
	{"the longest in days", "36500d", OK, DURATION_MAX_MS},
	{"the longest in milliseconds", "3153600000000ms", OK, DURATION_MAX_MS},
	{"a day over the longest", "36501d", ERR_TOO_LARGE, 0},
	{"a millisecond over the longest", "3153600000001ms", ERR_TOO_LARGE, 0},
	{"digits that overflow 64 bits", "99999999999999999999999999s", ERR_TOO_LARGE, 0},
	{"digits that wrap to something small", "18446744073709551617s", ERR_TOO_LARGE, 0},
	{"the empty text", "", ERR_INVALID, 0},
	{"no unit", "10", ERR_INVALID, 0},
	{"no number", "s", ERR_INVALID, 0},
	{"a sign", "-1s", ERR_INVALID, 0},
	{"a plus", "+1s", ERR_INVALID, 0},
	{"a point", "1.5s", ERR_INVALID, 0},
	{"a blank between", "1 s", ERR_INVALID, 0},
	{"a blank before", " 1s", ERR_INVALID, 0},
	{"a blank after", "1s ", ERR_INVALID, 0},
	{"two parts", "1h30m", ERR_INVALID, 0},
	{"an unknown unit", "1w", ERR_INVALID, 0},
	{"a capital unit", "1S", ERR_INVALID, 0},
	{"a unit that goes on", "1mss", ERR_INVALID, 0},
	{"half a unit of overflow", "99999999999999999999999999x", ERR_INVALID, 0},
};

START_TEST(test_parse)
{
	const struct parse_row *row = &parse_rows[_i];
	struct diag diag = {""};
	int64_t ms = -1;
	enum err err = duration_parse(slice_of(row->text), &ms, &diag);

	ck_assert_msg(err == row->err, "%s: %s", row->name, err_text(err));
	ck_assert_msg(ms == (err ? -1 : row->ms), "%s: %lld ms", row->name, (long long)ms);
	ck_assert_msg(!err == !diag.text[0], "%s: the diag is '%s'", row->name, diag.text);
}
END_TEST

START_TEST(test_parse_nothing)
{
	int64_t ms = -1;

	ck_assert_int_eq(duration_parse((struct slice){0}, &ms, NULL), ERR_INVALID);
	ck_assert_int_eq(duration_parse((struct slice){"10sX", 3}, &ms, NULL), OK);
	ck_assert_int_eq(ms, 10000);
}
END_TEST

static const struct format_row {
	int64_t ms;
	const char *text;
} format_rows[] = {
	{0, "0s"},
	{1, "1ms"},
	{999, "999ms"},
	{1000, "1s"},
	{1500, "1500ms"},
	{60000, "1m"},
	{90000, "90s"},
	{3600000, "1h"},
	{5400000, "90m"},
	{86400000, "1d"},
	{90000000, "25h"},
	{86400001, "86400001ms"},
	{604800000, "7d"},
	{DURATION_MAX_MS, "36500d"},
	{INT64_MAX, "9223372036854775807ms"},
};

START_TEST(test_format)
{
	const struct format_row *row = &format_rows[_i];
	char text[DURATION_TEXT_MAX];
	size_t len = duration_format(row->ms, text);
	int64_t ms;

	ck_assert_str_eq(text, row->text);
	ck_assert_uint_eq(len, strlen(row->text));
	if (row->ms > DURATION_MAX_MS)
		return;
	ck_assert_int_eq(duration_parse(slice_of(text), &ms, NULL), OK);
	ck_assert_int_eq(ms, row->ms);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_parse, 0, ROWS(parse_rows));
	tcase_add_test(tcase, test_parse_nothing);
	tcase_add_loop_test(tcase, test_format, 0, ROWS(format_rows));
}

int main(void)
{
	return suite_run("duration", add);
}

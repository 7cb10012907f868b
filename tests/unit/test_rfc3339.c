/* test_rfc3339.c - times as text, both ways. */
#include "base/rfc3339.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static const struct parse_row {
	const char *name;
	const char *text;
	int64_t ms;
} parse_rows[] = {
	{"the epoch", "1970-01-01T00:00:00Z", 0},
	{"a millisecond before the epoch", "1969-12-31T23:59:59.999Z", -1},
	{"a round number of seconds", "2001-09-09T01:46:40Z", 1000000000000},
	{"the end of 32-bit time", "2038-01-19T03:14:08Z", 2147483648000},
	{"the first time", "0001-01-01T00:00:00Z", RFC3339_MIN_MS},
	{"the last time", "9999-12-31T23:59:59.999Z", RFC3339_MAX_MS},
	{"the first time said from the east", "0001-01-01T01:00:00+01:00", RFC3339_MIN_MS},
	{"the last time said from the west", "9999-12-31T22:59:59.999-01:00", RFC3339_MAX_MS},
	{"tenths", "1970-01-01T00:00:00.1Z", 100},
	{"hundredths", "1970-01-01T00:00:00.12Z", 120},
	{"milliseconds", "1970-01-01T00:00:00.123Z", 123},
	{"nanoseconds are cut off", "1970-01-01T00:00:00.123999999Z", 123},
	{"nanoseconds are cut off before the epoch too", "1969-12-31T23:59:59.9999Z", -1},
	{"an offset to the east", "1970-01-01T02:00:00+02:00", 0},
	{"an offset to the west", "1969-12-31T18:30:00-05:30", 0},
	{"the largest offset", "1970-01-01T23:59:00+23:59", 0},
	{"an unknown offset", "1970-01-01T00:00:00-00:00", 0},
	{"an offset after a fraction", "1970-01-01T01:00:00.5+01:00", 500},
	{"an offset over the end of a year", "2024-12-31T23:00:00-02:00", 1735693200000},
	{"small letters", "1970-01-01t00:00:00z", 0},
	{"the leap day of a year of four", "2024-02-29T00:00:00Z", 1709164800000},
	{"the day after it", "2024-03-01T00:00:00Z", 1709251200000},
	{"the leap day of a year of four hundred", "2000-02-29T12:00:00Z", 951825600000},
	{"the end of February without one", "1900-02-28T00:00:00Z", -2203977600000},
	{"the day after that", "1900-03-01T00:00:00Z", -2203891200000},
};

START_TEST(test_parse)
{
	const struct parse_row *row = &parse_rows[_i];
	struct diag diag = {""};
	int64_t ms = 42;

	ck_assert_msg(rfc3339_parse(slice_of(row->text), &ms, &diag) == OK, "%s: %s", row->name,
		      diag.text);
	ck_assert_msg(ms == row->ms, "%s: %lld", row->name, (long long)ms);
}
END_TEST

static const struct refused_row {
	const char *name;
	const char *text;
	const char *says;
} refused_rows[] = {
	{"nothing", "", "not an RFC 3339 time"},
	{"a date alone", "2025-03-01", "no T"},
	{"a time alone", "09:30:00Z", "not an RFC 3339 time"},
	{"a blank for the T", "2025-03-01 09:30:00Z", "no T"},
	{"no offset", "2025-03-01T09:30:00", "Z or an offset"},
	{"a name of a zone", "2025-03-01T09:30:00 CET", "Z or an offset"},
	{"no seconds", "2025-03-01T09:30Z", "not an RFC 3339 time"},
	{"a comma before the fraction", "2025-03-01T09:30:00,5Z", "Z or an offset"},
	{"a point without a fraction", "2025-03-01T09:30:00.Z", "1 to 9 digits"},
	{"ten digits of a fraction", "2025-03-01T09:30:00.1234567890Z", "1 to 9 digits"},
	{"an offset without a colon", "2025-03-01T09:30:00+0200", "not an RFC 3339 time"},
	{"an offset of hours", "2025-03-01T09:30:00+02", "not an RFC 3339 time"},
	{"an offset of a day", "2025-03-01T09:30:00+24:00", "offset is not"},
	{"an offset of sixty minutes", "2025-03-01T09:30:00-01:60", "offset is not"},
	{"something after the Z", "2025-03-01T09:30:00Zx", "follows"},
	{"a blank after the Z", "2025-03-01T09:30:00Z ", "follows"},
	{"a blank before", " 2025-03-01T09:30:00Z", "not an RFC 3339 time"},
	{"a day of one digit", "2025-03-1T09:30:00Z", "not an RFC 3339 time"},
	{"a year of five digits", "12025-03-01T09:30:00Z", "not an RFC 3339 time"},
	{"a sign before the year", "-025-03-01T09:30:00Z", "not an RFC 3339 time"},
	{"digits that are letters", "2025-o3-01T09:30:00Z", "not an RFC 3339 time"},
	{"the year 0", "0000-03-01T09:30:00Z", "year"},
	{"month 0", "2025-00-01T09:30:00Z", "month"},
	{"month 13", "2025-13-01T09:30:00Z", "month"},
	{"day 0", "2025-03-00T09:30:00Z", "day"},
	{"day 32", "2025-03-32T09:30:00Z", "day"},
	{"day 31 of a month of 30", "2025-04-31T09:30:00Z", "day"},
	{"a leap day in a common year", "2025-02-29T09:30:00Z", "day"},
	{"a leap day in a year of a hundred", "1900-02-29T09:30:00Z", "day"},
	{"hour 24", "2025-03-01T24:00:00Z", "hour"},
	{"minute 60", "2025-03-01T09:60:00Z", "minute"},
	{"a leap second", "2016-12-31T23:59:60Z", "leap second"},
	{"before the first time in UTC", "0001-01-01T00:00:00+00:01", "year in UTC"},
	{"after the last time in UTC", "9999-12-31T23:59:59-00:01", "year in UTC"},
};

START_TEST(test_refused)
{
	const struct refused_row *row = &refused_rows[_i];
	struct diag diag = {""};
	int64_t ms = 42;
	enum err err = rfc3339_parse(slice_of(row->text), &ms, &diag);

	ck_assert_msg(err == ERR_INVALID, "%s: %s", row->name, err_text(err));
	ck_assert_msg(strstr(diag.text, row->says), "%s: %s", row->name, diag.text);
	ck_assert_int_eq(ms, 42);
}
END_TEST

START_TEST(test_format)
{
	char text[RFC3339_TEXT_SIZE];

	rfc3339_format(0, text);
	ck_assert_str_eq(text, "1970-01-01T00:00:00.000Z");
	rfc3339_format(-1, text);
	ck_assert_str_eq(text, "1969-12-31T23:59:59.999Z");
	rfc3339_format(1740821400250, text);
	ck_assert_str_eq(text, "2025-03-01T09:30:00.250Z");
	rfc3339_format(RFC3339_MIN_MS, text);
	ck_assert_str_eq(text, "0001-01-01T00:00:00.000Z");
	rfc3339_format(RFC3339_MAX_MS, text);
	ck_assert_str_eq(text, "9999-12-31T23:59:59.999Z");
}
END_TEST

/* Walk the calendar a day at a time by its own rules and hold both ways to it. */
START_TEST(test_every_day)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t ms = RFC3339_MIN_MS;

	for (int year = 1; year <= 9999; year++) {
		bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

		for (int month = 1; month <= 12; month++) {
			int n = days[month - 1] + (month == 2 && leap);

			for (int day = 1; day <= n; day++, ms += 86400000) {
				char want[64], text[RFC3339_TEXT_SIZE];
				int64_t parsed = 0;

				snprintf(want, sizeof want, "%04d-%02d-%02dT23:59:59.999Z",
					 year, month, day);
				rfc3339_format(ms + 86399999, text);
				if (strcmp(text, want) != 0)
					ck_abort_msg("%s became %s", want, text);
				if (rfc3339_parse(slice_of(want), &parsed, NULL) ||
				    parsed != ms + 86399999)
					ck_abort_msg("%s was read wrongly", want);
			}
		}
	}
	ck_assert_int_eq(ms - 1, RFC3339_MAX_MS);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_parse, 0, ROWS(parse_rows));
	tcase_add_loop_test(tcase, test_refused, 0, ROWS(refused_rows));
	tcase_add_test(tcase, test_format);
	tcase_add_test(tcase, test_every_day);
}

int main(void)
{
	return suite_run("rfc3339", add);
}

/* test_pace.c - rates and times of the last minute. */
#include "orchestrator/engine/pace.h"
#include "tests/lib/suite.h"

enum { START_MS = 1000 * 1000 };

static struct pace pace;

static void setup(void)
{
	pace = (struct pace){0};
}

START_TEST(test_nothing_yet)
{
	struct pace_report report = pace_report(&pace, START_MS);

	ck_assert_uint_eq(report.begun + report.ended, 0);
	ck_assert_int_eq(report.span_ms, 60 * 1000 - 10 * 1000);
	ck_assert_int_eq(report.p50_ms, -1);
	ck_assert_int_eq(report.p99_ms, -1);
}
END_TEST

/* A time that was measured, and the one that is told: never less, and at most an eighth
 * more. */
static const struct time_row {
	const char *name;
	int64_t took_ms, told_ms;
} time_rows[] = {
	{"no time at all", 0, 0},
	{"a clock that was set back", -5, 0},
	{"what is exact", 15, 15},
	{"two that count alike", 16, 17},
	{"the second of them", 17, 17},
	{"the end of a doubling", 31, 31},
	{"the next one", 32, 35},
	{"a second", 1000, 1023},
	{"an hour", 3600 * 1000, 3670015},
	{"more than there is a place for", INT64_C(90) * 24 * 3600 * 1000, 33554431},
};

START_TEST(test_time)
{
	const struct time_row *row = &time_rows[_i];
	struct pace_report report;

	pace_end(&pace, START_MS, row->took_ms);
	report = pace_report(&pace, START_MS);
	ck_assert_msg(report.p50_ms == row->told_ms && report.p99_ms == row->told_ms,
		      "%s: %lld", row->name, (long long)report.p50_ms);
}
END_TEST

START_TEST(test_quantiles)
{
	struct pace_report report;

	for (int i = 0; i < 98; i++)
		pace_end(&pace, START_MS, i < 50 ? 3 : 9);
	pace_end(&pace, START_MS, 12);
	pace_end(&pace, START_MS, 14);
	report = pace_report(&pace, START_MS);
	ck_assert_uint_eq(report.ended, 100);
	ck_assert_int_eq(report.p50_ms, 3);
	ck_assert_int_eq(report.p99_ms, 12);
}
END_TEST

/* What is older than a minute counts no more, whatever came in between. */
START_TEST(test_a_minute)
{
	struct pace_report report;

	pace_begin(&pace, START_MS);
	pace_end(&pace, START_MS + 4000, 4000);
	report = pace_report(&pace, START_MS + 4000);
	ck_assert_uint_eq(report.begun, 1);
	ck_assert_uint_eq(report.ended, 1);
	ck_assert_int_eq(report.span_ms, 4000);
	pace_begin(&pace, START_MS + 55000);
	report = pace_report(&pace, START_MS + 55000);
	ck_assert_uint_eq(report.begun, 2);
	ck_assert_int_eq(report.span_ms, 55000);
	report = pace_report(&pace, START_MS + 60000);
	ck_assert_uint_eq(report.begun, 1);
	ck_assert_uint_eq(report.ended, 0);
	ck_assert_int_eq(report.p50_ms, -1);
	pace_begin(&pace, START_MS + 60000); /* in the place of the first */
	report = pace_report(&pace, START_MS + 60000);
	ck_assert_uint_eq(report.begun, 2);
	report = pace_report(&pace, START_MS + 1000 * 1000);
	ck_assert_uint_eq(report.begun, 0);
}
END_TEST

START_TEST(test_a_clock_that_goes_back)
{
	pace_begin(&pace, START_MS);
	pace_begin(&pace, START_MS - 60000);
	ck_assert_uint_eq(pace_report(&pace, START_MS).begun, 2);
	ck_assert_int_eq(pace_report(&pace, START_MS - 100).span_ms, 1000);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_nothing_yet);
	tcase_add_loop_test(tcase, test_time, 0, ROWS(time_rows));
	tcase_add_test(tcase, test_quantiles);
	tcase_add_test(tcase, test_a_minute);
	tcase_add_test(tcase, test_a_clock_that_goes_back);
}

int main(void)
{
	return suite_run("pace", add);
}

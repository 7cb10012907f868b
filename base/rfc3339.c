#include "base/rfc3339.h"

#include <assert.h>
#include <string.h>

enum { DAY_MS = 24 * 60 * 60 * 1000, FRACTION_DIGITS_MAX = 9 };

/* Whole 400-year cycles are equally long; 1970-01-01 is this many days after
 * 0000-03-01, from which a cycle is counted here so that a leap day is the last
 * day of its year. */
enum { CYCLE_DAYS = 146097, EPOCH_DAYS = 719468 };

struct date {
	int32_t year;
	int32_t month;
	int32_t day;
};

static bool is_leap(int32_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int32_t days_in(int32_t year, int32_t month)
{
	static const int32_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days before a month of a year that begins in March: 0, 31, 61, 92, ... */
static int32_t days_before(int32_t month_from_march)
{
	return (153 * month_from_march + 2) / 5;
}

static int64_t to_days(struct date date)
{
	int32_t year = date.month > 2 ? date.year : date.year - 1;
	int32_t month = date.month > 2 ? date.month - 3 : date.month + 9;

	return year * INT64_C(365) + year / 4 - year / 100 + year / 400 + days_before(month) +
	       date.day - 1 - EPOCH_DAYS;
}

static struct date from_days(int64_t days)
{
	int32_t since = (int32_t)(days + EPOCH_DAYS);
	int32_t cycle = since / CYCLE_DAYS, in_cycle = since % CYCLE_DAYS;
	/* Take the leap days out: one in 4 years, but for the hundredth, but for
	 * the four-hundredth. */
	int32_t year =
		(in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
	int32_t in_year = in_cycle - (year * 365 + year / 4 - year / 100);
	int32_t month = (5 * in_year + 2) / 153;

	return (struct date){.year = cycle * 400 + year + (month >= 10),
			     .month = month < 10 ? month + 3 : month - 9,
			     .day = in_year - days_before(month) + 1};
}

struct reader {
	struct slice rest;
	struct diag *diag;
	enum err err;
};

static enum err wrong(struct reader *reader, const char *what)
{
	if (!reader->err)
		reader->err = diag_set(reader->diag, ERR_INVALID,
				       "%s; write a time such as 2025-03-01T09:30:00Z", what);
	return reader->err;
}

static char read_any(struct reader *reader)
{
	char c;

	if (reader->rest.len == 0)
		return 0;
	c = reader->rest.at[0];
	reader->rest.at++;
	reader->rest.len--;
	return c;
}

static void read_mark(struct reader *reader, char mark)
{
	if (read_any(reader) != mark)
		wrong(reader, "it is not an RFC 3339 time");
}

static bool at_digit(const struct reader *reader)
{
	return reader->rest.len > 0 && reader->rest.at[0] >= '0' && reader->rest.at[0] <= '9';
}

/* Exactly that many digits. */
static int32_t read_number(struct reader *reader, int digits)
{
	int32_t number = 0;

	for (; digits > 0; digits--) {
		if (!at_digit(reader)) {
			wrong(reader, "it is not an RFC 3339 time");
			return 0;
		}
		number = number * 10 + (read_any(reader) - '0');
	}
	return number;
}

static struct date read_date(struct reader *reader)
{
	struct date date;

	date.year = read_number(reader, 4);
	read_mark(reader, '-');
	date.month = read_number(reader, 2);
	read_mark(reader, '-');
	date.day = read_number(reader, 2);
	if (reader->err)
		return date;
	if (date.year < 1)
		wrong(reader, "the year is not one of 0001 to 9999");
	else if (date.month < 1 || date.month > 12)
		wrong(reader, "the month is not one of 01 to 12");
	else if (date.day < 1 || date.day > days_in(date.year, date.month))
		wrong(reader, "the month does not have this day");
	return date;
}

static int32_t read_fraction_ms(struct reader *reader)
{
	int32_t ms = 0, digits = 0, weight = 100;

	for (; at_digit(reader); digits++) {
		ms += (read_any(reader) - '0') * weight;
		weight /= 10;
	}
	if (digits < 1 || digits > FRACTION_DIGITS_MAX)
		wrong(reader, "the fraction of a second does not have 1 to 9 digits");
	return ms;
}

static int64_t read_time_ms(struct reader *reader)
{
	int32_t hour, minute, second, fraction_ms = 0;

	hour = read_number(reader, 2);
	read_mark(reader, ':');
	minute = read_number(reader, 2);
	read_mark(reader, ':');
	second = read_number(reader, 2);
	if (hour > 23)
		wrong(reader, "the hour is not one of 00 to 23");
	else if (minute > 59)
		wrong(reader, "the minute is not one of 00 to 59");
	else if (second > 59)
		wrong(reader,
		      "the second is not one of 00 to 59 (leap seconds have no Unix time)");
	if (reader->rest.len > 0 && reader->rest.at[0] == '.') {
		read_any(reader);
		fraction_ms = read_fraction_ms(reader);
	}
	return ((hour * 60 + minute) * 60 + second) * INT64_C(1000) + fraction_ms;
}

/* What local time is ahead of UTC. */
static int64_t read_offset_ms(struct reader *reader)
{
	char sign = read_any(reader);
	int32_t hours, minutes;
	int64_t ms;

	if (sign == 'Z' || sign == 'z')
		return 0;
	if (sign != '+' && sign != '-') {
		wrong(reader, "the time does not end in Z or an offset such as +02:00");
		return 0;
	}
	hours = read_number(reader, 2);
	read_mark(reader, ':');
	minutes = read_number(reader, 2);
	if (hours > 23 || minutes > 59)
		wrong(reader, "the offset is not one of -23:59 to +23:59");
	ms = (hours * 60 + minutes) * INT64_C(60000);
	return sign == '-' ? -ms : ms;
}

enum err rfc3339_parse(struct slice text, int64_t *out_ms, struct diag *diag)
{
	struct reader reader = {.rest = text, .diag = diag};
	struct date date = read_date(&reader);
	char mark = read_any(&reader);
	int64_t ms;

	if (mark != 'T' && mark != 't')
		wrong(&reader, "there is no T between date and time");
	ms = read_time_ms(&reader);
	ms -= read_offset_ms(&reader);
	if (reader.rest.len > 0)
		wrong(&reader, "something follows the time");
	if (reader.err)
		return reader.err;
	ms += to_days(date) * DAY_MS;
	if (ms < RFC3339_MIN_MS || ms > RFC3339_MAX_MS)
		return wrong(&reader, "the year in UTC is not one of 0001 to 9999");
	*out_ms = ms;
	return OK;
}

static void write_digits(char *at, size_t n, uint32_t number)
{
	for (; n; number /= 10)
		at[--n] = (char)('0' + number % 10);
}

/* Without printf: every event and every row of a list has several of them. */
void rfc3339_format(int64_t ms, char text[RFC3339_TEXT_SIZE])
{
	int64_t since = ms - RFC3339_MIN_MS;
	struct date date;
	int32_t in_day;

	assert(ms >= RFC3339_MIN_MS && ms <= RFC3339_MAX_MS);
	date = from_days(since / DAY_MS + RFC3339_MIN_MS / DAY_MS);
	in_day = (int32_t)(since % DAY_MS);
	memcpy(text, "0000-00-00T00:00:00.000Z", RFC3339_TEXT_SIZE);
	write_digits(text, 4, (uint32_t)date.year);
	write_digits(text + 5, 2, (uint32_t)date.month);
	write_digits(text + 8, 2, (uint32_t)date.day);
	write_digits(text + 11, 2, (uint32_t)in_day / 3600000);
	write_digits(text + 14, 2, (uint32_t)in_day / 60000 % 60);
	write_digits(text + 17, 2, (uint32_t)in_day / 1000 % 60);
	write_digits(text + 20, 3, (uint32_t)in_day % 1000);
}

#include "base/decimal.h"

#include <assert.h>

/* Wide enough for the product of two coefficients and for one brought to the
 * largest scale. */
__extension__ typedef __int128 wide;

/* An exponent beyond this is out of range whatever the digits are, unless they
 * are all zero; a sum of two such numbers still fits into 64 bits. */
static const int64_t exponent_max = INT64_MAX / 4;

static wide power_of_ten(unsigned int n)
{
	wide power = 1;

	while (n-- > 0)
		power *= 10;
	return power;
}

static bool fits(wide value)
{
	return value >= INT64_MIN && value <= INT64_MAX;
}

/* Trailing zeros are given up only as far as needed to make the value fit. */
static enum decimal_result make(wide value, unsigned int scale, struct decimal *out)
{
	while (scale > DECIMAL_SCALE_MAX || !fits(value)) {
		if (scale == 0 || value % 10 != 0)
			return DECIMAL_OVERFLOW;
		value /= 10;
		scale--;
	}
	*out = (struct decimal){(int64_t)value, (uint8_t)scale};
	return DECIMAL_OK;
}

/* The coefficient that `value` has at a scale which is at least its own. */
static wide at_scale(struct decimal value, unsigned int scale)
{
	assert(value.scale <= scale && scale <= DECIMAL_SCALE_MAX);
	return value.coefficient * power_of_ten(scale - value.scale);
}

static unsigned int larger_scale(struct decimal a, struct decimal b)
{
	return a.scale > b.scale ? a.scale : b.scale;
}

/* A number as its text has it: digits * 10^(n_zeros - n_decimals + exponent),
 * where digits does not end in 0 so that it is as short as it can be. */
struct reading {
	const char *at;
	const char *end;
	bool negative;
	uint64_t digits; /* at most 2^63 */
	int64_t n_zeros;
	int64_t n_decimals;
	int64_t exponent;
	bool too_long; /* the digits do not fit */
};

static bool next_is(const struct reading *reading, char c)
{
	return reading->at < reading->end && *reading->at == c;
}

static bool next_is_digit(const struct reading *reading)
{
	return reading->at < reading->end && *reading->at >= '0' && *reading->at <= '9';
}

static void add_digit(struct reading *reading, unsigned int digit)
{
	const uint64_t digits_max = (uint64_t)INT64_MAX + 1;

	if (digit == 0) {
		reading->n_zeros += reading->digits != 0;
		return;
	}
	for (; reading->n_zeros >= 0 && !reading->too_long; reading->n_zeros--) {
		unsigned int add = reading->n_zeros ? 0 : digit;

		if (reading->digits > (digits_max - add) / 10)
			reading->too_long = true;
		else
			reading->digits = reading->digits * 10 + add;
	}
	reading->n_zeros = 0;
}

/* At least one digit; how many there were. */
static size_t read_digits(struct reading *reading)
{
	const char *from = reading->at;

	for (; next_is_digit(reading); reading->at++)
		add_digit(reading, (unsigned int)(*reading->at - '0'));
	return (size_t)(reading->at - from);
}

static bool read_exponent(struct reading *reading)
{
	bool negative;

	reading->at++;
	negative = next_is(reading, '-');
	if (negative || next_is(reading, '+'))
		reading->at++;
	if (!next_is_digit(reading))
		return false;
	for (; next_is_digit(reading); reading->at++)
		if (reading->exponent < exponent_max / 10)
			reading->exponent = reading->exponent * 10 + (*reading->at - '0');
		else
			reading->exponent = exponent_max;
	if (negative)
		reading->exponent = -reading->exponent;
	return true;
}

/* Whether the text is a JSON number from end to end. */
static bool read_number(struct reading *reading)
{
	bool zero_first;

	reading->negative = next_is(reading, '-');
	reading->at += reading->negative;
	zero_first = next_is(reading, '0');
	if (zero_first)
		reading->at++;
	else if (read_digits(reading) == 0)
		return false;
	if (next_is(reading, '.')) {
		reading->at++;
		reading->n_decimals = (int64_t)read_digits(reading);
		if (reading->n_decimals == 0)
			return false;
	}
	if ((next_is(reading, 'e') || next_is(reading, 'E')) && !read_exponent(reading))
		return false;
	return reading->at == reading->end;
}

enum decimal_result decimal_parse(struct slice text, struct decimal *out)
{
	struct reading reading = {.at = text.at, .end = text.at + text.len};
	int64_t scale, shift, excess;
	wide value;

	if (text.len == 0 || !read_number(&reading))
		return DECIMAL_NOT_A_NUMBER;
	if (reading.too_long)
		return DECIMAL_OVERFLOW;
	value = reading.negative ? -(wide)reading.digits : (wide)reading.digits;
	scale = reading.n_decimals - reading.exponent;
	if (scale < 0)
		scale = 0;
	if (scale > DECIMAL_SCALE_MAX)
		scale = DECIMAL_SCALE_MAX;
	/* What the digits are short of at this scale. */
	shift = reading.n_zeros - reading.n_decimals + reading.exponent + scale;
	if (value == 0)
		shift = 0;
	excess = shift - DECIMAL_SCALE_MAX;
	if (excess > scale || shift < 0)
		return DECIMAL_OVERFLOW;
	if (excess > 0) {
		scale -= excess;
		shift -= excess;
	}
	return make(value * power_of_ten((unsigned int)shift), (unsigned int)scale, out);
}

size_t decimal_format(struct decimal value, char text[DECIMAL_TEXT_MAX])
{
	char backwards[DECIMAL_TEXT_MAX];
	uint64_t rest = (uint64_t)value.coefficient;
	size_t n = 0, len = 0;

	assert(value.scale <= DECIMAL_SCALE_MAX);
	if (value.coefficient < 0)
		rest = 0 - rest;
	for (unsigned int digits = 0; rest > 0 || digits <= value.scale; digits++) {
		if (digits == value.scale && digits > 0)
			backwards[n++] = '.';
		backwards[n++] = (char)('0' + rest % 10);
		rest /= 10;
	}
	if (value.coefficient < 0)
		text[len++] = '-';
	while (n > 0)
		text[len++] = backwards[--n];
	text[len] = '\0';
	return len;
}

enum decimal_result decimal_add(struct decimal a, struct decimal b, struct decimal *out)
{
	unsigned int scale = larger_scale(a, b);

	return make(at_scale(a, scale) + at_scale(b, scale), scale, out);
}

enum decimal_result decimal_subtract(struct decimal a, struct decimal b, struct decimal *out)
{
	unsigned int scale = larger_scale(a, b);

	return make(at_scale(a, scale) - at_scale(b, scale), scale, out);
}

enum decimal_result decimal_multiply(struct decimal a, struct decimal b, struct decimal *out)
{
	return make((wide)a.coefficient * b.coefficient, (unsigned int)a.scale + b.scale, out);
}

/* Take `factor` out of *value as often as it goes; how often. */
static unsigned int take_out(wide *value, int factor)
{
	unsigned int n = 0;

	for (; *value % factor == 0; n++)
		*value /= factor;
	return n;
}

static wide greatest_common_divisor(wide a, wide b)
{
	while (b != 0) {
		wide rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

enum decimal_result decimal_divide(struct decimal a, struct decimal b, struct decimal *out)
{
	unsigned int scale = larger_scale(a, b);
	wide above = at_scale(a, scale), below = at_scale(b, scale), common;
	unsigned int twos, fives, places;

	if (below == 0)
		return DECIMAL_BY_ZERO;
	common = greatest_common_divisor(above, below);
	/* The sign of the divisor moves into the dividend. */
	if ((common < 0) != (below < 0))
		common = -common;
	above /= common;
	below /= common;
	twos = take_out(&below, 2);
	fives = take_out(&below, 5);
	if (below != 1)
		return DECIMAL_INEXACT;
	places = twos > fives ? twos : fives;
	if (places > DECIMAL_SCALE_MAX)
		return DECIMAL_OVERFLOW;
	for (unsigned int i = twos; i < places && fits(above); i++)
		above *= 2;
	for (unsigned int i = fives; i < places && fits(above); i++)
		above *= 5;
	if (!fits(above))
		return DECIMAL_OVERFLOW;
	*out = (struct decimal){(int64_t)above, (uint8_t)places};
	return DECIMAL_OK;
}

enum decimal_result decimal_remainder(struct decimal a, struct decimal b, struct decimal *out)
{
	unsigned int scale = larger_scale(a, b);

	if (b.coefficient == 0)
		return DECIMAL_BY_ZERO;
	return make(at_scale(a, scale) % at_scale(b, scale), scale, out);
}

enum decimal_result decimal_negate(struct decimal a, struct decimal *out)
{
	return make(-(wide)a.coefficient, a.scale, out);
}

int decimal_compare(struct decimal a, struct decimal b)
{
	unsigned int scale = larger_scale(a, b);
	wide left = at_scale(a, scale), right = at_scale(b, scale);

	return (left > right) - (left < right);
}

int64_t decimal_truncate(struct decimal a)
{
	return (int64_t)(a.coefficient / power_of_ten(a.scale));
}

bool decimal_is_whole(struct decimal a)
{
	return a.coefficient % power_of_ten(a.scale) == 0;
}

/* decimal.h - exact numbers: a 64-bit coefficient and a scale.
 *
 * The value is coefficient / 10^scale. An integer is a decimal of scale 0.
 * Every operation is exact or says that it cannot be: nothing is ever rounded,
 * so that an amount of money is either right or an error.
 */
#ifndef SKALD_BASE_DECIMAL_H
#define SKALD_BASE_DECIMAL_H

#include "base/slice.h"

#include <stdint.h>

enum { DECIMAL_SCALE_MAX = 18 };

/* Longest text that decimal_format writes, terminator included. */
enum { DECIMAL_TEXT_MAX = 24 };

struct decimal {
	int64_t coefficient;
	uint8_t scale; /* at most DECIMAL_SCALE_MAX */
};

enum decimal_result {
	DECIMAL_OK,
	DECIMAL_OVERFLOW,    /* does not fit into 64 bits or 18 decimal places */
	DECIMAL_BY_ZERO,     /* division or remainder by zero */
	DECIMAL_INEXACT,     /* the quotient has no end: 1/3 */
	DECIMAL_NOT_A_NUMBER /* the text is not a JSON number */
};

/* A JSON number, exponent included: "19.99", "-0", "1e3". The scale of the
 * text is kept ("2.50" has scale 2) where there is no exponent. *out is
 * untouched on failure, here and below. */
enum decimal_result decimal_parse(struct slice text, struct decimal *out);

/* "19.99"; returns the length. Scale 0 gives an integer without a point. */
size_t decimal_format(struct decimal value, char text[DECIMAL_TEXT_MAX]);

/* Sum, difference and remainder have the larger scale, a product the sum of
 * both; trailing zeros are cut off only where the result would not fit. A
 * quotient has the smallest scale that is exact. A remainder has the sign of the
 * dividend. */
enum decimal_result decimal_add(struct decimal a, struct decimal b, struct decimal *out);
enum decimal_result decimal_subtract(struct decimal a, struct decimal b, struct decimal *out);
enum decimal_result decimal_multiply(struct decimal a, struct decimal b, struct decimal *out);
enum decimal_result decimal_divide(struct decimal a, struct decimal b, struct decimal *out);
enum decimal_result decimal_remainder(struct decimal a, struct decimal b, struct decimal *out);
enum decimal_result decimal_negate(struct decimal a, struct decimal *out);

/* By value, whatever the scales: 2.50 equals 2.5. Total and exact. */
int decimal_compare(struct decimal a, struct decimal b);

/* The integer part, towards zero. */
int64_t decimal_truncate(struct decimal a);

/* Whether the value is a whole number, as 3 and 3.00 are. */
bool decimal_is_whole(struct decimal a);

#endif

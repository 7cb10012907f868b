/* rfc3339.h - points in time as text: 2025-03-01T09:30:00.250Z.
 *
 * A time is Unix milliseconds, UTC; the years are 0001 to 9999 of the Gregorian
 * calendar. Leap seconds (:60) have no Unix time and are refused.
 */
#ifndef SKALD_BASE_RFC3339_H
#define SKALD_BASE_RFC3339_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

#define RFC3339_MIN_MS INT64_C(-62135596800000) /* 0001-01-01T00:00:00.000Z */
#define RFC3339_MAX_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

/* What rfc3339_format writes, terminator included. */
enum { RFC3339_TEXT_SIZE = 25 };

/* RFC 3339 to the letter: date, T, time, and Z or an offset (-00:00 as well);
 * T and Z may be small. Of a fraction, 1 to 9 digits, those after the
 * milliseconds are cut off. The diag says what is wrong; *out_ms is untouched
 * on failure. */
CHECKED enum err rfc3339_parse(struct slice text, int64_t *out_ms, struct diag *diag);

/* In UTC with milliseconds; the time is between the two above. */
void rfc3339_format(int64_t ms, char text[RFC3339_TEXT_SIZE]);

#endif

/* duration.h - spans of time as people write them: 250ms 10s 15m 24h 7d.
 *
 * One integer and one unit, without a sign, a point or a blank. The longest is
 * 36500d, a hundred years, so that adding one to a time cannot overflow.
 */
#ifndef SKALD_BASE_DURATION_H
#define SKALD_BASE_DURATION_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

#define DURATION_MAX_MS (INT64_C(36500) * 24 * 60 * 60 * 1000)

/* Longest text that duration_format writes, terminator included. */
enum { DURATION_TEXT_MAX = 24 };

/* ERR_INVALID where the text is no duration, ERR_TOO_LARGE where it is over the
 * longest; *out_ms is then untouched. */
CHECKED enum err duration_parse(struct slice text, int64_t *out_ms, struct diag *diag);

/* In the largest unit that is exact: 90000 is "90s", 0 is "0s". The duration is
 * not negative. Returns the length. */
size_t duration_format(int64_t ms, char text[DURATION_TEXT_MAX]);

#endif

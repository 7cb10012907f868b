#include "cli/spans.h"

#include "base/rfc3339.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

void span_format(int64_t ms, char text[SPAN_TEXT_SIZE])
{
	if (ms < 0)
		ms = 0;
	if (ms < SECOND)
		snprintf(text, SPAN_TEXT_SIZE, "%" PRId64 "ms", ms);
	else if (ms < MINUTE)
		snprintf(text, SPAN_TEXT_SIZE, "%" PRId64 ".%" PRId64 "s", ms / SECOND,
			 ms % SECOND / 100);
	else if (ms < HOUR)
		snprintf(text, SPAN_TEXT_SIZE, "%" PRId64 "m%02" PRId64 "s", ms / MINUTE,
			 ms % MINUTE / SECOND);
	else if (ms < DAY)
		snprintf(text, SPAN_TEXT_SIZE, "%" PRId64 "h%02" PRId64 "m", ms / HOUR,
			 ms % HOUR / MINUTE);
	else
		snprintf(text, SPAN_TEXT_SIZE, "%" PRId64 "d", ms / DAY);
}

void time_format(int64_t unix_ms, char text[TIME_TEXT_SIZE])
{
	enum { DATE = 10, SECONDS = 19 };
	char whole[RFC3339_TEXT_SIZE];

	rfc3339_format(unix_ms, whole);
	whole[DATE] = ' ';
	snprintf(text, TIME_TEXT_SIZE, "%.*sZ", SECONDS, whole);
}

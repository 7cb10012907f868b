#include "base/duration.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static const struct unit {
	const char *name;
	int64_t ms;
} units[] = {{"d", 24 * 60 * 60 * 1000},
	     {"h", 60 * 60 * 1000},
	     {"m", 60 * 1000},
	     {"s", 1000},
	     {"ms", 1}};

enum { N_UNITS = sizeof units / sizeof units[0] };

static const struct unit *find_unit(struct slice name)
{
	for (size_t i = 0; i < N_UNITS; i++) {
		if (slice_is(name, units[i].name))
			return &units[i];
	}
	return NULL;
}

enum err duration_parse(struct slice text, int64_t *out_ms, struct diag *diag)
{
	const struct unit *unit = NULL;
	int64_t count = 0;
	size_t digits = 0;

	for (; digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9';
	     digits++) {
		/* Above the longest in the smallest unit it only needs to stay there. */
		if (count <= DURATION_MAX_MS)
			count = count * 10 + (text.at[digits] - '0');
	}
	if (digits > 0)
		unit = find_unit((struct slice){text.at + digits, text.len - digits});
	if (!unit)
		return diag_set(
			diag, ERR_INVALID,
			"it is not a duration; write an integer and a unit of ms, s, m, h "
			"or d, such as 250ms or 15m");
	if (count > DURATION_MAX_MS / unit->ms)
		return diag_set(diag, ERR_TOO_LARGE,
				"the duration is over the longest, 36500d");
	*out_ms = count * unit->ms;
	return OK;
}

size_t duration_format(int64_t ms, char text[DURATION_TEXT_MAX])
{
	const struct unit *unit = units;
	int len;

	assert(ms >= 0);
	if (ms == 0)
		unit = find_unit(SLICE_LITERAL("s"));
	while (ms % unit->ms != 0)
		unit++;
	len = snprintf(text, DURATION_TEXT_MAX, "%" PRId64 "%s", ms / unit->ms, unit->name);
	return (size_t)len;
}

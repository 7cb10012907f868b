#include "orchestrator/check/model.h"

const struct explore_bounds explore_bounds_default = {
	.attempts = 2,
	.cancel = 1,
	.operations = 1,
	.signals = 1,
	.prune = 1,
	.elements = 2,
	.dup = 1,
	.crash = 1,
	.states = 4000000,
	.memory_mib = 2048,
};

static const struct bound {
	const char *name;
	size_t offset;
	uint32_t min;
	uint32_t max;
} table[] = {
	{"attempts", offsetof(struct explore_bounds, attempts), 1, ATTEMPTS_BOUND_MAX},
	{"cancel", offsetof(struct explore_bounds, cancel), 0, COUNT_MAX},
	{"operator", offsetof(struct explore_bounds, operations), 0, OPERATIONS_MAX},
	{"signals", offsetof(struct explore_bounds, signals), 0, COUNT_MAX},
	{"prune", offsetof(struct explore_bounds, prune), 0, COUNT_MAX},
	{"elements", offsetof(struct explore_bounds, elements), 1, ELEMENTS_MAX},
	{"dup", offsetof(struct explore_bounds, dup), 0, 1000},
	{"crash", offsetof(struct explore_bounds, crash), 0, 1000},
	{"states", offsetof(struct explore_bounds, states), 1, 1000000000},
	{"memory", offsetof(struct explore_bounds, memory_mib), 16, 1024 * 1024},
};
enum { BOUNDS = sizeof table / sizeof *table };

static uint32_t *field(struct explore_bounds *bounds, const struct bound *bound)
{
	return (uint32_t *)((char *)bounds + bound->offset);
}

static const struct bound *find(struct slice name)
{
	for (size_t n = 0; n < BOUNDS; n++)
		if (slice_is(name, table[n].name))
			return &table[n];
	return NULL;
}

static struct slice cut(struct slice *rest, char separator)
{
	const char *end = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
	struct slice part = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
	size_t taken = part.len + (end != NULL);

	*rest = (struct slice){rest->at + taken, rest->len - taken};
	return part;
}

static bool read_number(struct slice text, uint64_t *out)
{
	*out = 0;
	for (size_t n = 0; n < text.len; n++) {
		if (text.at[n] < '0' || text.at[n] > '9')
			return false;
		*out = *out * 10 + (uint64_t)(text.at[n] - '0');
	}
	return text.len > 0 && text.len < 18;
}

static enum err parse_one(struct slice text, struct explore_bounds *bounds, struct diag *diag)
{
	struct slice value = text;
	struct slice name = cut(&value, '=');
	const struct bound *bound = find(name);
	uint64_t number;
	struct bytes known = BYTES(256, NULL);
	enum err err;

	if (!bound) {
		for (size_t n = 0; n < BOUNDS; n++)
			bytes_format(&known, "%s%s", n ? ", " : "", table[n].name);
		err = diag_set(diag, ERR_INVALID,
			       "bounds: there is none called `%.*s`; use one of %.*s",
			       name.len > 40 ? 40 : (int)name.len, name.at ? name.at : "",
			       SLICE_ARG(bytes_slice(&known)));
		bytes_release(&known);
		return err;
	}
	if (!read_number(value, &number) || number < bound->min || number > bound->max)
		return diag_set(
			diag, ERR_INVALID,
			"bounds: `%.*s` is not possible; write %s=N with a whole number "
			"from %u to %u",
			text.len > 40 ? 40 : (int)text.len, text.at, bound->name, bound->min,
			bound->max);
	*field(bounds, bound) = (uint32_t)number;
	return OK;
}

enum err explore_bounds_parse(struct slice text, struct explore_bounds *bounds,
			      struct diag *diag)
{
	struct explore_bounds parsed = *bounds;
	struct slice rest = text;
	enum err err;

	if (!text.len)
		return OK;
	do {
		err = parse_one(cut(&rest, ','), &parsed, diag);
		if (err)
			return err;
	} while (rest.len);
	if (text.at[text.len - 1] == ',')
		return diag_set(diag, ERR_INVALID,
				"bounds: nothing follows the last comma; remove it");
	*bounds = parsed;
	return OK;
}

void explore_bounds_write(struct bytes *out, const struct explore_bounds *bounds)
{
	struct explore_bounds copy = *bounds;

	for (size_t n = 0; n < BOUNDS; n++)
		bytes_format(out, "%s%s=%u", n ? "," : "", table[n].name,
			     *field(&copy, &table[n]));
}

#include "tests/sim/chance.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* kind, millisecond, which of them */
enum { KIND_SHIFT = 58, MS_SHIFT = 18 };
#define NUMBER_MAX ((UINT64_C(1) << MS_SHIFT) - 1)
#define MS_MAX     ((UINT64_C(1) << (KIND_SHIFT - MS_SHIFT)) - 1)

static const char *const texts[] = {
#define X(name, text) text,
	CHANCE_MAP(X)
#undef X
};

const char *chance_text(enum chance_kind kind)
{
	return texts[kind];
}

enum chance_kind chance_kind_of(chance_name name)
{
	return (enum chance_kind)(name >> KIND_SHIFT);
}

/* --- lists -------------------------------------------------------------------------- */

void chance_list_add(struct chance_list *list, chance_name name)
{
	if (list->n == list->capacity) {
		list->capacity = list->capacity ? 2 * list->capacity : 64;
		list->names = realloc(list->names, list->capacity * sizeof name);
		assert(list->names);
	}
	list->names[list->n++] = name;
}

void chance_list_release(struct chance_list *list)
{
	free(list->names);
	*list = (struct chance_list){0};
}

static int compare(const void *a, const void *b)
{
	chance_name one = *(const chance_name *)a, other = *(const chance_name *)b;

	return one < other ? -1 : one > other;
}

void chance_list_sort(struct chance_list *list)
{
	if (list->n)
		qsort(list->names, list->n, sizeof *list->names, compare);
}

static bool contains(const struct chance_list *list, chance_name name)
{
	return list->n && bsearch(&name, list->names, list->n, sizeof name, compare);
}

void chance_list_write(const struct chance_list *list, struct bytes *out)
{
	for (size_t i = 0; i < list->n; i++) {
		chance_name name = list->names[i];

		bytes_format(out, "%s%s@%" PRIu64 ".%" PRIu64, i ? "," : "",
			     texts[chance_kind_of(name)], name >> MS_SHIFT & MS_MAX,
			     name & NUMBER_MAX);
	}
}

/* The digits at the front are cut off; false: there are none, or they say too much. */
static bool read_number(struct slice *text, uint64_t max, uint64_t *out)
{
	size_t n = 0;

	for (*out = 0; n < text->len && text->at[n] >= '0' && text->at[n] <= '9'; n++) {
		*out = *out * 10 + (uint64_t)(text->at[n] - '0');
		if (*out > max)
			return false;
	}
	*text = (struct slice){text->at + n, text->len - n};
	return n > 0;
}

static bool read_mark(struct slice *text, char mark)
{
	if (!text->len || text->at[0] != mark)
		return false;
	*text = (struct slice){text->at + 1, text->len - 1};
	return true;
}

static bool read_name(struct slice *text, chance_name *out)
{
	uint64_t kind = 0, ms, number;
	size_t len = 0;

	while (len < text->len && text->at[len] != '@')
		len++;
	while (kind < CHANCE_KINDS && !slice_is((struct slice){text->at, len}, texts[kind]))
		kind++;
	*text = (struct slice){text->at + len, text->len - len};
	if (kind == CHANCE_KINDS || !read_mark(text, '@') || !read_number(text, MS_MAX, &ms) ||
	    !read_mark(text, '.') || !read_number(text, NUMBER_MAX, &number))
		return false;
	*out = kind << KIND_SHIFT | ms << MS_SHIFT | number;
	return true;
}

enum err chance_list_read(struct chance_list *out, struct slice text, struct diag *diag)
{
	struct slice rest = text;
	chance_name name;

	*out = (struct chance_list){0};
	while (rest.len) {
		struct slice at = rest;

		if (read_name(&rest, &name) && (!rest.len || read_mark(&rest, ','))) {
			chance_list_add(out, name);
			continue;
		}
		chance_list_release(out);
		return diag_set(diag, ERR_INVALID,
				"'%.*s' is no name such as lost@61250.1; names have commas "
				"between them",
				at.len > 40 ? 40 : (int)at.len, at.at);
	}
	chance_list_sort(out);
	return OK;
}

/* --- draws -------------------------------------------------------------------------- */

void chance_init(struct chance *chance, uint64_t seed, const struct clock_sim *clock,
		 struct random *random, const struct chance_list *keep)
{
	*chance = (struct chance){.clock = clock, .random = random, .seed = seed, .keep = keep};
	chance_reseed(chance, 0, 0);
}

void chance_reseed(struct chance *chance, uint64_t a, uint64_t b)
{
	struct random mixed = {chance->seed * 0x9e3779b97f4a7c15u + a};

	mixed.state = random_next(&mixed) + b;
	chance->random->state = random_next(&mixed);
}

void chance_turn(struct chance *chance)
{
	if (chance->now_ms == chance->clock->monotonic_ms)
		return;
	chance->now_ms = chance->clock->monotonic_ms;
	memset(chance->drawn, 0, sizeof chance->drawn);
	chance_reseed(chance, (uint64_t)chance->now_ms, UINT64_MAX);
}

bool chance_take(struct chance *chance, enum chance_kind kind, uint32_t percent)
{
	uint64_t number = ++chance->drawn[kind] & NUMBER_MAX;
	chance_name name = (uint64_t)kind << KIND_SHIFT |
			   ((uint64_t)chance->now_ms & MS_MAX) << MS_SHIFT | number;

	if (!random_percent(chance->random, percent) ||
	    (chance->keep && !contains(chance->keep, name)))
		return false;
	chance->taken[kind]++;
	chance_list_add(&chance->list, name);
	return true;
}

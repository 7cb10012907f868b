#include "base/pattern_tree.h"

#include <assert.h>

enum { CHAR_LAST = 0x10ffff };

/* Each in order and apart, so that the gaps between them are the complement. */
static const struct char_range digits[] = {{'0', '9'}};
static const struct char_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct char_range spaces[] = {{'\t', '\r'},     {' ', ' '},       {0xa0, 0xa0},
					   {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029},
					   {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
					   {0xfeff, 0xfeff}};
static const struct char_range line_ends[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

bool char_set_add(struct char_set *set, struct arena *arena, uint32_t first, uint32_t last)
{
	assert(first <= last && last <= CHAR_LAST);
	if (set->n == set->capacity) {
		size_t capacity = set->capacity ? set->capacity * 2 : 4;
		struct char_range *grown = arena_array(arena, capacity, sizeof *grown);

		if (!grown)
			return false;
		if (set->n)
			memcpy(grown, set->ranges, set->n * sizeof *grown);
		set->ranges = grown;
		set->capacity = capacity;
	}
	set->ranges[set->n++] = (struct char_range){first, last};
	return true;
}

static bool add_all(struct char_set *set, struct arena *arena, const struct char_range *ranges,
		    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!char_set_add(set, arena, ranges[i].first, ranges[i].last))
			return false;
	}
	return true;
}

/* Everything but the ranges, which are in order and apart. */
static bool add_rest(struct char_set *set, struct arena *arena, const struct char_range *ranges,
		     size_t n)
{
	uint32_t from = 0;

	for (size_t i = 0; i < n; i++) {
		if (ranges[i].first > from &&
		    !char_set_add(set, arena, from, ranges[i].first - 1))
			return false;
		from = ranges[i].last + 1;
	}
	return from > CHAR_LAST || char_set_add(set, arena, from, CHAR_LAST);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool char_set_add_kind(struct char_set *set, struct arena *arena, char kind)
{
	switch (kind) {
	case 'd': return add_all(set, arena, digits, COUNT(digits));
	case 'D': return add_rest(set, arena, digits, COUNT(digits));
	case 'w': return add_all(set, arena, words, COUNT(words));
	case 'W': return add_rest(set, arena, words, COUNT(words));
	case 's': return add_all(set, arena, spaces, COUNT(spaces));
	case 'S': return add_rest(set, arena, spaces, COUNT(spaces));
	default: return add_rest(set, arena, line_ends, COUNT(line_ends));
	}
}

/* By insertion: an expression is short, and so are its classes. */
static void sort(struct char_set *set)
{
	for (size_t i = 1; i < set->n; i++) {
		struct char_range moved = set->ranges[i];
		size_t at = i;

		for (; at > 0 && set->ranges[at - 1].first > moved.first; at--)
			set->ranges[at] = set->ranges[at - 1];
		set->ranges[at] = moved;
	}
}

bool char_set_finish(struct char_set *set, struct arena *arena, bool negate)
{
	struct char_set rest = {0};
	size_t n = 0;

	sort(set);
	for (size_t i = 0; i < set->n; i++) {
		struct char_range range = set->ranges[i];

		if (n > 0 && range.first <= set->ranges[n - 1].last + 1) {
			if (range.last > set->ranges[n - 1].last)
				set->ranges[n - 1].last = range.last;
		} else {
			set->ranges[n++] = range;
		}
	}
	set->n = n;
	if (!negate)
		return true;
	if (!add_rest(&rest, arena, set->ranges, set->n))
		return false;
	*set = rest;
	return true;
}

bool char_set_has(const struct char_set *set, uint32_t c)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c > set->ranges[middle].last)
			low = middle + 1;
		else if (c < set->ranges[middle].first)
			high = middle;
		else
			return true;
	}
	return false;
}

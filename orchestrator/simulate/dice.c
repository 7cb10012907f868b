#include "orchestrator/simulate/dice.h"

#include <assert.h>

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint64_t add_text(uint64_t hash, struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.at[i]) * 1099511628211u;
	return mix(hash);
}

struct dice dice_for(uint64_t seed, const char *purpose, struct slice who, uint64_t number)
{
	uint64_t hash = add_text(mix(seed + 1), slice_of(purpose));

	return (struct dice){add_text(hash, who) ^ mix(number + 1)};
}

uint64_t dice_next(struct dice *dice)
{
	return mix(dice->state += 0x9e3779b97f4a7c15u);
}

uint32_t dice_below(struct dice *dice, uint32_t n)
{
	return (uint32_t)(dice_next(dice) % n);
}

int64_t dice_between(struct dice *dice, int64_t least, int64_t most)
{
	assert(least <= most);
	return least + (int64_t)(dice_next(dice) % ((uint64_t)(most - least) + 1));
}

bool dice_chance(struct dice *dice, uint32_t chance)
{
	return chance && dice_below(dice, CHANCE_ALWAYS) < chance;
}

/* A straight line to p50 and from p99 on, and a bend between them, with a tail. */
static int64_t from_quantiles(struct dice *dice, int64_t p50, int64_t p99)
{
	enum {
		PARTS = 10000,
		HALF = PARTS / 2,
		LAST = PARTS / 100,
		BEND = PARTS - HALF - LAST
	};
	int64_t part = dice_below(dice, PARTS), bent;

	if (part < HALF)
		return p50 / 2 + (p50 - p50 / 2) * part / HALF;
	if (part >= PARTS - LAST)
		return p99 + p99 * (part - (PARTS - LAST)) / LAST;
	bent = (part - HALF) * (part - HALF) / BEND;
	return p50 + (p99 - p50) / BEND * bent + (p99 - p50) % BEND * bent / BEND;
}

int64_t dice_spread(struct dice *dice, const struct spread *spread)
{
	switch (spread->kind) {
	case SPREAD_FIXED: return spread->low_ms;
	case SPREAD_RANGE: return dice_between(dice, spread->low_ms, spread->high_ms);
	case SPREAD_QUANTILES: return from_quantiles(dice, spread->low_ms, spread->high_ms);
	}
	return spread->low_ms;
}

/* random.h - numbers that look random and are the same for the same seed. */
#ifndef SKALD_TESTS_LIB_RANDOM_H
#define SKALD_TESTS_LIB_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state; /* the seed */
};

/* splitmix64 */
static inline uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* 0 to n - 1 */
static inline uint32_t random_below(struct random *random, uint32_t n)
{
	return (uint32_t)(random_next(random) % n);
}

static inline int random_percent(struct random *random, uint32_t percent)
{
	return random_below(random, 100) < percent;
}

#endif

#include "base/shards.h"

#include <assert.h>

struct slice shard_key(struct slice id)
{
	for (size_t i = 0; i < id.len; i++)
		if (id.at[i] == ':' || id.at[i] == '/')
			id.len = i;
	return id;
}

uint32_t shard_hash(struct slice key)
{
	enum { SHIFT = 24 };
	static const uint32_t factor = 0x5bd1e995, seed = 0x9747b28c;
	const unsigned char *at = (const unsigned char *)key.at;
	uint32_t hash = seed ^ (uint32_t)key.len;
	size_t left = key.len;

	for (; left >= 4; left -= 4, at += 4) {
		uint32_t word = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
				(uint32_t)at[3] << 24;

		word *= factor;
		word ^= word >> SHIFT;
		hash = (hash * factor) ^ (word * factor);
	}
	for (size_t i = left; i-- > 0;)
		hash ^= (uint32_t)at[i] << (8 * i);
	if (left)
		hash *= factor;
	hash ^= hash >> 13;
	hash *= factor;
	hash ^= hash >> 15;
	return hash & 0x7fffffff;
}

uint32_t shard_of(struct slice id, uint32_t n)
{
	assert(n > 0);
	return shard_hash(shard_key(id)) % n;
}

bool shards_has(const struct shards *shards, uint32_t shard)
{
	return shard < shards->n && shards->bits[shard / 64] >> shard % 64 & 1;
}

void shards_add(struct shards *shards, uint32_t shard)
{
	assert(shard < shards->n && shards->n <= SHARDS_MAX);
	shards->bits[shard / 64] |= (uint64_t)1 << shard % 64;
}

void shards_remove(struct shards *shards, uint32_t shard)
{
	if (shard < shards->n)
		shards->bits[shard / 64] &= ~((uint64_t)1 << shard % 64);
}

uint32_t shards_next(const struct shards *shards, uint32_t shard)
{
	while (shard < shards->n && !shards_has(shards, shard))
		shard++;
	return shard < shards->n ? shard : shards->n;
}

uint32_t shards_count(const struct shards *shards)
{
	uint32_t count = 0;

	for (uint32_t i = shards_next(shards, 0); i < shards->n; i = shards_next(shards, i + 1))
		count++;
	return count;
}

bool shards_equal(const struct shards *a, const struct shards *b)
{
	return a->n == b->n && memcmp(a->bits, b->bits, sizeof a->bits) == 0;
}

bool shards_cover(const struct shards *shards, struct slice id)
{
	return !shards->n || shards_has(shards, shard_of(id, shards->n));
}

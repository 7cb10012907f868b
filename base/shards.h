/* shards.h - which part of all sagas is whose.
 *
 * Sagas are divided into shards by the hash of their key: the id of the saga, for a
 * child that of the saga that everything began with. It is the hash by which Kafka's
 * clients choose a partition, so that a shard is a partition of the inbox.
 */
#ifndef SKALD_BASE_SHARDS_H
#define SKALD_BASE_SHARDS_H

#include "base/slice.h"

#include <stdint.h>

enum { SHARDS_MAX = 10000 };

/* Some of n shards. All zero: they are not divided, and all is one. */
struct shards {
	uint32_t n;
	uint64_t bits[(SHARDS_MAX + 63) / 64];
};

/* The key of a saga, or of a command of its: what stands in front of the first ':' or
 * '/'. */
struct slice shard_key(struct slice id);

/* Murmur2, as Kafka has it, without its sign. */
uint32_t shard_hash(struct slice key);

/* Of n > 0. */
uint32_t shard_of(struct slice id, uint32_t n);

bool shards_has(const struct shards *shards, uint32_t shard);
void shards_add(struct shards *shards, uint32_t shard);
void shards_remove(struct shards *shards, uint32_t shard);
uint32_t shards_count(const struct shards *shards);
bool shards_equal(const struct shards *a, const struct shards *b);

/* The first one from `shard` on; n: there is none. */
uint32_t shards_next(const struct shards *shards, uint32_t shard);

/* Whether the saga is in one of them, or nothing is divided. */
bool shards_cover(const struct shards *shards, struct slice id);

#endif

#include "orchestrator/check/visited.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 1 << 20, FIRST_SLOTS = 1 << 14 };

static size_t entry_size(const struct visited *visited)
{
	return sizeof(struct origin) + visited->record_size;
}

static uint32_t block_states(const struct visited *visited)
{
	return (uint32_t)1 << visited->block_bits;
}

static uint8_t *entry(const struct visited *visited, uint32_t index)
{
	return visited->blocks[index >> visited->block_bits] +
	       (index & (block_states(visited) - 1)) * entry_size(visited);
}

static uint64_t hash_of(const uint8_t *record, size_t len)
{
	uint64_t hash = 0x9e3779b97f4a7c15u ^ len, word;

	while (len) {
		size_t n = len < sizeof word ? len : sizeof word;

		word = 0;
		memcpy(&word, record, n);
		hash = (hash ^ word) * 0xff51afd7ed558ccdu;
		hash ^= hash >> 32;
		record += n;
		len -= n;
	}
	hash *= 0xc4ceb9fe1a85ec53u;
	return hash ^ hash >> 29;
}

enum err visited_make(struct visited *visited, size_t record_size, uint32_t max)
{
	*visited = (struct visited){
		.record_size = record_size, .max = max, .n_slots = FIRST_SLOTS};
	while (entry_size(visited) << (visited->block_bits + 1) <= BLOCK_SIZE)
		visited->block_bits++;
	visited->slots = calloc(visited->n_slots, sizeof *visited->slots);
	return visited->slots ? OK : ERR_NOMEM;
}

void visited_release(struct visited *visited)
{
	for (uint32_t n = 0; n < visited->n_blocks; n++)
		free(visited->blocks[n]);
	free(visited->blocks);
	free(visited->slots);
	*visited = (struct visited){0};
}

const uint8_t *visited_record(const struct visited *visited, uint32_t index)
{
	return entry(visited, index) + sizeof(struct origin);
}

struct origin visited_origin(const struct visited *visited, uint32_t index)
{
	struct origin origin;

	memcpy(&origin, entry(visited, index), sizeof origin);
	return origin;
}

size_t visited_memory(const struct visited *visited)
{
	/* While the table grows the old one and the new one are there. */
	return visited->n_blocks *
		       (block_states(visited) * entry_size(visited) + sizeof(uint8_t *)) +
	       visited->n_slots * sizeof *visited->slots * 3;
}

/* The slots keep half of the hash, which is enough to find the new place: the
 * table has less than 2^32 slots. */
static uint64_t slot_of(uint64_t hash, uint32_t index)
{
	return (hash & 0xffffffff00000000u) | (index + 1);
}

static bool grow_slots(struct visited *visited)
{
	uint32_t n_slots = visited->n_slots * 2;
	uint64_t *slots = calloc(n_slots, sizeof *slots);

	if (!slots)
		return false;
	for (uint32_t n = 0; n < visited->n_slots; n++) {
		uint64_t slot = visited->slots[n];
		uint32_t at = (uint32_t)(slot >> 32) & (n_slots - 1);

		if (!slot)
			continue;
		while (slots[at])
			at = (at + 1) & (n_slots - 1);
		slots[at] = slot;
	}
	free(visited->slots);
	visited->slots = slots;
	visited->n_slots = n_slots;
	return true;
}

static bool add_block(struct visited *visited)
{
	uint8_t **blocks =
		realloc(visited->blocks, (visited->n_blocks + 1) * sizeof *visited->blocks);

	if (!blocks)
		return false;
	visited->blocks = blocks;
	blocks[visited->n_blocks] = malloc(block_states(visited) * entry_size(visited));
	if (!blocks[visited->n_blocks])
		return false;
	visited->n_blocks++;
	return true;
}

enum err visited_add(struct visited *visited, const uint8_t *record, struct origin origin,
		     uint32_t *index, bool *added)
{
	uint64_t hash = hash_of(record, visited->record_size);
	uint32_t at = (uint32_t)(hash >> 32) & (visited->n_slots - 1);

	for (; visited->slots[at]; at = (at + 1) & (visited->n_slots - 1)) {
		*index = (uint32_t)visited->slots[at] - 1;
		if (visited->slots[at] == slot_of(hash, *index) &&
		    memcmp(visited_record(visited, *index), record, visited->record_size) ==
			    0) {
			*added = false;
			return OK;
		}
	}
	if (visited->n == visited->max)
		return ERR_TOO_LARGE;
	if (visited->n == visited->n_blocks * block_states(visited) && !add_block(visited))
		return ERR_NOMEM;
	*index = visited->n;
	*added = true;
	memcpy(entry(visited, *index), &origin, sizeof origin);
	memcpy(entry(visited, *index) + sizeof origin, record, visited->record_size);
	visited->slots[at] = slot_of(hash, *index);
	visited->n++;
	if (visited->n > visited->n_slots / 2 && !grow_slots(visited))
		return ERR_NOMEM;
	return OK;
}

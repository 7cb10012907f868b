#include "base/arena.h"

#include <assert.h>
#include <stdlib.h>

/* Small enough that a small definition wastes little, large enough that a
 * batch of the engine needs few. */
enum { BLOCK_SIZE = 16 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t size;
	max_align_t data[];
};

static size_t aligned(size_t size)
{
	return (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

static bool add_block(struct arena *arena, size_t size)
{
	struct arena_block *block;

	if (size < BLOCK_SIZE)
		size = BLOCK_SIZE;
	if (arena->max && (arena->used > arena->max || size > arena->max - arena->used))
		return false;
	block = malloc(sizeof *block + size);
	if (!block)
		return false;
	block->next = arena->blocks;
	block->size = size;
	arena->blocks = block;
	arena->used += size;
	arena->next = (char *)block->data;
	arena->end = arena->next + size;
	return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t whole;
	void *memory;

	if (size > SIZE_MAX / 2)
		return NULL;
	whole = aligned(size ? size : 1);
	if ((size_t)(arena->end - arena->next) < whole && !add_block(arena, whole))
		return NULL;
	memory = arena->next;
	arena->next += whole;
	return memset(memory, 0, whole);
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
	assert(size > 0);
	return n > SIZE_MAX / size ? NULL : arena_alloc(arena, n * size);
}

bool arena_extend(struct arena *arena, void *newest, size_t old_size, size_t new_size)
{
	size_t was = aligned(old_size ? old_size : 1);
	size_t now;

	assert(new_size >= old_size);
	if (new_size > SIZE_MAX / 2 || (char *)newest + was != arena->next)
		return false;
	now = aligned(new_size ? new_size : 1);
	if ((size_t)(arena->end - arena->next) < now - was)
		return false;
	arena->next += now - was;
	return true;
}

bool arena_copy(struct arena *arena, struct slice bytes, struct slice *out)
{
	char *copy = arena_alloc(arena, bytes.len + 1);

	if (!copy)
		return false;
	if (bytes.len)
		memcpy(copy, bytes.at, bytes.len);
	*out = (struct slice){copy, bytes.len};
	return true;
}

void arena_reset(struct arena *arena)
{
	struct arena_block *kept = arena->blocks;

	if (!kept)
		return;
	while (kept->next) {
		struct arena_block *next = kept->next->next;

		free(kept->next);
		kept->next = next;
	}
	arena->used = kept->size;
	arena->next = (char *)kept->data;
	arena->end = arena->next + kept->size;
}

void arena_release(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
	*arena = (struct arena){.max = arena->max};
}

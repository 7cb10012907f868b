#include "tests/lib/sqlite_malloc.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

/* SQLite asks how large a block is: that stands in front of it. */
struct block {
	alignas(max_align_t) int size;
};

static void *block_malloc(int size)
{
	struct block *block = malloc(sizeof *block + (size_t)size);

	if (!block)
		return NULL;
	block->size = size;
	return block + 1;
}

static void block_free(void *memory)
{
	free((struct block *)memory - 1);
}

static void *block_realloc(void *memory, int size)
{
	struct block *block = realloc((struct block *)memory - 1, sizeof *block + (size_t)size);

	if (!block)
		return NULL;
	block->size = size;
	return block + 1;
}

static int block_size(void *memory)
{
	return memory ? ((struct block *)memory - 1)->size : 0;
}

static int round_up(int size)
{
	return (size + 7) & ~7;
}

static int begin(void *unused)
{
	return SQLITE_OK;
}

static void end(void *unused)
{
}

void sqlite_malloc_use(void)
{
	static const sqlite3_mem_methods methods = {.xMalloc = block_malloc,
						    .xFree = block_free,
						    .xRealloc = block_realloc,
						    .xSize = block_size,
						    .xRoundup = round_up,
						    .xInit = begin,
						    .xShutdown = end};
	int result = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);

	assert(result == SQLITE_OK);
}

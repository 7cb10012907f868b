#include "orchestrator/check/edges.h"

#include <stdlib.h>

enum { BLOCK_BITS = 16, BLOCK_EDGES = 1 << BLOCK_BITS };

void edges_release(struct edges *edges)
{
	for (uint32_t n = 0; n < edges->n_blocks; n++)
		free(edges->blocks[n]);
	free(edges->blocks);
	*edges = (struct edges){0};
}

static uint32_t *at(const struct edges *edges, uint64_t n)
{
	return &edges->blocks[n >> BLOCK_BITS][n & (BLOCK_EDGES - 1)];
}

static enum err push(struct edges *edges, uint32_t value)
{
	uint32_t **blocks;

	if (edges->n == (uint64_t)edges->n_blocks * BLOCK_EDGES) {
		blocks = realloc(edges->blocks, (edges->n_blocks + 1) * sizeof *blocks);
		if (!blocks)
			return ERR_NOMEM;
		edges->blocks = blocks;
		blocks[edges->n_blocks] = malloc(BLOCK_EDGES * sizeof **blocks);
		if (!blocks[edges->n_blocks])
			return ERR_NOMEM;
		edges->n_blocks++;
	}
	*at(edges, edges->n++) = value;
	return OK;
}

enum err edges_add(struct edges *edges, uint32_t to)
{
	for (uint64_t n = edges->open; n < edges->n; n++)
		if (*at(edges, n) == to)
			return OK;
	return push(edges, to);
}

enum err edges_close(struct edges *edges)
{
	enum err err = push(edges, (uint32_t)(edges->n - edges->open));

	edges->open = edges->n;
	edges->n_states++;
	return err;
}

/* Most states lead to later ones, so that few rounds from the end are enough. */
void edges_spread_back(const struct edges *edges, uint8_t *good)
{
	bool changed = true;

	while (changed) {
		uint64_t n = edges->open;

		changed = false;
		for (uint32_t state = edges->n_states; state-- > 0;) {
			uint32_t count = *at(edges, --n);

			for (uint64_t to = n - count; to < n && !good[state]; to++)
				if (good[*at(edges, to)]) {
					good[state] = 1;
					changed = true;
				}
			n -= count;
		}
	}
}

size_t edges_memory(const struct edges *edges)
{
	return edges->n_blocks * (BLOCK_EDGES * sizeof **edges->blocks + sizeof *edges->blocks);
}

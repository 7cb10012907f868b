#include "orchestrator/store/memory_dead.h"

#include <stdlib.h>

struct dead_block {
	struct dead_block *older;
	struct arena arena; /* of its texts */
	struct dead_letter letter;
};

static struct dead_block *make(const struct dead_letter *letter)
{
	struct dead_block *block = calloc(1, sizeof *block);

	if (block && !dead_letter_copy(&block->arena, letter, &block->letter)) {
		arena_release(&block->arena);
		free(block);
		return NULL;
	}
	return block;
}

static void drop(struct dead_block **link)
{
	struct dead_block *block = *link;

	*link = block->older;
	arena_release(&block->arena);
	free(block);
}

static struct dead_block **find(struct dead_block **link, struct slice id)
{
	while (*link && !slice_equal((*link)->letter.id, id))
		link = &(*link)->older;
	return link;
}

static size_t drop_oldest(struct dead_block **link)
{
	size_t n = 0, bytes = 0, n_dropped = 0;

	for (; *link; link = &(*link)->older) {
		const struct dead_letter *letter = &(*link)->letter;

		bytes += letter->key.len + letter->headers.len + letter->value.len;
		if (++n > STORE_DEAD_MAX || bytes > STORE_DEAD_BYTES_MAX)
			break;
	}
	for (; *link; n_dropped++)
		drop(link);
	return n_dropped;
}

enum err memory_dead_put(struct memory_dead *dead, const struct dead_letter *letters, size_t n,
			 size_t *n_dropped)
{
	struct dead_block *made = NULL, *block;

	for (size_t i = n; i > 0; i--) {
		block = make(&letters[i - 1]);
		if (!block) {
			while (made)
				drop(&made);
			return ERR_NOMEM;
		}
		block->older = made;
		made = block;
	}
	while ((block = made)) {
		struct dead_block **there = find(&dead->newest, block->letter.id);

		made = block->older;
		if (*there)
			drop(there);
		block->older = dead->newest;
		dead->newest = block;
	}
	*n_dropped = drop_oldest(&dead->newest);
	return OK;
}

enum err memory_dead_list(const struct memory_dead *dead, struct slice after, size_t limit,
			  enum err (*visit)(void *context, const struct dead_letter *letter),
			  void *context)
{
	struct dead_block *newest = dead->newest;
	const struct dead_block *block = newest;
	enum err err = OK;

	if (after.len) {
		block = *find(&newest, after);
		if (!block)
			return ERR_NOT_FOUND;
		block = block->older;
	}
	for (; !err && limit-- > 0 && block; block = block->older) {
		struct dead_letter letter = block->letter;

		letter.key = letter.headers = letter.value = (struct slice){0};
		err = visit(context, &letter);
	}
	return err;
}

enum err memory_dead_get(const struct memory_dead *dead, struct slice id, struct arena *arena,
			 struct dead_letter *out)
{
	struct dead_block *newest = dead->newest;
	const struct dead_block *block = *find(&newest, id);

	if (!block)
		return ERR_NOT_FOUND;
	return dead_letter_copy(arena, &block->letter, out) ? OK : ERR_NOMEM;
}

enum err memory_dead_remove(struct memory_dead *dead, struct slice id)
{
	struct dead_block **there = find(&dead->newest, id);

	if (!*there)
		return ERR_NOT_FOUND;
	drop(there);
	return OK;
}

void memory_dead_release(struct memory_dead *dead)
{
	while (dead->newest)
		drop(&dead->newest);
}

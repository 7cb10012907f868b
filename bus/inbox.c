#include "bus/inbox.h"

#include <assert.h>
#include <stdlib.h>

/* A chunk that holds so much takes no more letters. */
enum { CHUNK_BYTES = 128 * 1024 };

struct chunk {
	struct chunk *next;
	struct arena arena;
	size_t n; /* letters */
	size_t bytes;
};

void inbox_init(struct inbox *inbox)
{
	*inbox = (struct inbox){0};
	inbox->end = inbox->unread = &inbox->first;
}

void inbox_release(struct inbox *inbox)
{
	while (inbox->chunks) {
		struct chunk *next = inbox->chunks->next;

		arena_release(&inbox->chunks->arena);
		free(inbox->chunks);
		inbox->chunks = next;
	}
	inbox_init(inbox);
}

/* The arena has grown, or shrunk, since. */
static void count_bytes(struct inbox *inbox, struct chunk *chunk)
{
	inbox->bytes += chunk->arena.used - chunk->bytes;
	chunk->bytes = chunk->arena.used;
}

struct arena *inbox_arena(struct inbox *inbox)
{
	struct chunk *chunk = inbox->chunks;

	if (chunk)
		count_bytes(inbox, chunk);
	if (chunk && chunk->bytes > CHUNK_BYTES && !chunk->n) {
		arena_release(&chunk->arena);
		count_bytes(inbox, chunk);
	}
	if (!chunk || chunk->bytes > CHUNK_BYTES) {
		chunk = calloc(1, sizeof *chunk);
		if (!chunk)
			return NULL;
		chunk->next = inbox->chunks;
		inbox->chunks = chunk;
	}
	return &chunk->arena;
}

bool inbox_add(struct inbox *inbox, uint32_t sender, const struct inbox_message *message)
{
	struct chunk *chunk = inbox->chunks;
	struct letter *letter = arena_alloc(&chunk->arena, sizeof *letter);

	if (!letter)
		return false;
	*letter = (struct letter){.chunk = chunk, .sender = sender, .message = *message};
	*inbox->end = letter;
	inbox->end = &letter->next;
	inbox->n++;
	chunk->n++;
	count_bytes(inbox, chunk);
	return true;
}

const struct letter *inbox_poll(struct inbox *inbox)
{
	struct letter *letter = *inbox->unread;

	if (letter)
		inbox->unread = &letter->next;
	return letter;
}

const struct letter *inbox_oldest(const struct inbox *inbox)
{
	return inbox->unread == &inbox->first ? NULL : inbox->first;
}

static void drop_chunk(struct inbox *inbox, struct chunk *chunk)
{
	struct chunk **link = &inbox->chunks;

	while (*link != chunk)
		link = &(*link)->next;
	*link = chunk->next;
	inbox->bytes -= chunk->bytes;
	arena_release(&chunk->arena);
	free(chunk);
}

void inbox_remove(struct inbox *inbox)
{
	struct letter *letter = inbox->first;
	struct chunk *chunk = letter->chunk;

	assert(inbox->unread != &inbox->first);
	inbox->first = letter->next;
	if (inbox->end == &letter->next)
		inbox->end = &inbox->first;
	if (inbox->unread == &letter->next)
		inbox->unread = &inbox->first;
	inbox->n--;
	if (--chunk->n)
		return;
	if (chunk != inbox->chunks) {
		drop_chunk(inbox, chunk);
		return;
	}
	arena_reset(&chunk->arena);
	count_bytes(inbox, chunk);
}

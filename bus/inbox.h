/* inbox.h - what came for the orchestrator, until it is acknowledged.
 *
 * In the order in which it came: first what was polled, then what was not. The
 * memory of a message is that of its chunk, which is used again once all of its
 * messages are acknowledged.
 */
#ifndef SKALD_BUS_INBOX_H
#define SKALD_BUS_INBOX_H

#include "base/arena.h"
#include "proto/message.h"

struct letter {
	struct letter *next;
	struct chunk *chunk;
	uint32_t sender;
	struct inbox_message message;
};

struct inbox {
	struct chunk *chunks; /* the newest first */
	struct letter *first, **end;
	struct letter **unread; /* where the first one not polled yet hangs */
	size_t n;
	size_t bytes;
};

void inbox_init(struct inbox *inbox);
void inbox_release(struct inbox *inbox);

/* Where the texts of the next letter are to live; NULL: out of memory. What is
 * put there without a letter is wasted until the chunk is used again. */
struct arena *inbox_arena(struct inbox *inbox);

/* Add a letter whose texts are in inbox_arena. False: out of memory. */
bool inbox_add(struct inbox *inbox, uint32_t sender, const struct inbox_message *message);

/* The next one that was not polled yet; NULL: none. */
const struct letter *inbox_poll(struct inbox *inbox);

/* The oldest that was polled, to be removed; NULL: none. */
const struct letter *inbox_oldest(const struct inbox *inbox);
void inbox_remove(struct inbox *inbox);

#endif

/* bytes.h - a growing buffer with a stated maximum.
 *
 * Appending never fails on the spot: the first failure is kept in `err`, later
 * appends do nothing, and the caller looks once, at the end. The bytes live in
 * the arena that the buffer was made with; without one they are on the heap
 * and bytes_release() frees them.
 */
#ifndef SKALD_BASE_BYTES_H
#define SKALD_BASE_BYTES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct bytes {
	char *at;
	size_t len;
	size_t capacity;
	size_t max;          /* more than this is ERR_TOO_LARGE */
	struct arena *arena; /* NULL: heap */
	enum err err;        /* the first failure; the content is then incomplete */
};

#define BYTES(max_bytes, in_arena) ((struct bytes){.max = (max_bytes), .arena = (in_arena)})

void bytes_append(struct bytes *bytes, struct slice more);
void bytes_add(struct bytes *bytes, char c);
void bytes_text(struct bytes *bytes, const char *text);

/* `n` more bytes, for the caller to fill; NULL after a failure. */
char *bytes_room(struct bytes *bytes, size_t n);

/* At most 511 bytes at a time; longer is ERR_TOO_LARGE. */
void bytes_format(struct bytes *bytes, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Forget the content and the error, keep the memory. */
void bytes_clear(struct bytes *bytes);
void bytes_release(struct bytes *bytes);

static inline struct slice bytes_slice(const struct bytes *bytes)
{
	return (struct slice){bytes->at, bytes->len};
}

#endif

/* unsent.h - which sagas were written in batches that are not known to be sent;
 * for stores that write a batch as a whole, and so can keep the list in one value
 * beside it. Private to the store. */
#ifndef SKALD_STORE_UNSENT_H
#define SKALD_STORE_UNSENT_H

#include "base/bytes.h"

#include <stdint.h>

/* A saga by its number in the store. */
struct unsent_saga {
	int64_t number;
	uint64_t batch; /* of its newest write */
	uint32_t n_news;
};

/* In the order of the writes; a saga may be there more than once, and then the last
 * one counts. */
struct unsent {
	struct unsent_saga *sagas; /* on the heap */
	size_t n, capacity;
};

/* What is left of `from` once all up to the batch `sent` were sent, with room for n
 * more. ERR_NOMEM. */
CHECKED enum err unsent_begin(struct unsent *out, const struct unsent *from, uint64_t sent,
			      size_t n);

/* There must be room. */
void unsent_add(struct unsent *unsent, struct unsent_saga saga);

/* As bytes, and back. Failures to write are in out->err. ERR_CORRUPT, ERR_NOMEM. */
void unsent_write(const struct unsent *unsent, struct bytes *out);
CHECKED enum err unsent_read(struct slice bytes, struct unsent *out);

/* By number, each saga once. */
void unsent_sort(struct unsent *unsent);

/* In one that is sorted; NULL: it was sent. */
const struct unsent_saga *unsent_find(const struct unsent *unsent, int64_t number);

void unsent_release(struct unsent *unsent);

#endif

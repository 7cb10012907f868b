/* host.h - a host's own database for the barrier's callbacks, as simple as can be.
 *
 * Rows in memory, copied whole when a transaction or a mark begins. Beside the
 * records there is a number, the host's book: handlers change it within the
 * transaction. Every call can be made to fail.
 */
#ifndef SKALD_TESTS_LIB_HOST_H
#define SKALD_TESTS_LIB_HOST_H

#include "skald/barrier.h"

#include <stdbool.h>

struct host;

struct host *host_new(void); /* NULL: out of memory */
void host_free(struct host *host);

/* A barrier on this database, with savepoints or without; freeing it leaves the
 * host alone. NULL: out of memory. */
skald_barrier *host_barrier(struct host *host, bool marks);

/* Let the nth call from now on fail, counted from 0; negative: none. */
void host_fail_at(struct host *host, int n);
bool host_has_failed(const struct host *host);

/* Let every commit fail whose transaction has written a record with this id. */
void host_poison(struct host *host, const char *id);

/* The book, as it is now, and as it was last committed. */
int *host_book(struct host *host);
int host_committed(const struct host *host);

/* How many records there are, and transactions that were committed. */
size_t host_records(const struct host *host);
size_t host_commits(const struct host *host);

#endif

/* bench_books.h - whether the services did what the orders of `skald bench` say. */
#ifndef SKALD_CLI_BENCH_BOOKS_H
#define SKALD_CLI_BENCH_BOOKS_H

#include "cli/bench_order.h"

struct bench_books {
	uint64_t run;
	const struct bench_fate *fates; /* of n orders */
	uint32_t n;
	uint32_t decline_percent;
};

/* Hold what `skald-NAME audit --json --sagas` printed to the orders, saga by saga:
 * every command that one of them needs took effect once, with its numbers, and there
 * is nothing else. Sagas that are parked or lost may have any. ERR_CORRUPT, and the
 * diag says what is wrong first; ERR_NOMEM. */
CHECKED enum err bench_books_inventory(const struct bench_books *books, struct slice audit,
				       struct diag *diag);
CHECKED enum err bench_books_payment(const struct bench_books *books, struct slice audit,
				     struct diag *diag);

#endif

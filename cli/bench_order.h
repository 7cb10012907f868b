/* bench_order.h - the orders of `skald bench`, and what is counted of them.
 *
 * An order is all that follows from its number: what is bought, how many, for how
 * much, and whether the payment is to be declined. So whoever has the number knows
 * how the saga has to end and what has to stand in the books of the services.
 */
#ifndef SKALD_CLI_BENCH_ORDER_H
#define SKALD_CLI_BENCH_ORDER_H

#include "base/bytes.h"

#include <stdint.h>

enum {
	BENCH_SAGAS_MAX = 1000 * 1000,
	BENCH_INFLIGHT_MAX = 100 * 1000,
	BENCH_ID_SIZE = 32, /* of the id of a saga, terminated */
};

enum bench_end {
	BENCH_NONE, /* it has not ended */
	BENCH_COMPLETED,
	BENCH_COMPENSATED,
	BENCH_PARKED,
	BENCH_KILLED,
	N_BENCH_ENDS,
};

/* BENCH_NONE for the status of a saga that goes on. */
enum bench_end bench_end_of(struct slice status);

/* The definition that runs: sagas/order-bench.yaml. */
extern const char bench_saga[];

/* --- one order -------------------------------------------------------------------- */

struct bench_order {
	uint32_t sku; /* a number, below a hundred */
	uint32_t qty;
	uint32_t cents;
	bool decline;
};

struct bench_order bench_order_of(uint32_t number, uint32_t decline_percent);

/* How the saga of the order has to end. */
enum bench_end bench_expected(uint32_t number, uint32_t decline_percent);

/* The id of its saga: of the run, which is any number that no other run on the same
 * server has, and of the order. */
void bench_id(uint64_t run, uint32_t number, char id[BENCH_ID_SIZE]);

/* The number in the id; false: it is of another run or of none. */
bool bench_number(uint64_t run, struct slice id, uint32_t *number);

/* The line of a batch that starts the saga. */
void bench_start_line(struct bytes *out, uint64_t run, uint32_t number,
		      uint32_t decline_percent);

/* --- what is counted -------------------------------------------------------------- */

/* What became of one order; its times are of the monotonic clock. */
struct bench_fate {
	int64_t began_us; /* 0: not started */
	uint32_t took_us;
	enum bench_end end;
};

struct bench_tally {
	uint32_t ended[N_BENCH_ENDS]; /* BENCH_NONE counts those that were lost */
	uint32_t n_wrong;             /* ended otherwise than they have to */
	uint32_t first_wrong;         /* one of these, or of the lost ones */
	double p50_ms, p99_ms;        /* of those that ended; 0 where none did */
};

/* ERR_NOMEM. */
CHECKED enum err bench_tally(const struct bench_fate *fates, uint32_t n,
			     uint32_t decline_percent, struct bench_tally *out);

/* "10%" or "10". ERR_INVALID. */
CHECKED enum err bench_percent(const char *text, uint32_t *percent, struct diag *diag);

#endif

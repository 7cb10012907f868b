/* floor_orchestrator.h - the sagas of the floor: reserve, charge, confirm.
 *
 * A saga is written four times, at its start and for each of three replies, as a
 * row of about 400 bytes. A loop takes the replies that are there, writes what
 * they change together with the starts that now fit, commits once, and only then
 * sends the commands.
 */
#ifndef SKALD_BENCH_FLOOR_ORCHESTRATOR_H
#define SKALD_BENCH_FLOOR_ORCHESTRATOR_H

#include "bench/floor_frame.h"
#include "bench/floor_service.h"

#include <signal.h>

enum { FLOOR_WRITES_PER_SAGA = 4 };

enum floor_status { FLOOR_RUNNING, FLOOR_COMPENSATING, FLOOR_COMPLETED, FLOOR_COMPENSATED };

/* The row, copied as it is. */
struct floor_saga {
	uint64_t id; /* from 1 */
	int64_t started_us;
	uint32_t revision; /* how often it was written */
	uint8_t status;
	uint8_t step;
	uint8_t verb;
	uint8_t unused;
	struct floor_order order;
	char input[FLOOR_PAYLOAD_BYTES];
	char output[168]; /* of the latest reply */
};

_Static_assert(sizeof(struct floor_saga) == 400, "the floor is measured with 400 bytes");

struct floor_plan {
	uint32_t n_sagas;
	uint32_t inflight_max;
	uint32_t decline_percent;
	const char *path;                  /* the orchestrator's file, which is made */
	int fds[N_FLOOR_SERVICES];         /* sockets to the services, taken over */
	const volatile sig_atomic_t *stop; /* not 0: a signal asks to end early */
};

struct floor_figures {
	double seconds; /* from the first start to the last commit */
	double cpu_s;   /* of the orchestrator in that time */
	uint64_t n_commits;
	uint32_t *latencies_us; /* of each saga, shortest first; from malloc, the caller's */
};

CHECKED enum err floor_orchestrate(const struct floor_plan *plan, struct floor_figures *figures,
				   struct diag *diag);

#endif

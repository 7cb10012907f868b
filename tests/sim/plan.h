/* plan.h - what a seed decides before anything happens.
 *
 * Each kind of trouble is in about half of all plans, so that some runs have one
 * kind alone and others have them all: what one kind hides, another run shows. */
#ifndef SKALD_TESTS_SIM_PLAN_H
#define SKALD_TESTS_SIM_PLAN_H

#include "bus/hub.h"
#include "orchestrator/engine/limits.h"
#include "tests/lib/random.h"
#include "tests/sim/transport.h"

enum { PLAN_CASES_MAX = 12 };

/* How something goes wrong with the calls of a process: one of so many, about. */
struct fuse {
	uint32_t calls; /* 0: never */
	uint32_t dies_percent;
	uint32_t unanswered_percent; /* the rest: the call alone fails */
};

struct plan {
	uint64_t seed;
	uint32_t n_cases;
	bool hub; /* the real hub; otherwise messages one by one */
	struct weather weather;
	struct hub_limits limits;
	uint32_t window;
	uint32_t line_bytes;
	uint32_t queue;       /* messages that wait for a participant at most, one by one */
	uint32_t sluggish_ms; /* until the orchestrator looks at what came, at most */
	uint32_t live_max;
	uint32_t net_permille;  /* of the calls to a store over the network, that go wrong, */
	uint32_t slow_permille; /* or take long */
	uint32_t members;       /* orchestrators that share the sagas; 0: there is one */
	uint32_t n_shards;      /* at first */

	int64_t trouble_ms; /* how long there is any */
	struct fuse orchestrator, service;
	uint32_t away_ms; /* how long who died is away, at most */

	/* How often, during the trouble. */
	uint32_t cuts, hangs, outages, rivals, moves, jumps, deploys, vandals, bulks;
	uint32_t jump_ms;            /* how wrong a clock is set, at most */
	uint32_t operations_percent; /* of the cases */
	uint32_t fates_percent;      /* of the commands, that do not just go well */

	uint32_t processes;        /* of each participant */
	uint32_t batch;            /* commands in a transaction */
	uint32_t think_ms;         /* until a participant looks at what came, at most */
	uint32_t later_percent;    /* of the commands, that are answered later */
	uint32_t busy_percent;     /* of the answers, for which there is no room */
	uint32_t echo_percent;     /* likewise, that come once more */
	uint32_t nonsense_percent; /* and after which something comes that makes no sense */
	int64_t horizon_ms;        /* of the records; 0: for ever */

	struct limits participants; /* what every participant is asked at most, in a third */

	bool damaged; /* the record of one saga cannot be read until the end */
	bool mute;    /* one participant never answers until the end */
};

void plan_make(struct plan *plan, uint64_t seed);

#endif

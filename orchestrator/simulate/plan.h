/* plan.h - how participants behave in a simulation, and which events come.
 *
 *	participants:
 *	  inventory:
 *	    latency: { p50: 20ms, p99: 400ms }
 *	    outage: { from: 2m, to: 5m }
 *	    commands:
 *	      reserve:
 *	        decline: { chance: 3%, code: out_of_stock }
 *	        output: { id: ='r-' + saga.id, sku: =input.sku }
 *	signals:
 *	  approved: { after: { from: 1h, to: 30h }, chance: 95% }
 *
 * What stands beside `commands` holds for all commands of the participant that do
 * not say otherwise. In an output `input` is what the command was called with, in the
 * payload of a signal the input of the saga. docs/simulate.md explains every key.
 */
#ifndef SKALD_SIMULATE_PLAN_H
#define SKALD_SIMULATE_PLAN_H

#include "base/problems.h"
#include "orchestrator/simulate/dice.h"
#include "orchestrator/simulate/shape.h"

enum { PLAN_TEXT_MAX = 1024 * 1024, OUTAGES_MAX = 100 };

struct behaviour {
	struct spread latency;
	bool decline_given; /* otherwise --faults says how often */
	uint32_t decline;   /* chances in millionths */
	struct slice decline_code;
	bool fail_given;
	uint32_t fail;
	uint32_t unknown;              /* no answer at all; half of them took effect */
	int64_t slow_ms;               /* after the participant's start; 0: it is not slow */
	struct spread slow;            /* its latency then */
	const struct template *output; /* NULL: made up, */
	const struct schema *schema;   /* as this asks for; NULL: as it is used */
};

struct planned_command {
	struct slice name;
	struct behaviour behaviour;
};

struct outage {
	int64_t from_ms, to_ms; /* since the run began */
};

struct planned_participant {
	struct slice name;
	struct behaviour behaviour; /* of commands that are not in the list */
	const struct planned_command *commands;
	size_t n_commands;
	const struct outage *outages;
	size_t n_outages;
};

struct planned_signal {
	struct slice event;
	struct spread after; /* since a saga waits for it */
	uint32_t chance;
	const struct template *payload; /* NULL: made up, */
	const struct schema *schema;    /* likewise */
};

struct plan {
	struct arena arena;
	const struct planned_participant *participants;
	size_t n_participants;
	const struct planned_signal *signals;
	size_t n_signals;
};

/* What holds where a plan says nothing, or where there is none. */
extern const struct behaviour behaviour_default;
extern const struct planned_signal signal_default;

/* Read a plan for these sagas: one that names what none of them has is wrong. OK: the
 * caller frees *out. ERR_INVALID: the problems say why. ERR_NOMEM. `file` names it in
 * messages, and is borrowed as long as the problems are kept. */
CHECKED enum err plan_load(const char *file, struct slice text, const struct family *family,
			   struct problems *problems, struct plan **out);
void plan_free(struct plan *plan); /* NULL is fine */

/* The plan may be NULL. */
const struct planned_participant *plan_participant(const struct plan *plan, struct slice name);
const struct behaviour *plan_behaviour(const struct planned_participant *participant,
				       struct slice command);
const struct planned_signal *plan_signal(const struct plan *plan, struct slice event);

#endif

/* run.h - a saga, run in a world that is made up: seed after seed.
 *
 * The engine, the core and the barrier's rules are those that are shipped. Clock,
 * messages, participants, processes and people are not: the seed decides what they
 * do, within what plan and faults allow. So a run is the same whenever and wherever
 * it is made, and weeks of it take milliseconds.
 *
 * What participants do is written into books, and what must be true of these (see
 * simulate_invariants) is looked after in every run. Nothing here reads a file, asks
 * for the time or prints.
 */
#ifndef SKALD_SIMULATE_RUN_H
#define SKALD_SIMULATE_RUN_H

#include "orchestrator/engine/engine.h"
#include "orchestrator/simulate/faults.h"
#include "orchestrator/simulate/plan.h"
#include "orchestrator/store/store_memory.h"
#include "participants/lib/barrier.h"

#define RUN_BEGINS_MS   INT64_C(1700000000000) /* since 1970: when each run begins */
#define RUN_TIME_MAX_MS (INT64_C(730) * 24 * 60 * 60 * 1000)

enum { RUN_EVENTS_MAX = 100000, RUN_NOTES_MAX = 20000 };

/* --- what must be true ----------------------------------------------------------------- */

enum invariant {
	INVARIANT_NONE,
	INVARIANT_EFFECTS_ONCE,
	INVARIANT_UNDO_ONCE,
	INVARIANT_UNDO_ORDER,
	INVARIANT_NO_LATE_EFFECT,
	INVARIANT_PIVOT_IS_FINAL,
	INVARIANT_OUTCOME_AGREES,
	INVARIANT_CANCEL_TURNS_BACK,
	INVARIANT_NOTHING_HANGS,
	INVARIANT_NEVER_LOST,
};
enum { INVARIANTS = INVARIANT_NEVER_LOST + 1 };

struct simulate_invariant {
	const char *name;     /* a fixed word such as "undo-order" */
	const char *sentence; /* what must be true */
};
extern const struct simulate_invariant simulate_invariants[INVARIANTS]; /* not of the first */

/* --- a run ----------------------------------------------------------------------------- */

enum run_end {
	RUN_COMPLETED,
	RUN_COMPENSATED,
	RUN_PARKED,  /* a person has to decide, and here is none */
	RUN_KILLED,  /* a child of it was, or it itself */
	RUN_WAITS,   /* for an event that nobody sends */
	RUN_ENDLESS, /* one of the bounds ended it */
	RUN_REFUSED, /* it could not be started */
};
enum { RUN_ENDS = RUN_REFUSED + 1 };
const char *run_end_text(enum run_end end); /* "completed", "does not end", ... */

/* How often, of one step of one definition, with all of its elements. */
struct step_count {
	uint64_t attempts; /* of the do, a revoke included */
	uint64_t timeouts;
	uint64_t failed, refused;
	uint64_t undos; /* attempts */
	uint64_t parked;
};

/* Who a note is about: those that every run has; participants follow. */
enum { ACTOR_PEOPLE, ACTOR_SKALD, ACTORS_FIXED };

struct note {
	int64_t at_ms;     /* since the run began */
	uint32_t from, to; /* the same: it happens there */
	bool lost;         /* it never arrives */
	struct slice text;
};

struct run {
	uint64_t seed;
	enum run_end end;
	struct slice reason; /* of all but completed; may be empty */
	int64_t took_ms;     /* until its end, or until nothing more happened */
	uint64_t attempts, messages, events, restarts;
	struct step_count *steps; /* those of all definitions: simulation_step */

	enum invariant broken; /* INVARIANT_NONE: all hold */
	char what[512];        /* is wrong, one sentence */

	/* Only where a transcript was asked for. */
	struct slice id, input;
	const struct slice *actors;
	size_t n_actors;
	struct note *notes;
	size_t n_notes; /* RUN_NOTES_MAX: the rest was left out */

	struct arena arena; /* holds all of it */
};
void run_release(struct run *run);

/* --- a simulation ---------------------------------------------------------------------- */

/* What a test puts in the place of the real ones, to see that it is noticed. */
struct simulate_seams {
	struct barrier *(*barrier_new)(void);             /* NULL: barrier_memory_new */
	struct store *(*store_open)(struct vault *vault); /* NULL: store_memory_open */
};

/* What is borrowed outlives the simulation. */
struct simulation_setup {
	struct family family;    /* the first one is run, the others may be its children */
	const struct plan *plan; /* NULL: none */
	struct faults faults;
	struct json input;   /* empty: made up, another one for every seed */
	uint32_t events_max; /* 0: RUN_EVENTS_MAX */
	int64_t time_max_ms; /* 0: RUN_TIME_MAX_MS */
	struct simulate_seams seams;
};

struct simulation;

/* ERR_NOMEM. */
CHECKED enum err simulation_open(const struct simulation_setup *setup, struct simulation **out);
void simulation_close(struct simulation *simulation); /* NULL is fine */

/* OK: the run is to be released. ERR_INVALID: no input could be made up, or a plan's
 * output cannot be evaluated; the diag says why. ERR_NOMEM. */
CHECKED enum err simulation_run(struct simulation *simulation, uint64_t seed, bool transcript,
				struct run *out, struct diag *diag);

/* Which step of which definition the nth count of a run is about; false: there are no
 * more. */
bool simulation_step(const struct simulation *simulation, size_t n,
		     const struct definition **definition, uint32_t *step);

#endif

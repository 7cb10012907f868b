/* world.h - the simulated world: everything that a run consists of.
 *
 * The engine, the hub, the sessions, the participant library and its barrier are
 * the real ones. The clock, the network, the disks, the processes and the people
 * are not: a seed decides what they do. A run has three parts. In the first one
 * there is trouble. In the second one there is no more of it, but for a saga whose
 * record is damaged and a participant that never answers: nobody else may suffer
 * from those. In the third these two are mended as well, and then every saga has to
 * come to its end. */
#ifndef SKALD_TESTS_SIM_WORLD_H
#define SKALD_TESTS_SIM_WORLD_H

#include "orchestrator/store/store_memory.h"
#include "tests/sim/case.h"
#include "tests/sim/group.h"

/* What is broken on purpose, so that a test sees the judge notice. */
enum sabotage {
	SABOTAGE_NONE,

	/* Services. */
	SABOTAGE_FORGET_BARS,    /* the barrier forgets what was undone before it came */
	SABOTAGE_FORGET_RECORDS, /* and, now and then, what it has answered */
	SABOTAGE_LOSE_EFFECTS,   /* a commit keeps the records without the effects */
	SABOTAGE_KEEP_EFFECTS,   /* what is rolled back leaves its effects */
	SABOTAGE_COMMIT_LATE,    /* what is committed is so when the next one begins */
	SABOTAGE_BLIND_REVOKES,  /* a revoke is answered ok, and nobody has looked */

	/* The store. */
	SABOTAGE_LOSE_SAGA,      /* it says that a new saga is kept, and forgets it */
	SABOTAGE_LOSE_WRITES,    /* likewise a change of one */
	SABOTAGE_STORE_LATE,     /* what is stored is stored when it is acknowledged */
	SABOTAGE_TWINS,          /* with a child it keeps another one like it */
	SABOTAGE_FORGE_CHILDREN, /* it says of completed ones that they have turned back */
	SABOTAGE_LOSE_CHILDREN,  /* likewise of running ones, and it does not load them */
	SABOTAGE_FORGET_OWNERS,  /* what was written too late counts all the same */
	SABOTAGE_FORGET_OTHERS,  /* what the former owner had not told counts as told */

	/* The orchestrator. */
	SABOTAGE_KEEP_SENDS,        /* commands are not sent, and nobody is told */
	SABOTAGE_FORGET_AT_LOAD,    /* likewise all that are sent when it begins */
	SABOTAGE_ACKNOWLEDGE_EARLY, /* messages are acknowledged, and then it sends */
	SABOTAGE_UNDO_AHEAD,        /* with an undo goes that of a step in front of it */
	SABOTAGE_FORGET_NEWS,       /* the observer is not told, now and then */
	SABOTAGE_FORGET_OLD_NEWS,   /* nor, when it begins, of what came before */
	SABOTAGE_FORGET_EVENTS,     /* an event is not published, now and then */
	SABOTAGE_TELL_EARLY,        /* events are published, and then it stores */
	SABOTAGE_BOAST,             /* what is published counts as there at once */
	SABOTAGE_NO_ROOM,           /* it takes more sagas than it should */
	SABOTAGE_SLEEP,             /* it does not wake for its timers */

	/* The bus. */
	SABOTAGE_WIDE_WINDOWS, /* a participant gets more than it asked for */

	SABOTAGES
};

enum { CASES_MAX = 160 }; /* those that are asked for, and their children */

enum part { PART_TROUBLE, PART_CALM, PART_MENDED };

/* What happened, for people who want to know how much a run is worth. Every member is
 * one of its counts. */
struct tally {
	uint64_t sagas, children, completed, compensated, killed, parked;
	uint64_t commands, effects, undos, replies;
	uint64_t deaths, failed_calls, lost_answers, rivals, moves;
	uint64_t torn_writes, late_writes, slow_calls, strays;
	uint64_t chances[CHANCE_KINDS]; /* that were taken */
	uint64_t starts, signals, operations, helps, news, published;
	uint64_t events, simulated_ms;
};

void tally_add(struct tally *sum, const struct tally *more);

/* The smallest of its counts. */
uint64_t tally_least(const struct tally *tally);

struct world {
	struct plan plan;
	enum sabotage sabotage;
	const struct catalogue *catalogue;
	struct random random; /* whatever is drawn */
	struct chance chance; /* likewise, where it could be left out */
	struct agenda agenda;
	struct clock_sim clock;
	struct diary diary;
	struct tally tally;
	enum part part;
	int64_t part_ms;     /* when it began */
	int64_t patience_ms; /* how long a part may take in which nothing goes wrong */
	bool finished;       /* every saga has come to its end */

	struct transport *transport;
	struct vault *vault;     /* the orchestrator's disk, */
	struct network *network; /* or what several share; NULL: nothing */
	struct store *archive;   /* the judge looks at it through this */
	struct arena scratch;    /* of the judge */
	bool outage;             /* the disk takes nothing, */
	uint32_t n_outages;      /* for so many a time */
	struct sim_case *damaged;
	bool deployed; /* newer versions of all sagas */

	/* The first ones are asked for, plan.n_cases of them; the others are children. */
	struct sim_case cases[CASES_MAX];
	uint32_t n_cases;
	const struct definition *needed[CATALOGUE_MAX]; /* of all of them */
	size_t n_needed;
	struct orchestrator *members[MEMBERS_MAX]; /* NULL: it does not run; one alone is
						    * the first */
	struct orchestrator *rival; /* one that does not know of the present one */
	struct group group;
	uint32_t n_orchestrators;
	uint32_t n_participants; /* that the sagas need */
	uint32_t n_begun;        /* sagas that are under way, and were not before */
	struct services *services;
	struct people *people;
};

struct run_result {
	bool ok;
	char fault[DIARY_FAULT_SIZE];
	uint64_t hash; /* of all that happened */
	struct tally tally;
};

/* `transcript` may be NULL. */
void world_run(const struct catalogue *catalogue, uint64_t seed, enum sabotage sabotage,
	       FILE *transcript, struct run_result *out);

/* Likewise, with these chances alone (NULL: with all); *taken, which is the caller's to
 * release, are those that were (NULL: nobody wants to know). */
void world_replay(const struct catalogue *catalogue, uint64_t seed, enum sabotage sabotage,
		  const struct chance_list *keep, FILE *transcript, struct run_result *out,
		  struct chance_list *taken);

/* --- for the parts of the world ----------------------------------------------------- */

static inline int64_t world_now_ms(const struct world *world)
{
	return world->clock.monotonic_ms;
}

/* A moment from now, at most so long. */
int64_t world_soon_ms(struct world *world, uint32_t at_most_ms);

/* Set the wire of a process that begins, or goes on. */
struct tripwire;
void world_arm(struct world *world, struct tripwire *wire, const struct fuse *fuse);

/* What the wire did, into diary and tally; true: the process is dead. */
bool world_looks_dead(struct world *world, const struct tripwire *wire, const char *who);

/* Time passes until then, with all that happens meanwhile, while somebody who waits is in the
 * middle of what he does. The parts of the run do not end then. */
void world_pass(struct world *world, int64_t until_ms);

/* NULL: none. */
struct sim_case *world_case_by_id(struct world *world, struct slice id);

/* A saga has begun its child, which has no name yet. NULL: there are too many. */
struct sim_case *world_add_child(struct world *world, struct sim_case *parent,
				 const struct definition *definition);

/* The saga, or one that it starts, has to do with the participant. */
bool world_needs(const struct world *world, const struct definition *definition,
		 const char *participant);

#endif

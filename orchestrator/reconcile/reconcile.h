/* reconcile.h - the orchestrator's record against the participants' barriers.
 *
 * Two walks. The first takes the sagas that are stored, a window at a time, and asks
 * their participants for the commands that the record holds settled. The second takes
 * the records of each participant, a page at a time, and looks for those that no saga
 * accounts for. Whatever differs is looked at again, and told once it is the same at
 * three looks between which the saga did not move: a system at work raises no alarm.
 *
 * A reconciliation has no thread, never waits and does little at a turn, so that the
 * loop that turns it goes on working. It holds one window and one page, whatever there
 * is to compare: RECONCILE_LOOKS_MAX commands, a page of RECORDS_MAX records, one
 * decoded saga; under 16 MiB in all.
 */
#ifndef SKALD_RECONCILE_RECONCILE_H
#define SKALD_RECONCILE_RECONCILE_H

#include "orchestrator/engine/engine.h"
#include "orchestrator/reconcile/compare.h"

enum {
	RECONCILE_WINDOW = 1000, /* commands, and the rest of the saga that they end in */
	RECONCILE_LOOKS_MAX = RECONCILE_WINDOW + INSTANCES_MAX,
	RECONCILE_PATIENCE_MS = 10000, /* for a participant that does not answer */
};

/* What there is to tell. The texts are valid during the call. */
struct finding {
	enum mismatch difference;
	struct slice command; /* its id; empty where the whole saga is meant */
	struct slice saga_id;
	struct slice saga; /* its name; empty where it is not known */
	struct slice step; /* "reserve", "reserve#2" of the third element; may be empty */
	struct slice participant; /* may be empty */
	const char *record;       /* what the saga says: "done", "undone", ...; or "" */
	const char *barrier;      /* what the participant says: "done", "nothing", ... */
};

struct reconcile_counts {
	uint64_t sagas;       /* compared */
	uint64_t commands;    /* likewise */
	uint64_t records;     /* of barriers that were looked at */
	uint64_t differences; /* told */
	uint64_t forgotten;   /* commands that are older than what the barrier keeps */
	uint64_t removed;     /* effects of sagas that may have been here and were removed */
	uint64_t moving;      /* commands whose saga never came to rest */
	uint64_t unasked;     /* commands whose participant could not be asked */
	uint64_t participants, participants_unasked;
};

struct reconcile_setup {
	struct engine *engine;
	struct store *store;
	struct bus *bus;
	const struct clock *clock;
	struct slice saga; /* sagas of this name alone; empty: all */
	int64_t since_ms;  /* sagas started, and commands first sent, since; 0: all */

	void (*found)(void *context, const struct finding *finding);
	/* This participant could not be asked, and why. */
	void (*unasked)(void *context, struct slice participant, const char *why);
	void *context;
};

struct reconcile;

/* NULL: out of memory. */
struct reconcile *reconcile_new(const struct reconcile_setup *setup);
void reconcile_free(struct reconcile *reconcile); /* NULL is fine */

/* An answer came over the bus; false: it is not for this one. */
bool reconcile_answer(struct reconcile *reconcile, const struct inquired *inquired);

/* Do a little. True: there is more to do at once. */
bool reconcile_turn(struct reconcile *reconcile);

/* When to turn it although nothing came, by the monotonic clock. */
int64_t reconcile_wake_ms(const struct reconcile *reconcile);

/* Whether it is over; *why is then NULL, or what kept it from going on. */
bool reconcile_over(const struct reconcile *reconcile, const char **why);
const struct reconcile_counts *reconcile_counts(const struct reconcile *reconcile);

#endif

/* yard.h - a whole system in one process, for tests of what compares its two sides:
 * the real engine, hub and participant library with SQLite barriers, under a simulated
 * clock. Whatever a test does to a barrier or a record, nobody else notices.
 *
 * The saga "line" has a step that only has an undo (sorry, mail), take and look and pay
 * at the desk, one that is skipped (maybe), pick at the shelf for each of a list, a child
 * saga "kid" (hold, shelf), waits for the event "go" in front of the pivot pay, and
 * thanks (mail). Its input is {refuse, list}: the command of that name is refused.
 */
#ifndef SKALD_TESTS_LIB_YARD_H
#define SKALD_TESTS_LIB_YARD_H

#include "bus/bus.h"
#include "orchestrator/reconcile/reconcile.h"
#include "orchestrator/store/store_memory.h"
#include "participants/lib/participant.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/tripwire.h"

enum {
	YARD_LINES_SIZE = 64 * 1024,
	YARD_TURNS_MAX = 200000, /* within which everything has to come to its end */
};

enum spot { DESK, SHELF, MAIL, PLACES };

struct yard {
	struct clock_sim clock;
	struct vault *vault;
	struct tripwire wire;
	struct store *store; /* the real one */
	struct store_tripwire store_wire;
	struct bus_pipe *pipe;
	struct bus *bus;
	struct engine *engine;
	struct sqlite3 *dbs[PLACES];
	skald_barrier *barriers[PLACES];
	struct port *ports[PLACES];
	skald_participant *participants[PLACES]; /* NULL: it is away */
	struct arena arena;

	struct reconcile *reconcile;
	char lines[YARD_LINES_SIZE]; /* what was found */
	size_t len;
	struct reconcile_counts counts;
	const char *why;
};

void yard_open(struct yard *yard);
void yard_close(struct yard *yard);

/* A participant's process comes, and leaves as if it had died. */
void yard_come(struct yard *yard, enum spot spot);
void yard_leave(struct yard *yard, enum spot spot);

/* Everybody's turn once; and until nothing is left to do. */
void yard_turn(struct yard *yard);
void yard_settle(struct yard *yard);

/* Start a "line"; send it "go", or cancel it. */
void yard_start(struct yard *yard, const char *id, const char *input);
void yard_operate(struct yard *yard, const char *id, enum event_type type);

/* "d" is completed, "u" is undone, "r" was refused at once, "w" waits for "go". */
void yard_play(struct yard *yard);

/* Change something in a barrier, and what the store has of a saga's step. */
void yard_sql(struct yard *yard, enum spot spot, const char *text);
void yard_change(struct yard *yard, const char *id, const char *step, enum step_state state);

/* Begin to reconcile; go on a little, with or without a turn for the others (false: it
 * is over); or all of it: what was found is in `lines`, which is returned. */
void yard_begin(struct yard *yard, const char *saga, int64_t since_ms);
bool yard_go_on(struct yard *yard);
bool yard_go_on_alone(struct yard *yard);
const char *yard_finish(struct yard *yard);
const char *yard_reconcile(struct yard *yard);

#endif

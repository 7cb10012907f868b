/* office.h - an engine at work, and a test that plays its participants by hand.
 *
 * One definition, "line", on memory store and memory bus under a simulated clock:
 *
 *	a            desk.take, undone by desk.back; 2 attempts of 1 s, 100 ms between
 *	w            awaits the event "go" for 2 h
 *	both         b at the desk and c at the shelf, side by side, like a
 *
 * The saga has an hour. Every call to store and bus passes a tripwire.
 */
#ifndef SKALD_TESTS_LIB_OFFICE_H
#define SKALD_TESTS_LIB_OFFICE_H

#include "bus/bus_memory.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/store/store_memory.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/tripwire.h"

enum office_place { DESK, SHELF, OFFICE_PLACES };

struct office {
	struct definition *line;
	struct clock_sim clock;
	struct vault *vault;
	struct post *post;
	struct port *ports[OFFICE_PLACES];
	struct arena arena;
	struct tripwire wire;

	/* The orchestrator. */
	struct store *store; /* the real one */
	struct bus *bus;
	struct store_tripwire store_wire;
	struct bus_tripwire bus_wire;
	struct engine *engine;
	const struct limits *limits; /* of an engine that is started; NULL: none */
};

void office_open(struct office *office);
void office_close(struct office *office);

/* A second orchestrator on the same vault, with a bus that leads nowhere. */
struct rival {
	struct store *store;
	struct post *post;
	struct bus *bus;
	struct engine *engine;
};
void rival_open(struct rival *rival, struct office *office);
void rival_close(struct rival *rival);

/* Let the orchestrator die, and start another on what is left. */
void office_restart(struct office *office);

/* One turn, which must succeed; how many events it took. */
size_t office_turn(struct office *office);
void office_advance(struct office *office, int64_t ms);

/* Start a saga of "line" with the input {}. */
enum err office_start(struct office *office, const char *id);

/* The event "go", cancel and kill. Their texts are thrown away afterwards. */
enum err office_signal(struct office *office, const char *id, const char *signal_id,
		       const char *payload);
enum err office_cancel(struct office *office, const char *id, const char *reason);
enum err office_kill(struct office *office, const char *id);

/* The next command there, "line-1/a#0/0/do#1"; "" where there is none. Valid
 * until the next call. */
const char *office_asked(struct office *office, enum office_place place);

/* Answer a command as the participant there. */
void office_answer(struct office *office, enum office_place place, const char *id,
		   uint32_t attempt, enum message_outcome outcome, const char *output);

/* The saga as it is stored; valid until office_close. NULL: it is not. */
const struct saga *office_stored(struct office *office, const char *id);

/* Its step as it is stored: "done", "in doubt", ... */
const char *office_step(struct office *office, const char *id, const char *step);

#endif

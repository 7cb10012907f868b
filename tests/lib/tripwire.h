/* tripwire.h - a process that dies between two calls, or a call that fails.
 *
 * Store, bus, port and barrier wrapped so that the nth call, counted over all of
 * them, goes wrong. Either it and every later one does nothing and fails, as for a
 * process that is gone: the test then throws the process away and starts
 * another one on what is left. Or it alone fails, and the test goes on.
 */
#ifndef SKALD_TESTS_LIB_TRIPWIRE_H
#define SKALD_TESTS_LIB_TRIPWIRE_H

#include "bus/bus.h"
#include "orchestrator/store/store.h"
#include "participants/lib/barrier.h"

enum tripwire_effect {
	TRIPWIRE_DIES,
	TRIPWIRE_FAILS,     /* that call alone does nothing */
	TRIPWIRE_NO_ANSWER, /* that call does all it should and fails all the same */
};

struct tripwire {
	long calls_left; /* until it fires; negative: never */
	enum tripwire_effect effect;
	bool fired;
};

struct store_tripwire {
	struct store base; /* first, so that the two pointers are one */
	struct store *real;
	struct tripwire *wire;
};

struct bus_tripwire {
	struct bus base; /* first, so that the two pointers are one */
	struct bus *real;
	struct tripwire *wire;
};

struct port_tripwire {
	struct port base; /* first, so that the two pointers are one */
	struct port *real;
	struct tripwire *wire;
};

struct barrier_tripwire {
	struct barrier base; /* first, so that the two pointers are one */
	struct barrier *real;
	struct tripwire *wire;
};

/* One call more; whether it goes wrong. For calls that are none of the ones below. */
bool tripwire_pull(struct tripwire *wire);

/* Each wraps what it is given and gives what to use instead. Closing the
 * wrapper closes nothing. */
struct store *store_tripwire_init(struct store_tripwire *wrapper, struct store *real,
				  struct tripwire *wire);
struct bus *bus_tripwire_init(struct bus_tripwire *wrapper, struct bus *real,
			      struct tripwire *wire);
struct port *port_tripwire_init(struct port_tripwire *wrapper, struct port *real,
				struct tripwire *wire);

/* `real` has marks and can be pruned. A commit that fails is rolled back; what a
 * dead process leaves open is for whoever starts the next one to roll back. */
struct barrier *barrier_tripwire_init(struct barrier_tripwire *wrapper, struct barrier *real,
				      struct tripwire *wire);

#endif

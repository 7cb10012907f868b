/* transport.h - how messages get around in the simulated world.
 *
 * Two kinds. transport_hub.c is the real hub and the real sessions, with lines in
 * the place of sockets: bytes come in pieces, late, or never when a line breaks.
 * transport_post.c delivers messages, each on its own: lost, repeated, late and in
 * any order, as a bus at its worst may.
 */
#ifndef SKALD_TESTS_SIM_TRANSPORT_H
#define SKALD_TESTS_SIM_TRANSPORT_H

#include "base/shards.h"
#include "bus/hub.h"
#include "orchestrator/simulate/agenda.h"
#include "tests/lib/clock_sim.h"
#include "tests/sim/chance.h"
#include "tests/sim/diary.h"

/* What may happen to a message, or to a piece of bytes, on its way. */
struct weather {
	uint32_t latency_ms; /* at most */
	uint32_t late_percent;
	uint32_t late_ms; /* of what is late, at most */
	uint32_t lost_percent;
	uint32_t repeated_percent;
};

/* Who has to do with it. A process is a participant's, by its number. */
struct transport_user {
	void *context;
	void (*orchestrator_woken)(void *context, struct bus *bus);
	void (*process_woken)(void *context, uint32_t process);

	/* What became of a client's start or signal. */
	void (*result)(void *context, uint32_t request, const struct result_message *result);

	/* A saga that a client watches has ended, or needs a person. */
	void (*ended)(void *context, struct slice saga_id, struct slice status);
};

struct transport_setup {
	struct transport_user user;
	struct weather weather;
	struct agenda *agenda;
	struct clock_sim *clock;
	struct random *random;
	struct chance *chance;
	struct diary *diary;
	const struct hub_limits *limits; /* the hub's */
	uint32_t window;                 /* of a participant's process */
	uint32_t line_bytes;             /* that are under way on a line, at most */
	uint32_t queue;                  /* commands that wait for a participant, at most */
	uint32_t n_shards;               /* by which messages come at first; 0: they do not */
};

struct transport {
	const struct transport_ops *ops;
	struct transport_setup setup;
};

struct transport_ops {
	/* The orchestrator's end, when its process begins. To close it is to die.
	 * Whoever opens one takes over: what comes goes there. */
	struct bus *(*open_bus)(struct transport *transport);

	/* Where messages come by shard: these are this end's from now on. What the one
	 * who had them before has not acknowledged comes once more; what comes late may
	 * come to that one, too. NULL: they do not. */
	void (*assign)(struct transport *transport, struct bus *bus,
		       const struct shards *given);

	/* The end of a participant's process; likewise. */
	struct port *(*open_port)(struct transport *transport, const char *participant,
				  uint32_t process);

	/* A client asks. False: it could not, as nobody listens. */
	bool (*start)(struct transport *transport, uint32_t request,
		      const struct start_message *start);
	bool (*signal)(struct transport *transport, uint32_t request,
		       const struct signal_message *signal);

	/* Something breaks that breaks in such a world: a line, for instance. */
	void (*cut)(struct transport *transport);

	/* Somebody comes who is no participant and has no manners. */
	void (*vandalize)(struct transport *transport, struct slice saga_id);

	void (*free)(struct transport *transport);
};

struct transport *transport_hub_new(const struct transport_setup *setup);
struct transport *transport_post_new(const struct transport_setup *setup);

/* How long something is on its way now. */
int64_t transport_delay_ms(const struct transport *transport);

#endif

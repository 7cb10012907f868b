/* talk.h - how a participant's process talks to the orchestrator: as the library wants it,
 * and now and then as no library should.
 *
 * A port around the real one. The judge hears every reply. The port is busy at times, so
 * that the command comes again; and what was answered is answered twice, hours later once
 * more, or followed by nonsense: of sagas, steps, elements, rounds and attempts that do
 * not exist, or with an output that nobody can read. */
#ifndef SKALD_TESTS_SIM_TALK_H
#define SKALD_TESTS_SIM_TALK_H

#include "bus/bus.h"
#include "tests/sim/world.h"

struct polled_command;
struct echo;

struct talk {
	struct port base; /* first, so that the two pointers are one */
	struct port *real;
	struct world *world;
	const char *name;
	struct polled_command *polled; /* and not answered */
	bool may_again;                /* poll() has returned false since */
	uint32_t life;                 /* how often it was opened */
	struct echo *echoes;           /* of all lives */
};

/* The name is borrowed. */
struct port *talk_open(struct talk *talk, struct world *world, struct port *real,
		       const char *name);

/* Its process ends; the real port is closed, too. */
void talk_close(struct talk *talk);

/* Nothing happens any more. */
void talk_release(struct talk *talk);

#endif

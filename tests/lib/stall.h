/* stall.h - a participant between a bus in memory and a host's database.
 *
 * Commands are written as lines: "do a", "undo a", "revoke a", and with another
 * attempt "do a#2". Their handlers are registered as "do" and "undo", or any other undo
 * that begins with neither "d" nor "r".
 */
#ifndef SKALD_TESTS_LIB_STALL_H
#define SKALD_TESTS_LIB_STALL_H

#include "bus/bus_memory.h"
#include "participants/lib/participant.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/host.h"

struct stall {
	struct post *post;
	struct bus *bus;
	struct port *port;
	struct clock_sim clock;
	struct host *host;
	struct barrier *barrier;
	skald_participant *participant;
	char replies[4096];
};

/* Records are kept for HORIZON_MS. `marks`: the host has savepoints. */
enum { STALL_NOW_MS = 100000000, STALL_HORIZON_MS = 1000 };
void stall_open(struct stall *stall, bool marks);
void stall_close(struct stall *stall);

/* The process ends and another one starts: handlers have to be registered again. */
void stall_restart(struct stall *stall);

void stall_on(struct stall *stall, const char *command, skald_handler *handler, void *context);

void stall_send(struct stall *stall, const char *line);

/* Let the participant work, and see what it has answered since the last time:
 * "do a#1 ok [1], undo b#2 failed busy". Valid until the next call. */
const char *stall_poll(struct stall *stall);

#endif

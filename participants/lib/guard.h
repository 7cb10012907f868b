/* guard.h - which command a process died of.
 *
 * A small file, mapped into memory, holds the id of the command whose handler is
 * running. Noting one costs no system call, and what is noted outlives the process,
 * however it ends. The next process finds it there and counts. Only the crash of
 * the whole machine may lose a note: a handler does not cause that.
 *
 * A command that a process has died of is suspicious until it has run through. One
 * that three processes have died of is convicted.
 */
#ifndef SKALD_PARTICIPANTS_GUARD_H
#define SKALD_PARTICIPANTS_GUARD_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum {
	GUARD_DEATHS_MAX = 3,    /* then it is convicted */
	GUARD_SUSPECTS_MAX = 64, /* the one with the fewest deaths makes room */
	GUARD_PROCESSES_MAX = 16,
};

struct guard;

/* Take over the file, or make it; where a process that lives has it, FILE.2, up to
 * FILE.16. *fatal is the id of the command that the last process died of, borrowed,
 * or empty. */
CHECKED enum err guard_open(const char *path, struct guard **out, struct slice *fatal,
			    struct diag *diag);

/* Around the run of a handler. */
void guard_enter(struct guard *guard, struct slice id);
void guard_leave(struct guard *guard);

/* How many processes have died of it; 0: it is not suspicious. */
uint32_t guard_deaths(const struct guard *guard, struct slice id);

/* It has run through. */
void guard_clear(struct guard *guard, struct slice id);

/* The process lives on, or at least does not die of a command. NULL is fine. */
void guard_close(struct guard *guard);

#endif

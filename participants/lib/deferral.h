/* deferral.h - commands whose answer comes later, and those that wait for it.
 *
 * While a command is deferred it does not run again, and its undo or revoke cannot
 * be decided: such commands are held, and handed back behind the answer.
 */
#ifndef SKALD_PARTICIPANTS_DEFERRAL_H
#define SKALD_PARTICIPANTS_DEFERRAL_H

#include "participants/lib/later.h"

enum { DEFERRAL_BUCKETS = 256 };

/* Something to be answered: a command, or the answer to one that was deferred. */
struct job {
	struct command_message command; /* of the port, until its reply */
	skald_deferred *answered;       /* owned; NULL: run the command */
};

struct deferrals {
	struct deferral *buckets[DEFERRAL_BUCKETS];
	size_t n;
	struct waiting *first, **end; /* jobs that are ready again, in order */
	struct waiting **answers_end; /* of those answered since one was taken, in front */
};

void deferrals_init(struct deferrals *deferrals);
void deferrals_release(struct deferrals *deferrals);

/* The command was deferred. False: out of memory, and nothing has changed. */
bool deferrals_add(struct deferrals *deferrals, const struct command_message *command,
		   skald_deferred *deferred);

/* Whether the command has to wait, because it or what it is about is deferred. If
 * so it is held, unless it is there already. ERR_NOMEM: it has to, and cannot. */
CHECKED enum err deferrals_hold(struct deferrals *deferrals,
				const struct command_message *command, bool *held);

/* An answer came: it and what waited for it are ready, before what was ready already: a
 * later attempt may be among that, and must not run while its answer is there. Takes it;
 * an answer that nobody waits for is thrown away. */
void deferrals_answered(struct deferrals *deferrals, skald_deferred *answered);

/* The next job that is ready; false: none. */
bool deferrals_take(struct deferrals *deferrals, struct job *out);

#endif

/* engine.h - what happens to events: the loop around the core.
 *
 * One turn takes a batch of replies and of timers that ran out, decides each
 * saga in memory, stores all changed sagas in one commit, then hands the
 * commands over, and only then acknowledges. The order is the guarantee:
 * nothing is sent that is not stored, nothing is acknowledged that is not
 * sent. What a crash loses between two of these comes back by itself: the bus
 * repeats the replies, and loading a saga sends again what it waits for.
 *
 * The engine has no thread and asks nobody for the time but its clock, so that
 * a simulator can run it.
 */
#ifndef SKALD_ENGINE_ENGINE_H
#define SKALD_ENGINE_ENGINE_H

#include "base/clock.h"
#include "bus/bus.h"
#include "orchestrator/store/store.h"

/* Replies that one turn takes at most. */
enum { ENGINE_BATCH_MAX = 1000 };

struct engine;

/* What it works with; it borrows everything. */
struct engine_parts {
	const struct definition *const *definitions;
	size_t n_definitions;
	struct store *store;
	struct bus *bus;
	const struct clock *clock;
};

/* Load the unfinished sagas. OK: *out runs. ERR_CORRUPT: a record cannot be
 * read; ERR_NOT_FOUND: it needs a definition that is not among the parts; the
 * diag names it. */
CHECKED enum err engine_open(const struct engine_parts *parts, struct engine **out,
			     struct diag *diag);
void engine_close(struct engine *engine); /* NULL is fine */

/* Begin a saga. OK: it is stored and will not be lost. ERR_NOT_FOUND: no such
 * definition; ERR_INVALID: the input or id is not right; ERR_CONFLICT: the id
 * is taken. Any other error: it was not stored, or nobody knows; to try again
 * with the same id tells. The texts are copied. */
CHECKED enum err engine_start(struct engine *engine, struct slice saga, struct slice id,
			      struct slice input, struct diag *diag);

/* An operation or a signal, now; a step is named by `step`. The texts are
 * copied, and a payload is checked to be JSON. OK: what it changed is stored.
 * ERR_NOT_FOUND: no such unfinished saga or step; ERR_CONFLICT: refused in this
 * state, and the diag says why; ERR_INVALID, ERR_TOO_LARGE: the payload. */
CHECKED enum err engine_operate(struct engine *engine, struct slice id, struct slice step,
				const struct event *operation, struct diag *diag);

/* One turn; *n is how many events it took. An error of the store leaves the
 * batch as it is: the next turn tries to store it again, and takes nothing new
 * until it is stored. */
CHECKED enum err engine_turn(struct engine *engine, size_t *n);

/* When the next timer runs out; INT64_MAX: none. */
int64_t engine_wake_ms(const struct engine *engine);

/* Sagas that have not ended. */
size_t engine_live(const struct engine *engine);

#endif

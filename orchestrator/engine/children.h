/* children.h - sagas that other sagas start; private to the engine.
 *
 * To its parent a child is a participant of the engine's own. The parent's commands
 * to it are carried out in the turn after they are stored: do begins the child, undo
 * and revoke turn it back. Its end, once that is stored, is the reply.
 *
 * Nothing of this is written down beside the two sagas. A child's id follows from
 * the command that starts it, and a parent that waits for a child asks for its state
 * by that id: when the command is new, when the child has ended, and when the parent
 * was loaded. So whatever a crash loses is asked for again, and what has been done
 * is found done.
 */
#ifndef SKALD_ENGINE_CHILDREN_H
#define SKALD_ENGINE_CHILDREN_H

#include "orchestrator/engine/live.h"

struct engine;

/* Parents that want to know of their children. */
struct asking {
	struct asked *list;
	size_t n, capacity;
};

/* Room for so many more. False: out of memory. */
bool asking_reserve(struct asking *asking, size_t n);
void asking_release(struct asking *asking);

/* The parent waits for children that it has not asked for yet. False: out of memory. */
bool ask_children(struct engine *engine, const struct live *parent);

/* This child of its has ended, or could not begin. There must be room for it. */
void tell_parent(struct engine *engine, struct slice parent, struct slice child);

/* Carry out what was asked, as far as the batch has room. ERR_NOMEM, and what the
 * store says: the rest is asked in a later turn. */
CHECKED enum err take_children(struct engine *engine, size_t *n);

#endif

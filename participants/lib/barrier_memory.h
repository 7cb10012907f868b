/* barrier_memory.h - a barrier that forgets when the process ends.
 *
 * For tests, and for services whose own data are gone then, too. `rollback`
 * undoes the record; what a handler changed elsewhere is the handler's own. */
#ifndef SKALD_PARTICIPANTS_BARRIER_MEMORY_H
#define SKALD_PARTICIPANTS_BARRIER_MEMORY_H

#include "participants/lib/barrier.h"

struct barrier *barrier_memory_new(void); /* NULL: out of memory */

#endif

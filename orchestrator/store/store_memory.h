/* store_memory.h - sagas in memory, for tests and trying out.
 *
 * The vault is what a disk would be: it outlives the store that is opened on
 * it, so that a test can let an orchestrator die and start another. A batch that
 * finds no memory leaves nothing behind. Listing sorts all sagas that are there. */
#ifndef SKALD_STORE_STORE_MEMORY_H
#define SKALD_STORE_STORE_MEMORY_H

#include "orchestrator/store/store.h"

struct vault;

struct vault *vault_new(void); /* NULL: out of memory */
void vault_free(struct vault *vault);

struct store *store_memory_open(struct vault *vault); /* NULL: out of memory */

/* One of several that are open at once: nothing is its own before it takes it. */
struct store *store_memory_share(struct vault *vault, const char *url);

#endif

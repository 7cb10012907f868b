/* dead.h - the dead letters of store_mongo.c. Private to the store. */
#ifndef SKALD_STORE_MONGO_DEAD_H
#define SKALD_STORE_MONGO_DEAD_H

#include "orchestrator/store/mongo/inside.h"

/* See orchestrator/store/store.h. */
CHECKED enum err mongo_put_dead(struct store *store, const struct dead_letter *letters,
				size_t n, size_t *n_dropped);
CHECKED enum err mongo_list_dead(struct store *store, struct slice after, size_t limit,
				 enum err (*visit)(void *context,
						   const struct dead_letter *letter),
				 void *context);
CHECKED enum err mongo_get_dead(struct store *store, struct slice id, struct arena *arena,
				struct dead_letter *out);
CHECKED enum err mongo_remove_dead(struct store *store, struct slice id);

#endif

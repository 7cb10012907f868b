/* catalog.h - the definitions that an engine knows, by name, version and hash. */
#ifndef SKALD_ENGINE_CATALOG_H
#define SKALD_ENGINE_CATALOG_H

#include "orchestrator/core/definition.h"

struct catalog {
	struct definition **definitions; /* in the order in which they were deployed */
	size_t n;
};

/* Takes *definition (sets it to NULL), whether or not it succeeds. OK also where
 * the same content is there. ERR_CONFLICT: this name and version are there with
 * another content. */
CHECKED enum err catalog_add(struct catalog *catalog, struct definition **definition,
			     struct diag *diag);

/* Whether it goes with its child sagas, and with those whose child it is: see
 * core/family.h. */
CHECKED enum err catalog_family(const struct catalog *catalog,
				const struct definition *definition, struct diag *diag);

/* ERR_CONFLICT, with the sentence for it. */
CHECKED enum err catalog_conflict(const struct definition *definition, struct diag *diag);

/* It counts as the one that was deployed last; false: it is not there. */
bool catalog_renew(struct catalog *catalog, const uint8_t hash[SHA256_SIZE]);

void catalog_release(struct catalog *catalog);

/* NULL: none. An empty version: the one that was deployed last. */
const struct definition *catalog_find(const struct catalog *catalog, struct slice name,
				      struct slice version);
const struct definition *catalog_find_hash(const struct catalog *catalog,
					   const uint8_t hash[SHA256_SIZE]);

#endif

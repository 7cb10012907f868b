#include "orchestrator/engine/catalog.h"

#include "orchestrator/core/family.h"

#include <stdlib.h>

const struct definition *catalog_find_hash(const struct catalog *catalog,
					   const uint8_t hash[SHA256_SIZE])
{
	for (size_t i = catalog->n; i-- > 0;)
		if (!memcmp(catalog->definitions[i]->hash, hash, SHA256_SIZE))
			return catalog->definitions[i];
	return NULL;
}

const struct definition *catalog_find(const struct catalog *catalog, struct slice name,
				      struct slice version)
{
	return family_find((const struct definition *const *)catalog->definitions, catalog->n,
			   name, version);
}

enum err catalog_conflict(const struct definition *definition, struct diag *diag)
{
	return diag_set(diag, ERR_CONFLICT,
			"version %.*s of the saga %.*s is deployed with another content; a "
			"version never changes: give the new one a new number",
			SLICE_ARG(definition->version), SLICE_ARG(definition->name));
}

enum err catalog_family(const struct catalog *catalog, const struct definition *definition,
			struct diag *diag)
{
	struct arena arena = {0};
	enum err err;

	if (catalog_find_hash(catalog, definition->hash))
		return OK;
	err = family_check((const struct definition *const *)catalog->definitions, catalog->n,
			   definition, &arena, NULL, diag);
	arena_release(&arena);
	return err;
}

static enum err add(struct catalog *catalog, struct definition *definition, struct diag *diag)
{
	struct definition **grown;

	if (catalog_find(catalog, definition->name, definition->version))
		return catalog_conflict(definition, diag);
	grown = realloc(catalog->definitions, (catalog->n + 1) * sizeof(struct definition *));
	if (!grown)
		return ERR_NOMEM;
	catalog->definitions = grown;
	grown[catalog->n++] = definition;
	return OK;
}

enum err catalog_add(struct catalog *catalog, struct definition **definition, struct diag *diag)
{
	struct definition *taken = *definition;
	enum err err;

	*definition = NULL;
	if (catalog_find_hash(catalog, taken->hash)) {
		definition_free(taken);
		return OK;
	}
	err = add(catalog, taken, diag);
	if (err)
		definition_free(taken);
	return err;
}

bool catalog_renew(struct catalog *catalog, const uint8_t hash[SHA256_SIZE])
{
	size_t i = 0;
	struct definition *found;

	while (i < catalog->n && memcmp(catalog->definitions[i]->hash, hash, SHA256_SIZE) != 0)
		i++;
	if (i == catalog->n)
		return false;
	found = catalog->definitions[i];
	memmove(&catalog->definitions[i], &catalog->definitions[i + 1],
		(catalog->n - i - 1) * sizeof(struct definition *));
	catalog->definitions[catalog->n - 1] = found;
	return true;
}

void catalog_release(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->n; i++)
		definition_free(catalog->definitions[i]);
	free(catalog->definitions);
}

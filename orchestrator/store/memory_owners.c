#include "orchestrator/store/memory_owners.h"

#include <stdio.h>
#include <stdlib.h>

size_t memory_owners_join(struct memory_owners *owners, const char *url)
{
	size_t n = owners->n_members + 1;
	struct store_batch *batches = realloc(owners->batches, n * sizeof *batches);
	char(*urls)[MEMORY_URL_MAX + 1];

	if (batches)
		owners->batches = batches;
	urls = batches ? realloc(owners->urls, n * sizeof *urls) : NULL;
	if (!urls)
		return 0;
	owners->urls = urls;
	batches[owners->n_members] = (struct store_batch){0, 0};
	snprintf(urls[owners->n_members], sizeof *urls, "%s", url);
	return owners->n_members++;
}

bool memory_owners_init(struct memory_owners *owners)
{
	*owners = (struct memory_owners){.n = 0};
	memory_owners_join(owners, "");
	return owners->n_members == 1;
}

void memory_owners_release(struct memory_owners *owners)
{
	free(owners->batches);
	free(owners->urls);
	free(owners->of);
}

void memory_owners_leave(struct memory_owners *owners, size_t member)
{
	owners->urls[member][0] = '\0';
}

/* With another number of shards nothing is whose it was. */
static bool divide(struct memory_owners *owners, uint32_t n)
{
	size_t *of = owners->n == n ? owners->of : calloc(n, sizeof *of);

	if (!of)
		return false;
	if (of != owners->of)
		free(owners->of);
	owners->of = of;
	owners->n = n;
	return true;
}

enum err memory_owners_take(struct memory_owners *owners, size_t member,
			    const struct shards *wanted, struct shards *ours)
{
	if (!divide(owners, wanted->n))
		return ERR_NOMEM;
	*ours = *wanted;
	for (uint32_t i = shards_next(wanted, 0); i < wanted->n; i = shards_next(wanted, i + 1))
		owners->of[i] = member;
	return OK;
}

void memory_owners_check(const struct memory_owners *owners, size_t member, struct shards *ours)
{
	for (uint32_t i = shards_next(ours, 0); i < ours->n; i = shards_next(ours, i + 1))
		if (owners->n != ours->n || owners->of[i] != member)
			shards_remove(ours, i);
}

enum err memory_owners_visit(const struct memory_owners *owners,
			     enum err (*visit)(void *context, uint32_t shard, struct slice url),
			     void *context)
{
	enum err err = OK;

	for (uint32_t i = 0; !err && i < owners->n; i++)
		if (owners->urls[owners->of[i]][0])
			err = visit(context, i, slice_of(owners->urls[owners->of[i]]));
	return err;
}

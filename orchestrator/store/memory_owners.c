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
	free(owners->since_ms);
}

void memory_owners_leave(struct memory_owners *owners, size_t member)
{
	owners->urls[member][0] = '\0';
}

/* With another number of shards nothing is whose it was. */
static bool divide(struct memory_owners *owners, uint32_t n)
{
	size_t *of;
	int64_t *since_ms;

	if (owners->n == n)
		return true;
	of = calloc(n, sizeof *of);
	since_ms = calloc(n, sizeof *since_ms);
	if (!of || !since_ms) {
		free(of);
		free(since_ms);
		return false;
	}
	free(owners->of);
	free(owners->since_ms);
	owners->of = of;
	owners->since_ms = since_ms;
	owners->n = n;
	return true;
}

enum err memory_owners_take(struct memory_owners *owners, size_t member,
			    const struct shards *wanted, int64_t now_ms, struct shards *ours)
{
	if (!divide(owners, wanted->n))
		return ERR_NOMEM;
	for (uint32_t i = shards_next(wanted, 0); i < wanted->n;
	     i = shards_next(wanted, i + 1)) {
		if (owners->of[i] != member || !shards_has(ours, i))
			owners->since_ms[i] = now_ms;
		owners->of[i] = member;
	}
	*ours = *wanted;
	return OK;
}

void memory_owners_check(const struct memory_owners *owners, size_t member, struct shards *ours)
{
	for (uint32_t i = shards_next(ours, 0); i < ours->n; i = shards_next(ours, i + 1))
		if (owners->n != ours->n || owners->of[i] != member)
			shards_remove(ours, i);
}

enum err memory_owners_visit(const struct memory_owners *owners,
			     enum err (*visit)(void *context, const struct shard_owner *owner),
			     void *context)
{
	enum err err = OK;

	for (uint32_t i = 0; !err && i < owners->n; i++) {
		const struct shard_owner owner = {i, slice_of(owners->urls[owners->of[i]]),
						  owners->since_ms[i]};

		if (owner.url.len)
			err = visit(context, &owner);
	}
	return err;
}

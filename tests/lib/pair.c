#include "tests/lib/pair.h"

#include <stdio.h>

static struct pair_peers *pair_peers_of(struct peers *base)
{
	return (struct pair_peers *)base;
}

static void set_whose(const struct pair_peers *peers, unsigned owner, struct whose *out)
{
	*out = (struct whose){.owned = owner == peers->self   ? OWNED_HERE
				       : owner == PAIR_NOBODY ? OWNED_BY_NOBODY
							      : OWNED_ELSEWHERE};
	if (out->owned == OWNED_ELSEWHERE)
		snprintf(out->url, sizeof out->url, "%s", peers->pair->urls[owner]);
}

static unsigned count_shards(const struct pair_peers *peers, unsigned owner)
{
	unsigned n = 0;

	for (size_t i = 0; i < PAIR_LETTERS; i++)
		n += peers->believed[i] == owner;
	return n;
}

static void pair_find(struct peers *base, struct slice saga_id, struct whose *out)
{
	const struct pair_peers *peers = pair_peers_of(base);
	unsigned owner = PAIR_NOBODY;

	if (saga_id.len && saga_id.at[0] >= 'a' && saga_id.at[0] <= 'z')
		owner = peers->believed[saga_id.at[0] - 'a'];
	else if (!saga_id.len && count_shards(peers, peers->self))
		owner = peers->self;
	else if (!saga_id.len && count_shards(peers, !peers->self))
		owner = !peers->self;
	set_whose(peers, owner, out);
}

static void pair_each(struct peers *base,
		      void (*visit)(void *context, const struct orchestrator *orchestrator),
		      void *context)
{
	const struct pair_peers *peers = pair_peers_of(base);

	for (unsigned i = 0; i < 2; i++) {
		const struct orchestrator one = {slice_of(peers->pair->urls[i]),
						 i == peers->self, count_shards(peers, i),
						 LOBBY_NOW_MS};

		if (one.shards)
			visit(context, &one);
	}
}

static void pair_refresh(struct peers *base)
{
	struct pair_peers *peers = pair_peers_of(base);

	memcpy(peers->believed, peers->pair->owners, sizeof peers->believed);
	peers->refreshed++;
}

void pair_open(struct pair *pair)
{
	static const struct peers_ops ops = {pair_find, pair_each, pair_refresh};

	*pair = (struct pair){0};
	memset(pair->owners, PAIR_NOBODY, sizeof pair->owners);
	pair->owners[0] = 0;
	pair->owners[1] = 1;
	for (unsigned i = 0; i < 2; i++) {
		pair->peers[i] = (struct pair_peers){.base = {&ops}, .pair = pair, .self = i};
		memcpy(pair->peers[i].believed, pair->owners, sizeof pair->owners);
		lobby_open_beside(&pair->lobbies[i], i ? pair->lobbies[0].vault : NULL,
				  &pair->peers[i].base);
		snprintf(pair->urls[i], sizeof pair->urls[i], "%s", pair->lobbies[i].url);
	}
	pair->lobbies[0].beside = &pair->lobbies[1];
	pair->lobbies[1].beside = &pair->lobbies[0];
}

void pair_close(struct pair *pair)
{
	lobby_close(&pair->lobbies[1]);
	lobby_close(&pair->lobbies[0]);
}

void pair_give(struct pair *pair, char letter, unsigned owner, bool told)
{
	pair->owners[letter - 'a'] = (unsigned char)owner;
	for (unsigned i = 0; told && i < 2; i++)
		pair->peers[i].believed[letter - 'a'] = (unsigned char)owner;
}

void pair_advance(struct pair *pair, int64_t ms)
{
	clock_sim_advance(&pair->lobbies[1].clock, ms);
	lobby_advance(&pair->lobbies[0], ms);
}

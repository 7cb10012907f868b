/* test_gateway_peers.c - the peers that an engine's store knows of, as a gateway is told of
 * them: up to bounds, and not with every request */
#include "orchestrator/gateway/peers_engine.h"
#include "tests/lib/asked.h"
#include "tests/lib/suite.h"

#include <stdio.h>

enum { MANY = 150, TOLD = 100 };

static struct peers_engine peers;

static void enter(void)
{
	sites_enter(NULL);
	site_own(0, "0", SITE_SHARDS);
	site_own(1, "12", SITE_SHARDS);
	peers_engine_init(&peers, sites.all[0].engine, sites.all[0].store, &sites.clock.base);
	ask_all(0);
}

static void pass(int64_t ms)
{
	clock_sim_advance(&sites.clock, ms);
}

static void check_whose(const char *id, enum owned owned, const char *url)
{
	struct whose whose;

	peers_find(&peers.base, slice_of(id), &whose);
	ck_assert_int_eq(whose.owned, owned);
	ck_assert_str_eq(whose.url, url);
}

START_TEST(test_owners_are_read_at_most_ten_times_a_second)
{
	enter();
	check_whose(sites_id(0, 1), OWNED_HERE, "");
	check_whose(sites_id(1, 1), OWNED_BY_NOBODY, ""); /* as it was read last */
	peers_refresh(&peers.base);
	check_whose(sites_id(1, 1), OWNED_ELSEWHERE, "http://host:1");
	check_whose(sites_id(3, 1), OWNED_BY_NOBODY, "");
	check_asked(ASK_OWNERS, 1);
	for (int n = 0; n < 3; n++)
		peers_refresh(&peers.base);
	check_asked(ASK_OWNERS, 1);
	pass(99);
	peers_refresh(&peers.base);
	check_asked(ASK_OWNERS, 1);
	pass(1);
	asked.fails[ASK_OWNERS] = true;
	peers_refresh(&peers.base);
	peers_refresh(&peers.base);
	check_asked(ASK_OWNERS, 2);
	check_whose(sites_id(1, 1), OWNED_ELSEWHERE, "http://host:1");
	sites_leave();
}
END_TEST

/* Each has two shards, which are not neighbours. */
static enum err many_owners(struct store *store,
			    enum err (*visit)(void *context, const struct shard_owner *owner),
			    void *context)
{
	char url[PEER_URL_MAX + 2];
	enum err err = OK;

	for (uint32_t i = 0; !err && i < 2 * MANY; i++) {
		struct shard_owner owner = {.shard = i, .since_ms = i};

		snprintf(url, sizeof url, "http://host:%u", (unsigned)(i % MANY));
		owner.url = slice_of(url);
		err = visit(context, &owner);
	}
	return err;
}

struct seen {
	unsigned n, here, shards;
};

static void note(void *context, const struct orchestrator *orchestrator)
{
	struct seen *seen = context;
	char url[32];

	snprintf(url, sizeof url, "http://host:%u", seen->n++);
	ck_assert(slice_is(orchestrator->url, url));
	seen->here += orchestrator->here;
	seen->shards += orchestrator->shards;
}

START_TEST(test_so_many_are_told_of)
{
	struct seen seen = {0};

	enter();
	peers_each(&peers.base, note, &seen);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_uint_eq(seen.here, 1);
	ck_assert_uint_eq(seen.shards, 3);
	seen = (struct seen){0};
	sites.all[0].store_ops.owners = many_owners;
	peers_each(&peers.base, note, &seen);
	ck_assert_uint_eq(seen.n, TOLD);
	ck_assert_uint_eq(seen.here, 1);
	ck_assert_uint_eq(seen.shards, 2 * TOLD);
	sites_leave();
}
END_TEST

static char long_url[PEER_URL_MAX + 2];

static enum err one_owner(struct store *store,
			  enum err (*visit)(void *context, const struct shard_owner *owner),
			  void *context)
{
	return visit(context, &(struct shard_owner){.shard = 3, .url = slice_of(long_url)});
}

START_TEST(test_a_url_has_a_bound)
{
	enter();
	memset(long_url, 'u', PEER_URL_MAX);
	sites.all[0].store_ops.owners = one_owner;
	peers_refresh(&peers.base);
	check_whose(sites_id(3, 1), OWNED_ELSEWHERE, long_url);
	long_url[PEER_URL_MAX] = 'u';
	pass(100);
	peers_refresh(&peers.base);
	check_whose(sites_id(3, 1), OWNED_BY_NOBODY, "");
	sites_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_owners_are_read_at_most_ten_times_a_second);
	tcase_add_test(tcase, test_so_many_are_told_of);
	tcase_add_test(tcase, test_a_url_has_a_bound);
}

int main(void)
{
	return suite_run("gateway_peers", add);
}

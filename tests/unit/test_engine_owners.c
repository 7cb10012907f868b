/* test_engine_owners.c - what an engine knows of others with which it shares a store: who has
 * which shard, and what they deployed */
#include "orchestrator/engine/owners.h"
#include "tests/lib/asked.h"
#include "tests/lib/desk.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

/* --- owners ---------------------------------------------------------------------------------
 */

static void check_owner(int i, const char *id, enum owner owner, const char *url)
{
	struct slice is;

	ck_assert_int_eq(engine_owner(sites.all[i].engine, slice_of(id), &is), owner);
	ck_assert_msg(slice_is(is, url), "%.*s", SLICE_ARG(is));
}

START_TEST(test_owners)
{
	sites_enter(NULL);
	check_owner(0, "", OWNER_NOBODY, ""); /* nothing was taken, nor read */
	site_own(0, "03", SITE_SHARDS);
	check_owner(0, sites_id(2, 1), OWNER_NOBODY, "");
	site_own(1, "2", SITE_SHARDS);
	check_owner(0, sites_id(2, 1), OWNER_NOBODY, ""); /* it was not read since */
	check_owner(1, sites_id(0, 1), OWNER_OTHER, "http://host:0");
	check_owner(1, sites_id(1, 1), OWNER_NOBODY, "");
	check_owner(1, sites_id(2, 1), OWNER_OURS, "");
	check_owner(1, "", OWNER_OURS, "");
	ask_all(0);
	asked.fails[ASK_OWNERS] = true;
	ck_assert_int_eq(engine_read_owners(sites.all[0].engine), ERR_UNAVAILABLE);
	check_owner(0, sites_id(2, 1), OWNER_NOBODY, "");
	asked.fails[ASK_OWNERS] = false;
	ck_assert_int_eq(engine_read_owners(sites.all[0].engine), OK);
	check_owner(0, sites_id(2, 1), OWNER_OTHER, "http://host:1");
	asked.fails[ASK_OWNERS] = true;
	ck_assert_int_eq(engine_read_owners(sites.all[0].engine), ERR_UNAVAILABLE);
	check_owner(0, sites_id(2, 1), OWNER_OTHER, "http://host:1");
	/* What goes is nobody's until that is read again: not one's own, of course. And who
	 * has none has somebody else begin what is new. */
	ck_assert_int_eq(site_claim(0, "", SITE_SHARDS), OK);
	check_owner(0, sites_id(3, 1), OWNER_NOBODY, "");
	check_owner(0, "", OWNER_OTHER, "http://host:1");
	sites_leave();
}
END_TEST

/* More shards than there may be, and neighbours with different owners. */
static enum err many_owners(struct store *store,
			    enum err (*visit)(void *context, const struct shard_owner *owner),
			    void *context)
{
	static const struct shard_owner all[] = {
		{0, SLICE_LITERAL("http://a"), 1},
		{1, SLICE_LITERAL("http://a"), 1},
		{2, SLICE_LITERAL("http://b"), 1},
		{3, SLICE_LITERAL("http://a"), 1},
		{SHARDS_MAX - 1, SLICE_LITERAL("http://c"), 1},
		{SHARDS_MAX, SLICE_LITERAL("http://d"), 1},
	};
	enum err err = OK;

	for (int i = 0; !err && i < ROWS(all); i++)
		err = visit(context, &all[i]);
	return err;
}

START_TEST(test_the_first_shard_is_one_like_the_others)
{
	sites_enter(NULL);
	site_own(0, "0", SITE_SHARDS);
	check_owner(0, "", OWNER_OURS, "");
	ck_assert_int_eq(site_claim(1, "", SITE_SHARDS), OK);
	ck_assert_int_eq(engine_read_owners(sites.all[1].engine), OK);
	check_owner(1, "", OWNER_OTHER, "http://host:0");
	site_own(0, "012", SITE_SHARDS);
	ck_assert_int_eq(site_claim(0, "", SITE_SHARDS), OK);
	for (uint32_t shard = 0; shard < SITE_SHARDS; shard++)
		check_owner(0, sites_id(shard, 1), OWNER_NOBODY, "");
	sites_leave();
}
END_TEST

START_TEST(test_every_shard_has_its_own_owner)
{
	sites_enter(NULL);
	sites.all[1].store_ops.owners = many_owners;
	ck_assert_int_eq(site_claim(1, "", SITE_SHARDS), OK);
	ck_assert_int_eq(engine_read_owners(sites.all[1].engine), OK);
	check_owner(1, sites_id(0, 1), OWNER_OTHER, "http://a");
	check_owner(1, sites_id(1, 1), OWNER_OTHER, "http://a");
	check_owner(1, sites_id(2, 1), OWNER_OTHER, "http://b");
	check_owner(1, sites_id(3, 1), OWNER_OTHER, "http://a");
	sites_leave();
}
END_TEST

START_TEST(test_no_memory_to_read_owners)
{
	bool fired = true;

	sites_enter(NULL);
	site_own(0, "0", SITE_SHARDS);
	site_own(1, "1", SITE_SHARDS);
	for (size_t n = 0; fired; n++) {
		enum err err;

		fail_malloc_at(n);
		err = engine_read_owners(sites.all[1].engine);
		fired = fail_malloc_off();
		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
		check_owner(1, sites_id(0, 1), OWNER_OTHER, "http://host:0");
	}
	sites_leave();
}
END_TEST

/* --- definitions ----------------------------------------------------------------------------
 */

/* Starts ask at most once a second, and nothing is read where nothing was deployed. */
START_TEST(test_definitions_are_asked_for_once_a_second)
{
	static const char other[] =
		"saga: other\nversion: 1.0.0\nsteps:\n  - nap: { sleep: 1m }\n";
	struct engine *engine;

	sites_enter(NULL);
	engine = sites.all[1].engine;
	site_own(1, "1", SITE_SHARDS);
	ask_all(1);
	sites_advance(999);
	engine_learn(engine);
	check_asked(ASK_CHANGES, 0);
	sites_advance(1);
	engine_learn(engine);
	engine_learn(engine);
	check_asked(ASK_CHANGES, 1);
	check_asked(ASK_DEFINITIONS, 0);
	sites_advance(-1); /* the clock was wrong */
	engine_learn(engine);
	check_asked(ASK_CHANGES, 2);
	ck_assert_int_eq(desk_deploy_text(sites.all[0].engine, other), OK);
	sites_advance(1000);
	engine_learn(engine);
	check_asked(ASK_DEFINITIONS, 1);
	ck_assert_ptr_nonnull(
		engine_definition(engine, SLICE_LITERAL("other"), (struct slice){0}));
	sites_advance(1000);
	engine_learn(engine);
	check_asked(ASK_DEFINITIONS, 1);
	/* What cannot be asked now is asked by the next one. */
	asked.fails[ASK_CHANGES] = true;
	sites_advance(1000);
	engine_learn(engine);
	asked.fails[ASK_CHANGES] = false;
	engine_learn(engine);
	check_asked(ASK_CHANGES, 6);
	sites_leave();
}
END_TEST

/* A store that does not say whether there are new ones is read. */
static enum err no_changes(struct store *store, uint64_t *n)
{
	*n = 0;
	return OK;
}

START_TEST(test_definitions_of_a_store_that_does_not_count_are_read)
{
	sites_enter(NULL);
	site_own(1, "1", SITE_SHARDS);
	ask_all(1);
	sites.all[1].store_ops.definition_changes = no_changes;
	for (int n = 1; n < 3; n++) {
		sites_advance(1000);
		engine_learn(sites.all[1].engine);
		check_asked(ASK_DEFINITIONS, n);
	}
	sites_leave();
}
END_TEST

static void count_definition(void *context, const struct definition *definition)
{
	ck_assert(definition->name.len);
	++*(int *)context;
}

START_TEST(test_a_definition_that_cannot_be_read_is_left_out)
{
	const struct stored_definition newer = {.hash = {1},
						.name = SLICE_LITERAL("newer"),
						.version = SLICE_LITERAL("1.0.0"),
						.normal = SLICE_LITERAL("steps: none")};
	static const char other[] =
		"saga: other\nversion: 1.0.0\nsteps:\n  - nap: { sleep: 1m }\n";
	struct engine *engine;
	int n = 0;

	sites_enter(NULL);
	engine = sites.all[1].engine;
	site_own(1, "1", SITE_SHARDS);
	ck_assert_int_eq(store_put_definition(sites.all[0].store, &newer), OK);
	ck_assert_int_eq(desk_deploy_text(sites.all[0].engine, other), OK);
	sites_advance(1000);
	engine_learn(engine);
	ck_assert_ptr_null(
		engine_definition(engine, SLICE_LITERAL("newer"), (struct slice){0}));
	ck_assert_ptr_nonnull(
		engine_definition(engine, SLICE_LITERAL("other"), (struct slice){0}));
	ck_assert_ptr_nonnull(strstr(sites.all[1].logged,
				     "level=error event=definition-left-out saga=newer "
				     "version=1.0.0 why="));
	engine_each_definition(engine, count_definition, &n);
	ck_assert_int_eq(n, 4); /* those of the sites, and the other one */
	sites_leave();
}
END_TEST

/* --- one that has its store for itself ------------------------------------------------------
 */

START_TEST(test_who_shares_nothing_asks_nothing)
{
	struct store_ops ops;
	struct store *store;
	struct bus *bus;
	struct engine *engine;
	struct engine_parts parts;

	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	store = store_memory_open(sites.vault);
	bus = bus_memory_open(sites.posts[1]);
	parts = (struct engine_parts){.clock = &sites.clock.base, .store = store, .bus = bus};
	ask_all(1);
	ops = sites.all[1].store_ops;
	store->ops = &ops;
	ck_assert_int_eq(desk_open(&parts, &engine, NULL), OK);
	ck_assert_int_eq(desk_start(engine, "sleeps", "x", "{}", NULL), OK);
	sites_advance(60001);
	ck_assert_int_eq(desk_start(engine, "waits", "y", "{}", NULL), OK);
	ck_assert_int_eq(engine_wake_ms(engine), sites.clock.now_ms + 3600000);
	check_asked(ASK_CHECK, 0);
	check_asked(ASK_LOOK, 0);
	check_asked(ASK_TOLD, 0);
	check_asked(ASK_CHANGES, 1);
	check_asked(ASK_LOAD, 1);
	engine_close(engine);
	bus_close(bus);
	store_close(store);
	sites_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_owners);
	tcase_add_test(tcase, test_the_first_shard_is_one_like_the_others);
	tcase_add_test(tcase, test_every_shard_has_its_own_owner);
	tcase_add_test(tcase, test_no_memory_to_read_owners);
	tcase_add_test(tcase, test_definitions_are_asked_for_once_a_second);
	tcase_add_test(tcase, test_definitions_of_a_store_that_does_not_count_are_read);
	tcase_add_test(tcase, test_a_definition_that_cannot_be_read_is_left_out);
	tcase_add_test(tcase, test_who_shares_nothing_asks_nothing);
}

int main(void)
{
	return suite_run("engine_owners", add);
}

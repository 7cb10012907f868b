/* test_engine_reading.c - what an engine makes of the sagas that it loads when shards come, and
 * of those that it finds to be written too late: some it cannot read, some are of definitions
 * that it has never seen, some are as they were */
#include "tests/lib/asked.h"
#include "tests/lib/desk.h"
#include "tests/lib/suite.h"

static const char other[] = "saga: other\nversion: 1.0.0\nsteps:\n  - nap: { sleep: 1m }\n";

/* By whom it is found. */
enum { LOADS, LOOKS };
static const char *const ways[] = {"it is loaded", "it is looked for"};

/* A record that nobody can read, in front of all others. */
static void put_damage(struct store *store, const char *id)
{
	const struct store_batch batch = {.number = 1000};
	struct saga_write write = {.row = {.id = slice_of(id),
					   .key = slice_of(id),
					   .saga = SLICE_LITERAL("waits"),
					   .version = SLICE_LITERAL("1.0.0"),
					   .started_ms = 1,
					   .revision = 1},
				   .record = SLICE_LITERAL("damage")};

	ck_assert_int_eq(sites.real->commit(store, &batch, &write, 1, NULL, 0), OK);
	ck_assert_int_eq(write.result, OK);
}

START_TEST(test_what_cannot_be_read_is_left_out)
{
	const char *id = sites_id(1, 1);

	sites_enter(NULL);
	site_own(0, "1", SITE_SHARDS);
	ask_all(1);
	if (_i == LOOKS)
		site_own(1, "1", SITE_SHARDS);
	asked_late();
	put_damage(asked.late, sites_id(1, 2));
	ck_assert_int_eq(site_start(0, "waits", id), OK);
	if (_i == LOADS)
		site_own(1, "1", SITE_SHARDS);
	sites.all[1].store->stirred = _i == LOOKS;
	ck_assert_msg(site_turn(1) == OK, "%s", ways[_i]);
	ck_assert_msg(site_live(1) == 1, "%s: %zu", ways[_i], site_live(1));
	ck_assert_ptr_nonnull(strstr(sites.all[1].logged, "event=saga-left-out why="));
	site_run(1);
	ck_assert_int_eq(site_cancel(1, id), OK);
	asked_leave();
}
END_TEST

/* It was deployed after the shards were taken, in the same second. */
START_TEST(test_a_new_definition_is_known_when_its_saga_is_found)
{
	const char *id = sites_id(1, 1);

	sites_enter(NULL);
	site_own(0, "1", SITE_SHARDS);
	ask_all(1);
	ck_assert_int_eq(site_claim(1, "1", SITE_SHARDS), OK);
	asked.fails[ASK_LOAD] = _i == LOADS;
	ck_assert_int_eq(site_turn(1), _i == LOADS ? ERR_UNAVAILABLE : OK);
	asked_late();
	ck_assert_int_eq(desk_deploy_text(sites.all[0].engine, other), OK);
	ck_assert_int_eq(site_start(0, "other", id), OK);
	asked.fails[ASK_LOAD] = false;
	sites.all[1].store->stirred = _i == LOOKS;
	sites_advance(100);
	ck_assert_int_eq(site_turn(1), OK);
	ck_assert_msg(site_live(1) == 1, "%s: %zu", ways[_i], site_live(1));
	ck_assert_ptr_null(strstr(sites.all[1].logged, "saga-left-out"));
	asked_leave();
}
END_TEST

static enum err no_definitions(struct store *store,
			       enum err (*visit)(void *context,
						 const struct stored_definition *definition),
			       void *context)
{
	return OK;
}

/* The store is not asked for it while it passes sagas, but when one is read by itself. */
START_TEST(test_a_definition_that_nobody_has)
{
	const char *first = sites_id(1, 1), *second = sites_id(1, 2);
	struct site *site = &sites.all[1];

	sites_enter(NULL);
	site_own(0, "1", SITE_SHARDS);
	ask_all(1);
	if (_i == LOOKS)
		site_own(1, "1", SITE_SHARDS);
	asked_late();
	ck_assert_int_eq(desk_deploy_text(sites.all[0].engine, other), OK);
	ck_assert_int_eq(site_start(0, "other", first), OK);
	site->store_ops.definitions = no_definitions;
	if (_i == LOADS)
		site_own(1, "1", SITE_SHARDS);
	site->store->stirred = _i == LOOKS;
	ck_assert_int_eq(site_turn(1), OK);
	ck_assert_uint_eq(site_live(1), 0);
	ck_assert_ptr_nonnull(strstr(site->logged, "its definition is not in the store"));
	site->store_ops.definitions = sites.real->definitions;
	site->store_ops.definition_changes = sites.real->definition_changes;
	ck_assert_int_eq(desk_deploy_text(sites.all[0].engine,
					  "saga: third\nversion: 1.0.0\nsteps:\n"
					  "  - nap: { sleep: 1m }\n"),
			 OK);
	ck_assert_int_eq(site_start(0, "third", second), OK);
	ck_assert_int_eq(site_cancel(1, second), OK);
	asked_leave();
}
END_TEST

/* What is there as it was is not sent once more. */
START_TEST(test_what_did_not_change_is_left_alone)
{
	const char *id = sites_id(1, 1);

	sites_enter(NULL);
	site_own(0, "1", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "waits", id), OK);
	ask_all(1);
	site_own(1, "1", SITE_SHARDS);
	ck_assert_str_ne(site_commands(1, NULL), "");
	asked_late();
	sites.all[1].store->stirred = true;
	ck_assert_int_eq(site_turn(1), OK);
	check_asked(ASK_LOOK, 1);
	site_run(1);
	ck_assert_str_eq(site_commands(1, NULL), "");
	ck_assert_int_eq(site_cancel(1, id), OK);
	asked_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_what_cannot_be_read_is_left_out, 0, ROWS(ways));
	tcase_add_loop_test(tcase, test_a_new_definition_is_known_when_its_saga_is_found, 0,
			    ROWS(ways));
	tcase_add_loop_test(tcase, test_a_definition_that_nobody_has, 0, ROWS(ways));
	tcase_add_test(tcase, test_what_did_not_change_is_left_alone);
}

int main(void)
{
	return suite_run("engine_reading", add);
}

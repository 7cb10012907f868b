/* test_engine_takeover.c - shards that come and go where something goes wrong: the store
 * fails, memory is short, somebody else was faster. And when what is looked at. */
#include "tests/lib/asked.h"
#include "tests/lib/desk.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static int64_t wakes_in(int i)
{
	return engine_wake_ms(sites.all[i].engine) - sites.clock.now_ms;
}

/* What somebody who asks is told. */
struct said {
	int n;
	enum err err;
	char code[32];
};

static void hear(void *context, const struct answer *answer)
{
	struct said *said = context;

	said->n++;
	said->err = answer->err;
	snprintf(said->code, sizeof said->code, "%s", answer->code);
}

static void ask_start(int i, const char *id, struct said *said)
{
	const struct start_message start = {.saga = SLICE_LITERAL("waits"),
					    .id = slice_of(id),
					    .input = SLICE_LITERAL("{}")};

	*said = (struct said){0};
	engine_start(sites.all[i].engine, &start, hear, said);
}

static void check_said(const struct said *said, enum err err, const char *code)
{
	ck_assert_int_eq(said->n, 1);
	ck_assert_int_eq(said->err, err);
	ck_assert_str_eq(said->code, code);
}

/* --- the store fails --------------------------------------------------------------------- */

static const struct fail_row {
	const char *name;
	enum ask ask;
	enum err claimed, turned; /* while it fails */
	size_t live;              /* likewise */
} fail_rows[] = {
	{"whose the shards are cannot be asked", ASK_CHECK, ERR_UNAVAILABLE, ERR_UNAVAILABLE,
	 0},
	{"they cannot be taken", ASK_OWN, ERR_UNAVAILABLE, OK, 0},
	{"whether there are new definitions is not said", ASK_CHANGES, ERR_UNAVAILABLE, OK, 0},
	{"new definitions cannot be read", ASK_DEFINITIONS, ERR_UNAVAILABLE, OK, 0},
	{"their sagas cannot be loaded", ASK_LOAD, OK, ERR_UNAVAILABLE, 0},
	{"who has the others is not said, which can wait", ASK_OWNERS, OK, OK, 2},
};

START_TEST(test_what_fails_is_asked_again)
{
	const struct fail_row *row = &fail_rows[_i];
	struct said said;

	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "waits", sites_id(0, 1)), OK);
	ck_assert_int_eq(site_start(0, "waits", sites_id(1, 1)), OK);
	ask_all(1);
	asked.fails[row->ask] = true;
	ck_assert_msg(site_claim(1, "01", SITE_SHARDS) == row->claimed, "%s", row->name);
	ck_assert_msg(site_turn(1) == row->turned, "%s", row->name);
	if (row->turned)
		ck_assert_int_eq(wakes_in(1), 100);
	ck_assert_uint_eq(site_live(1), row->live);
	if (!row->live) {
		ask_start(1, sites_id(0, 2), &said);
		check_said(&said, ERR_BUSY, "moved");
	}
	asked.fails[row->ask] = false;
	sites_advance(100);
	if (row->claimed)
		ck_assert_int_eq(site_claim(1, "01", SITE_SHARDS), OK);
	site_run(1);
	ck_assert_uint_eq(site_live(1), 2);
	ck_assert_int_eq(site_cancel(1, sites_id(1, 1)), OK);
	sites_leave();
}
END_TEST

/* What is in the inbox is decided behind what is loaded: its saga would not be there. */
START_TEST(test_nothing_is_taken_before_what_came_is_loaded)
{
	const char *id = sites_id(1, 1);
	const struct signal_message go = {.saga_id = slice_of(id),
					  .event = SLICE_LITERAL("go")};
	struct reply_message reply = {.attempt = 1, .output = SLICE_LITERAL("{}")};
	char command[64];

	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "waits", id), OK);
	ask_all(1);
	asked.fails[ASK_LOAD] = true;
	ck_assert_int_eq(site_claim(1, "1", SITE_SHARDS), OK);
	snprintf(command, sizeof command, "%s/take#0/0/do", id);
	reply.id = slice_of(command);
	ck_assert_int_eq(port_reply(sites.ports[1], &reply), OK);
	for (int n = 0; n < 3; n++)
		ck_assert_int_eq(site_turn(1), ERR_UNAVAILABLE);
	asked.fails[ASK_LOAD] = false;
	sites_advance(100);
	site_run(1);
	engine_signal(sites.all[1].engine, &go, NULL, NULL);
	site_run(1);
	ck_assert_int_eq(sites_status(id), STATUS_COMPLETED);
	sites_leave();
}
END_TEST

/* --- memory is short -------------------------------------------------------------------- */

/* Of an orchestrator that died: two that wait, one of them for a child, and one that has
 * ended in the last batch. */
START_TEST(test_no_memory_to_take_over)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		const char *ended = sites_id(1, 1), *runs = sites_id(2, 2);
		enum err err;

		sites_enter(NULL);
		site_own(0, "0123", SITE_SHARDS);
		ck_assert_int_eq(site_start(0, "waits", runs), OK);
		ck_assert_int_eq(site_start(0, "family", sites_id(3, 3)), OK);
		ck_assert_int_eq(site_start(0, "sleeps", ended), OK);
		site_run(0);
		sites_advance(60000);
		ck_assert_int_eq(site_turn(0), OK);
		fail_malloc_at(n);
		err = site_claim(1, "0123", SITE_SHARDS);
		if (!err)
			err = site_turn(1);
		fired = fail_malloc_off();
		ck_assert_msg(!err || (fired && err == ERR_NOMEM), "%zu: %s", n, err_text(err));
		sites_advance(100);
		if (shards_count(&sites.all[1].store->shards) < SITE_SHARDS)
			ck_assert_int_eq(site_claim(1, "0123", SITE_SHARDS), OK);
		site_run(1);
		ck_assert_msg(site_live(1) == 3, "%zu: %zu", n, site_live(1));
		ck_assert_msg(site_was_told(1, ended, 2), "%zu", n);
		ck_assert_msg(strstr(site_commands(1, "{}"), runs) != NULL, "%zu", n);
		sites_leave();
	}
}
END_TEST

/* --- what came too late ------------------------------------------------------------------ */

/* One that has ended, one that turned back, and one that was begun, each found without
 * memory. */
START_TEST(test_no_memory_to_look)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		const char *ends = sites_id(1, 1), *turns = sites_id(1, 2),
			   *comes = sites_id(1, 3);
		enum err err;

		sites_enter(NULL);
		site_own(0, "1", SITE_SHARDS);
		ck_assert_int_eq(site_start(0, "sleeps", ends), OK);
		ck_assert_int_eq(site_start(0, "waits", turns), OK);
		ask_all(1);
		site_own(1, "1", SITE_SHARDS);
		ck_assert_uint_eq(site_live(1), 2);
		asked_late();
		sites_advance(60000);
		ck_assert_int_eq(site_start(0, "waits", comes), OK);
		ck_assert_int_eq(site_cancel(0, turns), OK);
		sites.all[1].store->stirred = true;
		fail_malloc_at(n);
		err = site_turn(1);
		fired = fail_malloc_off();
		ck_assert_msg(!err || (fired && err == ERR_NOMEM), "%zu: %s", n, err_text(err));
		sites_advance(100);
		site_run(1);
		ck_assert_msg(site_live(1) == 2, "%zu: %zu", n, site_live(1));
		ck_assert_msg(site_was_told(1, turns, 2), "%zu", n);
		for (int i = 0; i < 2; i++) {
			ck_assert_ptr_nonnull(strstr(site_commands(1, "{}"), turns));
			site_run(1);
		}
		ck_assert_int_eq(sites_status(turns), STATUS_COMPENSATED);
		ck_assert_int_eq(sites_status(ends), STATUS_COMPLETED);
		asked_leave();
	}
}
END_TEST

/* Whoever ended it told his own copy of the parent, which counts for nothing. */
START_TEST(test_a_child_that_ended_too_late_tells_its_parent)
{
	const char *id = sites_id(2, 1);
	struct signal_message go = {.event = SLICE_LITERAL("go")};
	char child[96];

	sites_enter(NULL);
	site_own(0, "2", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "family", id), OK);
	site_run(0);
	snprintf(child, sizeof child, "%s", site_commands(0, "{}"));
	go.saga_id = (struct slice){child, strcspn(child, "/")};
	site_run(0);
	ask_all(1);
	site_own(1, "2", SITE_SHARDS);
	ck_assert_uint_eq(site_live(1), 2);
	asked_late();
	engine_signal(sites.all[0].engine, &go, NULL, NULL);
	ck_assert_int_eq(site_turn(0), OK);
	site_close(0);
	site_open(0);
	ck_assert_int_eq(sites_status(id), STATUS_RUNNING);
	sites.all[1].store->stirred = true;
	site_run(1);
	ck_assert_int_eq(sites_status(id), STATUS_COMPLETED);
	ck_assert_uint_eq(site_live(1), 0);
	asked_leave();
}
END_TEST

/* --- when it is looked -------------------------------------------------------------------- */

/* A second after a gain, and once more four seconds later. */
START_TEST(test_it_is_looked_twice_after_a_gain)
{
	sites_enter(NULL);
	ask_all(1);
	ck_assert_int_eq(site_claim(1, "0", SITE_SHARDS), OK);
	ck_assert_int_eq(engine_wake_ms(sites.all[1].engine), 0);
	site_run(1);
	ck_assert_int_eq(wakes_in(1), 1000);
	sites_advance(999);
	site_run(1);
	check_asked(ASK_LOOK, 0);
	sites_advance(1);
	site_run(1);
	check_asked(ASK_LOOK, 1);
	ck_assert_int_eq(wakes_in(1), 4000);
	sites_advance(3999);
	site_run(1);
	check_asked(ASK_LOOK, 1);
	sites_advance(1);
	site_run(1);
	check_asked(ASK_LOOK, 2);
	ck_assert_int_eq(wakes_in(1), 55000); /* whose they are */
	sites_advance(54999);
	site_run(1);
	check_asked(ASK_CHECK, 1);
	sites_advance(1);
	site_run(1);
	check_asked(ASK_CHECK, 2);
	ck_assert_int_eq(wakes_in(1), 60000);
	check_asked(ASK_LOOK, 2);
	check_asked(ASK_LOAD, 1);
	sites.all[1].store->stirred = true;
	ck_assert_int_eq(engine_wake_ms(sites.all[1].engine), 0);
	ck_assert_int_eq(site_turn(1), OK);
	check_asked(ASK_LOOK, 3);
	sites.all[1].store->stirred = false;
	site_run(1);
	check_asked(ASK_LOOK, 3);
	sites_advance(4000);
	site_run(1);
	check_asked(ASK_LOOK, 3);
	sites_leave();
}
END_TEST

START_TEST(test_a_look_that_fails_is_made_again)
{
	sites_enter(NULL);
	ask_all(1);
	site_own(1, "1", SITE_SHARDS);
	asked.fails[ASK_LOOK] = true;
	sites_advance(1000);
	ck_assert_int_eq(site_turn(1), ERR_UNAVAILABLE);
	ck_assert_int_eq(wakes_in(1), 100);
	asked.fails[ASK_LOOK] = false;
	sites_advance(100);
	site_run(1);
	check_asked(ASK_LOOK, 2);
	ck_assert_int_eq(wakes_in(1), 4000);
	sites_leave();
}
END_TEST

/* A clock that was an hour ahead. */
START_TEST(test_a_clock_that_goes_back)
{
	sites_enter(NULL);
	ask_all(1);
	site_own(1, "1", SITE_SHARDS);
	check_asked(ASK_CHECK, 1);
	sites_advance(-1);
	site_run(1);
	check_asked(ASK_CHECK, 2);
	sites_advance(-3600000);
	site_run(1);
	check_asked(ASK_CHECK, 3);
	ck_assert_int_le(wakes_in(1), 60000);
	sites_leave();
}
END_TEST

static enum err start_one(void)
{
	static int n;

	return site_start(1, "waits", sites_id(1, ++n));
}

/* Once, when a batch of ours is where it was sent to, after the last look. */
START_TEST(test_what_was_told_is_settled_once)
{
	sites_enter(NULL);
	ask_all(1);
	site_own(1, "1", SITE_SHARDS);
	for (int n = 0; n < 3; n++)
		ck_assert_int_eq(start_one(), OK);
	sites_advance(1000);
	site_run(1);
	for (int n = 0; n < 3; n++)
		ck_assert_int_eq(start_one(), OK);
	sites_advance(3999);
	site_run(1);
	check_asked(ASK_TOLD, 0);
	sites_advance(1);
	site_run(1);
	asked.fails[ASK_TOLD] = true;
	ck_assert_int_eq(start_one(), OK);
	check_asked(ASK_TOLD, 0);
	ck_assert_int_eq(site_turn(1), OK); /* which sees that it is there */
	ck_assert_int_eq(site_turn(1), ERR_UNAVAILABLE);
	asked.fails[ASK_TOLD] = false;
	sites_advance(100);
	site_run(1);
	check_asked(ASK_TOLD, 2);
	ck_assert_int_eq(start_one(), OK);
	ck_assert_int_eq(start_one(), OK);
	site_run(1);
	check_asked(ASK_TOLD, 2);
	sites_leave();
}
END_TEST

/* --- what goes -----------------------------------------------------------------------------
 */

START_TEST(test_what_went_before_it_was_loaded_is_not_loaded)
{
	sites_enter(NULL);
	site_own(0, "0123", SITE_SHARDS);
	for (uint32_t shard = 0; shard < SITE_SHARDS; shard++)
		ck_assert_int_eq(site_start(0, "waits", sites_id(shard, 1)), OK);
	ck_assert_int_eq(site_claim(1, "012", SITE_SHARDS), OK);
	ck_assert_int_eq(site_claim(1, "13", SITE_SHARDS), OK);
	ck_assert_int_eq(site_turn(1), OK);
	ck_assert_uint_eq(site_live(1), 2);
	/* Nor where they are counted otherwise meanwhile. */
	ck_assert_int_eq(site_claim(1, "0", SITE_SHARDS), OK);
	ck_assert_int_eq(site_claim(1, "1", 1000), OK);
	ck_assert_int_eq(site_turn(1), OK);
	ck_assert_uint_eq(site_live(1), 0);
	sites_leave();
}
END_TEST

/* The store is away, so that what is under way cannot be finished first. */
START_TEST(test_who_waits_for_what_goes_is_told)
{
	struct said goes[2], stays, later;

	sites_enter(NULL);
	ask_all(0);
	site_own(0, "01", SITE_SHARDS);
	asked.fails[ASK_COMMIT] = true;
	ask_start(0, sites_id(1, 1), &goes[0]);
	ask_start(0, sites_id(0, 1), &stays);
	ask_start(0, sites_id(1, 2), &goes[1]);
	ck_assert_int_eq(site_claim(0, "0", SITE_SHARDS), OK);
	check_said(&goes[0], ERR_BUSY, "moved");
	check_said(&goes[1], ERR_BUSY, "moved");
	ck_assert_int_eq(stays.n, 0);
	ck_assert_uint_eq(site_live(0), 1);
	asked.fails[ASK_COMMIT] = false;
	sites_advance(100);
	ask_start(0, sites_id(0, 2), &later);
	site_run(0);
	check_said(&stays, OK, "");
	ck_assert_int_eq(later.n, 1);
	ck_assert_int_eq(site_start(0, "waits", sites_id(0, 3)), OK);
	ck_assert_int_eq(sites_status(sites_id(0, 3)), STATUS_RUNNING);
	ck_assert_int_eq(goes[0].n + goes[1].n, 2);
	/* Nothing of what went is counted with what is under way. */
	asked.fails[ASK_COMMIT] = true;
	sites.all[0].logged[0] = '\0';
	ask_start(0, sites_id(0, 4), &later);
	ck_assert_int_eq(site_turn(0), ERR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(sites.all[0].logged, "event=store-failed"));
	ck_assert_ptr_nonnull(strstr(sites.all[0].logged, " sagas=1 "));
	sites_leave();
}
END_TEST

/* It is found out in the turn that would store it, and the rest of that turn is as ever. */
START_TEST(test_what_is_decided_behind_what_goes_is_stored)
{
	struct said goes;

	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "sleeps", sites_id(0, 1)), OK);
	site_own(1, "1", SITE_SHARDS);
	sites_advance(60000);
	ask_start(0, sites_id(1, 1), &goes);
	ck_assert_int_eq(goes.n, 0);
	ck_assert_int_eq(site_turn(0), OK);
	check_said(&goes, ERR_BUSY, "moved");
	ck_assert_int_eq(sites_status(sites_id(0, 1)), STATUS_COMPLETED);
	ck_assert_uint_eq(site_live(0), 0);
	sites_leave();
}
END_TEST

/* Its command is the next one's to be answered. */
START_TEST(test_what_goes_gives_back_its_place_in_the_window)
{
	static const struct limits narrow = {.others = {.window = 1}};

	sites_enter(&narrow);
	site_own(0, "01", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "waits", sites_id(1, 1)), OK);
	ck_assert_str_ne(site_commands(0, NULL), "");
	ck_assert_int_eq(site_start(0, "waits", sites_id(0, 1)), OK);
	site_run(0);
	ck_assert_str_eq(site_commands(0, NULL), "");
	site_own(0, "0", SITE_SHARDS);
	site_run(0);
	ck_assert_str_ne(site_commands(0, NULL), "");
	sites_leave();
}
END_TEST

/* Somebody took it, and the first one hears of it when it stores something. What it cannot
 * store is not its own any more, nor is what else there was in that shard. */
START_TEST(test_who_stores_what_was_taken_is_told)
{
	static const struct limits narrow = {.others = {.window = 2}};
	const struct operation cancel = {.saga_id = slice_of(sites_id(1, 1)),
					 .type = EVENT_CANCEL};
	struct said begins, operates, stays;

	sites_enter(&narrow);
	site_own(0, "01", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "waits", sites_id(1, 1)), OK);
	ck_assert_int_eq(site_start(0, "waits", sites_id(1, 2)), OK);
	ck_assert_str_ne(site_commands(0, NULL), "");
	site_own(1, "1", SITE_SHARDS);
	ck_assert_uint_eq(site_live(0), 2);
	ask_start(0, sites_id(1, 3), &begins);
	ask_start(0, sites_id(0, 1), &stays);
	operates = (struct said){0};
	engine_operate(sites.all[0].engine, &cancel, hear, &operates);
	ck_assert_int_eq(site_turn(0), OK);
	check_said(&begins, ERR_BUSY, "moved");
	check_said(&operates, ERR_BUSY, "moved");
	check_said(&stays, OK, "");
	ck_assert_uint_eq(site_live(0), 1);
	site_run(0);
	ck_assert_str_ne(site_commands(0, NULL), ""); /* there is room in the window */
	ck_assert_int_eq(begins.n + operates.n, 2);
	ck_assert_uint_eq(site_live(1), 2);
	ck_assert_int_eq(site_cancel(1, sites_id(1, 1)), OK);
	sites_leave();
}
END_TEST

/* Somebody else began it, and whoever wants to begin it, too, goes on with it only where it
 * is his to do. */
static const struct stray_row {
	const char *name, *saga;
	uint32_t shard; /* of the saga that has the key */
	int64_t after_ms;
	size_t live; /* at the one that finds it */
} stray_rows[] = {
	{"in a shard of ours", "waits", 1, 1, 1},
	{"in a shard of ours, and it has ended", "sleeps", 1, 60000, 0},
	{"in a shard of the other one", "waits", 0, 1, 0},
};

START_TEST(test_what_has_the_key_is_gone_on_with_where_it_is_ours)
{
	const struct stray_row *row = &stray_rows[_i];
	struct start_message start = {.saga = slice_of(row->saga),
				      .key = SLICE_LITERAL("k"),
				      .input = SLICE_LITERAL("{}")};
	struct said said = {0};

	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	ask_all(1);
	site_own(1, "1", SITE_SHARDS);
	asked_late();
	start.id = slice_of(sites_id(row->shard, 1));
	engine_start(sites.all[0].engine, &start, NULL, NULL);
	ck_assert_int_eq(site_turn(0), OK);
	sites_advance(row->after_ms);
	ck_assert_int_eq(site_turn(0), OK);
	start.id = slice_of(sites_id(1, 2));
	engine_start(sites.all[1].engine, &start, hear, &said);
	ck_assert_int_eq(site_turn(1), OK);
	check_said(&said, OK, "");
	ck_assert_msg(site_live(1) == row->live, "%s: %zu", row->name, site_live(1));
	asked_leave();
}
END_TEST

START_TEST(test_it_is_said_what_came_and_what_went)
{
	sites_enter(NULL);
	site_own(0, "012", SITE_SHARDS);
	ck_assert_str_eq(sites.all[0].logged,
			 "level=info event=shards-taken n=3 of=4 first=0 sagas=0 ours=3\n");
	ck_assert_int_eq(site_start(0, "waits", sites_id(1, 1)), OK);
	sites.all[0].logged[0] = '\0';
	site_own(0, "03", SITE_SHARDS);
	ck_assert_str_eq(sites.all[0].logged,
			 "level=warn event=shards-lost n=2 of=4 first=1 sagas=1 ours=1\n"
			 "level=info event=shards-taken n=1 of=4 first=3 sagas=0 ours=2\n");
	sites.all[0].logged[0] = '\0';
	site_own(0, "03", SITE_SHARDS);
	ck_assert_str_eq(sites.all[0].logged, "");
	site_own(0, "", SITE_SHARDS);
	ck_assert_str_eq(sites.all[0].logged,
			 "level=warn event=shards-lost n=2 of=4 first=0 sagas=0 ours=0\n");
	sites_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_what_fails_is_asked_again, 0, ROWS(fail_rows));
	tcase_add_test(tcase, test_nothing_is_taken_before_what_came_is_loaded);
	tcase_add_test(tcase, test_no_memory_to_take_over);
	tcase_add_test(tcase, test_no_memory_to_look);
	tcase_add_test(tcase, test_a_child_that_ended_too_late_tells_its_parent);
	tcase_add_test(tcase, test_it_is_looked_twice_after_a_gain);
	tcase_add_test(tcase, test_a_look_that_fails_is_made_again);
	tcase_add_test(tcase, test_a_clock_that_goes_back);
	tcase_add_test(tcase, test_what_was_told_is_settled_once);
	tcase_add_test(tcase, test_what_went_before_it_was_loaded_is_not_loaded);
	tcase_add_test(tcase, test_who_waits_for_what_goes_is_told);
	tcase_add_test(tcase, test_what_is_decided_behind_what_goes_is_stored);
	tcase_add_test(tcase, test_what_goes_gives_back_its_place_in_the_window);
	tcase_add_test(tcase, test_who_stores_what_was_taken_is_told);
	tcase_add_loop_test(tcase, test_what_has_the_key_is_gone_on_with_where_it_is_ours, 0,
			    ROWS(stray_rows));
	tcase_add_test(tcase, test_it_is_said_what_came_and_what_went);
}

int main(void)
{
	return suite_run("engine_takeover", add);
}

/* test_reconcile_trouble.c - what is no difference although it looks like one, who cannot
 * be asked, what nobody keeps for ever, and what happens when all else fails. */
#include "orchestrator/store/record.h"
#include "tests/lib/desk.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"
#include "tests/lib/yard.h"

#include <sqlite3.h>
#include <stdio.h>

/* --- what moves --------------------------------------------------------------------- */

START_TEST(test_what_is_right_again_at_the_next_look_is_no_difference)
{
	static struct yard yard;
	int n = 0;

	yard_open(&yard);
	yard_play(&yard);
	yard_sql(&yard, DESK,
		 "UPDATE skald_barrier SET state = 1 WHERE "
		 "id = 'u/take#0/0/do'");
	yard_sql(&yard, DESK,
		 "INSERT INTO skald_barrier VALUES ('x/take#0/0/do', 1, 1700000000000, NULL, "
		 "NULL,"
		 " NULL)");
	yard_begin(&yard, "", 0);
	/* Both are as they should be from the time on that the first was looked at. */
	while (yard_go_on(&yard)) {
		if (n++ == 10)
			yard_sql(&yard, DESK,
				 "UPDATE skald_barrier SET state = 4 WHERE "
				 "id = 'u/take#0/0/do'");
		if (n == 25)
			yard_sql(&yard, DESK,
				 "DELETE FROM skald_barrier WHERE "
				 "id = 'x/take#0/0/do'");
		ck_assert_int_lt(n, YARD_TURNS_MAX);
	}
	ck_assert_int_gt(n, 25);
	ck_assert_str_eq(yard.lines, "");
	yard_close(&yard);
}
END_TEST

START_TEST(test_a_saga_that_never_comes_to_rest_is_no_difference)
{
	static struct yard yard;
	int n = 0;

	yard_open(&yard);
	yard_play(&yard);
	yard_sql(&yard, DESK,
		 "DELETE FROM skald_barrier WHERE "
		 "id = 'd/take#0/0/do'");
	yard_begin(&yard, "", 0);
	while (yard_go_on(&yard)) {
		if (n++ % 4 == 0)
			yard_change(&yard, "d", "look", STEP_DONE);
		ck_assert_int_lt(n, YARD_TURNS_MAX);
	}
	ck_assert_str_eq(yard.lines, "");
	ck_assert_uint_eq(reconcile_counts(yard.reconcile)->moving, 1);
	yard_close(&yard);
}
END_TEST

/* Sagas start, wait, go on and turn back all the while. */
START_TEST(test_sagas_at_work_raise_no_alarm)
{
	static struct yard yard;
	char id[16];
	int n = 0;

	yard_open(&yard);
	while (n < 350) {
		yard_begin(&yard, "", 0);
		while (yard_go_on(&yard)) {
			snprintf(id, sizeof id, "s%d", n);
			if (n < 300)
				yard_start(&yard, id,
					   n % 3 ? "{\"refuse\":\"\",\"list\":[1,2,3]}"
						 : "{\"refuse\":\"pay\",\"list\":[]}");
			snprintf(id, sizeof id, "s%d", n - 20);
			if (n >= 20 && n < 320)
				yard_operate(&yard, id, n % 5 ? EVENT_SIGNAL : EVENT_CANCEL);
			if (n++ % 50 == 49) { /* and a service dies */
				yard_leave(&yard, (enum spot)(n % PLACES));
				yard_come(&yard, (enum spot)(n % PLACES));
			}
			ck_assert_int_lt(n, YARD_TURNS_MAX);
		}
		ck_assert_msg(!yard.why && !yard.len, "%s%s", yard.why ? yard.why : "",
			      yard.lines);
	}
	yard_settle(&yard);
	ck_assert_str_eq(yard_reconcile(&yard), "");
	ck_assert_uint_ge(yard.counts.sagas, 300);
	ck_assert_uint_eq(yard.counts.moving, 0);
	yard_close(&yard);
}
END_TEST

/* --- who cannot be asked ------------------------------------------------------------ */

START_TEST(test_one_that_is_away)
{
	static struct yard yard;

	yard_open(&yard);
	yard_play(&yard);
	yard_sql(&yard, SHELF,
		 "UPDATE skald_barrier SET state = 4 WHERE "
		 "id = 'd/pick#0/0/do'");
	yard_leave(&yard, DESK);
	ck_assert_str_eq(yard_reconcile(&yard), "desk: it is not connected (waited 10 s)\n"
						"d pick#0 shelf done-but-undone done/undone\n");
	ck_assert_uint_gt(yard.counts.unasked, 0);
	ck_assert_uint_eq(yard.counts.participants, PLACES);
	ck_assert_uint_eq(yard.counts.participants_unasked, 1);
	yard_close(&yard);
}
END_TEST

START_TEST(test_one_that_comes_back_in_time)
{
	static struct yard yard;
	int n = 0;

	yard_open(&yard);
	yard_play(&yard);
	yard_sql(&yard, DESK,
		 "DELETE FROM skald_barrier WHERE "
		 "id = 'd/take#0/0/do'");
	yard_leave(&yard, DESK);
	yard_begin(&yard, "", 0);
	while (yard_go_on(&yard)) {
		if (++n == 200)
			yard_come(&yard, DESK);
		if (n == 210) { /* while it is asked */
			yard_leave(&yard, DESK);
			yard_come(&yard, DESK);
		}
		ck_assert_int_lt(n, YARD_TURNS_MAX);
	}
	ck_assert_int_lt(n, 400); /* it is asked again at once, not when the answer is late */
	ck_assert_str_eq(yard.lines, "d take desk effect-missing done/nothing\n");
	yard_close(&yard);
}
END_TEST

static enum err too_old(struct bus *bus, struct slice participant,
			struct inquiry_message *inquiry, struct diag *diag)
{
	return ERR_INVALID;
}

START_TEST(test_one_that_is_too_old)
{
	static struct yard yard;
	const struct bus_ops *real;
	struct bus_ops ops;

	yard_open(&yard);
	yard_play(&yard);
	real = yard.bus->ops;
	ops = *real;
	ops.inquire = too_old;
	yard.bus->ops = &ops;
	(void)yard_reconcile(&yard);
	ck_assert_ptr_nonnull(
		strstr(yard.lines, "desk: its library is too old: it speaks version 1"));
	ck_assert_uint_eq(yard.counts.participants_unasked, PLACES);
	ck_assert_uint_eq(yard.counts.differences, 0);
	yard.bus->ops = real;
	yard_close(&yard);
}
END_TEST

static enum err cut_off(struct bus *bus, struct slice participant,
			struct inquiry_message *inquiry, struct diag *diag)
{
	return diag_set(diag, ERR_BUSY, "no broker answers");
}

/* What the bus says is told, after all the patience. */
START_TEST(test_one_that_cannot_be_reached)
{
	static struct yard yard;
	const struct bus_ops *real;
	struct bus_ops ops;

	yard_open(&yard);
	yard_play(&yard);
	real = yard.bus->ops;
	ops = *real;
	ops.inquire = cut_off;
	yard.bus->ops = &ops;
	(void)yard_reconcile(&yard);
	ck_assert_ptr_nonnull(strstr(yard.lines, "desk: no broker answers (waited 10 s)"));
	ck_assert_uint_eq(yard.counts.participants_unasked, PLACES);
	yard.bus->ops = real;
	yard_close(&yard);
}
END_TEST

START_TEST(test_one_whose_database_fails)
{
	static struct yard yard;

	yard_open(&yard);
	yard_play(&yard);
	ck_assert_int_eq(sqlite3_exec(yard.dbs[DESK],
				      "ALTER TABLE skald_barrier RENAME TO other", NULL, NULL,
				      NULL),
			 SQLITE_OK);
	(void)yard_reconcile(&yard);
	ck_assert_ptr_nonnull(strstr(yard.lines, "desk: no such table"));
	ck_assert_uint_eq(yard.counts.differences, 0);
	yard_close(&yard);
}
END_TEST

START_TEST(test_one_that_is_stopped_in_the_middle_leaves_nothing)
{
	static struct yard yard;

	yard_open(&yard);
	yard_play(&yard);
	for (int n = 0; n < 30; n++) {
		yard_begin(&yard, "", 0);
		for (int i = 0; i < n && yard_go_on(&yard); i++)
			;
	}
	ck_assert_str_eq(yard_reconcile(&yard), "");
	yard_close(&yard);
}
END_TEST

/* --- which sagas -------------------------------------------------------------------- */

START_TEST(test_sagas_of_a_name)
{
	static struct yard yard;

	yard_open(&yard);
	yard_play(&yard);
	yard_sql(&yard, DESK,
		 "DELETE FROM skald_barrier WHERE "
		 "id = 'd/take#0/0/do'");
	yard_sql(&yard, SHELF,
		 "UPDATE skald_barrier SET state = 2 WHERE id LIKE '%/hold#0/0/do'");
	yard_sql(&yard, DESK,
		 "INSERT INTO skald_barrier VALUES ('x/take#0/0/do', 1, 1700000000000, NULL, "
		 "NULL,"
		 " NULL)");
	yard_sql(&yard, DESK,
		 "INSERT INTO skald_barrier VALUES ('d/steal#0/0/do', 1, 1700000000000, NULL,"
		 " NULL, NULL)");
	yard_begin(&yard, "line", 0);
	yard_finish(&yard);
	ck_assert_str_eq(yard.lines, "d take desk effect-missing done/nothing\n"
				     "d steal desk effect-without-step /done\n");
	yard_begin(&yard, "kid", 0);
	yard_finish(&yard);
	ck_assert_ptr_null(strstr(yard.lines, "take"));
	ck_assert_ptr_null(strstr(yard.lines, "steal"));
	ck_assert_ptr_nonnull(strstr(yard.lines, "hold shelf done-but-refused"));
	yard_close(&yard);
}
END_TEST

START_TEST(test_sagas_since)
{
	static struct yard yard;
	int64_t between_ms;

	yard_open(&yard);
	yard_start(&yard, "old", "{\"refuse\":\"\",\"list\":[]}");
	yard_settle(&yard);
	clock_sim_advance(&yard.clock, 1000);
	between_ms = yard.clock.now_ms;
	clock_sim_advance(&yard.clock, 1000);
	yard_start(&yard, "new", "{\"refuse\":\"\",\"list\":[]}");
	yard_settle(&yard);
	yard_operate(&yard, "old", EVENT_SIGNAL); /* so that it has newer records, too */
	yard_settle(&yard);
	yard_sql(&yard, DESK,
		 "UPDATE skald_barrier SET state = 2 WHERE id LIKE '%/take#0/0/do'");
	yard_begin(&yard, "", between_ms);
	yard_finish(&yard);
	ck_assert_str_eq(yard.lines, "new take desk done-but-refused done/refused\n");
	yard_close(&yard);
}
END_TEST

/* --- what is not kept for ever ------------------------------------------------------- */

START_TEST(test_what_the_barrier_has_forgotten)
{
	static struct yard yard;

	yard_open(&yard);
	yard_play(&yard);
	yard_sql(&yard, DESK,
		 "DELETE FROM skald_barrier WHERE "
		 "id = 'd/take#0/0/do'");
	clock_sim_advance(&yard.clock, 29 * 86400000LL);
	ck_assert_str_eq(yard_reconcile(&yard), "d take desk effect-missing done/nothing\n");
	ck_assert_uint_eq(yard.counts.forgotten, 0);
	clock_sim_advance(&yard.clock, 2 * 86400000LL);
	ck_assert_str_eq(yard_reconcile(&yard), "");
	ck_assert_uint_eq(yard.counts.forgotten, 1);
	/* What is there although it is that old still counts. */
	yard_sql(&yard, DESK,
		 "UPDATE skald_barrier SET state = 2 WHERE "
		 "id = 'd/pay#0/0/do'");
	ck_assert_str_eq(yard_reconcile(&yard), "d pay desk done-but-refused done/refused\n");
	yard_close(&yard);
}
END_TEST

START_TEST(test_what_the_store_has_removed)
{
	static struct yard yard;
	char statement[160];
	int64_t removed_ms;
	size_t n;

	yard_open(&yard);
	yard_play(&yard);
	ck_assert_int_eq(store_prune(yard.store, INT64_MAX, 100, &n), OK);
	ck_assert_uint_ge(n, 3);
	ck_assert_int_eq(store_removed(yard.store, &removed_ms), OK);
	ck_assert_str_eq(yard_reconcile(&yard), "");
	ck_assert_uint_ge(yard.counts.removed, 4);
	/* It cannot have been here: whatever was removed had ended by then. */
	snprintf(
		statement, sizeof statement,
		"INSERT INTO skald_barrier VALUES ('x/take#0/0/do', 1, %lld, NULL, NULL, NULL)",
		(long long)removed_ms + 1);
	yard_sql(&yard, DESK, statement);
	ck_assert_str_eq(yard_reconcile(&yard), "x take desk effect-without-saga /done\n");
	yard_close(&yard);
}
END_TEST

/* --- many ---------------------------------------------------------------------------- */

START_TEST(test_many_sagas)
{
	enum { MANY = 1500 };
	static struct yard yard;
	char id[16];

	yard_open(&yard);
	for (int i = 0; i < MANY; i++) {
		snprintf(id, sizeof id, "k%d", i);
		ck_assert_int_eq(desk_start(yard.engine, "kid", id, "{}", NULL), OK);
		if (i % 50 == 0) {
			yard_settle(&yard);
			clock_sim_advance(&yard.clock, 5);
		}
	}
	yard_settle(&yard);
	ck_assert_str_eq(yard_reconcile(&yard), "");
	ck_assert_uint_eq(yard.counts.sagas, MANY);
	ck_assert_uint_eq(yard.counts.commands, MANY);
	ck_assert_uint_eq(yard.counts.records, MANY);
	/* All of them: more than a window or a page holds. */
	yard_sql(&yard, SHELF, "DELETE FROM skald_barrier WHERE id LIKE 'k%7/hold#0/0/do'");
	yard_sql(&yard, SHELF, "UPDATE skald_barrier SET id = 'x' || id WHERE id LIKE 'k%3/%'");
	(void)yard_reconcile(&yard);
	ck_assert_uint_eq(yard.counts.differences, 3 * MANY / 10);
	yard_close(&yard);
}
END_TEST

/* --- when all else fails ------------------------------------------------------------- */

START_TEST(test_every_call_of_the_store_fails_in_turn)
{
	static struct yard yard;
	long left;

	yard_open(&yard);
	yard_play(&yard);
	yard.wire.effect = TRIPWIRE_FAILS;
	for (long n = 0; n == 0 || yard.wire.fired; n++) {
		int turns = 0;

		yard.wire.fired = false;
		yard.wire.calls_left = n;
		yard_begin(&yard, "", 0);
		do {
			left = yard.wire.calls_left;
			yard.wire.calls_left = -1; /* the engine's own */
			yard_turn(&yard);
			yard.wire.calls_left = left;
			ck_assert_int_lt(turns++, YARD_TURNS_MAX);
		} while (yard_go_on_alone(&yard));
		ck_assert(yard.wire.fired == (yard.why != NULL));
		ck_assert_str_eq(yard.lines, "");
		ck_assert_int_lt(n, 10000);
	}
	yard_close(&yard);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	static struct yard yard;
	bool failed = true;

	yard_open(&yard);
	yard_play(&yard);
	for (size_t n = 0; failed; n++) {
		size_t left = n;
		int turns = 0;
		bool more = true;

		failed = false;
		yard_begin(&yard, "", 0);
		while (more) {
			yard_turn(&yard);
			if (!failed)
				fail_malloc_at(left);
			more = yard_go_on_alone(&yard);
			if (!failed) {
				left -= fail_malloc_count() < left ? fail_malloc_count() : left;
				failed = fail_malloc_off();
			}
			ck_assert_int_lt(turns++, YARD_TURNS_MAX);
		}
		ck_assert(!yard.why || failed);
		ck_assert_uint_eq(reconcile_counts(yard.reconcile)->differences, 0);
		ck_assert_uint_lt(n, 10000);
	}
	yard_close(&yard);
}
END_TEST

START_TEST(test_a_record_that_cannot_be_read)
{
	const struct store_batch batch = {.number = 1};
	static struct yard yard;
	struct slice record;
	struct saga_row row;
	struct saga_write write;

	yard_open(&yard);
	yard_play(&yard);
	ck_assert_int_eq(store_get(yard.store, slice_of("d"), &yard.arena, &row, &record), OK);
	write = (struct saga_write){
		.row = row, .record = {record.at, record.len / 2}, .before = row.revision};
	write.row.revision++;
	ck_assert_int_eq(store_commit(yard.store, &batch, &write, 1, NULL, 0), OK);
	ck_assert_str_eq(yard_reconcile(&yard), "d   unreadable-saga /\n");
	yard_close(&yard);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_what_is_right_again_at_the_next_look_is_no_difference);
	tcase_add_test(tcase, test_a_saga_that_never_comes_to_rest_is_no_difference);
	tcase_add_test(tcase, test_sagas_at_work_raise_no_alarm);
	tcase_add_test(tcase, test_one_that_is_away);
	tcase_add_test(tcase, test_one_that_comes_back_in_time);
	tcase_add_test(tcase, test_one_that_is_too_old);
	tcase_add_test(tcase, test_one_that_cannot_be_reached);
	tcase_add_test(tcase, test_one_whose_database_fails);
	tcase_add_test(tcase, test_one_that_is_stopped_in_the_middle_leaves_nothing);
	tcase_add_test(tcase, test_sagas_of_a_name);
	tcase_add_test(tcase, test_sagas_since);
	tcase_add_test(tcase, test_what_the_barrier_has_forgotten);
	tcase_add_test(tcase, test_what_the_store_has_removed);
	tcase_add_test(tcase, test_many_sagas);
	tcase_add_test(tcase, test_every_call_of_the_store_fails_in_turn);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_test(tcase, test_a_record_that_cannot_be_read);
}

int main(void)
{
	return suite_run("reconcile_trouble", add);
}

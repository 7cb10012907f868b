/* test_barrier_records.c - the contract of participants/lib/barrier.h for those who
 * keep records: transactions, marks and pruning, over every implementation */
#include "tests/lib/barriers.h"
#include "tests/lib/suite.h"

#include <stdio.h>

START_TEST(test_records_are_kept_and_rolled_back)
{
	struct barrier *barrier = barriers[_i].open();

	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	keep_record(barrier, "a", BARRIER_OK, "[1]", "", "");
	check_record(barrier, "a", BARRIER_OK, "[1]", "", "");
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);

	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	keep_record(barrier, "a", BARRIER_UNDONE, "", "", "");
	keep_record(barrier, "ab", BARRIER_REFUSED, "", "code", "a text");
	keep_record(barrier, "a", BARRIER_BARRED, "", "", "");
	check_record(barrier, "a", BARRIER_BARRED, "", "", "");
	check_record(barrier, "ab", BARRIER_REFUSED, "", "code", "a text");
	barrier->ops->rollback(barrier);

	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	check_record(barrier, "a", BARRIER_OK, "[1]", "", "");
	check_record(barrier, "ab", BARRIER_NONE, "", "", "");
	check_record(barrier, "", BARRIER_NONE, "", "", "");
	keep_record(barrier, "a", BARRIER_UNDONE, "", "",
		    ""); /* closed half-way: as if rolled back */
	barrier_close(barrier);
}
END_TEST

/* More than any table begins with, in transactions that are kept and not kept. */
START_TEST(test_many_records)
{
	struct barrier *barrier = barriers[_i].open();
	char id[16];

	for (int n = 0; n < 1000; n++) {
		if (n % 100 == 0)
			ck_assert_int_eq(barrier->ops->begin(barrier), OK);
		snprintf(id, sizeof id, "s-%d", n);
		keep_record(barrier, id, BARRIER_OK, id, "", "");
		if (n % 100 != 99)
			continue;
		if (n / 100 % 2)
			barrier->ops->rollback(barrier);
		else
			ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	}
	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	for (int n = 0; n < 1000; n++) {
		bool kept = n / 100 % 2 == 0;

		snprintf(id, sizeof id, "s-%d", n);
		check_record(barrier, id, kept ? BARRIER_OK : BARRIER_NONE, kept ? id : "", "",
			     "");
	}
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	barrier_close(barrier);
}
END_TEST

START_TEST(test_what_was_found_outlives_its_replacement)
{
	struct barrier *barrier = barriers[_i].open();
	struct barrier_record record;
	struct arena arena = {0};

	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	keep_record(barrier, "a", BARRIER_REFUSED, "[1]", "code", "a text");
	ck_assert_int_eq(barrier->ops->find(barrier, slice_of("a"), &arena, &record), OK);
	keep_record(barrier, "a", BARRIER_OK, "", "", "");
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	barrier_close(barrier);
	ck_assert(slice_is(record.output, "[1]") && slice_is(record.code, "code") &&
		  slice_is(record.text, "a text"));
	arena_release(&arena);
	barrier_close(NULL);
}
END_TEST

START_TEST(test_what_came_after_a_mark_is_taken_back_alone)
{
	struct barrier *barrier = barriers[_i].open();
	const struct barrier_ops *ops = barrier->ops;

	if (barrier_has_marks(barrier)) {
		ck_assert_int_eq(ops->begin(barrier), OK);
		keep_record(barrier, "a", BARRIER_OK, "[1]", "", "");
		ck_assert_int_eq(ops->mark(barrier), OK);
		keep_record(barrier, "a", BARRIER_UNDONE, "[1]", "", "");
		keep_record(barrier, "b", BARRIER_OK, "", "", "");
		ck_assert_int_eq(ops->back(barrier), OK);
		check_record(barrier, "a", BARRIER_OK, "[1]", "", "");
		check_record(barrier, "b", BARRIER_NONE, "", "", "");
		keep_record(barrier, "c", BARRIER_OK, "", "", "");
		ck_assert_int_eq(ops->back(barrier), OK);
		check_record(barrier, "c", BARRIER_NONE, "", "", "");
		keep_record(barrier, "d", BARRIER_OK, "", "", "");
		ck_assert_int_eq(ops->mark(barrier), OK);
		keep_record(barrier, "e", BARRIER_OK, "", "", "");
		ck_assert_int_eq(ops->back(barrier), OK);
		ck_assert_int_eq(ops->commit(barrier), OK);

		ck_assert_int_eq(ops->begin(barrier), OK);
		check_record(barrier, "a", BARRIER_OK, "[1]", "", "");
		check_record(barrier, "d", BARRIER_OK, "", "", "");
		check_record(barrier, "e", BARRIER_NONE, "", "", "");
		/* A mark of the transaction before is none of this one. */
		keep_record(barrier, "f", BARRIER_OK, "", "", "");
		ops->rollback(barrier);
		ops->rollback(barrier); /* there is none: nothing happens */
		ck_assert_int_eq(ops->begin(barrier), OK);
		ck_assert_int_eq(ops->mark(barrier), OK);
		check_record(barrier, "d", BARRIER_OK, "", "", "");
		check_record(barrier, "f", BARRIER_NONE, "", "", "");
		ck_assert_int_eq(ops->commit(barrier), OK);
	}
	barrier_close(barrier);
}
END_TEST

/* --- pruning ------------------------------ */

enum { AGED = 50 };

static void keep_aged(struct barrier *barrier, int n, int64_t first_ms)
{
	struct barrier_record record = {.state = BARRIER_OK, .first_ms = first_ms};
	char id[16];

	snprintf(id, sizeof id, "s-%02d", n);
	ck_assert_int_eq(barrier->ops->keep(barrier, slice_of(id), &record), OK);
}

/* How many records of keep_aged there are, and that none is gone that counts. */
static int count_aged(struct barrier *barrier, int64_t before_ms)
{
	int count = 0;

	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	for (int n = 0; n < AGED; n++) {
		struct barrier_record record;
		struct arena arena = {0};
		char id[16];

		snprintf(id, sizeof id, "s-%02d", n);
		ck_assert_int_eq(barrier->ops->find(barrier, slice_of(id), &arena, &record),
				 OK);
		ck_assert(record.state != BARRIER_NONE || 100 * (n % 5) < before_ms);
		ck_assert(record.state == BARRIER_NONE || record.first_ms == 100 * (n % 5));
		count += record.state != BARRIER_NONE;
		arena_release(&arena);
	}
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	return count;
}

static void prune(struct barrier *barrier, int64_t before_ms)
{
	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	ck_assert_int_eq(barrier->ops->prune(barrier, before_ms, 8), OK);
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);
}

START_TEST(test_old_records_are_pruned_a_little_at_a_time)
{
	struct barrier *barrier = barriers[_i].open();
	int left, batches = 0;

	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	for (int n = 0; n < AGED; n++)
		keep_aged(barrier, n, 100 * (n % 5));
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	for (int64_t before_ms = 0; before_ms <= 400; before_ms += 100) {
		int64_t expected = AGED - AGED / 5 * before_ms / 100;

		left = count_aged(barrier, before_ms);
		for (int n = 0; n < 40; n++) {
			int now;

			prune(barrier, before_ms);
			now = count_aged(barrier, before_ms);
			ck_assert_int_le(left - now, 8);
			batches += now < left;
			left = now;
		}
		ck_assert_msg(left == expected, "%s: %d records are left before %d",
			      barriers[_i].name, left, (int)before_ms);
	}
	ck_assert_int_gt(batches, 4);
	/* One that is written late is found, too, though the walk is over. */
	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	keep_aged(barrier, 0, 0);
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	for (int n = 0; n < 40; n++)
		prune(barrier, 400);
	ck_assert_int_eq(count_aged(barrier, 400), AGED / 5);
	barrier_close(barrier);
}
END_TEST

START_TEST(test_what_was_pruned_in_vain_is_pruned_later)
{
	struct barrier *barrier = barriers[_i].open();

	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	for (int n = 0; n < AGED; n++)
		keep_aged(barrier, n, 100 * (n % 5));
	ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	for (int n = 0; n < 5; n++) {
		ck_assert_int_eq(barrier->ops->begin(barrier), OK);
		ck_assert_int_eq(barrier->ops->prune(barrier, 1000, 20), OK);
		barrier->ops->rollback(barrier);
	}
	ck_assert_int_eq(count_aged(barrier, 1000), AGED);
	for (int n = 0; n < 40; n++)
		prune(barrier, 1000);
	ck_assert_int_eq(count_aged(barrier, 1000), 0);
	barrier_close(barrier);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_records_are_kept_and_rolled_back, 0, n_barriers);
	tcase_add_loop_test(tcase, test_many_records, 0, n_barriers);
	tcase_add_loop_test(tcase, test_what_was_found_outlives_its_replacement, 0, n_barriers);
	tcase_add_loop_test(tcase, test_what_came_after_a_mark_is_taken_back_alone, 0,
			    n_barriers);
	tcase_add_loop_test(tcase, test_old_records_are_pruned_a_little_at_a_time, 0,
			    n_barriers);
	tcase_add_loop_test(tcase, test_what_was_pruned_in_vain_is_pruned_later, 0, n_barriers);
}

int main(void)
{
	barriers_find();
	return suite_run("barrier_records", add);
}

/* test_bus_kafka_tracks.c - how far the partitions of a participant are answered, whatever
 * the order in which they are, and whoever has them by then. A sanitizer sees what is not
 * freed, or twice. */
#include "bus/kafka/tracks.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

enum { PARTITION = 5, FIRST = 10, N = 4 };

static struct tracks tracks;
static struct errands fresh;
static struct errand *errands[N];

static struct errand *take(int32_t partition, int64_t offset)
{
	struct track *track = tracks_open(&tracks, partition);
	struct errand *errand = calloc(1, sizeof *errand);

	ck_assert(track && errand);
	errand->offset = offset;
	track_add(track, errand);
	return errand;
}

static void enter(void)
{
	tracks = (struct tracks){NULL};
	errands_init(&fresh);
	for (int i = 0; i < N; i++)
		errands[i] = take(PARTITION, FIRST + i);
}

static void leave(void)
{
	tracks_release(&tracks);
}

static struct track *track(void)
{
	return tracks_open(&tracks, PARTITION);
}

/* The errands in the order in which they are answered, and how far that gets. */
static const struct order_row {
	const char *name;
	const char *order; /* digits */
	int64_t done[N];
} order_rows[] = {
	{"as they came", "0123", {11, 12, 13, 14}},
	{"the last one first", "3210", {-1, -1, -1, 14}},
	{"one in the midst", "1023", {-1, 12, 13, 14}},
	{"two by two", "1032", {-1, 12, 12, 14}},
};

START_TEST(test_what_is_answered_counts_up_to_the_first_that_is_not)
{
	const struct order_row *row = &order_rows[_i];

	for (int i = 0; i < N; i++) {
		int64_t before = track()->done;

		track()->dirty = false;
		track_finish(errands[row->order[i] - '0']);
		ck_assert_msg(track()->done == row->done[i], "%s: %lld after %d", row->name,
			      (long long)track()->done, i + 1);
		ck_assert_int_eq(track()->dirty, track()->done != before);
	}
	ck_assert_ptr_null(track()->first);
	/* What comes after that is behind it. */
	track_finish(take(PARTITION, FIRST + N));
	ck_assert_int_eq(track()->done, FIRST + N + 1);
}
END_TEST

START_TEST(test_partitions_are_told_apart)
{
	struct errand *other = take(PARTITION + 1, 100);

	track_finish(other);
	ck_assert_int_eq(tracks_open(&tracks, PARTITION + 1)->done, 101);
	ck_assert_int_eq(track()->done, -1);
	ck_assert(!track()->dirty);
	tracks_close(&tracks, PARTITION + 2, &fresh); /* which is nobody's */
	tracks_close(&tracks, PARTITION + 1, &fresh);
	ck_assert_ptr_eq(errands[0]->track, track());
}
END_TEST

/* The second was polled and the third answered; the others nobody has seen, nor those of
 * another partition. */
START_TEST(test_a_partition_that_is_lost_takes_what_nobody_has_seen)
{
	struct errand *others[] = {take(PARTITION + 1, 1), take(PARTITION + 1, 2)};

	errands_add(&fresh, others[0]);
	errands_add(&fresh, errands[0]);
	errands_add(&fresh, errands[3]);
	errands_add(&fresh, others[1]);
	track_finish(errands[2]);
	tracks_close(&tracks, PARTITION, &fresh);
	ck_assert_uint_eq(fresh.n, 2);
	ck_assert_ptr_null(errands[1]->track);
	track_finish(errands[1]); /* the answer comes all the same, and counts for nothing */
	ck_assert_int_eq(track()->done, -1);
	ck_assert_ptr_eq(errands_take(&fresh), others[0]);
	ck_assert_ptr_eq(errands_take(&fresh), others[1]);
	ck_assert_ptr_null(errands_take(&fresh));
	ck_assert_uint_eq(fresh.n, 0);
	errands_add(&fresh, others[0]);
	ck_assert_ptr_eq(errands_take(&fresh), others[0]);
}
END_TEST

START_TEST(test_the_last_one_is_taken_again)
{
	tracks_untake(&tracks, PARTITION, FIRST); /* it is not the last one */
	tracks_untake(&tracks, PARTITION + 1, FIRST + N - 1);
	ck_assert_ptr_eq(track()->last, errands[N - 1]);
	for (int i = N; i-- > 0;) {
		tracks_untake(&tracks, PARTITION, FIRST + i);
		ck_assert_ptr_eq(track()->last, i ? errands[i - 1] : NULL);
	}
	ck_assert_ptr_null(track()->first);
	tracks_untake(&tracks, PARTITION, FIRST);
	track_finish(take(PARTITION, FIRST));
	ck_assert_int_eq(track()->done, FIRST + 1);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, enter, leave);
	tcase_add_loop_test(tcase, test_what_is_answered_counts_up_to_the_first_that_is_not, 0,
			    ROWS(order_rows));
	tcase_add_test(tcase, test_partitions_are_told_apart);
	tcase_add_test(tcase, test_a_partition_that_is_lost_takes_what_nobody_has_seen);
	tcase_add_test(tcase, test_the_last_one_is_taken_again);
}

int main(void)
{
	return suite_run("bus_kafka_tracks", add);
}

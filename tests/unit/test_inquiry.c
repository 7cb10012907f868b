/* test_inquiry.c - what a participant tells of its records, over every barrier. */
#include "participants/lib/inquiry.h"
#include "tests/lib/barriers.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/host.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { MANY = 200 };

static struct slice name_of(int n, char room[32])
{
	snprintf(room, 32, "saga-%03d/a#0/0/do", n);
	return slice_of(room);
}

static void keep(struct barrier *barrier, int n, enum barrier_state state)
{
	const struct barrier_record record = {.state = state, .first_ms = 1000 + n};
	char room[32];

	ck_assert_int_eq(barrier->ops->keep(barrier, name_of(n, room), &record), OK);
}

/* Some of every state. */
static void fill(struct barrier *barrier, int from, int to)
{
	for (int n = from; n < to; n++) {
		ck_assert_int_eq(barrier->ops->begin(barrier), OK);
		keep(barrier, n, (enum barrier_state)(1 + n % 4));
		ck_assert_int_eq(barrier->ops->commit(barrier), OK);
	}
}

static int number_of(const struct record_message *record)
{
	return (int)strtol(record->id.at + 5, NULL, 10);
}

START_TEST(test_every_record_is_on_a_page)
{
	struct barrier *barrier = barriers[_i].open();
	struct arena arena = {0};
	char cursor[300] = "";
	int seen[2 * MANY] = {0}, n_pages = 0;

	fill(barrier, 0, MANY);
	do {
		const struct inquiry_message inquiry = {
			.request = 7, .after = slice_of(cursor), .limit = 40};
		struct records_message records;

		inquiry_answer(barrier, &inquiry, 5, &arena, &records);
		ck_assert_uint_eq(records.trouble.len, 0);
		ck_assert_uint_eq(records.request, 7);
		ck_assert_int_eq(records.kept_ms, 5);
		ck_assert_uint_le(records.n, 40);
		for (size_t i = 0; i < records.n; i++) {
			const struct record_message *record = &records.records[i];
			int n = number_of(record);

			seen[n]++;
			ck_assert_int_eq(record->state, 1 + n % 4);
			ck_assert_int_eq(record->first_ms, 1000 + n);
		}
		ck_assert_uint_lt(records.next.len, sizeof cursor);
		snprintf(cursor, sizeof cursor, "%.*s", SLICE_ARG(records.next));
		arena_reset(&arena);
		/* The service goes on working. */
		if (++n_pages <= 3)
			fill(barrier, MANY * n_pages / 3 + MANY - 100,
			     MANY * n_pages / 3 + MANY - 99);
	} while (*cursor && n_pages < 1000);
	ck_assert_int_ge(n_pages, MANY / 40);
	for (int n = 0; n < MANY; n++)
		ck_assert_msg(seen[n] >= 1, "%s: record %d is on no page", barriers[_i].name,
			      n);
	arena_release(&arena);
	barrier_close(barrier);
}
END_TEST

START_TEST(test_old_ones_are_left_out)
{
	const struct inquiry_message inquiry = {.since_ms = 1000 + MANY - 7, .limit = 1000};
	struct barrier *barrier = barriers[_i].open();
	struct records_message records;
	struct arena arena = {0};

	fill(barrier, 0, MANY);
	inquiry_answer(barrier, &inquiry, 0, &arena, &records);
	ck_assert_uint_eq(records.n, 7);
	ck_assert_uint_eq(records.next.len, 0);
	for (size_t i = 0; i < records.n; i++)
		ck_assert_int_ge(number_of(&records.records[i]), MANY - 7);
	arena_release(&arena);
	barrier_close(barrier);
}
END_TEST

START_TEST(test_the_records_of_commands_in_their_order)
{
	static const struct slice ids[] = {{"saga-009/a#0/0/do", 17},
					   {"nobody/a#0/0/do", 15},
					   {"saga-002/a#0/0/do", 17},
					   {"saga-009/a#0/0/do", 17}};
	const struct inquiry_message inquiry = {
		.ids = ids, .n_ids = 4, .since_ms = 1000000, .limit = 0};
	struct barrier *barrier = barriers[_i].open();
	struct records_message records;
	struct arena arena = {0};

	fill(barrier, 0, 10);
	inquiry_answer(barrier, &inquiry, 0, &arena, &records);
	ck_assert_uint_eq(records.n, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert(slice_equal(records.records[i].id, ids[i]));
	ck_assert_int_eq(records.records[0].state, RECORD_REFUSED);
	ck_assert_int_eq(records.records[1].state, RECORD_NONE);
	ck_assert_int_eq(records.records[2].state, RECORD_BARRED);
	ck_assert_int_eq(records.records[3].first_ms, 1009);
	arena_release(&arena);
	barrier_close(barrier);
}
END_TEST

/* What is not committed may yet be rolled back, so an inquiry comes between batches;
 * afterwards the barrier takes the next batch as ever. */
START_TEST(test_it_leaves_the_barrier_as_it_was)
{
	const struct inquiry_message inquiry = {.limit = 10};
	struct barrier *barrier = barriers[_i].open();
	struct records_message records;
	struct arena arena = {0};

	inquiry_answer(barrier, &inquiry, 0, &arena, &records);
	ck_assert_uint_eq(records.n, 0);
	ck_assert_uint_eq(records.trouble.len, 0);
	fill(barrier, 0, 3);
	inquiry_answer(barrier, &inquiry, 0, &arena, &records);
	ck_assert_uint_le(records.n, 3);
	check_record(barrier, "saga-001/a#0/0/do", BARRIER_REFUSED, "", "", "");
	arena_release(&arena);
	barrier_close(barrier);
}
END_TEST

START_TEST(test_a_host_that_cannot_list)
{
	const struct inquiry_message page = {.limit = 10};
	static const struct slice id = {"a", 1};
	const struct inquiry_message ids = {.ids = &id, .n_ids = 1};
	struct barrier *barrier = barriers[1].open();
	struct barrier_ops ops = *barrier->ops;
	struct records_message records;
	struct arena arena = {0};

	ops.list = NULL;
	barrier->ops = &ops;
	inquiry_answer(barrier, &page, 0, &arena, &records);
	ck_assert(slice_is(records.trouble, "its barrier cannot be walked through: give its "
					    "callbacks a `list`"));
	inquiry_answer(barrier, &ids, 0, &arena, &records);
	ck_assert_uint_eq(records.trouble.len, 0);
	ck_assert_uint_eq(records.n, 1);
	arena_release(&arena);
	barrier_close(barrier);
}
END_TEST

/* Each call of the host's fails in turn: it is told, and nothing is wrong afterwards. */
START_TEST(test_every_call_fails_in_turn)
{
	const struct inquiry_message page = {.limit = 10};
	struct host *host = host_new();
	struct barrier *barrier = barrier_of(host_barrier(host, true));
	struct records_message records;
	struct arena arena = {0};
	int n_failed = 0;

	fill(barrier, 0, 5);
	for (int n = 0; n < 10; n++) {
		host_fail_at(host, n);
		inquiry_answer(barrier, &page, 0, &arena, &records);
		ck_assert(records.trouble.len ? records.n == 0 : records.n == 5);
		if (records.trouble.len)
			ck_assert(slice_is(records.trouble, "the host is out of order"));
		n_failed += records.trouble.len > 0;
		if (!host_has_failed(host))
			break;
	}
	ck_assert_int_eq(n_failed, 2); /* begin and list; nothing was to be committed */
	barrier_close(barrier);
	host_free(host);
	arena_release(&arena);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	const struct inquiry_message page = {.limit = 10};
	struct barrier *barrier = barriers[_i].open();
	struct records_message records;
	bool failed = true;

	fill(barrier, 0, 5);
	for (size_t n = 0; failed; n++) {
		struct arena arena = {0};

		fail_malloc_at(n);
		inquiry_answer(barrier, &page, 0, &arena, &records);
		failed = fail_malloc_off();
		ck_assert(failed || records.trouble.len == 0);
		arena_release(&arena);
		ck_assert_uint_lt(n, 1000);
	}
	barrier_close(barrier);
}
END_TEST

START_TEST(test_a_page_takes_what_it_has_room_for)
{
	struct record_message records[1];
	struct barrier_page page = {.records = records, .max = 1, .since_ms = 10};
	struct arena arena = {0}, none = {.max = 1};

	ck_assert_int_eq(barrier_page_add(&page, slice_of("old"), BARRIER_OK, 9, &arena), OK);
	ck_assert_uint_eq(page.n, 0);
	ck_assert_int_eq(barrier_page_add(&page, slice_of("new"), BARRIER_OK, 10, &none),
			 ERR_NOMEM);
	ck_assert_uint_eq(page.n, 0);
	ck_assert_int_eq(barrier_page_add(&page, slice_of("new"), BARRIER_UNDONE, 10, &arena),
			 OK);
	ck_assert(page.n == 1 && slice_is(records[0].id, "new") && records[0].first_ms == 10 &&
		  records[0].state == RECORD_UNDONE);
	ck_assert_int_eq(barrier_page_add(&page, slice_of("more"), BARRIER_OK, 10, &arena),
			 ERR_TOO_LARGE);
	arena_release(&arena);
	arena_release(&none);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_page_takes_what_it_has_room_for);
	tcase_add_loop_test(tcase, test_every_record_is_on_a_page, 0, n_barriers);
	tcase_add_loop_test(tcase, test_old_ones_are_left_out, 0, n_barriers);
	tcase_add_loop_test(tcase, test_the_records_of_commands_in_their_order, 0, n_barriers);
	tcase_add_loop_test(tcase, test_it_leaves_the_barrier_as_it_was, 0, n_barriers);
	tcase_add_test(tcase, test_a_host_that_cannot_list);
	tcase_add_test(tcase, test_every_call_fails_in_turn);
	tcase_add_loop_test(tcase, test_every_allocation_fails_in_turn, 0, n_barriers);
}

int main(void)
{
	barriers_find();
	return suite_run("inquiry", add);
}

/* test_barrier_callbacks.c - a barrier that is lent to the library: what a host may leave
 * out, what it may say, and what becomes of a call when memory fails.
 *
 * That it is a barrier like the others is test_barrier.c's. */
#include "participants/lib/barrier.h"
#include "skald/barrier.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

/* A host with one record, which does as it is told. */
struct host {
	skald_record record; /* that find() gives */
	bool missing;        /* there is none */
	int result;          /* of every call */
	char kept[64];
	int closed;
};

static int host_begin(void *context)
{
	return ((struct host *)context)->result;
}

static void host_rollback(void *context)
{
}

static int host_find(void *context, const char *id, skald_found *found)
{
	struct host *host = context;

	if (!host->missing && !host->result)
		skald_found_set(found, &host->record);
	return host->result;
}

static int host_keep(void *context, const char *id, const skald_record *record)
{
	struct host *host = context;

	snprintf(host->kept, sizeof host->kept, "%s %d %s %s %s", id, (int)record->state,
		 record->output ? record->output : "-", record->code ? record->code : "-",
		 record->text ? record->text : "-");
	return host->result;
}

static int host_prune(void *context, int64_t before_ms, size_t limit)
{
	return ((struct host *)context)->result;
}

static const char *host_why(void *context)
{
	return "because";
}

static void host_close(void *context)
{
	((struct host *)context)->closed++;
}

static const skald_barrier_callbacks least = {.begin = host_begin,
					      .commit = host_begin,
					      .rollback = host_rollback,
					      .find = host_find,
					      .keep = host_keep};

static struct barrier *lend(skald_barrier_callbacks callbacks, struct host *host)
{
	skald_barrier *barrier = skald_barrier_new(&callbacks, host);

	ck_assert_ptr_nonnull(barrier);
	return barrier_of(barrier);
}

START_TEST(test_a_host_that_can_do_little_is_not_asked_for_more)
{
	struct host host = {.missing = true};
	struct barrier *barrier = lend(least, &host);

	ck_assert(!barrier_has_marks(barrier));
	ck_assert(!barrier->ops->prune);
	ck_assert(!barrier->ops->why);
	barrier_close(barrier);
	ck_assert_int_eq(host.closed, 0);
}
END_TEST

START_TEST(test_a_mark_is_of_no_use_without_the_way_back)
{
	skald_barrier_callbacks callbacks = least;
	struct host host = {.missing = true};
	struct barrier *barrier;

	callbacks.mark = host_begin;
	barrier = lend(callbacks, &host);
	ck_assert(!barrier_has_marks(barrier));
	barrier_close(barrier);
}
END_TEST

START_TEST(test_a_host_that_can_do_all_is_asked_for_it)
{
	skald_barrier_callbacks callbacks = least;
	struct host host = {.missing = true};
	struct barrier *barrier;

	callbacks.prune = host_prune;
	callbacks.why = host_why;
	callbacks.close = host_close;
	barrier = lend(callbacks, &host);
	ck_assert_int_eq(barrier->ops->prune(barrier, 1, 1), OK);
	host.result = 1;
	ck_assert_int_eq(barrier->ops->prune(barrier, 1, 1), ERR_UNAVAILABLE);
	ck_assert_str_eq(barrier->ops->why(barrier), "because");
	barrier_close(barrier);
	ck_assert_int_eq(host.closed, 1);
}
END_TEST

static const struct found_row {
	const char *name;
	skald_record record;
	bool missing;
	int result;
	enum err err;
	enum barrier_state state;
} found_rows[] = {
	{"a command that was done",
	 {.state = SKALD_RECORD_OK, .output = "{}"},
	 false,
	 0,
	 OK,
	 BARRIER_OK},
	{"one that was undone", {.state = SKALD_RECORD_UNDONE}, false, 0, OK, BARRIER_UNDONE},
	{"none", {.state = 0}, true, 0, OK, BARRIER_NONE},
	{"a state that is below all", {.state = 0}, false, 0, ERR_CORRUPT, BARRIER_NONE},
	{"a state of a later version",
	 {.state = SKALD_RECORD_UNDONE + 1},
	 false,
	 0,
	 ERR_CORRUPT,
	 BARRIER_NONE},
	{"a database that is away", {.state = 1}, false, 1, ERR_UNAVAILABLE, BARRIER_NONE},
};

START_TEST(test_what_a_host_finds)
{
	const struct found_row *row = &found_rows[_i];
	struct host host = {.record = row->record, .missing = row->missing};
	struct barrier *barrier = lend(least, &host);
	struct barrier_record record;
	struct arena arena = {0};

	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	host.result = row->result;
	ck_assert_msg(barrier->ops->find(barrier, SLICE_LITERAL("c"), &arena, &record) ==
			      row->err,
		      "%s", row->name);
	ck_assert_msg(record.state == row->state, "%s: %d", row->name, record.state);
	barrier_close(barrier);
	arena_release(&arena);
}
END_TEST

static const char long_text[] =
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

START_TEST(test_every_allocation_of_a_find_fails_in_turn)
{
	struct host host = {.record = {.state = SKALD_RECORD_REFUSED,
				       .output = long_text,
				       .code = long_text,
				       .text = long_text}};
	bool fired = true;
	size_t n = 0;

	for (; fired; n++) {
		struct barrier *barrier = lend(least, &host);
		struct arena arena = {0};
		struct barrier_record record;
		enum err err;

		fail_malloc_at(n);
		err = barrier->ops->find(barrier, slice_of(long_text), &arena, &record);
		fired = fail_malloc_off();
		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
		ck_assert(fired || slice_is(record.text, long_text));
		barrier_close(barrier);
		arena_release(&arena);
	}
	ck_assert_uint_gt(n, 2);
}
END_TEST

START_TEST(test_every_allocation_of_a_keep_fails_in_turn)
{
	const struct barrier_record record = {.state = BARRIER_REFUSED,
					      .code = SLICE_LITERAL("late"),
					      .text = SLICE_LITERAL("too late")};
	bool fired = true;
	size_t n = 0;

	for (; fired; n++) {
		struct host host = {.missing = true};
		struct barrier *barrier = lend(least, &host);
		enum err err;

		ck_assert_int_eq(barrier->ops->begin(barrier), OK);
		fail_malloc_at(n);
		err = barrier->ops->keep(barrier, SLICE_LITERAL("c-1"), &record);
		fired = fail_malloc_off();
		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
		ck_assert_str_eq(host.kept, fired ? "" : "c-1 2 - late too late");
		barrier_close(barrier);
	}
	ck_assert_uint_gt(n, 1);
}
END_TEST

START_TEST(test_no_memory_for_a_barrier)
{
	struct host host = {.missing = true};
	skald_barrier *barrier;

	fail_malloc_at(0);
	barrier = skald_barrier_new(&least, &host);
	fail_malloc_off();
	ck_assert_ptr_null(barrier);
	fail_malloc_at(0);
	barrier = skald_barrier_memory();
	fail_malloc_off();
	ck_assert_ptr_null(barrier);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_host_that_can_do_little_is_not_asked_for_more);
	tcase_add_test(tcase, test_a_mark_is_of_no_use_without_the_way_back);
	tcase_add_test(tcase, test_a_host_that_can_do_all_is_asked_for_it);
	tcase_add_loop_test(tcase, test_what_a_host_finds, 0, ROWS(found_rows));
	tcase_add_test(tcase, test_every_allocation_of_a_find_fails_in_turn);
	tcase_add_test(tcase, test_every_allocation_of_a_keep_fails_in_turn);
	tcase_add_test(tcase, test_no_memory_for_a_barrier);
}

int main(void)
{
	return suite_run("barrier_callbacks", add);
}

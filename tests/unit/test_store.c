/* test_store.c - the contract of orchestrator/store/store.h, over every store */
#include "tests/lib/fail_malloc.h"
#include "tests/lib/shelf.h"
#include "tests/lib/sqlite_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

static struct saga_write write_of(const char *id, uint64_t revision, enum status status,
				  const char *record)
{
	return shelf_write((struct shelf_saga){
		.id = id, .revision = revision, .status = status, .record = record});
}

static enum err commit(struct shelf *shelf, const char *id, uint64_t revision,
		       enum status status, const char *record)
{
	return shelf_put(shelf, (struct shelf_saga){.id = id,
						    .revision = revision,
						    .status = status,
						    .record = record});
}

static void check_stored(struct shelf *shelf, const char *id, const char *record)
{
	ck_assert_msg(shelf_holds(shelf, id, record), "%s holds not %s", id,
		      record ? record : "nothing");
}

static enum err load(struct shelf *shelf, struct shelf_walk *visited)
{
	struct store_batch newest;

	return store_load(shelf->store, NULL, &newest, shelf_note_record, visited);
}

/* --- at a revision -------------------------------------------------------------------- */

/* What is tried in turn, and what becomes of it. */
static const struct row {
	const char *name;
	struct trial {
		const char *id;
		uint64_t revision;
		const char *record;
		enum err result;
	} trials[5];
	const char *stored; /* of the saga "a" in the end */
} rows[] = {
	{"a new saga is written at revision 1", {{"a", 1, "one", OK}}, "one"},
	{"every later write is at the next revision",
	 {{"a", 1, "one", OK}, {"a", 2, "two", OK}, {"a", 3, "three", OK}},
	 "three"},
	{"a saga that is there cannot be new",
	 {{"a", 1, "one", OK}, {"a", 1, "other", ERR_CONFLICT}},
	 "one"},
	{"a saga that is not there can only be new", {{"a", 2, "two", ERR_CONFLICT}}, NULL},
	{"the same revision twice is a conflict, even with the same bytes",
	 {{"a", 1, "one", OK}, {"a", 2, "two", OK}, {"a", 2, "two", ERR_CONFLICT}},
	 "two"},
	{"an older revision is a conflict",
	 {{"a", 1, "one", OK}, {"a", 2, "two", OK}, {"a", 1, "old", ERR_CONFLICT}},
	 "two"},
	{"what was decided on another revision than the stored one is a conflict",
	 {{"a", 1, "one", OK}, {"a", 3, "three", ERR_CONFLICT}, {"a", 2, "two", OK}},
	 "two"},
	{"after a conflict the next revision is what it was before",
	 {{"a", 1, "one", OK}, {"a", 1, "other", ERR_CONFLICT}, {"a", 2, "two", OK}},
	 "two"},
	{"another saga has revisions of its own, even where one id begins with the other",
	 {{"a", 1, "one", OK}, {"ab", 1, "other", OK}, {"a", 2, "two", OK}},
	 "two"},
};

START_TEST(test_row)
{
	const struct row *row = &rows[_i % ROWS(rows)];
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)(_i / ROWS(rows)));
	for (int n = 0; n < 5 && row->trials[n].id; n++) {
		const struct trial *trial = &row->trials[n];
		enum err result = commit(&shelf, trial->id, trial->revision, STATUS_RUNNING,
					 trial->record);

		ck_assert_msg(result == trial->result, "%s: %s of %s is %s", row->name,
			      trial->record, trial->id, err_text(result));
	}
	check_stored(&shelf, "a", row->stored);
	shelf_reopen(&shelf);
	check_stored(&shelf, "a", row->stored);
	shelf_close(&shelf);
}
END_TEST

/* Several events of one batch are one write. */
START_TEST(test_a_write_may_pass_over_revisions)
{
	struct saga_write write = write_of("a", 3, STATUS_RUNNING, "three");
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	write.before = 0;
	ck_assert_int_eq(store_commit(shelf.store, &shelf_batch, &write, 1, NULL, 0), OK);
	ck_assert_int_eq(write.result, OK);
	write = write_of("a", 7, STATUS_RUNNING, "seven");
	write.before = 2;
	ck_assert_int_eq(store_commit(shelf.store, &shelf_batch, &write, 1, NULL, 0), OK);
	ck_assert_int_eq(write.result, ERR_CONFLICT);
	write.before = 3;
	ck_assert_int_eq(store_commit(shelf.store, &shelf_batch, &write, 1, NULL, 0), OK);
	ck_assert_int_eq(write.result, OK);
	ck_assert_int_eq(commit(&shelf, "a", 8, STATUS_RUNNING, "eight"), OK);
	check_stored(&shelf, "a", "eight");
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_a_conflict_concerns_its_saga_alone)
{
	struct saga_write writes[] = {
		write_of("a", 1, STATUS_RUNNING, "a one"),
		write_of("b", 1, STATUS_RUNNING, "b again"),
		write_of("c", 7, STATUS_RUNNING, "c seven"),
		write_of("d", 1, STATUS_RUNNING, "d one"),
	};
	struct store_counts counts;
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	ck_assert_int_eq(commit(&shelf, "b", 1, STATUS_RUNNING, "b one"), OK);
	ck_assert_int_eq(store_counts(shelf.store, &counts), OK);
	ck_assert_int_eq(store_commit(shelf.store, &shelf_batch, writes, ROWS(writes), NULL, 0),
			 OK);
	ck_assert_int_eq(writes[0].result, OK);
	ck_assert_int_eq(writes[1].result, ERR_CONFLICT);
	ck_assert_int_eq(writes[2].result, ERR_CONFLICT);
	ck_assert_int_eq(writes[3].result, OK);
	check_stored(&shelf, "a", "a one");
	check_stored(&shelf, "b", "b one");
	check_stored(&shelf, "c", NULL);
	check_stored(&shelf, "d", "d one");
	ck_assert_int_eq(store_counts(shelf.store, &counts), OK);
	ck_assert_uint_eq(counts.by_status[STATUS_RUNNING], 3);
	ck_assert_int_eq(store_commit(shelf.store, &shelf_batch, NULL, 0, NULL, 0), OK);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_the_store_keeps_its_own_copy)
{
	char id[] = "a", record[] = "one";
	struct slice got;
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	ck_assert_int_eq(commit(&shelf, id, 1, STATUS_RUNNING, record), OK);
	memset(id, '?', 1);
	memset(record, '?', 3);
	check_stored(&shelf, "a", "one");
	ck_assert_int_eq(store_get(shelf.store, slice_of("a"), &shelf.arena, NULL, &got), OK);
	ck_assert_int_eq(commit(&shelf, "a", 2, STATUS_RUNNING, "two"), OK);
	ck_assert(slice_is(got, "one"));
	shelf_close(&shelf);
	store_close(NULL);
}
END_TEST

/* Records are bytes, not text. */
START_TEST(test_any_bytes_can_be_stored)
{
	static char large[SAGA_BYTES_MAX];
	struct saga_write write = write_of("a", 1, STATUS_RUNNING, "");
	struct slice got;
	struct shelf shelf;

	for (size_t n = 0; n < sizeof large; n++)
		large[n] = (char)(n * 7);
	write.record = (struct slice){large, sizeof large};
	shelf_open(&shelf, (enum shelf_kind)_i);
	ck_assert_int_eq(store_commit(shelf.store, &shelf_batch, &write, 1, NULL, 0), OK);
	ck_assert_int_eq(write.result, OK);
	shelf_reopen(&shelf);
	ck_assert_int_eq(store_get(shelf.store, write.row.id, &shelf.arena, NULL, &got), OK);
	ck_assert(slice_equal(got, write.record));
	shelf_close(&shelf);
}
END_TEST

/* --- rows ------------------------------------------------------------------------------- */

static void check_row(const struct saga_row *got, const struct saga_row *expected)
{
	ck_assert(slice_equal(got->id, expected->id) && slice_equal(got->key, expected->key));
	ck_assert(slice_equal(got->saga, expected->saga));
	ck_assert(slice_equal(got->version, expected->version));
	ck_assert(slice_equal(got->step, expected->step));
	ck_assert(slice_equal(got->reason, expected->reason));
	ck_assert_int_eq(got->status, expected->status);
	ck_assert_int_eq(got->paused, expected->paused);
	ck_assert_int_eq(got->started_ms, expected->started_ms);
	ck_assert_int_eq(got->updated_ms, expected->updated_ms);
	ck_assert_int_eq(got->ended_ms, expected->ended_ms);
	ck_assert_uint_eq(got->revision, expected->revision);
}

static enum err check_listed(void *context, const struct saga_row *row)
{
	check_row(row, context);
	return OK;
}

/* With all that it can hold, with as little as it can hold, and what a later
 * write changes. */
START_TEST(test_get_and_list_give_the_row)
{
	struct saga_write write = {.row = {.id = SLICE_LITERAL("01hf-1"),
					   .key = SLICE_LITERAL("k\0y '\xc3\xbc"),
					   .saga = SLICE_LITERAL("order"),
					   .version = SLICE_LITERAL("3.1.0"),
					   .status = STATUS_PARKED,
					   .paused = true,
					   .step = SLICE_LITERAL("charge"),
					   .reason = SLICE_LITERAL("no \"money\"; ask"),
					   .started_ms = 1700000000123,
					   .updated_ms = 1700000000456,
					   .revision = 1},
				   .record = SLICE_LITERAL("r")};
	struct saga_filter all = {.n_statuses = 0};
	struct slice record;
	struct saga_row row;
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	for (int n = 0; n < 2; n++) {
		ck_assert_int_eq(store_commit(shelf.store, &shelf_batch, &write, 1, NULL, 0),
				 OK);
		ck_assert_int_eq(write.result, OK);
		shelf_reopen(&shelf);
		ck_assert_int_eq(
			store_get(shelf.store, write.row.id, &shelf.arena, &row, &record), OK);
		check_row(&row, &write.row);
		ck_assert(slice_is(record, "r"));
		ck_assert_int_eq(store_list(shelf.store, &all, (struct slice){0}, 10,
					    check_listed, &write.row),
				 OK);
		write.row.status = STATUS_KILLED;
		write.row.paused = false;
		write.row.step = write.row.reason = (struct slice){0};
		write.row.updated_ms++;
		write.row.ended_ms = write.row.updated_ms;
		write.row.revision = UINT64_C(1) << 40;
		write.before = 1;
	}
	shelf_close(&shelf);
}
END_TEST

/* --- keys ------------------------------------------------------------------------------- */

static void check_found(struct shelf *shelf, const char *saga, const char *key,
			const char *expected)
{
	struct slice id = {0};
	enum err err =
		store_find(shelf->store, slice_of(saga), slice_of(key), &shelf->arena, &id);

	ck_assert_int_eq(err, expected ? OK : ERR_NOT_FOUND);
	ck_assert_msg(!expected || slice_is(id, expected), "%s of %s is %.*s", key, saga,
		      SLICE_ARG(id));
}

START_TEST(test_a_key_is_taken_once_in_a_saga)
{
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "a", .key = "k"}), OK);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "b", .key = "k"}),
			 ERR_CONFLICT);
	ck_assert_int_eq(
		shelf_put(&shelf, (struct shelf_saga){.id = "c", .key = "k", .saga = "trip"}),
		OK);
	/* A key may be the id of another saga, */
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "k"}), ERR_CONFLICT);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "k", .saga = "mail"}), OK);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "d", .key = "a"}), OK);
	/* and an id the key of another. */
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "e"}), OK);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "f", .key = "e"}),
			 ERR_CONFLICT);
	ck_assert_int_eq(
		shelf_put(&shelf, (struct shelf_saga){.id = "f", .key = "e", .saga = "trip"}),
		OK);
	shelf_reopen(&shelf);
	check_found(&shelf, "order", "k", "a");
	check_found(&shelf, "trip", "k", "c");
	check_found(&shelf, "mail", "k", "k");
	check_found(&shelf, "order", "a", "d");
	check_found(&shelf, "order", "e", "e");
	check_found(&shelf, "trip", "e", "f");
	check_found(&shelf, "trip", "a", NULL);
	check_found(&shelf, "order", "K", NULL);
	check_found(&shelf, "order", "", NULL);
	check_stored(&shelf, "b", NULL);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_a_key_is_free_again_once_its_saga_is_removed)
{
	struct shelf shelf;
	size_t n;

	shelf_open(&shelf, (enum shelf_kind)_i);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "a", .key = "k"}), OK);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "a",
							       .key = "k",
							       .revision = 2,
							       .status = STATUS_COMPLETED}),
			 OK);
	check_found(&shelf, "order", "k", "a");
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "b", .key = "k"}),
			 ERR_CONFLICT);
	ck_assert_int_eq(store_prune(shelf.store, SHELF_END_MS + 1, 10, &n), OK);
	ck_assert_uint_eq(n, 1);
	check_found(&shelf, "order", "k", NULL);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "b", .key = "k"}), OK);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "a"}), OK);
	shelf_close(&shelf);
}
END_TEST

/* --- loading ---------------------------------------------------------------------------- */

START_TEST(test_load_gives_what_has_not_ended_in_its_order)
{
	struct shelf_walk visited = {.n = 0};
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	ck_assert_int_eq(load(&shelf, &visited), OK);
	ck_assert_int_eq(visited.n, 0);
	commit(&shelf, "z", 1, STATUS_RUNNING, "running");
	commit(&shelf, "y", 1, STATUS_RUNNING, "ends");
	commit(&shelf, "x", 1, STATUS_PARKED, "parked");
	commit(&shelf, "w", 1, STATUS_COMPLETED, "completed");
	commit(&shelf, "v", 1, STATUS_COMPENSATED, "compensated");
	commit(&shelf, "u", 1, STATUS_KILLED, "killed");
	commit(&shelf, "t", 1, STATUS_RUNNING, "turns");
	commit(&shelf, "a", 1, STATUS_RUNNING, "last");
	commit(&shelf, "y", 2, STATUS_COMPLETED, "ended");
	commit(&shelf, "t", 2, STATUS_COMPENSATING, "turned");
	commit(&shelf, "z", 2, STATUS_RUNNING, "first");
	shelf_reopen(&shelf);
	ck_assert_int_eq(load(&shelf, &visited), OK);
	ck_assert_str_eq(visited.text, " first parked turned last");
	shelf_close(&shelf);
}
END_TEST

/* The clock may go back: what counts is when a saga says that it began. */
START_TEST(test_the_order_is_that_of_the_starts)
{
	struct shelf_walk visited = {.n = 0};
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "d", .started_ms = 3000}),
			 OK);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "a", .started_ms = 1000}),
			 OK);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "e", .started_ms = 3000}),
			 OK);
	shelf_reopen(&shelf);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "b", .started_ms = 1000}),
			 OK);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "c", .started_ms = 2000}),
			 OK);
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "f", .started_ms = 3000}),
			 OK);
	ck_assert_int_eq(load(&shelf, &visited), OK);
	ck_assert_str_eq(visited.text, " a b c d e f");
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_an_error_of_the_visitor_ends_the_walk)
{
	struct shelf_walk visited = {.stop_after = 2};
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	commit(&shelf, "c", 1, STATUS_RUNNING, "c");
	commit(&shelf, "b", 1, STATUS_RUNNING, "b");
	commit(&shelf, "a", 1, STATUS_RUNNING, "a");
	ck_assert_int_eq(load(&shelf, &visited), ERR_NOT_FOUND);
	ck_assert_str_eq(visited.text, " c b");
	/* Another walk begins anew, and nothing holds a commit up. */
	visited = (struct shelf_walk){.n = 0};
	ck_assert_int_eq(commit(&shelf, "d", 1, STATUS_RUNNING, "d"), OK);
	ck_assert_int_eq(load(&shelf, &visited), OK);
	ck_assert_str_eq(visited.text, " c b a d");
	shelf_close(&shelf);
}
END_TEST

/* --- batches ---------------------------------------------------------------------------- */

/* "a 2": not sent, with two entries; "a": sent. */
static enum err note_loaded(void *walk, const struct loaded_saga *saga)
{
	char text[64];

	if (saga->sent)
		ck_assert_uint_eq(saga->n_news, 0);
	snprintf(text, sizeof text, saga->sent ? "%.*s" : "%.*s-%u", SLICE_ARG(saga->record),
		 (unsigned)saga->n_news);
	return shelf_note(walk, slice_of(text));
}

/* Write a saga, which is also its record, in this batch. */
static enum err put(struct shelf *shelf, struct store_batch batch, struct saga_write write,
		    uint32_t n_news)
{
	write.n_news = n_news;
	ck_assert_int_eq(store_commit(shelf->store, &batch, &write, 1, NULL, 0), OK);
	return write.result;
}

/* What loading gives, also after it was closed and opened again. */
static void check_loaded(struct shelf *shelf, struct store_batch batch, const char *expected)
{
	for (int i = 0; i < 2; i++) {
		struct shelf_walk visited = {.n = 0};
		struct store_batch newest;

		ck_assert_int_eq(store_load(shelf->store, NULL, &newest, note_loaded, &visited),
				 OK);
		ck_assert_str_eq(visited.text, expected);
		ck_assert_uint_eq(newest.number, batch.number);
		ck_assert_uint_eq(newest.sent, batch.sent);
		shelf_reopen(shelf);
	}
}

START_TEST(test_what_was_not_sent_is_loaded_whatever_its_status)
{
	struct store_batch first = {1, 0}, second = {2, 1}, third = {3, 1}, last = {7, 3};
	struct audit_entry audit = {1, SLICE_LITERAL("c"), SLICE_LITERAL("pause"), {0}, {0}};
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	check_loaded(&shelf, (struct store_batch){0, 0}, "");
	put(&shelf, first, write_of("d", 1, STATUS_COMPLETED, "d"), 5);
	put(&shelf, first, write_of("c", 1, STATUS_RUNNING, "c"), 3);
	put(&shelf, first, write_of("b", 1, STATUS_KILLED, "b"), 0);
	/* First those that have not ended. */
	check_loaded(&shelf, first, " c-3 d-5 b-0");
	put(&shelf, second, write_of("a", 1, STATUS_COMPENSATED, "a"), 1);
	check_loaded(&shelf, second, " c a-1");
	/* What is not written is not in the batch; what is written again is there once. */
	ck_assert_int_eq(put(&shelf, third, write_of("c", 1, STATUS_RUNNING, "c"), 9),
			 ERR_CONFLICT);
	put(&shelf, third, write_of("a", 2, STATUS_COMPENSATED, "A"), 4);
	check_loaded(&shelf, third, " c A-4");
	put(&shelf, third, write_of("c", 2, STATUS_COMPLETED, "C"), 6);
	check_loaded(&shelf, third, " C-6 A-4");
	/* A batch need not write a saga. */
	ck_assert_int_eq(store_commit(shelf.store, &last, NULL, 0, &audit, 1), OK);
	check_loaded(&shelf, last, "");
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_the_numbers_of_batches_never_go_back)
{
	struct store_batch newer = {8, 6}, older = {7, 2};
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	put(&shelf, newer, write_of("a", 1, STATUS_COMPLETED, "a"), 1);
	put(&shelf, older, write_of("b", 1, STATUS_COMPLETED, "b"), 2);
	put(&shelf, (struct store_batch){1, 1}, write_of("c", 1, STATUS_RUNNING, "c"), 3);
	ck_assert(shelf_holds(&shelf, "b", "b"));
	check_loaded(&shelf, newer, " c a-1 b-2");
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_what_was_not_sent_and_is_pruned_is_gone)
{
	struct store_batch batch = {2, 1};
	struct shelf shelf;
	size_t n;

	shelf_open(&shelf, (enum shelf_kind)_i);
	put(&shelf, batch, write_of("a", 1, STATUS_COMPLETED, "a"), 1);
	put(&shelf, batch, write_of("b", 1, STATUS_COMPLETED, "b"), 2);
	ck_assert_int_eq(store_prune(shelf.store, INT64_MAX, 1, &n), OK);
	check_loaded(&shelf, batch, " b-2");
	shelf_close(&shelf);
}
END_TEST

/* A saga that was completed and is undone is under way again. */
START_TEST(test_an_undone_saga_is_loaded_again)
{
	struct shelf_walk visited = {.n = 0};
	struct shelf shelf;
	size_t n;

	shelf_open(&shelf, (enum shelf_kind)_i);
	commit(&shelf, "a", 1, STATUS_COMPLETED, "completed");
	commit(&shelf, "b", 1, STATUS_RUNNING, "b");
	commit(&shelf, "a", 2, STATUS_COMPENSATING, "undone");
	ck_assert_int_eq(load(&shelf, &visited), OK);
	ck_assert_str_eq(visited.text, " undone b");
	ck_assert_int_eq(store_prune(shelf.store, INT64_MAX, 10, &n), OK);
	ck_assert_uint_eq(n, 0);
	shelf_close(&shelf);
}
END_TEST

enum { MANY = 3000 };

START_TEST(test_many_sagas)
{
	struct saga_write writes[100];
	struct shelf_walk visited = {.n = 0};
	char ids[100][16];
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	for (int n = 0; n < MANY; n++) {
		snprintf(ids[n % 100], sizeof ids[0], "s-%d", n);
		writes[n % 100] = write_of(ids[n % 100], 1, STATUS_RUNNING, ids[n % 100]);
		if (n % 100 == 99)
			ck_assert_int_eq(
				store_commit(shelf.store, &shelf_batch, writes, 100, NULL, 0),
				OK);
	}
	for (int n = 0; n < MANY; n++) {
		snprintf(ids[0], sizeof ids[0], "s-%d", n);
		check_stored(&shelf, ids[0], ids[0]);
	}
	ck_assert_int_eq(load(&shelf, &visited), OK);
	ck_assert_int_eq(visited.n, MANY);
	ck_assert(!strncmp(visited.text, " s-0 s-1 s-2 s-3 ", 17));
	shelf_close(&shelf);
}
END_TEST

/* --- no memory ---------------------------------------------------------------------------- */

/* Everything that a store does, once; the first error that there was. */
static enum err do_everything(struct shelf *shelf)
{
	struct saga_write writes[] = {write_of("a", 1, STATUS_RUNNING, "one"),
				      write_of("b", 1, STATUS_COMPLETED, "two")};
	struct audit_entry audit = {1, SLICE_LITERAL("a"), SLICE_LITERAL("pause"), {0}, {0}};
	struct stored_definition definition = {
		{7}, SLICE_LITERAL("order"), SLICE_LITERAL("1.0.0"), SLICE_LITERAL("x"), 5};
	struct saga_filter all = {.n_statuses = 0};
	struct shelf_walk visited = {.n = 0};
	struct store_counts counts;
	struct slice record, id;
	struct saga_row row;
	enum err err;
	size_t n;

	err = store_commit(shelf->store, &shelf_batch, writes, 2, &audit, 1);
	err = err ? err : store_get(shelf->store, slice_of("a"), &shelf->arena, &row, &record);
	err = err ? err
		  : store_find(shelf->store, slice_of("order"), slice_of("b"), &shelf->arena,
			       &id);
	err = err ? err : load(shelf, &visited);
	err = err ? err
		  : store_list(shelf->store, &all, (struct slice){0}, 9, shelf_note_row,
			       &visited);
	err = err ? err : store_counts(shelf->store, &counts);
	err = err ? err : store_put_definition(shelf->store, &definition);
	err = err ? err : store_prune(shelf->store, SHELF_END_MS + 1, 9, &n);
	return err;
}

START_TEST(test_every_allocation_fails_in_turn)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct store_counts counts;
		struct shelf shelf;
		enum err err = ERR_NOMEM;

		fail_malloc_at(n);
		if (shelf_init(&shelf, (enum shelf_kind)_i))
			err = shelf_open_store(&shelf);
		if (!err)
			err = do_everything(&shelf);
		fired = fail_malloc_off();
		ck_assert_msg(!err || (fired && err == ERR_NOMEM), "at %zu: %s (%s)", n,
			      err_text(err), shelf.store ? shelf.store->trouble.text : "");
		/* SQLite can do without some of its memory. */
		ck_assert(err || !fired || shelf.kind == SHELF_SQLITE);
		if (shelf.store) {
			/* Tried again, each is written or was written before. */
			enum err again = do_everything(&shelf);

			ck_assert_msg(!again || again == ERR_NOT_FOUND, "at %zu: %s (%s)", n,
				      err_text(again), shelf.store->trouble.text);
			check_stored(&shelf, "a", "one");
			shelf_reopen(&shelf);
			ck_assert_int_eq(store_counts(shelf.store, &counts), OK);
			ck_assert_uint_eq(counts.by_status[STATUS_RUNNING], 1);
			ck_assert_uint_eq(counts.by_status[STATUS_COMPLETED], 0);
		}
		shelf_close(&shelf);
	}
}
END_TEST

static enum err count_audit(void *context, const struct audit_entry *entry)
{
	++*(int *)context;
	return OK;
}

static void check_n_audit(struct shelf *shelf, int expected)
{
	int n = 0;

	ck_assert_int_eq(store_audit(shelf->store, (struct slice){0}, 9, count_audit, &n), OK);
	ck_assert_int_eq(n, expected);
}

/* A batch that found no memory leaves nothing behind. */
START_TEST(test_no_memory_for_a_batch)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct saga_write writes[] = {write_of("a", 2, STATUS_RUNNING, "two"),
					      write_of("b", 1, STATUS_RUNNING, "one")};
		struct audit_entry audit = {
			1, SLICE_LITERAL("a"), SLICE_LITERAL("pause"), {0}, {0}};
		struct store_counts counts;
		struct shelf shelf;
		enum err err;

		shelf_open(&shelf, (enum shelf_kind)_i);
		ck_assert_int_eq(commit(&shelf, "a", 1, STATUS_RUNNING, "one"), OK);
		ck_assert_int_eq(store_counts(shelf.store, &counts), OK);
		fail_malloc_at(n);
		err = store_commit(shelf.store, &shelf_batch, writes, 2, &audit, 1);
		fired = fail_malloc_off();
		ck_assert(!err || (fired && err == ERR_NOMEM));
		ck_assert_int_eq(store_counts(shelf.store, &counts), OK);
		ck_assert_uint_eq(counts.by_status[STATUS_RUNNING], err ? 1 : 2);
		check_stored(&shelf, "a", err ? "one" : "two");
		check_stored(&shelf, "b", err ? NULL : "one");
		check_n_audit(&shelf, err ? 0 : 1);
		if (err) {
			ck_assert_int_eq(
				store_commit(shelf.store, &shelf_batch, writes, 2, &audit, 1),
				OK);
			ck_assert_int_eq(writes[0].result, OK);
			ck_assert_int_eq(writes[1].result, OK);
			check_n_audit(&shelf, 1);
		}
		shelf_close(&shelf);
	}
}
END_TEST

/* A table that cannot grow takes nothing more, and what is in it stays. */
START_TEST(test_no_memory_for_many_sagas)
{
	struct shelf shelf;
	char id[16];

	shelf_open(&shelf, SHELF_MEMORY);
	for (int n = 0; n < MANY; n++) {
		struct saga_write write;
		enum err err;

		snprintf(id, sizeof id, "s-%d", n);
		write = write_of(id, 1, STATUS_RUNNING, id);
		fail_malloc_at((size_t)n % 4);
		err = store_commit(shelf.store, &shelf_batch, &write, 1, NULL, 0);
		if (fail_malloc_off()) {
			ck_assert_int_eq(err, ERR_NOMEM);
			ck_assert_int_eq(
				store_commit(shelf.store, &shelf_batch, &write, 1, NULL, 0),
				OK);
		}
		ck_assert_int_eq(write.result, OK);
	}
	check_stored(&shelf, "s-0", "s-0");
	check_stored(&shelf, "s-2999", "s-2999");
	shelf_close(&shelf);
}
END_TEST

static void add(TCase *tcase)
{
	int n = shelf_kinds;

	tcase_add_loop_test(tcase, test_row, 0, n * ROWS(rows));
	tcase_add_loop_test(tcase, test_a_write_may_pass_over_revisions, 0, n);
	tcase_add_loop_test(tcase, test_a_conflict_concerns_its_saga_alone, 0, n);
	tcase_add_loop_test(tcase, test_the_store_keeps_its_own_copy, 0, n);
	tcase_add_loop_test(tcase, test_any_bytes_can_be_stored, 0, n);
	tcase_add_loop_test(tcase, test_get_and_list_give_the_row, 0, n);
	tcase_add_loop_test(tcase, test_a_key_is_taken_once_in_a_saga, 0, n);
	tcase_add_loop_test(tcase, test_a_key_is_free_again_once_its_saga_is_removed, 0, n);
	tcase_add_loop_test(tcase, test_load_gives_what_has_not_ended_in_its_order, 0, n);
	tcase_add_loop_test(tcase, test_the_order_is_that_of_the_starts, 0, n);
	tcase_add_loop_test(tcase, test_an_error_of_the_visitor_ends_the_walk, 0, n);
	tcase_add_loop_test(tcase, test_what_was_not_sent_is_loaded_whatever_its_status, 0,
			    shelf_kinds);
	tcase_add_loop_test(tcase, test_the_numbers_of_batches_never_go_back, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_what_was_not_sent_and_is_pruned_is_gone, 0,
			    shelf_kinds);
	tcase_add_loop_test(tcase, test_an_undone_saga_is_loaded_again, 0, n);
	tcase_add_loop_test(tcase, test_many_sagas, 0, n);
	tcase_add_loop_test(tcase, test_every_allocation_fails_in_turn, 0, n);
	tcase_add_loop_test(tcase, test_no_memory_for_a_batch, 0, n);
	tcase_add_test(tcase, test_no_memory_for_many_sagas);
}

int main(void)
{
	shelf_find();
	sqlite_malloc_use();
	return suite_run("store", add);
}

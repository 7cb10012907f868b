/* test_store.c - the contract of orchestrator/store/store.h, over every store */
#include "orchestrator/store/store_memory.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

/* `vault` is what the implementation keeps its sagas in. */
static const struct implementation {
	const char *name;
	struct vault *(*vault_new)(void);
	void (*vault_free)(struct vault *vault);
	struct store *(*open)(struct vault *vault);
} implementations[] = {
	{"memory", vault_new, vault_free, store_memory_open},
};

struct shelf {
	const struct implementation *implementation;
	struct vault *vault;
	struct store *store;
	struct arena arena;
};

static void shelf_open(struct shelf *shelf, int i)
{
	*shelf = (struct shelf){.implementation = &implementations[i]};
	shelf->vault = shelf->implementation->vault_new();
	ck_assert(shelf->vault);
	shelf->store = shelf->implementation->open(shelf->vault);
	ck_assert(shelf->store);
}

static void shelf_close(struct shelf *shelf)
{
	arena_release(&shelf->arena);
	store_close(shelf->store);
	shelf->implementation->vault_free(shelf->vault);
}

/* As after a crash of the process. */
static void reopen(struct shelf *shelf)
{
	store_close(shelf->store);
	shelf->store = shelf->implementation->open(shelf->vault);
	ck_assert(shelf->store);
}

static struct saga_write write_of(const char *id, uint64_t revision, enum status status,
				  const char *record)
{
	return (struct saga_write){.row = {.id = slice_of(id),
					   .key = slice_of(id),
					   .saga = SLICE_LITERAL("order"),
					   .status = status,
					   .started_ms = 1000,
					   .ended_ms = status_ended(status) ? 2000 : 0,
					   .revision = revision},
				   .record = slice_of(record),
				   .before = revision - 1,
				   .result = ERR_CORRUPT};
}

/* One saga alone; returns its result. */
static enum err commit(struct shelf *shelf, const char *id, uint64_t revision,
		       enum status status, const char *record)
{
	struct saga_write write = write_of(id, revision, status, record);

	ck_assert_int_eq(store_commit(shelf->store, &write, 1, NULL, 0), OK);
	return write.result;
}

static void check_stored(struct shelf *shelf, const char *id, const char *expected)
{
	struct slice record;
	enum err err = store_get(shelf->store, slice_of(id), &shelf->arena, NULL, &record);

	if (!expected) {
		ck_assert_int_eq(err, ERR_NOT_FOUND);
		return;
	}
	ck_assert_int_eq(err, OK);
	ck_assert_msg(slice_is(record, expected), "%s holds \"%.*s\"", id, SLICE_ARG(record));
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
	} tries[5];
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
	{"a revision must not be passed over",
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

	shelf_open(&shelf, _i / ROWS(rows));
	for (int n = 0; n < 5 && row->tries[n].id; n++) {
		const struct trial *trial = &row->tries[n];
		enum err result = commit(&shelf, trial->id, trial->revision, STATUS_RUNNING,
					 trial->record);

		ck_assert_msg(result == trial->result, "%s: %s of %s is %s", row->name,
			      trial->record, trial->id, err_text(result));
	}
	check_stored(&shelf, "a", row->stored);
	reopen(&shelf);
	check_stored(&shelf, "a", row->stored);
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
	struct shelf shelf;

	shelf_open(&shelf, _i);
	ck_assert_int_eq(commit(&shelf, "b", 1, STATUS_RUNNING, "b one"), OK);
	ck_assert_int_eq(store_commit(shelf.store, writes, ROWS(writes), NULL, 0), OK);
	ck_assert_int_eq(writes[0].result, OK);
	ck_assert_int_eq(writes[1].result, ERR_CONFLICT);
	ck_assert_int_eq(writes[2].result, ERR_CONFLICT);
	ck_assert_int_eq(writes[3].result, OK);
	check_stored(&shelf, "a", "a one");
	check_stored(&shelf, "b", "b one");
	check_stored(&shelf, "c", NULL);
	check_stored(&shelf, "d", "d one");
	ck_assert_int_eq(store_commit(shelf.store, NULL, 0, NULL, 0), OK);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_the_store_keeps_its_own_copy)
{
	char id[] = "a", record[] = "one";
	struct slice got;
	struct shelf shelf;

	shelf_open(&shelf, _i);
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
	shelf_open(&shelf, _i);
	ck_assert_int_eq(store_commit(shelf.store, &write, 1, NULL, 0), OK);
	ck_assert_int_eq(write.result, OK);
	ck_assert_int_eq(store_get(shelf.store, write.row.id, &shelf.arena, NULL, &got), OK);
	ck_assert(slice_equal(got, write.record));
	shelf_close(&shelf);
}
END_TEST

/* --- loading ---------------------------------------------------------------------------------
 */

struct visited {
	char text[200];
	int stop_after; /* fail there; 0: never */
	int n;
};

static enum err visit(void *context, struct slice record)
{
	struct visited *visited = context;
	size_t len = strlen(visited->text);

	snprintf(visited->text + len, sizeof visited->text - len, " %.*s", SLICE_ARG(record));
	return ++visited->n == visited->stop_after ? ERR_CORRUPT : OK;
}

START_TEST(test_load_gives_what_has_not_ended_in_its_order)
{
	struct visited visited = {.n = 0};
	struct shelf shelf;

	shelf_open(&shelf, _i);
	ck_assert_int_eq(store_load(shelf.store, visit, &visited), OK);
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
	reopen(&shelf);
	ck_assert_int_eq(store_load(shelf.store, visit, &visited), OK);
	ck_assert_str_eq(visited.text, " first parked turned last");
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_an_error_of_the_visitor_ends_the_walk)
{
	struct visited visited = {.stop_after = 2};
	struct shelf shelf;

	shelf_open(&shelf, _i);
	commit(&shelf, "c", 1, STATUS_RUNNING, "c");
	commit(&shelf, "b", 1, STATUS_RUNNING, "b");
	commit(&shelf, "a", 1, STATUS_RUNNING, "a");
	ck_assert_int_eq(store_load(shelf.store, visit, &visited), ERR_CORRUPT);
	ck_assert_str_eq(visited.text, " c b");
	shelf_close(&shelf);
}
END_TEST

/* A saga that was completed and is undone is under way again. */
START_TEST(test_an_undone_saga_is_loaded_again)
{
	struct visited visited = {.n = 0};
	struct shelf shelf;

	shelf_open(&shelf, _i);
	commit(&shelf, "a", 1, STATUS_COMPLETED, "completed");
	commit(&shelf, "b", 1, STATUS_RUNNING, "b");
	commit(&shelf, "a", 2, STATUS_COMPENSATING, "undone");
	ck_assert_int_eq(store_load(shelf.store, visit, &visited), OK);
	ck_assert_str_eq(visited.text, " undone b");
	shelf_close(&shelf);
}
END_TEST

enum { MANY = 1000 };

START_TEST(test_many_sagas)
{
	struct saga_write writes[100];
	struct visited visited = {.n = 0};
	char ids[100][16];
	struct shelf shelf;

	shelf_open(&shelf, _i);
	for (int n = 0; n < MANY; n++) {
		snprintf(ids[n % 100], sizeof ids[0], "s-%d", n);
		writes[n % 100] = write_of(ids[n % 100], 1, STATUS_RUNNING, ids[n % 100]);
		if (n % 100 == 99)
			ck_assert_int_eq(store_commit(shelf.store, writes, 100, NULL, 0), OK);
	}
	for (int n = 0; n < MANY; n++) {
		snprintf(ids[0], sizeof ids[0], "s-%d", n);
		check_stored(&shelf, ids[0], ids[0]);
	}
	ck_assert_int_eq(store_load(shelf.store, visit, &visited), OK);
	ck_assert_int_eq(visited.n, MANY);
	ck_assert(!strncmp(visited.text, " s-0 s-1 s-2 s-3 ", 17));
	shelf_close(&shelf);
}
END_TEST

/* --- every allocation fails in turn
 * ---------------------------------------------------------------
 */

START_TEST(test_every_allocation_fails_in_turn)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		enum err opened, committed = ERR_NOMEM, got = ERR_NOMEM, loaded = ERR_NOMEM;
		struct saga_write writes[] = {write_of("a", 1, STATUS_RUNNING, "one"),
					      write_of("b", 1, STATUS_RUNNING, "one")};
		struct visited visited = {.n = 0};
		struct shelf shelf = {.implementation = &implementations[_i]};
		struct slice record;

		fail_malloc_at(n);
		shelf.vault = shelf.implementation->vault_new();
		if (shelf.vault)
			shelf.store = shelf.implementation->open(shelf.vault);
		opened = shelf.store ? OK : ERR_NOMEM;
		if (!opened) {
			committed = store_commit(shelf.store, writes, 2, NULL, 0);
			got = store_get(shelf.store, writes[1].row.id, &shelf.arena, NULL,
					&record);
			loaded = store_load(shelf.store, visit, &visited);
		}
		fired = fail_malloc_off();
		ck_assert(fired == (opened || committed || got || loaded));
		ck_assert(committed != OK || got == ERR_NOMEM || got == OK);
		if (!opened) {
			/* Tried again, each is written or was written before. */
			ck_assert_int_eq(store_commit(shelf.store, writes, 2, NULL, 0), OK);
			check_stored(&shelf, "a", "one");
			check_stored(&shelf, "b", "one");
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
	int failed = 0;

	shelf_open(&shelf, _i);
	for (int n = 0; n < MANY; n++) {
		struct saga_write write;
		enum err err;

		snprintf(id, sizeof id, "s-%d", n);
		write = write_of(id, 1, STATUS_RUNNING, id);
		fail_malloc_at(0);
		err = store_commit(shelf.store, &write, 1, NULL, 0);
		fail_malloc_off();
		ck_assert_int_eq(err, ERR_NOMEM);
		failed++;
		ck_assert_int_eq(store_commit(shelf.store, &write, 1, NULL, 0), OK);
		ck_assert_int_eq(write.result, OK);
	}
	ck_assert_int_eq(failed, MANY);
	check_stored(&shelf, "s-0", "s-0");
	check_stored(&shelf, "s-999", "s-999");
	shelf_close(&shelf);
}
END_TEST

static void add(TCase *tcase)
{
	int n = ROWS(implementations);

	tcase_add_loop_test(tcase, test_row, 0, n * ROWS(rows));
	tcase_add_loop_test(tcase, test_a_conflict_concerns_its_saga_alone, 0, n);
	tcase_add_loop_test(tcase, test_the_store_keeps_its_own_copy, 0, n);
	tcase_add_loop_test(tcase, test_any_bytes_can_be_stored, 0, n);
	tcase_add_loop_test(tcase, test_load_gives_what_has_not_ended_in_its_order, 0, n);
	tcase_add_loop_test(tcase, test_an_error_of_the_visitor_ends_the_walk, 0, n);
	tcase_add_loop_test(tcase, test_an_undone_saga_is_loaded_again, 0, n);
	tcase_add_loop_test(tcase, test_many_sagas, 0, n);
	tcase_add_loop_test(tcase, test_every_allocation_fails_in_turn, 0, n);
	tcase_add_loop_test(tcase, test_no_memory_for_many_sagas, 0, n);
}

int main(void)
{
	return suite_run("store", add);
}

/* test_store_query.c - the contract of orchestrator/store/store.h beside sagas at
 * work: lists, counts, audit, definitions, retention; over every store */
#include "tests/lib/shelf.h"
#include "tests/lib/suite.h"

#include <stdio.h>

enum { MANY = 3000 };

/* --- lists ------------------------------------------------------------------------------ */

static void put_shop(struct shelf *shelf)
{
	static const struct shelf_saga sagas[] = {
		{.id = "a", .started_ms = 1000, .step = "charge"},
		{.id = "b", .started_ms = 2000, .key = "k", .step = "notify"},
		{.id = "c", .started_ms = 2000, .status = STATUS_COMPLETED},
		{.id = "d", .started_ms = 3000, .saga = "trip", .key = "k", .step = "charge"},
		{.id = "e",
		 .started_ms = 4000,
		 .saga = "trip",
		 .status = STATUS_PARKED,
		 .step = "book"},
		{.id = "f", .started_ms = 5000, .status = STATUS_COMPENSATED},
		{.id = "g",
		 .started_ms = 6000,
		 .status = STATUS_COMPENSATING,
		 .step = "charge"},
		{.id = "h", .started_ms = 7000, .status = STATUS_KILLED},
	};

	for (int i = 0; i < ROWS(sagas); i++)
		ck_assert_int_eq(shelf_put(shelf, sagas[i]), OK);
}

static const enum status running[] = {STATUS_RUNNING};
static const enum status under_way[] = {STATUS_COMPENSATING, STATUS_RUNNING, STATUS_PARKED};
static const enum status ended[] = {STATUS_KILLED, STATUS_COMPLETED, STATUS_COMPLETED};

static const struct list_row {
	const char *name;
	struct saga_filter filter;
	const char *after;
	size_t limit; /* 0: 100 */
	const char *expected;
} lists[] = {
	{"all, newest first", {.n_statuses = 0}, NULL, 0, " h g f e d c b a"},
	{"a first page", {.n_statuses = 0}, NULL, 3, " h g f"},
	{"the page behind it", {.n_statuses = 0}, "f", 3, " e d c"},
	{"the last page is short", {.n_statuses = 0}, "c", 3, " b a"},
	{"behind the last there is nothing", {.n_statuses = 0}, "a", 3, ""},
	{"of one name", {.saga = SLICE_LITERAL("trip")}, NULL, 0, " e d"},
	{"of one name, a page", {.saga = SLICE_LITERAL("order")}, "f", 2, " c b"},
	{"of a name that is not there", {.saga = SLICE_LITERAL("tri")}, NULL, 0, ""},
	{"with a key, of any name", {.key = SLICE_LITERAL("k")}, NULL, 0, " d b"},
	{"with a key that is the id", {.key = SLICE_LITERAL("e")}, NULL, 0, " e"},
	{"with a key, of one name",
	 {.key = SLICE_LITERAL("k"), .saga = SLICE_LITERAL("order")},
	 NULL,
	 0,
	 " b"},
	{"with a key, behind a saga", {.key = SLICE_LITERAL("k")}, "d", 0, " b"},
	{"with a key and a status that it has not",
	 {.key = SLICE_LITERAL("k"), .statuses = ended, .n_statuses = 3},
	 NULL,
	 0,
	 ""},
	{"at a step", {.step = SLICE_LITERAL("charge")}, NULL, 0, " g d a"},
	{"of one status", {.statuses = running, .n_statuses = 1}, NULL, 0, " d b a"},
	{"of several statuses, in one order",
	 {.statuses = under_way, .n_statuses = 3},
	 NULL,
	 0,
	 " g e d b a"},
	{"of several statuses, a page",
	 {.statuses = under_way, .n_statuses = 3},
	 "g",
	 2,
	 " e d"},
	{"a status that is named twice counts once",
	 {.statuses = ended, .n_statuses = 3},
	 NULL,
	 0,
	 " h c"},
	{"of a status, at a step",
	 {.statuses = under_way, .n_statuses = 3, .step = SLICE_LITERAL("charge")},
	 NULL,
	 0,
	 " g d a"},
	{"since a time, with it", {.since_ms = 3000}, NULL, 0, " h g f e d"},
	{"until a time, without it", {.until_ms = 3000}, NULL, 0, " c b a"},
	{"in between", {.since_ms = 2000, .until_ms = 4000}, NULL, 0, " d c b"},
	{"in between, behind a saga", {.since_ms = 2000, .until_ms = 4000}, "d", 0, " c b"},
	{"until a time, behind a saga that is older", {.until_ms = 4000}, "b", 0, " a"},
	{"until a time, behind a saga that is newer", {.until_ms = 3000}, "g", 2, " c b"},
	{"everything at once",
	 {.saga = SLICE_LITERAL("order"),
	  .key = SLICE_LITERAL("k"),
	  .step = SLICE_LITERAL("notify"),
	  .statuses = running,
	  .n_statuses = 1,
	  .since_ms = 2000,
	  .until_ms = 2001},
	 "d",
	 5,
	 " b"},
};

START_TEST(test_lists)
{
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	put_shop(&shelf);
	for (int i = 0; i < ROWS(lists); i++) {
		const struct list_row *list = &lists[i];
		struct shelf_walk visited = {.n = 0};

		ck_assert_int_eq(store_list(shelf.store, &list->filter, slice_of(list->after),
					    list->limit ? list->limit : 100, shelf_note_row,
					    &visited),
				 OK);
		ck_assert_msg(!strcmp(visited.text, list->expected), "%s: \"%s\"", list->name,
			      visited.text);
	}
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_a_list_ends_where_it_must)
{
	struct shelf_walk visited = {.stop_after = 2};
	struct saga_filter all = {.n_statuses = 0};
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	put_shop(&shelf);
	ck_assert_int_eq(
		store_list(shelf.store, &all, (struct slice){0}, 100, shelf_note_row, &visited),
		ERR_NOT_FOUND);
	ck_assert_str_eq(visited.text, " h g");
	ck_assert_int_eq(
		store_list(shelf.store, &all, (struct slice){0}, 0, shelf_note_row, &visited),
		OK);
	ck_assert_str_eq(visited.text, " h g");
	ck_assert_int_eq(
		store_list(shelf.store, &all, slice_of("gone"), 9, shelf_note_row, &visited),
		ERR_NOT_FOUND);
	ck_assert_int_eq(visited.n, 2);
	shelf_close(&shelf);
}
END_TEST

/* --- counts, audit, definitions ------------------------------------------------------------
 */

static void check_counts(struct shelf *shelf, const char *expected)
{
	struct store_counts counts;
	char text[64] = "";

	ck_assert_int_eq(store_counts(shelf->store, &counts), OK);
	for (int i = 0; i < STATUSES; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), " %u",
			 (unsigned)counts.by_status[i]);
	ck_assert_str_eq(text, expected);
}

/* In the order running, compensating, completed, compensated, parked, killed;
 * asked for once and then kept up, and counted anew. */
START_TEST(test_counts)
{
	struct shelf shelf;
	size_t n;

	shelf_open(&shelf, (enum shelf_kind)_i);
	check_counts(&shelf, " 0 0 0 0 0 0");
	put_shop(&shelf);
	check_counts(&shelf, " 3 1 1 1 1 1");
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "a"}), ERR_CONFLICT);
	check_counts(&shelf, " 3 1 1 1 1 1");
	ck_assert_int_eq(shelf_put(&shelf, (struct shelf_saga){.id = "a",
							       .started_ms = 1000,
							       .revision = 2,
							       .status = STATUS_COMPLETED}),
			 OK);
	check_counts(&shelf, " 2 1 2 1 1 1");
	shelf_reopen(&shelf);
	check_counts(&shelf, " 2 1 2 1 1 1");
	ck_assert_int_eq(store_prune(shelf.store, SHELF_END_MS + 1, 3, &n), OK);
	ck_assert_uint_eq(n, 3);
	check_counts(&shelf, " 2 1 0 0 1 1");
	shelf_reopen(&shelf);
	check_counts(&shelf, " 2 1 0 0 1 1");
	shelf_close(&shelf);
}
END_TEST

static enum err visit_audit(void *context, const struct audit_entry *entry)
{
	char text[100];

	snprintf(text, sizeof text, "%d:%.*s/%.*s/%.*s/%.*s", (int)entry->at_ms,
		 SLICE_ARG(entry->saga_id), SLICE_ARG(entry->operation),
		 SLICE_ARG(entry->actor), SLICE_ARG(entry->reason));
	return shelf_note(context, slice_of(text));
}

static void check_audit(struct shelf *shelf, const char *id, size_t limit, const char *expected)
{
	struct shelf_walk visited = {.n = 0};

	ck_assert_int_eq(store_audit(shelf->store, slice_of(id), limit, visit_audit, &visited),
			 OK);
	ck_assert_str_eq(visited.text, expected);
}

START_TEST(test_audit)
{
	struct audit_entry first[] = {
		{1, SLICE_LITERAL("a"), SLICE_LITERAL("pause"), SLICE_LITERAL("ann"), {0}},
		{2, SLICE_LITERAL("b"), SLICE_LITERAL("kill"), {0}, SLICE_LITERAL("lost")},
	};
	struct audit_entry second = {
		1, SLICE_LITERAL("a"), SLICE_LITERAL("resume"), SLICE_LITERAL("bob"), {0}};
	struct saga_write write =
		shelf_write((struct shelf_saga){.id = "a", .status = STATUS_KILLED});
	struct shelf_walk visited = {.stop_after = 1};
	struct shelf shelf;
	size_t n;

	shelf_open(&shelf, (enum shelf_kind)_i);
	check_audit(&shelf, "", 10, "");
	ck_assert_int_eq(store_commit(shelf.store, &shelf_batch, &write, 1, first, 2), OK);
	ck_assert_int_eq(store_commit(shelf.store, &shelf_batch, NULL, 0, &second, 1), OK);
	ck_assert_int_eq(store_prune(shelf.store, SHELF_END_MS + 1, 10, &n), OK);
	shelf_reopen(&shelf);
	check_audit(&shelf, "", 10, " 1:a/resume/bob/ 2:b/kill//lost 1:a/pause/ann/");
	check_audit(&shelf, "", 2, " 1:a/resume/bob/ 2:b/kill//lost");
	check_audit(&shelf, "a", 10, " 1:a/resume/bob/ 1:a/pause/ann/");
	check_audit(&shelf, "a", 1, " 1:a/resume/bob/");
	check_audit(&shelf, "c", 10, "");
	check_audit(&shelf, "", 0, "");
	ck_assert_int_eq(store_audit(shelf.store, (struct slice){0}, 10, visit_audit, &visited),
			 ERR_NOT_FOUND);
	ck_assert_int_eq(visited.n, 1);
	shelf_close(&shelf);
}
END_TEST

static enum err put_definition(struct shelf *shelf, char hash, const char *name,
			       const char *version)
{
	struct stored_definition definition = {.name = slice_of(name),
					       .version = slice_of(version),
					       .normal = SLICE_LITERAL("saga: x\n"),
					       .deployed_ms = 5};

	memset(definition.hash, hash, sizeof definition.hash);
	return store_put_definition(shelf->store, &definition);
}

static enum err visit_definition(void *context, const struct stored_definition *definition)
{
	char text[100];

	snprintf(text, sizeof text, "%c:%.*s-%.*s", definition->hash[SHA256_SIZE - 1],
		 SLICE_ARG(definition->name), SLICE_ARG(definition->version));
	ck_assert(slice_is(definition->normal, "saga: x\n"));
	ck_assert_int_eq(definition->deployed_ms, 5);
	return shelf_note(context, slice_of(text));
}

START_TEST(test_definitions_are_immutable)
{
	struct shelf_walk visited = {.n = 0};
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	ck_assert_int_eq(store_definitions(shelf.store, visit_definition, &visited), OK);
	ck_assert_int_eq(put_definition(&shelf, 'q', "order", "1.0.0"), OK);
	ck_assert_int_eq(put_definition(&shelf, 'p', "order", "2.0.0"), OK);
	ck_assert_int_eq(put_definition(&shelf, 'q', "order", "1.0.0"), OK);
	ck_assert_int_eq(put_definition(&shelf, 'r', "order", "1.0.0"), ERR_CONFLICT);
	ck_assert_int_eq(put_definition(&shelf, 'r', "trip", "1.0.0"), OK);
	shelf_reopen(&shelf);
	ck_assert_int_eq(put_definition(&shelf, 's', "trip", "1.0.0"), ERR_CONFLICT);
	ck_assert_int_eq(store_definitions(shelf.store, visit_definition, &visited), OK);
	ck_assert_str_eq(visited.text, " q:order-1.0.0 p:order-2.0.0 r:trip-1.0.0");
	visited = (struct shelf_walk){.stop_after = 2};
	ck_assert_int_eq(store_definitions(shelf.store, visit_definition, &visited),
			 ERR_NOT_FOUND);
	ck_assert_str_eq(visited.text, " q:order-1.0.0 p:order-2.0.0");
	shelf_close(&shelf);
}
END_TEST

/* --- retention ---------------------------------------------------------------------------- */

static void prune(struct shelf *shelf, int64_t ended_before_ms, size_t limit, size_t expected)
{
	size_t n = 99;

	ck_assert_int_eq(store_prune(shelf->store, ended_before_ms, limit, &n), OK);
	ck_assert_uint_eq(n, expected);
}

static int64_t removed_ms(struct shelf *shelf)
{
	int64_t ended_ms = -1;

	ck_assert_int_eq(store_removed(shelf->store, &ended_ms), OK);
	return ended_ms;
}

START_TEST(test_prune_removes_what_ended_before)
{
	static const struct shelf_saga sagas[] = {
		{.id = "a", .status = STATUS_COMPLETED, .ended_ms = 5000},
		{.id = "b", .status = STATUS_KILLED, .ended_ms = 3000},
		{.id = "c", .status = STATUS_RUNNING},
		{.id = "d", .status = STATUS_PARKED},
		{.id = "e", .status = STATUS_COMPENSATED, .ended_ms = 4000},
		{.id = "f", .status = STATUS_COMPLETED, .ended_ms = 4000},
	};
	struct saga_filter all = {.n_statuses = 0};
	struct shelf_walk visited = {.n = 0};
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	for (int i = 0; i < ROWS(sagas); i++)
		ck_assert_int_eq(shelf_put(&shelf, sagas[i]), OK);
	prune(&shelf, 3000, 10, 0);
	prune(&shelf, INT64_MAX, 0, 0);
	ck_assert_int_eq(removed_ms(&shelf), 0);
	prune(&shelf, 5000, 1, 1);
	ck_assert_int_eq(removed_ms(&shelf), 3000);
	prune(&shelf, 5000, 1, 1);
	ck_assert_int_eq(removed_ms(&shelf), 4000);
	ck_assert(shelf_holds(&shelf, "b", NULL));
	ck_assert(shelf_holds(&shelf, "e", NULL));
	ck_assert(shelf_holds(&shelf, "f", "f"));
	prune(&shelf, 5000, 10, 1);
	prune(&shelf, 5000, 10, 0);
	shelf_reopen(&shelf);
	ck_assert_int_eq(removed_ms(&shelf), 4000);
	ck_assert_int_eq(
		store_list(shelf.store, &all, (struct slice){0}, 10, shelf_note_row, &visited),
		OK);
	ck_assert_str_eq(visited.text, " d c a");
	prune(&shelf, INT64_MAX, 10, 1);
	ck_assert_int_eq(removed_ms(&shelf), 5000);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_prune_of_many)
{
	struct saga_write writes[100];
	char ids[100][16];
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	for (int n = 0; n < MANY; n++) {
		snprintf(ids[n % 100], sizeof ids[0], "s-%d", n);
		writes[n % 100] = shelf_write(
			(struct shelf_saga){.id = ids[n % 100], .status = STATUS_COMPLETED});
		if (n % 100 == 99)
			ck_assert_int_eq(
				store_commit(shelf.store, &shelf_batch, writes, 100, NULL, 0),
				OK);
	}
	prune(&shelf, SHELF_END_MS + 1, MANY - 1, MANY - 1);
	prune(&shelf, SHELF_END_MS + 1, MANY, 1);
	check_counts(&shelf, " 0 0 0 0 0 0");
	shelf_close(&shelf);
}
END_TEST

static void add(TCase *tcase)
{
	int n = shelf_kinds;

	tcase_add_loop_test(tcase, test_lists, 0, n);
	tcase_add_loop_test(tcase, test_a_list_ends_where_it_must, 0, n);
	tcase_add_loop_test(tcase, test_counts, 0, n);
	tcase_add_loop_test(tcase, test_audit, 0, n);
	tcase_add_loop_test(tcase, test_definitions_are_immutable, 0, n);
	tcase_add_loop_test(tcase, test_prune_removes_what_ended_before, 0, n);
	tcase_add_loop_test(tcase, test_prune_of_many, 0, n);
}

int main(void)
{
	shelf_find();
	return suite_run("store_query", add);
}

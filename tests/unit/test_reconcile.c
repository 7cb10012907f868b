/* test_reconcile.c - the record against the barriers: every kind of difference, made
 * with SQL in a barrier or in the record itself. */
#include "tests/lib/suite.h"
#include "tests/lib/yard.h"

/* --- what differs ------------------------------------------------------------------- */

#define IS(id) "id = '" id "'"

static const struct row {
	const char *name;
	enum spot place;
	const char *sql; /* in the barrier there; NULL: nothing */
	const char *id;  /* or of this saga's record */
	const char *step;
	enum step_state state;
	const char *says; /* "": no difference */
} rows[] = {
	{"nothing was touched", DESK, NULL, NULL, NULL, 0, ""},
	{"a do is gone from the barrier", DESK,
	 "DELETE FROM skald_barrier WHERE " IS("d/take#0/0/do"), NULL, NULL, 0,
	 "d take desk effect-missing done/nothing\n"},
	{"the do of the pivot is gone", DESK,
	 "DELETE FROM skald_barrier WHERE " IS("d/pay#0/0/do"), NULL, NULL, 0,
	 "d pay desk effect-missing done/nothing\n"},
	{"what only reads has a record, too", DESK,
	 "DELETE FROM skald_barrier WHERE " IS("d/look#0/0/do"), NULL, NULL, 0,
	 "d look desk effect-missing done/nothing\n"},
	{"that of an element, and of no other", SHELF,
	 "DELETE FROM skald_barrier WHERE " IS("d/pick#1/0/do"), NULL, NULL, 0,
	 "d pick#1 shelf effect-missing done/nothing\n"},
	{"that of a child saga", SHELF,
	 "DELETE FROM skald_barrier WHERE id LIKE 'd-%/hold#0/0/do'"
	 " OR id LIKE 'd.%/hold#0/0/do' OR id LIKE '%/hold#0/0/do' AND state = 1"
	 " AND id < 'e' AND id > 'd'",
	 NULL, NULL, 0, "KID hold shelf effect-missing done/nothing\n"},
	{"that of a saga that is under way", DESK,
	 "DELETE FROM skald_barrier WHERE " IS("w/take#0/0/do"), NULL, NULL, 0,
	 "w take desk effect-missing done/nothing\n"},
	{"a do that was undone by hand", DESK,
	 "UPDATE skald_barrier SET state = 4 WHERE " IS("d/take#0/0/do"), NULL, NULL, 0,
	 "d take desk done-but-undone done/undone\n"},
	{"a do that is barred", DESK,
	 "UPDATE skald_barrier SET state = 3 WHERE " IS("d/take#0/0/do"), NULL, NULL, 0,
	 "d take desk done-but-undone done/barred\n"},
	{"a do that was refused", DESK,
	 "UPDATE skald_barrier SET state = 2 WHERE " IS("d/take#0/0/do"), NULL, NULL, 0,
	 "d take desk done-but-refused done/refused\n"},
	{"an undo that did not happen", DESK,
	 "UPDATE skald_barrier SET state = 1 WHERE " IS("u/take#0/0/do"), NULL, NULL, 0,
	 "u take desk undone-but-done undone/done\n"},
	{"an undo of an element that did not happen", SHELF,
	 "UPDATE skald_barrier SET state = 1 WHERE " IS("u/pick#1/0/do"), NULL, NULL, 0,
	 "u pick#1 shelf undone-but-done undone/done\n"},
	{"what was undone may be barred as well", DESK,
	 "UPDATE skald_barrier SET state = 3 WHERE " IS("u/take#0/0/do"), NULL, NULL, 0, ""},
	{"nobody knows of what was undone", DESK,
	 "DELETE FROM skald_barrier WHERE " IS("u/take#0/0/do"), NULL, NULL, 0,
	 "u take desk answer-missing undone/nothing\n"},
	{"the record of an undo says nothing more than that of its do", DESK,
	 "DELETE FROM skald_barrier WHERE " IS("u/take#0/0/undo"), NULL, NULL, 0, ""},
	{"a refusal that was none", DESK,
	 "UPDATE skald_barrier SET state = 1 WHERE " IS("r/take#0/0/do"), NULL, NULL, 0,
	 "r take desk refused-but-done refused/done\n"},
	{"a refusal that nobody knows of", DESK,
	 "DELETE FROM skald_barrier WHERE " IS("r/take#0/0/do"), NULL, NULL, 0,
	 "r take desk answer-missing refused/nothing\n"},
	{"the undo of a step that has nothing else is gone", MAIL,
	 "DELETE FROM skald_barrier WHERE " IS("u/sorry#0/0/undo"), NULL, NULL, 0,
	 "u sorry mail effect-missing undone/nothing\n"},
	{"one that was not to happen", MAIL,
	 "INSERT INTO skald_barrier VALUES ('d/sorry#0/0/undo', 1, 1700000000000, NULL, NULL,"
	 " NULL)",
	 NULL, NULL, 0, "d sorry mail effect-without-step done/done\n"},
	{"a saga that was never here", DESK,
	 "INSERT INTO skald_barrier VALUES ('x/take#0/0/do', 1, 1700000000000, NULL, NULL,"
	 " NULL)",
	 NULL, NULL, 0, "x take desk effect-without-saga /done\n"},
	{"what was refused of a saga that was never here does not stand", DESK,
	 "INSERT INTO skald_barrier VALUES ('x/take#0/0/do', 2, 1700000000000, NULL, NULL,"
	 " NULL)",
	 NULL, NULL, 0, ""},
	{"an id that is none of ours", DESK,
	 "INSERT INTO skald_barrier VALUES ('by hand', 1, 1700000000000, NULL, NULL, NULL)",
	 NULL, NULL, 0, "by hand  desk effect-without-saga /done\n"},
	{"a step that the saga does not have", DESK,
	 "INSERT INTO skald_barrier VALUES ('d/steal#0/0/do', 1, 1700000000000, NULL, NULL,"
	 " NULL)",
	 NULL, NULL, 0, "d steal desk effect-without-step /done\n"},
	{"an element that the list does not have", SHELF,
	 "INSERT INTO skald_barrier VALUES ('d/pick#4/0/do', 1, 1700000000000, NULL, NULL,"
	 " NULL)",
	 NULL, NULL, 0, "d pick#4 shelf effect-without-step /done\n"},
	{"a round that nobody asked for", DESK,
	 "INSERT INTO skald_barrier VALUES ('d/take#0/1/do', 1, 1700000000000, NULL, NULL,"
	 " NULL)",
	 NULL, NULL, 0, "d take desk effect-without-step done/done\n"},
	{"a step that was skipped", DESK,
	 "INSERT INTO skald_barrier VALUES ('d/maybe#0/0/do', 1, 1700000000000, NULL, NULL,"
	 " NULL)",
	 NULL, NULL, 0, "d maybe desk effect-without-step skipped/done\n"},
	{"a step that is still to come", DESK,
	 "INSERT INTO skald_barrier VALUES ('w/pay#0/0/do', 1, 1700000000000, NULL, NULL,"
	 " NULL)",
	 NULL, NULL, 0, "w pay desk effect-without-step waiting/done\n"},
	{"done at somebody else's", SHELF,
	 "INSERT INTO skald_barrier VALUES ('d/take#0/0/do', 1, 1700000000000, NULL, NULL,"
	 " NULL)",
	 NULL, NULL, 0, "d take shelf effect-without-step done/done\n"},
	{"the record forgets a step", DESK, NULL, "d", "take", STEP_NEVER,
	 "d take desk effect-without-step never/done\n"},
	{"the record takes what was done for undone", DESK, NULL, "d", "take", STEP_UNDONE,
	 "d take desk undone-but-done undone/done\n"},
	{"the record takes what was done for refused", DESK, NULL, "d", "take", STEP_REFUSED,
	 "d take desk refused-but-done refused/done\n"},
	{"the record takes what was undone for done", DESK, NULL, "u", "take", STEP_DONE,
	 "u take desk done-but-undone done/undone\n"},
	{"the record takes what was refused for done", DESK, NULL, "r", "take", STEP_DONE,
	 "r take desk done-but-refused done/refused\n"},
	{"the record of an element", SHELF, NULL, "d", "pick#1", STEP_UNDONE,
	 "d pick#1 shelf undone-but-done undone/done\n"},
	{"a step in doubt may have happened, or not", DESK, NULL, "d", "take", STEP_IN_DOUBT,
	 ""},
	{"so may one that is parked", DESK, NULL, "d", "take", STEP_PARKED, ""},
};

/* The id of a child is made of its parent's; whose it is, its beginning says. */
static void rename_kid(char *lines)
{
	char *end = strstr(lines, " hold ");
	char *begin = end;

	if (!end)
		return;
	while (begin > lines && begin[-1] != '\n')
		begin--;
	ck_assert(*begin == 'd');
	memmove(begin + 3, end, strlen(end) + 1);
	memcpy(begin, "KID", 3);
}

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	static struct yard yard;
	uint64_t n = 0;

	yard_open(&yard);
	yard_play(&yard);
	if (row->sql)
		yard_sql(&yard, row->place, row->sql);
	if (row->id)
		yard_change(&yard, row->id, row->step, row->state);
	(void)yard_reconcile(&yard);
	ck_assert_msg(!yard.why, "%s: %s", row->name, yard.why);
	rename_kid(yard.lines);
	ck_assert_msg(!strcmp(yard.lines, row->says), "%s: it says\n%s", row->name, yard.lines);
	for (const char *c = row->says; *c; c++)
		n += *c == '\n';
	ck_assert_uint_eq(yard.counts.differences, n);
	ck_assert_uint_ge(yard.counts.sagas, 6); /* with the children of two */
	ck_assert_uint_ge(yard.counts.commands, 20);
	ck_assert_uint_ge(yard.counts.records, 15);
	ck_assert_uint_eq(yard.counts.moving + yard.counts.unasked, 0);
	yard_close(&yard);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
}

int main(void)
{
	return suite_run("reconcile", add);
}

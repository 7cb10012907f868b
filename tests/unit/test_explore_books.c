/* test_explore_books.c - the checker's barrier, one record and one message at a time:
 * from every set of records to the one that must follow. */
#include "orchestrator/check/world.h"
#include "tests/lib/suite.h"

#define NONE    RECORD_BIT(RECORD_NONE)
#define DID     RECORD_BIT(RECORD_OK)
#define REFUSED RECORD_BIT(RECORD_REFUSED)
#define BARRED  RECORD_BIT(RECORD_BARRED)
#define UNDONE  RECORD_BIT(RECORD_UNDONE)
#define TWICE   RECORD_BIT(RECORD_TWICE)
#define ALL     (NONE | DID | REFUSED | BARRED | UNDONE | TWICE)

/* --- what a message that is sent can bring about --------------------------------------- */

static const struct send_row {
	const char *name;
	record_set before;
	record_set after_do, after_undo, after_revoke;
} send_rows[] = {
	{"nothing is known", 0, NONE | DID | REFUSED, NONE | BARRED, NONE | BARRED},
	{"nothing came", NONE, NONE | DID | REFUSED, NONE | BARRED, NONE | BARRED},
	{"done", DID, DID, DID | UNDONE, DID},
	{"refused", REFUSED, REFUSED, REFUSED, REFUSED},
	{"barred", BARRED, BARRED, BARRED, BARRED},
	{"undone", UNDONE, UNDONE, UNDONE, UNDONE},
	{"done twice", TWICE, TWICE, TWICE, TWICE},
	{"done or refused", DID | REFUSED, DID | REFUSED, DID | UNDONE | REFUSED,
	 DID | REFUSED},
};

static struct books sent(record_set before, enum verb verb, uint16_t round, uint16_t do_round)
{
	struct command command = {.verb = verb, .round = round, .do_round = do_round};
	struct books books = {.records = {0}};

	books.records[do_round] = before;
	world_send(&books, &command);
	return books;
}

START_TEST(test_send)
{
	const struct send_row *row = &send_rows[_i];

	for (uint16_t round = 0; round < ROUNDS; round++) {
		struct books after_do = sent(row->before, VERB_DO, round, round);
		struct books after_revoke = sent(row->before, VERB_REVOKE, round, round);

		ck_assert_msg(after_do.records[round] == row->after_do, "%s: do", row->name);
		ck_assert_msg(after_revoke.records[round] == row->after_revoke, "%s: revoke",
			      row->name);
		for (uint16_t undo = 0; undo < ROUNDS; undo++) {
			struct books after_undo = sent(row->before, VERB_UNDO, undo, round);

			ck_assert_msg(after_undo.records[round] == row->after_undo, "%s: undo",
				      row->name);
			for (uint16_t other = 0; other < ROUNDS; other++)
				ck_assert(other == round || !after_undo.records[other]);
			/* Its handler runs while an effect stands, and may then refuse. */
			ck_assert_uint_eq(after_undo.may_refuse,
					  row->before & DID ? 1u << undo : 0u);
		}
	}
}
END_TEST

/* What was sent before may arrive after what is sent now. */
START_TEST(test_all_that_was_sent_arrives_in_any_order)
{
	struct command command = {.verb = VERB_UNDO};
	struct books books = sent(0, VERB_DO, 0, 0);

	world_send(&books, &command);
	ck_assert_uint_eq(books.records[0], NONE | DID | REFUSED | BARRED | UNDONE);
	command = (struct command){.verb = VERB_UNDO, .round = 2, .do_round = 1};
	books = sent(0, VERB_DO, 1, 1);
	world_send(&books, &command);
	ck_assert_uint_eq(books.records[1], NONE | DID | REFUSED | BARRED | UNDONE);
	ck_assert_uint_eq(books.records[0], 0);
	ck_assert_uint_eq(books.may_refuse, 1 << 2);
	command = (struct command){.verb = VERB_REVOKE};
	books = sent(0, VERB_DO, 0, 0);
	world_send(&books, &command);
	ck_assert_uint_eq(books.records[0], NONE | DID | REFUSED | BARRED);
	/* The revoke that is on its way bars a do that the books know nothing of. */
	books.records[0] = NONE;
	command = (struct command){.verb = VERB_DO, .round = 1, .do_round = 1};
	world_send(&books, &command);
	ck_assert_uint_eq(books.records[0], NONE | DID | REFUSED | BARRED);
}
END_TEST

START_TEST(test_nothing_arrives_past_the_horizon)
{
	struct command command = {.verb = VERB_DO};
	struct books books = {.flags = BOOKS_OLD};

	world_send(&books, &command);
	ck_assert_uint_eq(books.records[0], NONE);
	for (int flag = BOOKS_UNANSWERED; flag < BOOKS_OLD; flag <<= 1) {
		books = (struct books){.flags = (uint8_t)flag};
		world_send(&books, &command);
		ck_assert_uint_eq(books.records[0], NONE | DID | REFUSED);
	}
}
END_TEST

/* A new round has not been refused and not gone unanswered. */
START_TEST(test_what_a_new_do_forgets)
{
	struct command command = {.verb = VERB_DO, .round = 1, .do_round = 1};
	struct books books = {.sent_do = 1, .flags = 0xff};

	world_send(&books, &command);
	ck_assert_uint_eq(books.flags, 0xff & ~(BOOKS_UNANSWERED | BOOKS_REFUSED));
	books.flags = 0xff;
	world_send(&books, &command);
	ck_assert_uint_eq(books.flags, 0xff);
	ck_assert_uint_eq(books.sent_do, 3);
	command.verb = VERB_UNDO;
	world_send(&books, &command);
	command.verb = VERB_REVOKE;
	world_send(&books, &command);
	ck_assert_uint_eq(books.flags, 0xff);
}
END_TEST

START_TEST(test_an_undo_alone)
{
	struct books books = {.records = {0}};

	world_begin_alone(&books);
	ck_assert_uint_eq(books.records[0], DID);
	ck_assert_uint_eq(books.records[1], 0);
	books.records[0] = UNDONE;
	world_begin_alone(&books);
	ck_assert_uint_eq(books.records[0], UNDONE);
}
END_TEST

/* --- what an answer says -------------------------------------------------------------------
 */

static const struct answer_row {
	enum verb verb;
	enum outcome outcome;
	record_set behind; /* any of these can give it */
} answer_rows[] = {
	{VERB_DO, OUTCOME_OK, DID | UNDONE | TWICE},
	{VERB_DO, OUTCOME_REFUSED, REFUSED | BARRED | UNDONE},
	{VERB_UNDO, OUTCOME_OK, REFUSED | BARRED | UNDONE},
	{VERB_UNDO, OUTCOME_REFUSED, DID | UNDONE | TWICE},
	{VERB_REVOKE, OUTCOME_OK, REFUSED | BARRED},
	{VERB_REVOKE, OUTCOME_REFUSED, DID | UNDONE | TWICE},
};

START_TEST(test_answer)
{
	const struct answer_row *row = &answer_rows[_i];

	for (record_set record = 1; record < ALL; record = (record_set)(record << 1)) {
		struct books books = {
			.sent_do = 2, .sent_undo = 2, .sent_revoke = 2, .may_refuse = 2};

		books.records[1] = record;
		books.undo_of[1] = 1;
		ck_assert(world_answers(&books, row->verb, 1, row->outcome) ==
			  ((record & row->behind) != 0));
		/* Not what was never sent, in this or another round. */
		ck_assert(!world_answers(&books, row->verb, 0, row->outcome));
		books.sent_do &= row->verb == VERB_DO ? 0 : 0xff;
		books.sent_undo &= row->verb == VERB_UNDO ? 0 : 0xff;
		books.sent_revoke &= row->verb == VERB_REVOKE ? 0 : 0xff;
		ck_assert(!world_answers(&books, row->verb, 1, row->outcome));
	}
}
END_TEST

START_TEST(test_answered)
{
	const struct answer_row *row = &answer_rows[_i];
	struct books books = {.sent_do = 2, .records = {ALL, ALL, ALL, ALL}};

	books.undo_of[1] = 2;
	world_answered(&books, row->verb, 1, row->outcome);
	for (uint32_t round = 0; round < ROUNDS; round++)
		ck_assert_uint_eq(books.records[round],
				  round == (row->verb == VERB_UNDO ? 2 : 1) ? row->behind
									    : ALL);
}
END_TEST

START_TEST(test_only_an_undo_that_ran_can_have_refused)
{
	struct books books = {.sent_do = 1, .sent_undo = 3, .records = {UNDONE}};

	ck_assert(world_answers(&books, VERB_UNDO, 0, OUTCOME_OK));
	ck_assert(!world_answers(&books, VERB_UNDO, 0, OUTCOME_REFUSED));
	ck_assert(world_answers(&books, VERB_DO, 0, OUTCOME_REFUSED));
	books.may_refuse = 2;
	ck_assert(!world_answers(&books, VERB_UNDO, 0, OUTCOME_REFUSED));
	ck_assert(world_answers(&books, VERB_UNDO, 1, OUTCOME_REFUSED));
}
END_TEST

/* After an answer the rest of what was sent can still arrive. */
START_TEST(test_an_answer_is_not_the_last_word)
{
	struct books books = {.sent_do = 1, .sent_undo = 1, .records = {DID | REFUSED}};

	world_answered(&books, VERB_DO, 0, OUTCOME_OK);
	ck_assert_uint_eq(books.records[0], DID | UNDONE);
	ck_assert_uint_eq(books.may_refuse, 1);
}
END_TEST

/* --- what is certain -------------------------------------------------------------------------
 */

static const struct certain_row {
	const char *name;
	record_set records;
	bool sent; /* the do */
	uint8_t flags;
	bool clear, without_effect, took_effect, may_be_undone, twice;
} certain_rows[] = {
	{"there is no such round", 0, false, 0, true, true, false, false, false},
	{"nothing came, and nothing was sent", NONE, false, 0, true, true, false, false, false},
	{"the do has not come yet", NONE, true, 0, false, false, false, false, false},
	{"the do has not come, whatever was answered", NONE, true,
	 BOOKS_UNANSWERED | BOOKS_REFUSED | BOOKS_SKIPPED, false, false, false, false, false},
	{"the do did not come in time", NONE, true, BOOKS_OLD, true, false, false, false,
	 false},
	{"it was done", DID, true, 0, false, false, true, false, false},
	{"it was done long ago", DID, true, BOOKS_OLD, false, false, true, false, false},
	{"it was refused", REFUSED, true, 0, true, true, false, false, false},
	{"it was barred", BARRED, true, 0, true, true, false, false, false},
	{"it was undone", UNDONE, true, 0, true, false, true, true, false},
	{"it was done twice", TWICE, true, 0, false, false, true, false, true},
	{"done, or on its way", NONE | DID, true, 0, false, false, false, false, false},
	{"done or refused", DID | REFUSED, true, 0, false, false, false, false, false},
	{"done or barred", DID | BARRED, true, 0, false, false, false, false, false},
	{"done or undone", DID | UNDONE, true, 0, false, false, true, true, false},
	{"undone or barred", UNDONE | BARRED, true, 0, true, false, false, true, false},
	{"undone or done twice", UNDONE | TWICE, true, 0, false, false, true, true, true},
};

START_TEST(test_certain)
{
	const struct certain_row *row = &certain_rows[_i];

	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct books books = {.flags = row->flags};

		books.records[round] = row->records;
		if (row->sent)
			books.sent_do = (uint8_t)(1 << round);
		ck_assert_msg(world_clear(&books) == row->clear, "%s: clear", row->name);
		ck_assert_msg(world_without_effect(&books, round) == row->without_effect,
			      "%s: without effect", row->name);
		ck_assert_msg(world_took_effect(&books) == row->took_effect, "%s: took effect",
			      row->name);
		ck_assert_msg(world_may_be_undone(&books) == row->may_be_undone,
			      "%s: may be undone", row->name);
		ck_assert_msg(world_twice(&books) == row->twice, "%s: twice", row->name);
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_send, 0, ROWS(send_rows));
	tcase_add_test(tcase, test_all_that_was_sent_arrives_in_any_order);
	tcase_add_test(tcase, test_nothing_arrives_past_the_horizon);
	tcase_add_test(tcase, test_what_a_new_do_forgets);
	tcase_add_test(tcase, test_an_undo_alone);
	tcase_add_loop_test(tcase, test_answer, 0, ROWS(answer_rows));
	tcase_add_loop_test(tcase, test_answered, 0, ROWS(answer_rows));
	tcase_add_test(tcase, test_only_an_undo_that_ran_can_have_refused);
	tcase_add_test(tcase, test_an_answer_is_not_the_last_word);
	tcase_add_loop_test(tcase, test_certain, 0, ROWS(certain_rows));
}

int main(void)
{
	return suite_run("explore_books", add);
}

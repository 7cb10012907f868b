/* test_bench_order.c - the orders of skald bench, what is counted of them, and how
 * the books are held to them. */
#include "cli/bench_books.h"
#include "tests/lib/suite.h"

#include <stdio.h>

/* --- orders ----------------------------------------------------------------------- */

static const struct {
	const char *name;
	const char *text;
	enum err err;
	uint32_t percent;
} shares[] = {
	{"a share with its sign", "10%", OK, 10},
	{"a share without it", "10", OK, 10},
	{"none", "0%", OK, 0},
	{"all", "100%", OK, 100},
	{"more than all is refused", "101%", ERR_INVALID, 0},
	{"a number that would run over is refused", "4294967306", ERR_INVALID, 0},
	{"nothing is refused", "", ERR_INVALID, 0},
	{"a sign alone is refused", "%", ERR_INVALID, 0},
	{"parts are refused", "1.5%", ERR_INVALID, 0},
	{"less than nothing is refused", "-1", ERR_INVALID, 0},
	{"what comes behind the sign is refused", "10%!", ERR_INVALID, 0},
};

START_TEST(test_share)
{
	uint32_t percent = 0;
	struct diag diag = {""};
	enum err err = bench_percent(shares[_i].text, &percent, &diag);

	ck_assert_msg(err == shares[_i].err && percent == shares[_i].percent, "%s",
		      shares[_i].name);
	if (err)
		ck_assert_ptr_nonnull(strstr(diag.text, "--decline: "));
}
END_TEST

START_TEST(test_so_many_are_declined_as_were_asked_for)
{
	enum { N = 20000 };
	uint32_t n_declined = 0;

	for (uint32_t i = 0; i < N; i++) {
		struct bench_order order = bench_order_of(i, 10);

		ck_assert(order.sku < 100 && order.qty >= 1 && order.cents >= 100);
		ck_assert(!bench_order_of(i, 0).decline && bench_order_of(i, 100).decline);
		ck_assert_int_eq(bench_expected(i, 10),
				 order.decline ? BENCH_COMPENSATED : BENCH_COMPLETED);
		n_declined += order.decline;
	}
	ck_assert(n_declined > N / 11 && n_declined < N / 9);
}
END_TEST

START_TEST(test_an_id_has_its_number_in_it)
{
	static const uint32_t numbers[] = {0, 1, 17, 170, BENCH_SAGAS_MAX};
	const uint64_t run = 1763721000000, other = run + 1;
	char id[BENCH_ID_SIZE];
	uint32_t number;

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		bench_id(run, numbers[i], id);
		ck_assert(bench_number(run, slice_of(id), &number));
		ck_assert_uint_eq(number, numbers[i]);
		ck_assert(!bench_number(other, slice_of(id), &number));
		ck_assert(!bench_number(run, (struct slice){id, strlen(id) - 1}, &number));
	}
	ck_assert(!bench_number(run, slice_of("order-17"), &number));
	bench_id(run, 5, id);
	id[strlen(id) - 1] = 'x';
	ck_assert(!bench_number(run, slice_of(id), &number));
}
END_TEST

/* --- counting --------------------------------------------------------------------- */

START_TEST(test_times_are_those_of_half_and_of_nearly_all)
{
	static struct bench_fate fates[200];
	struct bench_tally tally;

	for (uint32_t i = 0; i < 200; i++)
		fates[i] = (struct bench_fate){1, (200 - i) * 1000, BENCH_COMPLETED};
	ck_assert_int_eq(bench_tally(fates, 200, 0, &tally), OK);
	ck_assert(tally.p50_ms == 100.0 && tally.p99_ms == 198.0);
	ck_assert_uint_eq(tally.ended[BENCH_COMPLETED], 200);
	ck_assert_int_eq(bench_tally(fates, 1, 0, &tally), OK);
	ck_assert(tally.p50_ms == 200.0 && tally.p99_ms == 200.0);
}
END_TEST

START_TEST(test_what_was_lost_has_no_time)
{
	const struct bench_fate fates[] = {{1, 5000, BENCH_COMPLETED}, {1, 0, BENCH_NONE}};
	struct bench_tally tally;

	ck_assert_int_eq(bench_tally(fates, 2, 0, &tally), OK);
	ck_assert(tally.p50_ms == 5.0);
	ck_assert_uint_eq(tally.ended[BENCH_NONE], 1);
	ck_assert_uint_eq(tally.n_wrong, 0);
	ck_assert_uint_eq(tally.first_wrong, 1);
	ck_assert_int_eq(bench_tally(fates + 1, 1, 0, &tally), OK);
	ck_assert(tally.p50_ms == 0 && tally.p99_ms == 0);
}
END_TEST

START_TEST(test_an_end_that_the_order_does_not_say_is_wrong)
{
	const struct bench_fate fates[] = {
		{1, 1, BENCH_COMPLETED}, {1, 1, BENCH_COMPENSATED}, {1, 1, BENCH_PARKED}};
	struct bench_tally tally;

	ck_assert_int_eq(bench_tally(fates, 3, 0, &tally), OK);
	ck_assert_uint_eq(tally.n_wrong, 2);
	ck_assert_uint_eq(tally.first_wrong, 1);
	ck_assert_int_eq(bench_tally(fates, 3, 100, &tally), OK);
	ck_assert_uint_eq(tally.n_wrong, 2);
	ck_assert_uint_eq(tally.first_wrong, 0);
}
END_TEST

/* --- books ------------------------------------------------------------------------ */

enum { RUN = 7, BOOK_MAX = 4096 };

static struct bytes text;

static void add_totals(bool consistent)
{
	bytes_clear(&text);
	text.max = BOOK_MAX;
	bytes_format(&text, "{\"participant\":\"x\",\"problems\":[%s],\"consistent\":%s}\n",
		     consistent ? "" : "\"article a: 1 held\"", consistent ? "true" : "false");
}

static void add_inventory(uint32_t number, int done, int undone, int held, int confirmed,
			  int released)
{
	int qty = (int)bench_order_of(number, 0).qty;
	char id[BENCH_ID_SIZE];

	bench_id(RUN, number, id);
	bytes_format(&text,
		     "{\"saga\":\"%s\",\"commands\":%d,\"done\":%d,\"undone\":%d,\"refused\":0,"
		     "\"held\":%d,\"confirmed\":%d,\"released\":%d}\n",
		     id, done + undone, done, undone, held * qty, confirmed * qty,
		     released * qty);
}

static void add_payment(uint32_t number, int done, int refused, int more_cents)
{
	int cents = (int)bench_order_of(number, 0).cents;
	char id[BENCH_ID_SIZE];

	bench_id(RUN, number, id);
	bytes_format(&text,
		     "{\"saga\":\"%s\",\"commands\":%d,\"done\":%d,\"undone\":0,\"refused\":%d,"
		     "\"charged_cents\":%d,\"refunded_cents\":0}\n",
		     id, done + refused, done, refused, done * cents + more_cents);
}

typedef enum err checked(const struct bench_books *books, struct slice audit,
			 struct diag *diag);

/* `wrong` is part of what is said; NULL: the books agree. */
static void check(checked *function, const char *wrong)
{
	const struct bench_fate fates[] = {
		{1, 1, BENCH_COMPLETED}, {1, 1, BENCH_COMPENSATED}, {1, 1, BENCH_PARKED}};
	const struct bench_books books = {RUN, fates, 3, 0};
	struct diag diag = {""};
	enum err err = function(&books, bytes_slice(&text), &diag);

	ck_assert_int_eq(err, wrong ? ERR_CORRUPT : OK);
	ck_assert_msg(!wrong || strstr(diag.text, wrong), "\"%s\" is not: %s", wrong,
		      diag.text);
	bytes_release(&text);
}

START_TEST(test_books_that_agree)
{
	add_totals(true);
	add_inventory(0, 2, 0, 0, 1, 0);
	add_inventory(1, 1, 1, 0, 0, 1);
	add_inventory(2, 1, 0, 1, 0, 0);
	check(bench_books_inventory, NULL);
	add_totals(true);
	add_payment(0, 1, 0, 0);
	add_payment(1, 0, 1, 0);
	check(bench_books_payment, NULL);
}
END_TEST

START_TEST(test_books_of_the_inventory_that_do_not)
{
	add_totals(false);
	check(bench_books_inventory, "inventory: \"article a: 1 held\"");
	add_totals(true);
	add_inventory(0, 2, 0, 0, 1, 0);
	check(bench_books_inventory, "ended, and is not in the books");
	add_totals(true);
	add_inventory(0, 1, 0, 1, 0, 0);
	check(bench_books_inventory, "commands 1 instead of 2");
	add_totals(true);
	add_inventory(0, 2, 0, 1, 1, 0);
	check(bench_books_inventory, " held ");
	add_totals(true);
	add_inventory(1, 1, 1, 0, 0, 0);
	check(bench_books_inventory, "released 0 instead of");
	add_totals(true);
	add_inventory(0, 2, 0, 0, 1, 0);
	add_inventory(0, 2, 0, 0, 1, 0);
	check(bench_books_inventory, "stands there twice");
	add_totals(true);
	add_inventory(3, 2, 0, 0, 1, 0);
	check(bench_books_inventory, "which nobody started");
	bytes_clear(&text);
	check(bench_books_inventory, "is empty");
	add_totals(true);
	bytes_text(&text, "no JSON\n");
	check(bench_books_inventory, "line 2 of its audit");
}
END_TEST

START_TEST(test_books_of_the_payment_that_do_not)
{
	add_totals(true);
	add_payment(0, 1, 0, 1);
	check(bench_books_payment, "charged_cents");
	add_totals(true);
	add_payment(0, 2, 0, 0);
	check(bench_books_payment, "commands 2 instead of 1");
	add_totals(true);
	add_payment(1, 1, 0, 0);
	check(bench_books_payment, "done 1 instead of 0");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_share, 0, sizeof shares / sizeof *shares);
	tcase_add_test(tcase, test_so_many_are_declined_as_were_asked_for);
	tcase_add_test(tcase, test_an_id_has_its_number_in_it);
	tcase_add_test(tcase, test_times_are_those_of_half_and_of_nearly_all);
	tcase_add_test(tcase, test_what_was_lost_has_no_time);
	tcase_add_test(tcase, test_an_end_that_the_order_does_not_say_is_wrong);
	tcase_add_test(tcase, test_books_that_agree);
	tcase_add_test(tcase, test_books_of_the_inventory_that_do_not);
	tcase_add_test(tcase, test_books_of_the_payment_that_do_not);
}

int main(void)
{
	return suite_run("bench_order", add);
}

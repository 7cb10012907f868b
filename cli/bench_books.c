#include "cli/bench_books.h"

#include "cli/members.h"

#include <stdlib.h>

enum { LINE_MAX_BYTES = 64 * 1024 };

/* What the line of a saga has to say: a member, and its number. */
struct expected {
	const char *name;
	int64_t number;
};
enum { EXPECTED_MAX = 7 };

struct checking {
	const struct bench_books *books;
	const char *service;
	void (*expect)(struct bench_order order, bool completed,
		       struct expected out[EXPECTED_MAX + 1]);
	bool *seen; /* by the number of the order */
	struct arena arena;
	struct diag *diag;
};

static void expect_inventory(struct bench_order order, bool completed,
			     struct expected out[EXPECTED_MAX + 1])
{
	const struct expected expected[EXPECTED_MAX + 1] = {
		{"commands", 2},
		{"done", completed ? 2 : 1},
		{"undone", completed ? 0 : 1},
		{"refused", 0},
		{"held", 0},
		{"confirmed", completed ? order.qty : 0},
		{"released", completed ? 0 : order.qty},
	};

	memcpy(out, expected, sizeof expected);
}

static void expect_payment(struct bench_order order, bool completed,
			   struct expected out[EXPECTED_MAX + 1])
{
	const struct expected expected[EXPECTED_MAX + 1] = {
		{"commands", 1},
		{"done", completed},
		{"undone", 0},
		{"refused", !completed},
		{"charged_cents", completed ? order.cents : 0},
		{"refunded_cents", 0},
	};

	memcpy(out, expected, sizeof expected);
}

static bool has_settled(const struct bench_fate *fate)
{
	return fate->end == BENCH_COMPLETED || fate->end == BENCH_COMPENSATED;
}

/* The first line is the totals and what the service itself finds wrong. */
static enum err check_totals(const struct checking *checking, struct json totals)
{
	struct json first;

	if (member_bool(totals, "consistent"))
		return OK;
	if (!json_at(member_json(totals, "problems"), 0, &first))
		return diag_set(checking->diag, ERR_CORRUPT, "%s: its books do not agree",
				checking->service);
	return diag_set(checking->diag, ERR_CORRUPT, "%s: %.*s", checking->service,
			SLICE_ARG(utf8_cut(first.text, 200)));
}

static enum err check_saga(struct checking *checking, struct json line)
{
	const struct bench_books *books = checking->books;
	struct slice id = member_text(line, "saga", &checking->arena);
	struct expected expected[EXPECTED_MAX + 1];
	uint32_t number;

	if (!bench_number(books->run, id, &number) || number >= books->n)
		return diag_set(checking->diag, ERR_CORRUPT,
				"%s: there is a saga %.*s, which nobody started",
				checking->service, SLICE_ARG(utf8_cut(id, 64)));
	if (checking->seen[number])
		return diag_set(checking->diag, ERR_CORRUPT, "%s: saga %.*s stands there twice",
				checking->service, SLICE_ARG(id));
	checking->seen[number] = true;
	if (!has_settled(&books->fates[number]))
		return OK;
	checking->expect(bench_order_of(number, books->decline_percent),
			 books->fates[number].end == BENCH_COMPLETED, expected);
	for (size_t i = 0; i < EXPECTED_MAX && expected[i].name; i++) {
		int64_t found = member_number(line, expected[i].name);

		if (found != expected[i].number)
			return diag_set(checking->diag, ERR_CORRUPT,
					"%s: saga %.*s has %s %lld instead of %lld",
					checking->service, SLICE_ARG(id), expected[i].name,
					(long long)found, (long long)expected[i].number);
	}
	return OK;
}

static enum err check_line(struct checking *checking, struct slice text, size_t number)
{
	struct json line;
	struct diag diag;
	enum err err = json_parse(text, LINE_MAX_BYTES, &checking->arena, &line, &diag);

	if (err == ERR_NOMEM)
		return err;
	if (err || json_type(line) != JSON_OBJECT)
		return diag_set(checking->diag, ERR_CORRUPT,
				"%s: line %zu of its audit is no JSON object",
				checking->service, number);
	err = number == 1 ? check_totals(checking, line) : check_saga(checking, line);
	arena_reset(&checking->arena);
	return err;
}

static enum err check_lines(struct checking *checking, struct slice rest)
{
	struct slice line;
	size_t number = 0;
	enum err err = OK;

	while (!err && slice_line(&rest, &line))
		err = check_line(checking, line, ++number);
	if (!err && !number)
		err = diag_set(checking->diag, ERR_CORRUPT, "%s: its audit is empty",
			       checking->service);
	return err;
}

static enum err check_none_is_missing(const struct checking *checking)
{
	const struct bench_books *books = checking->books;
	char id[BENCH_ID_SIZE];

	for (uint32_t i = 0; i < books->n; i++) {
		if (checking->seen[i] || !has_settled(&books->fates[i]))
			continue;
		bench_id(books->run, i, id);
		return diag_set(checking->diag, ERR_CORRUPT,
				"%s: saga %s ended, and is not in the books", checking->service,
				id);
	}
	return OK;
}

static enum err check(struct checking *checking, struct slice audit)
{
	enum err err;

	checking->seen = calloc(checking->books->n + 1, sizeof *checking->seen);
	if (!checking->seen)
		return diag_set(checking->diag, ERR_NOMEM, "out of memory");
	err = check_lines(checking, audit);
	err = err ? err : check_none_is_missing(checking);
	free(checking->seen);
	arena_release(&checking->arena);
	return err;
}

enum err bench_books_inventory(const struct bench_books *books, struct slice audit,
			       struct diag *diag)
{
	struct checking checking = {.books = books,
				    .service = "inventory",
				    .expect = expect_inventory,
				    .diag = diag};

	return check(&checking, audit);
}

enum err bench_books_payment(const struct bench_books *books, struct slice audit,
			     struct diag *diag)
{
	struct checking checking = {
		.books = books, .service = "payment", .expect = expect_payment, .diag = diag};

	return check(&checking, audit);
}

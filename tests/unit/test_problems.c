/* test_problems.c - the list of a file's mistakes, and guessing what was meant. */
#include "base/problems.h"
#include "tests/lib/suite.h"

static const char *const words[] = {"steps",   "timeout",    NULL,          "undo",
				    "version", "with",       "description", "output",
				    "when",    "on_failure", "ls",          ""};

static const struct suggest_row {
	const char *name;
	const char *word;
	const char *meant; /* NULL: nothing is like it */
} suggest_rows[] = {
	{"a missing letter", "timout", "timeout"},
	{"a letter too many", "undoo", "undo"},
	{"a wrong letter", "stebs", "steps"},
	{"two swapped letters are one slip", "setps", "steps"},
	{"swapped letters in the shortest word", "sl", "ls"},
	{"the wrong case is no slip at all", "TIMEOUT", "timeout"},
	{"a dash for an underscore", "on-failure", "on_failure"},
	{"a long word may have a slip in three letters", "dsecripton", "description"},
	{"of two candidates the nearer one", "wihen", "when"},
	{"the word itself", "version", "version"},
	{"two slips in a word of five are too many", "stbbs", NULL},
	{"half of a word is not like it", "timer", NULL},
	{"something else entirely", "participant", NULL},
	{"a single letter says nothing", "w", NULL},
	{"the empty word is like nothing", "", NULL},
	{"a word over the limit",
	 "timeouttimeouttimeouttimeouttimeouttimeouttimeouttimeouttimeouttimeout", NULL},
};

START_TEST(test_suggest)
{
	const struct suggest_row *row = &suggest_rows[_i];
	const char *meant = suggest(slice_of(row->word), words, (size_t)ROWS(words));

	ck_assert_msg(row->meant ? meant && strcmp(meant, row->meant) == 0 : !meant,
		      "%s: %s gave %s", row->name, row->word, meant ? meant : "nothing");
}
END_TEST

START_TEST(test_first_of_equals)
{
	static const char *const equals[] = {"bat", "cat", "hat"};

	ck_assert_str_eq(suggest(SLICE_LITERAL("rat"), equals, 3), "bat");
	ck_assert_ptr_null(suggest(SLICE_LITERAL("rat"), NULL, 0));
}
END_TEST

START_TEST(test_single_letters)
{
	static const char *const letters[] = {"x"};

	ck_assert_ptr_null(suggest(SLICE_LITERAL("y"), letters, 1));
	ck_assert_str_eq(suggest(SLICE_LITERAL("X"), letters, 1), "x");
}
END_TEST

static void add_at(struct problems *problems, const char *file, enum severity severity,
		   uint32_t line, uint32_t column, int id)
{
	problems->file = file;
	problem_add(problems, severity, (struct place){line, column}, "code", "%d", id);
}

START_TEST(test_sort)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};

	add_at(&problems, "b.yaml", SEVERITY_ERROR, 1, 1, 8);
	add_at(&problems, "a.yaml", SEVERITY_ERROR, 10, 1, 7);
	add_at(&problems, "a.yaml", SEVERITY_WARNING, 2, 3, 5);
	add_at(&problems, "a.yaml", SEVERITY_ERROR, 2, 3, 3);
	add_at(&problems, "a.yaml", SEVERITY_ERROR, 2, 3, 4);
	add_at(&problems, "a.yaml", SEVERITY_ERROR, 2, 10, 6);
	add_at(&problems, "a.yaml", SEVERITY_WARNING, 2, 1, 2);
	add_at(&problems, "a.yaml", SEVERITY_ERROR, 0, 0, 1);
	add_at(&problems, NULL, SEVERITY_ERROR, 9, 9, 0);
	problems_sort(&problems);
	ck_assert_uint_eq(problems.n, 9);
	ck_assert_uint_eq(problems.n_errors, 7);
	ck_assert_uint_eq(problems.n_warnings, 2);
	for (size_t i = 0; i < problems.n; i++)
		ck_assert_msg(problems.list[i].text[0] == (char)('0' + i),
			      "place %zu holds problem %s", i, problems.list[i].text);
	arena_release(&arena);
}
END_TEST

START_TEST(test_what_is_kept)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena, .file = "order.yaml"};
	const struct problem *problem;

	problem_add(&problems, SEVERITY_WARNING, (struct place){3, 7}, "unknown-key",
		    "unknown key `%s`; did you mean `%s`?", "undoo", "undo");
	ck_assert_uint_eq(problems.n, 1);
	problem = &problems.list[0];
	ck_assert_str_eq(problem->file, "order.yaml");
	ck_assert_uint_eq(problem->place.line, 3);
	ck_assert_uint_eq(problem->place.column, 7);
	ck_assert_int_eq(problem->severity, SEVERITY_WARNING);
	ck_assert_str_eq(problem->code, "unknown-key");
	ck_assert_str_eq(problem->text, "unknown key `undoo`; did you mean `undo`?");
	arena_release(&arena);
}
END_TEST

START_TEST(test_more_than_the_most_are_counted)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};

	for (int i = 0; i < PROBLEMS_MAX + 50; i++)
		add_at(&problems, "a.yaml", SEVERITY_ERROR, (uint32_t)i + 1, 1, i);
	ck_assert_uint_eq(problems.n, PROBLEMS_MAX);
	ck_assert_uint_eq(problems.n_errors, PROBLEMS_MAX + 50);
	ck_assert(!problems.nomem);
	ck_assert_str_eq(problems.list[0].text, "0");
	ck_assert_str_eq(problems.list[PROBLEMS_MAX - 1].text, "199");
	arena_release(&arena);
}
END_TEST

START_TEST(test_a_long_text_is_cut_between_characters)
{
	enum { LENGTH = PROBLEM_TEXT_MAX + 100 };
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	char text[2 * LENGTH + 2] = "x";

	for (size_t shift = 0; shift < 2; shift++) {
		for (size_t i = 0; i < LENGTH; i++)
			memcpy(text + shift + 2 * i, "\xc3\xa9", 2);
		problem_add(&problems, SEVERITY_ERROR, (struct place){1, 1}, "long", "%s",
			    text);
		ck_assert_uint_eq(problems.n, shift + 1);
		ck_assert_uint_le(strlen(problems.list[shift].text), PROBLEM_TEXT_MAX - 1);
		ck_assert_uint_ge(strlen(problems.list[shift].text), PROBLEM_TEXT_MAX - 2);
		ck_assert_ptr_nonnull(strstr(problems.list[shift].text, "\xc3\xa9..."));
	}
	arena_release(&arena);
}
END_TEST

START_TEST(test_a_text_is_one_line)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};

	problem_add(&problems, SEVERITY_ERROR, (struct place){1, 1}, "quoted", "\"%s\" is none",
		    "a\nb\x1b[1m\x7f\xc3\xa9");
	ck_assert_str_eq(problems.list[0].text, "\"a?b?[1m?\xc3\xa9\" is none");
	arena_release(&arena);
}
END_TEST

START_TEST(test_out_of_memory_is_remembered)
{
	struct arena arena = {.max = 20000}; /* one block */
	struct problems problems = {.arena = &arena};

	for (int i = 0; !problems.nomem && i < PROBLEMS_MAX; i++)
		problem_add(&problems, SEVERITY_ERROR, (struct place){1, 1}, "long", "%900d",
			    i);
	ck_assert(problems.nomem);
	ck_assert_uint_gt(problems.n, 0);
	ck_assert_uint_eq(problems.n_errors, problems.n + 1);
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_suggest, 0, ROWS(suggest_rows));
	tcase_add_test(tcase, test_first_of_equals);
	tcase_add_test(tcase, test_single_letters);
	tcase_add_test(tcase, test_sort);
	tcase_add_test(tcase, test_what_is_kept);
	tcase_add_test(tcase, test_more_than_the_most_are_counted);
	tcase_add_test(tcase, test_a_long_text_is_cut_between_characters);
	tcase_add_test(tcase, test_a_text_is_one_line);
	tcase_add_test(tcase, test_out_of_memory_is_remembered);
}

int main(void)
{
	return suite_run("problems", add);
}

/* test_definition.c - names, defaults and words of a definition. */
#include "orchestrator/core/definition.h"
#include "tests/lib/suite.h"

#define NAME_OF_63 "a23456789012345678901234567890123456789012345678901234567890123"

static const struct name_row {
	const char *name;
	bool valid;
} name_rows[] = {
	{"a", true},    {"abc", true},       {"a1", true},   {"a-b_c-", true},
	{"z9", true},   {NAME_OF_63, true},  {"", false},    {NAME_OF_63 "4", false},
	{"1a", false},  {"-a", false},       {"_a", false},  {"A", false},
	{"aB", false},  {"a b", false},      {"a.b", false}, {"a/b", false},
	{"a:b", false}, {"\xc3\xa4", false}, {"a\n", false}, {"{", false},
	{"a`", false},  {"a@", false},
};

START_TEST(test_name)
{
	const struct name_row *row = &name_rows[_i];

	ck_assert_msg(name_valid(slice_of(row->name)) == row->valid, "'%s'", row->name);
}
END_TEST

START_TEST(test_name_with_nul)
{
	ck_assert(!name_valid((struct slice){"a\0b", 3}));
	ck_assert(!name_valid((struct slice){NULL, 0}));
}
END_TEST

START_TEST(test_find)
{
	struct step_definition steps[] = {{.name = SLICE_LITERAL("a")},
					  {.name = SLICE_LITERAL("bc")}};
	struct definition definition = {.steps = steps, .n_steps = 2};

	ck_assert_uint_eq(definition_find(&definition, SLICE_LITERAL("a")), 0);
	ck_assert_uint_eq(definition_find(&definition, SLICE_LITERAL("bc")), 1);
	ck_assert_uint_eq(definition_find(&definition, SLICE_LITERAL("b")), NO_STEP);
	ck_assert_uint_eq(definition_find(&definition, (struct slice){0}), NO_STEP);
}
END_TEST

/* What the language page says. */
START_TEST(test_retry_defaults)
{
	const struct retry *both[] = {&retry_default_do, &retry_default_undo};

	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(both[i]->name.len, 0);
		ck_assert_int_eq(both[i]->first_ms, 200);
		ck_assert_int_eq(both[i]->max_ms, 30000);
		ck_assert_int_eq(decimal_compare(both[i]->factor, (struct decimal){2, 0}), 0);
		ck_assert(both[i]->full_jitter);
	}
	ck_assert_uint_eq(retry_default_do.attempts, 5);
	ck_assert_int_eq(retry_default_do.budget_ms, 0);
	ck_assert_uint_eq(retry_default_undo.attempts, 0);
	ck_assert_int_eq(retry_default_undo.budget_ms, 24 * 60 * 60 * 1000);
}
END_TEST

START_TEST(test_words)
{
	ck_assert_str_eq(kind_text(KIND_COMPENSATABLE), "compensatable");
	ck_assert_str_eq(kind_text(KIND_READONLY), "readonly");
	ck_assert_str_eq(kind_text(KIND_PIVOT), "pivot");
	ck_assert_str_eq(kind_text(KIND_RETRIABLE), "retriable");
	ck_assert_str_eq(kind_text(KIND_NONE), "none");
	ck_assert_str_eq(form_text(FORM_CALL), "call");
	ck_assert_str_eq(form_text(FORM_NOTHING), "nothing");
	ck_assert_str_eq(form_text(FORM_PARALLEL), "parallel");
	ck_assert_str_eq(form_text(FORM_AWAIT), "await");
	ck_assert_str_eq(form_text(FORM_SLEEP), "sleep");
}
END_TEST

START_TEST(test_free_nothing)
{
	definition_free(NULL);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_name, 0, ROWS(name_rows));
	tcase_add_test(tcase, test_name_with_nul);
	tcase_add_test(tcase, test_find);
	tcase_add_test(tcase, test_retry_defaults);
	tcase_add_test(tcase, test_words);
	tcase_add_test(tcase, test_free_nothing);
}

int main(void)
{
	return suite_run("definition", add);
}

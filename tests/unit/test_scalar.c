/* test_scalar.c - what plain scalars are, what needs quotes, what is a version. */
#include "orchestrator/load/scalar.h"
#include "tests/lib/suite.h"

static const struct type_row {
	const char *text;
	enum scalar type;
} type_rows[] = {
	{"", SCALAR_NULL},
	{"~", SCALAR_NULL},
	{"null", SCALAR_NULL},
	{"true", SCALAR_BOOL},
	{"false", SCALAR_BOOL},
	{"0", SCALAR_NUMBER},
	{"-0", SCALAR_NUMBER},
	{"12", SCALAR_NUMBER},
	{"-1.50", SCALAR_NUMBER},
	{"1e5", SCALAR_NUMBER},
	{"1E+5", SCALAR_NUMBER},
	{"1e999", SCALAR_NUMBER},
	{"123456789012345678901234567890", SCALAR_NUMBER},
	{"=a", SCALAR_EXPRESSION},
	{"=", SCALAR_EXPRESSION},
	{"yes", SCALAR_TEXT},
	{"No", SCALAR_TEXT},
	{"on", SCALAR_TEXT},
	{"OFF", SCALAR_TEXT},
	{"y", SCALAR_TEXT},
	{"nulls", SCALAR_TEXT},
	{"a1", SCALAR_TEXT},
	{"1a", SCALAR_TEXT},
	{"1.2.3", SCALAR_TEXT},
	{"2024-01-31", SCALAR_TEXT},
	{"-", SCALAR_TEXT},
	{"+", SCALAR_TEXT},
	{".", SCALAR_TEXT},
	{"..", SCALAR_TEXT},
	{"._", SCALAR_TEXT},
	{"_1", SCALAR_TEXT},
	{"e5", SCALAR_TEXT},
	{"1e", SCALAR_TEXT},
	{"1e+", SCALAR_TEXT},
	{"0x", SCALAR_TEXT},
	{"0xg", SCALAR_TEXT},
	{"12:", SCALAR_TEXT},
	{"12:345", SCALAR_TEXT},
	{"12:61", SCALAR_TEXT},
	{"inf", SCALAR_TEXT},
	{"NaN", SCALAR_TEXT},
	{"10s", SCALAR_TEXT},
	{"True", SCALAR_AMBIGUOUS},
	{"FALSE", SCALAR_AMBIGUOUS},
	{"Null", SCALAR_AMBIGUOUS},
	{"0x1F", SCALAR_AMBIGUOUS},
	{"-0x1f", SCALAR_AMBIGUOUS},
	{"0o17", SCALAR_AMBIGUOUS},
	{"0b101", SCALAR_AMBIGUOUS},
	{"0b1_0", SCALAR_AMBIGUOUS},
	{".5", SCALAR_AMBIGUOUS},
	{"5.", SCALAR_AMBIGUOUS},
	{"1.e3", SCALAR_AMBIGUOUS},
	{"+1", SCALAR_AMBIGUOUS},
	{"+1.5", SCALAR_AMBIGUOUS},
	{"-.5", SCALAR_AMBIGUOUS},
	{"1_000", SCALAR_AMBIGUOUS},
	{"012", SCALAR_AMBIGUOUS},
	{"00", SCALAR_AMBIGUOUS},
	{".inf", SCALAR_AMBIGUOUS},
	{"-.Inf", SCALAR_AMBIGUOUS},
	{".NaN", SCALAR_AMBIGUOUS},
	{"12:30", SCALAR_AMBIGUOUS},
	{"190:20:30", SCALAR_AMBIGUOUS},
	{"1:30.5", SCALAR_AMBIGUOUS},
};

START_TEST(test_type)
{
	const struct type_row *row = &type_rows[_i];
	struct yaml_node node = {.plain = true, .text = slice_of(row->text)};
	bool expression = row->type == SCALAR_EXPRESSION;

	ck_assert_msg(scalar_type(&node) == row->type, "%s is %d", row->text,
		      (int)scalar_type(&node));
	/* In quotes it is a text, and an expression an expression. */
	node.plain = false;
	ck_assert_msg(scalar_type(&node) == (expression ? SCALAR_EXPRESSION : SCALAR_TEXT),
		      "\"%s\" is %d", row->text, (int)scalar_type(&node));
}
END_TEST

static const struct plain_row {
	const char *text;
	bool plain;
} plain_rows[] = {
	{"a", true},
	{"hello, world (of 2): yes", false},
	{"hello, world (of 2) = yes", true},
	{"http://example.org/a?b=c#d", true},
	{"=a[0] == \"x\"", true},
	{"/path", true},
	{"_", true},
	{"it's \"so\"", true},
	{"gr\xc3\xbc\xc3\x9f"
	 "e",
	 true},
	{"\xf0\x9f\x9a\x80", true},
	{"a:b", true},
	{"a#b", true},
	{"", false},
	{" a", false},
	{"a ", false},
	{"a:", false},
	{"a: b", false},
	{"a #b", false},
	{"a\nb", false},
	{"a\tb", false},
	{"a\x7f", false},
	{"a\xc2\x80", false},
	{"a\xc2\xa0", false},
	{"a\xe2\x80\xa8", false},
	{"a\xef\xbb\xbf", false},
	{"a\xef\xbf\xbe", false},
	{"1", false},
	{"1.0.0", false},
	{"-a", false},
	{"- a", false},
	{"? a", false},
	{"#a", false},
	{"@a", false},
	{"[a", false},
	{"{a", false},
	{"&a", false},
	{"*a", false},
	{"!a", false},
	{"|", false},
	{">", false},
	{"%a", false},
	{"'a", false},
	{"\"a", false},
	{"`a", false},
	{"~", false},
	{".a", false},
	{"+a", false},
	{"true", false},
	{"NULL", false},
	{"Yes", false},
	{"off", false},
	{"n", false},
};

START_TEST(test_plain)
{
	const struct plain_row *row = &plain_rows[_i];

	ck_assert_msg(scalar_plain(slice_of(row->text)) == row->plain, "'%s'", row->text);
}
END_TEST

static const struct version_row {
	const char *text;
	bool right;
} version_rows[] = {
	{"0.0.0", true},
	{"1.0.0", true},
	{"10.20.30", true},
	{"1.0.0-rc.1", true},
	{"1.0.0-0", true},
	{"1.0.0--", true},
	{"1.0.0-a-b.c0", true},
	{"1.0.0+001", true},
	{"1.0.0-rc.1+build.5-x", true},
	{"", false},
	{"1", false},
	{"1.0", false},
	{"1.0.", false},
	{"1.0.0.", false},
	{"1.0.0.0", false},
	{"01.0.0", false},
	{"1.00.0", false},
	{"v1.0.0", false},
	{"1.0.0 ", false},
	{"1.0.0-", false},
	{"1.0.0-01", false},
	{"1.0.0-a..b", false},
	{"1.0.0-a_b", false},
	{"1.0.0+", false},
	{"1.0.0+a+b", false},
	{"1.0.x", false},
};

START_TEST(test_version)
{
	const struct version_row *row = &version_rows[_i];

	ck_assert_msg(version_valid(slice_of(row->text)) == row->right, "%s", row->text);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_type, 0, ROWS(type_rows));
	tcase_add_loop_test(tcase, test_plain, 0, ROWS(plain_rows));
	tcase_add_loop_test(tcase, test_version, 0, ROWS(version_rows));
}

int main(void)
{
	return suite_run("scalar", add);
}

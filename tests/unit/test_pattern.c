/* test_pattern.c - regular expressions: what they match, what is refused, and
 * that no text makes them slow.
 */
#include "base/pattern.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

static const struct match_row {
	const char *name;
	const char *pattern;
	const char *text;
	bool matches;
} match_rows[] = {
	{"the empty pattern is in every text", "", "abc", true},
	{"the empty pattern is in the empty text", "", "", true},
	{"a literal anywhere", "bc", "abcd", true},
	{"a literal that is not there", "bd", "abcd", false},
	{"case counts", "ABC", "abc", false},
	{"the begin alone", "^b", "ab", false},
	{"the end alone", "a$", "ab", false},
	{"both ends", "^ab$", "ab", true},
	{"both ends and more text", "^ab$", "abb", false},
	{"the ends are those of the text, not of a line", "^b$", "a\nb\nc", false},
	{"only the empty text", "^$", "", true},
	{"not only the empty text", "^$", "a", false},
	{"an end in the middle never matches", "a$b", "ab", false},
	{"a begin after the begin", "^^a", "a", true},
	{"a dot is one character", "^a.c$", "abc", true},
	{"a dot is a character, not a byte", "^.$", "\xe2\x82\xac", true},
	{"a dot is a character above the BMP", "^.{2}$", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80",
	 true},
	{"a dot is no line break", "^a.c$", "a\nc", false},
	{"a dot is no line separator", "^.$", "\xe2\x80\xa8", false},
	{"a literal character of several bytes", "\xc3\xa9+$", "caf\xc3\xa9\xc3\xa9", true},
	{"a class", "^[abc]+$", "cab", true},
	{"outside a class", "^[abc]+$", "cad", false},
	{"a range", "^[a-c]+$", "abc", true},
	{"the character after a range", "[a-c]", "d", false},
	{"the character before a range", "[b-c]", "a", false},
	{"overlapping ranges", "^[a-mc-pz]+$", "anpz", true},
	{"a range inside another", "^[a-zb-c]+$", "z", true},
	{"ranges given backwards in order", "^[x-za-c]+$", "xazc", true},
	{"a range of other alphabets", "^[\xce\xb1-\xcf\x89]+$", "\xce\xbb\xcf\x84\xce\xb3",
	 true},
	{"a negated class", "^[^a-c]+$", "xyz\xe2\x82\xac", true},
	{"a negated class refuses its members", "[^a-c]", "abc", false},
	{"a negated class takes a line break", "^[^a]$", "\n", true},
	{"a dash first in a class", "^[-a]+$", "a-", true},
	{"a dash last in a class", "^[a-]+$", "a-", true},
	{"a caret that is not first", "^[a^]+$", "^a", true},
	{"an escaped bracket in a class", "^[\\]\\[]+$", "[]", true},
	{"an opening bracket in a class", "^[[a]+$", "[a", true},
	{"operators are plain in a class", "^[.*+?(){}|$]+$", "$.*+?(){}|", true},
	{"a dot is plain in a class", "[.]", "a", false},
	{"an escape range in a class", "^[\\!-\\/]+$", "#*", true},
	{"digits", "^\\d+$", "0189", true},
	{"digits of other scripts are none", "\\d", "\xd9\xa3", false},
	{"no digits", "^\\D+$", "a-\xe2\x82\xac", true},
	{"no digits refuses one", "^\\D+$", "a1", false},
	{"word characters", "^\\w+$", "aZ_09", true},
	{"a dash is no word character", "^\\w+$", "a-b", false},
	{"no word characters", "^\\W+$", "-\xc3\xa9 ", true},
	{"white space", "^\\s+$", " \t\n\r\v\f\xc2\xa0\xe2\x80\xaf\xef\xbb\xbf", true},
	{"no white space", "^\\S+$", "a\xe2\x82\xac", true},
	{"no white space refuses one", "^\\S+$", "a b", false},
	{"kinds in a class", "^[\\w\\s.-]+$", "Jane D. O-K", true},
	{"a negated kind in a class", "^[\\D]+$", "abc", true},
	{"a kind in a negated class", "^[^\\s\\d]+$", "a1", false},
	{"everything by two kinds", "^[\\s\\S]+$", "a\nb", true},
	{"an escaped operator", "^a\\.b\\*\\(\\)\\[\\]\\{\\}\\|\\^\\$\\?\\+$",
	 "a.b*()[]{}|^$?+", true},
	{"an escaped dot is only a dot", "a\\.b", "axb", false},
	{"an escaped backslash", "^\\\\$", "\\", true},
	{"an escaped slash and dash", "^\\/\\-$", "/-", true},
	{"none of a star", "^ab*c$", "ac", true},
	{"many of a star", "^ab*c$", "abbbbc", true},
	{"none of a plus", "^ab+c$", "ac", false},
	{"many of a plus", "^ab+c$", "abbc", true},
	{"none of a question mark", "^ab?c$", "ac", true},
	{"two of a question mark", "^ab?c$", "abbc", false},
	{"an exact count", "^a{3}$", "aaa", true},
	{"one below an exact count", "^a{3}$", "aa", false},
	{"one above an exact count", "^a{3}$", "aaaa", false},
	{"a least count", "^a{2,}$", "aaaaa", true},
	{"one below a least count", "^a{2,}$", "a", false},
	{"a least count of none", "^ba{0,}$", "b", true},
	{"the least of a range of counts", "^a{2,4}$", "aa", true},
	{"the most of a range of counts", "^a{2,4}$", "aaaa", true},
	{"one below a range of counts", "^a{2,4}$", "a", false},
	{"one above a range of counts", "^a{2,4}$", "aaaaa", false},
	{"a count of none", "^ba{0}$", "b", true},
	{"a count of none refuses one", "^ba{0}$", "ba", false},
	{"up to a count", "^(ab){0,2}$", "abab", true},
	{"over a count from none", "^(ab){0,2}$", "ababab", false},
	{"half a repeated group", "^(ab){0,2}$", "aba", false},
	{"a repeated group", "^(ab)+$", "ababab", true},
	{"a group without a capture", "^(?:ab)+c$", "ababc", true},
	{"a repeated group of at least two", "^(ab){2,}$", "ab", false},
	{"a repeated choice of at least two", "^(a|bc){2,}$", "bcabc", true},
	{"a choice in a counted group", "^(a|bc){2,3}$", "bcabcbc", false},
	{"a nested count", "^((a{2}){2}){2}$", "aaaaaaaa", true},
	{"a nested count, one less", "^((a{2}){2}){2}$", "aaaaaaa", false},
	{"the first choice", "^(cat|dog|bird)$", "cat", true},
	{"the last choice", "^(cat|dog|bird)$", "bird", true},
	{"none of the choices", "^(cat|dog|bird)$", "cow", false},
	{"a choice binds weakest", "^a|b$", "ax", true},
	{"a choice binds weakest on the right", "^a|b$", "xb", true},
	{"an empty choice", "^a(|b)c$", "ac", true},
	{"an empty last choice", "^a(b|)c$", "ac", true},
	{"empty groups", "^()((){5})*a$", "a", true},
	{"a star in a star ends", "^(a*)*$", "aaa", true},
	{"a plus over what may be empty", "^(a*)+$", "", true},
	{"a plus over an empty group", "^()+$", "", true},
	{"a begin inside a loop", "(^a|b)+c", "xbbc", true},
	{"a begin inside a loop cannot come later", "^x(^a|b)+c$", "xabc", false},
	{"an end inside a choice", "^(a|b$)+$", "aab", true},
	{"the example of a sku", "^[A-Z]{3}-[0-9]{4,6}$", "ABC-12345", true},
	{"the example of an address", "^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$", "jane@mail.example",
	 true},
	{"the example of an address without a dot", "^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$",
	 "jane@example", false},
	{"bytes that are no UTF-8 are one character each", "^..$", "\xff\xfe", true},
	{"half a character at the end", "^a.$", "a\xe2\x82", false},
};

static const struct pattern *compiled(const char *text, struct arena *arena)
{
	struct pattern *pattern = NULL;
	struct diag diag = {""};
	enum err err = pattern_compile(slice_of(text), arena, &pattern, &diag);

	ck_assert_msg(err == OK, "%s: %s", text, diag.text);
	return pattern;
}

START_TEST(test_match)
{
	const struct match_row *row = &match_rows[_i];
	struct arena arena = {0};
	const struct pattern *pattern = compiled(row->pattern, &arena);
	bool nomem = false;

	ck_assert_msg(pattern_matches(pattern, slice_of(row->text), &arena, &nomem) ==
			      row->matches,
		      "%s", row->name);
	ck_assert(!nomem);
	arena_release(&arena);
}
END_TEST

static const struct refused_row {
	const char *name;
	const char *pattern;
	enum err err;
	const char *says;
} refused_rows[] = {
	{"a back reference", "(a)\\1", ERR_INVALID,
	 "character 5 of the pattern: unknown escape"},
	{"a word boundary", "\\bword", ERR_INVALID,
	 "character 2 of the pattern: unknown escape"},
	{"an escaped letter", "\\n", ERR_INVALID, "unknown escape"},
	{"an escaped character of several bytes", "\\\xc3\xa9", ERR_INVALID, "unknown escape"},
	{"a code point by its number", "\\u0000", ERR_INVALID, "unknown escape"},
	{"an unknown escape in a class", "[\\p]", ERR_INVALID, "character 3"},
	{"look-ahead", "a(?=b)", ERR_INVALID, "character 3 of the pattern: look-around"},
	{"look-behind", "(?<!a)b", ERR_INVALID, "look-around"},
	{"a named group", "(?<name>a)", ERR_INVALID, "named groups"},
	{"a flag", "(?i)a", ERR_INVALID, "flags"},
	{"a lazy star", "a*?", ERR_INVALID, "character 3 of the pattern: lazy"},
	{"a lazy count", "a{2}?", ERR_INVALID, "lazy"},
	{"a possessive plus", "a++", ERR_INVALID, "possessive"},
	{"a double count", "a{2}{3}", ERR_INVALID, "double quantifiers"},
	{"nothing before a star", "*a", ERR_INVALID,
	 "character 1 of the pattern: there is nothing"},
	{"nothing before a plus in a group", "(+a)", ERR_INVALID, "character 2"},
	{"nothing before a question mark in a choice", "a|?", ERR_INVALID, "character 3"},
	{"nothing before a count", "{2}", ERR_INVALID, "nothing to repeat"},
	{"a repeated begin", "^*", ERR_INVALID, "^ and $ cannot be repeated"},
	{"a repeated end", "a${2}", ERR_INVALID, "^ and $ cannot be repeated"},
	{"a group that is not closed", "(a", ERR_INVALID, "not closed; add )"},
	{"an inner group that is not closed", "((a)|b", ERR_INVALID, "not closed; add )"},
	{"a group that was never opened", "a)", ERR_INVALID,
	 "character 2 of the pattern: it closes"},
	{"a class that is not closed", "[a", ERR_INVALID, "not closed; add ]"},
	{"a class that ends in a dash", "[a-", ERR_INVALID, "not closed; add ]"},
	{"a class that ends in a backslash", "[a\\", ERR_INVALID, "backslash"},
	{"an empty class", "[]", ERR_INVALID, "class is empty"},
	{"an empty negated class", "[^]", ERR_INVALID, "class is empty"},
	{"a range backwards", "x[z-a]", ERR_INVALID, "character 3 of the pattern: a range"},
	{"a range from a kind", "[\\d-z]", ERR_INVALID, "a range needs"},
	{"a range to a kind", "[a-\\d]", ERR_INVALID, "a range needs"},
	{"a bracket alone", "a]", ERR_INVALID, "closes nothing"},
	{"a brace alone", "a}", ERR_INVALID, "closes nothing"},
	{"a backslash at the end", "a\\", ERR_INVALID, "ends in a backslash"},
	{"a count without a number", "a{}", ERR_INVALID, "{m}, {m,} or {m,n}"},
	{"a count without its least", "a{,3}", ERR_INVALID, "{m}, {m,} or {m,n}"},
	{"a count that is not closed", "a{3", ERR_INVALID, "{m}, {m,} or {m,n}"},
	{"a count with three numbers", "a{1,2,3}", ERR_INVALID, "{m}, {m,} or {m,n}"},
	{"counts in the wrong order", "a{3,2}", ERR_INVALID, "wrong order"},
	{"a count over the limit", "a{1001}", ERR_INVALID, "at most 1000"},
	{"a count that would overflow", "a{99999999999999999999}", ERR_INVALID, "at most 1000"},
	{"bytes that are no UTF-8", "a\xff", ERR_INVALID, "not UTF-8"},
	{"counts that multiply", "((a{1000}){1000}){1000}", ERR_TOO_LARGE, "lower the counts"},
	{"more instructions than allowed", "(abc){1000}(abc){365}a", ERR_TOO_LARGE,
	 "more than 4096"},
};

START_TEST(test_refused)
{
	const struct refused_row *row = &refused_rows[_i];
	struct arena arena = {0};
	struct pattern *pattern = NULL;
	struct diag diag = {""};
	enum err err = pattern_compile(slice_of(row->pattern), &arena, &pattern, &diag);

	ck_assert_msg(err == row->err, "%s: %s", row->name, err_text(err));
	ck_assert_msg(strstr(diag.text, row->says), "%s: %s", row->name, diag.text);
	ck_assert_ptr_null(pattern);
	arena_release(&arena);
}
END_TEST

/* `n` times the first text, then the second. */
static char *repeated(const char *text, size_t n, const char *last)
{
	size_t len = strlen(text), last_len = strlen(last);
	char *out = malloc(n * len + last_len + 1);

	ck_assert_ptr_nonnull(out);
	for (size_t i = 0; i < n; i++)
		memcpy(out + i * len, text, len);
	memcpy(out + n * len, last, last_len + 1);
	return out;
}

static enum err compile_repeated(const char *text, size_t n, const char *last)
{
	struct arena arena = {0};
	struct pattern *pattern;
	char *whole = repeated(text, n, last);
	enum err err = pattern_compile(slice_of(whole), &arena, &pattern, NULL);

	free(whole);
	arena_release(&arena);
	return err;
}

START_TEST(test_limits)
{
	ck_assert_int_eq(compile_repeated("a", PATTERN_TEXT_MAX, ""), OK);
	ck_assert_int_eq(compile_repeated("a", PATTERN_TEXT_MAX, "a"), ERR_TOO_LARGE);
	ck_assert_int_eq(compile_repeated("(", PATTERN_TEXT_MAX, ""), ERR_INVALID);
	ck_assert_int_eq(compile_repeated("()", 100, "{1000}"), OK);
	ck_assert_int_eq(compile_repeated("(abc){1000}", 1, "(abc){365}"),
			 OK); /* 4,095 + the end */
	ck_assert_int_eq(compile_repeated("(", 64,
					  "a))))))))))))))))))))))))))))))))"
					  "))))))))))))))))))))))))))))))))"),
			 OK);
	ck_assert_int_eq(compile_repeated("(", 65,
					  "a))))))))))))))))))))))))))))))))"
					  ")))))))))))))))))))))))))))))))))"),
			 ERR_INVALID);
}
END_TEST

static const struct hostile_row {
	const char *pattern;
	const char *text; /* repeated 50,000 times, then an x */
	bool matches;
} hostile_rows[] = {
	{"^(a*)*b$", "a", false},         {"^(a+)+$", "a", false},
	{"^(a|a)*$", "a", false},         {"^(a|aa)+$", "a", false},
	{"(.*)*(.*)*=.*", "a", false},    {"^(([a-z])+.)+[A-Z]([a-z])+$", "a", false},
	{"^(a?){50}a{50}x$", "a", false}, {"(a*)*(b*)*(c*)*x$", "abc", true},
	{"(a|b|ab)*c{20}", "ab", false},
};

/* One that tried the ways one after the other would not end in our lifetime. */
START_TEST(test_hostile)
{
	const struct hostile_row *row = &hostile_rows[_i];
	struct arena arena = {0};
	const struct pattern *pattern = compiled(row->pattern, &arena);
	char *text = repeated(row->text, 50000, "x");
	bool nomem = false;

	ck_assert_msg(pattern_matches(pattern, slice_of(text), &arena, &nomem) == row->matches,
		      "%s", row->pattern);
	ck_assert(!nomem);
	free(text);
	arena_release(&arena);
}
END_TEST

START_TEST(test_text_may_hold_nul)
{
	struct arena arena = {0};
	const struct pattern *pattern = compiled("^a[^b]c$", &arena);
	bool nomem = false;

	ck_assert(pattern_matches(pattern, SLICE_LITERAL("a\0c"), &arena, &nomem));
	ck_assert(!pattern_matches(pattern, SLICE_LITERAL("a\0d"), &arena, &nomem));
	arena_release(&arena);
}
END_TEST

START_TEST(test_out_of_memory)
{
	static const char text[] = "^[a-z0-9]{1,900}(x|y|[^\\s\\d])+$";
	bool compiled_once = false, matched_once = false;

	/* Blocks are 16 KiB: from none to more than enough. */
	for (size_t blocks = 1; !matched_once; blocks++) {
		struct arena arena = {.max = blocks * 16384 - 1};
		struct pattern *pattern = NULL;
		bool nomem = false;
		enum err err = pattern_compile(slice_of(text), &arena, &pattern, NULL);

		ck_assert_uint_lt(blocks, 100);
		ck_assert_msg(err == ERR_NOMEM || err == OK, "%s", err_text(err));
		if (err == OK) {
			compiled_once = true;
			matched_once =
				pattern_matches(pattern, SLICE_LITERAL("abcx"), &arena, &nomem);
			ck_assert(nomem == !matched_once);
		}
		arena_release(&arena);
	}
	ck_assert(compiled_once);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_match, 0, ROWS(match_rows));
	tcase_add_loop_test(tcase, test_refused, 0, ROWS(refused_rows));
	tcase_add_test(tcase, test_limits);
	tcase_add_loop_test(tcase, test_hostile, 0, ROWS(hostile_rows));
	tcase_add_test(tcase, test_text_may_hold_nul);
	tcase_add_test(tcase, test_out_of_memory);
}

int main(void)
{
	return suite_run("pattern", add);
}

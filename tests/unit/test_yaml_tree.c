/* test_yaml_tree.c - YAML and JSON as trees, and what hostile text costs. */
#include "base/bytes.h"
#include "orchestrator/load/codes.h"
#include "orchestrator/load/yaml_tree.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PRINTED_MAX = 4096, LARGE_MAX = 1024 * 1024 };

/* A tree on one line: plain, "quoted", [list], {name: value}, ! for broken. */
static void print_node(struct bytes *out, const struct yaml_node *node)
{
	static const char *const brackets[] = {[YAML_LIST] = "[]", [YAML_MAPPING] = "{}"};
	size_t n;

	if (node->broken)
		bytes_add(out, '!');
	if (node->kind == YAML_SCALAR) {
		bytes_text(out, node->plain ? "" : "\"");
		bytes_append(out, node->text);
		bytes_text(out, node->plain ? "" : "\"");
		return;
	}
	bytes_add(out, brackets[node->kind][0]);
	n = node->n;
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		if (entry != node->first)
			bytes_text(out, ", ");
		if (node->kind == YAML_MAPPING) {
			bytes_append(out, entry->name);
			bytes_text(out, ": ");
		}
		print_node(out, entry->value);
		n--;
	}
	ck_assert_uint_eq(n, 0);
	bytes_add(out, brackets[node->kind][1]);
}

/* "code@1:2 code@3:4" */
static void print_problems(struct bytes *out, const struct problems *problems)
{
	for (size_t i = 0; i < problems->n; i++)
		bytes_format(out, "%s%s@%u:%u", i ? " " : "", problems->list[i].code,
			     (unsigned)problems->list[i].place.line,
			     (unsigned)problems->list[i].place.column);
}

static const struct row {
	const char *name;
	const char *text;
	const char *tree; /* NULL: there is none */
	const char *problems;
} rows[] = {
	{"block style", "a: 1\nb:\n  - x\n  - y: z\n", "{a: 1, b: [x, {y: z}]}", ""},
	{"flow style", "{a: 1, b: [x, {y: z}]}", "{a: 1, b: [x, {y: z}]}", ""},
	{"quotes", "a: \"x\\ny\"\nb: 'it''s'\n", "{a: \"x\ny\", b: \"it's\"}", ""},
	{"block scalars", "a: |\n  x\n  y\nb: >\n  x\n  y\n", "{a: \"x\ny\n\", b: \"x y\n\"}",
	 ""},
	{"nothing", "a:\nb: ~\nc: ''", "{a: , b: ~, c: \"\"}", ""},
	{"a scalar alone", "x", "x", ""},
	{"empty collections", "a: []\nb: {}", "{a: [], b: {}}", ""},
	{"a byte order mark",
	 "\xef\xbb\xbf"
	 "a: b",
	 "{a: b}", ""},
	{"markers", "---\na: b\n...\n", "{a: b}", ""},
	{"the directive of YAML 1.2", "%YAML 1.2\n---\na: b\n", "{a: b}", ""},
	{"a key that begins with =", "=a: b", "{=a: b}", ""},
	{"a quoted key that looks like a number", "\"1\": b", "{1: b}", ""},
	{"an alias", "a: *x\nb: c", "{a: !\"\", b: c}", "yaml-alias@1:4"},
	{"an alias as key", "*x : a\nb: c", "{b: c}", "yaml-alias@1:1"},
	{"an anchor", "a: &x b", "{a: b}", "yaml-anchor@1:4"},
	{"an anchor at a list", "a: &x [b]", "{a: [b]}", "yaml-anchor@1:4"},
	{"an anchor at a key", "&x a: b", "{a: b}", "yaml-anchor@1:1"},
	{"a tag", "a: !!int 1\nb: !own {}\nc: ! x", "{a: !1, b: !{}, c: !x}",
	 "yaml-tag@1:4 yaml-tag@2:4 yaml-tag@3:4"},
	{"a merge key", "<<: {a: b}\nc: d", "{c: d}", "yaml-merge-key@1:1"},
	{"a quoted merge key is a key", "\"<<\": a", "{<<: a}", ""},
	{"a number as key", "1: a\nb: c", "{b: c}", "non-text-key@1:1"},
	{"a boolean as key", "true: a", "{}", "non-text-key@1:1"},
	{"yes as key", "yes: a", "{yes: a}", ""},
	{"no key", "?\n: a", "{}", "non-text-key@1:2"},
	{"a list as key", "? [a]\n: b\nc: d", "{c: d}", "non-text-key@1:3"},
	{"a key that stands twice", "a: 1\nb: 2\na: 3\n", "{a: 1, b: 2}", "duplicate-key@3:1"},
	{"a key that stands three times", "{a: 1, a: 2, b: 3, a: 4}", "{a: 1, b: 3}",
	 "duplicate-key@1:8 duplicate-key@1:20"},
	{"keys that begin alike", "ab: 1\na: 2\nabc: 3", "{ab: 1, a: 2, abc: 3}", ""},
	{"two documents", "a: b\n---\nc: d", "{a: b}", "several-documents@2:1"},
	{"an end and more", "a: b\n...\nc: d", NULL, "yaml-syntax@3:1"},
	{"no document", "", NULL, "empty-document@1:1"},
	{"only a comment", "# x\n", NULL, "empty-document@1:1"},
	{"bytes that are no UTF-8", "a: \xff", NULL, "not-utf8@1:4"},
	{"half a character at the end", "a: \xc3", NULL, "not-utf8@1:4"},
	{"a surrogate", "a: \xed\xa0\x80", NULL, "not-utf8@1:4"},
	{"columns count characters", "\xc3\xa4\xc3\xa4: \x01", NULL, "control-character@1:5"},
	{"a control character in a comment", "# \x7f", NULL, "control-character@1:3"},
	{"lines end with CR and LF, too", "a: b\r\nc: \x02", NULL, "control-character@2:4"},
	{"a tab as indentation", "a:\n\tb: c", NULL, "yaml-syntax@2:1"},
	{"an open brace", "{a: b", NULL, "yaml-syntax@2:1"},
	{"an index without quotes", "{a: =x[0]}", NULL, "unquoted-expression@1:7"},
	{"a brace within an expression", "[=a{b}]", NULL, "unquoted-expression@1:4"},
	{"a function without quotes", "{a: =f(x, y, z), b: c}", "{a: !=f(x, b: c}",
	 "unquoted-expression@1:5"},
	{"a function in a list", "[=f(x, y), z]", "[!=f(x, !y), !z]",
	 "unquoted-expression@1:2"},
	{"a comma in a text", "{a: ='x, y', b: c}", "{a: !='x, b: c}",
	 "unquoted-expression@1:5"},
	{"a comment in a text", "a: =f(' #')", "{a: !=f('}", "unquoted-expression@1:4"},
	{"a colon in a text", "a: ='b: c'", NULL, "unquoted-expression@1:4"},
	{"a mistake behind an expression", "{a: =x, b: \"y\" z}", NULL, "yaml-syntax@1:16"},
	{"parentheses that the writer forgot", "a: =f(x", "{a: =f(x}", ""},
	{"an unknown escape", "a: \"\\q\"", NULL, "yaml-syntax@1:5"},
	{"a value that begins with @", "a: @b", NULL, "yaml-syntax@1:4"},
	{"another version of YAML", "%YAML 2.0\n---\na: b", NULL, "yaml-syntax@1:1"},
};

static void check_row(const struct row *row,
		      enum err (*build)(struct slice, struct arena *, struct problems *,
					struct yaml_node **))
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct bytes tree = BYTES(PRINTED_MAX, NULL), said = BYTES(PRINTED_MAX, NULL);
	struct yaml_node *root = NULL;
	enum err err = build(slice_of(row->text), &arena, &problems, &root);

	ck_assert_msg(err == (row->tree ? OK : ERR_INVALID), "%s: %s", row->name,
		      err_text(err));
	if (row->tree)
		print_node(&tree, root);
	ck_assert_msg(slice_is(bytes_slice(&tree), row->tree ? row->tree : ""), "%s: %.*s",
		      row->name, SLICE_ARG(bytes_slice(&tree)));
	print_problems(&said, &problems);
	ck_assert_msg(slice_is(bytes_slice(&said), row->problems), "%s: %.*s", row->name,
		      SLICE_ARG(bytes_slice(&said)));
	bytes_release(&tree);
	bytes_release(&said);
	arena_release(&arena);
}

START_TEST(test_yaml)
{
	check_row(&rows[_i], yaml_tree);
}
END_TEST

/* --- JSON ---------------------------------------------------------------------- */

static const struct row json_rows[] = {
	{"an object", "{\"a\": 1, \"b\": [true, null, \"x\"]}",
	 "{a: 1, b: [true, null, \"x\"]}", ""},
	{"escapes", "\"\\u00e4\\ud83d\\ude00\\/\\n\"", "\"\xc3\xa4\xf0\x9f\x98\x80/\n\"", ""},
	{"an escaped quote", "[\"a\\\"b\", \"\\\\\", 1]", "[\"a\"b\", \"\\\", 1]", ""},
	{"blanks everywhere", " \r\n\t[ 1 ,\n2 ] ", "[1, 2]", ""},
	{"empty collections", "[[], {}, \"\"]", "[[], {}, \"\"]", ""},
	{"numbers as written", "[1.50, -0, 1E5]", "[1.50, -0, 1E5]", ""},
	{"YAML is not JSON", "a: b", NULL, "json-syntax@1:1"},
	{"a comma too many", "[1,\n 2,\n]", NULL, "json-syntax@2:3"},
	{"a comment", "{} # x", NULL, "json-syntax@1:4"},
	{"a name twice", "{\"a\": 1, \"a\": 2}", NULL, "json-syntax@1:10"},
	{"nothing", "", NULL, "json-syntax@1:1"},
};

START_TEST(test_json)
{
	check_row(&json_rows[_i], json_tree);
}
END_TEST

/* --- places -------------------------------------------------------------------- */

static const struct place_row {
	const char *name;
	const char *text; /* a mapping; its last member is looked at */
	struct place key, value, content;
} place_rows[] = {
	{"plain", "a: b", {1, 1}, {1, 4}, {1, 4}},
	{"on the next line", "a:\n  b", {1, 1}, {2, 3}, {2, 3}},
	{"quoted", "x: 1\na: \"b\"", {2, 1}, {2, 4}, {2, 5}},
	{"after wide characters", "{\xc3\xa4: \xe2\x82\xac, a: 'b'}", {1, 8}, {1, 11}, {1, 12}},
	{"a block", "a: |\n  b\n", {1, 1}, {1, 4}, {2, 3}},
	{"a block below empty lines", "a: >-\n\n\n   b\n", {1, 1}, {1, 4}, {4, 4}},
	{"a block behind a comment", "a: | # \xc3\xa4\r\n b\r\n", {1, 1}, {1, 4}, {2, 2}},
	{"a block below empty lines with CR",
	 "a: |\r\n\r\n\r\n  b\r\n",
	 {1, 1},
	 {1, 4},
	 {4, 3}},
	{"two blocks", "x: |\n y\na: |\n  b\n", {3, 1}, {3, 4}, {4, 3}},
	{"a list", "a: [b]", {1, 1}, {1, 4}, {0, 0}},
};

static void check_place(const char *name, const char *what, struct place got, struct place want)
{
	ck_assert_msg(got.line == want.line && got.column == want.column,
		      "%s: the %s stands at %u:%u", name, what, (unsigned)got.line,
		      (unsigned)got.column);
}

START_TEST(test_place)
{
	const struct place_row *row = &place_rows[_i];
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct yaml_node *root;
	const struct yaml_entry *entry;

	ck_assert_int_eq(yaml_tree(slice_of(row->text), &arena, &problems, &root), OK);
	entry = yaml_get(root, "a");
	ck_assert_ptr_nonnull(entry);
	check_place(row->name, "key", entry->place, row->key);
	check_place(row->name, "value", entry->value->place, row->value);
	check_place(row->name, "content", entry->value->content, row->content);
	arena_release(&arena);
}
END_TEST

START_TEST(test_json_places)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct yaml_node *root;
	const struct yaml_entry *entry;

	ck_assert_int_eq(json_tree(SLICE_LITERAL("{\n \"\xc3\xa4\": [1,\n  2], \"a\" : \"x\"}"),
				   &arena, &problems, &root),
			 OK);
	check_place("json", "element", root->first->value->first->next->value->place,
		    (struct place){3, 3});
	entry = yaml_get(root, "a");
	check_place("json", "key", entry->place, (struct place){3, 7});
	check_place("json", "value", entry->value->place, (struct place){3, 13});
	check_place("json", "content", entry->value->content, (struct place){3, 14});
	ck_assert_ptr_null(yaml_get(root, "b"));
	arena_release(&arena);
}
END_TEST

/* --- hostile text --------------------------------------------------------------- */

static const struct hostile_row {
	const char *name;
	const char *start;
	const char *piece; /* repeated until the text has 1 MiB; @: a counter up, ~: down */
	const char *code;  /* of the last problem; NULL: there is none */
} hostile_rows[] = {
	{"open brackets", "", "[", "too-deep"},
	{"open braces", "", "{", "too-deep"},
	{"dashes", "", "- ", "too-deep"},
	{"question marks", "", "? ", "too-deep"},
	{"keys of keys", "", "{a: ", "too-deep"},
	{"aliases", "[", "*a,", "too-many-values"},
	{"anchors", "", "- &a\n", "too-many-values"},
	{"an alias bomb", "", "- &a [*a, *a, *a]\n", "too-many-values"},
	{"tags", "", "- !a\n", "too-many-values"},
	{"one long word", "", "a", NULL},
	{"one long line", "", "a ", NULL},
	{"quotes", "", "\"", "yaml-syntax"},
	{"a quoted text without end", "\"", "a", "yaml-syntax"},
	{"colons", "", "a:", "yaml-syntax"},
	{"many keys", "", "k@: 1\n", NULL},
	{"one key many times", "", "k: 1\n", "too-many-values"},
	{"one key half as many times", "", "k: 123456789\n", "duplicate-key"},
	{"keys from the last to the first", "", "k~: 123\n", NULL},
	{"blocks", "", "- >\n =a\n", "too-many-values"},
	{"cut expressions", "{", "a@: =f(,", "yaml-syntax"},
	{"comments", "", "# a\n", "empty-document"},
	{"empty lines", "", "\n", "empty-document"},
	{"documents", "", "---\n", "several-documents"},
	{"directives", "", "%YAML 1.2\n", "yaml-syntax"},
	{"a long anchor", "&", "a", "yaml-anchor"},
	{"nulls", "[", ",", "yaml-syntax"},
};

static void fill(struct bytes *text, const struct hostile_row *row)
{
	const char *counter = strpbrk(row->piece, "@~");
	size_t before = counter ? (size_t)(counter - row->piece) : strlen(row->piece);
	bool down = counter && *counter == '~';
	unsigned n = down ? 999999 : 100000;
	enum { LONGEST = 64 };

	bytes_text(text, row->start);
	while (text->len + LONGEST < LARGE_MAX) {
		bytes_append(text, (struct slice){row->piece, before});
		if (!counter)
			continue;
		bytes_format(text, "%u%s", n, counter + 1);
		n = down ? n - 1 : n + 1;
	}
	ck_assert_int_eq(text->err, OK);
}

/* Generous: with sanitizers, on a machine that does other things, too. */
enum { HOSTILE_MS = 5000, HOSTILE_BYTES = 64 * 1024 * 1024 };

START_TEST(test_hostile)
{
	const struct hostile_row *row = &hostile_rows[_i];
	struct arena arena = {.max = HOSTILE_BYTES};
	struct problems problems = {.arena = &arena};
	struct bytes text = BYTES(LARGE_MAX, NULL);
	struct yaml_node *root;
	clock_t start, took;
	enum err err;

	fill(&text, row);
	start = clock();
	err = yaml_tree(bytes_slice(&text), &arena, &problems, &root);
	took = (clock() - start) / (CLOCKS_PER_SEC / 1000);
	ck_assert_msg(err != ERR_NOMEM, "%s: over %d bytes", row->name, HOSTILE_BYTES);
	ck_assert_msg(took < HOSTILE_MS, "%s: %ld ms", row->name, (long)took);
	if (!row->code)
		ck_assert_msg(!err && problems.n == 0, "%s: %s", row->name,
			      problems.n ? problems.list[0].text : err_text(err));
	else
		ck_assert_msg(
			problems.n_errors > 0 &&
				(problems.n == PROBLEMS_MAX ||
				 strcmp(problems.list[problems.n - 1].code, row->code) == 0),
			"%s: %s", row->name,
			problems.n ? problems.list[problems.n - 1].text : "no problem");
	bytes_release(&text);
	arena_release(&arena);
}
END_TEST

/* The limits themselves: what is just within is right. */
static void check_limit(const char *open, const char *middle, const char *shut, size_t n,
			const char *code)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct bytes text = BYTES(LARGE_MAX, NULL);
	struct yaml_node *root;
	enum err err;

	for (size_t i = 0; i < n; i++)
		bytes_text(&text, open);
	bytes_text(&text, middle);
	for (size_t i = 0; i < n; i++)
		bytes_text(&text, shut);
	err = yaml_tree(bytes_slice(&text), &arena, &problems, &root);
	ck_assert_int_eq(err, code ? ERR_INVALID : OK);
	ck_assert_uint_eq(problems.n, code != NULL);
	if (code)
		ck_assert_str_eq(problems.list[0].code, code);
	bytes_release(&text);
	arena_release(&arena);
}

START_TEST(test_limits)
{
	check_limit("[", "x", "]", YAML_DEPTH_MAX, NULL);
	check_limit("[", "x", "]", YAML_DEPTH_MAX + 1, "too-deep");
	check_limit("{a: ", "x", "}", YAML_DEPTH_MAX, NULL);
	check_limit("{a: ", "x", "}", YAML_DEPTH_MAX + 1, "too-deep");
	check_limit("", "x", "", 1, NULL);
	/* The list counts, too. */
	check_limit("- x\n", "", "", YAML_NODES_MAX - 1, NULL);
	check_limit("- x\n", "", "", YAML_NODES_MAX, "too-many-values");
	check_limit("- {a: 1}\n", "", "", (YAML_NODES_MAX - 1) / 2, NULL);
	check_limit("- {a: 1}\n", "", "", (YAML_NODES_MAX + 1) / 2, "too-many-values");
}
END_TEST

START_TEST(test_long_keys)
{
	char text[YAML_KEY_MAX + 8];
	struct row row = {"a key", text, NULL, ""};
	char tree[YAML_KEY_MAX + 16];

	snprintf(text, sizeof text, "%0*d", YAML_KEY_MAX, 7);
	memcpy(text, "k", 1);
	memcpy(text + YAML_KEY_MAX, ": x", sizeof ": x");
	snprintf(tree, sizeof tree, "{%s}", text);
	row.tree = tree;
	check_row(&row, yaml_tree);

	memcpy(text + YAML_KEY_MAX, "0: x", sizeof "0: x");
	row.tree = "{}";
	row.problems = "long-key@1:1";
	check_row(&row, yaml_tree);
}
END_TEST

/* --- no memory ------------------------------------------------------------------ */

static enum err build(const char *text, bool json)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct yaml_node *root;
	enum err err = json ? json_tree(slice_of(text), &arena, &problems, &root)
			    : yaml_tree(slice_of(text), &arena, &problems, &root);

	if (problems.nomem)
		err = ERR_NOMEM;
	arena_release(&arena);
	return err;
}

START_TEST(test_no_memory)
{
	static const char *const texts[] = {
		"%YAML 1.2\n--- # x\na: &x [b, {c: \"d\\u00e4\"}, *x]\n? e\n: |\n  f\n  g\n"
		"h: !!t >-\n  i\na: k\n...\n---\n",
		"{\"a\": [1, {\"b\": \"c\\n\"}]}"};

	for (int i = 0; i < ROWS(texts); i++) {
		bool fired = true;

		for (size_t n = 0; fired; n++) {
			enum err err;

			fail_malloc_at(n);
			err = build(texts[i], i == 1);
			fired = fail_malloc_off();
			ck_assert_msg(err == (fired ? ERR_NOMEM : OK),
				      "text %d, allocation %zu: %s", i, n, err_text(err));
		}
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_yaml, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_json, 0, ROWS(json_rows));
	tcase_add_loop_test(tcase, test_place, 0, ROWS(place_rows));
	tcase_add_test(tcase, test_json_places);
	tcase_add_loop_test(tcase, test_hostile, 0, ROWS(hostile_rows));
	tcase_add_test(tcase, test_limits);
	tcase_add_test(tcase, test_long_keys);
	tcase_add_test(tcase, test_no_memory);
}

int main(void)
{
	return suite_run("yaml_tree", add);
}

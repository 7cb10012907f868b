/* test_rewrite.c - comments and the schema's file survive the normal form. */
#include "orchestrator/load/rewrite.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

/* The normal form in these tests: what follows from a text does not matter here,
 * only that both have the same keys. */
static const char normal[] = "saga: a\n"
			     "version: 1.0.0\n"
			     "steps:\n"
			     "  - one:\n"
			     "      call: x.y\n"
			     "      with:\n"
			     "        qty: 1\n"
			     "      undo:\n"
			     "        call: x.z\n"
			     "  - two:\n"
			     "      sleep: 1s\n";

static const struct row {
	const char *name;
	const char *source;
	const char *expected; /* NULL: the normal form itself */
	uint32_t lost_line;
} rows[] = {
	{"without comments it is the normal form",
	 "saga: a\nsteps: [{one: {call: x.y}}, {two: {sleep: 1s}}]\n", NULL, 0},
	{"before a key, before a step and inside of one",
	 "# the name\n"
	 "saga: a\n"
	 "steps:\n"
	 "# first\n"
	 "# of two\n"
	 "- one:\n"
	 "    # how many\n"
	 "    with: {qty: 1}\n"
	 "# the other\n"
	 "- two: {sleep: 1s}\n",
	 "# the name\n"
	 "saga: a\n"
	 "version: 1.0.0\n"
	 "steps:\n"
	 "  # first\n"
	 "  # of two\n"
	 "  - one:\n"
	 "      call: x.y\n"
	 "      # how many\n"
	 "      with:\n"
	 "        qty: 1\n"
	 "      undo:\n"
	 "        call: x.z\n"
	 "  # the other\n"
	 "  - two:\n"
	 "      sleep: 1s\n",
	 0},
	{"a comment goes with its key to another place",
	 "# the steps\n"
	 "steps:\n"
	 "  - one: {call: x.y}\n"
	 "  - two: {sleep: 1s}\n"
	 "# the name\n"
	 "saga: a\n",
	 "# the name\n"
	 "saga: a\n"
	 "version: 1.0.0\n"
	 "# the steps\n"
	 "steps:\n"
	 "  - one:\n"
	 "      call: x.y\n"
	 "      with:\n"
	 "        qty: 1\n"
	 "      undo:\n"
	 "        call: x.z\n"
	 "  - two:\n"
	 "      sleep: 1s\n",
	 0},
	{"behind a key, a step and a flow mapping",
	 "saga: a    # the name  \n"
	 "steps: # all\n"
	 "  - one: {call: x.y, undo: {call: x.z}} # first\n"
	 "  - two:\n"
	 "      sleep: 1s # short\n",
	 "saga: a # the name\n"
	 "version: 1.0.0\n"
	 "steps: # all\n"
	 "  - one: # first\n"
	 "      call: x.y\n"
	 "      with:\n"
	 "        qty: 1\n"
	 "      undo:\n"
	 "        call: x.z\n"
	 "  - two:\n"
	 "      sleep: 1s # short\n",
	 0},
	{"at the top, set off by an empty line, and at the end",
	 "# owned by the shop\n"
	 "#\n"
	 "\n"
	 "# the name\n"
	 "saga: a\n"
	 "\n"
	 "# that is all\n",
	 "# owned by the shop\n"
	 "#\n"
	 "\n"
	 "# the name\n"
	 "saga: a\n"
	 "version: 1.0.0\n"
	 "steps:\n"
	 "  - one:\n"
	 "      call: x.y\n"
	 "      with:\n"
	 "        qty: 1\n"
	 "      undo:\n"
	 "        call: x.z\n"
	 "  - two:\n"
	 "      sleep: 1s\n"
	 "# that is all\n",
	 0},
	{"lines that end in CR LF, a byte order mark and a document's begin",
	 "\xef\xbb\xbf# top\r\n\r\n---\r\n# name\r\nsaga: a # b\r\n",
	 "# top\n"
	 "\n"
	 "# name\n"
	 "saga: a # b\n"
	 "version: 1.0.0\n"
	 "steps:\n"
	 "  - one:\n"
	 "      call: x.y\n"
	 "      with:\n"
	 "        qty: 1\n"
	 "      undo:\n"
	 "        call: x.z\n"
	 "  - two:\n"
	 "      sleep: 1s\n",
	 0},
	{"every line break that YAML knows",
	 "# top\r\rsaga: a # x\xe2\x80\xa8# v\xc2\x85version: 1\xe2\x80\xa9steps:\r\n"
	 "# one\xc2\x85- one: 1 # 1\n",
	 "# top\n"
	 "\n"
	 "saga: a # x\n"
	 "# v\n"
	 "version: 1.0.0\n"
	 "steps:\n"
	 "  # one\n"
	 "  - one: # 1\n"
	 "      call: x.y\n"
	 "      with:\n"
	 "        qty: 1\n"
	 "      undo:\n"
	 "        call: x.z\n"
	 "  - two:\n"
	 "      sleep: 1s\n",
	 0},
	{"before a document's begin", "%YAML 1.2\n# name\n---\nsaga: a\n...\n# end\n",
	 "# name\n"
	 "saga: a\n"
	 "version: 1.0.0\n"
	 "steps:\n"
	 "  - one:\n"
	 "      call: x.y\n"
	 "      with:\n"
	 "        qty: 1\n"
	 "      undo:\n"
	 "        call: x.z\n"
	 "  - two:\n"
	 "      sleep: 1s\n"
	 "# end\n",
	 0},
	{"what only looks like a comment is none",
	 "saga: \"a # b\"\n"
	 "version: 'x # y'\n"
	 "description: |\n"
	 "  # text\n"
	 "  more\n"
	 "steps:\n"
	 "  - one:\n"
	 "      call: x#y\n",
	 NULL, 0},
	{"behind the | of a text, after a text, beside characters of several bytes",
	 "saga: | # \xc3\xa9\xe2\x82\xac\n"
	 "  \xc3\xa9 text\n"
	 "# version \xe2\x82\xac\n"
	 "version: \xc3\xa9 # v\n",
	 "saga: a # \xc3\xa9\xe2\x82\xac\n"
	 "# version \xe2\x82\xac\n"
	 "version: 1.0.0 # v\n"
	 "steps:\n"
	 "  - one:\n"
	 "      call: x.y\n"
	 "      with:\n"
	 "        qty: 1\n"
	 "      undo:\n"
	 "        call: x.z\n"
	 "  - two:\n"
	 "      sleep: 1s\n",
	 0},
	{"two things of one line became two lines: both comments stay with the outer one",
	 "saga: a\n"
	 "steps: [{one: {call: x.y, # one\n"
	 "    with: {qty: 1}}}] # two\n",
	 "saga: a\n"
	 "version: 1.0.0\n"
	 "steps: # one\n"
	 "  - one:\n"
	 "      call: x.y\n"
	 "      with: # two\n"
	 "        qty: 1\n"
	 "      undo:\n"
	 "        call: x.z\n"
	 "  - two:\n"
	 "      sleep: 1s\n",
	 0},
	{"before a closing bracket there is no place",
	 "saga: a\n"
	 "steps: [\n"
	 "  {one: {call: x.y}},\n"
	 "  # lost\n"
	 "]\n",
	 NULL, 4},
	{"at a key that the normal form does not have there is none",
	 "saga: a\n"
	 "# lost\n"
	 "nonsense: 1\n",
	 NULL, 2},
	{"the first of those without a place is named",
	 "# fine\n"
	 "saga: a\n"
	 "nonsense: 1 # lost\n"
	 "# lost, too\n"
	 "rubbish: 1\n",
	 "# fine\n"
	 "saga: a\n"
	 "version: 1.0.0\n"
	 "steps:\n"
	 "  - one:\n"
	 "      call: x.y\n"
	 "      with:\n"
	 "        qty: 1\n"
	 "      undo:\n"
	 "        call: x.z\n"
	 "  - two:\n"
	 "      sleep: 1s\n",
	 3},
};

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	const char *expected = row->expected ? row->expected : normal;
	struct arena arena = {0};
	struct bytes out = BYTES(1 << 20, &arena);
	uint32_t lost_line = 77;

	ck_assert_int_eq(
		rewrite(slice_of(row->source), slice_of(normal), &arena, &out, &lost_line), OK);
	ck_assert_msg(slice_is(bytes_slice(&out), expected), "%s: gave\n%.*s", row->name,
		      SLICE_ARG(bytes_slice(&out)));
	ck_assert_msg(lost_line == row->lost_line, "%s: lost line %u", row->name, lost_line);
	arena_release(&arena);
}
END_TEST

static const char with_schema[] = "saga: a\n"
				  "input:\n"
				  "  schema:\n"
				  "    type: object\n"
				  "    properties:\n"
				  "      x: {}\n"
				  "  mask:\n"
				  "    - x\n"
				  "steps: []\n";

static const struct schema_row {
	const char *name;
	const char *source;
	const char *expected;
} schema_rows[] = {
	{"a plain name", "saga: a\ninput: {schema: schemas/a.json, mask: [x]}\n",
	 "saga: a\ninput:\n  schema: schemas/a.json\n  mask:\n    - x\nsteps: []\n"},
	{"a name in quotes, and a comment",
	 "saga: a\ninput:\n  # one for all\n  schema: 'a: \"b\".json' # shared\n",
	 "saga: a\ninput:\n  # one for all\n  schema: \"a: \\\"b\\\".json\" # shared\n"
	 "  mask:\n    - x\nsteps: []\n"},
	{"a schema that stands in the file stays there",
	 "saga: a\ninput:\n  schema:\n    # any\n    type: object\n",
	 "saga: a\ninput:\n  schema:\n    # any\n    type: object\n    properties:\n"
	 "      x: {}\n  mask:\n    - x\nsteps: []\n"},
};

START_TEST(test_schema)
{
	const struct schema_row *row = &schema_rows[_i];
	struct arena arena = {0};
	struct bytes out = BYTES(1 << 20, &arena);
	uint32_t lost_line;

	ck_assert_int_eq(
		rewrite(slice_of(row->source), slice_of(with_schema), &arena, &out, &lost_line),
		OK);
	ck_assert_msg(slice_is(bytes_slice(&out), row->expected), "%s: gave\n%.*s", row->name,
		      SLICE_ARG(bytes_slice(&out)));
	ck_assert_uint_eq(lost_line, 0);
	arena_release(&arena);
}
END_TEST

START_TEST(test_one_line_has_room_for_one_comment_behind_it)
{
	struct arena arena = {0};
	struct bytes out = BYTES(1 << 20, &arena);
	uint32_t lost_line;

	ck_assert_int_eq(rewrite(SLICE_LITERAL("a:\n  b: 1 # one\n  c: 2 # two\n"),
				 SLICE_LITERAL("a: {b: 1, c: 2}\n"), &arena, &out, &lost_line),
			 OK);
	ck_assert_msg(slice_is(bytes_slice(&out), "# two\na: {b: 1, c: 2} # one\n"), "%.*s",
		      SLICE_ARG(bytes_slice(&out)));
	ck_assert_uint_eq(lost_line, 0);
	arena_release(&arena);
}
END_TEST

START_TEST(test_rewriting_again_changes_nothing)
{
	for (int i = 0; i < ROWS(rows); i++) {
		struct arena arena = {0};
		struct bytes first = BYTES(1 << 20, &arena), second = BYTES(1 << 20, &arena);
		uint32_t lost_line;

		ck_assert_int_eq(rewrite(slice_of(rows[i].source), slice_of(normal), &arena,
					 &first, &lost_line),
				 OK);
		ck_assert_int_eq(rewrite(bytes_slice(&first), slice_of(normal), &arena, &second,
					 &lost_line),
				 OK);
		ck_assert_msg(slice_equal(bytes_slice(&first), bytes_slice(&second)),
			      "%s: became\n%.*s", rows[i].name,
			      SLICE_ARG(bytes_slice(&second)));
		ck_assert_uint_eq(lost_line, 0);
		arena_release(&arena);
	}
}
END_TEST

START_TEST(test_a_text_that_is_no_yaml)
{
	struct arena arena = {0};
	struct bytes out = BYTES(1 << 20, &arena);
	uint32_t lost_line;

	ck_assert_int_eq(
		rewrite(SLICE_LITERAL("a: [\n"), slice_of(normal), &arena, &out, &lost_line),
		ERR_INVALID);
	arena_release(&arena);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct arena arena = {0};
		struct bytes out = BYTES(1 << 20, NULL);
		uint32_t lost_line;
		enum err err;

		fail_malloc_at(n);
		err = rewrite(slice_of(rows[1].source), slice_of(normal), &arena, &out,
			      &lost_line);
		fired = fail_malloc_off();
		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
		bytes_release(&out);
		arena_release(&arena);
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_schema, 0, ROWS(schema_rows));
	tcase_add_test(tcase, test_one_line_has_room_for_one_comment_behind_it);
	tcase_add_test(tcase, test_rewriting_again_changes_nothing);
	tcase_add_test(tcase, test_a_text_that_is_no_yaml);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
}

int main(void)
{
	return suite_run("rewrite", add);
}

/* test_load_file.c - what the loader promises its callers: files, openers, several
 * files in one run, memory that is not there, sizes. */
#include "orchestrator/load/load.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HEAD  "saga: order\nversion: 1.0.0\n"
#define STEPS "steps:\n  - a: { kind: readonly, call: p.c }\n"

static struct arena arena;
static struct problems problems;

static void begin(void)
{
	problems = (struct problems){.arena = &arena};
}

static void end(void)
{
	arena_release(&arena);
}

static void check_text(struct slice got, const char *want)
{
	ck_assert_msg(slice_is(got, want), "'%.*s', not '%s'", SLICE_ARG(got), want);
}

/* --- schema files --------------------------------------------------------------- */

struct opened {
	enum err err;
	const char *content;
	char name[64];
	size_t max;
};

static enum err open_given(void *context, const char *name, size_t max, struct arena *in,
			   struct slice *out, struct diag *diag)
{
	struct opened *opened = context;

	snprintf(opened->name, sizeof opened->name, "%s", name);
	opened->max = max;
	if (opened->err)
		return diag_set(diag, opened->err, "the reason");
	return arena_copy(in, slice_of(opened->content), out) ? OK : ERR_NOMEM;
}

static const struct opener_row {
	const char *name;
	enum err opened;
	enum err err;
	const char *code;
} opener_rows[] = {
	{"it is there", OK, OK, NULL},
	{"it is not there", ERR_NOT_FOUND, ERR_INVALID, "file-not-found"},
	{"it cannot be read", ERR_IO, ERR_INVALID, "file-unreadable"},
	{"it is too large", ERR_TOO_LARGE, ERR_INVALID, "too-large"},
	{"there is no memory for it", ERR_NOMEM, ERR_NOMEM, NULL},
};

START_TEST(test_opener)
{
	const struct opener_row *row = &opener_rows[_i];
	struct opened opened = {.err = row->opened, .content = "{\"type\": \"object\"}"};
	struct file_opener opener = {open_given, &opened};
	struct definition *definition;
	enum err err = load_text("dir/order.yaml",
				 slice_of(HEAD "input: { schema: s/order.json }\n" STEPS),
				 &opener, &problems, &definition);

	ck_assert_msg(err == row->err, "%s: %s", row->name, err_text(err));
	ck_assert_str_eq(opened.name, "s/order.json");
	ck_assert_uint_eq(opened.max, DEFINITION_TEXT_MAX);
	ck_assert_uint_eq(problems.n, row->code != NULL);
	if (row->code)
		ck_assert_str_eq(problems.list[0].code, row->code);
	if (!err)
		check_text(definition->input->text.text, "{\"type\":\"object\"}");
	definition_free(definition);
}
END_TEST

START_TEST(test_place_in_schema_file)
{
	struct opened opened = {.content = "{\n  \"type\": 5\n}"};
	struct file_opener opener = {open_given, &opened};
	struct definition *definition;

	ck_assert_int_eq(load_text("dir/order.yaml",
				   slice_of(HEAD "nope: 1\ninput: { schema: s.json }\n" STEPS),
				   &opener, &problems, &definition),
			 ERR_INVALID);
	ck_assert_uint_eq(problems.n, 2);
	ck_assert_str_eq(problems.list[0].file, "dir/order.yaml");
	ck_assert_str_eq(problems.list[1].file, "dir/s.json");
	ck_assert_uint_eq(problems.list[1].place.line, 2);
	ck_assert_uint_eq(problems.list[1].place.column, 11);
	ck_assert_ptr_null(definition);
}
END_TEST

START_TEST(test_no_opener)
{
	struct definition *definition;

	ck_assert_int_eq(load_text("order.yaml",
				   slice_of(HEAD "input: { schema: s.json }\n" STEPS), NULL,
				   &problems, &definition),
			 ERR_INVALID);
	ck_assert_uint_eq(problems.n, 1);
	ck_assert_str_eq(problems.list[0].code, "file-unreadable");
}
END_TEST

/* --- files ---------------------------------------------------------------------- */

static char folder[] = "/tmp/skald-load-XXXXXX";

static const char *write_file(const char *name, const char *text)
{
	static char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "wb");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

static void remove_file(const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	ck_assert_int_eq(remove(path), 0);
}

static void check_file_problem(const char *path, enum err want, const char *code)
{
	struct definition *definition;
	enum err err = load_file(path, &problems, &definition);

	ck_assert_msg(err == want, "%s: %s", path, err_text(err));
	ck_assert_ptr_null(definition);
	ck_assert_uint_eq(problems.n, 1);
	ck_assert_str_eq(problems.list[0].code, code);
	ck_assert_str_eq(problems.list[0].file, path);
	ck_assert_uint_eq(problems.list[0].place.line, 0);
	begin();
}

START_TEST(test_file)
{
	struct definition *definition;
	const char *path;
	FILE *large;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	write_file("s.json", "{\"type\": \"object\"}");
	path = write_file("order.yaml", HEAD "input: { schema: s.json }\n" STEPS);
	ck_assert_int_eq(load_file(path, &problems, &definition), OK);
	ck_assert(definition->has_input_schema);
	definition_free(definition);
	remove_file("s.json");
	remove_file("order.yaml");

	check_file_problem("nowhere/order.yaml", ERR_NOT_FOUND, "file-not-found");
	check_file_problem(folder, ERR_IO, "file-unreadable");
	path = write_file("large.yaml", "");
	large = fopen(path, "wb");
	ck_assert_ptr_nonnull(large);
	ck_assert_int_eq(fseek(large, DEFINITION_TEXT_MAX, SEEK_SET), 0);
	ck_assert_int_eq(fputc('\n', large), '\n');
	ck_assert_int_eq(fclose(large), 0);
	check_file_problem(path, ERR_TOO_LARGE, "too-large");
	remove_file("large.yaml");
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(test_standard_input)
{
	struct definition *definition;
	const char text[] = HEAD STEPS "nope: 1\n";
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], text, sizeof text - 1), (int)sizeof text - 1);
	close(ends[1]);
	ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	ck_assert_int_eq(load_file("-", &problems, &definition), ERR_INVALID);
	ck_assert_str_eq(problems.list[0].file, "<stdin>");
	ck_assert_uint_eq(problems.list[0].place.line, 5);
}
END_TEST

/* --- all at once ---------------------------------------------------------------- */

/* The mistakes of several files can be collected; only this file's decide. */
START_TEST(test_second_file)
{
	struct definition *definition;

	ck_assert_int_eq(
		load_text("b.yaml", slice_of("saga: 1\n"), NULL, &problems, &definition),
		ERR_INVALID);
	ck_assert_int_eq(
		load_text("a.yaml", slice_of(HEAD STEPS), NULL, &problems, &definition), OK);
	definition_free(definition);
	ck_assert_int_eq(load_text("a.yaml", slice_of("- x\n"), NULL, &problems, &definition),
			 ERR_INVALID);
	ck_assert_str_eq(problems.list[0].file, "a.yaml");
	ck_assert_str_eq(problems.list[1].file, "b.yaml");
}
END_TEST

/* Something of everything, with warnings and with a schema file. */
static const char rich_text[] = HEAD
	"description: \"a \\n b\"\nkey: =input.id + 'x'\n"
	"input: { schema: s.json, mask: [a.b, c] }\ndeadline: { after: 1h }\n"
	"use: { retry: { std: { factor: 1.5 }, unused: {} } }\nsteps:\n"
	"  - sorry: { undo: { call: p.u, with: { why: =saga.failure.code } } }\n"
	"  - a: { when: =has(input.id), call: p.c, retry: std, with: { l: [1, { x: 'y z' }, "
	"=input.id], \"k k\": {}, \"t\\u0001\": \"\\u2028\" }, undo: { call: p.u, with: "
	"\"=if(has(a.out), a.out, null)\" } }\n"
	"  - b: { parallel: { x: [ { c: { kind: readonly, call: p.c, on_failure: ignore } } "
	"], y: [ { d: { sleep: 1s } }, { e: { sleep: { until: =input.at } } } ] } }\n"
	"  - f: { await: { event: e, then: continue } }\n"
	"  - g: { kind: pivot, call: p.c, with: =input }\n"
	"  - h: { kind: retriable, call: p.c, with: { a: =g.out } }\n"
	"output: { x: =g.out.x, y: [=f.out] }\n";

static const char rich_schema[] =
	"{\"type\": \"object\", \"required\": [\"id\"], \"properties\": {"
	"\"id\": {\"type\": \"string\", \"pattern\": \"^[a-z]+$\", \"minLength\": 1},"
	"\"a\": {\"properties\": {\"b\": {\"enum\": [1, \"x\", null]}}},"
	"\"c\": {\"type\": \"array\", \"items\": {\"const\": 5}, \"maxItems\": 3}}}";

/* And everything wrong. */
static const char wrong_text[] =
	"saga: Order\nversion: 1\nnope: 1\nkey: x\ninput: { schema: { type: 5, properties: { "
	"a: { "
	"pattern: \"(\" } } }, mask: [b] }\nuse: { retry: { std: { first: 1 } } }\nsteps:\n"
	"  - a: { kind: pivt, call: p, retry: sdt, with: [1] }\n"
	"  - a: { kind: pivot, call: p.c, undo: {}, with: { x: =c.out, y: 0x1, y: &a *b } }\n"
	"  - [ =f(x, y) ]\n"
	"  - c: { kind: readonly, call: p.c, when: =false, timeout: 0s }\n";

static enum err load_rich(const char *text, struct slice *normal)
{
	struct opened opened = {.content = rich_schema};
	struct file_opener opener = {open_given, &opened};
	struct arena own = {0};
	struct problems said = {.arena = &own};
	struct definition *definition;
	enum err err = load_text("order.yaml", slice_of(text), &opener, &said, &definition);

	if (!err)
		normal->len = definition->normal.len;
	definition_free(definition);
	arena_release(&own);
	return err;
}

static void fail_in_turn(const char *text, enum err want)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct slice normal = {0};
		enum err err;

		fail_malloc_at(n);
		err = load_rich(text, &normal);
		fired = fail_malloc_off();
		ck_assert_msg(err == (fired ? ERR_NOMEM : want), "allocation %zu: %s", n,
			      err_text(err));
		ck_assert_uint_eq(normal.len > 0, err == OK);
	}
}

START_TEST(test_no_memory)
{
	fail_in_turn(rich_text, OK);
	fail_in_turn(wrong_text, ERR_INVALID);
}
END_TEST

START_TEST(test_no_memory_for_a_file)
{
	bool fired = true;
	const char *path;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	write_file("s.json", rich_schema);
	path = write_file("order.yaml", rich_text);
	for (size_t n = 0; fired; n++) {
		struct arena own = {0};
		struct problems said = {.arena = &own};
		struct definition *definition;
		enum err err;

		fail_malloc_at(n);
		err = load_file(path, &said, &definition);
		fired = fail_malloc_off();
		definition_free(definition);
		arena_release(&own);
		ck_assert_msg(err == (fired ? ERR_NOMEM : OK), "allocation %zu: %s", n,
			      err_text(err));
	}
	remove_file("s.json");
	remove_file("order.yaml");
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* As many steps as there may be, and nearly as much text. */
START_TEST(test_large)
{
	enum { GENEROUS_MS = 2000 };
	struct bytes text = BYTES(DEFINITION_TEXT_MAX, NULL);
	struct definition *definition;
	clock_t start, took;

	bytes_text(&text, HEAD "steps:\n");
	for (int i = 0; i < STEPS_MAX; i++) {
		bytes_format(&text, "  - s%d: { kind: readonly, call: p.c, description: \"", i);
		for (int word = 0; word < 250; word++)
			bytes_text(&text, "word, ");
		bytes_text(&text, "\", with: { x: =input.x");
		if (i > 0)
			bytes_format(&text, ", y: =s%d.out.y", i - 1);
		for (int j = 0; j < 60; j++)
			bytes_format(&text, ", text%d: some more text", j);
		bytes_text(&text, " } }\n");
	}
	ck_assert_int_eq(text.err, OK);
	start = clock();
	ck_assert_int_eq(
		load_text("large.yaml", bytes_slice(&text), NULL, &problems, &definition), OK);
	took = (clock() - start) / (CLOCKS_PER_SEC / 1000);
	ck_assert_msg(took < GENEROUS_MS, "%ld ms", (long)took);
	ck_assert_uint_eq(definition->n_steps, STEPS_MAX);
	definition_free(definition);
	bytes_release(&text);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_loop_test(tcase, test_opener, 0, ROWS(opener_rows));
	tcase_add_test(tcase, test_place_in_schema_file);
	tcase_add_test(tcase, test_no_opener);
	tcase_add_test(tcase, test_file);
	tcase_add_test(tcase, test_standard_input);
	tcase_add_test(tcase, test_second_file);
	tcase_add_test(tcase, test_no_memory);
	tcase_add_test(tcase, test_no_memory_for_a_file);
	tcase_add_test(tcase, test_large);
}

int main(void)
{
	return suite_run("load_file", add);
}

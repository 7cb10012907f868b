/* test_golden.c - definitions and what the loader says to them.
 *
 *	tests/golden/bad/NAME.yaml	.err: the mistakes, as they are printed
 *	tests/golden/good/NAME.yaml	.ok: the normal form
 *
 * Every kind of mistake has an example, every normal form is its own, and what
 * docs/language.md shows is right. UPDATE_GOLDEN=1 writes .err and .ok anew: look
 * at the difference before you believe it. Runs in the root of the tree. */
#include "base/sha256.h"
#include "orchestrator/load/codes.h"
#include "orchestrator/load/load.h"
#include "tests/lib/suite.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define BAD      "tests/golden/bad/"
#define GOOD     "tests/golden/good/"
#define LANGUAGE "docs/language.md"

enum { PATH_TEXT_MAX = 512, TEXT_MAX = 8 * 1024 * 1024, GOOD_MIN = 40 };

/* --- files -------------------------------------------------------------------- */

static int is_yaml(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && strcmp(entry->d_name + len - 5, ".yaml") == 0;
}

static void path_of(const char *folder, const char *name, const char *ending,
		    char path[PATH_TEXT_MAX])
{
	size_t stem = strlen(name) - strlen(".yaml");
	int len = snprintf(path, PATH_TEXT_MAX, "%s%.*s%s", folder, (int)stem, name, ending);

	ck_assert_int_lt(len, PATH_TEXT_MAX);
}

static struct bytes read_whole(const char *path)
{
	struct bytes content = BYTES(TEXT_MAX, NULL);
	FILE *file = fopen(path, "rb");
	char piece[4096];
	size_t n;

	ck_assert_msg(file != NULL, "%s cannot be opened; UPDATE_GOLDEN=1 writes it", path);
	while ((n = fread(piece, 1, sizeof piece, file)) > 0)
		bytes_append(&content, (struct slice){piece, n});
	fclose(file);
	ck_assert_int_eq(content.err, OK);
	return content;
}

static bool updating(void)
{
	return getenv("UPDATE_GOLDEN") != NULL;
}

static void compare(const char *path, struct slice got)
{
	struct bytes want;

	if (updating()) {
		FILE *file = fopen(path, "wb");

		ck_assert_msg(file != NULL, "%s cannot be written", path);
		ck_assert_uint_eq(fwrite(got.at, 1, got.len, file), got.len);
		ck_assert_int_eq(fclose(file), 0);
		return;
	}
	want = read_whole(path);
	ck_assert_msg(slice_equal(bytes_slice(&want), got),
		      "not what %s says (UPDATE_GOLDEN=1 would write this):\n%.*s", path,
		      SLICE_ARG(got));
	bytes_release(&want);
}

/* Call for every definition of the folder, by name; returns how many there are. */
static int each_file(const char *folder, void (*visit)(const char *name))
{
	struct dirent **names;
	int n = scandir(folder, &names, is_yaml, alphasort);

	ck_assert_msg(n > 0, "no definitions in %s; run this in the root of the tree", folder);
	for (int i = 0; i < n; i++) {
		visit(names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return n;
}

/* --- problems ----------------------------------------------------------------- */

/* As the program prints them, with paths that start from the folder. */
static struct bytes print(const struct problems *problems, const char *folder)
{
	struct bytes out = BYTES(TEXT_MAX, NULL);

	for (size_t i = 0; i < problems->n; i++) {
		const struct problem *problem = &problems->list[i];
		const char *file = problem->file;

		if (strncmp(file, folder, strlen(folder)) == 0)
			file += strlen(folder);
		bytes_text(&out, file);
		bytes_format(&out, ":%u:%u: %s: ", (unsigned)problem->place.line,
			     (unsigned)problem->place.column,
			     problem->severity == SEVERITY_ERROR ? "error" : "warning");
		bytes_text(&out, problem->text);
		bytes_format(&out, " [%s]\n", problem->code);
	}
	ck_assert_int_eq(out.err, OK);
	return out;
}

static bool seen[N_CODES];
static bool expression_seen[64];

/* Whether the word is one of the loader's own. */
static bool mark(const char *word)
{
	for (int i = 0; i < N_CODES; i++) {
		if (strcmp(code_text((enum code)i), word) == 0) {
			seen[i] = true;
			return true;
		}
	}
	for (int i = 0; expression_codes[i]; i++) {
		if (strcmp(expression_codes[i], word) == 0) {
			expression_seen[i] = true;
			return false;
		}
	}
	ck_abort_msg("the code %s is in no list", word);
	return false;
}

/* What is wrong; what to do. */
static void check_sentence(const struct problem *problem)
{
	ck_assert_msg(strstr(problem->text, "; ") != NULL, "this does not say what to do: %s",
		      problem->text);
	ck_assert_msg(!strchr(problem->text, '\n'), "a message of several lines: %s",
		      problem->text);
}

static void visit_bad(const char *name)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition;
	char path[PATH_TEXT_MAX];
	struct bytes printed;
	enum err err;

	path_of(BAD, name, ".yaml", path);
	err = load_file(path, &problems, &definition);
	ck_assert_msg(problems.n > 0, "%s has no mistake", path);
	ck_assert_msg(!err == !problems.n_errors, "%s: %s, but %zu errors", path, err_text(err),
		      problems.n_errors);
	ck_assert_msg(!err == !!definition, "%s: a definition in spite of errors", path);
	for (size_t i = 0; i < problems.n; i++) {
		if (mark(problems.list[i].code))
			check_sentence(&problems.list[i]);
	}
	printed = print(&problems, BAD);
	path_of(BAD, name, ".err", path);
	compare(path, bytes_slice(&printed));
	bytes_release(&printed);
	definition_free(definition);
	arena_release(&arena);
}

/* Mistakes whose examples would be too large for a file: made here. */
static void fill_large(struct bytes *out)
{
	for (size_t i = 0; i <= DEFINITION_TEXT_MAX / 16; i++)
		bytes_text(out, "# sixteen bytes\n");
}

static void fill_many_values(struct bytes *out)
{
	bytes_text(out, "values: [");
	for (size_t i = 0; i < 100001; i++)
		bytes_text(out, "1,");
	bytes_text(out, "]\n");
}

static void fill_payload(struct bytes *out)
{
	bytes_text(out,
		   "saga: order\nversion: 1.0.0\nsteps:\n  - a: { kind: readonly, call: a.b, "
		   "with: { text: ");
	for (size_t i = 0; i < PAYLOAD_MAX / 16; i++)
		bytes_text(out, "sixteen letters.");
	bytes_text(out, " } }\n");
}

static const struct generated {
	enum code code;
	void (*fill)(struct bytes *out);
	uint32_t line;
	const char *start; /* of the message */
} generated[] = {
	{CODE_TOO_LARGE, fill_large, 0, "the file has 1048592 bytes; "},
	{CODE_TOO_MANY_VALUES, fill_many_values, 1, "the file has more than 100000 values; "},
	{CODE_PAYLOAD_TOO_LARGE, fill_payload, 4, "this value has more than 262144 bytes, "},
};

static void check_generated(const struct generated *row)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct bytes text = BYTES(TEXT_MAX, NULL);
	struct definition *definition;

	row->fill(&text);
	ck_assert_int_eq(text.err, OK);
	ck_assert_int_eq(
		load_text("large.yaml", bytes_slice(&text), NULL, &problems, &definition),
		ERR_INVALID);
	ck_assert_uint_eq(problems.n, 1);
	ck_assert_str_eq(problems.list[0].code, code_text(row->code));
	ck_assert_uint_eq(problems.list[0].place.line, row->line);
	ck_assert_msg(strncmp(problems.list[0].text, row->start, strlen(row->start)) == 0, "%s",
		      problems.list[0].text);
	(void)mark(code_text(row->code));
	bytes_release(&text);
	arena_release(&arena);
}

START_TEST(test_bad)
{
	each_file(BAD, visit_bad);
	for (int i = 0; i < ROWS(generated); i++)
		check_generated(&generated[i]);
	for (int i = 0; i < N_CODES; i++)
		ck_assert_msg(seen[i], "no example of %s in " BAD, code_text((enum code)i));
	for (int i = 0; expression_codes[i]; i++)
		ck_assert_msg(expression_seen[i], "no example of %s in " BAD,
			      expression_codes[i]);
}
END_TEST

/* --- right definitions -------------------------------------------------------- */

static void check_reload(const struct definition *definition, const char *path)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *again;
	enum err err = load_text("normal.yaml", definition->normal, NULL, &problems, &again);

	ck_assert_msg(!err, "%s: its normal form is wrong: %u:%u: %s", path,
		      problems.n ? (unsigned)problems.list[0].place.line : 0,
		      problems.n ? (unsigned)problems.list[0].place.column : 0,
		      problems.n ? problems.list[0].text : err_text(err));
	ck_assert_msg(slice_equal(again->normal, definition->normal),
		      "%s: its normal form has another normal form:\n%.*s", path,
		      SLICE_ARG(again->normal));
	ck_assert_mem_eq(again->hash, definition->hash, sizeof again->hash);
	definition_free(again);
	arena_release(&arena);
}

static void check_hash(const struct definition *definition)
{
	uint8_t hash[SHA256_SIZE];

	sha256(definition->normal, hash);
	ck_assert_mem_eq(hash, definition->hash, sizeof hash);
}

static void visit_good(const char *name)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition;
	char path[PATH_TEXT_MAX], golden[PATH_TEXT_MAX];
	enum err err;

	path_of(GOOD, name, ".yaml", path);
	path_of(GOOD, name, ".ok", golden);
	err = load_file(path, &problems, &definition);
	ck_assert_msg(!err && problems.n == 0, "%s: %s: %s", path, err_text(err),
		      problems.n ? problems.list[0].text : "");
	compare(golden, definition->normal);
	check_hash(definition);
	check_reload(definition, path);
	definition_free(definition);
	arena_release(&arena);
}

START_TEST(test_good)
{
	ck_assert_int_ge(each_file(GOOD, visit_good), GOOD_MIN);
}
END_TEST

/* --- the manual --------------------------------------------------------------- */

static struct slice next_line(struct slice *rest)
{
	const char *end = memchr(rest->at, '\n', rest->len);
	struct slice line = {rest->at, end ? (size_t)(end - rest->at) + 1 : rest->len};

	*rest = (struct slice){rest->at + line.len, rest->len - line.len};
	return line;
}

static void check_example(struct slice text, unsigned line)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition;
	enum err err = load_text(LANGUAGE, text, NULL, &problems, &definition);

	ck_assert_msg(!err && problems.n == 0, LANGUAGE ":%u: %s",
		      line + (problems.n ? (unsigned)problems.list[0].place.line : 0),
		      problems.n ? problems.list[0].text : err_text(err));
	check_reload(definition, LANGUAGE);
	definition_free(definition);
	arena_release(&arena);
}

/* Whole definitions are those that begin with `saga:`. */
START_TEST(test_manual)
{
	struct bytes manual = read_whole(LANGUAGE);
	struct slice rest = bytes_slice(&manual);
	unsigned line = 0, n = 0;

	while (rest.len > 0) {
		struct slice fence = next_line(&rest), start = rest;
		unsigned at = ++line;

		if (!slice_is(fence, "```yaml\n"))
			continue;
		for (;;) {
			struct slice inside = next_line(&rest);

			line++;
			ck_assert_msg(inside.len > 0, LANGUAGE ":%u: ``` has no end", at);
			if (!slice_is(inside, "```\n"))
				continue;
			start.len = (size_t)(inside.at - start.at);
			break;
		}
		if (start.len < 5 || memcmp(start.at, "saga:", 5) != 0)
			continue;
		check_example(start, at);
		n++;
	}
	ck_assert_uint_ge(n, 5);
	bytes_release(&manual);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_bad);
	tcase_add_test(tcase, test_good);
	tcase_add_test(tcase, test_manual);
}

int main(void)
{
	return suite_run("golden", add);
}

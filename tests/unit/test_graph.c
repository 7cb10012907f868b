/* test_graph.c - pictures of sagas, held against tests/golden/graph.
 *
 * UPDATE_GOLDEN=1 writes the golden files anew: look at what changed.
 */
#include "cli/canvas.h"
#include "cli/file.h"
#include "cli/graph.h"
#include "orchestrator/load/load.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define FOLDER "tests/golden/graph/"

enum { PATH_SIZE = 256, FILE_MAX = 1 << 20 };

static const char *const sagas[] = {"least", "order", "branches", "waits"};

static struct definition *load(const char *name)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;
	char path[PATH_SIZE];

	snprintf(path, sizeof path, FOLDER "%s.yaml", name);
	problems.file = path;
	if (load_file(path, &problems, &definition))
		ck_abort_msg("%s: %s", path,
			     problems.n ? problems.list[0].text : "cannot be loaded");
	arena_release(&arena);
	return definition;
}

/* --- golden files ------------------------------------------------------------------ */

enum picture { TEXT, NARROW, ASCII, MARKED, DOT, MERMAID, PICTURES };

static const char *const suffixes[PICTURES] = {
	[TEXT] = "txt",      [NARROW] = "narrow.txt", [ASCII] = "ascii.txt",
	[MARKED] = "marked", [DOT] = "dot",           [MERMAID] = "mmd",
};

/* What `show` will do; the third of four steps has a tone and no text. */
static struct graph_mark marks[] = {
	{"done 1.2s", TONE_GREEN},
	{"running, attempt 2 of 5", TONE_YELLOW},
	{"", TONE_DIM},
	{"refused: a rather long message of a participant", TONE_RED},
};

static void mark(void *context, uint32_t step, struct graph_mark *out)
{
	const struct graph_mark *list = context;

	*out = list[step % 4];
}

static enum err draw(const struct definition *definition, enum picture picture,
		     struct bytes *out)
{
	struct graph_style style = {.width = 80};

	switch (picture) {
	case DOT: return graph_dot(definition, out);
	case MERMAID: return graph_mermaid(definition, out);
	case NARROW: style.width = 44; break;
	case ASCII: style.ascii = true; break;
	case MARKED:
		style.colour = true;
		style.mark = mark;
		style.context = marks;
		break;
	case TEXT:
	case PICTURES: break;
	}
	return graph_text(definition, &style, out);
}

static void write_golden(const char *path, struct slice content)
{
	FILE *file = fopen(path, "w");

	ck_assert_msg(file != NULL, "cannot write %s", path);
	fwrite(content.at, 1, content.len, file);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(test_golden)
{
	struct definition *definition = load(sagas[_i]);

	for (int picture = 0; picture < PICTURES; picture++) {
		struct arena arena = {0};
		struct bytes out = BYTES(GRAPH_MAX, &arena);
		struct slice expected = {0};
		struct diag diag = {""};
		char path[PATH_SIZE];

		snprintf(path, sizeof path, FOLDER "%s.%s", sagas[_i], suffixes[picture]);
		ck_assert_int_eq(draw(definition, (enum picture)picture, &out), OK);
		if (getenv("UPDATE_GOLDEN"))
			write_golden(path, bytes_slice(&out));
		ck_assert_msg(file_read(path, FILE_MAX, &arena, &expected, &diag) == OK, "%s",
			      diag.text);
		ck_assert_msg(slice_equal(bytes_slice(&out), expected),
			      "%s: differs; now it is\n%.*s", path,
			      SLICE_ARG(bytes_slice(&out)));
		arena_release(&arena);
	}
	definition_free(definition);
}
END_TEST

/* --- what holds of every width --------------------------------------------------------- */

static bool contains(struct slice text, struct slice part)
{
	for (size_t i = 0; i + part.len <= text.len; i++) {
		if (memcmp(text.at + i, part.at, part.len) == 0)
			return true;
	}
	return false;
}

START_TEST(test_no_width_loses_a_step_or_is_passed)
{
	struct definition *definition = load(sagas[_i]);

	for (size_t width = 1; width <= 200; width++) {
		struct bytes out = BYTES(GRAPH_MAX, NULL);
		struct graph_style style = {.width = width, .ascii = width % 2};
		struct slice rest, line;

		ck_assert_int_eq(graph_text(definition, &style, &out), OK);
		for (uint32_t i = 0; i < definition->n_steps; i++)
			ck_assert_msg(contains(bytes_slice(&out), definition->steps[i].name),
				      "%s: at %zu columns %.*s is missing", sagas[_i], width,
				      SLICE_ARG(definition->steps[i].name));
		for (rest = bytes_slice(&out); slice_line(&rest, &line);) {
			ck_assert_msg(text_columns(line) <= (width < 66 ? 66 : width),
				      "%s: at %zu columns: %.*s", sagas[_i], width,
				      SLICE_ARG(line));
			ck_assert(line.len == 0 || line.at[line.len - 1] != ' ');
			for (size_t i = 0; style.ascii && i < line.len; i++)
				ck_assert_int_eq(line.at[i] & 0x80, 0);
		}
		bytes_release(&out);
	}
	definition_free(definition);
}
END_TEST

/* --- sources of drawings -------------------------------------------------------------- */

/* Outside of quotes the brackets of a line match; quotes are escaped inside. */
static void check_line(const char *saga, struct slice line, char escape)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.at[i];

		if (quoted && c == escape) {
			i++;
			continue;
		}
		if (c == '"')
			quoted = !quoted;
		if (!quoted)
			depth += (c == '[' || c == '(') - (c == ']' || c == ')');
	}
	ck_assert_msg(!quoted, "%s: a quote is open: %.*s", saga, SLICE_ARG(line));
	ck_assert_msg(depth == 0, "%s: a bracket is open: %.*s", saga, SLICE_ARG(line));
}

static struct slice trim(struct slice line)
{
	while (line.len && (*line.at == ' ' || *line.at == '\t')) {
		line.at++;
		line.len--;
	}
	return line;
}

/* The name that the text begins with. */
static struct slice first_word(struct slice text)
{
	size_t len = 0;

	while (len < text.len &&
	       (text.at[len] == '_' || (text.at[len] >= '0' && text.at[len] <= '9') ||
		(text.at[len] >= 'a' && text.at[len] <= 'z')))
		len++;
	return (struct slice){text.at, len};
}

static bool is_declared(struct slice source, struct slice node)
{
	struct slice line;

	while (slice_line(&source, &line)) {
		size_t len;

		line = trim(line);
		len = first_word(line).len;
		if (!slice_equal(first_word(line), node))
			continue;
		line = trim((struct slice){line.at + len, line.len - len});
		if (line.len && strchr("[({", *line.at))
			return true;
	}
	return false;
}

/* Where the arrow's text ends; NULL: there is none. */
static const char *behind(struct slice line, const char *arrow)
{
	size_t len = strlen(arrow);

	for (size_t i = 0; i + len <= line.len; i++) {
		if (memcmp(line.at + i, arrow, len) == 0)
			return line.at + i + len;
	}
	return NULL;
}

/* Both ends of every way are nodes that are declared; returns how many ways. */
static size_t check_ways(const char *saga, struct slice source)
{
	struct slice rest = source, line;
	size_t n = 0;

	while (slice_line(&rest, &line)) {
		const char *end =
			behind(line, "-> ") ? behind(line, "-> ") : behind(line, "=> ");
		struct slice from = first_word(trim(line)), to;

		if (!end)
			continue;
		to = first_word((struct slice){end, (size_t)(line.at + line.len - end)});
		ck_assert_msg(from.len && to.len && is_declared(source, from) &&
				      is_declared(source, to),
			      "%s: a way between what is no node: %.*s", saga, SLICE_ARG(line));
		n++;
	}
	return n;
}

/* One way out of every step, one into it for every branch more, and the first. */
static size_t count_ways(const struct definition *definition)
{
	size_t n = definition->n_steps + 1;

	for (uint32_t i = 0; i < definition->n_steps; i++)
		n += definition->steps[i].n_branches;
	return n;
}

START_TEST(test_sources_are_whole)
{
	static enum err (*const formats[])(const struct definition *,
					   struct bytes *) = {graph_dot, graph_mermaid};
	struct definition *definition = load(sagas[_i]);

	for (size_t format = 0; format < 2; format++) {
		struct bytes out = BYTES(GRAPH_MAX, NULL);
		struct slice rest, line;
		int braces = 0;

		ck_assert_int_eq(formats[format](definition, &out), OK);
		for (rest = bytes_slice(&out); slice_line(&rest, &line);) {
			check_line(sagas[_i], line, format == 0 ? '\\' : '\0');
			if (line.len)
				braces += (line.at[line.len - 1] == '{') -
					  (*trim(line).at == '}');
		}
		ck_assert_int_eq(braces, 0);
		ck_assert_uint_eq(check_ways(sagas[_i], bytes_slice(&out)),
				  count_ways(definition));
		bytes_release(&out);
	}
	definition_free(definition);
}
END_TEST

/* --- failures --------------------------------------------------------------------------- */

START_TEST(test_every_allocation_fails_in_turn)
{
	struct definition *definition = load("branches");

	for (int picture = 0; picture < PICTURES; picture++) {
		bool fired = true;

		for (size_t n = 0; fired; n++) {
			struct bytes out = BYTES(GRAPH_MAX, NULL);
			enum err err;

			fail_malloc_at(n);
			err = draw(definition, (enum picture)picture, &out);
			fired = fail_malloc_off();
			ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
			bytes_release(&out);
		}
	}
	definition_free(definition);
}
END_TEST

START_TEST(test_a_picture_over_the_limit_is_refused)
{
	struct definition *definition = load("branches");

	for (int picture = 0; picture < PICTURES; picture++) {
		struct bytes out = BYTES(300, NULL);

		ck_assert_int_eq(draw(definition, (enum picture)picture, &out), ERR_TOO_LARGE);
		bytes_release(&out);
	}
	definition_free(definition);
}
END_TEST

/* --- what authors may write ------------------------------------------------------------ */

static const struct wrap_row {
	const char *name;
	const char *text;
	size_t width;
	size_t lines_max;
	const char *expected;
} wrap_rows[] = {
	{"what fits stays on one line", "one two", 7, 3, "one two\n"},
	{"broken at blanks", "one two three", 8, 3, "one two\nthree\n"},
	{"a word that ends where the line does", "one two three", 7, 3, "one two\nthree\n"},
	{"a word that is too long is cut", "abcdefghij", 4, 3, "abcd\nefgh\nij\n"},
	{"too many lines end in an ellipsis", "one two three four", 5, 2,
	 "one\ntwo\xe2\x80\xa6\n"},
	{"the ellipsis takes the place of a letter", "abcdefgh", 3, 2, "abc\nde\xe2\x80\xa6\n"},
	{"wide characters take two columns", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5, 3,
	 "\xe6\x97\xa5\xe6\x9c\xac\n\xe8\xaa\x9e\n"},
	{"the ellipsis on half of a wide character", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4,
	 1, "\xe6\x97\xa5 \xe2\x80\xa6\n"},
	{"a mark stands on its letter", "e\xcc\x81t\xc3\xa9", 3, 1, "e\xcc\x81t\xc3\xa9\n"},
	{"nothing talks to the terminal",
	 "a\033[31mb\xc2\x9b"
	 "c\xe2\x80\xae"
	 "d\ne",
	 20, 1, "a?[31mb?c?d?e\n"},
	{"bytes that are no UTF-8",
	 "a\xff"
	 "b\xe6\x97",
	 20, 1, "a?b??\n"},
	{"no text is one line", "", 5, 3, ""},
};

START_TEST(test_wrap)
{
	const struct wrap_row *row = &wrap_rows[_i];
	struct arena arena = {0};
	struct canvas canvas = {.arena = &arena, .width = 20};
	struct bytes out = BYTES(1000, &arena);
	size_t n = canvas_wrap(&canvas, 0, 0, row->width, row->lines_max, slice_of(row->text),
			       TONE_PLAIN);

	canvas_write(&canvas, false, &out);
	ck_assert_msg(slice_is(bytes_slice(&out), row->expected), "%s: gave\n%.*s", row->name,
		      SLICE_ARG(bytes_slice(&out)));
	ck_assert_msg(n == (canvas.n_rows ? canvas.n_rows : 1), "%s: %zu lines", row->name, n);
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_golden, 0, ROWS(sagas));
	tcase_add_loop_test(tcase, test_no_width_loses_a_step_or_is_passed, 0, ROWS(sagas));
	tcase_add_loop_test(tcase, test_sources_are_whole, 0, ROWS(sagas));
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_test(tcase, test_a_picture_over_the_limit_is_refused);
	tcase_add_loop_test(tcase, test_wrap, 0, ROWS(wrap_rows));
}

int main(void)
{
	return suite_run("graph", add);
}

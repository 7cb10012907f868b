/* test_cli.c - the program skald, run as a user runs it: what it prints where,
 * and what it exits with. */
#include "base/json.h"
#include "cli/exploration.h"
#include "tests/lib/command_row.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char skald[4096];

#define GOOD                                                           \
	"saga: good\n"                                                 \
	"version: 1.0.0\n"                                             \
	"steps:\n"                                                     \
	"  - hold: { call: rooms.hold, undo: { call: rooms.free } }\n" \
	"  - pay: { kind: pivot, call: bank.pay }\n"

#define BAD                              \
	"saga: bad\n"                    \
	"version: 1.0.0\n"               \
	"steps:\n"                       \
	"  - hold:\n"                    \
	"      call: rooms.hold\n"       \
	"      timout: 3s  # \xc3\xa9\n" \
	"      undo: { call: rooms.free, again: 1 }\n"

#define WIDE               \
	"saga: wide\n"     \
	"version: 1.0.0\n" \
	"steps:\n"         \
	"  - a: { kind: readonly, call: a.b, with: \xe6\x97\xa5\xc3\xa9, no: 1 }\n"

#define HEN                \
	"saga: hen\n"      \
	"version: 1.0.0\n" \
	"steps: [ { lay: { saga: egg } } ]\n"

#define EGG                \
	"saga: egg\n"      \
	"version: 1.0.0\n" \
	"steps: [ { hatch: { saga: hen } } ]\n"

#define PAIR               \
	"saga: pair\n"     \
	"version: 1.0.0\n" \
	"steps: [ { one: { saga: good } } ]\n"

#define WARN               \
	"saga: warn\n"     \
	"version: 1.0.0\n" \
	"steps:\n"         \
	"  - wait: { await: { event: paid } }\n"

static const struct command_row rows[] = {
	/* the program */
	{"no command", {.argv = {NULL}}, 2, NULL, "`skald help`", NULL},
	{"an unknown command, and the one that was meant",
	 {.argv = {"chekc"}},
	 2,
	 NULL,
	 "there is no command \"chekc\"; did you mean \"check\"?",
	 NULL},
	{"flags before the command, and where they go",
	 {.argv = {"--server", "http://127.0.0.1:1", "ls"}},
	 2,
	 NULL,
	 "skald: a command comes first, and flags like --server behind it, as in `skald ls "
	 "--json`",
	 "no command"},
	{"a command that is like none",
	 {.argv = {"frobnicate"}},
	 2,
	 NULL,
	 "`skald help`",
	 "did you mean"},
	{"a command that people need not know is not suggested",
	 {.argv = {"mam"}},
	 2,
	 NULL,
	 "`skald help`",
	 "did you mean"},
	{"the version", {.argv = {"--version"}}, 0, "skald " SKALD_VERSION "\n", NULL, NULL},
	{"the list of commands", {.argv = {"help"}}, 0, "\n  graph       draw", NULL, "  man "},
	{"the same by a flag", {.argv = {"-h"}}, 0, "\n  graph       draw", NULL, NULL},
	{"help for a command", {.argv = {"help", "check"}}, 0, "--exhaustive", NULL, NULL},
	{"help from the command itself",
	 {.argv = {"check", "--help"}},
	 0,
	 "--exhaustive",
	 NULL,
	 NULL},
	{"help for what is no command",
	 {.argv = {"help", "grpah"}},
	 2,
	 NULL,
	 "did you mean \"graph\"?",
	 NULL},
	{"a server for what asks none, to check",
	 {.argv = {"check", "good.yaml", "--server", "http://127.0.0.1:1", "--token", "t"}},
	 0,
	 "ok (",
	 NULL,
	 NULL},
	{"a server for what asks none, to write",
	 {.argv = {"fmt", "good.yaml", "--server", "http://127.0.0.1:1", "--token", "t"}},
	 0,
	 "saga: good",
	 NULL,
	 NULL},
	{"a server for what asks none, to draw",
	 {.argv = {"graph", "good.yaml", "--server", "http://127.0.0.1:1", "--token", "t"}},
	 0,
	 "good 1.0.0",
	 NULL,
	 NULL},
	{"a server for what asks none, to simulate",
	 {.argv = {"simulate", "good.yaml", "--seeds", "1", "--server", "http://127.0.0.1:1",
		   "--token", "t"}},
	 0,
	 "no violation",
	 NULL,
	 NULL},
	{"a server that is told to serve",
	 {.argv = {"serve", "-n", "--server", "http://127.0.0.1:1"}},
	 2,
	 NULL,
	 "unknown flag --server",
	 NULL},
	{"an unknown flag, and the one that was meant",
	 {.argv = {"check", "--exaustive", "good.yaml"}},
	 2,
	 NULL,
	 "did you mean --exhaustive?",
	 "ok ("},
	{"arguments where there are none", {.argv = {"man", "page"}}, 2, NULL, "page", NULL},

	/* check */
	{"a folder instead of a file",
	 {.argv = {"check", "/"}},
	 1,
	 NULL,
	 "/: error: the file cannot be read (Is a directory); name the files in this folder",
	 NULL},
	{"no file", {.argv = {"check"}}, 2, NULL, "Usage: skald check", NULL},
	{"a good file",
	 {.argv = {"check", "good.yaml"}},
	 0,
	 "good.yaml: ok (2 steps, hash ",
	 NULL,
	 NULL},
	{"one step is not two",
	 {.argv = {"check", "warn.yaml"}},
	 0,
	 "warn.yaml: ok (1 step, ",
	 "warning: ",
	 "error"},
	{"a good file, quietly", {.argv = {"check", "-q", "good.yaml"}}, 0, NULL, NULL, NULL},
	{"every mistake has its place and code",
	 {.argv = {"check", "bad.yaml"}},
	 1,
	 NULL,
	 "bad.yaml:6:7: error: ",
	 "ok ("},
	{"not just the first one",
	 {.argv = {"check", "bad.yaml"}},
	 1,
	 NULL,
	 "bad.yaml:7:33: error: ",
	 "^"},
	{"the code stands at the end",
	 {.argv = {"check", "bad.yaml"}},
	 1,
	 NULL,
	 " [unknown-key]\n",
	 NULL},
	{"mistakes are shown quietly, too",
	 {.argv = {"check", "-q", "bad.yaml"}},
	 1,
	 NULL,
	 "bad.yaml:6:7: error: ",
	 NULL},
	{"one of several files is bad",
	 {.argv = {"check", "bad.yaml", "good.yaml"}},
	 1,
	 "good.yaml: ok",
	 "bad.yaml:6:7: error: ",
	 NULL},
	{"two sagas that start each other",
	 {.argv = {"check", "hen.yaml", "egg.yaml"}},
	 1,
	 "hen.yaml: ok",
	 "egg.yaml:3:12: error: the saga egg starts child sagas that start it again",
	 NULL},
	{"a child with a pivot where it would be undone",
	 {.argv = {"check", "good.yaml", "pair.yaml"}},
	 1,
	 "good.yaml: ok",
	 "pair.yaml:3:12: error: step one of the saga pair can be undone",
	 NULL},
	{"a child with a pivot that comes after its parent",
	 {.argv = {"check", "pair.yaml", "good.yaml"}},
	 1,
	 "pair.yaml: ok",
	 "good.yaml:5:5: error: step one of the saga pair can be undone",
	 NULL},
	{"a file that is not there",
	 {.argv = {"check", "nowhere.yaml"}},
	 1,
	 NULL,
	 "nowhere.yaml: error: ",
	 NULL},
	{"standard input",
	 {.argv = {"check", "-"}, .input = GOOD},
	 0,
	 "<stdin>: ok (2 steps",
	 NULL,
	 NULL},
	{"mistakes in standard input",
	 {.argv = {"check", "-"}, .input = BAD},
	 1,
	 NULL,
	 "<stdin>:6:7: error: ",
	 NULL},
	{"bounds alone",
	 {.argv = {"check", "--bounds", "dup=1", "good.yaml"}},
	 2,
	 NULL,
	 "--exhaustive",
	 "ok ("},
	{"bounds that are none",
	 {.argv = {"check", "--exhaustive", "--bounds", "dupp=1", "good.yaml"}},
	 2,
	 NULL,
	 "skald check: --bounds: there is none called",
	 "ok ("},
	{"exploring",
	 {.argv = {"check", "--exhaustive", "good.yaml"}},
	 0,
	 "good.yaml: explored to the end\n  explored    ",
	 NULL,
	 "prove"},
	{"exploring says the bounds",
	 {.argv = {"check", "--exhaustive", "--bounds=attempts=1,cancel=0", "good.yaml"}},
	 0,
	 "attempts=1, cancel=0, ",
	 NULL,
	 NULL},
	{"exploring says the invariants",
	 {.argv = {"check", "--exhaustive", "good.yaml"}},
	 0,
	 "\n    once            a do takes effect at most once",
	 NULL,
	 NULL},
	{"exploring up to a bound",
	 {.argv = {"check", "--exhaustive", "--bounds=states=20", "good.yaml"}},
	 0,
	 "good.yaml: stopped by the bound on states\n",
	 NULL,
	 NULL},
	{"what has mistakes is not explored",
	 {.argv = {"check", "--exhaustive", "bad.yaml"}},
	 1,
	 NULL,
	 "bad.yaml:6:7: error: ",
	 "explored"},

	/* graph */
	{"a graph without a file", {.argv = {"graph"}}, 2, NULL, "Usage: skald graph", NULL},
	{"a graph of two files",
	 {.argv = {"graph", "good.yaml", "warn.yaml"}},
	 2,
	 NULL,
	 "one FILE",
	 NULL},
	{"a graph in an unknown format",
	 {.argv = {"graph", "--format=svg", "good.yaml"}},
	 2,
	 NULL,
	 "one of text|dot|mermaid",
	 NULL},
	{"a graph of a bad file",
	 {.argv = {"graph", "bad.yaml"}},
	 1,
	 NULL,
	 "bad.yaml:6:7: error: ",
	 NULL},
	{"a graph in ASCII, where no locale is set",
	 {.argv = {"graph", "good.yaml"}},
	 0,
	 "* hold  rooms.hold\n|   undo: rooms.free\n|\n# pay",
	 NULL,
	 "\xe2"},
	{"a graph in UTF-8",
	 {.argv = {"graph", "good.yaml"}, .env = {"LANG=de_DE.utf8"}},
	 0,
	 "\xe2\x97\x8f hold  rooms.hold\n",
	 NULL,
	 "\033"},
	{"LC_ALL wins over LANG",
	 {.argv = {"graph", "good.yaml"}, .env = {"LANG=C.UTF-8", "LC_ALL=C"}},
	 0,
	 "* hold",
	 NULL,
	 "\xe2"},
	{"an empty LC_ALL does not",
	 {.argv = {"graph", "good.yaml"}, .env = {"LC_ALL=", "LC_CTYPE=x.UTF-8@euro"}},
	 0,
	 "\xe2\x97\x8f hold",
	 NULL,
	 NULL},
	{"a graph in ASCII, where that is asked for",
	 {.argv = {"graph", "--ascii", "good.yaml"}, .env = {"LC_ALL=C.UTF-8"}},
	 0,
	 "* hold",
	 NULL,
	 "\xe2"},
	{"a graph as wide as COLUMNS",
	 {.argv = {"graph", "good.yaml"}, .env = {"COLUMNS=30"}},
	 0,
	 "\n+==== point of no return =====\n",
	 NULL,
	 NULL},
	{"COLUMNS that are no number count for nothing",
	 {.argv = {"graph", "good.yaml"}, .env = {"COLUMNS=30x"}},
	 0,
	 "\n+=================== point of no return ====================\n",
	 NULL,
	 NULL},
	{"nor do no columns at all",
	 {.argv = {"graph", "good.yaml"}, .env = {"COLUMNS=0"}},
	 0,
	 "\n+=================== point of no return ====================\n",
	 NULL,
	 NULL},
	{"a graph as wide as is said",
	 {.argv = {"graph", "--width=32", "good.yaml"}, .env = {"COLUMNS=30"}},
	 0,
	 "\n+===== point of no return ======\n",
	 NULL,
	 NULL},
	{"a graph for Graphviz",
	 {.argv = {"graph", "--format", "dot", "good.yaml"}},
	 0,
	 "digraph \"good\" {\n",
	 NULL,
	 NULL},
	{"a graph for Mermaid",
	 {.argv = {"graph", "-f", "mermaid", "-"}, .input = GOOD},
	 0,
	 "flowchart TD\n",
	 NULL,
	 NULL},

	/* fmt; more in test_fmt.c */
	{"fmt without a file", {.argv = {"fmt"}}, 2, NULL, "Usage: skald fmt", NULL},
	{"fmt of a bad file",
	 {.argv = {"fmt", "bad.yaml"}},
	 1,
	 NULL,
	 "bad.yaml:6:7: error: ",
	 NULL},
	{"fmt of two files",
	 {.argv = {"fmt", "good.yaml", "warn.yaml"}},
	 2,
	 NULL,
	 "--write",
	 NULL},
	{"force without write",
	 {.argv = {"fmt", "--force", "good.yaml"}},
	 2,
	 NULL,
	 "--write",
	 NULL},
	{"warnings do not stand in the JSON of other commands",
	 {.argv = {"graph", "--json", "warn.yaml"}},
	 0,
	 "{\"saga\":\"warn\",",
	 "warn.yaml:4:",
	 NULL},
	{"standard input cannot be written",
	 {.argv = {"fmt", "-w", "-"}, .input = GOOD},
	 2,
	 NULL,
	 "standard input",
	 NULL},
};

static void write_files(void)
{
	folder_enter();
	folder_write("good.yaml", GOOD);
	folder_write("bad.yaml", BAD);
	folder_write("warn.yaml", WARN);
	folder_write("hen.yaml", HEN);
	folder_write("egg.yaml", EGG);
	folder_write("pair.yaml", PAIR);
	folder_write("wide.yaml", WIDE);
}

START_TEST(test_row)
{
	write_files();
	row_check(skald, &rows[_i]);
	folder_leave();
}
END_TEST

START_TEST(test_output_that_cannot_be_written)
{
	static const struct process_setup setups[] = {
		{.argv = {"check", "good.yaml"}, .out = "/dev/full"},
		{.argv = {"fmt", "good.yaml"}, .out = "/dev/full"},
		{.argv = {"help"}, .out = "/dev/full"},
		{.argv = {"--version"}, .out = "/dev/full"},
	};
	struct arena arena = {0};

	if (access("/dev/full", W_OK) != 0)
		return;
	write_files();
	for (int i = 0; i < ROWS(setups); i++) {
		struct process_result result = row_run(skald, &setups[i], &arena);

		ck_assert_int_eq(result.exit_code, 1);
		ck_assert_msg(strstr(result.errs.at, "cannot write the output") != NULL, "%s",
			      result.errs.at);
	}
	arena_release(&arena);
	folder_leave();
}
END_TEST

/* --- JSON ---------------------------------------------------------------------------- */

/* The next line as an object; false behind the last. */
static bool next_object(struct slice *rest, struct arena *arena, struct json *out)
{
	struct slice line = *rest;
	struct diag diag = {""};
	const char *end;

	if (line.len == 0)
		return false;
	end = memchr(line.at, '\n', line.len);
	ck_assert_msg(end != NULL, "the last line does not end: %s", line.at);
	line.len = (size_t)(end - line.at);
	*rest = (struct slice){end + 1, rest->len - line.len - 1};
	ck_assert_msg(json_parse(line, 1 << 20, arena, out, &diag) == OK, "%s: %.*s", diag.text,
		      SLICE_ARG(line));
	ck_assert_int_eq(json_type(*out), JSON_OBJECT);
	return true;
}

static struct json member(struct json object, const char *name, enum json_type type)
{
	struct json value;

	ck_assert_msg(json_get(object, slice_of(name), &value), "%s is missing: %.*s", name,
		      SLICE_ARG(object.text));
	ck_assert_msg(json_type(value) == type, "%s is of another type: %.*s", name,
		      SLICE_ARG(object.text));
	return value;
}

static void check_member(struct json object, const char *name, const char *expected)
{
	struct json value;

	ck_assert(json_get(object, slice_of(name), &value));
	ck_assert_msg(slice_is(value.text, expected), "%s is %.*s", name,
		      SLICE_ARG(value.text));
}

START_TEST(test_mistakes_as_json)
{
	static const struct process_setup setup = {
		.argv = {"check", "--json", "bad.yaml", "warn.yaml", "good.yaml", "caf\xe9"}};
	static const char *const expected[][4] = {
		{"\"bad.yaml\"", "6", "7", "\"error\""},
		{"\"bad.yaml\"", "7", "33", "\"error\""},
		{"\"warn.yaml\"", "4", NULL, "\"warning\""},
		{"\"caf\xef\xbf\xbd\"", "0", "0", "\"error\""},
	};
	struct arena arena = {0};
	struct process_result result;
	struct slice rest;
	struct json object;
	int n = 0;

	write_files();
	result = row_run(skald, &setup, &arena);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_str_eq(result.errs.at, "");
	for (rest = result.out; next_object(&rest, &arena, &object); n++) {
		ck_assert_int_lt(n, ROWS(expected));
		ck_assert_uint_eq(json_size(object), 6);
		check_member(object, "file", expected[n][0]);
		check_member(object, "line", expected[n][1]);
		if (expected[n][2])
			check_member(object, "column", expected[n][2]);
		check_member(object, "severity", expected[n][3]);
		ck_assert_uint_gt(json_size(member(object, "code", JSON_TEXT)), 0);
		ck_assert_uint_gt(json_size(member(object, "message", JSON_TEXT)), 0);
	}
	ck_assert_int_eq(n, ROWS(expected));
	arena_release(&arena);
	folder_leave();
}
END_TEST

START_TEST(test_more_mistakes_than_can_be_listed)
{
	static const struct command_row row = {.name = "many",
					       .setup = {.argv = {"check", "many.yaml"}},
					       .exit_code = 1,
					       .errs = "skald check: 7 more were found; mend "
						       "the first ones and check again\n"};
	struct bytes text = BYTES(1 << 20, NULL);

	folder_enter();
	bytes_text(&text, GOOD);
	for (int i = 0; i < PROBLEMS_MAX + 7; i++)
		bytes_format(&text, "nonsense%d: 1\n", i);
	bytes_add(&text, '\0');
	folder_write("many.yaml", text.at);
	row_check(skald, &row);
	bytes_release(&text);
	folder_leave();
}
END_TEST

START_TEST(test_exploration_as_json)
{
	static const struct process_setup setup = {
		.argv = {"check", "--json", "--exhaustive", "good.yaml"}};
	struct arena arena = {0};
	struct process_result result;
	struct slice rest;
	struct json object;

	write_files();
	result = row_run(skald, &setup, &arena);
	ck_assert_int_eq(result.exit_code, 0);
	rest = result.out;
	ck_assert(next_object(&rest, &arena, &object));
	check_member(object, "file", "\"good.yaml\"");
	check_member(object, "saga", "\"good\"");
	check_member(object, "whole", "true");
	check_member(object, "violation", "null");
	ck_assert_uint_eq(json_size(member(object, "hash", JSON_TEXT)), 64);
	member(object, "states", JSON_NUMBER);
	member(object, "transitions", JSON_NUMBER);
	member(object, "took_ms", JSON_NUMBER);
	member(object, "bounds", JSON_TEXT);
	ck_assert_uint_eq(json_size(member(object, "invariants", JSON_LIST)),
			  explore_n_invariants);
	ck_assert(!next_object(&rest, &arena, &object));
	arena_release(&arena);
	folder_leave();
}
END_TEST

START_TEST(test_graph_as_json)
{
	static const struct process_setup setup = {
		.argv = {"graph", "--json", "--format=dot", "good.yaml"}};
	struct arena arena = {0};
	struct process_result result;
	struct slice rest, graph;
	struct json object;

	write_files();
	result = row_run(skald, &setup, &arena);
	ck_assert_int_eq(result.exit_code, 0);
	rest = result.out;
	ck_assert(next_object(&rest, &arena, &object));
	check_member(object, "saga", "\"good\"");
	check_member(object, "version", "\"1.0.0\"");
	check_member(object, "format", "\"dot\"");
	ck_assert(json_text(member(object, "graph", JSON_TEXT), &arena, &graph));
	ck_assert(strncmp(graph.at, "digraph \"good\" {\n", 17) == 0);
	arena_release(&arena);
	folder_leave();
}
END_TEST

/* --- a violation ------------------------------------------------------------------------ */

/* saga_step() has none to show, so this report is made up. */
static const char *const way[] = {"the saga starts", "hold: \"do\" is sent"};

static void make_violation(struct definition *definition, struct explore_report *report,
			   struct exploration *exploration)
{
	*definition = (struct definition){.name = SLICE_LITERAL("good"),
					  .version = SLICE_LITERAL("1.0.0")};
	*report = (struct explore_report){
		.end = EXPLORE_VIOLATION,
		.bounds = explore_bounds_default,
		.states = 1234567,
		.transitions = 9876543210,
		.depth = 17,
		.memory = 1,
		.invariant = &explore_invariants[0],
		.what = "the do of hold took effect twice",
		.lines = way,
		.n_lines = 2,
	};
	*exploration = (struct exploration){"good.yaml", definition, report, 61234, 80};
}

START_TEST(test_a_violation_is_told_step_by_step)
{
	struct definition definition;
	struct explore_report report;
	struct exploration exploration;
	struct bytes out = BYTES(1 << 20, NULL);

	make_violation(&definition, &report, &exploration);
	ck_assert_int_eq(exploration_code(&report), EXIT_FAILED);
	ck_assert_int_eq(exploration_text(&exploration, &out), OK);
	bytes_add(&out, '\0');
	ck_assert_ptr_nonnull(strstr(out.at, "  explored    1234567 states, 9876543210 "
					     "transitions, at most 17 moves deep\n"
					     "  time        61.2 s\n"
					     "  memory      1 MiB\n"));
	ck_assert_ptr_nonnull(strstr(out.at,
				     "  result      a violation\n"
				     "    once            the do of hold took effect twice\n"
				     "  the shortest way there\n"
				     "      1  the saga starts\n"
				     "      2  hold: \"do\" is sent\n"));
	bytes_release(&out);
}
END_TEST

START_TEST(test_a_violation_as_json)
{
	struct definition definition;
	struct explore_report report;
	struct exploration exploration;
	struct bytes out = BYTES(1 << 20, NULL);
	struct arena arena = {0};
	struct json object, violation, list, line;
	struct slice rest, text;

	make_violation(&definition, &report, &exploration);
	ck_assert_int_eq(exploration_json(&exploration, &out), OK);
	rest = bytes_slice(&out);
	ck_assert(next_object(&rest, &arena, &object));
	check_member(object, "whole", "false");
	check_member(object, "took_ms", "61234");
	violation = member(object, "violation", JSON_OBJECT);
	check_member(violation, "invariant", "\"once\"");
	check_member(violation, "what", "\"the do of hold took effect twice\"");
	list = member(violation, "transcript", JSON_LIST);
	ck_assert_uint_eq(json_size(list), 2);
	ck_assert(json_at(list, 1, &line) && json_text(line, &arena, &text));
	ck_assert(slice_is(text, way[1]));
	arena_release(&arena);
	bytes_release(&out);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	static enum err (*const forms[])(const struct exploration *,
					 struct bytes *) = {exploration_text, exploration_json};
	struct definition definition;
	struct explore_report report;
	struct exploration exploration;

	make_violation(&definition, &report, &exploration);
	for (int form = 0; form < 2; form++) {
		bool fired = true;

		for (size_t n = 0; fired; n++) {
			struct bytes out = BYTES(1 << 20, NULL);
			enum err err;

			fail_malloc_at(n);
			err = forms[form](&exploration, &out);
			fired = fail_malloc_off();
			ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
			bytes_release(&out);
		}
	}
}
END_TEST

/* --- on a terminal ----------------------------------------------------------------------- */

static const struct terminal_row {
	const char *name;
	struct process_setup setup;
	const char *out;
	const char *never;
} terminal_rows[] = {
	{"the line of the file and a caret, in colours",
	 {.argv = {"check", "bad.yaml"}, .env = {"TERM=xterm", "LC_ALL=C.UTF-8"}},
	 "[unknown-key]\n"
	 "    \033[0;2m6 |       \033[0mtimout: 3s  # \xc3\xa9\n"
	 "      \033[0;2m|       \033[0;1m^\033[0m\n",
	 NULL},
	{"without colours by a flag",
	 {.argv = {"check", "--no-color", "bad.yaml"}, .env = {"TERM=xterm", "LC_ALL=C.UTF-8"}},
	 "    6 |       timout: 3s  # \xc3\xa9\n"
	 "      |       ^\n",
	 "\033"},
	{"without colours by the environment",
	 {.argv = {"check", "bad.yaml"}, .env = {"TERM=xterm", "NO_COLOR=1", "LC_ALL=C.UTF-8"}},
	 "      |       ^\n",
	 "\033"},
	{"without colours on a dumb terminal",
	 {.argv = {"check", "bad.yaml"}, .env = {"TERM=dumb"}},
	 "    6 |       timout: 3s  # ?\n"
	 "      |       ^\n",
	 "\033"},
	{"a caret far to the right",
	 {.argv = {"check", "bad.yaml"}, .env = {"COLUMNS=40"}},
	 "    7 | : { call: rooms.free, again: 1 }\n"
	 "      |                       ^\n",
	 "\033"},
	{"a caret behind wide characters",
	 {.argv = {"check", "wide.yaml"}, .env = {"LC_ALL=C.UTF-8"}},
	 "    4 |   - a: { kind: readonly, call: a.b, with: \xe6\x97\xa5\xc3\xa9, no: 1 }\n"
	 "      |                                                ^\n",
	 "\033"},
	{"there is no line of standard input",
	 {.argv = {"check", "-"}, .input = BAD},
	 "<stdin>:6:7: error: ",
	 "^"},
	{"nor of a file as a whole",
	 {.argv = {"check", "nowhere.yaml"}},
	 "nowhere.yaml: error: ",
	 "^"},
	{"a graph in colours",
	 {.argv = {"graph", "good.yaml"}, .env = {"TERM=xterm"}},
	 "* \033[0;1mhold  \033[0mrooms.hold\n",
	 NULL},
	{"a graph as wide as the terminal",
	 {.argv = {"graph", "--no-color", "good.yaml"}},
	 "\n+=================== point of no return ====================\n",
	 "\033"},
	{"the way of exploring is seen and wiped out",
	 {.argv = {"check", "--exhaustive", "good.yaml"}},
	 " states, ",
	 NULL},
	{"but not quietly",
	 {.argv = {"check", "-q", "--exhaustive", "good.yaml"}},
	 "",
	 "states"},
};

START_TEST(test_terminal_row)
{
	const struct terminal_row *row = &terminal_rows[_i];
	struct process_setup setup = row->setup;
	struct arena arena = {0};
	struct process_result result;

	write_files();
	setup.terminal = true;
	result = row_run(skald, &setup, &arena);
	row_check_text(row->name, "the terminal", result.out, row->out, row->never);
	arena_release(&arena);
	folder_leave();
}
END_TEST

/* --- the man page --------------------------------------------------------------------------
 */

/* UPDATE_GOLDEN=1 writes it. */
START_TEST(test_man_page_follows_from_the_tables)
{
	static const struct process_setup setup = {.argv = {"man"}};
	struct arena arena = {0};
	struct process_result result = row_run(skald, &setup, &arena);

	ck_assert_int_eq(result.exit_code, 0);
	if (getenv("UPDATE_GOLDEN"))
		folder_write("docs/man/skald.1", result.out.at);
	ck_assert_msg(slice_equal(result.out, folder_read("docs/man/skald.1", &arena)),
		      "docs/man/skald.1 is not what `skald man` prints: write that there");
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_output_that_cannot_be_written);
	tcase_add_test(tcase, test_mistakes_as_json);
	tcase_add_test(tcase, test_more_mistakes_than_can_be_listed);
	tcase_add_test(tcase, test_exploration_as_json);
	tcase_add_test(tcase, test_graph_as_json);
	tcase_add_test(tcase, test_a_violation_is_told_step_by_step);
	tcase_add_test(tcase, test_a_violation_as_json);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_loop_test(tcase, test_terminal_row, 0, ROWS(terminal_rows));
	tcase_add_test(tcase, test_man_page_follows_from_the_tables);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	return suite_run("cli", add);
}

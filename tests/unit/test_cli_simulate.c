/* test_cli_simulate.c - skald simulate, run as a user runs it; and docs/simulate.md,
 * whose commands print what stands there. */
#include "base/json.h"
#include "tests/lib/command_row.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"
#include "tests/lib/typed.h"

#include <stdio.h>
#include <unistd.h>

static char skald[4096], tree[2048];
static struct arena arena;

#define SHOP                                                           \
	"saga: shop\nversion: 1.0.0\nsteps:\n"                         \
	"  - hold: { call: rooms.hold, undo: { call: rooms.free } }\n" \
	"  - pay: { kind: pivot, call: bank.pay }\n"

#define PARENT                                   \
	"saga: parent\nversion: 1.0.0\nsteps:\n" \
	"  - buy: { kind: pivot, saga: shop }\n"

#define ORPHAN                                   \
	"saga: orphan\nversion: 1.0.0\nsteps:\n" \
	"  - lost: { saga: nowhere }\n"

#define FORM                                                                                 \
	"saga: form\nversion: 1.0.0\n"                                                       \
	"input: { schema: { type: object, required: [n], properties: { n: { type: integer, " \
	"minimum: 5 } } } }\nsteps:\n"                                                       \
	"  - ask: { kind: readonly, call: desk.ask, with: { n: =input.n } }\n"

#define WAIT                                   \
	"saga: wait\nversion: 1.0.0\nsteps:\n" \
	"  - word: { await: { event: word } }\n"

static void write_files(void)
{
	folder_enter();
	folder_write("shop.yaml", SHOP);
	folder_write("parent.yaml", PARENT);
	folder_write("orphan.yaml", ORPHAN);
	folder_write("form.yaml", FORM);
	folder_write("wait.yaml", WAIT);
	folder_write("bad.yaml", "saga: bad\nversion: 1.0.0\nsteps: 3\n");
	folder_write("slow.yaml", "participants: { rooms: { latency: 1m } }\n");
	folder_write("typo.yaml", "participants:\n  romms: {}\n");
	folder_write("silent.yaml", "signals: { word: { chance: 0% } }\n");
	folder_write("hen.yaml",
		     "saga: hen\nversion: 1.0.0\nsteps: [ { lay: { saga: egg } } ]\n");
	folder_write("egg.yaml",
		     "saga: egg\nversion: 1.0.0\nsteps: [ { hatch: { saga: hen } } ]\n");
	folder_write("n.json", "{ \"n\": 7 }\n");
}

static const struct command_row rows[] = {
	{"a thousand runs, if nothing else is said",
	 {.argv = {"simulate", "shop.yaml"}},
	 0,
	 "shop.yaml: 1000 runs of shop 1.0.0, seeds 1 to 1000\nfaults: drop=1%,dup=2%,",
	 NULL,
	 "parked"},
	{"that there is no violation is said",
	 {.argv = {"simulate", "--seeds", "10", "shop.yaml"}},
	 0,
	 "\nno violation\n",
	 NULL,
	 NULL},
	{"without faults all is well",
	 {.argv = {"simulate", "--faults", "none", "--seeds", "50", "shop.yaml"}},
	 0,
	 "completed  50    100.0%",
	 NULL,
	 "compensated"},
	{"other seeds",
	 {.argv = {"simulate", "--seeds", "3", "--seed", "100", "shop.yaml"}},
	 0,
	 "3 runs of shop 1.0.0, seeds 100 to 102\n",
	 NULL,
	 NULL},
	{"a reason, and the seed that shows it",
	 {.argv = {"simulate", "--faults=decline=100%", "--seeds", "3", "shop.yaml"}},
	 0,
	 "compensated  3     1     hold: declined",
	 NULL,
	 "completed"},
	{"one run",
	 {.argv = {"simulate", "--seed", "7", "shop.yaml"}},
	 0,
	 "start shop, which is sim-7",
	 NULL,
	 NULL},
	{"one run, in ASCII where there is nothing else",
	 {.argv = {"simulate", "--seed", "7", "--faults", "none", "shop.yaml"}},
	 0,
	 "*-------->|",
	 NULL,
	 "\xe2"},
	{"one run, with more than ASCII",
	 {.argv = {"simulate", "--seed", "7", "--faults", "none", "shop.yaml"},
	  .env = {"LANG=C.UTF-8"}},
	 0,
	 "\xe2\x97\x8f\xe2\x94\x80",
	 NULL,
	 "*---"},
	{"one run for Mermaid",
	 {.argv = {"simulate", "--seed", "7", "--format", "mermaid", "shop.yaml"}},
	 0,
	 "sequenceDiagram\n  participant a0 as people\n",
	 NULL,
	 "violation"},
	{"quietly",
	 {.argv = {"simulate", "-q", "--seeds", "5", "shop.yaml"}},
	 0,
	 NULL,
	 NULL,
	 NULL},
	{"a plan",
	 {.argv = {"simulate", "--plan", "slow.yaml", "--faults", "none", "--seed", "1",
		   "shop.yaml"}},
	 0,
	 "1m00s",
	 NULL,
	 NULL},
	{"an event that nobody sends is no violation",
	 {.argv = {"simulate", "--plan", "silent.yaml", "--faults", "none", "--seeds", "4",
		   "wait.yaml"}},
	 0,
	 "waits    4     1     word: the event word, which nobody sends",
	 "warning",
	 NULL},
	{"a bound that is met is no violation",
	 {.argv = {"simulate", "--max-events", "3", "--seeds", "2", "shop.yaml"}},
	 0,
	 "does not end  2",
	 NULL,
	 NULL},
	{"a child saga beside its parent",
	 {.argv = {"simulate", "--faults", "none", "--seeds", "5", "parent.yaml"}},
	 0,
	 "shop/pay   5 ",
	 NULL,
	 NULL},
	{"one in another file of the command line",
	 {.argv = {"simulate", "--faults", "none", "--seeds", "5", "parent.yaml", "shop.yaml"}},
	 0,
	 "shop.yaml: 5 runs of shop",
	 NULL,
	 NULL},
	{"one that is nowhere",
	 {.argv = {"simulate", "orphan.yaml"}},
	 1,
	 NULL,
	 "the step lost starts the saga nowhere, which no file beside it defines; name its "
	 "file, too",
	 NULL},
	{"sagas that start each other",
	 {.argv = {"simulate", "hen.yaml"}},
	 1,
	 NULL,
	 "[child-cycle]",
	 NULL},
	{"an input that is given",
	 {.argv = {"simulate", "--input", "{\"n\": 5}", "--seeds", "3", "form.yaml"}},
	 0,
	 "3 runs of form",
	 NULL,
	 NULL},
	{"one in a file, which is not shown",
	 {.argv = {"simulate", "--input", "@n.json", "--seed", "3", "form.yaml"}},
	 0,
	 "seed 3 of form",
	 NULL,
	 "input, made up"},
	{"one that the schema does not allow",
	 {.argv = {"simulate", "--input", "{\"n\": 4}", "form.yaml"}},
	 1,
	 NULL,
	 "the schema of form does not allow this input: input.n",
	 NULL},
	{"one that is no JSON",
	 {.argv = {"simulate", "--input", "n=4", "form.yaml"}},
	 2,
	 NULL,
	 "--input is no JSON",
	 NULL},
	{"a plan with a mistake",
	 {.argv = {"simulate", "--plan", "typo.yaml", "shop.yaml"}},
	 1,
	 NULL,
	 "typo.yaml:2:3: error: `romms` is not known among the participants of these sagas; "
	 "did you mean `rooms`? There may be: rooms, bank [unknown-key]",
	 NULL},
	{"a plan that is not there",
	 {.argv = {"simulate", "--plan", "none.yaml", "shop.yaml"}},
	 1,
	 NULL,
	 "none.yaml",
	 NULL},
	{"a definition with a mistake",
	 {.argv = {"simulate", "bad.yaml"}},
	 1,
	 NULL,
	 "bad.yaml:3:8: error: ",
	 NULL},
	{"a fault that there is not",
	 {.argv = {"simulate", "--faults", "sharks=1%", "shop.yaml"}},
	 2,
	 NULL,
	 "--faults: \"sharks=1%\" is no fault; there are drop, dup, delay,",
	 NULL},
	{"no file", {.argv = {"simulate"}}, 2, NULL, "give at least one FILE", NULL},
	{"a format for many runs",
	 {.argv = {"simulate", "--format", "mermaid", "shop.yaml"}},
	 2,
	 NULL,
	 "--format is for one run",
	 NULL},
	{"no runs",
	 {.argv = {"simulate", "--seeds", "0", "shop.yaml"}},
	 2,
	 NULL,
	 "--seeds",
	 NULL},
};

START_TEST(test_row)
{
	write_files();
	row_check(skald, &rows[_i]);
	folder_leave();
}
END_TEST

/* --- JSON ------------------------------------------------------------------------------ */

static struct json member(struct json object, const char *name)
{
	struct json value;

	ck_assert_msg(json_get(object, slice_of(name), &value), "%s is missing: %.*s", name,
		      SLICE_ARG(object.text));
	return value;
}

/* The whole output is one object on one line. */
static struct json one_object(struct slice out)
{
	struct json object;
	struct diag diag;

	ck_assert_uint_gt(out.len, 1);
	ck_assert_ptr_eq(memchr(out.at, '\n', out.len), out.at + out.len - 1);
	ck_assert_msg(!json_parse((struct slice){out.at, out.len - 1}, 1 << 20, &arena, &object,
				  &diag),
		      "%s", diag.text);
	return object;
}

START_TEST(test_json_of_many)
{
	static const struct process_setup setup = {.argv = {"simulate", "--json", "--seeds",
							    "40", "--faults", "decline=100%",
							    "shop.yaml"}};
	struct json object, outcomes, step, reason;

	write_files();
	object = one_object(row_run(skald, &setup, &arena).out);
	outcomes = member(object, "outcomes");
	ck_assert(slice_is(member(object, "seeds").text, "40"));
	ck_assert(slice_is(member(object, "faults").text, "\"decline=100%\""));
	ck_assert(slice_is(member(object, "violations").text, "0"));
	ck_assert(slice_is(member(outcomes, "compensated").text, "40"));
	ck_assert(slice_is(member(outcomes, "completed").text, "0"));
	ck_assert(slice_is(member(outcomes, "does_not_end").text, "0"));
	ck_assert(json_at(member(object, "steps"), 0, &step));
	ck_assert(slice_is(member(step, "name").text, "\"hold\""));
	ck_assert(slice_is(member(step, "refused").text, "40"));
	ck_assert(json_at(member(object, "reasons"), 0, &reason));
	ck_assert(slice_is(member(reason, "reason").text, "\"hold: declined\""));
	(void)member(member(member(object, "latency_ms"), "all"), "p99");
	folder_leave();
	arena_release(&arena);
}
END_TEST

START_TEST(test_json_of_one)
{
	static const struct process_setup setup = {.argv = {"simulate", "--json", "--seed",
							    "40", "--faults", "none",
							    "form.yaml"}};
	struct json object, note;

	write_files();
	object = one_object(row_run(skald, &setup, &arena).out);
	ck_assert(slice_is(member(object, "outcome").text, "\"completed\""));
	ck_assert(slice_is(member(object, "id").text, "\"sim-40\""));
	ck_assert(slice_is(member(object, "violation").text, "null"));
	ck_assert_int_eq(json_type(member(member(object, "input"), "n")), JSON_NUMBER);
	ck_assert(json_at(member(object, "transcript"), 1, &note));
	ck_assert(slice_is(member(note, "from").text, "\"skald\""));
	ck_assert(slice_is(member(note, "to").text, "\"desk\""));
	folder_leave();
	arena_release(&arena);
}
END_TEST

/* --- the same again -------------------------------------------------------------------- */

START_TEST(test_same_bytes)
{
	static const struct process_setup setups[] = {
		{.argv = {"simulate", "--seeds", "100", "shop.yaml"}},
		{.argv = {"simulate", "--json", "--seeds", "100", "shop.yaml"}},
		{.argv = {"simulate", "--seed", "17", "shop.yaml"}},
	};

	write_files();
	for (int i = 0; i < ROWS(setups); i++)
		ck_assert(slice_equal(row_run(skald, &setups[i], &arena).out,
				      row_run(skald, &setups[i], &arena).out));
	folder_leave();
	arena_release(&arena);
}
END_TEST

/* --- the page -------------------------------------------------------------------------- */

/* "skald simulate x   # exits 1": the exit code, and the line without it. */
static int cut_exit(struct slice *line)
{
	static const char mark[] = "   # exits ";

	for (size_t i = 0; i + sizeof mark <= line->len; i++) {
		if (memcmp(line->at + i, mark, sizeof mark - 1) == 0) {
			int code = line->at[i + sizeof mark - 1] - '0';

			line->len = i;
			return code;
		}
	}
	return 0;
}

/* Everything up to the end of the block; it is copied, and terminated. */
static struct slice printed(struct slice *rest)
{
	struct slice text = {rest->at, 0}, line;

	while (slice_line(rest, &line) && !slice_is(line, "```"))
		text.len += line.len + 1;
	ck_assert(arena_copy(&arena, text, &text));
	return text;
}

static void run_words(struct slice line, int exit_code, struct slice expected)
{
	struct process_setup setup = {.env = {"LANG=C.UTF-8"}};
	struct process_result result;
	size_t n = 0;

	ck_assert_int_eq(memcmp(line.at, "skald ", 6), 0);
	for (size_t at = 6; at < line.len; n++) {
		size_t end = at;
		struct slice word;

		while (end < line.len && line.at[end] != ' ')
			end++;
		ck_assert(arena_copy(&arena, (struct slice){line.at + at, end - at}, &word));
		setup.argv[n] = word.at;
		at = end + 1;
	}
	result = row_run(skald, &setup, &arena);
	ck_assert_msg(result.exit_code == exit_code, "%.*s exits %d: %s", SLICE_ARG(line),
		      result.exit_code, result.errs.at);
	if (expected.len)
		ck_assert_msg(slice_equal(exit_code ? result.errs : result.out, expected),
			      "%.*s prints, and docs/simulate.md has something else:\n%s",
			      SLICE_ARG(line), exit_code ? result.errs.at : result.out.at);
}

START_TEST(test_page)
{
	struct slice rest = folder_read("docs/simulate.md", &arena), line;
	char sagas[4096];
	size_t n = 0;

	(void)snprintf(sagas, sizeof sagas, "%s/sagas", tree);
	folder_enter();
	ck_assert_int_eq(symlink(sagas, "sagas"), 0);
	folder_write("typo.yaml", "participants:\n  inventry: { latency: 1s }\n");
	while (slice_line(&rest, &line)) {
		int exit_code;

		if (line.len < 3 || memcmp(line.at, "$ ", 2) != 0)
			continue;
		line = (struct slice){line.at + 2, line.len - 2};
		exit_code = cut_exit(&line);
		run_words(line, exit_code, printed(&rest));
		n++;
	}
	ck_assert_uint_ge(n, 3);
	folder_leave();
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_json_of_many);
	tcase_add_test(tcase, test_json_of_one);
	tcase_add_test(tcase, test_same_bytes);
	tcase_add_test(tcase, test_page);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	if (!getcwd(tree, sizeof tree))
		return 1;
	return suite_run("cli_simulate", add);
}

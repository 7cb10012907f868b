/* test_serve_limits.c - limits of participants in skald.yaml: what may stand there, what
 * is in effect, and how they change while sagas run. */
#include "tests/lib/background.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char skald[4096];
static struct arena arena;

static struct process_result ask(const struct serving *serving, const char *const *args)
{
	struct process_setup setup = {.argv = {skald},
				      .env = {"LANG=C.UTF-8", serving ? serving->env : NULL}};

	for (size_t i = 0; args[i]; i++)
		setup.argv[i + 1] = args[i];
	return process_run(&setup, &arena);
}

#define ASK(serving, ...) ask(serving, (const char *const[]){__VA_ARGS__, NULL})

static void check_has(struct slice text, const char *part)
{
	ck_assert_msg(strstr(text.at, part) != NULL, "no `%s` in: %s", part, text.at);
}

/* --- what may stand there ----------------------------------------------------------- */

static const struct mistake {
	const char *name;
	const char *line; /* below "participants:" */
	const char *place, *says;
} mistakes[] = {
	{"a list", "  - payment", "2:3", "`participants` is a mapping"},
	{"a participant that is a number", "  payment: 50", "2:12",
	 "the limits of a participant are a mapping"},
	{"a name that is none", "  Payment: { window: 1 }", "2:3", "a participant's name is"},
	{"a participant twice", "  a: { window: 1 }\n  a: { window: 2 }", "3:3",
	 "stands here a second time"},
	{"a setting that there is not", "  a: { windw: 1 }", "2:8", "did you mean `window`?"},
	{"one that is like nothing", "  a: { x: 1 }", "2:8",
	 "a participant has no setting `x`; it has window, rate, burst and breaker"},
	{"a window of nothing", "  a: { window: 0 }", "2:16",
	 "`window` is a number from 1 to 1000000, or none"},
	{"a window that is too large", "  a: { window: 1000001 }", "2:16", "1 to 1000000"},
	{"a window beyond every number", "  a: { window: 99999999999999999999999 }", "2:16",
	 "1 to 1000000"},
	{"a window that is a text", "  a: { window: many }", "2:16", "`window` is a number"},
	{"a window that is a list", "  a: { window: [1] }", "2:16", "`window` is a number"},
	{"a window with something behind it", "  a: { window: 5x }", "2:16",
	 "`window` is a number"},
	{"a rate without a unit", "  a: { rate: 100 }", "2:14", "such as 100/s"},
	{"a rate of another unit", "  a: { rate: 100/d }", "2:14", "such as 100/s"},
	{"a rate of nothing", "  a: { rate: 0/s }", "2:14", "such as 100/s"},
	{"a rate that is a mapping", "  a: { rate: { x: 1 } }", "2:14", "such as 100/s"},
	{"a burst of nothing", "  a: { rate: 1/s, burst: 0 }", "2:26", "`burst` is a number"},
	{"a burst without a rate", "  a: { burst: 5 }", "2:8", "a burst is of a rate"},
	{"a burst where the rate is taken away",
	 "  \"*\": { rate: 1/s }\n  a: { rate: none, "
	 "burst: 5 }",
	 "3:20", "a burst is of a rate"},
	{"a breaker that is a number", "  a: { breaker: 5 }", "2:17", "`breaker` is {"},
	{"a breaker that does not say when", "  a: { breaker: { pause: 1s } }", "2:8",
	 "say after how many `failures`"},
	{"a breaker with a setting that there is not", "  a: { breaker: { failure: 3 } }",
	 "2:19", "did you mean `failures`?"},
	{"a breaker with one that is like nothing", "  a: { breaker: { x: 3 } }", "2:19",
	 "a breaker has no setting `x`; it has failures and pause"},
	{"no failures", "  a: { breaker: { failures: 0 } }", "2:29",
	 "`failures` is a number from 1 to 10000"},
	{"a pause that is none", "  a: { breaker: { failures: 1, pause: 0s } }", "2:39",
	 "`pause` is a duration"},
	{"a pause without a unit", "  a: { breaker: { failures: 1, pause: 30 } }", "2:39",
	 "`pause` is a duration"},
	{"another mistake behind one", "  a: { window: 0 }\n  b: { burst: 5 }", "3:8",
	 "a burst is of a rate"},
};

START_TEST(test_mistakes)
{
	const struct mistake *mistake = &mistakes[_i];
	struct process_result result;
	char text[256], place[64];

	folder_enter();
	snprintf(text, sizeof text, "participants:\n%s\n", mistake->line);
	folder_write("skald.yaml", text);
	result = ASK(NULL, "serve", "-n");
	ck_assert_msg(result.exit_code == 2, "%s: exit %d", mistake->name, result.exit_code);
	snprintf(place, sizeof place, "skald.yaml:%s: error: ", mistake->place);
	check_has(result.errs, place);
	check_has(result.errs, mistake->says);
	folder_leave();
	arena_release(&arena);
}
END_TEST

START_TEST(test_more_participants_than_there_may_be)
{
	static char text[16384];
	size_t len = 0;
	struct process_result result;

	len += (size_t)snprintf(text, sizeof text, "participants:\n");
	for (int i = 0; i < 257; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "  p%d: { window: 1 }\n",
					i);
	folder_enter();
	folder_write("skald.yaml", text);
	result = ASK(NULL, "serve", "-n");
	ck_assert_int_eq(result.exit_code, 2);
	check_has(result.errs, "skald.yaml:258:3: error: there are limits for more than 256 ");
	folder_leave();
	arena_release(&arena);
}
END_TEST

/* --- what is in effect -------------------------------------------------------------- */

static const struct effect {
	const char *name;
	const char *line; /* below "participants:" */
	const char *says; /* what is printed at the end */
} effects[] = {
	{"all of them",
	 "  a: { window: 50, rate: 100/s, burst: 20, breaker: { failures: 5, pause: 1m } }",
	 "\nparticipants:\n  \"*\": { window: none, rate: none, breaker: none }\n"
	 "  a: { window: 50, rate: 100/s, burst: 20, breaker: { failures: 5, pause: 1m } }\n"},
	{"what comes in a second is the burst", "  a: { rate: 100/s }",
	 "  a: { window: none, rate: 100/s, burst: 100, breaker: none }\n"},
	{"or one", "  a: { rate: 30/m }",
	 "  a: { window: none, rate: 30/m, burst: 1, breaker: none }\n"},
	{"a breaker pauses for 30s", "  a: { breaker: { failures: 3 } }",
	 "breaker: { failures: 3, pause: 30s } }\n"},
	{"what all the others have",
	 "  a: { window: 5 }\n  \"*\": { window: 9, rate: 7/h, burst: 2, breaker: { failures: "
	 "4, "
	 "pause: 5s } }",
	 "  a: { window: 5, rate: 7/h, burst: 2, breaker: { failures: 4, pause: 5s } }\n"},
	{"its own burst of their rate", "  \"*\": { rate: 7/s }\n  a: { burst: 2 }",
	 "  a: { window: none, rate: 7/s, burst: 2, breaker: none }\n"},
	{"their burst is not of its own rate",
	 "  \"*\": { rate: 7/s, burst: 2 }\n  a: { rate: 9/s }",
	 "  a: { window: none, rate: 9/s, burst: 9, breaker: none }\n"},
	{"half a breaker of theirs",
	 "  \"*\": { breaker: { failures: 4, pause: 5s } }\n  a: { breaker: { pause: 1s } }",
	 "  a: { window: none, rate: none, breaker: { failures: 4, pause: 1s } }\n"},
	{"none of theirs",
	 "  \"*\": { window: 9, rate: 7/s, breaker: { failures: 4 } }\n"
	 "  a: { window: none, rate: none, breaker: none }",
	 "  a: { window: none, rate: none, breaker: none }\n"},
};

START_TEST(test_what_is_in_effect_is_printed)
{
	const struct effect *effect = &effects[_i];
	struct process_result result;
	char text[512];

	folder_enter();
	snprintf(text, sizeof text, "participants:\n%s\n", effect->line);
	folder_write("skald.yaml", text);
	result = ASK(NULL, "serve", "-n");
	ck_assert_msg(result.exit_code == 0, "%s: %s", effect->name, result.errs.at);
	check_has(result.out, effect->says);
	/* What was printed is a settings file that says the same. */
	folder_write("again.yaml", result.out.at);
	check_has(ASK(NULL, "serve", "-n", "-c", "again.yaml").out, effect->says);
	folder_leave();
	arena_release(&arena);
}
END_TEST

START_TEST(test_none_are_printed_where_none_are_set)
{
	struct process_result result;

	folder_enter();
	folder_write("skald.yaml", "participants:\n");
	result = ASK(NULL, "serve", "-n");
	ck_assert_int_eq(result.exit_code, 0);
	ck_assert_ptr_null(strstr(result.out.at, "participants"));
	folder_leave();
	arena_release(&arena);
}
END_TEST

/* --- while sagas run ---------------------------------------------------------------- */

#define RESERVE(sku) "{\"sku\":\"" sku "\",\"qty\":1}"

static struct serving serving;
static struct background services;

static void open_all(const char *settings)
{
	folder_enter();
	ck_assert_int_eq(mkdir("sagas", 0700), 0);
	folder_write(
		"sagas/hold.yaml",
		"saga: hold\nversion: 1.0.0\nsteps:\n"
		"  - take: { call: inventory.reserve, with: =input, timeout: 1h, undo: { call: "
		"inventory.release } }\n");
	folder_write("skald.yaml", settings);
	serving_start(&serving, skald, NULL);
	services_start(&services, "data/bus.sock");
}

static void close_all(void)
{
	background_stop(&services, SIGKILL);
	ck_assert_int_eq(background_stop(&serving.process, SIGTERM), 0);
	folder_leave();
	arena_release(&arena);
}

/* Other settings, and what the server says of them. */
static struct slice read_again(const char *settings, const char *says)
{
	folder_write("skald.yaml", settings);
	folder_write("server.log", "");
	kill(serving.process.pid, SIGHUP);
	return background_until(&serving.process, says, &arena);
}

static void until_shown(const char *id, const char *part)
{
	for (int i = 0; i < 1000; i++) {
		if (strstr(ASK(&serving, "show", id, "--json").out.at, part))
			return;
	}
	ck_abort_msg("no `%s` of %s: %s", part, id, ASK(&serving, "show", id).out.at);
}

/* One at a time, and the first one is never answered. */
START_TEST(test_sighup_reads_the_limits_again)
{
	open_all("participants: { inventory: { window: 1 } }\n");
	ck_assert_int_eq(
		ASK(&serving, "start", "hold", "--id", "h-1", "--input", RESERVE("slow"))
			.exit_code,
		0);
	ck_assert_int_eq(
		ASK(&serving, "start", "hold", "--id", "h-2", "--input", RESERVE("book"))
			.exit_code,
		0);
	until_shown("h-2", "\"held\":{\"by\":\"window\",\"until\":null,\"text\":\"window of 1 "
			   "full\"}");
	check_has(ASK(&serving, "show", "h-2").out, "running, held: window of 1 full");
	check_has(ASK(&serving, "stats", "--json").out,
		  "\"held\":1,\"limited\":1,\"breaker\":null,\"limits\":{\"window\":1}");
	read_again("participants: { inventory: { window: 2, breaker: { failures: 3 } } }\n",
		   "event=limits-read participants=1");
	until_shown("h-2", "\"status\":\"completed\"");
	check_has(ASK(&serving, "stats", "--json").out,
		  "\"held\":0,\"limited\":0,\"breaker\":\"closed\",\"limits\":{\"window\":2,"
		  "\"failures\":3,\"pause_ms\":30000}");
	check_has(ASK(&serving, "stats").out, "closed");
	close_all();
}
END_TEST

START_TEST(test_limits_with_mistakes_change_nothing)
{
	struct slice log;

	open_all("participants: { inventory: { window: 7 } }\n");
	ASK(&serving, "start", "hold", "--wait", "--input", RESERVE("book"));
	log = read_again("participants:\n  inventory: { window: 0 }\n",
			 "event=limits-not-read");
	check_has(log, "skald.yaml:2:24: error: `window` is a number from 1 to 1000000");
	check_has(ASK(&serving, "stats", "--json").out, "\"limits\":{\"window\":7}");
	log = read_again("listen: 1\nlsten: 2\n", "event=limits-not-read");
	check_has(log, "skald.yaml:2:1: error: ");
	ck_assert_int_eq(unlink("skald.yaml"), 0);
	folder_write("server.log", "");
	kill(serving.process.pid, SIGHUP);
	background_until(&serving.process, "event=limits-read participants=0", &arena);
	check_has(ASK(&serving, "stats", "--json").out, "\"limits\":{}");
	close_all();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_mistakes, 0, ROWS(mistakes));
	tcase_add_test(tcase, test_more_participants_than_there_may_be);
	tcase_add_loop_test(tcase, test_what_is_in_effect_is_printed, 0, ROWS(effects));
	tcase_add_test(tcase, test_none_are_printed_where_none_are_set);
	tcase_add_test(tcase, test_sighup_reads_the_limits_again);
	tcase_add_test(tcase, test_limits_with_mistakes_change_nothing);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	return suite_run("serve_limits", add);
}

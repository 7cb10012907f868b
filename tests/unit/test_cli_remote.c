/* test_cli_remote.c - the commands that ask a server, run as a user runs them:
 * real processes, a real server, services at its bus. */
#include "base/json.h"
#include "tests/lib/console.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ORDER(no, more)                                                        \
	"{\"order_id\":\"" no "\",\"sku\":\"book\",\"qty\":1,\"total\":19.99," \
	"\"email\":\"ann@example.com\",\"card\":\"4111\"" more "}"

/* --- start ------------------------------------------------------------------------ */

START_TEST(test_a_start_prints_the_id)
{
	console_open();
	check(RUN("start", "order", "--id", "order-17", "--input", ORDER("17", "")), 0,
	      "order-17\n", NULL);
	check(RUN("start", "order", "--id", "order-18", "--json", "--input", ORDER("18", "")),
	      0,
	      "{\"id\":\"order-18\",\"saga\":\"order\",\"version\":\"1.0.0\",\"key\":\"18\","
	      "\"status\":\"running\",\"created\":true}\n",
	      NULL);
	console_close();
}
END_TEST

START_TEST(test_a_start_by_key_happens_once)
{
	struct process_result first, second;

	console_open();
	first = RUN("start", "order", "--input", ORDER("17", ""));
	second = RUN("start", "order", "--input", ORDER("17", ""));
	check(first, 0, NULL, NULL);
	ck_assert(slice_equal(first.out, second.out));
	check(RUN("start", "order", "--input", ORDER("17", ""), "--json"), 0,
	      "\"created\":false", NULL);
	check(RUN("start", "order", "--input", ORDER("17", ",\"decline\":true")), 7, NULL,
	      "with another input");
	check(RUN("start", "order", "--input", ORDER("19", ""), "--key", "mine", "--json"), 0,
	      "\"key\":\"mine\"", NULL);
	console_close();
}
END_TEST

START_TEST(test_wait_for_a_saga_that_completes)
{
	console_open();
	check(RUN("start", "order", "--id", "o-1", "--wait", "--input", ORDER("1", "")), 0,
	      "o-1\n", "o-1: completed after ");
	check(RUN("start", "order", "--id", "o-2", "-qw", "--input", ORDER("2", "")), 0,
	      "o-2\n", NULL);
	check(RUN("start", "order", "--id", "o-3", "-w", "--json", "--input", ORDER("3", "")),
	      0,
	      "{\"id\":\"o-3\",\"saga\":\"order\",\"version\":\"1.0.0\",\"key\":\"3\","
	      "\"status\":\"completed\",\"reason\":null,\"created\":true}\n",
	      NULL);
	/* One that has ended is not waited for. */
	check(RUN("start", "order", "--id", "o-1", "--wait", "--input", ORDER("1", "")), 0,
	      "o-1\n", NULL);
	console_close();
}
END_TEST

START_TEST(test_wait_for_a_saga_that_does_not_complete)
{
	console_open();
	check(RUN("start", "order", "--id", "o-1", "--wait", "--input",
		  ORDER("1", ",\"decline\":true")),
	      3, "o-1\n", "o-1 is compensated: ");
	check(RUN("start", "order", "--id", "o-2", "--wait", "--input",
		  "{\"order_id\":\"2\",\"sku\":\"lost\",\"qty\":1,\"total\":1,\"email\":\"a@b."
		  "c\","
		  "\"card\":\"1\"}"),
	      3, "o-2\n", "o-2 is parked");
	check(RUN("start", "order", "--id", "o-3", "-w", "--json", "--input",
		  ORDER("3", ",\"decline\":true")),
	      3, "\"status\":\"compensated\",\"reason\":\"", NULL);
	console_close();
}
END_TEST

START_TEST(test_wait_no_longer_than_this)
{
	console_open();
	check(RUN("start", "order", "--id", "o-1", "--wait", "--timeout", "300ms", "--input",
		  "{\"order_id\":\"2\",\"sku\":\"slow\",\"qty\":1,\"total\":1,\"email\":\"a@b."
		  "c\","
		  "\"card\":\"1\"}"),
	      8, "o-1\n", "o-1 is still running; it goes on");
	console_close();
}
END_TEST

START_TEST(test_waiting_outlives_the_server)
{
	struct process_setup setup = {.argv = {console.skald, "start", "visit", "--id", "v-1",
					       "--wait", "--timeout", "30s"}};
	struct background waiting;

	console_open();
	setup.env[0] = console.serving.env;
	background_start(&waiting, &setup, "wait.log");
	until_status("v-1", "running");
	background_stop(&console.serving.process, SIGKILL);
	serving_again(&console.serving, console.skald);
	check(RUN("signal", "v-1", "talked"), 0, NULL, NULL);
	ck_assert_int_eq(background_wait(&waiting), 0);
	console_close();
}
END_TEST

START_TEST(test_where_an_input_comes_from)
{
	console_open();
	folder_write("order.json", ORDER("1", "\n"));
	folder_write("bad.json", "{\n  \"sku\": book }\n");
	check(RUN("start", "order", "--input", "@order.json", "--json"), 0, "\"key\":\"1\"",
	      NULL);
	check(RUN_WITH(ORDER("2", ""), "start", "order", "--input", "-", "--json"), 0,
	      "\"key\":\"2\"", NULL);
	check(RUN("start", "order", "--input", "@none.json"), 1, NULL,
	      "none.json: cannot open");
	check(RUN("start", "order", "--input", "@bad.json"), 1, NULL, "bad.json:2:10: ");
	check(RUN("start", "order", "--input", "{sku}"), 2, NULL, "--input is no JSON: 1:2: ");
	check(RUN("start", "visit"), 0, NULL, NULL); /* {} */
	console_close();
}
END_TEST

START_TEST(test_an_input_that_the_definition_refuses)
{
	console_open();
	check(RUN("start", "order", "--input", "{}"), 1, NULL, "input.");
	check(RUN("start", "oder"), 4, NULL, "no saga is called oder");
	check(RUN("start", "order", "--version", "9.9.9", "--input", ORDER("1", "")), 4, NULL,
	      "9.9.9");
	check(RUN("start", "order", "--id", "a/b", "--input", ORDER("1", "")), 1, NULL, "id");
	console_close();
}
END_TEST

START_TEST(test_a_saga_for_every_line)
{
	struct process_result result;

	console_open();
	folder_write("orders.jsonl", ORDER("1", "") "\n\n" ORDER("2", "") "\n" ORDER("3", ""));
	result = RUN("start", "order", "--input-lines", "orders.jsonl", "--json");
	check(result, 0, "\"key\":\"1\"", NULL);
	ck_assert(strstr(result.out.at, "\"key\":\"1\"") <
		  strstr(result.out.at, "\"key\":\"2\""));
	ck_assert(strstr(result.out.at, "\"key\":\"2\"") <
		  strstr(result.out.at, "\"key\":\"3\""));
	folder_write("bad.jsonl", ORDER("4", "") "\n{sku}\n{\"sku\":1}\n" ORDER("5", "") "\n");
	result = RUN("start", "order", "--input-lines", "bad.jsonl", "--json");
	check(result, 1, "\"key\":\"5\"", "bad.jsonl:2:2: ");
	check(result, 1, "\"key\":\"4\"", "bad.jsonl:3: input.");
	check(result, 1, NULL, "2 of 4 lines started no saga");
	check(RUN_WITH(ORDER("6", "") "\n", "start", "order", "--input-lines", "-"), 0, NULL,
	      NULL);
	console_close();
}
END_TEST

START_TEST(test_many_lines)
{
	enum { N = 2500 };
	struct bytes lines = BYTES(SIZE_MAX / 2, &console.arena);
	struct process_result result;
	size_t n = 0;

	console_open();
	for (int i = 0; i < N; i++)
		bytes_format(&lines, "{\"n\":%d}\n", i);
	bytes_add(&lines, '\0');
	folder_write("many.jsonl", lines.at);
	result = RUN("start", "visit", "--input-lines", "many.jsonl");
	check(result, 0, NULL, NULL);
	for (size_t i = 0; i < result.out.len; i++)
		n += result.out.at[i] == '\n';
	ck_assert_uint_eq(n, N);
	result = RUN("ls", "--saga", "visit", "--json"); /* more than a page */
	n = 0;
	for (size_t i = 0; i < result.out.len; i++)
		n += result.out.at[i] == '\n';
	ck_assert_uint_eq(n, N);
	console_close();
}
END_TEST

/* --- looking ---------------------------------------------------------------------- */

START_TEST(test_ls)
{
	struct process_result result;

	console_open();
	check(RUN("ls"), 0, NULL, "no sagas are there");
	RUN("start", "order", "--id", "o-1", "-w", "--input", ORDER("1", ""));
	RUN("start", "order", "--id", "o-2", "-w", "--input", ORDER("2", ",\"decline\":true"));
	RUN("start", "visit", "--id", "v-1");
	result = RUN("ls");
	check(result, 0, "ID   SAGA   STATUS", NULL);
	check(result, 0, "o-2  order  compensated", NULL);
	ck_assert_ptr_null(strstr(result.out.at, "\033["));
	check(RUN("ls", "--status", "completed", "-q"), 0, "o-1  order  completed", NULL);
	check(RUN("ls", "--status", "completed,running", "--json"), 0, "\"id\":\"v-1\"", NULL);
	check(RUN("ls", "--status", "completed", "--status", "running", "--json"), 0,
	      "\"id\":\"o-1\"", NULL);
	check(RUN("ls", "--saga", "visit", "--limit", "1", "--json"), 0, "{\"id\":\"v-1\",",
	      NULL);
	check(RUN("ls", "--key", "2", "--json"), 0, "{\"id\":\"o-2\",", NULL);
	check(RUN("ls", "--since", "1h", "--older", "1h"), 0, NULL, "no sagas fit");
	check(RUN_AT("ls"), 0, "\033[", NULL);
	console_close();
}
END_TEST

START_TEST(test_show)
{
	struct process_result result;

	console_open();
	RUN("start", "order", "--id", "o-2", "-w", "--input", ORDER("2", ",\"decline\":true"));
	result = RUN("show", "o-2");
	check(result, 0, "o-2  compensated after ", NULL);
	check(result, 0, "reason    ", NULL);
	check(result, 0, "\"card\":\"***\"", NULL);
	check(result, 0, "\xe2\x97\x86 charge  payment.charge  refused: card_declined\n", NULL);
	check(result, 0, "\xe2\x97\x8f reserve  inventory.reserve  undone\n", NULL);
	check(result, 0, "  +0.0", NULL);
	check(result, 0, "charge: do answered refused (attempt 1): card_declined", NULL);
	check(result, 0, "the saga ended: compensated\n", NULL);
	result = RUN("show", "o-2", "--json");
	check(result, 0, "{\"id\":\"o-2\",\"saga\":\"order\"", NULL);
	check(result, 0, "\"state\":\"undone\"", NULL);
	check(RUN("show", "o-9"), 4, NULL, "there is no saga `o-9`");
	check(RUN("show"), 2, NULL, "give the ID of one saga");
	check(RUN("show", "../definitions"), 4, NULL, NULL);
	console_close();
}
END_TEST

START_TEST(test_show_tells_what_to_do)
{
	console_open();
	RUN("start", "order", "--id", "o-1", "-w", "--input",
	    "{\"order_id\":\"2\",\"sku\":\"lost\",\"qty\":1,\"total\":1,\"email\":\"a@b.c\","
	    "\"card\":\"1\"}");
	check(RUN("show", "o-1"), 0, "confirm waits for a person: `skald retry o-1 confirm`",
	      NULL);
	check(RUN("retry", "o-1", "confirm", "--reason", "found it"), 0, "o-1 running\n", NULL);
	until_status("o-1", "completed");
	check(RUN("show", "o-1"), 0, "operation by ann: retry", NULL);
	console_close();
}
END_TEST

START_TEST(test_watch_one)
{
	struct process_result result;

	console_open();
	RUN("start", "order", "--id", "o-1", "--input", ORDER("1", ""));
	result = RUN("watch", "o-1");
	check(result, 0, "the saga starts by ann\n", NULL);
	check(result, 0, "notify: do answered ok (attempt 1)\n", NULL);
	check(result, 0, "the saga ended: completed\n", NULL);
	check(RUN("watch", "o-1", "--json"), 0, "\"entries\":[{\"at\":\"", NULL);
	check(RUN_AT("watch", "o-1"), 0, "\033[H\033[2J", NULL);
	check(RUN("watch", "o-9"), 4, NULL, "there is no saga `o-9`");
	check(RUN("watch", "o-1", "--saga", "order"), 2, NULL, "not both");
	console_close();
}
END_TEST

static size_t count_of(struct slice text, const char *part)
{
	size_t n = 0;

	for (const char *at = text.at; (at = strstr(at, part)) != NULL; at++)
		n++;
	return n;
}

/* Until the file holds the text. */
static struct slice until_file(const char *name, const char *part)
{
	for (int i = 0; i < 1000; i++) {
		struct slice text = folder_read(name, &console.arena);

		if (strstr(text.at, part))
			return text;
		RUN("--version"); /* a little later */
	}
	ck_abort_msg("no `%s` in %s", part, name);
	return (struct slice){0};
}

START_TEST(test_watching_outlives_the_server)
{
	struct process_setup setup = {.argv = {"/bin/sh", "-c"}};
	struct background watching;
	struct slice text;
	char command[8192];

	console_open();
	RUN("start", "visit", "--id", "v-1");
	until_status("v-1", "running");
	folder_write("out.txt", "");
	snprintf(command, sizeof command, "exec '%s' watch v-1 >out.txt", console.skald);
	setup.argv[2] = command;
	setup.env[0] = console.serving.env;
	background_start(&watching, &setup, "watch.log");
	until_file("out.txt", "talk: awaits talked\n");
	background_stop(&console.serving.process, SIGKILL);
	serving_again(&console.serving, console.skald);
	check(RUN("signal", "v-1", "talked"), 0, NULL, NULL);
	ck_assert_int_eq(background_wait(&watching), 0);
	text = until_file("out.txt", "the saga ended: completed\n");
	ck_assert_uint_eq(count_of(text, "the saga starts"), 1); /* told once */
	console_close();
}
END_TEST

/* One saga began, and ended, and so did its command to payment. */
static void check_paces(struct slice stats)
{
	struct json json, participants, of[2];
	struct arena arena = {0};

	ck_assert_int_eq(json_parse(stats, SIZE_MAX / 4, &arena, &json, NULL), OK);
	ck_assert(json_get(json, SLICE_LITERAL("pace"), &of[0]));
	ck_assert(json_get(json, SLICE_LITERAL("participants"), &participants));
	ck_assert(json_get(participants, SLICE_LITERAL("payment"), &of[1]));
	for (int i = 0; i < 2; i++) {
		static const char *const rates[2][2] = {{"started_per_s", "ended_per_s"},
							{"sent_per_s", "answered_per_s"}};
		struct json value;

		for (int k = 0; k < 2; k++) {
			ck_assert(json_get(of[i], slice_of(rates[i][k]), &value));
			ck_assert_msg(strtod(value.text.at, NULL) > 0, "%s", stats.at);
		}
		ck_assert(json_get(of[i], SLICE_LITERAL("p99_ms"), &value));
		ck_assert_msg(json_type(value) == JSON_NUMBER, "%s", stats.at);
	}
	arena_release(&arena);
}

START_TEST(test_stats)
{
	struct process_result result;

	console_open();
	RUN("start", "order", "--id", "o-1", "-w", "--input", ORDER("1", ""));
	result = RUN("stats");
	check(result, 0, "completed     1\n", NULL);
	check(result, 0, "payment       1 ", NULL);
	check(RUN("stats", "--json"), 0,
	      "{\"sagas\":{\"running\":0,\"compensating\":0,\"completed\":1,\"compensated\":0,"
	      "\"parked\":0,\"killed\":0},\"participants\":{",
	      NULL);
	check_paces(RUN("stats", "--json").out);
	check(result, 0, "\nstarted ", NULL);
	check(result, 0, "BREAKER  SENT/S  P50", NULL);
	console_close();
}
END_TEST

START_TEST(test_top)
{
	struct process_result result;

	console_open();
	RUN("start", "order", "--id", "o-1", "-w", "--input", ORDER("1", ""));
	RUN("start", "order", "--id", "o-2", "-w", "--input",
	    "{\"order_id\":\"2\",\"sku\":\"lost\",\"qty\":1,\"total\":1,\"email\":\"a@b.c\","
	    "\"card\":\"1\"}");
	RUN("start", "visit", "--id", "v-1");
	result = RUN("top", "--count", "1");
	check(result, 0, "completed 1  compensated 0  parked 1  killed 0  \n", NULL);
	check(result, 0, "\npayment ", NULL);
	check(result, 0, "\no-2  order  parked ", NULL);
	check(result, 0, "\nv-1  visit  running", NULL);
	ck_assert_ptr_null(strstr(result.out.at, "a second: "));
	result = RUN("top", "--count", "2", "--json");
	check(result, 0, "\"started_per_s\":null,", NULL);
	check(result, 0, "\"started_per_s\":0.0,\"ended_per_s\":0.0,", NULL);
	check(result, 0, "\"parked\":[{\"id\":\"o-2\"", NULL);
	ck_assert_uint_eq(count_of(result.out, "{\"at\":"), 2);
	check(RUN_AT("top", "-c", "1"), 0, "\033[H\033[2J", NULL);
	console_close();
}
END_TEST

/* --- helping ---------------------------------------------------------------------- */

START_TEST(test_operations)
{
	console_open();
	RUN("start", "visit", "--id", "v-1");
	RUN("start", "visit", "--id", "v-2");
	RUN("start", "order", "--id", "o-1", "-w", "--input", ORDER("1", ""));
	check(RUN("pause", "v-1", "v-2"), 0, "v-1 running\nv-2 running\n", NULL);
	check(RUN("ls", "--key", "v-1"), 0, "paused", NULL);
	check(RUN("resume", "v-1", "--json"), 0, "{\"id\":\"v-1\",", NULL);
	check(RUN("cancel", "v-1", "o-1", "nobody"), 7, NULL, "o-1: ");
	check(RUN("cancel", "nobody", "o-1"), 4, NULL, "nobody: there is no saga");
	until_status("v-1", "compensated");
	check(RUN("undo", "o-1"), 7, NULL, NULL);
	check(RUN("kill", "v-2"), 2, NULL, "say why with --reason");
	check(RUN("kill", "v-2", "--reason", "gone"), 0, "v-2 killed\n", NULL);
	check(RUN("skip", "v-2"), 2, NULL, "and the STEP to skip");
	check(RUN("skip", "o-1", "notify"), 7, NULL, NULL);
	check(RUN("retry", "o-1", "nothing"), 4, NULL, "no step");
	check(RUN("cancel"), 2, NULL, "give the ID of a saga, or a filter");
	console_close();
}
END_TEST

START_TEST(test_skip_with_an_output)
{
	console_open();
	RUN("start", "order", "--id", "o-1", "-w", "--input",
	    "{\"order_id\":\"2\",\"sku\":\"lost\",\"qty\":1,\"total\":1,\"email\":\"a@b.c\","
	    "\"card\":\"1\"}");
	check(RUN("skip", "o-1", "confirm", "--output", "{\"by\":"), 2, NULL,
	      "--output is no JSON");
	check(RUN("skip", "o-1", "confirm", "--output", "{\"by\":\"hand\"}", "-q"), 0, "",
	      NULL);
	until_status("o-1", "completed");
	check(RUN("show", "o-1", "--json"), 0, "\"output\":{\"by\":\"hand\"}", NULL);
	console_close();
}
END_TEST

static size_t count_running(void)
{
	return count_of(RUN("ls", "--saga", "visit", "--status", "running", "--json").out,
			"\"id\":");
}

START_TEST(test_operations_by_filter)
{
	struct process_result result;

	console_open();
	for (int i = 0; i < 3; i++)
		RUN("start", "visit");
	check(RUN("cancel", "--saga", "visit"), 1, NULL,
	      "3 sagas fit; say --yes to cancel them");
	check(RUN("cancel", "--saga", "visit", "v-1"), 2, NULL, "IDs or a filter");
	check(RUN("cancel", "--saga", "order", "--yes"), 0, NULL, "no sagas fit");
	check(RUN("cancel", "v-1", "--dry-run"), 2, NULL, "go with a filter");
	result = RUN("cancel", "--saga", "visit", "--dry-run");
	check(result, 0, " running\n", "3 sagas fit; nothing was done");
	check(RUN("cancel", "--saga", "visit", "--dry-run", "--json", "--limit", "1"), 0,
	      "{\"id\":", "1 saga fits; nothing was done");
	ck_assert_uint_eq(count_running(), 3);
	check(RUN("pause", "--saga", "visit", "--yes", "--limit", "2"), 0, " running\n",
	      "pause: 2 done, 0 refused, 0 failed\n");
	check(RUN("cancel", "--saga", "visit", "--yes", "-r", "all of them"), 0,
	      " compensating\n", "cancel: 3 done, 0 refused, 0 failed\n");
	ck_assert_uint_eq(count_running(), 0);
	/* It is safe to do it again. */
	check(RUN("cancel", "--saga", "visit", "--status", "compensating", "--yes"), 0,
	      " compensating\n", NULL);
	console_close();
}
END_TEST

/* Every saga has its line, and the first failure is what the command exits with. */
START_TEST(test_operations_that_some_refuse)
{
	struct process_result result;

	console_open();
	RUN("start", "order", "--id", "o-1", "-w", "--input", ORDER("1", ""));
	RUN("start", "visit", "--id", "v-1");
	result = RUN("cancel", "--since", "1h", "--yes", "--json");
	check(result, 7, "{\"id\":\"v-1\",\"saga\":\"visit\"",
	      "cancel: 1 done, 1 refused, 0 failed\n");
	check(result, 7, "{\"id\":\"o-1\",\"code\":\"refused\",\"detail\":\"the saga has ended",
	      "o-1: the saga has ended");
	check(RUN("kill", "--saga", "visit", "--yes"), 2, NULL, "say why with --reason");
	console_close();
}
END_TEST

/* On a terminal it asks. */
static struct process_result cancel_and_type(const char *typed)
{
	const struct process_setup setup = {
		.argv = {console.skald, "cancel", "--saga", "visit"},
		.env = {console.serving.env, "TERM=xterm"},
		.terminal = true,
		.typed = typed};

	return process_run(&setup, &console.arena);
}

START_TEST(test_operations_ask)
{
	console_open();
	RUN("start", "visit", "--id", "v-1");
	check(cancel_and_type("n\n"), 1, "  v-1\ncancel 1 saga? [y/N] ", NULL);
	check(cancel_and_type("\n"), 1, "nothing was done", NULL);
	ck_assert_uint_eq(count_running(), 1);
	check(cancel_and_type("y\n"), 0, "v-1 compensating\n", NULL);
	ck_assert_uint_eq(count_running(), 0);
	console_close();
}
END_TEST

START_TEST(test_signals)
{
	console_open();
	RUN("start", "visit", "--id", "v-1");
	check(RUN("signal", "v-1", "talked", "--payload", "{\"who\":\"ann\"}", "--id", "s1"), 0,
	      "v-1 ", NULL);
	until_status("v-1", "completed");
	check(RUN("signal", "nobody", "talked"), 4, NULL, "there is no saga");
	check(RUN("signal", "v-1", "Talked"), 1, NULL, "name of an event");
	check(RUN("signal", "v-1"), 2, NULL, "EVENT");
	check(RUN("signal", "v-1", "talked", "--payload", "{"), 2, NULL,
	      "--payload is no JSON");
	console_close();
}
END_TEST

/* --- definitions ------------------------------------------------------------------ */

#define LEAST(version, step)                                                         \
	"saga: least\nversion: " version "\ninput: { schema: schemas/least.json }\n" \
	"steps: [ { " step ": { kind: readonly, call: a.b } } ]\n"

START_TEST(test_deploy)
{
	console_open();
	folder_write("sagas/schemas/least.json", "{\"type\":\"object\"}");
	folder_write("sagas/least.yaml", LEAST("1.0.0", "a"));
	check(RUN("deploy", "sagas/least.yaml"), 0, "sagas/least.yaml: least 1.0.0 deployed\n",
	      NULL);
	check(RUN("deploy", "sagas/least.yaml"), 0, "least 1.0.0 was there already\n", NULL);
	folder_write("sagas/least.yaml", LEAST("1.0.0", "b"));
	check(RUN("deploy", "sagas/least.yaml"), 7, NULL, "a version never changes");
	folder_write("sagas/least.yaml", LEAST("1.1.0", "b"));
	check(RUN("deploy", "sagas/least.yaml", "--json"), 0, "\"created\":true}\n", NULL);
	folder_write("sagas/bad.yaml", "saga: bad\n");
	check(RUN("deploy", "sagas/bad.yaml", "sagas/least.yaml"), 1, "was there already",
	      "sagas/bad.yaml:1:1: error: ");
	check(RUN("deploy"), 2, NULL, "FILE");
	check(RUN("definitions"), 0, "least  1.1.0    *", NULL);
	check(RUN("definitions", "--json"), 0,
	      "{\"saga\":\"least\",\"version\":\"1.0.0\",\"hash\":\"", NULL);
	console_close();
}
END_TEST

START_TEST(test_diff)
{
	struct process_result result;

	console_open();
	folder_write("old.yaml",
		     "saga: visit\nversion: 1.0.0\nsteps:\n"
		     "  - talk: { await: { event: talked, timeout: 1h, then: compensate } }\n");
	folder_write(
		"sagas/tour.yaml",
		"saga: tour\nversion: 1.0.0\nsteps:\n"
		"  - stops:\n      each: { in: \"=input.stops\", as: stop, max: 9, steps: [\n"
		"        { hold: { call: inventory.reserve, with: =stop, undo: { call: "
		"inventory.release } } } ] }\n"
		"  - meet: { saga: visit, with: { sku: tea, qty: 1 } }\n");
	folder_write("new.yaml",
		     "saga: visit\nversion: 1.1.0\nsteps:\n"
		     "  - talk: { await: { event: talked, timeout: 2h, then: compensate } }\n");
	RUN("start", "visit", "--id", "v-1");
	result = RUN("diff", "visit", "new.yaml");
	check(result, 0, "A: visit 1.0.0, B: visit 1.1.0\n", NULL);
	check(result, 0, "  talk  await.timeout: 1h -> 2h\n", NULL);
	check(result, 0, "  hold  removed: first\n", NULL);
	check(result, 0, "  1 of 1.0.0, 0 of 1.1.0, 0 of other versions\n", NULL);
	check(result, 0, "  after hold: B has no such place\n", NULL);
	check(result, 0, "    a cancel would undo by B: nothing\n", NULL);
	check(RUN("diff", "visit@1.0.0", "visit", "--json"), 0,
	      "\"changes\":[],\"states\":[{\"after\":\"hold\",\"differs\":false,", NULL);
	check(RUN("diff", "old.yaml", "none.yaml"), 1, NULL,
	      "none.yaml: error: there is no such file");
	check(RUN("diff", "old.yaml", "new.yaml", "--json"), 0, "\"in_flight\":null}\n", NULL);
	check(RUN("diff", "old.yaml", "visit", "--json"), 0,
	      "\"in_flight\":{\"a\":1,\"b\":0,\"other\":0}}\n", NULL);
	check(RUN("diff", "visit@9.9.9", "visit"), 4, NULL,
	      "the server has no such definition");
	check(RUN("diff", "./none.yaml", "new.yaml"), 1, NULL, "none.yaml");
	check(RUN("diff", "visit"), 2, NULL, "give two definitions");
	console_close();
}
END_TEST

/* --- a server that is none -------------------------------------------------------- */

/* Answers the first connection with these bytes, and every later one with those. */
static pid_t start_liar(const char *first, const char *later, char url[64])
{
	const char *bytes = first;
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid;

	ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
		  listen(fd, 5) == 0 && getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	snprintf(url, 64, "http://127.0.0.1:%d", ntohs(at.sin_port));
	pid = fork();
	while (pid == 0) {
		char request[4096];
		int client = accept(fd, NULL, NULL);

		if (client >= 0 && read(client, request, sizeof request) > 0 &&
		    write(client, bytes, strlen(bytes)) > 0)
			shutdown(client, SHUT_WR);
		close(client);
		bytes = later;
	}
	close(fd);
	return pid;
}

#define HTTP(status, type, body) "HTTP/1.0 " status " X\r\nContent-Type: " type "\r\n\r\n" body

static const struct liar_row {
	const char *name;
	const char *bytes;
	int exit_code;
	const char *errs;
} liar_rows[] = {
	{"one that wants a token",
	 HTTP("401", "application/problem+json",
	      "{\"code\":\"no-token\",\"detail\":\"show a token\"}"),
	 6, "skald ls: show a token\n"},
	{"one that does not allow it",
	 HTTP("403", "application/problem+json", "{\"detail\":\"not you\"}"), 6, "not you"},
	{"another server that has no such page", HTTP("404", "text/html", "<h1>no</h1>"), 1,
	 "is --server right?"},
	{"another server that says yes", HTTP("200", "text/html", "<h1>yes</h1>"), 1,
	 "is no JSON; is --server right?"},
	{"one that is busy",
	 HTTP("503", "application/problem+json", "{\"detail\":\"busy, later\"}"), 1,
	 "busy, later"},
	{"one that speaks something else", "SSH-2.0-OpenSSH\r\n", 5, "cannot be reached"},
};

START_TEST(test_liar)
{
	const struct liar_row *row = &liar_rows[_i];
	struct process_result result;
	char url[64];
	pid_t pid = start_liar(row->bytes, row->bytes, url);
	struct background liar = {pid, NULL};

	result = RUN("ls", "--server", url);
	ck_assert_msg(result.exit_code == row->exit_code && strstr(result.errs.at, row->errs),
		      "%s: exit %d: %s", row->name, result.exit_code, result.errs.at);
	background_stop(&liar, SIGKILL);
	arena_release(&console.arena);
}
END_TEST

/* --- backup ----------------------------------------------------------------------- */

/* The copy is a store as any other, and the server goes on meanwhile. */
START_TEST(test_backup)
{
	static const char *const memory[] = {"--store", "memory", NULL};
	struct stat stat_of;

	console_open();
	check(RUN("start", "order", "--id", "o-1", "--wait", "--input", ORDER("1", "")), 0,
	      NULL, NULL);
	check(RUN("backup", "copy.db"), 0, "copy.db: ", NULL);
	ck_assert_int_eq(stat("copy.db", &stat_of), 0);
	ck_assert_int_eq(stat_of.st_mode & 0777, 0600);
	check(RUN("backup", "copy.db"), 1, NULL, "copy.db is there already; use another name");
	check(RUN("start", "visit", "--id", "v-1"), 0, NULL, NULL);
	ck_assert_int_eq(mkdir("restored", 0700), 0);
	check(RUN("backup", "restored/skald.db", "--json"), 0,
	      "{\"file\":\"restored/skald.db\",\"bytes\":", NULL);
	ck_assert_int_eq(background_stop(&console.serving.process, SIGTERM), 0);
	check(RUN("backup", "third.db", "--data", "restored"), 0, "third.db: ", NULL);
	check(RUN("backup", "fourth.db", "--data", "nowhere"), 1, NULL,
	      "there is no file nowhere/skald.db");
	ck_assert_int_eq(rename("restored/skald.db", "data/skald.db"), 0);
	unlink("data/skald.db-wal");
	unlink("data/skald.db-shm");
	serving_again(&console.serving, console.skald);
	check(RUN("show", "o-1"), 0, "completed", NULL);
	check(RUN("show", "v-1"), 0, "running", NULL);
	ck_assert_int_eq(background_stop(&console.serving.process, SIGTERM), 0);
	serving_start(&console.serving, console.skald, memory);
	check(RUN("backup", "none.db"), 1, NULL, "the server keeps its sagas in no file");
	check(RUN("backup"), 2, NULL, "FILE");
	console_close();
}
END_TEST

/* A file of that name that is not the server's. */
START_TEST(test_backup_on_another_machine)
{
	char url[64];
	struct background other = {
		start_liar(HTTP("200", "application/json",
				"{\"store_file\":{\"path\":\"/etc/passwd\",\"inode\":0}}"),
			   "", url),
		NULL};

	check(RUN("backup", "copy.db", "--server", url), 1, NULL,
	      "the file of the server, /etc/passwd, is not on this machine");
	background_stop(&other, SIGKILL);
	arena_release(&console.arena);
}
END_TEST

/* Whoever helps many sagas is not sent away because others want to start more. */
START_TEST(test_an_operation_waits_for_a_busy_server)
{
	char url[64];
	struct background busy = {
		start_liar(HTTP("503", "application/problem+json",
				"{\"code\":\"busy\",\"detail\":\"busy, later\"}"),
			   HTTP("200", "application/json",
				"{\"id\":\"o-1\",\"status\":\"compensating\"}"),
			   url),
		NULL};

	check(RUN("cancel", "o-1", "--server", url), 0, "o-1 compensating\n", NULL);
	background_stop(&busy, SIGKILL);
	arena_release(&console.arena);
}
END_TEST

START_TEST(test_no_server)
{
	static const char *const commands[][4] = {
		{"ls"},
		{"show", "o-1"},
		{"start", "order"},
		{"watch", "o-1"},
		{"cancel", "o-1", "o-2"},
		{"stats"},
		{"explain", "o-1"},
		{"top"},
		{"undo-plan", "o-1"},
		{"watch"},
		{"signal", "o-1", "done"},
		{"definitions"},
		{"backup", "copy.db"},
	};
	struct process_setup setup = {.argv = {console.skald}};
	char url[64], text[128];
	struct background liar = {start_liar("", "", url), NULL};

	/* A port at which nobody listens any more. */
	background_stop(&liar, SIGKILL);
	snprintf(text, sizeof text, "the server at %s cannot be reached (", url);
	snprintf(console.serving.env, sizeof console.serving.env, "SKALD_SERVER=%s", url);
	setup.env[0] = console.serving.env;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		struct process_result result;

		memcpy(&setup.argv[1], commands[i], sizeof commands[i]);
		result = process_run(&setup, &console.arena);
		check(result, 5, NULL, text);
		check(result, 5, NULL, "is `skald serve` running there?");
	}
	arena_release(&console.arena);
}
END_TEST

START_TEST(test_wrong_usage)
{
	check(RUN("start"), 2, NULL, "NAME");
	check(RUN("start", "order", "--timeout", "1s"), 2, NULL, "--timeout needs --wait");
	check(RUN("start", "order", "--input-lines", "x", "--key", "1"), 2, NULL,
	      "--key is about one saga");
	check(RUN("ls", "--server", "ftp://x"), 2, NULL, "write a URL");
	check(RUN("ls", "--limit", "0"), 2, NULL, "--limit");
	check(RUN("ls", "--status", "finished"), 2, NULL, "there is no status `finished`");
	check(RUN("ls", "--status", "running,parkd"), 2, NULL, "did you mean `parked`?");
	check(RUN("ls", "--since", "soon"), 2, NULL, "--since: \"soon\" is neither");
	check(RUN("reconcile", "--since", "soon"), 2, NULL, "--since: \"soon\" is neither");
	check(RUN("cancel", "--status", "x", "--yes"), 2, NULL, "there is no status `x`");
	check(RUN("pause", "--older", "1w", "--yes"), 2, NULL, "--older: \"1w\" is neither");
	check(RUN("ls", "--since", "2025-03-01T09:30:00Z", "--server", "ftp://x"), 2, NULL,
	      "write a URL");
	check(RUN("ls", "order-1"), 2, NULL, "takes no arguments");
	check(RUN("retry", "a", "b", "c"), 2, NULL, "at most one STEP");
	arena_release(&console.arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_start_prints_the_id);
	tcase_add_test(tcase, test_a_start_by_key_happens_once);
	tcase_add_test(tcase, test_wait_for_a_saga_that_completes);
	tcase_add_test(tcase, test_wait_for_a_saga_that_does_not_complete);
	tcase_add_test(tcase, test_wait_no_longer_than_this);
	tcase_add_test(tcase, test_waiting_outlives_the_server);
	tcase_add_test(tcase, test_where_an_input_comes_from);
	tcase_add_test(tcase, test_an_input_that_the_definition_refuses);
	tcase_add_test(tcase, test_a_saga_for_every_line);
	tcase_add_test(tcase, test_many_lines);
	tcase_add_test(tcase, test_ls);
	tcase_add_test(tcase, test_show);
	tcase_add_test(tcase, test_show_tells_what_to_do);
	tcase_add_test(tcase, test_watch_one);
	tcase_add_test(tcase, test_watching_outlives_the_server);
	tcase_add_test(tcase, test_stats);
	tcase_add_test(tcase, test_top);
	tcase_add_test(tcase, test_operations);
	tcase_add_test(tcase, test_skip_with_an_output);
	tcase_add_test(tcase, test_operations_by_filter);
	tcase_add_test(tcase, test_operations_that_some_refuse);
	tcase_add_test(tcase, test_operations_ask);
	tcase_add_test(tcase, test_signals);
	tcase_add_test(tcase, test_deploy);
	tcase_add_test(tcase, test_diff);
	tcase_add_loop_test(tcase, test_liar, 0, ROWS(liar_rows));
	tcase_add_test(tcase, test_backup);
	tcase_add_test(tcase, test_backup_on_another_machine);
	tcase_add_test(tcase, test_an_operation_waits_for_a_busy_server);
	tcase_add_test(tcase, test_no_server);
	tcase_add_test(tcase, test_wrong_usage);
}

int main(int argc, char **argv)
{
	if (!console_find(argv[0]))
		return EXIT_FAILURE;
	return suite_run("cli_remote", add);
}

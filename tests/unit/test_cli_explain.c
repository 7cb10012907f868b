/* test_cli_explain.c - skald explain and undo-plan, as a user runs them: what they say,
 * and that the commands that they give can be pasted. */
#include "base/json.h"
#include "tests/lib/console.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define ORDER                                                             \
	"{\"order_id\":\"1\",\"sku\":\"book\",\"qty\":1,\"total\":19.99," \
	"\"email\":\"ann@example.com\",\"card\":\"4111\"}"

START_TEST(test_explain)
{
	struct process_result result;

	console_open();
	RUN("start", "order", "--id", "o-1", "-w", "--input",
	    "{\"order_id\":\"2\",\"sku\":\"lost\",\"qty\":1,\"total\":1,\"email\":\"a@b.c\","
	    "\"card\":\"4111\"}");
	result = RUN("explain", "o-1");
	check(result, 0, "o-1  parked\n", NULL);
	check(result, 0, "retry in a new round", NULL);
	check(result, 0, "the saga's deadline passed\n", NULL);
	check(result, 0, "\n  skald retry o-1 confirm\n      asks anew, in a new round", NULL);
	check(result, 0, "\nno return  the saga", NULL);
	ck_assert_ptr_null(strstr(result.out.at, "skald cancel"));
	check(RUN("explain", "o-1", "--json"), 0, "{\"id\":\"o-1\",", NULL);
	RUN("start", "visit", "--id", "v-1");
	until_step("v-1", "talk");
	result = RUN("explain", "v-1");
	check(result, 0, "\n  skald signal v-1 talked\n", NULL);
	check(result, 0, "talked did not come in time\n", NULL);
	check(RUN("explain", "nobody"), 4, NULL, "there is no saga `nobody`");
	check(RUN("explain"), 2, NULL, "give the ID of one saga");
	console_close();
}
END_TEST

/* --- what explain says can be pasted ------------------------------------------------ */

/* As a shell runs it, with the program in its path. */
static struct process_result paste(struct slice command)
{
	char line[512], path[4200];
	struct process_setup setup = {.argv = {"/bin/sh", "-c", line},
				      .env = {console.serving.env, "USER=ann", path}};

	snprintf(line, sizeof line, "%.*s", SLICE_ARG(command));
	snprintf(path, sizeof path, "PATH=%.*s:/usr/bin:/bin",
		 (int)(strrchr(console.skald, '/') - console.skald), console.skald);
	return process_run(&setup, &console.arena);
}

/* The text of a member of the nth element of a list of what explain says; empty: there
 * is none. */
static struct slice explained(const char *id, const char *list, size_t n, const char *name)
{
	struct json json, elements, member;
	struct slice text = {0};
	struct json_each each;

	ck_assert_int_eq(json_parse(slice_of(RUN("explain", id, "--json").out.at), SIZE_MAX / 2,
				    &console.arena, &json, NULL),
			 OK);
	ck_assert(json_get(json, slice_of(list), &elements));
	for (each = json_each(elements); json_next(&each);)
		if (n-- == 0 && json_get(each.value, slice_of(name), &member) &&
		    json_type(member) == JSON_TEXT)
			ck_assert(json_text(member, &console.arena, &text));
	return text;
}

static void park_order(const char *id)
{
	char input[256];

	snprintf(input, sizeof input,
		 "{\"order_id\":\"%s\",\"sku\":\"lost\",\"qty\":1,\"total\":1,\"email\":\"a@b."
		 "c\","
		 "\"card\":\"4111\"}",
		 id);
	check(RUN("start", "order", "--id", id, "--wait", "--input", input), 3, NULL, NULL);
}

static void await_talk(const char *id)
{
	check(RUN("start", "visit", "--id", id, "--input", "{\"sku\":\"tea\",\"qty\":1}"), 0,
	      NULL, NULL);
	until_step(id, "talk");
}

static void pause_talk(const char *id)
{
	await_talk(id);
	check(RUN("pause", id), 0, NULL, NULL);
}

static void wait_for_stops(const char *id)
{
	check(RUN("start", "tour", "--id", id, "--input",
		  "{\"stops\":[{\"sku\":\"slow\",\"qty\":1},{\"sku\":\"slow\",\"qty\":1}]}"),
	      0, NULL, NULL);
}

static void wait_for_child(const char *id)
{
	check(RUN("start", "tour", "--id", id, "--input",
		  "{\"stops\":[{\"sku\":\"tea\",\"qty\":1},{\"sku\":\"tea\",\"qty\":1}]}"),
	      0, NULL, NULL);
	until_step(id, "meet");
}

static const struct pasted_row {
	const char *name;
	void (*bring)(const char *id); /* a new saga into the state */
	const char *must_have;         /* one of the commands, without the id */
} pasted_rows[] = {
	{"parked behind the pivot", park_order, "skald retry s-0 confirm"},
	{"waits for an event", await_talk, "skald signal s-0 talked"},
	{"paused", pause_talk, "skald resume s-0"},
	{"waits for elements", wait_for_stops, "skald skip s-0 hold#0"},
	{"waits for a child saga", wait_for_child, "skald cancel s-0"},
};

/* Every command does what it says, in a saga of its own. */
START_TEST(test_commands_to_paste)
{
	const struct pasted_row *row = &pasted_rows[_i];
	bool found = false;
	char id[16];

	console_open();
	for (size_t n = 0; n < 20; n++) {
		struct process_result result;
		struct slice command;

		snprintf(id, sizeof id, "s-%zu", n);
		row->bring(id);
		if (n == 0)
			for (size_t k = 0; !found && k < 20; k++)
				found = slice_is(explained(id, "actions", k, "command"),
						 row->must_have);
		command = explained(id, "actions", n, "command");
		if (!command.len)
			break;
		result = paste(command);
		ck_assert_msg(result.exit_code == 0, "%s: %.*s: exit %d: %s", row->name,
			      SLICE_ARG(command), result.exit_code, result.errs.at);
	}
	ck_assert_msg(found, "%s: no %s", row->name, row->must_have);
	console_close();
}
END_TEST

START_TEST(test_a_child_and_its_parent_lead_to_each_other)
{
	struct slice look;
	struct process_result result;

	console_open();
	wait_for_child("t-1");
	look = explained("t-1", "waits", 0, "look");
	check(RUN("explain", "t-1", "--json"), 0, "for `meet`, which is running", NULL);
	result = paste(look);
	check(result, 0, "parent     a child saga of t-1, which waits for its end", NULL);
	check(result, 0, "\n  look     skald explain t-1\n", NULL);
	check(RUN("undo-plan", "t-1"), 0, "undoes meet  child saga t-1:meet.", NULL);
	check(RUN("undo-plan", "t-1"), 0,
	      "\n      1.  undoes hold  inventory.release {\"sku\":\"tea\",\"qty\":1}\n"
	      "  2.  undoes hold#0  inventory.release",
	      NULL);
	console_close();
}
END_TEST

/* Whoever said which server is meant gets commands that say so, too. */
START_TEST(test_commands_for_another_server)
{
	struct process_setup setup = {
		.argv = {console.skald, "explain", "v-1", "--server", NULL}};
	char server[128], command[256];

	console_open();
	await_talk("v-1");
	snprintf(server, sizeof server, "%s", strchr(console.serving.env, '=') + 1);
	setup.argv[4] = server;
	snprintf(command, sizeof command, "\n  skald cancel v-1 --server %s\n", server);
	check(process_run(&setup, &console.arena), 0, command, NULL);
	console_close();
}
END_TEST

START_TEST(test_a_service_that_is_not_connected)
{
	struct process_result result;

	console_open();
	background_stop(&console.services, SIGKILL);
	result = RUN("start", "visit", "--id", "v-1", "--wait", "--timeout", "10s", "--input",
		     "{\"sku\":\"tea\",\"qty\":1}");
	check(result, 8, "v-1\n",
	      "v-1 waits for inventory, of which nothing is connected; `skald explain v-1` "
	      "says "
	      "more\n");
	check(RUN("show", "v-1"), 0,
	      "absent    it waits for inventory, of which nothing is connected\n", NULL);
	check(RUN("show", "v-1", "--json"), 0, "\"absent\":[\"inventory\"]", NULL);
	check(RUN("explain", "v-1", "--json"), 0, "nothing of inventory is connected", NULL);
	ck_assert(slice_is(explained("v-1", "waits", 0, "look"), "skald stats"));
	check(paste(SLICE_LITERAL("skald stats")), 0, "inventory", NULL);
	services_start(&console.services, "data/bus.sock");
	until_step("v-1", "talk");
	check(RUN("show", "v-1", "--json"), 0, "\"absent\":[]", NULL);
	console_close();
}
END_TEST

/* What is planned is what happens. */
START_TEST(test_undo_plan)
{
	struct process_result result;

	console_open();
	RUN("start", "visit", "--id", "v-1", "--input", "{\"a\":1}");
	until_step("v-1", "talk");
	check(RUN("undo-plan", "v-1"), 0,
	      "v-1  running\n\na cancel would now\n  1.  undoes hold  inventory.release "
	      "{\"a\":1}\n\nleft as it is\n  talk: it was not started\n",
	      NULL);
	check(RUN("undo-plan", "v-1", "--json"), 0, "\"plan\":[{\"wave\":1,\"what\":\"undo\"",
	      NULL);
	check(RUN("cancel", "v-1"), 0, NULL, NULL);
	until_status("v-1", "compensated");
	check(RUN("watch", "v-1"), 0, "hold: undo answered ok (attempt 1)\n", NULL);
	RUN("start", "order", "--id", "o-1", "-w", "--input", ORDER);
	result = RUN("undo-plan", "o-1", "--reason", "too late");
	check(result, 7, "\nno return  the saga", NULL);
	check(RUN("undo-plan", "nobody"), 4, NULL, "there is no saga `nobody`");
	console_close();
}
END_TEST

/* The steps whose undos the list has, in order: "meet hold#0 "; of the plan, or of the
 * timeline what was sent. */
static const char *undos_in(struct process_result result, const char *list, const char *what)
{
	static char names[2][256];
	static int turn;
	struct bytes out = {.at = names[turn = !turn], .capacity = 256, .max = 256};
	struct json json, elements, member;
	struct json_each each;
	struct slice text;

	ck_assert_int_eq(
		json_parse(slice_of(result.out.at), SIZE_MAX / 2, &console.arena, &json, NULL),
		OK);
	ck_assert(json_get(json, slice_of(list), &elements));
	for (each = json_each(elements); json_next(&each);) {
		bool is_undo = json_get(each.value, SLICE_LITERAL("what"), &member) &&
			       json_text(member, &console.arena, &text) &&
			       slice_is(text, what) &&
			       (!json_get(each.value, SLICE_LITERAL("verb"), &member) ||
				slice_is(member.text, "\"undo\""));

		if (!is_undo || !json_get(each.value, SLICE_LITERAL("step"), &member) ||
		    !json_text(member, &console.arena, &text))
			continue;
		bytes_append(&out, text);
		bytes_add(&out, ' ');
	}
	bytes_add(&out, '\0');
	ck_assert_int_eq(out.err, OK);
	return out.at;
}

/* Elements, and the child that the saga turns back. */
START_TEST(test_what_is_planned_is_what_is_sent)
{
	struct slice look;
	const char *planned;
	char child[128];

	console_open();
	wait_for_child("t-1");
	look = explained("t-1", "waits", 0, "child");
	snprintf(child, sizeof child, "%.*s", SLICE_ARG(look));
	until_step(child, "talk");
	planned = undos_in(RUN("undo-plan", "t-1", "--json"), "plan", "undo");
	ck_assert_str_eq(planned, "meet hold#0 hold#1 ");
	check(RUN("undo-plan", "t-1", "--json"), 0,
	      "\"what\":\"undo\",\"step\":\"hold\",\"element\":null", NULL);
	check(RUN("cancel", "t-1"), 0, NULL, NULL);
	until_status("t-1", "compensated");
	ck_assert_str_eq(undos_in(RUN("show", "t-1", "--json"), "timeline", "sent"), planned);
	ck_assert_str_eq(undos_in(RUN("show", child, "--json"), "timeline", "sent"), "hold ");
	console_close();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_explain);
	tcase_add_loop_test(tcase, test_commands_to_paste, 0, ROWS(pasted_rows));
	tcase_add_test(tcase, test_a_child_and_its_parent_lead_to_each_other);
	tcase_add_test(tcase, test_commands_for_another_server);
	tcase_add_test(tcase, test_a_service_that_is_not_connected);
	tcase_add_test(tcase, test_undo_plan);
	tcase_add_test(tcase, test_what_is_planned_is_what_is_sent);
}

int main(int argc, char **argv)
{
	(void)argc;
	if (!console_find(argv[0]))
		return EXIT_FAILURE;
	return suite_run("cli_explain", add);
}

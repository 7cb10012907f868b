/* test_serve.c - skald serve as a process: how it begins, what it refuses to begin
 * with, signals, restarts. */
#include "tests/lib/background.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char skald[4096];

#define LEAST(version) \
	"saga: least\nversion: " version "\nsteps: [ { a: { kind: readonly, call: a.b } } ]\n"

static struct arena arena;

static void enter(void)
{
	folder_enter();
	ck_assert_int_eq(mkdir("sagas", 0700), 0);
	folder_write("sagas/least.yaml", LEAST("1.0.0"));
}

static void leave(void)
{
	folder_leave();
	arena_release(&arena);
}

static struct process_result ask(const struct serving *serving, const char *const *args)
{
	struct process_setup setup = {.argv = {skald}, .env = {serving ? serving->env : NULL}};

	for (size_t i = 0; args[i]; i++)
		setup.argv[i + 1] = args[i];
	return process_run(&setup, &arena);
}

#define ASK(serving, ...) ask(serving, (const char *const[]){__VA_ARGS__, NULL})

static void check_has(struct slice text, const char *part)
{
	ck_assert_msg(strstr(text.at, part) != NULL, "no `%s` in: %s", part, text.at);
}

/* --- beginning -------------------------------------------------------------------- */

START_TEST(test_it_says_that_it_is_ready)
{
	struct serving serving;
	struct slice log;

	enter();
	serving_start(&serving, skald, NULL);
	log = background_until(&serving.process, " sagas=", &arena);
	check_has(log, "event=ready url=http://127.0.0.1:");
	check_has(log, " bus=data/bus.sock data=data definitions=1 sagas=0\n");
	ck_assert_int_eq(background_stop(&serving.process, SIGTERM), 0);
	leave();
}
END_TEST

/* A library would have it leave something there that nobody ever removes. */
START_TEST(test_who_is_killed_leaves_no_shared_memory)
{
	struct serving serving;
	char path[64];

	enter();
	serving_start(&serving, skald, NULL);
	snprintf(path, sizeof path, "/dev/shm/mongoc-%ld", (long)serving.process.pid);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(background_stop(&serving.process, SIGTERM), 0);
	leave();
}
END_TEST

START_TEST(test_it_says_where_definitions_would_come_from)
{
	struct serving serving;

	enter();
	ck_assert_int_eq(unlink("sagas/least.yaml"), 0);
	ck_assert_int_eq(rmdir("sagas"), 0);
	serving_start(&serving, skald, NULL);
	check_has(background_until(&serving.process, " sagas=", &arena),
		  "event=no-definitions-read folder=./sagas why=\"there is no such folder: ");
	ck_assert_int_eq(background_stop(&serving.process, SIGTERM), 0);
	leave();
}
END_TEST

START_TEST(test_it_says_so_whatever_is_logged)
{
	struct serving serving;

	enter();
	serving_start(&serving, skald, (const char *const[]){"--log-level", "error", NULL});
	ck_assert_int_eq(background_stop(&serving.process, SIGINT), 0);
	leave();
}
END_TEST

START_TEST(test_a_second_server_on_the_same_folder_names_the_first)
{
	struct serving serving;
	struct process_result result;
	char pid[32];

	enter();
	serving_start(&serving, skald, NULL);
	result = ASK(NULL, "serve", "--data", "data", "--listen", "127.0.0.1:0");
	ck_assert_int_eq(result.exit_code, 1);
	snprintf(pid, sizeof pid, "%ld", (long)serving.process.pid);
	check_has(result.errs, pid);
	background_stop(&serving.process, SIGTERM);
	leave();
}
END_TEST

START_TEST(test_a_port_that_is_in_use_is_named)
{
	struct serving serving;
	struct process_result result;
	const char *place, *port;

	enter();
	serving_start(&serving, skald, NULL);
	place = serving.url + strlen("http://");
	port = strrchr(place, ':') + 1;
	result = ASK(NULL, "serve", "--data", "other", "--listen", place);
	ck_assert_int_eq(result.exit_code, 1);
	check_has(result.errs, port);
	check_has(result.errs, "is in use: another server runs there; stop it, or choose "
			       "another port with --listen");
	background_stop(&serving.process, SIGTERM);
	leave();
}
END_TEST

static const struct refused_row {
	const char *name;
	const char *args[6];
	const char *file; /* skald.yaml; NULL: none */
	int exit_code;
	const char *errs;
} refused_rows[] = {
	{"a place that is none", {"--listen", "here"}, NULL, 2, "write HOST:PORT"},
	{"the same, when asked to check",
	 {"-n", "--listen", "here"},
	 NULL,
	 2,
	 "write HOST:PORT"},
	{"a port that is none",
	 {"-n", "--listen", "127.0.0.1:99999"},
	 NULL,
	 2,
	 "write HOST:PORT"},
	{"a URL that is none",
	 {"-n", "--advertise", "here"},
	 NULL,
	 2,
	 "write http://HOST:PORT"},
	{"a URI that is none",
	 {"-n", "--store", "mongo:here"},
	 NULL,
	 2,
	 "write mongo:mongodb://"},
	{"a bus without brokers", {"-n", "--bus", "kafka:"}, NULL, 2, "write kafka:HOST:PORT"},
	{"a host that there is not",
	 {"--listen", "no.such.host.invalid:1"},
	 NULL,
	 1,
	 "; give --listen an address of this machine"},
	{"a bus that there is not", {"--bus", "carrier-pigeon"}, NULL, 2, "there is no bus"},
	{"a store that there is not", {"--store", "paper"}, NULL, 2, "--store"},
	{"a folder of sagas that was asked for and is not there",
	 {"--sagas", "none"},
	 NULL,
	 1,
	 "none: No such file or directory; make it, or name another one with --sagas"},
	{"a folder of data that is a file",
	 {"--data", "sagas/least.yaml"},
	 NULL,
	 1,
	 "least.yaml"},
	{"a settings file that is not there", {"-c", "none.yaml"}, NULL, 1, "none.yaml"},
	{"a setting that there is not",
	 {"-n"},
	 "listen: 127.0.0.1:0\nlsten: x\n",
	 2,
	 "skald.yaml:2:1: error: unknown setting \"lsten\"; did you mean \"listen\"?"},
	{"a setting of the wrong type",
	 {"-n"},
	 "retention: long\n",
	 2,
	 "skald.yaml:1:1: error: retention: \"long\" is not a duration; "},
	{"all that is wrong with them",
	 {"-n"},
	 "retention: long\nx: 1\n",
	 2,
	 "skald.yaml:2:1: "},
	{"settings in settings", {"-n"}, "listen: { port: 1 }\n", 2, "no settings below it"},
	{"settings that are a list", {"-n"}, "- listen\n", 2, "settings are lines such as"},
	{"settings that are no YAML", {"-n"}, "listen: [\n", 2, "skald.yaml:"},
	{"a flag that is for a file only", {"--frobnicate"}, NULL, 2, "--frobnicate"},
	{"definitions with mistakes, when asked to check",
	 {"-n", "--sagas", "bad"},
	 NULL,
	 1,
	 "1 definition of bad cannot be used"},
};

START_TEST(test_refused)
{
	const struct refused_row *row = &refused_rows[_i];
	struct process_setup setup = {.argv = {skald, "serve"}};
	struct process_result result;

	enter();
	ck_assert_int_eq(mkdir("bad", 0700), 0);
	folder_write("bad/bad.yaml", "saga: bad\nversion: 1.0.0\nsteps: []\n");
	for (size_t i = 0; row->args[i]; i++)
		setup.argv[i + 2] = row->args[i];
	if (row->file)
		folder_write("skald.yaml", row->file);
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == row->exit_code && strstr(result.errs.at, row->errs),
		      "%s: exit %d: %s", row->name, result.exit_code, result.errs.at);
	leave();
}
END_TEST

START_TEST(test_settings_in_effect)
{
	struct process_setup setup = {
		.argv = {skald, "serve", "-n", "--listen", "[::1]:0"},
		.env = {"SKALD_RETENTION=1d", "SKALD_STORE=memory"},
	};
	struct process_result result;

	enter();
	folder_write("skald.yaml", "retention: 2d\ndata: /var/lib/skald\nlisten: 0.0.0.0:1\n");
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == 0, "%s", result.errs.at);
	check_has(result.out, "data: /var/lib/skald                    # skald.yaml:2\n");
	check_has(result.out, "retention: 1d                           # environment "
			      "SKALD_RETENTION\n");
	check_has(result.out, "# flag --listen\n");
	check_has(result.out, "bus: local                              # default\n");
	ck_assert_int_ne(access("data", F_OK), 0); /* nothing was touched */
	leave();
}
END_TEST

/* --- definitions ------------------------------------------------------------------ */

START_TEST(test_a_bad_definition_keeps_nothing_else_from_running)
{
	struct serving serving;
	struct slice log;

	enter();
	folder_write("sagas/bad.yaml", "saga: bad\nversion: 1.0.0\nstps: []\n");
	folder_write("sagas/notes.txt", "not a definition");
	serving_start(&serving, skald, NULL);
	log = background_until(&serving.process, " sagas=", &arena);
	check_has(log, "sagas/bad.yaml:3:1: error: ");
	check_has(log, "definitions=1 ");
	background_stop(&serving.process, SIGTERM);
	leave();
}
END_TEST

START_TEST(test_a_definition_that_changed_without_a_new_version_stays)
{
	struct serving serving;
	struct slice log;

	enter();
	serving_start(&serving, skald, NULL);
	background_stop(&serving.process, SIGTERM);
	folder_write("sagas/least.yaml",
		     "saga: least\nversion: 1.0.0\nsteps: [ { b: { kind: readonly, call: a.b } "
		     "} ]\n");
	serving_start(&serving, skald, NULL);
	log = background_until(&serving.process, " sagas=", &arena);
	check_has(log, "event=definition-refused file=./sagas/least.yaml why=");
	check_has(ASK(&serving, "definitions", "--json").out, "\"steps\":1");
	background_stop(&serving.process, SIGTERM);
	leave();
}
END_TEST

START_TEST(test_definitions_are_read_again_on_sighup)
{
	struct serving serving;
	struct process_result result;

	enter();
	serving_start(&serving, skald, NULL);
	folder_write("sagas/least.yaml", LEAST("1.1.0"));
	folder_write("server.log", "");
	kill(serving.process.pid, SIGHUP);
	background_until(&serving.process, "event=definitions-read", &arena);
	result = ASK(&serving, "definitions", "--json");
	check_has(result.out, "\"version\":\"1.0.0\"");
	check_has(result.out, "\"version\":\"1.1.0\"");
	background_stop(&serving.process, SIGTERM);
	leave();
}
END_TEST

START_TEST(test_definitions_outlive_their_files)
{
	struct serving serving;

	enter();
	serving_start(&serving, skald, NULL);
	background_stop(&serving.process, SIGTERM);
	ck_assert_int_eq(unlink("sagas/least.yaml"), 0);
	serving_start(&serving, skald, NULL);
	ck_assert_int_eq(ASK(&serving, "start", "least", "--id", "l-1").exit_code, 0);
	background_stop(&serving.process, SIGTERM);
	leave();
}
END_TEST

/* --- restarts --------------------------------------------------------------------- */

START_TEST(test_sagas_outlive_the_server)
{
	struct serving serving;
	struct process_result result;

	enter();
	serving_start(&serving, skald, NULL);
	ck_assert_int_eq(ASK(&serving, "start", "least", "--id", "l-1").exit_code, 0);
	background_stop(&serving.process, SIGKILL);
	serving_start(&serving, skald, NULL);
	check_has(background_until(&serving.process, " sagas=", &arena), " sagas=1\n");
	result = ASK(&serving, "show", "l-1", "--json");
	ck_assert_int_eq(result.exit_code, 0);
	check_has(result.out, "\"status\":\"running\"");
	background_stop(&serving.process, SIGTERM);
	leave();
}
END_TEST

START_TEST(test_sagas_in_memory_do_not)
{
	static const char *const memory[] = {"--store", "memory", NULL};
	struct serving serving;

	enter();
	serving_start(&serving, skald, memory);
	ck_assert_int_eq(ASK(&serving, "start", "least", "--id", "l-1").exit_code, 0);
	background_stop(&serving.process, SIGTERM);
	serving_start(&serving, skald, memory);
	ck_assert_int_eq(ASK(&serving, "show", "l-1").exit_code, 4);
	background_stop(&serving.process, SIGTERM);
	leave();
}
END_TEST

START_TEST(test_sagas_that_ended_are_removed_after_a_while)
{
	static const char *const soon[] = {"--retention", "1ms", NULL};
	static const char *const never[] = {"--retention", "0s", NULL};
	struct serving serving;

	enter();
	serving_start(&serving, skald, NULL);
	ck_assert_int_eq(ASK(&serving, "start", "least", "--id", "l-1").exit_code, 0);
	ck_assert_int_eq(ASK(&serving, "kill", "l-1", "-r", "test").exit_code, 0);
	ck_assert_int_eq(ASK(&serving, "start", "least", "--id", "l-2").exit_code, 0);
	background_stop(&serving.process, SIGTERM);
	serving_start(&serving, skald, never);
	ck_assert_int_eq(ASK(&serving, "show", "l-1").exit_code, 0);
	background_stop(&serving.process, SIGTERM);
	serving_start(&serving, skald, soon);
	while (ASK(&serving, "show", "l-1").exit_code != 4)
		;
	ck_assert_int_eq(ASK(&serving, "show", "l-2").exit_code, 0); /* it has not ended */
	background_stop(&serving.process, SIGTERM);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_it_says_that_it_is_ready);
	tcase_add_test(tcase, test_who_is_killed_leaves_no_shared_memory);
	tcase_add_test(tcase, test_it_says_where_definitions_would_come_from);
	tcase_add_test(tcase, test_it_says_so_whatever_is_logged);
	tcase_add_test(tcase, test_a_second_server_on_the_same_folder_names_the_first);
	tcase_add_test(tcase, test_a_port_that_is_in_use_is_named);
	tcase_add_loop_test(tcase, test_refused, 0, ROWS(refused_rows));
	tcase_add_test(tcase, test_settings_in_effect);
	tcase_add_test(tcase, test_a_bad_definition_keeps_nothing_else_from_running);
	tcase_add_test(tcase, test_a_definition_that_changed_without_a_new_version_stays);
	tcase_add_test(tcase, test_definitions_are_read_again_on_sighup);
	tcase_add_test(tcase, test_definitions_outlive_their_files);
	tcase_add_test(tcase, test_sagas_outlive_the_server);
	tcase_add_test(tcase, test_sagas_in_memory_do_not);
	tcase_add_test(tcase, test_sagas_that_ended_are_removed_after_a_while);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	return suite_run("serve", add);
}

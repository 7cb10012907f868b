#include "tests/lib/console.h"

#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct console console;

bool console_find(const char *program)
{
	process_find(program, "skald", console.skald, sizeof console.skald);
	return getcwd(console.tree, sizeof console.tree) != NULL;
}

/* The order saga of the tree and the others. */
void console_open(void)
{
	struct slice order, schema;

	ck_assert_int_eq(chdir(console.tree), 0);
	order = folder_read("sagas/order.yaml", &console.arena);
	schema = folder_read("sagas/schemas/order.json", &console.arena);
	folder_enter();
	ck_assert_int_eq(mkdir("sagas", 0700), 0);
	ck_assert_int_eq(mkdir("sagas/schemas", 0700), 0);
	folder_write("sagas/order.yaml", order.at);
	folder_write("sagas/schemas/order.json", schema.at);
	folder_write("sagas/visit.yaml",
		     "saga: visit\nversion: 1.0.0\nsteps:\n"
		     "  - hold: { call: inventory.reserve, with: =input, undo: { call: "
		     "inventory.release } }\n"
		     "  - talk: { await: { event: talked, timeout: 1h, then: compensate } }\n");
	folder_write(
		"sagas/tour.yaml",
		"saga: tour\nversion: 1.0.0\nsteps:\n"
		"  - stops:\n      each: { in: \"=input.stops\", as: stop, max: 9, steps: [\n"
		"        { hold: { call: inventory.reserve, with: =stop, undo: { call: "
		"inventory.release } } } ] }\n"
		"  - meet: { saga: visit, with: { sku: tea, qty: 1 } }\n");
	serving_start(&console.serving, console.skald, NULL);
	services_start(&console.services, "data/bus.sock");
}

void console_close(void)
{
	background_stop(&console.services, SIGKILL);
	ck_assert_int_eq(background_stop(&console.serving.process, SIGTERM), 0);
	folder_leave();
	arena_release(&console.arena);
}

/* --- running commands ------------------------------------------------------------- */

struct process_result console_run(const char *const *args, const char *input, bool terminal)
{
	struct process_setup setup = {
		.argv = {console.skald},
		.env = {console.serving.env, "USER=ann", "LANG=C.UTF-8", "TERM=xterm"},
		.input = input,
		.terminal = terminal};

	for (size_t i = 0; args[i]; i++)
		setup.argv[i + 1] = args[i];
	return process_run(&setup, &console.arena);
}

void check(struct process_result result, int exit_code, const char *out, const char *errs)
{
	ck_assert_msg(result.exit_code == exit_code, "exit %d, not %d: %s%s", result.exit_code,
		      exit_code, result.out.at, result.errs.at ? result.errs.at : "");
	ck_assert_msg(!out || strstr(result.out.at, out), "no `%s` in: %s", out, result.out.at);
	ck_assert_msg(!errs || strstr(result.errs.at, errs), "no `%s` in: %s", errs,
		      result.errs.at);
}

/* Until a saga is of that status. */
void until_status(const char *id, const char *status)
{
	char part[64];

	snprintf(part, sizeof part, "\"status\":\"%s\"", status);
	for (int i = 0; i < 1000; i++) {
		if (strstr(RUN("show", id, "--json").out.at, part))
			return;
	}
	ck_abort_msg("%s is not %s: %s", id, status, RUN("show", id).out.at);
}

/* Until a saga is at that step. */
void until_step(const char *id, const char *step)
{
	char part[64];

	snprintf(part, sizeof part, "\"step\":\"%s\",\"reason\"", step);
	for (int i = 0; i < 1000; i++) {
		if (strstr(RUN("show", id, "--json").out.at, part))
			return;
	}
	ck_abort_msg("%s is not at %s: %s", id, step, RUN("show", id).out.at);
}

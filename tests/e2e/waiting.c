#include "tests/e2e/waiting.h"

#include "base/bytes.h"
#include "tests/lib/background.h"
#include "tests/lib/folder.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static const char patient[] =
	"saga: patient\nversion: 1.0.0\nsteps:\n"
	"  - approve: { await: { event: approved, timeout: 24h, then: compensate } }\n"
	"  - mail: { kind: readonly, call: notification.send, with: { to: =input.email } }\n";
static const char stubborn[] =
	"saga: stubborn\nversion: 1.0.0\n"
	"use: { retry: { rarely: { first: 1h, factor: 1, max: 1h, jitter: none, attempts: 9 } "
	"} }\n"
	"steps:\n"
	"  - mail: { kind: readonly, call: notification.send, with: { to: =input.email },"
	" retry: rarely }\n";

static char skald[4096], notification[4096];
static struct serving server;
static struct background service;
static struct arena arena;

void waiting_find(const char *argv0)
{
	process_find(argv0, "skald", skald, sizeof skald);
	process_find(argv0, "skald-notification", notification, sizeof notification);
}

static struct process_result ask(const char *const *args)
{
	struct process_setup setup = {.argv = {skald}, .env = {server.env}};
	struct process_result result;

	for (size_t i = 0; args[i]; i++)
		setup.argv[i + 1] = args[i];
	arena_reset(&arena);
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == 0, "skald %s: exit %d: %s", args[0], result.exit_code,
		      result.errs.at);
	return result;
}

#define ASK(...) ask((const char *const[]){__VA_ARGS__, NULL})

static void start(const char *saga, int n)
{
	struct bytes lines = BYTES(1 << 20, &arena);
	char name[] = "lines";

	for (int i = 0; i < n; i++)
		bytes_format(&lines, "{\"email\":\"%d@example.com\"}\n", i);
	bytes_add(&lines, '\0');
	folder_write(name, lines.at);
	if (n)
		ASK("start", saga, "--input-lines", name);
}

void waiting_start(int n_patient, int n_stubborn)
{
	start("patient", n_patient);
	start("stubborn", n_stubborn);
}

const char *waiting_stats(void)
{
	return ASK("stats", "--json").out.at;
}

static void add(const char **args, const char *option, const char *value)
{
	while (*args)
		args++;
	if (value) {
		args[0] = option;
		args[1] = value;
	}
}

void waiting_enter(const struct waiting_setup *setup)
{
	const char *args[SERVER_ARGS_MAX + 1] = {NULL};
	struct process_setup program = {
		.argv = {notification, "--data", ".", "--faults", "fail=100%", "--bus",
			 setup->bus ? setup->bus : "local:data/bus.sock"}};

	add(args, "--bus", setup->bus);
	add(args, "--kafka-prefix", setup->prefix);
	add(args, "--store", setup->store);
	add(program.argv, "--kafka-prefix", setup->prefix);
	ck_assert_int_eq(mkdir("sagas", 0700), 0);
	folder_write("sagas/patient.yaml", patient);
	folder_write("sagas/stubborn.yaml", stubborn);
	serving_start(&server, skald, args);
	background_start(&service, &program, "notification");
	background_until(&service, ": ready: ", &arena);
}

void waiting_leave(void)
{
	ck_assert_int_eq(background_stop(&service, SIGTERM), 0);
	ck_assert_int_eq(background_stop(&server.process, SIGTERM), 0);
	arena_release(&arena);
}

#include "tests/e2e/bench_run.h"

#include "tests/lib/folder.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_PROGRAMS = 3, FIGURES_MAX = 65536 };

static const char *const programs[N_PROGRAMS] = {"skald", "skald-inventory", "skald-payment"};
static char paths[N_PROGRAMS][4096];

struct arena bench_arena;

void bench_find(const char *argv0)
{
	for (int i = 0; i < N_PROGRAMS; i++)
		process_find(argv0, programs[i], paths[i], sizeof paths[i]);
}

const char *bench_program(void)
{
	return paths[0];
}

void bench_enter(void)
{
	folder_enter();
	ck_assert_int_eq(mkdir("tmp", 0700), 0);
}

/* Where nothing stays in the temporary folder it can be removed. */
void bench_leave(void)
{
	ck_assert_msg(rmdir("tmp") == 0, "something was left behind: %s", strerror(errno));
	folder_leave();
	arena_release(&bench_arena);
}

struct json bench_figures(const struct process_result *result)
{
	struct json figures = {{0}};

	ck_assert_msg(result->exit_code == 0, "exit %d: %s", result->exit_code,
		      result->errs.at);
	ck_assert_int_eq(json_parse(result->out, FIGURES_MAX, &bench_arena, &figures, NULL),
			 OK);
	return figures;
}

int64_t bench_figure(struct json figures, const char *name)
{
	struct json value;

	ck_assert_msg(json_get(figures, slice_of(name), &value), "no %s", name);
	return strtoll(value.text.at, NULL, 10);
}

void bench_check_row(const struct bench_engine *engine, const struct bench_row *row)
{
	char variable[1024];
	struct process_setup setup = {.argv = {paths[0], "bench", "--json", engine->flag,
					       row->flag ? engine->place : engine->kind},
				      .env = {"TMPDIR=tmp", variable}};
	struct process_result result;
	struct json figures, books;

	snprintf(variable, sizeof variable, "%s=%s", engine->variable, engine->place);
	for (size_t i = 0; row->args[i]; i++)
		setup.argv[5 + i] = row->args[i];
	result = process_run(&setup, &bench_arena);
	figures = bench_figures(&result);
	ck_assert_int_eq(bench_figure(figures, "sagas"), row->sagas);
	ck_assert_int_eq(bench_figure(figures, "completed") +
				 bench_figure(figures, "compensated"),
			 row->sagas);
	ck_assert((bench_figure(figures, "compensated") > 0) == row->compensated);
	ck_assert_int_eq(bench_figure(figures, "events"), 4 * row->sagas);
	ck_assert_int_eq(bench_figure(figures, "lost"), 0);
	ck_assert(json_get(figures, SLICE_LITERAL("books"), &books));
	ck_assert_msg(slice_is(books.text, "\"agree\""), "%.*s", SLICE_ARG(books.text));
}

struct process_result bench_elsewhere(const struct bench_engine *engine)
{
	char path[sizeof paths[0] + 16];
	const struct process_setup setup = {.argv = {path, "bench", engine->flag, engine->kind},
					    .env = {"TMPDIR=tmp"}};

	for (int i = 0; i < N_PROGRAMS; i++) {
		const struct process_setup copy = {.argv = {"/bin/cp", paths[i], programs[i]}};

		ck_assert_int_eq(process_run(&copy, &bench_arena).exit_code, 0);
	}
	ck_assert(getcwd(path, sizeof paths[0]) != NULL);
	memcpy(path + strlen(path), "/skald", sizeof "/skald");
	return process_run(&setup, &bench_arena);
}

void bench_check_in_tree(const struct bench_engine *engine)
{
	const char *home = getenv("HOME"), *engines = getenv("SKALD_ENGINES");
	char where[4096], cache[4096];
	const struct process_setup setup = {
		.argv = {paths[0], "bench", engine->flag, engine->kind, "--sagas", "20",
			 "--json"},
		.env = {"TMPDIR=tmp", where, engines ? cache : NULL}};
	struct process_result result;

	snprintf(where, sizeof where, "HOME=%s", home ? home : "/");
	snprintf(cache, sizeof cache, "SKALD_ENGINES=%s", engines ? engines : "");
	result = process_run(&setup, &bench_arena);
	ck_assert_int_eq(bench_figure(bench_figures(&result), "completed"), 20);
}

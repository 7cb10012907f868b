/* bench_run.h - `skald bench` as a process, and what it prints: one object of figures.
 *
 * A test runs in a folder of its own, in which tmp/ is where it may put its files; nothing
 * of it may be left.
 */
#ifndef SKALD_TESTS_E2E_BENCH_RUN_H
#define SKALD_TESTS_E2E_BENCH_RUN_H

#include "base/json.h"
#include "tests/lib/process.h"

/* What a bus or a store is called. */
struct bench_engine {
	const char *flag;     /* "--bus" */
	const char *kind;     /* "kafka": the one that is known already, or is started */
	const char *variable; /* "SKALD_BUS": where it is known from */
	const char *place;    /* "kafka:HOST:PORT" */
};

struct bench_row {
	const char *name;
	const char *args[8]; /* the engine comes with them */
	bool flag;           /* its place is in the flag; else in the environment */
	int64_t sagas;
	bool compensated; /* some are */
};

extern struct arena bench_arena; /* of one test */

void bench_find(const char *argv0); /* where the programs are; before Check starts */
const char *bench_program(void);

void bench_enter(void);
void bench_leave(void);

/* The figures of a program that ended well, and one of them. */
struct json bench_figures(const struct process_result *result);
int64_t bench_figure(struct json figures, const char *name);

/* It ends with exact books. */
void bench_check_row(const struct bench_engine *engine, const struct bench_row *row);

/* Programs that lie elsewhere, as those that were installed do, and nobody says where the
 * engine is. */
struct process_result bench_elsewhere(const struct bench_engine *engine);

/* In the tree of the source it is started. */
void bench_check_in_tree(const struct bench_engine *engine);

#endif

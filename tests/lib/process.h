/* process.h - run a program as a shell would, and see all that it says.
 *
 *	struct process_setup setup = {.argv = {skald, "check", "order.yaml"}};
 *	struct process_result result = process_run(&setup, &arena);
 *
 * No shell is involved. The program gets PATH, the options of the sanitizers and
 * what the setup says as its environment, nothing else. What goes wrong around
 * it, and a program that a signal ended, fails the test.
 */
#ifndef SKALD_TESTS_LIB_PROCESS_H
#define SKALD_TESTS_LIB_PROCESS_H

#include "base/arena.h"

enum { PROCESS_ARGS_MAX = 16 };

struct process_setup {
	const char *argv[PROCESS_ARGS_MAX]; /* argv[0] is the program's path */
	const char *env[PROCESS_ARGS_MAX];  /* NAME=VALUE */
	const char *input;                  /* of standard input; NULL: it is empty */
	const char *out;   /* a file for standard output; NULL: to the result */
	bool terminal;     /* standard output and error are a terminal of 80 columns */
	const char *typed; /* there, standard input is it, too, and somebody types this */
};

struct process_result {
	int exit_code;
	struct slice out;  /* both are terminated, and live in the arena */
	struct slice errs; /* on a terminal all is in `out` */
};

struct process_result process_run(const struct process_setup *setup, struct arena *arena);

/* The path of a program: $SKALD_BIN for "skald" where it is set, else the one in
 * the build folder that this test lies in; argv0 is the test's. Absolute, so that
 * the test may go to another folder; it is asked before Check starts. */
void process_find(const char *argv0, const char *name, char *path, size_t size);

#endif

/* command_row.h - one call of a program, and what it has to print where: the rows of tests
 * of the command line. */
#ifndef SKALD_TESTS_LIB_COMMAND_ROW_H
#define SKALD_TESTS_LIB_COMMAND_ROW_H

#include "tests/lib/process.h"

struct command_row {
	const char *name;
	struct process_setup setup; /* without argv[0] */
	int exit_code;
	const char *out;   /* what standard output holds; NULL: it is empty */
	const char *errs;  /* likewise standard error */
	const char *never; /* what neither of them holds */
};

/* Run the program with such a setup; and as the row says. */
struct process_result row_run(const char *program, const struct process_setup *setup,
			      struct arena *arena);
void row_check(const char *program, const struct command_row *row);

/* What it printed to a stream, whose name is for messages. */
void row_check_text(const char *name, const char *stream, struct slice text,
		    const char *expected, const char *never);

#endif

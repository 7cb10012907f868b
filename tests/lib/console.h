/* console.h - commands run as a user runs them: real processes, a real server with the
 * order saga and two more, services at its bus, all in a folder of the test's own.
 *
 *	visit    reserves, and awaits the event `talked`
 *	tour     reserves for each of its `stops`, and starts a visit as its child
 */
#ifndef SKALD_TESTS_LIB_CONSOLE_H
#define SKALD_TESTS_LIB_CONSOLE_H

#include "tests/lib/background.h"

struct console {
	char skald[4096]; /* the program */
	char tree[4096];
	struct arena arena; /* until it is closed */
	struct serving serving;
	struct background services;
};
extern struct console console;

/* In main(): argv[0]. */
bool console_find(const char *program);

void console_open(void);
void console_close(void);

struct process_result console_run(const char *const *args, const char *input, bool terminal);

#define RUN(...)          console_run((const char *const[]){__VA_ARGS__, NULL}, NULL, false)
#define RUN_WITH(in, ...) console_run((const char *const[]){__VA_ARGS__, NULL}, in, false)
#define RUN_AT(...)       console_run((const char *const[]){__VA_ARGS__, NULL}, NULL, true)

/* What stands in its outputs; NULL: anything. */
void check(struct process_result result, int exit_code, const char *out, const char *errs);

/* Until a saga is of that status, or at that step. */
void until_status(const char *id, const char *status);
void until_step(const char *id, const char *step);

#endif

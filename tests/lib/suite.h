/* suite.h - the main of a unit test in one line.
 *
 *	static void add(TCase *tcase)
 *	{
 *		tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
 *		tcase_add_test(tcase, test_too_large);
 *	}
 *
 *	int main(void)
 *	{
 *		return suite_run("json", add);
 *	}
 *
 * Every test runs in a process of its own (CK_FORK=no, for a debugger, runs
 * them in this one) and has 60 seconds. CK_VERBOSITY=verbose lists them.
 */
#ifndef SKALD_TESTS_LIB_SUITE_H
#define SKALD_TESTS_LIB_SUITE_H

#include <check.h>

/* How many rows a table has, as the end of Check's loop. */
#define ROWS(table) ((int)(sizeof(table) / sizeof *(table)))

/* Run the tests that `add` adds, print Check's report, and return what main
 * returns: success only when every test passed and there was at least one. */
int suite_run(const char *name, void (*add)(TCase *tcase));

#endif

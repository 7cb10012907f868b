/* typed.h - the commands of a page, typed by somebody who has just built the tree.
 *
 * They run in one bash, in the folder at hand, which gets build/ and sagas/ as the
 * tree has them; a server and those who ask it meet at a port that is free. Each has
 * to exit with 0, or with what it says: "skald show x   # exits 4". Single quotes and
 * a backslash at the end of a line make it go on in the next one. After a server was
 * started it is waited for, as whoever reads its ready line does.
 */
#ifndef SKALD_TESTS_LIB_TYPED_H
#define SKALD_TESTS_LIB_TYPED_H

#include "tests/lib/process.h"

/* Fails the test where a command exits otherwise; gives all that was printed. The
 * build is the folder of the programs, `tree` that of the sources, both absolute;
 * the commands end in a newline. */
struct slice typed_run(const char *build, const char *tree, struct slice commands,
		       struct arena *arena);

#endif

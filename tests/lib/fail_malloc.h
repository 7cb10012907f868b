/* fail_malloc.h - let the nth allocation of the code under test fail.
 *
 * The linker sends every malloc, calloc, realloc and strdup of a unit test, of
 * our libraries and of what is linked statically through here, where they
 * behave as always until a test says otherwise. Fail allocation 0, then 1, ...
 * until a run in which none failed:
 *
 *	for (size_t n = 0; fired; n++) {
 *		fail_malloc_at(n);
 *		err = definition_load(...);
 *		fired = fail_malloc_off();
 *		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
 *		...
 *	}
 *
 * Between the two calls there must be no ck_assert: Check allocates, too.
 */
#ifndef SKALD_TESTS_LIB_FAIL_MALLOC_H
#define SKALD_TESTS_LIB_FAIL_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* The nth allocation from now on, counted from 0, returns NULL; those before
 * and after it work. */
void fail_malloc_at(size_t n);

/* Whether that allocation has been asked for. */
bool fail_malloc_fired(void);

/* How many allocations there were since fail_malloc_at. */
size_t fail_malloc_count(void);

/* Nothing fails any more; returns what fail_malloc_fired would have. */
bool fail_malloc_off(void);

#endif

/* budget.h - how much memory a fuzz target may have for one input.
 *
 * Linked with -Wl,--wrap for malloc, calloc, realloc, strdup and free, so that what
 * Skald itself allocates is counted. A target that wants more than its budget aborts:
 * a small input must not be able to use up a machine. */
#ifndef SKALD_TESTS_FUZZ_BUDGET_H
#define SKALD_TESTS_FUZZ_BUDGET_H

/* WIRE_READ_MAX and the like are below this, several of them at once. */
enum { BUDGET_BYTES = 96 * 1024 * 1024 };

/* Count from here; and no more. */
void budget_begin(void);
void budget_end(void);

#endif

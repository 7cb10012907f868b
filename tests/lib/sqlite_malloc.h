/* sqlite_malloc.h - let SQLite ask the test's malloc for its memory, so that its
 * allocations fail in turn, too (fail_malloc.h). To be called first in main. */
#ifndef SKALD_TESTS_LIB_SQLITE_MALLOC_H
#define SKALD_TESTS_LIB_SQLITE_MALLOC_H

void sqlite_malloc_use(void);

#endif

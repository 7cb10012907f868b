/* folder.h - a folder of a test's own.
 *
 * Entering makes it and goes there, so that the test names its files as a user
 * would; leaving removes it with all that is in it. One at a time.
 */
#ifndef SKALD_TESTS_LIB_FOLDER_H
#define SKALD_TESTS_LIB_FOLDER_H

#include "base/arena.h"

void folder_enter(void);
void folder_leave(void);

/* Files of that folder. */
void folder_write(const char *name, const char *text);
size_t folder_count(void);
struct slice folder_read(const char *name, struct arena *arena);

#endif

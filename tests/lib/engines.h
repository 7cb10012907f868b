/* engines.h - the servers that tests work with, as tools/engines starts them.
 *
 * One of a kind is started for all tests; whoever runs them stops it. */
#ifndef SKALD_TESTS_LIB_ENGINES_H
#define SKALD_TESTS_LIB_ENGINES_H

#include <stdbool.h>
#include <stddef.h>

/* The first line that `tools/engines KIND VERB DIR` prints; DIR may be NULL. Valid until
 * the next call. NULL: it was said why not. After engines_here. */
const char *engine_ask(const char *kind, const char *verb, const char *dir);

/* Where the program is: called in the root of the tree. False: it is not there. */
bool engines_here(void);

/* A signal to the process that was started in DIR: SIGSTOP holds it, connected and silent.
 * False: there is none. */
bool engines_signal(const char *dir, int signal);

/* A MongoDB: that of SKALD_TEST_MONGO, or the stand-in of that kind, mongo or
 * mongo-memory. Asked by main, before Check starts. False: there is none, and it was said
 * that its tests are skipped. */
bool mongo_find(const char *kind);

/* One of the test's own, always the stand-in that keeps what it answered, that can be
 * killed and held; likewise. */
bool mongo_find_own(char *dir, size_t size);

/* Write the URI of a database that no other test has; and remove it. */
enum { MONGO_URI_SIZE = 512 };
void mongo_database(char uri[MONGO_URI_SIZE]);
void mongo_drop(const char *uri);

#endif

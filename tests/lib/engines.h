/* engines.h - the servers that tests work with, as tools/engines starts them.
 *
 * One of a kind is started for all tests; whoever runs them stops it. */
#ifndef SKALD_TESTS_LIB_ENGINES_H
#define SKALD_TESTS_LIB_ENGINES_H

#include <stdbool.h>

/* The first line that `tools/engines KIND VERB DIR` prints; DIR may be NULL. Valid until
 * the next call. NULL: it was said why not. After engines_here. */
const char *engine_ask(const char *kind, const char *verb, const char *dir);

/* Where the program is: called in the root of the tree. False: it is not there. */
bool engines_here(void);

/* A MongoDB: that of SKALD_TEST_MONGO, or the stand-in of that kind, mongo or
 * mongo-memory. Asked by main, before Check starts. False: there is none, and it was said
 * that its tests are skipped. */
bool mongo_find(const char *kind);

/* Write the URI of a database that no other test has; and remove it. */
enum { MONGO_URI_SIZE = 512 };
void mongo_database(char uri[MONGO_URI_SIZE]);
void mongo_drop(const char *uri);

#endif

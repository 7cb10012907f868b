/* barriers.h - every kind of barrier there is, for the tests of their contract. */
#ifndef SKALD_TESTS_LIB_BARRIERS_H
#define SKALD_TESTS_LIB_BARRIERS_H

#include "participants/lib/barrier.h"

enum { N_BARRIERS = 5 };

/* Those that are to be had: without MongoDB, which then says so, the last is missing.
 * Asked by main, before Check starts. */
void barriers_find(void);
extern int n_barriers;

/* What is opened is empty, and keeps nothing on the disk. NULL: out of memory. */
extern const struct barrier_kind {
	const char *name;
	struct barrier *(*open)(void);
} barriers[N_BARRIERS];

/* Write a record, and look at one; an empty text stands for none. */
void keep_record(struct barrier *barrier, const char *id, enum barrier_state state,
		 const char *output, const char *code, const char *text);
void check_record(struct barrier *barrier, const char *id, enum barrier_state state,
		  const char *output, const char *code, const char *text);

#endif

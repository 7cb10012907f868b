/* diary.h - the transcript of a run, and the first thing that was wrong with it.
 *
 * Every line counts towards the hash, printed or not: two runs with the same hash
 * were the same. */
#ifndef SKALD_TESTS_SIM_DIARY_H
#define SKALD_TESTS_SIM_DIARY_H

#include "tests/lib/clock_sim.h"

#include <stdbool.h>
#include <stdio.h>

enum { DIARY_FAULT_SIZE = 512 };

struct diary {
	const struct clock_sim *clock;
	FILE *out; /* NULL: nobody reads along */
	uint64_t hash;
	uint64_t n_lines;
	bool faulty;
	char fault[DIARY_FAULT_SIZE];
};

void diary_init(struct diary *diary, const struct clock_sim *clock, FILE *out);

void diary_write(struct diary *diary, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A promise was broken. The first one counts. */
void diary_fault(struct diary *diary, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif

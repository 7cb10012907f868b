/* rehearsal.h - a simulation in a few lines of a test.
 *
 *	struct rehearsal rehearsal = {.setup.faults = faults_default};
 *
 *	rehearsal_file(&rehearsal, "sagas/order.yaml");
 *	rehearsal_open(&rehearsal);
 *	ck_assert_int_eq(rehearsal_run(&rehearsal, 17)->end, RUN_COMPLETED);
 *	rehearsal_close(&rehearsal);
 *
 * What goes wrong on the way fails the test. */
#ifndef SKALD_TESTS_LIB_REHEARSAL_H
#define SKALD_TESTS_LIB_REHEARSAL_H

#include "orchestrator/simulate/run.h"

enum { REHEARSAL_FAMILY_MAX = 4 };

struct rehearsal {
	struct definition *definitions[REHEARSAL_FAMILY_MAX];
	struct plan *plan;
	struct arena arena;
	struct simulation_setup setup;
	struct simulation *simulation;
	struct run run;
};

/* The first definition is run, the others are there for its children. */
void rehearsal_file(struct rehearsal *rehearsal, const char *path);
void rehearsal_text(struct rehearsal *rehearsal, const char *text);

/* After the definitions. */
void rehearsal_plan(struct rehearsal *rehearsal, const char *text);
void rehearsal_faults(struct rehearsal *rehearsal, const char *text);
void rehearsal_open(struct rehearsal *rehearsal);

/* The run, with its transcript, lasts until the next one. */
const struct run *rehearsal_run(struct rehearsal *rehearsal, uint64_t seed);
void rehearsal_close(struct rehearsal *rehearsal);

/* Whether a note of the run has these words. */
bool rehearsal_tells(const struct run *run, const char *words);

#endif

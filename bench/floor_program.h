/* floor_program.h - what every floor is as a program: its options and --help, how it ends,
 * and what it takes of the time and the CPU.
 */
#ifndef SKALD_BENCH_FLOOR_PROGRAM_H
#define SKALD_BENCH_FLOOR_PROGRAM_H

#include "base/options.h"

#include <signal.h>

enum { FLOOR_EXIT_USAGE = 2 };

/* Read the options and let `run` do the rest, or print the help; the exit status. */
int floor_main(int argc, char **argv, const struct usage *usage,
	       int (*run)(const struct options *options));

/* One line to standard error; gives back the exit status. */
int floor_complain(const struct usage *usage, const char *text, int exit_code);

/* --- ending ---------------------------------------------------------------------------- */

/* Not 0: the signal that asks to end early. */
extern volatile sig_atomic_t floor_stop;

void floor_catch_signals(void);

/* Ctrl-C goes to all processes of a floor; a service ends when the orchestrator does. */
void floor_ignore_signals(void);

/* The exit status of a run, behind which nothing is left to be tidied up: it says what went
 * wrong, and where a signal ended it the process dies of that. */
int floor_end(const struct usage *usage, enum err err, const struct diag *diag);

/* --- time ------------------------------------------------------------------------------ */

int64_t floor_now_us(void);     /* of a clock that nobody sets */
double floor_cpu_s(void);       /* of this process */
double floor_cpu_s_ended(void); /* of the services that have ended */

void floor_sort_latencies(uint32_t *latencies_us, uint32_t n);

/* Of those that are sorted. */
double floor_percentile_ms(const uint32_t *latencies_us, uint32_t n, uint32_t percent);

#endif

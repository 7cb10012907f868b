#include "bench/floor_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { OUTPUT_MAX = 16 * 1024 };

volatile sig_atomic_t floor_stop;

int floor_complain(const struct usage *usage, const char *text, int exit_code)
{
	fprintf(stderr, "%s: %s\n", usage->program, text);
	return exit_code;
}

static int help(const struct usage *usage, struct arena *arena)
{
	struct bytes text = BYTES(OUTPUT_MAX, arena);

	options_help(usage, &text);
	if (text.err)
		return floor_complain(usage, err_text(text.err), EXIT_FAILURE);
	printf("%.*s", SLICE_ARG(bytes_slice(&text)));
	return EXIT_SUCCESS;
}

int floor_main(int argc, char **argv, const struct usage *usage,
	       int (*run)(const struct options *options))
{
	struct arena arena = {0};
	struct options options;
	struct diag diag = {"out of memory"};
	enum err err = options_init(&options, usage, &arena);
	int exit_code;

	err = err ? err : options_from_args(&options, argc, argv, &diag);
	if (err)
		exit_code = floor_complain(usage, diag.text, FLOOR_EXIT_USAGE);
	else if (options_bool(&options, "help"))
		exit_code = help(usage, &arena);
	else
		exit_code = run(&options);
	arena_release(&arena);
	return exit_code;
}

/* --- ending ---------------------------------------------------------------------------- */

static void on_signal(int number)
{
	floor_stop = number;
}

static void on_both(void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void floor_catch_signals(void)
{
	on_both(on_signal);
}

void floor_ignore_signals(void)
{
	on_both(SIG_IGN);
}

/* What a shell expects of a program that a signal ended. */
static void end_by_signal(int number)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(number, &action, NULL);
	raise(number);
}

int floor_end(const struct usage *usage, enum err err, const struct diag *diag)
{
	if (floor_stop)
		end_by_signal(floor_stop);
	if (err)
		return floor_complain(usage, diag->text, EXIT_FAILURE);
	if (fflush(stdout) != 0)
		return floor_complain(usage, "cannot write the figures to standard output",
				      EXIT_FAILURE);
	return EXIT_SUCCESS;
}

/* --- time ------------------------------------------------------------------------------ */

static int64_t clock_us(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

int64_t floor_now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

double floor_cpu_s(void)
{
	return (double)clock_us(CLOCK_PROCESS_CPUTIME_ID) / 1e6;
}

double floor_cpu_s_ended(void)
{
	struct rusage used;

	getrusage(RUSAGE_CHILDREN, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int compare_latencies(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

void floor_sort_latencies(uint32_t *latencies_us, uint32_t n)
{
	qsort(latencies_us, n, sizeof *latencies_us, compare_latencies);
}

double floor_percentile_ms(const uint32_t *latencies_us, uint32_t n, uint32_t percent)
{
	return latencies_us[(uint64_t)n * percent / 100] / 1e3;
}

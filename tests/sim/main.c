/* main.c - the simulator: runs seeds, says which of them broke a promise.
 *
 *	sim [--from N] [--seeds N]   many seeds; exit 1 if one broke a promise
 *	sim --seed N                 that one, with its transcript */
#include "base/options.h"
#include "tests/sim/world.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { FAULTS_SHOWN = 10 };

static const struct option options_list[] = {
	{.name = "seeds",
	 .type = OPTION_INTEGER,
	 .initial = "200",
	 .min = 1,
	 .help = "how many seeds to run"},
	{.name = "from", .type = OPTION_INTEGER, .initial = "1", .help = "the first of them"},
	{.name = "seed",
	 .type = OPTION_INTEGER,
	 .help = "run this one alone, and print its transcript"},
	{.name = "help", .type = OPTION_BOOLEAN, .flag_only = true, .help = "show this"},
};

static const struct usage usage = {
	.program = "sim",
	.summary = "Simulates engine, hub and participants, and judges what they do.",
	.own = {options_list, sizeof options_list / sizeof *options_list},
};

/* For whoever wants to replay what ended the process. */
static char dying_words[64];
static volatile size_t n_dying_words;

static void say_dying_words(int number)
{
	if (write(STDERR_FILENO, dying_words, n_dying_words) < 0)
		_exit(2);
	signal(number, SIG_DFL);
	raise(number);
}

static void prepare_dying(uint64_t seed)
{
	n_dying_words = (size_t)snprintf(dying_words, sizeof dying_words,
					 "died in seed %" PRIu64 "\n", seed);
}

static void print_tally(const struct tally *tally)
{
	printf("sagas      %" PRIu64 ": %" PRIu64 " completed, %" PRIu64
	       " compensated, %" PRIu64 " killed; parked %" PRIu64 " times\n",
	       tally->sagas, tally->completed, tally->compensated, tally->killed,
	       tally->parked);
	printf("commands   %" PRIu64 " sent, %" PRIu64 " answered; %" PRIu64 " done, %" PRIu64
	       " undone\n",
	       tally->commands, tally->replies, tally->effects, tally->undos);
	printf("trouble    %" PRIu64 " deaths, %" PRIu64 " calls failed, %" PRIu64
	       " answers lost, %" PRIu64 " lines cut, %" PRIu64 " hangs, %" PRIu64
	       " disks full, %" PRIu64 " rivals\n",
	       tally->deaths, tally->failed_calls, tally->lost_answers, tally->cuts,
	       tally->hangs, tally->outages, tally->rivals);
	printf("people     %" PRIu64 " starts, %" PRIu64 " signals, %" PRIu64
	       " operations, %" PRIu64 " to help\n",
	       tally->starts, tally->signals, tally->operations, tally->helps);
}

/* How much time went by in there, and out here. */
static void print_speed(const struct tally *tally, uint64_t n_seeds, int64_t real_ms)
{
	double seconds = (double)(real_ms ? real_ms : 1) / 1000;

	printf("time       %.0f days in %.1f s: %.0f seeds, %.0f events and %.0f hours a "
	       "second\n",
	       (double)tally->simulated_ms / 86400000, seconds, (double)n_seeds / seconds,
	       (double)tally->events / seconds,
	       (double)tally->simulated_ms / 3600000 / seconds);
}

static int run_one(const struct catalogue *catalogue, uint64_t seed)
{
	struct run_result outcome;

	prepare_dying(seed);
	setvbuf(stdout, NULL, _IOLBF, 0); /* whatever it dies of, what came before is there */
	world_run(catalogue, seed, SABOTAGE_NONE, stdout, &outcome);
	print_tally(&outcome.tally);
	printf("seed %" PRIu64 ": %s%s, hash %016" PRIx64 "\n", seed,
	       outcome.ok ? "ok" : "broken: ", outcome.fault, outcome.hash);
	return outcome.ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_many(const struct catalogue *catalogue, uint64_t from, uint64_t n)
{
	struct tally sum = {0};
	struct run_result outcome;
	const struct clock *clock = clock_system();
	int64_t began_ms = clock_monotonic_ms(clock);
	uint64_t n_failed = 0;

	for (uint64_t seed = from; seed < from + n; seed++) {
		prepare_dying(seed);
		world_run(catalogue, seed, SABOTAGE_NONE, NULL, &outcome);
		tally_add(&sum, &outcome.tally);
		if (outcome.ok)
			continue;
		if (n_failed++ < FAULTS_SHOWN)
			printf("seed %" PRIu64 ": %s\n", seed, outcome.fault);
	}
	print_tally(&sum);
	print_speed(&sum, n, clock_monotonic_ms(clock) - began_ms);
	if (n_failed)
		printf("`make sim SEED=N` shows how it came to that\n");
	printf("%" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n", n - n_failed, n_failed);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct bytes help = BYTES(1024 * 1024, NULL);
	struct catalogue catalogue;
	struct options options;
	struct arena arena = {0};
	struct diag diag = {{0}};
	int status = EXIT_FAILURE;

	if (options_init(&options, &usage, &arena) ||
	    options_from_args(&options, argc, argv, &diag)) {
		fprintf(stderr, "sim: %s\n", diag.text);
		return 2;
	}
	if (options_bool(&options, "help")) {
		options_help(&usage, &help);
		printf("%.*s", SLICE_ARG(bytes_slice(&help)));
		bytes_release(&help);
		arena_release(&arena);
		return EXIT_SUCCESS;
	}
	signal(SIGABRT, say_dying_words);
	signal(SIGSEGV, say_dying_words);
	if (catalogue_load(&catalogue))
		status = options_given(&options, "seed")
				 ? run_one(&catalogue,
					   (uint64_t)options_number(&options, "seed"))
				 : run_many(&catalogue,
					    (uint64_t)options_number(&options, "from"),
					    (uint64_t)options_number(&options, "seeds"));
	catalogue_release(&catalogue);
	arena_release(&arena);
	return status;
}

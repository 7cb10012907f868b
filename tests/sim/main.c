/* main.c - the simulator: runs seeds, says which of them broke a promise.
 *
 *	sim [--from N] [--seeds N]   many seeds; exit 1 if one broke a promise, and the
 *	                             shortest story of the first one
 *	sim --seed N                 that one, with its transcript
 *	sim --seed N --keep LIST     that one, with these chances alone */
#include "base/options.h"
#include "tests/sim/shrink.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAULTS_SHOWN = 10, LINES_SHOWN = 300, JOBS_MAX = 64 };

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
	{.name = "keep",
	 .type = OPTION_TEXT,
	 .max = 1024 * 1024,
	 .help = "with --seed: leave out all chances but these, as in lost@61250.1,saga@0.3"},
	{.name = "jobs",
	 .type = OPTION_INTEGER,
	 .min = 1,
	 .max = JOBS_MAX,
	 .help = "processes that share the seeds (default: one for each processor)"},
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

/* --- what came of it ---------------------------------------------------------------- */

static void print_chances(const struct tally *tally)
{
	printf("chances    ");
	for (int kind = 0; kind < CHANCE_KINDS; kind++)
		printf("%s%" PRIu64 " %s", kind ? ", " : "", tally->chances[kind],
		       chance_text((enum chance_kind)kind));
	printf("\n");
}

static void print_tally(const struct tally *tally)
{
	printf("sagas      %" PRIu64 " (%" PRIu64 " children): %" PRIu64 " completed, %" PRIu64
	       " compensated, %" PRIu64 " killed; parked %" PRIu64 " times\n",
	       tally->sagas, tally->children, tally->completed, tally->compensated,
	       tally->killed, tally->parked);
	printf("commands   %" PRIu64 " sent, %" PRIu64 " answered; %" PRIu64 " done, %" PRIu64
	       " undone; the observer was told %" PRIu64 " times, %" PRIu64
	       " events were published\n",
	       tally->commands, tally->replies, tally->effects, tally->undos, tally->news,
	       tally->published);
	printf("trouble    %" PRIu64 " deaths, %" PRIu64 " calls failed, %" PRIu64
	       " answers lost, %" PRIu64 " rivals, shards moved %" PRIu64 " times\n",
	       tally->deaths, tally->failed_calls, tally->lost_answers, tally->rivals,
	       tally->moves);
	printf("people     %" PRIu64 " starts, %" PRIu64 " signals, %" PRIu64
	       " operations, %" PRIu64 " to help\n",
	       tally->starts, tally->signals, tally->operations, tally->helps);
	printf("network    %" PRIu64 " batches torn, %" PRIu64 " writes late, %" PRIu64
	       " answers slow, %" PRIu64 " changes came too late to count\n",
	       tally->torn_writes, tally->late_writes, tally->slow_calls, tally->strays);
	print_chances(tally);
}

/* How much time went by in there, and out here. */
static void print_speed(const struct tally *tally, uint64_t n_seeds, int64_t real_ms)
{
	double seconds = (double)(real_ms ? real_ms : 1) / 1000;

	printf("time       %" PRIu64 " seeds, %" PRIu64
	       " events and %.0f days in %.1f s: %.0f seeds and %.0f events a second, %.0f "
	       "times as fast as a clock\n",
	       n_seeds, tally->events, (double)tally->simulated_ms / 86400000, seconds,
	       (double)n_seeds / seconds, (double)tally->events / seconds,
	       (double)tally->simulated_ms / 1000 / seconds);
}

/* --- one seed ----------------------------------------------------------------------- */

/* The end of what was written there, which the caller has no use for any more. */
static void print_lines(char *text, size_t n_max)
{
	size_t n = 0, at = strlen(text);

	while (at && n <= n_max)
		n += text[--at] == '\n';
	if (at)
		printf("... what came before is left out: --seed and --keep show it\n");
	printf("%s", text + (at ? at + 1 : 0));
	free(text);
}

static char *transcript_of(const struct catalogue *catalogue, uint64_t seed,
			   const struct chance_list *keep)
{
	struct run_result result;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	world_replay(catalogue, seed, SABOTAGE_NONE, keep, out, &result, NULL);
	fclose(out);
	return text;
}

/* The shortest story of what is wrong with it. */
static void print_shrunk(const struct catalogue *catalogue, uint64_t seed)
{
	struct bytes names = BYTES(1024 * 1024, NULL);
	struct shrunk shrunk;
	char *text;

	printf("--- seed %" PRIu64 ", shrunk\n", seed);
	if (shrink_seed(catalogue, seed, SABOTAGE_NONE, &shrunk)) {
		text = transcript_of(catalogue, seed, &shrunk.list);
		if (text)
			print_lines(text, LINES_SHOWN);
		chance_list_write(&shrunk.list, &names);
		printf("--- %zu of %zu chances%s, in %u runs: --seed %" PRIu64 " --keep %.*s\n",
		       shrunk.list.n, shrunk.n_before,
		       shrunk.is_least ? ", of which none can be left out" : "",
		       (unsigned)shrunk.n_runs, seed, SLICE_ARG(bytes_slice(&names)));
	}
	bytes_release(&names);
	chance_list_release(&shrunk.list);
}

static int run_one(const struct catalogue *catalogue, uint64_t seed,
		   const struct chance_list *keep)
{
	struct run_result outcome;

	prepare_dying(seed);
	setvbuf(stdout, NULL, _IOLBF, 0); /* whatever it dies of, what came before is there */
	world_replay(catalogue, seed, SABOTAGE_NONE, keep, stdout, &outcome, NULL);
	print_tally(&outcome.tally);
	printf("seed %" PRIu64 ": %s%s, hash %016" PRIx64 "\n", seed,
	       outcome.ok ? "ok" : "broken: ", outcome.fault, outcome.hash);
	if (!outcome.ok && !keep)
		print_shrunk(catalogue, seed);
	return outcome.ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- many seeds --------------------------------------------------------------------- */

/* What a worker says: of a seed that broke something, or of all of them when it ends. */
struct report {
	uint64_t seed; /* 0: at the end */
	uint64_t n;    /* seeds, at the end */
	struct tally tally;
	char fault[DIARY_FAULT_SIZE];
};

struct worker {
	pid_t pid;
	FILE *reports;
};

struct harvest {
	struct tally tally;
	uint64_t n, n_failed, first_failed;
	bool broken; /* a worker did not end as it should */
};

/* Every so many-th seed. */
static void work(const struct catalogue *catalogue, uint64_t from, uint64_t to, uint64_t step,
		 FILE *out)
{
	struct report report = {0}, end = {0};
	struct run_result result;

	for (uint64_t seed = from; seed < to; seed += step) {
		prepare_dying(seed);
		world_run(catalogue, seed, SABOTAGE_NONE, NULL, &result);
		tally_add(&end.tally, &result.tally);
		end.n++;
		if (result.ok)
			continue;
		report.seed = seed;
		memcpy(report.fault, result.fault, sizeof report.fault);
		fwrite(&report, sizeof report, 1, out);
	}
	fwrite(&end, sizeof end, 1, out);
	fclose(out);
}

static bool start_worker(struct worker *worker, const struct catalogue *catalogue,
			 uint64_t from, uint64_t to, uint64_t step)
{
	int ends[2];

	if (pipe(ends))
		return false;
	fflush(stdout);
	worker->pid = fork();
	if (worker->pid == 0) {
		close(ends[0]);
		work(catalogue, from, to, step, fdopen(ends[1], "w"));
		exit(EXIT_SUCCESS); /* whoever looks for leaks does so then */
	}
	close(ends[1]);
	worker->reports = fdopen(ends[0], "r");
	return worker->pid > 0 && worker->reports;
}

/* One that died says of the seeds that it did not come to nothing. */
static void end_worker(struct worker *worker, struct harvest *harvest)
{
	struct report report;
	int status = 0;

	while (fread(&report, sizeof report, 1, worker->reports) == 1) {
		if (!report.seed) {
			tally_add(&harvest->tally, &report.tally);
			harvest->n += report.n;
			continue;
		}
		if (harvest->n_failed++ < FAULTS_SHOWN)
			printf("seed %" PRIu64 ": %s\n", report.seed, report.fault);
		if (!harvest->first_failed || report.seed < harvest->first_failed)
			harvest->first_failed = report.seed;
	}
	fclose(worker->reports);
	if (waitpid(worker->pid, &status, 0) < 0 || status)
		harvest->broken = true;
}

static int run_many(const struct catalogue *catalogue, uint64_t from, uint64_t n, uint64_t jobs)
{
	struct worker workers[JOBS_MAX];
	const struct clock *clock = clock_system();
	int64_t began_ms = clock_monotonic_ms(clock);
	struct harvest harvest = {.n = 0};

	for (uint64_t i = 0; i < jobs; i++)
		if (!start_worker(&workers[i], catalogue, from + i, from + n, jobs)) {
			fprintf(stderr, "sim: no process for a worker: %s\n", strerror(errno));
			return 2;
		}
	for (uint64_t i = 0; i < jobs; i++)
		end_worker(&workers[i], &harvest);
	print_tally(&harvest.tally);
	print_speed(&harvest.tally, harvest.n, clock_monotonic_ms(clock) - began_ms);
	if (harvest.first_failed)
		print_shrunk(catalogue, harvest.first_failed);
	/* Seeds of a worker that died count as failed, whatever came of them. */
	harvest.n_failed += n - harvest.n;
	if (harvest.broken && !harvest.n_failed)
		harvest.n_failed = 1;
	printf("%" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n", n - harvest.n_failed,
	       harvest.n_failed);
	return harvest.n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- the program -------------------------------------------------------------------- */

static uint64_t count_jobs(const struct options *options)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (options_given(options, "jobs"))
		return (uint64_t)options_number(options, "jobs");
	return n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : (uint64_t)n;
}

/* --seed, with the chances that --keep names, or with all. */
static int run_named(const struct catalogue *catalogue, const struct options *options)
{
	uint64_t seed = (uint64_t)options_number(options, "seed");
	const char *text = options_text(options, "keep");
	struct chance_list keep;
	struct diag diag = {{0}};
	int status;

	if (!text)
		return run_one(catalogue, seed, NULL);
	if (chance_list_read(&keep, slice_of(text), &diag)) {
		fprintf(stderr, "sim: --keep: %s\n", diag.text);
		return 2;
	}
	status = run_one(catalogue, seed, &keep);
	chance_list_release(&keep);
	return status;
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
				 ? run_named(&catalogue, &options)
				 : run_many(&catalogue,
					    (uint64_t)options_number(&options, "from"),
					    (uint64_t)options_number(&options, "seeds"),
					    count_jobs(&options));
	catalogue_release(&catalogue);
	arena_release(&arena);
	return status;
}

/* floor.c - what the machine can do: the program that Skald is measured against.
 *
 * The work of sagas/order-bench.yaml, with the same promises on the disk and none
 * of the features: one orchestrator and two services as processes, fixed structs
 * over Unix sockets, a durable SQLite file in each. A command writes a barrier row
 * and a business row, a saga four rows, everything that is there is one commit,
 * and nothing is sent that is not committed. bench/README.md has figures.
 */
#include "bench/floor_books.h"
#include "bench/floor_db.h"
#include "bench/floor_folder.h"
#include "bench/floor_link.h"
#include "bench/floor_orchestrator.h"
#include "bench/floor_program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAGAS_MAX = 10 * 1000 * 1000, INFLIGHT_MAX = 100 * 1000 };

static const struct option own_options[] = {
	{.name = "sagas",
	 .letter = 'n',
	 .type = OPTION_INTEGER,
	 .initial = "50000",
	 .min = 1,
	 .max = SAGAS_MAX,
	 .flag_only = true,
	 .argument = "N",
	 .help = "how many sagas to run"},
	{.name = "inflight",
	 .type = OPTION_INTEGER,
	 .initial = "1000",
	 .min = 1,
	 .max = INFLIGHT_MAX,
	 .flag_only = true,
	 .argument = "N",
	 .help = "how many of them at a time; 1 measures the latency of one"},
	{.name = "decline",
	 .type = OPTION_TEXT,
	 .initial = "0%",
	 .flag_only = true,
	 .argument = "P",
	 .help = "the share of payments that are declined and then compensated: 10%"},
	{.name = "dir",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .argument = "DIR",
	 .help = "make the temporary folder there instead of in $TMPDIR or /tmp"},
	{.name = "json",
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "print one JSON object"},
	{.name = "help",
	 .letter = 'h',
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "show this help"},
};

static const struct usage usage = {
	.program = "floor",
	.summary = "Run order sagas with three processes and nothing else, and say how fast.",
	.own = {own_options, sizeof own_options / sizeof *own_options},
};

struct result {
	struct floor_figures figures;
	struct floor_outcomes outcomes;
	double service_cpu_s[N_FLOOR_SERVICES];
	double sync_us;
	long rss_kb;
	double disk_bytes_per_saga;
};

/* --- the services ------------------------------------------------------------------ */

static _Noreturn void be_service(enum floor_service service, int fd, const char *path)
{
	struct diag diag;

	floor_ignore_signals();
	if (floor_service_run(service, fd, path, &diag) == OK)
		_exit(EXIT_SUCCESS);
	fprintf(stderr, "floor: %s: %s\n", floor_service_name(service), diag.text);
	_exit(EXIT_FAILURE);
}

/* The ends of the sockets that stay here go to fds; -1 is one that is not there. */
static enum err start_services(const struct floor_folder *folder, int fds[N_FLOOR_SERVICES],
			       pid_t pids[N_FLOOR_SERVICES], struct diag *diag)
{
	for (int i = 0; i < N_FLOOR_SERVICES; i++) {
		int pair[2];
		enum err err = floor_link_pair(pair, diag);

		if (err)
			return err;
		fds[i] = pair[0];
		pids[i] = fork();
		if (pids[i] == 0) {
			/* Or it would never see that the orchestrator has gone. */
			for (int j = 0; j <= i; j++)
				close(fds[j]);
			be_service((enum floor_service)i, pair[1], folder->services[i]);
		}
		close(pair[1]);
		if (pids[i] < 0)
			return diag_set(diag, ERR_UNAVAILABLE, "cannot start %s: %s",
					floor_service_name((enum floor_service)i),
					strerror(errno));
	}
	return OK;
}

/* Their CPU time includes opening and closing their files. */
static enum err end_services(const pid_t pids[N_FLOOR_SERVICES], double cpu_s[N_FLOOR_SERVICES],
			     struct diag *diag)
{
	enum err err = OK;

	for (int i = 0; i < N_FLOOR_SERVICES; i++) {
		double before_s = floor_cpu_s_ended();
		int status = 0;

		if (pids[i] <= 0)
			continue;
		while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR)
			;
		cpu_s[i] = floor_cpu_s_ended() - before_s;
		if (status != 0)
			err = diag_set(diag, ERR_IO, "%s ended with %s %d",
				       floor_service_name((enum floor_service)i),
				       WIFSIGNALED(status) ? "signal" : "exit status",
				       WIFSIGNALED(status) ? WTERMSIG(status)
							   : WEXITSTATUS(status));
	}
	return err;
}

/* --- one run -------------------------------------------------------------------------- */

static enum err measure(struct floor_plan *plan, const struct floor_folder *folder,
			struct result *result, struct diag *diag)
{
	pid_t pids[N_FLOOR_SERVICES] = {0};
	struct rusage used;
	struct diag ending;
	enum err err, end_err;

	for (int i = 0; i < N_FLOOR_SERVICES; i++)
		plan->fds[i] = -1;
	err = start_services(folder, plan->fds, pids, diag);
	if (err) {
		for (int i = 0; i < N_FLOOR_SERVICES; i++) {
			if (plan->fds[i] >= 0)
				close(plan->fds[i]);
		}
	} else {
		err = floor_orchestrate(plan, &result->figures, diag);
	}
	end_err = end_services(pids, result->service_cpu_s, &ending);
	/* A service that failed is why the orchestrator did. */
	if (end_err)
		return diag_set(diag, end_err, "%s", ending.text);
	getrusage(RUSAGE_SELF, &used);
	result->rss_kb = used.ru_maxrss;
	return err;
}

static enum err run(struct floor_plan *plan, const struct floor_folder *folder,
		    struct result *result, struct diag *diag)
{
	struct floor_books books = {.orchestrator = folder->orchestrator,
				    .inventory = folder->services[FLOOR_INVENTORY],
				    .payment = folder->services[FLOOR_PAYMENT],
				    .n_sagas = plan->n_sagas,
				    .decline_percent = plan->decline_percent};
	struct stat file;
	enum err err;

	plan->path = folder->orchestrator;
	err = floor_folder_measure(folder, &result->sync_us, diag);
	err = err ? err : measure(plan, folder, result, diag);
	err = err ? err : floor_books_check(&books, &result->outcomes, diag);
	if (err)
		return err;
	if (stat(folder->orchestrator, &file) == 0)
		result->disk_bytes_per_saga = (double)file.st_size / plan->n_sagas;
	return OK;
}

/* --- what comes out --------------------------------------------------------------------- */

static double percentile_ms(const struct floor_plan *plan, const struct floor_figures *figures,
			    uint32_t percent)
{
	return floor_percentile_ms(figures->latencies_us, plan->n_sagas, percent);
}

static double per_saga_us(const struct floor_plan *plan, double cpu_s)
{
	return cpu_s / plan->n_sagas * 1e6;
}

static void print_json(const struct floor_plan *plan, const struct result *result)
{
	const struct floor_figures *figures = &result->figures;
	const double *service_cpu_s = result->service_cpu_s;

	printf("{\"sagas\":%u,\"inflight\":%u,\"decline_percent\":%u,", plan->n_sagas,
	       plan->inflight_max, plan->decline_percent);
	printf("\"seconds\":%.6f,\"sagas_per_s\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,",
	       figures->seconds, plan->n_sagas / figures->seconds,
	       percentile_ms(plan, figures, 50), percentile_ms(plan, figures, 99));
	printf("\"completed\":%u,\"compensated\":%u,", result->outcomes.n_completed,
	       result->outcomes.n_compensated);
	printf("\"server_cpu_s\":%.6f,\"service_cpu_s\":%.6f,"
	       "\"inventory_cpu_s\":%.6f,\"payment_cpu_s\":%.6f,",
	       figures->cpu_s, service_cpu_s[FLOOR_INVENTORY] + service_cpu_s[FLOOR_PAYMENT],
	       service_cpu_s[FLOOR_INVENTORY], service_cpu_s[FLOOR_PAYMENT]);
	printf("\"server_cpu_us_per_saga\":%.3f,\"commits\":%llu,\"server_rss_kb\":%ld,"
	       "\"disk_bytes_per_saga\":%.1f,\"fdatasync_us\":%.1f}\n",
	       per_saga_us(plan, figures->cpu_s), (unsigned long long)figures->n_commits,
	       result->rss_kb, result->disk_bytes_per_saga, result->sync_us);
}

static void print_text(const struct floor_plan *plan, const struct result *result)
{
	const struct floor_figures *figures = &result->figures;
	const double *service_cpu_s = result->service_cpu_s;

	printf("floor: %u sagas, %u in flight, %u %% declined\n", plan->n_sagas,
	       plan->inflight_max, plan->decline_percent);
	printf("  sagas/s       %.0f in %.2f s\n", plan->n_sagas / figures->seconds,
	       figures->seconds);
	printf("  p50, p99      %.2f ms, %.2f ms\n", percentile_ms(plan, figures, 50),
	       percentile_ms(plan, figures, 99));
	printf("  CPU per saga  orchestrator %.1f us, inventory %.1f us, payment %.1f us\n",
	       per_saga_us(plan, figures->cpu_s),
	       per_saga_us(plan, service_cpu_s[FLOOR_INVENTORY]),
	       per_saga_us(plan, service_cpu_s[FLOOR_PAYMENT]));
	printf("  orchestrator  %llu commits of %.0f rows, %.0f bytes of disk per saga, %ld "
	       "KiB\n",
	       (unsigned long long)figures->n_commits,
	       (double)plan->n_sagas * FLOOR_WRITES_PER_SAGA / (double)figures->n_commits,
	       result->disk_bytes_per_saga, result->rss_kb);
	printf("  fdatasync     %.0f us here\n", result->sync_us);
	printf("  books         agree: %u completed, %u compensated\n",
	       result->outcomes.n_completed, result->outcomes.n_compensated);
}

/* --- main ----------------------------------------------------------------------------------
 */

/* "10%" or "10". */
static enum err read_percent(const char *text, uint32_t *percent, struct diag *diag)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || errno || number > 100 ||
	    (*end && strcmp(end, "%") != 0))
		return diag_set(
			diag, ERR_INVALID,
			"--decline: \"%.32s\" is no share; give a whole number from 0%% to "
			"100%%",
			text);
	*percent = (uint32_t)number;
	return OK;
}

static int measure_and_print(const struct options *options)
{
	struct floor_plan plan = {
		.n_sagas = (uint32_t)options_number(options, "sagas"),
		.inflight_max = (uint32_t)options_number(options, "inflight"),
		.stop = &floor_stop,
	};
	struct floor_folder folder;
	struct result result = {0};
	struct diag diag;
	enum err err;

	if (read_percent(options_text(options, "decline"), &plan.decline_percent, &diag))
		return floor_complain(&usage, diag.text, FLOOR_EXIT_USAGE);
	floor_catch_signals();
	err = floor_folder_make(&folder, options_text(options, "dir"), &diag);
	if (err)
		return floor_complain(&usage, diag.text, EXIT_FAILURE);
	err = floor_db_configure(&diag);
	err = err ? err : run(&plan, &folder, &result, &diag);
	floor_folder_remove(&folder);
	if (!err)
		(options_bool(options, "json") ? print_json : print_text)(&plan, &result);
	free(result.figures.latencies_us);
	return floor_end(&usage, err, &diag);
}

int main(int argc, char **argv)
{
	return floor_main(argc, argv, &usage, measure_and_print);
}

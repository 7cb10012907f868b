#include "cli/bench_plant.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum {
	ARGS_MAX = 16,
	STEP_MS = 2,
	READY_MS = 40000, /* after 30 s a server gives up waiting for Kafka, and says so */
	STOP_MS = 30000,
	LOG_MAX = 16 * 1024 * 1024,
};

static void sleep_a_little(void)
{
	const struct timespec step = {0, STEP_MS * 1000 * 1000};

	nanosleep(&step, NULL);
}

/* --- until they are there ---------------------------------------------------------- */

/* OK: all that was started still runs. */
static enum err check_alive(struct bench_plant *plant, struct diag *diag)
{
	int status;

	for (int i = 0; i < N_BENCH_PROCESSES; i++) {
		if (!plant->pids[i] || waitpid(plant->pids[i], &status, WNOHANG) == 0)
			continue;
		plant->pids[i] = 0;
		return bench_folder_say_ended(&plant->folder, bench_programs[i], status, diag);
	}
	return OK;
}

/* Its ready line says where it listens. */
static bool read_url(struct bench_plant *plant)
{
	static const char mark[] = "event=ready url=";
	struct bytes text = BYTES(LOG_MAX, NULL);
	struct arena arena = {0};
	char path[BENCH_FILE_SIZE];
	const char *at = NULL;
	struct slice log;
	size_t len;

	bench_folder_file(&plant->folder, bench_programs[BENCH_SERVER], ".log", path);
	if (!file_read(path, LOG_MAX, &arena, &log, NULL))
		bytes_append(&text, log);
	bytes_add(&text, '\0');
	if (!text.err)
		at = strstr(text.at, mark);
	if (at) {
		at += sizeof mark - 1;
		len = strcspn(at, " \n");
		if (at[len] && len < sizeof plant->url)
			memcpy(plant->url, at, len);
	}
	bytes_release(&text);
	arena_release(&arena);
	return plant->url[0] != '\0';
}

static enum err wait_for_server(struct bench_plant *plant,
				const struct bench_plant_setup *setup, struct diag *diag)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + READY_MS;
	enum err err = OK;

	while (!err && !read_url(plant)) {
		if (*setup->stop)
			return diag_set(diag, ERR_UNAVAILABLE, "interrupted");
		if (clock_monotonic_ms(clock_system()) > end_ms)
			return diag_set(diag, ERR_UNAVAILABLE,
					"the server was not ready within %d s",
					READY_MS / 1000);
		err = check_alive(plant, diag);
		sleep_a_little();
	}
	return err;
}

/* --- starting --------------------------------------------------------------------- */

/* Options that are there only with another bus or store. */
static void give(const char **args, const char *option, const char *value)
{
	while (*args)
		args++;
	if (!value[0])
		return;
	*args++ = option;
	*args++ = value;
}

static void give_charges(const struct bench_plant *plant, enum bench_process process,
			 const char **args)
{
	if (process == BENCH_PAYMENT)
		give(args, "--store", plant->beside.store);
}

enum err bench_plant_start(struct bench_plant *plant, const struct bench_plant_setup *setup,
			   struct diag *diag)
{
	const char *served = strcmp(setup->bus, "kafka") == 0 ? plant->beside.bus : setup->bus;
	const char *bus = strcmp(setup->bus, "local") == 0 ? "local:data/bus.sock" : served;
	bool mongo = strcmp(setup->store, "mongo") == 0 || bench_is_mongo(setup->store);
	const char *args[N_BENCH_PROCESSES][ARGS_MAX] = {
		[BENCH_SERVER] = {bench_programs[BENCH_SERVER], "serve", "--data", "data",
				  "--listen", "127.0.0.1:0", "--store",
				  mongo ? plant->beside.store : setup->store, "--bus", served},
		[BENCH_INVENTORY] = {bench_programs[BENCH_INVENTORY], "--data", "data", "--bus",
				     bus},
		[BENCH_PAYMENT] = {bench_programs[BENCH_PAYMENT], "--data", "data", "--bus",
				   bus},
	};
	enum err err = bench_folder_make(&plant->folder, setup->parent, diag);

	if (!err)
		err = bench_beside_find(&plant->beside, &plant->folder, setup->bus,
					setup->store, diag);
	for (int i = 0; !err && i < N_BENCH_PROCESSES; i++) {
		give(args[i], "--kafka-prefix",
		     plant->beside.bus[0] ? plant->beside.prefix : "");
		give_charges(plant, (enum bench_process)i, args[i]);
		err = bench_folder_spawn(&plant->folder, args[i], &plant->pids[i], diag);
		/* The socket of the bus is the server's to make. */
		if (!err && i == BENCH_SERVER)
			err = wait_for_server(plant, setup, diag);
	}
	return err;
}

/* --- looking ---------------------------------------------------------------------- */

double bench_plant_cpu_s(const struct bench_plant *plant, enum bench_process process)
{
	struct timespec time;
	clockid_t clock;

	if (!plant->pids[process] || clock_getcpuclockid(plant->pids[process], &clock) != 0 ||
	    clock_gettime(clock, &time) != 0)
		return 0;
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

long bench_plant_rss_kb(const struct bench_plant *plant, enum bench_process process)
{
	char line[256];
	long rss_kb = 0;
	FILE *status;

	if (!plant->pids[process])
		return 0;
	snprintf(line, sizeof line, "/proc/%ld/status", (long)plant->pids[process]);
	status = fopen(line, "re");
	while (status && fgets(line, sizeof line, status)) {
		if (strncmp(line, "VmHWM:", 6) == 0)
			rss_kb = strtol(line + 6, NULL, 10);
	}
	if (status)
		fclose(status);
	return rss_kb;
}

long long bench_plant_disk_bytes(const struct bench_plant *plant)
{
	char path[BENCH_FILE_SIZE];
	struct stat file;

	bench_folder_file(&plant->folder, "data/skald.db", "", path);
	return stat(path, &file) == 0 ? (long long)file.st_size : 0;
}

/* --- ending ----------------------------------------------------------------------- */

/* True: it ended, with the status that is given. */
static bool wait_for_end(pid_t pid, int *status)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + STOP_MS;

	while (waitpid(pid, status, WNOHANG) == 0) {
		if (clock_monotonic_ms(clock_system()) > end_ms)
			return false;
		sleep_a_little();
	}
	return true;
}

enum err bench_plant_stop(struct bench_plant *plant, struct diag *diag)
{
	enum err err = OK;
	int status;

	for (int i = 0; i < N_BENCH_PROCESSES; i++) {
		if (plant->pids[i])
			kill(plant->pids[i], SIGTERM);
	}
	for (int i = 0; i < N_BENCH_PROCESSES; i++) {
		if (!plant->pids[i])
			continue;
		if (!wait_for_end(plant->pids[i], &status)) {
			err = diag_set(diag, ERR_UNAVAILABLE, "%s did not end within %d s",
				       bench_programs[i], STOP_MS / 1000);
			continue;
		}
		plant->pids[i] = 0;
		if (status != 0 && !err)
			err = bench_folder_say_ended(&plant->folder, bench_programs[i], status,
						     diag);
	}
	return err;
}

enum err bench_plant_audit(const struct bench_plant *plant, enum bench_process process,
			   struct arena *arena, struct slice *out, struct diag *diag)
{
	const char *args[ARGS_MAX] = {
		bench_programs[process], "audit", "--data", "data", "--json", "--sagas"};
	pid_t pid;
	enum err err;

	give_charges(plant, process, args);
	err = bench_folder_spawn(&plant->folder, args, &pid, diag);
	return err ? err
		   : bench_folder_read_output(&plant->folder, args[0], pid, arena, out, diag);
}

enum err bench_plant_remove(struct bench_plant *plant, struct diag *diag)
{
	enum err err;

	for (int i = 0; i < N_BENCH_PROCESSES; i++) {
		if (!plant->pids[i])
			continue;
		kill(plant->pids[i], SIGKILL);
		while (waitpid(plant->pids[i], NULL, 0) < 0 && errno == EINTR)
			;
		plant->pids[i] = 0;
	}
	err = bench_beside_remove(&plant->beside, &plant->folder, diag);
	if (!plant->url[0]) /* and why, was said: there may be nothing that could stay */
		err = OK;
	bench_folder_remove(&plant->folder);
	*plant = (struct bench_plant){0};
	return err;
}

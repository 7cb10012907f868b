/* bench_plant.h - a server and the example services in a temporary folder, for
 * `skald bench`.
 *
 * They are started as people start them, from the programs that lie beside this
 * one, and each keeps its data in the folder; over Kafka they have topics of their own,
 * and in MongoDB a database.
 * Whoever ends, also by a signal, calls
 * bench_plant_remove(), which leaves neither a process nor a file; a plant whose
 * owner is killed goes with it, but for the folder and the broker or database server that
 * was started.
 */
#ifndef SKALD_CLI_BENCH_PLANT_H
#define SKALD_CLI_BENCH_PLANT_H

#include "cli/bench_beside.h"

#include <signal.h>

struct bench_plant {
	struct bench_folder folder;
	struct bench_beside beside;
	char url[BENCH_URL_SIZE];      /* of the server */
	pid_t pids[N_BENCH_PROCESSES]; /* 0: not running */
};

struct bench_plant_setup {
	const char *parent; /* where the folder is made; NULL: $TMPDIR or /tmp */

	/* "local"; "kafka:HOST:PORT,..."; or "kafka": the brokers that SKALD_BUS names, and
	 * where it names none a new one, if this program lies in the tree of its source. */
	const char *bus;

	/* As of `skald serve`, but of mongo:URI only the server counts; or "mongo": likewise,
	 * with SKALD_STORE. Where it is a MongoDB payment has its charges there, too. */
	const char *store;
	const volatile sig_atomic_t *stop; /* not 0: give up */
};

/* Make the folder and start everything; OK: the server is ready. What is there after
 * a failure is removed as after a success. ERR_UNAVAILABLE: what was started ended,
 * and the diag has its words. */
CHECKED enum err bench_plant_start(struct bench_plant *plant,
				   const struct bench_plant_setup *setup, struct diag *diag);

/* The CPU time that a process has had so far; the most memory it had. 0: unknown. */
double bench_plant_cpu_s(const struct bench_plant *plant, enum bench_process process);
long bench_plant_rss_kb(const struct bench_plant *plant, enum bench_process process);

/* Let everything end as it should and wait for it. ERR_UNAVAILABLE: something did
 * not end well, and the diag has its words. */
CHECKED enum err bench_plant_stop(struct bench_plant *plant, struct diag *diag);

/* Bytes of the store's file; 0 where it has none. */
long long bench_plant_disk_bytes(const struct bench_plant *plant);

/* What `skald-NAME audit --json --sagas` prints of a service that was stopped, in the
 * arena. */
CHECKED enum err bench_plant_audit(const struct bench_plant *plant, enum bench_process process,
				   struct arena *arena, struct slice *out, struct diag *diag);

/* Kill what still runs, and remove the folder, the topics and the database.
 * ERR_UNAVAILABLE: brokers or database keep those, and the diag says why. */
CHECKED enum err bench_plant_remove(struct bench_plant *plant, struct diag *diag);

#endif

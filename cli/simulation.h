/* simulation.h - what `skald simulate` found, as text and as JSON. */
#ifndef SKALD_CLI_SIMULATION_H
#define SKALD_CLI_SIMULATION_H

#include "cli/subcommand.h"
#include "orchestrator/simulate/results.h"

struct simulated {
	const char *path;
	const struct simulation_setup *setup;
	const struct simulation *simulation;
	uint64_t first_seed, n_seeds;
};

/* Of many runs. ERR_NOMEM. */
CHECKED enum err simulation_text(const struct simulated *simulated,
				 const struct results *results, const struct cli *cli,
				 struct bytes *out);
CHECKED enum err simulation_json(const struct simulated *simulated,
				 const struct results *results, struct bytes *out);

/* Of one: what happened in it, in order. */
CHECKED enum err run_text(const struct simulated *simulated, const struct run *run,
			  const struct cli *cli, struct bytes *out);
CHECKED enum err run_json(const struct simulated *simulated, const struct run *run,
			  struct bytes *out);
CHECKED enum err run_mermaid(const struct run *run, struct bytes *out);

#endif

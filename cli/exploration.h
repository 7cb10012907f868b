/* exploration.h - what `skald check --exhaustive` found, as text and as JSON. */
#ifndef SKALD_CLI_EXPLORATION_H
#define SKALD_CLI_EXPLORATION_H

#include "cli/subcommand.h"
#include "orchestrator/check/explore.h"

struct exploration {
	const char *path;
	const struct definition *definition;
	const struct explore_report *report;
	int64_t took_ms;
	size_t width; /* of the text */
};

/* Both say what was explored, within what bounds and against what invariants,
 * and the whole way to a violation. ERR_NOMEM. */
CHECKED enum err exploration_text(const struct exploration *exploration, struct bytes *out);
CHECKED enum err exploration_json(const struct exploration *exploration, struct bytes *out);

/* EXIT_FAILED for a violation; a bound that stopped the search is no failure. */
enum exit_code exploration_code(const struct explore_report *report);

#endif

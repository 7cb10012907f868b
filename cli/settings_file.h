/* settings_file.h - options from skald.yaml.
 *
 *	listen: 0.0.0.0:7420
 *	retention: 30d
 *	participants: { payment: { window: 50 } }
 *
 * A mapping of an option's name, with _ for -, to its value. A list is one for
 * an option that takes several. The limits of participants (cli/settings_limits.h)
 * are in the file alone; properties of librdkafka have rules of their own
 * (cli/settings_kafka.h).
 */
#ifndef SKALD_CLI_SETTINGS_FILE_H
#define SKALD_CLI_SETTINGS_FILE_H

#include "cli/settings_kafka.h"
#include "cli/subcommand.h"
#include "orchestrator/engine/limits.h"

/* What is no option. */
struct settings_beside {
	struct limits limits;
	struct kafka_settings kafka;
};

/* OK; ERR_NOT_FOUND: there is no such file; ERR_INVALID: everything that is wrong
 * was said on standard error; ERR_IO, ERR_TOO_LARGE, ERR_NOMEM. */
CHECKED enum err settings_read(const struct cli *cli, const char *path, struct options *options,
			       struct settings_beside *beside, struct diag *diag);

/* The same of a text; what is wrong is added to the problems, which name the file. OK
 * also where there are some, ERR_NOMEM. */
CHECKED enum err settings_read_text(struct slice text, struct options *options,
				    struct settings_beside *beside, struct problems *problems);

#endif

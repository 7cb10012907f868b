/* given.h - JSON that a command line gives: as it is, @FILE, or - for standard
 * input. */
#ifndef SKALD_CLI_GIVEN_H
#define SKALD_CLI_GIVEN_H

#include "base/json.h"
#include "cli/subcommand.h"

/* EXIT_DONE: *out is its normal form, in the arena of cli; otherwise what is wrong
 * was said. `option` names it in messages. */
enum exit_code given_json(const struct cli *cli, const char *option, const char *text,
			  struct json *out);

/* The same for a text that is not looked at. */
enum exit_code given_text(const struct cli *cli, const char *path, size_t max,
			  struct slice *out);

#endif

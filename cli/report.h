/* report.h - the mistakes of a definition, for people and for programs.
 *
 * For people, on standard error:
 *
 *	order.yaml:12:7: error: unknown key `tmeout`; did you mean `timeout`? [unknown-key]
 *
 * and on a terminal the line of the file with a caret below the column. As
 * JSON it is one object a line on standard output.
 */
#ifndef SKALD_CLI_REPORT_H
#define SKALD_CLI_REPORT_H

#include "base/problems.h"
#include "cli/subcommand.h"
#include "orchestrator/core/definition.h"

/* Where and how mistakes are shown. */
enum report_style {
	REPORT_TEXT, /* on standard error */
	REPORT_JSON, /* on standard output, for commands that have nothing else to say */
};

/* Sort and show them. ERR_NOMEM: not all could be. */
CHECKED enum err report_problems(const struct cli *cli, enum report_style style,
				 struct problems *problems);

/* Load a file and show what is wrong with it. EXIT_DONE: *out is the definition,
 * which the caller frees, though there may be warnings; otherwise it is NULL and
 * everything was said. */
enum exit_code report_load(const struct cli *cli, enum report_style style, const char *path,
			   struct definition **out);

/* What messages call the file: "<stdin>" for "-". */
const char *report_name(const char *path);

/* The first 12 digits of the definition's hash, for people. */
enum { SHORT_HASH_SIZE = 13 };
void short_hash(const struct definition *definition, char text[SHORT_HASH_SIZE]);

#endif

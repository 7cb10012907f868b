/* load.h - from YAML to a checked definition.
 *
 * The loader reports every mistake in one pass (not just the first) once the
 * YAML itself parses, each with file, line and column. It reads nothing but
 * the text it is given and what the `open` function hands it, so that it can
 * be fuzzed and can run where there is no file system.
 */
#ifndef SKALD_LOAD_LOAD_H
#define SKALD_LOAD_LOAD_H

#include "base/problems.h"
#include "orchestrator/core/definition.h"

/* Gives the content of a schema file that a definition names, relative to the
 * definition's own file. The bytes live in the arena. ERR_NOT_FOUND,
 * ERR_TOO_LARGE and ERR_NOMEM mean what they say; anything else is ERR_IO with
 * the reason in the diag. */
struct file_opener {
	enum err (*open)(void *context, const char *name, size_t max, struct arena *arena,
			 struct slice *out, struct diag *diag);
	void *context;
};

/* Check a definition's text. OK: *out is the definition, which the caller
 * frees; there may be warnings. ERR_INVALID: the problems say why. ERR_NOMEM.
 * `file` names it in messages and is borrowed as long as the problems are kept;
 * they are sorted on return. Their codes are those of codes.h. A NULL opener:
 * schemas stand in the text. */
CHECKED enum err load_text(const char *file, struct slice text,
			   const struct file_opener *opener, struct problems *problems,
			   struct definition **out);

/* The same for a file on disk ("-": standard input), with schemas beside it.
 * ERR_IO, ERR_NOT_FOUND and ERR_TOO_LARGE are problems at line 0, too. */
CHECKED enum err load_file(const char *path, struct problems *problems,
			   struct definition **out);

/* A definition that was right once, in its normal form, as it was stored then. The diag says
 * what is wrong with it now. */
CHECKED enum err load_stored(struct slice normal, struct definition **out, struct diag *diag);

#endif

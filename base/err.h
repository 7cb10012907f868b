/* err.h - how a function says that it failed.
 *
 * A function that can fail returns enum err. Where a person has to act on the
 * failure (a bad file, an unreachable broker) it also takes a struct diag and
 * writes one sentence there: what is wrong, where, and what to do. The diag is
 * untouched on success and may be NULL.
 */
#ifndef SKALD_BASE_ERR_H
#define SKALD_BASE_ERR_H

#include <stdbool.h>

/* name, text, whether trying again later can help */
#define ERR_MAP(X)                                              \
	X(OK, "ok", false)                                      \
	X(ERR_NOMEM, "out of memory", true)                     \
	X(ERR_INVALID, "invalid input", false)                  \
	X(ERR_TOO_LARGE, "over a stated limit", false)          \
	X(ERR_NOT_FOUND, "not found", false)                    \
	X(ERR_CONFLICT, "another writer got there first", true) \
	X(ERR_BUSY, "busy", true)                               \
	X(ERR_UNAVAILABLE, "service unavailable", true)         \
	X(ERR_IO, "input or output failed", true)               \
	X(ERR_CORRUPT, "stored bytes are damaged", false)

enum err {
#define X(name, text, retriable) name,
	ERR_MAP(X)
#undef X
};

/* Longest sentence that a diag holds, its terminator included. */
#define DIAG_MAX 512

struct diag {
	char text[DIAG_MAX];
};

#define CHECKED __attribute__((warn_unused_result))

const char *err_text(enum err err);
bool err_retriable(enum err err);

/* Write the sentence and hand err back, so that a failure is one line:
 *         return diag_set(diag, ERR_INVALID, "%s:%zu: no steps", path, line);
 */
CHECKED enum err diag_set(struct diag *diag, enum err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif

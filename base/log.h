/* log.h - what happened, as lines of key=value pairs.
 *
 *	struct log_line line;
 *
 *	log_begin(&line, log, LOG_LEVEL_INFO, "saga-parked");
 *	log_text(&line, "saga", id);
 *	log_number(&line, "attempt", attempt);
 *	log_end(&line);
 *
 * gives `level=info event=saga-parked saga=01J8 attempt=5`. There is no log but
 * the one that a caller is given, and it goes where its host says: libraries
 * never print. A text stands in quotes where it needs to (blanks, quotes, =,
 * empty); line breaks, control characters, bidirectional overrides and bytes
 * that are no UTF-8 are escaped, so that a value can neither forge a line nor
 * talk to a terminal.
 */
#ifndef SKALD_BASE_LOG_H
#define SKALD_BASE_LOG_H

#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

/* Longest line in bytes. Where a value does not fit, it is cut between two
 * characters, the pairs after it are left out, and the line ends in ` cut=true`. */
enum { LOG_LINE_MAX = 2048 };

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* The zero value is a log that nobody reads. */
struct log {
	enum log_level level; /* lines of less weight are dropped before they are made */

	/* Take one line, without a line break; it is borrowed for the call. NULL:
	 * nobody. Where threads share the log it must stand being called by them. */
	void (*write)(void *sink, enum log_level level, struct slice line);
	void *sink;
};

/* A line that is being made. */
struct log_line {
	const struct log *log; /* NULL: it will not be written */
	enum log_level level;
	bool cut;
	size_t len;
	char text[LOG_LINE_MAX];
};

/* Event and keys are words of [a-z0-9_.-]; anything else is our own bug. */
void log_begin(struct log_line *line, const struct log *log, enum log_level level,
	       const char *event);
void log_text(struct log_line *line, const char *key, struct slice text);
void log_number(struct log_line *line, const char *key, int64_t number);

/* Hand the line to the sink; errno stays as it was. */
void log_end(struct log_line *line);

/* error, warn, info, debug; parse gives false for any other word. */
const char *log_level_name(enum log_level level);
bool log_level_parse(struct slice name, enum log_level *out);

/* The sink of a program: `time=2025-03-01T09:30:00.250Z ` and the line, in one
 * write to a file descriptor, so that the lines of threads do not mix.
 *
 *	struct log_fd sink = {clock_system(), STDERR_FILENO};
 *	struct log log = {LOG_LEVEL_INFO, log_write_fd, &sink};
 *
 * A line that cannot be written is lost: there is nowhere to complain. */
struct log_fd {
	const struct clock *clock;
	int fd;
};

void log_write_fd(void *log_fd, enum log_level level, struct slice line);

#endif

/* properties.h - what --kafka says: NAME=VALUE, or @FILE with one of them in each line.
 *
 * A file is the place for a password: the command line of a process is for everybody to
 * see. In it empty lines, and lines that begin with #, say nothing.
 */
#ifndef SKALD_PARTICIPANTS_PROPERTIES_H
#define SKALD_PARTICIPANTS_PROPERTIES_H

#include "skald/participant.h"

enum { PROPERTIES_MAX = 128, PROPERTIES_TEXT_MAX = 64 * 1024 };

struct properties {
	const char *list[PROPERTIES_MAX + 1]; /* up to a NULL */
	int n;
	size_t len;
	char text[PROPERTIES_TEXT_MAX]; /* of files */
};

/* Of texts up to a NULL, which are borrowed. False: *error says what is wrong. */
bool properties_read(const char *const *texts, struct properties *out, skald_error *error);

#endif

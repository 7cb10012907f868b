/* folder.h - the definitions of a folder: those of the server, and the child sagas that
 * lie beside one. */
#ifndef SKALD_SERVER_FOLDER_H
#define SKALD_SERVER_FOLDER_H

#include "base/problems.h"
#include "orchestrator/core/definition.h"

enum { FOLDER_FILES_MAX = 1000 };

struct folder_reader {
	/* Takes the definition. */
	void (*loaded)(void *context, const char *path, struct definition *definition);

	/* A file with mistakes, or with warnings alone, in which case `loaded` is
	 * called next. */
	void (*report)(void *context, struct problems *problems);
	void *context;
};

/* Load every *.yaml and *.yml of the folder, in the order of their names; not of
 * the folders in it. OK also where files have mistakes: *n_bad counts them.
 * ERR_NOT_FOUND: there is no such folder; ERR_IO, ERR_TOO_LARGE, ERR_NOMEM. */
CHECKED enum err folder_read_definitions(const char *path, const struct folder_reader *reader,
					 size_t *n_bad, struct diag *diag);

/* What tells this folder of data from all others, made when it is asked for first and
 * kept in its file `instance`. ERR_IO, ERR_CORRUPT: the diag says why. */
enum { FOLDER_INSTANCE_SIZE = 33 };
CHECKED enum err folder_instance(const char *data, char out[FOLDER_INSTANCE_SIZE],
				 struct diag *diag);

#endif

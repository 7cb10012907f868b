/* file.h - reading whole files, and replacing one in a single stroke. */
#ifndef SKALD_CLI_FILE_H
#define SKALD_CLI_FILE_H

#include "base/arena.h"
#include "base/err.h"

/* The content of a file, in the arena. ERR_NOT_FOUND, ERR_IO, ERR_TOO_LARGE
 * (over `max` bytes), ERR_NOMEM. */
CHECKED enum err file_read(const char *path, size_t max, struct arena *arena, struct slice *out,
			   struct diag *diag);

/* What is to take a file's place: written beside it, and either put there or
 * dropped, so that at every moment there is the old file or the new one. */
struct file_draft {
	char *path; /* of the draft; in the arena */
	const char *target;
};

/* Write a draft, with the mode of the file that it is for. That is to be a file
 * that is there, and no symbolic link. ERR_INVALID, ERR_IO, ERR_NOMEM. */
CHECKED enum err file_draft(const char *target, struct slice content, struct arena *arena,
			    struct file_draft *out, struct diag *diag);

/* Both end the draft, whether or not they succeed. */
CHECKED enum err file_draft_accept(struct file_draft *draft, struct diag *diag);
void file_draft_drop(struct file_draft *draft);

#endif

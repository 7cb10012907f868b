/* audit.h - a service's books, in print. */
#ifndef SKALD_PARTICIPANTS_AUDIT_H
#define SKALD_PARTICIPANTS_AUDIT_H

#include "participants/service/service.h"

struct audit_wish {
	const char *path;    /* of the SQLite file */
	const char *address; /* in the kind's store, instead; NULL: not */
	bool json, sagas;
};

/* Print the totals, what is wrong with the books, and the sagas where they are asked
 * for, as of one moment; the service may be running. False: they do not agree (and
 * *error is empty), or cannot be read. */
bool audit_print(const struct service_kind *kind, const struct audit_wish *wish,
		 skald_error *error);

#endif

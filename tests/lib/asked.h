/* asked.h - the store of a site (sites.h), counting what it is asked and failing on demand. */
#ifndef SKALD_TESTS_LIB_ASKED_H
#define SKALD_TESTS_LIB_ASKED_H

#include "tests/lib/sites.h"

enum ask {
	ASK_LOAD,
	ASK_LOOK,
	ASK_CHECK,
	ASK_TOLD,
	ASK_OWN,
	ASK_OWNERS,
	ASK_CHANGES,
	ASK_DEFINITIONS,
	ASK_COMMIT,
	ASKS
};

/* What fails is ERR_UNAVAILABLE, and nothing happens. */
struct asked {
	int n[ASKS];
	bool fails[ASKS];
	struct store *late; /* it looks here, for all that there is; NULL: for nothing */
	bool visiting;      /* it passes sagas, and is not to be asked */
};

extern struct asked asked;

/* From now on the store of this site is such a one, which was asked nothing. */
void ask_all(int i);

void check_asked(enum ask ask, int n);

/* From now on the first site does not hear what it lost, and writes it all the same: where
 * such a store looks it finds that. Then sites_leave is asked_leave. */
void asked_late(void);
void asked_leave(void);

#endif

/* diff.h - what differs between two definitions, and what that would mean for a saga
 * that is on its way.
 *
 * Steps are told by their names. What has the same text in both is the same: formatting
 * and comments do not count, since both are compared as they were loaded.
 *
 * A saga stays with the definition that it began with. So the states say what would be
 * different for a saga that has come so far by the first one if it had begun with the
 * second one: what it still does, what a cancel undoes, what it has done that the other
 * has not, and the other way round.
 */
#ifndef SKALD_EXPLAIN_DIFF_H
#define SKALD_EXPLAIN_DIFF_H

#include "orchestrator/core/definition.h"

enum difference_kind {
	DIFFERENCE_CHANGED,
	DIFFERENCE_ADDED,
	DIFFERENCE_REMOVED,
	DIFFERENCE_MOVED, /* it stands behind another step, or in another block */
};

struct difference {
	enum difference_kind kind;
	struct slice step; /* its name; empty: the saga as a whole */
	const char *part;  /* changed: "timeout", "undo.retry", ...; otherwise NULL */
	struct slice from; /* both as people write them; empty: nothing */
	struct slice to;
};

struct names {
	struct slice *list;
	uint32_t n;
};

/* Of one of the two: steps without those that only contain others. */
struct outlook {
	struct names then; /* what is still to be done, in order */
	struct names
		undo; /* what a cancel undoes, the newest first; nothing behind the pivot */
	bool passed_pivot;
};

/* The saga has done a step of the top level, and all before it. */
struct crossing {
	struct slice after;
	bool there; /* the other one has this step, too; otherwise the rest says nothing of it
		     */
	bool then_differs;
	bool undo_differs;
	bool differs; /* in anything */
	struct outlook a, b;
	struct names only_a; /* done by now, but not so in the other one */
	struct names only_b;
};

struct diff {
	struct difference *list;
	uint32_t n;
	struct crossing *crossings; /* as many as the first one has steps at the top level */
	uint32_t n_crossings;
};

/* OK or ERR_NOMEM. */
CHECKED enum err diff(const struct definition *a, const struct definition *b,
		      struct arena *arena, struct diff *out);

const char *difference_text(enum difference_kind kind); /* "changed", "added", ... */

#endif

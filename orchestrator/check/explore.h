/* explore.h - every way that a saga can go, up to stated bounds.
 *
 * The checker takes one definition, the real saga_step() and a model of the
 * world around it: participants with their barriers, a network that loses,
 * repeats, delays and reorders, timers, operators. From the start of the saga
 * it visits every state that these can lead to, each once and the nearest
 * first, and holds each state and each transition to the invariants below. The
 * first violation ends the search, and the way to it is the shortest there is.
 *
 * What is modelled, what the bounds cut off and what is left out stands in
 * docs/checker.md. A search without a violation says what was explored and no
 * more than that.
 */
#ifndef SKALD_CHECK_EXPLORE_H
#define SKALD_CHECK_EXPLORE_H

#include "orchestrator/core/saga.h"

/* --- bounds --------------------------------------------------------------------- */

struct explore_bounds {
	uint32_t attempts;   /* of one command; longer retry policies are cut down */
	uint32_t cancel;     /* cancels on one way */
	uint32_t operations; /* retry, skip and pause on one way ("operator") */
	uint32_t signals;    /* that come for each await */
	uint32_t prune;      /* steps on one way whose participant forgets them */
	uint32_t elements;   /* of each list: 0 up to so many */
	uint32_t dup;        /* 0: nothing comes twice or late; otherwise without bound */
	uint32_t crash;      /* 0: the orchestrator is never restarted; otherwise any time */
	uint32_t states;     /* stop after so many */
	uint32_t memory_mib; /* stop before more than this is taken */
};

/* attempts=2,cancel=1,operator=1,signals=1,prune=1,elements=2,dup=1,crash=1,
 * states=4000000,memory=2048 */
extern const struct explore_bounds explore_bounds_default;

/* Change *bounds as the text says ("attempts=3,operator=0"; empty: not at all).
 * ERR_INVALID: the diag names the word that is wrong and what is possible; the
 * bounds are then unchanged. */
CHECKED enum err explore_bounds_parse(struct slice text, struct explore_bounds *bounds,
				      struct diag *diag);

/* "attempts=2,cancel=1,...": what explore_bounds_parse reads. */
void explore_bounds_write(struct bytes *out, const struct explore_bounds *bounds);

/* --- invariants ------------------------------------------------------------------- */

struct explore_invariant {
	const char *name;     /* a fixed word such as "undo-order" */
	const char *sentence; /* what must be true */
};

extern const struct explore_invariant explore_invariants[];
extern const size_t explore_n_invariants;

/* --- exploring -------------------------------------------------------------------- */

/* saga_step(), or something that a test puts in its place. */
typedef enum verdict explore_step(const struct definition *definition,
				  const struct evaluator *evaluator, const struct saga *before,
				  const struct event *event, struct arena *arena,
				  struct saga *after, struct effects *effects);

struct explore_options {
	struct explore_bounds bounds;

	/* Called now and then; false ends the search. NULL: nobody asks. */
	bool (*progress)(void *context, uint64_t states, uint64_t transitions, uint32_t depth);
	void *context;

	explore_step *step; /* NULL: saga_step */
};

enum explore_end {
	EXPLORE_WHOLE,     /* every state within the bounds was visited */
	EXPLORE_STATES,    /* the bound on states stopped it */
	EXPLORE_MEMORY,    /* the bound on memory did */
	EXPLORE_CHOICES,   /* conditions that one event decides have over 65,536 outcomes */
	EXPLORE_STOPPED,   /* the caller did */
	EXPLORE_VIOLATION, /* an invariant does not hold */
};

struct explore_report {
	enum explore_end end;
	struct explore_bounds bounds; /* that were in force */
	uint64_t states;
	uint64_t transitions; /* moves of the world that were tried */
	uint32_t depth;       /* moves from the start to the farthest state */
	size_t memory;        /* bytes at the most */

	/* EXPLORE_VIOLATION only. */
	const struct explore_invariant *invariant;
	const char *what;         /* what is wrong there, one sentence */
	const char *const *lines; /* the way there, one sentence a line */
	size_t n_lines;

	struct arena arena; /* holds the texts */
};

/* OK: the report says how it ended. ERR_TOO_LARGE: the bounds are beyond what
 * the checker can count; the diag says so. ERR_NOMEM. After
 * OK the caller releases the report. Time is the caller's to measure. */
CHECKED enum err explore(const struct definition *definition,
			 const struct explore_options *options, struct explore_report *report,
			 struct diag *diag);

void explore_report_release(struct explore_report *report);

/* "explored to the end", "stopped by the bound on states", ... */
const char *explore_end_text(enum explore_end end);

#endif

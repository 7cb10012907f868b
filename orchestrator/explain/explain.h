/* explain.h - why a saga is where it is, what it waits for, what happens if nothing
 * comes, and what a person can do about it.
 *
 * What would happen is never guessed: saga_step() is asked, on a copy of the saga. An
 * operation is among the actions if and only if it would be taken at this moment.
 *
 * Elements of an `each` that wait in the same way for the same thing are one wait, and
 * what can be done for the first of them can be done for each: a list of 1,000 elements
 * is told in a few lines.
 *
 * The sentences show no payload and nothing that is masked.
 */
#ifndef SKALD_EXPLAIN_EXPLAIN_H
#define SKALD_EXPLAIN_EXPLAIN_H

#include "orchestrator/core/timeline.h"
#include "orchestrator/explain/forecast.h"

enum wait_kind {
	WAIT_ANSWER,  /* of a participant */
	WAIT_ATTEMPT, /* the next one of a command, after a back-off */
	WAIT_SLEEP,
	WAIT_EVENT,
	WAIT_CHILD,  /* the end of a child saga */
	WAIT_PERSON, /* the step is parked */
	WAIT_RESUME, /* the saga is paused */
};

/* What is known of the participant that a command goes to. */
struct presence {
	uint32_t processes; /* that are connected */
	uint32_t held;      /* commands that wait for one, or for room at one */
};

/* Why a command is not handed over yet, as the engine says it. */
struct hold {
	const char *by;    /* "window", "rate", "breaker", "probe", ...; NULL: it is not held */
	int64_t until_ms;  /* 0: until something is answered */
	struct slice text; /* "breaker open, next probe in 12s" */
};

/* What is known of a child saga. */
struct kinship {
	bool known; /* otherwise it has not begun, or is not there any more */
	enum status status;
	bool paused;
	struct slice reason; /* parked: why; may be empty */
};

struct wait {
	enum wait_kind kind;
	uint32_t step;         /* NO_STEP: WAIT_RESUME */
	uint32_t *elements;    /* that wait alike, in order; `step` is that of the first */
	uint32_t n_elements;   /* 0: it stands in no `each` */
	const struct call *to; /* answer, attempt, person: the command; NULL: none */
	struct presence presence;
	struct hold hold;
	const char *advice; /* held: when it goes, and what can be done; otherwise NULL */
	struct slice child; /* the id of the child saga (of the first element); empty: none */
	struct kinship kinship;
	enum verb verb;
	uint32_t attempt;
	uint32_t attempts_max; /* 0: not limited by their number */
	int64_t since_ms;      /* 0: not known; of several elements the longest */
	int64_t until_ms;      /* 0: for as long as it takes; of several the first */
	struct slice text;     /* what is waited for, and why */
	struct slice next;     /* what happens once it comes */
};

struct action {
	enum event_type type; /* of an operation, or EVENT_SIGNAL */
	uint32_t step;        /* retry, skip, signal; otherwise NO_STEP */
	uint32_t wait;        /* for whose first element it is; otherwise NO_WAIT */
	const char *text;     /* what it does */
};
#define NO_WAIT UINT32_MAX

/* How far the elements of an `each` are that has begun and is not through. */
struct progress {
	uint32_t step;
	uint32_t n; /* elements */
	uint32_t
		n_settled; /* all their steps are; when it turns back: nothing of them stands */
	uint32_t n_parked; /* some step of theirs is */
};

struct explanation {
	struct slice cause;
	struct wait *waits;
	uint32_t n_waits;
	struct progress *progress;
	uint32_t n_progress;
	struct forecast silence;
	struct action *actions;
	uint32_t n_actions;
	const char *no_cancel; /* why neither cancel nor undo is among them; otherwise NULL */
};

/* What is not in the saga itself. */
struct circumstances {
	int64_t now_ms;
	const struct timeline *timeline;
	const int64_t *due_ms; /* by step: when its attempt times out; 0: not known */
	struct presence (*find)(void *context, struct slice participant);
	struct hold (*find_hold)(void *context, uint32_t step);
	struct kinship (*find_child)(void *context, struct slice id);
	void *context;
};

/* OK or ERR_NOMEM. */
CHECKED enum err explain(const struct definition *definition, const struct evaluator *evaluator,
			 const struct saga *saga, const struct circumstances *circumstances,
			 struct arena *arena, struct explanation *out);

const char *wait_text(enum wait_kind kind); /* "answer", "attempt", "sleep", ... */

#endif

/* saga.h - one running saga, and the function that decides everything.
 *
 * saga_step() says what one event means for one saga. It is pure: a definition,
 * a saga and an event go in, the saga afterwards and what follows from it come
 * out, in memory of the caller's arena. There is no clock (the time is in the
 * event), no randomness (jitter comes from the ids) and no I/O. The engine, the
 * exhaustive checker and the simulator all call this one function.
 *
 * The caller commits the new saga first and only then sends the commands. If
 * the commit fails it drops both: the old saga is still what the store holds.
 * Commands follow from the state, so recovery is saga_resume(): it gives what
 * the saga waits for, once more.
 *
 * A saga is plain data. Its texts and payloads are slices that the arena, the
 * event or the saga before owns; saga_copy() and the codec make it stand alone.
 */
#ifndef SKALD_CORE_SAGA_H
#define SKALD_CORE_SAGA_H

#include "base/shards.h"
#include "orchestrator/core/definition.h"

enum {
	/* Bytes of an id that somebody gives a saga: letters, digits, `-`, `_`, `.`, never
	 * `:`, `/` or `#`; and of any, as child_id() makes those of children. */
	SAGA_NAME_MAX = 64,
	CHILD_STEP_MAX = 15,
	CHILD_DIGITS = 16,
	SAGA_ID_MAX = SAGA_NAME_MAX + 1 + CHILD_STEP_MAX + 1 + CHILD_DIGITS,

	SIGNALS_MAX = 100,  /* that one saga takes, waiting and used */
	ROUNDS_MAX = 65535, /* operator retries of one refused command */
	SAGA_BYTES_MAX = 4 * 1024 * 1024,

	/* What payloads may take of it: the rest is for what a saga has to take whatever
	 * comes. One with the steps of many elements needs more for these. */
	SAGA_PAYLOADS_MAX = 3 * 1024 * 1024,
	SAGA_PAYLOADS_MAX_EACH = 2 * 1024 * 1024,
};

/* --- a saga ------------------------------------------------------------------ */

enum phase {
	PHASE_FORWARD,     /* steps are being done */
	PHASE_BACK,        /* what was done is being undone */
	PHASE_COMPLETED,   /* every step is done or skipped */
	PHASE_COMPENSATED, /* everything touched is undone */
	PHASE_KILLED,      /* an operator ended it as it was */
};

/* What people are told. Follows from phase and steps. */
enum status {
	STATUS_RUNNING,
	STATUS_COMPENSATING,
	STATUS_COMPLETED,
	STATUS_COMPENSATED,
	STATUS_PARKED, /* a step waits for a person; others may still go on */
	STATUS_KILLED,
};

enum verb {
	VERB_DO,
	VERB_UNDO,
	VERB_REVOKE, /* bar the pivot's do for good, or say that it was done */
};

enum step_state {
	STEP_WAITING,
	STEP_RUNNING, /* do or revoke in flight; await, sleep, parallel: under way */
	STEP_BACKOFF, /* do or revoke: waits for its next attempt */
	STEP_DONE,
	STEP_REFUSED,  /* business no: nothing was done */
	STEP_SKIPPED,  /* by `when`, by on_failure: ignore or by an operator */
	STEP_IN_DOUBT, /* no answer: it may have happened */
	STEP_UNDOING,  /* undo in flight; parallel: something in it is not undone yet */
	STEP_UNDO_BACKOFF,
	STEP_UNDONE, /* undone; a pivot: revoked */
	STEP_PARKED, /* `verb` needs a person */
	STEP_NEVER,  /* not started when the saga turned back */
};
enum { STEP_STATES = STEP_NEVER + 1 };

/* Why a step is in the state it is in, where the state alone does not say. */
enum why {
	WHY_NOTHING,
	WHY_REFUSED,    /* the participant said no */
	WHY_EXHAUSTED,  /* attempts or budget are used up */
	WHY_EXPIRED,    /* too old for the participant to know whether it happened */
	WHY_EXPRESSION, /* an expression failed: nothing was sent */
	WHY_CONDITION,  /* `when` was false, of the step or of what contains it */
	WHY_OPERATOR,   /* somebody skipped it */
	WHY_TIMEOUT,    /* the event that it awaits did not come */
	WHY_NO_ELEMENT, /* the list of the `each` around has no element for it */
	WHY_KILLED,     /* somebody killed the child saga: what it did stands */
};

enum step_flag {
	FLAG_TOUCHED = 1 << 0,    /* a do was dispatched and not plainly refused */
	FLAG_UNANSWERED = 1 << 1, /* an attempt of the do got no answer in time */
	FLAG_OUTPUT = 1 << 2,     /* `output` may be read by other steps */
	FLAG_LATE = 1 << 3,       /* `output` came late: for the step's own undo only */
	FLAG_WAIVED = 1 << 4,     /* its undo was given up, by policy or by an operator */
};

/* A sentence about what went wrong, with a code for programs. */
struct error {
	struct slice code;
	struct slice message;
};

struct step {
	uint8_t state;             /* enum step_state */
	uint8_t verb;              /* enum verb: the command that `attempt` counts */
	uint8_t why;               /* enum why */
	uint8_t flags;             /* enum step_flag */
	uint16_t do_round;         /* of do and revoke; from 0 */
	uint16_t undo_round;       /* from 0 */
	uint32_t attempt;          /* the newest that was sent; never starts again in a verb */
	uint32_t base;             /* attempts spent before an operator's retry */
	int64_t started_ms;        /* when its do was first sent; 0: not yet */
	int64_t ended_ms;          /* when it became done, refused, skipped or undone; 0 */
	int64_t due_ms;            /* back-off, sleep, await: when it ends; 0: no timer */
	int64_t budget_ms;         /* from when the retry budget counts; 0: not yet */
	struct slice output;       /* JSON; empty: none */
	const struct error *error; /* the newest; NULL: none */
};

/* An event from outside. It is kept when it comes before its await; its id is
 * kept for good, so that the same signal counts once. */
struct signal {
	struct slice id;
	struct slice event;
	struct slice payload; /* JSON; empty once it is used */
	bool used;
};

/* What an `each` came to: its list, and where the steps of its elements stand.
 * Those of the first element are the definition's own places; those of the others
 * follow each other behind all steps that the saga had until then. */
struct expansion {
	uint32_t step;             /* the `each` */
	uint32_t first;            /* the first step of the second element */
	uint32_t n;                /* elements; at least 1 */
	const struct slice *items; /* JSON */
};

enum saga_flag {
	SAGA_PAUSED = 1 << 0,   /* nothing new is sent */
	SAGA_TURNING = 1 << 1,  /* wants to turn back; the pivot's revoke decides */
	SAGA_OVERDUE = 1 << 2,  /* the deadline passed; it has had its effect */
	SAGA_REVERSED = 1 << 3, /* was completed before it was undone */
};

struct saga {
	struct slice id;
	struct slice key;
	struct slice parent; /* the saga whose child it is; empty: nobody's */
	uint8_t phase;       /* enum phase */
	uint8_t flags;       /* enum saga_flag */
	uint64_t revision;   /* 1 for a new saga, one more with every taken event */
	int64_t started_ms;
	int64_t updated_ms;
	int64_t ended_ms;    /* 0: not ended */
	int64_t deadline_ms; /* 0: none */
	struct slice input;  /* JSON */
	struct slice output; /* JSON; empty: none */

	/* Why it turned back; failure_step is NO_STEP for cancel, deadline, undo. */
	const struct error *failure; /* NULL: it did not */
	uint32_t failure_step;

	/* Those of the definition, in its order; then those of the second and later
	 * elements of each expansion, in the order of these. */
	uint32_t n_steps;
	uint32_t n_expansions;
	uint32_t n_signals;
	struct step *steps;
	const struct expansion *expansions;
	const struct signal *signals;
};

/* --- events ------------------------------------------------------------------ */

enum event_type {
	EVENT_REPLY,    /* a participant's answer */
	EVENT_TIMEOUT,  /* the current attempt got no answer in time */
	EVENT_DUE,      /* a step's timer ran out: back-off, sleep, await */
	EVENT_DEADLINE, /* the saga's deadline ran out */
	EVENT_SIGNAL,
	EVENT_CANCEL,
	EVENT_UNDO, /* turn a completed saga back */
	EVENT_PAUSE,
	EVENT_RESUME,
	EVENT_RETRY, /* one step, or all that can be (NO_STEP) */
	EVENT_SKIP,
	EVENT_KILL,
};
enum { EVENT_TYPES = EVENT_KILL + 1 };

enum outcome {
	OUTCOME_OK,
	OUTCOME_REFUSED, /* business no: nothing was done */
	OUTCOME_FAILED,  /* technical: try again */
	OUTCOME_EXPIRED, /* older than the participant remembers */
	OUTCOME_KILLED,  /* of a child saga: ended as it was, nobody knows how far it came */
};

struct event {
	enum event_type type;
	int64_t at_ms;

	uint32_t step; /* reply, timeout, due, retry, skip: an instance of a step */

	/* Reply and timeout: which command. Due: of a back-off, likewise. */
	enum verb verb;
	uint16_t round;
	uint32_t attempt;
	int64_t sent_ms; /* timeout, failed reply: when the attempt was handed over; 0: unknown
			  */
	enum outcome outcome;

	struct slice payload; /* reply: output; signal: payload; skip: output or empty */
	struct error error;   /* reply: what the participant says of refused or failed */

	struct slice name;   /* signal: the event's name */
	struct slice id;     /* signal: its id */
	struct slice actor;  /* operations: who */
	struct slice reason; /* operations: why */
	bool by_parent;      /* cancel, undo: the saga whose child it is wants it */
};

/* --- instances ---------------------------------------------------------------- */

/* Which step of the definition it is, and for which element of the `each` around
 * (0 where there is none). */
struct instance {
	uint32_t step;
	uint32_t element;
};

/* Of an index behind those of the definition. */
struct instance saga_later_instance(const struct definition *definition,
				    const struct saga *saga, uint32_t i);

/* The saga may be NULL where the index is one of the definition's own. */
static inline struct instance saga_instance(const struct definition *definition,
					    const struct saga *saga, uint32_t i)
{
	return i < definition->n_steps ? (struct instance){i, 0}
				       : saga_later_instance(definition, saga, i);
}

/* The other way round; NO_STEP: the saga has no such element (yet). */
uint32_t saga_instance_at(const struct definition *definition, const struct saga *saga,
			  struct instance at);

/* "reserve", or "reserve#2" of the third element; "reserve" alone means the only
 * element where there are several: then, as where there is no such step, NO_STEP. */
uint32_t saga_find(const struct definition *definition, const struct saga *saga,
		   struct slice name);

/* The name by which saga_find() finds it. */
enum { INSTANCE_NAME_MAX = NAME_MAX_BYTES + 8 };
struct slice saga_step_name(const struct definition *definition, const struct saga *saga,
			    uint32_t i, char room[INSTANCE_NAME_MAX]);

/* What the `each` came to; NULL: it has not started, or its list was empty. */
const struct expansion *saga_expansion(const struct saga *saga, uint32_t each);

/* The index of a step of the definition for that element, less that of the step
 * itself: the same for all steps of the `each`. */
uint32_t expansion_shift(const struct definition *definition, const struct expansion *expansion,
			 uint32_t element);

/* The steps that it adds to those of the definition. */
uint32_t expansion_added(const struct definition *definition,
			 const struct expansion *expansion);

/* Whether the saga has the steps that its definition and its lists ask for, and what is
 * under way in them is something that these steps can do: what a damaged store says may
 * be otherwise. */
bool saga_fits(const struct definition *definition, const struct saga *saga);

static inline const struct step_definition *saga_step_definition(
	const struct definition *definition, const struct saga *saga, uint32_t i)
{
	return &definition->steps[saga_instance(definition, saga, i).step];
}

/* Of the input, outputs, signals and elements together, and how much that may be. */
size_t saga_payload_size(const struct saga *saga);

static inline size_t saga_payload_max(const struct saga *saga)
{
	return saga->n_expansions ? SAGA_PAYLOADS_MAX_EACH : SAGA_PAYLOADS_MAX;
}

/* --- what follows ------------------------------------------------------------ */

struct command {
	uint32_t step;      /* the instance */
	struct instance at; /* which step it is, and for which element */
	enum verb verb;
	uint16_t round;
	uint16_t do_round; /* undo: which do it undoes */
	bool alone;        /* undo of a step that only has an undo: no do went before, so
			    * the participant runs it once, as it would run a do */
	uint32_t attempt;
	int64_t timeout_ms;  /* from when it is handed to the bus */
	int64_t first_ms;    /* when the step's do was first sent */
	struct slice args;   /* JSON; `{}` for revoke */
	struct slice key;    /* do of a child saga: its business key; empty: by default */
	struct slice output; /* undo: the do's output; empty where it is unknown */
};

/* One line of the saga's timeline. */
enum entry_type {
	ENTRY_STARTED, /* the saga */
	ENTRY_SENT,    /* an attempt of a command */
	ENTRY_OK,      /* replies ... */
	ENTRY_REFUSED,
	ENTRY_FAILED,
	ENTRY_EXPIRED,
	ENTRY_TIMEOUT, /* of an attempt */
	ENTRY_LATE_OK, /* after the saga gave the step up */
	ENTRY_ENTERED, /* await, sleep, parallel begin */
	ENTRY_LEFT,    /* ... and end */
	ENTRY_SKIPPED,
	ENTRY_IN_DOUBT,
	ENTRY_PARKED,
	ENTRY_ERROR,   /* an expression failed */
	ENTRY_TURNED,  /* the saga turns back */
	ENTRY_WENT_ON, /* it wanted to, but the pivot was done */
	ENTRY_DEADLINE,
	ENTRY_SIGNAL,
	ENTRY_OPERATION, /* detail: "kill: the customer called" */
	ENTRY_ENDED,     /* detail is the status */
	ENTRY_KILLED,    /* reply: somebody killed the child saga */
};

struct entry {
	int64_t at_ms;
	enum entry_type type;
	uint32_t step; /* NO_STEP: the saga as a whole */
	enum verb verb;
	uint32_t attempt;
	struct slice detail;
	struct slice actor;
};

struct effects {
	struct command *commands; /* to be sent, once the saga is committed */
	uint32_t n_commands;
	struct entry *entries; /* to be appended to the timeline */
	uint32_t n_entries;
	const char *refusal; /* VERDICT_REFUSED: why not, for the operator */
};

/* A moment at which the saga wants an event. */
struct timer {
	enum event_type type; /* EVENT_DUE or EVENT_DEADLINE */
	int64_t at_ms;
	uint32_t step;
	enum verb verb;
	uint16_t round;
	uint32_t attempt;
};

/* --- deciding ---------------------------------------------------------------- */

/* What an expression or template is evaluated for. */
enum purpose {
	PURPOSE_WHEN,
	PURPOSE_WITH,
	PURPOSE_UNDO,
	PURPOSE_UNTIL,
	PURPOSE_OUTPUT,
	PURPOSE_IN,  /* the list of an `each` */
	PURPOSE_KEY, /* of a child saga */
};

/* Evaluates what the definition says over the values of a saga. There is one
 * implementation for real values; the exhaustive checker, which has none, asks
 * its own and explores every answer. */
struct evaluator {
	/* OK and JSON (PURPOSE_WHEN: true or false; PURPOSE_UNTIL: a number of
	 * milliseconds since 1970; PURPOSE_IN: a list; PURPOSE_KEY: a text), ERR_INVALID with
	 * the failure's text, ERR_NOMEM. */
	enum err (*evaluate)(const struct evaluator *evaluator,
			     const struct definition *definition, const struct saga *saga,
			     uint32_t step, enum purpose purpose, struct arena *arena,
			     struct json *out, struct failure_text *failure);
};
extern const struct evaluator evaluator_values;

enum verdict {
	VERDICT_TAKEN,   /* commit *after, then act on the effects */
	VERDICT_IGNORED, /* old, repeated or already so: nothing changes */
	VERDICT_REFUSED, /* an operation or signal that is not possible in this state */
	VERDICT_NOMEM,   /* the arena gave no memory: nothing happened */
};

/* The business key of a saga with this input: what the definition's `key` comes
 * to, or else the id. ERR_INVALID with the failure's text: the start is to be
 * refused. ERR_NOMEM. */
CHECKED enum err saga_key(const struct definition *definition, struct slice id,
			  struct slice input, struct arena *arena, struct slice *out,
			  struct failure_text *failure);

/* How a new saga begins. */
struct start {
	struct slice id;
	struct slice key;
	struct slice input; /* JSON that the input schema allows */
	struct slice actor;
	struct slice parent; /* the saga whose child it is; empty: nobody's */
	bool barred; /* its undo came first: it is compensated before it does anything */

	/* For the exhaustive checker: room for the elements that it looks at, so that an
	 * index means the same step in all of its states. Those that a list then lacks
	 * are skipped. */
	const struct expansion *expansions;
	uint32_t n_expansions;
	int64_t at_ms;
};

/* VERDICT_TAKEN or VERDICT_NOMEM. */
enum verdict saga_begin(const struct definition *definition, const struct evaluator *evaluator,
			const struct start *start, struct arena *arena, struct saga *after,
			struct effects *effects);

/* *after and *effects are whole only where the verdict is VERDICT_TAKEN. *after
 * shares what did not change with *before and with the event. */
enum verdict saga_step(const struct definition *definition, const struct evaluator *evaluator,
		       const struct saga *before, const struct event *event,
		       struct arena *arena, struct saga *after, struct effects *effects);

/* Every command that the saga waits for, as it was last sent: for a saga that
 * was just loaded. VERDICT_TAKEN (there may be none) or VERDICT_NOMEM. */
enum verdict saga_resume(const struct definition *definition, const struct evaluator *evaluator,
			 const struct saga *saga, struct arena *arena, struct effects *effects);

/* The same for one step alone, a command of which is under way. */
enum verdict saga_resume_step(const struct definition *definition,
			      const struct evaluator *evaluator, const struct saga *saga,
			      uint32_t step, struct arena *arena, struct command *out);

/* The nth timer that runs, counted from 0; false where there are no more. */
bool saga_timer(const struct definition *definition, const struct saga *saga, uint32_t n,
		struct timer *out);

/* The one that runs out first; false: none. */
bool saga_next_timer(const struct definition *definition, const struct saga *saga,
		     struct timer *out);

/* --- looking ----------------------------------------------------------------- */

enum status saga_status(const struct saga *saga);
bool saga_ended(const struct saga *saga);

/* The pivot is done or skipped: nothing turns back any more. */
bool saga_passed_pivot(const struct definition *definition, const struct saga *saga);

/* Whether this step would be undone if the saga turned back now. */
bool step_needs_undo(const struct step_definition *definition, const struct step *step);

/* Whether a command of the step is under way at its participant. */
bool step_in_flight(const struct step_definition *definition, const struct step *step);

const char *status_text(enum status status);
const char *phase_text(enum phase phase);
const char *step_state_text(enum step_state state); /* "in doubt", "undo-backoff" */
const char *verb_text(enum verb verb);
const char *outcome_text(enum outcome outcome);
const char *event_text(enum event_type type);
const char *entry_text(enum entry_type type);
const char *why_text(enum why why);

/* Of any saga; and of one that is not a child, as people and services give them. */
bool saga_id_valid(struct slice id);
bool saga_name_valid(struct slice id);

/* "order-17/reserve#0/0/do": what a participant's barrier knows the command by,
 * the same for every attempt. The separators occur in no part. */
enum { COMMAND_ID_MAX = SAGA_ID_MAX + NAME_MAX_BYTES + 32 };
size_t command_id(const struct definition *definition, struct slice saga_id, struct instance at,
		  uint16_t round, enum verb verb, char out[COMMAND_ID_MAX]);

/* The id of the child saga that a round of this step starts: always the same. Its key
 * (base/shards.h) is that of its parent, so that the two are in the same shard. */
struct slice child_id(const struct definition *definition, struct slice saga_id,
		      struct instance at, uint16_t round, char out[SAGA_ID_MAX]);

#endif

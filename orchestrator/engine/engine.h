/* engine.h - what happens to events: the loop around the core.
 *
 * One turn takes a batch (replies, starts, signals, operations, timers that ran
 * out), decides each saga in memory, stores all changed sagas in one commit,
 * then hands the commands over, answers those who wait, and only then
 * acknowledges. The order is the guarantee: nothing is sent that is not stored,
 * nothing is acknowledged that is not sent. What a crash loses between two of
 * these comes back by itself: the bus repeats the replies, loading a saga sends
 * again what it waits for, and whoever observes or listens to the bus is told once more
 * of the batches that are not known to be sent, of sagas that have ended, too. Batches
 * have numbers for that; what was sent, and has arrived, is stored with a later one.
 *
 * The engine has no thread and asks nobody for the time but its clock, so that
 * a simulator can run it. What it calls (answers, observers, the log) must not
 * call it back, but for engine_forget and what only looks.
 */
#ifndef SKALD_ENGINE_ENGINE_H
#define SKALD_ENGINE_ENGINE_H

#include "base/clock.h"
#include "base/log.h"
#include "bus/bus.h"
#include "orchestrator/engine/limits.h"
#include "orchestrator/engine/pace.h"
#include "orchestrator/store/store.h"

enum {
	ENGINE_BATCH_MAX = 2000, /* messages that one turn takes, and timers likewise */

	/* Sagas changed and not stored yet, and the memory that it takes to change
	 * them. Whoever asks for more is told "busy"; what comes over the bus waits. */
	ENGINE_CHANGES_MAX = 10000,
	ENGINE_BATCH_BYTES_MAX = 64 * 1024 * 1024,

	/* What operations may take beyond that: who wants to help must not be kept out by
	 * those who only want more. */
	ENGINE_OPERATIONS_MAX = 1000,
	ENGINE_OPERATIONS_BYTES_MAX = 16 * 1024 * 1024,
};

struct engine;

struct engine_parts {
	struct store *store;
	struct bus *bus;
	const struct clock *clock;
	const struct log *log;
	uint64_t live_max;           /* sagas that may be unfinished at once; 0: 1,000,000 */
	const struct limits *limits; /* of participants, to begin with; NULL: none */
	uint64_t seed; /* of the ids that the engine makes: another for every process */

	/* A definition from its normal form, for those that the store has. */
	enum err (*read_definition)(struct slice normal, struct definition **out,
				    struct diag *diag);
};

/* Load definitions and the unfinished sagas, and hand over what these wait for. A
 * saga or definition that cannot be read is left where it is and logged, the saga
 * counted as well: it never keeps the others from running. ERR_NOMEM, and what the
 * store says. */
CHECKED enum err engine_open(const struct engine_parts *parts, struct engine **out,
			     struct diag *diag);

/* In a store that several share: these shards are ours from now on, and no others. What
 * is under way is finished first; then the sagas of those that go are dropped, and
 * whoever waits for them is told to ask again ("moved"). The sagas of those that come
 * are loaded by the next turn, which takes nothing else before. Those that stay are not
 * touched. What was taken by somebody else meanwhile is found by itself, and dropped
 * likewise: store->shards says what is ours. Errors as of the store: ask again. */
CHECKED enum err engine_own(struct engine *engine, const struct shards *wanted);

/* What was decided and is not stored is forgotten, and those who wait for it are not
 * answered: take turns until engine_wake_ms is not 0, for a clean end. NULL is fine. */
void engine_close(struct engine *engine);

/* Register a definition; takes it (sets *definition to NULL), whether or not it
 * succeeds. OK also where the same is there. ERR_CONFLICT: this name and version
 * are there with another content. ERR_INVALID: it does not go with its child sagas, or
 * with those whose child it is (core/family.h). The newest deployed version is what a start
 * without a version begins. */
CHECKED enum err engine_deploy(struct engine *engine, struct definition **definition,
			       struct diag *diag);
/* Definitions that others deployed in a store that is shared become known, at the latest
 * a second after they were; starts do that by themselves. */
void engine_learn(struct engine *engine);

/* NULL: none. Version empty: the newest. */
const struct definition *engine_definition(const struct engine *engine, struct slice name,
					   struct slice version);
const struct definition *engine_definition_by_hash(const struct engine *engine,
						   const uint8_t hash[SHA256_SIZE]);
void engine_each_definition(const struct engine *engine,
			    void (*visit)(void *context, const struct definition *),
			    void *context);

/* --- asking for something ------------------------------------------------------
 * Everything submitted is decided at once, in memory. The answer comes when it is
 * true, and exactly once: a refusal before the call returns, anything that changed
 * a saga once it is stored, in a later turn. What is passed may go after the call;
 * the texts of an answer are valid during it.
 *
 * ERR_BUSY: nothing happened, and asking again in a second may help (too much is
 * under way, the store does not take anything, another server was faster).
 * ERR_NOMEM: likewise. */

struct answer {
	enum err err;     /* OK; ERR_NOT_FOUND, ERR_INVALID, ERR_CONFLICT (refused in this
			   * state, or the key is taken by another input), ERR_BUSY, ... */
	const char *code; /* for programs: "unknown-saga", "bad-input", "refused", ...; or "" */
	const char *text; /* for people: what is wrong and what to do; or "" */
	struct slice saga_id; /* these: where err is OK or the code is "key-taken" (then of
			       * the saga that has it, if it can be read) */
	struct slice saga;    /* its name */
	struct slice version;
	struct slice key;
	bool created; /* start: false where the saga was there already */
	enum status status;
};
typedef void answered(void *context, const struct answer *answer);

/* A start with the id or key of a saga that is there is OK where name and input are
 * the same, however often it is made, and a conflict ("key-taken") where not. */
void engine_start(struct engine *engine, const struct start_message *start, answered *answer,
		  void *context);

/* Without an id the same signal twice counts twice. */
void engine_signal(struct engine *engine, const struct signal_message *signal, answered *answer,
		   void *context);

struct operation {
	struct slice saga_id;
	enum event_type type; /* EVENT_CANCEL ... EVENT_KILL */
	struct slice step;    /* retry (may be empty), skip */
	struct slice output;  /* skip: JSON or empty */
	struct slice actor;
	struct slice reason;
};
void engine_operate(struct engine *engine, const struct operation *operation, answered *answer,
		    void *context);

/* Whoever waits with this context is gone: do not answer. */
void engine_forget(struct engine *engine, void *context);

/* --- the loop ----------------------------------------------------------------------- */

/* One turn; *n is how many messages and timers it took. 0: there were none, so that
 * the next turn may wait until engine_wake_ms or until the bus has something.
 *
 * ERR_NOMEM: something could not be taken for want of memory; it is taken by a later
 * turn. Any other error is of the store (ERR_UNAVAILABLE also until it is tried
 * again, 100 ms later): the batch stays as it is, and nothing new is taken until it
 * is stored. Either way nothing is lost and nothing acknowledged: go on taking turns,
 * or, after ERR_CORRUPT, stop. */
CHECKED enum err engine_turn(struct engine *engine, size_t *n);

/* When the next turn is due: the next timer, or a turn that failed is to be tried
 * again; 0: at once; INT64_MAX: never, unless something comes. */
int64_t engine_wake_ms(const struct engine *engine);

/* --- limits ------------------------------------------------------------------------- */

/* From now on these. What they hold back waits in order, and
 * uses up neither attempts nor their time. */
void engine_set_limits(struct engine *engine, const struct limits *limits);

/* A participant that commands went to. */
struct engine_participant {
	struct slice name;
	struct limit_settings settings;
	uint32_t inflight; /* commands handed over, neither answered nor timed out */
	uint64_t held;     /* commands that its limits hold back */
	enum breaker breaker;
	uint64_t breaker_opened; /* how often */
	struct pace_report pace; /* of attempts: handed over, and answered */
};
void engine_each_participant(const struct engine *engine,
			     void (*visit)(void *context,
					   const struct engine_participant *participant),
			     void *context);
/* False: nothing went there yet. */
bool engine_participant(const struct engine *engine, struct slice name,
			struct engine_participant *out);

/* Why the command of a saga's step is held back; false: it is not. */
enum { ENGINE_HOLD_TEXT = 80 };
struct engine_hold {
	const char *by; /* "window", "rate", "breaker", "probe", "silence", "bus", "pause"; "":
			 * its turn is next */
	int64_t until_ms;            /* 0: until something is answered */
	char text[ENGINE_HOLD_TEXT]; /* "breaker open, next probe in 12s" */
};
bool engine_hold(const struct engine *engine, struct slice saga_id, uint32_t step,
		 struct engine_hold *out);

/* --- looking ------------------------------------------------------------------------ */

/* Called for every stored change, at least once: the saga's row and the timeline
 * entries that are new, of which the first has the number `first`, counted from 1 at the
 * saga's start. They are valid during the call. Changes of one saga are told in their
 * order. The first turn of an engine that was opened anew tells again what the one
 * before may not have told: what was told before has the same numbers. */
typedef void observed(void *context, const struct definition *definition,
		      const struct saga_row *row, const struct saga *saga,
		      const struct entry *entries, size_t n_entries, uint64_t first);
void engine_observe(struct engine *engine, observed *observer, void *context);

/* When the attempts of the saga's commands that are under way time out, by step; 0
 * where none was handed to the bus. `n` is the number of its steps. */
void engine_attempts(const struct engine *engine, struct slice saga_id, int64_t *due_ms,
		     uint32_t n);

struct engine_stats {
	uint64_t live;                     /* unfinished sagas in memory, after a turn */
	uint64_t started;                  /* since the engine was opened */
	uint64_t ended[STATUS_KILLED + 1]; /* by status */
	uint64_t turns, events, commands, commits, commit_failures, unreadable;
	uint64_t dead;   /* letters that were kept */
	int64_t busy_ms; /* spent in turns */
};
void engine_stats(const struct engine *engine, struct engine_stats *out);

/* Of sagas, in the last minute: from the start to the end. */
struct pace_report engine_pace(const struct engine *engine);

#endif

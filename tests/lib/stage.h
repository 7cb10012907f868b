/* stage.h - an engine whose clients and participants are a test, and who writes
 * down what is done and said to whom, in order.
 *
 * Two definitions: "errand" (fetch, which can be undone; then the event "go") and
 * "order" (pay, a pivot; its key is =input.order_id). Memory store behind a
 * tripwire, a bus that is the test's, a simulated clock. What is said reads
 *
 *	commit 1; send o-1/fetch#0/0/do 1; answer 7 created o-1 running; ack
 *
 * The texts of a message are gone once it is acknowledged, those of a call when it
 * returns, so that a sanitizer sees who keeps them.
 */
#ifndef SKALD_TESTS_LIB_STAGE_H
#define SKALD_TESTS_LIB_STAGE_H

#include "base/bytes.h"
#include "orchestrator/core/timeline.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/store/store_memory.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/tripwire.h"

enum { STAGE_CALLERS = 64 };

struct stage_caller {
	struct stage *stage;
	int number;
	int n_answers;
	struct answer last; /* its texts are gone */
};

struct stage {
	struct clock_sim clock;
	struct vault *vault;
	struct store *store; /* the real one */
	struct tripwire wire;
	struct store_tripwire store_wire;
	const struct store_ops *tripwire_ops;
	struct store_ops store_ops; /* these, but for commit and get */
	struct bus bus;
	struct letter *letters, **letters_end, **unread;
	uint32_t busy; /* so many commands are not taken */
	bool deaf;     /* nothing is written down */
	bool damaged;  /* no saga can be read from the store by its id */
	bool blind;    /* the store says that it stored something, and does not */
	struct log log;
	char logged[1024]; /* the newest line */
	uint64_t live_max;
	struct engine *engine;
	struct bytes said;
	uint64_t n_entries; /* seen by the observer */
	struct arena arena;
	struct stage_caller callers[STAGE_CALLERS]; /* each by its number; 0: not used */
};

void stage_open(struct stage *stage);
void stage_close(struct stage *stage);

/* Let the engine die and start another one on what is stored, with both definitions.
 * What was not acknowledged comes again. */
void stage_restart(struct stage *stage);

/* What was said since the last call; valid until more is. */
const char *stage_said(struct stage *stage);

/* One turn; turns until one takes nothing, which must succeed. */
enum err stage_turn(struct stage *stage);
void stage_turns(struct stage *stage);
void stage_advance(struct stage *stage, int64_t ms);

/* From now on the nth call to the store goes wrong in this way. */
void stage_trip(struct stage *stage, enum tripwire_effect effect, long n);

/* --- over the bus: these are for the next turn -------------------------------------- */

void stage_mail_start(struct stage *stage, uint64_t origin, bool watch,
		      struct start_message start);
void stage_mail_signal(struct stage *stage, uint64_t origin, struct signal_message signal);

/* The command "o-1/fetch#0/0/do", its first attempt. */
void stage_mail_reply(struct stage *stage, const char *command, enum message_outcome outcome,
		      const char *output);

/* --- calls: "told 3 ..." is what the caller with this number hears ------------------ */

void stage_start(struct stage *stage, int caller, struct start_message start);
void stage_signal(struct stage *stage, int caller, struct signal_message signal);
void stage_operate(struct stage *stage, int caller, struct operation operation);

/* Messages in few words. */
struct start_message stage_errand(const char *id, const char *input);
struct start_message stage_order(const char *id, const char *input);
struct signal_message stage_go(const char *saga_id, const char *signal_id);

/* The saga's row and its timeline as they are stored, valid until the next call;
 * false: it is not. */
bool stage_stored(struct stage *stage, const char *id, struct saga_row *row,
		  struct timeline *timeline);

#endif

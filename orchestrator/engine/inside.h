/* inside.h - what the parts of the engine share; private to this folder.
 *
 * A turn goes through them in this order: children.c carries out what stored sagas
 * want of their children; engine.c takes what came; start.c,
 * operate.c and events.c decide it and keep the result as changes; commit.c
 * stores the changes; settle.c does what is true then, with send.c, which hands
 * commands over, hold.c, which lets those go that were held back, answer.c, which tells those
 * who asked, and news.c, which tells the observer, after a crash once more, and with
 * publish.c whoever listens to the bus.
 * dead.c keeps what nobody could use.
 */
#ifndef SKALD_ENGINE_INSIDE_H
#define SKALD_ENGINE_INSIDE_H

#include "base/bytes.h"
#include "orchestrator/core/timeline.h"
#include "orchestrator/engine/catalog.h"
#include "orchestrator/engine/children.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/lanes.h"
#include "orchestrator/engine/live.h"

enum {
	ENTRY_REASON_MAX = 1000, /* bytes of a reason that an operator gives */

	/* Of what a participant says about a refusal or failure; more is cut off. */
	CODE_MAX = 64,
	TEXT_MAX = 1024,
	TEXT_MAX_EACH = 192, /* where the saga has the steps of many elements */

	/* When so many entries were added to one timeline the batch is stored before
	 * more are: what TIMELINE_BYTES_MAX has room for is never reached. */
	CHANGE_ENTRIES_MAX = 1000,

	EVENT_BYTES_MAX = 64 * 1024, /* an entry as JSON, however much is escaped in it */

	RETRY_MS = 100, /* until the store, or memory, is tried again */
};

/* Somebody who is answered once what was asked is stored. */
struct waiting {
	struct waiting *next;
	answered *answer; /* NULL: over the bus, to `origin` */
	void *context;
	uint64_t origin;         /* 0: nobody */
	struct watcher *watcher; /* owned: to be told of the end, too; NULL: not */
	bool operation;          /* of an operator */
	bool start;              /* asked for a saga, not for a change of one: */
	struct slice saga_name;  /* of this definition, */
	struct slice input;      /* with this input, in the batch's memory */
	bool created;            /* the saga is there because of this */
};

/* What the present batch has made of a saga. Lives in the batch's memory. */
struct change {
	struct change *next;
	struct live *live;
	struct saga saga;         /* as decided, or as it is stored where nothing was */
	struct slice timeline;    /* as it is stored */
	uint64_t stored_revision; /* 0: not stored yet */
	bool decided;             /* there is something to store */
	bool fresh;               /* begun in this batch */
	bool visiting;            /* was not in memory: held for this batch alone */
	uint32_t n_decisions;
	struct command *commands; /* of the newest decision */
	uint32_t n_commands;
	struct entry *entries; /* of all decisions */
	uint32_t n_entries, entries_capacity;
	struct audit_entry *audit; /* of all operations */
	uint32_t n_audit;
	struct waiting *waiting, **waiting_end;

	/* When it is to be stored. */
	struct slice record;       /* on the heap */
	uint32_t n_entries_stored; /* of its timeline */
};

/* A dead letter of the present batch. Lives in the batch's memory; the texts are the
 * message's, or there, too. */
struct dead_note {
	struct dead_note *next;
	struct dead_letter letter;
};

struct engine {
	struct engine_parts parts;
	struct catalog catalog;
	struct live_table table;
	struct lanes lanes;
	struct arena batch; /* all that is decided and not stored yet */
	struct change *changes, **changes_end;
	size_t n_changes;
	uint64_t sent;    /* the newest batch of which all was handed over; the next one is
			   * the present one, however often it is tried */
	uint64_t arrived; /* the newest of which all that was published is there, too */
	uint64_t awaited; /* nothing more happens until this one is */
	struct dead_note *dead, **dead_end;
	size_t n_dead;
	bool crowded; /* one of them has as many entries as a batch may add */

	/* Kept from batch to batch, so that storing one asks for little memory. */
	struct saga_write *writes;
	size_t writes_capacity;
	struct audit_entry *audit;
	size_t audit_capacity;
	struct bytes timeline, record, event; /* being written */
	struct arena scratch;                 /* while one change is settled */

	bool stalled;     /* the store did not take the batch: nothing new until it does */
	int64_t retry_ms; /* the last turn failed: when to try again; 0: it did not */

	struct asking asking; /* parents that want to know of their children */

	/* The message for which there was no memory: taken first in the next turn,
	 * and nothing is acknowledged until then. */
	bool held;
	struct inbox_message held_message;

	bool settling; /* whoever is told something now must not ask for anything */
	uint64_t ids;  /* made so far */
	observed *observer;
	void *observer_context;
	struct untold *untold, **untold_end; /* told before anything new happens */
	struct engine_stats stats;
	struct pace pace; /* of sagas */
	/* Of a store that several may share. */
	struct owner_table *owners; /* as they were read last; NULL: they were not */
	struct shards shards;       /* whose sagas are in the table, */
	struct shards to_load;      /* or are to be: nothing is taken before */
	struct store_batch newest;  /* of ours, as they were loaded */
	bool reading;               /* the store is passing sagas: it is not to be asked */
	int64_t look_ms;            /* when to look for what others wrote; 0: not */
	uint8_t n_looks;            /* left after a gain */
	uint64_t told_batch;        /* of ours, which says that they were told; 0: all were */
	int64_t check_ms;           /* when to ask whether what is ours is so still */

	uint64_t definition_changes; /* that the catalog has */
	int64_t learned_ms;          /* when that was looked at */
};

/* --- engine.c ----------------------------------------------------------------------- */

/* The batch has all that one may have: store it before more is decided. */
bool batch_full(const struct engine *engine);

/* It has no room for operations either. */
bool batch_full_for_operations(const struct engine *engine);

/* --- reading.c ---------------------------------------------------------------------- */

/* A saga as a store has it. */
struct stored_saga {
	const struct definition *definition;
	struct saga saga;
	struct slice timeline;
	uint32_t n_entries;
	uint64_t n_told; /* with those that were folded */
};

/* Its texts are parts of the record, the rest is in the arena. ERR_NOMEM;
 * ERR_CORRUPT: it cannot be read, or its definition is not there, says the diag. */
CHECKED enum err read_record(struct engine *engine, struct slice record, struct arena *arena,
			     struct stored_saga *out, struct diag *diag);

/* What a live saga notes of its timeline. */
void live_read(struct live *live, const struct stored_saga *stored);

/* One that cannot be read is left to people: log and count it. */
void leave_out(struct engine *engine, struct slice id, const char *why);

/* --- events.c ----------------------------------------------------------------------- */

/* The saga as the batch has it, to be decided on; NULL: out of memory. */
struct change *change_of(struct engine *engine, struct live *live);

/* An empty one; NULL: out of memory. */
struct change *change_add(struct engine *engine, struct live *live);

/* Decide one event. OK: taken, or of no account (*taken tells). ERR_CONFLICT:
 * refused, *refusal says why. ERR_TOO_LARGE, ERR_NOMEM: nothing happened. */
CHECKED enum err decide(struct engine *engine, struct change *change, const struct event *event,
			bool *taken, const char **refusal);

/* Keep what a decision noted and wants sent. ERR_NOMEM, never for the first one:
 * nothing is kept. */
CHECKED enum err keep_effects(struct engine *engine, struct change *change,
			      const struct effects *effects);

/* ERR_NOMEM: the same message is to be taken once more. */
CHECKED enum err receive_reply(struct engine *engine, const struct inbox_message *message);

/* Attempts that got no answer in time and timers that ran out. ERR_NOMEM: what is
 * left of them stays due. */
CHECKED enum err wake_saga(struct engine *engine, struct live *live, int64_t now_ms);

/* --- dead.c ------------------------------------------------------------------------- */

/* Keep a letter with the batch. ERR_NOMEM: the same message is to be taken once more. */
CHECKED enum err keep_dead(struct engine *engine, const struct dead_letter *letter);

/* A reply that is for nothing that there is; likewise. */
CHECKED enum err bury_reply(struct engine *engine, const struct inbox_message *message,
			    const char *reason, const char *text);

/* Store those of the batch, with which they are forgotten. What it returns is of the
 * store. */
CHECKED enum err store_dead(struct engine *engine);

/* --- answer.c ----------------------------------------------------------------------- */

/* Tell whoever waits. */
void answer(struct engine *engine, const struct waiting *waiting, const struct answer *text);
void refuse(struct engine *engine, const struct waiting *waiting, enum err err,
	    const char *code, const char *text);
void refuse_nomem(struct engine *engine, const struct waiting *waiting);

/* What is answered where all went well. */
struct answer answer_of(const struct definition *definition, const struct saga *saga,
			bool created);

/* Answer that nothing is taken at the moment; false: it is. */
bool refuse_busy(struct engine *engine, const struct waiting *waiting);

/* A copy that lasts as long as the batch, and has the watcher. NULL: out of memory. */
struct waiting *keep_waiting(struct engine *engine, struct waiting *waiting);

/* Answer it once the change is stored. */
void wait_for(struct change *change, struct waiting *kept);

/* --- start.c ------------------------------------------------------------------------ */

/* A new id, which sorts behind those that were made before. */
struct slice make_id(struct engine *engine, char out[26]);

void receive_start(struct engine *engine, const struct inbox_message *message);

/* Whether this saga is what the start asked for. */
bool same_start(const struct waiting *waiting, const struct definition *definition,
		const struct saga *saga);

/* It is not. */
void refuse_taken(struct engine *engine, const struct waiting *waiting,
		  const struct definition *definition, const struct saga *saga);

/* Begin a saga; `waiting` (NULL: nobody) is answered once it is stored. ERR_NOMEM. */
CHECKED enum err begin_saga(struct engine *engine, const struct definition *definition,
			    const struct start *start, struct waiting *waiting);

/* The store has another saga with this id or key, and here is its record. */
void answer_duplicate(struct engine *engine, struct waiting *waiting, struct slice record);

/* --- operate.c ---------------------------------------------------------------------- */

/* A saga that is not in memory: as a rule it has ended, and is held for the length of
 * the batch. One that has not stays. ERR_NOT_FOUND, ERR_NOMEM, ERR_CORRUPT (see the diag), of
 * the store. */
CHECKED enum err visit_saga(struct engine *engine, struct slice id, struct change **out,
			    struct diag *diag);

void receive_signal(struct engine *engine, const struct inbox_message *message);

/* --- send.c ------------------------------------------------------------------------- */

/* Commands of the saga as it is stored now. What the limits hold back, the bus has no
 * room for, or is of a saga that is paused, waits in its lane; what could not be noted
 * there is offered again: live->retry_ms then says when. */
void hand_over(struct engine *engine, struct live *live, const struct saga *saga,
	       const struct command *commands, uint32_t n);

/* One command. ERR_BUSY: the bus has no room, which the lane knows now. ERR_NOMEM: it
 * was not handed over, or could not be noted. What else the bus says. */
CHECKED enum err send_now(struct engine *engine, struct live *live,
			  const struct command *command, uint16_t lane, int64_t now_ms);

/* Something of it was not handed over: try again later. */
void offer_again(struct live *live, int64_t now_ms);

/* Send what the saga waits for and the bus does not have yet. */
void send_outstanding(struct engine *engine, struct live *live, const struct saga *saga,
		      struct arena *arena);

/* An attempt that was handed over has come to its end. */
void settle_handed(struct engine *engine, struct live *live, uint32_t step, enum limit_end end);

/* Nothing of the saga was handed over, and nothing is held back. */
void forget_sent(struct engine *engine, struct live *live);

/* Whether a client that watches a saga is told: it has ended or needs a person. */
bool status_final(enum status status);

/* Tell those that watch it, where that is so. */
void tell_watchers(struct engine *engine, struct live *live, enum status status);

/* --- hold.c ------------------------------------------------------------------------- */

/* Hand over what was held back and may go now; *n is how many commands that were.
 * ERR_NOMEM: some of it stays. */
CHECKED enum err release_held(struct engine *engine, int64_t now_ms, size_t *n);

/* The breaker was `was`: say so where it is another one now. */
void log_breaker(const struct engine *engine, const struct lane *lane, enum breaker was);

/* The same of a participant from which nothing comes, see limits.h. */
void log_silence(const struct engine *engine, const struct lane *lane, bool was);

/* --- publish.c ---------------------------------------------------------------------- */

/* Publish the entries, of which the first has this number. ERR_NOMEM: some may not
 * have been, and all are to be published again. */
CHECKED enum err publish_entries(struct engine *engine, const struct definition *definition,
				 const struct saga_row *row, const struct saga *saga,
				 const struct entry *entries, size_t n_entries, uint64_t first);

/* Nothing is to happen until more of what was published is there. */
bool publish_full(const struct engine *engine);

/* Ask the bus what has arrived. */
void publish_look(struct engine *engine);

/* How many entries at the end of the timeline, with those of this change, may not have
 * arrived. */
uint32_t news_of(const struct engine *engine, const struct change *change);

/* The change is stored, and published. */
void news_told(struct engine *engine, const struct change *change);

/* Who wrote the saga, and whether that has arrived, is not known. */
void news_unknown(struct engine *engine, struct live *live);

/* --- news.c ------------------------------------------------------------------------- */

void tell_observer(struct engine *engine, const struct definition *definition,
		   const struct saga_row *row, const struct saga *saga,
		   const struct entry *entries, size_t n_entries, uint64_t first);

/* A saga that can be read, loaded with what is not known to be sent. ERR_NOMEM. */
CHECKED enum err keep_untold(struct engine *engine, const struct loaded_saga *saga);

/* Likewise one that somebody else wrote. Where there are shards he has lost it, and tells
 * nobody: all of its entries are kept. */
CHECKED enum err keep_others(struct engine *engine, struct slice record, uint32_t n_entries);

/* Tell of all that were kept. ERR_NOMEM: some are left. */
CHECKED enum err tell_untold(struct engine *engine);
void drop_untold(struct engine *engine);

/* --- definitions.c ------------------------------------------------------------------ */

/* What others deployed becomes known. It asks at most once a second, or at once. Errors
 * as of the store. */
CHECKED enum err learn_definitions(struct engine *engine, bool at_once);

/* --- takeover.c --------------------------------------------------------------------- */

/* A saga that the store passes, as it has not ended or is not known to be sent. */
CHECKED enum err load_saga(void *engine, const struct loaded_saga *loaded);

/* A saga that the store has and the table may not, as whoever began it lost it before he
 * knew: one of ours that has not ended is in the table from now on. What it returns is in
 * the scratch memory, where the record may be. */
void take_stray(struct engine *engine, struct slice record);

/* The store may have found that shards are not ours any more: their sagas go. */
void drop_lost(struct engine *engine);

/* What has to be done because shards came: their sagas are loaded; later it is looked
 * for what others wrote too late. Errors as of the store. */
CHECKED enum err take_shards(struct engine *engine, int64_t now_ms);

/* When that has something to do next; INT64_MAX: never. */
int64_t shards_wake_ms(const struct engine *engine);

/* Tell that the saga is not ours. */
void tell_moved(struct engine *engine, const struct waiting *waiting);

/* The same, where it is so, or it is not loaded yet; false: it is ours. */
bool refuse_moved(struct engine *engine, const struct waiting *waiting, struct slice saga_id);

/* --- owners.c ----------------------------------------------------------------------- */

void owners_free(struct owner_table *table);

/* These were ours, and whose they are now was not read yet. No table is fine. */
void owners_forget(struct owner_table *table, const struct shards *lost);

/* --- commit.c ----------------------------------------------------------------------- */

/* Store the batch, then send and answer. What it returns is of the store, and then
 * the batch stays as it is and the engine is stalled. */
CHECKED enum err commit_batch(struct engine *engine);

/* Forget the batch: those who wait are not answered. */
void drop_batch(struct engine *engine);

/* --- settle.c ----------------------------------------------------------------------- */

/* What became of each change: engine->writes has the results. What cannot be settled
 * now stays a change, and is to be written once more: nothing that was decided is
 * forgotten. What it returns is of the store, or ERR_NOMEM. */
CHECKED enum err settle_all(struct engine *engine);

/* Nothing of it is stored, nor will be. Those who wait have been told. */
void drop_change(struct change *change);

/* The saga, of which nothing is decided, is what somebody else wrote. Takes the record,
 * which is on the heap; it has none where the saga has ended. There must be room to tell
 * a parent. */
void replace_saga(struct engine *engine, struct live *live, struct slice record,
		  const struct stored_saga *stored);

#endif

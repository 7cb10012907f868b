/* store.h - where sagas live between events.
 *
 * A saga's record (its versioned bytes and its timeline, record.h) is the truth;
 * what else a store writes is for people and queries and is never read back by
 * the engine. store_memory.c keeps everything in memory, store_sqlite.c in one
 * file. The comments below are the contract; tests/unit/test_store.c runs it
 * against every store.
 *
 * A store belongs to one thread at a time; only backup may be called from
 * another one while the store is in use. A `visit` must not call the store that
 * called it.
 */
#ifndef SKALD_STORE_STORE_H
#define SKALD_STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/shards.h"
#include "orchestrator/core/saga.h"
#include "proto/dead.h"

struct store {
	const struct store_ops *ops;

	/* Which sagas are this store's to write. Undivided: all, for as long as it is
	 * open. Otherwise what own() took, less what a commit or check() found to be
	 * somebody else's by now. */
	struct shards shards;

	/* What went wrong, and what to do, after ERR_IO, ERR_UNAVAILABLE or
	 * ERR_CORRUPT of any operation; of use until the next one. */
	struct diag trouble;

	/* Somebody wrote sagas of ours after we took them: store_look() gives them. */
	bool stirred;
};

/* What can be read and searched without looking into the record. */
struct saga_row {
	struct slice id;
	struct slice key; /* unique for the saga's name while the record is kept */
	struct slice saga;
	struct slice version;
	enum status status;
	bool paused;
	struct slice step;   /* where it is: the first step that is not settled; may be empty */
	struct slice reason; /* why it is parked, compensated or killed; may be empty */
	int64_t started_ms;
	int64_t updated_ms;
	int64_t ended_ms; /* 0: not ended */
	uint64_t revision;
};

/* Which of all batches of one writer a batch is: of the store, or, where several share
 * it, of this opening of it. Neither number ever goes back, whatever a commit says, so
 * that one who is late does no harm. */
struct store_batch {
	uint64_t number;
	uint64_t sent; /* all that follows from this batch, and from those before it,
			* was sent, and is where it was sent to */
};

/* One saga to be written. Its key, name, version and start are those of its
 * first write for ever. */
struct saga_write {
	struct saga_row row;
	struct slice record;
	uint64_t before; /* the revision that must be stored; 0: a new saga, whose id and
			  * key must not be there. row.revision, that afterwards, is larger */
	uint32_t n_news; /* entries at the end of its timeline that are of batches that
			  * were not sent, this one included */
	enum err result; /* set by commit: OK; ERR_CONFLICT: another revision is
			  * stored, or id or key are taken; ERR_BUSY: its shard is not
			  * ours, and whether it was written is for whoever has it */

	/* What the record holds, for stores that show people more than the row; NULL,
	 * both: it is not known. */
	const struct definition *definition;
	const struct saga *saga;
};

/* What loading gives of a saga. */
struct loaded_saga {
	struct slice record;
	bool sent;       /* all that follows from its newest write was */
	uint32_t n_news; /* of that write; 0 where it was sent */
};

struct saga_filter {
	struct slice saga, key, step; /* empty: any */
	const enum status *statuses;
	size_t n_statuses;          /* 0: any */
	int64_t since_ms, until_ms; /* started at or after, before; 0: any */
};

struct stored_definition {
	uint8_t hash[SHA256_SIZE];
	struct slice name;
	struct slice version;
	struct slice normal; /* the normal form */
	int64_t deployed_ms;
};

struct audit_entry {
	int64_t at_ms;
	struct slice saga_id;
	struct slice operation;
	struct slice actor;
	struct slice reason;
};

/* Who has a shard, of a store that several share. */
struct shard_owner {
	uint32_t shard;
	struct slice url;
	int64_t since_ms; /* when it was taken */
};

enum { STATUSES = STATUS_KILLED + 1 };

/* Dead letters that are kept, and their bytes: key, headers and value. */
enum { STORE_DEAD_MAX = 1000, STORE_DEAD_BYTES_MAX = 64 * 1024 * 1024 };

struct store_counts {
	uint64_t by_status[STATUSES];
};

/* Sagas are in the order of their start; of those that started in the same
 * millisecond, in the order in which they were written first. */
struct store_ops {
	/* Write a batch, with the audit entries that belong to it, all at once, and
	 * keep what it says of this batch and of those that were sent. OK:
	 * each write's result says what became of it, and what is OK is durable; a
	 * conflict concerns that saga alone. A saga occurs once in a batch.
	 * ERR_UNAVAILABLE, ERR_IO (disk full), ERR_NOMEM: nothing of the batch may be
	 * taken as written; the same batch may be tried again. ERR_CORRUPT: likewise,
	 * but it is of no use. Where several share the store, what was written of a
	 * shard that was lost before it counted is given as not sent to whoever has it,
	 * whatever later batches say. */
	enum err (*commit)(struct store *store, const struct store_batch *batch,
			   struct saga_write *writes, size_t n, const struct audit_entry *audit,
			   size_t n_audit);

	/* The saga's record (and row, where asked for), copied into the arena.
	 * ERR_NOT_FOUND, ERR_NOMEM, ERR_IO, ERR_UNAVAILABLE, ERR_CORRUPT, as
	 * everything that reads. */
	enum err (*get)(struct store *store, struct slice id, struct arena *arena,
			struct saga_row *row, struct slice *record);

	/* The id of the saga with that name and key. ERR_NOT_FOUND. */
	enum err (*find)(struct store *store, struct slice saga, struct slice key,
			 struct arena *arena, struct slice *id);

	/* Call for every saga of these shards (NULL: of all that are ours) that has not
	 * ended, in the order in which they were begun; and then, in the order of their start,
	 * for those that have ended and whose newest write is of a batch that was not sent,
	 * whoever's. Where several share the store, all in any order. What is passed is
	 * valid during the call; an error of `visit` ends the walk and is returned. *newest,
	 * set first: no saga that we wrote is of a later batch than its number. */
	enum err (*load)(struct store *store, const struct shards *which,
			 struct store_batch *newest,
			 enum err (*visit)(void *context, const struct loaded_saga *saga),
			 void *context);

	/* Up to `limit` rows that fit the filter, newest start first, beginning
	 * behind `after` (the id of the last row of the page before; empty: from
	 * the start). ERR_NOT_FOUND: `after` is not there any more. */
	enum err (*list)(struct store *store, const struct saga_filter *filter,
			 struct slice after, size_t limit,
			 enum err (*visit)(void *context, const struct saga_row *row),
			 void *context);

	enum err (*counts)(struct store *store, struct store_counts *out);

	/* Up to `limit` audit entries, newest first; of one saga, or of all (an empty
	 * id). They stay when the saga is removed. */
	enum err (*audit)(struct store *store, struct slice saga_id, size_t limit,
			  enum err (*visit)(void *context, const struct audit_entry *entry),
			  void *context);

	/* Definitions are immutable: the same hash again is OK, another hash for a
	 * name and version that is there is ERR_CONFLICT. They are visited in the
	 * order in which they were put. */
	enum err (*put_definition)(struct store *store,
				   const struct stored_definition *definition);
	enum err (*definitions)(struct store *store,
				enum err (*visit)(void *context,
						  const struct stored_definition *definition),
				void *context);

	/* Keep dead letters, all at once: one with an id that is there takes its place.
	 * Durable once it is OK; errors as of commit. Beyond STORE_DEAD_MAX of them, or
	 * STORE_DEAD_BYTES_MAX, those that were put first go; *n_dropped: how many. */
	enum err (*put_dead)(struct store *store, const struct dead_letter *letters, size_t n,
			     size_t *n_dropped);

	/* Up to `limit` of them without key, headers and value, those that were put last
	 * first, behind the one with the id `after` (empty: from the start).
	 * ERR_NOT_FOUND: that is not there any more. */
	enum err (*list_dead)(struct store *store, struct slice after, size_t limit,
			      enum err (*visit)(void *context,
						const struct dead_letter *letter),
			      void *context);

	/* One of them whole, in the arena. ERR_NOT_FOUND. */
	enum err (*get_dead)(struct store *store, struct slice id, struct arena *arena,
			     struct dead_letter *out);

	/* ERR_NOT_FOUND: there is none, or not any more. */
	enum err (*remove_dead)(struct store *store, struct slice id);

	/* Remove up to `limit` sagas that ended before, the longest ended first; *n:
	 * how many were. */
	enum err (*prune)(struct store *store, int64_t ended_before_ms, size_t limit,
			  size_t *n);

	/* When the last of all sagas ended that were ever removed; 0: none was. One
	 * that is not there and that did something later has never been there. */
	enum err (*removed)(struct store *store, int64_t *ended_ms);

	/* A consistent copy into a new file, while running. ERR_INVALID: this store
	 * has no files; ERR_CONFLICT: the file is there already; ERR_IO and the like:
	 * there is no such file. Its sentence is in the diag, not in `trouble`. */
	enum err (*backup)(struct store *store, const char *path, struct diag *diag);

	/* --- several owners of one store; NULL, all: it has one -------------------- */

	/* These are ours from now on, and no others. Whoever had one that is new can
	 * store nothing more of it: what was on its way then comes with look(). Of the
	 * same number of shards those that were ours stay as they are; of another one
	 * all are taken anew; check() first, so that what somebody else took is known to
	 * be new. Where somebody else was later than we, it is not in store->shards
	 * then. The time is for owners(). */
	enum err (*own)(struct store *store, const struct shards *wanted, int64_t now_ms);

	/* Whether what is ours is so still: one question. */
	enum err (*check)(struct store *store);

	/* The sagas of our shards, ended or not, that others wrote while we took and
	 * loaded them, or later; as of load. */
	enum err (*look)(struct store *store,
			 enum err (*visit)(void *context, const struct loaded_saga *saga),
			 void *context);

	/* What load and look gave as not sent, of shards that are ours ever since, was
	 * sent: it need not be given again, to nobody. */
	enum err (*told)(struct store *store);

	/* A number that is another one whenever somebody put a definition. */
	enum err (*definition_changes)(struct store *store, uint64_t *n);

	/* Call for every shard that anybody has. */
	enum err (*owners)(struct store *store,
			   enum err (*visit)(void *context, const struct shard_owner *owner),
			   void *context);

	void (*close)(struct store *store);
};

CHECKED enum err store_commit(struct store *store, const struct store_batch *batch,
			      struct saga_write *writes, size_t n,
			      const struct audit_entry *audit, size_t n_audit);
CHECKED enum err store_get(struct store *store, struct slice id, struct arena *arena,
			   struct saga_row *row, struct slice *record);
CHECKED enum err store_find(struct store *store, struct slice saga, struct slice key,
			    struct arena *arena, struct slice *id);
CHECKED enum err store_load(struct store *store, const struct shards *which,
			    struct store_batch *newest,
			    enum err (*visit)(void *context, const struct loaded_saga *saga),
			    void *context);
CHECKED enum err store_list(struct store *store, const struct saga_filter *filter,
			    struct slice after, size_t limit,
			    enum err (*visit)(void *context, const struct saga_row *row),
			    void *context);
CHECKED enum err store_counts(struct store *store, struct store_counts *out);
CHECKED enum err store_audit(struct store *store, struct slice saga_id, size_t limit,
			     enum err (*visit)(void *context, const struct audit_entry *entry),
			     void *context);
CHECKED enum err store_put_definition(struct store *store,
				      const struct stored_definition *definition);
CHECKED enum err store_definitions(
	struct store *store,
	enum err (*visit)(void *context, const struct stored_definition *definition),
	void *context);
CHECKED enum err store_prune(struct store *store, int64_t ended_before_ms, size_t limit,
			     size_t *n);
CHECKED enum err store_removed(struct store *store, int64_t *ended_ms);
CHECKED enum err store_put_dead(struct store *store, const struct dead_letter *letters,
				size_t n, size_t *n_dropped);
CHECKED enum err store_list_dead(struct store *store, struct slice after, size_t limit,
				 enum err (*visit)(void *context,
						   const struct dead_letter *letter),
				 void *context);
CHECKED enum err store_get_dead(struct store *store, struct slice id, struct arena *arena,
				struct dead_letter *out);
CHECKED enum err store_remove_dead(struct store *store, struct slice id);
CHECKED enum err store_backup(struct store *store, const char *path, struct diag *diag);
/* Where the store has one owner, these do nothing; *n of the last is 0. */
CHECKED enum err store_own(struct store *store, const struct shards *wanted, int64_t now_ms);
CHECKED enum err store_check(struct store *store);
CHECKED enum err store_look(struct store *store,
			    enum err (*visit)(void *context, const struct loaded_saga *saga),
			    void *context);
CHECKED enum err store_told(struct store *store);
CHECKED enum err store_definition_changes(struct store *store, uint64_t *n);
CHECKED enum err store_owners(struct store *store,
			      enum err (*visit)(void *context, const struct shard_owner *owner),
			      void *context);
void store_close(struct store *store); /* NULL is fine */

/* Whether nothing more happens to a saga of that status by itself. */
static inline bool status_ended(enum status status)
{
	return status == STATUS_COMPLETED || status == STATUS_COMPENSATED ||
	       status == STATUS_KILLED;
}

/* What is known of batches after a commit that says `said`. */
static inline void store_batch_advance(struct store_batch *known,
				       const struct store_batch *said)
{
	if (known->number < said->number)
		known->number = said->number;
	if (known->sent < said->sent)
		known->sent = said->sent;
}

/* Copy a letter's texts, too. False: the arena has no room. */
bool dead_letter_copy(struct arena *arena, const struct dead_letter *from,
		      struct dead_letter *out);

/* Copy the row's texts, too. False: the arena has no room. */
bool saga_row_copy(struct arena *arena, const struct saga_row *from, struct saga_row *out);

/* Whether a saga fits the filter; for stores without queries, and for tests. */
bool saga_filter_fits(const struct saga_filter *filter, const struct saga_row *row);

#endif

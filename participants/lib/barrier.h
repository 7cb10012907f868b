/* barrier.h - the participant's memory of commands: effects once.
 *
 * The rules (what a repeated, late, or overtaken command is answered) are in
 * barrier.c and the same for every participant. Where the records are kept is
 * a seam: in the same transaction as the handler's own writes, so that both
 * are there or neither is. barrier_memory.c keeps them in memory,
 * barrier_callbacks.c wherever the host does. The comments below are the
 * contract, and tests/unit/test_barrier.c runs it against every implementation.
 *
 *   - A command that was answered ok, and a do that was refused, is answered
 *     the same again without running anything. A failure leaves no record.
 *   - An undo or revoke that comes before its do bars the do: the do is refused
 *     whenever it comes. So is a do that comes again after it was undone.
 *   - A do without a record that was first sent longer ago than records are
 *     kept is answered expired, and so is its undo: nobody knows any more.
 */
#ifndef SKALD_PARTICIPANTS_BARRIER_H
#define SKALD_PARTICIPANTS_BARRIER_H

#include "base/arena.h"
#include "base/err.h"
#include "proto/message.h"
#include "skald/barrier.h"

enum barrier_state {
	BARRIER_NONE,    /* never seen, or pruned */
	BARRIER_OK,      /* done; `output` is its answer */
	BARRIER_REFUSED, /* refused; `code` and `text` are its answer */
	BARRIER_BARRED,  /* an undo or revoke came first */
	BARRIER_UNDONE,  /* done, and undone since */
};

struct barrier_record {
	enum barrier_state state;
	struct slice output;
	struct slice code;
	struct slice text;
	int64_t first_ms; /* when the do was first sent: what its age is counted from */
};

/* Records that are told, no more than there is room for. */
struct barrier_page {
	struct record_message *records;
	size_t n, max;
	int64_t since_ms; /* those first sent before are left out */
};

/* Add one, its id copied into the arena. ERR_TOO_LARGE, ERR_NOMEM. */
CHECKED enum err barrier_page_add(struct barrier_page *page, struct slice id,
				  enum barrier_state state, int64_t first_ms,
				  struct arena *arena);

struct barrier {
	const struct barrier_ops *ops;
};

struct barrier_ops {
	/* A transaction around a batch of commands. Between begin and its end the
	 * host's own writes belong to it, where the host shares the database. A
	 * commit that fails ends it, too, and has kept nothing, as far as it knows.
	 * To roll back where no transaction is open does nothing. */
	enum err (*begin)(struct barrier *barrier);
	enum err (*commit)(struct barrier *barrier);
	void (*rollback)(struct barrier *barrier);

	/* Within a transaction: what is written after the last mark can be taken
	 * back alone, and the mark stays. NULL, both: it cannot, and a transaction
	 * holds one command. */
	enum err (*mark)(struct barrier *barrier);
	enum err (*back)(struct barrier *barrier);

	/* The record of a command; BARRIER_NONE where there is none, and then all
	 * else is empty. Its texts are copied into the arena. */
	enum err (*find)(struct barrier *barrier, struct slice id, struct arena *arena,
			 struct barrier_record *out);

	/* Write or replace the record. */
	enum err (*keep)(struct barrier *barrier, struct slice id,
			 const struct barrier_record *record);

	/* Within a transaction: forget records with an earlier first_ms, looking at
	 * about `limit` of all. Called with every batch it gets to each of them.
	 * NULL: that is not its business. */
	enum err (*prune)(struct barrier *barrier, int64_t before_ms, size_t limit);

	/* Within a transaction: visit about `limit` records, beginning where the page
	 * before ended (empty: with the first). *next is where the next page begins,
	 * in the arena; empty: this was the last. A record that is there all the while
	 * is on one of the pages, or on two. NULL: it cannot be walked through. */
	enum err (*list)(struct barrier *barrier, struct slice after, size_t limit,
			 struct barrier_page *page, struct arena *arena, struct slice *next);

	/* Why the last call failed; borrowed until the next. NULL: nothing is known. */
	const char *(*why)(struct barrier *barrier);

	void (*close)(struct barrier *barrier);
};

/* Run the handler of a do or undo within the transaction. The reply's texts are
 * in the arena. False: it answers later, and has written nothing. */
typedef bool barrier_run(void *context, const struct command_message *command,
			 struct arena *arena, struct reply_message *reply);

/* What a batch of commands is answered with. */
struct barrier_desk {
	struct barrier *barrier;
	int64_t now_ms;
	int64_t horizon_ms; /* how long records are kept; 0: for ever */
	barrier_run *run;
	void *context; /* of run */
	struct arena *arena;
};

enum barrier_answer {
	BARRIER_ANSWERED, /* the reply is whole, and may be sent after the commit */
	BARRIER_LATER,    /* the handler answers later: no reply, no record, no effect */
};

/* Answer a command within a transaction: from a record, by a rule, or by running
 * it. Any error: the transaction is of no use any more and must be rolled back. */
CHECKED enum err barrier_answer(const struct barrier_desk *desk,
				const struct command_message *command,
				struct reply_message *reply, enum barrier_answer *answer);

/* Whether a transaction can hold more than one command. */
bool barrier_has_marks(const struct barrier *barrier);

void barrier_close(struct barrier *barrier); /* NULL is fine */

/* A host's skald_barrier is a struct barrier, seen from outside. */
static inline struct barrier *barrier_of(skald_barrier *barrier)
{
	return (struct barrier *)barrier;
}

#endif

/* barrier.h - the participant's memory of commands: effects once.
 *
 * The rules (what a repeated, late, or overtaken command is answered) are in
 * barrier.c and the same for every participant. Where the records are kept is
 * a seam: in the same transaction as the handler's own writes, so that both
 * are there or neither is. barrier_memory.c keeps them in memory; the comments
 * below are the contract, and tests/unit/test_barrier.c runs it against every
 * implementation.
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
};

struct barrier {
	const struct barrier_ops *ops;
};

struct barrier_ops {
	/* A transaction around one command. Between begin and its end the host's
	 * own writes belong to it, where the host shares the database. A commit
	 * that fails ends it, too, and has kept nothing, as far as it knows. */
	enum err (*begin)(struct barrier *barrier);
	enum err (*commit)(struct barrier *barrier);
	void (*rollback)(struct barrier *barrier);

	/* The record of a command; BARRIER_NONE where there is none. Its texts are
	 * copied into the arena. */
	enum err (*find)(struct barrier *barrier, struct slice id, struct arena *arena,
			 struct barrier_record *out);

	/* Write or replace the record. */
	enum err (*keep)(struct barrier *barrier, struct slice id,
			 const struct barrier_record *record);

	void (*close)(struct barrier *barrier);
};

/* Runs the handler of a do or undo within the transaction. The reply's texts
 * are in the arena. */
typedef void barrier_run(void *context, const struct command_message *command,
			 struct arena *arena, struct reply_message *reply);

/* Answer a command: from memory, by a rule, or by running it. `now_ms` and
 * `horizon_ms` (how long records are kept; 0: for ever) decide what is expired.
 * OK: the reply is whole and what it says is durable. Any other error: nothing
 * happened, and the command should come again. */
CHECKED enum err barrier_answer(struct barrier *barrier, const struct command_message *command,
				int64_t now_ms, int64_t horizon_ms, barrier_run *run,
				void *context, struct arena *arena,
				struct reply_message *reply);

void barrier_close(struct barrier *barrier); /* NULL is fine */

#endif

/* barrier.h - a participant's memory of the commands that it has answered.
 *
 * A command may come twice, late, or after its own undo. That it takes effect
 * once all the same is owed to its record, which is written in the same
 * transaction as the handler's own effects: both are there or neither is. So the
 * records lie where the service's own data lie. For SQLite see sqlite.h; for any
 * other database with transactions you lend the library the functions below.
 *
 * A record is a row of
 *
 *     id TEXT PRIMARY KEY, state INTEGER, first_ms BIGINT,
 *     output TEXT, code TEXT, text TEXT
 *
 * Only the library decides what is in it.
 */
#ifndef SKALD_BARRIER_H
#define SKALD_BARRIER_H

#include "skald/api.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct skald_barrier skald_barrier;

/* What became of a command. The numbers are for good. */
typedef enum {
	SKALD_RECORD_OK = 1,      /* it is done */
	SKALD_RECORD_REFUSED = 2, /* it was refused */
	SKALD_RECORD_BARRED = 3,  /* undone or revoked before it came: it may not be done */
	SKALD_RECORD_UNDONE = 4,  /* it was done, and undone since */
} skald_record_state;

typedef struct {
	skald_record_state state;
	int64_t first_ms;   /* when the do was first sent, Unix milliseconds */
	const char *output; /* texts are terminated; NULL: none */
	const char *code;
	const char *text;
} skald_record;

/* Where find() puts the record that it found. */
typedef struct skald_found skald_found;

/* Hand over a record; its texts are copied. */
SKALD_API void skald_found_set(skald_found *found, const skald_record *record);

/* Where list() puts the records that it passes. */
typedef struct skald_page skald_page;

/* Pass a record on; the id is copied. */
SKALD_API void skald_page_add(skald_page *page, const char *id, skald_record_state state,
			      int64_t first_ms);

/* Functions of the host. Each is called in the thread that polls the participant,
 * with the context that skald_barrier_new was given. Those that return int return
 * 0, or anything else where they failed: then the transaction is rolled back, and
 * its commands are tried again, one in a transaction. */
typedef struct {
	/* A transaction around some commands. Between begin and its end the handlers
	 * run, and their writes belong to it. What commit says is kept must be
	 * durable. A commit that fails has ended the transaction, too. */
	int (*begin)(void *context);
	int (*commit)(void *context);
	void (*rollback)(void *context);

	/* SAVEPOINT and ROLLBACK TO: a command that fails is taken back alone. A new
	 * mark replaces the last. Both NULL: there are none, and then there is one
	 * command in a transaction. */
	int (*mark)(void *context);
	int (*back)(void *context);

	/* Look for a record and give it to skald_found_set, where there is one. */
	int (*find)(void *context, const char *id, skald_found *found);

	/* Insert the record, or replace the one with this id. */
	int (*keep)(void *context, const char *id, const skald_record *record);

	/* Remove records whose first_ms is less than that; look at about `limit` of
	 * them at the most. NULL: records are removed by others, or kept for good. */
	int (*prune)(void *context, int64_t before_ms, size_t limit);

	/* Give the records whose ids are behind `after` to skald_page_add, in the order
	 * of the bytes of their ids (a database may need COLLATE "C" or BINARY for
	 * that), `limit` of them at the most. It is called in a transaction that
	 * writes nothing. NULL: `skald reconcile` cannot look for effects of sagas that
	 * nobody knows. */
	int (*list)(void *context, const char *after, size_t limit, skald_page *page);

	/* Why the last call failed, for the log. NULL: nothing is known. */
	const char *(*why)(void *context);

	/* The barrier is freed. NULL: nothing to do. */
	void (*close)(void *context);
} skald_barrier_callbacks;

/* The callbacks are copied. NULL: out of memory. */
SKALD_API skald_barrier *skald_barrier_new(const skald_barrier_callbacks *callbacks,
					   void *context);

/* Records that are gone when the process ends: for tests, and for services whose
 * own data are gone then, too. NULL: out of memory. */
SKALD_API skald_barrier *skald_barrier_memory(void);

/* NULL is fine. */
SKALD_API void skald_barrier_free(skald_barrier *barrier);

#ifdef __cplusplus
}
#endif

#endif

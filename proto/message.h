/* message.h - what orchestrator, participants and clients say to each other.
 *
 * Plain values; how they travel as bytes is the business of a bus. Texts are
 * slices that whoever handed out the message keeps alive.
 */
#ifndef SKALD_PROTO_MESSAGE_H
#define SKALD_PROTO_MESSAGE_H

#include "proto/dead.h"

#include <stdbool.h>
#include <stdint.h>

/* What a participant is asked to do with a command. */
enum message_verb {
	MESSAGE_DO,     /* run the handler, once; also for an undo without a do */
	MESSAGE_UNDO,   /* undo what `do_id` did; bar it where it has not come yet */
	MESSAGE_REVOKE, /* bar `do_id` for good, or refuse where it was done */
};

enum message_outcome { MESSAGE_OK, MESSAGE_REFUSED, MESSAGE_FAILED, MESSAGE_EXPIRED };

struct command_message {
	struct slice id; /* the same for every attempt: what the barrier knows it by */
	struct slice participant;
	struct slice command; /* names the handler; empty for revoke */
	enum message_verb verb;
	struct slice do_id; /* undo and revoke */
	struct slice saga_id;
	struct slice saga; /* the definition's name */
	uint32_t attempt;
	int64_t first_ms;    /* when the do was first sent */
	int64_t timeout_ms;  /* of this attempt */
	struct slice args;   /* JSON */
	struct slice output; /* undo: the do's output, JSON; empty: unknown */
};

struct reply_message {
	struct slice id; /* of the command */
	uint32_t attempt;
	enum message_outcome outcome;
	struct slice output; /* JSON; empty: none */
	struct slice code;   /* refused, failed, expired */
	struct slice text;
};

/* --- what a participant remembers ------------------------------------------------- */

enum record_state {
	RECORD_NONE,    /* never seen, or forgotten since */
	RECORD_OK,      /* done */
	RECORD_REFUSED, /* refused */
	RECORD_BARRED,  /* undone or revoked before it came */
	RECORD_UNDONE,  /* done, and undone since */
};

enum { RECORDS_MAX = 1000 }; /* that are asked for and told at once */

/* What is asked of a participant's barrier: the records of these commands or, where
 * none is named, a page of all. */
struct inquiry_message {
	uint64_t request; /* whoever asks knows it by this */
	const struct slice *ids;
	size_t n_ids;
	struct slice after; /* the `next` of the page before; empty: the first */
	int64_t since_ms;   /* without those first sent before */
	uint32_t limit;     /* look at about so many */
};

struct record_message {
	struct slice id; /* of the command */
	enum record_state state;
	int64_t first_ms; /* when the do was first sent */
};

struct records_message {
	uint64_t request;
	const struct record_message *records; /* of ids: one for each, in their order */
	size_t n;
	struct slice next;    /* a page: where the next begins; empty: it was the last */
	int64_t kept_ms;      /* what was first sent before may be forgotten; 0: nothing */
	struct slice trouble; /* why there are none; empty: all is well */
};

/* Which saga a client wants begun. */
struct start_message {
	struct slice saga;
	struct slice version; /* empty: the newest */
	struct slice id;      /* empty: the orchestrator makes one */
	struct slice key;     /* empty: as the definition says */
	struct slice input;   /* JSON */
	struct slice actor;
};

struct signal_message {
	struct slice saga_id;
	struct slice event;
	struct slice id; /* the same id twice counts once */
	struct slice payload;
	struct slice actor;
};

/* What became of a start or a signal. */
struct result_message {
	struct slice code; /* empty: done */
	struct slice text;
	struct slice saga_id;
	struct slice status;
	bool created; /* start: false where the saga was there already */
};

/* What happened to a saga, for anyone. */
struct event_message {
	struct slice saga_id;
	uint64_t number; /* of the saga's entries, from 1: the same when it is told again */
	int64_t at_ms;
	struct slice what; /* "turned back" */
	struct slice data; /* JSON: an object */
};

enum inbox_type { INBOX_REPLY, INBOX_START, INBOX_SIGNAL, INBOX_DEAD };

/* What comes to an orchestrator. */
struct inbox_message {
	enum inbox_type type;
	uint64_t origin; /* start, signal: whom to answer; 0: nobody waits */
	bool watch;      /* start: whoever sent it wants to hear of its end, too */
	union {
		struct reply_message reply;
		struct start_message start;
		struct signal_message signal;
		struct dead_letter dead; /* what nobody could use: keep it */
	};
};

#endif

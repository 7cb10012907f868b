/* parts.h - a reconciliation from inside; private to this folder.
 *
 * reconcile.c walks, witness.c asks the participants, look.c judges what they say.
 */
#ifndef SKALD_RECONCILE_PARTS_H
#define SKALD_RECONCILE_PARTS_H

#include "orchestrator/reconcile/reconcile.h"

enum {
	WORK_MAX = 32,        /* sagas that a turn reads, or 512 KiB of their records */
	WITNESSES_MAX = 2000, /* participants */
	SAGAS_PAGE = 50,
	LOOKS_AGREE = 2,   /* with the first one, three */
	ROUNDS_AGAIN = 12, /* looks at what differs, until it is given up as moving */
	CURSOR_MAX = 256,
};

/* A participant that is asked. */
struct witness {
	char name[NAME_MAX_BYTES + 1];
	uint64_t request;  /* under way; 0: none is */
	int64_t asked_ms;  /* when it was asked */
	bool owing;        /* an answer, */
	int64_t since_ms;  /* since then */
	int64_t retry_ms;  /* not before */
	bool failed;       /* it could not be asked, and that has been told */
	char trouble[256]; /* why there was no answer the last time; empty: it said nothing */
};

/* A command that is asked about. */
struct look {
	struct slice id; /* in the window's memory */
	uint32_t witness;
	bool asked;    /* in the inquiry that is under way */
	bool answered; /* in this round */
	enum record_state state;
	int64_t record_ms; /* when its do was first sent, as the barrier has it */
	int64_t kept_ms;
	struct expected expected;
	uint64_t revision; /* of the saga when it was read; 0: there was none */
	enum mismatch difference;
	uint8_t agreed; /* looks that said the same as the one before */
};

enum phase_of_reconcile {
	LISTING,  /* a page of sagas */
	READING,  /* the sagas of the page, into the window */
	ASKING,   /* for the commands of the window */
	JUDGING,  /* what was answered */
	PAUSING,  /* before another look at what differs */
	TURNING,  /* to the next page of a participant's records, or participant */
	AWAITING, /* the page */
	SORTING,  /* its records, into the window */
	OVER,
};

struct reconcile {
	struct reconcile_setup setup;
	char saga[NAME_MAX_BYTES + 1];
	enum phase_of_reconcile phase;
	enum phase_of_reconcile behind; /* the window */
	const char *why;                /* it cannot go on */
	struct reconcile_counts counts;
	size_t work; /* in this turn */
	int64_t wake_ms;

	struct witness *witnesses;
	size_t n_witnesses;

	/* The first walk: a page of sagas. */
	struct arena page;
	struct slice sagas[SAGAS_PAGE];
	size_t n_sagas, next_saga;
	char cursor[CURSOR_MAX + 1]; /* of either walk */
	int64_t last_started_ms;
	int64_t until_ms; /* 0: none */
	bool listed;      /* there is no further page */

	/* The second: a page of records. */
	uint32_t witness; /* whose */
	struct records_message records;
	size_t next_record;
	bool page_came;
	int64_t removed_ms; /* see store_removed */

	/* The window. */
	struct arena window;
	struct look *looks;
	size_t n_looks, next_look;
	size_t n_again; /* of those that were judged: stay for another look */
	int n_rounds;   /* looks at it */
	int64_t due_ms;

	/* The saga that was read last. */
	struct arena scratch;
	bool known, readable;
	struct saga_row row;
	struct saga saga_read;
	const struct definition *definition;
};

/* --- look.c ------------------------------------------------------------------------- */

/* Read a saga: reconcile->known and what follows. What it returns is of the store. */
CHECKED enum err look_read(struct reconcile *reconcile, struct slice id);

/* Add what is to be asked; the id is copied. NULL: no memory. */
struct look *look_add(struct reconcile *reconcile, struct slice id, uint32_t witness);

/* Hold what was answered against the record; looks that need another one stay. False:
 * not all of them were judged in this turn. */
bool look_judge(struct reconcile *reconcile);

/* What the record says of the command to the participant, and what that comes to. */
enum mismatch look_compare(const struct reconcile *reconcile, struct slice id,
			   const struct witness *witness, enum record_state state,
			   int64_t record_ms, int64_t kept_ms, struct expected *expected);

void look_tell(struct reconcile *reconcile, enum mismatch difference, struct slice command,
	       const struct witness *witness, const char *record, const char *barrier);

/* --- witness.c ---------------------------------------------------------------------- */

/* The one of that name; WITNESSES_MAX: no memory, or there are too many. */
uint32_t witness_of(struct reconcile *reconcile, struct slice name);
void witness_release(struct reconcile *reconcile);

/* Ask for what is not answered in the window. True: all is, or cannot be. */
bool witness_ask_window(struct reconcile *reconcile, int64_t now_ms);

/* Ask for the next page. True: it came, or cannot come. */
bool witness_ask_page(struct reconcile *reconcile, int64_t now_ms);

/* --- reconcile.c -------------------------------------------------------------------- */

/* The store fails, or there is no memory: that is the end. */
void reconcile_fail(struct reconcile *reconcile, enum err err);

#endif

/* shelf.h - a store of every kind, for tests that must hold over all of them.
 *
 * What a store keeps its sagas in (a vault, a folder or a database of its own)
 * outlives closing it, as a disk does. */
#ifndef SKALD_TESTS_LIB_SHELF_H
#define SKALD_TESTS_LIB_SHELF_H

#include "orchestrator/store/store.h"

struct vault;

enum shelf_kind { SHELF_MEMORY, SHELF_SQLITE, SHELF_MONGO, SHELF_KINDS };

struct shelf {
	enum shelf_kind kind;
	struct vault *vault;
	char folder[64];
	char uri[512]; /* of the database */
	struct store *store;
	struct arena arena; /* for the test, until shelf_close */
};

/* How many kinds there are to be had; asked by main before Check starts, which says so
 * where MongoDB is not. */
int shelf_find(void);
extern int shelf_kinds;

const char *shelf_name(enum shelf_kind kind);

/* An empty one. */
void shelf_open(struct shelf *shelf, enum shelf_kind kind);

/* In two parts, for tests in which opening may fail. NULL: out of memory. */
bool shelf_init(struct shelf *shelf, enum shelf_kind kind);
enum err shelf_open_store(struct shelf *shelf);

/* Close the store, and open what it left. */
void shelf_reopen(struct shelf *shelf);

/* Close it, and throw away all that it kept. */
void shelf_close(struct shelf *shelf);

/* --- sagas to put on it ------------------------------------------------------------- */

enum { SHELF_START_MS = 1000, SHELF_END_MS = 2000 };

/* What a test says about a write; the rest follows. */
struct shelf_saga {
	const char *id;
	const char *key;  /* NULL: the id */
	const char *saga; /* NULL: "order" */
	enum status status;
	int64_t started_ms; /* 0: SHELF_START_MS */
	int64_t ended_ms;   /* 0: SHELF_END_MS, where it has ended */
	const char *step;
	uint64_t revision;  /* 0: 1 */
	const char *record; /* NULL: the id */
};

/* The write borrows the texts; its result is none that a commit gives. */
struct saga_write shelf_write(struct shelf_saga saga);

/* Commit it alone, which must succeed; its result. */
enum err shelf_put(struct shelf *shelf, struct shelf_saga saga);

/* Whether that record is stored; NULL: whether the saga is not there. */
bool shelf_holds(struct shelf *shelf, const char *id, const char *record);

/* --- what a walk passes ----------------------------------------------------------------- */

struct shelf_walk {
	char text[200]; /* " a b c" */
	int stop_after; /* the visitor then fails; 0: never */
	int n;
};

/* Of everything that a test writes without a word about batches: it was sent. */
extern const struct store_batch shelf_batch;

/* Visitors; where they fail it is with ERR_NOT_FOUND, for which a store has a use
 * of its own. */
enum err shelf_note(struct shelf_walk *walk, struct slice text);
enum err shelf_note_record(void *walk, const struct loaded_saga *saga);
enum err shelf_note_row(void *walk, const struct saga_row *row); /* its id */

#endif

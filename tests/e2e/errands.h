/* errands.h - one saga of every form, and what each leaves in the services' books.
 *
 * A set of errands is started, signalled and cancelled by one client, who asks again
 * until it is answered, whatever happens to the server; the sets have numbers, so that
 * one after the other can be led through the same works. In the end every saga has ended
 * as its form does, and its lines in the books of inventory, payment and notification are
 * those of its form: nothing is missing, nothing is there twice.
 */
#ifndef SKALD_TESTS_E2E_ERRANDS_H
#define SKALD_TESTS_E2E_ERRANDS_H

#include "tests/e2e/works.h"

enum errand_form {
	ERRAND_GOOD,      /* completed: pivot, then what is retried until it succeeds */
	ERRAND_DECLINED,  /* the pivot is refused: compensated */
	ERRAND_SIDES,     /* parallel branches, then a refusal: both are undone */
	ERRAND_MANY,      /* each, twice, around the pivot */
	ERRAND_CHILD,     /* a child saga with the pivot */
	ERRAND_WAIT,      /* waits for a timer and a signal */
	ERRAND_CANCELLED, /* by an operator, while it waits */
	ERRAND_DOUBT,     /* a do that never works: its undo bars it */
	ERRAND_REVOKED,   /* a pivot that never works: it is revoked */
	ERRAND_NEWEST,    /* of a definition that is deployed just before */
	ERRAND_FORMS
};

/* All of a set, or one form of it. */
enum { ERRAND_ALL = ERRAND_FORMS };

struct errands {
	int set;
	int form; /* or ERRAND_ALL */
	struct deed *deeds;
	int n_deeds, n_starts, n_done;
};

extern const char *const errand_names[ERRAND_FORMS];

/* The definitions, into sagas/ of the folder at hand. */
void errands_write_definitions(void);

void errands_begin(struct errands *errands, int set, int form);

/* Start all of them, and leave one in the middle. True: all have been started. */
bool errands_start(struct errands *errands, const char *url);

/* Ask for what is not answered yet. True: all of it is, and every saga has ended. */
bool errands_go_on(struct errands *errands, const char *url);

/* What is under way, for whoever does not wait any longer. */
struct slice errands_under_way(const char *url, struct arena *arena);

/* Whether they ended as they must; what belongs to them in the books is noted for
 * errands_check_books. */
void errands_check_ends(struct errands *errands, const char *url);

/* The books of all sets that were noted; nothing else is in them. */
void errands_check_books(const struct works *works);

void errands_end(struct errands *errands);

#endif

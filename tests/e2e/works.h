/* works.h - a whole Skald as processes: the server, and the three services of the
 * order saga. Each can be killed, held and started again by itself.
 *
 * All is in the folder at hand: data/ is the server's, sagas/ its definitions, and
 * inventory.db, payment.db, notification.db are the services'.
 */
#ifndef SKALD_TESTS_E2E_WORKS_H
#define SKALD_TESTS_E2E_WORKS_H

#include "tests/lib/background.h"
#include "tests/lib/process.h"

enum work { SERVER, INVENTORY, PAYMENT, NOTIFICATION, N_WORKS };

enum { WORK_ARGS_MAX = 10 };

struct works {
	struct serving server;
	struct background services[N_WORKS]; /* by enum work; not of the server */

	/* More arguments, up to a NULL; a later one of the same name wins. */
	const char *args[N_WORKS][WORK_ARGS_MAX + 1];
};

extern const char *const work_names[N_WORKS];

/* Where the programs and the definitions are; before Check starts. */
void works_find(const char *argv0);
const char *works_program(enum work work);

/* A definition that is shipped, terminated; and as sagas/NAME of the folder at hand. */
struct slice works_definition(const char *name, struct arena *arena);
void works_copy_definition(const char *name);

/* Enter a folder in which sagas/ has the order saga. */
void works_enter(void);

/* With `instead` wherever it says `text`, which it has to say. */
struct slice works_replace(struct slice definition, const char *text, const char *instead,
			   struct arena *arena);

/* All of them; each is ready on return. */
void works_start(struct works *works);

/* One of them; the server at the same address as before. */
void works_start_one(struct works *works, enum work work);
pid_t works_pid(const struct works *works, enum work work);
void works_kill(struct works *works, enum work work);

/* They stop when they are asked to, and say that all was well. */
void works_stop(struct works *works);

/* The totals of a service's books, then a line for every saga, as JSON. The books
 * have to agree. */
struct slice works_audit(const struct works *works, enum work work, struct arena *arena);

/* What `skald reconcile --json` says, and its exit code; and that it finds nothing. */
struct process_result works_reconcile(const struct works *works, struct arena *arena);
void works_check_reconciled(const struct works *works);

/* Sagas that are running or compensating; -1: nobody says. */
int64_t works_under_way(const struct works *works);

/* Wait until there is none any more. */
void works_wait_idle(const struct works *works);

void works_sleep_ms(int ms);

#endif

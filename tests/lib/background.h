/* background.h - programs that run while a test does other things.
 *
 * They get the same environment as in process.h. Standard error goes to a file of
 * its own in the folder at hand; what else they need is the test's business. A
 * test that ends takes those with it that are left.
 */
#ifndef SKALD_TESTS_LIB_BACKGROUND_H
#define SKALD_TESTS_LIB_BACKGROUND_H

#include "tests/lib/process.h"

#include <sys/types.h>

struct background {
	pid_t pid;
	const char *log; /* name of the file */
};

/* The log is begun anew. */
void background_start(struct background *background, const struct process_setup *setup,
		      const char *log);

/* Wait until the log holds the text, and give all of it, terminated. The program
 * must not end before. */
struct slice background_until(const struct background *background, const char *text,
			      struct arena *arena);

/* Send the signal and wait for the end; the exit code, or 128 and the signal that
 * ended it. */
int background_stop(struct background *background, int signal);

/* Wait until it ends by itself. */
int background_wait(struct background *background);

/* --- a server --------------------------------------------------------------------- */

enum { SERVER_ARGS_MAX = 8, SERVER_URL_SIZE = 64 };

/* `skald serve` on data/ and sagas/ of the folder at hand, at a port that is free. */
struct serving {
	struct background process;
	char url[SERVER_URL_SIZE];
	char env[SERVER_URL_SIZE + 16]; /* "SKALD_SERVER=..." */
	const char *args[SERVER_ARGS_MAX + 1];
};

/* With more arguments, up to a NULL, which stay valid; it is ready on return. */
void serving_start(struct serving *serving, const char *skald, const char *const *args);

/* At the same port, and with the same arguments, as before. */
void serving_again(struct serving *serving, const char *skald);

/* --- the services of the order saga ----------------------------------------------- */

/* A process that answers as inventory, payment and notification at the socket of
 * the bus, with no books:
 *
 *	payment.charge      refused (card_declined) where the argument decline is true
 *	inventory.reserve   refused (out_of_stock) for more than 100; never answered
 *	                    for the sku "slow"
 *	inventory.confirm   refused for the sku "lost", until an operator tries again
 */
void services_start(struct background *services, const char *socket);

#endif

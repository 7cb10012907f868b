/* service.h - what the example services have in common: everything but the business.
 *
 * A service says which tables, statements and commands it has and how its books are
 * checked; service_main() makes a program of that. It keeps all its data in one
 * SQLite file, DATA/NAME.db, and the barrier's records with them; or elsewhere, where the
 * service knows how (--store). Nothing here sees more of Skald than what is installed.
 */
#ifndef SKALD_PARTICIPANTS_SERVICE_H
#define SKALD_PARTICIPANTS_SERVICE_H

#include "participants/service/faults.h"
#include "skald/barrier.h"
#include "skald/json.h"
#include "skald/participant.h"

#include <sqlite3.h>

enum { SERVICE_STATEMENTS_MAX = 16, SERVICE_TEXT_MAX = 256 };

struct service;

struct service_command {
	const char *name;
	const char *help; /* its arguments, and what it does */
	skald_outcome (*handle)(struct service *service, const skald_command *command,
				skald_reply *reply);

	/* With which code --faults decline=... refuses it; NULL: not. */
	const char *decline_code;
};

struct service_option {
	const char *name;     /* "stock" */
	const char *argument; /* "SKU=N"; NULL: a flag */
	const char *help;

	/* After the tables were made, in the order of the command line. False: it is
	 * no good; *error says why. */
	bool (*set)(struct service *service, const char *value, skald_error *error);
};

/* Another place than SQLite, which is behind --store. A service's options of its own are
 * for SQLite. */
struct service_store {
	const char *scheme; /* "mongo:" */
	const char *help;
	const struct service_command *commands; /* those of the kind, as they are kept there */

	/* Open what stands behind the scheme, as the service's `kept`, and write where that
	 * is, without secrets. NULL: *error says why not. Closed in any case. */
	skald_barrier *(*open)(struct service *service, const char *address,
			       char where[SERVICE_TEXT_MAX], skald_error *error);
	void (*close)(struct service *service);

	/* For the audit: what is there as rows of the tables of the kind, of `refusal` and
	 * of `skald_barrier (id, state)`, which are empty. False: *error says why not. */
	bool (*copy)(const char *address, sqlite3 *db, skald_error *error);
};

struct service_kind {
	const char *name; /* of the participant */
	const char *summary;
	const char *schema;                                 /* IF NOT EXISTS throughout */
	const char *statements[SERVICE_STATEMENTS_MAX + 1]; /* prepared, by number */
	const struct service_command *commands;             /* up to one without a name */
	const struct service_option *options;               /* likewise; NULL: none */
	const struct service_store *store;                  /* NULL: SQLite alone */

	/* Queries of the audit. Totals: one row. Sagas: a row for each, in the order of
	 * their ids. Problems: a row, of one text, for everything in the books that
	 * cannot be. Their columns are named as in the JSON. */
	const char *totals;
	const char *sagas;
	const char *problems;
};

struct service {
	const struct service_kind *kind;
	sqlite3 *db;
	sqlite3_stmt *statements[SERVICE_STATEMENTS_MAX];
	sqlite3_stmt *add_refusal;
	const struct service_store *store; /* instead of SQLite; NULL: not */
	void *kept;                        /* the store's own */
	struct faults faults;
};

/* The main of a service. */
int service_main(const struct service_kind *kind, int argc, char **argv);

/* --- for handlers --------------------------------------------------------------------- */

/* Run a prepared statement with these values, NULL for none. */
enum service_result { SERVICE_DONE, SERVICE_ROW, SERVICE_FAILED };

/* A statement, ready for its values. */
sqlite3_stmt *service_statement(struct service *service, int number);

/* SERVICE_ROW: the row can be read until service_reset. Otherwise it is reset. */
enum service_result service_step(sqlite3_stmt *statement);
void service_reset(sqlite3_stmt *statement);

/* The database said no: that is a failure, to be tried again. */
skald_outcome service_failed(struct service *service, skald_reply *reply);

/* Arguments that are missing or no good are refused: asking again is no use. */
skald_outcome service_bad_argument(skald_reply *reply, const char *name,
				   skald_json_result result);

#endif

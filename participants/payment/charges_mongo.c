/* charges_mongo.c - charges in MongoDB: one document for each, with its two entries of the
 * ledger and the record of its command.
 *
 *	{_id: "order-17/charge#0/0/do", cents: 1999, refunded: false, bank: 1999,
 *	 sales: -1999, skald: {...}}
 *
 * It stands for itself, so that no transaction over documents is needed; so a charge is
 * given back as a whole, by its undo, and in no other way.
 */
#include "participants/payment/payment.h"
#include "skald/mongo.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CONNECT_MS = 5000, SOCKET_MS = 10000, RECEIPT_MAX = 300 };

struct charges {
	mongoc_uri_t *uri;
	mongoc_client_t *client;
	mongoc_collection_t *collection;
	skald_mongo *mongo;
};

/* --- commands ------------------------------------------------------------------------ */

static bool set(struct service *service, bson_t *fields)
{
	struct charges *charges = service->kept;
	bool good = skald_mongo_set(charges->mongo, fields);

	bson_destroy(fields);
	return good;
}

static skald_outcome no_memory(skald_reply *reply)
{
	return skald_reply_fail(reply, "database", "there is no memory for the document");
}

static skald_outcome charge(struct service *service, const skald_command *command,
			    skald_reply *reply)
{
	char output[RECEIPT_MAX];
	int64_t cents;
	skald_outcome outcome = payment_read_charge(command, reply, &cents);

	if (outcome != SKALD_OK)
		return outcome;
	if (!set(service, BCON_NEW("cents", BCON_INT64(cents), "refunded", BCON_BOOL(false),
				   "bank", BCON_INT64(cents), "sales", BCON_INT64(-cents))))
		return no_memory(reply);
	/* An id has no character that a text of JSON would have to escape. */
	snprintf(output, sizeof output, "{\"receipt\":\"%s\"}", skald_command_id(command));
	return skald_reply_ok(reply, output);
}

/* The document is that of the do. Only an undo is told what a do has answered. */
static skald_outcome refund(struct service *service, const skald_command *command,
			    skald_reply *reply)
{
	if (!skald_command_output(command))
		return skald_reply_refuse(
			reply, "only_as_undo",
			"in MongoDB a charge is given back by its undo alone");
	if (!set(service, BCON_NEW("refunded", BCON_BOOL(true), "bank", BCON_INT64(0), "sales",
				   BCON_INT64(0))))
		return no_memory(reply);
	return skald_reply_ok(reply, skald_command_output(command));
}

static const struct service_command commands[] = {
	{"charge", PAYMENT_CHARGE_HELP, charge, PAYMENT_DECLINED},
	{"refund", "the undo of charge -> {receipt}", refund, NULL},
	{0},
};

void payment_hide_counters(void)
{
	char name[32];

	snprintf(name, sizeof name, "/mongoc-%ld", (long)getpid());
	shm_unlink(name);
}

/* --- the database ---------------------------------------------------------------------- */

/* What the library has to say is in the errors that it returns. */
static void say_nothing(mongoc_log_level_t level, const char *domain, const char *message,
			void *context)
{
}

static void set_default(mongoc_uri_t *uri, const char *option, int32_t value)
{
	if (!mongoc_uri_has_option(uri, option))
		mongoc_uri_set_option_as_int32(uri, option, value);
}

static void close_charges(struct charges *charges)
{
	if (!charges)
		return;
	mongoc_collection_destroy(charges->collection);
	mongoc_client_destroy(charges->client);
	mongoc_uri_destroy(charges->uri);
	free(charges);
	mongoc_cleanup();
}

/* NULL: *error says why not. Nothing is asked of the server yet. */
static struct charges *open_charges(const char *address, skald_error *error)
{
	struct charges *charges = calloc(1, sizeof *charges);
	const char *database;
	bson_error_t why = {0};

	mongoc_log_set_handler(say_nothing, NULL);
	mongoc_init();
	if (charges)
		charges->uri = mongoc_uri_new_with_error(address, &why);
	if (charges && charges->uri) {
		set_default(charges->uri, MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_MS);
		set_default(charges->uri, MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_MS);
		charges->client = mongoc_client_new_from_uri(charges->uri);
	}
	if (!charges || !charges->client) {
		snprintf(error->text, sizeof error->text,
			 "--store: the URI is no good: %.250s; write "
			 "mongo:mongodb://USER:PASSWORD@HOST:PORT/DATABASE",
			 why.message[0] ? why.message
					: "it asks for what this build cannot do");
		close_charges(charges);
		return NULL;
	}
	database = mongoc_uri_get_database(charges->uri);
	mongoc_client_set_error_api(charges->client, MONGOC_ERROR_API_VERSION_2);
	charges->collection = mongoc_client_get_collection(
		charges->client, database && *database ? database : "skald", "payment");
	return charges;
}

static void close_store(struct service *service)
{
	close_charges(service->kept);
}

/* Whether it answers, and lets us in. */
static bool check_server(struct charges *charges, const char *where, skald_error *error)
{
	const char *user = mongoc_uri_get_username(charges->uri);
	bson_t *ping = BCON_NEW("ping", BCON_INT32(1));
	bson_error_t why = {0};
	bool good =
		mongoc_client_command_simple(charges->client, "admin", ping, NULL, NULL, &why);

	bson_destroy(ping);
	if (!good && user && why.domain == MONGOC_ERROR_CLIENT &&
	    why.code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
		snprintf(error->text, sizeof error->text,
			 "--store: MongoDB at %.100s does not accept the user %.64s with this "
			 "password: %.200s; correct the URI",
			 where, user, why.message);
	else if (!good)
		snprintf(error->text, sizeof error->text,
			 "--store: MongoDB at %.100s cannot be asked: %.250s; see whether it "
			 "runs there, and whether the URI is right",
			 where, why.message);
	return good;
}

static skald_barrier *open_store(struct service *service, const char *address,
				 char where[SERVICE_TEXT_MAX], skald_error *error)
{
	static const char scheme[] = "mongo:";
	struct charges *charges = open_charges(address, error);
	const mongoc_host_list_t *host;
	skald_barrier *barrier;
	size_t len;

	service->kept = charges;
	if (!charges)
		return NULL;
	host = mongoc_uri_get_hosts(charges->uri);
	snprintf(where, SERVICE_TEXT_MAX, "%s%.200s", scheme,
		 host ? host->host_and_port : mongoc_uri_get_srv_hostname(charges->uri));
	if (!check_server(charges, where + strlen(scheme), error))
		return NULL;
	barrier = skald_mongo_barrier(charges->collection, &charges->mongo, error);
	len = strlen(error->text);
	if (!barrier)
		snprintf(error->text + len, sizeof error->text - len,
			 "; --store: is %.60s the primary, and may the user of the URI write?",
			 where + strlen(scheme));
	return barrier;
}

/* --- the books ------------------------------------------------------------------------- */

static int64_t number_of(const bson_t *document, const char *name)
{
	bson_iter_t iter;

	return bson_iter_init_find(&iter, document, name) ? bson_iter_as_int64(&iter) : 0;
}

static const char *text_at(const bson_t *document, const char *path)
{
	bson_iter_t iter, found;

	return bson_iter_init(&iter, document) &&
			       bson_iter_find_descendant(&iter, path, &found) &&
			       BSON_ITER_HOLDS_UTF8(&found)
		       ? bson_iter_utf8(&found, NULL)
		       : NULL;
}

static bool insert(sqlite3 *db, const char *sql, const char *command, int64_t receipt,
		   int64_t cents, int64_t more)
{
	sqlite3_stmt *statement = NULL;
	bool good = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK;

	if (good) {
		sqlite3_bind_text(statement, 1, command, -1, SQLITE_STATIC);
		sqlite3_bind_int64(statement, 2, receipt);
		sqlite3_bind_int64(statement, 3, cents);
		sqlite3_bind_int64(statement, 4, more);
		good = sqlite3_step(statement) == SQLITE_DONE;
	}
	sqlite3_finalize(statement);
	return good;
}

/* What is barred, or the undo of what never came, has no charge. */
static bool copy_one(sqlite3 *db, const bson_t *document, int64_t receipt)
{
	const char *id = text_at(document, "_id"), *state = text_at(document, "skald.state"),
		   *undo = text_at(document, "skald.undo.id");
	int64_t cents = number_of(document, "cents");
	int64_t back = number_of(document, "refunded") ? cents : 0;
	bson_iter_t iter;
	bool undone;

	if (!id || !state)
		return true;
	if (strcmp(state, "refused") == 0)
		return insert(db, "INSERT INTO refusal (command) VALUES (?1)", id, 0, 0, 0);
	if (!bson_iter_init_find(&iter, document, "cents"))
		return true;
	undone = strcmp(state, "undone") == 0;
	return insert(db, "INSERT INTO skald_barrier VALUES (?1, ?2)", id, undone ? 4 : 1, 0,
		      0) &&
	       insert(db, "INSERT INTO charge VALUES (?2, ?1, ?3, ?4)", id, receipt, cents,
		      back) &&
	       insert(db, "INSERT INTO entry VALUES (NULL, ?2, 'bank', ?3)", id, receipt,
		      number_of(document, "bank"), 0) &&
	       insert(db, "INSERT INTO entry VALUES (NULL, ?2, 'sales', ?3)", id, receipt,
		      number_of(document, "sales"), 0) &&
	       (!undone || insert(db, "INSERT INTO refund VALUES (NULL, ?1, ?2, ?3)",
				  undo ? undo : id, receipt, cents, 0));
}

static bool copy(const char *address, sqlite3 *db, skald_error *error)
{
	struct charges *charges = open_charges(address, error);
	bson_t all = BSON_INITIALIZER;
	mongoc_cursor_t *cursor;
	const bson_t *document;
	bson_error_t why = {0};
	int64_t receipt = 0;
	bool good = true;

	if (!charges)
		return false;
	cursor = mongoc_collection_find_with_opts(charges->collection, &all, NULL, NULL);
	while (good && mongoc_cursor_next(cursor, &document))
		good = copy_one(db, document, ++receipt);
	if (!good)
		snprintf(error->text, sizeof error->text, "cannot read the books: %s",
			 sqlite3_errmsg(db));
	else if (mongoc_cursor_error(cursor, &why))
		snprintf(error->text, sizeof error->text, "cannot read the books: %.300s",
			 why.message);
	mongoc_cursor_destroy(cursor);
	bson_destroy(&all);
	close_charges(charges);
	return good && !why.message[0];
}

const struct service_store payment_mongo = {
	.scheme = "mongo:",
	.help = "mongo:mongodb://HOST:PORT/DATABASE, the charges in MongoDB instead of SQLite; "
		"in --data is then only what commands the process died of",
	.commands = commands,
	.open = open_store,
	.close = close_store,
	.copy = copy,
};

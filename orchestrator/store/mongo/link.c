#include "orchestrator/store/mongo/link.h"

#include "orchestrator/store/mongo/store_mongo.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The servers, without what the URI says of users. */
static void name_servers(struct link *link, const mongoc_uri_t *uri)
{
	size_t len = 0;

	link->where[0] = '\0';
	for (const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri);
	     host && len < sizeof link->where - 1; host = host->next) {
		snprintf(link->where + len, sizeof link->where - len, "%s%.200s",
			 len ? "," : "", host->host_and_port);
		len = strlen(link->where);
	}
	if (!len)
		snprintf(link->where, sizeof link->where, "%.200s",
			 mongoc_uri_get_srv_hostname(uri) ? mongoc_uri_get_srv_hostname(uri)
							  : "?");
}

static enum err read_uri(const char *text, mongoc_uri_t **out, struct diag *diag)
{
	bson_error_t error = {0};
	mongoc_uri_t *uri = mongoc_uri_new_with_error(text, &error);
	const char *database = uri ? mongoc_uri_get_database(uri) : NULL;

	if (!uri)
		return diag_set(diag, ERR_INVALID,
				"the URI of the store is no good: %.300s; write "
				"mongo:mongodb://USER:PASSWORD@HOST:PORT/DATABASE",
				error.message);
	if (database && strlen(database) >= LINK_NAME_MAX) {
		mongoc_uri_destroy(uri);
		return diag_set(diag, ERR_INVALID,
				"the name of the database is longer than %d bytes",
				LINK_NAME_MAX - 1);
	}
	*out = uri;
	return OK;
}

enum err link_check(const char *text, struct diag *diag)
{
	mongoc_uri_t *uri = NULL;
	enum err err = read_uri(text, &uri, diag);

	mongoc_uri_destroy(uri);
	return err;
}

static void set_default(mongoc_uri_t *uri, const char *option, int32_t value)
{
	if (!mongoc_uri_has_option(uri, option))
		mongoc_uri_set_option_as_int32(uri, option, value);
}

/* A majority is what no fail-over takes back. */
static void set_concerns(mongoc_client_t *client)
{
	mongoc_write_concern_t *write = mongoc_write_concern_new();
	mongoc_read_concern_t *read = mongoc_read_concern_new();
	mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);

	mongoc_write_concern_set_wmajority(write, LINK_WRITE_MS);
	mongoc_read_concern_set_level(read, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
	mongoc_client_set_write_concern(client, write);
	mongoc_client_set_read_concern(client, read);
	mongoc_client_set_read_prefs(client, primary);
	mongoc_write_concern_destroy(write);
	mongoc_read_concern_destroy(read);
	mongoc_read_prefs_destroy(primary);
}

/* The first question, which also shows whether it can be reached and lets us in. */
static enum err check_server(struct link *link, struct diag *diag)
{
	bson_t ask = BSON_INITIALIZER, answer;
	bson_iter_t iter, element;
	const char *version = "?";
	bson_error_t error = {0};
	int64_t major = 0;
	enum err err = OK;
	bool good;

	BSON_APPEND_INT32(&ask, "buildInfo", 1);
	good = mongoc_client_command_simple(link->client, "admin", &ask, NULL, &answer, &error);
	if (!good) {
		err = link_failed(link, &error, diag);
	} else {
		if (bson_iter_init_find(&iter, &answer, "versionArray") &&
		    bson_iter_recurse(&iter, &element) && bson_iter_next(&element))
			major = bson_iter_as_int64(&element);
		if (bson_iter_init_find(&iter, &answer, "version") &&
		    BSON_ITER_HOLDS_UTF8(&iter))
			version = bson_iter_utf8(&iter, NULL);
		if (major < LINK_VERSION_MIN)
			err = diag_set(
				diag, ERR_INVALID,
				"MongoDB at %s is version %.40s; %d.0 or later is needed",
				link->where, version, LINK_VERSION_MIN);
	}
	bson_destroy(&answer);
	bson_destroy(&ask);
	return err;
}

/* One member of a set of replicas that the URI names alone is asked, whatever it is. */
static enum err check_writable(struct link *link, struct diag *diag)
{
	size_t n;
	mongoc_server_description_t **servers =
		mongoc_client_get_server_descriptions(link->client, &n);
	const char *kind = n == 1 ? mongoc_server_description_type(servers[0]) : "";
	enum err err = OK;

	if (strncmp(kind, "RS", 2) == 0 && strcmp(kind, "RSPrimary") != 0)
		err = diag_set(diag, ERR_UNAVAILABLE,
			       "MongoDB at %s is not the primary of its replicas and takes no "
			       "writes; name all of them in the URI of the store, with "
			       "?replicaSet=NAME",
			       link->where);
	mongoc_server_descriptions_destroy_all(servers, n);
	return err;
}

void store_mongo_hide_counters(void)
{
	char name[32];

	snprintf(name, sizeof name, "/mongoc-%ld", (long)getpid());
	shm_unlink(name);
}

/* What the library has to say is in the errors that it returns. */
static void say_nothing(mongoc_log_level_t level, const char *domain, const char *message,
			void *context)
{
}

/* NULL: the URI asks for what this build cannot do. */
static mongoc_client_t *make_client(const mongoc_uri_t *uri)
{
	mongoc_client_t *client = mongoc_client_new_from_uri(uri);

	if (!client)
		return NULL;
	mongoc_client_set_appname(client, "skald");
	mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
	set_concerns(client);
	return client;
}

enum err link_open(struct link *link, const char *text, struct diag *diag)
{
	const char *database;
	enum err err;

	*link = (struct link){.opening = true};
	err = read_uri(text, &link->uri, diag);
	if (err)
		return err;
	mongoc_log_set_handler(say_nothing, NULL);
	mongoc_init();
	set_default(link->uri, MONGOC_URI_CONNECTTIMEOUTMS, LINK_CONNECT_MS);
	set_default(link->uri, MONGOC_URI_SOCKETTIMEOUTMS, LINK_SOCKET_MS);
	database = mongoc_uri_get_database(link->uri);
	snprintf(link->database, sizeof link->database, "%s",
		 database && *database ? database : "skald");
	name_servers(link, link->uri);
	link->client = make_client(link->uri);
	err = link->client
		      ? check_server(link, diag)
		      : diag_set(diag, ERR_INVALID,
				 "the URI of the store asks for what this build cannot do");
	if (!err)
		err = check_writable(link, diag);
	if (err)
		link_close(link);
	return err;
}

void link_close(struct link *link)
{
	mongoc_client_destroy(link->client);
	mongoc_uri_destroy(link->uri);
	*link = (struct link){.client = NULL};
}

void link_renew(struct link *link)
{
	mongoc_client_t *client = make_client(link->uri);

	assert(client); /* it could be made once */
	mongoc_client_destroy(link->client);
	link->client = client;
}

mongoc_collection_t *link_collection(const struct link *link, const char *name)
{
	return mongoc_client_get_collection(link->client, link->database, name);
}

/* --- errors ------------------------------------------------------------------------- */

enum {
	CODE_UNAUTHORIZED = 13,
	CODE_AUTHENTICATION_FAILED = 18,
};

static bool is_credentials(const bson_error_t *error)
{
	return (error->domain == MONGOC_ERROR_CLIENT &&
		error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE) ||
	       error->domain == MONGOC_ERROR_SCRAM || error->domain == MONGOC_ERROR_SASL ||
	       (error->domain == MONGOC_ERROR_SERVER &&
		error->code == CODE_AUTHENTICATION_FAILED);
}

/* Of a server that is going, is no primary, or has no majority: it passes. */
static bool is_passing(const bson_error_t *error)
{
	static const uint32_t codes[] = {6,     7,     50,    64,    89,   91,
					 189,   262,   100,   133,   9001, 10107,
					 11600, 11602, 13388, 13435, 13436};

	if (error->domain == MONGOC_ERROR_SERVER_SELECTION ||
	    error->domain == MONGOC_ERROR_STREAM || error->domain == MONGOC_ERROR_WRITE_CONCERN)
		return true;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (error->domain == MONGOC_ERROR_SERVER && error->code == codes[i])
			return true;
	return false;
}

/* It cannot become right by itself. */
static bool is_too_old(const bson_error_t *error)
{
	return error->domain == MONGOC_ERROR_PROTOCOL &&
	       error->code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION;
}

static enum err refused(const struct link *link, const bson_error_t *error, struct diag *diag)
{
	const char *user = mongoc_uri_get_username(link->uri);

	if (is_credentials(error))
		return diag_set(diag, ERR_IO,
				"MongoDB at %s does not accept %s%.64s%s: %.200s; correct the "
				"URI of the store",
				link->where, user ? "the user " : "who asks", user ? user : "",
				user ? " with this password" : "", error->message);
	if (!user)
		return diag_set(diag, ERR_IO,
				"MongoDB at %s wants to know who asks: %.200s; write "
				"mongodb://USER:PASSWORD@HOST:PORT/DATABASE as the URI of the "
				"store",
				link->where, error->message);
	return diag_set(diag, ERR_IO,
			"MongoDB at %s does not allow the user %.64s to do it: %.200s; give "
			"the user the role readWrite for the database %s",
			link->where, user, error->message, link->database);
}

enum err link_failed(const struct link *link, const bson_error_t *error, struct diag *diag)
{
	if (is_credentials(error) ||
	    (error->domain == MONGOC_ERROR_SERVER && error->code == CODE_UNAUTHORIZED))
		return refused(link, error, diag);
	if (is_too_old(error))
		return diag_set(diag, ERR_INVALID,
				"MongoDB at %s cannot be used: %.200s; %d.0 or later is needed",
				link->where, error->message, LINK_VERSION_MIN);
	if (is_passing(error))
		return diag_set(diag, ERR_UNAVAILABLE,
				"MongoDB at %s does not answer: %.200s; %s", link->where,
				error->message,
				link->opening ? "see whether it runs there, and whether the "
						"URI of the store is right"
					      : "it is asked again");
	return diag_set(diag, ERR_IO, "MongoDB at %s: %.300s", link->where, error->message);
}

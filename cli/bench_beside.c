#include "cli/bench_beside.h"

#include "base/clock.h"
#include "bus/kafka/topics.h"
#include "orchestrator/store/mongo/store_mongo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 2000, TOPICS_MS = 10000 };

/* --- those that are started -------------------------------------------------------- */

struct engine_kind {
	const char *name; /* of tools/engines, and of its folder */
	const char *what, *flag, *variable;
};

static const struct engine_kind kafka_kind = {"kafka", "broker", "--bus kafka:HOST:PORT",
					      "SKALD_BUS=kafka:HOST:PORT"};
static const struct engine_kind mongo_kind = {"mongo", "MongoDB",
					      "--store mongo:mongodb://HOST:PORT",
					      "SKALD_STORE=mongo:mongodb://HOST:PORT"};

/* tools/engines, which has one in the folder. */
static enum err ask_engines(const struct bench_folder *folder, const struct engine_kind *kind,
			    const char *verb, struct arena *arena, struct slice *out,
			    struct diag *diag)
{
	const char *const args[] = {bench_engines, kind->name, verb, kind->name, NULL};
	pid_t pid;
	enum err err = bench_folder_spawn(folder, args, &pid, diag);

	return err ? err
		   : bench_folder_read_output(folder, bench_engines, pid, arena, out, diag);
}

static enum err check_tree(const struct bench_folder *folder, const struct engine_kind *kind,
			   struct diag *diag)
{
	if (bench_folder_has_engines(folder))
		return OK;
	return diag_set(diag, ERR_NOT_FOUND, "which %s? write %s, or set %s", kind->what,
			kind->flag, kind->variable);
}

/* Its address. */
static enum err start_engine(const struct bench_folder *folder, const struct engine_kind *kind,
			     char *out, size_t size, struct diag *diag)
{
	struct arena arena = {0};
	struct slice address = {0};
	char words[BENCH_WORDS_MAX + 1];
	enum err err = ask_engines(folder, kind, "up", &arena, &address, diag);

	while (address.len && address.at[address.len - 1] == '\n')
		address.len--;
	if (!err && !address.len) {
		bench_folder_last_words(folder, bench_engines, words);
		err = diag_set(diag, ERR_UNAVAILABLE,
			       "no %s could be started: %s; write %s where there is one",
			       kind->what, words, kind->flag);
	}
	if (!err)
		snprintf(out, size, "%.*s", SLICE_ARG(address));
	arena_release(&arena);
	return err;
}

/* --- Kafka ------------------------------------------------------------------------ */

static const char kafka_scheme[] = "kafka:";

static bool is_kafka(const char *bus)
{
	return bus && strncmp(bus, kafka_scheme, sizeof kafka_scheme - 1) == 0;
}

static enum err start_broker(struct bench_beside *beside, const struct bench_folder *folder,
			     struct diag *diag)
{
	char address[BENCH_URL_SIZE] = "";
	enum err err = check_tree(folder, &kafka_kind, diag);

	if (err)
		return err;
	beside->own_broker = true;
	err = start_engine(folder, &kafka_kind, address, sizeof address, diag);
	if (!err)
		snprintf(beside->bus, sizeof beside->bus, "%s%s", kafka_scheme, address);
	return err;
}

/* OK also where the bus is another one. */
static enum err find_broker(struct bench_beside *beside, const struct bench_folder *folder,
			    const char *bus, struct diag *diag)
{
	const char *usual = getenv("SKALD_BUS");

	if (strcmp(bus, "kafka") == 0 && is_kafka(usual))
		bus = usual;
	if (strcmp(bus, "kafka") == 0)
		return start_broker(beside, folder, diag);
	if (!is_kafka(bus))
		return OK;
	if (strlen(bus) >= sizeof beside->bus)
		return diag_set(diag, ERR_TOO_LARGE,
				"the names of the brokers are over %zu "
				"bytes; a few of them are enough",
				sizeof beside->bus - 1);
	snprintf(beside->bus, sizeof beside->bus, "%s", bus);
	return OK;
}

static struct kafka_setup kafka_setup(const struct bench_beside *beside)
{
	return (struct kafka_setup){.brokers = beside->bus + sizeof kafka_scheme - 1,
				    .prefix = beside->prefix,
				    .clock = clock_system()};
}

/* Somebody else's broker is left as it was. */
static enum err remove_topics(const struct bench_beside *beside, struct diag *diag)
{
	static const struct kafka_user user = {NULL, NULL};
	struct kafka_setup setup = kafka_setup(beside);
	struct kafka_client client = {0};
	struct diag why = {"out of memory"};
	enum err err = kafka_setup_check(&setup, &why);

	err = err ? err : kafka_producer_open(&client, &setup, &user, NULL, &why);
	err = err ? err : kafka_client_connect(&client, &setup, CONNECT_MS, &why);
	err = err ? err : kafka_topics_remove(&client, &setup, TOPICS_MS, &why);
	kafka_client_close(&client, 0);
	if (!err)
		return OK;
	return diag_set(diag, ERR_UNAVAILABLE, "the topics %s.* stay on %s: %s", beside->prefix,
			beside->bus, why.text);
}

/* --- MongoDB ---------------------------------------------------------------------- */

static const char mongo_scheme[] = "mongo:";

bool bench_is_mongo(const char *store)
{
	return store && strncmp(store, mongo_scheme, sizeof mongo_scheme - 1) == 0;
}

/* The same URI with a database that nobody else has. The one that it names is still that
 * of its user. */
static enum err name_database(struct bench_beside *beside, const char *uri, struct diag *diag)
{
	const char *hosts = strstr(uri, "://"), *slash, *options;
	size_t at = hosts ? (size_t)(hosts + 3 - uri) : 0, named;
	bool source;
	int len;

	at += strcspn(uri + at, "/?");
	slash = uri[at] == '/' ? uri + at + 1 : "";
	named = strcspn(slash, "?");
	options = uri + at + strcspn(uri + at, "?");
	source = named && memchr(uri, '@', at) && !strstr(options, "authSource=");
	len = snprintf(beside->store, sizeof beside->store, "%s%.*s/%s%s%s%s%.*s", mongo_scheme,
		       (int)at, uri, beside->prefix, options,
		       source ? (*options ? "&" : "?") : "", source ? "authSource=" : "",
		       source ? (int)named : 0, slash);
	if (len > 0 && (size_t)len < sizeof beside->store)
		return OK;
	beside->store[0] = '\0';
	return diag_set(diag, ERR_TOO_LARGE, "the URI of the store is over %d bytes",
			BENCH_STORE_SIZE - 128);
}

/* OK also where the store is another one. */
static enum err find_database(struct bench_beside *beside, const struct bench_folder *folder,
			      const char *store, struct diag *diag)
{
	const char *usual = getenv("SKALD_STORE");
	char uri[BENCH_URL_SIZE] = "";
	enum err err;

	if (strcmp(store, "mongo") == 0 && bench_is_mongo(usual))
		store = usual;
	if (bench_is_mongo(store))
		return name_database(beside, store + sizeof mongo_scheme - 1, diag);
	if (strcmp(store, "mongo") != 0)
		return OK;
	err = check_tree(folder, &mongo_kind, diag);
	if (err)
		return err;
	beside->own_mongo = true;
	err = start_engine(folder, &mongo_kind, uri, sizeof uri, diag);
	return err ? err : name_database(beside, uri, diag);
}

static enum err remove_database(const struct bench_beside *beside, struct diag *diag)
{
	const char *uri = beside->store + sizeof mongo_scheme - 1;
	struct diag why = {"out of memory"};

	if (!store_mongo_remove(uri, &why))
		return OK;
	return diag_set(diag, ERR_UNAVAILABLE, "the database %s stays: %s", beside->prefix,
			why.text);
}

/* --- all of them ------------------------------------------------------------------- */

enum err bench_beside_find(struct bench_beside *beside, const struct bench_folder *folder,
			   const char *bus, const char *store, struct diag *diag)
{
	enum err err;

	snprintf(beside->prefix, sizeof beside->prefix, "%s", strrchr(folder->path, '/') + 1);
	err = find_broker(beside, folder, bus, diag);
	return err ? err : find_database(beside, folder, store, diag);
}

enum err bench_beside_remove(const struct bench_beside *beside,
			     const struct bench_folder *folder, struct diag *diag)
{
	struct diag second = {""};
	struct arena arena = {0};
	struct slice ignored;
	enum err err = OK, database = OK;

	if (beside->own_broker)
		err = ask_engines(folder, &kafka_kind, "down", &arena, &ignored, diag);
	else if (beside->bus[0])
		err = remove_topics(beside, diag);
	if (beside->own_mongo)
		database = ask_engines(folder, &mongo_kind, "down", &arena, &ignored, &second);
	else if (beside->store[0])
		database = remove_database(beside, &second);
	if (database && !err)
		*diag = second;
	arena_release(&arena);
	return err ? err : database;
}

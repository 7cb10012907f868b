#include "participants/service/service.h"

#include "participants/service/audit.h"
#include "participants/service/properties.h"
#include "participants/service/settings.h"
#include "skald/kafka.h"
#include "skald/sqlite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, WAIT_MS = 1000 };

/* The service is alone with its data, mostly: memory instead of files for what is
 * only for now, and fewer checkpoints, as each waits for the disk. */
static const char pragmas[] = "PRAGMA cache_size = -16384;"
			      "PRAGMA temp_store = MEMORY;"
			      "PRAGMA wal_autocheckpoint = 4000;";

static const char refusals[] = "CREATE TABLE IF NOT EXISTS refusal ("
			       " id INTEGER PRIMARY KEY, command TEXT NOT NULL)";

/* For the handler of signals. */
static skald_participant *running;
static volatile sig_atomic_t stopped;

/* --- for handlers --------------------------------------------------------------------- */

sqlite3_stmt *service_statement(struct service *service, int number)
{
	return service->statements[number];
}

void service_reset(sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
}

enum service_result service_step(sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);

	if (result == SQLITE_ROW)
		return SERVICE_ROW;
	sqlite3_reset(statement);
	return result == SQLITE_DONE ? SERVICE_DONE : SERVICE_FAILED;
}

skald_outcome service_failed(struct service *service, skald_reply *reply)
{
	return skald_reply_fail(reply, "database", sqlite3_errmsg(service->db));
}

skald_outcome service_bad_argument(skald_reply *reply, const char *name,
				   skald_json_result result)
{
	static const char *const whys[] = {
		[SKALD_JSON_OK] = "is out of range",
		[SKALD_JSON_MISSING] = "is missing",
		[SKALD_JSON_OTHER_TYPE] = "is of the wrong type",
		[SKALD_JSON_NO_FIT] = "is too long, or has too many digits",
	};
	char text[SERVICE_TEXT_MAX];

	snprintf(text, sizeof text, "the argument %s %s", name, whys[result]);
	return skald_reply_refuse(reply, "bad_argument", text);
}

/* --- running a command -------------------------------------------------------------------- */

/* What a handler is registered with. */
struct registered {
	struct service *service;
	const struct service_command *command;
};

/* For the books: what a refused do writes is kept. In another store the record is all. */
static skald_outcome write_refusal(struct service *service, const skald_command *command,
				   skald_reply *reply)
{
	sqlite3_stmt *add = service->add_refusal;

	sqlite3_bind_text(add, 1, skald_command_id(command), -1, SQLITE_STATIC);
	return service_step(add) == SERVICE_DONE ? SKALD_REFUSED
						 : service_failed(service, reply);
}

static skald_outcome handle(const skald_command *command, skald_reply *reply, void *context)
{
	const struct registered *registered = context;
	struct service *service = registered->service;
	const struct faults *faults = &service->faults;
	const char *id = skald_command_id(command),
		   *decline = registered->command->decline_code;
	skald_outcome outcome;

	if (faults_fail(faults, id, skald_command_attempt(command)))
		return skald_reply_fail(reply, "unlucky", "this attempt fails on purpose");
	if (decline && faults_decline(faults, id))
		outcome = skald_reply_refuse(reply, decline, "it is refused on purpose");
	else
		outcome = registered->command->handle(service, command, reply);
	if (outcome == SKALD_REFUSED && service->db)
		outcome = write_refusal(service, command, reply);
	if (faults_crash(faults, id, skald_command_attempt(command)))
		raise(SIGKILL);
	return outcome;
}

/* --- the database ----------------------------------------------------------------------------
 */

static const char *what_to_do(sqlite3 *db)
{
	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return "put a backup in its place, or use another --data";
	case SQLITE_FULL:
	case SQLITE_IOERR: return "look whether the disk is full or broken, then start again";
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return "stop the program that has it locked, then start again";
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM: return "whoever runs this must be able to write to it and its folder";
	case SQLITE_NOMEM: return "give the process more memory";
	default: return "is it another program's? use another --data";
	}
}

static bool fail(const struct service *service, const char *path, skald_error *error)
{
	snprintf(error->text, sizeof error->text, "%.250s: %.150s; %s", path,
		 service->db ? sqlite3_errmsg(service->db) : "out of memory",
		 what_to_do(service->db));
	return false;
}

static bool prepare(struct service *service, const char *sql, sqlite3_stmt **out)
{
	return sqlite3_prepare_v3(service->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) ==
	       SQLITE_OK;
}

static bool open_database(struct service *service, const char *path, skald_error *error)
{
	const struct service_kind *kind = service->kind;

	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (sqlite3_open(path, &service->db) || sqlite3_busy_timeout(service->db, 5000) ||
	    sqlite3_exec(service->db, pragmas, NULL, NULL, NULL) ||
	    sqlite3_exec(service->db, kind->schema, NULL, NULL, NULL) ||
	    sqlite3_exec(service->db, refusals, NULL, NULL, NULL))
		return fail(service, path, error);
	for (int i = 0; kind->statements[i]; i++)
		if (!prepare(service, kind->statements[i], &service->statements[i]))
			return fail(service, path, error);
	if (!prepare(service, "INSERT INTO refusal (command) VALUES (?1)",
		     &service->add_refusal))
		return fail(service, path, error);
	return true;
}

static void close_database(struct service *service)
{
	for (int i = 0; i < SERVICE_STATEMENTS_MAX; i++)
		sqlite3_finalize(service->statements[i]);
	sqlite3_finalize(service->add_refusal);
	sqlite3_close(service->db);
}

/* --- running --------------------------------------------------------------------------------
 */

static void on_signal(int signal)
{
	stopped = 1;
	skald_participant_stop(running);
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

/* A socket that is closed, and a file that may not grow, are errors of a write. */
static void survive_writes(void)
{
	struct sigaction action = {.sa_handler = SIG_IGN};

	sigemptyset(&action.sa_mask);
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGXFSZ, &action, NULL);
}

static void log_line(void *context, skald_log_level level, const char *line)
{
	const struct service *service = context;

	fprintf(stderr, "skald-%s: %s\n", service->kind->name, line);
}

static void sleep_ms(int64_t ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static bool serve(struct service *service, skald_participant *participant)
{
	const struct service_command *commands =
		service->store ? service->store->commands : service->kind->commands;
	size_t n = 0;
	struct registered *registered;
	bool ok = true;

	while (commands[n].name)
		n++;
	registered = calloc(n, sizeof *registered);
	for (size_t i = 0; registered && ok && i < n; i++) {
		registered[i] = (struct registered){service, &commands[i]};
		ok = skald_participant_on(participant, commands[i].name, handle,
					  &registered[i]);
	}
	if (!registered || !ok) {
		free(registered);
		return false;
	}
	while (!stopped) {
		skald_participant_wait(participant, WAIT_MS);
		if (service->faults.slow_ms)
			sleep_ms(service->faults.slow_ms);
		skald_participant_poll(participant);
	}
	free(registered);
	return true;
}

/* Numbers of the command line. */
static bool set_limits(const struct settings *settings, skald_options *options,
		       skald_error *error)
{
	int64_t window = 0;

	if (settings->window && !settings_number(settings->window, 1, 10000, &window)) {
		snprintf(error->text, sizeof error->text,
			 "--window: \"%.100s\" is no number from 1 to 10000", settings->window);
		return false;
	}
	if (settings->horizon && !settings_duration(settings->horizon, &options->horizon_ms)) {
		snprintf(error->text, sizeof error->text,
			 "--horizon: \"%.100s\" is no duration; write 90m, 24h or 30d",
			 settings->horizon);
		return false;
	}
	options->window = (uint32_t)window;
	return true;
}

static bool set_up(struct service *service, const struct settings *settings, const char *path,
		   skald_error *error)
{
	if (mkdir(settings->data, 0777) != 0 && errno != EEXIST) {
		snprintf(error->text, sizeof error->text, "%.300s: cannot make it: %s",
			 settings->data, strerror(errno));
		return false;
	}
	if (settings->address)
		return true;
	if (!open_database(service, path, error))
		return false;
	for (int i = 0; i < settings->n_own; i++)
		if (!settings->own[i].option->set(service, settings->own[i].value, error))
			return false;
	return true;
}

static skald_barrier *open_barrier(struct service *service, const struct settings *settings,
				   char where[SERVICE_TEXT_MAX], skald_error *error)
{
	if (!settings->address)
		return skald_sqlite_barrier(service->db, error);
	service->store = service->kind->store;
	return service->store->open(service, settings->address, where, error);
}

/* Over Kafka where the settings say so; false: *error says why not. */
static bool set_bus(const struct settings *settings, skald_options *options,
		    skald_transport **transport, skald_error *error)
{
	static const char scheme[] = "kafka:";
	static struct properties properties; /* too large for the stack */
	const skald_kafka_options kafka = {.brokers = settings->bus + strlen(scheme),
					   .prefix = settings->kafka_prefix,
					   .properties = properties.list};

	options->bus = settings->bus;
	if (strncmp(settings->bus, scheme, strlen(scheme)) != 0)
		return true;
	if (!properties_read(settings->kafka, &properties, error))
		return false;
	*transport = skald_kafka_transport(&kafka, error);
	options->transport = *transport;
	return *transport != NULL;
}

static bool run(struct service *service, const struct settings *settings, skald_options options,
		const char *path, skald_error *error)
{
	char guard[PATH_SIZE + 16], where[SERVICE_TEXT_MAX] = "";
	skald_transport *transport = NULL;
	bool ok;

	survive_writes();
	ok = set_limits(settings, &options, error) &&
	     set_bus(settings, &options, &transport, error) &&
	     set_up(service, settings, path, error);
	options.guard = guard;
	options.log = log_line;
	options.log_context = service;
	options.error = error;
	snprintf(guard, sizeof guard, "%.*s.guard", (int)(strlen(path) - strlen(".db")), path);
	if (ok)
		options.barrier = open_barrier(service, settings, where, error);
	if (options.barrier)
		running = skald_participant_new(service->kind->name, &options);
	ok = running != NULL;
	if (ok) {
		catch_signals();
		fprintf(stderr, "skald-%s: ready: data in %s, bus %s\n", service->kind->name,
			*where ? where : path, settings->bus);
		ok = serve(service, running);
		if (!ok)
			snprintf(error->text, sizeof error->text, "out of memory");
	}
	skald_participant_free(running);
	skald_barrier_free(options.barrier);
	if (service->store)
		service->store->close(service);
	skald_kafka_free(transport);
	return ok;
}

int service_main(const struct service_kind *kind, int argc, char **argv)
{
	struct service service = {.kind = kind};
	skald_options options = {0};
	struct settings settings;
	skald_error error = {""};
	char path[PATH_SIZE];
	bool ok, usable = settings_read(kind, argc, argv, &settings, &error);

	if (usable && settings.help) {
		settings_help(kind);
		return EXIT_SUCCESS;
	}
	if (usable && settings.version) {
		printf("skald-%s %s\n", kind->name, skald_version());
		return EXIT_SUCCESS;
	}
	if (usable && settings.faults)
		usable = faults_parse(settings.faults, &service.faults, &error);
	if (usable)
		usable = set_limits(&settings, &options, &error);
	if (!usable) {
		fprintf(stderr, "skald-%s: %s\n", kind->name, error.text);
		return 2;
	}
	ok = snprintf(path, sizeof path, "%s/%s.db", settings.data, kind->name) <
	     (int)sizeof path;
	if (!ok)
		snprintf(error.text, sizeof error.text, "--data: the path is too long");
	else if (settings.audit)
		ok = audit_print(kind,
				 &(struct audit_wish){path, settings.address, settings.json,
						      settings.sagas},
				 &error);
	else
		ok = run(&service, &settings, options, path, &error);
	close_database(&service);
	if (!ok && *error.text)
		fprintf(stderr, "skald-%s: %s\n", kind->name, error.text);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include "cli/bench_plant.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "bus/kafka/topics.h"
#include "cli/file.h"
#include "orchestrator/store/mongo/store_mongo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
	ARGS_MAX = 16,
	NAME_SIZE = 2 * BENCH_PATH_SIZE,
	STEP_MS = 2,
	READY_MS = 40000, /* after 30 s a server gives up waiting for Kafka, and says so */
	STOP_MS = 30000,
	CONNECT_MS = 2000,
	TOPICS_MS = 10000,
	LOG_MAX = 16 * 1024 * 1024,
	OUTPUT_MAX = 1024 * 1024 * 1024,
	TOLD_MAX = 300, /* of the end of a log, in messages */
	EXIT_NO_PROGRAM = 127,
};

static const char *const programs[N_BENCH_PROCESSES] = {
	[BENCH_SERVER] = "skald",
	[BENCH_INVENTORY] = "skald-inventory",
	[BENCH_PAYMENT] = "skald-payment",
};

/* What starts other servers, in the tree of the source; seen from its programs. */
static const char engines[] = "engines", engines_folder[] = "../../tools/";

static void sleep_a_little(void)
{
	const struct timespec step = {0, STEP_MS * 1000 * 1000};

	nanosleep(&step, NULL);
}

/* --- the folder ------------------------------------------------------------------- */

static void path_of(const struct bench_plant *plant, char path[NAME_SIZE], const char *name,
		    const char *ending)
{
	snprintf(path, NAME_SIZE, "%s/%s%s", plant->folder, name, ending);
}

static enum err make_folder(struct bench_plant *plant, const char *parent, struct diag *diag)
{
	const char *tmpdir = getenv("TMPDIR");
	char folder[BENCH_PATH_SIZE];
	int len;

	if (!parent)
		parent = tmpdir && *tmpdir ? tmpdir : "/tmp";
	len = snprintf(folder, sizeof folder, "%s/skald-bench-XXXXXX", parent);
	if (len < 0 || (size_t)len >= sizeof folder)
		return diag_set(diag, ERR_TOO_LARGE,
				"the name of the folder is over %d bytes; give a shorter --dir",
				BENCH_PATH_SIZE - 32);
	if (!mkdtemp(folder))
		return diag_set(diag, ERR_IO,
				"cannot make a folder in %s: %s; give another one with --dir",
				parent, strerror(errno));
	memcpy(plant->folder, folder, sizeof folder);
	snprintf(plant->prefix, sizeof plant->prefix, "%s", strrchr(folder, '/') + 1);
	return OK;
}

/* The folder and those in it, which have no folders in them. */
static void remove_folder(const char *path, bool deeper)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	char name[NAME_SIZE];

	while (folder && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof name, "%s/%.*s", path, BENCH_PATH_SIZE - 2,
			 entry->d_name);
		if (unlink(name) != 0 && deeper)
			remove_folder(name, false);
	}
	if (folder)
		closedir(folder);
	/* What cannot be removed stays; there is nothing else to do about it. */
	(void)rmdir(path);
}

/* --- processes -------------------------------------------------------------------- */

/* Where this program lies, the others do, too. */
static enum err find_programs(struct bench_plant *plant, struct diag *diag)
{
	char path[NAME_SIZE], *slash;
	ssize_t len = readlink("/proc/self/exe", plant->programs, sizeof plant->programs - 1);

	slash = len > 0 ? strrchr(plant->programs, '/') : NULL;
	if (!slash)
		return diag_set(diag, ERR_IO, "cannot find the folder of this program: %s",
				strerror(errno));
	*slash = '\0';
	for (int i = 0; i < N_BENCH_PROCESSES; i++) {
		snprintf(path, sizeof path, "%s/%s", plant->programs, programs[i]);
		if (access(path, X_OK) != 0)
			return diag_set(diag, ERR_NOT_FOUND,
					"%.300s: %s; the example services have to lie beside "
					"skald, where `make` and `make install` put them",
					path, strerror(errno));
	}
	return OK;
}

/* What is set for other servers is not meant for this one, but where to find engines. */
static char **own_environment(void)
{
	static const char cache[] = "SKALD_ENGINES=";
	size_t n = 0, kept = 0;
	char **environment;

	while (environ[n])
		n++;
	environment = calloc(n + 1, sizeof *environment);
	for (size_t i = 0; environment && i < n; i++) {
		if (strncmp(environ[i], "SKALD_", 6) != 0 ||
		    strncmp(environ[i], cache, sizeof cache - 1) == 0)
			environment[kept++] = environ[i];
	}
	return environment;
}

/* Between fork and exec. In a group of its own, so that Ctrl-C ends this program
 * alone, which then ends the rest in order. */
static _Noreturn void become(const struct bench_plant *plant, const char *const *args,
			     char **environment, int out, int errs)
{
	char path[NAME_SIZE];
	int in = open("/dev/null", O_RDONLY);

	snprintf(path, sizeof path, "%s/%s%s", plant->programs,
		 strcmp(args[0], engines) == 0 ? engines_folder : "", args[0]);
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && in >= 0 && dup2(in, STDIN_FILENO) >= 0 &&
	    dup2(out, STDOUT_FILENO) >= 0 && dup2(errs, STDERR_FILENO) >= 0 &&
	    chdir(plant->folder) == 0)
		execve(path, (char *const *)args, environment);
	_exit(EXIT_NO_PROGRAM);
}

static enum err spawn(const struct bench_plant *plant, const char *const *args, pid_t *pid,
		      struct diag *diag)
{
	char **environment = own_environment();
	char out_path[NAME_SIZE], log_path[NAME_SIZE];
	int out, errs;

	path_of(plant, out_path, args[0], ".out");
	path_of(plant, log_path, args[0], ".log");
	out = open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	errs = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	*pid = environment && out >= 0 && errs >= 0 ? fork() : -1;
	if (*pid == 0)
		become(plant, args, environment, out, errs);
	free(environment);
	if (out >= 0)
		close(out);
	if (errs >= 0)
		close(errs);
	if (*pid > 0)
		return OK;
	*pid = 0;
	return diag_set(diag, ERR_UNAVAILABLE, "cannot start %s: %s", args[0], strerror(errno));
}

/* The end of what a program logged, in a line. */
static void last_words(const struct bench_plant *plant, const char *program,
		       char words[TOLD_MAX + 1])
{
	struct arena arena = {0};
	char path[NAME_SIZE];
	struct slice log;

	words[0] = '\0';
	path_of(plant, path, program, ".log");
	if (!file_read(path, LOG_MAX, &arena, &log, NULL)) {
		while (log.len && log.at[log.len - 1] == '\n')
			log.len--;
		if (log.len > TOLD_MAX)
			log = (struct slice){log.at + log.len - TOLD_MAX, TOLD_MAX};
		snprintf(words, TOLD_MAX + 1, "%.*s", SLICE_ARG(log));
	}
	arena_release(&arena);
}

static enum err say_ended(const struct bench_plant *plant, const char *program, int status,
			  struct diag *diag)
{
	bool by_signal = WIFSIGNALED(status);
	char words[TOLD_MAX + 1];

	last_words(plant, program, words);
	return diag_set(diag, ERR_UNAVAILABLE, "%s ended with %s %d%s%s", program,
			by_signal ? "signal" : "exit status",
			by_signal ? WTERMSIG(status) : WEXITSTATUS(status),
			words[0] ? ": " : "", words);
}

/* OK: all that was started still runs. */
static enum err check_alive(struct bench_plant *plant, struct diag *diag)
{
	int status;

	for (int i = 0; i < N_BENCH_PROCESSES; i++) {
		if (!plant->pids[i] || waitpid(plant->pids[i], &status, WNOHANG) == 0)
			continue;
		plant->pids[i] = 0;
		return say_ended(plant, programs[i], status, diag);
	}
	return OK;
}

/* --- listening to them ------------------------------------------------------------ */

/* Its ready line says where it listens. */
static bool read_url(struct bench_plant *plant)
{
	static const char mark[] = "event=ready url=";
	struct bytes text = BYTES(LOG_MAX, NULL);
	struct arena arena = {0};
	char path[NAME_SIZE];
	const char *at = NULL;
	struct slice log;
	size_t len;

	path_of(plant, path, programs[BENCH_SERVER], ".log");
	if (!file_read(path, LOG_MAX, &arena, &log, NULL))
		bytes_append(&text, log);
	bytes_add(&text, '\0');
	if (!text.err)
		at = strstr(text.at, mark);
	if (at) {
		at += sizeof mark - 1;
		len = strcspn(at, " \n");
		if (at[len] && len < sizeof plant->url)
			memcpy(plant->url, at, len);
	}
	bytes_release(&text);
	arena_release(&arena);
	return plant->url[0] != '\0';
}

static enum err wait_for_server(struct bench_plant *plant,
				const struct bench_plant_setup *setup, struct diag *diag)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + READY_MS;
	enum err err = OK;

	while (!err && !read_url(plant)) {
		if (*setup->stop)
			return diag_set(diag, ERR_UNAVAILABLE, "interrupted");
		if (clock_monotonic_ms(clock_system()) > end_ms)
			return diag_set(diag, ERR_UNAVAILABLE,
					"the server was not ready within %d s",
					READY_MS / 1000);
		err = check_alive(plant, diag);
		sleep_a_little();
	}
	return err;
}

/* Wait for a program that was spawned, and read what it printed. Exit 1 is also what a
 * service says of books that do not agree; what is wrong is printed. */
static enum err read_output(const struct bench_plant *plant, const char *program, pid_t pid,
			    struct arena *arena, struct slice *out, struct diag *diag)
{
	char path[NAME_SIZE];
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return diag_set(diag, ERR_IO, "cannot wait for %s", program);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return say_ended(plant, program, status, diag);
	path_of(plant, path, program, ".out");
	return file_read(path, OUTPUT_MAX, arena, out, diag);
}

/* --- servers of others ------------------------------------------------------------ */

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
static enum err ask_engines(const struct bench_plant *plant, const struct engine_kind *kind,
			    const char *verb, struct arena *arena, struct slice *out,
			    struct diag *diag)
{
	const char *const args[] = {engines, kind->name, verb, kind->name, NULL};
	pid_t pid;
	enum err err = spawn(plant, args, &pid, diag);

	return err ? err : read_output(plant, engines, pid, arena, out, diag);
}

static enum err check_tree(const struct bench_plant *plant, const struct engine_kind *kind,
			   struct diag *diag)
{
	char path[NAME_SIZE];

	snprintf(path, sizeof path, "%s/%s%s", plant->programs, engines_folder, engines);
	if (access(path, X_OK) == 0)
		return OK;
	return diag_set(diag, ERR_NOT_FOUND, "which %s? write %s, or set %s", kind->what,
			kind->flag, kind->variable);
}

/* Its address. */
static enum err start_engine(const struct bench_plant *plant, const struct engine_kind *kind,
			     char *out, size_t size, struct diag *diag)
{
	struct arena arena = {0};
	struct slice address = {0};
	char words[TOLD_MAX + 1];
	enum err err = ask_engines(plant, kind, "up", &arena, &address, diag);

	while (address.len && address.at[address.len - 1] == '\n')
		address.len--;
	if (!err && !address.len) {
		last_words(plant, engines, words);
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

static enum err start_broker(struct bench_plant *plant, struct diag *diag)
{
	char address[BENCH_URL_SIZE] = "";
	enum err err = check_tree(plant, &kafka_kind, diag);

	if (err)
		return err;
	plant->own_broker = true;
	err = start_engine(plant, &kafka_kind, address, sizeof address, diag);
	if (!err)
		snprintf(plant->bus, sizeof plant->bus, "%s%s", kafka_scheme, address);
	return err;
}

/* OK also where the bus is another one. */
static enum err find_broker(struct bench_plant *plant, const char *bus, struct diag *diag)
{
	const char *usual = getenv("SKALD_BUS");

	if (strcmp(bus, "kafka") == 0 && is_kafka(usual))
		bus = usual;
	if (strcmp(bus, "kafka") == 0)
		return start_broker(plant, diag);
	if (!is_kafka(bus))
		return OK;
	if (strlen(bus) >= sizeof plant->bus)
		return diag_set(diag, ERR_TOO_LARGE,
				"the names of the brokers are over %zu "
				"bytes; a few of them are enough",
				sizeof plant->bus - 1);
	snprintf(plant->bus, sizeof plant->bus, "%s", bus);
	return OK;
}

static struct kafka_setup kafka_setup(const struct bench_plant *plant)
{
	return (struct kafka_setup){.brokers = plant->bus + sizeof kafka_scheme - 1,
				    .prefix = plant->prefix,
				    .clock = clock_system()};
}

/* Somebody else's broker is left as it was. */
static enum err remove_topics(const struct bench_plant *plant, struct diag *diag)
{
	static const struct kafka_user user = {NULL, NULL};
	struct kafka_setup setup = kafka_setup(plant);
	struct kafka_client client = {0};
	struct diag why = {"out of memory"};
	enum err err = kafka_setup_check(&setup, &why);

	err = err ? err : kafka_producer_open(&client, &setup, &user, NULL, &why);
	err = err ? err : kafka_client_connect(&client, &setup, CONNECT_MS, &why);
	err = err ? err : kafka_topics_remove(&client, &setup, TOPICS_MS, &why);
	kafka_client_close(&client, 0);
	if (!err)
		return OK;
	return diag_set(diag, ERR_UNAVAILABLE, "the topics %s.* stay on %s: %s", plant->prefix,
			plant->bus, why.text);
}

/* --- MongoDB ---------------------------------------------------------------------- */

static const char mongo_scheme[] = "mongo:";

static bool is_mongo(const char *store)
{
	return store && strncmp(store, mongo_scheme, sizeof mongo_scheme - 1) == 0;
}

/* The same URI with a database that nobody else has. The one that it names is still that
 * of its user. */
static enum err name_database(struct bench_plant *plant, const char *uri, struct diag *diag)
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
	len = snprintf(plant->store, sizeof plant->store, "%s%.*s/%s%s%s%s%.*s", mongo_scheme,
		       (int)at, uri, plant->prefix, options,
		       source ? (*options ? "&" : "?") : "", source ? "authSource=" : "",
		       source ? (int)named : 0, slash);
	if (len > 0 && (size_t)len < sizeof plant->store)
		return OK;
	plant->store[0] = '\0';
	return diag_set(diag, ERR_TOO_LARGE, "the URI of the store is over %d bytes",
			BENCH_STORE_SIZE - 128);
}

/* OK also where the store is another one. */
static enum err find_database(struct bench_plant *plant, const char *store, struct diag *diag)
{
	const char *usual = getenv("SKALD_STORE");
	char uri[BENCH_URL_SIZE] = "";
	enum err err;

	if (strcmp(store, "mongo") == 0 && is_mongo(usual))
		store = usual;
	if (is_mongo(store))
		return name_database(plant, store + sizeof mongo_scheme - 1, diag);
	if (strcmp(store, "mongo") != 0)
		return OK;
	err = check_tree(plant, &mongo_kind, diag);
	if (err)
		return err;
	plant->own_mongo = true;
	err = start_engine(plant, &mongo_kind, uri, sizeof uri, diag);
	return err ? err : name_database(plant, uri, diag);
}

static enum err remove_database(const struct bench_plant *plant, struct diag *diag)
{
	const char *uri = plant->store + sizeof mongo_scheme - 1;
	struct diag why = {"out of memory"};

	if (!store_mongo_remove(uri, &why))
		return OK;
	return diag_set(diag, ERR_UNAVAILABLE, "the database %s stays: %s", plant->prefix,
			why.text);
}

/* --- starting --------------------------------------------------------------------- */

/* Options that are there only with another bus or store. */
static void give(const char **args, const char *option, const char *value)
{
	while (*args)
		args++;
	if (!value[0])
		return;
	*args++ = option;
	*args++ = value;
}

static void give_charges(const struct bench_plant *plant, enum bench_process process,
			 const char **args)
{
	if (process == BENCH_PAYMENT)
		give(args, "--store", plant->store);
}

enum err bench_plant_start(struct bench_plant *plant, const struct bench_plant_setup *setup,
			   struct diag *diag)
{
	const char *served = strcmp(setup->bus, "kafka") == 0 ? plant->bus : setup->bus;
	const char *bus = strcmp(setup->bus, "local") == 0 ? "local:data/bus.sock" : served;
	bool mongo = strcmp(setup->store, "mongo") == 0 || is_mongo(setup->store);
	const char *args[N_BENCH_PROCESSES][ARGS_MAX] = {
		[BENCH_SERVER] = {programs[BENCH_SERVER], "serve", "--data", "data", "--listen",
				  "127.0.0.1:0", "--store", mongo ? plant->store : setup->store,
				  "--bus", served},
		[BENCH_INVENTORY] = {programs[BENCH_INVENTORY], "--data", "data", "--bus", bus},
		[BENCH_PAYMENT] = {programs[BENCH_PAYMENT], "--data", "data", "--bus", bus},
	};
	enum err err = find_programs(plant, diag);

	err = err ? err : make_folder(plant, setup->parent, diag);
	err = err ? err : find_broker(plant, setup->bus, diag);
	err = err ? err : find_database(plant, setup->store, diag);
	for (int i = 0; !err && i < N_BENCH_PROCESSES; i++) {
		give(args[i], "--kafka-prefix", plant->bus[0] ? plant->prefix : "");
		give_charges(plant, (enum bench_process)i, args[i]);
		err = spawn(plant, args[i], &plant->pids[i], diag);
		/* The socket of the bus is the server's to make. */
		if (!err && i == BENCH_SERVER)
			err = wait_for_server(plant, setup, diag);
	}
	return err;
}

/* --- looking ---------------------------------------------------------------------- */

double bench_plant_cpu_s(const struct bench_plant *plant, enum bench_process process)
{
	struct timespec time;
	clockid_t clock;

	if (!plant->pids[process] || clock_getcpuclockid(plant->pids[process], &clock) != 0 ||
	    clock_gettime(clock, &time) != 0)
		return 0;
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

long bench_plant_rss_kb(const struct bench_plant *plant, enum bench_process process)
{
	char line[256];
	long rss_kb = 0;
	FILE *status;

	if (!plant->pids[process])
		return 0;
	snprintf(line, sizeof line, "/proc/%ld/status", (long)plant->pids[process]);
	status = fopen(line, "re");
	while (status && fgets(line, sizeof line, status)) {
		if (strncmp(line, "VmHWM:", 6) == 0)
			rss_kb = strtol(line + 6, NULL, 10);
	}
	if (status)
		fclose(status);
	return rss_kb;
}

long long bench_plant_disk_bytes(const struct bench_plant *plant)
{
	char path[NAME_SIZE];
	struct stat file;

	path_of(plant, path, "data/skald.db", "");
	return stat(path, &file) == 0 ? (long long)file.st_size : 0;
}

/* --- ending ----------------------------------------------------------------------- */

/* True: it ended, with the status that is given. */
static bool wait_for_end(pid_t pid, int *status)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + STOP_MS;

	while (waitpid(pid, status, WNOHANG) == 0) {
		if (clock_monotonic_ms(clock_system()) > end_ms)
			return false;
		sleep_a_little();
	}
	return true;
}

enum err bench_plant_stop(struct bench_plant *plant, struct diag *diag)
{
	enum err err = OK;
	int status;

	for (int i = 0; i < N_BENCH_PROCESSES; i++) {
		if (plant->pids[i])
			kill(plant->pids[i], SIGTERM);
	}
	for (int i = 0; i < N_BENCH_PROCESSES; i++) {
		if (!plant->pids[i])
			continue;
		if (!wait_for_end(plant->pids[i], &status)) {
			err = diag_set(diag, ERR_UNAVAILABLE, "%s did not end within %d s",
				       programs[i], STOP_MS / 1000);
			continue;
		}
		plant->pids[i] = 0;
		if (status != 0 && !err)
			err = say_ended(plant, programs[i], status, diag);
	}
	return err;
}

enum err bench_plant_audit(const struct bench_plant *plant, enum bench_process process,
			   struct arena *arena, struct slice *out, struct diag *diag)
{
	const char *args[ARGS_MAX] = {programs[process], "audit",  "--data", "data",
				      "--json",          "--sagas"};
	pid_t pid;
	enum err err;

	give_charges(plant, process, args);
	err = spawn(plant, args, &pid, diag);
	return err ? err : read_output(plant, args[0], pid, arena, out, diag);
}

static enum err remove_beside(const struct bench_plant *plant, struct diag *diag)
{
	struct diag second = {""};
	struct arena arena = {0};
	struct slice ignored;
	enum err err = OK, database = OK;

	if (plant->own_broker)
		err = ask_engines(plant, &kafka_kind, "down", &arena, &ignored, diag);
	else if (plant->bus[0])
		err = remove_topics(plant, diag);
	if (plant->own_mongo)
		database = ask_engines(plant, &mongo_kind, "down", &arena, &ignored, &second);
	else if (plant->store[0])
		database = remove_database(plant, &second);
	if (database && !err)
		*diag = second;
	arena_release(&arena);
	return err ? err : database;
}

enum err bench_plant_remove(struct bench_plant *plant, struct diag *diag)
{
	enum err err;

	for (int i = 0; i < N_BENCH_PROCESSES; i++) {
		if (!plant->pids[i])
			continue;
		kill(plant->pids[i], SIGKILL);
		while (waitpid(plant->pids[i], NULL, 0) < 0 && errno == EINTR)
			;
		plant->pids[i] = 0;
	}
	err = remove_beside(plant, diag);
	if (!plant->url[0]) /* and why, was said: there may be nothing that could stay */
		err = OK;
	if (plant->folder[0])
		remove_folder(plant->folder, true);
	*plant = (struct bench_plant){0};
	return err;
}

#include "orchestrator/server/server.h"

#include "base/fault_point.h"
#include "bus/bus_local.h"
#include "bus/kafka/bus_kafka.h"
#include "orchestrator/engine/owners.h"
#include "orchestrator/gateway/gateway.h"
#include "orchestrator/gateway/listen.h"
#include "orchestrator/gateway/peers_engine.h"
#include "orchestrator/load/load.h"
#include "orchestrator/server/folder.h"
#include "orchestrator/store/mongo/store_mongo.h"
#include "orchestrator/store/store_memory.h"
#include "orchestrator/store/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PATH_MAX_BYTES = 4096,
	PRUNE_EVERY_MS = 60 * 1000,
	PRUNE_AT_ONCE = 200, /* sagas; the loop turns in between */
	GOODBYE_MS = 2000,   /* for requests that are under way when the server stops */
	SERVER_URL_MAX = 255,

	/* A shard that the bus gives us for so long, and that somebody else took from us
	 * meanwhile, is claimed again: who took it is most likely gone. */
	CLAIM_AGAIN_MS = 60 * 1000,
};

struct server {
	const struct server_settings *settings;
	struct log_fd sink;
	struct log log;
	char address[LISTEN_TEXT_MAX];
	char place[PATH_MAX_BYTES]; /* of the bus: its socket, or its brokers */
	char instance[FOLDER_INSTANCE_SIZE];
	char url[LISTEN_TEXT_MAX + 64];  /* where others reach it */
	char store_file[PATH_MAX_BYTES]; /* empty: the store is no file */
	uint64_t owned_turn;             /* of the bus: what it has is the engine's since */
	int64_t owned_ms;                /* when, by the monotonic clock */
	char trouble[DIAG_MAX + 64];     /* of the store; empty: none */

	int listen_fd;
	int signal_fd;
	int epoll_fd;
	struct vault *vault; /* of a store in memory */
	struct store *store;
	struct bus *bus;
	struct engine *engine;
	struct peers_engine peers; /* where the store has several owners */
	struct gateway *gateway;
	int64_t prune_ms; /* when, by the monotonic clock */
	bool stopping;
};

/* --- definitions ------------------------------------------------------------------ */

struct deploying {
	struct server *server;
	size_t n;        /* definitions that are there */
	size_t n_broken; /* that changed without a new version */
};

static void report(void *context, struct problems *problems)
{
	const struct deploying *deploying = context;
	const struct server_settings *settings = deploying->server->settings;

	settings->report(settings->context, problems);
}

static void log_refused(const struct server *server, const char *path, const char *why)
{
	struct log_line line;

	log_begin(&line, &server->log, LOG_LEVEL_ERROR, "definition-refused");
	log_text(&line, "file", slice_of(path));
	log_text(&line, "why", slice_of(why));
	log_end(&line);
}

static void deploy(void *context, const char *path, struct definition *definition)
{
	struct deploying *deploying = context;
	struct diag diag = {""};
	enum err err = engine_deploy(deploying->server->engine, &definition, &diag);

	if (!err) {
		deploying->n++;
		return;
	}
	deploying->n_broken++;
	log_refused(deploying->server, path, diag.text[0] ? diag.text : err_text(err));
}

static void log_no_folder(const struct server *server)
{
	struct log_line line;

	log_begin(&line, &server->log, LOG_LEVEL_INFO, "no-definitions-read");
	log_text(&line, "folder", slice_of(server->settings->sagas));
	log_text(&line, "why",
		 SLICE_LITERAL("there is no such folder: name one with --sagas, or give "
			       "definitions to `skald deploy`"));
	log_end(&line);
}

static enum err deploy_folder(struct server *server, struct diag *diag)
{
	struct deploying deploying = {.server = server};
	const struct folder_reader reader = {deploy, report, &deploying};
	struct log_line line;
	size_t n_bad = 0;
	enum err err = folder_read_definitions(server->settings->sagas, &reader, &n_bad, diag);

	if (err == ERR_NOT_FOUND && !server->settings->sagas_needed) {
		log_no_folder(server);
		return OK;
	}
	if (err)
		return err;
	log_begin(&line, &server->log, LOG_LEVEL_INFO, "definitions-read");
	log_text(&line, "folder", slice_of(server->settings->sagas));
	log_number(&line, "good", (int64_t)deploying.n);
	log_number(&line, "refused", (int64_t)(n_bad + deploying.n_broken));
	log_end(&line);
	return OK;
}

/* --- opening ---------------------------------------------------------------------- */

static const char mongo_scheme[] = "mongo:", kafka_scheme[] = "kafka:";

static bool is_kafka(const struct server_settings *settings)
{
	return strncmp(settings->bus, kafka_scheme, strlen(kafka_scheme)) == 0;
}

/* Of a store in MongoDB; NULL: it is another. */
static const char *mongo_uri(const struct server_settings *settings)
{
	size_t len = strlen(mongo_scheme);

	return strncmp(settings->store, mongo_scheme, len) == 0 ? settings->store + len : NULL;
}

/* Whether there may be other orchestrators of the same sagas. */
static bool is_shared(const struct server_settings *settings)
{
	return is_kafka(settings) && mongo_uri(settings);
}

/* Others may have a part of the inbox over Kafka; over the local bus there is one. */
static enum err open_mongo(struct server *server, struct diag *diag)
{
	const struct store_mongo_setup setup = {
		.uri = mongo_uri(server->settings),
		.url = server->url,
		.instance = server->instance,
		.alone = !is_shared(server->settings),
	};
	enum err err = folder_instance(server->settings->data, server->instance, diag);

	return err ? err : store_mongo_open(&setup, &server->store, diag);
}

/* Its whole path, as the server may be asked for it from another folder. */
static void find_store_file(struct server *server)
{
	const char *data = server->settings->data;
	char here[PATH_MAX_BYTES] = "";
	bool relative = data[0] != '/';
	int len;

	if (relative && !getcwd(here, sizeof here))
		return;
	len = snprintf(server->store_file, sizeof server->store_file,
		       "%s%s%s/" STORE_SQLITE_FILE, here, relative ? "/" : "", data);
	if (len < 0 || (size_t)len >= sizeof server->store_file)
		server->store_file[0] = '\0';
}

static enum err open_store(struct server *server, struct diag *diag)
{
	const struct server_settings *settings = server->settings;

	if (strcmp(settings->store, "sqlite") == 0) {
		find_store_file(server);
		return store_sqlite_open(settings->data, &server->store, diag);
	}
	if (mkdir(settings->data, 0700) != 0 && errno != EEXIST)
		return diag_set(diag, ERR_IO, "cannot make the folder %.200s: %s",
				settings->data, strerror(errno));
	if (mongo_uri(settings))
		return open_mongo(server, diag);
	server->vault = vault_new();
	server->store = server->vault ? store_memory_open(server->vault) : NULL;
	return server->store ? OK : diag_set(diag, ERR_NOMEM, "out of memory");
}

static struct kafka_setup kafka_setup(const struct server_settings *settings,
				      const struct log *log)
{
	const struct server_kafka *kafka = &settings->kafka;

	return (struct kafka_setup){.brokers = settings->bus + strlen(kafka_scheme),
				    .prefix = kafka->prefix,
				    .partitions = kafka->partitions,
				    .replication = kafka->replication,
				    .message_max = kafka->message_max,
				    .properties = kafka->properties,
				    .n_properties = kafka->n_properties,
				    .clock = clock_system(),
				    .log = log};
}

/* Where the bus is, for people: "local" is bus.sock in the folder of data. */
static enum err find_bus(const struct server_settings *settings, char path[PATH_MAX_BYTES],
			 struct diag *diag)
{
	const char *given = settings->bus;
	struct kafka_setup kafka;
	int len;

	if (strcmp(given, "local") == 0)
		len = snprintf(path, PATH_MAX_BYTES, "%s/bus.sock", settings->data);
	else if (strncmp(given, "local:", 6) == 0 && given[6])
		len = snprintf(path, PATH_MAX_BYTES, "%s", given + 6);
	else if (is_kafka(settings))
		len = snprintf(path, PATH_MAX_BYTES, "%s", given);
	else
		return diag_set(diag, ERR_INVALID,
				"there is no bus `%.100s`; write local, local:PATH or "
				"kafka:HOST:PORT",
				given);
	if (len < 0 || len >= PATH_MAX_BYTES)
		return diag_set(diag, ERR_INVALID, "what is given as the bus is too long");
	kafka = kafka_setup(settings, NULL);
	return is_kafka(settings) ? kafka_setup_check(&kafka, diag) : OK;
}

static enum err open_kafka(struct server *server, struct diag *diag)
{
	struct bus_kafka_setup setup = {
		.kafka = kafka_setup(server->settings, &server->log),
		.instance = server->instance,
		.alone = !is_shared(server->settings),
	};
	enum err err = folder_instance(server->settings->data, server->instance, diag);

	return err ? err : bus_kafka_open(&setup, &server->bus, diag);
}

static enum err open_bus(struct server *server, struct diag *diag)
{
	const struct bus_local_setup setup = {
		.path = server->place,
		.server = "skald " SKALD_VERSION,
		.clock = clock_system(),
	};

	return is_kafka(server->settings) ? open_kafka(server, diag)
					  : bus_local_open(&setup, &server->bus, diag);
}

static enum err open_engine(struct server *server, struct diag *diag)
{
	struct engine_parts parts = {
		.store = server->store,
		.bus = server->bus,
		.clock = clock_system(),
		.log = &server->log,
		.limits = server->settings->limits,
		.read_definition = load_stored,
	};
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, &parts.seed, sizeof parts.seed) : -1;

	if (fd >= 0)
		close(fd);
	if (n != (ssize_t)sizeof parts.seed)
		return diag_set(diag, ERR_IO, "cannot read /dev/urandom: %s", strerror(errno));
	return engine_open(&parts, &server->engine, diag);
}

static enum err open_gateway(struct server *server, struct diag *diag)
{
	const struct gateway_parts parts = {
		.engine = server->engine,
		.store = server->store,
		.bus = server->bus,
		.clock = clock_system(),
		.log = &server->log,
		.peers = server->store->ops->owners
				 ? peers_engine_init(&server->peers, server->engine,
						     server->store, clock_system())
				 : NULL,
		.store_file = server->store_file[0] ? server->store_file : NULL,
		.listen_fd = server->listen_fd,
	};

	server->listen_fd = -1; /* the gateway's now */
	return gateway_open(&parts, &server->gateway, diag);
}

static enum err watch_fd(struct server *server, int fd, struct diag *diag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0 || epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return OK;
	return diag_set(diag, ERR_IO, "cannot watch a descriptor: %s", strerror(errno));
}

static enum err open_events(struct server *server, struct diag *diag)
{
	sigset_t signals;
	enum err err;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->signal_fd < 0 || server->epoll_fd < 0)
		return diag_set(diag, ERR_IO, "cannot wait for events: %s", strerror(errno));
	err = watch_fd(server, server->signal_fd, diag);
	if (!err)
		err = watch_fd(server, bus_fd(server->bus), diag);
	if (!err)
		err = watch_fd(server, gateway_fd(server->gateway), diag);
	return err;
}

static enum err check_advertise(const struct server_settings *settings, struct diag *diag)
{
	const char *url = settings->advertise;

	if (!url || !*url)
		return OK;
	if ((strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) &&
	    strlen(url) <= SERVER_URL_MAX && url[strlen(url) - 1] != '/')
		return OK;
	return diag_set(diag, ERR_INVALID,
			"advertise: %.100s is no URL; write http://HOST:PORT, without a slash "
			"at its end, %d bytes at most",
			url, SERVER_URL_MAX);
}

/* "0.0.0.0:8080": nobody else reaches that, but the machine's name. */
static void find_url(struct server *server)
{
	const char *given = server->settings->advertise, *port = strrchr(server->address, ':');
	bool any = strncmp(server->address, "0.0.0.0:", 8) == 0 ||
		   strncmp(server->address, "[::]:", 5) == 0;
	char host[128] = "localhost";

	if (given && *given)
		snprintf(server->url, sizeof server->url, "%s", given);
	else if (any && port && gethostname(host, sizeof host - 1) == 0)
		snprintf(server->url, sizeof server->url, "http://%s%s", host, port);
	else
		snprintf(server->url, sizeof server->url, "http://%s", server->address);
}

static enum err open_listener(struct server *server, struct diag *diag)
{
	enum err err = OK;

	if (server->listen_fd < 0)
		err = listen_open(server->settings->listen, &server->listen_fd, server->address,
				  diag);
	if (!err)
		find_url(server);
	return err;
}

static enum err open_all(struct server *server, struct diag *diag)
{
	enum err err = find_bus(server->settings, server->place, diag);

	/* Others are told where it listens; but a folder that is in use comes first. */
	if (!err && mongo_uri(server->settings))
		err = open_listener(server, diag);
	if (!err)
		err = open_store(server, diag);
	if (!err)
		err = open_listener(server, diag);
	if (!err)
		err = open_bus(server, diag);
	if (!err)
		err = open_engine(server, diag);
	if (!err)
		err = deploy_folder(server, diag);
	if (!err)
		err = open_gateway(server, diag);
	if (!err)
		err = open_events(server, diag);
	return err;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void close_all(struct server *server)
{
	gateway_close(server->gateway);
	engine_close(server->engine);
	bus_close(server->bus);
	store_close(server->store);
	vault_free(server->vault);
	close_fd(server->listen_fd);
	close_fd(server->signal_fd);
	close_fd(server->epoll_fd);
}

/* --- the loop --------------------------------------------------------------------- */

static void log_short(const struct server *server, enum log_level level, const char *event,
		      const char *what)
{
	struct log_line line;

	log_begin(&line, &server->log, level, event);
	if (what)
		log_text(&line, "what", slice_of(what));
	log_end(&line);
}

static void note_store(struct server *server, enum err err)
{
	const char *why = server->store->trouble.text;

	if (!err && server->trouble[0]) {
		server->trouble[0] = '\0';
		gateway_set_trouble(server->gateway, NULL);
		log_short(server, LOG_LEVEL_INFO, "store-back", "work goes on");
	} else if (err && !server->trouble[0]) {
		snprintf(server->trouble, sizeof server->trouble, "the store fails: %s",
			 why[0] ? why : err_text(err));
		gateway_set_trouble(server->gateway, server->trouble);
		log_short(server, LOG_LEVEL_ERROR, "store-fails", server->trouble);
	}
}

static void prune(struct server *server)
{
	const struct clock *clock = clock_system();
	int64_t retention_ms = server->settings->retention_ms;
	size_t n = 0;

	if (!retention_ms || clock_monotonic_ms(clock) < server->prune_ms)
		return;
	if (server->store->shards.n && !shards_has(&server->store->shards, 0)) {
		server->prune_ms = clock_monotonic_ms(clock) + PRUNE_EVERY_MS;
		return; /* whoever has the first shard does it */
	}
	server->prune_ms = clock_monotonic_ms(clock);
	if (store_prune(server->store, clock_now_ms(clock) - retention_ms, PRUNE_AT_ONCE, &n) ||
	    n < PRUNE_AT_ONCE)
		server->prune_ms += PRUNE_EVERY_MS;
}

/* What the bus gives us is ours, and nothing else. While the store cannot be asked it is
 * tried again with every turn, and what was ours goes on. */
static void own_shards(struct server *server)
{
	int64_t now_ms = clock_monotonic_ms(clock_system());
	struct shards owned;
	uint64_t turn;

	if (!is_shared(server->settings) || !bus_owned(server->bus, &owned, &turn))
		return;
	if (turn == server->owned_turn && (shards_equal(&owned, &server->store->shards) ||
					   now_ms - server->owned_ms < CLAIM_AGAIN_MS))
		return;
	if (turn != server->owned_turn)
		server->owned_turn = 0;
	if (engine_own(server->engine, &owned))
		return;
	server->owned_turn = turn;
	server->owned_ms = now_ms;
}

/* Another process has all sagas, and this one never can again. */
static bool is_lost(const struct server *server)
{
	const struct shards *ours = &server->store->shards;

	return !is_shared(server->settings) && ours->n && shards_next(ours, 0) == ours->n;
}

static enum err say_lost(struct server *server, struct diag *diag)
{
	struct slice url = {0};

	if (!engine_read_owners(server->engine))
		(void)engine_owner(server->engine, url, &url);
	return diag_set(diag, ERR_CONFLICT,
			"another orchestrator%s%.*s has taken the store in MongoDB; this one "
			"must end",
			url.len ? ", " : "", SLICE_ARG(url));
}

/* Everybody's turn once. True: there may be more to do at once. What the engine has to
 * say goes out with the next turn: a pump also takes in what came, and nobody would
 * wake the engine for that if it were not for its turn behind it. */
static bool turn(struct server *server)
{
	bool asked;
	size_t n;
	enum err err;

	bus_pump(server->bus);
	own_shards(server);
	FAULT_POINT("server.pumped");
	asked = gateway_pump(server->gateway);
	err = engine_turn(server->engine, &n);
	note_store(server, err);
	prune(server);
	return !err && (n || asked);
}

static int64_t at_most(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* For epoll_wait: until the next moment at which somebody wants a turn. */
static int patience_ms(const struct server *server)
{
	const struct clock *clock = clock_system();
	int64_t now_ms = clock_monotonic_ms(clock);
	int64_t engine_ms = engine_wake_ms(server->engine);
	int64_t wait_ms = gateway_wake_ms(server->gateway) - now_ms;

	if (engine_ms < INT64_MAX)
		wait_ms = at_most(wait_ms, engine_ms - clock_now_ms(clock));
	if (server->settings->retention_ms)
		wait_ms = at_most(wait_ms, server->prune_ms - now_ms);
	wait_ms = at_most(wait_ms, PRUNE_EVERY_MS);
	return wait_ms < 0 ? 0 : (int)wait_ms;
}

static void wait_for_events(const struct server *server, bool more)
{
	enum { EVENTS = 4 };
	struct epoll_event events[EVENTS];

	/* What is ready is seen by whoever is pumped; an error is a turn too many. */
	(void)epoll_wait(server->epoll_fd, events, EVENTS, more ? 0 : patience_ms(server));
}

static void read_limits_again(struct server *server)
{
	const struct server_settings *settings = server->settings;
	struct limits limits;
	struct log_line line;

	if (!settings->read_limits(settings->context, &limits)) {
		log_short(server, LOG_LEVEL_ERROR, "limits-not-read",
			  "the settings file cannot be used, as said above; the limits stay as "
			  "they were");
		return;
	}
	engine_set_limits(server->engine, &limits);
	log_begin(&line, &server->log, LOG_LEVEL_INFO, "limits-read");
	log_number(&line, "participants", (int64_t)limits.n);
	log_end(&line);
}

static void read_again(struct server *server)
{
	struct diag diag = {""};

	if (deploy_folder(server, &diag))
		log_short(server, LOG_LEVEL_ERROR, "definitions-not-read", diag.text);
	read_limits_again(server);
}

static void take_signals(struct server *server)
{
	struct signalfd_siginfo info;

	while (read(server->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP)
			read_again(server);
		else
			server->stopping = true;
	}
}

/* Finish what is under way: nobody who asked is left without an answer. */
static void say_goodbye(struct server *server)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + GOODBYE_MS;

	log_short(server, LOG_LEVEL_INFO, "stopping", NULL);
	gateway_stop(server->gateway);
	do {
		turn(server);
		wait_for_events(server, !gateway_requests(server->gateway));
	} while (gateway_requests(server->gateway) &&
		 clock_monotonic_ms(clock_system()) < end_ms);
	bus_pump(server->bus);
}

static void count_definition(void *context, const struct definition *definition)
{
	++*(size_t *)context;
}

/* The one line that always comes, whatever the log's level. */
static void say_ready(const struct server *server)
{
	const struct log always = {LOG_LEVEL_INFO, server->log.write, server->log.sink};
	struct engine_stats stats;
	struct log_line line;
	size_t n = 0;
	char url[LISTEN_TEXT_MAX + 8];

	engine_stats(server->engine, &stats);
	engine_each_definition(server->engine, count_definition, &n);
	snprintf(url, sizeof url, "http://%s", server->address);
	log_begin(&line, &always, LOG_LEVEL_INFO, "ready");
	log_text(&line, "url", slice_of(url));
	log_text(&line, "bus", slice_of(server->place));
	log_text(&line, "data", slice_of(server->settings->data));
	log_number(&line, "definitions", (int64_t)n);
	log_number(&line, "sagas", (int64_t)stats.live);
	log_end(&line);
}

static enum err serve(struct server *server, struct diag *diag)
{
	bool more = true;

	FAULT_POINT("server.opened");
	say_ready(server);
	while (!server->stopping && !is_lost(server)) {
		wait_for_events(server, more);
		more = turn(server);
		take_signals(server);
	}
	if (is_lost(server)) /* whoever asked is answered by the other one */
		return say_lost(server, diag);
	say_goodbye(server);
	return OK;
}

/* A thousand connections need more descriptors than a shell often allows. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		/* It is worth trying, and that is all. */
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* A client that is gone, and a file that may not grow, show when they are written to. */
static void survive_writes(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

enum err server_run(const struct server_settings *settings, struct diag *diag)
{
	struct server server = {
		.settings = settings,
		.sink = {clock_system(), STDERR_FILENO},
		.listen_fd = -1,
		.signal_fd = -1,
		.epoll_fd = -1,
	};
	enum err err;

	server.log = (struct log){settings->log_level, log_write_fd, &server.sink};
	allow_descriptors();
	survive_writes();
	err = open_all(&server, diag);
	if (!err)
		err = serve(&server, diag);
	close_all(&server);
	return err;
}

/* --- checking --------------------------------------------------------------------- */

static void drop_definition(void *context, const char *path, struct definition *definition)
{
	definition_free(definition);
}

enum err server_check_form(const struct server_settings *settings, struct diag *diag)
{
	char place[PATH_MAX_BYTES];
	enum err err = find_bus(settings, place, diag);

	if (!err)
		err = listen_check(settings->listen, diag);
	if (!err)
		err = check_advertise(settings, diag);
	if (!err && mongo_uri(settings))
		err = store_mongo_check(mongo_uri(settings), diag);
	return err;
}

enum err server_check(const struct server_settings *settings, struct diag *diag)
{
	struct server server = {.settings = settings};
	struct deploying deploying = {.server = &server};
	const struct folder_reader reader = {drop_definition, report, &deploying};
	size_t n_bad = 0;
	enum err err = folder_read_definitions(settings->sagas, &reader, &n_bad, diag);

	if (err == ERR_NOT_FOUND && !settings->sagas_needed)
		return OK;
	if (!err && n_bad)
		err = diag_set(diag, ERR_INVALID,
			       "%zu definition%s of %.200s cannot be used, see above", n_bad,
			       n_bad == 1 ? "" : "s", settings->sagas);
	return err;
}

#include "tests/e2e/fleet.h"

#include "base/bytes.h"
#include "tests/lib/folder.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fleet fleet;
struct arena fleet_arena;

static char shifted[4096]; /* the server with a clock that is wrong */
static char definitions[4096];

bool fleet_find(const char *argv0)
{
	works_find(argv0);
	process_find(argv0, "skald-shifted", shifted, sizeof shifted);
	if (!getcwd(definitions, sizeof definitions - sizeof "/sagas"))
		return false;
	memcpy(definitions + strlen(definitions), "/sagas", sizeof "/sagas");
	return true;
}

const char *fleet_program(void)
{
	return works_program(SERVER);
}

/* --- the processes ------------------------------------------------------------------ */

void fleet_enter(const char *brokers, const char *store)
{
	folder_enter();
	fleet = (struct fleet){.asked = 0};
	kafka_prefix(fleet.prefix);
	snprintf(fleet.bus, sizeof fleet.bus, "kafka:%s", brokers);
	snprintf(fleet.store, sizeof fleet.store, "SKALD_STORE=%s", store);
}

/* The same port each time. */
void fleet_start_server(int n)
{
	struct fleet_server *server = &fleet.servers[n];
	char data[32], prefix[KAFKA_PREFIX_SIZE + 32], clock[64];
	const char *listen = server->url[0] ? server->url + strlen("http://") : "127.0.0.1:0";
	const struct process_setup setup = {
		.argv = {server->ahead_s ? shifted : fleet_program(), "serve", "--data", data,
			 "--listen", listen, "--sagas", definitions, "--bus", fleet.bus,
			 "--kafka", "session.timeout.ms=6000"},
		.env = {fleet.store, prefix, clock}};
	const char *url;
	struct slice log;

	snprintf(data, sizeof data, "data-%d", n);
	snprintf(prefix, sizeof prefix, "SKALD_KAFKA_PREFIX=%s", fleet.prefix);
	snprintf(clock, sizeof clock, "TEST_CLOCK_AHEAD_S=%d", server->ahead_s);
	snprintf(server->log, sizeof server->log, "server-%d.log", n);
	background_start(&server->process, &setup, server->log);
	log = background_until(&server->process, "event=ready", &fleet_arena);
	background_until(&server->process, "\n", &fleet_arena);
	url = strstr(log.at, "url=");
	ck_assert_ptr_nonnull(url);
	snprintf(server->url, sizeof server->url, "%.*s", (int)strcspn(url + 4, " \n"),
		 url + 4);
	memcpy(server->env, "SKALD_SERVER=", sizeof "SKALD_SERVER=");
	memcpy(server->env + strlen(server->env), server->url, strlen(server->url) + 1);
	if (n == fleet.asked)
		fleet_ask_server(n);
}

/* Small batches, and some time for each, so that there is a middle. */
void fleet_start_service(enum work service, int twin)
{
	struct fleet_service *it = &fleet.services[service][twin];
	const char *const *more = fleet.works.args[service];
	struct process_setup setup = {.argv = {works_program(service), "--bus", fleet.bus,
					       "--kafka-prefix", fleet.prefix, "--data", ".",
					       "--window", "5", "--faults", "slow=20ms",
					       "--kafka", "session.timeout.ms=6000"}};

	for (int n = 13, i = 0; more[i]; i++)
		setup.argv[n++] = more[i];
	snprintf(it->log, sizeof it->log, "%s-%d.log", work_names[service], twin);
	background_start(&it->process, &setup, it->log);
	background_until(&it->process, ": ready: ", &fleet_arena);
}

void fleet_start(int n_servers, int n_twins)
{
	for (int i = 0; i < n_servers; i++)
		fleet_start_server(i);
	for (enum work service = INVENTORY; service < N_WORKS; service++)
		for (int twin = 0; twin < n_twins; twin++)
			fleet_start_service(service, twin);
}

static void kill_one(struct background *process)
{
	ck_assert_int_eq(background_stop(process, SIGKILL), 128 + SIGKILL);
}

void fleet_kill_server(int n)
{
	kill_one(&fleet.servers[n].process);
}

void fleet_kill_service(enum work service, int twin)
{
	kill_one(&fleet.services[service][twin].process);
}

static void stop(struct background *process)
{
	if (process->pid)
		ck_assert_int_eq(background_stop(process, SIGTERM), 0);
}

void fleet_leave(void)
{
	for (enum work service = INVENTORY; service < N_WORKS; service++)
		for (int twin = 0; twin < FLEET_TWINS; twin++)
			stop(&fleet.services[service][twin].process);
	for (int i = 0; i < FLEET_SERVERS; i++)
		stop(&fleet.servers[i].process);
	folder_leave();
	arena_release(&fleet_arena);
}

/* --- asking ------------------------------------------------------------------------- */

void fleet_ask_server(int n)
{
	const struct fleet_server *server = &fleet.servers[n];

	fleet.asked = n;
	memcpy(fleet.works.server.url, server->url, sizeof server->url);
}

struct process_result fleet_ask(const char *const *args)
{
	struct process_setup setup = {.argv = {fleet_program()},
				      .env = {fleet.servers[fleet.asked].env}};
	struct process_result result;

	for (size_t i = 0; args[i]; i++)
		setup.argv[i + 1] = args[i];
	result = process_run(&setup, &fleet_arena);
	ck_assert_msg(result.exit_code == 0, "skald %s: exit %d: %s", args[0], result.exit_code,
		      result.errs.at);
	return result;
}

int fleet_shards_of(int server)
{
	const char *log = folder_read(fleet.servers[server].log, &fleet_arena).at;
	int n = 0;

	for (const char *at = log; (at = strstr(at, "event=shards-")); at++) {
		const char *ours = strstr(at, " ours=");

		if (ours && ours < at + strcspn(at, "\n"))
			n = (int)strtol(ours + strlen(" ours="), NULL, 10);
	}
	return n;
}

void fleet_await_shards_of(int server, int n)
{
	for (int ms = 0; ms < SAGAS_MS && fleet_shards_of(server) != n; ms += TURN_MS)
		works_sleep_ms(TURN_MS);
	ck_assert_int_eq(fleet_shards_of(server), n);
}

void fleet_await_shards(int n)
{
	int sum = -1;

	for (int ms = 0; ms < SAGAS_MS && sum != n; ms += TURN_MS) {
		if (sum >= 0)
			works_sleep_ms(TURN_MS);
		sum = 0;
		for (int i = 0; i < FLEET_SERVERS; i++)
			sum += fleet.servers[i].process.pid ? fleet_shards_of(i) : 0;
	}
	ck_assert_int_eq(sum, n);
}

/* --- sagas ------------------------------------------------------------------------- */

/* Those from number `first` on. */
void fleet_write_orders(int first, int n)
{
	struct bytes lines = BYTES(1 << 20, &fleet_arena);

	for (int i = first; i < first + n; i++)
		bytes_format(
			&lines,
			"{\"order_id\":\"%d\",\"sku\":\"book\",\"qty\":1,\"total\":19.99,"
			"\"email\":\"ann@example.com\",\"card\":\"4111\",\"decline\":%s}\n",
			i, i % DECLINE_EVERY ? "false" : "true");
	bytes_add(&lines, '\0');
	folder_write("orders", lines.at);
}

void fleet_start_sagas(int first, int n)
{
	fleet_write_orders(first, n);
	FLEET_ASK("start", "order", "--input-lines", "orders");
}

/* The number behind "name": in a text of JSON. */
long fleet_number(struct slice json, const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof key, "\"%s\":", name);
	at = strstr(json.at, key);
	ck_assert_msg(at != NULL, "no %s in %s", name, json.at);
	return strtol(at + strlen(key), NULL, 10);
}

long fleet_ended(void)
{
	struct slice stats = FLEET_ASK("stats", "--json").out;

	ck_assert_int_eq(fleet_number(stats, "parked"), 0);
	return fleet_number(stats, "completed") + fleet_number(stats, "compensated");
}

void fleet_await(long n)
{
	long ended = 0;

	for (int ms = 0; (ended = fleet_ended()) < n && ms < SAGAS_MS; ms += TURN_MS)
		works_sleep_ms(TURN_MS);
	ck_assert_msg(ended >= n, "%ld of %ld sagas have ended", ended, n);
}

struct slice fleet_books(enum work service)
{
	return works_audit(&fleet.works, service, &fleet_arena);
}

void fleet_check_books(long n)
{
	long declined = (n + DECLINE_EVERY - 1) / DECLINE_EVERY, charged = n - declined;
	struct slice stock = fleet_books(INVENTORY), ledger = fleet_books(PAYMENT),
		     mails = fleet_books(NOTIFICATION);

	ck_assert_int_eq(fleet_number(stock, "held"), 0);
	ck_assert_int_eq(fleet_number(stock, "confirmed"), charged);
	ck_assert_int_eq(fleet_number(stock, "released"), declined);
	ck_assert_int_eq(fleet_number(ledger, "charged_cents"), charged * 1999);
	ck_assert_int_eq(fleet_number(ledger, "refused"), declined);
	ck_assert_int_eq(fleet_number(mails, "sent"), n);
}

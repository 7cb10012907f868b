#include "tests/e2e/fleet.h"

#include "base/bytes.h"
#include "tests/lib/folder.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct fleet fleet;
struct arena fleet_arena;

const char *const fleet_names[N_SERVICES] = {"inventory", "payment", "notification"};

static char skald[FLEET_PATH_SIZE], services[N_SERVICES][FLEET_PATH_SIZE];
static char definitions[FLEET_PATH_SIZE];

bool fleet_find(const char *argv0)
{
	char name[64];

	process_find(argv0, "skald", skald, sizeof skald);
	for (int i = 0; i < N_SERVICES; i++) {
		snprintf(name, sizeof name, "skald-%s", fleet_names[i]);
		process_find(argv0, name, services[i], FLEET_PATH_SIZE);
	}
	if (!getcwd(definitions, sizeof definitions - sizeof "/sagas"))
		return false;
	memcpy(definitions + strlen(definitions), "/sagas", sizeof "/sagas");
	return true;
}

const char *fleet_program(void)
{
	return skald;
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
	char data[32], prefix[KAFKA_PREFIX_SIZE + 32];
	const char *listen = server->url[0] ? server->url + strlen("http://") : "127.0.0.1:0";
	const struct process_setup setup = {
		.argv = {skald, "serve", "--data", data, "--listen", listen, "--sagas",
			 definitions, "--bus", fleet.bus, "--kafka", "session.timeout.ms=6000"},
		.env = {fleet.store, prefix}};
	const char *url;
	struct slice log;

	snprintf(data, sizeof data, "data-%d", n);
	snprintf(prefix, sizeof prefix, "SKALD_KAFKA_PREFIX=%s", fleet.prefix);
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
}

void fleet_start_service(int service)
{
	/* Small batches, and some time for each, so that there is a middle. */
	const struct process_setup setup = {
		.argv = {services[service], "--bus", fleet.bus, "--kafka-prefix", fleet.prefix,
			 "--data", ".", "--window", "5", "--faults", "slow=20ms", "--kafka",
			 "session.timeout.ms=6000"}};

	background_start(&fleet.services[service], &setup, fleet_names[service]);
	background_until(&fleet.services[service], ": ready: ", &fleet_arena);
}

void fleet_start(int n_servers)
{
	for (int i = 0; i < n_servers; i++)
		fleet_start_server(i);
	for (int i = 0; i < N_SERVICES; i++)
		fleet_start_service(i);
}

void fleet_leave(void)
{
	for (int i = 0; i < N_SERVICES; i++)
		if (fleet.services[i].pid)
			ck_assert_int_eq(background_stop(&fleet.services[i], SIGTERM), 0);
	for (int i = 0; i < FLEET_SERVERS; i++)
		if (fleet.servers[i].process.pid)
			ck_assert_int_eq(background_stop(&fleet.servers[i].process, SIGTERM),
					 0);
	folder_leave();
	arena_release(&fleet_arena);
}

/* --- asking ------------------------------------------------------------------------- */

struct process_result fleet_ask(const char *const *args)
{
	struct process_setup setup = {.argv = {skald}, .env = {fleet.servers[fleet.asked].env}};
	struct process_result result;

	for (size_t i = 0; args[i]; i++)
		setup.argv[i + 1] = args[i];
	result = process_run(&setup, &fleet_arena);
	ck_assert_msg(result.exit_code == 0, "skald %s: exit %d: %s", args[0], result.exit_code,
		      result.errs.at);
	return result;
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
	const struct timespec turn = {0, TURN_MS * 1000000};
	long ended = 0;

	for (int ms = 0; (ended = fleet_ended()) < n && ms < SAGAS_MS; ms += TURN_MS)
		nanosleep(&turn, NULL);
	ck_assert_msg(ended >= n, "%ld of %ld sagas have ended", ended, n);
}

struct slice fleet_books(int service)
{
	const struct process_setup setup = {
		.argv = {services[service], "audit", "--json", "--data", "."}};
	struct process_result result = process_run(&setup, &fleet_arena);

	ck_assert_msg(result.exit_code == 0, "%s: %s%s", fleet_names[service], result.out.at,
		      result.errs.at);
	return result.out;
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

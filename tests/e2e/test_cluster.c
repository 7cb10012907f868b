/* test_cluster.c - several orchestrators on Kafka and MongoDB: one is killed, one is held
 * for so long that it is taken for dead, they come and go; and the books are exact */
#include "tests/e2e/fleet.h"
#include "tests/lib/engines.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PARTITIONS = 12 };

static const char *kafka;
static char database[MONGO_URI_SIZE], store[MONGO_URI_SIZE + 8];

static void enter(void)
{
	mongo_database(database);
	snprintf(store, sizeof store, "mongo:%s", database);
	fleet_enter(kafka, store);
}

static void leave(void)
{
	fleet_leave();
	mongo_drop(database);
}

static void sleep_ms(int ms)
{
	const struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How many shards the server said last that it has. */
static int shards_of(int server)
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

/* All of them are somebody's. */
static void await_shards(int n_servers)
{
	int sum = 0;

	for (int ms = 0; ms < SAGAS_MS && sum != PARTITIONS; ms += TURN_MS) {
		sum = 0;
		for (int i = 0; i < n_servers; i++)
			sum += fleet.servers[i].process.pid ? shards_of(i) : 0;
		if (sum != PARTITIONS)
			sleep_ms(TURN_MS);
	}
	ck_assert_int_eq(sum, PARTITIONS);
}

static void await_shards_of(int server, int n)
{
	for (int ms = 0; ms < SAGAS_MS && shards_of(server) != n; ms += TURN_MS)
		sleep_ms(TURN_MS);
	ck_assert_int_eq(shards_of(server), n);
}

static void start_at(int server, int first, int n)
{
	fleet.asked = server;
	fleet_start_sagas(first, n);
}

START_TEST(test_two_share_the_work)
{
	enum { N = 40 };

	enter();
	fleet_start(2);
	await_shards(2);
	ck_assert_int_eq(shards_of(0), PARTITIONS / 2);
	start_at(0, 0, N / 2);
	start_at(1, N / 2, N / 2);
	fleet_await(N);
	fleet_check_books(N);
	leave();
}
END_TEST

START_TEST(test_one_of_several_is_killed)
{
	int n_servers = 2 + _i, n = 60 * n_servers;
	int64_t killed_ms;

	enter();
	fleet_start(n_servers);
	await_shards(n_servers);
	for (int i = 0; i < n_servers; i++)
		start_at(i, 60 * i, 60);
	fleet_await(n / 10);
	killed_ms = now_ms();
	background_stop(&fleet.servers[0].process, SIGKILL);
	fleet.servers[0].process.pid = 0;
	await_shards(n_servers);
	ck_assert_msg(now_ms() - killed_ms < SESSION_MS + 2000,
		      "its shards were taken after %d ms", (int)(now_ms() - killed_ms));
	fleet_await(n);
	fleet_check_books(n);
	leave();
}
END_TEST

/* Held for longer than its session lasts, one is taken for dead; when it goes on it sees
 * that its shards are somebody else's, says so, and takes its part again. */
START_TEST(test_one_is_held_and_taken_for_dead)
{
	enum { N = 100 };
	struct slice log;

	enter();
	fleet_start(2);
	await_shards(2);
	start_at(0, 0, N / 2);
	start_at(1, N / 2, N / 2);
	fleet_await(N / 10);
	ck_assert_int_eq(kill(fleet.servers[0].process.pid, SIGSTOP), 0);
	await_shards_of(1, PARTITIONS);
	fleet_await(N / 2);
	ck_assert_int_eq(kill(fleet.servers[0].process.pid, SIGCONT), 0);
	log = background_until(&fleet.servers[0].process, "event=shards-lost", &fleet_arena);
	ck_assert_ptr_null(strstr(log.at, "saga-left-out"));
	await_shards_of(0, PARTITIONS / 2);
	await_shards(2);
	start_at(0, N, 10);
	fleet_await(N + 10);
	fleet_check_books(N + 10);
	leave();
}
END_TEST

/* What is deployed at one is known to all a second later. */
START_TEST(test_a_definition_is_known_to_all)
{
	static const char text[] = "saga: mails\nversion: %d.0.0\nsteps:\n"
				   "  - mail: { kind: readonly, call: notification.send,"
				   " with: { to: ann@example.com } }\n";
	char file[] = "mails.yaml", definition[512];
	struct slice shown;

	enter();
	fleet_start(2);
	await_shards(2);
	for (int version = 1; version <= 2; version++) {
		snprintf(definition, sizeof definition, text, version);
		folder_write(file, definition);
		fleet.asked = 0;
		FLEET_ASK("deploy", file);
		sleep_ms(1000); /* that is what is promised */
		fleet.asked = 1;
		FLEET_ASK("start", "mails", "-i", "{}", "--id", version == 1 ? "m-1" : "m-2");
		fleet_await(version);
	}
	shown = FLEET_ASK("show", "m-2", "--json").out;
	ck_assert_ptr_nonnull(strstr(shown.at, "\"version\":\"2.0.0\""));
	leave();
}
END_TEST

/* For as long as STORM_SECONDS says somebody comes or goes every few seconds, in one way
 * or another; and there is always one that takes orders. */
START_TEST(test_orchestrators_come_and_go)
{
	const char *given = getenv("STORM_SECONDS");
	int64_t end_ms = now_ms() + 1000 * (given ? strtol(given, NULL, 10) : 30);
	int n = 0;

	enter();
	fleet_start(FLEET_SERVERS);
	await_shards(FLEET_SERVERS);
	for (int blow = 0; now_ms() < end_ms; blow++) {
		int victim = 1 + blow % (FLEET_SERVERS - 1);
		struct fleet_server *server = &fleet.servers[victim];

		start_at(0, n, 20);
		n += 20;
		if (!server->process.pid) {
			fleet_start_server(victim);
		} else {
			background_stop(&server->process, blow % 3 ? SIGKILL : SIGTERM);
			server->process.pid = 0;
		}
		sleep_ms(4000);
	}
	for (int i = 0; i < FLEET_SERVERS; i++)
		if (!fleet.servers[i].process.pid)
			fleet_start_server(i);
	fleet.asked = 0;
	fleet_await(n);
	fleet_check_books(n);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, test_two_share_the_work);
	tcase_add_loop_test(tcase, test_one_of_several_is_killed, 0, 2);
	tcase_add_test(tcase, test_one_is_held_and_taken_for_dead);
	tcase_add_test(tcase, test_a_definition_is_known_to_all);
	tcase_add_test(tcase, test_orchestrators_come_and_go);
}

int main(int argc, char **argv)
{
	kafka = kafka_broker_find();
	if (!kafka || !mongo_find("mongo"))
		return EXIT_SUCCESS;
	return fleet_find(argv[0]) ? suite_run("cluster", add) : EXIT_FAILURE;
}

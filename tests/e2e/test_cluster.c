/* test_cluster.c - several orchestrators on Kafka and MongoDB: one is killed, one is held
 * for so long that it is taken for dead; and the books are exact. What befalls all of them
 * is in test_cluster_outage.c. */
#include "base/clock.h"
#include "tests/e2e/fleet.h"
#include "tests/lib/engines.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static void start_at(int server, int first, int n)
{
	fleet_ask_server(server);
	fleet_start_sagas(first, n);
}

START_TEST(test_two_share_the_work)
{
	enum { N = 40 };

	enter();
	fleet_start(2, 1);
	fleet_await_shards(FLEET_SHARDS);
	ck_assert_int_eq(fleet_shards_of(0), FLEET_SHARDS / 2);
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
	fleet_start(n_servers, 1);
	fleet_await_shards(FLEET_SHARDS);
	for (int i = 0; i < n_servers; i++)
		start_at(i, 60 * i, 60);
	fleet_await(n / 10);
	killed_ms = now_ms();
	fleet_kill_server(0);
	fleet_await_shards(FLEET_SHARDS);
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
	fleet_start(2, 1);
	fleet_await_shards(FLEET_SHARDS);
	start_at(0, 0, N / 2);
	start_at(1, N / 2, N / 2);
	fleet_await(N / 10);
	ck_assert_int_eq(kill(fleet.servers[0].process.pid, SIGSTOP), 0);
	fleet_await_shards_of(1, FLEET_SHARDS);
	fleet_await(N / 2);
	ck_assert_int_eq(kill(fleet.servers[0].process.pid, SIGCONT), 0);
	log = background_until(&fleet.servers[0].process, "event=shards-lost", &fleet_arena);
	ck_assert_ptr_null(strstr(log.at, "saga-left-out"));
	fleet_await_shards_of(0, FLEET_SHARDS / 2);
	fleet_await_shards(FLEET_SHARDS);
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
	fleet_start(2, 1);
	fleet_await_shards(FLEET_SHARDS);
	for (int version = 1; version <= 2; version++) {
		snprintf(definition, sizeof definition, text, version);
		folder_write(file, definition);
		fleet_ask_server(0);
		FLEET_ASK("deploy", file);
		works_sleep_ms(1000); /* that is what is promised */
		fleet_ask_server(1);
		FLEET_ASK("start", "mails", "-i", "{}", "--id", version == 1 ? "m-1" : "m-2");
		fleet_await(version);
	}
	shown = FLEET_ASK("show", "m-2", "--json").out;
	ck_assert_ptr_nonnull(strstr(shown.at, "\"version\":\"2.0.0\""));
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
}

int main(int argc, char **argv)
{
	kafka = kafka_broker_find();
	if (!kafka || !mongo_find("mongo"))
		return EXIT_SUCCESS;
	return fleet_find(argv[0]) ? suite_run("cluster", add) : EXIT_FAILURE;
}

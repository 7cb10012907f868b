/* test_mongo_idle.c - sagas that wait cost MongoDB nothing: while a thousand wait for a
 * signal and a hundred for their next attempt, a server writes nothing, and asks what it
 * also asks while there are none. */
#include "tests/e2e/waiting.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/proxy.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEP_MS = 250, CALM_STEPS = 20, WATCHED_STEPS = 32, WAIT_MS = 40000 };

/* What a server asks in a minute, however long is looked: whose the sagas are, whether there
 * are new definitions, what is old enough to be removed; and how the database does. */
enum { QUIET_MAX = 5 };

static const char *kafka; /* HOST:PORT; NULL: there is none */
static char database[MONGO_URI_SIZE], store[MONGO_URI_SIZE + 8];
static char prefix[KAFKA_PREFIX_SIZE], bus[160];
static struct proxy proxy;

static void rest(void)
{
	const struct timespec step = {0, STEP_MS * 1000 * 1000};

	nanosleep(&step, NULL);
}

static void enter(bool over_kafka)
{
	struct waiting_setup setup = {.store = store};
	char behind[MONGO_URI_SIZE];

	folder_enter();
	mongo_database(database);
	proxy_start(&proxy, database, behind);
	snprintf(store, sizeof store, "mongo:%s", behind);
	if (over_kafka) {
		kafka_prefix(prefix);
		snprintf(bus, sizeof bus, "kafka:%s", kafka);
		setup.bus = bus;
		setup.prefix = prefix;
	}
	waiting_enter(&setup);
}

static void leave(void)
{
	waiting_leave();
	proxy_stop(&proxy);
	mongo_drop(database);
	folder_leave();
}

/* All are there, and each of the stubborn was asked for once, and answered. */
static void wait_until_they_wait(void)
{
	char running[64], commands[64];

	snprintf(running, sizeof running, "\"running\":%d,", N_PATIENT + N_STUBBORN);
	snprintf(commands, sizeof commands, "\"commands\":%d,", N_STUBBORN);
	for (int ms = 0; ms < WAIT_MS; ms += STEP_MS) {
		const char *stats = waiting_stats();

		if (strstr(stats, running) && strstr(stats, commands) &&
		    strstr(stats, "\"inflight\":0,"))
			return;
		rest();
	}
	ck_abort_msg("they do not come to wait: %s", waiting_stats());
}

static void wait_until_calm(void)
{
	int asked = -1, calm = 0;

	for (int ms = 0; ms < WAIT_MS && calm < CALM_STEPS; ms += STEP_MS) {
		int now = proxy_counts(&proxy).asked;

		calm = now == asked ? calm + 1 : 0;
		asked = now;
		rest();
	}
	ck_assert_msg(calm == CALM_STEPS, "it never gets calm");
}

static void check_quiet(const char *when)
{
	struct proxy_counts before = proxy_counts(&proxy), after;

	for (int i = 0; i < WATCHED_STEPS; i++)
		rest();
	after = proxy_counts(&proxy);
	ck_assert_msg(after.written == before.written, "%s: %d writes", when,
		      after.written - before.written);
	ck_assert_msg(after.asked - before.asked <= QUIET_MAX, "%s: %d questions", when,
		      after.asked - before.asked);
}

START_TEST(test_sagas_that_wait_ask_nothing)
{
	int written;

	enter(_i == 1);
	wait_until_calm();
	check_quiet("without sagas");
	written = proxy_counts(&proxy).written;
	waiting_start(N_PATIENT, N_STUBBORN);
	wait_until_they_wait();
	wait_until_calm();
	check_quiet("with sagas");

	/* And the look would have seen something. */
	ck_assert_int_gt(proxy_counts(&proxy).written, written);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, test_sagas_that_wait_ask_nothing, 0, kafka ? 2 : 1);
}

int main(int argc, char **argv)
{
	waiting_find(argv[0]);
	unsetenv("SKALD_TEST_MONGO"); /* the proxy is for one server of this machine */
	if (!mongo_find("mongo-memory"))
		return EXIT_SUCCESS;
	kafka = kafka_broker_find();
	return suite_run("mongo_idle", add);
}

/* test_kafka_torture.c - orders go on over Kafka while processes die, brokers die or are
 * held, and topics get more partitions; in the end everybody's books say what the sagas
 * say.
 *
 *	TORTURE_SEED	who is hit when; it is printed
 *	KAFKA_HELD_MS	how long the brokers are held
 */
#include "base/clock.h"
#include "tests/e2e/orders.h"
#include "tests/lib/engines.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/random.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	N_ORDERS = 300,
	N_KILLS = 8,
	N_OUTAGES = 2,
	HELD_MS = 30000,
	SECONDS = 240, /* for a whole test */
};

/* A service that takes its time has more at hand when it dies. */
#define SLOW "slow=15ms"

static char dir[4096];   /* of the broker */
static char broker[128]; /* HOST:PORT */
static char bus[160], prefix[KAFKA_PREFIX_SIZE];
static struct works works;
static struct orders orders;
static struct random chance;
static struct arena arena;

/* --- the world -------------------------------------------------------------------- */

/* As it should be, whatever a test before has left. */
static void broker_up(void)
{
	const char *address;

	(void)engines_signal(dir, SIGCONT);
	address = kafka_engine("up", dir);
	ck_assert_msg(address != NULL, "no broker of our own");
	snprintf(broker, sizeof broker, "%s", address);
}

/* Of the whole program, so that it is gone whatever becomes of a test. */
static void broker_down(void)
{
	(void)engines_signal(dir, SIGCONT);
	(void)kafka_engine("down", dir);
}

/* Nobody is sent anything until orders are allowed. */
static void begin(void)
{
	int64_t now_ms = clock_now_ms(clock_system());
	uint32_t seed = (uint32_t)orders_setting("TORTURE_SEED", (long)(now_ms % 1000000));

	printf("TORTURE_SEED=%u\n", (unsigned)seed);
	fflush(stdout);
	chance = (struct random){seed};
	orders_init(&orders, seed, N_ORDERS);
	broker_up();
	works_enter();
	kafka_prefix(prefix);
	snprintf(bus, sizeof bus, "kafka:%s", broker);
	works = (struct works){
		.args = {
			[SERVER] = {"--bus", bus, "--kafka-prefix", prefix},
			[INVENTORY] = {"--bus", bus, "--kafka-prefix", prefix, "--kafka",
				       "session.timeout.ms=6000", "--faults", SLOW, "--stock",
				       ORDER_SOLD_OUT},
			[PAYMENT] = {"--bus", bus, "--kafka-prefix", prefix, "--kafka",
				     "session.timeout.ms=6000", "--faults", SLOW, "--window",
				     "10"},
			[NOTIFICATION] = {"--bus", bus, "--kafka-prefix", prefix, "--kafka",
					  "session.timeout.ms=6000", "--faults", SLOW},
		}};
	works_start(&works);
	orders_allow(&orders, 0);
	orders_begin(&orders, works.server.url);
}

/* At any moment while orders come in, of which these are the next 1 of `parts`. */
static void send_part(int part, int parts)
{
	orders_send_part(&orders, part, parts);
	works_sleep_ms((int)random_below(&chance, 200));
}

static void end(void)
{
	orders_await(&orders);
	works_wait_idle(&works);
	works_check_reconciled(&works);
	orders_check(&orders, &works, ORDER_AS_IT_IS);
	works_stop(&works);
	folder_leave();
	arena_release(&arena);
}

/* --- processes die ------------------------------------------------------------------ */

/* Each in turn, from a random one on; some stay away for a while. */
START_TEST(test_processes_are_killed_at_any_moment)
{
	uint32_t first;

	begin();
	first = random_below(&chance, N_WORKS);
	for (int i = 0; i < N_KILLS; i++) {
		enum work victim = (enum work)((first + (uint32_t)i) % N_WORKS);

		send_part(i, N_KILLS);
		works_kill(&works, victim);
		works_sleep_ms((int)random_below(&chance, 2) * (int)random_below(&chance, 500));
		works_start_one(&works, victim);
	}
	end();
}
END_TEST

/* --- brokers die -------------------------------------------------------------------- */

/* In the middle of it all, and begin again with what they have. */
START_TEST(test_brokers_are_killed)
{
	begin();
	for (int i = 0; i < N_OUTAGES; i++) {
		send_part(i, N_OUTAGES + 1);
		ck_assert(kafka_engine("kill", dir) != NULL);
		background_until(&works.server.process, "event=kafka-unreachable", &arena);
		send_part(i, N_OUTAGES + 1); /* they are taken all the same */
		ck_assert(kafka_engine("up", dir) != NULL);
	}
	background_until(&works.server.process, "event=kafka-reachable", &arena);
	end();
}
END_TEST

/* --- brokers are held ----------------------------------------------------------------- */

/* Connected, and silent: everybody says so, and that it is over. */
START_TEST(test_brokers_are_held)
{
	int64_t held_ms = orders_setting("KAFKA_HELD_MS", HELD_MS), begin_ms, passed_ms;

	begin();
	send_part(0, 3);
	begin_ms = clock_monotonic_ms(clock_system());
	ck_assert(engines_signal(dir, SIGSTOP));
	send_part(1, 3);
	background_until(&works.server.process, "event=kafka-unreachable", &arena);
	for (enum work work = INVENTORY; work < N_WORKS; work++)
		background_until(&works.services[work], "event=kafka-unreachable", &arena);
	passed_ms = clock_monotonic_ms(clock_system()) - begin_ms;
	if (passed_ms < held_ms)
		works_sleep_ms((int)(held_ms - passed_ms));
	ck_assert(engines_signal(dir, SIGCONT));
	background_until(&works.server.process, "event=kafka-reachable", &arena);
	for (enum work work = INVENTORY; work < N_WORKS; work++)
		background_until(&works.services[work], "event=kafka-reachable", &arena);
	end();
}
END_TEST

/* --- topics get more partitions --------------------------------------------------------- */

/* What is under way, and comes later, finds its way; so it does after a crash. */
START_TEST(test_partitions_are_added)
{
	static const char *const topics[] = {"inbox", "cmd.inventory", "cmd.payment",
					     "cmd.notification"};

	begin();
	for (int i = 0; i < ROWS(topics); i++) {
		send_part(i, ROWS(topics) + 1);
		kafka_grow(broker, prefix, topics[i], 15 + (size_t)i);
	}
	background_until(&works.server.process, " partitions=15 of=15", &arena);
	works_kill(&works, SERVER);
	works_start_one(&works, SERVER);
	end();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, SECONDS);
	tcase_add_unchecked_fixture(tcase, NULL, broker_down);
	tcase_add_test(tcase, test_processes_are_killed_at_any_moment);
	tcase_add_test(tcase, test_brokers_are_killed);
	tcase_add_test(tcase, test_brokers_are_held);
	tcase_add_test(tcase, test_partitions_are_added);
}

int main(int argc, char **argv)
{
	works_find(argv[0]);
	if (!kafka_broker_own(dir, sizeof dir))
		return EXIT_SUCCESS;
	return suite_run("kafka_torture", add);
}

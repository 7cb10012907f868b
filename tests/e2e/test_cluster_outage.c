/* test_cluster_outage.c - three orchestrators whose clocks are 30 s apart, and two of each
 * service, with orders under way: MongoDB and Kafka are killed and held, processes die in
 * turn and at random, the inbox gets more partitions, orchestrators come and go. After each
 * all that was accepted has ended, the books are exact, and so is the record.
 *
 *	TORTURE_SEED	who is hit when; it is printed
 *	OUTAGE_HELD_MS	how long Kafka and MongoDB are held
 *	STORM_SECONDS	how long orchestrators come and go
 */
#include "base/clock.h"
#include "base/rfc3339.h"
#include "tests/e2e/fleet.h"
#include "tests/e2e/orders.h"
#include "tests/lib/engines.h"
#include "tests/lib/folder.h"
#include "tests/lib/random.h"
#include "tests/lib/suite.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SECONDS = 300, /* for a whole test */
	HELD_MS = 8000,
	STORM_S = 20,
	BLOW_MS = 5000, /* from one to the next in the storm */
	STEP_MS = 5,
	LOAD = 60, /* orders of one portion */
	AHEAD_S = 30,
	RANDOM_KILLS = 3,
	TAKE_OVER_MS = SESSION_MS + 2000,
	MORE_SHARDS = 15,
};

/* Of a database that does not answer. */
#define PATIENCE "?connectTimeoutMS=1000&socketTimeoutMS=5000"

static char kafka[4096], mongo[4096]; /* their folders */
static char broker[128], database[MONGO_URI_SIZE], store[MONGO_URI_SIZE + 64];
static struct orders orders;
static struct random chance;
static int64_t began_ms;

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

/* --- the world -------------------------------------------------------------------- */

/* As they should be, whatever a test before has left. */
static void engines_up(void)
{
	const char *address;

	(void)engines_signal(kafka, SIGCONT);
	(void)engines_signal(mongo, SIGCONT);
	ck_assert_ptr_nonnull(engine_ask("mongo", "up", mongo));
	address = kafka_engine("up", kafka);
	ck_assert_msg(address != NULL, "no broker of our own");
	snprintf(broker, sizeof broker, "%s", address);
}

/* Of the whole program, so that they are gone whatever becomes of a test. */
static void engines_down(void)
{
	(void)engines_signal(kafka, SIGCONT);
	(void)engines_signal(mongo, SIGCONT);
	(void)kafka_engine("down", kafka);
	(void)engine_ask("mongo", "down", mongo);
}

/* By its own clock. */
static int64_t first_log_ms(int server)
{
	const char *log = folder_read(fleet.servers[server].log, &fleet_arena).at;
	struct slice time = {log + strlen("time="), RFC3339_TEXT_SIZE - 1};
	int64_t ms = 0;

	ck_assert_int_eq(rfc3339_parse(time, &ms, NULL), OK);
	return ms;
}

/* Nobody is sent anything until orders are allowed. */
static void begin(int n)
{
	uint32_t seed = (uint32_t)orders_setting("TORTURE_SEED", (long)(now_ms() % 1000000));
	const char *urls[FLEET_SERVERS];

	printf("TORTURE_SEED=%u\n", (unsigned)seed);
	chance = (struct random){seed};
	engines_up();
	mongo_database(database);
	snprintf(store, sizeof store, "mongo:%s%s", database, PATIENCE);
	fleet_enter(broker, store);
	fleet.works.args[INVENTORY][0] = "--stock";
	fleet.works.args[INVENTORY][1] = ORDER_SOLD_OUT;
	fleet.works.args[PAYMENT][0] = "--store";
	fleet.works.args[PAYMENT][1] = store;
	fleet.servers[1].ahead_s = AHEAD_S;
	fleet.servers[2].ahead_s = -AHEAD_S;
	fleet_start(FLEET_SERVERS, FLEET_TWINS);
	fleet_await_shards(FLEET_SHARDS);
	ck_assert_int_gt(first_log_ms(1) - first_log_ms(2), AHEAD_S * 1000);
	for (int i = 0; i < FLEET_SERVERS; i++)
		urls[i] = fleet.servers[i].url;
	orders_init(&orders, seed, n);
	orders_allow(&orders, 0);
	orders_begin_at(&orders, urls, FLEET_SERVERS);
	began_ms = now_ms();
}

static void allow(int n)
{
	orders_allow(&orders, orders.board->goal + n);
}

/* So many more, of which half are accepted on return. */
static void load(int n)
{
	int before = orders_accepted(&orders);

	allow(n);
	orders_await_accepted(&orders, before + n / 2);
	works_sleep_ms((int)random_below(&chance, 200));
}

/* Everybody is there: all that was accepted comes to its end, and everybody says the same
 * of it. */
static void settle(const char *after, enum order_rule rule)
{
	struct order_ends ends;

	orders_await_accepted(&orders, orders.board->goal);
	works_wait_idle(&fleet.works);
	works_check_reconciled(&fleet.works);
	ends = orders_check(&orders, &fleet.works, rule);
	ck_assert_int_eq(ends.completed + ends.compensated, orders_accepted(&orders));
	printf("after %s: %d orders have ended, %d of them given up; %d ms\n", after,
	       ends.completed + ends.compensated, ends.given_up, (int)(now_ms() - began_ms));
	fflush(stdout);
}

/* All orders were sent, and settled. */
static void leave(void)
{
	ck_assert_int_eq(orders_accepted(&orders), orders.n);
	orders_await(&orders);
	fleet_leave();
	mongo_drop(database);
}

static void await_log(const char *text)
{
	for (int i = 0; i < FLEET_SERVERS; i++)
		background_until(&fleet.servers[i].process, text, &fleet_arena);
}

static void hold(const char *dir)
{
	ck_assert(engines_signal(dir, SIGSTOP));
	allow(LOAD);
	works_sleep_ms((int)orders_setting("OUTAGE_HELD_MS", HELD_MS));
	ck_assert(engines_signal(dir, SIGCONT));
}

/* --- the database ------------------------------------------------------------------- */

/* Sagas and charges are in it. */
START_TEST(test_the_database_is_killed_and_held)
{
	begin(4 * LOAD);
	load(LOAD);
	ck_assert_ptr_nonnull(engine_ask("mongo", "kill", mongo));
	allow(LOAD);
	await_log("event=store-fails");
	ck_assert_ptr_nonnull(engine_ask("mongo", "up", mongo));
	await_log("event=store-back");
	settle("MongoDB was killed", ORDER_AS_IT_IS);
	load(LOAD);
	hold(mongo);
	settle("MongoDB was held", ORDER_AS_IT_IS);
	leave();
}
END_TEST

/* --- the brokers -------------------------------------------------------------------- */

START_TEST(test_the_brokers_are_killed_and_held)
{
	begin(4 * LOAD);
	load(LOAD);
	ck_assert_ptr_nonnull(kafka_engine("kill", kafka));
	allow(LOAD);
	await_log("event=kafka-unreachable");
	ck_assert_ptr_nonnull(kafka_engine("up", kafka));
	await_log("event=kafka-reachable");
	settle("Kafka was killed", ORDER_AS_IT_IS);
	load(LOAD);
	hold(kafka);
	settle("Kafka was held", ORDER_AS_IT_IS);
	leave();
}
END_TEST

/* --- processes ---------------------------------------------------------------------- */

static mongoc_collection_t *collection(mongoc_client_t **client, const char *name)
{
	mongoc_uri_t *uri = mongoc_uri_new(database);
	mongoc_collection_t *found;

	*client = mongoc_client_new_from_uri(uri);
	found = mongoc_client_get_collection(*client, mongoc_uri_get_database(uri), name);
	mongoc_uri_destroy(uri);
	return found;
}

/* How many documents there are; `member` is that of the last one. */
static int find(const char *name, const bson_t *filter, int64_t *member)
{
	mongoc_client_t *client;
	mongoc_collection_t *in = collection(&client, name);
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(in, filter, NULL, NULL);
	const bson_t *document;
	bson_iter_t iter;
	int n = 0;

	for (; mongoc_cursor_next(cursor, &document); n++)
		if (bson_iter_init_find(&iter, document, "member"))
			*member = bson_iter_as_int64(&iter);
	ck_assert(!mongoc_cursor_error(cursor, NULL));
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(in);
	mongoc_client_destroy(client);
	return n;
}

/* The member that the server is in the store, and how many shards it has. */
static int64_t member_of(int server, int *n_shards)
{
	bson_t *filter = BCON_NEW("url", BCON_UTF8(fleet.servers[server].url));
	int64_t member = 0;

	*n_shards = find("owners", filter, &member);
	ck_assert_int_gt(*n_shards, 0);
	bson_destroy(filter);
	return member;
}

/* Sagas under way that nobody has gone on with since. */
static int left_by(int64_t member)
{
	bson_t *filter = BCON_NEW("member", BCON_INT64(member), "status", "{", "$in", "[",
				  BCON_UTF8("running"), BCON_UTF8("compensating"), "]", "}");
	int n = find("sagas", filter, &member);

	bson_destroy(filter);
	return n;
}

/* From the kill of an orchestrator until its sagas go on elsewhere. */
static void measure_take_over(int victim)
{
	int n_shards, n, left, first_ms = -1, all_ms;
	int64_t member, killed_ms;

	load(2 * LOAD);
	member = member_of(victim, &n_shards);
	killed_ms = now_ms();
	fleet_kill_server(victim);
	n = left_by(member);
	ck_assert_int_gt(n, 0);
	do {
		works_sleep_ms(STEP_MS);
		left = left_by(member);
		if (left < n && first_ms < 0)
			first_ms = (int)(now_ms() - killed_ms);
	} while (left && now_ms() - killed_ms < SAGAS_MS);
	all_ms = (int)(now_ms() - killed_ms);
	printf("take-over of %d shards with %d sagas, after a session of %d ms: the first "
	       "went on %d ms after the kill, the last %d ms\n",
	       n_shards, n, SESSION_MS, first_ms, all_ms);
	ck_assert_int_eq(left, 0);
	ck_assert_int_lt(first_ms, TAKE_OVER_MS);
	fleet_await_shards(FLEET_SHARDS);
	fleet_start_server(victim);
}

/* One of that kind; some stay away until their session is over. */
static void strike(enum work kind)
{
	int victim = (int)random_below(&chance, kind == SERVER ? FLEET_SERVERS : FLEET_TWINS);

	load(LOAD / 2);
	if (kind == SERVER)
		fleet_kill_server(victim);
	else
		fleet_kill_service(kind, victim);
	works_sleep_ms((int)random_below(&chance, 500));
	if (random_percent(&chance, 25))
		works_sleep_ms(SESSION_MS);
	if (kind == SERVER)
		fleet_start_server(victim);
	else
		fleet_start_service(kind, victim);
}

static void add_partitions(void)
{
	static const char *const topics[] = {"inbox", "cmd.inventory", "cmd.payment",
					     "cmd.notification"};

	load(LOAD / 2);
	for (int i = 0; i < ROWS(topics); i++)
		kafka_grow(broker, fleet.prefix, topics[i], MORE_SHARDS);
	load(LOAD / 2);
	fleet_await_shards(MORE_SHARDS);
}

START_TEST(test_processes_are_killed_and_partitions_added)
{
	begin(2 * LOAD + (N_WORKS + RANDOM_KILLS + 3) * LOAD / 2);
	measure_take_over(2);
	settle("an orchestrator was killed", ORDER_AS_IT_IS);
	for (enum work kind = SERVER; kind < N_WORKS; kind++)
		strike(kind);
	settle("each kind was killed in turn", ORDER_AS_IT_IS);
	for (int i = 0; i < RANDOM_KILLS; i++)
		strike((enum work)random_below(&chance, N_WORKS));
	settle("they were killed at random", ORDER_AS_IT_IS);
	add_partitions();
	strike(SERVER);
	settle("partitions were added", ORDER_AS_IT_IS);
	leave();
}
END_TEST

/* --- a storm ------------------------------------------------------------------------ */

/* One that is there goes, in one way or another; one that is not comes. The first one
 * stays. */
static void come_or_go(int blow)
{
	int victim = 1 + blow % (FLEET_SERVERS - 1);
	struct fleet_server *server = &fleet.servers[victim];

	if (!server->process.pid)
		fleet_start_server(victim);
	else if (blow % 3 == 0)
		ck_assert_int_eq(background_stop(&server->process, SIGTERM), 0);
	else
		fleet_kill_server(victim);
}

static void start_missing(void)
{
	for (int i = 0; i < FLEET_SERVERS; i++)
		if (!fleet.servers[i].process.pid)
			fleet_start_server(i);
	for (enum work service = INVENTORY; service < N_WORKS; service++)
		for (int twin = 0; twin < FLEET_TWINS; twin++)
			if (!fleet.services[service][twin].process.pid)
				fleet_start_service(service, twin);
}

/* Whoever of the services was killed comes back with the next blow. */
START_TEST(test_they_come_and_go)
{
	int n_blows = (int)orders_setting("STORM_SECONDS", STORM_S) * 1000 / BLOW_MS;
	enum work service = N_WORKS;
	int twin = 0;

	begin(n_blows * LOAD);
	for (int blow = 0; blow < n_blows; blow++) {
		int64_t next_ms = now_ms() + BLOW_MS;

		load(LOAD);
		come_or_go(blow);
		if (service < N_WORKS)
			fleet_start_service(service, twin);
		service = (enum work)(INVENTORY + random_below(&chance, N_SERVICES));
		twin = (int)random_below(&chance, FLEET_TWINS);
		fleet_kill_service(service, twin);
		if (now_ms() < next_ms)
			works_sleep_ms((int)(next_ms - now_ms()));
	}
	start_missing();
	settle("the storm", ORDER_MAY_BE_GIVEN_UP);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, SECONDS);
	tcase_add_unchecked_fixture(tcase, NULL, engines_down);
	tcase_add_test(tcase, test_the_database_is_killed_and_held);
	tcase_add_test(tcase, test_the_brokers_are_killed_and_held);
	tcase_add_test(tcase, test_processes_are_killed_and_partitions_added);
	tcase_add_test(tcase, test_they_come_and_go);
}

int main(int argc, char **argv)
{
	if (!fleet_find(argv[0]))
		return EXIT_FAILURE;
	if (!kafka_broker_own(kafka, sizeof kafka) || !mongo_find_own(mongo, sizeof mongo))
		return EXIT_SUCCESS;
	return suite_run("cluster_outage", add);
}

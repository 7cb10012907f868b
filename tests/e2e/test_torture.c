/* test_torture.c - orders go on while server and services are killed or held at any
 * moment; in the end everybody's books say what the sagas say.
 *
 *	TORTURE_ORDERS	how many orders, and so how many blows
 *	TORTURE_SEED	who is hit when; it is printed
 */
#include "base/clock.h"
#include "cli/members.h"
#include "tests/e2e/http.h"
#include "tests/e2e/orders.h"
#include "tests/lib/folder.h"
#include "tests/lib/random.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	ORDERS = 1000,
	ORDERS_PER_KILL = 125,
	ORDERS_PER_HOLD = 250,
	BLOWS_MIN = 4,
	SECONDS = 600, /* for a whole test */
};

/* A service that takes its time has more at hand when it dies. */
#define SLOW "slow=15ms"

static struct works works;
static struct orders orders;
static struct random chance;

struct tally {
	int blows, of[N_WORKS];
	int64_t under_way, most_under_way; /* sagas, when it happened */
};

/* --- the world -------------------------------------------------------------------- */

static void begin(struct slice definition)
{
	int64_t now_ms = clock_now_ms(clock_system());
	uint32_t seed = (uint32_t)orders_setting("TORTURE_SEED", (long)(now_ms % 1000000));
	int n = (int)orders_setting("TORTURE_ORDERS", ORDERS);

	printf("TORTURE_SEED=%u: %d orders\n", (unsigned)seed, n);
	fflush(stdout);
	chance = (struct random){seed};
	orders_init(&orders, seed, n);
	folder_enter();
	works_copy_definition("schemas/order.json");
	folder_write("sagas/order.yaml", definition.at);
	works = (struct works){
		.args = {
			[INVENTORY] = {"--stock", ORDER_SOLD_OUT, "--faults", SLOW},
			[PAYMENT] = {"--faults", SLOW},
			[NOTIFICATION] = {"--faults", SLOW},
		}};
	works_start(&works);
	orders_allow(&orders, 0);
	orders_begin(&orders, works.server.url);
}

static void note(struct tally *tally, enum work victim)
{
	struct arena arena = {0};
	struct json stats = http_get(works.server.url, "/v1/stats", &arena);
	struct json sagas = member_json(stats, "sagas");
	int64_t n = member_number(sagas, "running") + member_number(sagas, "compensating");

	tally->blows++;
	tally->of[victim]++;
	tally->under_way += n;
	if (n > tally->most_under_way)
		tally->most_under_way = n;
	arena_release(&arena);
}

/* The orders come in as many portions as there are blows, and each falls while one
 * is under way. */
static void torture(void (*strike)(struct tally *tally), int blows, struct tally *tally)
{
	while (tally->blows < blows) {
		orders_send_part(&orders, tally->blows, blows);
		works_sleep_ms((int)random_below(&chance, 60));
		strike(tally);
	}
	orders_await(&orders);
}

static void end(const struct tally *tally, enum order_rule rule, int64_t began_ms)
{
	struct order_ends ends;

	works_wait_idle(&works);
	works_check_reconciled(&works);
	ends = orders_check(&orders, &works, rule);
	works_stop(&works);
	printf("%d orders: %d completed, %d compensated (%d given up); %d blows (server %d, "
	       "inventory %d, payment %d, notification %d) with %lld sagas under way, %lld at "
	       "most; %d requests unanswered, %d told to come again; %.1f s\n",
	       orders.n, ends.completed, ends.compensated, ends.given_up, tally->blows,
	       tally->of[SERVER], tally->of[INVENTORY], tally->of[PAYMENT],
	       tally->of[NOTIFICATION], (long long)tally->under_way / tally->blows,
	       (long long)tally->most_under_way, orders.board->n_unanswered,
	       orders.board->n_busy,
	       (double)(clock_monotonic_ms(clock_system()) - began_ms) / 1000);
	folder_leave();
}

/* --- killed ----------------------------------------------------------------------- */

/* Who is next: everybody's turn comes, in no order. */
static enum work next_victim(void)
{
	static enum work deck[] = {SERVER, INVENTORY, PAYMENT, NOTIFICATION};
	static uint32_t left;
	enum work victim;
	uint32_t place;

	left = left ? left : N_WORKS;
	place = random_below(&chance, left);
	victim = deck[place];
	deck[place] = deck[--left];
	deck[left] = victim;
	return victim;
}

/* One process, sometimes two; they are away for a while, or not. */
static void kill_some(struct tally *tally)
{
	enum work first = next_victim();
	enum work second = (enum work)random_below(&chance, N_WORKS);
	bool both = first != second && random_percent(&chance, 25);

	note(tally, first);
	works_kill(&works, first);
	if (both)
		works_kill(&works, second);
	if (random_percent(&chance, 50))
		works_sleep_ms((int)random_below(&chance, 500));
	works_start_one(&works, first);
	if (both) {
		tally->blows++;
		tally->of[second]++;
		works_start_one(&works, second);
	}
}

START_TEST(test_processes_are_killed_at_any_moment)
{
	int64_t began_ms = clock_monotonic_ms(clock_system());
	struct tally tally = {0};
	struct arena arena = {0};

	begin(works_definition("order.yaml", &arena));
	torture(kill_some, BLOWS_MIN + orders.n / ORDERS_PER_KILL, &tally);
	end(&tally, ORDER_AS_IT_IS, began_ms);
	arena_release(&arena);
}
END_TEST

/* --- held ------------------------------------------------------------------------- */

/* The shipped order, with a fraction of its patience. */
static const struct {
	const char *text, *instead;
} changes[] = {
	{"timeout: 10s", "timeout: 150ms"},
	{"timeout: 30s", "timeout: 200ms"},
	{"first: 200ms, factor: 2, max: 10s", "first: 20ms, factor: 2, max: 100ms"},
	{"first: 1s, factor: 2, max: 5m", "first: 50ms, factor: 2, max: 200ms"},
};

enum { HELD_MIN_MS = 500, HELD_MAX_MS = 2500 };

/* It does not answer, and then answers what nobody waits for any more. */
static void hold_one(struct tally *tally)
{
	enum work victim = next_victim();
	pid_t pid = works_pid(&works, victim);

	note(tally, victim);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	works_sleep_ms(HELD_MIN_MS + (int)random_below(&chance, HELD_MAX_MS - HELD_MIN_MS));
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
}

START_TEST(test_processes_are_held_for_longer_than_anybody_waits)
{
	int64_t began_ms = clock_monotonic_ms(clock_system());
	struct tally tally = {0};
	struct arena arena = {0};
	struct slice definition = works_definition("order.yaml", &arena);

	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
		definition =
			works_replace(definition, changes[i].text, changes[i].instead, &arena);
	begin(definition);
	torture(hold_one, BLOWS_MIN + orders.n / ORDERS_PER_HOLD, &tally);
	end(&tally, ORDER_MAY_BE_GIVEN_UP, began_ms);
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, SECONDS);
	tcase_add_test(tcase, test_processes_are_killed_at_any_moment);
	tcase_add_test(tcase, test_processes_are_held_for_longer_than_anybody_waits);
}

int main(int argc, char **argv)
{
	works_find(argv[0]);
	return suite_run("torture", add);
}

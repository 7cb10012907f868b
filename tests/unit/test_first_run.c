/* test_first_run.c - the order saga runs: engine, core, bus, participant library
 * and real handlers in one process, under a simulated clock. It completes and it
 * turns back, also when messages are lost, repeated and reordered, and when any
 * process dies between any two calls. */
#include "bus/bus_memory.h"
#include "orchestrator/core/codec.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/store/record.h"
#include "orchestrator/store/store_memory.h"
#include "tests/lib/bus_sim.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/desk.h"
#include "tests/lib/shop.h"
#include "tests/lib/suite.h"
#include "tests/lib/tripwire.h"

#include <stdio.h>
#include <stdlib.h>

/* What the customer wants. */
struct wish {
	int qty;
	bool decline;
};

/* One machine with everything on it. What a crash leaves: vault, bus, books. */
struct world {
	struct clock_sim clock;
	struct vault *vault;
	struct post *post; /* one of the two */
	struct bus_sim *sim;
	struct shop *shop;
	struct tripwire wire;
	int deaths;

	/* The processes. */
	struct store *store;
	struct bus *bus;
	struct port *ports[SHOP_SERVICES];
	struct store_tripwire store_wire;
	struct bus_tripwire bus_wire;
	struct port_tripwire port_wires[SHOP_SERVICES];
	struct engine *engine;
};

static void world_init(struct world *world)
{
	*world = (struct world){.wire.calls_left = -1};
	clock_sim_init(&world->clock, 1700000000000);
	world->vault = vault_new();
	world->shop = shop_new();
}

static void world_release(struct world *world)
{
	shop_free(world->shop);
	vault_free(world->vault);
	post_free(world->post);
	if (world->sim)
		bus_sim_free(world->sim);
}

/* Start orchestrator and services. False: the orchestrator died while it did. */
static bool boot(struct world *world)
{
	struct port *ports[SHOP_SERVICES];
	struct engine_parts parts = {.clock = &world->clock.base};

	world->store = store_memory_open(world->vault);
	world->bus = world->sim ? bus_sim_open(world->sim) : bus_memory_open(world->post);
	for (int i = 0; i < SHOP_SERVICES; i++) {
		world->ports[i] = world->sim ? port_sim_open(world->sim, shop_services[i])
					     : port_memory_open(world->post, shop_services[i]);
		ports[i] = port_tripwire_init(&world->port_wires[i], world->ports[i],
					      &world->wire);
	}
	shop_open(world->shop, ports, &world->clock.base);
	parts.store = store_tripwire_init(&world->store_wire, world->store, &world->wire);
	parts.bus = bus_tripwire_init(&world->bus_wire, world->bus, &world->wire);
	return !desk_open(&parts, &world->engine, NULL) &&
	       !desk_deploy_file(world->engine, "sagas/order.yaml");
}

/* Everything that was only in memory is gone. */
static void crash(struct world *world)
{
	engine_close(world->engine);
	world->engine = NULL;
	shop_close(world->shop);
	bus_close(world->bus);
	store_close(world->store);
	for (int i = 0; i < SHOP_SERVICES; i++)
		port_close(world->ports[i]);
	world->wire = (struct tripwire){.calls_left = -1};
}

static bool reboot_if_dead(struct world *world)
{
	if (!world->wire.fired)
		return false;
	world->deaths++;
	crash(world);
	ck_assert(boot(world));
	return true;
}

/* Let everybody work until the sagas have ended; time passes when nobody has
 * anything to do. */
static void run(struct world *world)
{
	for (int turns = 0; desk_live(world->engine); turns++) {
		size_t n = 0, n_answered;
		enum err err;

		ck_assert_msg(turns < 100000, "the saga does not end");
		err = engine_turn(world->engine, &n);
		n_answered = shop_poll(world->shop);
		if (reboot_if_dead(world))
			continue;
		ck_assert_int_eq(err, OK);
		if (!n && !n_answered && desk_live(world->engine)) {
			int64_t wake_ms = engine_wake_ms(world->engine);

			ck_assert_msg(wake_ms < INT64_MAX, "it waits for nothing");
			if (wake_ms > world->clock.now_ms)
				clock_sim_advance(&world->clock, wake_ms - world->clock.now_ms);
		}
	}
}

static enum status stored_status(struct world *world, const char *id)
{
	struct slice record, bytes, timeline_bytes;
	struct timeline timeline;
	struct arena arena = {0};
	uint8_t hash[SHA256_SIZE];
	struct saga_row row;
	struct saga saga;

	ck_assert_int_eq(store_get(world->store, slice_of(id), &arena, &row, &record), OK);
	ck_assert_int_eq(record_split(record, &bytes, &timeline_bytes), OK);
	ck_assert_int_eq(saga_decode(bytes, &arena, &saga, hash, NULL), OK);
	ck_assert_int_eq(timeline_read(timeline_bytes, &timeline, NULL), OK);
	ck_assert_int_eq(row.status, saga_status(&saga));
	ck_assert_uint_gt(timeline.n_entries, 2);
	arena_release(&arena);
	return row.status;
}

/* The order's number is the id of its saga, too. */
static const char *input_of(const char *id, struct wish wish)
{
	static char input[512];

	snprintf(input, sizeof input,
		 "{\"order_id\":\"%s\",\"sku\":\"book\",\"qty\":%d,\"total\":19.99,"
		 "\"email\":\"ann@example.com\",\"card\":\"4111\",\"decline\":%s}",
		 id, wish.qty, wish.decline ? "true" : "false");
	return input;
}

/* A client tries again until it knows. */
static void start(struct world *world, const char *id, struct wish wish)
{
	struct diag diag = {{0}};
	enum err err;

	do {
		err = desk_start(world->engine, "order", id, input_of(id, wish), &diag);
		ck_assert_msg(!err || world->wire.fired, "%s", diag.text);
	} while (reboot_if_dead(world));
}

/* What every end must have left behind. */
static void check_books(struct world *world, const char *id, enum status expected,
			const char *name)
{
	struct shop_order order = shop_order(world->shop, id);
	enum status status = stored_status(world, id);

	ck_assert_msg(status == expected, "%s: %s ended %s", name, id, status_text(status));
	ck_assert_msg(order.reserved <= 1 && order.charged <= 1 && order.confirmed <= 1 &&
			      order.released <= 1 && order.sent <= 1,
		      "%s: something took effect twice", name);
	if (status == STATUS_COMPLETED)
		ck_assert_msg(order.reserved == 1 && order.charged == 1 &&
				      order.confirmed == 1 && order.released == 0,
			      "%s: the books of the completed %s are wrong", name, id);
	else
		ck_assert_msg(order.reserved == order.released && order.charged == 0 &&
				      order.confirmed == 0,
			      "%s: the books of the compensated %s are wrong", name, id);
}

static const struct row {
	const char *name;
	struct wish wish;
	enum status status;
	struct shop_order books;
} rows[] = {
	{"an order completes",
	 {2, false},
	 STATUS_COMPLETED,
	 {.reserved = 1, .charged = 1, .confirmed = 1, .sent = 1}},
	{"a declined payment releases the stock and tells the customer",
	 {2, true},
	 STATUS_COMPENSATED,
	 {.reserved = 1, .released = 1, .sent = 1}},
	{"without stock nothing is released, and the customer is told",
	 {2000, false},
	 STATUS_COMPENSATED,
	 {.sent = 1}},
};

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	struct world world;
	struct shop_order order;

	world_init(&world);
	world.post = post_new();
	ck_assert(boot(&world));
	start(&world, "order-17", row->wish);
	run(&world);
	check_books(&world, "order-17", row->status, row->name);
	order = shop_order(world.shop, "order-17");
	ck_assert_msg(order.reserved == row->books.reserved &&
			      order.released == row->books.released &&
			      order.charged == row->books.charged &&
			      order.confirmed == row->books.confirmed &&
			      order.sent == row->books.sent,
		      "%s: reserved %d released %d charged %d confirmed %d sent %d", row->name,
		      order.reserved, order.released, order.charged, order.confirmed,
		      order.sent);
	crash(&world);
	world_release(&world);
}
END_TEST

/* Every process dies at call 0, then 1, ... until a run in which none did. */
START_TEST(test_crash_between_any_two_calls)
{
	const struct row *row = &rows[_i];
	bool fired = true;

	for (long n = 0; fired; n++) {
		struct world world;

		world_init(&world);
		world.post = post_new();
		world.wire.calls_left = n;
		boot(&world);
		reboot_if_dead(&world);
		start(&world, "order-17", row->wish);
		while (desk_live(world.engine)) {
			size_t taken;
			enum err err = engine_turn(world.engine, &taken);

			shop_poll(world.shop);
			if (!reboot_if_dead(&world))
				ck_assert_int_eq(err, OK);
			if (engine_wake_ms(world.engine) < INT64_MAX)
				clock_sim_advance(&world.clock, 50);
		}
		check_books(&world, "order-17", row->status, row->name);
		fired = world.deaths > 0;
		crash(&world);
		world_release(&world);
	}
}
END_TEST

/* Nobody dies, but call 0, then 1, ... fails or loses its answer. Store, bus and
 * participants go on as if nothing had been. */
static bool run_with_a_failure(const struct row *row, struct tripwire wire)
{
	struct world world;
	size_t taken;
	enum err err;
	bool fired = false;

	world_init(&world);
	world.post = post_new();
	world.wire = wire;
	if (!boot(&world)) {
		fired = true;
		crash(&world);
		ck_assert(boot(&world));
	}
	for (;;) { /* a client tries again until it knows */
		err = desk_start(world.engine, "order", "order-17",
				 input_of("order-17", row->wish), NULL);
		if (!err)
			break;
		clock_sim_advance(&world.clock, 200);
		err = engine_turn(world.engine, &taken);
		ck_assert_int_eq(err, OK);
	}
	for (int turns = 0; desk_live(world.engine); turns++) {
		bool fired_before = world.wire.fired;

		ck_assert_msg(turns < 10000, "the saga does not end");
		err = engine_turn(world.engine, &taken);
		ck_assert(!err || world.wire.fired != fired_before);
		ck_assert(!desk_live(world.engine) || engine_wake_ms(world.engine) < INT64_MAX);
		shop_poll(world.shop);
		clock_sim_advance(&world.clock, 200); /* the store is tried again */
	}
	check_books(&world, "order-17", row->status, row->name);
	fired |= world.wire.fired;
	crash(&world);
	world_release(&world);
	return fired;
}

START_TEST(test_any_call_fails)
{
	struct tripwire wire = {.effect = _i % 2 ? TRIPWIRE_FAILS : TRIPWIRE_NO_ANSWER};

	while (run_with_a_failure(&rows[_i / 2], wire))
		wire.calls_left++;
	ck_assert_int_gt(wire.calls_left, 20);
}
END_TEST

enum { SEEDS = 200, ORDERS = 4 };

/* Lost, repeated, late, in any order, with handlers that fail now and then: the
 * outcome is the declined or accepted one all the same, or, where too much was
 * lost, it turned back as a whole. */
START_TEST(test_hostile_bus)
{
	/* Ids of which one is the beginning of the other. */
	static const char *const ids[ORDERS] = {"order-1", "order-17", "order-170",
						"order-1700"};
	struct sim_faults faults = {
		.lost_percent = 15, .repeated_percent = 30, .late_percent = 30};
	int completed = 0, compensated = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world world;
		char name[32];

		snprintf(name, sizeof name, "seed %llu", (unsigned long long)seed);
		world_init(&world);
		world.sim = bus_sim_new(seed, faults);
		shop_fail_every(world.shop, 7);
		ck_assert(boot(&world));
		for (int i = 0; i < ORDERS; i++)
			start(&world, ids[i], (struct wish){2, i % 2 != 0});
		run(&world);
		for (int i = 0; i < ORDERS; i++) {
			enum status status = stored_status(&world, ids[i]);

			if (i % 2)
				ck_assert_msg(status == STATUS_COMPENSATED, "%s: %s", name,
					      ids[i]);
			completed += status == STATUS_COMPLETED;
			compensated += status == STATUS_COMPENSATED;
			check_books(&world, ids[i], status, name);
		}
		crash(&world);
		world_release(&world);
	}
	ck_assert_int_eq(completed + compensated, SEEDS * ORDERS);
	ck_assert_int_gt(completed, SEEDS);
	ck_assert_int_ge(compensated, SEEDS * ORDERS / 2);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_crash_between_any_two_calls, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_any_call_fails, 0, 2 * ROWS(rows));
	tcase_add_test(tcase, test_hostile_bus);
}

int main(void)
{
	return suite_run("first_run", add);
}

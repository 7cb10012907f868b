/* test_lanes.c - one lane for each participant, and no more than there may be */
#include "orchestrator/engine/lanes.h"
#include "orchestrator/engine/live.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

enum { NOW = 1000000 };

static uint16_t find(struct lanes *lanes, int n)
{
	char name[32];
	struct slice slice = {name, (size_t)snprintf(name, sizeof name, "p-%d", n)};

	return lanes_find(lanes, slice, NOW);
}

static struct limit *limit_of(struct lanes *lanes, int n)
{
	uint16_t lane = find(lanes, n);

	return &lanes->list[lane].limit;
}

/* As many as there may be, and something is in flight at each. */
static void fill(struct lanes *lanes)
{
	for (int i = 0; i < LANES_MAX; i++)
		ck_assert(!limit_take(limit_of(lanes, i), NOW));
}

START_TEST(test_a_participant_has_one_lane)
{
	struct lanes lanes = {0};

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < LANES_MAX; i++)
			ck_assert_uint_eq(find(&lanes, i), i + 1);
	ck_assert_ptr_null(lanes_look(&lanes, SLICE_LITERAL("p-1000")));
	ck_assert_str_eq(lanes_look(&lanes, SLICE_LITERAL("p-999"))->name, "p-999");
	lanes_release(&lanes);
}
END_TEST

START_TEST(test_a_lane_that_is_idle_gives_its_place)
{
	struct lanes lanes = {0};
	struct live live = {0};

	fill(&lanes);
	ck_assert_uint_eq(find(&lanes, 5000), 0);
	limit_settle(limit_of(&lanes, 700), NOW, LIMIT_WORKS, false);
	ck_assert(lanes_hold(&lanes, find(&lanes, 700), &live, 0, false, false));
	ck_assert_uint_eq(find(&lanes, 5000), 0);
	lanes_drop(&lanes, live.held);
	ck_assert_uint_eq(find(&lanes, 5000), 701);
	ck_assert_ptr_null(lanes_look(&lanes, SLICE_LITERAL("p-700")));
	ck_assert_uint_eq(find(&lanes, 700), 701);
	for (int i = 0; i < LANES_MAX; i++)
		ck_assert_uint_eq(find(&lanes, i), i + 1);
	lanes_release(&lanes);
}
END_TEST

/* An open breaker and an empty bucket are not forgotten. */
START_TEST(test_what_is_remembered_keeps_its_place)
{
	static const struct limits limits = {
		.others = {
			.rate = 1, .rate_ms = 1000, .burst = 1, .failures = 1, .pause_ms = 1}};
	struct lanes lanes = {.limits = limits};
	struct limit *limit;
	bool probe;

	fill(&lanes);
	limit = limit_of(&lanes, 3);
	limit_settle(limit, NOW, LIMIT_FAILS, false);
	ck_assert_uint_eq(lanes_find(&lanes, SLICE_LITERAL("new"), NOW + 1000), 0);
	probe = limit_take(limit, NOW + 1000);
	limit_settle(limit, NOW + 1000, LIMIT_WORKS, probe);
	ck_assert_uint_eq(lanes_find(&lanes, SLICE_LITERAL("new"), NOW + 1999), 0);
	ck_assert_uint_eq(lanes_find(&lanes, SLICE_LITERAL("new"), NOW + 2000), 4);
	lanes_release(&lanes);
}
END_TEST

START_TEST(test_without_memory_there_is_none)
{
	struct lanes lanes = {0};
	uint16_t lane;

	fail_malloc_at(0);
	lane = find(&lanes, 0);
	ck_assert(fail_malloc_off());
	ck_assert_uint_eq(lane, 0);
	ck_assert_uint_eq(find(&lanes, 0), 1);
	lanes_release(&lanes);
}
END_TEST

/* What is next in line, until nothing is: "a0 b7 " for step 0 of saga a and 7 of b. */
static const char *drain(struct lanes *lanes, uint16_t lane, const struct live *a)
{
	static char text[256];
	struct held *held;
	size_t len = 0;

	*text = '\0';
	while ((held = lane_first(&lanes->list[lane]))) {
		len += (size_t)snprintf(text + len, sizeof text - len, "%c%u ",
					held->live == a ? 'a' : 'b', (unsigned int)held->step);
		lanes_drop(lanes, held);
	}
	return text;
}

static void hold(struct lanes *lanes, uint16_t lane, struct live *live, uint32_t step,
		 bool undo)
{
	bool held = lanes_hold(lanes, lane, live, step, undo, false);

	ck_assert(held);
}

/* One that has many takes turns with the others, and its own stay in order. */
START_TEST(test_sagas_take_turns)
{
	struct lanes lanes = {0};
	struct live a = {0}, b = {0};
	uint16_t lane = find(&lanes, 0), other = find(&lanes, 1);

	for (uint32_t i = 0; i < 4; i++)
		hold(&lanes, lane, &a, i, false);
	hold(&lanes, other, &a, 4, false);
	hold(&lanes, lane, &b, 7, false);
	hold(&lanes, lane, &b, 8, false);
	ck_assert_uint_eq(lanes.n_queued, 3);
	ck_assert_uint_eq(lanes.list[lane].n_held, 6);
	ck_assert_str_eq(drain(&lanes, lane, &a), "a0 b7 a1 b8 a2 a3 ");
	ck_assert_str_eq(drain(&lanes, other, &a), "a4 ");
	ck_assert(!a.held && !b.held && !lanes.n_queued);
	lanes_release(&lanes);
}
END_TEST

/* The one in line is dropped, or one behind it, as that of a saga that turns back. */
START_TEST(test_one_that_is_dropped)
{
	struct lanes lanes = {0};
	struct live a = {0}, b = {0};
	uint16_t lane = find(&lanes, 0);

	for (uint32_t i = 0; i < 4; i++)
		hold(&lanes, lane, &a, i, false);
	hold(&lanes, lane, &b, 7, false);
	lanes_drop(&lanes, live_held(&a, 0));
	lanes_drop(&lanes, live_held(&a, 2));
	ck_assert_uint_eq(lanes.n_queued, 2);
	ck_assert_str_eq(drain(&lanes, lane, &a), "b7 a1 a3 ");
	ck_assert_uint_eq(lanes.list[lane].n_held, 0);
	lanes_release(&lanes);
}
END_TEST

/* Aside and back again, in the order in which they came; undos first. */
START_TEST(test_stepping_aside)
{
	struct lanes lanes = {0};
	struct live a = {0}, b = {0};
	uint16_t lane = find(&lanes, 0);

	hold(&lanes, lane, &a, 0, false);
	hold(&lanes, lane, &b, 7, false);
	hold(&lanes, lane, &a, 1, false);
	hold(&lanes, lane, &a, 2, true);
	lanes_pause(&lanes, &a, true);
	ck_assert(lanes_hold(&lanes, lane, &a, 3, false, true));
	lanes_pause(&lanes, &a, true);
	ck_assert_uint_eq(lane_first(&lanes.list[lane])->step, 7);
	ck_assert(!lane_waits(&lanes.list[lane], true) && lane_waits(&lanes.list[lane], false));
	ck_assert_uint_eq(lanes.n_queued, 1);
	ck_assert_uint_eq(lanes.list[lane].n_held, 5);
	lanes_drop(&lanes, live_held(&a, 1));
	lanes_pause(&lanes, &a, false);
	lanes_pause(&lanes, &a, false);
	ck_assert_uint_eq(lanes.n_queued, 3);
	ck_assert_str_eq(drain(&lanes, lane, &a), "a2 b7 a0 a3 ");
	ck_assert(!a.held && !b.held && !lanes.n_queued);
	lanes_release(&lanes);
}
END_TEST

/* 0.1 s, then twice as long each time up to 3.2 s, and from the begin once it takes. */
START_TEST(test_a_bus_that_has_no_room)
{
	static const int64_t waits_ms[] = {100, 200, 400, 800, 1600, 3200, 3200};
	struct lanes lanes = {0};
	struct live live = {0};
	uint16_t at = find(&lanes, 0);
	struct lane *lane = &lanes.list[at];

	hold(&lanes, at, &live, 0, false);
	for (size_t i = 0; i < ROWS(waits_ms); i++) {
		lane_bus_full(lane, NOW);
		ck_assert_int_eq(lane_ask(lane, NOW).why, LIMIT_BUS);
		ck_assert_int_eq(lane_ask(lane, NOW + waits_ms[i] - 1).until_ms,
				 NOW + waits_ms[i]);
		ck_assert_int_eq(lane_ask(lane, NOW + waits_ms[i]).why, LIMIT_FREE);
		ck_assert_int_eq(lanes_wake_ms(&lanes, NOW), NOW + waits_ms[i]);
	}
	lane_bus_takes(lane);
	ck_assert_int_eq(lanes_wake_ms(&lanes, NOW), 0);
	lane_bus_full(lane, NOW);
	ck_assert_int_eq(lanes_wake_ms(&lanes, NOW), NOW + 100);
	lanes_release(&lanes);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_participant_has_one_lane);
	tcase_add_test(tcase, test_a_lane_that_is_idle_gives_its_place);
	tcase_add_test(tcase, test_what_is_remembered_keeps_its_place);
	tcase_add_test(tcase, test_without_memory_there_is_none);
	tcase_add_test(tcase, test_sagas_take_turns);
	tcase_add_test(tcase, test_one_that_is_dropped);
	tcase_add_test(tcase, test_stepping_aside);
	tcase_add_test(tcase, test_a_bus_that_has_no_room);
}

int main(void)
{
	return suite_run("lanes", add);
}

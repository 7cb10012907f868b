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
	ck_assert(lanes_hold(&lanes, find(&lanes, 700), &live, 0, false));
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

/* Aside and back again, in the order in which they came; undos first. */
START_TEST(test_stepping_aside)
{
	struct lanes lanes = {0};
	struct live one = {0}, other = {0};
	uint16_t lane = find(&lanes, 0);
	static const uint32_t order[] = {2, 7, 0, 1};

	ck_assert(lanes_hold(&lanes, lane, &one, 0, false));
	ck_assert(lanes_hold(&lanes, lane, &other, 7, false));
	ck_assert(lanes_hold(&lanes, lane, &one, 1, false));
	ck_assert(lanes_hold(&lanes, lane, &one, 2, true));
	lanes_step_aside(&lanes, &one);
	ck_assert_uint_eq(lane_first(&lanes.list[lane])->step, 7);
	ck_assert(!lane_waits(&lanes.list[lane], true) && lane_waits(&lanes.list[lane], false));
	ck_assert_uint_eq(lanes.n_queued, 1);
	ck_assert_uint_eq(lanes.list[lane].n_held, 4);
	lanes_line_up(&lanes, &one);
	ck_assert_uint_eq(lanes.n_queued, 4);
	for (int i = 0; i < ROWS(order); i++) {
		ck_assert_uint_eq(lane_first(&lanes.list[lane])->step, order[i]);
		lanes_drop(&lanes, lane_first(&lanes.list[lane]));
	}
	ck_assert(!one.held && !other.held && !lanes.n_queued);
	lanes_release(&lanes);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_participant_has_one_lane);
	tcase_add_test(tcase, test_a_lane_that_is_idle_gives_its_place);
	tcase_add_test(tcase, test_what_is_remembered_keeps_its_place);
	tcase_add_test(tcase, test_without_memory_there_is_none);
	tcase_add_test(tcase, test_stepping_aside);
}

int main(void)
{
	return suite_run("lanes", add);
}

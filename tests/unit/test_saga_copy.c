/* test_saga_copy.c - a saga in one block of its own. */
#include "orchestrator/core/codec.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/saga_values.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

enum { SEEDS = 500 };

/* A copy outlives what it was made from: the source is the arena's, and the
 * arena is gone when the copy is looked at. */
START_TEST(test_stands_alone)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct arena arena = {0}, again = {0};
		struct saga *saga = seeded_saga(seed, &arena);
		size_t size = saga_size(saga);
		void *memory = malloc(size); /* exactly: what is beyond is seen */
		struct saga *copy;
		const char *difference;

		ck_assert_ptr_nonnull(memory);
		copy = saga_place(saga, memory);
		ck_assert_ptr_eq(copy, memory);
		ck_assert_uint_eq(saga_size(copy), size);
		arena_release(&arena);
		difference = saga_difference(seeded_saga(seed, &again), copy);
		ck_assert_msg(!difference, "seed %d: %s", (int)seed,
			      difference ? difference : "");
		arena_release(&again);
		free(memory);
	}
}
END_TEST

static void assert_inside(const struct saga *copy, const void *at, size_t len)
{
	const char *begin = (const char *)copy;
	const char *part = at;

	ck_assert(!at || (part >= begin && part + len <= begin + saga_size(copy)));
}

START_TEST(test_everything_is_inside)
{
	struct arena arena = {0};
	struct saga *copy = saga_copy(&rich_saga, &arena);

	ck_assert_ptr_nonnull(copy);
	ck_assert(!saga_difference(&rich_saga, copy));
	assert_inside(copy, copy->id.at, copy->id.len);
	assert_inside(copy, copy->key.at, copy->key.len);
	assert_inside(copy, copy->input.at, copy->input.len);
	assert_inside(copy, copy->output.at, copy->output.len);
	assert_inside(copy, copy->failure, sizeof *copy->failure);
	assert_inside(copy, copy->steps, copy->n_steps * sizeof *copy->steps);
	assert_inside(copy, copy->signals, copy->n_signals * sizeof *copy->signals);
	for (uint32_t i = 0; i < copy->n_steps; i++) {
		const struct step *step = &copy->steps[i];

		assert_inside(copy, step->output.at, step->output.len);
		assert_inside(copy, step->error, sizeof *step->error);
		if (step->error)
			assert_inside(copy, step->error->message.at, step->error->message.len);
	}
	for (uint32_t i = 0; i < copy->n_signals; i++) {
		assert_inside(copy, copy->signals[i].id.at, copy->signals[i].id.len);
		assert_inside(copy, copy->signals[i].event.at, copy->signals[i].event.len);
		assert_inside(copy, copy->signals[i].payload.at, copy->signals[i].payload.len);
	}
	arena_release(&arena);
}
END_TEST

/* An engine keeps 100,000 of them. */
START_TEST(test_an_order_is_small)
{
	ck_assert_uint_lt(saga_size(&order_saga), 640);
}
END_TEST

START_TEST(test_no_memory)
{
	struct arena arena = {0};
	struct saga *copy;

	fail_malloc_at(0);
	copy = saga_copy(&rich_saga, &arena);
	ck_assert(fail_malloc_off());
	ck_assert_ptr_null(copy);
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_stands_alone);
	tcase_add_test(tcase, test_everything_is_inside);
	tcase_add_test(tcase, test_an_order_is_small);
	tcase_add_test(tcase, test_no_memory);
}

int main(void)
{
	return suite_run("saga_copy", add);
}

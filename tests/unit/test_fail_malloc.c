#include "base/arena.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdlib.h>
#include <string.h>

enum { CALLS = 4 };

/* One call of each kind. Returns the index of the one that gave nothing, or
 * CALLS. The pointer keeps the compiler from leaving the calls out. */
static int allocate_each(void)
{
	void *volatile got[CALLS] = {0};
	int missing = CALLS;

	got[0] = malloc(10);
	got[1] = calloc(2, 5);
	got[2] = realloc(NULL, 10);
	got[3] = strdup("text");
	for (int i = CALLS - 1; i >= 0; i--) {
		if (!got[i])
			missing = i;
		free(got[i]);
	}
	return missing;
}

START_TEST(test_the_nth_call_fails_and_no_other)
{
	int missing;
	size_t asked;
	bool fired;

	fail_malloc_at((size_t)_i);
	missing = allocate_each();
	asked = fail_malloc_count();
	fired = fail_malloc_off();
	ck_assert_int_eq(missing, _i);
	ck_assert_uint_eq(asked, CALLS);
	ck_assert_int_eq(fired, _i < CALLS);
}
END_TEST

START_TEST(test_off_means_that_nothing_fails)
{
	fail_malloc_at(0);
	fail_malloc_off();
	ck_assert_int_eq(allocate_each(), CALLS);
	ck_assert(!fail_malloc_fired());
}
END_TEST

START_TEST(test_libraries_are_reached)
{
	struct arena arena = {0};
	void *got;

	fail_malloc_at(0);
	got = arena_alloc(&arena, 100);
	fail_malloc_off();
	ck_assert_ptr_null(got);
	ck_assert_ptr_nonnull(arena_alloc(&arena, 100));
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_the_nth_call_fails_and_no_other, 0, CALLS + 1);
	tcase_add_test(tcase, test_off_means_that_nothing_fails);
	tcase_add_test(tcase, test_libraries_are_reached);
}

int main(void)
{
	return suite_run("fail_malloc", add);
}

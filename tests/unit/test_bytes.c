/* test_bytes.c - arenas and growing buffers: limits, growth in place, and
 * errors that stay. */
#include "base/arena.h"
#include "base/bytes.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdint.h>

static bool is_zero(const char *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (at[i] != 0)
			return false;
	return true;
}

START_TEST(test_arena_memory_is_aligned_zeroed_and_apart)
{
	struct arena arena = {0};
	char *last = NULL;

	for (size_t round = 0; round < 2; round++) {
		for (size_t size = 0; size < 500; size++) {
			char *at = arena_alloc(&arena, size);

			ck_assert_ptr_nonnull(at);
			ck_assert_uint_eq((uintptr_t)at % _Alignof(max_align_t), 0);
			ck_assert_msg(is_zero(at, size), "size %zu is not zeroed", size);
			ck_assert(at != last);
			memset(at, 0xaa, size);
			last = at;
		}
		/* The second round gets used memory, and it is zeroed, too. */
		arena_reset(&arena);
	}
	arena_release(&arena);
}
END_TEST

START_TEST(test_arena_does_not_grow_past_its_limit)
{
	struct arena arena = {.max = 100 * 1024};
	size_t given = 0;

	while (arena_alloc(&arena, 1000))
		given += 1000;
	ck_assert_uint_le(arena.used, arena.max);
	ck_assert_uint_le(given, arena.max);
	ck_assert_uint_gt(given, arena.max / 2);
	ck_assert_ptr_null(arena_alloc(&arena, 100 * 1024));

	/* Released, it has the same limit and all of the room again. */
	arena_release(&arena);
	ck_assert_uint_eq(arena.used, 0);
	ck_assert_uint_eq(arena.max, 100 * 1024);
	ck_assert_ptr_null(arena_alloc(&arena, 100 * 1024 + 1));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 100 * 1024));
	arena_release(&arena);
}
END_TEST

START_TEST(test_arena_refuses_sizes_that_overflow)
{
	struct arena arena = {0};

	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 8));
	ck_assert_ptr_null(arena_array(&arena, SIZE_MAX / 2, 4));
	ck_assert_ptr_null(arena_array(&arena, SIZE_MAX / 8 + 2, 8));
	ck_assert_ptr_nonnull(arena_array(&arena, 3, 8));
	ck_assert_ptr_nonnull(arena_array(&arena, 0, 8));
	arena_release(&arena);
}
END_TEST

START_TEST(test_arena_reset_keeps_one_block)
{
	struct arena arena = {0};
	size_t asked;

	for (int i = 0; i < 100; i++)
		ck_assert_ptr_nonnull(arena_alloc(&arena, 1000));
	arena_reset(&arena);
	ck_assert_uint_gt(arena.used, 0);
	ck_assert_uint_lt(arena.used, 50 * 1000);
	fail_malloc_at(0);
	for (int i = 0; i < 1000; i++) {
		arena_alloc(&arena, 1000);
		arena_reset(&arena);
	}
	asked = fail_malloc_count();
	fail_malloc_off();
	ck_assert_uint_eq(asked, 0);
	arena_release(&arena);
	arena_reset(&arena);
	ck_assert_uint_eq(arena.used, 0);
}
END_TEST

START_TEST(test_arena_extends_the_newest_only)
{
	struct arena arena = {0};
	char *first = arena_alloc(&arena, 10);
	char *second = arena_alloc(&arena, 10);
	char *third;

	memcpy(second, "0123456789", 10);
	ck_assert(!arena_extend(&arena, first, 10, 100));
	ck_assert(arena_extend(&arena, second, 10, 100));
	memset(second + 10, 'x', 90);
	third = arena_alloc(&arena, 10);
	ck_assert(third >= second + 100);
	ck_assert(is_zero(third, 10));
	ck_assert_mem_eq(second, "0123456789x", 11);
	ck_assert(!arena_extend(&arena, second, 100, 200));
	/* More than the block has left, and more than there can be. */
	ck_assert(!arena_extend(&arena, third, 10, 1000 * 1000));
	ck_assert(!arena_extend(&arena, third, 10, SIZE_MAX));
	ck_assert(arena_extend(&arena, third, 10, 10));
	arena_release(&arena);
}
END_TEST

START_TEST(test_arena_copies_with_a_terminator)
{
	struct arena arena = {0};
	struct slice copy = SLICE_LITERAL("untouched");
	bool copied;

	ck_assert(arena_copy(&arena, (struct slice){"ab\0cdef", 4}, &copy));
	ck_assert_uint_eq(copy.len, 4);
	ck_assert_mem_eq(copy.at, "ab\0c", 5);
	ck_assert(arena_copy(&arena, (struct slice){0}, &copy));
	ck_assert_uint_eq(copy.len, 0);
	ck_assert_str_eq(copy.at, "");
	arena_release(&arena);

	copy = SLICE_LITERAL("untouched");
	fail_malloc_at(0);
	copied = arena_copy(&arena, SLICE_LITERAL("abc"), &copy);
	fail_malloc_off();
	ck_assert(!copied);
	ck_assert(slice_is(copy, "untouched"));
}
END_TEST

/* The two homes that a buffer may have. */
static struct arena home;
static struct arena *const homes[] = {NULL, &home};

START_TEST(test_bytes_grow_and_keep_their_content)
{
	struct bytes bytes = BYTES(100000, homes[_i]);

	for (int i = 0; i < 10000; i++) {
		bytes_format(&bytes, "%d", i % 10);
		/* Something else gets into the way of growing in place. */
		if (i % 1000 == 0)
			ck_assert_ptr_nonnull(arena_alloc(&home, 8));
	}
	ck_assert_int_eq(bytes.err, OK);
	ck_assert_uint_eq(bytes.len, 10000);
	for (size_t i = 0; i < bytes.len; i++)
		ck_assert_int_eq(bytes.at[i], '0' + (int)(i % 10));
	bytes_release(&bytes);
	arena_release(&home);
}
END_TEST

START_TEST(test_bytes_take_their_maximum_and_no_more)
{
	struct bytes bytes = BYTES(100, homes[_i]);

	bytes_text(&bytes, "0123456789");
	for (int i = 0; i < 90; i++)
		bytes_add(&bytes, 'x');
	ck_assert_int_eq(bytes.err, OK);
	ck_assert_uint_eq(bytes.len, 100);
	ck_assert_uint_le(bytes.capacity, 100);
	bytes_append(&bytes, (struct slice){0});
	ck_assert_int_eq(bytes.err, OK);
	bytes_add(&bytes, 'y');
	ck_assert_int_eq(bytes.err, ERR_TOO_LARGE);
	ck_assert_uint_eq(bytes.len, 100);
	bytes_release(&bytes);
	arena_release(&home);
}
END_TEST

START_TEST(test_bytes_keep_their_first_error)
{
	struct bytes bytes = BYTES(10, homes[_i]);
	char *at;

	bytes_text(&bytes, "12345");
	bytes_text(&bytes, "67890x");
	ck_assert_int_eq(bytes.err, ERR_TOO_LARGE);
	/* This would fit, but the content would have a hole. */
	bytes_text(&bytes, "6");
	bytes_add(&bytes, '6');
	bytes_format(&bytes, "%d", 6);
	ck_assert(slice_is(bytes_slice(&bytes), "12345"));
	ck_assert_int_eq(bytes.err, ERR_TOO_LARGE);

	at = bytes.at;
	bytes_clear(&bytes);
	ck_assert_int_eq(bytes.err, OK);
	bytes_text(&bytes, "again");
	ck_assert(slice_is(bytes_slice(&bytes), "again"));
	ck_assert_ptr_eq(bytes.at, at);
	bytes_release(&bytes);
	ck_assert_ptr_null(bytes.at);
	ck_assert_uint_eq(bytes.max, 10);
	arena_release(&home);
}
END_TEST

START_TEST(test_bytes_say_that_memory_is_out)
{
	struct bytes bytes = BYTES(1000 * 1000, homes[_i]);
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		fail_malloc_at(n);
		for (int i = 0; i < 50000; i++)
			bytes_add(&bytes, 'x');
		fired = fail_malloc_off();
		ck_assert_int_eq(bytes.err, fired ? ERR_NOMEM : OK);
		ck_assert_uint_le(bytes.len, 50000);
		for (size_t i = 0; i < bytes.len; i++)
			ck_assert_int_eq(bytes.at[i], 'x');
		bytes_release(&bytes);
		arena_release(&home);
	}
}
END_TEST

START_TEST(test_bytes_in_an_arena_grow_in_place)
{
	struct arena arena = {0};
	struct bytes bytes = BYTES(8000, &arena);
	char *at;

	bytes_add(&bytes, 'x');
	at = bytes.at;
	for (int i = 1; i < 8000; i++)
		bytes_add(&bytes, 'x');
	ck_assert_int_eq(bytes.err, OK);
	ck_assert_ptr_eq(bytes.at, at);
	arena_release(&arena);
}
END_TEST

START_TEST(test_bytes_format_has_a_limit)
{
	struct bytes bytes = BYTES(10000, NULL);

	bytes_format(&bytes, "%511d", 1);
	ck_assert_int_eq(bytes.err, OK);
	ck_assert_uint_eq(bytes.len, 511);
	bytes_format(&bytes, "%512d", 1);
	ck_assert_int_eq(bytes.err, ERR_TOO_LARGE);
	ck_assert_uint_eq(bytes.len, 511);
	bytes_release(&bytes);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_arena_memory_is_aligned_zeroed_and_apart);
	tcase_add_test(tcase, test_arena_does_not_grow_past_its_limit);
	tcase_add_test(tcase, test_arena_refuses_sizes_that_overflow);
	tcase_add_test(tcase, test_arena_reset_keeps_one_block);
	tcase_add_test(tcase, test_arena_extends_the_newest_only);
	tcase_add_test(tcase, test_arena_copies_with_a_terminator);
	tcase_add_loop_test(tcase, test_bytes_grow_and_keep_their_content, 0, ROWS(homes));
	tcase_add_loop_test(tcase, test_bytes_take_their_maximum_and_no_more, 0, ROWS(homes));
	tcase_add_loop_test(tcase, test_bytes_keep_their_first_error, 0, ROWS(homes));
	tcase_add_loop_test(tcase, test_bytes_say_that_memory_is_out, 0, ROWS(homes));
	tcase_add_test(tcase, test_bytes_in_an_arena_grow_in_place);
	tcase_add_test(tcase, test_bytes_format_has_a_limit);
}

int main(void)
{
	return suite_run("bytes", add);
}

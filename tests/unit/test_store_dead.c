/* test_store_dead.c - dead letters in every store */
#include "tests/lib/fail_malloc.h"
#include "tests/lib/shelf.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { LARGE = 9 * 1024 * 1024 };

static struct dead_letter letter_of(const char *id)
{
	return (struct dead_letter){.id = slice_of(id),
				    .at_ms = 7,
				    .reason = SLICE_LITERAL("unreadable"),
				    .partition = -1,
				    .offset = -1};
}

static enum err put(struct shelf *shelf, const struct dead_letter *letters, size_t n,
		    size_t *n_dropped)
{
	return store_put_dead(shelf->store, letters, n, n_dropped);
}

static void put_id(struct shelf *shelf, const char *id)
{
	struct dead_letter letter = letter_of(id);
	size_t n_dropped;

	ck_assert_int_eq(put(shelf, &letter, 1, &n_dropped), OK);
}

static enum err note(void *walk, const struct dead_letter *letter)
{
	ck_assert(!letter->value.len && !letter->headers.len && !letter->key.len);
	return shelf_note(walk, letter->id);
}

static void check_list(struct shelf *shelf, const char *after, size_t limit,
		       const char *expected)
{
	struct shelf_walk walk = {.text = ""};

	ck_assert_int_eq(store_list_dead(shelf->store, slice_of(after), limit, note, &walk),
			 OK);
	ck_assert_str_eq(walk.text, expected);
}

START_TEST(test_a_letter_is_kept_whole)
{
	const struct dead_letter letter = {.id = SLICE_LITERAL("t.inbox-3-17"),
					   .at_ms = 1700000000000,
					   .reason = SLICE_LITERAL("too-large"),
					   .text = SLICE_LITERAL("it has 3 bytes"),
					   .source = SLICE_LITERAL("t.inbox"),
					   .partition = 3,
					   .offset = 17,
					   .key = {"k\0y", 3},
					   .headers = {"\0\1", 2},
					   .value = {"\xff\0v", 3},
					   .size = 4};
	struct dead_letter got;
	struct shelf shelf;
	size_t n_dropped = 9;

	shelf_open(&shelf, (enum shelf_kind)_i);
	ck_assert_int_eq(put(&shelf, &letter, 1, &n_dropped), OK);
	ck_assert_uint_eq(n_dropped, 0);
	shelf_reopen(&shelf);
	ck_assert_int_eq(store_get_dead(shelf.store, letter.id, &shelf.arena, &got), OK);
	ck_assert(slice_equal(got.id, letter.id) && slice_equal(got.reason, letter.reason) &&
		  slice_equal(got.text, letter.text) &&
		  slice_equal(got.source, letter.source) && slice_equal(got.key, letter.key) &&
		  slice_equal(got.headers, letter.headers) &&
		  slice_equal(got.value, letter.value));
	ck_assert(got.at_ms == letter.at_ms && got.partition == 3 && got.offset == 17 &&
		  got.size == 4);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_the_last_one_comes_first)
{
	struct dead_letter letters[] = {letter_of("b"), letter_of("c")};
	struct shelf_walk walk = {.stop_after = 1};
	struct shelf shelf;
	size_t n_dropped;

	shelf_open(&shelf, (enum shelf_kind)_i);
	check_list(&shelf, "", 10, "");
	put_id(&shelf, "a");
	ck_assert_int_eq(put(&shelf, letters, 2, &n_dropped), OK);
	check_list(&shelf, "", 10, " c b a");
	check_list(&shelf, "", 2, " c b");
	check_list(&shelf, "b", 2, " a");
	check_list(&shelf, "a", 2, "");
	put_id(&shelf, "a"); /* again: it is the last one now */
	check_list(&shelf, "", 10, " a c b");
	ck_assert_int_eq(store_list_dead(shelf.store, SLICE_LITERAL("no"), 10, note, &walk),
			 ERR_NOT_FOUND);
	ck_assert_int_eq(store_list_dead(shelf.store, (struct slice){0}, 10, note, &walk),
			 ERR_NOT_FOUND); /* which the visitor says */
	check_list(&shelf, "", 10, " a c b");
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_a_letter_is_removed)
{
	struct dead_letter got;
	struct shelf shelf;

	shelf_open(&shelf, (enum shelf_kind)_i);
	put_id(&shelf, "a");
	put_id(&shelf, "b");
	ck_assert_int_eq(store_remove_dead(shelf.store, SLICE_LITERAL("a")), OK);
	ck_assert_int_eq(store_remove_dead(shelf.store, SLICE_LITERAL("a")), ERR_NOT_FOUND);
	ck_assert_int_eq(store_get_dead(shelf.store, SLICE_LITERAL("a"), &shelf.arena, &got),
			 ERR_NOT_FOUND);
	shelf_reopen(&shelf);
	check_list(&shelf, "", 10, " b");
	shelf_close(&shelf);
}
END_TEST

static size_t count(struct shelf *shelf)
{
	struct shelf_walk walk = {.text = ""};
	size_t n = 0;
	char id[16];

	for (int i = 0; i < 2 * STORE_DEAD_MAX; i++) {
		struct dead_letter got;

		snprintf(id, sizeof id, "%d", i);
		n += !store_get_dead(shelf->store, slice_of(id), &shelf->arena, &got);
	}
	ck_assert_str_eq(walk.text, "");
	return n;
}

START_TEST(test_there_are_no_more_than_so_many)
{
	static struct dead_letter letters[STORE_DEAD_MAX];
	static char ids[STORE_DEAD_MAX][16];
	struct dead_letter more = letter_of("more"), got;
	struct shelf shelf;
	size_t n_dropped;

	shelf_open(&shelf, (enum shelf_kind)_i);
	for (int i = 0; i < STORE_DEAD_MAX; i++) {
		snprintf(ids[i], sizeof ids[i], "%d", i);
		letters[i] = letter_of(ids[i]);
	}
	ck_assert_int_eq(put(&shelf, letters, STORE_DEAD_MAX, &n_dropped), OK);
	ck_assert_uint_eq(n_dropped, 0);
	ck_assert_int_eq(put(&shelf, &more, 1, &n_dropped), OK);
	ck_assert_uint_eq(n_dropped, 1);
	ck_assert_uint_eq(count(&shelf), STORE_DEAD_MAX - 1);
	ck_assert_int_eq(store_get_dead(shelf.store, SLICE_LITERAL("0"), &shelf.arena, &got),
			 ERR_NOT_FOUND);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_there_are_no_more_bytes_than_so_many)
{
	char *bytes = calloc(1, LARGE);
	struct shelf shelf;
	char id[16];

	shelf_open(&shelf, (enum shelf_kind)_i);
	for (int i = 0; i < 9; i++) {
		struct dead_letter letter;
		size_t n_dropped;

		snprintf(id, sizeof id, "%d", i);
		letter = letter_of(id);
		letter.value = (struct slice){bytes, LARGE};
		ck_assert_int_eq(put(&shelf, &letter, 1, &n_dropped), OK);
		ck_assert_uint_eq(n_dropped, (i + 1) * (size_t)LARGE > STORE_DEAD_BYTES_MAX);
	}
	ck_assert_uint_eq(count(&shelf), STORE_DEAD_BYTES_MAX / LARGE);
	free(bytes);
	shelf_close(&shelf);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct dead_letter letter = letter_of("b"), got;
		struct shelf shelf;
		size_t n_dropped;
		enum err err;

		shelf_open(&shelf, (enum shelf_kind)_i);
		put_id(&shelf, "a");
		letter.value = SLICE_LITERAL("value");
		fail_malloc_at(n);
		err = put(&shelf, &letter, 1, &n_dropped);
		if (!err)
			err = store_get_dead(shelf.store, letter.id, &shelf.arena, &got);
		fired = fail_malloc_off();
		ck_assert(err == (fired ? ERR_NOMEM : OK));
		shelf_close(&shelf);
	}
}
END_TEST

START_TEST(test_headers)
{
	struct bytes bytes = BYTES(100, NULL);
	struct slice name, value;
	size_t at = 0;

	dead_headers_add(&bytes, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
	dead_headers_add(&bytes, SLICE_LITERAL("a"), (struct slice){"\0", 1});
	ck_assert(dead_headers_next(bytes_slice(&bytes), &at, &name, &value));
	ck_assert(slice_is(name, "a") && slice_is(value, "1"));
	ck_assert(dead_headers_next(bytes_slice(&bytes), &at, &name, &value));
	ck_assert(slice_is(name, "a") && value.len == 1 && !value.at[0]);
	ck_assert(!dead_headers_next(bytes_slice(&bytes), &at, &name, &value));
	at = 0;
	ck_assert(!dead_headers_next(SLICE_LITERAL("\x05"
						   "ab"),
				     &at, &name, &value));
	bytes_release(&bytes);
	ck_assert(dead_id_valid(SLICE_LITERAL("a.b-1_C")));
	ck_assert(!dead_id_valid(SLICE_LITERAL("a/b")) && !dead_id_valid((struct slice){0}) &&
		  !dead_id_valid((struct slice){"a\0b", 3}));
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_a_letter_is_kept_whole, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_the_last_one_comes_first, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_a_letter_is_removed, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_there_are_no_more_than_so_many, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_there_are_no_more_bytes_than_so_many, 0, shelf_kinds);
	tcase_add_loop_test(tcase, test_every_allocation_fails_in_turn, 0, SHELF_MONGO);
	tcase_add_test(tcase, test_headers);
}

int main(void)
{
	shelf_find();
	return suite_run("store_dead", add);
}

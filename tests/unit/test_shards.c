/* test_shards.c - which shard a saga is in, and sets of shards */
#include "base/shards.h"
#include "tests/lib/suite.h"

/* The first three are of Kafka's own tests of murmur2. */
static const struct hash_row {
	const char *key;
	int32_t murmur2;
} hash_rows[] = {
	{"21", -973932308},
	{"foobar", -790332482},
	{"a-little-bit-long-string", -985981536},
	{"a-little-bit-longer-string", -1486304829},
	{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
	{"abc", 479470107},
	{"", 275646681},
	{"a", -1563381124},
	{"order-17", 1568318961},
	{"\xe4\xf6\xfc\xdf", 1080337329},
	{"\xe2\x82\xac\xe2\x82", 25538500},
	{"\xe2\x82\xac", -1352192002},
};

START_TEST(test_hash_is_that_of_kafka)
{
	const struct hash_row *row = &hash_rows[_i];

	ck_assert_uint_eq(shard_hash(slice_of(row->key)), (uint32_t)row->murmur2 & 0x7fffffff);
}
END_TEST

static const struct key_row {
	const char *name, *id, *key;
} key_rows[] = {
	{"the id of a saga is its key", "order-17", "order-17"},
	{"an id may be a letter", "o", "o"},
	{"a child is where its parent is", "order-17:ship.5f0c8e1b2a9d4c37", "order-17"},
	{"a command is where its saga is", "order-17/reserve#0/0/do", "order-17"},
	{"a command of a child is where the parent is", "order-17:ship.5f/pack#0/0/do",
	 "order-17"},
	{"nothing has an empty key", "", ""},
	{"nor has what begins with the end of one", "/reserve", ""},
};

START_TEST(test_key)
{
	const struct key_row *row = &key_rows[_i];

	ck_assert_msg(slice_is(shard_key(slice_of(row->id)), row->key), "%s", row->name);
	ck_assert_uint_eq(shard_of(slice_of(row->id), 12), shard_hash(slice_of(row->key)) % 12);
}
END_TEST

START_TEST(test_a_set_has_what_was_added)
{
	struct shards some = {.n = 200}, other = {.n = 200};

	ck_assert_uint_eq(shards_next(&some, 0), 200);
	shards_add(&some, 3);
	shards_add(&some, 64);
	shards_add(&some, 199);
	shards_add(&some, 3);
	ck_assert_uint_eq(shards_count(&some), 3);
	ck_assert(shards_has(&some, 64) && !shards_has(&some, 65) && !shards_has(&some, 264));
	ck_assert_uint_eq(shards_next(&some, 0), 3);
	ck_assert_uint_eq(shards_next(&some, 4), 64);
	ck_assert_uint_eq(shards_next(&some, 65), 199);
	shards_remove(&some, 64);
	shards_remove(&some, 65);
	ck_assert_uint_eq(shards_next(&some, 4), 199);
	shards_add(&other, 3);
	ck_assert(!shards_equal(&some, &other));
	shards_add(&other, 199);
	ck_assert(shards_equal(&some, &other));
	other.n = 201;
	ck_assert(!shards_equal(&some, &other));
}
END_TEST

/* What the set has to say of every number, and what it may not. */
static void check_set(const struct shards *shards, const bool *wanted)
{
	uint32_t count = 0, next = shards->n;

	for (uint32_t i = shards->n; i-- > 0;) {
		next = wanted[i] ? i : next;
		count += wanted[i];
		ck_assert_msg(shards_has(shards, i) == wanted[i], "%u of %u", (unsigned)i,
			      (unsigned)shards->n);
		ck_assert_uint_eq(shards_next(shards, i), next);
	}
	ck_assert_uint_eq(shards_count(shards), count);
	ck_assert_uint_eq(shards_next(shards, shards->n), shards->n);
	ck_assert_uint_eq(shards_next(shards, UINT32_MAX), shards->n);
}

static const uint32_t sizes[] = {1, 63, 64, 65, 200, SHARDS_MAX};

START_TEST(test_a_set_of_any_size)
{
	static bool wanted[SHARDS_MAX];
	struct shards shards = {.n = sizes[_i]};
	uint32_t dice = 1;

	for (int round = 0; round < 8; round++) {
		for (uint32_t i = 0; i < shards.n; i++) {
			dice = dice * 1103515245 + 12345;
			wanted[i] = round ? dice >> 16 & 1 : true;
			(wanted[i] ? shards_add : shards_remove)(&shards, i);
		}
		check_set(&shards, wanted);
	}
}
END_TEST

/* Of a set that was larger. */
START_TEST(test_what_is_beyond_a_set_is_not_in_it)
{
	struct shards shards = {.n = 201};

	shards_add(&shards, 200);
	shards.n = 200;
	ck_assert(!shards_has(&shards, 200));
	ck_assert_uint_eq(shards_count(&shards), 0);
	shards_remove(&shards, 200);
	shards.n = 201;
	ck_assert(shards_has(&shards, 200));
}
END_TEST

START_TEST(test_what_is_not_divided_covers_all)
{
	struct shards shards = {0};
	struct slice id = SLICE_LITERAL("order-17");

	ck_assert(shards_cover(&shards, id));
	shards.n = 12;
	ck_assert(!shards_cover(&shards, id));
	shards_add(&shards, shard_of(id, 12));
	ck_assert(shards_cover(&shards, id));
	ck_assert(shards_cover(&shards, SLICE_LITERAL("order-17:ship.5f")));
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_hash_is_that_of_kafka, 0, ROWS(hash_rows));
	tcase_add_loop_test(tcase, test_key, 0, ROWS(key_rows));
	tcase_add_test(tcase, test_a_set_has_what_was_added);
	tcase_add_loop_test(tcase, test_a_set_of_any_size, 0, ROWS(sizes));
	tcase_add_test(tcase, test_what_is_beyond_a_set_is_not_in_it);
	tcase_add_test(tcase, test_what_is_not_divided_covers_all);
}

int main(void)
{
	return suite_run("shards", add);
}

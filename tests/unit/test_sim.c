/* test_sim.c - whether the simulator can be believed: its judge notices what is broken,
 * a seed is one run and no other, and there is trouble of every kind. */
#include "tests/lib/suite.h"
#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdlib.h>

static struct catalogue catalogue;

static void load(void)
{
	ck_assert(catalogue_load(&catalogue));
}

static void release(void)
{
	catalogue_release(&catalogue);
}

/* --- the judge ------------------------------------------------------------------------ */

/* What is broken, what the judge has to say of it, and how many seeds it may take until
 * it does. */
static const struct sabotage_row {
	const char *name;
	enum sabotage sabotage;
	const char *fault;
	uint64_t seeds_max;
} sabotage_rows[] = {
	{"a barrier that forgets its bars", SABOTAGE_FORGET_BARS,
	 "P3: * took effect after it was undone or revoked", 150},
	{"a handler that runs twice", SABOTAGE_FORGET_RECORDS, "P1: * took effect twice", 30},
	{"effects that are lost where their records are kept", SABOTAGE_LOSE_EFFECTS,
	 "P1: * was answered ok and not done", 30},
	{"effects that stay where their records are rolled back", SABOTAGE_KEEP_EFFECTS,
	 "P1: * took effect twice", 30},
	{"a reply before the commit", SABOTAGE_COMMIT_LATE,
	 "P1: * was answered ok and not done", 30},
	{"a revoke that is answered without a look", SABOTAGE_BLIND_REVOKES,
	 "P4: * was answered ok although it took effect", 500},
	{"a store that forgets new sagas", SABOTAGE_LOSE_SAGA,
	 "order: * is sent, and its saga is not stored", 30},
	{"a store that forgets changes", SABOTAGE_LOSE_WRITES,
	 "order: * is sent, and not stored", 30},
	{"a child that is there twice", SABOTAGE_TWINS,
	 "P2: twin begins as a child of *, which has not asked for it", 30},
	{"a child that is taken for undone and is not", SABOTAGE_FORGE_CHILDREN,
	 "P3: * but its child is completed", 300},
	{"a child that is left behind", SABOTAGE_LOSE_CHILDREN,
	 "P2: * is compensated, and its child * is still *", 500},
	{"sending before storing", SABOTAGE_STORE_LATE,
	 "order: * is sent, and its saga is not stored", 30},
	{"commands that are not sent", SABOTAGE_KEEP_SENDS,
	 "order: * was not sent before replies were acknowledged", 30},
	{"nothing sent again when sagas are loaded", SABOTAGE_FORGET_AT_LOAD,
	 "order: * was not sent when it was loaded", 30},
	{"acknowledging before sending", SABOTAGE_ACKNOWLEDGE_EARLY,
	 "order: * was not sent before replies were acknowledged", 30},
	{"undoing in the wrong order", SABOTAGE_UNDO_AHEAD,
	 "P3: * was undone before a step that depends on it", 150},
	{"news that nobody is told", SABOTAGE_FORGET_NEWS,
	 "news: the observer is told of revision *, and its turn is *", 30},
	{"news that were not told before it died", SABOTAGE_FORGET_OLD_NEWS,
	 "news: the observer *", 100},
	{"more sagas than there is room for", SABOTAGE_NO_ROOM,
	 "bounds: * sagas that have not ended, and 1 is the most there may be", 30},
	{"timers for which nobody wakes", SABOTAGE_SLEEP,
	 "P*: * is still *, * h after everything went well again", 30},
};

/* A star stands for anything. */
static bool matches(const char *text, const char *pattern)
{
	if (*pattern == '*')
		return matches(text, pattern + 1) || (*text && matches(text + 1, pattern));
	return *text == *pattern && (!*text || matches(text + 1, pattern + 1));
}

START_TEST(test_the_judge_notices)
{
	const struct sabotage_row *row = &sabotage_rows[_i];
	struct run_result result;

	ck_assert_int_eq(sizeof sabotage_rows / sizeof *sabotage_rows, SABOTAGES - 1);
	for (uint64_t seed = 1; seed <= row->seeds_max; seed++) {
		world_run(&catalogue, seed, row->sabotage, NULL, &result);
		if (!result.ok && matches(result.fault, row->fault))
			return;
	}
	ck_abort_msg("%s: not noticed in %" PRIu64 " seeds; the last said: %s", row->name,
		     row->seeds_max, result.fault);
}
END_TEST

/* --- the runs ------------------------------------------------------------------------- */

enum { REPLAYED = 15, COUNTED = 100 };

/* To be freed by the caller. */
static char *transcript_of(uint64_t seed, struct run_result *result)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	world_run(&catalogue, seed, SABOTAGE_NONE, out, result);
	fclose(out);
	return text;
}

/* Byte for byte, whatever ran in between. */
START_TEST(test_a_seed_is_one_run)
{
	struct run_result first[REPLAYED + 1], again;

	for (uint64_t seed = 1; seed <= REPLAYED; seed++)
		world_run(&catalogue, seed, SABOTAGE_NONE, NULL, &first[seed]);
	for (uint64_t seed = REPLAYED; seed >= 1; seed--) {
		char *one = transcript_of(seed, &again), *other;

		ck_assert_uint_eq(again.hash, first[seed].hash);
		ck_assert_mem_eq(&again.tally, &first[seed].tally, sizeof again.tally);
		other = transcript_of(seed, &again);
		ck_assert(!strcmp(one, other));
		free(one);
		free(other);
		for (uint64_t n = 1; n < seed; n++)
			ck_assert_uint_ne(first[n].hash, first[seed].hash);
	}
}
END_TEST

START_TEST(test_there_is_trouble_of_every_kind)
{
	struct run_result result;
	struct tally sum = {0};

	for (uint64_t seed = 1; seed <= COUNTED; seed++) {
		world_run(&catalogue, seed, SABOTAGE_NONE, NULL, &result);
		ck_assert_msg(result.ok, "seed %" PRIu64 ": %s", seed, result.fault);
		tally_add(&sum, &result.tally);
	}
	ck_assert_uint_gt(tally_least(&sum), 0);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_unchecked_fixture(tcase, load, release);
	tcase_add_loop_test(tcase, test_the_judge_notices, 0, ROWS(sabotage_rows));
	tcase_add_test(tcase, test_a_seed_is_one_run);
	tcase_add_test(tcase, test_there_is_trouble_of_every_kind);
}

int main(void)
{
	return suite_run("sim", add);
}

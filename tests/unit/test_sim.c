/* test_sim.c - whether the simulator can be believed: its judge notices what is broken,
 * a seed is one run and no other, and there is trouble of every kind. */
#include "tests/lib/suite.h"
#include "tests/sim/shrink.h"

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
 * it does: see counts() for which. */
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
	{"what is written too late and counts all the same", SABOTAGE_FORGET_OWNERS,
	 "owners: * is stored by one that has lost it", 200},
	{"news that the former owner had not told", SABOTAGE_FORGET_OTHERS, "events: *", 100},
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
	{"events that nobody publishes", SABOTAGE_FORGET_EVENTS,
	 "events: entry * is there, and before it *", 30},
	{"events that are published and then stored", SABOTAGE_TELL_EARLY,
	 "events: *, which is not stored", 30},
	{"events that count as there while they are on their way", SABOTAGE_BOAST,
	 "events: entry * is there, and before it *", 100},
	{"more sagas than there is room for", SABOTAGE_NO_ROOM,
	 "bounds: * sagas that have not ended, and 1 is the most there may be", 30},
	{"a participant that gets more than its window", SABOTAGE_WIDE_WINDOWS,
	 "bounds: * commands at one participant, and * is the most there may be", 60},
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

/* Some can only be noticed where several orchestrators share a store. */
static bool counts(enum sabotage sabotage, const struct plan *plan)
{
	return plan->members ||
	       (sabotage != SABOTAGE_FORGET_OWNERS && sabotage != SABOTAGE_FORGET_OTHERS);
}

START_TEST(test_the_judge_notices)
{
	const struct sabotage_row *row = &sabotage_rows[_i];
	struct run_result result;
	struct plan plan;

	ck_assert_int_eq(sizeof sabotage_rows / sizeof *sabotage_rows, SABOTAGES - 1);
	for (uint64_t seed = 1, n = 0; n < row->seeds_max; seed++) {
		plan_make(&plan, seed);
		if (!counts(row->sabotage, &plan))
			continue;
		n++;
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

/* --- shrinking ------------------------------------------------------------------------ */

/* What is broken, and the most that is left of all that went wrong in one of the first
 * seeds that show it. Who dies does so with the n-th call that it makes: where that has to
 * be between two others, some seeds keep dozens of chances that only make up the number. */
static const struct shrink_row {
	const char *name;
	enum sabotage sabotage;
	size_t left_max;
} shrink_rows[] = {
	{"an undo too early takes a saga and what turns it back", SABOTAGE_UNDO_AHEAD, 4},
	{"a reply before the commit takes a saga", SABOTAGE_COMMIT_LATE, 1},
	{"news untold take a saga and deaths", SABOTAGE_FORGET_OLD_NEWS, 8},
	{"a child that is there twice takes a parent", SABOTAGE_TWINS, 1},
};

enum { SHRUNK_MAX = 4 }; /* seeds, until one is small enough */

/* From there on. */
static uint64_t first_broken(uint64_t seed, enum sabotage sabotage, struct run_result *result)
{
	for (; seed <= 500; seed++) {
		world_run(&catalogue, seed, sabotage, NULL, result);
		if (!result->ok)
			return seed;
	}
	ck_abort_msg("no seed shows it");
	return 0;
}

/* With the n-th one left out the seed does not break the same promise. */
static bool is_needed(const struct shrunk *shrunk, size_t n, uint64_t seed,
		      const struct shrink_row *row, const char *fault)
{
	struct chance_list keep = {0};
	struct run_result result;

	for (size_t i = 0; i < shrunk->list.n; i++)
		if (i != n)
			chance_list_add(&keep, shrunk->list.names[i]);
	world_replay(&catalogue, seed, row->sabotage, &keep, NULL, &result, NULL);
	chance_list_release(&keep);
	return result.ok || !shrink_same(result.fault, fault);
}

/* As --keep says it and reads it. */
static void check_names(const struct chance_list *list)
{
	struct bytes text = BYTES(1024 * 1024, NULL);
	struct chance_list again;

	chance_list_write(list, &text);
	ck_assert_int_eq(chance_list_read(&again, bytes_slice(&text), NULL), OK);
	ck_assert_uint_eq(again.n, list->n);
	ck_assert_mem_eq(again.names, list->names, list->n * sizeof *list->names);
	chance_list_release(&again);
	bytes_release(&text);
}

START_TEST(test_a_seed_is_shrunk)
{
	const struct shrink_row *row = &shrink_rows[_i];
	struct run_result whole, result;
	struct shrunk shrunk = {.n_before = 0};
	uint64_t seed = 0;

	for (int i = 0; i < SHRUNK_MAX && (!i || shrunk.list.n > row->left_max); i++) {
		chance_list_release(&shrunk.list);
		seed = first_broken(seed + 1, row->sabotage, &whole);
		ck_assert(shrink_seed(&catalogue, seed, row->sabotage, &shrunk));
	}
	ck_assert(shrunk.is_least);
	ck_assert_uint_lt(shrunk.list.n, shrunk.n_before);
	ck_assert_uint_le(shrunk.list.n, row->left_max);
	world_replay(&catalogue, seed, row->sabotage, &shrunk.list, NULL, &result, NULL);
	ck_assert(!result.ok);
	ck_assert(shrink_same(result.fault, whole.fault));
	for (size_t n = 0; n < shrunk.list.n; n++)
		ck_assert(is_needed(&shrunk, n, seed, row, whole.fault));
	check_names(&shrunk.list);
	chance_list_release(&shrunk.list);
}
END_TEST

START_TEST(test_a_good_seed_is_not_shrunk)
{
	struct shrunk shrunk;

	ck_assert(!shrink_seed(&catalogue, 1, SABOTAGE_NONE, &shrunk));
	chance_list_release(&shrunk.list);
}
END_TEST

/* All that is kept is all that there was. */
START_TEST(test_a_seed_that_keeps_all_is_the_same)
{
	struct chance_list taken = {0};
	struct run_result all, kept;

	for (uint64_t seed = 1; seed <= REPLAYED; seed++) {
		world_replay(&catalogue, seed, SABOTAGE_NONE, NULL, NULL, &all, &taken);
		chance_list_sort(&taken);
		world_replay(&catalogue, seed, SABOTAGE_NONE, &taken, NULL, &kept, NULL);
		ck_assert_uint_eq(all.hash, kept.hash);
		chance_list_release(&taken);
	}
}
END_TEST

static const struct bad_list_row {
	const char *name, *text;
} bad_list_rows[] = {
	{"no kind", "@1.1"},
	{"a kind that is none", "love@1.1"},
	{"no time", "lost"},
	{"no number", "lost@1"},
	{"a word behind", "lost@1.1x"},
	{"a number that is too large", "lost@1.262144"},
	{"a time that is too large", "lost@1099511627776.1"},
	{"a second one that is none", "lost@1.1,x"},
};

START_TEST(test_bad_lists_are_refused)
{
	struct chance_list list;
	struct diag diag = {{0}};

	ck_assert_int_eq(chance_list_read(&list, slice_of(bad_list_rows[_i].text), &diag),
			 ERR_INVALID);
	ck_assert(strstr(diag.text, "lost@61250.1"));
	ck_assert_uint_eq(list.n, 0);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_unchecked_fixture(tcase, load, release);
	tcase_add_loop_test(tcase, test_the_judge_notices, 0, ROWS(sabotage_rows));
	tcase_add_test(tcase, test_a_seed_is_one_run);
	tcase_add_test(tcase, test_there_is_trouble_of_every_kind);
	tcase_add_loop_test(tcase, test_a_seed_is_shrunk, 0, ROWS(shrink_rows));
	tcase_add_test(tcase, test_a_good_seed_is_not_shrunk);
	tcase_add_test(tcase, test_a_seed_that_keeps_all_is_the_same);
	tcase_add_loop_test(tcase, test_bad_lists_are_refused, 0, ROWS(bad_list_rows));
}

int main(void)
{
	return suite_run("sim", add);
}

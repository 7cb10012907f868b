/* test_engine_limits.c - what an engine takes at most, what it costs to wait, and
 * what it counts */
#include "tests/lib/desk.h"
#include "tests/lib/stage.h"
#include "tests/lib/suite.h"

#include <malloc.h>
#include <stdio.h>

static void expect(struct stage *stage, const char *said)
{
	ck_assert_str_eq(stage_said(stage), said);
}

static size_t turn(struct stage *stage)
{
	size_t n;
	enum err err = engine_turn(stage->engine, &n);

	ck_assert_int_eq(err, OK);
	return n;
}

/* How often which answer came. */
struct tally {
	size_t ok, busy, other;
};

static void count(void *context, const struct answer *answer)
{
	struct tally *tally = context;

	tally->ok += answer->err == OK;
	tally->busy += answer->err == ERR_BUSY;
	tally->other += answer->err != OK && answer->err != ERR_BUSY;
}

static void start(struct stage *stage, int n, struct slice input, struct tally *tally)
{
	char id[32];
	struct start_message message = {.saga = SLICE_LITERAL("errand"), .input = input};

	message.id = (struct slice){id, (size_t)snprintf(id, sizeof id, "o-%06d", n)};
	engine_start(stage->engine, &message, count, tally);
}

static void start_many(struct stage *stage, int n, struct tally *tally)
{
	for (int i = 0; i < n; i++)
		start(stage, i, SLICE_LITERAL("{}"), tally);
}

/* --- so many sagas ------------------------------------------------------------------ */

START_TEST(test_sagas_that_are_unfinished_at_once)
{
	struct stage stage;

	stage_open(&stage);
	stage.live_max = 2;
	stage_restart(&stage);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_start(&stage, 2, stage_errand("o-2", "{}"));
	stage_start(&stage, 3, stage_errand("o-3", "{}"));
	expect(&stage, "told 3 busy");
	ck_assert_int_eq(stage.callers[3].last.err, ERR_BUSY);
	stage_turns(&stage);
	stage_said(&stage);
	stage_mail_start(&stage, 4, true, stage_errand("o-4", "{}"));
	stage_turns(&stage);
	expect(&stage, "answer 4 busy; ack");
	/* One can still look after those that are there. */
	stage_operate(&stage, 5,
		      (struct operation){.saga_id = SLICE_LITERAL("o-1"),
					 .type = EVENT_KILL,
					 .reason = SLICE_LITERAL("too many")});
	stage_turns(&stage);
	expect(&stage, "commit 1; told 5 ok o-1 killed");
	stage_start(&stage, 3, stage_errand("o-3", "{}"));
	stage_turns(&stage);
	expect(&stage, "commit 1; send o-3/fetch#0/0/do 1; told 3 created o-3 running");
	stage_close(&stage);
}
END_TEST

START_TEST(test_sagas_that_change_in_one_batch)
{
	struct tally tally = {0};
	struct stage stage;

	stage_open(&stage);
	stage.deaf = true;
	start_many(&stage, ENGINE_CHANGES_MAX + 5, &tally);
	ck_assert_uint_eq(tally.busy, 5);
	stage_signal(&stage, 1, stage_go("o-000000", "s"));
	ck_assert_int_eq(stage.callers[1].last.err, ERR_BUSY);
	/* What is on the bus has its turn all the same. */
	stage_mail_signal(&stage, 2, stage_go("o-000000", "s"));
	ck_assert_uint_eq(turn(&stage), 1);
	ck_assert_int_eq(stage.callers[2].n_answers, 1);
	ck_assert_uint_eq(tally.ok, ENGINE_CHANGES_MAX);
	stage_signal(&stage, 1, stage_go("o-000000", "s"));
	ck_assert_int_eq(stage.callers[1].last.err, OK);
	stage_close(&stage);
}
END_TEST

static void pause_saga(struct stage *stage, int n, struct tally *tally)
{
	char id[32];
	struct operation operation = {.type = EVENT_PAUSE};

	operation.saga_id = (struct slice){id, (size_t)snprintf(id, sizeof id, "o-%06d", n)};
	engine_operate(stage->engine, &operation, count, tally);
}

/* A server that takes no more starts takes operations. */
START_TEST(test_operations_have_room_of_their_own)
{
	struct tally starts = {0}, first = {0}, operations = {0};
	struct stage stage;

	stage_open(&stage);
	stage.deaf = true;
	start_many(&stage, 2 * ENGINE_OPERATIONS_MAX, &first);
	while (first.ok < 2 * ENGINE_OPERATIONS_MAX)
		turn(&stage);
	for (int i = 0; i <= ENGINE_CHANGES_MAX; i++)
		start(&stage, 100000 + i, SLICE_LITERAL("{}"), &starts);
	ck_assert_uint_eq(starts.busy, 1);
	for (int i = 0; i <= ENGINE_OPERATIONS_MAX; i++)
		pause_saga(&stage, i, &operations);
	ck_assert_uint_eq(operations.busy, 1); /* this has a limit, too */
	turn(&stage);
	ck_assert_uint_eq(operations.ok, ENGINE_OPERATIONS_MAX);
	ck_assert_uint_eq(starts.ok, ENGINE_CHANGES_MAX);
	stage_close(&stage);
}
END_TEST

START_TEST(test_operations_have_memory_of_their_own)
{
	static char text[200000];
	struct tally starts = {0}, operations = {0};
	struct stage stage;

	memset(text, 'a', sizeof text);
	text[0] = text[sizeof text - 1] = '"';
	stage_open(&stage);
	stage.deaf = true;
	for (int n = 0; !starts.busy && n < 1000; n++)
		start(&stage, n, (struct slice){text, sizeof text}, &starts);
	ck_assert_uint_eq(starts.busy, 1);
	pause_saga(&stage, 0, &operations);
	ck_assert_uint_eq(operations.busy, 0);
	turn(&stage);
	ck_assert_uint_eq(operations.ok, 1);
	stage_close(&stage);
}
END_TEST

START_TEST(test_memory_of_one_batch)
{
	static char text[200000];
	struct tally tally = {0};
	struct stage stage;
	size_t taken;
	int n = 0;

	memset(text, 'a', sizeof text);
	text[0] = text[sizeof text - 1] = '"';
	stage_open(&stage);
	stage.deaf = true;
	for (; !tally.busy && n < 1000; n++)
		start(&stage, n, (struct slice){text, sizeof text}, &tally);
	ck_assert_int_lt(n, ENGINE_BATCH_BYTES_MAX / (int)sizeof text + 2);
	ck_assert_uint_eq(turn(&stage), 0);
	taken = tally.ok;
	ck_assert_int_eq((int)taken, n - 1);
	start(&stage, n, (struct slice){text, sizeof text}, &tally);
	turn(&stage);
	ck_assert_uint_eq(tally.ok, taken + 1);
	stage_close(&stage);
}
END_TEST

START_TEST(test_messages_and_timers_of_one_turn)
{
	enum { MANY = ENGINE_BATCH_MAX + 500 };
	struct tally tally = {0};
	struct stage stage;

	stage_open(&stage);
	stage.deaf = true;
	start_many(&stage, MANY, &tally);
	turn(&stage);
	for (int i = 0; i < MANY; i++)
		stage_mail_reply(&stage, "nobody/x#0/0/do", MESSAGE_OK, "");
	ck_assert_uint_eq(turn(&stage), ENGINE_BATCH_MAX);
	ck_assert_uint_eq(turn(&stage), 500);
	ck_assert_uint_eq(turn(&stage), 0);
	stage_advance(&stage, 1000);
	ck_assert_uint_eq(turn(&stage), ENGINE_BATCH_MAX);
	ck_assert_uint_eq(turn(&stage), 500);
	ck_assert_uint_eq(turn(&stage), 0);
	stage_close(&stage);
}
END_TEST

/* --- a long life -------------------------------------------------------------------- */

static struct operation toggle(int n)
{
	return (struct operation){.saga_id = SLICE_LITERAL("o-1"),
				  .type = n % 2 ? EVENT_RESUME : EVENT_PAUSE};
}

/* The oldest entries but the first are dropped, and counted. */
START_TEST(test_a_timeline_that_is_full)
{
	enum { TOGGLES = TIMELINE_MAX + 100 };
	struct timeline timeline;
	struct timeline_each each;
	struct saga_row row;
	struct stage stage;
	uint32_t n_first;

	stage_open(&stage);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	stage.deaf = true;
	ck_assert(stage_stored(&stage, "o-1", &row, &timeline));
	n_first = timeline.n_entries;
	for (int n = 0; n < TOGGLES; n++) {
		if (n == TOGGLES - 10)
			stage_restart(&stage);
		stage_operate(&stage, 1, toggle(n));
		turn(&stage);
	}
	ck_assert(stage_stored(&stage, "o-1", &row, &timeline));
	ck_assert_uint_eq(row.revision, 1 + TOGGLES);
	ck_assert_uint_eq(timeline.n_entries, TIMELINE_MAX);
	ck_assert_uint_eq(timeline.n_folded, n_first + TOGGLES - TIMELINE_MAX);
	each = timeline_each(&timeline);
	ck_assert(timeline_next(&each));
	ck_assert_int_eq(each.entry.type, ENTRY_STARTED);
	stage_close(&stage);
}
END_TEST

/* What happens to one saga in one batch has an end, too. */
START_TEST(test_a_saga_that_is_crowded)
{
	struct timeline timeline;
	struct saga_row row;
	struct stage stage;
	int n = 0;

	stage_open(&stage);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	stage.deaf = true;
	for (int round = 0; round < 5; round++) {
		int first = n;

		do
			stage_operate(&stage, 1, toggle(n++));
		while (stage.callers[1].last.err != ERR_BUSY && n - first < 5000);
		n--; /* it was not taken */
		ck_assert_int_ge(n - first, 900);
		ck_assert_int_le(n - first, 1000);
		turn(&stage);
		stage.callers[1].last.err = OK;
	}
	ck_assert(stage_stored(&stage, "o-1", &row, &timeline));
	ck_assert_uint_eq(row.revision, (uint64_t)n + 1);
	ck_assert_uint_eq(timeline.n_entries, TIMELINE_MAX);
	ck_assert_uint_eq(stage.n_entries, timeline.n_entries + timeline.n_folded);
	stage_close(&stage);
}
END_TEST

/* --- waiting ------------------------------------------------------------------------ */

/* A saga that has done something and waits for an event holds its record, and is
 * found by id and by time: nothing else. */
START_TEST(test_memory_of_sagas_that_wait)
{
	enum { SAGAS = 100000, BATCH = 1000, BYTES_MAX = 1536 };
	const struct slice input = SLICE_LITERAL(
		"{\"order_id\":\"order-000017\",\"sku\":\"WINE-BX-6\",\"qty\":2,"
		"\"total\":119.80,\"email\":\"ada@example.org\",\"card\":\"tok_4242424242\"}");
	struct tally tally = {0};
	struct stage stage;
	size_t before, bytes;

	stage_open(&stage);
	stage.deaf = stage.blind = true;
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	for (int first = 0; first < SAGAS; first += BATCH) {
		for (int i = first; i < first + BATCH; i++)
			start(&stage, i, input, &tally);
		turn(&stage);
		for (int i = first; i < first + BATCH; i++) {
			char command[64];

			snprintf(command, sizeof command, "o-%06d/fetch#0/0/do", i);
			stage_mail_reply(&stage, command, MESSAGE_OK,
					 "{\"id\":\"r-20251121-000017\"}");
		}
		turn(&stage);
	}
	ck_assert_uint_eq(tally.ok, SAGAS);
	ck_assert_uint_eq(desk_live(stage.engine), SAGAS);
	ck_assert_int_eq(engine_wake_ms(stage.engine), stage.clock.now_ms + 2 * 3600 * 1000);
	bytes = (mallinfo2().uordblks + mallinfo2().hblkhd - before) / SAGAS;
	printf("a saga that waits takes %zu bytes\n", bytes);
	/* Where a sanitizer has an allocator of its own it is 0. */
	ck_assert_uint_lt(bytes, BYTES_MAX);
	stage_close(&stage);
}
END_TEST

/* --- counting ----------------------------------------------------------------------- */

START_TEST(test_statistics)
{
	struct engine_stats stats;
	struct stage stage;

	stage_open(&stage);
	engine_stats(stage.engine, &stats);
	ck_assert_uint_eq(stats.live + stats.started + stats.turns + stats.events +
				  stats.commands + stats.commits,
			  0);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_start(&stage, 1, stage_errand("o-2", "{}"));
	stage_start(&stage, 1, stage_errand("o-2", "{}"));
	turn(&stage);
	stage_mail_reply(&stage, "o-1/fetch#0/0/do", MESSAGE_OK, "[1]");
	stage_mail_signal(&stage, 0, stage_go("o-1", "s"));
	turn(&stage);
	stage_operate(&stage, 1,
		      (struct operation){.saga_id = SLICE_LITERAL("o-2"),
					 .type = EVENT_KILL,
					 .reason = SLICE_LITERAL("by hand")});
	turn(&stage);
	turn(&stage);
	stage_trip(&stage, TRIPWIRE_FAILS, 0);
	stage_start(&stage, 1, stage_errand("o-3", "{}"));
	ck_assert_int_eq(stage_turn(&stage), ERR_UNAVAILABLE);
	engine_stats(stage.engine, &stats);
	ck_assert_uint_eq(stats.started, 2);
	ck_assert_uint_eq(stats.ended[STATUS_COMPLETED], 1);
	ck_assert_uint_eq(stats.ended[STATUS_KILLED], 1);
	ck_assert_uint_eq(stats.ended[STATUS_COMPENSATED], 0);
	ck_assert_uint_eq(stats.turns, 5);
	ck_assert_uint_eq(stats.events, 6); /* three starts, reply, signal, kill */
	ck_assert_uint_eq(stats.commands, 2);
	ck_assert_uint_eq(stats.commits, 3);
	ck_assert_uint_eq(stats.commit_failures, 1);
	ck_assert_uint_eq(stats.unreadable, 0);
	stage_advance(&stage, 100);
	turn(&stage);
	engine_stats(stage.engine, &stats);
	ck_assert_uint_eq(stats.live, 1);
	ck_assert_uint_eq(stats.started, 3);
	stage_close(&stage);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_sagas_that_are_unfinished_at_once);
	tcase_add_test(tcase, test_sagas_that_change_in_one_batch);
	tcase_add_test(tcase, test_operations_have_room_of_their_own);
	tcase_add_test(tcase, test_operations_have_memory_of_their_own);
	tcase_add_test(tcase, test_memory_of_one_batch);
	tcase_add_test(tcase, test_messages_and_timers_of_one_turn);
	tcase_add_test(tcase, test_a_timeline_that_is_full);
	tcase_add_test(tcase, test_a_saga_that_is_crowded);
	tcase_add_test(tcase, test_memory_of_sagas_that_wait);
	tcase_add_test(tcase, test_statistics);
}

int main(void)
{
	return suite_run("engine_limits", add);
}

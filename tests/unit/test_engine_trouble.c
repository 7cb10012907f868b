/* test_engine_trouble.c - nobody is left without an answer and nobody gets two, and
 * nothing happens twice, whatever fails: the store at any call, any allocation, or
 * another server that writes the same sagas */
#include "bus/bus_memory.h"
#include "orchestrator/core/codec.h"
#include "orchestrator/store/record.h"
#include "tests/lib/desk.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/stage.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define FETCH "o-1/fetch#0/0/do"

static void expect(struct stage *stage, const char *said)
{
	ck_assert_str_eq(stage_said(stage), said);
}

static void open_started(struct stage *stage)
{
	stage_open(stage);
	stage_start(stage, 1, stage_errand("o-1", "{}"));
	stage_turns(stage);
	expect(stage, "commit 1; send " FETCH " 1; told 1 created o-1 running");
}

/* --- everything at once ------------------------------------------------------------- */

enum { ASKED = 9 }; /* callers 1 to 9 */

/* o-0 has the key k; done-1 and done-2 are completed. */
static void open_busy(struct stage *stage)
{
	stage_open(stage);
	stage_start(stage, 1, stage_order("o-0", "{\"order_id\":\"k\"}"));
	stage_start(stage, 1, stage_errand("done-1", "{}"));
	stage_start(stage, 1, stage_errand("done-2", "{}"));
	stage_signal(stage, 1, stage_go("done-1", "s"));
	stage_signal(stage, 1, stage_go("done-2", "s"));
	stage_turns(stage);
	stage_mail_reply(stage, "done-1/fetch#0/0/do", MESSAGE_OK, "[1]");
	stage_mail_reply(stage, "done-2/fetch#0/0/do", MESSAGE_OK, "[1]");
	stage_turns(stage);
	ck_assert_uint_eq(desk_live(stage->engine), 1);
	stage_said(stage);
	stage->n_entries = 0;
	for (int i = 0; i < STAGE_CALLERS; i++)
		stage->callers[i].n_answers = 0;
}

static void mail_all(struct stage *stage)
{
	stage_mail_start(stage, 1, true, stage_errand("o-1", "{}"));
	stage_mail_start(stage, 2, true, stage_order("o-2", "{\"order_id\":\"k\"}"));
	stage_mail_start(stage, 3, false, stage_order("o-3", "{\"order_id\":\"k\",\"n\":1}"));
	stage_mail_start(stage, 4, false, stage_errand("o-1", "{}"));
	stage_mail_signal(stage, 5, stage_go("o-1", "s-1"));
}

static void ask_all(struct stage *stage)
{
	stage_operate(stage, 6,
		      (struct operation){.saga_id = SLICE_LITERAL("done-1"),
					 .type = EVENT_UNDO,
					 .actor = SLICE_LITERAL("ada")});
	stage_start(stage, 7, stage_errand("done-2", "{}"));
	stage_start(stage, 8, stage_errand("done-2", "[]"));
	stage_operate(stage, 9,
		      (struct operation){.saga_id = SLICE_LITERAL("o-0"),
					 .type = EVENT_PAUSE,
					 .actor = SLICE_LITERAL("ada")});
}

/* Turns, and time, until nothing is left to do; good: none failed in another way. */
static bool take_turns(struct stage *stage)
{
	bool good = true;

	for (int turns = 0; turns < 20; turns++) {
		enum err err = stage_turn(stage);
		int64_t wait_ms = engine_wake_ms(stage->engine) - stage->clock.now_ms;

		good &= err == OK || err == ERR_UNAVAILABLE || err == ERR_NOMEM;
		good &= err == OK || (wait_ms > 0 && wait_ms <= 100);
		stage_advance(stage, 20);
	}
	return good;
}

static void mail_answers(struct stage *stage)
{
	stage_mail_reply(stage, FETCH, MESSAGE_OK, "[1]");
	stage_mail_reply(stage, "o-0/pay#0/0/do", MESSAGE_OK, "[1]");
}

static enum err count_audit(void *context, const struct audit_entry *entry)
{
	++*(size_t *)context;
	return OK;
}

static size_t audited(struct stage *stage)
{
	size_t n = 0;
	enum err err = store_audit(stage->store, (struct slice){0}, 100, count_audit, &n);

	ck_assert_int_eq(err, OK);
	return n;
}

static int by_text(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* What was said to those who asked, and what was sent, in an order that does not
 * depend on time. */
static void sort_said(struct stage *stage, struct bytes *out)
{
	const char *text = stage_said(stage);
	struct slice lines[200];
	size_t n = 0;

	while (*text) {
		struct slice line = {text, strcspn(text, ";")};

		text += line.len;
		text += strspn(text, "; ");
		ck_assert_uint_lt(n, 200);
		if (memcmp(line.at, "commit", 6) != 0 && !slice_is(line, "ack"))
			lines[n++] = line;
	}
	qsort(lines, n, sizeof *lines, by_text);
	for (size_t i = 0; i < n; i++) {
		bytes_append(out, lines[i]);
		bytes_text(out, "\n");
	}
	bytes_add(out, '\0');
	ck_assert_int_eq(out->err, OK);
}

/* True: the call to the store was reached. */
static bool run_with_failure(enum tripwire_effect effect, long n, struct bytes *said,
			     bool *turned_away)
{
	struct saga_row row;
	struct timeline timeline;
	struct stage stage;
	bool fired;

	open_busy(&stage);
	mail_all(&stage);
	stage_trip(&stage, effect, n);
	ask_all(&stage);
	ck_assert(take_turns(&stage));
	mail_answers(&stage);
	ck_assert(take_turns(&stage));
	fired = stage.wire.fired;
	*turned_away = stage.callers[6].last.err == ERR_BUSY;
	for (int i = 1; i <= ASKED; i++)
		ck_assert_msg(stage.callers[i].n_answers == 1, "call %ld: %d had %d answers", n,
			      i, stage.callers[i].n_answers);
	sort_said(&stage, said);
	ck_assert_uint_eq(audited(&stage), *turned_away ? 1 : 2);
	ck_assert(stage_stored(&stage, "o-1", &row, &timeline));
	ck_assert_int_eq(row.status, STATUS_COMPLETED);
	ck_assert_uint_eq(row.revision, 3);
	ck_assert(!stage_stored(&stage, "o-2", &row, &timeline));
	ck_assert_uint_eq(desk_live(stage.engine), *turned_away ? 1 : 2);
	stage_close(&stage);
	return fired;
}

START_TEST(test_every_call_to_the_store_fails_in_turn)
{
	static const enum tripwire_effect effects[] = {TRIPWIRE_FAILS, TRIPWIRE_NO_ANSWER};
	struct bytes reference = BYTES(10000, NULL), said = BYTES(10000, NULL);
	bool turned_away, fired = true;
	long n;

	fired = run_with_failure(effects[_i], -1, &reference, &turned_away);
	ck_assert(!fired && !turned_away);
	for (n = 0; run_with_failure(effects[_i], n, &said, &turned_away); n++) {
		if (!turned_away) /* everybody heard what they would have heard */
			ck_assert_str_eq(said.at, reference.at);
		bytes_clear(&said);
	}
	ck_assert_int_ge(n, 8);
	bytes_release(&reference);
	bytes_release(&said);
}
END_TEST

/* One that cannot be remembered is refused, for want of memory, and then it did not
 * happen; every other one counts. */
static bool run_without_memory(size_t n)
{
	struct saga_row row;
	struct timeline timeline;
	struct stage stage;
	bool fired, good;
	size_t live;

	open_busy(&stage);
	stage.deaf = true; /* it would take memory */
	mail_all(&stage);
	fail_malloc_at(n);
	ask_all(&stage);
	good = take_turns(&stage);
	fired = fail_malloc_off();
	ck_assert(good);
	for (int i = 1; i <= ASKED; i++)
		ck_assert_msg(stage.callers[i].n_answers == 1,
			      "allocation %zu: %d had %d answers", n, i,
			      stage.callers[i].n_answers);
	ck_assert_uint_eq(audited(&stage), (size_t)(!stage.callers[6].last.err) +
						   (size_t)(!stage.callers[9].last.err));
	for (int i = 6; i <= ASKED; i++)
		ck_assert(i == 8 || !stage.callers[i].last.err ||
			  stage.callers[i].last.err == ERR_NOMEM ||
			  stage.callers[i].last.err == ERR_BUSY);
	/* What it has in memory is what it has stored. */
	live = desk_live(stage.engine);
	stage_restart(&stage);
	ck_assert_uint_eq(desk_live(stage.engine), live);
	if (stage_stored(&stage, "o-1", &row, &timeline)) {
		mail_answers(&stage);
		stage_mail_signal(&stage, 0, stage_go("o-1", "s-1"));
		stage_turns(&stage);
		ck_assert(stage_stored(&stage, "o-1", &row, &timeline));
		ck_assert_int_eq(row.status, STATUS_COMPLETED);
	}
	stage_close(&stage);
	return fired;
}

START_TEST(test_every_allocation_fails_in_turn)
{
	size_t n = 0;

	while (run_without_memory(n))
		n++;
	ck_assert_uint_gt(n, 20);
}
END_TEST

/* --- while the store is away -------------------------------------------------------- */

START_TEST(test_a_store_that_is_away_for_long)
{
	struct stage stage;
	int turns = 0;

	stage_open(&stage);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_mail_start(&stage, 2, false, stage_errand("o-2", "{}"));
	stage_trip(&stage, TRIPWIRE_FAILS, 0);
	ck_assert_int_eq(stage_turn(&stage), ERR_UNAVAILABLE);
	expect(&stage, "commit fails");
	ck_assert_ptr_nonnull(strstr(stage.logged, "event=store-failed"));
	/* Whoever calls is turned away, and what is on the bus stays there. */
	stage_start(&stage, 3, stage_errand("o-3", "{}"));
	stage_signal(&stage, 4, stage_go("o-1", "s"));
	stage_operate(&stage, 5,
		      (struct operation){.saga_id = SLICE_LITERAL("o-1"), .type = EVENT_PAUSE});
	stage_mail_start(&stage, 6, false, stage_errand("o-6", "{}"));
	expect(&stage, "told 3 store-unavailable; told 4 store-unavailable; "
		       "told 5 store-unavailable");
	ck_assert_int_eq(stage.callers[3].last.err, ERR_BUSY);
	for (; turns < 1000; turns++) {
		stage_trip(&stage, TRIPWIRE_FAILS, 0);
		stage_advance(&stage, 100);
		ck_assert_int_eq(engine_wake_ms(stage.engine), stage.clock.now_ms);
		ck_assert_int_eq(stage_turn(&stage), ERR_UNAVAILABLE);
		ck_assert_int_eq(stage_turn(&stage), ERR_UNAVAILABLE); /* too early */
	}
	stage_said(&stage);
	stage_advance(&stage, 100);
	ck_assert_int_eq(stage_turn(&stage), OK); /* and goes on at once */
	expect(&stage, "commit 2; send o-1/fetch#0/0/do 1; told 1 created o-1 running; "
		       "send o-2/fetch#0/0/do 1; answer 2 created o-2 running; ack; "
		       "commit 1; send o-6/fetch#0/0/do 1; answer 6 created o-6 running; ack");
	stage_close(&stage);
}
END_TEST

/* The store is tried again after 100 ms of time that passes, not of time that jumps. */
START_TEST(test_the_clock_goes_back_while_the_store_is_away)
{
	struct stage stage;

	stage_open(&stage);
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	stage_trip(&stage, TRIPWIRE_FAILS, 0);
	ck_assert_int_eq(stage_turn(&stage), ERR_UNAVAILABLE);
	clock_sim_set(&stage.clock, stage.clock.now_ms - 3600000);
	ck_assert_int_eq(stage_turn(&stage), OK);
	stage_close(&stage);
}
END_TEST

/* --- another server ----------------------------------------------------------------- */

struct rival {
	struct post *post;
	struct bus *bus;
	struct engine *engine;
};

static void rival_open(struct rival *rival, struct stage *stage)
{
	struct engine_parts parts = {.store = stage->store, .clock = &stage->clock.base};

	rival->post = post_new();
	rival->bus = bus_memory_open(rival->post);
	parts.bus = rival->bus;
	ck_assert_int_eq(desk_open(&parts, &rival->engine, NULL), OK);
}

static void rival_does(struct rival *rival, enum event_type type)
{
	const struct event event = {.type = type,
				    .reason = SLICE_LITERAL("by hand"),
				    .name = SLICE_LITERAL("go"),
				    .id = SLICE_LITERAL("r-1")};

	ck_assert_int_eq(desk_operate(rival->engine, SLICE_LITERAL("o-1"), (struct slice){0},
				      &event, NULL),
			 OK);
}

static void rival_close(struct rival *rival)
{
	engine_close(rival->engine);
	bus_close(rival->bus);
	post_free(rival->post);
}

/* Those who wait are sent to ask again, and the saga goes on from what is stored. */
START_TEST(test_another_server_was_faster)
{
	struct stage stage;
	struct rival rival;

	open_started(&stage);
	stage_mail_start(&stage, 7, true, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	stage_said(&stage);
	rival_open(&rival, &stage);
	rival_does(&rival, EVENT_SIGNAL);
	stage_mail_signal(&stage, 8, stage_go("o-1", "s-1"));
	stage_mail_start(&stage, 9, true, stage_errand("o-1", "{}"));
	stage_start(&stage, 2, stage_errand("o-2", "{}"));
	stage_turns(&stage);
	expect(&stage, "commit 2; send o-2/fetch#0/0/do 1; told 2 created o-2 running; "
		       "answer 8 changed-meanwhile; answer 9 changed-meanwhile; "
		       "send " FETCH " 1; ack");
	stage_mail_signal(&stage, 8, stage_go("o-1", "s-1"));
	stage_mail_reply(&stage, FETCH, MESSAGE_OK, "[1]");
	stage_turns(&stage);
	expect(&stage, "commit 1; answer 8 ok o-1 completed; ended 7 o-1 completed; ack");
	rival_close(&rival);
	stage_close(&stage);
}
END_TEST

/* Who watches it hears of its end all the same. */
START_TEST(test_another_server_ended_it)
{
	struct stage stage;
	struct rival rival;

	open_started(&stage);
	stage_mail_start(&stage, 7, true, stage_errand("o-1", "{}"));
	stage_turns(&stage);
	stage_said(&stage);
	rival_open(&rival, &stage);
	rival_does(&rival, EVENT_KILL);
	stage_mail_reply(&stage, FETCH, MESSAGE_OK, "[1]");
	stage_turns(&stage);
	expect(&stage, "commit 1; ended 7 o-1 killed; ack");
	ck_assert_uint_eq(desk_live(stage.engine), 0);
	rival_close(&rival);
	stage_close(&stage);
}
END_TEST

/* Two servers, one id: one of them begins it. */
START_TEST(test_another_server_began_it)
{
	static const struct start_row {
		const char *input, *said;
	} rows[] = {
		{"{}", "commit 1; answer 7 ok o-1 running; ack"},
		{"[]", "commit 1; answer 7 key-taken o-1; ack"},
	};
	struct stage stage;
	struct rival rival;
	size_t n;

	stage_open(&stage);
	rival_open(&rival, &stage);
	ck_assert_int_eq(desk_start(rival.engine, "errand", "o-1", "{}", NULL), OK);
	stage_mail_start(&stage, 7, true, stage_errand("o-1", rows[_i].input));
	stage_advance(&stage, 1);
	/* Taken, but not stored yet. */
	stage_trip(&stage, TRIPWIRE_FAILS, 0);
	ck_assert_int_eq(engine_turn(stage.engine, &n), ERR_UNAVAILABLE);
	expect(&stage, "commit fails");
	stage_advance(&stage, 100);
	ck_assert_int_eq(stage_turn(&stage), OK);
	ck_assert_str_eq(stage_said(&stage), rows[_i].said);
	ck_assert_uint_eq(desk_live(stage.engine), 0);
	rival_close(&rival);
	stage_close(&stage);
}
END_TEST

/* One that another server began, and that somebody asks this one to change. */
START_TEST(test_a_saga_of_another_server)
{
	struct stage stage;
	struct rival rival;

	stage_open(&stage);
	rival_open(&rival, &stage);
	ck_assert_int_eq(desk_start(rival.engine, "errand", "o-1", "{}", NULL), OK);
	stage_signal(&stage, 1, stage_go("o-1", "s-1"));
	stage_turns(&stage);
	/* It goes on here, with all that it waits for. */
	expect(&stage, "commit 1; send " FETCH " 1; told 1 ok o-1 running");
	ck_assert_uint_eq(desk_live(stage.engine), 1);
	rival_close(&rival);
	stage_close(&stage);
}
END_TEST

/* --- what cannot be read ------------------------------------------------------------ */

/* Somebody writes this over the stored saga o-1. */
static void overwrite(struct stage *stage, const char *record)
{
	const struct store_batch sent = {.number = 1, .sent = 1};
	struct saga_write write = {.record = slice_of(record)};
	struct timeline timeline;

	ck_assert(stage_stored(stage, "o-1", &write.row, &timeline));
	write.before = write.row.revision++;
	ck_assert_int_eq(store_commit(stage->store, &sent, &write, 1, NULL, 0), OK);
	ck_assert_int_eq(write.result, OK);
}

START_TEST(test_a_saga_that_cannot_be_read)
{
	struct engine_stats stats;
	struct stage stage;

	open_started(&stage);
	overwrite(&stage, "garbage");
	stage_restart(&stage);
	expect(&stage, "");
	engine_stats(stage.engine, &stats);
	ck_assert_uint_eq(stats.unreadable, 1);
	ck_assert_uint_eq(stats.live, 0);
	stage_signal(&stage, 1, stage_go("o-1", "s-1"));
	expect(&stage, "told 1 unreadable");
	ck_assert_int_eq(stage.callers[1].last.err, ERR_CORRUPT);
	stage_start(&stage, 2, stage_errand("o-1", "{}"));
	stage_start(&stage, 3, stage_errand("o-3", "{}"));
	stage_turns(&stage);
	expect(&stage, "commit 2; told 2 key-taken; send o-3/fetch#0/0/do 1; "
		       "told 3 created o-3 running");
	stage_close(&stage);
}
END_TEST

START_TEST(test_a_saga_that_can_no_longer_be_read)
{
	struct engine_stats stats;
	struct stage stage;

	open_started(&stage);
	overwrite(&stage, "garbage");
	stage_signal(&stage, 1, stage_go("o-1", "s-1"));
	stage_turns(&stage);
	expect(&stage, "commit 1; told 1 changed-meanwhile");
	ck_assert_ptr_nonnull(strstr(stage.logged, "event=saga-left-out saga=o-1"));
	engine_stats(stage.engine, &stats);
	ck_assert_uint_eq(stats.unreadable, 1);
	ck_assert_uint_eq(stats.live, 0);
	stage_close(&stage);
}
END_TEST

/* A damaged page of the store: it concerns the sagas on it alone. */
START_TEST(test_a_saga_that_the_store_cannot_read)
{
	struct stage stage;
	struct rival rival;

	open_started(&stage);
	rival_open(&rival, &stage);
	rival_does(&rival, EVENT_PAUSE);
	ck_assert_int_eq(desk_start(rival.engine, "errand", "o-2", "{}", NULL), OK);
	stage_advance(&stage, 1);
	stage_signal(&stage, 1, stage_go("o-1", "s-1"));
	stage_start(&stage, 2, stage_errand("o-2", "{}"));
	stage_start(&stage, 3, stage_errand("o-3", "{}"));
	stage.damaged = true;
	stage_turns(&stage);
	expect(&stage, "commit 3; told 1 changed-meanwhile; told 2 key-taken; "
		       "send o-3/fetch#0/0/do 1; told 3 created o-3 running");
	ck_assert_uint_eq(desk_live(stage.engine), 1);
	stage_signal(&stage, 1, stage_go("o-1", "s-1"));
	expect(&stage, "told 1 unreadable");
	rival_close(&rival);
	stage_close(&stage);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_every_call_to_the_store_fails_in_turn, 0, 2);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_test(tcase, test_a_store_that_is_away_for_long);
	tcase_add_test(tcase, test_the_clock_goes_back_while_the_store_is_away);
	tcase_add_test(tcase, test_another_server_was_faster);
	tcase_add_test(tcase, test_another_server_ended_it);
	tcase_add_loop_test(tcase, test_another_server_began_it, 0, 2);
	tcase_add_test(tcase, test_a_saga_of_another_server);
	tcase_add_test(tcase, test_a_saga_that_cannot_be_read);
	tcase_add_test(tcase, test_a_saga_that_the_store_cannot_read);
	tcase_add_test(tcase, test_a_saga_that_can_no_longer_be_read);
}

int main(void)
{
	return suite_run("engine_trouble", add);
}

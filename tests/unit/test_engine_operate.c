/* test_engine_operate.c - what people do to sagas, what is kept of it, and the
 * definitions that sagas run on */
#include "orchestrator/load/load.h"
#include "tests/lib/desk.h"
#include "tests/lib/stage.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define FETCH "o-1/fetch#0/0/do"
#define PAY   "o-1/pay#0/0/do"

static void expect(struct stage *stage, const char *said)
{
	ck_assert_str_eq(stage_said(stage), said);
}

static struct operation operation(enum event_type type, const char *reason)
{
	return (struct operation){.saga_id = SLICE_LITERAL("o-1"),
				  .type = type,
				  .actor = SLICE_LITERAL("ada"),
				  .reason = slice_of(reason)};
}

static void operate(struct stage *stage, enum event_type type, const char *reason)
{
	stage_operate(stage, 1, operation(type, reason));
	stage_turns(stage);
}

/* --- every operation in every state ------------------------------------------------- */

enum state { RUNNING, BACKOFF, PAUSED, PARKED, BACK, COMPLETED, COMPENSATED, PAID, KILLED };

/* The saga o-1 in that state. */
static void open_in(struct stage *stage, enum state state)
{
	stage_open(stage);
	if (state == PAID || state == PARKED)
		stage_start(stage, 1, stage_order("o-1", "{\"order_id\":\"k\"}"));
	else
		stage_start(stage, 1, stage_errand("o-1", "{}"));
	stage_turns(stage);
	switch (state) {
	case RUNNING: break;
	case BACKOFF: stage_mail_reply(stage, FETCH, MESSAGE_FAILED, ""); break;
	case PAUSED: operate(stage, EVENT_PAUSE, ""); break;
	case PARKED: stage_mail_reply(stage, PAY, MESSAGE_EXPIRED, ""); break;
	case BACK:
	case COMPENSATED:
		stage_mail_reply(stage, FETCH, MESSAGE_OK, "[1]");
		stage_turns(stage);
		operate(stage, EVENT_CANCEL, "no longer wanted");
		if (state == COMPENSATED)
			stage_mail_reply(stage, "o-1/fetch#0/0/undo", MESSAGE_OK, "");
		break;
	case COMPLETED:
		stage_mail_reply(stage, FETCH, MESSAGE_OK, "[1]");
		stage_mail_signal(stage, 0, stage_go("o-1", "s"));
		break;
	case PAID: stage_mail_reply(stage, PAY, MESSAGE_OK, "[1]"); break;
	case KILLED: operate(stage, EVENT_KILL, "done by hand"); break;
	}
	stage_turns(stage);
	stage_said(stage);
}

static const struct operate_row {
	enum state state;
	enum event_type type;
	const char *said;
} operate_rows[] = {
	{RUNNING, EVENT_CANCEL, "commit 1; told 1 ok o-1 compensating"},
	{RUNNING, EVENT_UNDO, "told 1 refused"},
	{RUNNING, EVENT_PAUSE, "commit 1; told 1 ok o-1 running"},
	{RUNNING, EVENT_RESUME, "told 1 ok o-1 running"},
	{RUNNING, EVENT_RETRY, "told 1 refused"},
	{RUNNING, EVENT_SKIP, "told 1 refused"}, /* which step? */
	{RUNNING, EVENT_KILL, "commit 1; told 1 ok o-1 killed"},
	{BACKOFF, EVENT_RETRY, "commit 1; send " FETCH " 2; told 1 ok o-1 running"},
	{PAUSED, EVENT_CANCEL, "commit 1; told 1 ok o-1 compensating"},
	{PAUSED, EVENT_PAUSE, "told 1 ok o-1 running"},
	{PAUSED, EVENT_RESUME, "commit 1; told 1 ok o-1 running"},
	{PAUSED, EVENT_KILL, "commit 1; told 1 ok o-1 killed"},
	{PARKED, EVENT_CANCEL, "commit 1; send o-1/pay#0/0/revoke 1; told 1 ok o-1 running"},
	{PARKED, EVENT_RETRY, "told 1 refused"},
	{PARKED, EVENT_KILL, "commit 1; told 1 ok o-1 killed"},
	{BACK, EVENT_CANCEL, "told 1 ok o-1 compensating"},
	{BACK, EVENT_PAUSE, "commit 1; told 1 ok o-1 compensating"},
	{BACK, EVENT_RETRY, "told 1 refused"},
	{BACK, EVENT_KILL, "commit 1; told 1 ok o-1 killed"},
	{COMPLETED, EVENT_CANCEL, "told 1 refused"},
	{COMPLETED, EVENT_UNDO,
	 "commit 1; send o-1/fetch#0/0/undo 1; told 1 ok o-1 compensating"},
	{COMPLETED, EVENT_PAUSE, "told 1 refused"},
	{COMPLETED, EVENT_RESUME, "told 1 refused"},
	{COMPLETED, EVENT_RETRY, "told 1 refused"},
	{COMPLETED, EVENT_KILL, "told 1 refused"},
	{COMPENSATED, EVENT_CANCEL, "told 1 refused"},
	{COMPENSATED, EVENT_UNDO, "told 1 refused"},
	{COMPENSATED, EVENT_KILL, "told 1 refused"},
	{PAID, EVENT_UNDO, "told 1 refused"},
	{PAID, EVENT_CANCEL, "told 1 refused"},
	{KILLED, EVENT_CANCEL, "told 1 refused"},
	{KILLED, EVENT_UNDO, "told 1 refused"},
	{KILLED, EVENT_KILL, "told 1 refused"},
};

START_TEST(test_an_operation)
{
	const struct operate_row *row = &operate_rows[_i];
	struct stage stage;
	const char *said;

	open_in(&stage, row->state);
	operate(&stage, row->type, "because");
	said = stage_said(&stage);
	ck_assert_msg(!strcmp(said, row->said), "%s, state %d: %s, not %s",
		      event_text(row->type), row->state, said, row->said);
	ck_assert_int_eq(stage.callers[1].last.err,
			 strstr(row->said, "refused") ? ERR_CONFLICT : OK);
	stage_close(&stage);
}
END_TEST

/* It and the end of the attempt that is under way are decided together. */
START_TEST(test_an_operation_at_the_moment_of_a_timeout)
{
	static const struct {
		enum event_type type;
		const char *said;
	} rows[] = {
		{EVENT_CANCEL, "commit 1; send o-1/fetch#0/0/undo 1; "
			       "told 1 ok o-1 compensating"},
		{EVENT_PAUSE, "commit 1; told 1 ok o-1 running"},
		{EVENT_KILL, "commit 1; told 1 ok o-1 killed"},
	};
	struct stage stage;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		open_in(&stage, RUNNING);
		stage_advance(&stage, 1000);
		operate(&stage, rows[i].type, "because");
		ck_assert_str_eq(stage_said(&stage), rows[i].said);
		stage_close(&stage);
	}
}
END_TEST

/* A refusal says why, in a sentence. */
START_TEST(test_the_text_of_a_refusal)
{
	struct diag diag = {{0}};
	struct event undo = {.type = EVENT_UNDO, .reason = SLICE_LITERAL("returned")};
	struct stage stage;

	open_in(&stage, PAID);
	ck_assert_int_eq(desk_operate(stage.engine, SLICE_LITERAL("o-1"), (struct slice){0},
				      &undo, &diag),
			 ERR_CONFLICT);
	ck_assert_msg(strstr(diag.text, "pivot") != NULL, "%s", diag.text);
	stage_close(&stage);
}
END_TEST

static const struct refused_row {
	const char *name;
	struct operation operation;
	const char *told;
	enum err err;
} refused_rows[] = {
	{"no such saga",
	 {.saga_id = SLICE_LITERAL("o-2"), .type = EVENT_PAUSE},
	 "told 1 unknown-saga",
	 ERR_NOT_FOUND},
	{"no such step",
	 {.saga_id = SLICE_LITERAL("o-1"), .type = EVENT_RETRY, .step = SLICE_LITERAL("x")},
	 "told 1 unknown-step",
	 ERR_NOT_FOUND},
	{"a kill without a reason",
	 {.saga_id = SLICE_LITERAL("o-1"), .type = EVENT_KILL},
	 "told 1 missing-reason",
	 ERR_INVALID},
	{"a reason that is no UTF-8",
	 {.saga_id = SLICE_LITERAL("o-1"),
	  .type = EVENT_PAUSE,
	  .reason = SLICE_LITERAL("\xff")},
	 "told 1 bad-reason",
	 ERR_INVALID},
	{"somebody who is no UTF-8",
	 {.saga_id = SLICE_LITERAL("o-1"), .type = EVENT_PAUSE, .actor = SLICE_LITERAL("\xff")},
	 "told 1 bad-actor",
	 ERR_INVALID},
	{"an output that is no JSON",
	 {.saga_id = SLICE_LITERAL("o-1"),
	  .type = EVENT_SKIP,
	  .step = SLICE_LITERAL("fetch"),
	  .output = SLICE_LITERAL("{")},
	 "told 1 bad-payload",
	 ERR_INVALID},
};

START_TEST(test_an_operation_that_is_refused)
{
	const struct refused_row *row = &refused_rows[_i];
	struct stage stage;

	open_in(&stage, RUNNING);
	stage_operate(&stage, 1, row->operation);
	ck_assert_str_eq(stage_said(&stage), row->told);
	ck_assert_int_eq(stage.callers[1].last.err, row->err);
	stage_turns(&stage);
	expect(&stage, "");
	stage_close(&stage);
}
END_TEST

START_TEST(test_skipping_a_step)
{
	struct operation skip = operation(EVENT_SKIP, "it is here already");
	struct stage stage;

	open_in(&stage, RUNNING);
	skip.step = SLICE_LITERAL("fetch");
	skip.output = SLICE_LITERAL("[7]");
	stage_operate(&stage, 1, skip);
	skip.step = SLICE_LITERAL("word");
	skip.output = (struct slice){0};
	stage_operate(&stage, 2, skip);
	stage_turns(&stage);
	expect(&stage, "commit 1; told 1 ok o-1 completed; told 2 ok o-1 completed");
	stage_close(&stage);
}
END_TEST

/* --- a saga that had ended ---------------------------------------------------------- */

/* It is undone, and can end once more. */
START_TEST(test_undoing_a_completed_saga)
{
	struct engine_stats stats;
	struct saga_row row;
	struct timeline timeline;
	struct stage stage;

	open_in(&stage, COMPLETED);
	operate(&stage, EVENT_UNDO, "returned");
	ck_assert_uint_eq(desk_live(stage.engine), 1);
	stage_restart(&stage);
	expect(&stage, "commit 1; send o-1/fetch#0/0/undo 1; told 1 ok o-1 compensating; "
		       "send o-1/fetch#0/0/undo 1");
	stage_mail_reply(&stage, "o-1/fetch#0/0/undo", MESSAGE_OK, "");
	stage_turns(&stage);
	expect(&stage, "commit 1; ack");
	ck_assert(stage_stored(&stage, "o-1", &row, &timeline));
	ck_assert_int_eq(row.status, STATUS_COMPENSATED);
	engine_stats(stage.engine, &stats);
	ck_assert_uint_eq(stats.live, 0);
	ck_assert_uint_eq(stats.ended[STATUS_COMPENSATED], 1);
	stage_close(&stage);
}
END_TEST

/* Whoever looks at one that has ended leaves nothing behind. */
START_TEST(test_a_visit_is_short)
{
	struct stage stage;

	open_in(&stage, COMPLETED);
	for (int n = 0; n < 100; n++) {
		stage_operate(&stage, 1, operation(EVENT_PAUSE, ""));
		expect(&stage, "told 1 refused");
	}
	/* The same in the batch, under way at last. */
	stage_operate(&stage, 1, operation(EVENT_UNDO, ""));
	stage_operate(&stage, 2, operation(EVENT_UNDO, ""));
	stage_start(&stage, 3, stage_errand("o-1", "{}"));
	ck_assert_int_eq(stage_turn(&stage), OK);
	expect(&stage, "commit 1; send o-1/fetch#0/0/undo 1; told 1 ok o-1 compensating; "
		       "told 2 ok o-1 compensating; told 3 ok o-1 compensating");
	stage_close(&stage);
}
END_TEST

/* It had ended, and is pruned before its undo is stored. */
START_TEST(test_a_saga_that_is_pruned_meanwhile)
{
	struct stage stage;
	size_t n;

	open_in(&stage, COMPLETED);
	stage_operate(&stage, 1, operation(EVENT_UNDO, ""));
	ck_assert_int_eq(store_prune(stage.store, INT64_MAX, 10, &n), OK);
	ck_assert_uint_eq(n, 1);
	stage_turns(&stage);
	expect(&stage, "commit 1; told 1 changed-meanwhile");
	operate(&stage, EVENT_UNDO, "");
	expect(&stage, "told 1 unknown-saga");
	ck_assert_uint_eq(desk_live(stage.engine), 0);
	stage_close(&stage);
}
END_TEST

/* --- the audit ---------------------------------------------------------------------- */

static enum err list_audit(void *context, const struct audit_entry *entry)
{
	struct bytes *out = context;

	bytes_format(out, "%.*s %.*s by %.*s: %.*s; ", SLICE_ARG(entry->saga_id),
		     SLICE_ARG(entry->operation), SLICE_ARG(entry->actor),
		     SLICE_ARG(entry->reason));
	return OK;
}

static void expect_audit(struct stage *stage, const char *expected)
{
	struct bytes text = BYTES(10000, NULL);

	ck_assert_int_eq(store_audit(stage->store, (struct slice){0}, 100, list_audit, &text),
			 OK);
	bytes_add(&text, '\0');
	ck_assert_int_eq(text.err, OK);
	ck_assert_str_eq(text.at, expected);
	bytes_release(&text);
}

/* What changed something is kept, once; what was refused or so already is not. */
START_TEST(test_the_audit)
{
	struct stage stage;

	open_in(&stage, RUNNING);
	stage_operate(&stage, 1, operation(EVENT_PAUSE, "lunch"));
	stage_operate(&stage, 1, operation(EVENT_PAUSE, "lunch"));
	stage_operate(&stage, 1, operation(EVENT_RETRY, "hm"));
	stage_operate(&stage, 1, operation(EVENT_RESUME, ""));
	stage_signal(&stage, 1, stage_go("o-1", "s"));
	stage_turns(&stage);
	expect_audit(&stage, "o-1 resume by ada: ; o-1 pause by ada: lunch; ");
	operate(&stage, EVENT_CANCEL, "enough");
	expect_audit(&stage, "o-1 cancel by ada: enough; o-1 resume by ada: ; "
			     "o-1 pause by ada: lunch; ");
	stage_close(&stage);
}
END_TEST

/* Whatever became of the commit the first time. */
START_TEST(test_the_audit_of_a_commit_that_is_repeated)
{
	static const enum tripwire_effect effects[] = {TRIPWIRE_FAILS, TRIPWIRE_NO_ANSWER};
	struct engine_stats stats;
	struct saga_row row;
	struct timeline timeline;
	struct stage stage;
	uint64_t seen;

	open_in(&stage, RUNNING);
	seen = stage.n_entries;
	stage_operate(&stage, 1, operation(EVENT_PAUSE, "lunch"));
	stage_trip(&stage, effects[_i], 0);
	ck_assert_int_eq(stage_turn(&stage), ERR_UNAVAILABLE);
	stage_advance(&stage, 100);
	stage_trip(&stage, TRIPWIRE_FAILS, 0); /* the look at what is there */
	ck_assert_int_eq(stage_turn(&stage), ERR_UNAVAILABLE);
	expect(&stage, "commit fails");
	stage_advance(&stage, 100);
	stage_turns(&stage);
	expect(&stage, "commit 1; told 1 ok o-1 running");
	expect_audit(&stage, "o-1 pause by ada: lunch; ");
	ck_assert(stage_stored(&stage, "o-1", &row, &timeline));
	ck_assert_uint_eq(row.revision, 2);
	ck_assert_uint_eq(stage.n_entries, timeline.n_entries);
	ck_assert_uint_gt(stage.n_entries, seen);
	engine_stats(stage.engine, &stats);
	ck_assert_uint_eq(stats.commit_failures, 2);
	stage_close(&stage);
}
END_TEST

/* --- definitions -------------------------------------------------------------------- */

static const char errand_2[] = "saga: errand\n"
			       "version: 2.0.0\n"
			       "steps:\n"
			       "  - go: { kind: pivot, call: shop.go, timeout: 1s }\n";

static enum err deploy(struct stage *stage, const char *text, struct diag *diag)
{
	struct definition *definition = NULL;
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	enum err err = load_text("errand.yaml", slice_of(text), NULL, &problems, &definition);

	ck_assert_int_eq(err, OK);
	err = engine_deploy(stage->engine, &definition, diag);
	ck_assert_ptr_null(definition);
	arena_release(&arena);
	return err;
}

static void count(void *context, const struct definition *definition)
{
	++*(int *)context;
}

START_TEST(test_versions)
{
	const struct definition *newest;
	struct start_message start = stage_errand("o-2", "{}");
	struct stage stage;
	int n = 0;

	stage_open(&stage);
	ck_assert_int_eq(deploy(&stage, errand_2, NULL), OK);
	ck_assert_int_eq(deploy(&stage, errand_2, NULL), OK); /* the same once more */
	stage_restart(&stage);
	engine_each_definition(stage.engine, count, &n);
	ck_assert_int_eq(n, 3);
	newest = engine_definition(stage.engine, SLICE_LITERAL("errand"), (struct slice){0});
	ck_assert(slice_is(newest->version, "2.0.0"));
	ck_assert_ptr_eq(engine_definition_by_hash(stage.engine, newest->hash), newest);
	ck_assert_ptr_null(engine_definition(stage.engine, SLICE_LITERAL("errand"),
					     SLICE_LITERAL("3.0.0")));
	/* A start takes the newest, or the one that it names. */
	stage_start(&stage, 1, stage_errand("o-1", "{}"));
	start.version = SLICE_LITERAL("1.0.0");
	stage_start(&stage, 2, start);
	stage_turns(&stage);
	expect(&stage, "commit 2; send o-1/go#0/0/do 1; told 1 created o-1 running; "
		       "send o-2/fetch#0/0/do 1; told 2 created o-2 running");
	stage_close(&stage);
}
END_TEST

START_TEST(test_a_version_never_changes)
{
	static const char other[] = "saga: errand\n"
				    "version: 1.0.0\n"
				    "steps:\n"
				    "  - go: { kind: pivot, call: shop.go, timeout: 1s }\n";
	struct diag diag = {{0}};
	struct engine_parts parts = {0};
	struct engine *rival;
	struct stage stage;

	stage_open(&stage);
	ck_assert_int_eq(deploy(&stage, other, &diag), ERR_CONFLICT);
	ck_assert_str_eq(diag.text,
			 "version 1.0.0 of the saga errand is deployed with another content; "
			 "a version never changes: give the new one a new number");
	/* Another server deployed it, which this one has not seen. */
	parts.store = stage.store;
	parts.bus = &stage.bus;
	parts.clock = &stage.clock.base;
	ck_assert_int_eq(desk_open(&parts, &rival, NULL), OK);
	ck_assert_int_eq(desk_deploy_text(rival, errand_2), OK);
	engine_close(rival);
	diag.text[0] = '\0';
	ck_assert_int_eq(deploy(&stage,
				"saga: errand\n"
				"version: 2.0.0\n"
				"steps:\n"
				"  - go: { kind: pivot, call: shop.went }\n",
				&diag),
			 ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(diag.text, "version 2.0.0 of the saga errand"));
	ck_assert_int_eq(deploy(&stage, errand_2, NULL), OK);
	stage_close(&stage);
}
END_TEST

START_TEST(test_a_definition_that_cannot_be_stored)
{
	struct diag diag = {{0}};
	struct stage stage;

	stage_open(&stage);
	stage_trip(&stage, TRIPWIRE_FAILS, 0);
	ck_assert_int_eq(deploy(&stage, errand_2, &diag), ERR_UNAVAILABLE);
	ck_assert_str_eq(diag.text, "the definition could not be stored (service unavailable); "
				    "try again");
	ck_assert_ptr_null(engine_definition(stage.engine, SLICE_LITERAL("errand"),
					     SLICE_LITERAL("2.0.0")));
	ck_assert_int_eq(deploy(&stage, errand_2, NULL), OK);
	stage_close(&stage);
}
END_TEST

/* One that an older or damaged file has: its sagas are left alone, the others run. */
START_TEST(test_a_definition_that_cannot_be_read)
{
	struct stored_definition stored = {.hash = {1},
					   .name = SLICE_LITERAL("old"),
					   .version = SLICE_LITERAL("1.0.0"),
					   .normal = SLICE_LITERAL("saga: old")};
	struct stage stage;

	open_in(&stage, RUNNING);
	ck_assert_int_eq(store_put_definition(stage.store, &stored), OK);
	stage_restart(&stage);
	expect(&stage, "send " FETCH " 1");
	ck_assert_ptr_nonnull(
		strstr(stage.logged, "event=definition-left-out saga=old version=1.0.0 why="));
	ck_assert_uint_eq(desk_live(stage.engine), 1);
	stage_close(&stage);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_an_operation, 0, ROWS(operate_rows));
	tcase_add_test(tcase, test_an_operation_at_the_moment_of_a_timeout);
	tcase_add_test(tcase, test_the_text_of_a_refusal);
	tcase_add_loop_test(tcase, test_an_operation_that_is_refused, 0, ROWS(refused_rows));
	tcase_add_test(tcase, test_skipping_a_step);
	tcase_add_test(tcase, test_undoing_a_completed_saga);
	tcase_add_test(tcase, test_a_visit_is_short);
	tcase_add_test(tcase, test_a_saga_that_is_pruned_meanwhile);
	tcase_add_test(tcase, test_the_audit);
	tcase_add_loop_test(tcase, test_the_audit_of_a_commit_that_is_repeated, 0, 2);
	tcase_add_test(tcase, test_versions);
	tcase_add_test(tcase, test_a_version_never_changes);
	tcase_add_test(tcase, test_a_definition_that_cannot_be_stored);
	tcase_add_test(tcase, test_a_definition_that_cannot_be_read);
}

int main(void)
{
	return suite_run("engine_operate", add);
}
